"""Bench of ``stream_filter``: streams by cocotbext-axi, results by examples/image_filter/reference.py."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from bench import PAUSES, Registers, disturb, level, reference, start
from cocotb.triggers import ClockCycles
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

REF = reference("image_filter")
CTRL, STATUS, IRQ_ENABLE, _, WIDTH, HEIGHT, SHIFT, OFFSET = range(0, 0x20, 4)
K00, FRAMES = 0x20, 0x44
ENABLE, ABS, BYPASS = 1, 2, 4
BUSY, DONE, EARLY_LAST, MISSING_LAST = 1, 2, 4, 8


@dataclass(frozen=True)
class Settings:
    """What a frame is filtered with."""

    coefficients: tuple[int, ...] = (0, 0, 0, 0, 1, 0, 0, 0, 0)
    shift: int = 0
    offset: int = 0
    absolute: bool = False
    bypass: bool = False

    @classmethod
    def any(cls) -> Settings:
        """Random ones, with the ends of every range more often than chance has them."""
        ends = [-32768, -1, 0, 1, 32767]
        some = [random.choice(ends) if random.random() < 0.3 else random.randint(-300, 300) for _ in range(9)]
        if random.random() < 0.2:
            some = [random.choice([-32768, 32767])] * 9
        return cls(
            tuple(some),
            random.choice([0, 15, random.randrange(16)]),
            random.choice([-512, 511, random.randrange(-512, 512)]),
            random.random() < 0.5,
            random.random() < 0.1,
        )

    def apply(self, picture: Any) -> Any:
        if self.bypass:
            return picture
        kernel = np.reshape(self.coefficients, (3, 3))
        return REF.convolve(picture, kernel, shift=self.shift, offset=self.offset, absolute=self.absolute)


class Bench:
    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.max_width = int(dut.C_MAX_WIDTH.value)
        self.registers = Registers(dut, "s_axi", dut.aclk, dut.aresetn)
        ends = {"reset_active_level": False}
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, dut.aresetn, **ends)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, dut.aresetn, **ends)

    @classmethod
    async def make(cls, dut: Any, source: str = "never", sink: str = "never") -> Bench:
        bench = cls(dut)
        await start(dut.aclk, dut.aresetn)
        bench.pause(source, sink)
        return bench

    def pause(self, source: str, sink: str) -> None:
        disturb(self.source, source)
        disturb(self.sink, sink)

    def sizes(self) -> list[tuple[int, int]]:
        """Sizes of frames that the module takes."""
        return [size for size in [*REF.SIZES, (3, self.max_width)] if size[1] <= min(self.max_width, 600)]

    async def settings(self, height: int, width: int, chosen: Settings, *, size_only: bool = False) -> None:
        await self.registers.write(WIDTH, width)
        await self.registers.write(HEIGHT, height)
        if size_only:
            return
        for index, value in enumerate(chosen.coefficients):
            await self.registers.write(K00 + 4 * index, value & 0xFFFF)
        await self.registers.write(SHIFT, chosen.shift)
        await self.registers.write(OFFSET, chosen.offset & 0x3FF)
        await self.registers.write(CTRL, ENABLE | ABS * chosen.absolute | BYPASS * chosen.bypass)

    async def frame(self, picture: Any, chosen: Settings) -> None:
        """Send a frame, and compare what comes back; every beat has all of TKEEP, the last one TLAST."""
        await self.source.send(AxiStreamFrame(picture.tobytes()))
        await self.check(picture, chosen)

    async def check(self, picture: Any, chosen: Settings) -> None:
        frame = await self.sink.recv(compact=False)
        assert all(frame.tkeep)
        found = np.frombuffer(bytes(frame.tdata), np.uint8)
        expected = chosen.apply(picture)
        assert found.size == expected.size, (found.size, picture.shape)
        found = found.reshape(expected.shape)
        assert np.array_equal(found, expected), (picture.shape, chosen, np.argwhere(found != expected)[:5])


def noise(height: int, width: int) -> Any:
    generator = np.random.default_rng(random.getrandbits(32))
    picture = generator.integers(0, 256, (height, width, 4), dtype=np.uint8)
    picture[generator.random((height, width)) < 0.2] = random.choice([0, 255])
    return picture


@cocotb.test()
async def registers(dut: Any) -> None:
    bench = await Bench.make(dut)
    await bench.registers.check_reset_values(REF.REGISTERS)
    for kind in PAUSES:
        bench.registers.pause(kind)
        await bench.registers.check_access(REF.REGISTERS)
    for name, offset, reset, writable in REF.REGISTERS:
        if not writable:
            await bench.registers.write(offset, 0xFFFFFFFF)
            assert await bench.registers.read(offset) == reset, name
    assert await bench.registers.read(0x7C) == 0  # nothing there


@cocotb.test()
@cocotb.parametrize(source=PAUSES, sink=PAUSES)
async def sizes(dut: Any, source: str, sink: str) -> None:
    bench = await Bench.make(dut, source, sink)
    for frames, (height, width) in enumerate(bench.sizes()):
        chosen = Settings.any()
        await bench.settings(height, width, chosen)
        await bench.frame(noise(height, width), chosen)
        assert await bench.registers.read(FRAMES) == frames + 1
        assert await bench.registers.read(STATUS) == DONE


@cocotb.test()
async def named_kernels(dut: Any) -> None:
    bench = await Bench.make(dut)
    for values in REF.SETTINGS.values():
        flat = tuple(int(value) for value in np.ravel(values["coefficients"]))
        rest = {name: value for name, value in values.items() if name != "coefficients"}
        chosen = Settings(flat, **rest)
        await bench.settings(11, 5, chosen)
        await bench.frame(noise(11, 5), chosen)


@cocotb.test()
async def a_pixel_a_cycle(dut: Any) -> None:
    """Every cycle of a frame takes a pixel, from row to row as well; a row and a few cycles come on top."""
    bench = await Bench.make(dut)
    height, width = 40, min(bench.max_width, 50)
    await bench.settings(height, width, Settings())
    picture = noise(height, width)
    begin = get_sim_time("ns")
    await bench.source.send(AxiStreamFrame(picture.tobytes()))
    await bench.source.wait()
    taken = (get_sim_time("ns") - begin) / 10
    assert taken <= height * width + 3, taken
    await bench.check(picture, Settings())
    spent = (get_sim_time("ns") - begin) / 10
    assert spent <= height * width + width + 20, spent


@cocotb.test()
async def frames_in_a_row(dut: Any) -> None:
    """Frames wait in the source; settings change for the next one while one is under way."""
    bench = await Bench.make(dut, "bursts", "often")
    width = min(bench.max_width, 8)
    chosen = [Settings.any() for _ in range(6)]
    pictures = [noise(6, width) for _ in chosen]
    for picture in pictures:
        await bench.source.send(AxiStreamFrame(picture.tobytes()))
    await bench.settings(6, width, chosen[0])  # enables
    for index, picture in enumerate(pictures):
        for _ in range(10_000):
            if await bench.registers.read(STATUS) & BUSY or not bench.sink.empty():
                break
        await bench.registers.write(CTRL, 0)
        following = chosen[index + 1] if index + 1 < len(chosen) else Settings()
        control = await bench.registers.read(CTRL)
        assert control == 0
        await bench.check(picture, chosen[index])
        await bench.settings(6, width, following)


@cocotb.test()
async def settings_hold_for_a_frame(dut: Any) -> None:
    bench = await Bench.make(dut)
    width = min(bench.max_width, 8)
    first, second = Settings((1,) * 9, 3, -7), Settings((-5,) * 9, 1, 30, absolute=True)
    picture = noise(5, width)
    await bench.settings(5, width, first)
    bench.sink.pause = True
    await bench.source.send(AxiStreamFrame(picture.tobytes()))
    await ClockCycles(dut.aclk, 100)
    assert await bench.registers.read(STATUS) == BUSY
    await bench.settings(3, 4, second)
    bench.sink.pause = False
    await bench.check(picture, first)
    other = noise(3, 4)
    await bench.frame(other, second)


@cocotb.test()
async def disabled(dut: Any) -> None:
    bench = await Bench.make(dut)
    await bench.settings(2, 3, Settings())
    await bench.registers.write(CTRL, 0)
    picture = noise(2, 3)
    await bench.source.send(AxiStreamFrame(picture.tobytes()))
    await ClockCycles(dut.aclk, 50)
    assert await bench.registers.read(STATUS) == 0
    assert not int(dut.s_axis_tready.value)
    await bench.registers.write(CTRL, ENABLE)
    await bench.check(picture, Settings())


@cocotb.test()
async def interrupt_and_status(dut: Any) -> None:
    bench = await Bench.make(dut)
    await bench.settings(2, 3, Settings())
    picture = noise(2, 3)
    await bench.frame(picture, Settings())
    assert not int(dut.interrupt.value)  # not enabled
    await bench.registers.write(IRQ_ENABLE, 1)
    await level(dut.interrupt, dut.aclk, 1, 2)
    await bench.registers.write(STATUS, EARLY_LAST | MISSING_LAST)
    assert await bench.registers.read(STATUS) == DONE
    await bench.registers.write(STATUS, DONE)
    await level(dut.interrupt, dut.aclk, 0, 2)
    # TLAST in the wrong place: noted, and nothing else
    data = picture.tobytes()
    await bench.source.send(AxiStreamFrame(data[:8]))
    await bench.source.send(AxiStreamFrame(data[8:]))
    await bench.check(picture, Settings())
    assert await bench.registers.read(STATUS) == DONE | EARLY_LAST
    await bench.registers.write(STATUS, DONE | EARLY_LAST)
    await bench.source.send(AxiStreamFrame(data + data))
    await bench.check(picture, Settings())
    await level(dut.interrupt, dut.aclk, 1, 2)
    assert await bench.registers.read(STATUS) & ~BUSY == DONE | MISSING_LAST
    await bench.check(picture, Settings())
    assert await bench.registers.read(FRAMES) == 4


@cocotb.test()
async def reset_in_the_middle(dut: Any) -> None:
    bench = await Bench.make(dut)
    await bench.settings(4, 5, Settings.any())
    bench.sink.pause = True
    await bench.source.send(AxiStreamFrame(noise(3, 5).tobytes()))
    await ClockCycles(dut.aclk, 60)
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 3)
    assert not int(dut.m_axis_tvalid.value)
    assert not int(dut.s_axis_tready.value)
    bench.source.clear()
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 3)
    bench.sink.pause = False
    await bench.registers.check_reset_values(REF.REGISTERS)
    chosen = Settings.any()
    await bench.settings(3, 4, chosen)
    await bench.frame(noise(3, 4), chosen)


@cocotb.test()
async def stress(dut: Any) -> None:
    """Random frames, settings and pauses."""
    bench = await Bench.make(dut)
    for _ in range(60):
        bench.pause("random", "random")
        bench.registers.pause("random")
        chosen = Settings.any()
        height, width = random.randrange(1, 12), random.randrange(1, min(bench.max_width, 20) + 1)
        await bench.settings(height, width, chosen)
        await bench.frame(noise(height, width), chosen)
    assert await bench.registers.read(FRAMES) == 60
