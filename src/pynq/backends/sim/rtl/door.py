"""The light way to RTL: what looks at manifests, sources and tools is imported only where there is some, and
most programs have none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container
from pathlib import Path

from pynq.backends.sim.rtl.prepared import ENVIRONMENT, Prepared, Where, beside
from pynq.design.model import Cell, Design

__all__ = ["prepare"]


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
