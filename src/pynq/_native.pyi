"""Register windows and device memory (C++; sources in native/core)."""

from collections.abc import Buffer, Callable
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

class Window:
    """Registers of a device from ``base`` (bytes, absolute) on, ``length`` bytes long.

    Accesses are single beats of 1, 2, 4 or 8 bytes, never memcpy. Three kinds, made by the class methods.
    """

    base: int
    length: int
    mapped: bool  # True: the registers are memory of this process

    @staticmethod
    def from_memory(memory: Buffer, base: int = 0, /) -> Window:
        """A window on memory of this process (mmap, numpy array, memoryview); keeps it alive."""

    @staticmethod
    def from_bus(bus: object, base: int, length: int, /, *, keep: object = None) -> Window:
        """A window on a ``pynq_bus`` (capsule "pynq.bus", see pynq/native.h); keeps ``keep`` alive."""

    @staticmethod
    def from_functions(
        read: Callable[[int, int], int], write: Callable[[int, int, int], None], base: int, length: int, /
    ) -> Window:
        """A window on two Python functions: ``read(address, width)`` and ``write(address, value, width)``."""

    def read(self, offset: SupportsIndex = 0, length: int = 4, word_order: str = "little") -> int: ...
    def write(self, offset: SupportsIndex, data: int | float | bytes | npt.NDArray[Any], length: int = 4) -> None: ...
    def poll(self, offset: int, mask: int, value: int, timeout: float | None = None, width: int = 4) -> int: ...
    def invalidate(self, reason: str) -> None:
        """Every later access raises :class:`pynq.errors.OverlayNotLoadedError` with this reason."""

class MappedBlock:
    """Memory of a file descriptor (memfd, dma-buf, /dev/udmabuf0), mapped; see ``pynq.device.contract.Block``."""

    def __init__(
        self,
        fd: int,
        offset: int,
        nbytes: int,
        physical_address: int,
        on_release: Callable[[], None] | None = None,
        coherent: bool = True,
    ) -> None: ...
    physical_address: int
    nbytes: int
    coherent: bool
    released: bool
    def release(self) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
