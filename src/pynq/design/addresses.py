"""Address maps: which one a program has, and whether it can be true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pynq.design.model import Cell, CellKind, MemoryKind, MemoryRange

__all__ = ["conflicts", "ps_ranges", "reachable"]


def ps_ranges(cells: Mapping[str, Cell], ps: str) -> tuple[MemoryRange, ...]:
    """What the PS reaches outside itself."""
    return (
        tuple(entry for entry in cells[ps].ranges if entry.master_interface and entry.slave != ps)
        if ps
        else ()
    )


def reachable(cells: Mapping[str, Cell], ps: str, boundary: Sequence[MemoryRange]) -> tuple[MemoryRange, ...]:
    """The address map that a program has.

    That of the PS. A design without one may be a part of another design, which enters through boundary
    interfaces; or be run by soft processors; or by something else that masters a bus (PCI Express, JTAG).
    """
    if ps:
        return ps_ranges(cells, ps)
    if any(entry.slave for entry in boundary):
        return tuple(boundary)
    masters = [cell for cell in cells.values() if cell.ranges]
    processors = [cell for cell in masters if cell.kind in (CellKind.SOFT_PROCESSOR, CellKind.PROCESSOR)]
    return tuple(entry for cell in processors or masters for entry in cell.ranges) or tuple(boundary)


def conflicts(ranges: Iterable[MemoryRange]) -> Iterator[tuple[MemoryRange, MemoryRange]]:
    """Pairs of ranges, in address order, that can't both be true.

    Two different slaves at one address of one master interface are a conflict. Real files legitimately repeat
    a range of one slave (an interface per route, several address blocks), map it twice, put one slave at the
    same address of several master interfaces (instructions and data), and show a part of a memory under a
    name of its own; the maps inside a hard PS, whose ranges name no master interface, overlap as its
    documentation says.
    """
    by_interface: dict[str, list[MemoryRange]] = {}
    for entry in ranges:
        if entry.master_interface:
            by_interface.setdefault(entry.master_interface, []).append(entry)
    for entries in by_interface.values():
        entries.sort(key=lambda entry: (entry.base, -entry.high))
        # The range that reaches furthest so far suffices: whatever overlaps an earlier one overlaps it too,
        # or is reported with it. That keeps the check linear however many ranges there are.
        reach: MemoryRange | None = None
        for entry in entries:
            if reach is not None and entry.base <= reach.high and not _may_share(reach, entry):
                yield reach, entry
            if reach is None or entry.high > reach.high:
                reach = entry


def _may_share(outer: MemoryRange, inner: MemoryRange) -> bool:
    if (outer.slave or outer.slave_interface) == (inner.slave or inner.slave_interface):
        return True
    return outer.kind is inner.kind is MemoryKind.MEMORY and inner.high <= outer.high
