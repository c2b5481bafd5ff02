"""Registers by address: :class:`MMIO` is a window on a device's registers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex, cast

import numpy as np
import numpy.typing as npt

from pynq import device as devices
from pynq._native import Window
from pynq.errors import AccessError

if TYPE_CHECKING:
    from pynq.device import Device

__all__ = ["MMIO", "RegisterArray"]


class MMIO(Window):
    """Registers of a device, ``length`` bytes from the physical address ``base_addr`` on.

    ``read(offset=0, length=4, word_order="little", dtype=None)`` and ``write(offset, data, ...)`` are single
    bus accesses of 1, 2, 4 or 8 bytes at a byte offset; floats, bytes and numpy arrays can be written as
    well. ``wait_until(offset, mask, value, timeout)`` polls a register outside the interpreter's lock.

    Args:
        base_addr: Physical address of the first register.
        length: Size in bytes.
        device: The device, or its name; None: the active one.

    Raises:
        AccessError: ``base_addr`` or ``length`` is negative.
        UnsupportedByDeviceError: The device has no registers.
    """

    __slots__ = ("_array", "device")

    device: Device
    """Where the registers are."""

    def __init__(
        self,
        base_addr: int,
        length: int = 4,
        device: Device | str | None = None,
        *,
        debug: bool | None = None,
    ) -> None:
        if debug is not None:
            warnings.warn("the keyword debug has no effect any more", DeprecationWarning, stacklevel=2)
        if base_addr < 0 or length < 0:
            raise AccessError(
                f"MMIO(base_addr={base_addr}, length={length}): neither address nor length may be negative"
            )
        self.device = devices.resolve(device)
        super().__init__(self.device.map(base_addr, length))

    @classmethod
    def of(cls, window: Window, device: Device) -> MMIO:
        """Return an MMIO on registers that are mapped already; both are invalidated together."""
        self = cls.__new__(cls)
        self.device = device
        Window.__init__(self, window)
        return self

    @property
    def base_addr(self) -> int:
        """Physical address of the first register."""
        return self.base

    @property
    def array(self) -> Any:
        """The registers as an array of 32-bit words.

        A numpy array (``uint32``, no copy) where the registers are memory of this process, else a
        :class:`RegisterArray`, which makes a bus access for each word. numpy may access memory in beats of
        any width and order, and nothing checks that the overlay is still loaded: use :meth:`read` and
        :meth:`write` where that matters.
        """
        memory = self.memory  # raises when the window is no longer valid
        try:
            return self._array
        except AttributeError:
            self._array: Any
            if memory is None:
                self._array = RegisterArray(self)
            else:
                self._array = np.frombuffer(memory, dtype=np.uint32, count=self.length // 4)
            return self._array

    def read_block(self, offset: SupportsIndex, shape: Any, dtype: npt.DTypeLike = "u4") -> npt.NDArray[Any]:
        """Read a numpy array from consecutive addresses.

        The beats are as wide as the items where those have 1, 2, 4 or 8 bytes, else 4 bytes.

        Args:
            offset: First byte.
            shape: Number of items, or a shape.
            dtype: Type of the items.

        Raises:
            AccessError, AlignmentError, BusError, OverlayNotLoadedError: As :meth:`read`.
        """
        block = np.empty(shape, dtype)
        if block.size:
            self.read_into(offset, block, block.itemsize if block.itemsize in (1, 2, 4, 8) else 4)
        return block

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} is hardware and can't be pickled")


class RegisterArray:
    """Registers that are not memory, as an array of words: every item read or written is a bus access.

    Takes integers and slices; slices give numpy arrays and take arrays, sequences or one value.
    """

    __slots__ = ("dtype", "window")

    def __init__(self, window: Window, dtype: npt.DTypeLike = "u4") -> None:
        self.window = window
        self.dtype = np.dtype(dtype)
        if self.dtype.kind not in "iuf" or self.dtype.itemsize > 8:
            raise TypeError(
                f"registers can't be seen as {self.dtype}: integers and floats of up to 8 bytes can"
            )

    @property
    def shape(self) -> tuple[int]:
        """As numpy's: one dimension."""
        return (len(self),)

    @property
    def ndim(self) -> int:
        """As numpy's: 1."""
        return 1

    @property
    def size(self) -> int:
        """Number of words."""
        return len(self)

    @property
    def itemsize(self) -> int:
        """Bytes a word."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes in all."""
        return len(self) * self.itemsize

    def view(self, dtype: npt.DTypeLike) -> RegisterArray:
        """Return the same registers as words of another type."""
        return RegisterArray(self.window, dtype)

    def __len__(self) -> int:
        return self.window.length // self.dtype.itemsize

    def _position(self, index: SupportsIndex) -> int:
        position = index.__index__()
        if position < 0:
            position += len(self)
        if not 0 <= position < len(self):
            raise AccessError(f"{self!r}: word {index} does not exist")
        return position * self.itemsize

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            block = np.empty(len(range(start, stop, step)), self.dtype)
            if step == 1 and block.size:
                self.window.read_into(start * self.itemsize, block, self.itemsize)
            else:
                for i, word in enumerate(range(start, stop, step)):
                    block[i] = self.window.read(word * self.itemsize, dtype=self.dtype)
            return block
        return self.window.read(self._position(index), dtype=self.dtype)

    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            words = range(start, stop, step)
            block = np.broadcast_to(np.asarray(value).astype(self.dtype), (len(words),))
            if step == 1 and block.size:
                contiguous = np.ascontiguousarray(block)
                self.window.write(start * self.itemsize, contiguous, self.itemsize)
            else:
                for item, word in zip(block, words, strict=True):
                    self.window.write(word * self.itemsize, item, self.itemsize)
        elif isinstance(value, (int, np.integer)) and self.dtype.kind in "iu":
            self.window.write(self._position(index), value, self.itemsize)
        else:
            self.window.write(self._position(index), value, dtype=self.dtype)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError(f"{self!r} is not memory: an array of it is always a copy")
        return cast("npt.NDArray[Any]", self[:] if dtype is None else self[:].astype(dtype))

    def __repr__(self) -> str:
        return f"<RegisterArray of {len(self)} {self.dtype} in {self.window!r}>"
