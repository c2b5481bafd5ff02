"""Patterns with ``*`` and ``?`` over paths.

As Tcl's ``string match``, but for two things: a wildcard stays in one part of a path, as in Vivado's queries,
and brackets are no sets: they are parts of names. Linear in time for each star.
"""

from __future__ import annotations

__all__ = ["is_pattern", "like", "matches"]


def is_pattern(word: str) -> bool:
    """Whether a word has wildcards."""
    return "*" in word or "?" in word


def matches(pattern: str, path: str) -> bool:
    """Whether a path is what a pattern means, part by part."""
    wanted, parts = pattern.split("/"), path.split("/")
    return len(wanted) == len(parts) and all(map(like, wanted, parts))


def like(pattern: str, text: str) -> bool:
    """Whether a text is what a pattern means; here ``/`` is a letter as any other."""
    place = start = 0
    star = -1
    for _ in range((len(pattern) + 1) * (len(text) + 1) * 2):
        if place == len(text):
            return not pattern[start:].strip("*")
        letter = pattern[start : start + 1]
        if letter == "*":
            star, mark = start, place
            start += 1
        elif letter and letter in ("?", text[place]):
            start += 1
            place += 1
        elif star >= 0:
            mark += 1
            start, place = star + 1, mark
        else:
            return False
    return False
