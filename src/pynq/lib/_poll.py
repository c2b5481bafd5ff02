"""Waiting for a register without an interrupt, with the same rules for all drivers."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from pynq.errors import DeadlockError, WaitTimeoutError

__all__ = ["poll", "poll_async"]

# Seconds of device time between two calls of `check`: they grow with the wait, so an error is noticed after
# at most twice the time that it took to come.
_FIRST_SLICE, _LONGEST_SLICE = 1e-3, 4.0
_SLICE = 1e-3  # seconds of device time that a polling task takes at once, where it keeps nobody waiting
_LONGEST_PAUSE = 1e-3  # seconds of the host's clock between two reads of a polling task

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

    :class:`~pynq.errors.DeadlockError` is raised when all other tasks of the loop are polling as well: others
    could still act.
    """
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = 0.0
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
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause + 2e-5)
    finally:
        _polling[loop] -= 1
