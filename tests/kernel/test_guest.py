"""Programs and the Linux backend against a real kernel: the virtual board runs the suites once per kernel.

`make kernel` runs these; they need Debian's packages (about 250 MB, once), QEMU and a minute.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .design import write

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(
        not os.environ.get("PYNQ_KERNEL"), reason="boots a kernel: make kernel, or set PYNQ_KERNEL=1"
    ),
    pytest.mark.timeout(3600),  # one of them builds a kernel; a run of a board has a limit of its own
]

SUITES = Path(__file__).resolve().parent / "suites"
if str(SUITES) not in sys.path:
    sys.path.append(str(SUITES))  # they import each other by their bare names, as in the guest
#: Which suites run under which kernel: Debian's own, and the one with device-tree overlays.
RUNS = {"stock": ("public", "system"), "built": ("overlays",)}


class Result(NamedTuple):
    outcome: str
    detail: str


class Run(NamedTuple):
    results: dict[tuple[str, str], Result]
    status: int
    said: str


def names() -> Iterator[Any]:
    for kernel, suites in RUNS.items():
        for suite in suites:
            module = importlib.import_module(suite)
            for test in ("load", *(name for name, _ in module.suite())):
                yield pytest.param(kernel, suite, test, id=f"{kernel}-{suite}-{test}")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return {}


#: What ``system.host`` asks for, as the config port's register FAULT has it.
FAULTS = {"none": 0, "write_init": 1, "write": 2, "complete": 3, "timeout": 4}


@contextlib.contextmanager
def helping(folder: Path, board: Any) -> Iterator[None]:
    """Do what the guest asks for by writing a file (``system.host``)."""
    over = threading.Event()

    def watch() -> None:
        asked = folder / "ask"
        while not over.wait(0.01):
            if asked.exists() and (wish := asked.read_text().split()):
                board.ps.config.fault = FAULTS[wish[1]]
                asked.unlink()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def run(
    request: pytest.FixtureRequest, runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """Return what the virtual board with that kernel said, booted at most once."""
    from pynq.vm.apt import DownloadRefused
    from pynq.vm.board import VirtualBoard

    kernel = request.param
    if kernel not in runs:
        folder = tmp_path_factory.mktemp(kernel)
        write(folder)
        for file in SUITES.glob("*.py"):
            shutil.copy(file, folder)
        command = ["python3", "run.py", "results.jsonl", *RUNS[kernel]]
        said: list[bytes] = []
        try:
            board = VirtualBoard(folder / "bench.hwh", share=folder, kernel=kernel, uio=kernel == "stock")
            with board, helping(folder, board):
                status = board.run(command, output=said.append, timeout=600)
        except DownloadRefused as error:
            pytest.skip(f"a download was refused: {error}")
        results = {}
        for line in (folder / "results.jsonl").read_text().splitlines():
            entry = json.loads(line)
            results[entry["suite"], entry["test"]] = Result(entry["outcome"], entry.get("detail") or "")
        words = b"".join(said)[-3000:].decode(errors="replace")
        runs[kernel] = Run(results, status, f"status {status}\n{words}")
    return runs[kernel]


@pytest.mark.parametrize(("run", "suite", "test"), list(names()), indirect=["run"])
def test_in_the_virtual_board(run: Run, suite: str, test: str) -> None:
    result = run.results.get((suite, test))
    assert result is not None, f"{test} did not run; the board said:\n{run.said}"
    assert result.outcome == "passed", result.detail or f"the board ended in this test:\n{run.said}"


@pytest.mark.parametrize("run", RUNS, indirect=True)
def test_the_program_ends_well(run: Run) -> None:
    """What goes wrong after the last test, when everything is given back, is found here."""
    assert run.status == 0, run.said
