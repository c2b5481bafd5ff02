"""Clocks, resets, memories, EMIO and AXI GPIO."""

from __future__ import annotations

import pytest
from hwh_files import I, M, P, R, document, versal, zynq, zynqmp

from pynq.design import Design, read_bytes, views


def design(*modules: M, **more: object) -> Design:
    return read_bytes(document(modules, **more), "small.hwh")  # type: ignore[arg-type]


def zynq_clock(**changes: str) -> dict[str, str]:
    return {
        "PCW_FPGA_FCLK0_ENABLE": "1",
        "PCW_FCLK0_PERIPHERAL_DIVISOR0": "5",
        "PCW_FCLK0_PERIPHERAL_DIVISOR1": "2",
        "PCW_FCLK0_PERIPHERAL_CLKSRC": "IO PLL",
        "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ": "142.857132",
        "PCW_FPGA0_PERIPHERAL_FREQMHZ": "140",
        **changes,
    }


def test_zynq_clock() -> None:
    d = design(zynq(parameters=zynq_clock(), ports=[P("FCLK_CLK0", "O", "clk", None, "clk")]))
    (clock,) = d.clocks
    assert (clock.name, clock.cell, clock.index, clock.enabled) == ("FCLK_CLK0", "ps7", 0, True)
    assert (clock.frequency, clock.divisors, clock.source_pll, clock.net) == (
        142_857_132,
        (5, 2),
        "IO PLL",
        "clk",
    )
    assert views.clock_dict(d) == {
        0: {"enable": 1, "frequency": 142.857132, "divisor0": 5, "divisor1": 2, "src_sel": "IO PLL"}
    }


def test_zynq_clock_that_is_off_has_no_frequency() -> None:
    off = zynq_clock(PCW_FPGA_FCLK0_ENABLE="0", PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ="10.000000")
    (clock,) = design(zynq(parameters=off)).clocks
    assert (clock.enabled, clock.frequency) == (False, None)


def test_frequency_of_the_net_and_request_stand_in() -> None:
    asked = {"PSU__FPGA_PL0_ENABLE": "1", "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": "100"}
    port = P("pl_clk0", "O", "clk", None, "clk", {"CLKFREQUENCY": "99999001"})
    assert design(zynqmp(parameters=asked, ports=[port])).clocks[0].frequency == 99_999_001
    assert design(zynqmp(parameters=asked)).clocks[0].frequency == 100_000_000


@pytest.mark.parametrize(
    ("text", "hertz"),
    [
        ("100000000", 100_000_000),
        ("1e+08", 100_000_000),
        ("1.25e+08", 125_000_000),
        ("5E7", 50_000_000),
        ("1500000000.0", 1_500_000_000),
        ("fast", None),
        ("1e+999", None),
        ("", None),
    ],
)
def test_frequencies_are_written_in_several_ways(text: str, hertz: int | None) -> None:
    port = P("clk", "I", "clk", None, "clk", {"CLKFREQUENCY": text})
    assert [clock.frequency for clock in design(ports=[port]).clocks] == [hertz]


def test_versal_clock_in_the_packed_configuration() -> None:
    packed = (
        "AURORA_LINE_RATE_GPBS 12.5 DDR_MEMORY_MODE {Connectivity to DDR via NOC}"
        " PMC_MIO0 {{AUX_IO 0} {USAGE {a b}}}"
        " PMC_CRP_PL0_REF_CTRL_ACT_FREQMHZ 240.000000 PMC_CRP_PL0_REF_CTRL_DIVISOR0 5"
        " PMC_CRP_PL0_REF_CTRL_SRCSEL PPLL PS_USE_PMCPL_CLK0 1 PS_USE_PMCPL_CLK1 0"
    )
    d = design(versal(parameters={"PS_PMC_CONFIG_INTERNAL": packed, "CLOCK_MODE": "Custom"}))
    first, second = d.clocks
    assert (first.name, first.frequency, first.divisors, first.source_pll) == (
        "pl0_ref_clk",
        240_000_000,
        (5,),
        "PPLL",
    )
    assert (second.index, second.enabled) == (1, False)
    parameters = views.ip_dict(d)["cips"]["parameters"]
    assert parameters["DDR_MEMORY_MODE"] == "Connectivity to DDR via NOC"
    assert parameters["PMC_MIO0"] == "{AUX_IO 0} {USAGE {a b}}"
    assert "PS_USE_PMCPL_CLK0" not in d.cells["cips"].parameters


def test_versal_clock_where_only_changed_settings_are_there() -> None:
    (clock,) = design(
        versal(parameters={"PS_PMC_CONFIG": "PS_USE_PMCPL_CLK0 1 PMC_CRP_PL0_REF_CTRL_FREQMHZ 50"})
    ).clocks
    assert (clock.enabled, clock.frequency) == (True, 50_000_000)


@pytest.mark.parametrize("packed", ["", "   ", "A", "A {", "A {b", "} {", "A {b} C"])
def test_broken_packed_configuration(packed: str) -> None:
    assert design(versal(parameters={"PS_PMC_CONFIG_INTERNAL": packed})).ps == "cips"


def test_clocks_made_in_the_fabric_and_from_outside() -> None:
    wizard = M(
        "clk/wiz",
        "xilinx.com:ip:clk_wiz:6.0",
        [
            P("clk_in1", "I", "in", None, "clk"),
            P("clk_out1", "O", "x", None, "clk", {"CLKFREQUENCY": "409600000"}),
            P("clk_out2", "O", "y", None, "clk"),
        ],
        parameters={"CLKOUT2_REQUESTED_OUT_FREQ": "12.5"},
    )
    board = P("sysclk", "I", "in", None, "clk", {"CLKFREQUENCY": "125000000"})
    d = design(wizard, ports=[board])
    assert [(c.name, c.cell, c.frequency, c.index) for c in d.clocks] == [
        ("clk/wiz/clk_out1", "clk/wiz", 409_600_000, None),
        ("clk/wiz/clk_out2", "clk/wiz", 12_500_000, None),
        ("sysclk", "", 125_000_000, None),
    ]


def test_resets() -> None:
    d = design(
        zynq(ports=[P("FCLK_RESET0_N", "O", "rst", None, "rst")]),
        M(
            "rst",
            "xilinx.com:ip:proc_sys_reset:5.0",
            [
                P("mb_reset", "O", "a", None, "rst"),
                P("peripheral_aresetn", "O", "b", 0, "rst"),
                P("odd", "O", "c", None, "rst", {"POLARITY": "ACTIVE_LOW"}),
                P("ext_reset_in", "I", "rst", None, "rst"),
            ],
        ),
        ports=[P("reset_rtl", "I", "d", None, "rst", {"POLARITY": "ACTIVE_HIGH"})],
    )
    assert [(reset.name, reset.active_low) for reset in d.resets] == [
        ("ps7/FCLK_RESET0_N", True),
        ("rst/mb_reset", False),
        ("rst/peripheral_aresetn", True),
        ("rst/odd", True),
        ("reset_rtl", False),
    ]


def test_memories() -> None:
    bram = I("BRAM_PORTA", "MASTER", "bram", "xilinx.com:interface:bram:1.0")
    ddr = I("C0_DDR4", "INITIATOR", "ddr", "xilinx.com:interface:ddr4_rtl:1.0")
    d = design(
        zynqmp(
            parameters={"PSU_DDR_RAM_HIGHADDR": "0xFFFFFFFF"},
            ranges=[
                R("bram", 0xA000_0000, 0x2000, kind="MEMORY", master="M_AXI_HPM0_FPD"),
                R("ddr", 0x4_0000_0000, 0x1000_0000, block="C0", kind="MEMORY", master="M_AXI_HPM0_FPD"),
                R("ddr", 0x5_0000_0000, 0x2000_0000, block="C1", kind="MEMORY", master="M_AXI_HPM0_FPD"),
                R("ddr", 0x5_0000_0000, 0x2000_0000, block="C1", kind="MEMORY", master="M_AXI_HPM1_FPD"),
            ],
        ),
        M("bram", "xilinx.com:ip:axi_bram_ctrl:4.1", interfaces=[bram]),
        M("ddr", "xilinx.com:ip:ddr4:2.2", interfaces=[ddr]),
    )
    assert [(m.name, m.base, m.size, m.kind) for m in d.memories] == [
        ("PSDDR", 0, 0x8000_0000, "DDR4"),
        ("PSDDR_HIGH", 0x8_0000_0000, 0x8000_0000, "DDR4"),
        ("bram", 0xA000_0000, 0x2000, "BRAM"),
        ("ddr/C0", 0x4_0000_0000, 0x1000_0000, "DDR4"),
        ("ddr/C1", 0x5_0000_0000, 0x2000_0000, "DDR4"),
    ]
    assert list(views.mem_dict(d)) == ["bram", "ddr/C0", "ddr/C1"]
    assert views.mem_dict(d)["bram"]["used"] == 1


def test_zynq_ddr_begins_at_zero() -> None:
    (memory,) = design(zynq()).memories
    assert (memory.name, memory.base, memory.size) == ("PSDDR", 0, 0x2000_0000)
    assert design(zynq(parameters={"PCW_UIPARAM_DDR_ENABLE": "0"})).memories == ()


def slice_cell(path: str, high: int, low: int, net: str) -> M:
    ports = [P("Din", "I", "gpio", 7), P("Dout", "O", net, high - low)]
    return M(path, "xilinx.com:ip:xlslice:1.0", ports, parameters={"DIN_FROM": str(high), "DIN_TO": str(low)})


def test_emio_outputs() -> None:
    d = design(
        zynq(ports=[P("GPIO_O", "O", "gpio", 7)]),
        slice_cell("h/reset", 3, 3, "one"),
        slice_cell("wide", 6, 4, "three"),
        M("ip", "me:user:ip:1.0", [P("aux_reset_in", "I", "one"), P("x", "I", "three", 2)]),
        ports=[P("leds", "O", "gpio", 7)],
    )
    assert {pin.name: (pin.index, pin.width, pin.pins) for pin in d.emio} == {
        "leds": (0, 8, ("leds",)),
        "h/reset": (3, 1, ("h/reset/Dout", "ip/aux_reset_in")),
        "wide": (4, 3, ("wide/Dout", "ip/x")),
    }
    assert all(pin.direction == "O" for pin in d.emio)
    assert views.gpio_dict(d) == {
        "leds": {"index": 0, "pins": {"leds"}, "state": None},
        "h_reset": {"index": 3, "pins": {"h/reset/Dout", "ip/aux_reset_in"}, "state": None},
        "wide": {"index": 6, "pins": {"wide/Dout", "ip/x"}, "state": None},
    }


def test_emio_output_without_a_slice() -> None:
    """docs/errata.md, N-9."""
    d = design(
        zynq(ports=[P("GPIO_O", "O", "gpio", 7)]), M("h/ip", "me:user:ip:1.0", [P("enable", "I", "gpio")])
    )
    assert views.gpio_dict(d) == {"h_ip": {"index": 0, "pins": {"h/ip/enable"}, "state": None}}


def test_emio_inputs() -> None:
    concat = M(
        "concat",
        "xilinx.com:ip:xlconcat:2.1",
        [P("In0", "I", "buttons", 3), P("In1", "I", "done"), P("dout", "O", "all", 4)],
    )
    d = design(
        zynqmp(ports=[P("emio_gpio_i", "I", "all", 4)]),
        concat,
        M("ip", "me:user:ip:1.0", [P("done", "O", "done")]),
        ports=[P("buttons", "I", "buttons", 3)],
    )
    assert [(pin.name, pin.index, pin.width, pin.direction) for pin in d.emio] == [
        ("buttons", 0, 4, "I"),
        ("ip", 4, 1, "I"),
    ]
    assert views.gpio_dict(d) == {}


def test_axi_gpio_channels() -> None:
    gpio = M(
        "gpio",
        ports=[P("gpio_io_i", "I", "buttons", 3), P("gpio2_io_o", "O", "leds", 7)],
        parameters={
            "C_GPIO_WIDTH": "4",
            "C_ALL_INPUTS": "1",
            "C_IS_DUAL": "1",
            "C_GPIO2_WIDTH": "8",
            "C_ALL_OUTPUTS_2": "1",
            "C_DOUT_DEFAULT_2": "0x000000A5",
            "C_INTERRUPT_PRESENT": "1",
        },
    )
    d = design(gpio, ports=[P("btn", "I", "buttons", 3), P("led", "O", "leds", 7)])
    first, second = d.gpio_channels
    assert (first.number, first.width, first.inputs_only, first.inputs, first.outputs) == (
        1,
        4,
        True,
        ("btn",),
        (),
    )
    assert (second.number, second.width, second.outputs_only, second.outputs) == (2, 8, True, ("led",))
    assert (second.default_output, second.default_tristate, second.interrupt) == (0xA5, 0xFFFFFFFF, True)
