"""AXI Timer (PG079): two counters that generate, capture, or make a pulse-width modulated output together.

Nothing ticks. A counter is where it started and when; what it has done since follows at each look. An event
is asked of the engine only for what can be seen outside: so a timer that runs free, or whose interrupt waits
to be cleared, leaves the PL quiet.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pynq.backends.sim.model import Model
from pynq.backends.sim.nets import number, parameter
from pynq.backends.sim.regfile import Reg, RegisterSpec, specs_of_model
from pynq.design.model import Cell

__all__ = ["AxiTimer"]

# TCSR0 and TCSR1: PG079, tables "Control/Status Register".
_MDT, _UDT, _GENT, _CAPT, _ARHT, _LOAD, _ENIT, _ENT, _TINT, _PWMA, _ENALL, _CASC = (
    1 << bit for bit in range(12)
)


class _Counter:
    """A counter in closed form: its value at a cycle of the clock, and when it rolls over."""

    def __init__(self, width: int) -> None:
        self.mask = (1 << width) - 1
        self.running = False
        self.down = False
        self.repeats = False  # reload and go on after a rollover; else hold
        self.wraps = False  # capture mode: a rollover is nothing special
        self.load = 0
        self.held = False  # rolled over without reload; until it is loaded or stopped
        self._first = 0  # value at cycle _start
        self._start = 0

    def value(self, cycle: int) -> int:
        """Return what the counter shows."""
        steps = cycle - self._start if self.running else 0
        if steps < 0:  # the cycle between the rollover and the reload
            return self.mask if self.down else 0
        return (self._first - steps if self.down else self._first + steps) & self.mask

    def put(self, value: int, cycle: int) -> None:
        """Set the value; a counter that held goes on from there."""
        self.held = False
        self._first, self._start = value & self.mask, cycle

    def run(self, running: bool, down: bool, cycle: int) -> None:
        """Start, stop or turn."""
        if self.held and running:
            return
        self.held = False
        if (running, down) != (self.running, self.down):
            self.put(self.value(cycle), cycle)
            self.running, self.down = running, down

    def _length(self, value: int) -> int:
        """Return the cycles from a value to the rollover."""
        return (value if self.down else self.mask - value) + 1

    def rollover(self) -> int | None:
        """Return the cycle of the next rollover; None if there is none."""
        return self._start + self._length(self._first) if self.running and not self.wraps else None

    def advance(self, cycle: int) -> int:
        """Take note of the rollovers up to a cycle; return how many there were."""
        first = self.rollover()
        if first is None or cycle < first:
            return 0
        if not self.repeats:
            self.put(self.mask if self.down else 0, cycle)
            self.running, self.held = False, True
            return 1
        # One cycle to roll over, one to reload: TLR + 2 cycles a period when counting down (PG079, "Timing
        # Interval").
        reloaded, length = first + 1, self._length(self.load)
        periods = max(0, (cycle - reloaded - length) // (length + 1) + 1) if cycle >= reloaded + length else 0
        self._first, self._start = self.load & self.mask, reloaded + periods * (length + 1)
        return 1 + periods


class AxiTimer(Model, built_in=True):
    """Generate mode with and without reload, capture mode, PWM, 64-bit cascade, ENALL, freeze."""

    bindto = ["xilinx.com:ip:axi_timer"]

    @classmethod
    def specs(cls, cell: Cell) -> list[RegisterSpec]:
        """Return the registers of PG079, table "Register Space"."""
        width = number(parameter(cell, "C_COUNT_WIDTH"), 32)
        mask = (1 << width) - 1
        declared: dict[str, Reg | int] = {}
        for index in range(_timers(cell)):
            base, control = 0x10 * index, 0xFFF if index == 0 else 0x7FF
            declared[f"TCSR{index}"] = Reg(base, writable=control & ~_TINT, w1c=0)
            declared[f"TLR{index}"] = Reg(base + 4, writable=mask)
            declared[f"TCR{index}"] = Reg(base + 8, access="read-only")
        return specs_of_model(cls.__name__, declared)

    @classmethod
    def initial(cls, cell: Cell) -> Mapping[str, int]:
        """Return the inactive levels of the outputs."""
        return {f"generateout{index}": 1 - _asserted(cell, "GEN", index) for index in range(_timers(cell))}

    def on_reset(self) -> None:
        """Stop both counters."""
        self._width = number(parameter(self.cell, "C_COUNT_WIDTH"), 32)
        self._count = _timers(self.cell)
        self._counters = [_Counter(self._width) for _ in range(self._count)]
        self._wide = _Counter(2 * self._width)
        self._control = [0] * self._count
        self._pending = [False] * self._count  # TINT
        self._captured = [False] * self._count  # TLR holds a capture that nobody has acknowledged
        self._trigger = [self._capture_level(index) for index in range(self._count)]
        self._timer: int | None = None
        self._pwm = 0
        for index in range(self._count):
            base = 0x10 * index
            self.host.on_read(base, partial(self._status, index))
            self.host.on_read(base + 8, partial(self._now, index))
            self.host.on_write(base, partial(self._write_control, index))
            self.host.on_write(base + 4, partial(self._write_load, index))

    # -- registers -------------------------------------------------------------------------------------
    def _status(self, index: int) -> int:
        self._catch_up()
        return self._control[index] | (_TINT if self._pending[index] else 0)

    def _now(self, index: int) -> int:
        self._catch_up()
        cycle = self.clock.cycles
        if self._cascaded():
            return self._wide.value(cycle) >> (self._width * index) & ((1 << self._width) - 1)
        return self._counters[index].value(cycle)

    def _write_load(self, index: int, value: int, before: int) -> None:
        self._catch_up()
        self._captured[index] = False
        self._apply()
        self._settle()

    def _write_control(self, index: int, value: int, before: int) -> None:
        self._catch_up()
        if value & _TINT:
            self._pending[index] = self._captured[index] = False
        self._control[index] = value & (0xFFF if index == 0 else 0x7FF) & ~_TINT
        for other in range(
            self._count
        ):  # ENALL shows in both registers and starts both counters; clearing it stops none
            if value & _ENALL:
                self._control[other] |= _ENALL | _ENT
            else:
                self._control[other] &= ~_ENALL
        self._apply()
        self._settle()

    def _cascaded(self) -> bool:
        return self._count == 2 and bool(self._control[0] & _CASC)

    def _modulates(self) -> bool:
        """Return whether PWM is on: both counters generate, with GENT and PWMA (PG079, "Pulse Width
        Modulation Mode").
        """
        wanted = _PWMA | _GENT
        return self._count == 2 and all(control & (wanted | _MDT) == wanted for control in self._control)

    def _load(self, index: int) -> int:
        return self.host.get(0x10 * index + 4)

    # -- counting --------------------------------------------------------------------------------------
    def _apply(self) -> None:
        """Let the counters follow the control registers."""
        cycle = self.clock.cycles
        frozen = "freeze" in self._pins and bool(self.pin("freeze").level)
        if self._cascaded():
            control, wide = self._control[0], self._wide
            wide.load = self._load(0) | self._load(1) << self._width
            wide.repeats, wide.wraps = bool(control & _ARHT), bool(control & _MDT)
            loading = (control | self._control[1]) & _LOAD
            if loading:
                wide.put(wide.load, cycle)
            wide.run(bool(control & _ENT) and not loading and not frozen, bool(control & _UDT), cycle)
            for counter in self._counters:
                counter.run(False, counter.down, cycle)
            return
        self._wide.run(False, self._wide.down, cycle)
        for index, counter in enumerate(self._counters):
            control = self._control[index]
            counter.load = self._load(index)
            counter.wraps = bool(control & _MDT)
            # In PWM the second counter waits for the first to begin a period.
            counter.repeats = bool(control & _ARHT) and not (index == 1 and self._modulates())
            if control & _LOAD:
                counter.put(counter.load, cycle)
            counter.run(
                bool(control & _ENT) and not control & _LOAD and not frozen, bool(control & _UDT), cycle
            )

    def _active(self) -> list[tuple[int, _Counter]]:
        return [(0, self._wide)] if self._cascaded() else list(enumerate(self._counters))

    def _catch_up(self) -> None:
        """Do what the counters have done since the last look."""
        cycle = self.clock.cycles
        modulates = self._modulates()
        for index, counter in self._active():
            if counter.advance(cycle):
                self._pending[index] = True
                if self._control[index] & _GENT:
                    self._generate(index)
                if modulates:
                    self._modulate(index, cycle)
        self._interrupt()

    def _modulate(self, index: int, cycle: int) -> None:
        if index == 0:  # a new period: high until the second counter is through
            second = self._counters[1]
            second.run(False, second.down, cycle)
            second.put(self._load(1), cycle)
            second.run(True, bool(self._control[1] & _UDT), cycle)
        self._pwm = 1 - index
        if "pwm0" in self._pins:
            self.pin("pwm0").drive(self._pwm)

    def _generate(self, index: int) -> None:
        name = f"generateout{index}"
        if name in self._pins:
            active = _asserted(self.cell, "GEN", index)
            self.pin(name).drive(active)
            self.host.after(1, lambda: self.pin(name).drive(1 - active))

    def _settle(self) -> None:
        """Show the interrupt, and ask for the next event that could be seen."""
        self._interrupt()
        if not self._modulates() and self._pwm and "pwm0" in self._pins:
            self._pwm = 0
            self.pin("pwm0").drive(0)
        if self._timer is not None:
            self.host.cancel(self._timer)
            self._timer = None
        cycles = [
            when
            for index, counter in self._active()
            if self._visible(index) and (when := counter.rollover()) is not None
        ]
        if cycles:
            self._timer = self.host.after(max(1, min(cycles) - self.clock.cycles), self._event)

    def _visible(self, index: int) -> bool:
        control = self._control[index]
        interrupts = bool(control & _ENIT) and not self._pending[index] and self.connected("interrupt")
        generates = bool(control & _GENT) and self.connected(f"generateout{index}")
        return interrupts or generates or (self._modulates() and self.connected("pwm0"))

    def _event(self) -> None:
        self._timer = None
        self._catch_up()
        self._settle()

    def _interrupt(self) -> None:
        wanted = any(self._pending[index] and self._control[index] & _ENIT for index in range(self._count))
        if "interrupt" in self._pins and self.pin("interrupt").level != wanted:
            self.pin("interrupt").drive(int(wanted))

    def explain(self, channel: str) -> str:
        """Return why there is no interrupt."""
        reasons = []
        for index, counter in self._active():
            control = self._control[index]
            if self._pending[index] and control & _ENIT:
                return ""
            if not control & _ENIT:
                reasons.append(f"TCSR{index}.ENIT is 0")
            elif not counter.running:
                reasons.append(f"counter {index} stands still at {self._now(index):#x}")
        return f"{self.name} gives no interrupt: {', '.join(reasons)}" if reasons else ""

    # -- inputs ----------------------------------------------------------------------------------------
    def on_pin_capturetrig0(self, level: int) -> None:
        """Capture."""
        self._capture(0)

    def on_pin_capturetrig1(self, level: int) -> None:
        """Capture."""
        self._capture(1)

    def on_pin_freeze(self, level: int) -> None:
        """Hold both counters."""
        self._catch_up()
        self._apply()
        self._settle()

    def _capture_level(self, index: int) -> bool:
        name = f"capturetrig{index}"
        level = self.pin(name).level if name in self._pins else 1 - _asserted(self.cell, "TRIG", index)
        return level == _asserted(self.cell, "TRIG", index)

    def _capture(self, index: int) -> None:
        before = self._trigger[index]
        self._trigger[index] = self._capture_level(index)
        control = self._control[index]
        if before or not self._trigger[index] or control & (_MDT | _CAPT) != _MDT | _CAPT:
            return
        self._catch_up()
        if self._captured[index] and not control & _ARHT:
            return  # held until TINT is cleared
        cycle = self.clock.cycles
        if self._cascaded() and index == 0:
            value = self._wide.value(cycle)
            self.host.set(0x04, value & ((1 << self._width) - 1))
            self.host.set(0x14, value >> self._width)
        else:
            self.host.set(0x10 * index + 4, self._counters[index].value(cycle))
        self._captured[index] = self._pending[index] = True
        self._settle()


def _timers(cell: Cell) -> int:
    return 1 if number(parameter(cell, "C_ONE_TIMER_ONLY")) else 2


def _asserted(cell: Cell, what: str, index: int) -> int:
    """Return the active level of a capture trigger or generate output: ``C_TRIG0_ASSERT``,
    ``C_GEN1_ASSERT``.
    """
    return number(parameter(cell, f"C_{what}{index}_ASSERT"), 1) & 1
