"""What a sweep costs and what it gains: two workers against one, and the overhead of each case.

Prints JSON. The cases compute in Python for a known time; two workers and one take turns, on fleets that are
up already, and the figure is the median over the rounds of "one worker's time / two workers' time". The
overhead is what a sweep of empty cases (a fresh board each, no design) takes on one worker, per case; beside
it stands the same with ``Overlay()`` of a small design in each case, which is the job's own doing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import pynq
import pynq.fleet

ROOT = Path(__file__).resolve().parents[1]
DESIGN = str(ROOT / "examples" / "dma_loopback" / "dma_loopback.bit")
CASES = 64
SPEEDUP = 1.7
OVERHEAD = 10.0  # ms


def compute(case: dict[str, int]) -> int:
    """Take some tenths of a second of one core, whatever else the machine does."""
    total = 0
    for number in range(case["rounds"]):
        total = (total * 31 + number) & 0xFFFF_FFFF
    return total


def nothing(case: int) -> None:
    """Use no time."""


def load(case: int, design: str = DESIGN) -> None:
    """Load a small design."""
    pynq.Overlay(design)


def seconds(job: Any, cases: Any, fleet: Any) -> float:
    """Return how long a sweep takes, all of whose cases must be well."""
    start = time.perf_counter()
    rows = pynq.fleet.sweep(job, cases, scheduler=fleet, pandas=False)
    spent = time.perf_counter() - start
    bad = [row for row in rows if row["status"] != "ok"]
    if bad:
        raise SystemExit(f"a case failed: {bad[0]}")
    return spent


def main() -> int:
    """Measure, print, and return 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="not used: PYNQ has no such thing")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case-seconds", type=float, default=0.1)
    options = parser.parse_args()
    start = time.perf_counter()
    compute({"rounds": 1_000_000})
    rounds = int(1_000_000 * options.case_seconds / (time.perf_counter() - start))
    cases = [{"rounds": rounds}] * CASES
    start = time.perf_counter()
    with pynq.fleet.local(1) as one, pynq.fleet.local(2) as two:
        seconds(nothing, range(8), one)
        seconds(nothing, range(8), two)
        begin = time.perf_counter() - start
        pairs = [(seconds(compute, cases, one), seconds(compute, cases, two)) for _ in range(options.rounds)]
        empty = [seconds(nothing, range(500), one) / 500 * 1e3 for _ in range(options.rounds)]
        single = [seconds(nothing, range(500), two) / 500 * 1e3 for _ in range(options.rounds)]
        loading = [seconds(load, range(100), one) / 100 * 1e3 for _ in range(options.rounds)]
        # Cases too long to share a journey: what one case alone costs beyond its own time.
        long = [{"rounds": rounds * 5}] * 12
        own: list[float] = []
        for _ in range(options.rounds):
            clock = time.perf_counter()
            rows = pynq.fleet.sweep(compute, long, scheduler=one, pandas=False)
            whole = time.perf_counter() - clock
            own.append((whole - sum(row["host_seconds"] for row in rows)) / len(long) * 1e3)
    ratios = [first / second for first, second in pairs]
    speedup = statistics.median(ratios)
    overhead = {
        "empty_case_ms": round(statistics.median(empty), 2),
        "empty_case_two_workers_ms": round(statistics.median(single), 2),
        "long_case_ms": round(statistics.median(own), 2),
    }
    report = {
        "benchmark": "fleet",
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "cases": CASES,
        "one_worker_s": [round(first, 2) for first, _ in pairs],
        "two_workers_s": [round(second, 2) for _, second in pairs],
        "speedups": [round(ratio, 2) for ratio in ratios],
        "speedup": round(speedup, 2),
        "speedup_at_least": SPEEDUP,
        "overhead": overhead,
        "overhead_at_most_ms": OVERHEAD,
        "case_that_loads_a_design_ms": round(statistics.median(loading), 2),
        "start_of_three_workers_s": round(begin, 2),
        "ok": speedup >= SPEEDUP and max(overhead.values()) < OVERHEAD,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
