"""Clocks of the processor and those it gives to the programmable logic."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from pynq.design.model import Clock, Processor
from pynq.device import resolve
from pynq.errors import FieldValueError, OverlayNotLoadedError, PynqWarning, UnsupportedByDeviceError

if TYPE_CHECKING:
    from pynq.device.base import Device

__all__ = ["DEFAULT_PL_CLK_MHZ", "Clocks"]

DEFAULT_PL_CLK_MHZ = 100.0

# Parameters of the PS cell that hold the frequency reached, in MHz (Vivado's names).
_CPU_MHZ = {
    Processor.ZYNQ: ("PCW_ACT_APU_PERIPHERAL_FREQMHZ", "PCW_APU_PERIPHERAL_FREQMHZ"),
    Processor.ZYNQMP: (
        "PSU__CRF_APB__ACPU_CTRL__ACT_FREQMHZ",
        "PSU__CRF_APB__ACPU_CTRL__FREQMHZ",
    ),
}


def _pl_clock(index: int) -> property:
    """Return the property, in MHz, for one of the clocks that the PS gives to the PL."""

    def get(cls: _ClocksMeta) -> float:
        return cls.get_pl_clk(index)

    def put(cls: _ClocksMeta, clk_mhz: float) -> None:
        cls.set_pl_clk(index, clk_mhz=clk_mhz)

    return property(get, put, doc=f"Frequency of PL clock {index} in MHz; can be set.")


class _ClocksMeta(type):
    """Gives the class ``Clocks`` its properties, which are used without an instance."""

    device: Device | str | None = None

    @property
    def cpu_mhz(cls) -> float:
        """Clock of the application processor in MHz, as the description configures it.

        Raises :class:`~pynq.errors.UnsupportedByDeviceError` where the description does not tell.
        """
        device = resolve(cls.device)
        design = device.design
        if design is None:
            raise OverlayNotLoadedError(f"device {device.name!r} holds no overlay; load one first")
        if design.processor in _CPU_MHZ:
            parameters = design.cells[design.ps].parameters
            for name in _CPU_MHZ[design.processor]:
                if name in parameters:
                    return round(float(parameters[name]), 6)
        raise UnsupportedByDeviceError(f"design {design.name!r} does not tell the processor's frequency")

    fclk0_mhz, fclk1_mhz, fclk2_mhz, fclk3_mhz = map(_pl_clock, range(4))
    # The names of the ports of the UltraScale+ and Versal PS.
    pl_clk0_mhz, pl_clk1_mhz, pl_clk2_mhz, pl_clk3_mhz = fclk0_mhz, fclk1_mhz, fclk2_mhz, fclk3_mhz

    def get_pl_clk(cls, clk_idx: int) -> float:
        """Return the frequency of PL clock ``clk_idx`` (0 to 3) in MHz, read from the device.

        Raises ``ValueError`` for another index and :class:`~pynq.errors.UnsupportedByDeviceError` where the
        device has no PL clocks.
        """
        return round(resolve(cls.device).clock_rate(_checked(clk_idx)) / 1e6, 6)

    def set_pl_clk(
        cls,
        clk_idx: int,
        div0: int | None = None,
        div1: int | None = None,
        clk_mhz: float = DEFAULT_PL_CLK_MHZ,
    ) -> None:
        """Set PL clock ``clk_idx`` (0 to 3).

        Args:
            clk_idx: Number of the clock.
            div0: First divisor of the clock's source. With one divisor given, the other is chosen to come
                near ``clk_mhz``; with both, ``clk_mhz`` is ignored.
            div1: Second divisor (Versal has none and ignores it).
            clk_mhz: Frequency wanted, in MHz.

        Raises:
            ValueError: The index, a divisor or the frequency is out of range.

        Warns when the frequency reached differs by more than 1 % from the one wanted.
        """
        device = resolve(cls.device)
        _checked(clk_idx)
        if not clk_mhz > 0:
            raise FieldValueError(f"frequency of PL clock {clk_idx} must be above 0 MHz, not {clk_mhz!r}")
        wanted = clk_mhz * 1e6
        if div0 is not None or div1 is not None:
            wanted = _divided(device, clk_idx, div0, div1, wanted)
        reached = device.set_clock_rate(clk_idx, wanted)
        if abs(reached - wanted) > 0.01 * wanted:
            warnings.warn(
                f"PL clock {clk_idx} of {device.name!r} runs at {reached / 1e6:.5f} MHz, the nearest to the "
                f"{wanted / 1e6:.5f} MHz wanted",
                PynqWarning,
                stacklevel=2,
            )

    #: Names of PYNQ before 2.0.
    get_fclk = get_pl_clk
    set_fclk = set_pl_clk

    def set_device(cls, device: Device | str | None) -> None:
        """Drive the clocks of this device from now on; None means the active device."""
        cls.device = device


class Clocks(metaclass=_ClocksMeta):
    """The clocks of the processor and of the programmable logic, used without an instance.

    ``Clocks.fclk0_mhz`` to ``fclk3_mhz`` (also ``pl_clk0_mhz`` to ``pl_clk3_mhz``) read and set the PL
    clocks, ``Clocks.cpu_mhz`` reads the processor's. Loading an overlay selects its device
    (:meth:`set_device`).
    """

    __slots__ = ()


def _checked(index: int) -> int:
    if index not in range(4):
        raise FieldValueError(f"PL clocks are 0 to 3, not {index!r}")
    return index


def _divided(device: Device, index: int, div0: int | None, div1: int | None, wanted: float) -> float:
    """Return the frequency in Hz that the divisors give. The source is known from the description."""
    clock = _described(device, index)
    product = 1
    for divisor in clock.divisors:
        product *= divisor
    source = (clock.frequency or 0) * product
    versal = device.design is not None and device.design.processor is Processor.VERSAL
    highest = 1023 if versal else 63
    if versal:
        div1 = 1
    if div0 is None:
        div0 = round(source / wanted / (div1 or 1))
    if div1 is None:
        div1 = round(source / wanted / (div0 or 1))
    for name, divisor in (("div0", div0), ("div1", div1)):
        if not 1 <= divisor <= highest:
            raise FieldValueError(f"{name} of PL clock {index} must be 1 to {highest}, not {divisor}")
    return source / (div0 * div1)


def _described(device: Device, index: int) -> Clock:
    if device.design is None:
        raise OverlayNotLoadedError(f"device {device.name!r} holds no overlay; load one first")
    for clock in device.design.clocks:
        if clock.index == index and clock.divisors and clock.frequency:
            return clock
    raise UnsupportedByDeviceError(
        f"design {device.design.name!r} does not tell the source and divisors of PL clock {index}: set it by "
        "clk_mhz"
    )
