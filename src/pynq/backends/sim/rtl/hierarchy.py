"""A whole hierarchy as one module: its cells leave the design, and one cell with the RTL's ports takes their
place.

The outside of the hierarchy is what crosses its boundary: buses between a cell inside and one outside, and
wires. Each bus and port of the RTL stands for one of these ends, by name or as the manifest says. The result
is an ordinary :class:`~pynq.design.model.Design`, so that nothing else knows of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from pynq.backends.sim.rtl.buses import AXI, AXIS, answers, by_prefix
from pynq.backends.sim.rtl.glue import RtlPort
from pynq.backends.sim.rtl.manifest import Table
from pynq.backends.sim.rtl.ports import Difference
from pynq.design.model import BusInterface, Cell, CellKind, Design, Endpoint, MemoryRange, Port
from pynq.wording import near

__all__ = ["Boundary", "Stand", "collapse", "stand_in"]

_CLOCK = re.compile(r"(^|_)(a?clk|clock)(_|\d|$)", re.IGNORECASE)
_RESET = re.compile(r"(^|_)(a?resetn?|a?rst_?n?)(_|\d|$)", re.IGNORECASE)
_WAYS = {"I": "in", "O": "out", "IO": "both"}


@dataclass(frozen=True)
class Stand:
    """The cell that stands for a hierarchy. ``aliases``: port of it by end of a wire inside."""

    cell: Cell
    aliases: Mapping[Endpoint, Endpoint]
    buses: Mapping[tuple[str, str], str]  # cell and interface inside -> bus of the new cell
    differences: tuple[Difference, ...]


@dataclass
class Boundary:
    """What crosses the boundary of a hierarchy.

    ``buses``: "cell/interface", path below the hierarchy, of those that lead outside. ``wires``: groups of
    inner ends that are one wire outside, by their first "cell/port".
    """

    path: str
    buses: dict[str, tuple[Cell, BusInterface]] = field(default_factory=dict)
    wires: dict[str, list[tuple[Cell, Port]]] = field(default_factory=dict)


def _inside(path: str, hierarchy: str) -> bool:
    return path.startswith(f"{hierarchy}/")


def boundary(design: Design, path: str) -> Boundary:
    """Return what crosses the boundary of a hierarchy."""
    out = Boundary(path)
    inner = [cell for cell in design.cells.values() if _inside(cell.path, path)]
    outer_nets = {face.net for face in design.interfaces.values() if face.net}
    for cell in design.cells.values():
        if not _inside(cell.path, path):
            outer_nets |= {face.net for face in cell.interfaces.values() if face.net}
    on_buses: set[tuple[str, str]] = set()
    for cell in inner:
        for face in cell.interfaces.values():
            on_buses |= {(cell.path, port) for port in face.port_map.values()} if face.protocol else set()
            if face.protocol and face.net in outer_nets and face.role != "MONITOR":
                out.buses[f"{cell.path[len(path) + 1 :]}/{face.name}"] = (cell, face)
    groups: dict[tuple[str, ...], str] = {}
    for cell in inner:
        for port in cell.ports.values():
            if (cell.path, port.name) in on_buses or not _leaves(design, port, path):
                continue
            # Inputs on one wire are one port of the module; an output is its own.
            key = (port.signal, "I") if port.direction == "I" and port.signal else (cell.path, port.name)
            name = groups.setdefault(key, f"{cell.path[len(path) + 1 :]}/{port.name}")
            out.wires.setdefault(name, []).append((cell, port))
    return out


def _leaves(design: Design, port: Port, path: str) -> bool:
    """Whether a port of a cell inside is connected to something outside."""
    within = [peer for peer in port.peers if _inside(peer.cell, path)]
    if port.direction == "I" and any(_drives(design, peer) for peer in within):
        return False  # some files list all who hear the same wire
    if len(within) < len(port.peers):
        return True
    # The file may name nets without saying who is on them.
    return bool(port.signal) and not port.peers and _named_outside(design, port.signal, path)


def _drives(design: Design, end: Endpoint) -> bool:
    cell = design.cells.get(end.cell)
    port = cell.ports.get(end.port) if cell is not None else None
    return port is not None and port.direction == "O"


def _named_outside(design: Design, signal: str, path: str) -> bool:
    ports = [*design.ports.values()]
    ports += [p for c in design.cells.values() if not _inside(c.path, path) for p in c.ports.values()]
    return any(port.signal == signal for port in ports)


def stand_in(
    design: Design, path: str, table: Table, ports: Sequence[RtlPort], tied: Mapping[str, int]
) -> Stand:
    """Return the cell that stands for a hierarchy, and what does not fit.

    ``tied``: inputs of the RTL that stand for nothing outside.
    """
    return _Fitting(design, boundary(design, path), table, ports, tied).stand()


class _Fitting:
    def __init__(
        self,
        design: Design,
        outside: Boundary,
        table: Table,
        ports: Sequence[RtlPort],
        tied: Mapping[str, int],
    ) -> None:
        self._design = design
        self._outside = outside
        self._table = table
        self._rtl = {port.name: port for port in ports}
        self._tied = {name.lower() for name in tied}
        self._ports: dict[str, Port] = {}
        self._faces: dict[str, BusInterface] = {}
        self._buses: dict[tuple[str, str], str] = {}
        self._aliases: dict[Endpoint, Endpoint] = {}
        self._differences: list[Difference] = []
        self._left = dict(outside.wires)

    def stand(self) -> Stand:
        path = self._outside.path
        for ours, theirs in self._table.ports.items():
            self._explicit(ours, theirs.removeprefix(f"{path}/"))
        for name, (cell, face) in self._outside.buses.items():
            if (cell.path, face.name) not in self._buses:
                self._default_bus(name, cell, face)
        for port in self._rtl.values():
            if port.name not in self._ports and port.name.lower() not in self._tied:
                self._default_wire(port)
        self._leftovers()
        cell = Cell(
            path=path,
            vlnv=None,
            module_type=self._table.top or path.rpartition("/")[2],
            kind=CellKind.PERIPHERAL,
            parameters=MappingProxyType({}),
            ports=MappingProxyType(self._ports),
            interfaces=MappingProxyType(self._faces),
            blocks=(),
            ranges=tuple(self._ranges()),
            source=self._design.source,
        )
        return Stand(cell, self._aliases, self._buses, tuple(self._differences))

    def _differ(self, port: str, rtl: str, description: str, why: str, line: int = 0) -> None:
        self._differences.append(Difference(port, rtl, description, why, line))

    # -- by the manifest -------------------------------------------------------------------------------
    def _explicit(self, ours: str, theirs: str) -> None:
        buses, wires = self._outside.buses, self._outside.wires
        if theirs in buses:
            pins = by_prefix(ours, self._rtl)
            if pins:
                self._join_bus(ours, *buses[theirs], pins)
            else:
                self._differ(ours, "", theirs, "the RTL has no ports of such a bus")
            return
        group = next((name for name, ends in wires.items() if theirs in self._names(ends)), None)
        found = next((name for name in self._rtl if name.lower() == ours.lower()), None)
        if group is None:
            known = [*buses, *(name for ends in wires.values() for name in self._names(ends))]
            self._differ(
                ours, "", theirs, f"nothing of that name crosses the boundary; {near(theirs, known)}"
            )
        elif found is None:
            self._differ(ours, "", theirs, "the RTL has no such port")
        else:
            self._join_wire(self._rtl[found], group)

    def _names(self, ends: Sequence[tuple[Cell, Port]]) -> list[str]:
        start = len(self._outside.path) + 1
        return [f"{cell.path[start:]}/{port.name}" for cell, port in ends]

    # -- by name ---------------------------------------------------------------------------------------
    def _default_bus(self, name: str, cell: Cell, face: BusInterface) -> None:
        same = [other for other in self._outside.buses.values() if other[1].name.lower() == face.name.lower()]
        free = [port for port in self._rtl if port not in self._ports]
        for prefix in (face.name, f"{cell.name}_{face.name}"):
            pins = by_prefix(prefix, free)
            if pins and (prefix != face.name or len(same) == 1):
                self._join_bus(prefix, cell, face, pins)
                return
        # The inner cell's own names, where its interface is called otherwise than its ports.
        lower = {port.lower(): port for port in free}
        pins = {
            signal: lower[port.lower()] for signal, port in face.port_map.items() if port.lower() in lower
        }
        if {"TVALID", "AWVALID", "ARVALID"} & set(pins):
            self._join_bus(face.name, cell, face, pins)
            return
        why = f'no ports of the RTL stand for it; name them with ports = {{ prefix = "{name}" }}'
        self._differ(name, "", f"{face.role.lower()} {face.protocol}", why, face.source.line)

    def _default_wire(self, port: RtlPort) -> None:
        name = port.name.lower()
        same = [
            group for group, ends in self._left.items() if any(one.name.lower() == name for _, one in ends)
        ]
        if len(same) != 1:
            full = [
                group
                for group, ends in self._left.items()
                if any(f"{cell.name}_{one.name}".lower() == name for cell, one in ends)
            ]
            same = full if len(full) == 1 else same
        if len(same) != 1 and port.direction == "in":
            for pattern, kind in ((_CLOCK, "clk"), (_RESET, "rst")):
                if pattern.search(port.name):
                    same = [
                        group
                        for group, ends in self._outside.wires.items()
                        if any(one.kind == kind and one.direction == "I" for _, one in ends)
                    ]
                    break
        if len(same) == 1:
            self._join_wire(port, same[0])
        elif port.direction != "out":
            known = [name for ends in self._left.values() for name in self._names(ends)[:1]]
            why = "stands for nothing outside" if not same else f"could stand for {' or '.join(same)}"
            advice = f'name it with ports = {{ {port.name} = "cell/port" }} or tie it'
            text = f"{why}; {advice}; {near(port.name, known)}"
            self._differ(port.name, f"{port.direction} {port.bits}", "", text)

    # -- joining ---------------------------------------------------------------------------------------
    def _join_bus(self, prefix: str, cell: Cell, face: BusInterface, pins: Mapping[str, str]) -> None:
        bus = prefix.rstrip("_")
        port_map = {}
        for signal, name in pins.items():
            if signal not in (AXIS if face.protocol == "AXIS" else AXI):
                continue
            inner = cell.ports.get(face.port_map.get(signal, ""))
            rtl = self._rtl[name]
            port_map[signal] = name
            self._add_port(rtl, inner, ())
            if inner is not None and _WAYS.get(inner.direction) != rtl.direction:
                text = f"{_WAYS.get(inner.direction)} {inner.width}"
                self._differ(name, f"{rtl.direction} {rtl.bits}", text, "direction", inner.line)
            elif inner is not None and signal in ("TDATA", "WDATA", "RDATA") and inner.width != rtl.bits:
                text = f"{_WAYS.get(inner.direction)} {inner.width}"
                self._differ(name, f"{rtl.direction} {rtl.bits}", text, "width", inner.line)
        self._faces[bus] = replace(face, name=bus, port_map=MappingProxyType(port_map))
        self._buses[cell.path, face.name] = bus

    def _join_wire(self, rtl: RtlPort, group: str) -> None:
        ends = self._outside.wires[group]
        self._left.pop(group, None)
        cell, port = ends[0]
        for other, one in ends:
            self._aliases[Endpoint(other.path, one.name)] = Endpoint(self._outside.path, rtl.name)
        reasons = []
        if _WAYS.get(port.direction) != rtl.direction:
            reasons.append("direction")
        if port.width != rtl.bits:
            reasons.append("width")
        if reasons:
            text = f"{_WAYS.get(port.direction)} {port.width} ({cell.path}/{port.name})"
            self._differ(rtl.name, f"{rtl.direction} {rtl.bits}", text, " and ".join(reasons), port.line)
        peers = dict.fromkeys(
            peer for _, one in ends for peer in one.peers if not _inside(peer.cell, self._outside.path)
        )
        self._add_port(rtl, port, tuple(peers))

    def _add_port(self, rtl: RtlPort, inner: Port | None, peers: tuple[Endpoint, ...]) -> None:
        direction = {"in": "I", "out": "O", "both": "IO"}[rtl.direction]
        left, right = (rtl.bits - 1, 0) if rtl.bits > 1 else (None, None)
        if inner is None:
            self._ports[rtl.name] = Port(rtl.name, direction, left, right, "", "", "", "", None, peers, 0)
        else:
            self._ports[rtl.name] = inner._replace(
                name=rtl.name, direction=direction, left=left, right=right, peers=peers
            )

    def _leftovers(self) -> None:
        for group, ends in self._left.items():
            port = ends[0][1]
            if port.direction == "O":
                why = f'no port of the RTL stands for it; name one with ports = {{ port = "{group}" }}'
                self._differ(group, "", f"out {port.width}", why, port.line)

    # -- addresses -------------------------------------------------------------------------------------
    def _ranges(self) -> Iterator[MemoryRange]:
        """Yield what the module reaches: what masters inside reach outside."""
        path = self._outside.path
        masters = [self._buses[key] for key in self._buses if not answers(self._face(key)) and self._axi(key)]
        seen = set()
        for cell in self._design.cells.values():
            if not _inside(cell.path, path):
                continue
            for span in cell.ranges:
                if _inside(span.slave, path):
                    continue
                direct = self._buses.get((cell.path, span.master_interface))
                for bus in [direct] if direct else masters:
                    if (bus, span.base) not in seen:
                        seen.add((bus, span.base))
                        yield replace(span, master=path, master_interface=bus)

    def _face(self, key: tuple[str, str]) -> BusInterface:
        return self._design.cells[key[0]].interfaces[key[1]]

    def _axi(self, key: tuple[str, str]) -> bool:
        return self._face(key).protocol != "AXIS"


def collapse(design: Design, stands: Sequence[Stand]) -> Design:
    """Return the design with hierarchies replaced by the cells that stand for them."""
    for stand in stands:
        design = _collapse(design, stand)
    return design


def _collapse(design: Design, stand: Stand) -> Design:
    path, aliases = stand.cell.path, stand.aliases

    def peer(end: Endpoint) -> Endpoint | None:
        return aliases.get(end) if _inside(end.cell, path) else end

    def wires(ports: Mapping[str, Port]) -> Mapping[str, Port]:
        if not any(_inside(end.cell, path) for port in ports.values() for end in port.peers):
            return ports
        return MappingProxyType(
            {
                name: port._replace(
                    peers=tuple(dict.fromkeys(new for end in port.peers if (new := peer(end)) is not None))
                )
                for name, port in ports.items()
            }
        )

    slaves = [
        bus
        for key, bus in stand.buses.items()
        if answers(face := _face_of(design, key)) and face.protocol != "AXIS"
    ]

    def spans(ranges: Sequence[MemoryRange]) -> tuple[MemoryRange, ...]:
        out = []
        for span in ranges:
            if not _inside(span.slave, path):
                out.append(span)
                continue
            bus = stand.buses.get((span.slave, span.slave_interface)) or (slaves[0] if slaves else "")
            if bus:
                out.append(replace(span, slave=path, slave_interface=bus))
        return tuple(out)

    cells: dict[str, Cell] = {}
    for cell in design.cells.values():
        if _inside(cell.path, path):
            cells.setdefault(path, stand.cell)
            continue
        cells[cell.path] = replace(cell, ports=wires(cell.ports), ranges=spans(cell.ranges))
    return replace(
        design,
        cells=MappingProxyType(cells),
        ports=wires(design.ports),
        ps_ranges=spans(design.ps_ranges),
        boundary_ranges=spans(design.boundary_ranges),
        reachable=spans(design.reachable),
        clocks=tuple(clock for clock in design.clocks if not _inside(clock.cell, path)),
    )


def _face_of(design: Design, key: tuple[str, str]) -> BusInterface:
    return design.cells[key[0]].interfaces[key[1]]
