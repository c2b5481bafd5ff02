// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// One colour of the filter: nine products, their sum, absolute value, rounding shift, offset, limits. Five cycles, one result
// a cycle. Widths and order of the steps: "Arithmetic" in examples/image_filter/README.md.
module filter_channel
(
    input  wire         clk,
    // Registers move only in cycles with `enable`
    input  wire         enable,

    input  wire [71:0]  pixels,        // nine bytes, 00 lowest
    input  wire [143:0] coefficients,  // nine of 16 bits, signed, 00 lowest
    input  wire         absolute,
    input  wire [3:0]   shift,
    input  wire [9:0]   offset,        // signed

    output wire [7:0]   result
);

    // 255 * -32768 fits 24 bits, nine of them 28.
    reg signed [23:0] product_reg [0:8];
    reg signed [25:0] row_reg [0:2];
    reg signed [27:0] sum_reg, shifted_reg;
    reg        [7:0]  result_reg;

    assign result = result_reg;

    // Cycle 1
    genvar tap;
    generate
        for (tap = 0; tap < 9; tap = tap + 1) begin : taps
            wire signed [8:0]  value  = {1'b0, pixels[8*tap +: 8]};
            wire signed [15:0] factor = coefficients[16*tap +: 16];
            wire signed [24:0] product = value * factor;

            always @(posedge clk) begin
                if (enable) begin
                    product_reg[tap] <= product[23:0];
                end
            end

            wire unused = &{1'b0, product[24]};  // the same as bit 23
        end
    endgenerate

    // Cycle 2
    genvar row;
    generate
        for (row = 0; row < 3; row = row + 1) begin : rows
            wire signed [25:0] first  = {{2{product_reg[3*row][23]}}, product_reg[3*row]};
            wire signed [25:0] second = {{2{product_reg[3*row+1][23]}}, product_reg[3*row+1]};
            wire signed [25:0] third  = {{2{product_reg[3*row+2][23]}}, product_reg[3*row+2]};

            always @(posedge clk) begin
                if (enable) begin
                    row_reg[row] <= first + second + third;
                end
            end
        end
    endgenerate

    // Cycles 3 to 5
    wire signed [27:0] top     = {{2{row_reg[0][25]}}, row_reg[0]};
    wire signed [27:0] middle  = {{2{row_reg[1][25]}}, row_reg[1]};
    wire signed [27:0] bottom  = {{2{row_reg[2][25]}}, row_reg[2]};
    wire signed [27:0] sum     = absolute && sum_reg[27] ? -sum_reg : sum_reg;
    wire        [27:0] half    = shift == 4'd0 ? 28'd0 : 28'd1 << (shift - 4'd1);
    wire signed [27:0] rounded = sum + $signed(half);
    wire signed [27:0] moved   = shifted_reg + $signed({{18{offset[9]}}, offset});

    always @(posedge clk) begin
        if (enable) begin
            sum_reg     <= top + middle + bottom;
            shifted_reg <= rounded >>> shift;
            result_reg  <= moved[27] ? 8'd0 : |moved[26:8] ? 8'd255 : moved[7:0];
        end
    end

endmodule

`resetall
