"""The block diagram of a design as a graph: blocks with ports, hierarchies, and what joins them.

Plain data for the diagram's JavaScript (``page/fold.js``), which folds hierarchies, leaves kinds of wires
out, and has ELK lay out what remains. Nothing here has a position.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pynq.design import BusInterface, Cell, CellKind, Design, Endpoint, Port
from pynq.design.partial import straight

__all__ = ["graph_of"]

#: Bus names that are no nets: what the hand-off file says of an interface that nothing is connected to.
_NO_NET = ("", "__NOC__")
_MASTERS = ("MASTER", "INITIATOR")
#: Cells that pass wires on, by the name of their type: they are drawn small, and only with a wire that shows.
_GLUE = frozenset(
    (
        *("xlconcat", "xlslice", "xlconstant", "ilconcat", "ilslice", "ilconstant", "interface_slice"),
        *(
            "util_vector_logic",
            "util_reduced_logic",
            "util_ff",
            "util_ds_buf",
            "ilvector_logic",
            "ilreduced_logic",
        ),
    )
)
_CONCATS = ("xlconcat", "ilconcat")
_RESETS = ("proc_sys_reset", "axi_reset", "util_reset")
_CLOCKING = ("clk_wiz", "clk_wizard", "mmcm_base", "axi_dynclk", "clkx5_wiz")
#: Kinds of port (SIGIS) that have a kind of wire of their own.
_WIRES = {"clk": "clock", "rst": "reset", "interrupt": "interrupt"}


def graph_of(
    design: Design,
    drivers: Mapping[str, str | None] | None = None,
    findings: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a design's diagram as data that JSON can hold.

    ``nodes`` come parents first. The ``id`` of a cell is its path, that of a hierarchy its path with a slash
    behind it, that of an interface or port of the design itself its name with a slash before it. ``kind`` is
    "cell", "hierarchy" or "external"; ``role`` is how it is drawn; ``ports`` are those that an edge has an
    end at. ``edges`` go from what drives to what is driven; their ``kind`` is "axi", "stream", "bus",
    "interrupt", "clock", "reset" or "wire".
    ``drivers`` (by path, None: the default one) and ``findings`` (the worst severity by path) are shown with
    the blocks.
    """
    ends = _Ends(design)
    edges = [*_buses(design, ends), *_memories(design, ends), *_wires(design, ends)]
    _follow_interrupts(design, edges)
    nodes: list[dict[str, Any]] = []
    known = _hierarchies(design)
    for path in known:
        nodes.append(_node(f"{path}/", "hierarchy", "hierarchy", path))
    for cell in design.cells.values():
        made = _node(cell.path, "cell", _role(cell), cell.path)
        made["type"] = cell.type_name
        made["version"] = cell.vlnv.version if cell.vlnv else ""
        made["driver"] = (drivers or {}).get(cell.path)
        nodes.append(made)
    nodes.extend(_node(f"/{name}", "external", "external", name) for name in ends.externals)
    for made in nodes:
        made["ports"] = ends.ports.get(made["id"], [])
        made["finding"] = (findings or {}).get(made["id"].strip("/"))
    return {"version": 1, "name": design.name, "nodes": nodes, "edges": edges}


def _hierarchies(design: Design) -> list[str]:
    """Every hierarchy, parents first, and those that only the paths of the cells tell."""
    known: dict[str, None] = {}
    for path in (*design.hierarchies, *(cell.hierarchy for cell in design.cells.values())):
        parts = path.split("/") if path else []
        for count in range(1, len(parts) + 1):
            known.setdefault("/".join(parts[:count]))
    return sorted(known, key=lambda path: path.count("/"))


def _node(key: str, kind: str, role: str, path: str) -> dict[str, Any]:
    parent, _, name = path.rpartition("/")
    if kind == "external":
        parent, name = "", path
    return {"id": key, "parent": f"{parent}/" if parent else "", "kind": kind, "role": role, "name": name}


def _role(cell: Cell) -> str:
    """How a cell is drawn: its kind, with the small helpers told apart."""
    name = cell.type_name
    if cell.kind in (CellKind.LOGIC, CellKind.PERIPHERAL):
        if name in _GLUE:
            return "glue"
        if name in _RESETS:
            return "reset"
        if name in _CLOCKING:
            return "clocking"
    return cell.kind.value


class _Ends:
    """The ports that edges end at, by node, each once."""

    def __init__(self, design: Design) -> None:
        self.ports: dict[str, list[dict[str, str]]] = {}
        self.externals: dict[str, None] = {}
        self._seen: set[tuple[str, str]] = set()
        self._cells = design.cells

    def add(self, cell: str, port: str, kind: str, *, out: bool) -> list[str]:
        """Return the end of an edge; make its port, and for the design's own ports the node."""
        if not cell:
            self.externals.setdefault(port)
        key = cell or f"/{port}"
        if (key, port) not in self._seen:
            self._seen.add((key, port))
            entry = {"name": port, "side": "E" if out else "W", "kind": kind}
            self.ports.setdefault(key, []).append(entry)
        return [key, port]


def _bus_kind(interfaces: list[tuple[str, BusInterface]]) -> str:
    """The kind of a net of interfaces: the first end that tells it counts."""
    for _, interface in interfaces:
        name = interface.vlnv.name if interface.vlnv else ""
        if interface.protocol == "AXIS" or name == "axis":
            return "stream"
        if interface.protocol or name == "aximm":
            return "axi"
        if name == "mbinterrupt":
            return "interrupt"
    return "bus"


def _buses(design: Design, ends: _Ends) -> Iterator[dict[str, Any]]:
    nets: dict[str, list[tuple[str, BusInterface]]] = {}
    names = _through_regions(design)
    for path, cell in design.cells.items():
        for interface in cell.interfaces.values():
            nets.setdefault(names.get(interface.net, interface.net), []).append((path, interface))
    for interface in design.interfaces.values():
        nets.setdefault(names.get(interface.net, interface.net), []).append(("", interface))
    for net, members in nets.items():
        if net in _NO_NET or len(members) < 2:
            continue
        kind = _bus_kind(members)
        source = max(members, key=lambda member: _drives(design, *member))
        for member in members:
            if member is source:
                continue
            yield {
                "from": ends.add(source[0], source[1].name, kind, out=True),
                "to": ends.add(member[0], member[1].name, kind, out=False),
                "kind": kind,
                "net": net,
            }


def _memories(design: Design, ends: _Ends) -> Iterator[dict[str, Any]]:
    """The memory behind each argument of a kernel: an xclbin tells it by address only."""
    for path, cell in design.cells.items() if design.format == "xclbin" else ():
        for entry in cell.ranges:
            if entry.slave in design.cells and entry.master_interface in cell.interfaces:
                yield {
                    "from": ends.add(path, entry.master_interface, "axi", out=True),
                    "to": ends.add(entry.slave, entry.slave_interface or "memory", "axi", out=False),
                    "kind": "axi",
                    "net": cell.interfaces[entry.master_interface].net,
                }


def _through_regions(design: Design) -> dict[str, str]:
    """Return the nets that go on straight through what a region holds, with the net that each begins as."""
    before = {
        leaves.net: enters.net for region in design.partials for enters, leaves in straight(design, region)
    }
    found: dict[str, str] = {}
    for net in before:
        first, passed = net, {net}
        while first in before and before[first] not in (*_NO_NET, *passed):
            first = before[first]
            passed.add(first)
        found[net] = first
    return found


def _drives(design: Design, path: str, interface: BusInterface) -> int:
    """How much an end of a bus is its source; the first of the highest is taken for it.

    The design's own interface has the role of the cell's that it makes external, so it is the other end. A
    local memory bus calls both of its sides slaves: the bus itself is the source then.
    """
    if not path:
        return 1 if interface.role in _MASTERS else 2
    if interface.role in _MASTERS:
        return 4
    if interface.role == "MONITOR":
        return -1
    return 3 if design.cells[path].type_name in ("lmb_v10", "dlmb_v10") else 0


def _wires(design: Design, ends: _Ends) -> Iterator[dict[str, Any]]:
    passed = {alias for pin in design.interrupt_pins.values() for alias in (pin.path, *pin.aliases)}
    passed |= {f"{controller}/irq" for controller in design.interrupt_controllers}
    holders = [*((path, cell.interfaces) for path, cell in design.cells.items()), ("", design.interfaces)]
    bundled = {
        (path, port)
        for path, interfaces in holders
        for interface in interfaces.values()
        if interface.net not in _NO_NET
        for port in interface.port_map.values()
    }
    seen: set[tuple[Endpoint, Endpoint]] = set()
    for here, port in _all_ports(design):
        if (here.cell, here.port) in bundled or not _is_source(here, port):
            continue
        for there in port.peers:
            other = _port(design, there)
            if (
                other is None
                or there == here
                or (here, there) in seen
                or _is_source(there, other, strict=True)
            ):
                continue
            seen.add((here, there))
            kind = _wire_kind(here, port, there, other, passed)
            yield {
                "from": ends.add(here.cell, here.port, kind, out=True),
                "to": ends.add(there.cell, there.port, kind, out=False),
                "kind": kind,
                "net": port.signal,
            }


def _follow_interrupts(design: Design, edges: list[dict[str, Any]]) -> None:
    """What leaves a concatenation of interrupts is one, too, though its pins do not say so."""
    leaving: dict[str, list[dict[str, Any]]] = {}
    for edge in edges:
        cell = design.cells.get(edge["from"][0])
        if cell is not None and cell.type_name in _CONCATS and edge["kind"] == "wire":
            leaving.setdefault(cell.path, []).append(edge)
    found = [edge for edge in edges if edge["kind"] == "interrupt"]
    while found:
        for edge in leaving.pop(found.pop()["to"][0], ()):
            edge["kind"] = "interrupt"
            found.append(edge)


def _all_ports(design: Design) -> Iterator[tuple[Endpoint, Port]]:
    for path, cell in design.cells.items():
        for name, port in cell.ports.items():
            yield Endpoint(path, name), port
    for name, port in design.ports.items():
        yield Endpoint("", name), port


def _port(design: Design, end: Endpoint) -> Port | None:
    if not end.cell:
        return design.ports.get(end.port)
    cell = design.cells.get(end.cell)
    return cell.ports.get(end.port) if cell is not None else None


def _is_source(end: Endpoint, port: Port, *, strict: bool = False) -> bool:
    """Whether a port drives its net; of two that go both ways the cell's does, ``strict`` or not."""
    if port.direction == "IO":
        return bool(end.cell) and not strict
    return port.direction == ("O" if end.cell else "I")


def _wire_kind(here: Endpoint, port: Port, there: Endpoint, other: Port, passed: set[str]) -> str:
    for one in (port, other):
        kind = _WIRES.get(one.kind.lower())
        if kind:
            return kind
    if f"{here.cell}/{here.port}" in passed or f"{there.cell}/{there.port}" in passed:
        return "interrupt"
    return "wire"
