"""Buffers: addresses of views, the end of a buffer's life, caches, the memory they come from."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from corekit import MEMORY_BASE, HostDevice
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pynq._native import Arena, MappedBlock, Pool
from pynq.buffer import PynqBuffer, allocate
from pynq.device import Device
from pynq.errors import AllocationError, BufferFreedError, NotDeviceMemoryError
from pynq.memory import leaks

PAGE = os.sysconf("SC_PAGESIZE")


# -- what it is --------------------------------------------------------------------------------------------
def test_allocate(device: HostDevice) -> None:
    buffer = allocate(shape=(32, 32), dtype="f4", device=device)
    assert isinstance(buffer, PynqBuffer)
    assert isinstance(buffer, np.ndarray)
    assert (buffer.shape, buffer.dtype, buffer.device) == ((32, 32), np.float32, device)
    assert not buffer.any()
    buffer[:] = 1.5
    assert device.peek(buffer.physical_address, 4) == np.float32(1.5).tobytes()
    device.poke(buffer.physical_address + 8, np.float32(9).tobytes())
    assert buffer[0, 2] == 9
    assert buffer.physical_address == buffer.device_address
    assert buffer.virtual_address == buffer.__array_interface__["data"][0]
    assert buffer.physical_address % 4096 == 0
    assert buffer.coherent
    assert not buffer.cacheable
    assert not buffer.freed
    assert buffer.bo is buffer.block


def test_arguments(device: HostDevice) -> None:
    assert allocate(5, device=device).dtype == np.uint32
    assert allocate((), "u1", device=device).shape == ()
    assert allocate([2, 3], device=device).shape == (2, 3)  # type: ignore[arg-type]
    assert allocate((0, 3), device=device).size == 0
    assert allocate((2,), [("a", "u4"), ("b", "f8")], device=device)["b"].dtype == np.float64
    assert allocate((2,), ("u4", (3,)), device=device).shape == (2, 3)
    assert allocate(4, target=device).device is device
    allocate(4, target="bank1", device=device)
    assert device.targets[-1] == "bank1"
    with pytest.raises(TypeError, match="Python objects"):
        allocate(4, object, device=device)
    with pytest.raises(TypeError, match="unknown keywords: colour"):
        allocate(4, device=device, colour="red")
    with pytest.raises(ValueError, match="must not be negative"):
        allocate(-4, device=device)
    with pytest.raises(ValueError, match="negative"):
        allocate((-4, -4), device=device)
    with pytest.raises(MemoryError):
        allocate((1 << 40, 1 << 40), device=device)
    assert device.arena.figures()["blocks"] == 0


def test_memory_is_zeroed(device: HostDevice) -> None:
    for size in (16, PAGE, 1 << 20):
        buffer = allocate(size, "u1", device=device)
        place = buffer.physical_address
        buffer[:] = 0xFF
        del buffer
        buffer = allocate(size, "u1", device=device)
        assert buffer.physical_address == place
        assert not buffer.any()
        buffer.freebuffer()
        device.poke(place, b"\xff" * size)
        buffer = allocate(size, "u1", device=device)
        assert not buffer.any()
        del buffer


def test_views_know_their_address(device: HostDevice) -> None:
    buffer = allocate((8, 8), "u4", device=device)
    base = buffer.physical_address
    assert buffer[2].physical_address == base + 64
    assert buffer[2:, 3].physical_address == base + 76
    assert buffer[::-1].physical_address == base + 7 * 32
    assert buffer.T[1].physical_address == base + 4
    assert buffer[2:][1:].physical_address == base + 96
    assert buffer.reshape(64)[10:].offset == 40
    assert buffer.view("u1")[0, 5:].physical_address == base + 5
    assert buffer.view("u2").reshape(8, 16)[1].physical_address == base + 32
    assert np.asarray(buffer)[3:].view(PynqBuffer).physical_address == base + 96
    assert buffer[2].device is device
    assert buffer[2].bo is buffer.bo
    view = buffer[1:3]
    del buffer
    gc.collect()
    assert view.physical_address == base + 32
    assert device.arena.figures()["blocks"] == 1
    del view
    assert device.arena.figures()["blocks"] == 0


def test_results_are_ordinary_arrays(device: HostDevice) -> None:
    buffer = allocate(4, "u4", device=device)
    for result in (
        buffer + buffer,
        buffer.copy(),
        np.sqrt(buffer),
        buffer.astype("f4"),
        buffer[[0, 1]],
        buffer[buffer == 0],
        np.concatenate([buffer, buffer]),
        copy.copy(buffer),
        copy.deepcopy(buffer),
    ):
        assert not hasattr(result, "physical_address")
        if isinstance(result, PynqBuffer):
            for action in (
                lambda r=result: r.physical_address,
                lambda r=result: r.flush(),
                lambda r=result: r.coherent,
                lambda r=result: r.native,
            ):
                with pytest.raises(NotDeviceMemoryError, match=r"no device memory.*out=buffer"):
                    action()
            assert result.device is None
            assert not result.freed
            result.freebuffer()
    np.add(buffer, 1, out=buffer)
    assert buffer.sum() == 4
    assert isinstance(buffer.sum(), np.integer)
    assert isinstance(np.max(buffer), np.integer)
    assert f"{buffer.mean():.2f}" == "1.00"
    assert buffer.reshape(2, 2).sum(axis=0).tolist() == [2, 2]
    assert isinstance(buffer[0], np.uint32)
    buffer += 1
    assert buffer.physical_address == MEMORY_BASE


def test_pickling_gives_an_ordinary_array(device: HostDevice) -> None:
    buffer = allocate(4, "u4", device=device)
    buffer[:] = [1, 2, 3, 4]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(buffer[1:], protocol))  # noqa: S301
        assert type(back) is np.ndarray
        assert back.tolist() == [2, 3, 4]
    buffer.freebuffer()
    with pytest.raises(BufferFreedError):
        pickle.dumps(buffer)


# -- its end -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [64, PAGE, 1 << 20])
def test_freebuffer(device: HostDevice, size: int) -> None:
    """Where PYNQ ends in a segmentation fault, uses are refused and stale views see zeros."""
    buffer = allocate(size, "u1", device=device)
    place = buffer.physical_address
    stale = [buffer[1:], np.asarray(buffer), memoryview(buffer)]
    buffer[:] = 7
    buffer.freebuffer()
    assert buffer.freed
    assert stale[0].freed
    for action in (
        lambda: buffer.physical_address,
        lambda: buffer.device_address,
        lambda: stale[0].physical_address,
        lambda: buffer[0],
        lambda: buffer[2:],
        lambda: buffer.__setitem__(0, 1),
        lambda: list(buffer),
        lambda: buffer + 1,
        lambda: np.sum(buffer),
        lambda: np.copyto(buffer, 1),
        lambda: buffer.offset,
        lambda: buffer.bo,
        lambda: buffer.coherent,
        lambda: buffer.cacheable,
        lambda: buffer.flush(),
        lambda: buffer.invalidate(),
        lambda: buffer.sync_to_device(),
        lambda: buffer.sync_from_device(),
        lambda: buffer.native,
        lambda: buffer.__enter__(),
    ):
        with pytest.raises(
            BufferFreedError, match=f"buffer of .* at 0x{place:x} was freed; allocate a new one"
        ):
            action()
    assert "freed" in repr(buffer)
    buffer.freebuffer()
    buffer.close()
    other = allocate(size, "u1", device=device)
    other[:] = 9
    for view in stale:
        assert not np.asarray(view).any()
    for view in stale:
        view[0] = 5  # harmless: nobody's memory
    assert (other == 9).all()
    assert (np.frombuffer(device.peek(other.physical_address, size), "u1") == 9).all()
    assert not other.freed


def test_a_view_frees_the_whole(device: HostDevice) -> None:
    buffer = allocate((4, 4), device=device)
    buffer[1].freebuffer()
    assert buffer.freed


def test_with(device: HostDevice) -> None:
    with allocate(4, device=device) as buffer:
        buffer[:] = 1
        buffer.freebuffer()
    with pytest.raises(RuntimeError, match="mine"), allocate(4, device=device) as buffer:
        raise RuntimeError("mine")
    assert buffer.freed
    assert device.arena.figures()["free"] == device.arena.figures()["size"]


def test_memory_comes_back_for_whoever_needs_it(device: HostDevice) -> None:
    """Freed memory can be had again although views of it are still around (tensil#27, tensil#91)."""
    kept = []
    for round_ in range(8):
        buffer = allocate(1 << 20, "u4", device=device)  # all there is
        assert not buffer.any()
        buffer[:] = round_
        kept.append(buffer[5:])
        buffer.freebuffer()
    small = []
    for _ in range(2):
        buffers = [allocate(PAGE, "u1", device=device) for _ in range((1 << 22) // PAGE)]
        for each in buffers:
            each[:] = 3
            each.freebuffer()
        small += buffers
    last = allocate(1 << 20, "u4", device=device)
    last[:] = 1
    assert not any(np.asarray(each).any() for each in kept + small)
    assert (last == 1).all()


def test_exhaustion(device: HostDevice) -> None:
    buffers = [allocate(1 << 20, "u1", device=device) for _ in range(3)]
    del buffers[1]
    with pytest.raises(AllocationError) as caught:
        allocate(3 << 20, "u1", device=device)
    message = str(caught.value)
    assert "memory of host:memory: no room for 3145728 bytes" in message
    assert "2097152 of 4194304 bytes are free in 2 pieces, the largest 1048576 bytes; 2 blocks" in message
    assert "freebuffer" in message
    assert isinstance(caught.value, MemoryError)
    assert allocate(1 << 20, "u1", device=device).size == 1 << 20


def test_lives_end_once(device: HostDevice) -> None:
    released = []
    fd = os.memfd_create("one")
    os.ftruncate(fd, PAGE)
    block = MappedBlock(fd, 0, 100, 0x1000, lambda: released.append(1), coherent=False)
    view = memoryview(block)  # type: ignore[arg-type]
    assert len(view) == 100
    view[0] = 7
    assert os.pread(fd, 1, 0) == b"\7"
    block.release()
    block.release()
    assert released == [1]
    assert block.released
    assert view[0] == 0
    view[0] = 9
    assert os.pread(fd, 1, 0) == b"\7"
    gone = weakref.ref(block)
    del block
    assert gone() is not None
    del view
    assert gone() is None
    assert released == [1]
    block = MappedBlock(fd, 0, 100, 0x1000, lambda: released.append(2))
    assert repr(block) == "<MappedBlock: 100 bytes at 0x00001000>"
    del block
    assert released == [1, 2]
    with pytest.raises(OSError, match="can't map device memory: Bad file descriptor"):
        MappedBlock(-1, 0, 100, 0)
    with pytest.raises(ValueError, match="offset must be a multiple"):
        MappedBlock(fd, 1, 100, 0)
    os.close(fd)


def test_a_failing_release_is_told(recwarn: pytest.WarningsRecorder) -> None:
    fd = os.memfd_create("one")
    os.ftruncate(fd, PAGE)

    def refuse() -> None:
        raise LookupError("busy")

    block = MappedBlock(fd, 0, 100, 0x1000, refuse)
    with pytest.raises(LookupError, match="busy"):
        block.release()
    assert block.released
    block.release()
    os.close(fd)


def test_fork_leaves_the_parent_s_memory_alone(device: HostDevice) -> None:
    buffer = allocate(16, "u1", device=device)
    buffer[:] = 3
    child = os.fork()
    if child == 0:  # pragma: no cover
        status = 1
        try:
            buffer.freebuffer()
            allocate(16, "u1", device=device)
        except AllocationError as error:
            status = 0 if "fork" in str(error) else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert (buffer == 3).all()


# -- caches ------------------------------------------------------------------------------------------------
def test_cache_maintenance() -> None:
    with HostDevice(coherent=False) as device:
        buffer = allocate((4, 8), "u4", device=device)
        base = buffer.physical_address
        assert buffer.cacheable
        buffer.flush()
        buffer.invalidate()
        buffer.sync_to_device()
        buffer.sync_from_device()
        assert device.synced == [(base, 128, "to_device"), (base, 128, "from_device")] * 2
        device.synced.clear()
        buffer[1:3].flush()
        buffer[1, 2:4].invalidate()
        buffer[:, 2].flush()
        buffer[::-1, ::-1].flush()
        buffer.T.flush()
        buffer[0:0].flush()
        assert device.synced == [
            (base + 32, 64, "to_device"),
            (base + 40, 8, "from_device"),
            (base + 8, 3 * 32 + 4, "to_device"),
            (base, 128, "to_device"),
            (base, 128, "to_device"),
        ]
        with HostDevice() as coherent:
            allocate(4, device=coherent).flush()
            assert not coherent.synced


# -- devices of PYNQ's protocol ----------------------------------------------------------------------------
class OldDevice(Device):
    """A device as third parties wrote them for PYNQ."""

    def __init__(self) -> None:
        super().__init__("old")
        self.calls: list[tuple[Any, ...]] = []

    def allocate(self, shape: Any, dtype: Any = "u4", **kwargs: Any) -> Any:
        self.calls.append(("allocate", kwargs))
        memory = np.zeros(shape, dtype)
        return PynqBuffer(
            shape, dtype, bo=77, device=self, buffer=memory, device_address=0x8000, coherent=False
        )

    def flush(self, bo: int, offset: int, address: int, nbytes: int) -> None:
        self.calls.append(("flush", bo, offset, nbytes))

    def invalidate(self, bo: int, offset: int, address: int, nbytes: int) -> None:
        self.calls.append(("invalidate", bo, offset, nbytes))


def test_devices_that_allocate_themselves() -> None:
    device = OldDevice()
    buffer = allocate((4, 4), "u2", device=device, cacheable=False)
    assert device.calls == [("allocate", {"cacheable": False})]
    assert (buffer.bo, buffer.device, buffer.device_address, buffer.coherent) == (77, device, 0x8000, False)
    assert buffer[1].physical_address == 0x8008
    buffer.flush()
    buffer[1].invalidate()
    assert device.calls[1:] == [("flush", 77, 0, 32), ("invalidate", 77, 8, 8)]
    buffer.freebuffer()
    with pytest.raises(BufferFreedError):
        buffer.flush()

    class Bank:
        """One of a card's memories."""

        def __init__(self) -> None:
            self.device = device

        def allocate(self, shape: Any, dtype: Any, **kwargs: Any) -> Any:
            return PynqBuffer(shape, dtype, device=self.device, device_address=0x9000)

    assert allocate(4, target=Bank()).device_address == 0x9000
    returned = []
    pooled: Any = PynqBuffer(4, "u4")
    pooled.pointer = 5
    pooled.return_to = type("Pool", (), {"return_pointer": lambda self, pointer: returned.append(pointer)})()
    pooled.freebuffer()
    pooled.freebuffer()
    assert returned == [5]


def test_attributes_of_one_s_own(device: HostDevice) -> None:
    buffer: Any = allocate(4, device=device)
    buffer.label = "input"
    assert buffer.label == "input"
    buffer.device = "other"  # numpy 2 has a read-only attribute of this name (PYNQ#1453, #1537)
    assert buffer[1:].device == "other"


# -- leaks -------------------------------------------------------------------------------------------------
PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
from corekit import HostDevice
from pynq.buffer import allocate
device = HostDevice()
def leaky():
    return allocate((256,), "u4", device=device)
kept = leaky()
freed = leaky()
freed.freebuffer()
dropped = leaky()
del dropped
"""


@pytest.mark.parametrize(("debug", "reported"), [("leaks", True), ("x,leaks", True), ("", False)])
def test_leaks_are_reported_at_exit(debug: str, reported: bool) -> None:
    program = PROGRAM.format(folder=os.path.dirname(__file__))
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYNQ_DEBUG": debug},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    if reported:
        assert "1 buffer of 1024 bytes in all was never freed" in run.stderr
        assert f"1024 bytes at 0x{MEMORY_BASE:x}, allocated at" in run.stderr
        assert "<string>:8 in leaky" in run.stderr
        assert "<string>:9 in <module>" in run.stderr
        assert "pynq/buffer.py" not in run.stderr
    else:
        assert run.stderr == ""
    assert run.stdout == ""


def test_watch(device: HostDevice) -> None:
    watch = leaks.Watch()
    first, second = device.arena.allocate(10), device.arena.allocate(20)
    watch.note(first)
    watch.note(second)
    assert "2 buffers of 30 bytes in all were never freed" in watch.report()
    first.release()
    assert "1 buffer of 20 bytes" in watch.report()
    assert "test_core_buffers.py" in watch.report()
    del second
    assert watch.report() == ""


# -- pools -------------------------------------------------------------------------------------------------
def test_pool() -> None:
    pool = Pool(0x1000, 0x5000, name="reserved@1000")
    first, second, third = pool.allocate(1), pool.allocate(0x1001), pool.allocate(0x1000)
    assert (first, second, third) == (0x1000, 0x2000, 0x4000)
    pool.free(second)
    assert pool.allocate(10) == 0x5000  # the tightest fit
    figures = pool.figures()
    assert figures == {
        "base": 0x1000,
        "size": 0x5000,
        "free": 0x2000,
        "largest": 0x2000,
        "pieces": 1,
        "blocks": 3,
    }
    with pytest.raises(AllocationError, match="reserved@1000: no room for 8193 bytes: 8192 of 20480 bytes"):
        pool.allocate(0x2001)
    for address in (0x1000, 0x4000, 0x5000):
        pool.free(address)
    assert pool.figures()["largest"] == 0x5000
    assert pool.allocate(0x100, alignment=0x4000) == 0x4000
    with pytest.raises(ValueError, match="no block starts at"):
        pool.free(0x1000)
    with pytest.raises(ValueError, match="power of two"):
        pool.allocate(1, alignment=3)
    with pytest.raises(ValueError, match="0 or more"):
        pool.allocate(-1)
    with pytest.raises(AllocationError):
        pool.allocate(2**64 - 1)
    with pytest.raises(ValueError, match="multiple of"):
        Pool(1, 0x1000)


def test_pool_and_threads() -> None:
    pool = Pool(0, 1 << 20)
    seen: list[int] = []

    def work() -> None:
        for _ in range(300):
            address = pool.allocate(4096)
            seen.append(address)
            pool.free(address)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1200
    assert pool.figures()["pieces"] == 1


class Life(RuleBasedStateMachine):
    """Blocks of an arena: allocated, written, released, dropped, in any order, with views that stay
    behind."""

    SIZE = 64 * PAGE

    def __init__(self) -> None:
        super().__init__()
        self.fd = os.memfd_create("life")
        os.ftruncate(self.fd, self.SIZE)
        self.arena = Arena(self.fd, 0, self.SIZE, 1 << 32)
        self.live: list[tuple[MappedBlock, Any, int]] = []
        self.stale: list[Any] = []
        self.mark = 0

    def teardown(self) -> None:
        os.close(self.fd)

    @rule(nbytes=st.one_of(st.integers(0, 3 * PAGE), st.sampled_from([17 * PAGE, 20 * PAGE, 40 * PAGE])))
    def allocate(self, nbytes: int) -> None:
        try:
            block = self.arena.allocate(nbytes)
        except AllocationError:
            assert self.arena.figures()["largest"] < max(nbytes, 1)
            return
        view = np.frombuffer(block, "u1") if nbytes else np.zeros(0, "u1")  # type: ignore[call-overload]
        assert not view.any()
        self.mark = self.mark % 255 + 1
        view[:] = self.mark
        self.live.append((block, view, self.mark))

    @precondition(lambda self: self.live)
    @rule(index=st.integers(0, 1 << 20), keep=st.booleans())
    def release(self, index: int, keep: bool) -> None:
        block, view, _ = self.live.pop(index % len(self.live))
        block.release()
        if keep:
            self.stale.append(view)

    @precondition(lambda self: self.live)
    @rule(index=st.integers(0, 1 << 20))
    def drop(self, index: int) -> None:
        self.live.pop(index % len(self.live))

    @precondition(lambda self: self.stale)
    @rule(index=st.integers(0, 1 << 20), write=st.booleans())
    def forget(self, index: int, write: bool) -> None:
        view = self.stale.pop(index % len(self.stale))
        assert not view.any()
        if write:
            view[:] = 0xEE

    @invariant()
    def everyone_has_his_own(self) -> None:
        for block, view, mark in self.live:
            assert (view == mark).all()
            at = block.physical_address - (1 << 32)
            assert os.pread(self.fd, block.nbytes, at) == bytes([mark]) * block.nbytes
        assert not any(view.any() for view in self.stale)
        figures = self.arena.figures()
        used = sum(max(1, -(-block.nbytes // PAGE)) * PAGE for block, _, _ in self.live)
        assert figures["free"] == figures["size"] - used
        assert figures["blocks"] == len(self.live)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
