"""The PS of the Zynq-7000 and of the Zynq UltraScale+."""

from __future__ import annotations

from ..blockdesign import Block, BlockDesign, Bus, Cell, Pin, axi, vector
from .common import DOC, Clocking, clock_pin, irq_pin, reset_pin

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
        pins.append(irq_pin("IRQ_F2P", "I", interrupts))
    pins += [clock_pin("M_AXI_GP0_ACLK", clock.frequency), clock_pin("FCLK_CLK0", clock.frequency, "O")]
    pins.append(reset_pin("FCLK_RESET0_N", "O"))
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
        pins.append(clock_pin("S_AXI_HP0_ACLK", clock.frequency))
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
            DOC.format("processing_system7", "v5_3", "pg082-processing-system7.pdf"),
        )
    )
    design.external(cell, "DDR", "DDR", {row[0]: row[2] for row in _DDR_PINS})
    design.external(cell, "FIXED_IO", "FIXED_IO", {row[0]: row[2] for row in _FIXED_PINS})
    design.wire(clock.source, f"{path}/M_AXI_GP0_ACLK", *([f"{path}/S_AXI_HP0_ACLK"] if hp else []))
    return cell


def zynq_ultra_ps_e(design: BlockDesign, path: str, clock: Clocking, *, hp: bool, interrupts: int) -> Cell:
    """The PS of the Zynq UltraScale+ (PG201): HPM0_FPD, HP0_FPD if ``hp``, pl_clk0, some of pl_ps_irq0."""
    pins: list[Pin] = [clock_pin("maxihpm0_fpd_aclk", clock.frequency)]
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
        pins.append(clock_pin("saxihp0_fpd_aclk", clock.frequency))
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
        pins.append(irq_pin("pl_ps_irq0", "I", interrupts))
    pins += [reset_pin("pl_resetn0", "O"), clock_pin("pl_clk0", clock.frequency, "O")]
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
        "PSU__MAXIGP0__DATA_WIDTH": "32",
        "PSU__SAXIGP2__DATA_WIDTH": "64",
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
            DOC.format("zynq_ultra_ps_e", "v3_4", "pg201-zynq-ultrascale-plus-processing-system.pdf"),
        )
    )
    design.wire(clock.source, f"{path}/maxihpm0_fpd_aclk", *([f"{path}/saxihp0_fpd_aclk"] if hp else []))
    return cell
