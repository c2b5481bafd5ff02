"""Memories, address decode, accesses of the PS, injected faults."""

from __future__ import annotations

import mmap
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq.backends.sim._engine import Engine
from pynq.errors import AccessError, AlignmentError, BusError, DesignError


def test_memory_is_a_memfd(engine: Engine) -> None:
    memory = engine.memory("ddr", 1 << 40)
    memory.write((1 << 40) - 4, b"\x01\x02\x03\x04")
    with mmap.mmap(memory.fd, 4096, offset=(1 << 40) - 4096) as view:
        assert view[-4:] == b"\x01\x02\x03\x04"
        view[-4:] = b"abcd"
    assert memory.read((1 << 40) - 4, 4) == b"abcd"
    assert os.fstat(memory.fd).st_blocks * 512 <= 8192, "sparse"
    memory.discard((1 << 40) - 8192, 8192)
    assert memory.read((1 << 40) - 4, 4) == bytes(4)


def test_memory_bounds(engine: Engine) -> None:
    memory = engine.memory("bram", 1000)
    with pytest.raises(AccessError, match="memory bram: offset 0x3e7 with 2 bytes leaves its 0x3e8 bytes"):
        memory.read(999, 2)
    with pytest.raises(AccessError):
        memory.write(2**64 - 1, b"ab")
    with pytest.raises(AccessError):
        memory.discard(1000, 1)
    with pytest.raises(DesignError):
        engine.memory("none", 0)
    with pytest.raises(DesignError, match="more than this machine can map"):
        engine.memory("huge", 2**63)


def test_overlaps(engine: Engine) -> None:
    space = engine.space("ps", ps=True)
    a, b = engine.memory("a", 0x1000), engine.memory("b", 0x10000)
    space.map(0x1000, 0x1FFF, a)
    space.map(0x1000, 0x1FFF, a)
    space.map(0x2000, 0x2FFF, b)
    for base, high in ((0x1FFF, 0x1FFF), (0x0, 0x1000), (0x0, 0x8000), (0x1000, 0x1FFF), (0x1800, 0x18FF)):
        with pytest.raises(DesignError, match=r"space ps: b at .* overlaps [ab] at "):
            space.map(base, high, b)
    with pytest.raises(DesignError, match="larger than memory a"):
        space.map(0x8000, 0x9000, a)
    with pytest.raises(DesignError, match="before its base"):
        space.map(0x8000, 0x7FFF, a)
    with pytest.raises(TypeError, match="Memory or a Component"):
        space.map(0x8000, 0x8FFF, "a")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match='the PS has the space "ps" already'):
        engine.space("other", ps=True)
    stranger = Engine().memory("c", 0x1000)
    with pytest.raises(DesignError, match="another engine"):
        space.map(0x8000, 0x8FFF, stranger)
    assert space.ranges() == [(0x1000, 0x1FFF, "a"), (0x2000, 0x2FFF, "b")]


def test_the_last_byte_of_64_bits(engine: Engine) -> None:
    space = engine.space("ps", ps=True)
    memory = engine.memory("top", 0x1000)
    space.map(2**64 - 0x1000, 2**64 - 1, memory)
    engine.write(2**64 - 8, 0x1122_3344_5566_7788, 8)
    assert memory.read(0xFF8, 8) == bytes.fromhex("8877665544332211")
    assert space.read(2**64 - 0x1000, 0x1000) == memory.read(0, 0x1000)


def test_bytes_across_ranges(engine: Engine) -> None:
    space = engine.space("m")
    a, b = engine.memory("a", 0x1000), engine.memory("b", 0x1000)
    space.map(0, 0xFFF, a)
    space.map(0x1000, 0x1FFF, b, offset=0)
    space.write(0xFFE, b"wxyz")
    assert a.read(0xFFE, 2) + b.read(0, 2) == b"wxyz"
    assert space.read(0xFFE, 4) == b"wxyz"
    with pytest.raises(
        BusError,
        match="m: DECERR at 0x2000: nothing answers at 0x2000; nearest: b 0x1000-0x1fff, a 0x0-0xfff",
    ):
        space.read(0x1FFE, 4)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 6)), min_size=1, max_size=12),
    st.lists(st.integers(0, 70), min_size=1, max_size=20),
)
def test_decode_is_that_of_a_table(ranges: list[tuple[int, int]], probes: list[int]) -> None:
    engine = Engine(access_cycles=0)
    try:
        space = engine.space("ps", ps=True)
        table: dict[int, int] = {}
        for number, (base, length) in enumerate(ranges):
            memory = engine.memory(f"m{number}", length * 8)
            memory.write(0, bytes([number + 1]) * (length * 8))
            cells = range(base, base + length)
            if any(cell in table for cell in cells):
                with pytest.raises(DesignError, match="overlaps"):
                    space.map(base * 8, (base + length) * 8 - 1, memory)
                continue
            space.map(base * 8, (base + length) * 8 - 1, memory)
            table.update(dict.fromkeys(cells, number + 1))
        for probe in probes:
            if probe in table:
                assert engine.read(probe * 8, 8) == int.from_bytes(bytes([table[probe]]) * 8, "little")
            else:
                with pytest.raises(BusError, match="DECERR"):
                    engine.read(probe * 8, 8)
    finally:
        engine.close()


def test_access_mistakes(engine: Engine) -> None:
    engine.space("ps", ps=True)
    with pytest.raises(AlignmentError, match="no multiple of 4"):
        engine.read(2)
    with pytest.raises(AccessError, match="3 bytes"):
        engine.read(0, 3)
    with pytest.raises(BusError, match="no range is mapped"):
        engine.read(0)
    with pytest.raises(BusError, match="no address space"):
        Engine().read(0)


def test_cost_of_an_access_doubles_while_nothing_changes(engine: Engine) -> None:
    host = engine.host("ip", engine.clock("clk", 50e6))
    host.add_slave()
    host.add_register(0)
    host.add_register(4)
    engine.space("ps", ps=True).map(0, 0xFFF, host)

    def cost(offset: int) -> int:
        before = engine.now
        engine.read(offset)
        return (engine.now - before) // 20_000

    assert [cost(0) for _ in range(10)] == [16, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]
    host.set(0, 1)
    assert [cost(0), cost(0), cost(0)] == [1024, 16, 32], "the change is seen once the long access is over"
    assert [cost(4), cost(0)] == [16, 16]
    engine.write(0, 5)
    assert [cost(0)] == [16]
    engine.access_cycles = 0
    assert [cost(4), cost(4), cost(4)] == [0, 0, 0]


def test_injected_faults(engine: Engine) -> None:
    host = engine.host("ip", engine.clock("clk", 100e6))
    host.add_slave()
    engine.space("ps", ps=True).map(0, 0xFFF, host)
    engine.inject("ip", response="SLVERR", base=0x10, high=0x13, count=2)
    assert engine.read(0) == 0
    for _ in range(2):
        with pytest.raises(BusError, match=r"ps: SLVERR at 0x10 \(ip \+ 0x10\)"):
            engine.read(0x10)
    assert engine.read(0x10) == 0
    before = engine.now
    engine.inject("ip", latency=1000)
    engine.write(0, 1)
    assert engine.now - before == 1016 * 10_000
    engine.clear_injections()
    engine.inject("ps", response="DECERR", probability=0.5)
    failed = 0
    for _ in range(200):
        try:
            engine.read(0)
        except BusError:
            failed += 1
    assert 70 < failed < 130
    assert engine.statistics()["ps"]["errors"] == failed + 2
    with pytest.raises(KeyError, match="no component and no space"):
        engine.inject("nope")
    with pytest.raises(ValueError, match="SLVERR"):
        engine.inject("ip", response="OKAY")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="between 0 and 1"):
        engine.inject("ip", probability=2)
