"""A loaded design: the engine and what was made in it."""

from __future__ import annotations

from pynq._native import Arena
from pynq.backends.sim._engine import Clock, Component, Engine, Irq, Link, Memory, Rtl, Space
from pynq.backends.sim.model import Model
from pynq.backends.sim.nets import Nets, is_gate
from pynq.design.model import Cell, Design, Endpoint, Port

__all__ = ["Plant"]

DEFAULT_HERTZ = 100_000_000.0

_CLOCKS = ("ap_clk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk", "s_axis_aclk", "m_axis_aclk", "aclk", "s_axi_aclk")


class Plant:
    """One loaded design: the engine and what was made in it, by the names of the design."""

    def __init__(self, design: Design, engine: Engine, seed: int, ddr: Memory) -> None:
        self.design = design
        self.seed = seed
        self.engine = engine
        self.ddr = ddr
        self.nets = Nets(design, engine)
        self.ps = engine.space("PS", ps=True)
        self.clocks: dict[Endpoint | None, Clock] = {}
        self.derived: dict[Endpoint, tuple[Endpoint, float]] = {}  # clock made in the PL -> its source, ratio
        self.components: dict[str, Component] = {}
        self.models: dict[str, Model] = {}
        self.rtl: dict[str, Rtl] = {}  # cells that are the user's RTL
        self.aliases: dict[
            Endpoint, Endpoint
        ] = {}  # where wires within hierarchies that are one module are now
        self.memories: dict[str, Memory] = {}
        self.spaces: dict[tuple[str, str], Space] = {}
        self.links: dict[str, Link] = {}
        self.irqs: dict[int, Irq] = {}
        self.reach: dict[int, tuple[int, Memory, int]] = {}  # memory by base: last byte, memory, place in it
        self.unmodelled: list[str] = []
        self.limited: list[str] = []  # modelled in part, and what is missing
        self.arenas: dict[tuple[str, int], Arena] = {}  # of memories other than the PS's DDR, made on demand

    def hears_board(self, end: Endpoint) -> bool:
        """Return whether a pin of the board can change the level at an end of a wire, as things are set."""
        wiring, todo, seen = self.nets.wiring, [end], set()
        while todo:
            place = todo.pop()
            driver = place if wiring.drives(place) else wiring.driver(place)
            if driver is None or driver in seen:
                continue
            seen.add(driver)
            if driver.cell in self.design.regions:
                behind = wiring.behind(driver)
                todo += [] if behind is None else [behind]
                continue
            cell, port = self.design.cells.get(driver.cell), wiring.port(driver)
            if cell is None:
                if port is not None and port.kind not in ("clk", "rst"):
                    return True
            elif cell.path in self.rtl:
                ports = self.rtl[cell.path].ports()
                todo += [Endpoint(cell.path, name) for name in cell.ports if ports.get(name) == "in"]
            elif cell.path in self.models:
                todo += [Endpoint(cell.path, name) for name in self.models[cell.path].hears()]
            elif is_gate(cell):
                todo += [
                    Endpoint(cell.path, name) for name, one in cell.ports.items() if one.direction == "I"
                ]
        return False

    def clock_of_ps(self, index: int) -> Clock | None:
        """Return the domain of a PL clock of the PS; None for a clock that the design has not."""
        for clock in self.design.clocks:
            if clock.index == index and clock.cell == self.design.ps:
                return self._domain(Endpoint(clock.cell, clock.port))
        return None

    def clock_changed(self, source: Endpoint, hertz: float) -> None:
        """Let the clocks derived from one in the PL follow it."""
        for end, (parent, ratio) in self.derived.items():
            if parent == source:
                self.clocks[end].hertz = hertz * ratio
                self.clock_changed(end, hertz * ratio)

    def clock_of(self, cell: Cell) -> Clock:
        """Return the clock domain that a cell works in."""
        inputs = _clock_inputs(cell)
        for name in sorted(inputs, key=lambda name: _CLOCKS.index(name) if name in _CLOCKS else len(_CLOCKS)):
            driver = self.nets.wiring.driver(Endpoint(cell.path, name))
            if driver is not None:
                return self._domain(driver, inputs[name])
        return self.clock_of_ps(0) or self._domain(None)

    def domain_of(self, cell: Cell, port: str) -> Clock:
        """Return the clock domain at one clock input of a cell; that of the cell where nothing drives it."""
        driver = self.nets.wiring.driver(Endpoint(cell.path, port))
        return self.clock_of(cell) if driver is None else self._domain(driver, cell.ports[port])

    def _domain(self, driver: Endpoint | None, load: Port | None = None) -> Clock:
        if driver in self.clocks:
            return self.clocks[driver]
        if driver is None:
            self.clocks[None] = self.engine.clock("clock", DEFAULT_HERTZ)
            return self.clocks[None]
        port = self.nets.wiring.port(driver)
        hertz = (port.frequency if port else None) or (load.frequency if load else None) or DEFAULT_HERTZ
        for clock in self.design.clocks:
            if (clock.cell, clock.port) == tuple(driver) and clock.frequency:
                hertz = clock.frequency
        made = self.engine.clock(f"{driver.cell}/{driver.port}" if driver.cell else driver.port, float(hertz))
        self.clocks[driver] = made
        cell = self.design.cells.get(driver.cell)
        if cell is not None and cell.path != self.design.ps:
            for name, source in _clock_inputs(cell).items():
                above = self.nets.wiring.driver(Endpoint(cell.path, name))
                if above is not None and above != driver:
                    parent = self._domain(above, source)
                    if parent.hertz:
                        self.derived[driver] = (above, float(hertz) / parent.hertz)
                    break
        return made


def _clock_inputs(cell: Cell) -> dict[str, Port]:
    return {name: port for name, port in cell.ports.items() if port.kind == "clk" and port.direction == "I"}
