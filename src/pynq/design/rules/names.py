"""Rules of names and versions."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from pynq.design.findings import Facts, Hit, rule
from pynq.design.model import Cell

__all__ = ["RULES"]


@rule("name-not-python", "note")
def spelling(facts: Facts) -> Iterator[Hit]:
    """A name can't be written as an attribute.

    What a program reaches is an attribute of the overlay by its name; one that begins with a digit, or is a
    word of Python, can't be written so.

    Write `overlay["name"]`; the path works as well: `overlay["hierarchy/name"]`.
    """
    design = facts.design
    reached = dict.fromkeys(entry.slave or entry.slave_interface for entry in design.reachable)
    for path in reached:
        cell = design.cells.get(path)
        for part in path.split("/"):
            if part and (not part.isidentifier() or keyword.iskeyword(part)):
                yield Hit(
                    path,
                    f"{part!r} is no name in Python",
                    f'write overlay["{path}"]',
                    cell.source if cell is not None else design.source,
                )


@rule("name-twice", "note")
def namesakes(facts: Facts) -> Iterator[Hit]:
    """Two blocks have names that differ only in `/` and `_`.

    The vendor's files and tools write `a/b` as `a_b`: `xparameters.h`, device trees and simulators give both
    the same name, and connections in older files are ambiguous.

    Rename one of them.
    """
    seen: dict[str, Cell] = {}
    for path, cell in facts.design.cells.items():
        flat = path.replace("/", "_")
        if flat in seen:
            yield Hit(
                path,
                f"{seen[flat].path} has the same name where / is written as _ ({flat})",
                "rename one of them",
                cell.source,
            )
        seen.setdefault(flat, cell)


@rule("versions-differ", "note")
def versions(facts: Facts) -> Iterator[Hit]:
    """One IP is there in two versions.

    Drivers bind by type with version: one of the two may get none, and their registers may differ.

    Upgrade the older one ("Report IP Status" in Vivado).
    """
    first: dict[str, Cell] = {}
    told: set[tuple[str, str]] = set()
    for cell in facts.design.cells.values():
        if cell.vlnv is None:
            continue
        other = first.setdefault(cell.vlnv.without_version, cell)
        if other.vlnv is None or other.vlnv.version == cell.vlnv.version:
            continue
        key = (cell.vlnv.without_version, cell.vlnv.version)
        if key not in told:
            told.add(key)
            yield Hit(
                cell.path,
                f"{cell.vlnv.name} is version {cell.vlnv.version} here, {other.path} is {other.vlnv.version}",
                "upgrade the older one",
                cell.source,
            )


RULES = (spelling, namesakes, versions)
