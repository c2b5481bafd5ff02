"""EMIO pins through a GPIO character device that behaves as the kernel's."""

from __future__ import annotations

import errno
import gc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from psdesigns import with_ps
from pskit import Chip, GpioKernel, put
from tests import leaks

from pynq.backends.linux.gpio import open_line, open_pin
from pynq.design.model import Design, Processor
from pynq.errors import (
    BoardBusyError,
    DirectionError,
    FieldValueError,
    KernelAccessError,
    KernelError,
    PynqError,
    UnsupportedByDeviceError,
)

CHIPS = {
    Processor.ZYNQ: ("zynq_gpio", 118, 54, ("GPIO_I", "GPIO_O", "GPIO_T"), 8, "xlnx,zynq-gpio-1.0"),
    Processor.ZYNQMP: (
        "zynqmp_gpio", 174, 78, ("emio_gpio_i", "emio_gpio_o", "emio_gpio_t"), 95, "xlnx,zynqmp-gpio-1.0"
    ),
    Processor.VERSAL: (
        "versal_gpio", 58, 26, ("LPD_GPIO_i", "LPD_GPIO_o", "LPD_GPIO_t"), 32, "xlnx,versal-gpio-1.0"
    ),
}  # fmt: skip


def board(root: Path, processor: Processor = Processor.ZYNQ) -> tuple[GpioKernel, Chip, Design]:
    label, count, _, ports, width, _ = CHIPS[processor]
    chip = Chip(label, count)
    kernel = GpioKernel(root, {"gpiochip0": Chip("gpio-mouse", 8), "gpiochip3": chip})
    return kernel, chip, with_ps(processor, ports=dict.fromkeys(ports, width))


@pytest.mark.parametrize("processor", list(CHIPS))
def test_a_pin_is_the_emio_line_of_its_controller(tmp_path: Path, processor: Processor) -> None:
    kernel, chip, design = board(tmp_path, processor)
    first = CHIPS[processor][2]
    last = CHIPS[processor][4] - 1
    pin = open_pin(kernel, design, last, "out")
    line = chip.line(first + last)
    assert (line.consumer, line.output, line.level) == ("pynq", True, 0)
    pin.write(1)
    assert (line.level, pin.read()) == (1, 1)
    reader = open_pin(kernel, design, 0, "in")
    chip.line(first).level = 1
    assert reader.read() == 1
    assert set(chip.lines) == {first, first + last}
    pin.release()
    assert (line.consumer, line.level) == ("", 1)  # the controller keeps the level
    reader.release()


def test_the_chip_is_found_by_its_node_without_opening_others(tmp_path: Path) -> None:
    kernel, _, design = board(tmp_path)
    put(tmp_path, "/sys/bus/gpio/devices/gpiochip0/of_node/compatible", b"acme,mouse\0")
    put(tmp_path, "/sys/bus/gpio/devices/gpiochip3/of_node/compatible", b"xlnx,zynq-gpio-1.0\0")
    open_pin(kernel, design, 0, "in").release()
    assert kernel.opened == ["/dev/gpiochip3"]


def test_a_line_goes_back_with_its_pin(tmp_path: Path) -> None:
    kernel, chip, design = board(tmp_path)
    gc.collect()  # what tests before have left
    before = leaks.descriptors()
    pin = open_pin(kernel, design, 2, "out")
    assert chip.line(56).consumer == "pynq"
    pin.release()
    pin.release()
    assert leaks.opened(before) == []
    with pytest.raises(KernelError, match="closed"):
        pin.write(1)
    dropped = open_pin(kernel, design, 2, "in")
    del dropped
    gc.collect()
    assert chip.line(56).consumer == ""
    assert leaks.opened(before) == []


@pytest.mark.parametrize(
    ("who", "output", "said"),
    [
        ("leds", True, "'leds' (as an output): it has to give it back"),
        ("sysfs", False, "'sysfs' (as an input): write its number to /sys/class/gpio/unexport"),
        ("pynq", True, "another program that uses pynq (as an output)"),
    ],
)
def test_a_busy_line_names_its_holder(tmp_path: Path, who: str, output: bool, said: str) -> None:
    kernel, chip, design = board(tmp_path)
    line = chip.line(57)
    line.consumer, line.output = who, output
    before = leaks.descriptors()
    with pytest.raises(BoardBusyError) as caught:
        open_pin(kernel, design, 3, "in")
    assert "EMIO GPIO 3 (line 57 of zynq_gpio, /dev/gpiochip3) is held by " + said in str(caught.value)
    kernel.fail["GPIO_V2_GET_LINEINFO"] = errno.ENODEV
    with pytest.raises(BoardBusyError, match="does not name"):
        open_pin(kernel, design, 3, "in")
    assert leaks.opened(before) == []


def test_an_input_is_not_written_and_a_level_is_0_or_1(tmp_path: Path) -> None:
    kernel, _, design = board(tmp_path)
    pin = open_pin(kernel, design, 0, "in")
    with pytest.raises(DirectionError, match="is an input"):
        pin.write(1)
    pin.release()
    pin = open_pin(kernel, design, 0, "out")
    with pytest.raises(FieldValueError, match="0 or 1, not 2"):
        pin.write(2)
    pin.release()


@pytest.mark.parametrize(
    ("index", "direction", "said"),
    [(8, "in", "connects 0 to 7"), (-1, "out", "connects 0 to 7"), (0, "sideways", "sideways")],
)
def test_wrong_arguments(tmp_path: Path, index: int, direction: str, said: str) -> None:
    kernel, _, design = board(tmp_path)
    with pytest.raises(ValueError, match=said):
        open_pin(kernel, design, index, direction)
    assert kernel.opened == []


def test_a_design_without_emio_and_a_kernel_without_the_chip(tmp_path: Path) -> None:
    kernel, _, design = board(tmp_path)
    with pytest.raises(UnsupportedByDeviceError, match="brings no EMIO"):
        open_pin(kernel, with_ps(Processor.ZYNQ), 0, "in")
    with pytest.raises(UnsupportedByDeviceError, match="brings no EMIO"):
        open_pin(kernel, replace(design, processor=None, ps="", cells={}), 0, "in")
    other = GpioKernel(tmp_path / "other", {"gpiochip0": Chip("gpio-mouse", 8)})
    with pytest.raises(UnsupportedByDeviceError, match=r"gpiochip0 \(gpio-mouse\).*gpio-zynq"):
        open_pin(other, design, 0, "in")
    empty = GpioKernel(tmp_path / "empty", {})
    with pytest.raises(UnsupportedByDeviceError, match="/dev has no gpiochip"):
        open_pin(empty, design, 0, "in")
    strange = GpioKernel(tmp_path / "strange", {"gpiochip0": Chip("zynq_gpio", 20)})
    with pytest.raises(UnsupportedByDeviceError, match="20 lines and not 118"):
        open_pin(strange, design, 0, "in")


def test_an_old_kernel_is_named(tmp_path: Path) -> None:
    kernel, _, design = board(tmp_path)
    kernel.old = True
    with pytest.raises(KernelError, match=r"older than 5\.10"):
        open_pin(kernel, design, 0, "in")


def test_an_output_may_start_high(tmp_path: Path) -> None:
    kernel, chip, _ = board(tmp_path)
    line = open_line(kernel, "zynq_gpio", 60, True, value=1)
    assert chip.line(60).level == 1
    line.release()


OPERATIONS = ["open", "GPIO_GET_CHIPINFO", "GPIO_V2_GET_LINE", "list"]
USES = ["GPIO_V2_LINE_GET_VALUES", "GPIO_V2_LINE_SET_VALUES"]
ERRORS = [errno.EACCES, errno.ENODEV, errno.ENOMEM, errno.EIO, errno.EPERM, errno.ENOTTY]


@pytest.mark.parametrize("number", ERRORS)
@pytest.mark.parametrize("operation", OPERATIONS + USES)
def test_every_call_fails_clearly_and_the_next_works(tmp_path: Path, operation: str, number: int) -> None:
    kernel, chip, design = board(tmp_path)
    before = leaks.descriptors()
    pin = open_pin(kernel, design, 1, "out") if operation in USES else None
    kernel.fail[operation] = number
    act: Callable[[], object] = partial(open_pin, kernel, design, 1, "out")
    if pin is not None:
        act = pin.read if operation == USES[0] else partial(pin.write, 1)
    with pytest.raises(KernelError) as caught:
        act()
    assert isinstance(caught.value, PynqError)
    assert caught.value.errno == number
    assert isinstance(caught.value, KernelAccessError) == (number in (errno.EACCES, errno.EPERM))
    assert operation in str(caught.value)
    kernel.fail.clear()
    pin = pin or open_pin(kernel, design, 1, "out")
    pin.write(1)
    assert chip.line(55).level == 1
    pin.release()
    assert leaks.opened(before) == []
