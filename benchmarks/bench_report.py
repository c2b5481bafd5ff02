"""Cost of the report on a design, as a multiple of reading it.

For the largest files, :func:`pynq.design.read` and what ``pynq inspect --html`` does beyond it (drivers,
findings, facts, graph, page; the layout happens in the browser) are run in turns, and the best time of each
counts. Prints JSON.

    python benchmarks/bench_report.py [--corpus FOLDER] [--files N] [--rounds N]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from pynq.binding import bind
from pynq.binding.drivers import registry
from pynq.cli.check import findings_of
from pynq.cli.pictures import graph
from pynq.design import Design, read
from pynq.design.locate import Located
from pynq.report.facts import facts
from pynq.report.page import page

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 3.0


def report(design: Design, path: Path) -> str:
    plan = bind(design, registry.snapshot())
    located = Located(path, None)
    told = facts(design, plan, findings=findings_of(design, located, plan, frozenset()))
    return page(told, graph(design, told))


def measure(path: Path, rounds: int) -> dict[str, Any]:
    """Best times of both, in turns."""
    reading = reporting = float("inf")
    size = 0
    for _ in range(rounds):
        gc.collect()
        start = time.perf_counter()
        design = read(path)
        reading = min(reading, time.perf_counter() - start)
        gc.collect()
        start = time.perf_counter()
        size = len(report(design, path))
        reporting = min(reporting, time.perf_counter() - start)
    return {
        "file": path.name,
        "read_ms": round(reading * 1e3, 1),
        "report_ms": round(reporting * 1e3, 1),
        "page_bytes": size,
        "ratio": round(reporting / reading, 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--corpus", type=Path, default=os.environ.get("PYNQ_CORPUS", ROOT.parent / "shared" / "corpus")
    )
    parser.add_argument("--files", type=int, default=5, help="how many of the largest")
    parser.add_argument("--rounds", type=int, default=5, help="turns per file; the best of each counts")
    parser.add_argument("--peer", type=Path, help="not used: PYNQ has no report")
    options = parser.parse_args()
    files = sorted((Path(options.corpus) / "hwh").glob("*.hwh"), key=lambda path: -path.stat().st_size)
    if not files:
        sys.stderr.write(f"no hand-off files in {options.corpus}/hwh: set PYNQ_CORPUS or --corpus\n")
        return 2
    results = [measure(path, options.rounds) for path in files[: options.files]]
    summary = {
        "benchmark": "report",
        "unit": "time of the page beyond reading / time of pynq.design.read",
        "largest": results[0]["ratio"],
        "limit": LIMIT,
        "ok": results[0]["ratio"] <= LIMIT,
        "per_file": results,
    }
    sys.stdout.write(json.dumps(summary, indent=1) + "\n")
    return 0 if summary["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
