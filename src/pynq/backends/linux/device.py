"""The board this process runs on, as a device."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pynq.backends.kernel import Kernel
from pynq.backends.linux import dfxmgr, pssetup
from pynq.backends.linux.board import Board
from pynq.backends.linux.buffers import Memory
from pynq.backends.linux.clocks import Clocks, described_reference
from pynq.backends.linux.gpio import open_pin
from pynq.backends.linux.interrupts import UioLine, interrupt_line
from pynq.backends.linux.programming import OVERLAYS, Flags, Programmer
from pynq.backends.linux.quiesce import quiesce
from pynq.backends.linux.registers import Registers
from pynq.backends.linux.state import Loaded, State, digest
from pynq.backends.linux.uionodes import await_devices, missing_nodes, overlay_of
from pynq.design import described
from pynq.design.bitfile import image_for, read_bitfile
from pynq.design.model import Design
from pynq.design.partial import empty, merge
from pynq.device import Device
from pynq.device.contract import Block, InterruptLine, PinLine
from pynq.device.legacy import timestamp
from pynq.device.notes import emit
from pynq.devicetree import read as read_tree
from pynq.errors import (
    BoardBusyError,
    DesignError,
    DeviceTreeError,
    DmaError,
    KernelError,
    MissingPackageError,
    OverlayNotLoadedError,
    ProgrammingError,
    PynqWarning,
)
from pynq.interrupt_tree import arm

if TYPE_CHECKING:
    from pynq._native import Window
    from pynq.device.legacy import Bitstream

__all__ = ["LinuxDevice"]

_NODES_SECONDS = 3.0  # for UIO devices, and what udev does to them, to appear after an overlay


class LinuxDevice(Device):
    """A Zynq-7000, Zynq UltraScale+ or Versal board under Linux; the virtual board as well.

    Several processes may use what is loaded; only one that is alone can load something else. ``kernel`` is
    where the system is; tests have their own.

    ``encryption`` is how bitstreams loaded from now on are encrypted: "" not at all, "device" with the key in
    the device, or a key of 64 hexadecimal digits.
    """

    encryption: str = ""
    shares_controllers = True

    def __init__(self, name: str = "board:", *, kernel: Kernel | None = None) -> None:
        self._design: Design | None = None
        self.kernel = kernel or Kernel()
        self.board = Board(self.kernel)
        self.registers = Registers(self.kernel, self.board)
        self.programmer = Programmer(self.kernel, self.board)
        self.state = State(self.kernel)
        self.memory = Memory(self.kernel, self.board)
        self._lock = threading.RLock()
        self._clocks: Clocks | None = None
        self._clocked: Design | None = None  # whose clocks they are
        self._trees: dict[str, str] = {}  # overlays that the program has inserted itself, by file
        self._lines: dict[int, UioLine] = {}
        self._record: Loaded | None = None  # what this process has loaded or attached to
        self._seen: Loaded | None = None  # what others have loaded, as it was read last
        self._closed = False
        super().__init__(name)

    # -- life ------------------------------------------------------------------------------------------------
    def open(self) -> None:
        """Look at the board; nothing is claimed yet."""
        self.needs_bitstream = self.board.needs_bitstream
        self.part = self.board.part
        self._closed = False

    def close(self) -> None:
        """Stop the DMA engines of this process, disarm its interrupts, give back its memory.

        What is in the PL goes on. A second call does nothing.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._rest()
            finally:
                self.registers.close()
                self.memory.close()
                self.state.leave()
                self._design = self._record = self._seen = None

    def _rest(self) -> None:
        """Stop what this process has running in the PL."""
        for mover in list(self.movers):
            try:
                mover._halt()
            except DmaError as error:  # the others are to be stopped all the same
                emit(PynqWarning(f"device {self.name!r}: {error}"))
        lines, self._lines = list(self._lines.values()), {}
        for line in lines:
            line.close()

    # -- what is loaded --------------------------------------------------------------------------------------
    @property
    def design(self) -> Design | None:
        """What is in the PL; in a process that has loaded nothing: what another one has loaded."""
        if self._record is None and not self._closed:
            self._look()
        return self._design

    @design.setter
    def design(self, design: Design | None) -> None:
        self._design = design

    def _look(self) -> None:
        """Follow what other processes load, as long as this one uses nothing itself."""
        try:
            loaded = self.state.read()
        except KernelError as error:
            emit(PynqWarning(f"device {self.name!r}: what is in the PL is unknown: {error}"))
            return
        if loaded == self._seen:
            return
        self._seen = loaded
        self._design = None
        self.bitfile_name = self.timestamp = ""
        if loaded is not None and loaded.complete:
            try:
                self._design = self._described(loaded)
            except (OSError, DesignError, MissingPackageError) as error:
                emit(PynqWarning(f"device {self.name!r} holds {loaded.design}, which can't be read: {error}"))
                return
            self.bitfile_name, self.timestamp = loaded.bitstream or loaded.design, loaded.timestamp

    def _described(self, loaded: Loaded) -> Design:
        """Return the design of a record, with what is in its regions."""
        design = described(Path(loaded.design))
        for region, file in loaded.partials.items():
            design = merge(design, region, described(Path(file)))
        return design

    def trust(self, bitstream: Bitstream) -> None:
        """Attach to what another process has loaded (``download=False``).

        Where nobody knows what is in the PL (it was loaded at boot, or by other means) the program's word is
        taken. A process that died may have left DMA engines running: they are stopped.
        """
        self._usable()
        with self._lock, self.state.locked():
            loaded = self.state.read()
            file = bitstream.image
            if loaded is None:
                self._design = bitstream.whole
                self._record = Loaded(
                    bitstream.whole.file, bitstream.bitfile_name, digest(file), complete=True
                )
                self.timestamp = ""
            elif loaded.complete and self._same(loaded, bitstream.whole, file):
                self._look()
                if loaded.partials:
                    self._design = self._described(loaded)
                else:
                    self._design = bitstream.whole
                self._record = loaded
                self.timestamp = loaded.timestamp
                if not self.state.users() and (stuck := self._quiesce(self._design)):
                    emit(
                        PynqWarning(
                            f"device {self.name!r}: a process that died left {', '.join(stuck)} running, "
                            "which can't be stopped: download the overlay anew before memory is used"
                        )
                    )
            else:
                return
            self.bitfile_name = bitstream.bitfile_name
            self.state.join()

    def _same(self, loaded: Loaded, design: Design, file: Path | None) -> bool:
        if file is not None and loaded.digest:
            return digest(file) == loaded.digest
        return os.path.abspath(design.file) == loaded.design

    def _quiesce(self, design: Design) -> list[str]:
        """Stop what a process that died has left running; return what does not stop."""
        if not self.state.died:
            return []
        stuck = quiesce(design, self.map)
        self.state.died.clear()
        return stuck

    # -- programming -----------------------------------------------------------------------------------------
    def download(
        self,
        design: Design,
        bitstream: Path | None,
        *,
        partial: bool = False,
        dtbo: Path | None = None,
        region: str = "",
    ) -> None:
        """Program the PL: stop what runs, set the PS up, load, insert the device-tree overlay.

        Without ``dtbo``, IP that no UIO device has get one through an overlay that is made from the
        description, where the kernel takes overlays.

        Raises:
            BoardBusyError: Another process uses what is loaded, or is loading.
            ProgrammingError: The bitstream is not for this board, or was not loaded; says what is in the PL.
            DesignError: The file is no bitstream.
            KernelAccessError: This user may not.
        """
        self._usable()
        image, flags = self._image(design, bitstream, partial)
        blob = _bytes_of(dtbo)
        with self._lock, self.state.locked():
            if partial:
                self._load_region(design, region, image, flags, blob, dtbo)
            else:
                self._load_whole(design, bitstream, image, flags, blob, dtbo)

    def _image(self, design: Design, bitstream: Path | None, partial: bool) -> tuple[bytes, Flags]:
        """Return what the kernel is to load; everything that can be wrong with the file is found here."""
        if bitstream is None:
            if self.needs_bitstream:
                raise _untouched(f"device {self.name!r} needs a bitstream for {design.label!r}")
            return b"", Flags.FULL
        try:
            image = image_for(bitstream, self.board.processor)
            about = read_bitfile(bitstream) if bitstream.suffix.lower() == ".bit" else None
        except OSError as error:
            raise _untouched(f"the bitstream can't be read: {error}") from error
        flags = Flags.PARTIAL if partial else Flags.FULL
        if self.encryption == "device":
            flags |= Flags.DEVICE_KEY
        elif self.encryption:
            if not re.fullmatch("[0-9a-fA-F]{64}", self.encryption):
                raise _untouched(
                    f'device.encryption is "", "device" or a key of 64 hexadecimal digits, not one of '
                    f"{len(self.encryption)} characters"
                )
            flags |= Flags.USER_KEY
        elif about is not None and about.encrypted:
            raise _untouched(f'{bitstream} is encrypted: set device.encryption to "device" or the key')
        return image, flags

    def _load_whole(
        self,
        design: Design,
        bitstream: Path | None,
        image: bytes,
        flags: Flags,
        blob: bytes,
        dtbo: Path | None,
    ) -> None:
        before = self.state.read()
        self._alone(before, design, bitstream)
        self._rest()
        if before is not None and before.complete:
            self._stop_orphans(before)
        if dfxmgr.running(self.kernel):
            dfxmgr.unload(self.kernel)
        try:
            self.programmer.remove_all()
            self.registers.forget(
                f"{design.label!r} was loaded on device {self.name!r}; make this object anew"
            )
            pssetup.before(design, self.registers.physical)
            record = Loaded(
                os.path.abspath(design.file),
                "" if bitstream is None else os.path.abspath(bitstream),
                digest(bitstream),
                pid=os.getpid(),
            )
            self.state.write(record)
            if image:
                self.programmer.load(image, flags, self.encryption)
        except ProgrammingError as error:
            if error.untouched and before is not None:
                self.state.write(before)
            else:
                self._forget()
            raise
        except BaseException:
            self._forget()
            raise
        try:
            pssetup.after(design, self.registers.physical, self.kernel)
            overlays = self._insert_trees(design, blob, dtbo)
            self.registers.forget()
            self.memory.refresh()
            self.timestamp = timestamp()
            self._record = replace(record, timestamp=self.timestamp, complete=True, overlays=overlays)
            self.state.write(self._record)
            self.state.join()
            self._design = design
            arm(self)
        except BaseException:
            self._forget()
            raise

    def _alone(self, before: Loaded | None, design: Design, bitstream: Path | None) -> None:
        """Raise :class:`BoardBusyError` unless no other process uses what is loaded."""
        users = self.state.users()
        if not users:
            return
        who = f"process{'es' if len(users) > 1 else ''} {', '.join(map(str, users))}"
        if before is not None and before.complete and self._same(before, design, bitstream):
            raise BoardBusyError(
                f"{who} use{'' if len(users) > 1 else 's'} {design.label!r}, which is loaded already: "
                "attach to it with Overlay(..., download=False), or end the other first"
            )
        held = Path(before.bitstream or before.design).name if before is not None else "what is loaded"
        raise BoardBusyError(
            f"{who} use{'' if len(users) > 1 else 's'} {held}: end it before {design.label!r} is loaded"
        )

    def _stop_orphans(self, before: Loaded) -> None:
        """Stop engines of a process that died: they would run into the bitstream that is loaded next."""
        try:
            self._quiesce(self._described(before))
        except (OSError, DesignError) as error:
            emit(PynqWarning(f"device {self.name!r}: {before.design} was loaded, but can't be read: {error}"))

    def _forget(self) -> None:
        """Nothing is known to be in the PL any more."""
        self._design = self._record = self._seen = None
        self.bitfile_name = self.timestamp = ""
        self.state.write(Loaded())

    def _insert_trees(self, design: Design, blob: bytes, dtbo: Path | None) -> tuple[str, ...]:
        """Insert the overlay that came with the bitstream, else one with UIO nodes where they are missing."""
        if dtbo is not None:
            return (self.programmer.insert(dtbo.stem, blob),)
        self.registers.forget()
        if not self.kernel.writable(OVERLAYS):  # not there, or root's
            return ()
        nodes = missing_nodes(design, self.board, self.registers.uios())
        if not nodes:
            return ()
        try:
            name = self.programmer.insert("uio", overlay_of(nodes, self.kernel, self.board))
        except ProgrammingError as error:
            emit(PynqWarning(f"device {self.name!r}: no UIO devices for {design.label!r}: {error}"))
            return ()
        absent = await_devices(nodes, self.registers, _NODES_SECONDS)
        if absent:
            emit(
                PynqWarning(
                    f"device {self.name!r}: no UIO devices appear for {', '.join(absent)}: the kernel needs "
                    "the driver uio_pdrv_genirq, told uio_pdrv_genirq.of_id=generic-uio on its command line. "
                    "Registers are reached through /dev/mem, interrupts are not"
                )
            )
        return (name,)

    def _load_region(
        self, design: Design, region: str, image: bytes, flags: Flags, blob: bytes, dtbo: Path | None
    ) -> None:
        """Program a region; everything else goes on, and other processes may use it."""
        before = self._record
        if before is None:
            raise OverlayNotLoadedError(f"region {region}: nothing is loaded on device {self.name!r}")
        held = self._design
        try:
            self.programmer.load(image, flags, self.encryption)
        except ProgrammingError as error:
            if not error.untouched and held is not None:
                partials = {path: file for path, file in before.partials.items() if path != region}
                self._design = empty(held, region)
                self._note(replace(before, partials=partials))
            raise
        self._design = design
        partials = {path: os.path.abspath(part.file) for path, part in design.partials.items()}
        record = replace(before, partials=partials)
        self._note(record)
        if dtbo is not None:
            name = self.programmer.insert(dtbo.stem, blob)
            self._trees[str(dtbo)] = name  # goes with what is in the region, not with the whole
            self._note(replace(record, overlays=(*before.overlays, name)))
            self.registers.forget()
        arm(self)

    def _downloaded(self) -> None:
        arm(self)  # again: the tree goes with the time of the download, which has just been set

    def _note(self, record: Loaded) -> None:
        self._record = record
        self.state.write(record)

    def reset(
        self, parser: Any = None, timestamp: str | None = None, bitfile_name: str | None = None
    ) -> None:
        """Note what is loaded, for other processes too; None leaves a value as it is."""
        super().reset(parser, timestamp, bitfile_name)
        if self._record is not None and timestamp:
            with self.state.locked():
                self._note(replace(self._record, timestamp=timestamp))

    def insert_device_tree(self, abs_dtbo: str) -> None:
        """Insert a device-tree overlay, and wait until its UIO devices are there.

        Raises :class:`~pynq.errors.ProgrammingError` where the kernel does not take it.
        """
        blob = _bytes_of(Path(abs_dtbo))
        with self._lock, self.state.locked():
            name = self.programmer.insert(Path(abs_dtbo).stem, blob)
            self._trees[abs_dtbo] = name
            self.registers.forget()
            self.memory.refresh()

    def remove_device_tree(self, abs_dtbo: str) -> None:
        """Take a device-tree overlay out again; one that is not there is fine."""
        with self._lock, self.state.locked():
            name = self._trees.pop(abs_dtbo, self.programmer.name_of(Path(abs_dtbo).stem))
            self.programmer.remove(name)
            if self._record is not None and name in self._record.overlays:
                left = tuple(one for one in self._record.overlays if one != name)
                self._note(replace(self._record, overlays=left))
            self.registers.forget()
            self.memory.refresh()

    # -- what is used ----------------------------------------------------------------------------------------
    def map(self, base: int, length: int) -> Window:
        """Return a window on registers, through UIO where it has them, else ``/dev/mem``."""
        self._usable()
        return self.registers.map(base, length)

    def allocate_block(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> Block:
        """Return memory that the PL can reach; ``target`` names a source, see :class:`Memory`."""
        self._usable()
        return self.memory.allocate(nbytes, cacheable=cacheable, target=target)

    def sync(self, block: Block, offset: int, nbytes: int, direction: str) -> None:
        """Make caches and memory agree, by the kernel's means."""
        self.memory.sync(block, offset, nbytes, direction)

    def interrupt_line(self, number: int) -> InterruptLine:
        """Return the PS interrupt with that GIC number; the same object until the next download."""
        self._usable()
        with self._lock:
            line = self._lines.get(number)
            if line is None:
                line = self._lines[number] = interrupt_line(self.kernel, self.registers.uios(), number)
            return line

    def pin(self, index: int, direction: str) -> PinLine:
        """Return EMIO GPIO ``index`` of the PS, through its GPIO character device."""
        design = self.design
        if design is None:
            raise OverlayNotLoadedError(f"device {self.name!r} holds no overlay")
        return open_pin(self.kernel, design, index, direction)

    def clock_rate(self, index: int) -> float:
        """Return the frequency of PL clock ``index`` in Hz."""
        self._usable()
        return self._clock().rate(index)

    def set_clock_rate(self, index: int, hertz: float) -> float:
        """Set PL clock ``index`` as near as it can be; return the frequency reached in Hz."""
        self._usable()
        return self._clock().set(index, hertz)

    def _usable(self) -> None:
        if self._closed:
            raise OverlayNotLoadedError(f"device {self.name!r} is closed")

    def _clock(self) -> Clocks:
        design = self.design
        if self._clocks is None or self._clocked is not design:
            reference = None if design is None else described_reference(design)
            self._clocks = Clocks(self.kernel, self.board, self.registers.physical, reference=reference)
            self._clocked = design
        return self._clocks


def _bytes_of(dtbo: Path | None) -> bytes:
    """Return a device-tree overlay's bytes, checked to be one."""
    if dtbo is None:
        return b""
    try:
        blob = dtbo.read_bytes()
        read_tree(blob)
    except OSError as error:
        raise _untouched(f"the device-tree overlay can't be read: {error}") from error
    except DeviceTreeError as error:
        raise _untouched(f"{dtbo} is no device-tree overlay: {error}") from error
    return blob


def _untouched(message: str) -> ProgrammingError:
    error = ProgrammingError(f"{message}. What is in the PL has not been touched")
    error.untouched = True
    return error
