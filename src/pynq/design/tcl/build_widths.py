"""Widths and clock rates that follow from what is joined, as the tool's parameter propagation finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pynq.design.tcl import catalogue_rules as rules
from pynq.design.tcl.build_parts import MAX_WIDTH, Draft, Face, Wire
from pynq.design.tcl.catalogue import integer

__all__ = ["propagate_widths"]

_ROUNDS = 64
"""Most steps from the source of a width to its user."""
_BYTES = ("TKEEP", "TSTRB")
_SHARED = frozenset(("axis_switch", "axis_broadcaster", "axis_combiner", "axis_interconnect"))
"""IP whose streams share one vector of wires."""


def propagate_widths(cells: Mapping[str, Draft], pairs: Sequence[tuple[Face, Face]]) -> None:
    """Size every wire; what nothing tells is one bit wide."""
    streams = [pair for pair in pairs if pair[0].bus == "axis"]
    for draft in cells.values():
        _open_streams(draft)
        _slices(draft)
    _settle(cells, streams)
    for draft in cells.values():
        for wire in draft.wires.values():
            if not wire.sized and wire.drives and draft.short not in ("xlconcat", "ilconcat"):
                loads = [peer.width for peer in wire.peers if peer.sized and not peer.drives]
                if loads:
                    wire.resize(max(loads))
                elif any(peer.cell and not peer.sized for peer in wire.peers):
                    wire.left, wire.right = wire.usual
                    wire.sized = True
    _settle(cells, streams)
    for draft in cells.values():
        for wire in draft.wires.values():
            if not wire.sized:
                loads = [peer.width for peer in wire.peers if peer.sized and not peer.drives]
                if loads:
                    wire.resize(max(loads))
                else:
                    wire.left, wire.right = wire.usual
                    wire.sized = True
    for sender, receiver in streams:
        for face in (sender, receiver):
            count = _bytes(cells, face)
            if count:
                face.parameters["TDATA_NUM_BYTES"] = str(count)


def _settle(cells: Mapping[str, Draft], streams: Sequence[tuple[Face, Face]]) -> None:
    for _ in range(_ROUNDS):
        changed = False
        for sender, receiver in streams:
            changed |= _stream(cells, sender, receiver)
        for draft in cells.values():
            changed |= _draft(draft)
        if not changed:
            return


def _draft(draft: Draft) -> bool:
    changed = False
    for wire in draft.wires.values():
        if not wire.sized and not wire.drives:
            for peer in wire.peers:
                if peer.sized:
                    wire.left, wire.right, wire.sized = peer.left, peer.right, True
                    if wire.right not in (0, None):
                        wire.left, wire.right = wire.width - 1, 0
                    changed = True
                    break
    if draft.short in ("xlconcat", "ilconcat"):
        changed |= _concat(draft)
    elif draft.short == "axi_intc" and "c_num_intr_inputs" not in draft.given:
        intr = draft.wires.get("intr")
        if intr is not None and intr.sized:
            draft.parameters["C_NUM_INTR_INPUTS"] = str(intr.width)
    return changed


def _concat(draft: Draft) -> bool:
    count = integer(draft.parameters.get("NUM_PORTS", "2")) or 2
    total, open_inputs, changed = 0, False, False
    for number in range(min(count, 128)):
        name = f"In{number}" if f"In{number}" in draft.wires or draft.short == "xlconcat" else f"in{number}"
        wire = draft.wires.get(name)
        if wire is None:
            wire = draft.wires[name] = Wire(draft.path, name, "I", line=draft.script.line)
        wire.direction = "I"
        given = f"in{number}_width" in draft.given
        if not wire.sized and (given or not wire.peers):
            wire.left, wire.right = 0, 0
            wire.resize(integer(draft.parameters.get(f"IN{number}_WIDTH", "1")) or 1)
            changed = True
        if wire.sized and wire.left is None:
            wire.left, wire.right = 0, 0
        total += wire.width
        open_inputs |= not wire.sized
        draft.parameters[f"IN{number}_WIDTH"] = str(wire.width)
    output = draft.wires.get("dout")
    if output is not None and not output.sized and not open_inputs:
        output.left, output.right = min(total, MAX_WIDTH) - 1, 0
        output.sized = changed = True
        draft.parameters["dout_width"] = str(total)
    return changed


def _slices(draft: Draft) -> None:
    if draft.short in ("xlslice", "ilslice") and "Dout" in draft.wires:
        high = integer(draft.parameters.get("DIN_FROM", "0")) or 0
        low = integer(draft.parameters.get("DIN_TO", "0")) or 0
        output = draft.wires["Dout"]
        output.left, output.right, output.sized = min(abs(high - low), MAX_WIDTH - 1), 0, True
        draft.parameters["DOUT_WIDTH"] = str(output.width)


# -- streams ----
def _open_streams(draft: Draft) -> None:
    """Forget widths that a default gave where the tool would take them from the other end."""
    if draft.known is None:
        return
    given = [name for name in rules.STREAM_PASSING.get(draft.short, ()) if name.lower() in draft.given]
    names = {name.lower() for name in _inherited(draft)}
    names |= {f"c_{name}" for name in names}
    for port in draft.known.ports.values():
        rule = port.width.parameter
        if port.name in draft.wires and names & {rule.lower(), draft.known.follows.get(rule, "").lower()}:
            draft.wires[port.name].sized = False
    if draft.short not in rules.STREAM_PASSING:
        return
    for face in draft.faces.values():
        for logical in ("TDATA", *_BYTES) if face.bus == "axis" else ():
            end = draft.wires.get(face.ports.get(logical, ""))
            if end is not None:
                end.sized = False
    if given:
        _inherit(draft, integer(draft.parameters[given[0]]) or 1)


def _inherited(draft: Draft) -> tuple[str, ...]:
    names = rules.STREAM_PASSING.get(draft.short, ()) + rules.STREAM_ENDS.get(draft.short, ())
    return tuple(name for name in names if name.lower() not in draft.given)


def _bytes(cells: Mapping[str, Draft], face: Face) -> int:
    """The bytes a beat of a stream at one end, 0 while it is not known."""
    draft = cells[face.cell]
    if draft.short in _SHARED:
        side = "M" if face.sends else "S"
        if _inherited(draft) and not draft.wires_known:
            return 0
        for name in (f"{side}_TDATA_NUM_BYTES", "TDATA_NUM_BYTES"):
            value = integer(draft.parameters.get(name, ""))
            if value:
                return value
        return 0
    wire = draft.wires.get(face.ports.get("TDATA", ""))
    return wire.width // 8 if wire is not None and wire.sized else 0


def _stream(cells: Mapping[str, Draft], sender: Face, receiver: Face) -> bool:
    count = _bytes(cells, sender)
    if not count:
        return False
    draft = cells[receiver.cell]
    changed = False
    if draft.short not in _SHARED:
        for logical in ("TDATA", *_BYTES):
            wire = draft.wires.get(receiver.ports.get(logical, ""))
            if wire is not None and not wire.sized:
                bits = 8 * count if logical == "TDATA" else count
                wire.left, wire.right, wire.sized = bits - 1, 0, True
                changed = True
    elif draft.wires_known:
        return False
    if changed or (draft.short in _SHARED and not draft.wires_known):
        changed = True
        _inherit(draft, count)
    return changed


def _inherit(draft: Draft, count: int) -> None:
    """Let a cell take the width of the stream that enters it."""
    draft.wires_known = True
    count = min(count, MAX_WIDTH // 8)
    names = _inherited(draft)
    if draft.known is None:
        return
    for name in names:
        bits = name.upper().endswith("TDATA_WIDTH")
        changes = {name: str(8 * count if bits else count)}
        for other, value in draft.known.values(changes).items():
            if other.lower() in (name.lower(), f"c_{name.lower()}") or draft.known.follows.get(other) == name:
                draft.parameters[other] = value
    if draft.short == "axis_broadcaster":
        for name in ("M_TDATA_NUM_BYTES", "S_TDATA_NUM_BYTES"):
            if name.lower() not in draft.given:
                draft.parameters[name] = str(count)
    outward = min(integer(draft.parameters.get("M_TDATA_NUM_BYTES", "")) or count, MAX_WIDTH // 8)
    for port in draft.known.ports.values():
        wire = draft.wires.get(port.name)
        if wire is None or wire.sized:
            continue
        if port.name.endswith(("_tdata", "_tkeep", "_tstrb")) and draft.short not in _SHARED:
            size = outward if wire.drives else count
            wire.left, wire.right, wire.sized = (
                (8 * size if port.name.endswith("_tdata") else size) - 1,
                0,
                True,
            )
        else:
            bounds = port.width.of(draft.parameters) if port.width.parameter else None
            if bounds is not None:
                wire.left, wire.right = bounds
                wire.sized = True
