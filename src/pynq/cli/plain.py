"""Text from files and messages, as a terminal may get it."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["plain"]

#: Control characters (ECMA-48: C0 but the new line, DEL, C1), what changes the direction of text
#: (Unicode Standard Annex 9, "Directional Formatting Characters"), line separators, and lone surrogates,
#: which stand for bytes of file names that are no UTF-8 and can't be printed.
_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(found: Any) -> Any:
    """Return what commands gathered with an escape (``\\x1b``) for each character that a terminal obeys.

    Any string of a description may hold such characters: left as they are, they could hide lines, or say what
    the file is not.
    """
    if isinstance(found, str):
        return _OBEYED.sub(_escaped, found)
    if isinstance(found, dict):
        return {plain(key): plain(value) for key, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [plain(one) for one in found]
    return found


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
