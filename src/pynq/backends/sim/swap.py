"""Partial reconfiguration on the simulated board: the contents of a region change while the rest goes on.

Everything of a region is known by its paths, so nothing is kept in books: what lies below the region's path
goes, what the new design has below it comes. Nets and links on the boundary belong to the static part; they
stay, and so does what is queued in them towards the region.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from pynq._native import Arena
from pynq.backends.sim._engine import Clock, Component, Engine, Link, Memory, Net, Rtl, Space
from pynq.backends.sim.assembly import Assembly
from pynq.backends.sim.model import Model, ModelRegistry, moment
from pynq.backends.sim.plant import Plant
from pynq.backends.sim.rtl.prepared import Built, Prepared
from pynq.design.model import Design, Endpoint
from pynq.design.partial import empty, inside, merge, regions
from pynq.device.notes import emit
from pynq.errors import PynqError, PynqWarning

__all__ = ["configuration_time", "swap"]

RATE = 400_000_000
"""Bytes a second that configure the PL: 32 bits at 100 MHz, what ICAP and PCAP reach (UG470, UG585)."""
UNKNOWN = 200_000
"""Bytes of a partial bitstream that is not there: a small region of a Zynq-7000."""

K = TypeVar("K")
V = TypeVar("V")
_PS = 1_000_000_000_000


def configuration_time(nbytes: int | None) -> int:
    """Return how long a partial bitstream of that size takes, in picoseconds of virtual time."""
    return (UNKNOWN if nbytes is None else nbytes) * (_PS // RATE)


def swap(
    plant: Plant,
    region: str,
    partial: Prepared,
    duration: int,
    registry: ModelRegistry,
    chosen: Mapping[str, type[Model]],
) -> list[str]:
    """Exchange the contents of a region for those of a partial design, in ``duration`` picoseconds.

    During that time accesses to the region raise :class:`~pynq.errors.BusError`, its streams stand still and
    its outputs idle; everything else goes on. Returns what has no model, for a warning.

    Raises whatever the new contents can't be built with; the old ones then go on as if nothing had happened.
    What fails later (the running board, Ctrl-C) leaves the region empty, and accesses say why.
    """
    engine = plant.engine
    design = merge(plant.design, region, partial.design)
    rtl = {
        path: replace(built, cell=design.cells[path], block=replace(built.block, path=path))
        for path, built in ((f"{region}/{path}", built) for path, built in partial.built.items())
    }
    with _held(engine):
        until = engine.now + duration
        old = _Contents.set_aside(plant, region)
        try:
            assembly, notes = _create(plant, design, region, registry, chosen, rtl)
        except BaseException:
            _Contents.set_aside(plant, region).take_out(plant, nets=False)
            old.put_back(plant)
            raise
        with _cleared_on_failure(plant, region):
            why = f"region {region} is being reconfigured (until {moment(until)})"
            for component in old.components.values():
                component.refusal = why
            old.take_out(plant)
            blank = _blank(assembly, why)
            plant.nets.part(region)  # listeners outside hear of it, and may look at the region
    with _cleared_on_failure(plant, region):
        while engine.now < until:
            engine.run(until - engine.now)
        with _held(engine):
            engine.take_out([blank])
            for end, place in partial.aliases.items():
                plant.aliases[_within(region, end)] = _within(region, place)
            unknown = len(plant.limited)
            _connect(plant, assembly, region)
            notes += plant.limited[unknown:]
            del plant.limited[unknown:]
    return notes


def _within(region: str, end: Endpoint) -> Endpoint:
    return Endpoint(f"{region}/{end.cell}", end.port)


@contextmanager
def _cleared_on_failure(plant: Plant, region: str) -> Iterator[None]:
    """Leave the region empty, and say why to whoever uses it, if something fails."""
    try:
        yield
    except BaseException as error:
        if not plant.engine.closed:
            with _held(plant.engine):
                _clear(plant, region, error)
        raise


@contextmanager
def _held(engine: Engine) -> Iterator[None]:
    """Keep other threads out of the engine for a moment."""
    engine.hold()
    try:
        yield
    finally:
        engine.let_go()


@dataclass
class _Contents:
    """What a region holds: the part of each table of the plant that lies below the region's path."""

    region: str
    design: Design
    components: dict[str, Component]
    models: dict[str, Model]
    clocks: dict[Endpoint | None, Clock]
    derived: dict[Endpoint, tuple[Endpoint, float]]
    memories: dict[str, Memory]
    spaces: dict[tuple[str, str], Space]
    links: dict[str, Link]
    reach: dict[int, tuple[int, Memory, int]]
    arenas: dict[tuple[str, int], Arena]
    rtl: dict[str, Rtl]
    aliases: dict[Endpoint, Endpoint]
    initial: dict[Endpoint, int]

    @classmethod
    def set_aside(cls, plant: Plant, region: str) -> _Contents:
        """Take what a region holds out of the plant's tables; in the engine it goes on, without names."""

        def mine(path: str) -> bool:
            return inside(path, region)

        memories = _pop(plant.memories, mine)
        gone = set(memories)
        found = cls(
            region,
            plant.design,
            _pop(plant.components, mine),
            _pop(plant.models, mine),
            _pop(plant.clocks, lambda end: end is not None and mine(end.cell)),
            _pop(plant.derived, lambda end: mine(end.cell)),
            memories,
            _pop(plant.spaces, lambda key: mine(key[0])),
            _pop(plant.links, lambda net: net.startswith(f"{region}/")),
            {base: plant.reach.pop(base) for base in list(plant.reach) if plant.reach[base][1].name in gone},
            _pop(plant.arenas, lambda key: key[0] in gone),
            _pop(plant.rtl, mine),
            _pop(plant.aliases, lambda end: mine(end.cell)),
            _pop(plant.nets.initial, lambda end: mine(end.cell)),
        )
        plant.engine.bench(found.components.values(), True)
        return found

    def put_back(self, plant: Plant) -> None:
        """Undo :meth:`set_aside`."""
        plant.engine.bench(self.components.values(), False)
        plant.components.update(self.components)
        plant.models.update(self.models)
        plant.clocks.update(self.clocks)
        plant.derived.update(self.derived)
        plant.memories.update(self.memories)
        plant.spaces.update(self.spaces)
        plant.links.update(self.links)
        plant.reach.update(self.reach)
        plant.arenas.update(self.arenas)
        plant.rtl.update(self.rtl)
        plant.aliases.update(self.aliases)
        plant.nets.initial.update(self.initial)
        _redesign(plant, self.design)

    def take_out(self, plant: Plant, nets: bool = True) -> None:
        """End it for good, with the region's ``nets``.

        A model that fails on its way out is reported, and goes all the same.
        """
        parts: list[Component | Net | Link | Space | Memory | Clock] = [
            *self.components.values(),
            *self.clocks.values(),
            *self.memories.values(),
            *self.spaces.values(),
            *self.links.values(),
            *(plant.nets.leave(self.region) if nets else ()),
        ]
        try:
            plant.engine.take_out(parts)
        except PynqError as error:
            emit(PynqWarning(f"region {self.region}: {error}, while it was taken out"))


def _pop(table: dict[K, V], test: Callable[[K], bool]) -> dict[K, V]:
    """Take the entries whose keys pass a test out of a table."""
    return {key: table.pop(key) for key in list(table) if test(key)}


def _redesign(plant: Plant, design: Design) -> None:
    plant.design = design
    plant.nets.redesign(design)


def _create(
    plant: Plant,
    design: Design,
    region: str,
    registry: ModelRegistry,
    chosen: Mapping[str, type[Model]],
    rtl: Mapping[str, Built] | None = None,
) -> tuple[Assembly, list[str]]:
    """Make the new contents, not connected to anything yet; the old ones go on meanwhile."""
    limits, unknown = len(plant.limited), len(plant.unmodelled)
    _redesign(plant, design)
    try:
        assembly = Assembly(plant, registry, chosen, region, rtl)
        assembly.create()
        names = plant.unmodelled[unknown:]
        notes = [f"no model, only a register file each: {', '.join(names)}"] if names else []
        return assembly, notes + plant.limited[limits:]
    finally:
        del plant.limited[limits:], plant.unmodelled[unknown:]


def _blank(assembly: Assembly, why: str) -> Component:
    """Let the region's addresses and streams tell why it does not work now."""
    plant, region = assembly.plant, assembly.region
    blank = plant.engine.host(region, plant.clock_of(regions(plant.design)[region]), kind="region")
    blank.add_slave("")
    blank.refusal = why
    assembly.memory_map.map_to(blank)
    _tell_streams(plant, region, why)
    return blank


def _tell_streams(plant: Plant, region: str, why: str) -> None:
    """Let those who wait for a stream of the region know why nothing comes or goes; "": it does."""
    for interface in regions(plant.design)[region].interfaces.values():
        link = plant.links.get(interface.net)
        if link is not None:
            link.vacancy = why


def _connect(plant: Plant, assembly: Assembly, region: str) -> None:
    """Join the new contents with the rest, and let them come out of reset."""
    plant.nets.loaded = False
    try:
        assembly.create_rtl()
        assembly.connect()
        plant.nets.join(region)
    finally:
        plant.nets.loaded = True
    _tell_streams(plant, region, "")
    for path in assembly.cells:
        if path in plant.components and path not in plant.models:
            plant.components[path].reset()
    assembly.begin()


def _clear(plant: Plant, region: str, error: BaseException) -> None:
    """Leave the region empty: what its cell in the static design stands for, which refuses every access."""
    with suppress(KeyError):  # the blank of a reconfiguration that was broken off
        plant.engine.take_out([plant.engine.find(region)])
    _Contents.set_aside(plant, region).take_out(plant)
    plant.nets.part(region)
    assembly, _ = _create(plant, empty(plant.design, region), region, ModelRegistry(), {})
    assembly.connect()
    plant.nets.join(region)
    plant.nets.loaded = True
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    why = f"region {region} is empty, since its reconfiguration failed ({reason})"
    for path, component in plant.components.items():
        if inside(path, region):
            component.refusal = why
    _tell_streams(plant, region, why)
