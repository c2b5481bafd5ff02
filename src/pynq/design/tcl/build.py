"""From the netlist of a block-design script to a :class:`~pynq.design.model.Design`.

A hand-off file is what the tool makes of a script; :func:`design` makes the same of it, as far as programs
see it. The tool's catalogue of IP is stood in for by :mod:`pynq.design.tcl.catalogue`. Hierarchies are looked
through: hand-off files are flat. What IP outside of the catalogue looks like follows from what it is joined
to, and a note says of each such type what was guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pynq.design.addresses import conflicts
from pynq.design.model import Design, MemoryRange, SourceRef
from pynq.design.resolve import resolve
from pynq.design.tcl.build_addresses import assign
from pynq.design.tcl.build_clocks import set_clocks
from pynq.design.tcl.build_draft import drafts
from pynq.design.tcl.build_follow import set_interrupt_kinds
from pynq.design.tcl.build_join import join_buses, join_wires, mark_interrupts, top_ports
from pynq.design.tcl.build_nets import groups
from pynq.design.tcl.build_parts import Draft
from pynq.design.tcl.build_widths import propagate_widths
from pynq.design.tcl.netlist import Netlist
from pynq.design.tcl.packaged import Packaged
from pynq.errors import DesignError, Problem

__all__ = ["design"]

_MOST_NAMED = 8
_SERIES7 = re.compile(
    r"xc(7[a-z]+\d+[a-z]*?)((?:clg|sbg|ffg|fbg|ftg|csg|cpg|fgg|ffv|fbv|rf|rb|cl|sb)\w*?)(-\w+)\Z"
)


def design(netlist: Netlist, file: str, own: Packaged | None = None) -> Design:
    """Return the design that a script has made.

    Args:
        netlist: what it made.
        file: what source references and messages call the script.
        own: the components of IP that is the user's own.

    Raises:
        DesignError: address ranges that can't both be true, or that are none; every reason, with its line.
    """
    wires, strange_pins = groups(netlist, netlist.nets)
    buses, strange_faces = groups(netlist, netlist.interface_nets)
    cells = drafts(netlist, wires, buses, own)
    ports, faces = top_ports(netlist)
    pairs = join_buses(netlist, buses, cells, (ports, faces))
    join_wires(netlist, wires, cells, ports)
    mark_interrupts(cells)
    propagate_widths(cells, pairs)
    set_interrupt_kinds(cells)
    set_clocks(cells, ports)
    addresses = assign(file, netlist, cells, faces, pairs)
    maps = [addresses.boundary, *(draft.ranges for draft in cells.values())]
    problems = [*addresses.problems, *_overlaps(file, maps)]
    if problems:
        raise DesignError(problems)
    notes = [Problem(file, line, text) for line, text in netlist.notes]
    for line, path in (*strange_pins, *strange_faces):
        notes.append(Problem(file, line, f"a net names {path!r}, but the script makes no cell for it"))
    notes += addresses.notes
    notes += _guesses(file, cells)
    notes += own.notes if own else []
    device, package, grade = _part(netlist.part)
    return Design(
        name=netlist.name,
        file=file,
        tool_version=netlist.version,
        timestamp="",
        architecture=_architecture(device),
        device=device,
        package=package,
        speed_grade=grade,
        board=netlist.board,
        interfaces=MappingProxyType({name: face.finish(file, ports) for name, face in faces.items()}),
        source=SourceRef(file, 1),
        format="tcl",
        notes=tuple(notes),
        **resolve(
            file,
            {path: draft.finish(file, netlist.version) for path, draft in cells.items()},
            {name: wire.finish() for name, wire in ports.items()},
            addresses.boundary,
        ),
    )


def _overlaps(file: str, maps: Iterable[Iterable[MemoryRange]]) -> Iterable[Problem]:
    for ranges in maps:
        for earlier, later in conflicts(ranges):
            yield Problem(
                file,
                later.source.line,
                f"{later.slave or later.slave_interface!r} at {later.base:#x}..{later.high:#x} overlaps"
                f" {earlier.slave or earlier.slave_interface!r} at {earlier.base:#x}..{earlier.high:#x}"
                f" (line {earlier.source.line}) in the map of {later.master or later.master_interface!r}",
            )


def _guesses(file: str, cells: Mapping[str, Draft]) -> Iterable[Problem]:
    """One note per type of which something was guessed."""
    first: dict[str, Draft] = {}
    parts: dict[str, dict[str, None]] = {}
    for draft in cells.values():
        if draft.guessed:
            kind = str(draft.vlnv) if draft.vlnv else draft.script.type
            first.setdefault(kind, draft)
            parts.setdefault(kind, {}).update(draft.guessed)
    for kind, guessed in parts.items():
        names = list(guessed)
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        known = "is only partly in the table of common IP" if first[kind].known else "is no common IP"
        text = (
            f"{kind} ({first[kind].path}) {known}: {', '.join(names[:_MOST_NAMED])}{more} are as the nets"
            " tell, registers and what nothing is connected to are unknown; a hand-off file has them"
        )
        yield Problem(file, first[kind].script.line, text)


def _part(text: str) -> tuple[str, str, str]:
    """Device, package and speed grade, as hand-off files have them: 7z020, clg400, -1."""
    word = text.lower()
    match = _SERIES7.match(word)
    if match:
        return match[1], match[2], match[3]
    parts = word.split("-")
    if len(parts) >= 3:
        return parts[0], parts[1], f"-{parts[2].upper()}"
    return word, "", ""


def _architecture(device: str) -> str:
    for pattern, name in (
        (r"7z", "zynq"),
        (r"xczu\d+dr", "zynquplusRFSOC"),
        (r"xc(zu|k\d)", "zynquplus"),
        (r"xcv[cmpehr]", "versal"),
        (r"7a", "artix7"),
        (r"7k", "kintex7"),
        (r"7v", "virtex7"),
        (r"7s", "spartan7"),
        (r"xc[kv]u\d+p", "virtexuplus"),
    ):
        if re.match(pattern, device):
            return name
    return ""
