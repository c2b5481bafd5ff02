"""Drivers for families of IP. Importing this registers them for the overlays loaded next."""

from __future__ import annotations

from pynq.lib import axigpio, dma
from pynq.lib.axigpio import AxiGPIO
from pynq.lib.button import Button
from pynq.lib.dma import DMA
from pynq.lib.led import LED
from pynq.lib.rgbled import RGBLED
from pynq.lib.switch import Switch

__all__ = ["DMA", "LED", "RGBLED", "AxiGPIO", "Button", "Switch", "axigpio", "dma"]
