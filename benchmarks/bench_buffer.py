"""What buffers cost: allocate and free, slices, addresses; beside a bare ndarray subclass, and beside PYNQ.

PYNQ's device does nothing (one numpy array serves every buffer), ours hands out zeroed pages of a memfd and
takes them back.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
from paired import Case, Cases, Limit, main


def cases(allocate: Any, device: Any, buffer: Any) -> Cases:
    """The same statements for both packages."""
    given = {"allocate": allocate, "device": device}
    view = buffer[16:32]
    return {
        "allocate + freebuffer": Case("allocate((1024,), 'u4', device).freebuffer()", given),
        "allocate + drop": Case("allocate((1024,), 'u4', device)", given),
        "slice": Case("buffer[16:32]", {"buffer": buffer}),
        "item": Case("buffer[16]", {"buffer": buffer}),
        "add": Case("buffer + buffer", {"buffer": buffer}),
        "physical_address": Case("buffer.physical_address", {"buffer": buffer}),
        "physical_address of a view": Case("view.physical_address", {"view": view}),
    }


class Bare(np.ndarray):  # type: ignore[type-arg]
    """What a subclass of numpy's array costs at least."""


def own() -> Cases:
    """This package and the floor."""
    from pynq import Device, allocate
    from pynq._native import Arena, MappedBlock

    class Bench(Device):
        def __init__(self) -> None:
            super().__init__("bench:")
            fd = os.memfd_create("bench")
            os.ftruncate(fd, 1 << 24)
            self.arena = Arena(fd, 0, 1 << 24, 0x1000_0000)
            os.close(fd)

        def allocate_block(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> MappedBlock:
            return self.arena.allocate(nbytes)

    device = Bench()
    return {
        "floor allocate": Case("empty((1024,), 'u4')", {"empty": np.empty}),
        "floor slice": Case("bare[16:32]", {"bare": np.zeros(1024, "u4").view(Bare)}),
        "allocate 1 MiB + freebuffer": Case(
            "allocate((1 << 18,), 'u4', device).freebuffer()", {"allocate": allocate, "device": device}
        ),
        **cases(allocate, device, allocate((1024,), "u4", device)),
    }


def peer() -> Cases:
    """PYNQ, with a device that does nothing."""
    from pynq.buffer import PynqBuffer, allocate

    memory = np.zeros(1024, "u4")

    class Bench:
        def allocate(self, shape: Any, dtype: Any, **kwargs: Any) -> Any:
            return PynqBuffer(
                shape, dtype, bo=1, device=self, buffer=memory, device_address=0x1000_0000, coherent=True
            )

    device = Bench()
    return cases(allocate, device, allocate((1024,), "u4", device))


LIMITS = [
    Limit("own:slice", "own:floor slice", 2.5),
    Limit("own:allocate + freebuffer", "peer:allocate + freebuffer", 1),
    Limit("own:allocate + drop", "peer:allocate + drop", 1, "own aim"),
]

if __name__ == "__main__":
    raise SystemExit(main("buffer", __doc__, own, peer, LIMITS, sys.argv[0]))
