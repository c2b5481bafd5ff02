"""The interrupt tree, shape by shape; numbers from UG585, UG1085/PG201 and AM011."""

from __future__ import annotations

import pytest
from hwh_files import M, P, concat, document, intc, source, versal, zynq, zynqmp

from pynq.design import Design, read_bytes, views


def design(*modules: M, ports: tuple[P, ...] = ()) -> Design:
    return read_bytes(document(modules, ports), "small.hwh")


def irq(width: int, net: str, name: str = "IRQ_F2P") -> P:
    return P(name, "I", net, width - 1, "INTERRUPT")


def test_controller_at_the_ps() -> None:
    d = design(zynq(ports=[irq(1, "irq")]), intc("intc", "all", "irq"), source("dma", "all"))
    controller = d.interrupt_controllers["intc"]
    assert (controller.parent, controller.index, controller.gic) == ("", 0, 61)
    pin = d.interrupt_pins["dma/interrupt"]
    assert (pin.cell, pin.port, pin.controller, pin.index, pin.gic) == ("dma", "interrupt", "intc", 0, None)
    assert pin.sensitivity == "LEVEL_HIGH"
    assert pin.aliases == ("intc/intr",)
    assert views.interrupt_pins(d)["intc/intr"] == {"controller": "intc", "index": 0, "fullpath": "intc/intr"}
    assert views.interrupt_controllers(d) == {"intc": {"parent": "", "index": 0, "raw_irq": 61}}


@pytest.mark.parametrize("index", range(16))
def test_zynq_direct_lines(index: int) -> None:
    nets = [(f"n{i}" if i == index else "", 1) for i in range(16)]
    d = design(zynq(ports=[irq(16, "all")]), concat("concat", nets, "all"), source("ip", f"n{index}"))
    pin = d.interrupt_pins["ip/interrupt"]
    assert (pin.controller, pin.index) == ("", index)
    assert pin.gic == (61 + index if index < 8 else 84 + index - 8)
    assert pin.aliases == (f"concat/In{index}",)
    assert views.interrupt_pins(d)["ip/interrupt"]["raw_irq"] == pin.gic


def test_zynq_reversed_lines_end_at_91() -> None:
    ps = zynq(ports=[irq(2, "all")], parameters={"PCW_IRQ_F2P_MODE": "REVERSE"})
    d = design(ps, concat("concat", [("a", 1), ("b", 1)], "all"), source("a", "a"), source("b", "b"))
    assert d.interrupt_pins["a/interrupt"].gic == 90
    assert d.interrupt_pins["b/interrupt"].gic == 91


@pytest.mark.parametrize(
    ("port", "index", "gic"),
    [("Core0_nIRQ", 16, 31), ("Core1_nIRQ", 17, 31), ("Core0_nFIQ", 18, 28), ("Core1_nFIQ", 19, 28)],
)
def test_zynq_private_lines(port: str, index: int, gic: int) -> None:
    d = design(zynq(ports=[P(port, "I", "n", None, "INTERRUPT")]), source("ip", "n"))
    pin = d.interrupt_pins["ip/interrupt"]
    assert (pin.controller, pin.index, pin.gic) == ("", index, gic)


@pytest.mark.parametrize(("port", "first", "index"), [("pl_ps_irq0", 121, 0), ("pl_ps_irq1", 136, 8)])
def test_zynqmp_lines(port: str, first: int, index: int) -> None:
    nets = [(f"n{i}", 1) for i in range(8)]
    makers = [source(f"ip{i}", f"n{i}") for i in range(8)]
    d = design(zynqmp(ports=[irq(8, "all", port)]), concat("concat", nets, "all"), *makers)
    for i in range(8):
        pin = d.interrupt_pins[f"ip{i}/interrupt"]
        assert (pin.index, pin.gic) == (index + i, first + i)


@pytest.mark.parametrize(
    ("port", "gic"),
    [*((f"pl_ps_irq{n}", 116 + n) for n in range(16)), ("pl_lpd_irq3", 139), ("pl_fpd_irq7", 182)],
)
def test_versal_lines(port: str, gic: int) -> None:
    d = design(versal(ports=[irq(1, "n", port)]), source("ip", "n"))
    assert d.interrupt_pins["ip/interrupt"].gic == gic


def test_widths_and_gaps_count_as_bits() -> None:
    nets = [("a", 1), ("", 1), ("wide", 3), ("", 2), ("z", 1)]
    d = design(
        zynq(ports=[irq(1, "irq")]),
        intc("intc", "all", "irq", 8),
        concat("concat", nets, "all"),
        source("a", "a"),
        source("wide", "wide", width=3),
        source("z", "z"),
    )
    assert {name: pin.index for name, pin in d.interrupt_pins.items()} == {
        "a/interrupt": 0,
        "wide/interrupt": 2,
        "z/interrupt": 7,
    }


def test_concat_inputs_are_ordered_by_number_not_by_name() -> None:
    nets = [(f"n{i}", 1) for i in range(12)]
    makers = [source(f"ip{i}", f"n{i}") for i in range(12)]
    cell = concat("concat", nets, "all")
    cell.ports.sort(key=lambda port: port.name)
    d = design(zynq(ports=[irq(1, "irq")]), intc("intc", "all", "irq", 12), cell, *makers)
    assert [d.interrupt_pins[f"ip{i}/interrupt"].index for i in range(12)] == list(range(12))


def test_nested_concats_and_slices() -> None:
    slice_cell = M(
        "pick",
        "xilinx.com:ip:xlslice:1.0",
        [P("Din", "I", "vector", 3), P("Dout", "O", "picked")],
        parameters={"DIN_FROM": "2", "DIN_TO": "2", "DIN_WIDTH": "4"},
    )
    d = design(
        zynq(ports=[irq(4, "all")]),
        concat("outer", [("inner", 2), ("picked", 1), ("x", 1)], "all"),
        concat("inner", [("a", 1), ("b", 1)], "inner"),
        concat("source", [("p", 1), ("q", 1), ("r", 1), ("s", 1)], "vector"),
        slice_cell,
        *(source(name, name) for name in "abpqrsx"),
    )
    assert {name[0]: pin.gic for name, pin in d.interrupt_pins.items()} == {
        "a": 61,
        "b": 62,
        "r": 63,
        "x": 64,
    }


def test_cascade_inside_hierarchies() -> None:
    d = design(
        zynq("ps/ps7", ports=[irq(1, "irq")]),
        intc("irqs/first", "first_in", "irq", 2),
        concat("irqs/concat", [("a", 1), ("second_out", 1)], "first_in"),
        intc("deep/er/second", "second_in", "second_out"),
        source("a", "a"),
        source("deep/b", "second_in"),
    )
    controllers = {path: (c.parent, c.index, c.gic) for path, c in d.interrupt_controllers.items()}
    assert controllers == {"irqs/first": ("", 0, 61), "deep/er/second": ("irqs/first", 1, None)}
    pins = {path: (pin.controller, pin.index) for path, pin in d.interrupt_pins.items()}
    assert pins == {
        "a/interrupt": ("irqs/first", 0),
        "deep/er/second/irq": ("irqs/first", 1),
        "deep/b/interrupt": ("deep/er/second", 0),
    }
    assert views.interrupt_controllers(d)["deep/er/second"] == {"parent": "irqs/first", "index": 1}


def test_cascade_port() -> None:
    first = intc("first", "a", "irq")
    first.ports.append(P("irq_in", "I", "second_out", None, "INTERRUPT"))
    d = design(
        zynq(ports=[irq(1, "irq")]),
        first,
        intc("second", "b", "second_out"),
        source("a", "a"),
        source("b", "b"),
    )
    assert (d.interrupt_controllers["second"].parent, d.interrupt_controllers["second"].index) == (
        "first",
        31,
    )
    assert d.interrupt_pins["b/interrupt"].controller == "second"


def test_controller_behind_another_line_than_the_first() -> None:
    d = design(
        zynq(ports=[irq(2, "all")]),
        concat("concat", [("a", 1), ("irq", 1)], "all"),
        intc("intc", "b", "irq"),
        source("a", "a"),
        source("b", "b"),
    )
    assert (d.interrupt_controllers["intc"].index, d.interrupt_controllers["intc"].gic) == (1, 62)
    assert d.interrupt_pins["a/interrupt"].gic == 61


def test_a_pin_at_controller_and_ps_belongs_to_the_controller() -> None:
    d = design(
        zynq(ports=[irq(2, "all")]),
        concat("concat", [("a", 1), ("irq", 1)], "all"),
        intc("intc", "a", "irq"),
        source("a", "a"),
    )
    assert d.interrupt_pins["a/interrupt"].controller == "intc"


def test_two_controllers_count_for_themselves() -> None:
    d = design(
        zynq(ports=[irq(2, "all")]),
        concat("concat", [("irq0", 1), ("irq1", 1)], "all"),
        intc("one", "a", "irq0"),
        intc("two", "b", "irq1"),
        source("a", "a"),
        source("b", "b"),
    )
    assert d.interrupt_pins["a/interrupt"].index == d.interrupt_pins["b/interrupt"].index == 0
    assert d.interrupt_controllers["two"].gic == 62


def test_constants_are_no_interrupts() -> None:
    zero = M("zero", "xilinx.com:ip:xlconstant:1.1", [P("dout", "O", "zero")])
    d = design(
        zynq(ports=[irq(2, "all")]), concat("concat", [("zero", 1), ("a", 1)], "all"), zero, source("a", "a")
    )
    assert list(d.interrupt_pins) == ["a/interrupt"]
    assert d.interrupt_pins["a/interrupt"].index == 1


def test_an_interrupt_from_outside_the_design() -> None:
    d = design(zynq(ports=[irq(1, "ext")]), ports=(P("button", "I", "ext", None, "INTERRUPT"),))
    pin = d.interrupt_pins["button"]
    assert (pin.cell, pin.port, pin.gic) == ("", "button", 61)


def test_a_loop_of_concats_ends() -> None:
    d = design(
        zynq(ports=[irq(2, "x")]),
        concat("one", [("y", 1), ("a", 1)], "x"),
        concat("two", [("x", 1)], "y"),
        source("a", "a"),
    )
    assert d.interrupt_pins["a/interrupt"].gic == 62


def test_microblaze_is_the_root_without_a_ps() -> None:
    core = M(
        "mb",
        "xilinx.com:ip:microblaze:11.0",
        [P("Interrupt", "I", "irq", None, "INTERRUPT")],
        attributes={"IPTYPE": "PROCESSOR", "MODCLASS": "PROCESSOR", "PROCTYPE": "microblaze"},
    )
    d = design(core, intc("intc", "a", "irq"), source("a", "a"))
    assert (d.interrupt_controllers["intc"].parent, d.interrupt_controllers["intc"].gic) == ("", None)
    assert d.interrupt_pins["a/interrupt"].controller == "intc"


def test_interrupts_reach_the_entries_of_their_ip() -> None:
    from hwh_files import R

    d = design(
        zynq("soc/ps7", ports=[irq(1, "a")], ranges=[R("acc/ip", 0x40000000, 0x1000)]),
        source("acc/ip", "a"),
    )
    entry = views.ip_dict(d)["acc/ip"]
    assert entry["interrupts"] == {
        "interrupt": {"controller": "", "index": 0, "fullpath": "acc/ip/interrupt", "raw_irq": 61}
    }
    assert views.hierarchy_dict(d)["acc"]["ip"]["ip"] == entry


def test_a_port_that_names_its_net_only() -> None:
    """Without CONNECTIONS the name of the net tells the driver."""
    data = document([zynq(ports=[irq(1, "irq")]), intc("intc", "a", "irq"), source("a", "a")])
    begin = data.index(b'<CONNECTION INSTANCE="a" PORT="interrupt"/>')
    data = data[:begin] + data[begin:].replace(b'<CONNECTION INSTANCE="a" PORT="interrupt"/>', b"", 1)
    assert read_bytes(data).interrupt_pins["a/interrupt"].controller == "intc"


def test_logic_on_the_way_is_where_a_pin_begins() -> None:
    """An OR gate, a decoupler: beyond it nobody can tell which source it was (docs/errata.md)."""
    gate = [P("Op1", "I", "one"), P("Op2", "I", "two"), P("Res", "O", "or", 0)]
    d = design(
        zynq(ports=[irq(2, "all")]),
        concat("concat", [("direct", 1), ("or", 1)], "all"),
        M("gate", "xilinx.com:ip:util_vector_logic:2.0", gate),
        source("a", "one"),
        source("b", "two"),
        source("c", "direct"),
    )
    assert {path: (pin.index, pin.gic) for path, pin in d.interrupt_pins.items()} == {
        "c/interrupt": (0, 61),
        "gate/Res": (1, 62),
    }
