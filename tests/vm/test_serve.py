"""A simulated board that serves its PL by vfio-user, seen from the other end of the socket."""

from __future__ import annotations

import errno
import logging
import mmap
import os
import random
import socket
import struct
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from vfio_kit import (
    BAR,
    BOOL,
    COMMAND,
    CONFIG,
    DMA_MAP,
    DMA_UNMAP,
    EVENTFD,
    GET_INFO,
    HEADER,
    IO_FDS,
    IRQ_INFO,
    MASK,
    NONE,
    READ,
    REGION_INFO,
    RESET,
    SET_IRQS,
    STATUS,
    TRIGGER,
    UNMASK,
    VERSION,
    WRITE,
    WRITE_MULTI,
    Client,
    Machine,
    Refused,
    machine,
)

from pynq.backends.sim import SimDevice
from pynq.backends.sim.serve import Served
from pynq.design.hwh import read_bytes
from pynq.design.model import Design
from pynq.errors import UnmodelledIPWarning, UnsupportedConfiguration, VirtualBoardError
from pynq.sim import Model

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from examples.tools import designs  # noqa: E402

DMA = 0xA000_0000
MM2S_CR, MM2S_SR, MM2S_SA, MM2S_LENGTH = 0x00, 0x04, 0x18, 0x28
S2MM_CR, S2MM_SR, S2MM_DA, S2MM_LENGTH = 0x30, 0x34, 0x48, 0x58
RUN, IOC, HALTED = 1, 1 << 12, 1
MM2S_SPI, S2MM_SPI = 121 - 32, 122 - 32  # UG1085, PL_PS_Group0
SOURCE, TARGET = 0x10_0000, 0x20_0000


def design(name: str = "dma_loopback") -> Design:
    return read_bytes(getattr(designs, name)().to_xml().encode(), f"{name}.hwh")


@pytest.fixture
def board() -> Iterator[Callable[..., SimDevice]]:
    """``board(name, **options)``: a board with one of the examples' designs."""
    made: list[SimDevice] = []

    def make(name: str | Design = "dma_loopback", **options: Any) -> SimDevice:
        device = SimDevice("sim:served", ddr=16 << 20, **options)
        made.append(device)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnmodelledIPWarning)
            device.download(design(name) if isinstance(name, str) else name, None)
        return device

    yield make
    for device in made:
        device.close()


@pytest.fixture
def served(board: Callable[..., SimDevice], tmp_path: Path) -> Iterator[Served]:
    """The DMA loop-back, served."""
    with board().serve(tmp_path) as served:
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    """A client of it."""
    with Client(served.socket) as client:
        yield client


@pytest.fixture
def ram(served: Served) -> Iterator[mmap.mmap]:
    """The RAM, opened by its path as QEMU opens it."""
    path, size = served.ram
    fd = os.open(path, os.O_RDWR)
    with mmap.mmap(fd, size) as memory:
        os.close(fd)
        yield memory


def start(client: Client, *, interrupts: bool = True) -> None:
    for control in (MM2S_CR, S2MM_CR):
        client.write(control, RUN | (IOC if interrupts else 0))


def loop(client: Client, nbytes: int) -> None:
    """Let the DMA carry bytes from SOURCE to TARGET."""
    client.write(S2MM_DA, TARGET)
    client.write(S2MM_LENGTH, nbytes)
    client.write(MM2S_SA, SOURCE)
    client.write(MM2S_LENGTH, nbytes)


def until(condition: Callable[[], object], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


# -- what it is ----------------------------------------------------------------------------------------
def test_the_function_and_its_regions(served: Served, client: Client) -> None:
    assert struct.unpack_from("<HH", client.version) == (0, 0)
    assert b'"write_multiple":true' in client.version
    assert struct.unpack("<IIII", client.ask(GET_INFO, struct.pack("<IIII", 16, 0, 0, 0))) == (16, 3, 9, 5)
    for index in range(9):
        reply = client.ask(REGION_INFO, struct.pack("<IIIIQQ", 32, 0, index, 0, 0, 0))
        size = {BAR: served.bar_size, CONFIG: 256}.get(index, 0)
        assert struct.unpack("<IIIIQQ", reply) == (32, 3 if size else 0, index, 0, size, 0)
    for index in range(5):
        reply = client.ask(IRQ_INFO, struct.pack("<IIII", 16, 0, index, 0))
        assert struct.unpack("<IIII", reply) == (16, 0 if index else 7, index, 0 if index else 1)


def test_configuration_space(served: Served, client: Client) -> None:
    assert client.read(0, 2, CONFIG) == 0x10EE
    assert client.read_bytes(9, 3, CONFIG) == bytes.fromhex("008005")
    assert client.read(0x3D, 1, CONFIG) == 1
    assert client.read(STATUS, 2, CONFIG) == 0
    client.write_bytes(0x10, b"\xff" * 8, CONFIG)
    assert client.read(0x10, 8, CONFIG) == (1 << 64) - served.bar_size | 4
    client.write(0x10, 0x80_0000_0000, 8, CONFIG)
    assert client.read(0x10, 8, CONFIG) == 0x80_0000_0004
    client.write(COMMAND, 0xFFFF, 2, CONFIG)
    assert client.read(COMMAND, 2, CONFIG) == 0x0546
    client.write(0, 0, 2, CONFIG)
    assert client.read(0, 2, CONFIG) == 0x10EE
    client.ask(RESET)
    assert client.read(COMMAND, 2, CONFIG) == 0
    assert client.read(0x10, 8, CONFIG) == 4


def test_apertures_cover_what_the_ps_reaches(board: Callable[..., SimDevice], tmp_path: Path) -> None:
    device = board("dma_loopback")
    with device.serve(tmp_path) as served:
        assert served.apertures == ((DMA, 0x1_0000, 0),)
        assert served.bar_size == 0x1_0000
        assert served.interrupts == (121, 122)


# -- registers -----------------------------------------------------------------------------------------
def test_registers_of_every_width(client: Client) -> None:
    client.write(MM2S_SA, 0x1234_5678)
    assert client.read(MM2S_SA) == 0x1234_5678
    assert client.read(MM2S_SA, 8) == 0x1234_5678
    assert client.read(MM2S_SA, 2) == 0x5678
    assert client.read(MM2S_SA + 2, 2) == 0x1234
    assert [client.read(MM2S_SA + i, 1) for i in range(4)] == [0x78, 0x56, 0x34, 0x12]
    client.write(S2MM_DA, 0x1_8765_4321, 8)
    assert client.read(S2MM_DA) == 0x8765_4321
    assert client.read(S2MM_DA + 4) == 1
    assert client.read_bytes(MM2S_SA, 4 * 16)[:4] == bytes.fromhex("78563412")
    assert client.read_bytes(MM2S_SA + 1, 7) == bytes.fromhex("56341200000000")


def test_several_writes_in_one_message(client: Client) -> None:
    writes = [(MM2S_SA, 0x11), (S2MM_DA, 0x22)]
    payload = struct.pack("<Q", 2) + b"".join(struct.pack("<QIIQ", at, BAR, 4, value) for at, value in writes)
    assert client.ask(WRITE_MULTI, payload) == struct.pack("<Q", 2)
    assert (client.read(MM2S_SA), client.read(S2MM_DA)) == (0x11, 0x22)
    # none is done where one is wrong
    wrong = (
        struct.pack("<Q", 2) + struct.pack("<QIIQ", MM2S_SA, BAR, 4, 9) + struct.pack("<QIIQ", 0, BAR, 9, 9)
    )
    with pytest.raises(Refused, match=str(errno.EINVAL)):
        client.ask(WRITE_MULTI, wrong)
    assert client.read(MM2S_SA) == 0x11


def test_no_reply_is_none(client: Client) -> None:
    client.post(WRITE, struct.pack("<QII", MM2S_SA, BAR, 4) + b"\x55\0\0\0", flags=0x10)
    assert client.read(MM2S_SA) == 0x55


def test_memory_behind_the_pl(board: Callable[..., SimDevice], tmp_path: Path) -> None:
    """Every aperture of a larger design is there and has its own place."""
    device = board("vector_add")
    with device.serve(tmp_path) as served, Client(served.socket) as client:
        ends = sorted((one.offset, one.offset + one.size) for one in served.apertures)
        assert all(low[1] <= high[0] for low, high in zip(ends, ends[1:], strict=False))
        assert ends[-1][1] <= served.bar_size
        for span in device.plant.design.ps_ranges:
            assert any(
                one.address <= span.base and span.high < one.address + one.size for one in served.apertures
            )
        for one in served.apertures:
            assert one.size % 4096 == 0 and one.address % 4096 == 0
            client.read(one.offset)


# -- DMA and interrupts --------------------------------------------------------------------------------
def test_dma_by_registers_into_ram(client: Client, ram: mmap.mmap) -> None:
    data = random.Random(1).randbytes(4096)
    ram[SOURCE : SOURCE + 4096] = data
    start(client)
    client.listen()
    loop(client, 4096)
    assert client.interrupted(5)
    until(lambda: client.read(S2MM_SR) & IOC and client.read(MM2S_SR) & IOC)
    assert ram[TARGET : TARGET + 4096] == data


def test_polling_sees_progress(client: Client, ram: mmap.mmap) -> None:
    """Without an interrupt, and with more bytes than any single access has time for."""
    nbytes = 1 << 19
    ram[SOURCE : SOURCE + nbytes] = data = random.Random(2).randbytes(nbytes)
    start(client, interrupts=False)
    client.write(S2MM_DA, TARGET + nbytes)
    client.write(S2MM_LENGTH, nbytes)
    client.write(MM2S_SA, SOURCE)
    client.write(MM2S_LENGTH, nbytes)
    until(lambda: client.read(S2MM_SR) & IOC)
    assert ram[TARGET + nbytes : TARGET + 2 * nbytes] == data


def test_dma_beyond_ram_is_a_decode_error(client: Client) -> None:
    start(client)
    client.write(MM2S_SA, 0x4000_0000)
    client.write(MM2S_LENGTH, 64)
    until(lambda: client.read(MM2S_SR) & 1 << 6)  # DMADecErr (PG021)


def test_intx_masks_itself_and_fires_again_when_unmasked(client: Client) -> None:
    start(client)
    client.listen()
    loop(client, 64)
    assert client.interrupted(5)
    until(lambda: client.read(S2MM_SR) & IOC and client.read(MM2S_SR) & IOC)
    assert client.read(STATUS, 2, CONFIG) == 8
    assert not client.interrupted(0.05)
    client.set_irqs(NONE | UNMASK)  # the source is not cleared
    assert client.interrupted(5)
    client.write(MM2S_SR, IOC)
    client.write(S2MM_SR, IOC)
    assert client.read(STATUS, 2, CONFIG) == 0
    client.set_irqs(NONE | UNMASK)
    assert not client.interrupted(0.05)
    # masked by the client, with each kind of data
    client.set_irqs(NONE | MASK)
    loop(client, 64)
    until(lambda: client.read(S2MM_SR) & IOC)
    assert not client.interrupted(0.05)
    client.set_irqs(BOOL | UNMASK, data=b"\0")
    assert not client.interrupted(0.05)
    client.set_irqs(BOOL | UNMASK, data=b"\1")
    assert client.interrupted(5)
    # the disable bit of COMMAND
    client.write(COMMAND, 0x0402, 2, CONFIG)
    client.set_irqs(NONE | UNMASK)
    assert not client.interrupted(0.05)
    assert client.read(STATUS, 2, CONFIG) == 8
    client.write(COMMAND, 0x0002, 2, CONFIG)
    assert client.interrupted(5)
    # no eventfd, no interrupt; the client's own trigger
    client.set_irqs(NONE | TRIGGER, count=0)
    client.set_irqs(NONE | UNMASK)
    assert not client.interrupted(0.05)
    client.write(MM2S_SR, IOC)
    client.write(S2MM_SR, IOC)
    client.listen()
    client.set_irqs(NONE | TRIGGER)
    assert client.interrupted(5)


def test_lines_reach_the_interrupt_controller(served: Served, client: Client, tmp_path: Path) -> None:
    start(client)
    loop(client, 64)
    until(lambda: client.read(S2MM_SR) & IOC and client.read(MM2S_SR) & IOC)
    with machine(tmp_path) as qemu:
        served.connect(qemu.qmp, qemu.qtest, 5)
        assert sorted([qemu.next(), qemu.next()]) == [(MM2S_SPI, 1), (S2MM_SPI, 1)]  # they were high already
        client.write(MM2S_SR, IOC)
        assert qemu.next() == (MM2S_SPI, 0)
        client.write(S2MM_SR, IOC)
        assert qemu.next() == (S2MM_SPI, 0)
        served.set_interrupt(40, True)
        assert qemu.next() == (8, 1)
        served.set_interrupt(40, True)
        served.set_interrupt(40, False)
        assert qemu.next() == (8, 0)
        for _ in range(50):
            loop(client, 8)
            assert sorted([qemu.next(), qemu.next()]) == [(MM2S_SPI, 1), (S2MM_SPI, 1)]
            client.write(MM2S_SR, IOC)
            client.write(S2MM_SR, IOC)
            assert sorted([qemu.next(), qemu.next()]) == [(MM2S_SPI, 0), (S2MM_SPI, 0)]
        assert served.figures["interrupts"] == 2 + 1 + 100
    loop(client, 8)  # QEMU has gone, the board goes on
    until(lambda: client.read(S2MM_SR) & IOC)
