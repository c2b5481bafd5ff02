"""What would read or write memory that belongs to nobody, or never end, if the native code let it."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from corekit import Bus, Registers, capsule

import pynq.errors
from pynq._native import Arena, Field, MappedBlock, Pool, RegisterBase, Window
from pynq.errors import AccessError, AlignmentError, OverlayNotLoadedError


@pytest.fixture
def file() -> Iterator[int]:
    descriptor = os.memfd_create("short")
    yield descriptor
    os.close(descriptor)


def nothing(*_: int) -> int:
    return 0


# -- blocks -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["memory", "bus", "functions"])
@pytest.mark.parametrize("widest", [4, 8])
def test_a_block_is_whole_accesses(kind: str, widest: int) -> None:
    """Twelve bytes in beats of eight went four bytes too far."""
    registers = Registers(0x100)
    window = registers.window(kind, widest=widest)
    whole = bytearray(b"\xee" * 16)
    message = "a block of 12 bytes at offset 0x8: the size must be a multiple of 8"
    with pytest.raises(AlignmentError, match=message):
        window.read_into(8, memoryview(whole)[:12], 8)
    assert whole == b"\xee" * 16
    with pytest.raises(AlignmentError, match=message):
        window.write(8, b"\xaa" * 12, 8)
    assert not registers.bytes.any()
    window.write(4, bytes(range(16)), 8)
    window.read_into(4, whole, 8)
    assert whole == bytes(range(16))


def test_a_field_called_object_is_no_python_object() -> None:
    words = np.zeros(4, "u4")
    window = Window.from_memory(words)
    window.write(4, np.array([(5, 6)], [("On", "u4"), ("O", "u4")]))
    assert words.tolist() == [0, 5, 6, 0]
    with pytest.raises(TypeError, match="Python objects"):
        window.write(0, np.array([(5, None)], [("N", "u4"), ("n", "O")]))


# -- windows that are aimed elsewhere meanwhile -----------------------------------------------------------
def aim(window: Window, other: Window) -> None:
    window.__init__(other)  # type: ignore[misc]


def through_bus(read: Callable[..., int], length: int) -> Window:
    def bus_read(_: Any, address: int, width: int, value: Any) -> int:
        value[0] = read(address, width)
        return 0

    bus = Registers(8).bus()
    bus.read = Bus.READ(bus_read)
    bus.write = Bus.WRITE(lambda _, address, width, value: read(address, width) and 0)
    return Window.from_bus(capsule(bus, b"pynq.bus"), 0, length, keep=bus)


def through_functions(read: Callable[..., int], length: int) -> Window:
    return Window.from_functions(read, lambda address, value, width: read(address, width), 0, length)


@pytest.mark.parametrize("make", [through_bus, through_functions])
def test_an_access_goes_on_with_what_was_checked(make: Callable[..., Window]) -> None:
    addresses: list[int] = []

    def read(address: int, width: int) -> int:
        addresses.append(address)
        aim(window, Window.from_memory(bytearray(16)))
        return 7

    def fresh() -> Window:
        addresses.clear()
        return make(read, 1 << 30)

    size = 1 << 16
    window = fresh()
    block = np.zeros(size // 4, "u4")
    window.read_into(1 << 20, block)
    assert block.tolist() == [7] * (size // 4)
    window = fresh()
    window.write(1 << 20, bytes(size))
    assert addresses == list(range(1 << 20, (1 << 20) + size, 4))
    window = fresh()
    assert window.read(1 << 20, 8) == 7 << 32 | 7
    window = fresh()
    window.write(1 << 20, 1, 8)
    assert addresses == [1 << 20, (1 << 20) + 4]
    with pytest.raises(AccessError):
        window.read(1 << 20)


def test_aiming_elsewhere_lets_go_of_the_old_registers_last() -> None:
    seen: list[int] = []

    class Read:
        def __call__(self, address: int, width: int) -> int:
            return 0

        def __del__(self) -> None:
            seen.append(window.read(0))

    window = Window.from_functions(Read(), nothing, 0, 64)
    aim(window, Window.from_memory(bytearray(b"\x05" * 64)))
    assert seen == [0x0505_0505]


def test_a_reason_that_changes_while_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window.from_memory(bytearray(64))
    later = "".join(["invalid", " for another reason"])

    class Told(OverlayNotLoadedError):
        def __init__(self, *text: Any) -> None:
            super().__init__(*text)
            window.invalidate(later)

    monkeypatch.setattr(pynq.errors, "OverlayNotLoadedError", Told)
    before = sys.getrefcount(later)
    for reason in ("first", "second"):
        window.invalidate(reason)
        try:
            raise KeyError  # an exception that is made while another is handled is made at once
        except KeyError:
            with pytest.raises(Told, match=reason):
                window.read(0)
    gc.collect()
    assert window.invalid is later
    assert sys.getrefcount(later) == before + 1


def test_a_name_may_be_left_out() -> None:
    window = Window.from_memory(bytearray(64), name="dma")
    assert window.window(0, 4, None).name == "dma"


# -- addresses --------------------------------------------------------------------------------------------
def test_windows_end_below_the_end_of_addresses() -> None:
    for base, length in ((2**64 - 4, 8), (2**64 - 1, 2), (2, 2**64 - 1)):
        with pytest.raises(ValueError, match=r"would end above 2\*\*64"):
            Window.from_functions(nothing, nothing, base, length)
        bus = Registers(8).bus()
        with pytest.raises(ValueError, match=r"would end above 2\*\*64"):
            Window.from_bus(capsule(bus, b"pynq.bus"), base, length, keep=bus)
    with pytest.raises(ValueError, match=r"8 bytes at address 18446744073709551612 would end above 2\*\*64"):
        Window.from_memory(np.zeros(2, "u4"), 2**64 - 4)
    Window.from_memory(np.zeros(2, "u4"), 2**64 - 8)
    addresses: list[int] = []
    last = Window.from_functions(lambda address, width: addresses.append(address) or 0, nothing, 2**64 - 8, 8)
    last.read(4)
    assert addresses == [2**64 - 4]


def test_fields_lie_in_a_register() -> None:
    for lower, bits in ((2**31 - 1, 1), (1, 2**31 - 1), (64, 1), (63, 2), (-1, 1), (0, 0)):
        with pytest.raises(ValueError, match="don't fit a register"):
            Field("f", lower, bits)


def test_fields_of_a_register_that_was_never_initialised() -> None:
    class Bare(RegisterBase):
        f = Field("f", 0, 1)

    for value in ("x", 2, 1):
        with pytest.raises(TypeError, match="never initialised"):
            Bare().f = value  # type: ignore[assignment]


# -- memory -----------------------------------------------------------------------------------------------
def test_files_that_are_too_short(file: int) -> None:
    os.ftruncate(file, 8192)
    with pytest.raises(ValueError, match="can't map 16384 bytes from offset 0 on: the file has 8192 bytes"):
        Arena(file, 0, 16384, 0)
    with pytest.raises(ValueError, match="can't map 4096 bytes from offset 8192 on: the file has 8192 bytes"):
        Arena(file, 8192, 4096, 0)
    with pytest.raises(ValueError, match="can't map 4097 bytes from offset 4096 on: the file has 8192 bytes"):
        MappedBlock(file, 4096, 4097, 0)
    os.ftruncate(file, 8100)
    assert bytes(memoryview(MappedBlock(file, 4096, 8100 - 4096, 0))) == bytes(8100 - 4096)


def test_garbage_is_collected_while_a_pool_answers() -> None:
    """A buffer in the garbage gives its memory back to the pool that is being asked."""
    pool = Pool(0, 64 * 4096)

    class Buffer:
        def __init__(self) -> None:
            self.circle = self
            self.address = pool.allocate(4096)

        def __del__(self) -> None:
            pool.free(self.address)

    def ask() -> None:
        answers: list[object] = []
        for _ in range(100):
            answers.append(pool.figures())
            with pytest.raises(pynq.errors.AllocationError):
                pool.allocate(1 << 30)
            with pytest.raises(ValueError, match="no block starts at"):
                pool.free(1)
            Buffer()

    before = gc.get_threshold()
    gc.set_threshold(2)
    try:
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert pool.figures()["blocks"] == 0
