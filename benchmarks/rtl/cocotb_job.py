"""What cocotb 2 with cocotbext-axi does with hdl/polynomial.v, timed: run under cocotb by cocotb_peer.py.

Sends words through the stream and reads a register, for a few seconds each, and writes rates to the file
named in ``PYNQ_BENCH_OUT``.
"""

import json
import os
import time

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource

SECONDS = float(os.environ["PYNQ_BENCH_SECONDS"])
WORDS = 4000  # a packet
CTRL, A, B, C = 0x00, 0x10, 0x14, 0x18


@cocotb.test()
async def job(dut):
    """Measure words and reads a second."""
    cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
    reset = {"reset_active_level": False}
    registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, **reset)
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, dut.aresetn, **reset)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, dut.aresetn, **reset)
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 4)
    dut.aresetn.value = 1
    for offset, value in ((A, 3), (B, 5), (C, 7), (CTRL, 1)):
        await registers.write_dword(offset, value)
    x = np.arange(WORDS, dtype="u4")
    expected = (3 * x * x + 5 * x + 7).tobytes()
    words, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        await source.send(x.tobytes())
        frame = await sink.recv()
        assert bytes(frame.tdata) == expected
        words += WORDS
    words_rate = words / (time.perf_counter() - start)
    reads, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        for _ in range(200):
            assert await registers.read_dword(B) == 5
        reads += 200
    reads_rate = reads / (time.perf_counter() - start)
    with open(os.environ["PYNQ_BENCH_OUT"], "w") as out:
        json.dump({"words": words_rate, "reads": reads_rate}, out)
