"""Write your own model: an IP of the simulated board in a few lines of Python.

.. code-block:: python

    import numpy as np
    import pynq.sim

    class Threshold(pynq.sim.Model):
        bindto = ["acme.com:user:threshold:1.0"]

        async def main(self):
            while True:
                row = await self.stream("s_axis").recv()
                out = np.where(row > self.registers.LEVEL, 255, 0).astype("u1")
                await self.stream("m_axis").send(out, last=row.last)

The next overlay with such an IP in it, loaded on the simulated board, has this behaviour.
"""

from __future__ import annotations

from pynq.backends.sim.board import Board, PinError
from pynq.backends.sim.device import SimDevice
from pynq.backends.sim.model import MemoryPort, Model, Packet, Pin, RegisterSet, StreamPort, Task, models
from pynq.backends.sim.models.hls import HlsModel
from pynq.backends.sim.regfile import Reg

__all__ = [
    "Board",
    "HlsModel",
    "MemoryPort",
    "Model",
    "Packet",
    "Pin",
    "PinError",
    "Reg",
    "RegisterSet",
    "SimDevice",
    "StreamPort",
    "Task",
    "models",
]
