"""Cards under XRT, with a stand-in for ``pyxrt`` and its C library in front of a simulated board."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pynq
from pynq.backends.pcie.xrt import XrtBackend, XrtDevice
from pynq.design import read
from pynq.errors import (
    AllocationError,
    BusError,
    DesignNotFoundError,
    DeviceNotFoundError,
    ProgrammingError,
    PynqError,
    UnsupportedByDeviceError,
)
from pynq.testing import check_device

from .fake_xrt import FakeLibrary, FakeXrt

HWH = Path(__file__).resolve().parents[2] / "examples" / "dma_loopback" / "dma_loopback.hwh"
DMA = 0xA000_0000


@pytest.fixture
def card() -> FakeXrt:
    return FakeXrt(read(HWH))


@pytest.fixture
def xclbin(tmp_path: Path) -> Path:
    path = tmp_path / "dma_loopback.xclbin"
    path.write_bytes(b"xclbin2\0")
    (tmp_path / "dma_loopback.hwh").write_bytes(HWH.read_bytes())
    return path


def made(card: FakeXrt, xclbin: Path | None = None) -> XrtDevice:
    options = {} if xclbin is None else {"xclbin": str(xclbin)}
    return XrtDevice(options=options, pyxrt=card, library=FakeLibrary(card))


def test_contract(card: FakeXrt, xclbin: Path) -> None:
    checks = check_device(lambda: made(card, xclbin), read(HWH), scratch=DMA + 0x48)
    assert not [check for check in checks if check.part == "must" and check.outcome != "kept"]
    gc.collect()
    assert not card.live
    assert not card.opened


def test_a_program_with_dma(card: FakeXrt, xclbin: Path) -> None:
    with made(card, xclbin) as device:
        overlay = pynq.Overlay(str(HWH), device=device)
        source, target = (pynq.allocate(1024, "u4", target=device) for _ in range(2))
        source[:] = np.arange(1024)
        dma = overlay.axi_dma_0
        dma.recvchannel.transfer(target)
        dma.sendchannel.transfer(source)
        dma.recvchannel.wait()
        target.invalidate()
        assert np.array_equal(source, target)
        assert device.kernel("kernel").name == "kernel"
        with pytest.raises(PynqError, match=r"no kernel 'other'; there are kernel:{axi_dma_0}"):
            device.kernel("other")


def test_a_buffer_keeps_its_memory_until_the_last_view(card: FakeXrt) -> None:
    with made(card) as device:
        buffer = pynq.allocate(16, "u4", target=device)
        buffer[:] = 7
        view = np.asarray(buffer)[2:4]
        del buffer
        gc.collect()
        assert list(view) == [7, 7]
        assert card.live == 1
        del view
        gc.collect()
        assert not card.live
        freed = pynq.allocate(16, "u4", target=device)
        stale = np.asarray(freed)
        stale[:] = 5
        freed.freebuffer()
        assert not stale.any()


def test_what_xrt_refuses_is_told(card: FakeXrt, xclbin: Path, tmp_path: Path) -> None:
    with made(card) as device:
        with pytest.raises(DesignNotFoundError, match=r"programmed with an \.xclbin, not with"):
            device.download(read(HWH), tmp_path / "x.bit")
        broken = tmp_path / "broken.xclbin"
        broken.write_bytes(b"no")
        with pytest.raises(ProgrammingError, match=r"XRT refused .*broken.xclbin: failed to open"):
            device.download(read(HWH), broken)
        device.download(read(HWH), xclbin)
        with pytest.raises(AllocationError, match="no 4096 bytes in bank 7"):
            device.allocate_block(4096, target=7)
        with pytest.raises(UnsupportedByDeviceError, match="number of a memory bank, not 'ddr'"):
            device.allocate_block(4096, target="ddr")
        window = device.map(DMA, 0x100)
        with pytest.raises(BusError, match="words of 4 bytes only, not 2 at 0x48"):
            window.write(0x48, 1, length=2)
        window.write(0x48, 0x1234_5678)
        assert window.read(0x4A, length=2) == 0x1234
        with pytest.raises(UnsupportedByDeviceError, match="has no interrupts"):
            device.interrupt_line(121)


def test_two_programs_want_the_registers(card: FakeXrt, xclbin: Path) -> None:
    with made(card) as one, made(card) as two:
        one.download(read(HWH), xclbin)
        one.map(DMA, 4)
        two.download(read(HWH), xclbin)
        with pytest.raises(PynqError, match=r"does not open 'kernel:{axi_dma_0}' exclusively"):
            two.map(DMA, 4)


def test_the_backend_finds_cards(card: FakeXrt, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = XrtBackend(card)
    assert backend.probe() == ["xrt:0"]
    with pytest.raises(DeviceNotFoundError, match="no such card: No such device with index '4'"):
        backend.open("xrt:4").open()
    with pytest.raises(DeviceNotFoundError, match="no option 'slot'; known: xclbin, bank"):
        backend.open("xrt:0?slot=1")
    assert XrtBackend().probe() == []  # XRT is not installed on machines that run these tests
    with pytest.raises(DeviceNotFoundError, match=r"no pyxrt .*install XRT"):
        XrtBackend().open("xrt:0").open()


def test_the_library_may_be_missing(card: FakeXrt, xclbin: Path) -> None:
    with XrtDevice(pyxrt=card) as device:
        device.download(read(HWH), xclbin)
        with pytest.raises(UnsupportedByDeviceError, match=r"no register windows: .*libxrt_coreutil"):
            device.map(DMA, 4)


def test_the_units_come_from_the_file(card: FakeXrt, xclbin: Path) -> None:
    other: Any = card.xclbin
    card.xclbin = lambda path: type(other(path))(get_ips=list)  # type: ignore[method-assign]
    with made(card) as device:
        device.download(read(HWH), xclbin)
        with pytest.raises(PynqError, match=r"no compute unit 'axi_dma_0' .*; it has none"):
            device.map(DMA, 4)
