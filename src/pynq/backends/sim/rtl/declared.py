"""What Verilog sources declare, as far as it is needed before a tool sees them: modules, their parameters,
packages and who uses them.

A light look at the text, without a preprocessor: of code between `` `ifdef`` and `` `else`` both sides count.
What it gets wrong can only make a default of the description stay unused or files come in another order; the
tool itself decides what the RTL is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

__all__ = ["Parameter", "find_module", "modules", "packages_first", "read"]

MAX_BYTES = 64 << 20
"""Largest source that is looked at, in bytes; one that is larger counts as empty here."""

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
_MODULE = re.compile(r"\b(?:macro)?module\s+(?:static\s+|automatic\s+)?([A-Za-z_]\w*|\\\S+)")
_PACKAGE = re.compile(r"\bpackage\s+(?:static\s+|automatic\s+)?([A-Za-z_]\w*)\s*;")
_USE = re.compile(r"\b([A-Za-z_]\w*)\s*::")
_TOKEN = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|\\\S+|`?[A-Za-z_][\w$]*|\d[\w.']*|'[\w]+|\S")
_NAME = re.compile(r"[A-Za-z_][\w$]*\Z")

Kind = Literal["number", "text", "real", "type", "unknown"]
_REALS = {"real", "realtime", "shortreal"}
_NUMBERS = {
    "int",
    "integer",
    "logic",
    "bit",
    "reg",
    "byte",
    "shortint",
    "longint",
    "time",
    "signed",
    "unsigned",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a module: what kind of value it takes, and its default as text."""

    name: str
    kind: Kind
    default: str


def read(path: Path) -> str:
    """Return a source without its comments; "" where it can't be read (the tool will say so).

    Looked up again only when the file's time or size changed.
    """
    try:
        status = path.stat()
    except OSError:
        return ""
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)
def _read(path: Path, time: int, size: int) -> str:
    if size > MAX_BYTES:
        return ""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

    def blank(match: re.Match[str]) -> str:
        found = match[0]
        return found if found[0] == '"' else " " + "\n" * found.count("\n")

    return _COMMENT.sub(blank, text)


def modules(files: Iterable[Path]) -> dict[str, Path]:
    """Return the modules declared in sources, each with its file."""
    found: dict[str, Path] = {}
    for file in files:
        for match in _MODULE.finditer(read(file)):
            found.setdefault(match[1].removeprefix("\\"), file)
    return found


def packages_first(files: Sequence[Path]) -> tuple[Path, ...]:
    """Return the sources in an order in which a package comes before who uses it; else the order given."""
    declares: dict[str, Path] = {}
    for file in files:
        for match in _PACKAGE.finditer(read(file)):
            declares.setdefault(match[1], file)
    if not declares:
        return tuple(files)
    out: dict[Path, None] = {}
    under_way: set[Path] = set()

    def put(file: Path) -> None:
        if file in out or file in under_way:  # a circle of packages is an error that the tool explains
            return
        under_way.add(file)
        for match in _USE.finditer(read(file)):
            needed = declares.get(match[1])
            if needed is not None:
                put(needed)
        under_way.discard(file)
        out[file] = None

    holders = set(declares.values())
    for file in sorted(files, key=lambda file: file not in holders):
        put(file)
    return tuple(out)


def find_module(name: str, files: Iterable[Path]) -> dict[str, Parameter] | None:
    """Return the parameters that can be set from outside of the module of that name; None without one."""
    for file in files:
        text = read(file)
        if name not in text:
            continue
        for match in _MODULE.finditer(text):
            if match[1].removeprefix("\\") == name:
                return {one.name: one for one in _parameters(text, match.end())}
    return None


def _parameters(text: str, start: int) -> Iterator[Parameter]:
    tokens = (match[0] for match in _TOKEN.finditer(text, start))
    header = False
    for token in tokens:
        if token == "#":
            header = True
            break
        if token in ("(", ";"):
            break
        # `import pkg::*;` may stand before the parameters
        if token == "import":
            for token in tokens:
                if token == ";":
                    break
    if header:
        yield from _list(tokens)
        return
    # Without a list in the header, each `parameter` of the body can be set (IEEE 1800-2017, 6.20.1).
    for token in tokens:
        if token == "endmodule":
            return
        if token == "parameter":
            yield from _declarations([token, *_until_semicolon(tokens)])


def _list(tokens: Iterator[str]) -> Iterator[Parameter]:
    depth = 0
    piece: list[str] = []
    for token in tokens:
        if token in "([{":
            depth += 1
            if depth == 1:
                continue
        elif token in ")]}":
            depth -= 1
            if depth == 0:
                break
        piece.append(token)
    yield from _declarations(piece)


def _until_semicolon(tokens: Iterator[str]) -> Iterator[str]:
    for token in tokens:
        if token == ";":
            return
        yield token


def _declarations(tokens: Sequence[str]) -> Iterator[Parameter]:
    """Yield what `parameter int A = 1, B = 2, parameter string C = "x"` declares."""
    depth = 0
    pieces: list[list[str]] = []
    piece: list[str] = []
    for token in tokens:
        depth += (token in "([{") - (token in ")]}")
        if token == "," and not depth:
            pieces.append(piece)
            piece = []
        else:
            piece.append(token)
    pieces.append(piece)
    local = False
    words: set[str] = set()
    for piece in pieces:
        if "=" not in piece:
            continue
        cut = piece.index("=")
        left, right = piece[:cut], piece[cut + 1 :]
        if left and left[0] in ("parameter", "localparam"):
            local = left[0] == "localparam"
            words = set()  # a new declaration has a type of its own
            left = left[1:]
        outside = _outside_brackets(left)
        if not outside or not _NAME.match(outside[-1]):
            continue
        words = words | set(outside[:-1])
        if not local:
            yield Parameter(outside[-1], _kind(words, right), " ".join(right))


def _outside_brackets(tokens: Sequence[str]) -> list[str]:
    depth, out = 0, []
    for token in tokens:
        if token == "[":
            depth += 1
        elif token == "]":
            depth -= 1
        elif not depth:
            out.append(token)
    return out


def _kind(words: set[str], default: Sequence[str]) -> Kind:
    if "type" in words:
        return "type"
    if "string" in words or (default and default[0].startswith('"')):
        return "text"
    if words & _REALS or (len(default) == 1 and re.match(r"\d+\.\d", default[0])):
        return "real"
    if words & _NUMBERS or (default and (default[0][0].isdigit() or default[0][0] in "'-+")):
        return "number"
    return "unknown"
