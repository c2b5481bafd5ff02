"""Whatever a script makes, it becomes a design or a DesignError."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from pynq.design import views
from pynq.design.model import Endpoint
from pynq.design.tcl.build import design
from pynq.design.tcl.catalogue import known
from pynq.design.tcl.netlist import Cell, InterfacePin, Net, Netlist, Pin, Segment
from pynq.errors import DesignError

TYPES = [*sorted(f"{name}:1.0" for name in known()), "a:b:c:1.0", "a:b:c", "nothing", "", ":::"]
PATHS = ["a", "b", "h/a", "h/b", "h/g/a", "x y"]
NAMES = [
    *("S00_AXI", "M00_AXI", "M_AXI_GP0", "S_AXI", "s_axi", "M_AXIS", "S_AXIS", "M_AXIS_MM2S", "S_AXIS_S2MM"),
    *("GPIO", "DDR", "In0", "In1", "dout", "Din", "Dout", "intr", "irq", "IRQ_F2P", "FCLK_CLK0", "aclk", "q"),
]
VALUES = ["0", "1", "2", "64", "-1", "true", "EMIO", "", "99999999", "1e9", "{a b}", "0x10", "AXI4LITE"]
KEYS = [
    *(
        "NUM_PORTS",
        "NUM_SI",
        "NUM_MI",
        "DIN_FROM",
        "DIN_TO",
        "DIN_WIDTH",
        "CONST_WIDTH",
        "IN0_WIDTH",
        "C_SIZE",
    ),
    *("TDATA_NUM_BYTES", "M_TDATA_NUM_BYTES", "C_GPIO_WIDTH", "C_IS_DUAL", "c_include_sg", "PROTOCOL"),
    *(
        "PCW_FPGA0_PERIPHERAL_FREQMHZ",
        "PCW_GPIO_EMIO_GPIO_WIDTH",
        "GPIO_BOARD_INTERFACE",
        "CLKOUT1_REQUESTED_OUT_FREQ",
    ),
]
ends = st.builds(
    lambda path, name: f"{path}/{name}",
    st.sampled_from(["", *PATHS, "h", "h/g", "no"]),
    st.sampled_from(NAMES),
)
ends = ends.map(lambda path: path.lstrip("/"))
parameters = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=4)
kinds = st.sampled_from(["ip", "ip", "ip", "module", "container", "hierarchy"])
numbers = st.one_of(st.none(), st.integers(0, 1 << 66))


@st.composite
def netlists(draw: st.DrawFn) -> Netlist:
    netlist = Netlist("d", "2020.2", draw(st.sampled_from(["xc7z020clg400-1", "", "x-y-z"])), "")
    for path in draw(st.lists(st.sampled_from([*PATHS, "h", "h/g"]), unique=True, min_size=1)):
        kind = "hierarchy" if path in ("h", "h/g") else draw(kinds)
        netlist.cells[path] = Cell(path, kind, draw(st.sampled_from(TYPES)), draw(parameters), 3)
    for path in draw(st.lists(ends, max_size=4)):
        netlist.pins[path] = Pin(
            path, draw(st.sampled_from(["I", "O", "IO"])), draw(st.sampled_from(["clk", "", "intr"]))
        )
    for path in draw(st.lists(ends, max_size=4)):
        mode = draw(st.sampled_from(["Master", "Slave", "Monitor"]))
        netlist.interfaces[path] = InterfacePin(path, mode, "xilinx.com:interface:aximm_rtl:1.0")
    nets = st.lists(st.lists(ends, max_size=5), max_size=8)
    netlist.nets = [Net(f"n{number}", pins, 5) for number, pins in enumerate(draw(nets))]
    netlist.interface_nets = [Net(f"i{number}", pins, 6) for number, pins in enumerate(draw(nets))]
    for _ in range(draw(st.integers(0, 4))):
        space, slave = draw(ends), draw(ends) + draw(st.sampled_from(["/Reg", "/Mem0", "/HP0_DDR_LOW", ""]))
        netlist.segments.append(
            Segment(draw(st.sampled_from([space, ""])), slave, "s", draw(numbers), draw(numbers))
        )
    return netlist


@settings(max_examples=150, deadline=None)
@given(netlists())
def test_any_netlist(netlist: Netlist) -> None:
    with suppress(DesignError):
        made = design(netlist, "made.tcl")
        views.ip_dict(made)
        views.hierarchy_dict(made)
        assert set(made.cells) == {path for path, cell in netlist.cells.items() if cell.kind != "hierarchy"}
        for cell in made.cells.values():
            for port in cell.ports.values():
                assert port.direction in ("I", "O", "IO")
                assert port.width <= 1 << 20
                for peer in port.peers:  # both ends know of each other
                    other = made.cells[peer.cell].ports[peer.port] if peer.cell else made.ports[peer.port]
                    assert Endpoint(cell.path, port.name) in other.peers
