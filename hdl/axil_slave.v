// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// AXI4-Lite slave: turns the five channels into one write and one read a time for a block of registers.
//
// Address and data of a write may come in any order. A read or a write takes two cycles where the master keeps up; both
// go on side by side. All outputs come from registers. Answers are always OKAY.
module axil_slave #
(
    // Bits of an address
    parameter ADDR_WIDTH = 6
)
(
    input  wire                   clk,
    input  wire                   rst_n,

    input  wire [ADDR_WIDTH-1:0]  s_axil_awaddr,
    input  wire                   s_axil_awvalid,
    output wire                   s_axil_awready,
    input  wire [31:0]            s_axil_wdata,
    input  wire [3:0]             s_axil_wstrb,
    input  wire                   s_axil_wvalid,
    output wire                   s_axil_wready,
    output wire [1:0]             s_axil_bresp,
    output wire                   s_axil_bvalid,
    input  wire                   s_axil_bready,
    input  wire [ADDR_WIDTH-1:0]  s_axil_araddr,
    input  wire                   s_axil_arvalid,
    output wire                   s_axil_arready,
    output wire [31:0]            s_axil_rdata,
    output wire [1:0]             s_axil_rresp,
    output wire                   s_axil_rvalid,
    input  wire                   s_axil_rready,

    // A write: for one cycle `write_enable` is high, `write_mask` has ones where a bit is written
    output wire                   write_enable,
    output wire [ADDR_WIDTH-3:0]  write_word,
    output wire [31:0]            write_data,
    output wire [31:0]            write_mask,
    // A read: for one cycle `read_enable` is high, and `read_data` has to hold the word's value
    output wire                   read_enable,
    output wire [ADDR_WIDTH-3:0]  read_word,
    input  wire [31:0]            read_data
);

    initial begin
        if (ADDR_WIDTH < 3) begin
            $error("Error: ADDR_WIDTH is %0d; an address needs 3 bits at least (instance %m)", ADDR_WIDTH);
            $finish;
        end
    end

    // One write at a time: each half is kept until the other is there, and both until the answer was taken.
    reg                  awready_reg, wready_reg, bvalid_reg;
    reg                  address_held_reg, data_held_reg;
    reg [ADDR_WIDTH-1:2] awaddr_reg;
    reg [31:0]           wdata_reg;
    reg [3:0]            wstrb_reg;

    wire address_comes = s_axil_awvalid && awready_reg;
    wire data_comes    = s_axil_wvalid && wready_reg;
    wire [3:0] strobes = data_held_reg ? wstrb_reg : s_axil_wstrb;

    assign write_enable = (address_held_reg || address_comes) && (data_held_reg || data_comes);
    assign write_word   = address_held_reg ? awaddr_reg : s_axil_awaddr[ADDR_WIDTH-1:2];
    assign write_data   = data_held_reg ? wdata_reg : s_axil_wdata;
    assign write_mask   = {{8{strobes[3]}}, {8{strobes[2]}}, {8{strobes[1]}}, {8{strobes[0]}}};

    assign s_axil_awready = awready_reg;
    assign s_axil_wready  = wready_reg;
    assign s_axil_bvalid  = bvalid_reg;
    assign s_axil_bresp   = 2'b00;

    always @(posedge clk) begin
        if (address_comes) begin
            awaddr_reg <= s_axil_awaddr[ADDR_WIDTH-1:2];
        end
        if (data_comes) begin
            wdata_reg <= s_axil_wdata;
            wstrb_reg <= s_axil_wstrb;
        end
        if (!rst_n) begin
            awready_reg      <= 1'b0;
            wready_reg       <= 1'b0;
            bvalid_reg       <= 1'b0;
            address_held_reg <= 1'b0;
            data_held_reg    <= 1'b0;
        end else if (write_enable) begin
            awready_reg      <= 1'b0;
            wready_reg       <= 1'b0;
            bvalid_reg       <= 1'b1;
            address_held_reg <= 1'b0;
            data_held_reg    <= 1'b0;
        end else if (bvalid_reg) begin
            bvalid_reg       <= !s_axil_bready;
            awready_reg      <= s_axil_bready;
            wready_reg       <= s_axil_bready;
        end else begin
            address_held_reg <= address_held_reg || address_comes;
            data_held_reg    <= data_held_reg || data_comes;
            awready_reg      <= !(address_held_reg || address_comes);
            wready_reg       <= !(data_held_reg || data_comes);
        end
    end

    reg        arready_reg, rvalid_reg;
    reg [31:0] rdata_reg;

    assign read_enable    = s_axil_arvalid && arready_reg;
    assign read_word      = s_axil_araddr[ADDR_WIDTH-1:2];
    assign s_axil_arready = arready_reg;
    assign s_axil_rvalid  = rvalid_reg;
    assign s_axil_rdata   = rdata_reg;
    assign s_axil_rresp   = 2'b00;

    always @(posedge clk) begin
        if (read_enable) begin
            rdata_reg <= read_data;
        end
        if (!rst_n) begin
            arready_reg <= 1'b0;
            rvalid_reg  <= 1'b0;
        end else if (read_enable) begin
            arready_reg <= 1'b0;
            rvalid_reg  <= 1'b1;
        end else if (!rvalid_reg || s_axil_rready) begin
            arready_reg <= 1'b1;
            rvalid_reg  <= 1'b0;
        end
    end

    // The two low bits of an address choose a byte within the word; byte strobes say the same for writes.
    wire unused = &{1'b0, s_axil_awaddr[1:0], s_axil_araddr[1:0]};

endmodule

`resetall
