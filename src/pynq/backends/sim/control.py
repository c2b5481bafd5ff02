"""What a program does with the time of a simulated board: let it pass, set clocks, disturb, trace. A part of
:class:`SimDevice`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pynq.backends.sim._engine import Engine
from pynq.backends.sim.model import Model
from pynq.backends.sim.plant import Plant
from pynq.design.model import Clock, Endpoint
from pynq.errors import PynqError
from pynq.wording import near

__all__ = ["Controlled"]

_PS = 1_000_000_000_000


class Controlled:
    """Clocks, virtual time, disturbances and traces of a device with a plant."""

    _plant: Plant | None
    _deterministic: bool
    _patience: float

    if TYPE_CHECKING:

        @property
        def plant(self) -> Plant: ...
        @property
        def engine(self) -> Engine: ...

    # -- clocks ----------------------------------------------------------------------------------------
    def clock_rate(self, index: int) -> float:
        """Return the frequency of PL clock ``index`` in Hz."""
        domain = self.plant.clock_of_ps(index)
        return self._clock(index).frequency or 0.0 if domain is None else domain.hertz

    def set_clock_rate(self, index: int, hertz: float) -> float:
        """Set PL clock ``index`` as near as the PS's two 6-bit dividers allow; return the frequency reached
        in Hz.

        The PLL's frequency follows from the description; 0 stops the clock.
        """
        clock = self._clock(index)
        if hertz < 0:
            raise ValueError(f"PL clock {index}: {hertz} Hz")
        reached = _nearest(clock, hertz)
        domain = self.plant.clock_of_ps(index)
        if domain is not None:
            domain.hertz = reached
            self.plant.clock_changed(Endpoint(clock.cell, clock.port), reached)
        return reached

    def _clock(self, index: int) -> Clock:
        plant = self.plant
        found = {clock.index: clock for clock in plant.design.clocks if clock.index is not None}
        if index not in found:
            known = ", ".join(map(str, sorted(found))) or "none"
            raise PynqError(f"{plant.design.label} has no PL clock {index}; it has {known}")
        return found[index]

    # -- time ------------------------------------------------------------------------------------------
    @property
    def deterministic(self) -> bool:
        """True where host time plays no part."""
        return self._deterministic

    @deterministic.setter
    def deterministic(self, value: bool) -> None:
        self._deterministic = bool(value)
        if self._plant is not None:
            self._plant.engine.deterministic = bool(value)

    @property
    def patience(self) -> float:
        """Seconds (host) of quiet after which a wait fails where other threads or tasks could still act."""
        return self._patience

    @patience.setter
    def patience(self, seconds: float) -> None:
        self._patience = float(seconds)
        if self._plant is not None:
            self._plant.engine.patience = float(seconds)

    @property
    def now(self) -> float:
        """Virtual time since the download, in seconds."""
        return self.engine.now / _PS

    @property
    def now_ps(self) -> int:
        """Virtual time since the download, in picoseconds."""
        return self.engine.now

    def cycles(self, clock: str | int = 0) -> int:
        """Return the rising edges so far of a PL clock, by its number or by name (``clk_wiz_0/clk_out1``)."""
        if isinstance(clock, int):
            domain = self.plant.clock_of_ps(clock)
            if domain is not None:
                return domain.cycles
            self._clock(clock)
            return 0
        known = {domain.name: domain for domain in self.plant.clocks.values()}
        if clock not in known:
            raise PynqError(f"no clock {clock!r}; {near(clock, known, 'known:')}")
        return known[clock].cycles

    def run(self, seconds: float | None = None, *, cycles: int | None = None, clock: str | int = 0) -> None:
        """Let virtual time go on: by ``seconds``, by ``cycles`` of a PL clock; without either, until quiet.

        Quiet is when nothing can happen without a stimulus. A model that never rests never is; Ctrl-C stops.
        """
        if seconds is not None and cycles is not None:
            raise ValueError("give seconds or cycles, not both")
        engine = self.engine
        if seconds is not None:
            engine.run(round(seconds * _PS))
        elif cycles is not None:
            engine.run(round(cycles * _PS / self._hertz(clock)))
        else:
            engine.run_until(None)

    def _hertz(self, clock: str | int) -> float:
        if isinstance(clock, int):
            hertz = self.clock_rate(clock)
        else:
            self.cycles(clock)
            hertz = next(domain.hertz for domain in self.plant.clocks.values() if domain.name == clock)
        if not hertz:
            raise PynqError(f"clock {clock!r} stands still")
        return hertz

    def statistics(self) -> dict[str, dict[str, int]]:
        """Return counts of all streams (beats, bytes, packets, queued, ...) and of all masters (reads,
        writes, ...), by name.
        """
        return self.engine.statistics()

    def model(self, path: str) -> Model:
        """Return the Python model of a cell."""
        found = self.plant.models.get(path)
        if found is None:
            raise PynqError(f"{path!r} has no Python model; {near(path, self.plant.models, 'known:')}")
        return found

    def inject(
        self,
        target: str,
        *,
        latency: int = 0,
        response: Literal["", "SLVERR", "DECERR"] = "",
        probability: float = 1.0,
        stall: float = 0.0,
        side: Literal["source", "sink"] = "sink",
        cycles: int = 8,
        base: int = 0,
        high: int = (1 << 64) - 1,
        count: int = -1,
    ) -> None:
        """Disturb the PL, from the seed.

        ``target``: a cell (its registers), a master ("axi_dma_0/M_AXI_S2MM", "PS") or a stream, by a cell's
        interface ("axi_dma_0/S_AXIS_S2MM"). Registers and masters: ``latency`` more cycles, ``response`` with
        ``probability``, for addresses from ``base`` to ``high``, ``count`` times. Streams: with probability
        ``stall`` that ``side`` pauses for up to ``cycles``.
        """
        plant = self.plant
        path, _, interface = target.rpartition("/")
        cell = plant.design.cells.get(path)
        if cell is not None and interface in cell.interfaces:
            link = plant.links.get(cell.interfaces[interface].net)
            if link is not None:
                link.stall(side, stall, cycles)
                return
        try:
            plant.engine.inject(
                target,
                latency=latency,
                response=response,
                probability=probability,
                base=base,
                high=high,
                count=count,
            )
        except KeyError:
            known = [*plant.components, "PS", *map("/".join, plant.spaces)]
            raise PynqError(
                f"nothing to disturb is called {target!r}; {near(target, known, 'known:')}"
            ) from None

    def clear_injections(self) -> None:
        """End all disturbances."""
        self.engine.clear_injections()

    def trace(self, mode: Literal["off", "hash", "list"] = "list") -> None:
        """Record accesses, packets, net edges, interrupts and bursts of RTL masters from now on; read
        :attr:`trace_hash`, which also has the bytes that moved on streams and in bursts, or
        :attr:`trace_events`.
        """
        self.engine.trace(mode)

    @property
    def trace_hash(self) -> int:
        """64 bits over all that was recorded: equal for equal runs."""
        return self.engine.trace_hash

    @property
    def trace_events(self) -> list[tuple[int, str, str, int, int]]:
        """(time in ps, kind, name, a, b): see :meth:`trace`."""
        return self.engine.trace_events


def _nearest(clock: Clock, hertz: float) -> float:
    """Return what two dividers of 1 to 63 make of the PLL that is nearest to ``hertz``."""
    if not hertz:
        return 0.0
    pll = float(clock.frequency or 100_000_000)
    for divisor in clock.divisors:
        pll *= divisor
    if not clock.divisors:
        return hertz
    pairs = {first * second for first in range(1, 64) for second in range(1, 64)}
    return min((pll / product for product in pairs), key=lambda reached: (abs(reached - hertz), reached))
