// SPDX-License-Identifier: BSD-3-Clause
// A master that does the bursts it is told: up to 16, issued as fast as the bus takes them, each with its own ID, type,
// size, length and address. Data that are written come from a formula (byte lane b of beat i of slot s is
// s*29 + i*37 + b*11 + 1), data that are read go into a sum, over the lanes that the burst has.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module axi_burster #(
    parameter DATA = 64,
    parameter ID = 4,
    parameter LENGTH = 8,
    parameter AXI3 = 0
) (
    input  wire              clk,
    input  wire              rst_n,
    // {lock, sparse strobes, write, id[3:0], burst[1:0], size[2:0], len[7:0], address[31:0]}; taken when `push` toggles
    input  wire [63:0]       command,
    input  wire              push,
    input  wire              go,       // issue them
    input  wire [1:0]        order,    // of writes: 0 address and data freely, 1 data after address, 2 address after data began
    input  wire [3:0]        select,   // slot whose outcome is shown
    input  wire              hold,     // no READY for responses
    output wire [63:0]       sum,
    output wire [1:0]        answer,   // worst response
    output wire [8:0]        count,    // beats read
    output wire [8:0]        rank,     // the how-manieth it was to be over
    output reg  [4:0]        pushed,
    output reg  [4:0]        over,
    output reg               broken,   // a response that belongs to nothing

    output wire [ID-1:0]     m_axi_awid,
    output wire [31:0]       m_axi_awaddr,
    output wire [LENGTH-1:0] m_axi_awlen,
    output wire [2:0]        m_axi_awsize,
    output wire [1:0]        m_axi_awburst,
    output wire [1:0]        m_axi_awlock,
    output wire              m_axi_awvalid,
    input  wire              m_axi_awready,
    output wire [ID-1:0]     m_axi_wid,
    output reg  [DATA-1:0]   m_axi_wdata,
    output reg  [DATA/8-1:0] m_axi_wstrb,
    output wire              m_axi_wlast,
    output wire              m_axi_wvalid,
    input  wire              m_axi_wready,
    input  wire [ID-1:0]     m_axi_bid,
    input  wire [1:0]        m_axi_bresp,
    input  wire              m_axi_bvalid,
    output wire              m_axi_bready,
    output wire [ID-1:0]     m_axi_arid,
    output wire [31:0]       m_axi_araddr,
    output wire [LENGTH-1:0] m_axi_arlen,
    output wire [2:0]        m_axi_arsize,
    output wire [1:0]        m_axi_arburst,
    output wire [1:0]        m_axi_arlock,
    output wire              m_axi_arvalid,
    input  wire              m_axi_arready,
    input  wire [ID-1:0]     m_axi_rid,
    input  wire [DATA-1:0]   m_axi_rdata,
    input  wire [1:0]        m_axi_rresp,
    input  wire              m_axi_rlast,
    input  wire              m_axi_rvalid,
    output wire              m_axi_rready
);
    localparam LANES = DATA / 8;
    reg [63:0] commands [0:15];
    reg [63:0] sums [0:15];
    reg [8:0] counts [0:15];
    reg [8:0] ranks [0:15];
    reg [1:0] answers [0:15];
    reg finished [0:15];
    reg push_seen;
    integer i;

    assign sum = sums[select];
    assign count = counts[select];
    assign answer = answers[select];
    assign rank = ranks[select];

    // Three readers of the list: read addresses, write addresses, write data.
    reg [4:0] ar, aw, wd;
    reg [8:0] beat;
    reg [4:0] data_begun;  // slots whose first beat was offered
    wire [63:0] ar_now = commands[ar[3:0]];
    wire [63:0] aw_now = commands[aw[3:0]];
    wire [63:0] wd_now = commands[wd[3:0]];
    wire ar_there = go && ar < pushed;
    wire aw_there = go && aw < pushed;
    wire wd_there = go && wd < pushed;
    wire ar_mine = ar_there && !ar_now[50];
    wire aw_mine = aw_there && aw_now[50];
    wire wd_mine = wd_there && wd_now[50];

    assign m_axi_arvalid = ar_mine;
    assign m_axi_araddr = ar_now[31:0];
    assign m_axi_arlen = ar_now[32 +: LENGTH];
    assign m_axi_arsize = ar_now[42:40];
    assign m_axi_arburst = ar_now[44:43];
    assign m_axi_arid = ar_now[45 +: ID];
    assign m_axi_arlock = {1'b0, ar_now[52]};
    assign m_axi_awvalid = aw_mine && (order != 2 || data_begun > aw);
    assign m_axi_awaddr = aw_now[31:0];
    assign m_axi_awlen = aw_now[32 +: LENGTH];
    assign m_axi_awsize = aw_now[42:40];
    assign m_axi_awburst = aw_now[44:43];
    assign m_axi_awid = aw_now[45 +: ID];
    assign m_axi_awlock = {1'b0, aw_now[52]};
    assign m_axi_wvalid = wd_mine && (order != 1 || aw > wd);
    assign m_axi_wlast = beat == wd_now[39:32];
    assign m_axi_wid = wd_now[45 +: ID];

    // Lanes of a beat (A3.4.2).
    function [31:0] address_of(input [63:0] what, input [8:0] index);
        reg [31:0] at, span, plain;
        begin
            at = what[31:0];
            span = ({24'b0, what[39:32]} + 1) << what[42:40];
            plain = ((at >> what[42:40]) << what[42:40]) + ({23'b0, index} << what[42:40]);
            address_of = index == 0 || what[44:43] == 0 ? at :
                         what[44:43] == 2 ? (at & ~(span - 1)) | (plain & (span - 1)) : plain;
        end
    endfunction
    function [LANES-1:0] lanes_of(input [63:0] what, input [8:0] index);
        reg [31:0] at;
        integer first, last, b;
        begin
            at = address_of(what, index);
            first = at % LANES;
            last = ((at >> what[42:40]) << what[42:40]) % LANES + (1 << what[42:40]) - 1;
            for (b = 0; b < LANES; b = b + 1) lanes_of[b] = b >= first && b <= last;
        end
    endfunction

    reg [LANES-1:0] w_lanes;
    always @* begin
        w_lanes = lanes_of(wd_now, beat);
        for (i = 0; i < LANES; i = i + 1) begin
            m_axi_wdata[8*i +: 8] = wd[3:0] * 8'd29 + beat[7:0] * 8'd37 + i[7:0] * 8'd11 + 8'd1;
            m_axi_wstrb[i] = w_lanes[i] && (!wd_now[51] || ((beat[1:0] + i[1:0] + {1'b0, i[2]}) & 2'd3) != 0);
        end
    end

    // Whose response is it? The oldest of that ID that is not over.
    reg [4:0] r_slot, b_slot;
    always @* begin
        r_slot = 16;
        b_slot = 16;
        for (i = 15; i >= 0; i = i - 1) begin
            if (i < ar && !commands[i][50] && !finished[i] && commands[i][45 +: ID] == m_axi_rid) r_slot = i;
            if (i < aw && i < wd && commands[i][50] && !finished[i] && commands[i][45 +: ID] == m_axi_bid) b_slot = i;
        end
    end
    assign m_axi_rready = !hold;
    assign m_axi_bready = !hold;
    wire r = m_axi_rvalid && m_axi_rready;
    wire b = m_axi_bvalid && m_axi_bready;
    reg [63:0] folded;
    reg [LANES-1:0] r_lanes;
    always @* begin
        r_lanes = lanes_of(commands[r_slot[3:0]], counts[r_slot[3:0]]);
        folded = 0;
        for (i = 0; i < LANES; i = i + 1)
            if (r_lanes[i]) folded = folded + m_axi_rdata[8*i +: 8] * (i + 1);
    end

    always @(posedge clk) begin
        push_seen <= push;
        if (push != push_seen) begin
            commands[pushed[3:0]] <= command;
            pushed <= pushed + 1;
        end
        if (ar_there && (ar_now[50] || m_axi_arready)) ar <= ar + 1;
        if (aw_there && (!aw_now[50] || (m_axi_awvalid && m_axi_awready))) aw <= aw + 1;
        if (m_axi_wvalid) data_begun <= wd + 1;
        if (wd_there && !wd_now[50]) wd <= wd + 1;
        if (m_axi_wvalid && m_axi_wready) begin
            beat <= beat + 1;
            if (m_axi_wlast) begin
                beat <= 0;
                wd <= wd + 1;
            end
        end
        if (r) begin
            if (r_slot[4]) broken <= 1;
            sums[r_slot[3:0]] <= {sums[r_slot[3:0]][58:0], sums[r_slot[3:0]][63:59]} + folded;
            counts[r_slot[3:0]] <= counts[r_slot[3:0]] + 1;
            if (m_axi_rresp > answers[r_slot[3:0]]) answers[r_slot[3:0]] <= m_axi_rresp;
            if (m_axi_rlast != (counts[r_slot[3:0]] == commands[r_slot[3:0]][39:32])) broken <= 1;
            if (m_axi_rlast) begin
                finished[r_slot[3:0]] <= 1;
                ranks[r_slot[3:0]] <= over;
            end
        end
        if (b) begin
            if (b_slot[4]) broken <= 1;
            answers[b_slot[3:0]] <= m_axi_bresp;
            finished[b_slot[3:0]] <= 1;
            ranks[b_slot[3:0]] <= over;
        end
        over <= over + (r && m_axi_rlast) + b;
        if (!rst_n) begin
            push_seen <= push;
            pushed <= 0;
            over <= 0;
            broken <= 0;
            ar <= 0;
            aw <= 0;
            wd <= 0;
            beat <= 0;
            data_begun <= 0;
            for (i = 0; i < 16; i = i + 1) begin
                sums[i] <= 0;
                counts[i] <= 0;
                answers[i] <= 0;
                finished[i] <= 0;
                ranks[i] <= 0;
            end
        end
    end
endmodule

`resetall
