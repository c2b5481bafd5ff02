// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// One row of words: each step gives back what lay at `address`, one cycle later, and stores `in` there. A block RAM in
// read-first mode.
module line_buffer #
(
    // Bits of a word
    parameter WIDTH = 32,
    // Words
    parameter DEPTH = 4096,
    // Bits of an address
    parameter ADDR_WIDTH = 12
)
(
    input  wire                   clk,
    input  wire                   step,
    input  wire [ADDR_WIDTH-1:0]  address,
    input  wire [WIDTH-1:0]       in,
    output wire [WIDTH-1:0]       out
);

    initial begin
        if (DEPTH < 1 || DEPTH > (1 << ADDR_WIDTH)) begin
            $error("Error: DEPTH is %0d; ADDR_WIDTH of %0d has room for 1 to %0d (instance %m)",
                DEPTH, ADDR_WIDTH, 1 << ADDR_WIDTH);
            $finish;
        end
    end

    (* ram_style = "block" *)
    reg [WIDTH-1:0] memory [0:DEPTH-1];
    reg [WIDTH-1:0] out_reg;

    assign out = out_reg;

    always @(posedge clk) begin
        if (step) begin
            out_reg <= memory[address];
            memory[address] <= in;
        end
    end

endmodule

`resetall
