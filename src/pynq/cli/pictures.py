"""The files that ``pynq inspect`` writes: a page, a picture."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pynq.cli.info import version
from pynq.cli.output import write
from pynq.design import Design
from pynq.report.graph import graph_of
from pynq.report.page import page
from pynq.report.svg import svg

__all__ = ["graph", "open_page", "refuse_source", "write_page", "write_picture"]


def graph(design: Design, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the diagram of a design with the drivers and the findings of its facts."""
    drivers = {cell["path"]: cell["driver"] for cell in facts["cells"]}
    return graph_of(design, drivers, _marks(design, facts))


def _marks(design: Design, facts: dict[str, Any]) -> dict[str, str]:
    """The worst of what was found about each block; notes are not marked, most blocks have one."""
    marks: dict[str, str] = {}
    for found in facts["findings"]:
        if found["severity"] not in ("error", "warning"):
            continue
        for subject in found["subject"].split(", "):
            path = subject
            while path and path not in design.cells:
                path = path.rpartition("/")[0]
            if path and marks.get(path) != "error":
                marks[path] = found["severity"]
    return marks


def write_page(design: Design, facts: dict[str, Any], target: Path) -> None:
    """Write the page about a design. A file that is there is replaced; one that fails leaves it as it was."""
    text = page(facts, graph(design, facts), made=f"Made by pynq-anywhere {version()}: pynq inspect --html")
    write(target, text.encode("utf-8"))


def write_picture(
    design: Design, facts: dict[str, Any], target: Path, *, depth: int, unfold: Sequence[str]
) -> None:
    """Write the block diagram as SVG, with ``depth`` levels of hierarchies open, and those named."""
    picture = svg(graph(design, facts), depth=depth, unfold=unfold)
    write(target, picture.encode("utf-8"))


def refuse_source(target: Path, facts: dict[str, Any]) -> None:
    """Raise :class:`FileExistsError` for a target that is one of the files that the facts were read from."""
    for source in map(Path, filter(None, (facts["description"], facts["bitstream"], facts["companion"]))):
        # A member of an archive: the archive is one of its parents.
        if any(
            one.is_file() and target.exists() and target.samefile(one) for one in (source, *source.parents)
        ):
            raise FileExistsError(f"{target} is what is shown: name another file")


def open_page(target: Path) -> bool:
    """Show a page in the user's browser; return whether there is one."""
    return webbrowser.open(target.resolve().as_uri())
