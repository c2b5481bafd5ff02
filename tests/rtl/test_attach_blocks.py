"""Whole hierarchies as one module, several clocks, FIFOs between clocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pynq.errors import PortMismatchError, RtlBuildError

from .attach_kit import Board, vector
from .test_attach_streams import through

CHAIN = """
module chain (
  input aclk, input aresetn,
  input [31:0] in_tdata, input [3:0] in_tkeep, input in_tlast, input in_tvalid, output in_tready,
  output [31:0] m_axis_tdata, output [3:0] m_axis_tkeep, output m_axis_tlast, output m_axis_tvalid,
  input m_axis_tready,
  output busy, input [1:0] mode
);
  assign in_tready = m_axis_tready;
  assign m_axis_tdata = in_tdata * 3 + mode;
  assign m_axis_tkeep = in_tkeep;
  assign m_axis_tlast = in_tlast;
  assign m_axis_tvalid = in_tvalid;
  reg [15:0] beats;
  always @(posedge aclk) beats <= !aresetn ? 0 : beats + (in_tvalid && in_tready);
  assign busy = beats == 16;
endmodule
"""
CHAIN_TABLE = """
[[rtl]]
hierarchy = "chain"
sources = "chain.v"
ports = { in = "plus_0/s_axis", busy = "chain/plus_1/irq" }
tie = { mode = 2 }
"""


def chain_board() -> Board:
    board = Board()
    dma = board.dma()
    irq = vector("irq", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH")
    first = board.cell("chain/plus_0", [board.sink(), board.source()])
    second = board.cell("chain/plus_1", [board.sink(), board.source()], [irq])
    board.design.connect(dma, "M_AXIS_MM2S", first, "s_axis")
    board.design.connect(first, "m_axis", second, "s_axis")
    board.design.connect(second, "m_axis", dma, "S_AXIS_S2MM")
    board.interrupt("chain/plus_1/irq")
    return board


def test_a_hierarchy_is_one_module(tmp_path: Path) -> None:
    overlay = chain_board().load(tmp_path, CHAIN_TABLE, chain_v=CHAIN)
    data = np.arange(16, dtype=np.uint32)
    assert (through(overlay, data) == 3 * data + 2).all()
    device = overlay.device
    assert set(device.rtl) == {"chain"}
    assert "chain/plus_0" not in device.plant.components
    # The program goes on to see the design as it is: the interrupt is that of the cell inside.
    line = device.interrupt_line(63)
    line.enable()
    assert line.wait()
    level, edges = device.interrupt_probe("chain/plus_1/irq")()
    assert (level, edges) == (1, 1)
    assert "chain/plus_0" in overlay.device.design.cells


def test_a_hierarchy_that_does_not_fit(tmp_path: Path) -> None:
    table = CHAIN_TABLE.replace("plus_0/s_axis", "plus_0/nix").replace("tie = { mode = 2 }", "")
    text = CHAIN.replace("output [31:0] m_axis_tdata", "output [15:0] m_axis_tdata").replace("busy", "bsy")
    with pytest.raises(PortMismatchError) as caught:
        chain_board().load(tmp_path, table, chain_v=text)
    whys = {problem.message for problem in caught.value.problems}
    assert any("in: nothing of that name crosses the boundary" in why for why in whys)
    assert any("port busy: the RTL has no such port" in why for why in whys)
    assert any("port m_axis_tdata: width: RTL out 16, description out 32" in why for why in whys)
    assert any("port mode: stands for nothing outside" in why for why in whys)
    assert any("port plus_1/irq: no port of the RTL stands for it" in why for why in whys)
    assert any("port plus_0/s_axis: no ports of the RTL stand for it" in why for why in whys)


CDC = """
module cdc (
  input aclk, input aresetn, input bclk,
  input [31:0] s_axis_tdata, input [3:0] s_axis_tkeep, input s_axis_tlast, input s_axis_tvalid,
  output s_axis_tready,
  output reg [31:0] m_axis_tdata, output reg [3:0] m_axis_tkeep, output reg m_axis_tlast,
  output reg m_axis_tvalid, input m_axis_tready,
  output reg [31:0] slow
);
  reg [36:0] word;
  reg [2:0] request = 0;   // [0] is of aclk, the rest follows bclk
  reg taken = 0, taken_1 = 0, taken_2 = 0;
  assign s_axis_tready = aresetn && request[0] == taken_2;
  always @(posedge aclk) begin
    {taken_2, taken_1} <= {taken_1, taken};
    if (s_axis_tvalid && s_axis_tready) begin
      word <= {s_axis_tlast, s_axis_tkeep, s_axis_tdata};
      request[0] <= ~request[0];
    end
  end
  initial begin slow = 0; m_axis_tvalid = 0; end
  always @(posedge bclk) begin
    slow <= slow + 1;
    request[2:1] <= request[1:0];
    if (m_axis_tvalid && m_axis_tready) m_axis_tvalid <= 0;
    else if (!m_axis_tvalid && request[2] != taken) begin
      {m_axis_tlast, m_axis_tkeep, m_axis_tdata} <= word;
      m_axis_tvalid <= 1;
      taken <= request[2];
    end
  end
endmodule
"""


def second_clock(board: Board, *loads: str, hertz: int = 30_000_000) -> None:
    """Let a clock that comes from outside of the design drive pins."""
    pin = vector("clk_b", "I", None, kind="clk", frequency=hertz)
    pin.signal = "clk_b"
    for load in loads:
        path, _, name = load.rpartition("/")
        inner = board.design.cells[path].pin(name)
        inner.signal = "clk_b"
        inner.frequency = hertz
        inner.peers.append(("External_Ports", "clk_b"))
        pin.peers.append((path, name))
    board.design.external_pins.append(pin)


def test_two_clocks(tmp_path: Path) -> None:
    board = Board()
    dma = board.dma()
    out = board.source()
    out[1].parameters |= {"CLK_DOMAIN": "board_clk_b", "FREQ_HZ": "30000000"}
    cdc = board.cell(
        "cdc_0", [board.sink(), out], [vector("bclk", "I", None, kind="clk"), vector("slow", "O", 32)]
    )
    second_clock(board, "cdc_0/bclk")
    board.design.connect(dma, "M_AXIS_MM2S", cdc, "s_axis")
    board.design.connect(cdc, "m_axis", dma, "S_AXIS_S2MM")
    overlay = board.load(tmp_path, rtl={"cdc_0": str(tmp_path / "cdc.v")}, cdc_v=CDC)
    device = overlay.device
    start = device.cycles(0), device.cycles("clk_b")
    data = np.arange(100, dtype=np.uint32) * 7
    assert (through(overlay, data) == data).all()
    fast, slow = device.cycles(0) - start[0], device.cycles("clk_b") - start[1]
    assert slow >= 200  # two edges of the slow clock for each word at least
    assert fast == pytest.approx(slow * 100 / 30, rel=0.05)


def converter(board: Board, path: str) -> Any:
    cell = board.cell(
        path,
        [board.sink("S_AXIS"), board.source("M_AXIS")],
        [vector("m_axis_aclk", "I", None, kind="clk"), vector("s_axis_aclk", "I", None, kind="clk")],
        clock="",
    )
    cell.vlnv = "xilinx.com:ip:axis_clock_converter:1.1"
    board.design.wire(board.clock.source, f"{path}/s_axis_aclk")
    return cell


@pytest.mark.parametrize("hertz", [10_000_000, 400_000_000])
def test_a_converter_gives_beats_at_the_clock_of_its_output(tmp_path: Path, hertz: int) -> None:
    board = Board()
    dma = board.dma()
    cell = converter(board, "axis_clock_converter_0")
    second_clock(board, "axis_clock_converter_0/m_axis_aclk", hertz=hertz)
    board.design.connect(dma, "M_AXIS_MM2S", cell, "S_AXIS")
    board.design.connect(cell, "M_AXIS", dma, "S_AXIS_S2MM")
    overlay = board.load(tmp_path)
    data = np.arange(1000, dtype=np.uint32)
    start = overlay.device.now
    assert (through(overlay, data) == data).all()
    took = overlay.device.now - start
    slowest = min(hertz, 100_000_000)
    assert 1000 / slowest <= took < 1000 / slowest + 10e-6


def test_a_hierarchy_named_twice(tmp_path: Path) -> None:
    with pytest.raises(RtlBuildError, match="hierarchy chain has a table already"):
        chain_board().load(tmp_path, CHAIN_TABLE + CHAIN_TABLE, chain_v=CHAIN)
