// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// Cuts a range of 64-bit beats into bursts of at most MAX_BEATS, none of which crosses a multiple of MAX_BEATS beats; so
// none crosses a boundary of 4 KiB either (AMBA IHI 0022, section A3.4.1).
module axi_bursts #
(
    // Longest burst in beats: a power of two, 2 to 256
    parameter MAX_BEATS = 64
)
(
    input  wire         clk,
    input  wire         rst_n,

    // A new range; only while `valid` is low
    input  wire         start,
    input  wire [63:3]  start_address,
    input  wire [31:0]  start_beats,

    // The next burst
    output wire         valid,
    input  wire         ready,
    output wire [63:3]  address,
    output wire [8:0]   beats
);

    localparam BITS = $clog2(MAX_BEATS);

    initial begin
        if (MAX_BEATS < 2 || MAX_BEATS > 256 || MAX_BEATS != (1 << BITS)) begin
            $error("Error: MAX_BEATS is %0d; it has to be a power of two, 2 to 256 (instance %m)", MAX_BEATS);
            $finish;
        end
    end

    localparam [8:0] LONGEST = MAX_BEATS;

    reg  [63:3] address_reg;
    reg  [31:0] left_reg;
    wire [8:0]  room = LONGEST - {{9-BITS{1'b0}}, address_reg[BITS+2:3]};

    assign valid   = left_reg != 32'd0;
    assign address = address_reg;
    assign beats   = left_reg < {23'd0, room} ? left_reg[8:0] : room;

    always @(posedge clk) begin
        if (!rst_n) begin
            left_reg <= 32'd0;
        end else if (valid) begin
            if (ready) begin
                address_reg <= address_reg + {52'd0, beats};
                left_reg    <= left_reg - {23'd0, beats};
            end
        end else if (start) begin
            address_reg <= start_address;
            left_reg    <= start_beats;
        end
    end

endmodule

`resetall
