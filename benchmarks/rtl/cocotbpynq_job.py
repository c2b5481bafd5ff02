"""What cocotbpynq 0.2.0 does with the sample that it ships, timed: run under cocotb by cocotbpynq_peer.py.

Moves words by DMA through the sample's RTL and reads a register, for a few seconds each, and writes rates to
the file named in ``PYNQ_BENCH_OUT``.
"""

import json
import os
import time

import cocotbpynq
import numpy as np
from cocotbpynq import MMIO, Overlay, allocate

SECONDS = float(os.environ["PYNQ_BENCH_SECONDS"])
WORDS = 4000  # a transfer


def job(dut=None):
    """Measure words and reads a second."""
    overlay = Overlay("./sample.bit")
    mmio = MMIO(0x43C10000, 0x1000)
    for offset, value in ((0x10, 1), (0x18, 2), (0x20, 3)):
        mmio.write(offset, value)
    given, got = allocate(shape=(WORDS,), dtype=np.uint32), allocate(shape=(WORDS,), dtype=np.uint32)
    given[:] = np.arange(WORDS)
    dma = overlay.poly_eval.axi_dma
    words, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        dma.recvchannel.transfer(got)
        dma.sendchannel.transfer(given)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        words += WORDS
    words_rate = words / (time.perf_counter() - start)
    x = np.arange(WORDS, dtype=np.uint32)
    assert (np.asarray(got) == x * x + 2 * x + 3).all()
    reads, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        for _ in range(500):
            assert mmio.read(0x18) == 2
        reads += 500
    reads_rate = reads / (time.perf_counter() - start)
    with open(os.environ["PYNQ_BENCH_OUT"], "w") as out:
        json.dump({"words": words_rate, "reads": reads_rate}, out)


main = cocotbpynq.synctest(job)
