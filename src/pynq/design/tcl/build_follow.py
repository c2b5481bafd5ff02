"""What the tool finds out of what is joined, beside widths: signals of streams, kinds of interrupts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pynq.design.tcl import catalogue_rules as rules
from pynq.design.tcl.build_parts import Draft, Face, Wire
from pynq.design.tcl.catalogue import integer

__all__ = ["pass_signals", "set_interrupt_kinds"]

_SIGNALS = ("TKEEP", "TLAST", "TSTRB", "TUSER", "TID", "TDEST")
_DEPTH = 3
_BITS = 32
"""Inputs of an ``axi_intc`` (PG099)."""


def pass_signals(cells: Mapping[str, Draft], pairs: Sequence[tuple[Face, Face]]) -> None:
    """Let stream infrastructure have the optional signals of what enters it (PG085)."""
    streams = [pair for pair in pairs if pair[0].bus == "axis"]
    for _ in range(len(streams) + 1):
        changed = False
        for sender, receiver in streams:
            draft = cells[receiver.cell]
            if draft.short in rules.STREAM_PASSING:
                for signal in _SIGNALS:
                    if signal in sender.ports and signal not in receiver.ports:
                        changed |= _add(draft, signal)
        if not changed:
            return


def _add(draft: Draft, signal: str) -> bool:
    """Add a signal to all streams of a cell, as far as the table has it."""
    name = f"HAS_{signal}"
    if draft.known is None or name.lower() in draft.given:
        return False
    added = False
    for face in draft.faces.values():
        kind = draft.known.interface(face.name)
        port = kind.ports.get(signal) if kind else None
        if port is None or signal in face.ports or port not in draft.known.ports:
            continue
        one = draft.known.ports[port]
        bounds = one.width.of(draft.parameters)
        wire = Wire(draft.path, port, one.direction, one.kind, *(bounds or (None, None)))
        wire.sized, wire.usual, wire.line = bounds is not None, one.width.usual, draft.script.line
        draft.wires.setdefault(port, wire)
        face.ports[signal] = port
        added = True
    if added and name in draft.parameters:
        draft.parameters[name] = "1"
    return added


def set_interrupt_kinds(cells: Mapping[str, Draft]) -> None:
    """Give every ``axi_intc`` the kinds of its inputs (PG099: C_KIND_OF_INTR has 0 for levels)."""
    for draft in cells.values():
        wire = draft.wires.get("intr")
        if draft.short != "axi_intc" or wire is None or not wire.peers:
            continue
        bits = _sensitivities(cells, wire, _DEPTH)
        wire.sensitivity = ":".join(reversed(bits))  # hand-off files have the highest input first
        if "c_kind_of_intr" not in draft.given:
            kinds = 0xFFFF_FFFF
            # The tool gives up, and all count as edges, where one source is a vector.
            for index, bit in enumerate(bits if len(bits) == wire.width else ()):
                if bit.startswith("LEVEL"):
                    kinds &= ~(1 << index)
            draft.parameters["C_KIND_OF_INTR"] = f"0x{kinds:08x}"


def _sensitivities(cells: Mapping[str, Draft], wire: Wire, depth: int) -> list[str]:
    """What comes in at an input, one for each source, lowest first; "NULL" for what is no interrupt.

    Concatenations are looked through; the tool takes one of which it knows nothing for a single source.
    """
    driver = next((peer for peer in wire.peers if peer.drives), None)
    draft = cells.get(driver.cell) if driver is not None else None
    if driver is None or draft is None or draft.short not in ("xlconcat", "ilconcat") or not depth:
        return [driver.sensitivity or "NULL" if driver is not None else "NULL"]
    found: list[str] = []
    for number in range(min(integer(draft.parameters.get("NUM_PORTS", "2")) or 2, _BITS)):
        entered = draft.wires.get(f"In{number}") or draft.wires.get(f"in{number}")
        inner = _sensitivities(cells, entered, depth - 1) if entered is not None else []
        found += inner if any(one != "NULL" for one in inner) else ["NULL"]
        if len(found) > _BITS:
            break
    return found
