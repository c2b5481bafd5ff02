"""Register windows: through a UIO device where one has the registers, else through ``/dev/mem``."""

from __future__ import annotations

import errno
import mmap
import struct
import threading
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet, WeakValueDictionary

from pynq._native import Window
from pynq.backends.kernel import Kernel
from pynq.backends.linux.board import Board
from pynq.backends.linux.uio import Uio, scan
from pynq.errors import AccessError, AlignmentError, KernelAccessError, KernelError

if TYPE_CHECKING:
    from pynq._native import _Port

__all__ = ["Registers"]

MEMORY = "/dev/mem"
_PAGE = mmap.PAGESIZE
#: Widest single beat of this processor in bytes.
_WIDEST = struct.calcsize("P")


class _Source(NamedTuple):
    """What is mapped: where in which file, and the CPU's address of its first byte."""

    name: str
    offset: int
    start: int
    length: int


class Registers:
    """Windows on registers. The mapping of a UIO device, or of pages of ``/dev/mem``, is shared by all
    windows on it and goes with the last of them.

    After :meth:`close` every access raises :class:`~pynq.errors.OverlayNotLoadedError`.
    """

    def __init__(self, kernel: Kernel, board: Board) -> None:
        self.kernel = kernel
        self.board = board
        self._lock = threading.Lock()
        self._uios: tuple[Uio, ...] | None = None
        self._mappings: WeakValueDictionary[_Source, mmap.mmap] = WeakValueDictionary()
        self._ports: WeakSet[_Port] = WeakSet()

    def uios(self) -> tuple[Uio, ...]:
        """The UIO devices, as they were found after the last :meth:`forget`."""
        if self._uios is None:
            self._uios = scan(self.kernel, self.board)
        return self._uios

    def forget(self, reason: str = "") -> None:
        """Look for UIO devices anew at the next use; with a ``reason`` windows handed out end with it."""
        with self._lock:
            self._uios = None
            if reason:
                for port in list(self._ports):
                    port.invalidate(reason)
                self._ports.clear()
                self._mappings.clear()

    def close(self) -> None:
        """Take all windows away."""
        self.forget("the board was closed")

    def map(self, base: int, length: int) -> Window:
        """Return a window on registers of the PL.

        Raises :class:`~pynq.errors.AccessError` for an address that the PL's bus has not,
        :class:`~pynq.errors.KernelAccessError` where the user may not, with what is to be done.
        """
        if length <= 0:
            raise AccessError(f"a window on {length} bytes at 0x{base:x}: the length must be positive")
        first = self.board.to_cpu(base)
        if self.board.to_cpu(base + length - 1) != first + length - 1:
            raise AccessError(
                f"0x{base:x}..0x{base + length - 1:x} is no single range of the PL's bus: map it in parts"
            )
        return self._window(first, length, base)

    def physical(self, address: int, length: int) -> Window:
        """Return a window on a physical address: registers of the PS, say.

        On the virtual board those are behind the same bridge as the PL, and ``address`` is that of the PS.

        Raises :class:`~pynq.errors.KernelAccessError` where the user, or the kernel's configuration, does not
        let it be mapped.
        """
        first = address
        if self.board.virtual:
            try:
                first = self.board.to_cpu(address)
            except AccessError as error:
                raise KernelError(
                    errno.ENXIO, f"this virtual board's PS has no registers at 0x{address:x}: {error}"
                ) from error
        return self._window(first, length, address)

    def _window(self, address: int, length: int, base: int) -> Window:
        with self._lock:
            source = self._find(address, length)
            mapping = self._mappings.get(source)
            if mapping is None:
                mapping = self._mappings[source] = self._open(source)
            inside = address - source.start
            part = memoryview(mapping)[inside : inside + length]
            try:
                window = Window.from_memory(part, base, _WIDEST)
            except AlignmentError:
                raise AlignmentError(f"a window starts at a multiple of 4 bytes, not at 0x{base:x}") from None
            self._ports.add(window.port)
            return window

    def _find(self, address: int, length: int) -> _Source:
        """Return what to map for some registers."""
        for uio in self.uios():
            for number, entry in enumerate(uio.maps):
                if entry.physical <= address and address + length <= entry.physical + entry.size:
                    start = entry.physical - entry.offset
                    whole = -(-(entry.offset + entry.size) // _PAGE) * _PAGE
                    return _Source(uio.path, number * _PAGE, start, whole)
        start = address & -_PAGE
        return _Source(MEMORY, start, start, -(-(address + length - start) // _PAGE) * _PAGE)

    def _open(self, source: _Source) -> mmap.mmap:
        where = f"0x{source.start:x}"
        if source.name != MEMORY:
            with self.kernel.open(source.name, sync=True) as file:
                return file.map(source.length, source.offset)
        try:
            with self.kernel.open(MEMORY, sync=True) as file:
                return file.map(source.length, source.offset)
        except KernelAccessError as error:
            raise KernelAccessError(
                error.errno or errno.EPERM,
                f"registers at {where}: no UIO device has them, and {error}. {_no_memory(error)}",
            ) from error
        except KernelError as error:
            raise KernelError(
                error.errno or errno.EIO, f"registers at {where}: no UIO device has them, and {error}"
            ) from error


def _no_memory(error: KernelError) -> str:
    """Say why ``/dev/mem`` does not give these registers, and what would."""
    if error.errno == errno.EPERM:
        return (
            "Kernels with CONFIG_STRICT_DEVMEM refuse memory, those with CONFIG_IO_STRICT_DEVMEM also "
            "registers that a driver has claimed: give the IP a UIO node (a device-tree overlay with "
            'compatible = "generic-uio"), or boot with iomem=relaxed'
        )
    return (
        'With UIO nodes for the IP (compatible = "generic-uio", in the boot device tree or in an overlay '
        "that root inserts) and `pynq setup` root is not needed"
    )
