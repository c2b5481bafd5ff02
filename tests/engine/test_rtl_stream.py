"""Streams through verilated modules, against numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pynq.backends.sim._engine import Engine
from pynq.errors import ProtocolError

from .rtl_boards import StreamBoard, block

WIDTHS = (1, 2, 4, 8, 16, 32, 64)


def some(nbytes: int, seed: int = 1) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, nbytes, dtype=np.uint8)


@pytest.mark.parametrize("width", WIDTHS)
def test_any_width_and_a_last_beat_with_null_bytes(engine: Engine, width: int) -> None:
    board = StreamBoard(engine, width=width, WIDTH=8 * width)
    for nbytes in (1, width, 3 * width + 1, 16 * width, 1000, 5000 + width - 1):
        data = some(nbytes)
        assert (board.transfer(data) == data + 1).all(), nbytes
    assert board.rtl.state()["asleep"] == 1


def test_a_word_a_cycle(engine: Engine) -> None:
    board = StreamBoard(engine, "plain", inputs={"run": 1})
    before = board.rtl.cycles_run
    board.transfer(some(40_000))
    assert 10_000 <= board.rtl.cycles_run - before <= 10_060
    assert board.outputs["count"].value == 1


def test_interrupt_pin_pulses_once_a_packet(engine: Engine) -> None:
    board = StreamBoard(engine, "plain", inputs={"run": 1})
    for _ in range(3):
        board.transfer(some(64))
    assert board.outputs["irq"].edges() == 3
    assert board.outputs["count"].value == 3


@pytest.mark.parametrize("chain", [2, 3])
def test_blocks_in_a_row(engine: Engine, chain: int) -> None:
    board = StreamBoard(engine, chain=chain)
    data = some(4096)
    before = board.rtl.cycles_run
    assert (board.transfer(data) == data + chain).all()
    assert board.rtl.cycles_run - before < 1024 + 60  # a word a cycle between them as well


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.sampled_from(WIDTHS),
    packets=st.lists(st.integers(1, 700), min_size=1, max_size=6),
    stalls=st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from(["source", "sink"]), st.floats(0.05, 0.9)), max_size=4
    ),
    seed=st.integers(0, 2**32),
)
def test_random_stalls_lose_and_change_nothing(
    engines: Callable[..., Engine],
    width: int,
    packets: list[int],
    stalls: list[tuple[int, Any, float]],
    seed: int,
) -> None:
    board = StreamBoard(engines(seed), width=width, WIDTH=8 * width)
    for link, side, probability in stalls:
        board.links[link].stall(side, probability, 5)
    for index, nbytes in enumerate(packets):
        data = some(nbytes, index)
        got = board.transfer(data, nbytes + 64)
        assert len(got) == nbytes
        assert (got == data + 1).all()


def test_a_stall_is_idle_cycles_of_single_beats(engine: Engine) -> None:
    board = StreamBoard(engine, "plain", inputs={"run": 1})
    data = some(4000)
    before = board.rtl.cycles_run
    board.links[0].stall("source", 1.0, 1)  # an idle cycle after each beat
    assert (board.transfer(data).view(np.uint32) == data.view(np.uint32) + 1).all()
    assert 2000 <= board.rtl.cycles_run - before <= 2080
    board.links[0].stall("source", 0)
    board.links[1].stall("sink", 1.0, 1)
    before = board.rtl.cycles_run
    board.transfer(data)
    assert 1960 <= board.rtl.cycles_run - before <= 2080  # the first few beats had been let in already
    board.links[1].stall("sink", 0)
    before = board.rtl.cycles_run
    board.transfer(data)
    assert board.rtl.cycles_run - before <= 1060


def test_side_band_passes(engine: Engine) -> None:
    clock = engine.clock("clk", 100e6)
    host = engine.host("host", clock)
    host.add_source("m")
    host.add_sink("s")
    rtl = block(engine, clock, "pipe")
    rtl.add_clock("clk", clock)
    for port, prefix, source in (("s_axis", "s_", False), ("m_axis", "m_", True)):
        rtl.add_stream(port, StreamBoard.stream_pins(rtl, prefix), source=source, clock="clk")
    reset = engine.net("rst_n", 1, 1)
    rtl.add_pin("rst_n")
    rtl.wire("rst_n", reset)
    into, out = engine.link("into", 4), engine.link("out", 4)
    host.stream("m", into)
    rtl.stream("s_axis", into)
    rtl.stream("m_axis", out)
    host.stream("s", out)
    rtl.begin()
    engine.elaborate()
    got: list[Any] = []

    def receive() -> None:
        host.receive("s", None, lambda *what: got.append(what))

    for dest, user, ident in ((1, 5, 2), (7, 15, 3), (0, 0, 0)):
        receive()
        host.send("m", bytes(range(13)), True, dest=dest, user=user, id=ident)
        engine.run_until(None)
        data, last, side = got[-1]
        assert (bytes(data), last, side) == (bytes(range(1, 14)), True, (dest, user, ident))
    assert len(got) == 3


def test_reset_in_the_middle_of_a_packet(engine: Engine) -> None:
    board = StreamBoard(engine, "plain", inputs={"run": 1})
    board.start(some(8000), 8000)
    engine.run(500 * board.clock.period)
    assert 0 < board.links[1].statistics["beats"] < 2000
    board.reset.drive(0)
    engine.run(10 * board.clock.period)
    assert board.outputs["count"].value == 0
    assert board.rtl.in_reset
    # The DMA is reset as well, as a program would, and all goes on.
    board.write(0x00, 4)
    engine.run(200 * board.clock.period)
    board.reset.drive(1)
    engine.run(10 * board.clock.period)
    assert not board.rtl.in_reset
    board.enable()
    data = some(400)
    assert (board.transfer(data).view(np.uint32) == data.view(np.uint32) + 1).all()


def test_back_pressure_reaches_the_source(engine: Engine) -> None:
    board = StreamBoard(engine, "plain", inputs={"run": 0})
    board.start(some(4000))
    engine.run_until(None)
    assert board.links[0].statistics["beats"] >= 16
    assert board.links[1].statistics["beats"] == 0
    assert "plain_0 s_axis waits for TREADY" in engine.explain()
    assert "axi_dma_0" in board.rtl.explain("s_axis")
    assert board.rtl.state()["asleep"] == 1
    assert board.read(0x04) & 2 == 0  # MM2S is not idle: the module has not taken it
    board.inputs["run"].drive(1)
    assert len(board.received()) == 4000


def test_a_sink_that_does_not_take(engine: Engine) -> None:
    board = StreamBoard(engine, "plain", inputs={"run": 1})
    board.ddr.write(0x1000, some(4000))
    board.write(0x18, 0x1000)
    board.write(0x28, 4000)
    assert engine.run_until(board.nets["MM2S"], value=1) == "quiet"
    assert "plain_0 m_axis waits for TREADY" in engine.explain()
    # Only what an ordinary link holds is taken while nobody receives.
    assert board.links[1].statistics["queued"] == 16


def test_short_packets_complete_without_the_module_being_deep(engine: Engine) -> None:
    """The sender is done when the module has taken the last beat, not when the link has."""
    board = StreamBoard(engine, "plain", inputs={"run": 0})
    board.start(some(16))
    engine.run_until(None)
    assert board.read(0x04) & 2 == 0
    board.inputs["run"].drive(1)
    assert len(board.received()) == 16
    assert board.read(0x04) & 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (1, "TVALID must stay high until TREADY .*2.2.*TVALID fell"),
        (2, "payload must not change while TVALID waits.*2.2.1.*TDATA changed"),
        (3, "payload must not change while TVALID waits.*TLAST changed"),
        (4, "TVALID must be low in reset .*2.7.2"),
        (5, "TSTRB must not be high where TKEEP is low .*2.4.3"),
    ],
)
def test_a_broken_rule_of_the_protocol(engine: Engine, fault: int, words: str) -> None:
    _, reset, go = rude(engine, fault)
    go.drive(1)
    reset.drive(1)
    with pytest.raises(ProtocolError, match=f"rude_0 m_axis broke .* in cycle [0-9]+: {words}"):
        engine.run(100 * 10_000)


def test_rules_can_be_warnings_or_nothing(engines: Callable[..., Engine]) -> None:
    engine = engines()
    rtl, reset, go = rude(engine, 2)
    assert rtl.protocol_checks == "error"
    rtl.protocol_checks = "warn"
    reset.drive(1)
    go.drive(1)
    engine.run(100 * 10_000)
    assert any("TDATA changed" in warning for warning in rtl.warnings)
    engine = engines()
    rtl, reset, go = rude(engine, 2)
    rtl.protocol_checks = "off"
    reset.drive(1)
    go.drive(1)
    engine.run(100 * 10_000)
    assert rtl.warnings == []
    with pytest.raises(ValueError, match="are possible"):
        rtl.protocol_checks = "loud"  # type: ignore[assignment]


def test_a_well_behaved_source_breaks_no_rule(engine: Engine) -> None:
    rtl, reset, go = rude(engine, 0)
    reset.drive(1)
    go.drive(1)
    engine.run(1000 * 10_000)
    assert rtl.warnings == []


def rude(engine: Engine, fault: int) -> Any:
    """Make a source that sends into a link without a taker."""
    clock = engine.clock("clk", 100e6)
    rtl = block(engine, clock, "rude", FAULT=fault)
    rtl.add_clock("clk", clock)
    rtl.add_reset("rst_n", active_low=True)
    rtl.add_stream("m_axis", StreamBoard.stream_pins(rtl, "m_"), source=True, clock="clk", reset="rst_n")
    rtl.add_pin("go")
    reset, go = engine.net("reset_n"), engine.net("go")
    rtl.wire("rst_n", reset)
    rtl.wire("go", go)
    link = engine.link("out", 4, depth=4)
    rtl.stream("m_axis", link)
    host = engine.host("host", clock)
    host.add_sink("s")
    host.stream("s", link)
    rtl.begin()
    engine.elaborate()
    engine.run(20 * clock.period)
    return rtl, reset, go


def test_determinism(engines: Callable[..., Engine]) -> None:
    hashes = set()
    for _ in range(2):
        engine = engines(5)
        engine.trace("hash")
        board = StreamBoard(engine, chain=2)
        board.links[1].stall("sink", 0.3)
        board.links[2].stall("sink", 0.3)
        for index in range(3):
            board.transfer(some(3000, index))
        hashes.add((engine.trace_hash, engine.now, board.rtl.cycles_run))
    assert len(hashes) == 1
