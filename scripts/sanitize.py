#!/usr/bin/env python3
"""Run the tests of the native code with the compiler's sanitizers in it: memory, undefined behaviour.

    python scripts/sanitize.py                              # all that run native code
    python scripts/sanitize.py tests/core -k blocks         # these alone: options go to pytest

Both native modules are built in an environment of their own, ``.venv-sanitize``, and so is what tests compile
(designs, drivers, Verilator's runtime). Python itself is not; its memory comes from malloc, where the
sanitizer sees it. The first finding in a process ends it, and with it the test. What AddressSanitizer finds
is written to ``out/sanitize``, also by processes that tests start: then the exit status is 1 even where all
passed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-sanitize"
REPORTS = ROOT / "out" / "sanitize"
CHECKS = "address,undefined"
#: Where native code runs.
TESTS = [f"tests/{area}" for area in ("core", "engine", "sim", "rtl", "waves", "vm", "handles", "partial")]
#: What is freed stays with the sanitizer for a while.
OPTIONS = ["--deselect", "tests/engine/test_life.py::test_memory_does_not_grow"]
#: UndefinedBehaviorSanitizer writes to the error output whatever it is told: pytest is to leave that alone.
OPTIONS += ["-q", "--capture=sys", "--timeout=900"]
#: Python leaves much behind when it ends, so leaks are not looked for.
ASAN = "detect_leaks=0:allocator_may_return_null=1"


def find_compiler() -> list[str]:
    """Return the C++ compiler's command. GCC alone: its sanitizers are libraries that can be preloaded."""
    command = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    if shutil.which(command[0]) is None:
        sys.exit(f"sanitize: no C++ compiler {command[0]!r}: apt-get install g++")
    return command


def library(command: list[str], name: str) -> str:
    """Return the path of a library of the compiler."""
    found = subprocess.run([*command, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    path = Path(found.stdout.strip())
    if not path.is_absolute():
        sys.exit(f"sanitize: {shlex.join(command)} has no {name}: GCC with its sanitizers is needed")
    return str(path.resolve())


def script(place: Path, text: str) -> Path:
    """Write a program for bash."""
    place.unlink(missing_ok=True)  # in a virtual environment it is a link
    place.write_text(f"#!/bin/bash\n{text}\n")
    place.chmod(0o755)
    return place


def prepare(command: list[str]) -> Path:
    """Make the environment's Python load the sanitizer; return a compiler that adds its checks.

    What Python starts is not to load it: Verilator and the compiler run with limits of their memory, which
    the sanitizer's tables exceed.
    """
    lines = (VENV / "pyvenv.cfg").read_text().splitlines()
    home = next(line.split("=", 1)[1].strip() for line in lines if line.startswith("home"))
    real = shlex.quote(f"{home}/python3")
    # The C++ library, too: the sanitizer looks for its functions when the process starts.
    preload = f"{library(command, 'libasan.so')}:{library(command, 'libstdc++.so')}"
    script(
        VENV / "bin" / "python",
        f'export LD_PRELOAD={preload} ASAN_OPTIONS=${{ASAN_OPTIONS:-{ASAN}}}\nexec -a "$0" {real} "$@"',
    )
    site = VENV / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (site / "sanitize.pth").write_text("import os; os.environ.pop('LD_PRELOAD', None)\n")
    flags = f"-fsanitize={CHECKS} -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
    return script(VENV / "bin" / "checked-g++", f'exec {shlex.join(command)} {flags} "$@"')


def main() -> int:
    """Build, test, show the reports."""
    given = sys.argv[1:]
    if {"-h", "--help"} & set(given):
        print(__doc__)
        return 0
    command = find_compiler()
    build = {
        **os.environ,
        "CMAKE_ARGS": f"-DPYNQ_SANITIZE={CHECKS}",
        "SKBUILD_INSTALL_STRIP": "false",  # reports name functions and lines
        "ASAN_OPTIONS": ASAN,  # the environment's Python may have the sanitizer already
    }
    known = ["--native-only"] if (VENV / ".ready").exists() else []
    bootstrap = ROOT / "scripts" / "bootstrap.py"
    if subprocess.run([sys.executable, bootstrap, "--venv", VENV, *known], env=build, check=False).returncode:
        return 1
    compiler = prepare(command)
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    environment = {
        **os.environ,
        "PYTHONMALLOC": "malloc",
        "CXX": str(compiler),
        "PYNQ_CACHE": str(VENV / "cache"),
        "ASAN_OPTIONS": f"{ASAN}:log_path={REPORTS}/report",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    if not any((ROOT / word.split("::")[0]).exists() for word in given):
        given = ["-n", "auto", *TESTS, *given]
    tests = [VENV / "bin" / "python", "-m", "pytest", *OPTIONS, *given]
    status = subprocess.run(tests, cwd=ROOT, env=environment, check=False).returncode
    found = sorted(REPORTS.iterdir())
    for report in found:
        print(f"---- {report}\n{report.read_text(errors='replace')[:6000]}")
    print(f"sanitize: exit status {status} of the tests, {len(found)} reports in {REPORTS}")
    return status or int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
