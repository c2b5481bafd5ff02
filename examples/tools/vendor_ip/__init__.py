"""The vendor's IP that the examples use, as cells of a :class:`~examples.tools.blockdesign.BlockDesign`.

Pins, parameters and registers follow the product guides named at each function. Descriptions are ours.
"""

from __future__ import annotations

from .common import Clocking
from .infrastructure import interconnect, proc_sys_reset, smartconnect, xlconcat
from .peripherals import axi_gpio, axi_intc, axi_timer
from .processors import processing_system7, zynq_ultra_ps_e
from .routing import axis_switch, dfx_decoupler, xlslice
from .streams import axi_dma, axis_data_fifo

__all__ = [
    "Clocking",
    "axi_dma",
    "axi_gpio",
    "axi_intc",
    "axi_timer",
    "axis_data_fifo",
    "axis_switch",
    "dfx_decoupler",
    "interconnect",
    "proc_sys_reset",
    "processing_system7",
    "smartconnect",
    "xlconcat",
    "xlslice",
    "zynq_ultra_ps_e",
]
