"""What a design's cells and wires mean, for all that make a design of cells: readers and :mod:`partial`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pynq.design.addresses import ps_ranges, reachable
from pynq.design.clocks import resolve_clocks, resolve_resets
from pynq.design.emio import resolve_emio
from pynq.design.gpio import resolve_gpio
from pynq.design.interrupts import resolve_interrupts
from pynq.design.kinds import find_processor
from pynq.design.memories import resolve_memories
from pynq.design.model import Cell, MemoryRange, Port
from pynq.design.topology import Wiring
from pynq.errors import DesignError, Problem

__all__ = ["hierarchies", "resolve"]


def resolve(
    file: str, cells: Mapping[str, Cell], ports: Mapping[str, Port], boundary: Sequence[MemoryRange]
) -> dict[str, Any]:
    """Return the fields of a :class:`Design` that follow from its cells, ports and boundary ranges.

    Raises :class:`~pynq.errors.DesignError` for cells that no path can lead to, or whose names could not be
    shown: a terminal would obey them.
    """
    _check_names(cells)
    family, ps = find_processor(cells)
    wiring = Wiring(file, cells, ports)
    ranges = reachable(cells, ps, boundary)
    controllers, pins = resolve_interrupts(wiring, family, ps)
    return {
        "cells": MappingProxyType(dict(cells)),
        "hierarchies": hierarchies(cells),
        "ports": MappingProxyType(dict(ports)),
        "processor": family,
        "ps": ps,
        "ps_ranges": ps_ranges(cells, ps),
        "clocks": resolve_clocks(wiring, family, ps),
        "interrupt_controllers": MappingProxyType(controllers),
        "interrupt_pins": MappingProxyType(pins),
        "emio": resolve_emio(wiring, family, ps),
        "memories": resolve_memories(cells, family, ps, ranges),
        "boundary_ranges": tuple(boundary),
        "reachable": ranges,
        "resets": resolve_resets(wiring),
        "gpio_channels": resolve_gpio(wiring),
    }


def _check_names(cells: Mapping[str, Cell]) -> None:
    problems = []
    for path, cell in cells.items():
        if not path.isprintable():
            problem = "has control characters in its name"
        elif path[:1] == "/" or path[-1:] == "/" or "//" in path:
            problem = "has an empty name in its path"
        else:
            continue
        problems.append(Problem(cell.source.file, cell.source.line, f"cell {path[:80]!r} {problem}"))
    if problems:
        raise DesignError(problems)


def hierarchies(cells: Iterable[str]) -> tuple[str, ...]:
    """Return every prefix of a cell's path, parents before children, in the file's order."""
    found: dict[str, None] = {}
    for path in cells:
        end = path.find("/")
        while end >= 0:
            found.setdefault(path[:end])
            end = path.find("/", end + 1)
    return tuple(found)
