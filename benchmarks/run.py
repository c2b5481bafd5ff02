"""Run every benchmark and show its figures: ours, the floor's and PYNQ 4.0.0's, measured in one run.

Each ``bench_*.py`` prints one JSON object with "benchmark", its figures, and "ok"; all of them go to
``out/bench.json``.
The exit code is 1 if a limit is missed, 2 if a benchmark could not run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested objects with dotted names; long lists and tables of files are left out."""
    if isinstance(value, dict):
        if len(value) > 24:
            return
        for key, item in value.items():
            yield from flat(item, f"{name}.{key}" if name else key)
    elif not isinstance(value, list):
        yield name, value


def number(value: Any) -> str:
    """Return a figure as people read it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> int:
    """Run the benchmarks named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="part of a benchmark's name: mmio, dma, ... (default: all)")
    parser.add_argument("--peer", type=Path, help="Python interpreter with PYNQ 4.0.0")
    parser.add_argument("--out", type=Path, default=Path("out/bench.json"))
    options = parser.parse_args()
    peer = options.peer if options.peer and options.peer.exists() else None
    if peer is None:
        print("PYNQ 4.0.0 is not there to compare with (make peer): its columns are left out")
    scripts = [
        script
        for script in sorted(HERE.glob("bench_*.py"))
        if not options.names or any(name in script.stem for name in options.names)
    ]
    results: dict[str, Any] = {}
    missed, broken = [], []
    for script in scripts:
        print(f"\n== {script.stem.removeprefix('bench_')} ", end="", flush=True)
        start = time.monotonic()
        command = [sys.executable, str(script), *(["--peer", str(peer)] if peer else [])]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        print(f"({time.monotonic() - start:.0f} s)")
        try:
            result = json.loads(done.stdout)
        except ValueError:
            broken.append(script.stem)
            print(f"exit {done.returncode}, no JSON: {done.stdout[-300:]!r}")
            continue
        results[script.stem] = result
        rows = list(flat(result))
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            print(f"  {name:<{width}}  {number(value)}")
        if result.get("ok") is not True:
            missed.append(script.stem)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nall figures: {options.out}")
    if missed:
        print(f"limits missed: {', '.join(missed)}")
    if broken:
        print(f"did not run: {', '.join(broken)}")
    return 2 if broken else 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
