"""The kernels in an xclbin's EMBEDDED_METADATA, the XML that ``v++`` writes.

``project/platform/device/core/kernel`` with its ports, its arguments and its instances (the compute units),
as XRT's ``xclbin_parser.cpp`` and PYNQ's ``xclbin_parser.py`` read it; ``connection`` (srcInst, srcPort,
dstInst, dstPort) beside the kernels, as XRT's older ``xocl`` reads it. XRT adds up arguments of one number;
here each is a register.
Elements that are unknown, or in another place, are skipped, so newer tools may add some. Document type
declarations are refused; depth, numbers and lengths are bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

from pynq.design.xclbin_container import MAX_ENTRIES, Container

__all__ = ["Argument", "Kernel", "Metadata", "Port", "Unit", "read_metadata"]

MAX_DEPTH = 64
MAX_ELEMENTS = 200_000
MAX_NAME = 255

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}\Z|[0-9]{1,19}\Z")
_GLOBAL, _STREAM = 1, 4  # addressQualifier: 0 scalar, 1 global memory, 2 constant, 3 local, 4 stream
_PATH = ("project", "platform", "device", "core", "kernel")
_MEGAHERTZ = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,9})?) ?MHz\Z", re.IGNORECASE)


class Port(NamedTuple):
    """A port of a kernel. ``mode`` is "slave", "master", "read_only" or "write_only"; ``range`` in bytes,
    ``width`` in bits.
    """

    name: str
    mode: str
    range: int
    width: int


class Argument(NamedTuple):
    """An argument: ``number`` is its place in the signature, ``offset`` and
    ``size`` (bytes) its place among the registers."""

    name: str
    number: int
    offset: int
    size: int
    host_size: int
    type: str
    port: str
    stream: bool
    memory: bool
    line: int


class Unit(NamedTuple):
    """A compute unit. ``base`` is None where the metadata has none."""

    name: str
    base: int | None
    line: int


@dataclass
class Kernel:
    """A kernel: what its compute units have in common."""

    name: str
    vlnv: str
    protocol: str
    line: int
    ports: dict[str, Port] = field(default_factory=dict)
    arguments: list[Argument] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)


@dataclass
class Metadata:
    """``connections`` are ((instance, port), (instance, port)); ``clocks`` in Hz by name."""

    name: str = ""
    part: str = ""  # "virtexuplusHBM:xcu50:fsvh2104:-2:e"
    board: str = ""
    kernels: list[Kernel] = field(default_factory=list)
    connections: list[tuple[tuple[str, str], tuple[str, str]]] = field(default_factory=list)
    clocks: dict[str, int] = field(default_factory=dict)


def read_metadata(container: Container) -> Metadata:
    """Read the kernels; reasons why that can't be done become problems of the container."""
    data = container.contents("EMBEDDED_METADATA").rstrip(b"\0")
    reader = _Reader(container)
    if data:
        reader.parse(data)
    return reader.found


class _Stop(Exception):
    """Nothing more of this XML is to be read."""


class _Reader:
    def __init__(self, container: Container) -> None:
        self.found = Metadata()
        self._container = container
        self._path: list[str] = []
        self._elements = 0
        self._kernel: Kernel | None = None
        self._unit: tuple[str, int] | None = None
        self._parser = expat.ParserCreate()
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype

    def parse(self, data: bytes) -> None:
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            self._container.problem(
                f"EMBEDDED_METADATA, line {error.lineno}: {expat.errors.messages.get(error.code, error)}"
            )
        except _Stop:
            pass
        except (LookupError, ValueError) as error:  # expat's, for an encoding that is not known
            self._container.problem(f"EMBEDDED_METADATA has an encoding that can't be read ({error})")

    def _problem(self, message: str) -> None:
        self._container.problem(f"EMBEDDED_METADATA, line {self._parser.CurrentLineNumber}: {message}")

    def _fail(self, message: str) -> None:
        self._problem(message)
        raise _Stop

    def _doctype(self, *_: object) -> None:
        self._fail("a document type declaration; v++ writes none")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._path) >= MAX_DEPTH or self._elements > MAX_ELEMENTS:
            self._fail(f"more than {MAX_ELEMENTS} elements, or nested deeper than {MAX_DEPTH}")
        self._path.append(name)
        path = tuple(self._path)
        if path == _PATH:
            self._start_kernel(attributes)
        elif path[:5] == _PATH and self._kernel is not None:
            self._in_kernel(name, path[5:-1], attributes)
        elif name == "connection" and path[:-1] == _PATH[: len(path) - 1]:
            source = attributes.get("srcInst", ""), attributes.get("srcPort", "")
            target = attributes.get("dstInst", ""), attributes.get("dstPort", "")
            self.found.connections.append((source, target))
        elif path == ("project",):
            self.found.name = attributes.get("name", "")[:MAX_NAME]
        elif path == ("project", "platform", "board"):
            self.found.board = attributes.get("name", "")[:MAX_NAME]
        elif path == ("project", "platform", "device"):
            self.found.part = attributes.get("fpgaDevice", "")[:MAX_NAME]
        elif name == "clock" and path[:4] == _PATH[:4]:
            match = _MEGAHERTZ.match(attributes.get("frequency", ""))
            if match:
                label = (attributes.get("port") or attributes.get("name") or "")[:MAX_NAME]
                self.found.clocks[label] = round(float(match[1]) * 1e6)

    def _end(self, name: str) -> None:
        if len(self._path) == len(_PATH):
            self._kernel = None
        elif name == "instance" and self._unit is not None:
            self._add_unit(None)
        self._path.pop()

    def _start_kernel(self, attributes: dict[str, str]) -> None:
        name = self._name(attributes, "kernel")
        kernel = Kernel(
            name,
            attributes.get("vlnv", "")[:MAX_NAME],
            # What PYNQ says where a file has none; the registers are those of ap_ctrl_hs.
            attributes.get("hwControlProtocol", "s_axilite"),
            self._parser.CurrentLineNumber,
        )
        self._kernel = kernel
        self.found.kernels.append(kernel)
        if len(self.found.kernels) > MAX_ENTRIES:
            self._fail(f"more than {MAX_ENTRIES} kernels")

    def _in_kernel(self, name: str, parents: tuple[str, ...], attributes: dict[str, str]) -> None:
        kernel = self._kernel
        assert kernel is not None
        if name == "port" and parents in ((), ("ports",)):
            port = Port(
                self._name(attributes, "port"),
                attributes.get("mode", ""),
                self._number(attributes, "range", f"port of {kernel.name!r}", optional=True),
                self._number(attributes, "dataWidth", f"port of {kernel.name!r}", optional=True),
            )
            kernel.ports[port.name] = port
        elif name == "arg" and parents in ((), ("args",)):
            self._add_argument(kernel, attributes)
        elif name == "instance" and not parents:
            self._unit = self._name(attributes, "instance"), self._parser.CurrentLineNumber
        elif name == "addrRemap" and parents == ("instance",) and self._unit is not None:
            base = attributes.get("base", "")
            self._add_unit(_value(base) if _is_number(base) else None)
        if max(len(kernel.ports), len(kernel.arguments), len(kernel.units)) > MAX_ENTRIES:
            self._fail(f"kernel {kernel.name!r} has more than {MAX_ENTRIES} ports, arguments or instances")

    def _add_argument(self, kernel: Kernel, attributes: dict[str, str]) -> None:
        name = self._name(attributes, "arg")
        what = f"argument {name!r} of {kernel.name!r}"
        qualifier = self._number(attributes, "addressQualifier", what)
        kernel.arguments.append(
            Argument(
                name,
                # Blocks of printf and the like have no number.
                self._number(attributes, "id", what) if attributes.get("id") else -1,
                self._number(attributes, "offset", what),
                self._number(attributes, "size", what),
                self._number(attributes, "hostSize", what, optional=True),
                attributes.get("type", "")[:MAX_NAME],
                attributes.get("port", "")[:MAX_NAME],
                qualifier == _STREAM,
                qualifier == _GLOBAL,
                self._parser.CurrentLineNumber,
            )
        )

    def _add_unit(self, base: int | None) -> None:
        assert self._kernel is not None
        assert self._unit is not None
        name, line = self._unit
        self._unit = None
        self._kernel.units.append(Unit(name, base, line))

    def _name(self, attributes: dict[str, str], what: str) -> str:
        name = attributes.get("name", "")
        if not name or len(name) > MAX_NAME or not name.isprintable() or "/" in name:
            self._problem(f"<{what}> has no usable name: {name[:40]!r}")
            return "?"
        return name

    def _number(self, attributes: dict[str, str], name: str, what: str, *, optional: bool = False) -> int:
        text = attributes.get(name, "")
        if optional and not text:
            return 0
        if not _is_number(text):
            self._problem(f"{what}: {name}={text[:40]!r} is no number")
            return 0
        return _value(text)


def _value(text: str) -> int:
    return int(text, 16 if text[:2] in ("0x", "0X") else 10)


def _is_number(text: str) -> bool:
    return _NUMBER.match(text) is not None
