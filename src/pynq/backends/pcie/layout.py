"""What of a design a card's driver must know: the BAR of the registers, the memories, the interrupts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pynq.design.model import Cell, Design, MemoryKind, MemoryRange
from pynq.errors import UnsupportedByDeviceError

__all__ = ["OPTIONS", "Layout", "Memory", "choose", "layout_of", "number"]

#: Interrupts of the XDMA subsystem (PG195, parameter "Number of User Interrupt Requests": up to 16).
EVENTS = 16

# PG195, "PCIe: BARs" tab: the address that offset 0 of the AXI-Lite BAR has in the design. Vivado's names of
# the parameter by version, in lower case.
_BAR_BASE = ("pciebar2axibar_axil_master", "c_pciebar2axibar_0", "pciebar2axibar_0")


class Memory(NamedTuple):
    """Memory of the card that the host reaches by DMA."""

    name: str
    base: int
    size: int  # bytes


@dataclass(frozen=True)
class Layout:
    """``bar_base``: address of the BAR's first byte in the design. ``lines``: number of each interrupt, in
    the order of the card's event devices.
    """

    registers: tuple[MemoryRange, ...]
    bar_base: int
    memories: tuple[Memory, ...]
    lines: tuple[int, ...]


def number(text: str) -> int:
    """Return the number that a parameter or option gives, hexadecimal with 0x, else decimal."""
    return int(text.strip().strip("{}"), 0)


def _memory(text: str) -> Memory:
    base, _, size = text.partition("+")
    return Memory("memory", number(base), number(size))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(number(part) for part in text.split(","))


#: What a device's name may tell, see :class:`~pynq.backends.pcie.xdma.XdmaBackend`.
OPTIONS: Final[Mapping[str, Callable[[str], object]]] = {
    "user": number,
    "memory": _memory,
    "events": _numbers,
}


def layout_of(design: Design, options: Mapping[str, Any]) -> Layout:
    """Read the layout from the design's XDMA block; ``options`` (:data:`OPTIONS`) come first.

    A design without such a block (its host enters by other means) needs the option ``memory``; its registers
    are all that a program reaches.
    """
    cell = next((cell for cell in design.cells.values() if cell.type_name == "xdma"), None)
    owned = [entry for entry in design.reachable if cell is None or entry.master == cell.path]
    memories = tuple(
        Memory(entry.slave or entry.slave_interface, entry.base, entry.size)
        for entry in owned
        if cell is not None and entry.kind is MemoryKind.MEMORY and not _is_lite(entry)
    )
    registers = tuple(entry for entry in owned if cell is None or _is_lite(entry))
    if "memory" in options:
        memories = (options["memory"],)
    bar_base = options["user"] if "user" in options else _bar_base(cell)
    return Layout(registers, bar_base, memories, options.get("events", tuple(range(EVENTS))))


def _is_lite(entry: MemoryRange) -> bool:
    return entry.master_interface.upper() == "M_AXI_LITE"


def _bar_base(cell: Cell | None) -> int:
    if cell is not None:
        known = {name.lower(): text for name, text in cell.parameters.items()}
        for name in _BAR_BASE:
            if name in known:
                try:
                    return number(known[name])
                except ValueError:
                    raise UnsupportedByDeviceError(
                        f"{cell.path}: its parameter {name} is {known[name]!r}, no address of the BAR's "
                        "first byte; give that with the option `user` (xdma:0?user=0x0)"
                    ) from None
    return 0


def choose(memories: tuple[Memory, ...], target: object, device: str) -> Memory:
    """Return the memory that ``target`` names: itself by name, its entry in ``mem_dict``, an object with its
    address; None: the largest.
    """
    if not memories:
        raise UnsupportedByDeviceError(f"device {device!r}: the design has no memory that the host reaches")
    if target is None:
        return max(memories, key=lambda memory: memory.size)
    if isinstance(target, str):
        found = [memory for memory in memories if memory.name == target]
    else:
        entry = target if isinstance(target, dict) else {}
        base = entry.get("phys_addr", getattr(target, "base_address", getattr(target, "base", -1)))
        found = [memory for memory in memories if memory.base == base]
    if not found:
        names = ", ".join(memory.name for memory in memories)
        raise UnsupportedByDeviceError(f"device {device!r} has no memory {target!r}; there are {names}")
    return found[0]
