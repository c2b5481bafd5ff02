"""The programs of this folder run on the simulated board, with no environment variable set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tree.kit import KNOB, write

import pynq
import pynq.sim
from pynq.device import registry


class KnobModel(pynq.sim.Model):
    """CTRL.ENABLE raises the interrupt; bit 31 of LEVEL shows the pin ``gate``."""

    bindto = [KNOB]

    def on_write_CTRL(self, value: int) -> None:  # noqa: N802
        self.pin("irq").drive(value & 1)

    def on_pin_gate(self, level: int) -> None:
        self.registers.LEVEL = (int(self.registers.LEVEL) & 0x7FFFFFFF) | level << 31


@pytest.fixture(autouse=True)
def _plain_surroundings(_as_before: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PYNQ")]:
        monkeypatch.delenv(name)
    registry.choose(None)


@pytest.fixture
def bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """``board.bit`` in the current folder, of which there is the hand-off file only."""
    monkeypatch.chdir(tmp_path)
    knobs = {"knob_0": KNOB, "panel/knob_1": KNOB, "panel/inner/knob_2": KNOB, "mine": "My IP Type"}
    write(tmp_path, "board", knobs)
    return "board.bit"


@pytest.fixture
def loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A loaded overlay with one DMA whose stream comes back through a FIFO."""
    from tools.designs import DESIGNS

    monkeypatch.chdir(tmp_path)
    (tmp_path / "loopback.hwh").write_text("\ufeff" + DESIGNS["dma_loopback"]().to_xml(), encoding="utf-8")
    return pynq.Overlay("loopback.bit")
