"""PYNQ's names for :mod:`pynq.device`."""

from __future__ import annotations

from pynq.device import Device

__all__ = ["Device"]
