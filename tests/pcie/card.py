"""A PCIe card: a simulated board behind the XDMA driver's character devices, which FUSE serves.

    python card.py MOUNTPOINT DESCRIPTION BAR_BASE LINE...

A process of its own: the program under test blocks in the kernel while this one answers. What the driver
does is done here: words of 32 bits at the BAR (char_ctrl_read, char_ctrl_write), any number of bytes at the
DMA channels, and 4 bytes from an event device once an interrupt came, which blocks (EAGAIN after a signal).
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
import threading
import time
from pathlib import Path

import mfusepy as fuse

from pynq.backends.sim import SimDevice
from pynq.design import read
from pynq.errors import PynqError

PATIENCE = 0.05  # seconds until a read of an event device is "interrupted by a signal"


class Card(fuse.Operations):
    use_ns = True

    def __init__(self, description: Path, bar_base: int, lines: list[int]) -> None:
        self.device = SimDevice(ddr=256 << 20)
        design = read(description)
        self.device.open()
        self.device.download(design, None)
        low = min(entry.base for entry in design.reachable)
        high = max(entry.high for entry in design.reachable) + 1
        self.bar = self.device.map(low, high - low)
        self.offset = bar_base - low
        pins = {pin.gic: path for path, pin in design.interrupt_pins.items() if pin.gic is not None}
        self.probes = [self.device.interrupt_probe(pins[number]) for number in lines]
        self.seen = [0] * len(lines)
        self.lock = threading.Lock()
        names = ["user", "h2c_0", "c2h_0", *(f"events_{index}" for index in range(len(lines)))]
        self.files = {f"/dev/xdma0_{name}": name for name in names}

    def getattr(self, path: str, fh: object = None) -> dict[str, int]:
        if path in ("/", "/dev"):
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        if path in self.files:
            return {"st_mode": stat.S_IFREG | 0o666, "st_nlink": 1, "st_size": 0}
        raise fuse.FuseOSError(errno.ENOENT)

    def readdir(self, path: str, fh: object) -> list[str]:
        inside = ["dev"] if path == "/" else [name.rpartition("/")[2] for name in self.files]
        return [".", "..", *inside]

    def open(self, path: str, fi: object) -> int:
        fi.direct_io = True  # type: ignore[attr-defined]
        return 0

    def truncate(self, path: str, length: int, fh: object = None) -> int:
        return 0

    def read(self, path: str, size: int, offset: int, fi: object) -> bytes:
        name = self.files[path]
        if name == "user":
            if offset % 4:
                raise fuse.FuseOSError(errno.EPROTO)
            try:
                return struct.pack("<I", self.bar.read(offset + self.offset))
            except PynqError:
                return b"\xff" * 4  # what a PCIe read gives that nobody answers
        if name == "c2h_0":
            data = os.pread(self.device._ddr_fd, size, offset)
            if len(data) < size:
                raise fuse.FuseOSError(errno.EIO)
            return data
        if name.startswith("events_"):
            return self.event(int(name[7:]), size)
        raise fuse.FuseOSError(errno.EPERM)

    def event(self, index: int, size: int) -> bytes:
        if size != 4:
            raise fuse.FuseOSError(errno.EPROTO)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.device.run(1e-4)
            with self.lock:
                _, edges = self.probes[index]()
                if edges != self.seen[index]:
                    self.seen[index] = edges
                    return struct.pack("<I", 1)
            time.sleep(0.001)
        raise fuse.FuseOSError(errno.EAGAIN)

    def write(self, path: str, data: bytes, offset: int, fi: object) -> int:
        name = self.files[path]
        if name == "user":
            if offset % 4 or len(data) < 4:
                raise fuse.FuseOSError(errno.EPROTO)
            self.bar.write(offset + self.offset, struct.unpack("<I", data[:4])[0])
            return 4
        if name == "h2c_0":
            if offset + len(data) > 256 << 20:
                raise fuse.FuseOSError(errno.EIO)
            return os.pwrite(self.device._ddr_fd, data, offset)
        raise fuse.FuseOSError(errno.EPERM)


if __name__ == "__main__":
    place, description, bar_base, *lines = sys.argv[1:]
    card = Card(Path(description), int(bar_base, 0), [int(line) for line in lines])
    fuse.FUSE(card, place, foreground=True, nothreads=False, raw_fi=True, direct_io=True)
