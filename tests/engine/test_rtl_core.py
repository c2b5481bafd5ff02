"""Clocks, sleep, wires, failures and life of verilated modules."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pynq.backends.sim._engine import Engine, Net, Rtl
from pynq.errors import DesignError, OverlayNotLoadedError, RtlError, RtlFinished

from .rtl_boards import RTL, StreamBoard, block, library

PERIOD = 10_000


def ends(engine: Engine, log: Any = None, cell: str = "ends_0") -> tuple[Rtl, Net]:
    """Make the module that ends when its input says so."""
    clock = engine.clock(f"clk_{cell}", 100e6)
    rtl = block(engine, clock, "ends", cell=cell, log=log)
    rtl.add_clock("clk", clock)
    rtl.add_pin("what")
    rtl.add_pin("cycles")
    what, cycles = engine.net(f"{cell}/what", 4), engine.net(f"{cell}/cycles", 32)
    rtl.wire("what", what)
    rtl.wire("cycles", cycles)
    rtl.begin()
    engine.elaborate()
    return rtl, what


# -- making --------------------------------------------------------------------------------------------------
def test_what_is_no_library(engine: Engine, tmp_path: Path) -> None:
    clock = engine.clock("clk", 1e8)
    with pytest.raises(DesignError, match=r"fir_0: library .* can't be loaded"):
        engine.rtl("fir_0", clock, str(tmp_path / "none.so"))
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(DesignError, match="can't be loaded"):
        engine.rtl("fir_0", clock, str(tmp_path / "text.so"))
    other = next(Path(np.__file__).parent.rglob("_multiarray_umath*.so"))
    with pytest.raises(DesignError, match="no library of a verilated design"):
        engine.rtl("fir_0", clock, str(other))


def test_a_library_of_another_version(engine: Engine, tmp_path: Path) -> None:
    source = tmp_path / "old.cpp"
    source.write_text(
        "#include <pynq/rtl.h>\n"
        'extern "C" const pynq_rtl_design pynq_rtl_design_v1 = {77, sizeof(pynq_rtl_design)};\n'
    )
    include = RTL.parents[2] / "native" / "include"
    built = tmp_path / "old.so"
    subprocess.run(["g++", "-shared", "-fPIC", f"-I{include}", str(source), "-o", str(built)], check=True)
    with pytest.raises(
        DesignError, match="version 77 of the interface, this engine version 1: build it again"
    ):
        engine.rtl("fir_0", engine.clock("clk", 1e8), str(built))


def test_ports_of_the_module(engine: Engine) -> None:
    rtl = block(engine, engine.clock("clk", 1e8), "plain")
    ports = rtl.module_ports()
    assert {("s_tdata", "in", 32), ("m_tvalid", "out", 1), ("count", "out", 8)} <= set(ports)


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda r, c: r.add_clock("clock", c), 'module plain has no port "clock"; it has clk, rst_n'),
        (lambda r, c: r.add_clock("m_tvalid", c), "m_tvalid is no input of one bit"),
        (lambda r, c: r.add_reset("s_tdata", active_low=True), "s_tdata is no input of one bit"),
        (lambda r, c: [r.add_pin("run"), r.add_pin("run")], "is used already, by pin"),
        (
            lambda r, c: r.add_stream("s", {"TVALID": "s_tvalid"}, source=False, clock="nothing"),
            'no clock "nothing"; there is none',
        ),
        (
            lambda r, c: [
                r.add_clock("clk", c),
                r.add_stream(
                    "s",
                    {"TVALID": "m_tvalid", "TDATA": "s_tdata", "TLAST": "s_tdata2"},
                    source=False,
                    clock="clk",
                ),
            ],
            's TLAST: module plain has no port "s_tdata2"',
        ),
        (
            lambda r, c: [
                r.add_clock("clk", c),
                r.add_stream(
                    "s",
                    {"TDATA": "m_tdata", "TLAST": "count", "TWHAT": "run", "TREADY": "s_tready"},
                    source=False,
                    clock="clk",
                ),
            ],
            r"plain_0 s \(AXI4-Stream\): TVALID is missing; TDATA \(m_tdata\) is an output of the module.*"
            r"TLAST \(count\) is an output.*TLAST \(count\) has 8 bits; it must have 1; "
            r"TWHAT \(run\) is no signal of this bus",
        ),
    ],
)
def test_pins_that_do_not_fit(engine: Engine, add: Callable[[Rtl, Any], object], words: str) -> None:
    clock = engine.clock("clk", 1e8)
    rtl = block(engine, clock, "plain")
    with pytest.raises(DesignError, match=words):
        add(rtl, clock)


_BY_HAND = """
#include <pynq/rtl.h>
#include <cstdio>
static unsigned char clk, out;
static int count;
static const pynq_rtl_port ports[] = {{"clk", 1, 'i', 1}, {"out", 1, 'o', 1}};
static void *create(const pynq_rtl_host *, const char *const *folders, uint64_t, char *error, size_t size) {
    if (folders[0]) return &clk;
    std::snprintf(error, size, "no folder given");
    return nullptr;
}
static void destroy(void *) {}
static void *port(void *, uint32_t index) { return index ? &out : &clk; }
static int eval(void *) { out = clk && ++count % 4 == 0; return count == 9 ? 4 : 0; }
static void event(void *, pynq_rtl_event *event) { *event = {"a.v", 3, "top.u", "$system"}; }
static void *state(void *, size_t *size) { *size = 0; return nullptr; }
extern "C" const pynq_rtl_design pynq_rtl_design_v1 = {
    PYNQ_RTL_ABI, sizeof(pynq_rtl_design), 0, "hand", ports, 2,
    create, destroy, port, eval, event, nullptr, nullptr, state};
"""


def test_a_library_made_by_hand(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "hand.cpp").write_text(_BY_HAND)
    include, built = RTL.parents[2] / "native" / "include", str(tmp_path / "hand.so")
    command = ["g++", "-shared", "-fPIC", f"-I{include}", str(tmp_path / "hand.cpp"), "-o", built]
    subprocess.run(command, check=True)
    clock = engine.clock("clk", 100e6)
    with pytest.raises(DesignError, match="hand_0: module hand can't be made: no folder given"):
        engine.rtl("hand_0", clock, built)
    rtl = engine.rtl("hand_0", clock, built, folders=["."])
    rtl.add_clock("clk", clock)
    rtl.add_pin("out")
    out = engine.net("out")
    rtl.wire("out", out)
    rtl.begin()
    engine.elaborate()
    with pytest.raises(RtlError, match=r"something that RTL may not do here at a.v:3 in top.u: \$system;"):
        engine.run(100 * PERIOD)
    assert out.edges() == 2  # and without a state to compare it never slept
    assert rtl.cycles_run == 8


def test_a_link_of_another_width(engine: Engine) -> None:
    clock = engine.clock("clk", 1e8)
    rtl = block(engine, clock, "plain")
    rtl.add_clock("clk", clock)
    rtl.add_stream("m_axis", StreamBoard.stream_pins(rtl, "m_"), source=True, clock="clk")
    with pytest.raises(DesignError, match="plain_0/m_axis is 4 bytes wide, stream wide 8"):
        rtl.stream("m_axis", engine.link("wide", 8))
    rtl.stream("m_axis", engine.link("right", 4))


# -- time ----------------------------------------------------------------------------------------------------
def test_idle_is_free(engine: Engine) -> None:
    board = StreamBoard(engine, "plain", inputs={"run": 1})
    board.transfer(np.arange(64, dtype=np.uint8))
    assert engine.quiet
    before = board.rtl.cycles_run
    start = time.perf_counter()
    engine.run(100_000_000 * PERIOD)
    took = time.perf_counter() - start
    assert board.rtl.cycles_run == before
    assert board.clock.cycles > 100_000_000
    assert took < 2  # 50 us; as many cycles take a quarter of a minute


def test_a_dead_wait_is_known_at_once(engine: Engine) -> None:
    board = StreamBoard(engine, "plain", inputs={"run": 1})
    board.write(0x58, 400)
    before = board.rtl.cycles_run
    assert engine.run_until(board.nets["S2MM"], value=1) == "quiet"
    assert board.rtl.cycles_run - before < 100
    assert "S2MM waits for TVALID" in engine.explain(board.nets["S2MM"])
    assert "plain_0" in engine.explain(board.nets["S2MM"])


def test_a_counter_that_never_rests_ends_a_dead_wait(engines: Callable[..., Engine]) -> None:
    ended = set()
    for _ in range(2):
        engine = engines(idle_events=20_000)
        rtl, _ = ends(engine)
        never = engine.net("never")
        assert engine.run_until(never, value=1) == "quiet"
        ended.add((engine.now, rtl.cycles_run))
        assert rtl.state()["asleep"] == 0
        assert 160_000 <= rtl.cycles_run <= 400_000
    assert len(ended) == 1  # the host's time plays no part


def test_time_is_exact_while_cycles_run_in_one_go(engine: Engine) -> None:
    rtl, _ = ends(engine)
    host = engine.host("host", engine.find("ends_0") and engine.clock("other", 33e6))
    seen: list[int] = []
    host.at(777_777, lambda: seen.append(engine.now))
    host.at(1_234_560, lambda: seen.append(engine.now))
    engine.run(5_000_000)
    assert seen == [777_777, 1_234_560]
    assert engine.now == 5_000_000
    assert rtl.cycles_run == 500


def test_waiting_for_a_net_stops_at_its_cycle(engine: Engine) -> None:
    board = StreamBoard(engine, "plain", inputs={"run": 1})
    board.start(np.arange(200, dtype=np.uint8))
    assert engine.run_until(board.outputs["irq"], value=1) == "hit"
    at = engine.now
    assert at % PERIOD == 0
    engine.run(PERIOD)
    assert board.outputs["irq"].value == 0
    calls = []
    assert engine.run_until(lambda: bool(calls.append(engine.now) or len(calls) > 3)) == "hit"


def test_frequency_at_run_time(engine: Engine) -> None:
    clock = engine.clock("clk", 100e6)
    rtl = block(engine, clock, "ends")
    rtl.add_clock("clk", clock)
    rtl.begin()
    engine.elaborate()
    engine.run(100 * PERIOD)
    assert rtl.cycles_run == 100
    clock.hertz = 0
    engine.run(100 * PERIOD)
    assert rtl.cycles_run == 100
    clock.hertz = 50e6
    engine.run(100 * PERIOD)
    assert rtl.cycles_run == 150
    clock.hertz = 200e6
    engine.run(100 * PERIOD)
    assert rtl.cycles_run == 350


def two_clocks(engine: Engine, fast: float, slow: float) -> tuple[Rtl, dict[str, Net]]:
    clocks = {"fast": engine.clock("fast", fast), "slow": engine.clock("slow", slow)}
    rtl = block(engine, clocks["fast"], "clocks")
    nets = {}
    for name, direction, bits in rtl.module_ports():
        if name in clocks:
            rtl.add_clock(name, clocks[name])
            continue
        rtl.add_pin(name)
        nets[name] = engine.net(name, bits)
        rtl.wire(name, nets[name])
        assert direction in ("in", "out")
    rtl.begin()
    engine.elaborate()
    return rtl, nets


@pytest.mark.parametrize(("fast", "slow"), [(100e6, 50e6), (100e6, 33e6), (150e6, 100e6), (100e6, 100e6)])
def test_several_clocks(engine: Engine, fast: float, slow: float) -> None:
    rtl, nets = two_clocks(engine, fast, slow)
    nets["go"].drive(1)
    engine.run(10_000_000)  # 10 us
    expected = {"fast_count": int(10e-6 * fast), "slow_count": int(10e-6 * slow)}
    for name, value in expected.items():
        assert abs(nets[name].value - value) <= 1, name
    # What the slow side has seen is what the fast side had before its last edge.
    assert 0 <= nets["fast_count"].value - nets["seen"].value <= fast / slow + 1
    assert nets["half"].edges() * 2 >= expected["fast_count"] - 2
    nets["go"].drive(0)
    engine.run(1_000_000)
    assert engine.quiet
    assert nets["seen"].value == nets["fast_count"].value
    before = rtl.cycles_run
    engine.run(10**12)
    assert rtl.cycles_run == before


def test_a_toggle_between_two_edges_of_the_slow_clock_is_life(engine: Engine) -> None:
    rtl, nets = two_clocks(engine, 100e6, 50e6)
    nets["spin"].drive(1)
    engine.run(100_000_000)
    assert rtl.state()["asleep"] == 0
    nets["spin"].drive(0)
    engine.run(2_000_000_000)
    assert rtl.state()["asleep"] == 1


def test_without_a_clock(engine: Engine) -> None:
    rtl = block(engine, engine.clock("clk", 1e8), "gates")
    nets = {}
    for name, _, bits in rtl.module_ports():
        rtl.add_pin(name)
        nets[name] = engine.net(name, bits)
        rtl.wire(name, nets[name])
    rtl.begin()
    engine.elaborate()
    for a, b in ((1, 2), (200, 100), (0, 0)):
        nets["a"].drive(a)
        nets["b"].drive(b)
        assert (nets["sum"].value, nets["more"].value) == (a + b, int(a > b))
    assert engine.quiet


def test_a_combinational_path_settles_at_the_edge(engine: Engine) -> None:
    board = StreamBoard(engine, "plain", inputs={"run": 0})
    assert board.outputs["runs"].value == 0
    board.inputs["run"].drive(1)
    engine.run(2 * PERIOD)
    assert board.outputs["runs"].value == 1


# -- what the RTL says ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("what", "error", "words", "line"),
    [
        (1, RtlFinished, r"\$finish at .*ends.sv:15;", 15),
        (2, RtlError, r"\$stop at .*ends.sv:16;", 16),
        (3, RtlError, r"\$fatal .*ends.sv:17: it went wrong: 7;", 17),
        (4, RtlError, r"assertion .*ends.sv:18: never true;", 18),
    ],
)
def test_the_end(engine: Engine, what: int, error: type[RtlError], words: str, line: int) -> None:
    rtl, net = ends(engine)
    engine.run(10 * PERIOD)
    net.drive(what)
    with pytest.raises(RtlError, match=f"ends_0 ended in cycle 11: .*{words}") as caught:
        engine.run(10 * PERIOD)
    assert type(caught.value) is error
    assert caught.value.cell == "ends_0"
    assert caught.value.cycle == 11
    assert caught.value.file.endswith("ends.sv")
    assert caught.value.line == line
    # The board goes on without it.
    before = rtl.cycles_run
    engine.run(100 * PERIOD)
    assert rtl.cycles_run == before
    assert "stands still until the design is downloaded again" in rtl.explain()
    assert engine.quiet


def test_display_reaches_the_log(engines: Callable[..., Engine]) -> None:
    lines: list[tuple[str, str, int]] = []
    engine = engines()
    rtl, net = ends(engine, lambda *line: lines.append(line))
    assert [text for text, _, _ in lines] == ["born"]
    net.drive(5)
    engine.run(3 * PERIOD)
    assert [text for text, _, _ in lines[1:]] == ["hello 0", "hello 1", "hello 2"]
    assert all(not file or file.endswith("ends.sv") for _, file, _ in lines)
    assert rtl.state()["asleep"] == 0
    engine.close()
    assert lines[-1][0] == "buried"


def test_a_log_that_raises_stops_the_run(engine: Engine) -> None:
    def log(text: str, *_: Any) -> None:
        if text.startswith("hello"):
            raise KeyError(text)

    _, net = ends(engine, log)
    net.drive(5)
    with pytest.raises(KeyError, match="hello 0"):
        engine.run(3 * PERIOD)
    net.drive(0)
    engine.run(3 * PERIOD)


def test_two_of_one_library(engine: Engine) -> None:
    first, what = ends(engine, cell="a")
    second, _ = ends(engine, cell="b")
    engine.run(5 * PERIOD)
    what.drive(1)
    with pytest.raises(RtlFinished, match="a ended"):
        engine.run(5 * PERIOD)
    engine.run(5 * PERIOD)
    assert second.cycles_run > first.cycles_run
    assert second.state()["pin.cycles"] == second.cycles_run
    assert second.explain() == ""


# -- life ----------------------------------------------------------------------------------------------------
def test_close_in_the_middle(engines: Callable[..., Engine]) -> None:
    engine = engines()
    board = StreamBoard(engine, "plain", inputs={"run": 1})
    board.start(np.arange(200, dtype=np.uint8).repeat(100))
    engine.run(500 * PERIOD)
    engine.close()
    with pytest.raises(OverlayNotLoadedError):
        _ = board.rtl.cycles_run
    del board
    gc.collect()


def test_a_module_is_taken_out(engine: Engine) -> None:
    lines: list[str] = []
    rtl, _ = ends(engine, lambda text, *_: lines.append(text))
    engine.run(5 * PERIOD)
    engine.take_out([rtl])
    assert lines == ["born", "buried"]
    engine.run(5 * PERIOD)
    assert engine.quiet


def test_close_by_another_thread(engine: Engine) -> None:
    ends(engine)
    threading.Timer(0.05, engine.close).start()
    start = time.monotonic()
    with pytest.raises(OverlayNotLoadedError):
        engine.run(10**15)
    assert time.monotonic() - start < 30


def test_other_threads_get_in(engine: Engine) -> None:
    rtl, _ = ends(engine)
    seen: list[int] = []

    def look() -> None:
        for _ in range(20):
            seen.append(rtl.cycles_run)
            time.sleep(0.001)
        engine.close()

    thread = threading.Thread(target=look)
    thread.start()
    with pytest.raises(OverlayNotLoadedError):
        engine.run(10**15)
    thread.join()
    assert len(set(seen)) > 5


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals are the main thread's"
)
def test_ctrl_c_in_a_long_run(engine: Engine) -> None:
    ends(engine)
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        engine.run(10**15)
    assert time.monotonic() - start < 20  # 0.2 s where the machine is not busy
    engine.run(PERIOD)


def test_the_interpreter_survives_an_exit_without_close() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pynq.backends.sim._engine import Engine\n"
        "from tests.engine.test_rtl_core import ends\n"
        "engine = Engine(); rtl, net = ends(engine, print); engine.run(1000000); net.drive(2)\n"
        "engine.run(1000000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(RTL.parents[2])],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "RtlError: ends_0 ended in cycle" in done.stderr
    assert "born" in done.stdout


def test_libraries_are_built_once() -> None:
    assert library("plain").path == library("plain").path
