"""Ways of AXI buses that can be closed: which accesses lead through a decoupler or a shutdown manager.

The address map of a design tells who reaches whom, not by which way. The way is in the buses: the nets that
join interfaces, followed through interconnects.
"""

from __future__ import annotations

from collections.abc import Mapping

from pynq.design.kinds import DECOUPLERS, other_side
from pynq.design.model import BusInterface, Cell, CellKind, Design, MemoryRange
from pynq.design.partial import inside, regions

__all__ = ["MANAGERS", "Passages"]

MANAGERS = ("dfx_axi_shutdown_manager", "pr_axi_shutdown_manager")

_WAYS = ("axi_interconnect", "smartconnect")
_NOWHERE = ("", "__NOC__")

End = tuple[str, str]  # path of a cell, interface


def _answers(face: BusInterface) -> bool:
    return face.role in ("SLAVE", "TARGET")


class Passages:
    """The cells on the way of each access that can close it."""

    def __init__(self, design: Design) -> None:
        self._hollow: Mapping[str, Cell] = regions(design)
        self._gates: dict[str, list[tuple[set[End], set[End]]]] = {}  # who asks, who answers
        gates = [cell for cell in design.cells.values() if cell.type_name in (*DECOUPLERS, *MANAGERS)]
        if not gates:
            return
        self._nets: dict[str, list[tuple[Cell, BusInterface]]] = {}
        cells = {**self._hollow, **design.cells}
        for cell in cells.values():
            for face in cell.interfaces.values():
                if face.net not in _NOWHERE and face.role != "MONITOR" and face.protocol != "AXIS":
                    self._nets.setdefault(face.net, []).append((cell, face))
        for cell in gates:
            for face in cell.interfaces.values():
                other = self._behind(cell, face)
                if _answers(face) and other is not None and face.protocol != "AXIS":
                    ends = self._walk(face.net, asks=True), self._walk(other.net, asks=False)
                    self._gates.setdefault(cell.path, []).append(ends)

    @staticmethod
    def _behind(cell: Cell, face: BusInterface) -> BusInterface | None:
        """The interface of a gate on the other side of one."""
        if cell.type_name in DECOUPLERS:
            return cell.interfaces.get(other_side(face.name))
        names = {"s_axi": "m_axi", "m_axi": "s_axi"}
        wanted = names.get(face.name.lower())
        return next((one for one in cell.interfaces.values() if one.name.lower() == wanted), None)

    def _walk(self, net: str, *, asks: bool) -> set[End]:
        """Who is at the end of a net that asks (or answers), through all that passes accesses on."""
        found: set[End] = set()
        todo, seen = [net], {net}
        while todo:
            for cell, face in self._nets.get(todo.pop(), ()):
                if _answers(face) == asks:
                    continue
                onward: list[BusInterface] = []
                if cell.type_name in (*DECOUPLERS, *MANAGERS):
                    other = self._behind(cell, face)
                    onward = [] if other is None else [other]
                elif cell.type_name in _WAYS or (cell.kind is CellKind.INTERCONNECT and not cell.ranges):
                    onward = [one for one in cell.interfaces.values() if _answers(one) == asks]
                found.add((cell.path, face.name))
                fresh = [one.net for one in onward if one.net not in (*_NOWHERE, *seen)]
                seen.update(fresh)
                todo += fresh
        return found

    def _among(self, path: str, face: str, ends: set[End]) -> bool:
        """Whether an end is one of these, or within a region whose boundary is."""
        return (path, face) in ends or any(
            region in self._hollow and path != region and inside(path, region) for region, _ in ends
        )

    def of(self, span: MemoryRange) -> list[str]:
        """Return the paths of the cells that stand on the way of a range."""
        return [
            path
            for path, ways in self._gates.items()
            if any(self._leads(span, asking, answering) for asking, answering in ways)
        ]

    def _leads(self, span: MemoryRange, asking: set[End], answering: set[End]) -> bool:
        """Whether a range leads through what stands between those that ask and those that answer."""
        asks = self._among(span.master, span.master_interface, asking)
        answers = self._among(span.slave, span.slave_interface, answering)
        before = any(region in span.through for region, _ in answering)
        after = any(region in span.through for region, _ in asking)
        return (asks and (answers or before)) or (after and answers)
