"""Memory is given back only when no engine uses it any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from pynq import Overlay
from pynq.backends.sim import SimDevice
from pynq.errors import DmaError

ROOT = Path(__file__).resolve().parents[2]
HWH = ROOT / "examples/dma_loopback/dma_loopback.hwh"


@pytest.fixture
def dma():
    with SimDevice("sim:movers", deterministic=True) as device:
        device.open()
        yield Overlay(HWH, device=device).axi_dma_0


def test_a_receive_that_never_ends_lets_go(dma):
    result = dma.device.allocate(4096, "u1")
    dma.recvchannel.transfer(result[128:256])
    result.freebuffer()
    assert dma.recvchannel.nbytes == 0
    with pytest.raises(DmaError, match="no transfer to wait for"):
        dma.recvchannel.wait()
    assert dma.recvchannel.running
    assert dma.sendchannel.running
    data = dma.device.allocate(128, "u1")
    data[:] = 7
    fresh = dma.device.allocate(128, "u1")
    dma.recvchannel.transfer(fresh)
    dma.sendchannel.transfer(data)
    dma.recvchannel.wait()
    assert (fresh == 7).all()


def test_other_buffers_do_not_stop_it(dma):
    result, other = dma.device.allocate(128, "u1"), dma.device.allocate(128, "u1")
    data = dma.device.allocate(128, "u1")
    data[:] = 9
    dma.recvchannel.transfer(result)
    other.freebuffer()
    dma.sendchannel.transfer(data)
    dma.recvchannel.wait()
    assert (result == 9).all()


def test_a_transfer_that_has_ended(dma):
    result, data = dma.device.allocate(128, "u1"), dma.device.allocate(128, "u1")
    dma.recvchannel.transfer(result)
    dma.sendchannel.transfer(data)
    dma.sendchannel.wait()
    data.freebuffer()
    dma.recvchannel.wait()
    result.freebuffer()
    assert dma.recvchannel.idle


def test_the_device_closes_under_it(dma):
    result = dma.device.allocate(128, "u1")
    dma.recvchannel.transfer(result)
    dma.device.close()
    result.freebuffer()
