"""What Vivado's automation adds to scripts by hand: interconnects, clocks, resets, addresses."""

from __future__ import annotations

from pathlib import Path

import pytest
from tcl_scripts import needs_tcl, run, said

from pynq.design import views
from pynq.design.model import Design
from pynq.design.tcl import build

pytestmark = needs_tcl

PS7 = """
create_project p ./p -part xc7z020clg400-1
create_bd_design d
create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 processing_system7_0
set_property -dict [list CONFIG.PCW_USE_S_AXI_HP0 {1} CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ {100}] \\
  [get_bd_cells processing_system7_0]
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 axi_gpio_0
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 axi_dma_0
set_property CONFIG.c_include_sg 0 [get_bd_cells axi_dma_0]
create_bd_cell -type ip -vlnv xilinx.com:hls:scale:1.0 scale_0
"""
PS8 = """
create_project p ./p -part xck26-sfvc784-2LV-c
create_bd_design d
create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e:3.4 zynq_ultra_ps_e_0
set_property -dict [list CONFIG.PSU__USE__M_AXI_GP0 1 CONFIG.PSU__USE__S_AXI_GP2 1 \\
  CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ 200] [get_bd_cells zynq_ultra_ps_e_0]
create_bd_cell -type ip -vlnv xilinx.com:hls:add:1.0 add_0
"""
RULE = "apply_bd_automation -rule xilinx.com:bd_rule"


def axi4(master: str, slave: str, target: str, hub: str = "New AXI Interconnect", clock: str = "Auto") -> str:
    """The command as Vivado's log has it since 2017."""
    return (
        f"{RULE}:axi4 -config {{ Clk_master {{{clock}}} Clk_slave {{Auto}} Clk_xbar {{{clock}}} Master "
        f"{{{master}}} Slave {{{slave}}} ddr_seg {{Auto}} intc_ip {{{hub}}} master_apm {{0}} }} "
        f"[get_bd_intf_pins {target}]\n"
    )


def made(text: str) -> Design:
    return build.design(run(text), "made.tcl")


GP0 = "/processing_system7_0/M_AXI_GP0"
HP0 = "/processing_system7_0/S_AXI_HP0"
CONTROL = (
    axi4(GP0, "/axi_dma_0/S_AXI_LITE", "axi_dma_0/S_AXI_LITE")
    + axi4(
        GP0, "/scale_0/s_axi_control", "scale_0/s_axi_control", "/ps7_0_axi_periph",
        "/processing_system7_0/FCLK_CLK0 (100 MHz)",
    )
    + f'{RULE}:axi4 -config {{Master "{GP0}" Clk "Auto" }} [get_bd_intf_pins axi_gpio_0/S_AXI]\n'
)  # fmt: skip
DATA = axi4("/axi_dma_0/M_AXI_MM2S", HP0, "processing_system7_0/S_AXI_HP0", "New AXI SmartConnect") + axi4(
    "/axi_dma_0/M_AXI_S2MM", HP0, "axi_dma_0/M_AXI_S2MM", "/axi_smc"
)


def test_registers_of_a_processor_get_an_interconnect() -> None:
    design = made(PS7 + CONTROL)
    assert {path: cell.module_type for path, cell in design.cells.items()} == {
        "axi_dma_0": "axi_dma",
        "axi_gpio_0": "axi_gpio",
        "processing_system7_0": "processing_system7",
        "ps7_0_axi_periph": "axi_interconnect",
        "rst_ps7_0_100M": "proc_sys_reset",
        "scale_0": "scale",
    }
    # Where Vivado's own designs have them: DMA and GPIO at their places, IP of users at 0x43C0_0000.
    found = {name: entry.get("phys_addr") for name, entry in views.ip_dict(design).items()}
    assert {name: found[name] for name in ("axi_dma_0", "axi_gpio_0", "scale_0")} == {
        "axi_dma_0": 0x4040_0000,
        "axi_gpio_0": 0x4120_0000,
        "scale_0": 0x43C0_0000,
    }
    hub = design.cells["ps7_0_axi_periph"]
    assert (hub.parameters["NUM_SI"], hub.parameters["NUM_MI"]) == ("1", "3")


def test_every_clock_and_reset_is_connected() -> None:
    design = made(PS7 + CONTROL)
    clocks = {
        (cell.path, port.name)
        for cell in design.cells.values()
        for port in cell.ports.values()
        if port.peers and port.peers[0].port == "FCLK_CLK0"
    }
    resets = {
        (cell.path, port.name): port.peers[0].port
        for cell in design.cells.values()
        for port in cell.ports.values()
        if port.peers and port.peers[0].cell == "rst_ps7_0_100M"
    }
    assert clocks == {
        ("axi_dma_0", "s_axi_lite_aclk"),
        ("axi_gpio_0", "s_axi_aclk"),
        ("processing_system7_0", "M_AXI_GP0_ACLK"),
        *(("ps7_0_axi_periph", f"{name}ACLK") for name in ("", "S00_", "M00_", "M01_", "M02_")),
        ("rst_ps7_0_100M", "slowest_sync_clk"),
        ("scale_0", "ap_clk"),
    }
    assert set(resets) >= {
        ("axi_dma_0", "axi_resetn"),
        ("axi_gpio_0", "s_axi_aresetn"),
        ("ps7_0_axi_periph", "M02_ARESETN"),
        ("scale_0", "ap_rst_n"),
    }
    assert resets["ps7_0_axi_periph", "ARESETN"] == "interconnect_aresetn"
    assert resets["scale_0", "ap_rst_n"] == "peripheral_aresetn"


def test_masters_of_memory_share_a_smartconnect() -> None:
    design = made(PS7 + CONTROL + DATA)
    assert design.cells["axi_smc"].parameters["NUM_SI"] == "2"
    found = {
        (one.master_interface, one.block, one.base, one.high) for one in design.cells["axi_dma_0"].ranges
    }
    assert found == {
        (name, "HP0_DDR_LOWOCM", 0, 0x1FFF_FFFF) for name in ("M_AXI_MM2S", "M_AXI_S2MM")
    }  # fmt: skip
    assert design.cells["axi_dma_0"].ports["m_axi_s2mm_aclk"].peers[0].port == "FCLK_CLK0"


def test_a_kernel_on_ultrascale() -> None:
    ps = "/zynq_ultra_ps_e_0"
    design = made(
        "set scripts_vivado_version 2023.2\n"
        + PS8
        + axi4(f"{ps}/M_AXI_HPM0_FPD", "/add_0/s_axi_control", "add_0/s_axi_control", "Auto")
        + axi4("/add_0/m_axi_gmem", f"{ps}/S_AXI_HP0_FPD", "zynq_ultra_ps_e_0/S_AXI_HP0_FPD", "Auto")
    )
    assert {"ps8_0_axi_periph", "axi_smc", "rst_ps8_0_199M"} < set(design.cells)
    assert views.ip_dict(design)["add_0"]["phys_addr"] == 0xA000_0000
    assert [(one.master_interface, one.block) for one in design.cells["add_0"].ranges] == [
        ("m_axi_gmem", "HP0_DDR_LOW")
    ]
    assert design.cells["zynq_ultra_ps_e_0"].ports["saxihp0_fpd_aclk"].peers[0].port == "pl_clk0"


@pytest.mark.parametrize(
    ("release", "names"),
    [
        ("2015.4", ("processing_system7_0_axi_periph", "rst_processing_system7_0_100M")),
        ("2018.3", ("ps7_0_axi_periph", "rst_ps7_0_100M")),
    ],
)
def test_names_are_those_of_the_release(release: str, names: tuple[str, str]) -> None:
    text = f"set scripts_vivado_version {release}\n{PS7}"
    found = run(f'{text}{RULE}:axi4 -config {{Master "{GP0}" Clk "Auto" }} /axi_gpio_0/S_AXI')
    assert set(names) < set(found.cells)


def test_the_script_goes_on_with_what_was_made() -> None:
    found = run(
        PS7
        + CONTROL
        + """
        set_property offset 0x43C10000 [get_bd_addr_segs {processing_system7_0/Data/SEG_scale_0_reg0}]
        set_property range 4K [get_bd_addr_segs {processing_system7_0/Data/SEG_scale_0_reg0}]
        connect_bd_net [get_bd_pins rst_ps7_0_100M/peripheral_reset] [get_bd_pins scale_0/go]
        delete_bd_objs [get_bd_intf_nets ps7_0_axi_periph_M00_AXI]
        assign_bd_address [get_bd_addr_segs axi_gpio_0/S_AXI/Reg]
        assign_bd_address
        """
    )
    assert [(one.slave, one.offset, one.size) for one in found.segments if "scale" in one.slave] == [
        ("scale_0/s_axi_control/reg0", 0x43C1_0000, 4096)
    ]
    assert [one.slave for one in found.segments if "gpio" in one.slave] == ["axi_gpio_0/S_AXI/Reg"]
    assert not any("ps7_0_axi_periph/M00_AXI" in net.pins for net in found.interface_nets)


def test_clkrst_connects_a_clock_and_the_reset_that_goes_with_it() -> None:
    found = run(
        PS7 + f'{RULE}:clkrst -config {{Clk "/processing_system7_0/FCLK_CLK0 (100 MHz)" Freq {{100}}}} '
        "[get_bd_pins axi_dma_0/m_axi_mm2s_aclk]\n"
        f'{RULE}:clkrst -config {{Clk "Auto"}} [get_bd_pins scale_0/ap_clk]\n'
    )
    pins = {pin: net.pins[0] for net in found.nets for pin in net.pins}
    for pin in ("axi_dma_0/m_axi_mm2s_aclk", "scale_0/ap_clk"):
        assert pins[pin] == "processing_system7_0/FCLK_CLK0"
    assert pins["scale_0/ap_rst_n"] == "rst_ps7_0_100M/peripheral_aresetn"


def test_a_board_interface_becomes_a_port() -> None:
    found = run(
        PS7 + f"{RULE}:board -config {{ Board_Interface {{leds_4bits ( 4 LEDs ) }} Manual_Source {{Auto}}}} "
        "[get_bd_intf_pins axi_gpio_0/GPIO]\n"
        f"{RULE}:board -config {{ Board_Interface {{Custom}}}} [get_bd_intf_pins axi_gpio_0/GPIO2]\n"
    )
    assert list(found.interfaces) == ["leds_4bits"]
    assert "what is at '/axi_gpio_0/GPIO2' is not known" in said(found)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (axi4("/nothing/M", "/axi_gpio_0/S_AXI", "axi_gpio_0/S_AXI"), "what leads to '/axi_gpio_0/S_AXI'"),
        (f"{RULE}:axi4 -config {{}} /axi_gpio_0/S_AXI", "what leads to '/axi_gpio_0/S_AXI' is not known"),
        (f"{RULE}:axi4 -config {{Master}} /axi_gpio_0/S_AXI", "is not known"),
        (
            f"connect_bd_intf_net {GP0} axi_gpio_0/S_AXI\n" + axi4(GP0, "/scale_0/s_axi", "scale_0/s_axi"),
            "'/processing_system7_0/M_AXI_GP0' is connected to something else already",
        ),
        (
            "create_bd_cell -type ip -vlnv my.org:user:thing:1.0 thing_0\n"
            + axi4(GP0, "/thing_0/regs", "thing_0/regs"),
            "the clock and the reset of 'thing_0/regs' are not known",
        ),
        (f"{RULE}:clkrst -config {{Clk /ps/x}} nothing", "the clock of '/nothing' is not known"),
        (f"{RULE}:axi_ethernet -config {{}} axi_dma_0", "-rule axi_ethernet: what it makes is not known"),
        (f"{RULE}:axi4 -dict {{a b}} axi_dma_0", "-rule axi4: what it makes is not known"),
    ],
)
def test_what_is_not_known_is_told(command: str, told: str) -> None:
    assert told in said(run(PS7 + command))


def test_every_such_design_says_so_once(tmp_path: Path) -> None:
    notes = said(run(PS7 + CONTROL + DATA))
    assert notes.count("export the finished design") == 1
    assert "names and addresses may differ" in notes
