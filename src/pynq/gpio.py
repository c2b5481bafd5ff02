"""GPIO of the processor that reaches the programmable logic (EMIO).

Pins are numbered in two ways. The *user index* counts the EMIO pins from 0, as the slices of the block
design and ``Overlay.gpio_dict`` do. The *GPIO number* counts all pins of the GPIO controller, MIO first;
:meth:`GPIO.get_gpio_pin` turns the first into the second, which is what :class:`GPIO` takes.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, NamedTuple

from pynq.design.model import Processor
from pynq.device import resolve
from pynq.errors import (
    DirectionError,
    FieldValueError,
    OverlayNotLoadedError,
    UnsupportedByDeviceError,
)

if TYPE_CHECKING:
    from pynq.device.base import Device
    from pynq.device.contract import PinLine

__all__ = ["GPIO"]


class Bank(NamedTuple):
    """Pins of a GPIO controller: MIO ones come first, then EMIO ones."""

    mio: int
    emio: int


# UG585 chapter "General Purpose I/O"; UG1085 chapter "General Purpose I/O"; AM011 chapter "GPIO Controller".
BANKS = {Processor.ZYNQ: Bank(54, 64), Processor.ZYNQMP: Bank(78, 96)}
VERSAL_BANKS = {"versal_gpio": Bank(26, 32), "pmc_gpio": Bank(52, 64)}


class GPIO:
    """One GPIO of the processor, or a run of them.

    Objects for the same pin share it, so they must agree on the direction. Errors of direction are
    ``AttributeError`` as in PYNQ.

    Args:
        gpio_index: GPIO number, as :meth:`get_gpio_pin` gives it.
        direction: "in" or "out", seen from the processor.
        device: Where the design is loaded; the active device if None.

    Raises:
        ValueError: ``direction`` is neither, or ``gpio_index`` is no EMIO pin.
        DirectionError: The pin is in use in the other direction.
        UnsupportedByDeviceError: The device has no EMIO GPIO.
    """

    def __init__(self, gpio_index: int, direction: str, *, device: Device | str | None = None) -> None:
        target = resolve(device)
        bank = _bank(target, None)
        if not bank.mio <= gpio_index < bank.mio + bank.emio:
            raise FieldValueError(
                f"GPIO {gpio_index} of device {target.name!r} does not reach the programmable logic: EMIO "
                f"pins are {bank.mio} to {bank.mio + bank.emio - 1}; GPIO.get_gpio_pin(index) gives the "
                "number of an index"
            )
        self._setup(target, gpio_index - bank.mio, direction, 1)
        for pin in self._pins:
            pin.open()

    @classmethod
    def emio(cls, index: int, direction: str, *, width: int = 1, device: Device | str | None = None) -> GPIO:
        """Return the EMIO pins ``index`` to ``index + width - 1`` as one object, opened on first use."""
        gpio = cls.__new__(cls)
        gpio._setup(resolve(device), index, direction, width)
        return gpio

    _gone = ""  # why it must not be used any more

    def _retire(self, reason: str) -> None:
        """Refuse every use from now on: what the pin led to is no longer in the PL."""
        self._gone = f"{self!r}: {reason}"

    def _require(self) -> None:
        if self._gone:
            raise OverlayNotLoadedError(self._gone)

    def _setup(self, device: Device, index: int, direction: str, width: int) -> None:
        if direction not in ("in", "out"):
            raise FieldValueError(f'direction of a GPIO is "in" or "out", not {direction!r}')
        self.device = device
        self._index = index
        self._direction = direction
        self._pins = [_share(device, index + bit, direction) for bit in range(width)]

    @property
    def index(self) -> int:
        """GPIO number of the (first) pin."""
        return self._index + _bank(self.device, None).mio

    @property
    def direction(self) -> str:
        """ "in" or "out", seen from the processor."""
        return self._direction

    @property
    def width(self) -> int:
        """Number of pins."""
        return len(self._pins)

    def read(self) -> int:
        """Return the level; with several pins, a number whose bit 0 is the first pin.

        Raises :class:`~pynq.errors.DirectionError` on an output.
        """
        self._require()
        if self._direction != "in":
            raise DirectionError(f"{self!r} is an output and can't be read: ask for direction 'in'")
        return sum(pin.read() << bit for bit, pin in enumerate(self._pins))

    def write(self, value: int) -> None:
        """Drive 0 or 1; with several pins, a number whose bit 0 goes to the first pin.

        Raises :class:`~pynq.errors.DirectionError` on an input and ``ValueError`` for a value that does not
        fit.
        """
        self._require()
        if self._direction != "out":
            raise DirectionError(f"{self!r} is an input and can't be written: ask for direction 'out'")
        highest = (1 << len(self._pins)) - 1
        if not 0 <= value <= highest:
            raise FieldValueError(f"{self!r} takes 0 to {highest}, not {value!r}")
        for bit, pin in enumerate(self._pins):
            pin.write(int(value) >> bit & 1)

    def release(self) -> None:
        """Give the pin back, also on behalf of other objects for it. A second call does nothing."""
        for pin in self._pins:
            pin.release()

    def __repr__(self) -> str:
        pins = f"{self._index}" if len(self._pins) == 1 else f"{self._index}..{self._index + self.width - 1}"
        return f"<GPIO {self._direction}, EMIO {pins} of {self.device.name!r}>"

    # -- numbers
    @staticmethod
    def get_gpio_base(target_label: str | None = None, *, device: Device | str | None = None) -> int:
        """Return the GPIO number of the controller's first pin: always 0.

        Numbers here count the pins of one controller, as the kernel's GPIO character device does; the global
        numbers of the old sysfs interface are not used.
        """
        _bank(resolve(device), target_label)
        return 0

    @staticmethod
    def get_gpio_pin(
        gpio_user_index: int, target_label: str | None = None, *, device: Device | str | None = None
    ) -> int:
        """Return the GPIO number of EMIO pin ``gpio_user_index`` (counted from 0).

        ``target_label`` names the controller on Versal: "versal_gpio" or "pmc_gpio" (the default).

        Raises ``ValueError`` when there is no such pin or controller.
        """
        target = resolve(device)
        bank = _bank(target, target_label)
        if not 0 <= gpio_user_index < bank.emio:
            raise FieldValueError(
                f"device {target.name!r} has EMIO pins 0 to {bank.emio - 1}, not {gpio_user_index}"
            )
        return bank.mio + gpio_user_index

    @staticmethod
    def get_gpio_npins(target_label: str | None = None, *, device: Device | str | None = None) -> int:
        """Return the number of pins of the GPIO controller, MIO and EMIO."""
        return sum(_bank(resolve(device), target_label))


def _bank(device: Device, label: str | None) -> Bank:
    if device.design is None:
        raise OverlayNotLoadedError(
            f"device {device.name!r} holds no overlay, so its GPIO is unknown; load one first"
        )
    processor = device.design.processor
    if processor is None:
        raise UnsupportedByDeviceError(f"design {device.design.name!r} has no PS and so no GPIO of it")
    if processor is Processor.VERSAL:
        label = label or "pmc_gpio"
        if label not in VERSAL_BANKS:
            raise FieldValueError(
                f"target_label on Versal is {' or '.join(map(repr, VERSAL_BANKS))}, not {label!r}"
            )
        return VERSAL_BANKS[label]
    return BANKS[processor]


class _Pin:
    """An EMIO pin in use, shared by the :class:`GPIO` objects for it."""

    def __init__(self, device: Device, index: int, direction: str) -> None:
        self._device = device
        self.index = index
        self.direction = direction
        self._line: PinLine | None = None
        self.released = False

    def open(self) -> PinLine:
        if self.released:
            raise OverlayNotLoadedError(f"EMIO pin {self.index} has been released")
        if self._line is None:
            self._line = self._device.pin(self.index, self.direction)
        return self._line

    def read(self) -> int:
        try:
            return self.open().read()
        except OverlayNotLoadedError:  # downloaded again since: the pin is still there
            self._line = None
            return self.open().read()

    def write(self, value: int) -> None:
        try:
            self.open().write(value)
        except OverlayNotLoadedError:
            self._line = None
            self.open().write(value)

    def release(self) -> None:
        if not self.released:
            self.released = True
            if self._line is not None:
                self._line.release()


_KEY = "_pynq_gpio_pins"  # in the device's namespace: pins in use, by EMIO index
_sharing = threading.Lock()


def _share(device: Device, index: int, direction: str) -> _Pin:
    with _sharing:
        pins: weakref.WeakValueDictionary[int, _Pin] | None = vars(device).get(_KEY)
        if pins is None:
            pins = vars(device)[_KEY] = weakref.WeakValueDictionary()
        pin = pins.get(index)
        if pin is not None and not pin.released:
            if pin.direction != direction:
                raise DirectionError(
                    f"EMIO pin {index} of {device.name!r} is in use with direction {pin.direction!r}: "
                    f"release that GPIO before asking for {direction!r}"
                )
            return pin
        pin = pins[index] = _Pin(device, index, direction)
        return pin
