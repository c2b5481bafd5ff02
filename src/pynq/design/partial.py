"""Partial reconfiguration in descriptions: a static design and what is in its regions make one design.

A region is a cell of the static design (a block container, or a module whose contents are exchanged). Its
ports, interfaces and address ranges are its boundary. A partial description tells of the cells inside, and
ends at ports and interfaces of the same names. :func:`merge` puts one into the place of the other: the
region's cell is gone, the cells inside stand below its path (``pr_0/adder``), and wires, buses and addresses
lead through. The result is an ordinary :class:`Design`, so everything that works on designs works on it;
its ``static``, ``partials`` and ``regions`` tell how it was made, which lets the next one take the place
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from pynq.design.joint import Joint, straight_pairs
from pynq.design.model import (
    BusInterface,
    Cell,
    CellKind,
    Design,
)
from pynq.design.resolve import hierarchies, resolve
from pynq.errors import RegionError
from pynq.wording import did_you_mean

__all__ = ["changes", "empty", "find_region", "inside", "merge", "regions", "straight"]


def inside(path: str, region: str) -> bool:
    """Return whether a path lies below a region's, or is that of the region itself."""
    return path == region or path.startswith(f"{region}/")


def regions(design: Design) -> dict[str, Cell]:
    """Return the regions of a design by path, with the cells that stand for them where they are empty."""
    found = {path: cell for path, cell in design.cells.items() if cell.kind is CellKind.BLOCK_CONTAINER}
    return {**found, **design.regions}


def find_region(design: Design, name: str) -> str:
    """Return the path of a region; ``name`` may have dots in the place of slashes.

    Raises :class:`~pynq.errors.RegionError` for a name that is no region's, with the near ones.
    """
    known = regions(design)
    for path in (name, name.replace(".", "/")):
        if path in known:
            return path
    path = name.replace(".", "/")
    hint = did_you_mean(path, known) or (f"its regions: {', '.join(known)}" if known else "it has no regions")
    if path in design.cells or path in design.hierarchies:
        what = "an IP" if path in design.cells else "a hierarchy"
        raise RegionError(
            f"{path!r} of design {design.label!r} is {what}, no region for partial reconfiguration; {hint}"
        )
    raise RegionError(f"no region {name!r} in design {design.label!r}; {hint}")


def changes(before: Design, after: Design, *, reloaded: bool = False) -> list[str]:
    """Return the regions whose contents differ between two forms of one static design, the outermost.

    ``reloaded``: also those into which the same was loaded once more.
    """
    if before is after:
        return []

    def same(path: str) -> bool:
        old, new = before.partials.get(path), after.partials.get(path)
        return old is new or (old == new and not reloaded)

    differ = [path for path in dict.fromkeys((*before.partials, *after.partials)) if not same(path)]
    return [path for path in differ if not any(path != other and inside(path, other) for other in differ)]


def merge(design: Design, region: str, partial: Design) -> Design:
    """Return the design with a partial one in a region, in the place of what was there.

    What was loaded into regions within this one goes with it. Addresses of the partial description may be
    absolute or count from the region's base: each interface is taken in the way in which all of it fits.

    Raises:
        RegionError: There is no such region.
        DesignError: The partial design does not fit: its boundary has ports or interfaces that the region has
            not, an IP lies outside of the region's addresses, or it is for another part. All reasons, with
            file and line.
    """
    region = find_region(design, region)
    partials = {path: held for path, held in design.partials.items() if not inside(path, region)}
    partials[region] = partial
    return _compose(design.static or design, partials)


def empty(design: Design, region: str) -> Design:
    """Return the design with nothing loaded into a region: as the static description has it."""
    region = find_region(design, region)
    partials = {path: held for path, held in design.partials.items() if not inside(path, region)}
    return _compose(design.static or design, partials)


def straight(design: Design, region: str) -> list[tuple[BusInterface, BusInterface]]:
    """Return the buses that lead straight through what a region holds.

    Pairs of interfaces of the cell that stands for the region: where the bus enters, and where it leaves.
    """
    partial, hollow = design.partials.get(region), design.regions.get(region)
    return list(straight_pairs(hollow, partial)) if partial is not None and hollow is not None else []


def _compose(static: Design, partials: Mapping[str, Design]) -> Design:
    if not partials:
        return static
    cells, ports, boundary = dict(static.cells), dict(static.ports), list(static.boundary_ranges)
    filled: dict[str, Cell] = {}
    for region, partial in partials.items():
        filled[region] = cells[region]
        joint = Joint(static, cells[region], partial)
        joint.check()
        cells = dict(joint.cells(cells, boundary))
        ports = {name: joint.outer_port(port) for name, port in ports.items()}
        boundary = joint.enter(boundary)
        joint.raise_problems()
    return replace(
        static,
        **{
            **resolve(static.file, cells, ports, boundary),
            # A region is a hierarchy, whatever it holds.
            "hierarchies": hierarchies([*cells, *(f"{region}/" for region in partials)]),
        },
        static=static,
        partials=MappingProxyType(dict(partials)),
        regions=MappingProxyType(filled),
    )
