"""A light of the board."""

from __future__ import annotations

from typing import Protocol

__all__ = ["LED"]


class _Light(Protocol):
    def on(self) -> None: ...
    def off(self) -> None: ...
    def toggle(self) -> None: ...


class LED:
    """A light, on whatever drives it: a wire of an :class:`~pynq.lib.AxiGPIO`, for one.

    Args:
        device: An object with ``on``, ``off`` and ``toggle``.

    Raises:
        TypeError: It lacks one of them.
    """

    def __init__(self, device: _Light) -> None:
        lacking = [name for name in ("on", "off", "toggle") if not hasattr(device, name)]
        if lacking:
            raise TypeError(f"an LED needs an object with {', '.join(lacking)}; {device!r} has none")
        self._impl = device

    def on(self) -> None:
        """Switch the light on."""
        self._impl.on()

    def off(self) -> None:
        """Switch the light off."""
        self._impl.off()

    def toggle(self) -> None:
        """Switch the light on if it is off, and off if it is on."""
        self._impl.toggle()
