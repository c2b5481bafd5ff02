"""Opening files that others name, and reading them up to a size."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

from pynq.errors import DesignError, DesignNotFoundError, Problem

__all__ = ["check_size", "load", "opened"]

_PIECE = 1 << 20  # bytes


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading.

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: it can't be read, or is a pipe or a socket, where opening alone may wait for ever.
    """
    name = os.fspath(path)
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            raise _refusal(name, "is no file")
        return open(name, "rb")
    except FileNotFoundError as error:
        raise DesignNotFoundError(f"{name}: no such file") from error
    except OSError as error:
        raise _refusal(name, f"can't be read: {error.strerror}") from error
    except ValueError as error:
        if isinstance(error, DesignError):
            raise
        raise _refusal(name, f"can't be read: {error}") from error  # a NUL in the name


def load(path: str | os.PathLike[str], limit: int, kind: str = "such file") -> bytes:
    """Return the bytes of a file that has ``limit`` at the most; ``kind`` is what errors call it.

    Raises what :func:`opened` does, and :class:`~pynq.errors.DesignError` for a larger file.
    """
    name = os.fspath(path)
    with opened(name) as stream:
        try:
            # Python makes room for all that is asked for: never ask a board for as much as the limit. A
            # device's size is 0, so one byte more than allowed tells that it is too large.
            size = os.fstat(stream.fileno()).st_size
            parts = []
            room = limit + 1 if size <= limit else 0
            while room and (part := stream.read(min(room, max(_PIECE, size)))):
                parts.append(part)
                room -= len(part)
            data = b"".join(parts)
        except OSError as error:
            raise _refusal(name, f"can't be read: {error.strerror}") from error
    if room == 0:
        raise _too_large(name, limit, kind)
    return data


def check_size(data: bytes, name: str, limit: int, kind: str = "such file") -> None:
    """Raise :class:`~pynq.errors.DesignError` for contents of more than ``limit`` bytes."""
    if len(data) > limit:
        raise _too_large(name, limit, kind)


def _too_large(name: str, limit: int, kind: str) -> DesignError:
    return _refusal(name, f"is larger than {limit >> 20} MiB: no {kind} is that large")


def _refusal(name: str, what: str) -> DesignError:
    return DesignError([Problem(name, 0, what)])
