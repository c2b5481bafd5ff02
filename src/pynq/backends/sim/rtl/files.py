"""From the paths that a table names to the files on disk."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pynq.backends.sim.rtl import hls, ipxact
from pynq.backends.sim.rtl.manifest import Table
from pynq.backends.sim.rtl.naming import Associations
from pynq.errors import Problem, RtlBuildError

__all__ = ["MAX_FILES", "Found", "Refused", "collect"]

MAX_FILES = 10_000
"""Most files of one table."""

_VERILOG = (".v", ".sv", ".vo")
_VHDL = (".vhd", ".vhdl")
_HEADERS = (".vh", ".svh", ".h", ".inc")


class Refused(Exception):
    """A table whose files can't be used; the problems are in :attr:`problems`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(*map(str, self.problems))


@dataclass
class Found:
    """The files of a table. ``top`` is what the IP itself calls its module, "" where it does not."""

    verilog: list[Path] = field(default_factory=list)
    vhdl: list[Path] = field(default_factory=list)
    include: list[Path] = field(default_factory=list)
    roots: list[Path] = field(default_factory=list)
    defines: dict[str, str] = field(default_factory=dict)
    top: str = ""
    levels: dict[str, int] = field(default_factory=dict)
    cores: tuple[str, ...] = ()
    associations: Associations = field(default_factory=Associations)


def collect(table: Table) -> Found:
    """Return the files that a table names. Raises :class:`Refused` with every reason."""
    found = Found()
    problems: list[Problem] = []
    for text in table.include:
        folder = table.folder / text
        if folder.is_dir():
            _add(found.include, folder)
        else:
            problems.append(table.problem(f"include: {folder} is no folder", "include"))
    for text in table.roots:
        folder = table.folder / text
        if folder.is_dir():
            _add(found.roots, folder)
        else:
            problems.append(table.problem(f"roots: {folder} is no folder", "roots"))
    if table.language in ("sources", "vhdl"):
        _named(table, found, problems)
    else:
        _component(table, found, problems)
    if not problems and found.verilog and found.vhdl:
        mixed = f"has Verilog ({found.verilog[0].name}) and VHDL ({found.vhdl[0].name})"
        advice = "one block can't mix them: translate the VHDL part with `ghdl --synth --out=verilog`"
        problems.append(table.problem(f"{mixed}; {advice}", table.language))
    if not problems and not found.verilog and not found.vhdl:
        problems.append(table.problem(f"{table.language}: no Verilog or VHDL files", table.language))
    if len(found.verilog) + len(found.vhdl) > MAX_FILES:
        problems.append(table.problem(f"{table.language}: more than {MAX_FILES} files", table.language))
    if problems:
        raise Refused(problems)
    return found


def _add(paths: list[Path], path: Path) -> None:
    plain = Path(os.path.normpath(path))
    if plain not in paths:
        paths.append(plain)


# -- files by name ---------------------------------------------------------------------------------------
def _named(table: Table, found: Found, problems: list[Problem]) -> None:
    for text in table.paths:
        pattern = str(table.folder / text)
        if glob.has_magic(text):
            # The folder of the manifest may have brackets in its name: only what the user wrote is a pattern.
            base = "" if os.path.isabs(text) else glob.escape(str(table.folder))
            pattern = os.path.join(base, text)
            names = sorted(itertools.islice(glob.iglob(pattern, recursive=True), MAX_FILES + 1))
            files = [Path(name) for name in names if name.lower().endswith((*_VERILOG, *_VHDL, *_HEADERS))]
            files = [file for file in files if file.is_file()]
            if not files:
                problems.append(table.problem(_about_no_file(text, pattern), table.language))
        else:
            files = [Path(os.path.normpath(pattern))]
            wrong = _why_no_source(files[0])
            if wrong:
                problems.append(table.problem(f"{text!r}: {wrong}", table.language))
                continue
        for file in files:
            suffix = file.suffix.lower()
            if suffix in _HEADERS:
                _add(found.include, file.parent)
            else:
                _add(found.vhdl if suffix in _VHDL else found.verilog, file)


def _about_no_file(text: str, pattern: str) -> str:
    folder = os.path.dirname(pattern)
    while folder and glob.has_magic(folder):
        folder = os.path.dirname(folder)
    folder = os.path.normpath(folder or os.curdir)
    return f"{text!r} matches no source file" + (
        "" if os.path.isdir(folder) else f": there is no folder {folder}"
    )


def _why_no_source(file: Path) -> str:
    if file.is_dir():
        return f"{file} is a folder: name files, such as '{file.name}/*.v'"
    if not file.is_file():
        return f"there is no {file}"
    if file.suffix.lower() not in (*_VERILOG, *_VHDL, *_HEADERS):
        return f"{file.suffix or 'no suffix'} is not among {', '.join((*_VERILOG, *_HEADERS, *_VHDL))}"
    return ""


# -- files by component ----------------------------------------------------------------------------------
def _component(table: Table, found: Found, problems: list[Problem]) -> None:
    where = table.folder / table.paths[0]
    try:
        if table.language == "hls":
            where = hls.find(where)
        elif where.is_dir():
            where /= "component.xml"
        if where.is_dir():  # an HLS tool's folder without a component
            for file in sorted(where.iterdir()):
                if file.suffix.lower() in _VERILOG and file.is_file():
                    _add(found.verilog, file)
            return
        component = ipxact.read(where)
        view = component.view()
    except RtlBuildError as error:
        reasons = error.problems or (Problem(str(where), 0, str(error)),)
        problems += [table.problem(str(reason), table.language) for reason in reasons]
        return
    allowed = [os.path.realpath(root) for root in (where.parent, *found.roots)]
    for entry in component.files(view):
        file = where.parent / entry.name
        reason = _why_not_ours(file, allowed)
        if reason:
            problems.append(table.problem(f"{where}:{entry.line}: {entry.name!r} {reason}", table.language))
        elif entry.kind in ("verilog", "vhdl"):
            _add(found.verilog if entry.kind == "verilog" else found.vhdl, file)
            found.defines.update(entry.defines)
        elif entry.kind == "header":
            _add(found.include, file.parent)
    found.top = view.top
    found.levels = dict(component.levels)
    found.associations = component.associations
    found.cores = tuple(core for name in view.file_sets for core in component.cores.get(name, ()))


def _why_not_ours(file: Path, allowed: Sequence[str]) -> str:
    if "$" in str(file) or "\0" in str(file):
        return "has a variable in its path, which is not followed"
    real = os.path.realpath(file)
    if not any(real == root or real.startswith(os.path.join(root, "")) for root in allowed):
        return f"is outside of {allowed[0]}: name its folder with roots = [...] if it belongs to the IP"
    return "" if os.path.isfile(real) else "is not there"
