"""Creation and end: no leak of files, mappings, objects or threads; handles outlive the engine; cycles."""

from __future__ import annotations

import gc
import os
import resource
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from tests import leaks

from pynq.backends.sim._engine import Engine
from pynq.errors import DesignError, OverlayNotLoadedError

from .boards import HostBoard, LoopBoard


def count_mappings() -> int:
    with open("/proc/self/maps") as maps:
        return sum("pynq-sim" in line for line in maps)


class Model:
    """A model that holds its engine and its host: a cycle through the engine's hooks."""

    def __init__(self, engine: Engine, board: HostBoard) -> None:
        self.engine = engine
        self.host = board.model
        self.host.add_slave()
        self.host.add_register(0)
        self.host.on_write(0, self.on_write)
        self.host.on_reset(self.on_write_reset)
        self.host.receive("s_axis", None, self.received)
        engine.net("n").on_change(self.on_write)

    def on_write(self, value: int, previous: int) -> None: ...
    def on_write_reset(self, active: bool) -> None: ...
    def received(self, *args: Any) -> None: ...


@pytest.mark.parametrize("explicit", [True, False])
def test_a_hundred_boards_leave_nothing(explicit: bool) -> None:
    gc.collect()
    files, mappings, threads = leaks.descriptors(), count_mappings(), leaks.threads()
    refs: list[weakref.ref[Any]] = []
    for i in range(100):
        engine = Engine(i)
        board = LoopBoard(engine, memory=1 << 30) if i % 2 else HostBoard(engine, memory=1 << 30)
        if isinstance(board, HostBoard):
            refs.append(weakref.ref(Model(engine, board)))
        refs.append(weakref.ref(engine))
        board.ddr.write(12345, b"x" * 100_000)
        board.start()
        board.receive(0x1_0000, 4096)
        board.send(0, 4096)
        engine.run(10**7)
        if explicit:
            engine.close()
            engine.close()
    del engine, board
    gc.collect()
    assert [ref for ref in refs if ref() is not None] == []
    assert leaks.opened(files) == []
    assert count_mappings() == mappings
    assert leaks.started(threads) == []


def test_memory_does_not_grow() -> None:
    def cycle() -> None:
        engine = Engine()
        board = HostBoard(engine)
        for _ in range(20):
            board.model.send("m_axis", bytes(4000), True, lambda: None)
            board.model.receive("s_axis", 4000, lambda *a: None)
            board.start()
            board.receive(0, 8000)
            board.send(0, 4000)
            engine.run(10**9)
        engine.close()

    for _ in range(10):
        cycle()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        cycle()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "KiB"


def test_dropping_the_engine_ends_it_although_handles_live() -> None:
    engine = Engine()
    board = LoopBoard(engine)
    ref = weakref.ref(engine)
    net, ddr, dma, link, space, clock, irq = (
        board.nets["S2MM"], board.ddr, board.dma, board.out, board.ps, board.clock, board.irqs["S2MM"],
    )  # fmt: skip
    del engine, board
    gc.collect()
    assert ref() is None
    for use in (
        lambda: net.value,
        lambda: ddr.read(0, 1),
        lambda: dma.explain(),
        lambda: link.statistics,
        lambda: space.ranges(),
        lambda: clock.cycles,
        lambda: irq.enable(),
        lambda: repr(net),
    ):
        with pytest.raises(OverlayNotLoadedError, match="closed"):
            use()
    assert net == net
    assert isinstance(hash(dma), int)


def test_a_closed_engine_refuses(engine: Engine) -> None:
    board = LoopBoard(engine)
    engine.close()
    assert engine.closed
    assert repr(engine) == "<Engine: closed>"
    uses: list[Callable[[], Any]] = [
        lambda: engine.read(0),
        lambda: engine.run(1),
        lambda: engine.run_until(None),
        lambda: engine.net("n"),
        lambda: engine.now,
        lambda: engine.bus,
        lambda: board.start(),
    ]
    for use in uses:
        with pytest.raises(OverlayNotLoadedError):
            use()


def test_memory_file_outlives_the_engine(engine: Engine) -> None:
    import mmap

    memory = engine.memory("ddr", 1 << 20)
    memory.write(0, b"stays")
    view = mmap.mmap(memory.fd, 4096)
    engine.close()
    assert view[:5] == b"stays"
    view.close()


def test_a_memory_file_of_somebody_else(engine: Engine) -> None:
    fd = os.memfd_create("test")
    try:
        os.truncate(fd, 8192)
        memory = engine.memory("ddr", 8192, fd=fd)
        memory.write(4096, b"shared")
        assert os.pread(fd, 6, 4096) == b"shared"
    finally:
        os.close(fd)


def test_an_engine_that_dies_in_its_own_hook() -> None:
    """The last reference goes in a hook, called through the bus: the end waits until the access is over."""
    from pynq._native import Window

    holder: list[Any] = [Engine()]
    host = holder[0].host("ip", holder[0].clock("clk", 1e8))
    host.add_slave()
    host.add_register(0)
    holder[0].space("ps", ps=True).map(0, 0xFFF, host)
    window = Window.from_bus(holder[0].bus, 0, 0x1000)
    host.on_write(0, lambda value, previous: holder.clear())
    window.write(0, 1)
    gc.collect()
    with pytest.raises(OverlayNotLoadedError, match="closed"):
        window.read(0)


def test_parts_of_another_engine_are_refused(engine: Engine) -> None:
    host = engine.host("ip", engine.clock("clk", 1e8))
    host.add_sink("s")
    host.add_master("m")
    host.add_input("i")
    stranger = Engine()
    clock, net, link, space = (
        stranger.clock("c", 1e8),
        stranger.net("n"),
        stranger.link("l", 4),
        stranger.space("s"),
    )
    irq = stranger.irq(1, net)
    own = engine.net("own")
    uses: list[Callable[[], Any]] = [
        lambda: engine.host("x", clock),
        lambda: engine.dma("x", clock),
        lambda: engine.fifo("x", clock),
        lambda: engine.fifo("x", engine.clock("c", 1e8), output_clock=clock),
        lambda: engine.broadcaster("x", clock, 2),
        lambda: engine.irq(1, net),
        lambda: engine.gate("not", "g", [net], own),
        lambda: engine.gate("not", "g", [own], net),
        lambda: engine.run_until(net),
        lambda: engine.run_until(irq),
        lambda: engine.explain(net),
        lambda: engine.explain(irq),
        lambda: host.stream("s", link),
        lambda: host.space("m", space),
        lambda: host.wire("i", net),
        lambda: host.reset_by(net),
    ]
    for close in (lambda: None, stranger.close):
        close()
        for use in uses:
            with pytest.raises(DesignError, match="another engine"):
                use()
