"""Register windows, register maps and device memory (C++; sources in native/core)."""

from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex, TypedDict, final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer, CapsuleType

@final
class _Port:
    """What windows on the same registers share."""

    def invalidate(self, reason: str) -> None:
        """Do what :meth:`Window.invalidate` does."""

class Window:
    """Registers of a device from ``base`` (bytes, absolute) on, ``length`` bytes long.

    Accesses are single beats of 1, 2, 4 or (where ``widest`` is 8) 8 bytes, never memcpy. Three kinds, made
    by the static methods; ``Window(window)`` is another handle on the same registers, for subclasses.
    Offsets are multiples of the width (of 4 for 8 bytes). Errors name the window (``name``), offset, width
    and limit.
    """

    def __init__(self, window: Window) -> None: ...
    @property
    def base(self) -> int: ...
    @property
    def length(self) -> int: ...
    @property
    def mapped(self) -> bool:
        """True: the registers are memory of this process."""
    @property
    def widest(self) -> int:
        """Widest single beat in bytes, 4 or 8; 8-byte accesses become two beats of 4 where it is 4."""
    @property
    def invalid(self) -> str | None:
        """Why the window can't be used any more; None: it can."""
    @property
    def memory(self) -> memoryview | None:
        """The memory as bytes; None where the registers are not memory of this process."""
    name: str
    """What error messages call the window; "" to begin with."""

    @property
    def port(self) -> _Port:
        """What all windows made of this one share. Lives as long as one of them; can be referred to
        weakly."""
    @staticmethod
    def from_memory(
        memory: Buffer | npt.NDArray[Any], base: int = 0, widest: int = 4, name: str = ""
    ) -> Window:
        """A window on memory of this process (mmap, numpy array, memoryview), aligned to 4 bytes; keeps it
        alive."""
    @staticmethod
    def from_bus(
        bus: CapsuleType, base: int, length: int, keep: object = None, widest: int = 4, name: str = ""
    ) -> Window:
        """A window on a ``pynq_bus`` (capsule "pynq.bus", see pynq/native.h); keeps the capsule and
        ``keep`` alive."""
    @staticmethod
    def from_functions(
        read: Callable[[int, int], int],
        write: Callable[[int, int, int], object],
        base: int,
        length: int,
        widest: int = 4,
        name: str = "",
        read_block: Callable[[int, int, int], Buffer] | None = None,
        write_block: Callable[[int, int, bytes], object] | None = None,
    ) -> Window:
        """A window on two Python functions: ``read(address, width)`` and ``write(address, value, width)``.

        Where a block is better moved in one piece (another process, another machine) also on
        ``read_block(address, width, count)``, which gives bytes, and ``write_block(address, width, data)``.
        """
    def read(
        self,
        offset: SupportsIndex = 0,
        length: int = 4,
        word_order: str = "little",
        dtype: npt.DTypeLike | None = None,
    ) -> Any:
        """Read 1, 2, 4 or 8 bytes; with ``dtype`` the bits are taken as that type."""
    def write(
        self,
        offset: SupportsIndex,
        data: SupportsIndex | float | Buffer | npt.NDArray[Any] | np.generic | Sequence[Any],
        length: int = 4,
        word_order: str = "little",
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        """Write an int, a float (its IEEE 754 bits), bytes or an array (beats of 4 bytes, or of
        ``length``)."""
    def read_into(self, offset: SupportsIndex, buffer: Buffer | npt.NDArray[Any], length: int = 4) -> None:
        """Fill a writable buffer from ``offset`` on, in beats of ``length`` bytes."""
    def wait_until(
        self,
        offset: SupportsIndex,
        mask: SupportsIndex,
        value: SupportsIndex,
        timeout: float | None = None,
        width: int = 4,
    ) -> int:
        """Wait, outside the interpreter's lock, until ``read(offset) & mask == value``; return what was read.

        Raises WaitTimeoutError after ``timeout`` seconds (of the device's time, where it has one of its own).
        """
    def poll(
        self,
        offset: SupportsIndex,
        mask: SupportsIndex,
        value: SupportsIndex,
        timeout: float | None = None,
        width: int = 4,
    ) -> int:
        """The same as :meth:`wait_until`."""
    def invalidate(self, reason: str) -> None:
        """Every later access, through any window made of this one, raises
        :class:`pynq.errors.OverlayNotLoadedError`."""
    def window(self, offset: SupportsIndex, length: int, name: str = ...) -> Window:
        """A window on a part of this one; they are invalidated together."""

class RegisterBase:
    """A register in a window. :class:`pynq.registers.Register` is built on it."""

    def _bind(
        self,
        window: Window,
        offset: int,
        width: int,
        bits: int,
        readable: bool,
        writable: bool,
        name: str,
        zeros: int = 0,
        ones: int = 0,
        address: int = ...,
        /,
    ) -> None: ...
    def _fetch(self) -> int: ...
    @staticmethod
    def _count(index: int | slice, width: int = 32, /) -> int: ...
    @property
    def _name(self) -> str: ...
    @property
    def _offset(self) -> int: ...
    @property
    def _bits(self) -> int: ...
    @property
    def _access(self) -> str: ...
    @property
    def _window(self) -> Window | None: ...
    @property
    def address(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def access(self) -> str: ...
    def __int__(self) -> int: ...
    def __index__(self) -> int: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> int:
        """Return some bits. Raises FieldValueError for bits that do not exist and for write-only
        registers."""
    def __setitem__(self, index: SupportsIndex | slice, value: SupportsIndex, /) -> None:
        """Replace some bits; the others are read and written back.

        Raises FieldValueError for bits that do not exist, values that do not fit, and read-only registers.
        """

@final
class Field:
    """Bits of a register, as a descriptor on a subclass of RegisterBase."""

    def __init__(
        self,
        name: str,
        lower: int,
        bits: int,
        readable: bool = True,
        writable: bool = True,
        doc: str = ...,
        values: Callable[[int], object] | None = None,
    ) -> None: ...
    @property
    def __name__(self) -> str: ...
    @property
    def lower(self) -> int: ...
    @property
    def bits(self) -> int: ...
    @property
    def readable(self) -> bool: ...
    @property
    def writable(self) -> bool: ...
    @property
    def values(self) -> Callable[[int], object] | None: ...
    def __get__(self, owner: object, kind: type | None = None, /) -> Any: ...
    def __set__(self, owner: object, value: SupportsIndex, /) -> None: ...

class RegisterMapBase:
    """Registers by index, made by ``_make(index)`` when first asked for."""

    def _bind(self, window: Window, count: int, /) -> None: ...
    @property
    def _window(self) -> Window: ...

@final
class Slot:
    """A register of a map, as a descriptor on a subclass of RegisterMapBase."""

    def __init__(self, name: str, index: int, doc: str = ...) -> None: ...
    @property
    def __name__(self) -> str: ...
    @property
    def index(self) -> int: ...
    def __get__(self, owner: object, kind: type | None = None, /) -> Any: ...
    def __set__(self, owner: object, value: object, /) -> None: ...

class PoolFigures(TypedDict):
    """Bytes, but ``pieces`` (of free memory) and ``blocks`` (in use), which count."""

    base: int
    size: int
    free: int
    largest: int
    pieces: int
    blocks: int

@final
class Pool:
    """Hands out ranges of addresses: best fit, merged again when freed. Any thread."""

    def __init__(self, base: int, size: int, granule: int = 4096, name: str = "memory pool") -> None: ...
    def allocate(self, nbytes: int, alignment: int = ...) -> int:
        """Return the address of a free range; AllocationError with the figures when there is none."""
    def free(self, address: int, /) -> None:
        """Give a range back; ValueError where none starts there."""
    def figures(self) -> PoolFigures: ...

@final
class MappedBlock:
    """Memory of a file descriptor (memfd, dma-buf, /dev/udmabuf0), mapped; see
    ``pynq.device.contract.Block``."""

    def __init__(
        self,
        fd: int,
        offset: int,
        nbytes: int,
        physical_address: int,
        on_release: Callable[[], object] | None = None,
        coherent: bool = True,
    ) -> None: ...
    @property
    def physical_address(self) -> int: ...
    @property
    def virtual_address(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def coherent(self) -> bool: ...
    @property
    def released(self) -> bool: ...
    def release(self) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Arena:
    """Memory of a file descriptor, mapped once, handed out as :class:`MappedBlock` of whole zeroed pages.

    The fastest source of blocks (no system call in the usual case). Duplicates the descriptor.
    """

    def __init__(
        self,
        fd: int,
        offset: int,
        size: int,
        physical_address: int,
        coherent: bool = True,
        name: str = "device memory",
    ) -> None: ...
    def allocate(self, nbytes: int, alignment: int = 4096) -> MappedBlock:
        """Return a block; AllocationError with the figures when there is no room."""
    def figures(self) -> PoolFigures: ...

@final
class NativeIP:
    """The C interface of one IP, a ``pynq_ip``; valid as long as this object lives."""

    def __init__(self, window: Window, wait: Callable[[str, float | None], object] | None = None) -> None: ...
    @property
    def pointer(self) -> int: ...
    @property
    def capsule(self) -> CapsuleType: ...
    @property
    def window(self) -> Window: ...
    @property
    def error(self) -> str: ...

@final
class NativeBuffer:
    """Where a buffer is, a ``pynq_buffer``; keeps the buffer alive."""

    def __init__(self, address: int, physical_address: int, nbytes: int, keep: object) -> None: ...
    @property
    def pointer(self) -> int: ...
    @property
    def capsule(self) -> CapsuleType: ...

def address_of(array: npt.NDArray[Any], /) -> int:
    """Return the address of an array's first element in this process."""

def physical_address_of(buffer: Any, /) -> int:
    """``physical_address`` of :class:`pynq.memory.PynqBuffer`; asks its ``_find_address`` in unusual
    cases."""

array_wrap: Callable[..., Any]
"""``__array_wrap__`` of :class:`pynq.memory.PynqBuffer`: scalars become scalars."""
