"""Everything that there is to tell about a design, as one dictionary that JSON can hold.

The form has a number, :data:`SCHEMA`: keys may be added under the same one, and it goes up when a key changes
its meaning or goes away. Offsets and sizes are bytes, or bits where the name says so; frequencies are Hz;
``line`` is that of the description.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pynq.binding import Plan, class_name
from pynq.design import (
    AddressBlock,
    BusInterface,
    Cell,
    Clock,
    Design,
    InterruptController,
    InterruptPin,
    MemoryRange,
)
from pynq.design.check import Finding, check
from pynq.design.partial import regions

__all__ = ["SCHEMA", "facts"]

SCHEMA = 1


def facts(
    design: Design,
    plan: Plan,
    *,
    models: Mapping[str, str] | None = None,
    findings: Iterable[Finding] | None = None,
) -> dict[str, Any]:
    """Tell what a design holds.

    ``plan`` says which driver binds to what (:func:`pynq.binding.bind`), ``models`` what stands for a cell on
    the simulated board, by path. ``findings`` are those of :func:`pynq.design.check.check` unless given.
    """
    drivers = {path: class_name(driver) for path, driver in plan.ip.items()}
    chosen = models or {}
    return {
        "schema": SCHEMA,
        "name": design.name,
        "format": design.format,
        "tool": design.tool_version,
        "timestamp": design.timestamp,
        "part": design.part,
        "board": design.board,
        "architecture": design.architecture,
        "processor": design.processor.value if design.processor else None,
        "ps": design.ps,
        "cells": [_cell(cell, drivers.get(path), chosen.get(path)) for path, cell in design.cells.items()],
        "hierarchies": [
            {"path": path, "driver": _hierarchy_driver(plan, path)} for path in design.hierarchies
        ],
        "regions": [{"path": path, "loaded": path in design.partials} for path in regions(design)],
        "interfaces": [_interface(interface) for interface in design.interfaces.values()],
        "ports": [
            {"name": port.name, "direction": port.direction, "width_bits": port.width, "net": port.signal}
            for port in design.ports.values()
        ],
        "addresses": _addresses(design, drivers),
        "address_maps": _address_maps(design),
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
        "interrupt_tree": _interrupt_tree(design),
        "clocks": _clocks(design),
        "resets": [
            {"name": reset.name, "active_low": reset.active_low, "width_bits": reset.width, "net": reset.net}
            for reset in design.resets
        ],
        "emio": [
            {"name": pin.name, "index": pin.index, "width": pin.width, "pins": list(pin.pins)}
            for pin in design.emio
        ],
        "findings": [_finding(one) for one in (check(design) if findings is None else findings)],
        "notes": [{"file": note.file, "line": note.line, "message": note.message} for note in design.notes],
        "warnings": [f"{type(note).__name__}: {note}" for note in plan.warnings],
    }


def _hierarchy_driver(plan: Plan, path: str) -> str | None:
    driver = plan.hierarchies.get(path)
    return class_name(driver) if driver is not None else None


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "severity": found.severity,
        "subject": found.subject,
        "message": found.message,
        "advice": found.advice,
        "file": found.source.file,
        "line": found.source.line,
    }


def _cell(cell: Cell, driver: str | None, model: str | None) -> dict[str, Any]:
    return {
        "path": cell.path,
        "type": cell.type or None,
        "kind": cell.kind.value,
        "registers": sum(len(block.registers) for block in cell.blocks),
        "driver": driver,
        "model": model,
        "line": cell.source.line,
        "interfaces": [_interface(interface) for interface in cell.interfaces.values()],
        "blocks": [_block(block) for block in cell.blocks],
        "parameters": dict(cell.parameters),
    }


def _interface(interface: BusInterface) -> dict[str, Any]:
    return {
        "name": interface.name,
        "role": interface.role,
        "type": str(interface.vlnv) if interface.vlnv else None,
        "protocol": interface.protocol or None,
        "width_bits": interface.data_width,
        "net": interface.net or None,
    }


def _block(block: AddressBlock) -> dict[str, Any]:
    return {
        "name": block.name,
        "interface": block.interface,
        "offset": block.offset,
        "range": block.range,
        "usage": block.usage,
        "registers": [
            {
                "name": register.name,
                "offset": register.offset,
                "size_bits": register.size,
                "access": register.access,
                "reset": register.reset,
                "description": register.description,
                "fields": [
                    {
                        "name": field.name,
                        "offset_bits": field.offset,
                        "width_bits": field.width,
                        "access": field.access,
                        "reset": field.reset,
                        "description": field.description,
                    }
                    for field in register.fields
                ],
            }
            for register in block.registers
        ],
    }


def _masters(design: Design) -> list[str]:
    """Those that have an address map, the PS first."""
    return sorted(
        (path for path, cell in design.cells.items() if cell.ranges), key=lambda path: path != design.ps
    )


def _addresses(design: Design, drivers: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every master's map; only what the program reaches has a driver."""
    maps = [(master, design.cells[master].ranges) for master in _masters(design)]
    if design.format in ("xclbin", "litex", "devicetree") and not design.ps:
        # No cell stands for who looks from outside: a card's host, the bus of a SoC.
        maps.insert(0, ("", design.boundary_ranges))
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
        for master, ranges in maps
        for entry in sorted(ranges, key=lambda one: (one.master_interface, one.base))
    ]


def _address_maps(design: Design) -> list[dict[str, Any]]:
    """What each master sees from the lowest address to the highest, with what answers nowhere between."""
    maps = [(master, design.cells[master].ranges) for master in _masters(design)]
    if design.boundary_ranges:
        maps.append(("", design.boundary_ranges))
    return [{"master": master, "entries": list(_with_gaps(ranges))} for master, ranges in maps]


def _with_gaps(ranges: Iterable[MemoryRange]) -> Iterable[dict[str, Any]]:
    end = None
    for entry in sorted(ranges, key=lambda one: (one.base, -one.high)):
        if end is not None and entry.base > end + 1:
            yield {"gap": True, "base": end + 1, "high": entry.base - 1, "size": entry.base - end - 1}
        end = max(entry.high, -1 if end is None else end)
        yield {
            "gap": False,
            "base": entry.base,
            "high": entry.high,
            "size": entry.size,
            "slave": entry.slave or entry.slave_interface,
            "slave_interface": entry.slave_interface,
            "block": entry.block,
            "interface": entry.master_interface,
            "kind": entry.kind.value,
        }


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


def _interrupt_tree(design: Design) -> list[dict[str, Any]]:
    """The inputs of the processor; a controller among them has its own ``inputs``. By number."""
    inputs: dict[str, list[InterruptPin | InterruptController]] = {}
    for controller in design.interrupt_controllers.values():
        inputs.setdefault(controller.parent, []).append(controller)
    outputs = {f"{path}/irq" for path in design.interrupt_controllers}
    for pin in design.interrupt_pins.values():
        if pin.path not in outputs:
            inputs.setdefault(pin.controller, []).append(pin)
    seen: set[str] = set()

    def below(parent: str) -> list[dict[str, Any]]:
        found = []
        for one in sorted(inputs.get(parent, ()), key=lambda one: (one.gic or 0, one.index)):
            entry: dict[str, Any] = {"path": one.path, "index": one.index, "gic": one.gic}
            if isinstance(one, InterruptPin):
                entry["sensitivity"] = one.sensitivity
                entry["through"] = list(one.aliases)
            elif one.path not in seen:  # a broken file may have a ring of controllers
                seen.add(one.path)
                entry["inputs"] = below(one.path)
            found.append(entry)
        return found

    tree = below("")
    # A controller whose output leads nowhere is a root, too.
    for path in design.interrupt_controllers:
        if path not in seen:
            seen.add(path)
            tree.append({"path": path, "index": None, "gic": None, "inputs": below(path)})
    return tree


def _clocks(design: Design) -> list[dict[str, Any]]:
    consumers: dict[str, list[str]] = {}
    for path, cell in design.cells.items():
        for port in cell.ports.values():
            if port.signal and port.direction == "I" and port.kind == "clk":
                consumers.setdefault(port.signal, []).append(f"{path}/{port.name}")
    return [
        {
            "name": clock.name,
            "index": clock.index,
            "hertz": clock.frequency,
            "enabled": clock.enabled,
            "source": clock.source_pll,
            "divisors": list(clock.divisors),
            "net": clock.net,
            "consumers": _consumers(design, clock, consumers),
        }
        for clock in design.clocks
    ]


def _consumers(design: Design, clock: Clock, by_net: Mapping[str, list[str]]) -> list[str]:
    """The pins that a clock arrives at, by its net and by what the file says of its port's other ends."""
    found = dict.fromkeys(by_net.get(clock.net, ()) if clock.net else ())
    cell = design.cells.get(clock.cell)
    port = cell.ports.get(clock.port) if cell is not None else None
    for peer in port.peers if port is not None else ():
        found[f"{peer.cell}/{peer.port}" if peer.cell else peer.port] = None
    return list(found)
