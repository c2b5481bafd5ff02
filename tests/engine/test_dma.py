"""AXI DMA against PG021 (v7.1), direct register mode."""

from __future__ import annotations

import numpy as np
import pytest

from pynq.backends.sim._engine import Engine
from pynq.errors import DesignError

from .boards import (
    DEC_ERR,
    DMA,
    ERR,
    HALTED,
    IDLE,
    INT_ERR,
    IOC,
    MM2S_CR,
    MM2S_LENGTH,
    MM2S_SA,
    MM2S_SA_MSB,
    MM2S_SR,
    RESET,
    RS,
    S2MM_CR,
    S2MM_DA,
    S2MM_LENGTH,
    S2MM_SR,
    SLV_ERR,
    DmaBoard,
    HostBoard,
    LoopBoard,
)


def pattern(nbytes: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, nbytes, dtype=np.uint8).tobytes()


def test_registers_after_reset(loop: LoopBoard) -> None:
    assert loop.read(MM2S_CR) == loop.read(S2MM_CR) == 0x0001_0002
    assert loop.read(MM2S_SR) == loop.read(S2MM_SR) == HALTED
    assert loop.read(MM2S_LENGTH) == loop.read(S2MM_LENGTH) == 0


def test_loop_back(loop: LoopBoard) -> None:
    data = pattern(100_000)
    loop.ddr.write(0x1000, data)
    loop.start()
    assert loop.read(MM2S_SR) == 0, "running, and not idle before the first transfer"
    loop.irqs["S2MM"].enable()
    loop.receive(0x80_0000, 200_000)
    loop.send(0x1000, len(data))
    assert loop.engine.run_until(loop.irqs["S2MM"]) == "hit"
    assert loop.ddr.read(0x80_0000, len(data)) == data
    assert loop.read(S2MM_LENGTH) == len(data), "the bytes received"
    assert loop.read(MM2S_LENGTH) == len(data)
    assert loop.read(MM2S_SR) == IDLE | IOC
    assert loop.read(S2MM_SR) == IDLE | IOC
    loop.write(S2MM_SR, IOC)
    assert loop.read(S2MM_SR) == IDLE
    assert loop.nets["S2MM"].value == 0
    assert loop.nets["MM2S"].value == 1, "not acknowledged yet"


def test_a_beat_a_cycle(engine: Engine) -> None:
    board = LoopBoard(engine, width=8, mm2s_memory_width=8, s2mm_memory_width=8)
    board.start()
    board.irqs["S2MM"].enable()
    board.receive(0x80_0000, 1 << 20)
    start = board.clock.cycles
    board.send(0, 1 << 20)
    engine.run_until(board.irqs["S2MM"])
    beats = (1 << 20) // 8
    assert beats <= board.clock.cycles - start <= beats * 1.01 + 200


def test_a_narrow_memory_port_halves_the_rate(engine: Engine) -> None:
    board = LoopBoard(engine, width=8, mm2s_memory_width=4, s2mm_memory_width=4)
    board.start()
    board.irqs["S2MM"].enable()
    board.receive(0x80_0000, 1 << 16)
    start = board.clock.cycles
    board.send(0, 1 << 16)
    engine.run_until(board.irqs["S2MM"])
    assert 2 * (1 << 16) // 8 <= board.clock.cycles - start <= 2.1 * (1 << 16) // 8 + 200


def test_length_has_no_effect_while_halted(loop: LoopBoard) -> None:
    loop.write(MM2S_LENGTH, 64)
    loop.engine.run(10**9)
    assert loop.read(MM2S_LENGTH) == 0
    assert loop.read(MM2S_SR) == HALTED


def test_length_zero_has_no_effect(loop: LoopBoard) -> None:
    loop.start()
    loop.send(0, 0)
    loop.engine.run(10**9)
    assert loop.read(MM2S_SR) == 0


def test_length_register_is_as_wide_as_built(engine: Engine) -> None:
    board = LoopBoard(engine, length_bits=14)
    board.start()
    board.send(0, (1 << 14) + 8)
    assert board.read(MM2S_LENGTH) == 8


def test_upper_address_bits_only_where_built(engine: Engine, engines: type[Engine]) -> None:
    board = LoopBoard(engine)
    board.write(MM2S_SA_MSB, 0x12)
    assert board.read(MM2S_SA_MSB) == 0
    wide = LoopBoard(engines(), address_bits=40)
    wide.write(MM2S_SA_MSB, 0x1234)
    assert wide.read(MM2S_SA_MSB) == 0x34


def test_addresses_beyond_32_bits(engine: Engine) -> None:
    base = 0x8_0000_0000
    board = LoopBoard(engine, base=base, address_bits=64)
    data = pattern(4096)
    board.ddr.write(0x1000, data)
    board.start()
    board.irqs["S2MM"].enable()
    board.receive(base + 0x8000, 4096)
    board.send(base + 0x1000, 4096)
    assert engine.run_until(board.irqs["S2MM"]) == "hit"
    assert board.ddr.read(0x8000, 4096) == data


def test_early_tlast_ends_the_transfer(loop: LoopBoard) -> None:
    loop.start()
    loop.receive(0x1000, 4096)
    loop.send(0, 100)
    loop.engine.run_until(loop.nets["S2MM"])
    assert loop.read(S2MM_LENGTH) == 100
    assert loop.read(S2MM_SR) == IDLE | IOC


def test_length_that_is_no_multiple_of_the_beat(loop: LoopBoard) -> None:
    loop.ddr.write(0, pattern(64))
    loop.ddr.write(0x1000, b"\xee" * 64)
    loop.start()
    loop.receive(0x1000, 64)
    loop.send(0, 13)
    loop.engine.run_until(loop.nets["S2MM"])
    assert loop.ddr.read(0x1000, 64) == pattern(64)[:13] + b"\xee" * 51


def test_packet_longer_than_the_buffer(loop: LoopBoard) -> None:
    loop.ddr.write(0, pattern(256))
    loop.ddr.write(0x1000, b"\xee" * 256)
    loop.start()
    loop.irqs["S2MM"].enable()
    loop.receive(0x1000, 64)
    loop.send(0, 256)
    assert loop.engine.run_until(loop.irqs["S2MM"]) == "hit"
    assert loop.read(S2MM_SR) == HALTED | INT_ERR | ERR
    assert loop.read(S2MM_CR) & RS == 0
    assert loop.ddr.read(0x1000, 256) == pattern(256)[:64] + b"\xee" * 192, "nothing beyond the buffer"
    assert "longer than the buffer of 64 bytes" in loop.dma.explain("S2MM")


def test_no_tlast_is_a_deadlock_with_names(engine: Engine) -> None:
    board = HostBoard(engine, width=4)
    board.start()
    board.irqs["S2MM"].enable()
    board.receive(0x1000, 4096)
    board.model.send("m_axis", bytes(4096), False)
    assert engine.run_until(board.irqs["S2MM"]) == "quiet"
    text = board.dma.explain("S2MM")
    assert text.startswith("axi_dma_0 S2MM waits for TLAST: 1024 of 1024 beats received from fir_0 (cycle ")
    assert text in engine.explain(board.irqs["S2MM"])
    assert engine.explain(board.irqs["S2MM"]).startswith(
        "interrupt 62 can't fire: net s2mm_introut stays 0x0: "
    )


def test_no_data_is_a_deadlock_with_names(loop: LoopBoard) -> None:
    loop.start()
    loop.receive(0x1000, 64)
    assert loop.engine.run_until(loop.nets["S2MM"]) == "quiet"
    assert (
        "axi_dma_0 S2MM waits for TVALID: 0 of 64 bytes received from axis_data_fifo_0" in loop.dma.explain()
    )


def test_nobody_takes_is_a_deadlock_with_names(engine: Engine) -> None:
    board = HostBoard(engine, width=4, depth=16)
    board.start()
    board.send(0, 4096)
    assert engine.run_until(board.nets["MM2S"]) == "quiet"
    assert "axi_dma_0 MM2S waits for TREADY: 64 of 4096 bytes sent to fir_0" in board.dma.explain("MM2S")


def test_stream_that_is_not_connected(engine: Engine) -> None:
    board = DmaBoard(engine)
    engine.elaborate()
    board.start()
    board.send(0, 64)
    assert engine.run_until(board.nets["MM2S"]) == "quiet"
    assert "M_AXIS_MM2S, which is not connected" in board.dma.explain()


@pytest.mark.parametrize("channel", ["MM2S", "S2MM"])
@pytest.mark.parametrize(("response", "bit"), [("SLVERR", SLV_ERR), ("DECERR", DEC_ERR)])
def test_injected_errors(loop: LoopBoard, channel: str, response: str, bit: int) -> None:
    loop.engine.inject(f"axi_dma_0/M_AXI_{channel}", response=response)  # type: ignore[arg-type]
    loop.start()
    loop.irqs[channel].enable()
    loop.receive(0x1000, 64)
    loop.send(0, 64)
    assert loop.engine.run_until(loop.irqs[channel]) == "hit"
    status = loop.read(MM2S_SR if channel == "MM2S" else S2MM_SR)
    assert status == HALTED | bit | ERR
    loop.write(MM2S_CR if channel == "MM2S" else S2MM_CR, RS)
    assert loop.read(MM2S_CR if channel == "MM2S" else S2MM_CR) & RS == 0, "only a reset leads out"
    loop.write(MM2S_CR, RESET)
    assert loop.read(MM2S_CR) & RESET == 0, "done by the next access"
    loop.engine.clear_injections()
    loop.start()
    loop.receive(0x1000, 64)
    loop.send(0, 64)
    assert loop.engine.run_until(loop.nets["S2MM"]) == "hit"


def test_decode_errors(loop: LoopBoard) -> None:
    loop.start()
    loop.send(0x4000_0000, 64)
    assert loop.engine.run_until(loop.nets["MM2S"]) == "hit"
    assert loop.read(MM2S_SR) == HALTED | DEC_ERR | ERR
    assert (
        "DECERR at 0x40000000: nothing answers at 0x40000000; nearest: ddr 0x0-0xffffff" in loop.dma.explain()
    )


def test_buffer_that_leaves_the_memory(loop: LoopBoard) -> None:
    loop.start()
    loop.receive((1 << 24) - 64, 128)
    loop.send(0, 128)
    loop.engine.run_until(loop.nets["S2MM"])
    assert loop.read(S2MM_SR) == HALTED | DEC_ERR | ERR


@pytest.mark.parametrize("channel", ["MM2S", "S2MM"])
def test_unaligned_address(engines: type[Engine], channel: str) -> None:
    plain = LoopBoard(engines())
    plain.start()
    plain.receive(0x1000 + (channel == "S2MM"), 64)
    plain.send(0 + (channel == "MM2S"), 64)
    plain.engine.run_until(plain.nets[channel])
    assert plain.read(MM2S_SR if channel == "MM2S" else S2MM_SR) == HALTED | INT_ERR | ERR
    assert "DRE" in plain.dma.explain(channel)

    realigning = LoopBoard(engines(), mm2s_dre=True, s2mm_dre=True)
    realigning.ddr.write(0, pattern(128))
    realigning.start()
    realigning.receive(0x1003, 61)
    realigning.send(5, 61)
    realigning.engine.run_until(realigning.nets["S2MM"])
    assert realigning.ddr.read(0x1003, 61) == pattern(128)[5:66]


def test_soft_reset_in_the_middle(loop: LoopBoard) -> None:
    low = loop.engine.net("rst_n")
    loop.dma.wire("mm2s_prmry_reset_out_n", low)
    loop.fifo.reset_by(low)
    loop.engine.elaborate()
    loop.start()
    loop.send(0, 1 << 20)
    loop.write(S2MM_CR, RESET)
    assert low.value == 0, "streams are reset as well"
    assert loop.fifo.in_reset
    loop.engine.run(10**6)
    assert low.value == 1
    assert loop.read(MM2S_CR) == loop.read(S2MM_CR) == 0x0001_0002, "either channel resets both"
    assert loop.read(MM2S_SR) == loop.read(S2MM_SR) == HALTED
    assert loop.read(MM2S_SA) == 0
    assert loop.engine.quiet


def test_stop_ends_a_transfer_that_waits(loop: LoopBoard) -> None:
    loop.start()
    loop.receive(0x1000, 64)
    loop.engine.run(10**6)
    loop.write(S2MM_CR, 0)
    loop.engine.run(10**6)
    assert loop.read(S2MM_SR) & (HALTED | IDLE) == HALTED
    loop.start()
    assert loop.read(S2MM_SR) & HALTED == 0


def test_interrupts_only_where_enabled(loop: LoopBoard) -> None:
    loop.write(MM2S_CR, RS)
    loop.write(S2MM_CR, RS)
    loop.receive(0x1000, 64)
    loop.send(0, 64)
    loop.engine.run(10**8)
    assert loop.read(S2MM_SR) & IOC
    assert loop.nets["S2MM"].value == 0
    loop.write(S2MM_CR, RS | IOC)
    assert loop.nets["S2MM"].value == 1, "what is pending shows when it is enabled"


def test_threshold_of_zero_is_ignored(loop: LoopBoard) -> None:
    loop.write(MM2S_CR, 0x0000_0000)
    assert loop.read(MM2S_CR) == 0x0001_0002
    loop.write(MM2S_CR, 0x0905_0000)
    assert loop.read(MM2S_CR) == 0x0905_0002


def test_bytes_of_a_register(loop: LoopBoard) -> None:
    loop.write(S2MM_DA, 0x1122_3344)
    loop.engine.write(DMA + S2MM_DA + 1, 0xAA, 1)
    assert loop.read(S2MM_DA) == 0x1122_AA44
    assert loop.engine.read(DMA + S2MM_DA + 2, 2) == 0x1122
    assert loop.engine.read(DMA + S2MM_DA, 8) == 0x1122_AA44


def test_one_channel_only(engine: Engine) -> None:
    board = DmaBoard(engine, s2mm=False)
    engine.elaborate()
    board.start()
    assert board.read(S2MM_CR) == board.read(S2MM_SR) == 0
    assert set(board.dma.ports()) == {
        "S_AXI_LITE", "M_AXI_MM2S", "M_AXIS_MM2S", "mm2s_introut", "mm2s_prmry_reset_out_n",
    }  # fmt: skip


def test_scatter_gather_is_named_as_not_modelled(engine: Engine) -> None:
    board = LoopBoard(engine, scatter_gather=True)
    board.start()
    assert board.read(MM2S_SR) == 1 << 3
    board.send(0, 64)
    assert board.read(MM2S_LENGTH) == 0
    assert "scatter-gather" in board.dma.explain("MM2S")


def test_many_transfers_in_a_row(loop: LoopBoard) -> None:
    loop.start()
    for i in range(50):
        data = pattern(17 * (i + 1), i)
        loop.ddr.write(0x2000, data)
        loop.receive(0x8000, 4096)
        loop.send(0x2000, len(data))
        assert loop.engine.run_until(loop.nets["S2MM"]) == "hit"
        assert loop.read(S2MM_LENGTH) == len(data)
        assert loop.ddr.read(0x8000, len(data)) == data
        loop.write(S2MM_SR, IOC)
        loop.write(MM2S_SR, IOC)


@pytest.mark.parametrize("options", [{"length_bits": 7}, {"length_bits": 27}, {"address_bits": 65}])
def test_impossible_parameters(engine: Engine, options: dict[str, int]) -> None:
    with pytest.raises(DesignError, match="PG021"):
        engine.dma("axi_dma_0", engine.clock("clk", 1e8), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("channel", ["MM2S", "S2MM"])
def test_micro_dma_stays_in_a_page(engine: Engine, channel: str) -> None:
    board = LoopBoard(engine, micro=True)
    board.start()
    board.receive(0x1FC0 if channel == "S2MM" else 0x4000, 256)
    board.send(0x2FC0 if channel == "MM2S" else 0x2000, 128)
    board.irqs[channel].enable()
    assert engine.run_until(board.irqs[channel]) == "hit"
    assert board.read(MM2S_SR if channel == "MM2S" else S2MM_SR) == HALTED | INT_ERR | ERR
    assert "crosses a 4 KiB boundary" in board.dma.explain(channel)


def test_micro_dma_within_a_page(engine: Engine) -> None:
    board = LoopBoard(engine, micro=True)
    board.ddr.write(0x2000, pattern(4096))
    board.start()
    board.receive(0x4000, 4096)
    board.send(0x2000, 4096)
    assert engine.run_until(board.nets["S2MM"]) == "hit"
    assert board.ddr.read(0x4000, 4096) == pattern(4096)
