"""PYNQ's name for :class:`pynq.PL`."""

from __future__ import annotations

from pynq.device import PL, Device

__all__ = ["PL", "Device"]
