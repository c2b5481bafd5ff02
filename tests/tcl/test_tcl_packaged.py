"""IP of the user's own: its component beside the script says what it looks like."""

# ruff: noqa: E501 (the lines of components are as long as Vivado writes them)

from __future__ import annotations

from pathlib import Path

import pytest
from tcl_scripts import needs_tcl

from pynq.design import views
from pynq.design.model import Design
from pynq.design.tcl import packaged, read

pytestmark = needs_tcl

SCRIPT = """
set_property ip_repo_paths {paths} [current_project]
create_bd_design d
create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps
create_bd_cell -type ip -vlnv acme.test:user:knob:1.0 knob
set_property -dict [list CONFIG.C_WIDTH {{16}} CONFIG.HAS_LED {{{led}}}] [get_bd_cells knob]
connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_GP0] [get_bd_intf_pins knob/S00_AXI]
connect_bd_net [get_bd_pins ps/FCLK_CLK0] [get_bd_pins knob/s00_axi_aclk]
assign_bd_address -offset 0x43C00000 -range 64K -target_address_space ps/Data knob/S00_AXI/S00_AXI_reg
"""
SIGNALS = "".join(
    f"""<spirit:portMap><spirit:logicalPort><spirit:name>{name}</spirit:name></spirit:logicalPort>
    <spirit:physicalPort><spirit:name>s00_axi_{name.lower()}</spirit:name></spirit:physicalPort></spirit:portMap>
    """
    for name in ("AWADDR", "WDATA", "ARADDR", "RDATA")
)


def port(name: str, way: str, left: str = "", more: str = "") -> str:
    vector = f"<spirit:vector>{left}<spirit:right>0</spirit:right></spirit:vector>" if left else ""
    wire = f"<spirit:wire><spirit:direction>{way}</spirit:direction>{vector}</spirit:wire>"
    return f"<spirit:port><spirit:name>{name}</spirit:name>{wire}{more}</spirit:port>\n"


def bound(value: str, formula: str = "") -> str:
    dependency = f' spirit:resolve="dependent" spirit:dependency="{formula}"' if formula else ""
    return f'<spirit:left spirit:format="long"{dependency}>{value}</spirit:left>'


WIDTH = "(spirit:decode(id(&apos;MODELPARAM_VALUE.C_WIDTH&apos;)) - 1)"
ENABLED = """<spirit:vendorExtensions><xilinx:portInfo><xilinx:enablement><xilinx:isEnabled
  xilinx:resolve="dependent" xilinx:id="PORT_ENABLEMENT.led" xilinx:dependency="$HAS_LED">false</xilinx:isEnabled>
  </xilinx:enablement></xilinx:portInfo></spirit:vendorExtensions>"""


def component(version: str = "1.0") -> str:
    """As Vivado's packager writes it for a peripheral of its template."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<spirit:component xmlns:xilinx="http://www.xilinx.com"
  xmlns:spirit="http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009">
  <spirit:vendor>acme.test</spirit:vendor><spirit:library>user</spirit:library>
  <spirit:name>knob</spirit:name><spirit:version>{version}</spirit:version>
  <spirit:busInterfaces>
    <spirit:busInterface><spirit:name>S00_AXI</spirit:name>
      <spirit:busType spirit:vendor="xilinx.com" spirit:library="interface" spirit:name="aximm" spirit:version="1.0"/>
      <spirit:slave><spirit:memoryMapRef spirit:memoryMapRef="S00_AXI"/></spirit:slave>
      <spirit:portMaps>{SIGNALS}</spirit:portMaps>
    </spirit:busInterface>
    <spirit:busInterface><spirit:name>S00_AXI_CLK</spirit:name>
      <spirit:busType spirit:vendor="xilinx.com" spirit:library="signal" spirit:name="clock" spirit:version="1.0"/>
      <spirit:slave/>
      <spirit:portMaps><spirit:portMap><spirit:logicalPort><spirit:name>CLK</spirit:name></spirit:logicalPort>
      <spirit:physicalPort><spirit:name>s00_axi_aclk</spirit:name></spirit:physicalPort></spirit:portMap></spirit:portMaps>
    </spirit:busInterface>
  </spirit:busInterfaces>
  <spirit:memoryMaps><spirit:memoryMap><spirit:name>S00_AXI</spirit:name>
    <spirit:addressBlock><spirit:name>S00_AXI_reg</spirit:name><spirit:baseAddress>0</spirit:baseAddress>
      <spirit:range>4096</spirit:range><spirit:width>32</spirit:width><spirit:usage>register</spirit:usage>
      <spirit:register><spirit:name>POSITION</spirit:name><spirit:addressOffset>0x8</spirit:addressOffset>
        <spirit:size>32</spirit:size></spirit:register>
    </spirit:addressBlock></spirit:memoryMap></spirit:memoryMaps>
  <spirit:model><spirit:ports>
    {port("s00_axi_aclk", "in")}{port("turns", "in", bound("7", WIDTH))}{port("led", "out", "", ENABLED)}
    {port("s00_axi_awaddr", "in", bound("3"))}{port("s00_axi_wdata", "in", bound("31"))}
    {port("s00_axi_araddr", "in", bound("3"))}{port("s00_axi_rdata", "out", bound("31"))}
  </spirit:ports></spirit:model>
  <spirit:parameters>
    <spirit:parameter><spirit:name>C_WIDTH</spirit:name>
      <spirit:value spirit:resolve="user" spirit:id="PARAM_VALUE.C_WIDTH">8</spirit:value></spirit:parameter>
    <spirit:parameter><spirit:name>HAS_LED</spirit:name>
      <spirit:value spirit:resolve="user" spirit:id="PARAM_VALUE.HAS_LED">true</spirit:value></spirit:parameter>
    <spirit:parameter><spirit:name>DEPTH</spirit:name>
      <spirit:value spirit:resolve="user" spirit:id="PARAM_VALUE.DEPTH">512</spirit:value></spirit:parameter>
  </spirit:parameters>
</spirit:component>
"""


def project(folder: Path, place: str, paths: str = "./nothing", led: str = "true", text: str = "") -> Design:
    """Write a script and a component below its folder, and read the script."""
    where = folder / place
    where.mkdir(parents=True, exist_ok=True)
    where.joinpath("component.xml").write_text(text or component())
    folder.joinpath("d.tcl").write_text(SCRIPT.format(paths=paths, led=led))
    return read(folder / "d.tcl")


def test_registers_ports_and_defaults_are_the_component_s(tmp_path: Path) -> None:
    design = project(tmp_path, "ip/knob_1.0")
    entry = views.ip_dict(design)["knob"]
    assert entry["registers"]["POSITION"]["address_offset"] == 8
    assert (entry["parameters"]["DEPTH"], entry["parameters"]["C_WIDTH"]) == ("512", "16")
    knob = design.cells["knob"]
    assert {name: (one.direction, one.width) for name, one in knob.ports.items()} == {
        "s00_axi_aclk": ("I", 1),
        "turns": ("I", 16),  # by the script's C_WIDTH
        "led": ("O", 1),
        "s00_axi_awaddr": ("I", 4),
        "s00_axi_wdata": ("I", 32),
        "s00_axi_araddr": ("I", 4),
        "s00_axi_rdata": ("O", 32),
    }
    assert knob.ports["s00_axi_aclk"].kind == "clk"
    assert {name: one.protocol for name, one in knob.interfaces.items()} == {"S00_AXI": "AXI4LITE"}
    assert knob.blocks[0].source.file == str(tmp_path / "ip/knob_1.0/component.xml")
    assert not design.notes


def test_ports_that_parameters_turn_off_are_not_there(tmp_path: Path) -> None:
    assert "led" not in project(tmp_path, "ip", led="false").cells["knob"].ports


@pytest.mark.parametrize(
    ("place", "paths"),
    [
        (".", "{}"),
        ("ip_repo/deep/er", "{}"),
        ("mine/knob", "./mine"),
        ("mine/knob", "[file normalize [file join [file dirname [info script]] mine]]"),
        ("mine/knob", "{{/home/somebody/project/mine} /nowhere}"),
        ("mine/knob", "../../mine"),
        ("mine/knob", "{C:/work/mine}"),
    ],
)
def test_where_components_are_found(place: str, paths: str, tmp_path: Path) -> None:
    assert "POSITION" in views.ip_dict(project(tmp_path, place, paths))["knob"]["registers"]


@pytest.mark.parametrize(("place", "paths"), [("mine", "{}"), ("../outside", "../outside")])
def test_other_folders_are_left_alone(place: str, paths: str, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    design = project(folder, place, paths)
    assert not views.ip_dict(design)["knob"]["registers"]
    assert any("acme.test:user:knob:1.0 (knob) is no common IP" in note.message for note in design.notes)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "component.xml").write_text(component())
    (folder / "ip").symlink_to(tmp_path / "outside")
    design = project(folder, "other")
    assert not views.ip_dict(design)["knob"]["registers"]


def test_another_version_is_taken_with_a_note(tmp_path: Path) -> None:
    design = project(tmp_path, "ip", text=component("2.1"))
    assert "POSITION" in views.ip_dict(design)["knob"]["registers"]
    assert [note.message for note in design.notes] == [
        f"the component {tmp_path / 'ip/component.xml'} is acme.test:user:knob:2.1; the script wants version 1.0"
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [("<nonsense", "component.xml can't be used: "), (component().replace("knob</", "</"), "has no name")],
)
def test_a_component_that_can_t_be_used_is_a_note(text: str, told: str, tmp_path: Path) -> None:
    design = project(tmp_path, "ip", text=text)
    assert any(told in note.message for note in design.notes), design.notes
    assert views.ip_dict(design)["knob"]["phys_addr"] == 0x43C0_0000


def test_the_search_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "MAX_FOLDERS", 3)
    for number in range(6):
        (tmp_path / "ip" / f"a{number}").mkdir(parents=True)
    design = project(tmp_path, "ip/z")
    assert any("the rest is not looked at" in note.message for note in design.notes)


def test_the_automation_finds_the_component_s_block(tmp_path: Path) -> None:
    folder = tmp_path / "ip"
    folder.mkdir()
    folder.joinpath("component.xml").write_text(component())
    tmp_path.joinpath("d.tcl").write_text("""
create_bd_design d
create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps
create_bd_cell -type ip -vlnv acme.test:user:knob:1.0 knob
apply_bd_automation -rule xilinx.com:bd_rule:axi4 -config {Master "/ps/M_AXI_GP0" Clk "Auto" } knob/S00_AXI
""")
    design = read(tmp_path / "d.tcl")
    (found,) = (one for one in design.cells["ps"].ranges if one.slave == "knob")
    assert (found.block, found.base) == ("S00_AXI_reg", 0x43C0_0000)
    assert design.cells["knob"].ports["s00_axi_aclk"].peers[0].port == "FCLK_CLK0"
