"""What ``pynq inspect`` tells about a bitstream. Nothing is loaded into a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pynq.backends.sim.rtl import manifest
from pynq.backends.sim.rtl.prepared import beside
from pynq.backends.sim.rtl.resolve import mapped
from pynq.binding import bind, class_name, companion
from pynq.binding.drivers import registry
from pynq.design import Cell, Design, InterruptPin, read
from pynq.design.locate import locate
from pynq.design.xclbin_container import describe_container
from pynq.errors import RtlBuildError

__all__ = ["collect"]


def collect(file: Path, *, run_companion: bool = False, ignore_version: bool = False) -> dict[str, Any]:
    """Read the description that belongs to ``file`` and gather what it holds.

    With ``run_companion`` the Python file beside the bitstream is run, as by ``Overlay``: its drivers count.
    Raises what :func:`pynq.design.locate` and :func:`pynq.design.read` raise.
    """
    found = locate(file)
    design = read(found.description)
    beside, overlay = _companion(Path(found.bitstream or found.description), run=run_companion)
    plan = bind(design, registry.snapshot(), ignore_version=ignore_version)
    drivers = {path: _name(driver) for path, driver in plan.ip.items()}
    return {
        "name": design.name,
        "description": str(found.description),
        "bitstream": str(found.bitstream) if found.bitstream else None,
        "container": describe_container(found.description) if design.format == "xclbin" else None,
        "companion": beside,
        "overlay_class": overlay,
        "rtl": _rtl(found.description, design),
        "tool": design.tool_version,
        "timestamp": design.timestamp,
        "part": design.part,
        "board": design.board,
        "architecture": design.architecture,
        "processor": design.processor.value if design.processor else None,
        "ps": design.ps,
        "cells": [_cell(cell, drivers) for cell in design.cells.values()],
        "hierarchies": [
            {"path": path, "driver": _name(plan.hierarchies.get(path))} for path in design.hierarchies
        ],
        "addresses": _addresses(design, drivers),
        "memories": [
            {
                "name": memory.name,
                "kind": memory.kind,
                "base": memory.base,
                "size": memory.size,
                "cell": memory.cell,
            }
            for memory in design.memories
        ],
        "interrupts": [_interrupt(design, pin) for pin in design.interrupt_pins.values()],
        "clocks": [
            {
                "name": clock.name,
                "index": clock.index,
                "hertz": clock.frequency,
                "enabled": clock.enabled,
                "source": clock.source_pll,
                "divisors": list(clock.divisors),
            }
            for clock in design.clocks
        ],
        "emio": [
            {"name": pin.name, "index": pin.index, "width": pin.width, "pins": list(pin.pins)}
            for pin in design.emio
        ],
        "warnings": [f"{type(note).__name__}: {note}" for note in plan.warnings],
    }


def _rtl(description: Path, design: Design) -> dict[str, Any] | None:
    """Return what the manifest beside the description makes RTL on the simulated board; None without one."""
    path = beside(description)
    if path is None:
        return None
    try:
        tables, problems = mapped(manifest.load(path), design)
    except RtlBuildError as error:
        return {"manifest": str(path), "cells": [], "problems": str(error).splitlines()}
    cells = [{"path": cell, "line": table.line} for cell, table in tables.items()]
    return {"manifest": str(path), "cells": cells, "problems": [str(problem) for problem in problems]}


def _companion(folder: Path, *, run: bool) -> tuple[str | None, str | None]:
    path = companion.find(folder)
    if path is None:
        return None, None
    return str(path), _name(companion.load(path)) if run else None


def _name(driver: Any) -> str | None:
    return None if driver is None else class_name(driver)


def _cell(cell: Cell, drivers: dict[str, str | None]) -> dict[str, Any]:
    return {
        "path": cell.path,
        "type": cell.type or None,
        "kind": cell.kind.value,
        "registers": sum(len(block.registers) for block in cell.blocks),
        "driver": drivers.get(cell.path),
        "line": cell.source.line,
    }


def _addresses(design: Design, drivers: dict[str, str | None]) -> list[dict[str, Any]]:
    """Every master's map, the PS's first; only what the PS reaches has a driver."""
    masters = [path for path, cell in design.cells.items() if cell.ranges]
    masters.sort(key=lambda path: path != design.ps)
    return [
        {
            "master": master,
            "interface": entry.master_interface,
            "base": entry.base,
            "high": entry.high,
            "size": entry.size,
            "slave": entry.slave or entry.slave_interface,
            "slave_interface": entry.slave_interface,
            "block": entry.block,
            "kind": entry.kind.value,
            "driver": drivers.get(entry.slave) if master == design.ps else None,
            "line": entry.source.line,
        }
        for master in masters
        for entry in sorted(design.cells[master].ranges, key=lambda one: (one.master_interface, one.base))
    ]


def _interrupt(design: Design, pin: InterruptPin) -> dict[str, Any]:
    """A pin with the controllers on its way and the line of the GIC where the way ends."""
    way, gic, parent = [], pin.gic, pin.controller
    while parent and parent not in way:
        way.append(parent)
        controller = design.interrupt_controllers.get(parent)
        if controller is None:
            break
        gic, parent = controller.gic, controller.parent
    return {
        "pin": pin.path,
        "sensitivity": pin.sensitivity,
        "index": pin.index,
        "controllers": way,
        "gic": gic,
    }
