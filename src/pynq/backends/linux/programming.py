"""Bitstreams and device-tree overlays on their way into the kernel.

Two ways lead to the kernel's FPGA manager (Documentation/driver-api/fpga):

* AMD's kernels have ``firmware`` and ``flags`` in its folder in sysfs: the name of a file that the kernel
  reads by itself (Documentation/driver-api/firmware), and what it is, in hexadecimal.
* Mainline kernels have neither: a device-tree overlay whose ``fpga-region`` has ``firmware-name``
  (bindings/fpga/fpga-region.yaml) programs it, where configfs can insert overlays.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntFlag
from pathlib import PurePosixPath

from pynq.backends.kernel import Descriptor, Kernel
from pynq.backends.linux.board import Board
from pynq.backends.linux.livetree import LiveNode
from pynq.device.notes import emit
from pynq.devicetree import Fragment, Node, make, write
from pynq.errors import KernelAccessError, KernelError, ProgrammingError, PynqWarning

__all__ = ["OVERLAYS", "Flags", "Programmer"]

MANAGERS = "/sys/class/fpga_manager"
OVERLAYS = "/sys/kernel/config/device-tree/overlays"
FIRMWARE = "/lib/firmware"
_PREFIX = "pynq-"  # of overlays and firmware that are ours
_IMAGE = f"{_PREFIX}image"
_SHARED = "pynq"  # folder below FIRMWARE that `pynq setup` lets the group write
_SEARCH_PATH = "/sys/module/firmware_class/parameters/path"
_LOG_LINES = 6


class Flags(IntFlag):
    """What an image is: include/linux/fpga/fpga-mgr.h of AMD's kernel."""

    FULL = 0
    PARTIAL = 0x01
    DEVICE_KEY = 0x04  # encrypted, with the key in the device
    USER_KEY = 0x20  # encrypted, with a key that the program gives


# What a manager's `state` says after a failure: Documentation/ABI/testing/sysfs-class-fpga-manager.
_STATES = {
    "firmware request error": "the kernel did not find the image; the PL holds what it held before",
    "write init error": "the FPGA manager refused before it took data; the PL may be empty now",
    "write error": "the image was not taken; the PL is empty or half configured now",
    "write complete error": "the image was taken, but the PL did not start (DONE stays low) and is unusable",
}
_CAUSES = {
    (
        "write init error",
        errno.EINVAL,
    ): "it is no image for this family, or encrypted on a board that did not boot securely",
    ("write init error", errno.ETIMEDOUT): "the PL did not answer its reset: is it powered?",
    ("write init error", errno.EBUSY): "the configuration port is in use by something else (JTAG, an ICAP)",
    ("write init error", errno.EPERM): "the firmware (PMU, PLM) does not allow it",
    (
        "write error",
        errno.ENOMEM,
    ): "the kernel has no contiguous memory for the image: raise cma= on its command line",
    ("write error", errno.EINVAL): "it is damaged, or for another part",
    ("write error", errno.EIO): "it is damaged, or for another part",
    ("write complete error", errno.ETIMEDOUT): "it is for another part, or cut off",
}


class Programmer:
    """The FPGA manager and the device-tree overlays of a board."""

    def __init__(self, kernel: Kernel, board: Board) -> None:
        self.kernel = kernel
        self.board = board
        self._names = itertools.count(1)
        self._stored: list[str] = []  # firmware of ours that is there

    # -- bitstreams ------------------------------------------------------------------------------------------
    def manager(self) -> str:
        """Return the FPGA manager's folder in sysfs.

        Raises :class:`~pynq.errors.ProgrammingError` on a kernel that has none.
        """
        names = self.kernel.names(MANAGERS)
        if not names:
            raise _refused(
                f"this kernel has no FPGA manager ({MANAGERS} is empty): it needs CONFIG_FPGA, the "
                "driver of the family (FPGA_MGR_ZYNQ_FPGA, FPGA_MGR_ZYNQMP_FPGA, FPGA_MGR_VERSAL_FPGA), and "
                "its node in the device tree; or let the boot loader load the bitstream, and use "
                "Overlay(..., download=False)"
            )
        for name in names:  # there may be others: of an ICAP in the PL, of a chip on SPI
            title = self.kernel.text(f"{MANAGERS}/{name}/name")
            if re.search(r"zynq|versal|pynq", title, re.IGNORECASE):
                return f"{MANAGERS}/{name}"
        return f"{MANAGERS}/{names[0]}"

    @property
    def has_overlays(self) -> bool:
        """Whether device-tree overlays can be inserted."""
        return self.kernel.exists(OVERLAYS)

    def load(self, image: bytes, flags: Flags = Flags.FULL, key: str = "") -> None:
        """Program the PL with an image in the form that the family takes.

        ``key``: 64 hexadecimal digits, for ``Flags.USER_KEY``.

        Raises :class:`~pynq.errors.ProgrammingError` with what is in the PL now and what can be done.
        """
        manager = self.manager()
        direct = self.kernel.exists(f"{manager}/firmware")
        if not direct and not self.has_overlays:
            raise _refused(
                f"this kernel can't be told to load a bitstream: {manager} has no `firmware` (AMD's kernels "
                f"have), and there is no {OVERLAYS} (mount configfs; it needs CONFIG_OF_OVERLAY and "
                "OF_CONFIGFS or the module dtbocfg). The images of PYNQ, Ubuntu for Kria and PetaLinux "
                "have one of them"
            )
        if not direct:
            self.remove(_IMAGE)  # a region takes one image at a time
        with self._firmware(image) as name, _Log(self.kernel) as log:
            try:
                if direct:
                    self._through_sysfs(manager, name, flags, key)
                else:
                    self._through_region(name, flags, key)
            except KernelError as error:
                if (
                    isinstance(error, KernelAccessError)
                    and direct
                    and not self.kernel.writable(f"{manager}/firmware")
                ):
                    raise _refused(f"the bitstream was not loaded, the PL is as it was: {error}") from error
                raise self._failed(manager, error, log) from error
            state = self.kernel.text(f"{manager}/state")
            if state != "operating":
                raise self._failed(manager, None, log)

    def _through_sysfs(self, manager: str, name: str, flags: Flags, key: str) -> None:
        if self.kernel.exists(f"{manager}/flags"):
            if flags & Flags.USER_KEY:
                self.kernel.write(f"{manager}/key", key)
            self.kernel.write(f"{manager}/flags", f"{int(flags):x}")  # base 16, with and without 0x
        elif flags:
            raise _refused(
                f"{manager} has no `flags`, so this kernel takes whole, plain bitstreams only, not {flags!r}"
            )
        try:
            self.kernel.write(f"{manager}/firmware", name)
        finally:
            if flags:  # they stay, and the next one may be somebody's who does not set them
                with suppress(KernelError):  # the load's own outcome counts
                    self.kernel.write(f"{manager}/flags", "0")

    def _through_region(self, name: str, flags: Flags, key: str) -> None:
        if flags & Flags.USER_KEY:
            raise _refused(
                "this kernel takes no user key: its FPGA manager has no `key` (AMD's kernels have)"
            )
        node = self._region()
        content = Node("")
        content.set("firmware-name", name)
        if flags & Flags.PARTIAL:
            content.set("partial-fpga-config")
        if flags & Flags.DEVICE_KEY:
            content.set("encrypted-fpga-config")
        self._insert(_IMAGE, write(make([Fragment(_path(self.kernel, node), content)])))
        if node.get("fpga-bridges") is None and node.get("power-domains") is None:
            # Until it is out the region takes no other overlay (of_fpga_region_parse_ov). With it go bridges,
            # and on AMD's kernels the power of the PL, but not what is in the PL.
            try:
                self.remove(_IMAGE)
            except KernelError as error:
                emit(PynqWarning(f"overlays for {node.name} will be refused, since {_IMAGE} stays: {error}"))

    def region(self) -> str:
        """Return the path of the ``fpga-region`` that is the whole PL."""
        return _path(self.kernel, self._region())

    def _region(self) -> LiveNode:
        for node in self.board.nodes("fpga-region"):
            if node.get("fpga-mgr") is not None:
                return node
        raise _refused(
            "the device tree has no fpga-region with an fpga-mgr, which this kernel needs to load a "
            "bitstream: add one (bindings/fpga/fpga-region.yaml), or use AMD's kernel"
        )

    @contextmanager
    def _firmware(self, data: bytes, suffix: str = "bin") -> Iterator[str]:
        """Put a file where the kernel looks for firmware; gives its name there, removes it in the end."""
        folder = FIRMWARE
        if self.kernel.exists(_SEARCH_PATH):
            folder = self.kernel.text(_SEARCH_PATH) or FIRMWARE
        if not self.kernel.exists(folder):
            folder = FIRMWARE
        name = f"{_PREFIX}{os.getpid()}-{next(self._names)}.{suffix}"
        if self.kernel.writable(f"{folder}/{_SHARED}"):
            name = f"{_SHARED}/{name}"
        place = f"{folder}/{name}"
        try:
            if not self.kernel.exists(folder):  # systems without any firmware have none
                self.kernel.make_folder(folder, _firmware_hint(folder))
            self.kernel.store(place, data, hint=_firmware_hint(folder))
        except KernelError as error:
            raise _refused(
                f"the kernel reads bitstreams from {PurePosixPath(place).parent}, and {error}"
            ) from error
        self._stored.append(place)
        try:
            yield name
        finally:
            self._clear()

    def _clear(self) -> None:
        """Remove our firmware; what can't be is tried again with the next."""
        stored, self._stored = self._stored, []
        for place in stored:
            try:
                self.kernel.remove(place)
            except KernelError as error:
                self._stored.append(place)
                emit(PynqWarning(f"a file that is needed no longer stays: {error}"))

    def _failed(self, manager: str, error: KernelError | None, log: _Log) -> ProgrammingError:
        """Return the error for a load that went wrong, by the state it left the manager in."""
        try:
            state = self.kernel.text(f"{manager}/state")
        except KernelError:
            state = "unknown"
        number = None if error is None else error.errno
        reason = "" if number is None else f" ({os.strerror(number)}, {errno.errorcode.get(number, number)})"
        begun = state in _STATES or error is None
        means = _STATES.get(state, "what is in the PL is unknown")
        if not begun:
            means = f"the load did not begin, and the PL is as it was. {error}"
        parts = [f"the bitstream was not loaded: FPGA manager says {state!r}{reason}: {means}"]
        cause = _CAUSES.get((state, number or 0), "")
        if cause:
            parts.append(f"Probably {cause}")
        with suppress(KernelError):  # more than the cause of the error is not asked for
            if self.kernel.exists(f"{manager}/status"):
                found = self.kernel.text(f"{manager}/status")
                if found:
                    parts.append(f"Its status: {', '.join(found.splitlines())}")
        lines = log.lines()
        parts.append(f"The kernel's log: {' | '.join(lines)}" if lines else "`dmesg` has more")
        failed = ProgrammingError(". ".join(parts))
        failed.untouched = not begun or state == "firmware request error"
        return failed

    # -- device-tree overlays --------------------------------------------------------------------------------
    def overlays(self) -> list[str]:
        """Return the overlays that this package has inserted, of whatever process."""
        return [name for name in self.kernel.folders(OVERLAYS) if name.startswith(_PREFIX)]

    def foreign_overlays(self) -> list[str]:
        """Return the overlays that something else has inserted."""
        return [name for name in self.kernel.folders(OVERLAYS) if not name.startswith(_PREFIX)]

    def insert(self, label: str, blob: bytes) -> str:
        """Insert an overlay; return its name. ``label`` tells of what it is.

        Raises :class:`~pynq.errors.ProgrammingError`; nothing of it is left then.
        """
        name = self.name_of(label)
        taken = self.kernel.folders(OVERLAYS)
        if name in taken:
            name = next(f"{name}_{i}" for i in itertools.count(2) if f"{name}_{i}" not in taken)
        if not self.has_overlays:
            raise _refused(
                f"this kernel takes no device-tree overlays: there is no {OVERLAYS} (mount configfs; it "
                "needs CONFIG_OF_OVERLAY and OF_CONFIGFS or the module dtbocfg)"
            )
        with _Log(self.kernel) as log:
            try:
                self._insert(name, blob)
            except KernelError as error:
                raise self._not_inserted(label, error, log) from error
        return name

    def name_of(self, label: str) -> str:
        """Return what an overlay of that label is called, unless there is one of that name already."""
        return f"{_PREFIX}{re.sub('[^A-Za-z0-9_]+', '_', label)[:40]}"

    def _insert(self, name: str, blob: bytes) -> None:
        folder = f"{OVERLAYS}/{name}"
        self.kernel.make_folder(folder)
        try:
            if self.kernel.exists(f"{folder}/path"):  # its errors are told; those of dtbo come when it closes
                with self._firmware(blob, "dtbo") as file:
                    self.kernel.write(f"{folder}/path", file)
            else:
                self.kernel.write(f"{folder}/dtbo", blob)
                status = f"{folder}/status"
                if self.kernel.text(status) in ("0", "unapplied") and self.kernel.writable(status):
                    self.kernel.write(status, "1")  # dtbocfg waits to be told
            self._await_applied(folder)
        except BaseException:
            self.kernel.remove_folder(folder)
            raise

    def _await_applied(self, folder: str) -> None:
        status = self.kernel.text(f"{folder}/status")
        if status not in ("applied", "1"):
            raise KernelError(errno.EINVAL, f"{folder}: status is {status!r} instead of 'applied'")

    def _not_inserted(self, label: str, error: KernelError, log: _Log) -> ProgrammingError:
        others = self.foreign_overlays()
        busy = f" Others are inserted ({', '.join(others)}), which may have the same nodes." if others else ""
        lines = log.lines()
        more = f" The kernel's log: {' | '.join(lines)}" if lines else " `dmesg` has more"
        failed = ProgrammingError(
            f"the device-tree overlay {label} was not inserted, nothing of it is left: {error}.{busy}{more}"
        )
        failed.untouched = True
        return failed

    def remove(self, name: str) -> None:
        """Take an overlay of ours out again; one that is not there is fine."""
        if name in self.kernel.folders(OVERLAYS):
            self.kernel.remove_folder(f"{OVERLAYS}/{name}")

    def remove_all(self) -> None:
        """Take all our overlays out, the last one first."""
        for name in sorted(self.overlays(), key=lambda name: name == _IMAGE):
            self.remove(name)


class _Log:
    """The lines that the kernel logs meanwhile; none where this user may not read them."""

    def __init__(self, kernel: Kernel) -> None:
        self._file: Descriptor | None = None
        with suppress(KernelError):  # an aid only: kernel.dmesg_restrict, containers
            file = kernel.open("/dev/kmsg", write=False, block=False)
            try:
                file.to_end()
            except BaseException:
                file.close()
                raise
            self._file = file

    def lines(self) -> list[str]:
        """Return the last of them."""
        found: list[str] = []
        end = time.monotonic() + 1.0  # a kernel that never stops to talk
        while self._file is not None and time.monotonic() < end:
            try:
                record = self._file.some(8192)
            except KernelError as error:
                if error.errno == errno.EPIPE:  # older records were overwritten
                    continue
                break
            if not record:
                break
            # Documentation/ABI/testing/dev-kmsg: "priority,sequence,time,flags;text", more lines with a space
            for line in record.decode(errors="replace").splitlines():
                if not line.startswith(" "):
                    found.append(line.partition(";")[2] or line)
        return found[-_LOG_LINES:]

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _refused(message: str) -> ProgrammingError:
    error = ProgrammingError(message)
    error.untouched = True
    return error


def _firmware_hint(folder: str) -> str:
    return f"`pynq setup` makes {folder}/{_SHARED} for group pynq; or run as root"


def _path(kernel: Kernel, node: LiveNode) -> str:
    """Return a node's path in the tree."""
    base = LiveNode(kernel).place
    return node.place.removeprefix(base) or "/"
