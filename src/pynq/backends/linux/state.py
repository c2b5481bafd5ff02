"""What runs in the PL, for every process of the machine: ``/run/pynq/lock`` and ``/run/pynq/board.json``.

The lock (flock) is held while the board is programmed and goes with the process. The record says what was
loaded, from which files, by whom; each process that uses the design has a file in ``/run/pynq/users`` that
it keeps locked, so that a process which died is known as such, whatever its number means by now.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pynq.backends.kernel import Descriptor, Kernel
from pynq.errors import BoardBusyError, KernelAccessError, KernelError, WaitTimeoutError

__all__ = ["FOLDER", "GROUP", "Loaded", "State", "digest"]

FOLDER = "/run/pynq"
GROUP = "pynq"
"""The group that ``pynq setup`` makes; its members use the board without root."""

_numbers = itertools.count()  # a process may have several objects for the board
_ADVICE = "`pynq setup` makes it with the rights of group pynq (tmpfiles.d); or run as root once"


@dataclass(frozen=True)
class Loaded:
    """What was loaded last. ``digest`` is of the bitstream's file, "" without one; ``pid`` is who did it.

    ``complete`` is False from the start of programming to its end: what such a record names never came up.
    ``overlays`` are the device-tree overlays inserted with it, ``boot`` the kernel's boot it was in.
    """

    design: str = ""
    bitstream: str = ""
    digest: str = ""
    timestamp: str = ""
    pid: int = 0
    complete: bool = False
    overlays: tuple[str, ...] = ()
    partials: dict[str, str] = field(default_factory=dict)  # by region: the description's file
    boot: str = ""


class State:
    """The record and the locks of one board."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.died: list[int] = []  # processes that :meth:`users` found to have ended without :meth:`leave`
        self._mine: Descriptor | None = None
        self._file = f"{FOLDER}/users/{os.getpid()}.{next(_numbers)}"

    # -- the lock --------------------------------------------------------------------------------------------
    @contextmanager
    def locked(self, timeout: float = 10.0) -> Iterator[None]:
        """Be the only one who programs the board.

        Raises :class:`~pynq.errors.BoardBusyError` when somebody else has been doing so for ``timeout``
        seconds, :class:`~pynq.errors.KernelAccessError` where the user may not.
        """
        self._prepare()
        fresh = not self.kernel.exists(f"{FOLDER}/lock")
        with self.kernel.open(f"{FOLDER}/lock", create=True, hint=_ADVICE) as file:
            if fresh:
                self.kernel.share(f"{FOLDER}/lock", GROUP)
            try:
                file.lock(timeout=timeout)
            except WaitTimeoutError:
                holder = self.kernel.text(f"{FOLDER}/lock") or "unknown"
                raise BoardBusyError(
                    f"process {holder} has been programming the board for {timeout:g} s; wait for it, or end "
                    "it"
                ) from None
            self._note(file)
            yield

    def _note(self, file: Descriptor) -> None:
        """Write who has the lock."""
        file.pwrite(f"{os.getpid():<10}".encode(), 0)

    def _prepare(self) -> None:
        """Make the folders, with the rights of the folder above or of the group."""
        for folder in (FOLDER, f"{FOLDER}/users"):
            if not self.kernel.exists(folder):
                try:
                    self.kernel.make_folder(folder, hint=_ADVICE)
                except KernelError as error:
                    if error.errno != errno.EEXIST:
                        raise
                else:
                    self.kernel.share(folder, GROUP)

    # -- the record ------------------------------------------------------------------------------------------
    def read(self) -> Loaded | None:
        """Return what was loaded, None where nothing was since the machine came up, or nobody knows."""
        try:
            text = self.kernel.text(f"{FOLDER}/board.json")
        except KernelError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        try:
            found: dict[str, Any] = json.loads(text)
            known = {entry.name: found[entry.name] for entry in fields(Loaded) if entry.name in found}
            known["overlays"] = tuple(known.get("overlays", ()))
            loaded = Loaded(**known)
        except (ValueError, TypeError, AttributeError):
            return None  # half a file of a full disk, or of another version: what is loaded is unknown
        return loaded if loaded.boot == self.boot() else None

    def write(self, loaded: Loaded) -> None:
        """Put down what is loaded."""
        self._prepare()
        data = json.dumps({**asdict(loaded), "boot": self.boot()}, indent=1) + "\n"
        self.kernel.store(f"{FOLDER}/board.json", data.encode(), 0o664)
        self.kernel.share(f"{FOLDER}/board.json", GROUP)

    def boot(self) -> str:
        """Return the id of this boot; /run may be a folder that outlives it."""
        try:
            return self.kernel.text("/proc/sys/kernel/random/boot_id")
        except KernelError as error:
            if error.errno == errno.ENOENT:
                return ""
            raise

    # -- who uses it -----------------------------------------------------------------------------------------
    def join(self) -> None:
        """Count as a user of what is loaded, until :meth:`leave` or the process' end.

        Called with the lock, so that nobody takes the file for that of a process that died.
        """
        if self._mine is None:
            self._prepare()
            file = self.kernel.open(self._file, create=True, hint=_ADVICE)
            try:
                file.lock(timeout=1.0)
            except BaseException:
                file.close()
                raise
            self._mine = file

    def leave(self) -> None:
        """Use it no longer. A second call does nothing."""
        file, self._mine = self._mine, None
        if file is not None:
            file.close()
            with suppress(KernelAccessError):  # not locked any more, which is what counts
                self.kernel.remove(self._file)

    def processes(self) -> list[tuple[int, bool]]:
        """Return the processes that have said they use what is loaded, and whether each still lives."""
        found = []
        for name in self.kernel.names(f"{FOLDER}/users"):
            process = name.partition(".")[0]
            if process.isdecimal():
                found.append((int(process), self._held(f"{FOLDER}/users/{name}")))
        return found

    def users(self) -> list[int]:
        """Return the processes beside this one that use what is loaded; clear up after those that died."""
        alive = set()
        for name in self.kernel.names(f"{FOLDER}/users"):
            process = name.partition(".")[0]
            if not process.isdecimal() or f"{FOLDER}/users/{name}" == self._file:
                continue
            if self._alive(f"{FOLDER}/users/{name}"):
                alive.add(int(process))
            else:
                self.died.append(int(process))
        return sorted(alive - {os.getpid()})

    def _alive(self, name: str) -> bool:
        """Say whether the process of a file lives; remove the file of one that does not."""
        if self._held(name):
            return True
        with suppress(KernelAccessError):  # another user's: its lock is free, which is what counts
            self.kernel.remove(name)
        return False

    def _held(self, name: str) -> bool:
        """Say whether a process keeps that file locked."""
        try:
            file = self.kernel.open(name, write=False)
        except KernelError as error:
            if error.errno == errno.ENOENT:
                return False
            raise
        with file:
            try:
                file.lock(exclusive=False, timeout=0)
            except WaitTimeoutError:
                return True
            return False


def digest(file: Path | None) -> str:
    """Return what tells one bitstream file from another, "" where there is none."""
    if file is None:
        return ""
    sha = hashlib.sha256()
    with open(file, "rb") as source:
        while block := source.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()
