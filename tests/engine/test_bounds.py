"""What bounds a wait that can't end, and what a wait that was broken off leaves behind."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from pynq._native import Window
from pynq.backends.sim._engine import Engine, Host
from pynq.errors import DeadlockError, OverlayNotLoadedError


@pytest.fixture(params=[True, False], ids=["deterministic", "host-time"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = Engine(deterministic=request.param)
    yield engine
    engine.close()


def ticking(engine: Engine, cycles: int) -> tuple[Host, Window]:
    """Make an IP that wakes every so many cycles for ever and does nothing; and a window on its register."""
    clock = engine.clock("clk", 100e6)
    host = engine.host("core", clock)
    host.add_slave("s", range=4096)
    host.add_register(0, name="STATUS")
    host.add_output("irq")
    host.wire("irq", engine.net("irq"))
    engine.space("PS", ps=True).map(0x4000_0000, 0x4000_0FFF, host)

    def tick() -> None:
        host.after(cycles, tick)

    engine.elaborate()
    host.after(1, tick)
    return host, Window.from_bus(engine.bus, 0x4000_0000, 4096, keep=engine)  # type: ignore[arg-type]


def test_a_model_that_wakes_every_cycle_does_not_keep_a_dead_wait_alive(engine: Engine) -> None:
    _, window = ticking(engine, 1)
    engine.idle_events = 50_000
    irq = engine.irq(61, engine.net("other"))
    irq.enable()
    began = engine.now
    assert engine.run_until(irq) == "quiet"
    assert engine.now - began == pytest.approx(50_000 * 10_000, rel=0.01)
    with pytest.raises(DeadlockError, match=r"STATUS|0x40000000"):
        window.poll(0, 1, 1)


def test_the_number_of_events_is_bounded_by_default(engine: Engine) -> None:
    assert engine.idle_events == 2_000_000
    assert Engine(idle_events=5).idle_events == 5


def test_what_gets_on_is_not_bounded(engine: Engine) -> None:
    host, window = ticking(engine, 1)
    engine.idle_events = 20_000
    host.after(15_000, lambda: host.set(0, 0))
    for _ in range(4):  # accesses in between count
        engine.run(150_000_000)
        window.read(0)
    host.after(15_000, lambda: host.set(0, 1))
    assert window.poll(0, 1, 1) & 1


@pytest.mark.parametrize("dead", [True, False], ids=["dead", "interrupted"])
def test_a_wait_that_was_broken_off_is_no_pause(dead: bool) -> None:
    """Host time spent in a wait is not caught up with again at the next access."""
    engine = Engine(deterministic=False, patience=0.5)
    host, window = ticking(engine, 100_000)  # a millisecond
    host.reset()  # the timer is forgotten: quiet
    end = threading.Event()
    company = threading.Thread(target=end.wait)
    company.start()
    try:
        if dead:
            with pytest.raises(DeadlockError):
                window.poll(0, 1, 1)
        else:

            def stop(*_: object) -> None:
                raise KeyboardInterrupt

            before = signal.signal(signal.SIGALRM, stop)
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            try:
                with pytest.raises(KeyboardInterrupt):
                    window.poll(0, 1, 1)
            finally:
                signal.signal(signal.SIGALRM, before)
        began, since = engine.now, time.monotonic()
        window.read(0)
        assert engine.now - began < (time.monotonic() - since + 0.1) * 1e12
    finally:
        end.set()
        company.join()
        engine.close()


def test_later_uses_say_why_the_engine_ended(engine: Engine) -> None:
    _, window = ticking(engine, 10)
    engine.close("design 'a' is no longer loaded")
    engine.close("something else")
    for use in (lambda: window.read(0), lambda: engine.run(1), lambda: engine.read(0x4000_0000)):
        with pytest.raises(OverlayNotLoadedError, match="design 'a' is no longer loaded"):
            use()
