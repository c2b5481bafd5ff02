"""Reader of hardware hand-off files (``.hwh``), the XML that Vivado writes beside a bitstream.

:func:`read` turns one file into one :class:`~pynq.design.model.Design`. It works in two steps: expat calls a
handler per element, which only collects attributes and lines under the element that owns them; then the
collected data is turned into cells, and the small resolvers of this package (interrupts, clocks, EMIO,
memories) work out what the wires mean. Elements that are unknown, or in a place where the format has none,
are skipped whole, so newer tools may add some.

Whatever is wrong with a file ends in one :class:`~pynq.errors.DesignError` that holds every reason found,
each with its line. Time and memory are bounded: the size of the file, the depth of nesting and the number of
reasons have limits, and document type declarations (where entity bombs live) are refused outright; Vivado
writes none.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any
from xml.parsers import expat

from ..errors import DesignError, DesignNotFoundError, Problem
from .addresses import conflicts, ps_ranges, reachable
from .clocks import resolve_clocks, resolve_resets
from .emio import resolve_emio
from .gpio import resolve_gpio
from .interrupts import resolve_interrupts
from .kinds import find_processor, kind_of, logical_name, protocol_of
from .memories import resolve_memories
from .model import (
    AddressBlock,
    BusInterface,
    Cell,
    Design,
    Endpoint,
    Field,
    MemoryKind,
    MemoryRange,
    Port,
    Register,
    SourceRef,
    Vlnv,
)
from .topology import Wiring

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_PATH", "MAX_PROBLEMS", "read", "read_bytes"]

MAX_BYTES = 32 << 20
"""Largest file that is read, in bytes; the largest hand-off file seen so far has 4.1 MB."""
MAX_DEPTH = 32
"""Deepest nesting of elements; the format itself needs 9."""
MAX_PATH = 1000
"""Longest path of a cell, in characters."""
MAX_ROUTES = 64
"""Most interfaces through which one range may lead."""
MAX_PROBLEMS = 50
"""Reading stops after so many problems."""

_Attributes = dict[str, str]
_Table = dict[str, Callable[[_Attributes], Any]]
_LEAF: _Table = {}
_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{1,32}\Z")
_NUMBER = re.compile(r"([+-]?)(?:(?:0[xX]|#)([0-9a-fA-F]{1,64})|([0-9]{1,64}))([kKmMgGtT]?)\Z")
_SCALES = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_FREQUENCY = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?(?:[eE]\+?[0-9]{1,2})?\Z")  # also "1e+08"
_PORT_KINDS = {
    "CLK": "clk",
    "RST": "rst",
    "CE": "ce",
    "DATA": "data",
    "interrupt": "INTERRUPT",
    "INTR": "INTERRUPT",
}


def read(path: str | os.PathLike[str]) -> Design:
    """Read a hand-off file.

    Args:
        path: the ``.hwh`` file.

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: the file can't be used; ``problems`` holds every reason with its line.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as stream:
            # One byte more than allowed tells an oversized file without reading all of it (it may be a
            # device).
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise DesignNotFoundError(f"{name}: no such file") from error
    except OSError as error:
        raise DesignError([Problem(name, 0, f"can't be read: {error.strerror}")]) from error
    return read_bytes(data, name)


def read_bytes(data: bytes, name: str = "<bytes>") -> Design:
    """Read a hand-off file from memory; ``name`` is what errors and source references call it.

    Raises:
        DesignError: the data can't be used; ``problems`` holds every reason with its line.
    """
    if len(data) > MAX_BYTES:
        raise DesignError(
            [Problem(name, 0, f"is larger than {MAX_BYTES >> 20} MiB: no hand-off file is that large")]
        )
    with _collector_paused():
        return _Builder(_collect(data, name)).design()


@contextmanager
def _collector_paused() -> Iterator[None]:
    """What is read stays alive to the end, so the garbage collector would look at it again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _TooManyProblems(Exception):
    """Ends the reading early; the problems are in the list."""


class _Problems(list[Problem]):
    """The reasons found so far, for one file."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = file

    def add(self, line: int, message: str) -> None:
        self.append(Problem(self._file, line, message))
        if len(self) >= MAX_PROBLEMS:
            self.append(Problem(self._file, 0, f"reading stopped after {MAX_PROBLEMS} problems"))
            raise _TooManyProblems

    def stop(self) -> None:
        """Raise what was found, if anything."""
        if self:
            # In the order of the file; sorted() keeps the order of discovery within a line, and lines of 0
            # last.
            raise DesignError(sorted(self, key=lambda problem: problem.line or 1 << 62))


# --- first step: collect ------------------------------------------------------------------------------------
# Raw elements are plain tuples and lists, (attributes, ..., line); only what has many parts is a class.


class _RawInterface:
    __slots__ = ("attributes", "line", "parameters", "port_maps", "ranges")

    def __init__(self, attributes: _Attributes, line: int) -> None:
        self.attributes = attributes
        self.line = line
        self.parameters: dict[str, str] = {}
        self.port_maps: list[_Attributes] = []
        self.ranges: list[tuple[_Attributes, int]] = []


_RawPort = tuple[_Attributes, list[_Attributes], int]
_RawField = tuple[_Attributes, dict[str, str], int]
_RawRegister = tuple[_Attributes, dict[str, str], list[_RawField], int]
_RawBlock = tuple[_Attributes, list[_RawRegister], int]


class _RawModule:
    __slots__ = ("attributes", "blocks", "interfaces", "line", "parameters", "path", "ports", "ranges")

    def __init__(self, attributes: _Attributes, line: int) -> None:
        self.attributes = attributes
        self.line = line
        self.path = ""
        self.parameters: dict[str, str] = {}
        self.ports: list[_RawPort] = []
        self.interfaces: list[_RawInterface] = []
        self.blocks: list[_RawBlock] = []
        self.ranges: list[tuple[_Attributes, int]] = []


class _Raw:
    """The raw contents of a file."""

    __slots__ = ("fatal", "interfaces", "modules", "name", "ports", "problems", "root", "system")

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems = _Problems(name)
        self.fatal = False  # whether the file makes no sense beyond the problems found
        self.root: _Attributes = {}
        self.system: tuple[_Attributes, int] = ({}, 0)
        self.modules: list[_RawModule] = []
        self.ports: list[_RawPort] = []
        self.interfaces: list[_RawInterface] = []


def _collect(data: bytes, name: str) -> _Raw:
    raw = _Raw(name)
    collector = _Collector(raw)
    collector.parse(data)
    # Parser, tables and bound methods refer to each other. Without the cycle the memory is free again at
    # once, not when the garbage collector next comes by.
    vars(collector).clear()
    if raw.fatal:
        raw.problems.stop()
    return raw


class _Collector:
    """Fills a :class:`_Raw`.

    A table per kind of element says which children it may have and what to do with each; the handler of a
    child gives the table for what is below it.
    """

    def __init__(self, raw: _Raw) -> None:
        self._raw = raw
        # Where the element being read puts its children.
        self._module = _RawModule({}, 0)
        self._interface = _RawInterface({}, 0)
        self._ports = raw.ports
        self._interfaces = raw.interfaces
        self._peers: list[_Attributes] = []
        self._registers: list[_RawRegister] = []
        self._fields: list[_RawField] = []
        self._parameters: dict[str, str] = {}
        self._properties: dict[str, str] = {}
        self._ranges: list[tuple[_Attributes, int]] = []

        self._make_tables()
        self._stack: list[_Table] = []
        self._table: _Table = self._document
        self._parser = expat.ParserCreate()

    def parse(self, data: bytes) -> None:
        parser = self._parser
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            self._not_xml(data, error)
        except _TooManyProblems:
            self._raw.fatal = True
        except (LookupError, ValueError) as error:
            # The codec machinery, for an encoding that is not known or not usable; our handlers raise
            # neither.
            self._note(1, f"has an encoding that can't be read ({error}); hand-off files are UTF-8")
        finally:
            parser.StartElementHandler = parser.EndElementHandler = parser.StartDoctypeDeclHandler = None

    # -- events

    def _start(self, tag: str, attributes: _Attributes) -> None:
        stack = self._stack
        stack.append(self._table)
        if len(stack) > MAX_DEPTH:
            self._note(self._parser.CurrentLineNumber, f"<{tag}> is nested deeper than {MAX_DEPTH} elements")
            raise _TooManyProblems
        handler = self._table.get(tag)
        self._table = handler(attributes) if handler is not None else self._unknown(tag)

    def _end(self, tag: str) -> None:
        self._table = self._stack.pop()

    def _doctype(self, name: str, system: str | None, public: str | None, internal: int) -> None:
        self._note(
            self._parser.CurrentLineNumber,
            f"has a document type declaration (<!DOCTYPE {name}>): refused, hand-off files have none",
        )
        raise _TooManyProblems

    def _unknown(self, tag: str) -> _Table:
        if len(self._stack) == 1:
            self._note(
                self._parser.CurrentLineNumber,
                f"the root element is <{tag}>, not <EDKSYSTEM>: this is no hardware hand-off file",
            )
            raise _TooManyProblems
        return _LEAF

    def _not_xml(self, data: bytes, error: expat.ExpatError) -> None:
        reason = expat.errors.messages.get(error.code, str(error))
        if not data.strip():
            self._note(0, "is empty")
        elif error.code in (
            expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
            expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
            expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
            expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
        ):
            self._note(error.lineno, f"ends in the middle ({reason}): the file is truncated, export it again")
        else:
            self._note(error.lineno, f"is not well-formed XML: {reason}, column {error.offset}")

    def _note(self, line: int, message: str) -> None:
        """Add a problem after which the rest of the file makes no sense."""
        self._raw.problems.append(Problem(self._raw.name, line, message))
        self._raw.fatal = True

    def _missing(self, tag: str, attribute: str, attributes: _Attributes) -> None:
        line = self._parser.CurrentLineNumber
        self._raw.problems.add(line, f"<{tag}> has no {attribute}")
        # Something unique in its place, so that the rest of the file is looked at as well.
        attributes[attribute] = f"<missing in line {line}>"

    # -- elements

    def _make_tables(self) -> None:
        connection: _Table = {"CONNECTION": self._on_connection}
        connections: _Table = {"CONNECTIONS": lambda _: connection}
        port: _Table = {"PORT": self._on_port}
        port_map: _Table = {"PORTMAP": self._on_port_map}
        memory_range: _Table = {"MEMRANGE": self._on_range}
        memory_map: _Table = {"MEMRANGES": lambda _: memory_range, **memory_range}
        parameter: _Table = {"PARAMETER": self._on_parameter}
        interface: _Table = {"BUSINTERFACE": self._on_interface}
        block: _Table = {"ADDRESSBLOCK": self._on_block}
        register: _Table = {"REGISTER": self._on_register}
        field: _Table = {"FIELD": self._on_field}
        module: _Table = {"MODULE": self._on_module}

        self._document: _Table = {"EDKSYSTEM": self._on_root}
        self._in_root: _Table = {
            "SYSTEMINFO": self._on_system,
            "STSTEMINFO": self._on_system,  # spelt so in the sub-designs of Versal
            "EXTERNALPORTS": self._on_external_ports,
            "EXTERNALINTERFACES": self._on_external_interfaces,
            "MODULES": lambda _: module,
        }
        self._in_module: _Table = {
            "PARAMETERS": lambda _: parameter,
            "PORTS": lambda _: port,
            "BUSINTERFACES": lambda _: interface,
            "MEMORYMAP": lambda _: memory_map,
            "ADDRESSBLOCKS": lambda _: block,
        }
        self._in_interface: _Table = {
            "PARAMETER": self._on_interface_parameter,
            "PORTMAPS": lambda _: port_map,
            "MEMORYMAP": self._on_interface_map,
        }
        self._in_interface_map: _Table = {"MEMRANGE": self._on_interface_range}
        self._in_ports = port
        self._in_interfaces = interface
        self._in_port = connections
        self._in_block: _Table = {"REGISTERS": lambda _: register}
        self._in_register: _Table = {"PROPERTY": self._on_register_property, "FIELDS": lambda _: field}
        self._in_field: _Table = {"PROPERTY": self._on_field_property}

    def _on_root(self, attributes: _Attributes) -> _Table:
        self._raw.root = attributes
        return self._in_root

    def _on_system(self, attributes: _Attributes) -> _Table:
        self._raw.system = (attributes, self._parser.CurrentLineNumber)
        return _LEAF

    def _on_external_ports(self, attributes: _Attributes) -> _Table:
        self._ports = self._raw.ports
        return self._in_ports

    def _on_external_interfaces(self, attributes: _Attributes) -> _Table:
        self._interfaces = self._raw.interfaces
        return self._in_interfaces

    def _on_module(self, attributes: _Attributes) -> _Table:
        module = self._module = _RawModule(attributes, self._parser.CurrentLineNumber)
        self._raw.modules.append(module)
        if "INSTANCE" not in attributes:
            self._missing("MODULE", "INSTANCE", attributes)
        self._ports = module.ports
        self._interfaces = module.interfaces
        self._parameters = module.parameters
        self._ranges = module.ranges
        return self._in_module

    def _on_parameter(self, attributes: _Attributes) -> _Table:
        try:
            self._parameters[attributes["NAME"]] = attributes.get("VALUE", "")
        except KeyError:
            self._missing("PARAMETER", "NAME", attributes)
        return _LEAF

    def _on_port(self, attributes: _Attributes) -> _Table:
        peers: list[_Attributes] = []
        self._peers = peers
        self._ports.append((attributes, peers, self._parser.CurrentLineNumber))
        return self._in_port

    def _on_connection(self, attributes: _Attributes) -> _Table:
        self._peers.append(attributes)
        if "INSTANCE" not in attributes:
            self._missing("CONNECTION", "INSTANCE", attributes)
        if "PORT" not in attributes:
            self._missing("CONNECTION", "PORT", attributes)
        return _LEAF

    def _on_interface(self, attributes: _Attributes) -> _Table:
        interface = self._interface = _RawInterface(attributes, self._parser.CurrentLineNumber)
        self._interfaces.append(interface)
        for name in ("NAME", "TYPE"):
            if name not in attributes:
                self._missing("BUSINTERFACE", name, attributes)
        return self._in_interface

    def _on_interface_parameter(self, attributes: _Attributes) -> _Table:
        try:
            self._interface.parameters[attributes["NAME"]] = attributes.get("VALUE", "")
        except KeyError:
            self._missing("PARAMETER", "NAME", attributes)
        return _LEAF

    def _on_port_map(self, attributes: _Attributes) -> _Table:
        self._interface.port_maps.append(attributes)
        if "PHYSICAL" not in attributes:
            self._missing("PORTMAP", "PHYSICAL", attributes)
        return _LEAF

    def _on_interface_map(self, attributes: _Attributes) -> _Table:
        return self._in_interface_map

    def _on_interface_range(self, attributes: _Attributes) -> _Table:
        self._interface.ranges.append((attributes, self._parser.CurrentLineNumber))
        return _LEAF

    def _on_range(self, attributes: _Attributes) -> _Table:
        self._ranges.append((attributes, self._parser.CurrentLineNumber))
        return _LEAF

    def _on_block(self, attributes: _Attributes) -> _Table:
        self._registers = []
        self._module.blocks.append((attributes, self._registers, self._parser.CurrentLineNumber))
        return self._in_block

    def _on_register(self, attributes: _Attributes) -> _Table:
        self._fields = []
        self._properties = {}
        if "NAME" not in attributes:
            self._missing("REGISTER", "NAME", attributes)
        self._registers.append((attributes, self._properties, self._fields, self._parser.CurrentLineNumber))
        return self._in_register

    def _on_register_property(self, attributes: _Attributes) -> _Table:
        try:
            self._registers[-1][1][attributes["NAME"]] = attributes.get("VALUE", "")
        except KeyError:
            self._missing("PROPERTY", "NAME", attributes)
        return _LEAF

    def _on_field(self, attributes: _Attributes) -> _Table:
        self._properties = {}
        if "NAME" not in attributes:
            self._missing("FIELD", "NAME", attributes)
        self._fields.append((attributes, self._properties, self._parser.CurrentLineNumber))
        return self._in_field

    def _on_field_property(self, attributes: _Attributes) -> _Table:
        try:
            self._properties[attributes["NAME"]] = attributes.get("VALUE", "")
        except KeyError:
            self._missing("PROPERTY", "NAME", attributes)
        return _LEAF


# --- second step: build -------------------------------------------------------------------------------------


def _number(text: str) -> int | None:
    """A number as IP-XACT writes them ("scaledInteger"): 16, 0x10, 4K; None for all else (expressions)."""
    if text.isdecimal() and len(text) < 20 and text.isascii():
        return int(text)
    match = _NUMBER.match(text.strip())
    if match is None:
        return None
    sign, hexadecimal, decimal, scale = match.groups()
    value = (int(hexadecimal, 16) if hexadecimal else int(decimal)) << _SCALES[scale.lower()]
    return -value if sign == "-" else value


def _vlnv(text: str | None) -> Vlnv | None:
    """Parts as they stand: versions such as ``720p`` or ``1_0`` exist. None where the file has no complete
    one.
    """
    parts = text.split(":") if text else []
    return Vlnv(*parts) if len(parts) == 4 else None


class _Builder:
    """Makes the :class:`Design` of what was collected."""

    def __init__(self, raw: _Raw) -> None:
        self._raw = raw
        self._file = raw.name
        self._problems = raw.problems
        self._paths: dict[str, str] = {}  # instance -> path
        self._namesakes: dict[str, list[_RawModule]] = {}  # instances that stand for several paths
        self._endpoints: dict[tuple[str, str], Endpoint] = {}

    def design(self) -> Design:
        try:
            design = self._design()
        except _TooManyProblems:
            self._problems.stop()
            raise AssertionError("unreachable: problems were counted but none is held") from None
        self._problems.stop()
        return design

    def _design(self) -> Design:
        raw = self._raw
        system, system_line = raw.system
        name = system.get("NAME", "")
        self._name_cells(name)
        self._addressed = self._find_addressed()
        ports = self._ports(raw.ports, "External_Ports")
        interfaces: dict[str, BusInterface] = {}
        boundary: list[MemoryRange] = []
        for interface in raw.interfaces:
            built = self._interface(interface)
            interfaces[built.name] = built
            boundary += self._ranges("", interface.ranges)
        cells: dict[str, Cell] = {}
        for module in raw.modules:
            cell = self._cell(module)
            cells[cell.path] = cell
        self._check_ranges(boundary)
        for cell in cells.values():
            self._check_ranges(cell.ranges)
        self._problems.stop()

        family, ps = find_processor(cells)
        wiring = Wiring(self._file, cells, ports)
        ranges = reachable(cells, ps, boundary)
        controllers, pins = resolve_interrupts(wiring, family, ps)
        return Design(
            name=name,
            file=self._file,
            tool_version=raw.root.get("VIVADOVERSION", ""),
            timestamp=raw.root.get("TIMESTAMP", ""),
            architecture=system.get("ARCH", ""),
            device=system.get("DEVICE", ""),
            package=system.get("PACKAGE", ""),
            speed_grade=system.get("SPEEDGRADE", ""),
            board=system.get("BOARD", ""),
            cells=MappingProxyType(cells),
            hierarchies=_hierarchies(cells),
            ports=MappingProxyType(ports),
            interfaces=MappingProxyType(interfaces),
            processor=family,
            ps=ps,
            ps_ranges=ps_ranges(cells, ps),
            clocks=resolve_clocks(wiring, family, ps),
            interrupt_controllers=MappingProxyType(controllers),
            interrupt_pins=MappingProxyType(pins),
            emio=resolve_emio(wiring, family, ps),
            memories=resolve_memories(cells, family, ps, ranges),
            source=SourceRef(self._file, system_line),
            boundary_ranges=tuple(boundary),
            reachable=ranges,
            resets=resolve_resets(wiring),
            gpio_channels=resolve_gpio(wiring),
        )

    def _name_cells(self, design: str) -> None:
        """Learn which path each instance name stands for.

        Paths must be unique. An instance name is the path with ``/`` turned into ``_``, so a hierarchy ``a``
        with a cell ``b`` beside a cell ``a_b`` gives the same one twice: namesakes.
        """
        seen: dict[str, _RawModule] = {}
        paths = self._paths
        for module in self._raw.modules:
            instance = module.attributes.get("INSTANCE", "")
            path = module.path = module.attributes.get("FULLNAME", "").strip("/") or instance
            first = seen.get(path) or seen.get(paths.get(instance, path))
            if not path:
                self._problems.add(module.line, "<MODULE> has an empty INSTANCE")
            elif len(path) > MAX_PATH or path.count("/") >= MAX_DEPTH:
                limit = f"{MAX_DEPTH} hierarchies or {MAX_PATH} characters"
                self._problems.add(module.line, f"the path {path[:40]!r}... is deeper than {limit}")
            elif first is None:
                seen[path] = module
                paths[instance] = path
            elif path not in seen and instance == path.replace("/", "_") == first.path.replace("/", "_"):
                seen[path] = module
                self._namesakes.setdefault(instance, [first]).append(module)
            else:
                self._problems.add(module.line, f"instance {path!r} is already defined in line {first.line}")
        for external in (f"{design}_imp", "External_Ports"):
            paths.setdefault(external, "")

    def _find_addressed(self) -> dict[str, bool]:
        """The paths of the cells that some master reaches, and whether as memory."""
        found: dict[str, bool] = {}
        owners: Iterable[_RawModule | _RawInterface] = (*self._raw.modules, *self._raw.interfaces)
        for owner in owners:
            for attributes, _ in owner.ranges:
                slave = self._slave(attributes)
                if slave:
                    found[slave] = found.get(slave, False) or attributes.get("MEMTYPE") == "MEMORY"
        return found

    def _slave(self, attributes: _Attributes) -> str | None:
        """The path of the cell that a range leads to, None where there is no such cell."""
        instance = attributes.get("INSTANCE", "")
        for module in self._namesakes.get(instance, ()):
            names = attributes.get("SLAVEBUSINTERFACE", "").split(":")
            if any(interface.attributes.get("NAME") in names for interface in module.interfaces):
                return module.path
        return self._paths.get(instance)

    def _peer(self, instance: str, port: str, signal: str) -> Endpoint:
        """The other end of a wire; of namesakes, the one whose port of that name is on the same net."""
        path = self._paths.get(instance, instance)
        for module in self._namesakes.get(instance, ()):
            for attributes, _, _ in module.ports:
                if attributes.get("NAME") == port and attributes.get("SIGNAME", "") == signal:
                    return Endpoint(module.path, port)
        return Endpoint(path, port)

    def _ports(self, raw: Iterable[_RawPort], owner: str) -> dict[str, Port]:
        ports: dict[str, Port] = {}
        endpoints = self._endpoints
        make = tuple.__new__
        for attributes, connections, line in raw:
            try:
                name = attributes["NAME"]
                direction = attributes["DIR"]
            except KeyError as error:
                self._problems.add(line, f"<PORT> of {owner!r} has no {error.args[0]}")
                continue
            get = attributes.get
            left = get("LEFT")
            if not left:
                bounds: tuple[int | None, int | None] = (None, None)
            else:
                bounds = self._bounds(left, get("RIGHT", left), owner, name, line)
            peers = []
            for connection in connections:
                instance = connection["INSTANCE"]
                port = connection["PORT"]
                key = (instance, port)
                peer = endpoints.get(key)
                if peer is None:
                    peer = self._peer(instance, port, get("SIGNAME", ""))
                    if instance not in self._namesakes:
                        endpoints[key] = peer
                peers.append(peer)
            kind = get("SIGIS", "undef")
            frequency = get("CLKFREQUENCY")
            ports[name] = make(
                Port,
                (
                    name,
                    direction,
                    bounds[0],
                    bounds[1],
                    _PORT_KINDS.get(kind, kind),
                    get("SIGNAME", ""),
                    get("POLARITY", ""),
                    get("SENSITIVITY", ""),
                    None if frequency is None else _hertz(frequency),
                    tuple(peers),
                    line,
                ),
            )
        return ports

    def _bounds(
        self, left: str, right: str, owner: str, name: str, line: int
    ) -> tuple[int | None, int | None]:
        try:
            bounds = int(left), int(right)
        except ValueError:
            self._problems.add(
                line, f"port {name!r} of {owner!r}: LEFT={left!r} RIGHT={right!r} are no bit numbers"
            )
            return None, None
        if abs(bounds[0] - bounds[1]) >= 1 << 20:
            self._problems.add(
                line, f"port {name!r} of {owner!r}: [{left}:{right}] is wider than a million bits"
            )
        return bounds

    def _interface(self, raw: _RawInterface) -> BusInterface:
        attributes = raw.attributes
        parameters = raw.parameters
        port_map = {}
        for entry in raw.port_maps:
            physical = entry["PHYSICAL"]
            logical = entry.get("LOGICAL")
            port_map[logical.upper() if logical else logical_name(physical)] = physical
        vlnv = _vlnv(attributes.get("VLNV"))
        width = attributes.get("DATAWIDTH") or parameters.get("DATA_WIDTH")
        if not width and parameters.get("TDATA_NUM_BYTES", "").isdecimal():
            width = str(8 * int(parameters["TDATA_NUM_BYTES"][:9]))
        return BusInterface(
            name=attributes["NAME"],
            role=attributes["TYPE"],
            net=attributes.get("BUSNAME", ""),
            vlnv=vlnv,
            protocol=protocol_of(vlnv, parameters, port_map),
            data_width=_number(width) if width else None,
            parameters=MappingProxyType(parameters),
            port_map=MappingProxyType(port_map),
            source=SourceRef(self._file, raw.line),
        )

    def _cell(self, raw: _RawModule) -> Cell:
        attributes = raw.attributes
        path = raw.path
        ports = self._ports(raw.ports, path)
        interfaces = {}
        for entry in raw.interfaces:
            interface = self._interface(entry)
            interfaces[interface.name] = interface
        vlnv = _vlnv(attributes.get("VLNV"))
        return Cell(
            path=path,
            vlnv=vlnv,
            module_type=attributes.get("MODTYPE", ""),
            kind=kind_of(attributes, vlnv, self._addressed.get(path)),
            parameters=MappingProxyType(raw.parameters),
            ports=MappingProxyType(ports),
            interfaces=MappingProxyType(interfaces),
            blocks=tuple(self._block(block, path) for block in raw.blocks),
            ranges=tuple(self._ranges(path, raw.ranges)),
            source=SourceRef(self._file, raw.line),
            attributes=MappingProxyType(attributes),
        )

    def _block(self, raw: _RawBlock, path: str) -> AddressBlock:
        attributes, registers, line = raw
        get = attributes.get
        return AddressBlock(
            name=get("NAME", ""),
            interface=get("INTERFACE", ""),
            offset=_number(get("BASE", "0")) or 0,
            # An expression in place of the number is not worked out: the ranges of the masters have the size
            # in use.
            range=_number(get("RANGE", "0")) or 0,
            usage=get("USAGE", ""),
            access=get("ACCESS", ""),
            registers=tuple(
                [built for register in registers if (built := self._register(register, path)) is not None]
            ),
            source=SourceRef(self._file, line),
        )

    def _register(self, raw: _RawRegister, path: str) -> Register | None:
        """Numbers may be expressions that the tool left as they are (docs/errata.md, F-15): the size is then
        taken for 32 bits; a register or field whose place is unknown is left out.
        """
        attributes, properties, fields, line = raw
        get = properties.get
        name = attributes["NAME"]
        offset = _number(get("ADDRESS_OFFSET") or "0")
        size = _number(get("SIZE") or "32")
        if offset is None and _is_expression(get("ADDRESS_OFFSET")):
            return None
        if size is None and _is_expression(get("SIZE")):
            size = 32
        if offset is None or offset < 0:
            self._problems.add(
                line, f"register {name!r} of {path!r}: ADDRESS_OFFSET={get('ADDRESS_OFFSET')!r} is no address"
            )
            offset = 0
        if size is None or size < 0:
            self._problems.add(
                line, f"register {name!r} of {path!r}: SIZE={get('SIZE')!r} is no number of bits"
            )
            size = 0
        make = tuple.__new__
        built = []
        for field_attributes, field_properties, field_line in fields:
            get = field_properties.get
            field_name = field_attributes["NAME"]
            low = _number(get("BIT_OFFSET") or "0")
            width = _number(get("BIT_WIDTH") or "1")
            if low is None or width is None or low < 0 or width < 0:
                if _is_expression(get("BIT_OFFSET")) or _is_expression(get("BIT_WIDTH")):
                    continue
                self._problems.add(
                    field_line,
                    f"field {field_name!r} of register {name!r} of {path!r}: BIT_OFFSET={get('BIT_OFFSET')!r}"
                    f" BIT_WIDTH={get('BIT_WIDTH')!r} are no bit numbers",
                )
                continue
            built.append(
                make(
                    Field,
                    (
                        field_name,
                        low,
                        width,
                        get("ACCESS", "read-write"),
                        _number(get("RESET_VALUE", "")),
                        get("DESCRIPTION", ""),
                        field_line,
                        get("MODIFIED_READ_VALUES", ""),  # sic: it holds modifiedWriteValue ("oneToClear")
                        get("READ_ACTION", ""),
                    ),
                )
            )
        get = properties.get
        return make(
            Register,
            (
                name,
                offset,
                size,
                get("ACCESS", "read-write"),
                _number(get("RESET_VALUE", "")),
                get("DESCRIPTION", ""),
                tuple(built),
                line,
            ),
        )

    def _ranges(self, master: str, raw: Iterable[tuple[_Attributes, int]]) -> Iterator[MemoryRange]:
        for attributes, line in raw:
            get = attributes.get
            slave = get("INSTANCE")
            if "0x" in (get("BASEVALUE"), get("HIGHVALUE")):
                # Some sub-designs of Versal leave the end open; such a range is of no use (docs/errata.md,
                # F-3).
                continue
            base = self._address("BASEVALUE", attributes, master, line)
            high = self._address("HIGHVALUE", attributes, master, line)
            if slave is None:
                self._problems.add(line, f"<MEMRANGE> of {master!r} has no INSTANCE")
            if slave is None or base is None or high is None:
                continue
            if high < base:
                self._problems.add(
                    line, f"<MEMRANGE> of {master!r} ends ({high:#x}) before it begins ({base:#x})"
                )
                continue
            known = self._slave(attributes)
            # A NoC lists the interfaces through which it leads there. Where an external interface answers, it
            # is named in place of the cell.
            interfaces = get("SLAVEBUSINTERFACE", "").split(":") if known else [slave]
            if len(interfaces) > MAX_ROUTES:
                self._problems.add(line, f"<MEMRANGE> of {master!r} names {len(interfaces)} slave interfaces")
                continue
            for interface in interfaces:
                yield MemoryRange(
                    master=master,
                    master_interface=get("MASTERBUSINTERFACE", ""),
                    slave=known or "",
                    slave_interface=interface,
                    block=get("ADDRESSBLOCK", ""),
                    base=base,
                    high=high,
                    kind=MemoryKind.MEMORY if get("MEMTYPE") == "MEMORY" else MemoryKind.REGISTER,
                    source=SourceRef(self._file, line),
                )

    def _address(self, key: str, attributes: _Attributes, master: str, line: int) -> int | None:
        text = attributes.get(key)
        of = f" of {master!r}" if master else ""
        if text is None:
            self._problems.add(line, f"<MEMRANGE>{of} has no {key}")
        elif not _HEX.match(text):
            self._problems.add(
                line, f"<MEMRANGE>{of}: {key}={text!r} is no address (hexadecimal, like 0x40000000)"
            )
        elif (value := int(text, 16)) >> 64:
            self._problems.add(line, f"<MEMRANGE>{of}: {key}={text!r} has more than 64 bits")
        else:
            return value
        return None

    def _check_ranges(self, ranges: Iterable[MemoryRange]) -> None:
        for earlier, later in conflicts(ranges):
            self._problems.add(
                later.source.line,
                f"{later.slave or later.slave_interface!r} at {later.base:#x}..{later.high:#x} overlaps"
                f" {earlier.slave or earlier.slave_interface!r} at {earlier.base:#x}..{earlier.high:#x}"
                f" (line {earlier.source.line}) in the map of {later.master or later.master_interface!r}",
            )


def _is_expression(text: str | None) -> bool:
    """Whether a value is a formula of IP-XACT, such as ``spirit:decode(id('PARAM_VALUE.W'))``."""
    return text is not None and "(" in text


def _hertz(text: str) -> int | None:
    return round(float(text)) if _FREQUENCY.match(text) else None


def _hierarchies(cells: Iterable[str]) -> tuple[str, ...]:
    """Every prefix of a cell's path, parents before children, in the file's order."""
    found: dict[str, None] = {}
    for path in cells:
        end = path.find("/")
        while end >= 0:
            found.setdefault(path[:end])
            end = path.find("/", end + 1)
    return tuple(found)
