"""Recordings of the simulated board: into VCD and FST files, and in memory for drawing."""

from __future__ import annotations

import atexit
import os
import re
import struct
import warnings
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pynq.backends.sim import _engine
from pynq.backends.sim._engine import Engine, Recorder
from pynq.backends.sim.signals import Directory, Signal
from pynq.device.notes import emit
from pynq.errors import PynqError, PynqWarning
from pynq.waves import Trace, Value, Waveform

if TYPE_CHECKING:
    from typing_extensions import Self

    from pynq.waveplot import WavePlot

__all__ = ["Moment", "TriggerSpec", "WaveRecording", "Waves", "ending", "moment"]

#: A time: seconds, or text: "12.5 us", "200 cycles".
Moment = float | str

#: When to begin: "fir_0.state == 3", "fir_0.interrupt rises", a name (rises), a pair (name, value).
TriggerSpec = str | Signal | tuple[str | Signal, int]

_UNITS = {"s": 10**12, "ms": 10**9, "us": 10**6, "µs": 10**6, "ns": 10**3, "ps": 1}
_open: weakref.WeakSet[Waves] = weakref.WeakSet()


def moment(when: Moment, period: Callable[[], float]) -> int:
    """Return a time in picoseconds; ``period`` gives that of the clock which "cycles" are counted in."""
    if not isinstance(when, str):
        number, unit = float(when), "s"
    else:
        match = re.fullmatch(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?(?:e-?[0-9]+)?)\s*([a-zµ]+)\s*", when)
        if not match or match[2] not in (*_UNITS, "cycle", "cycles"):
            raise ValueError(f"{when!r} is no time: give seconds, '12.5 us' or '200 cycles'")
        number, unit = float(match[1]), match[2]
    scale = _UNITS[unit] if unit in _UNITS else period()
    if not number >= 0:
        raise ValueError(f"{when!r} is no time: it lies before the download")
    return round(number * scale)


class _Plan(NamedTuple):
    """What was asked for; carried out when there is an engine."""

    path: str
    format: Literal["vcd", "fst"]
    signals: list[str] | None
    start: Moment | None
    stop: Moment | None
    before: Moment | None
    keep: Moment | None
    trigger: TriggerSpec | None


def ending(path: str | os.PathLike[str], format: str | None) -> Literal["vcd", "fst"]:
    """Return the format that a file's name, or the argument, asks for. Raises ``ValueError``."""
    word = format or Path(path).suffix.lstrip(".").lower()
    if word == "vcd":
        return "vcd"
    if word == "fst":
        return "fst"
    raise ValueError(f"{os.fspath(path)}: waves are written as .fst or .vcd files")


def _names(signals: str | Signal | Iterable[str | Signal] | None) -> list[str] | None:
    if signals is None:
        return None
    if isinstance(signals, (str, Signal)):
        signals = [signals]
    return [each.name if isinstance(each, Signal) else each for each in signals]


def _trigger(spec: TriggerSpec, directory: Directory) -> tuple[int, str, int, int, int]:
    """Return (signal, comparison, value, lowest bit, bits)."""
    comparison, value = "rises", 0
    if isinstance(spec, tuple):
        who: str | Signal = spec[0]
        comparison, value = "==", int(spec[1])
    elif isinstance(spec, str):
        match = re.fullmatch(r"\s*(.+?)\s*(==|!=|<=|>=|<|>)\s*(-?\w+)\s*", spec)
        edge = re.fullmatch(r"\s*(\S+)\s+(rises|falls|changes)\s*", spec)
        who = spec.strip()
        if match:
            who, comparison = match[1], match[2]
            try:
                value = int(match[3].replace("_", ""), 0)
            except ValueError:
                raise ValueError(f"trigger {spec!r}: {match[3]!r} is no number (3, 0x1f, 0b101)") from None
        elif edge:
            who, comparison = edge[1], edge[2]
    else:
        who = spec
    signal = directory.find(who) if isinstance(who, str) else who
    if not isinstance(signal, Signal):
        raise ValueError(f"trigger {spec!r}: {signal.name} is an array; name one element")
    if signal.bits > 64 or signal.kind == "real":
        raise ValueError(f"trigger {spec!r}: a trigger looks at 64 bits at most; name some, as in [31:0]")
    if not -(1 << (signal.bits - 1)) <= value < 1 << signal.bits:
        raise ValueError(f"trigger {spec!r}: {signal.name} has {signal.bits} bits, which are never {value}")
    mask = (1 << signal.bits) - 1
    return signal.index, comparison, value & mask, signal.low, signal.bits


class Waves:
    """A recording of the board's signals into a file, made by ``device.waves(...)``.

    Use it as a context manager, or close it; it is closed as well when the next design is downloaded, with
    the device, by another recording into the same file, and at the end of the program. The file can be read
    whenever nothing runs, up to the last :meth:`flush`, :meth:`stop` or second of recording.
    """

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._engine: Engine | None = None
        self._recorder: Recorder | None = None
        self._names: list[str] = []
        self._closed = False
        # One file, one recording: a cell of a notebook that is run again begins it anew.
        same = [other for other in _open if plan.path and _same_file(other.path, plan.path)]
        for other in same:
            other._end()
        _open.add(self)

    @property
    def path(self) -> str:
        """The file."""
        return self._plan.path

    @property
    def state(self) -> str:
        """ "pending": no design is loaded yet; "waiting" for the start; "armed": waiting for the trigger;
        "recording"; "stopped"; "closed".
        """
        if self._closed:
            return "closed"
        return self._recorder.state if self._recorder is not None else "pending"

    @property
    def signals(self) -> list[str]:
        """Full names of what is recorded."""
        return list(self._names)

    @property
    def triggered(self) -> float | None:
        """Virtual time, in seconds, at which the trigger fired or the recording began."""
        at = self._recorder.triggered if self._recorder is not None else None
        return None if at is None else at / 1e12

    @property
    def bytes(self) -> int:
        """Size of the file so far."""
        return self._recorder.bytes if self._recorder is not None else 0

    def start(self) -> None:
        """Go on after :meth:`stop`; the time between is shown as unknown."""
        if self._recorder is not None and not self._closed:
            self._recorder.start()

    def stop(self) -> None:
        """Record no more until :meth:`start`; the simulation then runs at full speed again."""
        if self._recorder is not None and not self._closed:
            self._recorder.stop()
            self._recorder.check()

    def flush(self) -> None:
        """Let the file hold all up to now. Raises ``OSError`` if it can't be written."""
        if self._recorder is not None and not self._closed:
            self._recorder.flush()
            self._recorder.check()

    def close(self) -> None:
        """End the recording; once. Raises ``OSError`` if the file could not be written."""
        if self._closed:
            return
        self._end()
        if self._recorder is not None:
            self._recorder.check()

    def _end(self) -> None:
        self._closed = True
        _open.discard(self)
        if self._recorder is not None:
            self._recorder.close()

    def _begin(self, directory: Directory, period: Callable[[], float]) -> None:
        """A design is loaded: begin. Raises :class:`SignalNotFoundError`, ``OSError``."""
        plan = self._plan
        self._engine = directory.engine

        def time(when: Moment | None) -> int | None:
            return None if when is None else moment(when, period)

        self._names = directory.names if plan.signals is None else directory.choose(plan.signals)
        trigger = None if plan.trigger is None else _trigger(plan.trigger, directory)
        self._recorder = _engine.record(
            directory.engine,
            directory.indices(self._names),
            path=plan.path,
            format=plan.format,
            start=time(plan.start) or 0,
            stop=time(plan.stop),
            before=time(plan.before) or 0,
            keep=time(plan.keep),
            trigger=trigger,
            failed=_failed,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif not self._closed:
            self._end()  # what went wrong is told already

    def __repr__(self) -> str:
        return f"<Waves {self.path}: {self.state}, {len(self._names)} signals, {self.bytes} bytes>"


class WaveRecording(Waves):
    """A recording in memory, made by ``device.record_waves(...)``. In a notebook it shows itself drawn."""

    def __init__(self, plan: _Plan) -> None:
        super().__init__(plan)
        self._kinds: list[tuple[int, str]] = []
        self._kept: Waveform | None = None

    def _begin(self, directory: Directory, period: Callable[[], float]) -> None:
        super()._begin(directory, period)
        made = [directory.make(name) for name in self._names]
        self._kinds = [(signal.bits, signal.kind) for signal in made]

    @property
    def waveform(self) -> Waveform:
        """What was recorded so far."""
        if self._kept is not None:
            return self._kept
        if self._recorder is None:
            return Waveform((), 0, 0)
        begin, end, lists = self._recorder.memory()
        traces = [
            Trace(name, bits, _reals(changes) if kind == "real" else changes, "f" if kind == "real" else "w")
            for name, (bits, kind), changes in zip(self._names, self._kinds, lists, strict=True)
        ]
        return Waveform(tuple(traces), begin, end)

    def plot(self, **options: Any) -> WavePlot:
        """Draw what was recorded; the options are those of :class:`pynq.waveplot.WavePlot`."""
        return self.waveform.plot(**options)

    def _end(self) -> None:
        if self._recorder is not None:
            self._kept = self.waveform
        super()._end()

    def _repr_svg_(self) -> str:
        return self.plot().svg

    def __repr__(self) -> str:
        return f"<WaveRecording: {self.state}, {len(self._names)} signals>"


def _same_file(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _reals(changes: list[tuple[int, int]]) -> list[tuple[int, Value]]:
    return [(time, struct.unpack("<d", struct.pack("<Q", value))[0]) for time, value in changes]


def plan_file(
    path: str | os.PathLike[str],
    format: str | None,
    signals: str | Signal | Iterable[str | Signal] | None,
    start: Moment | None,
    stop: Moment | None,
    before: Moment | None,
    trigger: TriggerSpec | None,
) -> _Plan:
    """Check what was asked for. Raises ``ValueError``, ``OSError`` where no file can be made there."""
    chosen = ending(path, format)
    if before is not None and trigger is None:
        raise ValueError("before= is the time before a trigger: give trigger= as well")
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(2, "no such folder for the waves", str(folder))
    return _Plan(os.fspath(path), chosen, _names(signals), start, stop, before, None, trigger)


def plan_memory(
    signals: str | Signal | Iterable[str | Signal] | None, keep: Moment | None, trigger: TriggerSpec | None
) -> _Plan:
    """Return what a recording in memory needs to know."""
    return _Plan("", "fst", _names(signals), None, None, None, keep, trigger)


def _failed(error: int, path: str) -> None:
    emit(PynqWarning(f"waves: {path} can't be written any more: {os.strerror(error)}. The recording ended."))


@atexit.register
def _close_all() -> None:
    for waves in list(_open):
        try:
            waves._end()
        except (OSError, PynqError) as error:
            warnings.warn(PynqWarning(f"waves: {waves.path}: {error}"), stacklevel=1)
