// SPDX-License-Identifier: BSD-3-Clause
`default_nettype none
// A stream of any width through STAGES elastic registers, each byte plus ADD.
module pipe #
(
    parameter WIDTH = 32,
    parameter STAGES = 2,
    parameter ADD = 1
)
(
    input  wire                 clk,
    input  wire                 rst_n,
    input  wire [WIDTH-1:0]     s_tdata,
    input  wire [WIDTH/8-1:0]   s_tkeep,
    input  wire [3:0]           s_tuser,
    input  wire [1:0]           s_tid,
    input  wire [2:0]           s_tdest,
    input  wire                 s_tlast,
    input  wire                 s_tvalid,
    output wire                 s_tready,
    output wire [WIDTH-1:0]     m_tdata,
    output wire [WIDTH/8-1:0]   m_tkeep,
    output wire [3:0]           m_tuser,
    output wire [1:0]           m_tid,
    output wire [2:0]           m_tdest,
    output wire                 m_tlast,
    output wire                 m_tvalid,
    input  wire                 m_tready
);
    localparam ALL = WIDTH + WIDTH/8 + 10;
    wire [WIDTH-1:0] summed;
    genvar i;
    generate
        for (i = 0; i < WIDTH/8; i = i + 1) begin : g_byte
            assign summed[8*i +: 8] = s_tdata[8*i +: 8] + ADD[7:0];
        end
    endgenerate

    reg  [ALL-1:0]    data_reg [0:STAGES-1];
    reg  [STAGES-1:0] valid_reg;
    wire [STAGES:0]   ready;
    assign ready[STAGES] = m_tready;
    generate
        for (i = 0; i < STAGES; i = i + 1) begin : g_stage
            assign ready[i] = !valid_reg[i] || ready[i+1];
        end
    endgenerate
    assign s_tready = ready[0] && rst_n;
    assign m_tvalid = valid_reg[STAGES-1];
    assign {m_tuser, m_tid, m_tdest, m_tlast, m_tkeep, m_tdata} = data_reg[STAGES-1];

    integer n;
    always @(posedge clk) begin
        for (n = 0; n < STAGES; n = n + 1) begin
            if (ready[n]) begin
                data_reg[n]  <= n == 0 ? {s_tuser, s_tid, s_tdest, s_tlast, s_tkeep, summed} : data_reg[n == 0 ? 0 : n-1];
                valid_reg[n] <= n == 0 ? s_tvalid && s_tready : valid_reg[n == 0 ? 0 : n-1];
            end
        end
        if (!rst_n) valid_reg <= 0;
    end
endmodule
