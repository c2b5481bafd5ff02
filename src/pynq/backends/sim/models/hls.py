"""The control protocol of Vitis HLS kernels with an AXI4-Lite port (UG1399, "S_AXILITE Control
Register Map").
"""

from __future__ import annotations

from collections.abc import Callable

from pynq.backends.sim.model import Model
from pynq.backends.sim.regfile import Reg, RegisterSpec, specs_of_model
from pynq.design.model import Cell
from pynq.errors import ModelError

__all__ = ["HlsModel"]

_START, _DONE, _IDLE, _READY, _AUTO_RESTART = 0x01, 0x02, 0x04, 0x08, 0x80
_CONTROL_FIELDS = {
    "AP_START": (0, 1),
    "AP_DONE": (1, 1),
    "AP_IDLE": (2, 1),
    "AP_READY": (3, 1),
    "AUTO_RESTART": (7, 1),
}
_CTRL, _GIE, _IER, _ISR = 0x00, 0x04, 0x08, 0x0C


class HlsModel(Model):
    """Base class for models of HLS kernels: ``async def compute(self)`` is one run, from AP_START to AP_DONE.

    Keeps AP_START, AP_DONE (cleared by a read), AP_IDLE, AP_READY, AUTO_RESTART, the interrupt registers and
    the ``interrupt`` output as the generated hardware does. Arguments are the kernel's registers:
    ``self.registers.n``. A kernel without control registers (``ap_ctrl_none``) runs again and again.
    """

    @classmethod
    def specs(cls, cell: Cell) -> list[RegisterSpec]:
        """Return the control registers, before those of the description, and what the model declares."""
        control = cls._control_port(cell)
        own = specs_of_model(cls.__name__, cls.registers)
        if control is None:
            return own
        declared: dict[str, Reg | int] = {
            "CTRL": Reg(
                _CTRL,
                reset=_IDLE,
                writable=_START | _AUTO_RESTART,
                clear_on_read=_DONE | _READY,
                fields=_CONTROL_FIELDS,
                port=control,
            ),
            "GIER": Reg(_GIE, writable=1, port=control),
            "IP_IER": Reg(_IER, writable=3, port=control),
            "IP_ISR": Reg(_ISR, writable=3, w1t=3, port=control),
        }
        return [*specs_of_model(cls.__name__, declared), *own]

    @staticmethod
    def _control_port(cell: Cell) -> str | None:
        for block in cell.blocks:
            for register in block.registers:
                named = register.name.upper() in ("CTRL", "CONTROL", "AP_CTRL")
                if named and block.offset + register.offset == 0:
                    return block.interface
        return None

    async def compute(self) -> None:
        """Do one run of the kernel."""
        raise ModelError(f"{type(self).__name__} has no compute(): an HlsModel's work goes there")

    async def main(self) -> None:
        """Follow the control protocol."""
        self._port_of_control = self._control_port(self.cell)
        if self._port_of_control is None:
            while True:
                before = self.engine.now
                await self.compute()
                if self.engine.now == before:
                    await self.cycles(1)
        for offset in (_GIE, _IER, _ISR):
            self.host.on_write(offset, lambda value, previous: self._interrupt(), port=self._port_of_control)
        while True:
            while not self._get(_CTRL) & _START:
                await self.written("CTRL")
            self._set(_CTRL, 0, _IDLE)
            await self.compute()
            again = bool(self._get(_CTRL) & _AUTO_RESTART)
            self._set(_CTRL, _DONE | _READY | (_START if again else _IDLE), _DONE | _READY | _IDLE | _START)
            self._set(_ISR, self._get(_ISR) | self._get(_IER) & 3)
            self._interrupt()
            await self.cycles(1)

    def _wrote(
        self, key: tuple[str, int], handler: Callable[[int], None] | None, value: int, before: int
    ) -> None:
        if key == (self._port_of_control, _CTRL) and before & _START:
            self._set(_CTRL, _START, _START)  # writing 0 stops nothing: only the kernel's end clears it
        super()._wrote(key, handler, value, before)

    def _get(self, offset: int) -> int:
        return self.host.get(offset, port=self._port_of_control or "")

    def _set(self, offset: int, value: int, mask: int = -1) -> None:
        self.host.set(offset, value, mask=mask, port=self._port_of_control or "")

    def _interrupt(self) -> None:
        if "interrupt" in self._pins:
            self.pin("interrupt").drive(
                int(bool(self._get(_GIE) & 1 and self._get(_ISR) & self._get(_IER) & 3))
            )
