"""What a build tells while it runs: nothing where everything is in the cache."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from typing import Any

__all__ = ["Progress"]

LONG = 2.0  # seconds after which a step that is still running is told of where there is no terminal


class Progress:
    """Shows steps on the standard error: with rich on a terminal, else as plain lines. ``shown`` False:
    nothing.
    """

    def __init__(self, shown: bool | None = None) -> None:
        self._shown = True if shown is None else shown
        self._lock = threading.Lock()
        self._status: Any = None
        self._running: dict[int, str] = {}
        self._timers: dict[int, threading.Timer] = {}
        self._next = 0
        self._rich = self._shown and sys.stderr.isatty() and importlib.util.find_spec("rich") is not None

    def line(self, text: str) -> None:
        """Print one line."""
        if not self._shown:
            return
        with self._lock:
            if self._status is not None:
                self._status.console.print(text, markup=False, highlight=False)
            else:
                sys.stderr.write(text + "\n")
                sys.stderr.flush()

    def step(self, text: str) -> Step:
        """Return a context: what is done in it is shown as running, then with the time it took."""
        return Step(self, text)

    def _begin(self, text: str) -> int:
        with self._lock:
            self._next += 1
            self._running[self._next] = text
            self._refresh()
            if self._shown and not self._rich:
                timer = threading.Timer(LONG, self._still, (self._next, text))
                timer.daemon = True
                self._timers[self._next] = timer
                timer.start()
            return self._next

    def _still(self, number: int, text: str) -> None:
        """Tell, in a notebook or a log, that a long step is running: a minute without a word looks dead."""
        with self._lock:
            if number in self._running:
                sys.stderr.write(f"pynq: {text} ...\n")
                sys.stderr.flush()

    def _end(self, number: int, text: str) -> None:
        with self._lock:
            del self._running[number]
            timer = self._timers.pop(number, None)
            if timer is not None:
                timer.cancel()
            self._refresh()
        self.line(text)

    def _refresh(self) -> None:
        if not self._rich:
            return
        if self._running and self._status is None:
            from rich.console import Console
            from rich.markup import escape

            self._escape = escape
            self._status = Console(stderr=True).status("")
            self._status.start()
        if self._status is not None:
            self._status.update(self._escape(", ".join(self._running.values())))

    def close(self) -> None:
        """Take what is shown as running off the terminal."""
        with self._lock:
            if self._status is not None:
                self._status.stop()
                self._status = None


class Step:
    """See :meth:`Progress.step`."""

    def __init__(self, progress: Progress, text: str) -> None:
        self._progress = progress
        self._text = text

    def __enter__(self) -> None:
        self._start = time.monotonic()
        self._number = self._progress._begin(self._text)

    def __exit__(self, kind: object, *_: object) -> None:
        seconds = time.monotonic() - self._start
        end = "stopped" if kind is not None else f"{seconds:.1f} s"
        self._progress._end(self._number, f"pynq: {self._text} ... {end}")
