"""The simulated board as a device: what a program uses where there is no board."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pynq._native import Arena, Window
from pynq.backends.sim import models as builtin_models
from pynq.backends.sim import swap
from pynq.backends.sim._engine import Engine, Net, Rtl
from pynq.backends.sim.assembly import assemble
from pynq.backends.sim.board import Board
from pynq.backends.sim.control import Controlled
from pynq.backends.sim.farewell import at_exit
from pynq.backends.sim.lines import SimInterruptLine, SimPin
from pynq.backends.sim.model import Model, models
from pynq.backends.sim.observe import Observed
from pynq.backends.sim.plant import Plant
from pynq.backends.sim.rtl.door import prepare
from pynq.backends.sim.rtl.prepared import SUFFIX, Where, beside
from pynq.backends.sim.serve import Serving
from pynq.design.model import Cell, Design, Endpoint
from pynq.design.partial import empty
from pynq.device.base import Device
from pynq.device.contract import Block
from pynq.device.notes import emit
from pynq.errors import (
    OverlayNotLoadedError,
    PynqError,
    RegionError,
    UnmodelledIPWarning,
    UnsupportedByDeviceError,
)

__all__ = ["SimDevice"]

_DDR = 512 << 20
_RESET_CYCLES = 80  # PG164: the last reset ends 3 x 16 cycles after the first, which waits for the filters
_EMIO = {
    "i": ("GPIO_I", "emio_gpio_i", "LPD_GPIO_i"),
    "o": ("GPIO_O", "emio_gpio_o", "LPD_GPIO_o"),
    "t": ("GPIO_T", "emio_gpio_t", "LPD_GPIO_t"),
}


class SimDevice(Controlled, Observed, Serving, Device):
    """A board that exists in this process: the PL of any design with a PS, DDR, interrupts, EMIO, clocks.

    ``deterministic``: host time plays no part, and the same program gives the same trace bit for bit;
    otherwise the PL goes on while the program sleeps. ``seed``: of everything random. ``ddr``: bytes of DDR,
    the upper half for buffers. ``access_cycles``: what a register access costs, in cycles of the IP's clock.
    ``coverage``: folder for the counts of lines and toggles of RTL (default: $PYNQ_COVERAGE, or not counted).
    ``patience``: seconds (host) after which a wait in a quiet PL fails where other threads or tasks could
    still act. ``models`` gives cells their model by path, before those bound by type and before RTL
    that is merely found beside the hand-off file. ``rtl`` says what is RTL in all designs for which
    ``Overlay`` is not told: a manifest's path, a dictionary, or False.
    """

    needs_bitstream = False
    takes_rtl = True

    def __init__(
        self,
        name: str = "sim:",
        *,
        deterministic: bool = False,
        seed: int = 0,
        ddr: int = _DDR,
        access_cycles: int = 16,
        patience: float = 2.0,
        models: Mapping[str, type[Model]] | None = None,
        rtl: Where = None,
        coverage: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(name, coverage=coverage)
        if ddr < 1 << 20 or ddr % (1 << 20):
            raise ValueError(f"ddr={ddr}: expected a multiple of 1 MiB")
        self._deterministic = deterministic
        self._seed = seed
        self._ddr_size = ddr
        self._access_cycles = access_cycles
        self._patience = patience
        self._chosen = dict(models or {})
        self._rtl = rtl
        self._whole_rtl: tuple[Where, Path | None] = (
            None,
            None,
        )  # what the design on the board was made with
        self._ddr_fd = -1
        self._arena: Arena | None = None
        self._plant: Plant | None = None
        self._board: Board | None = None
        self._ears: set[Callable[[], None]] = set()
        #: naps of :meth:`SimInterruptLine.wait_async` by event loop
        self.naps: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, int] = weakref.WeakKeyDictionary()
        self._lock = threading.RLock()
        self._swapping = threading.Lock()
        self._closed = False

    # -- must ------------------------------------------------------------------------------------------
    def open(self) -> None:
        """Make the DDR. Called before the first use; a second call does nothing."""
        with self._lock:
            if self._arena is None and not self._closed:
                at_exit(self)
                self._ddr_fd = os.memfd_create(f"pynq-sim:{self.name}", os.MFD_CLOEXEC)
                self._forget_ddr = weakref.finalize(self, os.close, self._ddr_fd)
                os.ftruncate(self._ddr_fd, self._ddr_size)
                half = self._ddr_size // 2
                label = f"DDR of {self.name.rstrip(':')}"
                self._arena = Arena(self._ddr_fd, half, self._ddr_size - half, half, True, label)

    def close(self) -> None:
        """End the simulation.

        Blocks still held stay what they are; their memory goes with the last of them.
        """
        self._end_of_service()
        with self._lock:
            self._closed = True
            self._download = None
            self._unload(f"device {self.name!r} was closed")
            self._arena = None
            self.design = None
            if self._ddr_fd >= 0:
                self._forget_ddr()
                self._ddr_fd = -1

    def _unload(self, reason: str = "") -> None:
        self._end_of_observation()
        plant, self._plant, self._board = self._plant, None, None
        if plant is not None:
            plant.engine.close(reason)

    def map(self, base: int, length: int) -> Window:
        """Return a window on registers or memory that the PS reaches."""
        engine = self.engine
        bus: Any = engine.bus  # a capsule
        return Window.from_bus(bus, base, length, keep=engine)

    def allocate_block(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> Block:
        """Return zeroed memory that both sides see. The simulated board is coherent.

        From the upper half of the PS's DDR, or from the memory of the design that ``target`` is: its name
        (``ddr4_0``), its entry in ``mem_dict``, or an object with ``base_address`` or ``base``.
        """
        self.open()
        if self._arena is None:
            raise OverlayNotLoadedError(f"device {self.name!r} is closed")
        if target is None or target is self:
            return self._main_arena().allocate(nbytes)
        return self._arena_of(target).allocate(nbytes)

    def _main_arena(self) -> Arena:
        """Return where blocks come from whose memory nobody chose: the PS's DDR, or a card's first bank."""
        assert self._arena is not None
        if self._plant is not None and self._plant.design.format == "xclbin":
            for memory in self._plant.design.memories:
                if memory.used and memory.base in self._plant.reach:
                    return self._arena_of(memory.name)
        return self._arena

    def _arena_of(self, target: Any) -> Arena:
        """Return where the blocks of one of the design's memories come from."""
        assert self._arena is not None
        plant = self.plant
        if isinstance(target, str):
            bases = [memory.base for memory in plant.design.memories if memory.name == target]
        elif isinstance(target, Mapping):
            bases = [target.get("phys_addr", -1)]
        else:
            bases = [getattr(target, "base_address", getattr(target, "base", -1))]
        found = plant.reach.get(bases[0]) if bases else None
        if bases == [0] and (found is None or found[1] is plant.ddr):
            return self._arena  # the PS's DDR
        if found is None:
            names = [memory.name for memory in plant.design.memories]
            raise UnsupportedByDeviceError(
                f"device {self.name!r} has no memory {target!r} for buffers; {plant.design.label} has "
                f"{', '.join(names) or 'none'}"
            )
        high, memory, offset = found
        key = (memory.name, bases[0])
        if key not in plant.arenas:
            size = high + 1 - bases[0]
            plant.arenas[key] = Arena(memory.fd, offset, size, bases[0], True, memory.name)
        return plant.arenas[key]

    def _has_model(self, cell: Cell, path: str = "") -> bool:
        return (path or cell.path) in self._chosen or models.find(cell.vlnv, cell.type) is not None

    def download(
        self,
        design: Design,
        bitstream: Path | None,
        *,
        partial: bool = False,
        dtbo: Path | None = None,
        rtl: Where = None,
        description: Path | None = None,
        region: str = "",
    ) -> None:
        """Build the PL that a design describes and let it come out of reset; bitstream and device tree are
        not needed.

        ``rtl``: what of it is RTL, as ``Overlay`` takes it; None: what the device was made with, or the
        manifest beside ``description`` (default: the design's file). It is built before anything that runs is
        touched.

        A partial one exchanges the contents of a region while the rest goes on; ``rtl`` and ``description``
        are then those of the partial design. That takes as long as the bitstream has bytes at 400 MB/s of
        virtual time, 0.5 ms where there is none; see :func:`pynq.backends.sim.swap.swap` for what happens
        meanwhile, and after a failure.

        Raises :class:`DesignError` for a design that can't be built (ranges that overlap, a combinational
        loop), and :class:`RtlBuildError` where RTL can't be. Warns once with what has no model.
        """
        builtin_models.load()
        if partial:
            self._download_partial(design, bitstream, region, rtl, description)
            return
        self.open()
        counted = self._coverage_folder is not None
        prepared = prepare(
            design,
            self._rtl if rtl is None else rtl,
            description,
            coverage=counted,
            modelled=self._has_model,
            chosen=self._chosen,
        )
        with self._lock:
            if self._closed:
                raise OverlayNotLoadedError(f"device {self.name!r} is closed")
            engine = Engine(
                self._seed,
                deterministic=self._deterministic,
                access_cycles=self._access_cycles,
                patience=self._patience,
            )
            try:
                ddr = engine.memory("DDR", self._ddr_size, fd=self._ddr_fd)
                plant = assemble(
                    prepared.design, engine, ddr, models, self._chosen, self._seed, prepared.built
                )
                plant.aliases.update(prepared.aliases)
                board = Board(plant)
                self._observe_from_the_start(plant)
                self._release_resets(plant)
            except BaseException:
                engine.close()
                raise
            if self._plant is not None:
                before, after = self._plant.design.label, design.label
                again = (
                    "was loaded again on"
                    if before == after
                    else f"is no longer loaded: {after!r} was loaded on"
                )
                self._unload(f"design {before!r} {again} device {self.name!r}; make this object anew")
            self._plant, self._board = plant, board
            self.design = design
            self._whole_rtl = (self._rtl if rtl is None else rtl, description or Path(design.file))
            if self._ears:
                engine.on_stimulus(self._heard)
            self._download = functools.partial(
                self.download, design, bitstream, rtl=rtl, description=description
            )
            self._configured(plant)
        parts = (
            [f"no model, only a register file each: {', '.join(plant.unmodelled)}"]
            if plant.unmodelled
            else []
        )
        self._tell(design.label, parts + plant.limited, design.file)

    def _download_partial(
        self, design: Design, bitstream: Path | None, region: str, rtl: Where, description: Path | None
    ) -> None:
        if region not in design.partials:
            raise RegionError(
                f"device {self.name!r} needs to know the region of a partial bitstream: "
                "overlay.pr_download(region, partial) or overlay.region.download(partial)"
            )
        partial = design.partials[region]
        counted = self._coverage_folder is not None
        within = ""
        if rtl is None and beside(description or Path(partial.file)) is None:
            # Nothing is said of the partial design by itself: what the static one's manifest says of it.
            within, (rtl, description) = region, self._whole_rtl
        elif rtl is None and self._rtl is False:
            rtl = False
        prepared = prepare(
            partial,
            rtl,
            description,
            modelled=lambda cell: self._has_model(cell, f"{region}/{cell.path}"),
            coverage=counted,
            chosen=[path[len(region) + 1 :] for path in self._chosen if path.startswith(f"{region}/")],
            region=within,
        )
        if not self._swapping.acquire(blocking=False):
            raise PynqError(f"device {self.name!r} is being reconfigured by another thread; try again later")
        try:
            plant = self.plant
            if plant.design.file != design.file:
                raise OverlayNotLoadedError(
                    f"{design.label!r} is not loaded on device {self.name!r}, which holds "
                    f"{plant.design.label!r}: nothing can be downloaded into region {region}"
                )
            nbytes = bitstream.stat().st_size if bitstream is not None else None
            duration = swap.configuration_time(nbytes)
            done = False
            self._write_coverage()  # of what is about to go, too
            try:
                notes = swap.swap(plant, region, prepared, duration, models, self._chosen)
                done = True
            finally:
                self._directory = None
                if self._plant is plant and done:
                    self.design = design
                elif self._plant is plant and region not in plant.design.partials:
                    self.design = empty(design, region)
        finally:
            self._swapping.release()
        self._tell(f"{design.label}, region {region}", notes, partial.file)

    @staticmethod
    def _tell(where: str, parts: list[str], file: str) -> None:
        """Warn of what is not modelled, if anything."""
        if parts:
            text = (
                f"{where}: {'; '.join(parts)}. A pynq.sim.Model brings one to life, or its own RTL, "
                f"named in {Path(file).stem}{SUFFIX}."
            )
            emit(UnmodelledIPWarning(text))

    @staticmethod
    def _release_resets(plant: Plant) -> None:
        periods = [clock.period for clock in plant.clocks.values() if clock.period]
        plant.engine.run(_RESET_CYCLES * max(periods, default=10_000))

    # -- may -------------------------------------------------------------------------------------------
    def interrupt_line(self, number: int) -> SimInterruptLine:
        """Return the PS interrupt of that GIC number.

        Raises :class:`PynqError` for one that the design doesn't connect.
        """
        plant = self.plant
        irq = plant.irqs.get(number)
        if irq is None:
            known = ", ".join(map(str, sorted(plant.irqs))) or "none"
            raise PynqError(f"{plant.design.label}: no PS interrupt {number}; connected: {known}")
        return SimInterruptLine(self, plant.engine, irq)

    def interrupt_probe(self, pin: str) -> Callable[[], tuple[int, int]] | None:
        """Return a function giving (level, rising edges so far) of the pin "cell/port"; None for an
        unknown pin.
        """
        net = self._net_of(pin)
        return None if net is None else lambda: (net.value & 1, net.edges())

    def interrupt_from_outside(self, pin: str) -> bool:
        """Return whether a pin of the board, driven by somebody, could raise the interrupt of "cell/port"."""
        cell, _, port = pin.rpartition("/")
        return self._plant is not None and self._plant.hears_board(Endpoint(cell, port))

    def pin(self, index: int, direction: str) -> SimPin:
        """Return EMIO GPIO ``index`` of the PS; ``direction`` is "in" or "out"."""
        if direction not in ("in", "out"):
            raise ValueError(f"direction {direction!r}: expected 'in' or 'out'")
        plant = self.plant
        cell = plant.design.cells.get(plant.design.ps)
        ports = {
            kind: next((name for name in names if cell and name in cell.ports), "")
            for kind, names in _EMIO.items()
        }
        wanted = ports["o" if direction == "out" else "i"]
        if cell is None or not wanted:
            raise UnsupportedByDeviceError(f"{plant.design.label} brings no EMIO GPIO to the PL")
        width = cell.ports[wanted].width
        if not 0 <= index < width:
            raise PynqError(f"EMIO GPIO {index}: {plant.design.label} connects 0 to {width - 1}")
        tri = plant.nets.bit_of(Endpoint(cell.path, ports["t"]), index)
        end = Endpoint(cell.path, wanted)
        if direction == "out":
            return SimPin(plant.engine, plant.nets.bit_of(end, index), tri, True)
        return SimPin(plant.engine, plant.nets.bit_into(end, index), tri, False)

    def explain(self, what: str) -> str:
        """Return one sentence on why something does not go on: "axi_dma_0/S2MM",
        "axi_dma_0/s2mm_introut", "axi_dma_0".
        """
        if self._plant is None:
            return ""
        plant, engine = self._plant, self._plant.engine
        if not what or what in plant.components:
            return engine.explain(what or None)
        path, _, channel = what.rpartition("/")
        ports = plant.design.cells[path].ports if path in plant.design.cells else {}
        if channel in ports and (net := self._net_of(what)) is not None:
            return engine.explain(net)
        return engine.explain(path, channel) if path in plant.components else ""

    # -- the simulation --------------------------------------------------------------------------------
    @property
    def plant(self) -> Plant:
        """What was built from the design. Raises :class:`OverlayNotLoadedError` before the first download."""
        plant = self._plant
        if plant is None:
            state = "is closed" if self._closed else "holds no design yet: load an overlay first"
            raise OverlayNotLoadedError(f"device {self.name!r} {state}")
        return plant

    @property
    def rtl(self) -> Mapping[str, Rtl]:
        """What of the loaded design is RTL: components by path of cell or hierarchy; none before a download.

        A component tells ``library``, ``cycles_run``, ``module_ports()``, and can ``stall`` a bus.
        """
        return MappingProxyType(self._plant.rtl if self._plant is not None else {})

    @property
    def engine(self) -> Engine:
        """The engine that runs the PL."""
        return self.plant.engine

    @property
    def board(self) -> Board:
        """The pins on the board's side: ``device.board.drive("btns_4bits_tri_i", 0b0010)``."""
        board = self._board
        if board is None:
            raise OverlayNotLoadedError(f"device {self.name!r} holds no design: its board has no pins yet")
        return board

    # -- for the waits in event loops ------------------------------------------------------------------
    @contextlib.contextmanager
    def listening(self, ring: Callable[[], None]) -> Iterator[None]:
        """Call ``ring`` at every stimulus inside the block; from any thread."""
        engine = self.engine
        with self._lock:
            self._ears.add(ring)
            engine.on_stimulus(self._heard)
        try:
            yield
        finally:
            with self._lock:
                self._ears.discard(ring)

    def _heard(self) -> None:
        for ring in tuple(self._ears):
            ring()

    def _net_of(self, pin: str) -> Net | None:
        plant = self.plant
        cell, _, port = pin.rpartition("/")
        end = plant.aliases.get(Endpoint(cell, port), Endpoint(cell, port))
        found = plant.nets.wiring.port(end)
        if found is None:
            return None
        return plant.nets.of(end) if plant.nets.wiring.drives(end) else plant.nets.into(end)

    def __repr__(self) -> str:
        text = super().__repr__()
        plant = self._plant
        return text if plant is None or not plant.rtl else f"{text[:-1]}, RTL: {', '.join(plant.rtl)}>"
