"""Buses that lead straight through what a region holds: streams and memory-mapped ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from partial import regionkit
from partial.regionkit import shell, write
from tools.blockdesign import BlockDesign, Bus, Cell, Pin, axi, vector
from tools.systems import PS7, PYNQ_Z2, STAMP
from tools.vendor_ip import Clocking, axi_timer, interconnect, proc_sys_reset, processing_system7

import pynq
from pynq.backends.sim import SimDevice
from pynq.design import read
from pynq.design.partial import merge
from pynq.errors import BusError, DesignError, OverlayNotLoadedError
from pynq.report.graph import graph_of

RESET = "rst/peripheral_aresetn"
TIMER = 0x4001_0000


def through(overlay: Any, values: list[int]) -> list[int]:
    out = pynq.allocate((len(values),), "u4", target=overlay.device)
    back = pynq.allocate((len(values),), "u4", target=overlay.device)
    out[:] = values
    overlay.axi_dma_0.recvchannel.transfer(back)
    overlay.axi_dma_0.sendchannel.transfer(out)
    overlay.axi_dma_0.recvchannel.wait()
    return [int(value) for value in np.asarray(back)]


def wires(name: str, pairs: list[tuple[Bus, list[Pin], Bus, list[Pin]]]) -> str:
    """A partial design without any IP: buses of the boundary joined in pairs."""
    design = BlockDesign(name, PYNQ_Z2, **STAMP)
    for first, first_pins, second, second_pins in pairs:
        for bus, pins, other in ((first, first_pins, second), (second, second_pins, first)):
            bus.net = f"{first.name}_1"
            bus.vlnv = ""
            roles = {pin: logical for logical, pin in bus.ports.items()}
            for pin in pins:
                pin.signal = f"{first.name}_1_{roles[pin.name]}"
                pin.peers = [("External_Ports", other.ports[roles[pin.name]])]
            design.external_buses.append(bus)
            design.external_pins += pins
    return "\ufeff" + design.to_xml()


def stream_wires(name: str) -> str:
    """The boundary of region ``pr_0`` of the kit: its streams joined."""
    clock = Clocking(BlockDesign(name, PYNQ_Z2, **STAMP), "External_Ports/aclk", 100_000_000)
    pins, buses = regionkit._boundary(clock, True)
    named = {bus.name: (bus, [pin for pin in pins if pin.name in bus.ports.values()]) for bus in buses}
    return wires(name, [(*named["s_axis"], *named["m_axis"])])


class TestStreams:
    @pytest.fixture
    def files(self, folder: Path) -> Path:
        write(folder, "wire", stream_wires("wire"), bytes(400))
        return folder

    def test_what_goes_in_comes_out(self, overlay: Any, files: Path) -> None:
        overlay.pr_download("pr_0", "wire.bit")
        assert through(overlay, [1, 2, 3]) == [1, 2, 3]
        assert through(overlay, list(range(5000))) == list(range(5000))
        overlay.pr_download("pr_0", "adder.bit")
        assert through(overlay, [1, 2, 3]) == [2, 3, 4]
        overlay.pr_download("pr_0", "wire.bit")
        assert through(overlay, [1, 2, 3]) == [1, 2, 3]
        assert "pr_0" not in overlay.ip_dict
        assert not [path for path in overlay.ip_dict if path.startswith("pr_0/")]

    def test_the_diagram_joins_what_is_on_both_sides(self, folder: Path) -> None:
        write(folder, "wire", stream_wires("wire"))
        write(folder, "outer", shell("outer", "inner"))
        design, wire = read(folder / "full.hwh"), read(folder / "wire.hwh")
        nested = merge(merge(design, "pr_0", read(folder / "outer.hwh")), "pr_0/inner", wire)
        ways = [(["axi_dma_0", "M_AXIS_MM2S"], ["axi_dma_0", "S_AXIS_S2MM"], "stream")]
        for filled in (merge(design, "pr_0", wire), nested):
            edges = graph_of(filled)["edges"]
            streams = [edge for edge in edges if "axi_dma_0" in (edge["from"][0], edge["to"][0])]
            assert [
                (edge["from"], edge["to"], edge["kind"]) for edge in streams if edge["kind"] == "stream"
            ] == ways
        hollow = [edge["to"] for edge in graph_of(design)["edges"] if edge["from"] == ways[0][0]]
        assert hollow == [["pr_0", "s_axis"]]

    def test_two_ways_in_are_no_bus(self, folder: Path) -> None:
        text = stream_wires("bad").replace('TYPE="INITIATOR"', 'TYPE="TARGET"')
        other = regionkit.static().replace('NAME="m_axis" TYPE="INITIATOR"', 'NAME="m_axis" TYPE="TARGET"')
        write(folder, "bad", text)
        write(folder, "odd", other)
        with pytest.raises(
            DesignError, match=r"bad.hwh:\d+: interface 'm_axis' is 's_axis' again, and neither"
        ):
            merge(read(folder / "odd.hwh"), "pr_0", read(folder / "bad.hwh"))


def _sides(clock: Clocking) -> tuple[list[Pin], list[Bus]]:
    pins = [
        vector("aclk", "I", None, kind="clk"),
        vector("aresetn", "I", None, kind="rst", polarity="ACTIVE_LOW"),
    ]
    buses = []
    for name, role in (("s_axi", "SLAVE"), ("m_axi", "MASTER")):
        more, bus = axi(
            name, role, prefix=f"{name}_", protocol="AXI4LITE", data=32, addr=32,
            frequency=clock.frequency, domain=clock.domain,
        )  # fmt: skip
        pins += more
        buses.append(bus)
    return pins, buses


def static_bridge() -> str:
    """A region between the PS and a timer."""
    design = BlockDesign("bridge", PYNQ_Z2, **STAMP)
    clock = Clocking(design, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS7, clock, hp=False, interrupts=1)
    proc_sys_reset(design, "rst", clock, f"{PS7}/FCLK_RESET0_N")
    pins, buses = _sides(clock)
    region = design.add(Cell("pr_0", "", {"BDTYPE": "BLOCK_CONTAINER", "BD": "pr_0_inst_0"}, pins, buses, {}))
    timer = axi_timer(design, "timer", clock, RESET)
    design.wire("timer/interrupt", f"{PS7}/IRQ_F2P")
    interconnect(design, "periph", clock, RESET, masters=[(ps, "M_AXI_GP0")], slaves=[(region, "s_axi")])
    interconnect(design, "inner", clock, RESET, masters=[(region, "m_axi")], slaves=[(timer, "S_AXI")])
    design.wire(clock.source, "pr_0/aclk")
    design.wire(RESET, "pr_0/aresetn")
    design.map(ps, "M_AXI_GP0", region, "s_axi", 0x4000_0000, 0x2_0000)
    design.map(region, "m_axi", timer, "S_AXI", TIMER, 0x1_0000)
    return "\ufeff" + design.to_xml()


class TestMemoryMapped:
    @pytest.fixture
    def bridge(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        monkeypatch.chdir(tmp_path)
        clock = Clocking(BlockDesign("x", PYNQ_Z2, **STAMP), "External_Ports/aclk", 100_000_000)
        pins, buses = _sides(clock)
        sides = [(bus, [pin for pin in pins if pin.name in bus.ports.values()]) for bus in buses]
        write(tmp_path, "bridge", static_bridge())
        write(tmp_path, "wire", wires("wire", [(*sides[0], *sides[1])]), bytes(400))
        write(tmp_path, "nothing", "\ufeff" + BlockDesign("nothing", PYNQ_Z2, **STAMP).to_xml(), bytes(400))
        with SimDevice("sim:bridge", deterministic=True) as device:
            yield pynq.Overlay("bridge.bit", device=device)

    def test_the_diagram_joins_both_interconnects(self, bridge: Any) -> None:
        def leads(design: Any) -> bool:
            ends = [(edge["from"][0], edge["to"][0], edge["kind"]) for edge in graph_of(design)["edges"]]
            return ("periph", "inner", "axi") in ends

        assert not leads(bridge.design)
        bridge.pr_download("pr_0", "wire.bit")
        assert leads(bridge.design)
        bridge.pr_download("pr_0", "nothing.bit")
        assert not leads(bridge.design)

    def test_what_is_behind_the_region_is_reached_while_the_bus_leads_there(self, bridge: Any) -> None:
        assert "timer" not in bridge.ip_dict or "phys_addr" not in bridge.ip_dict["timer"]
        bridge.pr_download("pr_0", "wire.bit")
        assert bridge.ip_dict["timer"]["phys_addr"] == TIMER
        (span,) = [span for span in bridge.design.ps_ranges if span.slave == "timer"]
        assert (span.through, span.size) == (("pr_0",), 0x1_0000)
        window = pynq.MMIO(TIMER, 0x1000, device=bridge.device)
        window.write(0x04, 77)
        assert window.read(0x04) == 77
        timer = bridge.timer
        assert timer.read(0x04) == 77
        bridge.pr_download("pr_0", "nothing.bit")
        with pytest.raises(BusError, match="nothing answers at 0x40010004"):
            window.read(0x04)
        with pytest.raises((BusError, OverlayNotLoadedError)):
            timer.read(0x04)
        bridge.pr_download("pr_0", "wire.bit")
        assert window.read(0x04) == 77, "the timer is static: it was only out of reach"
