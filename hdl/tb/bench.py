"""What the test benches share: the clock, random pauses, registers, and the examples' reference functions.

A bench runs inside of the simulator (cocotb); the other side of every bus is cocotbext-axi, which knows
nothing of this project. All randomness comes from cocotb's seed, which is printed at the start;
COCOTB_RANDOM_SEED repeats it.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

ROOT = Path(__file__).resolve().parents[2]

#: Names of kinds of pauses, for both sides of a bus.
PAUSES = ["never", "often", "bursts", "alternating"]


def reference(example: str) -> ModuleType:
    """Return ``examples/NAME/reference.py``: the same functions and vectors as the Python tests use."""
    path = ROOT / "examples" / example / "reference.py"
    spec = importlib.util.spec_from_file_location(f"{example}_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def pauses(kind: str) -> Iterator[bool]:
    """Yield, for each cycle, whether a side holds still."""
    generator = random.Random(random.getrandbits(64))
    while True:
        if kind == "never":
            yield False
        elif kind == "often":
            yield generator.random() < 0.6
        elif kind == "alternating":
            yield True
            yield False
        else:
            for pause in (False, True):
                for _ in range(generator.randrange(1, 30)):
                    yield pause


def disturb(side: Any, kind: str) -> None:
    """Let a side of a bus pause; "random" is a kind by chance."""
    chosen = random.choice(PAUSES) if kind == "random" else kind
    side.clear_pause_generator()
    side.pause = False
    if chosen != "never":
        side.set_pause_generator(pauses(chosen))


class Registers:
    """The registers of an IP: 32-bit words by offset, over AXI4-Lite with pauses on every channel."""

    def __init__(self, dut: Any, prefix: str, clock: Any, reset: Any) -> None:
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, prefix), clock, reset, reset_active_level=False)

    def pause(self, kind: str) -> None:
        """Let each channel pause in its own way."""
        write, read = self.bus.write_if, self.bus.read_if
        channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
        for channel in channels:
            disturb(channel, kind)

    async def read(self, offset: int) -> int:
        """Return a word."""
        return int(await self.bus.read_dword(offset))

    async def write(self, offset: int, value: int) -> None:
        """Store a word."""
        await self.bus.write_dword(offset, value & 0xFFFFFFFF)

    async def write_bytes(self, offset: int, data: bytes) -> None:
        """Store some bytes of a word: byte strobes of the others are low."""
        await self.bus.write(offset, data)

    async def check_reset_values(self, table: list[tuple[str, int, int, int]]) -> None:
        """Compare every register with its value after reset."""
        for name, offset, reset, _ in table:
            found = await self.read(offset)
            assert found == reset, f"{name} is {found:#x} after reset, not {reset:#x}"

    async def check_access(self, table: list[tuple[str, int, int, int]]) -> None:
        """Write what may be written, whole and a byte at a time, and read it back; leave the reset values."""
        for name, offset, reset, writable in table:
            if not writable:
                continue
            kept = await self.read(offset) & ~writable
            for value in (writable, 0, 0x5A5A5A5A & writable, 0xA5A5A5A5 & writable):
                await self.write(offset, value)
                assert await self.read(offset) == kept | value, name
            await self.write(offset, 0)
            for lane in range(4):
                await self.write_bytes(offset + lane, bytes([writable >> 8 * lane & 0xFF]))
                expected = kept | (writable & ((1 << 8 * (lane + 1)) - 1))
                assert await self.read(offset) == expected, f"{name}, byte {lane}"
            await self.write(offset, reset)


async def start(clock: Any, reset: Any) -> None:
    """Start a clock of 100 MHz and reset the module for some cycles."""
    cocotb.start_soon(Clock(clock, 10, unit="ns").start())
    reset.value = 0
    await ClockCycles(clock, 5)
    reset.value = 1
    await ClockCycles(clock, 3)


async def level(signal: Any, clock: Any, wanted: int, cycles: int = 100_000) -> None:
    """Wait until a pin has a level; AssertionError when it hasn't after so many cycles."""
    for _ in range(cycles):
        if int(signal.value) == wanted:
            return
        await RisingEdge(clock)
    raise AssertionError(f"{signal._name} is not {wanted} after {cycles} cycles")
