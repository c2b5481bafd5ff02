"""The command ``pynq vm``, as far as it needs no QEMU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_board import DESIGN, Assets

from pynq.cli import main
from pynq.cli.vm import source
from pynq.devicetree import Node, Tree, cells, read, strings
from pynq.vm import board as module


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Assets", Assets)


def _vm(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    status = main(["vm", *map(str, arguments)])
    output, errors = capsys.readouterr()
    return status, output, errors


def test_the_tree_is_shown_and_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, output, _ = _vm(capsys, DESIGN, "--print-tree")
    assert status == 0
    assert 'compatible = "pynq,virtual-board", "xlnx,zynqmp", "linux,dummy-virt";' in output
    assert "\taxi_dma_0@a0000000 {" in output
    assert _vm(capsys, DESIGN, "--no-uio", "--dtb-only", tmp_path / "a.dtb")[:2] == (0, "")
    tree = read((tmp_path / "a.dtb").read_bytes())
    assert tree.find("/amba_pl/udmabuf0") is not None
    assert tree.find("/amba_pl/axi_dma_0") is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which design? Name a bitstream or a description"),
        (("nothing.hwh", "--", "true"), "no overlay 'nothing.hwh'"),
        (
            (DESIGN, "--memory", "64", "--", "true"),
            "--memory 64: expected an even number of MiB, 288 or more",
        ),
        ((DESIGN, "--env", "A-B=1", "--", "true"), "--env 'A-B=1': expected NAME=VALUE"),
        ((DESIGN, "--kernel", "own", "--", "true"), "no kernel 'own'; there are stock and built"),
        ((DESIGN, "--models", "no.py", "--", "true"), "--models no.py: no such file"),
        ((DESIGN, "--share", "/nowhere", "--", "true"), "the shared folder /nowhere is no folder"),
        ((DESIGN,), "a shell on the board needs a terminal as input and output; give a command after --"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...], message: str) -> None:
    status, _, errors = _vm(capsys, *arguments)
    assert status != 0
    assert message in " ".join(errors.replace("│", " ").split())
    assert "Traceback" not in errors


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    status, output, _ = _vm(capsys, "--help")
    assert status == 0
    assert "pynq vm design.bit -- python3 program.py" in output


def test_values_are_shown_as_what_they_are() -> None:
    tree = Tree(
        properties={"flag": b"", "texts": strings("a", 'b"\\'), "cell": cells(1, 16), "bytes": b"\1\2\3"}
    )
    tree.children.append(Node("child"))
    assert source(tree) == (
        "/dts-v1/;\n\n/ {\n\tflag;\n"
        '\ttexts = "a", "b\\"\\\\";\n\tcell = <0x01 0x10>;\n\tbytes = [01 02 03];\n\n\tchild {\n\t};\n};\n'
    )
