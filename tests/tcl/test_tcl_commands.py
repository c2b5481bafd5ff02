"""Each command, by what a script makes with it."""

from __future__ import annotations

import pytest
from tcl_scripts import design, needs_tcl, run, said

from pynq.design.tcl.netlist import Cell, Netlist

pytestmark = needs_tcl

CELL = "create_bd_cell -type ip -vlnv a:b:c:1"


def tell(expressions: dict[str, str], before: str = "", rest: str = "") -> None:
    """Compare what expressions of a script give."""
    lines = [before, "create_bd_cell -type ip -vlnv a:b:c:1 tell"]
    lines += [
        f"set_property CONFIG.V{number} [{expression}] [get_bd_cells /tell]"
        for number, expression in enumerate(expressions)
    ]
    made = design("\n".join(lines))
    found = {
        expression: made.cells["tell"].parameters[f"V{number}"]
        for number, expression in enumerate(expressions)
    }
    assert found == expressions
    assert rest in said(made)


def nets(made: Netlist) -> dict[str, list[str]]:
    return {net.name: net.pins for net in made.nets}


def buses(made: Netlist) -> dict[str, list[str]]:
    return {net.name: net.pins for net in made.interface_nets}


TREE = f"""
    create_bd_cell -type hier h
    create_bd_cell -type hier h/i
    {CELL} x
    {CELL} h/x1
    {CELL} h/i/x2
    create_bd_cell -type module -reference rtl m
    create_bd_port -dir I -from 7 -to 0 -type data p
    create_bd_pin -dir O -type clk h/c
    create_bd_intf_port -mode Slave -vlnv b:i:aximm_rtl:1.0 F
    create_bd_intf_pin -mode Master -vlnv b:i:aximm_rtl:1.0 h/G
    connect_bd_net -net n [get_bd_pins x/a] [get_bd_pins m/b] [get_bd_ports p]
    connect_bd_intf_net -intf_net f [get_bd_intf_ports F] [get_bd_intf_pins x/S_AXI]
    set_property CONFIG.WIDTH 32 [get_bd_cells x]
    create_bd_addr_seg -range 64K -offset 0x1000 [get_bd_addr_spaces m/Data] \\
      [get_bd_addr_segs x/S_AXI/Reg] SEG_x_Reg
"""


def test_what_queries_find() -> None:
    tell(
        {
            "get_bd_cells": "/h /x /m /tell",
            "get_bd_cells *": "/h /x /m /tell",
            "get_bd_cells x*": "/x",
            "get_bd_cells ?": "/h /x /m",
            "get_bd_cells h/*": "/h/i /h/x1",
            "get_bd_cells /h/i/x2": "/h/i/x2",
            "get_bd_cells {x m}": "/x /m",
            "get_bd_cells [list x m]": "/x /m",
            "get_bd_cells -hierarchical x*": "/x /h/x1 /h/i/x2",
            "get_bd_cells -hier -filter {VLNV =~ a:b:*}": "/x /h/x1 /h/i/x2 /tell",
            "get_bd_cells -hier -filter {TYPE == hier && NAME != i}": "/h",
            'get_bd_cells -filter {TYPE == "module" || (CONFIG.WIDTH == 32 && !(NAME == m))}': "/x /m",
            "get_bd_cells -filter {NAME !~ *e*}": "/h /x /m",
            "get_bd_cells -quiet nothing": "",
            "get_bd_cells /": "/",
            "get_bd_cells -of_objects [get_bd_cells h]": "/h/i /h/x1",
            "get_bd_cells -of_objects [get_bd_nets n]": "/x /m",
            "get_bd_cells -of_objects [get_bd_pins x/a]": "/x",
            "get_bd_pins x/whatever": "/x/whatever",
            "get_bd_pins x/S_AXI": "",
            "get_bd_pins x/s_axi_aclk": "/x/s_axi_aclk",
            "get_bd_pins {x/S_AXI_HP0_RACOUNT x/s_axi_awaddr x/m_axis_tdata}": (
                "/x/S_AXI_HP0_RACOUNT /x/s_axi_awaddr /x/m_axis_tdata"
            ),
            "get_bd_intf_pins x/S_AXI": "/x/S_AXI",
            "get_bd_pins h/c": "/h/c",
            "get_bd_pins -quiet h/d": "",
            "get_bd_pins h/*": "/h/c",
            "get_bd_pins -of_objects [get_bd_cells x]": "/x/a",
            "get_bd_pins -of_objects [get_bd_nets n]": "/x/a /m/b",
            "get_bd_pins -of_objects [get_bd_nets n] a": "/x/a",
            "get_bd_ports": "/p",
            "get_bd_ports -of_objects [get_bd_nets n]": "/p",
            "get_bd_ports p": "/p",
            "get_bd_intf_ports *": "/F",
            "get_bd_intf_pins h/*": "/h/G",
            "get_bd_intf_pins -of_objects [get_bd_intf_nets f]": "/x/S_AXI",
            "get_bd_nets": "/n",
            "get_bd_nets -of_objects [get_bd_pins m/b]": "/n",
            "get_bd_nets -of_objects [get_bd_cells x]": "/n",
            "get_bd_intf_nets -of_objects [get_bd_intf_ports F]": "/f",
            "get_bd_addr_spaces": "/m/Data",
            "get_bd_addr_spaces m/Data": "/m/Data",
            "get_bd_addr_segs x/S_AXI/Reg": "/x/S_AXI/Reg",
            "get_bd_addr_segs {m/Data/SEG_x_Reg }": "/m/Data/SEG_x_Reg",
            "get_bd_addr_segs": "/m/Data/SEG_x_Reg /x/S_AXI/Reg",
            "get_bd_addr_segs -of_objects [get_bd_intf_pins x/S_AXI]": "/x/S_AXI/Reg",
            "get_bd_addr_segs -of_objects [get_bd_intf_pins m/S_AXI]": "/m/S_AXI",
            "get_bd_addr_spaces -of_objects [get_bd_intf_pins m/M_AXI]": "/m/M_AXI",
            "get_bd_addr_segs F/Reg": "/F/Reg",
            "get_bd_designs": "d",
            "get_bd_designs e*": "",
            "current_bd_design": "d",
            "current_bd_design -quiet": "d",
            "current_bd_instance .": "/",
            "current_bd_instance h": "/h",
            "get_bd_cells x1": "/h/x1",
            "get_bd_cells /x": "/x",
            "get_bd_pins ./c": "/h/c",
            "current_bd_instance i": "/h/i",
            "current_bd_instance": "/",
        },
        TREE,
        "the pins of '/x' are not known but for those that the script has named",
    )


def test_what_properties_tell() -> None:
    tell(
        {
            "get_property TYPE [get_bd_cells x]": "ip",
            "get_property TYPE [get_bd_cells h]": "hier",
            "get_property TYPE [get_bd_cells m]": "module",
            "get_property type [get_bd_cells /]": "hier",
            "get_property VLNV [get_bd_cells x]": "a:b:c:1",
            "get_property VLNV [get_bd_cells m]": "",
            "get_property REFERENCE [get_bd_cells m]": "rtl",
            "get_property NAME [get_bd_cells h/i/x2]": "x2",
            "get_property PATH [get_bd_cells h/i/x2]": "/h/i/x2",
            "get_property CLASS [get_bd_cells x]": "bd_cell",
            "get_property CLASS [get_bd_intf_ports F]": "bd_intf_port",
            "get_property CONFIG.WIDTH [get_bd_cells x]": "32",
            "get_property config.width [get_bd_cells x]": "32",
            "get_property CONFIG.NOTHING [get_bd_cells x]": "",
            "get_property name [get_bd_cells {x m}]": "x m",
            "get_property LEFT [get_bd_ports p]": "7",
            "get_property RIGHT [get_bd_ports p]": "0",
            "get_property DIR [get_bd_ports p]": "I",
            "get_property TYPE [get_bd_ports p]": "data",
            "get_property TYPE [get_bd_pins h/c]": "clk",
            "get_property LEFT [get_bd_pins h/c]": "",
            "get_property MODE [get_bd_intf_pins h/G]": "Master",
            "get_property VLNV [get_bd_intf_pins h/G]": "b:i:aximm_rtl:1.0",
            "get_property OFFSET [get_bd_addr_segs m/Data/SEG_x_Reg]": "0x00001000",
            "get_property RANGE [get_bd_addr_segs x/S_AXI/Reg]": "0x00010000",
            "get_property NAME [current_bd_design]": "d",
            "get_property CONFIG.C_INCLUDE_SG [create_bd_cell -vlnv xilinx.com:ip:axi_dma:7.1 dma]": "1",
            "lsort [list_property [get_bd_cells x]]": "CONFIG.WIDTH NAME PATH TYPE VLNV",
        },
        TREE,
    )


def test_what_the_project_answers() -> None:
    tell(
        {
            "get_projects -quiet": "",
            "current_project -quiet": "",
            "create_project -force -part xczu3eg-sbva484-1-e made ./here": "made",
            "current_project": "made",
            "get_projects": "made",
            "get_property PART [current_project]": "xczu3eg-sbva484-1-e",
            "get_property FAMILY [get_parts [get_property PART [current_project]]]": "zynquplus",
            "set_part xc7z020clg400-1": "",
            "get_property part [current_project]": "xc7z020clg400-1",
            "current_board_part a:b:c:1": "a:b:c:1",
            "get_property board_part [current_project]": "a:b:c:1",
            "get_property FAMILY [get_parts [get_property PART_NAME [current_board_part]]]": "zynq",
            "get_property DIRECTORY [current_project]": "",
            "get_files -quiet x.bd": "",
            "get_ipdefs -all xilinx.com:ip:axi_dma:7.1": "xilinx.com:ip:axi_dma:7.1",
            'get_ipdefs -filter "VLNV == xilinx.com:ip:axi_dma:7.1"': "xilinx.com:ip:axi_dma:7.1",
            "get_ipdefs -filter {NAME == axi_dma}": "xilinx.com:ip:axi_dma",
            "get_parts xc7z020clg400-1": "xc7z020clg400-1",
            "get_boards -quiet -filter {NAME =~ x}": "",
            "get_filesets sources_1": "sources_1",
            "can_resolve_reference rtl": "1",
            "version -short": "2023.2",
            "version": "Vivado v2023.2 (64-bit)",
            "startgroup": "",
            "launch_runs impl_1 -to_step write_bitstream -jobs 4": "",
            "common::send_msg_id BD_TCL-1 INFO hello": "",
            "common::send_gid_msg -ssname BD::TCL -id 1 -severity {CRITICAL WARNING} {mind the gap}": "",
            "catch {common::send_gid_msg -ssname BD::TCL -id 1 -severity ERROR hello} text": "1",
            "set text": "hello",
            "catch {send_msg_id BD_TCL-1 ERROR -hello} text": "1",
            "what_is_this a b": "",
            "argv0 ?": "",
            "llength $argv": "0",
        },
        rest="mind the gap",
    )


@pytest.mark.parametrize(
    ("guard", "version"),
    [
        ("set scripts_vivado_version 2018.3", "2018.3"),
        ("set scripts_vivado_version {2022.1.2}", "2022.1.2"),
        ('if {[version -short] ne "2019.2"} {return 1}', "2019.2"),
        ("set x 2018.3", ""),
    ],
)
def test_the_version_that_a_guard_wants(guard: str, version: str) -> None:
    check = (
        "if {[info exists scripts_vivado_version] && [version -short] ne $scripts_vivado_version} {error no}"
    )
    assert run(f"{guard}\n{check}\ncreate_bd_design d\n").version == version


def test_what_cells_are() -> None:
    made = design(
        f"""
        create_bd_cell -type ip -vlnv a:b:c:1.0 ip
        create_bd_cell -vlnv a:b:noversion plain
        create_bd_cell -type inline_hdl -vlnv xilinx.com:inline_hdl:ilconcat:1.0 inline
        create_bd_cell -type module -reference rtl module
        create_bd_cell -type container -reference other container
        create_bd_cell -type hier hierarchy
        create_bd_cell -vlnv a:b:unnamed:1
        {CELL} ip
        """
    )
    assert [(cell.path, cell.kind, cell.type, cell.line) for cell in made.cells.values()] == [
        ("ip", "ip", "a:b:c:1.0", 3),
        ("plain", "ip", "a:b:noversion", 4),
        ("inline", "ip", "xilinx.com:inline_hdl:ilconcat:1.0", 5),
        ("module", "module", "rtl", 6),
        ("container", "container", "other", 7),
        ("hierarchy", "hierarchy", "", 8),
        ("unnamed_0", "ip", "a:b:unnamed:1", 9),
        ("ip_1", "ip", "a:b:c:1", 10),
    ]
    assert said(made) == "10: create_bd_cell: the name 'ip' was taken, the cell is '/ip_1'"


def test_what_ports_are() -> None:
    made = design(
        """
        create_bd_port -dir I -type clk -freq_hz 100000000 a
        create_bd_port -dir O -left 3 -right 0 b
        create_bd_port -dir IO -from 3 c
        create_bd_port -dir I -type rst d
        set_property -dict [list CONFIG.POLARITY {ACTIVE_HIGH}] [get_bd_ports d]
        create_bd_intf_port -mode Monitor -vlnv a:b:c:1 e
        set_property -dict [list CONFIG.FREQ_HZ 5 CONFIG.DATA_WIDTH {64}] [get_bd_intf_ports e]
        """
    )
    found = [
        (pin.path, pin.direction, pin.type, pin.left, pin.right, pin.parameters) for pin in made.pins.values()
    ]
    assert found == [
        ("a", "I", "clk", None, None, {"FREQ_HZ": "100000000"}),
        ("b", "O", "", 3, 0, {}),
        ("c", "IO", "", 3, 0, {}),
        ("d", "I", "rst", None, None, {"POLARITY": "ACTIVE_HIGH"}),
    ]
    assert made.interfaces["e"].mode == "Monitor"
    assert made.interfaces["e"].parameters == {"FREQ_HZ": "5", "DATA_WIDTH": "64"}


def test_how_values_are_set() -> None:
    made = design(
        f"""
        set x [{CELL} x]
        set name C_A
        set_property -dict [ list \\
           CONFIG.$name {{1}} \\
           CONFIG.C_B " two words " \\
           CONFIG.C_C {{a{{b}}c}} \\
           CONFIG.C_D -1 \\
        ] $x
        set_property CONFIG.C_E -dsp $x
        set_property config.c_a 3 $x
        set_property -quiet CONFIG.C_F "" $x
        set_property -dict "CONFIG.C_G 7" [get_bd_cells x]
        set_property HDL_ATTRIBUTE.DEBUG true $x
        set_property USER_COMMENTS.comment_0 "a
b" $x
        set_property CONFIG.NUM_READ_OUTSTANDING 2 [get_bd_intf_pins /x/M_AXI]
        set_property -dict [list CONFIG.FREQ_HZ 100] [get_bd_pins x/clk]
        set_property CONFIG.C_H 1 [get_bd_cells -quiet nothing]
        set_property CONFIG.C_H 1 nothing
        set_property CONFIG.C_H 1 /nothing
        set_property CONFIG.PS_PMC_CONFIG {{ A {{1}} \\
          B {{{{ENABLE 1}} {{IO {{PMC_MIO 0 .. 25}}}}}} }} $x
        set_property CONFIG.PS_PMC_CONFIG(C) {{3 4}} $x
        set_property CONFIG.PS_PMC_CONFIG "A 2" $x
        """
    )
    assert made.cells["x"].parameters == {
        "C_A": "3",
        "C_B": " two words ",
        "C_C": "a{b}c",
        "C_D": "-1",
        "C_E": "-dsp",
        "C_F": "",
        "C_G": "7",
        "PS_PMC_CONFIG": "A 2 B {{ENABLE 1} {IO {PMC_MIO 0 .. 25}}} C {3 4}",
    }
    assert made.interfaces["x/M_AXI"].parameters == {"NUM_READ_OUTSTANDING": "2"}
    assert (made.interfaces["x/M_AXI"].mode, made.pins["x/clk"].direction) == ("", "")
    assert said(made).splitlines() == [
        "20: set_property CONFIG.C_H: without an object it does not count",
        "21: set_property CONFIG.C_H: there is nothing 'nothing' that has parameters",
        "22: set_property CONFIG.C_H: there is nothing '/nothing' that has parameters",
    ]


def test_what_has_one_name_stays_apart() -> None:
    """A cell, a port and a net of one name: each command means what it got."""
    made = design(
        f"""
        set cell [{CELL} same]
        set port [create_bd_port -dir I same]
        connect_bd_net -net same [get_bd_ports same] [get_bd_pins same/in]
        set_property CONFIG.A 1 [get_bd_cells same]
        set_property CONFIG.A 2 [get_bd_ports same]
        connect_bd_net -net [get_bd_nets same] [get_bd_pins same/other]
        """
    )
    assert made.cells["same"].parameters == {"A": "1"}
    assert made.pins["same"].parameters == {"A": "2"}
    assert nets(made) == {"same": ["same", "same/in", "same/other"]}


def test_how_wires_join() -> None:
    made = design(
        f"""
        foreach name {{a b c d}} {{ {CELL} $name }}
        create_bd_port -dir I p
        connect_bd_net [get_bd_pins a/x] [get_bd_pins b/x]
        connect_bd_net [get_bd_pins c/x] [get_bd_pins d/x]
        connect_bd_net [get_bd_pins b/x] [get_bd_pins c/x]
        connect_bd_net -net named [get_bd_ports p] [get_bd_pins {{a/y b/y}}]
        connect_bd_net -net named [get_bd_pins c/y]
        connect_bd_net [get_bd_nets named] [get_bd_pins d/y]
        connect_bd_net [get_bd_pins a/z]
        connect_bd_net [get_bd_pins -quiet nothing/z]
        connect_bd_net /nothing/z [get_bd_pins b/z]
        create_bd_net later
        connect_bd_net -net later [get_bd_pins a/w]
        create_bd_net empty
        connect_bd_net -net gone [get_bd_pins a/v] [get_bd_pins b/v] [get_bd_pins c/v]
        disconnect_bd_net [get_bd_nets gone] [get_bd_pins b/v]
        disconnect_bd_net [get_bd_pins c/v]
        """
    )
    assert nets(made) == {
        "a_x": ["a/x", "b/x", "c/x", "d/x"],
        "named": ["p", "a/y", "b/y", "c/y", "d/y"],
        "a_z": ["a/z"],
        "b_z": ["b/z"],
        "later": ["a/w"],
        "empty": [],
        "gone": ["a/v"],
    }
    assert said(made).splitlines() == [
        "12: a connection without pins does not count",
        "13: there is no pin or port '/nothing/z', it is not connected",
    ]


def test_pins_of_hierarchies_are_in_two_nets() -> None:
    made = design(
        f"""
        create_bd_cell -type hier h
        create_bd_pin -dir I h/p
        create_bd_pin -dir O h/q
        {CELL} h/x
        {CELL} y
        connect_bd_net -net outside [get_bd_pins y/o] [get_bd_pins h/p]
        connect_bd_net -net inside [get_bd_pins h/p] [get_bd_pins h/x/i]
        connect_bd_net -net loop -boundary_type upper [get_bd_pins h/p] [get_bd_pins h/q]
        connect_bd_net -net through -boundary_type lower [get_bd_pins h/p] [get_bd_pins h/q]
        connect_bd_net [get_bd_pins y/far] [get_bd_pins h/x/far]
        create_bd_intf_pin -mode Slave -vlnv a:b:c:1 h/S
        connect_bd_intf_net [get_bd_intf_pins h/S] [get_bd_intf_pins h/x/S]
        connect_bd_intf_net -boundary_type upper [get_bd_intf_pins h/S] [get_bd_intf_pins y/M]
        """
    )
    assert nets(made) == {
        "loop": ["h/p", "h/q", "y/o"],
        "h/through": ["h/p", "h/q", "h/x/i"],
        "y_far": ["y/far", "h/x/far"],
    }
    assert buses(made) == {"h/S": ["h/S", "h/x/S"], "h_S": ["h/S", "y/M"]}


def test_making_pins_external() -> None:
    made = design(
        f"""
        {CELL} x
        make_bd_pins_external [get_bd_pins x/o]
        make_bd_pins_external -name given [get_bd_pins x/p]
        make_bd_intf_pins_external [get_bd_intf_pins x/GPIO]
        create_bd_intf_net alone
        disconnect_bd_intf_net [get_bd_intf_pins x/GPIO]
        """
    )
    assert nets(made) == {"x_o": ["x/o", "o_0"], "x_p": ["x/p", "given"]}
    assert buses(made) == {"x_GPIO": ["GPIO_0"], "alone": []}
    assert list(made.interfaces) == ["GPIO_0"]


def segments(text: str) -> list[tuple[str, str, str, int | None, int | None, bool]]:
    made = design(f"{CELL} ps\n{CELL} x\n{CELL} y\n{text}")
    return [(one.space, one.slave, one.name, one.offset, one.size, one.excluded) for one in made.segments]


def test_addresses() -> None:
    data = "-target_address_space [get_bd_addr_spaces ps/Data]"
    x, y = "[get_bd_addr_segs x/S/Reg]", "[get_bd_addr_segs y/S/Mem0]"
    assert segments(
        f"create_bd_addr_seg -range 0x10000 -offset 0x41200000 [get_bd_addr_spaces ps/Data] {x} SEG_1"
    ) == [("ps/Data", "x/S/Reg", "SEG_1", 0x4120_0000, 0x1_0000, False)]
    assert segments(f"assign_bd_address -offset 0x4000_0000 -range 4G {data} {x} -force") == [
        ("ps/Data", "x/S/Reg", "SEG_x_Reg", 0x4000_0000, 1 << 32, False)
    ]
    assert segments("assign_bd_address") == [("", "", "", None, None, False)]
    assert segments(f"assign_bd_address {x}") == [("", "x/S/Reg", "SEG_x_Reg", None, None, False)]
    assert segments(f"assign_bd_address -offset 64k {x}\nassign_bd_address -range 4K {x}") == [
        ("", "x/S/Reg", "SEG_x_Reg", 65536, 4096, False)
    ]
    assert segments(f"assign_bd_address {data}") == [("ps/Data", "", "", None, None, False)]
    assert segments(
        "assign_bd_address -target_address_space [get_bd_addr_spaces {ps/Data x/Data}] -with_name me "
        "[get_bd_addr_segs {x/S/Reg y/S/Mem0}] -offset 0 -range 1K"
    ) == [
        (space, slave, "me", 0, 1024, False)
        for space in ("ps/Data", "x/Data")
        for slave in ("x/S/Reg", "y/S/Mem0")
    ]
    assert (
        segments(f"assign_bd_address -export_to_file a.csv\nassign_bd_address -import_from_file a.csv {x}")
        == []
    )
    # Set afterwards, by the name that the tool gives.
    assert segments(
        f"assign_bd_address {x}\nset seg [get_bd_addr_segs {{ps/Data/SEG_x_Reg}}]\n"
        "set_property offset 0x43C00000 $seg\nset_property range 64K $seg"
    ) == [
        ("", "x/S/Reg", "SEG_x_Reg", None, None, False),
        ("ps/Data", "x/S/Reg", "SEG_x_Reg", 0x43C0_0000, 65536, False),
    ]
    assert segments("set_property -dict [list offset 1K range 2K] [get_bd_addr_segs ps/Data/SEG_z_Reg]") == [
        ("ps/Data", "", "SEG_z_Reg", 1024, 2048, False)
    ]
    assert segments(
        f"assign_bd_address {data} {x}\nset_property name other [get_bd_addr_segs ps/Data/SEG_x_Reg]"
    ) == [("ps/Data", "x/S/Reg", "other", None, None, False)]
    # Excluded, in both styles, and included again.
    made = f"create_bd_addr_seg -range 1K -offset 0 [get_bd_addr_spaces ps/Data] {x} SEG\n"
    excluded = ("ps/Data", "x/S/Reg", "SEG", 0, 1024, True)
    assert segments(f"{made}exclude_bd_addr_seg [get_bd_addr_segs ps/Data/SEG]") == [excluded]
    assert segments(f"{made}exclude_bd_addr_seg {x}") == [excluded]
    assert segments(f"exclude_bd_addr_seg {x}") == [("", "x/S/Reg", "SEG_x_Reg", None, None, True)]
    assert segments(f"{made}exclude_bd_addr_seg {x}\ninclude_bd_addr_seg [get_bd_addr_segs ps/Data/SEG]") == [
        (*excluded[:5], False)
    ]
    assert segments(f"exclude_bd_addr_seg -offset 0xE0000000 -range 4M {data} {y}") == [
        ("ps/Data", "y/S/Mem0", "SEG_y_Mem0", 0xE000_0000, 4 << 20, True)
    ]
    assert segments(f"exclude_bd_addr_seg {data} {y}\ninclude_bd_addr_seg {data} {y}")[0][5] is False
    assert segments(f"{made}delete_bd_objs [get_bd_addr_segs] [get_bd_addr_segs -excluded]") == []
    assert segments(f"{made}delete_bd_objs [get_bd_addr_segs ps/Data/SEG]") == []


def test_deleting() -> None:
    made = design(
        f"""
        create_bd_cell -type hier h
        create_bd_pin -dir O h/p
        {CELL} h/x
        {CELL} y
        create_bd_port -dir I q
        create_bd_intf_port -mode Slave -vlnv a:b:c:1 S
        connect_bd_net -net one [get_bd_pins h/p] [get_bd_pins y/a] [get_bd_ports q]
        connect_bd_net -net two [get_bd_pins h/p] [get_bd_pins h/x/a]
        connect_bd_net -net three [get_bd_pins y/c] [get_bd_pins y/d]
        connect_bd_intf_net -intf_net four [get_bd_intf_ports S] [get_bd_intf_pins y/S]
        connect_bd_intf_net -intf_net five [get_bd_intf_pins y/M] [get_bd_intf_pins y/T]
        assign_bd_address -target_address_space [get_bd_addr_spaces y/Data] [get_bd_addr_segs h/x/S/Reg]
        current_bd_instance h
        delete_bd_objs [get_bd_cells /h]
        delete_bd_objs [get_bd_nets three] [get_bd_intf_nets five] [get_bd_intf_ports S]
        """
    )
    assert list(made.cells) == ["y"]
    assert list(made.pins) == ["q"]
    assert list(made.interfaces) == []
    assert nets(made) == {"one": ["y/a", "q"]}
    assert buses(made) == {"four": ["y/S"]}
    assert made.segments == []


def test_grouping_moving_renaming() -> None:
    made = design(
        f"""
        foreach name {{a b c}} {{ {CELL} $name }}
        connect_bd_net -net ab [get_bd_pins a/x] [get_bd_pins b/x]
        connect_bd_net -net bc [get_bd_pins b/y] [get_bd_pins c/y]
        assign_bd_address -target_address_space [get_bd_addr_spaces a/Data] [get_bd_addr_segs b/S/Reg]
        group_bd_cells h [get_bd_cells a] [get_bd_cells b]
        group_bd_cells -prefix p_ i [get_bd_cells c]
        move_bd_cells [get_bd_cells h] [get_bd_cells i]
        move_bd_cells / [get_bd_cells h/i/p_c]
        set_property name last [get_bd_cells p_c]
        set_property name renamed [get_bd_nets bc]
        """
    )
    assert {path: cell.kind for path, cell in made.cells.items()} == {
        "h": "hierarchy",
        "h/a": "ip",
        "h/b": "ip",
        "h/i": "hierarchy",
        "last": "ip",
    }
    assert nets(made) == {"h/ab": ["h/a/x", "h/b/x"], "renamed": ["h/b/y", "last/y"]}
    assert [(one.space, one.slave) for one in made.segments] == [("h/a/Data", "h/b/S/Reg")]
    assert "1 nets cross a hierarchy that cells were moved into" in said(made)


def test_copying() -> None:
    made = run(
        f"""
        create_bd_design source
        {CELL} s
        set_property CONFIG.A 1 [get_bd_cells s]
        create_bd_design d
        create_bd_cell -type hier h
        {CELL} h/x
        {CELL} y
        create_bd_pin -dir I h/p
        connect_bd_net -net in [get_bd_pins h/p] [get_bd_pins h/x/i]
        connect_bd_net -net out [get_bd_pins h/p] [get_bd_pins y/o]
        copy_bd_objs / [get_bd_cells {{h y}}]
        copy_bd_objs -prefix my_ h [get_bd_cells y]
        copy_bd_objs -from_design source / /s
        copy_bd_objs / /s -from_design source
        """
    )
    assert list(made.cells) == ["h", "h/x", "y", "h_1", "h_1/x", "y_1", "h/my_y", "s", "s_1"]
    assert made.cells["s_1"] == Cell("s_1", "ip", "a:b:c:1", {"A": "1"}, line=15)
    assert nets(made) == {
        "h/in": ["h/p", "h/x/i"],
        "out": ["h/p", "y/o"],
        "h_1/in": ["h_1/p", "h_1/x/i"],
        "h_1_p": ["h_1/p", "y_1/o"],
    }


def test_what_vivado_would_do_by_itself() -> None:
    made = design(
        f"""
        create_bd_cell -vlnv xilinx.com:ip:processing_system7:5.5 ps
        apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \\
          -config {{make_external "FIXED_IO, DDR" apply_board_preset "1" }} [get_bd_cells ps]
        {CELL} gpio
        apply_board_connection -board_interface "leds_4bits" -ip_intf "gpio/GPIO" -diagram "d"
        apply_bd_automation -rule xilinx.com:bd_rule:mig_7series -config {{}} /gpio
        apply_board_connection -board_interface "x" -ip_pin "gpio/clk" -diagram "d"
        """
    )
    assert {path: face.type for path, face in made.interfaces.items()} == {
        "FIXED_IO": "xilinx.com:display_processing_system7:fixedio_rtl:1.0",
        "DDR": "xilinx.com:interface:ddrx_rtl:1.0",
        "leds_4bits": "",
    }
    assert made.cells["gpio"].parameters == {"GPIO_BOARD_INTERFACE": "leds_4bits"}
    assert [net.pins for net in made.interface_nets] == [
        ["ps/FIXED_IO", "FIXED_IO"],
        ["ps/DDR", "DDR"],
        ["gpio/GPIO", "leds_4bits"],
    ]
    assert [line for line, _ in made.notes] == [4, 7, 8, 9]
    assert "mig_7series: what it makes is not known" in said(made)


def test_designs_of_one_script() -> None:
    made = run(
        f"""
        create_bd_design small
        {CELL} a
        create_bd_design large
        {CELL} a
        {CELL} b
        open_bd_design [get_files small.bd]small.bd
        close_bd_design [current_bd_design]
        if {{[current_bd_design -quiet] ne "" || [get_bd_cells -quiet] ne ""}} {{ error "still open" }}
        """
    )
    assert (made.name, list(made.designs)) == ("large", ["small"])


def test_the_helpers_of_hand_written_scripts() -> None:
    """Procedures that wire by name whatever is there: pins, else interfaces."""
    made = design(
        """
        proc wire {name1 name2} {
          set port1 [get_bd_pins $name1]
          set port2 [get_bd_pins $name2]
          if {[llength $port1] == 1 && [llength $port2] == 1} {
            connect_bd_net $port1 $port2
            return
          }
          set port1 [get_bd_intf_pins $name1]
          set port2 [get_bd_intf_pins $name2]
          if {[llength $port1] == 1 && [llength $port2] == 1} {
            connect_bd_intf_net $port1 $port2
            return
          }
          error "** ERROR: can't connect $name1 and $name2"
        }
        proc cell {cell_vlnv cell_name {cell_props {}} {cell_ports {}}} {
          set cell [create_bd_cell -type ip -vlnv $cell_vlnv $cell_name]
          set prop_list {}
          foreach {prop_name prop_value} [uplevel 1 [list subst $cell_props]] {
            lappend prop_list CONFIG.$prop_name $prop_value
          }
          if {[llength $prop_list] > 1} {
            set_property -dict $prop_list $cell
          }
          foreach {local_name remote_name} [uplevel 1 [list subst $cell_ports]] {
            wire $cell_name/$local_name $remote_name
          }
        }
        set width 16
        cell x:user:adc adc_0 {
          WIDTH $width
        } {
        }
        cell x:user:fifo fifo_0 {} {
          S_AXIS adc_0/M_AXIS
          aclk adc_0/aclk
        }
        """
    )
    assert made.cells["adc_0"].parameters == {"WIDTH": "16"}
    assert nets(made) == {"fifo_0_aclk": ["fifo_0/aclk", "adc_0/aclk"]}
    assert buses(made) == {"fifo_0_S_AXIS": ["fifo_0/S_AXIS", "adc_0/M_AXIS"]}
