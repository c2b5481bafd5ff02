"""Rules of the PS's ports."""

from __future__ import annotations

from collections.abc import Iterator

from pynq.design.findings import Facts, Hit, rule, sends

__all__ = ["RULES"]


@rule("ps-port-unconnected", "warning")
def unconnected(facts: Facts) -> Iterator[Hit]:
    """A port of the PS is switched on, but nothing is connected to it.

    An access of the processor to the window of an open master port is never answered: the board hangs. An
    open slave port is unused: a note.

    Switch the port off in the PS's configuration, or connect it.
    """
    ps = facts.design.cells.get(facts.design.ps)
    for interface in ps.interfaces.values() if ps is not None else ():
        if ps is None or not interface.protocol.startswith("AXI") or interface.protocol == "AXIS":
            continue
        if facts.connected(ps, interface):
            continue
        if sends(interface):
            yield Hit(
                f"{ps.path}/{interface.name}",
                "the port is on, but open: an access to its window hangs the processor",
                "switch it off in the PS's configuration, or connect it",
                interface.source,
            )
        else:
            yield Hit(
                f"{ps.path}/{interface.name}",
                "the port is on, but nothing uses it",
                "switch it off in the PS's configuration, or connect it",
                interface.source,
                "note",
            )


@rule("ps-port-off", "error")
def missing(facts: Facts) -> Iterator[Hit]:
    """The address map leads through a port of the PS that is switched off.

    The PS does not have the interface, so nobody takes the access.

    Switch the port on in the PS's configuration.
    """
    ps = facts.design.cells.get(facts.design.ps)
    if ps is None or not ps.interfaces:
        return
    first: dict[str, Hit] = {}
    for entry in facts.design.ps_ranges:
        name = entry.master_interface
        if name.upper().startswith("M_AXI") and name not in ps.interfaces:
            first.setdefault(
                name,
                Hit(
                    f"{ps.path}/{name}",
                    f"{entry.slave or entry.slave_interface} is to be reached through it, but it is off",
                    "switch it on in the PS's configuration, or take the address out of the map",
                    entry.source,
                ),
            )
    yield from first.values()


_NEEDED = "nothing to do, unless a program needs it"
_ELSEWHERE = {"tcl": "check the hand-off file of the design, where there is one"}


@rule("reader-note", "note")
def notes(facts: Facts) -> Iterator[Hit]:
    """The reader could not tell everything.

    Something of the description was not understood, or is not in this kind of description; what the message
    names may lack.

    Use the hand-off file (`.hwh`) or the archive (`.xsa`) of the design, where there is one.
    """
    for problem in facts.design.notes:
        source = facts.design.source._replace(file=problem.file, line=problem.line)
        yield Hit(facts.design.label, problem.message, _ELSEWHERE.get(facts.design.format, _NEEDED), source)


RULES = (unconnected, missing, notes)
