// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// First-in first-out queue of one clock. What is at its head lies on `m_data` while `m_valid` is high; a word that comes in
// can be taken two cycles later. Writing to a full queue loses the word.
module sync_fifo #
(
    // Bits of a word
    parameter WIDTH = 32,
    // Words, without the one at the head: a power of two, 2 or more
    parameter DEPTH = 16
)
(
    input  wire              clk,
    input  wire              rst_n,

    input  wire [WIDTH-1:0]  s_data,
    input  wire              s_valid,
    output wire              s_ready,

    output wire [WIDTH-1:0]  m_data,
    output wire              m_valid,
    input  wire              m_ready
);

    localparam BITS = $clog2(DEPTH);

    initial begin
        if (DEPTH < 2 || DEPTH != (1 << BITS)) begin
            $error("Error: DEPTH is %0d; it has to be a power of two, 2 or more (instance %m)", DEPTH);
            $finish;
        end
    end

    reg [WIDTH-1:0] memory [0:DEPTH-1];
    reg [WIDTH-1:0] head_reg;
    reg             head_valid_reg;
    reg [BITS:0]    write_reg, read_reg;

    wire full    = write_reg == {~read_reg[BITS], read_reg[BITS-1:0]};
    wire empty   = write_reg == read_reg;
    wire fetches = !empty && (!head_valid_reg || m_ready);

    assign s_ready = !full;
    assign m_data  = head_reg;
    assign m_valid = head_valid_reg;

    always @(posedge clk) begin
        if (s_valid && !full) begin
            memory[write_reg[BITS-1:0]] <= s_data;
        end
        if (fetches) begin
            head_reg <= memory[read_reg[BITS-1:0]];
        end
        if (!rst_n) begin
            write_reg      <= {BITS+1{1'b0}};
            read_reg       <= {BITS+1{1'b0}};
            head_valid_reg <= 1'b0;
        end else begin
            if (s_valid && !full) write_reg <= write_reg + 1'b1;
            if (fetches)          read_reg  <= read_reg + 1'b1;
            head_valid_reg <= fetches || (head_valid_reg && !m_ready);
        end
    end

endmodule

`resetall
