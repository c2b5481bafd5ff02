"""Files that commands write."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["write"]


def write(target: Path, data: bytes) -> None:
    """Write a file so that others see all of it, or what was there before, also where this is interrupted.

    A folder refuses; a device or a pipe takes the bytes as they are. Raises :class:`OSError`, which names the
    target.
    """
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        if not target.parent.is_dir():
            raise FileNotFoundError(f"{target}: there is no folder {target.parent} to write it in")
        _replace(target, data)
    except OSError as error:
        if error.errno is None:  # told above
            raise
        raise type(error)(f"{target}: can't be written: {error.strerror}") from error


def _replace(target: Path, data: bytes) -> None:
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(draft, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~mask)
        os.replace(draft, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
