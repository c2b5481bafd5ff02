"""Coverage of the user's RTL: which lines ran and which bits changed, over all runs that left their counts.

:class:`Coverage` reads and adds the counts (:mod:`pynq.backends.sim.coverage_counts`) and reports them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from pynq.backends.sim.coverage_counts import Counts, FileCoverage, Point, Tally, missed_toggles
from pynq.backends.sim.coverage_page import page

__all__ = ["Coverage", "FileCoverage", "Point", "Tally"]


class Coverage(Counts):
    """Counts of coverage points, of one run or of many, and the reports of them. ``a + b`` adds."""

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
