"""The DMA driver: data, limits checked before the hardware is touched, errors, recovery, no hang (pains "
"2, 3, 14)."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fakeboard import Dma, FakeBoard, description_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pynq import allocate
from pynq.backends.sim.device import SimDevice
from pynq.design.model import Design
from pynq.device.base import Device
from pynq.errors import (
    BufferFreedError,
    DeadlockError,
    DmaError,
    UnsupportedConfiguration,
    WaitTimeoutError,
)
from pynq.lib.dma import DMA, DMAChannel

Load = Callable[[Design], Device]
IP = "axi_dma_0"


def dma_of(device: Device, **parameters: str) -> DMA:
    description = description_of(device, IP)
    description["parameters"].update(parameters)
    return DMA(description)


def channels(dma: DMA) -> tuple[DMAChannel, DMAChannel]:
    assert dma.sendchannel is not None
    assert dma.recvchannel is not None
    return dma.sendchannel, dma.recvchannel


@pytest.fixture
def board(loopback: Design) -> Any:
    device = FakeBoard(loopback)
    yield device
    device.close()


def part(board: FakeBoard) -> Dma:
    found = board.parts[IP]
    assert isinstance(found, Dma)
    return found


# -- data --------------------------------------------------------------------------------------------------
def test_loop_back(load: Load, loopback: Design) -> None:
    device = load(loopback)
    send, receive = channels(dma_of(device))
    out, back = allocate(256, "u4", device=device), allocate(256, "u4", device=device)
    for round_ in range(3):
        out[:] = np.arange(256) + round_
        receive.transfer(back)
        send.transfer(out)
        assert receive.nbytes == 1024
        send.wait()
        receive.wait()
        assert receive.nbytes == 0
        assert np.array_equal(out, back)
        assert (send.transferred, receive.transferred) == (1024, 1024)
        assert send.idle
        assert receive.idle
        assert send.running
        assert not send.halted
        assert not send.error


def test_part_of_a_buffer(load: Load, loopback: Design) -> None:
    device = load(loopback)
    send, receive = channels(dma_of(device))
    out, back = allocate(64, "u8", device=device), allocate(64, "u8", device=device)
    out[:] = np.arange(64)
    receive.transfer(back, start=64, nbytes=128)
    send.transfer(out[8:24])
    send.wait()
    receive.wait()
    assert list(back[8:24]) == list(range(8, 24))
    assert not back[:8].any()
    assert not back[24:].any()


def test_packet_that_is_shorter_than_the_buffer(load: Load, loopback: Design) -> None:
    device = load(loopback)
    send, receive = channels(dma_of(device))
    out, back = allocate(8, "u8", device=device), allocate(64, "u8", device=device)
    out[:] = 7
    receive.transfer(back)
    send.transfer(out)
    send.wait()
    receive.wait()
    assert receive.transferred == 64
    assert list(back[:8]) == [7] * 8


def test_addresses_above_four_gigabytes(loopback: Design) -> None:
    """Pain 14."""
    board = FakeBoard(loopback, base=0x8_0000_0000)
    send, receive = channels(dma_of(board))
    out, back = allocate(16, device=board), allocate(16, device=board)
    out[:] = 5
    receive.transfer(back)
    send.transfer(out)
    send.wait()
    receive.wait()
    assert list(back) == [5] * 16
    board.close()


def test_wait_async_by_interrupt(load: Load, loopback: Design) -> None:
    device = load(loopback)
    send, receive = channels(dma_of(device))
    out, back = allocate(256, device=device), allocate(256, device=device)

    async def main() -> None:
        for round_ in range(5):
            out[:] = round_ + 1
            receive.transfer(back)
            waiting = asyncio.create_task(receive.wait_async(5))
            await asyncio.sleep(0)
            send.transfer(out)
            await asyncio.gather(waiting, send.wait_async(5))
            assert list(back) == [round_ + 1] * 256
            # Polling between must not disturb the interrupts.
            receive.transfer(back)
            send.transfer(out)
            send.wait()
            receive.wait()

    asyncio.run(main())


def test_wait_async_without_interrupt(load: Load, loopback: Design) -> None:
    device = load(loopback)
    description = description_of(device, IP)
    description["interrupts"] = {}
    send, receive = channels(DMA(description))
    out, back = allocate(256, device=device), allocate(256, device=device)
    out[:] = 3

    async def main() -> None:
        receive.transfer(back)
        waiting = asyncio.create_task(receive.wait_async(5))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        send.transfer(out)
        await asyncio.gather(waiting, send.wait_async(5))

    asyncio.run(main())
    assert list(back) == [3] * 256


def test_wait_async_takes_the_interrupt(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board))
    part(board).held = True
    out = allocate(16, device=board)

    async def main() -> None:
        for _ in range(3):
            send.transfer(out)
            task = asyncio.create_task(send.wait_async(5))
            await asyncio.sleep(0.01)
            assert not task.done()
            assert next(iter(board.lines.values())).enabled
            part(board).go()
            await task
            assert not part(board).introuts[0].level

    asyncio.run(main())


def test_wait_async_in_a_thread_of_its_own(load: Load, loopback: Design) -> None:
    """Pain 10."""
    device = load(loopback)
    send, receive = channels(dma_of(device))
    out, back = allocate(16, device=device), allocate(16, device=device)
    out[:] = 9
    receive.transfer(back)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(receive.wait_async(10))
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.05)
    send.transfer(out)
    send.wait()
    thread.join(60)
    assert not errors
    assert list(back) == [9] * 16


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 200), nbytes=st.integers(0, 400))
def test_any_range_moves_exactly_its_bytes_or_is_refused(loopback: Design, start: int, nbytes: int) -> None:
    board = FakeBoard(loopback)
    send, receive = channels(dma_of(board))
    out, back = allocate(256, "u1", device=board), allocate(256, "u1", device=board)
    out[:] = np.arange(256)
    fits = start % 8 == 0 and start + (nbytes or 256 - start) <= 256
    try:
        send.transfer(out, start, nbytes)
    except DmaError:
        assert not fits
        assert not part(board).packets
    else:
        assert fits
        send.wait()
        size = nbytes or 256 - start
        assert part(board).packets == [bytes(range(start, start + size))]
        receive.transfer(back)
        receive.wait()
        assert receive.transferred == size
    board.close()


# -- refused before the hardware is touched ----------------------------------------------------------------
def refused(
    board: FakeBoard, message: str, call: Callable[[], None], kind: type[Exception] = DmaError
) -> None:
    board.accesses.clear()
    with pytest.raises(kind, match=message):
        call()
    assert not [access for access in board.accesses if access[0].endswith("w")]


def test_refusals(board: FakeBoard) -> None:
    send, receive = channels(dma_of(board, c_sg_length_width="14"))
    buffer = allocate((64, 64), "u4", device=board)
    assert send.max_size == 16383
    refused(
        board,
        r"axi_dma_0 MM2S: 16384 bytes exceed the 16383 bytes .* 'Width of Buffer Length Register'.* 14 bits",
        lambda: send.transfer(buffer),
    )
    refused(board, r"16 bytes from offset 16380 do not lie", lambda: send.transfer(buffer, 16380, 16))
    refused(board, r"do not lie in the buffer of 16384 bytes", lambda: receive.transfer(buffer, -8, 16))
    refused(board, r"do not lie", lambda: receive.transfer(buffer, 16384))
    refused(board, r"do not lie", lambda: receive.transfer(buffer, 0, -4))
    refused(
        board, r"0x[0-9a-f]+ is no multiple of 8 bytes.*'Allow Unaligned", lambda: send.transfer(buffer, 4, 8)
    )
    refused(board, r"S2MM: this view of the buffer has gaps", lambda: receive.transfer(buffer[:, 3:9]))
    ordinary: Any = np.zeros(16, "u4")
    refused(board, r"ndarray has no physical address: .* pynq\.allocate", lambda: send.transfer(ordinary))
    copied: Any = buffer + 1
    refused(board, "has no physical address: .* results of operations", lambda: send.transfer(copied))
    transposed: Any = buffer[:32].T  # one piece of memory all the same
    receive.transfer(transposed)
    receive.reset()


def test_several_reasons_at_once(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board, c_sg_length_width="8"))
    buffer = allocate(1024, device=board)
    refused(
        board, r"exceed the 255 bytes.*; address 0x.* is no multiple of 8", lambda: send.transfer(buffer, 4)
    )


def test_buffer_of_another_device(board: FakeBoard, loopback: Design) -> None:
    other = FakeBoard(loopback)
    other.name = "fake:other"
    send, _ = channels(dma_of(board))
    buffer = allocate(16, device=other)
    refused(board, "is on device 'fake:', the buffer on 'fake:other'", lambda: send.transfer(buffer))
    other.close()


def test_freed_buffer(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board))
    buffer = allocate(16, device=board)
    send.transfer(buffer)
    send.wait()
    buffer.freebuffer()
    refused(board, "freed", lambda: send.transfer(buffer), BufferFreedError)


def test_address_beyond_the_engines_bits(loopback: Design) -> None:
    board = FakeBoard(loopback, base=0x1_0000_0000)
    send, _ = channels(dma_of(board, c_addr_width="32"))
    buffer = allocate(16, device=board)
    refused(
        board,
        r"0x100000000 is beyond the IP's 32 address bits.*'Address Width'",
        lambda: send.transfer(buffer),
    )
    board.close()


def test_unaligned_with_realignment_engine(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board, c_include_mm2s_dre="1"))
    buffer = allocate(16, "u1", device=board)
    buffer[:] = np.arange(16)
    send.transfer(buffer, 3, 5)
    send.wait()
    assert part(board).packets == [bytes([3, 4, 5, 6, 7])]


def test_unsupported_configurations(board: FakeBoard) -> None:
    with pytest.raises(
        UnsupportedConfiguration, match=r"scatter-gather \(c_include_sg = 1\).*Enable Scatter Gather"
    ):
        dma_of(board, c_include_sg="1")
    description = description_of(board, IP)
    description["parameters"] = {}
    with pytest.raises(UnsupportedConfiguration, match="no parameters"):
        DMA(description)


def test_micro_dma_and_single_channel(board: FakeBoard) -> None:
    dma = dma_of(board, c_micro_dma="1", c_mm2s_burst_size="16", c_include_s2mm="0")
    assert dma.recvchannel is None
    assert dma.sendchannel is not None
    buffer = allocate(1024, device=board)
    refused(board, "exceed the 128 bytes that Micro DMA moves", lambda: dma.sendchannel.transfer(buffer))


# -- errors and recovery -----------------------------------------------------------------------------------
def test_packet_longer_than_the_buffer_is_an_error_and_reset_recovers(load: Load, loopback: Design) -> None:
    """Pain 3."""
    device = load(loopback)
    send, receive = channels(dma_of(device))
    out, back = allocate(64, "u8", device=device), allocate(8, "u8", device=device)
    receive.transfer(back)
    send.transfer(out)
    with pytest.raises(
        DmaError, match=r"S2MM stopped .*DMAIntErr.*more data than the transfer's length"
    ) as caught:
        receive.wait(5)
    assert "axi_dma_0.recvchannel.reset()" in str(caught.value)
    assert receive.error
    assert receive.halted
    with pytest.raises(DmaError, match="DMAIntErr"):
        receive.transfer(back)
    receive.reset()
    assert not receive.error
    assert receive.running
    if isinstance(device, FakeBoard):  # elsewhere the rest of the packet is still in the FIFO
        out[:] = 4
        receive.transfer(back)
        send.transfer(out[:8])
        send.wait()
        receive.wait()
        assert list(back) == [4] * 8


@pytest.mark.parametrize(
    ("response", "text"), [("SLVERR", r"DMASlvErr.*slave error"), ("DECERR", r"DMADecErr.*Nothing answers")]
)
def test_error_of_the_memory_and_recovery(simulate: Load, loopback: Design, response: str, text: str) -> None:
    """Pain 3: cause, next step, and a channel that works again."""
    device: Any = simulate(loopback)
    send, receive = channels(dma_of(device))
    out, back = allocate(64, device=device), allocate(64, device=device)
    out[:] = 11
    device.inject("axi_dma_0/M_AXI_S2MM", response=response, count=1)
    receive.transfer(back)
    send.transfer(out)
    send.wait()
    with pytest.raises(DmaError, match=text):
        receive.wait()
    with pytest.raises(DmaError, match=text):
        asyncio.run(receive.wait_async())
    receive.reset()
    device.inject("axi_dma_0/M_AXI_MM2S", response=response, count=1)
    send.transfer(out)
    with pytest.raises(DmaError, match=text):
        asyncio.run(send.wait_async())
    with pytest.raises(DmaError, match=r"sendchannel\.reset\(\)"):
        send.transfer(out)
    send.reset()
    assert send.running
    assert receive.running
    assert not send.error


def test_deterministic_board_gives_the_same_trace(loopback: Design) -> None:
    def run() -> Any:
        device = SimDevice("sim:trace", deterministic=True, patience=0.5)
        device.open()
        device.download(loopback, None)
        device.trace("list")
        send, receive = channels(dma_of(device))
        out, back = allocate(2048, device=device), allocate(2048, device=device)

        async def main() -> None:
            for _ in range(3):
                receive.transfer(back)
                send.transfer(out)
                await receive.wait_async()
                send.wait()

        asyncio.run(main())
        events = device.trace_events
        device.close()
        return events

    first = run()
    assert len(first) > 20
    assert run() == first


def test_error_in_wait_async(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board))
    board_part = part(board)
    board_part.held = True
    buffer = allocate(16, device=board)

    async def main() -> None:
        send.transfer(buffer)
        task = asyncio.create_task(send.wait_async())
        await asyncio.sleep(0.01)
        board_part.fault = 0x20
        board_part.go()
        with pytest.raises(DmaError, match=r"DMASlvErr.*slave error"):
            await task

    asyncio.run(main())


def test_decode_error(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board))
    buffer = allocate(16, device=board)
    part(board).base = 0x7000_0000  # the engine sees no memory where the buffer is
    send.transfer(buffer)
    with pytest.raises(DmaError, match=r"DMADecErr.*Nothing answers the engine"):
        send.wait()


def test_stopped_channel_says_so(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board))
    buffer = allocate(16, device=board)
    send.stop()
    with pytest.raises(DmaError, match=r"is stopped .*call start\(\) first"):
        send.transfer(buffer)
    send.start()
    send.transfer(buffer)
    send.wait()
    part(board).held = True
    send.transfer(buffer)
    send.stop()
    with pytest.raises(DmaError, match=r"is stopped"):
        send.wait()


def test_channel_that_does_not_stop(board: FakeBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynq.lib.dma._HALT_SECONDS", 0.01)
    send, _ = channels(dma_of(board))
    part(board).stuck = True
    board.reasons["axi_dma_0/MM2S"] = "axi_dma_0 MM2S waits for TREADY of fir_0"
    with pytest.raises(DmaError, match=r"does not stop .*waits for TREADY of fir_0; call reset\(\)"):
        send.stop()


def test_channel_that_does_not_start_after_an_error(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board))
    part(board).fault = 0x20
    send.transfer(allocate(16, device=board))
    with pytest.raises(DmaError, match="DMASlvErr"):
        send.start()
    send.reset()
    send.transfer(allocate(16, device=board))
    send.wait()


def test_reset_that_does_not_end(board: FakeBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynq.lib.dma._HALT_SECONDS", 0.01)
    dma = dma_of(board)
    monkeypatch.setattr(part(board), "read", lambda offset: 4)
    with pytest.raises(DmaError, match=r"does not come out of reset within .* is its clock running"):
        dma.reset()


def test_second_transfer_while_one_is_going_on(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board))
    part(board).held = True
    buffer = allocate(16, device=board)
    send.transfer(buffer)
    with pytest.raises(
        DmaError, match=r"MM2S is busy with a transfer of 64 bytes .*wait\(\) for it, or reset\(\)"
    ):
        send.transfer(buffer)
    send.reset()
    part(board).held = False
    send.transfer(buffer)
    send.wait()


def test_wait_without_transfer(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board))
    with pytest.raises(DmaError, match=r"no transfer to wait for; call transfer\(\) first"):
        send.wait()
    with pytest.raises(DmaError, match="no transfer to wait for"):
        asyncio.run(send.wait_async())
    buffer = allocate(16, device=board)
    send.transfer(buffer)
    send.wait()
    send.wait()  # as in PYNQ: once idle, a wait returns


# -- nothing hangs (pain 2) --------------------------------------------------------------------------------
def test_timeout_tells_state_and_reason(board: FakeBoard) -> None:
    _, receive = channels(dma_of(board))
    buffer = allocate(16, device=board)
    board.reasons["axi_dma_0/S2MM"] = "axi_dma_0 S2MM waits for TLAST"
    receive.transfer(buffer)
    pattern = (
        r"axi_dma_0 S2MM has not ended its transfer of 64 bytes within 0\.02 s "
        r"\(DMASR 0x[0-9a-f]+: running, not idle\): axi_dma_0 S2MM waits for TLAST; wait\(\) again, or"
    )
    with pytest.raises(WaitTimeoutError, match=pattern):
        receive.wait(timeout=0.02)
    with pytest.raises(WaitTimeoutError, match=pattern):
        asyncio.run(receive.wait_async(timeout=0.02))
    assert receive.nbytes == 64
    description = description_of(board, IP)
    description["interrupts"] = {}
    _, polled = channels(DMA(description))
    polled.transfer(buffer)
    with pytest.raises(WaitTimeoutError, match=pattern):
        asyncio.run(polled.wait_async(timeout=0.02))


def test_receive_that_can_never_end(simulate: Load, loopback: Design) -> None:
    device = simulate(loopback)
    send, receive = channels(dma_of(device))
    out, back = allocate(16, device=device), allocate(16, device=device)
    receive.transfer(back)
    with pytest.raises(
        DeadlockError, match=r"axi_dma_0 S2MM can never end its transfer of 64 bytes: .*axi_dma_0 S2MM"
    ):
        receive.wait()
    with pytest.raises(DeadlockError, match="axi_dma_0"):
        asyncio.run(receive.wait_async())
    send.transfer(out)  # the transfer was not given up
    send.wait()
    receive.wait()


def test_receive_that_can_never_end_polled_by_a_task(simulate: Load, loopback: Design) -> None:
    device = simulate(loopback)
    description = description_of(device, IP)
    description["interrupts"] = {}
    _, receive = channels(DMA(description))
    receive.transfer(allocate(16, device=device))
    with pytest.raises(DeadlockError, match="can never end"):
        asyncio.run(receive.wait_async())


@pytest.fixture
def idler() -> Iterator[None]:
    """A thread that lives and does nothing, as notebooks have some."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.usefixtures("idler")
def test_a_task_that_polls_in_vain_is_told_so_in_company_too(simulate: Load, loopback: Design) -> None:
    device = simulate(loopback)
    device.patience = 0.3
    description = description_of(device, IP)
    description["interrupts"] = {}
    send, receive = channels(DMA(description))
    out, back = allocate(16, device=device), allocate(16, device=device)
    receive.transfer(back)

    async def company() -> str:
        ticks = asyncio.create_task(asyncio.Event().wait())  # a task that will not act
        try:
            await receive.wait_async()
        except DeadlockError as error:
            return str(error)
        finally:
            ticks.cancel()
        return "ended"

    assert "can never end" in asyncio.run(company())

    async def acts_late() -> None:
        waiting = asyncio.create_task(receive.wait_async())
        await asyncio.sleep(1.0)  # longer than the patience: a task that sleeps may act
        send.transfer(out)
        await waiting

    asyncio.run(acts_late())
    threads = [thread.name for thread in threading.enumerate()]
    assert "pynq wait" not in threads


def test_other_thread_may_start_the_sender_later(load: Load, loopback: Design) -> None:
    device = load(loopback)
    send, receive = channels(dma_of(device))
    out, back = allocate(16, device=device), allocate(16, device=device)
    out[:] = 6
    receive.transfer(back)
    thread = threading.Timer(0.1, send.transfer, (out,))
    thread.start()
    receive.wait()
    thread.join()
    assert list(back) == [6] * 16


# -- the buffer --------------------------------------------------------------------------------------------
def test_buffer_lives_as_long_as_its_transfer(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board))
    part(board).held = True
    buffer: Any = allocate(16, device=board)
    alive = weakref.ref(buffer)
    send.transfer(buffer)
    del buffer
    gc.collect()
    assert alive() is not None
    part(board).go()
    send.wait()
    gc.collect()
    assert alive() is None


def test_caches_where_memory_is_not_coherent(loopback: Design) -> None:
    board = FakeBoard(loopback, coherent=False)
    send, receive = channels(dma_of(board))
    out, back = allocate(16, device=board), allocate(16, device=board)
    receive.transfer(back)
    assert board.synced == ["to_device"]
    send.transfer(out)
    send.wait()
    assert board.synced == ["to_device", "to_device"]
    receive.wait()
    assert board.synced == ["to_device", "to_device", "from_device"]
    board.close()


def test_a_transfer_takes_few_accesses(board: FakeBoard) -> None:
    send, receive = channels(dma_of(board, c_addr_width="32"))
    buffer = allocate(16, device=board)
    for channel in (send, receive):
        board.accesses.clear()
        channel.transfer(buffer)
        channel.wait()
        assert len(board.accesses) <= 5


def test_parameters_in_capitals(board: FakeBoard) -> None:
    """Files of 2015 and 2016 spell them C_INCLUDE_SG."""
    description = description_of(board, IP)
    description["parameters"] = {
        name.upper(): value for name, value in description["parameters"].items() if name.startswith("c_")
    }
    assert DMA(description).sendchannel is not None


def test_reprs(board: FakeBoard) -> None:
    send, _ = channels(dma_of(board))
    assert repr(send).startswith("<DMAChannel axi_dma_0 MM2S: nothing going on, at most ")


def test_design_is_as_the_tests_assume(loopback: Design) -> None:
    assert dataclasses.asdict(loopback.cells[IP])["parameters"]["c_include_sg"] == "0"
