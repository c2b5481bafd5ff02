"""Registers that are no memory of this process, as an array of words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, SupportsIndex, cast

import numpy as np
import numpy.typing as npt

from pynq._native import Window
from pynq.errors import AccessError

__all__ = ["RegisterArray"]


class RegisterArray:
    """Registers that are not memory, as an array of words: every item read or written is a bus access.

    Takes integers and slices; slices give numpy arrays and take arrays, sequences or one value.
    """

    __slots__ = ("_plain", "dtype", "window")

    def __init__(self, window: Window, dtype: npt.DTypeLike = "u4") -> None:
        self.window = window
        self.dtype = np.dtype(dtype)
        if self.dtype.kind not in "iuf" or self.dtype.itemsize > 8:
            raise TypeError(f"registers can't be seen as {self.dtype}: it must be an integer or float type")

        self._plain = self.dtype == np.uint32

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
        if type(index) is int and index >= 0 and self._plain:
            return self.window.read(4 * index)
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
        if type(index) is int and index >= 0 and type(value) is int and self._plain:
            self.window.write(4 * index, value)
        elif isinstance(index, slice):
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
