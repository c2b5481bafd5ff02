"""Virtual time, runs and waits: idle is free, a deadlock is known, Ctrl-C stops, threads take turns."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pynq.backends.sim._engine import Engine, Host
from pynq.errors import BusError, ModelError, OverlayNotLoadedError

from .boards import RS, S2MM_CR, S2MM_SR, HostBoard, LoopBoard


class Ticker:
    """A free-running timer: an event every cycle, for ever."""

    def __init__(self, engine: Engine, cycles: int = 1) -> None:
        self.host: Host = engine.host("ticker", engine.clock("tick", 100e6))
        self.cycles = cycles
        self.ticks = 0
        self.tick()

    def tick(self) -> None:
        self.ticks += 1
        self.host.after(self.cycles, self.tick)


def test_idle_time_is_free(engine: Engine) -> None:
    LoopBoard(engine)
    start = time.thread_time()
    engine.run(10**12)
    assert time.thread_time() - start < 0.1, "100 million idle cycles"
    assert engine.now == 10**12
    assert engine.quiet


def test_clock_domains(engine: Engine) -> None:
    fast, slow = engine.clock("fast", 300e6), engine.clock("slow", 100e6)
    assert (fast.period, slow.period) == (3333, 10_000)
    engine.run(1_000_000)
    assert (fast.cycles, slow.cycles) == (300, 100)
    slow.hertz = 50e6
    engine.run(1_000_000)
    assert slow.cycles == 150
    slow.hertz = 0
    engine.run(1_000_000)
    assert (slow.cycles, slow.period) == (150, 0)
    with pytest.raises(ValueError, match="clock slow: -1 Hz"):
        slow.hertz = -1
    with pytest.raises(ValueError, match="nan"):
        slow.hertz = float("nan")


def test_a_stopped_clock_freezes_what_is_under_way(engine: Engine) -> None:
    board = LoopBoard(engine)
    board.start()
    board.receive(0x1_0000, 1 << 16)
    board.send(0, 1 << 16)
    engine.run(10**8)
    board.clock.hertz = 0
    assert engine.run_until(board.nets["S2MM"]) == "quiet"
    assert "waits for its clock clk, which stands still" in engine.explain(board.nets["S2MM"])
    moved = board.back.statistics["beats"]
    board.clock.hertz = 50e6
    assert engine.run_until(board.nets["S2MM"]) == "hit"
    assert 0 < moved < board.back.statistics["beats"] == (1 << 16) // 8


def test_run_until(engine: Engine) -> None:
    net = engine.net("n", 8)
    host = engine.host("ip", engine.clock("clk", 100e6))
    host.add_output("o", 8)
    host.wire("o", net)
    host.at(1_000_000, lambda: host.drive("o", 0x12))
    host.at(2_000_000, lambda: host.drive("o", 0x34))
    assert engine.run_until(net, mask=0xF0, value=0x30, timeout=500_000) == "time"
    assert engine.now == 500_000
    assert engine.run_until(net) == "hit"
    assert engine.now == 1_000_000
    assert engine.run_until(net, mask=0xF0, value=0x30) == "hit"
    assert engine.now == 2_000_000
    assert engine.run_until(net, value=0x99) == "quiet"
    assert engine.run_until(net, value=0x99, timeout=10**9) == "quiet"
    assert engine.run_until(None) == "quiet"
    assert engine.run_until(lambda: engine.now >= 0) == "hit"
    with pytest.raises(ZeroDivisionError):
        engine.run_until(lambda: 1 // 0)
    with pytest.raises(TypeError, match="a Net, an Irq, a function or None"):
        engine.run_until(3)  # type: ignore[arg-type]


def test_slices(engine: Engine) -> None:
    ticker = Ticker(engine)
    assert engine.run_until(lambda: False, slice=0.0) == "slice"
    first = ticker.ticks
    assert first < 200
    assert engine.run_until(lambda: False, slice=0.01) == "slice"
    assert ticker.ticks > first


def test_free_running_timer_does_not_make_a_dead_wait_endless(engines: Callable[..., Engine]) -> None:
    engine = engines(horizon=10**9)
    Ticker(engine)
    board = LoopBoard(engine)
    board.start()
    board.receive(0, 64)
    assert engine.run_until(board.irqs["S2MM"]) == "quiet"
    assert 10**9 < engine.now < 2 * 10**9
    assert "axi_dma_0 S2MM waits for TVALID" in engine.explain(board.irqs["S2MM"])


def test_a_far_event_is_waited_for(engine: Engine) -> None:
    host = engine.host("ip", engine.clock("clk", 100e6))
    fired: list[int] = []
    host.at(3600 * 10**12, lambda: fired.append(1))
    assert engine.run_until(lambda: bool(fired)) == "hit", "an hour, one event"


def test_a_hook_that_raises_stops_the_run(engine: Engine) -> None:
    host = engine.host("ip", engine.clock("clk", 100e6))
    fired: list[int] = []

    def wrong() -> None:
        raise ModelError(f"at {engine.now}")

    host.at(1000, wrong)
    host.at(2000, lambda: fired.append(engine.now))
    with pytest.raises(ModelError, match="at 1000"):
        engine.run(10_000)
    assert engine.now == 1000
    assert not fired
    engine.run(9000)
    assert fired == [2000]


def test_a_hook_that_raises_in_an_access(engine: Engine) -> None:
    host = engine.host("ip", engine.clock("clk", 100e6))
    host.add_slave()
    engine.space("ps", ps=True).map(0, 0xFFF, host)
    host.after(3, lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        engine.read(0)
    assert engine.read(0) == 0


def test_ctrl_c_stops_a_run(engine: Engine) -> None:
    Ticker(engine)
    threading.Timer(0.2, _thread.interrupt_main, (signal.SIGINT,)).start()
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        engine.run(2**62)
    assert time.perf_counter() - start < 30
    now = engine.now
    engine.run(1000)
    assert engine.now == now + 1000, "usable afterwards"


def test_ctrl_c_stops_a_wait_in_a_quiet_engine(engines: Callable[..., Engine]) -> None:
    engine = engines(patience=60)
    net = engine.net("n")
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    threading.Timer(0.2, _thread.interrupt_main, (signal.SIGINT,)).start()
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        engine.run_until(net)
    assert time.perf_counter() - start < 30
    stop.set()
    other.join()


def test_a_single_thread_is_told_at_once(engines: Callable[..., Engine]) -> None:
    engine = engines(patience=60)
    start = time.perf_counter()
    assert engine.run_until(engine.net("n")) == "quiet"
    assert time.perf_counter() - start < 30


def test_another_thread_may_act(engines: Callable[..., Engine]) -> None:
    engine = engines(patience=30)
    net = engine.net("n")
    timer = threading.Timer(0.1, net.drive, (1,))
    timer.start()
    assert engine.run_until(net) == "hit"
    timer.join()


def test_patience_ends(engines: Callable[..., Engine]) -> None:
    engine = engines(patience=0.2)
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    start = time.perf_counter()
    assert engine.run_until(engine.net("n")) == "quiet"
    assert 0.15 < time.perf_counter() - start < 30
    assert engine.run_until(engine.net("m"), patience=0) == "quiet"
    stop.set()
    other.join()


def test_stimuli(engine: Engine) -> None:
    net = engine.net("n")
    seen = engine.stimuli
    called: list[int] = []
    engine.on_stimulus(lambda: called.append(1))
    assert not engine.wait_stimulus(seen, 0.05)
    timer = threading.Timer(0.05, net.drive, (1,))
    timer.start()
    assert engine.wait_stimulus(seen, 10)
    timer.join()
    net.drive(0)
    assert called == [1], "one-shot"


def test_closing_ends_a_wait_in_another_thread(engines: Callable[..., Engine]) -> None:
    for build in (lambda engine: engine.net("n"), lambda engine: Ticker(engine) and engine.net("n")):
        engine = engines(patience=30, horizon=2**62)
        net = build(engine)
        caught: list[BaseException] = []

        def wait(engine: Engine = engine, net: Any = net, caught: list[BaseException] = caught) -> None:
            try:
                engine.run_until(net)
            except OverlayNotLoadedError as error:
                caught.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.1)
        engine.close()
        thread.join(60)
        assert not thread.is_alive()
        assert len(caught) == 1


def test_threads_hammer(engines: Callable[..., Engine]) -> None:
    """One thread runs a transfer in a loop, one reads registers, one drives a pin, one waits."""
    engine = engines(patience=30)
    board = LoopBoard(engine)
    counter = engine.host("counter", board.clock)
    counter.add_slave()
    counter.add_register(0)
    value = 0

    def count() -> int:
        nonlocal value
        value += 1
        return value

    counter.on_read(0, count)
    board.ps.map(0x43C0_0000, 0x43C0_FFFF, counter)
    pin = engine.net("pin")
    errors: list[BaseException] = []
    stop = threading.Event()

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                while not stop.is_set():
                    work()
            except Exception as error:  # noqa: BLE001
                errors.append(error)
                stop.set()

        return run

    def transfer() -> None:
        board.receive(0x8_0000, 8192)
        board.send(0, 4096)
        assert engine.run_until(board.nets["S2MM"]) == "hit"
        board.write(S2MM_SR, 0x7000)

    last = 0

    def read() -> None:
        nonlocal last
        now = engine.read(0x43C0_0000)
        assert now > last
        last = now

    toggles = 0

    def toggle() -> None:
        nonlocal toggles
        pin.drive(1)
        pin.drive(0)
        toggles += 1

    board.start()
    threads = [
        threading.Thread(target=guarded(work)) for work in (transfer, read, toggle, engine.statistics, toggle)
    ]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not errors
    assert board.back.statistics["packets"] > 10
    assert last > 10
    assert pin.edges() <= toggles


def test_a_long_run_lets_others_in(engine: Engine) -> None:
    board = HostBoard(engine)
    ticker = Ticker(engine)
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(engine.run_until(lambda: bool(done)) == "hit"))
    thread.start()
    time.sleep(0.05)
    worst = 0.0
    for _ in range(20):
        start = time.perf_counter()
        board.write(S2MM_CR, RS)
        worst = max(worst, time.perf_counter() - start)
    done.append(True)
    thread.join(60)
    assert not thread.is_alive()
    assert ticker.ticks > 100
    assert worst < 2


def test_host_time_is_caught_up_with(engines: Callable[..., Engine]) -> None:
    engine = engines(deterministic=False)
    board = LoopBoard(engine)
    board.start()
    board.receive(0x1_0000, 1 << 16)
    board.send(0, 1 << 16)
    time.sleep(0.05)
    before = engine.now
    assert board.read(S2MM_SR) & 2, "the transfer is over after the nap"
    assert engine.now - before > 40 * 10**9


def test_host_time_plays_no_part_in_deterministic_mode(engine: Engine) -> None:
    board = LoopBoard(engine)
    board.start()
    before = engine.now
    time.sleep(0.02)
    board.read(S2MM_SR)
    assert engine.now - before == 16 * 10_000


def test_nobody_there(engine: Engine) -> None:
    LoopBoard(engine)
    with pytest.raises(
        BusError,
        match="read of 4 bytes: ps: DECERR at 0x43c00000: nothing answers at 0x43c00000; "
        "nearest: axi_dma_0 0x40400000-0x4040ffff",
    ):
        engine.read(0x43C0_0000)


def test_pins_after_a_pause(engines: Callable[..., Engine]) -> None:
    engine = engines(deterministic=False)
    host = engine.host("blink", engine.clock("clk", 100e6))
    host.add_output("led")
    led, button = engine.net("led"), engine.net("button")
    host.wire("led", led)
    engine.catch_up()
    host.at(engine.now + 10 * 10**9, lambda: host.drive("led", 1))
    engine.catch_up()
    assert led.value == 0
    time.sleep(0.03)
    assert led.value == 0, "nobody has touched it"
    engine.catch_up()
    assert led.value == 1
    host.at(engine.now + 10 * 10**9, lambda: host.drive("led", 0))
    time.sleep(0.03)
    button.drive(1)
    assert led.value == 0


def test_ctrl_c_while_another_thread_sits_in_a_hook(engine: Engine) -> None:
    host = engine.host("slow", engine.clock("clk", 100e6))
    leave, inside = threading.Event(), threading.Event()

    def dwell() -> None:
        inside.set()
        leave.wait(20)

    host.at(1000, dwell)
    thread = threading.Thread(target=engine.run, args=(10**6,))
    thread.start()
    assert inside.wait(5)
    threading.Timer(0.1, _thread.interrupt_main, (signal.SIGINT,)).start()
    with pytest.raises(KeyboardInterrupt):
        engine.run(1)
    leave.set()
    thread.join(60)
    assert engine.now == 10**6


def test_what_happens_in_the_pause_reaches_a_pin(engines: Callable[..., Engine]) -> None:
    """A hook that raises while the engine catches up is passed on by the drive, which sets nothing."""
    engine = engines(deterministic=False)
    host = engine.host("ip", engine.clock("clk", 100e6))
    pin = engine.net("pin")
    pin.drive(0)
    host.after(1, lambda: 1 // 0)
    time.sleep(0.01)
    with pytest.raises(ZeroDivisionError):
        pin.drive(1)
    assert pin.value == 0
    pin.drive(1)
    assert pin.value == 1
