"""Joining of drafts: what the wires and buses of a script connect, and what that tells of unknown IP."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from pynq.design.tcl import catalogue_rules as rules
from pynq.design.tcl.build_follow import pass_signals
from pynq.design.tcl.build_nets import Group, first, inside
from pynq.design.tcl.build_parts import FAR, Draft, Face, Wire, bus_of, opposite
from pynq.design.tcl.netlist import Netlist, Pin

__all__ = ["join_buses", "join_wires", "mark_interrupts", "top_ports"]

_KINDS = {"clk": "clk", "rst": "rst", "intr": "INTERRUPT", "ce": "ce", "data": "data"}
_SENDER = re.compile(r"(m\d*|master|out|output|tx|mm2s)(_|\d|$)|_(out|o|m)$|dout|introut", re.I)
_OUTPUT = re.compile(
    r"(_o|_out|out|irq|irpt|interrupt|intr|introut|dout|_q|locked|gnt|ready|valid|done)\d*$", re.I
)


def top_ports(netlist: Netlist) -> tuple[dict[str, Wire], dict[str, Face]]:
    """Return the design's own ports and interfaces."""
    wires = {path: _top_wire(pin) for path, pin in netlist.pins.items() if "/" not in path}
    faces = {}
    for path, one in netlist.interfaces.items():
        if "/" not in path:
            face = Face("", path, _role(one.mode, bus_of(one.type)), bus_of(one.type), line=one.line)
            face.parameters = dict(one.parameters)
            faces[path] = face
    return wires, faces


def _top_wire(pin: Pin) -> Wire:
    wire = Wire("", pin.path, pin.direction, _KINDS.get(pin.type, "undef"), pin.left, pin.right, sized=True)
    wire.line = pin.line
    wire.polarity = pin.parameters.get("POLARITY", "")
    wire.sensitivity = pin.parameters.get("SENSITIVITY", "")
    hertz = pin.parameters.get("FREQ_HZ", "")
    if wire.kind == "clk" and hertz.isdecimal() and len(hertz) < 16:
        wire.frequency = int(hertz)
    return wire


def _role(mode: str, vlnv: str) -> str:
    memory = ":aximm:" in vlnv
    if mode.lower() == "master":
        return "MASTER" if memory else "INITIATOR"
    if mode.lower() == "slave":
        return "SLAVE" if memory else "TARGET"
    return "MONITOR"


def _instance(path: str) -> str:
    return path.replace("/", "_")


# -- buses ----
def join_buses(
    netlist: Netlist,
    buses: Sequence[Group],
    cells: Mapping[str, Draft],
    top: tuple[dict[str, Wire], dict[str, Face]],
) -> list[tuple[Face, Face]]:
    """Join the interfaces; return the pairs of sender and receiver, both of cells."""
    pairs = []
    waiting: list[tuple[Face, Face]] = []
    for group in buses:
        inner = [face for leaf in group.leaves if leaf.cell and (face := cells[leaf.cell].face(leaf.name))]
        outer = [top[1][leaf.name] for leaf in group.leaves if not leaf.cell and leaf.name in top[1]]
        _tell(netlist, group, inner, outer)
        monitors = [face for face in inner if face.role == "MONITOR"]
        inner = [face for face in inner if face.role != "MONITOR"]
        senders = [face for face in inner if face.sends]
        receivers = [face for face in inner if not face.sends]
        net = _net_name(senders, receivers, outer)
        for face in (*inner, *outer, *monitors):
            face.net = net
        for sender in senders[:1]:
            for receiver in receivers:
                pairs.append((sender, receiver))
        for face in outer:
            waiting += [(face, one) for one in (inner[:1] or ())]
    pass_signals(cells, pairs)
    # Ends that mirror another one come after those that know themselves.
    for sender, receiver in sorted(pairs, key=lambda pair: not (pair[0].ports or pair[1].ports)):
        _connect(cells, sender, receiver)
    for face, one in waiting:
        if not one.ports:
            _invent(cells, one)
        _expose(cells, top[0], face, one)
    return pairs


def _tell(netlist: Netlist, group: Group, inner: Sequence[Face], outer: Sequence[Face]) -> None:
    """Find the bus and the roles of the ends that are not known, from those that are and from hierarchies."""
    passed = [netlist.interfaces[path] for path in group.passed if path in netlist.interfaces]
    vlnv = first([face.vlnv for face in inner if face.known])
    vlnv = vlnv or first([*(bus_of(one.type) for one in passed), *(face.vlnv for face in outer)])
    vlnv = vlnv or first(face.vlnv for face in inner)
    for face in inner:
        if face.vlnv and face.role:
            continue
        face.vlnv = face.vlnv or vlnv
        for one in passed:
            hierarchy = one.path.rpartition("/")[0]
            role = _role(one.mode, face.vlnv)
            face.role = face.role or (role if inside(face.cell, hierarchy) else opposite(role))
        others = [other for other in inner if other is not face and other.role and other.role != "MONITOR"]
        if not face.role and others:
            face.role = _as(face.vlnv, not others[0].sends)
        if not face.role and outer:
            face.role = outer[0].role
        if not face.role:
            face.role = _as(face.vlnv, _SENDER.match(face.name) is not None)
    for face in outer:
        face.vlnv = face.vlnv or vlnv
        face.protocol = face.protocol or first(one.protocol for one in inner)


def _as(vlnv: str, sends: bool) -> str:
    return _role("Master" if sends else "Slave", vlnv)


def _net_name(senders: Sequence[Face], receivers: Sequence[Face], outer: Sequence[Face]) -> str:
    for face in senders:
        return f"{_instance(face.cell)}_{face.name}"
    if outer:
        return f"External_Interface_{outer[0].name}"
    return f"{_instance(receivers[0].cell)}_{receivers[0].name}" if receivers else ""


def _wire_of(cells: Mapping[str, Draft], face: Face, logical: str) -> Wire | None:
    return cells[face.cell].wires.get(face.ports.get(logical, ""))


def _mirror(cells: Mapping[str, Draft], face: Face, other: Face) -> None:
    """Give an end without ports of its own those of the other one."""
    if not face.protocol:
        face.protocol = other.protocol
    for logical, port in other.ports.items():
        model = cells[other.cell].wires.get(port)
        if model is not None:
            wire = _add(cells, face, logical, FAR.get(model.direction, ""))
            wire.left, wire.right, wire.sized, wire.kind = model.left, model.right, model.sized, model.kind


def _add(cells: Mapping[str, Draft], face: Face, logical: str, direction: str) -> Wire:
    name = f"{face.name}_{logical.lower()}"
    wire = Wire(face.cell, name, direction, line=face.line)
    wire = cells[face.cell].wires.setdefault(name, wire)
    face.ports[logical] = name
    return wire


def _invent(cells: Mapping[str, Draft], face: Face) -> None:
    """Give an end of which nothing is known the signals that its bus always has."""
    table = {"aximm": rules.AXI_SIGNALS, "axis": rules.STREAM_SIGNALS}.get(face.bus, {})
    for logical, (forward, bits) in table.items():
        if face.protocol == "AXI4LITE" and logical in rules.NOT_IN_LITE:
            continue
        wire = _add(cells, face, logical, "O" if forward == face.sends else "I")
        if not isinstance(bits, str):
            wire.left, wire.right, wire.sized = (None, None, True) if bits is None else (bits - 1, 0, True)
        elif face.bus == "aximm":
            wire.left, wire.right, wire.sized = {"STRB_WIDTH": 3}.get(bits, 31), 0, True


def _connect(cells: Mapping[str, Draft], sender: Face, receiver: Face) -> None:
    if not sender.ports and not receiver.ports:
        # Registers of a user's IP behind an interconnect: its tools and HLS make AXI4-Lite of them.
        if receiver.bus == "aximm" and not receiver.known and cells[sender.cell].short in rules.PASSING:
            receiver.protocol = receiver.protocol or "AXI4LITE"
        known = receiver if receiver.protocol else sender
        _invent(cells, known)
    if not sender.ports:
        _mirror(cells, sender, receiver)
    elif not receiver.ports:
        _mirror(cells, receiver, sender)
    # As in hand-off files the nets of a bus are named after the IP, not after the interconnect.
    owner, other = sender, receiver
    if cells[sender.cell].short in rules.PASSING and cells[receiver.cell].short not in rules.PASSING:
        owner, other = receiver, sender
    for logical in owner.ports:
        near, far = _wire_of(cells, owner, logical), _wire_of(cells, other, logical)
        if near is not None and far is not None:
            near.signal = near.signal or f"{_instance(near.cell)}_{near.name}"
            far.signal = far.signal or near.signal
            near.peers.append(far)
            far.peers.append(near)


def _expose(cells: Mapping[str, Draft], ports: dict[str, Wire], face: Face, one: Face) -> None:
    """Take the wires of an interface to the board."""
    for logical, name in one.ports.items():
        near = cells[one.cell].wires.get(name)
        if near is None:
            continue
        outer = Wire("", f"{face.name}_{logical.lower()}", near.direction, near.kind, near.left, near.right)
        outer.sized, outer.polarity, outer.frequency, outer.line = True, near.polarity, None, face.line
        if outer.name in ports:
            continue
        ports[outer.name] = outer
        face.ports[logical] = outer.name
        near.signal = near.signal or f"{_instance(near.cell)}_{near.name}"
        outer.signal = near.signal
        near.peers.append(outer)
        outer.peers.append(near)


# -- wires ----
def join_wires(
    netlist: Netlist, groups: Iterable[Group], cells: Mapping[str, Draft], ports: Mapping[str, Wire]
) -> None:
    """Join the pins, and find the directions and kinds of those that are not known."""
    for group in groups:
        wires = []
        for leaf in group.leaves:
            wire = cells[leaf.cell].wires.get(leaf.name) if leaf.cell else ports.get(leaf.name)
            if wire is not None:
                wires.append(wire)
        passed = [netlist.pins[path] for path in group.passed if path in netlist.pins]
        _direct(group, wires, passed)
        _kind(wires, passed)
        drivers = [wire for wire in wires if wire.drives]
        if not drivers:
            for wire in wires:
                wire.signal = wire.signal or group.names[0].replace("/", "_")
                wire.peers += [other for other in wires if other is not wire]
            continue
        driver = drivers[0]
        name = _instance(driver.cell) if driver.cell else "External_Ports"
        driver.signal = driver.signal or f"{name}_{driver.name}"
        for wire in wires:
            if wire is driver:
                continue
            wire.signal = wire.signal or driver.signal
            wire.peers.append(driver)
            driver.peers.append(wire)
            if not wire.sized and not wire.cell:
                wire.sized = True
        for pin in passed:
            if not driver.sized and pin.left is not None and pin.right is not None:
                driver.left, driver.right = pin.left, pin.right
                driver.sized = True


def mark_interrupts(cells: Mapping[str, Draft]) -> None:
    """Let unknown pins that lead into interrupt inputs, maybe through concatenations, be interrupts."""
    todo = [
        wire
        for draft in cells.values()
        for wire in draft.wires.values()
        if wire.kind == "INTERRUPT" and wire.direction == "I"
    ]
    seen = set()
    while todo:
        for peer in todo.pop().peers:
            if not peer.drives or not peer.cell or (peer.cell, peer.name) in seen:
                continue
            seen.add((peer.cell, peer.name))
            draft = cells[peer.cell]
            if draft.short in ("xlconcat", "ilconcat"):
                todo += [wire for wire in draft.wires.values() if wire.direction == "I"]
            elif peer.kind == "undef" and f"pin {peer.name}" in draft.guessed:
                peer.kind, peer.sensitivity = "INTERRUPT", "LEVEL_HIGH"


def _direct(group: Group, wires: Sequence[Wire], passed: Sequence[Pin]) -> None:
    unknown = [wire for wire in wires if not wire.direction]
    if not unknown:
        return
    if not any(wire.drives for wire in wires) and not any(wire.direction == "IO" for wire in wires):
        _source(group, unknown, passed).direction = "O"
    for wire in unknown:
        wire.direction = wire.direction or ("IO" if any(w.direction == "IO" for w in wires) else "I")


def _source(group: Group, unknown: Sequence[Wire], passed: Sequence[Pin]) -> Wire:
    """The pin that gives a wire its value, of several that might.

    The tool names a net after it. An output of a hierarchy has it inside, an input outside.
    """
    names = {name.rpartition("/")[2] for name in group.names} | {
        name.replace("/", "_") for name in group.names
    }
    for wire in unknown:
        cell = wire.cell.rpartition("/")[2]
        if f"{cell}_{wire.name}" in names or f"{_instance(wire.cell)}_{wire.name}" in names:
            return wire
    fits = [
        wire
        for wire in unknown
        if all(
            inside(wire.cell, pin.path.rpartition("/")[0]) == (pin.direction == "O")
            for pin in passed
            if pin.direction in ("I", "O")
        )
    ]
    for wire in fits or unknown:
        if _OUTPUT.search(wire.name):
            return wire
    return (fits or unknown)[0]


def _kind(wires: Sequence[Wire], passed: Sequence[Pin]) -> None:
    kinds = [wire.kind for wire in wires if wire.kind in ("clk", "rst") and wire.drives]
    kinds += [_KINDS[pin.type] for pin in passed if pin.type in ("clk", "rst", "intr")]
    kinds += [wire.kind for wire in wires if wire.kind in ("clk", "rst", "INTERRUPT")]
    if not kinds:
        return
    interrupt = kinds[0] == "INTERRUPT"
    for wire in wires:
        if wire.kind == "undef" and wire.cell and (not interrupt or wire.drives):
            wire.kind = kinds[0]
            if interrupt:
                wire.sensitivity = wire.sensitivity or "LEVEL_HIGH"
