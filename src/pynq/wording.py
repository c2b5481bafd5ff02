"""Words of messages that many modules need."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["near", "size"]


def near(name: str, known: Iterable[str], what: str = "there is") -> str:
    """Return the words of a message that name what comes near ``name``, or all there is, after ``what``."""
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name, names, 3, 0.5)
    if close:
        return f"did you mean {', '.join(close)}?"
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"{what} {shown or 'none'}"


def size(count: int) -> str:
    """Return a number of bytes with a binary prefix where that is exact: ``64 KiB``, ``100 bytes``."""
    for prefix, unit in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= unit and count % unit == 0:
            return f"{count // unit} {prefix}"
    return f"{count} bytes"
