"""Registers by address: :class:`MMIO` is a window on a device's registers."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from pynq import device as devices
from pynq._native import Window
from pynq.errors import AccessError
from pynq.memory import RegisterArray

if TYPE_CHECKING:
    from pynq.device import Device

__all__ = ["MMIO", "RegisterArray"]


def _origin(device: Device) -> tuple[str, str, str] | None:
    """Return what tells one design from another, None where nothing is loaded."""
    design = device.design
    return None if design is None else (design.file, design.name, design.timestamp)


class MMIO(Window):
    """Registers of a device, ``length`` bytes from the physical address ``base_addr`` on.

    ``read(offset=0, length=4, word_order="little", dtype=None)`` and ``write(offset, data, ...)`` are single
    bus accesses of 1, 2, 4 or 8 bytes at a byte offset; floats, bytes and numpy arrays can be written as
    well. ``wait_until(offset, mask, value, timeout)`` polls a register outside the interpreter's lock.

    The registers stay usable when the same design is downloaded again; once another one is loaded, every
    access raises :class:`~pynq.errors.OverlayNotLoadedError`.

    Args:
        base_addr: Physical address of the first register.
        length: Size in bytes.
        device: The device, or its name; None: the active one.

    Raises:
        AccessError: ``base_addr`` or ``length`` is negative.
        UnsupportedByDeviceError: The device has no registers.
    """

    __slots__ = ("_array", "_origin", "device")

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
        self._origin = _origin(self.device)
        self.device.watchers.add(self)

    def _programmed(self) -> None:
        """Called by the device after each download: open the registers anew if the design is the same."""
        if self._origin is not None and self._origin == _origin(self.device):
            Window.__init__(self, self.device.map(self.base, self.length))
            if hasattr(self, "_array"):
                del self._array

    def _reconfigured(self) -> None:
        """Stay as it is: the window is on addresses, and other threads may be waiting in it."""

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
                self._array = np.ndarray((self.length // 4,), np.uint32, memory)
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
