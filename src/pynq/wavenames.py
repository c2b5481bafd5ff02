"""Names of signals: what a name or a glob means, and what is near a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pynq.errors import SignalNotFoundError
from pynq.wording import meant

__all__ = ["choose", "suggest"]


def choose(wanted: Iterable[str], names: Sequence[str]) -> list[str]:
    """Return the full names that names or globs (``*``, ``?``) mean, each once, in the order asked for.

    "/" and "." are the same. The end of a name is enough where only one signal ends so, and that of a glob
    where none matches as a whole. Raises
    :class:`SignalNotFoundError` for what means nothing, with near names, or more than one thing.
    """
    found: dict[str, None] = {}
    plain = {name.replace("/", "."): name for name in names}
    for text in wanted:
        key = text.replace("/", ".")
        if key in plain:
            hits = [plain[key]]
        elif "*" in key or "?" in key:
            pattern = re.compile(re.escape(key).replace(r"\*", ".*").replace(r"\?", "."))
            hits = [name for short, name in plain.items() if pattern.fullmatch(short)]
            if not hits:  # as of a name, the end is enough
                pattern = re.compile(rf".*\.{pattern.pattern}")
                hits = [name for short, name in plain.items() if pattern.fullmatch(short)]
        else:
            hits = [name for short, name in plain.items() if short.endswith(f".{key}")]
            if len(hits) > 1:
                raise SignalNotFoundError(
                    f"{text!r} could be {', '.join(hits[:4])}{', ...' if len(hits) > 4 else ''}"
                )
        if not hits:
            raise SignalNotFoundError(f"no signal {text!r}; {suggest(key, plain)}")
        found.update(dict.fromkeys(hits))
    return list(found)


def suggest(name: str, names: Iterable[str]) -> str:
    """Return "did you mean a or b", or what there is, for a message."""
    known = list(names)
    last = name.rpartition(".")[2]
    near = meant(name, known)
    near += [other for other in known if other.rpartition(".")[2] == last and other not in near][:3]
    if near:
        return f"did you mean {' or '.join(near[:4])}?"
    shown = ", ".join(known[:8])
    return (
        f"there are {shown}{f' and {len(known) - 8} more' if len(known) > 8 else ''}"
        if known
        else "there are none"
    )
