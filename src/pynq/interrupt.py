"""Interrupts of the programmable logic, to be awaited or waited for.

:class:`Interrupt` stands for one pin. How the lines, controllers and waiters below it work is in
:mod:`pynq.interrupt_tree`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from pynq.device import resolve
from pynq.errors import (
    BoardBusyError,
    DesignError,
    OverlayNotLoadedError,
)
from pynq.wording import did_you_mean

if TYPE_CHECKING:
    from pynq.design.model import Design, InterruptPin
    from pynq.device.base import Device

from pynq.interrupt_stations import Pin, route
from pynq.interrupt_tree import line_number, tree_of
from pynq.interrupt_waiters import Sleeper, TaskWaiter, Waiter, end

__all__ = ["Interrupt"]


class Interrupt:
    """An interrupt pin of the loaded design.

    Any number of tasks, in any event loops and threads, may wait on one pin, through one or several objects
    of this class; one interrupt wakes all that wait at that time. A wait that ends early (cancelled, timed
    out, Ctrl-C) leaves nothing behind: the pin is masked again when nobody waits, and an edge that had just
    been taken for it goes to the next wait.

    Args:
        pinname: ``cell/port`` as in ``Overlay.interrupt_pins``. The name of a pin on the way to the
            controller (``xlconcat_0/In0``) will do, unless ``fullpath``.
        fullpath: Take ``pinname`` as the complete name only.
        device: Where the design is loaded; the active device if None.

    Raises:
        DesignError: (a ``ValueError``) The design has no such pin, or it is connected to no interrupt input.
        OverlayNotLoadedError: Nothing is loaded on the device.
    """

    def __init__(self, pinname: str, fullpath: bool = False, *, device: Device | str | None = None) -> None:
        self.device = resolve(device)
        if self.device.design is None:
            raise OverlayNotLoadedError(
                f"interrupt {pinname!r}: device {self.device.name!r} holds no overlay; load one first"
            )
        self.description = _find(self.device.design, pinname, fullpath)
        if line_number(self.device.design, self.description) is not None:
            # Sets up the controllers, so that edges are latched from now on. Where another process uses them
            # they are; waiting then tells.
            with contextlib.suppress(BoardBusyError):
                self._pin()

    @property
    def path(self) -> str:
        """``cell/port`` of the pin."""
        return self.description.path

    @property
    def number(self) -> int:
        """The input it enters, of its controller or of the processor."""
        return self.description.index

    @property
    def parent(self) -> str:
        """Path of the ``axi_intc`` it enters, "" for the processor itself."""
        return self.description.controller

    async def wait(self, timeout: float | None = None) -> None:
        """Wait until the pin interrupts; other tasks go on.

        Level-triggered: returns at once if the source is active. Edge-triggered: returns at once if an edge
        came since the last interrupt delivered. Clear the interrupt in the IP before waiting again.

        Args:
            timeout: Seconds (of the host's clock), None for no limit.

        Raises:
            WaitTimeoutError: ``timeout`` is over. The message tells the state of the pin and its controllers.
            InterruptNotClearedError: The source of a level-triggered pin is still active since the last
                interrupt. Devices that can't see the level of a pin deliver the interrupt instead, and warn
                when that goes on.
            BoardBusyError: Another process waits for this pin, or for another one behind the same controller.
            DeadlockError: Nothing in the simulated programmable logic can raise the interrupt any more.
            OverlayNotLoadedError: The design has been replaced.
        """
        loop = asyncio.get_running_loop()
        pin = self._pin()
        waiter = TaskWaiter(pin, loop)
        pin = self._enter(waiter, pin)
        timer = None if timeout is None else loop.call_later(max(timeout, 0), waiter.expire)
        came = False
        try:
            pin.line.ensure_pump(loop)
            came = await waiter.future
        except asyncio.CancelledError:
            await end(pin.line.leave(waiter, taken=False))
            raise
        except BaseException:
            pin.line.leave(waiter, taken=False)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        error = None if came else pin.timed_out(timeout)  # tells the state while the pin is unmasked
        pump = pin.line.leave(waiter, taken=came)
        if error is not None:
            await end(pump)
            raise error

    def wait_sync(self, timeout: float | None = None) -> None:
        """Block this thread until the pin interrupts. See :meth:`wait` for what counts, and for the errors.

        Works beside an event loop and inside of one, which then stands still. ``timeout`` is in seconds of
        the device's
        time: on the simulated board in deterministic mode, of virtual time.
        """
        pin = self._pin()
        waiter = Sleeper(pin)
        pin = self._enter(waiter, pin)
        try:
            pin.line.wait(waiter, timeout)
        finally:
            pin.line.leave(waiter, taken=waiter.taken)

    def _pin(self) -> Pin:
        return tree_of(self.device).pin(self.description)

    def _enter(self, waiter: Waiter, pin: Pin) -> Pin:
        """Register a waiter, on a new tree if the same design was downloaded again. Return its pin."""
        try:
            pin.line.enter(waiter)
        except OverlayNotLoadedError:
            tree_of(self.device, afresh=True)
            pin = waiter.pin = self._pin()
            pin.line.enter(waiter)
        return pin

    def __repr__(self) -> str:
        return f"<Interrupt {self.path!r}: {route(self.description)}>"


def _find(design: Design, name: str, fullpath: bool) -> InterruptPin:
    """Return the pin of that name, or that some pin passes under that name on its way."""
    pins = design.interrupt_pins
    if name in pins:
        return pins[name]
    if not fullpath:
        through = [pin for pin in pins.values() if name in pin.aliases]
        if len(through) == 1:
            return through[0]
    cell, _, port = name.rpartition("/")
    if cell in design.cells and port in design.cells[cell].ports:
        raise DesignError(
            f"{name!r} of design {design.name!r} is connected to no interrupt controller and no interrupt "
            "input of the processor"
        )
    hint = did_you_mean(name, pins) or f"it has {', '.join(pins) or 'none'}"
    raise DesignError(f"no interrupt pin {name!r} in design {design.name!r}: {hint}")
