"""Wires of the simulated board: nets made on demand from the design's connections, with their combinational
logic.

Only what a component, an interrupt input or a board pin needs is made: asking for a net makes the cone of
logic behind it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pynq.backends.sim._engine import Engine, Net
from pynq.design.model import BusInterface, Cell, Design, Endpoint, Port
from pynq.design.partial import inside
from pynq.design.topology import Wiring

__all__ = ["Nets", "active_low", "is_gate", "number", "parameter"]

WIDEST = 64  # bits; the engine's limit for a net

_OPERATIONS = {"and", "or", "xor", "xnor", "nand", "nor", "not"}
_GATES = {
    "xlconcat": "concat",
    "ilconcat": "concat",
    "xlslice": "slice",
    "ilslice": "slice",
    "xlconstant": "constant",
    "ilconstant": "constant",
    "util_vector_logic": "vector",
    "ilvector_logic": "vector",
    "util_reduced_logic": "reduced",
    "ilreduced_logic": "reduced",
}


def parameter(cell: Cell, *names: str, default: str = "") -> str:
    """Return the first parameter there is; files spell them ``C_WIDTH``, ``c_width`` and ``WIDTH``."""
    for name in names:
        for spelling in (name, name.lower(), name.upper()):
            value = cell.parameters.get(spelling)
            if value is not None and value != "":
                return value
    return default


def number(text: str, default: int = 0) -> int:
    """Return a parameter's value: ``26``, ``0x1F``, ``0b101``, ``"0010"`` in quotes (Verilog binary),
    ``true``.
    """
    word = text.strip().lower()
    if word in ("true", "false"):
        return int(word == "true")
    if word.startswith('"') and word.endswith('"'):
        word = f"0b{word[1:-1]}"
    try:
        return int(word, 0)
    except ValueError:
        pass
    try:
        return int(word)  # leading zeros
    except ValueError:
        return default


def active_low(name: str, port: Port | None) -> bool:
    """Return whether a reset's active level is 0, from its polarity, or by its name where the file has
    none (before 2020.1).
    """
    if port is not None and port.polarity:
        return port.polarity == "ACTIVE_LOW"
    word = name.lower().rpartition("/")[2].rstrip("0123456789")
    return (
        (word.endswith(("n", "_n", "resetn", "rstn", "_b")) and not word.endswith("in"))
        or "rst_n" in word
        or "resetn" in word
    )


def is_gate(cell: Cell) -> bool:
    """Return whether a cell is combinational logic of the engine."""
    return cell.type_name in _GATES


def idle_level(name: str, port: Port | None) -> int:
    """Return the level of a wire whose driver is not modelled: resets are inactive, clocks locked, the
    rest 0.
    """
    width = port.width if port is not None else 1
    ones = (1 << width) - 1
    word = name.lower().rpartition("/")[2]
    if "lock" in word or word.endswith("lckd"):
        return ones
    if port is not None and port.kind == "rst":
        return ones if active_low(name, port) else 0
    return ones if word.endswith(("resetn", "rst_n", "reset_n")) else 0


class BoardWiring(Wiring):
    """A design's wires, also those to the board of which the file tells only by interfaces.

    Vivado before 2019 gives pins that belong to an interface (``btns_4bits_tri_i`` of ``btns_4bits``) neither
    net nor connections: the interface and its partner name one bus, and each maps a pin's role to a port.
    """

    def __init__(self, design: Design) -> None:
        super().__init__(design.file, design.cells, design.ports)
        self._regions = design.regions
        self._partials = {
            region: Wiring(partial.file, partial.cells, partial.ports)
            for region, partial in design.partials.items()
        }
        self._exits: dict[str, dict[Endpoint, Endpoint]] = {}
        self._other_end: dict[Endpoint, Endpoint] = {}
        outside = {face.net: face for face in design.interfaces.values() if face.net}
        for cell in design.cells.values():
            for face in cell.interfaces.values():
                if face.net in outside and face.role != "MONITOR":
                    self._pair(cell, face, outside[face.net])

    def _pair(self, cell: Cell, inside: BusInterface, outside: BusInterface) -> None:
        for role, name in outside.port_map.items():
            far, near = self.ports.get(name), cell.ports.get(inside.port_map.get(role, ""))
            if far is None or near is None or any(port.signal or port.peers for port in (far, near)):
                continue
            ends = Endpoint("", far.name), Endpoint(cell.path, near.name)
            if ends[0] not in self._other_end:
                self._other_end.update({ends[0]: ends[1], ends[1]: ends[0]})

    def port(self, end: Endpoint) -> Port | None:
        """The port at an end of a wire; those on the boundary of a filled region are there as well."""
        found = super().port(end)
        if found is None and end.cell in self._regions:
            found = self._regions[end.cell].ports.get(end.port)
        return found

    def driver(self, end: Endpoint) -> Endpoint | None:
        """What drives an input; None if nothing does.

        What comes out of a region is driven by the region's port, which stays when its contents change.
        """
        found = super().driver(end)
        if found is None:
            other = self._other_end.get(end)
            found = other if other is not None and self.drives(other) else None
        return None if found is None else self._seen(found, end.cell)

    def _seen(self, driver: Endpoint, cell: str) -> Endpoint:
        """A driver as a cell sees it: through the boundary of the outermost region it is not in."""
        for region in self._partials:
            if driver.cell != region and inside(driver.cell, region) and not inside(cell, region):
                return self._exit(region).get(driver, driver)
        return driver

    def _exit(self, region: str) -> dict[Endpoint, Endpoint]:
        """The ports of a region by what drives them inside."""
        if region not in self._exits:
            found: dict[Endpoint, Endpoint] = {}
            for name, port in self._regions[region].ports.items():
                if port.direction == "O":
                    within = self._inner_driver(region, name)
                    if within is not None:
                        found.setdefault(within, Endpoint(region, name))
            self._exits[region] = found
        return self._exits[region]

    def _inner_driver(self, region: str, name: str) -> Endpoint | None:
        """The cell's port inside a region that drives one of the region's ports; None if none does."""
        wiring = self._partials[region]
        found = wiring.driver(Endpoint("", _spelling(wiring.ports, name)))
        return None if found is None or not found.cell else Endpoint(f"{region}/{found.cell}", found.port)

    def behind(self, end: Endpoint) -> Endpoint | None:
        """What drives a port of a filled region, as seen from within; None if nothing does."""
        region, wiring = end.cell, self._partials[end.cell]
        found = wiring.driver(Endpoint("", _spelling(wiring.ports, end.port)))
        if found is None:
            return None
        if found.cell:
            return self._seen(Endpoint(f"{region}/{found.cell}", found.port), region)
        # A wire straight through the region: whatever drives its other end outside.
        hollow = self._regions[region].ports
        entry = hollow.get(_spelling(hollow, found.port))
        for outside in entry.peers if entry is not None else ():
            if self.drives(outside):
                return outside
        return None


def _spelling(known: Mapping[str, Port], name: str) -> str:
    """The name of a port on the other side of a boundary, where its case may differ."""
    return name if name in known else next((other for other in known if other.lower() == name.lower()), name)


class Nets:
    """The nets of one loaded design, by the port that drives them."""

    def __init__(self, design: Design, engine: Engine) -> None:
        self._design = design
        self._engine = engine
        self.wiring = BoardWiring(design)
        self._made: dict[Endpoint, Net | None] = {}
        self._loose: dict[str, list[Net]] = {}  # nets that logic has for itself, by cell
        self._making = 0
        self.loaded = False
        #: initial levels of ports that a component drives; set before the net is asked for
        self.initial: dict[Endpoint, int] = {}

    def leave(self, region: str) -> list[Net]:
        """Forget the nets within a region and return them; those of its own ports stay."""
        gone = [end for end in self._made if end.cell != region and inside(end.cell, region)]
        found = [net for end in gone if (net := self._made.pop(end)) is not None]
        for path in [path for path in self._loose if inside(path, region)]:
            found += self._loose.pop(path)
        return found

    def redesign(self, design: Design) -> None:
        """Go on with another design: the same outside of the regions."""
        self._design = design
        self.wiring = BoardWiring(design)

    def part(self, region: str) -> None:
        """Let what a region drives fall back to its idle level."""
        for end, net in self._made.items():
            if end.cell == region and net is not None:
                net.release(idle_level(net.name, self.wiring.port(end)) & ((1 << net.width) - 1))

    def join(self, region: str) -> None:
        """Let the contents of a region drive its ports; those who listen outside hear of it."""
        ends = [(end, net) for end, net in self._made.items() if end.cell == region and net is not None]
        if region in self._design.regions:
            pairs = [
                (end, net, self.of(within))
                for end, net in ends
                if (within := self.wiring.behind(end)) is not None
            ]
            self._engine.elaborate()
            for end, net, source in pairs:
                if source is not None and not net.driver:
                    self._engine.gate("buf", f"{end.cell}/{end.port}", [source], net)
        self._engine.elaborate(silent=False)

    def made(self) -> Mapping[Endpoint, Net | None]:
        """Return the nets made so far, by driver."""
        return self._made

    def into(self, end: Endpoint) -> Net | None:
        """Return the net that an input is on; None where nothing drives it, or it is wider than 64 bits."""
        driver = self.wiring.driver(end)
        return None if driver is None else self.of(driver)

    def of(self, driver: Endpoint) -> Net | None:
        """Return the net that an output (or an input of the whole design) drives; made at first use."""
        if driver not in self._made:
            self._make(driver)
            self._settle()
        return self._made[driver]

    def _settle(self) -> None:
        """Let logic that was made after the load take its levels."""
        if self.loaded and not self._making:
            self._engine.elaborate()

    def _make(self, driver: Endpoint) -> None:
        port = self.wiring.port(driver)
        if port is None or port.width > WIDEST:
            self._made[driver] = None
            return
        name = f"{driver.cell}/{driver.port}" if driver.cell else driver.port
        cell = self._design.cells.get(driver.cell)
        kind = _GATES.get(cell.type_name) if cell is not None else None
        initial = self.initial.get(driver, 0 if kind else idle_level(name, port))
        net = self._engine.net(name, port.width, initial)
        self._made[driver] = net  # before its inputs: a loop ends here, and elaborate() reports it
        if kind is not None and cell is not None:
            self._making += 1
            try:
                getattr(self, f"_{kind}")(cell, net)
            finally:
                self._making -= 1
        elif driver.cell in self._design.regions:
            within = self.wiring.behind(driver)
            self._making += 1
            try:
                source = None if within is None else self.of(within)
            finally:
                self._making -= 1
            if source is not None:
                self._engine.gate("buf", name, [source], net)

    def bit_of(self, driver: Endpoint, bit: int) -> tuple[Net, int] | None:
        """Return the net, and the place in it, of one bit of an output of any width.

        An output wider than 64 bits (EMIO GPIO of an UltraScale+) is several nets; a wide concatenation is
        none at all, its bits are those of what it joins. None for a bit that is not connected.
        """
        port = self.wiring.port(driver)
        if port is None or not 0 <= bit < port.width:
            return None
        if port.width <= WIDEST:
            net = self.of(driver)
            return None if net is None else (net, bit)
        if driver.cell in self._design.regions:
            within = self.wiring.behind(driver)
            return None if within is None else self.bit_of(within, bit)
        cell = self._design.cells.get(driver.cell)
        kind = _GATES.get(cell.type_name) if cell is not None else None
        if cell is not None and kind == "concat":
            for name in self._inputs_of_concat(cell):
                width = cell.ports[name].width
                if bit < width:
                    return self.bit_into(Endpoint(cell.path, name), bit)
                bit -= width
            return None
        if cell is not None and kind == "slice":
            low = number(parameter(cell, "DIN_TO"))
            return self.bit_into(Endpoint(cell.path, "Din" if "Din" in cell.ports else "din"), bit + low)
        part = driver._replace(port=f"{driver.port}[{bit // WIDEST}]")
        net = self._made.get(part)
        if net is None:
            width = min(WIDEST, port.width - bit // WIDEST * WIDEST)
            name = f"{driver.cell}/{part.port}" if driver.cell else part.port
            ones = (1 << width) - 1
            net = self._made[part] = self._engine.net(name, width, ones * (idle_level(name, port) & 1))
            self._settle()
        return net, bit % WIDEST

    def bit_into(self, end: Endpoint, bit: int) -> tuple[Net, int] | None:
        """Return the net, and the place in it, of what drives one bit of an input."""
        driver = self.wiring.driver(end)
        return None if driver is None else self.bit_of(driver, bit)

    def _input(self, cell: Cell, port: str) -> Net:
        net = self.into(Endpoint(cell.path, port))
        if net is None:
            found = cell.ports.get(port)
            width = min(found.width, WIDEST) if found is not None else 1
            net = self.loose(cell, port, width)
        return net

    def loose(self, cell: Cell, name: str, width: int, level: int = 0) -> Net:
        """Make a net that belongs to a cell alone."""
        net = self._engine.net(f"{cell.path}/{name}", width, level)
        self._loose.setdefault(cell.path, []).append(net)
        return net

    @staticmethod
    def _inputs_of_concat(cell: Cell) -> list[str]:
        count = number(parameter(cell, "NUM_PORTS"), 2)
        return [
            name
            for index in range(count)
            if (name := f"In{index}") in cell.ports or (name := f"in{index}") in cell.ports
        ]

    def _concat(self, cell: Cell, output: Net) -> None:
        names = self._inputs_of_concat(cell)
        widths = {f"in{index}": cell.ports[name].width for index, name in enumerate(names)}
        self._engine.gate("concat", cell.path, [self._input(cell, name) for name in names], output, **widths)

    def _slice(self, cell: Cell, output: Net) -> None:
        high, low = number(parameter(cell, "DIN_FROM")), number(parameter(cell, "DIN_TO"))
        source = "Din" if "Din" in cell.ports else "din"
        driver = self.wiring.driver(Endpoint(cell.path, source))
        wide = self.wiring.port(driver) if driver is not None else None
        if driver is None or wide is None or wide.width <= WIDEST:
            self._engine.gate("slice", cell.path, [self._input(cell, source)], output, high=high, low=low)
            return
        bits: list[Net] = []
        for index in range(low, min(high, low + output.width - 1) + 1):
            found = self.bit_of(driver, index)
            bit = self.loose(cell, f"{source}[{index}]", 1)
            if found is not None:
                name = f"{cell.path}[{index}]"
                self._engine.gate("slice", name, [found[0]], bit, high=found[1], low=found[1])
            bits.append(bit)
        self._engine.gate("concat", cell.path, bits, output)

    def _constant(self, cell: Cell, output: Net) -> None:
        value = number(parameter(cell, "CONST_VAL"), 1) & ((1 << output.width) - 1)
        self._engine.gate("constant", cell.path, [], output, value=value)

    def _vector(self, cell: Cell, output: Net) -> None:
        operation = parameter(cell, "C_OPERATION", default="and").lower()
        if operation not in _OPERATIONS:
            return
        inputs = [self._input(cell, "Op1")]
        if operation != "not":
            inputs.append(self._input(cell, "Op2"))
        self._engine.gate(operation, cell.path, inputs, output)

    def _reduced(self, cell: Cell, output: Net) -> None:
        operation = parameter(cell, "C_OPERATION", default="and").lower()
        if operation in ("and", "or", "xor"):
            self._engine.gate(f"reduce_{operation}", cell.path, [self._input(cell, "Op1")], output)
