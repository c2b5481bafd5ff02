"""Who waits for an interrupt: threads that block, tasks of event loops, and the tasks that wait for lines."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Protocol

from pynq.errors import DeadlockError, WaitTimeoutError

__all__ = ["Delivery", "Pump", "Sleeper", "Source", "TaskWaiter", "Waiter", "end"]


class Source(Protocol):
    """What is waited for; a :class:`~pynq.interrupt_stations.Pin`."""

    edge: bool
    kept: bool
    waiters: list[Waiter]

    def check_cleared(self) -> None: ...

    def unmask(self) -> None: ...

    def remask(self) -> None: ...

    def came(self) -> bool: ...

    def fire(self) -> None: ...

    def give_back(self) -> None: ...

    def hopeful(self) -> bool: ...

    def dead(self, reason: DeadlockError) -> DeadlockError: ...

    def timed_out(self, timeout: float | None) -> WaitTimeoutError: ...


async def end(task: asyncio.Task[None] | None) -> None:
    """Let a cancelled task come to its end, so that its loop may be closed next."""
    if task is not None:
        await asyncio.wait([task])


class Delivery:
    """One interrupt on its way to those that waited for it."""

    __slots__ = ("receivers", "taken")

    def __init__(self, receivers: int) -> None:
        self.receivers = receivers
        self.taken = False


class Waiter:
    """Somebody who waits on a pin. ``loop`` is None for a thread that blocks."""

    loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, pin: Source) -> None:
        self.pin = pin
        self.thread = threading.get_ident()
        self.delivery: Delivery | None = None

    def wake(self) -> None:
        """Tell it that :attr:`delivery` is there (or that it may lead)."""
        raise NotImplementedError

    def fail(self, error: BaseException) -> None:
        """End its wait with an error."""
        raise NotImplementedError


class Sleeper(Waiter):
    def __init__(self, pin: Source) -> None:
        super().__init__(pin)
        self.event = threading.Event()
        self.error: BaseException | None = None
        self.taken = False

    def wake(self) -> None:
        self.event.set()

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.event.set()


class TaskWaiter(Waiter):
    loop: asyncio.AbstractEventLoop

    def __init__(self, pin: Source, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(pin)
        self.loop = loop
        self.future: asyncio.Future[bool] = loop.create_future()

    def wake(self) -> None:
        self._call(self._finish)

    def expire(self) -> None:
        """End the wait without an interrupt, unless one is on its way. Called in the loop."""
        if not self.future.done() and self.delivery is None:
            self.future.set_result(False)

    def fail(self, error: BaseException) -> None:
        self._call(self._fail, error)

    def _finish(self) -> None:
        if not self.future.done():
            self.future.set_result(True)

    def _fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    def _call(self, function: Callable[..., None], *args: object) -> None:
        if self.thread == threading.get_ident():
            function(*args)
            return
        # A loop that was closed with this wait in it has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function, *args)


class Pump:
    """The task of one event loop that waits for a line."""

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
        self.loop = loop
        self.thread = threading.get_ident()
        self.task = task

    def stop(self) -> None:
        if self.thread == threading.get_ident():
            self.task.cancel()
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, so the task has ended
            self.loop.call_soon_threadsafe(self.task.cancel)
