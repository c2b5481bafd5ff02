"""The engine behind register windows: ``pynq_bus``, with waits outside the interpreter's lock."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Callable

import pytest

from pynq._native import Window
from pynq.backends.sim._engine import Engine
from pynq.errors import BusError, DeadlockError, WaitTimeoutError

from .boards import DMA, IOC, S2MM_SR, LoopBoard


@pytest.fixture
def window(loop: LoopBoard) -> Window:
    return Window.from_bus(loop.engine.bus, DMA, 0x10000, keep=loop.engine)


def test_accesses(loop: LoopBoard, window: Window) -> None:
    window.write(0x48, 0x1122_3344)
    assert window.read(0x48) == 0x1122_3344
    assert window.read(0x49, 1) == 0x33
    assert loop.engine.now == 3 * 16 * 10_000
    loop.engine.inject("axi_dma_0", response="SLVERR")
    with pytest.raises(BusError, match=r"SLVERR at 0x40400004 \(axi_dma_0 \+ 0x4\)"):
        window.read(4)


def test_hook_errors_come_through(loop: LoopBoard) -> None:
    host = loop.engine.host("ip", loop.clock)
    host.add_slave()
    host.add_register(0)
    host.on_read(0, lambda: {}["missing"])
    loop.ps.map(0x43C0_0000, 0x43C0_0FFF, host)
    window = Window.from_bus(loop.engine.bus, 0x43C0_0000, 0x1000)
    with pytest.raises(KeyError, match="missing"):
        window.read(0)
    with pytest.raises(KeyError, match="missing"):
        window.poll(0, 1, 1)


def test_poll_waits_for_the_hardware(loop: LoopBoard, window: Window) -> None:
    loop.start()
    loop.receive(0x1_0000, 1 << 20)
    loop.send(0, 1 << 20)
    assert window.poll(S2MM_SR, IOC, IOC) & IOC
    cycles = loop.clock.cycles
    assert 1 << 17 < cycles < (1 << 18) * 1.1


def test_poll_times_out(loop: LoopBoard, window: Window) -> None:
    loop.start()
    loop.receive(0x1_0000, 1 << 20)
    loop.send(0, 1 << 20)
    with pytest.raises(WaitTimeoutError):
        window.poll(S2MM_SR, IOC, IOC, 100e-6)
    assert 100 * 10**6 <= loop.engine.now < 130 * 10**6


def test_poll_knows_a_deadlock(loop: LoopBoard, window: Window) -> None:
    loop.start()
    loop.receive(0x1_0000, 64)
    start = time.perf_counter()
    with pytest.raises(
        DeadlockError,
        match=r"stays 0x0 .*axi_dma_0 S2MM waits for TVALID: 0 of 64 bytes received from axis_data_fifo_0",
    ):
        window.poll(S2MM_SR, IOC, IOC)
    assert time.perf_counter() - start < 30


def test_poll_sees_what_another_thread_does(engines: Callable[..., Engine]) -> None:
    board = LoopBoard(engines(patience=30))
    window = Window.from_bus(board.engine.bus, DMA, 0x10000)
    board.start()
    board.receive(0x1_0000, 64)
    timer = threading.Timer(0.2, board.send, (0, 64))
    timer.start()
    assert window.poll(S2MM_SR, IOC, IOC) & IOC
    timer.join()


def test_poll_of_a_register_that_time_changes(loop: LoopBoard) -> None:
    """A counter that is computed from the clock when it is read: no event is queued, and yet it moves."""
    host = loop.engine.host("timer", loop.clock)
    host.add_slave()
    host.add_register(0)
    host.on_read(0, lambda: loop.clock.cycles)
    loop.ps.map(0x43C0_0000, 0x43C0_0FFF, host)
    window = Window.from_bus(loop.engine.bus, 0x43C0_0000, 0x1000)
    assert window.poll(0, 1 << 20, 1 << 20) >= 1 << 20


def test_poll_with_a_free_running_timer(engines: Callable[..., Engine]) -> None:
    engine = engines(horizon=10**9)
    board = LoopBoard(engine)
    ticker = engine.host("ticker", board.clock)

    def tick() -> None:
        ticker.after(10, tick)

    tick()
    window = Window.from_bus(engine.bus, DMA, 0x10000)
    board.start()
    board.receive(0, 64)
    with pytest.raises(DeadlockError, match="axi_dma_0 S2MM waits for TVALID"):
        window.poll(S2MM_SR, IOC, IOC)


def test_polling_in_python_sees_progress(loop: LoopBoard, window: Window) -> None:
    loop.start()
    loop.receive(0x1_0000, 1 << 20)
    loop.send(0, 1 << 20)
    polls = 0
    while not window.read(S2MM_SR) & IOC:
        polls += 1
        assert polls < 1000


@pytest.mark.parametrize("busy", [True, False])
def test_ctrl_c_stops_a_poll(engines: Callable[..., Engine], busy: bool) -> None:
    engine = engines(horizon=2**62, patience=60)
    board = LoopBoard(engine)
    ticker = engine.host("ticker", board.clock)

    def tick() -> None:
        ticker.after(10, tick)

    if busy:
        tick()
    window = Window.from_bus(engine.bus, DMA, 0x10000)
    board.start()
    board.receive(0, 64)
    timer = threading.Timer(0.2, _thread.interrupt_main, (signal.SIGINT,))
    timer.start()
    stay = threading.Event()
    other = threading.Thread(target=stay.wait)  # while it lives, a quiet engine is waited in
    other.start()
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        window.poll(S2MM_SR, IOC, IOC)
    assert time.perf_counter() - start < 30
    stay.set()
    other.join()
    board.send(0, 64)
    assert window.poll(S2MM_SR, IOC, IOC) & IOC
