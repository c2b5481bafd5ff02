"""Registers that a program opened by address, over the life of several downloads."""

from __future__ import annotations

from pathlib import Path

import pytest

from pynq import MMIO, Overlay
from pynq.errors import OverlayNotLoadedError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DMACR, DMASR, RESET_VALUE = 0x00, 0x04, 0x00010002


def test_mmio_goes_on_after_the_same_design_is_downloaded_again() -> None:
    overlay = Overlay(EXAMPLES / "dma_loopback" / "dma_loopback.bit")
    entry = overlay.ip_dict["axi_dma_0"]
    mmio = MMIO(entry["phys_addr"], entry["addr_range"])
    words = mmio.array
    mmio.write(DMACR, 1)
    assert mmio.read(DMACR) & 1
    overlay.download()
    assert mmio.read(DMACR) == RESET_VALUE
    assert mmio.array[0] == RESET_VALUE
    Overlay(EXAMPLES / "dma_loopback" / "dma_loopback.bit")
    assert mmio.read(DMACR) == RESET_VALUE
    assert words[0] == RESET_VALUE  # an array of registers that are no memory goes through the window


def test_mmio_says_so_when_another_design_is_loaded() -> None:
    overlay = Overlay(EXAMPLES / "dma_loopback" / "dma_loopback.bit")
    mmio = MMIO(overlay.ip_dict["axi_dma_0"]["phys_addr"], 64)
    Overlay(EXAMPLES / "vector_add" / "vector_add.bit")
    with pytest.raises(OverlayNotLoadedError, match="no longer loaded"):
        mmio.read(DMACR)
    overlay.download()
    assert mmio.read(DMACR) == RESET_VALUE


def test_a_wait_with_a_time_limit_ends_as_a_timeout() -> None:
    overlay = Overlay(EXAMPLES / "dma_loopback" / "dma_loopback.bit")
    with pytest.raises(TimeoutError, match="nothing in the programmable logic can change it"):
        overlay.axi_dma_0.mmio.wait_until(DMASR, 0x10, 0x10, timeout=0.5)  # no error comes
