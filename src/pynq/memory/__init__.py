"""Bytes that a device can see: buffers, and the memory they come from."""

from __future__ import annotations

from pynq.memory.buffer import PynqBuffer, new_buffer
from pynq.memory.pool import Arena, MappedBlock, Pool, PoolFigures
from pynq.memory.words import RegisterArray

__all__ = ["Arena", "MappedBlock", "Pool", "PoolFigures", "PynqBuffer", "RegisterArray", "new_buffer"]
