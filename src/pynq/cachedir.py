"""Folders of this user's cache: safe with several processes at once, and after a kill.

An *entry* is a folder ``entries/KIND-KEY``, whole or not there: it is made as a draft and renamed. Locks are
the kernel's, so they go with their process.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pynq.errors import PynqError

__all__ = ["CacheDir", "Entry", "children", "size_of", "user_folder"]

_UNUSED = 60 * 86400.0  # seconds


def user_folder(name: str) -> Path:
    """Return a folder of the cache, whether it is there or not: in ``$PYNQ_CACHE``, else in the user's folder
    for caches.
    """
    given = os.environ.get("PYNQ_CACHE", "")
    if given:
        return Path(given).expanduser().absolute() / name
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if os.path.isabs(home) else Path.home() / ".cache"
    return base / "pynq-anywhere" / name


@dataclass(frozen=True)
class Entry:
    """What a cache holds: ``kind`` ("library", "runtime", "work"...), ``size`` in bytes, ``used`` a time."""

    kind: str
    path: Path
    size: int
    used: float
    label: str


def children(folder: Path) -> list[Path]:
    """Return what is in a folder but for hidden files; nothing where it can't be read."""
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except OSError:
        return []


class CacheDir:
    """A folder of the cache; made when it is first written to.

    ``error`` is raised for a folder that can't be written, ``need`` says how much space its user wants.
    """

    error: type[PynqError] = PynqError
    need: str = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, kind: str, key: str) -> Path:
        """Return the folder of an entry, whether it is there or not."""
        return self.folder / "entries" / f"{kind}-{key}"

    def has(self, kind: str, key: str) -> bool:
        """Tell whether an entry is there; that counts as a use."""
        file = self.place(kind, key) / "entry.json"
        with contextlib.suppress(OSError):  # a cache that is shared and read-only
            os.utime(file)
        return file.exists()

    def entry(self, kind: str, key: str, label: str, make: Callable[[Path, Path], None]) -> Path:
        """Return the folder of an entry, after ``make(draft, place)`` has filled the draft if there is none.

        ``place`` is where the draft will be found afterwards, for what has its own path written in it.
        One process makes it, others that want it wait.
        """
        place = self.place(kind, key)
        if self.has(kind, key):
            return place
        with self.lock(f"{kind}-{key}"):
            if self.has(kind, key):
                return place
            with self.draft() as draft:
                made = draft / "made"
                made.mkdir()
                with self._space():
                    make(made, place)
                with self._writing():
                    about = {"kind": kind, "label": label, "size": size_of(made)}
                    (made / "entry.json").write_text(json.dumps(about))
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.rmtree(place, ignore_errors=True)  # of a clear that was killed
                    made.rename(place)
        return place

    def remove(self, kind: str, key: str) -> None:
        """Remove an entry, if it is there."""
        place = self.place(kind, key)
        if place.is_dir():
            self._remove(Entry(kind, place, 0, 0.0, ""))

    @contextlib.contextmanager
    def draft(self) -> Iterator[Path]:
        """Make a folder that goes at the end, or with a later one if this process is killed."""
        drafts = self.folder / "drafts"
        with self._writing():
            drafts.mkdir(parents=True, exist_ok=True)
            tag = self.folder / "CACHEDIR.TAG"  # backup programs leave such folders out
            if not tag.exists():
                tag.write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
            folder = Path(tempfile.mkdtemp(prefix="d-", dir=drafts))
            lock = os.open(drafts / f"{folder.name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.suppress(OSError):  # a file system without locks: nobody cleans up there
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            (drafts / f"{folder.name}.lock").unlink(missing_ok=True)
            os.close(lock)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock that one process has at a time."""
        with self._writing():
            (self.folder / "locks").mkdir(parents=True, exist_ok=True)
            file = os.open(self.folder / "locks" / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.suppress(OSError):  # a file system without locks; renames keep entries whole
                while True:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        time.sleep(0.05)
            yield
        finally:
            os.close(file)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self.full() from error
            raise self.error(
                f"the cache {self.folder} can't be written: {error.strerror}; set PYNQ_CACHE to a folder of "
                "yours"
            ) from error

    @contextlib.contextmanager
    def _space(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self.full() from error
            raise

    def full(self) -> PynqError:
        """Return the error of a disk without space."""
        return self.error(
            f"the cache {self.folder} can't be written: no space left on its disk{self.need}: free some "
            "(`pynq cache clear`), or set PYNQ_CACHE to a folder on another disk"
        )

    # Upkeep

    def entries(self) -> list[Entry]:
        """Return everything that takes space, the longest unused first; drafts of killed processes too."""
        found = []
        for path in [*children(self.folder / "entries"), *children(self.folder / "drafts")]:
            kind, label, size, file = "draft", "", None, path / "entry.json"
            try:
                if file.exists():
                    about = json.loads(file.read_bytes())
                    kind, label, size = str(about["kind"]), str(about["label"]), about.get("size")
                used = (file if file.exists() else path).stat().st_mtime
                found.append(Entry(kind, path, int(size or size_of(path)), used, label))
            except (OSError, ValueError, TypeError, KeyError):
                continue  # another process removes it just now
        found += self._others()
        return sorted((entry for entry in found if entry.size), key=lambda entry: entry.used)

    def _others(self) -> list[Entry]:
        """What takes space beside entries and drafts."""
        return []

    def clear(self) -> int:
        """Remove everything but what another process is making now; return the bytes freed.

        A process that has something open keeps it.
        """
        freed = 0
        for entry in self.entries():
            if entry.kind != "draft":
                freed += self._remove(entry)
        return freed + self.sweep()

    def sweep(self) -> int:
        """Remove drafts of processes that were killed; return the bytes freed."""
        freed = 0
        for lock in children(self.folder / "drafts"):
            if lock.suffix != ".lock":
                continue
            with contextlib.suppress(OSError), lock.open() as file:  # locked: its process goes on
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                freed += size_of(lock.with_suffix(""))
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink()
        return freed

    def prune(self) -> None:
        """Remove what nobody used for two months: older versions, mostly."""
        for entry in self.entries():
            if entry.kind not in ("draft", "lists") and time.time() - entry.used > _UNUSED:
                self._remove(entry)

    def _remove(self, entry: Entry) -> int:
        # First out of the way: nobody may find half an entry.
        with self.draft() as draft:
            try:
                entry.path.rename(draft / "gone")
            except OSError:
                return 0
        return entry.size


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_symlink() and file.is_file())
