"""What two descriptions of one design must agree about."""

from __future__ import annotations

from typing import Any

from pynq.design import views
from pynq.design.model import Design

__all__ = ["VIEWS", "registers", "view"]


def _ips(design: Design) -> dict[str, Any]:
    found = {}
    for path, entry in views.ip_dict(design).items():
        found[path] = {key: entry[key] for key in ("phys_addr", "addr_range", "type", "fullpath", "mem_id")}
        found[path]["interrupts"] = entry["interrupts"]
        found[path]["gpio"] = entry["gpio"]
    return found


def _hierarchies(design: Design) -> dict[str, Any]:
    return {
        path: {key: sorted(entry[key]) for key in ("ip", "memories", "hierarchies")}
        for path, entry in views.hierarchy_dict(design).items()
    }


def _memories(design: Design) -> dict[str, Any]:
    return {
        one.name: (one.cell, one.interface, one.block, one.base, one.size, one.kind)
        for one in design.memories
    }


def _ranges(design: Design) -> dict[str, Any]:
    return {
        cell.path: sorted(
            (
                one.base,
                one.high,
                one.slave,
                one.slave_interface,
                one.master_interface,
                one.block,
                one.kind.value,
            )
            for one in cell.ranges
            if one.master_interface and one.slave != cell.path
        )
        for cell in design.cells.values()
    }


def _channels(design: Design) -> dict[str, Any]:
    return {
        f"{one.cell} {one.number}": (one.width, one.inputs_only, one.outputs_only, one.interrupt)
        for one in design.gpio_channels
    }


def _emio(design: Design) -> list[Any]:
    return sorted((one.name, one.index, one.width, one.direction, sorted(one.pins)) for one in design.emio)


VIEWS = {
    "ip_dict": _ips,
    "hierarchies": _hierarchies,
    "interrupt pins": views.interrupt_pins,
    "interrupt controllers": views.interrupt_controllers,
    "clocks": views.clock_dict,
    "memories": _memories,
    "address maps": _ranges,
    "GPIO channels": _channels,
    "EMIO": _emio,
}


def view(name: str, design: Design) -> Any:
    """One of :data:`VIEWS`."""
    return VIEWS[name](design)  # type: ignore[operator]


def registers(design: Design) -> dict[str, dict[str, int]]:
    """The offsets of the registers of everything that the program reaches."""
    return {
        path: {name: one["address_offset"] for name, one in entry["registers"].items()}
        for path, entry in views.ip_dict(design).items()
    }
