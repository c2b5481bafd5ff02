"""The RTL against cocotbext-axi, an independent implementation of the buses: hdl/tb."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("PYNQ_HDL", str(ROOT / ".venv-hdl" / "bin" / "python")))
NAMES = [
    "polynomial",
    "stream_filter",
    "stream_filter_narrow",
    "vector_add",
    "vector_add_short",
    "vector_add_long",
]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    if not PYTHON.exists():
        pytest.skip("no cocotb: make hdl, or set PYNQ_HDL to a Python with the dependency group hdl")
    return subprocess.run(
        [str(PYTHON), "-m", "pytest", "-q", *arguments],
        cwd=ROOT / "hdl" / "tb",
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_bench(name: str) -> None:
    done = run(f"test_benches.py::test_bench[{name}]")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_bench_is_run() -> None:
    listed = run("--collect-only").stdout.splitlines()
    assert [line.partition("[")[2].rstrip("]") for line in listed if "::" in line] == NAMES
