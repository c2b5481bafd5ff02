"""What is fuzzed of the reader of block-design scripts.

A process for each script would leave a fuzzer with ten of them a second. So Vivado's commands and what is
made of their netlist run in the fuzzer itself (``tcl-commands``), as does the check of the child's answer
(``tcl-answer``); ``tcl-script`` is the whole reader, a few times.
"""

from __future__ import annotations

import contextlib
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

from pynq.design.tcl import (
    build,
    commands,
    commands_address,
    commands_automation,
    commands_connect,
    commands_edit,
    commands_find,
    commands_make,
    commands_project,
    commands_property,
    diagram,
    filters,
    globs,
    nets,
    packaged,
    properties,
    sandbox,
    wire,
    words,
)

__all__ = ["MODULES", "SEEDS", "read"]

MODULES: tuple[ModuleType, ...] = (
    *(build, commands, commands_address, commands_connect, commands_edit, commands_find, commands_make),
    *(
        commands_automation,
        commands_project,
        commands_property,
        diagram,
        filters,
        globs,
        nets,
        packaged,
        properties,
        sandbox,
        wire,
        words,
    ),
)

_SCRIPT = b"""create_bd_design d
create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps
create_bd_cell -type hier h
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 h/x
create_bd_intf_pin -mode Slave -vlnv xilinx.com:interface:aximm_rtl:1.0 h/S
create_bd_pin -dir O -from 3 -to 0 h/o
create_bd_port -dir O -from 3 -to 0 -type data p
set_property -dict {CONFIG.C_GPIO_WIDTH {4} CONFIG.C_ALL_OUTPUTS 1} /h/x
connect_bd_net -net n h/o p
connect_bd_net h/o h/x/gpio_io_o
connect_bd_intf_net h/S h/x/S_AXI
connect_bd_intf_net -intf_net i h/S ps/M_AXI_GP0
assign_bd_address -offset 0x41200000 -range 64K -target_address_space ps/Data h/x/S_AXI/Reg
exclude_bd_addr_seg -target_address_space ps/Data h/x/S_AXI/Reg
get_bd_cells -hierarchical -filter {NAME =~ x* && TYPE == ip}
group_bd_cells g h ps
move_bd_cells / g/h
copy_bd_objs -prefix c_ / h
set_property name y h
create_bd_cell -type ip -vlnv a:hls:k:1.0 k
apply_bd_automation -rule x:r:axi4 -config {Master /ps/M_AXI_GP0 Clk_xbar {/ps/FCLK_CLK0 (1 MHz)}} k/s_axi_c
apply_bd_automation -rule x:r:axi4 -config {Master /k/m_axi_g Slave /ps/S_AXI_HP0 intc_ip Auto} ps/S_AXI_HP0
apply_bd_automation -rule x:r:clkrst -config {Clk Auto} k/ap_clk
delete_bd_objs c_h
"""


def _run(script: bytes) -> bytes:
    """Do a script's commands one by one, without Tcl; returns the answer that the child would give."""
    made = diagram.Diagram()
    for made.line, line in enumerate(script.decode("latin-1").splitlines(), 1):
        with contextlib.suppress(words.CommandError):
            name, *rest = words.split_list(line) or [""]
            commands.run(made, name, rest)
    return wire.dump({"netlist": made.netlist()} if made.sheets else {"problems": [(0, "no design")]})


_COMPONENT = b"""<spirit:component xmlns:x="x" xmlns:spirit="http://www.spiritconsortium.org/XMLSchema/">
<spirit:vendor>a</spirit:vendor><spirit:library>b</spirit:library><spirit:name>c</spirit:name>
<spirit:version>1</spirit:version><spirit:busInterfaces><spirit:busInterface><spirit:name>S</spirit:name>
<spirit:busType spirit:vendor="x" spirit:library="y" spirit:name="aximm" spirit:version="1"/>
<spirit:slave><spirit:memoryMapRef spirit:memoryMapRef="S"/></spirit:slave><spirit:portMaps><spirit:portMap>
<spirit:logicalPort><spirit:name>WDATA</spirit:name></spirit:logicalPort><spirit:physicalPort>
<spirit:name>d</spirit:name></spirit:physicalPort></spirit:portMap></spirit:portMaps></spirit:busInterface>
</spirit:busInterfaces><spirit:memoryMaps><spirit:memoryMap><spirit:name>S</spirit:name><spirit:addressBlock>
<spirit:name>r</spirit:name><spirit:range>64</spirit:range></spirit:addressBlock></spirit:memoryMap>
</spirit:memoryMaps><spirit:model><spirit:ports><spirit:port><spirit:name>d</spirit:name><spirit:wire>
<spirit:direction>in</spirit:direction><spirit:vector><spirit:left spirit:dependency="$W - 1">7</spirit:left>
<spirit:right>0</spirit:right></spirit:vector></spirit:wire><spirit:vendorExtensions><x:isEnabled
spirit:dependency="$W = 9">true</x:isEnabled></spirit:vendorExtensions></spirit:port></spirit:ports>
</spirit:model></spirit:component>"""

_WITH_COMPONENT = b"""create_bd_design d
create_bd_cell -vlnv xilinx.com:ip:processing_system7 ps
create_bd_cell -vlnv a:b:c:1 k
set_property CONFIG.W 9 /k
connect_bd_intf_net ps/M_AXI_GP0 k/S
connect_bd_net ps/FCLK_CLK0 k/d
assign_bd_address k/S/Reg
"""

SEEDS = {
    "tcl-packaged": _COMPONENT,
    "tcl-commands": _SCRIPT,
    "tcl-answer": _run(b"\n".join(_SCRIPT.splitlines()[:14])),
    "tcl-script": _SCRIPT,
}


def read(target: str, data: bytes) -> object:
    """Do what a target does."""
    if target == "tcl-script":
        return build.design(sandbox.run(data, "made.tcl", seconds=5), "made.tcl")
    if target == "tcl-packaged":
        netlist = wire.load(_run(_WITH_COMPONENT)).netlist
        assert netlist is not None
        _folder().joinpath("ip", "component.xml").write_bytes(data)
        return build.design(netlist, "made.tcl", packaged.Packaged(str(_folder() / "made.tcl")))
    if target == "tcl-commands":
        netlist = wire.load(_run(data)).netlist
        return netlist and build.design(netlist, "made.tcl")
    with contextlib.suppress(wire.WireError):
        netlist = wire.load(data).netlist
        return netlist and build.design(netlist, "made.tcl")
    return None


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp())
    folder.joinpath("ip").mkdir()
    return folder
