"""Figures of the engine, as JSON: ``python tests/engine/measure.py``. Not a test."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.boards import DMA, IOC, S2MM_SR, LoopBoard  # type: ignore[import-not-found]
from pynq._native import Window
from pynq.backends.sim._engine import Engine


def best(work: Callable[[], float], times: int = 5) -> float:
    return max(work() for _ in range(times))


def loop_back(nbytes: int = 1 << 24, **options: int) -> float:
    """Megabytes a second of the host, MM2S -> FIFO of 512 beats -> S2MM."""
    engine = Engine()
    board = LoopBoard(
        engine, memory=1 << 26, length_bits=26, mm2s_memory_width=8, s2mm_memory_width=8, **options
    )
    board.ddr.write(0, bytes(range(256)) * (nbytes // 256))
    board.start()

    def once() -> float:
        board.irqs["S2MM"].take()
        board.write(S2MM_SR, IOC)
        board.irqs["S2MM"].enable()
        board.receive(1 << 25, nbytes)
        start = time.perf_counter()
        board.send(0, nbytes)
        assert engine.run_until(board.irqs["S2MM"]) == "hit"
        return nbytes / (time.perf_counter() - start) / 1e6

    rate = best(once)
    assert board.ddr.read(1 << 25, 4096) == board.ddr.read(0, 4096)
    engine.close()
    return rate


def accesses() -> dict[str, float]:
    """Millions a second, through a register window."""
    engine = Engine()
    board = LoopBoard(engine)
    window = Window.from_bus(engine.bus, DMA, 0x1_0000, keep=engine)
    read, write, rounds = window.read, window.write, 300_000

    def reads() -> float:
        start = time.perf_counter()
        for _ in range(rounds):
            read(4)
        return rounds / (time.perf_counter() - start) / 1e6

    def writes() -> float:
        start = time.perf_counter()
        for i in range(rounds):
            write(0x18, i)
        return rounds / (time.perf_counter() - start) / 1e6

    rates = {"reads_m_per_s": best(reads), "writes_m_per_s": best(writes)}
    board.engine.close()
    return rates


def idle() -> float:
    """Microseconds for 100 million idle cycles of 100 MHz."""
    engine = Engine()
    LoopBoard(engine)

    def once() -> float:
        start = time.perf_counter()
        engine.run(10**12)
        return -(time.perf_counter() - start) * 1e6

    return -best(once)


if __name__ == "__main__":
    figures = {
        "loop_back_64_bit_mb_per_s": loop_back(),
        "loop_back_64_bit_links_of_64_mb_per_s": loop_back(depth=64),
        "loop_back_512_bit_mb_per_s": loop_back(width=64),
        "loop_back_8_bit_mb_per_s": loop_back(1 << 20, width=1),
        "loop_back_64_to_32_bit_mb_per_s": loop_back(1 << 20, out_width=4),
        **accesses(),
        "idle_100m_cycles_us": idle(),
    }
    print(json.dumps({key: round(value, 3) for key, value in figures.items()}, indent=1))  # noqa: T201
