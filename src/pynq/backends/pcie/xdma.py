"""Cards under AMD's XDMA driver: its character devices, and what of a design lies behind them.

``/dev/xdma0_user`` is the AXI-Lite BAR (registers), ``/dev/xdma0_h2c_0`` and ``c2h_0`` move memory to and
from the card at the address that is the file's offset, ``/dev/xdma0_events_0`` to ``15`` are its interrupts
(PG195, and the driver's own documentation). Buffers lie in memory of the card: a program works on a copy in
host memory, which :meth:`XdmaDevice.sync` moves.
"""

from __future__ import annotations

import mmap
import os
import threading
from pathlib import Path
from typing import Any

from pynq._native import Arena, Window
from pynq.backends.kernel import Descriptor, Kernel
from pynq.backends.pcie.events import EventLine
from pynq.backends.pcie.layout import OPTIONS, Layout, Memory, choose, layout_of
from pynq.design.model import Design, MemoryRange
from pynq.device.base import Device
from pynq.device.contract import Block
from pynq.device.options import converted, split
from pynq.errors import (
    AllocationError,
    BusError,
    DeviceNotFoundError,
    KernelError,
    OverlayNotLoadedError,
    PynqError,
    UnsupportedByDeviceError,
)

__all__ = ["XdmaBackend", "XdmaDevice"]

_CHUNK = 4 << 20  # bytes a call: what the driver moves while a Ctrl-C has to wait
_DRIVER = "is the xdma module loaded, and may this user open its devices? `pynq doctor` says"


class XdmaDevice(Device):
    """A card whose design is in it already, from its flash or by JTAG; the driver can't program it.

    ``options``: see :class:`XdmaBackend`. ``kernel`` is where the driver's devices are looked for.
    """

    needs_bitstream = False

    def __init__(
        self, name: str = "xdma:0", *, options: dict[str, str] | None = None, kernel: Kernel | None = None
    ) -> None:
        super().__init__(name)
        self._prefix = f"/dev/xdma{name.partition('?')[0].partition(':')[2] or '0'}"
        self._options = converted(name, options or {}, OPTIONS)
        self._kernel = kernel or Kernel()
        self._lock = threading.RLock()
        self._files: dict[str, Descriptor] = {}
        self._layout: Layout | None = None
        self._windows: dict[int, Window] = {}
        self._arenas: dict[Memory, Arena] = {}
        self._lines: dict[int, EventLine] = {}
        self._closed = False

    # -- must ------------------------------------------------------------------------------------------------
    def open(self) -> None:
        """Check that the driver has such a card.

        Raises :class:`~pynq.errors.DeviceNotFoundError` where it has not.
        """
        if not self._kernel.exists(self._prefix + "_user"):
            raise DeviceNotFoundError(f"device {self.name!r}: no {self._prefix}_user; {_DRIVER}")

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        with self._lock:
            self._closed = True
            self._unload(f"device {self.name!r} was closed")
            self._arenas.clear()
            files, self._files = self._files, {}
            for file in files.values():
                file.close()
            self.design = None

    def download(
        self,
        design: Design,
        bitstream: Path | None,
        *,
        partial: bool = False,
        dtbo: Path | None = None,
        region: str = "",
    ) -> None:
        """Take the word of the description for what is in the card; nothing is written to it.

        Raises :class:`~pynq.errors.UnsupportedByDeviceError` for a partial one.
        """
        if partial:
            raise UnsupportedByDeviceError(
                f"device {self.name!r}: the XDMA driver can't reconfigure a region; do that by the card's "
                "own means (ICAP, JTAG), and load the overlay of the result"
            )
        with self._lock:
            self._check_open()
            layout = layout_of(design, self._options)
            self._unload(f"{design.label!r} was loaded on device {self.name!r}; make this object anew")
            self._layout = layout
            self.design = design
            for number in layout.lines:
                if self._kernel.exists(self._event_file(number)):
                    self.interrupt_line(number).forget()  # what the driver kept for a program before this one

    def map(self, base: int, length: int) -> Window:
        """Return a window on registers behind the BAR, or on memory of the card."""
        with self._lock:
            layout = self._loaded()
            if self.design is None:
                raise OverlayNotLoadedError(f"device {self.name!r} holds no overlay; load one first")
            for span in layout.registers:
                if span.base <= base and base + length <= span.high + 1:
                    if span.base not in self._windows:
                        self._windows[span.base] = self._registers(span, layout.bar_base)
                    return self._windows[span.base].window(base - span.base, length)
            for memory in layout.memories:
                if memory.base <= base and base + length <= memory.base + memory.size:
                    if memory.base not in self._windows:
                        self._windows[memory.base] = self._memory(memory)
                    return self._windows[memory.base].window(base - memory.base, length)
        raise PynqError(f"device {self.name!r}: nothing of the design answers at 0x{base:x}, {length} bytes")

    def _registers(self, span: MemoryRange, bar_base: int) -> Window:
        file, offset = self._file("user"), span.base - bar_base
        if offset < 0:
            raise PynqError(
                f"device {self.name!r}: {span.slave} at 0x{span.base:x} lies below the BAR, which begins at "
                f"0x{bar_base:x} of the design; the option user= of the device's name changes that"
            )
        before = offset % mmap.PAGESIZE
        try:
            memory = file.map(before + span.size, offset - before)
        except (KernelError, ValueError):  # no mmap here (ValueError: the file says that it is empty)
            return Window.from_functions(
                lambda address, width: _read_word(file, address - bar_base, width),
                lambda address, value, width: _write_word(file, address - bar_base, value, width),
                span.base,
                span.size,
            )
        return Window.from_memory(memoryview(memory)[before : before + span.size], span.base)

    def _memory(self, memory: Memory) -> Window:
        send, receive = self._file("h2c_0"), self._file("c2h_0")
        return Window.from_functions(
            lambda address, width: int.from_bytes(receive.pread(width, address), "little"),
            lambda address, value, width: send.pwrite(value.to_bytes(width, "little"), address),
            memory.base,
            memory.size,
            widest=8,
            read_block=lambda address, width, count: receive.pread(width * count, address),
            write_block=lambda address, width, data: send.pwrite(data, address),
        )

    def allocate_block(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> Block:
        """Return zeroed memory of the card, with its copy on the host. ``target``: which of its memories."""
        with self._lock:
            memory = choose(self._loaded().memories, target, self.name)
            if memory not in self._arenas:
                self._arenas[memory] = self._arena(memory)
            block = self._arenas[memory].allocate(nbytes)
        self.sync(block, 0, nbytes, "to_device")
        return block

    def _arena(self, memory: Memory) -> Arena:
        # Only the pages that are used take memory of the host.
        file = self._kernel.memory(f"pynq {self.name} {memory.name}", memory.size)
        try:
            return Arena(file.fileno(), 0, memory.size, memory.base, False, f"{memory.name} of {self.name}")
        except (OSError, MemoryError) as error:
            raise AllocationError(
                f"device {self.name!r}: no room on the host for a copy of {memory.name}, {memory.size} "
                f"bytes: {error}"
            ) from error
        finally:
            file.close()

    def sync(self, block: Block, offset: int, nbytes: int, direction: str) -> None:
        """Move a part of a block to the card ("to_device") or back ("from_device")."""
        view = memoryview(block)[offset : offset + nbytes]  # type: ignore[arg-type]  # Buffer: Python 3.12
        address = block.physical_address + offset
        send = direction == "to_device"
        file = self._file("h2c_0" if send else "c2h_0")
        for start in range(0, nbytes, _CHUNK):
            part = view[start : start + _CHUNK]
            if send:
                file.pwrite(part, address + start)
            else:
                file.pread_into(part, address + start)

    # -- may -------------------------------------------------------------------------------------------------
    def interrupt_line(self, number: int) -> EventLine:
        """Return the card's interrupt of that number: the bit of ``usr_irq_req``."""
        with self._lock:
            lines = self._loaded().lines
            if number not in lines:
                raise PynqError(
                    f"device {self.name!r} has no interrupt {number}; it has {', '.join(map(str, lines))}"
                )
            if number not in self._lines:
                file = self._kernel.open(self._event_file(number), write=False, hint=_DRIVER)
                self._lines[number] = EventLine(file)
            return self._lines[number]

    # -- inside ----------------------------------------------------------------------------------------------
    def _check_open(self) -> None:
        if self._closed:
            raise OverlayNotLoadedError(f"device {self.name!r} is closed")

    def _loaded(self) -> Layout:
        self._check_open()
        if self._layout is None:
            if "memory" in self._options:
                return Layout((), 0, (self._options["memory"],), ())
            raise OverlayNotLoadedError(f"device {self.name!r} holds no overlay; load one first")
        return self._layout

    def _event_file(self, number: int) -> str:
        return f"{self._prefix}_events_{self._loaded().lines.index(number)}"

    def _file(self, part: str) -> Descriptor:
        with self._lock:
            self._check_open()
            if part not in self._files:
                reads, writes = not part.startswith("h2c"), not part.startswith("c2h")
                self._files[part] = self._kernel.open(
                    f"{self._prefix}_{part}", read=reads, write=writes, sync=part == "user", hint=_DRIVER
                )
            return self._files[part]

    def _unload(self, reason: str) -> None:
        for window in self._windows.values():
            window.invalidate(reason)
        self._windows.clear()
        lines, self._lines = self._lines, {}
        for line in lines.values():
            line.close(reason)


def _read_word(file: Descriptor, offset: int, width: int) -> int:
    # The driver reads one word of 32 bits, whatever is asked for (char_ctrl_read).
    within = offset % 4
    word = int.from_bytes(file.pread(4, offset - within), "little")
    return word >> 8 * within & (1 << 8 * width) - 1


def _write_word(file: Descriptor, offset: int, value: int, width: int) -> None:
    if width != 4:
        raise BusError(
            f"{file.name} can't be mapped here, and its write() moves words of 4 bytes only: no write of "
            f"{width} bytes at 0x{offset:x} of the BAR"
        )
    file.pwrite(value.to_bytes(4, "little"), offset)


class XdmaBackend:
    """The backend of scheme ``xdma:``; ``xdma:1`` is the driver's second card.

    Options follow a question mark, for designs whose description does not tell: ``user`` (address of the
    BAR's first byte in the design), ``memory`` (``BASE+SIZE`` of the card's memory), ``events`` (the numbers
    of the interrupts, by commas): ``xdma:0?memory=0x0+0x10000000``.
    """

    scheme = "xdma"
    priority = 50
    why = "present where the XDMA driver has a card (/dev/xdma0_user)"

    def __init__(self, kernel: Kernel | None = None) -> None:
        self._kernel = kernel or Kernel()

    def probe(self) -> list[str]:
        """Return the cards that the driver has."""
        if os.name != "posix":
            return []
        found = [name[4:-5] for name in self._kernel.names("/dev") if name.startswith("xdma")
                 and name.endswith("_user")]  # fmt: skip
        return [f"xdma:{number}" for number in sorted(filter(str.isdecimal, found), key=int)]

    def open(self, spec: str) -> XdmaDevice:
        """Return the card of that name.

        Raises :class:`~pynq.errors.DeviceNotFoundError` where there is none, or for a wrong option.
        """
        rest, options = split(spec)
        if rest and not rest.isdecimal():
            known = ", ".join(self.probe()) or "none"
            raise DeviceNotFoundError(f"no card {spec!r}: expected xdma:NUMBER; present: {known}")
        return XdmaDevice(spec, options=options, kernel=self._kernel)
