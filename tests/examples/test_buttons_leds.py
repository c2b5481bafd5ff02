"""Buttons, LEDs and the timer, from the board's side, to the cycle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pynq
from pynq.sim import SimDevice

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "buttons_leds"


@pytest.fixture
def overlay() -> Iterator[Any]:
    with SimDevice("sim:buttons", deterministic=True) as device:
        yield pynq.Overlay(str(FOLDER / "buttons_leds.bit"), device=device)


def test_buttons_and_switches_are_read(overlay: Any) -> None:
    board = overlay.device.board
    for pressed in (0b0000, 0b0101, 0b1010):
        board.drive("btns_4bits_tri_i", pressed)
        assert overlay.button.read() == pressed
    board.drive("sws_2bits_tri_i", 0b10)
    assert [overlay.switch[i].read() for i in range(2)] == [0, 1]


def test_leds_are_driven(overlay: Any) -> None:
    board = overlay.device.board
    overlay.led[2].on()
    overlay.led[0].toggle()
    assert board.sample("leds_4bits_tri_o") == 0b0101
    overlay.led[2].off()
    assert board.sample("leds_4bits_tri_o") == 0b0001
    overlay.rgbled.write(0b100010, 0b111111)
    assert board.sample("rgb_leds_6bits_tri_o") == 0b100010


def test_a_press_wakes_the_program(overlay: Any) -> None:
    async def finger() -> None:
        await asyncio.sleep(0)
        overlay.device.board.drive("btns_4bits_tri_i", 0b1000)

    async def main() -> None:
        await asyncio.gather(overlay.button[3].wait_for_value_async(1), finger())

    asyncio.run(main())


@pytest.mark.parametrize("period", [1e-5, 2.5e-4])
def test_ticks_come_on_time(overlay: Any, period: float) -> None:
    device = overlay.device
    board_times: list[float] = []

    async def main() -> None:
        overlay.timer.start(period, overlay.clock_hz)
        for _ in range(5):
            await overlay.timer.tick()
            board_times.append(device.now)
        overlay.timer.stop()

    asyncio.run(main())
    first, last = board_times[0], board_times[-1]
    assert last - first == pytest.approx(4 * period, abs=2e-6)  # the program takes some time to see a tick
    assert not overlay.axi_timer_0.register_map.TCSR0.ENT0


@pytest.mark.parametrize("period", [0, 1e-9, 100])
def test_periods_that_the_timer_can_not_count(overlay: Any, period: float) -> None:
    with pytest.raises(ValueError, match="the timer counts 2 to"):
        overlay.timer.start(period, overlay.clock_hz)


def test_the_same_program_gives_the_same_trace() -> None:
    def run() -> tuple[int, float]:
        with SimDevice("sim:buttons", deterministic=True, seed=3) as device:
            overlay = pynq.Overlay(str(FOLDER / "buttons_leds.bit"), device=device)
            device.trace("hash")
            for step in range(4):
                device.board.drive("btns_4bits_tri_i", 1 << step)
                overlay.led[step].write(overlay.button[step].read())
            device.run(cycles=100)
            return device.trace_hash, device.now

    assert run() == run()
