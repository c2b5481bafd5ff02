"""The script that a hand-off file's design would have been exported as.

What a real export leaves out is left out: ports of IP, register maps, defaults, what the tool finds out by
itself (widths of concatenations and streams, numbers of interrupts, parameters that only IP itself sees).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from examples.tools.bdscript import Script, ScriptBus, ScriptCell, ScriptNet, ScriptPort, ScriptSegment

from pynq.design.model import BusInterface, Cell, CellKind, Design, Endpoint, Port
from pynq.design.tcl import catalogue, catalogue_rules
from pynq.design.topology import Wiring

__all__ = ["script"]

_SENDERS = ("MASTER", "INITIATOR")
_KINDS = {"clk": "clk", "rst": "rst", "INTERRUPT": "intr"}
# What the tool propagates, per type: a script never has it.
_FOUND_OUT = re.compile(
    r"IN\d+_WIDTH|dout_width|C_NUM_INTR_INPUTS|C_KIND_OF|C_BASEADDR|C_HIGHADDR|Component_Name|(S_)?TDATA_NUM_BYTES"
    r"|c_s_axis_s2mm_tdata_width|C_[A-Z0-9_]*_ID_WIDTH|C_INTERCONNECT_.*|EDK_.*|.*ADDR_WIDTH",
    re.IGNORECASE,
)


def script(design: Design) -> str:
    """Return the text."""
    wiring = Wiring(design.file, design.cells, design.ports)
    buses = list(_buses(design))
    outer = {face.net: face for face in design.interfaces.values() if face.net}
    inner = {
        face.net: face
        for cell in design.cells.values()
        for face in cell.interfaces.values()
        if face.net in outer
    }
    ports = []
    bundled: set[str] = set()
    for net, face in outer.items():
        seen = inner.get(net)
        if seen is not None and seen.vlnv is not None:
            mode = "Master" if seen.role in _SENDERS else "Slave"
            ports.append(ScriptPort(face.name, mode, _rtl(seen)))
            bundled |= set(face.port_map.values())
    for port in design.ports.values():
        if port.name not in bundled:
            frequency = {"FREQ_HZ": str(port.frequency)} if port.kind == "clk" and port.frequency else {}
            kind = _KINDS.get(port.kind, "")
            ports.append(ScriptPort(port.name, port.direction, kind, port.left, port.right, frequency))
    named = {port.name for port in ports}
    return Script(
        design.name,
        _part(design),
        design.board,
        design.tool_version or "2020.1",
        [_cell(cell) for cell in design.cells.values()],
        ports,
        list(_nets(design, wiring, bundled)),
        [bus for bus in buses if all(cell or name in named for cell, name in bus.ends)],
        list(_segments(design)),
    ).text()


def _part(design: Design) -> str:
    if design.device.startswith("xc"):
        return f"{design.device}-{design.package}{design.speed_grade}"
    return f"xc{design.device}{design.package}{design.speed_grade}"


def _rtl(face: BusInterface) -> str:
    assert face.vlnv is not None
    vlnv = face.vlnv
    return f"{vlnv.vendor}:{vlnv.library}:{vlnv.name}_rtl:{vlnv.version}"


def _cell(cell: Cell) -> ScriptCell:
    if cell.kind is CellKind.BLOCK_CONTAINER and cell.vlnv is None:
        return ScriptCell(cell.path, cell.module_type or cell.name, {}, "container")
    if cell.vlnv is not None and cell.vlnv.library == "module_ref":
        return ScriptCell(cell.path, cell.vlnv.name, {}, "module")
    return ScriptCell(cell.path, cell.type, _settings(cell))


def _settings(cell: Cell) -> Mapping[str, str]:
    """What a user has set: what differs from the default, of the parameters that scripts have."""
    known = catalogue.lookup(cell.vlnv.without_version) if cell.vlnv else None
    if known is None:
        return {}
    names = {name.lower() for name in cell.parameters if not name.startswith("C_")}
    found = {}
    for name, value in cell.parameters.items():
        if name in ("PS_PMC_CONFIG", "PS11_CONFIG") and value.count("{") == value.count("}"):
            found[name] = value
        if name not in known.parameters or known.parameters[name] == value or _FOUND_OUT.match(name):
            continue
        model = name.startswith("C_") and (name.lower() in names or name[2:].lower() in names)
        if model or name in known.follows or (cell.kind is CellKind.PROCESSOR and name.startswith("C_")):
            continue
        if re.search(r"[{}\\\[\]$]", value) and not re.fullmatch(r"[^{}\\]*", value):
            continue  # packed dictionaries of Versal
        found[name] = value
    return found


def _ends(design: Design) -> Iterator[tuple[str, BusInterface]]:
    for cell in design.cells.values():
        for face in cell.interfaces.values():
            yield cell.path, face
    for face in design.interfaces.values():
        yield "", face


def _buses(design: Design) -> Iterator[ScriptBus]:
    nets: dict[str, list[tuple[int, str, BusInterface]]] = {}
    for path, face in _ends(design):
        if face.net and face.net != "__NOC__":
            order = 2 if not path else face.role not in _SENDERS
            nets.setdefault(face.net, []).append((order, path, face))
    for ends in nets.values():
        kind = next((_rtl(face) for _, _, face in ends if face.vlnv), "")
        if len(ends) > 1 and kind:
            ends.sort(key=lambda end: end[0])
            yield ScriptBus([(path, face.name) for _, path, face in ends], kind)


def _nets(design: Design, wiring: Wiring, bundled: set[str]) -> Iterator[ScriptNet]:
    """The wires that are not part of a bus: each once, from its driver."""
    on_bus = {}
    shared: dict[str, int] = {}
    for _, face in _ends(design):
        shared[face.net] = shared.get(face.net, 0) + 1
    for path, face in _ends(design):
        if face.net and face.net != "__NOC__" and shared[face.net] > 1:
            on_bus.update({Endpoint(path, port): face.net for port in face.port_map.values()})
    everything = [(path, port) for path, cell in design.cells.items() for port in cell.ports.values()]
    everything += [("", port) for port in design.ports.values() if port.name not in bundled]
    for path, port in everything:
        end = Endpoint(path, port.name)
        if wiring.drives(end):
            loads = [
                load
                for load in wiring.loads(end)
                if not (end in on_bus and on_bus.get(load) == on_bus[end])
                and not (not load.cell and load.port in bundled)
            ]
            if loads:
                yield ScriptNet([tuple(end), *map(tuple, loads)], _KINDS.get(port.kind, ""), *_bounds(port))


def _bounds(port: Port) -> tuple[int | None, int | None]:
    return port.left, port.right


def _segments(design: Design) -> Iterator[ScriptSegment]:
    seen = set()
    owners = {
        ours: theirs for table in catalogue_rules.PS_SEGMENT_OWNERS.values() for theirs, ours in table.items()
    }
    for cell in design.cells.values():
        for one in cell.ranges:
            if not one.master_interface or one.slave == cell.path:
                continue
            face = one.slave_interface
            slave = design.cells.get(one.slave)
            if slave is not None and slave.type_name == "zynq_ultra_ps_e":
                face = owners.get(face, face)
            target = f"{one.slave}/{face}/{one.block}" if one.slave else f"{face}/{one.block}"
            segment = ScriptSegment(
                f"{cell.path}/{_space(cell, one.master_interface)}", target, one.base, one.size
            )
            if segment not in seen:
                seen.add(segment)
                yield segment
    for one in design.boundary_ranges:
        if one.master_interface:
            target = "/".join(filter(None, (one.slave, one.slave_interface, one.block)))
            yield ScriptSegment(one.master_interface, target, one.base, one.size)


def _space(cell: Cell, face: str) -> str:
    if cell.kind is CellKind.PROCESSOR:
        return "Data"
    for space, faces in catalogue_rules.SPACES.get(cell.type_name, {}).items():
        if face in faces:
            return space
    if cell.type_name in ("axi_dma", "axi_vdma", "axi_cdma"):
        return f"Data_{face.removeprefix('M_AXI_')}" if face != "M_AXI" else "Data"
    return face
