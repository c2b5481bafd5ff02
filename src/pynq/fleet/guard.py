"""The time limit of the case that runs in this process.

A case over its limit is stopped in three steps. First it gets an exception at its next Python instruction,
and its device is closed, which ends every wait in the engine. A case that sleeps, or sits in foreign native
code, is beyond the reach of both: after the grace the whole process ends, by a timer in C that needs no
interpreter lock.
"""

from __future__ import annotations

import ctypes
import faulthandler
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Guard", "Stopped"]

T = TypeVar("T")

_TICK = 0.05  # seconds between two looks at the clock


class Stopped(BaseException):
    """Raised in a case from outside. No ``Exception``: a case that catches those must not swallow it."""


class _Watched:
    """One call under guard."""

    def __init__(
        self, owner: str, seconds: float | None, over: Callable[[str], None], stop: Callable[[], None]
    ) -> None:
        self.owner = owner
        self.thread = threading.get_ident()
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.late = "" if seconds is None else f"over its time limit of {seconds:g} s"
        self.over = over
        self.stop = stop
        self.fired = ""  # why it was stopped


class Guard:
    """Runs one call at a time, and stops it where it takes too long or where :meth:`abort` says so."""

    def __init__(self) -> None:
        # A plain lock, taken by nothing but ``with``: the interpreter lets no exception from outside in
        # between taking such a lock and entering the block, so it can't be left locked. A Condition has that
        # gap.
        self._lock = threading.Lock()
        self._now: _Watched | None = None
        self._thread: threading.Thread | None = None

    def run(
        self,
        call: Callable[[], T],
        *,
        owner: str,
        seconds: float | None,
        grace: float,
        over: Callable[[str], None],
        stop: Callable[[], None],
    ) -> T:
        """Call ``call`` and return what it returns; let through what it raises.

        ``seconds``: its limit, None for none. When that is over, ``over(stack)`` is told where the call was,
        and ``stop()`` ends what it may wait for; both run in another thread. ``grace`` seconds later the
        process ends. Raises :class:`Stopped` for a call that was stopped, whatever it did about it.
        """
        watched = _Watched(owner, seconds, over, stop)
        if seconds is not None:
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="pynq-fleet-guard", daemon=True)
                self._thread.start()
            faulthandler.dump_traceback_later(seconds + grace, exit=True, file=sys.__stderr__ or 2)
        try:
            try:
                with self._lock:
                    self._now = watched
                return call()
            finally:
                # The exception from outside may arrive even in here. It is set under the lock, so after this
                # it has been raised, or never will be.
                with self._lock:
                    self._now = None
        finally:
            faulthandler.cancel_dump_traceback_later()
            if watched.fired:
                _raise_in(watched.thread, None)
                raise Stopped(watched.fired)

    def abort(self, owner: str, reason: str) -> None:
        """Stop the call that runs now, if it is one of that owner's."""
        with self._lock:
            watched = self._now
            if watched is None or watched.fired or watched.owner != owner:
                return
            watched.fired = reason
            _raise_in(watched.thread, Stopped)
        # Not here: the caller is the thread that answers the scheduler, and this may wait for a lock.
        threading.Thread(target=watched.stop, name="pynq-fleet-stop", daemon=True).start()

    def _loop(self) -> None:
        while True:
            time.sleep(_TICK)
            with self._lock:
                watched = self._now
                if watched is None or watched.fired or watched.deadline is None:
                    continue
                if time.monotonic() < watched.deadline:
                    continue
                frame = sys._current_frames().get(watched.thread)
                stack = "" if frame is None else "".join(traceback.format_stack(frame))
                watched.fired = watched.late
                _raise_in(watched.thread, Stopped)
            watched.over(stack)
            watched.stop()


def _raise_in(thread: int, kind: type[BaseException] | None) -> None:
    """Raise an exception in another thread, at its next Python instruction; None takes one back."""
    what = None if kind is None else ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)
