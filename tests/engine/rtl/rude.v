// SPDX-License-Identifier: BSD-3-Clause
`default_nettype none
// A stream source that breaks a rule of AXI4-Stream, as FAULT says.
module rude #(parameter FAULT = 0)
(
    input  wire        clk,
    input  wire        rst_n,
    input  wire        go,
    output reg  [31:0] m_tdata,
    output reg  [3:0]  m_tkeep,
    output reg  [3:0]  m_tstrb,
    output reg         m_tlast,
    output reg         m_tvalid,
    input  wire        m_tready
);
    always @(posedge clk) begin
        m_tkeep <= FAULT == 5 ? 4'b0011 : 4'b1111;
        m_tstrb <= 4'b1111;
        m_tlast <= 0;
        if (!m_tvalid) m_tvalid <= go;
        else if (m_tready) m_tdata <= m_tdata + 1;
        else begin
            if (FAULT == 1) m_tvalid <= 0;
            if (FAULT == 2) m_tdata <= m_tdata + 1;
            if (FAULT == 3) m_tlast <= !m_tlast;
        end
        if (!rst_n) begin
            m_tvalid <= FAULT == 4;
            m_tdata <= 0;
        end
    end
endmodule
