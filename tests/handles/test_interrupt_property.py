"""Any sequence of activations, pulses, clearings and waits gives what a simple model of interrupts says."""

from __future__ import annotations

from fakeboard import PINS, Bench, FakeBoard, interrupt_design
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from pynq.errors import InterruptNotClearedError, WaitTimeoutError
from pynq.interrupt import Interrupt

DESIGN = interrupt_design()
NAMES = st.sampled_from(sorted(PINS))
EDGE = {"edge0", "edge1", "direct_edge"}
# "plain" enters a level input, but its source does not say that it holds its level: pulses are latched.
LATCHED = EDGE | {"plain"}


class Interrupts(RuleBasedStateMachine):
    """What is known of each pin: its level, and whether it rose since the last interrupt delivered."""

    def __init__(self) -> None:
        super().__init__()
        self.device = FakeBoard(DESIGN)
        self.bench = Bench(self.device)
        self.pins = {name: Interrupt(f"source/{name}", device=self.device) for name in PINS}
        self.level = dict.fromkeys(PINS, False)
        self.rose = dict.fromkeys(PINS, False)
        self.delivered = dict.fromkeys(PINS, False)

    @rule(name=NAMES)
    def activate(self, name: str) -> None:
        self.rose[name] |= not self.level[name]
        self.level[name] = True
        self.bench.raise_(name)

    @rule(name=NAMES)
    def clear(self, name: str) -> None:
        self.level[name] = False
        self.bench.clear(name)

    @rule(name=NAMES)
    def pulse(self, name: str) -> None:
        if self.level[name]:
            return  # the source's pulse would end the level
        self.rose[name] = True
        self.bench.pulse(name)

    @rule(name=NAMES)
    def wait(self, name: str) -> None:
        try:
            self.pins[name].wait_sync(0)
            outcome = "interrupt"
        except WaitTimeoutError:
            outcome = "nothing"
        except InterruptNotClearedError:
            outcome = "not cleared"
        if name in LATCHED and self.rose[name]:
            expected = "interrupt"
        elif name in EDGE or not self.level[name]:
            expected = "nothing"
        elif self.rose[name] or not self.delivered[name]:
            expected = "interrupt"
        else:
            expected = "not cleared"
        assert outcome == expected, name
        if outcome == "interrupt":
            self.rose[name] = False
            self.delivered[name] = True

    @rule(name=NAMES)
    def another_object(self, name: str) -> None:
        """Objects for the same pin share what is known."""
        self.pins[name] = Interrupt(f"source/{name}", device=self.device)

    def teardown(self) -> None:
        controllers = [self.device.parts[path] for path in DESIGN.interrupt_controllers]
        assert not any(controller.ier for controller in controllers)
        assert not any(line.enabled for line in self.device.lines.values())
        self.device.close()


Interrupts.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestInterrupts = Interrupts.TestCase
