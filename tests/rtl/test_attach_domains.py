"""Registers in one clock domain and an AXI master in another, a reset by software, clocks that change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pynq import Clocks, allocate
from pynq.errors import BusError, DeadlockError, ProtocolError

from .attach_kit import Board, vector
from .test_attach_axi import REGS, lite
from .test_attach_blocks import second_clock

PORTS, BODY = lite()
#: Registers on aclk; on bclk a master that writes `count` words: 0x100, 0x101, ...
DUO = f"""
module duo #(parameter C_S_AXI_ADDR_WIDTH = 6, parameter AW = C_S_AXI_ADDR_WIDTH, parameter C_BAD = 0) (
  input aclk, input aresetn, {PORTS}, input bclk, input bresetn, output done,
  output reg [31:0] m_axi_awaddr, output [7:0] m_axi_awlen, output [2:0] m_axi_awsize,
  output [1:0] m_axi_awburst, output m_axi_awlock, output [3:0] m_axi_awcache,
  output [2:0] m_axi_awprot, output [3:0] m_axi_awqos,
  output reg m_axi_awvalid, input m_axi_awready,
  output reg [31:0] m_axi_wdata, output [3:0] m_axi_wstrb, output m_axi_wlast,
  output reg m_axi_wvalid, input m_axi_wready,
  input [1:0] m_axi_bresp, input m_axi_bvalid, output m_axi_bready,
  output [31:0] m_axi_araddr, output [7:0] m_axi_arlen, output [2:0] m_axi_arsize,
  output [1:0] m_axi_arburst, output m_axi_arlock, output [3:0] m_axi_arcache,
  output [2:0] m_axi_arprot, output [3:0] m_axi_arqos, output m_axi_arvalid, input m_axi_arready,
  input [31:0] m_axi_rdata, input [1:0] m_axi_rresp, input m_axi_rlast, input m_axi_rvalid,
  output m_axi_rready
);
{BODY}
  assign {{m_axi_awlen, m_axi_awlock, m_axi_awcache, m_axi_awprot, m_axi_awqos}} = 0;
  assign m_axi_awsize = C_BAD ? 3'd3 : 3'd2;
  assign m_axi_awburst = 2'd1;
  assign m_axi_wstrb = 4'hF;
  assign m_axi_wlast = 1;
  assign m_axi_bready = 1;
  assign {{m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arlock, m_axi_arcache, m_axi_arprot}} = 0;
  assign {{m_axi_arqos, m_axi_arvalid, m_axi_rready}} = 0;
  assign m_axi_arburst = 2'd1;
  reg [31:0] target, count, left;
  reg go, go_1, go_2, seen, waits;
  reg running, running_1, running_2;
  assign done = !running_2;
  always @(posedge aclk) begin
    {{running_2, running_1}} <= {{running_1, running}};
    if (!aresetn) begin go <= 0; target <= 0; count <= 0; end
    else begin
      if (take)
        case (s_axi_awaddr[5:0])
          6'h00: go <= ~go;
          6'h04: target <= s_axi_wdata;
          6'h08: count <= s_axi_wdata;
          default: ;
        endcase
      if (give) s_axi_rdata <= s_axi_araddr[5:0] == 0 ? {{30'd0, bresetn, running_2}} : target;
    end
  end
  always @(posedge bclk)
    if (!bresetn) begin
      {{m_axi_awvalid, m_axi_wvalid, waits, running}} <= 0;
      {{go_2, go_1}} <= {{go_1, go}};
      seen <= go_1;
      left <= 0;
    end else begin
      {{go_2, go_1}} <= {{go_1, go}};
      if (m_axi_awready) m_axi_awvalid <= 0;
      if (m_axi_wready) m_axi_wvalid <= 0;
      if (go_2 != seen) begin
        seen <= go_2;
        left <= count;
        running <= count != 0;
        m_axi_awaddr <= target - 4;
        m_axi_wdata <= 32'hFF;
      end else if (left != 0 && !waits) begin
        m_axi_awaddr <= m_axi_awaddr + 4;
        m_axi_wdata <= m_axi_wdata + 1;
        {{m_axi_awvalid, m_axi_wvalid, waits}} <= 3'b111;
      end else if (m_axi_bvalid) begin
        waits <= 0;
        left <= left - 1;
        running <= left != 1;
      end
    end
endmodule
"""
CONTROL = REGS.replace("output irq", "output release_n").replace("assign irq", "assign release_n")
HERTZ = 30_000_000


@pytest.fixture(params=[0])
def overlay(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    board = Board()
    master = board.master()
    master[1].parameters |= {"CLK_DOMAIN": "board_clk_b", "FREQ_HZ": str(HERTZ)}
    pins = [
        vector("bclk", "I", None, kind="clk"),
        vector("bresetn", "I", None, kind="rst", polarity="ACTIVE_LOW"),
        vector("done", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH"),
    ]
    duo = board.cell("duo_0", [board.lite(addr=6), master], pins, parameters={"C_BAD": str(request.param)})
    second_clock(board, "duo_0/bclk", hertz=HERTZ)
    release = vector("release_n", "O", None, kind="rst", polarity="ACTIVE_LOW")
    control = board.cell("control_0", [board.lite(addr=8)], [release], parameters={"C_S_AXI_ADDR_WIDTH": "8"})
    board.design.wire("control_0/release_n", "duo_0/bresetn")
    board.at(duo, "s_axi", 0x4000_0000)
    board.at(control, "s_axi", 0x4001_0000)
    board.to_ddr(duo, "m_axi")
    board.interrupt("duo_0/done")
    table = '[[rtl]]\nmodule = "duo"\nsources = "duo.v"\n'
    table += '[[rtl]]\nmodule = "control"\ntop = "regs"\nsources = "control.v"\n'
    return board.load(tmp_path, table, duo_v=DUO, control_v=CONTROL)


def release(overlay: Any) -> None:
    overlay.control_0.write(4, 1)
    overlay.device.run(1e-6)


def begin(overlay: Any, buffer: Any) -> None:
    overlay.duo_0.write(4, buffer.physical_address)
    overlay.duo_0.write(8, len(buffer))
    overlay.duo_0.write(0, 1)


def test_software_releases_the_reset_of_one_domain(overlay: Any) -> None:
    ip = overlay.duo_0
    with allocate(20, np.uint32, target=overlay.device) as buffer:
        buffer[:] = 0
        begin(overlay, buffer)
        assert ip.read(4) == buffer.physical_address  # the registers work
        assert ip.read(0) == 0
        overlay.device.run(10e-6)
        assert not buffer.any()  # the master is held
        release(overlay)
        assert ip.read(0) == 2
        begin(overlay, buffer)
        while ip.read(0) != 3:
            pass
        while ip.read(0) == 3:  # polling sees progress of the other domain
            pass
        assert (buffer == 0x100 + np.arange(20)).all()
        # Into reset in the middle, and out of it again.
        buffer[:] = 0
        begin(overlay, buffer)
        overlay.device.run(1e-6)
        overlay.control_0.write(4, 0)
        overlay.device.run(10e-6)
        assert buffer[0] == 0x100
        assert buffer[-1] == 0
        assert ip.read(0) == 0
        release(overlay)
        begin(overlay, buffer)
        overlay.device.run(100e-6)
        assert (buffer == 0x100 + np.arange(20)).all()


def test_each_domain_has_its_own_time(overlay: Any) -> None:
    release(overlay)
    with allocate(50, np.uint32, target=overlay.device) as buffer:
        fast, slow = overlay.device.cycles(0), overlay.device.cycles("clk_b")
        begin(overlay, buffer)
        while overlay.duo_0.read(0) != 3:
            pass
        while overlay.duo_0.read(0) == 3:
            pass
        assert (buffer == 0x100 + np.arange(50)).all()
        slow = overlay.device.cycles("clk_b") - slow
        assert slow >= 3 * 50
        assert overlay.device.cycles(0) - fast == pytest.approx(slow * 100 / 30, rel=0.02)


def test_the_rate_changes_while_it_runs(overlay: Any) -> None:
    release(overlay)
    Clocks.set_device(overlay.device)
    for mhz in (50.0, 10.0, 100.0):
        Clocks.fclk0_mhz = mhz
        start = overlay.device.cycles(0), overlay.device.now
        with allocate(20, np.uint32, target=overlay.device) as buffer:
            begin(overlay, buffer)
            overlay.device.run(100e-6)
            assert (buffer == 0x100 + np.arange(20)).all()
        took = overlay.device.now - start[1]
        assert overlay.device.cycles(0) - start[0] == pytest.approx(took * mhz * 1e6, abs=2)


def test_a_clock_that_stands_still(overlay: Any) -> None:
    """The registers don't answer, and the message says why; the other domain goes on."""
    release(overlay)
    with allocate(200, np.uint32, target=overlay.device) as buffer:
        buffer[:] = 0
        begin(overlay, buffer)
        overlay.device.run(2e-6)
        overlay.device.set_clock_rate(0, 0)
        overlay.device.run(200e-6)
        assert (buffer == 0x100 + np.arange(200)).all()
        with pytest.raises((BusError, DeadlockError), match=r"duo_0.*stands still"):
            overlay.duo_0.read(4)
        overlay.device.set_clock_rate(0, 100e6)
        assert overlay.duo_0.read(4) == buffer.physical_address


@pytest.mark.parametrize("overlay", [1], indirect=True)
def test_a_broken_rule_names_the_cycle_of_its_own_clock(overlay: Any) -> None:
    release(overlay)
    with allocate(2, np.uint32, target=overlay.device) as buffer:
        begin(overlay, buffer)
        with pytest.raises(ProtocolError, match=r"duo_0 m_axi .*AXI_ERRM_AWSIZE.*A3\.4\.1") as caught:
            overlay.device.run(10e-6)
        cycle = int(str(caught.value).partition("in cycle ")[2].partition(":")[0])
        assert cycle == overlay.device.cycles("clk_b")


def test_the_trace_has_what_masters_do(overlay: Any) -> None:
    def once(words: int) -> tuple[int, Any]:
        overlay.download()
        release(overlay)
        overlay.device.trace("list")
        with allocate(words, np.uint32, target=overlay.device) as buffer:
            begin(overlay, buffer)
            overlay.device.run(100e-6)
            bursts = [event for event in overlay.device.trace_events if event[1] == "burst-write"]
            assert [event[2:] for event in bursts] == [
                ("duo_0/m_axi", buffer.physical_address + 4 * i, 4) for i in range(words)
            ]
        return overlay.device.trace_hash, bursts

    assert once(20) == once(20)
    assert once(20)[0] != once(21)[0]
