"""The device-tree nodes that a design's IP get, so that programs of users can drive them (UIO).

A node has the compatible names of AMD's own generator ("xlnx,axi-dma-7.1"), and "generic-uio", which the
platform UIO driver is told to take (``uio_pdrv_genirq.of_id=generic-uio``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pynq.design.model import Cell, Design
from pynq.devicetree.fdt import Label, Node, cells, strings
from pynq.errors import DeviceTreeError

__all__ = ["GENERIC_UIO", "MAX_MAPS", "pl_nodes"]

GENERIC_UIO = "generic-uio"
MAX_MAPS = 5
"""Ranges that one UIO device can have (include/linux/uio_driver.h, MAX_UIO_MAPS)."""

_FIRST_SPI = 32
_EDGE_RISING, _LEVEL_HIGH = 1, 4  # IRQ_TYPE_* of include/dt-bindings/interrupt-controller/irq.h


class _Line(NamedTuple):
    """An interrupt line into the PS: the pin that drives it."""

    cell: str  # "" for a port of the design
    port: str
    gic: int
    edge: bool


def pl_nodes(
    design: Design,
    *,
    uio: bool = True,
    parent: int | Label | None = None,
    address_cells: int = 2,
    size_cells: int = 2,
) -> list[Node]:
    """Return a node per IP that the PS reaches, and per interrupt line of the PS that the design drives.

    An IP's node is named after its path ("video_axi_vdma_0@43000000"), has all its ranges, and the first PS
    line that the IP drives itself; a UIO device has one interrupt, so that further ones, and those of what
    has no registers, get nodes of their own ("axi_dma_0_s2mm_introut"). More than :data:`MAX_MAPS` ranges
    are several nodes as well. "xlnx,cell" has the path of the IP in the description.

    ``uio``: with the name that the platform UIO driver takes. ``parent``: phandle or label of the interrupt
    controller, where the bus the nodes go to does not tell. ``address_cells``, ``size_cells``: of that bus.
    Addresses are the description's.

    Raises :class:`~pynq.errors.DeviceTreeError` where an address does not fit the bus's cells.
    """
    lines: dict[str, list[_Line]] = {}
    for line in sorted(_lines(design), key=lambda line: line.gic):
        lines.setdefault(line.cell, []).append(line)
    taken: set[str] = set()
    nodes = []
    for path, ranges in _ranges(design).items():
        own = lines.pop(path, [])
        cell = design.cells[path]
        for number in range(0, len(ranges), MAX_MAPS):
            maps = ranges[number : number + MAX_MAPS]
            node = Node(_unique(f"{_plain(path)}@{maps[0][0]:x}", taken))
            node.properties["compatible"] = strings(*_compatible(cell, uio))
            try:
                node.properties["reg"] = b"".join(
                    cells(base, size=address_cells) + cells(size, size=size_cells) for base, size in maps
                )
            except DeviceTreeError as error:
                raise DeviceTreeError(f"{path}: {error}, which the bus has for an address or size") from None
            if own and not number:
                _add_interrupt(node, own[0], parent)
            node.set("xlnx,cell", path)
            nodes.append(node)
        nodes += [_line_node(design, line, uio, parent, taken) for line in own[1:]]
    for rest in lines.values():
        nodes += [_line_node(design, line, uio, parent, taken) for line in rest]
    return nodes


def _ranges(design: Design) -> dict[str, list[tuple[int, int]]]:
    """Base and bytes of what the PS reaches, by cell, in address order."""
    found: dict[str, set[tuple[int, int]]] = {}
    for entry in sorted(design.ps_ranges, key=lambda entry: entry.base):
        if entry.slave in design.cells:
            found.setdefault(entry.slave, set()).add((entry.base, entry.size))
    return {path: sorted(ranges) for path, ranges in found.items()}


def _lines(design: Design) -> Iterator[_Line]:
    """The shared lines of the PS that the design drives. The private ones can't be used through UIO."""
    for pin in design.interrupt_pins.values():
        if not pin.controller and pin.gic is not None and pin.gic >= _FIRST_SPI:
            yield _Line(pin.cell, pin.port, pin.gic, pin.sensitivity.startswith("EDGE"))
    for controller in design.interrupt_controllers.values():
        if not controller.parent and controller.gic is not None and controller.gic >= _FIRST_SPI:
            port = design.cells[controller.path].ports.get("irq")
            edge = port is not None and port.sensitivity.startswith("EDGE")
            yield _Line(controller.path, "irq", controller.gic, edge)


def _line_node(design: Design, line: _Line, uio: bool, parent: int | Label | None, taken: set[str]) -> Node:
    name = _plain(f"{line.cell}/{line.port}" if line.cell else line.port)
    node = Node(_unique(name, taken))
    if uio:
        node.set("compatible", GENERIC_UIO)
    _add_interrupt(node, line, parent)
    if line.cell:
        node.set("xlnx,cell", line.cell)
    return node


def _add_interrupt(node: Node, line: _Line, parent: int | Label | None) -> None:
    # arm,gic.yaml: 0 is a shared interrupt, then its number among those, then how it is triggered.
    node.set("interrupts", 0, line.gic - _FIRST_SPI, _EDGE_RISING if line.edge else _LEVEL_HIGH)
    if parent is not None:
        node.set("interrupt-parent", parent)


def _compatible(cell: Cell, uio: bool) -> Iterator[str]:
    if cell.vlnv is not None:
        name = re.sub(r"[^A-Za-z0-9.,-]", "-", cell.vlnv.name.replace("_", "-"))
        version = re.sub(r"[^A-Za-z0-9.]", "", cell.vlnv.version)
        yield f"xlnx,{name}-{version}" if version else f"xlnx,{name}"
    if uio:
        yield GENERIC_UIO


def _plain(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9,._+-]", "_", path)


def _unique(name: str, taken: set[str]) -> str:
    """Return a name that no other node of the bus has: "a/b_c" and "a_b/c" read the same."""
    stem, at, address = name.partition("@")
    count = 1
    while name in taken:
        count += 1
        name = f"{stem}_{count}{at}{address}"
    taken.add(name)
    return name
