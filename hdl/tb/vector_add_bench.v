// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// `vector_add` with the IDs that cocotbext-axi wants to see on an AXI4 bus: all zero, answers checked by nobody.
module vector_add_bench #
(
    parameter MAX_BEATS = 64
)
(
    input  wire         ap_clk,
    input  wire         ap_rst_n,

    input  wire [5:0]   s_axi_control_awaddr,
    input  wire         s_axi_control_awvalid,
    output wire         s_axi_control_awready,
    input  wire [31:0]  s_axi_control_wdata,
    input  wire [3:0]   s_axi_control_wstrb,
    input  wire         s_axi_control_wvalid,
    output wire         s_axi_control_wready,
    output wire [1:0]   s_axi_control_bresp,
    output wire         s_axi_control_bvalid,
    input  wire         s_axi_control_bready,
    input  wire [5:0]   s_axi_control_araddr,
    input  wire         s_axi_control_arvalid,
    output wire         s_axi_control_arready,
    output wire [31:0]  s_axi_control_rdata,
    output wire [1:0]   s_axi_control_rresp,
    output wire         s_axi_control_rvalid,
    input  wire         s_axi_control_rready,

    output wire [0:0]   m_axi_gmem_awid,
    output wire [63:0]  m_axi_gmem_awaddr,
    output wire [7:0]   m_axi_gmem_awlen,
    output wire [2:0]   m_axi_gmem_awsize,
    output wire [1:0]   m_axi_gmem_awburst,
    output wire [0:0]   m_axi_gmem_awlock,
    output wire [3:0]   m_axi_gmem_awcache,
    output wire [2:0]   m_axi_gmem_awprot,
    output wire [3:0]   m_axi_gmem_awqos,
    output wire         m_axi_gmem_awvalid,
    input  wire         m_axi_gmem_awready,
    output wire [63:0]  m_axi_gmem_wdata,
    output wire [7:0]   m_axi_gmem_wstrb,
    output wire         m_axi_gmem_wlast,
    output wire         m_axi_gmem_wvalid,
    input  wire         m_axi_gmem_wready,
    input  wire [0:0]   m_axi_gmem_bid,
    input  wire [1:0]   m_axi_gmem_bresp,
    input  wire         m_axi_gmem_bvalid,
    output wire         m_axi_gmem_bready,
    output wire [0:0]   m_axi_gmem_arid,
    output wire [63:0]  m_axi_gmem_araddr,
    output wire [7:0]   m_axi_gmem_arlen,
    output wire [2:0]   m_axi_gmem_arsize,
    output wire [1:0]   m_axi_gmem_arburst,
    output wire [0:0]   m_axi_gmem_arlock,
    output wire [3:0]   m_axi_gmem_arcache,
    output wire [2:0]   m_axi_gmem_arprot,
    output wire [3:0]   m_axi_gmem_arqos,
    output wire         m_axi_gmem_arvalid,
    input  wire         m_axi_gmem_arready,
    input  wire [0:0]   m_axi_gmem_rid,
    input  wire [63:0]  m_axi_gmem_rdata,
    input  wire [1:0]   m_axi_gmem_rresp,
    input  wire         m_axi_gmem_rlast,
    input  wire         m_axi_gmem_rvalid,
    output wire         m_axi_gmem_rready,

    output wire         interrupt
);

    assign m_axi_gmem_awid = 1'b0;
    assign m_axi_gmem_arid = 1'b0;

    vector_add #(
        .MAX_BEATS(MAX_BEATS)
    ) dut (
        .ap_clk(ap_clk),
        .ap_rst_n(ap_rst_n),
        .s_axi_control_AWADDR(s_axi_control_awaddr),
        .s_axi_control_AWVALID(s_axi_control_awvalid),
        .s_axi_control_AWREADY(s_axi_control_awready),
        .s_axi_control_WDATA(s_axi_control_wdata),
        .s_axi_control_WSTRB(s_axi_control_wstrb),
        .s_axi_control_WVALID(s_axi_control_wvalid),
        .s_axi_control_WREADY(s_axi_control_wready),
        .s_axi_control_BRESP(s_axi_control_bresp),
        .s_axi_control_BVALID(s_axi_control_bvalid),
        .s_axi_control_BREADY(s_axi_control_bready),
        .s_axi_control_ARADDR(s_axi_control_araddr),
        .s_axi_control_ARVALID(s_axi_control_arvalid),
        .s_axi_control_ARREADY(s_axi_control_arready),
        .s_axi_control_RDATA(s_axi_control_rdata),
        .s_axi_control_RRESP(s_axi_control_rresp),
        .s_axi_control_RVALID(s_axi_control_rvalid),
        .s_axi_control_RREADY(s_axi_control_rready),
        .m_axi_gmem_AWADDR(m_axi_gmem_awaddr),
        .m_axi_gmem_AWLEN(m_axi_gmem_awlen),
        .m_axi_gmem_AWSIZE(m_axi_gmem_awsize),
        .m_axi_gmem_AWBURST(m_axi_gmem_awburst),
        .m_axi_gmem_AWLOCK(m_axi_gmem_awlock),
        .m_axi_gmem_AWCACHE(m_axi_gmem_awcache),
        .m_axi_gmem_AWPROT(m_axi_gmem_awprot),
        .m_axi_gmem_AWQOS(m_axi_gmem_awqos),
        .m_axi_gmem_AWVALID(m_axi_gmem_awvalid),
        .m_axi_gmem_AWREADY(m_axi_gmem_awready),
        .m_axi_gmem_WDATA(m_axi_gmem_wdata),
        .m_axi_gmem_WSTRB(m_axi_gmem_wstrb),
        .m_axi_gmem_WLAST(m_axi_gmem_wlast),
        .m_axi_gmem_WVALID(m_axi_gmem_wvalid),
        .m_axi_gmem_WREADY(m_axi_gmem_wready),
        .m_axi_gmem_BRESP(m_axi_gmem_bresp),
        .m_axi_gmem_BVALID(m_axi_gmem_bvalid),
        .m_axi_gmem_BREADY(m_axi_gmem_bready),
        .m_axi_gmem_ARADDR(m_axi_gmem_araddr),
        .m_axi_gmem_ARLEN(m_axi_gmem_arlen),
        .m_axi_gmem_ARSIZE(m_axi_gmem_arsize),
        .m_axi_gmem_ARBURST(m_axi_gmem_arburst),
        .m_axi_gmem_ARLOCK(m_axi_gmem_arlock),
        .m_axi_gmem_ARCACHE(m_axi_gmem_arcache),
        .m_axi_gmem_ARPROT(m_axi_gmem_arprot),
        .m_axi_gmem_ARQOS(m_axi_gmem_arqos),
        .m_axi_gmem_ARVALID(m_axi_gmem_arvalid),
        .m_axi_gmem_ARREADY(m_axi_gmem_arready),
        .m_axi_gmem_RDATA(m_axi_gmem_rdata),
        .m_axi_gmem_RRESP(m_axi_gmem_rresp),
        .m_axi_gmem_RLAST(m_axi_gmem_rlast),
        .m_axi_gmem_RVALID(m_axi_gmem_rvalid),
        .m_axi_gmem_RREADY(m_axi_gmem_rready),
        .interrupt(interrupt)
    );

    wire unused = &{1'b0, m_axi_gmem_bid, m_axi_gmem_rid};

endmodule

`resetall
