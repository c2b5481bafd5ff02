"""What a sweep costs and what it gains: two workers against one, and the overhead of each case.

Prints JSON. The cases compute in Python for a known time. In every round one worker, two workers, and, as the
floor, one and two bare processes without any of this take turns, on fleets that are up already. The speedup
is the median over the rounds; on a machine that does other things too, two bare processes are no twice as
fast as one either, so the limit is 1.7, or 95 % of what the bare ones reach where that is less. Beside it
stands a figure that other programs hardly touch: the part of all CPU seconds of a sweep on two workers,
scheduler and this process included, that was spent in the cases. Two free cores can be no faster than twice
that part.

The overhead is what a sweep of empty cases takes on one worker, per case (a fresh board each, no design); and
what cases too long to share a journey take beyond their own time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
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
SHARE = 0.95  # of what bare processes reach
OVERHEAD = 10.0  # ms


def compute(case: dict[str, int]) -> float:
    """Use one core for some hundredths of a second; return how many CPU seconds that were."""
    start = time.thread_time()
    total = 0
    for number in range(case["rounds"]):
        total = (total * 31 + number) & 0xFFFF_FFFF
    return time.thread_time() - start


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


def used(fleet: Any) -> float:
    """Return the CPU seconds that this process and the workers have used so far."""
    total = time.process_time()
    for pid in fleet.pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # proc(5): utime, stime
    return total


def share_of_cases(cases: Any, fleet: Any) -> float:
    """Return the part of all CPU seconds of a sweep that was spent in the cases."""
    before = used(fleet)
    rows = pynq.fleet.sweep(compute, cases, scheduler=fleet, pandas=False)
    return float(sum(row["result"] for row in rows) / (used(fleet) - before))


def bare(count: int, rounds: int) -> float:
    """Return how long so many processes take for all the cases, without boards, scheduler and messages."""
    command = [sys.executable, __file__, "--bare", str(rounds), "--cases", str(CASES // count)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    start = time.perf_counter()
    for process in processes:
        process.communicate("go\n")
    return time.perf_counter() - start


def run_bare(rounds: int, cases: int) -> None:
    """Compute without anything else, when told."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for _ in range(cases):
        compute({"rounds": rounds})


def main() -> int:
    """Measure, print, and return 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="not used: PYNQ has no such thing")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case-seconds", type=float, default=0.05)
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--cases", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        run_bare(options.bare, options.cases)
        return 0
    rounds = int(1_000_000 * options.case_seconds / compute({"rounds": 1_000_000}))
    cases = [{"rounds": rounds}] * CASES
    start = time.perf_counter()
    with pynq.fleet.local(1) as one, pynq.fleet.local(2) as two:
        seconds(nothing, range(8), one)
        seconds(nothing, range(8), two)
        begin = time.perf_counter() - start
        turns = [
            (seconds(compute, cases, one), seconds(compute, cases, two), bare(1, rounds), bare(2, rounds))
            for _ in range(options.rounds)
        ]
        empty = [seconds(nothing, range(500), one) / 500 * 1e3 for _ in range(options.rounds)]
        single = [seconds(nothing, range(500), two) / 500 * 1e3 for _ in range(options.rounds)]
        loading = [seconds(load, range(100), one) / 100 * 1e3 for _ in range(options.rounds)]
        shares = [share_of_cases(cases, two) for _ in range(options.rounds)]
        # Cases too long to share a journey: what one case alone costs beyond its own time.
        long = [{"rounds": rounds * 5}] * 12
        own: list[float] = []
        for _ in range(options.rounds):
            clock = time.perf_counter()
            rows = pynq.fleet.sweep(compute, long, scheduler=one, pandas=False)
            whole = time.perf_counter() - clock
            own.append((whole - sum(row["host_seconds"] for row in rows)) / len(long) * 1e3)
    ratios = [first / second for first, second, _, _ in turns]
    floors = [first / second for _, _, first, second in turns]
    speedup, floor = statistics.median(ratios), statistics.median(floors)
    limit = min(SPEEDUP, SHARE * floor)
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
        "one_worker_s": [round(turn[0], 2) for turn in turns],
        "two_workers_s": [round(turn[1], 2) for turn in turns],
        "bare_speedups": [round(ratio, 2) for ratio in floors],
        "speedups": [round(ratio, 2) for ratio in ratios],
        "speedup": round(speedup, 2),
        "cpu_share_of_cases": round(statistics.median(shares), 3),
        "bare_speedup": round(floor, 2),
        "speedup_at_least": round(limit, 2),
        "overhead": overhead,
        "overhead_at_most_ms": OVERHEAD,
        "case_that_loads_a_design_ms": round(statistics.median(loading), 2),
        "start_of_three_workers_s": round(begin, 2),
        "ok": speedup >= limit and max(overhead.values()) < OVERHEAD,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
