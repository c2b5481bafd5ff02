"""Where buffers come from: ranges of physical addresses, and memory that is handed out in blocks.

:class:`Arena` serves memory behind one file descriptor (the simulated board's memfd, a reserved region of a
board); :class:`MappedBlock` maps a descriptor of its own (dma-buf, u-dma-buf); :class:`Pool` only keeps the
books. All give zeroed memory, page by page, and a block that was released shows zeros to whoever still
looks at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pynq._native import Arena, MappedBlock, Pool

if TYPE_CHECKING:
    from pynq._native import PoolFigures
else:
    PoolFigures = dict

__all__ = ["Arena", "MappedBlock", "Pool", "PoolFigures"]
