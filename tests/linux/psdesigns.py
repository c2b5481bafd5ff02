"""Designs that are little more than a PS with parameters, and those of the corpus."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from pynq.design.hwh import read, read_bytes
from pynq.design.model import Design, Port, Processor

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from examples.tools import designs  # noqa: E402


@lru_cache(maxsize=1)
def _base() -> Design:
    design = designs.vector_add()
    return read_bytes(design.to_xml().encode(), "ps.hwh")


def with_ps(
    processor: Processor,
    parameters: Mapping[str, str] | None = None,
    ports: Mapping[str, int] | None = None,
) -> Design:
    """Return a design whose PS is of that family, with these parameters and ports (name: bits)."""
    base = _base()
    made = {
        name: Port(
            name, "O" if "o" in name[-1].lower() else "I", width - 1, 0, "undef", name, "", "", None, (), 0
        )
        for name, width in (ports or {}).items()
    }
    cell = replace(base.cells[base.ps], parameters=MappingProxyType(dict(parameters or {})), ports=made)
    return replace(base, processor=processor, cells={**base.cells, base.ps: cell})


@lru_cache(maxsize=1)
def of_corpus(folder: Path) -> dict[str, Design]:
    """Return the designs of the corpus that have a PS, by file name."""
    found = {path.name: read(path) for path in sorted((folder / "hwh").glob("*.hwh"))}
    return {name: design for name, design in found.items() if design.processor is not None}
