"""Interrupts of a card that are read from a file: each read gives one, and blocks until it is there."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import threading
from collections import deque

from pynq.backends.kernel import Descriptor
from pynq.device.contract import InterruptLine
from pynq.errors import KernelError, OverlayNotLoadedError

__all__ = ["EventLine"]

_TICK = 0.05  # seconds between two looks at whether the line was closed


class EventLine(InterruptLine):
    """One interrupt of the XDMA driver, ``/dev/xdma0_events_3``.

    The driver latches what comes and has no mask. So the file is read only while the line is enabled, and an
    interrupt that came before fires at the next :meth:`enable`. A thread reads: ``poll`` tells nothing where
    the file is served by another program (FUSE).
    """

    def __init__(self, file: Descriptor) -> None:
        self._file = file
        self._changed = threading.Condition()
        self._armed = False
        self._latched = False
        self._fired = 0
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._thread: threading.Thread | None = None
        self._reason: BaseException | None = None

    def enable(self) -> None:
        """Unmask the line."""
        with self._changed:
            self._check()
            self._armed = True
            if self._latched:
                self._latched = False
                self._deliver()
            elif self._thread is None:
                name = f"pynq {self._file.name}"
                self._thread = threading.Thread(target=self._listen, name=name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def disable(self) -> None:
        """Mask the line."""
        with self._changed:
            self._armed = False

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the line fires; False: ``timeout`` seconds are over."""
        with self._changed:
            self._changed.wait_for(lambda: self._fired or self._reason, timeout)
            if self._fired:
                self._fired -= 1
                return True
            self._check()
            return False

    async def wait_async(self) -> None:
        """Wait in the running loop until the line fires."""
        loop = asyncio.get_running_loop()
        with self._changed:
            if self._fired:
                self._fired -= 1
                return
            self._check()
            entry = (loop, loop.create_future())
            self._waiting.append(entry)
        try:
            await entry[1]
        except asyncio.CancelledError:
            with self._changed:
                if entry in self._waiting:
                    self._waiting.remove(entry)
                if entry[1].done() and not entry[1].cancelled() and entry[1].exception() is None:
                    self._give()  # it had fired for this wait: the next one gets it
            raise

    def forget(self) -> None:
        """Drop an interrupt that the driver holds already. Only before the first :meth:`enable`."""
        try:
            if self._file.ready(0):
                self._file.read(4)
        except KernelError as error:
            if error.errno != errno.EAGAIN:
                raise

    def close(self, reason: str) -> None:
        """End every wait, and the thread."""
        self._end(OverlayNotLoadedError(reason))
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(4 * _TICK)
        self._file.close()

    def _check(self) -> None:
        if self._reason is not None:
            raise self._reason

    def _end(self, reason: BaseException) -> None:
        with self._changed:
            if self._reason is None:
                self._reason = reason
            for loop, future in self._waiting:
                with contextlib.suppress(RuntimeError):  # a loop that was closed has nobody left to tell
                    loop.call_soon_threadsafe(_fail, future, reason)
            self._waiting.clear()
            self._changed.notify_all()

    def _deliver(self) -> None:
        self._armed = False
        self._give()

    def _give(self) -> None:
        """Let an interrupt end one wait, or be kept for the next."""
        while self._waiting:
            loop, future = self._waiting.popleft()
            with contextlib.suppress(RuntimeError):  # a loop that was closed: the next wait gets it
                loop.call_soon_threadsafe(self._finish, future)
                return
        self._fired += 1
        self._changed.notify_all()

    def _finish(self, future: asyncio.Future[None]) -> None:
        if not future.done():
            future.set_result(None)
        elif self._reason is None:  # cancelled since it was chosen
            with self._changed:
                self._give()

    def _listen(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._armed or self._reason)
                if self._reason is not None:
                    return
            try:
                if not self._file.ready(_TICK):
                    continue
                self._file.read(4)
            except KernelError as error:
                if error.errno == errno.EAGAIN:  # the driver says so when a signal ended its wait
                    continue
                self._end(error)
                return
            with self._changed:
                if self._armed:
                    self._deliver()
                else:
                    self._latched = True


def _fail(future: asyncio.Future[None], reason: BaseException) -> None:
    if not future.done():
        future.set_exception(reason)
