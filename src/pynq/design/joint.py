"""Where a partial design meets the static one: the boundary of a region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from pynq.design.model import BusInterface, Cell, Design, Endpoint, MemoryRange, Port
from pynq.errors import DesignError, Problem

__all__ = ["Joint", "named", "straight_pairs"]

T = TypeVar("T")

_NO_NET = ("", "__NOC__")


def straight_pairs(hollow: Cell, partial: Design) -> Iterator[tuple[BusInterface, BusInterface]]:
    """Return the interfaces of a region that a partial design joins: where the bus enters, and leaves."""
    by_net: dict[str, list[BusInterface]] = {}
    for face in partial.interfaces.values():
        outer = named(hollow.interfaces, face.name)
        if face.net not in _NO_NET and outer is not None:
            by_net.setdefault(face.net, []).append(outer)
    for ends in by_net.values():
        enters = [face for face in ends if face.role in ("SLAVE", "TARGET")]
        leaves = [face for face in ends if face.role in ("MASTER", "INITIATOR")]
        if len(enters) == len(leaves) == 1:
            yield enters[0], leaves[0]


def named(known: Mapping[str, T], name: str) -> T | None:
    """Return the entry of a name; names of one boundary may differ in case between its two sides."""
    found = known.get(name)
    if found is None:
        lower = name.lower()
        found = next((entry for other, entry in known.items() if other.lower() == lower), None)
    return found


class Joint:
    """Where a partial design meets the static one: the boundary of a region."""

    def __init__(self, static: Design, hollow: Cell, partial: Design) -> None:
        self._static = static
        self._hollow = hollow
        self._region = hollow.path
        self._partial = partial
        self._problems: list[Problem] = []
        self._signals: dict[str, str] = {}
        self._partner: dict[str, str] = {}  # port of the region -> port of the partial design
        for port in partial.ports.values():
            outside = named(hollow.ports, port.name)
            if outside is not None:
                self._partner[outside.name] = port.name
                if port.signal and outside.signal:
                    self._signals[port.signal] = outside.signal
        self._straight = list(straight_pairs(hollow, partial))
        self._nets: dict[str, str] = {}
        for face in partial.interfaces.values():
            partner = named(hollow.interfaces, face.name)
            if partner is not None and partner.net not in _NO_NET:
                self._nets[face.net] = partner.net

    # -- what does not fit -----------------------------------------------------------------------------
    def _problem(self, line: int, text: str) -> None:
        self._problems.append(Problem(self._partial.file, line, text))

    def raise_problems(self) -> None:
        if self._problems:
            raise DesignError(self._problems)

    def check(self) -> None:
        """Look for all reasons why the partial design can't be in this region."""
        partial, hollow, line = self._partial, self._hollow, self._partial.source.line
        if partial.ps:
            self._problem(
                line, f"has the processor {partial.ps!r}: a whole design, not one for {self._region!r}"
            )
        for what in ("architecture", "device", "package"):
            ours, theirs = getattr(self._static, what), getattr(partial, what)
            if ours and theirs and ours != theirs:
                self._problem(line, f"is for {what} {theirs!r}, {self._static.file} for {ours!r}")
        bundled: set[str] = set()
        used: dict[str, str] = {}
        through = {
            face.net
            for face in partial.interfaces.values()
            for enters, leaves in self._straight
            if face.name.lower() in (enters.name.lower(), leaves.name.lower())
        }
        for face in partial.interfaces.values():
            bundled.update(face.port_map.values())
            if named(hollow.interfaces, face.name) is None and not all(
                named(hollow.ports, name) for name in face.port_map.values()
            ):
                known = ", ".join(hollow.interfaces) or "none"
                self._problem(
                    face.source.line,
                    f"interface {face.name!r} is not on the boundary of region {self._region!r}, "
                    f"which has {known}",
                )
            if face.net in used and face.net not in through and face.net not in _NO_NET:
                self._problem(
                    face.source.line,
                    f"interface {face.name!r} is {used[face.net]!r} again, and neither leads into region "
                    f"{self._region!r} where the other leads out of it",
                )
            used[face.net] = face.name
            outer = named(hollow.interfaces, face.name)
            widths = [one.parameters.get("TDATA_NUM_BYTES") for one in (face, outer) if one is not None]
            if len(widths) == 2 and all(widths) and widths[0] != widths[1]:
                self._problem(
                    face.source.line,
                    f"stream {face.name!r} has {widths[0]} bytes a beat, {widths[1]} on the boundary of "
                    f"region {self._region!r}",
                )
        for port in partial.ports.values():
            outside = named(hollow.ports, port.name)
            if port.name in bundled:
                continue
            if outside is None:
                known = (
                    ", ".join(name for name in hollow.ports if name not in self._bundled_outside()) or "none"
                )
                self._problem(
                    port.line,
                    f"port {port.name!r} is not on the boundary of region {self._region!r}, "
                    f"which has {known}",
                )
            elif outside.direction != port.direction or outside.width != port.width:
                self._problem(
                    port.line,
                    f"port {port.name!r} ({port.direction}, {port.width} bits) is {outside.direction}, "
                    f"{outside.width} bits on the boundary of region {self._region!r}",
                )
        self.raise_problems()

    def _bundled_outside(self) -> set[str]:
        return {name for face in self._hollow.interfaces.values() for name in face.port_map.values()}

    # -- wires -----------------------------------------------------------------------------------------
    def _path(self, cell: str) -> str:
        return f"{self._region}/{cell}"

    def _outer_ends(self, name: str) -> tuple[Endpoint, ...]:
        """The ends outside that a port of the partial design leads to."""
        port = named(self._hollow.ports, name)
        return port.peers if port is not None else ()

    def _inner_ends(self, name: str) -> Iterator[Endpoint]:
        """The ends that a port of the region leads to: inside, or outside again."""
        partner = self._partner.get(name)
        for end in self._partial.ports[partner].peers if partner is not None else ():
            if end.cell:
                yield Endpoint(self._path(end.cell), end.port)
            else:
                yield from self._outer_ends(end.port)

    def _inner_port(self, port: Port) -> Port:
        peers: list[Endpoint] = []
        for end in port.peers:
            if end.cell:
                peers.append(Endpoint(self._path(end.cell), end.port))
            else:
                peers.extend(self._outer_ends(end.port))
        signal = self._signals.get(port.signal) or (f"{self._region}/{port.signal}" if port.signal else "")
        return port._replace(peers=tuple(dict.fromkeys(peers)), signal=signal)

    def outer_port(self, port: Port) -> Port:
        """Return a port outside, which leads into the region's contents where it led to the region."""
        if not any(end.cell == self._region for end in port.peers):
            return port
        peers: list[Endpoint] = []
        for end in port.peers:
            if end.cell == self._region:
                peers.extend(self._inner_ends(end.port))
            else:
                peers.append(end)
        return port._replace(peers=tuple(dict.fromkeys(peers)))

    # -- cells -----------------------------------------------------------------------------------------
    def cells(self, outside: Mapping[str, Cell], boundary: list[MemoryRange]) -> Iterator[tuple[str, Cell]]:
        """Return all cells, those inside in the place of the region's."""
        self._place(outside, boundary)
        for path, cell in outside.items():
            if path == self._region:
                for inner in self._partial.cells.values():
                    made = self._inner_cell(inner)
                    yield made.path, made
                continue
            changed = {
                name: new for name, port in cell.ports.items() if (new := self.outer_port(port)) is not port
            }
            ranges = self.enter(cell.ranges)
            if (
                changed
                or len(ranges) != len(cell.ranges)
                or any(new is not old for new, old in zip(ranges, cell.ranges, strict=False))
            ):
                cell = replace(cell, ports=MappingProxyType({**cell.ports, **changed}), ranges=tuple(ranges))
            yield path, cell

    def _inner_cell(self, cell: Cell) -> Cell:
        path = self._path(cell.path)
        attributes = dict(cell.attributes)
        attributes["FULLNAME"] = f"/{path}"
        attributes["INSTANCE"] = path.replace("/", "_")
        return replace(
            cell,
            path=path,
            ports=MappingProxyType({name: self._inner_port(port) for name, port in cell.ports.items()}),
            interfaces=MappingProxyType(
                {name: self._inner_interface(face) for name, face in cell.interfaces.items()}
            ),
            ranges=tuple(self._leave(path, cell.ranges)),
            attributes=MappingProxyType(attributes),
        )

    def _inner_interface(self, face: BusInterface) -> BusInterface:
        if face.net in _NO_NET:
            return face
        return replace(face, net=self._nets.get(face.net) or f"{self._region}/{face.net}")

    # -- addresses -------------------------------------------------------------------------------------
    def _place(self, outside: Mapping[str, Cell], boundary: list[MemoryRange]) -> None:
        """Learn, for each map that leads into the region, how the addresses inside relate to it."""
        windows: dict[tuple[str, str, str], list[MemoryRange]] = {}
        for owner in (boundary, *(cell.ranges for cell in outside.values())):
            for entry in owner:
                if entry.slave == self._region:
                    windows.setdefault(
                        (entry.master, entry.master_interface, entry.slave_interface), []
                    ).append(entry)
        self._entries: dict[tuple[str, str, str], list[MemoryRange]] = {}
        reported: set[tuple[str, int]] = set()
        met: set[str] = set()
        for key, found in windows.items():
            face = key[2]
            onward = self._onward(key, found)
            inner = self._behind(face) or ([] if onward else self._alone_behind(face, found))
            met.update(entry.master_interface for entry in inner)
            lowest = min(entry.base for entry in found)
            for shift in (0, lowest):
                misfits = [entry for entry in inner if not _fits(entry, shift, found)]
                if not misfits:
                    break
            else:
                spans = ", ".join(f"{entry.base:#x} to {entry.high:#x}" for entry in found)
                for entry in misfits:
                    if (entry.slave, entry.base) in reported:
                        continue
                    reported.add((entry.slave, entry.base))
                    self._problem(
                        entry.source.line,
                        f"{entry.slave} at {entry.base:#x} to {entry.high:#x} lies outside of the addresses "
                        f"of region {self._region!r} ({face}: {spans}), absolutely and counted from its base",
                    )
                continue
            self._entries[key] = [
                replace(
                    entry,
                    master=key[0],
                    master_interface=key[1],
                    slave=self._path(entry.slave),
                    base=entry.base + shift,
                    high=entry.high + shift,
                )
                for entry in inner
            ] + onward
        for entry in self._partial.boundary_ranges:
            if (
                entry.slave
                and entry.master_interface not in met
                and (entry.slave, entry.base) not in reported
            ):
                self._problem(
                    entry.source.line,
                    f"{entry.slave} answers at interface {entry.master_interface!r}, by which nothing "
                    f"reaches region {self._region!r}",
                )

    def _onward(self, key: tuple[str, str, str], windows: Iterable[MemoryRange]) -> list[MemoryRange]:
        """What is reached outside again, by a bus straight through the region, at unchanged addresses."""
        found = []
        for enters, leaves in self._straight:
            if enters.name.lower() != key[2].lower():
                continue
            for outer in self._hollow.ranges:
                for window in windows:
                    base, high = max(window.base, outer.base), min(window.high, outer.high)
                    if outer.master_interface.lower() == leaves.name.lower() and base <= high:
                        found.append(
                            replace(
                                outer,
                                master=key[0],
                                master_interface=key[1],
                                base=base,
                                high=high,
                                through=(*window.through, self._region, *outer.through),
                            )
                        )
        return found

    def _behind(self, face: str) -> list[MemoryRange]:
        """What the partial design has behind an interface of the region."""
        return [
            entry
            for entry in self._partial.boundary_ranges
            if entry.slave and entry.master_interface.lower() == face.lower()
        ]

    def _alone_behind(self, face: str, windows: Iterable[MemoryRange]) -> list[MemoryRange]:
        """What an interface leads to where the partial description has no addresses: the one slave there.

        Some designs have none, or bring the bus in pin by pin: then a handshake pin tells. The slave has
        all of the region's first window.
        """
        hollow = self._hollow.interfaces.get(face)
        slaves: dict[tuple[str, str], tuple[Cell, BusInterface]] = {}
        for signal in ("ARVALID", "AWVALID"):
            pin = hollow.port_map.get(signal) if hollow is not None else None
            port = named(self._partial.ports, pin) if pin is not None else None
            for end in port.peers if port is not None else ():
                cell = self._partial.cells.get(end.cell)
                for inner in cell.interfaces.values() if cell is not None else ():
                    if inner.port_map.get(signal) == end.port:
                        slaves[end.cell, inner.name] = self._partial.cells[end.cell], inner
        if len(slaves) != 1:
            return []
        first = min(windows, key=lambda window: window.base)
        ((cell, inner),) = slaves.values()
        block = next((block.name for block in cell.blocks if block.interface == inner.name), first.block)
        return [
            replace(
                first,
                slave=cell.path,
                slave_interface=inner.name,
                block=block,
                base=0,
                high=first.size - 1,
                source=inner.source,
            )
        ]

    def enter(self, ranges: Iterable[MemoryRange]) -> list[MemoryRange]:
        """Return an address map with what is in the region in the place of the region."""
        found: list[MemoryRange] = []
        entered: set[tuple[str, str, str]] = set()
        for entry in ranges:
            if entry.slave != self._region:
                found.append(entry)
                continue
            key = (entry.master, entry.master_interface, entry.slave_interface)
            if key not in entered:
                entered.add(key)
                found.extend(self._entries.get(key, ()))
        return found

    def _leave(self, master: str, ranges: Iterable[MemoryRange]) -> Iterator[MemoryRange]:
        """The address map of a master inside; through the region's interfaces it sees what that does."""
        for entry in ranges:
            if entry.slave:
                yield replace(entry, master=master, slave=self._path(entry.slave))
                continue
            for outer in self._hollow.ranges:
                base, high = max(entry.base, outer.base), min(entry.high, outer.high)
                if outer.master_interface.lower() == entry.slave_interface.lower() and base <= high:
                    yield replace(
                        outer, master=master, master_interface=entry.master_interface, base=base, high=high
                    )


def _fits(entry: MemoryRange, shift: int, windows: Iterable[MemoryRange]) -> bool:
    """Whether a range lies in windows that may touch each other."""
    at, high = entry.base + shift, entry.high + shift
    for window in sorted(windows, key=lambda window: window.base):
        if window.base <= at <= window.high:
            if high <= window.high:
                return True
            at = window.high + 1
    return False
