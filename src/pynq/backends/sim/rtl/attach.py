"""From a built library to a running component: the pins of the module on the clocks, resets, buses and wires
that the description tells of.

:func:`prepare` does everything that needs no engine: manifest, sources, build, comparison of the ports.
:func:`attach` makes the component.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pynq.backends.sim.nets import WIDEST, active_low
from pynq.backends.sim.plant import Plant
from pynq.backends.sim.rtl import build as builder
from pynq.backends.sim.rtl import cache, manifest
from pynq.backends.sim.rtl.buses import answers, pins_of, protocol_of, sends
from pynq.backends.sim.rtl.glue import RtlPort
from pynq.backends.sim.rtl.hierarchy import Stand, collapse, stand_in
from pynq.backends.sim.rtl.log import printer, tell_warnings
from pynq.backends.sim.rtl.naming import CLOCK, RESET, associated, clock_for
from pynq.backends.sim.rtl.ports import Difference, Fit, compare, raise_differences
from pynq.backends.sim.rtl.prepared import ENVIRONMENT, SUFFIX, Built, Prepared, Where, beside
from pynq.backends.sim.rtl.resolve import Block, mapped, resolve
from pynq.backends.sim.rtl.toolchain import ToolMissing
from pynq.design.model import BusInterface, Cell, Design, Endpoint, MemoryRange, Port
from pynq.device.notes import emit
from pynq.errors import RtlBuildError, RtlFallbackWarning

if TYPE_CHECKING:
    from pynq.backends.sim._engine import Rtl

__all__ = ["attach", "prepare"]


def prepare(
    design: Design,
    rtl: Where = None,
    description: Path | None = None,
    *,
    coverage: bool = False,
    modelled: Callable[[Cell], bool] = lambda cell: False,
    chosen: Container[str] = (),
    region: str = "",
) -> Prepared:
    """Find, build and check the RTL of a design.

    ``rtl``: None for the manifest beside the hand-off file (or what ``$PYNQ_RTL`` says), a manifest's path, a
    dictionary (:func:`pynq.backends.sim.rtl.manifest.from_mapping`), or False for none. ``description``: full
    path of the hand-off file, where the design's own may be relative to a folder that was left. ``region``:
    the design is what goes into that region, and the manifest is that of the static design.

    A manifest that nobody asked for, but that lies beside the hand-off file, gives way: to models that the
    program chose for cells (their paths are in ``chosen``; a hierarchy goes with any of its cells), and with
    a warning where a tool (Verilator, a compiler, GHDL) is not installed and all that it is for has models
    (``modelled`` tells).

    Raises :class:`~pynq.errors.RtlBuildError` with everything that is wrong, and
    :class:`~pynq.errors.PortMismatchError` where ports differ.
    """
    table = find(description or Path(design.file), rtl)
    if table is None:
        return Prepared(design)
    if region:
        table = manifest.relative(table, region)
        if any((one.selector, one.pattern) == ("hierarchy", manifest.WHOLE) for one in table.tables):
            design = _wrapped(design, manifest.WHOLE)
    asked_for = rtl is not None or bool(os.environ.get(ENVIRONMENT))
    without = frozenset() if asked_for else frozenset(path for path in design.cells if path in chosen)
    try:
        blocks = resolve(table, design, cache.default_folder(), without, optional=bool(region))
        if not blocks:
            return Prepared(design)
        check = _Check(design, blocks)
        libraries = builder.build([block.sources for block in blocks], coverage=coverage, check=check)
    except ToolMissing as missing:
        paths = list(mapped(table, design, without)[0])
        if asked_for or not all(modelled(cell) for cell in _replaced(design, paths)):
            raise RtlBuildError(str(missing)) from None
        names = ", ".join(paths)
        emit(RtlFallbackWarning(f"no RTL, but models of {names}: {missing}. rtl=False is silent about it"))
        return Prepared(design)
    return check.prepared(libraries)


def _wrapped(design: Design, name: str) -> Design:
    """Return a design for a region with all its cells in one hierarchy, as far as its cells and wires go."""

    def ends(port: Port) -> Port:
        found = tuple(Endpoint(f"{name}/{end.cell}", end.port) if end.cell else end for end in port.peers)
        return port._replace(peers=found)

    def spans(ranges: Iterable[MemoryRange]) -> tuple[MemoryRange, ...]:
        return tuple(replace(one, slave=f"{name}/{one.slave}") if one.slave else one for one in ranges)

    cells = {
        f"{name}/{path}": replace(
            cell,
            path=f"{name}/{path}",
            ports=MappingProxyType({key: ends(port) for key, port in cell.ports.items()}),
            ranges=spans(cell.ranges),
        )
        for path, cell in design.cells.items()
    }
    return replace(
        design,
        cells=MappingProxyType(cells),
        hierarchies=(name, *(f"{name}/{path}" for path in design.hierarchies)),
        ports=MappingProxyType({key: ends(port) for key, port in design.ports.items()}),
        boundary_ranges=spans(design.boundary_ranges),
    )


def _replaced(design: Design, paths: Sequence[str]) -> Iterator[Cell]:
    """The cells that blocks of RTL stand for: those with the paths, or below them."""
    for path, cell in design.cells.items():
        if any(path == one or path.startswith(f"{one}/") for one in paths):
            yield cell


def find(description: Path, rtl: Where) -> manifest.Manifest | None:
    """Return the manifest that is meant; None for no RTL."""
    if rtl is None:
        rtl = os.environ.get(ENVIRONMENT) or None
        if isinstance(rtl, str) and rtl.lower() in ("0", "off", "no", "false"):
            rtl = False
    if rtl is False:
        return None
    if isinstance(rtl, Mapping):
        return manifest.from_mapping(rtl)
    if rtl is None or rtl is True:
        path = beside(description)
        if path is None and rtl is True:
            name = description.with_suffix(SUFFIX).name
            raise RtlBuildError(f"rtl=True, but {name} is not beside {description}")
        return None if path is None else manifest.load(path)
    if not isinstance(rtl, (str, os.PathLike)):
        raise TypeError(f"rtl={rtl!r}: expected a manifest's path, a dictionary, False or None")
    return manifest.load(rtl)


class _Check:
    """Compares the ports of every block, and raises after the last of them."""

    def __init__(self, design: Design, blocks: Sequence[Block]) -> None:
        self._design = design
        self._blocks = blocks
        self._fits: dict[int, Fit | Stand] = {}

    def __call__(self, index: int, ports: tuple[RtlPort, ...]) -> None:
        block = self._blocks[index]
        if block.hierarchy:
            self._fits[index] = stand_in(self._design, block.path, block.table, ports, block.levels)
        else:
            known = {port.name.lower() for port in ports}
            levels = {
                name: level
                for name, level in block.levels.items()
                if name in block.table.tie or name.lower() in known
            }
            described = {name.lower() for name in self._design.cells[block.path].ports}
            # Defaults of an IP-XACT component are for ports that the description leaves out.
            levels = {
                name: level
                for name, level in levels.items()
                if name in block.table.tie or name.lower() not in described
            }
            self._fits[index] = compare(
                self._design.cells[block.path], ports, renamed=block.table.ports, tied=levels
            )
        if len(self._fits) == len(self._blocks):
            raise_differences([self._row(index, fit) for index, fit in sorted(self._fits.items())])

    def _row(self, index: int, fit: Fit | Stand) -> tuple[str, str, str, str, Sequence[Difference]]:
        block = self._blocks[index]
        return block.path, block.sources.top, self._design.file, str(block.table), fit.differences

    def prepared(self, libraries: Sequence[builder.Library]) -> Prepared:
        built: dict[str, Built] = {}
        aliases: dict[Endpoint, Endpoint] = {}
        stands = [fit for _, fit in sorted(self._fits.items()) if isinstance(fit, Stand)]
        for stand in stands:
            aliases.update(stand.aliases)
        design = collapse(self._design, stands)
        for index, (block, library) in enumerate(zip(self._blocks, libraries, strict=True)):
            fit = self._fits[index]
            cell = design.cells[block.path]
            tell_warnings(block.path, library.log)
            names = {name: name for name in cell.ports} if isinstance(fit, Stand) else fit.names
            built[block.path] = Built(cell, block, library, names)
        return Prepared(design, built, aliases)


# -- the component ---------------------------------------------------------------------------------------
def attach(plant: Plant, built: Built, streams: Container[str]) -> Rtl:
    """Make the component of a block in a plant's engine.

    Its ports have the names of the cell's interfaces, and for wires those of the module's pins. ``streams``:
    the nets of streams that lead somewhere.
    """
    return _Attachment(plant, built, streams).component


class _Attachment:
    def __init__(self, plant: Plant, built: Built, streams: Container[str]) -> None:
        self._plant = plant
        self._streams = streams
        self._built = built
        self._cell = built.cell
        self._rtl = {port.name: port for port in built.library.ports}
        self._ports = {
            built.names[name]: port for name, port in built.cell.ports.items() if name in built.names
        }
        self._used: set[str] = set()
        clocks = list(self._clocks())
        self.component = plant.engine.rtl(
            built.cell.path,
            plant.domain_of(built.cell, clocks[0][1]) if clocks else plant.clock_of(built.cell),
            str(built.library.path),
            kind=f"RTL {built.library.top}",
            folders=[str(folder) for folder in built.library.folders],
            log=printer(built.cell.path),
        )
        self._clock_pins = self._add_clocks(clocks)
        self._reset_pins = self._add_resets()
        for interface in built.cell.interfaces.values():
            self._add_bus(interface)
        self._add_wires()
        self.component.begin()

    def _one_bit_inputs(self) -> Iterator[tuple[str, Port]]:
        for pin, port in self._ports.items():
            if self._rtl[pin].direction == "in" and self._rtl[pin].bits == 1:
                yield pin, port

    # -- clocks and resets -----------------------------------------------------------------------------
    def _clocks(self) -> Iterator[tuple[str, str]]:
        """Yield the clock inputs: pin of the module, port of the cell."""
        marked = [(pin, port.name) for pin, port in self._one_bit_inputs() if port.kind == "clk"]
        if marked:
            yield from marked
            return
        # Files before 2016 and modules of one's own may not say which pin is a clock.
        buses = {port for face in self._cell.interfaces.values() for port in face.port_map.values()}
        for pin, port in self._one_bit_inputs():
            if port.kind in ("", "undef") and port.name not in buses and CLOCK.search(port.name):
                yield pin, port.name

    def _add_clocks(self, clocks: Sequence[tuple[str, str]]) -> dict[str, str]:
        for pin, port in clocks:
            self.component.add_clock(pin, self._plant.domain_of(self._cell, port))
            self._used.add(pin)
        return dict(clocks)

    def _add_resets(self) -> dict[str, str]:
        resets: dict[str, str] = {}
        for pin, port in self._one_bit_inputs():
            if pin in self._used:
                continue
            if port.kind == "rst" or (port.kind in ("", "undef") and RESET.search(port.name)):
                self.component.add_reset(pin, active_low=active_low(port.name, port))
                self._used.add(pin)
                resets[pin] = port.name
        return resets

    # -- buses -----------------------------------------------------------------------------------------
    def _add_bus(self, interface: BusInterface) -> None:
        pins = {
            signal: pin
            for signal, pin in pins_of(self._cell, interface, self._built.names).items()
            if pin not in self._used
        }
        protocol = protocol_of(interface, pins)
        if not protocol or not self._clock_pins or not (sends(interface) or answers(interface)):
            return
        name = interface.name
        clock = clock_for(
            self._plant, self._cell, interface, self._clock_pins, self._built.block.associations
        )
        reset = associated(name, clock, self._reset_pins, self._built.block.associations)
        if protocol == "AXIS":
            if interface.net not in self._streams:
                # A stream that leads nowhere takes whatever comes, as Vivado's default of TREADY has it.
                self._level(pins.get("TREADY", ""), int(sends(interface)))
                return
            self.component.add_stream(name, pins, source=sends(interface), clock=clock, reset=reset)
        elif sends(interface):
            self.component.add_master(name, protocol, pins, clock=clock, reset=reset)  # type: ignore[arg-type]
        else:
            self.component.add_slave(name, protocol, pins, clock=clock, reset=reset)  # type: ignore[arg-type]
        self._used |= set(pins.values())

    # -- wires -----------------------------------------------------------------------------------------
    def _add_wires(self) -> None:
        cell, nets = self._cell, self._plant.nets
        levels = {name.lower(): level for name, level in self._built.block.levels.items()}
        for pin, rtl in self._rtl.items():
            if pin in self._used or rtl.direction == "both":
                continue
            port = self._ports.get(pin)
            end = Endpoint(cell.path, port.name) if port is not None else None
            if rtl.direction == "in" and (end is None or nets.wiring.driver(end) is None):
                self._level(pin, levels.get(pin.lower(), 0))
            elif port is None or not (port.peers or port.signal or port.kind == "INTERRUPT"):
                continue  # an output that nobody hears
            elif rtl.bits > WIDEST:
                way = "stays 0" if rtl.direction == "in" else "reaches nobody"
                self._plant.limited.append(
                    f"{cell.path}: {pin} has {rtl.bits} bits, wires at most {WIDEST}: it {way}"
                )
            else:
                self.component.add_pin(pin)
                self._used.add(pin)

    def _level(self, pin: str, level: int) -> None:
        """Give an input a level that stays; 0 is there already."""
        rtl = self._rtl.get(pin)
        if rtl is None or not level or rtl.direction != "in" or rtl.bits > WIDEST or pin in self._used:
            return
        self.component.add_pin(pin)
        self._used.add(pin)
        net = self._plant.nets.loose(self._cell, pin, rtl.bits, level)
        self.component.wire(pin, net)
