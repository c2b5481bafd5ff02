"""Archives for an initramfs, in the format "newc".

Format: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.

Several archives one after the other are one initramfs: a later file takes the place of an earlier one.
Everything belongs to root there, and no time is written, so the same files give the same bytes.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["Writer", "write_tree"]


class Writer:
    """Writes one archive; :meth:`close` ends it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inode = 0
        self._folders: set[str] = set()

    def folder(self, name: str, mode: int = 0o755) -> None:
        """Add a folder, and those above it."""
        name = name.strip("/")
        if name and name not in self._folders:
            self.folder(os.path.dirname(name))
            self._folders.add(name)
            self._entry(name, stat.S_IFDIR | mode)

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Add a file."""
        self._entry(name.strip("/"), stat.S_IFREG | mode, len(content))
        self._file.write(content)
        self._pad(len(content))

    def copy(self, name: str, path: Path, mode: int) -> None:
        """Add a file of this machine."""
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            self._entry(name.strip("/"), stat.S_IFREG | mode, size)
            shutil.copyfileobj(source, self._file, 1 << 20)
        self._pad(size)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._entry(name.strip("/"), stat.S_IFLNK | 0o777, len(target.encode()))
        self._file.write(target.encode())
        self._pad(len(target.encode()))

    def device(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add a character device."""
        self._entry(name.strip("/"), stat.S_IFCHR | mode, 0, major, minor)

    def close(self) -> None:
        """End the archive; another one may follow."""
        self._inode = -1
        self._entry("TRAILER!!!", 0)
        self._file.write(bytes(-self._file.tell() % 512))

    def _entry(self, name: str, mode: int, size: int = 0, major: int = 0, minor: int = 0) -> None:
        above = os.path.dirname(name)
        if above:
            self.folder(above)
        self._inode += 1
        encoded = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (self._inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self._file.write(header)
        self._pad(len(header))

    def _pad(self, size: int) -> None:
        self._file.write(bytes(-size % 4))


def write_tree(writer: Writer, root: Path, below: str = "") -> None:
    """Add everything in a folder of this machine, named as it is there, below ``below``."""
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        name = f"{below}/{entry.name}".strip("/")
        if entry.is_symlink():
            writer.link(name, os.readlink(entry.path))
        elif entry.is_dir():
            writer.folder(name)
            write_tree(writer, Path(entry.path), name)
        elif entry.is_file():
            writer.copy(name, Path(entry.path), 0o755 if entry.stat().st_mode & 0o111 else 0o644)
