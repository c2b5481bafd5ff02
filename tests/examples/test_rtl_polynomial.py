"""The polynomial three ways: numpy, Python model and RTL on the same vectors, word by word."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from example_ways import WAYS, board, check_access, check_reset_values, is_rtl, poke, reference

import pynq

REF = reference("polynomial")
STREAMS = ("axi_dma_0/M_AXIS_MM2S", "axi_dma_0/S_AXIS_S2MM")
COEFFICIENTS = [(0, 1, 0), (1, -3, 2), (0xFFFFFFFF, 0x80000000, 0x7FFFFFFF), (0x12345678, -0x1234567, 99)]


@pytest.fixture(params=WAYS)
def overlay(request: pytest.FixtureRequest) -> Iterator[Any]:
    with board("polynomial", request.param) as made:
        assert is_rtl(made.device, "polynomial_0") == (request.param == "rtl")
        yield made


def words(count: int, seed: int = 0) -> Any:
    mixed = np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint32)
    mixed[: len(REF.CORNERS)] = REF.CORNERS[:count]
    return mixed


def exchange(overlay: Any, data: bytes) -> bytes:
    """Send some bytes as a packet; return the packet that comes back."""
    with pynq.allocate(len(data), "u1", target=overlay.device) as source:  # noqa: SIM117
        with pynq.allocate(len(data) + 64, "u1", target=overlay.device) as target:
            source[:] = np.frombuffer(data, np.uint8)
            overlay.axi_dma_0.recvchannel.transfer(target)
            overlay.axi_dma_0.sendchannel.transfer(source)
            overlay.axi_dma_0.sendchannel.wait()
            overlay.axi_dma_0.recvchannel.wait()
            return target[: overlay.axi_dma_0.recvchannel.transferred].tobytes()


def test_reset_values(overlay: Any) -> None:
    overlay.polynomial_0.write(0x00, 0)  # the driver's settings
    overlay.polynomial_0.write(0x08, 0)
    check_reset_values(overlay.polynomial_0, REF.REGISTERS)


def test_access(overlay: Any) -> None:
    overlay.polynomial_0.write(0x00, 0)
    overlay.polynomial_0.write(0x08, 0)
    check_access(overlay.polynomial_0, REF.REGISTERS)


def test_registers_behave_the_same() -> None:
    seen = []
    for way in WAYS:
        with board("polynomial", way) as overlay:
            masks = {"CTRL": 0xFFFFFFFE, "IRQ_STATUS": 0xFFFFFFFF, "IRQ_ENABLE": 0xFFFFFFFF}
            masks |= dict.fromkeys(("STATUS", "WORDS", "PACKETS", "VERSION"), 0xFFFFFFFF)
            seen.append(poke(overlay.polynomial_0, REF.REGISTERS, masks, seed=3))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("coefficients", COEFFICIENTS)
def test_words(overlay: Any, coefficients: tuple[int, int, int]) -> None:
    for count in (1, 2, 3, 12, 255, 1024, 3001):
        x = words(count, count)
        assert np.array_equal(overlay.evaluate(x, coefficients), REF.polynomial(x, *coefficients))
    signed = words(100).view("i4")
    result = overlay.evaluate(signed, coefficients)
    assert result.dtype == np.int32
    assert np.array_equal(result.view("u4"), REF.polynomial(signed, *coefficients))


def test_packets_of_bytes(overlay: Any) -> None:
    overlay.polynomial_0.coefficients = (7, -5, 3)
    for length in (*range(1, 14), 1023, 4097):
        data = words(length // 4 + 1, length).tobytes()[:length]
        assert exchange(overlay, data) == REF.polynomial_of_bytes(data, 7, -5, 3), length


def test_counters(overlay: Any) -> None:
    polynomial = overlay.polynomial_0
    for data in (b"1234", b"12345", b"1"):
        exchange(overlay, data)
    assert (polynomial.words, polynomial.packets) == (4, 3)
    polynomial.clear()
    assert (polynomial.words, polynomial.packets) == (0, 0)
    assert polynomial.register_map.CTRL.ENABLE == 1
    exchange(overlay, b"12345678")
    assert (polynomial.words, polynomial.packets) == (2, 1)


@pytest.mark.parametrize("side", ["source", "sink"])
@pytest.mark.parametrize("seed", range(3))
def test_stalls_change_nothing(overlay: Any, side: str, seed: int) -> None:
    for stream in STREAMS:
        overlay.device.inject(stream, stall=0.4, side=side, cycles=5 + 5 * seed)
    for count in (1, 2, 64, 1500):
        x = words(count, seed)
        coefficients = COEFFICIENTS[(seed + count) % len(COEFFICIENTS)]
        assert np.array_equal(overlay.evaluate(x, coefficients), REF.polynomial(x, *coefficients))


def test_coefficients_hold_for_a_packet(overlay: Any) -> None:
    polynomial, dma = overlay.polynomial_0, overlay.axi_dma_0
    x = words(4000)
    polynomial.coefficients = (1, 2, 3)
    with pynq.allocate(x.shape, "u4", target=overlay.device) as source:  # noqa: SIM117
        with pynq.allocate(x.shape, "u4", target=overlay.device) as target:
            source[:] = x
            dma.sendchannel.transfer(source)  # nobody takes the result yet
            overlay.device.run(cycles=200)
            assert polynomial.register_map.STATUS.BUSY
            polynomial.coefficients = (4, 5, 6)
            dma.recvchannel.transfer(target)
            dma.recvchannel.wait()
            assert np.array_equal(target, REF.polynomial(x, 1, 2, 3))
            assert not polynomial.register_map.STATUS.BUSY
    assert np.array_equal(overlay.evaluate(x, (4, 5, 6)), REF.polynomial(x, 4, 5, 6))


def test_no_packet_begins_while_it_is_disabled(overlay: Any) -> None:
    polynomial, dma = overlay.polynomial_0, overlay.axi_dma_0
    x = words(50)
    with pynq.allocate(x.shape, "u4", target=overlay.device) as source:  # noqa: SIM117
        with pynq.allocate(x.shape, "u4", target=overlay.device) as target:
            source[:] = x
            polynomial.register_map.CTRL.ENABLE = 0
            dma.recvchannel.transfer(target)
            dma.sendchannel.transfer(source)
            overlay.device.run(cycles=500)
            assert polynomial.words == 0
            polynomial.coefficients = (0, 3, 0)
            polynomial.register_map.CTRL.ENABLE = 1
            dma.recvchannel.wait()
            assert np.array_equal(target, x * np.uint32(3))


def test_interrupts(overlay: Any) -> None:
    polynomial, dma = overlay.polynomial_0, overlay.axi_dma_0
    polynomial.coefficients = (0, 2, 1)

    async def packets() -> None:
        with (
            pynq.allocate(100, "u4", target=overlay.device) as source,
            pynq.allocate(100, "u4", target=overlay.device) as target,
        ):
            for first in (0, 1000, 2000):
                source[:] = np.arange(first, first + 100)
                dma.recvchannel.transfer(target)
                dma.sendchannel.transfer(source)
                await polynomial.packet_done()
                await dma.recvchannel.wait_async()
                assert np.array_equal(target, 2 * source + 1)
                assert polynomial.register_map.IRQ_STATUS.PACKET == 0

    asyncio.run(packets())
    assert polynomial.packets == 3


def test_wrong_calls(overlay: Any) -> None:
    with pytest.raises(ValueError, match="coefficient B is 4294967296"):
        overlay.polynomial_0.coefficients = (0, 2**32, 0)
    with pytest.raises(ValueError, match="3 elements of float64"):
        overlay.evaluate(np.zeros(3), (0, 1, 0))
    with pytest.raises(ValueError, match="0 elements"):
        overlay.evaluate(np.zeros(0, "u4"), (0, 1, 0))


def test_a_word_a_cycle(overlay: Any) -> None:
    overlay.evaluate(words(10), (1, 1, 1))
    before = overlay.device.cycles()
    overlay.evaluate(words(10_000), (1, 1, 1))
    assert 10_000 <= overlay.device.cycles() - before < 12_500


@pytest.mark.parametrize("way", WAYS)
def test_the_same_run_twice(way: str) -> None:
    """Deterministic: same seed, same stalls, same picosecond, same trace."""
    runs = []
    for _ in range(2):
        with board("polynomial", way, seed=5) as overlay:
            overlay.device.trace("hash")
            for stream in STREAMS:
                overlay.device.inject(stream, stall=0.3, cycles=9)
            overlay.evaluate(words(700), (3, 1, 4))
            runs.append((overlay.device.now, overlay.device.trace_hash))
    assert runs[0] == runs[1]
