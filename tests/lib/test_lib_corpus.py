"""The drivers and interrupts of real designs: each can be made, or says why not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from fakeboard import FakeBoard, description_of

from pynq.design.hwh import read
from pynq.errors import UnsupportedConfiguration
from pynq.interrupt import Interrupt
from pynq.lib import DMA, AxiGPIO

DRIVERS = {"axi_dma": DMA, "axi_gpio": AxiGPIO}


@pytest.mark.corpus
def test_every_dma_gpio_and_interrupt_of_the_corpus(corpus: Path) -> None:
    made: Counter[str] = Counter()
    for file in sorted((corpus / "hwh").glob("*.hwh")):
        board = FakeBoard(read(file))
        assert board.design is not None
        reachable = {reach.slave for reach in board.design.ps_ranges}
        for path, cell in board.design.cells.items():
            name = cell.vlnv.name if cell.vlnv else ""
            if name not in DRIVERS or path not in reachable:
                continue
            try:
                DRIVERS[name](description_of(board, path))
            except UnsupportedConfiguration as reason:
                assert path in str(reason)  # noqa: PT017
                made["refused"] += 1
            else:
                made[name] += 1
        for pin in board.design.interrupt_pins:
            Interrupt(pin, device=board)
            made["interrupts"] += 1
        board.close()
    assert made["axi_dma"] >= 40
    assert made["axi_gpio"] >= 30
    assert made["interrupts"] >= 80
    assert made["refused"] >= 1
