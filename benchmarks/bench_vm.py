"""What a register access and an interrupt cost in the virtual board, in the guest's Python.

Prints JSON. Inside, a program of ordinary calls (:data:`PROGRAM`) reads a register through a window, which
QEMU carries to the engine by vfio-user, and starts a timer of the PL whose interrupt comes back through
QEMU's GIC and UIO. Medians and the fastest tenth: the machine lends its cores to others too. The floor is
what the engine's server itself takes: the same accesses from a program of this machine, with no guest.
Limits: 150 us for an access, 2 ms for an interrupt, by the medians on a quiet machine (load below 2), by the
fastest tenth otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pynq
from pynq.errors import VirtualBoardError
from pynq.vm.board import VirtualBoard

ROOT = Path(__file__).resolve().parents[1]
DESIGN = ROOT / "examples" / "buttons_leds" / "buttons_leds.hwh"
ACCESS, INTERRUPT = 150.0, 2.0  # us, ms
PROGRAM = """
import json, time
import pynq
overlay = pynq.Overlay("buttons_leds.hwh")
timer, window = overlay.axi_timer_0, overlay.axi_timer_0.mmio
TCSR, TLR = 0, 4
accesses = []
for _ in range(100):
    start = time.perf_counter()
    for _ in range(20):
        window.read(TLR)
    accesses.append((time.perf_counter() - start) / 20 * 1e6)
pin, waits = timer.interrupt, []
for _ in range(200):
    window.write(TCSR, 1 << 8)
    window.write(TLR, 10)
    window.write(TCSR, 1 << 5)
    start = time.perf_counter()
    window.write(TCSR, 1 << 1 | 1 << 6 | 1 << 7)
    pin.wait_sync(timeout=20)
    waits.append((time.perf_counter() - start) * 1e3)
print(json.dumps({"accesses": accesses, "waits": waits}))
"""


def spread(values: list[float]) -> dict[str, float]:
    """Return what is said about a list of times."""
    values = sorted(values)
    places = {"tenth": len(values) // 10, "median": len(values) // 2, "most": -1}
    return {name: round(values[place], 4) for name, place in places.items()}


def main() -> int:
    """Boot, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="not used: nothing else does this")
    parser.parse_args()
    said: list[bytes] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Without the companion class of the example: its drivers are not what is measured.
        shutil.copy(DESIGN, folder)
        (folder / "measure.py").write_text(PROGRAM)
        start = time.perf_counter()
        try:
            with VirtualBoard(folder / DESIGN.name, share=folder) as board:
                booted = time.perf_counter() - start
                status = board.run(["python3", "-W", "ignore", "measure.py"], output=said.append, timeout=300)
        except VirtualBoardError as error:
            sys.stderr.write(f"{error}\n")
            return 2
    text = b"".join(said).decode(errors="replace")
    if status:
        sys.stderr.write(text)
        return 2
    figures: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    window = pynq.Overlay(str(DESIGN), device="sim:").axi_timer_0.mmio
    floor = []
    for _ in range(100):
        start = time.perf_counter()
        for _ in range(20):
            window.read(4)
        floor.append((time.perf_counter() - start) / 20 * 1e6)
    load = os.getloadavg()[0]
    access, interrupt = spread(figures["accesses"]), spread(figures["waits"])
    which = "median" if load < 2 else "tenth"
    report = {
        "benchmark": "vm",
        "load": round(load, 1),
        "start_s": round(booted, 1),
        "access_us": access,
        "access_without_guest_us": spread(floor),
        "interrupt_ms": interrupt,
        "limits": {"access_us": ACCESS, "interrupt_ms": INTERRUPT, "by": which},
        "ok": access[which] <= ACCESS and interrupt[which] <= INTERRUPT,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
