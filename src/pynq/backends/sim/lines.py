"""What the PS has towards the PL on the simulated board: interrupt lines and EMIO pins."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from pynq.backends.sim._engine import Engine, Irq, Net
from pynq.device.contract import InterruptLine
from pynq.errors import DeadlockError

__all__ = ["SimInterruptLine", "SimPin"]

_SLICE = 0.001  # seconds of the host that an event loop is held up
_SHORTEST, _LONGEST = 10_000_000, 1_000_000_000  # picoseconds; slices of virtual time in deterministic mode
_PS = 1_000_000_000_000


class Waiting(Protocol):
    """What a wait asks of its device: how it is to wait, and who else does."""

    @property
    def patience(self) -> float: ...

    @property
    def deterministic(self) -> bool: ...

    @property
    def naps(self) -> MutableMapping[asyncio.AbstractEventLoop, int]: ...

    def listening(self, ring: Callable[[], None]) -> AbstractContextManager[None]: ...


class SimInterruptLine(InterruptLine):
    """One interrupt input of the simulated PS.

    Waiting runs the engine: on the calling thread, outside the interpreter's lock (:meth:`wait`), or a slice
    at a time between the other tasks of the event loop (:meth:`wait_async`). There is no thread behind it.
    """

    def __init__(self, device: Waiting, engine: Engine, irq: Irq) -> None:
        self._device = device
        self._engine = engine
        self._irq = irq
        self.number = irq.number

    def enable(self) -> None:
        """Unmask the line."""
        self._irq.enable()

    def disable(self) -> None:
        """Mask the line. What fired before stays to be taken by a wait."""
        self._irq.disable()

    def wait(self, timeout: float | None = None) -> bool:
        """Run the PL until the line fires; return False when ``timeout`` seconds of virtual time are over.

        Where nothing can happen any more, a wait without timeout raises :class:`DeadlockError`: at once if no
        other Python thread lives, else after ``device.patience`` seconds. A wait with timeout then returns
        False: at once, or after ``timeout`` seconds.
        """
        if self._irq.take():
            return True
        alone = threading.active_count() == 1
        if timeout is None:
            reason = self._engine.run_until(self._irq, patience=0.0 if alone else self._device.patience)
            if reason != "hit":
                raise self._deadlock()
            return self._irq.take()
        reason = self._engine.run_until(
            self._irq, timeout=max(0, round(timeout * _PS)), patience=0.0 if alone else timeout
        )
        return reason == "hit" and self._irq.take()

    async def wait_async(self) -> None:
        """Run the PL between the other tasks of the loop until the line fires.

        Sleeps while the PL is quiet, until a stimulus comes: an access or a board pin, from any thread.
        Raises :class:`DeadlockError` after ``device.patience`` seconds of quiet in which no timer of the
        event loop was pending that could bring one.
        """
        engine, span = self._engine, _SHORTEST
        horizon = _Horizon(engine)
        while not self._irq.take():
            seen = engine.stimuli
            if self._device.deterministic:
                reason = engine.run_until(self._irq, timeout=span, patience=0.0)
                span = min(2 * span, _LONGEST)
            else:
                reason = engine.run_until(self._irq, slice=_SLICE)
            if reason == "hit":
                continue
            if reason == "quiet" or horizon.passed():
                span = _SHORTEST
                await self._sleep(seen)
                horizon = _Horizon(engine)
            else:
                await asyncio.sleep(0)

    async def _sleep(self, seen: int) -> None:
        """Wait for a stimulus."""
        await asyncio.sleep(0)  # let the loop's other tasks act first
        loop = asyncio.get_running_loop()
        alarm, naps = asyncio.Event(), self._device.naps

        def ring() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(alarm.set)

        with self._device.listening(ring):
            quiet_since = time.monotonic()
            while self._engine.stimuli == seen and not alarm.is_set():
                patience = self._device.patience
                left = quiet_since + patience - time.monotonic()
                if left <= 0:
                    if _timers(loop) <= naps.get(loop, 0):
                        raise self._deadlock()
                    left = patience
                naps[loop] = naps.get(loop, 0) + 1
                try:
                    await asyncio.wait_for(alarm.wait(), min(left, patience))
                except (asyncio.TimeoutError, TimeoutError):
                    continue
                finally:
                    naps[loop] -= 1

    def _deadlock(self) -> DeadlockError:
        why = self._engine.explain(self._irq)
        return DeadlockError(f"interrupt {self.number} of the PS can't come: {why}")

    def __repr__(self) -> str:
        return f"<SimInterruptLine {self.number}: {'enabled' if self._irq.enabled else 'masked'}>"


def _timers(loop: asyncio.AbstractEventLoop) -> int:
    """Return how many timers of the loop are pending: a task that sleeps may act later.

    0 where the loop doesn't tell. Those of our own naps are among them.
    """
    scheduled: Any = getattr(loop, "_scheduled", ())
    return sum(not handle.cancelled() for handle in scheduled)


class _Horizon:
    """The engine's own limit for events without progress (a free-running counter), for a wait in slices: the
    engine counts anew in each of them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._start()

    def _start(self) -> None:
        self._progress, self._events = self._engine.activity
        self._since = self._engine.now

    def passed(self) -> bool:
        progress, events = self._engine.activity
        if progress != self._progress:
            self._start()
            return False
        went = events - self._events
        if went <= 10_000:
            return False
        return went > self._engine.idle_events or self._engine.now - self._since > self._engine.horizon


class SimPin:
    """One EMIO GPIO of the simulated PS."""

    def __init__(
        self, engine: Engine, level: tuple[Net, int] | None, tri: tuple[Net, int] | None, output: bool
    ) -> None:
        self._engine = engine
        self._level = level  # the net and the place in it: what the PS drives, or what it reads
        self._tri = tri  # 1: input
        self._output = output
        _put(tri, 0 if output else 1)

    def read(self) -> int:
        """Return the level: of the input, or as driven for an output. An input that nothing drives is 0."""
        self._engine.catch_up()
        return 0 if self._level is None else self._level[0].value >> self._level[1] & 1

    def write(self, value: int) -> None:
        """Drive the pin; an input takes no notice."""
        if self._output:
            _put(self._level, value & 1)

    def release(self) -> None:
        """Let go of the pin; an output becomes an input."""
        if self._output:
            _put(self._tri, 1)


def _put(place: tuple[Net, int] | None, level: int) -> None:
    if place is not None:
        net, bit = place
        net.drive(level << bit, 1 << bit)
