"""A design whose RTL is built, and what a program may say of where it is from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pynq.design.model import Cell, Design, Endpoint

if TYPE_CHECKING:
    from pynq.backends.sim.rtl.build import Library
    from pynq.backends.sim.rtl.resolve import Block

__all__ = ["ENVIRONMENT", "SUFFIX", "Built", "Prepared", "Where", "beside"]

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
