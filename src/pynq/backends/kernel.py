"""The kernel, as the backends of boards and cards use it: files and devices under one root.

Nothing else in ``linux`` and ``pcie`` touches the system.

Every call to the system goes through :meth:`Kernel.call`, by name, so that a test can let each of them fail
in turn; a ``root`` other than ``/`` puts all of it into a folder. What the system refuses becomes a
:class:`~pynq.errors.KernelError` that names the file, the operation and what can be done about it.
"""

from __future__ import annotations

import errno
import fcntl
import grp
import mmap
import os
import select
import struct
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from pynq.errors import KernelAccessError, KernelError, WaitTimeoutError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Descriptor", "Kernel"]

T = TypeVar("T")

_LOCK = "hhqqi0q"  # struct flock of fcntl(2): type, whence, start, length, process

#: Seconds: a signal that comes between Python's look for signals and the call would not end the call.
_SLICE = 1.0

_RIGHTS = "`pynq doctor` says what this user may not do, `pynq setup` grants it (or run as root)"
_ROOTS = ("/dev/mem", "/dev/kmsg", "/sys/kernel/", "/etc/")  # which `pynq setup` leaves to root


class Kernel:
    """The files and devices of a Linux system.

    Names are absolute ("/sys/class/uio"); all of them lie under ``root``.
    """

    def __init__(self, root: str | os.PathLike[str] = "/") -> None:
        self.root = Path(root)

    def path(self, name: str) -> Path:
        """Return where a name lies on this machine."""
        return self.root / name.lstrip("/")

    def call(self, operation: str, name: str, function: Callable[[], T], hint: str = "") -> T:
        """Call the system: ``function()``, again where a signal interrupted it.

        Raises :class:`~pynq.errors.KernelError` (:class:`~pynq.errors.KernelAccessError` for EACCES and
        EPERM), with the error's number, the operation, the name and ``hint``.
        """
        while True:
            try:
                return function()
            except InterruptedError:  # after Ctrl-C the handler has raised already
                continue
            except OSError as error:
                raise failure(error.errno or errno.EIO, operation, name, hint) from error

    # -- files: sysfs, procfs, configfs, the device tree -----------------------------------------------------
    def read(self, name: str, hint: str = "") -> bytes:
        """Return a file's contents."""
        return self.call("read", name, self.path(name).read_bytes, hint)

    def text(self, name: str, hint: str = "") -> str:
        """Return a file's contents as text, without white space and NULs at its end."""
        return self.read(name, hint).decode(errors="replace").rstrip("\0 \t\r\n")

    def number(self, name: str) -> int:
        """Return the number that a file holds, decimal or 0x-hexadecimal."""
        text = self.text(name)
        try:
            return int(text, 0)
        except ValueError:
            raise KernelError(errno.EIO, f"{name} holds {text[:40]!r}, which is no number") from None

    def write(self, name: str, data: bytes | str, hint: str = "") -> None:
        """Write to a file of the kernel that exists, in one piece, as attributes of sysfs need it."""
        with self.open(name, read=False, hint=hint) as file:
            file.write(data.encode() if isinstance(data, str) else data, hint)

    def store(self, name: str, data: bytes, mode: int = 0o644, hint: str = "") -> None:
        """Write a file of one's own; nobody ever sees half of it."""
        path = self.path(name)
        draft = path.with_name(f".{path.name}.{os.getpid()}")

        def store() -> None:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.replace(draft, path)

        try:
            self.call("store", name, store, hint)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def exists(self, name: str) -> bool:
        """Say whether there is such a file or folder that may be looked at."""
        return os.path.exists(self.path(name))  # Path.exists raises in a folder that may not be searched

    def writable(self, name: str) -> bool:
        """Say whether it is there and this user may write it."""
        return os.access(self.path(name), os.W_OK)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, in order; none where there is no such folder."""
        try:
            return sorted(self.call("list", folder, lambda: os.listdir(self.path(folder))))
        except KernelError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return []
            raise

    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders in a folder, in order; none where there is no such folder."""
        return [name for name in self.names(folder) if os.path.isdir(self.path(folder) / name)]

    def is_link(self, name: str) -> bool:
        """Say whether there is a symbolic link of that name."""
        return os.path.islink(self.path(name))

    def resolve(self, name: str) -> str:
        """Return the name that a symbolic link stands for, seen from the root."""
        real = self.call("resolve", name, lambda: os.path.realpath(self.path(name)))
        base = os.path.realpath(self.root)
        return real if base == "/" else "/" + os.path.relpath(real, base)

    def make_folder(self, name: str, hint: str = "") -> None:
        """Make a folder; its parents must exist. An existing one is an error (EEXIST)."""
        self.call("mkdir", name, lambda: os.mkdir(self.path(name)), hint)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder (in configfs: the object that it is)."""
        self.call("rmdir", name, lambda: os.rmdir(self.path(name)))

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""
        try:
            self.call("unlink", name, lambda: os.unlink(self.path(name)))
        except KernelError as error:
            if error.errno != errno.ENOENT:
                raise

    def share(self, name: str, group: str) -> None:
        """Let a group use a file or folder of one's own, where there is such a group and the user may."""
        try:
            number = grp.getgrnam(group).gr_gid
        except KeyError:
            return
        path = self.path(name)
        more = 0o2070 if path.is_dir() else 0o060  # what is made in the folder belongs to the group as well

        def share() -> None:
            os.chown(path, -1, number)
            os.chmod(path, path.stat().st_mode & 0o7777 | more)

        with suppress(KernelAccessError):
            self.call("chown", name, share)

    def run(self, program: str, *arguments: str, timeout: float = 30.0) -> tuple[int, str]:
        """Run a program of the system; return its exit status and all that it printed.

        Raises :class:`~pynq.errors.WaitTimeoutError` when it does not end within ``timeout`` seconds.
        """

        def run() -> tuple[int, str]:
            done = subprocess.run(
                [self.path(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
            )
            return done.returncode, done.stdout.decode(errors="replace")

        try:
            return self.call("run", program, run)
        except subprocess.TimeoutExpired:
            words = " ".join((program, *arguments))
            raise WaitTimeoutError(f"{words}: not done after {timeout:g} s") from None

    # -- devices ---------------------------------------------------------------------------------------------
    def open(
        self,
        name: str,
        *,
        read: bool = True,
        write: bool = True,
        sync: bool = False,
        create: bool = False,
        block: bool = True,
        hint: str = "",
    ) -> Descriptor:
        """Open a device or file. ``sync``: mappings of it are not cached (O_SYNC). It is not inherited.

        Without ``block`` a read of a device that has nothing to say fails with EAGAIN.
        """
        flags = os.O_RDWR if read and write else os.O_WRONLY if write else os.O_RDONLY
        flags |= os.O_CLOEXEC | (os.O_SYNC if sync else 0) | (os.O_CREAT if create else 0)
        flags |= 0 if block else os.O_NONBLOCK
        descriptor = self.call("open", name, lambda: os.open(self.path(name), flags, 0o666), hint)
        return Descriptor(self, name, descriptor)

    def memory(self, name: str, size: int) -> Descriptor:
        """Return ``size`` bytes of fresh memory as a file without a place (memfd)."""
        file = Descriptor(self, name, self.call("memfd_create", name, lambda: os.memfd_create(name)))
        try:
            self.call("ftruncate", name, lambda: os.ftruncate(file.fileno(), size))
        except BaseException:
            file.close()
            raise
        return file

    def adopt(self, name: str, descriptor: int) -> Descriptor:
        """Return a descriptor that an ioctl gave as an object; ``name`` is for messages."""
        return Descriptor(self, name, descriptor)

    def bell(self, name: str) -> Descriptor:
        """Return an eventfd, to wake those who wait in :meth:`Descriptor.ready`. Write and read 8 bytes."""
        flags = os.EFD_CLOEXEC | os.EFD_NONBLOCK
        return Descriptor(self, name, self.call("eventfd", name, lambda: os.eventfd(0, flags)))


class Descriptor:
    """An open file or device; closed at the end of a ``with``, or by :meth:`close`."""

    def __init__(self, kernel: Kernel, name: str, descriptor: int) -> None:
        self.kernel = kernel
        self.name = name
        self._descriptor = descriptor
        self._process = os.getpid()

    @property
    def inherited(self) -> bool:
        """True in a child (fork) of the process that opened it: locks and events are shared with that one."""
        return os.getpid() != self._process

    def fileno(self) -> int:
        """Return the number; -1 when closed."""
        return self._descriptor

    def read(self, size: int, hint: str = "") -> bytes:
        """Return exactly ``size`` bytes. Fewer are an error (EIO)."""
        return self._whole("read", self._call("read", lambda: os.read(self._descriptor, size), hint), size)

    def some(self, size: int) -> bytes:
        """Return what there is to read, at most ``size`` bytes; b"" at the end of a file."""
        return self._call("read", lambda: os.read(self._descriptor, size))

    def to_end(self) -> None:
        """Go on after what there is to read now."""
        self._call("seek", lambda: os.lseek(self._descriptor, 0, os.SEEK_END))

    def pread(self, size: int, offset: int) -> bytes:
        """Return exactly ``size`` bytes from ``offset`` on. Fewer are an error (EIO)."""
        data = self._call("pread", lambda: os.pread(self._descriptor, size, offset))
        return self._whole("pread", data, size)

    def write(self, data: bytes | memoryview, hint: str = "") -> None:
        """Write all of it in one piece. Less is an error (EIO)."""
        count = self._call("write", lambda: os.write(self._descriptor, data), hint)
        self._all("write", count, len(data))

    def pread_into(self, view: memoryview, offset: int) -> None:
        """Fill a writable view with what is at ``offset``. Less is an error (EIO)."""
        count = self._call("pread", lambda: os.preadv(self._descriptor, [view], offset))
        if count != len(view):
            raise KernelError(errno.EIO, f"{self.name}: pread gave {count} of {len(view)} bytes")

    def pwrite(self, data: bytes | memoryview, offset: int) -> None:
        """Write all of it at ``offset``, in one piece. Less is an error (EIO)."""
        count = self._call("pwrite", lambda: os.pwrite(self._descriptor, data, offset))
        self._all("pwrite", count, len(data))

    def ioctl(self, operation: str, request: int, argument: bytearray, hint: str = "") -> None:
        """Call ioctl ``request``; ``argument`` is the structure, changed in place. ``operation`` names it."""
        self._call(operation, lambda: fcntl.ioctl(self._descriptor, request, argument, True), hint)

    def map(self, length: int, offset: int = 0, *, write: bool = True, hint: str = "") -> mmap.mmap:
        """Map ``length`` bytes from ``offset`` (a multiple of the page size) on, shared."""
        rights = mmap.PROT_READ | (mmap.PROT_WRITE if write else 0)
        return self._call(
            "mmap", lambda: mmap.mmap(self._descriptor, length, mmap.MAP_SHARED, rights, offset=offset), hint
        )

    def lock(self, *, exclusive: bool = True, timeout: float | None = 0) -> None:
        """Take the lock of the file (flock); it goes with the descriptor, a killed process' too.

        Raises :class:`~pynq.errors.WaitTimeoutError` when someone else has had it for ``timeout`` seconds
        (0: at once; None: wait as long as it takes).
        """
        kind = (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                self._call("flock", lambda: fcntl.flock(self._descriptor, kind))
            except KernelError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                if end is not None and time.monotonic() >= end:
                    raise WaitTimeoutError(f"{self.name} is locked by another process") from None
                time.sleep(0.01)
            else:
                return

    def unlock(self) -> None:
        """Give the lock back."""
        self._call("flock", lambda: fcntl.flock(self._descriptor, fcntl.LOCK_UN))

    def reserve(self, start: int, length: int) -> tuple[int, int] | None:
        """Lock bytes of the file against other descriptors; they are free again when this one is closed, by
        a killed process too. The locks are advisory: whoever shares the file must ask.

        Returns None, or start and length of a lock that is in the way (length 0: to the end).
        """
        wanted = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
        while True:
            try:
                self._call("fcntl", lambda: fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, wanted))
            except KernelError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
            else:
                return None
            found = self.holder(start, length)
            if found is not None:  # else it has gone meanwhile
                return found

    def holder(self, start: int, length: int) -> tuple[int, int] | None:
        """Return start and length of a lock that another descriptor has on some of these bytes."""
        wanted = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
        found = self._call("fcntl", lambda: fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, wanted))
        kind, _, first, count, _ = struct.unpack(_LOCK, found)
        return None if kind == fcntl.F_UNLCK else (first, count)

    def unreserve(self, start: int, length: int) -> None:
        """Give bytes back that :meth:`reserve` has locked."""
        given = struct.pack(_LOCK, fcntl.F_UNLCK, os.SEEK_SET, start, length, 0)
        self._call("fcntl", lambda: fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, given))

    def ready(self, timeout: float | None, *others: Descriptor) -> bool:
        """Wait until there is something to read, here or in one of the others.

        False: ``timeout`` seconds are over (None: no limit), without anything.
        """

        def wait() -> bool:
            poll = select.poll()
            for descriptor in (self, *others):
                poll.register(descriptor._descriptor, select.POLLIN)
            end = None if timeout is None else time.monotonic() + timeout
            while True:
                left = _SLICE if end is None else max(0.0, end - time.monotonic())
                if poll.poll(min(left, _SLICE) * 1e3):
                    return True
                if end is not None and time.monotonic() >= end:
                    return False

        return self._call("poll", wait)

    def close(self) -> None:
        """Close it. A second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _call(self, operation: str, function: Callable[[], T], hint: str = "") -> T:
        if self._descriptor < 0:
            raise failure(errno.EBADF, operation, self.name, "it was closed")
        return self.kernel.call(operation, self.name, function, hint)

    def _whole(self, operation: str, data: bytes, size: int) -> bytes:
        if len(data) != size:
            raise KernelError(errno.EIO, f"{self.name}: {operation} gave {len(data)} of {size} bytes")
        return data

    def _all(self, operation: str, count: int, size: int) -> None:
        if count != size:
            raise KernelError(errno.EIO, f"{self.name}: {operation} took {count} of {size} bytes")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Descriptor {self.name} {self._descriptor if self._descriptor >= 0 else 'closed'}>"


def failure(number: int, operation: str, name: str, hint: str = "") -> KernelError:
    """Return the error for a call that the system refused."""
    denied = number in (errno.EACCES, errno.EPERM)
    advice = hint or (
        ("only root may, run as root" if name.startswith(_ROOTS) else _RIGHTS) if denied else ""
    )
    text = f"{name}: {operation} failed: {os.strerror(number)} ({errno.errorcode.get(number, number)})"
    kind = KernelAccessError if denied else KernelError
    return kind(number, f"{text}; {advice}" if advice else text)
