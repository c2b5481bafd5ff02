"""Interrupt lines through UIO. What drivers make of them is in ``tests/handles`` (parameter ``uio``)."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import selectors
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakesystem import FakeSystem, FakeUio
from tests import leaks

from pynq.backends.linux.board import Board
from pynq.backends.linux.interrupts import UioLine, interrupt_line
from pynq.backends.linux.uio import Uio, scan
from pynq.errors import BoardBusyError, KernelError, OverlayNotLoadedError, UnsupportedByDeviceError

GIC = 61


@pytest.fixture
def system(tmp_path: Path) -> Iterator[FakeSystem]:
    """Threads, files and locks that a test leaves behind are a fault."""
    threads, files = leaks.threads(), leaks.descriptors()
    system = FakeSystem(tmp_path / "root")
    yield system
    for uio in system.uios.values():
        uio.close()
    assert leaks.started(threads) == []
    assert leaks.opened(files) == []


@pytest.fixture
def uio(system: FakeSystem) -> FakeUio:
    return system.add_uio("timer", 0x4280_0000, gic=GIC)


def open_line(system: FakeSystem, **more: Any) -> UioLine:
    kernel = system.kernel(**more)
    return interrupt_line(kernel, scan(kernel, Board(kernel)), GIC)


@pytest.fixture
def line(system: FakeSystem, uio: FakeUio) -> Iterator[UioLine]:
    line = open_line(system)
    yield line
    line.close()


def later(function: Callable[..., None], *args: Any, delay: float = 0.05) -> threading.Thread:
    timer = threading.Timer(delay, function, args)
    timer.start()
    return timer


# -- one line ----------------------------------------------------------------------------------------------
def test_source_that_is_active_fires_at_once(line: UioLine, uio: FakeUio) -> None:
    uio.set(True)
    line.enable()
    assert line.wait(1)
    assert not line.wait(0.01)  # once for each enable
    line.enable()
    assert line.wait(1)


def test_nothing_fires_before_enable(line: UioLine, uio: FakeUio) -> None:
    assert not line.wait(0)
    uio.set(True)
    assert not line.wait(0.01)
    line.enable()
    assert line.wait(1)


def test_driver_has_the_line_unmasked_from_its_start_on(line: UioLine, uio: FakeUio) -> None:
    assert uio.enabled
    line.disable()
    assert not uio.enabled


def test_firing_before_the_wait_is_kept(line: UioLine, uio: FakeUio) -> None:
    line.enable()
    uio.pulse()
    line.disable()
    assert line.wait(0)
    assert not line.wait(0)


def test_nothing_is_opened_before_the_line_is_used(system: FakeSystem, line: UioLine, uio: FakeUio) -> None:
    assert line._device is None
    other = open_line(system)
    other.enable()
    other.close()
    line.enable()


def test_blocked_thread_wakes_and_does_not_spin(line: UioLine, uio: FakeUio) -> None:
    line.enable()
    timer = later(uio.pulse, delay=0.3)
    used = time.thread_time()
    assert line.wait(100)
    assert time.thread_time() - used < 0.05
    timer.join()


def test_time_out(line: UioLine) -> None:
    line.enable()
    start = time.monotonic()
    assert not line.wait(0.05)
    assert 0.04 < time.monotonic() - start < 30


def test_ctrl_c_ends_a_wait_at_once(line: UioLine, uio: FakeUio) -> None:
    line.enable()
    timer = later(os.kill, os.getpid(), signal.SIGINT)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        line.wait()
    assert time.monotonic() - start < 30
    timer.join()
    uio.pulse()
    assert line.wait(1)


def test_no_call_blocks_for_ever(line: UioLine, uio: FakeUio, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that comes just before poll() does not end it: Python sees it when the call returns."""
    line.enable()
    asked: list[float] = []
    real = select.poll

    class Poll:
        def __init__(self) -> None:
            self._poll = real()
            self.register = self._poll.register

        def poll(self, milliseconds: float) -> list[tuple[int, int]]:
            asked.append(milliseconds)
            if len(asked) < 5:
                return []
            if len(asked) == 5:
                uio.pulse()
            return self._poll.poll(milliseconds)

    monkeypatch.setattr(select, "poll", Poll)
    assert line.wait()
    assert len(asked) > 5
    assert max(asked) <= 1000


def test_signal_with_a_handler_does_not_end_a_wait(line: UioLine, uio: FakeUio) -> None:
    came = []
    before = signal.signal(signal.SIGUSR1, lambda *_: came.append(1))
    line.enable()
    timers = [later(os.kill, os.getpid(), signal.SIGUSR1), later(uio.pulse, delay=0.1)]
    assert line.wait(100)
    assert came
    for timer in timers:
        timer.join()
    signal.signal(signal.SIGUSR1, before)


# -- many waits --------------------------------------------------------------------------------------------
def test_each_firing_ends_one_wait_of_many_threads(line: UioLine, uio: FakeUio) -> None:
    line.enable()
    ended: list[bool] = []
    threads = [threading.Thread(target=lambda: ended.append(line.wait(100))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for count in range(1, 5):
        uio.pulse()
        end = time.monotonic() + 100
        while len(ended) < count and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(0.01)
        assert ended == [True] * count
        line.enable()
    for thread in threads:
        thread.join()


def test_tasks_and_threads_wait_for_one_line(line: UioLine, uio: FakeUio) -> None:
    async def main() -> None:
        line.enable()
        tasks = [asyncio.create_task(line.wait_async()) for _ in range(3)]
        thread = threading.Thread(target=line.wait, args=(100,))
        thread.start()
        for _ in range(4):
            await asyncio.sleep(0.01)
            line.enable()
            uio.pulse()
        await asyncio.wait_for(asyncio.gather(*tasks), 30)
        await asyncio.to_thread(thread.join)

    asyncio.run(main())


def test_loops_in_several_threads(line: UioLine, uio: FakeUio) -> None:
    line.enable()
    threads = [threading.Thread(target=lambda: asyncio.run(line.wait_async())) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        line.enable()
        uio.pulse()
        time.sleep(0.005)


def test_cancelled_wait_leaves_no_reader(line: UioLine, uio: FakeUio) -> None:
    async def main() -> None:
        line.enable()
        task = asyncio.create_task(line.wait_async())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        loop: Any = asyncio.get_running_loop()
        assert not loop.remove_reader(line._device)
        uio.pulse()
        await asyncio.wait_for(line.wait_async(), 30)  # the firing is still there

    asyncio.run(main())


def test_firing_that_was_taken_for_a_cancelled_wait_goes_to_the_next(line: UioLine, uio: FakeUio) -> None:
    async def main() -> None:
        line.enable()
        first = asyncio.create_task(line.wait_async())
        await asyncio.sleep(0.01)
        second = asyncio.create_task(line.wait_async())
        await asyncio.sleep(0.01)
        uio.pulse()
        line._readable(asyncio.get_running_loop())  # the firing is on its way to the first
        first.cancel()
        await asyncio.wait_for(second, 30)
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not line.wait(0)

    asyncio.run(main())


class Blind(asyncio.SelectorEventLoop):
    """A loop that watches no descriptors of its users."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())

    def add_reader(self, *_: Any) -> None:
        raise NotImplementedError


def test_loop_without_readers(line: UioLine, uio: FakeUio) -> None:
    async def main() -> None:
        line.enable()
        cancelled = asyncio.create_task(line.wait_async())
        await asyncio.sleep(0.01)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        timer = later(uio.pulse)
        await asyncio.wait_for(line.wait_async(), 30)
        timer.join()
        closing = asyncio.create_task(line.wait_async())
        await asyncio.sleep(0.01)
        line.close()
        with pytest.raises(OverlayNotLoadedError):
            await closing

    loop = Blind()
    loop.run_until_complete(main())
    loop.close()


# -- whose line it is --------------------------------------------------------------------------------------
def test_line_of_another_process(system: FakeSystem, line: UioLine, uio: FakeUio) -> None:
    line._kernel.fail[("flock", "/dev/uio0")] = errno.EWOULDBLOCK  # type: ignore[attr-defined]
    with pytest.raises(BoardBusyError, match=r"/dev/uio0 \(interrupt 61, timer\) belongs to another"):
        line.enable()
    assert uio.enabled  # nothing of the other's was touched
    line.enable()


def test_child_of_a_fork_does_not_take_the_parents_firings(line: UioLine, uio: FakeUio) -> None:
    line.enable()
    child = os.fork()
    if not child:
        status = 1
        try:
            line.wait(0)
        except BoardBusyError:
            line.close()
            status = 0
        os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert uio.enabled
    uio.pulse()
    assert line.wait(1)


def test_line_that_no_device_carries(system: FakeSystem, uio: FakeUio) -> None:
    kernel = system.kernel()
    with pytest.raises(UnsupportedByDeviceError) as caught:
        interrupt_line(kernel, scan(kernel, Board(kernel)), 62)
    text = str(caught.value)
    for part in ("interrupt 62", "61 (timer, /dev/uio0)", 'compatible = "generic-uio"', "<0 30 4>"):
        assert part in text


# -- the end -----------------------------------------------------------------------------------------------
def test_close_masks_and_ends_waits(line: UioLine, uio: FakeUio) -> None:
    async def main() -> None:
        line.enable()
        failures: list[Exception] = []

        def wait() -> None:
            try:
                line.wait()
            except OverlayNotLoadedError as error:
                failures.append(error)

        threads = [threading.Thread(target=wait) for _ in range(2)]
        for thread in threads:
            thread.start()
        task = asyncio.create_task(line.wait_async())
        await asyncio.sleep(0.05)
        line.close()
        with pytest.raises(OverlayNotLoadedError, match="interrupt 61"):
            await asyncio.wait_for(task, 100)
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert len(failures) == 2

    asyncio.run(main())
    assert not uio.enabled
    line.close()
    with pytest.raises(OverlayNotLoadedError):
        line.enable()


def test_device_that_goes_ends_waits_with_one_error(line: UioLine, uio: FakeUio) -> None:
    line.enable()
    timer = later(uio.close)  # the overlay was removed
    with pytest.raises(KernelError, match="/dev/uio0"):
        line.wait(5)
    timer.join()


def use(line: UioLine) -> None:
    line.enable()
    line.wait(1)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EBUSY, errno.EIO])
@pytest.mark.parametrize("operation", ["open", "flock", "write", "poll", "eventfd", "read"])
def test_each_call_that_fails_gives_one_error_and_the_next_works(
    system: FakeSystem, uio: FakeUio, operation: str, number: int
) -> None:
    line = open_line(system, fail={(operation, "/dev/uio0*"): number})
    refused: type[Exception] = (
        BoardBusyError if (operation, number) == ("flock", errno.EACCES) else KernelError
    )
    uio.set(True)
    with pytest.raises(refused, match="/dev/uio0"):
        use(line)
    line.enable()
    assert line.wait(1)
    line.close()


# -- PCI functions -----------------------------------------------------------------------------------------
class Function(FakeUio):
    """``uio_pci_generic``: nothing to write to; masked by bit 10 of COMMAND."""

    def __init__(self, system: FakeSystem) -> None:
        super().__init__(system, 0, [])
        self.config = "/sys/bus/pci/devices/0000:00:04.0/config"
        system.file(self.config, bytes(4) + b"\x06\x00" + bytes(58))
        system.file(self.name, b"")
        system.uios[self.name] = self
        system.openers[self.name] = self.open
        system.on("write", self.name, self.refuse, when="before")
        system.on("pwrite", self.config, lambda name: self._fire())

    def refuse(self, name: str) -> None:
        raise OSError(errno.ENOSYS, "no irqcontrol")

    @property
    def command(self) -> int:
        return int(struct.unpack_from("<H", self.system.path(self.config).read_bytes(), 4)[0])

    @property
    def enabled(self) -> bool:
        return not self.command & 0x400

    @enabled.setter
    def enabled(self, value: bool) -> None:
        if hasattr(self, "config"):
            data = bytearray(self.system.path(self.config).read_bytes())
            struct.pack_into("<H", data, 4, self.command & ~0x400 | (0 if value else 0x400))
            self.system.path(self.config).write_bytes(data)


def test_pci_function(system: FakeSystem) -> None:
    function = Function(system)
    uio = Uio(0, "uio_pci_generic", (), (GIC,), "/sys/bus/pci/devices/0000:00:04.0", "")
    line = UioLine(system.kernel(), uio, GIC)
    line.disable()
    assert function.command == 0x406
    function.set(True)
    assert not line.wait(0)
    line.enable()
    assert line.wait(1)
    assert function.command == 0x406
    function.set(False)
    line.enable()
    assert function.command == 0x006
    line.close()
    assert function.command == 0x406


def test_platform_device_that_cannot_be_unmasked(system: FakeSystem, uio: FakeUio, line: UioLine) -> None:
    line._kernel.fail[("write", "/dev/uio0")] = errno.ENOSYS  # type: ignore[attr-defined]
    with pytest.raises(KernelError, match="ENOSYS"):
        line.enable()
