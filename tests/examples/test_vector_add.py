"""The accelerator: registers as an HLS kernel has them, results as numpy's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pynq

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "vector_add"


@pytest.fixture(scope="module")
def adder() -> Iterator[Any]:
    overlay = pynq.Overlay(str(FOLDER / "vector_add.bit"), rtl=False)  # in RTL: test_rtl_vector_add.py
    yield overlay.vector_add_0
    overlay.free()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 5000), seed=st.integers(0, 1000))
def test_sums(adder: Any, size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = (random.integers(-(2**31), 2**31, size, dtype=np.int32) for _ in "ab")
    assert np.array_equal(adder.add(a, b), a + b)


def test_control_register(adder: Any) -> None:
    control = adder.register_map.CTRL
    assert control.AP_IDLE
    adder.add(np.ones(4, np.int32), np.ones(4, np.int32))
    assert not adder.register_map.CTRL.AP_DONE  # was cleared by the read that saw it
    assert adder.register_map.CTRL.AP_IDLE


def test_interrupt(adder: Any) -> None:
    with pynq.allocate(64, "i4") as a, pynq.allocate(64, "i4") as b, pynq.allocate(64, "i4") as c:
        a[:], b[:] = range(64), 1

        async def run() -> None:
            adder.start(a, b, c)
            await adder.finished()

        for _ in range(3):
            c[:] = 0
            asyncio.run(run())
            assert np.array_equal(c, np.arange(64) + 1)


def test_sizes_must_agree(adder: Any) -> None:
    with (
        pynq.allocate(4, "i4") as a,
        pynq.allocate(5, "i4") as b,
        pytest.raises(ValueError, match="one size"),
    ):
        adder.start(a, b, b)
