"""Commands that connect and part."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

from pynq.design.tcl.commands_find import objects
from pynq.design.tcl.commands_make import free
from pynq.design.tcl.diagram import Diagram, Sheet
from pynq.design.tcl.netlist import InterfacePin, Pin
from pynq.design.tcl.nets import parent
from pynq.design.tcl.words import CommandError, join_list, options

__all__ = ["COMMANDS", "join", "level_of"]


def _levels(sheet: Sheet, pin: str) -> tuple[str, ...]:
    """The hierarchies where a pin can touch a net: around its cell, and inside of a hierarchy."""
    cell = parent(pin)
    if not cell:
        return ("",)
    if cell in sheet.cells and sheet.cells[cell].kind == "hierarchy":
        return parent(cell), cell
    return (parent(cell),)


def level_of(sheet: Sheet, pins: Sequence[str], boundary: str) -> tuple[str, bool]:
    """The hierarchy that a net of these pins is in, and whether all can touch it there.

    Where they have none in common it is the innermost around all.
    """
    choices = [_levels(sheet, pin) for pin in pins]
    common = [one for one in dict.fromkeys(sum(choices, ())) if all(one in some for some in choices)]
    if len(common) > 1:
        if boundary in ("upper", "lower"):
            return (min if boundary == "upper" else max)(common, key=len), True
        return (sheet.here if sheet.here in common else max(common, key=len)), True
    if common:
        return common[0], True
    level = choices[0][0]
    while level and not all(some[0] == level or some[0].startswith(f"{level}/") for some in choices):
        level = parent(level)
    return level, False


def join(diagram: Diagram, kind: str, words: Sequence[str], name: str = "", boundary: str = "") -> str:
    """Put pins, ports and nets onto one net; returns its path, "" where there is nothing to connect."""
    sheet = diagram.sheet()
    nets = sheet.wires if kind == "net" else sheet.buses
    ends: list[str] = []
    other = ""
    for word in words:
        path = sheet.path(word)
        if path in nets.all and sheet.handed.get(path) == kind:
            other = path
            continue
        if not path or (path in sheet.cells and sheet.kind(path) == "cell"):
            raise CommandError(f"'/{path}' is a cell, wanted a pin or port of it")
        known = path in sheet.pins or path in sheet.interfaces or sheet.opaque(path)
        if not known:
            diagram.note(f"there is no pin or port '/{path}', it is not connected")
            continue
        ends.append(path)
    if not ends:
        diagram.note("a connection without pins does not count")
        return other
    diagram.spend(sum(map(len, ends)), len(ends))
    level = parent(other) if other else level_of(sheet, ends, boundary)[0]
    wanted = name.strip().strip("/").rpartition("/")[2] or other.rpartition("/")[2]
    if wanted and not wanted.isprintable():
        raise CommandError(f"{wanted[:40]!r} is no name for a net")
    return nets.connect(ends, level, wanted, diagram.line)


def connect_bd_net(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("connect_bd_net", words, "net boundary_type", "auto")
    path = join(diagram, "net", objects(given.rest), given.get("net"), given.get("boundary_type"))
    return diagram.sheet().hand(path, "net") if path else ""


def connect_bd_intf_net(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("connect_bd_intf_net", words, "intf_net boundary_type", "auto")
    path = join(diagram, "intf_net", objects(given.rest), given.get("intf_net"), given.get("boundary_type"))
    return diagram.sheet().hand(path, "intf_net") if path else ""


def _net_maker(command: str, kind: str) -> Callable[[Diagram, Sequence[str]], str]:
    def make(diagram: Diagram, words: Sequence[str]) -> str:
        given = options(command, words, "boundary_type")
        if len(given.rest) != 1:
            raise CommandError(f"{command} takes one name, not {len(given.rest)}")
        path = diagram.new(given.rest[0], "net")
        sheet = diagram.sheet()
        nets = sheet.wires if kind == "net" else sheet.buses
        if path not in nets.all:
            nets.connect([], parent(path), path.rpartition("/")[2], diagram.line)
        return sheet.hand(path, kind)

    return make


def _parting(command: str, kind: str) -> Callable[[Diagram, Sequence[str]], str]:
    def part(diagram: Diagram, words: Sequence[str]) -> str:
        given = options(command, words, "boundary_type")
        sheet = diagram.sheet()
        nets = sheet.wires if kind == "net" else sheet.buses
        paths = [sheet.path(word) for word in objects(given.rest)]
        if not paths:
            raise CommandError(f"{command} takes a net and pins")
        if paths[0] in nets.all and paths[0] not in sheet.pins:
            nets.disconnect(paths[0], paths[1:])
        else:
            for path in paths:
                for name in nets.of(path):
                    nets.disconnect(name, [path])
        return ""

    return part


def make_bd_pins_external(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("make_bd_pins_external", words, "name")
    sheet = diagram.sheet()
    made = []
    for word in objects(given.rest):
        path = sheet.path(word)
        pin = sheet.pins.get(path, Pin(path, ""))
        port = copy.deepcopy(pin)
        name = given.get("name").strip() or f"{path.rpartition('/')[2]}_0"
        port.path = free(_taken(sheet), diagram.new(f"/{name}", "port"))
        port.line = diagram.line
        sheet.pins[port.path] = port
        join(diagram, "net", [f"/{path}", f"/{port.path}"])
        made.append(sheet.hand(port.path, "port"))
    return join_list(made)


def make_bd_intf_pins_external(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("make_bd_intf_pins_external", words, "name")
    sheet = diagram.sheet()
    made = []
    for word in objects(given.rest):
        path = sheet.path(word)
        face = sheet.interfaces.get(path, InterfacePin(path, "", ""))
        port = copy.deepcopy(face)
        name = given.get("name").strip() or f"{path.rpartition('/')[2]}_0"
        port.path = free(_taken(sheet), diagram.new(f"/{name}", "port"))
        port.line = diagram.line
        sheet.interfaces[port.path] = port
        join(diagram, "intf_net", [f"/{path}", f"/{port.path}"])
        made.append(sheet.hand(port.path, "intf_port"))
    return join_list(made)


def _taken(sheet: Sheet) -> Callable[[str], bool]:
    return lambda path: path in sheet.pins or path in sheet.interfaces


COMMANDS: Mapping[str, Callable[[Diagram, Sequence[str]], str]] = {
    "connect_bd_net": connect_bd_net,
    "connect_bd_intf_net": connect_bd_intf_net,
    "create_bd_net": _net_maker("create_bd_net", "net"),
    "create_bd_intf_net": _net_maker("create_bd_intf_net", "intf_net"),
    "disconnect_bd_net": _parting("disconnect_bd_net", "net"),
    "disconnect_bd_intf_net": _parting("disconnect_bd_intf_net", "intf_net"),
    "make_bd_pins_external": make_bd_pins_external,
    "make_bd_intf_pins_external": make_bd_intf_pins_external,
}
