"""What of ``pyxrt`` and libxrt_coreutil the backend uses, in front of a simulated board.

Behaves as XRT does where programs notice: errors are RuntimeErrors, a buffer's view does not keep its memory,
buffers come in whole pages and with what was in the memory before, registers need an exclusive kernel.
"""

from __future__ import annotations

import ctypes
import enum
import os
import uuid as ids
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from pynq.backends.sim import SimDevice
from pynq.design.model import Design
from pynq.memory.pool import Pool

UUID = ids.UUID("12345678123456781234567812345678")


class Direction(enum.Enum):
    XCL_BO_SYNC_BO_TO_DEVICE = 0
    XCL_BO_SYNC_BO_FROM_DEVICE = 1


class FakeXrt:
    """One card with one memory bank, and compute units as the cells of a design."""

    def __init__(self, design: Design, size: int = 64 << 20) -> None:
        self.xclBOSyncDirection = Direction
        self.design = design
        self.board = SimDevice(ddr=2 * size)
        self.board.open()
        self.pool = Pool(0, size)
        self.loaded = False
        self.opened: dict[int, str] = {}
        self.live = 0
        self.uuid = SimpleNamespace(to_string=lambda: str(UUID))
        outer = self

        class Bo:
            flags = SimpleNamespace(normal=0)

            def __init__(self, card: Any, nbytes: int, flags: int, bank: int) -> None:
                names = {one.index: one.name for one in outer.design.memories if one.used}
                if bank not in ({0} if outer.design.format == "hwh" else names):
                    raise RuntimeError(f"bank {bank} is not used by the xclbin: Invalid argument")
                self.block: Any = None  # of a bank of the card; else a part of the board's DDR
                if bank in names and outer.design.format == "xclbin":
                    self.block = outer.board.allocate_block(nbytes, target=names[bank])
                self.place = (
                    outer.pool.allocate(nbytes) if self.block is None else self.block.physical_address
                )
                self.copy = np.full(nbytes, 0xA5, np.uint8)
                outer.live += 1

            def __del__(self) -> None:
                if hasattr(self, "place"):
                    self.copy[:] = 0xDD  # who still looks sees garbage
                    if self.block is None:
                        outer.pool.free(self.place)
                    outer.live -= 1

            def map(self) -> memoryview:
                return memoryview((ctypes.c_ubyte * len(self.copy)).from_address(self.copy.ctypes.data))

            def address(self) -> int:
                return self.place

            def sync(self, way: Direction, nbytes: int, offset: int) -> None:
                if offset + nbytes > len(self.copy):
                    raise RuntimeError("sync beyond the end: Invalid argument")
                part, file = self.copy[offset : offset + nbytes], outer.board._ddr_fd
                if self.block is not None:
                    held = np.frombuffer(self.block, np.uint8)[offset : offset + nbytes]
                    if way is Direction.XCL_BO_SYNC_BO_TO_DEVICE:
                        held[:] = part
                    else:
                        part[:] = held
                elif way is Direction.XCL_BO_SYNC_BO_TO_DEVICE:
                    os.pwrite(file, part.tobytes(), self.place + offset)
                else:
                    part[:] = np.frombuffer(os.pread(file, nbytes, self.place + offset), np.uint8)

        self.bo = Bo

    # -- pyxrt
    def enumerate_devices(self) -> int:
        return 1

    def device(self, index: int) -> Any:
        if index != 0:
            raise RuntimeError(f"No such device with index '{index}'")
        return SimpleNamespace(load_xclbin=self._load)

    def xclbin(self, path: str) -> Any:
        if not Path(path).is_file() or not Path(path).read_bytes().startswith(b"xclbin2"):
            raise RuntimeError(f"failed to open xclbin {path}")
        names = [f"kernel:{{{cell.name}}}" for cell in self.design.cells.values() if cell.blocks]
        return SimpleNamespace(get_ips=lambda: [SimpleNamespace(get_name=lambda n=n: n) for n in names])

    def kernel(self, card: Any, identity: Any, name: str) -> Any:
        if not name.startswith("kernel"):
            raise RuntimeError(f"No compute units satisfy requested kernel '{name}'")
        return SimpleNamespace(name=name)

    def _load(self, contents: Any) -> Any:
        self.board.download(self.design, None)
        self.loaded = True
        return self.uuid


class FakeLibrary:
    """The functions of xrt/xrt_kernel.h that reach registers."""

    def __init__(self, card: FakeXrt) -> None:
        self._card = card
        self._windows: dict[int, Any] = {}
        self.xrtDeviceOpen: Any = lambda index: 0x1000
        self.xrtDeviceClose = lambda card: 0
        self.xrtPLKernelOpenExclusive: Any = lambda *given: self._open(*given)
        self.xrtKernelClose = self._close
        self.xrtKernelReadRegister = self._read
        self.xrtKernelWriteRegister = self._write

    def _open(self, card: Any, identity: Any, name: bytes) -> int | None:
        text = name.decode()
        if bytes(identity) != UUID.bytes or text in self._card.opened.values():
            return None
        cell = text.partition(":")[2].strip("{}")
        for entry in self._card.design.reachable:
            if entry.slave.rpartition("/")[2] == cell:
                handle = 0x2000 + 16 * len(self._windows)
                self._windows[handle] = self._card.board.map(entry.base, entry.size)
                self._card.opened[handle] = text
                return handle
        return None

    def _close(self, kernel: Any) -> int:
        del self._card.opened[kernel.value]
        return 0

    def _read(self, kernel: Any, offset: int, word: Any) -> int:
        word._obj.value = self._windows[kernel.value].read(offset)
        return 0

    def _write(self, kernel: Any, offset: int, word: Any) -> int:
        if offset >= self._windows[kernel.value].length:
            return -22
        self._windows[kernel.value].write(offset, word.value)
        return 0
