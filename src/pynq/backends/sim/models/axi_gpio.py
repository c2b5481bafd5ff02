"""AXI GPIO (PG144): one or two channels of up to 32 tri-state pins, interrupt on a change of an input."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from pynq.backends.sim.model import Model
from pynq.backends.sim.nets import number, parameter
from pynq.backends.sim.regfile import Reg, RegisterSpec, specs_of_model
from pynq.design.model import Cell

__all__ = ["AxiGpio"]

_GLOBAL_ENABLE = 1 << 31


class _Channel(NamedTuple):
    """What the parameters say of a channel."""

    prefix: str  # of its ports
    mask: int
    data: int  # reset value of GPIO_DATA
    tri: int  # reset value of GPIO_TRI, 1: input
    fixed: bool  # all inputs or all outputs: GPIO_TRI can't be written


def _channels(cell: Cell) -> list[_Channel]:
    found = []
    for index, suffix in enumerate(("", "_2")[: 1 + number(parameter(cell, "C_IS_DUAL"))]):

        def value(name: str, default: int, suffix: str = suffix) -> int:
            return number(parameter(cell, f"{name}{suffix}"), default)

        width = number(parameter(cell, "C_GPIO2_WIDTH" if index else "C_GPIO_WIDTH"), 32)
        mask = (1 << width) - 1
        inputs, outputs = value("C_ALL_INPUTS", 0), value("C_ALL_OUTPUTS", 0)
        tri = mask if inputs else 0 if outputs else value("C_TRI_DEFAULT", 0xFFFFFFFF) & mask
        prefix = "gpio2_io" if index else "gpio_io"
        found.append(_Channel(prefix, mask, value("C_DOUT_DEFAULT", 0) & mask, tri, bool(inputs or outputs)))
    return found


class AxiGpio(Model, built_in=True):
    """A bit that is an output reads back what was written, an input what is on its pin.

    Registers: PG144, table "Registers". IP_ISR is toggled by writing ones.
    """

    bindto = ["xilinx.com:ip:axi_gpio"]

    @classmethod
    def specs(cls, cell: Cell) -> list[RegisterSpec]:
        """Return the registers of the channels there are; those of the interrupt only where it is present."""
        declared: dict[str, Reg | int] = {}
        for index, channel in enumerate(_channels(cell)):
            name = "GPIO2" if index else "GPIO"
            declared[f"{name}_DATA"] = Reg(8 * index, reset=channel.data, writable=channel.mask)
            writable = 0 if channel.fixed else channel.mask
            declared[f"{name}_TRI"] = Reg(8 * index + 4, reset=channel.tri, writable=writable)
        if number(parameter(cell, "C_INTERRUPT_PRESENT")):
            both = (1 << len(_channels(cell))) - 1
            declared["GIER"] = Reg(0x11C, writable=_GLOBAL_ENABLE)
            declared["IP_ISR"] = Reg(0x120, writable=both, w1t=both)
            declared["IP_IER"] = Reg(0x128, writable=both)
        return specs_of_model(cls.__name__, declared)

    @classmethod
    def initial(cls, cell: Cell) -> Mapping[str, int]:
        """Return the levels after reset."""
        levels = {}
        for channel in _channels(cell):
            levels[f"{channel.prefix}_o"] = channel.data
            levels[f"{channel.prefix}_t"] = channel.tri
        return levels

    def on_reset(self) -> None:
        """Take the reset values of the parameters."""
        self._channels = _channels(self.cell)
        self._out = [channel.data for channel in self._channels]
        self._tri = [channel.tri for channel in self._channels]
        self._seen = [self._input(index) for index in range(len(self._channels))]
        self._interrupts = bool(number(parameter(self.cell, "C_INTERRUPT_PRESENT")))
        for index in range(len(self._channels)):
            offset = 8 * index
            self.host.on_read(offset, partial(self._level, index))
            self.host.on_write(offset, partial(self._write_data, index))
            self.host.on_write(offset + 4, partial(self._write_tri, index))
        if self._interrupts:
            for offset in (0x11C, 0x120, 0x128):
                self.host.on_write(offset, lambda value, before: self._interrupt())

    def on_pin_gpio_io_i(self, level: int) -> None:
        """See the pins of channel 1 change."""
        self._changed(0, level)

    def on_pin_gpio2_io_i(self, level: int) -> None:
        """See the pins of channel 2 change."""
        self._changed(1, level)

    def explain(self, channel: str) -> str:
        """Return why there is no interrupt."""
        if not self._interrupts:
            return f"{self.name} is built without interrupt"
        pending, enabled = self.host.get(0x120), self.host.get(0x128)
        if not self.host.get(0x11C) & _GLOBAL_ENABLE:
            return f"{self.name} gives no interrupt: GIER is 0"
        if pending & enabled:
            return ""
        return f"{self.name} waits for a change of its inputs: IP_ISR {pending:#x}, IP_IER {enabled:#x}"

    def hears(self) -> list[str]:
        """Return the inputs whose change gives an interrupt."""
        if not self._interrupts or not self.host.get(0x11C) & _GLOBAL_ENABLE:
            return []
        enabled = self.host.get(0x128)
        return [
            f"{channel.prefix}_i"
            for index, channel in enumerate(self._channels)
            if enabled >> index & 1 and self._tri[index]
        ]

    def _input(self, index: int) -> int:
        name = f"{self._channels[index].prefix}_i"
        return self.pin(name).level if name in self._pins else 0

    def _level(self, index: int) -> int:
        tri = self._tri[index]
        return (self._input(index) & tri) | (self._out[index] & ~tri)

    def _write_data(self, index: int, value: int, before: int) -> None:
        self._out[index] = value & self._channels[index].mask
        self._drive(f"{self._channels[index].prefix}_o", self._out[index])

    def _write_tri(self, index: int, value: int, before: int) -> None:
        channel = self._channels[index]
        if not channel.fixed:
            self._tri[index] = value & channel.mask
            self._drive(f"{channel.prefix}_t", self._tri[index])

    def _drive(self, name: str, value: int) -> None:
        if name in self._pins:
            self.pin(name).drive(value)

    def _changed(self, index: int, level: int) -> None:
        moved = (level ^ self._seen[index]) & self._tri[index]
        self._seen[index] = level
        if moved and self._interrupts:
            self.host.set(0x120, self.host.get(0x120) | 1 << index)
            self._interrupt()

    def _interrupt(self) -> None:
        pending = self.host.get(0x120) & self.host.get(0x128)
        enabled = self.host.get(0x11C) & _GLOBAL_ENABLE
        self._drive("ip2intc_irpt", 1 if pending and enabled else 0)
