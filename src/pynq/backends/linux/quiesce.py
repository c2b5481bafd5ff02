"""Bring a design to rest that a process left running: its DMA engines and its interrupts.

A process that was killed stops nothing: its engines go on to read and write memory that is other people's by
now. What is in the PL is known from the state under ``/run/pynq``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pynq.design.model import Design
from pynq.errors import AccessError, KernelError, WaitTimeoutError

if TYPE_CHECKING:
    from pynq._native import Window

__all__ = ["quiesce"]

# Where each engine's control registers are, and their reset bit: PG021 (DMACR), PG020 (VDMACR), PG034
# (CDMACR), PG288 (common control of both directions). The bit clears itself.
_RESET = 1 << 2
_ENGINES = {
    "axi_dma": (0x00, 0x30),
    "axi_vdma": (0x00, 0x30),
    "axi_cdma": (0x00,),
    "axi_mcdma": (0x000, 0x500),
}
_INTC_MER = 0x1C  # PG099: master enable
_SECONDS = 0.1


def quiesce(design: Design, map_registers: Callable[[int, int], Window]) -> list[str]:
    """Reset the DMA engines of a design that is in the PL, and disarm its interrupt controllers.

    ``map_registers`` gives registers by address and length. Returns the paths of what does not come to rest.
    """
    stuck = []
    for entry in design.ps_ranges:
        cell = design.cells.get(entry.slave)
        kind = "" if cell is None else cell.type_name
        try:
            if kind in _ENGINES:
                window = map_registers(entry.base, min(entry.size, 0x1000))
                for offset in _ENGINES[kind]:
                    window.write(offset, _RESET)
                for offset in _ENGINES[kind]:
                    window.wait_until(offset, _RESET, 0, _SECONDS)
            elif kind == "axi_intc":
                map_registers(entry.base, min(entry.size, 0x1000)).write(_INTC_MER, 0)
        except (WaitTimeoutError, AccessError, KernelError):
            stuck.append(entry.slave)
    return stuck
