"""Interrupts read from a file, with waits that end at the same moment."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from pynq.backends.pcie.events import EventLine


class FakeEvents:
    """``/dev/xdma0_events_0``."""

    name = "/dev/xdma0_events_0"

    def __init__(self) -> None:
        self._fired = threading.Semaphore(0)

    def fire(self) -> None:
        self._fired.release()

    def ready(self, timeout: float) -> bool:
        if not self._fired.acquire(timeout=timeout):
            return False
        self._fired.release()
        return True

    def read(self, count: int) -> bytes:
        self._fired.acquire()
        return bytes(count)

    def close(self) -> None:
        pass


def test_an_interrupt_of_a_wait_that_was_just_cancelled_is_the_next_ones() -> None:
    file: Any = FakeEvents()
    line = EventLine(file)

    async def main() -> None:
        first, second = (asyncio.create_task(line.wait_async()) for _ in range(2))
        await asyncio.sleep(0)
        line.enable()
        first.cancel()
        file.fire()
        time.sleep(0.3)
        await asyncio.wait_for(second, 30)

    try:
        asyncio.run(main())
    finally:
        line.close("the test is over")
