"""Coverage of the user's RTL: which lines ran and which bits changed, over all runs that left their counts.

Each run of the simulated board writes a file in Verilator's format (``coverage.dat``) for each block into one
folder; any number of runs and processes may do so. :class:`Coverage` reads and adds them.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pynq.errors import PynqError

__all__ = ["Coverage", "FileCoverage", "Point", "Tally"]

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


class Coverage:
    """Counts of coverage points, of one run or of many. ``a + b`` adds."""

    def __init__(self, points: Mapping[Point, int], *, runs: int = 0, newest: float = 0.0) -> None:
        self.points = dict(points)
        self.runs = runs  #: files read
        self.newest = newest  #: when the last of them was written, seconds since 1970

    @classmethod
    def read(cls, *places: str | os.PathLike[str]) -> Coverage:
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

    def __add__(self, other: Coverage) -> Coverage:
        counts = defaultdict(int, self.points)
        for point, count in other.points.items():
            counts[point] += count
        return Coverage(counts, runs=self.runs + other.runs, newest=max(self.newest, other.newest))

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

    # -- reports -------------------------------------------------------------------------------------------
    def text(self) -> str:
        """Return a table: a row for each file, and the sum."""
        rows = [(path, str(file.lines), str(file.toggles)) for path, file in self._named()]
        rows.append(("total", str(self.lines), str(self.toggles)))
        head = ("file", "lines", "toggles")
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(3)]
        out = [f"{head[0]:<{widths[0]}}  {head[1]:>{widths[1]}}  {head[2]:>{widths[2]}}"]
        out += [f"{name:<{widths[0]}}  {a:>{widths[1]}}  {b:>{widths[2]}}" for name, a, b in rows]
        out.insert(-1, "-" * len(out[0]))
        notes = [f"{path} was changed after the last run" for path in self.changed_since()]
        return "\n".join([*out, *notes, f"{self.runs} run{'s' if self.runs != 1 else ''} of blocks"])

    def annotated(self, file: str) -> str:
        """Return a source with counts before each line: "." reached, "!" not reached, "~" a part of it.

        Where bits never changed a note follows the line. ``file`` is a path, or the end of one. Raises
        ``KeyError``.
        """
        found = [each for each in self.files() if each.path == file] or [
            each for each in self.files() if each.path.endswith(file)
        ]
        if not found:
            raise KeyError(
                f"no counts of {file!r}; there are {', '.join(each.path for each in self.files())}"
            )
        lines, toggles = found[0].line_counts(), found[0].toggle_lines()
        out = []
        for number, text in enumerate(found[0].source(), 1):
            points = lines.get(number, [])
            counts = [count for _, count in points]
            mark = " " if not points else "." if min(counts) else "~" if max(counts) else "!"
            out.append(f"{mark} {max(counts, default=0) if points else '':>9}  {text}".rstrip())
            missed = missed_toggles(toggles.get(number, []))
            if missed:
                out.append(f"! {'':>9}      -- {missed}")
        return "\n".join(out) + "\n"

    def write_annotated(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write each source with its counts into a folder; return the files written."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        written = []
        for name, file in self._named():
            path = target / (re.sub(r"[^\w.-]+", "_", name).strip("_") + ".txt")
            path.write_text(self.annotated(file.path), encoding="utf-8")
            written.append(path)
        return written

    def write_html(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that holds everything: the table, and each source with its counts."""
        from pynq.backends.sim.coverage_page import page

        file = Path(path)
        file.write_text(page(self, self._named()), encoding="utf-8")
        return file

    def write_lcov(self, path: str | os.PathLike[str]) -> Path:
        """Write lcov's tracefile (``coverage.info``), as CI services read it: lines and branches."""
        out = []
        for file in self.files():
            if not file.lines.total:
                continue
            out += ["TN:", f"SF:{file.path}"]
            branches = [(point, count) for point, count in file.points.items() if point.kind == "branch"]
            for number, (point, count) in enumerate(sorted(branches)):
                out.append(f"BRDA:{point.line},0,{number},{count}")
            out.append(f"BRF:{len(branches)}")
            out.append(f"BRH:{sum(count > 0 for _, count in branches)}")
            counts = {
                line: max(count for _, count in points) for line, points in sorted(file.line_counts().items())
            }
            out += [f"DA:{line},{count}" for line, count in counts.items()]
            out += [f"LF:{len(counts)}", f"LH:{sum(count > 0 for count in counts.values())}", "end_of_record"]
        target = Path(path)
        target.write_text("\n".join(out) + "\n", encoding="utf-8")
        return target

    def _named(self) -> list[tuple[str, FileCoverage]]:
        """Return (name to show, file): paths without the folder that all share."""
        files = self.files()
        if not files:
            return []
        common = os.path.commonpath([os.path.dirname(file.path) or "." for file in files]) if files else ""
        common = common + "/" if common not in ("", ".", "/") else ""
        return [(file.path.removeprefix(common), file) for file in files]

    def __repr__(self) -> str:
        return f"<Coverage of {self.runs} runs: lines {self.lines}, toggles {self.toggles}>"


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
