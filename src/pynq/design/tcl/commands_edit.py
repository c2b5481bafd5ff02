"""Commands that change what there is: deleting, grouping, moving, copying."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pynq.design.tcl.commands_connect import level_of
from pynq.design.tcl.commands_find import objects
from pynq.design.tcl.commands_make import free
from pynq.design.tcl.diagram import Diagram, Sheet
from pynq.design.tcl.netlist import Cell
from pynq.design.tcl.nets import inside, moved, parent
from pynq.design.tcl.words import CommandError, join_list, options

__all__ = ["COMMANDS"]


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


COMMANDS: Mapping[str, Callable[[Diagram, Sequence[str]], str]] = {
    "delete_bd_objs": delete_bd_objs,
    "group_bd_cells": group_bd_cells,
    "move_bd_cells": move_bd_cells,
    "copy_bd_objs": copy_bd_objs,
}
