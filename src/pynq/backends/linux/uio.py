"""The kernel's UIO devices: registers that a program may map, and interrupts that it may wait for.

Documentation/driver-api/uio-howto.rst. What a device is for is told by addresses and interrupt numbers;
names are free (PYNQ's images call theirs ``fabric``).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import NamedTuple

from pynq.backends.kernel import Kernel
from pynq.backends.linux.board import Board
from pynq.backends.linux.livetree import LiveNode
from pynq.errors import KernelError

__all__ = ["CLASS", "Map", "Uio", "scan"]

CLASS = "/sys/class/uio"


class Map(NamedTuple):
    """Some registers of a UIO device.

    ``physical`` is the CPU's address of the first register, ``size`` how many bytes there are from it to the
    end of what may be mapped, ``offset`` where in the mapping they begin (0 unless they start inside of a
    page). ``address`` is the same address in the PL's bus, or None where that is unknown.
    """

    address: int | None
    physical: int
    size: int
    offset: int


@dataclass(frozen=True)
class Uio:
    """A UIO device: ``/dev/uio{index}``.

    ``interrupts`` are its GIC numbers; ``pci`` is the folder in sysfs of a PCI function, where it is one:
    such a device is unmasked through ``config`` there. ``node`` is its folder in the device tree, "" without.
    """

    index: int
    name: str
    maps: tuple[Map, ...]
    interrupts: tuple[int, ...]
    pci: str | None
    node: str

    @property
    def path(self) -> str:
        """Name of the device file."""
        return f"/dev/uio{self.index}"


def scan(kernel: Kernel, board: Board) -> tuple[Uio, ...]:
    """Return the UIO devices there are now, by number. One that goes meanwhile is left out."""
    found = []
    for name in kernel.names(CLASS):
        digits = name.removeprefix("uio")
        if name.startswith("uio") and digits.isdecimal():
            try:
                found.append(_read(kernel, board, int(digits)))
            except KernelError as error:
                if error.errno not in (errno.ENOENT, errno.ENODEV, errno.ENOTDIR):
                    raise
    return tuple(sorted(found, key=lambda uio: uio.index))


def _read(kernel: Kernel, board: Board, index: int) -> Uio:
    folder = f"{CLASS}/uio{index}"
    name = kernel.text(f"{folder}/name")
    maps = []
    for number in sorted(int(entry[3:]) for entry in kernel.names(f"{folder}/maps") if entry[3:].isdecimal()):
        place = f"{folder}/maps/map{number}"
        start, size = kernel.number(f"{place}/addr"), kernel.number(f"{place}/size")
        offset = kernel.number(f"{place}/offset") if kernel.exists(f"{place}/offset") else 0
        maps.append(Map(None, start + offset, size - offset, offset))
    interrupts: tuple[int, ...] = ()
    node = ""
    if kernel.is_link(f"{folder}/device/of_node"):
        node = kernel.resolve(f"{folder}/device/of_node")
        live = LiveNode.at(kernel, node)
        interrupts = board.interrupts(live)
        maps = [
            entry._replace(address=address)
            for entry, address in zip(maps, _addresses(live, len(maps)), strict=True)
        ]
    pci = None
    if kernel.exists(f"{folder}/device/config") and kernel.exists(f"{folder}/device/vendor"):
        pci = kernel.resolve(f"{folder}/device")
    return Uio(index, name, tuple(maps), interrupts, pci, node)


def _addresses(node: LiveNode, count: int) -> list[int | None]:
    """Return the addresses in ``reg``, as many as there are maps."""
    above = node.parent
    inner = above.number("#address-cells", 2) if above is not None else 2
    sizes = above.number("#size-cells", 1) if above is not None else 1
    cells = node.cells("reg")
    found: list[int | None] = []
    for start in range(0, len(cells), inner + sizes):
        value = 0
        for cell in cells[start : start + inner]:
            value = value << 32 | cell
        found.append(value)
    return (found + [None] * count)[:count]
