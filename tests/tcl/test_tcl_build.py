"""What a design becomes of a script: unknown IP, hierarchies, addresses, clocks, widths."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from tcl_scripts import needs_tcl

from pynq.backends.sim.rtl.glue import RtlPort
from pynq.backends.sim.rtl.ports import compare
from pynq.design import read, views
from pynq.design.model import CellKind, Design, Endpoint
from pynq.errors import DesignError, DesignNotFoundError

pytestmark = needs_tcl

Made = Callable[..., Design]

PS = """
create_project p p -part xc7z020clg400-1
create_bd_design d
create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps
set_property -dict [list CONFIG.PCW_USE_FABRIC_INTERRUPT {1} CONFIG.PCW_IRQ_F2P_INTR {1}] [get_bd_cells ps]
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_interconnect:2.1 ic
set_property -dict [list CONFIG.NUM_MI {3}] [get_bd_cells ic]
connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_GP0] [get_bd_intf_pins ic/S00_AXI]
"""


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Read a script of these commands, after a PS with an interconnect."""

    def make(text: str, before: str = PS) -> Design:
        path = tmp_path / "made.tcl"
        path.write_text(before + textwrap.dedent(text), encoding="utf-8")
        return read(path)

    return make


def test_a_kernel_that_nobody_knows(made: Made) -> None:
    design = made("""
        create_bd_cell -type ip -vlnv acme.com:hls:fir:1.2 fir_0
        create_bd_cell -type ip -vlnv xilinx.com:ip:xlconcat:2.1 concat
        connect_bd_intf_net [get_bd_intf_pins ic/M00_AXI] [get_bd_intf_pins fir_0/s_axi_AXILiteS]
        connect_bd_net [get_bd_pins ps/FCLK_CLK0] [get_bd_pins fir_0/ap_clk]
        connect_bd_net -net fir_0_interrupt [get_bd_pins fir_0/interrupt] [get_bd_pins concat/In1]
        connect_bd_net [get_bd_pins concat/dout] [get_bd_pins ps/IRQ_F2P]
        assign_bd_address -offset 0x43C00000 -range 0x10000 -target_address_space \\
            [get_bd_addr_spaces ps/Data] [get_bd_addr_segs fir_0/s_axi_AXILiteS/Reg]
    """)
    entry = views.ip_dict(design)["fir_0"]
    assert (entry["type"], entry["phys_addr"], entry["addr_range"]) == (
        "acme.com:hls:fir:1.2",
        0x43C0_0000,
        65536,
    )
    assert entry["interrupts"]["interrupt"]["raw_irq"] == 62
    fir = design.cells["fir_0"]
    bus = fir.interfaces["s_axi_AXILiteS"]
    assert (bus.role, bus.protocol, str(bus.vlnv)) == ("SLAVE", "AXI4LITE", "xilinx.com:interface:aximm:1.0")
    assert bus.net == design.cells["ic"].interfaces["M00_AXI"].net
    assert (fir.ports["ap_clk"].kind, fir.ports["ap_clk"].direction) == ("clk", "I")
    assert fir.ports["ap_clk"].frequency == 50_000_000
    assert fir.ports["interrupt"].direction == "O"
    assert [note.message for note in design.notes] == [
        "acme.com:hls:fir:1.2 (fir_0) is no common IP: interface s_axi_AXILiteS, pin ap_clk, pin interrupt"
        " are as the nets tell, registers and what nothing is connected to are unknown;"
        " a hand-off file has them"
    ]
    assert design.notes[0].line == fir.source.line


def test_rtl_of_unknown_ip_says_how_wide_its_ports_are(made: Made) -> None:
    design = made("""
        create_bd_cell -type module -reference blinker blinker_0
        connect_bd_net [get_bd_pins ps/FCLK_CLK0] [get_bd_pins blinker_0/clk]
        connect_bd_net -net blinker_0_led [get_bd_pins blinker_0/led] [get_bd_pins ps/IRQ_F2P]
    """)
    ports = [RtlPort("clk", "in", 1), RtlPort("led", "out", 7), RtlPort("more", "in", 3)]
    assert compare(design.cells["blinker_0"], ports).differences == ()
    (wrong,) = compare(design.cells["blinker_0"], [RtlPort("led", "in", 1)]).differences
    assert wrong.why == "direction"


def test_modules_and_containers(made: Made) -> None:
    design = made("""
        create_bd_cell -type module -reference blinker blinker_0
        create_bd_cell -type container -reference region region_0
    """)
    assert design.cells["blinker_0"].type == "xilinx.com:module_ref:blinker:1.0"
    assert design.cells["region_0"].vlnv is None
    assert design.cells["region_0"].kind is CellKind.BLOCK_CONTAINER


def test_hierarchies_are_looked_through(made: Made) -> None:
    design = made("""
        create_bd_cell -type hier outer
        create_bd_cell -type hier outer/inner
        foreach h {outer outer/inner} {
            create_bd_intf_pin -mode Slave -vlnv xilinx.com:interface:aximm_rtl:1.0 $h/S_AXI
            create_bd_pin -dir I -type clk $h/clk
        }
        create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 outer/inner/gpio
        connect_bd_intf_net [get_bd_intf_pins ic/M00_AXI] [get_bd_intf_pins outer/S_AXI]
        connect_bd_intf_net [get_bd_intf_pins outer/S_AXI] [get_bd_intf_pins outer/inner/S_AXI]
        connect_bd_intf_net [get_bd_intf_pins outer/inner/S_AXI] [get_bd_intf_pins outer/inner/gpio/S_AXI]
        connect_bd_net [get_bd_pins ps/FCLK_CLK0] [get_bd_pins outer/clk]
        connect_bd_net [get_bd_pins outer/clk] [get_bd_pins outer/inner/clk]
        connect_bd_net [get_bd_pins outer/inner/clk] [get_bd_pins outer/inner/gpio/s_axi_aclk]
        assign_bd_address -offset 0x41200000 -range 0x10000 -target_address_space \\
            [get_bd_addr_spaces ps/Data] [get_bd_addr_segs outer/inner/gpio/S_AXI/Reg]
    """)
    assert design.hierarchies == ("outer", "outer/inner")
    clock = design.cells["outer/inner/gpio"].ports["s_axi_aclk"]
    assert clock.peers == (Endpoint("ps", "FCLK_CLK0"),)
    assert views.ip_dict(design)["outer/inner/gpio"]["phys_addr"] == 0x4120_0000
    assert "GPIO_DATA" in views.ip_dict(design)["outer/inner/gpio"]["registers"]


GPIO = """
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 gpio
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 more
connect_bd_intf_net [get_bd_intf_pins ic/M00_AXI] [get_bd_intf_pins gpio/S_AXI]
connect_bd_intf_net [get_bd_intf_pins ic/M01_AXI] [get_bd_intf_pins more/S_AXI]
"""
TO = "-target_address_space [get_bd_addr_spaces ps/Data]"


def test_addresses_that_the_script_leaves_to_the_tool(made: Made) -> None:
    design = made(f"""{GPIO}
assign_bd_address -offset 0x41200000 -range 0x10000 {TO} [get_bd_addr_segs more/S_AXI/Reg]
assign_bd_address {TO} [get_bd_addr_segs gpio/S_AXI/Reg]
""")
    entry = views.ip_dict(design)["gpio"]
    assert (entry["phys_addr"], entry["addr_range"]) == (0x4121_0000, 0x1_0000)
    assert any("0x41210000 is the first that is free" in note.message for note in design.notes)


def test_two_at_one_address(made: Made) -> None:
    with pytest.raises(DesignError, match=r"'more' at 0x40000000..0x4000ffff overlaps 'gpio'") as caught:
        made(f"""{GPIO}
assign_bd_address -offset 0x40000000 -range 0x10000 {TO} [get_bd_addr_segs gpio/S_AXI/Reg]
assign_bd_address -offset 0x40000000 -range 0x10000 {TO} [get_bd_addr_segs more/S_AXI/Reg]
""")
    assert all(problem.line > 0 for problem in caught.value.problems)


def test_direction_and_width_of_gpio(made: Made) -> None:
    design = made("""
        create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 leds
        set_property -dict [list CONFIG.C_GPIO_WIDTH {6} CONFIG.C_ALL_OUTPUTS {1}] [get_bd_cells leds]
        create_bd_intf_port -mode Master -vlnv xilinx.com:interface:gpio_rtl:1.0 board
        connect_bd_intf_net [get_bd_intf_ports board] [get_bd_intf_pins leds/GPIO]
    """)
    assert design.ports["board_tri_o"].width == 6
    assert "board_tri_i" not in design.ports
    (channel,) = design.gpio_channels
    assert (channel.width, channel.outputs_only, channel.outputs) == (6, True, ("board_tri_o",))


def test_widths_follow_what_is_joined(made: Made) -> None:
    design = made("""
        create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 dma
        set_property -dict [list CONFIG.c_m_axis_mm2s_tdata_width {64} \\
            CONFIG.c_include_sg {0}] [get_bd_cells dma]
        create_bd_cell -type ip -vlnv xilinx.com:ip:axis_data_fifo:2.0 fifo
        connect_bd_intf_net [get_bd_intf_pins dma/M_AXIS_MM2S] [get_bd_intf_pins fifo/S_AXIS]
        connect_bd_intf_net [get_bd_intf_pins fifo/M_AXIS] [get_bd_intf_pins dma/S_AXIS_S2MM]
        create_bd_cell -type ip -vlnv xilinx.com:ip:xlconcat:2.1 concat
        connect_bd_net [get_bd_pins dma/mm2s_introut] [get_bd_pins concat/In0]
        connect_bd_net [get_bd_pins dma/s2mm_introut] [get_bd_pins concat/In1]
        create_bd_cell -type ip -vlnv xilinx.com:ip:axi_intc:4.1 intc
        connect_bd_net [get_bd_pins concat/dout] [get_bd_pins intc/intr]
        connect_bd_net [get_bd_pins intc/irq] [get_bd_pins ps/IRQ_F2P]
    """)
    dma = design.cells["dma"]
    assert dma.interfaces["S_AXIS_S2MM"].parameters["TDATA_NUM_BYTES"] == "8"
    assert dma.parameters["C_S_AXIS_S2MM_TDATA_WIDTH"] == "64"
    assert dma.parameters["C_INCLUDE_SG"] == "0"
    assert "M_AXI_SG" not in dma.interfaces
    assert design.cells["intc"].ports["intr"].width == 2
    assert design.cells["intc"].parameters["C_KIND_OF_INTR"] == "0xfffffffc"  # two levels
    assert design.cells["fifo"].interfaces["M_AXIS"].port_map["TKEEP"] == "m_axis_tkeep"
    pins = {path: pin["index"] for path, pin in views.interrupt_pins(design).items() if "introut" in path}
    assert pins == {"dma/mm2s_introut": 0, "dma/s2mm_introut": 1}


@pytest.mark.parametrize(("wanted", "divisors"), [("100", 10), ("142.857", 7), ("200", 5), ("66.6", 15)])
def test_clocks_of_the_ps(made: Made, wanted: str, divisors: int) -> None:
    design = made(f"set_property CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ {{{wanted}}} [get_bd_cells ps]")
    clock = design.clocks[0]
    assert clock.enabled
    assert clock.divisors[0] * clock.divisors[1] == divisors
    assert clock.frequency == pytest.approx(1e9 / divisors, abs=2)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("xc7z020clg400-1", ("zynq", "7z020", "clg400", "-1")),
        ("xc7z007sclg225-1", ("zynq", "7z007s", "clg225", "-1")),
        ("xck26-sfvc784-2LV-c", ("zynquplus", "xck26", "sfvc784", "-2LV")),
        ("xczu28dr-ffvg1517-2-e", ("zynquplusRFSOC", "xczu28dr", "ffvg1517", "-2")),
        ("xcve2302-sfva784-1LP-e-S", ("versal", "xcve2302", "sfva784", "-1LP")),
    ],
)
def test_parts(made: Made, part: str, told: tuple[str, ...]) -> None:
    design = made("", f"create_project p p -part {part}\ncreate_bd_design d\n")
    assert (design.architecture, design.device, design.package, design.speed_grade) == told


def test_no_such_script(tmp_path: Path) -> None:
    with pytest.raises(DesignNotFoundError, match=r"absent\.tcl: no such file"):
        read(tmp_path / "absent.tcl")
    (tmp_path / "folder.tcl").mkdir()
    with pytest.raises(DesignError, match="can't be read"):
        read(tmp_path / "folder.tcl")
