"""What an interrupt passes on its way to a line of the processor: its pin, and ``axi_intc`` controllers."""

from __future__ import annotations

import threading
import time
import warnings
from typing import TYPE_CHECKING

from pynq.errors import (
    DeadlockError,
    DesignError,
    InterruptNotClearedError,
    PynqError,
    PynqWarning,
    WaitTimeoutError,
)
from pynq.interrupt_waiters import Delivery, Waiter

if TYPE_CHECKING:
    from pynq._native import Window
    from pynq.design.model import Design, InterruptPin
    from pynq.device.base import Device
    from pynq.interrupt_line import Line

__all__ = ["Controller", "Pin", "route"]

# Registers of axi_intc: PG099, table "Register Address Map".
_ISR, _IER, _IAR, _SIE, _CIE, _MER, _IMR = 0x00, 0x08, 0x0C, 0x10, 0x14, 0x1C, 0x20
_MER_ON = 0x3  # ME: drive the output; HIE: take hardware inputs (they are not latched before)

_MAX_PASSES = 64  # over one controller in one interrupt; more means that its input can't be acknowledged
_IMMEDIATE = 1e-3  # seconds; a level that fires sooner was probably active before the wait
_SUSPICIOUS = 1000  # such waits in a row, on devices that can't tell the level of a pin, before a warning


def route(pin: InterruptPin) -> str:
    """Return where a pin goes, for messages."""
    if pin.controller:
        return f"input {pin.index} of {pin.controller}"
    return f"PS interrupt {pin.gic}"


class Pin:
    """A source of interrupts and what is known about its past."""

    def __init__(self, device: Device, info: InterruptPin, controller: Controller | None, line: Line) -> None:
        self.device = device
        self.info = info
        self.controller = controller
        self.line = line
        self.mask = 1 << info.index
        declared = info.sensitivity.upper()
        self.says_level = declared.startswith("LEVEL")
        if self.controller:
            self.edge = self.controller.is_edge(info.index, declared)
        else:
            self.edge = declared.startswith("EDGE")
        self.probe = device.interrupt_probe(info.path)
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
        delivery = Delivery(len(self.waiters))
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
        return threading.active_count() > 1 and self.device.interrupt_from_outside(self.info.path)

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
        parts.append(self.device.explain(self.info.path))
        return "; ".join(filter(None, parts))


class Controller:
    """An ``axi_intc``: its registers, and which of its inputs are waited for.

    ``fresh``: the PL was configured a moment ago, so no other process has set it up.
    """

    def __init__(
        self, device: Device, design: Design, path: str, parent: Controller | None, line: Line, fresh: bool
    ) -> None:
        self.path = path
        self.parent = parent
        self.line = line
        self.mask = 1 << design.interrupt_controllers[path].index
        self.pins: list[Pin] = []
        self.controllers: list[Controller] = []
        self.enabled = 0
        parameters = design.cells[path].parameters
        self.edges = _integer(parameters.get("C_KIND_OF_INTR"))
        self.has_sie = _integer(parameters.get("C_HAS_SIE")) != 0
        self.has_cie = _integer(parameters.get("C_HAS_CIE")) != 0
        self.window = _registers(device, design, path)
        if device.shares_controllers and not fresh:
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


def _registers(device: Device, design: Design, path: str) -> Window:
    """Return a window on the registers of a controller, as the processor sees them."""
    for reach in design.ps_ranges:
        if reach.slave == path:
            return device.map(reach.base, reach.size)
    raise DesignError(
        f"interrupt controller {path!r} of design {design.name!r} ({design.cells[path].source}) "
        "has no address in the processor's map: assign one in Vivado's address editor"
    )


def _integer(text: str | None) -> int | None:
    """Return the value of a parameter ("0xFFFFFFFE", "32"); None where it is missing or no number."""
    try:
        return int(text, 0) if text else None
    except ValueError:
        return None
