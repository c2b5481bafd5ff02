"""From the cells of a script to drafts: which pins and interfaces each has, as far as its type tells."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pynq.design.model import Vlnv
from pynq.design.tcl import catalogue
from pynq.design.tcl import catalogue_rules as rules
from pynq.design.tcl.build_nets import Group
from pynq.design.tcl.build_parts import Draft, Face, Wire, vlnv_of
from pynq.design.tcl.catalogue import IpType
from pynq.design.tcl.netlist import Cell, Netlist
from pynq.design.tcl.packaged import Packaged

__all__ = ["drafts"]

_INPUTS = re.compile("dip|switch|sw|button|btn|push")
_OUTPUTS = re.compile("led|rgb")

_ROLES = {("AXI", "S"): "SLAVE", ("AXI", "M"): "MASTER", ("AXIS", "S"): "TARGET", ("AXIS", "M"): "INITIATOR"}
_STREAM_ROLES = {"MASTER": "INITIATOR", "SLAVE": "TARGET"}  # the names until 2019.1
_BUSES = {"AXI": "xilinx.com:interface:aximm:1.0", "AXIS": "xilinx.com:interface:axis:1.0"}


def drafts(
    netlist: Netlist, wires: Sequence[Group], buses: Sequence[Group], own: Packaged | None = None
) -> dict[str, Draft]:
    """Return the drafts of all cells but hierarchies, by path in sorted order (that of hand-off files)."""
    pins: dict[str, dict[str, None]] = defaultdict(dict)
    faces: dict[str, dict[str, None]] = defaultdict(dict)
    for found, groups in ((pins, wires), (faces, buses)):
        for group in groups:
            for leaf in group.leaves:
                found[leaf.cell][leaf.name] = None
    for segment in netlist.segments:
        owner, _, block = segment.slave.rpartition("/")
        path, _, face = owner.rpartition("/")
        if block and path in netlist.cells:
            faces[path].setdefault(_segment_face(netlist.cells[path], face))
    return {
        path: _draft(cell, pins[path], faces[path], own)
        for path, cell in sorted(netlist.cells.items())
        if cell.kind != "hierarchy"
    }


def _segment_face(cell: Cell, name: str) -> str:
    return rules.PS_SEGMENT_OWNERS.get(_short(cell), {}).get(name, name)


def _short(cell: Cell) -> str:
    parts = cell.type.split(":")
    return parts[2] if len(parts) >= 3 else cell.type


def _typed(cell: Cell, own: Packaged | None) -> tuple[Vlnv | None, IpType | None]:
    """The type of a cell and what is known of it; a script may leave the version out.

    A component beside the script says more than the table, which is of some version.
    """
    if cell.kind == "container":
        return None, None
    if cell.kind == "module":
        return Vlnv("xilinx.com", "module_ref", cell.type, "1.0"), None
    parts = cell.type.split(":")
    known: IpType | None = own.of(cell) if own else None
    if known is None and len(parts) >= 3:
        known = catalogue.lookup(":".join(parts[:3]))
    if len(parts) == 3:
        parts.append(known.version if known else "1.0")
    return vlnv_of(":".join(parts)), known


def _draft(cell: Cell, pins: Mapping[str, None], faces: Mapping[str, None], own: Packaged | None) -> Draft:
    vlnv, known = _typed(cell, own)
    parameters = known.values(cell.parameters) if known else dict(cell.parameters)
    draft = Draft(cell, vlnv, known, parameters, frozenset(name.lower() for name in cell.parameters))
    if draft.short == "axi_gpio":
        _board_gpio(draft)
    used = set()
    for name in faces:
        kind = known.interface(name) if known else None
        used.add(kind.name if kind else name)
    bundled = _add_known(draft, known, pins, used) if known else set()
    for name in used:
        if draft.face(name) is None:
            _add_interface(draft, name)
    for name in pins:
        if name not in draft.wires:
            draft.wires[name] = _unknown_pin(draft, name)
    for face in draft.faces.values():
        face.ports = {
            logical: port
            for logical, port in face.ports.items()
            if port in draft.wires or port not in bundled
        }
    return draft


def _board_gpio(draft: Draft) -> None:
    """Width and direction of an ``axi_gpio`` that the board's file gives, by the name that it has there.

    A script names only the board's interface (``leds_4bits``); the tool knows the rest from the board's file.
    """
    for second in ("", "2"):
        board = draft.script.parameters.get(f"GPIO{second}_BOARD_INTERFACE", "Custom").lower()
        if board == "custom":
            continue
        draft.guessed.setdefault(f"what the board has at {board}")
        tail = "_2" if second else ""
        if second:
            draft.parameters["C_IS_DUAL"] = "1"
        width = re.search(r"([0-9]{1,2})_?bits?", board)
        if width and f"c_gpio{second}_width" not in draft.given:
            draft.parameters[f"C_GPIO{second}_WIDTH"] = width[1]
        for words, name in ((_INPUTS, "INPUTS"), (_OUTPUTS, "OUTPUTS")):
            if words.search(board) and not draft.given & {f"c_all_inputs{tail}", f"c_all_outputs{tail}"}:
                draft.parameters[f"C_ALL_{name}{tail}"] = "1"
                break


def _add_known(draft: Draft, known: IpType, pins: Mapping[str, None], used: set[str]) -> set[str]:
    """Add what the catalogue has; return the names of all ports that are part of an interface."""
    parameters, line = draft.parameters, draft.script.line
    mapped: dict[str, bool] = {}
    for one in known.interfaces.values():
        there = catalogue.holds(one.when, parameters, one.name in used)
        for port in one.ports.values():
            mapped[port] = mapped.get(port, False) or there
        if there:
            role = _STREAM_ROLES.get(one.role, one.role) if ":axis:" in one.vlnv else one.role
            face = Face(draft.path, one.name, role, one.vlnv, one.protocol, known=True, line=line)
            face.ports = dict(one.ports)
            face.parameters = dict(one.parameters)
            if one.protocol and parameters.get("PROTOCOL", "").startswith("AXI"):
                face.protocol = parameters["PROTOCOL"]
            draft.faces[one.name] = face
    for pin in known.ports.values():
        if pin.name in mapped and not mapped[pin.name] and pin.name not in pins:
            continue
        # A port that only some instances of an interface have comes with it.
        used_pin = pin.name in pins or (pin.when == "used" and mapped.get(pin.name, False))
        if catalogue.holds(pin.when, parameters, used_pin):
            bounds = pin.width.of(parameters)
            draft.wires[pin.name] = Wire(
                draft.path,
                pin.name,
                pin.direction,
                pin.kind,
                *(bounds or (None, None)),
                sized=bounds is not None,
                sensitivity=pin.sensitivity,
                polarity=pin.polarity,
                usual=pin.width.usual,
                line=line,
            )
    return set(mapped)


def _add_interface(draft: Draft, name: str) -> None:
    """Add an interface that the catalogue has not: one such as ``S00_AXI`` of an interconnect, or any.

    The signals of both are those of the other end.
    """
    face = draft.faces[name] = Face(draft.path, name, line=draft.script.line)
    match = rules.NUMBERED.match(name)
    if match and match["kind"] in _BUSES and (draft.known or draft.short in rules.PASSING):
        face.role, face.vlnv, face.known = _ROLES[match["kind"], match["side"]], _BUSES[match["kind"]], True
    elif draft.script.kind != "container":
        draft.guessed.setdefault(f"interface {name}")


def _unknown_pin(draft: Draft, name: str) -> Wire:
    wire = Wire(draft.path, name, line=draft.script.line)
    match = rules.NUMBERED.match(name)
    if draft.short in rules.PASSING and (match is not None or name in ("ACLK", "ARESETN")):
        clock = name.endswith("ACLK")
        wire.direction, wire.kind, wire.sized = "I", "clk" if clock else "rst", True
        wire.polarity = "" if clock else "ACTIVE_LOW"
    elif draft.known is None or not draft.known.ports:
        lower = name.lower()
        if lower in ("aclk", "clk", "ap_clk") or lower.endswith(("_aclk", "_clk")):
            wire.kind = "clk"
        elif lower.endswith(("aresetn", "rst_n", "resetn", "_rst", "_reset")):
            wire.kind = "rst"
        if draft.short not in rules.PASSING:
            draft.guessed.setdefault(f"pin {name}")
    else:
        draft.guessed.setdefault(f"pin {name}")
    return wire
