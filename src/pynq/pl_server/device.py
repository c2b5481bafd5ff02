"""PYNQ's name for :class:`pynq.Device`."""

from __future__ import annotations

from pynq.device import Device

__all__ = ["Device"]
