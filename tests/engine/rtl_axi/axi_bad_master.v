// SPDX-License-Identifier: BSD-3-Clause
// A master that breaks one rule of AXI, chosen by `rule`; with 0 none. After `go` one write of four beats, then
// one read of four beats.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module axi_bad_master (
    input  wire        clk,
    input  wire [7:0]  rule,
    input  wire        rst_n,
    input  wire        go,
    output wire        done,
    output wire [31:0] m_axi_awaddr,
    output wire [7:0]  m_axi_awlen,
    output wire [2:0]  m_axi_awsize,
    output wire [1:0]  m_axi_awburst,
    output wire [1:0]  m_axi_awlock,
    output wire [3:0]  m_axi_awcache,
    output wire        m_axi_awvalid,
    input  wire        m_axi_awready,
    output wire [63:0] m_axi_wdata,
    output wire [7:0]  m_axi_wstrb,
    output wire        m_axi_wlast,
    output wire        m_axi_wvalid,
    input  wire        m_axi_wready,
    input  wire [1:0]  m_axi_bresp,
    input  wire        m_axi_bvalid,
    output wire        m_axi_bready,
    output wire [31:0] m_axi_araddr,
    output wire [7:0]  m_axi_arlen,
    output wire [2:0]  m_axi_arsize,
    output wire [1:0]  m_axi_arburst,
    output wire        m_axi_arvalid,
    input  wire        m_axi_arready,
    input  wire [63:0] m_axi_rdata,
    input  wire [1:0]  m_axi_rresp,
    input  wire        m_axi_rlast,
    input  wire        m_axi_rvalid,
    output wire        m_axi_rready
);
    localparam IDLE = 0, WRITE = 1, RESPONSE = 2, READ = 3, DATA = 4, DONE = 5;
    reg [2:0] state;
    reg aw_done, w_done;
    reg [7:0] beat;
    reg [7:0] age;  // cycles in this state

    assign done = state == DONE;
    wire dropped = age[0];
    assign m_axi_awvalid = (rule == 1 && !rst_n) || (state == WRITE && !aw_done && !(rule == 4 && dropped));
    assign m_axi_awaddr = rule == 5 ? 32'h1000 + {24'b0, age} * 64 :
                          rule == 10 || rule == 18 ? 32'h1004 : rule == 12 ? 32'h1ff0 : 32'h1000;
    assign m_axi_awlen = rule == 9 ? 2 : rule == 13 || rule == 19 ? 16 : rule == 17 ? 2 : 3;
    assign m_axi_awsize = rule == 11 ? 4 : rule == 14 ? 0 : 3;
    assign m_axi_awburst = rule == 8 ? 3 : rule == 9 || rule == 10 ? 2 : rule == 13 ? 0 : 1;
    assign m_axi_awlock = rule == 17 || rule == 18 ? 1 : rule == 20 ? 3 : 0;
    assign m_axi_awcache = rule == 15 ? 4 : 3;
    assign m_axi_wvalid = (rule == 2 && !rst_n) || (state == WRITE && !w_done && !(rule == 6 && dropped));
    assign m_axi_wdata = rule == 7 ? {56'b0, age} : {56'b0, beat};
    assign m_axi_wstrb = rule == 21 ? {8{age[0]}} ^ 8'h0f : 8'hff;
    assign m_axi_wlast = rule == 16 ? 0 : rule == 22 ? beat == 1 : beat == m_axi_awlen;
    assign m_axi_bready = 1;
    assign m_axi_arvalid = (rule == 3 && !rst_n) || (state == READ && !(rule == 23 && dropped));
    assign m_axi_araddr = rule == 24 ? 32'h1000 + {24'b0, age} * 64 : rule == 25 ? 32'h1ff0 : 32'h1000;
    assign m_axi_arlen = 3;
    assign m_axi_arsize = 3;
    assign m_axi_arburst = rule == 26 ? 3 : 1;
    assign m_axi_rready = 1;

    always @(posedge clk) begin
        age <= age + 1;
        case (state)
        IDLE: if (go) begin
            state <= WRITE;
            age <= 0;
        end
        WRITE: begin
            if (m_axi_awvalid && m_axi_awready) aw_done <= 1;
            if (m_axi_wvalid && m_axi_wready) begin
                beat <= beat + 1;
                if (beat == m_axi_awlen) w_done <= 1;
            end
            if (aw_done && w_done) state <= RESPONSE;
        end
        RESPONSE: if (m_axi_bvalid) begin
            state <= READ;
            age <= 0;
        end
        READ: if (m_axi_arvalid && m_axi_arready) state <= DATA;
        DATA: if (m_axi_rvalid && m_axi_rlast) state <= DONE;
        default: ;
        endcase
        // A response may come before this state machine looks for it.
        if (state == WRITE && m_axi_bvalid) state <= READ;
        if (!rst_n) begin
            state <= IDLE;
            aw_done <= 0;
            w_done <= 0;
            beat <= 0;
            age <= 0;
        end
    end
endmodule

`resetall
