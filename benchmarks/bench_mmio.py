"""What a register access costs on memory-mapped registers: MMIO beside an item of a memoryview, and beside
PYNQ."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from paired import Case, Cases, Limit, main

BLOCK = bytes(range(256)) * 4


def description(device: Any) -> dict[str, Any]:
    """An entry of ``ip_dict``."""
    return {
        "phys_addr": 0x4000_0000,
        "addr_range": 0x1000,
        "fullpath": "ip_0",
        "type": "bench",
        "registers": {},
        "parameters": {},
        "interrupts": {},
        "gpio": {},
        "device": device,
    }


def cases(mmio: Any, ip: Any) -> dict[str, Case]:
    """The same statements for both packages."""
    return {
        "read": Case("mmio.read(16)", {"mmio": mmio}),
        "write": Case("mmio.write(16, 5)", {"mmio": mmio}),
        "ip.read": Case("ip.read(16)", {"ip": ip}),
        "ip.write": Case("ip.write(16, 5)", {"ip": ip}),
        "array": Case("array[4]", {"array": mmio.array}),
        "write 1 KiB": Case("mmio.write(0, block)", {"mmio": mmio, "block": BLOCK}),
    }


def own() -> Cases:
    """This package and the floor."""
    from pynq import MMIO, DefaultIP, Device
    from pynq._native import Window

    class Bench(Device):
        def map(self, base: int, length: int) -> Window:
            return Window.from_memory(np.zeros(length // 4, "u4"), base)

    device = Bench("bench:")
    view = memoryview(np.zeros(1024, "u4")).cast("B").cast("I")
    words = memoryview(BLOCK).cast("I")
    mmio = MMIO(0x4000_0000, 0x1000, device)
    return {
        "floor read": Case("view[4]", {"view": view}),
        "floor write": Case("view[4] = 5", {"view": view}),
        "floor write 1 KiB": Case("view[:256] = words", {"view": view, "words": words}),
        "read 8 bytes": Case("mmio.read(16, 8)", {"mmio": mmio}),
        "read float": Case("mmio.read(16, dtype='f4')", {"mmio": mmio}),
        "wait_until": Case("mmio.wait_until(16, 0, 0)", {"mmio": mmio}),
        **cases(mmio, DefaultIP(description(device))),
    }


def peer() -> Cases:
    """PYNQ, on a numpy array as well."""
    from pynq import MMIO
    from pynq.overlay import DefaultIP

    class Bench:
        def has_capability(self, name: str) -> bool:
            return name == "MEMORY_MAPPED"

        def mmap(self, base: int, length: int) -> Any:
            return np.zeros(length // 4, "u4")

    device: Any = Bench()
    return cases(MMIO(0x4000_0000, 0x1000, device), DefaultIP(description(device)))


LIMITS = [
    Limit("own:read", "own:floor read", 3),
    Limit("own:write", "own:floor write", 3),
    Limit("own:ip.read", "own:floor read", 6, "own aim"),
    Limit("own:ip.write", "own:floor write", 6, "own aim"),
]

if __name__ == "__main__":
    raise SystemExit(main("mmio", __doc__, own, peer, LIMITS, sys.argv[0]))
