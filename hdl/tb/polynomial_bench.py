"""Bench of ``polynomial``: buses by cocotbext-axi, results by examples/polynomial/reference.py."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from bench import PAUSES, Registers, disturb, level, reference, start
from cocotb.triggers import ClockCycles
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

REF = reference("polynomial")
CTRL, STATUS, IRQ_ENABLE, IRQ_STATUS, A, B, C, WORDS, PACKETS = range(0, 0x24, 4)


class Bench:
    def __init__(self, dut: Any) -> None:
        self.dut = dut
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

    async def coefficients(self, a: int, b: int, c: int) -> None:
        for offset, value in ((A, a), (B, b), (C, c)):
            await self.registers.write(offset, value)


def words(count: int) -> bytes:
    mixed = np.random.default_rng(random.getrandbits(32)).integers(0, 2**32, count, dtype=np.uint32)
    mixed[: len(REF.CORNERS)] = REF.CORNERS[:count]
    return mixed.astype("<u4").tobytes()


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
    assert await bench.registers.read(0x3C) == 0  # nothing there


@cocotb.test()
@cocotb.parametrize(source=PAUSES, sink=PAUSES)
async def packets(dut: Any, source: str, sink: str) -> None:
    """Packets of many lengths, in bytes; the last beat's TKEEP passes."""
    bench = await Bench.make(dut, source, sink)
    coefficients = (0x89ABCDEF, 0xFEDCBA98, 0x12345678)
    await bench.coefficients(*coefficients)
    await bench.registers.write(CTRL, 1)
    lengths = [4, 1, 2, 3, 5, 8, 48, 49, 63, 64, 400]
    sent = [words(-(-length // 4))[:length] for length in lengths]
    for data in sent:
        await bench.source.send(AxiStreamFrame(data))
    for data in sent:
        frame = await bench.sink.recv()
        assert bytes(frame) == REF.polynomial_of_bytes(data, *coefficients), len(data)
    assert await bench.registers.read(WORDS) == sum(-(-length // 4) for length in lengths)
    assert await bench.registers.read(PACKETS) == len(lengths)
    assert await bench.registers.read(STATUS) == 0
    await bench.registers.write(CTRL, 3)
    assert await bench.registers.read(WORDS) == await bench.registers.read(PACKETS) == 0
    assert await bench.registers.read(CTRL) == 1


@cocotb.test()
async def a_word_a_cycle(dut: Any) -> None:
    bench = await Bench.make(dut)
    await bench.registers.write(CTRL, 1)
    count = 1000
    begin = get_sim_time("ns")
    for _ in range(4):
        await bench.source.send(AxiStreamFrame(words(count // 4)))
    for _ in range(4):
        await bench.sink.recv()
    spent = (get_sim_time("ns") - begin) / 10
    assert spent < count + 10, f"{spent:.0f} cycles for {count} words"


@cocotb.test()
async def interrupt(dut: Any) -> None:
    bench = await Bench.make(dut)
    await bench.registers.write(CTRL, 1)
    await bench.source.send(AxiStreamFrame(words(3)))
    await bench.sink.recv()
    assert await bench.registers.read(IRQ_STATUS) == 1
    assert not int(dut.interrupt.value)  # not enabled
    await bench.registers.write(IRQ_ENABLE, 1)
    await level(dut.interrupt, dut.aclk, 1, 2)
    await bench.registers.write(IRQ_STATUS, 0)
    assert int(dut.interrupt.value)
    await bench.registers.write(IRQ_STATUS, 1)
    await level(dut.interrupt, dut.aclk, 0, 2)
    await bench.source.send(AxiStreamFrame(words(2)))
    await level(dut.interrupt, dut.aclk, 1, 50)


@cocotb.test()
async def packets_begin_while_enabled_only(dut: Any) -> None:
    bench = await Bench.make(dut)
    data = words(40)
    await bench.source.send(AxiStreamFrame(data))
    await ClockCycles(dut.aclk, 50)
    assert not int(dut.s_axis_tready.value)
    assert await bench.registers.read(STATUS) == 0
    bench.sink.pause = True
    await bench.registers.write(CTRL, 1)
    await ClockCycles(dut.aclk, 10)
    assert await bench.registers.read(STATUS) == 1
    await bench.registers.write(CTRL, 0)  # the packet goes on
    await bench.coefficients(5, 6, 7)  # for the next one
    await bench.source.send(AxiStreamFrame(data))
    bench.sink.pause = False
    assert bytes(await bench.sink.recv()) == data
    await ClockCycles(dut.aclk, 50)
    assert bench.sink.empty()
    await bench.registers.write(CTRL, 1)
    assert bytes(await bench.sink.recv()) == REF.polynomial_of_bytes(data, 5, 6, 7)


@cocotb.test()
async def stress(dut: Any) -> None:
    """Random packets, pauses, coefficients; register accesses at the same time."""
    bench = await Bench.make(dut)
    await bench.registers.write(CTRL, 1)
    await bench.registers.write(IRQ_ENABLE, 1)
    total = packets = 0
    for _ in range(40):
        bench.pause("random", "random")
        bench.registers.pause("random")
        chosen = [random.choice([0, 1, 0xFFFFFFFF, random.getrandbits(32)]) for _ in range(3)]
        await bench.coefficients(*chosen)
        sent = [words(64)[: random.randrange(1, 256)] for _ in range(random.randrange(1, 4))]
        for data in sent:
            await bench.source.send(AxiStreamFrame(data))
            total, packets = total + -(-len(data) // 4), packets + 1
        while random.random() < 0.5:
            assert await bench.registers.read(A) == chosen[0]
        for data in sent:
            assert bytes(await bench.sink.recv()) == REF.polynomial_of_bytes(data, *chosen)
    assert await bench.registers.read(WORDS) == total
    assert await bench.registers.read(PACKETS) == packets


@cocotb.test()
async def reset_in_the_middle(dut: Any) -> None:
    bench = await Bench.make(dut)
    await bench.coefficients(1, 2, 3)
    await bench.registers.write(CTRL, 1)
    bench.sink.pause = True
    await bench.source.send(AxiStreamFrame(words(30)))
    await ClockCycles(dut.aclk, 20)
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 3)
    assert not int(dut.m_axis_tvalid.value)
    assert not int(dut.s_axis_tready.value)
    bench.source.clear()
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 3)
    bench.sink.pause = False
    await bench.registers.check_reset_values(REF.REGISTERS)
    await bench.registers.write(CTRL, 1)
    data = words(20)
    await bench.source.send(AxiStreamFrame(data))
    assert bytes(await bench.sink.recv()) == data  # y = x
