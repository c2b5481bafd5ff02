"""What stands between regions and the rest: decouplers with registers, shutdown managers, TDEST, combiner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from partial.regionkit import write
from tools.blockdesign import BlockDesign, Cell, axi, axis, vector
from tools.systems import DDR7, PS7, PYNQ_Z2, STAMP
from tools.vendor_ip import (
    Clocking,
    axi_dma,
    axi_timer,
    dfx_decoupler,
    interconnect,
    proc_sys_reset,
    processing_system7,
)

import pynq
from pynq.backends.sim import SimDevice
from pynq.errors import BusError, DmaError, ModelError

RESET = "rst/peripheral_aresetn"
MANAGER, TIMER, GUARD = 0x4000_0000, 0x4001_0000, 0x4002_0000


def _lite(name: str, role: str, clock: Clocking, data: int = 32) -> Any:
    return axi(
        name, role, prefix=f"{name.lower()}_", protocol="AXI4LITE" if data == 32 else "AXI4", data=data,
        addr=32, frequency=clock.frequency, domain=clock.domain,
    )  # fmt: skip


def _manager(design: BlockDesign, path: str, clock: Clocking, response: int, kind: str, data: int) -> Cell:
    """DFX AXI Shutdown Manager (PG377)."""
    pins = [
        vector("clk", "I", None, kind="clk"),
        vector("resetn", "I", None, kind="rst", polarity="ACTIVE_LOW"),
        *(vector(name, "O", None) for name in ("shutdown_requested", "in_shutdown", "irq")),
    ]
    buses = []
    for name, role, width in (
        ("S_AXI_CTRL", "SLAVE", 32),
        ("S_AXI", "SLAVE", data),
        ("M_AXI", "MASTER", data),
    ):
        more, bus = _lite(name, role, clock, width)
        pins += more
        buses.append(bus)
    parameters = {"C_CTRL_INTERFACE_TYPE": "1", "C_DP_AXI_RESP": str(response), "C_RP_IS_MASTER": "0"}
    attributes = {"IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"}
    cell = design.add(Cell(path, f"xilinx.com:ip:{kind}:1.0", attributes, pins, buses, parameters))
    design.wire(clock.source, f"{path}/clk")
    design.wire(RESET, f"{path}/resetn")
    return cell


def shutdown(response: int, kind: str) -> str:
    """A manager between the PS and a timer, and one between a DMA and memory."""
    design = BlockDesign("shutdown", PYNQ_Z2, **STAMP)
    clock = Clocking(design, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS7, clock, hp=True, interrupts=1)
    proc_sys_reset(design, "rst", clock, f"{PS7}/FCLK_RESET0_N")
    timer = axi_timer(design, "timer", clock, RESET)
    design.wire("timer/interrupt", f"{PS7}/IRQ_F2P")
    manager = _manager(design, "manager", clock, response, kind, 32)
    guard = _manager(design, "guard", clock, response, kind, 64)
    dma = axi_dma(design, "dma", clock, RESET, stream_bytes=4)
    design.connect(dma, "M_AXIS_MM2S", dma, "S_AXIS_S2MM")
    interconnect(
        design, "periph", clock, RESET, masters=[(ps, "M_AXI_GP0")],
        slaves=[
            (manager, "S_AXI_CTRL"), (manager, "S_AXI"), (dma, "S_AXI_LITE"), (guard, "S_AXI_CTRL"),
        ],
    )  # fmt: skip
    interconnect(design, "inner", clock, RESET, masters=[(manager, "M_AXI")], slaves=[(timer, "S_AXI")])
    masters = [(dma, "M_AXI_MM2S"), (dma, "M_AXI_S2MM")]
    interconnect(design, "memory", clock, RESET, masters=masters, slaves=[(guard, "S_AXI")])
    interconnect(design, "port", clock, RESET, masters=[(guard, "M_AXI")], slaves=[(ps, "S_AXI_HP0")])
    for cell, bus, base in (
        (manager, "S_AXI_CTRL", MANAGER), (timer, "S_AXI", TIMER), (guard, "S_AXI_CTRL", GUARD),
        (dma, "S_AXI_LITE", 0x4040_0000),
    ):  # fmt: skip
        design.map(ps, "M_AXI_GP0", cell, bus, base, 0x1_0000)
    for cell, bus in masters:
        design.map(cell, bus, ps, "S_AXI_HP0", *DDR7, block="HP0_DDR_LOWOCM", kind="MEMORY")
    return "\ufeff" + design.to_xml()


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Any]:
    devices = []

    def load(text: str) -> Any:
        device = SimDevice("sim:routing", deterministic=True)
        devices.append(device)
        write(tmp_path, "design", text)
        return pynq.Overlay(str(tmp_path / "design.bit"), device=device)

    yield load
    for device in devices:
        device.close()


def transfer(overlay: Any, data: list[int], dma: str = "dma") -> list[int]:
    out = pynq.allocate((len(data),), "u4", target=overlay.device)
    back = pynq.allocate((len(data),), "u4", target=overlay.device)
    out[:] = data
    overlay[dma].recvchannel.transfer(back)
    overlay[dma].sendchannel.transfer(out)
    overlay[dma].sendchannel.wait()
    overlay[dma].recvchannel.wait()
    return [int(value) for value in np.asarray(back)]


class TestShutdownManager:
    @pytest.mark.parametrize("kind", ["dfx_axi_shutdown_manager", "pr_axi_shutdown_manager"])
    def test_it_answers_with_zeros(self, load: Any, kind: str) -> None:
        overlay = load(shutdown(0, kind))
        manager, timer = overlay.manager, overlay.timer
        timer.write(0x04, 99)
        assert manager.read(0) == 0
        manager.write(0, 1)
        assert manager.read(0) == 0xF, "requested, and both channels are in shutdown"
        assert overlay.device.interrupt_probe("manager/in_shutdown")()[0] == 1
        assert timer.read(0x04) == 0
        timer.write(0x04, 5)
        manager.write(0, 0)
        assert manager.read(0) == 0
        assert timer.read(0x04) == 99, "what was written meanwhile is lost"
        assert overlay.device.interrupt_probe("manager/in_shutdown")()[0] == 0

    def test_it_answers_with_an_error(self, load: Any) -> None:
        overlay = load(shutdown(2, "dfx_axi_shutdown_manager"))
        overlay.manager.write(0, 1)
        with pytest.raises(BusError, match=r"SLVERR.*timer.*manager has shut it down: release it first"):
            overlay.timer.read(0x04)
        overlay.manager.write(0, 0)
        assert overlay.timer.read(0x04) == 0

    def test_other_masters_meet_it_as_well(self, load: Any) -> None:
        overlay = load(shutdown(2, "dfx_axi_shutdown_manager"))
        assert transfer(overlay, [1, 2, 3]) == [1, 2, 3]
        overlay.guard.write(0, 1)
        with pytest.raises((DmaError, RuntimeError), match=r"(?i)slave error|DMASlvErr|SLVERR"):
            transfer(overlay, [1, 2, 3])
        overlay.guard.write(0, 0)
        overlay.dma.reset()
        assert transfer(overlay, [1, 2, 3]) == [1, 2, 3]


def _with_registers(design: BlockDesign, cell: Cell, clock: Clocking) -> None:
    pins, bus = _lite("s_axi_reg", "SLAVE", clock)
    cell.pins += [*pins, vector("s_axi_reg_aresetn", "I", None, kind="rst", polarity="ACTIVE_LOW")]
    cell.buses.append(bus)
    design.wire(RESET, f"{cell.path}/s_axi_reg_aresetn")


@pytest.mark.parametrize("value", [0, 1])
def test_a_decoupler_with_registers(load: Any, value: int) -> None:
    """No pin controls it; its wire has a decoupled value of its own."""
    design = BlockDesign("registers", PYNQ_Z2, **STAMP)
    clock = Clocking(design, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS7, clock, hp=False, interrupts=1)
    proc_sys_reset(design, "rst", clock, f"{PS7}/FCLK_RESET0_N")
    timer = axi_timer(design, "timer", clock, RESET)
    gate = dfx_decoupler(design, "gate", clock, nbytes=4)
    gate.vlnv = "xilinx.com:ip:pr_decoupler:1.0"
    gate.pins.remove(gate.pin("decouple"))
    text = gate.parameters["ALL_PARAMS"]
    gate.parameters["ALL_PARAMS"] = text.replace("DECOUPLED_VALUE 0x0", f"DECOUPLED_VALUE 0x{value}")
    _with_registers(design, gate, clock)
    design.wire("timer/interrupt", "gate/rp_intr_INTERRUPT")
    design.wire("gate/s_intr_INTERRUPT", f"{PS7}/IRQ_F2P")
    design.connect(gate, "s_axi_lite", timer, "S_AXI")
    slaves = [(gate, "s_axi_reg"), (gate, "rp_axi_lite")]
    interconnect(design, "periph", clock, RESET, masters=[(ps, "M_AXI_GP0")], slaves=slaves)
    design.map(ps, "M_AXI_GP0", gate, "s_axi_reg", MANAGER, 0x1_0000)
    design.map(ps, "M_AXI_GP0", timer, "S_AXI", TIMER, 0x1_0000)
    overlay = load("\ufeff" + design.to_xml())
    assert overlay.interrupt_pins["timer/interrupt"]["controller"] == ""
    probe = overlay.device.interrupt_probe("gate/s_intr_INTERRUPT")
    assert overlay.gate.read(0) == 0
    overlay.gate.write(0, 1)
    assert overlay.gate.read(0) == 1
    assert probe()[0] == value
    assert overlay.device.interrupt_probe("gate/decouple_status")()[0] == 1
    with pytest.raises(BusError, match="gate decouples it"):
        overlay.timer.read(0x04)
    overlay.gate.write(0, 0)
    assert probe()[0] == 0
    assert overlay.timer.read(0x04) == 0


def _streams(design: BlockDesign, path: str, kind: str, clock: Clocking, ports: Any, parameters: Any) -> Cell:
    pins = [vector("aclk", "I", None, kind="clk")]
    buses = []
    for name, role, nbytes in ports:
        more, bus = axis(
            name,
            role,
            prefix=f"{name.lower()}_",
            nbytes=nbytes,
            frequency=clock.frequency,
            domain=clock.domain,
        )
        pins += more
        buses.append(bus)
    attributes = {"IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"}
    cell = design.add(Cell(path, f"xilinx.com:ip:{kind}:1.1", attributes, pins, buses, parameters))
    design.wire(clock.source, f"{path}/aclk")
    return cell


TAGGED = "acme.com:routing:tagged:1.0"


def by_dest() -> str:
    """A source that tags its packets, a switch that goes by the tags, two DMAs and one that nobody takes."""
    design = BlockDesign("dest", PYNQ_Z2, **STAMP)
    clock = Clocking(design, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS7, clock, hp=True, interrupts=1)
    proc_sys_reset(design, "rst", clock, f"{PS7}/FCLK_RESET0_N")
    dmas = [axi_dma(design, f"dma_{place}", clock, RESET, stream_bytes=4) for place in range(2)]
    ports = [("S_AXIS", "TARGET", 4), ("M_AXIS", "INITIATOR", 4)]
    tagged = _streams(design, "tagged", "tagged", clock, ports, {})
    tagged.vlnv = TAGGED
    ports = [("S00_AXIS", "TARGET", 4), ("M00_AXIS", "INITIATOR", 4), ("M01_AXIS", "INITIATOR", 4)]
    parameters = {
        "NUM_SI": "1", "NUM_MI": "2", "ROUTING_MODE": "0", "HAS_TLAST": "1",
        "M00_AXIS_BASETDEST": "0x00000000", "M00_AXIS_HIGHTDEST": "0x00000003",
        "M01_AXIS_BASETDEST": "0x00000004", "M01_AXIS_HIGHTDEST": "0x00000004",
    }  # fmt: skip
    switch = _streams(design, "switch", "axis_switch", clock, ports, parameters)
    design.connect(dmas[0], "M_AXIS_MM2S", tagged, "S_AXIS")
    design.connect(tagged, "M_AXIS", switch, "S00_AXIS")
    for place, dma in enumerate(dmas):
        design.connect(switch, f"M0{place}_AXIS", dma, "S_AXIS_S2MM")
    interconnect(
        design, "periph", clock, RESET, masters=[(ps, "M_AXI_GP0")],
        slaves=[(dma, "S_AXI_LITE") for dma in dmas],
    )  # fmt: skip
    masters = [(dma, f"M_AXI_{side}") for dma in dmas for side in ("MM2S", "S2MM")]
    interconnect(design, "memory", clock, RESET, masters=masters, slaves=[(ps, "S_AXI_HP0")])
    for place, dma in enumerate(dmas):
        design.map(ps, "M_AXI_GP0", dma, "S_AXI_LITE", 0x4040_0000 + 0x1_0000 * place, 0x1_0000)
    for cell, bus in masters:
        design.map(cell, bus, ps, "S_AXI_HP0", *DDR7, block="HP0_DDR_LOWOCM", kind="MEMORY")
    return "\ufeff" + design.to_xml()


def test_a_switch_goes_by_tdest(load: Any) -> None:
    class Tagged(pynq.sim.Model):
        bindto = [TAGGED]

        async def main(self) -> None:
            while True:
                packet = await self.stream("S_AXIS").recv()
                await self.stream("M_AXIS").send(packet[4:], dest=int(packet[0]))

    try:
        overlay = load(by_dest())
        device = overlay.device
        for dest, taker in ((0, 0), (4, 1), (3, 0), (9, None), (4, 1)):
            out = pynq.allocate((3,), "u4", target=device)
            back = pynq.allocate((2,), "u4", target=device)
            out[:] = [dest, 10 + dest, 20]
            if taker is not None:
                overlay[f"dma_{taker}"].recvchannel.transfer(back)
            overlay.dma_0.sendchannel.transfer(out)
            overlay.dma_0.sendchannel.wait()
            if taker is not None:
                overlay[f"dma_{taker}"].recvchannel.wait()
                assert list(back) == [10 + dest, 20]
        device.run()
        assert overlay.dma_0.recvchannel.idle
        assert overlay.dma_1.recvchannel.idle
    finally:
        pynq.sim.models.remove(Tagged)


def test_a_combiner_puts_streams_side_by_side(load: Any) -> None:
    design = BlockDesign("side", PYNQ_Z2, **STAMP)
    clock = Clocking(design, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS7, clock, hp=True, interrupts=1)
    proc_sys_reset(design, "rst", clock, f"{PS7}/FCLK_RESET0_N")
    dmas = [axi_dma(design, f"dma_{place}", clock, RESET, stream_bytes=4) for place in range(2)]
    wide = axi_dma(design, "wide", clock, RESET, stream_bytes=8)
    ports = [("S00_AXIS", "TARGET", 4), ("S01_AXIS", "TARGET", 4), ("M_AXIS", "INITIATOR", 8)]
    combiner = _streams(design, "combiner", "axis_combiner", clock, ports, {"NUM_SI": "2", "HAS_TLAST": "1"})
    for place, dma in enumerate(dmas):
        design.connect(dma, "M_AXIS_MM2S", combiner, f"S0{place}_AXIS")
    design.connect(combiner, "M_AXIS", wide, "S_AXIS_S2MM")
    cells = [*dmas, wide]
    interconnect(
        design, "periph", clock, RESET, masters=[(ps, "M_AXI_GP0")],
        slaves=[(dma, "S_AXI_LITE") for dma in cells],
    )  # fmt: skip
    masters = [(dma, f"M_AXI_{side}") for dma in cells for side in ("MM2S", "S2MM")]
    interconnect(design, "memory", clock, RESET, masters=masters, slaves=[(ps, "S_AXI_HP0")])
    for place, dma in enumerate(cells):
        design.map(ps, "M_AXI_GP0", dma, "S_AXI_LITE", 0x4040_0000 + 0x1_0000 * place, 0x1_0000)
    for cell, bus in masters:
        design.map(cell, bus, ps, "S_AXI_HP0", *DDR7, block="HP0_DDR_LOWOCM", kind="MEMORY")
    overlay = load("\ufeff" + design.to_xml())

    def send(place: int, values: list[int]) -> None:
        out = pynq.allocate((len(values),), "u4", target=overlay.device)
        out[:] = values
        overlay[f"dma_{place}"].sendchannel.transfer(out)
        overlay[f"dma_{place}"].sendchannel.wait()

    back = pynq.allocate((3, 2), "u4", target=overlay.device)
    overlay.wide.recvchannel.transfer(back)
    send(0, [1, 2, 3])
    send(1, [10, 20, 30])
    overlay.wide.recvchannel.wait()
    assert back.tolist() == [[1, 10], [2, 20], [3, 30]]
    send(0, [1, 2, 3])
    out = pynq.allocate((2,), "u4", target=overlay.device)
    with pytest.raises(ModelError, match=r"TLAST of S00_AXIS and S01_AXIS does not come with the same beat"):
        _send_and_run(overlay, out)


def _send_and_run(overlay: Any, out: Any) -> None:
    overlay.dma_1.sendchannel.transfer(out)
    overlay.device.run()
