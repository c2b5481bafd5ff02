"""Waiting for a register without an interrupt, with the same rules for all drivers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from pynq.errors import DeadlockError, WaitTimeoutError

__all__ = ["poll", "poll_async"]

# Seconds of device time between two calls of `check`: they grow with the wait, so an error is noticed after
# at most twice the time that it took to come.
_FIRST_SLICE, _LONGEST_SLICE = 1e-3, 4.0
_SLICE = 1e-3  # seconds of device time that a polling task takes at once, where it keeps nobody waiting
_LONGEST_PAUSE = 1e-3  # seconds of the host's clock between two reads of a polling task
_DOUBT = (
    0.1  # seconds of the host's clock after which a polling task asks the device whether it waits in vain
)
_LONGEST_DOUBT = 0.5  # seconds of device time of such a question, which begins with _SLICE

_polling: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, int] = weakref.WeakKeyDictionary()


def poll(
    mmio: Any,
    offset: int,
    mask: int,
    value: int,
    timeout: float | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Block, outside of the interpreter's lock, until ``register & mask == value``.

    ``check`` is called now and then to look for reasons to give up (errors of the IP); it raises. ``timeout``
    is in seconds of the device's time.

    Raises :class:`~pynq.errors.WaitTimeoutError`, and :class:`~pynq.errors.DeadlockError` when the device
    knows that nothing can change any more.
    """
    left = timeout
    step = _FIRST_SLICE
    while True:
        part = step if left is None else min(step, left)
        try:
            mmio.wait_until(offset, mask, value, part)
            return
        except WaitTimeoutError:
            if check is not None:
                check()
            if left is not None:
                left -= part
                if left <= 0:
                    raise
            step = min(2 * step, _LONGEST_SLICE)
        except DeadlockError:
            if check is not None:
                check()
            raise


async def poll_async(
    mmio: Any,
    offset: int,
    mask: int,
    value: int,
    timeout: float | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Do as :func:`poll` while other tasks go on. ``timeout`` is in seconds of the host's clock.

    :class:`~pynq.errors.DeadlockError` is raised at once when all other tasks of the loop are polling as well
    and no other thread lives; else, since those could still act, when the device has seen nothing of them for
    its ``patience`` and no task of the loop is asleep.
    """
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else time.monotonic() + timeout
    pause, step, doubt = 0.0, _SLICE, time.monotonic() + _DOUBT
    _polling[loop] = _polling.get(loop, 0) + 1
    try:
        while mmio.read(offset) & mask != value:
            if check is not None:
                check()
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeoutError(f"register 0x{offset:x} has not changed within {timeout} s")
            if _polling[loop] >= len(asyncio.all_tasks(loop)) and threading.active_count() == 1:
                try:
                    mmio.wait_until(offset, mask, value, _SLICE)
                    return
                except WaitTimeoutError:
                    pass  # going on; the loop gets its turn
                except DeadlockError:
                    if check is not None:
                        check()
                    raise
            elif time.monotonic() >= doubt:
                try:
                    await _in_thread(partial(mmio.wait_until, offset, mask, value, step))
                    return
                except WaitTimeoutError:
                    step = min(2 * step, _LONGEST_DOUBT)
                except DeadlockError:
                    if check is not None:
                        check()
                    if not _sleepers(loop):
                        raise
                    doubt = time.monotonic() + _DOUBT
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause + 2e-5)
    finally:
        _polling[loop] -= 1


def _sleepers(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether a task of the loop waits for a time; one that only polls does not.

    False where the loop doesn't tell.
    """
    scheduled: Any = getattr(loop, "_scheduled", ())
    soon = loop.time() + 2 * _LONGEST_PAUSE
    return any(not handle.cancelled() and handle.when() > soon for handle in scheduled)


async def _in_thread(work: Callable[[], object]) -> None:
    """Call ``work`` in a thread of its own, which ends with it: a pool's threads would stay for ever.

    A task that is cancelled does not wait for the thread, which ends by itself.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if over.done():
            return
        if error is None:
            over.set_result(None)
        else:
            over.set_exception(error)

    def run() -> None:
        failure: BaseException | None = None
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the task
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(tell, failure)

    threading.Thread(target=run, name="pynq wait", daemon=True).start()
    await over
