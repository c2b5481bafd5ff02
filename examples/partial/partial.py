"""Drivers, overlay class and models of ``partial.bit``; ``pynq.Overlay`` imports this file.

The static design routes a stream through two regions. What is in them comes with ``gain.bit``, ``offset.bit``
and ``limit.bit``. ``partial.sim.toml`` names RTL of the gain: where Verilator is installed the simulated
board runs that in whichever region it is loaded into, and models of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq import DefaultIP, DefaultOverlay, allocate
from pynq.sim import Model

STAGES = {name: f"pynq-anywhere.org:examples:{name}:1.0" for name in ("gain", "offset", "limit")}


# -- the drivers ----
class Stage(DefaultIP):
    """Driver of what is in a region: one setting, and a count of words."""

    bindto = list(STAGES.values())

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__(description)
        self.register_map.IRQ_ENABLE.PACKET = 1

    @property
    def value(self) -> int:
        """The setting (GAIN, OFFSET or LIMIT), 0 to 2**32-1."""
        return int(self.read(0x0))

    @value.setter
    def value(self, value: int) -> None:
        self.write(0x0, value & 0xFFFFFFFF)

    @property
    def words(self) -> int:
        """Words that have left since the stage was loaded, modulo 2**32."""
        return int(self.register_map.WORDS)

    def wait(self, timeout: float = 1) -> None:
        """Wait for the interrupt at the end of a packet, and clear it."""
        self.interrupt.wait_sync(timeout=timeout)
        self.register_map.IRQ_STATUS = 1


class Switch(DefaultIP):
    """Driver of the AXI4-Stream switch (PG085)."""

    bindto = ["xilinx.com:ip:axis_switch:1.1"]

    def route(self, inputs: list[int | None]) -> None:
        """Give each output its input, None for none."""
        for output, number in enumerate(inputs):
            self.write(0x40 + 4 * output, 1 << 31 if number is None else number)
        self.write(0x0, 2)  # take the routes over
        self.mmio.wait_until(0x0, 2, 0, timeout=1)


# -- the overlay class ----
class PipelineOverlay(DefaultOverlay):
    """The whole overlay: ``overlay.load("pr_0", "gain")``, ``overlay.route("pr_0")``, ``overlay.run(x)``."""

    REGIONS = ("pr_0", "pr_1")

    def load(self, region: str, name: str) -> Stage:
        """Put a stage into a region, as one should: decouple the region, load, release. Return its driver."""
        bit = 1 << self.REGIONS.index(region)
        held = self.decouple.read(0x0)
        self.decouple.write(0x0, held | bit)
        try:
            self.pr_download(region, str(Path(self.bitfile_name).with_name(f"{name}.bit")))
        finally:
            self.decouple.write(0x0, held & ~bit)
        stage: Stage = getattr(self[region], name)
        return stage

    def route(self, *regions: str) -> None:
        """Lead the stream from the DMA through these regions, in that order, and back to the DMA."""
        places = [self.REGIONS.index(region) + 1 for region in regions]
        inputs: list[int | None] = [None] * (len(self.REGIONS) + 1)
        before = 0
        for place in places:
            inputs[place], before = before, place
        inputs[0] = before
        self.axis_switch_0.route(inputs)

    def run(self, x: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """Send words through the pipeline as one packet; return what comes back."""
        with (
            allocate(x.shape, "u4", target=self.device) as source,
            allocate(x.shape, "u4", target=self.device) as result,
        ):
            source[:] = x
            self.axi_dma_0.recvchannel.transfer(result)
            self.axi_dma_0.sendchannel.transfer(source)
            self.axi_dma_0.sendchannel.wait(timeout=10)
            self.axi_dma_0.recvchannel.wait(timeout=10)
            return np.array(result)


Overlay = PipelineOverlay


# -- the models: what the stages do, for a machine without a board ----
class StageModel(Model):
    """A stream of words through a function; see the specification in README.md."""

    def compute(self, words: npt.NDArray[np.uint32], value: np.uint32) -> npt.NDArray[np.uint32]:
        """Return what becomes of words."""
        raise NotImplementedError

    def on_write_IRQ_STATUS(self, value: int) -> None:  # noqa: N802  named after the register
        self._interrupt()

    def on_write_IRQ_ENABLE(self, value: int) -> None:  # noqa: N802
        self._interrupt()

    def _interrupt(self) -> None:
        self.pin("interrupt").drive(self.registers.IRQ_STATUS.PACKET & self.registers.IRQ_ENABLE.PACKET)

    async def main(self) -> None:
        while True:
            piece = await self.stream("s_axis").recv(4096)
            words = np.zeros(-(-len(piece) // 4), "<u4")
            words.view("u1")[: len(piece)] = piece
            result = self.compute(words, np.uint32(int(self.registers[0])))
            await self.stream("m_axis").send(result.view("u1")[: len(piece)], last=piece.last)
            self.registers.WORDS = (int(self.registers.WORDS) + words.size) & 0xFFFFFFFF
            if piece.last:
                self.registers.IRQ_STATUS.PACKET = 1
                self._interrupt()


class GainModel(StageModel):
    """Words times GAIN, modulo 2**32."""

    bindto = [STAGES["gain"]]

    def compute(self, words: npt.NDArray[np.uint32], value: np.uint32) -> npt.NDArray[np.uint32]:
        return words * value


class OffsetModel(StageModel):
    """Words plus OFFSET, modulo 2**32."""

    bindto = [STAGES["offset"]]

    def compute(self, words: npt.NDArray[np.uint32], value: np.uint32) -> npt.NDArray[np.uint32]:
        return words + value


class LimitModel(StageModel):
    """Words, but none above LIMIT."""

    bindto = [STAGES["limit"]]

    def compute(self, words: npt.NDArray[np.uint32], value: np.uint32) -> npt.NDArray[np.uint32]:
        return np.minimum(words, value)
