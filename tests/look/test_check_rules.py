"""Every rule of `pynq check`: a design in order, and the change that the rule is there to find."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hwh_files import B, M, P, R, Reg, versal, zynqmp
from look_designs import bus, clocked, full, lite, made, parts, port, stream

from pynq.cli import check as command
from pynq.design import Design
from pynq.design.check import RULES, Finding, check
from pynq.design.model import MemoryRange, SourceRef
from pynq.errors import Problem

Cells = dict[str, M]
CASES: dict[str, tuple[Callable[[Cells], object], str, str, str]] = {}


def case(name: str, severity: str, subject: str, message: str) -> Callable[[Callable[[Cells], object]], None]:
    """Register a change of the design in order, and what `pynq check` has to say about it."""

    def add(change: Callable[[Cells], object]) -> None:
        CASES[f"{name}.{change.__name__}"] = (change, severity, subject, message)

    return add


@case("address-outside-window", "error", "kernel/s_axi_control", r"0x83c00000 .* M_AXI_GP0: 0x40000000 to")
def window(cells: Cells) -> None:
    cells["ps7"].ranges[1] = R("kernel", 0x83C0_0000, 0x1_0000, "s_axi_control")


@case("address-overlap", "error", "intc/s_axi", r"overlaps kernel/s_axi_control .*small\.hwh:\d+")
def two_ports(cells: Cells) -> None:
    cells["ps7"].interfaces.append(full("M_AXI_GP1", "MASTER", "gp1"))
    bus(cells["intc"], "s_axi", net="gp1", parameters={"PROTOCOL": "AXI4"})
    cells["ps7"].ranges[2] = R("intc", 0x43C0_8000, 0x8000, "s_axi", "M_AXI_GP1")


@case("address-alignment", "error", "kernel/s_axi_control", "no multiple of its 0x10000 bytes")
def odd(cells: Cells) -> None:
    cells["ps7"].ranges[1] = R("kernel", 0x43C0_1000, 0x1_0000, "s_axi_control")


@case("address-unreachable", "error", "kernel/s_axi_control", "the interface is not connected")
def open_slave(cells: Cells) -> None:
    bus(cells["kernel"], "s_axi_control", net="__NOC__")


@case("address-unreachable", "warning", "kernel/s_axi_control", "no connection leads there from M_AXI_GP0")
def open_interconnect(cells: Cells) -> None:
    bus(cells["bus"], "M01_AXI", net="__NOC__")
    cells["jtag"] = M("jtag", "xilinx.com:ip:jtag_axi:1.2", clocked(), [lite("M_AXI", "MASTER", "to_kernel")])


@case("slave-without-address", "warning", "kernel/s_axi_control", "no master has an address")
def forgotten(cells: Cells) -> None:
    del cells["ps7"].ranges[1]


@case("master-without-slave", "warning", "dma/M_AXI_S2MM", "address map is empty")
def aimless(cells: Cells) -> None:
    cells["dma"].ranges = []


@case(
    "registers-beyond-range", "warning", "kernel/s_axi_control", "'LAST' at offset 0x10000 .* 0x10000 bytes"
)
def beyond(cells: Cells) -> None:
    registers = (*cells["kernel"].blocks[0].registers, Reg("LAST", 0x1_0000))
    cells["kernel"].blocks = [B("s_axi_control", registers)]


@case("interrupt-unconnected", "note", "dma/s2mm_introut", "can poll, but not await")
def open_dma(cells: Cells) -> None:
    port(cells["dma"], "s2mm_introut", net="")


@case("interrupt-unconnected", "warning", "intc/irq", "none of the interrupts")
def open_controller(cells: Cells) -> None:
    port(cells["intc"], "irq", net="")


@case("interrupt-lost", "warning", "dma/s2mm_introut", "ends in other: it reaches no processor")
def into_nothing(cells: Cells) -> None:
    port(cells["dma"], "s2mm_introut", net="stray")
    ports = [P("In0", "I", "stray"), P("dout", "O", "", 0)]
    cells["other"] = M("other", "xilinx.com:ip:xlconcat:2.1", ports)


@case("interrupt-width", "error", "intc/intr", "concat/dout brings 2 interrupts, the input has 1")
def too_many(cells: Cells) -> None:
    port(cells["intc"], "intr", msb=0)


@case("interrupt-width", "error", "ps7/IRQ_F2P", "brings 17 interrupts, the input has 16")
def more_than_the_ps_has(cells: Cells) -> None:
    port(cells["ps7"], "IRQ_F2P", msb=16, net="wide")
    cells["wide"] = M(
        "wide", "xilinx.com:ip:xlconcat:2.1", [P("In0", "I", "irq"), P("dout", "O", "wide", 16)]
    )


@case(
    "interrupt-sensitivity",
    "note",
    "intc",
    r"an edge \(C_KIND_OF_INTR=0xfffffffe\).* kernel/interrupt \(input 1\)",
)
def edges(cells: Cells) -> None:
    cells["intc"].parameters["C_KIND_OF_INTR"] = "0xfffffffe"


@case("interrupt-sensitivity", "warning", "intc", "waits for a level .* EDGE_RISING")
def pulse(cells: Cells) -> None:
    cells["intc"].parameters["C_KIND_OF_INTR"] = "0xfffffffc"
    port(cells["kernel"], "interrupt", extra={"SENSITIVITY": "EDGE_RISING"})


@case("interrupt-sensitivity", "warning", "intc", r"the other polarity \(C_KIND_OF_LVL=0xfffffffd\)")
def polarity_of_level(cells: Cells) -> None:
    cells["intc"].parameters["C_KIND_OF_LVL"] = "0xfffffffd"


@case("interrupt-sensitivity", "warning", "intc/irq", "C_IRQ_IS_LEVEL=0")
def edge_output(cells: Cells) -> None:
    cells["intc"].parameters["C_IRQ_IS_LEVEL"] = "0"


@case("interrupt-without-enable", "warning", "kernel/interrupt", "no register that enables it")
def no_enable(cells: Cells) -> None:
    cells["kernel"].blocks = [B("s_axi_control", (Reg("value_r", 0x10),))]


@case("kernel-never-starts", "warning", "kernel/ap_start", "nothing drives ap_start")
def no_start(cells: Cells) -> None:
    cells["kernel"].ports.append(P("ap_start", "I"))


@case("controller-without-processor", "warning", "intc/irq", "does not reach the PS")
def elsewhere(cells: Cells) -> None:
    port(cells["intc"], "irq", net="led")
    cells["led"] = M("led", "xilinx.com:ip:util_vector_logic:2.0", [P("Op1", "I", "led")])


@case("dma-length-width", "warning", "dma", r"at most 16,383 bytes \(c_sg_length_width=14 bits\)")
def narrow(cells: Cells) -> None:
    cells["dma"].parameters["c_sg_length_width"] = "14"


@case("dma-length-width", "note", "dma", "at most 1,048,575 bytes")
def less_than_usual(cells: Cells) -> None:
    cells["dma"].parameters["c_sg_length_width"] = "20"


@case("dma-unaligned", "note", "dma", r"multiples of 4 bytes \(S2MM: c_include_s2mm_dre=0\)")
def no_dre(cells: Cells) -> None:
    cells["dma"].parameters["c_include_s2mm_dre"] = "0"


@case("dma-no-tlast", "warning", "dma/S_AXIS_S2MM", "kernel/out_r sends no TLAST")
def no_tlast(cells: Cells) -> None:
    cells["kernel"].interfaces[1] = stream("out_r", "INITIATOR", "data", "TKEEP", HAS_TLAST="0")


@case("dma-address-width", "note", "dma", "32 bits, but there is memory beyond: PSDDR_HIGH at 0x800000000")
def large_memory(cells: Cells) -> None:
    old = cells["ps7"]
    new = zynqmp("ps7", ports=[p for p in old.ports if p.name != "IRQ_F2P"], ranges=[])
    new.parameters = {"PSU_DDR_RAM_HIGHADDR": "0xFFFFFFFF"}
    cells["ps7"] = new


@case("coherent-port", "warning", "ps7/S_AXI_ACP", "a coherent port for dma, .*AxUSER.0. is not tied")
def acp(cells: Cells) -> None:
    bus(cells["ps7"], "S_AXI_HP0", name="S_AXI_ACP")
    cells["ps7"].parameters["PCW_USE_DEFAULT_ACP_USER_VAL"] = "0"


@case("coherent-port", "note", "ps7/S_AXI_ACP", "a coherent port for dma: caches are seen only where")
def acp_of_a_dma(cells: Cells) -> None:
    bus(cells["ps7"], "S_AXI_HP0", name="S_AXI_ACP")
    cells["ps7"].parameters["PCW_USE_DEFAULT_ACP_USER_VAL"] = "1"


@case("coherent-port", "warning", "ps7/S_AXI_ACP_FPD", "for dma, .*AxCACHE is 0011, which the ACP refuses")
def acp_of_an_ultrascale(cells: Cells) -> None:
    bus(cells["ps7"], "S_AXI_HP0", name="S_AXI_ACP_FPD")
    old = cells["ps7"]
    cells["ps7"] = zynqmp("ps7", ports=[p for p in old.ports if p.name != "IRQ_F2P"], ranges=[])
    cells["ps7"].interfaces = old.interfaces


@case("coherent-port", "warning", "ps7/S_AXI_HPC0_FPD", "a coherent port for dma, .*AxCACHE is 0011")
def hpc(cells: Cells) -> None:
    bus(cells["ps7"], "S_AXI_HP0", name="S_AXI_HPC0_FPD")
    old = cells["ps7"]
    cells["ps7"] = zynqmp("ps7", ports=[p for p in old.ports if p.name != "IRQ_F2P"], ranges=[])
    cells["ps7"].interfaces = old.interfaces


@case("coherent-port", "note", "ps7/S_AXI_ACP", "a coherent port for writer: caches are seen only where")
def acp_of_a_kernel(cells: Cells) -> None:
    bus(cells["ps7"], "S_AXI_HP0", name="S_AXI_ACP")
    bus(cells["dma"], "M_AXI_S2MM", net="__NOC__")
    ranges = [R("ps7", 0, 0x1000, "S_AXI_ACP", "m_axi")]
    cells["writer"] = M(
        "writer", "acme.com:hls:writer:1.0", clocked(), [full("m_axi", "MASTER", "mem")], ranges
    )


@case("bus-width", "error", "dma/S_AXIS_S2MM", "the data has 64 bits, at kernel/out_r 32")
def wide(cells: Cells) -> None:
    bus(cells["dma"], "S_AXIS_S2MM", {"TDATA_NUM_BYTES": "8"})


@case("bus-protocol", "error", "kernel/s_axi_control", "the protocol is AXI4LITE, at bus/M01_AXI AXI4")
def unlike(cells: Cells) -> None:
    bus(cells["bus"], "M01_AXI", {"PROTOCOL": "AXI4"})


@case("clock-crossing", "error", "dma/S_AXIS_S2MM", "the clock is fast, at kernel/out_r clk")
def other_clock(cells: Cells) -> None:
    bus(cells["dma"], "S_AXIS_S2MM", {"CLK_DOMAIN": "fast"})


@case("clock-crossing", "error", "dma/S_AXIS_S2MM", "the frequency is 50 MHz, at kernel/out_r 100 MHz")
def other_frequency(cells: Cells) -> None:
    bus(cells["dma"], "S_AXIS_S2MM", {"FREQ_HZ": "50000000"})


@case(
    "clock-crossing",
    "warning",
    "kernel/s_axi_control",
    "comes from wizard/clk_out1, at bus/M01_AXI from ps7/FCLK_CLK0",
)
def other_clock_wire(cells: Cells) -> None:
    """A module without CLK_DOMAIN and FREQ_HZ, behind an interconnect with a clock for each port."""
    for cell, name in (("kernel", "s_axi_control"), ("bus", "M01_AXI")):
        bus(cells[cell], name, {"CLK_DOMAIN": "", "FREQ_HZ": ""})
    cells["bus"].ports += [P("M00_ACLK", "I", "fast", None, "clk"), P("M01_ACLK", "I", "clk", None, "clk")]
    port(cells["kernel"], "aclk", net="fast")
    bus(cells["kernel"], "out_r", {"CLK_DOMAIN": "fast"})
    bus(cells["dma"], "S_AXIS_S2MM", {"CLK_DOMAIN": "fast"})
    outputs = [P("clk_in1", "I", "clk", None, "clk"), P("clk_out1", "O", "fast", None, "clk")]
    cells["wizard"] = M("wizard", "xilinx.com:ip:clk_wiz:6.0", outputs)


@case("stream-open", "warning", "kernel/out_r", "nothing takes the stream's data")
def no_receiver(cells: Cells) -> None:
    bus(cells["kernel"], "out_r", net="__NOC__")
    cells["kernel"].ports.append(P("out_r_tready", "I"))


@case("stream-open", "note", "dma/S_AXIS_S2MM", "nothing sends to this stream")
def no_sender(cells: Cells) -> None:
    bus(cells["dma"], "S_AXIS_S2MM", net="__NOC__")


@case("stream-signals", "note", "dma/S_AXIS_S2MM", "kernel/out_r has no TREADY")
def no_wait(cells: Cells) -> None:
    cells["kernel"].interfaces[1] = stream("out_r", "INITIATOR", "data", "TLAST", HAS_TREADY="0")


@case("stream-signals", "note", "kernel/in_r", "dma/M_AXIS_MM2S sends TKEEP, which is not taken")
def no_keep(cells: Cells) -> None:
    cells["dma"].interfaces.append(stream("M_AXIS_MM2S", "INITIATOR", "out", "TLAST", "TKEEP"))
    cells["kernel"].interfaces.append(stream("in_r", "TARGET", "out", "TLAST", HAS_TKEEP="0"))


@case("stream-tied", "warning", "kernel/out_r_tready", "zero ties it to 0")
def tied(cells: Cells) -> None:
    cells["kernel"].ports.append(P("out_r_tready", "I", "nought"))
    ports = [P("dout", "O", "nought", 0)]
    cells["zero"] = M("zero", "xilinx.com:ip:xlconstant:1.1", ports, parameters={"CONST_VAL": "0"})


@case("ps-port-unconnected", "warning", "ps7/M_AXI_GP1", "hangs the processor")
def open_master_port(cells: Cells) -> None:
    cells["ps7"].interfaces.append(full("M_AXI_GP1", "MASTER", "__NOC__"))


@case("ps-port-unconnected", "note", "ps7/S_AXI_HP2", "nothing uses it")
def open_slave_port(cells: Cells) -> None:
    cells["ps7"].interfaces.append(full("S_AXI_HP2", "SLAVE", "__NOC__"))


@case("ps-port-off", "error", "ps7/M_AXI_GP1", "intc is to be reached through it, but it is off")
def port_off(cells: Cells) -> None:
    cells["ps7"].ranges[2] = R("intc", 0x8180_0000, 0x1_0000, "s_axi", "M_AXI_GP1")


@case("clock-not-reached", "warning", "ps7/FCLK_CLK0", r"100 MHz were asked for, .* 96\.97 MHz \(-3\.0 %\)")
def far(cells: Cells) -> None:
    cells["ps7"].parameters["PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ"] = "96.970000"


@case("clock-not-reached", "note", "ps7/FCLK_CLK0", r"\+0\.6 %")
def near(cells: Cells) -> None:
    cells["ps7"].parameters["PCW_FPGA0_PERIPHERAL_FREQMHZ"] = "142"
    cells["ps7"].parameters["PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ"] = "142.857132"


@case("clock-unconnected", "error", "kernel/aclk", "the clock input is open")
def no_clock(cells: Cells) -> None:
    port(cells["kernel"], "aclk", net="")


@case(
    "clock-off", "error", "ps7/FCLK_CLK0", "the clock is off, but reset, bus, dma, kernel and others need it"
)
def clock_off(cells: Cells) -> None:
    cells["ps7"].parameters["PCW_FPGA_FCLK0_ENABLE"] = "0"


@case("reset-unconnected", "warning", "kernel/aresetn", "the reset input is open")
def no_reset(cells: Cells) -> None:
    port(cells["kernel"], "aresetn", net="")


@case("reset-unconnected", "note", "kernel/also_n", "the reset input is open")
def no_second_reset(cells: Cells) -> None:
    cells["kernel"].ports.append(P("also_n", "I", "", None, "rst", {"POLARITY": "ACTIVE_LOW"}))


@case("reset-unconnected", "note", "dma/aresetn", "the reset input is open")
def no_reset_of_an_ip(cells: Cells) -> None:
    port(cells["dma"], "aresetn", net="")


@case("reset-polarity", "error", "kernel/aresetn", "ACTIVE_HIGH, reset/peripheral_aresetn is ACTIVE_LOW")
def wrong_polarity(cells: Cells) -> None:
    port(cells["kernel"], "aresetn", extra={"POLARITY": "ACTIVE_HIGH"})


@case("reset-not-synchronised", "warning", "kernel/aresetn", "comes from ps7/FCLK_RESET0_N")
def raw_reset(cells: Cells) -> None:
    port(cells["kernel"], "aresetn", net="ps_rst")


@case("name-not-python", "note", "2nd/in", "'2nd' is no name in Python")
def keyword(cells: Cells) -> None:
    cells["kernel"].path = "2nd/in"
    cells["ps7"].ranges[1] = R("2nd/in", 0x43C0_0000, 0x1_0000, "s_axi_control")


@case("name-twice", "note", "a_b", "a/b has the same name")
def namesakes(cells: Cells) -> None:
    cells["a/b"] = M("a/b", "xilinx.com:ip:xlconstant:1.1")
    cells["a_b"] = M("a_b", "xilinx.com:ip:xlconstant:1.1")


@case("versions-differ", "note", "second", "xlconcat is version 2.0 here, concat is 2.1")
def versions(cells: Cells) -> None:
    cells["second"] = M("second", "xilinx.com:ip:xlconcat:2.0")


def found(design: Design, rule: str) -> list[Finding]:
    return [one for one in check(design) if one.rule == rule]


def test_a_design_in_order_has_no_findings() -> None:
    assert check(made(parts())) == ()


@pytest.mark.parametrize("name", CASES)
def test_rule(name: str) -> None:
    change, severity, subject, message = CASES[name]
    cells = parts()
    change(cells)
    hits = found(made(cells), name.partition(".")[0])
    assert [one for one in hits if (one.severity, one.subject) == (severity, subject)], hits
    one = next(one for one in hits if (one.severity, one.subject) == (severity, subject))
    assert re.search(message, one.message), one.message
    assert one.advice
    assert one.source.file == "small.hwh"
    assert one.source.line > 0


def test_every_rule_has_a_case() -> None:
    special = {"reader-note"}
    assert {name.partition(".")[0] for name in CASES} | special == {one.name for one in RULES}


def test_what_a_reader_could_not_tell_is_a_finding() -> None:
    notes = (Problem("a.tcl", 7, "create_bd_port: unknown option -colour"),)
    design = dataclasses.replace(made(parts()), notes=notes)
    (one,) = found(design, "reader-note")
    assert (one.message, one.source) == (notes[0].message, SourceRef("a.tcl", 7))


def test_two_blocks_at_one_address_of_one_interface() -> None:
    """The reader of hand-off files refuses it; others may not."""
    design = made(parts())
    ps = design.cells["ps7"]
    twice = [dataclasses.replace(one, base=0x4040_0000, high=0x4040_FFFF) for one in ps.ranges[:2]]
    cells = {**design.cells, "ps7": dataclasses.replace(ps, ranges=tuple(twice))}
    design = dataclasses.replace(design, cells=cells, ps_ranges=tuple[MemoryRange, ...](twice))
    assert [one.subject for one in found(design, "address-overlap")] == ["kernel/s_axi_control"]


def test_errors_come_first_then_the_order_of_the_file() -> None:
    cells = parts()
    for name in (
        "bus-width.wide",
        "dma-length-width.narrow",
        "clock-crossing.other_clock",
        "dma-unaligned.no_dre",
    ):
        CASES[name][0](cells)
    hits = check(made(cells))
    assert [one.severity for one in hits] == ["error", "error", "warning", "note"]
    assert [one.source.line for one in hits[:2]] == sorted(one.source.line for one in hits[:2])


def test_a_block_reached_through_two_ports_may_be_in_either_window() -> None:
    """Hand-off files name one port only where two lead to the same interconnect."""
    cells = parts()
    cells["ps7"].interfaces.append(full("M_AXI_GP1", "MASTER", "gp1"))
    cells["bus"].interfaces.append(full("S01_AXI", "SLAVE", "gp1"))
    cells["ps7"].ranges[0] = R("dma", 0x4040_0000, 0x1_0000, "S_AXI_LITE", "M_AXI_GP1")
    assert check(made(cells)) == ()


def test_in_a_script_nothing_is_built_on_what_vivado_works_out() -> None:
    cells = parts()
    for name in ("bus-width.wide", "reset-polarity.wrong_polarity", "clock-unconnected.no_clock"):
        CASES[name][0](cells)
    design = made(cells)
    assert {one.rule for one in check(design)} == {"bus-width", "reset-polarity", "clock-unconnected"}
    (one,) = check(dataclasses.replace(design, format="tcl"))
    assert (one.rule, one.severity) == ("clock-unconnected", "warning")


def versal_design(entry: R) -> Design:
    """A block behind M_AXI_FPD and one of the NoC's interfaces of a Versal."""
    ps = versal(
        ports=[P("pl0_ref_clk", "O", "clk", None, "clk")],
        interfaces=[
            full(name, "MASTER", net)
            for name, net in (("M_AXI_FPD", "fpd"), ("M_AXI_LPD", "lpd"), ("FPD_CCI_NOC_0", "noc"))
        ],
        ranges=[entry],
    )
    names = {"fpd": "on_fpd", "lpd": "on_lpd", "noc": "on_noc"}
    cells = [
        M(name, "xilinx.com:hls:fill:1.0", clocked(), [full("s_axi", "SLAVE", net)])
        for net, name in names.items()
    ]
    return made({one.path: one for one in (ps, *cells)})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (R("on_fpd", 0xA400_0000, 0x1_0000, "s_axi", "M_AXI_FPD"), ""),
        (R("on_fpd", 0x5_FFFF_0000, 0x1_0000, "s_axi", "M_AXI_FPD"), ""),
        (R("on_fpd", 0xA000_0000, 0x1_0000, "s_axi", "M_AXI_FPD"), "0xa4000000 to 0xbfffffff or 0x400000000"),
        (R("on_lpd", 0x9FFF_0000, 0x1_0000, "s_axi", "M_AXI_LPD"), ""),
        (R("on_lpd", 0xA400_0000, 0x1_0000, "s_axi", "M_AXI_LPD"), "0x80000000 to 0x9fffffff"),
        (R("on_noc", 0x201_0000_0000, 0x1_0000, "s_axi", "FPD_CCI_NOC_0"), ""),
        (
            R("on_noc", 0xA400_0000, 0x1_0000, "s_axi", "FPD_CCI_NOC_0"),
            "in the window of M_AXI_FPD .* reached",
        ),
    ],
)
def test_windows_of_a_versal(entry: R, message: str) -> None:
    hits = found(versal_design(entry), "address-outside-window")
    assert len(hits) == bool(message)
    for one in hits:
        assert (one.severity, one.subject) == ("error", f"{entry.slave}/s_axi")
        assert re.search(message, one.message), one.message


@pytest.mark.corpus
def test_a_region_has_clocks_by_other_names(corpus: Path) -> None:
    from pynq.design import read
    from pynq.design.partial import merge

    folder = corpus / "hwh"
    static = read(folder / "byuccl__PYNQ-PRIO__prio__Pynq-Z1.hwh")
    whole = merge(static, "pr_1", read(folder / "byuccl__PYNQ-PRIO__pr_1_gpio__Pynq-Z1.hwh"))
    assert not [one for one in check(whole) if one.severity == "error"]


def test_names_of_rules_are_told_apart() -> None:
    names = [one.name for one in command.RULES]
    assert len(set(names)) == len(names)
    for one in command.RULES:
        assert one.severity in ("error", "warning", "note")
        assert one.title.endswith(".")
        assert one.why.endswith(".")
        assert one.remedy.endswith(".")


@pytest.mark.corpus
def test_real_designs_have_no_errors(corpus: Path) -> None:
    """They worked on boards. Warnings and notes may be, but not one rule that shouts at all of them."""
    from pynq.design import read

    shouting: dict[str, int] = {}
    files = sorted((corpus / "hwh").glob("*.hwh"))
    for file in files:
        hits = check(read(file))
        assert not [one for one in hits if one.severity == "error"], file.name
        for rule in {one.rule for one in hits if one.severity == "warning"}:
            shouting[rule] = shouting.get(rule, 0) + 1
    assert all(number <= len(files) // 10 for number in shouting.values()), shouting
