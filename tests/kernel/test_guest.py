"""Programs and the Linux backend against a real kernel: the virtual board runs the suites once per kernel.

`make kernel` runs these; they need Debian's packages (about 250 MB, once), QEMU and a minute.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .design import write

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not os.environ.get("PYNQ_KERNEL"), reason="boots a kernel: make kernel, or set PYNQ_KERNEL=1"),
    pytest.mark.timeout(900),
]

SUITES = Path(__file__).resolve().parent / "suites"
#: Which suites run under which kernel: Debian's own, and the one with device-tree overlays.
RUNS = {"stock": ("public", "system"), "built": ("overlays",)}


class Result(NamedTuple):
    outcome: str
    detail: str


class Run(NamedTuple):
    results: dict[tuple[str, str], Result]
    said: str


def names() -> Iterator[Any]:
    for kernel, suites in RUNS.items():
        for suite in suites:
            module = importlib.import_module(f"tests.kernel.suites.{suite}")
            for test in ("load", *(name for name, _ in module.suite())):
                yield pytest.param(kernel, suite, test, id=f"{kernel}-{suite}-{test}")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return {}


@pytest.fixture
def run(
    request: pytest.FixtureRequest, runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """Return what the virtual board with that kernel said, booted at most once."""
    from pynq.vm import DownloadRefused, VirtualBoard

    kernel = request.param
    if kernel not in runs:
        folder = tmp_path_factory.mktemp(kernel)
        write(folder)
        for file in SUITES.glob("*.py"):
            shutil.copy(file, folder)
        command = ["python3", "run.py", "results.jsonl", *RUNS[kernel]]
        said = folder / "said.txt"
        try:
            with VirtualBoard(folder / "bench.hwh", share=folder, kernel=kernel) as board, said.open("wb") as out:
                status = board.run(command, output=out, timeout=600)
        except DownloadRefused as error:
            pytest.skip(f"a download was refused: {error}")
        results = {}
        for line in (folder / "results.jsonl").read_text().splitlines():
            entry = json.loads(line)
            results[entry["suite"], entry["test"]] = Result(entry["outcome"], entry.get("detail") or "")
        runs[kernel] = Run(results, f"status {status}\n{said.read_text(errors='replace')[-3000:]}")
    return runs[kernel]


@pytest.mark.parametrize(("run", "suite", "test"), list(names()), indirect=["run"])
def test_in_the_virtual_board(run: Run, suite: str, test: str) -> None:
    result = run.results.get((suite, test))
    assert result is not None, f"{test} did not run; the board said:\n{run.said}"
    assert result.outcome == "passed", result.detail or f"the board ended in this test:\n{run.said}"
