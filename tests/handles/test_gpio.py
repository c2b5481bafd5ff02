"""EMIO GPIO: numbers, directions, sharing, release."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakeboard import FakeBoard

from pynq.backends.sim.device import SimDevice
from pynq.design.hwh import read
from pynq.design.model import Design, Processor
from pynq.errors import (
    DirectionError,
    OverlayNotLoadedError,
    UnmodelledIPWarning,
    UnsupportedByDeviceError,
)
from pynq.gpio import GPIO


@pytest.fixture
def board(design: Design) -> Iterator[FakeBoard]:
    with FakeBoard(design) as device:
        yield device


def test_write_and_read(board: FakeBoard) -> None:
    out = GPIO(GPIO.get_gpio_pin(3, device=board), "out", device=board)
    out.write(1)
    assert board.emio == {3: 1}
    out.write(0)
    assert board.emio == {3: 0}
    into = GPIO(GPIO.get_gpio_pin(4, device=board), "in", device=board)
    board.emio[4] = 1
    assert into.read() == 1
    assert (into.index, into.direction, into.width) == (58, "in", 1)
    assert repr(into) == "<GPIO in, EMIO 4 of 'fake:'>"


def test_direction_is_kept(board: FakeBoard) -> None:
    out = GPIO.emio(0, "out", device=board)
    with pytest.raises(AttributeError, match="is an output and can't be read"):
        out.read()
    into = GPIO.emio(1, "in", device=board)
    with pytest.raises(DirectionError, match="is an input and can't be written"):
        into.write(1)
    with pytest.raises(ValueError, match='"in" or "out", not \'inout\''):
        GPIO.emio(2, "inout", device=board)


@pytest.mark.parametrize("value", [2, -1, 5])
def test_only_zero_and_one(board: FakeBoard, value: int) -> None:
    with pytest.raises(ValueError, match="takes 0 to 1"):
        GPIO.emio(0, "out", device=board).write(value)


def test_pin_is_shared_in_one_direction(board: FakeBoard) -> None:
    first = GPIO.emio(0, "out", device=board)
    second = GPIO.emio(0, "out", device=board)
    with pytest.raises(DirectionError, match="in use with direction 'out': release that GPIO"):
        GPIO.emio(0, "in", device=board)
    first.release()
    first.release()
    with pytest.raises(OverlayNotLoadedError, match="released"):
        second.write(1)
    assert GPIO.emio(0, "in", device=board).read() == 0


def test_pin_that_nobody_holds_may_be_asked_for_in_the_other_direction(board: FakeBoard) -> None:
    gpio = GPIO.emio(0, "out", device=board)
    gpio.write(1)
    del gpio
    assert GPIO.emio(0, "in", device=board).read() == 1


def test_devices_do_not_share(board: FakeBoard, design: Design) -> None:
    with FakeBoard(design) as other:
        first, second = GPIO.emio(0, "out", device=board), GPIO.emio(0, "in", device=other)
        first.write(1)
        assert second.read() == 0


def test_several_pins_as_a_number(board: FakeBoard) -> None:
    gpio = GPIO.emio(4, "out", width=4, device=board)
    gpio.write(0b1010)
    assert [board.emio[index] for index in range(4, 8)] == [0, 1, 0, 1]
    with pytest.raises(ValueError, match=r"EMIO 4\.\.7 .* takes 0 to 15, not 16"):
        gpio.write(16)
    gpio.release()
    assert GPIO.emio(4, "in", width=4, device=board).read() == 0b1010


@pytest.mark.parametrize(
    ("processor", "label", "first", "count"),
    [
        (Processor.ZYNQ, None, 54, 118),
        (Processor.ZYNQMP, None, 78, 174),
        (Processor.VERSAL, None, 52, 116),
        (Processor.VERSAL, "versal_gpio", 26, 58),
        (Processor.VERSAL, "pmc_gpio", 52, 116),
    ],
)
def test_numbers_of_the_families(
    board: FakeBoard, processor: Processor, label: str | None, first: int, count: int
) -> None:
    assert board.design is not None
    board.design = dataclasses.replace(board.design, processor=processor)
    assert GPIO.get_gpio_base(label, device=board) == 0
    assert GPIO.get_gpio_pin(5, label, device=board) == first + 5
    assert GPIO.get_gpio_npins(label, device=board) == count


def test_numbers_that_do_not_exist(board: FakeBoard) -> None:
    with pytest.raises(ValueError, match="has EMIO pins 0 to 63, not 64"):
        GPIO.get_gpio_pin(64, device=board)
    with pytest.raises(ValueError, match=r"GPIO 7 .* does not reach the programmable logic"):
        GPIO(7, "out", device=board)
    assert board.design is not None
    board.design = dataclasses.replace(board.design, processor=Processor.VERSAL)
    with pytest.raises(ValueError, match="'versal_gpio' or 'pmc_gpio', not 'gpio'"):
        GPIO.get_gpio_pin(0, "gpio", device=board)
    board.design = dataclasses.replace(board.design, processor=None)
    with pytest.raises(UnsupportedByDeviceError, match="has no PS"):
        GPIO.get_gpio_pin(0, device=board)
    board.design = None
    with pytest.raises(OverlayNotLoadedError):
        GPIO.get_gpio_pin(0, device=board)


def test_pin_survives_that_its_design_is_downloaded_again(board: FakeBoard) -> None:
    gpio = GPIO.emio(0, "in", device=board)
    assert gpio.read() == 0
    stale = gpio._pins[0]._line
    assert stale is not None

    def fail() -> int:
        raise OverlayNotLoadedError("loaded again")

    stale.read = fail  # type: ignore[method-assign]
    board.emio[0] = 1
    assert gpio.read() == 1


@pytest.mark.corpus
def test_on_the_simulated_board_with_a_real_design(corpus: Path) -> None:
    with SimDevice("sim:gpio") as device:
        device.open()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnmodelledIPWarning)
            device.download(read(corpus / "hwh" / "Xilinx__PYNQ_Workshop__ps_gpio.hwh"), None)
        assert device.design is not None
        pins = {pin.name: pin for pin in device.design.emio}
        leds = GPIO.emio(pins["leds"].index, "out", width=4, device=device)
        leds.write(0b1001)
        assert device.board.sample("leds") == 0b1001
        buttons = GPIO.emio(pins["buttons"].index, "in", width=4, device=device)
        device.board.drive("buttons", 0b0110)
        assert buttons.read() == 0b0110
        switch = GPIO(GPIO.get_gpio_pin(pins["switches"].index + 1, device=device), "in", device=device)
        device.board.drive("switches", 0b10)
        assert switch.read() == 1
