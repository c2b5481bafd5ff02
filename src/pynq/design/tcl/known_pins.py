"""Pins and interfaces that an IP has without a script's naming them, as the catalogue tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module

from pynq.design.tcl.diagram import Sheet
from pynq.design.tcl.netlist import Cell

__all__ = [
    "clock_of",
    "described",
    "names",
    "reset_of",
    "segment_of",
    "short",
    "slave_of",
    "space_of",
]

_MODES = {"MASTER": "Master", "INITIATOR": "Master", "SLAVE": "Slave", "TARGET": "Slave"}

#: Parameters of the UltraScale+ PS that its AXI interfaces come with (PG201, "PS-PL Configuration").
_PSU = {
    "PSU__USE__M_AXI_GP0": "M_AXI_HPM0_FPD",
    "PSU__USE__M_AXI_GP1": "M_AXI_HPM1_FPD",
    "PSU__USE__M_AXI_GP2": "M_AXI_HPM0_LPD",
    "PSU__USE__S_AXI_GP0": "S_AXI_HPC0_FPD",
    "PSU__USE__S_AXI_GP2": "S_AXI_HP0_FPD",
    "PSU__USE__S_AXI_GP3": "S_AXI_HP1_FPD",
    "PSU__USE__S_AXI_GP4": "S_AXI_HP2_FPD",
    "PSU__USE__S_AXI_GP5": "S_AXI_HP3_FPD",
    "PSU__USE__S_AXI_GP6": "S_AXI_LPD",
}
#: Cells whose one address space for all masters is called Data.
_ONE_SPACE = ("processing_system7", "zynq_ultra_ps_e", "versal_cips", "ps_wizard", "microblaze")
_AXI = "xilinx.com:interface:aximm_rtl:1.0"
_MAX_SIDES = 64

Known = dict[str, tuple[str, str]]


def _of_cell(cell: Cell, kind: str) -> Known:
    # Imported when a script asks for what it hasn't named: few do, and the table is large.
    catalogue = import_module("pynq.design.tcl.catalogue")
    known = catalogue.lookup(":".join(cell.type.split(":")[:3])) if cell.kind == "ip" else None
    if known is None:
        return {}
    values = known.values(cell.parameters)
    if cell.type.split(":")[2] in ("smartconnect", "axi_interconnect"):
        return _interconnect(cell.type.split(":")[2], kind, values)
    holds: Callable[..., bool] = catalogue.holds
    asked = {
        name for key, name in _PSU.items() if (values if "M_AXI" in key else cell.parameters).get(key) == "1"
    }
    there = {one.name: holds(one.when, values, one.name in asked) for one in known.interfaces.values()}
    if kind == "intf_pin":
        return {
            one.name: (_MODES.get(one.role, one.role.title()), _abstraction(one.vlnv))
            for one in known.interfaces.values()
            if there[one.name]
        }
    mapped: dict[str, bool] = {}
    for one in known.interfaces.values():
        for port in one.ports.values():
            mapped[port] = mapped.get(port, False) or there[one.name]
    return {
        one.name: (one.direction, one.kind)
        for one in known.ports.values()
        if mapped.get(one.name, True) and holds(one.when, values, False)
    }


def _interconnect(short: str, kind: str, values: dict[str, str]) -> Known:
    """The interfaces, clocks and resets of an interconnect, as many as its parameters say."""

    def count(name: str) -> range:
        text = values.get(name, "1")
        return range(
            min(int(text), _MAX_SIDES) if text.isascii() and text.isdecimal() and len(text) < 4 else 1
        )

    sides = {f"S{number:02d}": "Slave" for number in count("NUM_SI")}
    sides |= {f"M{number:02d}": "Master" for number in count("NUM_MI")}
    if kind == "intf_pin":
        return {f"{side}_AXI": (mode, _AXI) for side, mode in sides.items()}
    if short == "smartconnect":
        clocks = {f"aclk{number or ''}": ("I", "clk") for number in count("NUM_CLKS")}
        return {**clocks, "aresetn": ("I", "rst")}
    starts = ("", *(f"{side}_" for side in sides))
    return {
        f"{start}{name}": ("I", type_)
        for start in starts
        for name, type_ in (("ACLK", "clk"), ("ARESETN", "rst"))
    }


def _abstraction(bus: str) -> str:
    """The abstraction definition of a bus, whose name Vivado's objects have: ``aximm`` has ``aximm_rtl``."""
    head, colon, version = bus.rpartition(":")
    return f"{head}_rtl{colon}{version}" if colon else bus


def names(cell: Cell, kind: str) -> list[str]:
    """The names of a cell's pins (kind "pin") or interfaces ("intf_pin"); none of an unknown type."""
    return list(_of_cell(cell, kind))


def described(sheet: Sheet, kind: str, path: str) -> tuple[str, str]:
    """Direction and type of a pin, or mode and abstraction of an interface; empty where not known."""
    above, _, name = path.rpartition("/")
    cell = sheet.cells.get(above)
    return _of_cell(cell, kind).get(name, ("", "")) if cell else ("", "")


def slave_of(cell: Cell) -> str:
    """The interface by which an IP is addressed, "" where there is none, or several."""
    slaves = [
        name
        for name, (mode, bus) in _of_cell(cell, "intf_pin").items()
        if mode == "Slave" and ":aximm_rtl:" in bus
    ]
    return slaves[0] if len(slaves) == 1 else ""


def short(cell: Cell) -> str:
    """The name of a cell's type, without vendor, library and version; a module's own."""
    parts = cell.type.split(":")
    return parts[2] if len(parts) >= 3 else cell.type


def clock_of(cell: Cell, face: str) -> str:
    """The clock pin of an interface (of a cell, for ""), "" where its type does not tell."""
    return _companion(cell, face, "clk", ("aclk", "clk"), "ap_clk")


def reset_of(cell: Cell, face: str) -> str:
    """The reset pin of an interface (of a cell, for ""), "" where its type has or tells none."""
    return _companion(cell, face, "rst", ("aresetn", "resetn"), "ap_rst_n")


def _companion(cell: Cell, face: str, kind: str, ends: tuple[str, ...], of_hls: str) -> str:
    parts = cell.type.split(":")
    if len(parts) >= 3 and parts[1] == "hls":
        return of_hls  # UG1399, "Block-Level Control": the clock and the reset of every kernel
    catalogue = import_module("pynq.design.tcl.catalogue")
    known = catalogue.lookup(":".join(parts[:3])) if cell.kind == "ip" else None
    plain = face.lower().replace("_", "")
    for name in known.ports if known else ():  # also one that comes with its interface only
        if name.lower().replace("_", "") in [plain + end for end in ends]:
            return str(name)
    found = [name for name, (way, type_) in _of_cell(cell, "pin").items() if way == "I" and type_ == kind]
    if len(found) == 1:
        return found[0]
    for name in ("s_axi_" + ends[0], ends[0], "axi_resetn" if kind == "rst" else "axi_aclk"):
        if name in found:
            return name
    if not found and re.fullmatch(r"[SM][0-9][0-9]_AXIS?", face):
        return f"{face.lower()}_{ends[0]}"  # UG1118, "Create AXI4 Peripheral": the names of the template
    return ""


def space_of(cell: Cell, face: str) -> str:
    """The address space of a master interface."""
    name = short(cell)
    if name in _ONE_SPACE or face == "M_AXI":
        return "Data"
    if name in ("axi_dma", "axi_vdma", "axi_mcdma") and face.startswith("M_AXI_"):
        return f"Data_{face.removeprefix('M_AXI_')}"
    return f"Data_{face}" if cell.type.split(":")[1:2] == ["hls"] else face


def segment_of(cell: Cell, face: str, release: str) -> str:
    """The interface and block by which a slave is assigned: ``S_AXI/Reg``; of a PS its memory."""
    name = short(cell)
    if name == "processing_system7":
        return f"{face}/{face.removeprefix('S_AXI_')}_DDR_LOWOCM"
    if name == "zynq_ultra_ps_e":
        rules = import_module("pynq.design.tcl.catalogue_rules")
        owners = {own: shown for shown, own in rules.PS_SEGMENT_OWNERS[name].items()}
        return f"{owners.get(face, face)}/{face.removeprefix('S_AXI_').removesuffix('_FPD')}_DDR_LOW"
    catalogue = import_module("pynq.design.tcl.catalogue")
    known = catalogue.lookup(":".join(cell.type.split(":")[:3])) if cell.kind == "ip" else None
    blocks = known.blocks_of(release) if known else []
    found = (str(raw[0]) for raw in blocks if str(raw[1]).lower() == face.lower())
    return f"{face}/{next(found, 'Reg')}"
