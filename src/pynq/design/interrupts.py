"""The interrupt tree: which pin of which cell ends at which input of which controller, or of the PS.

The tree is walked from its roots against the direction of the signals: from the interrupt inputs of the PS
(without a PS, of the soft processors), through concatenations and slices, which only arrange bits, to the
pins that make the signals. An ``axi_intc`` found there is a controller, and its own inputs are walked in
turn. The place of a pin is the sum of the widths below it, so vectors and unconnected inputs count as the
hardware counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pynq.design.kinds import DECOUPLERS, is_constant, other_side
from pynq.design.model import (
    Cell,
    CellKind,
    Endpoint,
    InterruptController,
    InterruptPin,
    Processor,
    SourceRef,
)
from pynq.design.topology import Wiring
from pynq.errors import DesignError, Problem

__all__ = [
    "MAX_DEPTH",
    "MAX_STEPS",
    "concat_inputs",
    "ps_input",
    "resolve_interrupts",
    "slice_bounds",
    "str_path",
]

MAX_DEPTH = 64
"""Deepest nesting of concatenations and slices that is followed."""
MAX_STEPS = 50_000
"""Number of wires followed; a concatenation that reads another one twice doubles the paths below it."""


class _Line(NamedTuple):
    """An interrupt input of a PS: the port, its place in the PS's numbering, and the GIC number of each of
    its bits.
    """

    port: str
    place: int
    gic: tuple[int, ...]


# UG585 table 7-4 (shared, PL): IRQF2P[7:0] are 68:61, IRQF2P[15:8] are 91:84. Table 7-3 (private): nFIQ is
# 28, nIRQ 31. The places 16 to 19 are those that the PS wrapper gives the private ones in the PL's vector of
# 20.
_ZYNQ_SHARED = (*range(61, 69), *range(84, 92))
_ZYNQ = (
    _Line("IRQ_F2P", 0, _ZYNQ_SHARED),
    _Line("Core0_nIRQ", 16, (31,)),
    _Line("Core1_nIRQ", 17, (31,)),
    _Line("Core0_nFIQ", 18, (28,)),
    _Line("Core1_nFIQ", 19, (28,)),
)
# PG201, "Interrupt Map": IRQ0[7:0] are 121 to 128, IRQ1[7:0] are 136 to 143; the APU's private ones as in
# Zynq-7000.
_ZYNQMP = (
    _Line("pl_ps_irq0", 0, tuple(range(121, 129))),
    _Line("pl_ps_irq1", 8, tuple(range(136, 144))),
    _Line("pl_ps_apugic_irq", 16, (31,) * 4),
    _Line("pl_ps_apugic_fiq", 20, (28,) * 4),
)
# AM011, "System Interrupts": SPI 84 onwards (GIC 116) are the PL's. Newer devices split them by power domain.
_VERSAL = (
    *(_Line(f"pl_ps_irq{number}", number, (116 + number,)) for number in range(16)),
    *(_Line(f"pl_lpd_irq{number}", number, (136 + number,)) for number in range(8)),
    *(_Line(f"pl_fpd_irq{number}", 8 + number, (175 + number,)) for number in range(8)),
)
_LINES = {Processor.ZYNQ: _ZYNQ, Processor.ZYNQMP: _ZYNQMP, Processor.VERSAL: _VERSAL}

_CASCADE_INPUT = 31
"""Where an ``axi_intc`` in cascade mode has the interrupt of the next one (PG099, "Cascade Mode")."""


class _Source(NamedTuple):
    """A driver found behind an input: where its lowest bit arrives there, and what it passed."""

    offset: int
    end: Endpoint
    aliases: tuple[str, ...]


def resolve_interrupts(
    wiring: Wiring, family: Processor | None, ps: str
) -> tuple[dict[str, InterruptController], dict[str, InterruptPin]]:
    """The interrupt controllers, by path, and the interrupt pins, by ``cell/port``.

    A pin that enters a controller and the PS at once counts as the controller's.

    Raises:
        DesignError: the wires are a tangle beyond :data:`MAX_DEPTH` or :data:`MAX_STEPS`.
    """
    controllers: dict[str, InterruptController] = {}
    pins: dict[str, InterruptPin] = {}
    direct: dict[str, InterruptPin] = {}
    pending: list[str] = []
    tracer = _Tracer(wiring)
    for port, index, gic in _roots(wiring, family, ps):
        for source in tracer.sources(Endpoint(*port)):
            number = gic[source.offset] if source.offset < len(gic) else None
            if _is_controller(wiring, source.end):
                _add_controller(
                    wiring, controllers, pending, source.end.cell, "", index + source.offset, number
                )
            else:
                _add_pin(wiring, direct, source, "", index + source.offset, number)
    # Breadth first, so that a controller that can be reached in two ways keeps the shorter one.
    for path in pending:
        for end, base in ((Endpoint(path, "intr"), 0), (Endpoint(path, "irq_in"), _CASCADE_INPUT)):
            for source in tracer.sources(end, str_path(end)):
                index = base + source.offset
                if _is_controller(wiring, source.end):
                    _add_controller(wiring, controllers, pending, source.end.cell, path, index, None)
                # The output of a cascaded controller is a pin at its parent like any other.
                _add_pin(wiring, pins, source, path, index, None)
    for name, pin in direct.items():
        pins.setdefault(name, pin)
    return controllers, pins


def ps_input(family: Processor, gic: int) -> tuple[str, int, int] | None:
    """Return the PS's input that has a number of the GIC: port, its bit there, and how many it has.

    None for numbers that the PL can't drive, and for the private ones, which each core has.
    """
    for line in _LINES[family]:
        if gic in line.gic and gic >= 32:
            return line.port, line.gic.index(gic), len(line.gic)
    return None


def str_path(end: Endpoint) -> str:
    """``cell/port``, or the port alone for one of the design's own."""
    return f"{end.cell}/{end.port}" if end.cell else end.port


def _roots(
    wiring: Wiring, family: Processor | None, ps: str
) -> Iterator[tuple[tuple[str, str], int, tuple[int, ...]]]:
    """The interrupt inputs of the processor: (cell, port), its place, the GIC number of each bit."""
    if family is not None:
        cell = wiring.cells[ps]
        for line in _LINES[family]:
            port = cell.ports.get(line.port)
            if port is None:
                continue
            gic = line.gic
            if line.port == "IRQ_F2P" and _reversed(cell.parameters):
                # The wrapper then connects the vector to the upper end of the 16 lines (processing_system7,
                # PG082).
                gic = gic[16 - port.width :] if port.width <= 16 else gic
            yield (ps, line.port), line.place, gic
        return
    for path, cell in wiring.cells.items():
        if cell.kind is CellKind.SOFT_PROCESSOR:
            for name in ("Interrupt", "INTERRUPT", "irq", "IRQ"):
                if name in cell.ports:
                    yield (path, name), 0, ()
        elif cell.type_name == "xdma" and "usr_irq_req" in cell.ports:
            # A card's lines are the bits of this input (PG195, "Interrupts").
            yield (path, "usr_irq_req"), 0, tuple(range(cell.ports["usr_irq_req"].width))


def _reversed(parameters: Mapping[str, str]) -> bool:
    return (parameters.get("PCW_IRQ_F2P_MODE") or parameters.get("C_IRQ_F2P_MODE")) == "REVERSE"


def _is_controller(wiring: Wiring, end: Endpoint) -> bool:
    cell = wiring.cells.get(end.cell)
    return cell is not None and cell.type_name == "axi_intc" and end.port == "irq"


class _Tracer:
    """Follows wires against their direction, within bounds that no real design comes near."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._steps = 0
        self._drivers: dict[Endpoint, Endpoint | None] = {}
        self._inputs: dict[str, list[str]] = {}

    def sources(self, end: Endpoint, *aliases: str) -> Iterator[_Source]:
        """What drives the bits of an input, lowest bit first."""
        return self._sources(end, 0, aliases, ())

    def _sources(
        self, end: Endpoint, offset: int, aliases: tuple[str, ...], passed: tuple[Endpoint, ...]
    ) -> Iterator[_Source]:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise self._refusal(end, f"lead to more than {MAX_STEPS} wires")
        wiring = self._wiring
        # Looked up once: a tangle comes along the same wires again and again.
        if end not in self._drivers:
            self._drivers[end] = wiring.driver(end)
        driver = self._drivers[end]
        if driver is None or driver in passed:
            return
        cell = wiring.cells.get(driver.cell)
        name = cell.type_name if cell is not None else ""
        if cell is None:
            yield _Source(offset, driver, aliases)
        elif name in ("xlconcat", "ilconcat", "xlslice", "ilslice"):
            if len(passed) == MAX_DEPTH:
                raise self._refusal(end, f"pass through concatenations nested deeper than {MAX_DEPTH}")
            passed = (*passed, driver)
            if name.endswith("concat"):
                if cell.path not in self._inputs:
                    self._inputs[cell.path] = concat_inputs(cell)
                for port in self._inputs[cell.path]:
                    inner = Endpoint(cell.path, port)
                    yield from self._sources(inner, offset, (*aliases, str_path(inner)), passed)
                    offset += cell.ports[port].width
            else:
                low, high = slice_bounds(cell)
                for source in self._sources(Endpoint(cell.path, "Din"), 0, aliases, passed):
                    if low <= source.offset <= high:
                        yield source._replace(offset=offset + source.offset - low)
        elif name in DECOUPLERS and other_side(driver.port) in cell.ports:
            if len(passed) == MAX_DEPTH:
                raise self._refusal(end, f"pass through decouplers nested deeper than {MAX_DEPTH}")
            inner = Endpoint(cell.path, other_side(driver.port))
            yield from self._sources(inner, offset, (*aliases, str_path(inner)), (*passed, driver))
        elif not is_constant(cell):
            yield _Source(offset, driver, aliases)

    def _refusal(self, end: Endpoint, reason: str) -> DesignError:
        port = self._wiring.port(end)
        message = f"the interrupts at {str_path(end)!r} {reason}"
        return DesignError([Problem(self._wiring.file, port.line if port is not None else 0, message)])


def concat_inputs(cell: Cell) -> list[str]:
    """The inputs of a concatenation, lowest bits first: ``In0``, ``In1``, ..."""
    inputs = [
        name for name in cell.ports if name[:2] in ("In", "in") and name[2:].isdecimal() and len(name) < 8
    ]
    return sorted(inputs, key=lambda name: int(name[2:]))


def slice_bounds(cell: Cell) -> tuple[int, int]:
    """Lowest and highest bit that a slice passes on."""
    bounds = [cell.parameters.get(key, "") for key in ("DIN_TO", "DIN_FROM")]
    low, high = (int(text) if text.isdecimal() and len(text) < 8 else 0 for text in bounds)
    return min(low, high), max(low, high)


def _add_controller(
    wiring: Wiring,
    controllers: dict[str, InterruptController],
    pending: list[str],
    path: str,
    parent: str,
    index: int,
    gic: int | None,
) -> None:
    if path not in controllers:
        controllers[path] = InterruptController(path, parent, index, gic, wiring.cells[path].source)
        pending.append(path)


def _add_pin(
    wiring: Wiring,
    pins: dict[str, InterruptPin],
    source: _Source,
    controller: str,
    index: int,
    gic: int | None,
) -> None:
    end = source.end
    path = str_path(end)
    port = wiring.port(end)
    if path in pins or port is None:
        return
    pins[path] = InterruptPin(
        path=path,
        cell=end.cell,
        port=end.port,
        controller=controller,
        index=index,
        gic=gic,
        sensitivity=port.sensitivity,
        aliases=source.aliases,
        # Cells of a region come from a file of their own.
        source=SourceRef(wiring.cells[end.cell].source.file if end.cell else wiring.file, port.line),
    )
