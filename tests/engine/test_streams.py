"""AXI4-Stream: any width, back-pressure, TKEEP, TLAST, side band, converters; the bytes stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynq.backends.sim._engine import Engine
from pynq.errors import DesignError, ModelError

from .boards import LoopBoard, Pair

Engines = Callable[..., Engine]


def noise(nbytes: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, nbytes, dtype=np.uint8).tobytes()


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 16, 33, 64, 512])
def test_any_width(engine: Engine, width: int) -> None:
    pair = Pair(engine, width)
    pair.close()
    data = noise(10_007)
    pair.source.send("m", data, True, dest=3, user=1, id=2)
    assert pair.receive() == (data, True, (3, 1, 2))
    assert pair.link.statistics["bytes"] == len(data)
    assert pair.link.statistics["beats"] == -(-len(data) // width)
    assert pair.link.statistics["packets"] == 1


@pytest.mark.parametrize("width", [0, 513])
def test_impossible_width(engine: Engine, width: int) -> None:
    with pytest.raises(DesignError, match="1 to 512"):
        engine.link("link", width)


def test_back_pressure_holds_the_source(engine: Engine) -> None:
    pair = Pair(engine, 4, depth=8)
    pair.close()
    done: list[int] = []
    pair.source.send("m", bytes(400), True, lambda: done.append(engine.now))
    engine.run(10**9)
    assert pair.link.statistics["queued"] == 8
    assert not done
    assert engine.quiet
    assert "source m waits for TREADY: 32 of 400 bytes sent to sink" in engine.explain("source")
    assert pair.receive() == (bytes(400), True, (0, 0, 0))
    assert done


def test_receive_by_count_splits_beats(engine: Engine) -> None:
    pair = Pair(engine, 8)
    pair.close()
    data = noise(64)
    pair.source.send("m", data, True)
    assert pair.receive(13) == (data[:13], False, (0, 0, 0))
    assert pair.receive(3) == (data[13:16], False, (0, 0, 0))
    assert pair.receive(1) == (data[16:17], False, (0, 0, 0))
    assert pair.receive(100) == (data[17:], True, (0, 0, 0))


def test_exact_count_tells_of_tlast(engine: Engine) -> None:
    pair = Pair(engine, 8)
    pair.close()
    pair.source.send("m", bytes(range(16)), True)
    assert pair.receive(16) == (bytes(range(16)), True, (0, 0, 0))
    pair.source.send("m", bytes(range(13)), True)
    assert pair.receive(13) == (bytes(range(13)), True, (0, 0, 0))


def test_parts_without_last_are_packed(engine: Engine) -> None:
    pair = Pair(engine, 8)
    pair.close()
    for part in (b"abc", b"", b"defghijklm", b"n"):
        pair.source.send("m", part, False)
    pair.source.send("m", b"", True)
    assert pair.receive() == (b"abcdefghijklmn", True, (0, 0, 0))
    assert pair.link.statistics["beats"] == 2


def test_empty_packet(engine: Engine) -> None:
    pair = Pair(engine, 8)
    pair.close()
    pair.source.send("m", b"", True)
    assert pair.receive() == (b"", True, (0, 0, 0))


def test_user_marks_the_first_beat_only(engine: Engine) -> None:
    pair = Pair(engine, 4)
    pair.close()
    pair.source.send("m", bytes(16), True, user=1, dest=7)
    assert pair.receive(4)[2] == (7, 1, 0)
    assert pair.receive(12)[2] == (7, 0, 0)


def test_one_request_at_a_time(engine: Engine) -> None:
    pair = Pair(engine)
    pair.close()
    pair.sink.receive("s", 4, print)
    with pytest.raises(ModelError, match="sink/s receives already"):
        pair.sink.receive("s", 4, print)
    pair.sink.cancel_stream("s")
    pair.sink.receive("s", 4, print)


def test_wrong_directions_and_names(engine: Engine) -> None:
    pair = Pair(engine)
    pair.close()
    with pytest.raises(ModelError, match="is a sink"):
        pair.sink.send("s", b"x", True)
    with pytest.raises(ModelError, match="is a source"):
        pair.source.receive("m", 1, print)
    with pytest.raises(DesignError, match='has no stream port "nope"; it has m'):
        pair.source.send("nope", b"x", True)


def test_a_link_has_two_ends(engine: Engine) -> None:
    pair = Pair(engine)
    pair.close()
    other = engine.host("other", pair.clock)
    other.add_sink("s")
    with pytest.raises(DesignError, match="has the sink sink/s already"):
        other.stream("s", pair.link)
    other.stream("s", engine.link("free", 4))
    with pytest.raises(DesignError, match="is connected to stream free already"):
        other.stream("s", engine.link("third", 4))


@pytest.mark.parametrize("order", [(1, 8), (8, 1), (3, 5), (5, 3), (4, 4), (16, 12)])
def test_width_conversion(engine: Engine, order: tuple[int, int]) -> None:
    pair = Pair(engine, order[0])
    pair.through(engine.fifo("dwidth", pair.clock), order[1])
    pair.close()
    first, second = noise(1003, 1), noise(64, 2)
    pair.source.send("m", first, True, user=1, dest=2)
    pair.source.send("m", second, True)
    assert pair.receive() == (first, True, (2, 1, 0))
    assert pair.receive() == (second, True, (0, 0, 0))


def test_upsizing_waits_for_the_rest(engine: Engine) -> None:
    pair = Pair(engine, 2)
    pair.through(engine.fifo("dwidth", pair.clock), 8)
    pair.close()
    pair.source.send("m", b"abcd", False)
    engine.run(10**9)
    assert pair.last_link.statistics["beats"] == 0
    assert "dwidth waits for the rest of a beat: 4 of 8 bytes" in engine.explain()
    pair.source.send("m", b"efgh", False)
    assert pair.receive(8)[0] == b"abcdefgh"


def test_packet_mode_holds_an_incomplete_packet(engine: Engine) -> None:
    pair = Pair(engine, 4)
    pair.through(engine.fifo("fifo", pair.clock, depth=64, packet=True), 4)
    pair.close()
    pair.source.send("m", bytes(40), False)
    engine.run(10**9)
    assert pair.last_link.statistics["beats"] == 0
    assert "fifo waits for TLAST of source (packet mode): 10 beats held" in engine.explain()
    pair.source.send("m", bytes(4), True)
    assert pair.receive() == (bytes(44), True, (0, 0, 0))


def test_packet_mode_lets_a_packet_that_is_too_long_pass(engine: Engine) -> None:
    pair = Pair(engine, 4)
    pair.through(engine.fifo("fifo", pair.clock, depth=16, packet=True), 4)
    pair.close()
    data = noise(1000)
    pair.source.send("m", data, True)
    assert pair.receive()[0] == data


def test_fifo_holds_its_depth(engine: Engine) -> None:
    pair = Pair(engine, 4, depth=2)
    fifo = engine.fifo("fifo", pair.clock, depth=32)
    pair.through(fifo, 4, depth=2)
    count = engine.net("count", 32)
    fifo.wire("axis_data_count", count)
    pair.close()
    pair.source.send("m", bytes(4000), True)
    engine.run(10**9)
    assert count.value == 32
    assert fifo.state()["beats"] == 32
    assert "fifo waits for TREADY of sink: 32 beats held, 32 are its depth" in engine.explain()


def test_clock_crossing_runs_at_the_slower_clock(engine: Engine) -> None:
    fast, slow = engine.clock("fast", 200e6), engine.clock("slow", 50e6)
    source, sink = engine.host("source", fast), engine.host("sink", slow)
    source.add_source("m")
    sink.add_sink("s")
    fifo = engine.fifo("cc", fast, depth=16, output_clock=slow)
    first, second = engine.link("a", 4), engine.link("b", 4)
    source.stream("m", first)
    fifo.stream("S_AXIS", first)
    fifo.stream("M_AXIS", second)
    sink.stream("s", second)
    engine.elaborate()
    source.send("m", bytes(4000), True)
    got: list[int] = []
    sink.receive("s", None, lambda *_: got.append(engine.now))
    engine.run_until(lambda: bool(got))
    assert 1000 * 20_000 <= got[0] <= 1100 * 20_000


def test_broadcaster(engine: Engine) -> None:
    clock = engine.clock("clk", 1e8)
    source = engine.host("source", clock)
    source.add_source("m")
    split = engine.broadcaster("split", clock, 3)
    link = engine.link("in", 4)
    source.stream("m", link)
    split.stream("S_AXIS", link)
    got: dict[int, bytes] = {}
    for i in range(3):
        sink = engine.host(f"sink{i}", clock)
        sink.add_sink("s")
        out = engine.link(f"out{i}", 4, depth=4 + i)
        split.stream(f"M{i:02}_AXIS", out)
        sink.stream("s", out)
        if i < 2:
            sink.receive("s", None, lambda data, last, side, i=i: got.__setitem__(i, data.tobytes()))
    engine.elaborate()
    data = noise(1001)
    source.send("m", data, True)
    engine.run(10**9)
    assert not got, "held up by the third"
    assert "split M02_AXIS waits for TREADY of sink2" in engine.explain()
    engine.find("sink2").receive("s", None, lambda data, last, side: got.__setitem__(2, data.tobytes()))  # type: ignore[attr-defined]
    engine.run(10**9)
    assert got == {0: data, 1: data, 2: data}


def test_stalls_change_time_but_not_bytes(engines: Engines) -> None:
    times = []
    for probability in (0.0, 0.3, 0.9):
        engine = engines(seed=5)
        board = LoopBoard(engine)
        for link in (board.out, board.back):
            link.stall("source", probability, 20)
            link.stall("sink", probability, 20)
        data = noise(5000)
        board.ddr.write(0, data)
        board.start()
        board.receive(0x1_0000, 8192)
        board.send(0, 5000)
        assert engine.run_until(board.nets["S2MM"]) == "hit"
        assert board.ddr.read(0x1_0000, 5000) == data
        times.append(engine.now)
    assert times[0] < times[1] < times[2]


def test_stall_can_be_ended_while_it_lasts(engine: Engine) -> None:
    pair = Pair(engine)
    pair.close()
    pair.link.stall("source", 1.0, 1_000_000)
    pair.source.send("m", bytes(400), True)
    engine.run(10**6)
    engine.clear_injections()
    assert pair.receive()[0] == bytes(400)
    assert engine.now < 10**8


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_bytes_and_packets_survive_any_chain(data: st.DataObject) -> None:
    """Random packets, random requests, through random widths, depths, FIFOs and stalls."""
    draw = data.draw
    engine = Engine(seed=draw(st.integers(0, 1 << 32)))
    try:
        pair = Pair(engine, draw(st.integers(1, 20)), draw(st.integers(1, 20)))
        links = [pair.link]
        for i in range(draw(st.integers(0, 3))):
            fifo = engine.fifo(
                f"fifo{i}",
                pair.clock,
                depth=draw(st.sampled_from([0, 3, 16, 100])),
                packet=draw(st.booleans()),
            )
            pair.through(fifo, draw(st.integers(1, 20)), draw(st.integers(1, 20)))
            links.append(pair.last_link)
        pair.close()
        for link in links:
            if draw(st.booleans()):
                link.stall(
                    draw(st.sampled_from(["source", "sink"])), draw(st.floats(0, 1)), draw(st.integers(1, 9))
                )
        packets = draw(st.lists(st.binary(max_size=200), min_size=1, max_size=6))
        for packet in packets:
            cut = draw(st.integers(0, len(packet)))
            if draw(st.booleans()):
                pair.source.send("m", packet[:cut], False)
                pair.source.send("m", packet[cut:], True)
            else:
                pair.source.send("m", packet, True)
        for packet in packets:
            got = b""
            last = False
            while not last:
                part, last, _ = pair.receive(draw(st.none() | st.integers(1, 300)))
                got += part
            assert got == packet
        assert all(link.statistics["packets"] == len(packets) for link in links)
    finally:
        engine.close()


@settings(max_examples=30, deadline=None)
@given(
    width=st.integers(1, 64),
    out_width=st.integers(1, 64),
    depth=st.integers(1, 40),
    fifo=st.integers(0, 80),
    nbytes=st.integers(1, 4000),
    source=st.integers(0, 200),
    target=st.integers(0, 200),
)
def test_dma_loop_keeps_the_bytes(**drawn: Any) -> None:
    engine = Engine()
    try:
        board = LoopBoard(
            engine,
            width=drawn["width"],
            out_width=drawn["out_width"],
            depth=drawn["depth"],
            fifo=drawn["fifo"],
            mm2s_dre=True,
            s2mm_dre=True,
        )
        data = noise(drawn["nbytes"])
        board.ddr.write(drawn["source"], data)
        board.start()
        board.receive(0x1_0000 + drawn["target"], drawn["nbytes"])
        board.send(drawn["source"], drawn["nbytes"])
        assert engine.run_until(board.nets["S2MM"]) == "hit", engine.explain()
        assert board.ddr.read(0x1_0000 + drawn["target"], drawn["nbytes"]) == data
        assert board.ddr.read(0x1_0000 + drawn["target"] + drawn["nbytes"], 64) == bytes(64)
    finally:
        engine.close()
