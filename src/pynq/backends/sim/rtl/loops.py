"""Loops of the RTL in Verilator's C++: each gets a bound, since nothing else could end an evaluation."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["bound_loops"]

_WHILE = re.compile(r"\bwhile \(")
# Verilator's own, around the regions of an evaluation, count for themselves (--converge-limit).
_OWN = re.compile(r"__V\w+Continue\)$")


def bound_loops(code: Path) -> None:
    """Rewrite the loops in a model's C++ so that one that does not end throws (``pynq_rtl::turn``)."""
    for file in code.glob("*.cpp"):
        if "__Trace" in file.name:
            continue
        text = file.read_text()
        bounded = _bounded(text)
        if bounded != text:
            file.write_text(bounded)


def _bounded(text: str) -> str:
    parts = []
    done = 0
    for match in _WHILE.finditer(text):
        end = _closing(text, match.end())
        if not text.startswith(" {", end) or _OWN.search(text, match.end(), end):
            continue  # of a `do`, or Verilator's own
        condition = text[match.end() : end - 1]
        parts += [
            text[done : match.start()],
            f"for (uint64_t pynq_turns = 0; {condition};) {{ pynq_rtl::turn(pynq_turns);",
        ]
        done = end + 2
    return "".join([*parts, text[done:]])


def _closing(text: str, start: int) -> int:
    """Return where the parenthesis ends that was opened before ``start``; the length where it does not."""
    depth = 1
    for match in re.compile(r'[()]|"(?:[^"\\]|\\.)*"').finditer(text, start):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return len(text)
