# %% [markdown]
# # A stream that comes back
# Memory -> DMA -> FIFO -> DMA -> memory. Only drivers that come with the package.

# %% Load the overlay
from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

import pynq

overlay = pynq.Overlay(str(Path(__file__).resolve().parent / "dma_loopback.bit"))
dma = overlay.axi_dma_0
print(type(dma).__name__, "at", hex(overlay.ip_dict["axi_dma_0"]["phys_addr"]))

# %% One transfer
source = pynq.allocate(shape=(4096,), dtype="u4")
target = pynq.allocate(shape=(4096,), dtype="u4")
source[:] = np.arange(4096)
dma.recvchannel.transfer(target)
dma.sendchannel.transfer(source)
dma.sendchannel.wait()
dma.recvchannel.wait()
assert np.array_equal(source, target)
print(f"{target.nbytes} bytes came back, {dma.recvchannel.transferred} counted by the DMA")

# %% A packet that is shorter than the buffer: TLAST ends the transfer early
target[:] = 0
dma.recvchannel.transfer(target)
dma.sendchannel.transfer(source, nbytes=1000)
dma.sendchannel.wait()
dma.recvchannel.wait()
assert dma.recvchannel.transferred == 1000
assert np.array_equal(target[:250], source[:250])
assert not target[250:].any()
print(f"a packet of {dma.recvchannel.transferred} bytes into a buffer of {target.nbytes}")

# %% Without blocking the event loop: both interrupts go straight to the PS in this design


async def there_and_back() -> None:
    """Start both channels and await their interrupts."""
    source[:] = source[::-1]
    dma.recvchannel.transfer(target)
    dma.sendchannel.transfer(source)
    await asyncio.gather(dma.sendchannel.wait_async(), dma.recvchannel.wait_async())


asyncio.run(there_and_back())
assert np.array_equal(source, target)
print("awaited: equal again")

# %% A wait that can't end: the simulated board knows at once, and says why; elsewhere the limit ends it
dma.recvchannel.transfer(target)
try:
    dma.recvchannel.wait(timeout=1)
except TimeoutError as error:
    print("as expected:", error)
dma.recvchannel.stop()

# %% Done
source.freebuffer()
target.freebuffer()
overlay.free()
