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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import MappingProxyType

from pynq.design.addresses import conflicts
from pynq.design.bounded import check_size, load
from pynq.design.hwh_raw import (
    MAX_DEPTH,
    MAX_PROBLEMS,
    Attributes,
    Raw,
    RawInterface,
    RawModule,
    RawPort,
    TooManyProblems,
    collect,
)
from pynq.design.hwh_registers import block_of, number
from pynq.design.kinds import kind_of, logical_name, protocol_of
from pynq.design.model import (
    BusInterface,
    Cell,
    Design,
    Endpoint,
    MemoryKind,
    MemoryRange,
    Port,
    SourceRef,
    Vlnv,
)
from pynq.design.resolve import resolve

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_PATH", "MAX_PROBLEMS", "read", "read_bytes"]

MAX_BYTES = 32 << 20
"""Largest file that is read, in bytes; the largest hand-off file seen so far has 4.1 MB."""
MAX_PATH = 1000
"""Longest path of a cell, in characters."""
MAX_ROUTES = 64
"""Most interfaces through which one range may lead."""

_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{1,32}\Z")
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
    return read_bytes(load(name, MAX_BYTES, "hand-off file"), name)


def read_bytes(data: bytes, name: str = "<bytes>") -> Design:
    """Read a hand-off file from memory; ``name`` is what errors and source references call it.

    Raises:
        DesignError: the data can't be used; ``problems`` holds every reason with its line.
    """
    check_size(data, name, MAX_BYTES, "hand-off file")
    with _collector_paused():
        return _Builder(collect(data, name)).design()


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


def _vlnv(text: str | None) -> Vlnv | None:
    """Parts as they stand: versions such as ``720p`` or ``1_0`` exist. None where the file has no complete
    one.
    """
    parts = text.split(":") if text else []
    return Vlnv(*parts) if len(parts) == 4 else None


class _Builder:
    """Makes the :class:`Design` of what was collected."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._file = raw.name
        self._problems = raw.problems
        self._paths: dict[str, str] = {}  # instance -> path
        self._namesakes: dict[str, list[RawModule]] = {}  # instances that stand for several paths
        self._endpoints: dict[tuple[str, str], Endpoint] = {}

    def design(self) -> Design:
        try:
            design = self._design()
        except TooManyProblems:
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
            interfaces=MappingProxyType(interfaces),
            source=SourceRef(self._file, system_line),
            **resolve(self._file, cells, ports, boundary),
        )

    def _name_cells(self, design: str) -> None:
        """Learn which path each instance name stands for.

        Paths must be unique. An instance name is the path with ``/`` turned into ``_``, so a hierarchy ``a``
        with a cell ``b`` beside a cell ``a_b`` gives the same one twice: namesakes.
        """
        seen: dict[str, RawModule] = {}
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
        owners: Iterable[RawModule | RawInterface] = (*self._raw.modules, *self._raw.interfaces)
        for owner in owners:
            for attributes, _ in owner.ranges:
                slave = self._slave(attributes)
                if slave:
                    found[slave] = found.get(slave, False) or attributes.get("MEMTYPE") == "MEMORY"
        return found

    def _slave(self, attributes: Attributes) -> str | None:
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

    def _ports(self, raw: Iterable[RawPort], owner: str) -> dict[str, Port]:
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

    def _interface(self, raw: RawInterface) -> BusInterface:
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
            data_width=number(width) if width else None,
            parameters=MappingProxyType(parameters),
            port_map=MappingProxyType(port_map),
            source=SourceRef(self._file, raw.line),
        )

    def _cell(self, raw: RawModule) -> Cell:
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
            blocks=tuple(block_of(block, path, self._file, self._problems) for block in raw.blocks),
            ranges=tuple(self._ranges(path, raw.ranges)),
            source=SourceRef(self._file, raw.line),
            attributes=MappingProxyType(attributes),
        )

    def _ranges(self, master: str, raw: Iterable[tuple[Attributes, int]]) -> Iterator[MemoryRange]:
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

    def _address(self, key: str, attributes: Attributes, master: str, line: int) -> int | None:
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


def _hertz(text: str) -> int | None:
    return round(float(text)) if _FREQUENCY.match(text) else None
