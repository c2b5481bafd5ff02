"""Which cells of a design a pattern means: by path, by type, by module type.

Each function returns the cells with the rank of the match; of several patterns the one of the lowest rank is
meant.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

from pynq.design.model import Cell, CellKind, Design

__all__ = ["Ranked", "candidates", "instances", "modules", "types"]

Ranked = list[tuple[str, int]]
"""Paths of cells, each with a rank: 0 is best."""


def candidates(design: Design) -> Iterator[Cell]:
    """Yield the cells of a design but the PS."""
    for cell in design.cells.values():
        if cell.path != design.ps and cell.kind is not CellKind.PROCESSOR:
            yield cell


def instances(design: Design, pattern: str) -> Ranked:
    """Return the cells whose path fits a pattern (rank 0 for the path itself, 1 for a glob)."""
    return [
        (cell.path, int(cell.path != pattern))
        for cell in candidates(design)
        if cell.path == pattern or fnmatch.fnmatchcase(cell.path, pattern)
    ]


def types(design: Design, pattern: str) -> Ranked:
    """Return the cells whose type fits a pattern, which may leave out the version (ranks 2 and 3)."""
    return [
        (cell.path, 2 + int(cell.type != pattern))
        for cell in candidates(design)
        if cell.type and _is_type(cell, pattern)
    ]


def modules(design: Design, pattern: str) -> Ranked:
    """Return the cells whose module type fits a pattern (ranks 4 and 5)."""
    return [
        (cell.path, 4 + int(cell.module_type != pattern))
        for cell in candidates(design)
        if cell.module_type and fnmatch.fnmatchcase(cell.module_type, pattern)
    ]


def _is_type(cell: Cell, pattern: str) -> bool:
    bare = cell.vlnv.without_version if cell.vlnv is not None else cell.type
    return fnmatch.fnmatchcase(cell.type, pattern) or fnmatch.fnmatchcase(bare, pattern)
