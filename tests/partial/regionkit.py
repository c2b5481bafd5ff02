# ruff: noqa: N802  hooks are named after registers
"""A block design with two regions for partial reconfiguration, and partial designs to put into them.

``pr_0`` is a block container between the channels of a DMA, ``block/rp`` a module reference with registers
only. Beside them a second DMA with a loop, and a timer, go on whatever happens to the regions.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from tools.blockdesign import Block, BlockDesign, Bus, Cell, Field, Pin, Register, axi, axis, vector
from tools.designs import PS7, PYNQ_Z2, STAMP
from tools.vendor_ip import (
    Clocking,
    axi_dma,
    axi_intc,
    axi_timer,
    axis_data_fifo,
    interconnect,
    proc_sys_reset,
    processing_system7,
    xlconcat,
)

import pynq

ADDER, MULTIPLIER, FAULTY = "acme.com:dfx:adder:1.0", "acme.com:dfx:multiplier:1.0", "acme.com:dfx:faulty:1.0"
PR_0, RP, WINDOW = 0x4000_0000, 0x4001_0000, 0x1_0000
RESET = "rst/peripheral_aresetn"
CONTAINER = "none:none:container:1.0"

REGISTERS = [
    Register("A", "0x00", "First operand", []),
    Register("B", "0x04", "Second operand", []),
    Register("RESULT", "0x08", "Result", [], "read-only"),
    Register("IRQ", "0x0C", "Interrupt", [Field("LEVEL", 0, 1)]),
]


def _lite(name: str, clock: Clocking, role: str = "SLAVE") -> tuple[list[Pin], Bus]:
    return axi(
        name, role, prefix=f"{name}_", protocol="AXI4LITE", data=32, addr=16,
        frequency=clock.frequency, domain=clock.domain,
    )  # fmt: skip


def _boundary(clock: Clocking, streams: bool) -> tuple[list[Pin], list[Bus]]:
    """What is on the edge of a region."""
    pins, buses = [], []
    lite, bus = _lite("s_axi", clock)
    pins += [
        vector("aclk", "I", None, kind="clk"),
        vector("aresetn", "I", None, kind="rst", polarity="ACTIVE_LOW"),
    ]
    pins += [*lite, vector("irq", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH")]
    buses.append(bus)
    if streams:
        common: dict[str, Any] = {"nbytes": 4, "frequency": clock.frequency, "domain": clock.domain}
        for name, role in (("s_axis", "TARGET"), ("m_axis", "INITIATOR")):
            more, bus = axis(name, role, prefix=f"{name}_", **common)
            pins += more
            buses.append(bus)
        pins += [vector("gate", "I", 1), vector("led", "O", 8)]
    return pins, buses


def static(name: str = "dfx") -> str:
    """The text of the hand-off file of the static design."""
    design = BlockDesign(name, PYNQ_Z2, **STAMP)
    clock = Clocking(design, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS7, clock, hp=True, interrupts=1)
    ps.pins.append(vector("GPIO_O", "O", 8))
    ps.parameters |= {"PCW_EN_EMIO_GPIO": "1", "PCW_GPIO_EMIO_GPIO_ENABLE": "1"}
    proc_sys_reset(design, "rst", clock, f"{PS7}/FCLK_RESET0_N")
    container = {"BDTYPE": "BLOCK_CONTAINER", "BD": "pr_0_inst_0", "DRIVERMODE": "SUBCORE"}
    reference = {"BDTYPE": "RBD", "BD": "rp_bd", "IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"}
    pins, buses = _boundary(clock, True)
    region = design.add(Cell("pr_0", CONTAINER, container, pins, buses, {"ENABLE_DFX": "true"}))
    pins, buses = _boundary(clock, False)
    other = design.add(Cell("block/rp", "xilinx.com:module_ref:rp_pd:1.0", reference, pins, buses, {}))
    dma = axi_dma(design, "axi_dma_0", clock, RESET, stream_bytes=4)
    loop = axi_dma(design, "static/axi_dma_1", clock, RESET, stream_bytes=4)
    fifo = axis_data_fifo(design, "static/fifo", clock, RESET, stream_bytes=4, depth=512)
    timer = axi_timer(design, "static/timer", clock, RESET)
    intc = axi_intc(design, "axi_intc_0", clock, RESET, inputs=4)
    design.connect(dma, "M_AXIS_MM2S", region, "s_axis")
    design.connect(region, "m_axis", dma, "S_AXIS_S2MM")
    design.connect(loop, "M_AXIS_MM2S", fifo, "S_AXIS")
    design.connect(fifo, "M_AXIS", loop, "S_AXIS_S2MM")
    slaves = [
        (region, "s_axi", PR_0), (other, "s_axi", RP), (dma, "S_AXI_LITE", 0x4040_0000),
        (loop, "S_AXI_LITE", 0x4041_0000), (timer, "S_AXI", 0x4280_0000), (intc, "s_axi", 0x4180_0000),
    ]  # fmt: skip
    interconnect(
        design,
        "periph",
        clock,
        RESET,
        masters=[(ps, "M_AXI_GP0")],
        slaves=[(cell, bus) for cell, bus, _ in slaves],
    )
    masters = [(one, f"M_AXI_{side}") for one in (dma, loop) for side in ("MM2S", "S2MM")]
    interconnect(design, "memory", clock, RESET, masters=masters, slaves=[(ps, "S_AXI_HP0")])
    for cell, bus, base in slaves:
        design.map(ps, "M_AXI_GP0", cell, bus, base, WINDOW)
    for cell, bus in masters:
        design.map(cell, bus, ps, "S_AXI_HP0", 0, 0x2000_0000, block="HP0_DDR_LOWOCM", kind="MEMORY")
    for path in ("pr_0", "block/rp"):
        design.wire(clock.source, f"{path}/aclk")
        design.wire(RESET, f"{path}/aresetn")
    xlconcat(
        design,
        "concat",
        ["pr_0/irq", "static/timer/interrupt", "block/rp/irq", "static/axi_dma_1/s2mm_introut"],
    )
    design.wire("concat/dout", "axi_intc_0/intr")
    design.wire("axi_intc_0/irq", f"{PS7}/IRQ_F2P")
    slice_cell = Cell(
        "gate_slice", "xilinx.com:ip:xlslice:1.0", {"IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"},
        [vector("Din", "I", 8), vector("Dout", "O", 1)], [],
        {"DIN_WIDTH": "8", "DIN_FROM": "3", "DIN_TO": "3", "DOUT_WIDTH": "1"},
    )  # fmt: skip
    design.add(slice_cell)
    design.wire(f"{PS7}/GPIO_O", "gate_slice/Din")
    design.wire("gate_slice/Dout", "pr_0/gate")
    _outward(design, "pr_0/led", "leds")
    return _file(design)


def partial(
    name: str,
    ip: Mapping[str, str],
    *,
    base: int = 0,
    streams: bool = True,
    irq: bool = True,
    mapped: bool = True,
    memories: Mapping[str, int] | None = None,
    region: str = "",
    system: Mapping[str, str] | None = None,
    controller: str = "",
) -> str:
    """The text of the hand-off file of a partial design.

    ``ip``: type by path, 4 KiB apart from ``base`` on. The first has what is on the boundary, the others have
    registers only. ``memories``: offset from ``base`` by path. ``region``: path of a region within this one.
    ``mapped`` False: the file has no addresses at all. ``controller``: path of an interrupt controller
    between the IP and the boundary, 4 KiB behind them.
    """
    design = BlockDesign(name, {**PYNQ_Z2, **(system or {})}, **STAMP)
    clock = Clocking(design, "External_Ports/aclk", 100_000_000)
    ranges: list[str] = []
    for number, (path, vlnv) in enumerate(ip.items()):
        first = number == 0
        pins, buses = _boundary(clock, streams and first)
        cell = Cell(
            path, vlnv, {"IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"}, pins, buses, {"C_NAME": path}
        )
        cell.blocks = [Block("s_axi", REGISTERS, range=4096)]
        design.add(cell)
        if first:
            design.external(
                cell, "s_axi", "s_axi", {pin.removeprefix("s_axi_").upper(): pin for pin in _bundle(cell)}
            )
            for bus in ("s_axis", "m_axis") if streams else ():
                design.external(cell, bus, bus, dict(cell.bus(bus).ports))
            for pin in [
                "aclk",
                "aresetn",
                *(["irq"] if irq and not controller else []),
                *(["gate", "led"] if streams else []),
            ]:
                _outward(design, f"{path}/{pin}", pin)
        else:
            for pin in ("aclk", "aresetn"):
                _share(design, pin, cell)
        ranges.append(_range(cell.instance, "s_axi", base + 0x1000 * number, 0x1000, "REGISTER"))
    if controller:
        cell = _controller(design, controller, len(ip))
        xlconcat(design, "lines", [f"{path}/irq" for path in ip])
        design.wire("lines/dout", f"{controller}/intr")
        _outward(design, f"{controller}/irq", "irq")
        ranges.append(_range(cell.instance, "s_axi", base + 0x1000 * len(ip), 0x1000, "REGISTER"))
    for path, offset in (memories or {}).items():
        pins, bus = axi(
            "S_AXI", "SLAVE", prefix="s_axi_", protocol="AXI4", data=32, addr=13,
            frequency=clock.frequency, domain=clock.domain,
        )  # fmt: skip
        cell = Cell(
            path, "xilinx.com:ip:axi_bram_ctrl:4.1", {"IPTYPE": "PERIPHERAL", "MODCLASS": "MEMORY_CNTLR"},
            [vector("s_axi_aclk", "I", None, kind="clk"), *pins], [bus], {},
            [Block("S_AXI", (), "Mem0", 8192, "memory")],
        )  # fmt: skip
        design.add(cell)
        ranges.append(_range(cell.instance, "S_AXI", base + offset, 0x2000, "MEMORY", "Mem0"))
    if region:
        pins, buses = _boundary(clock, False)
        design.add(Cell(region, CONTAINER, {"BDTYPE": "BLOCK_CONTAINER", "BD": "nested"}, pins, buses, {}))
        ranges.append(_range(region.replace("/", "_"), "s_axi", base + 0x8000, 0x4000, "REGISTER"))
    text = _file(design)
    if not mapped:
        return text
    map_ = "      <MEMORYMAP>\n" + "\n".join(ranges) + "\n      </MEMORYMAP>\n    </BUSINTERFACE>"
    head, mark, tail = text.partition('NAME="s_axi"')
    return head + mark + tail.replace("    </BUSINTERFACE>", map_, 1)


def shell(name: str, region: str) -> str:
    """The text of the hand-off file of a partial design that holds a region only, joined with all around."""
    design = BlockDesign(name, PYNQ_Z2, **STAMP)
    clock = Clocking(design, "External_Ports/aclk", 100_000_000)
    pins, buses = _boundary(clock, True)
    cell = Cell(region, CONTAINER, {"BDTYPE": "BLOCK_CONTAINER", "BD": "nested"}, pins, buses, {})
    design.add(cell)
    design.external(
        cell, "s_axi", "s_axi", {pin.removeprefix("s_axi_").upper(): pin for pin in _bundle(cell)}
    )
    for bus in ("s_axis", "m_axis"):
        design.external(cell, bus, bus, dict(cell.bus(bus).ports))
    for pin in ("aclk", "aresetn", "irq", "gate", "led"):
        _outward(design, f"{region}/{pin}", pin)
    ranges = _range(region.replace("/", "_"), "s_axi", 0, WINDOW, "REGISTER")
    head, mark, tail = _file(design).partition('NAME="s_axi"')
    map_ = f"      <MEMORYMAP>\n{ranges}\n      </MEMORYMAP>\n    </BUSINTERFACE>"
    return head + mark + tail.replace("    </BUSINTERFACE>", map_, 1)


def _bundle(cell: Cell) -> list[str]:
    return list(cell.bus("s_axi").ports.values())


def _range(instance: str, bus: str, base: int, size: int, kind: str, block: str = "Reg") -> str:
    return (
        f'        <MEMRANGE ADDRESSBLOCK="{block}" BASENAME="C_BASEADDR" BASEVALUE="0x{base:08X}" '
        f'HIGHNAME="C_HIGHADDR" HIGHVALUE="0x{base + size - 1:08X}" INSTANCE="{instance}" IS_DATA="TRUE" '
        f'IS_INSTRUCTION="TRUE" MASTERBUSINTERFACE="s_axi" MEMTYPE="{kind}" SLAVEBUSINTERFACE="{bus}"/>'
    )


def _outward(design: BlockDesign, inner: str, name: str) -> None:
    """Take a pin to the edge of the design."""
    cell, pin = design._pin(inner)
    pin.signal = pin.signal or f"{cell.instance}_{pin.name}"
    pin.peers.append(("External_Ports", name))
    outer = Pin(
        name, pin.direction, pin.left, pin.right, pin.kind, pin.polarity, pin.sensitivity, signal=pin.signal
    )
    outer.peers.append((cell.instance, pin.name))
    design.external_pins.append(outer)


def _share(design: BlockDesign, name: str, cell: Cell, inner: str = "") -> None:
    """Put a pin of the same name, or of another, on a net that comes from the edge."""
    outer = next(pin for pin in design.external_pins if pin.name == name)
    pin = cell.pin(inner or name)
    pin.signal = outer.signal
    pin.peers.append(("External_Ports", name))
    outer.peers.append((cell.instance, pin.name))


def _controller(design: BlockDesign, path: str, inputs: int) -> Cell:
    """An interrupt controller with clock and reset from the edge; elsewhere they come from a cell."""
    elsewhere = BlockDesign(design.name, PYNQ_Z2, **STAMP)
    elsewhere.add(Cell("source", "", {}, [vector("clock", "O", None), vector("reset", "O", None)], [], {}))
    clock = Clocking(elsewhere, "source/clock", 100_000_000)
    cell = design.add(axi_intc(elsewhere, path, clock, "source/reset", inputs=inputs))
    for name in ("aclk", "aresetn"):
        cell.pin(f"s_axi_{name}").peers.clear()
        _share(design, name, cell, f"s_axi_{name}")
    return cell


def _file(design: BlockDesign) -> str:
    text = design.to_xml()
    return "\ufeff" + re.sub(f' VLNV="{CONTAINER}"| MODTYPE="container"', "", text)


def write(folder: Path, name: str, text: str, bits: bytes | None = b"") -> Path:
    """Put a hand-off file, and a bitstream of some bytes, into a folder; return the bitstream's path."""
    (folder / f"{name}.hwh").write_text(text, encoding="utf-8")
    if bits is not None:
        (folder / f"{name}.bit").write_bytes(bits)
    return folder / f"{name}.bit"


def models() -> dict[str, type[pynq.sim.Model]]:
    """Define the models of the two arithmetic IPs and of one that can't be built."""

    class Adder(pynq.sim.Model):
        bindto = [ADDER]

        def on_write_A(self, value: int) -> None:
            self.compute()

        def on_write_B(self, value: int) -> None:
            self.compute()

        def on_write_IRQ(self, value: int) -> None:
            self.pin("irq").drive(value & 1)

        def compute(self) -> None:
            self.registers.RESULT = (self.registers.A + self.registers.B) & 0xFFFF_FFFF

        async def watch(self) -> None:
            while True:
                self.pin("led").drive(0xA0 | self.pin("gate").level)
                await self.pin("gate").changed()

        async def main(self) -> None:
            if "gate" in self._pins:
                self.start(self.watch())
            while "s_axis" in self._streams:
                packet = await self.stream("s_axis").recv()
                await self.stream("m_axis").send(packet.view("<u4") + 1)

    class Multiplier(pynq.sim.Model):
        bindto = [MULTIPLIER]

        def on_write_A(self, value: int) -> None:
            self.compute()

        def on_write_B(self, value: int) -> None:
            self.compute()

        def on_write_IRQ(self, value: int) -> None:
            self.pin("irq").drive(value & 1)

        def compute(self) -> None:
            self.registers.RESULT = (self.registers.A * self.registers.B) & 0xFFFF_FFFF

        async def main(self) -> None:
            while "s_axis" in self._streams:
                packet = await self.stream("s_axis").recv()
                await self.stream("m_axis").send(packet.view("<u4") * 2)

    class Faulty(pynq.sim.Model):
        bindto = [FAULTY]

        def on_write_NOWHERE(self, value: int) -> None:
            raise AssertionError("there is no such register")

    return {"adder": Adder, "multiplier": Multiplier, "faulty": Faulty}
