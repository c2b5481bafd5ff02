"""The block designs of the examples."""

from __future__ import annotations

from typing import Any

from .blockdesign import Block, BlockDesign, Cell, Field, Register, axi, axis, vector
from .regions import partial
from .systems import DDR7, DDR8_HIGH, DDR8_LOW, KV260, PS7, PS8, PYNQ_Z2, STAMP
from .vendor_ip import (
    Clocking,
    axi_dma,
    axi_gpio,
    axi_intc,
    axi_timer,
    axis_data_fifo,
    interconnect,
    proc_sys_reset,
    processing_system7,
    smartconnect,
    xlconcat,
    zynq_ultra_ps_e,
)

__all__ = ["DESIGNS"]


def dma_loopback() -> BlockDesign:
    """Kria KV260: one DMA whose stream comes back through a FIFO; interrupts straight into the PS."""
    design = BlockDesign("dma_loopback", KV260, **STAMP)
    clock = Clocking(design, f"{PS8}/pl_clk0", 99_999_001)
    ps = zynq_ultra_ps_e(design, PS8, clock, hp=True, interrupts=2)
    proc_sys_reset(design, "rst_ps8_0_99M", clock, f"{PS8}/pl_resetn0")
    reset = "rst_ps8_0_99M/peripheral_aresetn"
    dma = axi_dma(design, "axi_dma_0", clock, reset, stream_bytes=8, addr=40)
    fifo = axis_data_fifo(design, "axis_data_fifo_0", clock, reset, stream_bytes=8, depth=1024)
    design.connect(dma, "M_AXIS_MM2S", fifo, "S_AXIS")
    design.connect(fifo, "M_AXIS", dma, "S_AXIS_S2MM")
    interconnect(
        design,
        "ps8_0_axi_periph",
        clock,
        reset,
        masters=[(ps, "M_AXI_HPM0_FPD")],
        slaves=[(dma, "S_AXI_LITE")],
    )
    smartconnect(
        design,
        "axi_smc",
        clock,
        reset,
        masters=[(dma, "M_AXI_MM2S"), (dma, "M_AXI_S2MM")],
        slaves=[(ps, "S_AXI_HP0_FPD")],
    )
    xlconcat(design, "xlconcat_0", ["axi_dma_0/mm2s_introut", "axi_dma_0/s2mm_introut"])
    design.wire("xlconcat_0/dout", f"{PS8}/pl_ps_irq0")
    design.map(ps, "M_AXI_HPM0_FPD", dma, "S_AXI_LITE", 0xA000_0000, 0x1_0000)
    for bus in ("M_AXI_MM2S", "M_AXI_S2MM"):
        design.map(dma, bus, ps, "S_AXI_HP0_FPD", *DDR8_LOW, block="HP0_DDR_LOW", kind="MEMORY")
        design.map(dma, bus, ps, "S_AXI_HP0_FPD", *DDR8_HIGH, block="HP0_DDR_HIGH", kind="MEMORY")
    return design


# -- the streaming image filter ----
FILTER_REGISTERS = [
    Register(
        "CTRL",
        "0x00",
        "Control",
        [
            Field("ENABLE", 0, 1, "read-write", "1 takes frames in; 0 stops before the next frame."),
            Field(
                "ABS", 1, 1, "read-write", "1 takes the absolute value of the sum before the offset is added."
            ),
            Field("BYPASS", 2, 1, "read-write", "1 passes pixels through unchanged."),
        ],
    ),
    Register(
        "STATUS",
        "0x04",
        "Status",
        [
            Field("BUSY", 0, 1, "read-only", "1 from a frame's first pixel in to its last pixel out."),
            Field("DONE", 1, 1, "read-write", "A frame was finished; write 1 to clear.", "oneToClear"),
            Field(
                "EARLY_LAST",
                2,
                1,
                "read-write",
                "TLAST came before the frame's last pixel; write 1 to clear.",
                "oneToClear",
            ),
            Field(
                "MISSING_LAST",
                3,
                1,
                "read-write",
                "The frame's last pixel had no TLAST; write 1 to clear.",
                "oneToClear",
            ),
        ],
    ),
    Register(
        "IRQ_ENABLE",
        "0x08",
        "Interrupt enable",
        [
            Field("DONE", 0, 1, "read-write", "1 drives the interrupt while STATUS.DONE is set."),
        ],
    ),
    Register(
        "VERSION",
        "0x0C",
        "Version of the IP",
        [
            Field("MINOR", 0, 16, "read-only"),
            Field("MAJOR", 16, 16, "read-only"),
        ],
        "read-only",
        "0x00010000",
    ),
    Register("WIDTH", "0x10", "Pixels in a row, 1 to C_MAX_WIDTH", [Field("WIDTH", 0, 13)], reset="0x280"),
    Register("HEIGHT", "0x14", "Rows in a frame, 1 to 8191", [Field("HEIGHT", 0, 13)], reset="0x1E0"),
    Register("SHIFT", "0x18", "Right shift of the sum, rounded half up", [Field("SHIFT", 0, 4)]),
    Register(
        "OFFSET",
        "0x1C",
        "Added after the shift",
        [
            Field("OFFSET", 0, 10, "read-write", "Two's complement, -512 to 511."),
        ],
    ),
    *(
        Register(
            f"K{row}{column}",
            f"0x{0x20 + 4 * (3 * row + column):02X}",
            f"Coefficient of the pixel in row {row - 1:+d}, column {column - 1:+d}",
            [Field("K", 0, 16, "read-write", "Two's complement, -32768 to 32767.")],
            reset="0x1" if (row, column) == (1, 1) else "0x0",
        )
        for row in range(3)
        for column in range(3)
    ),
    Register(
        "FRAMES", "0x44", "Frames finished since reset", [Field("FRAMES", 0, 32, "read-only")], "read-only"
    ),
]


def stream_filter(design: BlockDesign, path: str, clock: Clocking, reset: str) -> Cell:
    """The example's own IP: a 3 by 3 convolution over a stream of RGBA pixels."""
    lite, control = axi(
        "s_axi",
        "SLAVE",
        prefix="s_axi_",
        protocol="AXI4LITE",
        data=32,
        addr=7,
        frequency=clock.frequency,
        domain=clock.domain,
    )
    into, into_bus = axis(
        "s_axis", "TARGET", prefix="s_axis_", nbytes=4, frequency=clock.frequency, domain=clock.domain
    )
    out, out_bus = axis(
        "m_axis", "INITIATOR", prefix="m_axis_", nbytes=4, frequency=clock.frequency, domain=clock.domain
    )
    pins = [
        vector("aclk", "I", None, kind="clk"),
        vector("aresetn", "I", None, kind="rst", polarity="ACTIVE_LOW"),
        *lite,
        *into,
        *out,
        vector("interrupt", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH"),
    ]
    parameters = {
        "C_MAX_WIDTH": "4096",
        "C_S_AXI_ADDR_WIDTH": "7",
        "C_S_AXI_DATA_WIDTH": "32",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(
            path,
            "pynq-anywhere.org:examples:stream_filter:1.0",
            {"COREREVISION": "1", "IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"},
            pins,
            [control, into_bus, out_bus],
            parameters,
            [Block("s_axi", FILTER_REGISTERS, range=128)],
        )
    )
    design.wire(clock.source, f"{path}/aclk")
    design.wire(reset, f"{path}/aresetn")
    return cell


def image_filter() -> BlockDesign:
    """Pynq-Z2: a hierarchy ``filter``, a DMA and the filter between its channels; axi_intc."""
    design = BlockDesign("image_filter", PYNQ_Z2, **STAMP)
    clock = Clocking(design, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS7, clock, hp=True, interrupts=1)
    proc_sys_reset(design, "rst_ps7_0_100M", clock, f"{PS7}/FCLK_RESET0_N")
    reset = "rst_ps7_0_100M/peripheral_aresetn"
    dma = axi_dma(design, "filter/axi_dma", clock, reset, stream_bytes=4)
    core = stream_filter(design, "filter/stream_filter", clock, reset)
    design.connect(dma, "M_AXIS_MM2S", core, "s_axis")
    design.connect(core, "m_axis", dma, "S_AXIS_S2MM")
    intc = axi_intc(design, "axi_intc_0", clock, reset, inputs=3)
    interconnect(
        design,
        "ps7_0_axi_periph",
        clock,
        reset,
        masters=[(ps, "M_AXI_GP0")],
        slaves=[(dma, "S_AXI_LITE"), (core, "s_axi"), (intc, "s_axi")],
    )
    interconnect(
        design,
        "axi_mem_intercon",
        clock,
        reset,
        masters=[(dma, "M_AXI_MM2S"), (dma, "M_AXI_S2MM")],
        slaves=[(ps, "S_AXI_HP0")],
    )
    xlconcat(
        design,
        "xlconcat_0",
        ["filter/axi_dma/mm2s_introut", "filter/axi_dma/s2mm_introut", "filter/stream_filter/interrupt"],
    )
    design.wire("xlconcat_0/dout", "axi_intc_0/intr")
    design.wire("axi_intc_0/irq", f"{PS7}/IRQ_F2P")
    design.map(ps, "M_AXI_GP0", dma, "S_AXI_LITE", 0x4040_0000, 0x1_0000)
    design.map(ps, "M_AXI_GP0", intc, "s_axi", 0x4180_0000, 0x1_0000)
    design.map(ps, "M_AXI_GP0", core, "s_axi", 0x43C0_0000, 0x1_0000)
    for bus in ("M_AXI_MM2S", "M_AXI_S2MM"):
        design.map(dma, bus, ps, "S_AXI_HP0", *DDR7, block="HP0_DDR_LOWOCM", kind="MEMORY")
    return design


def buttons_leds() -> BlockDesign:
    """Pynq-Z2: buttons, switches, LEDs and a timer; all interrupts through axi_intc."""
    design = BlockDesign("buttons_leds", PYNQ_Z2, **STAMP)
    clock = Clocking(design, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS7, clock, hp=False, interrupts=1)
    proc_sys_reset(design, "rst_ps7_0_100M", clock, f"{PS7}/FCLK_RESET0_N")
    reset = "rst_ps7_0_100M/peripheral_aresetn"
    buttons = axi_gpio(
        design, "buttons", clock, reset, width=4, inputs=True, interrupt=True, board="btns_4bits"
    )
    switches = axi_gpio(
        design, "switches", clock, reset, width=2, inputs=True, interrupt=True, board="sws_2bits"
    )
    leds = axi_gpio(design, "leds", clock, reset, width=4, inputs=False, interrupt=False, board="leds_4bits")
    rgbleds = axi_gpio(
        design, "rgbleds", clock, reset, width=6, inputs=False, interrupt=False, board="rgb_leds_6bits"
    )
    timer = axi_timer(design, "axi_timer_0", clock, reset)
    intc = axi_intc(design, "axi_intc_0", clock, reset, inputs=3)
    slaves = [
        (buttons, "S_AXI", 0x4120_0000),
        (leds, "S_AXI", 0x4121_0000),
        (switches, "S_AXI", 0x4122_0000),
        (rgbleds, "S_AXI", 0x4123_0000),
        (intc, "s_axi", 0x4180_0000),
        (timer, "S_AXI", 0x4280_0000),
    ]
    interconnect(
        design,
        "ps7_0_axi_periph",
        clock,
        reset,
        masters=[(ps, "M_AXI_GP0")],
        slaves=[(cell, bus) for cell, bus, _ in slaves],
    )
    xlconcat(design, "xlconcat_0", ["buttons/ip2intc_irpt", "switches/ip2intc_irpt", "axi_timer_0/interrupt"])
    design.wire("xlconcat_0/dout", "axi_intc_0/intr")
    design.wire("axi_intc_0/irq", f"{PS7}/IRQ_F2P")
    for cell, bus, base in slaves:
        design.map(ps, "M_AXI_GP0", cell, bus, base, 0x1_0000)
    return design


# -- the memory-mapped accelerator ----
_TOW = "oneToToggle"
HLS_CONTROL = [
    Register(
        "CTRL",
        "0x00",
        "Control signals",
        [
            Field(
                "AP_START",
                0,
                1,
                "read-write",
                "Write 1 to start; clears itself when the kernel takes it.",
                "modify",
            ),
            Field("AP_DONE", 1, 1, "read-only", "1 when a run is over; cleared by reading.", "", "modify"),
            Field("AP_IDLE", 2, 1, "read-only", "1 while the kernel does nothing.", "", "modify"),
            Field(
                "AP_READY",
                3,
                1,
                "read-only",
                "1 when the next run may be started; cleared by reading.",
                "",
                "modify",
            ),
            Field("RESERVED_1", 4, 3, "read-only", "Reads 0.", "", "modify"),
            Field("AUTO_RESTART", 7, 1, "read-write", "1 starts the next run by itself.", "modify"),
            Field("RESERVED_2", 8, 24, "read-only", "Reads 0.", "", "modify"),
        ],
        reset="0x4",
    ),
    Register(
        "GIER",
        "0x04",
        "Global interrupt enable",
        [
            Field("Enable", 0, 1, "read-write", "1 lets the interrupt out.", "modify"),
            Field("RESERVED", 1, 31, "read-only", "Reads 0.", "", "modify"),
        ],
    ),
    Register(
        "IP_IER",
        "0x08",
        "Interrupt enable",
        [
            Field("CHAN0_INT_EN", 0, 1, "read-write", "1 enables the interrupt of ap_done.", "modify"),
            Field("CHAN1_INT_EN", 1, 1, "read-write", "1 enables the interrupt of ap_ready.", "modify"),
            Field("RESERVED_0", 2, 30, "read-only", "Reads 0.", "", "modify"),
        ],
    ),
    Register(
        "IP_ISR",
        "0x0C",
        "Interrupt status",
        [
            Field("CHAN0_INT_ST", 0, 1, "read-only", "ap_done came; write 1 to toggle.", _TOW, "modify"),
            Field("CHAN1_INT_ST", 1, 1, "read-only", "ap_ready came; write 1 to toggle.", _TOW, "modify"),
            Field("RESERVED_0", 2, 30, "read-only", "Reads 0.", "", "modify"),
        ],
    ),
]


def _pointer(name: str, offset: int) -> list[Register]:
    return [
        Register(
            f"{name}_1",
            f"0x{offset:02X}",
            f"Address of {name}, low half",
            [Field(name, 0, 32, "write-only", f"Bits 31 to 0 of {name}.")],
            "write-only",
        ),
        Register(
            f"{name}_2",
            f"0x{offset + 4:02X}",
            f"Address of {name}, high half",
            [Field(name, 0, 32, "write-only", f"Bits 63 to 32 of {name}.")],
            "write-only",
        ),
    ]


VECTOR_ADD_REGISTERS = [
    *HLS_CONTROL,
    *_pointer("a", 0x10),
    *_pointer("b", 0x1C),
    *_pointer("c", 0x28),
    Register(
        "n", "0x34", "Number of 32-bit elements", [Field("n", 0, 32, "write-only", "Elements.")], "write-only"
    ),
]


def vector_add() -> BlockDesign:
    """Kria KV260: an HLS-style kernel that reads two vectors from DDR and writes their sum back."""
    design = BlockDesign("vector_add", KV260, **STAMP)
    clock = Clocking(design, f"{PS8}/pl_clk0", 199_998_001)
    ps = zynq_ultra_ps_e(design, PS8, clock, hp=True, interrupts=1)
    proc_sys_reset(design, "rst_ps8_0_199M", clock, f"{PS8}/pl_resetn0")
    reset = "rst_ps8_0_199M/peripheral_aresetn"
    common: dict[str, Any] = {"frequency": clock.frequency, "domain": clock.domain}
    lite, control = axi(
        "s_axi_control",
        "SLAVE",
        prefix="s_axi_control_",
        protocol="AXI4LITE",
        data=32,
        addr=6,
        upper=True,
        omit=["AWPROT", "ARPROT"],
        outstanding=1,
        **common,
    )
    gmem, gmem_bus = axi(
        "m_axi_gmem",
        "MASTER",
        prefix="m_axi_gmem_",
        protocol="AXI4",
        data=64,
        addr=64,
        upper=True,
        outstanding=16,
        burst=256,
        **common,
    )
    pins = [
        *lite,
        vector("ap_clk", "I", None, kind="clk"),
        vector("ap_rst_n", "I", None, kind="rst", polarity="ACTIVE_LOW"),
        vector("interrupt", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH"),
        *gmem,
    ]
    parameters = {
        "C_S_AXI_CONTROL_ADDR_WIDTH": "6",
        "C_S_AXI_CONTROL_DATA_WIDTH": "32",
        "C_M_AXI_GMEM_ID_WIDTH": "1",
        "C_M_AXI_GMEM_ADDR_WIDTH": "64",
        "C_M_AXI_GMEM_DATA_WIDTH": "64",
        "Component_Name": "vector_add_vector_add_0_0",
        "clk_period": "5",
        "machine": "64",
        "combinational": "0",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    core = design.add(
        Cell(
            "vector_add_0",
            "pynq-anywhere.org:examples:vector_add:1.0",
            {"COREREVISION": "1", "IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"},
            pins,
            [control, gmem_bus],
            parameters,
            [Block("s_axi_control", VECTOR_ADD_REGISTERS, range=65536)],
        )
    )
    design.wire(clock.source, "vector_add_0/ap_clk")
    design.wire(reset, "vector_add_0/ap_rst_n")
    smartconnect(
        design, "axi_smc", clock, reset, masters=[(ps, "M_AXI_HPM0_FPD")], slaves=[(core, "s_axi_control")]
    )
    smartconnect(
        design, "axi_smc_1", clock, reset, masters=[(core, "m_axi_gmem")], slaves=[(ps, "S_AXI_HP0_FPD")]
    )
    design.wire("vector_add_0/interrupt", f"{PS8}/pl_ps_irq0")
    design.map(
        ps,
        "M_AXI_HPM0_FPD",
        core,
        "s_axi_control",
        0xA000_0000,
        0x1_0000,
        basename="C_S_AXI_CONTROL_BASEADDR",
    )
    design.map(core, "m_axi_gmem", ps, "S_AXI_HP0_FPD", *DDR8_LOW, block="HP0_DDR_LOW", kind="MEMORY")
    design.map(core, "m_axi_gmem", ps, "S_AXI_HP0_FPD", *DDR8_HIGH, block="HP0_DDR_HIGH", kind="MEMORY")
    return design


# -- the polynomial ----
POLYNOMIAL_REGISTERS = [
    Register(
        "CTRL",
        "0x00",
        "Control",
        [
            Field("ENABLE", 0, 1, "read-write", "1 takes packets in; 0 stops before the next packet."),
            Field("CLEAR", 1, 1, "write-only", "Write 1 to clear WORDS and PACKETS."),
        ],
    ),
    Register(
        "STATUS",
        "0x04",
        "Status",
        [
            Field("BUSY", 0, 1, "read-only", "1 from a packet's first word in to its last word out."),
        ],
        "read-only",
    ),
    Register(
        "IRQ_ENABLE",
        "0x08",
        "Interrupt enable",
        [
            Field("PACKET", 0, 1, "read-write", "1 drives the interrupt while IRQ_STATUS.PACKET is set."),
        ],
    ),
    Register(
        "IRQ_STATUS",
        "0x0C",
        "Interrupt status",
        [
            Field("PACKET", 0, 1, "read-write", "A packet's last word left; write 1 to clear.", "oneToClear"),
        ],
    ),
    Register("A", "0x10", "Coefficient of x*x", [Field("A", 0, 32)]),
    Register("B", "0x14", "Coefficient of x", [Field("B", 0, 32)], reset="0x1"),
    Register("C", "0x18", "Constant", [Field("C", 0, 32)]),
    Register("WORDS", "0x1C", "Words that left", [Field("WORDS", 0, 32, "read-only")], "read-only"),
    Register("PACKETS", "0x20", "Packets that left", [Field("PACKETS", 0, 32, "read-only")], "read-only"),
    Register(
        "VERSION",
        "0x24",
        "Version of the IP",
        [
            Field("MINOR", 0, 16, "read-only"),
            Field("MAJOR", 16, 16, "read-only"),
        ],
        "read-only",
        "0x00010000",
    ),
]


def polynomial_core(design: BlockDesign, path: str, clock: Clocking, reset: str) -> Cell:
    """The example's own IP: a polynomial of the second degree on a stream of words."""
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
    parameters = {
        "C_S_AXI_ADDR_WIDTH": "6",
        "C_S_AXI_DATA_WIDTH": "32",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(
            path,
            "pynq-anywhere.org:examples:polynomial:1.0",
            {"COREREVISION": "1", "IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"},
            pins,
            [control, into_bus, out_bus],
            parameters,
            [Block("s_axi", POLYNOMIAL_REGISTERS, range=64)],
        )
    )
    design.wire(clock.source, f"{path}/aclk")
    design.wire(reset, f"{path}/aresetn")
    return cell


def polynomial() -> BlockDesign:
    """Pynq-Z2: a DMA with the polynomial between its channels; axi_intc."""
    design = BlockDesign("polynomial", PYNQ_Z2, **STAMP)
    clock = Clocking(design, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS7, clock, hp=True, interrupts=1)
    proc_sys_reset(design, "rst_ps7_0_100M", clock, f"{PS7}/FCLK_RESET0_N")
    reset = "rst_ps7_0_100M/peripheral_aresetn"
    dma = axi_dma(design, "axi_dma_0", clock, reset, stream_bytes=4)
    core = polynomial_core(design, "polynomial_0", clock, reset)
    design.connect(dma, "M_AXIS_MM2S", core, "s_axis")
    design.connect(core, "m_axis", dma, "S_AXIS_S2MM")
    intc = axi_intc(design, "axi_intc_0", clock, reset, inputs=3)
    interconnect(
        design,
        "ps7_0_axi_periph",
        clock,
        reset,
        masters=[(ps, "M_AXI_GP0")],
        slaves=[(dma, "S_AXI_LITE"), (core, "s_axi"), (intc, "s_axi")],
    )
    interconnect(
        design,
        "axi_mem_intercon",
        clock,
        reset,
        masters=[(dma, "M_AXI_MM2S"), (dma, "M_AXI_S2MM")],
        slaves=[(ps, "S_AXI_HP0")],
    )
    xlconcat(
        design,
        "xlconcat_0",
        ["axi_dma_0/mm2s_introut", "axi_dma_0/s2mm_introut", "polynomial_0/interrupt"],
    )
    design.wire("xlconcat_0/dout", "axi_intc_0/intr")
    design.wire("axi_intc_0/irq", f"{PS7}/IRQ_F2P")
    design.map(ps, "M_AXI_GP0", dma, "S_AXI_LITE", 0x4040_0000, 0x1_0000)
    design.map(ps, "M_AXI_GP0", intc, "s_axi", 0x4180_0000, 0x1_0000)
    design.map(ps, "M_AXI_GP0", core, "s_axi", 0x43C0_0000, 0x1_0000)
    for bus in ("M_AXI_MM2S", "M_AXI_S2MM"):
        design.map(dma, bus, ps, "S_AXI_HP0", *DDR7, block="HP0_DDR_LOWOCM", kind="MEMORY")
    return design


DESIGNS = {
    "dma_loopback": dma_loopback,
    "image_filter": image_filter,
    "buttons_leds": buttons_leds,
    "vector_add": vector_add,
    "polynomial": polynomial,
    "partial": partial,
}
