"""A verilated AXI slave: registers in every order of handshakes, memory with bursts, errors, reset."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynq.backends.sim._engine import Engine, Rtl
from pynq.errors import BusError, DesignError

from .boards import DmaBoard
from .rtl_axi_board import RtlBoard, library

REGS, MEM = 0x4000_0000, 0x5000_0000


class RegsBoard(RtlBoard):
    """Sixteen registers in RTL, seen by the PS; ``order`` is who is taken first of address and data."""

    def __init__(self, engine: Engine, *, bits: int = 32, order: int = 0, delay: int = 0) -> None:
        super().__init__(engine)
        self.regs = self.add("regs_0", "axi_regs", slave="AXI4LITE", DATA=bits, span=0x100)
        self.ps.map(REGS, REGS + 0xFFF, self.regs)
        engine.elaborate()
        self.drive("regs_0/order", order)
        self.drive("regs_0/delay", delay)
        self.reset()


class MemBoard(RtlBoard):
    """Memory in RTL behind AXI4 (or AXI3), seen by the PS and by a Python model's master."""

    def __init__(
        self, engine: Engine, *, bits: int = 32, noise: int = 0, protocol: str = "AXI4", span: int = 1 << 16
    ) -> None:
        super().__init__(engine)
        length = 4 if protocol == "AXI3" else 8
        self.mem = self.add(
            "mem_0", "axi_mem", slave=protocol, span=span, DATA=bits, NOISE=noise, LENGTH=length
        )
        self.ps.map(MEM, MEM + 0xFFFF, self.mem)
        self.space = engine.space("mover/m")
        self.space.map(MEM, MEM + 0xFFFF, self.mem)
        self.mover = engine.host("mover", self.clock)
        self.mover.add_master("m", width=8, latency=1)
        self.mover.space("m", self.space)
        engine.elaborate()
        self.reset()

    def write(self, address: int, data: bytes) -> str:
        got: list[str] = []
        self.mover.write_memory("m", address, data, got.append)
        assert self.engine.run_until(lambda: bool(got)) == "hit", self.engine.explain()
        return got[0]

    def read(self, address: int, nbytes: int) -> bytes | str:
        got: list[bytes | str] = []
        self.mover.read_memory(
            "m", address, nbytes, lambda data, error: got.append(error if data is None else data.tobytes())
        )
        assert self.engine.run_until(lambda: bool(got)) == "hit", self.engine.explain()
        return got[0]


accesses = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(0, 13 * 4 - 1),
        st.sampled_from([1, 2, 4, 8]),
        st.integers(0, 2**64 - 1),
    ),
    max_size=40,
)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", range(5))
@settings(deadline=None, max_examples=12)
@given(wanted=accesses, delay=st.sampled_from([0, 3]), stalled=st.booleans())
def test_registers_in_every_order(
    bits: int, order: int, wanted: list[tuple[bool, int, int, int]], delay: int, stalled: bool
) -> None:
    engine = Engine(5)
    board = RegsBoard(engine, bits=bits, order=order, delay=delay)
    if stalled:
        board.regs.stall("s_axi", 0.5, 4)
    model = bytearray(14 * bits // 8)
    for write, place, width, value in wanted:
        place -= place % width
        if write:
            value %= 1 << 8 * width
            engine.write(REGS + place, value, width)
            model[place : place + width] = value.to_bytes(width, "little")
        else:
            assert engine.read(REGS + place, width) == int.from_bytes(model[place : place + width], "little")
    assert not engine.explain("regs_0")
    engine.close()


def test_one_write_is_one_write(engine: Engine) -> None:
    board = RegsBoard(engine)
    for i in range(5):
        engine.write(REGS + 4 * i, i)
    assert board.get("regs_0/writes") == 5


def test_what_an_access_costs(engine: Engine) -> None:
    """Registers that are ready at once: a cycle for the address, one for the module, one for the data."""
    board = RegsBoard(engine, order=4)
    engine.access_cycles = 0
    start = board.clock.cycles
    engine.read(REGS)
    assert board.clock.cycles - start <= 4
    start = board.clock.cycles
    engine.write(REGS, 1)
    assert board.clock.cycles - start <= 4


@pytest.mark.parametrize(("row", "word"), [(14, "SLVERR"), (15, "DECERR")])
def test_errors_of_the_module(engine: Engine, row: int, word: str) -> None:
    RegsBoard(engine)
    with pytest.raises(BusError, match=f"{word} at 0x400000{4 * row:02x}"):
        engine.read(REGS + 4 * row)
    with pytest.raises(BusError, match=f"{word} at 0x400000{4 * row:02x}"):
        engine.write(REGS + 4 * row, 1)
    assert engine.read(REGS) == 0


def test_beyond_the_range(engine: Engine) -> None:
    """The engine answers by itself: the module would take the address for another one."""
    board = RegsBoard(engine)
    with pytest.raises(BusError, match="SLVERR at 0x40000100"):
        engine.write(REGS + 0x100, 1)
    assert board.get("regs_0/writes") == 0


def test_in_reset(engine: Engine) -> None:
    board = RegsBoard(engine)
    engine.write(REGS, 5)
    board.reset_net.drive(0)
    board.cycles(3)
    with pytest.raises(BusError, match="reset"):
        engine.read(REGS)
    board.reset_net.drive(1)
    assert engine.read(REGS) == 0


@pytest.mark.parametrize("bits", [32, 64, 128, 512])
@settings(deadline=None, max_examples=12)
@given(
    blocks=st.lists(st.tuples(st.booleans(), st.integers(0, 0xC000), st.integers(1, 5000)), max_size=8),
    noise=st.sampled_from([0, 1, 2]),
    stalled=st.booleans(),
)
def test_blocks_become_bursts(
    bits: int, blocks: list[tuple[bool, int, int]], noise: int, stalled: bool
) -> None:
    engine = Engine(2)
    board = MemBoard(engine, bits=bits, noise=noise)
    if stalled:
        board.mem.stall("s_axi", 0.3, 5)
    model = bytearray(1 << 16)
    random = np.random.default_rng(len(blocks))
    for write, at, size in blocks:
        if write:
            data = random.bytes(size)
            model[at : at + size] = data
            assert board.write(MEM + at, data) == ""
        else:
            assert board.read(MEM + at, size) == bytes(model[at : at + size])
    assert board.read(MEM, 0xFF00) == bytes(model[:0xFF00])
    assert not board.get("mem_0/crossings")
    engine.close()


def test_bursts_are_as_long_as_they_may(engine: Engine) -> None:
    board = MemBoard(engine, bits=32)
    assert board.write(MEM + 0x800, bytes(0x1000)) == ""
    # 2 KiB up to the page's end, and 2 KiB after it: 512 beats each.
    assert (board.get("mem_0/bursts"), board.get("mem_0/longest")) == (4, 256)


def test_bursts_of_axi3(engine: Engine) -> None:
    board = MemBoard(engine, bits=32, protocol="AXI3")
    data = np.random.default_rng(1).bytes(1000)
    assert board.write(MEM + 0x124, data) == ""
    assert board.read(MEM + 0x124, 1000) == data
    assert board.get("mem_0/longest") == 16
    assert board.get("mem_0/bursts") == 2 * -(-1000 // 64)


@pytest.mark.parametrize("bits", [32, 64, 512])
def test_single_accesses_to_memory(engine: Engine, bits: int) -> None:
    """Narrow ones go to their lanes of a wide bus, in a size of their own."""
    board = MemBoard(engine, bits=bits)
    model = bytearray(256)
    random = np.random.default_rng(bits)
    for _ in range(200):
        width = int(random.choice([1, 2, 4, 8]))
        at = int(random.integers(0, 256 // width)) * width
        value = int.from_bytes(random.bytes(width), "little")
        engine.write(MEM + at, value, width)
        model[at : at + width] = value.to_bytes(width, "little")
        at = int(random.integers(0, 256 // width)) * width
        assert engine.read(MEM + at, width) == int.from_bytes(model[at : at + width], "little")
    assert board.read(MEM, 256) == bytes(model)


def test_errors_in_a_burst(engine: Engine) -> None:
    board = MemBoard(engine)
    assert "SLVERR at 0x5000f" in str(board.read(MEM + 0xFF80, 0x80))
    assert "SLVERR at 0x5000f" in board.write(MEM + 0xFF80, bytes(0x80))
    assert board.read(MEM + 0xFF80, 0x7C) == bytes(0x7C)
    assert engine.statistics()["mover/m"]["errors"] == 2


def test_a_block_beyond_the_range(engine: Engine) -> None:
    board = MemBoard(engine, span=0x1000)
    assert "SLVERR at 0x50001000" in board.write(MEM + 0xFF0, bytes(range(32)))
    assert board.read(MEM + 0xFF0, 16) == bytes(range(16))


def test_dma_through_memory_in_rtl(engine: Engine) -> None:
    board = DmaBoard(engine)
    back = engine.link("loop", 8, depth=16)
    fifo_in = engine.fifo("fifo", board.clock, depth=64)
    out = engine.link("out", 8, depth=16)
    board.dma.stream("M_AXIS_MM2S", out)
    fifo_in.stream("S_AXIS", out)
    fifo_in.stream("M_AXIS", back)
    board.dma.stream("S_AXIS_S2MM", back)
    mem: Rtl = engine.rtl("mem_0", board.clock, str(library("axi_mem", DATA=64).path))
    mem.add_clock("clk", board.clock)
    mem.add_reset("rst_n", active_low=True)
    ports = {p: b for p, _, b in mem.module_ports()}
    mem.add_slave(
        "s_axi",
        "AXI4",
        {p.removeprefix("s_axi_").upper(): p for p in ports if p.startswith("s_axi_")},
        clock="clk",
        reset="rst_n",
        range=1 << 16,
    )
    longest = engine.net("longest", 9)
    mem.add_pin("longest")
    mem.wire("longest", longest)
    mem.begin()
    for space in board.spaces.values():
        space.map(MEM, MEM + 0xFFFF, mem)
    engine.elaborate()
    mem.reset()
    data = np.random.default_rng(1).bytes(8192)
    board.ddr.write(0, data)
    board.start()
    board.receive(MEM + 0x1000, 8192)
    board.send(0, 8192)
    assert engine.run_until(board.nets["S2MM"]) == "hit", engine.explain()
    board.irqs["S2MM"].take()
    board.write(0x34, 1 << 12)
    board.receive(0x8000, 8192)
    board.send(MEM + 0x1000, 8192)
    assert engine.run_until(board.nets["S2MM"]) == "hit", engine.explain()
    assert board.ddr.read(0x8000, 8192) == data
    assert longest.value > 1


def test_reset_in_the_middle_of_a_burst(engine: Engine) -> None:
    board = MemBoard(engine, noise=2)
    # A model's master stores at the end of the time that its beats take: 256 cycles.
    for cycles in (257, 258, 262, 300, 700):
        got: list[str] = []
        board.mover.write_memory("m", MEM, bytes(2048), got.append)
        board.cycles(cycles)
        board.reset()
        assert engine.run_until(lambda got=got: bool(got)) == "hit"  # type: ignore[misc]
        assert "SLVERR" in got[0]
        assert board.write(MEM + 0x40, b"abcdefgh") == ""
        assert board.read(MEM + 0x40, 8) == b"abcdefgh"


def test_who_asked_may_be_reset(engine: Engine) -> None:
    """A transaction that the module has seen goes to its end, with nobody to take what comes."""
    board = MemBoard(engine, noise=2)
    board.mover.write_memory("m", MEM, b"\xff" * 2048)
    board.cycles(300)
    before = board.mem.state()["s_axi.writes"]
    board.mover.reset()
    assert before == 1
    for i in range(20):
        engine.write(MEM + 0x1000 + 4 * i, i)
    assert [engine.read(MEM + 0x1000 + 4 * i) for i in range(20)] == list(range(20))
    assert not board.get("mem_0/crossings")


def test_nothing_ever_answers(engine: Engine) -> None:
    board = RtlBoard(engine)
    bad = board.add("bad_0", "axi_bad_slave", slave="AXI4")
    board.ps.map(MEM, MEM + 0xFFF, bad)
    engine.elaborate()
    board.drive("bad_0/rule", 18)
    board.reset()
    with pytest.raises(BusError, match="bad_0"):
        engine.read(MEM)
    got: list[object] = []
    mover = engine.host("mover", board.clock)
    mover.add_master("m", width=8, latency=1)
    space = engine.space("mover/m")
    space.map(MEM, MEM + 0xFFF, bad)
    mover.space("m", space)
    mover.write_memory("m", MEM + 0x10, bytes(64), got.append)
    assert engine.run_until(lambda: bool(got)) == "quiet"
    assert "bad_0 s_axi waits for" in engine.explain("bad_0")
    assert "0 of 16 beats of the write of 16 beats of 4 bytes from 0x10 on" in engine.explain("bad_0")


def test_two_runs_are_equal(engines: Callable[..., Engine]) -> None:
    def run(seed: int) -> tuple[int, int]:
        engine = engines(seed)
        board = MemBoard(engine, noise=1)
        board.mem.stall("s_axi", 0.5, 7)
        engine.trace("hash")
        board.write(MEM + 3, bytes(range(200)))
        for i in range(10):
            engine.write(MEM + 0x1000 + 4 * i, i)
        board.read(MEM, 300)
        return board.clock.cycles, engine.trace_hash

    assert run(1) == run(1)
    assert run(1) != run(2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"WDATA": None}, "WDATA"),
        ({"AWREADY": None}, "AWREADY"),
        ({"BVALID": "s_axi_bresp"}, "BVALID"),
        ({"TDATA": "s_axi_awaddr"}, "TDATA"),
    ],
)
def test_wrong_pins(engine: Engine, change: dict[str, str | None], message: str) -> None:
    clock = engine.clock("clk", 100e6)
    module = engine.rtl("regs_0", clock, str(library("axi_regs", DATA=32).path))
    module.add_clock("clk", clock)
    pins: dict[str, str | None] = {
        port.removeprefix("s_axi_").upper(): port
        for port, _, _ in module.module_ports()
        if port.startswith("s_axi_")
    }
    pins.update(change)
    with pytest.raises(DesignError, match=message):
        module.add_slave(
            "s_axi", "AXI4LITE", {name: pin for name, pin in pins.items() if pin}, clock="clk", range=0
        )


def test_the_width_of_axi4_lite(engine: Engine) -> None:
    clock = engine.clock("clk", 100e6)
    module = engine.rtl("mem_0", clock, str(library("axi_mem", DATA=128, NOISE=0, LENGTH=8).path))
    module.add_clock("clk", clock)
    pins = {
        p.removeprefix("s_axi_").upper(): p for p, _, _ in module.module_ports() if p.startswith("s_axi_")
    }
    with pytest.raises(DesignError, match="128 bits; AXI4-Lite has 32 or 64"):
        module.add_slave("s_axi", "AXI4LITE", pins, clock="clk")
    module = engine.rtl("mem_1", clock, str(library("axi_mem", DATA=128, NOISE=0, LENGTH=8).path))
    module.add_clock("clk", clock)
    with pytest.raises(DesignError, match="AXI4LITE, AXI4 and AXI3 are possible"):
        module.add_slave("s_axi", "AXI5", pins, clock="clk")  # type: ignore[arg-type]
