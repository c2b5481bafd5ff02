"""Properties of objects: what ``get_property`` tells of a thing in the design."""

from __future__ import annotations

from pynq.design.tcl import known_pins
from pynq.design.tcl.diagram import Diagram, Sheet
from pynq.design.tcl.netlist import Segment

__all__ = ["of_object", "parameters", "segment_at"]

_CLASSES = {
    **{kind: f"bd_{kind}" for kind in ("cell", "pin", "port", "net", "intf_pin", "intf_port", "intf_net")},
    "addr_seg": "bd_addr_seg",
    "addr_space": "bd_addr_space",
}
_CELL_TYPES = {"ip": "ip", "module": "module", "container": "container", "hierarchy": "hier"}


def parameters(sheet: Sheet, kind: str, path: str) -> dict[str, str] | None:
    """The parameters of a thing, None for one that has none (yet)."""
    if kind == "cell" and path in sheet.cells:
        return sheet.cells[path].parameters
    if kind in ("pin", "port") and path in sheet.pins:
        return sheet.pins[path].parameters
    if kind in ("intf_pin", "intf_port") and path in sheet.interfaces:
        return sheet.interfaces[path].parameters
    return None


def segment_at(sheet: Sheet, path: str) -> Segment | None:
    """The assignment that a path names: ``space/name``, or the slave where it is assigned once."""
    for one in sheet.segments:
        if one.space and f"{one.space}/{one.name}" == path:
            return one
    at_slave = [one for one in sheet.segments if one.slave == path]
    return at_slave[0] if len(at_slave) == 1 else None


def of_object(diagram: Diagram, kind: str, path: str, name: str) -> str:
    """The value of a property, "" for one that there is not or that is not known."""
    sheet = diagram.sheet()
    wanted = name.upper()
    if wanted.startswith("CONFIG."):
        own = parameters(sheet, kind, path) or {}
        key = name[7:]
        cell = sheet.cells.get(path)
        known = own if key in own or not cell or cell.kind != "ip" else {**diagram.defaults(cell.type), **own}
        if key in known:
            return known[key]
        return next((value for one, value in known.items() if one.upper() == wanted[7:]), "")
    if wanted == "NAME":
        return path.rpartition("/")[2] or "/"
    if wanted == "PATH":
        return f"/{path}"
    if wanted == "CLASS":
        return _CLASSES.get(kind, "")
    if kind == "cell":
        return _of_cell(sheet, path, wanted)
    if kind in ("pin", "port") and path in sheet.pins and (sheet.pins[path].direction or kind == "port"):
        pin = sheet.pins[path]
        bounds = {"LEFT": pin.left, "RIGHT": pin.right}
        if wanted in bounds:
            value = bounds[wanted]
            return "" if value is None else str(value)
        return {"DIR": pin.direction, "TYPE": pin.type}.get(wanted, "")
    if kind in ("intf_pin", "intf_port") and path in sheet.interfaces and sheet.interfaces[path].mode:
        face = sheet.interfaces[path]
        return {"MODE": face.mode, "VLNV": face.type}.get(wanted, "")
    if kind in ("pin", "intf_pin") and wanted in ("DIR", "TYPE", "MODE", "VLNV"):
        first, second = known_pins.described(sheet, kind, path)
        return first if wanted in ("DIR", "MODE") else second
    segment = segment_at(sheet, path) if kind == "addr_seg" else None
    if segment:
        number = {"OFFSET": segment.offset, "RANGE": segment.size}.get(wanted)
        return "" if number is None else f"0x{number:08X}"
    return ""


def _of_cell(sheet: Sheet, path: str, wanted: str) -> str:
    if not path:
        return "hier" if wanted == "TYPE" else ""
    cell = sheet.cells.get(path)
    if not cell:
        return ""
    is_ip = cell.kind == "ip"
    return {
        "TYPE": _CELL_TYPES[cell.kind],
        "VLNV": cell.type if is_ip else "",
        "REFERENCE": "" if is_ip else cell.type,
    }.get(wanted, "")
