"""Cost of reading a hand-off file, as a multiple of the bare XML parse of the same file.

For each file, :func:`pynq.design.read` (parse, build, resolve: a whole ``Design``) and
``xml.etree.ElementTree.parse`` are run in turns, and the best time of each counts: turns, so that a slow
phase of the machine meets both; the best, since noise only ever adds. Prints JSON.

    python benchmarks/bench_parse.py [--corpus FOLDER] [--rounds N]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pynq.design import read

ROOT = Path(__file__).resolve().parent.parent
LIMITS = {"median": 3.0, "max": 5.0}


def once(function: Any, path: Path) -> float:
    start = time.perf_counter()
    result = function(path)
    elapsed = time.perf_counter() - start
    del result  # outside the measurement for both
    return elapsed


def ratio(path: Path, rounds: int) -> dict[str, Any]:
    """Best times of both, in turns."""
    ours = theirs = float("inf")
    start = time.perf_counter()
    turn = 0
    # Small files take less than the noise lasts: they get more turns, for a quarter of a second.
    while turn < rounds or time.perf_counter() - start < 0.25:
        turn += 1
        gc.collect()  # both begin with the same heap, and neither pays for the other's garbage
        theirs = min(theirs, once(ElementTree.parse, path))
        ours = min(ours, once(read, path))
    return {
        "file": path.name,
        "bytes": path.stat().st_size,
        "etree_ms": round(theirs * 1e3, 3),
        "read_ms": round(ours * 1e3, 3),
        "ratio": round(ours / theirs, 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--corpus", type=Path, default=os.environ.get("PYNQ_CORPUS", ROOT.parent / "shared" / "corpus")
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns per file; the best of each counts")
    parser.add_argument("--peer", type=Path, help="not used: PYNQ takes 6 to 15 times ElementTree")
    options = parser.parse_args()
    files = sorted((Path(options.corpus) / "hwh").glob("*.hwh"))
    if not files:
        sys.stderr.write(f"no hand-off files in {options.corpus}/hwh: set PYNQ_CORPUS or --corpus\n")
        return 2
    results = [ratio(path, options.rounds) for path in files]
    ratios = [entry["ratio"] for entry in results]
    summary = {
        "benchmark": "parse",
        "unit": "time of pynq.design.read / time of xml.etree.ElementTree.parse",
        "files": len(files),
        "median": round(statistics.median(ratios), 3),
        "max": max(ratios),
        "slowest": max(results, key=lambda entry: entry["ratio"])["file"],
        "limits": LIMITS,
        "ok": statistics.median(ratios) <= LIMITS["median"] and max(ratios) <= LIMITS["max"],
        "per_file": results,
    }
    sys.stdout.write(json.dumps(summary, indent=1) + "\n")
    return 0 if summary["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
