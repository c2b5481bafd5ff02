"""Where libraries of RTL are kept between runs: safe with several processes at once, and after a kill.

Two levels. A *request* (sources by path, options, tools) leads to a record of the files that were read
for it, with their hashes; where these still hold, the record names a *library*, whose name is its
content (preprocessed text, options, tools). So a file that was only touched costs nothing, and two
copies of the same sources share one library. Everything appears by an atomic rename; a lock is one of
the kernel's, so it goes with its process.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pynq.cachedir import Entry, children, user_folder
from pynq.errors import RtlBuildError

__all__ = ["Cache", "Entry", "default_folder", "digest"]

DEFAULT_BOUND = 2 << 30  # bytes
FORMAT = 2  # of records and entries
_DAY = 86400.0
_LEAST_SPACE = 64 << 10  # bytes


def default_folder() -> Path:
    """Return the cache's folder: in ``$PYNQ_CACHE``, else in the user's folder for caches."""
    return user_folder("rtl")


def digest(*parts: object) -> str:
    """Return a name for ``parts`` (whatever JSON can hold)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


class Cache:
    """A cache folder; made when it is first written to."""

    def __init__(self, folder: Path, bound: int | None = None) -> None:
        self.folder = folder
        self.bound = _bound() if bound is None else bound

    @classmethod
    def open(cls, warn: Callable[[str], None]) -> Cache:
        """Return the user's cache, or one of this process only where its folder can't be written.

        ``warn`` gets one sentence then.
        """
        cache = cls(default_folder())
        try:
            cache._prepare()
            return cache
        except OSError as error:
            if cache.folder.is_dir() and error.errno == errno.ENOSPC:
                raise _full(cache.folder, error) from error
            warn(
                f"the cache {cache.folder} can't be written ({error.strerror}): RTL is built into a "
                "temporary folder, once more in every program; set PYNQ_CACHE to a folder of yours"
            )
            return cls(_temporary())

    def _prepare(self) -> None:
        for name in ("tools", "runtime", "requests", "libraries", "locks", "work"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder / "work", os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.folder))
        tag = self.folder / "CACHEDIR.TAG"  # backup programs leave such folders out
        if not tag.exists():
            self.write(tag, b"Signature: 8a477f597d28d172789f06886806bc55\n")

    # Requests

    def lookup(self, request: str) -> dict[str, Any] | None:
        """Return the record of a request, if every file read for it is as it was and none came before it."""
        try:
            record: Any = json.loads((self.folder / "requests" / f"{request}.json").read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            return None
        if any(os.path.lexists(path) for path in record["absent"]):
            return None
        if any(hash_of(Path(path)) != known for path, known in record["read"]):
            return None
        return record

    def remember(
        self,
        request: str,
        library: str,
        read: Sequence[tuple[Path, str]],
        absent: Sequence[Path],
    ) -> None:
        """Note what a request led to."""
        record = {
            "format": FORMAT,
            "library": library,
            "read": [[str(path), known] for path, known in read],
            "absent": [str(path) for path in absent],
        }
        self.write(self.folder / "requests" / f"{request}.json", json.dumps(record).encode())

    # Libraries and runtimes

    def place(self, kind: str, key: str) -> Path:
        """Return the folder of a library or runtime, whether it is there or not."""
        return self.folder / {"library": "libraries", "runtime": "runtime"}[kind] / key

    def load(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return what is known of a library or runtime (``entry.json``); None where there is none."""
        file = self.place(kind, key) / "entry.json"
        try:
            found: dict[str, Any] = json.loads(file.read_bytes())
        except (OSError, ValueError):
            return None
        if kind == "library" and not (self.place(kind, key) / "design.so").exists():
            return None
        with contextlib.suppress(OSError):  # in a cache that is shared and read-only
            if time.time() - file.stat().st_mtime > _DAY / 24:
                os.utime(file)
        return found

    def publish(self, kind: str, key: str, made: Path, entry: dict[str, Any]) -> None:
        """Move the finished folder ``made`` (in the work folder) to its place; who comes second is let be."""
        (made / "entry.json").write_text(json.dumps(entry))
        place = self.place(kind, key)
        try:
            made.rename(place)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _full(self.folder, error) from error
            if self.load(kind, key) is not None:
                return
            # A leftover without its entry: nobody can be using it.
            shutil.rmtree(place, ignore_errors=True)
            made.rename(place)

    @contextlib.contextmanager
    def work(self) -> Iterator[Path]:
        """Make a folder that goes with the build, or with a later one if this process is killed."""
        try:
            folder = Path(tempfile.mkdtemp(prefix="build-", dir=self.folder / "work"))
            lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _full(self.folder, error) from error
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
        except (OSError, RtlBuildError) as error:
            if _no_space(error, folder):
                raise _full(self.folder, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    @contextlib.contextmanager
    def lock(self, key: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the lock of ``key``; ``waiting`` is called once if another process has it for a while."""
        file = os.open(self.folder / "locks" / key, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            start = time.monotonic()
            told = False
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not told and time.monotonic() - start > 0.3:
                        told = True
                        waiting()
                    time.sleep(0.02)
                except OSError:
                    break  # a file system without locks; the atomic rename still keeps everything whole
            yield
        finally:
            os.close(file)

    def write(self, path: Path, content: bytes) -> None:
        """Write a file so that others see all of it or nothing."""
        part = path.with_name(f".{path.name}.{os.getpid()}-{time.monotonic_ns()}")
        try:
            part.write_bytes(content)
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _full(self.folder, error) from error
            raise

    # Upkeep

    def entries(self) -> list[Entry]:
        """Return everything that takes space, the longest unused first."""
        found = []
        for kind, name in (("library", "libraries"), ("runtime", "runtime"), ("work", "work")):
            for path in children(self.folder / name):
                try:
                    entry = path / "entry.json"
                    used = (entry if entry.exists() else path).stat().st_mtime
                    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
                    label = json.loads(entry.read_bytes()).get("label", "") if entry.exists() else ""
                except (OSError, ValueError):
                    continue  # another process removes it just now
                found.append(Entry(kind, path, size, used, str(label)))
        return sorted(found, key=lambda entry: entry.used)

    def prune(self) -> None:
        """Remove leftovers of killed builds, and the longest unused entries above the bound."""
        entries = self.entries()
        for entry in entries:
            if entry.kind == "work":
                _remove_unlocked(entry.path)
        kept = [entry for entry in entries if entry.kind != "work"]
        total = sum(entry.size for entry in kept)
        for entry in kept:
            if total <= self.bound:
                break
            if time.time() - entry.used < 60:  # made or used a moment ago, maybe by another process
                continue
            self._remove(entry.path)
            total -= entry.size
        self._prune_records()

    def _prune_records(self) -> None:
        for record in children(self.folder / "requests"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                if not (self.place("library", json.loads(record.read_bytes())["library"])).is_dir():
                    record.unlink()
        for lock in children(self.folder / "locks"):
            with contextlib.suppress(OSError):
                if time.time() - lock.stat().st_mtime > 7 * _DAY:
                    lock.unlink()

    def _remove(self, path: Path) -> None:
        # First out of the way: nobody may find half a library.
        gone = self.folder / "work" / f"gone-{path.name}-{os.getpid()}"
        with contextlib.suppress(OSError):
            path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def clear(self) -> int:
        """Remove everything but what a build of another process is working on; return the bytes freed."""
        freed = 0
        for entry in self.entries():
            if entry.kind == "work":
                freed += entry.size if _remove_unlocked(entry.path) else 0
            else:
                self._remove(entry.path)
                freed += entry.size
        for name in ("requests", "tools"):
            for file in children(self.folder / name):
                file.unlink(missing_ok=True)
        return freed


def hash_of(path: Path) -> str:
    """Return a hash of a file's content, "" where it can't be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _bound() -> int:
    text = os.environ.get("PYNQ_CACHE_SIZE", "")
    if not text:
        return DEFAULT_BOUND
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise RtlBuildError(f"PYNQ_CACHE_SIZE={text!r} has to be a number of megabytes above 0")
    return int(value * (1 << 20))


def _remove_unlocked(folder: Path) -> bool:
    """Remove a work folder whose process is gone; return whether it was so."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        lock = -1
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime < 60:
                return False  # just being made
    except OSError:
        return False
    try:
        if lock >= 0:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
        return True
    except OSError:
        return False
    finally:
        if lock >= 0:
            os.close(lock)


def _no_space(error: OSError | RtlBuildError, folder: Path) -> bool:
    """Tell whether a full disk is the reason: ours, or one that a tool tells of, or met without a word."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    if os.strerror(errno.ENOSPC) in str(error):
        return True
    return shutil.disk_usage(folder).free < _LEAST_SPACE


def _full(folder: Path, error: OSError) -> RtlBuildError:
    return RtlBuildError(
        f"the cache {folder} can't be written: {error.strerror}; free some space (`pynq cache clear`), or "
        "set PYNQ_CACHE to another folder"
    )


_own: tempfile.TemporaryDirectory[str] | None = None


def _temporary() -> Path:
    """Return a cache folder that goes with this process."""
    global _own
    if _own is None:
        _own = tempfile.TemporaryDirectory(prefix="pynq-rtl-")
    cache = Cache(Path(_own.name), DEFAULT_BOUND)
    cache._prepare()
    return cache.folder
