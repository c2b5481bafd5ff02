"""Manifests: TOML files that are one array of tables, read with the line of every table and key.

What the tables mean is for others: :mod:`pynq.design.regmaps` and, for RTL, the simulated board.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from pynq.design import bounded
from pynq.errors import DesignError, DesignNotFoundError, MissingPackageError, Problem

__all__ = ["MAX_BYTES", "MAX_TABLES", "Entry", "load"]

MAX_BYTES = 1 << 20
"""Largest manifest that is read, in bytes."""
MAX_TABLES = 1000
"""Most tables of a manifest."""
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


class Entry(NamedTuple):
    """A table as it stands, its line and those of its keys (0 and none where they are not known)."""

    table: dict[str, Any]
    line: int
    lines: dict[str, int]


def load(path: str | os.PathLike[str], key: str) -> tuple[list[Entry], list[Problem]]:
    """Return the tables ``[[key]]`` of a manifest, and what is wrong with the rest of it.

    Raises:
        DesignError: It is not there, too large or no TOML.
        MissingPackageError: Python 3.10 has no reader of TOML, and ``tomli`` is not installed.
    """
    name = os.fspath(path)
    try:
        data = bounded.load(name, MAX_BYTES, "manifest")
    except DesignNotFoundError as error:
        raise DesignError([Problem(name, 0, "the manifest can't be read: No such file")]) from error
    text, raw = _parse(data, name, key)
    problems = [
        Problem(
            name, _line_of(text, other, key), f"unknown key {other!r}; a manifest has tables [[{key}]] only"
        )
        for other in raw
        if other != key
    ]
    entries = raw.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        message = f"{key} must be an array of tables: write [[{key}]], with two brackets"
        problems.append(Problem(name, _line_of(text, key, key), message))
        return [], problems
    if len(entries) > MAX_TABLES:
        problems.append(Problem(name, 0, f"has {len(entries)} tables; {MAX_TABLES} are the most"))
        return [], problems
    lines = _lines(text, entries, key)
    return [Entry(entry, *place) for entry, place in zip(entries, lines, strict=True)], problems


def _parse(data: bytes, name: str, key: str) -> tuple[str, dict[str, Any]]:
    toml = _toml()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DesignError([Problem(name, 0, f"is no UTF-8 text (byte {error.start})")]) from error
    try:
        return text, toml(text)
    except ValueError as error:  # TOMLDecodeError
        message = str(error)
        found = _AT_LINE.search(message)
        line = int(found[1]) if found and found[1] else 0
        reason = f"is no TOML: {_AT_LINE.sub('', message).strip()}"
        if line:
            reason += f": {text.splitlines()[line - 1].strip()}"
        if re.search(rf"^[ \t]*\[[ \t]*{key}[ \t]*\]", text, re.MULTILINE):
            reason += f"; write [[{key}]], with two brackets"
        raise DesignError([Problem(name, line, reason)]) from error
    except RecursionError as error:
        raise DesignError([Problem(name, 0, "is nested too deeply")]) from error


def _toml() -> Callable[[str], dict[str, Any]]:
    if sys.version_info >= (3, 11):
        import tomllib

        return tomllib.loads
    try:
        tomli = importlib.import_module("tomli")
    except ImportError as error:
        raise MissingPackageError(
            "reading a manifest (.toml) with Python 3.10 needs the package tomli: "
            "pip install 'pynq-anywhere[rtl]'"
        ) from error
    return tomli.loads  # type: ignore[no-any-return]


def _lines(text: str, entries: list[dict[str, Any]], key: str) -> list[tuple[int, dict[str, int]]]:
    """Return, for every table, its line and those of its keys.

    The standard library's parser keeps no places. Headers and keys are looked for in the text; where that
    finds another number of tables (one inside a text of several lines), there are no lines.
    """
    header = re.compile(rf"^[ \t]*\[\[[ \t]*(?:{key}|\"{key}\"|'{key}')[ \t]*\]\]", re.MULTILINE)
    starts = [match.start() for match in header.finditer(text)]
    if len(starts) != len(entries) or not entries:
        return [(0, {})] * len(entries)
    found = []
    for entry, start, end in zip(entries, starts, [*starts[1:], len(text)], strict=True):
        first = text.count("\n", 0, start) + 1
        part = text[start:end]
        keys = {name: first + line - 1 for name in entry if (line := _line_of(part, name, key))}
        found.append((first, keys))
    return found


def _line_of(text: str, name: str, key: str) -> int:
    """Return the line where a key is set, or a table of that name begins; 0 where it is not found."""
    word = re.escape(name)
    match = re.search(
        rf"^[ \t]*(?:[\"']?{word}[\"']?[ \t]*[.=]|\[\[?(?:{key}\.)?{word}\]?\])", text, re.MULTILINE
    )
    return text.count("\n", 0, match.start()) + 1 if match else 0
