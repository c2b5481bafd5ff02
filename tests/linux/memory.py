"""Drivers of contiguous memory for :class:`system.FakeSystem`, on memory whose caches are not coherent.

Each has two copies of its memory: the file that a program maps is what the processor sees, ``bytes`` is what
the PL sees, garbage at first. Cache maintenance copies parts from one to the other, as the drivers do.
Uncached mappings are not told apart, so their tests look at how the device was opened.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

from fakesystem import FakeSystem

from pynq.backends.kernel import Descriptor

CREATE_BO, MAP_BO, SYNC_BO, INFO_BO, GEM_CLOSE = 0xC0106440, 0xC0106443, 0xC0186444, 0xC0186445, 0x40086409


class Ddr:
    """Memory as the PL sees it, beside the file that is the processor's view."""

    def __init__(self, path: Path, base: int, size: int) -> None:
        self.path, self.base, self.size = path, base, size
        self.bytes = bytearray(b"\xa5" * size)
        self.start = 0  # offset in the file
        self.synced: list[tuple[str, int, int]] = []

    def clean(self, offset: int, size: int) -> None:
        """Write the processor's lines to memory."""
        self.synced.append(("clean", offset, size))
        with open(self.path, "rb") as file:
            file.seek(self.start + offset)
            self.bytes[offset : offset + size] = file.read(size).ljust(size, b"\0")

    def drop(self, offset: int, size: int) -> None:
        """Let the processor see memory."""
        self.synced.append(("drop", offset, size))
        with open(self.path, "r+b") as file:
            file.seek(self.start + offset)
            file.write(self.bytes[offset : offset + size])


class FakeUDmaBuf(Ddr):
    """A device of u-dma-buf. ``commands``: whether one write may have offset, size and direction."""

    def __init__(
        self,
        system: FakeSystem,
        name: str = "udmabuf0",
        size: int = 1 << 20,
        base: int = 0x1E90_0000,
        *,
        commands: bool = True,
        mode: int = 1,
        coherent: int | None = 0,
        folder: str = "/sys/class/u-dma-buf",
    ) -> None:
        super().__init__(system.path(f"/dev/{name}"), base, size)
        self.system, self.commands = system, commands
        self.place = f"{folder}/{name}"
        with open(self.path, "wb") as file:
            file.truncate(size)
        values = {"size": size, "phys_addr": f"0x{base:08x}", "sync_mode": mode, "sync_offset": 0}
        values |= {"sync_size": size, "sync_direction": 0, "sync_for_cpu": 0, "sync_for_device": 0}
        for key, value in values.items():
            system.file(f"{self.place}/{key}", f"{value}\n")
        if coherent is not None:
            system.file(f"{self.place}/dma_coherent", f"{coherent}\n")
        for operation in ("write", "pwrite"):
            system.on(operation, f"{self.place}/sync_*", self.truncate, when="before")
            system.on(operation, f"{self.place}/sync_*", self.written)

    def truncate(self, name: str) -> None:
        self.system.path(name).write_bytes(b"")

    def value(self, attribute: str) -> int:
        return int(self.system.path(f"{self.place}/{attribute}").read_text(), 0)

    def written(self, name: str) -> None:
        attribute = name.rpartition("/")[2]
        value = self.value(attribute)
        limit = {"sync_mode": 7, "sync_direction": 2}.get(attribute, (1 << 64) - 1)
        if attribute in ("sync_for_cpu", "sync_for_device"):
            limit = limit if self.commands else 1
        if value > limit:
            raise OSError(errno.EINVAL, "out of range")
        if attribute not in ("sync_for_cpu", "sync_for_device") or not value:
            return
        offset, size = self.value("sync_offset"), self.value("sync_size")
        direction = self.value("sync_direction")
        if value & ~1:
            offset, size, direction = value >> 32, value & 0xFFFFFFF0, value >> 2 & 3
        if offset + size > self.size:
            raise OSError(errno.EINVAL, "beyond the end")
        if attribute == "sync_for_device" and direction != 2:
            self.clean(offset, size)
        elif attribute == "sync_for_cpu" and direction != 1:
            self.drop(offset, size)


class FakeZocl:
    """zocl with ``size`` bytes of CMA from ``base`` on."""

    def __init__(
        self, system: FakeSystem, size: int = 1 << 20, base: int = 0x1000_0000, node: str = "renderD128"
    ) -> None:
        self.system, self.size, self.base = system, size, base
        self.path = f"/dev/dri/{node}"
        self.objects: dict[int, tuple[int, int, int, Ddr]] = {}  # handle: offset in CMA, size, flags, memory
        self.handles = 0
        system.file(self.path, b"")
        system.file(f"/sys/class/drm/{node}/device/uevent", "DRIVER=zocl-drm\nOF_NAME=zyxclmm_drm\n")
        system.file("/proc/meminfo", f"MemTotal: 500000 kB\nCmaTotal: {size >> 10} kB\nCmaFree: 16 kB\n")
        system.ioctl(self.path, self.answer)

    def answer(self, descriptor: Descriptor, request: int, argument: bytearray) -> None:
        actions: dict[int, tuple[str, Callable[..., tuple[int, ...]]]] = {
            CREATE_BO: ("QII", self.create),
            MAP_BO: ("IIQ", self.map),
            SYNC_BO: ("IIQQ", self.sync),
            INFO_BO: ("IIQQ", self.info),
            GEM_CLOSE: ("II", self.free),
        }
        if request not in actions:
            raise OSError(errno.EINVAL, "no such ioctl")
        layout, action = actions[request]
        assert len(argument) == struct.calcsize(layout) == request >> 16 & 0x3FFF
        argument[:] = struct.pack(layout, *action(*struct.unpack(layout, argument)))

    def create(self, size: int, handle: int, flags: int) -> tuple[int, ...]:
        if not size:
            raise OSError(errno.EINVAL, "empty")
        need = max(8192, -(-size // 4096) * 4096)
        offset = 0
        for start, length, _, _ in sorted(self.objects.values(), key=lambda each: each[0]):
            if start - offset >= need:
                break
            offset = start + length
        if offset + need > self.size:
            raise OSError(errno.ENOMEM, "no CMA")
        self.handles += 1
        memory = Ddr(self.system.path(self.path), self.base + offset, need)
        memory.start = (self.handles << 32) + 0x1000_0000  # DRM's offsets are names, not places
        with open(memory.path, "r+b") as file:
            file.truncate(max(memory.path.stat().st_size, memory.start + need))
        memory.bytes[:] = bytes(need)
        self.objects[self.handles] = (offset, need, flags, memory)
        return size, self.handles, flags

    def known(self, handle: int) -> tuple[int, int, int, Ddr]:
        if handle not in self.objects:
            raise OSError(errno.EINVAL, "no such handle")
        return self.objects[handle]

    def map(self, handle: int, pad: int, offset: int) -> tuple[int, ...]:
        return handle, pad, self.known(handle)[3].start

    def info(self, handle: int, flags: int, size: int, address: int) -> tuple[int, ...]:
        offset, length, user, _ = self.known(handle)
        return handle, user, length, self.base + offset

    def sync(self, handle: int, direction: int, offset: int, size: int) -> tuple[int, ...]:
        _, length, _, memory = self.known(handle)
        if offset + size > length or direction > 1:
            raise OSError(errno.EINVAL, "beyond the end")
        (memory.drop if direction else memory.clean)(offset, size)
        return handle, direction, offset, size

    def free(self, handle: int, pad: int) -> tuple[int, ...]:
        self.known(handle)
        del self.objects[handle]
        return handle, pad


class FakeHeap:
    """A DMA-BUF heap that gives whatever is asked for, as long as nobody has any of it."""

    def __init__(self, system: FakeSystem, name: str, size: int) -> None:
        self.system, self.size = system, size
        self.path = f"/dev/dma_heap/{name}"
        self.buffers: list[int] = []
        self.buffer = system.path(f"{self.path}.buffer")
        system.file(self.path, b"")
        system.ioctl(self.path, self.answer)

    def taken(self) -> bool:
        """Whether somebody has the buffer open or mapped: with the last of these it goes."""
        links = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
        opened = [os.readlink(link) for link in links if link.is_symlink()]
        return str(self.buffer) in opened or str(self.buffer) in Path("/proc/self/maps").read_text()

    def answer(self, descriptor: Descriptor, request: int, argument: bytearray) -> None:
        if request != 0xC0184800:
            raise OSError(errno.ENOTTY, "no such ioctl")
        length, number, flags, more = struct.unpack("QIIQ", argument)
        if number or more or flags != 0o2000002:
            raise OSError(errno.EINVAL, "flags")
        if self.taken() or length > self.size:
            raise OSError(errno.ENOMEM, "taken")
        self.buffers.append(length)
        with open(self.buffer, "w+b") as file:
            file.truncate(length)
            argument[:] = struct.pack("QIIQ", length, os.dup(file.fileno()), flags, more)
