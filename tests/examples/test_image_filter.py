"""The streaming filter: model and drivers against the specification in its README, on random settings."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pynq
from pynq.errors import DeadlockError, ModelError
from pynq.sim import SimDevice

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "image_filter"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("image_filter_reference", FOLDER / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def overlay() -> Iterator[Any]:
    made = pynq.Overlay(str(FOLDER / "image_filter.bit"), rtl=False)  # in RTL: test_rtl_filter.py
    made.device.deterministic = True
    yield made
    made.device.deterministic = False
    made.filter.free()
    made.free()


@pytest.fixture
def pipeline(overlay: Any) -> Any:
    overlay.filter.dma.reset()
    return overlay.filter


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def test_companion_gives_its_classes(overlay: Any) -> None:
    assert type(overlay).__name__ == "ImageFilter"
    assert type(overlay.filter).__name__ == "FilterPipeline"
    assert type(overlay.filter.stream_filter).__name__ == "StreamFilter"
    assert isinstance(overlay.filter.axi_dma, pynq.lib.dma.DMA)


@pytest.mark.parametrize("kernel", ["identity", "blur", "sharpen", "edges", "emboss"])
def test_named_kernels(overlay: Any, reference: ModuleType, kernel: str) -> None:
    picture = noise(31, 47)
    result = overlay.run(picture, kernel)
    assert np.array_equal(result, reference.convolve(picture, **reference.SETTINGS[kernel]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    coefficients=st.lists(st.integers(-32768, 32767), min_size=9, max_size=9),
    shift=st.integers(0, 15),
    offset=st.integers(-512, 511),
    absolute=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_setting(
    pipeline: Any,
    reference: ModuleType,
    size: tuple[int, int],
    coefficients: list[int],
    shift: int,
    offset: int,
    absolute: bool,
    seed: int,
) -> None:
    picture = noise(*size, 4, seed)
    kernel = np.reshape(coefficients, (3, 3))
    pipeline.filter.set_kernel(kernel / 2**shift, shift=shift, offset=offset, absolute=absolute)
    expected = reference.convolve(picture, kernel, shift=shift, offset=offset, absolute=absolute)
    assert np.array_equal(pipeline.apply(picture), expected)


def test_alpha_passes(pipeline: Any) -> None:
    picture = noise(5, 6, 4)
    pipeline.filter.set_kernel(np.full((3, 3), 1 / 9))
    assert np.array_equal(pipeline.apply(picture)[..., 3], picture[..., 3])


def test_bypass(pipeline: Any) -> None:
    picture = noise(5, 6, 4)
    pipeline.filter.set_kernel(np.full((3, 3), -1))
    pipeline.filter.register_map.CTRL.BYPASS = 1
    assert np.array_equal(pipeline.apply(picture), picture)
    pipeline.filter.register_map.CTRL.BYPASS = 0


def test_async(overlay: Any, pipeline: Any, reference: ModuleType) -> None:
    overlay.select("sharpen")
    picture = noise(20, 30)
    frames = pipeline.filter.frames
    result = asyncio.run(pipeline.apply_async(picture))
    assert np.array_equal(result, reference.convolve(picture, **reference.SETTINGS["sharpen"]))
    assert pipeline.filter.frames == frames + 1


def test_one_pixel_a_cycle(overlay: Any, pipeline: Any) -> None:
    """The model keeps the rate of the specification: a pixel a cycle, and a row of latency."""
    overlay.select("blur")
    picture = noise(64, 128)
    pipeline.apply(picture)
    before = overlay.device.cycles()
    pipeline.apply(picture)
    spent = overlay.device.cycles() - before
    assert 64 * 128 <= spent < 1.5 * 64 * 128


def test_settings_hold_for_the_whole_frame(overlay: Any, pipeline: Any) -> None:
    """What is written after a frame has begun counts for the next one."""
    overlay.select("identity")
    picture = noise(8, 8, 4)
    with pynq.allocate((8, 8, 4), "u1") as source, pynq.allocate((8, 8, 4), "u1") as result:
        source[:] = picture
        pipeline.filter.size = 8, 8
        pipeline.filter.start()
        dma = pipeline.dma
        dma.recvchannel.transfer(result)
        dma.sendchannel.transfer(source, nbytes=128)  # the first four rows
        dma.sendchannel.wait()
        assert pipeline.filter.register_map.STATUS.BUSY
        overlay.select("emboss")
        dma.sendchannel.transfer(source, start=128)
        dma.recvchannel.wait()
        assert np.array_equal(result, picture)
        with pytest.raises(RuntimeError, match="TLAST came before the last pixel"):
            pipeline.filter.acknowledge()  # the first part ended with one


def test_nothing_begins_while_it_is_disabled(pipeline: Any) -> None:
    picture = noise(6, 7, 4)
    control = pipeline.filter.register_map.CTRL
    with pynq.allocate((6, 7, 4), "u1") as source, pynq.allocate((6, 7, 4), "u1") as result:
        source[:] = picture
        pipeline.filter.stop()
        frames = pipeline.filter.frames
        pipeline.dma.recvchannel.transfer(result)
        pipeline.dma.sendchannel.transfer(source)
        pipeline.device.run(cycles=1000)
        assert not pipeline.filter.register_map.STATUS.BUSY
        pipeline.filter.size = 7, 6  # the settings of now are those of the frame that waits
        control.BYPASS = 1
        pipeline.filter.start()
        pipeline.dma.recvchannel.wait()
        assert np.array_equal(result, picture)
        assert pipeline.filter.frames == frames + 1
        control.BYPASS = 0
        pipeline.filter.acknowledge()


def test_missing_pixels_are_named(pipeline: Any) -> None:
    with pynq.allocate((8, 8, 4), "u1") as source, pynq.allocate((8, 8, 4), "u1") as result:
        pipeline.filter.size = 8, 9  # one row more than will come
        pipeline.filter.start()
        pipeline.dma.recvchannel.transfer(result)
        pipeline.dma.sendchannel.transfer(source)
        pipeline.dma.sendchannel.wait()
        with pytest.raises(DeadlockError, match=r"(?s)S2MM.*stream_filter"):
            pipeline.dma.recvchannel.wait()
        pipeline.dma.reset()
        with pynq.allocate((1, 8, 4), "u1") as rest:  # bring the filter to the end of its frame
            pipeline.dma.recvchannel.transfer(result)
            pipeline.dma.sendchannel.transfer(rest)
            pipeline.dma.recvchannel.wait()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel": np.zeros((2, 3))}, r"shape \(2, 3\)"),
        ({"kernel": np.full((3, 3), 40000)}, "don't fit 16 bits"),
        ({"kernel": np.ones((3, 3)), "shift": 16}, "shift 16"),
        ({"kernel": np.ones((3, 3)), "offset": 512}, "-512 to 511"),
    ],
)
def test_what_the_registers_can_not_hold(pipeline: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pipeline.filter.set_kernel(**arguments)


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (4097, 1), (1, 8192)])
def test_sizes_that_do_not_fit(pipeline: Any, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="1 to 4096 x 1 to 8191"):
        pipeline.filter.size = size


def test_pictures_of_the_wrong_shape(pipeline: Any) -> None:
    with pytest.raises(ValueError, match=r"expected \(height, width, 3 or 4\), uint8"):
        pipeline.apply(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("side", ["source", "sink"])
def test_back_pressure_changes_nothing(overlay: Any, pipeline: Any, reference: ModuleType, side: str) -> None:
    device = overlay.device
    overlay.select("sharpen")
    picture = noise(16, 40)
    for stream in ("filter/axi_dma/M_AXIS_MM2S", "filter/axi_dma/S_AXIS_S2MM"):
        device.inject(stream, stall=0.3, side=side, cycles=12)
    try:
        before = device.cycles()
        result = pipeline.apply(picture)
        slow = device.cycles() - before
    finally:
        for stream in ("filter/axi_dma/M_AXIS_MM2S", "filter/axi_dma/S_AXIS_S2MM"):
            device.inject(stream, stall=0.0, side=side)
    assert np.array_equal(result, reference.convolve(picture, **reference.SETTINGS["sharpen"]))
    assert slow > 1.2 * 16 * 40


def test_a_size_that_hardware_would_hang_on() -> None:
    with SimDevice("sim:hang", deterministic=True) as device:
        pipeline = pynq.Overlay(str(FOLDER / "image_filter.bit"), device=device, rtl=False).filter
        pipeline.filter.start()
        pipeline.filter.register_map.HEIGHT = 0
        source = pynq.allocate(16, "u4", target=device)
        pipeline.dma.sendchannel.transfer(source)
        with pytest.raises(ModelError, match=r"filter/stream_filter.*HEIGHT 0"):
            device.run()
        source.freebuffer()


def test_two_boards_at_once(overlay: Any, reference: ModuleType) -> None:
    """The same overlay on another simulated board: nothing is shared."""
    other = pynq.Overlay(str(FOLDER / "image_filter.bit"), device="sim:other", rtl=False)
    assert other.device is not overlay.device
    picture = noise(9, 11)
    overlay.select("edges")
    result = other.run(picture, "blur")
    assert np.array_equal(result, reference.convolve(picture, **reference.SETTINGS["blur"]))
    here = overlay.filter.apply(picture)
    assert np.array_equal(here, reference.convolve(picture, **reference.SETTINGS["edges"]))
    other.filter.free()
    other.free()
