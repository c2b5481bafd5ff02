"""A look at preprocessed Verilog: what may not be in it, what it does, and where it prints.

Verilator's preprocessor has been over the text: macros are expanded, included files are in place, and ``
`line`` directives tell where everything came from. So nothing can hide behind a macro here, and what is
looked at is exactly what is compiled afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pynq.errors import RtlBuildError

__all__ = ["FILES", "HEAP", "RANDOM", "TIME", "Place", "Scanned", "reach_problems", "scan"]

# Of native/include/pynq/rtl.h.
HEAP, TIME, RANDOM, FILES = 1, 2, 4, 8

_TOKEN = re.compile(
    r"""
    (?P<line>^[ \t]*`line[ \t]+(?P<number>[0-9]{1,9})[ \t]+"(?P<file>[^"\n]*)"[^\n]*\n)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<escaped>\\[^\s]+)
  | (?P<task>\$[A-Za-z_][\w$]*)
  | (?P<systemc>`systemc_\w+)
  | (?P<dpi>\b(?:import|export)\s*"DPI(?:-C)?")
  | (?P<random>\brand(?:case|sequence)\b|\.\s*(?:shuffle|randomize)\b)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
#: What is skipped between two tokens of a call.
_SPACE = re.compile(r"(?:\s|/\*.*?\*/|//[^\n]*)*", re.DOTALL)
_ARGUMENT = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|//[^\n]*|\\[^\s]+|[()\[\]{},;]', re.DOTALL)

_PRINTS = re.compile(r"\$(?:display|write|strobe|monitor)[bho]?$")
_MESSAGES = frozenset({"$info", "$warning", "$error", "$fatal"})
_CODE = re.compile(r"\$c(?:pure)?\d*$")
_FILES = re.compile(
    r"\$(?:fopen|fclose|f?flush|fread|fscanf|fget[cs]|ungetc|fseek|ftell|rewind|feof|ferror"
    r"|f(?:write|display|strobe|monitor)[bho]?|writemem[bh])$"
)
_RANDOM = re.compile(r"\$(?:u?random|urandom_range|dist_\w+)$")
_TIME = frozenset({"$time", "$stime", "$realtime"})


@dataclass(frozen=True)
class Place:
    """A place in the user's sources; ``column`` from 1, 0 where unknown."""

    file: Path
    line: int
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")


@dataclass
class Scanned:
    """The text to verilate, and what was found in it.

    ``text`` names file number i as ``s<i>`` in its `` `line`` directives. ``inserted`` has, by (file, line),
    the columns at which marks were put in and how long they are. ``starts``: where each file of the command
    line begins in ``text``, and its number.
    """

    text: str
    files: list[Path]
    flags: int = 0
    fatals: list[tuple[int, int]] = field(default_factory=list)
    inserted: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict)
    starts: list[tuple[int, int]] = field(default_factory=list)

    def with_old_keywords(self) -> str:
        """Return the text in which files named ``.v`` have the keywords of Verilog-2005 only.

        There ``do`` or ``bit`` are names, as the vendor's tools have it.
        """
        parts, old = [self.text[: self.starts[0][0] if self.starts else None]], False
        for i, (start, file) in enumerate(self.starts):
            end = self.starts[i + 1][0] if i + 1 < len(self.starts) else None
            if old:
                parts.append("\n`end_keywords\n")
            old = self.files[file].suffix == ".v"
            if old:
                parts.append('`begin_keywords "1364-2005"\n')
            parts.append(self.text[start:end])
        return "".join(parts) + ("\n`end_keywords\n" if old else "")

    def place(self, name: str, line: int, column: int = 0) -> Place | None:
        """Return the place that Verilator calls ``name:line:column``; None where it is none of ours."""
        match = re.fullmatch(r"s(\d+)", name)
        if match is None or int(match[1]) >= len(self.files):
            return None
        shift = 0
        for at, length in self.inserted.get((int(match[1]), line), ()):
            if at + shift < column:
                shift += min(length, column - at - shift)
        return Place(self.files[int(match[1])], line, max(column - shift, 1) if column else 0)


def scan(preprocessed: str, resolve: dict[str, Path]) -> Scanned:
    """Check preprocessed text and mark what it prints.

    ``resolve`` gets the files that the `` `line`` directives name, under their names there; it has those of
    the command line already. Each text that the RTL prints gets a mark at its beginning, ``\\1file:line\\2``,
    which the runtime takes out again (native/rtl/pynq_rtl_runtime.cpp): Verilator joins prints that follow
    each other, and does not tell where they came from.

    Raises :class:`RtlBuildError` with everything that is refused, each with file and line.
    """
    return _Scanner(preprocessed, resolve).run()


class _Scanner:
    def __init__(self, text: str, resolve: dict[str, Path]) -> None:
        self.text = text
        self.resolve = resolve
        self.given = set(resolve)
        self.numbers: dict[Path, int] = {}
        self.result = Scanned("", [])
        self.out: list[str] = []
        self.copied = 0  # up to here the text is in `out`
        self.problems: list[str] = []
        # Where the scan is.
        self.file = -1
        self.line = 1
        self.counted = 0  # newlines up to here are in `line`
        self.line_start = 0
        self.quiet_until = 0  # end of the call of a print

    def run(self) -> Scanned:
        for match in _TOKEN.finditer(self.text):
            self._advance(match.start())
            kind = match.lastgroup
            if match["line"] is not None:
                self._directive(match)
            elif kind == "task":
                self._task(match)
            elif kind == "systemc":
                self._refuse(f"{match[0]} puts C++ into the design")
            elif kind == "dpi":
                way, kind = match[0].split('"')[:2]
                self._refuse(f'{way.strip()} "{kind}": nobody would build the foreign (C) functions')
            elif kind == "random":
                self.result.flags |= RANDOM
        if self.problems:
            raise RtlBuildError("\n".join(self.problems))
        self.out.append(self.text[self.copied :])
        self.result.text = "".join(self.out)
        self.result.files = list(self.numbers)
        return self.result

    def _advance(self, position: int) -> None:
        newlines = self.text.count("\n", self.counted, position)
        if newlines:
            self.line += newlines
            self.line_start = self.text.rfind("\n", self.counted, position) + 1
        self.counted = position

    def _directive(self, match: re.Match[str]) -> None:
        name = match["file"]
        file = self.resolve.setdefault(name, Path(name))
        self.file = self.numbers.setdefault(file, len(self.numbers))
        self.out.append(self.text[self.copied : match.start()])
        if name in self.given:
            self.given.remove(name)
            self.result.starts.append((sum(map(len, self.out)), self.file))
        self.out.append(f'`line {match["number"]} "s{self.file}" 0\n')
        self.copied = match.end()
        self.line = int(match["number"])
        self.counted = self.line_start = match.end()

    def _place(self) -> str:
        files = list(self.numbers)
        return f"{files[self.file]}:{self.line}" if self.file >= 0 else f"line {self.line}"

    def _refuse(self, reason: str) -> None:
        self.problems.append(f"{self._place()}: {reason}; this is not allowed in RTL that is built here")

    def _task(self, match: re.Match[str]) -> None:
        name = match[0]
        if _PRINTS.match(name):
            self._print(match.end())
        elif name in _MESSAGES:
            self._message(name, match.end())
        elif name == "$system":
            self._refuse("$system runs a command of the machine")
        elif _CODE.match(name):
            self._refuse(f"{name} puts C++ into the design")
        elif _FILES.match(name):
            self.result.flags |= FILES
        elif _RANDOM.match(name):
            self.result.flags |= RANDOM
        elif name in _TIME and match.start() >= self.quiet_until:
            self.result.flags |= TIME

    def _message(self, name: str, end: int) -> None:
        """Note a ``$fatal``, which Verilator 5.006 calls an error; the text of these has its place
        already.
        """
        if name == "$fatal":
            self.result.fatals.append((self.file, self.line))
        self.quiet_until = max(self.quiet_until, self._call_end(end))

    def _print(self, end: int) -> None:
        mark = f"\\001{max(self.file, 0)}:{self.line}\\002"
        start = _skip(self.text, end)
        if self.text[start : start + 1] != "(":
            self._insert(end, f'("{mark}")')
            return
        self.quiet_until = max(self.quiet_until, self._call_end(end))
        first = _skip(self.text, start + 1)
        char = self.text[first : first + 1]
        if char == '"':
            self._insert(first + 1, mark)
        elif char == ")":
            self._insert(start + 1, f'"{mark}"')
        else:
            self._insert(start + 1, f'"{mark}",')

    def _call_end(self, start: int) -> int:
        """Return the end of the argument list that begins at ``start`` (``start`` where there is none)."""
        begin = _skip(self.text, start)
        if self.text[begin : begin + 1] != "(":
            return start
        depth = 0
        for match in _ARGUMENT.finditer(self.text, begin):
            if match[0] in "([{":
                depth += 1
            elif match[0] in ")]}":
                depth -= 1
                if depth == 0:
                    return match.end()
            elif match[0] == ";":
                break  # a syntax error, which Verilator reports
        return start

    def _insert(self, position: int, text: str) -> None:
        self.out += [self.text[self.copied : position], text]
        self.copied = position
        if "\n" not in self.text[self.line_start : position]:
            column = position - self.line_start + 1
            self.result.inserted.setdefault((self.file, self.line), []).append((column, len(text)))


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None  # it matches the empty text
    return match.end()


def reach_problems(files: Sequence[Path], roots: Sequence[Path]) -> list[str]:
    """Return one line for each file that lies in none of ``roots`` (symbolic links resolved)."""
    allowed = [root.resolve() for root in roots]
    problems = []
    for file in files:
        real = file.resolve()
        if not any(real.is_relative_to(root) for root in allowed):
            problems.append(
                f"{file}: this file lies outside of the folders that may be read "
                f"({', '.join(map(str, roots))}); add its folder to `include` or `roots` of the block"
            )
    return problems
