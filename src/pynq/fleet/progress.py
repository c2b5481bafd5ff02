"""Progress of a sweep, on standard error: a bar where rich is installed, plain lines otherwise."""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any, Protocol

__all__ = ["Progress", "make_progress"]

_EVERY = 5.0  # seconds between plain lines


class Progress(Protocol):
    """What a sweep tells of itself."""

    def update(self, done: int, failed: int) -> None:
        """So many cases are done, so many of them not well."""

    def note(self, text: str) -> None:
        """Something worth a line of its own."""

    def close(self) -> None:
        """The sweep is over."""


class Silent:
    """Tells nothing."""

    def update(self, done: int, failed: int) -> None:
        """Tell nothing."""

    def note(self, text: str) -> None:
        """Tell nothing."""

    def close(self) -> None:
        """Tell nothing."""


class Lines:
    """Plain lines, not too many."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._start = time.monotonic()
        self._last = self._start
        self._told = ""

    def update(self, done: int, failed: int) -> None:
        """Print a line when the last one is some time ago, and at the end."""
        now = time.monotonic()
        if done < self._total and now - self._last < _EVERY:
            return
        self._last = now
        bad = f", {failed} failed" if failed else ""
        text = f"sweep: {done} of {self._total} cases{bad}"
        if text != self._told:
            self._told = text
            self.note(f"{text} ({now - self._start:.1f} s)")

    def note(self, text: str) -> None:
        """Print a line."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Nothing to do."""


class Bar:
    """A bar drawn by rich, in terminals and in notebooks."""

    def __init__(self, total: int) -> None:
        rich: Any = importlib.import_module("rich.progress")
        console: Any = importlib.import_module("rich.console").Console(stderr=True)
        self._bar = rich.Progress(
            rich.TextColumn("sweep"),
            rich.BarColumn(),
            rich.MofNCompleteColumn(),
            rich.TextColumn("{task.fields[bad]}"),
            rich.TimeElapsedColumn(),
            rich.TimeRemainingColumn(),
            console=console,
            redirect_stdout=False,
            redirect_stderr=True,
        )
        self._task = self._bar.add_task("", total=total, bad="")
        self._bar.start()

    def update(self, done: int, failed: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done, bad=f"{failed} failed" if failed else "")

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.stop()


def make_progress(wanted: bool | None, total: int) -> Progress:
    """Return what shows the progress; ``wanted`` None: only where somebody looks (a terminal, a notebook)."""
    if wanted is None:
        # Modules loaded say it, nothing needs to be imported for the question.
        wanted = "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
    if not wanted:
        return Silent()
    try:
        return Bar(total)
    except ImportError:
        return Lines(total)
