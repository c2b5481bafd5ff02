// SPDX-License-Identifier: BSD-3-Clause
// Memory behind an AXI4 slave: every burst type, narrow and unaligned, with wait states from a register of noise.
// The word in the last row answers SLVERR. Counts the bursts and keeps the longest, so that a test can tell bursts from beats.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module axi_mem #(
    parameter DATA = 32,
    parameter ADDR = 16,
    parameter ID = 4,
    parameter LENGTH = 8,  // bits of AxLEN: 8, AXI3 4
    parameter NOISE = 0    // one of 2^NOISE cycles is not a wait state; 0: none is
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire [ID-1:0]     s_axi_awid,
    input  wire [ADDR-1:0]   s_axi_awaddr,
    input  wire [LENGTH-1:0] s_axi_awlen,
    input  wire [2:0]        s_axi_awsize,
    input  wire [1:0]        s_axi_awburst,
    input  wire              s_axi_awvalid,
    output reg               s_axi_awready,
    input  wire [DATA-1:0]   s_axi_wdata,
    input  wire [DATA/8-1:0] s_axi_wstrb,
    input  wire              s_axi_wlast,
    input  wire              s_axi_wvalid,
    output wire              s_axi_wready,
    output reg  [ID-1:0]     s_axi_bid,
    output reg  [1:0]        s_axi_bresp,
    output reg               s_axi_bvalid,
    input  wire              s_axi_bready,
    input  wire [ID-1:0]     s_axi_arid,
    input  wire [ADDR-1:0]   s_axi_araddr,
    input  wire [LENGTH-1:0] s_axi_arlen,
    input  wire [2:0]        s_axi_arsize,
    input  wire [1:0]        s_axi_arburst,
    input  wire              s_axi_arvalid,
    output reg               s_axi_arready,
    output reg  [ID-1:0]     s_axi_rid,
    output reg  [DATA-1:0]   s_axi_rdata,
    output reg  [1:0]        s_axi_rresp,
    output reg               s_axi_rlast,
    output reg               s_axi_rvalid,
    input  wire              s_axi_rready,
    output reg  [31:0]       bursts,
    output reg  [8:0]        longest,
    output reg  [31:0]       crossings  // bursts that leave a 4 KiB page, or whose WLAST is wrong
);
    localparam LANES = DATA / 8;
    localparam LOW = $clog2(LANES);
    localparam ROWS = 1 << (ADDR - LOW);
    reg [DATA-1:0] rows [0:ROWS-1];
    integer i;
    initial for (i = 0; i < ROWS; i = i + 1) rows[i] = 0;

    reg [15:0] noise;
    wire pause = NOISE != 0 && (noise & ((1 << NOISE) - 1)) != 0;

    // The address after a beat (A3.4.1).
    function [ADDR-1:0] after(input [ADDR-1:0] at, input [2:0] size, input [1:0] kind, input [LENGTH-1:0] len);
        reg [ADDR-1:0] next, span;
        begin
            next = ((at >> size) + 1) << size;
            span = ({{(ADDR-LENGTH){1'b0}}, len} + 1) << size;
            after = kind == 0 ? at :
                    kind == 2 ? (at & ~(span - 1)) | (next & (span - 1)) : next;
        end
    endfunction
    function crosses(input [ADDR-1:0] at, input [2:0] size, input [1:0] kind, input [LENGTH-1:0] len);
        reg [ADDR:0] last;
        begin
            last = {1'b0, (at >> size) << size} + (({{(ADDR+1-LENGTH){1'b0}}, len} + 1) << size) - 1;
            crosses = kind == 1 && (last >> 12) != ({1'b0, at} >> 12);
        end
    endfunction

    reg writing;
    reg [ID-1:0] w_id;
    reg [ADDR-1:0] w_at;
    reg [LENGTH-1:0] w_len, w_left;
    reg [2:0] w_size;
    reg [1:0] w_kind;
    reg w_bad;
    reg w_ready;
    assign s_axi_wready = writing && w_ready && !s_axi_bvalid;

    reg reading;
    reg [ADDR-1:0] r_at;
    reg [LENGTH-1:0] r_len, r_left;
    reg [2:0] r_size;
    reg [1:0] r_kind;
    reg [ID-1:0] r_id;

    always @(posedge clk) begin
        noise <= {noise[14:0], noise[15] ^ noise[13] ^ noise[12] ^ noise[10]};
        s_axi_awready <= !writing && !s_axi_bvalid && !pause && !(s_axi_awvalid && s_axi_awready);
        if (s_axi_awvalid && s_axi_awready) begin
            writing <= 1;
            w_id <= s_axi_awid;
            w_at <= s_axi_awaddr;
            w_len <= s_axi_awlen;
            w_left <= s_axi_awlen;
            w_size <= s_axi_awsize;
            w_kind <= s_axi_awburst;
            w_bad <= 0;
            bursts <= bursts + 1;
            if ({1'b0, s_axi_awlen} + 1 > longest) longest <= {1'b0, s_axi_awlen} + 1;
            if (crosses(s_axi_awaddr, s_axi_awsize, s_axi_awburst, s_axi_awlen)) crossings <= crossings + 1;
        end
        w_ready <= !pause;
        if (s_axi_wvalid && s_axi_wready) begin
            for (i = 0; i < LANES; i = i + 1)
                if (s_axi_wstrb[i]) rows[w_at[ADDR-1:LOW]][8*i +: 8] <= s_axi_wdata[8*i +: 8];
            w_at <= after(w_at, w_size, w_kind, w_len);
            w_left <= w_left - 1;
            if (s_axi_wlast != (w_left == 0)) crossings <= crossings + 1;
            if (&w_at[ADDR-1:LOW]) w_bad <= 1;
            if (w_left == 0) begin
                writing <= 0;
                s_axi_bvalid <= 1;
                s_axi_bid <= w_id;
                s_axi_bresp <= w_bad || &w_at[ADDR-1:LOW] ? 2 : 0;
            end
        end
        if (s_axi_bvalid && s_axi_bready) s_axi_bvalid <= 0;

        s_axi_arready <= !reading && !s_axi_rvalid && !pause && !(s_axi_arvalid && s_axi_arready);
        if (s_axi_arvalid && s_axi_arready) begin
            reading <= 1;
            r_id <= s_axi_arid;
            r_at <= s_axi_araddr;
            r_len <= s_axi_arlen;
            r_left <= s_axi_arlen;
            r_size <= s_axi_arsize;
            r_kind <= s_axi_arburst;
            bursts <= bursts + 1;
            if ({1'b0, s_axi_arlen} + 1 > longest) longest <= {1'b0, s_axi_arlen} + 1;
            if (crosses(s_axi_araddr, s_axi_arsize, s_axi_arburst, s_axi_arlen)) crossings <= crossings + 1;
        end
        if (s_axi_rvalid && s_axi_rready) s_axi_rvalid <= 0;
        if (reading && !pause && (!s_axi_rvalid || s_axi_rready)) begin
            s_axi_rvalid <= 1;
            s_axi_rid <= r_id;
            s_axi_rdata <= rows[r_at[ADDR-1:LOW]];
            s_axi_rresp <= &r_at[ADDR-1:LOW] ? 2 : 0;
            s_axi_rlast <= r_left == 0;
            r_at <= after(r_at, r_size, r_kind, r_len);
            r_left <= r_left - 1;
            if (r_left == 0) reading <= 0;
        end

        if (!rst_n) begin
            noise <= 16'hace1;
            writing <= 0;
            reading <= 0;
            w_ready <= 0;
            s_axi_awready <= 0;
            s_axi_arready <= 0;
            s_axi_bvalid <= 0;
            s_axi_rvalid <= 0;
            bursts <= 0;
            longest <= 0;
            crossings <= 0;
        end
    end
endmodule

`resetall
