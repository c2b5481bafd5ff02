"""The manifest ``NAME.sim.toml``: which cells of a design are the user's RTL, and what that is made of.

This module only reads: text in, frozen tables out, with a list of everything that is wrong. What a table
means for a design is :mod:`pynq.backends.sim.rtl.resolve`'s business.

A table has one selector (``instance``, ``vlnv``, ``module`` or ``hierarchy``; globs), one kind of source
(``sources``, ``ipxact``, ``hls`` or ``vhdl``) and options; :data:`KEYS` lists all. Relative paths start at
the folder of the manifest; in a dictionary given from Python, at the current folder.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pynq.design import tables
from pynq.design.tables import MAX_BYTES, MAX_TABLES
from pynq.errors import DesignError, MissingPackageError, Problem, RtlBuildError
from pynq.wording import near

__all__ = [
    "KEYS",
    "MAX_BYTES",
    "MAX_TABLES",
    "WHOLE",
    "Manifest",
    "Table",
    "from_mapping",
    "load",
    "relative",
]

WHOLE = "whole"
"""The hierarchy that stands for everything in a region."""

MAX_ENTRIES = 10_000
"""Most entries of one list or table in it."""

Selector = Literal["instance", "hierarchy", "vlnv", "module", "any"]
Language = Literal["sources", "ipxact", "hls", "vhdl"]
_SELECTORS: tuple[Selector, ...] = ("instance", "vlnv", "module", "hierarchy")
_LANGUAGES: tuple[Language, ...] = ("sources", "ipxact", "hls", "vhdl")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*\Z")

KEYS: Mapping[str, str] = MappingProxyType(
    {
        "instance": "path of a cell, a glob",
        "vlnv": "type of a cell as vendor:library:name:version, a glob",
        "module": "module type of a cell (MODTYPE), a glob",
        "hierarchy": "path of a hierarchy whose cells one module replaces",
        "top": "name of the module or entity; default: the module type of the cell",
        "sources": "Verilog and SystemVerilog files, globs",
        "ipxact": "a component.xml, or its folder",
        "hls": "folder that an HLS tool exported",
        "vhdl": "VHDL files, globs",
        "include": "folders for `include",
        "defines": "macros",
        "parameters": "parameters or generics, over those of the description",
        "ports": "port or bus of the RTL = that of the description",
        "tie": "levels of inputs that the description has not",
        "options": "further options for Verilator",
        "roots": "folders that sources may come from, besides those named here",
        "standard": "VHDL standard: 87, 93, 00, 02 or 08",
    }
)
"""The keys of a table, each with what it holds."""

_STANDARDS = ("87", "93", "93c", "00", "02", "08")


def _nothing() -> Any:
    return field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Table:
    """One table of a manifest.

    ``selector`` is "any" for a key of a dictionary given from Python: an instance, a hierarchy or a module
    type. ``name`` and ``line`` say where it stands, ``lines`` where its keys do; ``folder`` is what
    relative paths start from. Values of ``parameters`` are as written: numbers, truth values or text.
    """

    selector: Selector
    pattern: str
    language: Language
    paths: tuple[str, ...]
    name: str
    line: int
    folder: Path
    top: str = ""
    include: tuple[str, ...] = ()
    defines: Mapping[str, str] = _nothing()
    parameters: Mapping[str, str | int | float | bool] = _nothing()
    ports: Mapping[str, str] = _nothing()
    tie: Mapping[str, int] = _nothing()
    options: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    standard: str = "08"
    lines: Mapping[str, int] = _nothing()

    def problem(self, message: str, key: str = "") -> Problem:
        """Return a reason to refuse this table; ``key`` is what it is about."""
        python = self.name.startswith("rtl[")
        text = message if python else f"[[rtl]] {self.selector} = {self.pattern!r}: {message}"
        return Problem(self.name, self.lines.get(key, self.line), text)

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


@dataclass(frozen=True)
class Manifest:
    """The tables of a manifest, and what is wrong with those that are missing here."""

    name: str
    tables: tuple[Table, ...]
    problems: tuple[Problem, ...] = ()


def load(path: str | os.PathLike[str]) -> Manifest:
    """Read a manifest.

    Raises :class:`~pynq.errors.RtlBuildError` for a file that is not there, too large or no TOML. Tables that
    can't be used are in :attr:`Manifest.problems`.
    """
    try:
        entries, problems = tables.load(path, "rtl")
    except DesignError as error:
        raise RtlBuildError(error.problems) from error
    except MissingPackageError as error:
        raise RtlBuildError(str(error)) from error
    reader = _Reader(os.fspath(path), Path(path).absolute().parent)
    for problem in problems:
        reader.note(problem.line, problem.message)
    for entry in entries:
        reader.table(*entry)
    return reader.manifest()


def relative(manifest: Manifest, region: str) -> Manifest:
    """Return what a manifest of a static design says of the contents of a region, with paths as in there.

    Tables for paths elsewhere are left out; those for types and module types stay as they are. All that is in
    the region, as one module, is the hierarchy :data:`WHOLE`.
    """
    tables = []
    for table in manifest.tables:
        pattern = table.pattern
        if table.selector in ("instance", "hierarchy") or (table.selector == "any" and "/" in pattern):
            outer = region.split("/")
            parts = pattern.split("/")
            least = len(outer) + (table.selector != "hierarchy")
            if len(parts) < least or not all(map(fnmatch.fnmatchcase, outer, parts)):
                continue
            pattern = "/".join(parts[len(outer) :]) or WHOLE
        tables.append(replace(table, pattern=pattern))
    return replace(manifest, tables=tuple(tables))


def from_mapping(mapping: Mapping[Any, Any], folder: Path | None = None) -> Manifest:
    """Read what ``Overlay(..., rtl={...})`` was given.

    Keys are a cell's path, its type (with colons), a hierarchy or a module type; values one source file, a
    list of them, or a dictionary with the keys of a manifest's table.
    """
    reader = _Reader("rtl", folder or Path.cwd())
    for key, value in mapping.items():
        if not isinstance(key, str):
            reader.note(0, f"{key!r} is no text: expected a cell, a type, a hierarchy or a module type")
            continue
        reader.name = f"rtl[{key!r}]"
        if isinstance(value, Mapping):
            entry = dict(value)
        elif isinstance(value, (str, os.PathLike)):
            entry = {"sources": [os.fspath(value)]}
        elif isinstance(value, (list, tuple)):
            entry = {"sources": [os.fspath(one) if isinstance(one, os.PathLike) else one for one in value]}
        else:
            reader.note(0, f"expected a file, a list of files or a dictionary, not {type(value).__name__}")
            continue
        chosen = [name for name in _SELECTORS if name in entry]
        if not chosen:
            entry["vlnv" if ":" in key else "any"] = key
        reader.table(entry, 0, {})
    reader.name = "rtl"
    return reader.manifest()


class _Reader:
    """Collects tables and problems."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._tables: list[Table] = []
        self._problems: list[Problem] = []

    def manifest(self) -> Manifest:
        return Manifest(self.name, tuple(self._tables), tuple(self._problems))

    def note(self, line: int, message: str) -> None:
        self._problems.append(Problem(self.name, line, message))

    def table(self, entry: dict[str, Any], line: int, lines: dict[str, int]) -> None:
        before = len(self._problems)
        place = "[[rtl]]: " if line else ""

        def note(key: str, message: str) -> None:
            self.note(lines.get(key, line), f"{place}{message}")

        for key in entry:
            if key not in KEYS and key != "any":
                note(key, f"unknown key {key!r}; {near(key, KEYS, 'the keys are')}")
        selectors = [key for key in (*_SELECTORS, "any") if key in entry]
        languages = [key for key in _LANGUAGES if key in entry]
        if len(selectors) != 1:
            found = f"has {' and '.join(selectors)}" if selectors else "has none"
            note("", f"needs one of instance, vlnv, module and hierarchy; it {found}")
        if len(languages) != 1:
            note("", _about_languages(languages))
        fields: dict[str, Any] = {}
        for key, value in entry.items():
            check = _CHECKS.get(key)
            if check is None:
                continue
            try:
                fields[key] = check(value)
            except _Wrong as wrong:
                note(key, f"{key}: {wrong}")
        if len(self._problems) > before:
            return
        selector, language = selectors[0], languages[0]
        pattern, paths = fields.pop(selector), fields.pop(language)
        self._tables.append(
            Table(
                selector,
                pattern,
                language,
                paths,
                self.name,
                line,
                self._folder,
                lines=MappingProxyType(lines),
                **fields,
            )
        )


def _about_languages(found: list[Language]) -> str:
    if not found:
        return "needs one of sources, ipxact, hls and vhdl; it has none"
    if set(found) == {"sources", "vhdl"}:
        return (
            "has sources and vhdl: one block can't mix Verilog and VHDL. Translate the VHDL part to Verilog "
            "with `ghdl --synth --out=verilog` and list the result, or give each its own cell"
        )
    return f"needs one of sources, ipxact, hls and vhdl; it has {' and '.join(found)}"


# -- values ----------------------------------------------------------------------------------------------
class _Wrong(Exception):
    """A value of the wrong type or form."""


def _text(value: object) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise _Wrong(f"expected text, not {_kind(value)}")
    text = os.fspath(value)
    if not isinstance(text, str) or not text or any(ord(char) < 32 for char in text):
        raise _Wrong(f"{text!r} is empty or has control characters")
    return text


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise _Wrong("the list is empty")
    if len(values) > MAX_ENTRIES:
        raise _Wrong(f"has {len(values)} entries; {MAX_ENTRIES} are the most")
    return tuple(_text(one) for one in values)


def _one_text(value: object) -> tuple[str, ...]:
    values = _texts(value)
    if len(values) != 1:
        raise _Wrong(f"expected one path, not {len(values)}")
    return values


def _identifier(value: object) -> str:
    text = _text(value)
    if not _IDENTIFIER.match(text):
        raise _Wrong(f"{text!r} is no name of Verilog or VHDL")
    return text


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _Wrong(f"expected a table, {{ NAME = value }}, not {_kind(value)}")
    if len(value) > MAX_ENTRIES:
        raise _Wrong(f"has {len(value)} entries; {MAX_ENTRIES} are the most")
    for name in value:
        _identifier(name)
    return value


def _defines(value: object) -> Mapping[str, str]:
    out = {}
    for name, one in _mapping(value).items():
        if one is False:
            continue
        if not isinstance(one, (str, int)):
            raise _Wrong(f"{name}: expected text, a whole number or true, not {_kind(one)}")
        text = "1" if one is True else str(one)
        if any(ord(char) < 32 for char in text):
            raise _Wrong(f"{name}: {text!r} has control characters")
        out[name] = text
    return MappingProxyType(out)


def _parameters(value: object) -> Mapping[str, str | int | float | bool]:
    for name, one in _mapping(value).items():
        if not isinstance(one, (str, int, float)):
            raise _Wrong(f"{name}: expected a number, text or true or false, not {_kind(one)}")
        if isinstance(one, str) and any(ord(char) < 32 for char in one):
            raise _Wrong(f"{name}: {one!r} has control characters")
    return MappingProxyType(dict(_mapping(value)))


def _ports(value: object) -> Mapping[str, str]:
    return MappingProxyType({name: _text(one).strip("/") for name, one in _mapping(value).items()})


def _tie(value: object) -> Mapping[str, int]:
    for name, one in _mapping(value).items():
        if isinstance(one, bool) or not isinstance(one, int) or not 0 <= one < 1 << 64:
            raise _Wrong(f"{name}: expected a level of up to 64 bits, not {one!r}")
    return MappingProxyType(dict(_mapping(value)))


def _standard(value: object) -> str:
    text = f"{value:02d}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    text = {"1987": "87", "1993": "93", "2000": "00", "2002": "02", "2008": "08"}.get(text, text)
    if text not in _STANDARDS:
        raise _Wrong(f"{value!r} is none of {', '.join(_STANDARDS)}")
    return text


def _kind(value: object) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), type(value).__name__)


_CHECKS: dict[str, Callable[[object], Any]] = {
    "instance": lambda value: _text(value).strip("/"),
    "hierarchy": lambda value: _text(value).strip("/"),
    "any": lambda value: _text(value).strip("/"),
    "vlnv": _text,
    "module": _text,
    "top": _identifier,
    "sources": _texts,
    "ipxact": _one_text,
    "hls": _one_text,
    "vhdl": _texts,
    "include": _texts,
    "defines": _defines,
    "parameters": _parameters,
    "ports": _ports,
    "tie": _tie,
    "options": _texts,
    "roots": _texts,
    "standard": _standard,
}
