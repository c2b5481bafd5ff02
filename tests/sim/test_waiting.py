"""Waiting for interrupts: plain, in event loops, in threads; nothing hangs and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import threading
import time
from collections.abc import Callable

import pytest

from pynq._native import Window
from pynq.backends.sim import SimDevice
from pynq.errors import DeadlockError, ModelError, OverlayNotLoadedError, PynqError
from pynq.sim import Model

from . import boards
from .boards import INTC, TIMER

Load = Callable[..., SimDevice]
ENT, ENIT, LOAD, UDT, TINT, ARHT = 1 << 7, 1 << 6, 1 << 5, 1 << 1, 1 << 8, 1 << 4


def start_timer(device: SimDevice, cycles: int, *, again: bool = False) -> Window:
    root, timer = device.map(INTC, 0x200), device.map(TIMER, 0x100)
    root.write(0x08, 0b0100)
    root.write(0x1C, 3)
    timer.write(4, cycles)
    timer.write(0, LOAD | UDT | ENIT)
    timer.write(0, ENT | UDT | ENIT | (ARHT if again else 0))
    return timer


def acknowledge(device: SimDevice) -> None:
    timer = device.map(TIMER, 0x100)
    timer.write(0, timer.read(0) | TINT)
    device.map(INTC, 0x200).write(0x0C, 0b0100)


@pytest.mark.parametrize("deterministic", [True, False])
def test_wait_jumps_over_idle_time(load: Load, deterministic: bool) -> None:
    device = load("streaming", deterministic=deterministic)
    start_timer(device, 0xFFFF0000)  # 43 s
    line = device.interrupt_line(61)
    line.enable()
    began = time.monotonic()
    assert line.wait()
    assert device.now > 42
    assert time.monotonic() - began < 30


def test_wait_with_timeout_is_in_virtual_time(load: Load) -> None:
    device = load("streaming")
    start_timer(device, 1_000_000)  # 10 ms
    line = device.interrupt_line(61)
    line.enable()
    before = device.now
    assert not line.wait(0.005)
    assert device.now - before == pytest.approx(0.005, abs=1e-4)
    assert line.wait(0.006)
    acknowledge(device)
    line.enable()
    before = time.monotonic()
    assert not line.wait(60.0)  # nothing can come: no need to sit it out
    assert time.monotonic() - before < 30


def test_dead_wait_ends_at_once_and_says_why(load: Load) -> None:
    device = load("streaming", patience=60)
    line = device.interrupt_line(62)
    line.enable()
    before = time.monotonic()
    with pytest.raises(DeadlockError, match=r"interrupt 62 .*sub/core"):
        line.wait()
    assert time.monotonic() - before < 30


def test_another_thread_may_act_within_the_patience(load: Load) -> None:
    device = load(boards.example("buttons_leds"), patience=5.0)
    base = {span.slave: span.base for span in device.plant.design.ps_ranges}
    root, buttons = device.map(base["axi_intc_0"], 0x200), device.map(base["buttons"], 0x200)
    root.write(0x08, 1)
    root.write(0x1C, 3)
    buttons.write(0x128, 1)
    buttons.write(0x11C, 1 << 31)
    line = device.interrupt_line(61)
    line.enable()
    finger = threading.Timer(0.1, device.board.drive, ("btns_4bits_tri_i", 1))
    finger.start()
    assert line.wait()
    finger.join()
    line.enable()
    device.patience = 0.1
    sleeper = threading.Timer(60, lambda: None)
    sleeper.start()
    buttons.write(0x120, 1)
    root.write(0x0C, 1)
    line.disable()
    line.wait(0)
    line.enable()
    before = time.monotonic()
    with pytest.raises(DeadlockError):
        line.wait()
    assert 0.05 < time.monotonic() - before < 30
    sleeper.cancel()
    sleeper.join()


@pytest.mark.parametrize("deterministic", [True, False])
def test_event_loops_in_several_threads(load: Load, deterministic: bool) -> None:
    device = load("streaming", deterministic=deterministic)
    start_timer(device, 100_000)
    line = device.interrupt_line(61)
    others = 0

    async def count() -> None:
        nonlocal others
        for _ in range(10):
            others += 1
            await asyncio.sleep(0)

    async def one() -> None:
        line.enable()
        await asyncio.gather(line.wait_async(), count())

    asyncio.run(one())
    assert others == 10
    acknowledge(device)
    start_timer(device, 100_000)
    worker = threading.Thread(target=lambda: asyncio.run(one()))
    worker.start()
    worker.join(60)
    assert not worker.is_alive()
    assert others == 20


def test_a_loop_sleeps_until_a_stimulus_and_wakes_from_any_thread(load: Load) -> None:
    device = load("streaming", deterministic=False, patience=5.0)
    line = device.interrupt_line(61)
    line.enable()

    async def main() -> float:
        threading.Timer(0.2, start_timer, (device, 100)).start()
        before = time.process_time()
        await line.wait_async()
        return time.process_time() - before

    assert asyncio.run(main()) < 0.1  # slept, not spun


def test_async_dead_wait_is_told_after_the_patience_unless_a_timer_is_pending(load: Load) -> None:
    device = load("streaming", patience=0.1)
    line = device.interrupt_line(62)
    line.enable()

    async def dead() -> None:
        await line.wait_async()

    before = time.monotonic()
    with pytest.raises(DeadlockError, match="interrupt 62"):
        asyncio.run(dead())
    assert 0.05 < time.monotonic() - before < 30

    async def both() -> None:
        lines = [device.interrupt_line(number) for number in (62, 63)]
        for one in lines:
            one.enable()
        results = await asyncio.gather(*(one.wait_async() for one in lines), return_exceptions=True)
        assert [type(result) for result in results] == [DeadlockError, DeadlockError]

    before = time.monotonic()
    asyncio.run(both())  # neither takes the other's nap for a sign of life
    assert time.monotonic() - before < 30

    async def late() -> None:
        async def press() -> None:
            await asyncio.sleep(0.4)
            start_timer(device, 100)

        other = device.interrupt_line(61)
        other.enable()
        await asyncio.gather(press(), other.wait_async())

    asyncio.run(late())


def test_cancelled_waits_leave_nothing_behind(load: Load) -> None:
    device = load("streaming")
    line = device.interrupt_line(61)
    line.enable()

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(line.wait_async(), 0.05)
        assert not device._ears
        start_timer(device, 100)
        await asyncio.wait_for(line.wait_async(), 30)

    asyncio.run(main())


def test_reloading_ends_waits(load: Load) -> None:
    device = load("streaming", patience=30.0)
    line = device.interrupt_line(61)
    line.enable()
    threading.Timer(0.2, device.close).start()
    with pytest.raises(OverlayNotLoadedError):
        line.wait()


def test_unconnected_interrupts_are_refused_with_the_connected_ones(load: Load) -> None:
    device = load("streaming")
    with pytest.raises(PynqError, match="no PS interrupt 64; connected: 61, 62, 63"):
        device.interrupt_line(64)


def test_time_on_the_host_passes_in_the_pl(load: Load) -> None:
    device = load("streaming", deterministic=False)
    timer = start_timer(device, 1_000_000)  # 10 ms
    time.sleep(0.05)
    assert timer.read(0) & TINT
    time.sleep(0.01)
    assert device.board.sample("timer_0/interrupt") == 1
    still = load("streaming", deterministic=True)
    timer = start_timer(still, 1_000_000)
    time.sleep(0.05)
    assert not timer.read(0) & TINT


def test_an_error_in_a_model_reaches_the_wait(load: Load) -> None:
    class Wrong(Model):
        async def main(self) -> None:
            await self.cycles(500)
            raise ValueError("broken")

    for run in (lambda line: line.wait(), lambda line: asyncio.run(line.wait_async())):
        device = load("streaming", models={"sub/core": Wrong})
        line = device.interrupt_line(62)
        line.enable()
        with pytest.raises(ModelError, match=r"Wrong of sub/core raised ValueError at .*: broken"):
            run(line)
        with pytest.raises(DeadlockError, match=r"sub/core stopped: model Wrong"):
            line.wait()


def test_ctrl_c_inside_a_model_is_told_afterwards(load: Load) -> None:
    """It ends the program's wait as anywhere, and the model's coroutine, which later waits say."""

    class Busy(Model):
        ready = True

        async def main(self) -> None:
            await self.cycles(100)
            while self.ready:  # on the host, inside of one step
                pass

    device = load("streaming", models={"sub/core": Busy})
    line = device.interrupt_line(62)
    line.enable()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            line.wait()
    finally:
        signal.signal(signal.SIGALRM, before)
    stopped = r"sub/core stopped: KeyboardInterrupt came at .* while its model Busy ran"
    assert re.match(stopped, device.explain("sub/core"))
    with pytest.raises(DeadlockError, match=stopped):
        line.wait()
    Busy.ready = False
    device.model("sub/core").host.reset()
    device.run()
    assert "stopped" not in device.explain("sub/core")


def test_tasks_in_one_loop_run_the_same_way_twice(load: Load) -> None:
    def once() -> tuple[int, list[str]]:
        device = load("streaming")
        order: list[str] = []
        device.trace("hash")
        root = device.map(INTC, 0x200)

        async def tick(timer: Window, count: int) -> None:
            line = device.interrupt_line(61)
            for number in range(count):
                line.enable()
                await line.wait_async()
                order.append(f"tick {number} at {device.cycles()}")
                timer.write(0, timer.read(0) | TINT)
                root.write(0x0C, 0b0100)

        async def press(count: int) -> None:
            for number in range(count):
                await asyncio.sleep(0)
                order.append(f"read {root.read(0):#x}")
                order.append(f"press {number}")

        async def main() -> None:
            timer = start_timer(device, 5000, again=True)
            await asyncio.gather(tick(timer, 20), press(30))

        asyncio.run(main())
        return device.trace_hash, order

    assert once() == once()


def test_many_threads_and_loops_at_once(load: Load) -> None:
    device = load("streaming", deterministic=False, patience=10.0)
    start_timer(device, 20_000, again=True)
    root, timer = device.map(INTC, 0x200), device.map(TIMER, 0x100)
    stop = threading.Event()
    failures: list[Exception] = []

    def reads() -> None:
        try:
            while not stop.is_set():
                assert root.read(0x1C) == 3
        except Exception as error:  # noqa: BLE001  whatever it is, the test tells
            failures.append(error)

    def waits(seconds: float) -> None:
        async def main() -> None:
            line = device.interrupt_line(61)
            line.enable()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(line.wait_async(), seconds)

        try:
            asyncio.run(main())
        except Exception as error:  # noqa: BLE001  whatever it is, the test tells
            failures.append(error)

    threads = [threading.Thread(target=reads) for _ in range(2)]
    threads += [threading.Thread(target=waits, args=(0.3,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        timer.write(0, timer.read(0) | TINT)
        root.write(0x0C, 4)
        device.interrupt_line(61).enable()
    stop.set()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert not any(thread.is_alive() for thread in threads)
