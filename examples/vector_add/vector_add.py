"""Driver and model of the accelerator in ``vector_add.bit``; ``pynq.Overlay`` imports it, as it lies beside.

The overlay needs no class of its own: the driver is enough, so ``Overlay`` is the plain one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq import DefaultIP, DefaultOverlay, allocate
from pynq.sim import HlsModel

VECTOR_ADD = "pynq-anywhere.org:examples:vector_add:1.0"


class VectorAdd(DefaultIP):
    """Driver: ``c = adder.add(a, b)``, or :meth:`start` and :meth:`done` with buffers of one's own."""

    bindto = [VECTOR_ADD]

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__(description)
        registers = self.register_map
        registers.GIER.Enable = 1
        registers.IP_IER.CHAN0_INT_EN = 1

    def start(self, a: Any, b: Any, c: Any) -> None:
        """Start ``c = a + b`` on three buffers (32-bit integers, of one size). The kernel must be idle."""
        if not a.size == b.size == c.size:
            raise ValueError(f"vectors of {a.size}, {b.size} and {c.size} elements; they must be of one size")
        registers = self.register_map
        for name, buffer in (("a", a), ("b", b), ("c", c)):
            if buffer.dtype.itemsize != 4:
                raise ValueError(f"vector {name} of {buffer.dtype}; the kernel adds 32-bit integers")
            buffer.flush()
            setattr(registers, f"{name}_1", buffer.physical_address & 0xFFFFFFFF)
            setattr(registers, f"{name}_2", buffer.physical_address >> 32)
        registers.n = a.size
        registers.CTRL.AP_START = 1

    def done(self) -> bool:
        """Whether the last run is over. True once a run, since reading clears the bit."""
        return bool(int(self.register_map.CTRL) & 0b10)

    async def finished(self) -> None:
        """Wait for the interrupt at the end of a run, and clear it."""
        await self.interrupt.wait()
        self.register_map.IP_ISR = 1  # toggles, so 1 clears what is set

    def add(self, a: npt.NDArray[np.int32], b: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Copy two arrays into device memory, add them there, and return the sum."""
        with (
            allocate(a.shape, "i4", target=self.device) as left,
            allocate(b.shape, "i4", target=self.device) as right,
            allocate(a.shape, "i4", target=self.device) as result,
        ):
            left[:], right[:] = a, b
            self.start(left, right, result)
            self.mmio.wait_until(0, 0b10, 0b10, timeout=10)
            self.register_map.IP_ISR = 1
            result.invalidate()
            return np.array(result)


Overlay = DefaultOverlay


class VectorAddModel(HlsModel):
    """The kernel: 4 KiB of a, 4 KiB of b, their sum to c. The base class keeps the control registers."""

    bindto = [VECTOR_ADD]
    BURST = 4096

    async def compute(self) -> None:
        """One run, from AP_START to AP_DONE."""
        registers = self.registers
        a, b, c = (int(registers[f"{name}_1"]) | int(registers[f"{name}_2"]) << 32 for name in "abc")
        memory = self.memory("m_axi_gmem")
        left = 4 * int(registers.n)
        while left:
            size = min(left, self.BURST)
            first = (await memory.read(a, size)).view("<u4")
            second = (await memory.read(b, size)).view("<u4")
            await memory.write(c, first + second)  # modulo 2**32, as the adder in hardware
            a, b, c, left = a + size, b + size, c + size, left - size
