"""Reader of IP-XACT components (``component.xml``, IEEE 1685-2009, -2014 and -2022): a design of one cell.

Vivado's packager and Vitis HLS write one for every IP. Formulas are worked out with the component's own
parameters, or those of a cell (:mod:`pynq.design.expressions`); vendor extensions are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pynq.design import xmltree
from pynq.design.expressions import Unresolved
from pynq.design.ipxact_maps import Values, memory_map
from pynq.design.kinds import logical_name, protocol_of
from pynq.design.model import (
    AddressBlock,
    BusInterface,
    Cell,
    CellKind,
    Design,
    MemoryKind,
    MemoryRange,
    Port,
    SourceRef,
    Vlnv,
)
from pynq.design.resolve import resolve
from pynq.design.xmltree import Node
from pynq.errors import DesignError, Problem

__all__ = ["PackagedCell", "Registers", "component", "packaged", "read", "registers", "type_of", "vlnv"]

_PARTS = ("vendor", "library", "name", "version")
_ROLES = {
    "slave": "SLAVE",
    "master": "MASTER",
    "target": "TARGET",
    "initiator": "INITIATOR",
    "monitor": "MONITOR",
    "system": "SLAVE",
}
_DIRECTIONS = {"in": "I", "out": "O", "inout": "IO"}
_SIGNALS = {"clock": "clk", "reset": "rst", "interrupt": "INTERRUPT"}


class Registers(NamedTuple):
    """The registers of a component: its type, its address blocks, and what was left out."""

    vlnv: Vlnv
    blocks: tuple[AddressBlock, ...]
    notes: tuple[Problem, ...]


class PackagedCell(NamedTuple):
    """An instance of a component: a cell, what of it its parameters turn off, and what was left out.

    ``hidden`` are names of ports and interfaces.
    """

    cell: Cell
    hidden: frozenset[str]
    notes: tuple[Problem, ...]


def read(path: str | os.PathLike[str]) -> Design:
    """Read a component as a design of one cell, without a PS.

    The cell's path is the component's name; its slave interfaces are reached from address 0 on.

    Raises:
        DesignNotFoundError: There is no such file.
        DesignError: It is no IP-XACT component; every reason with its line. What of it can't be worked out
            is left out, and in the design's ``notes``.
    """
    return component(xmltree.load(path), path)


def component(data: bytes, path: str | os.PathLike[str]) -> Design:
    """Do the same from memory; ``path`` is what errors call it."""
    root = xmltree.component(data, path)
    reader = _Reader(root, os.fspath(path), {})
    kind = reader.vlnv()
    cell = reader.cell(kind)
    fields = resolve(reader.file, {cell.path: cell}, {}, tuple(_boundary(cell)))
    return Design(
        name=kind.name,
        file=reader.file,
        tool_version=reader.tool,
        timestamp="",
        architecture="",
        device="",
        package="",
        speed_grade="",
        board="",
        interfaces=MappingProxyType({}),
        source=SourceRef(reader.file, root.line),
        format="ipxact",
        notes=tuple(reader.values.notes),
        **fields,
    )


def registers(
    path: str | os.PathLike[str], parameters: Mapping[str, str] | None = None, wanted: str = ""
) -> Registers:
    """Read the registers of a component alone.

    ``parameters``: those of a cell, over the component's own defaults. ``wanted``: the name of one memory
    map, or of an interface that shows it. Raises what :func:`read` raises.
    """
    reader = _Reader(xmltree.component(xmltree.load(path), path), os.fspath(path), parameters or {})
    kind = reader.vlnv()
    return Registers(kind, tuple(reader.blocks(wanted)), tuple(reader.values.notes))


def packaged(path: str | os.PathLike[str], parameters: Mapping[str, str]) -> PackagedCell:
    """Read a component as a cell with these parameters, over its own. Raises what :func:`read` raises."""
    reader = _Reader(xmltree.component(xmltree.load(path), path), os.fspath(path), parameters)
    cell = reader.cell(reader.vlnv())
    return PackagedCell(cell, frozenset(reader.hidden()), tuple(reader.values.notes))


def vlnv(path: str | os.PathLike[str]) -> Vlnv:
    """Return the type of a component. Raises what :func:`read` raises."""
    return type_of(xmltree.load(path), path)


def type_of(data: bytes, path: str | os.PathLike[str]) -> Vlnv:
    """Do the same from memory; ``path`` is what errors call it."""
    return _Reader(xmltree.component(data, path), os.fspath(path), {}).vlnv()


def _boundary(cell: Cell) -> Iterator[MemoryRange]:
    for block in cell.blocks:
        if block.range and block.usage != "reserved":
            yield MemoryRange(
                master="",
                master_interface=block.interface,
                slave=cell.path,
                slave_interface=block.interface,
                block=block.name,
                base=block.offset,
                high=block.offset + block.range - 1,
                kind=MemoryKind.MEMORY if block.usage == "memory" else MemoryKind.REGISTER,
                source=block.source,
            )


class _Reader:
    def __init__(self, root: Node, file: str, parameters: Mapping[str, str]) -> None:
        self.file = file
        self._root = root
        self.parameters: dict[str, str] = {}
        self.values = Values(file, {}, given=bool(parameters))
        for node in root.all("model", "modelParameters", "modelParameter"):
            self._parameter(node)
        for node in root.all("parameters", "parameter"):
            self.parameters[node.text("name")] = node.text("value")
            self._parameter(node)
        for name, value in parameters.items():
            for key in (name, f"PARAM_VALUE.{name}", f"MODELPARAM_VALUE.{name}"):
                self.values.names[key] = value

    @property
    def tool(self) -> str:
        """The version of the tool that packaged the component, where it says so (Vivado does)."""
        return next(
            (
                node.content
                for node in self._root.all("vendorExtensions")
                for node in node.descendants()
                if node.tag.endswith(" xilinxVersion")
            ),
            "",
        )

    def vlnv(self) -> Vlnv:
        """Return the component's type. Raises :class:`~pynq.errors.DesignError` where a part is missing."""
        parts = {part: self._root.text(part) for part in _PARTS}
        missing = [part for part, text in parts.items() if not text]
        if missing:
            message = f"the component has no {' and no '.join(missing)}"
            raise DesignError([Problem(self.file, self._root.line, message)])
        return Vlnv(**parts)

    def hidden(self) -> Iterator[str]:
        """Yield the names of ports and interfaces that the parameters turn off.

        IEEE 1685-2014 has ``isPresent``; Vivado's packager writes ``xilinx:isEnabled`` into an extension.
        """
        nodes = [*self._root.all("model", "ports", "port"), *self._root.all("busInterfaces", "busInterface")]
        for node in nodes:
            marks = [*node.all("isPresent")]
            for part in node.all("vendorExtensions"):
                marks += [one for one in part.descendants() if one.tag.endswith(" isEnabled")]
            if any(not self._holds(mark) for mark in marks):
                yield node.text("name")

    def _holds(self, mark: Node) -> bool:
        try:
            return bool(self.values.number(mark))
        except Unresolved:
            return mark.content.lower() not in ("false", "0")

    def _parameter(self, node: Node) -> None:
        value = node.first("value")
        if value is None:
            return
        text = value.content
        if self.values.given and value.attributes.get("dependency"):
            text = value.attributes["dependency"]
        keys = (node.text("name"), node.attributes.get("parameterId"), value.attributes.get("id"))
        for key in keys:
            if key:
                self.values.names[key] = text

    def blocks(self, wanted: str = "") -> Iterator[AddressBlock]:
        """Yield the address blocks, for each slave interface that shows them; all or those of one map."""
        maps = {node.text("name"): node for node in self._root.all("memoryMaps", "memoryMap")}
        shown = set()
        for bus in self._root.all("busInterfaces", "busInterface"):
            for role in ("slave", "target"):
                for reference in bus.all(role, "memoryMapRef"):
                    name = reference.attributes.get("memoryMapRef") or reference.content
                    found = maps.get(name)
                    if found is None:
                        text = f"interface {bus.text('name')!r} shows memory map {name!r}, which is not there"
                        self.values.note(reference.line, text)
                        continue
                    shown.add(name)
                    if wanted in ("", name, bus.text("name")):
                        yield from memory_map(found, bus.text("name"), self.values)
        for name, node in maps.items():
            if name not in shown and wanted in ("", name):
                yield from memory_map(node, name, self.values)

    def cell(self, kind: Vlnv) -> Cell:
        """Return the component as a cell."""
        interfaces = {bus.name: bus for bus in self._interfaces()}
        ports = {port.name: port for port in self._ports(interfaces)}
        blocks = tuple(self.blocks())
        return Cell(
            path=kind.name,
            vlnv=kind,
            module_type=kind.name,
            kind=CellKind.PERIPHERAL if blocks else CellKind.LOGIC,
            parameters=MappingProxyType(self.parameters),
            ports=MappingProxyType(ports),
            interfaces=MappingProxyType(interfaces),
            blocks=blocks,
            ranges=(),
            source=SourceRef(self.file, self._root.line),
            attributes=MappingProxyType({"VLNV": str(kind)}),
        )

    def _interfaces(self) -> Iterator[BusInterface]:
        for bus in self._root.all("busInterfaces", "busInterface"):
            parameters = {
                node.text("name"): node.text("value") for node in bus.all("parameters", "parameter")
            }
            maps = [
                *bus.all("portMaps", "portMap"),
                *bus.all("abstractionTypes", "abstractionType", "portMaps", "portMap"),
            ]
            port_map = {}
            for node in maps:
                physical = node.text("physicalPort", "name")
                if physical:
                    logical = node.text("logicalPort", "name") or logical_name(physical)
                    port_map[logical.upper()] = physical
            kind = bus.first("busType")
            parts = [kind.attributes.get(part, "") for part in _PARTS] if kind is not None else []
            bus_type = Vlnv(*parts) if parts and all(parts) else None
            width = parameters.get("DATA_WIDTH", "")
            yield BusInterface(
                name=bus.text("name"),
                role=next((_ROLES[child.tag] for child in bus.children if child.tag in _ROLES), ""),
                net="",
                vlnv=bus_type,
                protocol=protocol_of(bus_type, parameters, port_map),
                data_width=int(width) if width.isascii() and width.isdecimal() and len(width) < 9 else None,
                parameters=MappingProxyType(parameters),
                port_map=MappingProxyType(port_map),
                source=SourceRef(self.file, bus.line),
            )

    def _ports(self, interfaces: Mapping[str, BusInterface]) -> Iterator[Port]:
        owners = {port: bus for bus in interfaces.values() for port in bus.port_map.values()}
        for node in self._root.all("model", "ports", "port"):
            name, wire = node.text("name"), node.first("wire")
            if not name or wire is None:
                continue
            bus = owners.get(name)
            kind = _SIGNALS.get(bus.vlnv.name, "undef") if bus is not None and bus.vlnv else "undef"
            vector = wire.first("vector") or wire.first("vectors", "vector")
            yield Port(
                name=name,
                direction=_DIRECTIONS.get(wire.text("direction"), "IO"),
                left=self._bound(vector, "left", name),
                right=self._bound(vector, "right", name),
                kind=kind,
                signal="",
                polarity=bus.parameters.get("POLARITY", "") if bus is not None and kind == "rst" else "",
                sensitivity=bus.parameters.get("SENSITIVITY", "") if bus is not None else "",
                frequency=None,
                peers=(),
                line=node.line,
            )

    def _bound(self, vector: Node | None, side: str, port: str) -> int | None:
        node = None if vector is None else vector.first(side)
        if node is None:
            return None
        try:
            return self.values.number(node)
        except Unresolved as error:
            self.values.note(node.line, f"the {side} bound of port {port!r} can't be worked out: {error}")
            return None
