"""Deterministic mode: the same program gives the same trace, whatever the host does; statistics."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pynq.backends.sim._engine import Engine

from .boards import S2MM_SR, HostBoard, LoopBoard


def program(engine: Engine, nap: float = 0.0) -> tuple[int, int, list[tuple[int, str, str, int, int]]]:
    board = HostBoard(engine, depth=7)
    for link in (board.out, board.back):
        link.stall("source", 0.4)
        link.stall("sink", 0.3, 5)
    engine.inject("axi_dma_0", latency=7, probability=0.5)

    def echo(data: object, last: bool, side: tuple[int, int, int]) -> None:
        board.model.send("m_axis", data, last)  # type: ignore[arg-type]
        board.model.receive("s_axis", 100, echo)

    board.model.receive("s_axis", 100, echo)
    engine.trace("list")
    board.start()
    for i in range(5):
        board.irqs["S2MM"].enable()
        board.receive(0x8000, 4096)
        board.send(0, 1000 + i)
        time.sleep(nap)
        while not board.read(S2MM_SR) & 0x1000:
            pass
        board.write(S2MM_SR, 0x1000)
        board.irqs["S2MM"].take()
    return engine.now, engine.trace_hash, engine.trace_events


def test_twice_the_same(engines: Callable[..., Engine]) -> None:
    first = program(engines(seed=3))
    second = program(engines(seed=3), nap=0.003)
    assert first == second
    assert len(first[2]) > 50
    assert {event[1] for event in first[2]} == {"read", "write", "packet", "net", "irq"}


def test_another_seed_is_another_course(engines: Callable[..., Engine]) -> None:
    assert program(engines(seed=3))[1] != program(engines(seed=4))[1]


def test_modes(engine: Engine) -> None:
    board = LoopBoard(engine)
    engine.trace("hash")
    empty = engine.trace_hash
    board.start()
    assert engine.trace_hash != empty
    assert engine.trace_events == []
    engine.trace("off")
    board.start()
    assert engine.trace_hash == empty
    with pytest.raises(ValueError, match="off"):
        engine.trace("loud")  # type: ignore[arg-type]


def test_statistics(engine: Engine) -> None:
    board = LoopBoard(engine)
    assert board.out.statistics["first"] == -1
    board.start()
    board.receive(0x1_0000, 4096)
    board.send(0, 1024)
    engine.run_until(board.nets["S2MM"])
    counts = engine.statistics()
    assert counts["mm2s"] == board.out.statistics
    assert counts["s2mm"]["bytes"] == 1024
    assert counts["s2mm"]["packets"] == 1
    assert counts["axi_dma_0/M_AXI_S2MM"]["bytes_written"] == 1024
    assert counts["ps"]["writes"] == 8
    assert 0 < counts["mm2s"]["first"] < counts["s2mm"]["last"] <= engine.now
