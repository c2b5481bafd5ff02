"""What `pynq vm` says while it downloads and builds, on standard error: a bar with rich, lines without."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Progress", "megabytes"]


def megabytes(size: int) -> str:
    """Return a size in bytes as people read it."""
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


class Progress:
    """Lines, and a bar where standard error is a terminal and rich is installed; ``quiet`` says nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, text: str) -> None:
        """Print one line."""
        if not self.quiet:
            sys.stderr.write(f"virtual board: {text}\n")
            sys.stderr.flush()

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[Callable[[float], None]]:
        """Announce a step that takes a while; what it gives is called with the part done (0 to 1)."""
        bar = None if self.quiet or not sys.stderr.isatty() else _rich(text)
        if bar is None:
            self.say(text)
            yield lambda _: None
            return
        with bar[0]:
            yield lambda part: bar[0].update(bar[1], completed=part)


def _rich(text: str) -> tuple[Any, Any] | None:
    try:
        module = importlib.import_module("rich.progress")
        console = importlib.import_module("rich.console").Console(stderr=True)
    except ImportError:
        return None
    bar = module.Progress(
        module.TextColumn("virtual board: {task.description}"),
        module.BarColumn(),
        module.TaskProgressColumn(),
        module.TimeElapsedColumn(),
        console=console,
    )
    return bar, bar.add_task(text, total=1.0)
