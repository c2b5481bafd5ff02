"""``get_property``, ``set_property`` and ``list_property``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pynq.design.tcl import properties
from pynq.design.tcl.commands_address import automatic
from pynq.design.tcl.commands_find import objects
from pynq.design.tcl.diagram import Diagram, Sheet
from pynq.design.tcl.netlist import InterfacePin, Pin
from pynq.design.tcl.nets import parent
from pynq.design.tcl.words import CommandError, integer, join_list, options, split_list

__all__ = ["COMMANDS"]

#: Families of parts by the beginning of their names, the longer ones first.
_FAMILIES = (
    *(("xc7z", "zynq"), ("xczu", "zynquplus"), ("xck2", "zynquplus"), ("xcv", "versal"), ("xc7a", "artix7")),
    *(
        ("xc7k", "kintex7"),
        ("xc7v", "virtex7"),
        ("xc7s", "spartan7"),
        ("xcku", "kintexu"),
        ("xcau", "artixuplus"),
    ),
)

#: Configurations of Versal's PS and PCIe blocks: lists of names and values; one value is PS_PMC_CONFIG(NAME).
_PACKED = re.compile(r"(PS|PS_PMC|PS11|PMC|CPM\d?)_CONFIG")

MAX_REPOSITORIES = 100
"""So often a script may say where IP is."""
MAX_VALUE = 1 << 20
"""So many characters one value may have (a packed configuration of a PS has some 100,000)."""


def set_property(diagram: Diagram, words: Sequence[str]) -> str:
    packed, named, rest = _set_options(words)
    if packed is not None:
        pairs = split_list(packed)
        if len(pairs) == 1:
            pairs = split_list(pairs[0])  # `[list $pairs]`, as Vivado takes it
        if len(pairs) % 2:
            raise CommandError(f"set_property -dict takes names and values in pairs, not {len(pairs)} words")
    else:
        pairs = [
            named[key] if key in named else rest.pop(0) for key in ("-name", "-value") if key in named or rest
        ]
        if len(pairs) < 2 or not (rest or "-objects" in named):
            raise CommandError("set_property takes a name, a value and objects")
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        if name.lower() == "ip_repo_paths" and len(diagram.repositories) < MAX_REPOSITORIES:
            diagram.spend(len(value), 0)
            diagram.repositories += [one.strip() for one in split_list(value)]
    targets = objects([*rest, named.get("-objects", "")])
    if not targets and any(name.upper().startswith("CONFIG.") for name in pairs[::2]):
        diagram.note(f"set_property {pairs[0][:60]}: without an object it does not count")
    for target in targets:
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            _set(diagram, target, name, value)
    return ""


def _set_options(words: Sequence[str]) -> tuple[str | None, dict[str, str], list[str]]:
    """The value of ``-dict``, the named words (``-name``, ``-value``, ``-objects``) and the other words.

    Options end with the first word that is none: a value may begin with a minus sign, ``-1`` or ``-dsp``.
    """
    rest = list(words)
    named: dict[str, str] = {}
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in ("-dict", "-name", "-value", "-objects"):
            if not rest:
                raise CommandError(f"set_property: option {word} has no value")
            named[word] = rest.pop(0)
        elif word not in ("-quiet", "-verbose"):
            raise CommandError(
                f"set_property has no option {word[:40]!r}; it has -dict, -name, -value, -objects, -quiet, "
                "-verbose"
            )
    return named.pop("-dict", None), named, rest


def _set(diagram: Diagram, target: str, name: str, value: str) -> None:
    if len(value) > MAX_VALUE:
        raise CommandError(f"the value of {name[:60]!r} has more than {MAX_VALUE:,} characters")
    word = target.strip()
    if not word.startswith("/"):
        _set_of_project(diagram, word, name, value)
        return
    sheet = diagram.sheet()
    path = sheet.path(word)
    kind = sheet.kind(path)
    upper = name.upper()
    if upper == "NAME":
        _rename(diagram, sheet, kind, path, value.strip())
    elif upper.startswith("CONFIG.") and upper.endswith(".VALUE_SRC"):
        return  # who has set the value: nothing of the design
    elif upper.startswith("CONFIG."):
        known = _parameters(diagram, sheet, kind, path)
        if known is None:
            diagram.note(f"set_property {name[:60]}: there is nothing '{word[:100]}' that has parameters")
            return
        diagram.spend(len(name) + len(value))
        key = name[7:]
        if key not in known:
            key = next((one for one in known if one.upper() == key.upper()), key)
        base, _, inner = key.partition("(")
        if inner.endswith(")") and _PACKED.fullmatch(base):
            key, value = base, join_list([inner[:-1], value])
        if _PACKED.fullmatch(key):
            value = _merged(known.get(key, ""), value)
        known[key] = value
    elif kind == "addr_seg" and upper in ("OFFSET", "RANGE"):
        segment = automatic(diagram, path)
        if upper == "OFFSET":
            segment.offset = integer(value, "the offset")
        else:
            segment.size = integer(value, "the range")


def _merged(old: str, new: str) -> str:
    """A packed configuration after some of its values were set: the others stay."""
    found: dict[str, str] = {}
    for text in (old, new):
        words = split_list(text)
        if len(words) % 2:
            return new
        found.update(zip(words[::2], words[1::2], strict=True))
    return join_list(word for pair in found.items() for word in pair)


def _parameters(diagram: Diagram, sheet: Sheet, kind: str, path: str) -> dict[str, str] | None:
    """The parameters of a thing; a pin of an IP is described from now on."""
    known = properties.parameters(sheet, kind, path)
    if known is None and sheet.opaque(path) and kind in ("pin", "intf_pin"):
        diagram.spend(len(path))
        if kind == "pin":
            return sheet.pins.setdefault(path, Pin(path, "", line=diagram.line)).parameters
        return sheet.interfaces.setdefault(path, InterfacePin(path, "", "", line=diagram.line)).parameters
    return known


def _set_of_project(diagram: Diagram, word: str, name: str, value: str) -> None:
    """Of what has no path in a design only the project's part and board count."""
    if name.upper().startswith("CONFIG."):
        diagram.note(f"set_property {name[:60]}: there is nothing '{word[:100]}' that has parameters")
    elif name.lower() in ("part", "board_part", "board") and word == diagram.project.get("name"):
        diagram.spend(len(value))
        diagram.project[name.lower()] = value.strip()


def _rename(diagram: Diagram, sheet: Sheet, kind: str, path: str, name: str) -> None:
    if kind == "addr_seg":
        segment = automatic(diagram, path)
        diagram.spend(len(name))
        sheet.hand(f"{segment.space}/{name}", "addr_seg")
        segment.name = name
        return
    if not path:
        raise CommandError("the design itself can't get another name")
    new = diagram.new(f"/{parent(path)}/{name}".replace("//", "/"), kind)
    if kind in ("net", "intf_net"):
        (sheet.wires if kind == "net" else sheet.buses).rename(path, new)
        return
    same = {
        "cell": new in sheet.cells,
        **dict.fromkeys(("pin", "port"), new in sheet.pins),
        **dict.fromkeys(("intf_pin", "intf_port"), new in sheet.interfaces),
    }
    if same.get(kind, True):
        raise CommandError(f"'/{path}' can't be renamed: there is a {kind} '/{new}' already")
    sheet.move(path, new)


def get_property(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("get_property", words, "", "min max")
    if len(given.rest) != 2:
        raise CommandError("get_property takes a name and one object")
    name, target = given.rest
    found = [_get(diagram, name, word) for word in objects([target])]
    return found[0] if len(found) == 1 else join_list(found)


def _get(diagram: Diagram, name: str, word: str) -> str:
    if not word.startswith("/"):
        if word == diagram.project.get("name"):
            return diagram.project.get(name.lower(), "")
        if name.upper() == "NAME":
            return word
        return _of_word(diagram, name.upper(), word)
    sheet = diagram.sheet()
    path = sheet.path(word)
    return properties.of_object(diagram, sheet.kind(path), path, name)


def _of_word(diagram: Diagram, name: str, word: str) -> str:
    """Properties of what is known by its name only: an IP's type, a part, a board."""
    if name == "VLNV":
        return word if word.count(":") >= 2 else ""
    if name in ("PART", "PART_NAME"):
        return diagram.project.get("part", "")
    if name in ("FAMILY", "C_FAMILY", "ARCHITECTURE"):
        return next((family for start, family in _FAMILIES if word.lower().startswith(start)), "")
    return ""


def list_property(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("list_property", words, "class", "regexp")
    if not given.rest or not diagram.current:
        return ""
    sheet = diagram.sheet()
    path = sheet.path(given.rest[0])
    known = properties.parameters(sheet, sheet.kind(path), path) or {}
    return join_list([f"CONFIG.{name}" for name in known] + ["NAME", "PATH", "TYPE", "VLNV"])


COMMANDS: Mapping[str, Callable[[Diagram, Sequence[str]], str]] = {
    "set_property": set_property,
    "get_property": get_property,
    "list_property": list_property,
}
