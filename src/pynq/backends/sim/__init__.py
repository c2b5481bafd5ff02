"""The simulated board: the embedded default where there is no board.

Reading order: ``device`` (what programs see), ``assembly`` (from design to engine), ``nets``, ``model``
(behaviour in Python), ``models/`` (the built-in ones), ``_engine.pyi`` (virtual time, memory, streams: C++).
"""

from __future__ import annotations

from collections.abc import Callable

from pynq.backends.sim.device import SimDevice
from pynq.errors import DeviceNotFoundError

__all__ = ["BACKEND", "SimBackend", "SimDevice"]


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
    why = "the simulated board is part of the package and always present"

    def probe(self) -> list[str]:
        """Return the name of the default simulated board."""
        return ["sim:"]

    def open(self, spec: str) -> SimDevice:
        """Return a new simulated board.

        Raises :class:`DeviceNotFoundError` for an unknown option or value.
        """
        _, _, query = spec.partition("?")
        options: dict[str, object] = {}
        for item in filter(None, query.split("&")):
            name, _, text = item.partition("=")
            if name not in _OPTIONS:
                raise DeviceNotFoundError(f"{spec!r}: no option {name!r}; known: {', '.join(_OPTIONS)}")
            try:
                options[name] = _OPTIONS[name](text)
            except ValueError:
                raise DeviceNotFoundError(f"{spec!r}: {name}={text!r} is no value for it") from None
        device = SimDevice(spec, **options)  # type: ignore[arg-type]
        device.open()
        return device


BACKEND = SimBackend()
