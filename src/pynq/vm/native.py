"""The package's native module for the guest: the sources of ``pynq._native``, cross-compiled once and kept.

Only the core is built, which a board needs, not the simulator. That is a handful of files with nothing but
Python's C interface, so the compiler is called directly: no build system has to be told of another machine.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pynq
from pynq import _native
from pynq.errors import VirtualBoardError
from pynq.native import get_include
from pynq.vm.cachedir import CacheDir
from pynq.vm.progress import Progress

__all__ = ["build_native", "sources"]

FORMAT = 1  # of the cache's entries
_COMPILE = ("-std=c++20", "-O2", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-DNDEBUG")
#: The C++ library goes in: the compiler's may be newer than the one that the guest has.
_LINK = ("-shared", "-s", "-static-libstdc++", "-static-libgcc", "-Wl,-z,relro,-z,now")
_MOST_WORDS = 4000  # characters of what a compiler says


def sources() -> Path:
    """Return the folder with the core's C++ files: of the checkout this package runs from, else as installed.

    Raises:
        VirtualBoardError: it is in neither place.
    """
    package = Path(pynq.__file__).resolve().parent
    places = [
        package.parents[1] / "native" / "core",  # a checkout: its files are those being worked on
        Path(_native.__file__).resolve().parent / "vm" / "native",
        package / "vm" / "native",
    ]
    for place in places:
        if (place / "module.cpp").is_file():
            return place
    raise VirtualBoardError(
        f"the sources of pynq._native are in none of {', '.join(map(str, places))}: reinstall pynq-anywhere"
    )


def build_native(
    cache: CacheDir,
    compiler: str,
    include: Path,
    tag: str,
    *,
    environment: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return ``_native.TAG.so`` for another machine, compiled if the cache has none of these sources.

    ``compiler``: a C++ compiler for that machine (GCC 10 or newer, or Clang with its options). ``include``:
    the target's ``usr/include`` with ``python3.X`` in it, or that folder itself. ``tag``: what names the
    target's Python, "cpython-311-aarch64-linux-gnu". ``environment``: for the compiler, default this
    process's. Processes that want the same wait for the one that builds it.

    Raises:
        VirtualBoardError: the compiler does not start or reports an error (the message has its words), or
            there is no Python.h.
    """
    surroundings = {**os.environ, "LC_ALL": "C"} if environment is None else dict(environment)
    folder = sources()
    common = folder.parents[1] / "native" / "include"
    headers = common if (common / "pynq" / "native.h").is_file() else Path(get_include())
    python = _python_headers(include, tag)
    # Debian's pyconfig.h names the one of the architecture from usr/include on; what else is there belongs to
    # another C library than the compiler's, and comes last.
    options = [*_COMPILE, f"-I{headers}", f"-isystem{python}", f"-idirafter{python.parent}"]
    files = sorted(folder.glob("*.cpp"))
    version = _run([compiler, "--version"], surroundings)
    read = [*files, *sorted(folder.glob("*.hpp")), *sorted((headers / "pynq").glob("*.h"))]
    read += sorted(python.rglob("*.h")) + sorted(python.parent.glob("*/python3.*/pyconfig.h"))
    key = hashlib.sha256(f"{FORMAT}\n{tag}\n{version}\n{_COMPILE}\n{_LINK}\n".encode())
    for file in read:
        key.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())

    def make(draft: Path, place: Path) -> None:
        (progress or Progress()).say(f"compiling the package's native module for {tag}")
        objects = draft / "objects"
        objects.mkdir()

        def compile_one(file: Path) -> str:
            target = objects / f"{file.stem}.o"
            _run([compiler, *options, "-c", str(file), "-o", str(target)], surroundings)
            return str(target)

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            made = list(pool.map(compile_one, files))
        _run([compiler, *_LINK, *made, "-o", str(draft / _name(tag))], surroundings)
        for target in made:
            os.unlink(target)
        objects.rmdir()

    return cache.entry("native", key.hexdigest()[:24], f"pynq._native for {tag}", make) / _name(tag)


def _name(tag: str) -> str:
    return f"_native.{tag}.so"


def _python_headers(include: Path, tag: str) -> Path:
    digits = tag.removeprefix("cpython-").partition("-")[0]
    if not tag.startswith("cpython-3") or not digits.isascii() or not digits.isdecimal():
        raise VirtualBoardError(f"{tag!r} names no Python; expected a tag like cpython-311-aarch64-linux-gnu")
    version = f"python3.{digits[1:]}"
    for place in (include / version, include):
        if (place / "Python.h").is_file():
            return place
    raise VirtualBoardError(
        f"{include} has no {version}/Python.h: it should be the usr/include of the target's libpython3-dev"
    )


def _run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise VirtualBoardError(
            f"the compiler {command[0]} does not start: {error.strerror}; install g++ for the target "
            "(Debian: apt install g++-aarch64-linux-gnu)"
        ) from error
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip() or "it said nothing")[:_MOST_WORDS]
        how = f"status {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
        raise VirtualBoardError(f"`{shlex.join(command)}` failed ({how}):\n{words}")
    return done.stdout
