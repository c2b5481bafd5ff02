"""The image filter three ways: numpy, Python model and RTL on the same frames, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from example_ways import WAYS, board, check_access, check_reset_values, is_rtl, poke, reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pynq
from pynq.errors import DeadlockError, RtlError

REF = reference("image_filter")
STREAMS = ("filter/axi_dma/M_AXIS_MM2S", "filter/axi_dma/S_AXIS_S2MM")


@pytest.fixture(scope="module", params=WAYS)
def shared(request: pytest.FixtureRequest) -> Iterator[Any]:
    with board("image_filter", request.param) as made:
        assert is_rtl(made.device, "filter/stream_filter") == (request.param == "rtl")
        yield made


@pytest.fixture(params=WAYS)
def fresh(request: pytest.FixtureRequest) -> Iterator[Any]:
    with board("image_filter", request.param) as made:
        yield made


def noise(height: int, width: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)


def test_reset_values(fresh: Any) -> None:
    check_reset_values(fresh.filter.stream_filter, REF.REGISTERS)


def test_access(fresh: Any) -> None:
    check_access(fresh.filter.stream_filter, REF.REGISTERS)


def test_registers_behave_the_same() -> None:
    seen = []
    for way in WAYS:
        with board("image_filter", way) as overlay:
            masks = {name: 0xFFFFFFFF for name, *_ in REF.REGISTERS}
            seen.append(poke(overlay.filter.stream_filter, REF.REGISTERS, masks, seed=4))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("kernel", list(REF.SETTINGS))
def test_named_kernels(shared: Any, kernel: str) -> None:
    for size in REF.SIZES:
        picture = noise(*size, seed=size[0])
        expected = REF.convolve(picture, **REF.SETTINGS[kernel])
        assert np.array_equal(shared.run(picture, kernel), expected), size


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    coefficients=st.lists(
        st.one_of(st.sampled_from([-32768, -1, 0, 1, 32767]), st.integers(-32768, 32767)),
        min_size=9,
        max_size=9,
    ),
    shift=st.integers(0, 15),
    offset=st.sampled_from([-512, -1, 0, 1, 128, 511]),
    absolute=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_setting(
    shared: Any,
    size: tuple[int, int],
    coefficients: list[int],
    shift: int,
    offset: int,
    absolute: bool,
    seed: int,
) -> None:
    picture = noise(*size, seed)
    kernel = np.reshape(coefficients, (3, 3))
    pipeline = shared.filter
    pipeline.filter.set_kernel(kernel / 2**shift, shift=shift, offset=offset, absolute=absolute)
    expected = REF.convolve(picture, kernel, shift=shift, offset=offset, absolute=absolute)
    assert np.array_equal(pipeline.apply(picture), expected)


@pytest.mark.parametrize("size", [(1, 4096), (3, 4096), (4000, 1), (2000, 2)])
def test_the_longest_rows_and_columns(shared: Any, size: tuple[int, int]) -> None:
    picture = noise(*size)
    assert np.array_equal(shared.run(picture, "blur"), REF.convolve(picture, **REF.SETTINGS["blur"]))


def test_bypass(shared: Any) -> None:
    picture = noise(7, 9)
    shared.select("emboss")
    shared.filter.filter.register_map.CTRL.BYPASS = 1
    assert np.array_equal(shared.filter.apply(picture), picture)
    shared.filter.filter.register_map.CTRL.BYPASS = 0


@pytest.mark.parametrize("seed", range(4))
def test_stalls_change_nothing(fresh: Any, seed: int) -> None:
    for stream in STREAMS:
        fresh.device.inject(stream, stall=0.4, side=("source", "sink")[seed % 2], cycles=4 + 8 * seed)
    for index, size in enumerate(REF.SIZES):
        kernel = list(REF.SETTINGS)[(index + seed) % len(REF.SETTINGS)]
        picture = noise(*size, seed)
        assert np.array_equal(fresh.run(picture, kernel), REF.convolve(picture, **REF.SETTINGS[kernel]))


def test_frames_by_interrupt(fresh: Any) -> None:
    fresh.select("sharpen")
    pictures = [noise(12, 10, seed) for seed in range(4)]

    async def all_of_them() -> list[Any]:
        return [await fresh.filter.apply_async(picture) for picture in pictures]

    for picture, result in zip(pictures, asyncio.run(all_of_them()), strict=True):
        assert np.array_equal(result, REF.convolve(picture, **REF.SETTINGS["sharpen"]))
    assert fresh.filter.filter.frames == 4


def test_settings_hold_for_a_frame_and_tlast_is_told(fresh: Any) -> None:
    pipeline, dma = fresh.filter, fresh.filter.dma
    fresh.select("identity")
    picture = noise(8, 8)
    with (
        pynq.allocate((8, 8, 4), "u1", target=fresh.device) as source,
        pynq.allocate((8, 8, 4), "u1", target=fresh.device) as result,
    ):
        source[:] = picture
        pipeline.filter.size = 8, 8
        pipeline.filter.start()
        dma.recvchannel.transfer(result)
        dma.sendchannel.transfer(source, nbytes=128)
        dma.sendchannel.wait()
        assert pipeline.filter.register_map.STATUS.BUSY
        fresh.select("emboss")
        pipeline.filter.size = 3, 3
        dma.sendchannel.transfer(source, start=128)
        dma.recvchannel.wait()
        assert np.array_equal(result, picture)
        assert int(pipeline.filter.register_map.STATUS) == 0b0110  # DONE, EARLY_LAST
        pipeline.filter.register_map.STATUS = 0b1110
        assert int(pipeline.filter.register_map.STATUS) == 0
    small = noise(3, 3)
    assert np.array_equal(pipeline.apply(small), REF.convolve(small, **REF.SETTINGS["emboss"]))


def test_missing_last(fresh: Any) -> None:
    """Two frames in one packet: the first one's last pixel has no TLAST."""
    fresh.select("blur")
    pipeline, dma = fresh.filter, fresh.filter.dma
    pictures = noise(2 * 5, 6)
    with (
        pynq.allocate((10, 6, 4), "u1", target=fresh.device) as source,
        pynq.allocate((5, 6, 4), "u1", target=fresh.device) as result,
    ):
        source[:] = pictures
        pipeline.filter.size = 6, 5
        pipeline.filter.start()
        dma.sendchannel.transfer(source)
        for half in (pictures[:5], pictures[5:]):
            dma.recvchannel.transfer(result)
            dma.recvchannel.wait()
            assert np.array_equal(result, REF.convolve(half, **REF.SETTINGS["blur"]))
        fresh.device.run(cycles=100)
        assert int(pipeline.filter.register_map.STATUS) == 0b1010  # DONE, MISSING_LAST
        assert pipeline.filter.frames == 2


def test_nothing_begins_while_it_is_disabled(fresh: Any) -> None:
    pipeline, dma = fresh.filter, fresh.filter.dma
    picture = noise(6, 7)
    with (
        pynq.allocate((6, 7, 4), "u1", target=fresh.device) as source,
        pynq.allocate((6, 7, 4), "u1", target=fresh.device) as result,
    ):
        source[:] = picture
        dma.recvchannel.transfer(result)
        dma.sendchannel.transfer(source)
        fresh.device.run(cycles=1000)
        assert int(pipeline.filter.register_map.STATUS) == 0
        pipeline.filter.size = 7, 6  # the settings of now are those of the frame that waits
        pipeline.filter.start()
        dma.recvchannel.wait()
        assert np.array_equal(result, picture)


def test_missing_pixels_are_a_deadlock(fresh: Any) -> None:
    pipeline, dma = fresh.filter, fresh.filter.dma
    with (
        pynq.allocate((8, 8, 4), "u1", target=fresh.device) as source,
        pynq.allocate((8, 8, 4), "u1", target=fresh.device) as result,
    ):
        pipeline.filter.size = 8, 9  # one row more than will come
        pipeline.filter.start()
        dma.recvchannel.transfer(result)
        dma.sendchannel.transfer(source)
        dma.sendchannel.wait()
        with pytest.raises(DeadlockError, match=r"(?s)S2MM.*stream_filter"):
            dma.recvchannel.wait()


def test_a_pixel_a_cycle(fresh: Any) -> None:
    fresh.select("blur")
    picture = noise(64, 128)
    fresh.filter.apply(picture)
    before = fresh.device.cycles()
    fresh.filter.apply(picture)
    assert 64 * 128 <= fresh.device.cycles() - before < 1.5 * 64 * 128


def test_a_size_that_hardware_would_hang_on() -> None:
    """The RTL's own check becomes an error with its file and line."""
    with board("image_filter", "rtl") as overlay:
        pipeline = overlay.filter
        pipeline.filter.start()
        pipeline.filter.register_map.HEIGHT = 0
        source = pynq.allocate(16, "u4", target=overlay.device)
        pipeline.dma.sendchannel.transfer(source)
        with pytest.raises(RtlError, match=r"stream_filter\.v:\d+: WIDTH is 640 and HEIGHT 0") as seen:
            overlay.device.run()
        assert seen.value.cell == "filter/stream_filter"
        source.freebuffer()
