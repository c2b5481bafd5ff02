"""The accelerator three ways: numpy, Python model and RTL on the same vectors, and on the same memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from example_ways import WAYS, board, check_access, check_reset_values, is_rtl, poke, reference

import pynq

REF = reference("vector_add")
MASTER = "vector_add_0/m_axi_gmem"


@pytest.fixture(scope="module", params=WAYS)
def shared(request: pytest.FixtureRequest) -> Iterator[Any]:
    with board("vector_add", request.param) as made:
        assert is_rtl(made.device, "vector_add_0") == (request.param == "rtl")
        yield made


@pytest.fixture(params=WAYS)
def fresh(request: pytest.FixtureRequest) -> Iterator[Any]:
    with board("vector_add", request.param) as made:
        yield made


def quiet(overlay: Any) -> Any:
    """The kernel, without what its driver sets."""
    overlay.vector_add_0.write(0x04, 0)
    overlay.vector_add_0.write(0x08, 0)
    return overlay.vector_add_0


def add_in_memory(overlay: Any, n: int, a: int, b: int, c: int, seed: int = 0) -> None:
    """Add two vectors that lie anywhere in a buffer (byte offsets); compare the whole of it."""
    adder = overlay.vector_add_0
    words = max(a, b, c) // 4 + n + 16
    with pynq.allocate(words, "u4", target=overlay.device) as memory:
        memory[:] = np.random.default_rng(seed).integers(0, 2**32, words, dtype=np.uint32)
        expected = np.array(memory)
        left, right = (expected[at // 4 :][:n].copy() for at in (a, b))
        expected[c // 4 :][:n] = REF.add(left, right)
        memory.flush()
        for offset, at in ((0x10, a), (0x1C, b), (0x28, c)):
            adder.write(offset, (memory.physical_address + at) & 0xFFFFFFFF)
            adder.write(offset + 4, (memory.physical_address + at) >> 32)
        adder.write(0x34, n)
        adder.write(0x00, 1)
        adder.mmio.wait_until(0, 0b10, 0b10, timeout=10)
        adder.write(0x0C, adder.read(0x0C))
        memory.invalidate()
        wrong = np.flatnonzero(memory != expected)
        assert not wrong.size, (n, a, b, c, wrong[:10])


def test_reset_values(fresh: Any) -> None:
    check_reset_values(quiet(fresh), REF.REGISTERS)


def test_access(fresh: Any) -> None:
    table = [row for row in REF.REGISTERS if row[0] != "IP_ISR"]
    check_access(quiet(fresh), table)


def test_status_bits_toggle(fresh: Any) -> None:
    adder = quiet(fresh)
    for written, expected in ((3, 3), (1, 2), (2, 0), (0xFFFFFFFC, 0)):
        adder.write(0x0C, written)
        assert adder.read(0x0C) == expected


def test_registers_behave_the_same() -> None:
    seen = []
    for way in WAYS:
        with board("vector_add", way) as overlay:
            masks = {name: 0xFFFFFFFF for name, *_ in REF.REGISTERS} | {"CTRL": 0xFFFFFFFE}
            seen.append(poke(quiet(overlay), REF.REGISTERS, masks, seed=5))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("n", REF.SIZES)
def test_sizes_and_alignments(shared: Any, n: int) -> None:
    """Every alignment of the three vectors to a beat of 8 bytes."""
    for offsets in range(8):
        a, b, c = (4 * (offsets >> bit & 1) for bit in range(3))
        add_in_memory(shared, n, a, 0x4000 + b, 0x8000 + c, seed=n)


def test_around_4_kib(shared: Any) -> None:
    for before in range(0, 24, 4):
        add_in_memory(shared, 13, 0x1000 - before, 0x3000 - 2 * before, 0x5000 - before)
        add_in_memory(shared, 1030, 0x1000 - before, 0x3000 - before, 0x5000 - before)


def test_in_place(shared: Any) -> None:
    add_in_memory(shared, 701, 0x100, 0x2000, 0x100)
    add_in_memory(shared, 701, 0x104, 0x2000, 0x2000)
    add_in_memory(shared, 700, 0x204, 0x204, 0x204)


@pytest.mark.parametrize("latency", [1, 40, 300])
def test_slow_memory_changes_nothing(fresh: Any, latency: int) -> None:
    fresh.device.inject(MASTER, latency=latency)
    for n in (1, 2, 300, 1025):
        add_in_memory(fresh, n, 4, 0x4000, 0x8004, seed=latency)


def test_arrays(shared: Any) -> None:
    random = np.random.default_rng(2)
    a, b = (random.integers(-(2**31), 2**31, 5000, dtype=np.int32) for _ in "ab")
    result = shared.vector_add_0.add(a, b)
    assert result.dtype == np.int32
    assert np.array_equal(result.view("u4"), REF.add(a.view("u4"), b.view("u4")))


def test_control(fresh: Any) -> None:
    adder = quiet(fresh)
    assert adder.read(0) == 0b0100
    add_in_memory(fresh, 10, 0, 0x100, 0x200)
    assert adder.read(0) == 0b0100  # the read that saw AP_DONE cleared it, and AP_READY
    adder.write(0x34, 0)
    adder.write(0x00, 1)
    fresh.device.run(cycles=200)
    assert adder.read(0) == 0b1110
    assert adder.read(0) == 0b0100


def test_a_zero_stops_nothing(fresh: Any) -> None:
    adder = quiet(fresh)
    with pynq.allocate(30_000, "u4", target=fresh.device) as memory:
        for offset in (0x10, 0x1C, 0x28):
            adder.write(offset, memory.physical_address & 0xFFFFFFFF)
            adder.write(offset + 4, memory.physical_address >> 32)
        memory[:] = 1
        adder.write(0x34, memory.size)
        adder.write(0x00, 1)
        adder.write(0x00, 0)
        assert adder.read(0) & 0b0001
        adder.mmio.wait_until(0, 0b10, 0b10, timeout=10)
        assert np.all(memory == 2)


def test_interrupts(fresh: Any) -> None:
    adder = fresh.vector_add_0

    async def runs() -> None:
        with (
            pynq.allocate(64, "i4", target=fresh.device) as a,
            pynq.allocate(64, "i4", target=fresh.device) as b,
            pynq.allocate(64, "i4", target=fresh.device) as c,
        ):
            b[:] = 1
            for first in (0, 100, 200):
                a[:] = np.arange(first, first + 64)
                adder.start(a, b, c)
                await adder.finished()
                assert np.array_equal(c, a + 1)
                assert adder.read(0x0C) == 0

    asyncio.run(runs())


@pytest.mark.parametrize("enabled", [0, 1, 2, 3])
def test_status_needs_its_enable(fresh: Any, enabled: int) -> None:
    adder = quiet(fresh)
    adder.write(0x08, enabled)
    adder.write(0x34, 0)
    adder.write(0x00, 1)
    adder.mmio.wait_until(0, 0b10, 0b10, timeout=10)
    assert adder.read(0x0C) == enabled


def test_auto_restart(fresh: Any) -> None:
    adder = quiet(fresh)
    with pynq.allocate(64, "u4", target=fresh.device) as memory:
        for offset in (0x10, 0x1C, 0x28):
            adder.write(offset, memory.physical_address & 0xFFFFFFFF)
            adder.write(offset + 4, memory.physical_address >> 32)
        memory[:] = 1
        adder.write(0x34, 1)
        adder.write(0x00, 0x81)
        for _ in range(3):
            adder.mmio.wait_until(0, 0b10, 0b10, timeout=10)
        adder.write(0x00, 0)
        fresh.device.run(cycles=1000)
        assert adder.read(0) & 0b10000101 == 0b100
        assert memory[0].bit_count() == 1 if hasattr(memory[0], "bit_count") else True
        assert memory[0] != 1


@pytest.mark.parametrize("way", WAYS)
def test_the_same_run_twice(way: str) -> None:
    runs = []
    for _ in range(2):
        with board("vector_add", way, seed=9) as overlay:
            overlay.device.trace("hash")
            overlay.device.inject(MASTER, latency=11)
            add_in_memory(overlay, 500, 4, 0x1000, 0x2004)
            runs.append((overlay.device.now, overlay.device.trace_hash))
    assert runs[0] == runs[1]
