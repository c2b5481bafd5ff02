"""Timing of statements in this interpreter and in the peer's, in turns.

A benchmark makes a dictionary of cases, one for this package and its floor, one for PYNQ; it runs itself a
second time in the peer's interpreter, which then answers on a pipe. Every round times each case once, so
all of them see the same machine; the figure of a case is its best round, the ratio of two cases that of
their figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import timeit
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

PEER = "/opt/peer/bin/python"
SAMPLE = 0.02  # seconds a sample takes, about
SERVE = "--serve-peer"


class Case(NamedTuple):
    """A statement and the names in it, which are made local."""

    statement: str
    names: Mapping[str, Any]

    def timer(self) -> timeit.Timer:
        """Return the timer of this case."""
        setup = "; ".join(f"{name} = given[{name!r}]" for name in self.names) or "pass"
        return timeit.Timer(self.statement, setup, globals={"given": self.names})


Cases = Mapping[str, Case]


class Local:
    """Cases of this interpreter."""

    def __init__(self, cases: Cases) -> None:
        self._timers = {name: case.timer() for name, case in cases.items()}
        self.names = list(self._timers)

    def time(self, name: str, number: int) -> float:
        """Return the seconds that ``number`` runs of a case take."""
        return self._timers[name].timeit(number)


class Remote:
    """Cases of another interpreter, which runs the same script."""

    def __init__(self, python: str, script: str) -> None:
        self._process = subprocess.Popen(
            [python, "-W", "ignore", script, SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.names = self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the peer's interpreter ended with status {self._process.wait()}")
        return json.loads(line)

    def time(self, name: str, number: int) -> float:
        """Return the seconds that ``number`` runs of a case take there."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, number]) + "\n")
        self._process.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        """End the interpreter."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve(cases: Cases) -> None:
    """Answer what a :class:`Remote` asks, until it hangs up."""
    local = Local(cases)
    answer: Any = local.names
    while True:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            return
        answer = local.time(*json.loads(line))


class Figures(NamedTuple):
    """What was measured: nanoseconds a run, best and median over the rounds."""

    best: dict[str, float]
    median: dict[str, float]

    def ratio(self, name: str, reference: str) -> float:
        """Return how many times longer one case takes than another."""
        return self.best[name] / self.best[reference]


def measure(places: Mapping[str, Local | Remote], rounds: int) -> Figures:
    """Time every case of every place; their names begin with the place's."""
    numbers: dict[str, int] = {}
    samples: dict[str, list[float]] = {}
    every = {f"{place}:{name}": (where, name) for place, where in places.items() for name in where.names}
    for key, (where, name) in every.items():
        number = 1
        while where.time(name, number) < SAMPLE / 4 and number < 10_000_000:
            number *= 4
        numbers[key] = max(1, int(number * SAMPLE / where.time(name, number)))
        samples[key] = []
    for _ in range(rounds):
        for key, (where, name) in every.items():
            samples[key].append(where.time(name, numbers[key]) / numbers[key] * 1e9)
    return Figures(
        {key: min(each) for key, each in samples.items()},
        {key: statistics.median(each) for key, each in samples.items()},
    )


class Limit(NamedTuple):
    """A ratio that must not be larger than ``most``. ``source`` says where the limit comes from."""

    name: str
    reference: str
    most: float
    source: str = "issue 2, section 4"


def main(
    benchmark: str,
    doc: str | None,
    own: Callable[[], Cases],
    peer: Callable[[], Cases],
    limits: list[Limit],
    script: str,
) -> int:
    """Run a benchmark as a script: print one JSON object; return 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--peer", default=PEER, metavar="PYTHON", help="interpreter with PYNQ 4.0.0")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(SERVE, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_peer:
        serve(peer())
        return 0
    places: dict[str, Local | Remote] = {"own": Local(own())}
    if Path(options.peer).exists():
        places["peer"] = Remote(options.peer, script)
    else:
        sys.stderr.write(f"no {options.peer}: not compared with PYNQ (--peer PYTHON)\n")
    figures = measure(places, options.rounds)
    for place in places.values():
        if isinstance(place, Remote):
            place.close()
    ratios = []
    for limit in limits:
        if limit.reference in figures.best:
            ratio = figures.ratio(limit.name, limit.reference)
            ratios.append({**limit._asdict(), "ratio": round(ratio, 3), "ok": ratio <= limit.most})
    report = {
        "benchmark": benchmark,
        "unit": "ns",
        "best": {key: round(value, 1) for key, value in figures.best.items()},
        "median": {key: round(value, 1) for key, value in figures.median.items()},
        "peer_speedup": {
            key: round(figures.ratio(f"peer:{key}", f"own:{key}"), 1)
            for key in (name.partition(":")[2] for name in figures.best if name.startswith("peer:"))
            if f"own:{key}" in figures.best
        },
        "ratios": ratios,
        "ok": all(each["ok"] for each in ratios),
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["ok"] else 1
