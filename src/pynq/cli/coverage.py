"""What ``pynq coverage`` does: add the counts of runs, and report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pynq.backends.sim.coverage import Coverage

__all__ = ["collect", "table"]


def collect(
    places: Sequence[Path], *, html: Path | None, lcov: Path | None, annotate: Path | None
) -> tuple[Coverage, list[Path]]:
    """Return what the runs left in files and folders, and the reports that were written."""
    found = Coverage.read(*places)
    written: list[Path] = []
    if html is not None:
        written.append(found.write_html(html))
    if lcov is not None:
        written.append(found.write_lcov(lcov))
    if annotate is not None:
        written += found.write_annotated(annotate)
    return found, written


def table(found: Coverage) -> dict[str, Any]:
    """Return the figures for programs."""
    return {
        "runs": found.runs,
        "files": [
            {"path": file.path, "lines": file.lines._asdict(), "toggles": file.toggles._asdict()}
            for file in found.files()
        ],
        "lines": found.lines._asdict(),
        "toggles": found.toggles._asdict(),
        "changed_since": found.changed_since(),
    }
