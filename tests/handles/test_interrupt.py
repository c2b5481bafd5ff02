"""Interrupts: level and edge, direct and cascaded, any loop and thread, what is left behind (pains 9, 10)."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import signal
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakeboard import Bench, FakeBoard, Intc, Line

from pynq.design.model import Design
from pynq.errors import (
    DeadlockError,
    DesignError,
    InterruptNotClearedError,
    OverlayNotLoadedError,
    PynqError,
    PynqWarning,
    WaitTimeoutError,
)
from pynq.interrupt import Interrupt

LEVELS = ["level0", "plain", "level1", "direct_level"]
EDGES = ["edge0", "edge1", "direct_edge"]


def pin(bench: Bench, name: str) -> Interrupt:
    return Interrupt(f"source/{name}", device=bench.device)


def later(function: Callable[..., None], *args: Any, delay: float = 0.03) -> threading.Thread:
    def run() -> None:
        time.sleep(delay)
        function(*args)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def idle(bench: Bench) -> bool:
    """Whether nothing is unmasked: no input of a controller, no line of the PS."""
    assert isinstance(bench.device, FakeBoard)
    controllers = [part for part in bench.device.parts.values() if isinstance(part, Intc)]
    return not any(part.ier for part in controllers) and not any(
        line.enabled for line in bench.device.lines.values()
    )


# -- one wait ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", LEVELS)
def test_level_that_is_active_ends_a_wait_at_once(bench: Bench, name: str) -> None:
    interrupt = pin(bench, name)
    bench.raise_(name)
    interrupt.wait_sync(5)
    bench.clear(name)


@pytest.mark.parametrize("name", EDGES)
def test_edge_that_came_before_the_wait_is_not_lost(bench: Bench, name: str) -> None:
    interrupt = pin(bench, name)
    bench.pulse(name)
    interrupt.wait_sync(5)
    with pytest.raises((WaitTimeoutError, DeadlockError)):
        interrupt.wait_sync(0.01)


@pytest.mark.parametrize("name", EDGES)
def test_edge_that_came_before_the_pin_was_used_at_all_is_not_lost(fake: Bench, name: str) -> None:
    fake.pulse(name)
    interrupt = pin(fake, name)
    interrupt.wait_sync(1)
    with pytest.raises(WaitTimeoutError):
        interrupt.wait_sync(0.01)


@pytest.mark.parametrize("name", EDGES)
def test_edge_between_two_waits_is_not_lost(bench: Bench, name: str) -> None:
    interrupt = pin(bench, name)
    for _ in range(3):
        bench.pulse(name)
        interrupt.wait_sync(5)


@pytest.mark.parametrize("name", LEVELS + EDGES)
def test_interrupt_that_comes_later_wakes_a_blocked_thread(bench: Bench, name: str) -> None:
    interrupt = pin(bench, name)
    thread = later(bench.raise_, name)
    interrupt.wait_sync(5)
    thread.join()
    bench.clear(name)


@pytest.mark.parametrize("name", LEVELS + EDGES)
def test_interrupt_that_comes_later_wakes_a_task(bench: Bench, name: str) -> None:
    async def main() -> None:
        interrupt = pin(bench, name)
        task = asyncio.create_task(interrupt.wait())
        await asyncio.sleep(0.01)
        assert not task.done()
        bench.raise_(name)
        await asyncio.wait_for(task, 30)
        bench.clear(name)

    asyncio.run(main())


@pytest.mark.parametrize("name", LEVELS + EDGES)
def test_a_hundred_interrupts_are_a_hundred_waits(bench: Bench, name: str) -> None:
    async def main() -> None:
        interrupt = pin(bench, name)
        for _ in range(100):
            bench.raise_(name)
            await interrupt.wait(5)
            bench.clear(name)

    asyncio.run(main())


# -- pain 9: the second wait -------------------------------------------------------------------------------
@pytest.mark.parametrize("name", LEVELS)
def test_second_wait_gives_no_bogus_interrupt(bench: Bench, name: str) -> None:
    interrupt = pin(bench, name)
    bench.raise_(name)
    interrupt.wait_sync(5)
    bench.clear(name)  # after the controller has latched the level once more
    with pytest.raises((WaitTimeoutError, DeadlockError)):
        interrupt.wait_sync(0.02)
    bench.raise_(name)
    interrupt.wait_sync(5)
    bench.clear(name)


def test_level_that_was_polled_and_cleared_gives_no_bogus_interrupt(bench: Bench) -> None:
    interrupt = pin(bench, "level0")
    bench.raise_("level0")
    bench.clear("level0")  # the controller has latched it
    with pytest.raises((WaitTimeoutError, DeadlockError)):
        interrupt.wait_sync(0.02)


def test_pulse_of_a_source_that_declares_no_level_is_not_lost_on_a_level_input(bench: Bench) -> None:
    interrupt = pin(bench, "plain")
    for _ in range(3):
        bench.pulse("plain")
        interrupt.wait_sync(5)


@pytest.mark.parametrize("name", LEVELS)
def test_source_that_is_not_cleared_is_reported(fake: Bench, name: str) -> None:
    interrupt = pin(fake, name)
    fake.raise_(name)
    interrupt.wait_sync(5)
    with pytest.raises(
        InterruptNotClearedError, match=rf"source/{name} is still active .* registers of source"
    ):
        interrupt.wait_sync(5)
    assert idle(fake)
    fake.clear(name)
    fake.raise_(name)
    interrupt.wait_sync(5)


def test_level_that_is_not_cleared_behind_an_edge_triggered_input(design: Design) -> None:
    """There the second wait could never end."""
    cells = dict(design.cells)
    cell = cells["axi_intc_0"]
    parameters = {**cell.parameters, "C_KIND_OF_INTR": "0xFFFFFFFF"}
    cells[cell.path] = dataclasses.replace(cell, parameters=parameters)
    bench = Bench(FakeBoard(dataclasses.replace(design, cells=cells)))
    interrupt = pin(bench, "level0")
    for _ in range(2):
        bench.raise_("level0")
        interrupt.wait_sync(1)
        with pytest.raises(InterruptNotClearedError):
            interrupt.wait_sync(1)
        bench.clear("level0")
    bench.device.close()


def test_source_that_is_not_cleared_is_reported_to_a_task(fake: Bench) -> None:
    async def main() -> None:
        interrupt = pin(fake, "level1")
        fake.raise_("level1")
        await interrupt.wait()
        with pytest.raises(InterruptNotClearedError):
            await interrupt.wait()

    asyncio.run(main())


def test_fast_source_is_no_fault_where_the_level_is_unknown(
    design: Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pynq.interrupt_stations._IMMEDIATE", 10)  # however busy this machine is
    bench = Bench(FakeBoard(design, probing=False))
    interrupt = pin(bench, "level0")
    bench.raise_("level0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(500):  # an IP that has interrupted again before each wait
            interrupt.wait_sync(5)
        for _ in range(499):
            interrupt.wait_sync(5)
    with pytest.warns(PynqWarning, match="source/level0 was active at each of the last 1000 waits"):
        interrupt.wait_sync(5)
    bench.device.close()


# -- several waiters ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", LEVELS + EDGES)
def test_one_interrupt_wakes_all_tasks_that_wait(bench: Bench, name: str) -> None:
    async def main() -> None:
        tasks = [asyncio.create_task(pin(bench, name).wait(5)) for _ in range(5)]
        await asyncio.sleep(0.01)
        bench.raise_(name)
        await asyncio.gather(*tasks)
        bench.clear(name)

    asyncio.run(main())


def test_pins_of_one_line_wake_their_own_waiters(bench: Bench) -> None:
    async def main() -> None:
        tasks = {
            name: asyncio.create_task(pin(bench, name).wait(5))
            for name in ("level0", "edge0", "level1", "edge1")
        }
        await asyncio.sleep(0.01)
        for name in ["edge1", "level0", "edge0", "level1"]:
            bench.raise_(name)
            await asyncio.wait_for(tasks.pop(name), 30)
            bench.clear(name)
            assert not any(task.done() for task in tasks.values())

    asyncio.run(main())


def test_interrupts_of_several_pins_at_once(bench: Bench) -> None:
    async def main() -> None:
        names = ["level0", "edge0", "level1", "edge1", "direct_level", "direct_edge"]
        tasks = [asyncio.create_task(pin(bench, name).wait(5)) for name in names]
        await asyncio.sleep(0.01)
        for name in names:
            bench.levels |= bench.bits[name]
        bench.registers.write(0, bench.levels)
        await asyncio.gather(*tasks)
        for name in names:
            bench.clear(name)

    asyncio.run(main())


def test_loops_in_several_threads(bench: Bench) -> None:
    """Pain 10: no thread needs the main thread's loop."""
    names = ["level0", "edge0", "level1", "edge1"]
    seen: list[str] = []
    errors: list[BaseException] = []

    def run(name: str) -> None:
        async def main() -> None:
            interrupt = pins[name]
            for _ in range(5):
                await interrupt.wait(10)
                seen.append(name)
                with lock:
                    bench.clear(name)
                ready[name].set()

        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    lock = threading.Lock()
    ready = {name: threading.Event() for name in names}
    pins = {name: pin(bench, name) for name in names}
    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for _ in range(5):
        for name in names:
            ready[name].clear()
            with lock:
                bench.raise_(name)
        for name in names:
            assert ready[name].wait(10), (name, seen, errors)
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(seen) == sorted(names * 5)


def test_blocked_threads_and_loops_on_one_pin(bench: Bench) -> None:
    done: list[str] = []

    def block() -> None:
        pin(bench, "edge1").wait_sync(10)
        done.append("thread")

    def loop() -> None:
        asyncio.run(pin(bench, "edge1").wait(10))
        done.append("loop")

    threads = [threading.Thread(target=target) for target in (block, loop, block, loop)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    bench.pulse("edge1")
    for thread in threads:
        thread.join(60)
    assert sorted(done) == ["loop", "loop", "thread", "thread"]


def test_thread_is_served_while_the_loop_with_the_first_wait_is_blocked(bench: Bench) -> None:
    """A task waits in this thread's loop, which then stands still until another thread has its interrupt."""

    async def main() -> None:
        task = asyncio.create_task(pin(bench, "level0").wait(10))
        await asyncio.sleep(0.01)
        thread = threading.Thread(target=pin(bench, "edge1").wait_sync, args=(10,))
        thread.start()
        time.sleep(0.05)
        bench.pulse("edge1")
        await asyncio.sleep(0) if not thread.is_alive() else None
        thread.join(60)
        assert not thread.is_alive()
        bench.raise_("level0")
        await asyncio.wait_for(task, 10)
        bench.clear("level0")

    asyncio.run(main())


def test_blocking_wait_inside_of_a_loop_with_waiting_tasks(bench: Bench) -> None:
    async def main() -> None:
        task = asyncio.create_task(pin(bench, "edge0").wait(10))
        await asyncio.sleep(0.01)
        interrupt = pin(bench, "edge1")
        bench.pulse("edge1")
        interrupt.wait_sync(5)
        bench.pulse("edge0")
        await asyncio.wait_for(task, 30)

    asyncio.run(main())


def test_blocked_thread_serves_the_tasks_of_others(bench: Bench) -> None:
    thread = threading.Thread(target=lambda: pin(bench, "edge0").wait_sync(10))
    thread.start()
    time.sleep(0.05)

    async def main() -> None:
        task = asyncio.create_task(pin(bench, "edge1").wait(10))
        await asyncio.sleep(0.02)
        bench.pulse("edge1")
        await asyncio.wait_for(task, 30)

    asyncio.run(main())
    bench.pulse("edge0")
    thread.join(60)
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="eager tasks came with Python 3.12")
@pytest.mark.parametrize("name", LEVELS + EDGES)
def test_eager_tasks(bench: Bench, name: str) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009
        interrupt = pin(bench, name)
        for _ in range(3):
            bench.raise_(name)
            await interrupt.wait(5)
            bench.clear(name)
            task = asyncio.create_task(interrupt.wait(5))
            await asyncio.sleep(0.01)
            bench.raise_(name)
            await task
            bench.clear(name)

    asyncio.run(main())


# -- ends before the interrupt -----------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["level0", "edge0", "level1", "edge1", "direct_level", "direct_edge"])
def test_cancelled_wait_leaves_nothing_behind(fake: Bench, name: str) -> None:
    async def main() -> None:
        interrupt = pin(fake, name)
        task = asyncio.create_task(interrupt.wait())
        await asyncio.sleep(0.01)
        assert not idle(fake)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert idle(fake)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize("name", LEVELS + EDGES)
def test_cancelled_wait_does_not_double_events(bench: Bench, name: str) -> None:
    """Pain 9 (an interrupted cell): one event after several cancelled waits is one event."""

    async def main() -> None:
        interrupt = pin(bench, name)
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(interrupt.wait(), 0.005)
        bench.raise_(name)
        await interrupt.wait(5)
        bench.clear(name)
        with pytest.raises((WaitTimeoutError, DeadlockError)):
            await interrupt.wait(0.02)

    asyncio.run(main())


def test_wait_of_one_task_survives_the_cancellation_of_another(bench: Bench) -> None:
    async def main() -> None:
        interrupt = pin(bench, "edge1")
        first, second = (asyncio.create_task(interrupt.wait(5)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        bench.pulse("edge1")
        await asyncio.wait_for(second, 30)
        assert first.cancelled()

    asyncio.run(main())


def test_edge_delivered_to_a_cancelled_wait_goes_to_the_next(fake: Bench) -> None:
    async def main() -> None:
        interrupt = pin(fake, "edge0")
        task = asyncio.create_task(interrupt.wait())
        await asyncio.sleep(0.01)
        fake.pulse("edge0")
        interrupt._pin().line.dispatch()  # delivered, but the task has not run yet
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await interrupt.wait(1)
        with pytest.raises(WaitTimeoutError):
            await interrupt.wait(0.01)

    asyncio.run(main())


def test_loop_may_be_closed_right_after_a_wait_that_timed_out(bench: Bench) -> None:
    loop = asyncio.new_event_loop()
    problems: list[Any] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    with pytest.raises((WaitTimeoutError, DeadlockError)):
        loop.run_until_complete(pin(bench, "level0").wait(0.01))
    loop.close()
    gc.collect()
    assert not problems


def test_pumps_that_somebody_cancels_come_back(fake: Bench) -> None:
    async def main() -> None:
        waiting = asyncio.create_task(pin(fake, "edge0").wait(5))
        await asyncio.sleep(0.01)
        for task in asyncio.all_tasks() - {waiting, asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.01)
        fake.pulse("edge0")
        await waiting

    asyncio.run(main())


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C is heard, also where a shell runs the tests in the background and so has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_keyboard_interrupt_leaves_nothing_behind(fake: Bench) -> None:
    interrupt = pin(fake, "edge0")
    timer = threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        interrupt.wait_sync()
    timer.join()
    assert idle(fake)
    fake.pulse("edge0")
    interrupt.wait_sync(1)
    with pytest.raises(WaitTimeoutError):
        interrupt.wait_sync(0.01)


def test_leader_that_times_out_hands_over(fake: Bench) -> None:
    done = threading.Event()

    def follow() -> None:
        pin(fake, "edge0").wait_sync(10)
        done.set()

    def lead() -> None:
        with pytest.raises(WaitTimeoutError):
            pin(fake, "level0").wait_sync(0.1)

    threads = [threading.Thread(target=lead), threading.Thread(target=follow)]
    threads[0].start()
    time.sleep(0.03)
    threads[1].start()
    threads[0].join()
    fake.pulse("edge0")
    assert done.wait(5)
    threads[1].join()


def test_timeout_names_pin_way_and_state(fake: Bench) -> None:
    with pytest.raises(WaitTimeoutError) as caught:
        pin(fake, "level1").wait_sync(0.01)
    text = str(caught.value)
    for part in (
        "no interrupt from source/level1 within 0.01 s",
        "input 0 of sub/axi_intc",
        "sub/axi_intc has ISR 0x0, IER 0x1, MER 0x3",
        "axi_intc_0 has ISR 0x0, IER 0x8, MER 0x3",
        "PS interrupt 61",
        "the pin is low after 0 rising edges",
    ):
        assert part in text
    assert isinstance(caught.value, TimeoutError)


def test_timeout_in_a_task_tells_the_state_while_it_waited(fake: Bench) -> None:
    with pytest.raises(WaitTimeoutError, match=r"axi_intc_0 has ISR 0x0, IER 0x1, MER 0x3"):
        asyncio.run(pin(fake, "level0").wait(0.01))


def test_deadlock_names_the_pin(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can raise the interrupt: the wait ends by itself, blocked or awaited."""
    if bench.device.shares_controllers:
        pytest.skip("a board never knows that nothing can come")
    monkeypatch.setattr(Line, "patience", 0.1)
    interrupt = pin(bench, "level1")
    with pytest.raises(DeadlockError, match="no interrupt can come from source/level1"):
        interrupt.wait_sync()
    if not isinstance(bench.device, FakeBoard):
        with pytest.raises(DeadlockError, match="no interrupt can come from source/level1"):
            asyncio.run(interrupt.wait())


# -- setup -------------------------------------------------------------------------------------------------
def test_unknown_pin_lists_near_names(fake: Bench) -> None:
    with pytest.raises(ValueError, match=r"no interrupt pin 'source/levl0' .* did you mean 'source/level0'"):
        Interrupt("source/levl0", device=fake.device)
    with pytest.raises(DesignError, match=r"'source/s_axi_wdata' .* is connected to no interrupt controller"):
        Interrupt("source/s_axi_wdata", device=fake.device)


def test_pins_on_the_way_are_names_too(fake: Bench) -> None:
    assert Interrupt("concat_0/In1", device=fake.device).path == "source/edge0"
    with pytest.raises(DesignError):
        Interrupt("concat_0/In1", True, device=fake.device)


def test_attributes(fake: Bench) -> None:
    interrupt = pin(fake, "edge1")
    assert (interrupt.path, interrupt.parent, interrupt.number) == ("source/edge1", "sub/axi_intc", 1)
    assert repr(interrupt) == "<Interrupt 'source/edge1': input 1 of sub/axi_intc>"
    assert repr(pin(fake, "direct_edge")) == "<Interrupt 'source/direct_edge': PS interrupt 63>"


def test_device_without_overlay() -> None:
    device = FakeBoard()
    with pytest.raises(OverlayNotLoadedError, match="holds no overlay"):
        Interrupt("source/level0", device=device)
    device.close()


def test_pin_survives_that_its_design_is_downloaded_again(fake: Bench, design: Design) -> None:
    interrupt = pin(fake, "edge1")
    fake.pulse("edge1")
    interrupt.wait_sync(1)
    fake.device.download(design, None)
    again = Bench(fake.device)
    with pytest.raises(WaitTimeoutError):
        interrupt.wait_sync(0.01)
    again.pulse("edge1")
    interrupt.wait_sync(1)


def test_pin_of_another_design_is_refused(fake: Bench, design: Design) -> None:
    interrupt = pin(fake, "edge1")
    pins = {path: pin for path, pin in design.interrupt_pins.items() if path != "source/edge1"}
    fake.device.design = dataclasses.replace(design, interrupt_pins=pins)
    with pytest.raises(OverlayNotLoadedError, match="belongs to an overlay that is no longer loaded"):
        interrupt.wait_sync(0.01)
    with pytest.raises(OverlayNotLoadedError):
        asyncio.run(interrupt.wait(0.01))


@pytest.mark.parametrize("missing", ["C_HAS_SIE", "C_HAS_CIE"])
def test_controllers_without_set_and_clear_registers(design: Design, missing: str) -> None:
    """PG099: SIE and CIE are optional."""
    cells = dict(design.cells)
    for path in design.interrupt_controllers:
        parameters = {**cells[path].parameters, "C_HAS_SIE": "0", "C_HAS_CIE": "0"}
        cells[path] = dataclasses.replace(cells[path], parameters=parameters)
    bench = Bench(FakeBoard(dataclasses.replace(design, cells=cells)))
    interrupt = pin(bench, "edge1")
    for _ in range(3):
        bench.pulse("edge1")
        interrupt.wait_sync(1)
    with pytest.raises(WaitTimeoutError):
        interrupt.wait_sync(0.01)
    assert idle(bench)
    bench.device.close()


def test_controller_that_cannot_be_read_fails_its_waiters(fake: Bench) -> None:
    async def main() -> None:
        tasks = [asyncio.create_task(pin(fake, name).wait(5)) for name in ("edge0", "edge1")]
        await asyncio.sleep(0.01)
        board = fake.device
        assert isinstance(board, FakeBoard)
        for window in board.windows:
            window.invalidate("gone")
        board.parts["axi_intc_0"].inputs[1].drive(1)
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, PynqError)
            assert "gone" in str(result)

    asyncio.run(main())


def test_inputs_that_another_program_has_enabled_do_not_hang_the_wait(fake: Bench) -> None:
    assert isinstance(fake.device, FakeBoard)
    interrupt = pin(fake, "edge0")
    controller = fake.device.parts["axi_intc_0"]
    thread = later(
        lambda: (controller.write(0x10, 1), fake.raise_("level0"))
    )  # unmasks level0, then raises it
    with pytest.raises(WaitTimeoutError):
        interrupt.wait_sync(0.2)
    thread.join()
    assert not controller.ier & 1


def test_device_is_collected_with_its_interrupts(design: Design) -> None:
    device = FakeBoard(design)
    bench = Bench(device)
    interrupt = pin(bench, "edge0")
    bench.pulse("edge0")
    interrupt.wait_sync(1)
    device.close()
    alive = weakref.ref(device)
    del bench, device, interrupt
    gc.collect()
    assert alive() is None


# -- odd designs and hardware -----------------------------------------------------------------------------
def changed(design: Design, cell: str, **parameters: str | None) -> Design:
    """Return the design with other parameters of a cell; None takes one away."""
    cells = dict(design.cells)
    merged = {**cells[cell].parameters, **parameters}
    kept = {name: value for name, value in merged.items() if value is not None}
    cells[cell] = dataclasses.replace(cells[cell], parameters=kept)
    return dataclasses.replace(design, cells=cells)


@pytest.mark.parametrize("name", ["direct_edge", "direct_level"])
def test_firing_that_came_as_the_last_wait_ended(fake: Bench, name: str) -> None:
    """An edge counts for the next wait, a level that is over does not."""
    interrupt = pin(fake, name)
    with pytest.raises(WaitTimeoutError):
        interrupt.wait_sync(0.01)
    assert isinstance(fake.device, FakeBoard)
    fake.pulse(name)
    line = fake.device.lines[63 if name == "direct_edge" else 62]
    line.latched = line.wire.edges
    line.fired = True
    if name == "direct_edge":
        interrupt.wait_sync(1)
    with pytest.raises(WaitTimeoutError):
        interrupt.wait_sync(0.01)


def test_line_that_fires_for_nothing(fake: Bench) -> None:
    assert isinstance(fake.device, FakeBoard)
    lines = fake.device.lines

    def fire() -> None:
        for line in lines.values():
            with line.condition:
                line.fired = True
                line.condition.notify_all()

    for name in ("direct_edge", "direct_level", "edge1"):
        thread = later(fire)
        with pytest.raises(WaitTimeoutError):
            pin(fake, name).wait_sync(0.1)
        thread.join()


def test_pin_that_serves_another_processor(design: Design) -> None:
    controllers = dict(design.interrupt_controllers)
    controllers["axi_intc_0"] = dataclasses.replace(controllers["axi_intc_0"], gic=None)
    with FakeBoard(dataclasses.replace(design, interrupt_controllers=controllers)) as device:
        interrupt = Interrupt("source/edge1", device=device)
        with pytest.raises(
            DesignError, match=r"does not reach the processor .* ends at input 1 of sub/axi_intc"
        ):
            interrupt.wait_sync(0.01)


def test_controller_without_address(design: Design) -> None:
    ranges = tuple(reach for reach in design.ps_ranges if reach.slave != "sub/axi_intc")
    device = FakeBoard(dataclasses.replace(design, ps_ranges=ranges))
    with device, pytest.raises(DesignError, match=r"'sub/axi_intc' .* has no address in the processor's map"):
        Interrupt("source/edge1", device=device)


def test_fast_mode_is_switched_off(design: Design) -> None:
    with FakeBoard(changed(design, "axi_intc_0", C_HAS_FAST="1")) as device:
        Interrupt("source/edge0", device=device)
        assert ("axi_intc_0 w", 0x20, 0) in device.accesses


def test_kind_of_input_comes_from_the_source_where_the_controller_does_not_tell(design: Design) -> None:
    with FakeBoard(design) as device:
        device.design = changed(design, "axi_intc_0", C_KIND_OF_INTR=None)
        bench = Bench(device)
        interrupt = pin(bench, "edge0")
        for _ in range(2):
            bench.pulse("edge0")
            interrupt.wait_sync(1)
        device.design = changed(design, "axi_intc_0", C_KIND_OF_INTR="unknown")
        bench.pulse("edge0")
        pin(bench, "edge0").wait_sync(1)


def test_input_that_can_not_be_acknowledged(fake: Bench) -> None:
    assert isinstance(fake.device, FakeBoard)
    interrupt = pin(fake, "level1")
    below = fake.device.parts["sub/axi_intc"]
    real = below.write

    def write(offset: int, value: int) -> None:
        real(offset, value)
        below.output.drive(1)  # a controller whose output is stuck

    below.write = write
    with pytest.raises(InterruptNotClearedError, match="axi_intc_0: inputs 0x8 stay pending"):
        interrupt.wait_sync(0.1)


def test_controller_that_cannot_be_read_fails_all_blocked_threads(fake: Bench) -> None:
    assert isinstance(fake.device, FakeBoard)
    board = fake.device
    errors: list[BaseException] = []

    def wait(name: str) -> None:
        try:
            pin(fake, name).wait_sync(5)
        except PynqError as error:
            errors.append(error)

    threads = [threading.Thread(target=wait, args=(name,)) for name in ("edge0", "edge1", "level0")]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    for window in board.windows:
        window.invalidate("gone")
    board.parts["axi_intc_0"].inputs[1].drive(1)
    for thread in threads:
        thread.join(60)
    assert len(errors) == 3
    assert all("gone" in str(error) for error in errors)


def test_timeout_where_the_controller_can_not_be_read(fake: Bench) -> None:
    assert isinstance(fake.device, FakeBoard)
    board = fake.device
    interrupt = pin(fake, "edge0")
    thread = later(lambda: [window.invalidate("gone") for window in board.windows])
    with pytest.raises(WaitTimeoutError, match=r"axi_intc_0 can't be read \(.*gone.*\)"):
        interrupt.wait_sync(0.1)
    thread.join()


def test_device_that_lost_its_overlay(fake: Bench) -> None:
    interrupt = pin(fake, "edge0")
    fake.device.design = None
    with pytest.raises(OverlayNotLoadedError, match="holds no overlay"):
        interrupt.wait_sync(0.01)
