"""The interrupt tree of a loaded design: lines of the processor, controllers, pins, and who waits for them.

Below :class:`pynq.interrupt.Interrupt` lies one tree for each loaded design (:class:`_Tree`): the lines of
the processor at the root (:class:`_Line`), ``axi_intc`` controllers (:class:`_Controller`, product guide
PG099) in any depth, pins (:class:`Pin`) as leaves. Nothing runs in the background. While somebody waits,
exactly as much is unmasked as is waited for:

- every event loop with waiters on a line has one task, its *pump*, that waits for the line;
- a thread that blocks in :meth:`Interrupt.wait_sync` leads: it waits for the line itself and the pumps
  rest, because the loop of its own thread is blocked anyway;
- whoever sees the line fire reads and acknowledges the controllers and wakes the waiters of all pins that
  fired, whichever thread or loop they are in.

Events on edge-triggered inputs are never lost: what comes while nobody waits is latched by the controller and
delivered to the next wait. Level-triggered inputs say "active now": a latched bit that is left over from an
earlier, already served activation is acknowledged before the pin is unmasked, so the second wait gives no
bogus interrupt.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pynq.design.partial import changes, inside
from pynq.errors import (
    BoardBusyError,
    DeadlockError,
    DesignError,
    InterruptNotClearedError,
    KernelError,
    OverlayNotLoadedError,
    PynqError,
    PynqWarning,
    UnsupportedByDeviceError,
    WaitTimeoutError,
)

if TYPE_CHECKING:
    from pynq._native import Window
    from pynq.design.model import Design, InterruptController, InterruptPin
    from pynq.device.base import Device
    from pynq.device.contract import InterruptLine

__all__ = [
    "Activity",
    "Pin",
    "Sleeper",
    "TaskWaiter",
    "Waiter",
    "activity",
    "arm",
    "end",
    "line_number",
    "route",
    "tree_of",
]

# Registers of axi_intc: PG099, table "Register Address Map".
_ISR, _IER, _IAR, _SIE, _CIE, _MER, _IMR = 0x00, 0x08, 0x0C, 0x10, 0x14, 0x1C, 0x20
_MER_ON = 0x3  # ME: drive the output; HIE: take hardware inputs (they are not latched before)

_SLICE = 0.02  # seconds; how long a leading thread may overlook a pump in another thread that is still ending
_MAX_PASSES = 64  # over one controller in one interrupt; more means that its input can't be acknowledged
_IMMEDIATE = 1e-3  # seconds; a level that fires sooner was probably active before the wait
_SUSPICIOUS = 1000  # such waits in a row, on devices that can't tell the level of a pin, before a warning


def line_number(design: Design, pin: InterruptPin) -> int | None:
    """Return the GIC number at which a pin's way ends; None where that is not the PS."""
    station: InterruptPin | InterruptController = pin
    above = pin.controller
    while above:
        station = design.interrupt_controllers[above]
        above = station.parent
    return station.gic


def route(pin: InterruptPin) -> str:
    if pin.controller:
        return f"input {pin.index} of {pin.controller}"
    return f"PS interrupt {pin.gic}"


async def end(task: asyncio.Task[None] | None) -> None:
    """Let a cancelled task come to its end, so that its loop may be closed next."""
    if task is not None:
        await asyncio.wait([task])


# -- who waits ---------------------------------------------------------------------------------------------


class _Delivery:
    """One interrupt on its way to those that waited for it."""

    __slots__ = ("receivers", "taken")

    def __init__(self, receivers: int) -> None:
        self.receivers = receivers
        self.taken = False


class Waiter:
    """Somebody who waits on a pin. ``loop`` is None for a thread that blocks."""

    loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, pin: Pin) -> None:
        self.pin = pin
        self.thread = threading.get_ident()
        self.delivery: _Delivery | None = None

    def wake(self) -> None:
        """Tell it that :attr:`delivery` is there (or that it may lead)."""
        raise NotImplementedError

    def fail(self, error: BaseException) -> None:
        """End its wait with an error."""
        raise NotImplementedError


class Sleeper(Waiter):
    def __init__(self, pin: Pin) -> None:
        super().__init__(pin)
        self.event = threading.Event()
        self.error: BaseException | None = None
        self.taken = False

    def wake(self) -> None:
        self.event.set()

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.event.set()


class TaskWaiter(Waiter):
    loop: asyncio.AbstractEventLoop

    def __init__(self, pin: Pin, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(pin)
        self.loop = loop
        self.future: asyncio.Future[bool] = loop.create_future()

    def wake(self) -> None:
        self._call(self._finish)

    def expire(self) -> None:
        """End the wait without an interrupt, unless one is on its way. Called in the loop."""
        if not self.future.done() and self.delivery is None:
            self.future.set_result(False)

    def fail(self, error: BaseException) -> None:
        self._call(self._fail, error)

    def _finish(self) -> None:
        if not self.future.done():
            self.future.set_result(True)

    def _fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    def _call(self, function: Callable[..., None], *args: object) -> None:
        if self.thread == threading.get_ident():
            function(*args)
            return
        # A loop that was closed with this wait in it has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function, *args)


class _Pump:
    """The task of one event loop that waits for a line."""

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
        self.loop = loop
        self.thread = threading.get_ident()
        self.task = task

    def stop(self) -> None:
        if self.thread == threading.get_ident():
            self.task.cancel()
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, so the task has ended
            self.loop.call_soon_threadsafe(self.task.cancel)


# -- the tree ----------------------------------------------------------------------------------------------

_KEY = "_pynq_interrupt_tree"  # in the device's namespace: the tree lives as long as the device
_growing = threading.Lock()


def tree_of(device: Device, afresh: bool = False) -> _Tree:
    """Return the tree of what is loaded now."""
    tree: _Tree | None = vars(device).get(_KEY)
    if tree is not None and not afresh and tree.holds(device):
        return tree
    with _growing:
        if device.design is None:
            raise OverlayNotLoadedError(f"device {device.name!r} holds no overlay")
        tree = vars(device)[_KEY] = _Tree(device, device.design)
        return tree


def follow(device: Device) -> None:
    """Let the tree be that of what is in the regions now, if only that has changed."""
    tree: _Tree | None = vars(device).get(_KEY)
    if tree is not None:
        tree.holds(device)


class Activity(NamedTuple):
    """What is known of an interrupt pin: deliveries to waits, who waits now, and, where the device can tell,
    the pin's level and its rising edges since the load (else None).
    """

    path: str
    way: str  # as in messages: "input 3 of axi_intc_0"
    delivered: int
    waiting: int
    level: bool | None
    edges: int | None


def activity(device: Device) -> list[Activity]:
    """Return the activity of all interrupt pins that reach the processor; nothing is set up or touched."""
    design = device.design
    if design is None:
        return []
    tree: _Tree | None = vars(device).get(_KEY)
    pins = tree.pins if tree is not None and tree.holds(device) else {}
    found = []
    for path, info in design.interrupt_pins.items():
        if line_number(design, info) is None:
            continue
        pin = pins.get(path)
        probe = device.interrupt_probe(path)
        level, edges = probe() if probe is not None else (None, None)
        found.append(
            Activity(
                path,
                route(info),
                pin.deliveries if pin is not None else 0,
                len(pin.waiters) if pin is not None else 0,
                None if level is None else bool(level),
                edges,
            )
        )
    return found


def arm(device: Device) -> None:
    """Set up what is to keep edges until somebody waits for them. Boards call it when a download is done.

    Controllers latch nothing before that, and an edge straight to the PS is lost unless its line is masked.
    """
    if device.design is None or not device.design.interrupt_pins:
        return
    tree = tree_of(device)
    with tree.lock:
        tree.fresh = True
        try:
            for info in tree.design.interrupt_pins.values():
                if line_number(tree.design, info) is None:
                    continue
                # What can't be set up loses nothing by that, and a wait for the pin says why.
                with contextlib.suppress(UnsupportedByDeviceError, BoardBusyError, DesignError, KernelError):
                    if info.controller:
                        tree.controller(info.controller)
                    elif info.sensitivity.upper().startswith("EDGE"):
                        tree.line(info.gic or 0).hardware.disable()
        finally:
            tree.fresh = False


class _Tree:
    """The interrupts of a loaded design. One lock guards all of it; it is never held while waiting."""

    def __init__(self, device: Device, design: Design) -> None:
        self.device = device
        self.design = design
        self.timestamp = device.timestamp  # another one after the same design was downloaded again
        self.lock = threading.RLock()
        self.lines: dict[int, _Line] = {}
        self.controllers: dict[str, _Controller] = {}
        self.pins: dict[str, Pin] = {}
        self.fresh = False  # the PL was configured a moment ago: no other process has set up its controllers

    def holds(self, device: Device) -> bool:
        """Return whether this is the tree of what is loaded; other contents of regions are taken over."""
        design = device.design
        if self.timestamp != device.timestamp or design is None:
            return False
        if self.design is design:
            return True
        if (self.design.static or self.design) is not (design.static or design):
            return False
        with self.lock:
            gone = changes(self.design, design, reloaded=True)
            self.design = design
            for pin in [pin for pin in self.pins.values() if _among(pin.info.cell, gone)]:
                self._remove(pin)
            for path in [path for path in self.controllers if _among(path, gone)]:
                controller = self.controllers.pop(path)
                (controller.parent.controllers if controller.parent else controller.line.controllers).remove(
                    controller
                )
        return True

    def _remove(self, pin: Pin) -> None:
        """Forget a pin that is no longer in the PL; its waits end."""
        error = OverlayNotLoadedError(
            f"interrupt {pin.info.path!r} went with the region it was in, which was reconfigured"
        )
        for waiter in list(pin.waiters):
            pin.line._forget_quietly(waiter)
            waiter.fail(error)
        (pin.controller.pins if pin.controller else pin.line.pins).remove(pin)
        del self.pins[pin.info.path]

    def pin(self, wanted: InterruptPin) -> Pin:
        """Return the state of a pin; set up what it passes on first use."""
        with self.lock:
            pin = self.pins.get(wanted.path)
            if pin is not None and pin.info is wanted:
                return pin
            info = self.design.interrupt_pins.get(wanted.path)
            way = (wanted.controller, wanted.index, wanted.gic, wanted.source.file)
            if info is None or (info.controller, info.index, info.gic, info.source.file) != way:
                raise OverlayNotLoadedError(
                    f"interrupt {wanted.path!r} belongs to an overlay that is no longer loaded: device "
                    f"{self.device.name!r} holds {self.design.name!r} now"
                )
            if line_number(self.design, info) is None:
                raise DesignError(
                    f"interrupt {info.path!r} does not reach the processor of design {self.design.name!r}: "
                    f"it ends at {route(info)}, which serves another processor or nobody"
                )
            if pin is None:
                pin = self.pins[info.path] = Pin(self, info)
            return pin

    def line(self, gic: int) -> _Line:
        if gic not in self.lines:
            self.lines[gic] = _Line(self, gic)
        return self.lines[gic]

    def controller(self, path: str) -> _Controller:
        if path not in self.controllers:
            self.controllers[path] = _Controller(self, path)
        return self.controllers[path]


class Pin:
    """A source of interrupts and what is known about its past."""

    def __init__(self, tree: _Tree, info: InterruptPin) -> None:
        self.tree = tree
        self.info = info
        self.controller = tree.controller(info.controller) if info.controller else None
        self.line: _Line = self.controller.line if self.controller else tree.line(info.gic or 0)
        self.mask = 1 << info.index
        declared = info.sensitivity.upper()
        self.says_level = declared.startswith("LEVEL")
        if self.controller:
            self.edge = self.controller.is_edge(info.index, declared)
        else:
            self.edge = declared.startswith("EDGE")
        self.probe = tree.device.interrupt_probe(info.path)
        self.waiters: list[Waiter] = []
        self.delivered = False
        self.deliveries = 0
        self.seen = 0  # rising edges up to the last delivery, where the device can tell
        self.stale = False  # the controller's latch was set again by the level that had just been served
        self.kept = False  # an edge was taken for a wait that was cancelled
        self.unmasked_at = 0.0
        self.immediate = 0  # deliveries in a row for which the level was probably never low
        if self.controller and self.edge and self.probe is not None and self.probe()[1]:
            # Edges that came before the controller was set up were not latched.
            self.kept = not self.controller.window.read(_ISR) & self.mask
        (self.controller.pins if self.controller else self.line.pins).append(self)

    def check_cleared(self) -> None:
        """Raise if the source is active since the last delivery, where the device can tell.

        A source that holds its level is looked at behind an edge-triggered input too: no edge can come.
        """
        if self.probe is None or not self.delivered or (self.edge and not self.says_level):
            return
        level, edges = self.probe()
        if level and edges == self.seen:
            raise InterruptNotClearedError(
                f"{self.info.path} is still active since its last interrupt: clear the interrupt in the "
                f"registers of {self.info.cell} before waiting again"
            )

    def unmask(self) -> None:
        if self.controller:
            # A bit left over in the latch: the level that was served last time, or one that the program saw
            # by polling and cleared. An input that is active now sets it again at once.
            if not self.edge and (self.says_level or (self.stale and not self.pulsed())):
                self.controller.acknowledge(self.mask)
            self.stale = False
            self.controller.unmask(self.mask)
        self.unmasked_at = time.monotonic()

    def pulsed(self) -> bool:
        """Tell whether the device knows of an activation since the last delivery."""
        return self.probe is not None and self.probe()[1] != self.seen

    def remask(self) -> None:
        if self.controller and not any(pin.waiters for pin in self.controller.pins if pin.mask == self.mask):
            self.controller.remask(self.mask)

    def came(self) -> bool:
        """Tell whether this pin is the reason why its line fired. Unknown means yes."""
        if self.probe is None:
            return True
        level, edges = self.probe()
        return edges != self.seen or (not self.edge and bool(level))

    def fire(self) -> None:
        """Deliver an interrupt to all who wait now."""
        if self.probe is not None:
            self.seen = self.probe()[1]
        self.delivered = True
        self.deliveries += 1
        self._suspect()
        delivery = _Delivery(len(self.waiters))
        for waiter in self.waiters:
            waiter.delivery = delivery
            self.line.waiters.remove(waiter)
            waiter.wake()
        self.waiters = []

    def _suspect(self) -> None:
        """Warn once when a level seems never to be cleared and the device can't tell for sure.

        An error would be wrong here: an IP that is started again and interrupts faster than the program
        comes back looks just the same.
        """
        if self.edge or self.probe is not None:
            return
        self.immediate = self.immediate + 1 if time.monotonic() - self.unmasked_at < _IMMEDIATE else 0
        if self.immediate == _SUSPICIOUS:
            warnings.warn(
                f"{self.info.path} was active at each of the last {_SUSPICIOUS} waits: unless "
                f"{self.info.cell} is that fast, the program does not clear the interrupt in its registers",
                PynqWarning,
                stacklevel=2,
            )

    def give_back(self) -> None:
        """Keep an interrupt that nobody took for the next wait. A level needs no keeping: it stays."""
        self.kept = self.edge

    def timed_out(self, timeout: float | None) -> WaitTimeoutError:
        return WaitTimeoutError(f"no interrupt from {self.info.path} within {timeout} s; {self.state()}")

    def hopeful(self) -> bool:
        """Tell whether the interrupt may come although nothing moves: somebody may press a button."""
        return threading.active_count() > 1 and self.tree.device.interrupt_from_outside(self.info.path)

    def dead(self, reason: DeadlockError) -> DeadlockError:
        return DeadlockError(f"no interrupt can come from {self.info.path}: {reason}; {self.state()}")

    def state(self) -> str:
        """Describe the way to the processor, with the state of each station."""
        parts = [f"it goes to {route(self.info)}"]
        controller = self.controller
        while controller:
            parts.append(controller.state())
            controller = controller.parent
        if self.controller:
            parts.append(f"that ends at PS interrupt {self.line.gic}")
        if self.probe is not None:
            level, edges = self.probe()
            seen = f"{edges} rising edges, {self.seen} of them seen"
            parts.append(f"the pin is {'high' if level else 'low'} after {seen}")
        parts.append(self.tree.device.explain(self.info.path))
        return "; ".join(filter(None, parts))


class _Controller:
    """An ``axi_intc``: its registers, and which of its inputs are waited for."""

    def __init__(self, tree: _Tree, path: str) -> None:
        design = tree.design
        about = design.interrupt_controllers[path]
        self.path = path
        self.parent = tree.controller(about.parent) if about.parent else None
        self.line: _Line = self.parent.line if self.parent else tree.line(about.gic or 0)
        self.mask = 1 << about.index
        self.pins: list[Pin] = []
        self.controllers: list[_Controller] = []
        self.enabled = 0
        parameters = design.cells[path].parameters
        self.edges = _integer(parameters.get("C_KIND_OF_INTR"))
        self.has_sie = _integer(parameters.get("C_HAS_SIE")) != 0
        self.has_cie = _integer(parameters.get("C_HAS_CIE")) != 0
        self.window = _registers(tree, path)
        if tree.device.shares_controllers and not tree.fresh:
            self.line.hardware.disable()  # fails if another process waits here: its set-up stays as it is
        self.window.write(_IER, 0)
        if _integer(parameters.get("C_HAS_FAST")):
            self.window.write(_IMR, 0)  # normal mode: in fast mode the processor's ack signals are expected
        self.window.write(_MER, _MER_ON)
        (self.parent.controllers if self.parent else self.line.controllers).append(self)

    def is_edge(self, index: int, declared: str) -> bool:
        """Tell how an input is sensed: as configured (PG099, C_KIND_OF_INTR), else as its source declares."""
        if self.edges is None:
            return declared.startswith("EDGE")
        return bool(self.edges >> index & 1)

    def acknowledge(self, mask: int) -> None:
        self.window.write(_IAR, mask)

    def unmask(self, mask: int) -> None:
        before, self.enabled = self.enabled, self.enabled | mask
        if self.enabled != before:
            if self.has_sie:
                self.window.write(_SIE, mask)
            else:
                self.window.write(_IER, self.enabled)
        if self.parent and not before:
            self.parent.unmask(self.mask)

    def remask(self, mask: int) -> None:
        before, self.enabled = self.enabled, self.enabled & ~mask
        if self.enabled != before:
            if self.has_cie:
                self.window.write(_CIE, mask)
            else:
                self.window.write(_IER, self.enabled)
        if self.parent and before and not self.enabled:
            self.parent.remask(self.mask)

    def serve(self) -> None:
        """Mask, acknowledge and deliver what is pending, here and in the controllers below.

        Pins are masked when they fire, so that a level which the program has yet to clear does not fire for
        ever.
        """
        latched = self.window.read(_ISR)
        if not latched & self.enabled:
            # Spurious, or another program has unmasked inputs of which nobody here knows.
            self.window.write(_IER, self.enabled)
            return
        for _ in range(_MAX_PASSES):
            pending = latched & self.enabled
            if not pending:
                return
            for controller in self.controllers:
                if pending & controller.mask:
                    controller.serve()
            fired = [pin for pin in self.pins if pin.waiters and pending & pin.mask]
            for pin in fired:
                self.remask(pin.mask)
            self.acknowledge(pending)
            for pin in fired:
                pin.fire()
            latched = self.window.read(_ISR)
            for pin in fired:
                pin.stale = not pin.edge and bool(latched & pin.mask)
        raise InterruptNotClearedError(
            f"{self.path}: inputs 0x{latched & self.enabled:x} stay pending although acknowledged; "
            f"{self.state()}"
        )

    def state(self) -> str:
        try:
            isr, ier, mer = (self.window.read(offset) for offset in (_ISR, _IER, _MER))
        except PynqError as error:
            return f"{self.path} can't be read ({error})"
        return f"{self.path} has ISR 0x{isr:x}, IER 0x{ier:x}, MER 0x{mer:x}"


class _Line:
    """An interrupt input of the processor, and all who wait for something behind it."""

    def __init__(self, tree: _Tree, gic: int) -> None:
        self.tree = tree
        self.gic = gic
        self.lock = tree.lock
        self.pins: list[Pin] = []  # wired straight to the processor
        self.controllers: list[_Controller] = []
        self.waiters: list[Waiter] = []
        self.pumps: dict[asyncio.AbstractEventLoop, _Pump] = {}
        self.leader: Sleeper | None = None
        self.armed = False
        self.doubtful = False  # a pump was stopped: the firing it may have taken is lost
        self.leftover = False  # the line may have fired after the last wait had ended
        self._hardware: InterruptLine | None = None

    @property
    def hardware(self) -> InterruptLine:
        if self._hardware is None:
            self._hardware = self.tree.device.interrupt_line(self.gic)
        return self._hardware

    # -- coming and going
    def enter(self, waiter: Waiter) -> None:
        """Register a waiter and unmask what it waits for."""
        pin = waiter.pin
        with self.lock:
            if pin.kept:
                pin.kept = False
                waiter.delivery = _Delivery(1)
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
                self.pumps[loop] = _Pump(loop, task)

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
                    self._forget_quietly(waiter)
                    waiter.fail(error)
                raise

    def _forget_quietly(self, waiter: Waiter) -> None:
        with contextlib.suppress(PynqError):  # masking fails for the reason that is being reported
            self._forget(waiter)


def _registers(tree: _Tree, path: str) -> Window:
    """Return a window on the registers of a controller, as the processor sees them."""
    for reach in tree.design.ps_ranges:
        if reach.slave == path:
            return tree.device.map(reach.base, reach.size)
    raise DesignError(
        f"interrupt controller {path!r} of design {tree.design.name!r} ({tree.design.cells[path].source}) "
        "has no address in the processor's map: assign one in Vivado's address editor"
    )


def _among(path: str, regions: list[str]) -> bool:
    return any(inside(path, region) for region in regions)


def _integer(text: str | None) -> int | None:
    """Return the value of a parameter ("0xFFFFFFFE", "32"); None where it is missing or no number."""
    try:
        return int(text, 0) if text else None
    except ValueError:
        return None
