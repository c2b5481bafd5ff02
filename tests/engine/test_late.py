"""Register ports that take time to answer: who asks waits, whoever it is; nobody hangs, nothing dangles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pynq.backends.sim._engine import Engine, Host
from pynq.errors import BusError

from .boards import ERR, IOC, MM2S_CR, RESET, S2MM_LENGTH, S2MM_SR, SLV_ERR, LoopBoard

SLOW = 0x5000_0000
LATENCY = 50


class SlowBoard(LoopBoard):
    """A loop-back whose DMA also reaches an IP that needs 50 cycles for each beat."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.slow_clock = engine.clock("slow", 100e6)
        self.slow: Host = engine.host("slow_0", self.slow_clock)
        self.slow.add_slave(latency=LATENCY)
        for offset in range(0, 64, 4):
            self.slow.add_register(offset, reset=offset * 0x0101_0101)
        for space in (self.ps, *self.spaces.values()):
            space.map(SLOW, SLOW + 0xFFF, self.slow)


@pytest.fixture
def board(engine: Engine) -> SlowBoard:
    return SlowBoard(engine)


def test_the_ps_waits(board: SlowBoard) -> None:
    before = board.engine.now
    assert board.engine.read(SLOW + 4) == 0x0404_0404
    assert board.engine.now - before == (16 + LATENCY) * 10_000
    board.engine.write(SLOW + 4, 7)
    assert board.engine.read(SLOW, 8) == 0x0000_0007_0000_0000
    assert board.slow.get(4) == 7


def test_data_movers_wait(board: SlowBoard) -> None:
    data = bytes(range(100, 164))
    board.ddr.write(0, data)
    board.start()
    board.receive(SLOW, 64)
    board.send(0, 64)
    assert board.engine.run_until(board.nets["S2MM"]) == "hit"
    assert b"".join(board.slow.get(i).to_bytes(4, "little") for i in range(0, 64, 4)) == data
    assert board.read(S2MM_LENGTH) == 64
    assert board.clock.cycles > 16 * LATENCY
    board.write(S2MM_SR, IOC)
    board.receive(0x8000, 64)
    board.send(SLOW, 60)
    assert board.engine.run_until(board.nets["S2MM"]) == "hit"
    assert board.ddr.read(0x8000, 60) == data[:60]


def test_models_wait(board: SlowBoard) -> None:
    got: list[Any] = []
    asker = board.engine.host("asker", board.clock)
    asker.add_master("m", latency=1)
    asker.space("m", board.spaces["MM2S"])
    asker.write_memory("m", SLOW + 2, b"\x11\x22\x33\x44", got.append)
    asker.read_memory("m", SLOW, 8, lambda data, error: got.append((data.tobytes(), error)))
    assert board.engine.run_until(lambda: len(got) == 2) == "hit"
    assert got == ["", (b"\x00\x00\x11\x22\x33\x44\x04\x04", "")]


def test_several_ask_at_once(board: SlowBoard) -> None:
    order: list[str] = []
    for name in "abc":
        asker = board.engine.host(name, board.clock)
        asker.add_master("m", latency=1)
        asker.space("m", board.spaces["MM2S"])
        asker.read_memory("m", SLOW, 4, lambda data, error, name=name: order.append(name))
    board.engine.run(10**9)
    assert order == ["a", "b", "c"]


def test_one_that_never_answers(board: SlowBoard) -> None:
    board.slow.on_read(0, lambda: 1)
    board.engine.host("stop", board.clock).after(20, lambda: setattr(board.slow_clock, "hertz", 0))
    with pytest.raises(BusError, match="slow_0 accepts the address but never answers"):
        board.engine.read(SLOW)
    board.slow_clock.hertz = 100e6
    assert board.engine.read(SLOW) == 1, "the access that was given up leaves nothing behind"


def test_a_data_mover_that_waits_for_ever_says_so(board: SlowBoard) -> None:
    board.start()
    board.receive(SLOW, 64)
    board.send(0, 64)
    board.engine.run(2_000_000)
    board.slow_clock.hertz = 0
    assert board.engine.run_until(board.irqs["S2MM"]) == "quiet"
    assert "axi_dma_0 S2MM waits for an answer on M_AXI_S2MM at 0x5000" in board.engine.explain(
        board.irqs["S2MM"]
    )


def test_resets_while_something_waits(board: SlowBoard) -> None:
    reset = board.engine.net("aresetn", initial=1)
    board.slow.reset_by(reset)
    board.engine.elaborate()
    board.start()
    board.irqs["S2MM"].enable()
    board.receive(SLOW, 64)
    board.send(0, 64)
    board.engine.run(2_000_000)
    reset.drive(0)
    assert board.engine.run_until(board.irqs["S2MM"]) == "hit"
    assert board.read(S2MM_SR) & (SLV_ERR | ERR) == SLV_ERR | ERR
    reset.drive(1)
    board.write(MM2S_CR, RESET)
    board.engine.run(10**6)
    board.start()
    board.receive(SLOW, 64)
    board.send(0, 64)
    board.engine.run(2_000_000)
    board.write(MM2S_CR, RESET)  # of the one that asks
    board.engine.run(10**9)
    assert board.engine.quiet
    assert board.engine.read(SLOW) is not None


def test_where_no_time_passes(board: SlowBoard) -> None:
    seen: list[str] = []

    def hook() -> None:
        try:
            board.engine.read(SLOW)
        except BusError as error:
            seen.append(str(error))

    board.slow.after(1, hook)
    board.engine.run(10**6)
    assert "slow_0 needs time to answer, and none passes in a hook" in seen[0]
    with pytest.raises(BusError, match="SLVERR"):
        board.ps.read(SLOW, 4)


def test_the_end_while_something_waits(engines: Callable[..., Engine]) -> None:
    for run in range(0, 3_000_000, 300_000):
        board = SlowBoard(engines())
        asker = board.engine.host("asker", board.clock)
        asker.add_master("m", latency=1)
        asker.space("m", board.spaces["MM2S"])
        asker.read_memory("m", SLOW, 64, lambda data, error: None)
        board.start()
        board.receive(SLOW, 64)
        board.send(SLOW, 64)
        board.engine.run(run)
        board.engine.close()


def test_what_a_source_had_sent_is_lost_with_it(board: SlowBoard) -> None:
    reset = board.engine.net("aresetn", initial=1)
    board.fifo.reset_by(reset)
    board.engine.elaborate()
    board.start()
    board.send(0, 4096)
    board.engine.run(10**8)
    assert board.back.statistics["queued"] == 16
    reset.drive(0)
    assert board.back.statistics["queued"] == 0
    reset.drive(1)
    board.engine.run(10**8)
