"""Parameters that are Tcl dictionaries: nested lists of names and values (``ALL_PARAMS`` of the DFX IP)."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["entries", "parse"]

_WORD = re.compile(r"\s*(?:([{}])|([^\s{}]+))")
_MOST = 100_000  # words of a parameter


def parse(text: str) -> dict[str, object]:
    """Return a dictionary: values are words, or lists that :func:`entries` takes. No text is an error."""
    words = (match for _, match in zip(range(_MOST), _WORD.finditer(text), strict=False))
    return dict(_pairs(_nested(words)))


def entries(value: object) -> Iterator[tuple[str, object]]:
    """Return names and values of a nested dictionary; a word has none."""
    return _pairs(value) if isinstance(value, list) else iter(())


def _nested(words: Iterator[re.Match[str]]) -> list[object]:
    stack: list[list[object]] = [[]]
    for word in words:
        if word[1] == "{":
            stack.append([])
        elif word[1] == "}":
            if len(stack) > 1:
                done = stack.pop()
                stack[-1].append(done)
        else:
            stack[-1].append(word[2])
    return stack[0]


def _pairs(items: list[object]) -> Iterator[tuple[str, object]]:
    for name, value in zip(items[::2], items[1::2], strict=False):
        if isinstance(name, str):
            yield name, value
