"""A design whose RTL is built, and the light way there.

What looks at manifests, sources and tools is imported only where there is RTL: most programs have none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pynq.design.model import Cell, Design, Endpoint

if TYPE_CHECKING:
    from pynq.backends.sim.rtl.build import Library
    from pynq.backends.sim.rtl.resolve import Block

__all__ = ["ENVIRONMENT", "SUFFIX", "Built", "Prepared", "Where", "beside", "prepare"]

#: What a program may say: None (the manifest beside the hand-off file), False (no RTL), a manifest, a dict.
Where = str | os.PathLike[str] | Mapping[str, Any] | bool | None

ENVIRONMENT = "PYNQ_RTL"
SUFFIX = ".sim.toml"


@dataclass(frozen=True)
class Built:
    """A block of RTL, ready to be put into an engine. ``names``: RTL port by port of the cell."""

    cell: Cell
    block: Block
    library: Library
    names: Mapping[str, str]


@dataclass(frozen=True)
class Prepared:
    """A design and its RTL. ``design`` has one cell for every hierarchy that is one module.

    ``aliases``: where the ends of wires inside such hierarchies are now.
    """

    design: Design
    built: Mapping[str, Built] = field(default_factory=dict)
    aliases: Mapping[Endpoint, Endpoint] = field(default_factory=dict)


def beside(description: str | os.PathLike[str]) -> Path | None:
    """Return the manifest that lies beside a hand-off file; None where there is none."""
    path = Path(description).absolute().with_suffix(SUFFIX)
    return path if path.is_file() else None


def prepare(
    design: Design,
    rtl: Where = None,
    description: Path | None = None,
    *,
    coverage: bool = False,
    modelled: Callable[[Cell], bool] = lambda cell: False,
    chosen: Container[str] = (),
    region: str = "",
) -> Prepared:
    """Find, build and check the RTL of a design; see :func:`pynq.backends.sim.rtl.attach.prepare`."""
    file = description or Path(design.file)
    if rtl is False or (rtl is None and not os.environ.get(ENVIRONMENT) and beside(file) is None):
        return Prepared(design)
    from pynq.backends.sim.rtl import attach

    return attach.prepare(
        design, rtl, file, coverage=coverage, modelled=modelled, chosen=chosen, region=region
    )
