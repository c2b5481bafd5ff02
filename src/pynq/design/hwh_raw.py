"""First step of reading a hand-off file: what stands in it, element by element.

expat calls a handler per element, which only collects attributes and lines under the element that owns them.
Nothing is interpreted here but the nesting; :mod:`pynq.design.hwh` makes the design of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.parsers import expat

from pynq.errors import DesignError, Problem

__all__ = [
    "MAX_DEPTH",
    "MAX_PROBLEMS",
    "Attributes",
    "Problems",
    "Raw",
    "RawBlock",
    "RawInterface",
    "RawModule",
    "RawPort",
    "RawRegister",
    "TooManyProblems",
    "collect",
]

MAX_DEPTH = 32
"""Deepest nesting of elements; the format itself needs 9."""
MAX_PROBLEMS = 50
"""Reading stops after so many problems."""

Attributes = dict[str, str]
_Table = dict[str, Callable[[Attributes], Any]]
_LEAF: _Table = {}


class TooManyProblems(Exception):
    """Ends the reading early; the problems are in the list."""


class Problems(list[Problem]):
    """The reasons found so far, for one file."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = file

    def add(self, line: int, message: str) -> None:
        self.append(Problem(self._file, line, message))
        if len(self) >= MAX_PROBLEMS:
            self.append(Problem(self._file, 0, f"reading stopped after {MAX_PROBLEMS} problems"))
            raise TooManyProblems

    def stop(self) -> None:
        """Raise what was found, if anything."""
        if self:
            # In the order of the file; sorted() keeps the order of discovery within a line, and lines of 0
            # last.
            raise DesignError(sorted(self, key=lambda problem: problem.line or 1 << 62))


# Raw elements are plain tuples and lists, (attributes, ..., line); only what has many parts is a class.


class RawInterface:
    __slots__ = ("attributes", "line", "parameters", "port_maps", "ranges")

    def __init__(self, attributes: Attributes, line: int) -> None:
        self.attributes = attributes
        self.line = line
        self.parameters: dict[str, str] = {}
        self.port_maps: list[Attributes] = []
        self.ranges: list[tuple[Attributes, int]] = []


RawPort = tuple[Attributes, list[Attributes], int]
RawField = tuple[Attributes, dict[str, str], int]
RawRegister = tuple[Attributes, dict[str, str], list[RawField], int]
RawBlock = tuple[Attributes, list[RawRegister], int]


class RawModule:
    __slots__ = ("attributes", "blocks", "interfaces", "line", "parameters", "path", "ports", "ranges")

    def __init__(self, attributes: Attributes, line: int) -> None:
        self.attributes = attributes
        self.line = line
        self.path = ""
        self.parameters: dict[str, str] = {}
        self.ports: list[RawPort] = []
        self.interfaces: list[RawInterface] = []
        self.blocks: list[RawBlock] = []
        self.ranges: list[tuple[Attributes, int]] = []


class Raw:
    """The raw contents of a file."""

    __slots__ = ("fatal", "interfaces", "modules", "name", "ports", "problems", "root", "system")

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems = Problems(name)
        self.fatal = False  # whether the file makes no sense beyond the problems found
        self.root: Attributes = {}
        self.system: tuple[Attributes, int] = ({}, 0)
        self.modules: list[RawModule] = []
        self.ports: list[RawPort] = []
        self.interfaces: list[RawInterface] = []


def collect(data: bytes, name: str) -> Raw:
    raw = Raw(name)
    collector = _Collector(raw)
    collector.parse(data)
    # Parser, tables and bound methods refer to each other. Without the cycle the memory is free again at
    # once, not when the garbage collector next comes by.
    vars(collector).clear()
    if raw.fatal:
        raw.problems.stop()
    return raw


class _Collector:
    """Fills a :class:`Raw`.

    A table per kind of element says which children it may have and what to do with each; the handler of a
    child gives the table for what is below it.
    """

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        # Where the element being read puts its children.
        self._module = RawModule({}, 0)
        self._interface = RawInterface({}, 0)
        self._ports = raw.ports
        self._interfaces = raw.interfaces
        self._peers: list[Attributes] = []
        self._registers: list[RawRegister] = []
        self._fields: list[RawField] = []
        self._parameters: dict[str, str] = {}
        self._properties: dict[str, str] = {}
        self._ranges: list[tuple[Attributes, int]] = []

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
        except TooManyProblems:
            self._raw.fatal = True
        except (LookupError, ValueError) as error:
            # The codec machinery, for an encoding that is not known or not usable; our handlers raise
            # neither.
            self._note(1, f"has an encoding that can't be read ({error}); hand-off files are UTF-8")
        finally:
            parser.StartElementHandler = parser.EndElementHandler = parser.StartDoctypeDeclHandler = None

    # -- events

    def _start(self, tag: str, attributes: Attributes) -> None:
        stack = self._stack
        stack.append(self._table)
        if len(stack) > MAX_DEPTH:
            self._note(self._parser.CurrentLineNumber, f"<{tag}> is nested deeper than {MAX_DEPTH} elements")
            raise TooManyProblems
        handler = self._table.get(tag)
        self._table = handler(attributes) if handler is not None else self._unknown(tag)

    def _end(self, tag: str) -> None:
        self._table = self._stack.pop()

    def _doctype(self, name: str, system: str | None, public: str | None, internal: int) -> None:
        self._note(
            self._parser.CurrentLineNumber,
            f"has a document type declaration (<!DOCTYPE {name}>): refused, hand-off files have none",
        )
        raise TooManyProblems

    def _unknown(self, tag: str) -> _Table:
        if len(self._stack) == 1:
            self._note(
                self._parser.CurrentLineNumber,
                f"the root element is <{tag}>, not <EDKSYSTEM>: this is no hardware hand-off file",
            )
            raise TooManyProblems
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

    def _missing(self, tag: str, attribute: str, attributes: Attributes) -> None:
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

    def _on_root(self, attributes: Attributes) -> _Table:
        self._raw.root = attributes
        return self._in_root

    def _on_system(self, attributes: Attributes) -> _Table:
        self._raw.system = (attributes, self._parser.CurrentLineNumber)
        return _LEAF

    def _on_external_ports(self, attributes: Attributes) -> _Table:
        self._ports = self._raw.ports
        return self._in_ports

    def _on_external_interfaces(self, attributes: Attributes) -> _Table:
        self._interfaces = self._raw.interfaces
        return self._in_interfaces

    def _on_module(self, attributes: Attributes) -> _Table:
        module = self._module = RawModule(attributes, self._parser.CurrentLineNumber)
        self._raw.modules.append(module)
        if "INSTANCE" not in attributes:
            self._missing("MODULE", "INSTANCE", attributes)
        self._ports = module.ports
        self._interfaces = module.interfaces
        self._parameters = module.parameters
        self._ranges = module.ranges
        return self._in_module

    def _on_parameter(self, attributes: Attributes) -> _Table:
        try:
            self._parameters[attributes["NAME"]] = attributes.get("VALUE", "")
        except KeyError:
            self._missing("PARAMETER", "NAME", attributes)
        return _LEAF

    def _on_port(self, attributes: Attributes) -> _Table:
        peers: list[Attributes] = []
        self._peers = peers
        self._ports.append((attributes, peers, self._parser.CurrentLineNumber))
        return self._in_port

    def _on_connection(self, attributes: Attributes) -> _Table:
        self._peers.append(attributes)
        if "INSTANCE" not in attributes:
            self._missing("CONNECTION", "INSTANCE", attributes)
        if "PORT" not in attributes:
            self._missing("CONNECTION", "PORT", attributes)
        return _LEAF

    def _on_interface(self, attributes: Attributes) -> _Table:
        interface = self._interface = RawInterface(attributes, self._parser.CurrentLineNumber)
        self._interfaces.append(interface)
        for name in ("NAME", "TYPE"):
            if name not in attributes:
                self._missing("BUSINTERFACE", name, attributes)
        return self._in_interface

    def _on_interface_parameter(self, attributes: Attributes) -> _Table:
        try:
            self._interface.parameters[attributes["NAME"]] = attributes.get("VALUE", "")
        except KeyError:
            self._missing("PARAMETER", "NAME", attributes)
        return _LEAF

    def _on_port_map(self, attributes: Attributes) -> _Table:
        self._interface.port_maps.append(attributes)
        if "PHYSICAL" not in attributes:
            self._missing("PORTMAP", "PHYSICAL", attributes)
        return _LEAF

    def _on_interface_map(self, attributes: Attributes) -> _Table:
        return self._in_interface_map

    def _on_interface_range(self, attributes: Attributes) -> _Table:
        self._interface.ranges.append((attributes, self._parser.CurrentLineNumber))
        return _LEAF

    def _on_range(self, attributes: Attributes) -> _Table:
        self._ranges.append((attributes, self._parser.CurrentLineNumber))
        return _LEAF

    def _on_block(self, attributes: Attributes) -> _Table:
        self._registers = []
        self._module.blocks.append((attributes, self._registers, self._parser.CurrentLineNumber))
        return self._in_block

    def _on_register(self, attributes: Attributes) -> _Table:
        self._fields = []
        self._properties = {}
        if "NAME" not in attributes:
            self._missing("REGISTER", "NAME", attributes)
        self._registers.append((attributes, self._properties, self._fields, self._parser.CurrentLineNumber))
        return self._in_register

    def _on_register_property(self, attributes: Attributes) -> _Table:
        try:
            self._registers[-1][1][attributes["NAME"]] = attributes.get("VALUE", "")
        except KeyError:
            self._missing("PROPERTY", "NAME", attributes)
        return _LEAF

    def _on_field(self, attributes: Attributes) -> _Table:
        self._properties = {}
        if "NAME" not in attributes:
            self._missing("FIELD", "NAME", attributes)
        self._fields.append((attributes, self._properties, self._parser.CurrentLineNumber))
        return self._in_field

    def _on_field_property(self, attributes: Attributes) -> _Table:
        try:
            self._properties[attributes["NAME"]] = attributes.get("VALUE", "")
        except KeyError:
            self._missing("PROPERTY", "NAME", attributes)
        return _LEAF
