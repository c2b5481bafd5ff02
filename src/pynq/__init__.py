"""The Python Overlay API, on any machine.

Importing this package probes nothing and reads no environment variable; each name is imported when it is
first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pynq import fleet, lib, sim
    from pynq.binding import DefaultHierarchy, DefaultIP
    from pynq.bitstream import Bitstream
    from pynq.buffer import PynqBuffer, allocate
    from pynq.clocks import Clocks
    from pynq.device import PL, Device
    from pynq.errors import UnsupportedConfiguration
    from pynq.gpio import GPIO
    from pynq.interrupt import Interrupt
    from pynq.mmio import MMIO
    from pynq.native import get_include
    from pynq.overlay import DefaultOverlay, Overlay
    from pynq.registers import Register, RegisterMap

    __version__: str

__all__ = [
    "GPIO",
    "MMIO",
    "PL",
    "Bitstream",
    "Clocks",
    "DefaultHierarchy",
    "DefaultIP",
    "DefaultOverlay",
    "Device",
    "Interrupt",
    "Overlay",
    "PynqBuffer",
    "Register",
    "RegisterMap",
    "UnsupportedConfiguration",
    "__version__",
    "allocate",
    "fleet",
    "get_include",
    "lib",
    "sim",
]

_HOME = {
    "Bitstream": "bitstream",
    "Clocks": "clocks",
    "DefaultHierarchy": "binding",
    "DefaultIP": "binding",
    "DefaultOverlay": "overlay",
    "Device": "device",
    "GPIO": "gpio",
    "Interrupt": "interrupt",
    "MMIO": "mmio",
    "Overlay": "overlay",
    "PL": "device",
    "PynqBuffer": "buffer",
    "Register": "registers",
    "RegisterMap": "registers",
    "UnsupportedConfiguration": "errors",
    "allocate": "buffer",
    "get_include": "native",
}
_MODULES = {
    *("bitstream", "buffer", "clocks", "design", "device", "errors", "fleet", "gpio", "interrupt", "lib"),
    *("mmio", "native", "overlay", "pl", "pl_server", "ps", "registers", "sim", "testing", "uio", "utils"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOME:
        value = getattr(import_module(f"pynq.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"pynq.{name}")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("pynq-anywhere")
    else:
        from pynq.wording import did_you_mean

        question = did_you_mean(name, [*__all__, *_MODULES])
        raise AttributeError(f"module 'pynq' has no attribute {name!r}" + (question and f"; {question}"))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
