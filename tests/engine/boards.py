"""A DMA whose stream comes back to it, and a pair of Python components on one link."""

from __future__ import annotations

from typing import Any

from pynq.backends.sim._engine import Component, Engine, Host

DMA = 0x4040_0000
RS, RESET, IOC, ERR = 1, 4, 1 << 12, 1 << 14
HALTED, IDLE, INT_ERR, SLV_ERR, DEC_ERR = 1, 2, 1 << 4, 1 << 5, 1 << 6
MM2S_CR, MM2S_SR, MM2S_SA, MM2S_SA_MSB, MM2S_LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
S2MM_CR, S2MM_SR, S2MM_DA, S2MM_DA_MSB, S2MM_LENGTH = 0x30, 0x34, 0x48, 0x4C, 0x58


class DmaBoard:
    """A DMA with memory, registers and interrupts; its streams are left open."""

    def __init__(self, engine: Engine, *, memory: int = 1 << 24, base: int = 0, **dma: Any) -> None:
        self.engine = engine
        self.base = base
        self.clock = engine.clock("clk", 100e6)
        self.ddr = engine.memory("ddr", memory)
        self.ps = engine.space("ps", ps=True)
        self.spaces = {name: engine.space(f"axi_dma_0/M_AXI_{name}") for name in ("MM2S", "S2MM")}
        for space in self.spaces.values():
            space.map(base, base + memory - 1, self.ddr)
        self.dma: Component = engine.dma("axi_dma_0", self.clock, **{"length_bits": 23, **dma})
        self.nets = {}
        self.irqs = {}
        for number, name in ((61, "MM2S"), (62, "S2MM")):
            if not dma.get(name.lower(), True):
                continue
            self.dma.space(f"M_AXI_{name}", self.spaces[name])
            self.nets[name] = engine.net(f"{name.lower()}_introut")
            self.dma.wire(f"{name.lower()}_introut", self.nets[name])
            self.irqs[name] = engine.irq(number, self.nets[name])
        self.ps.map(DMA, DMA + 0xFFFF, self.dma)

    def read(self, offset: int) -> int:
        return self.engine.read(DMA + offset)

    def write(self, offset: int, value: int) -> None:
        self.engine.write(DMA + offset, value)

    def start(self) -> None:
        """Run both channels with all their interrupts on."""
        self.write(MM2S_CR, RS | IOC | ERR)
        self.write(S2MM_CR, RS | IOC | ERR)

    def send(self, address: int, nbytes: int) -> None:
        self.write(MM2S_SA, address & 0xFFFF_FFFF)
        self.write(MM2S_SA_MSB, address >> 32)
        self.write(MM2S_LENGTH, nbytes)

    def receive(self, address: int, nbytes: int) -> None:
        self.write(S2MM_DA, address & 0xFFFF_FFFF)
        self.write(S2MM_DA_MSB, address >> 32)
        self.write(S2MM_LENGTH, nbytes)


class LoopBoard(DmaBoard):
    """MM2S -> FIFO -> S2MM."""

    def __init__(
        self,
        engine: Engine,
        *,
        width: int = 8,
        depth: int = 16,
        fifo: int = 512,
        out_width: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(engine, **options)
        self.out = engine.link("mm2s", width, depth=depth)
        self.back = engine.link("s2mm", out_width or width, depth=depth)
        self.fifo = engine.fifo("axis_data_fifo_0", self.clock, depth=fifo)
        self.dma.stream("M_AXIS_MM2S", self.out)
        self.fifo.stream("S_AXIS", self.out)
        self.fifo.stream("M_AXIS", self.back)
        self.dma.stream("S_AXIS_S2MM", self.back)
        engine.elaborate()


class HostBoard(DmaBoard):
    """A DMA with a Python component between its two streams."""

    def __init__(self, engine: Engine, *, width: int = 8, depth: int = 16, **options: Any) -> None:
        super().__init__(engine, **options)
        self.model: Host = engine.host("fir_0", self.clock)
        self.model.add_sink("s_axis")
        self.model.add_source("m_axis")
        self.out = engine.link("mm2s", width, depth=depth)
        self.back = engine.link("s2mm", width, depth=depth)
        self.dma.stream("M_AXIS_MM2S", self.out)
        self.model.stream("s_axis", self.out)
        self.model.stream("m_axis", self.back)
        self.dma.stream("S_AXIS_S2MM", self.back)
        engine.elaborate()


class Pair:
    """A Python source and a Python sink with whatever lies between."""

    def __init__(self, engine: Engine, width: int = 4, depth: int = 16) -> None:
        self.engine = engine
        self.clock = engine.clock("clk", 100e6)
        self.source = engine.host("source", self.clock)
        self.source.add_source("m")
        self.sink = engine.host("sink", self.clock)
        self.sink.add_sink("s")
        self.link = engine.link("link", width, depth=depth)
        self.source.stream("m", self.link)
        self.last_link = self.link

    def through(self, component: Component, width: int, depth: int = 16) -> None:
        """Put a FIFO behind what is there."""
        component.stream("S_AXIS", self.last_link)
        self.last_link = self.engine.link(f"link{id(component)}", width, depth=depth)
        component.stream("M_AXIS", self.last_link)

    def close(self) -> None:
        self.sink.stream("s", self.last_link)
        self.engine.elaborate()

    def receive(self, nbytes: int | None = None) -> tuple[bytes, bool, tuple[int, int, int]]:
        """Run until a request of the sink is served."""
        got: list[tuple[bytes, bool, tuple[int, int, int]]] = []
        self.sink.receive("s", nbytes, lambda data, last, side: got.append((data.tobytes(), last, side)))
        assert self.engine.run_until(lambda: bool(got)) == "hit", self.engine.explain()
        return got[0]
