"""Counts of what of the user's RTL ran: points, the files they are in, and how runs are read and added.

Each run of the simulated board writes a file in Verilator's format (``coverage.dat``) for each block into one
folder; any number of runs and processes may do so.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pynq.errors import PynqError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Counts", "FileCoverage", "Point", "Tally", "missed_toggles"]

#: kinds of points that tell of lines; the others are "toggle", and whatever else a Verilator counts
LINE_KINDS = ("line", "branch")


class Point(NamedTuple):
    """Something that is counted. One point stands for it in all instances of its module."""

    file: str
    line: int
    column: int
    kind: str  # "line", "branch", "toggle", "user", "expr", ...
    what: str  # "block", "if", "else", "case"; of a toggle "n[3]:0->1"
    lines: str  # those that it covers: "12-14,16"


class Tally(NamedTuple):
    """How many of some points were reached."""

    hit: int
    total: int

    @property
    def percent(self) -> float:
        """0 to 100; 100 where there is nothing to reach."""
        return 100 * self.hit / self.total if self.total else 100.0

    def __str__(self) -> str:
        return f"{self.hit}/{self.total} {self.percent:5.1f} %" if self.total else "-"


@dataclass(frozen=True)
class FileCoverage:
    """The points of one source file with their counts."""

    path: str
    points: Mapping[Point, int]

    def tally(self, *kinds: str) -> Tally:
        """Return how many points of these kinds were reached."""
        counts = [count for point, count in self.points.items() if point.kind in kinds]
        return Tally(sum(count > 0 for count in counts), len(counts))

    @property
    def lines(self) -> Tally:
        """Blocks of lines and branches."""
        return self.tally(*LINE_KINDS)

    @property
    def toggles(self) -> Tally:
        """Bits that rose, and bits that fell."""
        return self.tally("toggle")

    def line_counts(self) -> dict[int, list[tuple[Point, int]]]:
        """Return for each line the points of lines and branches that cover it."""
        found: dict[int, list[tuple[Point, int]]] = defaultdict(list)
        for point, count in sorted(self.points.items()):
            if point.kind in LINE_KINDS:
                for line in _span(point.lines) or [point.line]:
                    found[line].append((point, count))
        return dict(found)

    def toggle_lines(self) -> dict[int, list[tuple[Point, int]]]:
        """Return for each line the toggles of what is declared there."""
        found: dict[int, list[tuple[Point, int]]] = defaultdict(list)
        for point, count in sorted(self.points.items()):
            if point.kind == "toggle":
                found[point.line].append((point, count))
        return dict(found)

    def source(self) -> list[str]:
        """Return the lines of the file; none where it is not there any more."""
        try:
            return Path(self.path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []


class Counts:
    """Counts of coverage points, of one run or of many. ``a + b`` adds."""

    def __init__(self, points: Mapping[Point, int], *, runs: int = 0, newest: float = 0.0) -> None:
        self.points = dict(points)
        self.runs = runs  #: files read
        self.newest = newest  #: when the last of them was written, seconds since 1970

    @classmethod
    def read(cls, *places: str | os.PathLike[str]) -> Self:
        """Read and add files of counts, or all ``*.dat`` in folders and below.

        Raises :class:`PynqError` where there are none, and for a file that is none.
        """
        files: list[Path] = []
        for place in map(Path, places):
            files += sorted(place.rglob("*.dat")) if place.is_dir() else [place]
        if not files:
            where = ", ".join(map(str, places)) or "no folder"
            raise PynqError(
                f"{where}: no counts of a run (*.dat); a board makes some with coverage={where!r}"
            )
        counts: dict[Point, int] = defaultdict(int)
        newest = 0.0
        for file in files:
            for point, count in _read(file):
                counts[point] += count
            newest = max(newest, file.stat().st_mtime)
        return cls(counts, runs=len(files), newest=newest)

    def __add__(self, other: Counts) -> Self:
        counts = defaultdict(int, self.points)
        for point, count in other.points.items():
            counts[point] += count
        return type(self)(counts, runs=self.runs + other.runs, newest=max(self.newest, other.newest))

    def files(self) -> list[FileCoverage]:
        """Return the source files, sorted by path."""
        by_file: dict[str, dict[Point, int]] = defaultdict(dict)
        for point, count in self.points.items():
            by_file[point.file][point] = count
        return [FileCoverage(path, by_file[path]) for path in sorted(by_file)]

    @property
    def lines(self) -> Tally:
        """Blocks of lines and branches, of all files."""
        return _sum(file.lines for file in self.files())

    @property
    def toggles(self) -> Tally:
        """Bits that rose, and bits that fell, of all files."""
        return _sum(file.toggles for file in self.files())

    def changed_since(self) -> list[str]:
        """Return the files that were changed after the last run: their lines may not be those counted."""
        return [file.path for file in self.files() if _mtime(file.path) > self.newest]


def missed_toggles(points: Sequence[tuple[Point, int]]) -> str:
    """Return "n[7:3] never rose, never fell; clk never fell", or ""."""
    missing: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for point, count in points:
        if count:
            continue
        name, _, edge = point.what.partition(":")
        match = re.fullmatch(r"(.*)\[([0-9]{1,7})\]", name)
        base, bit = (match[1], int(match[2])) if match else (name, -1)
        missing[base][{"0->1": "never rose", "1->0": "never fell"}.get(edge, "never changed")].add(bit)
    parts = []
    for base, edges in missing.items():
        by_bits: dict[str, list[str]] = defaultdict(list)
        for edge, bits in edges.items():
            by_bits[_ranges(bits)].append(edge)
        parts += [f"{base}{bits} {', '.join(which)}" for bits, which in by_bits.items()]
    return "; ".join(parts)


def _ranges(bits: Iterable[int]) -> str:
    """Return "[7:3,1]"; "" for a signal of one bit."""
    pieces: list[list[int]] = []
    for bit in sorted(bits, reverse=True):
        if pieces and pieces[-1][1] == bit + 1:
            pieces[-1][1] = bit
        else:
            pieces.append([bit, bit])
    if pieces == [[-1, -1]]:
        return ""
    return f"[{','.join(str(high) if high == low else f'{high}:{low}' for high, low in pieces)}]"


_COUNT = re.compile(r"[0-9]{1,20}")
_LINES = re.compile(r"(?:[0-9]{1,7}(?:-[0-9]{1,7})?(?:,|$))*")


def _read(file: Path) -> Iterable[tuple[Point, int]]:
    """Yield the points of a coverage.dat: lines ``C '<key><value>...' count``, keys after 0x01, values after
    0x02 (verilated_cov_key.h of Verilator names the keys).
    """
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise PynqError(f"{file}: {error.strerror}") from error
    if not lines or not lines[0].startswith("# SystemC::Coverage"):
        raise PynqError(f"{file} holds no coverage counts: its first line is not that of Verilator's format")
    for number, line in enumerate(lines, 1):
        if not line.startswith("C "):
            continue
        text, quote, count = line[3:].rpartition("' ")
        if not quote or not _COUNT.fullmatch(count):
            raise PynqError(f"{file}:{number}: not a line of counts; was the run killed while it wrote?")
        keys = dict(item.partition("\x02")[::2] for item in text.split("\x01") if item)
        if not all(_COUNT.fullmatch(keys.get(key) or "0") for key in "ln") or not _LINES.fullmatch(
            keys.get("S", "")
        ):
            raise PynqError(f"{file}:{number}: a line or column that is no number")
        kind = keys.get("t") or keys.get("page", "v_other/").removeprefix("v_").partition("/")[0]
        point = Point(
            keys.get("f", "?"),
            int(keys.get("l") or 0),
            int(keys.get("n") or 0),
            kind,
            keys.get("o", ""),
            keys.get("S", ""),
        )
        yield point, int(count)


def _span(text: str) -> list[int]:
    """Return the lines of "12-14,16"."""
    lines: list[int] = []
    for piece in filter(None, text.split(",")):
        first, _, last = piece.partition("-")
        lines += range(int(first), int(last or first) + 1)
    return lines


def _sum(tallies: Iterable[Tally]) -> Tally:
    found = list(tallies)
    return Tally(sum(tally.hit for tally in found), sum(tally.total for tally in found))


def _mtime(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
