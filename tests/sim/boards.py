"""Small designs for the tests of the simulated board, written in the format of Vivado and read back."""

from __future__ import annotations

import sys
from pathlib import Path

from pynq.design.hwh import read_bytes
from pynq.design.model import Design

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from examples.tools import designs  # noqa: E402
from examples.tools.blockdesign import Block, BlockDesign, Cell, Field, Register, axi, axis, vector  # noqa: E402
from examples.tools.vendor_ip import (  # noqa: E402
    Clocking,
    axi_dma,
    axi_intc,
    axi_timer,
    interconnect,
    proc_sys_reset,
    processing_system7,
    xlconcat,
)

PS = "processing_system7_0"
DMA, CORE, TIMER, TIMER2, INTC, NESTED = (
    0x4040_0000,
    0x43C0_0000,
    0x4280_0000,
    0x4281_0000,
    0x4180_0000,
    0x4181_0000,
)
CORE_TYPE = "acme.test:user:core:1.0"
SYSTEM = {"ARCH": "zynq", "BOARD": "", "DEVICE": "7z020", "PACKAGE": "clg400", "SPEEDGRADE": "-1"}

REGISTERS = [
    Register("CTRL", "0x00", "Control", [Field("GO", 0, 1), Field("MODE", 4, 3)]),
    Register("STATUS", "0x04", "Status", [Field("DONE", 0, 1, "read-write", "", "oneToClear")], reset="0x0"),
    Register("LEVEL", "0x08", "Level", [Field("LEVEL", 0, 8)], reset="0x80"),
    Register("ADDRESS", "0x10", "Address", []),
    Register("COUNT", "0x14", "Bytes", []),
    Register("ID", "0x18", "Identification", [], "read-only", "0xC0FFEE"),
]


def parsed(design: BlockDesign) -> Design:
    """Return what the reader makes of a block design."""
    return read_bytes(design.to_xml().encode(), f"{design.name}.hwh")


def example(name: str) -> Design:
    """Return the block design of an example."""
    return parsed(getattr(designs, name)())


def _core(design: BlockDesign, clock: Clocking, reset: str, width: int) -> Cell:
    lite, control = axi(
        "s_axi", "SLAVE", prefix="s_axi_", protocol="AXI4LITE", data=32, addr=8,
        frequency=clock.frequency, domain=clock.domain,
    )  # fmt: skip
    memory, master = axi(
        "m_axi", "MASTER", prefix="m_axi_", protocol="AXI4", data=64, addr=32,
        frequency=clock.frequency, domain=clock.domain,
    )  # fmt: skip
    into, into_bus = axis(
        "s_axis", "TARGET", prefix="s_axis_", nbytes=width, frequency=clock.frequency, domain=clock.domain
    )
    out, out_bus = axis(
        "m_axis", "INITIATOR", prefix="m_axis_", nbytes=width, frequency=clock.frequency, domain=clock.domain
    )
    pins = [
        vector("aclk", "I", None, kind="clk"),
        vector("aresetn", "I", None, kind="rst", polarity="ACTIVE_LOW"),
        *lite, *memory, *into, *out,
        vector("trigger", "I", None),
        vector("interrupt", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH"),
        vector("pulses", "O", None, kind="INTERRUPT", sensitivity="EDGE_RISING"),
    ]  # fmt: skip
    cell = design.add(
        Cell(
            "sub/core",
            CORE_TYPE,
            {"IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"},
            pins,
            [control, master, into_bus, out_bus],
            {"C_GAIN": "3"},
            [Block("s_axi", REGISTERS, range=256)],
        )
    )
    design.wire(clock.source, "sub/core/aclk")
    design.wire(reset, "sub/core/aresetn")
    return cell


def streaming(width: int = 4) -> Design:
    """A core with registers, both streams, a memory master, pins, between the channels of a DMA; two timers,
    one of them behind a second controller; two interrupts straight to the PS."""
    design = BlockDesign("streaming", SYSTEM, vivado="2022.1", timestamp="Sun Nov 22 12:00:00 2026")
    clock = Clocking(design, f"{PS}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS, clock, hp=True, interrupts=3)
    proc_sys_reset(design, "rst", clock, f"{PS}/FCLK_RESET0_N")
    reset = "rst/peripheral_aresetn"
    dma = axi_dma(design, "axi_dma_0", clock, reset, stream_bytes=width)
    core = _core(design, clock, reset, width)
    design.connect(dma, "M_AXIS_MM2S", core, "s_axis")
    design.connect(core, "m_axis", dma, "S_AXIS_S2MM")
    first, second = axi_timer(design, "timer_0", clock, reset), axi_timer(design, "timer_1", clock, reset)
    root = axi_intc(design, "axi_intc_0", clock, reset, inputs=4)
    root.parameters["C_KIND_OF_INTR"] = "0xfffffff4"  # bit set: edge; the timer is one
    nested = axi_intc(design, "sub/axi_intc", clock, reset, inputs=1)
    slaves = [
        (dma, "S_AXI_LITE", DMA), (core, "s_axi", CORE), (first, "S_AXI", TIMER), (second, "S_AXI", TIMER2),
        (root, "s_axi", INTC), (nested, "s_axi", NESTED),
    ]  # fmt: skip
    interconnect(
        design,
        "periph",
        clock,
        reset,
        masters=[(ps, "M_AXI_GP0")],
        slaves=[(cell, bus) for cell, bus, _ in slaves],
    )
    masters = [(dma, "M_AXI_MM2S"), (dma, "M_AXI_S2MM"), (core, "m_axi")]
    interconnect(design, "memory", clock, reset, masters=masters, slaves=[(ps, "S_AXI_HP0")])
    for cell, bus, base in slaves:
        design.map(ps, "M_AXI_GP0", cell, bus, base, 0x1_0000)
    for cell, bus in masters:
        design.map(cell, bus, ps, "S_AXI_HP0", 0, 0x2000_0000, block="HP0_DDR_LOWOCM", kind="MEMORY")
    xlconcat(
        design,
        "concat_0",
        ["axi_dma_0/s2mm_introut", "sub/core/interrupt", "timer_0/interrupt", "sub/axi_intc/irq"],
    )
    xlconcat(design, "concat_ps", ["axi_intc_0/irq", "sub/core/pulses", "axi_dma_0/mm2s_introut"])
    design.wire("timer_1/generateout0", "timer_0/capturetrig0")
    design.wire("timer_0/pwm0", "sub/core/trigger")
    design.wire("concat_0/dout", "axi_intc_0/intr")
    design.wire("timer_1/interrupt", "sub/axi_intc/intr")
    design.wire("concat_ps/dout", f"{PS}/IRQ_F2P")
    return parsed(design)
