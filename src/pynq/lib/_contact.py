"""What buttons and switches have in common."""

from __future__ import annotations

from typing import Any, Protocol

from pynq.errors import FieldValueError

__all__ = ["Contact"]


class _Sensor(Protocol):
    def read(self) -> int: ...
    def wait_for_value(self, value: int) -> None: ...


class Contact:
    """A contact of the board, on whatever reads it: a wire of an :class:`~pynq.lib.AxiGPIO`, for one.

    Args:
        device: An object with ``read`` and ``wait_for_value`` (and ``wait_for_value_async``).

    Raises:
        TypeError: It lacks one of the first two.
    """

    def __init__(self, device: _Sensor) -> None:
        lacking = [name for name in ("read", "wait_for_value") if not hasattr(device, name)]
        if lacking:
            raise TypeError(
                f"a {type(self).__name__} needs an object with {', '.join(lacking)}; {device!r} has none"
            )
        self._impl: Any = device

    def read(self) -> int:
        """Return 1 or 0."""
        return int(self._impl.read())

    def wait_for_value(self, value: int, **kwargs: Any) -> None:
        """Block until the contact reads ``value`` (1 or 0); ``timeout=`` in seconds.

        Raises ``ValueError`` for another value.
        """
        self._impl.wait_for_value(_level(value), **kwargs)

    async def wait_for_value_async(self, value: int, **kwargs: Any) -> None:
        """Wait until the contact reads ``value`` (1 or 0); other tasks go on. ``timeout=`` in seconds."""
        await self._impl.wait_for_value_async(_level(value), **kwargs)


def _level(value: int) -> int:
    if value not in (0, 1):
        raise FieldValueError(f"a contact reads 0 or 1, never {value!r}")
    return value
