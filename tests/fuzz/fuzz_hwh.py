"""Coverage-guided fuzzing of the hand-off reader (atheris, which is libFuzzer for Python).

    python tests/fuzz/fuzz_hwh.py --seconds 60

reads mutated files for that long, beginning with those in ``seeds/``, and prints the number of executions.
Anything but a :class:`~pynq.design.Design` whose views can all be made, or a
:class:`~pynq.errors.DesignError`, is a finding: it is written to ``--findings`` and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from findings import told

HERE = Path(__file__).resolve().parent


def child(arguments: list[str]) -> None:
    """The fuzzer itself; libFuzzer ends the process, so it has one of its own."""
    import atheris

    from pynq.design import read_bytes, views
    from pynq.design.check import check
    from pynq.design.compare import compare
    from pynq.errors import DesignError

    # instrument_imports() finds no coverage in modules that an editable install's own loader brings.
    atheris.instrument_all()

    all_views = [getattr(views, name) for name in views.__all__]

    def one(data: bytes) -> None:
        try:
            design = read_bytes(data, "fuzz.hwh")
        except DesignError:
            return
        for view in all_views:
            view(design)
        check(design)
        assert compare(design, design) == ()

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=30, help="how long to go on")
    parser.add_argument(
        "--findings", type=Path, default=Path("fuzz-findings"), help="folder for inputs that fail"
    )
    parser.add_argument("--corpus", type=Path, help="folder that keeps interesting inputs between runs")
    options = parser.parse_args()
    try:
        __import__("atheris")
    except ImportError:
        sys.stderr.write("atheris is missing: pip install atheris\n")
        return 2

    options.findings.mkdir(parents=True, exist_ok=True)
    before = set(options.findings.iterdir())
    with tempfile.TemporaryDirectory() as scratch:
        corpus = options.corpus or Path(scratch)
        corpus.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            __file__,
            "--child",
            f"-max_total_time={options.seconds}",
            f"-dict={HERE / 'hwh.dict'}",
            f"-artifact_prefix={options.findings}/",
            "-max_len=16384",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            str(corpus),
            str(HERE / "seeds"),
        ]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        elapsed = time.monotonic() - start
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    coverage = re.findall(r"cov: (\d+)", done.stderr)
    findings = sorted(str(path) for path in set(options.findings.iterdir()) - before)
    result = {
        "fuzz": "hwh",
        "executions": int(executions[1]) if executions else 0,
        "seconds": round(elapsed, 1),
        "coverage": int(coverage[-1]) if coverage else 0,
        "findings": findings,
    }
    sys.stdout.write(json.dumps(result) + "\n")
    if findings or done.returncode or not executions:
        sys.stderr.write(told(done.stdout + done.stderr, findings))
        return 1
    if not result["coverage"]:
        sys.stderr.write("the reader was not instrumented: the fuzzer was blind\n")
        return 1
    if not before:
        options.findings.rmdir()
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        sys.exit(main())
