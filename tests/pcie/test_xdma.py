"""Cards under the XDMA driver: its devices are served by FUSE from a simulated board in another process."""

from __future__ import annotations

import asyncio
import errno
import importlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests import leaks

import pynq
from pynq.backends.kernel import Kernel
from pynq.backends.pcie.xdma import XdmaBackend, XdmaDevice
from pynq.design import read
from pynq.errors import (
    BusError,
    DeviceNotFoundError,
    KernelError,
    OverlayNotLoadedError,
    PynqError,
    UnsupportedByDeviceError,
    WaitTimeoutError,
)
from pynq.testing import check_device

ROOT = Path(__file__).resolve().parents[2]
HWH = ROOT / "examples" / "dma_loopback" / "dma_loopback.hwh"
DMA = 0xA000_0000
LINES = (121, 122)
OPTIONS = {"user": hex(DMA), "memory": "0x0+0x10000000", "events": "121,122"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    try:
        importlib.import_module("mfusepy")
    except (ImportError, OSError) as error:
        pytest.skip(f"no FUSE library (Debian: libfuse3-3): {error}")
    if not os.access("/dev/fuse", os.W_OK):
        pytest.skip("/dev/fuse can't be opened here")
    place = tmp_path_factory.mktemp("card")
    command = [sys.executable, str(Path(__file__).with_name("card.py")), str(place), str(HWH), hex(DMA)]
    words = tmp_path_factory.mktemp("words") / "stderr"
    with words.open("wb") as file:
        card = subprocess.Popen([*command, *map(str, LINES)], stderr=file)
    try:
        end = time.monotonic() + 100
        while not (place / "dev" / "xdma0_user").exists():
            if card.poll() is not None:
                last = words.read_text(errors="replace")
                if "fusermount" in last or "Operation not permitted" in last:
                    pytest.skip(f"this user may not mount FUSE file systems: {last.strip()[-200:]}")
                raise AssertionError(f"the card ended: {last}")
            assert time.monotonic() < end, "the card does not come up"
            time.sleep(0.02)
        yield place
    finally:
        tool = shutil.which("umount" if os.geteuid() == 0 else "fusermount3") or shutil.which("fusermount")
        if tool is not None:  # a user without it could not mount either
            option = "-l" if os.geteuid() == 0 else "-uz"
            subprocess.run([tool, option, str(place)], check=False, capture_output=True)
        try:
            card.wait(5)
        except subprocess.TimeoutExpired:
            card.kill()
            card.wait()


@pytest.fixture
def device(root: Path) -> Iterator[XdmaDevice]:
    device = XdmaDevice(options=OPTIONS, kernel=Kernel(root))
    device.open()
    yield device
    device.close()


def test_contract(root: Path) -> None:
    def make() -> XdmaDevice:
        return XdmaDevice(options=OPTIONS, kernel=Kernel(root))

    # S2MM_DA: keeps what is written while the channel halts, its low 3 bits too (PG021).
    checks = check_device(make, read(HWH), scratch=DMA + 0x48)
    assert not [check for check in checks if check.part == "must" and check.outcome != "kept"]
    assert {check.rule for check in checks if check.outcome == "kept"} >= {"interrupt lines"}


def test_the_backend_finds_cards(root: Path, tmp_path: Path) -> None:
    backend = XdmaBackend(Kernel(root))
    assert backend.probe() == ["xdma:0"]
    assert XdmaBackend(Kernel(tmp_path)).probe() == []
    with pytest.raises(DeviceNotFoundError, match=r"no /dev/xdma3_user; is the xdma module loaded"):
        backend.open("xdma:3").open()
    with pytest.raises(DeviceNotFoundError, match=r"no option 'bar'; known: user, memory, events"):
        backend.open("xdma:0?bar=1")
    with pytest.raises(DeviceNotFoundError, match="expected xdma:NUMBER; present: xdma:0"):
        backend.open("xdma:first")


def test_a_program_with_dma(device: XdmaDevice) -> None:
    overlay = pynq.Overlay(str(HWH), device=device)
    source, target = (pynq.allocate(4096, "u4", target=device) for _ in range(2))
    source[:] = np.arange(4096)
    dma = overlay.axi_dma_0
    dma.recvchannel.transfer(target)
    dma.sendchannel.transfer(source)
    dma.sendchannel.wait()
    dma.recvchannel.wait()
    target.invalidate()
    assert np.array_equal(source, target)


def test_a_program_awaits_interrupts(device: XdmaDevice) -> None:
    overlay = pynq.Overlay(str(HWH), device=device)
    source, target = (pynq.allocate(256, "u4", target=device) for _ in range(2))
    dma = overlay.axi_dma_0

    async def once(number: int) -> None:
        source[:] = number
        dma.recvchannel.transfer(target)
        dma.sendchannel.transfer(source)
        await asyncio.wait_for(dma.sendchannel.wait_async(), 10)
        await asyncio.wait_for(dma.recvchannel.wait_async(), 10)
        target.invalidate()
        assert (target == number).all()

    async def all_of_them() -> None:
        for number in (7, 8, 9):
            await once(number)

    asyncio.run(all_of_them())


def test_lines_time_out_and_end_with_the_device(device: XdmaDevice) -> None:
    device.download(read(HWH), None)
    line = device.interrupt_line(122)
    line.enable()
    assert line.wait(0.1) is False
    failed: list[BaseException] = []

    def blocked() -> None:
        try:
            line.wait()
        except OverlayNotLoadedError as error:
            failed.append(error)

    thread = threading.Thread(target=blocked)
    thread.start()
    time.sleep(0.05)
    device.close()
    thread.join(60)
    assert not thread.is_alive()
    assert "was closed" in str(failed[0])


def test_a_cancelled_wait_leaves_nothing(device: XdmaDevice) -> None:
    device.download(read(HWH), None)
    line = device.interrupt_line(121)

    async def cancelled() -> None:
        line.enable()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(line.wait_async(), 0.05)

    asyncio.run(cancelled())
    assert not line._waiting


def test_what_a_card_can_not_do(device: XdmaDevice) -> None:
    design = read(HWH)
    with pytest.raises(OverlayNotLoadedError, match="holds no overlay"):
        device.map(DMA, 4)
    device.download(design, None)
    with pytest.raises(UnsupportedByDeviceError, match="can't reconfigure a region"):
        device.download(design, None, partial=True, region="r")
    with pytest.raises(PynqError, match="nothing of the design answers at 0x90000000"):
        device.map(0x9000_0000, 4)
    with pytest.raises(PynqError, match="has no interrupt 5; it has 121, 122"):
        device.interrupt_line(5)
    with pytest.raises(UnsupportedByDeviceError, match="has no memory 'ddr9'; there are memory"):
        device.allocate_block(4096, target="ddr9")
    window = device.map(DMA, 0x100)
    assert window.read(0x34) & 1 == window.read(0x34, length=1) & 1
    with pytest.raises(BusError, match="moves words of 4 bytes only: no write of 2 bytes at 0x48"):
        window.write(0x48, 1, length=2)


def test_memory_of_the_card_as_a_window(device: XdmaDevice) -> None:
    device.download(read(HWH), None)
    block = device.allocate_block(8192)
    window = device.map(block.physical_address, 8192)
    memoryview(block)[:8] = b"abcdefgh"  # type: ignore[arg-type]
    assert window.read(0) == 0
    device.sync(block, 0, 8, "to_device")
    assert window.read(0, length=8).to_bytes(8, "little") == b"abcdefgh"
    window.write(4096, b"12345678")
    device.sync(block, 4096, 8, "from_device")
    assert bytes(memoryview(block)[4096:4104]) == b"12345678"  # type: ignore[arg-type]


def test_an_address_below_the_bar_is_told(root: Path) -> None:
    with XdmaDevice(options=OPTIONS | {"user": "0xB0000000"}, kernel=Kernel(root)) as device:
        device.download(read(HWH), None)
        with pytest.raises(PynqError, match="axi_dma_0 at 0xa0000000 lies below the BAR"):
            device.map(DMA, 4)


class Faulty(Kernel):
    """Lets one operation on one file fail."""

    failing: tuple[str, str, int] | None = None

    def call(self, operation, name, function, hint=""):  # type: ignore[no-untyped-def]
        if self.failing and self.failing[:2] == (operation, name):
            number = self.failing[2]

            def function() -> None:
                raise OSError(number, "injected")

        return super().call(operation, name, function, hint)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOENT, errno.EACCES, errno.ENODEV, errno.ETIMEDOUT])
@pytest.mark.parametrize(
    ("operation", "part"),
    [("open", "user"), ("pread", "user"), ("pwrite", "user"), ("open", "h2c_0"), ("pwrite", "h2c_0"),
     ("open", "c2h_0"), ("pread", "c2h_0"), ("open", "events_0")],
)  # fmt: skip
def test_every_call_may_fail(root: Path, operation: str, part: str, number: int) -> None:
    kernel = Faulty(root)
    before = leaks.descriptors()

    def use(device: XdmaDevice) -> None:
        device.download(read(HWH), None)
        window = device.map(DMA, 0x100)
        window.write(0x48, 0x1000)
        assert window.read(0x48) == 0x1000
        block = device.allocate_block(4096)
        device.sync(block, 0, 4096, "from_device")
        device.interrupt_line(121)

    device = XdmaDevice(options=OPTIONS, kernel=kernel)
    kernel.failing = (operation, f"/dev/xdma0_{part}", number)
    with pytest.raises(
        KernelError, match=rf"/dev/xdma0_{part}: {operation} failed: .*{errno.errorcode[number]}"
    ):
        use(device)
    kernel.failing = None
    use(device)  # the next call works
    device.close()
    assert leaks.opened(before) == []


def test_a_wait_with_a_limit_ends(device: XdmaDevice) -> None:
    overlay = pynq.Overlay(str(HWH), device=device)
    target = pynq.allocate(16, "u4", target=device)
    overlay.axi_dma_0.recvchannel.transfer(target)
    with pytest.raises(WaitTimeoutError):
        overlay.axi_dma_0.recvchannel.wait(timeout=0.2)
    overlay.axi_dma_0.recvchannel.stop()
