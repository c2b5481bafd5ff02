"""Scripts in several files: what one sources runs as if it stood there, if it lies beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tcl_scripts import needs_tcl

from pynq.design.model import Design
from pynq.design.tcl import helpers, read
from pynq.errors import DesignError

pytestmark = needs_tcl

PS = "xilinx.com:ip:processing_system7:5.5"
PART = f"set ps [create_bd_cell -type ip -vlnv {PS} ps]\nproc width {{}} {{return 4}}\n"


def project(folder: Path, call: str, place: str = "part.tcl", text: str = PART) -> Design:
    folder.joinpath(place).parent.mkdir(parents=True, exist_ok=True)
    folder.joinpath(place).write_text(text)
    folder.joinpath("all.tcl").write_text(f"""set here [file dirname [file normalize [info script]]]
create_bd_design d
{call}
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 gpio
catch {{set_property CONFIG.C_GPIO_WIDTH [width] [get_bd_cells gpio]}}
""")
    return read(folder / "all.tcl")


@pytest.mark.parametrize(
    ("call", "place"),
    [
        ("source part.tcl", "part.tcl"),
        ("source ./part.tcl -notrace", "part.tcl"),
        ("source -notrace $here/part.tcl", "part.tcl"),
        ("source [file join $here tcl part.tcl]", "tcl/part.tcl"),
        ("source ../tcl/part.tcl", "tcl/part.tcl"),
        ("source {C:\\work\\tcl\\part.tcl}", "tcl/part.tcl"),
        ("proc load_all {} {uplevel #0 {source part.tcl}}; load_all", "part.tcl"),
    ],
)
def test_what_is_sourced_is_part_of_the_script(call: str, place: str, tmp_path: Path) -> None:
    if "-notrace" in call.split("part.tcl")[-1]:
        call = "source -notrace ./part.tcl"
    design = project(tmp_path, call, place)
    assert list(design.cells) == ["gpio", "ps"]
    assert design.cells["gpio"].parameters["C_GPIO_WIDTH"] == "4"
    assert design.cells["ps"].source.line == 3  # that of the source
    assert not any("source" in note.message for note in design.notes)


def test_variables_are_the_callers_and_return_ends_the_part_only(tmp_path: Path) -> None:
    text = "set inner [list $outer]\nreturn 7\ncreate_bd_cell -type hier never\n"
    call = "proc run {} {set outer 5; set got [source part.tcl]; create_bd_cell -type hier h$inner$got}; run"
    assert "h57/x" not in project(tmp_path, call, text=text).cells
    call += "\ncreate_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 h57/x"
    assert list(project(tmp_path, call, text=text).cells) == ["gpio", "h57/x"]


def test_what_is_not_beside_is_a_note(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    tmp_path.joinpath("secret.tcl").write_text(PART)
    (folder / "link.tcl").symlink_to(tmp_path / "secret.tcl")
    design = project(folder, "source ../secret.tcl\nsource link.tcl\nsource /etc/passwd")
    assert list(design.cells) == ["gpio"]
    notes = [(note.line, note.message) for note in design.notes if "source" in note.message]
    assert [line for line, _ in notes] == [3, 4, 5]
    assert notes[0][1] == "source secret.tcl: there is no such script beside this one, it is not read"


def test_an_error_in_a_part_has_the_line_of_the_source(tmp_path: Path) -> None:
    with pytest.raises(DesignError, match=r"all.tcl:3: .*no such variable"):
        project(tmp_path, "source part.tcl", text="set x $nothing\n")


def test_a_part_that_sources_itself_ends(tmp_path: Path) -> None:
    with pytest.raises(DesignError, match=r"too many nested|runs for more than"):
        project(tmp_path, "source part.tcl", text="source part.tcl\n")


def test_parts_are_in_the_same_sandbox(tmp_path: Path) -> None:
    with pytest.raises(DesignError, match="exec is refused"):
        project(tmp_path, "source part.tcl", text="exec touch here\n")
    with pytest.raises(DesignError, match="socket is refused"):
        project(tmp_path, "source part.tcl", text="socket localhost 80\n")


def test_few_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "a" / "b" / "c" / "d"
    deep.mkdir(parents=True)
    for folder in (deep, deep.parent):
        folder.joinpath("part.tcl").write_text(PART)
    script = tmp_path / "all.tcl"
    assert list(helpers.sourced_by(b"source x", str(script))) == ["a/b/c/part.tcl"]
    assert not helpers.sourced_by(b"# source x\nset y source", str(script))
    for number in range(5):
        tmp_path.joinpath(f"p{number}.tcl").write_text(PART)
    monkeypatch.setattr(helpers, "MAX_FILES", 2)
    assert list(helpers.sourced_by(b"  source x", str(script))) == ["p0.tcl", "p1.tcl"]
