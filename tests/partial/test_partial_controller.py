"""The registers of a DFX Controller on the simulated board: what its sockets say, and what a trigger does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from partial.regionkit import write
from tools.blockdesign import BlockDesign, Cell, axi, vector
from tools.systems import PS7, PYNQ_Z2, STAMP
from tools.vendor_ip import Clocking, interconnect, proc_sys_reset, processing_system7

import pynq
from pynq.backends.sim import SimDevice
from pynq.errors import BusError, UnmodelledIPWarning

RESET = "rst/peripheral_aresetn"
SOCKETS = (
    "math {ID 0 NAME math RM {add {ID 0 NAME add BS {0 {ID 0 ADDR 2097152 SIZE 8 CLEAR 0}}} mul {ID 1}} "
    "HAS_POR_RM 1 POR_RM mul RMS_ALLOCATED 4 NUM_TRIGGERS_ALLOCATED 4} "
    "shift {ID 1 NAME shift RM {left {ID 0 NAME left}} START_IN_SHUTDOWN 1 SHUTDOWN_ON_ERROR 0 "
    "RMS_ALLOCATED 4 NUM_TRIGGERS_ALLOCATED 4}"
)
SHIFT = 0x100  # where the second socket is: tables of four rows


def design(sockets: str, family: str) -> str:
    made = BlockDesign("sockets", PYNQ_Z2, **STAMP)
    clock = Clocking(made, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(made, PS7, clock, hp=False, interrupts=0)
    proc_sys_reset(made, "rst", clock, f"{PS7}/FCLK_RESET0_N")
    pins, bus = axi(
        "s_axi_reg", "SLAVE", prefix="s_axi_reg_", protocol="AXI4LITE", data=32, addr=32,
        frequency=clock.frequency, domain=clock.domain,
    )  # fmt: skip
    parameters = {"ALL_PARAMS": f"HAS_AXI_LITE_IF 1 VS {{{sockets}}} CP_FAMILY {family} DIRTY 0"}
    kinds = {"IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"}
    pins = [
        vector("clk", "I", None, kind="clk"),
        vector("reset", "I", None, kind="rst", polarity="ACTIVE_LOW"),
        *pins,
    ]
    cell = made.add(Cell("dfxc", "xilinx.com:ip:dfx_controller:1.0", kinds, pins, [bus], parameters))
    made.wire(clock.source, "dfxc/clk")
    made.wire(RESET, "dfxc/reset")
    interconnect(made, "periph", clock, RESET, masters=[(ps, "M_AXI_GP0")], slaves=[(cell, "s_axi_reg")])
    made.map(ps, "M_AXI_GP0", cell, "s_axi_reg", 0x4000_0000, 0x1_0000)
    return "\ufeff" + made.to_xml()


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Any]:
    bit = write(tmp_path, "sockets", design(SOCKETS, "7series"))
    with SimDevice("sim:sockets", deterministic=True) as device:
        yield pynq.Overlay(bit, device=device).dfxc


def test_sockets_say_what_they_hold(controller: Any) -> None:
    assert controller.read(0) == 7 | 1 << 8, "full: the module that the full bitstream brings"
    assert controller.read(SHIFT) == 0x80, "empty, in shutdown"
    controller.write(SHIFT, 1)
    assert controller.read(SHIFT) == 0
    controller.write(0, 0)
    assert controller.read(0) == 0x80 | 1 << 8
    controller.write(0, 2 | 1 << 8 | 0 << 16)
    assert controller.read(0) == 7 | 0 << 8
    controller.write(0, 0)
    controller.write(0, 2)
    assert controller.read(0) == 0
    assert controller.read(SHIFT) == 0


def test_tables_are_kept(controller: Any) -> None:
    for offset in (0x40, 0x4C, 0x80, 0x9C, 0xC4, 0xF8, SHIFT + 0x40, SHIFT + 0xC8):
        controller.write(offset, offset)
    assert controller.read(0xF8) == 0xF8
    assert controller.read(SHIFT + 0x40) == SHIFT + 0x40
    assert controller.read(0) == 7 | 1 << 8


def test_a_trigger_is_answered(controller: Any) -> None:
    with pytest.warns(UnmodelledIPWarning, match=r"dfxc: trigger 1 of virtual socket math loads nothing"):
        controller.write(4, 1)
    assert controller.read(4) == 1, "not pending any more"
    assert controller.read(0) & 0xF8 == 0x80 | 4 << 3, "a fetch error shut it down"
    controller.write(4, 0)
    assert controller.read(4) == 1 << 31, "pending until it starts again"
    with pytest.warns(UnmodelledIPWarning, match=r"trigger 0 of virtual socket math"):
        controller.write(0, 1)
    controller.write(SHIFT, 1)
    with pytest.warns(UnmodelledIPWarning, match=r"trigger 2 of virtual socket shift .*pr_download"):
        controller.write(SHIFT + 4, 2)
    assert controller.read(SHIFT) == 4 << 3, "goes on: SHUTDOWN_ON_ERROR is 0"


@pytest.mark.parametrize(
    ("sockets", "family"),
    [
        ("", "7series"),
        ("}}{ {", "7series"),
        (SOCKETS, "ultrascale"),
        ("a " * 300, "7series"),
        ("a {ID 0} a {ID 1}", "7series"),
        ("a {ID -5}", "7series"),
    ],
)
def test_what_tells_no_places_is_refused(tmp_path: Path, sockets: str, family: str) -> None:
    bit = write(tmp_path, "odd", design(sockets, family))
    with SimDevice("sim:odd", deterministic=True) as device:
        overlay = pynq.Overlay(bit, device=device)
        with pytest.raises(BusError, match="ALL_PARAMS of dfxc does not tell where its registers are"):
            overlay.dfxc.read(0)


def test_sockets_beyond_the_addresses_are_out_of_reach(tmp_path: Path) -> None:
    text = design("a {ID 0 NUM_RMS_ALLOCATED 128} b {ID 1 START_IN_SHUTDOWN 1}", "7series")
    bit = write(tmp_path, "small", text.replace("0x4000FFFF", "0x40000FFF"))
    with SimDevice("sim:small", deterministic=True) as device:
        assert pynq.Overlay(bit, device=device).dfxc.read(0) == 0
