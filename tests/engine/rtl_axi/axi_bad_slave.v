// SPDX-License-Identifier: BSD-3-Clause
// A slave that breaks one rule of AXI, chosen by `rule`; with 0 none. With 18 it takes nothing. Reads give the number of the beat.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module axi_bad_slave (
    input  wire        clk,
    input  wire [7:0]  rule,
    input  wire        rst_n,
    input  wire        go,  // rule 1, 2: the response that nobody asked for
    input  wire [3:0]  s_axi_awid,
    input  wire [11:0] s_axi_awaddr,
    input  wire [7:0]  s_axi_awlen,
    input  wire [2:0]  s_axi_awsize,
    input  wire [1:0]  s_axi_awburst,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [3:0]  s_axi_wstrb,
    input  wire        s_axi_wlast,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output wire [3:0]  s_axi_bid,
    output wire [1:0]  s_axi_bresp,
    output wire        s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [3:0]  s_axi_arid,
    input  wire [11:0] s_axi_araddr,
    input  wire [7:0]  s_axi_arlen,
    input  wire [2:0]  s_axi_arsize,
    input  wire [1:0]  s_axi_arburst,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output wire [3:0]  s_axi_rid,
    output wire [31:0] s_axi_rdata,
    output wire [1:0]  s_axi_rresp,
    output wire        s_axi_rlast,
    output wire        s_axi_rvalid,
    input  wire        s_axi_rready
);
    reg aw_done, w_done, w_begun, ar_done;
    reg [3:0] w_id, r_id;
    reg [7:0] r_len, r_beat;
    reg [7:0] age;

    assign s_axi_awready = !aw_done && rule != 5 && rule != 18;
    assign s_axi_wready = !w_done && !(rule == 4 && w_begun) && rule != 18;
    assign s_axi_bvalid = (rule == 3 && !rst_n) || (rule == 1 && go && age[0]) || (rule == 4 && aw_done && w_begun) ||
                          (rule == 5 && w_done) || (aw_done && w_done && !(rule == 8 && age[0]));
    assign s_axi_bid = rule == 6 ? w_id + 1 : rule == 5 ? s_axi_awid : w_id;
    assign s_axi_bresp = rule == 7 ? 1 : rule == 9 ? {age[0], 1'b0} : 0;
    assign s_axi_arready = !ar_done && rule != 17 && rule != 18;
    assign s_axi_rvalid = (rule == 10 && !rst_n) || (rule == 2 && go && age[0]) || (rule == 17 && s_axi_arvalid) ||
                          (ar_done && !(rule == 15 && age[0]));
    assign s_axi_rid = rule == 11 ? r_id + 1 : r_id;
    assign s_axi_rdata = rule == 16 ? {24'b0, age} : {24'b0, r_beat};
    assign s_axi_rresp = rule == 14 ? 1 : 0;
    assign s_axi_rlast = rule == 12 ? 0 : rule == 13 ? 1 : r_beat == r_len;

    always @(posedge clk) begin
        age <= age + 1;
        if (s_axi_awvalid && s_axi_awready) begin
            aw_done <= 1;
            w_id <= s_axi_awid;
        end
        if (s_axi_wvalid && s_axi_wready) begin
            w_begun <= 1;
            if (s_axi_wlast) w_done <= 1;
        end
        if ((aw_done || rule == 5) && w_done && s_axi_bvalid && s_axi_bready) begin
            aw_done <= 0;
            w_done <= 0;
            w_begun <= 0;
        end
        if (s_axi_arvalid && s_axi_arready) begin
            ar_done <= 1;
            r_id <= s_axi_arid;
            r_len <= s_axi_arlen;
            r_beat <= 0;
        end
        if (ar_done && s_axi_rvalid && s_axi_rready) begin
            r_beat <= r_beat + 1;
            if (r_beat == r_len) ar_done <= 0;
        end
        if (!rst_n) begin
            aw_done <= 0;
            w_done <= 0;
            w_begun <= 0;
            ar_done <= 0;
            r_beat <= 0;
            age <= 0;
        end
    end
endmodule

`resetall
