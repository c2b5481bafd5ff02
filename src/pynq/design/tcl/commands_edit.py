"""Commands that change what there is: deleting, grouping, moving, copying, and what Vivado does by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pynq.design.tcl.commands_connect import join, level_of
from pynq.design.tcl.commands_find import objects
from pynq.design.tcl.commands_make import free
from pynq.design.tcl.diagram import Diagram, Sheet
from pynq.design.tcl.netlist import Cell, InterfacePin
from pynq.design.tcl.nets import inside, moved, parent
from pynq.design.tcl.words import CommandError, join_list, options, split_list

__all__ = ["COMMANDS"]

#: Interfaces that the automation of a PS makes external, and their types.
_EXTERNAL = {
    "DDR": "xilinx.com:interface:ddrx_rtl:1.0",
    "FIXED_IO": "xilinx.com:display_processing_system7:fixedio_rtl:1.0",
}


def delete_bd_objs(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("delete_bd_objs", words)
    sheet = diagram.sheet()
    for word in objects(given.rest):
        path = sheet.path(word)
        kind = sheet.kind(path)
        if kind in ("", "net", "intf_net"):
            known = sheet.handed.get(path, kind)
            (sheet.buses if known == "intf_net" else sheet.wires).delete(path)
        elif kind == "addr_seg":
            sheet.segments = [
                one for one in sheet.segments if path not in (f"{one.space}/{one.name}", one.slave)
            ]
        elif not path:
            raise CommandError("the design itself can't be deleted")
        elif kind != "addr_space":
            sheet.delete(path)
    return ""


def _into(diagram: Diagram, target: str, words: Sequence[str], prefix: str) -> None:
    """Move cells into a hierarchy."""
    sheet = diagram.sheet()
    for word in words:
        path = sheet.path(word)
        if path not in sheet.cells:
            raise CommandError(f"there is no cell '/{path}'")
        if path == target or inside(target, path):
            raise CommandError(f"'/{path}' can't be moved into itself")
        if parent(path) == target:
            continue
        name = f"{target}/{prefix}{path.rpartition('/')[2]}".lstrip("/")
        new = diagram.new(f"/{free(sheet.cells.__contains__, name)}", "cell")
        sheet.move(path, new)
    crossing = _place_nets(sheet)
    if crossing:
        diagram.note(
            f"{len(crossing)} nets cross a hierarchy that cells were moved into: the pins that Vivado makes "
            "at its boundary are not known"
        )


def _place_nets(sheet: Sheet) -> list[str]:
    """Give each net the hierarchy that its pins have in common; returns those that cross one."""
    crossing = []
    for nets in (sheet.wires, sheet.buses):
        for name, net in list(nets.all.items()):
            if not net.pins:
                continue
            level, meets = level_of(sheet, net.pins, "")
            if not meets:
                crossing.append(name)
            if level != parent(name):
                place = f"{level}/{name.rpartition('/')[2]}".lstrip("/")
                nets.rename(name, free(nets.all.__contains__, place))
    return crossing


def group_bd_cells(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("group_bd_cells", words, "prefix")
    if not given.rest:
        raise CommandError("group_bd_cells takes a name and cells")
    path = diagram.new(given.rest[0], "hierarchy")
    sheet = diagram.sheet()
    if path in sheet.cells:
        raise CommandError(f"there is a cell '/{path}' already")
    sheet.cells[path] = Cell(path, "hierarchy", "", line=diagram.line)
    _into(diagram, path, objects(given.rest[1:]), given.get("prefix"))
    return sheet.hand(path, "cell")


def move_bd_cells(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("move_bd_cells", words, "prefix")
    found = objects(given.rest)
    if not found:
        raise CommandError("move_bd_cells takes a hierarchy and cells")
    sheet = diagram.sheet()
    target = sheet.path(found[0])
    if target and (target not in sheet.cells or sheet.cells[target].kind != "hierarchy"):
        raise CommandError(f"there is no hierarchy '/{target}'")
    _into(diagram, target, found[1:], given.get("prefix"))
    return sheet.hand(target, "cell")


def copy_bd_objs(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("copy_bd_objs", words, "prefix from_design", "")
    found = objects(given.rest)
    sheet = diagram.sheet()
    source = diagram.sheets.get(given.get("from_design").strip(), sheet)
    if len(found) < 2:
        raise CommandError("copy_bd_objs takes a hierarchy and objects")
    target = sheet.path(found[0])
    if target and (target not in sheet.cells or sheet.cells[target].kind != "hierarchy"):
        raise CommandError(f"there is no hierarchy '/{target}'")
    pairs: list[tuple[str, str]] = []
    for word in found[1:]:
        old = source.path(word)
        if old in source.cells and source.kind(old) == "cell":
            if old == target or inside(target, old):
                raise CommandError(f"'/{old}' can't be copied into itself")
            plain = f"{target}/{given.get('prefix')}{old.rpartition('/')[2]}".lstrip("/")
            new = diagram.new(f"/{free(sheet.cells.__contains__, plain)}", "cell")
            _copy_cell(diagram, source, sheet, old, new)
            pairs.append((old, new))
    _copy_nets(diagram, source, sheet, pairs)
    return join_list([sheet.hand(new, "cell") for _, new in pairs])


def _copy_cell(diagram: Diagram, source: Sheet, sheet: Sheet, old: str, new: str) -> None:
    def place(path: str) -> str:
        return moved(path, old, new) if path == old or inside(path, old) else ""

    diagram.copy(source.cells, sheet.cells, place)
    diagram.copy(source.pins, sheet.pins, place)
    diagram.copy(source.interfaces, sheet.interfaces, place)


def _copy_nets(diagram: Diagram, source: Sheet, sheet: Sheet, pairs: Sequence[tuple[str, str]]) -> None:
    """The nets in and between copied cells; those that go elsewhere end with the copy."""
    for nets, into in ((source.wires, sheet.wires), (source.buses, sheet.buses)):
        for name, net in list(nets.all.items()):
            ends = [moved(pin, old, new) for pin in net.pins for old, new in pairs if inside(pin, old)]
            if not ends:
                continue
            diagram.spend(sum(map(len, ends)), len(ends))
            within = [(old, new) for old, new in pairs if inside(name, old)]
            if within:
                path = moved(name, *within[0])
                into.connect(ends, parent(path), path.rpartition("/")[2], diagram.line)
            elif len(ends) > 1:
                level, _ = level_of(sheet, ends, "")
                into.connect(ends, level, "", diagram.line)


def apply_board_connection(diagram: Diagram, words: Sequence[str]) -> str:
    """The interface of a board becomes a port with its name, wired to the IP's."""
    given = options(
        "apply_board_connection", words, "board_interface ip_intf ip_pin diagram board_component", ""
    )
    sheet = diagram.sheet()
    name, pin = given.get("board_interface").strip(), sheet.path(given.get("ip_intf").strip() or "/")
    if not name or not sheet.opaque(pin):
        diagram.note("apply_board_connection: what it makes is not known")
        return ""
    cell = sheet.cells[parent(pin)]
    diagram.spend(len(name) * 2)
    cell.parameters[f"{pin.rpartition('/')[2].upper()}_BOARD_INTERFACE"] = name
    if name not in sheet.interfaces:
        path = diagram.new(f"/{name}", "port")
        sheet.interfaces[path] = InterfacePin(path, "Master", "", line=diagram.line)
    join(diagram, "intf_net", [f"/{pin}", f"/{name}"])
    diagram.note(f"apply_board_connection: of what it makes, the port '{name}' only is known")
    return ""


def apply_bd_automation(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("apply_bd_automation", words, "rule config opt1 opt2 dict")
    sheet = diagram.sheet()
    rule = given.get("rule").strip().rpartition(":")[2]
    pairs = split_list(given.get("config"))
    config = dict(zip(pairs[::2], pairs[1::2]))  # noqa: B905 (an odd word has no value)
    made = []
    cells = [path for path in map(sheet.path, objects(given.rest)) if path in sheet.cells]
    if rule == "processing_system7" and cells:
        for name in re.split(r"[\s,]+", config.get("make_external", "")):
            if name in _EXTERNAL and name not in sheet.interfaces:
                path = diagram.new(f"/{name}", "port")
                sheet.interfaces[path] = InterfacePin(path, "Master", _EXTERNAL[name], line=diagram.line)
                join(diagram, "intf_net", [f"/{cells[0]}/{name}", f"/{name}"])
                made.append(name)
    known = f"only {' and '.join(made)} of what it makes is known" if made else "what it makes is not known"
    diagram.note(
        f"apply_bd_automation -rule {rule[:60] or '?'}: {known}; export the finished design by write_bd_tcl"
    )
    return ""


COMMANDS: Mapping[str, Callable[[Diagram, Sequence[str]], str]] = {
    "delete_bd_objs": delete_bd_objs,
    "group_bd_cells": group_bd_cells,
    "move_bd_cells": move_bd_cells,
    "copy_bd_objs": copy_bd_objs,
    "apply_board_connection": apply_board_connection,
    "apply_bd_automation": apply_bd_automation,
}
