"""Paths through archives, and the bytes of files that may be in one.

``board.xsa/design_1.hwh`` is a member of ``board.xsa``. What reads archives (:mod:`pynq.design.archive`) is
imported when the first one is met.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pynq.design.bounded import load

__all__ = [
    "MAX_BYTES",
    "SUFFIXES",
    "Inside",
    "contents",
    "describe_archive",
    "image_in",
    "is_archive",
    "locate_inside",
    "real_file",
    "split",
]

SUFFIXES = (".xsa", ".hdf")
MAX_BYTES = 512 << 20
"""Largest file that is read, in bytes; the bitstream of the largest device has 250 MB."""


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


def _reader() -> Any:
    return importlib.import_module("pynq.design.archive")


def contents(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a file, which may be in an archive; of an archive itself, its top hand-off file.

    Raises:
        DesignNotFoundError: there is no such member, or archive.
        DesignError: the file can't be read, has more than :data:`MAX_BYTES`, or the archive is refused.
    """
    inside = split(path)
    if inside is not None or is_archive(path):
        found: bytes = _reader().member_bytes(*(inside or (path,)))
        return found
    return load(path, MAX_BYTES)


def image_in(path: str | os.PathLike[str]) -> Path | None:
    """Return the path through an archive to the bitstream of the whole design, None where it has none.

    Raises :class:`~pynq.errors.DesignError` where several could be it, or for an archive that is refused.
    """
    found: Path | None = _reader().image_in(path)
    return found


def locate_inside(inside: Inside) -> tuple[Path, Path | None]:
    """Return description and bitstream that belong to a path through an archive, as such paths.

    Raises :class:`~pynq.errors.DesignNotFoundError` where there is no such member, and
    :class:`~pynq.errors.DesignError` where it is neither, or for an archive that is refused.
    """
    found: tuple[Path, Path | None] = _reader().locate_inside(inside)
    return found


def describe_archive(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return what an archive, or the one that a path leads through, holds; None for other files.

    Keys: ``file``, ``handoff``, ``handoffs``, ``bitstream``, ``partials``, ``part``, ``board``, ``tool``,
    ``build``, ``mode``, ``ps_init`` (``file``, ``operations``, ``skipped``, ``sections`` with the number of
    each), ``members`` (``name``, ``size`` in bytes).

    Raises :class:`~pynq.errors.DesignError` for an archive that is refused.
    """
    inside = split(path)
    if inside is None and not is_archive(path):
        return None
    with _reader().Archive(path if inside is None else inside.archive) as archive:
        found: dict[str, Any] = archive.facts()
    return found


def real_file(path: str | os.PathLike[str]) -> Path:
    """Return a file with the contents of ``path``: itself, or for a path through an archive one in this
    user's cache, under its checksum.

    Raises :class:`~pynq.errors.DesignError` where the cache can't be written, and what :func:`contents`
    raises.
    """
    inside = split(path)
    if inside is None:
        return Path(path)
    found: Path = _reader().cached(inside)
    return found
