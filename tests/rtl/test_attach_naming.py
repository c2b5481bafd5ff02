"""Which clock and reset a bus goes with, and buses of files that say little."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import pynq
from pynq.backends.sim.device import SimDevice
from pynq.backends.sim.rtl.buses import by_prefix, protocol_of
from pynq.backends.sim.rtl.naming import CLOCK, RESET, Associations, associated, clock_for
from pynq.design.model import BusInterface, Endpoint, Port, SourceRef, Vlnv

from .test_attach_streams import PLUS, TABLE, stream_board, through


def bus(name: str, vlnv: str = "aximm", **parameters: str) -> BusInterface:
    kind = Vlnv("xilinx.com", "interface", vlnv, "1.0")
    return BusInterface(name, "SLAVE", "n", kind, "", None, parameters, {}, SourceRef("f", 1))


def port(name: str, frequency: int | None = None) -> Port:
    return Port(name, "I", None, None, "clk", "", "", "", frequency, (), 0)


def chosen(
    interface: BusInterface,
    clocks: dict[str, int | None],
    drivers: dict[str, Endpoint] | None = None,
    said: Associations | None = None,
    faces: dict[str, BusInterface] | None = None,
) -> str:
    cell: Any = SimpleNamespace(
        path="c", ports={name: port(name, hertz) for name, hertz in clocks.items()}, interfaces=faces or {}
    )
    wiring = SimpleNamespace(driver=lambda end: (drivers or {}).get(end.port))
    plant: Any = SimpleNamespace(nets=SimpleNamespace(wiring=wiring))
    return clock_for(plant, cell, interface, {name: name for name in clocks}, said or Associations())


TWO: dict[str, int | None] = {"clk_a": None, "clk_b": None}


def test_the_only_clock() -> None:
    assert chosen(bus("S_AXI"), {"x": None}) == "x"


def test_what_the_component_says_comes_first() -> None:
    said = Associations({"clk_b": ("s_axi", "m_axis")})
    assert chosen(bus("S_AXI"), TWO, said=said) == "clk_b"
    face = BusInterface(
        "CLK", "SLAVE", "", None, "", None, MappingProxyType({"ASSOCIATED_BUSIF": "S_AXI"}), {"CLK": "clk_b"},
        SourceRef("f", 1),
    )  # fmt: skip
    assert chosen(bus("S_AXI"), TWO, faces={"CLK": face}) == "clk_b"


def test_clocks_that_have_the_name_of_the_bus() -> None:
    clocks: dict[str, int | None] = {"s_axi_lite_aclk": None, "s_axi_aclk": None, "m_axi_mm2s_aclk": None}
    assert chosen(bus("S_AXI"), clocks) == "s_axi_aclk"
    assert chosen(bus("S_AXI_LITE"), clocks) == "s_axi_lite_aclk"
    assert chosen(bus("M_AXI_MM2S"), clocks) == "m_axi_mm2s_aclk"
    assert chosen(bus("M_AXIS_MM2S"), clocks) == "m_axi_mm2s_aclk"  # the longest beginning in common


def test_clock_domain_and_frequency() -> None:
    drivers = {"clk_a": Endpoint("ps", "FCLK_CLK0"), "clk_b": Endpoint("wiz/clk_wiz_0", "clk_out1")}
    assert chosen(bus("S", CLK_DOMAIN="top_clk_wiz_0_0_clk_out1"), TWO, drivers) == "clk_b"
    assert chosen(bus("S", CLK_DOMAIN="top_ps_0_FCLK_CLK0"), TWO, drivers) == "clk_a"
    clocks: dict[str, int | None] = {"clk_a": 100_000_000, "clk_b": 50_000_000}
    assert chosen(bus("S", FREQ_HZ="50000000"), clocks) == "clk_b"
    assert chosen(bus("S", FREQ_HZ="1"), clocks) == "clk_a"


@pytest.mark.parametrize(
    ("name", "clock", "resets", "found"),
    [
        ("s", "clk", [], ""),
        ("s", "clk", ["nreset"], "nreset"),
        ("s_axi", "s_axi_aclk", ["m_axis_aresetn", "s_axi_aresetn"], "s_axi_aresetn"),
        ("S", "clk_b", ["rst_a", "rst_b"], "rst_b"),
        ("S", "a_clk", ["b_rstn", "a_rstn"], "a_rstn"),
        ("s_axi", "aclk", ["bresetn", "aresetn"], "aresetn"),
        ("m_axi", "bclk", ["aresetn", "bresetn"], "bresetn"),
    ],
)
def test_resets(name: str, clock: str, resets: list[str], found: str) -> None:
    assert associated(name, clock, {reset: reset for reset in resets}, Associations()) == found


def test_resets_that_the_component_names() -> None:
    said = Associations(resets={"clk_b": ("rst_a",)})
    assert associated("S", "clk_b", {"rst_a": "rst_a", "rst_b": "rst_b"}, said) == "rst_a"


@pytest.mark.parametrize("name", ["clk", "aclk", "ap_clk", "s_axi_aclk", "sys_clk", "clk_100", "Clock"])
def test_names_of_clocks(name: str) -> None:
    assert CLOCK.search(name)
    assert not RESET.search(name)


@pytest.mark.parametrize("name", ["rst", "aresetn", "ap_rst_n", "s_axi_aresetn", "rst_n", "RESETN"])
def test_names_of_resets(name: str) -> None:
    assert RESET.search(name)
    assert not CLOCK.search(name)


@pytest.mark.parametrize("name", ["first", "burst", "wrist_n", "click", "blck", "clkdiv_value", "presets"])
def test_names_of_neither(name: str) -> None:
    assert not CLOCK.search(name)
    assert not RESET.search(name)


def test_ports_by_prefix() -> None:
    names = ["s_axis_tdata", "S_AXIS_TVALID", "s_axis_tuserx", "s_axis2_tdata", "s_axis_", "tdata"]
    assert by_prefix("S_AXIS", names) == {"TDATA": "s_axis_tdata", "TVALID": "S_AXIS_TVALID"}


@pytest.mark.parametrize(
    ("pins", "protocol"),
    [
        ({"TVALID"}, "AXIS"),
        ({"AWVALID", "AWADDR"}, "AXI4LITE"),
        ({"ARVALID", "ARLEN"}, "AXI4"),
        ({"AWVALID", "AWLEN", "WID"}, "AXI3"),
        ({"CLK"}, ""),
    ],
)
def test_protocols_by_signals(pins: set[str], protocol: str) -> None:
    assert protocol_of(bus("b"), dict.fromkeys(pins, "")) == protocol


def test_a_file_without_maps_of_ports_and_kinds_of_pins(tmp_path: Path) -> None:
    """As files of older tools: buses and clocks are found by the names of ports."""
    text = stream_board(["5"]).xml()
    start = text.index('FULLNAME="/plus_0"')
    end = text.index("</MODULE>", start)
    part = re.sub(r"<PORTMAPS>.*?</PORTMAPS>", "", text[start:end], flags=re.DOTALL)
    part = re.sub(r' SIGIS="(clk|rst)"| POLARITY="\w+"', "", part)
    assert part != text[start:end]
    (tmp_path / "old.hwh").write_text(text[:start] + part + text[end:])
    (tmp_path / "old.sim.toml").write_text(TABLE)
    (tmp_path / "plus.v").write_text(PLUS)
    overlay = pynq.Overlay(str(tmp_path / "old.hwh"), device=SimDevice(deterministic=True))
    data = np.arange(40, dtype=np.uint32)
    assert (through(overlay, data) == data + 5).all()
