"""The simulated board: the embedded default where there is no board.

Reading order: ``device`` (what programs see), ``assembly`` (from design to engine), ``nets``, ``model``
(behaviour in Python), ``models/`` (the built-in ones), ``_engine.pyi`` (virtual time, memory, streams: C++).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pynq.device.options import converted, split
from pynq.errors import DeviceNotFoundError

if TYPE_CHECKING:
    from pynq.backends.sim.device import SimDevice

__all__ = ["BACKEND", "SimBackend", "SimDevice"]

_ENGINE = "pynq.backends.sim._engine"


def __getattr__(name: str) -> Any:
    # On first use: wheels for boards may come without the engine, and the registry asks it there too.
    if name == "SimDevice":
        from pynq.backends.sim.device import SimDevice

        return SimDevice
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _has_engine() -> bool:
    return importlib.util.find_spec(_ENGINE) is not None


def _flag(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(text)


def _number(text: str) -> int:
    return int(text, 0)


_OPTIONS: dict[str, Callable[[str], object]] = {
    "deterministic": _flag,
    "seed": _number,
    "ddr": _number,
    "access_cycles": _number,
    "patience": float,
    "coverage": str,
}


class SimBackend:
    """The backend of scheme ``sim:``. Names are free: each is a board of its own (``sim:``, ``sim:2``).

    Options follow a question mark: ``sim:?deterministic=1&seed=7``, ``sim:lab?ddr=0x40000000``.
    """

    scheme = "sim"
    priority = 0

    @property
    def why(self) -> str:
        """Whether this installation can simulate."""
        if _has_engine():
            return "the simulated board is part of the package and always present"
        return "this installation is one for boards and has no simulator"

    def probe(self) -> list[str]:
        """Return the name of the default simulated board; none where there is no simulator."""
        return ["sim:"] if _has_engine() else []

    def open(self, spec: str) -> SimDevice:
        """Return a new simulated board.

        Raises :class:`DeviceNotFoundError` for an unknown option or value, and where there is no simulator.
        """
        if not _has_engine():
            raise DeviceNotFoundError(f"{spec!r}: {self.why}; use it on another machine")
        from pynq.backends.sim.device import SimDevice

        _, given = split(spec)
        device = SimDevice(spec, **converted(spec, given, _OPTIONS))
        device.open()
        return device


BACKEND = SimBackend()
