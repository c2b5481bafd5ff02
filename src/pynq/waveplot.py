"""Draw waveforms as SVG: digital lines, buses with their values, analog curves, a time axis."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple, Protocol

from pynq.wavenames import choose
from pynq.wavetrace import Trace, Value

__all__ = ["RADIXES", "Drawable", "WavePlot", "format_value"]

RADIXES = ("hex", "bin", "dec", "signed", "ascii", "analog")

_ROW, _HIGH, _ANALOG = 30, 16, 64  # heights
_AXIS, _PAD = 30, 12
_LETTER = 7.0  # width of a letter of the font used
_NARROW = 1.6  # pixels: what is shorter is drawn as a busy stretch

_INK, _MUTED, _GRID, _CARD, _STRIPE = "#0f172a", "#64748b", "#e2e8f0", "#ffffff", "#f8fafc"
_WIRE, _WIRE_FILL = "#0d9488", "#ccfbf1"
_BUS, _BUS_FILL = "#4f46e5", "#eef2ff"
_CURVE = "#db2777"
_UNKNOWN, _UNKNOWN_FILL = "#b45309", "#fef3c7"

_UNITS = ((1, "ps"), (10**3, "ns"), (10**6, "µs"), (10**9, "ms"), (10**12, "s"))


def format_value(value: Value, bits: int, radix: str = "hex") -> str:
    """Return a value as text; unknown ones as "x"."""
    if value is None:
        return "x"
    if isinstance(value, float):
        return f"{value:.6g}"
    if radix == "bin":
        return f"{value:0{bits}b}"
    if radix == "dec":
        return str(value)
    if radix in ("signed", "analog"):
        return str(value - (1 << bits) if value >> (bits - 1) & 1 else value)
    if radix == "ascii":
        raw = value.to_bytes((bits + 7) // 8, "big").lstrip(b"\0")
        if all(32 <= byte < 127 for byte in raw):
            return f"“{raw.decode('ascii')}”"
    return f"{value:0{(bits + 3) // 4}x}"


class _Row(NamedTuple):
    trace: Trace
    radix: str
    top: float
    height: float


class Drawable(Protocol):
    """What is drawn: a :class:`pynq.waves.Waveform`."""

    @property
    def traces(self) -> Sequence[Trace]: ...

    @property
    def names(self) -> list[str]: ...

    @property
    def begin(self) -> int: ...

    @property
    def end(self) -> int: ...


class WavePlot:
    """A drawing of a waveform. Notebooks show it; :meth:`save` writes it.

    Args:
        wave: What to draw.
        radix: How values of buses are written: "hex", "bin", "dec", "signed", "ascii", or "analog" for a
            curve of signed values. One for all, or by name or glob: ``{"fir_0.acc": "analog", "*": "dec"}``.
        width: Pixels.
        title: A line above; "" for none.

    Raises:
        ValueError: For a radix that is none of these.
        SignalNotFoundError: For a name in ``radix`` that the waveform has not.
    """

    def __init__(
        self, wave: Drawable, *, radix: str | Mapping[str, str] = "hex", width: int = 960, title: str = ""
    ) -> None:
        if width < 200:
            raise ValueError(f"width={width}: at least 200 pixels are needed")
        self.wave = wave
        self.width = width
        self.title = title
        self._radix = dict.fromkeys(wave.names, "hex")
        chosen = {"*": radix} if isinstance(radix, str) else radix
        for pattern, kind in chosen.items():
            if kind not in RADIXES:
                raise ValueError(f"radix {kind!r}: there are {', '.join(RADIXES)}")
            if wave.traces:
                self._radix.update(dict.fromkeys(choose([pattern], wave.names), kind))
        self._svg = ""

    @property
    def svg(self) -> str:
        """The drawing as one SVG document."""
        if not self._svg:
            self._svg = "".join(self._draw())
        return self._svg

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the drawing to an SVG file, and return its path."""
        file = Path(path)
        if file.suffix.lower() != ".svg":
            raise ValueError(f"{file}: drawings are SVG files; name it {file.with_suffix('.svg').name}")
        file.write_text(self.svg, encoding="utf-8")
        return file

    def __repr__(self) -> str:
        return f"<WavePlot of {', '.join(self.wave.names[:4])}{', ...' if len(self.wave.names) > 4 else ''}>"

    # -- layout ----------------------------------------------------------------------------------------------
    def _draw(self) -> Iterator[str]:
        head = _PAD + (24 if self.title else 0)
        labels = [_split(name) for name in self.wave.names]
        longest = max((len(scope) * 0.86 + len(name) for scope, name in labels), default=4)
        self._left = round(min(_PAD + longest * _LETTER + 14, self.width * 0.45))
        self._right = self.width - _PAD
        rows = list(self._rows(head + _AXIS))
        bottom = rows[-1].top + rows[-1].height if rows else head + _AXIS + _ROW
        height = bottom + _PAD
        what = ", ".join(self.wave.names[:12])
        # A page may hold several drawings, whose ids share one space.
        mark = (
            f"{zlib.crc32(repr((self.wave.names, self.wave.begin, self.wave.end, self.width)).encode()):08x}"
        )
        self._hatched, self._clip = f"pynq-x-{mark}", f"pynq-l-{mark}"
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{height:g}" '
            f'viewBox="0 0 {self.width} {height:g}" role="img" aria-label="Waveforms of {escape(what)}" '
            'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" '
            'font-size="11.5">'
            f'<defs><pattern id="{self._hatched}" width="6" height="6" patternUnits="userSpaceOnUse" '
            f'patternTransform="rotate(45)"><rect width="6" height="6" fill="{_UNKNOWN_FILL}"/>'
            f'<rect width="1.5" height="6" fill="{_UNKNOWN}" opacity=".45"/></pattern>'
            f'<clipPath id="{self._clip}"><rect width="{self._left - 6}" height="{height:g}"/></clipPath>'
            "</defs>"
            f'<rect x=".5" y=".5" width="{self.width - 1}" height="{height - 1:g}" rx="8" fill="{_CARD}" '
            f'stroke="{_GRID}"/>'
        )
        if self.title:
            yield (
                f'<text x="{_PAD}" y="{_PAD + 14}" font-size="13" font-weight="600" fill="{_INK}" '
                f'font-family="system-ui, sans-serif">{escape(self.title)}</text>'
            )
        for index, row in enumerate(rows):
            if index % 2 == 0:
                yield (
                    f'<rect x="1" y="{row.top:g}" width="{self.width - 2}" height="{row.height:g}" '
                    f'fill="{_STRIPE}"/>'
                )
        yield from self._axis(head, bottom)
        for row, (scope, name) in zip(rows, labels, strict=True):
            yield self._label(row, scope, name)
            yield f"<g><title>{escape(row.trace.name)}</title>"
            if row.radix == "analog":
                yield from self._curve(row)
            elif row.trace.bits == 1 and row.trace.kind != "f":
                yield from self._line(row)
            else:
                yield from self._bus(row)
            yield "</g>"
        if not rows:
            yield f'<text x="{_PAD}" y="{head + _AXIS + 18}" fill="{_MUTED}">no signals</text>'
        yield "</svg>"

    def _rows(self, top: float) -> Iterator[_Row]:
        for trace in self.wave.traces:
            radix = self._radix[trace.name]
            if radix == "analog" and trace.bits == 1:
                radix = "hex"
            height = _ANALOG if radix == "analog" else _ROW
            yield _Row(trace, radix, top, height)
            top += height

    def _x(self, time: int) -> float:
        span = max(1, self.wave.end - self.wave.begin)
        return round(self._left + (time - self.wave.begin) / span * (self._right - self._left), 2)

    def _label(self, row: _Row, scope: str, name: str) -> str:
        y = row.top + row.height / 2 + 4
        return (
            f'<text x="{_PAD}" y="{y:g}" clip-path="url(#{self._clip})">'
            f'<tspan fill="{_MUTED}" font-size="10">{escape(scope)}</tspan>'
            f'<tspan fill="{_INK}">{escape(name)}</tspan></text>'
        )

    # -- time axis -------------------------------------------------------------------------------------------
    def _axis(self, top: float, bottom: float) -> Iterator[str]:
        span = max(1, self.wave.end - self.wave.begin)
        step = _nice(span / max(1.0, (self._right - self._left) / 84))
        largest = max(step, 1) * 1000
        factor, unit = next(
            ((f, u) for f, u in reversed(_UNITS) if f <= largest and f <= max(self.wave.end, 1))
        )
        first = -(-self.wave.begin // step) * step
        y = top + _AXIS - 4
        digits = max(0, -math.floor(math.log10(step / factor) + 1e-9))
        for time in range(first, self.wave.end + 1, step):
            x = self._x(time)
            anchor = "middle"
            if x > self._right - 24:
                anchor = "end"
            elif x < self._left + 24:
                anchor = "start"
            yield (
                f'<path d="M{x} {y}V{bottom:g}" stroke="{_GRID}"/>'
                f'<text x="{x}" y="{y - 7}" fill="{_MUTED}" font-size="10.5" text-anchor="{anchor}">'
                f"{time / factor:.{digits}f} {unit}</text>"
            )
        yield f'<path d="M{self._left} {y}H{self._right}" stroke="{_MUTED}" stroke-width=".8"/>'

    # -- rows ------------------------------------------------------------------------------------------------
    def _pieces(self, trace: Trace) -> Iterator[tuple[float, float, int, int, Value, bool]]:
        """Yield (x from, x to, time from, time to, value, busy); what is too narrow is one busy piece."""
        held: tuple[float, float, int, int] | None = None
        for start, stop, value in trace.between(self.wave.begin, max(self.wave.end, self.wave.begin + 1)):
            left, right = self._x(start), self._x(stop)
            if right - left < _NARROW:
                held = (left, right, start, stop) if held is None else (held[0], right, held[2], stop)
                continue
            if held is not None:
                yield (*held, None, True)
                held = None
            yield left, right, start, stop, value, False
        if held is not None:
            yield (*held, None, True)

    def _line(self, row: _Row) -> Iterator[str]:
        low = row.top + (row.height + _HIGH) / 2
        high = low - _HIGH
        path, fill = "", ""
        last: float | None = None  # where the pen is
        for left, right, _, _, value, busy in self._pieces(row.trace):
            if busy:
                yield _busy(left, right, high, _WIRE)
                last = None
                continue
            if value is None:
                yield self._hatch(left, right, high, low)
                last = None
                continue
            y = high if value else low
            path += f"M{left} {y}H{right}" if last is None else f"V{y}H{right}"
            if value:
                fill += f"M{left} {low}V{high}H{right}V{low}Z"
            last = y
        if fill:
            yield f'<path d="{fill}" fill="{_WIRE_FILL}" opacity=".8"/>'
        if path:
            yield _stroke(path, _WIRE)

    def _bus(self, row: _Row) -> Iterator[str]:
        low = row.top + (row.height + _HIGH) / 2
        high, middle = low - _HIGH, low - _HIGH / 2
        shapes, texts, quiet = "", [], ""
        for left, right, start, stop, value, busy in self._pieces(row.trace):
            if busy:
                yield _busy(left, right, high, _BUS)
                continue
            if value is None:
                yield self._hatch(left, right, high, low)
                continue
            slope = min(3.0, (right - left) / 3)
            shape = (
                f"M{left} {middle}L{left + slope:.2f} {high}H{right - slope:.2f}L{right} {middle}"
                f"L{right - slope:.2f} {low}H{left + slope:.2f}Z"
            )
            if value:
                shapes += shape
            else:
                quiet += shape
            room = right - left - 2 * slope - 2
            text = format_value(value, row.trace.bits, row.radix)
            shown = _fit(text, room)
            if shown != text and row.radix == "hex" and isinstance(value, int):
                shown = _fit(f"{value:x}", room)  # the zeros in front can go first
            if shown:
                x = (left + right) / 2
                tip = f"{text}  {_moment(start)} to {_moment(stop)}"
                texts.append(
                    f'<text x="{x:.2f}" y="{middle + 3.8:g}" text-anchor="middle" fill="{_INK}" '
                    f'font-size="10.5">{escape(shown)}<title>{escape(tip)}</title></text>'
                )
        if quiet:
            yield f'<path d="{quiet}" fill="{_CARD}" stroke="{_BUS}" stroke-opacity=".55"/>'
        if shapes:
            yield f'<path d="{shapes}" fill="{_BUS_FILL}" stroke="{_BUS}" stroke-width="1.1"/>'
        yield from texts

    def _curve(self, row: _Row) -> Iterator[str]:
        """A curve in steps; of what is narrower than a pixel its lowest and highest value."""
        top, bottom = row.top + 6, row.top + row.height - 6
        points: list[tuple[float, float, float]] = []  # x from, x to, value
        for start, stop, value in row.trace.between(self.wave.begin, max(self.wave.end, self.wave.begin + 1)):
            if value is None:
                continue
            points.append((self._x(start), self._x(stop), _signed(value, row.trace.bits)))
        if not points:
            yield self._hatch(self._left, self._right, top, bottom)
            return
        least, most = min(p[2] for p in points), max(p[2] for p in points)
        span = (most - least) or 1

        def y(value: float) -> float:
            return round(bottom - (value - least) / span * (bottom - top), 2)

        if least < 0 < most:
            line = f"M{self._left} {y(0)}H{self._right}"
            yield f'<path d="{line}" stroke="{_MUTED}" stroke-width=".6" stroke-dasharray="2 3"/>'
        pieces: list[str] = []
        column: list[float] = []  # values within one pixel
        place = -1.0

        def leave_column() -> None:
            if column:
                marks = dict.fromkeys((column[0], min(column), max(column), column[-1]))
                pieces.extend(f"L{place} {y(value)}" for value in marks)
                column.clear()

        for left, right, value in points:
            if right - left >= 1:
                leave_column()
                pieces.append(f"L{left} {y(value)}H{right}")
                continue
            if math.floor(left) != math.floor(place):
                leave_column()
                place = left
            column.append(value)
        leave_column()
        path = "M" + "".join(pieces)[1:]
        yield _stroke(path, _CURVE)
        for value, at in ((most, top + 7), (least, bottom)):
            yield (
                f'<text x="{self._left - 4}" y="{at:g}" text-anchor="end" fill="{_MUTED}" font-size="9">'
                f"{escape(f'{value:g}')}</text>"
            )

    def _hatch(self, left: float, right: float, high: float, low: float) -> str:
        return (
            f'<rect x="{left}" y="{high}" width="{max(right - left, 0.8):.2f}" height="{low - high:g}" '
            f'fill="url(#{self._hatched})" stroke="{_UNKNOWN}" stroke-width=".6" stroke-opacity=".6"/>'
        )


def _split(name: str) -> tuple[str, str]:
    scope, dot, last = name.rpartition(".")
    return scope + dot, last


def _signed(value: int | float, bits: int) -> float:
    if isinstance(value, float):
        return value
    return float(value - (1 << bits) if value >> (bits - 1) & 1 else value)


def _busy(left: float, right: float, high: float, colour: str) -> str:
    return (
        f'<rect x="{left}" y="{high}" width="{max(right - left, 0.8):.2f}" height="{_HIGH}" '
        f'fill="{colour}" opacity=".45"/>'
    )


def _stroke(path: str, colour: str) -> str:
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-linejoin="round"/>'


def _fit(text: str, room: float) -> str:
    letters = int(room / 6.4)
    if len(text) <= letters:
        return text
    return f"{text[: letters - 1]}…" if letters >= 3 else ""


def _nice(step: float) -> int:
    """The next number of 1, 2 or 5 times a power of ten, at least 1."""
    power = 10 ** max(0, math.floor(math.log10(max(step, 1))))
    return next(int(power * factor) for factor in (1, 2, 5, 10) if power * factor >= step or factor == 10)


def _moment(time: int) -> str:
    factor, unit = next(((f, u) for f, u in reversed(_UNITS) if f <= max(time, 1)))
    return f"{time / factor:g} {unit}"
