"""The cache of libraries: what makes a new one, what does not, and who may come in between."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from pynq.backends.sim.rtl import build as build_module
from pynq.backends.sim.rtl.build import Library, Sources, build
from pynq.backends.sim.rtl.cache import Cache, default_folder
from pynq.errors import BackendWarning, RtlBuildError

from .rtl_library import Model

TEXT = """\
`include "value.vh"
module t(input clk, output reg [31:0] q);
  always @(posedge clk) q <= `VALUE;
endmodule
"""


@pytest.fixture(scope="module")
def runtime_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the runtimes only, with and without coverage, to be linked into new ones.

    They are those of the user's cache, since they take longer to compile than all the rest.
    """
    folder = tmp_path_factory.mktemp("runtime") / "cache" / "rtl"
    file = tmp_path_factory.mktemp("any") / "t.v"
    used: set[Path] = set()
    load = Cache.load

    def watch(self: Cache, kind: str, key: str) -> dict[str, Any] | None:
        if kind == "runtime":
            used.add(self.place(kind, key))
        return load(self, kind, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cache, "load", watch)
        for coverage in (False, True):
            # A parameter of its own, since a library that is there needs no runtime.
            file.write_text(f"module t(input clk); parameter NOW = {time.time_ns() % 2**31}; endmodule\n")
            build([Sources("t", (file,))], progress=False, coverage=coverage)
    assert len(used) == 2
    for place in used:
        shutil.copytree(place, folder / "runtime" / place.name, copy_function=_link)
    return folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


@pytest.fixture
def cache(runtime_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache with the runtime in it; returns its folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("PYNQ_CACHE", str(folder))
    (folder / "rtl").mkdir(parents=True)
    (folder / "rtl" / "runtime").symlink_to(runtime_cache / "runtime")
    return folder / "rtl"


def sources(folder: Path, *include: str) -> Sources:
    file = folder / "src" / "t.v"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(TEXT)
    for name in include:
        (folder / name).mkdir(exist_ok=True)
    return Sources("t", (file,), include=tuple(folder / name for name in include))


def value_of(library: Library) -> int:
    model = Model(library.path, library.folders)
    model.cycle()
    value = model["q"]
    model.close()
    return value


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was really done: names of the stages, in the order of their calls."""
    done: list[str] = []

    def watch(name: str) -> None:
        original = getattr(build_module, name)

        def call(*arguments: object, **options: object) -> object:
            done.append(name)
            return original(*arguments, **options)

        monkeypatch.setattr(build_module, name, call)

    for name in ("preprocess", "verilate", "compile_design"):
        watch(name)
    return done


def test_what_makes_a_new_library(cache: Path, tmp_path: Path, count: list[str]) -> None:
    block = sources(tmp_path, "inc")
    header = tmp_path / "inc" / "value.vh"
    header.write_text("`define VALUE 1\n")
    time.sleep(0.05)  # or the file counts as being written just now
    first = build([block], progress=False)[0]
    assert value_of(first) == 1
    assert count == ["preprocess", "verilate", "compile_design"]

    count.clear()
    os.utime(header, (1, 1))
    assert build([block], progress=False)[0] == first
    os.utime(block.files[0])
    assert build([block], progress=False)[0] == first
    assert count == []  # touched only

    header.write_text("`define VALUE 2 // two\n")
    second = build([block], progress=False)[0]
    assert value_of(second) == 2
    assert second.path != first.path
    assert count == ["preprocess", "verilate", "compile_design"]

    count.clear()
    header.write_text("`define VALUE 2 // another comment\n")
    assert build([block], progress=False)[0].path == second.path
    assert count == ["preprocess"]

    count.clear()
    header.write_text("`define VALUE 1\n")
    assert build([block], progress=False)[0].path == first.path
    assert "compile_design" not in count


def test_a_file_that_comes_before_in_the_order_of_folders(cache: Path, tmp_path: Path) -> None:
    block = sources(tmp_path, "early", "late")
    (tmp_path / "late" / "value.vh").write_text("`define VALUE 1\n")
    time.sleep(0.05)
    assert value_of(build([block], progress=False)[0]) == 1
    (tmp_path / "early" / "value.vh").write_text("`define VALUE 2\n")
    assert value_of(build([block], progress=False)[0]) == 2
    (tmp_path / "early" / "value.vh").unlink()
    assert value_of(build([block], progress=False)[0]) == 1


def test_defines_parameters_and_coverage_make_new_ones(cache: Path, tmp_path: Path) -> None:
    block = sources(tmp_path, "inc")
    (tmp_path / "inc" / "value.vh").write_text("`ifndef VALUE\n`define VALUE 1\n`endif\n")
    defined = Sources(block.top, block.files, block.include, defines={"VALUE": "7"})
    one, two = build([block, defined], progress=False)
    assert (value_of(one), value_of(two)) == (1, 7)
    covered = build([block], progress=False, coverage=True)[0]
    assert covered.path != one.path


def test_the_same_block_twice_is_built_once(cache: Path, tmp_path: Path, count: list[str]) -> None:
    block = sources(tmp_path, "inc")
    (tmp_path / "inc" / "value.vh").write_text("`define VALUE 1\n")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "t.v").write_text(TEXT)
    other = Sources("t", (copy / "t.v",), include=block.include)
    one, two, three = build([block, block, other], progress=False)
    assert one == two
    assert one.path == three.path
    assert (count.count("preprocess"), count.count("compile_design")) == (2, 1)


def test_cached_is_fast_and_runs_nothing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    block = sources(tmp_path, "inc")
    (tmp_path / "inc" / "value.vh").write_text("`define VALUE 1\n")
    time.sleep(0.05)
    build([block])
    assert "building t ..." in capfd.readouterr().err
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    times = []
    for _ in range(20):
        start = time.perf_counter()
        build([block])
        times.append(time.perf_counter() - start)
    assert min(times) < 0.010
    assert capfd.readouterr().err == ""


def _build_in_a_process(block: Sources, barrier: object, results: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    library = build([block], progress=False)[0]
    results.put(str(library.path))  # type: ignore[attr-defined]


def test_two_processes_at_once_build_one(cache: Path, tmp_path: Path) -> None:
    block = sources(tmp_path, "inc")
    (tmp_path / "inc" / "value.vh").write_text("`define VALUE 11\n")
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(3), context.Queue()
    children = [context.Process(target=_build_in_a_process, args=(block, barrier, results)) for _ in range(3)]
    for child in children:
        child.start()
    paths = {results.get(timeout=100) for _ in children}
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert len(paths) == 1
    assert len(list((cache / "libraries").iterdir())) == 1
    assert list((cache / "work").iterdir()) == []


@pytest.mark.parametrize("delay", [0.05, 0.3, 0.8])
def test_a_build_that_is_killed_leaves_nothing_in_the_way(cache: Path, tmp_path: Path, delay: float) -> None:
    block = sources(tmp_path, "inc")
    (tmp_path / "inc" / "value.vh").write_text("`define VALUE 12\n")
    program = (
        "import sys\nfrom pathlib import Path\nfrom pynq.backends.sim.rtl.build import Sources, build\n"
        "print('ready', flush=True)\n"
        f"files, include = (Path({str(block.files[0])!r}),), (Path({str(block.include[0])!r}),)\n"
        "build([Sources('t', files, include=include)])\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    for place in (cache / "libraries").glob("*"):
        assert (place / "entry.json").is_file()  # whole or not there
    assert value_of(build([block], progress=False)[0]) == 12
    assert list((cache / "work").iterdir()) == []  # the leftovers of the killed one are gone


def test_ctrl_c_kills_the_tools_and_leaves_no_mess(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "t.sv"
    body = "\n".join(
        f"reg [63:0] r{i}; always @(posedge clk) r{i} <= r{i} * 64'd{i + 3} + {f'r{i - 1}' if i else 'd'};"
        for i in range(3000)
    )
    file.write_text(
        f"module t(input clk, input [63:0] d, output [63:0] q);\n{body}\nassign q = r2999;\nendmodule\n"
    )
    program = (
        "from pathlib import Path\nfrom pynq.backends.sim.rtl.build import Sources, build\n"
        f"file = Path({str(file)!r})\n"
        "try:\n    print('ready', flush=True)\n    build([Sources('t', (file,))], progress=False)\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    deadline = time.monotonic() + 60
    while not list((cache / "work").glob("build-*/b0/cpp/unit*.cc")) and time.monotonic() < deadline:
        time.sleep(0.02)  # until the compiler runs
    child.send_signal(signal.SIGINT)
    start = time.monotonic()
    assert child.stdout.read() == b"interrupted\n"
    child.wait()
    child.stdout.close()
    assert time.monotonic() - start < 30
    assert list((cache / "work").iterdir()) == []
    deadline = time.monotonic() + 30
    while _compilers_at(tmp_path):  # killed, but the kernel may take its time to end them
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _compilers_at(folder: Path) -> list[bytes]:
    """Command lines of compilers that work in a folder."""
    commands = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(file.read_bytes())
        except OSError:  # ended meanwhile
            continue
    return [command for command in commands if b"cc1plus" in command and str(folder).encode() in command]


def test_damage_is_repaired(cache: Path, tmp_path: Path) -> None:
    block = sources(tmp_path, "inc")
    (tmp_path / "inc" / "value.vh").write_text("`define VALUE 1\n")
    library = build([block], progress=False)[0]
    (library.path.parent / "entry.json").write_text("{half")
    assert value_of(build([block], progress=False)[0]) == 1
    for record in (cache / "requests").iterdir():
        record.write_text("[]")
    assert value_of(build([block], progress=False)[0]) == 1
    library.path.unlink()
    assert value_of(build([block], progress=False)[0]) == 1


def test_the_longest_unused_go_when_the_bound_is_reached(cache: Path, tmp_path: Path) -> None:
    store = Cache(cache, bound=2500)
    store._prepare()
    (cache / "runtime").unlink()
    (cache / "runtime").mkdir()
    for i in range(4):
        place = store.place("library", f"key{i}")
        place.mkdir()
        (place / "design.so").write_bytes(bytes(1000))
        (place / "entry.json").write_text('{"label": "x"}')
        os.utime(place / "entry.json", (1000 + i, 1000 + i))
    assert store.load("library", "key0") is not None  # a use
    store.prune()
    assert {entry.path.name for entry in store.entries()} == {"key0", "key3"}


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")  # a folder can't be made below a file, not even by root
    monkeypatch.setenv("PYNQ_CACHE", str(blocked))
    with pytest.warns(BackendWarning, match="can't be written .*PYNQ_CACHE"):
        cache = Cache.open(lambda text: warnings.warn(text, BackendWarning, stacklevel=2))
    assert cache.folder.is_dir()
    assert not cache.folder.is_relative_to(tmp_path)


def test_the_warning_of_the_cache_points_at_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("PYNQ_CACHE", str(blocked))
    with pytest.warns(BackendWarning, match="can't be written") as seen:
        build([], progress=False)
    assert seen[0].filename == __file__


def test_a_full_disk_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Cache(cache)
    store._prepare()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RtlBuildError, match=r"No space left on device; free some space .*pynq cache clear"):
        store.write(cache / "x", b"1")


@pytest.mark.parametrize(
    "reason",
    [
        OSError(28, "No space left on device"),
        RtlBuildError("t: the C++ compiler failed: cannot write PCH file: No space left on device"),
    ],
)
def test_a_disk_that_fills_during_a_build_is_told(cache: Path, reason: Exception) -> None:
    store = Cache(cache)
    store._prepare()
    with (
        pytest.raises(RtlBuildError, match=r"can't be written: No space left on device; free some space"),
        store.work(),
    ):
        raise reason
    assert list((cache / "work").iterdir()) == []


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYNQ_CACHE", str(tmp_path))
    assert default_folder() == tmp_path / "rtl"
    monkeypatch.delenv("PYNQ_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_folder() == tmp_path / "xdg" / "pynq-anywhere" / "rtl"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == tmp_path / ".cache" / "pynq-anywhere" / "rtl"


def test_the_command(
    cache: Path, runtime_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pynq.cli import main

    block = sources(tmp_path, "inc")
    (tmp_path / "inc" / "value.vh").write_text("`define VALUE 1\n")
    (cache / "runtime").unlink()
    shutil.copytree(runtime_cache / "runtime", cache / "runtime", copy_function=_link)
    build([block], progress=False)
    assert main(["cache", "info"]) == 0
    out = capsys.readouterr().out
    assert str(cache) in out.replace("\n", "")
    assert "library" in out
    assert "runtime" in out
    assert main(["cache", "clear"]) == 0
    assert "MB freed" in capsys.readouterr().out
    assert Cache(cache).entries() == []
    shutil.copytree(runtime_cache / "runtime", cache / "runtime", copy_function=_link, dirs_exist_ok=True)
    assert value_of(build([block], progress=False)[0]) == 1
