"""What a field of a register map costs through the driver, and what building the map costs, beside PYNQ."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from paired import Case, Cases, Limit, main


def registers(count: int, fields: int) -> dict[str, Any]:
    """A register map as ``ip_dict`` has it."""
    made = {
        f"REG{i}": {
            "address_offset": 4 * i,
            "size": 32,
            "access": "read-write",
            "description": f"Register number {i} of the benchmark.",
            "fields": {
                f"FIELD{j}": {
                    "bit_offset": j * (32 // fields),
                    "bit_width": 32 // fields,
                    "access": "read-write",
                    "description": f"Field number {j} of register number {i}.",
                }
                for j in range(fields)
            },
        }
        for i in range(count)
    }
    ctrl: Any = {
        "AP_START": {"bit_offset": 0, "bit_width": 1, "access": "read-write", "description": "Start."},
        "AP_DONE": {"bit_offset": 1, "bit_width": 1, "access": "read-only", "description": "Done."},
    }
    made["CTRL"] = made.pop("REG0") | {"fields": ctrl | made.get("REG0", {}).get("fields", {})}
    return made


SMALL = registers(8, 4)
LARGE = registers(64, 8)


def description(device: Any) -> dict[str, Any]:
    """An entry of ``ip_dict``."""
    return {
        "phys_addr": 0x4000_0000,
        "addr_range": 0x1000,
        "fullpath": "ip_0",
        "type": "bench",
        "registers": SMALL,
        "parameters": {},
        "interrupts": {},
        "gpio": {},
        "device": device,
    }


def cases(ip: Any, kind: Any, buffer: Any) -> Cases:
    """The same statements for both packages."""
    return {
        "read field": Case("ip.register_map.CTRL.AP_START", {"ip": ip}),
        "write field": Case("ip.register_map.CTRL.AP_START = 1", {"ip": ip}),
        "write register": Case("ip.register_map.CTRL = 1", {"ip": ip}),
        "int(register)": Case("int(ip.register_map.CTRL)", {"ip": ip}),
        "slice": Case("ip.register_map.CTRL[7:4]", {"ip": ip}),
        "build 8": Case(
            "kind.create_subclass('x', small)(buffer)", {"kind": kind, "small": SMALL, "buffer": buffer}
        ),
        "build 64": Case(
            "kind.create_subclass('x', large)(buffer)", {"kind": kind, "large": LARGE, "buffer": buffer}
        ),
        "build and show 64": Case(
            "repr(kind.create_subclass('x', large)(buffer))", {"kind": kind, "large": LARGE, "buffer": buffer}
        ),
    }


def own() -> Cases:
    """This package and the floor: the same bits by hand."""
    from pynq import DefaultIP, Device, RegisterMap
    from pynq._native import Window

    class Bench(Device):
        def map(self, base: int, length: int) -> Window:
            return Window.from_memory(np.zeros(length // 4, "u4"), base)

    view = memoryview(np.zeros(1024, "u4")).cast("B").cast("I")
    return {
        "floor read": Case("view[0] & 1", {"view": view}),
        "floor write": Case("view[0] = view[0] & ~1 | 1", {"view": view}),
        **cases(DefaultIP(description(Bench("bench:"))), RegisterMap, np.zeros(1024, "u4")),
    }


def peer() -> Cases:
    """PYNQ, on a numpy array as well."""
    from pynq.overlay import DefaultIP
    from pynq.registers import RegisterMap

    class Bench:
        def has_capability(self, name: str) -> bool:
            return name == "MEMORY_MAPPED"

        def mmap(self, base: int, length: int) -> Any:
            return np.zeros(length // 4, "u4")

    device: Any = Bench()
    return cases(DefaultIP(description(device)), RegisterMap, np.zeros(1024, "u4"))


LIMITS = [
    Limit("own:read field", "peer:read field", 0.1),
    Limit("own:write field", "peer:write field", 0.1),
    Limit("own:build 8", "peer:build 8", 0.2, "own aim"),
    Limit("own:build 64", "peer:build 64", 0.1, "own aim"),
]

if __name__ == "__main__":
    raise SystemExit(main("register map", __doc__, own, peer, LIMITS, sys.argv[0]))
