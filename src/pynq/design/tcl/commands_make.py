"""Commands that make things: designs, cells, ports, pins; and the current place.

Names, options and results as in the Vivado Tcl command reference (UG835).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pynq.design.tcl.diagram import Diagram, Sheet
from pynq.design.tcl.netlist import MODES, Cell, InterfacePin, Pin
from pynq.design.tcl.nets import inside, moved
from pynq.design.tcl.words import CommandError, options

__all__ = ["COMMANDS"]

_TYPES = {"ip": "ip", "inline_hdl": "ip", "hier": "hierarchy", "module": "module", "container": "container"}
_DIRECTIONS = {
    **dict.fromkeys(("i", "in", "input"), "I"),
    **dict.fromkeys(("o", "out", "output"), "O"),
    **dict.fromkeys(("io", "inout"), "IO"),
}
_MODES = {mode.lower(): mode for mode in MODES}


def one(command: str, rest: Sequence[str], what: str = "name") -> str:
    """The only word that a command takes besides its options.

    Raises:
        CommandError: there is none, or there are several.
    """
    if len(rest) != 1:
        raise CommandError(f"{command} takes one {what}, not {len(rest)}")
    return rest[0]


def create_bd_design(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("create_bd_design", words, "cell dir boundary_from_container mode bdsource srcset")
    name = one("create_bd_design", given.rest).strip()
    if not name or "/" in name or len(name) > 255:
        raise CommandError(f"{name[:60]!r} is no name for a design")
    if name in diagram.sheets:
        raise CommandError(f"there is a design '{name}' already")
    sheet = Sheet(name)
    diagram.spend(len(name))
    if "cell" in given.values:
        _from_hierarchy(diagram, given.values["cell"], sheet)
    if "boundary_from_container" in given.values:
        outer = diagram.sheet()
        path = outer.path(given.values["boundary_from_container"])
        reference = outer.cells[path].type if path in outer.cells else ""
        if reference.removesuffix(".bd") in diagram.sheets:
            like = diagram.sheets[reference.removesuffix(".bd")]
            diagram.copy(like.pins, sheet.pins, _top)
            diagram.copy(like.interfaces, sheet.interfaces, _top)
    diagram.sheets[name] = sheet
    diagram.current = name
    return name


def _top(path: str) -> str:
    return "" if "/" in path else path


def _from_hierarchy(diagram: Diagram, word: str, sheet: Sheet) -> None:
    """Copy what is in a hierarchy into a design of its own; its pins become ports."""
    outer = diagram.sheet()
    path = outer.path(word)
    if path not in outer.cells:
        raise CommandError(f"there is no cell '/{path}'")
    prefix = f"{path}/"

    def place(key: str) -> str:
        return key.removeprefix(prefix) if inside(key, path) else ""

    diagram.copy(outer.cells, sheet.cells, place)
    diagram.copy(outer.pins, sheet.pins, place)
    diagram.copy(outer.interfaces, sheet.interfaces, place)
    for nets, into in ((outer.wires, sheet.wires), (outer.buses, sheet.buses)):
        for name, net in nets.all.items():
            if inside(name, path):
                level, _, plain = name.removeprefix(prefix).rpartition("/")
                diagram.spend(len(name), len(net.pins))
                into.connect([pin.removeprefix(prefix) for pin in net.pins], level, plain, net.line)


def current_bd_design(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("current_bd_design", words)
    if given.rest:
        name = one("current_bd_design", given.rest).strip()
        if name not in diagram.sheets:
            raise CommandError(
                f"there is no design '{name}'; there are {', '.join(diagram.sheets) or 'none'}"
            )
        diagram.current = name
    elif not diagram.current and "quiet" not in given.flags:
        raise CommandError("there is no open block design; create_bd_design makes one")
    return diagram.current


def open_bd_design(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("open_bd_design", words)
    name = one("open_bd_design", given.rest).strip().rpartition("/")[2].removesuffix(".bd")
    if name not in diagram.sheets:
        raise CommandError(f"the design '{name}' is in a file of its own, which is not read")
    diagram.current = name
    return name


def close_bd_design(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("close_bd_design", words)
    names = [word.strip() for word in given.rest] or [diagram.current]
    if diagram.current in names:
        diagram.current = ""
    return ""


def current_bd_instance(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("current_bd_instance", words)
    sheet = diagram.sheet()
    if not given.rest:
        sheet.here = ""
    else:
        path = sheet.path(one("current_bd_instance", given.rest))
        if path and (path not in sheet.cells or sheet.cells[path].kind != "hierarchy"):
            raise CommandError(f"there is no hierarchy '/{path}' to go into")
        sheet.here = path
    return sheet.hand(sheet.here, "cell")


def free(taken: Callable[[str], bool], path: str) -> str:
    """A path that nothing has: this one, else with the first free number."""
    number, found = 0, path
    while taken(found):
        number += 1
        found = f"{path}_{number}"
    return found


def create_bd_cell(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("create_bd_cell", words, "type vlnv reference", "set_params")
    word = given.get("type", "ip").lower()
    if word not in _TYPES:
        raise CommandError(f"create_bd_cell -type {word[:60]!r}: there are {', '.join(_TYPES)}")
    kind = _TYPES[word]
    option = {"ip": "vlnv", "module": "reference", "container": "reference"}.get(kind, "")
    reference = given.get(option).strip() if option else ""
    if option and not reference:
        raise CommandError(f"create_bd_cell -type {word} without -{option}")
    name = given.rest[0] if given.rest else f"{(reference.split(':') + [''] * 3)[2] or reference}_0"
    one("create_bd_cell", given.rest or [name])
    path = diagram.new(name, "cell")
    sheet = diagram.sheet()
    if path in sheet.cells:
        path = free(sheet.cells.__contains__, path)
        diagram.note(f"create_bd_cell: the name '{name}' was taken, the cell is '/{path}'")
    diagram.spend(len(reference))
    sheet.cells[path] = Cell(path, kind, reference, line=diagram.line)
    return sheet.hand(path, "cell")


def _bounds(command: str, values: Mapping[str, str]) -> tuple[int | None, int | None]:
    """The bits of a vector; one bound alone goes to 0."""
    found: list[int | None] = []
    for names in (("from", "left"), ("to", "right")):
        text = next((values[name] for name in names if name in values), None)
        if text is None:
            found.append(None)
            continue
        try:
            bit = int(text)
        except ValueError:
            raise CommandError(f"{command} -{names[0]} {text[:40]!r}: wanted the number of a bit") from None
        if not -65536 < bit < 65536:
            raise CommandError(f"{command} -{names[0]} {text[:40]!r}: wanted the number of a bit below 65536")
        found.append(bit)
    left, right = found
    if left is None and right is None:
        return None, None
    return left or 0, right or 0


def _pin(command: str, kind: str) -> Callable[[Diagram, Sequence[str]], str]:
    def make(diagram: Diagram, words: Sequence[str]) -> str:
        given = options(command, words, "dir from to left right type freq_hz", "force portmaps")
        word = given.get("dir").lower()
        if word not in _DIRECTIONS:
            raise CommandError(f"{command} -dir {word[:40]!r}: wanted I, O or IO")
        left, right = _bounds(command, given.values)
        path = diagram.new(one(command, given.rest), kind)
        sheet = diagram.sheet()
        _at_its_place(command, kind, path, sheet)
        if path in sheet.pins or path in sheet.interfaces:
            raise CommandError(f"there is a {kind} '/{path}' already")
        pin = Pin(path, _DIRECTIONS[word], given.get("type").lower(), left, right, line=diagram.line)
        if "freq_hz" in given.values:
            pin.parameters["FREQ_HZ"] = given.values["freq_hz"]
        diagram.spend(len(pin.type))
        sheet.pins[path] = pin
        return sheet.hand(path, kind)

    return make


def _interface(command: str, kind: str) -> Callable[[Diagram, Sequence[str]], str]:
    def make(diagram: Diagram, words: Sequence[str]) -> str:
        given = options(command, words, "mode vlnv")
        word = given.get("mode").lower()
        if word not in _MODES:
            raise CommandError(f"{command} -mode {word[:40]!r}: wanted one of {', '.join(_MODES.values())}")
        type_ = given.get("vlnv").strip()
        if not type_:
            raise CommandError(f"{command} without -vlnv")
        path = diagram.new(one(command, given.rest), kind)
        sheet = diagram.sheet()
        _at_its_place(command, kind, path, sheet)
        if path in sheet.interfaces or path in sheet.pins:
            raise CommandError(f"there is a {kind} '/{path}' already")
        diagram.spend(len(type_))
        sheet.interfaces[path] = InterfacePin(path, _MODES[word], type_, line=diagram.line)
        return sheet.hand(path, kind)

    return make


def _at_its_place(command: str, kind: str, path: str, sheet: Sheet) -> None:
    if kind.endswith("port") and "/" in path:
        raise CommandError(f"{command}: a port is at the top of the design, '/{path}' is not")
    if kind.endswith("pin") and "/" not in path:
        raise CommandError(
            f"{command}: a pin belongs to a hierarchy, '/{path}' is at the top of '{sheet.name}'"
        )


def replace_bd_cell(diagram: Diagram, words: Sequence[str]) -> str:
    """The second cell takes the first one's wires and addresses."""
    given = options("replace_bd_cell", words, "", "preserve_name preserve_configuration")
    if len(given.rest) != 2:
        raise CommandError("replace_bd_cell takes two cells: the old and the new one")
    sheet = diagram.sheet()
    old, new = map(sheet.path, given.rest)
    for path in (old, new):
        if path not in sheet.cells or not path:
            raise CommandError(f"there is no cell '/{path}'")
    level = old.rpartition("/")[0]
    for nets in (sheet.wires, sheet.buses):
        for name, net in list(nets.all.items()):
            ends = [pin for pin in net.pins if pin.rpartition("/")[0] == old]
            if ends and name.rpartition("/")[0] == level:
                nets.connect(
                    [*net.pins, *(moved(pin, old, new) for pin in ends)], level, name.rpartition("/")[2], 0
                )
                nets.disconnect(name, ends)
    for segment in sheet.segments:
        segment.space = moved(segment.space, old, new)
        segment.slave = moved(segment.slave, old, new)
    return ""


COMMANDS: Mapping[str, Callable[[Diagram, Sequence[str]], str]] = {
    "create_bd_design": create_bd_design,
    "current_bd_design": current_bd_design,
    "open_bd_design": open_bd_design,
    "close_bd_design": close_bd_design,
    "current_bd_instance": current_bd_instance,
    "create_bd_cell": create_bd_cell,
    "create_bd_port": _pin("create_bd_port", "port"),
    "create_bd_pin": _pin("create_bd_pin", "pin"),
    "create_bd_intf_port": _interface("create_bd_intf_port", "intf_port"),
    "create_bd_intf_pin": _interface("create_bd_intf_pin", "intf_pin"),
    "replace_bd_cell": replace_bd_cell,
}
