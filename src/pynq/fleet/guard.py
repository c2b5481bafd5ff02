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
    """One call under guard.

    It ends by itself or is stopped, whichever takes its one token. No lock: Python 3.14 lets an exception
    from outside in between taking a lock and entering its ``with`` block, which would leave it locked.
    """

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
        self._token = [None]
        self._sent = False  # the exception is on its way, or has been raised already

    def _take(self) -> bool:
        """Whether the token was still there; ``list.pop`` is one step for all threads."""
        try:
            self._token.pop()
        except IndexError:
            return False
        return True

    def halt(self, reason: str) -> str | None:
        """Raise :class:`Stopped` in the call; return where it was, or None if it had ended or was stopped."""
        if not self._take():
            return None
        try:
            frame = sys._current_frames().get(self.thread)
            stack = "" if frame is None else "".join(traceback.format_stack(frame))
            self.fired = reason
            _raise_in(self.thread, Stopped)
        finally:
            self._sent = True
        return stack

    def end(self) -> None:
        """The call has ended: when this has returned, or raised :class:`Stopped`, nothing more arrives."""
        if self._take():
            return
        while not self._sent:
            time.sleep(0.001)
        _raise_in(self.thread, None)


class Guard:
    """Runs one call at a time, and stops it where it takes too long or where :meth:`abort` says so."""

    def __init__(self) -> None:
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
                self._now = watched
                return call()
            finally:
                watched.end()  # the exception from outside may arrive even in here
        finally:
            self._now = None
            faulthandler.cancel_dump_traceback_later()
            if watched.fired:
                raise Stopped(watched.fired)

    def abort(self, owner: str, reason: str) -> None:
        """Stop the call that runs now, if it is one of that owner's."""
        watched = self._now
        if watched is None or watched.owner != owner or watched.halt(reason) is None:
            return
        # Not here: the caller is the thread that answers the scheduler, and this may wait for a lock.
        threading.Thread(target=watched.stop, name="pynq-fleet-stop", daemon=True).start()

    def _loop(self) -> None:
        while True:
            time.sleep(_TICK)
            watched = self._now
            if watched is None or watched.deadline is None or time.monotonic() < watched.deadline:
                continue
            stack = watched.halt(watched.late)
            if stack is not None:
                watched.over(stack)
                watched.stop()


def _raise_in(thread: int, kind: type[BaseException] | None) -> None:
    """Raise an exception in another thread, at its next Python instruction; None takes one back."""
    what = None if kind is None else ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)
