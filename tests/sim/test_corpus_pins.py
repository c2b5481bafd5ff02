"""Pins of real boards: what ``axi_gpio`` drives is seen there, what the board drives is read by programs."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from tests.conftest import corpus_folder

from pynq.backends.sim import SimDevice
from pynq.backends.sim.board import PinError
from pynq.design.hwh import read
from pynq.design.model import Cell, Design, MemoryRange
from pynq.errors import UnmodelledIPWarning

pytestmark = pytest.mark.corpus

FOLDER = corpus_folder() / "hwh"
BASE_Z1 = "Xilinx__PYNQ__base__Pynq-Z1__2018.2.hwh"


def gpios(design: Design) -> list[tuple[MemoryRange, Cell, int, dict[str, str]]]:
    """Return (range, cell, channel, role -> pin) of every axi_gpio channel whose interface is a board's."""
    outside = {face.net: face for face in design.interfaces.values() if face.net}
    found = []
    for span in design.ps_ranges:
        cell = design.cells.get(span.slave)
        if cell is None or cell.vlnv is None or cell.vlnv.name != "axi_gpio":
            continue
        for channel, name in enumerate(("GPIO", "GPIO2")):
            face = cell.interfaces.get(name)
            if face is not None and face.net in outside:
                found.append((span, cell, channel, dict(outside[face.net].port_map)))
    return found


WITH_PINS = [path.name for path in sorted(FOLDER.glob("*.hwh")) if gpios(read(path))] or ["none"]


@pytest.mark.parametrize("name", WITH_PINS)
def test_gpio_pins(corpus: Path, name: str) -> None:
    design = read(corpus / "hwh" / name)
    with SimDevice(deterministic=True) as device:
        device.open()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnmodelledIPWarning)
            device.download(design, None)
        for span, cell, channel, pins in gpios(design):
            registers = device.map(span.base, span.size)
            data, tri = 8 * channel, 8 * channel + 4
            parameter = "C_GPIO2_WIDTH" if channel else "C_GPIO_WIDTH"
            everything = (1 << int(cell.parameters[parameter])) - 1
            pattern = 0x5A5A5A5A & everything
            if "TRI_O" in pins:
                registers.write(tri, 0)
                registers.write(data, pattern)
                assert device.board.sample(pins["TRI_O"]) == pattern, (cell.path, pins)
            if "TRI_I" in pins:
                registers.write(tri, everything)
                device.board.drive(pins["TRI_I"], ~pattern & everything)
                assert registers.read(data) == ~pattern & everything, (cell.path, pins)


def test_pins_named_by_interfaces_only(corpus: Path) -> None:
    """Vivado 2018.2 gives the pins of ``leds_4bits`` neither net nor connections."""
    design = read(corpus / "hwh" / BASE_Z1)
    assert not design.ports["leds_4bits_tri_o"].signal
    assert not design.ports["leds_4bits_tri_o"].peers
    with SimDevice(deterministic=True) as device, warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmodelledIPWarning)
        device.download(design, None)
        changes: list[int] = []
        device.board.on_change("leds_4bits", changes.append)
        base = {span.slave: span.base for span in design.ps_ranges}
        device.map(base["leds_gpio"], 16).write(0, 0b1010)
        assert (device.board.sample("leds_4bits_tri_o"), changes) == (0b1010, [0b1010])
        device.board.drive("btns_4bits", 0b0110)
        assert device.map(base["btns_gpio"], 16).read(0) == 0b0110
        assert device.board.sample("btns_4bits_tri_i") == 0b0110


@pytest.mark.parametrize(
    ("name", "pin", "why"),
    [
        ("Xilinx__PYNQ__base__ZCU104.hwh", "pmod0", "pmod0 is bidirectional: .* inside pmod0_buf"),
        ("Xilinx__PYNQ__system__2015.4.hwh", "IIC_1_sda_o", "IIC_1_sda_o is connected to nothing"),
        (BASE_Z1, "leds_4bit_tri_o", "no pin 'leds_4bit_tri_o'; did you mean leds_4bits_tri_o"),
    ],
)
def test_pins_that_can_not_be_sampled_say_why(corpus: Path, name: str, pin: str, why: str) -> None:
    with SimDevice(deterministic=True) as device, warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmodelledIPWarning)
        device.download(read(corpus / "hwh" / name), None)
        with pytest.raises(PinError, match=why):
            device.board.sample(pin)
