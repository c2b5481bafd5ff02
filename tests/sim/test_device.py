"""The simulated board as a device: contract, several at once, memory, clocks, EMIO, names, faults."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests import leaks

from pynq.backends.sim import BACKEND, SimDevice
from pynq.errors import (
    BusError,
    DeviceNotFoundError,
    OverlayNotLoadedError,
    PynqError,
    RegionError,
    UnmodelledIPWarning,
    UnsupportedByDeviceError,
)
from pynq.sim import PinError
from pynq.testing import ConformanceError, check_device

from . import boards
from .boards import CORE, DMA, TIMER

Load = Callable[..., SimDevice]


@pytest.fixture(autouse=True)
def quiet() -> None:
    warnings.simplefilter("ignore", UnmodelledIPWarning)


@pytest.mark.parametrize("name", ["dma_loopback", "buttons_leds"])
def test_contract(name: str) -> None:
    design = boards.example(name)
    checks = check_device(lambda: SimDevice(deterministic=True), design)
    assert {check.outcome for check in checks if check.part == "must"} <= {"kept", "skipped"}
    kept = {check.rule for check in checks if check.outcome == "kept"}
    assert {"interrupt lines", "PL clocks"} <= kept


def test_contract_on_a_scratch_register() -> None:
    checks = check_device(lambda: SimDevice(deterministic=True), boards.streaming(), scratch=CORE + 0x10)
    assert not [check for check in checks if check.part == "must" and check.outcome != "kept"]


def test_contract_tells_all_that_is_broken() -> None:
    class Careless(SimDevice):
        def allocate_block(self, nbytes, **more):  # type: ignore[no-untyped-def]
            if nbytes > 4096:
                return super().allocate_block(nbytes, **more)
            block = super().allocate_block(nbytes + 1, **more)
            memoryview(block)[:] = b"x" * (nbytes + 1)
            return block

        def clock_rate(self, index: int) -> float:
            return -1.0

    with pytest.raises(
        ConformanceError, match=r"(?s)nbytes is 2, asked for 1.*clock_rate\(\) is -1.0"
    ) as caught:
        check_device(lambda: Careless(deterministic=True), boards.streaming())
    assert [check for check in caught.value.checks if check.outcome == "kept"]


def test_several_boards_at_once() -> None:
    with SimDevice("sim:a", deterministic=True) as one, SimDevice("sim:b", deterministic=True) as two:
        one.download(boards.streaming(), None)
        two.download(boards.streaming(), None)
        one.map(CORE, 256).write(8, 1)
        assert two.map(CORE, 256).read(8) == 0x80
        one.run(1e-6)
        assert two.now < one.now
        assert one.allocate_block(1).physical_address == two.allocate_block(1).physical_address


def test_buffers_outlive_a_download(load: Load) -> None:
    with SimDevice(deterministic=True) as device:
        source = device.allocate_block(4096)
        sent = np.frombuffer(source, "u4")  # type: ignore[call-overload]
        sent[:] = range(1024)
        target = device.allocate_block(4096)
        for _ in range(2):
            device.download(boards.example("dma_loopback"), None)
            dma = device.map(0xA000_0000, 0x1_0000)
            for channel, block in ((0x30, target), (0x00, source)):
                dma.write(channel, 1)
                dma.write(channel + 0x18, block.physical_address)
                dma.write(channel + 0x28, 4096)
            dma.poll(0x34, 2, 2)
            received = np.frombuffer(target, "u4")  # type: ignore[call-overload]
            assert (received == sent).all()
            received[:] = 0


@pytest.mark.corpus
def test_buffers_in_memories_of_the_pl(corpus_file, load: Load) -> None:  # type: ignore[no-untyped-def]
    design = corpus_file("openquantumhardware__qick__qick_111__2022.1")
    device = load(design)
    memory = next(one for one in design.memories if one.name == "ddr4_0")
    for target in ("ddr4_0", memory, {"phys_addr": memory.base}):
        block = device.allocate_block(4096, target=target)
        assert memory.base <= block.physical_address < memory.base + memory.size
        np.frombuffer(block, "u4")[:] = 0xABCD  # type: ignore[call-overload]
        assert device.map(block.physical_address, 4096).read(4092) == 0xABCD
    assert device.allocate_block(1, target="PSDDR").physical_address < 1 << 31
    with pytest.raises(UnsupportedByDeviceError, match="no memory 'hbm' for buffers; d_1 has PSDDR"):
        device.allocate_block(1, target="hbm")


def test_old_windows_and_closed_boards_say_so() -> None:
    device = SimDevice(deterministic=True)
    with pytest.raises(OverlayNotLoadedError, match="holds no design yet: load an overlay first"):
        device.map(0, 4)
    device.download(boards.streaming(), None)
    window, block = device.map(CORE, 256), device.allocate_block(16)
    view = np.frombuffer(block, "u1")  # type: ignore[call-overload]
    device.download(boards.streaming(), None)
    with pytest.raises(OverlayNotLoadedError):
        window.read(8)
    device.close()
    view[:] = 1  # memory of a closed board stays what it is
    with pytest.raises(OverlayNotLoadedError, match="closed"):
        device.map(0, 4)
    with pytest.raises(OverlayNotLoadedError, match="closed"):
        device.download(boards.streaming(), None)


def test_nothing_is_left_of_a_board_that_was_dropped() -> None:
    design = boards.streaming()

    def use(close: bool) -> None:
        device = SimDevice(deterministic=True)
        device.download(design, None)
        block, window = device.allocate_block(1 << 20), device.map(CORE, 256)
        window.read(8)
        device.interrupt_line(61).enable()
        device.download(design, None)
        if close:
            device.close()
        del block

    use(True)
    gc.collect()
    files, maps = leaks.descriptors(), Path("/proc/self/maps").read_text().count("pynq-sim")
    for close in (True, False) * 3:
        use(close)
    assert leaks.opened(files) == []
    gc.collect()
    assert Path("/proc/self/maps").read_text().count("pynq-sim") == maps


def test_partial_designs_need_a_region(load: Load) -> None:
    device = load("streaming")
    with pytest.raises(RegionError, match="needs to know the region"):
        device.download(boards.streaming(), None, partial=True)
    assert device.map(CORE, 256).read(8) == 0x80


def test_clocks(load: Load) -> None:
    device = load("streaming")
    assert device.clock_rate(0) == 100e6
    timer = device.map(TIMER, 0x100)
    timer.write(0, 1 << 7)
    assert device.set_clock_rate(0, 50e6) == pytest.approx(50e6)
    before = device.cycles()
    device.run(1e-6)
    assert device.cycles() - before == 50
    assert device.set_clock_rate(0, 0) == 0
    count = device.cycles()
    device.run(1e-3)
    assert device.cycles() == count
    device.set_clock_rate(0, 100e6)
    assert timer.read(8) > 0
    with pytest.raises(PynqError, match="no PL clock 7; it has 0"):
        device.clock_rate(7)
    with pytest.raises(PynqError, match="no clock 'fclk'"):
        device.cycles("fclk")


@pytest.mark.corpus
@pytest.mark.parametrize(
    "name",
    [
        "cathalmccabe__PYNQ_tutorials__ps_gpio_tutorial",
        "Xilinx__PYNQ__base__Pynq-Z2__2018.3",
        "Xilinx__PYNQ__base__ZCU104",  # 95 bits wide
        "cathalmccabe__PYNQ_tutorials__ps_gpio_kv260",
    ],
)
def test_emio_pins(corpus_file, load: Load, name: str) -> None:  # type: ignore[no-untyped-def]
    design = corpus_file(name)
    device = load(design)
    assert design.emio
    with pytest.raises(PynqError, match=r"EMIO GPIO 96: .* connects 0 to"):
        device.pin(96, "out")
    for one in design.emio:
        driven = getattr(one, "direction", "O") != "I"
        pin = device.pin(one.index, "out" if driven else "in")
        if driven:
            for level in (1, 0, 1):
                pin.write(level)
                assert pin.read() == level
                assert device.board.sample(one.pins[-1]) & 1 == level
        else:
            assert pin.read() == device.board.sample(one.pins[-1]) & 1
            with contextlib.suppress(PinError):  # an input that a gate drives
                device.board.drive(one.pins[-1], 1)
                assert pin.read() == 1
        pin.release()


def test_names_and_options_of_the_backend() -> None:
    assert BACKEND.probe() == ["sim:"]
    with BACKEND.open("sim:lab?deterministic=1&seed=7&ddr=0x10000000&patience=0.5") as device:
        assert (device.name.startswith("sim:lab"), device.deterministic, device.patience) == (True, True, 0.5)
        assert device.allocate_block(1).physical_address == 0x800_0000
    with pytest.raises(DeviceNotFoundError, match="no option 'sed'; known: deterministic, seed"):
        BACKEND.open("sim:?sed=1")
    with pytest.raises(DeviceNotFoundError, match="seed='x' is no value"):
        BACKEND.open("sim:?seed=x")


def test_faults_are_injected_and_end(load: Load) -> None:
    device = load("streaming")
    core = device.map(CORE, 256)
    device.inject("sub/core", response="SLVERR", base=8, high=11, count=2)
    for _ in range(2):
        with pytest.raises(BusError, match=r"SLVERR.*sub/core|sub/core.*SLVERR"):
            core.read(8)
    assert core.read(8) == 0x80
    device.inject("sub/core", latency=1000)
    before = device.cycles()
    core.read(8)
    assert device.cycles() - before > 1000
    device.clear_injections()
    device.inject("axi_dma_0/M_AXI_MM2S", response="DECERR", count=1)
    dma, block = device.map(DMA, 0x100), device.allocate_block(64)
    dma.write(0, 1)
    dma.write(0x18, block.physical_address)
    dma.write(0x28, 64)
    device.run(cycles=200)
    assert dma.read(4) & 0x40
    device.inject("axi_dma_0/S_AXIS_S2MM", stall=0.5)
    with pytest.raises(PynqError, match="'axi_dma'; did you mean axi_dma_0"):
        device.inject("axi_dma")


def loop_back(device: SimDevice, size: int = 65536) -> int:
    dma = device.map(0xA000_0000, 0x1_0000)
    source, target = device.allocate_block(size), device.allocate_block(size)
    np.frombuffer(source, "u1")[:] = np.arange(size) % 253  # type: ignore[call-overload]
    for channel, block in ((0x30, target), (0x00, source)):
        dma.write(channel, 1)
        dma.write(channel + 0x18, block.physical_address)
        dma.write(channel + 0x28, size)
    dma.poll(0x34, 2, 2)
    assert bytes(memoryview(source)) == bytes(memoryview(target))  # type: ignore[arg-type]
    return device.cycles()


@pytest.mark.parametrize("stalled", [False, True])
def test_equal_runs_are_equal_bit_for_bit(load: Load, stalled: bool) -> None:
    results = []
    for seed in (5, 5, 6):
        device = load(boards.example("dma_loopback"), seed=seed)
        if stalled:
            for side in ("source", "sink"):
                device.inject("axis_data_fifo_0/S_AXIS", stall=0.3, side=side)
                device.inject("axi_dma_0/S_AXIS_S2MM", stall=0.3, side=side)
        device.trace("hash")
        cycles = loop_back(device)
        results.append((cycles, device.trace_hash, device.now_ps))
    assert results[0] == results[1]
    assert (results[0] == results[2]) is not stalled


def test_trace_tells_what_happened(load: Load) -> None:
    device = load("streaming")
    device.trace()
    device.map(CORE, 256).write(8, 3)
    assert [(kind, a, b) for _, kind, _, a, b in device.trace_events if kind == "write"] == [
        ("write", CORE + 8, 3)
    ]
    device.trace("off")


def test_run_and_time(load: Load) -> None:
    device = load("streaming")
    before = device.now_ps
    device.run(1e-3)
    assert device.now_ps - before == 1_000_000_000
    device.run(cycles=100)
    assert device.now_ps - before == 1_001_000_000
    device.run()
    assert device.now_ps - before == 1_001_000_000
    with pytest.raises(ValueError, match="not both"):
        device.run(1.0, cycles=1)


def test_board_names_near_pins(load: Load) -> None:
    device = load(boards.example("buttons_leds"))
    with pytest.raises(PynqError, match="no pin 'btns_4bit'; did you mean btns_4bits"):
        device.board.drive("btns_4bit", 1)
    with pytest.raises(PynqError, match=r"leds_4bits_tri_o is driven by leds/gpio_io_o"):
        device.board.drive("leds_4bits_tri_o", 1)
    with pytest.raises(PynqError, match="has 4 bits; 0x10 does not fit"):
        device.board.drive("btns_4bits_tri_i", 16)
    seen: list[int] = []
    token = device.board.on_change("btns_4bits_tri_i", seen.append)
    device.board.drive("btns_4bits_tri_i", 5)
    device.board.drive("btns_4bits_tri_i", 5)
    device.board.forget(token)
    device.board.drive("btns_4bits_tri_i", 0)
    assert seen == [5]


def test_windows_of_a_replaced_design_say_what_is_loaded_now(load: Load) -> None:
    device = load("streaming")
    old = device.map(boards.DMA, 0x100)
    device.download(boards.streaming(), None)
    with pytest.raises(OverlayNotLoadedError, match=r"design '.*' was loaded again on device 'sim:test'"):
        old.read(0)
    again = device.map(boards.DMA, 0x100)
    device.download(boards.example("buttons_leds"), None)
    gone = r"design '.*' is no longer loaded: 'buttons_leds' was loaded on device 'sim:test'"
    for use in (lambda: again.read(0), lambda: again.poll(0, 1, 1)):
        with pytest.raises(OverlayNotLoadedError, match=gone):
            use()
    last = device.map(0x4120_0000, 0x100)
    device.close()
    with pytest.raises(OverlayNotLoadedError, match="device 'sim:test' was closed"):
        last.read(0)


def test_an_installation_without_the_engine_has_no_simulated_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynq.backends.sim._ENGINE", "pynq.backends.sim._no_engine")
    assert BACKEND.probe() == []
    assert "no simulator" in BACKEND.why
    with pytest.raises(DeviceNotFoundError, match="'sim:': this installation is one for boards"):
        BACKEND.open("sim:")
