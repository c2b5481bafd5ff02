"""Small designs for the tests of `pynq check`: one that is in order, and what to change in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwh_files import B, I, M, P, R, Reg, document, zynq

from pynq.design import Design
from pynq.design.hwh import read_bytes

AXIS = "xilinx.com:interface:axis:1.0"
LOW = {"POLARITY": "ACTIVE_LOW"}
LEVEL = {"SENSITIVITY": "LEVEL_HIGH"}


def lite(name: str, role: str, net: str, **parameters: str) -> I:
    """An AXI4-Lite interface of 32 bits."""
    values = {"PROTOCOL": "AXI4LITE", "DATA_WIDTH": "32", "CLK_DOMAIN": "clk", "FREQ_HZ": "100000000"}
    return I(name, role, net, parameters={**values, **parameters})


def full(name: str, role: str, net: str, **parameters: str) -> I:
    """An AXI4 interface of 32 bits."""
    return lite(name, role, net, **{"PROTOCOL": "AXI4", **parameters})


def stream(name: str, role: str, net: str, *signals: str, **parameters: str) -> I:
    """A stream of 32 bits with TVALID, TREADY, TDATA and more signals, on ports ``name_tvalid``, ..."""
    logical = ("TDATA", "TVALID", "TREADY", *signals)
    values = {"TDATA_NUM_BYTES": "4", "CLK_DOMAIN": "clk", "FREQ_HZ": "100000000"}
    ports = {one: f"{name}_{one.lower()}" for one in logical if parameters.get(f"HAS_{one}") != "0"}
    return I(name, role, net, AXIS, {**values, **parameters}, ports)


def clocked(*more: P) -> list[P]:
    """Clock and reset, connected, and more ports."""
    return [P("aclk", "I", "clk", None, "clk"), P("aresetn", "I", "rst", None, "rst", LOW), *more]


def parts() -> dict[str, M]:
    """The cells of a design that is in order: a DMA, a kernel, an interrupt controller, behind a PS."""
    ps = zynq(
        ports=[
            P("FCLK_CLK0", "O", "clk", None, "clk"),
            P("FCLK_RESET0_N", "O", "ps_rst", None, "rst", LOW),
            P("IRQ_F2P", "I", "irq", 0, "INTERRUPT"),
        ],
        interfaces=[full("M_AXI_GP0", "MASTER", "gp0"), full("S_AXI_HP0", "SLAVE", "mem")],
        ranges=[
            R("dma", 0x4040_0000, 0x1_0000, "S_AXI_LITE"),
            R("kernel", 0x43C0_0000, 0x1_0000, "s_axi_control"),
            R("intc", 0x4180_0000, 0x1_0000, "s_axi"),
        ],
        parameters={
            "PCW_FPGA_FCLK0_ENABLE": "1",
            "PCW_FPGA0_PERIPHERAL_FREQMHZ": "100",
            "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ": "100.000000",
            "PCW_DDR_RAM_HIGHADDR": "0x1FFFFFFF",
        },
    )
    reset = M(
        "reset",
        "xilinx.com:ip:proc_sys_reset:5.0",
        [
            P("slowest_sync_clk", "I", "clk", None, "clk"),
            P("ext_reset_in", "I", "ps_rst", None, "rst", LOW),
            P("aux_reset_in", "I", "", None, "rst"),
            P("peripheral_aresetn", "O", "rst", None, "rst", LOW),
        ],
    )
    bus = M(
        "bus",
        "xilinx.com:ip:axi_interconnect:2.1",
        clocked(),
        [
            full("S00_AXI", "SLAVE", "gp0"),
            lite("M00_AXI", "MASTER", "to_dma"),
            lite("M01_AXI", "MASTER", "to_kernel"),
            lite("M02_AXI", "MASTER", "to_intc"),
        ],
        attributes={"IPTYPE": "BUS", "MODCLASS": "BUS"},
    )
    memory = [R("ps7", 0, 0x2000_0000, "S_AXI_HP0", name, kind="MEMORY") for name in ("M_AXI_S2MM",)]
    dma = M(
        "dma",
        "xilinx.com:ip:axi_dma:7.1",
        clocked(P("s2mm_introut", "O", "done", None, "INTERRUPT", LEVEL)),
        [
            lite("S_AXI_LITE", "SLAVE", "to_dma"),
            full("M_AXI_S2MM", "MASTER", "mem"),
            stream("S_AXIS_S2MM", "TARGET", "data", "TLAST", "TKEEP"),
        ],
        memory,
        [B("S_AXI_LITE", (Reg("S2MM_DMACR", 0x30),), range="65536")],
        {
            "c_sg_length_width": "26",
            "c_include_mm2s": "0",
            "c_include_s2mm": "1",
            "c_include_s2mm_dre": "1",
            "c_m_axi_s2mm_data_width": "32",
            "c_addr_width": "32",
        },
    )
    kernel = M(
        "kernel",
        "xilinx.com:hls:fill:1.0",
        clocked(P("interrupt", "O", "ready", None, "INTERRUPT", LEVEL)),
        [lite("s_axi_control", "SLAVE", "to_kernel"), stream("out_r", "INITIATOR", "data", "TLAST", "TKEEP")],
        [],
        [B("s_axi_control", (Reg("CTRL", 0), Reg("GIER", 4), Reg("IP_IER", 8)), range="65536")],
    )
    concat = M(
        "concat",
        "xilinx.com:ip:xlconcat:2.1",
        [P("In0", "I", "done"), P("In1", "I", "ready"), P("dout", "O", "both", 1)],
    )
    intc = M(
        "intc",
        "xilinx.com:ip:axi_intc:4.1",
        clocked(P("intr", "I", "both", 1, "INTERRUPT"), P("irq", "O", "irq", None, "INTERRUPT", LEVEL)),
        [lite("s_axi", "SLAVE", "to_intc")],
        [],
        [B("s_axi", (Reg("ISR", 0),), range="65536")],
        {"C_KIND_OF_INTR": "0xfffffffc", "C_KIND_OF_EDGE": "0xFFFFFFFF", "C_KIND_OF_LVL": "0xFFFFFFFF"},
        {"MODCLASS": "INTERRUPT_CNTLR"},
    )
    cells = (ps, reset, bus, dma, kernel, concat, intc)
    return {cell.path: cell for cell in cells}


def port(cell: M, which: str, /, **changes: Any) -> None:
    """Change a port of a cell."""
    cell.ports = [one._replace(**changes) if one.name == which else one for one in cell.ports]


def bus(cell: M, which: str, /, parameters: Mapping[str, str] | None = None, **changes: Any) -> None:
    """Change an interface of a cell."""
    cell.interfaces = [
        one._replace(**{"parameters": {**one.parameters, **(parameters or {})}, **changes})
        if one.name == which
        else one
        for one in cell.interfaces
    ]


def made(cells: Mapping[str, M], **options: Any) -> Design:
    """The design of cells."""
    return read_bytes(document(cells.values(), **options), "small.hwh")
