"""The programmable logic of the active device, as PYNQ's class-level ``PL`` shows it."""

from __future__ import annotations

from typing import Any

from pynq.design import views
from pynq.device.base import registry

__all__ = ["PL"]


def _loaded(name: str) -> dict[Any, Any]:
    """Return one of the dictionaries of what is loaded now, {} where nothing is."""
    device = registry.active()
    found = getattr(device.parser, name, None)
    if found is None and device.design is not None:
        found = getattr(views, name)(device.design)
    return found if found is not None else {}


class _PLMeta(type):
    """Gives the class ``PL`` its properties, which are used without an instance."""

    @property
    def bitfile_name(cls) -> str:
        """Absolute path of the bitstream loaded last, "" before that."""
        return registry.active().bitfile_name

    @property
    def timestamp(cls) -> str:
        """When that was; "" before."""
        return registry.active().timestamp

    @property
    def ip_dict(cls) -> dict[str, Any]:
        """What the loaded overlay's ``ip_dict`` holds."""
        return _loaded("ip_dict")

    @property
    def hierarchy_dict(cls) -> dict[str, Any]:
        """What the loaded overlay's ``hierarchy_dict`` holds."""
        return _loaded("hierarchy_dict")

    @property
    def gpio_dict(cls) -> dict[str, Any]:
        """What the loaded overlay's ``gpio_dict`` holds."""
        return _loaded("gpio_dict")

    @property
    def interrupt_pins(cls) -> dict[str, Any]:
        """What the loaded overlay's ``interrupt_pins`` holds."""
        return _loaded("interrupt_pins")

    @property
    def interrupt_controllers(cls) -> dict[str, Any]:
        """What the loaded overlay's ``interrupt_controllers`` holds."""
        return _loaded("interrupt_controllers")

    @property
    def mem_dict(cls) -> dict[str, Any]:
        """What the loaded overlay's ``mem_dict`` holds."""
        return _loaded("mem_dict")


class PL(metaclass=_PLMeta):
    """The programmable logic of the active device: what is loaded, in PYNQ's dictionaries.

    Everything is read from the class; there are no instances.
    """

    def __new__(cls) -> PL:
        """Refuse: there is but the class."""
        raise TypeError("PL has no instances: read PL.ip_dict and the others from the class")

    @classmethod
    def reset(cls, parser: Any = None) -> None:
        """Forget the states (``state``) that the dictionaries keep; the logic itself goes on as it is."""
        for entry in (*cls.ip_dict.values(), *cls.mem_dict.values(), *cls.gpio_dict.values()):
            entry["state"] = None
