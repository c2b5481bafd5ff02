"""The examples' scripts: the same design as their hand-off files, and their programs run from them alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from design_views import VIEWS, registers, view
from tcl_scripts import needs_tcl

import pynq
from pynq.design import read
from pynq.errors import DesignError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*/*.tcl"))
OWN = "pynq-anywhere.org:examples:"  # IP of the examples, which no table has

pytestmark = needs_tcl


def test_every_hand_off_file_has_a_script() -> None:
    assert sorted({path.parent.name for path in EXAMPLES.glob("*/*.hwh")}) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_script_and_hand_off_file_are_one_design(name: str) -> None:
    script = read(EXAMPLES / name / f"{name}.tcl")
    file = read(EXAMPLES / name / f"{name}.hwh")
    assert (script.format, script.name, script.part, script.board) == (
        "tcl",
        file.name,
        file.part,
        file.board,
    )
    assert list(script.cells) == list(file.cells)
    for one in VIEWS:
        assert view(one, script) == view(one, file), one
    for path, found in registers(file).items():
        assert found.items() <= registers(script)[path].items(), path


@pytest.mark.parametrize("name", NAMES)
def test_the_own_ip_is_as_its_component_says(name: str) -> None:
    script = read(EXAMPLES / name / f"{name}.tcl")
    file = read(EXAMPLES / name / f"{name}.hwh")
    for path, cell in file.cells.items():
        if cell.type.startswith(OWN):
            found = script.cells[path]
            assert {port: (one.direction, one.width, one.kind) for port, one in found.ports.items()} == {
                port: (one.direction, one.width, one.kind) for port, one in cell.ports.items()
            }
            assert {bus: (one.role, one.protocol) for bus, one in found.interfaces.items()} == {
                bus: (one.role, one.protocol) for bus, one in cell.interfaces.items()
            }
            assert [register.reset for block in found.blocks for register in block.registers] == [
                register.reset for block in cell.blocks for register in block.registers
            ]
            assert found.parameters.items() >= {
                key: value
                for key, value in cell.parameters.items()
                if key not in ("Component_Name", "EDK_IPTYPE", "C_BASEADDR", "C_HIGHADDR")
            }.items()  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_without_its_component_only_ip_of_ones_own_is_guessed(name: str, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / name / f"{name}.tcl", tmp_path)
    alone = read(tmp_path / f"{name}.tcl")
    design = read(EXAMPLES / name / f"{name}.tcl")
    # The contents of a region are another design; what a decoupler decouples is the user's choice.
    own = {cell.type for cell in alone.cells.values() if cell.type.startswith(OWN)}
    others = {cell.type or cell.module_type for cell in alone.cells.values()}
    others = {kind for kind in others if not kind.startswith("xilinx.com") or "decoupler" in kind}
    guessed = {note.message.split()[0] for note in alone.notes}
    assert own <= guessed <= own | others
    assert not own & {note.message.split()[0] for note in design.notes}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dma_loopback", "16384 bytes came back"),
        ("buttons_leds", "4 presses, LEDs 1111"),
        ("image_filter", "edges: 660 pixels"),
        ("polynomial", "200010 words in 3 packets"),
        ("vector_add", "262144 sums"),
    ],
)
def test_program_runs_from_the_script_alone(name: str, said: str, tmp_path: Path) -> None:
    if EXAMPLES.joinpath(name, "ip").is_dir():
        shutil.copytree(EXAMPLES / name / "ip", tmp_path / "ip")
    for path in EXAMPLES.joinpath(name).iterdir():
        if path.suffix in (".py", ".tcl"):
            shutil.copy(path, tmp_path)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYNQ")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "run.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout


def test_an_overlay_of_a_script(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "dma_loopback" / "dma_loopback.tcl", tmp_path)
    overlay = pynq.Overlay(str(tmp_path / "dma_loopback.tcl"))
    assert overlay.axi_dma_0.register_map.MM2S_DMACR.RS is not None
    with pytest.raises(DesignError, match=r"dma_loopback\.tcl: .*no XML"):
        _ = overlay.systemgraph._root


def test_the_hand_off_file_beside_a_script_counts() -> None:
    overlay = pynq.Overlay(str(EXAMPLES / "dma_loopback" / "dma_loopback.hwh"), download=False)
    assert overlay.systemgraph._root.tag == "EDKSYSTEM"
