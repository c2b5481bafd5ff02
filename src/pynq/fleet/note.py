"""Which case a worker process runs, told to the parent without any help of the worker's interpreter.

What a worker reports goes through its event loop, and so does not get out once a case keeps the interpreter's
lock. A note is one write to memory that the parent has made and reads when the process is gone.
"""

from __future__ import annotations

import os
import struct
import time
from typing import NamedTuple

__all__ = ["Note", "Running"]

_LAYOUT = struct.Struct("<?31sQd")


class Running(NamedTuple):
    """A case that had begun and not ended. ``start``: as of ``time.monotonic()``, the machine's own clock."""

    topic: str
    number: int
    start: float


class Note:
    """The note of one process. ``file``: a descriptor of memory that both have; -1: make one, for a child."""

    def __init__(self, file: int = -1) -> None:
        self.file = file if file >= 0 else os.memfd_create("pynq-fleet-note")

    def begin(self, topic: str, number: int) -> None:
        """Write that a case begins."""
        os.pwrite(self.file, _LAYOUT.pack(True, topic.encode(), number, time.monotonic()), 0)

    def end(self) -> None:
        """Write that no case runs."""
        os.pwrite(self.file, bytes(_LAYOUT.size), 0)

    def read(self) -> Running | None:
        """Return the case that runs, or ran when the process ended; None for none."""
        data = os.pread(self.file, _LAYOUT.size, 0)
        if len(data) < _LAYOUT.size:
            return None
        begun, topic, number, start = _LAYOUT.unpack(data)
        return Running(topic.rstrip(b"\0").decode(), number, start) if begun else None

    def close(self) -> None:
        """Give the memory back. A second call does nothing."""
        if self.file >= 0:
            os.close(self.file)
        self.file = -1
