"""Pins and interfaces that an IP has without a script's naming them, as the catalogue tells."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from pynq.design.tcl.diagram import Sheet
from pynq.design.tcl.netlist import Cell

__all__ = ["described", "names", "slave_of"]

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
