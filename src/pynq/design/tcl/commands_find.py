"""Commands that find things: ``get_bd_cells`` and its sisters.

A name without wildcards that lies in an IP, a module or a region is believed: which pins those have a script
does not say. Wildcards and ``-of_objects`` find what the script has mentioned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from pynq.design.tcl import filters, known_pins
from pynq.design.tcl.diagram import Diagram, Sheet
from pynq.design.tcl.globs import is_pattern, matches
from pynq.design.tcl.nets import inside, parent
from pynq.design.tcl.words import Options, join_list, options, split_list

__all__ = ["COMMANDS", "objects"]

#: Names that are buses and no pins. Procedures of hand-written scripts ask for pins of a name first, and
#: where there are none, for interfaces of it. Only names that no IP gives a pin: in exported scripts each
#: query is right.
_BUS = re.compile(
    r"[sm]\d*_axi[sl]?(_(lite|mm2s|s2mm|sg|cntrl|sts|ctrl|control|gp\d|hp\d|acp|lpd|fpd|hp\d_fpd|hp[cm]\d_[fl]pd"
    r"|gmem\d*|data|config|phase|din|dout|a|b|c|result|operation))?",
    re.IGNORECASE,
)

#: Cells whose one address space for all masters is called Data.
_PS = ("processing_system7", "zynq_ultra_ps_e", "versal_cips", "ps_wizard")

#: Kinds whose things may lie in an opaque cell.
_IMPLIED = ("pin", "intf_pin", "addr_seg", "addr_space")


def objects(words: Iterable[str]) -> list[str]:
    """The objects that some words of a command name; each may be a list."""
    return [word for text in words for word in split_list(text) if word.strip()]


def things(sheet: Sheet, kind: str) -> list[str]:
    """The paths of all known things of a kind."""
    if kind == "cell":
        return list(sheet.cells)
    if kind == "port":
        return [path for path in sheet.pins if "/" not in path]
    if kind == "intf_port":
        return [path for path in sheet.interfaces if "/" not in path]
    if kind == "net":
        return list(sheet.wires.all)
    if kind == "intf_net":
        return list(sheet.buses.all)
    if kind == "addr_space":
        return list(dict.fromkeys(one.space for one in sheet.segments if one.space))
    if kind == "addr_seg":
        mapped = [f"{one.space}/{one.name}" for one in sheet.segments if one.space and one.name]
        return list(dict.fromkeys([*mapped, *(one.slave for one in sheet.segments if one.slave)]))
    found = sheet.pins if kind == "pin" else sheet.interfaces
    nets = sheet.wires if kind == "pin" else sheet.buses
    touched = (pin for net in nets.all.values() for pin in net.pins)
    return [path for path in dict.fromkeys([*found, *touched]) if "/" in path]


def find(diagram: Diagram, kind: str, given: Options) -> list[str]:
    """The paths of what a query wants."""
    sheet = diagram.sheet()
    deep = "hierarchical" in given.flags
    expressions = "regexp" in given.flags
    if "of_objects" in given.values:
        known = [
            path for word in objects([given.values["of_objects"]]) for path in related(diagram, kind, word)
        ]
        patterns = objects(given.rest)
        if patterns:
            known = [one for one in known if any(matches(word, one.rpartition("/")[2]) for word in patterns)]
        found = known
    else:
        found = []
        if not given.rest and kind.startswith("addr"):
            found = things(sheet, kind)
        if expressions and given.rest:
            found = _expressed(sheet, kind, given, deep)
        else:
            for word in objects(given.rest) or ["*"]:
                found += _named(diagram, sheet, kind, word, deep)
    found = list(dict.fromkeys(found))
    if "filter" in given.values:
        found = filters.select(diagram, kind, found, given.values["filter"], expressions)
    return found


def _expressed(sheet: Sheet, kind: str, given: Options, deep: bool) -> list[str]:
    """What regular expressions find: each holds for all of a path, or of a name where the query is deep."""
    tests = [filters.expression(text, "nocase" in given.flags) for text in given.rest]
    found = []
    for path in things(sheet, kind):
        here = path.removeprefix(f"{sheet.here}/") if sheet.here else path
        spellings = (path.rpartition("/")[2], path) if deep else (here, f"/{path}")
        if inside(path, sheet.here) and any(test(one) for test in tests for one in spellings):
            found.append(path)
    return found


def _named(diagram: Diagram, sheet: Sheet, kind: str, word: str, deep: bool) -> list[str]:
    if deep:
        pattern = word.strip("/")
        count = pattern.count("/") + 1
        return [
            path
            for path in things(sheet, kind)
            if inside(path, sheet.here) and matches(pattern, "/".join(path.split("/")[-count:]))
        ]
    path = sheet.path(word)
    if is_pattern(path):
        known = things(sheet, kind)
        if not is_pattern(parent(path)) and parent(path) in sheet.cells:
            known += _catalogued(diagram, kind, parent(path))
        return [one for one in known if matches(path, one)]
    if kind == "cell":
        return [path] if not path or path in sheet.cells else []
    name = path.rpartition("/")[2]
    if kind == "pin" and path not in sheet.pins and _BUS.fullmatch(name):
        return []
    if kind in _IMPLIED and (sheet.opaque(path) or (kind.startswith("addr") and _external(sheet, path))):
        return [path]
    if kind == "pin" or kind == "intf_pin":
        return [path] if "/" in path and path in (sheet.pins if kind == "pin" else sheet.interfaces) else []
    return [path] if path in things(sheet, kind) else []


def _catalogued(diagram: Diagram, kind: str, path: str) -> list[str]:
    """The pins that a cell has by its type, whether the script has named them or not."""
    cell = diagram.sheet().cells.get(path)
    if not cell or cell.kind == "hierarchy" or kind not in ("pin", "intf_pin"):
        return []
    found = [f"{path}/{name}" for name in known_pins.names(cell, kind)]
    if not found:
        diagram.note(f"the pins of '/{path}' are not known but for those that the script has named")
    return found


def _external(sheet: Sheet, path: str) -> bool:
    """Whether an address path begins with an interface of the design itself."""
    return path.partition("/")[0] in sheet.interfaces


def related(diagram: Diagram, kind: str, word: str) -> list[str]:
    """What is at an object: pins of a cell or net, nets of a pin, cells of a net, segments of a bus."""
    sheet = diagram.sheet()
    path = sheet.path(word)
    what = sheet.kind(path)
    if kind in ("pin", "intf_pin", "port", "intf_port"):
        if what == "cell":
            named = [one for one in things(sheet, kind) if parent(one) == path]
            return [*named, *_catalogued(diagram, kind, path)]
        nets = sheet.buses if kind.startswith("intf") else sheet.wires
        net = nets.all.get(path)
        ends = net.pins if net else []
        return [one for one in ends if ("/" in one) == kind.endswith("pin")]
    if kind in ("net", "intf_net"):
        nets = sheet.wires if kind == "net" else sheet.buses
        if what == "cell":
            ends = [one for net in nets.all.values() for one in net.pins if parent(one) == path]
            return [name for one in ends for name in nets.of(one)]
        return nets.of(path)
    if kind == "cell":
        if what == "cell":
            return [one for one in sheet.cells if parent(one) == path]
        net = sheet.wires.all.get(path) or sheet.buses.all.get(path)
        ends = net.pins if net and what in ("net", "intf_net") else [path]
        return [parent(one) for one in ends if parent(one) in sheet.cells]
    if kind == "addr_space" and what in ("intf_pin", "intf_port"):
        cell = sheet.cells.get(parent(path))
        is_ps = cell is not None and (cell.type.split(":") + [""] * 3)[2] in _PS
        return [f"{parent(path)}/Data" if is_ps else path]
    known = [one for one in things(sheet, kind) if inside(one, path) or one == path]
    if not known and kind == "addr_seg" and what in ("intf_pin", "intf_port"):
        return [path]  # its block is not known
    return known


def _getter(command: str, kind: str) -> Callable[[Diagram, Sequence[str]], str]:
    valued = "of_objects filter" if not kind.startswith("addr") else "of_objects filter boundary_type"
    flags = (
        "hierarchical regexp nocase include_boundary_path addressables addressing mapped excluded unmapped"
    )

    def get(diagram: Diagram, words: Sequence[str]) -> str:
        given = options(command, words, valued, flags)
        if not diagram.current and "quiet" in given.flags:
            return ""
        sheet = diagram.sheet()
        found = find(diagram, kind, given)
        if not found and given.rest and "quiet" not in given.flags and not any(map(is_pattern, given.rest)):
            diagram.note(f"{command}: there is nothing of the name {' '.join(given.rest)[:100]!r}")
        diagram.spend(sum(map(len, found)) // 64, 0)
        return join_list([sheet.hand(path, kind) for path in found])

    return get


def get_bd_designs(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("get_bd_designs", words, "filter of_objects", "regexp nocase")
    patterns = objects(given.rest) or ["*"]
    return join_list(name for name in diagram.sheets if any(matches(word, name) for word in patterns))


COMMANDS: Mapping[str, Callable[[Diagram, Sequence[str]], str]] = {
    "get_bd_designs": get_bd_designs,
    **{
        name: _getter(name, name.removeprefix("get_bd_").removesuffix("s"))
        for name in (
            *("get_bd_cells", "get_bd_pins", "get_bd_ports", "get_bd_intf_pins", "get_bd_intf_ports"),
            *("get_bd_nets", "get_bd_intf_nets", "get_bd_addr_spaces", "get_bd_addr_segs"),
        )
    },
}
