# %% [markdown]
# # A memory-mapped accelerator
# It fetches its operands from DDR and stores its result there, without a DMA.

# %% Load the overlay
from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

import pynq

overlay = pynq.Overlay(str(Path(__file__).resolve().parent / "vector_add.bit"))
adder = overlay.vector_add_0
print(adder.register_map.CTRL)

# %% The short way: arrays in, array out
random = np.random.default_rng(1)
a = random.integers(-(2**31), 2**31, 10_000, dtype=np.int32)
b = random.integers(-(2**31), 2**31, 10_000, dtype=np.int32)
c = adder.add(a, b)
assert np.array_equal(c, a + b)
print(f"{a.size} sums, the first {c[0]}")

# %% The long way: buffers of one's own, and the interrupt instead of polling
left = pynq.allocate(shape=(1 << 18,), dtype="i4")
right = pynq.allocate(shape=(1 << 18,), dtype="i4")
result = pynq.allocate(shape=(1 << 18,), dtype="i4")
left[:] = np.arange(left.size)
right[:] = 2 * np.arange(right.size)


async def add() -> None:
    """Start the kernel, and let other coroutines run until its interrupt comes."""
    adder.start(left, right, result)
    await adder.finished()


asyncio.run(add())
result.invalidate()
assert np.array_equal(result, 3 * np.arange(result.size))
print(f"{result.size} sums at 0x{result.physical_address:x}, the last {result[-1]}")

# %% Done
for buffer in (left, right, result):
    buffer.freebuffer()
overlay.free()
