"""The writers of VCD and FST against readers that others made, and our own of VCD."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.waves.boards import fst2vcd

from pynq.backends.sim._engine import WaveFile
from pynq.errors import PynqError, SignalNotFoundError
from pynq.waves import Value, Waveform, read_waves

pywellen = pytest.importorskip("pywellen")

WIDTHS = (1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 96, 100, 257)

Step = dict[int, "int | float | None"]


def variables(widths: list[int]) -> list[tuple[str, str, int, str]]:
    kinds = "wr"
    return [
        (f"top/unit{i % 3}", f"s{i}", abs(width), "f" if width == -64 else kinds[i % 2])
        for i, width in enumerate(widths)
    ]


def write(path: Path, kind: str, widths: list[int], steps: list[tuple[int, Step]], flushes: set[int]) -> None:
    file = WaveFile(str(path), kind, variables(widths))  # type: ignore[arg-type]
    for number, (time, changes) in enumerate(steps):
        file.time(time)
        for variable, value in changes.items():
            if value is None:
                file.unknown(variable)
            else:
                file.change(variable, value)
        if number in flushes:
            file.flush()
    file.close()


def expected(widths: list[int], steps: list[tuple[int, Step]]) -> dict[str, list[tuple[int, Value]]]:
    names = [f"top.unit{i % 3}.s{i}" for i in range(len(widths))]
    found: dict[str, list[tuple[int, Value]]] = {name: [] for name in names}
    for time, changes in steps:
        for variable, value in changes.items():
            found[names[variable]].append((time, value))
    return {name: real_changes(pairs) for name, pairs in found.items()}


def real_changes(pairs: list[tuple[int, Value]]) -> list[tuple[int, Value]]:
    """Leave out what sets a value again: some readers do."""
    return [pair for i, pair in enumerate(pairs) if i == 0 or pair[1] != pairs[i - 1][1]]


def changes_of(wave: Waveform) -> dict[str, list[tuple[int, Value]]]:
    return {
        trace.name: real_changes(
            [
                (time, None if isinstance(value, float) and math.isnan(value) else value)
                for time, value in trace.changes
            ]
        )
        for trace in wave.traces
    }


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, Step]], set[int]]:
    widths = draw(st.lists(st.sampled_from((*WIDTHS, -64)), min_size=1, max_size=12))

    def value(width: int) -> st.SearchStrategy[int | float | None]:
        if width == -64:
            return st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=32))
        top = (1 << width) - 1
        return st.one_of(st.none(), st.just(0), st.just(top), st.integers(0, top))

    first = {i: draw(value(width)) for i, width in enumerate(widths)}
    steps: list[tuple[int, Step]] = [(draw(st.integers(0, 10**7)), first)]
    for _ in range(draw(st.integers(0, 25))):
        chosen = draw(st.sets(st.integers(0, len(widths) - 1)))
        step = {i: draw(value(widths[i])) for i in sorted(chosen)}
        steps.append((steps[-1][0] + draw(st.integers(1, 10**6)), step))
    flushes = draw(st.sets(st.integers(0, len(steps) - 1)))
    return widths, steps, flushes


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recordings())
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[list[int], list[tuple[int, Step]], set[int]]
) -> None:
    widths, steps, flushes = made
    folder = tmp_path_factory.mktemp("files")
    want = expected(widths, steps)
    for kind in ("vcd", "fst"):
        path = folder / f"run.{kind}"
        write(path, kind, widths, steps, flushes)
        assert changes_of(read_waves(path)) == want, kind


def long_run(length: int) -> tuple[list[int], list[tuple[int, Step]]]:
    """Signals of every width with patterns that repeat, and some that don't: long enough for compression."""
    widths = [*WIDTHS, -64]
    state = 12345
    steps: list[tuple[int, Step]] = []
    for i in range(length):
        step: Step = {}
        for number, width in enumerate(widths):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            if i == 0 or state % 3 == 0:
                top = (1 << abs(width)) - 1
                step[number] = i / 8 if width == -64 else (i * 0x9E3779B97F4A7C15 ** (1 + number % 3)) & top
        step[0] = i & 1
        steps.append((1000 + 5000 * i, step))
    return widths, steps


def test_gtkwave_reads_long_fst_files_in_the_same_way(tmp_path: Path) -> None:
    widths, steps = long_run(4000)
    write(tmp_path / "run.fst", "fst", widths, steps, {100, 101, 2000})
    (tmp_path / "theirs.vcd").write_text(fst2vcd(tmp_path / "run.fst"), encoding="utf-8")
    ours, theirs = read_waves(tmp_path / "run.fst"), read_waves(tmp_path / "theirs.vcd")
    assert sorted(ours.names) == sorted(theirs.names)
    want = expected(widths, steps)
    assert changes_of(ours) == want
    assert changes_of(theirs) == want
    small = (tmp_path / "run.fst").stat().st_size
    write(tmp_path / "run.vcd", "vcd", widths, steps, set())
    assert small * 3 < (tmp_path / "run.vcd").stat().st_size


def test_pywellen_reads_our_vcd(tmp_path: Path) -> None:
    widths, steps = long_run(300)
    write(tmp_path / "run.vcd", "vcd", widths, steps, {7})
    waves = pywellen.Waveform(str(tmp_path / "run.vcd"))
    assert str(waves.timescale.unit) == "ps"
    found = {variable.full_name: real_changes(list(variable.signal)) for variable in waves.all_vars()}
    assert found == expected(widths, steps)


def test_names_scopes_and_aliases(tmp_path: Path) -> None:
    rows = [("cell/sub", "mem[3]", 32, "r"), ("cell", "odd name", 1, "w"), ("cell/sub", "WIDTH", 8, "p")]
    for kind in ("vcd", "fst"):
        path = tmp_path / f"run.{kind}"
        file = WaveFile(str(path), kind, rows)  # type: ignore[arg-type]
        file.time(0)
        for i in range(3):
            file.change(i, i + 1 if i != 1 else 1)
        file.close()
        wave = read_waves(path, ["cell.sub.*"])
        assert wave.names == ["cell.sub.mem[3]", "cell.sub.WIDTH"]
        assert wave["mem[3]"].at(0) == 1
        with pytest.raises(SignalNotFoundError, match=r"cell\.sub\.WIDTH"):
            read_waves(path, ["cell.sub.WITH"])


def test_equal_recordings_are_equal_files(tmp_path: Path) -> None:
    widths, steps = long_run(200)
    for kind in ("vcd", "fst"):
        for name in ("a", "b"):
            write(tmp_path / f"{name}.{kind}", kind, widths, steps, {50})
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from pynq.backends.sim._engine import WaveFile
from tests.waves.test_wave_files import long_run, variables
widths, steps = long_run(1000)
file = WaveFile({path!r}, {kind!r}, variables(widths))
for number, (time, changes) in enumerate(steps):
    file.time(time)
    for variable, value in changes.items():
        file.change(variable, value)
    if number in (300, 600):
        file.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", ["vcd", "fst"])
def test_a_killed_process_leaves_a_file_up_to_its_last_flush(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"run.{kind}"
    root = str(Path(__file__).parents[2])
    program = KILLED.format(root=root, path=str(path), kind=kind)
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -9
    wave = read_waves(path)
    widths, steps = long_run(1000)
    assert wave.end >= steps[600][0]
    want = expected(widths, [step for step in steps if step[0] <= steps[600][0]])
    until = {
        name: [pair for pair in pairs if pair[0] <= steps[600][0]] for name, pairs in changes_of(wave).items()
    }
    assert until == want
    if kind == "fst":
        assert f"#{steps[600][0]}\n" in fst2vcd(path)


def test_a_child_does_not_write_what_its_parent_holds(tmp_path: Path) -> None:
    path = tmp_path / "run.vcd"
    file = WaveFile(str(path), "vcd", [("top", "a", 8, "w")])
    file.time(5)
    file.change(0, 7)
    child = os.fork()
    if child == 0:
        file.close()
        os._exit(0)
    os.waitpid(child, 0)
    file.close()
    assert path.read_text().count("#5\n") == 1


def test_errors(tmp_path: Path) -> None:
    row = [("top", "a", 8, "w")]
    with pytest.raises(FileNotFoundError, match=r"nowhere"):
        WaveFile(str(tmp_path / "nowhere" / "x.fst"), "fst", row)
    with pytest.raises(IsADirectoryError):
        WaveFile(str(tmp_path), "vcd", row)
    with pytest.raises(ValueError, match="no format"):
        WaveFile(str(tmp_path / "x"), "ghw", row)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="wrong width"):
        WaveFile(str(tmp_path / "x"), "vcd", [("top", "a", 0, "w")])
    for kind in ("vcd", "fst"):
        with pytest.raises(OSError, match="No space left"):  # noqa: PT012
            file = WaveFile("/dev/full", kind, row)  # type: ignore[arg-type]
            file.time(0)
            file.change(0, 1)
            file.flush()
    file = WaveFile(str(tmp_path / "x.vcd"), "vcd", row)
    file.time(10)
    with pytest.raises(ValueError, match="never goes back"):
        file.time(9)
    with pytest.raises(ValueError, match="no variable 1"):
        file.change(1, 0)
    file.close()
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.time(11)


def test_files_that_are_no_waves(tmp_path: Path) -> None:
    for name, data in (("a.vcd", b"$date today"), ("b.fst", b"\0\1\2\3"), ("c.fst", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(PynqError, match=name):
            read_waves(tmp_path / name)
    (tmp_path / "d.vcd").write_text("$timescale 3 parsec $end\n$enddefinitions $end\n")
    with pytest.raises(PynqError, match="parsec"):
        read_waves(tmp_path / "d.vcd")


def test_times_of_other_tools_are_picoseconds_here(tmp_path: Path) -> None:
    (tmp_path / "ns.vcd").write_text(
        "$timescale\n 10ns\n$end $scope module t $end\n$var wire 4 ab n [3:0] $end\n$upscope $end\n"
        "$enddefinitions $end\n$dumpvars\nbx ab\n$end\n#3\nb101 ab\n#5\n"
    )
    wave = read_waves(tmp_path / "ns.vcd")
    assert wave["t.n"].changes == [(0, None), (30_000, 5)]
    assert wave.end == 50_000


@pytest.mark.parametrize(
    ("header", "body", "words"),
    [
        ("$scope $end", "", "scope without a name"),
        ("$upscope $end", "", "more \\$upscope"),
        ("$var wire 1 $end", "", "expected kind, bits, code and name"),
        ("$var wire one ! a $end", "", "expected kind, bits, code and name"),
        ("$var wire \u0661 ! a $end", "", "expected kind, bits, code and name"),
        ("$var wire 1 ! a $end", "#\n1!\n", "no time"),
        ("$var wire 1 ! a $end", "#1_0\n1!\n", "no time"),
        ("$var wire 1 ! a $end", f"#{'9' * 5000}\n1!\n", "no time"),
        ("$timescale 1\u0661 ns $end", "", "timescale"),
    ],
)
def test_vcd_files_that_no_tool_wrote(tmp_path: Path, header: str, body: str, words: str) -> None:
    file = tmp_path / "bad.vcd"
    file.write_text(f"$timescale 1 ns $end\n{header}\n$enddefinitions $end\n{body}", "utf-8")
    with pytest.raises(PynqError, match=words):
        read_waves(file)
