"""One design as block-design scripts of several releases of Vivado."""

# ruff: noqa: E501 (the lines of scripts are as long as Vivado writes them)

from __future__ import annotations

import textwrap

import pytest

from pynq.design.tcl import sandbox
from pynq.design.tcl.netlist import Netlist

try:
    import _tkinter
except ImportError:
    _tkinter = None

needs_tcl = pytest.mark.skipif(_tkinter is None, reason="this Python has no Tcl (Debian: python3-tk)")

ERAS = ("2015.4", "2017.4", "2019.1", "2020.2", "2022.1", "2024.2")


def run(text: str, file: str = "made.tcl", seconds: float = 20) -> Netlist:
    """Run the commands of a script."""
    return sandbox.run(textwrap.dedent(text).encode(), file, seconds)


def design(text: str) -> Netlist:
    """Run commands in a new design."""
    return run("create_bd_design d\n" + textwrap.dedent(text))


def said(netlist: Netlist) -> str:
    """All notes, with their lines."""
    return "\n".join(f"{line}: {note}" for line, note in netlist.notes)


def exported(era: str, top: str = "system") -> str:
    """A design with a PS, a hierarchy with a GPIO, a DMA and a block of RTL, as that release exports it."""
    year = float(era)
    if year < 2018:
        send = 'common::send_msg_id "BD_TCL-{0}" "{1}" {2}'
    elif year < 2020:
        send = "common::send_msg_id BD_TCL-{0} {1} {2}"
    else:
        send = 'common::send_gid_msg -ssname BD::TCL -id {0} -severity "{1}" {2}'

    def message(number: int, severity: str, text: str) -> str:
        return send.format(number, severity, text)

    guard = f"""
        set scripts_vivado_version {era}
        set current_vivado_version [version -short]
        if {{ [string first $scripts_vivado_version $current_vivado_version] == -1 }} {{
           puts ""
           catch {{{message(109, "ERROR", '"Please run the script in Vivado <$scripts_vivado_version>"')}}}
           return 1
        }}
    """
    space = "   " if year >= 2018 else ""

    def properties(target: str, **values: object) -> str:
        if len(values) == 1 and year >= 2022:
            ((name, value),) = values.items()
            return f"set_property CONFIG.{name} {{{value}}} {target}\n"
        rows = "".join(f"{space}CONFIG.{name} {{{value}}} \\\n" for name, value in values.items())
        return f"set_property -dict [ list \\\n{rows} ] {target}\n"

    def vlnv(name: str, version: str) -> str:
        return f"xilinx.com:ip:{name}" + ("" if year >= 2022 else f":{version}")

    def address(space: str, slave: str, offset: str, size: str) -> str:
        name = f"SEG_{slave.split('/')[-3]}_{slave.split('/')[-1]}"
        if year < 2020:
            return (
                f"create_bd_addr_seg -range {size} -offset {offset} [get_bd_addr_spaces {space}] "
                f"[get_bd_addr_segs {slave}] {name}\n"
            )
        return (
            f"assign_bd_address -offset {offset} -range {size} -target_address_space [get_bd_addr_spaces {space}] "
            f"[get_bd_addr_segs {slave}] -force\n"
        )

    high = "processing_system7_0/S_AXI_HP0/HP0_DDR_LOWOCM"
    if year < 2020:
        exclude = address("axi_dma_0/Data_S2MM", high, "0x00000000", "0x20000000") + (
            "exclude_bd_addr_seg [get_bd_addr_segs axi_dma_0/Data_S2MM/SEG_processing_system7_0_HP0_DDR_LOWOCM]\n"
        )
    else:
        exclude = (
            "exclude_bd_addr_seg -offset 0x00000000 -range 0x20000000 -target_address_space "
            f"[get_bd_addr_spaces axi_dma_0/Data_S2MM] [get_bd_addr_segs {high}]\n"
        )
    attributes = ""
    if year < 2020:
        rows = ["CONFIG.NUM_READ_OUTSTANDING {1}", "CONFIG.NUM_WRITE_OUTSTANDING {1}", "]"]
        attributes = (
            " \\\n".join(["set_property -dict [ list", *rows]) + " [get_bd_intf_pins /axi_dma_0/S_AXI_LITE]"
        )
    check = f"""
        set bCheckIPsPassed 1
        set list_check_ips "{vlnv("axi_dma", "7.1")} {vlnv("axi_gpio", "2.0")}"
        set list_ips_missing ""
        foreach ip_vlnv $list_check_ips {{
           set ip_obj [get_ipdefs -all $ip_vlnv]
           if {{ $ip_obj eq "" }} {{ lappend list_ips_missing $ip_vlnv }}
        }}
        if {{ $list_ips_missing ne "" }} {{
           catch {{{message(115, "ERROR", '"The following IPs are not found in the IP Catalog: $list_ips_missing"')}}}
           return 3
        }}
    """
    return f"""
################################################################
# This is a generated script based on design: {top}
################################################################

namespace eval _tcl {{
proc get_script_folder {{}} {{
   set script_path [file normalize [info script]]
   set script_folder [file dirname $script_path]
   return $script_folder
}}
}}
variable script_folder
set script_folder [_tcl::get_script_folder]
{guard}
set list_projs [get_projects -quiet]
if {{ $list_projs eq "" }} {{
   create_project project_1 myproj -part xc7z020clg400-1
   set_property BOARD_PART tul.com.tw:pynq-z2:part0:1.0 [current_project]
}}

variable design_name
set design_name {top}

set errMsg ""
set nRet 0
set cur_design [current_bd_design -quiet]
set list_cells [get_bd_cells -quiet]
if {{ ${{design_name}} eq "" }} {{
   set errMsg "Please set the variable <design_name> to a non-empty value."
   set nRet 1
}} elseif {{ ${{cur_design}} ne "" && ${{list_cells}} eq "" }} {{
   if {{ $cur_design ne $design_name }} {{
      set design_name [get_property NAME $cur_design]
   }}
}} elseif {{ ${{cur_design}} ne "" && $list_cells ne "" && $cur_design eq $design_name }} {{
   set nRet 1
}} elseif {{ [get_files -quiet ${{design_name}}.bd] ne "" }} {{
   set nRet 2
}} else {{
   {message(3, "INFO", '"Currently there is no design <$design_name> in project, so creating one..."')}
   create_bd_design $design_name
   current_bd_design $design_name
}}
if {{ $nRet != 0 }} {{
   catch {{{message(114, "ERROR", "$errMsg")}}}
   return $nRet
}}
{check if year >= 2017 else ""}

# Hierarchical cell: leds
proc create_hier_cell_leds {{ parentCell nameHier }} {{

  variable script_folder

  if {{ $parentCell eq "" || $nameHier eq "" }} {{
     catch {{{message(102, "ERROR", '"create_hier_cell_leds() - Empty argument(s)!"')}}}
     return
  }}
  set parentObj [get_bd_cells $parentCell]
  if {{ $parentObj == "" }} {{
     catch {{{message(100, "ERROR", '"Unable to find parent cell <$parentCell>!"')}}}
     return
  }}
  set parentType [get_property TYPE $parentObj]
  if {{ $parentType ne "hier" }} {{
     catch {{{
        message(101, "ERROR", '"Parent <$parentObj> has TYPE = <$parentType>. Expected to be <hier>."')
    }}}
     return
  }}
  set oldCurInst [current_bd_instance .]
  current_bd_instance $parentObj
  set hier_obj [create_bd_cell -type hier $nameHier]
  current_bd_instance $hier_obj

  # Create interface pins
  create_bd_intf_pin -mode Slave -vlnv xilinx.com:interface:aximm_rtl:1.0 S_AXI

  # Create pins
  create_bd_pin -dir O -from 3 -to 0 gpio_io_o
  create_bd_pin -dir I -type clk s_axi_aclk
  create_bd_pin -dir I {"-from 0 -to 0 " if year < 2018 else ""}-type rst s_axi_aresetn
  create_bd_pin -dir O -type intr ip2intc_irpt

  # Create instance: axi_gpio_0, and set properties
  set axi_gpio_0 [ create_bd_cell -type ip -vlnv {vlnv("axi_gpio", "2.0")} axi_gpio_0 ]
  {properties("$axi_gpio_0", C_ALL_OUTPUTS=1, C_GPIO_WIDTH=4, C_INTERRUPT_PRESENT=1)}

  connect_bd_intf_net -intf_net Conn1 [get_bd_intf_pins S_AXI] [get_bd_intf_pins axi_gpio_0/S_AXI]
  connect_bd_net -net axi_gpio_0_gpio_io_o [get_bd_pins gpio_io_o] [get_bd_pins axi_gpio_0/gpio_io_o]
  connect_bd_net -net axi_gpio_0_irq [get_bd_pins ip2intc_irpt] [get_bd_pins axi_gpio_0/ip2intc_irpt]
  connect_bd_net -net clk_1 [get_bd_pins s_axi_aclk] [get_bd_pins axi_gpio_0/s_axi_aclk]
  connect_bd_net -net rst_1 [get_bd_pins s_axi_aresetn] [get_bd_pins axi_gpio_0/s_axi_aresetn]

  current_bd_instance $oldCurInst
}}

proc create_root_design {{ parentCell }} {{

  variable script_folder
  variable design_name

  if {{ $parentCell eq "" }} {{
     set parentCell [get_bd_cells /]
  }}
  set parentObj [get_bd_cells $parentCell]
  if {{ $parentObj == "" }} {{
     return
  }}
  set parentType [get_property TYPE $parentObj]
  if {{ $parentType ne "hier" }} {{
     return
  }}
  set oldCurInst [current_bd_instance .]
  current_bd_instance $parentObj

  # Create interface ports
  set DDR [ create_bd_intf_port -mode Master -vlnv xilinx.com:interface:ddrx_rtl:1.0 DDR ]

  # Create ports
  set leds [ create_bd_port -dir O -from 3 -to 0 leds ]
  set sysclk [ create_bd_port -dir I -type clk {"-freq_hz 125000000 " if year >= 2019 else ""}sysclk ]
  {properties("$sysclk", FREQ_HZ=125000000) if year < 2019 else ""}

  # Create instance: processing_system7_0, and set properties
  set processing_system7_0 [ create_bd_cell -type ip -vlnv {
        vlnv("processing_system7", "5.5")
    } processing_system7_0 ]
  {
        properties(
            "$processing_system7_0",
            PCW_FPGA0_PERIPHERAL_FREQMHZ=100,
            PCW_IRQ_F2P_INTR=1,
            PCW_USE_S_AXI_HP0=1,
            PCW_MIO_TREE_PERIPHERALS="GPIO#Quad SPI Flash#[1]",
        )
    }
  # Create instance: axi_dma_0, and set properties
  set axi_dma_0 [ create_bd_cell -type ip -vlnv {vlnv("axi_dma", "7.1")} axi_dma_0 ]
  {properties("$axi_dma_0", c_include_sg=0)}
  {attributes}
  # Create instance: leds
  create_hier_cell_leds [current_bd_instance .] lights

  # Create instance: rtl_0, and set properties
  set block_name my_rtl
  set block_cell_name rtl_0
  if {{ [catch {{set rtl_0 [create_bd_cell -type module -reference $block_name $block_cell_name] }} errmsg] }} {{
     catch {{{message(105, "ERROR", '"Unable to add referenced block <$block_name>."')}}}
     return 1
   }} elseif {{ $rtl_0 eq "" }} {{
     catch {{{message(106, "ERROR", '"Unable to referenced block <$block_name>."')}}}
     return 1
   }}
  {properties("$rtl_0", WIDTH=8)}

  # Create interface connections
  connect_bd_intf_net -intf_net ps_DDR [get_bd_intf_ports DDR] [get_bd_intf_pins processing_system7_0/DDR]
  connect_bd_intf_net -intf_net gp0 [get_bd_intf_pins lights/S_AXI] [get_bd_intf_pins processing_system7_0/M_AXI_GP0]
{"set_property HDL_ATTRIBUTE.DEBUG {true} [get_bd_intf_nets gp0]" if year >= 2019 else ""}

  # Create port connections
  connect_bd_net -net clk [get_bd_pins processing_system7_0/FCLK_CLK0] [get_bd_pins lights/s_axi_aclk] \\
  [get_bd_pins axi_dma_0/s_axi_lite_aclk]
  connect_bd_net -net sysclk_1 [get_bd_ports sysclk] [get_bd_pins rtl_0/clk]
  connect_bd_net -net lights_o [get_bd_ports leds] [get_bd_pins lights/gpio_io_o]
  connect_bd_net -net irq [get_bd_pins lights/ip2intc_irpt] [get_bd_pins processing_system7_0/IRQ_F2P]

  # Create address segments
  {address("processing_system7_0/Data", "lights/axi_gpio_0/S_AXI/Reg", "0x41200000", "0x00010000")}
  {address("processing_system7_0/Data", "axi_dma_0/S_AXI_LITE/Reg", "0x40400000", "0x00010000")}
  {address("axi_dma_0/Data_MM2S", high, "0x00000000", "0x20000000")}
  # Exclude Address Segments
  {exclude}

  current_bd_instance $oldCurInst

{"  validate_bd_design" if year >= 2019 else ""}
  save_bd_design
}}
# End of create_root_design()

create_root_design ""
"""
