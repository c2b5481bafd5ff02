"""Words of messages that many modules need."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "meant", "near", "size"]


def meant(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three names that a wrong one may stand for, the nearest first.

    Small and capital letters are told apart, unless nothing is near otherwise.
    """
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name, names, 3, 0.5)
    if close:
        return close
    folded = {each.lower(): each for each in names}
    return [folded[key] for key in difflib.get_close_matches(name.lower(), folded, 3, 0.5)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the question of a message with the names near to a wrong one, quoted; "" where none is."""
    close = meant(name, known)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else ""


def near(name: str, known: Iterable[str], what: str = "there is") -> str:
    """Return the words of a message that name what comes near ``name``, or all there is, after ``what``."""
    names = list(dict.fromkeys(known))
    close = meant(name, names)
    if close:
        return f"did you mean {' or '.join(close)}?"
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"{what} {shown or 'none'}"


def size(count: int) -> str:
    """Return a number of bytes with a binary prefix where that is exact: ``64 KiB``, ``100 bytes``."""
    for prefix, unit in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= unit and count % unit == 0:
            return f"{count // unit} {prefix}"
    return f"{count} bytes"
