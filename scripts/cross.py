#!/usr/bin/env python3
"""Make wheels for boards (64-bit and 32-bit Arm) on this machine, and run the core's tests in them.

    python scripts/cross.py                     # both, with tests
    python scripts/cross.py aarch64 --no-tests

Needs the development environment (`make setup`) of the Python version that Debian has. What belongs to the
other machine (Python with its headers, numpy) comes from Debian into a folder of the cache, and QEMU's user
mode runs it: nothing is installed, and no root is needed. Where something can't be had, that machine is
skipped, with the reason; a compiler error or a test that fails makes the exit status 1.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pynq.errors import VirtualBoardError
from pynq.vm.apt import Archive, find_mirrors, host_architecture, unpack
from pynq.vm.cachedir import CacheDir
from pynq.vm.progress import Progress, megabytes
from pynq.vm.toolchain import find_toolchain

ROOT = Path(__file__).resolve().parent.parent
FORMAT = 1  # of the cache's entries
TESTS = ["tests/core", "tests/handles"]
#: Of the hand-off reader, which is Python alone, those that end soon.
TESTS += [f"tests/design/test_{name}.py" for name in ("bad", "clocks", "hwh", "interrupts", "locate")]
#: Not those that take long, compare with a clock that emulation slows down, or need Verilator.
OPTIONS = ["-m", "not corpus and not slow"]
OPTIONS += ["-k", "not ends_soon and not quadratic and not on_the_simulated_board"]
#: The tests' own needs, newer than Debian's; only what is pure Python can be had for another machine.
TOOLS = ["pytest>=8", "pytest-timeout>=2.3", "hypothesis>=6.100"]
#: Slow enough for a limit of its own: an emulated machine beside other work.
TEST_SECONDS = 600


class Machine(NamedTuple):
    """A kind of board: as Debian, GNU, QEMU and Python call it."""

    debian: str
    triplet: str
    qemu: str
    platform: str


MACHINES = {
    "aarch64": Machine("arm64", "aarch64-linux-gnu", "aarch64", "linux-aarch64"),  # Zynq UltraScale+, Versal
    "armv7l": Machine("armhf", "arm-linux-gnueabihf", "arm", "linux-armv7l"),  # Zynq-7000
}


class CrossError(Exception):
    """The wheel can't be built, or a test failed."""


class Skipped(Exception):
    """Something that this machine lacks, and the next step."""


def fetched(cache: CacheDir, kind: str, architecture: str, packages: list[str], depends: bool = True) -> Path:
    """Return a folder of the cache with Debian's packages unpacked in it."""
    # The release alone: what only runs tests needs no updates, whose index may be out of step with its files.
    archive = Archive(cache, architecture, mirrors=replace(find_mirrors(), security=None, updates=()))
    record = f"{kind}-{architecture}-{archive.suite}"
    known = cache.recall(record)
    if known and known.get("format") == FORMAT and cache.has(kind, str(known.get("key"))):
        return cache.place(kind, str(known["key"]))
    found = archive.resolve(packages, depends=depends)
    listed = "\n".join(sorted(package.file for package in found))
    key = hashlib.sha256(f"{FORMAT}\n{listed}".encode()).hexdigest()[:24]

    def make(draft: Path, place: Path) -> None:
        size = megabytes(sum(package.size for package in found))
        with Progress().step(f"downloading {packages[0]} for {architecture} ({size})") as told:
            files = archive.download(found, draft, told)
        unpack(files, draft)
        for file in files:
            file.unlink()
        for library in ("blas/libblas.so.3", "lapack/liblapack.so.3"):  # Debian's alternatives
            for path in draft.glob(f"usr/lib/*/{library}"):
                (path.parent.parent / path.name).symlink_to(library)

    place = cache.entry(kind, key, f"{packages[0]} of Debian {archive.suite}, {architecture}", make)
    cache.remember(record, {"format": FORMAT, "key": key})
    return place


def compiler_of(cache: CacheDir, machine: Machine) -> str:
    """Return the prefix of a cross compiler's programs."""
    if machine.debian == "arm64":
        return find_toolchain(cache, tools=()).prefix
    if shutil.which(f"{machine.triplet}-g++"):
        return f"{machine.triplet}-"
    raise Skipped(f"there is no {machine.triplet}-g++: apt-get install g++-{machine.triplet}")


def emulator_of(cache: CacheDir, machine: Machine) -> str:
    """Return a ``qemu-ARCH`` that runs programs of the other machine."""
    for name in (f"qemu-{machine.qemu}-static", f"qemu-{machine.qemu}"):
        found = shutil.which(name)
        if found:
            return found
    place = fetched(cache, "qemu-user", host_architecture(), ["qemu-user-static"], depends=False)
    return str(place / "usr/bin" / f"qemu-{machine.qemu}-static")


def run(command: list[str | Path], log: Path, env: dict[str, str]) -> None:
    """Run a command; what it says is shown where it fails."""
    words = [str(word) for word in command]
    with log.open("wb") as stream:
        done = subprocess.run(words, env=env, stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT)
    if done.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-60:])
        raise CrossError(f"`{shlex.join(words)}` failed:\n{last}")


def make_wheel(name: str, machine: Machine, root: Path, prefix: str, work: Path, output: Path) -> Path:
    """Build the wheel with CMake told of the other machine, and Python's build tools of its Python."""
    version = "python3.{}".format(sys.version_info[1])
    include = root / "usr/include"
    if not (include / version / "Python.h").is_file():
        others = ", ".join(sorted(path.name for path in include.glob("python3.*")))
        raise Skipped(f"Debian has {others}, this is {version}: run with that Python, whose wheel it will be")
    (work / "toolchain.cmake").write_text(
        "set(CMAKE_SYSTEM_NAME Linux)\n"
        f"set(CMAKE_SYSTEM_PROCESSOR {name})\n"
        f"set(CMAKE_CXX_COMPILER {prefix}g++)\n"
        # Python's headers lead to that machine's; the C library's are the compiler's own.
        f'set(CMAKE_CXX_FLAGS_INIT "-idirafter {include}")\n'
    )
    # The build's Python answers for the other machine's: names of modules and the wheel's tag.
    data = work / "sysconfig"
    data.mkdir()
    sysconfig = f"_sysconfigdata__{machine.triplet}"
    shutil.copy(root / "usr/lib" / version / f"{sysconfig}.py", data)
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(data),
        "_PYTHON_HOST_PLATFORM": machine.platform,
        "_PYTHON_SYSCONFIGDATA_NAME": sysconfig,
        "SKBUILD_BUILD_DIR": str(ROOT / "build" / f"cross-{name}"),
        "SKBUILD_CMAKE_ARGS": ";".join(
            [
                f"-DCMAKE_TOOLCHAIN_FILE={work / 'toolchain.cmake'}",
                f"-DPython_INCLUDE_DIR={include / version}",
                "-DPYNQ_SIMULATOR=ON",
                "-DPYNQ_WERROR=ON",
            ]
        ),
    }
    env.pop("CPLUS_INCLUDE_PATH", None)
    shutil.rmtree(ROOT / "build" / f"cross-{name}", ignore_errors=True)
    made = work / "wheel"
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps"]
    run([*pip, "-w", made, "."], work / "wheel.log", env)
    (wheel,) = made.glob("*.whl")
    output.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(wheel, output))


def run_tests(
    machine: Machine, root: Path, prefix: str, emulator: str, wheel: Path, work: Path, tests: list[str]
) -> str:
    """Run tests with the other machine's Python and that wheel; return how many passed."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(work / "site")
    version = "{}.{}".format(*sys.version_info[:2])
    only = ["--platform", "any", "--implementation", "py", "--abi", "none", "--only-binary=:all:"]
    target = ["--target", str(work / "tools"), "--python-version", version]
    run(
        [sys.executable, "-m", "pip", "install", "-q", *only, *target, *TOOLS],
        work / "tools.log",
        dict(os.environ),
    )
    # A script, so that a test that starts Python again gets the same one, though the host runs it.
    python = work / "python3"
    paths = [work / "site", work / "tools", root / "usr/lib/python3/dist-packages"]
    python.write_text(
        "#!/bin/sh\n"
        f"export PYTHONHOME={root}/usr PYTHONPATH={':'.join(map(str, paths))} PYTHONDONTWRITEBYTECODE=1\n"
        f'exec {emulator} -L {root} -0 {python} {root}/usr/bin/python{version} "$@"\n'
    )
    python.chmod(0o755)
    results = work / "results.xml"
    options = ["-q", "-p", "no:cacheprovider", *OPTIONS]
    options += [f"--timeout={TEST_SECONDS}", f"--junitxml={results}"]
    env = {**os.environ, "CXX": f"{prefix}g++"}  # for what the tests compile
    env.pop("PYTHONPATH", None)
    # Programs in the background ignore Ctrl-C, and those they start as well; some tests need it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    done = subprocess.run([str(python), "-m", "pytest", *options, *tests], cwd=ROOT, env=env)
    if not results.exists():
        raise CrossError(f"the tests ended with status {done.returncode}, without a result")
    suite = ElementTree.parse(results).getroot()[0].attrib
    bad = int(suite["failures"]) + int(suite["errors"])
    passed = int(suite["tests"]) - bad - int(suite["skipped"])
    text = f"{passed} passed, {suite['skipped']} skipped, {bad} failed in {float(suite['time']):.0f} s"
    if done.returncode:
        raise CrossError(text)
    return text


def cross(name: str, options: argparse.Namespace) -> str:
    """Make the wheel of one machine and try it; return what came of it, in a line."""
    machine, cache = MACHINES[name], CacheDir()
    version = "{}.{}".format(*sys.version_info[:2])
    try:
        prefix = compiler_of(cache, machine)
        emulator = None if options.no_tests else emulator_of(cache, machine)
        packages = ["python3-numpy", "libpython3-dev", "python3-minimal", "libstdc++6"]
        root = fetched(cache, "cross-root", machine.debian, packages)
    except VirtualBoardError as error:
        raise Skipped(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="pynq-cross-") as folder:
        work = Path(folder)
        start = time.monotonic()
        wheel = make_wheel(name, machine, root, prefix, work, options.output)
        size = megabytes(wheel.stat().st_size)
        text = f"{wheel.name} ({size}, Python {version}) built in {time.monotonic() - start:.0f} s"
        if emulator is None:
            return text
        print(f"{name}: {text}", flush=True)
        return run_tests(machine, root, prefix, emulator, wheel, work, options.tests or TESTS)


def main() -> int:
    """Make the wheels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("machine", nargs="*", help=f"{', '.join(MACHINES)}; default all")
    parser.add_argument("--no-tests", action="store_true", help="only build")
    parser.add_argument("--tests", action="append", metavar="PATH", help=f"default {' '.join(TESTS)}")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder for the wheels")
    options = parser.parse_args()
    unknown = [name for name in options.machine if name not in MACHINES]
    if unknown:
        parser.error(f"no machine {', '.join(unknown)}; there are {', '.join(MACHINES)}")
    failed = False
    for name in options.machine or MACHINES:
        try:
            print(f"{name}: {cross(name, options)}", flush=True)
        except Skipped as reason:
            print(f"{name}: skipped: {reason}", flush=True)
        except CrossError as error:
            failed = True
            print(f"{name}: {error}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
