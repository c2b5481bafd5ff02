"""Bench of ``vector_add``: memory by cocotbext-axi, results by examples/vector_add/reference.py.

A monitor of our own looks at every burst, since the memory model takes more than AXI4 allows.
"""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from bench import PAUSES, Registers, disturb, level, reference, start
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiBus, AxiRam

REF = reference("vector_add")
CTRL, GIER, IER, ISR = range(0, 0x10, 4)
AP_START, AP_DONE, AP_IDLE, AP_READY, AUTO_RESTART = 1, 2, 4, 8, 0x80
MEMORY = 1 << 18


class Bench:
    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.max_beats = int(dut.MAX_BEATS.value)
        self.registers = Registers(dut, "s_axi_control", dut.ap_clk, dut.ap_rst_n)
        bus = AxiBus.from_prefix(dut, "m_axi_gmem")
        self.memory = AxiRam(bus, dut.ap_clk, dut.ap_rst_n, reset_active_level=False, size=MEMORY)
        self.bursts: dict[str, list[tuple[int, int]]] = {"ar": [], "aw": []}
        self.unanswered = {"ar": 0, "aw": 0}
        self.most = {"ar": 0, "aw": 0}

    @classmethod
    async def make(cls, dut: Any, kind: str = "never") -> Bench:
        bench = cls(dut)
        await start(dut.ap_clk, dut.ap_rst_n)
        bench.pause(kind)
        cocotb.start_soon(bench.watch())
        return bench

    def pause(self, kind: str) -> None:
        write, read = self.memory.write_if, self.memory.read_if
        channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
        for channel in channels:
            disturb(channel, kind)

    async def watch(self) -> None:
        """Check every burst against AXI4, and VALID and its payload for staying until READY."""
        dut = self.dut
        pending: dict[str, tuple[int, ...]] = {}
        payload = {
            "ar": (dut.m_axi_gmem_araddr, dut.m_axi_gmem_arlen),
            "aw": (dut.m_axi_gmem_awaddr, dut.m_axi_gmem_awlen),
            "w": (dut.m_axi_gmem_wdata, dut.m_axi_gmem_wstrb, dut.m_axi_gmem_wlast),
        }
        while True:
            await RisingEdge(dut.ap_clk)
            if not int(dut.ap_rst_n.value):
                pending.clear()
                continue
            for channel, signals in payload.items():
                valid = int(getattr(dut, f"m_axi_gmem_{channel}valid").value)
                ready = int(getattr(dut, f"m_axi_gmem_{channel}ready").value)
                values = tuple(int(signal.value) for signal in signals) if valid else ()
                if channel in pending:
                    assert values == pending.pop(channel), f"{channel} changed before READY"
                if valid and not ready:
                    pending[channel] = values
                elif valid and channel != "w":
                    self.burst(channel, *values)
            for channel, name in (("ar", "r"), ("aw", "b")):
                signals = [getattr(dut, f"m_axi_gmem_{name}{end}") for end in ("valid", "ready")]
                signals += [dut.m_axi_gmem_rlast] if name == "r" else []
                self.unanswered[channel] -= all(int(signal.value) for signal in signals)

    def burst(self, channel: str, address: int, length: int) -> None:
        size, kind = (getattr(self.dut, f"m_axi_gmem_{channel}{end}") for end in ("size", "burst"))
        assert int(size.value) == 3
        assert int(kind.value) == 1
        assert address % 8 == 0
        assert length < self.max_beats
        assert address // 4096 == (address + 8 * length + 7) // 4096, f"{address:#x}, {length + 1} beats"
        self.bursts[channel].append((address, length + 1))
        self.unanswered[channel] += 1
        self.most[channel] = max(self.most[channel], self.unanswered[channel])

    async def start(self, a: int, b: int, c: int, n: int, control: int = AP_START) -> None:
        for offset, address in ((0x10, a), (0x1C, b), (0x28, c)):
            await self.registers.write(offset, address)
            await self.registers.write(offset + 4, address >> 32)
        await self.registers.write(0x34, n)
        await self.registers.write(CTRL, control)

    async def done(self) -> None:
        for _ in range(20_000):
            if await self.registers.read(CTRL) & AP_DONE:
                return
        raise AssertionError("the kernel doesn't come to its end")

    async def run(self, a: int, b: int, c: int, n: int) -> None:
        """Fill two vectors, add them, and compare all of the memory with what it must be."""
        generator = np.random.default_rng(random.getrandbits(32))
        image = generator.integers(0, 256, MEMORY, dtype=np.uint8)
        self.memory.write(0, image.tobytes())
        left, right = (image[at : at + 4 * n].view("<u4") for at in (a, b))
        expected = image.copy()
        expected[c : c + 4 * n] = REF.add(left, right).astype("<u4").view(np.uint8)
        for bursts in self.bursts.values():
            bursts.clear()
        await self.start(a, b, c, n)
        await self.done()
        found = np.frombuffer(self.memory.read(0, MEMORY), np.uint8)
        wrong = np.flatnonzero(found != expected)
        assert not wrong.size, f"{n} words of {a:#x} and {b:#x} to {c:#x}: differ at {wrong[:8]}"
        for channel, addresses in (("ar", (a, b)), ("aw", (c,))):
            beats = sum((at % 8 + 4 * n + 7) // 8 for at in addresses) if n else 0
            assert sum(count for _, count in self.bursts[channel]) == beats
        assert not any(self.unanswered.values())


@cocotb.test()
async def registers(dut: Any) -> None:
    bench = await Bench.make(dut)
    table = [row for row in REF.REGISTERS if row[0] != "IP_ISR"]
    await bench.registers.check_reset_values(REF.REGISTERS)
    for kind in PAUSES:
        bench.registers.pause(kind)
        await bench.registers.check_access(table)
    for value, expected in ((3, 3), (1, 2), (2, 0), (0, 0)):  # ones toggle
        await bench.registers.write(ISR, value)
        assert await bench.registers.read(ISR) == expected
    for offset in (0x10, 0x14, 0x1C, 0x20, 0x28, 0x2C, 0x34):
        await bench.registers.write(offset, 0xFFFFFFFF)
        assert await bench.registers.read(offset) == 0  # write only
    assert await bench.registers.read(0x38) == 0


@cocotb.test()
@cocotb.parametrize(kind=PAUSES)
async def sizes(dut: Any, kind: str) -> None:
    """Every size with every alignment of the three vectors."""
    bench = await Bench.make(dut, kind)
    for index, n in enumerate(REF.SIZES):
        for offsets in range(index % 2, 8, 2 if n > 16 else 1):
            a, b, c = (4 * (offsets >> bit & 1) for bit in range(3))
            if n > 200 and kind != "never" and offsets != index % 8:
                continue
            await bench.run(a, 0x8000 + b, 0x10000 + c, n)


@cocotb.test()
async def around_4_kib(dut: Any) -> None:
    bench = await Bench.make(dut, "often")
    for before in range(0, 24, 4):
        await bench.run(0x1000 - before, 0x5000 - 2 * before, 0x9000 - before, 13)


@cocotb.test()
async def in_place(dut: Any) -> None:
    """c may be a, or b, or both."""
    bench = await Bench.make(dut, "bursts")
    await bench.run(0x100, 0x4004, 0x100, 700)
    await bench.run(0x104, 0x4000, 0x4000, 700)
    await bench.run(0x204, 0x204, 0x204, 701)


@cocotb.test()
async def a_sum_a_cycle(dut: Any) -> None:
    """Long vectors keep the read channel busy, with several bursts under way."""
    bench = await Bench.make(dut)
    n = 4000
    begin = get_sim_time("ns")
    await bench.run(0, 0x8000, 0x10000, n)
    spent = (get_sim_time("ns") - begin) / 10
    dut._log.info(f"{n} sums in {spent:.0f} cycles, {bench.most} bursts under way")
    assert bench.most["ar"] >= 3
    if bench.max_beats >= 64:
        assert spent < 1.25 * n + 400


@cocotb.test()
async def control(dut: Any) -> None:
    """AP_START to AP_DONE, and what reading clears."""
    bench = await Bench.make(dut)
    assert await bench.registers.read(CTRL) == AP_IDLE
    await bench.start(0, 0x8000, 0x10000, 2000)
    assert await bench.registers.read(CTRL) == AP_START
    await bench.registers.write(CTRL, 0)  # a 0 stops nothing
    await bench.start(0, 0x8000, 0x10000, 3)  # and a second start while it runs is no second run
    await ClockCycles(dut.ap_clk, 8000)
    assert len(bench.bursts["aw"]) == sum(1 for _ in range(0, 8000, 8 * bench.max_beats))
    assert await bench.registers.read(CTRL) == AP_DONE | AP_IDLE | AP_READY
    assert await bench.registers.read(CTRL) == AP_IDLE
    await bench.registers.write(CTRL, AP_START)
    await bench.done()
    assert sum(count for _, count in bench.bursts["aw"]) == 1000 + 2


@cocotb.test()
async def interrupts(dut: Any) -> None:
    bench = await Bench.make(dut)
    await bench.start(0, 0x8000, 0x10000, 4)
    await bench.done()
    assert await bench.registers.read(ISR) == 0  # not enabled
    await bench.registers.write(IER, 1)
    await bench.start(0, 0x8000, 0x10000, 4)
    await bench.done()
    assert await bench.registers.read(ISR) == 1
    assert not int(dut.interrupt.value)
    await bench.registers.write(GIER, 1)
    await level(dut.interrupt, dut.ap_clk, 1, 2)
    await bench.registers.write(ISR, 1)
    await level(dut.interrupt, dut.ap_clk, 0, 2)
    await bench.registers.write(IER, 3)
    await bench.start(0, 0x8000, 0x10000, 0)
    await level(dut.interrupt, dut.ap_clk, 1, 50)
    assert await bench.registers.read(ISR) == 3
    await bench.registers.write(ISR, 2)
    assert await bench.registers.read(ISR) == 1
    assert int(dut.interrupt.value)


@cocotb.test()
async def auto_restart(dut: Any) -> None:
    bench = await Bench.make(dut)
    await bench.start(0, 0x8000, 0x10000, 4, AP_START | AUTO_RESTART)
    for _ in range(3):
        await bench.done()
    await bench.registers.write(CTRL, 0)
    await ClockCycles(dut.ap_clk, 200)
    assert await bench.registers.read(CTRL) & (AP_IDLE | AP_START | AUTO_RESTART) == AP_IDLE
    runs = len(bench.bursts["aw"])
    assert runs >= 3
    await ClockCycles(dut.ap_clk, 200)
    assert len(bench.bursts["aw"]) == runs


@cocotb.test()
async def high_addresses(dut: Any) -> None:
    """All 64 bits of an address leave (the memory's model drops what is beyond its size)."""
    bench = await Bench.make(dut)
    high = 0x8_7654_0000_0000
    await bench.start(high, high + 0x8000, high + 0x10004, 5)
    await bench.done()
    assert bench.bursts["ar"][0][0] == high
    assert bench.bursts["aw"][0][0] == high + 0x10000


@cocotb.test()
async def reset_in_the_middle(dut: Any) -> None:
    bench = await Bench.make(dut)
    await bench.start(4, 0x8000, 0x10000, 2000)
    await ClockCycles(dut.ap_clk, 300)
    dut.ap_rst_n.value = 0
    await ClockCycles(dut.ap_clk, 20)
    for channel in ("aw", "w", "ar"):
        assert not int(getattr(dut, f"m_axi_gmem_{channel}valid").value)
    bench.unanswered = {"ar": 0, "aw": 0}
    dut.ap_rst_n.value = 1
    await ClockCycles(dut.ap_clk, 3)
    await bench.registers.check_reset_values(REF.REGISTERS)
    await bench.run(4, 0x8000, 0x10000, 37)


@cocotb.test()
async def stress(dut: Any) -> None:
    """Random sizes, places and pauses."""
    bench = await Bench.make(dut)
    for _ in range(60):
        bench.pause("random")
        bench.registers.pause("random")
        n = random.choice([random.randrange(20), random.randrange(400)])
        a, b, c = (base + 4 * random.randrange(0x1800) for base in (0, 0x8000, 0x10000))
        await bench.run(a, b, c, n)
