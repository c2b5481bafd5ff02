"""Programs as users write them for boards, unmodified, on real hand-off files and the default device."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

from pynq import MMIO, DefaultHierarchy, DefaultIP, Overlay, allocate
from pynq.lib import DMA, AxiGPIO

pytestmark = [pytest.mark.corpus, pytest.mark.filterwarnings("ignore::pynq.errors.UnmodelledIPWarning")]

DMA_TUTORIAL = "cathalmccabe__PYNQ_tutorials__dma_tutorial.hwh"
BASE_Z2 = "Xilinx__PYNQ__base__Pynq-Z2__2018.3.hwh"
BASE_Z1 = "Xilinx__PYNQ__base__Pynq-Z1__2018.2.hwh"
HLS = "cathalmccabe__PYNQ_tutorials__hls_m_axi.hwh"


@pytest.fixture
def hwh(corpus: Path) -> Path:
    return corpus / "hwh"


def test_dma_tutorial(hwh: Path) -> None:
    """The loop-back of the DMA tutorial: FIFO between both channels of a 64-bit DMA."""
    ol = Overlay(str(hwh / DMA_TUTORIAL))
    dma = ol.axi_dma
    assert isinstance(dma, DMA)
    data_size = 1000
    input_buffer = allocate(shape=(data_size,), dtype=np.uint32)
    output_buffer = allocate(shape=(data_size,), dtype=np.uint32)
    input_buffer[:] = np.arange(data_size) + 0xCAFE0000
    dma.sendchannel.transfer(input_buffer)
    dma.recvchannel.transfer(output_buffer)
    dma.sendchannel.wait()
    dma.recvchannel.wait()
    assert np.array_equal(input_buffer, output_buffer)
    assert dma.recvchannel.transferred == input_buffer.nbytes
    # a second transfer of a part, through the register map as many programs look at it
    assert dma.register_map.MM2S_DMASR.Idle == 1
    output_buffer[:] = 0
    dma.sendchannel.transfer(input_buffer, start=400, nbytes=800)
    dma.recvchannel.transfer(output_buffer, nbytes=800)
    dma.sendchannel.wait()
    dma.recvchannel.wait()
    assert np.array_equal(output_buffer[:200], input_buffer[100:300])
    assert not output_buffer[200:].any()
    input_buffer.freebuffer()
    output_buffer.freebuffer()


def test_dma_by_hand(hwh: Path) -> None:
    """The same without a driver, by MMIO at the address of ip_dict."""
    ol = Overlay(str(hwh / DMA_TUTORIAL), download=False)
    ol.download()
    entry = ol.ip_dict["axi_dma"]
    mmio = MMIO(entry["phys_addr"], entry["addr_range"])
    with allocate((64,), "u8") as source, allocate((64,), "u8") as target:
        source[:] = np.random.default_rng(1).integers(0, 1 << 63, 64)
        mmio.write(0x30, 1)
        mmio.write(0x48, target.physical_address)
        mmio.write(0x58, target.nbytes)
        mmio.write(0x00, 1)
        mmio.write(0x18, source.physical_address)
        mmio.write(0x28, source.nbytes)
        while not mmio.read(0x34) & 2:
            pass
        assert (source == target).all()


def test_base_overlay_board(hwh: Path) -> None:
    """Switches, buttons and LEDs of the PYNQ-Z2 base overlay, with the board's pins driven by the test."""
    ol = Overlay(str(hwh / BASE_Z2))
    assert isinstance(ol.leds_gpio, AxiGPIO)
    ol.leds_gpio.channel1.write(0b1010, 0xF)
    board = ol.device.board
    assert board.sample("leds_4bits_tri_o") == 0b1010
    board.drive("btns_4bits_tri_i", 0b0110)
    assert ol.btns_gpio.channel1.read() == 0b0110
    assert int(ol.btns_gpio.read(0)) == 0b0110
    board.drive("btns_4bits_tri_i", 0)


def test_press_of_a_button_awaited(hwh: Path) -> None:
    """An asyncio program sleeps until a button is pressed: axi_gpio to xlconcat to axi_intc to the PS."""
    ol = Overlay(str(hwh / BASE_Z2))
    ol.device.board.drive("btns_4bits_tri_i", 0)

    async def main(*numbers: int) -> list[int]:
        seen = []
        channel = ol.btns_gpio.channel1
        for number in numbers:
            asyncio.get_running_loop().call_later(0.02, ol.device.board.drive, "btns_4bits_tri_i", number)
            await asyncio.wait_for(channel.wait_for_interrupt_async(), 10)
            seen.append(channel.read())
        return seen

    assert asyncio.run(main(1, 2, 4)) == [1, 2, 4]
    result: list[list[int]] = []
    thread = threading.Thread(target=lambda: result.append(asyncio.run(main(3, 5, 6))))
    thread.start()
    thread.join(30)
    assert result == [[3, 5, 6]]


def test_bram_of_the_microblaze_subsystem(hwh: Path) -> None:
    """Programs load the IOP's memory through the hierarchy's bram controller."""
    ol = Overlay(str(hwh / BASE_Z2))
    memory = ol.mem_dict["iop_pmoda/mb_bram_ctrl"]
    mmio = MMIO(memory["phys_addr"], memory["addr_range"])
    program = np.random.default_rng(2).integers(0, 256, 4096, dtype="u1").tobytes()
    mmio.write(0, program)
    assert bytes(mmio.array[:1024].tobytes()) == program
    assert ol.iop_pmoda.mb_bram_ctrl.read(16) == int.from_bytes(program[16:20], "little")


def test_hls_kernel_has_its_control_register(hwh: Path) -> None:
    ol = Overlay(str(hwh / HLS))
    ip = ol.example_0
    names = [name.lower() for name in dir(ip.register_map)]
    assert any("ctrl" in name for name in names)
    assert ip.register_map.CTRL.AP_START == 0
    assert "example_0" in dir(ol)


def test_own_hierarchy_and_ip_driver(hwh: Path) -> None:
    """Drivers bind at the next load only; the later definition wins."""
    before = Overlay(str(hwh / BASE_Z1))

    class Switches(DefaultIP):
        bindto = ["xilinx.com:ip:axi_gpio:2.0"]

        def __init__(self, description: dict[str, object]) -> None:
            super().__init__(description)
            self.mark = 41

    class Video(DefaultHierarchy):
        @staticmethod
        def checkhierarchy(description: dict[str, dict[str, object]]) -> bool:
            return "axi_vdma" in description["ip"]

        def mode(self) -> str:
            return "hdmi"

    try:
        assert not hasattr(before.leds_gpio, "mark")
        after = Overlay(str(hwh / BASE_Z1))
        assert after.leds_gpio.mark == 41
        assert after.video.mode() == "hdmi"
        assert after.video.axi_vdma.read(0) == after.video.axi_vdma.mmio.read(0)
        assert before.is_loaded() is False
        assert after.is_loaded() is True
        assert hasattr(before, "leds_gpio")
        assert not hasattr(before, "no_such_ip")
        with pytest.raises(RuntimeError, match="loaded"):
            before.leds_gpio.read(0)
    finally:
        Switches.unregister()
        Video.unregister()
