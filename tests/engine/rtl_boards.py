"""Small boards with verilated modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq.backends.sim._engine import Engine, Link, Net, Rtl
from pynq.backends.sim.rtl.build import Library, build
from pynq.backends.sim.rtl.sources import Sources

from .boards import MM2S_CR, MM2S_LENGTH, MM2S_SA, RS, S2MM_CR, S2MM_DA, S2MM_LENGTH, S2MM_SR, DmaBoard

RTL = Path(__file__).resolve().parent / "rtl"
_SIDE = ("tdata", "tkeep", "tuser", "tid", "tdest", "tlast", "tvalid", "tready")
INTO, OUT_OF = 0x1000, 0x80_0000


def library(name: str, **parameters: int) -> Library:
    """Build a module of tests/engine/rtl, or take it from the cache."""
    file = next(RTL.glob(f"{name}.*v"))
    values = {key: str(value) for key, value in parameters.items()}
    return build([Sources(top=name, files=(file,), parameters=values, roots=(RTL,))], progress=False)[0]


def block(
    engine: Engine,
    clock: Any,
    name: str,
    *,
    cell: str = "",
    log: Callable[[str, str, int], None] | None = None,
    **parameters: int,
) -> Rtl:
    """Make a component of a module; nothing is added yet."""
    found = library(name, **parameters)
    return engine.rtl(
        cell or f"{name}_0", clock, str(found.path), folders=[str(f) for f in found.folders], log=log
    )


class StreamBoard(DmaBoard):
    """DMA -> module -> DMA. ``chain`` modules one after the other."""

    def __init__(
        self,
        engine: Engine,
        module: str = "pipe",
        *,
        width: int = 4,
        chain: int = 1,
        inputs: Mapping[str, int] | None = None,
        log: Callable[[str, str, int], None] | None = None,
        dma: Mapping[str, Any] | None = None,
        **parameters: int,
    ) -> None:
        memory_width = max(4, width)
        options = {"mm2s_memory_width": memory_width, "s2mm_memory_width": memory_width, **(dma or {})}
        super().__init__(engine, mm2s_dre=True, s2mm_dre=True, **options)
        self.reset = engine.net("reset_n", 1, 0)
        self.inputs: dict[str, Net] = {}
        self.outputs: dict[str, Net] = {}
        self.blocks: list[Rtl] = []
        self.links: list[Link] = [engine.link("in", width)]
        self.dma.stream("M_AXIS_MM2S", self.links[0])
        for index in range(chain):
            rtl = block(engine, self.clock, module, cell=f"{module}_{index}", log=log, **parameters)
            rtl.add_clock("clk", self.clock)
            rtl.add_reset("rst_n", active_low=True)
            rtl.add_stream("s_axis", self.stream_pins(rtl, "s_"), source=False, clock="clk", reset="rst_n")
            rtl.add_stream("m_axis", self.stream_pins(rtl, "m_"), source=True, clock="clk", reset="rst_n")
            for name, direction, bits in rtl.module_ports():
                if name in ("clk", "rst_n") or name.startswith(("s_t", "m_t")):
                    continue
                rtl.add_pin(name)
                if index:
                    continue
                initial = (inputs or {}).get(name, 0)
                net = engine.net(name, bits, initial if direction == "in" else 0)
                (self.inputs if direction == "in" else self.outputs)[name] = net
                rtl.wire(name, net)
            rtl.wire("rst_n", self.reset)
            rtl.stream("s_axis", self.links[-1])
            self.links.append(engine.link(f"out{index}", width))
            rtl.stream("m_axis", self.links[-1])
            rtl.begin()
            self.blocks.append(rtl)
        self.dma.stream("S_AXIS_S2MM", self.links[-1])
        engine.elaborate()
        self.rtl = self.blocks[0]
        engine.run(20 * self.clock.period)
        self.reset.drive(1)
        self.enable()

    @staticmethod
    def stream_pins(rtl: Rtl, prefix: str) -> dict[str, str]:
        """Return the pins of a stream by their logical names."""
        ports = {name for name, _, _ in rtl.module_ports()}
        return {side.upper(): prefix + side for side in (*_SIDE, "tstrb") if prefix + side in ports}

    def enable(self) -> None:
        """Start both channels of the DMA."""
        self.write(MM2S_CR, RS | 1 << 12)
        self.write(S2MM_CR, RS | 1 << 12)

    def start(self, data: npt.NDArray[np.uint8], capacity: int = 0) -> None:
        """Begin a transfer there and back."""
        self.ddr.write(INTO, data)
        self.write(S2MM_DA, OUT_OF)
        self.write(S2MM_LENGTH, capacity or len(data))
        self.write(MM2S_SA, INTO)
        self.write(MM2S_LENGTH, len(data))

    def received(self) -> npt.NDArray[np.uint8]:
        """Wait for the end of the packet, and return it."""
        reason = self.engine.run_until(self.nets["S2MM"], value=1)
        assert reason == "hit", self.engine.explain()
        self.write(S2MM_SR, 1 << 12)
        self.write(0x04, 1 << 12)
        return np.frombuffer(self.ddr.read(OUT_OF, self.read(S2MM_LENGTH)), np.uint8)

    def transfer(self, data: npt.NDArray[np.uint8], capacity: int = 0) -> npt.NDArray[np.uint8]:
        """Send a packet through; return what came."""
        self.start(data, capacity)
        return self.received()
