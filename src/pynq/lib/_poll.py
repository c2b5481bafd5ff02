"""Waiting for a register without an interrupt, with the same rules for all drivers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from pynq.errors import DeadlockError, WaitTimeoutError

__all__ = ["poll", "poll_async"]

_PATIENCE = 2.0  # seconds; after the device has found that nothing goes on, somebody else may still act
_FIRST_SLICE, _LONGEST_SLICE = 1e-3, 0.1  # seconds of device time between two calls of `check`
_GLANCE = 1e-4  # seconds of device time that a polling task gives the device at once


def poll(
    mmio: Any,
    offset: int,
    mask: int,
    value: int,
    timeout: float | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Block, outside of the interpreter's lock, until ``register & mask == value``.

    ``check`` is called now and then to look for reasons (errors of the IP) to give up; it raises. ``timeout``
    is in seconds of the device's time.

    Raises :class:`~pynq.errors.WaitTimeoutError`, and :class:`~pynq.errors.DeadlockError` when the device
    knows that nothing can change and no other thread has changed that within two seconds.
    """
    left = timeout
    step = _FIRST_SLICE
    end: float | None = None
    while True:
        part = step if left is None else min(step, left)
        try:
            mmio.wait_until(offset, mask, value, part)
            return
        except WaitTimeoutError:
            if check is not None:
                check()
            end = None
            if left is not None:
                left -= part
                if left <= 0:
                    raise
            step = min(2 * step, _LONGEST_SLICE)
        except DeadlockError:
            if check is not None:
                check()
            end = time.monotonic() + _PATIENCE if end is None else end
            if threading.active_count() == 1 or time.monotonic() > end:
                raise
            time.sleep(1e-3)


async def poll_async(
    mmio: Any,
    offset: int,
    mask: int,
    value: int,
    timeout: float | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Do as :func:`poll` while other tasks go on. ``timeout`` is in seconds of the host's clock."""
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = 0.0
    end: float | None = None
    while True:
        try:
            mmio.wait_until(offset, mask, value, _GLANCE)
            return
        except WaitTimeoutError:
            end = None
            if check is not None:
                check()
            if deadline is not None and time.monotonic() >= deadline:
                raise
        except DeadlockError:
            if check is not None:
                check()
            end = time.monotonic() + _PATIENCE if end is None else end
            if time.monotonic() > end:
                raise
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeoutError(f"register 0x{offset:x} did not change within {timeout} s") from None
        await asyncio.sleep(pause)
        pause = min(1e-3, pause + 2e-5)
