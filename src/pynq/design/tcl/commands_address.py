"""Commands that give addresses: ``create_bd_addr_seg`` (to 2019), ``assign_bd_address`` and their sisters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pynq.design.tcl import known_pins
from pynq.design.tcl.commands_find import objects
from pynq.design.tcl.diagram import Diagram, Sheet
from pynq.design.tcl.netlist import Segment
from pynq.design.tcl.nets import parent
from pynq.design.tcl.properties import segment_at
from pynq.design.tcl.words import CommandError, Options, integer, options

__all__ = ["COMMANDS", "automatic"]


def default_name(slave: str) -> str:
    """The name that Vivado gives an assignment: ``SEG_axi_gpio_0_Reg``."""
    parts = slave.split("/")
    return "_".join(["SEG", *(parts[-3:-2] or parts[:1]), *parts[-1:]])


def automatic(diagram: Diagram, path: str) -> Segment:
    """The assignment under the name that the tool has given it, for a script that now changes it."""
    sheet = diagram.sheet()
    known = segment_at(sheet, path)
    if known:
        return known
    space, name = parent(path), path.rpartition("/")[2]
    slaves = {one.slave for one in sheet.segments if one.slave and default_name(one.slave) == name}
    slaves = slaves or _slaves_of_name(sheet, name)
    diagram.spend(len(path))
    slave = slaves.pop() if len(slaves) == 1 else ""
    for one in sheet.segments:
        # The automation's own, of an IP whose block has another name than most.
        if slave and one.space == space and one.offset is None and parent(one.slave) == parent(slave):
            one.slave, one.name = slave, name
            return one
    made = Segment(space, slave, name, line=diagram.line)
    sheet.segments.append(made)
    return made


def _slaves_of_name(sheet: Sheet, name: str) -> set[str]:
    """The segments that the tool's name of an assignment may stand for: ``SEG_axi_gpio_0_Reg``."""
    found = set()
    for path, cell in sheet.cells.items():
        start = f"SEG_{path.rpartition('/')[2]}_"
        block = name.removeprefix(start)
        if cell.kind != "hierarchy" and name.startswith(start) and block:
            face = known_pins.slave_of(cell) or _only_slave(sheet, path)
            if face:
                found.add(f"{path}/{face}/{block}")
    return found


def _only_slave(sheet: Sheet, path: str) -> str:
    """The only interface of a cell that is named as a slave's and connected."""
    ends = {pin for net in sheet.buses.all.values() for pin in net.pins if parent(pin) == path}
    slaves = [one.rpartition("/")[2] for one in ends if "s_axi" in one.rpartition("/")[2].lower()]
    return slaves[0] if len(slaves) == 1 else ""


def _numbers(command: str, given: Options) -> tuple[int | None, int | None]:
    offset, size = given.values.get("offset"), given.values.get("range")
    return (
        None if offset is None else integer(offset, f"{command} -offset"),
        None if size is None else integer(size, f"{command} -range"),
    )


def _assign(diagram: Diagram, space: str, slave: str, name: str) -> Segment:
    """The assignment of a slave in a space, made where there is none."""
    sheet = diagram.sheet()
    for one in sheet.segments:
        same = one.space == space or (not space and slave and not one.excluded)
        if same and one.slave == slave and (not name or one.name == name):
            one.excluded = False
            return one
    diagram.spend(len(space) + len(slave) + len(name))
    made = Segment(space, slave, name or (default_name(slave) if slave else ""), line=diagram.line)
    sheet.segments.append(made)
    return made


def create_bd_addr_seg(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("create_bd_addr_seg", words, "range offset")
    if len(given.rest) != 3:
        raise CommandError("create_bd_addr_seg takes an address space, a segment and a name")
    sheet = diagram.sheet()
    found = [objects([word]) for word in given.rest]
    if not found[0] or not found[1] or not found[2]:
        diagram.note(
            f"create_bd_addr_seg {' '.join(given.rest)[:100]}: without space or segment it does not count"
        )
        return ""
    space, slave = sheet.path(found[0][0]), sheet.path(found[1][0])
    offset, size = _numbers("create_bd_addr_seg", given)
    name = found[2][0].rpartition("/")[2]
    diagram.spend(len(space) + len(slave) + len(name))
    # One slave may be in one space several times, under several names.
    sheet.segments.append(Segment(space, slave, name, offset, size, line=diagram.line))
    return sheet.hand(f"{space}/{name}", "addr_seg")


def assign_bd_address(diagram: Diagram, words: Sequence[str]) -> str:
    given = options(
        "assign_bd_address",
        words,
        "target_address_space offset range import_from_file export_to_file with_name dict",
        "boundary master_boundary external combine_segments force",
    )
    sheet = diagram.sheet()
    if "import_from_file" in given.values:
        diagram.note(
            "assign_bd_address -import_from_file: the addresses are in another file, which is not read"
        )
        return ""
    if "dict" in given.values:
        diagram.note("assign_bd_address -dict does not count")
    if "export_to_file" in given.values:
        return ""
    offset, size = _numbers("assign_bd_address", given)
    slaves = [sheet.path(word) for word in objects(given.rest)]
    target = "target_address_space" in given.values
    spaces = [sheet.path(word) for word in objects([given.get("target_address_space")])]
    if (given.rest and not slaves) or (target and not spaces):
        diagram.note("assign_bd_address: without space or segment it does not count")
        return ""
    made = [
        _assign(diagram, space, slave, given.get("with_name").strip())
        for space in spaces or [""]
        for slave in slaves or [""]
    ]
    for one in made:
        one.offset = one.offset if offset is None else offset
        one.size = one.size if size is None else size
    return ""


def _excluding(command: str, excluded: bool) -> Callable[[Diagram, Sequence[str]], str]:
    def exclude(diagram: Diagram, words: Sequence[str]) -> str:
        given = options(command, words, "target_address_space offset range with_name")
        sheet = diagram.sheet()
        offset, size = _numbers(command, given)
        for word in objects(given.rest):
            path = sheet.path(word)
            for one in _meant(diagram, sheet, path, given, excluded):
                one.excluded = excluded
                one.offset = one.offset if offset is None else offset
                one.size = one.size if size is None else size
        return ""

    return exclude


def _meant(diagram: Diagram, sheet: Sheet, path: str, given: Options, make: bool) -> list[Segment]:
    """The assignments that a segment's path and perhaps spaces mean."""
    mapped = segment_at(sheet, path)
    spaces = [sheet.path(word) for word in objects([given.get("target_address_space")])]
    if spaces:
        name = given.get("with_name").strip()
        return (
            [_assign(diagram, space, path, name) for space in spaces]
            if make
            else [one for one in sheet.segments if one.slave == path and one.space in spaces]
        )
    if mapped and mapped.slave != path:
        return [mapped]
    at_slave = [one for one in sheet.segments if one.slave == path]
    return at_slave or ([_assign(diagram, "", path, "")] if make else [])


COMMANDS: Mapping[str, Callable[[Diagram, Sequence[str]], str]] = {
    "create_bd_addr_seg": create_bd_addr_seg,
    "assign_bd_address": assign_bd_address,
    "exclude_bd_addr_seg": _excluding("exclude_bd_addr_seg", True),
    "include_bd_addr_seg": _excluding("include_bd_addr_seg", False),
}
