"""Devices and windows for the tests of registers and memory: nothing here simulates more than a test
needs."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from pynq._native import Arena, MappedBlock, Window
from pynq.device import Device

KINDS = ("memory", "bus", "functions")
MEMORY_BASE = 0x1000_0000
ERROR_TEXT = ctypes.create_string_buffer(b"DECERR from nowhere")


class Bus(ctypes.Structure):
    """``pynq_bus`` of pynq/native.h."""

    READ = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)
    )
    WRITE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint64)
    BLOCK = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint64
    )
    POLL = ctypes.CFUNCTYPE(
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_uint64,
        ctypes.c_uint32,
        ctypes.c_uint64,
        ctypes.c_uint64,
        ctypes.c_int64,
        ctypes.POINTER(ctypes.c_uint64),
    )
    ERROR = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)  # ctypes would leak a bytes it returns
    _fields_ = (
        ("abi", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("ctx", ctypes.c_void_p),
        ("read", READ),
        ("write", WRITE),
        ("read_block", BLOCK),
        ("write_block", BLOCK),
        ("poll", POLL),
        ("error", ERROR),
    )


def capsule(structure: ctypes.Structure, name: bytes) -> Any:
    """Return a PyCapsule around a structure, which the caller keeps alive."""
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(ctypes.addressof(structure), name, None)


class Registers:
    """Registers behind a bus: bytes, a log of the beats, and a hook for what they set off."""

    def __init__(self, length: int, base: int = 0x4000_0000) -> None:
        self.base = base
        self.bytes = np.zeros((length + 7) // 8, "u8").view("u1")[:length]  # aligned to 8
        self.log: list[tuple[str, int, int]] = []  # "r" or "w", offset, width
        self.fail: int | None = None  # status that a bus answers with
        self.poll_status: int | None = None
        self.on_write: Callable[[int, int], None] = lambda offset, value: None

    def read(self, address: int, width: int) -> int:
        offset = address - self.base
        self.log.append(("r", offset, width))
        return int.from_bytes(self.bytes[offset : offset + width].tobytes(), "little")

    def write(self, address: int, value: int, width: int) -> None:
        offset = address - self.base
        self.log.append(("w", offset, width))
        self.bytes[offset : offset + width] = list(value.to_bytes(width, "little"))
        self.on_write(offset, value)

    def window(self, kind: str, **options: Any) -> Window:
        """Return a window of that kind on all of the registers."""
        if kind == "memory":
            return Window.from_memory(self.bytes, self.base, **options)
        if kind == "functions":
            return Window.from_functions(self.read, self.write, self.base, len(self.bytes), **options)
        bus = self.bus(**{name: options.pop(name) for name in ("blocks", "poll") if name in options})
        return Window.from_bus(capsule(bus, b"pynq.bus"), self.base, len(self.bytes), keep=bus, **options)

    def bus(self, blocks: bool = False, poll: bool = False) -> Bus:
        def read(_: Any, address: int, width: int, value: Any) -> int:
            if self.fail is not None:
                return self.fail
            value[0] = self.read(address, width)
            return 0

        def write(_: Any, address: int, width: int, value: int) -> int:
            if self.fail is not None:
                return self.fail
            self.write(address, value, width)
            return 0

        def read_block(_: Any, address: int, width: int, data: int, count: int) -> int:
            self.log.append(("R", address - self.base, width))
            ctypes.memmove(data, self.bytes[address - self.base :].ctypes.data, count * width)
            return self.fail or 0

        def write_block(_: Any, address: int, width: int, data: int, count: int) -> int:
            self.log.append(("W", address - self.base, width))
            ctypes.memmove(self.bytes[address - self.base :].ctypes.data, data, count * width)
            return self.fail or 0

        def wait(_: Any, address: int, width: int, mask: int, match: int, timeout: int, last: Any) -> int:
            last[0] = self.read(address, width)
            return -5 if self.poll_status is None else self.poll_status

        return Bus(
            1,
            ctypes.sizeof(Bus),
            None,
            Bus.READ(read),
            Bus.WRITE(write),
            Bus.BLOCK(read_block) if blocks else Bus.BLOCK(),
            Bus.BLOCK(write_block) if blocks else Bus.BLOCK(),
            Bus.POLL(wait) if poll else Bus.POLL(),
            Bus.ERROR(lambda _: ctypes.addressof(ERROR_TEXT)),
        )


class HostDevice(Device):
    """A device without hardware: registers of one kind, memory in a memfd."""

    def __init__(self, kind: str = "memory", size: int = 1 << 22, *, coherent: bool = True) -> None:
        super().__init__(f"host:{kind}")
        self.kind = kind
        self.registers = Registers(0x1000)
        self.fd = os.memfd_create("test")
        os.ftruncate(self.fd, size)
        self.arena = Arena(self.fd, 0, size, MEMORY_BASE, coherent, f"memory of {self.name}")
        self.synced: list[tuple[int, int, str]] = []
        self.targets: list[Any] = []

    def map(self, base: int, length: int) -> Window:
        whole = self.registers.window(self.kind)
        return whole.window(base - whole.base, length)

    def allocate_block(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> MappedBlock:
        self.targets.append(target)
        return self.arena.allocate(nbytes)

    def sync(self, block: Any, offset: int, nbytes: int, direction: str) -> None:
        self.synced.append((block.physical_address + offset, nbytes, direction))

    def peek(self, physical: int, nbytes: int) -> bytes:
        """What the device finds in its memory."""
        return os.pread(self.fd, nbytes, physical - MEMORY_BASE)

    def poke(self, physical: int, data: bytes) -> None:
        """Write as the device does."""
        os.pwrite(self.fd, data, physical - MEMORY_BASE)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
