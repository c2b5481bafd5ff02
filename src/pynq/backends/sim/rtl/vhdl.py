"""VHDL by way of GHDL's synthesis, which writes Verilog.

The result is kept by content: GHDL's program, sources, generics and standard. Names of ports come out as GHDL
writes them (some releases use lower case); VHDL does not tell cases apart, nor does the comparison of ports.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pynq.backends.sim.rtl.toolchain import ToolMissing
from pynq.backends.sim.rtl.values import number_of
from pynq.errors import Problem, RtlBuildError

__all__ = ["Generic", "entities", "generic_value", "generics", "translate"]

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/|\"(?:[^\"\n]|\"\")*\"", re.DOTALL)
_ENTITY = re.compile(r"\bentity\s+(\w+)\s+is\b(?P<rest>.*?)\bend\b", re.IGNORECASE | re.DOTALL)
_GENERICS = re.compile(r"\s*generic\s*\(", re.IGNORECASE)
_MESSAGE = re.compile(
    r"^(?P<file>.+?):(?P<line>\d+):(?P<column>\d+):(?P<kind>error:|warning:)?\s*(?P<text>.*)$"
)
_MODULE = re.compile(r"^module\s+(\\\S+|\w+)", re.MULTILINE)
_VENDOR = re.compile(r"\b(unisim|xpm|unimacro|simprim|altera_mf|lpm|\w+_v\d+_\d+_\d+)\b", re.IGNORECASE)

Generic = str
"""Type of a generic as the entity declares it, lower case: "integer", "std_logic_vector", ..."""

_WHOLE = ("integer", "natural", "positive")
_VECTORS = ("std_logic_vector", "std_ulogic_vector", "unsigned", "signed", "bit_vector")
_MONTH = 30 * 86400.0
_SINGLES = ("std_logic", "std_ulogic", "bit")


def _plain(file: Path) -> str:
    def blank(match: re.Match[str]) -> str:
        return match[0] if match[0][0] == '"' else " "

    return _COMMENT.sub(blank, file.read_text(encoding="utf-8", errors="replace"))


def entities(files: Sequence[Path]) -> dict[str, Path]:
    """Return the entities declared in sources, lower case, each with its file."""
    found: dict[str, Path] = {}
    for file in files:
        for match in _ENTITY.finditer(_plain(file)):
            found.setdefault(match[1].lower(), file)
    return found


def generics(entity: str, files: Sequence[Path]) -> dict[str, Generic]:
    """Return the generics of an entity with their types; names as written."""
    for file in files:
        for match in _ENTITY.finditer(_plain(file)):
            if match[1].lower() == entity.lower():
                return _generics_of(match["rest"])
    return {}


def _generics_of(text: str) -> dict[str, Generic]:
    start = _GENERICS.match(text)
    if start is None:
        return {}
    depth, end = 1, start.end()
    while end < len(text) and depth:
        depth += (text[end] == "(") - (text[end] == ")")
        end += 1
    found = {}
    for declaration in text[start.end() : end - 1].split(";"):
        names, colon, kind = declaration.partition(":")
        word = re.match(r"\s*(?:in\s+)?([\w.]+)", kind, re.IGNORECASE)
        if colon and word:
            for name in names.split(","):
                found[name.split()[-1] if name.split() else ""] = word[1].rpartition(".")[2].lower()
    found.pop("", None)
    return found


def generic_value(value: str | int | float | bool, kind: Generic) -> str | None:
    """Return a value as ``ghdl -gNAME=VALUE`` takes it, for a generic of that type; None if it can't be one.

    Vectors are taken as bits, in the generic's own length where that is written in the value (``8'h3``,
    ``"0011"``, ``0x1F``).
    """
    if kind == "string":
        return str(value).strip('"')
    if isinstance(value, float):
        return repr(value) if kind == "real" else None
    found = number_of(value)
    if kind in _VECTORS:
        return None if found is None or not found[1] else format(found[0], f"0{found[1]}b")
    if found is None:
        return None
    if kind in _WHOLE:
        return str(found[0])
    if kind == "boolean":
        return "true" if found[0] else "false"
    return f"'{found[0] & 1}'" if kind in _SINGLES else None


def translate(
    top: str,
    files: Sequence[Path],
    values: Mapping[str, str],
    *,
    standard: str = "08",
    cache: Path,
) -> tuple[Path, str]:
    """Translate an entity and what it uses; return the Verilog file and the name of the module in it.

    ``values``: generics, as :func:`generic_value` gives them. The file lies in ``cache``. Raises
    :class:`~pynq.errors.RtlBuildError`: no GHDL, or its messages with the user's file and line.
    """
    program = shutil.which("ghdl")
    if program is None:
        raise ToolMissing(
            f"{top} is VHDL, which needs GHDL: install the package ghdl (Debian, Ubuntu: apt install ghdl), "
            "so that `ghdl` is on PATH, or translate the sources to Verilog"
        )
    cache = _writable(cache)
    target = cache / f"{_key(program, top, files, values, standard)}.v"
    if target.is_file():
        with contextlib.suppress(OSError):
            os.utime(target)  # in use: not to be removed soon
    else:
        _remove_unused(cache)
        with tempfile.TemporaryDirectory(dir=cache, prefix="ghdl-") as work:
            text = _run(program, top, files, values, standard, work)
            # Written beside and renamed: another process sees all of it or nothing.
            made = Path(work, "out.v")
            made.write_text(text)
            os.replace(made, target)
    names = [name for name in _MODULE.findall(target.read_text()) if name.strip("\\").lower() == top.lower()]
    if not names:
        raise RtlBuildError(f"{top}: GHDL wrote no module of that name")
    return target, names[-1].strip("\\")


def _writable(folder: Path) -> Path:
    """Return the folder, or one of this process only where it can't be made or written."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    return _temporary()


@functools.cache
def _temporary() -> Path:
    folder = tempfile.mkdtemp(prefix="pynq-vhdl-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _remove_unused(folder: Path) -> None:
    """Remove what no build has used for a month."""
    for file in folder.glob("*.v"):
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > _MONTH:
                file.unlink()


def _key(program: str, top: str, files: Sequence[Path], values: Mapping[str, str], standard: str) -> str:
    status = os.stat(os.path.realpath(program))
    state = hashlib.sha256()
    for part in (
        os.path.realpath(program),
        status.st_mtime_ns,
        status.st_size,
        top,
        standard,
        *sorted(values.items()),
    ):
        state.update(f"{part}\n".encode())
    for file in files:
        data = file.read_bytes()
        state.update(f"{file} {len(data)}\n".encode())
        state.update(data)
    return state.hexdigest()[:32]


def _run(
    program: str, top: str, files: Sequence[Path], values: Mapping[str, str], standard: str, work: str
) -> str:
    command = [program, "--synth", f"--std={standard}", f"--workdir={work}", "--out=verilog"]
    command += [f"-g{name}={value}" for name, value in values.items()]
    command += [*map(str, files), "-e", top]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, cwd=work
        )
    except OSError as error:
        raise RtlBuildError(f"{program} can't be run: {error.strerror}") from error
    if done.returncode == 0 and _MODULE.search(done.stdout):
        return done.stdout
    raise RtlBuildError(_problems(done.stderr or done.stdout, top, values))


def _problems(text: str, top: str, values: Mapping[str, str]) -> list[Problem]:
    problems = []
    for line in text.splitlines():
        match = _MESSAGE.match(line)
        if match and match["kind"] != "warning:":
            problems.append(Problem(match["file"], int(match["line"]), match["text"]))
    if not problems:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        given = ", ".join(f"{name}={value}" for name, value in values.items())
        said = " ".join(lines[:3]) or "nothing"
        if "GHDL Bug" in text and given:
            said = f"it failed inside; generics given: {given}"
        problems = [Problem(f"ghdl -e {top}", 0, f"failed: {said}")]
    if any(_VENDOR.search(problem.message) for problem in problems):
        advice = (
            "libraries of the vendor are not there: simulate the part that does without, or a model of it"
        )
        problems.append(Problem(f"ghdl -e {top}", 0, advice))
    return problems
