"""Wall time of `import pynq` beside `import numpy`, each in fresh interpreters, interleaved.

Prints JSON: medians in seconds and the ratio. The bare interpreter's start is measured too and taken off
both, so the ratio is that of the imports themselves; `ratio_whole` compares whole processes. With --peer
PYTHON the same for the PYNQ installed there.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

CODES = {
    "start": "pass",
    "numpy": "import numpy",
    "pynq": "import pynq",
    "overlay": "import pynq; pynq.Overlay",
}


def seconds(python: str, code: str) -> float:
    """Wall time of one fresh interpreter that runs `code`."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYNQ_DEVICE", "PYTHONPATH")
    }
    begin = time.perf_counter()
    subprocess.run([python, "-c", code], check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def measure(python: str, names: list[str], rounds: int) -> dict[str, float]:
    """Medians over interleaved rounds, after one round that warms the caches."""
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names:
            one = seconds(python, CODES[name])
            if number:
                taken[name].append(one)
    return {name: statistics.median(times) for name, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter that has PYNQ 4.0.0")
    options = parser.parse_args()
    own = measure(sys.executable, list(CODES), options.rounds)
    start = own["start"]
    result: dict[str, Any] = {
        "benchmark": "import",
        "seconds": own,
        "ratio": (own["pynq"] - start) / (own["numpy"] - start),
        "ratio_whole": own["pynq"] / own["numpy"],
        "ratio_overlay": (own["overlay"] - start) / (own["numpy"] - start),
        "limit": 1.3,
    }
    result["ok"] = result["ratio_whole"] <= result["limit"]
    if options.peer:
        peer = measure(options.peer, ["start", "numpy", "pynq"], max(options.rounds // 3, 3))
        result["peer"] = {
            "seconds": peer,
            "ratio": (peer["pynq"] - peer["start"]) / (peer["numpy"] - peer["start"]),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
