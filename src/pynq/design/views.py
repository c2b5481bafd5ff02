"""The dictionaries that PYNQ programs know, made from a :class:`Design`.

This module alone knows their shape. Every call makes new dictionaries all the way down, so callers may change
them as PYNQ's own code does; the design stays as it is. Where PYNQ's contents are wrong these are right:
``docs/errata.md`` lists each kind of difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from pynq.design.clocks import ps_parameters
from pynq.design.kinds import is_register_block
from pynq.design.memories import is_memory
from pynq.design.model import Cell, CellKind, Clock, Design, InterruptPin, MemoryRange
from pynq.design.xclbin_container import MEMORIES

__all__ = [
    "clock_dict",
    "gpio_dict",
    "hierarchy_dict",
    "interrupt_controllers",
    "interrupt_pins",
    "ip_dict",
    "mem_dict",
]

_Entry = dict[str, Any]


def ip_dict(design: Design) -> dict[str, _Entry]:
    """Everything with registers that the program reaches, by path, and the PS itself.

    An entry has ``phys_addr`` and ``addr_range`` (bytes), ``type`` (VLNV), ``fullpath``, ``mem_id`` (the
    interface that answers), ``memtype``, ``parameters``, ``registers``, ``interrupts``, ``gpio`` and the
    places that the loader fills: ``driver``, ``device``, ``state``, ``bdtype``. Where a cell has several
    windows, the last one of the file is the entry under its path, as in PYNQ, and each other one has an entry
    of its own, ``path/interface``. What lies behind an AXI interface of the design itself stands under the
    name of that interface. The PS, which has no window of registers in the PL, has ``phys_addr`` and
    ``addr_range`` 0.
    """
    windows: dict[str, dict[tuple[int, int], MemoryRange]] = {}
    for entry in design.reachable:
        if not is_memory(design.cells, entry):
            windows.setdefault(entry.slave or entry.slave_interface, {})[entry.base, entry.high] = entry
    found: dict[str, _Entry] = {}
    for name, distinct in windows.items():
        ranges = list(distinct.values())
        cell = design.cells.get(ranges[-1].slave)
        for key, entry in zip(_window_names(name, ranges), ranges, strict=True):
            found[key] = _external_entry(design, entry) if cell is None else _cell_entry(cell, entry)
    if design.ps:
        found[design.ps] = _ps_entry(design.cells[design.ps])
    units = [entry for entry in found.values() if "cu_name" in entry]
    for number, unit in enumerate(sorted(units, key=lambda unit: int(unit["phys_addr"]))):
        unit["cu_index"] = number
    _attach(design, found)
    return found


def mem_dict(design: Design) -> dict[str, _Entry]:
    """The memories behind the PL that the program reaches, by name; the entries are like those of
    ``ip_dict``.
    """
    found: dict[str, _Entry] = {}
    for memory in design.memories:
        if memory.cell == design.ps:
            continue  # PYNQ's loader makes its own entry of the PS's DDR
        cell = design.cells[memory.cell]
        entry = _entry(memory.kind, cell.path)
        entry.update(
            phys_addr=memory.base,
            addr_range=memory.size,
            mem_id=memory.interface,
            memtype="MEMORY",
            parameters=_parameters(cell),
            registers=_registers(cell, memory.interface),
            used=int(memory.used),
        )
        if memory.index is not None:  # what programs for cards under XRT look at
            entry.update(
                base_address=memory.base,
                size=memory.size,
                idx=memory.index,
                tag=memory.name,
                streaming=False,
                raw_type=MEMORIES.index(memory.kind) if memory.kind in MEMORIES else None,
            )
        for loader in ("driver", "device"):
            del entry[loader]  # memories get no driver
        found[memory.name] = entry
    return found


def hierarchy_dict(design: Design) -> dict[str, _Entry]:
    """The hierarchies that hold something of ``ip_dict`` or ``mem_dict``, and the regions for partial
    reconfiguration.

    Each entry has ``ip``, ``memories`` and ``hierarchies`` (by the last part of the path), ``interrupts``,
    ``gpio``, ``fullpath``, and the loader's ``driver``, ``device`` and ``overlay``. Every hierarchy also
    stands at the top, by its path.
    """
    return _hierarchies(design, ip_dict(design), mem_dict(design))


def interrupt_controllers(design: Design) -> dict[str, _Entry]:
    """The controllers of the interrupt tree by path: ``parent`` ("" for the PS), ``index`` there, ``raw_irq``
    (GIC).
    """
    found: dict[str, _Entry] = {}
    for path, controller in design.interrupt_controllers.items():
        found[path] = {"parent": controller.parent, "index": controller.index}
        if controller.gic is not None:
            found[path]["raw_irq"] = controller.gic
    return found


def interrupt_pins(design: Design) -> dict[str, _Entry]:
    """Where each interrupt pin arrives: ``controller`` (path, "" for the PS), ``index`` there, ``fullpath``.

    The input that a pin enters first (``xlconcat_0/In0``, ``axi_intc_0/intr``) is listed as well. Pins at the
    PS itself also have ``raw_irq``, the GIC number.
    """
    found: dict[str, _Entry] = {}
    for pin in design.interrupt_pins.values():
        for path in (pin.path, *pin.aliases[-1:]):
            found[path] = _pin_entry(path, pin)
    return found


def gpio_dict(design: Design) -> dict[str, _Entry]:
    """The EMIO pins that the PS drives, by the name of the slice: ``index``, ``pins`` ("cell/port"),
    ``state``.
    """
    found: dict[str, _Entry] = {}
    for pin in design.emio:
        if pin.direction == "O":
            cell = design.cells.get(pin.name)
            name = cell.attributes.get("INSTANCE", pin.name) if cell is not None else pin.name
            # A slice of several bits is known by its highest one (DIN_FROM), as in PYNQ.
            sliced = cell is not None and "DIN_FROM" in cell.parameters
            found[name] = {
                "index": pin.index + pin.width - 1 if sliced else pin.index,
                "pins": set(pin.pins),
                "state": None,
            }
    return found


def clock_dict(design: Design) -> dict[int | str, _Entry]:
    """The PL clocks of the PS by number: ``enable``, ``frequency`` (MHz or None), ``divisor0`` ...,
    ``src_sel``. Those of an xclbin are ``clock0`` ...: ``name``, ``frequency`` (MHz) and ``type``.
    """
    if design.format == "xclbin":
        return _card_clocks(design)
    found: dict[int | str, _Entry] = {}
    for clock in design.clocks:
        if clock.index is not None:
            found[clock.index] = _clock_entry(clock)
    return found


def _card_clocks(design: Design) -> dict[int | str, _Entry]:
    order = ("UNUSED", "DATA", "KERNEL", "SYSTEM")
    clocks = sorted(design.clocks, key=lambda clock: (*order, clock.source_pll).index(clock.source_pll))
    return {
        f"clock{number}": {
            "name": clock.name,
            "frequency": round((clock.frequency or 0) / 1e6),
            "type": clock.source_pll,
        }
        for number, clock in enumerate(clocks)
    }


def _window_names(name: str, ranges: list[MemoryRange]) -> Iterable[str]:
    """The keys for the windows of one cell; the last window has the cell's own name."""
    used: Counter[str] = Counter()
    for entry in ranges[:-1]:
        key = f"{name}/{entry.slave_interface if entry.slave else entry.block}"
        used[key] += 1
        yield key if used[key] == 1 else f"{key}_{used[key]}"
    yield name


def _entry(kind: str, path: str) -> _Entry:
    return {
        "type": kind,
        "fullpath": path,
        "mem_id": None,
        "memtype": "REGISTER",
        "phys_addr": 0,
        "addr_range": 0,
        "gpio": {},
        "interrupts": {},
        "parameters": {},
        "registers": {},
        "driver": None,
        "device": None,
        "state": None,
        "bdtype": None,
    }


def _cell_entry(cell: Cell, window: MemoryRange) -> _Entry:
    entry = _entry(_type(cell), cell.path)
    entry.update(
        phys_addr=window.base,
        addr_range=window.size,
        mem_id=window.slave_interface,
        parameters=_parameters(cell),
        registers=_registers(cell, window.slave_interface),
    )
    if "CU_NAME" in cell.attributes:  # a kernel on a card under XRT
        entry.update(
            cu_name=cell.attributes["CU_NAME"],
            hw_control_protocol=cell.attributes["HW_CONTROL_PROTOCOL"],
            xclbin_uuid=cell.attributes["XCLBIN_UUID"],
            streams=_streams(cell),
            index=int(cell.attributes["IP_INDEX"]) if cell.attributes["IP_INDEX"] else None,
        )
    return entry


def _streams(cell: Cell) -> dict[str, _Entry]:
    """The streams of a kernel by the names of their arguments."""
    found: dict[str, _Entry] = {}
    for interface in cell.interfaces.values():
        if interface.protocol == "AXIS":
            held = interface.argument
            found[interface.name if held is None else held.name] = {
                "direction": "output" if interface.role == "MASTER" else "input",
                "id": None if held is None or held.number < 0 else held.number,
                "type": None if held is None else held.type,
            }
    return found


def _external_entry(design: Design, window: MemoryRange) -> _Entry:
    """A window that leaves the design through an interface of its own."""
    interface = design.interfaces.get(window.slave_interface)
    entry = _entry(str(interface.vlnv) if interface and interface.vlnv else "", window.slave_interface)
    entry.update(phys_addr=window.base, addr_range=window.size, mem_id=window.slave_interface)
    if interface is not None:
        entry["parameters"] = {name: value or None for name, value in interface.parameters.items()}
    return entry


def _ps_entry(cell: Cell) -> _Entry:
    entry = _entry(_type(cell), cell.path)
    entry["parameters"] = _parameters(cell)
    return entry


def _type(cell: Cell) -> str:
    if cell.vlnv is None and cell.kind is CellKind.BLOCK_CONTAINER:
        return "xilinx.com:bdc:bdc:1.0"  # what programs for composable overlays look for
    return cell.type


def _parameters(cell: Cell) -> dict[str, str | None]:
    """The cell's parameters and, where they have no namesake there, those of its interfaces; None for an
    empty one.

    The packed configuration of a Versal PS is unpacked.
    """
    own = ps_parameters(cell) if cell.kind is CellKind.PROCESSOR else cell.parameters
    merged: dict[str, str | None] = {name: value or None for name, value in own.items()}
    for interface in cell.interfaces.values():
        for name, value in interface.parameters.items():
            if name not in merged:
                merged[name] = value or None
    return merged


def _registers(cell: Cell, interface: str) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    for block in cell.blocks:
        if block.interface.lower() != interface.lower() or not is_register_block(block):
            continue
        for register in block.registers:
            if register.name in found:
                continue
            found[register.name] = {
                "address_offset": register.offset,
                "size": register.size,
                "access": register.access,
                "description": register.description,
                "fields": {
                    field.name: {
                        "bit_offset": field.offset,
                        "bit_width": field.width,
                        "access": field.access,
                        "description": field.description,
                    }
                    for field in register.fields
                },
            }
            if register.argument is not None:
                found[register.name].update(
                    id=register.argument.number,
                    type=register.argument.type,
                    host_size=register.argument.host_size,
                    memory=register.argument.memory or None,
                )
    return found


def _pin_entry(path: str, pin: InterruptPin) -> _Entry:
    entry = {"controller": pin.controller, "index": pin.index, "fullpath": path}
    if pin.gic is not None:
        entry["raw_irq"] = pin.gic
    return entry


def _clock_entry(clock: Clock) -> _Entry:
    entry: _Entry = {
        "enable": int(clock.enabled),
        "frequency": None if clock.frequency is None else clock.frequency / 1e6,
    }
    for number, divisor in enumerate(clock.divisors):
        entry[f"divisor{number}"] = divisor
    entry["src_sel"] = clock.source_pll
    return entry


def _attach(design: Design, entries: dict[str, _Entry]) -> None:
    """Give the entries of cells their interrupts and GPIO."""
    for path, pin in interrupt_pins(design).items():
        owner, _, port = path.rpartition("/")
        if owner in entries:
            entries[owner]["interrupts"][port] = pin
    for pin_entry in gpio_dict(design).values():
        for path in pin_entry["pins"]:
            owner, _, port = path.rpartition("/")
            if owner in entries:
                entries[owner]["gpio"][port] = pin_entry


def _hierarchies(design: Design, ips: dict[str, _Entry], memories: dict[str, _Entry]) -> dict[str, _Entry]:
    nodes: dict[str, _Entry] = {}
    for path in design.hierarchies:
        nodes[path] = _hierarchy_entry(path)
    regions = {path for path, cell in design.cells.items() if cell.kind is CellKind.BLOCK_CONTAINER}
    regions.update(design.partials)
    for path in regions:
        nodes.setdefault(path, _hierarchy_entry(path))
    for kind, entries in (("ip", ips), ("memories", memories)):
        for path, entry in entries.items():
            # Further windows of a cell are named below it, but belong to the hierarchy that holds the cell.
            full = entry["fullpath"]
            parent = full.rpartition("/")[0]
            # A region for partial reconfiguration is a hierarchy, although it has an address.
            if parent in nodes and full not in nodes:
                name = path[len(parent) + 1 :]
                nodes[parent][kind][name] = entry
    kept = set(regions)
    for path in sorted(nodes, key=lambda path: -path.count("/")):
        node = nodes[path]
        if node["ip"] or node["memories"] or node["hierarchies"] or path in kept:
            parent = path.rpartition("/")[0]
            if parent in nodes:
                nodes[parent]["hierarchies"][path.rpartition("/")[2]] = node
        else:
            del nodes[path]
    _attach(design, {path: node for path, node in nodes.items() if path not in ips})
    return nodes


def _hierarchy_entry(path: str) -> _Entry:
    return {
        "ip": {},
        "memories": {},
        "hierarchies": {},
        "interrupts": {},
        "gpio": {},
        "fullpath": path,
        "driver": None,
        "device": None,
        "overlay": None,
    }
