"""What a file says or is must not fool a terminal, a stub, or the user who names it."""

from __future__ import annotations

import ast
import io
import json
import os
import zipfile
from pathlib import Path

import pytest

import pynq
from pynq.cli import main
from pynq.design import read
from pynq.errors import DesignError, DesignNotFoundError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FILE = EXAMPLES / "vector_add" / "vector_add.hwh"
KINDS = ("x.hwh", "x.xsa", "x.hdf", "x.tcl", "x.xclbin", "csr.json", "csr.csv", "pl.dtsi", "component.xml")


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("PYNQ_DEVICE", raising=False)


def changed(folder: Path, *changes: tuple[str, str], name: str = "odd.hwh") -> Path:
    text = FILE.read_text(encoding="utf-8-sig")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("command", [["inspect"], ["check"], ["inspect", "--diff", str(FILE)]])
def test_a_terminal_gets_no_control_characters(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = "\x9b2J\x9d0;title\x9c\u202etxt.exe"
    file = changed(
        tmp_path, ('VLNV="pynq', f'VLNV="{odd}'), ('"2022.1"', f'"{odd}"'), ('"pl_clk0"', f'"{odd}"')
    )
    main([command[0], str(file), *command[1:]])
    caught = capsys.readouterr()
    assert "\\x9b2J" in caught.out
    assert (caught.out + caught.err).replace("\n", "").isprintable()


@pytest.mark.parametrize("command", ["inspect", "check", "stubs"])
def test_neither_does_it_of_a_file_name(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = changed(tmp_path, name=os.fsdecode(b"a\xff\x1b[31m.hwh"))
    assert main([command, str(file)]) == 0
    assert main([command, str(file.with_name("\x1b[31m.hwh"))]) == 1
    caught = capsys.readouterr()
    assert (caught.out + caught.err).replace("\n", "").isprintable()


def test_names_stay_in_the_comments_of_a_stub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = changed(tmp_path, name="a\nimport os\n.hwh")
    assert main(["stubs", str(file)]) == 0
    imports = [node for node in ast.parse(capsys.readouterr().out).body if isinstance(node, ast.Import)]
    assert all(name.name.split(".")[0] == "pynq" for node in imports for name in node.names)


def test_a_register_without_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = changed(tmp_path, ('REGISTER NAME="CTRL"', 'REGISTER NAME=""'))
    assert main(["stubs", str(file)]) == 0
    ast.parse(capsys.readouterr().out)


@pytest.mark.parametrize("name", KINDS)
def test_a_pipe_is_no_description(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DesignError, match="is no file"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["x.bit", "x.xsa"])
def test_a_pipe_is_not_converted(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / name)
    assert main(["convert", str(tmp_path / name)]) == 1
    assert "is no file" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*KINDS, "x.bit", "x.pdi"])
def test_what_is_there_and_no_file_is_told_so(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / name
    for what in ("a folder", "a link to nothing", "no regular file"):
        if what == "a folder":
            odd.mkdir()
        elif what == "a link to nothing":
            odd.symlink_to(tmp_path / "gone")
        else:
            os.mkfifo(odd)
        assert main(["inspect", str(odd)]) == 1
        assert f"{odd} is {what}" in capsys.readouterr().err
        odd.rmdir() if what == "a folder" else odd.unlink()


def test_a_register_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DesignNotFoundError, match=r"no csr\.json found"):
        pynq.Overlay(tmp_path / "csr.json")


# -- what is written --------------------------------------------------------------------------------------
@pytest.mark.parametrize("option", ["--html", "--svg"])
def test_the_file_that_is_shown_is_not_replaced(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = changed(tmp_path, name="a.hwh")
    bitstream = tmp_path / "a.bit"
    bitstream.write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "b.xsa", "w") as archive:
        archive.write(file, "a.hwh")
    for source, out in (
        ("a.hwh", file),
        ("a.bit", file),
        ("b.xsa", tmp_path / "b.xsa"),
        ("a.bit", bitstream),
    ):
        before = out.read_bytes()
        assert main(["inspect", str(tmp_path / source), option, str(out)]) == 1
        assert "name another file" in capsys.readouterr().err
        assert out.read_bytes() == before


@pytest.mark.parametrize(
    "options",
    [
        ["--html", "-"],
        ["--html", "x", "--svg", "./x"],
        ["--diff", "x.hwh", "--companion"],
        ["--diff", "x.hwh", "--depth", "1"],
        ["--diff", "x.hwh", "--svg", "x.svg"],
    ],
)
def test_options_that_do_not_go_together(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", str(FILE), *options]) == 2
    caught = capsys.readouterr()
    assert caught.out == ""
    assert "Usage" in caught.err
    assert list(tmp_path.iterdir()) == []


def test_json_and_a_page_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(FILE), "--json", "--html", str(tmp_path / "x.html")]) == 0
    assert json.load(io.StringIO(capsys.readouterr().out))["name"] == "vector_add"


@pytest.mark.parametrize("name", ["pynq.pyi", "class.pyi", "a-b.pyi", "x.py"])
def test_names_that_no_stub_can_have(name: str, tmp_path: Path) -> None:
    assert main(["stubs", str(FILE), "-o", str(tmp_path / name)]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["inspect", "--html"], ["inspect", "--svg"], ["stubs", "-o"]])
def test_what_can_not_be_written_is_named(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, option = arguments
    target = tmp_path / "there.pyi"
    target.mkdir()
    for out, why in (
        (target, f"{target}: can't be written: Is a directory"),
        (tmp_path / "no" / "x.pyi", "there is no folder"),
        (Path("/dev/full") if command == "inspect" else Path("/proc/x.pyi"), "can't be written"),
    ):
        assert main([command, str(FILE), option, str(out)]) == 1
        assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [target]


def test_a_broken_image_in_an_archive_is_told_beside_the_design(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "b.xsa"
    with zipfile.ZipFile(file, "w") as archive:
        archive.write(FILE, "a.hwh")
        archive.writestr("a.bit", b"no bitstream")
    assert main(["inspect", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert f"{file}/a.bit: at byte 0: this is no .bit" in told["image"]["error"]
    assert told["name"] == "vector_add"
    assert main(["check", str(file)]) == 1
    assert "bitstream-mismatch" in capsys.readouterr().out
