"""A light of the board that shows one of eight colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pynq.device import resolve
from pynq.errors import DesignError, FieldValueError, OverlayNotLoadedError

if TYPE_CHECKING:
    from pynq._native import Window
    from pynq.device.base import Device

__all__ = [
    "RGBLED",
    "RGB_BLUE",
    "RGB_CLEAR",
    "RGB_CYAN",
    "RGB_GREEN",
    "RGB_MAGENTA",
    "RGB_RED",
    "RGB_WHITE",
    "RGB_YELLOW",
]

RGB_CLEAR, RGB_BLUE, RGB_GREEN, RGB_CYAN, RGB_RED, RGB_MAGENTA, RGB_YELLOW, RGB_WHITE = range(8)

_DATA = 0x0  # PG144, GPIO_DATA


class _Bank:
    """The lights behind one AXI GPIO. They share a register, so they share what was written to it."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.value = 0
        self.start: float = float("inf")


class RGBLED:
    """A three-colour light behind an AXI GPIO: bits 0, 1, 2 are blue, green, red.

    Args:
        index: Number of the light on the board. The lowest number used is the GPIO's first light.
        ip_name: Path of the AXI GPIO.
        start_index: Number of the GPIO's first light, where ``index`` does not tell.
        device: Where the design is loaded; the active device if None.

    Raises:
        ValueError: ``index`` is below ``start_index``, or the design has no such IP.
    """

    def __init__(
        self,
        index: int,
        ip_name: str = "rgbleds_gpio",
        start_index: float = float("inf"),
        device: Device | str | None = None,
    ) -> None:
        if start_index != float("inf") and index < start_index:
            raise FieldValueError(f"the first RGB LED is number {start_index}, so there is no number {index}")
        self.index = index
        self._bank = _bank(resolve(device), ip_name)
        self._bank.start = min(self._bank.start, start_index, index)

    @property
    def _shift(self) -> int:
        return 3 * int(self.index - self._bank.start)

    def on(self, color: int) -> None:
        """Show a colour: 0 to 7, see the ``RGB_...`` constants.

        Raises ``ValueError`` for another number.
        """
        if color not in range(8):
            raise FieldValueError(f"a colour is a number from 0 to 7, not {color!r}")
        self._bank.value = (self._bank.value & ~(0b111 << self._shift)) | int(color) << self._shift
        self._bank.window.write(_DATA, self._bank.value)

    def off(self) -> None:
        """Switch the light off."""
        self.on(RGB_CLEAR)

    def write(self, color: int) -> None:
        """Show a colour; see :meth:`on`."""
        self.on(color)

    def read(self) -> int:
        """Return the colour shown."""
        return self._bank.value >> self._shift & 0b111


_KEY = "_pynq_rgbled_banks"  # in the device's namespace: banks by design and path of their IP


def _bank(device: Device, path: str) -> _Bank:
    design = device.design
    if design is None:
        raise OverlayNotLoadedError(f"RGBLED: device {device.name!r} holds no overlay; load one first")
    loaded, banks = vars(device).get(_KEY, (None, {}))
    if loaded is not design:
        banks = {}
        vars(device)[_KEY] = (design, banks)
    if path not in banks:
        for reach in design.ps_ranges:
            if reach.slave == path:
                banks[path] = _Bank(device.map(reach.base, reach.size))
                break
        else:
            known = sorted({reach.slave for reach in design.ps_ranges if reach.slave})
            raise DesignError(f"RGBLED: design {design.name!r} has no IP {path!r}; it has {', '.join(known)}")
    bank: _Bank = banks[path]
    return bank
