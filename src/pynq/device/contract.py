"""What a device hands out: memory, interrupt lines, pins. The device itself is in :mod:`pynq.device.base`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

__all__ = ["Block", "InterruptLine", "PinLine"]


class Block(Protocol):
    """Memory that a device can see: a writable buffer of bytes (buffer protocol) with a physical address.

    Made by :meth:`Device.allocate_block`. Dropping the last reference (a numpy view counts) gives the memory
    back; so does :meth:`release`, after which what still maps it reads zeros.
    """

    @property
    def physical_address(self) -> int:
        """Address of the first byte as the PL sees it."""
        ...

    @property
    def nbytes(self) -> int:
        """Size in bytes, as asked for."""
        ...

    @property
    def coherent(self) -> bool:
        """True where caches need no care."""
        ...

    @property
    def released(self) -> bool:
        """True after :meth:`release`."""
        ...

    def release(self) -> None:
        """Give the memory back now. A second call does nothing."""
        ...


class InterruptLine(ABC):
    """One interrupt input of the PS.

    One-shot, as UIO does it: a line fires at most once after each :meth:`enable`, then stays masked. Any
    thread may call any method. Several waits may go on at the same time; each firing ends one of them, also
    if it comes before the wait.
    """

    @abstractmethod
    def enable(self) -> None:
        """Unmask the line. If its source is active already, it fires at once."""

    @abstractmethod
    def disable(self) -> None:
        """Mask the line."""

    @abstractmethod
    def wait(self, timeout: float | None = None) -> bool:
        """Block, outside the interpreter's lock, until the line fires; False: ``timeout`` seconds are over.

        Raises :class:`~pynq.errors.DeadlockError` where the device knows that it can never fire.
        """

    @abstractmethod
    async def wait_async(self) -> None:
        """Wait in the running event loop until the line fires. May be cancelled; leaves nothing behind."""


class PinLine(Protocol):
    """A GPIO of the PS that reaches the PL (EMIO), or one bit of it."""

    def read(self) -> int:
        """Return 0 or 1."""
        ...

    def write(self, value: int) -> None:
        """Drive 0 or 1."""
        ...

    def release(self) -> None:
        """Give the pin back."""
        ...
