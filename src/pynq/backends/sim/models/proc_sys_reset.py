"""Processor System Reset Module (PG164): the resets of one clock domain, released one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pynq.backends.sim.model import Model
from pynq.backends.sim.nets import number, parameter
from pynq.design.model import Cell

__all__ = ["ProcSysReset"]

_STEP = 16  # cycles between the ends of the resets (PG164, "Reset Sequence")

# Outputs by the order of their release; the level while in reset.
_SEQUENCE = (
    (("bus_struct_reset", 1), ("interconnect_aresetn", 0)),
    (("peripheral_reset", 1), ("peripheral_aresetn", 0)),
    (("mb_reset", 1),),
)


class ProcSysReset(Model, built_in=True):
    """All outputs are active from the start.

    They end 16 cycles apart: interconnects, peripherals, processor.
    """

    bindto = ["xilinx.com:ip:proc_sys_reset"]
    handles_reset = True

    @classmethod
    def initial(cls, cell: Cell) -> Mapping[str, int]:
        """Return the levels in reset."""
        return {
            name: _all(cell, name, level) for step in _SEQUENCE for name, level in step if name in cell.ports
        }

    def on_reset(self) -> None:
        """Begin in reset, and leave it if nothing asks for it."""
        self._active = True
        self._timers: list[int] = []
        external = number(parameter(self.cell, "C_EXT_RESET_HIGH"), 0)
        auxiliary = number(parameter(self.cell, "C_AUX_RESET_HIGH"), 0)
        # (input, its active level, cycles it must last)
        self._inputs = [
            ("ext_reset_in", external, number(parameter(self.cell, "C_EXT_RST_WIDTH"), 4)),
            ("aux_reset_in", auxiliary, number(parameter(self.cell, "C_AUX_RST_WIDTH"), 4)),
            ("mb_debug_sys_rst", 1, 1),
            ("dcm_locked", 0, 1),
        ]
        self._connected = {name for name, _, _ in self._inputs if self.driven(name)}
        self._release()

    def on_pin_ext_reset_in(self, level: int) -> None:
        """Take part in the reset condition."""
        self._changed()

    def on_pin_aux_reset_in(self, level: int) -> None:
        """Take part in the reset condition."""
        self._changed()

    def on_pin_mb_debug_sys_rst(self, level: int) -> None:
        """Take part in the reset condition."""
        self._changed()

    def on_pin_dcm_locked(self, level: int) -> None:
        """Take part in the reset condition."""
        self._changed()

    def _wanted(self) -> str:
        """Return the input that asks for a reset, "" without one. Unconnected inputs are inactive."""
        for name, active, _ in self._inputs:
            if name in self._connected and self.pin(name).level == active:
                return name
        return ""

    def _changed(self) -> None:
        for timer in self._timers:
            self.host.cancel(timer)
        self._timers = []
        wanted = self._wanted()
        if not wanted:
            if self._active:
                self._release()
        elif not self._active:
            width = next(width for name, _, width in self._inputs if name == wanted)
            self._timers = [self.host.after(width, self._assert)]

    def _assert(self) -> None:
        self._timers = []
        self._active = True
        for step in _SEQUENCE:
            self._drive(step, True)
        if not self._wanted():
            self._release()

    def _release(self) -> None:
        if self._wanted():
            return
        for place, step in enumerate(_SEQUENCE):
            final = place == len(_SEQUENCE) - 1
            self._timers.append(self.host.after(_STEP * (place + 1), partial(self._end, step, final)))

    def _end(self, step: tuple[tuple[str, int], ...], final: bool) -> None:
        self._drive(step, False)
        if final:
            self._active = False
            self._timers = []

    def _drive(self, step: tuple[tuple[str, int], ...], active: bool) -> None:
        for name, level in step:
            if name in self.cell.ports:
                self.pin(name).drive(_all(self.cell, name, level if active else 1 - level))


def _all(cell: Cell, name: str, level: int) -> int:
    return ((1 << cell.ports[name].width) - 1) * level
