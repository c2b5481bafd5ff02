"""The native module for another machine; built here for this one, so that it can be tried at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import pytest

from pynq.errors import VirtualBoardError
from pynq.vm.cachedir import CacheDir
from pynq.vm.native import build_native, sources
from pynq.vm.progress import Progress

TAG = sysconfig.get_config_var("SOABI")
QUIET = Progress(quiet=True)
COMPILER = os.environ.get("CXX") or shutil.which("g++") or ""


def own_headers() -> Path:
    """Where Python.h of this Python is; `scripts/bootstrap.py` puts Debian's into the environment."""
    version = f"python3.{sys.version_info[1]}"
    for place in (Path(sysconfig.get_path("include")), Path(sys.prefix, "headers/usr/include", version)):
        if (place / "Python.h").is_file():
            return place
    pytest.skip("this Python has no C headers here")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> CacheDir:
    return CacheDir(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def module(cache: CacheDir) -> Path:
    if not COMPILER:
        pytest.skip("no C++ compiler")
    return build_native(cache, COMPILER, own_headers(), TAG, progress=QUIET)


def test_it_is_a_module_that_python_loads(module: Path) -> None:
    assert module.name == f"_native.{TAG}.so"
    code = (
        "import sys, importlib.util, pynq\n"
        "spec = importlib.util.spec_from_file_location('pynq._native', sys.argv[1])\n"
        "m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m)\n"
        "w = m.Window.from_memory(bytearray(16), 0x1000); w.write(4, 0xCAFE); print(hex(w.read(4)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(module)], capture_output=True, text=True)
    assert done.stdout == "0xcafe\n", done.stderr


def test_a_second_time_it_is_there(module: Path, cache: CacheDir, capfd: pytest.CaptureFixture[str]) -> None:
    before = module.stat().st_mtime_ns
    assert build_native(cache, COMPILER, own_headers(), TAG) == module
    assert module.stat().st_mtime_ns == before
    assert capfd.readouterr().err == ""
    assert sorted(file.name for file in module.parent.iterdir()) == [module.name, "entry.json"]


def fake(folder: Path, text: str) -> str:
    """A compiler that is a shell script."""
    file = folder / "fake-g++"
    file.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "fake 1.0" && exit\n{text}\n')
    file.chmod(0o755)
    return str(file)


@pytest.fixture
def include(tmp_path: Path) -> Path:
    folder = tmp_path / "include" / "python3.11"
    folder.mkdir(parents=True)
    (folder / "Python.h").touch()
    return folder.parent


def test_what_the_compiler_says_is_told(tmp_path: Path, include: Path) -> None:
    compiler = fake(tmp_path, 'echo "window.cpp:7:1: error: no such luck" >&2; exit 3')
    cache = CacheDir(tmp_path / "cache")
    with pytest.raises(
        VirtualBoardError, match=r"(?s)fake-g\+\+ .* failed \(status 3\).*7:1: error: no such luck"
    ):
        build_native(cache, compiler, include, "cpython-311-x", progress=QUIET)
    assert cache.entries() == []


def test_no_compiler_no_headers_no_tag(tmp_path: Path, include: Path) -> None:
    cache = CacheDir(tmp_path / "cache")
    with pytest.raises(
        VirtualBoardError, match=r"nowhere/g\+\+ does not start: No such file.*apt install g\+\+"
    ):
        build_native(cache, "/nowhere/g++", include, "cpython-311-x", progress=QUIET)
    with pytest.raises(VirtualBoardError, match=r"has no python3.12/Python.h"):
        build_native(cache, "g++", include, "cpython-312-x", progress=QUIET)
    for tag in ("", "cp311", "cpython-x", "cpython-3\u0661"):
        with pytest.raises(
            VirtualBoardError, match=r"names no Python; expected a tag like cpython-311-aarch64"
        ):
            build_native(cache, "g++", include, tag, progress=QUIET)


def test_two_at_once_compile_once(tmp_path: Path, include: Path) -> None:
    log = tmp_path / "log"
    last = 'for word; do case "$before" in -o) : > "$word";; esac; before="$word"; done'
    compiler = fake(tmp_path, f'echo "$@" >> {log}; sleep 0.2; {last}')
    made: list[Path] = []

    def one() -> None:
        cache = CacheDir(tmp_path / "cache")
        made.append(build_native(cache, compiler, include, "cpython-311-x", progress=QUIET))

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3
    assert len(set(made)) == 1
    assert made[0].exists()
    lines = log.read_text().splitlines()
    assert sum(line.startswith("-shared") for line in lines) == 1
    assert len(lines) == 1 + len(list(sources().glob("*.cpp")))


def test_other_headers_make_another_module(tmp_path: Path, include: Path) -> None:
    compiler = fake(tmp_path, 'for word; do case "$before" in -o) : > "$word";; esac; before="$word"; done')
    cache = CacheDir(tmp_path / "cache")
    first = build_native(cache, compiler, include, "cpython-311-x", progress=QUIET)
    (include / "python3.11" / "Python.h").write_text("// newer\n")
    second = build_native(cache, compiler, include, "cpython-311-x", progress=QUIET)
    assert first != second
    assert first.name == second.name
