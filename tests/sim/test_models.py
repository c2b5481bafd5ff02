# ruff: noqa: N802  hooks are named after registers
"""Models of one's own IP: registers, streams, memory, pins, time, reset, errors."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pynq.sim
from pynq._native import Window
from pynq.backends.sim import SimDevice
from pynq.errors import BusError, DeadlockError, ModelError
from pynq.sim import Model, Reg

from . import boards
from .boards import CORE, CORE_TYPE, DMA, TIMER

Load = Callable[..., SimDevice]


@pytest.fixture(autouse=True)
def forget_models(_as_before: None) -> None:
    """Start without models: those that other modules define may be bound to the exact version, and win."""
    pynq.sim.models._bound[False].clear()


class Through:
    """A DMA whose stream goes through the core, by raw register accesses."""

    def __init__(self, device: SimDevice) -> None:
        self.device = device
        self.dma = device.map(DMA, 0x1_0000)

    def send(self, data: np.ndarray[Any, Any], expect: int) -> np.ndarray[Any, Any]:
        source, target = self.device.allocate_block(data.nbytes), self.device.allocate_block(expect)
        np.frombuffer(source, "u1", data.nbytes)[:] = data.view("u1")  # type: ignore[call-overload]
        for channel, block, size in ((0x30, target, expect), (0x00, source, data.nbytes)):
            self.dma.write(channel, 1)
            self.dma.write(channel + 0x18, block.physical_address)
            self.dma.write(channel + 0x28, size)
        self.dma.poll(0x34, 0x2, 0x2)
        return np.frombuffer(target, "u1", self.dma.read(0x58)).copy()  # type: ignore[call-overload]


def test_fifteen_lines(load: Load) -> None:
    class Threshold(Model):
        bindto = [CORE_TYPE]

        async def main(self) -> None:
            while True:
                row = await self.stream("s_axis").recv()
                out = np.where(row > self.registers.LEVEL, 255, 0).astype("u1")
                await self.stream("m_axis").send(out, last=row.last)
                self.registers.STATUS.DONE = 1
                self.pin("interrupt").pulse()

    device = load("streaming")
    core = device.map(CORE, 256)
    assert core.read(8) == 0x80
    assert core.read(0x18) == 0xC0FFEE
    core.write(8, 100)
    data = np.arange(256, dtype="u1")
    through = Through(device)
    assert (through.send(data, 256) == np.where(data > 100, 255, 0)).all()
    assert core.read(4) == 1
    core.write(4, 1)  # write one to clear, as the description says
    assert core.read(4) == 0
    core.write(0x18, 5)
    assert core.read(0x18) == 0xC0FFEE
    assert (through.send(data[:100], 256) == 0).all()
    probe = device.interrupt_probe("sub/core/interrupt")
    assert probe is not None
    device.run(cycles=2)
    assert probe() == (0, 2)


@pytest.mark.parametrize("width", [1, 4, 16, 64])
def test_streams_of_any_width_in_pieces(load: Load, width: int) -> None:
    pieces: list[tuple[int, bool]] = []

    class Pieces(Model):
        bindto = ["acme.test:user:core"]  # any version

        async def main(self) -> None:
            while True:
                piece = await self.stream("s_axis").recv(100)
                pieces.append((len(piece), piece.last))
                await self.stream("m_axis").send(piece[::-1], last=piece.last)

    device = load(boards.streaming(width))
    data = np.random.default_rng(1).integers(0, 256, 320, dtype="u1")
    result = Through(device).send(data, 512)
    assert pieces == [(100, False), (100, False), (100, False), (20, True)]
    assert (result == np.concatenate([data[at : at + 100][::-1] for at in range(0, 320, 100)])).all()


def test_memory_registers_and_parameters(load: Load) -> None:
    class Adder(Model):
        bindto = [CORE_TYPE]

        async def main(self) -> None:
            while True:
                control = await self.written("CTRL")
                if not control & 1:
                    continue
                address, count = self.registers.ADDRESS, self.registers["COUNT"]
                words = (await self.memory("m_axi").read(address, count)).view("<u4")
                await self.memory("m_axi").write(address, words * int(self.parameters["C_GAIN"]))
                self.registers.CTRL.GO = 0
                self.registers.STATUS = 1
                self.pin("interrupt").drive(1)

    device = load("streaming")
    core, block = device.map(CORE, 256), device.allocate_block(4096)
    words = np.frombuffer(block, "u4")  # type: ignore[call-overload]
    words[:] = range(1024)
    core.write(0x10, block.physical_address)
    core.write(0x14, 4096)
    core.write(0, 0x71)
    core.poll(4, 1, 1)
    assert (words == np.arange(1024) * 3).all()
    assert core.read(0) == 0x70
    assert device.now > 512 / 100e6  # a beat of eight bytes a cycle
    assert device.model("sub/core").registers.CTRL.MODE == 7
    with pytest.raises(AttributeError, match="no field 'MOD'; did you mean MODE"):
        _ = device.model("sub/core").registers.CTRL.MOD


def test_hooks_of_registers_and_pins(load: Load) -> None:
    seen: list[Any] = []

    class Hooks(Model):
        bindto = [CORE_TYPE]
        registers = {"EXTRA": Reg(0x20, reset=7, access="write-only"), "MORE": 0x24}

        def on_reset(self) -> None:
            self.reads = 0

        def on_write_LEVEL(self, value: int) -> None:
            seen.append(("LEVEL", value))
            self.pin("pulses").drive(value & 1)

        def on_read_COUNT(self) -> int:
            self.reads += 1
            return self.reads

        def on_read_ADDRESS(self) -> None:
            self.registers.ADDRESS = 0x1234

        def on_pin_trigger(self, level: int) -> None:
            seen.append(("trigger", level))

        async def main(self) -> None:
            while True:
                await self.pin("trigger").rising()
                seen.append(("rising", self.clock.cycles))
                await self.cycles(10)
                seen.append(("later", self.clock.cycles))

    device = load("streaming")
    core = device.map(CORE, 256)
    core.write(8, 0x1FF)
    assert (core.read(0x14), core.read(0x14)) == (1, 2)
    assert core.read(0x10) == 0x1234
    assert core.read(0x20) == 0
    core.write(0x24, 0xFFFFFFFF)
    assert core.read(0x24) == 0xFFFFFFFF
    assert device.board.sample("sub/core/pulses") == 1
    device.model("sub/core").host.set(0x14, 5)
    assert seen == [("LEVEL", 0x1FF)]  # as written; stored is what the fields hold
    assert core.read(8) == 0xFF
    seen.clear()
    with pytest.raises(pynq.sim.PinError, match="is driven by timer_0/pwm0"):
        device.board.drive("sub/core/trigger", 1)
    timer = device.map(TIMER, 0x100)
    for offset, length in ((0x04, 98), (0x14, 48)):  # a period of 100 cycles, high for 50
        timer.write(offset, length)
        timer.write(offset - 4, 0x226)  # PWM, generate, down, load
    for offset in (0x00, 0x10):
        timer.write(offset, 0x296)
    device.run(cycles=250)
    assert [what for what, _ in seen] == ["trigger", "rising", "later", "trigger"] * 2
    at = [value for what, value in seen if what != "trigger"]
    assert at[1] - at[0] == 10
    assert at[2] - at[0] == 100


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("self.stream('s_axi')", r"sub/core has no stream 's_axi'; did you mean s_axis"),
        ("self.memory('gmem')", r"no memory master 'gmem'; known: m_axi"),
        ("self.pin('interupt')", r"no pin 'interupt'; did you mean interrupt"),
        ("await self.stream('m_axis').recv()", r"sub/core.m_axis sends"),
        ("await self.stream('s_axis').send(b'')", r"sub/core.s_axis receives"),
        ("self.pin('trigger').drive(1)", r"sub/core/trigger is an input"),
        ("await self.written('CTRLL')", r"no register 'CTRLL'; did you mean CTRL"),
        ("self.registers.CTRL.MODE = 8", r"CTRL.MODE = 8: the field has 3 bits"),
        ("1 / 0", r"ZeroDivisionError at .*division by zero"),
        ("await __import__('asyncio').sleep(1)", r"no running event loop"),
        ("await self.memory('m_axi').read(0xF0000000, 4)", r"DECERR at 0xf0000000: nothing answers"),
    ],
)
def test_errors_tell_model_instance_and_time(load: Load, body: str, message: str) -> None:
    space: dict[str, Any] = {"Model": Model, "CORE_TYPE": CORE_TYPE}
    exec(
        "class Wrong(Model):\n bindto = [CORE_TYPE]\n async def main(self):\n"
        f"  await self.written('LEVEL')\n  {body}\n",
        space,
    )
    device = load("streaming")
    core = device.map(CORE, 256)
    with pytest.raises(
        ModelError, match=r"model Wrong of sub/core raised \w+ at .*s \(cycle \d+\): "
    ) as caught:
        provoke(device, core)
    assert re.search(message, str(caught.value))
    assert core.read(8) == 1  # the board is still usable
    assert "stopped" in device.explain("sub/core")


def provoke(device: SimDevice, core: Window) -> None:
    core.write(8, 1)
    device.run(cycles=1000)


def test_an_error_in_a_hook_reaches_the_access(load: Load) -> None:
    class Wrong(Model):
        bindto = [CORE_TYPE]

        def on_read_COUNT(self) -> int:
            raise ValueError("no count")

    core = load("streaming").map(CORE, 256)
    with pytest.raises(ModelError, match=r"model Wrong of sub/core raised ValueError at .*: no count"):
        core.read(0x14)
    assert core.read(0x18) == 0xC0FFEE


def test_misspelt_hooks_are_found_at_load(load: Load) -> None:
    class Wrong(Model):
        bindto = [CORE_TYPE]

        def on_write_LEVL(self, value: int) -> None: ...

    with pytest.raises(ModelError, match=r"Wrong.on_write_LEVL: .*no register 'LEVL'; did you mean LEVEL"):
        load("streaming")


def test_reset_starts_anew(load: Load) -> None:
    starts: list[str] = []

    class Counting(Model):
        bindto = [CORE_TYPE]

        def on_reset(self) -> None:
            starts.append("reset")

        async def main(self) -> None:
            starts.append("main")
            self.pin("pulses").drive(1)
            helper = self.start(self.forever())
            await self.stream("s_axis").recv()
            assert not helper.done

        async def forever(self) -> None:
            try:
                await self.cycles(10**9)
            finally:
                starts.append("closed")

    device = load("streaming")
    assert starts == ["reset", "main"]
    core = device.map(CORE, 256)
    core.write(8, 1)
    device.board.drive("processing_system7_0/FCLK_RESET0_N", 0)
    device.run(cycles=10)
    assert starts == ["reset", "main", "closed"]
    with pytest.raises(BusError, match="sub/core"):
        core.read(8)
    assert device.board.sample("sub/core/pulses") == 0
    device.board.drive("processing_system7_0/FCLK_RESET0_N", 1)
    device.run(cycles=100)
    assert starts == ["reset", "main", "closed", "reset", "main"]
    assert core.read(8) == 0x80


def test_a_wait_that_can_not_end_names_the_model(load: Load) -> None:
    class Silent(Model):
        bindto = [CORE_TYPE]

        async def main(self) -> None:
            await self.stream("s_axis").recv(64)
            await self.written("CTRL")

    device = load("streaming")
    with pytest.raises(DeadlockError, match=r"axi_dma_0 S2MM.*sub/core") as caught:
        Through(device).send(np.zeros(64, "u1"), 64)
    assert "a write to sub/core.CTRL" in str(caught.value) + device.explain("sub/core")


def test_coroutines_of_a_model(load: Load) -> None:
    class Two(Model):
        bindto = [CORE_TYPE]

        async def main(self) -> None:
            first = self.start(self.slow(30))
            second = self.start(self.slow(10))
            self.registers.COUNT = (await first) * 100 + await second
            self.registers.STATUS = 1

        async def slow(self, count: int) -> int:
            await self.cycles(count)
            await self.seconds(1e-6)
            return count

    device = load("streaming")
    core = device.map(CORE, 256)
    core.poll(4, 1, 1)
    assert core.read(0x14) == 3010


def test_hls_kernel(load: Load) -> None:
    class Kernel(pynq.sim.HlsModel):
        bindto = ["pynq-anywhere.org:examples:vector_add"]

        async def compute(self) -> None:
            await self.cycles(100)
            self.registers.n = int(self.registers.n) + 1

    device = load(boards.example("vector_add"))
    path = next(iter(device.plant.models.keys() - {"rst_ps8_0_199M"}))
    kernel = device.map(next(s.base for s in device.plant.design.ps_ranges if s.slave == path), 0x1000)
    registers = {r.name: r.offset for r in device.plant.design.cells[path].blocks[0].registers}
    assert kernel.read(0) == 0x4
    kernel.write(4, 1)
    kernel.write(8, 1)
    kernel.write(registers["n"], 41)
    kernel.write(0, 1)
    assert kernel.read(0) == 1
    kernel.poll(0, 2, 2)
    assert kernel.read(0) == 4  # AP_DONE was cleared by the read that saw it
    assert device.model(path).registers.n == 42  # an argument, which the description calls write-only
    assert device.board.sample(f"{path}/interrupt") == 1
    kernel.write(0xC, 1)
    assert device.board.sample(f"{path}/interrupt") == 0
    kernel.write(0, 0x81)
    device.run(cycles=1000)
    kernel.write(0, 0)
    device.run(cycles=200)
    assert device.model(path).registers.n > 45


def test_models_by_path_and_replaced_definitions(load: Load) -> None:
    class First(Model):
        bindto = [CORE_TYPE]

    class Again(Model):
        bindto = [CORE_TYPE]

    class Chosen(Model):
        pass

    assert type(load("streaming").model("sub/core")) is Again
    assert type(load("streaming", models={"sub/core": Chosen}).model("sub/core")) is Chosen
    with pytest.raises(ModelError, match="bindto is 'acme'"):
        type("Bad", (Model,), {"bindto": "acme"})


def test_a_model_of_the_user_replaces_a_built_in_one(load: Load) -> None:
    class Mine(Model):
        bindto = ["xilinx.com:ip:axi_timer"]

    assert type(load("streaming").model("timer_0")) is Mine


def test_same_seed_same_numbers(load: Load) -> None:
    drawn: list[int] = []

    class Random(Model):
        bindto = [CORE_TYPE]

        def on_reset(self) -> None:
            drawn.append(int(self.random.integers(1 << 60)))

    for seed in (1, 1, 2):
        load("streaming", seed=seed)
    assert drawn[0] == drawn[1] != drawn[2]


def test_models_go_with_the_board(load: Load) -> None:
    class Held(Model):
        bindto = [CORE_TYPE]

        async def main(self) -> None:
            await self.stream("s_axis").recv()

    device = SimDevice(deterministic=True)
    device.download(boards.streaming(), None)
    model = weakref.ref(device.model("sub/core"))
    device.close()
    del device
    gc.collect()
    assert model() is None
