"""AXI Interrupt Controller (PG099): up to 32 inputs to one output, cascaded through ``irq_in``.

Without fast mode.
"""

from __future__ import annotations

from collections.abc import Mapping

from pynq.backends.sim.model import Model
from pynq.backends.sim.nets import number, parameter
from pynq.backends.sim.regfile import Reg, RegisterSpec, specs_of_model
from pynq.design.model import Cell

__all__ = ["AxiIntc"]

_ISR, _IPR, _IER, _IAR, _SIE, _CIE, _IVR, _MER, _IMR, _ILR = range(0x00, 0x28, 4)
_ME, _HIE = 1, 2
_ALL = 0xFFFFFFFF
_NONE_PENDING = 0xFFFFFFFF  # IVR when nothing is pending (PG099, "Interrupt Vector Register")
_CASCADE_BIT = 31


class AxiIntc(Model, built_in=True):
    """Interrupts are latched in ISR, of edge and of level inputs alike, until IAR acknowledges them; an input
    that is active still is latched again at once. Hardware inputs count from MER.HIE on, which only a reset
    clears.
    """

    bindto = ["xilinx.com:ip:axi_intc"]

    @classmethod
    def specs(cls, cell: Cell) -> list[RegisterSpec]:
        """Return the registers of PG099, table "Register Address Map"."""
        declared: dict[str, Reg | int] = {
            "ISR": Reg(_ISR),
            "IPR": Reg(_IPR, access="read-only"),
            "IER": Reg(_IER, writable=_mask(cell)),
            "IAR": Reg(_IAR, access="write-only"),
            "SIE": Reg(_SIE, access="write-only"),
            "CIE": Reg(_CIE, access="write-only"),
            "IVR": Reg(_IVR, access="read-only", reset=_NONE_PENDING),
            "MER": Reg(_MER, writable=_ME | _HIE),
            "IMR": Reg(_IMR),
            "ILR": Reg(_ILR, reset=_ALL),
        }
        vector = number(parameter(cell, "C_IVAR_RESET_VALUE"), 0x10)
        for index in range(32):
            declared[f"IVAR[{index}]"] = Reg(0x100 + 4 * index, reset=vector & _ALL)
        return specs_of_model(cls.__name__, declared)

    @classmethod
    def initial(cls, cell: Cell) -> Mapping[str, int]:
        """Return the inactive level of the output."""
        return {"irq": 1 - _active(cell)}

    def on_reset(self) -> None:
        """Read the parameters; nothing is pending."""
        cell = self.cell
        self._mask = _mask(cell)
        self._width = number(parameter(cell, "C_NUM_INTR_INPUTS"), 1)
        self._hardware = (1 << self._width) - 1
        self._edge = number(parameter(cell, "C_KIND_OF_INTR"), _ALL) & self._hardware
        self._rising = number(parameter(cell, "C_KIND_OF_EDGE"), _ALL)
        self._high = number(parameter(cell, "C_KIND_OF_LVL"), _ALL)
        self._irq_is_level = bool(number(parameter(cell, "C_IRQ_IS_LEVEL"), 1))
        self._active = _active(cell)
        if self._cascaded():
            self._hardware |= 1 << _CASCADE_BIT
            self._mask |= 1 << _CASCADE_BIT
            self._edge &= ~(1 << _CASCADE_BIT)
            self._high |= 1 << _CASCADE_BIT
        self._seen = self._inputs()
        self._pending = 0
        self._output = False
        self._hie = False

    def _cascaded(self) -> bool:
        return "irq_in" in self._pins and bool(number(parameter(self.cell, "C_EN_CASCADE_MODE")))

    def _inputs(self) -> int:
        level = self.pin("intr").level if "intr" in self._pins else 0
        if self._cascaded():
            level = level & ~(1 << _CASCADE_BIT) | self.pin("irq_in").level << _CASCADE_BIT
        return level

    def explain(self, channel: str) -> str:
        """Return why the output is inactive."""
        if self._output:
            return ""
        enabled, master = self.host.get(_IER), self.host.get(_MER)
        if not master & _ME:
            return f"{self.name} keeps its output off: MER.ME is 0"
        if not master & _HIE and not self._pending:
            return f"{self.name} takes no hardware interrupts: MER.HIE is 0"
        if self._pending & enabled:
            return f"{self.name} blocks what is pending by ILR {self.host.get(_ILR):#x}"
        state = f"ISR {self._pending:#x}, IER {enabled:#x}, inputs {self._seen:#x}"
        return f"{self.name} has nothing to report: {state}"

    # -- inputs ----------------------------------------------------------------------------------------
    def on_pin_intr(self, level: int) -> None:
        """Latch what came."""
        self._capture()

    def on_pin_irq_in(self, level: int) -> None:
        """Latch the interrupt of the next controller."""
        self._capture()

    def _capture(self) -> None:
        level = self._inputs()
        changed, self._seen = level ^ self._seen, level
        if self.host.get(_MER) & _HIE:
            came = changed & ~(level ^ self._rising) & self._edge
            active = ~(level ^ self._high) & ~self._edge
            self._pending |= (came | active) & self._hardware
        self._update()

    def _update(self) -> None:
        self.host.set(_ISR, self._pending)
        waiting = self._pending & self.host.get(_IER)
        self.host.set(_IPR, waiting)
        lowest = (waiting & -waiting).bit_length() - 1
        self.host.set(_IVR, lowest if waiting else _NONE_PENDING)
        # ILR blocks its own level and those above it (PG099, "Interrupt Level Register"); all ones blocks
        # none.
        limit = self.host.get(_ILR)
        passes = waiting if limit > 31 else waiting & ((1 << limit) - 1)
        output = bool(passes) and bool(self.host.get(_MER) & _ME)
        if self._irq_is_level:
            if output != self._output:
                self.pin("irq").drive(self._active if output else 1 - self._active)
        elif output and not self._output:
            self.pin("irq").drive(self._active)
            self.host.after(1, lambda: self.pin("irq").drive(1 - self._active))
        self._output = output

    # -- registers -------------------------------------------------------------------------------------
    def on_write_ISR(self, value: int) -> None:  # noqa: N802  the register's name
        """Make interrupts by software: of all inputs before HIE is set, of the software ones always."""
        allowed = self._mask & ~(self._hardware if self.host.get(_MER) & _HIE else 0)
        self._pending = self._pending & ~allowed | value & allowed
        self._update()

    def on_write_IER(self, value: int) -> None:  # noqa: N802
        """Enable."""
        self._update()

    def on_write_IAR(self, value: int) -> None:  # noqa: N802
        """Acknowledge; a level that is active still comes again."""
        self._pending &= ~value
        if not self._irq_is_level:
            self._output = False  # what is pending still gives a pulse of its own
        self._capture()

    def on_write_SIE(self, value: int) -> None:  # noqa: N802
        """Set enable bits."""
        self.host.set(_IER, (self.host.get(_IER) | value) & self._mask)
        self._update()

    def on_write_CIE(self, value: int) -> None:  # noqa: N802
        """Clear enable bits."""
        self.host.set(_IER, self.host.get(_IER) & ~value)
        self._update()

    def on_write_MER(self, value: int) -> None:  # noqa: N802
        """Enable the output and the hardware inputs; the latter stay enabled until a reset."""
        if self._hie:
            self.host.set(_MER, _HIE, mask=_HIE)
        self._hie = bool(self.host.get(_MER) & _HIE)
        self._capture()

    def on_write_ILR(self, value: int) -> None:  # noqa: N802
        """Block levels."""
        self._update()


def _mask(cell: Cell) -> int:
    inputs = number(parameter(cell, "C_NUM_INTR_INPUTS"), 1) + number(parameter(cell, "C_NUM_SW_INTR"), 0)
    cascade = 1 << _CASCADE_BIT if number(parameter(cell, "C_EN_CASCADE_MODE")) else 0
    return ((1 << inputs) - 1) | cascade


def _active(cell: Cell) -> int:
    return number(parameter(cell, "C_IRQ_ACTIVE"), 1) & 1
