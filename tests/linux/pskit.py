"""Registers of a PS as memory of the test, and a GPIO character device that behaves."""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pynq._native import Window
from pynq.backends.kernel import Descriptor, Kernel, failure
from pynq.design.model import Processor


@dataclass
class Board:
    processor: Processor | None


@dataclass
class Registers:
    """Pages of registers by address; ``denied`` is a user without /dev/mem.

    ``log`` has every page that was mapped. A page is plain memory, unless ``lock`` (the offset of a status
    register) says that it takes writes only when unlocked.
    """

    words: dict[int, int] = field(default_factory=dict)
    denied: bool = False
    log: list[int] = field(default_factory=list)
    written: list[tuple[int, int]] = field(default_factory=list)
    locked: bool = False  # the SLCR
    protected: bool = False  # the CRP

    def physical(self, address: int, length: int) -> Window:
        if self.denied:
            raise failure(errno.EACCES, "open", "/dev/mem")
        assert (address % 0x1000, length) == (0, 0x1000)
        self.log.append(address)
        return Window.from_functions(self._read, self._write, address, length)

    def _read(self, address: int, width: int) -> int:
        assert width == 4
        if address == 0xF800_000C:
            return int(self.locked)
        if address == 0xF126_001C:
            return int(self.protected)
        return self.words.get(address, 0)

    def _write(self, address: int, value: int, width: int) -> None:
        assert width == 4
        if (address, value) == (0xF800_0008, 0xDF0D):
            self.locked = False
        elif (address, value) == (0xF800_0004, 0x767B):
            self.locked = True
        elif address == 0xF126_001C:
            self.protected = bool(value & 1)
        elif not (address >> 12 == 0xF8000 and self.locked) and not (
            address >> 12 == 0xF1260 and self.protected
        ):
            self.words[address] = value
            self.written.append((address, value))


@dataclass
class Line:
    consumer: str = ""
    output: bool = False
    level: int = 0


@dataclass
class Chip:
    """A GPIO controller behind /dev/gpiochipN."""

    label: str
    count: int
    lines: dict[int, Line] = field(default_factory=dict)

    def line(self, number: int) -> Line:
        return self.lines.setdefault(number, Line())


class FakeLine(Descriptor):
    """What GPIO_V2_GET_LINE gives."""

    def __init__(self, kernel: Kernel, name: str, descriptor: int, line: Line) -> None:
        super().__init__(kernel, name, descriptor)
        self.line = line

    def ioctl(self, operation: str, request: int, argument: bytearray, hint: str = "") -> None:
        def act() -> None:
            bits, mask = struct.unpack("=QQ", argument)
            assert mask == 1
            if request == 0xC010B40E:
                struct.pack_into("=Q", argument, 0, self.line.level)
            elif request == 0xC010B40F:
                if not self.line.output:
                    raise PermissionError(errno.EPERM, "an input")
                self.line.level = bits & 1
            else:
                raise OSError(errno.ENOTTY, "?")

        self._call(operation, act, hint)

    def close(self) -> None:
        if self.fileno() >= 0:
            self.line.consumer = ""
        super().close()


class FakeChip(Descriptor):
    """An open /dev/gpiochipN, as Linux 5.10 and newer answer."""

    def __init__(self, kernel: GpioKernel, name: str, chip: Chip) -> None:
        super().__init__(kernel, name, os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC))
        self.gpio = kernel
        self.chip = chip

    def ioctl(self, operation: str, request: int, argument: bytearray, hint: str = "") -> None:
        def act() -> None:
            if request == 0x8044B401:
                struct.pack_into(
                    "=32s32sI", argument, 0, b"gpiochip0", self.chip.label.encode(), self.chip.count
                )
            elif request == 0xC100B405:
                (number,) = struct.unpack_from("=I", argument, 64)
                line = self.chip.line(number)
                flags = (1 if line.consumer else 0) | (8 if line.output else 4)
                struct.pack_into("=32s32sIIQ", argument, 0, b"", line.consumer.encode(), number, 0, flags)
            elif request == 0xC250B407:
                self.request(argument)
            else:
                raise OSError(errno.ENOTTY, "?")

        self._call(operation, act, hint)

    def request(self, argument: bytearray) -> None:
        if self.gpio.old:
            raise OSError(errno.EINVAL, "version 1")
        number, count = (*struct.unpack_from("=I", argument, 0), *struct.unpack_from("=I", argument, 560))
        if count != 1 or number >= self.chip.count:
            raise OSError(errno.EINVAL, "offsets")
        (flags,) = struct.unpack_from("=Q", argument, 288)
        if flags not in (4, 8):
            raise OSError(errno.EINVAL, "flags")
        line = self.chip.line(number)
        if line.consumer:
            raise OSError(errno.EBUSY, "busy")
        line.consumer = bytes(argument[256:288]).rstrip(b"\0").decode()
        line.output = flags == 8
        if line.output:
            attributes, kind, values, mask = (
                *struct.unpack_from("=I", argument, 296),
                *struct.unpack_from("=I", argument, 320),
                *struct.unpack_from("=QQ", argument, 328),
            )
            line.level = values & mask & 1 if attributes and kind == 2 else 0
        descriptor = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self.gpio.given[descriptor] = line
        struct.pack_into("=i", argument, 588, descriptor)


class GpioKernel(Kernel):
    """A kernel whose /dev/gpiochip* are chips; ``fail`` makes operations fail by name, every time."""

    def __init__(self, root: Path, chips: dict[str, Chip]) -> None:
        super().__init__(root)
        self.chips = chips
        self.given: dict[int, Line] = {}
        self.fail: dict[str, int] = {}
        self.old = False
        self.opened: list[str] = []
        (root / "dev").mkdir(parents=True, exist_ok=True)
        for name in chips:
            (root / "dev" / name).touch()

    def call(self, operation: str, name: str, function: Any, hint: str = "") -> Any:
        if operation in self.fail:
            raise failure(self.fail[operation], operation, name, hint)
        return super().call(operation, name, function, hint)

    def open(self, name: str, **options: Any) -> Descriptor:
        chip = self.chips.get(name.removeprefix("/dev/"))
        if chip is None:
            return super().open(name, **options)
        self.opened.append(name)
        if "open" in self.fail:
            raise failure(self.fail["open"], "open", name)
        return FakeChip(self, name, chip)

    def adopt(self, name: str, descriptor: int) -> Descriptor:
        return FakeLine(self, name, descriptor, self.given[descriptor])


def put(root: Path, name: str, data: bytes | str) -> Path:
    """Make a file of sysfs or of the device tree."""
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path
