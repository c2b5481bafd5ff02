"""Cards under XRT, through its own Python binding ``pyxrt``.

``pyxrt`` loads ``.xclbin`` files, allocates buffers and starts kernels. It has no registers; those are
reached through the C interface of the same installation (``xrtKernelReadRegister`` in libxrt_coreutil), which
XRT allows while a kernel is opened exclusively. Interrupts of kernels stay with XRT: a program waits for a
run.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from pynq._native import Window
from pynq.backends.pcie.layout import number
from pynq.design.model import Design, MemoryRange
from pynq.device.base import Device
from pynq.device.contract import Block
from pynq.device.options import converted, split
from pynq.errors import (
    AllocationError,
    BusError,
    DesignNotFoundError,
    DeviceNotFoundError,
    OverlayNotLoadedError,
    ProgrammingError,
    PynqError,
    UnsupportedByDeviceError,
)

if TYPE_CHECKING:
    _Bytes = np.ndarray[Any, np.dtype[np.uint8]]
else:
    _Bytes = np.ndarray

__all__ = ["XrtBackend", "XrtDevice"]

_OPTIONS: Final[Mapping[str, Callable[[str], object]]] = {"xclbin": Path, "bank": number}
_LIBRARY = "libxrt_coreutil.so.2"
_INSTALL = "install XRT (its packages bring the Python module pyxrt) and start Python with its setup.sh"


class XrtDevice(Device):
    """A card under XRT.

    ``options``: see :class:`XrtBackend`. ``pyxrt`` and ``library`` stand in for XRT's module and its C
    library.
    """

    def __init__(
        self,
        name: str = "xrt:0",
        *,
        options: dict[str, str] | None = None,
        pyxrt: Any = None,
        library: Any = None,
    ) -> None:
        super().__init__(name)
        self._index = int(name.partition("?")[0].partition(":")[2] or "0")
        self._options = converted(name, options or {}, _OPTIONS)
        self.needs_bitstream = "xclbin" not in self._options
        self._xrt = pyxrt
        self._library = library
        self._lock = threading.RLock()
        self._card: Any = None
        self._uuid: Any = None
        self._units: dict[str, str] = {}  # by name of the compute unit: "kernel:{unit}"
        self._windows: dict[int, Window] = {}
        self._handles: list[Callable[[], object]] = []
        self._closed = False

    # -- must ------------------------------------------------------------------------------------------------
    def open(self) -> None:
        """Open the card.

        Raises :class:`~pynq.errors.DeviceNotFoundError` where XRT or the card is missing.
        """
        with self._lock:
            if self._card is not None or self._closed:
                return
            try:
                self._xrt = self._xrt or importlib.import_module("pyxrt")
                self._card = self._xrt.device(self._index)
            except ImportError as error:
                raise DeviceNotFoundError(f"device {self.name!r}: no pyxrt ({error}); {_INSTALL}") from error
            except RuntimeError as error:
                raise DeviceNotFoundError(f"device {self.name!r}: XRT has no such card: {error}") from error

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        with self._lock:
            self._closed = True
            self._unload(f"device {self.name!r} was closed")
            self._card = None
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
        """Load an ``.xclbin``.

        Raises :class:`~pynq.errors.DesignNotFoundError` for another file, and
        :class:`~pynq.errors.ProgrammingError` with XRT's words when it is refused.
        """
        if partial:
            raise UnsupportedByDeviceError(
                f"device {self.name!r}: XRT exchanges its region with every .xclbin; load that as an overlay"
            )
        if design.format == "xclbin" and (bitstream is None or bitstream.suffix != ".xclbin"):
            bitstream = Path(design.file)
        image = self._options.get("xclbin", bitstream)
        if image is None or image.suffix != ".xclbin":
            raise DesignNotFoundError(f"device {self.name!r} is programmed with an .xclbin, not with {image}")
        with self._lock:
            card = self._opened()
            self._unload(f"{design.label!r} was loaded on device {self.name!r}; make this object anew")
            try:
                contents = self._xrt.xclbin(str(image))
                self._uuid = card.load_xclbin(contents)
                names = [unit.get_name() for unit in contents.get_ips()]
            except RuntimeError as error:
                self.design = None
                raise ProgrammingError(f"device {self.name!r}: XRT refused {image}: {error}") from error
            self._units = {}
            for name in names:
                kernel, _, unit = name.partition(":")
                self._units[unit.strip("{}") or kernel] = f"{kernel}:{{{unit.strip('{}') or kernel}}}"
            self.design = design

    def map(self, base: int, length: int) -> Window:
        """Return a window on the registers of a compute unit."""
        with self._lock:
            design = self._loaded()
            for span in design.reachable:
                if span.base <= base and base + length <= span.high + 1:
                    if span.base not in self._windows:
                        self._windows[span.base] = self._unit(span)
                    return self._windows[span.base].window(base - span.base, length)
        raise PynqError(f"device {self.name!r}: nothing of the design answers at 0x{base:x}, {length} bytes")

    def _unit(self, span: MemoryRange) -> Window:
        cell = span.slave.rpartition("/")[2]
        if cell not in self._units:
            known = ", ".join(sorted(self._units)) or "none"
            raise PynqError(
                f"device {self.name!r}: the .xclbin has no compute unit {cell!r} (address 0x{span.base:x}); "
                f"it has {known}"
            )
        registers = _Registers(self._c(), self._index, self._uuid.to_string(), self._units[cell])
        self._handles.append(registers.close)
        return Window.from_functions(
            lambda address, width: registers.read(address - span.base, width),
            lambda address, value, width: registers.write(address - span.base, value, width),
            span.base,
            span.size,
        )

    def allocate_block(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> Block:
        """Return zeroed memory of the card, with its copy on the host.

        ``target``: a memory of the overlay (``overlay.HBM0``), its entry in ``mem_dict``, its name
        ("HBM[0]"); the number of the bank or group of banks, as ``kernel.group_id(i)`` gives it. Default: the
        option ``bank``, or the first bank that the ``.xclbin`` uses, or 0.
        """
        bank = self._bank(None if target is self else target)
        with self._lock:
            card = self._opened()
            try:
                size = -(-nbytes // 4096) * 4096
                bo = self._xrt.bo(card, size, self._xrt.bo.flags.normal, bank)
            except (RuntimeError, MemoryError) as error:
                raise AllocationError(
                    f"device {self.name!r}: XRT gives no {nbytes} bytes in bank {bank}: {error}"
                ) from error
            block = _new_block(bo, nbytes)
        self.sync(block, 0, nbytes, "to_device")
        return block

    def _bank(self, target: Any) -> int:
        """Return the number by which XRT knows a memory."""
        memories = () if self.design is None else self.design.memories
        banks = {memory.name: memory.index for memory in memories if memory.index is not None}
        if target is None:
            used = (memory.index for memory in memories if memory.used and memory.index is not None)
            default = self._options.get("bank")
            target = next(used, 0) if default is None else default
        found = getattr(target, "description", target)
        if isinstance(found, Mapping):
            found = found.get("idx")
        elif isinstance(found, str):
            found = banks.get(found)
        if not isinstance(found, int):
            known = f"; by name there are {', '.join(banks)}" if banks else ""
            raise UnsupportedByDeviceError(
                f"device {self.name!r}: target is a memory or the number of a memory bank, not {target!r}"
                f"{known}"
            )
        return found

    def sync(self, block: Block, offset: int, nbytes: int, direction: str) -> None:
        """Move a part of a block to the card ("to_device") or back ("from_device")."""
        directions = self._xrt.xclBOSyncDirection
        send = direction == "to_device"
        way = directions.XCL_BO_SYNC_BO_TO_DEVICE if send else directions.XCL_BO_SYNC_BO_FROM_DEVICE
        try:
            cast("_Block", block).bo.sync(way, nbytes, offset)
        except RuntimeError as error:
            raise BusError(f"device {self.name!r}: moving {nbytes} bytes failed: {error}") from error

    # -- more than the contract ------------------------------------------------------------------------------
    def kernel(self, name: str) -> Any:
        """Return XRT's own object for a kernel: call it with buffers' ``bo`` and numbers to start a run."""
        with self._lock:
            self._loaded()
            try:
                return self._xrt.kernel(self._opened(), self._uuid, name)
            except RuntimeError as error:
                known = ", ".join(sorted(self._units.values())) or "none"
                raise PynqError(f"device {self.name!r}: no kernel {name!r}; there are {known}") from error

    # -- inside ----------------------------------------------------------------------------------------------
    def _opened(self) -> Any:
        if self._closed:
            raise OverlayNotLoadedError(f"device {self.name!r} is closed")
        self.open()
        return self._card

    def _loaded(self) -> Design:
        self._opened()
        if self.design is None:
            raise OverlayNotLoadedError(f"device {self.name!r} holds no overlay; load one first")
        return self.design

    def _c(self) -> Any:
        if self._library is None:
            try:
                self._library = ctypes.CDLL(_LIBRARY)
            except OSError as error:
                raise UnsupportedByDeviceError(
                    f"device {self.name!r} has no register windows: {error}; {_INSTALL}"
                ) from error
        return self._library

    def _unload(self, reason: str) -> None:
        for window in self._windows.values():
            window.invalidate(reason)
        self._windows.clear()
        handles, self._handles = self._handles, []
        for close in handles:
            close()


class _Block(_Bytes):
    """A buffer object of XRT as bytes; see :class:`pynq.device.contract.Block`."""

    bo: Any
    physical_address: int
    coherent = False
    released = False

    def release(self) -> None:
        """Show zeros from now on. XRT takes the memory back with the last array that lies in it."""
        if not self.released:
            self.released = True
            self.view(np.ndarray)[:] = 0


def _new_block(bo: Any, nbytes: int) -> Block:
    block = np.frombuffer(bo.map(), np.uint8)[:nbytes].view(_Block)
    block.bo = bo  # XRT's own view does not keep the memory
    block.physical_address = bo.address()
    block[:] = 0
    return cast("Block", block)


class _Registers:
    """The registers of a compute unit, by XRT's C interface (xrt/xrt_kernel.h)."""

    def __init__(self, library: Any, index: int, image: str, name: str) -> None:
        self._c = library
        for function in ("xrtDeviceOpen", "xrtPLKernelOpenExclusive"):
            getattr(library, function).restype = ctypes.c_void_p
        self._card = library.xrtDeviceOpen(ctypes.c_uint(index))
        self._name = name
        identity = (ctypes.c_ubyte * 16).from_buffer_copy(uuid.UUID(image).bytes)
        card = ctypes.c_void_p(self._card)
        self._kernel = library.xrtPLKernelOpenExclusive(card, identity, name.encode()) if self._card else None
        if not self._kernel:
            self.close()
            raise PynqError(f"XRT does not open {name!r} exclusively; is another program using it?")

    def read(self, offset: int, width: int) -> int:
        """Return 1, 2 or 4 bytes; XRT reads a whole word."""
        word, within = ctypes.c_uint32(), offset % 4
        kernel = ctypes.c_void_p(self._kernel)
        self._check(self._c.xrtKernelReadRegister(kernel, offset - within, ctypes.byref(word)), offset)
        return word.value >> 8 * within & (1 << 8 * width) - 1

    def write(self, offset: int, value: int, width: int) -> None:
        """Write a word; XRT has no narrower writes."""
        if width != 4:
            raise BusError(f"{self._name}: XRT writes words of 4 bytes only, not {width} at 0x{offset:x}")
        kernel = ctypes.c_void_p(self._kernel)
        self._check(self._c.xrtKernelWriteRegister(kernel, offset, ctypes.c_uint32(value)), offset)

    def close(self) -> None:
        """Give the kernel and the card back."""
        kernel, self._kernel = getattr(self, "_kernel", None), None
        card, self._card = self._card, None
        if kernel:
            self._c.xrtKernelClose(ctypes.c_void_p(kernel))
        if card:
            self._c.xrtDeviceClose(ctypes.c_void_p(card))

    def _check(self, status: int, offset: int) -> None:
        if status:
            raise BusError(f"{self._name}: XRT refused register 0x{offset:x} (status {status})")


class XrtBackend:
    """The backend of scheme ``xrt:``; ``xrt:1`` is XRT's second card.

    Options follow a question mark: ``xclbin`` (the file that is loaded, whatever bitstream belongs to the
    description), ``bank`` (number of the memory bank of buffers).
    """

    scheme = "xrt"
    priority = 60
    why = "present where XRT's Python module pyxrt is installed and finds a card"

    def __init__(self, pyxrt: Any = None, library: Any = None) -> None:
        self._xrt = pyxrt
        self._library = library

    def probe(self) -> list[str]:
        """Return the cards that XRT has; none where it is not installed."""
        xrt = self._xrt
        if xrt is None:
            if importlib.util.find_spec("pyxrt") is None:
                return []
            xrt = importlib.import_module("pyxrt")
        return [f"xrt:{index}" for index in range(int(xrt.enumerate_devices()))]

    def open(self, spec: str) -> XrtDevice:
        """Return the card of that name.

        Raises :class:`~pynq.errors.DeviceNotFoundError` where there is none, or for a wrong option.
        """
        rest, options = split(spec)
        if rest and not rest.isdecimal():
            known = ", ".join(self.probe()) or "none"
            raise DeviceNotFoundError(f"no card {spec!r}: expected xrt:NUMBER; present: {known}")
        return XrtDevice(spec, options=options, pyxrt=self._xrt, library=self._library)
