"""Waveforms: signals over time, read from a file or recorded in memory, and drawn.

Times are picoseconds of virtual time. A value is an int, a float for a real, or None where it is not known.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pynq.errors import PynqError
from pynq.wavenames import choose
from pynq.waveplot import WavePlot
from pynq.wavetrace import Trace, Value

__all__ = ["Trace", "Value", "Waveform", "read_waves"]

_MARGIN = 24  # part of the time that is shown before the first change and after the last one


@dataclass(frozen=True)
class Waveform:
    """Some signals over a stretch of time. In a notebook it shows itself drawn."""

    traces: tuple[Trace, ...]
    begin: int
    end: int

    @property
    def names(self) -> list[str]:
        """Full names of the signals, in their order."""
        return [trace.name for trace in self.traces]

    def __getitem__(self, name: str) -> Trace:
        """Return a signal by its name. Raises :class:`SignalNotFoundError` with near names."""
        (wanted,) = choose([name], self.names)
        return self.traces[self.names.index(wanted)]

    def select(self, signals: Iterable[str]) -> Waveform:
        """Return those signals only; globs may be used. Raises :class:`SignalNotFoundError`."""
        by_name = {trace.name: trace for trace in self.traces}
        return Waveform(tuple(by_name[name] for name in choose(signals, self.names)), self.begin, self.end)

    def window(self, start: int | None = None, stop: int | None = None) -> Waveform:
        """Return the same signals over less time, in picoseconds."""
        begin = self.begin if start is None else max(self.begin, start)
        end = self.end if stop is None else min(self.end, stop)
        return Waveform(self.traces, begin, max(begin, end))

    def busy(self) -> Waveform:
        """Return the stretch in which the signals change, with a little before and after it.

        Hardware that waits for its program rests for as long as that takes. All of it where nothing changes.
        """
        first = [
            trace.times[index]
            for trace in self.traces
            if (index := bisect_right(trace.times, self.begin)) < len(trace.times)
        ]
        last = [
            trace.times[index]
            for trace in self.traces
            if (index := bisect_right(trace.times, self.end) - 1) >= 0 and trace.times[index] > self.begin
        ]
        if not first or not last or min(first) > self.end:
            return self
        begin, end = min(first), max(last)
        margin = max(end - begin, 1) // _MARGIN + 1
        return self.window(begin - margin, end + margin)

    def plot(self, **options: Any) -> WavePlot:
        """Draw it; the options are those of :class:`pynq.waveplot.WavePlot`."""
        return WavePlot(self, **options)

    def _repr_svg_(self) -> str:
        return self.plot().svg

    def __repr__(self) -> str:
        return f"<Waveform of {len(self.traces)} signals, {self.begin} to {self.end} ps>"


def read_waves(path: str | os.PathLike[str], signals: Iterable[str] | None = None) -> Waveform:
    """Read a VCD or FST file, ours or another tool's; ``signals`` are names or globs, None all.

    FST needs the package pywellen (extra ``waves``). Raises :class:`PynqError` for a file that can't be
    read, :class:`SignalNotFoundError` for a signal that it has not.
    """
    file = Path(path)
    with file.open("rb") as stream:
        start = stream.read(1)
    return _read_vcd(file, signals) if start[:1] in b"$# \n\r\t" else _read_fst(file, signals)


def _read_fst(file: Path, signals: Iterable[str] | None) -> Waveform:
    try:
        import pywellen
    except ImportError:
        raise PynqError(
            f"{file}: reading FST files needs pywellen: pip install 'pynq-anywhere[waves]', or record a .vcd"
        ) from None
    try:
        waves = pywellen.Waveform(str(file))
    except Exception as error:
        raise PynqError(f"{file} can't be read as waves: {error}") from error
    factor = round(waves.timescale.factor * _UNITS[str(waves.timescale.unit)])
    variables = {_joined(variable.full_name): variable for variable in waves.all_vars()}
    traces = []
    with file.open("rb") as stream:
        header = stream.read(25)
    # A last stretch without any change is known to the header only.
    begin, end = (int.from_bytes(header[at : at + 8], "big") * factor for at in (9, 17))
    for name in list(variables) if signals is None else choose(signals, list(variables)):
        variable = variables[name]
        real = variable.is_real
        changes = [
            (time * factor, float(value) if real else value if isinstance(value, int) else None)
            for time, value in variable.signal
        ]
        traces.append(Trace(name, variable.bitwidth or 64, changes, "f" if real else "w"))
        if changes:
            end = max(end, changes[-1][0])
    return Waveform(tuple(traces), begin, end)


#: picoseconds
_UNITS: Mapping[str, float] = {"fs": 0.001, "ps": 1, "ns": 1e3, "us": 1e6, "ms": 1e9, "s": 1e12}


def _joined(name: str) -> str:
    """pywellen takes the index of an array's element for a scope: "mem.[3]"."""
    return name.replace(".[", "[")


def _read_vcd(file: Path, signals: Iterable[str] | None) -> Waveform:
    """IEEE 1364-2005, clause 18."""
    with file.open(encoding="utf-8", errors="replace") as stream:
        words = iter(lambda: stream.readline(), "")
        factor, variables = _vcd_header(words, file)
        names = list(variables)
        chosen = names if signals is None else choose(signals, names)
        lists: dict[str, list[tuple[int, Value]]] = {variables[name][0]: [] for name in chosen}
        begin, now = None, 0
        for line in words:
            first = line[:1]
            if first == "#":
                if not _VCD_TIME.match(line):
                    raise PynqError(
                        f"{file}: {line.strip()[:40]!r} is no time; expected # and a whole number"
                    )
                now = round(int(line[1:]) * factor)
                begin = now if begin is None else begin
                continue
            if first in "01xXzZ":
                code, text = line[1:].strip(), line[0]
            elif first in "bBrR":
                text, _, code = line[1:].strip().partition(" ")
            else:
                continue
            changes = lists.get(code)
            if changes is not None and code:
                changes.append((now, _vcd_value(text, first in "rR")))
    traces = tuple(
        Trace(name, variables[name][1], lists[variables[name][0]], variables[name][2]) for name in chosen
    )
    return Waveform(traces, begin or 0, now)


_VCD_TIME = re.compile(r"#[0-9]{1,20}\s*\Z")
_VCD_WIDTH = re.compile(r"[0-9]{1,7}\Z")
_VCD_BITS = re.compile(r"[01]+\Z")


def _vcd_value(text: str, real: bool) -> Value:
    if not real:
        return int(text, 2) if _VCD_BITS.match(text) else None  # x, z
    try:
        return float(text)
    except ValueError:
        return None


def _vcd_header(lines: Iterator[str], file: Path) -> tuple[float, dict[str, tuple[str, int, str]]]:
    """Return picoseconds per unit of time, and full name -> (code, bits, kind)."""
    kinds = {"reg": "r", "integer": "r", "parameter": "p", "real": "f", "realtime": "f", "event": "e"}
    factor, scope = 1.0, list[str]()
    found: dict[str, tuple[str, int, str]] = {}
    held: list[str] = []
    for line in lines:
        held += line.split()
        if "$end" not in held:
            continue
        keyword, rest = held[0], held[1 : held.index("$end")]
        held = held[held.index("$end") + 1 :]
        if keyword == "$timescale":
            match = re.fullmatch(r"([0-9]{1,3})([a-z]+)", "".join(rest))
            if not match or match[2] not in _UNITS:
                raise PynqError(f"{file}: $timescale {' '.join(rest)} is not known")
            factor = int(match[1]) * _UNITS[match[2]]
        elif keyword == "$scope":
            if not rest:
                raise PynqError(f"{file}: a $scope without a name")
            scope.append(rest[-1])
        elif keyword == "$upscope":
            if not scope:
                raise PynqError(f"{file}: more $upscope than $scope")
            scope.pop()
        elif keyword == "$var":
            if len(rest) < 4 or not _VCD_WIDTH.match(rest[1]):
                raise PynqError(f"{file}: $var {' '.join(rest)[:80]!r}; expected kind, bits, code and name")
            kind, bits, code, name = rest[:4]
            found[".".join([*scope, name])] = code, int(bits), kinds.get(kind, "w")
        elif keyword == "$enddefinitions":
            return factor, found
    raise PynqError(f"{file} is no VCD file, or ends before its definitions do")
