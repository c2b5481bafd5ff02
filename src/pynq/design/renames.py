"""Which cells of two builds of a design are the same, though their names are not."""

from __future__ import annotations

from collections.abc import Hashable

from pynq.design.findings import Facts
from pynq.design.model import Cell

__all__ = ["plain_type", "renames", "type_of"]

_ALIKE = 0.5  # how much of their connections two cells must share to be one
_PAIRS = 10_000  # more candidates than that of one type are not compared with each other


def renames(old: Facts, new: Facts) -> dict[str, str]:
    """New paths of cells, by their old ones: those that are in one design only, of one type, and connected
    alike.
    """
    gone: dict[str, list[Cell]] = {}
    come: dict[str, list[Cell]] = {}
    for cells, others, found in ((old, new, gone), (new, old, come)):
        for path, cell in cells.design.cells.items():
            if path not in others.design.cells:
                found.setdefault(plain_type(cell), []).append(cell)
    renamed: dict[str, str] = {}
    for kind, before in gone.items():
        after = come.get(kind, [])
        if not after or len(before) * len(after) > _PAIRS:
            continue
        marks = [
            {cell.path: _marks(facts, cell) for cell in cells}
            for facts, cells in ((old, before), (new, after))
        ]
        scores = [
            (-_alike(marks[0][one.path], marks[1][other.path]), number, place)
            for number, one in enumerate(before)
            for place, other in enumerate(after)
        ]
        taken: set[str] = set()
        for score, number, place in sorted(scores):
            one, other = before[number].path, after[place].path
            if -score >= _ALIKE and one not in renamed and other not in taken:
                renamed[one] = other
                taken.add(other)
    return renamed


def _marks(facts: Facts, cell: Cell) -> set[Hashable]:
    """What a cell is recognised by: its own name, and what its ports and interfaces are connected to, without
    the hierarchies, which may have been renamed with it.
    """
    found: set[Hashable] = {("name", cell.name)}
    bundled = {port for one in cell.interfaces.values() for port in one.port_map.values()}
    for port in cell.ports.values():
        if port.name not in bundled:
            for end in port.peers[:16]:
                found.add((port.name, end.cell.rpartition("/")[2], end.port))
    for interface in cell.interfaces.values():
        for other in facts.nets.get(interface.net, ())[:16]:
            if other.cell is not cell:
                found.add((interface.name, other.cell.name if other.cell else "", other.interface.name))
    return found


def _alike(one: set[Hashable], other: set[Hashable]) -> float:
    return len(one & other) / len(one | other)


def type_of(cell: Cell) -> str:
    """The type of a cell, as text."""
    return cell.type or cell.module_type or "without type"


def plain_type(cell: Cell) -> str:
    """The same without the version."""
    return cell.vlnv.without_version if cell.vlnv else type_of(cell)
