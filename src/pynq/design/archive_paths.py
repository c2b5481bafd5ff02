"""Paths that lead through hardware archives: ``board.xsa/design_1.hwh`` is a member of ``board.xsa``."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

__all__ = ["SUFFIXES", "Inside", "is_archive", "split"]

SUFFIXES = (".xsa", ".hdf")


class Inside(NamedTuple):
    """A path through an archive: the archive, and the member's name."""

    archive: Path
    member: str


def split(path: str | os.PathLike[str]) -> Inside | None:
    """Return the archive and the member that a path names, None for one that leads through no archive."""
    whole = Path(path)
    for parent in whole.parents:
        if parent.suffix.lower() in SUFFIXES and parent.is_file():
            return Inside(parent, PurePosixPath(whole.relative_to(parent)).as_posix())
    return None


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a hardware archive by its name."""
    return Path(path).suffix.lower() in SUFFIXES
