"""Buffers that were not freed when the program ends, with where they came from: ``PYNQ_DEBUG=leaks``."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import traceback
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["VARIABLE", "Watch", "note"]

VARIABLE = "PYNQ_DEBUG"
# Not resolved: frames have the path by which the package was imported.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_FRAMES = 4


class Watch:
    """The blocks alive, each with the frames of the program that asked for it."""

    def __init__(self) -> None:
        self._blocks: dict[int, tuple[weakref.ref[Any], list[traceback.FrameSummary]]] = {}

    def note(self, block: Any) -> None:
        """Remember a block that was just allocated."""
        stack = traceback.extract_stack()
        ours = [frame for frame in stack if not frame.filename.startswith(_PACKAGE)]
        key = id(block)
        self._blocks[key] = (weakref.ref(block, lambda _: self._blocks.pop(key, None)), ours[-_FRAMES:])

    def report(self) -> str:
        """Return a text that lists what is still allocated, "" for nothing."""
        gc.collect()  # cycles are no leaks
        lines = []
        total = 0
        for reference, stack in list(self._blocks.values()):
            block = reference()
            if block is None or block.released:
                continue
            total += block.nbytes
            lines.append(f"  {block.nbytes} bytes at 0x{block.physical_address:x}, allocated at")
            lines += [f"    {f.filename}:{f.lineno} in {f.name}" for f in reversed(stack)]
        if not lines:
            return ""
        count = sum(not line.startswith("    ") for line in lines)
        what = (
            "1 buffer of {} bytes in all was" if count == 1 else f"{count} buffers of {{}} bytes in all were"
        )
        return "\n".join([f"pynq: {what.format(total)} never freed:", *lines, ""])

    def tell(self) -> None:
        """Write the report to the standard error stream."""
        sys.stderr.write(self.report())


def _first(block: Any) -> None:
    """Decide, at the first allocation, whether blocks are watched."""
    global note
    note = None
    if "leaks" in os.environ.get(VARIABLE, "").split(","):
        watch = Watch()
        atexit.register(watch.tell)
        note = watch.note
        note(block)


note: Callable[[Any], None] | None = _first
"""Called with every new block; None: nobody is interested."""
