// SPDX-License-Identifier: BSD-3-Clause
// Sixteen registers on an AXI4-Lite slave that takes address and data of a write in every order there is.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module axi_regs #(
    parameter DATA = 32  // 32 or 64
) (
    input  wire              clk,
    input  wire [2:0]        order,  // 0 both at once, 1 address first, 2 data first, 3 either, 4 both at once, combinational
    input  wire [6:0]        delay,  // cycles before each response
    input  wire              rst_n,
    input  wire [7:0]        s_axi_awaddr,
    input  wire              s_axi_awvalid,
    output wire              s_axi_awready,
    input  wire [DATA-1:0]   s_axi_wdata,
    input  wire [DATA/8-1:0] s_axi_wstrb,
    input  wire              s_axi_wvalid,
    output wire              s_axi_wready,
    output reg  [1:0]        s_axi_bresp,
    output reg               s_axi_bvalid,
    input  wire              s_axi_bready,
    input  wire [7:0]        s_axi_araddr,
    input  wire              s_axi_arvalid,
    output wire              s_axi_arready,
    output reg  [DATA-1:0]   s_axi_rdata,
    output reg  [1:0]        s_axi_rresp,
    output reg               s_axi_rvalid,
    input  wire              s_axi_rready,
    output wire [31:0]       writes
);
    localparam LOW = DATA == 64 ? 3 : 2;
    reg [DATA-1:0] regs [0:15];
    reg have_address, have_data;
    reg [7:0] address;
    reg [DATA-1:0] data;
    reg [DATA/8-1:0] strobe;
    reg [7:0] b_count, r_count;
    reg [31:0] written;
    reg reading;
    reg [7:0] read_address;
    integer i;
    assign writes = written;

    // A write is under way from its first half until its response is taken.
    wire open = !s_axi_bvalid && b_count == 0;
    wire both = s_axi_awvalid && s_axi_wvalid;
    reg both_ready;
    assign s_axi_awready = order == 0 ? both_ready :
                           order == 1 ? open && !have_address :
                           order == 2 ? open && !have_address && have_data :
                           order == 3 ? open && !have_address : open && both;
    assign s_axi_wready = order == 0 ? both_ready :
                          order == 1 ? open && have_address && !have_data :
                          order == 2 ? open && !have_data :
                          order == 3 ? open && !have_data : open && both;
    assign s_axi_arready = !reading && !s_axi_rvalid;

    wire aw = s_axi_awvalid && s_axi_awready;
    wire w = s_axi_wvalid && s_axi_wready;
    wire complete = (have_address || aw) && (have_data || w);
    wire [7:0] at = aw ? s_axi_awaddr : address;
    wire [DATA-1:0] value = w ? s_axi_wdata : data;
    wire [DATA/8-1:0] lanes = w ? s_axi_wstrb : strobe;

    always @(posedge clk) begin
        both_ready <= 0;
        if (order == 0 && both && open && !both_ready) both_ready <= 1;
        if (aw) begin
            have_address <= 1;
            address <= s_axi_awaddr;
        end
        if (w) begin
            have_data <= 1;
            data <= s_axi_wdata;
            strobe <= s_axi_wstrb;
        end
        if (complete) begin
            have_address <= 0;
            have_data <= 0;
            b_count <= delay + 1;
            s_axi_bresp <= at[7:LOW] == 14 ? 2 : at[7:LOW] == 15 ? 3 : 0;
            if (at[7:LOW] < 14) begin
                written <= written + 1;
                for (i = 0; i < DATA / 8; i = i + 1)
                    if (lanes[i]) regs[at[LOW+3:LOW]][8*i +: 8] <= value[8*i +: 8];
            end
        end
        if (b_count != 0) begin
            b_count <= b_count - 1;
            if (b_count == 1) s_axi_bvalid <= 1;
        end
        if (s_axi_bvalid && s_axi_bready) s_axi_bvalid <= 0;

        if (s_axi_arvalid && s_axi_arready) begin
            reading <= 1;
            read_address <= s_axi_araddr;
            r_count <= {1'b0, delay};
        end
        if (reading) begin
            r_count <= r_count - 1;
            if (r_count == 0) begin
                reading <= 0;
                s_axi_rvalid <= 1;
                s_axi_rdata <= regs[read_address[LOW+3:LOW]];
                s_axi_rresp <= read_address[7:LOW] == 14 ? 2 : read_address[7:LOW] == 15 ? 3 : 0;
            end
        end
        if (s_axi_rvalid && s_axi_rready) s_axi_rvalid <= 0;

        if (!rst_n) begin
            both_ready <= 0;
            have_address <= 0;
            have_data <= 0;
            b_count <= 0;
            reading <= 0;
            s_axi_bvalid <= 0;
            s_axi_rvalid <= 0;
            written <= 0;
            for (i = 0; i < 16; i = i + 1) regs[i] <= 0;
        end
    end
endmodule

`resetall
