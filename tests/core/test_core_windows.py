"""Windows and MMIO: single beats, blocks, floats, waiting, errors; on all three kinds."""

from __future__ import annotations

import gc
import pickle
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from corekit import KINDS, HostDevice, Registers, capsule
from hypothesis import given, settings
from hypothesis import strategies as st

from pynq._native import Window
from pynq.errors import (
    AccessError,
    AlignmentError,
    BusError,
    DeadlockError,
    FieldValueError,
    ModelError,
    OverlayNotLoadedError,
    UnsupportedByDeviceError,
    WaitTimeoutError,
)
from pynq.mmio import MMIO


# -- single accesses ---------------------------------------------------------------------------------------
def test_widths(registers: Registers, kind: str) -> None:
    """1 and 2 bytes are beats of their own, at any offset that is a multiple of them (PYNQ#1087)."""
    window = registers.window(kind)
    window.write(0, 0x11223344)
    window.write(4, 0x55667788)
    assert window.read() == 0x11223344
    assert window.read(4) == window.read(offset=4) == 0x55667788
    assert [window.read(i, 1) for i in range(4)] == [0x44, 0x33, 0x22, 0x11]
    assert [window.read(i, 2) for i in (0, 2)] == [0x3344, 0x1122]
    window.write(1, 0xAB, length=1)
    window.write(6, 0xCDEF, length=2)
    assert window.read(0) == 0x1122AB44
    assert window.read(4) == 0xCDEF7788


def test_eight_bytes_are_two_words(registers: Registers, kind: str) -> None:
    window = registers.window(kind)
    window.write(0, 0x1111111122222222, length=8)
    assert window.read(0, 8) == window.read(0, 8, "little") == 0x1111111122222222
    assert window.read(0, 8, "big") == 0x2222222211111111
    window.write(4, 0x3333333344444444, length=8, word_order="big")
    assert (window.read(4), window.read(8)) == (0x33333333, 0x44444444)
    if kind != "memory":
        assert registers.log[:4] == [("w", 0, 4), ("w", 4, 4), ("r", 0, 4), ("r", 4, 4)]


def test_eight_bytes_in_one_beat_where_the_window_does_64_bits(registers: Registers, kind: str) -> None:
    window = registers.window(kind, widest=8)
    if kind == "memory" and sys.maxsize < 1 << 32:
        assert window.widest == 4  # a 32-bit processor has no such access
    else:
        assert window.widest == 8
    window.write(8, 0x1111111122222222, length=8)
    assert window.read(8, 8) == 0x1111111122222222
    assert window.read(8, 8, "big") == 0x2222222211111111
    assert window.read(12, 8) == 0x11111111
    if kind != "memory":
        assert registers.log[:3] == [("w", 8, 8), ("r", 8, 8), ("r", 8, 8)]
        assert registers.log[3:] == [("r", 12, 4), ("r", 16, 4)]


@pytest.mark.parametrize(
    ("value", "stored"),
    [(-1, 0xFFFFFFFF), (-(2**31), 0x80000000), (2**32 - 1, 0xFFFFFFFF), (True, 1), (np.uint32(7), 7)],
)
def test_integers(registers: Registers, kind: str, value: Any, stored: int) -> None:
    window = registers.window(kind)
    window.write(0, value)
    assert window.read(0) == stored


def test_numpy_scalars(registers: Registers, kind: str) -> None:
    """What PYNQ refused (PYNQ#634)."""
    window = registers.window(kind)
    for value in (np.int8(-2), np.int32(-2), np.int64(-2), np.array(-2)):
        window.write(0, 0)
        window.write(0, value)
        assert window.read(0) == 0xFFFFFFFE
    window.write(0, np.bool_(True))
    assert window.read(0) == 1
    window.write(0, np.float32(1.5))
    assert window.read(0) == 0x3FC00000


@pytest.mark.parametrize(
    ("value", "length"), [(2**32, 4), (-(2**31) - 1, 4), (256, 1), (2**16, 2), (2**64, 8)]
)
def test_values_that_do_not_fit(registers: Registers, kind: str, value: int, length: int) -> None:
    window = registers.window(kind)
    with pytest.raises(FieldValueError, match=rf"{value} does not fit {length} bytes"):
        window.write(0, value, length)
    assert not registers.bytes.any()


def test_floats(registers: Registers, kind: str) -> None:
    """A float is written as its IEEE 754 bits, and read with a dtype (PYNQ#1367)."""
    window = registers.window(kind)
    window.write(0, 1.5)
    assert window.read(0) == 0x3FC00000
    assert window.read(0, dtype="f4") == 1.5
    assert isinstance(window.read(0, dtype=np.float32), float)
    window.write(8, -0.1, length=8)
    assert window.read(8, dtype="f8") == -0.1
    window.write(0, 0.1, dtype="f8")
    assert window.read(0, dtype=np.float64) == 0.1
    window.write(0, 1.5, dtype="f2")
    assert window.read(0, 2) == 0x3E00
    assert window.read(0, dtype="f2") == 1.5
    window.write(0, 3, dtype="f4")
    assert window.read(0) == 0x40400000
    window.write(0, float("inf"))
    assert window.read(0, dtype="f4") == float("inf")
    with pytest.raises(FieldValueError, match="does not fit a 4-byte IEEE 754"):
        window.write(0, 1e300)
    with pytest.raises(FieldValueError, match="4 or 8 bytes"):
        window.write(0, 1.5, length=2)


def test_dtypes(registers: Registers, kind: str) -> None:
    window = registers.window(kind)
    window.write(0, -5)
    assert window.read(0, dtype="i4") == -5
    assert window.read(0, dtype="i8") == 0xFFFFFFFB  # the next word is 0
    assert window.read(0, dtype="i2") == -5
    assert window.read(0, dtype="u1") == 0xFB
    assert window.read(0, dtype=">u2") == 0xFBFF
    assert window.read(0, dtype="?") is True
    window.write(0, 0x1234, dtype="u2")
    assert window.read(0) == 0xFFFF1234
    with pytest.raises(AccessError, match="dtype"):
        window.read(0, dtype="c16")
    with pytest.raises(ValueError, match="give one of the two"):
        window.read(0, 4, dtype="u2")
    with pytest.raises(TypeError, match="not both"):
        window.write(0, 1, 4, dtype="u2")


# -- blocks ------------------------------------------------------------------------------------------------
def test_bytes(registers: Registers, kind: str) -> None:
    window = registers.window(kind)
    window.write(4, b"12345678")
    assert registers.bytes[4:12].tobytes() == b"12345678"
    window.write(0, bytearray(b"abcd"))
    window.write(12, memoryview(b"efgh"))
    assert registers.bytes[:16].tobytes() == b"abcd12345678efgh"
    if kind != "memory":
        assert {width for _, _, width in registers.log} == {4}
    with pytest.raises(AlignmentError, match="block of 3 bytes"):
        window.write(0, b"123")
    window.write(1, b"xyz", length=1)
    assert registers.bytes[:4].tobytes() == b"axyz"


def test_arrays(registers: Registers, kind: str) -> None:
    window = registers.window(kind)
    words = np.arange(16, dtype="u4") * 0x01010101
    window.write(0, words)
    assert np.array_equal(registers.bytes[:64].view("u4"), words)
    window.write(0, words.reshape(4, 4).T)  # not contiguous: what counts is its order
    assert np.array_equal(registers.bytes[:64].view("u4"), words.reshape(4, 4).T.ravel())
    window.write(0, np.arange(3, dtype="u2"))
    assert registers.bytes[:6].tobytes() == b"\0\0\1\0\2\0"
    window.write(8, [1.5, 2.5], dtype="f4")
    assert registers.bytes[8:16].view("f4").tolist() == [1.5, 2.5]
    with pytest.raises(TypeError, match="give a dtype"):
        window.write(0, [1, 2])
    with pytest.raises(TypeError, match="Python objects"):
        window.write(0, np.array([1, None]))
    with pytest.raises(TypeError, match="can't write a str"):
        window.write(0, "1")


def test_read_into(registers: Registers, kind: str) -> None:
    window = registers.window(kind)
    registers.bytes[:32] = np.arange(32)
    for dtype in ("u1", "u2", "u4", "u8"):
        block = np.zeros(16 // np.dtype(dtype).itemsize, dtype)
        window.read_into(8, block, block.itemsize)
        assert block.tobytes() == bytes(range(8, 24))
    with pytest.raises(AlignmentError):
        window.read_into(0, bytearray(3))
    with pytest.raises(AccessError, match="0x1000 bytes long"):
        window.read_into(0xFFC, bytearray(8))
    with pytest.raises((TypeError, BufferError)):
        window.read_into(0, b"1234")


def test_blocks_of_a_bus(registers: Registers) -> None:
    window = registers.window("bus", blocks=True)
    window.write(4, np.arange(8, dtype="u4"))
    block = np.zeros(8, "u4")
    window.read_into(4, block)
    assert block.tolist() == list(range(8))
    assert registers.log == [("W", 4, 4), ("R", 4, 4)]


def test_blocks_of_functions() -> None:
    calls: list[Any] = []

    def single(*_: int) -> int:
        raise AssertionError("a block was asked for")

    window = Window.from_functions(
        single,
        single,
        0x1000,
        64,
        read_block=lambda address, width, count: calls.append(("r", address, width, count)) or b"12345678",
        write_block=lambda address, width, data: calls.append(("w", address, width, data)),
    )
    window.write(4, b"abcdefgh")
    block = bytearray(8)
    window.read_into(8, block, 2)
    assert block == b"12345678"
    assert calls == [("w", 0x1004, 4, b"abcdefgh"), ("r", 0x1008, 2, 4)]
    with pytest.raises(ValueError, match="8 bytes instead of 4"):
        window.read_into(8, bytearray(4))
    with pytest.raises(TypeError, match="read_block must be callable"):
        Window.from_functions(single, single, 0, 4, read_block=1)  # type: ignore[arg-type]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_windows_are_bytes(data: st.DataObject) -> None:
    """Any mix of accesses on any kind of window leaves what the same accesses leave in plain bytes."""
    kind = data.draw(st.sampled_from(KINDS))
    registers = Registers(64)
    window = registers.window(kind, widest=data.draw(st.sampled_from([4, 8])))
    model = bytearray(64)
    for _ in range(data.draw(st.integers(1, 12))):
        width = data.draw(st.sampled_from([1, 2, 4, 8]))
        offset = data.draw(st.integers(-8, 80))
        order = data.draw(st.sampled_from(["little", "big"]))
        legal = 0 <= offset <= 64 - width and offset % min(width, 4) == 0
        if data.draw(st.booleans()):
            value = data.draw(st.integers(-(2 ** (8 * width - 1)), 2 ** (8 * width) - 1))
            if not legal:
                with pytest.raises((AccessError, AlignmentError)):
                    window.write(offset, value, width, order)
                continue
            window.write(offset, value, width, order)
            raw = (value % (1 << 8 * width)).to_bytes(width, "little")
            model[offset : offset + width] = raw[4:] + raw[:4] if order == "big" and width == 8 else raw
        elif not legal:
            with pytest.raises((AccessError, AlignmentError)):
                window.read(offset, width, order)
        else:
            raw = bytes(model[offset : offset + width])
            raw = raw[4:] + raw[:4] if order == "big" and width == 8 else raw
            assert window.read(offset, width, order) == int.from_bytes(raw, "little")
    assert registers.bytes.tobytes() == bytes(model)


# -- errors ------------------------------------------------------------------------------------------------
def test_messages_name_window_offset_and_limit(registers: Registers, kind: str) -> None:
    window = registers.window(kind, name="axi_dma_0")
    with pytest.raises(
        AccessError, match=r"axi_dma_0 .*0x40000000.*read of 4 bytes at offset 0x1000 .* 0x1000 bytes"
    ):
        window.read(0x1000)
    with pytest.raises(AlignmentError, match=r"write of 4 bytes at offset 0x2: .* multiple of 4"):
        window.write(2, 1)
    with pytest.raises(AccessError, match="offset is -4; it must lie within 0 and 4095"):
        window.read(-4)
    with pytest.raises(AccessError, match="read of 3 bytes"):
        window.read(0, 3)
    with pytest.raises(ValueError, match="word_order is 'middle'"):
        window.read(0, 8, "middle")
    with pytest.raises(TypeError):
        window.read("0")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unexpected keyword argument 'ofset'; it takes offset"):
        window.read(ofset=0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="misses the argument 'data'"):
        window.write(0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="multiple values"):
        window.read(0, offset=0)  # type: ignore[misc]
    # what programs written for PYNQ catch
    for error, access in ((IndexError, 0x1000), (ValueError, -4), (MemoryError, 2)):
        with pytest.raises(error):
            window.read(access)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (-1, BusError),
        (-2, AccessError),
        (-3, AlignmentError),
        (-4, AccessError),
        (-6, DeadlockError),
        (-7, KeyboardInterrupt),
        (-8, UnsupportedByDeviceError),
        (-9, OverlayNotLoadedError),
        (-10, ModelError),
    ],
)
def test_what_a_bus_answers(registers: Registers, status: int, error: type[BaseException]) -> None:
    window = registers.window("bus", blocks=True)
    registers.fail = status
    text = None if error is KeyboardInterrupt else "offset 0x8: DECERR from nowhere"
    accesses: list[Callable[[], Any]] = [
        lambda: window.read(8),
        lambda: window.write(8, 1),
        lambda: window.write(8, b"12345678"),
        lambda: window.read_into(8, bytearray(8)),
        lambda: window.wait_until(8, 1, 1),
    ]
    for access in accesses:
        with pytest.raises(error, match=text):
            access()


def test_python_functions_raise_through(registers: Registers) -> None:
    def refuse(*_: int) -> int:
        raise LookupError("no such register")

    window = Window.from_functions(refuse, refuse, 0, 64)
    for access in (lambda: window.read(8), lambda: window.write(8, 1), lambda: window.wait_until(8, 1, 1)):
        with pytest.raises(LookupError, match="no such register"):
            access()
    window = Window.from_functions(lambda address, width: "1", lambda *_: None, 0, 64)  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError):
        window.read(0)


def test_wrong_windows() -> None:
    with pytest.raises(AlignmentError, match="aligned to 4"):
        Window.from_memory(np.zeros(16, "u1")[1:9])
    with pytest.raises((TypeError, BufferError)):
        Window.from_memory(b"read-only bytes.")
    with pytest.raises(ValueError, match="must be 0 or positive"):
        Window.from_functions(lambda a, w: 0, lambda a, v, w: None, -1, 4)
    with pytest.raises(TypeError, match="callable"):
        Window.from_functions(1, 2, 0, 4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="widest is 16"):
        Window.from_memory(bytearray(8), widest=16)
    bus = Registers(8).bus()
    bus.abi = 99
    with pytest.raises(ValueError, match="ABI 99"):
        Window.from_bus(capsule(bus, b"pynq.bus"), 0, 8, keep=bus)
    bus.abi = 1
    with pytest.raises(ValueError, match="incorrect name"):
        Window.from_bus(capsule(bus, b"other"), 0, 8, keep=bus)
    with pytest.raises(TypeError, match="never initialised"):
        Window.__new__(Window).read(0)


def test_invalidation_reaches_every_window(registers: Registers, kind: str) -> None:
    window = registers.window(kind, name="axi_gpio_0")
    part = window.window(0x10, 0x10)
    again = Window(window)
    assert window.invalid is None
    window.invalidate("base.bit was replaced by other.bit; load it again")
    accesses: list[Callable[[Window], Any]] = [
        lambda w: w.read(0),
        lambda w: w.write(0, 1),
        lambda w: w.write(0, b"1234"),
        lambda w: w.read_into(0, bytearray(4)),
        lambda w: w.wait_until(0, 1, 1),
        lambda w: w.window(0, 4),
        lambda w: w.memory,
    ]
    for each in (window, part, again):
        for access in accesses:
            with pytest.raises(OverlayNotLoadedError, match=r"axi_gpio_0.*replaced by other.bit"):
                access(each)
        assert "no longer valid" in repr(each)
    assert not registers.log


def test_parts(registers: Registers, kind: str) -> None:
    window = registers.window(kind, name="top")
    part = window.window(0x100, 0x20, "part")
    part.write(4, 7)
    assert window.read(0x104) == 7
    assert (part.base, part.length, part.name) == (0x4000_0100, 0x20, "part")
    with pytest.raises(AccessError, match=r"part .*0x20 bytes long"):
        part.read(0x20)
    with pytest.raises(AccessError):
        window.window(0xFF0, 0x20)
    assert part.window(0x10, 4).name == "part"


def test_memory_of_a_window(registers: Registers) -> None:
    part = registers.window("memory").window(0x10, 8)
    memory = part.memory
    assert memory is not None
    assert len(memory) == 8
    memory[0] = 5
    assert part.read(0) == 5
    assert registers.window("bus").memory is None


def test_lives(registers: Registers) -> None:
    """A window keeps what it works on, and cycles through it are collected."""
    words = np.zeros(4, "u4")
    window = Window.from_memory(words)
    gone = weakref.ref(words)
    del words
    assert gone() is not None
    window.write(0, 1)
    del window
    assert gone() is None

    class Holder:
        window: Window

        def read(self, address: int, width: int) -> int:
            return 3

        def write(self, address: int, value: int, width: int) -> None: ...

    holder = Holder()
    holder.window = Window.from_functions(holder.read, holder.write, 0, 4)
    assert holder.window.read() == 3
    held = weakref.ref(holder)
    del holder
    gc.collect()
    assert held() is None


# -- waiting -----------------------------------------------------------------------------------------------
def test_wait_until(registers: Registers, kind: str) -> None:
    window = registers.window(kind)
    window.write(4, 0xF2)
    assert window.wait_until(4, 0x0F, 2) == 0xF2
    assert window.wait_until(4, 0, 0, timeout=0) == 0xF2
    started = time.monotonic()
    with pytest.raises(
        WaitTimeoutError, match=r"offset 0x4 still reads 0xF2 after 0.02 s; waited for 0x1 under the mask 0x1"
    ):
        window.wait_until(4, 1, 1, timeout=0.02)
    assert 0.02 <= time.monotonic() - started < 30
    with pytest.raises(FieldValueError, match="can never end"):
        window.wait_until(4, 1, 2)
    with pytest.raises(ValueError, match="timeout is -1"):
        window.wait_until(4, 1, 1, timeout=-1)
    with pytest.raises(AccessError):
        window.wait_until(0x1000, 1, 1)
    window.write(8, 1 << 40, length=8)
    assert window.poll(8, 1 << 40, 1 << 40, width=8) == 1 << 40
    window.write(17, 3, length=1)
    assert window.wait_until(17, 0xFF, 3, width=1) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_other_threads_run_meanwhile(registers: Registers, kind: str) -> None:
    window = registers.window(kind)

    def later() -> None:
        time.sleep(0.05)
        registers.bytes[0] = 1

    thread = threading.Thread(target=later)
    thread.start()
    assert window.wait_until(0, 1, 1, timeout=30) == 1
    thread.join()


def test_a_bus_that_waits_by_itself(registers: Registers) -> None:
    window = registers.window("bus", poll=True)
    registers.poll_status = 0
    assert window.wait_until(0, 1, 1) == 0  # the bus says that it is over
    registers.poll_status = None
    with pytest.raises(WaitTimeoutError, match=r"still reads 0x0 after 1 s.*DECERR from nowhere"):
        window.wait_until(0, 1, 1, timeout=1)
    registers.poll_status = -6
    with pytest.raises(DeadlockError, match="DECERR from nowhere"):
        window.wait_until(0, 1, 1)


def test_invalidation_ends_a_wait(registers: Registers) -> None:
    window = registers.window("memory")
    threading.Timer(0.05, window.invalidate, ["gone"]).start()
    with pytest.raises(OverlayNotLoadedError, match="gone"):
        window.wait_until(0, 1, 1, timeout=30)


@pytest.mark.parametrize(
    "kind", ["memory", "functions"]
)  # ctypes swallows it in callbacks: see the driver's tests
def test_ctrl_c_ends_a_wait(registers: Registers, kind: str) -> None:
    window = registers.window(kind)
    threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        window.wait_until(0, 1, 1, timeout=30)


# -- MMIO --------------------------------------------------------------------------------------------------
def test_mmio(device: HostDevice) -> None:
    mmio = MMIO(0x4000_0100, 0x40, device)
    assert (mmio.base_addr, mmio.length, mmio.device) == (0x4000_0100, 0x40, device)
    mmio.write(0, 5)
    assert mmio.read() == 5
    assert device.registers.window("memory").read(0x100) == 5
    assert mmio.wait_until(0, 1, 1) == 5
    assert mmio.read_block(0, 4).tolist() == [5, 0, 0, 0]
    assert mmio.read_block(0, (2, 2), "u2").tolist() == [[5, 0], [0, 0]]
    assert mmio.read_block(0, 0).tolist() == []
    assert mmio.read_block(0, 1, "c16").tolist() == [complex(mmio.read(0, dtype="f8"))]
    with pytest.raises(AttributeError):
        mmio.typo = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(mmio)
    assert "MMIO" in repr(mmio)
    assert MMIO.of(mmio, device).read() == 5


def test_mmio_arguments(device: HostDevice) -> None:
    with pytest.raises(ValueError, match="neither address nor length may be negative"):
        MMIO(-4, 4, device)
    with pytest.raises(ValueError, match="length=-4"):
        MMIO(0, -4, device)
    with pytest.warns(DeprecationWarning, match="debug"):
        MMIO(0x4000_0000, debug=False, device=device)
    with pytest.raises(TypeError):
        MMIO(0x4000_0000, devise=device)  # type: ignore[call-arg]


def test_array_of_memory(device: HostDevice) -> None:
    mmio = MMIO(0x4000_0100, 0x42, device)
    array = mmio.array
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.uint32
    assert len(array) == 16
    array[3] = 7
    assert mmio.read(12) == 7
    assert mmio.array is array
    device.registers.window("memory")  # other windows change nothing
    mmio.invalidate("gone")
    with pytest.raises(OverlayNotLoadedError):
        _ = mmio.array
    assert MMIO(0x4000_0100, 2, device).array.shape == (0,)


@pytest.mark.parametrize("kind", ["bus", "functions"])
def test_array_of_a_bus(kind: str) -> None:
    with HostDevice(kind) as device:
        mmio = MMIO(0x4000_0100, 0x40, device)
        array = mmio.array
        assert (len(array), array.shape, array.size, array.nbytes, array.ndim) == (16, (16,), 16, 64, 1)
        array[3] = -2
        assert array[3] == array[-13] == mmio.read(12) == 0xFFFFFFFE
        array[0:3] = [1, 2, 3]
        assert array[:4].tolist() == [1, 2, 3, 0xFFFFFFFE]
        array[8:16:2] = 9
        assert array[8:16].tolist() == [9, 0] * 4
        assert array[::-1][:2].tolist() == [0, 9]
        assert np.asarray(array).sum(dtype="u8") == sum(array)
        assert np.array(array, dtype="u8").dtype == np.uint64
        floats = array.view("f4")
        floats[5] = 1.5
        floats[6:8] = [2.5, -1]
        assert floats[5:8].tolist() == [1.5, 2.5, -1]
        assert array[5] == 0x3FC00000
        beats = len(device.registers.log)
        _ = array[2]
        assert len(device.registers.log) == beats + 1
        for index in (16, -17):
            with pytest.raises(IndexError):
                array[index]
        with pytest.raises(ValueError, match="is not memory"):
            array.__array__(copy=False)
        with pytest.raises(TypeError, match="integer or float"):
            array.view("c16")
