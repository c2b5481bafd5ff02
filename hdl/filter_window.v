// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// Pixels row by row in, windows of 3 by 3 pixels out, borders clamped: the window of pixel (r, c) when pixel (r+1, c+1)
// has come.
//
// A frame of H rows takes H + 1 rows of steps, of which the last brings no pixel, and one more step (`tail`) with the
// column to the right of the last pixel. A row's last window is made in the step of the next row's first pixel, so no step
// is lost between rows. Rows above and below, columns to the left and to the right are replaced by the nearest ones when
// the window is put together; the line buffers hold what came.
module filter_window #
(
    // Longest row
    parameter MAX_WIDTH = 4096,
    // Bits of a column's number
    parameter COLUMN_WIDTH = 12
)
(
    input  wire                     clk,
    input  wire                     rst_n,
    // All registers move only in cycles with `enable`
    input  wire                     enable,

    // A step
    input  wire                     step,
    input  wire [31:0]              pixel,
    input  wire [COLUMN_WIDTH-1:0]  column,
    input  wire                     first_column,
    input  wire                     last_column,
    input  wire                     first_row,   // of the frame: no window yet
    input  wire                     second_row,  // windows of the frame's first row
    input  wire                     below,       // the step after the last row: `pixel` means nothing
    input  wire                     tail,        // the frame's last step; instead of `step`

    // A window: nine pixels of 24 bits, 00 (above, left) lowest, row by row; the centre with alpha
    output wire                     window_valid,
    output wire                     window_last,
    output wire [215:0]             window,
    output wire [31:0]              centre
);

    // Cycle 1: the row above is read, and replaced by the new pixel.
    // Cycle 2: the row above that is read, and replaced by what cycle 1 read.
    // Cycle 3: the column of three is complete.
    reg                    step_1_reg, step_2_reg, tail_1_reg, tail_2_reg;
    reg [31:0]             middle_2_reg;
    reg [23:0]             pixel_1_reg, pixel_2_reg;
    reg [COLUMN_WIDTH-1:0] column_1_reg;
    // first_column, last_column, first_row, second_row, below
    reg [4:0]              where_1_reg, where_2_reg;
    wire [31:0]            middle_1;
    wire [23:0]            top_2;

    line_buffer #(
        .WIDTH(32),
        .DEPTH(MAX_WIDTH),
        .ADDR_WIDTH(COLUMN_WIDTH)
    ) row_above (
        .clk(clk),
        .step(enable && step),
        .address(column),
        .in(pixel),
        .out(middle_1)
    );

    line_buffer #(
        .WIDTH(24),
        .DEPTH(MAX_WIDTH),
        .ADDR_WIDTH(COLUMN_WIDTH)
    ) row_above_that (
        .clk(clk),
        .step(enable && step_1_reg),
        .address(column_1_reg),
        .in(middle_1[23:0]),
        .out(top_2)
    );

    always @(posedge clk) begin
        if (enable) begin
            pixel_1_reg  <= pixel[23:0];
            column_1_reg <= column;
            where_1_reg  <= {first_column, last_column, first_row, second_row, below};
            pixel_2_reg  <= pixel_1_reg;
            middle_2_reg <= middle_1;
            where_2_reg  <= where_1_reg;
        end
        if (!rst_n) begin
            step_1_reg <= 1'b0;
            step_2_reg <= 1'b0;
            tail_1_reg <= 1'b0;
            tail_2_reg <= 1'b0;
        end else if (enable) begin
            step_1_reg <= step;
            step_2_reg <= step_1_reg;
            tail_1_reg <= tail;
            tail_2_reg <= tail_1_reg;
        end
    end

    wire        is_first_column = where_2_reg[4];
    wire        is_last_column  = where_2_reg[3];
    wire        is_first_row    = where_2_reg[2];
    wire        is_second_row   = where_2_reg[1];
    wire        is_below        = where_2_reg[0];
    // Above the first row the first row again, below the last one the last.
    wire [23:0] top    = is_second_row ? middle_2_reg[23:0] : top_2;
    wire [23:0] bottom = is_below ? middle_2_reg[23:0] : pixel_2_reg;
    wire [71:0] incoming = {bottom, middle_2_reg[23:0], top};

    // Cycle 4: the columns side by side; `here` is the one whose window comes next.
    reg        here_valid_reg, here_first_reg, here_last_reg;
    reg [71:0] left_reg, here_reg;
    reg [7:0]  alpha_reg;
    reg        window_valid_reg, window_last_reg;
    reg [71:0] window_left_reg, window_here_reg, window_right_reg;
    reg [7:0]  window_alpha_reg;

    wire moves = step_2_reg && !is_first_row;

    always @(posedge clk) begin
        if (enable) begin
            if (moves) begin
                left_reg       <= here_reg;
                here_reg       <= incoming;
                here_first_reg <= is_first_column;
                here_last_reg  <= is_last_column;
                alpha_reg      <= middle_2_reg[31:24];
            end
            window_left_reg  <= here_first_reg ? here_reg : left_reg;
            window_here_reg  <= here_reg;
            window_right_reg <= here_last_reg ? here_reg : incoming;
            window_alpha_reg <= alpha_reg;
        end
        if (!rst_n) begin
            here_valid_reg   <= 1'b0;
            window_valid_reg <= 1'b0;
            window_last_reg  <= 1'b0;
        end else if (enable) begin
            here_valid_reg   <= moves || (here_valid_reg && !tail_2_reg);
            window_valid_reg <= here_valid_reg && (moves || tail_2_reg);
            window_last_reg  <= tail_2_reg;
        end
    end

    assign window_valid = window_valid_reg;
    assign window_last  = window_last_reg;
    assign centre       = {window_alpha_reg, window_here_reg[47:24]};
    assign window = {
        window_right_reg[71:48], window_here_reg[71:48], window_left_reg[71:48],
        window_right_reg[47:24], window_here_reg[47:24], window_left_reg[47:24],
        window_right_reg[23:0],  window_here_reg[23:0],  window_left_reg[23:0]
    };

endmodule

`resetall
