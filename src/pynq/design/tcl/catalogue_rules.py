"""What is known of common IP and can't be drawn from samples: rules.

Where a comment names no guide, a default is one that Vivado (2015.4 to 2025.2) writes into hand-off files
(C_SIZE of ``util_vector_logic`` alone is in none that was looked at).

Names of types are without vendor, library and version. Conditions are those of
:mod:`pynq.design.tcl.catalogue`: None for always, a parameter with the values for which, or above which,
something is there, and ``"used"`` for what a script connects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "AXI_SIGNALS",
    "DEFAULTS",
    "FOLLOWS",
    "NOT_IN_LITE",
    "NUMBERED",
    "PASSING",
    "PORT_CONDITIONS",
    "PORT_WIDTHS",
    "PS_SEGMENT_OWNERS",
    "RENAMED",
    "SPACES",
    "STREAM_ENDS",
    "STREAM_PASSING",
    "STREAM_SIGNALS",
    "USUAL_OFFSET",
    "USUAL_OFFSETS",
]

RENAMED: Mapping[str, str] = {
    # UG994, "Inline HDL": cells of the small ones that are plain HDL.
    **{f"il{name}": f"xilinx.com:ip:xl{name}" for name in ("concat", "constant", "slice")},
    "ilvector_logic": "xilinx.com:ip:util_vector_logic",
    "ilreduced_logic": "xilinx.com:ip:util_reduced_logic",
    # PG375, "Upgrading": the names until 2019.2.
    "pr_decoupler": "xilinx.com:ip:dfx_decoupler",
    "pr_axi_shutdown_manager": "xilinx.com:ip:dfx_axi_shutdown_manager",
}
"""Types that look like another one."""

DEFAULTS: Mapping[str, Mapping[str, str]] = {
    # The length's width: 8 to 26 (PG021, "S2MM_LENGTH").
    "axi_dma": {
        "c_include_sg": "1",
        "C_INCLUDE_SG": "1",
        "c_sg_length_width": "14",
        "C_SG_LENGTH_WIDTH": "14",
        "c_include_mm2s": "1",
        "c_include_s2mm": "1",
        "c_include_mm2s_dre": "0",
        "c_include_s2mm_dre": "0",
        "c_sg_include_stscntrl_strm": "1",
        "C_SG_INCLUDE_STSCNTRL_STRM": "1",
        "c_addr_width": "32",
        "c_micro_dma": "0",
        "c_m_axi_mm2s_data_width": "32",
        "C_M_AXI_MM2S_DATA_WIDTH": "32",
        "c_m_axi_s2mm_data_width": "32",
        "C_M_AXI_S2MM_DATA_WIDTH": "32",
        "c_m_axis_mm2s_tdata_width": "32",
        "C_M_AXIS_MM2S_TDATA_WIDTH": "32",
        "c_s_axis_s2mm_tdata_width": "32",
        "C_S_AXIS_S2MM_TDATA_WIDTH": "32",
        "c_mm2s_burst_size": "16",
        "c_s2mm_burst_size": "16",
    },
    "axi_gpio": {
        "C_GPIO_WIDTH": "32",
        "C_GPIO2_WIDTH": "32",
        "C_ALL_INPUTS": "0",
        "C_ALL_INPUTS_2": "0",
        "C_ALL_OUTPUTS": "0",
        "C_ALL_OUTPUTS_2": "0",
        "C_IS_DUAL": "0",
        "C_INTERRUPT_PRESENT": "0",
        "C_DOUT_DEFAULT": "0x00000000",
        "C_DOUT_DEFAULT_2": "0x00000000",
        "C_TRI_DEFAULT": "0xFFFFFFFF",
        "C_TRI_DEFAULT_2": "0xFFFFFFFF",
    },
    "axi_intc": {"C_NUM_INTR_INPUTS": "1", "C_IRQ_CONNECTION": "0", "C_HAS_FAST": "0"},
    # The width also in Linux's binding xlnx,xps-timer.yaml.
    "axi_timer": {"C_COUNT_WIDTH": "32", "COUNT_WIDTH": "32", "enable_timer2": "1"},
    "axis_data_fifo": {"FIFO_DEPTH": "512", "FIFO_MODE": "1", "IS_ACLK_ASYNC": "0"},
    "axis_broadcaster": {"NUM_MI": "2"},
    "axis_switch": {"NUM_SI": "2", "NUM_MI": "1"},
    "axis_combiner": {"NUM_SI": "2"},
    "axi_interconnect": {"NUM_SI": "1", "NUM_MI": "2"},
    "smartconnect": {"NUM_SI": "1", "NUM_MI": "1"},
    # Product briefs PB041, PB040, PB042; UG994, "Concat", "Slice".
    "xlconcat": {"NUM_PORTS": "2", **{f"IN{number}_WIDTH": "1" for number in range(128)}},
    "xlconstant": {"CONST_WIDTH": "1", "CONST_VAL": "1"},
    "xlslice": {"DIN_WIDTH": "32", "DIN_FROM": "0", "DIN_TO": "0", "DOUT_WIDTH": "1"},
    "util_vector_logic": {"C_SIZE": "8", "C_OPERATION": "and"},
    # An EMIO GPIO that is on has 64 pins (UG585, "GPIO": banks 2 and 3); the first clock of the PL is on.
    "processing_system7": {
        "PCW_USE_M_AXI_GP0": "1",
        **{f"PCW_USE_{name}": "0" for name in ("M_AXI_GP1", "S_AXI_GP0", "S_AXI_GP1", "S_AXI_ACP")},
        **{f"PCW_USE_S_AXI_HP{number}": "0" for number in range(4)},
        **{f"PCW_FPGA{number}_PERIPHERAL_FREQMHZ": "50" for number in range(4)},
        **{f"PCW_FPGA_FCLK{number}_ENABLE": "0" for number in range(1, 4)},
        **{f"PCW_EN_CLK{number}_PORT": "0" for number in range(1, 4)},
        **{f"PCW_ACT_FPGA{number}_PERIPHERAL_FREQMHZ": "10.000000" for number in range(1, 4)},
        **{f"PCW_FCLK{n}_PERIPHERAL_DIVISOR{m}": "1" for n in range(1, 4) for m in range(2)},
        "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ": "50.000000",
        "PCW_FCLK0_PERIPHERAL_DIVISOR0": "5",
        "PCW_FCLK0_PERIPHERAL_DIVISOR1": "4",
        "PCW_DDR_RAM_HIGHADDR": "0x1FFFFFFF",
        "PCW_FPGA_FCLK0_ENABLE": "1",
        "PCW_EN_CLK0_PORT": "1",
        "PCW_GPIO_EMIO_GPIO_ENABLE": "0",
        "PCW_GPIO_EMIO_GPIO_IO": "<Select>",
        "PCW_GPIO_EMIO_GPIO_WIDTH": "64",
        "PCW_IRQ_F2P_MODE": "DIRECT",
        "PCW_USE_FABRIC_INTERRUPT": "0",
        "PCW_IRQ_F2P_INTR": "0",
    },
}
"""What a cell has where its script gives nothing: parameters that structure, addresses or drivers lean on."""

FOLLOWS: Mapping[str, Mapping[str, str]] = {
    "axi_dma": {
        "C_INCLUDE_SG": "c_include_sg",
        "C_SG_INCLUDE_STSCNTRL_STRM": "c_sg_include_stscntrl_strm",
    },
    "processing_system7": {"C_EMIO_GPIO_WIDTH": "PCW_GPIO_EMIO_GPIO_WIDTH"},
    "zynq_ultra_ps_e": {"C_EMIO_GPIO_WIDTH": "PSU__GPIO_EMIO__PERIPHERAL__IO"},
}

_NO = ["0", "false"]
_YES = ["1", "true"]
PORT_CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "axi_gpio": {
        "gpio_io_i": ["C_ALL_OUTPUTS", _NO],
        "gpio_io_o": ["C_ALL_INPUTS", _NO],
        "gpio_io_t": ["C_ALL_INPUTS", _NO],
        "gpio2_io_i": ["C_IS_DUAL", _YES],
        "gpio2_io_o": ["C_IS_DUAL", _YES],
        "gpio2_io_t": ["C_IS_DUAL", _YES],
        "ip2intc_irpt": ["C_INTERRUPT_PRESENT", _YES],
    },
}

PORT_WIDTHS: Mapping[str, Mapping[str, Any]] = {
    "axi_intc": {"intr": "net"},
    "processing_system7": {"IRQ_F2P": "net"},
    "zynq_ultra_ps_e": {
        "pl_ps_irq0": "net",
        "pl_ps_irq1": "net",
        **{f"emio_gpio_{one}": ["C_EMIO_GPIO_WIDTH", 1, 1] for one in "iot"},
    },
    **{
        name: {"dout": "net", **{f"In{number}": "net" for number in range(128)}}
        for name in ("xlconcat", "ilconcat")
    },
    **{name: {"Din": ["DIN_WIDTH", 1, 1], "Dout": "net"} for name in ("xlslice", "ilslice")},
    **{name: {"dout": ["CONST_WIDTH", 1, 1]} for name in ("xlconstant", "ilconstant")},
    **{
        name: {"Op1": ["C_SIZE", 1, 1], "Op2": ["C_SIZE", 1, 1], "Res": ["C_SIZE", 1, 1]}
        for name in ("util_vector_logic", "ilvector_logic")
    },
}

NUMBERED = re.compile(r"(?P<side>[SM])(?P<number>\d\d)_(?P<kind>AXIS|AXI|ACLK|ARESETN|INI)\Z")
"""Names of the interfaces and clocks that interconnects have as many of as their parameters say."""

PASSING = frozenset(
    (
        "axi_interconnect",
        "smartconnect",
        "axi_crossbar",
        "axi_register_slice",
        "axi_protocol_converter",
        "axi_clock_converter",
        "axi_dwidth_converter",
        "axi_data_fifo",
        "axi_mmu",
        "axi_firewall",
        "axi_protocol_checker",
        "axi_vip",
        "axi_apb_bridge",
        "axi_ahblite_bridge",
        "axi_sideband_util",
        "dfx_decoupler",
        "pr_decoupler",
        "dfx_axi_shutdown_manager",
        "pr_axi_shutdown_manager",
        "lmb_v10",
        "axi_noc",
        "axi_noc2",
    )
)
"""IP through which addresses pass: behind their slave interfaces is what their masters reach."""

STREAM_PASSING: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "axis_data_fifo",
            "axis_register_slice",
            "axis_clock_converter",
            "axis_broadcaster",
            "axis_switch",
            "axis_combiner",
            "axis_interconnect",
        ),
        ("TDATA_NUM_BYTES",),
    ),
    "axis_subset_converter": ("S_TDATA_NUM_BYTES",),
    "axis_dwidth_converter": ("S_TDATA_NUM_BYTES",),
}
"""IP whose stream is as wide as what they are given, where a script doesn't say; the parameter that holds it.
"""

STREAM_ENDS: Mapping[str, tuple[str, ...]] = {
    "axi_dma": ("c_s_axis_s2mm_tdata_width",),
    "axi_vdma": ("c_s_axis_s2mm_tdata_width",),
}
"""IP at the end of a stream that take its width; the parameter that holds it, in bits (PG021, PG020)."""

PS_SEGMENT_OWNERS: Mapping[str, Mapping[str, str]] = {
    # As Vivado's hand-off files have them: the names of the wrapper's interfaces and of the address editor.
    "zynq_ultra_ps_e": {
        "SAXIGP0": "S_AXI_HPC0_FPD",
        "SAXIGP1": "S_AXI_HPC1_FPD",
        "SAXIGP2": "S_AXI_HP0_FPD",
        "SAXIGP3": "S_AXI_HP1_FPD",
        "SAXIGP4": "S_AXI_HP2_FPD",
        "SAXIGP5": "S_AXI_HP3_FPD",
        "SAXIGP6": "S_AXI_LPD",
        "SAXIACP": "S_AXI_ACP_FPD",
        "SAXIACE": "S_AXI_ACE_FPD",
    }
}

SPACES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    # UG984: instruction and data sides, and their caches.
    "microblaze": {
        "Data": ("DLMB", "M_AXI_DP", "M_AXI_DC"),
        "Instruction": ("ILMB", "M_AXI_IP", "M_AXI_IC"),
    },
}
"""The master interfaces of an address space, by type and name of the space; else its name tells."""

USUAL_OFFSETS: Mapping[str, int] = {
    "axi_bram_ctrl": 0x000_0000,
    "axi_dma": 0x040_0000,
    "axi_gpio": 0x120_0000,
    "axi_iic": 0x160_0000,
    "axi_intc": 0x180_0000,
    "axi_quad_spi": 0x1E0_0000,
    "axi_timer": 0x280_0000,
    "axi_uartlite": 0x2C0_0000,
    "axi_vdma": 0x300_0000,
}
"""Where Vivado puts an IP in the window of a Zynq-7000's GP master that it chooses the address in.

No guide has them: they are those of published hand-off files and exported scripts (axi_dma at 0x4040_0000 in
the window of M_AXI_GP0, at 0x8040_0000 in that of M_AXI_GP1).
"""
USUAL_OFFSET = 0x3C0_0000
"""The same for every other IP: HLS kernels, packaged ones, the rest of the catalogue."""

# AMBA AXI (IHI 0022) and AXI4-Stream (IHI 0051), "Signal descriptions". Signal -> whether the master drives
# it and its width, a number or a parameter of the interface.
AXI_SIGNALS: Mapping[str, tuple[bool, int | str | None]] = {
    "AWADDR": (True, "ADDR_WIDTH"),
    "AWLEN": (True, 8),
    "AWSIZE": (True, 3),
    "AWBURST": (True, 2),
    "AWPROT": (True, 3),
    "AWVALID": (True, None),
    "AWREADY": (False, None),
    "WDATA": (True, "DATA_WIDTH"),
    "WSTRB": (True, "STRB_WIDTH"),
    "WLAST": (True, None),
    "WVALID": (True, None),
    "WREADY": (False, None),
    "BRESP": (False, 2),
    "BVALID": (False, None),
    "BREADY": (True, None),
    "ARADDR": (True, "ADDR_WIDTH"),
    "ARLEN": (True, 8),
    "ARSIZE": (True, 3),
    "ARBURST": (True, 2),
    "ARPROT": (True, 3),
    "ARVALID": (True, None),
    "ARREADY": (False, None),
    "RDATA": (False, "DATA_WIDTH"),
    "RRESP": (False, 2),
    "RLAST": (False, None),
    "RVALID": (False, None),
    "RREADY": (True, None),
}
NOT_IN_LITE = frozenset(
    f"{channel}{signal}" for channel in ("AW", "AR", "W", "R") for signal in ("LEN", "SIZE", "BURST", "LAST")
)
"""Signals that AXI4-Lite has not (IHI 0022, "AMBA AXI4-Lite")."""
STREAM_SIGNALS: Mapping[str, tuple[bool, int | str | None]] = {
    "TDATA": (True, "DATA_WIDTH"),
    "TLAST": (True, None),
    "TVALID": (True, None),
    "TREADY": (False, None),
}
