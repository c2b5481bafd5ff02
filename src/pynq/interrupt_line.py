"""An input of the processor: who waits behind it, and who of them waits for the line itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Protocol

from pynq.errors import DeadlockError, OverlayNotLoadedError, PynqError
from pynq.interrupt_waiters import Delivery, Pump, Sleeper, Source, Waiter

if TYPE_CHECKING:
    from pynq.device.base import Device
    from pynq.device.contract import InterruptLine

__all__ = ["Line"]

_SLICE = 0.02  # seconds; how long a leading thread may overlook a pump in another thread that is still ending


class Station(Protocol):
    """A controller on a line; a :class:`~pynq.interrupt_stations.Controller`."""

    enabled: int

    def serve(self) -> None: ...


class Line:
    """An interrupt input of the processor, and all who wait for something behind it."""

    def __init__(self, device: Device, gic: int, lock: threading.RLock) -> None:
        self.device = device
        self.gic = gic
        self.lock = lock
        self.pins: list[Source] = []  # wired straight to the processor
        self.controllers: list[Station] = []
        self.waiters: list[Waiter] = []
        self.pumps: dict[asyncio.AbstractEventLoop, Pump] = {}
        self.leader: Sleeper | None = None
        self.armed = False
        self.doubtful = False  # a pump was stopped: the firing it may have taken is lost
        self.leftover = False  # the line may have fired after the last wait had ended
        self._hardware: InterruptLine | None = None

    @property
    def hardware(self) -> InterruptLine:
        if self._hardware is None:
            self._hardware = self.device.interrupt_line(self.gic)
        return self._hardware

    # -- coming and going
    def enter(self, waiter: Waiter) -> None:
        """Register a waiter and unmask what it waits for."""
        pin = waiter.pin
        with self.lock:
            if pin.kept:
                pin.kept = False
                waiter.delivery = Delivery(1)
                waiter.wake()
                return
            first = not pin.waiters
            if first:
                pin.check_cleared()
            pin.waiters.append(waiter)
            self.waiters.append(waiter)
            try:
                if first:
                    pin.unmask()
                self.arm()
            except BaseException:
                self._forget(waiter)
                raise

    def leave(self, waiter: Waiter, *, taken: bool) -> asyncio.Task[None] | None:
        """Sign a waiter off. Return the pump of its loop if this has cancelled it."""
        with self.lock:
            delivery = waiter.delivery
            if delivery is None:
                self._forget(waiter)
            elif taken:
                delivery.taken = True
            else:
                delivery.receivers -= 1
                if not delivery.receivers and not delivery.taken:
                    waiter.pin.give_back()
            if isinstance(waiter, Sleeper) and self.leader in (None, waiter):
                self.leader = None
                self._succeed()
            loop = waiter.loop
            pump = self.pumps.get(loop) if loop is not None else None
            if pump is None or self._waited_for_in(pump.loop):
                return None
            pump.stop()
            return pump.task

    def _forget(self, waiter: Waiter) -> None:
        pin = waiter.pin
        if waiter not in pin.waiters:
            return
        pin.waiters.remove(waiter)
        self.waiters.remove(waiter)
        # When the overlay has been replaced, its registers are gone and so is what there was to mask.
        with contextlib.suppress(OverlayNotLoadedError):
            if not pin.waiters:
                pin.remask()
            if not self.waiters and self.armed:
                self.armed = False
                self.leftover = True
                self.hardware.disable()

    def _succeed(self) -> None:
        """Let somebody else wait for the line, now that the leading thread has left."""
        for waiter in self.waiters:
            if isinstance(waiter, Sleeper):
                waiter.wake()
                return
        for loop in {waiter.loop for waiter in self.waiters}:
            if loop is not None:
                with contextlib.suppress(RuntimeError):  # a closed loop: its waits are dead
                    loop.call_soon_threadsafe(self.ensure_pump, loop)

    def _waited_for_in(self, loop: asyncio.AbstractEventLoop) -> bool:
        return any(waiter.loop is loop for waiter in self.waiters)

    # -- waiting for the line
    def arm(self) -> None:
        """Enable the line, unless it is."""
        if self.armed:
            return
        if self.leftover:
            self.leftover = False
            if self._fired_before():
                for pin in self.pins:
                    if pin.edge and pin.waiters:
                        pin.fire()
                if not self.waiters:
                    return
        self.armed = True
        self.hardware.enable()

    def _fired_before(self) -> bool:
        """Take an interrupt that came after the last wait had ended. Only edges count; levels come again."""
        try:
            return self.hardware.wait(0)
        except DeadlockError:  # the device says that there is none and can be none
            return False

    def ensure_pump(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the pump of the running loop if it is needed. Called in the loop."""
        with self.lock:
            if self.leader is not None or loop in self.pumps or not self._waited_for_in(loop):
                return
            task = loop.create_task(self._pump(loop), name=f"pynq: PS interrupt {self.gic}")
            if not task.done():  # it may be: eager tasks run at once
                self.pumps[loop] = Pump(loop, task)

    async def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            with self.lock:
                again, self.doubtful = self.doubtful and self.armed, False
            if again:
                self.hardware.enable()
            while self._waited_for_in(loop):
                try:
                    await self.hardware.wait_async()
                except DeadlockError as reason:
                    self._fail_hopeless(reason, loop)
                    if self._waited_for_in(loop):
                        await asyncio.sleep(_SLICE)  # devices may say so at once
                else:
                    self.dispatch()
        except Exception as error:  # noqa: BLE001 - goes to those on whose behalf the pump runs
            self._fail(loop, error)
        finally:
            with self.lock:
                self.pumps.pop(loop, None)
                # A leading thread had stopped it, or somebody cancelled all tasks.
                if self._waited_for_in(loop) and not loop.is_closed():
                    self.doubtful = True
                    loop.call_soon(self.ensure_pump, loop)

    def _fail(self, loop: asyncio.AbstractEventLoop, error: Exception) -> None:
        """Fail the waiters of a loop."""
        with self.lock:
            for waiter in [waiter for waiter in self.waiters if waiter.loop is loop]:
                self._forget(waiter)
                waiter.fail(error)

    def _fail_hopeless(self, reason: DeadlockError, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Fail those (of a loop) whose interrupt can't come any more."""
        with self.lock:
            for waiter in list(self.waiters):
                if (loop is None or waiter.loop is loop) and not waiter.pin.hopeful():
                    self._forget(waiter)
                    waiter.fail(waiter.pin.dead(reason))

    def wait(self, waiter: Sleeper, timeout: float | None) -> None:
        """Block until the waiter's interrupt is delivered, serving everybody else meanwhile."""
        deadline = None if timeout is None else time.monotonic() + timeout
        remaining = timeout
        while waiter.delivery is None:
            if waiter.error is not None:
                raise waiter.error
            if self._lead(waiter):
                others = self._other_threads()
                limit = remaining if not others else min(_SLICE, _SLICE if remaining is None else remaining)
                try:
                    fired = self.hardware.wait(limit)
                except DeadlockError as reason:
                    if waiter.error is not None:  # its region was reconfigured meanwhile
                        raise waiter.error from None
                    if not waiter.pin.hopeful():
                        raise waiter.pin.dead(reason) from reason
                    fired = False
                    self._fail_hopeless(reason)
                    time.sleep(_SLICE)  # devices may say so at once
                if fired:
                    self.dispatch()
                expired = not fired and not others
            else:
                expired = not waiter.event.wait(remaining)
                waiter.event.clear()
            if deadline is not None:
                remaining = max(0.0, deadline - time.monotonic())
                expired = expired or remaining == 0
            if expired and remaining is not None and waiter.delivery is None:
                raise waiter.pin.timed_out(timeout)
        waiter.taken = True

    def _lead(self, waiter: Sleeper) -> bool:
        """Make a blocking waiter the one that waits for the line, if no other is."""
        with self.lock:
            if self.leader is None:
                self.leader = waiter
                for pump in self.pumps.values():
                    pump.stop()
            return self.leader is waiter

    def _other_threads(self) -> bool:
        with self.lock:
            return any(pump.thread != threading.get_ident() for pump in self.pumps.values())

    # -- the line has fired
    def dispatch(self) -> None:
        """Find out who fired, wake those who wait for it, and enable the line again for the others."""
        with self.lock:
            self.armed = False
            try:
                for controller in self.controllers:
                    if controller.enabled:
                        controller.serve()
                for pin in self.pins:
                    if pin.waiters and pin.came():
                        pin.fire()
                if self.waiters:
                    self.arm()
            except BaseException as error:
                # A controller that can't be read is everybody's trouble.
                for waiter in list(self.waiters):
                    self.forget_quietly(waiter)
                    waiter.fail(error)
                raise

    def forget_quietly(self, waiter: Waiter) -> None:
        """Sign a waiter off, whatever the registers say to it."""
        with contextlib.suppress(PynqError):  # masking fails for the reason that is being reported
            self._forget(waiter)
