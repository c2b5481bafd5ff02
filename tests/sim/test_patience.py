"""Waiting for a hand on a button, as in a notebook: it may take its time; what is dead still ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pynq.backends.sim import SimDevice
from pynq.errors import DeadlockError
from pynq.interrupt import Interrupt

from . import boards

Load = Callable[..., SimDevice]
PATIENCE = 0.1
BUTTONS, TIMER = "buttons/ip2intc_irpt", "axi_timer_0/interrupt"


@pytest.fixture(params=[True, False], ids=["deterministic", "host-time"])
def device(request: pytest.FixtureRequest, load: Load) -> SimDevice:
    device = load(boards.example("buttons_leds"), patience=PATIENCE, deterministic=request.param)
    listen(device, True)
    return device


def listen(device: SimDevice, on: bool) -> None:
    base = {span.slave: span.base for span in device.plant.design.ps_ranges}
    buttons = device.map(base["buttons"], 0x200)
    buttons.write(0x128, int(on))
    buttons.write(0x11C, int(on) << 31)


@contextmanager
def company() -> Iterator[None]:
    """Another thread that lives, as the kernel of a notebook has several."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def press(device: SimDevice, seconds: float) -> Iterator[None]:
    finger = threading.Timer(seconds, device.board.drive, ("btns_4bits_tri_i", 1))
    finger.start()
    try:
        yield
    finally:
        finger.join()


def test_a_task_waits_for_a_button_longer_than_the_patience(device: SimDevice) -> None:
    with press(device, 8 * PATIENCE):
        asyncio.run(asyncio.wait_for(Interrupt(BUTTONS, device=device).wait(), 10))


def test_a_background_task_waits_for_a_button_with_no_timer_in_the_loop(device: SimDevice) -> None:
    with press(device, 8 * PATIENCE):
        asyncio.run(Interrupt(BUTTONS, device=device).wait())


def test_a_thread_waits_for_a_button_longer_than_the_patience(device: SimDevice) -> None:
    with press(device, 8 * PATIENCE):
        Interrupt(BUTTONS, device=device).wait_sync()


def test_without_company_nobody_can_press(device: SimDevice) -> None:
    assert threading.active_count() == 1
    began = time.monotonic()
    with pytest.raises(DeadlockError, match=r"from buttons/ip2intc_irpt: .* waits for a change"):
        asyncio.run(Interrupt(BUTTONS, device=device).wait())
    with pytest.raises(DeadlockError, match=r"from buttons/ip2intc_irpt"):
        Interrupt(BUTTONS, device=device).wait_sync()
    assert time.monotonic() - began < 200 * PATIENCE


def test_what_no_button_can_bring_ends_in_company_too(device: SimDevice) -> None:
    with company():
        with pytest.raises(DeadlockError, match=r"from axi_timer_0/interrupt"):
            asyncio.run(Interrupt(TIMER, device=device).wait())
        with pytest.raises(DeadlockError, match=r"from axi_timer_0/interrupt"):
            Interrupt(TIMER, device=device).wait_sync()


def test_a_button_whose_interrupt_is_off_ends_too(device: SimDevice) -> None:
    listen(device, False)
    with company(), pytest.raises(DeadlockError, match=r"buttons gives no interrupt: GIER is 0"):
        asyncio.run(Interrupt(BUTTONS, device=device).wait())


def test_a_dead_wait_ends_beside_one_for_a_button_on_the_same_controller(device: SimDevice) -> None:
    async def main() -> None:
        button = asyncio.create_task(Interrupt(BUTTONS, device=device).wait())
        with pytest.raises(DeadlockError, match=r"from axi_timer_0/interrupt"):
            await Interrupt(TIMER, device=device).wait()
        assert not button.done()
        device.board.drive("btns_4bits_tri_i", 2)
        await button

    with company():
        asyncio.run(main())


def test_a_dead_wait_of_a_loop_ends_under_a_thread_that_waits_for_a_button(device: SimDevice) -> None:
    ready = threading.Event()
    caught: list[BaseException] = []

    async def main() -> None:
        task = asyncio.ensure_future(Interrupt(TIMER, device=device).wait())
        await asyncio.sleep(0)
        ready.set()
        with pytest.raises(DeadlockError) as error:
            await task
        caught.append(error.value)
        device.board.drive("btns_4bits_tri_i", 4)

    loop = threading.Thread(target=lambda: asyncio.run(main()))
    loop.start()
    ready.wait(5)
    Interrupt(BUTTONS, device=device).wait_sync()
    loop.join()
    assert "axi_timer_0/interrupt" in str(caught[0])


def test_which_pins_hear_the_board(corpus_file, load: Load) -> None:  # type: ignore[no-untyped-def]
    device = load(corpus_file("Xilinx__PYNQ__base__Pynq-Z2__2018.3"))
    pins = device.plant.design.interrupt_pins
    hearing = {path for path in pins if device.interrupt_from_outside(path)}
    assert not [path for path in hearing if "gpio" in path]  # their interrupts are off
    base = {span.slave: span.base for span in device.plant.design.ps_ranges}
    for name in ("btns_gpio", "switches_gpio"):
        gpio = device.map(base[name], 0x200)
        gpio.write(0x128, 1)
        gpio.write(0x11C, 1 << 31)
    now = {path for path in pins if device.interrupt_from_outside(path)}
    assert now - hearing == {"btns_gpio/ip2intc_irpt", "switches_gpio/ip2intc_irpt"}
    assert not [path for path in now if "dma" in path or "timer" in path]
