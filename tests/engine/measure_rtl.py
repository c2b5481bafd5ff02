"""Figures of verilated modules in the engine; run it by hand: ``python tests/engine/measure_rtl.py``.

Rates are per second of this process' CPU time, in turns with the floor: a bare loop over the same library.
"""

from __future__ import annotations

import ctypes
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.engine.rtl_boards import StreamBoard, library  # noqa: E402

from pynq.backends.sim._engine import Engine  # noqa: E402

_BARE = r"""
#include <pynq/rtl.h>
#include <cstring>
#include <dlfcn.h>
static void print(void *, const char *, int, const char *, size_t) {}
extern "C" int bare(const char *path, unsigned long cycles) {
    static const pynq_rtl_design *design;
    static void *model;
    static unsigned char *clock;
    static char loaded[4096];
    if (std::strcmp(loaded, path)) {
        std::strcpy(loaded, path);
        design = static_cast<const pynq_rtl_design *>(dlsym(dlopen(path, RTLD_NOW), PYNQ_RTL_SYMBOL));
        static const pynq_rtl_host host = {nullptr, print};
        static const char *const none[] = {nullptr};
        char error[256];
        model = design->create(&host, none, 0, error, sizeof error);
        for (unsigned i = 0; i < design->port_count; ++i) {
            auto *at = static_cast<unsigned char *>(design->port(model, i));
            if (!std::strcmp(design->ports[i].name, "clk")) clock = at;
            if (!std::strcmp(design->ports[i].name, "rst_n")) *at = 1;
        }
    }
    int (*const eval)(void *) = design->eval;
    int status = 0;
    for (unsigned long i = 0; i < cycles; ++i) {
        *clock = 0;
        status |= eval(model);
        *clock = 1;
        status |= eval(model);
    }
    return status;
}
"""


def rate(count: Callable[[], int]) -> float:
    """Return what ``count`` counts, a second of CPU time."""
    start = time.process_time()
    done = count()
    return done / (time.process_time() - start)


def floor() -> Callable[[str, int], int]:
    """Build the bare loop."""
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder) / "bare.cpp", Path(folder) / "bare.so"
        source.write_text(_BARE)
        include = ROOT / "native" / "include"
        command = ["g++", "-O2", "-fPIC", "-shared", f"-I{include}", str(source), "-o", str(built)]
        subprocess.run(command, check=True)
        call = ctypes.CDLL(str(built)).bare

    def run(path: str, cycles: int) -> int:
        assert call(ctypes.c_char_p(path.encode()), ctypes.c_ulong(cycles)) == 0
        return cycles

    return run


def stream(module: str, bare: Callable[[str, int], int], rounds: int, **parameters: int) -> None:
    """Print numpy -> DMA -> module -> DMA -> numpy against the bare loop."""
    width = parameters.get("WIDTH", 32) // 8
    board = StreamBoard(Engine(), module, width=width, inputs={"run": 1}, **parameters)
    path = str(library(module, **parameters).path)
    data = np.random.default_rng(1).integers(0, 256, min(width << 19, 4 << 20), dtype=np.uint8)

    def ours() -> int:
        before = board.rtl.cycles_run
        board.transfer(data)
        return board.rtl.cycles_run - before

    ours(), bare(path, 1000)
    pairs = [(rate(ours), rate(lambda: bare(path, 500_000))) for _ in range(rounds)]
    a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(x / y for x, y in pairs)
    sys.stdout.write(
        f"{module} {8 * width} bits: {a / 1e6:.1f} M cycles/s, bare {b / 1e6:.1f} M, ratio {ratio:.3f}\n"
    )
    board.engine.close()


def idle() -> None:
    """Print what 100 million idle cycles and a dead wait cost."""
    board = StreamBoard(Engine(), "plain", inputs={"run": 1})
    start = time.perf_counter()
    board.engine.run(100_000_000 * board.clock.period)
    sys.stdout.write(f"100 million idle cycles: {(time.perf_counter() - start) * 1e6:.1f} us\n")
    board.write(0x58, 400)
    start = time.perf_counter()
    board.engine.run_until(board.nets["S2MM"], value=1, patience=0.0)
    sys.stdout.write(f"a dead wait, until it is told: {(time.perf_counter() - start) * 1e6:.1f} us\n")
    board.engine.close()


def main() -> None:
    """Print all of it."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    bare = floor()
    stream("plain", bare, rounds)
    stream("pipe", bare, rounds)
    stream("pipe", bare, rounds, WIDTH=512)
    idle()


if __name__ == "__main__":
    main()
