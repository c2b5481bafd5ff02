// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// Skid buffer: keeps what comes in the cycle in which the sink stops, so that `s_ready` comes from a register.
//
// A word a cycle passes, without latency while the sink takes it. AMBA IHI 0051 (section 2.2) allows no path from TREADY
// of one side to TREADY of the other; this is where such a path ends.
module axis_skid #
(
    // Bits of a word, side band included
    parameter WIDTH = 32
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

    reg [WIDTH-1:0] kept_reg;
    reg             full_reg;

    assign s_ready = !full_reg;
    assign m_valid = full_reg || s_valid;
    assign m_data  = full_reg ? kept_reg : s_data;

    always @(posedge clk) begin
        if (!full_reg) begin
            kept_reg <= s_data;
        end
        if (!rst_n) begin
            full_reg <= 1'b0;
        end else begin
            full_reg <= m_valid && !m_ready;
        end
    end

endmodule

`resetall
