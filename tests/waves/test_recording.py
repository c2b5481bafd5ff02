"""Recordings of a running board: what is in them, when they begin and end, and that nobody notices."""

from __future__ import annotations

import errno
import resource
from pathlib import Path

import numpy as np
import pytest
from tests.waves.boards import PERIOD, Board, fst2vcd, library, words

from pynq.backends.sim import _engine
from pynq.backends.sim._engine import Engine
from pynq.errors import OverlayNotLoadedError, RtlError
from pynq.waves import Waveform, read_waves

pytest.importorskip("pywellen")

CELL = "filter.watched_0"


def exercise(board: Board, cycles: int = 60) -> bytes:
    """Reset, count, and send ten words through the block; return what came out."""
    board.reset()
    board.mode.drive(9)
    board.enable.drive(1)
    got: list[bytes] = []
    board.host.receive("in", 40, lambda data, *_: got.append(bytes(data)))
    board.host.send("out", words(range(1, 11)), last=True)
    board.run(cycles)
    return b"".join(got)


def both(board: Board, folder: Path, **options: object) -> list[_engine.Recorder]:
    return [
        board.record(path=str(folder / f"run.{kind}"), format=kind, **options)  # type: ignore[arg-type]
        for kind in ("vcd", "fst")
    ]


def test_a_file_shows_what_happened(tmp_path: Path) -> None:
    board = Board()
    recorders = both(board, tmp_path)
    memory = board.record(f"{CELL}.count", f"{CELL}.clk")
    assert exercise(board) == words([2 * i for i in range(1, 11)])
    end = board.engine.now
    for recorder in recorders:
        recorder.close()
    vcd, fst = read_waves(tmp_path / "run.vcd"), read_waves(tmp_path / "run.fst")
    assert sorted(vcd.names) == sorted(board.names())
    for trace in fst.traces:
        assert [p for p in trace.changes if p[1] is not None] == _distinct(vcd[trace.name].changes), (
            trace.name
        )
    (tmp_path / "theirs.vcd").write_text(fst2vcd(tmp_path / "run.fst"))
    theirs = read_waves(tmp_path / "theirs.vcd")
    for trace in theirs.traces:
        assert _distinct(trace.changes) == _distinct(vcd[trace.name].changes), trace.name

    # Rising edges lie where the clock has them, falling ones half a period before the next.
    clock = vcd[f"{CELL}.clk"].changes
    rises = [time for time, level in clock if level and time]
    falls = [time for time, level in clock if not level and time]
    assert rises[-40:] == list(range(end - 39 * PERIOD, end + 1, PERIOD))
    assert falls[-39:] == [time - PERIOD // 2 for time in rises[-39:]]
    # A register changes at the edge, and what the RTL says comes true at each.
    count = vcd[f"{CELL}.count"]
    steps = [pair for pair in count.changes if pair[1]]
    assert all(time % PERIOD == 0 for time, _ in steps)
    assert [value for _, value in steps] == list(range(3, 3 * len(steps) + 1, 3))
    assert vcd[f"{CELL}.level"].at(end) == len(steps) * 0.25
    assert vcd[f"{CELL}.wide"].at(end) == 1 << len(steps)
    assert vcd[f"{CELL}.STEP"].at(end) == 3
    assert vcd[f"{CELL}.status.state"].at(end) == 9
    # The stream: data, valid and ready at an edge are beats.
    edges = [time - 1 for time in rises]
    beats = [
        vcd[f"{CELL}.s_axis_tdata"].at(time)
        for time in edges
        if vcd[f"{CELL}.s_axis_tvalid"].at(time) and vcd[f"{CELL}.s_axis_tready"].at(time)
    ]
    assert beats == list(range(1, 11))
    assert vcd["host.out.beats"].at(end) == 10
    assert vcd["filter.watched_0.m_axis.packets"].at(end) == 1
    # The interrupt is seen in the block; the board's pins are there.
    high = [time for time, level in vcd[f"{CELL}.interrupt"].changes if level]
    assert high == [next(time for time, value in steps if value == 30)]
    assert vcd["board.board_mode"].at(end) == 9
    # In memory it is the same.
    begin, until, (counts, clocks) = memory.memory()
    assert (begin, until) == (0, end)
    assert _distinct(counts) == _distinct(count.changes)
    assert _distinct(clocks) == _distinct(clock)


def _distinct(pairs: object) -> list[tuple[int, object]]:
    found: list[tuple[int, object]] = []
    for time, value in pairs:  # type: ignore[attr-defined]
        if not found or found[-1][1] != value:
            found.append((time, value))
    return found


def test_nobody_notices(tmp_path: Path) -> None:
    quiet, watched = Board(), Board()
    recorders = both(watched, tmp_path, start=20 * PERIOD, stop=40 * PERIOD)
    assert exercise(quiet) == exercise(watched)
    for name in ("count", "wide", "status.words", "double_0.out_data"):
        assert quiet.value(f"{CELL}.{name}") == watched.value(f"{CELL}.{name}")
    assert quiet.engine.now == watched.engine.now
    assert quiet.engine.statistics() == watched.engine.statistics()
    assert [recorder.state for recorder in recorders] == ["stopped", "stopped"]


def test_equal_runs_make_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        board = Board()
        recorders = both(board, tmp_path / name)
        exercise(board)
        for recorder in recorders:
            recorder.close()
    for kind in ("vcd", "fst"):
        assert (tmp_path / f"a/run.{kind}").read_bytes() == (tmp_path / f"b/run.{kind}").read_bytes()


@pytest.mark.parametrize("kind", ["vcd", "fst"])
def test_start_and_stop_by_time(tmp_path: Path, kind: str) -> None:
    board = Board()
    path = tmp_path / f"run.{kind}"
    recorder = board.record(path=str(path), format=kind, start=20 * PERIOD, stop=30 * PERIOD)
    assert recorder.state == "waiting"
    board.reset()
    board.enable.drive(1)
    board.run(100)
    assert recorder.state == "stopped"
    wave = read_waves(path)
    assert (wave.begin, wave.end) == (20 * PERIOD, 30 * PERIOD)
    count = wave[f"{CELL}.count"]
    assert count.at(20 * PERIOD) == board.value(f"{CELL}.count") - 3 * (106 - 20)
    assert count.at(30 * PERIOD) == count.at(20 * PERIOD) + 30


def test_stop_and_start_leave_a_gap(tmp_path: Path) -> None:
    board = Board()
    board.reset()
    recorders = both(board, tmp_path)
    board.enable.drive(1)
    board.run(10)
    for recorder in recorders:
        recorder.stop()
    stopped = board.engine.now
    board.run(10)
    for recorder in recorders:
        recorder.start()
    again = board.engine.now
    board.run(10)
    for recorder in recorders:
        recorder.close()
    for kind in ("vcd", "fst"):
        count = read_waves(tmp_path / f"run.{kind}")[f"{CELL}.count"]
        assert count.at(stopped - 1) == 27
        assert count.at(stopped + PERIOD) is None
        assert count.at(again) == 60
        assert count.at(again + 10 * PERIOD) == 90


@pytest.mark.parametrize(
    ("comparison", "value", "first"),
    [("==", 30, 30), (">", 40, 42), (">=", 42, 42), ("!=", 0, 3), ("changes", 0, 3), ("rises", 0, 3)],
)
def test_triggers(tmp_path: Path, comparison: str, value: int, first: int) -> None:
    board = Board()
    path = tmp_path / "run.fst"
    board.reset()
    trigger = (f"{CELL}.count", comparison, value, 0, 32)
    recorder = board.record(path=str(path), trigger=trigger, stop=5 * PERIOD)
    assert recorder.state == "armed"
    assert recorder.triggered is None
    board.enable.drive(1)
    board.run(50)
    assert recorder.state == "stopped"
    wave = read_waves(path)
    count = wave[f"{CELL}.count"]
    assert recorder.triggered == wave.begin
    assert count.at(wave.begin) == first
    assert count.changes[0] == (wave.begin, first)
    assert wave.end == wave.begin + 5 * PERIOD


def test_the_time_before_a_trigger_comes_along(tmp_path: Path) -> None:
    board = Board()
    board.reset()
    recorders = both(board, tmp_path, trigger=(f"{CELL}.interrupt", "rises", 0, 0, 1), before=4 * PERIOD)
    bits = board.record(
        f"{CELL}.clk", path=str(tmp_path / "bits.vcd"), format="vcd", trigger=(f"{CELL}.count", "==", 3, 2, 2)
    )
    falls = board.record(trigger=(f"{CELL}.interrupt", "falls", 0, 0, 1))
    board.enable.drive(1)
    board.run(40)
    fired = recorders[0].triggered
    assert fired is not None
    for recorder in recorders:
        recorder.close()
    for kind in ("vcd", "fst"):
        wave = read_waves(tmp_path / f"run.{kind}")
        assert wave.begin == fired - 4 * PERIOD
        assert wave[f"{CELL}.count"].at(wave.begin) == 30 - 12
        assert wave[f"{CELL}.count"].at(fired) == 30
        assert wave[f"{CELL}.count"].at(fired - 1) == 27
        assert wave[f"{CELL}.interrupt"].at(fired - 1) == 0
    # Bits [3:2] of 12 are the first that are 3; the trigger need not be among what is recorded.
    assert bits.triggered == fired - 6 * PERIOD
    assert falls.triggered == fired + PERIOD


def test_a_trigger_that_holds_already_fires_at_once(tmp_path: Path) -> None:
    board = Board()
    board.reset()
    recorder = board.record(path=str(tmp_path / "run.fst"), trigger=(f"{CELL}.count", "==", 0, 0, 32))
    assert recorder.state == "recording"


def test_memory_keeps_the_last(tmp_path: Path) -> None:
    board = Board()
    recorder = board.record(f"{CELL}.count", f"{CELL}.double_0.clk", f"{CELL}.clk", keep=10 * PERIOD)
    board.reset()
    board.enable.drive(1)
    board.run(1000)
    begin, end, (counts, clock, same) = recorder.memory()
    assert end == board.engine.now
    assert end - 12 * PERIOD <= begin <= end - 10 * PERIOD
    assert counts[0][0] == begin
    assert counts[-1] == (end, 3000)
    assert [value for _, value in counts] == list(range(counts[0][1], 3001, 3))
    assert clock == same


def test_two_clocks_are_in_order(tmp_path: Path) -> None:
    """A module tells of its falling edges after others went on: the file has them where they belong."""
    board = Board()
    recorder = board.record(path=str(tmp_path / "run.vcd"), format="vcd")
    # A net that changes between a rising and a falling edge.
    board.engine.run(PERIOD * 7 // 4)
    board.mode.drive(1)
    board.engine.run(PERIOD * 3)
    recorder.close()
    times = [
        int(line[1:]) for line in (tmp_path / "run.vcd").read_text().splitlines() if line.startswith("#")
    ]
    assert times == sorted(set(times))


def test_idle_time_just_passes(tmp_path: Path) -> None:
    board = Board(streams=False)
    board.reset()
    board.run(100)
    recorder = board.record(path=str(tmp_path / "run.vcd"), format="vcd")
    board.run(1_000_000)
    recorder.close()
    assert recorder.bytes < 1_000_000
    assert read_waves(tmp_path / "run.vcd").end == board.engine.now


def test_files_end_with_the_engine(tmp_path: Path) -> None:
    board = Board()
    recorders = both(board, tmp_path)
    exercise(board)
    end = board.engine.now
    board.engine.close()
    for recorder in recorders:
        assert recorder.state == "closed"
        recorder.close()
        recorder.flush()
    for kind in ("vcd", "fst"):
        assert read_waves(tmp_path / f"run.{kind}").end == end
    with pytest.raises(OverlayNotLoadedError):
        recorders[0].start()


def test_flush_lets_others_read(tmp_path: Path) -> None:
    board = Board()
    recorders = both(board, tmp_path)
    for cycles in (50, 80):
        exercise(board, cycles)
        for recorder in recorders:
            recorder.flush()
        for kind in ("vcd", "fst"):
            wave = read_waves(tmp_path / f"run.{kind}")
            assert wave[f"{CELL}.count"].at(wave.end) == board.value(f"{CELL}.count")


def test_reading_a_signal_takes_nothing_from_a_recording(tmp_path: Path) -> None:
    board, other = Board(), Board()
    memory = [each.record(f"{CELL}.count", f"{CELL}.clk") for each in (board, other)]
    for each in (board, other):
        each.reset()
        each.enable.drive(1)
    for _ in range(20):
        board.run(1)
        before = board.engine.now
        assert board.value(f"{CELL}.count") % 3 == 0
        assert board.engine.now == before
        other.run(1)
    found = [_distinct(pairs) for pairs in memory[0].memory()[2]]
    assert found == [_distinct(pairs) for pairs in memory[1].memory()[2]]


@pytest.mark.parametrize("kind", ["vcd", "fst"])
def test_a_full_disk_ends_the_recording_and_not_the_run(tmp_path: Path, kind: str) -> None:
    board = Board()
    told: list[tuple[int, str]] = []
    path = str(tmp_path / "run.wave")
    recorder = board.record(path=path, format=kind, failed=lambda *args: told.append(args))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (recorder.bytes + 2000, hard))
    try:
        exercise(board, 500)
        recorder.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert told == [(errno.EFBIG, path)]
    assert recorder.state == "closed"
    with pytest.raises(OSError, match="File too large"):
        recorder.check()
    before = board.value(f"{CELL}.count")
    board.run(10)
    assert board.value(f"{CELL}.count") == before + 30


def test_a_disk_that_is_full_at_once() -> None:
    board = Board()
    with pytest.raises(OSError, match="No space left"):
        board.record(path="/dev/full")
    board.run(10)


def test_a_path_that_is_none(tmp_path: Path) -> None:
    board = Board()
    with pytest.raises(FileNotFoundError):
        board.record(path=str(tmp_path / "no" / "run.fst"))
    with pytest.raises(ValueError, match="no signal 99999"):
        _engine.record(board.engine, [99999])
    with pytest.raises(ValueError, match="no comparison"):
        board.record(trigger=(f"{CELL}.count", "=~", 0, 0, 32))
    with pytest.raises(ValueError, match="1 to 64 bits"):
        board.record(trigger=(f"{CELL}.count", "==", 0, 8, 32))


def test_waves_off_cost_nothing_in_events(tmp_path: Path) -> None:
    """Once a recording is closed the module is on its own again."""
    board = Board()
    exercise(board)
    recorder = board.record(path=str(tmp_path / "run.fst"))
    board.run(10)
    recorder.close()
    size = recorder.bytes
    board.run(1000)
    assert recorder.bytes == size
    assert (tmp_path / "run.fst").stat().st_size == size


def test_waveform_type(tmp_path: Path) -> None:
    board = Board()
    recorder = board.record(path=str(tmp_path / "run.fst"))
    exercise(board)
    recorder.close()
    wave = read_waves(tmp_path / "run.fst", [f"{CELL}.*axis_t*"])
    assert isinstance(wave, Waveform)
    assert len(wave.traces) == 8
    assert np.array_equal(wave.names, [name for name in board.names() if "axis_t" in name])


@pytest.mark.parametrize("kind", ["vcd", "fst"])
def test_a_fatal_error_of_the_rtl_is_in_the_file(tmp_path: Path, kind: str) -> None:
    engine = Engine()
    clock = engine.clock("clk", 1e12 / PERIOD)
    built = library(top="fails")
    rtl = engine.rtl("fails_0", clock, str(built.path), folders=[str(folder) for folder in built.folders])
    rtl.add_clock("clk", clock)
    rtl.begin()
    engine.elaborate()
    path = tmp_path / f"run.{kind}"
    indices = [row[0] for row in _engine.signals(engine)]
    recorder = _engine.record(engine, indices, path=str(path), format=kind)  # type: ignore[arg-type]
    with pytest.raises(RtlError, match="twenty"):
        engine.run(100 * PERIOD)
    recorder.flush()
    count = read_waves(path)["fails_0.count"]
    assert [value for _, value in count.changes][:21] == list(range(21))
    engine.run(10 * PERIOD)
    engine.close()
    assert read_waves(path)["fails_0.count"].at(19 * PERIOD) == 19


def test_a_block_that_is_taken_out_is_unknown_from_then_on(tmp_path: Path) -> None:
    """Partial reconfiguration: the rest is recorded on."""
    board = Board(streams=False)
    board.reset()
    board.enable.drive(1)
    recorders = both(board, tmp_path)
    memory = board.record(f"{CELL}.count")
    count = board.names()[f"{CELL}.count"]
    board.run(10)
    gone = board.engine.now
    board.engine.take_out([board.rtl, board.interrupt])
    assert _engine.read_signal(board.engine, count) == 30
    assert not [name for name in board.names() if name.startswith(CELL)]
    board.run(10)
    board.mode.drive(3)
    board.run(1)
    assert memory.memory()[2][0][-1] == (gone, 30)
    for recorder in recorders:
        recorder.close()
    for kind in ("vcd", "fst"):
        wave = read_waves(tmp_path / f"run.{kind}")
        assert wave[f"{CELL}.count"].at(gone - 1) == 27
        assert wave[f"{CELL}.count"].at(wave.end) is None
        assert wave["board.board_mode"].at(wave.end) == 3
