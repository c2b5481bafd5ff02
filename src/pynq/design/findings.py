"""What a rule is, what it finds, and what rules ask of a design again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from inspect import getdoc
from typing import NamedTuple

from pynq.design.model import BusInterface, Cell, Design, Endpoint, Port, SourceRef
from pynq.design.topology import Wiring

__all__ = ["SEVERITIES", "End", "Facts", "Finding", "Hit", "Rule", "amount", "ports_of", "rule", "sends"]

SEVERITIES = ("error", "warning", "note")
"""From what will not work to what is good to know."""

_OPEN = ("", "__NOC__")  # BUSNAME of an interface that is not connected as such
_AXI = ("AXI3", "AXI4", "AXI4LITE")
_HANDSHAKES = ("TVALID", "TREADY", "ARVALID", "AWVALID", "ARREADY", "AWREADY")


class Finding(NamedTuple):
    """Something that a user should know about a design.

    ``severity`` is "error" (will not work, or hangs), "warning" (may not) or "note". ``rule`` is the
    rule's name in the documentation ("address-overlap"), ``subject`` the path of the cell, pin or interface,
    ``message`` what is the matter with the values found, ``advice`` the next step.
    """

    rule: str
    severity: str
    subject: str
    message: str
    advice: str
    source: SourceRef


class Hit(NamedTuple):
    """What a rule yields; ``severity`` "": the rule's own."""

    subject: str
    message: str
    advice: str
    source: SourceRef
    severity: str = ""


class End(NamedTuple):
    """An interface on a bus; ``cell`` is None for one of the design itself."""

    cell: Cell | None
    interface: BusInterface

    @property
    def path(self) -> str:
        """``cell/interface``."""
        return f"{self.cell.path}/{self.interface.name}" if self.cell is not None else self.interface.name


class Facts:
    """A design with the tables that rules share, each made when it is first asked for."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.wiring = Wiring(design.file, design.cells, design.ports)
        self._downstream: dict[str, frozenset[str]] = {}

    @cached_property
    def nets(self) -> dict[str, list[End]]:
        """The AXI and stream interfaces on each bus."""
        found: dict[str, list[End]] = {}
        for cell in self.design.cells.values():
            for interface in cell.interfaces.values():
                if interface.net not in _OPEN and interface.role != "MONITOR":
                    found.setdefault(interface.net, []).append(End(cell, interface))
        for interface in self.design.interfaces.values():
            if interface.net not in _OPEN:
                found.setdefault(interface.net, []).append(End(None, interface))
        return found

    def pairs(self) -> Iterator[tuple[End, End]]:
        """Each connection of two cells by a bus: who sends, who receives."""
        for ends in self.nets.values():
            inner = [end for end in ends if end.cell is not None]
            sender = next((end for end in inner if sends(end.interface)), None)
            for receiver in inner if sender is not None else ():
                if sender is not None and not sends(receiver.interface):
                    yield sender, receiver

    def downstream(self, net: str) -> frozenset[str]:
        """The buses that are reached from one, through whatever has a slave and a master; itself, too."""
        if net not in self._downstream:
            found = {net}
            pending = [net]
            for bus in pending:
                for end in self.nets.get(bus, ()):
                    if end.cell is None or end.cell.path == self.design.ps or sends(end.interface):
                        continue
                    for other in end.cell.interfaces.values():
                        if sends(other) and other.net in self.nets and other.net not in found:
                            found.add(other.net)
                            pending.append(other.net)
            self._downstream[net] = frozenset(found)
        return self._downstream[net]

    def buses(self, *protocols: str) -> Iterator[tuple[Cell, BusInterface]]:
        """Every interface of a cell that has one of the protocols ("AXI": any memory-mapped one)."""
        wanted = {name for given in protocols for name in (_AXI if given == "AXI" else (given,))}
        for cell in self.design.cells.values():
            for interface in cell.interfaces.values():
                if interface.protocol in wanted and interface.role != "MONITOR":
                    yield cell, interface

    def connected(self, cell: Cell, interface: BusInterface) -> bool:
        """Whether an interface is connected, as a bus or by its single ports."""
        if len(self.nets.get(interface.net, ())) > 1:
            return True
        ports = (cell.ports.get(interface.port_map.get(logical, "")) for logical in _HANDSHAKES)
        return any(port is not None and port.peers for port in ports)

    def driven(self, cell: Cell, port: Port) -> bool:
        """Whether something gives an input its value."""
        return bool(port.peers) or self.wiring.driver(Endpoint(cell.path, port.name)) is not None

    def finding(self, rule: Rule, hit: Hit) -> Finding:
        """Return what a rule yielded in the form that users get."""
        severity = hit.severity or rule.severity
        return Finding(rule.name, severity, hit.subject, hit.message, hit.advice, hit.source)


class Rule(NamedTuple):
    """A rule: its name, its severity (the worst where it has several), and how to look for it.

    ``title``, ``why`` and ``remedy`` are the three paragraphs of the function's docstring; the documentation
    is made of them.
    """

    name: str
    severity: str
    title: str
    why: str
    remedy: str
    find: Callable[..., Iterable[Hit]]


def rule(name: str, severity: str) -> Callable[[Callable[..., Iterable[Hit]]], Rule]:
    """Make a rule of a function whose docstring says what, why, and what to do."""

    def make(find: Callable[..., Iterable[Hit]]) -> Rule:
        title, why, remedy = (" ".join(text.split()) for text in (getdoc(find) or "").split("\n\n"))
        return Rule(name, severity, title, why, remedy, find)

    return make


def sends(interface: BusInterface) -> bool:
    """Whether an interface of a cell is the master of its bus."""
    return interface.role in ("MASTER", "INITIATOR")


def ports_of(facts: Facts, kind: str, direction: str) -> Iterator[tuple[Cell, Port]]:
    """Yield the ports of a kind ("rst", "INTERRUPT") and direction ("I", "O") of all cells but the PS."""
    for cell in facts.design.cells.values():
        if cell.path != facts.design.ps:
            for port in cell.ports.values():
                if port.kind == kind and port.direction == direction:
                    yield cell, port


def amount(number: int, thing: str) -> str:
    """Return "1 thing", "2 things"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
