"""The vendor's IP that the examples use, as cells of a :class:`~examples.tools.blockdesign.BlockDesign`.

Pins, parameters and registers follow the product guides named at each function. Descriptions are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .blockdesign import Block, BlockDesign, Bus, Cell, Field, Pin, Register, axi, axis, vector

__all__ = [
    "axi_dma",
    "axi_gpio",
    "axi_intc",
    "axi_timer",
    "axis_data_fifo",
    "interconnect",
    "proc_sys_reset",
    "processing_system7",
    "smartconnect",
    "xlconcat",
    "zynq_ultra_ps_e",
]

_DOC = "http://www.xilinx.com/cgi-bin/docs/ipdoc?c={};v={};d={}"
_PERIPHERAL = {"IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"}


def _clock(name: str, frequency: int, direction: str = "I") -> Pin:
    return Pin(name, direction, kind="clk", frequency=frequency)


def _reset(name: str, direction: str = "I", polarity: str = "ACTIVE_LOW") -> Pin:
    return Pin(name, direction, kind="rst", polarity=polarity)


def _irq(name: str, direction: str = "O", width: int | None = None) -> Pin:
    return vector(name, direction, width, kind="INTERRUPT", sensitivity="LEVEL_HIGH")


class Clocking:
    """The clock that a design runs on: frequency in Hz and the name of its domain."""

    def __init__(self, design: BlockDesign, source: str, frequency: int) -> None:
        self.frequency = frequency
        self.source = source
        cell, _, pin = source.rpartition("/")
        self.domain = f"{design.name}_{cell}_0_{pin}"


_DDR_PINS = [
    ("CAS_N", "DDR_CAS_n", "DDR_cas_n", None, "undef"),
    ("CKE", "DDR_CKE", "DDR_cke", None, "undef"),
    ("CK_N", "DDR_Clk_n", "DDR_ck_n", None, "clk"),
    ("CK_P", "DDR_Clk", "DDR_ck_p", None, "clk"),
    ("CS_N", "DDR_CS_n", "DDR_cs_n", None, "undef"),
    ("RESET_N", "DDR_DRSTB", "DDR_reset_n", None, "rst"),
    ("ODT", "DDR_ODT", "DDR_odt", None, "undef"),
    ("RAS_N", "DDR_RAS_n", "DDR_ras_n", None, "undef"),
    ("WE_N", "DDR_WEB", "DDR_we_n", None, "undef"),
    ("BA", "DDR_BankAddr", "DDR_ba", 3, "undef"),
    ("ADDR", "DDR_Addr", "DDR_addr", 15, "undef"),
    ("DM", "DDR_DM", "DDR_dm", 4, "undef"),
    ("DQ", "DDR_DQ", "DDR_dq", 32, "undef"),
    ("DQS_N", "DDR_DQS_n", "DDR_dqs_n", 4, "undef"),
    ("DQS_P", "DDR_DQS", "DDR_dqs_p", 4, "undef"),
]
_FIXED_PINS = [
    ("MIO", "MIO", "FIXED_IO_mio", 54),
    ("DDR_VRN", "DDR_VRN", "FIXED_IO_ddr_vrn", None),
    ("DDR_VRP", "DDR_VRP", "FIXED_IO_ddr_vrp", None),
    ("PS_SRSTB", "PS_SRSTB", "FIXED_IO_ps_srstb", None),
    ("PS_CLK", "PS_CLK", "FIXED_IO_ps_clk", None),
    ("PS_PORB", "PS_PORB", "FIXED_IO_ps_porb", None),
]


def processing_system7(design: BlockDesign, path: str, clock: Clocking, *, hp: bool, interrupts: int) -> Cell:
    """The PS of the Zynq-7000 (PG082): GP0, optionally HP0, FCLK_CLK0, ``interrupts`` lines of IRQ_F2P."""
    pins: list[Pin] = []
    buses: list[Bus] = []
    if interrupts:
        pins.append(_irq("IRQ_F2P", "I", interrupts))
    pins += [_clock("M_AXI_GP0_ACLK", clock.frequency), _clock("FCLK_CLK0", clock.frequency, "O")]
    pins.append(_reset("FCLK_RESET0_N", "O"))
    for _, pin, _, width, kind in _DDR_PINS:
        pins.append(vector(pin, "IO", width, kind=kind))
    for _, pin, _, width in _FIXED_PINS:
        pins.append(vector(pin, "IO", width))
    ddr = {
        "CAN_DEBUG": "false",
        "TIMEPERIOD_PS": "1250",
        "MEMORY_TYPE": "COMPONENTS",
        "DATA_WIDTH": "8",
        "CS_ENABLED": "true",
        "DATA_MASK_ENABLED": "true",
        "SLOT": "Single",
        "MEM_ADDR_MAP": "ROW_COLUMN_BANK",
        "BURST_LENGTH": "8",
        "AXI_ARBITRATION_SCHEME": "TDM",
        "CAS_LATENCY": "11",
        "CAS_WRITE_LATENCY": "11",
    }
    buses.append(
        Bus(
            "DDR", "INITIATOR", "xilinx.com:interface:ddrx:1.0", {row[0]: row[1] for row in _DDR_PINS}, ddr, 8
        )
    )
    fixed = {row[0]: row[1] for row in _FIXED_PINS}
    kind = "xilinx.com:display_processing_system7:fixedio:1.0"
    buses.append(Bus("FIXED_IO", "INITIATOR", kind, fixed, {"CAN_DEBUG": "false"}))
    more, bus = axi(
        "M_AXI_GP0",
        "MASTER",
        prefix="M_AXI_GP0_",
        protocol="AXI3",
        data=32,
        addr=32,
        ids=12,
        upper=True,
        outstanding=8,
        threads=4,
        frequency=clock.frequency,
        domain=clock.domain,
    )
    pins += more
    buses.append(bus)
    blocks = []
    if hp:
        pins.append(_clock("S_AXI_HP0_ACLK", clock.frequency))
        more, bus = axi(
            "S_AXI_HP0",
            "SLAVE",
            prefix="S_AXI_HP0_",
            protocol="AXI3",
            data=64,
            addr=32,
            ids=6,
            upper=True,
            outstanding=8,
            frequency=clock.frequency,
            domain=clock.domain,
        )
        pins += more
        buses.append(bus)
        blocks.append(Block("S_AXI_HP0", name="HP0_DDR_LOWOCM", range=0x20000000, usage="memory", access=""))
    megahertz = str(clock.frequency // 1_000_000)
    parameters = {
        "C_EN_EMIO_ENET0": "0",
        "C_EMIO_GPIO_WIDTH": "64",
        "C_M_AXI_GP0_ID_WIDTH": "12",
        "C_S_AXI_HP0_ID_WIDTH": "6",
        "C_S_AXI_HP0_DATA_WIDTH": "64",
        "C_NUM_F2P_INTR_INPUTS": str(max(interrupts, 1)),
        "C_IRQ_F2P_MODE": "DIRECT",
        "C_USE_M_AXI_GP0": "1",
        "C_USE_M_AXI_GP1": "0",
        "C_USE_S_AXI_HP0": str(int(hp)),
        "C_PACKAGE_NAME": design.system["PACKAGE"],
        "PCW_FPGA0_PERIPHERAL_FREQMHZ": megahertz,
        "PCW_FPGA1_PERIPHERAL_FREQMHZ": "50",
        "PCW_FPGA2_PERIPHERAL_FREQMHZ": "50",
        "PCW_FPGA3_PERIPHERAL_FREQMHZ": "50",
        "PCW_CLK0_FREQ": str(clock.frequency),
        "PCW_CLK1_FREQ": "10000000",
        "PCW_CLK2_FREQ": "10000000",
        "PCW_CLK3_FREQ": "10000000",
        "PCW_FCLK0_PERIPHERAL_DIVISOR0": "5",
        "PCW_FCLK1_PERIPHERAL_DIVISOR0": "1",
        "PCW_FCLK2_PERIPHERAL_DIVISOR0": "1",
        "PCW_FCLK3_PERIPHERAL_DIVISOR0": "1",
        "PCW_FCLK0_PERIPHERAL_DIVISOR1": str(200_000_000 // clock.frequency),
        "PCW_FCLK1_PERIPHERAL_DIVISOR1": "1",
        "PCW_FCLK2_PERIPHERAL_DIVISOR1": "1",
        "PCW_FCLK3_PERIPHERAL_DIVISOR1": "1",
        "PCW_FCLK0_PERIPHERAL_CLKSRC": "IO PLL",
        "PCW_FCLK1_PERIPHERAL_CLKSRC": "IO PLL",
        "PCW_FCLK2_PERIPHERAL_CLKSRC": "IO PLL",
        "PCW_FCLK3_PERIPHERAL_CLKSRC": "IO PLL",
        "PCW_IO_IO_PLL_FREQMHZ": "1000.000",
        "PCW_IOPLL_CTRL_FBDIV": "20",
        "PCW_CRYSTAL_PERIPHERAL_FREQMHZ": "50",
        "PCW_FPGA_FCLK0_ENABLE": "1",
        "PCW_FPGA_FCLK1_ENABLE": "0",
        "PCW_FPGA_FCLK2_ENABLE": "0",
        "PCW_FPGA_FCLK3_ENABLE": "0",
        "PCW_EN_CLK0_PORT": "1",
        "PCW_EN_CLK1_PORT": "0",
        "PCW_EN_CLK2_PORT": "0",
        "PCW_EN_CLK3_PORT": "0",
        "PCW_EN_RST0_PORT": "1",
        "PCW_EN_EMIO_GPIO": "0",
        "PCW_GPIO_EMIO_GPIO_ENABLE": "0",
        "PCW_USE_M_AXI_GP0": "1",
        "PCW_USE_S_AXI_HP0": str(int(hp)),
        "PCW_USE_FABRIC_INTERRUPT": str(int(interrupts > 0)),
        "PCW_IRQ_F2P_INTR": str(int(interrupts > 0)),
        "PCW_IRQ_F2P_MODE": "DIRECT",
        "PCW_UIPARAM_DDR_ENABLE": "1",
        "PCW_UIPARAM_DDR_MEMORY_TYPE": "DDR 3",
        "PCW_DDR_RAM_BASEADDR": "0x00100000",
        "PCW_DDR_RAM_HIGHADDR": "0x1FFFFFFF",
        "Component_Name": f"{design.name}_{path}_0",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:processing_system7:5.5",
            {"CONFIGURABLE": "TRUE", "COREREVISION": "6", "IPTYPE": "PERIPHERAL", "IS_PL": "FALSE"},
            pins,
            buses,
            parameters,
            blocks,
            _DOC.format("processing_system7", "v5_3", "pg082-processing-system7.pdf"),
        )
    )
    design.external(cell, "DDR", "DDR", {row[0]: row[2] for row in _DDR_PINS})
    design.external(cell, "FIXED_IO", "FIXED_IO", {row[0]: row[2] for row in _FIXED_PINS})
    design.wire(clock.source, f"{path}/M_AXI_GP0_ACLK", *([f"{path}/S_AXI_HP0_ACLK"] if hp else []))
    return cell


def zynq_ultra_ps_e(design: BlockDesign, path: str, clock: Clocking, *, hp: bool, interrupts: int) -> Cell:
    """The PS of the Zynq UltraScale+ (PG201): HPM0_FPD, HP0_FPD if ``hp``, pl_clk0, some of pl_ps_irq0."""
    pins: list[Pin] = [_clock("maxihpm0_fpd_aclk", clock.frequency)]
    more, bus = axi(
        "M_AXI_HPM0_FPD",
        "MASTER",
        prefix="maxigp0_",
        protocol="AXI4",
        data=32,
        addr=40,
        ids=16,
        outstanding=8,
        threads=4,
        burst=256,
        frequency=clock.frequency,
        domain=clock.domain,
    )
    pins += more
    buses = [bus]
    blocks = []
    if hp:
        pins.append(_clock("saxihp0_fpd_aclk", clock.frequency))
        more, bus = axi(
            "S_AXI_HP0_FPD",
            "SLAVE",
            prefix="saxigp2_",
            protocol="AXI4",
            data=64,
            addr=49,
            ids=6,
            outstanding=16,
            frequency=clock.frequency,
            domain=clock.domain,
        )
        pins += more
        buses.append(bus)
        for name, size in (("HP0_DDR_LOW", 0x80000000), ("HP0_DDR_HIGH", 0x80000000)):
            blocks.append(Block("S_AXI_HP0_FPD", name=name, range=size, usage="memory", access=""))
    if interrupts:
        pins.append(_irq("pl_ps_irq0", "I", interrupts))
    pins += [_reset("pl_resetn0", "O"), _clock("pl_clk0", clock.frequency, "O")]
    actual = f"{clock.frequency / 1e6:.6f}"
    parameters = {
        "C_MAXIGP0_DATA_WIDTH": "32",
        "C_SAXIGP2_DATA_WIDTH": "64",
        "C_PL_CLK0_BUF": "TRUE",
        "C_PL_CLK1_BUF": "FALSE",
        "C_NUM_F2P_0_INTR_INPUTS": str(max(interrupts, 1)),
        "C_NUM_F2P_1_INTR_INPUTS": "1",
        "C_EMIO_GPIO_WIDTH": "1",
        "C_NUM_FABRIC_RESETS": "1",
        "PSU__PSS_REF_CLK__FREQMHZ": "33.333",
        "PSU_DDR_RAM_HIGHADDR": "0xFFFFFFFF",
        "PSU_DDR_RAM_HIGHADDR_OFFSET": "0x800000000",
        "PSU_DDR_RAM_LOWADDR_OFFSET": "0x80000000",
        "PSU__DDRC__ENABLE": "1",
        "PSU__DDRC__MEMORY_TYPE": "DDR 4",
        "PSU__FPGA_PL0_ENABLE": "1",
        "PSU__FPGA_PL1_ENABLE": "0",
        "PSU__FPGA_PL2_ENABLE": "0",
        "PSU__FPGA_PL3_ENABLE": "0",
        "PSU__GPIO_EMIO__PERIPHERAL__ENABLE": "0",
        "PSU__USE__M_AXI_GP0": "1",
        "PSU__USE__M_AXI_GP1": "0",
        "PSU__USE__M_AXI_GP2": "0",
        "PSU__USE__S_AXI_GP2": str(int(hp)),
        "PSU__USE__IRQ0": str(int(interrupts > 0)),
        "PSU__USE__IRQ1": "0",
        "PSU__USE__FABRIC__RST": "1",
        "PSU__CRL_APB__IOPLL_CTRL__FBDIV": "60",
        "PSU__CRL_APB__IOPLL_CTRL__DIV2": "1",
        "PSU__CRL_APB__IOPLL_CTRL__SRCSEL": "PSS_REF_CLK",
        **{
            f"PSU__CRL_APB__PL{index}_REF_CTRL__{name}": value
            for index in range(4)
            for name, value in (
                ("DIVISOR0", str(round(1e9 / clock.frequency)) if index == 0 else "4"),
                ("DIVISOR1", "1"),
                ("SRCSEL", "IOPLL" if index == 0 else "RPLL"),
                ("FREQMHZ", str(round(clock.frequency / 1e6)) if index == 0 else "100"),
                ("ACT_FREQMHZ", actual if index == 0 else "100"),
            )
        },
        "Component_Name": f"{design.name}_{path}_0",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:zynq_ultra_ps_e:3.4",
            {"CONFIGURABLE": "TRUE", "COREREVISION": "0", "IPTYPE": "PERIPHERAL", "IS_PL": "FALSE"},
            pins,
            buses,
            parameters,
            blocks,
            _DOC.format("zynq_ultra_ps_e", "v3_4", "pg201-zynq-ultrascale-plus-processing-system.pdf"),
        )
    )
    design.wire(clock.source, f"{path}/maxihpm0_fpd_aclk", *([f"{path}/saxihp0_fpd_aclk"] if hp else []))
    return cell


def proc_sys_reset(design: BlockDesign, path: str, clock: Clocking, reset: str) -> Cell:
    """Processor System Reset (PG164), driven by the pin ``reset``."""
    pins = [
        _clock("slowest_sync_clk", clock.frequency),
        _reset("ext_reset_in"),
        _reset("aux_reset_in"),
        _reset("mb_debug_sys_rst", polarity="ACTIVE_HIGH"),
        Pin("dcm_locked", "I"),
        _reset("mb_reset", "O", "ACTIVE_HIGH"),
        vector("bus_struct_reset", "O", 1, kind="rst", polarity="ACTIVE_HIGH"),
        vector("peripheral_reset", "O", 1, kind="rst", polarity="ACTIVE_HIGH"),
        vector("interconnect_aresetn", "O", 1, kind="rst", polarity="ACTIVE_LOW"),
        vector("peripheral_aresetn", "O", 1, kind="rst", polarity="ACTIVE_LOW"),
    ]
    parameters = {
        "C_FAMILY": design.system["ARCH"],
        "C_EXT_RST_WIDTH": "4",
        "C_AUX_RST_WIDTH": "4",
        "C_EXT_RESET_HIGH": "0",
        "C_AUX_RESET_HIGH": "0",
        "C_NUM_BUS_RST": "1",
        "C_NUM_PERP_RST": "1",
        "C_NUM_INTERCONNECT_ARESETN": "1",
        "C_NUM_PERP_ARESETN": "1",
        "Component_Name": f"{design.name}_{path}_0",
        "USE_BOARD_FLOW": "false",
        "RESET_BOARD_INTERFACE": "Custom",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:proc_sys_reset:5.0",
            {"COREREVISION": "13", **_PERIPHERAL},
            pins,
            [],
            parameters,
            document=_DOC.format("proc_sys_reset", "v5_0", "pg164-proc-sys-reset.pdf"),
        )
    )
    design.wire(clock.source, f"{path}/slowest_sync_clk")
    design.wire(reset, f"{path}/ext_reset_in")
    return cell


def _mirror(peer: Bus, peer_cell: Cell, name: str, role: str) -> tuple[list[Pin], Bus]:
    """The other side of a bus, as an interconnect shows it: same signals, lower case, turned round."""
    pins, ports = [], {}
    for logical, port in peer.ports.items():
        original = peer_cell.pin(port)
        pin = f"{name}_{logical.lower()}"
        turned = {"I": "O", "O": "I"}[original.direction]
        pins.append(Pin(pin, turned, original.left, original.right))
        ports[logical] = pin
    return pins, Bus(name, role, peer.vlnv, ports, {}, peer.data_width)


def interconnect(
    design: BlockDesign,
    path: str,
    clock: Clocking,
    reset: str,
    *,
    masters: Sequence[tuple[Cell, str]],
    slaves: Sequence[tuple[Cell, str]],
) -> Cell:
    """AXI Interconnect (PG059) between ``masters`` and ``slaves``; joins clock, reset and all of them."""
    names = [("S", i) for i in range(len(masters))] + [("M", i) for i in range(len(slaves))]
    pins = [Pin("ACLK", "I", kind="clk", show_frequency=False), Pin("ARESETN", "I", kind="rst")]
    for letter, i in names:
        pins.append(Pin(f"{letter}{i:02d}_ACLK", "I", kind="clk", show_frequency=False))
        pins.append(Pin(f"{letter}{i:02d}_ARESETN", "I", kind="rst"))
    parameters = {
        "NUM_SI": str(len(masters)),
        "NUM_MI": str(len(slaves)),
        "STRATEGY": "0",
        "ENABLE_ADVANCED_OPTIONS": "0",
        "ENABLE_PROTOCOL_CHECKERS": "0",
        "XBAR_DATA_WIDTH": "32",
        "SYNCHRONIZATION_STAGES": "3",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "EDK_IPTYPE": "BUS",
    }
    cell = Cell(
        path,
        "xilinx.com:ip:axi_interconnect:2.1",
        {"COREREVISION": "27", "IPTYPE": "BUS", "MODCLASS": "BUS"},
        pins,
        [],
        parameters,
        document=_DOC.format("axi_interconnect", "v2_1", "pg059-axi-interconnect.pdf"),
    )
    _join(design, cell, masters, slaves)
    clocks = [f"{path}/{pin.name}" for pin in cell.pins if pin.kind == "clk"]
    design.wire(clock.source, *clocks)
    design.wire(reset, *(f"{path}/{pin.name}" for pin in cell.pins if pin.kind == "rst"))
    return cell


def smartconnect(
    design: BlockDesign,
    path: str,
    clock: Clocking,
    reset: str,
    *,
    masters: Sequence[tuple[Cell, str]],
    slaves: Sequence[tuple[Cell, str]],
) -> Cell:
    """SmartConnect (PG247), like :func:`interconnect`."""
    pins = [_clock("aclk", clock.frequency), _reset("aresetn")]
    name = f"{design.name}_{path.replace('/', '_')}_0"
    parameters = {
        "NUM_MI": str(len(slaves)),
        "NUM_SI": str(len(masters)),
        "NUM_CLKS": "1",
        "HAS_ARESETN": "1",
        "ADVANCED_PROPERTIES": "0",
        "Component_Name": name,
        "EDK_IPTYPE": "BUS",
    }
    cell = Cell(
        path,
        "xilinx.com:ip:smartconnect:1.0",
        {
            "BD": name,
            "BDTYPE": "SBD",
            "COREREVISION": "18",
            "DRIVERMODE": "CORE",
            "IPTYPE": "BUS",
            "MODCLASS": "BUS",
            "SIM_BD": name,
        },
        pins,
        [],
        parameters,
        document=_DOC.format("smartconnect", "v1_0", "pg247-smartconnect.pdf"),
    )
    _join(design, cell, masters, slaves)
    design.wire(clock.source, f"{path}/aclk")
    design.wire(reset, f"{path}/aresetn")
    return cell


def _join(
    design: BlockDesign, cell: Cell, masters: Sequence[tuple[Cell, str]], slaves: Sequence[tuple[Cell, str]]
) -> None:
    design.add(cell)
    for letter, role, peers in (("S", "SLAVE", masters), ("M", "MASTER", slaves)):
        for i, (peer, bus) in enumerate(peers):
            pins, mirrored = _mirror(peer.bus(bus), peer, f"{letter}{i:02d}_AXI", role)
            cell.pins += pins
            cell.buses.append(mirrored)
    for i, (peer, bus) in enumerate(masters):
        design.connect(peer, bus, cell, f"S{i:02d}_AXI")
    for i, (peer, bus) in enumerate(slaves):
        design.connect(cell, f"M{i:02d}_AXI", peer, bus)


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
        _clock(name, clock.frequency) for name in ("s_axi_lite_aclk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk")
    ]
    pins.append(_reset("axi_resetn"))
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
    pins += lite + mm2s + [_reset("mm2s_prmry_reset_out_n", "O")] + out + s2mm
    pins += [_reset("s2mm_prmry_reset_out_n", "O"), *into, _irq("mm2s_introut"), _irq("s2mm_introut")]
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
            {"COREREVISION": "27", **_PERIPHERAL},
            pins,
            [lite_bus, mm2s_bus, s2mm_bus, out_bus, into_bus],
            parameters,
            [Block("S_AXI_LITE", _dma_registers(length_width))],
            _DOC.format("axi_dma", "v7_1", "pg021_axi_dma.pdf"),
        )
    )
    design.wire(clock.source, *(f"{path}/{name}_aclk" for name in ("s_axi_lite", "m_axi_mm2s", "m_axi_s2mm")))
    design.wire(reset, f"{path}/axi_resetn")
    return cell


def axis_data_fifo(
    design: BlockDesign, path: str, clock: Clocking, reset: str, *, stream_bytes: int, depth: int
) -> Cell:
    """AXI4-Stream Data FIFO (PG085), ``depth`` beats."""
    pins = [_reset("s_axis_aresetn"), _clock("s_axis_aclk", clock.frequency)]
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
            document=_DOC.format("axis_data_fifo", "v2_0", "pg085-axi4stream-infrastructure.pdf"),
        )
    )
    design.wire(clock.source, f"{path}/s_axis_aclk")
    design.wire(reset, f"{path}/s_axis_aresetn")
    return cell


def xlconcat(design: BlockDesign, path: str, drivers: Sequence[str]) -> Cell:
    """Concat: ``drivers[0]`` is bit 0 of ``dout``."""
    count = len(drivers)
    pins = [vector(f"In{i}", "I", 1) for i in range(count)] + [vector("dout", "O", count)]
    parameters = {f"IN{i}_WIDTH": "1" for i in range(32)}
    parameters |= {
        "dout_width": str(count),
        "NUM_PORTS": str(count),
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(path, "xilinx.com:ip:xlconcat:2.1", {"COREREVISION": "4", **_PERIPHERAL}, pins, [], parameters)
    )
    for i, driver in enumerate(drivers):
        design.wire(driver, f"{path}/In{i}")
    return cell


def _lite_slave(clock: Clocking, name: str, addr: int, prefix: str = "s_axi_") -> tuple[list[Pin], Bus]:
    return axi(
        name,
        "SLAVE",
        prefix=prefix,
        protocol="AXI4LITE",
        data=32,
        addr=addr,
        omit=["AWPROT", "ARPROT"],
        frequency=clock.frequency,
        domain=clock.domain,
    )


def axi_intc(design: BlockDesign, path: str, clock: Clocking, reset: str, *, inputs: int) -> Cell:
    """AXI Interrupt Controller (PG099), level inputs, standard mode."""
    lite, bus = _lite_slave(clock, "s_axi", 9)
    pins = [_clock("s_axi_aclk", clock.frequency), _reset("s_axi_aresetn"), *lite]
    pins += [_irq("intr", "I", inputs), _irq("irq")]
    registers = []
    for name, offset, access, modified, text in (
        ("ISR", "0x0", "read-write", "", "Interrupts that are active, enabled or not"),
        ("IPR", "0x4", "read-only", "", "Interrupts that are active and enabled"),
        ("IER", "0x8", "read-write", "", "Interrupt enables"),
        ("IAR", "0xC", "write-only", "oneToClear", "Write 1 to acknowledge an interrupt"),
        ("SIE", "0x10", "read-write", "oneToSet", "Write 1 to enable an interrupt"),
        ("CIE", "0x14", "read-write", "oneToClear", "Write 1 to disable an interrupt"),
    ):
        field = Field("INT", 0, inputs, access, text + ".", modified)
        registers.append(Register(name, offset, text, [field], access, size=inputs))
    registers.append(
        Register(
            "IVR",
            "0x18",
            "Number of the most urgent active interrupt",
            [Field("IVN", 0, 5, "read-only")],
            "read-only",
            size=5,
        )
    )
    registers.append(
        Register(
            "MER",
            "0x1C",
            "Master enable",
            [
                Field("ME", 0, 1, "read-write", "1 lets irq out."),
                Field("HIE", 1, 1, "read-write", "1 takes interrupts from the inputs; can't be cleared."),
            ],
            size=2,
        )
    )
    parameters = {
        "C_FAMILY": design.system["ARCH"],
        "C_INSTANCE": f"{design.name}_{path}_0",
        "C_S_AXI_ADDR_WIDTH": "9",
        "C_S_AXI_DATA_WIDTH": "32",
        "C_NUM_INTR_INPUTS": str(inputs),
        "C_NUM_SW_INTR": "0",
        "C_KIND_OF_INTR": f"0x{0xFFFFFFFF & ~((1 << inputs) - 1):08x}",
        "C_KIND_OF_EDGE": "0xFFFFFFFF",
        "C_KIND_OF_LVL": "0xFFFFFFFF",
        "C_ASYNC_INTR": f"0x{0xFFFFFFFF & ~((1 << inputs) - 1):08X}",
        "C_NUM_SYNC_FF": "2",
        "C_ADDR_WIDTH": "32",
        "C_IVAR_RESET_VALUE": "0x0000000000000010",
        "C_ENABLE_ASYNC": "0",
        "C_HAS_IPR": "1",
        "C_HAS_SIE": "1",
        "C_HAS_CIE": "1",
        "C_HAS_IVR": "1",
        "C_HAS_ILR": "0",
        "C_IRQ_IS_LEVEL": "1",
        "C_IRQ_ACTIVE": "0x1",
        "C_HAS_FAST": "0",
        "C_EN_CASCADE_MODE": "0",
        "C_CASCADE_MASTER": "0",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "C_IRQ_CONNECTION": "1",
        "EDK_IPTYPE": "PERIPHERAL",
        "EDK_SPECIAL": "INTR_CTRL",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:axi_intc:4.1",
            {"COREREVISION": "17", "IPTYPE": "PERIPHERAL", "MODCLASS": "INTERRUPT_CNTLR"},
            pins,
            [bus],
            parameters,
            [Block("S_AXI", registers)],
            _DOC.format("axi_intc", "v4_1", "pg099-axi-intc.pdf"),
        )
    )
    design.wire(clock.source, f"{path}/s_axi_aclk")
    design.wire(reset, f"{path}/s_axi_aresetn")
    return cell


def axi_gpio(
    design: BlockDesign,
    path: str,
    clock: Clocking,
    reset: str,
    *,
    width: int,
    inputs: bool,
    interrupt: bool,
    board: str,
) -> Cell:
    """AXI GPIO (PG144), one channel, all inputs or all outputs, wired to the board as ``board``."""
    lite, bus = _lite_slave(clock, "S_AXI", 9)
    pins = [_clock("s_axi_aclk", clock.frequency), _reset("s_axi_aresetn"), *lite]
    if interrupt:
        pins.append(_irq("ip2intc_irpt"))
    letter = "i" if inputs else "o"
    pins.append(vector(f"gpio_io_{letter}", "I" if inputs else "O", width))
    gpio = Bus(
        "GPIO", "INITIATOR", "xilinx.com:interface:gpio:1.0", {f"TRI_{letter.upper()}": f"gpio_io_{letter}"}
    )
    registers = []
    for channel, base, bits in ((1, 0x0, width), (2, 0x8, 32)):
        name = "GPIO" if channel == 1 else "GPIO2"
        for offset, kind, text in ((0, "DATA", "Levels of the pins"), (4, "TRI", "1 makes a pin an input")):
            field = Field(f"Channel_{channel}_GPIO_{kind}", 0, bits, "read-write", text + ".")
            registers.append(
                Register(
                    f"{name}_{kind}",
                    f"0x{base + offset:X}",
                    f"{text} of channel {channel}",
                    [field],
                    size=bits,
                )
            )
    for name, address, text, modified in (
        ("IP_IER", "0x128", "Enable", ""),
        ("IP_ISR", "0x120", "Status", "oneToToggle"),
    ):
        fields = [
            Field(f"Channel_{channel}_Interrupt_{text}", channel - 1, 1, "read-write", "", modified)
            for channel in (1, 2)
        ]
        registers.append(Register(name, address, f"Interrupt {text.lower()}", fields))
    gier = Field("Global_Interrupt_Enable", 31, 1, "read-write", "1 lets the interrupt out.")
    registers.insert(4, Register("GIER", "0x11C", "Global interrupt enable", [gier]))
    parameters = {
        "C_FAMILY": design.system["ARCH"],
        "C_S_AXI_ADDR_WIDTH": "9",
        "C_S_AXI_DATA_WIDTH": "32",
        "C_GPIO_WIDTH": str(width),
        "C_GPIO2_WIDTH": "32",
        "C_ALL_INPUTS": str(int(inputs)),
        "C_ALL_INPUTS_2": "0",
        "C_ALL_OUTPUTS": str(int(not inputs)),
        "C_ALL_OUTPUTS_2": "0",
        "C_INTERRUPT_PRESENT": str(int(interrupt)),
        "C_DOUT_DEFAULT": "0x00000000",
        "C_TRI_DEFAULT": "0xFFFFFFFF",
        "C_IS_DUAL": "0",
        "C_DOUT_DEFAULT_2": "0x00000000",
        "C_TRI_DEFAULT_2": "0xFFFFFFFF",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "USE_BOARD_FLOW": "true",
        "GPIO_BOARD_INTERFACE": board,
        "GPIO2_BOARD_INTERFACE": "Custom",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:axi_gpio:2.0",
            {"COREREVISION": "29", **_PERIPHERAL},
            pins,
            [bus, gpio],
            parameters,
            [Block("S_AXI", registers)],
            _DOC.format("axi_gpio", "v2_0", "pg144-axi-gpio.pdf"),
        )
    )
    design.external(cell, "GPIO", board, {f"TRI_{letter.upper()}": f"{board}_tri_{letter}"})
    design.wire(clock.source, f"{path}/s_axi_aclk")
    design.wire(reset, f"{path}/s_axi_aresetn")
    return cell


def axi_timer(design: BlockDesign, path: str, clock: Clocking, reset: str) -> Cell:
    """AXI Timer (PG079), two 32-bit timers."""
    lite, bus = _lite_slave(clock, "S_AXI", 5)
    pins = [Pin(name, "I") for name in ("capturetrig0", "capturetrig1")]
    pins += [Pin(name, "O") for name in ("generateout0", "generateout1", "pwm0")]
    pins += [
        _irq("interrupt"),
        Pin("freeze", "I"),
        _clock("s_axi_aclk", clock.frequency),
        _reset("s_axi_aresetn"),
        *lite,
    ]
    registers = []
    for i in (0, 1):
        fields = [
            Field(f"MDT{i}", 0, 1, "read-write", "0 generates, 1 captures."),
            Field(f"UDT{i}", 1, 1, "read-write", "0 counts up, 1 counts down."),
            Field(f"GENT{i}", 2, 1, "read-write", "1 drives generateout."),
            Field(f"CAPT{i}", 3, 1, "read-write", "1 takes the capture trigger."),
            Field(f"ARHT{i}", 4, 1, "read-write", "1 reloads the counter when it rolls over, 0 holds it."),
            Field(f"LOAD{i}", 5, 1, "read-write", "1 loads the counter from TLR."),
            Field(f"ENIT{i}", 6, 1, "read-write", "1 lets the interrupt out."),
            Field(f"ENT{i}", 7, 1, "read-write", "1 lets the timer count."),
            Field(f"T{i}INT", 8, 1, "read-write", "The timer rolled over or captured; write 1 to clear."),
            Field(f"PWMA{i}", 9, 1, "read-write", "1 in both timers makes a pulse-width output."),
            Field("ENALL", 10, 1, "read-write", "1 enables both timers at once."),
        ]
        if i == 0:
            fields.append(Field("CASC", 11, 1, "read-write", "1 makes one 64-bit timer of both."))
        registers += [
            Register(f"TCSR{i}", f"0x{16 * i:X}", f"Timer {i} control and status", fields),
            Register(f"TLR{i}", f"0x{16 * i + 4:X}", f"Timer {i} load value", [Field(f"TCLR{i}", 0, 32)]),
            Register(
                f"TCR{i}",
                f"0x{16 * i + 8:X}",
                f"Timer {i} counter",
                [Field(f"TCR{i}", 0, 32, "read-only")],
                "read-only",
            ),
        ]
    parameters = {
        "C_FAMILY": design.system["ARCH"],
        "C_COUNT_WIDTH": "32",
        "C_ONE_TIMER_ONLY": "0",
        "C_TRIG0_ASSERT": '"1"',
        "C_TRIG1_ASSERT": '"1"',
        "C_GEN0_ASSERT": '"1"',
        "C_GEN1_ASSERT": '"1"',
        "C_S_AXI_DATA_WIDTH": "32",
        "C_S_AXI_ADDR_WIDTH": "5",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "COUNT_WIDTH": "32",
        "mode_64bit": "0",
        "enable_timer2": "1",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:axi_timer:2.0",
            {"COREREVISION": "29", **_PERIPHERAL},
            pins,
            [bus],
            parameters,
            [Block("S_AXI", registers, range=512)],
            _DOC.format("axi_timer", "v2_0", "pg079-axi-timer.pdf"),
        )
    )
    design.wire(clock.source, f"{path}/s_axi_aclk")
    design.wire(reset, f"{path}/s_axi_aresetn")
    return cell
