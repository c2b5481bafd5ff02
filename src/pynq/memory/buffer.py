"""Buffers: numpy arrays in memory that the device can see.

Three rules, which every part of this module serves:

* An array knows its addresses as long as it lies in a buffer: slices, reshapes and views do, results of
  operations do not (:class:`~pynq.errors.NotDeviceMemoryError`). Nothing is stored in views; they ask the
  buffer they belong to.
* Memory is given back once: by :meth:`PynqBuffer.freebuffer`, at the end of a ``with``, or when the last
  array that shows it is gone.
* After that every use through this class raises :class:`~pynq.errors.BufferFreedError`, and what numpy
  still shows are zeros of nobody's memory.
"""

from __future__ import annotations

from math import prod
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from pynq._native import NativeBuffer, address_of, array_wrap, physical_address_of
from pynq.errors import AllocationError, BufferFreedError, NotDeviceMemoryError
from pynq.memory import leaks

if TYPE_CHECKING:
    from typing_extensions import Self

    _Array = np.ndarray[Any, np.dtype[Any]]
else:
    _Array = np.ndarray

__all__ = ["PynqBuffer", "new_buffer"]


class _Block(Protocol):
    """What :class:`pynq.device.contract.Block` is, seen from below."""

    @property
    def physical_address(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def coherent(self) -> bool: ...
    @property
    def released(self) -> bool: ...
    def release(self) -> None: ...


class _Memory(Protocol):
    """What of a device is needed here."""

    def allocate_block(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> Any: ...


class _ForeignBlock:
    """Memory that somebody else allocated and passed to :class:`PynqBuffer`'s constructor."""

    __slots__ = ("bo", "coherent", "nbytes", "physical_address", "released")

    def __init__(self, physical_address: int, nbytes: int, coherent: bool, bo: Any) -> None:
        self.physical_address = physical_address
        self.nbytes = nbytes
        self.coherent = coherent
        self.bo = bo
        self.released = False

    def release(self) -> None:
        self.released = True


class PynqBuffer(_Array):
    """A numpy array in contiguous memory that the device can see. Made by :func:`pynq.allocate`.

    The constructor is for devices that allocate by themselves: what numpy's ``ndarray`` takes (``shape``,
    ``dtype``, ``buffer``), and where the memory is.

    Args:
        device: The device that sees the memory.
        device_address: Physical address of the first byte.
        bo: The device's own handle of the memory, passed to its ``flush`` and ``invalidate``.
        coherent: Whether caches need no care.
    """

    __slots__ = ("__dict__", "_block", "_device")

    _block: _Block
    _device: Any

    def __new__(
        cls,
        *args: Any,
        device: Any = None,
        device_address: int = 0,
        bo: Any = 0,
        coherent: bool = False,
        **kwargs: Any,
    ) -> Self:
        self: Self = super().__new__(cls, *args, **kwargs)
        self._block = _ForeignBlock(device_address, self.nbytes, coherent, bo)
        self._device = device
        return self

    # -- where it is ---------------------------------------------------------------------------------------
    def _owner(self) -> PynqBuffer | None:
        """Return the buffer that this array is a part of, itself perhaps; None: it is no device memory."""
        base: Any = self.base
        array: Any = base if type(base) is PynqBuffer else self  # the usual view: one step
        while isinstance(array, np.ndarray):
            if isinstance(array, PynqBuffer):
                try:
                    array._block  # noqa: B018  unset in views
                except AttributeError:
                    pass
                else:
                    return array
            array = array.base
        return None

    def _live(self) -> PynqBuffer:
        """Return the buffer that this array is a part of, which is not freed."""
        owner = self._owner()
        if owner is None:
            raise NotDeviceMemoryError(
                f"this array of {self.shape} {self.dtype} is no device memory: results of operations and "
                "copies live in ordinary memory; write them into a buffer (buffer[:] = ..., or out=buffer) "
                "for the device to see them"
            )
        if owner._block.released:
            raise BufferFreedError(
                f"the buffer of {owner.shape} {owner.dtype} at 0x{owner._block.physical_address:x} was "
                "freed; allocate a new one"
            )
        return owner

    def _find_address(self) -> int:
        owner = self._live()
        return owner._block.physical_address + address_of(self) - address_of(owner)

    # A property whose getter is C: DMA asks for it at every transfer.
    physical_address: int = cast(
        "int",
        property(
            physical_address_of,
            doc="""Address of the first element as the device sees it.

            Raises:
                BufferFreedError: The buffer was freed.
                NotDeviceMemoryError: The array is the result of an operation or a copy.
            """,
        ),
    )

    @property
    def device_address(self) -> int:
        """The same as :attr:`physical_address`."""
        return self.physical_address

    @property
    def virtual_address(self) -> int:
        """Address of the first element in this process."""
        return address_of(self)

    @property
    def offset(self) -> int:
        """Bytes between the start of the buffer and the first element."""
        return address_of(self) - address_of(self._live())

    @property
    def device(self) -> Any:  # numpy 2 has a read-only attribute of this name
        """The device that sees the memory; None for an array that is no device memory."""
        owner = self._owner()
        return owner._device if owner is not None else None

    @device.setter
    def device(self, device: Any) -> None:
        self._live()._device = device

    @property
    def bo(self) -> Any:
        """The memory as its device knows it: the handle given to the constructor, else the device's block."""
        block: Any = self._live()._block
        return block.bo if isinstance(block, _ForeignBlock) else block

    @property
    def block(self) -> Any:
        """The :class:`~pynq.device.contract.Block` that the array lies in."""
        return self._live()._block

    @property
    def coherent(self) -> bool:
        """True where caches need no care."""
        return self._live()._block.coherent

    @property
    def cacheable(self) -> bool:
        """True where caches need care: the opposite of :attr:`coherent`."""
        return not self.coherent

    @property
    def freed(self) -> bool:
        """True after :meth:`freebuffer`."""
        owner = self._owner()
        return owner is not None and owner._block.released

    @property
    def native(self) -> NativeBuffer:
        """The C interface (``pynq_buffer`` in ``pynq/native.h``); its ``pointer`` goes to a driver in C or
        C++.

        Raises:
            BufferFreedError, NotDeviceMemoryError: As :attr:`physical_address`.
            ValueError: The array is a view with gaps.
        """
        if not (self.flags.c_contiguous or self.flags.f_contiguous):
            raise ValueError(f"a view of {self.shape} with gaps has no C interface; take the whole buffer's")
        return NativeBuffer(address_of(self), self.physical_address, self.nbytes, self)

    # -- its life ------------------------------------------------------------------------------------------
    def freebuffer(self) -> None:
        """Give the memory back, all of it even where this is a view. A second call does nothing.

        A DMA transfer that still uses it is ended first.
        """
        try:
            block = self._block
        except AttributeError:
            owner = self._owner()
            if owner is not None:
                owner.freebuffer()
            return
        if block.released:
            return
        movers = getattr(self.device, "movers", None)
        if movers:
            for mover in list(movers):
                mover._let_go(block)
        block.release()
        if type(self) is PynqBuffer:
            self.__class__ = _FreedBuffer
        if isinstance(block, _ForeignBlock):
            # PYNQ's buffers tell by these attributes whom their memory goes back to.
            attributes = self.__dict__
            if attributes.get("pointer") and attributes.get("return_to"):
                attributes["return_to"].return_pointer(attributes["pointer"])
                attributes["pointer"] = 0

    def close(self) -> None:
        """The same as :meth:`freebuffer`."""
        self.freebuffer()

    def __enter__(self) -> Self:
        self._live()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.freebuffer()

    # -- caches --------------------------------------------------------------------------------------------
    def flush(self) -> None:
        """Make what the program wrote visible to the device. Does nothing where memory is coherent."""
        self._sync("to_device")

    def invalidate(self) -> None:
        """Make what the device wrote visible to the program. Does nothing where memory is coherent."""
        self._sync("from_device")

    def sync_to_device(self) -> None:
        """The same as :meth:`flush`."""
        self._sync("to_device")

    def sync_from_device(self) -> None:
        """The same as :meth:`invalidate`."""
        self._sync("from_device")

    def _sync(self, direction: str) -> None:
        owner = self._live()
        block = owner._block
        if block.coherent or not self.size:
            return
        start = address_of(self) - address_of(owner)
        if self.flags.c_contiguous or self.flags.f_contiguous:
            nbytes = self.nbytes
        else:
            steps = [(count - 1) * stride for count, stride in zip(self.shape, self.strides, strict=True)]
            start += sum(step for step in steps if step < 0)
            nbytes = sum(map(abs, steps)) + self.itemsize
        if isinstance(block, _ForeignBlock):
            method = owner._device.flush if direction == "to_device" else owner._device.invalidate
            method(block.bo, start, address_of(owner) + start, nbytes)
        else:
            owner._device.sync(block, start, nbytes, direction)

    # -- what numpy would do wrong -------------------------------------------------------------------------
    __array_wrap__ = array_wrap

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle as an ordinary array: addresses mean nothing to another process."""
        if self.freed:
            self._live()
        return np.array(self).__reduce_ex__(protocol)

    def __repr__(self) -> str:
        if self.freed:
            return f"<PynqBuffer of {self.shape} {self.dtype}, freed>"
        return super().__repr__()


class _FreedBuffer(PynqBuffer):
    """A buffer after :meth:`~PynqBuffer.freebuffer`: using its items is an error, no longer silent zeros.

    Only numpy's own functions in C and older views get by, and see zeros.
    """

    def __getitem__(self, index: Any) -> Any:
        self._live()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._live()

    def __iter__(self) -> Any:
        self._live()

    def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
        self._live()

    def __array_function__(self, *_: Any, **__: Any) -> Any:
        self._live()


_new_array: Any = np.ndarray.__new__


def new_buffer(
    device: _Memory,
    shape: int | tuple[int, ...],
    dtype: npt.DTypeLike = "u4",
    *,
    cacheable: bool = True,
    target: Any = None,
) -> PynqBuffer:
    """Return a zeroed buffer in memory of ``device``. What :func:`pynq.allocate` does once it knows the
    device.

    Args:
        device: Gives the memory by its ``allocate_block``.
        shape: Of the array.
        dtype: Of its items.
        cacheable: Whether the processor's caches may hold it.
        target: Which of the device's memories, as the device takes it; None: its main one.

    Raises:
        AllocationError: There is not enough contiguous memory; the message gives the figures.
        TypeError: ``dtype`` holds Python objects.
    """
    kind = np.dtype(dtype)
    if kind.hasobject:
        raise TypeError(f"a device can't see Python objects: dtype {kind} must be a type of plain numbers")
    count = prod(shape) if isinstance(shape, (tuple, list)) else shape.__index__()
    if count < 0:
        raise ValueError(f"shape {shape}: dimensions must not be negative")
    nbytes = count * kind.itemsize
    if nbytes >= 1 << 63:
        raise AllocationError(f"a buffer of {nbytes} bytes, shape {shape} of {kind}: no memory is that large")
    block = device.allocate_block(nbytes or 1, cacheable=cacheable, target=target)
    buffer: PynqBuffer = _new_array(PynqBuffer, shape, kind, block)
    buffer._block = block
    buffer._device = device
    if leaks.note is not None:
        leaks.note(block)
    return buffer
