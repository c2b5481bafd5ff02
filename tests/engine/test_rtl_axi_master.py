"""A verilated AXI master against DDR, registers and other RTL: it reads and writes what numpy says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pynq.backends.sim._engine import Engine

from .rtl_axi_bursts import FIXED, INCR, WRAP, Burst, BursterBoard, Bytes, bursts

READ_FROM, WRITE_TO = 0x0000, 0x8000  # 32 KiB each

settled = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def fill(board: BursterBoard, seed: int = 1) -> Bytes:
    memory = np.random.default_rng(seed).integers(0, 256, 1 << 16, dtype=np.uint8)
    board.ddr.write(0, memory.tobytes())
    return memory


def check(board: BursterBoard, memory: Bytes, commands: list[Burst]) -> None:
    """Compare memory and sums with the model, which does the commands one by one."""
    expected = memory.copy()
    for slot, command in enumerate(commands):
        if command.write:
            command.store(slot, board.lanes, expected)
    for slot, command in enumerate(commands):
        total, answer, count, _ = board.outcome(slot)
        assert answer == 0, command
        if not command.write:
            assert (total, count) == (command.sum(board.lanes, memory), command.beats), command
    found = np.frombuffer(board.ddr.read(0, 1 << 16), np.uint8)
    assert np.array_equal(found, expected), np.flatnonzero(found != expected)[:8]


def mixed(lanes: int, longest: int = 256) -> st.SearchStrategy[list[Burst]]:
    """Reads of one half of the memory, writes to the other, so that their order does not matter."""
    reads = bursts(lanes, READ_FROM, WRITE_TO, write=False, longest=longest)
    writes = bursts(lanes, WRITE_TO, 1 << 16, write=True, longest=longest)
    return st.lists(st.one_of(reads, writes), min_size=1, max_size=16)


@pytest.mark.parametrize("bits", [32, 64, 512])
@settled
@given(data=st.data(), order=st.integers(0, 2), seed=st.integers(0, 1000), stalled=st.booleans())
def test_random_bursts_to_memory(
    bits: int, data: st.DataObject, order: int, seed: int, stalled: bool
) -> None:
    commands = data.draw(mixed(bits // 8))
    engine = Engine(seed)
    board = BursterBoard(engine, bits=bits, latency=data.draw(st.sampled_from([1, 7])))
    board.ready()
    memory = fill(board)
    if stalled:
        board.burster.stall("m_axi", 0.4, 5)
    board.go(commands, order=order)
    check(board, memory, commands)
    engine.close()


@settled
@given(data=st.data(), order=st.integers(0, 2), stalled=st.booleans())
def test_random_bursts_of_axi3(data: st.DataObject, order: int, stalled: bool) -> None:
    commands = data.draw(mixed(8, longest=16))
    engine = Engine(3)
    board = BursterBoard(engine, protocol="AXI3")
    board.ready()
    memory = fill(board)
    if stalled:
        board.burster.stall("m_axi", 0.4, 5)
    board.go(commands, order=order)
    check(board, memory, commands)
    engine.close()


@pytest.mark.parametrize(
    "command",
    [
        Burst(False, 0x1000, 256, 3),
        Burst(False, 0x1003, 5, 3),
        Burst(False, 0x1005, 7, 1),
        Burst(False, 0x1038, 8, 3, WRAP),
        Burst(False, 0x1011, 16, 2, FIXED),
        Burst(True, 0x9000, 256, 3),
        Burst(True, 0x9003, 5, 3),
        Burst(True, 0x9005, 7, 1, sparse=True),
        Burst(True, 0x9038, 8, 3, WRAP),
        Burst(True, 0x9011, 16, 2, FIXED),
    ],
    ids=str,
)
def test_a_burst_of_each_kind(engine: Engine, command: Burst) -> None:
    board = BursterBoard(engine)
    board.ready()
    memory = fill(board)
    board.go([command])
    check(board, memory, [command])


def test_full_speed(engine: Engine) -> None:
    """Without latency to wait for, a beat a cycle in both directions."""
    board = BursterBoard(engine)
    board.ready()
    fill(board)
    commands = [Burst(bool(i % 2), 0x8000 * (i % 2) + 0x800 * (i // 2), 256, 3) for i in range(16)]
    start = board.clock.cycles
    board.go(commands)
    assert 8 * 256 <= board.clock.cycles - start - 2 * 16 <= 8 * 256 + 20


@pytest.mark.parametrize("latency", [1, 5, 30])
def test_latency(engine: Engine, latency: int) -> None:
    """From the address to the first beat of data, and from the last beat to the response."""
    board = BursterBoard(engine, latency=latency)
    board.ready()
    board.push([Burst(False, 0, 4, 3)])
    start = board.clock.cycles
    board.drive("burst_0/go", 1)
    assert engine.run_until(board.nets["burst_0/over"], mask=31, value=1) == "hit"
    # The address at the first edge, the last beat 3 after the first.
    assert board.clock.cycles - start == 1 + latency + 3


def test_injected_latency_and_errors(engine: Engine) -> None:
    board = BursterBoard(engine)
    board.ready()
    engine.inject("burst_0/m_axi", latency=100, base=0x2000, high=0x2FFF)
    engine.inject("burst_0/m_axi", response="SLVERR", base=0x3000, high=0x3FFF, count=1)
    start = board.clock.cycles
    board.go([Burst(False, 0x2000, 1, 3)])
    assert 100 < board.clock.cycles - start < 115
    assert board.outcome(0)[1] == 0
    board.again()
    board.go([Burst(False, 0x3000, 2, 3, id=1), Burst(False, 0x3000, 2, 3, id=2)])
    assert [board.outcome(slot)[1] for slot in (0, 1)] == [2, 0]
    assert board.outcome(0)[2] == 2, "all beats come in spite of the error (A3.4.4)"
    assert "injected" in engine.explain("burst_0")


def test_nothing_there(engine: Engine) -> None:
    board = BursterBoard(engine)
    board.ready()
    board.go([Burst(False, 0x4000_0000, 3, 3), Burst(True, 0x4000_0000, 3, 3, id=1)])
    assert [board.outcome(slot)[1:3] for slot in (0, 1)] == [(3, 3), (3, 0)]
    told = engine.explain("burst_0")
    assert "DECERR at 0x40000000: nothing answers at 0x40000000; nearest: ddr" in told
    assert engine.statistics()["burst_0/m_axi"]["errors"] == 2


def test_half_of_a_burst_there(engine: Engine) -> None:
    """What lies beyond the memory's end is refused, what lies before it is good."""
    board = BursterBoard(engine, memory=0x1800)
    board.ready()
    board.ddr.write(0x17F0, bytes(range(16)))
    board.go([Burst(False, 0x17F0, 4, 3)])
    assert board.outcome(0)[1:3] == (3, 4)
    total = 0
    for beat in range(4):
        folded = sum((beat * 8 + lane) * (lane + 1) for lane in range(8)) if beat < 2 else 0
        total = ((total << 5 | total >> 59) + folded) % (1 << 64)
    assert board.outcome(0)[0] == total


def test_no_space_at_all(engine: Engine) -> None:
    board = BursterBoard.__new__(BursterBoard)
    super(BursterBoard, board).__init__(engine)
    board.add("burst_0", "axi_burster", master="AXI4", skip=("WID",), DATA=64, LENGTH=8)
    board._push = 0
    board.ready()
    board.go([Burst(False, 0, 1, 3)])
    assert board.outcome(0)[1] == 3
    assert "sees no memory at all" in engine.explain("burst_0")


def test_exclusive_accesses_are_answered_okay(engine: Engine) -> None:
    """OKAY, not EXOKAY: exclusive access is not supported (A7.2.5)."""
    board = BursterBoard(engine)
    board.ready()
    memory = fill(board)
    commands = [Burst(False, 0x100, 2, 3, exclusive=True), Burst(True, 0x9000, 2, 3, id=1, exclusive=True)]
    board.go(commands)
    check(board, memory, commands)


def test_statistics(engine: Engine) -> None:
    board = BursterBoard(engine)
    board.ready()
    commands = [
        Burst(False, 0x103, 5, 3),
        Burst(True, 0x9000, 4, 2, sparse=True, id=1),
        Burst(False, 0x200, 1, 0),
    ]
    stored = commands[1].store(1, 8, np.zeros(1 << 16, np.uint8))
    board.go(commands)
    assert engine.statistics()["burst_0/m_axi"] == {
        "reads": 2,
        "writes": 1,
        "bytes_read": 5 * 8 - 3 + 1,
        "bytes_written": stored,
        "errors": 0,
    }


def test_written_when_the_response_is_there(engine: Engine) -> None:
    board = BursterBoard(engine, latency=10)
    board.ready()
    board.push([Burst(True, 0x9000, 4, 3)])
    board.drive("burst_0/go", 1)
    assert engine.run_until(board.nets["burst_0/over"], mask=31, value=1) == "hit"
    expected = np.zeros(1 << 16, np.uint8)
    Burst(True, 0x9000, 4, 3).store(0, 8, expected)
    assert engine.read(0x9000, 8) == int.from_bytes(expected[0x9000:0x9008].tobytes(), "little")


class WithSlaves(BursterBoard):
    """The master also reaches registers of a Python model at 0x100000 and an RTL memory at 0x200000."""

    REGISTERS, MEMORY = 0x10_0000, 0x20_0000

    def __init__(self, engine: Engine, *, width: int = 4, latency: int = 0, **options: Any) -> None:
        super().__init__(engine, **options)
        self.host = engine.host("regs_0", self.clock)
        self.host.add_slave(width=width, range=0x100, latency=latency)
        for offset in range(0, 0x80, width):
            self.host.add_register(offset, size=width, reset=offset * 0x0101)
        self.space.map(self.REGISTERS, self.REGISTERS + 0xFFF, self.host)
        self.mem = self.add("mem_0", "axi_mem", slave="AXI4", DATA=32, span=1 << 16, NOISE=1)
        self.space.map(self.MEMORY, self.MEMORY + 0xFFFF, self.mem)
        self.ps.map(self.MEMORY, self.MEMORY + 0xFFFF, self.mem)


@pytest.mark.parametrize("width", [4, 8])
@pytest.mark.parametrize("latency", [0, 9])
def test_registers_of_a_model(engine: Engine, width: int, latency: int) -> None:
    board = WithSlaves(engine, width=width, latency=latency)
    board.ready()
    base = board.REGISTERS
    registers = np.concatenate(
        [
            np.frombuffer((offset * 0x0101).to_bytes(width, "little"), np.uint8)
            for offset in range(0, 0x80, width)
        ]
    )
    writes = [
        Burst(True, base + 0x10, 2, 3),
        Burst(True, base + 0x23, 3, 1, sparse=True),
        Burst(True, base + 0x48, 4, 2, WRAP),
        Burst(True, base + 0x60, 3, 2, FIXED),
        Burst(True, base + 0x71, 1, 0),
    ]
    board.go(writes)
    for slot, command in enumerate(writes):
        command.store(slot, 8, registers, base)
        assert board.outcome(slot)[1] == 0
    found = b"".join(board.host.get(offset).to_bytes(width, "little") for offset in range(0, 0x80, width))
    assert found == registers.tobytes()
    board.again()
    reads = [
        Burst(False, base, 16, 3),
        Burst(False, base + 0x13, 5, 1),
        Burst(False, base + 0x48, 4, 2, WRAP),
        Burst(False, base + 0x60, 3, 2, FIXED),
    ]
    board.go(reads)
    for slot, command in enumerate(reads):
        assert board.outcome(slot)[:3] == (command.sum(8, registers, base), 0, command.beats), command


def test_beyond_the_range_of_a_model(engine: Engine) -> None:
    board = WithSlaves(engine)
    board.ready()
    board.go([Burst(False, board.REGISTERS + 0xF8, 2, 3)])
    assert board.outcome(0)[1:3] == (2, 2)
    assert "SLVERR at 0x100100 (regs_0 + 0x100)" in engine.explain("burst_0")


def test_a_slow_slave_holds_up_its_own_id_only(engine: Engine) -> None:
    board = WithSlaves(engine, latency=200)
    board.ready()
    slow = Burst(False, board.REGISTERS, 1, 2, id=5)
    board.go(
        [slow, Burst(False, 0, 1, 3, id=5), Burst(False, 0, 1, 3, id=6), Burst(True, 0x9000, 1, 3, id=5)]
    )
    ranks = [board.outcome(slot)[3] for slot in range(4)]
    assert sorted(ranks[2:]) == [0, 1], "another ID, and a write, overtake (A5.3)"
    assert ranks[:2] == [2, 3], "the same ID does not"


@settings(deadline=None, max_examples=15)
@given(data=st.data(), stalled=st.booleans())
def test_random_bursts_to_rtl(data: st.DataObject, stalled: bool) -> None:
    """RTL to RTL: one master, one slave, both verilated, both under random stalls."""
    base = WithSlaves.MEMORY
    writes = data.draw(st.lists(bursts(8, base, base + 0x8000, write=True), min_size=1, max_size=6))
    writes = [Burst(**{**vars(command), "id": 3}) for command in writes]
    reads = data.draw(st.lists(bursts(8, base, base + 0x8000, write=False), min_size=1, max_size=6))
    engine = Engine(1)
    board = WithSlaves(engine)
    board.ready()
    if stalled:
        board.burster.stall("m_axi", 0.3, 4)
        board.mem.stall("s_axi", 0.3, 4)
    memory = np.zeros(1 << 16, np.uint8)
    board.go(writes)
    for slot, command in enumerate(writes):
        command.store(slot, 8, memory, base)
        assert board.outcome(slot)[1] == 0
    assert not board.get("mem_0/crossings")
    board.again()
    board.go(reads)
    for slot, command in enumerate(reads):
        assert board.outcome(slot)[:3] == (command.sum(8, memory, base), 0, command.beats), command
    assert not board.get("mem_0/crossings")
    engine.close()


def test_rtl_gets_bursts_not_beats(engine: Engine) -> None:
    board = WithSlaves(engine)
    board.ready()
    board.go([Burst(True, board.MEMORY + 0x1000, 256, 3), Burst(True, board.MEMORY + 0x2004, 3, 3)])
    # 2 KiB are 512 beats of this slave's 4 bytes; 20 bytes from 0x2004 on are 5.
    assert (board.get("mem_0/bursts"), board.get("mem_0/longest")) == (3, 256)


def test_an_error_of_rtl(engine: Engine) -> None:
    board = WithSlaves(engine)
    board.ready()
    board.go([Burst(False, board.MEMORY + 0xFFF8, 1, 3), Burst(True, board.MEMORY + 0xFFFC, 1, 2, id=1)])
    assert [board.outcome(slot)[1] for slot in (0, 1)] == [2, 2]
    assert "SLVERR at 0x20fff" in engine.explain("burst_0")


def test_why_it_waits(engine: Engine) -> None:
    board = BursterBoard(engine)
    board.ready()
    board.drive("burst_0/hold", 1)
    board.push([Burst(False, 0x100, 8, 3)])
    board.drive("burst_0/go", 1)
    assert engine.run_until(board.nets["burst_0/over"], mask=31, value=1) == "quiet"
    assert engine.explain("burst_0").startswith(
        "burst_0 m_axi waits for RREADY: 0 of 8 beats of the read of 8 beats of 8 bytes from 0x100 on"
    )


def test_why_it_waits_for_a_slave(engine: Engine) -> None:
    board = WithSlaves(engine, latency=10**6)
    board.ready()
    board.push([Burst(False, board.REGISTERS, 1, 2)])
    board.drive("burst_0/go", 1)
    board.cycles(50)
    assert "burst_0 m_axi waits for an answer of regs_0 of the read of 1 beat" in engine.explain("burst_0")


def test_reset_in_the_middle(engine: Engine) -> None:
    board = WithSlaves(engine, latency=500)
    board.ready()
    memory = fill(board)
    some = [
        Burst(False, 0, 256, 3),
        Burst(True, 0x9000, 256, 3, id=1),
        Burst(False, board.REGISTERS, 4, 2, id=2),
        Burst(True, board.MEMORY, 64, 3, id=3),
    ]
    for cycles in (3, 20, 100, 400):
        board.push(some)
        board.drive("burst_0/go", 1)
        board.cycles(cycles)
        board.again()
        board.ddr.write(0, memory.tobytes())
        command = Burst(False, 0x40, 9, 3)
        board.go([command])
        assert board.outcome(0)[:3] == (command.sum(8, memory), 0, 9)
        board.again()


def test_memory_that_leaves_the_board(engine: Engine) -> None:
    """Partial reconfiguration takes a memory away while bursts go on in it: their rest is refused."""
    board = BursterBoard(engine)
    bram = engine.memory("bram", 0x1000)
    bram.write(0, bytes(range(256)) * 16)
    board.space.map(0x40_0000, 0x40_0FFF, bram)
    board.ready()
    board.push([Burst(False, 0x40_0000, 100, 3), Burst(True, 0x40_0800, 200, 3, id=1)])
    board.drive("burst_0/go", 1)
    board.cycles(50)
    engine.take_out([bram])
    over = board.nets["burst_0/over"]
    assert engine.run_until(over, mask=31, value=2, timeout=10**9) == "hit"
    assert board.outcome(0)[1:3] == (2, 100)
    assert board.outcome(1)[1] == 2
    assert "the memory was exchanged meanwhile" in engine.explain("burst_0")


def test_two_runs_are_equal(engines: Callable[..., Engine]) -> None:
    def run(seed: int) -> tuple[Any, ...]:
        engine = engines(seed)
        board = WithSlaves(engine, latency=3)
        board.ready()
        fill(board)
        board.burster.stall("m_axi", 0.5, 9)
        board.mem.stall("s_axi", 0.5, 9)
        engine.trace("hash")
        board.go(
            [
                Burst(False, 0, 100, 3, id=1),
                Burst(True, board.MEMORY, 64, 3, id=2),
                Burst(False, board.REGISTERS, 4, 2, id=2),
                Burst(False, board.MEMORY + 0x4000, 64, 3, id=4),
                Burst(True, 0x9000, 256, 3, id=1),
            ]
        )
        outcomes = tuple(board.outcome(slot) for slot in range(5))
        return board.clock.cycles, engine.trace_hash, outcomes

    assert run(7) == run(7)
    assert run(7)[0] != run(8)[0]


def test_interleaved_with_accesses_of_the_ps(engine: Engine) -> None:
    """The PS uses the slave that the master is using: everybody gets an answer, in order of arrival."""
    board = WithSlaves(engine)
    board.ready()
    board.push([Burst(True, board.MEMORY + 0x1000 * i, 256, 3, id=i) for i in range(4)])
    board.drive("burst_0/go", 1)
    for i in range(40):
        engine.write(board.MEMORY + 0x8000 + 4 * i, i * 3)
        assert engine.read(board.MEMORY + 0x8000 + 4 * i) == i * 3
    assert engine.run_until(board.nets["burst_0/over"], mask=31, value=4) == "hit"


def test_incr_is_the_default_kind() -> None:
    assert list(Burst(False, 5, 3, 2, INCR).each()) == [(5, 3), (8, 4), (12, 4)]
    assert list(Burst(False, 0x18, 4, 3, WRAP).each()) == [(0x18, 8), (0, 8), (8, 8), (0x10, 8)]
    assert list(Burst(False, 6, 2, 2, FIXED).each()) == [(6, 2), (6, 2)]
