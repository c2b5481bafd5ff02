"""Every real design with a PS becomes a simulated board, and the parts that have models work in it."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import corpus_folder

from pynq.backends.sim import SimDevice
from pynq.design.hwh import read
from pynq.errors import UnmodelledIPWarning

pytestmark = pytest.mark.corpus

FILES = sorted(path.stem for path in (corpus_folder() / "hwh").glob("*.hwh")) or ["none"]


@pytest.mark.parametrize("name", FILES)
def test_every_design_is_assembled(corpus: Path, name: str) -> None:
    design = read(corpus / "hwh" / f"{name}.hwh")
    with SimDevice(deterministic=True) as device:
        device.open()
        began = time.process_time()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            device.download(design, None)
        assert time.process_time() - began < 2
        assert device.design is design
        assert {one.category for one in caught} <= {UnmodelledIPWarning}
        assert len(caught) <= 1
        plant = device.plant
        assert plant.engine.quiet
        for component in plant.components.values():
            assert not component.in_reset, component.name
        # The wires of the interrupt tree, walked backwards by the engine, agree with the description's tree.
        for pin in design.interrupt_pins.values():
            if pin.gic is not None and not pin.controller and pin.gic >= 61:
                assert pin.gic in plant.irqs
        for controller in design.interrupt_controllers.values():
            if controller.gic is not None:
                assert controller.gic in plant.irqs
        for span in design.ps_ranges:  # everything the PS reaches answers
            component = plant.components.get(span.slave)
            if component is not None and not component.refusal:  # an empty region refuses
                assert isinstance(device.map(span.base, 16).read(0), int)


def test_warning_names_what_has_no_model_and_nothing_else(corpus_file, load) -> None:  # type: ignore[no-untyped-def]
    design = corpus_file("Xilinx__PYNQ-HelloWorld__resizer__Pynq-Z1")
    with SimDevice() as device, pytest.warns(UnmodelledIPWarning) as caught:
        device.download(design, None)
    (text,) = (str(one.message) for one in caught)
    assert "resize_accel_0 (xilinx.com:hls:resize_accel:1.0)" in text
    for infrastructure in ("axi_interconnect", "proc_sys_reset", "axi_dma"):
        assert infrastructure not in text


def test_scatter_gather_is_named_as_missing(corpus_file) -> None:  # type: ignore[no-untyped-def]
    design = corpus_file("aproposorg__KV260-PYNQ-tutorial__DMA_FFT_wrapper_10032023")
    with (
        SimDevice() as device,
        pytest.warns(UnmodelledIPWarning, match=r"axi_dma_0 .*scatter-gather mode does nothing"),
    ):
        device.download(design, None)


def test_dma_loop_back_of_the_tutorial(corpus_file, load) -> None:  # type: ignore[no-untyped-def]
    device = load(corpus_file("cathalmccabe__PYNQ_tutorials__dma_tutorial"))
    dma = device.map(0x4040_0000, 0x1_0000)
    source, target = device.allocate_block(8192), device.allocate_block(8192)
    sent, received = np.frombuffer(source, "u4"), np.frombuffer(target, "u4")  # type: ignore[call-overload]
    sent[:] = np.arange(2048, dtype="u4") * 2654435761
    for channel, address in ((0x30, target.physical_address), (0x00, source.physical_address)):
        dma.write(channel, 1)
        dma.write(channel + 0x18, address)
        dma.write(channel + 0x28, 8192)
    dma.poll(0x34, 0x2, 0x2)
    assert (sent == received).all()
    assert dma.read(0x58) == 8192
    counts = device.statistics()["axis_data_fifo_0_M_AXIS"]
    assert (counts["beats"], counts["packets"]) == (1024, 1)
    assert counts["last"] - counts["first"] < 1.2 * 1024 * 10_000  # a beat a cycle of 100 MHz


def test_buttons_leds_and_interrupts_of_the_base_overlay(corpus_file, load) -> None:  # type: ignore[no-untyped-def]
    design = corpus_file("Xilinx__PYNQ__base__Pynq-Z2__2018.3")
    device = load(design)
    base = {span.slave: span.base for span in design.ps_ranges}
    buttons, leds = device.map(base["btns_gpio"], 0x1000), device.map(base["leds_gpio"], 0x1000)
    device.board.drive("btns_4bits_tri_i", 0b0110)
    assert buttons.read(0) == 0b0110
    leds.write(0, 0b1001)
    assert device.board.sample("leds_4bits_tri_o") == 0b1001
    assert device.board.sample("leds_4bits") == 0b1001 if "leds_4bits" in device.board.pins() else True
    pin = design.interrupt_pins["btns_gpio/ip2intc_irpt"]
    assert pin.controller == "system_interrupts"
    controller = device.map(base["system_interrupts"], 0x1000)
    buttons.write(0x128, 1)
    buttons.write(0x120, buttons.read(0x120))
    buttons.write(0x11C, 1 << 31)
    controller.write(0x08, 1 << pin.index)
    controller.write(0x1C, 3)
    line = device.interrupt_line(61)
    line.enable()
    assert not line.wait(0.001)
    device.board.drive("btns_4bits_tri_i", 0b0111)
    assert line.wait()
    assert controller.read(0x04) == 1 << pin.index
    assert controller.read(0x18) == pin.index


def test_block_ram_is_one_memory_for_all_who_reach_it(corpus_file, load) -> None:  # type: ignore[no-untyped-def]
    design = corpus_file("Xilinx__PYNQ__base__Pynq-Z2__2018.3")
    device = load(design)
    span = next(
        one for one in design.ps_ranges if one.slave == "iop_pmoda/mb_bram_ctrl" or "bram" in one.slave
    )
    memory = device.map(span.base, span.size)
    words = np.arange(256, dtype="u4")
    memory.write(0, words.tobytes())
    assert [memory.read(4 * place) for place in (0, 100, 255)] == [0, 100, 255]
    assert any(held.size >= span.size for held in device.plant.memories.values())
