"""What the reader makes of small files, one property of the format a test."""

from __future__ import annotations

import dataclasses
import gc
from types import MappingProxyType

import pytest
from hwh_files import B, F, I, M, P, R, Reg, document, versal, zynq, zynqmp

from pynq.design import (
    CellKind,
    Design,
    Endpoint,
    MemoryKind,
    Processor,
    SourceRef,
    Vlnv,
    read,
    read_bytes,
    views,
)

GPIO = "xilinx.com:ip:axi_gpio:2.0"


def design(*modules: M, **more: object) -> Design:
    return read_bytes(document(modules, **more), "small.hwh")  # type: ignore[arg-type]


def test_header() -> None:
    d = design(zynq(), name="top", version="2020.2.2")
    assert (d.name, d.file, d.tool_version) == ("top", "small.hwh", "2020.2.2")
    assert (d.architecture, d.device, d.package, d.speed_grade, d.board) == (
        "zynq",
        "7z020",
        "clg400",
        "-1",
        "",
    )
    assert d.part == "xc7z020clg400-1"
    assert d.source == SourceRef("small.hwh", 3)
    assert repr(d) == "<Design 'top' from 'small.hwh': 1 cell, xc7z020clg400-1>"


@pytest.mark.parametrize("version", ["2018.3.1_AR71948", "2017.4.op", "2017.1_sdxop", "2023.2.0", ""])
def test_odd_tool_versions(version: str) -> None:
    assert design(version=version).tool_version == version


def test_empty_design() -> None:
    d = design()
    assert not d.cells
    assert d.ps == ""
    assert d.processor is None
    assert views.ip_dict(d) == views.hierarchy_dict(d) == views.clock_dict(d) == views.mem_dict(d) == {}


def test_element_misspelt_in_versal_sub_designs() -> None:
    assert design(system="STSTEMINFO", name="sub").name == "sub"


def test_ports() -> None:
    d = design(
        M("a", GPIO, [P("q", "O", "wire", 7), P("open", "I"), P("clk", "I", "clk", None, "clk")]),
        M("h/b", GPIO, [P("d", "I", "wire", 7), P("back", "I", "wire", 3)]),
        ports=[
            P("clk_in", "I", "clk", None, "CLK", {"CLKFREQUENCY": "125000000"}),
            P("rst", "I", "", None, "rst", {"POLARITY": "ACTIVE_LOW"}),
        ],
    )
    q = d.cells["a"].ports["q"]
    assert (q.direction, q.left, q.right, q.width, q.signal, q.kind) == ("O", 7, 0, 8, "wire", "undef")
    assert q.peers == (Endpoint("h/b", "d"), Endpoint("h/b", "back"))
    opened = d.cells["a"].ports["open"]
    assert d.where(q).file == "small.hwh"
    assert d.where(q).line == q.line > d.cells["a"].source.line
    assert (opened.width, opened.left, opened.signal, opened.peers) == (1, None, "", ())
    assert d.cells["a"].ports["clk"].peers == (Endpoint("", "clk_in"),)
    clock = d.ports["clk_in"]
    assert (clock.kind, clock.frequency) == ("clk", 125_000_000)
    assert d.ports["rst"].polarity == "ACTIVE_LOW"


def test_paths_and_hierarchies() -> None:
    d = design(M("top"), M("a/b/c/deep"), M("a/x"), M("z/y"))
    assert list(d.cells) == ["top", "a/b/c/deep", "a/x", "z/y"]
    assert d.hierarchies == ("a", "a/b", "a/b/c", "z")
    cell = d.cells["a/b/c/deep"]
    assert (cell.name, cell.hierarchy, cell.attributes["INSTANCE"]) == ("deep", "a/b/c", "a_b_c_deep")


def test_a_hierarchy_and_a_cell_may_share_an_instance_name() -> None:
    """INSTANCE is the path with ``/`` turned into ``_``, so ``a/b`` and ``a_b`` have the same one."""
    d = design(
        zynq(ports=[P("FCLK_CLK0", "O", "clk", None, "clk")]),
        M("a/b", GPIO, [P("q", "O", "one", 7), P("clk", "I", "clk"), P("d", "I", "two", 7)]),
        M("a_b", "me:user:other:1.0", [P("r", "O", "two", 7), P("clk", "I", "clk"), P("d", "I", "one", 7)]),
    )
    assert [cell.type for cell in (d.cells["a/b"], d.cells["a_b"])] == [GPIO, "me:user:other:1.0"]
    assert d.cells["a/b"].ports["q"].peers == (Endpoint("a_b", "d"),)
    assert d.cells["a_b"].ports["r"].peers == (Endpoint("a/b", "d"),)
    assert d.cells["a/b"].ports["d"].peers == (Endpoint("a_b", "r"),)


def test_ranges_tell_cells_of_one_instance_name_apart_by_the_interface() -> None:
    ranges = [R("a/b", 0x43C0_0000, 0x1000, "s_one"), R("a_b", 0x43C1_0000, 0x1000, "s_two")]
    d = design(
        zynq(ranges=ranges),
        M("a/b", GPIO, interfaces=[I("s_one", "SLAVE")]),
        M("a_b", GPIO, interfaces=[I("s_two", "SLAVE")]),
        M("a_b_c"),
    )
    assert {path: entry["phys_addr"] for path, entry in views.ip_dict(d).items()} == {
        "a/b": 0x43C0_0000,
        "a_b": 0x43C1_0000,
        "ps7": 0,
    }
    assert [d.cells[path].kind for path in ("a/b", "a_b")] == [CellKind.PERIPHERAL] * 2


def test_module_without_fullname_is_known_by_its_instance() -> None:
    data = document([M("psv_top")]).replace(b' FULLNAME="/psv_top"', b"")
    assert list(read_bytes(data).cells) == ["psv_top"]


@pytest.mark.parametrize("version", ["2.0", "720p", "1_0", "1", "2.1.3"])
def test_any_version_is_a_version(version: str) -> None:
    d = design(zynq(ranges=[R("ip", 0x43C00000, 0x1000)]), M("ip", f"me:user:ip:{version}"))
    assert d.cells["ip"].vlnv == Vlnv("me", "user", "ip", version)
    assert d.cells["ip"].type == f"me:user:ip:{version}"
    assert d.cells["ip"].vlnv.without_version == "me:user:ip"  # type: ignore[union-attr]
    assert views.ip_dict(d)["ip"]["type"] == f"me:user:ip:{version}"


@pytest.mark.parametrize("text", ["My IP Type", "user:ip", "a:b:c:d:e"])
def test_a_type_of_another_form_is_free_text(text: str) -> None:
    module = M("ip", attributes={"VLNV": text, "MODTYPE": "ip"})
    d = design(zynq(ranges=[R("ip", 0x43C00000, 0x1000)]), module)
    assert d.cells["ip"].vlnv is None
    assert d.cells["ip"].type == views.ip_dict(d)["ip"]["type"] == text


def test_ranges_without_an_address_are_of_no_use() -> None:
    """Sub-designs of Versal: the prefix alone, at either end."""
    data = document([zynq(ranges=[R("ip", 0x43C0_0000, 0x1000), R("ip", 0x43C1_0000, 0x1000)]), M("ip")])
    for text in (b'BASEVALUE="0x43C00000"', b'HIGHVALUE="0x43C00FFF"'):
        name = text.partition(b"=")[0]
        assert [r.base for r in read_bytes(data.replace(text, name + b'="0x"')).ps_ranges] == [0x43C1_0000]


def test_parameters_without_value_are_empty() -> None:
    d = design(zynq(ranges=[R("ip", 0x43C00000, 0x1000)]), M("ip", parameters={"EMPTY": None, "FULL": "1"}))
    assert dict(d.cells["ip"].parameters) == {"EMPTY": "", "FULL": "1"}
    assert views.ip_dict(d)["ip"]["parameters"] == {"EMPTY": None, "FULL": "1"}


def test_interfaces() -> None:
    stream = I(
        "M_AXIS",
        "INITIATOR",
        "link",
        "xilinx.com:interface:axis:1.0",
        {"TDATA_NUM_BYTES": "4"},
        {"TDATA": "d"},
    )
    full = I(
        "M_AXI",
        "MASTER",
        "mem",
        parameters={"PROTOCOL": "AXI4", "DATA_WIDTH": "64"},
        port_map={"araddr": "a"},
    )
    gpio = I("GPIO", "INITIATOR", "leds", "xilinx.com:interface:gpio:1.0")
    d = design(M("ip", interfaces=[stream, full, gpio]))
    found = d.cells["ip"].interfaces
    axis = found["M_AXIS"]
    assert (axis.role, axis.net, axis.protocol, axis.data_width) == ("INITIATOR", "link", "AXIS", 32)
    assert dict(axis.port_map) == {"TDATA": "d"}
    assert (found["M_AXI"].protocol, found["M_AXI"].data_width) == ("AXI4", 64)
    assert dict(found["M_AXI"].port_map) == {"ARADDR": "a"}
    assert (found["GPIO"].protocol, found["GPIO"].data_width) == ("", None)
    assert found["GPIO"].vlnv == Vlnv("xilinx.com", "interface", "gpio", "1.0")


def test_interfaces_before_2016() -> None:
    """Neither VLNV nor LOGICAL: parameters and names of ports have to do (docs/errata.md, E-13 and F-5)."""
    maps = {"x": "m_axi_mm2s_araddr", "y": "m_axi_mm2s_rdata"}
    axi = I("M_AXI", "MASTER", vlnv=None, parameters={"PROTOCOL": "AXI4LITE"}, port_map=maps)
    axis = I("S_AXIS", "SLAVE", vlnv=None, port_map={"z": "s_axis_tvalid"})
    data = document([M("ip", interfaces=[axi, axis])])
    for logical in (b"x", b"y", b"z"):
        data = data.replace(b'LOGICAL="%s" ' % logical, b"")
    found = read_bytes(data).cells["ip"].interfaces
    assert found["M_AXI"].vlnv is None
    assert found["M_AXI"].protocol == "AXI4LITE"
    assert dict(found["M_AXI"].port_map) == {"ARADDR": "m_axi_mm2s_araddr", "RDATA": "m_axi_mm2s_rdata"}
    assert found["S_AXIS"].protocol == "AXIS"


def test_registers() -> None:
    control = Reg(
        "CTRL", 0, fields=(F("AP_START", 0, 1, description="start"), F("IVAR[0]", 7, 2, "read-only"))
    )
    data = Reg("Channel-1 GPIO DATA", 0x10, 64, "read-only", "0x00000000000000010")
    d = design(
        zynq(ranges=[R("ip", 0x40000000, 0x10000, "s_axi_control")]),
        M("ip", blocks=[B("S_AXI_CONTROL", (control, data), range="64K")]),
    )
    (block,) = d.cells["ip"].blocks
    assert (block.interface, block.range, block.usage, block.access) == (
        "S_AXI_CONTROL",
        65536,
        "register",
        "read-write",
    )
    first, second = block.registers
    assert (first.offset, first.size, first.access, first.reset) == (0, 32, "read-write", 0)
    assert (second.offset, second.size, second.access, second.reset) == (0x10, 64, "read-only", 16)
    start, variable = first.fields
    assert (start.offset, start.width, start.access, start.description) == (0, 1, "read-write", "start")
    assert (variable.name, variable.offset, variable.width, variable.access) == ("IVAR[0]", 7, 2, "read-only")
    # The block's interface is written in another case than the bus interface's name.
    entry = views.ip_dict(d)["ip"]["registers"]["CTRL"]
    assert (entry["address_offset"], entry["size"], entry["access"]) == (0, 32, "read-write")
    assert entry["fields"]["AP_START"] == {
        "bit_offset": 0,
        "bit_width": 1,
        "access": "read-write",
        "description": "start",
    }


def test_registers_may_have_the_names_of_signals_and_parameters() -> None:
    """docs/errata.md, N-10."""
    axi = I("S_AXI", "SLAVE", parameters={"PHASE": "0"}, port_map={"WDATA": "wdata"})
    block = B("S_AXI", (Reg("PHASE", 0), Reg("WDATA", 4)))
    d = design(zynq(ranges=[R("ip", 0x4000_0000, 0x1000)]), M("ip", interfaces=[axi], blocks=[block]))
    assert list(views.ip_dict(d)["ip"]["registers"]) == ["PHASE", "WDATA"]


def test_register_numbers_that_are_expressions() -> None:
    """Resets and ranges may be expressions: unknown, not wrong."""
    register = Reg("R", 4, reset="spirit:decode(id('X'))")
    d = design(M("ip", blocks=[B("S_AXI", (register,), range="pow(2,12)")]))
    assert d.cells["ip"].blocks[0].range == 0
    assert d.cells["ip"].blocks[0].registers[0].reset is None


def test_places_of_registers_that_are_expressions_or_empty() -> None:
    """What the tool did not work out costs the register or the field, not the file."""
    fields = (F("known", 4, 2), F("unknown", 6, 2))
    registers = (Reg("A", 4, fields=fields), Reg("B", 8), Reg("C", 12, 16))
    data = document([M("ip", blocks=[B("S_AXI", registers)])])
    formula = b"(spirit:decode(id('MODELPARAM_VALUE.C_W')) - 1)"
    data = data.replace(b'"ADDRESS_OFFSET" VALUE="0x08"', b'"ADDRESS_OFFSET" VALUE="%s"' % formula)
    data = data.replace(b'"BIT_OFFSET" VALUE="6"', b'"BIT_OFFSET" VALUE="%s"' % formula)
    data = data.replace(b'"SIZE" VALUE="16"', b'"SIZE" VALUE="%s"' % formula)
    data = data.replace(b'"BIT_WIDTH" VALUE="2"', b'"BIT_WIDTH" VALUE=""')
    (block,) = read_bytes(data).cells["ip"].blocks
    assert [(r.name, r.offset, r.size) for r in block.registers] == [("A", 4, 32), ("C", 12, 32)]
    assert [(f.name, f.offset, f.width) for f in block.registers[0].fields] == [("known", 4, 1)]


def test_a_port_with_empty_bounds_is_a_single_wire() -> None:
    data = document([M("ip", ports=[P("d", "I", "", 7)])]).replace(b'LEFT="7"', b'LEFT=""')
    assert read_bytes(data).cells["ip"].ports["d"].width == 1


def test_address_map() -> None:
    d = design(
        zynq(
            "soc/ps7",
            ranges=[
                R("ip", 0x4000_0000, 0x1800),
                R("mem/ctrl", 0x4200_0000, 0x2000, block="Mem0", kind="MEMORY"),
                R("high", 0x4_0000_0000_0, 0x1_0000),
            ],
        ),
        M("ip"),
        M("mem/ctrl", "xilinx.com:ip:axi_bram_ctrl:4.1"),
        M("high"),
    )
    assert d.ps == "soc/ps7"
    assert [(e.slave, e.base, e.size, e.kind) for e in d.ps_ranges] == [
        ("ip", 0x4000_0000, 0x1800, MemoryKind.REGISTER),
        ("mem/ctrl", 0x4200_0000, 0x2000, MemoryKind.MEMORY),
        ("high", 0x4_0000_0000_0, 0x1_0000, MemoryKind.REGISTER),
    ]
    assert d.reachable == d.ps_ranges
    ip = views.ip_dict(d)
    assert set(ip) == {"ip", "high", "soc/ps7"}
    assert (ip["ip"]["phys_addr"], ip["ip"]["addr_range"]) == (0x4000_0000, 0x1800)
    assert list(views.mem_dict(d)) == ["mem/ctrl"]
    hierarchies = views.hierarchy_dict(d)
    assert list(hierarchies["mem"]["memories"]) == ["ctrl"]
    assert list(hierarchies["soc"]["ip"]) == ["ps7"]


def test_two_windows_of_one_ip() -> None:
    d = design(
        zynq(ranges=[R("ip", 0x4000_0000, 0x1000, "s_axi_a"), R("ip", 0x4100_0000, 0x2000, "s_axi_b")]),
        M("ip"),
    )
    ip = views.ip_dict(d)
    assert (ip["ip"]["phys_addr"], ip["ip"]["mem_id"]) == (0x4100_0000, "s_axi_b")
    assert (ip["ip/s_axi_a"]["phys_addr"], ip["ip/s_axi_a"]["mem_id"]) == (0x4000_0000, "s_axi_a")
    assert ip["ip/s_axi_a"]["fullpath"] == "ip"


def test_registers_and_memory_of_one_ip() -> None:
    """docs/errata.md, N-6."""
    d = design(
        zynq(
            ranges=[
                R("ddr", 0x4000_0000, 0x1000, "S_CTRL"),
                R("ddr", 0x8000_0000, 0x1000_0000, kind="MEMORY"),
            ]
        ),
        M("ddr", "xilinx.com:ip:mig_7series:4.2"),
    )
    assert views.ip_dict(d)["ddr"]["phys_addr"] == 0x4000_0000
    assert views.mem_dict(d)["ddr"]["phys_addr"] == 0x8000_0000


def test_range_behind_an_external_interface() -> None:
    d = design(
        zynq(ranges=[R("M_AXI_OUT", 0x6000_0000, 0x1000, "M_AXI_OUT")]),
        interfaces=[I("M_AXI_OUT", "MASTER", vlnv=None, parameters={"PROTOCOL": "AXI4"})],
    )
    (entry,) = d.ps_ranges
    assert (entry.slave, entry.slave_interface) == ("", "M_AXI_OUT")
    ip = views.ip_dict(d)["M_AXI_OUT"]
    assert (ip["phys_addr"], ip["parameters"]) == (0x6000_0000, {"PROTOCOL": "AXI4"})


def test_partial_design_is_entered_through_its_boundary() -> None:
    d = design(
        M("gpio"), interfaces=[I("S_AXI", "SLAVE", vlnv=None, ranges=(R("gpio", 0, 0x1000, master="S_AXI"),))]
    )
    assert d.ps == ""
    assert d.reachable == d.boundary_ranges
    assert d.boundary_ranges[0].master_interface == "S_AXI"
    assert views.ip_dict(d)["gpio"]["addr_range"] == 0x1000


def test_microblaze_is_the_master_without_a_ps() -> None:
    core = M(
        "mb",
        "xilinx.com:ip:microblaze:11.0",
        ranges=[
            R("uart", 0x4060_0000, 0x10000, master="M_AXI_DP"),
            R("lmb", 0, 0x8000, "SLMB", "DLMB", kind="MEMORY"),
        ],
        attributes={"IPTYPE": "PROCESSOR", "MODCLASS": "PROCESSOR"},
    )
    d = design(
        core, M("uart", "xilinx.com:ip:axi_uartlite:2.0"), M("lmb", "xilinx.com:ip:lmb_bram_if_cntlr:4.0")
    )
    assert d.cells["mb"].kind is CellKind.SOFT_PROCESSOR
    assert views.ip_dict(d)["uart"]["phys_addr"] == 0x4060_0000
    assert views.mem_dict(d)["lmb"]["addr_range"] == 0x8000


def test_pci_express_is_the_master_without_any_processor() -> None:
    bridge = M("xdma", "xilinx.com:ip:xdma:4.1", ranges=[R("gpio", 0x1000, 0x1000, master="M_AXI_LITE")])
    assert views.ip_dict(design(bridge, M("gpio")))["gpio"]["phys_addr"] == 0x1000


def test_boundary_comes_before_processors_inside() -> None:
    core = M("mb", "xilinx.com:ip:microblaze:11.0", attributes={"IPTYPE": "PROCESSOR"})
    core.ranges = [R("gpio", 0x4000_0000, 0x1000, master="M_AXI_DP")]
    inside = I("S_AXI", "SLAVE", vlnv=None, ranges=(R("gpio", 0x8000, 0x1000, master="S_AXI"),))
    assert views.ip_dict(design(core, M("gpio"), interfaces=[inside]))["gpio"]["phys_addr"] == 0x8000


def test_block_container() -> None:
    region = M("dfx/pr_0", None, attributes={"BDTYPE": "BLOCK_CONTAINER", "BD": "inner"})
    d = design(zynqmp(ranges=[R("dfx/pr_0", 0x8012_0000, 0x8000)]), region)
    cell = d.cells["dfx/pr_0"]
    assert (cell.kind, cell.vlnv, cell.type) == (CellKind.BLOCK_CONTAINER, None, "")
    assert views.ip_dict(d)["dfx/pr_0"]["type"] == "xilinx.com:bdc:bdc:1.0"
    hierarchy = views.hierarchy_dict(d)
    assert list(hierarchy["dfx"]["hierarchies"]) == ["pr_0"]
    assert "dfx/pr_0" in hierarchy


def test_kinds() -> None:
    d = design(
        versal(ranges=[R("ip", 0xA4000000, 0x10000, master="M_AXI_FPD")]),
        M("ip"),
        M("concat", "xilinx.com:ip:xlconcat:2.1"),
        M("xbar", "xilinx.com:ip:smartconnect:1.0", attributes={"IPTYPE": "BUS", "MODCLASS": "BUS"}),
        M("intc", "xilinx.com:ip:axi_intc:4.1", attributes={"MODCLASS": "INTERRUPT_CNTLR"}),
        M("noc", "xilinx.com:ip:axi_noc:1.1"),
        M("region", "xilinx.com:module_ref:pd:1.0", attributes={"BDTYPE": "RBD"}),
        M("older", "xilinx.com:module_ref:pd:1.0", attributes={"ISPDEFINST": "TRUE"}),
    )
    assert d.processor is Processor.VERSAL
    assert {path: cell.kind.value for path, cell in d.cells.items()} == {
        "cips": "processor",
        "ip": "peripheral",
        "concat": "logic",
        "xbar": "interconnect",
        "intc": "interrupt-controller",
        "noc": "memory-controller",
        "region": "block-container",
        "older": "block-container",
    }


def test_unknown_elements_are_skipped_whole() -> None:
    data = document([M("ip", parameters={"A": "1"})])
    extra = b'<FUTURE><PARAMETER NAME="A" VALUE="2"/><MODULE/><PORT/></FUTURE>'
    for place in (b"<PARAMETERS>", b"<MODULES>", b"<EXTERNALPORTS/>"):
        data = data.replace(place, place + extra)
    d = read_bytes(data)
    assert list(d.cells) == ["ip"]
    assert d.cells["ip"].parameters["A"] == "1"


def test_order_of_the_sections_does_not_matter() -> None:
    data = document([M("ip", ports=[P("a", "I")])], [P("x", "I")], [I("S", "SLAVE", vlnv=None)]).decode(
        "utf-8-sig"
    )
    begin, end = data.index("  <MODULES>"), data.index("</EDKSYSTEM>")
    middle = data.index("  <EXTERNALPORTS>")
    moved = data[:middle] + data[begin:end] + data[middle:begin] + data[end:]
    d = read_bytes(moved.encode())
    assert list(d.ports) == ["x"]
    assert list(d.interfaces) == ["S"]
    assert list(d.cells["ip"].ports) == ["a"]
    assert not d.cells["ip"].interfaces


def test_no_bom_and_utf16_are_fine() -> None:
    data = document([M("ip")])
    text = data.decode("utf-8-sig")
    assert list(read_bytes(text.encode()).cells) == ["ip"]
    wide = text.replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")
    assert list(read_bytes(wide).cells) == ["ip"]


def test_a_design_can_not_be_changed() -> None:
    d = design(zynq(), M("ip", parameters={"A": "1"}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        d.name = "other"  # type: ignore[misc]
    for mapping in (d.cells, d.ports, d.interrupt_pins, d.cells["ip"].parameters, d.cells["ip"].attributes):
        assert isinstance(mapping, MappingProxyType)
    with pytest.raises(TypeError):
        d.cells["ip"].parameters["A"] = "2"  # type: ignore[index]


def test_reading_leaves_no_garbage() -> None:
    """The raw contents are gone as soon as the design is there; the collector of cycles has nothing to do."""
    data = document([zynq(ranges=[R("ip", 0x4000_0000, 0x1000)]), M("ip")])
    read_bytes(data)
    gc.collect()
    d = read_bytes(data)
    assert gc.collect() < 50
    assert d.ps == "ps7"


def test_read_takes_paths(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "x.hwh"
    file.write_bytes(document([M("ip")]))
    assert read(file) == read(str(file))
    assert read(file).file == str(file)


def test_range_that_several_interfaces_lead_to() -> None:
    d = design(
        versal(ranges=[R("noc", 0, 0x8000_0000, "S00_INI:S01_INI", "FPD_CCI_NOC_0", "C0_DDR", "MEMORY")]),
        M("noc", "xilinx.com:ip:axi_noc:1.1"),
    )
    assert [entry.slave_interface for entry in d.ps_ranges] == ["S00_INI", "S01_INI"]
    assert list(views.mem_dict(d)) == ["noc"]
    assert views.mem_dict(d)["noc"]["mem_id"] == "S00_INI"


def test_the_address_is_the_masters_own() -> None:
    """docs/errata.md, N-7: another master's address of the same slave does not count."""
    core = M(
        "mb",
        "xilinx.com:ip:microblaze:11.0",
        ranges=[R("ip", 0x1000, 0x1000, master="M_AXI_DP")],
        attributes={"IPTYPE": "PROCESSOR"},
    )
    d = design(zynq(ranges=[R("ip", 0x4000_0000, 0x1000)]), M("ip"), core)
    assert views.ip_dict(d)["ip"]["phys_addr"] == 0x4000_0000
    assert d.cells["mb"].ranges[0].base == 0x1000


def test_memory_in_a_region_stays_accessible() -> None:
    region = M("pr_0", None, attributes={"BDTYPE": "BLOCK_CONTAINER"})
    d = design(zynqmp(ranges=[R("pr_0", 0x8000_0000, 0x8000, kind="MEMORY")]), region)
    assert views.ip_dict(d)["pr_0"]["addr_range"] == 0x8000
    assert views.mem_dict(d) == {}
