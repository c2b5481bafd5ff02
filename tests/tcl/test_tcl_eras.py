"""Whole scripts, in the style that each release of Vivado exports."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tcl_scripts import ERAS, exported, needs_tcl, run

from pynq.design.tcl.netlist import Cell, Netlist, Segment
from pynq.errors import DesignError

pytestmark = needs_tcl

TREE = "GPIO#Quad SPI Flash#[1]"


@pytest.mark.parametrize("era", ERAS)
def test_the_same_design_of_each_release(era: str) -> None:
    made = run(exported(era))
    assert (made.name, made.version, made.part) == ("system", era, "xc7z020clg400-1")
    assert made.board == "tul.com.tw:pynq-z2:part0:1.0"
    assert not made.notes
    found = {path: (cell.kind, cell.type.split(":")[2:3]) for path, cell in made.cells.items()}
    assert found == {
        "processing_system7_0": ("ip", ["processing_system7"]),
        "axi_dma_0": ("ip", ["axi_dma"]),
        "lights": ("hierarchy", []),
        "lights/axi_gpio_0": ("ip", ["axi_gpio"]),
        "rtl_0": ("module", []),
    }
    assert made.cells["rtl_0"].type == "my_rtl"
    assert made.cells["lights/axi_gpio_0"].parameters == {
        "C_ALL_OUTPUTS": "1",
        "C_GPIO_WIDTH": "4",
        "C_INTERRUPT_PRESENT": "1",
    }
    assert made.cells["processing_system7_0"].parameters["PCW_MIO_TREE_PERIPHERALS"] == TREE
    assert made.pins["sysclk"].parameters == {"FREQ_HZ": "125000000"}
    assert (made.pins["leds"].direction, made.pins["leds"].left, made.pins["leds"].right) == ("O", 3, 0)
    assert made.pins["lights/ip2intc_irpt"].type == "intr"
    assert made.interfaces["lights/S_AXI"].mode == "Slave"
    assert {net.name: net.pins for net in made.interface_nets} == {
        "lights/Conn1": ["lights/S_AXI", "lights/axi_gpio_0/S_AXI"],
        "ps_DDR": ["DDR", "processing_system7_0/DDR"],
        "gp0": ["lights/S_AXI", "processing_system7_0/M_AXI_GP0"],
    }
    assert {net.name: net.pins for net in made.nets} == {
        "lights/axi_gpio_0_gpio_io_o": ["lights/gpio_io_o", "lights/axi_gpio_0/gpio_io_o"],
        "lights/axi_gpio_0_irq": ["lights/ip2intc_irpt", "lights/axi_gpio_0/ip2intc_irpt"],
        "lights/clk_1": ["lights/s_axi_aclk", "lights/axi_gpio_0/s_axi_aclk"],
        "lights/rst_1": ["lights/s_axi_aresetn", "lights/axi_gpio_0/s_axi_aresetn"],
        "clk": ["processing_system7_0/FCLK_CLK0", "lights/s_axi_aclk", "axi_dma_0/s_axi_lite_aclk"],
        "sysclk_1": ["sysclk", "rtl_0/clk"],
        "lights_o": ["leds", "lights/gpio_io_o"],
        "irq": ["lights/ip2intc_irpt", "processing_system7_0/IRQ_F2P"],
    }
    data, gpio, dma = "processing_system7_0/Data", "lights/axi_gpio_0/S_AXI/Reg", "axi_dma_0/S_AXI_LITE/Reg"
    ddr = "processing_system7_0/S_AXI_HP0/HP0_DDR_LOWOCM"
    ddr_name = "SEG_processing_system7_0_HP0_DDR_LOWOCM"
    assert [replace(one, line=0) for one in made.segments] == [
        Segment(
            data,
            gpio,
            "SEG_axi_gpio_0_Reg",
            0x4120_0000,
            1 << 16,
        ),
        Segment(data, dma, "SEG_axi_dma_0_Reg", 0x4040_0000, 1 << 16),
        Segment("axi_dma_0/Data_MM2S", ddr, ddr_name, 0, 0x2000_0000),
        Segment("axi_dma_0/Data_S2MM", ddr, ddr_name, 0, 0x2000_0000, excluded=True),
    ]


@pytest.mark.parametrize("era", ["2015.4", "2024.2"])
def test_lines_are_those_of_the_script(era: str) -> None:
    text = exported(era)
    made = run(text)
    lines = text.split("\n")
    things: list[tuple[int, str]] = [
        (cell.line, path.rpartition("/")[2]) for path, cell in made.cells.items()
    ]
    things = [(line, name) for line, name in things if name not in ("lights", "rtl_0")]
    things += [(pin.line, path.rpartition("/")[2]) for path, pin in made.pins.items()]
    things += [(net.line, net.name.rpartition("/")[2]) for net in (*made.nets, *made.interface_nets)]
    assert len(things) > 15
    for line, name in things:
        assert name in lines[line - 1], f"{name} is not in line {line}: {lines[line - 1]}"


def test_the_crlf_of_windows_and_other_encodings() -> None:
    text = exported("2020.2")
    as_on_windows = run(text.replace("\n", "\r\n"))
    assert as_on_windows == run(text)
    assert run("\ufeff# Ger\u00e4t\ncreate_bd_design d\n").name == "d"


def test_the_oldest_scripts_want_an_open_project() -> None:
    text = """
        set design_name design_1

        # CHECKING IF PROJECT EXISTS
        if { [get_projects -quiet] eq "" } {
           puts "ERROR: Please open or create a project!"
           return 1
        }
        create_bd_design $design_name
    """
    assert run(text).name == "design_1"
    with pytest.raises(DesignError, match=r"x\.tcl:6: Please open or create a project!"):
        run(text + "\n# create_project", "x.tcl")


def test_a_design_with_a_region() -> None:
    made = run(
        """
        proc cr_bd_region {} {
          create_bd_design region_left
          create_bd_intf_port -mode Slave -vlnv xilinx.com:interface:aximm_rtl:1.0 S_AXI
          create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 axi_gpio_0
          connect_bd_intf_net [get_bd_intf_ports S_AXI] [get_bd_intf_pins axi_gpio_0/S_AXI]
          save_bd_design
          close_bd_design [get_bd_designs region_left]
        }
        cr_bd_region
        create_bd_design top
        set region [ create_bd_cell -type container -reference region_left region ]
        set_property -dict [ list \\
          CONFIG.ACTIVE_SYNTH_BD {region_left.bd} \\
          CONFIG.ENABLE_DFX {true} \\
          CONFIG.LIST_SYNTH_BD {region_left.bd:region_right.bd} \\
        ] $region
        create_bd_design region_right -boundary_from_container [get_bd_cells /region]
        current_bd_design [get_bd_designs top]
        assign_bd_address -offset 0x40000000 -range 64K -target_address_space [get_bd_addr_spaces ps/Data] \\
          [get_bd_addr_segs region/axi_gpio_0/S_AXI/Reg]
        create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps
        assign_bd_address -offset 0x40000000 -range 64K -target_address_space [get_bd_addr_spaces ps/Data] \\
          [get_bd_addr_segs region/axi_gpio_0/S_AXI/Reg]
        """
    )
    assert made.name == "top"
    assert made.cells["region"] == Cell(
        "region",
        "container",
        "region_left",
        {
            "ACTIVE_SYNTH_BD": "region_left.bd",
            "ENABLE_DFX": "true",
            "LIST_SYNTH_BD": "region_left.bd:region_right.bd",
        },
        line=12,
    )
    assert sorted(made.designs) == ["region_left", "region_right"]
    left: Netlist = made.designs["region_left"]
    assert list(left.cells) == ["axi_gpio_0"]
    assert left.interface_nets[0].pins == ["S_AXI", "axi_gpio_0/S_AXI"]
    assert list(made.designs["region_right"].interfaces) == ["S_AXI"]
    # The first assignment was made before its space was there.
    assert [(one.space, one.slave, one.offset) for one in made.segments] == [
        ("ps/Data", "region/axi_gpio_0/S_AXI/Reg", 0x4000_0000)
    ]


def test_a_hierarchy_becomes_a_container() -> None:
    """As the GUI does it: the hierarchy's content goes into a design of its own."""
    made = run(
        """
        create_bd_design top
        create_bd_cell -type ip -vlnv a:b:bram:1 bram
        create_bd_cell -type ip -vlnv a:b:ps:1 ps
        connect_bd_net -net clk [get_bd_pins ps/clk] [get_bd_pins bram/clk]
        create_bd_cell -type hier PL
        current_bd_instance PL
        create_bd_pin -dir I -type clk clk
        create_bd_cell -type ip -vlnv a:b:gpio:1 gpio
        connect_bd_net [get_bd_pins clk] [get_bd_pins gpio/clk]
        current_bd_instance /
        connect_bd_net [get_bd_pins ps/clk] [get_bd_pins PL/clk]
        startgroup
        set curdesign [current_bd_design]
        create_bd_design -cell [get_bd_cells /PL] inner
        current_bd_design $curdesign
        set new_cell [create_bd_cell -type container -reference inner PL_temp]
        replace_bd_cell [get_bd_cells /PL] $new_cell
        delete_bd_objs  [get_bd_cells /PL]
        set_property name PL $new_cell
        endgroup
        """
    )
    assert {path: cell.kind for path, cell in made.cells.items()} == {
        "bram": "ip",
        "ps": "ip",
        "PL": "container",
    }
    assert [(net.name, net.pins) for net in made.nets] == [("clk", ["ps/clk", "bram/clk", "PL/clk"])]
    inner = made.designs["inner"]
    assert list(inner.cells) == ["gpio"]
    assert [(net.name, net.pins) for net in inner.nets] == [("clk", ["clk", "gpio/clk"])]
    assert not made.notes
