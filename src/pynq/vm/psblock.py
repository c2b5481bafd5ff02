"""Registers of a virtual board's PS: what all blocks have in common, and the port that configures the PL."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Mapping

__all__ = ["CONFIG_PORT", "ConfigPort", "Words", "checksums"]

PAGE = 4096
CONFIG_PORT = 0xFE00_0000

_WORD = 0xFFFF_FFFF


class Words:
    """Registers of 32 bits that keep what is written to them.

    ``start`` has what they hold at first, by offset; others are 0. Accesses of other widths are parts of
    words, or two of them. Subclasses give registers a meaning by :meth:`get` and :meth:`put`.
    """

    def __init__(self, address: int, start: Mapping[int, int] | None = None, size: int = PAGE) -> None:
        self.address = address
        self.size = size
        self.words = dict(start or {})
        self.lock = threading.RLock()

    def get(self, offset: int) -> int:
        """Return a word."""
        return self.words.get(offset, 0)

    def put(self, offset: int, value: int) -> None:
        """Take a word."""
        self.words[offset] = value

    def read(self, offset: int, width: int) -> int:
        """Return 1, 2, 4 or 8 bytes."""
        with self.lock:
            if width == 8:
                return self.get(offset) | self.get(offset + 4) << 32
            word = self.get(offset & ~3)
        return word >> 8 * (offset & 3) & (1 << 8 * width) - 1

    def write(self, offset: int, value: int, width: int) -> None:
        """Take 1, 2, 4 or 8 bytes."""
        with self.lock:
            if width == 8:
                self.put(offset, value & _WORD)
                self.put(offset + 4, value >> 32)
            elif width == 4:
                self.put(offset, value & _WORD)
            else:
                shift = 8 * (offset & 3)
                mask = (1 << 8 * width) - 1 << shift
                self.put(offset & ~3, self.get(offset & ~3) & ~mask | value << shift & mask)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.address:#x}>"


def checksums(image: bytes) -> tuple[int, ...]:
    """Return the CRC32 (as zlib's) of an image for the PL as it is, and with the bytes of its words swapped:
    which of the two a kernel wants depends on the family.
    """
    whole = image[: len(image) // 4 * 4]
    swapped = bytearray(whole)
    for lane in range(4):
        swapped[lane::4] = whole[3 - lane :: 4]
    return zlib.crc32(image), zlib.crc32(bytes(swapped) + image[len(whole) :])


class ConfigPort(Words):
    """The port through which the guest's FPGA manager configures the PL.

    Args:
        known: Names of the images that the PL can be configured with, by their CRC32.
        isolate: Called with True when the PL is cut off, with False when it is connected again.
        load: Called with the name of an image that was transferred as a whole, and its flags (bit 0: it is
            for a region only; the PL is not cut off then).

    ``settled`` tells whether the guest's interrupt controller shows the levels of the PL's interrupts as they
    are; drivers of the guest wait for it before they unmask one (register SETTLED).

    ``fault`` makes a guest's load fail: 1 at its start, 2 while it is transferred, 3 at its end, 4 by never
    ending. ``exit`` is the exit status that the guest has left, None before.
    """

    ID, COMMAND, CRC, SIZE, STATUS, FLAGS, EXIT, FAULT, SETTLED = range(0, 0x24, 4)
    BEGIN, COMPLETE, ABORT = 1, 2, 3
    IDLE, CONFIGURING, OPERATING, ERROR = range(4)
    NEVER = 4  # the fault that a load does not end with
    PARTIAL = 1
    _ID = 0x5156_4D31

    def __init__(
        self,
        known: Mapping[int, str],
        isolate: Callable[[bool], None],
        load: Callable[[str, int], None],
    ) -> None:
        super().__init__(CONFIG_PORT)
        self.known = dict(known)
        self.fault = 0
        self.status = self.IDLE
        self.exit: int | None = None
        self.failure: BaseException | None = None
        self.settled: Callable[[], bool] = lambda: True
        self._isolate = isolate
        self._load = load

    def get(self, offset: int) -> int:
        """Return a register; the command reads 0."""
        if offset == self.EXIT:
            return self.exit or 0
        if offset == self.SETTLED:
            return int(self.settled())
        held = {self.ID: self._ID, self.COMMAND: 0, self.STATUS: self.status, self.FAULT: self.fault}
        return held[offset] if offset in held else super().get(offset)

    def put(self, offset: int, value: int) -> None:
        """Take a register; those that are read-only stay."""
        if offset == self.COMMAND:
            self._command(value)
        elif offset == self.EXIT:
            self.exit = value
        elif offset in (self.CRC, self.SIZE, self.FLAGS):
            super().put(offset, value)

    def _command(self, command: int) -> None:
        partial = self.words.get(self.FLAGS, 0) & self.PARTIAL
        if command == self.BEGIN:
            self.status = self.CONFIGURING
            self.failure = None
            if not partial:
                self._isolate(True)
        elif command == self.COMPLETE and self.status == self.CONFIGURING:
            if self.fault != self.NEVER:
                self._complete()
        elif command == self.ABORT:
            # What was in the PL is gone, but for a region of it.
            self.status = self.ERROR

    def _complete(self) -> None:
        name = self.known.get(self.words.get(self.CRC, 0))
        if name is None:
            self.status = self.ERROR
            return
        flags = self.words.get(self.FLAGS, 0)
        try:
            self._load(name, flags)
        except Exception as error:  # the guest sees a failed load, the host the reason
            self.failure = error
            self.status = self.ERROR
            raise
        self.status = self.OPERATING
        if not flags & self.PARTIAL:
            self._isolate(False)
