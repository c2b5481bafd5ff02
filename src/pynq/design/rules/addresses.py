"""Rules of address maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pynq.design.addresses import conflicts
from pynq.design.findings import Facts, Hit, rule, sends
from pynq.design.kinds import is_register_block
from pynq.design.model import CellKind, MemoryKind, MemoryRange, Processor
from pynq.design.pswindows import PL_WINDOWS, Windows

__all__ = ["RULES"]

_EDIT = "change it in Vivado's Address Editor and build again"

_WINDOWS: dict[Processor, Windows] = {
    Processor.ZYNQ: PL_WINDOWS["processing_system7"],
    Processor.ZYNQMP: PL_WINDOWS["zynq_ultra_ps_e"],
    Processor.VERSAL: PL_WINDOWS["versal_cips"],
}


def _what(entry: MemoryRange) -> str:
    return f"{entry.slave}/{entry.slave_interface}" if entry.slave else entry.slave_interface


def _span(entry: MemoryRange) -> str:
    return f"{entry.base:#x} to {entry.high:#x}"


@rule("address-overlap", "error")
def overlap(facts: Facts) -> Iterator[Hit]:
    """Two blocks have the same addresses in one map.

    Only one of them can answer; which one is the interconnect's choice. A hand-off file of which that is
    true within one interface of a master is not even read. The PS's own interfaces are told apart by
    address alone, so what two of them reach must differ, too.

    Give one of the two another address in the Address Editor.
    """
    maps = [list(cell.ranges) for cell in facts.design.cells.values()]
    maps.append(list(facts.design.boundary_ranges))
    for ranges in maps:
        for earlier, later in conflicts(ranges):
            yield _overlap(earlier, later)
    windows = [entry for entry in facts.design.ps_ranges if entry.master_interface]
    if facts.design.processor in _WINDOWS:
        interfaces = {entry.source: entry.master_interface for entry in windows}
        # As if the PS had one interface; what is in one of them was reported already.
        for earlier, later in conflicts(replace(entry, master_interface="PS") for entry in windows):
            if interfaces[earlier.source] != interfaces[later.source]:
                yield _overlap(earlier, later)


def _overlap(earlier: MemoryRange, later: MemoryRange) -> Hit:
    return Hit(
        _what(later),
        f"{_span(later)} overlaps {_what(earlier)} at {_span(earlier)} ({earlier.source})",
        f"give one of them another address: {_EDIT}",
        later.source,
    )


@rule("address-outside-window", "error")
def outside(facts: Facts) -> Iterator[Hit]:
    """An address is not one that the PS sends to that interface.

    The PS decides by address which interface an access takes (UG585, UG1085, AM011): an access to such an
    address goes elsewhere, or nowhere, and the processor may hang. A Versal's NoC interfaces have no window
    of their own, but nothing behind them may be in one of `M_AXI_FPD` or `M_AXI_LPD`.

    Move the block into the window of its interface, or connect it to the interface of that window.
    """
    processor = facts.design.processor
    windows = _WINDOWS.get(processor, {}) if processor else {}
    for entry in facts.design.ps_ranges:
        own = entry.master_interface
        if own not in windows:
            yield from _taken(facts, entry, windows)
        elif not any(
            low <= entry.base and entry.high <= high
            for name, windows_of in windows.items()
            if name == own or _leads(facts, name, entry)
            for low, high in windows_of
        ):
            text = " or ".join(f"{low:#x} to {high:#x}" for low, high in windows[own])
            yield Hit(
                _what(entry),
                f"{_span(entry)} is not in the window of {own}: {text}",
                f"choose an address there: {_EDIT}",
                entry.source,
            )


def _taken(facts: Facts, entry: MemoryRange, windows: Windows) -> Iterator[Hit]:
    """What is behind an interface without a window (the NoC's) may not be in that of another."""
    if "NOC" not in entry.master_interface or not entry.slave:
        return
    for name, windows_of in windows.items():
        for low, high in windows_of:
            if entry.base <= high and low <= entry.high and not _leads(facts, name, entry):
                yield Hit(
                    _what(entry),
                    f"{_span(entry)} is in the window of {name} ({low:#x} to {high:#x}), but reached through "
                    f"{entry.master_interface}",
                    f"choose an address outside of it, or connect the block to {name}: {_EDIT}",
                    entry.source,
                )


@rule("address-alignment", "error")
def alignment(facts: Facts) -> Iterator[Hit]:
    """A block's address is no multiple of its size.

    Interconnects compare the upper bits of an address and pass the lower ones on, so such a block answers
    somewhere else, or at offsets that are turned round.

    Move the block to a multiple of its size.
    """
    for entry in facts.design.ps_ranges:
        size = entry.size
        if entry.kind is MemoryKind.REGISTER and size & (size - 1) == 0 and entry.base % size:
            yield Hit(
                _what(entry),
                f"{_span(entry)}: the address is no multiple of its {size:#x} bytes",
                f"move it to a multiple of its size: {_EDIT}",
                entry.source,
            )


@rule("address-unreachable", "error")
def unreachable(facts: Facts) -> Iterator[Hit]:
    """The PS has an address for a block to which no connection leads.

    An access there is answered by nobody: it ends in a bus error, or hangs the processor where the port of
    the interconnect is left open.

    Connect the block's interface, or take its address out of the map.
    """
    design = facts.design
    if not design.ps:
        return
    for entry in design.ps_ranges:
        cell = design.cells.get(entry.slave)
        if cell is None or entry.slave_interface not in cell.interfaces:
            continue
        start = entry.master_interface
        reached = _reached(facts, start)
        if not reached:
            continue
        interface = cell.interfaces[entry.slave_interface]
        if not facts.connected(cell, interface):
            yield Hit(
                _what(entry),
                f"{_span(entry)} is its address, but the interface is not connected",
                "connect it, or exclude the address",
                entry.source,
            )
        elif interface.net not in reached and interface.net in facts.nets:
            yield Hit(
                _what(entry),
                f"{_span(entry)} is its address from {start}, but no connection leads there from {start}",
                "follow the bus from the PS in the block design: an interconnect's port is open on the way",
                entry.source,
                "warning",
            )


def _leads(facts: Facts, start: str, entry: MemoryRange) -> bool:
    """Whether an interface of the PS is connected with what answers in a range."""
    cell = facts.design.cells.get(entry.slave)
    interface = cell.interfaces.get(entry.slave_interface) if cell is not None else None
    return interface is not None and interface.net in _reached(facts, start)


def _reached(facts: Facts, start: str) -> frozenset[str]:
    """The buses that are reached from an interface of the PS."""
    interface = facts.design.cells[facts.design.ps].interfaces.get(start)
    return (
        facts.downstream(interface.net)
        if interface is not None and interface.net in facts.nets
        else frozenset()
    )


@rule("slave-without-address", "warning")
def forgotten(facts: Facts) -> Iterator[Hit]:
    """A block's registers are connected, but no master has an address for them.

    Its registers can't be reached: the block is missing in `ip_dict`, and no driver can bind to it.

    Assign the address in the Address Editor (or exclude it there, if that is what is meant).
    """
    design = facts.design
    maps = [entry for cell in design.cells.values() for entry in cell.ranges]
    maps += design.boundary_ranges
    if not maps:
        return
    addressed = {entry.slave for entry in maps}
    routed = {(entry.slave, entry.slave_interface) for entry in maps}
    for cell, interface in facts.buses("AXI"):
        own = [
            block
            for block in cell.blocks
            if block.interface.lower() == interface.name.lower() and is_register_block(block)
        ]
        if (
            not sends(interface)
            and own
            and cell.kind in (CellKind.PERIPHERAL, CellKind.LOGIC, CellKind.INTERRUPT_CONTROLLER)
            and (cell.path, interface.name) not in routed
            and facts.connected(cell, interface)
        ):
            has = "another interface of the block has one" if cell.path in addressed else "nobody reaches it"
            yield Hit(
                f"{cell.path}/{interface.name}",
                f"the interface is connected, but no master has an address for it ({has})",
                "assign its address in Vivado's Address Editor and build again",
                interface.source,
            )


@rule("master-without-slave", "warning")
def aimless(facts: Facts) -> Iterator[Hit]:
    """A master is connected, but has nothing in its address map.

    A DMA whose map lacks the memory gets a decode error (DMADecErr) at its first transfer.

    Assign the addresses of that master in the Address Editor: the memory of the PS, for a DMA.
    """
    maps = [entry for cell in facts.design.cells.values() for entry in cell.ranges]
    routed = {(entry.slave, entry.slave_interface) for entry in (*maps, *facts.design.boundary_ranges)}
    through = {  # converters, slices, decouplers: what enters leaves again
        cell.path
        for cell, interface in facts.buses("AXI")
        if not sends(interface) and (cell.path, interface.name) not in routed
    }
    for cell, interface in facts.buses("AXI"):
        if (
            sends(interface)
            and cell.kind is not CellKind.INTERCONNECT
            and cell.path != facts.design.ps  # whose interfaces share one map
            and not any(entry.master_interface in ("", interface.name) for entry in cell.ranges)
            and cell.path not in through
            and facts.connected(cell, interface)
        ):
            yield Hit(
                f"{cell.path}/{interface.name}",
                "the master is connected, but its address map is empty",
                "assign the addresses that it needs in Vivado's Address Editor and build again",
                interface.source,
            )


@rule("registers-beyond-range", "warning")
def beyond(facts: Facts) -> Iterator[Hit]:
    """A block has registers beyond the end of its address range.

    An access to them leaves the range: it is refused, or meets the next block.

    Make the range larger in the Address Editor.
    """
    for entry in facts.design.ps_ranges:
        cell = facts.design.cells.get(entry.slave)
        for block in cell.blocks if cell is not None else ():
            if block.interface.lower() != entry.slave_interface.lower() or block.name != entry.block:
                continue
            last = max(block.registers, key=lambda one: one.offset + one.size // 8, default=None)
            if last is not None and last.offset + last.size // 8 > entry.size:
                yield Hit(
                    _what(entry),
                    f"register {last.name!r} at offset {last.offset:#x} is beyond the {entry.size:#x} bytes",
                    f"make the range larger: {_EDIT}",
                    entry.source,
                )


RULES = (overlap, outside, alignment, unreachable, forgotten, aimless, beyond)
