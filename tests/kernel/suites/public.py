"""What a program does through the public API: one suite for the simulated board and for a kernel.

Plain functions with an overlay of ``bench.hwh``; no pytest, which takes a quarter of a minute to start in the
virtual board. The runner is ``run.py`` there and ``test_public.py`` here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import pynq
from pynq import GPIO, MMIO, Clocks, allocate
from pynq.errors import BufferFreedError, DmaError, PynqError

TCSR, TLR, TCR = 0x00, 0x04, 0x08  # PG079, table "Register Address Map"
LOAD, ENABLE, INTERRUPT, RELOAD, DOWN, ON = 1 << 5, 1 << 7, 1 << 8, 1 << 4, 1 << 1, 1 << 6


@contextlib.contextmanager
def refused(errors: type[BaseException] | tuple[type[BaseException], ...], words: str = "") -> Iterator[None]:
    try:
        yield
    except errors as error:
        assert words in str(error), f"{error} does not say {words!r}"  # noqa: PT017
    else:
        raise AssertionError(f"{errors} was not raised")


def fire_after(timer: Any, ticks: int, *, again: bool = False) -> None:
    """Let a timer count down ``ticks`` cycles and raise its interrupt."""
    timer.write(TCSR, INTERRUPT)
    timer.write(TLR, ticks)
    timer.write(TCSR, LOAD)
    timer.write(TCSR, DOWN | ON | ENABLE | (RELOAD if again else 0))


def quiet(timer: Any) -> None:
    timer.write(TCSR, INTERRUPT)


# -- registers ---------------------------------------------------------------------------------------------


def test_registers_keep_what_is_written(overlay: Any) -> None:
    for value in (0, 1, 0xA5A5_5A5A, 0xFFFF_FFFF):
        overlay.timer_0.write(TLR, value)
        assert overlay.timer_0.read(TLR) == value


def test_registers_by_name_and_field(overlay: Any) -> None:
    registers = overlay.dma.axi_dma.register_map
    overlay.dma.axi_dma.sendchannel.stop()
    assert registers.MM2S_DMASR.Halted == 1
    overlay.dma.axi_dma.sendchannel.start()
    assert registers.MM2S_DMACR.RS == 1
    assert not int(registers.MM2S_DMASR) & 1


def test_narrow_reads_are_parts_of_a_word(overlay: Any) -> None:
    overlay.timer_0.write(TLR, 0x1122_3344)
    window = overlay.timer_0.mmio
    assert [window.read(TLR + i, length=1) for i in range(4)] == [0x44, 0x33, 0x22, 0x11]
    assert [window.read(TLR + i, length=2) for i in (0, 2)] == [0x3344, 0x1122]


def test_raw_mmio_reaches_the_same_register(overlay: Any) -> None:
    base = overlay.ip_dict["timer_1"]["phys_addr"]
    raw = MMIO(base, 0x1000)
    raw.write(TLR, 0xCAFE)
    assert overlay.timer_1.read(TLR) == 0xCAFE
    assert raw.array[TLR // 4] == 0xCAFE


def test_bounds_are_kept(overlay: Any) -> None:
    with refused((IndexError, ValueError)):
        overlay.timer_0.read(0x1_0000)
    with refused((MemoryError, ValueError)):
        overlay.timer_0.read(2)


def test_a_running_counter_is_seen_by_polling(overlay: Any) -> None:
    timer = overlay.timer_0
    fire_after(timer, 5_000)
    end = time.monotonic() + 20
    while not timer.read(TCSR) & INTERRUPT:
        assert time.monotonic() < end, "the timer does not count"
    quiet(timer)


def test_waiting_for_a_register_has_a_limit(overlay: Any) -> None:
    with refused(TimeoutError):
        overlay.timer_0.mmio.wait_until(TLR, 0xFFFF_FFFF, 0x1234_5678, timeout=0.05)


# -- interrupts --------------------------------------------------------------------------------------------


def test_an_interrupt_behind_a_controller(overlay: Any) -> None:
    async def once() -> None:
        fire_after(overlay.timer_0, 20_000)
        await asyncio.wait_for(overlay.timer_0.interrupt.wait(), 20)
        quiet(overlay.timer_0)

    asyncio.run(once())


def test_an_interrupt_straight_to_the_processor(overlay: Any) -> None:
    for _ in range(3):
        fire_after(overlay.timer_1, 20_000)
        assert overlay.timer_1.interrupt.wait_sync(timeout=20) is not False
        quiet(overlay.timer_1)


def test_an_interrupt_that_comes_before_the_wait(overlay: Any) -> None:
    fire_after(overlay.timer_1, 10)
    while not overlay.timer_1.read(TCSR) & INTERRUPT:
        pass
    overlay.timer_1.interrupt.wait_sync(timeout=20)
    quiet(overlay.timer_1)


def test_many_interrupts_in_a_row(overlay: Any) -> None:
    async def row(timer: Any, count: int) -> None:
        for _ in range(count):
            fire_after(timer, 2_000)
            await asyncio.wait_for(timer.interrupt.wait(), 20)
            quiet(timer)

    async def both() -> None:
        await asyncio.gather(row(overlay.timer_0, 10), row(overlay.timer_1, 10))

    asyncio.run(both())


def test_a_wait_without_an_interrupt_ends(overlay: Any) -> None:
    quiet(overlay.timer_0)
    with refused(TimeoutError):
        overlay.timer_0.interrupt.wait_sync(timeout=0.1)

    async def cancelled() -> None:
        with refused((asyncio.TimeoutError, TimeoutError)):
            await asyncio.wait_for(overlay.timer_0.interrupt.wait(), 0.1)

    asyncio.run(cancelled())
    test_an_interrupt_behind_a_controller(overlay)  # and nothing was left behind


def test_interrupts_of_other_threads(overlay: Any) -> None:
    done: list[str] = []

    def wait(name: str) -> None:
        getattr(overlay, name).interrupt.wait_sync(timeout=20)
        quiet(getattr(overlay, name))
        done.append(name)

    threads = [threading.Thread(target=wait, args=(name,)) for name in ("timer_0", "timer_1")]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    for name in ("timer_0", "timer_1"):
        fire_after(getattr(overlay, name), 50_000)
    for thread in threads:
        thread.join(30)
    assert sorted(done) == ["timer_0", "timer_1"]


# -- buffers -----------------------------------------------------------------------------------------------


def test_buffers_are_zeroed_and_apart(overlay: Any) -> None:
    buffers = [allocate(1000, "u4") for _ in range(4)]
    spans = sorted((one.physical_address, one.physical_address + one.nbytes) for one in buffers)
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))
    assert not any(one.any() for one in buffers)
    assert all(start % 4096 == 0 for start, _ in spans)


def test_addresses_of_views(overlay: Any) -> None:
    buffer = allocate((16, 16), "u2")
    assert buffer[3].physical_address == buffer.physical_address + 3 * 32
    assert buffer[3:, 5:].physical_address == buffer.physical_address + 3 * 32 + 5 * 2


def test_uncached_buffers(overlay: Any) -> None:
    buffer = allocate(4096, "u1", cacheable=False)
    buffer[:] = 0x5A
    buffer.flush()
    buffer.invalidate()
    assert (buffer == 0x5A).all()


def test_a_freed_buffer_is_not_used(overlay: Any) -> None:
    buffer = allocate(16, "u4")
    stale = np.asarray(buffer)
    buffer.freebuffer()
    buffer.freebuffer()
    with refused(BufferFreedError):
        buffer[0] = 1
    assert not stale.any()


def test_memory_runs_out_with_figures_and_comes_back(overlay: Any) -> None:
    with refused(MemoryError, "bytes"):
        allocate(1 << 40, "u1")
    for _ in range(80):  # more than any pool of the virtual board holds
        allocate(1 << 20, "u1")[::4096] = 1
    gc.collect()
    assert not allocate(1 << 20, "u1")[::4096].any()


# -- DMA ---------------------------------------------------------------------------------------------------


def loop(overlay: Any, count: int, dtype: str = "u4") -> None:
    dma = overlay.dma.axi_dma
    with allocate(count, dtype) as source, allocate(count, dtype) as target:
        source[:] = np.random.default_rng(count).integers(0, 250, count)
        dma.recvchannel.transfer(target)
        dma.sendchannel.transfer(source)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        assert np.array_equal(source, target), "the data differ"
        assert dma.recvchannel.transferred == source.nbytes


def test_dma_moves_data_of_many_sizes(overlay: Any) -> None:
    for count in (2, 16, 1024, 1026, 20_000):
        loop(overlay, count)


def test_dma_with_interrupts(overlay: Any) -> None:
    dma = overlay.dma.axi_dma
    with allocate(512, "u4") as source, allocate(512, "u4") as target:

        async def once(number: int) -> None:
            source[:] = number
            dma.recvchannel.transfer(target)
            dma.sendchannel.transfer(source)
            await asyncio.wait_for(
                asyncio.gather(dma.sendchannel.wait_async(), dma.recvchannel.wait_async()), 20
            )
            assert (target == number).all()

        async def several() -> None:
            for number in range(1, 5):
                await once(number)

        asyncio.run(several())


def test_dma_of_a_part_of_a_buffer(overlay: Any) -> None:
    dma = overlay.dma.axi_dma
    with allocate(1024, "u8") as source, allocate(1024, "u8") as target:
        source[:] = np.arange(1024)
        dma.recvchannel.transfer(target[100:200])
        dma.sendchannel.transfer(source[512:612])
        dma.recvchannel.wait()
        assert np.array_equal(target[100:200], np.arange(512, 612))
        assert not target[:100].any()
        assert not target[200:].any()


def test_dma_refuses_what_is_no_buffer(overlay: Any) -> None:
    with refused((PynqError, ValueError, AttributeError)):
        overlay.dma.axi_dma.sendchannel.transfer(np.zeros(4, "u4"))
    with allocate(64, "u1") as source, refused((DmaError, ValueError)):
        overlay.dma.axi_dma.sendchannel.transfer(source[1:9])  # no realignment engine
    loop(overlay, 64)


def test_dma_can_be_stopped_and_started(overlay: Any) -> None:
    dma = overlay.dma.axi_dma
    with allocate(64, "u4") as target:
        dma.recvchannel.transfer(target)
        with refused(TimeoutError):
            dma.recvchannel.wait(timeout=0.1)
        dma.recvchannel.stop()
        dma.recvchannel.start()
    loop(overlay, 64)


def test_freed_memory_is_not_written_by_dma(overlay: Any) -> None:
    dma = overlay.dma.axi_dma
    target = allocate(64, "u4")
    dma.recvchannel.transfer(target)
    target.freebuffer()  # takes the memory from the channel first
    with allocate(64, "u4") as other, allocate(64, "u4") as source, allocate(64, "u4") as drain:
        source[:] = 0xDEAD
        dma.sendchannel.transfer(source)
        dma.sendchannel.wait()
        time.sleep(0.05)
        other.invalidate()
        assert not other.any(), "DMA wrote into memory that belongs to somebody else now"
        if not dma.recvchannel.running:
            dma.recvchannel.start()
        dma.recvchannel.transfer(drain)
        dma.recvchannel.wait()
        assert (drain == 0xDEAD).all()
    loop(overlay, 64)


# -- GPIO and clocks ---------------------------------------------------------------------------------------


def test_gpio_of_the_logic(overlay: Any) -> None:
    for value in (0b0000, 0b1010, 0b0101, 0b1111):
        overlay.outputs.write(0, value)
        assert overlay.inputs.read(0) == value
    overlay.outputs.write(0, 0)


def test_emio_pins(overlay: Any) -> None:
    first = GPIO.get_gpio_pin(0)
    out, back = GPIO(first + 2, "out"), GPIO(first + 6, "in")
    try:
        for level in (1, 0, 1, 0):
            out.write(level)
            assert back.read() == level
        with refused(RuntimeError):
            out.read()
        with refused(RuntimeError):
            GPIO(first + 2, "in")
        with refused(ValueError):
            GPIO(first - 1, "in")
    finally:
        out.release()
        back.release()


def test_pl_clocks(overlay: Any) -> None:
    before = Clocks.fclk0_mhz
    assert 99 < before < 101
    Clocks.fclk0_mhz = 50
    assert 49.9 < Clocks.fclk0_mhz < 50.1
    Clocks.fclk0_mhz = 100
    assert 99 < Clocks.fclk0_mhz < 101


# -- the whole ---------------------------------------------------------------------------------------------


def test_loading_again_takes_old_objects_out(overlay: Any) -> None:
    old = overlay.timer_0
    old.write(TLR, 77)
    overlay.download()
    assert overlay.timer_0.read(TLR) == 0  # it came out of reset
    for channel in (overlay.dma.axi_dma.sendchannel, overlay.dma.axi_dma.recvchannel):
        channel.start()
    loop(overlay, 64)


def suite() -> list[tuple[str, Callable[[Any], None]]]:
    """Return every test with its name, in the order of this file."""
    return [(name, function) for name, function in globals().items() if name.startswith("test_")]


def load(path: str) -> Any:
    """Return the overlay that the tests work with."""
    return pynq.Overlay(path)
