"""Figures of the AXI master model, as JSON: ``python tests/engine/measure_rtl_axi.py``. Not a test.

A kernel that copies words, reading and writing at the same time, against a bare loop of ``clk = 0; eval;
clk = 1; eval`` over the same library: idle (nothing but the clock), and busy (the handshakes tied high, so
that the module works as it does when it copies). Rates are per second of the process's CPU time.
"""

from __future__ import annotations

import ctypes
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.rtl_axi_board import RtlBoard, library
from pynq.backends.sim._engine import Engine

ROOT = Path(__file__).resolve().parents[2]
CYCLES = 400_000


class Bare:
    """The floor, from ``benchmarks/rtl/bare.cpp``."""

    def __init__(self, folder: Path) -> None:
        out = folder / "bare.so"
        command = ["g++", "-O2", "-std=c++17", "-shared", "-fPIC", "-I", str(ROOT / "native/include")]
        subprocess.run([*command, str(ROOT / "benchmarks/rtl/bare.cpp"), "-o", str(out)], check=True)
        self.calls = ctypes.CDLL(str(out))
        self.calls.bare_open.restype = ctypes.c_void_p
        self.calls.bare_run.restype = ctypes.c_double
        self.calls.bare_run.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint64]
        self.calls.bare_set.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32]

    def model(self, path: Path, high: tuple[bytes, ...]) -> ctypes.c_void_p:
        handle = self.calls.bare_open(str(path).encode())
        self.calls.bare_run(handle, b"clk", b"", 10)
        self.calls.bare_set(handle, b"bursts", 1 << 30)
        for name in (b"rst_n", *high):
            assert self.calls.bare_set(handle, name, 1), name
        return ctypes.c_void_p(handle)

    def rate(self, model: ctypes.c_void_p) -> float:
        begin = time.process_time()
        assert self.calls.bare_run(model, b"clk", b"", CYCLES) > 0
        return CYCLES / (time.process_time() - begin)


class Copy:
    """``axi_copy`` on DDR."""

    def __init__(self, bits: int) -> None:
        self.board = board = RtlBoard(Engine(), memory=1 << 25)
        self.lanes = bits // 8
        board.add("copy_0", "axi_copy", master="AXI4", latency=16, DATA=bits)
        board.see("copy_0")
        board.engine.elaborate()
        board.reset()
        self.bursts = CYCLES // 16
        board.drive("copy_0/target", 1 << 24)
        board.drive("copy_0/bursts", min(self.bursts, (1 << 24) // (16 * self.lanes)))
        self.cycles = 0.0
        self.start = 0

    def rate(self) -> float:
        """Cycles a second while it copies."""
        board = self.board
        self.start ^= 1
        before, begin = board.clock.cycles, time.process_time()
        board.drive("copy_0/start", self.start)
        board.cycles(2)
        assert board.engine.run_until(board.nets["copy_0/done"]) == "hit"
        seconds = time.process_time() - begin
        self.cycles = board.clock.cycles - before
        return self.cycles / seconds


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Bare(Path(folder))
        figures = {}
        for bits in (64, 512):
            copy = Copy(bits)
            data = bytes(range(256)) * 4096
            copy.board.ddr.write(0, data)
            path = library("axi_copy", DATA=bits).path
            idle = bare.model(path, ())
            ties = (
                b"m_axi_arready",
                b"m_axi_awready",
                b"m_axi_wready",
                b"m_axi_rvalid",
                b"m_axi_rlast",
                b"start",
            )
            busy = bare.model(path, ties)
            rates = [(copy.rate(), bare.rate(idle), bare.rate(busy)) for _ in range(9)]
            assert copy.board.ddr.read(1 << 24, len(data)) == data
            beats = copy.board.engine.statistics()["copy_0/m_axi"]["bytes_read"] / copy.lanes / 9
            figures[f"{bits} bits"] = {
                "cycles_per_s": round(statistics.median(r[0] for r in rates)),
                "idle_loop_per_s": round(statistics.median(r[1] for r in rates)),
                "busy_loop_per_s": round(statistics.median(r[2] for r in rates)),
                "of_idle_loop": round(statistics.median(r[0] / r[1] for r in rates), 3),
                "of_busy_loop": round(statistics.median(r[0] / r[2] for r in rates), 3),
                "beats_a_cycle_each_way": round(beats / copy.cycles, 3),
                "nanoseconds_over_busy": round(statistics.median(1e9 / r[0] - 1e9 / r[2] for r in rates), 1),
            }
            copy.board.engine.close()
    print(json.dumps(figures, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
