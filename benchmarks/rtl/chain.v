// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// A design of middle size for the benchmark, with the ports of hdl/polynomial.v: STAGES elastic stages, each a 32-bit
// multiply-add with a 64-bit shift register with feedback beside it, so that much changes in every cycle.
module chain #
(
    parameter C_S_AXI_ADDR_WIDTH = 6,
    parameter C_S_AXI_DATA_WIDTH = 32,
    // Multiply-add stages
    parameter STAGES = 192
)
(
    input  wire                             aclk,
    input  wire                             aresetn,

    // Registers
    input  wire [C_S_AXI_ADDR_WIDTH-1:0]    s_axi_awaddr,
    input  wire                             s_axi_awvalid,
    output wire                             s_axi_awready,
    input  wire [C_S_AXI_DATA_WIDTH-1:0]    s_axi_wdata,
    input  wire [C_S_AXI_DATA_WIDTH/8-1:0]  s_axi_wstrb,
    input  wire                             s_axi_wvalid,
    output wire                             s_axi_wready,
    output wire [1:0]                       s_axi_bresp,
    output wire                             s_axi_bvalid,
    input  wire                             s_axi_bready,
    input  wire [C_S_AXI_ADDR_WIDTH-1:0]    s_axi_araddr,
    input  wire                             s_axi_arvalid,
    output wire                             s_axi_arready,
    output wire [C_S_AXI_DATA_WIDTH-1:0]    s_axi_rdata,
    output wire [1:0]                       s_axi_rresp,
    output wire                             s_axi_rvalid,
    input  wire                             s_axi_rready,

    // Words in
    input  wire [31:0]                      s_axis_tdata,
    input  wire [3:0]                       s_axis_tkeep,
    input  wire                             s_axis_tlast,
    input  wire                             s_axis_tvalid,
    output wire                             s_axis_tready,

    // Words out
    output wire [31:0]                      m_axis_tdata,
    output wire [3:0]                       m_axis_tkeep,
    output wire                             m_axis_tlast,
    output wire                             m_axis_tvalid,
    input  wire                             m_axis_tready,

    // A packet has left: level, until its bit is cleared
    output wire                             interrupt
);

    wire        enable, busy, word_out;
    wire [31:0] a, b, c;

    polynomial_registers #(
        .ADDR_WIDTH(C_S_AXI_ADDR_WIDTH)
    ) registers (
        .clk(aclk),
        .rst_n(aresetn),
        .s_axil_awaddr(s_axi_awaddr),
        .s_axil_awvalid(s_axi_awvalid),
        .s_axil_awready(s_axi_awready),
        .s_axil_wdata(s_axi_wdata),
        .s_axil_wstrb(s_axi_wstrb),
        .s_axil_wvalid(s_axi_wvalid),
        .s_axil_wready(s_axi_wready),
        .s_axil_bresp(s_axi_bresp),
        .s_axil_bvalid(s_axi_bvalid),
        .s_axil_bready(s_axi_bready),
        .s_axil_araddr(s_axi_araddr),
        .s_axil_arvalid(s_axi_arvalid),
        .s_axil_arready(s_axi_arready),
        .s_axil_rdata(s_axi_rdata),
        .s_axil_rresp(s_axi_rresp),
        .s_axil_rvalid(s_axi_rvalid),
        .s_axil_rready(s_axi_rready),
        .enable(enable),
        .a(a),
        .b(b),
        .c(c),
        .busy(busy),
        .word_out(word_out),
        .last_out(m_axis_tlast),
        .interrupt(interrupt)
    );

    wire [31:0] value [0:STAGES];
    wire [4:0]  side  [0:STAGES];
    wire        valid [0:STAGES];
    wire        ready [0:STAGES];

    assign value[0] = s_axis_tdata;
    assign side[0]  = {s_axis_tlast, s_axis_tkeep};
    assign valid[0] = s_axis_tvalid && enable && aresetn;
    assign s_axis_tready = ready[0] && enable && aresetn;

    genvar i;
    generate
        for (i = 0; i < STAGES; i = i + 1) begin : stage
            reg [31:0] value_reg;
            reg [4:0]  side_reg;
            reg        valid_reg;
            reg [63:0] noise_reg;
            assign ready[i]   = !valid_reg || ready[i+1];
            assign value[i+1] = value_reg;
            assign side[i+1]  = side_reg;
            assign valid[i+1] = valid_reg;
            always @(posedge aclk) begin
                noise_reg <= {noise_reg[62:0], noise_reg[63] ^ noise_reg[62] ^ noise_reg[60] ^ noise_reg[59]};
                if (ready[i]) begin
                    value_reg <= value[i] * a + b + i;
                    side_reg  <= side[i];
                    valid_reg <= valid[i];
                end
                if (!aresetn) begin
                    valid_reg <= 1'b0;
                    noise_reg <= 64'h1 + i;
                end
            end
        end
    endgenerate

    assign m_axis_tdata  = value[STAGES];
    assign m_axis_tlast  = side[STAGES][4];
    assign m_axis_tkeep  = side[STAGES][3:0];
    assign m_axis_tvalid = valid[STAGES];
    assign ready[STAGES] = m_axis_tready;
    assign word_out      = m_axis_tvalid && m_axis_tready;
    assign busy          = m_axis_tvalid;

    wire unused = &{1'b0, c};


endmodule

`resetall
