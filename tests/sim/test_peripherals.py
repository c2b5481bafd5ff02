"""The built-in models against their product guides: axi_timer, axi_intc, axi_gpio, proc_sys_reset."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynq._native import Window
from pynq.backends.sim import SimDevice
from pynq.backends.sim.models.axi_timer import _Counter
from pynq.backends.sim.models.axis_subset import _bits, _rearrange
from pynq.design.model import Endpoint
from pynq.errors import DeadlockError, ModelError

from . import boards
from .boards import CORE, INTC, NESTED, TIMER, TIMER2

Load = Callable[..., SimDevice]

TCSR, TLR, TCR = 0x00, 0x04, 0x08
UDT, GENT, CAPT, ARHT, LOAD, ENIT, ENT, TINT, PWMA, ENALL, CASC = (1 << bit for bit in range(1, 12))
ISR, IPR, IER, IAR, SIE, CIE, IVR, MER, IMR, ILR = range(0, 0x28, 4)


@pytest.fixture
def device(load: Load) -> SimDevice:
    return load("streaming", access_cycles=0)


@pytest.fixture
def timer(device: SimDevice) -> Window:
    return device.map(TIMER, 0x100)


# -- axi_timer ------------------------------------------------------------
def test_timer_counts_cycles(device: SimDevice, timer: Window) -> None:
    timer.write(TLR, 1000)
    timer.write(TCSR, LOAD)
    assert timer.read(TCR) == 1000
    timer.write(TCSR, ENT)
    device.run(cycles=50)
    assert timer.read(TCR) == 1050
    timer.write(TCSR, ENT | UDT)
    device.run(cycles=20)
    assert timer.read(TCR) == 1030
    timer.write(TCSR, 0)
    device.run(cycles=20)
    assert timer.read(TCR) == 1030
    timer.write(TCR, 5)
    assert timer.read(TCR) == 1030  # read-only


@pytest.mark.parametrize("down", [False, True])
def test_timer_period_is_two_more_than_the_load_value(device: SimDevice, timer: Window, down: bool) -> None:
    probe = device.interrupt_probe("timer_0/interrupt")
    assert probe is not None
    mode = ARHT | ENIT | (UDT if down else 0)
    timer.write(TLR, 98 if down else 0xFFFFFFFF - 98)
    timer.write(TCSR, mode | LOAD)
    timer.write(TCSR, mode | ENT)
    device.run(cycles=98)
    assert probe()[0] == 0
    device.run(cycles=2)
    assert probe() == (1, 1)
    timer.write(TCSR, mode | ENT | TINT)
    assert probe()[0] == 0
    assert not timer.read(TCSR) & TINT
    device.run(cycles=1000 * 100 - 50)
    assert probe() == (1, 2)
    timer.write(TCSR, mode | ENT | TINT)
    device.run(cycles=100)
    assert probe() == (1, 3)


def test_timer_without_reload_holds(device: SimDevice, timer: Window) -> None:
    timer.write(TLR, 10)
    timer.write(TCSR, LOAD | UDT)
    timer.write(TCSR, ENT | UDT)
    device.run(cycles=1000)
    assert timer.read(TCSR) & TINT
    value = timer.read(TCR)
    timer.write(TCSR, ENT | UDT | TINT)
    device.run(cycles=1000)
    assert timer.read(TCR) == value
    assert not timer.read(TCSR) & TINT


def test_timer_of_64_bits(device: SimDevice, timer: Window) -> None:
    timer.write(0x04, 0xFFFFFFF0)
    timer.write(0x14, 7)
    timer.write(0x10, LOAD)
    timer.write(0x00, LOAD | CASC)
    timer.write(0x10, 0)
    timer.write(0x00, ENT | CASC)
    device.run(cycles=32)
    assert (timer.read(0x18), timer.read(0x08)) == (8, 16)


def test_timer_enable_all(device: SimDevice, timer: Window) -> None:
    timer.write(0x10, ENALL)
    device.run(cycles=64)
    assert timer.read(0x08) == timer.read(0x18) == 64
    assert timer.read(0x00) & (ENT | ENALL) == timer.read(0x10) & (ENT | ENALL) == ENT | ENALL
    timer.write(0x00, ENT)
    assert not timer.read(0x10) & ENALL
    device.run(cycles=1)
    assert timer.read(0x18) == 65


def test_a_free_running_timer_leaves_the_board_quiet(device: SimDevice, timer: Window) -> None:
    timer.write(TLR, 0xFFFFFFFF)
    timer.write(TCSR, ENT | ARHT)
    assert device.engine.quiet
    device.run(seconds=100.0)  # at no cost
    assert timer.read(TCSR) & TINT


@given(
    load=st.integers(0, 40),
    first=st.integers(0, 63),
    down=st.booleans(),
    repeats=st.booleans(),
    looks=st.lists(st.integers(0, 200), min_size=1, max_size=12),
)
@settings(max_examples=200, deadline=None)
def test_the_closed_form_is_what_a_counter_does(
    load: int, first: int, down: bool, repeats: bool, looks: list[int]
) -> None:
    counter = _Counter(6)
    counter.load, counter.repeats = load, repeats
    counter.put(first, 0)
    counter.run(True, down, 0)
    value, held, reload, rolled = first, False, False, 0
    seen = 0
    for cycle in range(max(looks) + 1):
        if cycle in looks:
            seen += counter.advance(cycle)
            assert (counter.value(cycle), seen) == (value, rolled), cycle
        # one rising edge, as PG079 has it
        if held:
            continue
        if reload:
            value, reload = load, False
            continue
        value = (value - 1 if down else value + 1) & 63
        if value == (63 if down else 0):
            rolled += 1
            held, reload = not repeats, repeats


def test_timer_modulates_a_pulse_width(device: SimDevice, timer: Window) -> None:
    edges: list[tuple[int, int]] = []
    device.board.on_change("timer_0/pwm0", lambda level: edges.append((level, device.cycles())))
    for base, length in ((0x00, 98), (0x10, 28)):
        timer.write(base + TLR, length)
        timer.write(base, PWMA | GENT | UDT | LOAD)
    for base in (0x10, 0x00):
        timer.write(base, PWMA | GENT | UDT | ARHT | ENT)
    device.run(cycles=1000)
    rises = [cycle for level, cycle in edges if level]
    falls = [cycle for level, cycle in edges if not level]
    assert {later - sooner for sooner, later in itertools.pairwise(rises)} == {100}
    assert {fall - rise for rise, fall in zip(rises, falls, strict=False)} <= {29, 30}
    timer.write(0x00, 0)
    assert device.board.sample("timer_0/pwm0") == 0


@pytest.mark.parametrize("overwrite", [False, True])
def test_timer_captures(device: SimDevice, timer: Window, overwrite: bool) -> None:
    other = device.map(TIMER2, 0x100)
    timer.write(TCSR, 1 | CAPT | ENT | (ARHT if overwrite else 0))
    other.write(TLR, 500)
    other.write(TCSR, LOAD | UDT)
    other.write(TCSR, ENT | UDT | GENT | ARHT)  # a pulse of generateout0 in 501 cycles, then every 502
    device.run(cycles=600)
    assert timer.read(TCSR) & TINT
    first = timer.read(TLR)
    assert 499 <= first <= 503
    device.run(cycles=502)
    assert timer.read(TLR) == (first + 502 if overwrite else first)
    timer.write(TCSR, timer.read(TCSR) | TINT)
    device.run(cycles=502)
    assert timer.read(TLR) == first + 2 * 502


# -- axi_intc ------------------------------------------------------------
def test_timer_through_two_controllers(device: SimDevice) -> None:
    timer, root, nested = device.map(TIMER2, 0x100), device.map(INTC, 0x200), device.map(NESTED, 0x200)
    for controller, bit in ((root, 3), (nested, 0)):
        controller.write(IER, 1 << bit)
        controller.write(MER, 3)
    timer.write(TLR, 1000)
    timer.write(TCSR, LOAD | UDT | ENIT)
    timer.write(TCSR, ENT | UDT | ENIT | ARHT)
    line = device.interrupt_line(61)
    line.enable()
    began = device.cycles()
    assert line.wait()
    assert 1000 <= device.cycles() - began <= 1003
    assert (root.read(ISR), root.read(IPR), root.read(IVR)) == (8, 8, 3)
    assert nested.read(IVR) == 0
    assert not line.wait(0.01)  # masked: one-shot
    line.enable()
    assert line.wait()  # a level that nobody cleared
    timer.write(TCSR, ENT | UDT | ENIT | ARHT | TINT)
    nested.write(IAR, 1)
    root.write(IAR, 8)
    assert (root.read(ISR), nested.read(ISR), nested.read(IVR)) == (0, 0, 0xFFFFFFFF)
    line.enable()
    assert line.wait()


def test_a_cascade_in_which_a_controller_is_masked_explains_itself(device: SimDevice) -> None:
    timer, root = device.map(TIMER2, 0x100), device.map(INTC, 0x200)
    root.write(IER, 8)
    root.write(MER, 3)
    timer.write(TCSR, ENT)
    line = device.interrupt_line(61)
    line.enable()
    with pytest.raises(
        DeadlockError, match=r"axi_intc_0 has nothing to report: ISR 0x0, IER 0x8.*sub/axi_intc keeps"
    ):
        line.wait()
    text = device.explain("timer_1/interrupt")
    assert "timer_1 gives no interrupt: TCSR0.ENIT is 0, TCSR1.ENIT is 0" in text


def test_edge_and_level_inputs_latch(device: SimDevice) -> None:
    root = device.map(INTC, 0x200)
    root.write(MER, 3)
    pin = device.board
    assert root.read(ISR) == 0
    model = device.model("axi_intc_0")
    timer = device.map(TIMER, 0x100)  # input 2, an edge
    timer.write(TLR, 10)
    timer.write(TCSR, LOAD | UDT | ENIT)
    timer.write(TCSR, ENT | UDT | ENIT)
    device.run(cycles=20)
    assert pin.sample("axi_intc_0/intr") == 0b0100
    assert root.read(ISR) == 0b0100
    root.write(IAR, 0b0100)
    assert root.read(ISR) == 0  # an edge comes once, though the level stays
    assert model.name == "axi_intc_0"


def test_set_clear_enable_software_interrupts_and_levels(device: SimDevice) -> None:
    root = device.map(INTC, 0x200)
    root.write(SIE, 0b0101)
    assert root.read(IER) == 0b0101
    root.write(CIE, 0b0001)
    assert root.read(IER) == 0b0100
    root.write(ISR, 0b0110)  # before HIE: interrupts by software
    assert (root.read(ISR), root.read(IPR), root.read(IVR)) == (0b0110, 0b0100, 2)
    root.write(MER, 1)
    assert device.board.sample("axi_intc_0/irq") == 1
    root.write(ILR, 2)
    assert device.board.sample("axi_intc_0/irq") == 0
    root.write(ILR, 3)
    assert device.board.sample("axi_intc_0/irq") == 1
    root.write(MER, 3)
    root.write(MER, 0)
    assert root.read(MER) == 2  # HIE stays until a reset
    root.write(ISR, 0)
    assert root.read(ISR) == 0b0110  # hardware inputs can't be written any more
    assert root.read(IAR) == 0


# -- axi_gpio ------------------------------------------------------------
def test_gpio_interrupt_and_toggle_on_write(load: Load) -> None:
    device = load(boards.example("buttons_leds"))
    base = {span.slave: span.base for span in device.plant.design.ps_ranges}
    buttons = device.map(base["buttons"], 0x200)
    probe = device.interrupt_probe("buttons/ip2intc_irpt")
    assert probe is not None
    buttons.write(0x128, 1)
    device.board.drive("btns_4bits_tri_i", 0b1000)
    assert buttons.read(0x120) == 1
    assert probe() == (0, 0)
    buttons.write(0x11C, 1 << 31)
    assert probe() == (1, 1)
    buttons.write(0x120, 1)
    assert probe() == (0, 1)
    buttons.write(0x120, 1)  # toggled, not cleared
    assert probe() == (1, 2)
    assert buttons.read(0x00) == 0b1000
    buttons.write(0x04, 0)
    assert buttons.read(0x04) == 0b1111  # all inputs: not writable


@pytest.mark.corpus
def test_tri_state_pins(corpus_file, load: Load) -> None:  # type: ignore[no-untyped-def]
    design = corpus_file("Xilinx__PYNQ_Workshop__axi_gpio__2020.1")
    device = load(design)
    base = {span.slave: span.base for span in design.ps_ranges}
    pads = [name for name in device.board.pins() if name in design.interfaces]
    assert pads
    seen: list[int] = []
    for pad in pads:
        port = design.interfaces[pad].port_map["TRI_I"]
        cell = device.plant.nets.wiring.loads(Endpoint("", port))[0].cell
        registers = device.map(base[cell], 0x200)
        device.board.on_change(pad, seen.append)
        registers.write(4, 0)
        registers.write(0, 1)
        assert device.board.sample(pad) & 1 == 1
        assert registers.read(0) & 1 == 1
        registers.write(4, 0xFFFFFFFF)
        device.board.drive(pad, 0)
        assert registers.read(0) & 1 == 0
        device.board.drive(pad, 1)
        assert registers.read(0) & 1 == 1
        device.board.drive(port, 0)
        assert device.board.sample(pad) == 0
    assert seen


# -- proc_sys_reset ------------------------------------------------------------
def test_resets_end_one_after_the_other(device: SimDevice) -> None:
    reset = "processing_system7_0/FCLK_RESET0_N"
    ends: dict[str, int] = {}

    def note(name: str, level: int) -> None:
        ends.setdefault(f"{name}={level}", device.cycles())

    for name in ("interconnect_aresetn", "peripheral_aresetn", "mb_reset"):
        if f"rst/{name}" in {f"{end.cell}/{end.port}" for end in device.plant.nets.made()}:
            device.board.on_change(f"rst/{name}", partial(note, name))
    device.map(CORE, 256).write(8, 1)
    device.board.drive(reset, 0)
    device.run(cycles=3)
    device.board.drive(reset, 1)  # shorter than the filter's four cycles
    device.run(cycles=100)
    assert not ends
    device.board.drive(reset, 0)
    device.run(cycles=10)
    assert ends["peripheral_aresetn=0"]
    released = device.cycles()
    device.board.drive(reset, 1)
    device.run(cycles=100)
    assert ends["peripheral_aresetn=1"] - released == 32
    if "interconnect_aresetn=1" in ends:
        assert ends["peripheral_aresetn=1"] - ends["interconnect_aresetn=1"] == 16
    assert device.map(CORE, 256).read(8) == 0x80


# -- axis_subset_converter ------------------------------------------------------------
def test_rearranged_streams() -> None:
    swap = _bits("tdata[39:24], tdata[47:40], tdata[15:0], tdata[23:16]")
    assert [place // 8 for place in swap[::8]] == [2, 0, 1, 5, 3, 4]
    beats = np.arange(12, dtype=np.uint8).reshape(2, 6)
    assert _rearrange(beats, np.array(swap)).tolist() == [[2, 0, 1, 5, 3, 4], [8, 6, 7, 11, 9, 10]]
    narrow = np.array(_bits("tdata[19:12],tdata[9:2]"))
    word = np.array([[0xFC, 0xA3, 0x0B]], np.uint8)  # 0x0BA3FC
    assert _rearrange(word, narrow).tolist() == [[0xFF, 0xBA]]
    constant = np.array(_bits("8'hA5,tdata[7:0],4'b0011,tdata[3:0]"))
    assert _rearrange(np.array([[0x7E]], np.uint8), constant).tolist() == [[0x3E, 0x7E, 0xA5]]
    with pytest.raises(ModelError, match="TDATA_REMAP has 'tuser'"):
        _bits("tuser")


@pytest.mark.corpus
def test_subset_converters_of_the_corpus(corpus_file, load: Load) -> None:  # type: ignore[no-untyped-def]
    device = load(corpus_file("Xilinx__PYNQ__base__ZCU104"))
    kinds = {type(model).__name__ for model in device.plant.models.values()}
    assert "AxisSubset" in kinds
