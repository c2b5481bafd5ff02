"""Driver, overlay class and model of ``polynomial.bit``; ``pynq.Overlay`` imports this file.

``polynomial.sim.toml`` names the RTL of the same IP: where Verilator is installed the simulated board runs
that, and the model below only with ``Overlay(..., rtl=False)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq import DefaultIP, DefaultOverlay, allocate
from pynq.sim import Model

POLYNOMIAL = "pynq-anywhere.org:examples:polynomial:1.0"


# -- the driver of the IP ----
class Polynomial(DefaultIP):
    """Driver of ``y = a*x*x + b*x + c``. What the registers mean is in README.md beside this file."""

    bindto = [POLYNOMIAL]

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__(description)
        self.register_map.IRQ_ENABLE.PACKET = 1
        self.register_map.CTRL.ENABLE = 1

    @property
    def coefficients(self) -> tuple[int, int, int]:
        """``a``, ``b``, ``c`` as words, 0 to 2**32-1. Setting them takes effect with the next packet.

        A negative number is set as its two's complement. Raises ``ValueError`` for what fits no word.
        """
        registers = self.register_map
        return int(registers.A), int(registers.B), int(registers.C)

    @coefficients.setter
    def coefficients(self, values: tuple[int, int, int]) -> None:
        for name, value in zip("ABC", values, strict=True):
            if not -(2**31) <= value < 2**32:
                raise ValueError(f"coefficient {name} is {value}; -2**31 to 2**32-1 fit a word")
        for name, value in zip("ABC", values, strict=True):
            setattr(self.register_map, name, int(value) & 0xFFFFFFFF)

    @property
    def words(self) -> int:
        """Words that have left since the last :meth:`clear`, modulo 2**32."""
        return int(self.register_map.WORDS)

    @property
    def packets(self) -> int:
        """Packets that have left since the last :meth:`clear`, modulo 2**32."""
        return int(self.register_map.PACKETS)

    def clear(self) -> None:
        """Set the two counters to 0."""
        self.register_map.CTRL = 0b11  # CLEAR, and ENABLE as it is

    async def packet_done(self) -> None:
        """Wait for the interrupt at the end of a packet, and clear it."""
        await self.interrupt.wait()
        self.acknowledge()

    def acknowledge(self) -> None:
        """Clear the interrupt."""
        self.register_map.IRQ_STATUS = 1


# -- the overlay class ----
class PolynomialOverlay(DefaultOverlay):
    """The whole overlay: ``overlay.evaluate(x, (1, -3, 2))``."""

    def evaluate(self, x: npt.NDArray[Any], coefficients: tuple[int, int, int]) -> npt.NDArray[Any]:
        """Send the words ``x`` (32-bit integers) through the PL as one packet; return results of its type.

        Raises ``ValueError`` for other types and for no words at all.
        """
        if x.dtype.kind not in "iu" or x.dtype.itemsize != 4 or not x.size:
            raise ValueError(f"{x.size} elements of {x.dtype}; expected one or more 32-bit integers")
        self.polynomial_0.coefficients = coefficients
        with (
            allocate(x.shape, x.dtype, target=self.device) as source,
            allocate(x.shape, x.dtype, target=self.device) as result,
        ):
            source[:] = x
            self.axi_dma_0.recvchannel.transfer(result)
            self.axi_dma_0.sendchannel.transfer(source)
            self.axi_dma_0.sendchannel.wait()
            self.axi_dma_0.recvchannel.wait()
            self.polynomial_0.acknowledge()
            return np.array(result)


Overlay = PolynomialOverlay


# -- the model: what the IP does, for a machine without a board ----
class PolynomialModel(Model):
    """The polynomial of README.md, in pieces of 4 KiB."""

    bindto = [POLYNOMIAL]
    PIECE = 4096

    def on_write_CTRL(self, value: int) -> None:  # noqa: N802  named after the register
        if value & 0b10:
            self.registers.CTRL.CLEAR = 0
            self.registers.WORDS = self.registers.PACKETS = 0

    def on_write_IRQ_STATUS(self, value: int) -> None:  # noqa: N802
        self._interrupt()

    def on_write_IRQ_ENABLE(self, value: int) -> None:  # noqa: N802
        self._interrupt()

    def _interrupt(self) -> None:
        self.pin("interrupt").drive(self.registers.IRQ_STATUS.PACKET & self.registers.IRQ_ENABLE.PACKET)

    async def main(self) -> None:
        while True:
            piece = await self.stream("s_axis").recv(4)
            while not self.registers.CTRL.ENABLE:
                await self.written("CTRL")
            self.registers.STATUS.BUSY = 1
            coefficients = [np.uint32(int(self.registers[name])) for name in "ABC"]  # of the first word
            sending = self.start(self._send(piece, coefficients))
            while not piece.last:
                piece = await self.stream("s_axis").recv(self.PIECE)
                await sending
                sending = self.start(self._send(piece, coefficients))
            await sending

    async def _send(self, piece: Any, coefficients: list[np.uint32]) -> None:
        """Send what becomes of some words. The last one may be a part: its low bytes depend on no others."""
        a, b, c = coefficients
        x = np.zeros(-(-len(piece) // 4), "<u4")
        x.view("u1")[: len(piece)] = piece
        y = (a * x + b) * x + c  # modulo 2**32, as arrays of numpy are
        await self.stream("m_axis").send(y.view("u1")[: len(piece)], last=piece.last)
        registers = self.registers
        registers.WORDS = (int(registers.WORDS) + x.size) & 0xFFFFFFFF
        if piece.last:
            registers.PACKETS = (int(registers.PACKETS) + 1) & 0xFFFFFFFF
            registers.STATUS.BUSY = 0
            registers.IRQ_STATUS.PACKET = 1
            self._interrupt()
