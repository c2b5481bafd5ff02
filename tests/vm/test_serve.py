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
from tests import leaks
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


def until(condition: Callable[[], object], seconds: float = 60) -> None:
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
        end = 0
        for one in sorted(served.apertures, key=lambda one: one.offset):
            assert one.offset >= end
            end = one.offset + one.size
        assert end <= served.bar_size
        for span in device.plant.design.ps_ranges:
            assert any(
                one.address <= span.base and span.high < one.address + one.size for one in served.apertures
            )
        for one in served.apertures:
            assert (one.size % 4096, one.address % 4096) == (0, 0)
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


def test_more_changes_than_qemu_takes_keep_the_levels(served: Served, client: Client, tmp_path: Path) -> None:
    """Pulses may be lost then, what a line ends with is not."""
    with machine(tmp_path) as qemu:
        qemu.hold.acquire()
        served.connect(qemu.qmp, qemu.qtest, 5)
        for _ in range(5_000):
            served.set_interrupt(40, True)
            served.set_interrupt(40, False)
        served.set_interrupt(41, True)
        assert client.read(MM2S_SR) & HALTED
        qemu.hold.release()
        last = {}
        until(lambda: last.update([qemu.next()]) or last.get(9) == 1)
        assert last[8] == 0


def test_settled_when_qemu_has_answered(served: Served, client: Client, tmp_path: Path) -> None:
    assert served.settled
    with machine(tmp_path) as qemu:
        served.connect(qemu.qmp, qemu.qtest, 5)
        with qemu.hold:
            served.set_interrupt(40, True)
            until(lambda: not served.settled)
            assert client.read(MM2S_SR) & HALTED
            assert not served.settled
        assert qemu.next() == (8, 1)
        until(lambda: served.settled)


def test_what_qemu_refuses_is_said_once(
    served: Served, client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with machine(tmp_path) as qemu:
        qemu.complaint = "FAIL Unknown GPIO"
        served.connect(qemu.qmp, qemu.qtest, 5)
        for level in (True, False, True):
            served.set_interrupt(40, level)
            qemu.next()
        until(lambda: "FAIL Unknown GPIO" in caplog.text)
        assert client.read(MM2S_SR) & HALTED
    assert caplog.text.count("FAIL Unknown GPIO") == 1


def test_no_qemu_no_gic(served: Served, tmp_path: Path) -> None:
    with pytest.raises(VirtualBoardError, match=r"qmp\.sock can't be reached .*does QEMU run"):
        served.connect(tmp_path / "qmp.sock", tmp_path / "qtest.sock", 0.05)
    with machine(tmp_path, gic="arm_gicv2m") as qemu, pytest.raises(VirtualBoardError, match="gic-version=2"):
        served.connect(qemu.qmp, qemu.qtest, 5)
    (tmp_path / "qmp.sock").unlink()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "qmp.sock"))
        silent.listen()
        with pytest.raises(VirtualBoardError, match="does not answer on its control socket"):
            served.connect(tmp_path / "qmp.sock", tmp_path / "qtest.sock", 0.05)


# -- nobody answers ------------------------------------------------------------------------------------
class Port:
    """A block of the PS: memory of one page; `faults` are raised."""

    size = 4096

    def __init__(self, address: int) -> None:
        self.address = address
        self.words = bytearray(self.size)
        self.faults: list[Exception] = []
        self.acts: list[Callable[[], object]] = []

    def read(self, offset: int, width: int) -> int:
        if self.faults:
            raise self.faults.pop()
        return int.from_bytes(self.words[offset : offset + width], "little")

    def write(self, offset: int, value: int, width: int) -> None:
        if self.faults:
            raise self.faults.pop()
        self.words[offset : offset + width] = value.to_bytes(width, "little")
        while self.acts:
            self.acts.pop()()


def place(served: Served, address: int) -> int:
    """Return the place of an address of the PS in the BAR."""
    return next(
        address - one.address + one.offset
        for one in served.apertures
        if one.address <= address < one.address + one.size
    )


def test_blocks_of_the_ps(
    board: Callable[..., SimDevice], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocks = [Port(0xFE00_0000), Port(0xFE00_1000), Port(0xF800_0000)]
    with board().serve(tmp_path, blocks=blocks) as served, Client(served.socket) as client:
        assert [(one.address, one.size) for one in served.apertures] == [
            (DMA, 0x1_0000),
            (0xF800_0000, 0x1000),
            (0xFE00_0000, 0x2000),
        ]
        for number, block in enumerate(blocks):
            client.write(place(served, block.address) + 0x18, 0x1234_5670 + number)
            assert block.words[0x18:0x1C] == (0x1234_5670 + number).to_bytes(4, "little")
            assert client.read(place(served, block.address) + 0x18, 8) == 0x1234_5670 + number
        assert client.read(MM2S_SR) & HALTED
        blocks[0].faults = [ValueError("no such register")] * 3
        at = place(served, 0xFE00_0000)
        assert client.read(at) == 0xFFFF_FFFF
        assert client.read(at) == 0xFFFF_FFFF
        client.write(at, 5)
        assert client.read(at) == 0
        assert client.read(served.bar_size - 4) == 0xFFFF_FFFF
    assert caplog.text.count("no such register") == 1
    assert "read of 4 bytes at 0xfe000000 gave all ones" in caplog.text


@pytest.mark.parametrize(
    ("address", "size", "problem"),
    [
        (DMA + 0x8000, 4096, "overlaps the PL at 0xa0000000"),
        (0xF800_0000, 4096, "overlaps Port at 0xf8000000"),
        (0xF800_1004, 4096, "multiples of 0x1000"),
        (0xF800_1000, 100, "multiples of 0x1000"),
    ],
)
def test_blocks_in_the_wrong_place(
    board: Callable[..., SimDevice], tmp_path: Path, address: int, size: int, problem: str
) -> None:
    second = Port(address)
    second.size = size
    device = board()
    with pytest.raises(ValueError, match=problem):
        device.serve(tmp_path, blocks=[Port(0xF800_0000), second])
    device.serve(tmp_path).close()  # nothing is left of it


def test_who_answers_nothing_is_named_once(
    served: Served, client: Client, board: Callable[..., SimDevice], caplog: pytest.LogCaptureFixture
) -> None:
    device = served._device
    device.inject("axi_dma_0", response="SLVERR")
    for _ in range(3):
        assert client.read(MM2S_SR) == 0xFFFF_FFFF
        client.write(MM2S_CR, 1)
    assert client.read(MM2S_SR, 1) == 0xFF
    assert client.read(MM2S_CR, 8) == (1 << 64) - 1
    device.clear_injections()
    assert client.read(MM2S_SR) & HALTED
    assert caplog.text.count("SLVERR") == 2
    assert "read of 4 bytes at 0xa0000004 gave all ones: " in caplog.text
    assert "write of 4 bytes at 0xa0000000 was dropped: " in caplog.text
    assert served.figures["refused"] == 8


def test_a_model_that_raises(
    board: Callable[..., SimDevice], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In an access, and on its own while nobody looks; the guest goes on."""

    class Broken(Model):
        def on_write_CTRL(self, value: int) -> None:  # noqa: N802
            raise RuntimeError(f"broken at {value}")

    class Late(Model):
        async def main(self) -> None:
            await self.cycles(1_000_000)
            raise RuntimeError("broken later")

    for kind, said in ((Broken, "broken at"), (Late, "broken later")):
        device = board("vector_add", models={"vector_add_0": kind})
        with device.serve(tmp_path) as served, Client(served.socket) as client:
            span = next(one for one in device.plant.design.ps_ranges if one.slave == "vector_add_0")
            at = place(served, span.base)
            client.write(at, 1)
            until(lambda said=said: said in caplog.text)
            until(lambda client=client, at=at: client.read(at + 4) != 0xFFFF_FFFF)


# -- configuration -------------------------------------------------------------------------------------
def test_isolated(board: Callable[..., SimDevice], tmp_path: Path) -> None:
    block = Port(0xFE00_0000)
    with board().serve(tmp_path, blocks=[block]) as served, Client(served.socket) as client:
        client.write(MM2S_SA, 7)
        served.isolate(True)
        assert client.read(MM2S_SA) == 0xFFFF_FFFF
        client.write(MM2S_SA, 8)
        assert client.read(place(served, block.address)) == 0
        served.isolate(False)
        assert client.read(MM2S_SA) == 7
        assert served.figures["refused"] == 0


@pytest.mark.parametrize("from_inside", [False, True], ids=["by the program", "in a block"])
def test_reset_configures_the_pl_again(
    board: Callable[..., SimDevice], tmp_path: Path, from_inside: bool
) -> None:
    block = Port(0xFE00_0000)
    device = board()
    with (
        device.serve(tmp_path, blocks=[block]) as served,
        Client(served.socket) as client,
        machine(tmp_path) as qemu,
    ):
        served.connect(qemu.qmp, qemu.qtest, 5)
        for _ in range(3):
            start(client)
            loop(client, 64)
            assert sorted([qemu.next(), qemu.next()]) == [(MM2S_SPI, 1), (S2MM_SPI, 1)]
            assert not client.read(MM2S_SR) & HALTED
            before = device.engine
            if from_inside:
                block.acts.append(served.reset)
                client.write(place(served, block.address), 1)
            else:
                served.reset()
            assert device.engine is not before
            assert client.read(MM2S_SR) & HALTED
            assert sorted([qemu.next(), qemu.next()]) == [(MM2S_SPI, 0), (S2MM_SPI, 0)]
        # the same by a download from outside
        start(client)
        device.download(device.plant.design, None)
        assert client.read(MM2S_SR) & HALTED


def test_a_reset_that_fails_leaves_the_pl_as_it_was(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("no room")

    client.write(MM2S_SA, 7)
    monkeypatch.setattr(served._device, "_download", fail)
    with pytest.raises(RuntimeError, match="no room"):
        served.reset()
    assert client.read(MM2S_SA) == 7


# -- time ----------------------------------------------------------------------------------------------
def test_time_follows_the_host_and_a_quiet_board_costs_nothing(served: Served, client: Client) -> None:
    engine = served._device.engine
    outside = time.monotonic()
    client.read(MM2S_SR)
    before, inside = engine.now, time.monotonic()
    used = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - used < 0.1
    least = time.monotonic() - inside
    client.read(MM2S_SR)
    most = time.monotonic() - outside
    assert 0.8 * least < (engine.now - before) / 1e12 < 1.2 * most


def test_what_the_host_does_wakes_the_board(board: Callable[..., SimDevice], tmp_path: Path) -> None:
    """A button pressed by the program raises an interrupt in the other machine, though the PL was quiet."""
    device = board("buttons_leds")
    span = next(one for one in device.plant.design.ps_ranges if one.slave == "buttons")
    with device.serve(tmp_path) as served, Client(served.socket) as client, machine(tmp_path) as qemu:
        served.connect(qemu.qmp, qemu.qtest, 5)
        at = place(served, span.base)
        intc = place(served, 0x4180_0000)
        client.write(intc + 0x08, 1)  # IER (PG099)
        client.write(intc + 0x1C, 3)  # MER
        client.write(at + 0x11C, 1 << 31)  # GIER (PG144)
        client.write(at + 0x128, 1)  # IP IER
        pin = next(pin for pin in device.board.pins() if "btn" in pin)
        device.board.drive(pin, 1)
        assert qemu.next()[1] == 1
        assert client.read(at) == 1
        client.write(at + 0x120, 1)
        client.write(intc + 0x0C, 1)
        assert qemu.next()[1] == 0


# -- clients that come, go and misbehave -----------------------------------------------------------------
def test_one_client_after_the_other(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "pynq.vm")
    with Client(served.socket) as first:
        first.write(MM2S_SA, 1)
        first.listen()
        with Client(served.socket, greet=False) as second, pytest.raises((EOFError, ConnectionError)):
            second.ask(VERSION, struct.pack("<HH", 0, 0))
        assert first.read(MM2S_SA) == 1
    assert "turned away" in caplog.text
    for _ in range(20):
        with Client(served.socket) as third:
            assert third.read(MM2S_SA) == 1
    assert served.figures["clients"] == 21


def test_what_a_client_gave_goes_with_it(served: Served) -> None:
    with Client(served.socket) as client:
        client.read(MM2S_SA)
    before = leaks.descriptors()
    for _ in range(5):
        with Client(served.socket) as client:
            client.listen()
            client.listen()
            files = [os.memfd_create("ram") for _ in range(3)]
            for number, fd in enumerate(files):
                client.ask(DMA_MAP, struct.pack("<IIQQQ", 32, 3, 0, number << 20, 1 << 20), fds=[fd])
                os.close(fd)
            client.ask(GET_INFO, struct.pack("<IIII", 16, 0, 0, 0), fds=[client.event, client.event])
    with Client(served.socket) as client:
        client.read(MM2S_SA)
    until(lambda: leaks.opened(before) == [])  # the server may not have seen the first one go


def test_dma_maps(client: Client) -> None:
    def map_(address: int, size: int) -> bytes:
        return client.ask(DMA_MAP, struct.pack("<IIQQQ", 32, 3, 0, address, size))

    def unmap(address: int, size: int, flags: int = 0) -> bytes:
        return client.ask(DMA_UNMAP, struct.pack("<IIQQ", 24, flags, address, size))

    assert map_(0x4000_0000, 0x1000_0000) == b""
    map_(0, 0x1000)
    for address, size in ((0x4000_0000, 0x1000), (0x3FFF_F000, 0x2000), (0x4FFF_F000, 0x2000), (0, 1 << 40)):
        with pytest.raises(Refused, match=str(errno.EEXIST)):
            map_(address, size)
    for address, size in ((0x1000, 0), ((1 << 64) - 4096, 8192)):
        with pytest.raises(Refused, match=str(errno.EINVAL)):
            map_(address, size)
    with pytest.raises(Refused, match=str(errno.ENOENT)):
        unmap(0x4000_0000, 0x1000)
    assert unmap(0x4000_0000, 0x1000_0000) == struct.pack("<IIQQ", 24, 0, 0x4000_0000, 0x1000_0000)
    map_(0x4000_0000, 0x1000)
    unmap(0, 0, 2)
    map_(0, 1 << 63)


@pytest.mark.parametrize(
    ("command", "payload", "error"),
    [
        (0, b"", errno.EOPNOTSUPP),
        (IO_FDS, bytes(16), errno.EOPNOTSUPP),
        (11, bytes(16), errno.EOPNOTSUPP),
        (0xFFFF, b"", errno.EOPNOTSUPP),
        (GET_INFO, b"", errno.EINVAL),
        (GET_INFO, bytes(16), errno.EINVAL),
        (REGION_INFO, struct.pack("<IIIIQQ", 32, 0, 9, 0, 0, 0), errno.EINVAL),
        (REGION_INFO, struct.pack("<IIIIQQ", 31, 0, 0, 0, 0, 0), errno.EINVAL),
        (IRQ_INFO, struct.pack("<IIII", 16, 0, 5, 0), errno.EINVAL),
        (SET_IRQS, struct.pack("<IIIII", 20, NONE | TRIGGER | MASK, 0, 0, 1), errno.EINVAL),
        (SET_IRQS, struct.pack("<IIIII", 20, NONE | EVENTFD | TRIGGER, 0, 0, 1), errno.EINVAL),
        (SET_IRQS, struct.pack("<IIIII", 20, EVENTFD | MASK, 0, 0, 1), errno.EINVAL),
        (SET_IRQS, struct.pack("<IIIII", 20, BOOL | TRIGGER, 0, 0, 1), errno.EINVAL),
        (SET_IRQS, struct.pack("<IIIII", 20, NONE | TRIGGER, 0, 0, 2), errno.EINVAL),
        (SET_IRQS, struct.pack("<IIIII", 20, NONE | TRIGGER, 0, 1, 1), errno.EINVAL),
        (SET_IRQS, struct.pack("<IIIII", 20, NONE | TRIGGER, 1, 0, 1), errno.EINVAL),
        (SET_IRQS, struct.pack("<IIIII", 20, NONE | 64, 0, 0, 1), errno.EINVAL),
        (READ, struct.pack("<QII", 0, BAR, 0), errno.EINVAL),
        (READ, struct.pack("<QII", 0, BAR, 0xFFFF_FFFF), errno.EINVAL),
        (READ, struct.pack("<QII", 0xFFFE, BAR, 4), errno.EINVAL),
        (READ, struct.pack("<QII", (1 << 64) - 4, BAR, 4), errno.EINVAL),
        (READ, struct.pack("<QII", 0, 3, 4), errno.EINVAL),
        (READ, struct.pack("<QII", 254, CONFIG, 4), errno.EINVAL),
        (WRITE, struct.pack("<QII", 0, BAR, 4) + b"123", errno.EINVAL),
        (WRITE, struct.pack("<QII", 0, BAR, 4) + b"12345", errno.EINVAL),
        (WRITE_MULTI, struct.pack("<Q", 1 << 60), errno.EINVAL),
        (WRITE_MULTI, struct.pack("<Q", 1) + bytes(23), errno.EINVAL),
        (DMA_MAP, bytes(31), errno.EINVAL),
    ],
)
def test_wrong_messages_are_refused(client: Client, command: int, payload: bytes, error: int) -> None:
    with pytest.raises(Refused) as refused:
        client.ask(command, payload)
    assert refused.value.args == (error,)
    assert client.read(MM2S_SR) & HALTED


@pytest.mark.parametrize(
    "data",
    [
        HEADER.pack(1, READ, 32, 0, 0) + struct.pack("<QII", 0, BAR, 4),  # before the version
        HEADER.pack(1, VERSION, 15, 0, 0),
        HEADER.pack(1, VERSION, 0xFFFF_FFFF, 0, 0),
        HEADER.pack(1, VERSION, 20, 1, 0) + bytes(4),  # a reply
        HEADER.pack(1, VERSION, 20, 2, 0) + bytes(4),
        HEADER.pack(1, VERSION, 20, 0, 0)
        + struct.pack("<HH", 0, 0)
        + HEADER.pack(1, VERSION, 20, 0, 0)
        + bytes(4),
    ],
)
def test_who_breaks_the_protocol_is_disconnected(
    served: Served, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(served.socket, greet=False) as client:
        client.socket.sendall(data)
        while client.socket.recv(100):
            pass
    assert "a client" in caplog.text
    with Client(served.socket) as client:
        assert client.read(MM2S_SR) & HALTED


def test_another_version_of_the_protocol(served: Served) -> None:
    with Client(served.socket, greet=False) as client:
        with pytest.raises(Refused, match=str(errno.EPROTONOSUPPORT)):
            client.ask(VERSION, struct.pack("<HH", 1, 0))
        assert client.socket.recv(1) == b""


def test_too_many_descriptors(served: Served) -> None:
    with Client(served.socket) as client:
        client.post(GET_INFO, bytes(16), fds=[client.socket.fileno()] * 9)
        with pytest.raises((EOFError, ConnectionError)):
            client.answer()
    with Client(served.socket) as client:
        assert client.read(MM2S_SR) & HALTED


def test_messages_in_pieces_and_in_a_row(client: Client) -> None:
    message = HEADER.pack(7, READ, 32, 0, 0) + struct.pack("<QII", MM2S_SA, BAR, 4)
    for byte in message:
        client.socket.sendall(bytes([byte]))
        time.sleep(0.001)
    assert client.answer()[0] == 7
    # more than the sockets hold, from a client that does not read yet
    rows = [HEADER.pack(number, READ, 32, 0, 0) + struct.pack("<QII", 0, BAR, 4096) for number in range(300)]
    sender = threading.Thread(target=client.socket.sendall, args=(b"".join(rows),))
    sender.start()
    time.sleep(0.2)
    assert [client.answer()[0] for _ in rows] == list(range(300))
    sender.join()


@pytest.mark.parametrize("greet", [False, True])
def test_random_bytes(served: Served, greet: bool) -> None:
    """Whatever comes: an answer or a closed connection, and the next client is served."""
    source = random.Random(7)
    for _ in range(150):
        with Client(served.socket, greet=greet) as client:
            client.socket.settimeout(0.05)
            data = bytearray()
            for _ in range(source.randrange(1, 6)):
                payload = source.randbytes(source.randrange(60))
                size = source.choice([16 + len(payload)] * 6 + [source.getrandbits(32), source.randrange(40)])
                flags = source.choice([0, 0, 0, 0x10, source.getrandbits(32)])
                data += HEADER.pack(source.getrandbits(16), source.randrange(20), size, flags, 0) + payload
            try:
                client.socket.sendall(data)
                if source.random() < 0.5:
                    client.socket.recv(1000)
            except OSError:
                pass
    with Client(served.socket) as client:
        client.ask(RESET)
        assert client.read(0, 2, CONFIG) == 0x10EE


# -- the end -------------------------------------------------------------------------------------------
def test_close_while_a_client_waits(board: Callable[..., SimDevice], tmp_path: Path) -> None:
    device = board()
    served = device.serve(tmp_path)
    ended: list[BaseException] = []
    with Client(served.socket) as client:

        def poll() -> None:
            try:
                while True:
                    client.read(MM2S_SR)
            except (EOFError, ConnectionError) as error:
                ended.append(error)

        thread = threading.Thread(target=poll)
        thread.start()
        until(lambda: served.figures["accesses"] > 100)
        served.close()
        thread.join(60)
        assert ended
    assert not served.socket.exists()
    served.close()
    assert device.engine.read(DMA + MM2S_SR) & HALTED  # the board goes on
    with device.serve(tmp_path) as again, Client(again.socket) as client:
        assert client.read(MM2S_SR) & HALTED


def test_closing_the_board_ends_the_service(board: Callable[..., SimDevice], tmp_path: Path) -> None:
    """With a model in Python that is in the middle of something."""

    class Ticking(Model):
        async def main(self) -> None:
            while True:
                await self.cycles(10)

    device = board("vector_add", models={"vector_add_0": Ticking})
    served = device.serve(tmp_path)
    with Client(served.socket) as client:
        start = device.engine.now
        until(lambda: device.engine.now > start)
        threads = leaks.threads()
        device.close()
        assert len(threads - leaks.threads()) == 1
        with pytest.raises((EOFError, ConnectionError)):
            client.read(0)
    served.close()
    assert "closed" in repr(served)


def test_closed_in_a_block(board: Callable[..., SimDevice], tmp_path: Path) -> None:
    block = Port(0xFE00_0000)
    device = board()
    served = device.serve(tmp_path, blocks=[block])
    with Client(served.socket) as client:
        block.acts.append(served.close)
        client.write(place(served, block.address), 1)
        with pytest.raises((EOFError, ConnectionError)):
            client.write(place(served, block.address), 1)
    device.close()


def test_what_can_not_be_served(
    board: Callable[..., SimDevice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnsupportedConfiguration, match="deterministic=False"):
        board(deterministic=True).serve(tmp_path)
    device = board()
    with pytest.raises(VirtualBoardError, match="No such file"):
        device.serve(tmp_path / "missing")
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with pytest.raises(VirtualBoardError, match="at most 107 bytes"):
        device.serve(long)
    with monkeypatch.context() as patch:
        patch.setattr("pynq.backends.sim.serve._LARGEST", 4096)
        with pytest.raises(VirtualBoardError, match=r"reaches too much for a virtual board.* at 0xa0000000"):
            device.serve(tmp_path)
    with device.serve(tmp_path), pytest.raises(VirtualBoardError, match="is served on"):
        device.serve(tmp_path)
