"""AXI GPIO: wires, directions, interrupts; LEDs, buttons, switches on top."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakeboard import FakeBoard, Gpio, description_of

from pynq.design.model import Design
from pynq.device.base import Device
from pynq.errors import DeadlockError, DirectionError, UnsupportedByDeviceError, WaitTimeoutError
from pynq.lib import LED, RGBLED, AxiGPIO, Button, Switch
from pynq.lib import rgbled as colours

Load = Callable[[Design], Device]


def gpio_of(device: Device, path: str, **parameters: str) -> AxiGPIO:
    description = description_of(device, path)
    description["parameters"].update(parameters)
    return AxiGPIO(description)


def free(device: Device) -> AxiGPIO:
    """A dual channel, neither fixed to a direction."""
    return gpio_of(device, "leds", C_ALL_OUTPUTS="0", C_IS_DUAL="1", C_GPIO2_WIDTH="3", C_GPIO_WIDTH="8")


def press(device: Device, path: str, value: int) -> None:
    """Set the inputs of an AXI GPIO from the board's side."""
    if isinstance(device, FakeBoard):
        part(device, path).set_input(0, value)
    else:
        board: Any = device
        board.board.drive({"buttons": "btns_4bits_tri_i", "switches": "sws_2bits_tri_i"}[path], value)


def part(board: FakeBoard, path: str) -> Gpio:
    found = board.parts[path]
    assert isinstance(found, Gpio)
    return found


@pytest.fixture
def board(buttons: Design) -> Iterator[FakeBoard]:
    device = FakeBoard(buttons)
    yield device
    device.close()


# -- wires -------------------------------------------------------------------------------------------------
def test_lengths_and_directions_come_from_the_configuration(load: Load, buttons: Design) -> None:
    device = load(buttons)
    leds, keys = gpio_of(device, "leds"), gpio_of(device, "buttons")
    assert (len(leds.channel1), len(keys.channel1), len(leds.channel2)) == (4, 4, 0)
    assert isinstance(leds[0], AxiGPIO.Output)
    assert isinstance(keys[0], AxiGPIO.Input)
    assert len(list(leds.channel1)) == 4
    with pytest.raises(IndexError, match="one channel only"):
        leds.channel2.read()


def test_outputs(load: Load, buttons: Design) -> None:
    device = load(buttons)
    leds = gpio_of(device, "leds")

    def shown() -> int:
        if isinstance(device, FakeBoard):
            return part(device, "leds").data[0]
        board: Any = device
        value: int = board.board.sample("leds_4bits_tri_o")
        return value

    leds[0:4].write(0b0101)
    assert shown() == 0b0101
    leds[1].on()
    assert shown() == 0b0111
    leds[0:2].off()
    assert shown() == 0b0100
    leds.channel1[2:4].toggle()
    assert shown() == 0b1000
    assert leds[3].read() == 1
    leds.channel1.write(0b0011, 0b0001)
    assert shown() == 0b1001
    assert leds[1:].mask == 0b1110


def test_inputs(load: Load, buttons: Design) -> None:
    device = load(buttons)
    keys = gpio_of(device, "buttons")
    press(device, "buttons", 0b1010)
    assert keys.channel1.read() == 0b1010
    assert [wire.read() for wire in keys.channel1] == [0, 1, 0, 1]
    assert keys[1:4].read() == 0b101
    assert keys[-1].read() == 1


def test_inout_turns_the_driver_on_and_off(board: FakeBoard) -> None:
    gpio, model = free(board), part(board, "leds")
    gpio[0:4].write(0b1001)
    assert model.tri[0] == 0xFFFFFFF0
    model.inputs[0] = 0b0110
    assert gpio[0:2].read() == 0b10
    assert model.tri[0] == 0xFFFFFFF3
    gpio.channel2[2].on()
    assert (model.tri[1], model.data[1]) == (0xFFFFFFFB, 0b100)
    with pytest.raises(ValueError, match="does not fit"):
        gpio[0:2].write(4)
    assert model.tri[0] == 0xFFFFFFF3  # nothing was turned on


def test_set_direction(board: FakeBoard) -> None:
    gpio, model = free(board), part(board, "leds")
    gpio.setdirection("out")
    assert isinstance(gpio[0], AxiGPIO.Output)
    assert model.tri[0] == 0
    gpio.setdirection(AxiGPIO.Input, channel=2)
    assert isinstance(gpio.channel2[0], AxiGPIO.Input)
    gpio.channel2.setdirection("inout")
    assert isinstance(gpio.channel2[0], AxiGPIO.InOut)
    gpio.setlength(2)
    assert len(gpio.channel1) == 2
    with pytest.raises(ValueError, match='"in", "out" or "inout"'):
        gpio.setdirection("sideways")
    with pytest.raises(ValueError, match="0 to 32 wires, not 33"):
        gpio.setlength(33)


def test_direction_against_the_configuration(board: FakeBoard) -> None:
    keys = gpio_of(board, "buttons")
    with pytest.raises(DirectionError, match=r"buttons\.channel1 has only inputs: the IP is configured so"):
        keys.setdirection("out")
    keys.setdirection("in")
    with pytest.raises(DirectionError, match=r"buttons\.channel1 is an input and can't be written"):
        keys.channel1.write(1, 1)
    with pytest.raises(RuntimeError, match=r"leds\.channel1 is an output and can't be read"):
        gpio_of(board, "leds").channel1.read()


def test_wires_that_do_not_exist(board: FakeBoard) -> None:
    leds = gpio_of(board, "leds")
    for index in (4, -5, slice(2, 6), slice(3, 3)):
        with pytest.raises(IndexError, match=r"leds\.channel1 has"):
            leds[index]
    with pytest.raises(IndexError, match="has no step"):
        leds[0:4:2]
    with pytest.raises(ValueError, match="-1 does not fit"):
        leds[0].write(-1)


def test_outputs_start_at_their_default(board: FakeBoard) -> None:
    leds = gpio_of(board, "leds", C_DOUT_DEFAULT="0x00000005")
    leds[1].on()
    assert part(board, "leds").data[0] == 0b0111


# -- waiting -----------------------------------------------------------------------------------------------
def test_wait_for_value(load: Load, buttons: Design) -> None:
    device = load(buttons)
    keys = gpio_of(device, "buttons")
    assert keys.has_interrupts
    thread = threading.Timer(0.05, press, (device, "buttons", 0b0010))
    thread.start()
    keys[1].wait_for_value(1, timeout=30)
    thread.join()
    keys[1].wait_for_value(1)
    with pytest.raises((WaitTimeoutError, DeadlockError)):
        keys[1].wait_for_value(0, timeout=0.02)


def test_wait_for_value_async(load: Load, buttons: Design) -> None:
    device = load(buttons)
    keys = gpio_of(device, "buttons")

    async def main() -> None:
        for value in (1, 0, 1, 0):
            waits = [
                asyncio.create_task(keys[wire].wait_for_value_async(value, timeout=30)) for wire in (0, 2, 2)
            ]
            await asyncio.sleep(0.005)
            press(device, "buttons", value | 0b100 * (1 - value))  # the other wire keeps its level
            await asyncio.sleep(0.005)
            assert waits[0].done()
            assert not waits[1].done()
            press(device, "buttons", 0b101 * value)
            await asyncio.gather(*waits)

    asyncio.run(main())


def test_two_blocks_and_two_loops(load: Load, buttons: Design) -> None:
    device = load(buttons)
    keys, sliders = gpio_of(device, "buttons"), gpio_of(device, "switches")
    done: list[str] = []

    def run(gpio: AxiGPIO, name: str) -> None:
        asyncio.run(gpio[0].wait_for_value_async(1, timeout=10))
        done.append(name)

    threads = [threading.Thread(target=run, args=item) for item in ((keys, "keys"), (sliders, "sliders"))]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    press(device, "switches", 1)
    threads[1].join(60)
    assert done == ["sliders"]
    press(device, "buttons", 1)
    threads[0].join(60)
    assert done == ["sliders", "keys"]


def test_wait_for_interrupt(load: Load, buttons: Design) -> None:
    device = load(buttons)
    keys = gpio_of(device, "buttons")

    async def main() -> None:
        press(device, "buttons", 1)
        await keys.channel1.wait_for_interrupt_async(5)  # a change since the last wait
        with pytest.raises((WaitTimeoutError, DeadlockError)):
            await keys.channel1.wait_for_interrupt_async(0.02)
        press(device, "buttons", 0)
        await keys.channel1.wait_for_interrupt_async(5)

    asyncio.run(main())


def test_channels_share_the_interrupt(board: FakeBoard) -> None:
    keys = gpio_of(board, "buttons", C_IS_DUAL="1", C_GPIO2_WIDTH="4", C_ALL_INPUTS_2="1")
    model = part(board, "buttons")

    async def main() -> None:
        first = asyncio.create_task(keys.channel1[0].wait_for_value_async(1, 5))
        second = asyncio.create_task(keys.channel2[0].wait_for_value_async(1, 5))
        await asyncio.sleep(0.01)
        assert model.ier == 3
        model.set_input(1, 1)
        await second
        assert not first.done()
        assert model.ier == 1
        model.set_input(0, 1)
        await first
        assert (model.ier, model.isr) == (0, 0)

    asyncio.run(main())


def test_cancelled_wait_leaves_nothing_enabled(board: FakeBoard) -> None:
    keys = gpio_of(board, "buttons")

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(keys[0].wait_for_value_async(1), 0.01)

    asyncio.run(main())
    assert part(board, "buttons").ier == 0


def test_without_interrupt_it_polls(load: Load, buttons: Design) -> None:
    device = load(buttons)
    description = description_of(device, "buttons")
    description["interrupts"] = {}
    keys = AxiGPIO(description)
    assert not keys.has_interrupts
    thread = threading.Timer(0.05, press, (device, "buttons", 1))
    thread.start()
    keys[0].wait_for_value(1, timeout=30)
    thread.join()

    async def main() -> None:
        task = asyncio.create_task(keys[0].wait_for_value_async(0, timeout=30))
        await asyncio.sleep(0.01)
        press(device, "buttons", 0)
        await task
        with pytest.raises(UnsupportedByDeviceError, match="buttons has no interrupt: enable it"):
            await keys.channel1.wait_for_interrupt_async()

    asyncio.run(main())
    with pytest.raises(ValueError, match="never the value 2"):
        keys[0].wait_for_value(2)


# -- what hangs on the wires -------------------------------------------------------------------------------
def test_led(board: FakeBoard) -> None:
    led = LED(gpio_of(board, "leds")[2])
    led.on()
    assert part(board, "leds").data[0] == 0b0100
    led.toggle()
    assert part(board, "leds").data[0] == 0
    led.toggle()
    led.off()
    assert part(board, "leds").data[0] == 0
    no_light: Any = object()
    with pytest.raises(TypeError, match="needs an object with on, off, toggle"):
        LED(no_light)


@pytest.mark.parametrize("kind", [Button, Switch])
def test_contacts(board: FakeBoard, kind: type[Button] | type[Switch]) -> None:
    contact = kind(gpio_of(board, "buttons")[1])
    assert contact.read() == 0
    thread = threading.Timer(0.02, press, (board, "buttons", 2))
    thread.start()
    contact.wait_for_value(1)
    thread.join()
    assert contact.read() == 1
    asyncio.run(contact.wait_for_value_async(1))
    with pytest.raises(WaitTimeoutError):
        contact.wait_for_value(0, timeout=0.01)
    with pytest.raises(ValueError, match="0 or 1, never 2"):
        contact.wait_for_value(2)
    no_contact: Any = object()
    with pytest.raises(TypeError, match=rf"a {kind.__name__} needs an object with read, wait_for_value"):
        kind(no_contact)


def test_rgbleds(board: FakeBoard) -> None:
    second, first = (RGBLED(index, ip_name="rgbleds", device=board) for index in (5, 4))
    model = part(board, "rgbleds")
    first.on(colours.RGB_RED)
    second.write(colours.RGB_CYAN)
    assert model.data[0] == 0b011_100
    assert (first.read(), second.read()) == (4, 3)
    first.off()
    assert model.data[0] == 0b011_000
    with pytest.raises(ValueError, match="0 to 7, not 8"):
        first.on(8)
    with pytest.raises(ValueError, match="there is no number 3"):
        RGBLED(3, ip_name="rgbleds", start_index=4, device=board)
    with pytest.raises(ValueError, match=r"has no IP 'rgb'; it has .*rgbleds"):
        RGBLED(0, ip_name="rgb", device=board)
