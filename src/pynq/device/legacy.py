"""The device protocol of PYNQ, adapted to ours in this one place.

A third-party device subclasses ``pynq.Device``, calls ``super().__init__(tag)`` and defines some of:

=============================================  ========================================================
``capabilities``                               ``{"MEMORY_MAPPED": True}``, ``REGISTER_RW``, ``CALLABLE``
``mmap(base, length)``                         an array of 32-bit words over the registers (``MEMORY_MAPPED``)
``read_registers(address, length)``            bytes, whole words of 32 bits (``REGISTER_RW``)
``write_registers(address, data)``             takes bytes, whole words of 32 bits (``REGISTER_RW``)
``allocate(shape, dtype, **kwargs)``           a ``PynqBuffer``; or ``default_memory`` with that method
``flush(bo, offset, address, nbytes)``         caches to memory; ``invalidate`` the other way
``download(bitstream, parser)``                programs the device, then calls ``post_download``
``get_bitfile_metadata(bitfile_name)``         an object with ``ip_dict`` and its sisters
``get_memory(description)``                    what stands for a memory of the overlay
``_probe_()``, ``_probe_priority_``            the devices present (class method); a lower number is preferred
=============================================  ========================================================

The methods of :class:`pynq.device.base.Device` come here where a subclass has not overridden them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from pynq import _native
from pynq.errors import DeviceNotFoundError, UnsupportedByDeviceError

if TYPE_CHECKING:
    from pynq.design.model import Design

__all__ = ["BufferBlock", "OldProtocol", "ProbedBackend", "map_registers"]


class Bitstream(Protocol):
    """What a device sees of :class:`pynq.bitstream.Bitstream`."""

    bitfile_name: str
    dtbo: str | None
    partial: bool
    timestamp: str
    described: bool
    region: str
    rtl: Any
    description_file: Path | None

    @property
    def image(self) -> Path | None: ...

    @property
    def whole(self) -> Design: ...

    @property
    def design(self) -> Design: ...


class OldProtocol:
    """What PYNQ's ``Device`` offers to its users and subclasses beside the contract of today."""

    name: str
    bitfile_name: str = ""
    timestamp: str = ""
    parser: Any = None

    @property
    def tag(self) -> str:
        """The name, as PYNQ calls it."""
        return self.name

    def has_capability(self, cap: str) -> bool:
        """Say whether ``capabilities`` declares ``cap`` ("MEMORY_MAPPED", "REGISTER_RW", "CALLABLE", ...)."""
        declared: Mapping[str, Any] | None = getattr(self, "capabilities", None)
        return bool(declared and declared.get(cap))

    def set_bitfile_name(self, bitfile_name: str) -> None:
        """Remember which bitstream is going to be loaded, and read what the device knows about it."""
        self.bitfile_name = bitfile_name
        self.parser = self.get_bitfile_metadata(bitfile_name)

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Return an object with ``ip_dict`` and its sisters, or None: the hand-off file tells."""
        return None

    def post_download(self, bitstream: Any, parser: Any = None, name: str = "Unknown") -> None:
        """Note that a bitstream is in the PL now; a device's own ``download`` calls this at its end."""
        if not bitstream.partial:
            bitstream.timestamp = timestamp()
            self.reset(parser, bitstream.timestamp, bitstream.bitfile_name)

    def reset(
        self, parser: Any = None, timestamp: str | None = None, bitfile_name: str | None = None
    ) -> None:
        """Note what is loaded; None leaves a value as it is."""
        self.parser = parser if parser is not None else self.parser
        self.timestamp = timestamp if timestamp is not None else self.timestamp
        self.bitfile_name = bitfile_name if bitfile_name is not None else self.bitfile_name

    def shutdown(self) -> None:
        """Quiesce the PL before it is programmed. A device that can't, or need not, has nothing to do."""

    def insert_device_tree(self, abs_dtbo: str) -> None:
        """Apply a device-tree overlay. A device without a device tree has nothing to do."""

    def remove_device_tree(self, abs_dtbo: str) -> None:
        """Take a device-tree overlay out again. A device without a device tree has nothing to do."""

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self


def timestamp() -> str:
    """Return the time of a download as PYNQ writes it: year/month/day hour:minute:second +microsecond."""
    now = datetime.now()
    return f"{now.year}/{now.month}/{now.day} {now.hour}:{now.minute}:{now.second} +{now.microsecond}"


def map_registers(device: OldProtocol, base: int, length: int) -> _native.Window:
    """Return a window made from ``mmap``, or from ``read_registers`` and ``write_registers``.

    Raises :class:`~pynq.errors.UnsupportedByDeviceError` when the device declares neither capability.
    """
    old: Any = device
    if device.has_capability("MEMORY_MAPPED"):
        registers = old.mmap(base, length)
        try:
            return _native.Window.from_memory(registers, base)
        except (TypeError, BufferError):  # an indexable that is no memory, such as a proxy's
            return _window_on_words(*_indexed(registers, base), base, length)
    if device.has_capability("REGISTER_RW"):

        def read(address: int, nbytes: int) -> bytes:
            return bytes(old.read_registers(address, nbytes))

        return _window_on_words(read, old.write_registers, base, length)
    raise UnsupportedByDeviceError(
        f"device {device.name!r} has no register windows: {type(device).__name__} defines neither map() nor "
        "capabilities with MEMORY_MAPPED (and mmap) or REGISTER_RW (and read_registers, write_registers)"
    )


_Read = Callable[[int, int], bytes]
_Write = Callable[[int, bytes], object]


def _window_on_words(read: _Read, write: _Write, base: int, length: int) -> _native.Window:
    """Return a window on functions that move whole, aligned words of 32 bits, any number at once.

    Of a narrower access the device sees the word: a read takes its part of it, a write reads the word first
    and puts the rest back as it was.
    """

    def read_block(address: int, width: int, count: int) -> bytes:
        before, nbytes = address % 4, width * count
        return read(address - before, before + nbytes + -(before + nbytes) % 4)[before : before + nbytes]

    def write_block(address: int, width: int, data: bytes) -> None:
        before, after = address % 4, -(address + len(data)) % 4
        end = address + len(data) + after
        first = read(address - before, 4)[:before] if before else b""
        last = read(end - 4, 4)[4 - after :] if after else b""
        write(address - before, first + bytes(data) + last)

    def read_one(address: int, width: int) -> int:
        return int.from_bytes(read_block(address, width, 1), "little")

    def write_one(address: int, value: int, width: int) -> None:
        write_block(address, width, value.to_bytes(width, "little"))

    return _native.Window.from_functions(
        read_one, write_one, base, length, read_block=read_block, write_block=write_block
    )


def _indexed(words: Any, base: int) -> tuple[_Read, _Write]:
    """Return such functions for an indexable of 32-bit words."""

    def read(address: int, nbytes: int) -> bytes:
        first = (address - base) // 4
        return b"".join(
            (int(words[first + i]) & 0xFFFFFFFF).to_bytes(4, "little") for i in range(nbytes // 4)
        )

    def write(address: int, data: bytes) -> None:
        first = (address - base) // 4
        for i in range(len(data) // 4):
            words[first + i] = int.from_bytes(data[4 * i : 4 * i + 4], "little")

    return read, write


class BufferBlock:
    """A :class:`~pynq.device.contract.Block` over the buffer that a device's ``allocate`` gave."""

    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer
        self.physical_address = int(buffer.physical_address)
        self.nbytes = int(buffer.nbytes)
        self.coherent = bool(buffer.coherent)
        self.released = False

    def release(self) -> None:
        """Give the buffer back. A second call does nothing."""
        if not self.released:
            self.released = True
            self.buffer.freebuffer()


_D = TypeVar("_D", bound=OldProtocol)


class ProbedBackend(Generic[_D]):
    """A class with ``_probe_`` and ``_probe_priority_`` as a backend of the registry."""

    def __init__(self, owner: type[_D]) -> None:
        self._owner = cast("Any", owner)
        self.scheme = owner.__name__.lower()
        # There a lower number is preferred, and all of them come before the simulated board's priority 0.
        self.priority = max(1, 1000 - int(self._owner._probe_priority_))
        self.why = f"found by {owner.__module__}.{owner.__qualname__}._probe_"
        self._found: dict[str, _D] = {}

    def probe(self) -> list[str]:
        """Ask the class once; later calls give the same devices."""
        if not self._found:
            self._found = {f"{self.scheme}:{device.name}": device for device in self._owner._probe_()}
        return list(self._found)

    def open(self, spec: str) -> _D:
        """Return a device that :meth:`probe` found."""
        known = self.probe()
        if spec not in known:
            raise DeviceNotFoundError(f"no device {spec!r}; present: {', '.join(known) or 'none'}")
        return self._found[spec]
