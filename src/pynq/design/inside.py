"""The bytes of files that may be in an archive (:mod:`pynq.design.archive_paths`).

What reads archives (:mod:`pynq.design.archive`) is imported when the first one is met: it is slow to import.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pynq.design.archive_paths import Inside, is_archive, split
from pynq.design.bounded import load

__all__ = ["MAX_BYTES", "contents", "describe_archive", "image_in", "locate_inside", "real_file"]

MAX_BYTES = 512 << 20
"""Largest file that is read, in bytes; the bitstream of the largest device has 250 MB."""


def contents(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a file, which may be in an archive; of an archive itself, its top hand-off file.

    Raises:
        DesignNotFoundError: there is no such member, or archive.
        DesignError: the file can't be read, has more than :data:`MAX_BYTES`, or the archive is refused.
    """
    inside = split(path)
    if inside is not None or is_archive(path):
        from pynq.design import archive

        return archive.member_bytes(*(inside or (path,)))
    return load(path, MAX_BYTES)


def image_in(path: str | os.PathLike[str]) -> Path | None:
    """Return the path through an archive to the bitstream of the whole design, None where it has none.

    Raises :class:`~pynq.errors.DesignError` where several could be it, or for an archive that is refused.
    """
    from pynq.design import archive

    return archive.image_in(path)


def locate_inside(inside: Inside) -> tuple[Path, Path | None]:
    """Return description and bitstream that belong to a path through an archive, as such paths.

    Raises :class:`~pynq.errors.DesignNotFoundError` where there is no such member, and
    :class:`~pynq.errors.DesignError` where it is neither, or for an archive that is refused.
    """
    from pynq.design import archive

    return archive.locate_inside(inside)


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
    from pynq.design import archive

    with archive.Archive(path if inside is None else inside.archive) as opened:
        return opened.facts()


def real_file(path: str | os.PathLike[str]) -> Path:
    """Return a file with the contents of ``path``: itself, or for a path through an archive one in this
    user's cache, under its checksum.

    Raises :class:`~pynq.errors.DesignError` where the cache can't be written, and what :func:`contents`
    raises.
    """
    inside = split(path)
    if inside is None:
        return Path(path)
    from pynq.design import archive

    return archive.cached(inside)
