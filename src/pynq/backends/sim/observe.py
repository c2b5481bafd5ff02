"""What a simulated board lets be seen: signals by name, waves, coverage. A part of :class:`SimDevice`."""

from __future__ import annotations

import atexit
import os
import re
import time
import warnings
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pynq.backends.sim import _engine
from pynq.backends.sim.coverage import Coverage
from pynq.backends.sim.plant import Plant
from pynq.backends.sim.signals import Directory, Signal, SignalScope
from pynq.backends.sim.waves import (
    Moment,
    TriggerSpec,
    WaveRecording,
    Waves,
    moment,
    plan_file,
    plan_memory,
)
from pynq.errors import PynqError, PynqWarning
from pynq.waves import Waveform, read_waves

if TYPE_CHECKING:
    from pynq.waveplot import WavePlot

__all__ = ["Observed"]

_counting: weakref.WeakSet[Observed] = weakref.WeakSet()

_Kind = TypeVar("_Kind", bound=Waves)

Signals = str | Signal | Iterable[str | Signal]


class Observed:
    """Signals, waves and coverage of a device with a plant."""

    _plant: Plant | None
    _closed: bool

    def __init__(self, *args: Any, coverage: str | os.PathLike[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        where = coverage if coverage is not None else os.environ.get("PYNQ_COVERAGE") or None
        self._coverage_folder = None if where is None else Path(where).absolute()
        self._directory: Directory | None = None
        self._recordings: list[Waves] = []
        self._runs: dict[str, tuple[_engine.Rtl, str]] = {}  # cell -> what counts there, name for its counts
        if self._coverage_folder is not None:
            _counting.add(self)

    if TYPE_CHECKING:

        @property
        def plant(self) -> Plant: ...
        def run(
            self, seconds: float | None = None, *, cycles: int | None = None, clock: str | int = 0
        ) -> None: ...

    # -- signals -------------------------------------------------------------------------------------------
    def _signal_directory(self) -> Directory:
        engine = self.plant.engine
        if self._directory is None or self._directory.engine is not engine:
            self._directory = Directory(engine)
        return self._directory

    @property
    def signal(self) -> SignalScope:
        """The signals of the board: ``device.signal("fir_0.acc")``, or ``device.signal.fir_0.acc``.

        Those inside of RTL, wires of the design (``fir_0.interrupt``), counts of streams, accesses of the PS.
        Reading one lets no time pass. Names take "." or "/"; the end of a name is enough where it is unique;
        ``mem[3]`` is an element, ``acc[7:4]`` are bits. Raises :class:`SignalNotFoundError` with near names.
        """
        return SignalScope(self._signal_directory())

    def signals(self, pattern: str = "*") -> list[Signal]:
        """Return the signals whose full names fit a glob: ``device.signals("fir_0.*")``."""
        directory = self._signal_directory()
        return [directory.make(name) for name in directory.choose([pattern])]

    # -- waves ---------------------------------------------------------------------------------------------
    def waves(
        self,
        path: str | os.PathLike[str],
        *,
        signals: Signals | None = None,
        start: Moment | None = None,
        stop: Moment | None = None,
        trigger: TriggerSpec | None = None,
        before: Moment | None = None,
        format: str | None = None,
    ) -> Waves:
        """Record signals of the board into a file, FST or VCD by its name.

        Called before an overlay is loaded it begins with the load; otherwise now. It ends with the next
        download, the device or the program, if it is not closed before.

        Args:
            path: ``run.fst`` or ``run.vcd``.
            signals: Names and globs; None: all.
            start: Nothing is recorded before. Seconds of virtual time since the download, or "12.5 us",
                "200 cycles" (of PL clock 0).
            stop: Nothing is recorded after; with a trigger: so long after the trigger.
            trigger: When to begin: "fir_0.state == 3" (also != < <= > >=), "fir_0.interrupt" or "... rises",
                "... falls", "... changes".
            before: How much of the time before the trigger is in the file.
            format: "fst" or "vcd" for a file of another name.

        Raises:
            SignalNotFoundError: With near names.
            OSError: The file can't be made.
            ValueError: A time, trigger or file name that says nothing.
        """
        waves = Waves(plan_file(path, format, signals, start, stop, before, trigger))
        return self._record(waves)

    def record_waves(
        self,
        signals: Signals | None = None,
        *,
        cycles: int | None = None,
        last: Moment | None = None,
        trigger: TriggerSpec | None = None,
    ) -> WaveRecording:
        """Record signals in memory, for drawing.

        ``cycles`` (of PL clock 0) or ``last`` (a time) is how much of the past is kept; None: all, up to 256
        MB. Use it as a context manager; the object draws itself in a notebook.
        """
        if cycles is not None:
            last = f"{cycles} cycles"
        return self._record(WaveRecording(plan_memory(signals, last, trigger)))

    def _record(self, waves: _Kind) -> _Kind:
        if self._closed:
            raise PynqError("the device is closed: there is nothing to record any more")
        self._recordings = [other for other in self._recordings if other.state != "closed"]
        if self._plant is not None:
            waves._begin(self._signal_directory(), lambda: _period(self.plant))
        self._recordings.append(waves)
        return waves

    def plot_waves(
        self,
        signals: Signals | None = None,
        run: Callable[[], object] | None = None,
        *,
        of: Waveform | Waves | str | os.PathLike[str] | None = None,
        cycles: int | None = None,
        start: Moment | None = None,
        stop: Moment | None = None,
        **options: Any,
    ) -> WavePlot:
        """Draw waveforms.

        Of a file or recording (``of``); of what happens while ``run()`` is called; of a recording of these
        signals that goes on; or, without any of these, of the next ``cycles`` (100) cycles of PL clock 0,
        which pass. ``start`` and ``stop`` cut a piece out; without them it is that in which these signals
        change, ``cycles`` its end. ``options`` are those of :class:`pynq.waveplot.WavePlot` (radix, width,
        title).
        """
        names = None if signals is None else _texts(signals)
        asked = start is not None or stop is not None
        if of is None and run is None and self._going_on(names) is None:
            asked = True  # these very cycles
        wave = self._waveform(names, run, of, cycles)
        if names is not None:
            wave = wave.select(names)
        if not asked:
            wave = wave.busy()

        def period() -> float:
            return _period(self.plant)

        begin = wave.begin if start is None else moment(start, period)
        end = wave.end if stop is None else moment(stop, period)
        if cycles is not None and start is None:
            begin = max(begin, end - round(cycles * period()))
        return wave.window(begin, end).plot(**options)

    def _waveform(
        self,
        names: list[str] | None,
        run: Callable[[], object] | None,
        of: Waveform | Waves | str | os.PathLike[str] | None,
        cycles: int | None,
    ) -> Waveform:
        if isinstance(of, Waveform):
            return of
        if isinstance(of, WaveRecording):
            return of.waveform
        if of is not None:
            if isinstance(of, Waves):
                of.flush()
                of = of.path
            return read_waves(of, names)
        if run is None:
            going = self._going_on(names)
            if going is not None:
                return going.waveform
        with self.record_waves(names) as recording:
            if run is not None:
                run()
            else:
                self.run(cycles=100 if cycles is None else cycles)
        return recording.waveform

    def _going_on(self, names: list[str] | None) -> WaveRecording | None:
        """Return the newest recording in memory that has these signals."""
        wanted = self._signal_directory().names if names is None else self._signal_directory().choose(names)
        for waves in reversed(self._recordings):
            if (
                isinstance(waves, WaveRecording)
                and waves.state != "closed"
                and not set(wanted) - set(waves.signals)
            ):
                return waves
        return None

    # -- coverage ------------------------------------------------------------------------------------------
    def coverage(self) -> Coverage:
        """Return the coverage of all runs in the folder that the device was made with, this one included.

        Raises :class:`PynqError` for a device made without ``coverage=``, and where no RTL ran yet.
        """
        if self._coverage_folder is None:
            raise PynqError(
                "this device counts no coverage: make it with SimDevice(coverage='folder'), "
                "or set PYNQ_COVERAGE"
            )
        self._write_coverage()
        return Coverage.read(self._coverage_folder)

    def _write_coverage(self) -> None:
        plant, folder = self._plant, self._coverage_folder
        if plant is None or folder is None:
            return
        for path, component in plant.components.items():
            if not isinstance(component, _engine.Rtl):
                continue
            folder.mkdir(parents=True, exist_ok=True)
            cell = re.sub(r"[^\w.-]+", "_", path)
            known = self._runs.get(path)
            if known is None or known[0] != component:  # the contents of a region may have changed
                known = self._runs[path] = component, _fresh_name()
            file = folder / f"{cell}-{known[1]}.dat"
            part = file.with_suffix(".part")
            if _engine.write_coverage(component, str(part)):
                os.replace(part, file)  # readers see whole files only

    # -- called by the device ------------------------------------------------------------------------------
    def _observe_from_the_start(self, plant: Plant) -> None:
        """A plant is there, its time is 0: recordings that wait for one begin."""
        pending = [waves for waves in self._recordings if waves.state == "pending"]
        directory = Directory(plant.engine)
        for waves in pending:
            try:
                waves._begin(directory, lambda: _period(plant))
            except BaseException:
                waves._end()
                self._recordings.remove(waves)
                raise

    def _end_of_observation(self) -> None:
        """The plant is about to go: its files are closed, counts written."""
        if self._plant is None:
            return
        for waves in self._recordings:
            if waves._engine is self._plant.engine:
                waves._end()
        self._directory = None
        try:
            self._write_coverage()
        except OSError as error:
            warnings.warn(PynqWarning(f"coverage: {error}"), stacklevel=2)
        self._runs.clear()


def _fresh_name() -> str:
    return f"{time.time_ns():x}-{os.getpid()}"


def _period(plant: Plant) -> float:
    """Return the period of PL clock 0 (of the first clock that runs, where there is none) in picoseconds."""
    clock = plant.clock_of_ps(0)
    periods = [each.period for each in ([clock] if clock is not None else plant.clocks.values())]
    found = next(filter(None, periods), 0)
    if not found:
        raise PynqError("no clock of the design runs: give times in seconds, not in cycles")
    return float(found)


def _texts(signals: Signals) -> list[str]:
    if isinstance(signals, (str, Signal)):
        signals = [signals]
    return [each.name if isinstance(each, Signal) else each for each in signals]


@atexit.register
def _write_all() -> None:
    for device in list(_counting):
        if not device._closed:
            try:
                device._write_coverage()
            except (OSError, PynqError) as error:
                warnings.warn(PynqWarning(f"coverage: {error}"), stacklevel=1)
