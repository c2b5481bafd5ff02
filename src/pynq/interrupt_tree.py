"""The interrupt tree of a loaded design: lines of the processor, controllers, pins, and who waits for them.

Below :class:`pynq.interrupt.Interrupt` lies one tree for each loaded design (:class:`_Tree`): the lines of
the processor at the root (:mod:`pynq.interrupt_line`), ``axi_intc`` controllers (product guide PG099) in any
depth, pins as leaves (both :mod:`pynq.interrupt_stations`). Nothing runs in the background. While somebody
waits (:mod:`pynq.interrupt_waiters`), exactly as much is unmasked as is waited for:

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

import contextlib
import threading
from typing import TYPE_CHECKING, NamedTuple

from pynq.design.partial import changes, inside
from pynq.errors import (
    BoardBusyError,
    DesignError,
    KernelError,
    OverlayNotLoadedError,
    UnsupportedByDeviceError,
)
from pynq.interrupt_line import Line
from pynq.interrupt_stations import Controller, Pin, route

if TYPE_CHECKING:
    from pynq.design.model import Design, InterruptController, InterruptPin
    from pynq.device.base import Device

__all__ = ["Activity", "activity", "arm", "follow", "line_number", "tree_of"]


def line_number(design: Design, pin: InterruptPin) -> int | None:
    """Return the GIC number at which a pin's way ends; None where that is not the PS."""
    station: InterruptPin | InterruptController = pin
    above = pin.controller
    while above:
        station = design.interrupt_controllers[above]
        above = station.parent
    return station.gic


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
        self.lines: dict[int, Line] = {}
        self.controllers: dict[str, Controller] = {}
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
            pin.line.forget_quietly(waiter)
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
                controller = self.controller(info.controller) if info.controller else None
                line = controller.line if controller else self.line(info.gic or 0)
                pin = self.pins[info.path] = Pin(self.device, info, controller, line)
            return pin

    def line(self, gic: int) -> Line:
        if gic not in self.lines:
            self.lines[gic] = Line(self.device, gic, self.lock)
        return self.lines[gic]

    def controller(self, path: str) -> Controller:
        if path not in self.controllers:
            about = self.design.interrupt_controllers[path]
            parent = self.controller(about.parent) if about.parent else None
            line = parent.line if parent else self.line(about.gic or 0)
            self.controllers[path] = Controller(self.device, self.design, path, parent, line, self.fresh)
        return self.controllers[path]


def _among(path: str, regions: list[str]) -> bool:
    return any(inside(path, region) for region in regions)
