// SPDX-License-Identifier: BSD-3-Clause
// Copies words in bursts of 16, reading and writing at the same time: what a memory-mapped kernel does at best.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module axi_copy #(
    parameter DATA = 64
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire [31:0]       source,
    input  wire [31:0]       target,
    input  wire [31:0]       bursts,   // of 16 beats
    input  wire              start,    // a change starts
    output reg               done,

    output reg  [31:0]       m_axi_awaddr,
    output wire [7:0]        m_axi_awlen,
    output wire [2:0]        m_axi_awsize,
    output wire [1:0]        m_axi_awburst,
    output wire              m_axi_awvalid,
    input  wire              m_axi_awready,
    output wire [DATA-1:0]   m_axi_wdata,
    output wire [DATA/8-1:0] m_axi_wstrb,
    output wire              m_axi_wlast,
    output wire              m_axi_wvalid,
    input  wire              m_axi_wready,
    input  wire [1:0]        m_axi_bresp,
    input  wire              m_axi_bvalid,
    output wire              m_axi_bready,
    output reg  [31:0]       m_axi_araddr,
    output wire [7:0]        m_axi_arlen,
    output wire [2:0]        m_axi_arsize,
    output wire [1:0]        m_axi_arburst,
    output wire              m_axi_arvalid,
    input  wire              m_axi_arready,
    input  wire [DATA-1:0]   m_axi_rdata,
    input  wire [1:0]        m_axi_rresp,
    input  wire              m_axi_rlast,
    input  wire              m_axi_rvalid,
    output wire              m_axi_rready
);
    localparam LANES = DATA / 8;
    reg started;
    reg [31:0] to_read, to_write, to_answer;
    // The FIFO holds what was asked for in any case, so RREADY is never low.
    reg [DATA-1:0] fifo [0:255];
    reg [8:0] put, got;
    reg [8:0] room;      // beats that may be asked for
    reg [3:0] beat;
    reg [31:0] bursts_whole;  // read bursts that are in the FIFO, and have no write address yet
    reg [31:0] to_send;       // write bursts whose address is out, and whose data are not

    assign m_axi_arlen = 15;
    assign m_axi_arsize = $clog2(LANES);
    assign m_axi_arburst = 1;
    assign m_axi_awlen = 15;
    assign m_axi_awsize = $clog2(LANES);
    assign m_axi_awburst = 1;
    assign m_axi_arvalid = to_read != 0 && room >= 16;
    assign m_axi_rready = 1;
    assign m_axi_awvalid = bursts_whole != 0;
    assign m_axi_wvalid = put != got && to_send != 0;
    assign m_axi_wdata = fifo[got[7:0]];
    assign m_axi_wstrb = {LANES{1'b1}};
    assign m_axi_wlast = beat == 15;
    assign m_axi_bready = 1;

    wire ar = m_axi_arvalid && m_axi_arready;
    wire aw = m_axi_awvalid && m_axi_awready;
    wire w = m_axi_wvalid && m_axi_wready;
    wire r = m_axi_rvalid;
    always @(posedge clk) begin
        started <= start;
        if (ar) begin
            m_axi_araddr <= m_axi_araddr + 16 * LANES;
            to_read <= to_read - 1;
        end
        if (aw) begin
            m_axi_awaddr <= m_axi_awaddr + 16 * LANES;
            to_write <= to_write - 1;
        end
        if (r) begin
            fifo[put[7:0]] <= m_axi_rdata;
            put <= put + 1;
        end
        if (w) begin
            got <= got + 1;
            beat <= beat + 1;
        end
        room <= room - (ar ? 16 : 0) + (w ? 1 : 0);
        bursts_whole <= bursts_whole + (r && m_axi_rlast) - aw;
        to_send <= to_send + aw - (w && m_axi_wlast);
        if (m_axi_bvalid) begin
            to_answer <= to_answer - 1;
            if (to_answer == 1) done <= 1;
        end
        if (start != started) begin
            m_axi_araddr <= source;
            m_axi_awaddr <= target;
            to_read <= bursts;
            to_write <= bursts;
            to_answer <= bursts;
            done <= 0;
        end
        if (!rst_n) begin
            started <= start;
            to_read <= 0;
            to_write <= 0;
            to_answer <= 0;
            bursts_whole <= 0;
            to_send <= 0;
            put <= 0;
            got <= 0;
            beat <= 0;
            room <= 256;
            done <= 0;
        end
    end
endmodule

`resetall
