"""A window that is aimed elsewhere while another thread waits in it."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from pynq._native import Window
from pynq.errors import WaitTimeoutError


def test_a_wait_goes_on_with_what_the_window_was_when_it_began() -> None:
    def memory(value: int) -> tuple[np.ndarray, Window]:
        words = np.full(16, value, "u4")
        return words, Window.from_memory(words, 0x4000_0000, name="registers")

    first, window = memory(0)
    begun, outcome = threading.Event(), []

    def wait() -> None:
        begun.set()
        outcome.append(window.wait_until(0, 1, 1, timeout=20.0))

    waiter = threading.Thread(target=wait)
    waiter.start()
    begun.wait(5)
    for value in range(200):  # each drops what the one before held
        window.__init__(memory(2 * value)[1])  # type: ignore[misc]
        gc.collect(0)
    assert waiter.is_alive()
    assert window.read(0) == 398
    first[0] = 1
    waiter.join(60)
    assert outcome == [1]


def test_a_wait_that_began_afterwards_looks_at_the_new_registers() -> None:
    window = Window.from_memory(np.zeros(4, "u4"), 0, name="old")
    window.__init__(Window.from_memory(np.ones(4, "u4"), 0, name="new"))  # type: ignore[misc]
    assert window.wait_until(4, 1, 1, timeout=30) == 1
    with pytest.raises(WaitTimeoutError, match="new"):
        window.wait_until(4, 2, 2, timeout=0.01)
