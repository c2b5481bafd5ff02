"""Constructs of scripts that were written by hand, or by write_project_tcl."""

from __future__ import annotations

from pathlib import Path

import pytest
from tcl_scripts import needs_tcl, run, said

from pynq.design.tcl import read
from pynq.design.views import ip_dict
from pynq.errors import DesignError

pytestmark = needs_tcl

PS = """
create_project -part xczu7ev-ffvc1156-2-e demo ./demo
create_bd_design sys
create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma dma
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio gpio
"""


def test_named_words_of_set_property() -> None:
    made = run(
        PS
        + """
        set obj [current_project]
        set_property -name "board_part" -value "xilinx.com:zcu104:part0:1.1" -objects $obj
        set_property -name CONFIG.C_GPIO_WIDTH -value {4} -objects [get_bd_cells gpio]
        set_property -dict [list {CONFIG.C_TRI_DEFAULT 7}] [get_bd_cells gpio]
        set_property -quiet -name CONFIG.C_ALL_INPUTS -value 1 [get_bd_cells gpio]
        set file_obj [get_files -of_objects [get_filesets sources_1] [list "*a.v"]]
        set_property -name "file_type" -value "SystemVerilog" -objects $file_obj
        """
    )
    assert made.board == "xilinx.com:zcu104:part0:1.1"
    assert made.cells["gpio"].parameters == {
        "C_GPIO_WIDTH": "4",
        "C_TRI_DEFAULT": "7",
        "C_ALL_INPUTS": "1",
    }


def test_a_board_that_is_asked_for_by_a_pattern_is_there() -> None:
    made = run(
        """
        create_project p ./p -part xck26-sfvc784-2LV-c
        set board [lindex [get_board_parts -quiet -latest_file_version "*kv260_som*"] 0]
        if {$board eq ""} { error "no such board" }
        set_property board_part $board [current_project]
        if {[get_parts *] ne "" || [get_runs impl_*] ne "" || [get_boards a*b] ne ""} { error "unasked" }
        create_bd_design d
        """
    )
    assert made.board == "kv260_som"


def test_what_published_scripts_write() -> None:
    made = run(
        PS
        + """
        if {[file exist ../project]} {error "there is none"}
        if {[file norm /a/../b] ne "/b" || [file root a.bd] ne "a"} {error "no such name"}
        set_property -dict [list CONFIG.c_s_axis_s2mm_tdata_width.VALUE_SRC USER] [get_bd_cells dma]
        create_bd_cell -type ip -vlnv [get_ipdefs *xilinx.com:ip:axi_timer:*] timer
        """
    )
    assert not made.cells["dma"].parameters
    assert made.cells["timer"].type == "xilinx.com:ip:axi_timer"
    with pytest.raises(DesignError, match="file s is refused"):
        run("create_bd_design d\nfile s x")


def test_a_script_that_wants_arguments_is_told_so() -> None:
    with pytest.raises(DesignError, match=r"makes no block design .*asks for arguments \(argv\)"):
        run("if {$argc < 2} {puts usage; exit 1}\nset part [lindex $argv 0]\ncreate_bd_design d")


def test_the_words_of_set_property_that_are_missing() -> None:
    with pytest.raises(DesignError, match="set_property takes a name, a value and objects"):
        run("create_bd_design d\nset_property -name CONFIG.A -value 1")
    with pytest.raises(DesignError, match="option -value has no value"):
        run("create_bd_design d\nset_property -name CONFIG.A -value")


def test_pins_that_only_the_type_of_an_ip_tells() -> None:
    made = run(
        PS
        + """
        set_property CONFIG.PSU__USE__M_AXI_GP0 1 [get_bd_cells ps]
        set clock [get_bd_pins -of_objects [get_bd_cells ps] -filter {NAME =~ pl_clk0}]
        connect_bd_net $clock [get_bd_pins -of [get_bd_cells gpio] -filter {DIR == I && TYPE == clk}]
        connect_bd_net -net done [get_bd_pins dma/*_introut]
        set masters [get_bd_intf_pins -of [get_bd_cells ps] -filter {MODE == Master && VLNV =~ *aximm*}]
        connect_bd_intf_net -intf_net bus [lindex $masters 0] [get_bd_intf_pins gpio/S_AXI]
        """
    )
    assert not made.notes
    assert [net.pins for net in made.nets] == [
        ["ps/pl_clk0", "gpio/s_axi_aclk"],
        ["dma/mm2s_introut", "dma/s2mm_introut"],
    ]
    assert made.interface_nets[0].pins == ["ps/M_AXI_HPM0_FPD", "gpio/S_AXI"]


def test_an_address_set_by_the_name_that_the_tool_gives() -> None:
    made = run(
        PS
        + """
        create_bd_cell -type ip -vlnv my:own:kernel:1.0 kernel_0
        connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_HPM0_FPD] [get_bd_intf_pins kernel_0/s_axi_control]
        assign_bd_address
        set_property offset 0xA0000000 [get_bd_addr_segs {ps/Data/SEG_gpio_Reg}]
        set_property range 64K [get_bd_addr_segs {ps/Data/SEG_gpio_Reg}]
        set_property -dict [list offset 0xA0010000 range 4K] [get_bd_addr_segs ps/Data/SEG_kernel_0_Reg]
        """
    )
    found = {one.slave: (one.space, one.offset, one.size) for one in made.segments if one.slave}
    assert found["gpio/S_AXI/Reg"] == ("ps/Data", 0xA0000000, 0x10000)
    assert found["kernel_0/s_axi_control/Reg"] == ("ps/Data", 0xA0010000, 0x1000)


@pytest.mark.parametrize(
    ("kind", "query", "found"),
    [
        ("smartconnect", "get_bd_pins -of [get_bd_cells i] -filter {TYPE == clk}", "/i/aclk /i/aclk1"),
        ("smartconnect", "get_bd_pins -of [get_bd_cells i] -filter {TYPE == rst}", "/i/aresetn"),
        ("axi_interconnect", "get_bd_intf_pins i/S*_AXI", "/i/S00_AXI /i/S01_AXI /i/S02_AXI"),
        ("axi_interconnect", "get_bd_pins i/M*_ARESETN", "/i/M00_ARESETN"),
        ("axi_interconnect", "get_property MODE [get_bd_intf_pins i/M00_AXI]", "Master"),
    ],
)
def test_pins_of_interconnects(kind: str, query: str, found: str) -> None:
    made = run(
        f"""
        create_bd_design d
        create_bd_cell -vlnv xilinx.com:ip:{kind} i
        set_property -dict {{CONFIG.NUM_SI 3 CONFIG.NUM_MI 1 CONFIG.NUM_CLKS 2}} [get_bd_cells i]
        set_property CONFIG.SEEN [{query}] [get_bd_cells i]
        """
    )
    assert made.cells["i"].parameters["SEEN"] == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("get_bd_cells -regexp {(dma|gpio)}", "/dma /gpio"),
        ("get_bd_cells -regexp -nocase /D.*", "/dma"),
        ('get_bd_cells -hier -regexp -filter {VLNV =~ ".*axi_(dma|gpio)(:.*)?"}', "/dma /gpio"),
        ("get_bd_cells -regexp dm", ""),
    ],
)
def test_regular_expressions(query: str, found: str) -> None:
    made = run(f"{PS}set_property CONFIG.SEEN [{query}] [get_bd_cells gpio]")
    assert made.cells["gpio"].parameters["SEEN"] == found


def test_what_follows_a_finished_design_can_fail() -> None:
    after = "\n".join(["save_bd_design", "set f [open report.txt r]", "puts $f x"])
    made = run(PS + after)
    assert set(made.cells) == {"ps", "dma", "gpio"}
    assert said(made).startswith("8: open is refused")
    assert "the script ends here, after it has saved the design: open is refused" in said(made)
    with pytest.raises(DesignError, match="8: too late"):
        run(f"{PS}save_bd_design\ncreate_bd_cell -type hier h; error {{too late}}")


def test_what_a_script_needs_is_there() -> None:
    made = run(
        PS
        + """
        foreach one {./ip_repo ../ip a/component.xml rtl/top.v my-board_files demo/demo.xpr out.bit demo} {
          lappend seen [file exists $one]
        }
        lappend seen [file isdirectory ./src] [file isdirectory top.v]
        set_property CONFIG.SEEN $seen [get_bd_cells gpio]
        ipx::package_project -root_dir x
        ipx::save_core [ipx::current_core]
        """
    )
    assert made.cells["gpio"].parameters["SEEN"] == "1 1 1 1 1 0 0 0 1 0"
    assert not made.notes


def test_addresses_that_the_tool_chooses(tmp_path: Path) -> None:
    script = tmp_path / "sys.tcl"
    script.write_text(
        PS
        + """
        create_bd_cell -vlnv xilinx.com:ip:smartconnect smc
        set_property CONFIG.NUM_MI 2 [get_bd_cells smc]
        connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_HPM0_FPD] [get_bd_intf_pins smc/S00_AXI]
        connect_bd_intf_net [get_bd_intf_pins smc/M00_AXI] [get_bd_intf_pins gpio/S_AXI]
        connect_bd_intf_net [get_bd_intf_pins smc/M01_AXI] [get_bd_intf_pins dma/S_AXI_LITE]
        assign_bd_address
        set_property offset 0xA0000000 [get_bd_addr_segs {ps/Data/SEG_dma_Reg}]
        set_property range 4K [get_bd_addr_segs {ps/Data/SEG_dma_Reg}]
        validate_bd_design
        """
    )
    design = read(script)
    found = {name: (entry["phys_addr"], entry["addr_range"]) for name, entry in ip_dict(design).items()}
    assert found["dma"] == (0xA0000000, 0x1000)
    assert found["gpio"] == (0xA0010000, 0x10000)
    (note,) = [one for one in design.notes if "has no offset" in one.message]
    assert note.message.startswith("'gpio/S_AXI/Reg' has no offset in the script: 0xa0010000 is the first")


def test_the_settings_of_a_memory_controller() -> None:
    made = run(
        """
proc write_mig_file_d_mig_7series_0_0 { str_mig_prj_filepath } {

   file mkdir [ file dirname "$str_mig_prj_filepath" ]
   set mig_prj_file [open $str_mig_prj_filepath  w+]

   puts $mig_prj_file {<?xml version='1.0' encoding='UTF-8'?>}
   puts $mig_prj_file {<Project NoOfControllers="1" >}
   puts $mig_prj_file {</Project>}

   close $mig_prj_file
}
create_bd_design d
  set mig_7series_0 [ create_bd_cell -type ip -vlnv xilinx.com:ip:mig_7series:4.2 mig_7series_0 ]

  # Generate the PRJ File for MIG
  set str_mig_folder [get_property IP_DIR [ get_ips [ get_property CONFIG.Component_Name $mig_7series_0 ] ] ]
  set str_mig_file_name mig_a.prj
  set str_mig_file_path ${str_mig_folder}/${str_mig_file_name}
  write_mig_file_d_mig_7series_0_0 $str_mig_file_path

  set_property -dict [ list \\
   CONFIG.BOARD_MIG_PARAM {Custom} \\
   CONFIG.XML_INPUT_FILE {mig_a.prj} \\
 ] $mig_7series_0
        """
    )
    assert made.cells["mig_7series_0"].parameters == {
        "BOARD_MIG_PARAM": "Custom",
        "XML_INPUT_FILE": "mig_a.prj",
    }
    assert "nothing is written to 'mig_a.prj'" in said(made)


def test_a_byte_order_mark_before_latin_1(tmp_path: Path) -> None:
    script = tmp_path / "sys.tcl"
    script.write_bytes(b"\xef\xbb\xbf# Gr\xf6\xdfe\r\n" + PS.replace("\n", "\r\n").encode())
    assert not read(script).notes


def test_the_source_of_a_design() -> None:
    assert run("create_bd_design -bdsource SBD -srcset sources_1 d").name == "d"
