"""Checks of an address map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .model import MemoryRange

__all__ = ["conflicts"]


def conflicts(ranges: Iterable[MemoryRange]) -> Iterator[tuple[MemoryRange, MemoryRange]]:
    """Pairs (earlier, later in the file) of ranges that can't both be true."""
    return iter(())
