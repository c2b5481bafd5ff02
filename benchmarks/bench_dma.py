"""What ``transfer()`` plus ``wait()`` costs in software: on registers that are plain memory, where the
channel is idle at once.

Prints JSON: ours, the peer's (PYNQ 4.0.0 in its own environment, ``--peer PYTHON``) and the floor (four
register accesses through a memoryview), in nanoseconds; their ratios; and whether ours keeps to the limit,
a quarter of the peer's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT = 0.25
PEER = "/opt/peer/bin/python"
STATUS = (0x04, 0x34)  # DMASR of both channels
IDLE = 0x2
PARAMETERS = {
    "c_include_sg": "0",
    "c_micro_dma": "0",
    "c_include_mm2s": "1",
    "c_include_s2mm": "1",
    "c_include_mm2s_dre": "0",
    "c_include_s2mm_dre": "0",
    "c_m_axi_mm2s_data_width": "32",
    "c_m_axi_s2mm_data_width": "32",
    "c_sg_length_width": "26",
    "c_addr_width": "32",
}


def best(function: Callable[[], object], seconds: float = 0.15, rounds: int = 7) -> float:
    """Return the time of one call in nanoseconds: the best of some rounds."""
    count = 1
    while True:
        start = time.perf_counter()
        for _ in range(count):
            function()
        spent = time.perf_counter() - start
        if spent > 0.02:
            break
        count *= 4
    count = max(1, round(count * seconds / spent))
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(count):
            function()
        times.append((time.perf_counter() - start) / count)
    return min(times) * 1e9


def description(device: Any) -> dict[str, Any]:
    """Return the entry of ``ip_dict`` that a driver is made from."""
    return {
        "phys_addr": 0x4040_0000,
        "addr_range": 0x1000,
        "fullpath": "axi_dma_0",
        "type": "xilinx.com:ip:axi_dma:7.1",
        "parameters": PARAMETERS,
        "interrupts": {},
        "gpio": {},
        "device": device,
    }


def registers() -> Any:
    """Return the registers of an engine whose channels are always idle."""
    import numpy as np

    memory = np.zeros(0x400, "u4")
    for offset in STATUS:
        memory[offset // 4] = IDLE
    return memory


def channels_of(dma: Any, buffer: Any) -> dict[str, float]:
    """Measure both channels of a driver."""
    result = {}
    for name in ("sendchannel", "recvchannel"):
        channel = getattr(dma, name)

        def once(channel: Any = channel) -> None:
            channel.transfer(buffer)
            channel.wait()

        result[name] = best(once)
    return result


def ours() -> dict[str, float]:
    """Measure this package."""
    from pynq import Device, allocate
    from pynq._native import Arena, Window
    from pynq.lib.dma import DMA

    class Bench(Device):
        def __init__(self) -> None:
            super().__init__("bench:")
            self.fd = os.memfd_create("bench")
            os.ftruncate(self.fd, 1 << 20)
            self.arena = Arena(self.fd, 0, 1 << 20, 0x1000_0000)
            self.registers = registers()

        def map(self, base: int, length: int) -> Window:
            return Window.from_memory(self.registers, base)

        def allocate_block(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> Any:
            return self.arena.allocate(nbytes)

    device = Bench()
    return channels_of(DMA(description(device)), allocate(1024, device=device))


def peer() -> dict[str, float]:
    """Measure PYNQ; runs in its interpreter."""
    from pynq.buffer import PynqBuffer  # type: ignore[import-not-found,unused-ignore]
    from pynq.lib.dma import DMA  # type: ignore[import-not-found,unused-ignore]

    class Bench:
        name = "bench"

        def has_capability(self, name: str) -> bool:
            return name == "MEMORY_MAPPED"

        def mmap(self, base: int, length: int) -> Any:
            return registers()

    device = Bench()
    buffer = PynqBuffer((1024,), "u4", device=device, device_address=0x1000_0000, bo=1, coherent=True)
    return channels_of(DMA(description(device)), buffer)


def floor() -> float:
    """Measure four register accesses: address and length written, status and length read."""
    view = memoryview(registers()).cast("B").cast("I")

    def once() -> None:
        view[6] = 0x1000_0000
        view[10] = 4096
        view[1]
        view[10]

    return best(once)


def ask_peer(python: str) -> dict[str, float] | None:
    """Run :func:`peer` in another interpreter; None where there is no such interpreter."""
    if not Path(python).exists():
        sys.stderr.write(f"no {python}: not compared with PYNQ (--peer PYTHON)\n")
        return None
    command = [python, "-I", __file__, "--measure-peer"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default=PEER, metavar="PYTHON", help="interpreter with PYNQ 4.0.0")
    parser.add_argument("--measure-peer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure_peer:
        sys.stdout.write(json.dumps(peer()) + "\n")
        return 0
    # The peer before and after ours: the machine may have become slower or faster meanwhile.
    runs = [ask_peer(arguments.peer)]
    own = ours()
    base = floor()
    runs.append(ask_peer(arguments.peer))
    report: dict[str, Any] = {
        "benchmark": "dma transfer + wait, idle at once",
        "unit": "ns",
        "ours": {name: round(value) for name, value in own.items()},
        "floor": round(base),
        "ours_to_floor": {name: round(value / base, 1) for name, value in own.items()},
        "limit": LIMIT,
    }
    compared = [run for run in runs if run is not None]
    if compared:
        other = {name: min(run[name] for run in compared) for name in own}
        ratios = {name: own[name] / other[name] for name in own}
        report["peer"] = {name: round(value) for name, value in other.items()}
        report["ours_to_peer"] = {name: round(value, 3) for name, value in ratios.items()}
        report["ok"] = max(ratios.values()) <= LIMIT
    else:
        report["ok"] = None
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 1 if report["ok"] is False else 0


if __name__ == "__main__":
    sys.exit(main())
