"""What the nets of a script join once its hierarchies are looked through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pynq.design.tcl.netlist import Cell, Net, Netlist

__all__ = ["Group", "Leaf", "groups", "owner_of"]


@dataclass(frozen=True)
class Leaf:
    """The end of a wire or bus at a cell that is no hierarchy; ``cell`` is "" for a port of the design."""

    cell: str
    name: str


@dataclass
class Group:
    """Everything that is joined: ends in the script's order, and the pins of hierarchies passed through."""

    leaves: list[Leaf] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)  # paths of pins of hierarchies
    names: list[str] = field(default_factory=list)  # of the nets
    line: int = 0


def owner_of(path: str, cells: dict[str, Cell]) -> Cell | None:
    """Return the cell that a pin's path belongs to; None for a port of the design."""
    return cells.get(path.rpartition("/")[0])


def groups(netlist: Netlist, nets: Sequence[Net]) -> tuple[list[Group], list[tuple[int, str]]]:
    """Join nets that meet at pins of hierarchies.

    Returns:
        The groups, in the script's order; and what a net names but the script has not made: line and path.
    """
    parent: dict[str, str] = {}

    def root(path: str) -> str:
        while parent[path] != path:
            parent[path] = path = parent[parent[path]]
        return path

    for net in nets:
        first: str | None = None
        for pin in net.pins:
            parent.setdefault(pin, pin)
            if first is None:
                first = pin
            else:
                parent[root(pin)] = root(first)
    found: dict[str, Group] = {}
    strangers: list[tuple[int, str]] = []
    seen: set[str] = set()
    for net in nets:
        if not net.pins:
            continue
        group = found.setdefault(root(net.pins[0]), Group(line=net.line))
        group.names.append(net.name)
        for pin in net.pins:
            if pin in seen:
                continue
            seen.add(pin)
            owner, _, name = pin.rpartition("/")
            if not owner:
                group.leaves.append(Leaf("", name))
            elif owner not in netlist.cells:
                strangers.append((net.line, pin))
            elif netlist.cells[owner].kind == "hierarchy":
                group.passed.append(pin)
            else:
                group.leaves.append(Leaf(owner, name))
    return [group for group in found.values() if group.leaves], strangers


def inside(path: str, hierarchy: str) -> bool:
    """Return whether a cell is somewhere within a hierarchy."""
    return path.startswith(f"{hierarchy}/")


def first(values: Iterable[str]) -> str:
    """Return the first that is not empty, "" without one."""
    return next((value for value in values if value), "")
