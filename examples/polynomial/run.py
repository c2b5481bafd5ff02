# %% [markdown]
# # A polynomial in the programmable logic, as a model and as RTL
# Words stream from DDR through `y = a*x*x + b*x + c` and back. The same program runs on a board, on the
# Python model, and, where Verilator is installed, on the IP's Verilog, cycle by cycle.

# %% Load the overlay; what runs is said in polynomial.sim.toml
from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

import pynq

overlay = pynq.Overlay(str(Path(__file__).resolve().parent / "polynomial.bit"))
polynomial, dma = overlay.polynomial_0, overlay.axi_dma_0
print(type(overlay).__name__, type(polynomial).__name__, polynomial.register_map.VERSION)

# %% The overlay's own call: x*x - 3*x + 2, which is zero at 1 and 2
x = np.arange(-4, 6, dtype=np.int32)
y = overlay.evaluate(x, (1, -3, 2))
assert np.array_equal(y, x**2 - 3 * x + 2)
print(dict(zip(x.tolist(), y.tolist(), strict=True)))

# %% Modulo 2**32, so words with and without sign give the same bits
random = np.random.default_rng(1)
words = random.integers(0, 2**32, 100_000, dtype=np.uint32)
a, b, c = (int(value) for value in random.integers(0, 2**32, 3))
result = overlay.evaluate(words, (a, b, c))
assert np.array_equal(result, np.uint32(a) * words * words + np.uint32(b) * words + np.uint32(c))
assert np.array_equal(overlay.evaluate(words.view(np.int32), (a, b, c)).view(np.uint32), result)
print(f"{words.size} words, twice; counted: {polynomial.words} words in {polynomial.packets} packets")


# %% By interrupt: other coroutines run until the packet has left
async def one_packet() -> None:
    """Coefficients are those of a packet's first word."""
    polynomial.coefficients = (0, 2, 1)
    with pynq.allocate(1000, "u4") as source, pynq.allocate(1000, "u4") as target:
        source[:] = np.arange(1000)
        dma.recvchannel.transfer(target)
        dma.sendchannel.transfer(source)
        await polynomial.packet_done()
        await dma.recvchannel.wait_async()
        assert np.array_equal(target, 2 * np.arange(1000) + 1)


polynomial.clear()
asyncio.run(one_packet())
print(f"{polynomial.words} words in {polynomial.packets} packet")

# %% Done
overlay.free()
