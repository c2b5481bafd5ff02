"""Scripts that a script may ``source``: those in its own folder, and a little below it.

They are read before the script runs, since it reaches no file. They run where it does, within the same
bounds.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from pynq.design.bounded import load
from pynq.design.tcl import wire
from pynq.errors import DesignError, DesignNotFoundError

__all__ = ["MAX_DEPTH", "MAX_FILES", "MAX_FOLDERS", "sourced_by"]

MAX_DEPTH = 3
"""Deepest folder below the script's."""
MAX_FOLDERS = 300
MAX_FILES = 100
"""Most such scripts; all together have at most what one may have."""
_SOURCES = re.compile(rb"^(?![ \t]*#)[^\n]*\bsource\s", re.MULTILINE)


def sourced_by(data: bytes, script: str) -> dict[str, str]:
    """Return the scripts beside one, by their paths from its folder; none where it sources none.

    Args:
        data: its text.
        script: its file.
    """
    found: dict[str, str] = {}
    if not _SOURCES.search(data):
        return found
    home = Path(script).absolute().parent
    real = os.path.realpath(home)
    left, room = MAX_FOLDERS, wire.SCRIPT
    for place, folders, names in os.walk(home):
        left -= 1
        deep = len(Path(place).relative_to(home).parts)
        folders[:] = sorted(folders) if deep < MAX_DEPTH and left > 0 else []
        for name in sorted(names):
            path = Path(place, name)
            if not name.endswith(".tcl") or path == Path(script).absolute() or len(found) >= MAX_FILES:
                continue
            if os.path.commonpath([real, os.path.realpath(path)]) != real:
                continue  # a link out of the folder
            try:
                text = load(path, room, "script").decode("utf-8", "replace")
            except (DesignError, DesignNotFoundError):
                continue  # the script is told that it is not read, if it asks
            room -= len(text.encode("utf-8", "replace"))
            found[str(PurePosixPath(path.relative_to(home)))] = text
            if room <= 0:
                return found
    return found
