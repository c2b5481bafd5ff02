"""IP-XACT components as descriptions: the three editions of the standard, and what is left out or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mapkit import HLS, MAPS

from pynq.design import Register, Vlnv, ipxact, read
from pynq.design.ipxact_maps import MAX_NOTES
from pynq.errors import DesignError, DesignNotFoundError

LANES, POLICIES = MAPS / "lanes_2014.xml", MAPS / "policies_2022.xml"


def registers(file: Path, **parameters: str) -> dict[str, Register]:
    blocks = ipxact.registers(file, parameters).blocks
    return {register.name: register for block in blocks for register in block.registers}


def changed(tmp_path: Path, file: Path, old: str, new: str) -> Path:
    text = file.read_text()
    assert old in text
    made = tmp_path / "component.xml"
    made.write_text(text.replace(old, new, 1))
    return made


def test_a_component_is_a_design_of_one_cell(tmp_path: Path) -> None:
    design = read(_copy(tmp_path))
    cell = design.cells["fir"]
    assert (design.format, design.processor, design.tool_version) == ("ipxact", None, "2023.2")
    assert cell.vlnv == Vlnv("acme.test", "hls", "fir", "1.0")
    assert (cell.interfaces["s_axi"].role, cell.interfaces["s_axi"].protocol) == ("SLAVE", "AXI4LITE")
    assert cell.interfaces["s_axi"].port_map == {"WDATA": "s_axi_control_WDATA"}
    assert (cell.ports["s_axi_control_WDATA"].width, cell.ports["ap_clk"].kind) == (32, "clk")
    assert cell.parameters == {"TAPS": "8"}
    assert [(one.base, one.size, one.slave) for one in design.reachable] == [(0, 65536, "fir")]


def _copy(tmp_path: Path) -> Path:
    made = tmp_path / "component.xml"
    made.write_bytes(HLS.read_bytes())
    return made


def test_pynq_inspect_shows_a_component(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pynq", "inspect", str(_copy(tmp_path)), "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert [cell["registers"] for cell in told["cells"]] == [7]


def test_2009_registers_of_an_hls_tool() -> None:
    found = registers(HLS)
    assert list(found) == ["CTRL", "IP_ISR", "MODE", *(f"COEFF[{n}]" for n in range(4))]
    start, idle = found["CTRL"].fields
    assert (found["CTRL"].reset, start.reset, idle.reset, start.read_action) == (4, 0, 1, "modify")
    assert found["IP_ISR"].fields[0].modified_write == "oneToToggle"
    assert found["MODE"].fields[0].values == (("LOW_PASS", 0), ("high pass", 1))
    assert found["COEFF[3]"].offset == 0x4C
    assert HLS.read_text().splitlines()[found["MODE"].line - 1].strip() == "<spirit:register>"


def test_formulas_are_worked_out_with_the_parameters_of_a_cell() -> None:
    assert "COEFF[9]" in registers(HLS, TAPS="20")
    assert "COEFF[0]" not in registers(HLS, TAPS="0")


def test_2014_files_arrays_alternates_and_address_units() -> None:
    made = ipxact.registers(LANES)
    (block,) = made.blocks
    assert (block.offset, block.range, block.interface) == (0x40, 0x40, "words")
    found = {register.name: register for register in block.registers}
    assert "absent" not in found
    assert [(name, found[name].offset) for name in ("lane[0].gain", "lane[1].gain")] == [
        ("lane[0].gain", 0x14),
        ("lane[1].gain", 0x1C),
    ]
    assert found["lane[1].gain"].size == 16
    assert [found[f"table[{a}][{b}]"].offset for a in (0, 1) for b in (0, 1)] == [0x28, 0x2C, 0x30, 0x34]
    assert found["id"].reset == 0x2000_00A5
    assert (found["id.key"].offset, found["id.key"].access) == (0, "write-only")
    (note,) = made.notes
    assert note.line == 47
    assert (
        "register 'unknown' is left out: its addressOffset 'NOWHERE + 4' can't be worked out" in note.message
    )


def test_2022_policies_strides_and_definitions() -> None:
    made = ipxact.registers(POLICIES)
    (block,) = made.blocks
    assert (block.range, block.interface) == (4096, "regs")
    assert [(one.name, one.offset, one.access) for one in block.registers] == [
        ("status[0]", 0x8, "read-only"),
        ("status[1]", 0x18, "read-only"),
    ]
    (sticky,) = block.registers[0].fields
    assert (sticky.access, sticky.modified_write, sticky.read_action) == ("read-write", "oneToClear", "clear")
    assert ["'elsewhere' is left out" in made.notes[0].message, "<bank>" in made.notes[1].message] == [
        True,
        True,
    ]


LEFT_OUT = {
    "a huge array": (
        ">4</spirit:dim>",
        ">2 ** 30</spirit:dim>",
        "1073741824 registers here; a component has",
    ),
    "an empty array": (">4</spirit:dim>", ">0</spirit:dim>", "its dimension is 0"),
    "a negative offset": (
        "<spirit:addressOffset>0x40",
        "<spirit:addressOffset>-4",
        "its addressOffset is -4",
    ),
    "no offset": ("<spirit:addressOffset>0x40</spirit:addressOffset>", "", "it has no addressOffset"),
    "no size": ('<spirit:size spirit:format="long">32</spirit:size>', "", "it has no size"),
    "size 0": ('"long">32<', '"long">0<', "its size is 0"),
    "a field outside": (
        "<spirit:bitWidth>16<",
        "<spirit:bitWidth>40<",
        "its bitWidth is 40; expected 0 to 32",
    ),
    "a field at the edge": (
        "<spirit:bitOffset>2<",
        "<spirit:bitOffset>32<",
        "its bitOffset is 32; expected 0 to 31",
    ),
    "a value too large": (
        "<spirit:value>0x1<",
        "<spirit:value>9<",
        "enumerated value 'high pass' is left out",
    ),
    "an odd reset": ("<spirit:value>0x4<", "<spirit:value>four<", "the reset value of register 'CTRL'"),
    "a map that is not there": ('memoryMapRef="s_axi_control"', 'memoryMapRef="gone"', "which is not there"),
    "odd units": (
        "<spirit:name>s_axi_control</spirit:name>\n      <spirit:addressBlock>",
        "<spirit:name>s_axi_control</spirit:name><spirit:addressUnitBits>12</spirit:addressUnitBits>"
        "<spirit:addressBlock>",
        "memory map 's_axi_control' is left out: its addressUnitBits is 12; expected a divisor or",
    ),
    "bits as units": (
        "<spirit:name>s_axi_control</spirit:name>\n      <spirit:addressBlock>",
        "<spirit:name>s_axi_control</spirit:name><spirit:addressUnitBits>1</spirit:addressUnitBits>"
        "<spirit:addressBlock>",
        "register 'IP_ISR' is left out: address 12 in units of 1 bits is no whole number of bytes",
    ),
    "an array of blocks": (
        "<spirit:name>Reg</spirit:name>",
        "<spirit:name>Reg</spirit:name><spirit:array/>",
        "address block 'Reg' of 's_axi_control' is left out: arrays of blocks and definitions in other",
    ),
    "a block elsewhere": (
        "<spirit:name>Reg</spirit:name>",
        "<spirit:name>Reg</spirit:name><spirit:addressBlockDefinitionRef/>",
        "is left out: arrays of blocks and definitions in other files are not read",
    ),
    "a bank": ("<spirit:addressBlock>", "<spirit:bank/><spirit:addressBlock>", "<bank> is left out"),
    "files in files": (
        "<spirit:register>",
        "<spirit:registerFile><spirit:name>f</spirit:name><spirit:addressOffset>0</spirit:addressOffset>"
        "<spirit:range>4</spirit:range>" * 17 + "</spirit:registerFile>" * 17 + "<spirit:register>",
        f"register file {'f.' * 16 + 'f'!r} is left out: register files are nested deeper than 16",
    ),
    "no name": ("<spirit:name>CTRL</spirit:name>", "", "register '' is left out: it has no name"),
    "a field without name": ("<spirit:name>AP_START</spirit:name>", "", "field '' of register 'CTRL' is"),
    "a register elsewhere": (
        "<spirit:name>CTRL</spirit:name>",
        "<spirit:name>CTRL</spirit:name><spirit:registerDefinitionRef/>",
        "register 'CTRL' is left out: definitions in other files are not read",
    ),
    "a field elsewhere": (
        "<spirit:name>AP_START</spirit:name>",
        "<spirit:name>AP_START</spirit:name><spirit:fieldDefinitionRef/>",
        "field 'AP_START' of register 'CTRL' is left out: definitions in other files",
    ),
    "a range of bits": (
        "<spirit:bitWidth>1</spirit:bitWidth>",
        "<spirit:bitRange>[0:0]</spirit:bitRange>",
        "it has bitRange '[0:0]' in place of bitWidth",
    ),
    "a field over the edge": (
        "<spirit:bitOffset>2</spirit:bitOffset>\n            <spirit:bitWidth>1<",
        "<spirit:bitOffset>2</spirit:bitOffset><spirit:bitWidth>31<",
        "field 'AP_IDLE' of register 'CTRL' is left out: bits 2 to 32 are not within 32 bits",
    ),
    "too many": (">4</spirit:dim>", ">99999</spirit:dim>", "99999 registers here; a component has 65536 at"),
    "an empty dimension": (">4</spirit:dim>", ">0</spirit:dim>", "its dimension is 0; expected 1 or more"),
    "beyond all addresses": (
        "<spirit:addressOffset>0x40<",
        "<spirit:addressOffset>0xFFFFFFFFFFFFFFFC<",
        "register 'COEFF' is left out: its last elements lie beyond 64 bits of address",
    ),
    "an odd base": (">0</spirit:baseAddress>", ">BASE</spirit:baseAddress>", "address block 'Reg' of"),
}


@pytest.mark.parametrize(("old", "new", "reason"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_can_not_be_worked_out_is_noted(tmp_path: Path, old: str, new: str, reason: str) -> None:
    made = ipxact.registers(changed(tmp_path, HLS, old, new))
    assert reason in "\n".join(map(str, made.notes))
    assert all(note.line for note in made.notes)


def test_there_are_not_too_many_notes(tmp_path: Path) -> None:
    entry = "<spirit:register><spirit:name>x</spirit:name></spirit:register>"
    place = "        <spirit:register>\n          <spirit:name>CTRL"
    made = ipxact.registers(changed(tmp_path, HLS, place, entry * 200 + place))
    assert len(made.notes) == MAX_NOTES + 1


REFUSED = {
    "another document": ("spirit:component", "spirit:design", "the root element is <design>"),
    "no name": ("<spirit:name>fir</spirit:name>", "", "the component has no name"),
    "truncated": ("</spirit:memoryMaps>", "", "is not well-formed XML"),
    "an encoding": ('encoding="UTF-8"', 'encoding="klingon"', "encoding"),
    "nesting": ("<spirit:busInterfaces>", "<a>" * 70, "is nested deeper than 64"),
    "a document type": (
        "<spirit:component ",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><spirit:component ",
        "document type",
    ),
}


@pytest.mark.parametrize(("old", "new", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    text = HLS.read_text()
    assert old in text
    made = tmp_path / "component.xml"
    made.write_text(text.replace(old, new))
    with pytest.raises(DesignError, match=reason):
        read(made)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DesignNotFoundError, match="no such file"):
        read(tmp_path / "component.xml")
    os.mkfifo(tmp_path / "component.xml")
    with pytest.raises(DesignError, match="is no file"):
        read(tmp_path / "component.xml")


def test_formulas_all_together_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynq.design.ipxact_maps.MAX_STEPS", 3)
    made = ipxact.registers(
        changed(tmp_path, HLS, "<spirit:addressOffset>0x40", "<spirit:addressOffset>1+1+1+1")
    )
    assert "take too long" in "\n".join(map(str, made.notes))
