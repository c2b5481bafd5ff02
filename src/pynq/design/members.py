"""Members of a zip file, read into memory and never written beside it.

The form is that of PKWARE's APPNOTE 6.3. Nothing that the file says of itself is believed where it could
hurt: sizes are counted while a member is unpacked, names that lead somewhere are refused, whether anything
is unpacked under them or not.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from types import TracebackType
from typing import IO

from pynq.design.bounded import opened
from pynq.errors import DesignError, Problem

__all__ = ["MAX_MEMBER", "MAX_MEMBERS", "MAX_RATIO", "MAX_TOTAL", "Members"]

MAX_MEMBERS = 20_000
"""Most members; an extensible platform with its IP sources has some thousands."""
MAX_DIRECTORY = 16 << 20
"""Largest table of members, in bytes."""
MAX_MEMBER = 512 << 20
"""Largest member that is read, in bytes; the bitstream of the largest device has 250 MB."""
MAX_TOTAL = 1 << 30
"""Most bytes that are unpacked of one archive."""
MAX_RATIO = 400
"""Most bytes out of one byte, above :data:`SMALL`; a bitstream that is nearly empty gives 250."""
SMALL = 32 << 20
_CHUNK = 1 << 20
_END = b"PK\x05\x06"
_END_FORMAT = struct.Struct("<4s4H2LH")  # APPNOTE 4.3.16
_WORDS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_ENCRYPTED = 0x0041  # APPNOTE 4.4.4: bit 0, and bit 6 for strong encryption
_ENCODED = re.compile(r"%(2e|2f|5c|00)", re.IGNORECASE)
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,  # a seek to before the file's beginning; a name that is no text
)


class Members:
    """The members of a zip file; a context manager.

    ``names`` are those of files, in the archive's order, ``sizes`` what the archive says of their bytes.

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: it is no zip file, or one of those that are refused; ``problems`` has every reason.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._left = MAX_TOTAL
        self._file: IO[bytes] = opened(self.path)
        try:
            self._check_end()
            self._zip = zipfile.ZipFile(self._file)
            self._infos = self._check()
        except DesignError:
            self._file.close()
            raise
        except _BROKEN as error:
            self._file.close()
            raise self._refuse(f"is no whole zip file ({error}): export it anew") from error
        except BaseException:
            self._file.close()
            raise
        self.names = tuple(self._infos)
        self.sizes = {name: info.file_size for name, info in self._infos.items()}

    def _refuse(self, what: str, member: str = "") -> DesignError:
        return DesignError([Problem(f"{self.path}/{member}" if member else self.path, 0, what)])

    def _check_end(self) -> None:
        """Bound the table of members before all of it is read."""
        if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            raise self._refuse("is no file")
        size = self._file.seek(0, os.SEEK_END)
        start = max(0, size - _END_FORMAT.size - 0xFFFF)
        self._file.seek(start)
        tail = self._file.read(_END_FORMAT.size + 0xFFFF)
        at = tail.rfind(_END)
        if at < 0 or at + _END_FORMAT.size > len(tail):
            raise zipfile.BadZipFile("there is no table of members at its end")
        _, _, _, _, members, table, _, _ = _END_FORMAT.unpack_from(tail, at)
        if members > MAX_MEMBERS and members != 0xFFFF:
            raise self._refuse(f"has {members} members, more than {MAX_MEMBERS}")
        if table > MAX_DIRECTORY and table != 0xFFFFFFFF:
            raise self._refuse(f"has a table of {table} bytes for its members, more than {MAX_DIRECTORY}")
        if table == 0xFFFFFFFF and size > MAX_DIRECTORY:  # zip64: the real size is elsewhere
            where = tail.rfind(b"PK\x06\x06", 0, at)  # APPNOTE 4.3.14
            real = int.from_bytes(tail[where + 40 : where + 48], "little") if where >= 0 else table
            if real > MAX_DIRECTORY:
                raise self._refuse(f"has a table of {real} bytes for its members, more than {MAX_DIRECTORY}")

    def _check(self) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        if len(infos) > MAX_MEMBERS:
            raise self._refuse(f"has {len(infos)} members, more than {MAX_MEMBERS}")
        problems: list[Problem] = []
        found: dict[str, zipfile.ZipInfo] = {}
        seen: dict[str, str] = {}
        total = packed = 0
        for info in infos:
            # ZipInfo cuts a name at a NUL; the original still has it.
            name = info.orig_filename
            wrong = _wrong_name(name) or _wrong_kind(info)
            key = name.rstrip("/").casefold()
            if not wrong and key in seen:
                wrong = f"is there twice (also as {seen[key]!r}): which one counts nobody can know"
            seen[key] = name
            if wrong:
                if len(problems) < 20:
                    problems.append(Problem(f"{self.path}/{_shown(name)}", 0, wrong))
                continue
            total += info.file_size
            packed += info.compress_size
            if not name.endswith("/"):
                found[name] = info
        if problems:
            raise DesignError(problems)
        if total > 64 * MAX_TOTAL or (total > SMALL and total > MAX_RATIO * max(packed, 1)):
            raise self._refuse(
                f"unpacks {packed} bytes to {total}: more than {MAX_RATIO} times is a zip bomb, no hardware"
            )
        return found

    def head(self, name: str, size: int) -> bytes:
        """Return up to ``size`` bytes of a member's beginning; what comes after them is not looked at.

        Raises what :meth:`read` raises.
        """
        return self._unpack(name, size, size)

    def read(self, name: str, limit: int = MAX_MEMBER) -> bytes:
        """Return a member's contents.

        Raises :class:`~pynq.errors.DesignError` for one that is not there, is encrypted, damaged, cut off,
        packed in another way than zip files of Vivado are, or unpacks to more than ``limit`` bytes or than
        this archive may.
        """
        return self._unpack(name, limit, None)

    def _unpack(self, name: str, limit: int, wanted: int | None) -> bytes:
        info = self._infos.get(name)
        if info is None:
            raise self._refuse(f"has no member {name!r}")
        if info.flag_bits & _ENCRYPTED:
            raise self._refuse("is encrypted: export the hardware without a password", name)
        if info.compress_type not in _WORDS:
            raise self._refuse(
                f"is packed by method {info.compress_type}, where stored (0) and deflated (8) are allowed",
                name,
            )
        pieces: list[bytes] = []
        size = 0
        try:
            with self._zip.open(info) as stream:
                if wanted is not None:
                    return stream.read(wanted)
                while piece := stream.read(_CHUNK):
                    size += len(piece)
                    self._left -= len(piece)
                    if size > limit:
                        raise self._refuse(f"unpacks to more than {limit} bytes", name)
                    if self._left < 0:
                        raise self._refuse(f"unpacks more than {MAX_TOTAL} bytes of this archive", name)
                    if size > SMALL and size > MAX_RATIO * max(info.compress_size, 1):
                        raise self._refuse(
                            f"unpacks {info.compress_size} bytes to more than {size}: {MAX_RATIO} times is "
                            "the limit",
                            name,
                        )
                    pieces.append(piece)
        except DesignError:
            raise
        except _BROKEN as error:
            raise self._refuse(f"is damaged ({error}): export the hardware anew", name) from error
        except OSError as error:
            raise self._refuse(f"can't be read: {error.strerror or error}", name) from error
        if size != info.file_size:
            raise self._refuse(f"has {size} bytes, the archive says {info.file_size}: it is damaged", name)
        return b"".join(pieces)

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._zip.close()
        self._file.close()

    def __enter__(self) -> Members:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _shown(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:120]


def _wrong_name(name: str) -> str:
    """Return what is wrong with a member's name, "" for nothing (APPNOTE 4.4.17: relative, with ``/``)."""
    parts = name.rstrip("/").split("/")
    if not name.strip("/"):
        return "has no name"
    if "\0" in name:
        return "has a NUL in its name"
    if name.startswith("/"):
        return "has an absolute path: members are relative"
    if "\\" in name:
        return "has a backslash in its name: zip files separate by /"
    if re.match(r"[A-Za-z]:", name):
        return "has a drive letter: members are relative"
    if ".." in parts:
        return "leads out of the archive (..)"
    if "" in parts or "." in parts:
        return "has an empty part in its path"
    if _ENCODED.search(name):
        return "has an encoded separator, dot or NUL in its name"
    if not name.isprintable():
        return "has control characters in its name"
    return ""


def _wrong_kind(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind in (0, stat.S_IFREG) or (kind == stat.S_IFDIR and info.orig_filename.endswith("/")):
        return ""
    if kind == stat.S_IFLNK:
        return "is a symbolic link: archives of hardware have none"
    return f"is neither file nor folder (mode {info.external_attr >> 16:#o})"
