// SPDX-License-Identifier: BSD-3-Clause
`default_nettype none
// Words plus one, a register between; a pulse of `irq` for each packet. `run` low stops it; `count` shows packets.
module plain
(
    input  wire         clk,
    input  wire         rst_n,
    input  wire [31:0]  s_tdata,
    input  wire         s_tlast,
    input  wire         s_tvalid,
    output wire         s_tready,
    output reg  [31:0]  m_tdata,
    output reg          m_tlast,
    output reg          m_tvalid,
    input  wire         m_tready,
    input  wire         run,
    output wire         runs,
    output reg  [7:0]   count,
    output reg          irq
);
    assign s_tready = run && rst_n && (!m_tvalid || m_tready);
    assign runs = run;
    always @(posedge clk) begin
        irq <= 0;
        if (!m_tvalid || m_tready) m_tvalid <= 0;
        if (s_tvalid && s_tready) begin
            m_tdata  <= s_tdata + 1;
            m_tlast  <= s_tlast;
            m_tvalid <= 1;
            if (s_tlast) begin
                count <= count + 1;
                irq <= 1;
            end
        end
        if (!rst_n) begin
            m_tvalid <= 0;
            count <= 0;
        end
    end
endmodule
