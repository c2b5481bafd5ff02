"""UIO devices for a design whose device tree has none: an overlay made from the description."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pynq.backends.kernel import Kernel
from pynq.backends.linux.board import Board
from pynq.backends.linux.livetree import LiveNode
from pynq.backends.linux.uio import Uio
from pynq.design.model import Design
from pynq.design.treenodes import pl_nodes
from pynq.devicetree import Fragment, Node, make, write

if TYPE_CHECKING:
    from pynq.backends.linux.registers import Registers

__all__ = ["await_devices", "missing_nodes", "overlay_of"]

_STEP = 0.01


def missing_nodes(design: Design, board: Board, uios: tuple[Uio, ...]) -> list[Node]:
    """Return nodes for what of a design no UIO device has: registers, and lines of the PS.

    What the tree has a node for already is left to whatever driver takes that.
    """
    addresses, sizes = board.bus.number("#address-cells", 2), board.bus.number("#size-cells", 1)
    carried = {number for uio in uios for number in uio.interrupts[:1]}
    starts = [(entry.address, entry.size) for uio in uios for entry in uio.maps if entry.address is not None]
    taken = {child.name.partition("@")[2] for child in board.bus.children()}
    found = []
    phandle = board.gic_phandle
    for node in pl_nodes(design, parent=phandle, address_cells=addresses, size_cells=sizes):
        if node.name.partition("@")[2] in taken - {""}:
            continue
        cells = node.cells("interrupts")
        if cells and board.gic(cells) in carried:  # an interrupt has one UIO device
            for name in ("interrupts", "interrupt-parent"):
                node.properties.pop(name, None)
        ranges = node.cells("reg")
        base = int.from_bytes(node.properties.get("reg", b"")[: 4 * addresses], "big")
        covered = ranges and any(start <= base < start + size for start, size in starts)
        if "interrupts" in node.properties or (ranges and not covered):
            # A driver of the kernel that knows the IP would take it from the program.
            node.set("compatible", "generic-uio")
            found.append(node)
    return found


def overlay_of(nodes: list[Node], kernel: Kernel, board: Board) -> bytes:
    """Return the overlay that adds nodes to the PL's bus."""
    target = board.bus.place.removeprefix(LiveNode(kernel).place) or "/"
    content = Node("")
    content.children += nodes
    return write(make([Fragment(target, content)]))


def await_devices(nodes: list[Node], registers: Registers, timeout: float) -> list[str]:
    """Wait until nodes have UIO devices, which udev lets this user open; return those that have none."""
    kernel, board = registers.kernel, registers.board
    wanted = {node.name for node in nodes}
    bus = kernel.resolve(board.bus.place)
    end = time.monotonic() + timeout
    while True:
        registers.forget()
        ready = {
            uio.node.rpartition("/")[2]
            for uio in registers.uios()
            if uio.node.rpartition("/")[0] == bus and kernel.exists(uio.path)
        }
        usable = {uio.node.rpartition("/")[2] for uio in registers.uios() if kernel.writable(uio.path)}
        if wanted <= ready & usable or time.monotonic() >= end:
            return sorted(wanted - ready)
        time.sleep(_STEP)
