"""PYNQ's name for :mod:`pynq.design`."""

from __future__ import annotations

from pynq.design import Design, read

__all__ = ["Design", "read"]
