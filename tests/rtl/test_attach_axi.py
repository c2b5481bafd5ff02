"""Whole programs against RTL with AXI: registers, interrupts, masters, RTL that talks to RTL, HLS's shape."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pynq
from pynq.errors import BusError, RtlBuildError, RtlError

from .attach_kit import Block, Board, Register, vector

LITE_PORTS = """
  input [AW-1:0] {0}awaddr, input {0}awvalid, output {0}awready,
  input [31:0] {0}wdata, input [3:0] {0}wstrb, input {0}wvalid, output {0}wready,
  output [1:0] {0}bresp, output reg {0}bvalid, input {0}bready,
  input [AW-1:0] {0}araddr, input {0}arvalid, output {0}arready,
  output reg [31:0] {0}rdata, output [1:0] {0}rresp, output reg {0}rvalid, input {0}rready
"""
#: A slave that waits for address and data together; `write` and `read` are its body.
LITE_BODY = """
  wire take = {0}awvalid && {0}wvalid && (!{0}bvalid || {0}bready);
  wire give = {0}arvalid && (!{0}rvalid || {0}rready);
  assign {0}awready = take;
  assign {0}wready = take;
  assign {0}arready = give;
  assign {0}bresp = 0;
  assign {0}rresp = 0;
  always @(posedge CLK) begin
    if (!RST) begin
      {0}bvalid <= 0;
      {0}rvalid <= 0;
    end else begin
      if (take) {0}bvalid <= 1; else if ({0}bready) {0}bvalid <= 0;
      if (give) {0}rvalid <= 1; else if ({0}rready) {0}rvalid <= 0;
    end
  end
"""


def lite(prefix: str = "s_axi_", clock: str = "aclk", reset: str = "aresetn") -> tuple[str, str]:
    """Return ports and handshake of an AXI4-Lite slave."""
    body = LITE_BODY.format(prefix).replace("CLK", clock).replace("RST", reset)
    return LITE_PORTS.format(prefix), body


PORTS, BODY = lite()
REGS = f"""
module regs #(parameter C_S_AXI_ADDR_WIDTH = 4, parameter AW = C_S_AXI_ADDR_WIDTH, parameter C_ID = 0) (
  input aclk, input aresetn, {PORTS}, output irq
);
{BODY}
  reg [31:0] data, control, seen;
  assign irq = control[0];
  integer i;
  always @(posedge aclk) begin
    if (!aresetn) begin data <= 0; control <= 0; seen <= 0; end
    else begin
      if (take) begin
        seen <= s_axi_awaddr;
        if (s_axi_awaddr[5:2] == 0) for (i = 0; i < 4; i = i + 1)
          if (s_axi_wstrb[i]) data[8*i +: 8] <= s_axi_wdata[8*i +: 8];
        if (s_axi_awaddr[5:2] == 1) control <= s_axi_wdata;
        if (s_axi_awaddr[5:2] == 4) begin
          $display("hello %0d", s_axi_wdata);
          $warning("watch out");
        end
        if (s_axi_awaddr[5:2] == 5) $fatal(1, "the end");
      end
      if (give)
        case (s_axi_araddr[5:2])
          0: s_axi_rdata <= data;
          1: s_axi_rdata <= control;
          2: s_axi_rdata <= C_ID;
          3: s_axi_rdata <= seen;
          default: s_axi_rdata <= 32'hDEAD_BEEF;
        endcase
    end
  end
endmodule
"""
MAP = [
    Register("DATA", "0x00", "Data", []),
    Register("CONTROL", "0x04", "Control", []),
    Register("ID", "0x08", "Identification", [], "read-only"),
    Register("SEEN", "0x0C", "Address of the last write", [], "read-only"),
]
BASE = 0x43C0_0000


def regs_board(addr: int = 32) -> Board:
    board = Board()
    irq = vector("irq", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH")
    parameters = {"C_S_AXI_ADDR_WIDTH": str(addr), "C_ID": "0xC0FFEE", "Component_Name": "x"}
    cell = board.cell(
        "regs_0", [board.lite(addr=addr)], [irq], parameters=parameters, blocks=[Block("s_axi", MAP)]
    )
    board.at(cell, "s_axi", BASE)
    board.interrupt("regs_0/irq")
    return board


def regs(tmp_path: Path, addr: int = 32, **files: str) -> Any:
    table = '[[rtl]]\ninstance = "regs_0"\nsources = "regs.v"\n'
    return regs_board(addr).load(tmp_path, table, **{"regs_v": REGS, **files})


def test_registers_of_rtl(tmp_path: Path) -> None:
    ip = regs(tmp_path).regs_0
    ip.write(0, 0x1234_5678)
    assert ip.read(0) == 0x1234_5678
    ip.register_map.DATA = 0xCAFE
    assert int(ip.register_map.DATA) == 0xCAFE
    assert int(ip.register_map.ID) == 0xC0FFEE  # a parameter of the description
    assert ip.read(0x40 - 4) == 0xDEAD_BEEF


@pytest.mark.parametrize(("addr", "seen"), [(32, BASE), (8, 0)])
def test_rtl_sees_the_whole_address_that_it_has_pins_for(tmp_path: Path, addr: int, seen: int) -> None:
    """Interconnects pass addresses on as they are: base address and all."""
    ip = regs(tmp_path, addr).regs_0
    ip.write(0, 1)
    assert ip.read(12) == seen


def test_interrupts_of_rtl(tmp_path: Path) -> None:
    ip = regs(tmp_path).regs_0

    async def rounds() -> int:
        count = 0
        for _ in range(3):
            ip.write(4, 1)
            await ip.irq.wait()
            ip.write(4, 0)
            count += 1
        return count

    assert asyncio.run(rounds()) == 3


def test_what_rtl_says(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    overlay = regs(tmp_path)
    ip = overlay.regs_0
    ip.write(16, 42)
    lines = [record for record in caplog.records if record.name == "pynq.rtl"]
    assert [line.levelno for line in lines] == [logging.INFO, logging.WARNING]
    assert lines[0].getMessage().startswith("regs_0: hello 42")
    assert "watch out" in lines[1].getMessage()
    assert "regs.v:" in lines[1].getMessage()


def test_fatal_ends_the_block_and_names_the_line(tmp_path: Path) -> None:
    ip = regs(tmp_path).regs_0
    with pytest.raises(RtlError, match="the end") as caught:
        ip.write(20, 1)
    assert caught.value.cell == "regs_0"
    assert caught.value.file.endswith("regs.v")
    assert "$fatal" in (tmp_path / "regs.v").read_text().splitlines()[caught.value.line - 1]
    with pytest.raises((RtlError, BusError)):
        ip.read(0)


def test_an_error_in_the_source_names_it_and_nothing_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(RtlBuildError, match=r"regs\.v:\d+.*syntax error"):
        regs(tmp_path, regs_v=REGS.replace("assign irq = control[0];", "assign irq = = control[0];"))


# -- masters ---------------------------------------------------------------------------------------------
PORTS_C, BODY_C = lite("s_axi_control_", "ap_clk", "ap_rst_n")
#: Reads `n` words, adds one, writes them back: the ports of an HLS kernel, single beats.
KERNEL = f"""
module kernel #(parameter C_S_AXI_CONTROL_ADDR_WIDTH = 6, parameter AW = C_S_AXI_CONTROL_ADDR_WIDTH) (
  input ap_clk, input ap_rst_n, {PORTS_C}, output interrupt,
  output reg [31:0] m_axi_gmem_awaddr, output [7:0] m_axi_gmem_awlen, output [2:0] m_axi_gmem_awsize,
  output [1:0] m_axi_gmem_awburst, output m_axi_gmem_awlock, output [3:0] m_axi_gmem_awcache,
  output [2:0] m_axi_gmem_awprot, output [3:0] m_axi_gmem_awqos,
  output reg m_axi_gmem_awvalid, input m_axi_gmem_awready,
  output reg [31:0] m_axi_gmem_wdata, output [3:0] m_axi_gmem_wstrb, output m_axi_gmem_wlast,
  output reg m_axi_gmem_wvalid, input m_axi_gmem_wready,
  input [1:0] m_axi_gmem_bresp, input m_axi_gmem_bvalid, output m_axi_gmem_bready,
  output reg [31:0] m_axi_gmem_araddr, output [7:0] m_axi_gmem_arlen, output [2:0] m_axi_gmem_arsize,
  output [1:0] m_axi_gmem_arburst, output m_axi_gmem_arlock, output [3:0] m_axi_gmem_arcache,
  output [2:0] m_axi_gmem_arprot, output [3:0] m_axi_gmem_arqos,
  output reg m_axi_gmem_arvalid, input m_axi_gmem_arready,
  input [31:0] m_axi_gmem_rdata, input [1:0] m_axi_gmem_rresp, input m_axi_gmem_rlast,
  input m_axi_gmem_rvalid, output m_axi_gmem_rready
);
{BODY_C}
  assign {{m_axi_gmem_awlen, m_axi_gmem_arlen}} = 0;
  assign {{m_axi_gmem_awsize, m_axi_gmem_arsize}} = {{3'd2, 3'd2}};
  assign {{m_axi_gmem_awburst, m_axi_gmem_arburst}} = {{2'd1, 2'd1}};
  assign {{m_axi_gmem_awlock, m_axi_gmem_arlock, m_axi_gmem_awprot, m_axi_gmem_arprot}} = 0;
  assign {{m_axi_gmem_awcache, m_axi_gmem_arcache, m_axi_gmem_awqos, m_axi_gmem_arqos}} = 0;
  assign m_axi_gmem_wstrb = 4'hF;
  assign m_axi_gmem_wlast = 1;
  assign m_axi_gmem_bready = 1;
  assign m_axi_gmem_rready = 1;
  reg [31:0] source, target, count;
  reg start, done, busy, enable, status;
  assign interrupt = enable && status;
  always @(posedge ap_clk) begin
    if (!ap_rst_n) begin
      {{start, done, busy, enable, status}} <= 0;
      {{m_axi_gmem_arvalid, m_axi_gmem_awvalid, m_axi_gmem_wvalid}} <= 0;
    end else begin
      if (take)
        case (s_axi_control_awaddr[5:0])
          6'h00: start <= s_axi_control_wdata[0];
          6'h04: enable <= s_axi_control_wdata[0];
          6'h0C: status <= status ^ s_axi_control_wdata[0];
          6'h10: source <= s_axi_control_wdata;
          6'h18: target <= s_axi_control_wdata;
          6'h20: count <= s_axi_control_wdata;
          default: ;
        endcase
      if (give) begin
        s_axi_control_rdata <= s_axi_control_araddr[5:0] == 0 ? {{29'd0, !busy, done, start}} : 32'd0;
        if (s_axi_control_araddr[5:0] == 0) done <= 0;
      end
      if (start && !busy && count != 0) begin
        busy <= 1;
        start <= 0;
        m_axi_gmem_araddr <= source;
        m_axi_gmem_arvalid <= 1;
      end
      if (m_axi_gmem_arvalid && m_axi_gmem_arready) m_axi_gmem_arvalid <= 0;
      if (m_axi_gmem_rvalid) begin
        m_axi_gmem_awaddr <= target;
        m_axi_gmem_awvalid <= 1;
        m_axi_gmem_wdata <= m_axi_gmem_rdata + 1;
        m_axi_gmem_wvalid <= 1;
      end
      if (m_axi_gmem_awvalid && m_axi_gmem_awready) m_axi_gmem_awvalid <= 0;
      if (m_axi_gmem_wvalid && m_axi_gmem_wready) m_axi_gmem_wvalid <= 0;
      if (m_axi_gmem_bvalid) begin
        source <= source + 4;
        target <= target + 4;
        count <= count - 1;
        if (count == 1) begin
          busy <= 0;
          done <= 1;
          status <= 1;
        end else begin
          m_axi_gmem_araddr <= source + 4;
          m_axi_gmem_arvalid <= 1;
        end
      end
    end
  end
endmodule
"""
KERNEL_MAP = [
    Register("CTRL", "0x00", "Control", []),
    Register("GIER", "0x04", "Global interrupt enable", []),
    Register("IP_ISR", "0x0C", "Interrupt status", []),
    Register("source", "0x10", "Source", []),
    Register("target", "0x18", "Target", []),
    Register("n", "0x20", "Words", []),
]


def kernel_board(path: str = "kernel_0") -> tuple[Board, Any]:
    board = Board()
    irq = vector("interrupt", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH")
    cell = board.cell(
        path,
        [board.lite("s_axi_control", 6), board.master("m_axi_gmem")],
        [irq],
        blocks=[Block("s_axi_control", KERNEL_MAP)],
        clock="ap_clk",
        reset="ap_rst_n",
    )
    board.at(cell, "s_axi_control", 0x4000_0000)
    board.to_ddr(cell, "m_axi_gmem")
    board.interrupt(f"{path}/interrupt")
    return board, cell


def start(ip: Any, source: int, target: int, count: int) -> None:
    ip.register_map.source = source
    ip.register_map.target = target
    ip.register_map.n = count
    ip.register_map.GIER = 1
    ip.register_map.CTRL = 1


def test_a_kernel_that_fetches_its_own_data(tmp_path: Path) -> None:
    board, _ = kernel_board()
    overlay = board.load(tmp_path, rtl={"kernel": str(tmp_path / "kernel.v")}, kernel_v=KERNEL)
    ip = overlay.kernel_0
    with (
        pynq.allocate(100, np.uint32, target=overlay.device) as source,
        pynq.allocate(100, np.uint32, target=overlay.device) as target,
    ):
        source[:] = np.arange(100)
        start(ip, source.physical_address, target.physical_address, 100)

        async def done() -> None:
            await ip.interrupt.wait()
            ip.register_map.IP_ISR = 1

        asyncio.run(done())
        assert (target == np.arange(100) + 1).all()
        assert ip.read(0) & 2  # done; reading clears it
        start(ip, target.physical_address, source.physical_address, 50)
        while not ip.read(0) & 2:  # a program that polls sees it too
            pass
        assert (source[:50] == np.arange(50) + 2).all()
        assert (source[50:] == np.arange(50, 100)).all()


def test_a_master_of_rtl_reaches_registers_of_rtl(tmp_path: Path) -> None:
    board, kernel = kernel_board()
    target = board.cell(
        "regs_0",
        [board.lite(addr=32)],
        [vector("irq", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH")],
        parameters={"C_S_AXI_ADDR_WIDTH": "32", "C_ID": "41"},
        blocks=[Block("s_axi", MAP)],
    )
    board.at(target, "s_axi", BASE)
    board.interrupt("regs_0/irq")
    board.design.map(kernel, "m_axi_gmem", target, "s_axi", BASE, 0x1_0000)
    rtl = {name: str(tmp_path / f"{name}.v") for name in ("kernel", "regs")}
    overlay = board.load(tmp_path, rtl=rtl, kernel_v=KERNEL, regs_v=REGS)
    start(overlay.kernel_0, BASE + 8, BASE, 1)  # ID + 1 into DATA
    overlay.device.run()
    assert int(overlay.regs_0.register_map.DATA) == 42
    assert overlay.regs_0.read(12) == BASE


def test_a_master_that_goes_astray_gets_an_error(tmp_path: Path) -> None:
    board, _ = kernel_board()
    overlay = board.load(tmp_path, rtl={"kernel": str(tmp_path / "kernel.v")}, kernel_v=KERNEL)
    start(overlay.kernel_0, 0x9000_0000, 0x9000_0000, 1)
    overlay.device.run()
    assert overlay.kernel_0.read(0) & 4  # idle again: an answer came, if only DECERR


def run_kernel(overlay: Any, ip: Any, count: int = 10) -> Any:
    with pynq.allocate(count, np.uint32, target=overlay.device) as buffer:
        buffer[:] = np.arange(count)
        start(ip, buffer.physical_address, buffer.physical_address, count)

        async def done() -> None:
            await ip.interrupt.wait()

        asyncio.run(done())
        return np.array(buffer)


def test_a_hierarchy_with_registers_and_a_master(tmp_path: Path) -> None:
    board, _ = kernel_board("core/kernel_0")
    table = '[[rtl]]\nhierarchy = "core"\ntop = "kernel"\nsources = "kernel.v"\n'
    overlay = board.load(tmp_path, table, kernel_v=KERNEL)
    assert set(overlay.device.rtl) == {"core"}
    assert (run_kernel(overlay, overlay.core.kernel_0) == np.arange(10) + 1).all()


def test_what_an_hls_tool_leaves(tmp_path: Path) -> None:
    """A solution's folder, with a table in a .dat file beside the Verilog."""
    folder = tmp_path / "solution1" / "syn" / "verilog"
    folder.mkdir(parents=True)
    rom = "module kernel_rom(output [31:0] q); reg [31:0] m[0:3]; "
    rom += 'initial $readmemh("./kernel_rom.dat", m); assign q = m[2]; endmodule'
    (folder / "kernel_rom.v").write_text(rom)
    (folder / "kernel_rom.dat").write_text("0\n0\n64\n0\n")
    text = KERNEL.replace("m_axi_gmem_rdata + 1", "m_axi_gmem_rdata + step")
    text = text.replace("reg start, done", "wire [31:0] step; kernel_rom rom(step);\n  reg start, done")
    (folder / "kernel.v").write_text(text)
    board, _ = kernel_board()
    table = '[[rtl]]\nvlnv = "acme.test:user:kernel"\nhls = "solution1"\n'
    overlay = board.load(tmp_path, table)
    assert (run_kernel(overlay, overlay.kernel_0) == np.arange(10) + 100).all()


def test_what_is_rtl_is_shown(tmp_path: Path) -> None:
    overlay = regs(tmp_path)
    assert repr(overlay.device) == "<SimDevice 'sim:': holds 'board', RTL: regs_0>"
    assert "RTL" in repr(overlay.device.rtl["regs_0"])
