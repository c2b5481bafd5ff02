"""What a bitstream on disk, or in an archive, is for; :mod:`pynq.design.images` tells it of the bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pynq.design.archive_paths import is_archive
from pynq.design.images import SUFFIXES, describe, identify, misfit
from pynq.design.inside import contents, image_in
from pynq.design.model import Design
from pynq.errors import DesignError, Problem

__all__ = ["describe_image", "mismatch"]


def mismatch(path: str | os.PathLike[str], design: Design) -> str:
    """Return why a bitstream, which may be in an archive, is not for a design's part; "" for nothing.

    Raises :class:`~pynq.errors.DesignError` for one that can't be read.
    """
    name = os.fspath(path)
    if Path(name).suffix.lower() not in SUFFIXES:
        return ""
    return misfit(name, identify(contents(path), name), design)


def describe_image(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the facts of a bitstream, which may be in an archive; of an archive, those of its own.

    The keys are those of :func:`describe`.

    Raises :class:`~pynq.errors.DesignError` for a file that is no bitstream, or an archive without one.
    """
    if is_archive(path):
        found = image_in(path)
        if found is None:
            raise DesignError(
                [Problem(os.fspath(path), 0, "holds no bitstream: export it with the bitstream")]
            )
        path = found
    return describe(contents(path), os.fspath(path))
