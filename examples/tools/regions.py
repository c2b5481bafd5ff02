"""Partial reconfiguration: the example ``partial``, its static design and what goes into its two regions."""

from __future__ import annotations

from typing import Any

from .blockdesign import Block, BlockDesign, Bus, Cell, Field, Pin, Register, axi, axis, vector
from .systems import DDR7, PS7, PYNQ_Z2, STAMP
from .vendor_ip import (
    Clocking,
    axi_dma,
    axi_gpio,
    axi_intc,
    axis_switch,
    dfx_decoupler,
    interconnect,
    proc_sys_reset,
    processing_system7,
    xlconcat,
    xlslice,
)

__all__ = ["PARTIALS", "partial", "stage"]

REGIONS = ("pr_0", "pr_1")
WINDOW = 0x1_0000


def _boundary(clock: Clocking) -> tuple[list[Pin], list[Bus]]:
    """What is on the edge of a region: clock, reset, registers, a stream in and out, an interrupt."""
    common: dict[str, Any] = {"frequency": clock.frequency, "domain": clock.domain}
    lite, control = axi("s_axi", "SLAVE", prefix="s_axi_", protocol="AXI4LITE", data=32, addr=6, **common)
    into, into_bus = axis("s_axis", "TARGET", prefix="s_axis_", nbytes=4, **common)
    out, out_bus = axis("m_axis", "INITIATOR", prefix="m_axis_", nbytes=4, **common)
    pins = [
        vector("aclk", "I", None, kind="clk"),
        vector("aresetn", "I", None, kind="rst", polarity="ACTIVE_LOW"),
        *lite,
        *into,
        *out,
        vector("interrupt", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH"),
    ]
    return pins, [control, into_bus, out_bus]


def partial() -> BlockDesign:
    """Pynq-Z2: a DMA, a stream switch, and two regions behind decouplers; a GPIO decouples them."""
    design = BlockDesign("partial", PYNQ_Z2, **STAMP)
    clock = Clocking(design, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS7, clock, hp=True, interrupts=1)
    proc_sys_reset(design, "rst_ps7_0_100M", clock, f"{PS7}/FCLK_RESET0_N")
    reset = "rst_ps7_0_100M/peripheral_aresetn"
    dma = axi_dma(design, "axi_dma_0", clock, reset, stream_bytes=4)
    switch = axis_switch(design, "axis_switch_0", clock, reset, inputs=3, outputs=3, nbytes=4)
    gpio = axi_gpio(
        design, "decouple", clock, reset, width=2, inputs=False, interrupt=False, board="leds_2bits"
    )
    intc = axi_intc(design, "axi_intc_0", clock, reset, inputs=4)
    design.connect(dma, "M_AXIS_MM2S", switch, "S00_AXIS")
    design.connect(switch, "M00_AXIS", dma, "S_AXIS_S2MM")
    slaves = [(dma, "S_AXI_LITE"), (intc, "s_axi"), (gpio, "S_AXI"), (switch, "S_AXI_CTRL")]
    decouplers = []
    for index, path in enumerate(REGIONS):
        pins, buses = _boundary(clock)
        attributes = {"BD": f"{path}_inst_0", "BDTYPE": "BLOCK_CONTAINER", "DRIVERMODE": "SUBCORE"}
        region = design.add(Cell(path, "", attributes, pins, buses, {"ENABLE_DFX": "true"}))
        decoupler = dfx_decoupler(design, f"decoupler_{index}", clock, nbytes=4)
        decouplers.append((decoupler, region))
        design.connect(switch, f"M{index + 1:02d}_AXIS", decoupler, "s_in_0")
        design.connect(decoupler, "rp_in_0", region, "s_axis")
        design.connect(region, "m_axis", decoupler, "rp_out_0")
        design.connect(decoupler, "s_out_0", switch, f"S{index + 1:02d}_AXIS")
        design.connect(decoupler, "s_axi_lite", region, "s_axi")
        slaves.append((decoupler, "rp_axi_lite"))
        design.wire(clock.source, f"{path}/aclk")
        design.wire(reset, f"{path}/aresetn")
        design.wire(f"{path}/interrupt", f"{decoupler.path}/rp_intr_INTERRUPT")
        xlslice(design, f"xlslice_{index}", "decouple/gpio_io_o", 2, index)
        design.wire(f"xlslice_{index}/Dout", f"{decoupler.path}/decouple")
    interconnect(design, "ps7_0_axi_periph", clock, reset, masters=[(ps, "M_AXI_GP0")], slaves=slaves)
    interconnect(
        design,
        "axi_mem_intercon",
        clock,
        reset,
        masters=[(dma, "M_AXI_MM2S"), (dma, "M_AXI_S2MM")],
        slaves=[(ps, "S_AXI_HP0")],
    )
    interrupts = [f"{decoupler.path}/s_intr_INTERRUPT" for decoupler, _ in decouplers]
    xlconcat(design, "xlconcat_0", ["axi_dma_0/mm2s_introut", "axi_dma_0/s2mm_introut", *interrupts])
    design.wire("xlconcat_0/dout", "axi_intc_0/intr")
    design.wire("axi_intc_0/irq", f"{PS7}/IRQ_F2P")
    for cell, bus, base in (
        (dma, "S_AXI_LITE", 0x4040_0000),
        (gpio, "S_AXI", 0x4120_0000),
        (intc, "s_axi", 0x4180_0000),
        (switch, "S_AXI_CTRL", 0x43C0_0000),
        *((region, "s_axi", 0x43D0_0000 + WINDOW * place) for place, (_, region) in enumerate(decouplers)),
    ):
        design.map(ps, "M_AXI_GP0", cell, bus, base, WINDOW)
    for bus in ("M_AXI_MM2S", "M_AXI_S2MM"):
        design.map(dma, bus, ps, "S_AXI_HP0", *DDR7, block="HP0_DDR_LOWOCM", kind="MEMORY")
    return design


def _registers(name: str, text: str, reset: str) -> list[Register]:
    return [
        Register(name, "0x00", text, [Field(name, 0, 32, "read-write", f"{text}.")], reset=reset),
        Register("WORDS", "0x04", "Words that left", [Field("WORDS", 0, 32, "read-only")], "read-only"),
        Register(
            "IRQ_ENABLE",
            "0x08",
            "Interrupt enable",
            [Field("PACKET", 0, 1, "read-write", "1 drives the interrupt while IRQ_STATUS.PACKET is set.")],
        ),
        Register(
            "IRQ_STATUS",
            "0x0C",
            "Interrupt status",
            [
                Field(
                    "PACKET", 0, 1, "read-write", "A packet's last word left; write 1 to clear.", "oneToClear"
                )
            ],
        ),
    ]


def stage(name: str, register: str, text: str, reset: str) -> BlockDesign:
    """What goes into a region: one IP that has all that is on the boundary. Offsets count from 0."""
    design = BlockDesign(name, PYNQ_Z2, **STAMP)
    clock = Clocking(design, "External_Ports/aclk", 100_000_000)
    pins, buses = _boundary(clock)
    cell = design.add(
        Cell(
            name,
            f"pynq-anywhere.org:examples:{name}:1.0",
            {"COREREVISION": "1", "IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"},
            pins,
            buses,
            {"Component_Name": f"{name}_{name}_0", "EDK_IPTYPE": "PERIPHERAL"},
            [Block("s_axi", _registers(register, text, reset), range=64)],
        )
    )
    for bus in buses:
        design.boundary(cell, bus.name, "SLAVE" if bus.role in ("SLAVE", "TARGET") else "MASTER")
    for pin in ("aclk", "aresetn", "interrupt"):
        design.boundary_pin(cell, pin)
    design.map_boundary("s_axi", cell, "s_axi", 0, 0x1000)
    return design


PARTIALS = {
    "gain": lambda: stage("gain", "GAIN", "Factor, modulo 2**32", "0x1"),
    "offset": lambda: stage("offset", "OFFSET", "Summand, modulo 2**32", "0x0"),
    "limit": lambda: stage("limit", "LIMIT", "Largest word that leaves, without sign", "0xFFFFFFFF"),
}
"""The partial designs of the example, by name."""
