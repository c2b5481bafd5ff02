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

from typing import TYPE_CHECKING, Any

from pynq.backends.sim.model import Model, models
from pynq.backends.sim.model_ports import MemoryPort, Packet, Pin, StreamPort
from pynq.backends.sim.model_registers import RegisterSet
from pynq.backends.sim.model_tasks import Task
from pynq.backends.sim.models.hls import HlsModel
from pynq.backends.sim.regfile import Reg

if TYPE_CHECKING:
    from pynq.backends.sim.board import Board, PinError
    from pynq.backends.sim.device import SimDevice

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

# What needs the engine, which installations for boards don't have: models can be defined there all the same,
# because a program's companion file does it.
_WITH_ENGINE = {"Board": "board", "PinError": "board", "SimDevice": "device"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _WITH_ENGINE:
        raise AttributeError(f"module 'pynq.sim' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"pynq.backends.sim.{_WITH_ENGINE[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "pynq.backends.sim._engine":
            raise
        raise ImportError(
            f"pynq.sim.{name}: this installation is one for boards and has no simulator"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
