"""The memories that a program can reach: DDR of the PS, DDR and BRAM behind the PL."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pynq.design.model import Cell, CellKind, Memory, MemoryKind, MemoryRange, Processor, SourceRef

__all__ = ["PS_DDR", "is_memory", "memory_type", "resolve_memories"]

PS_DDR = "PSDDR"
"""Name of the memory that belongs to the PS."""

# The interface that faces the memory tells its kind: xilinx.com:interface:ddr4_rtl:1.0, ...:bram_rtl:1.0.
_FACING = ("ddr4", "ddr5", "lpddr4", "lpddr5", "hbm", "bram")
_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,16}\Z")


def resolve_memories(
    cells: Mapping[str, Cell], family: Processor | None, ps: str, ranges: Sequence[MemoryRange]
) -> tuple[Memory, ...]:
    """The memory of the PS first, then what the ranges reach, each window once although several routes lead
    to it.
    """
    found = list(_ps_memories(cells[ps], family)) if family is not None else []
    windows: dict[tuple[str, int, int], MemoryRange] = {}
    for entry in ranges:
        if is_memory(cells, entry):
            key = (entry.slave, entry.base, entry.high)
            # Of several routes the one with the first name counts: C0_DDR_LOW0 before C1_DDR_LOW0.
            if key not in windows or entry.block < windows[key].block:
                windows[key] = entry
    number = Counter(slave for slave, _, _ in windows)
    for (slave, base, _), entry in windows.items():
        name = slave if number[slave] == 1 else f"{slave}/{entry.block}"
        kind = memory_type(cells[slave])
        found.append(
            Memory(name, slave, entry.slave_interface, entry.block, base, entry.size, kind, entry.source)
        )
    return tuple(found)


def is_memory(cells: Mapping[str, Cell], entry: MemoryRange) -> bool:
    """Whether a range is a memory of its own; what is in a region or outside the design may be anything."""
    cell = cells.get(entry.slave)
    return entry.kind is MemoryKind.MEMORY and cell is not None and cell.kind is not CellKind.BLOCK_CONTAINER


def memory_type(cell: Cell) -> str:
    """The technology: "BRAM", "DDR4", ...; the controller's name where no interface tells."""
    for interface in cell.interfaces.values():
        name = interface.vlnv.name.removesuffix("_rtl") if interface.vlnv else ""
        if name in _FACING:
            return name.upper()
    return cell.type_name.upper()


def _ps_memories(cell: Cell, family: Processor | None) -> Iterator[Memory]:
    """DDR at the PS's own controller. Versal has none: its DDR is behind the NoC, with ranges of its own."""

    def value(name: str) -> int | None:
        text = cell.parameters.get(name, "")
        return int(text, 16) if _HEX.match(text) else None

    def memory(name: str, base: int, size: int, kind: str) -> Memory:
        return Memory(
            name, cell.path, "", "", base, size, kind, SourceRef(cell.source.file, cell.source.line)
        )

    if family is Processor.ZYNQ and cell.parameters.get("PCW_UIPARAM_DDR_ENABLE", "1") == "1":
        high = value("PCW_DDR_RAM_HIGHADDR")
        if high is not None:
            # PCW_DDR_RAM_BASEADDR says 0x00100000, where the masters of the PL begin to see it; the CPU sees
            # all of it.
            kind = (
                cell.parameters.get("PCW_UIPARAM_DDR_MEMORY_TYPE", "DDR 3")
                .replace(" ", "")
                .split("(")[0]
                .upper()
            )
            yield memory(PS_DDR, 0, high + 1, kind)
    elif family is Processor.ZYNQMP and cell.parameters.get("PSU__DDRC__ENABLE", "1") == "1":
        high = value("PSU_DDR_RAM_HIGHADDR")
        if high is not None:
            kind = cell.parameters.get("PSU__DDRC__MEMORY_TYPE", "DDR 4").replace(" ", "").upper()
            # UG1085, "System Addresses": the first 2 GiB at 0, the rest from 0x8_0000_0000.
            low_size = min(high + 1, 0x8000_0000)
            yield memory(PS_DDR, 0, low_size, kind)
            if high + 1 > low_size:
                yield memory(f"{PS_DDR}_HIGH", 0x8_0000_0000, high + 1 - low_size, kind)
