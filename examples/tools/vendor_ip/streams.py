"""Data movers and stream infrastructure."""

from __future__ import annotations

from typing import Any

from ..blockdesign import Block, BlockDesign, Cell, Field, Register, axi, axis
from .common import DOC, PERIPHERAL, Clocking, clock_pin, irq_pin, reset_pin


def _dma_registers(length_width: int) -> list[Register]:
    out = []
    for base, channel in ((0x00, "MM2S"), (0x30, "S2MM")):
        address, word = ("SA", "Source") if channel == "MM2S" else ("DA", "Destination")
        control = [
            Field("RS", 0, 1, "read-write", "1 runs the channel, 0 stops it after the current transfer."),
            Field("Reset", 2, 1, "read-write", "1 resets both channels; reads 1 until the reset is over."),
            Field("Keyhole", 3, 1, "read-write", "Fixed-address bursts; scatter-gather only."),
            Field(
                "Cyclic_BD_Enable",
                4,
                1,
                "read-write",
                "Descriptors are used in a circle; scatter-gather only.",
            ),
            Field("IOC_IrqEn", 12, 1, "read-write", "Interrupt when a transfer is complete."),
            Field("Dly_IrqEn", 13, 1, "read-write", "Interrupt on the delay timer; scatter-gather only."),
            Field("Err_IrqEn", 14, 1, "read-write", "Interrupt on an error."),
            Field("IRQThreshold", 16, 8, "read-write", "Transfers per interrupt; scatter-gather only."),
            Field("IRQDelay", 24, 8, "read-write", "Delay timer; scatter-gather only."),
        ]
        status = [
            Field("Halted", 0, 1, "read-only", "1 while the channel is stopped."),
            Field("Idle", 1, 1, "read-only", "1 when the last transfer is over."),
            Field("SGIncld", 3, 1, "read-only", "1 where the engine has scatter-gather."),
            Field(
                "DMAIntErr",
                4,
                1,
                "read-only",
                "Internal error: length 0, or a packet longer than the buffer.",
            ),
            Field("DMASlvErr", 5, 1, "read-only", "The memory answered SLVERR."),
            Field("DMADecErr", 6, 1, "read-only", "No memory at that address."),
            Field("SGIntErr", 8, 1, "read-only", "Internal error of scatter-gather."),
            Field("SGSlvErr", 9, 1, "read-only", "SLVERR while reading a descriptor."),
            Field("SGDecErr", 10, 1, "read-only", "No memory at a descriptor's address."),
            Field(
                "IOC_Irq", 12, 1, "read-write", "A transfer was completed; write 1 to clear.", "oneToClear"
            ),
            Field("Dly_Irq", 13, 1, "read-write", "The delay timer ran out; write 1 to clear.", "oneToClear"),
            Field(
                "Err_Irq",
                14,
                1,
                "read-write",
                "An error stopped the channel; write 1 to clear.",
                "oneToClear",
            ),
            Field("IRQThresholdSts", 16, 8, "read-only", "Count of the threshold."),
            Field("IRQDelaySts", 24, 8, "read-only", "Count of the delay timer."),
        ]
        whole = [Field(f"{word}_Address", 0, 32)]
        for offset, name, text, fields, reset in (
            (0x00, "DMACR", "control", control, "0x10002"),
            (0x04, "DMASR", "status", status, "0x10000"),
            (0x18, address, f"{word.lower()} address, low half", whole, "0x0"),
            (0x1C, f"{address}_MSB", f"{word.lower()} address, high half", whole, "0x0"),
            (0x28, "LENGTH", "bytes; writing starts the transfer", [Field("Length", 0, length_width)], "0x0"),
        ):
            out.append(
                Register(
                    f"{channel}_{name}", f"0x{base + offset:02X}", f"{channel} {text}", fields, reset=reset
                )
            )
    return out


def axi_dma(
    design: BlockDesign,
    path: str,
    clock: Clocking,
    reset: str,
    *,
    stream_bytes: int,
    memory_bytes: int = 8,
    addr: int = 32,
    length_width: int = 26,
) -> Cell:
    """AXI DMA (PG021), direct register mode, both channels, no realignment engine."""
    pins = [
        clock_pin(name, clock.frequency) for name in ("s_axi_lite_aclk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk")
    ]
    pins.append(reset_pin("axi_resetn"))
    common: dict[str, Any] = {"frequency": clock.frequency, "domain": clock.domain}
    lite, lite_bus = axi(
        "S_AXI_LITE",
        "SLAVE",
        prefix="s_axi_lite_",
        protocol="AXI4LITE",
        data=32,
        addr=10,
        omit=["WSTRB"],
        outstanding=8,
        **common,
    )
    no = ["AWLOCK", "ARLOCK", "AWQOS", "ARQOS"]
    mm2s, mm2s_bus = axi(
        "M_AXI_MM2S",
        "MASTER",
        prefix="m_axi_mm2s_",
        protocol="AXI4",
        data=8 * memory_bytes,
        addr=addr,
        write=False,
        omit=no,
        outstanding=16,
        **common,
    )
    s2mm, s2mm_bus = axi(
        "M_AXI_S2MM",
        "MASTER",
        prefix="m_axi_s2mm_",
        protocol="AXI4",
        data=8 * memory_bytes,
        addr=addr,
        read=False,
        omit=no,
        outstanding=16,
        **common,
    )
    out, out_bus = axis(
        "M_AXIS_MM2S",
        "INITIATOR",
        prefix="m_axis_mm2s_",
        nbytes=stream_bytes,
        **common,
    )
    into, into_bus = axis(
        "S_AXIS_S2MM",
        "TARGET",
        prefix="s_axis_s2mm_",
        nbytes=stream_bytes,
        **common,
    )
    pins += lite + mm2s + [reset_pin("mm2s_prmry_reset_out_n", "O")] + out + s2mm
    pins += [
        reset_pin("s2mm_prmry_reset_out_n", "O"),
        *into,
        irq_pin("mm2s_introut"),
        irq_pin("s2mm_introut"),
    ]
    bits = {
        "S_AXI_LITE_ADDR_WIDTH": 10,
        "S_AXI_LITE_DATA_WIDTH": 32,
        "DLYTMR_RESOLUTION": 125,
        "PRMRY_IS_ACLK_ASYNC": 0,
        "ENABLE_MULTI_CHANNEL": 0,
        "NUM_MM2S_CHANNELS": 1,
        "NUM_S2MM_CHANNELS": 1,
        "INCLUDE_SG": 0,
        "SG_INCLUDE_STSCNTRL_STRM": 0,
        "SG_USE_STSAPP_LENGTH": 0,
        "SG_LENGTH_WIDTH": length_width,
        "M_AXI_SG_ADDR_WIDTH": addr,
        "M_AXI_SG_DATA_WIDTH": 32,
        "MICRO_DMA": 0,
        "INCLUDE_MM2S": 1,
        "INCLUDE_MM2S_SF": 1,
        "MM2S_BURST_SIZE": 16,
        "M_AXI_MM2S_ADDR_WIDTH": addr,
        "M_AXI_MM2S_DATA_WIDTH": 8 * memory_bytes,
        "M_AXIS_MM2S_TDATA_WIDTH": 8 * stream_bytes,
        "INCLUDE_MM2S_DRE": 0,
        "INCLUDE_S2MM": 1,
        "INCLUDE_S2MM_SF": 1,
        "S2MM_BURST_SIZE": 16,
        "M_AXI_S2MM_ADDR_WIDTH": addr,
        "M_AXI_S2MM_DATA_WIDTH": 8 * memory_bytes,
        "S_AXIS_S2MM_TDATA_WIDTH": 8 * stream_bytes,
        "INCLUDE_S2MM_DRE": 0,
        "INCREASE_THROUGHPUT": 0,
    }
    parameters = {f"C_{name}": str(value) for name, value in bits.items()}
    parameters |= {
        "C_FAMILY": design.system["ARCH"],
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
    }
    parameters |= {
        f"c_{name.lower()}": str(bits[name])
        for name in ("INCLUDE_SG", "SG_LENGTH_WIDTH", "INCLUDE_MM2S", "INCLUDE_S2MM", "MICRO_DMA")
    }
    parameters |= {"c_addr_width": str(addr), "c_single_interface": "0", "EDK_IPTYPE": "PERIPHERAL"}
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:axi_dma:7.1",
            {"COREREVISION": "27", **PERIPHERAL},
            pins,
            [lite_bus, mm2s_bus, s2mm_bus, out_bus, into_bus],
            parameters,
            [Block("S_AXI_LITE", _dma_registers(length_width))],
            DOC.format("axi_dma", "v7_1", "pg021_axi_dma.pdf"),
        )
    )
    design.wire(clock.source, *(f"{path}/{name}_aclk" for name in ("s_axi_lite", "m_axi_mm2s", "m_axi_s2mm")))
    design.wire(reset, f"{path}/axi_resetn")
    return cell


def axis_data_fifo(
    design: BlockDesign, path: str, clock: Clocking, reset: str, *, stream_bytes: int, depth: int
) -> Cell:
    """AXI4-Stream Data FIFO (PG085), ``depth`` beats."""
    pins = [reset_pin("s_axis_aresetn"), clock_pin("s_axis_aclk", clock.frequency)]
    common: dict[str, Any] = {"nbytes": stream_bytes, "frequency": clock.frequency, "domain": clock.domain}
    into, into_bus = axis("S_AXIS", "TARGET", prefix="s_axis_", **common)
    out, out_bus = axis("M_AXIS", "INITIATOR", prefix="m_axis_", **common)
    parameters = {
        "C_FAMILY": design.system["ARCH"],
        "C_AXIS_TDATA_WIDTH": str(8 * stream_bytes),
        "C_AXIS_TID_WIDTH": "1",
        "C_AXIS_TDEST_WIDTH": "1",
        "C_AXIS_TUSER_WIDTH": "1",
        "C_AXIS_SIGNAL_SET": "0b00000000000000000000000000011011",
        "C_FIFO_DEPTH": str(depth),
        "C_FIFO_MODE": "1",
        "C_IS_ACLK_ASYNC": "0",
        "TDATA_NUM_BYTES": str(stream_bytes),
        "TID_WIDTH": "0",
        "TDEST_WIDTH": "0",
        "TUSER_WIDTH": "0",
        "FIFO_DEPTH": str(depth),
        "FIFO_MODE": "1",
        "IS_ACLK_ASYNC": "0",
        "HAS_TREADY": "1",
        "HAS_TSTRB": "0",
        "HAS_TKEEP": "1",
        "HAS_TLAST": "1",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "EDK_IPTYPE": "BUS",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:axis_data_fifo:2.0",
            {"COREREVISION": "8", "IPTYPE": "BUS", "MODCLASS": "BUS"},
            pins + into + out,
            [into_bus, out_bus],
            parameters,
            document=DOC.format("axis_data_fifo", "v2_0", "pg085-axi4stream-infrastructure.pdf"),
        )
    )
    design.wire(clock.source, f"{path}/s_axis_aclk")
    design.wire(reset, f"{path}/s_axis_aresetn")
    return cell
