// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// y = a*x*x + b*x + c on a stream of 32-bit words, modulo 2^32. Specification: examples/polynomial/README.md.
//
// Three elastic stages, (a*x), (a*x + b)*x, (...) + c: each moves on when the next one is free, so a word a cycle passes and
// bubbles close up. Coefficients travel with their words, as a packet's first word may follow the last one of the packet
// before without a gap.
module polynomial #
(
    // Bits of an address of the registers
    parameter C_S_AXI_ADDR_WIDTH = 6,
    // Bits of a register; AXI4-Lite of the registers is 32 bits wide
    parameter C_S_AXI_DATA_WIDTH = 32
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

    initial begin
        if (C_S_AXI_DATA_WIDTH != 32) begin
            $error("Error: C_S_AXI_DATA_WIDTH is %0d; it has to be 32 (instance %m)", C_S_AXI_DATA_WIDTH);
            $finish;
        end
    end

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

    // The coefficients of a packet are those of its first word.
    reg         running_reg, inside_reg;
    reg  [31:0] a_reg, b_reg, c_reg;
    wire        word_in = s_axis_tvalid && s_axis_tready;
    wire [31:0] a_now = inside_reg ? a_reg : a;
    wire [31:0] b_now = inside_reg ? b_reg : b;
    wire [31:0] c_now = inside_reg ? c_reg : c;

    // Stage 1: a*x; stage 2: (a*x + b)*x; stage 3: + c
    reg  [31:0] x_1_reg, b_1_reg, c_1_reg, c_2_reg;
    reg  [31:0] value_1_reg, value_2_reg, value_3_reg;
    reg  [4:0]  side_1_reg, side_2_reg, side_3_reg;  // TLAST, TKEEP
    reg         valid_1_reg, valid_2_reg, valid_3_reg;
    wire        out_ready;
    wire        ready_3 = !valid_3_reg || out_ready;
    wire        ready_2 = !valid_2_reg || ready_3;
    wire        ready_1 = !valid_1_reg || ready_2;

    assign s_axis_tready = ready_1 && running_reg && (inside_reg || enable);

    always @(posedge aclk) begin
        if (ready_1) begin
            value_1_reg <= a_now * s_axis_tdata;
            x_1_reg     <= s_axis_tdata;
            b_1_reg     <= b_now;
            c_1_reg     <= c_now;
            side_1_reg  <= {s_axis_tlast, s_axis_tkeep};
        end
        if (ready_2) begin
            value_2_reg <= (value_1_reg + b_1_reg) * x_1_reg;
            c_2_reg     <= c_1_reg;
            side_2_reg  <= side_1_reg;
        end
        if (ready_3) begin
            value_3_reg <= value_2_reg + c_2_reg;
            side_3_reg  <= side_2_reg;
        end
        if (word_in && !inside_reg) begin
            a_reg <= a;
            b_reg <= b;
            c_reg <= c;
        end
        if (!aresetn) begin
            running_reg <= 1'b0;
            inside_reg  <= 1'b0;
            valid_1_reg <= 1'b0;
            valid_2_reg <= 1'b0;
            valid_3_reg <= 1'b0;
        end else begin
            running_reg <= 1'b1;  // TREADY stays low during a reset
            if (word_in) inside_reg  <= !s_axis_tlast;
            if (ready_1) valid_1_reg <= word_in;
            if (ready_2) valid_2_reg <= valid_1_reg;
            if (ready_3) valid_3_reg <= valid_2_reg;
        end
    end

    axis_skid #(
        .WIDTH(37)
    ) skid (
        .clk(aclk),
        .rst_n(aresetn),
        .s_data({side_3_reg, value_3_reg}),
        .s_valid(valid_3_reg),
        .s_ready(out_ready),
        .m_data({m_axis_tlast, m_axis_tkeep, m_axis_tdata}),
        .m_valid(m_axis_tvalid),
        .m_ready(m_axis_tready)
    );

    assign word_out = m_axis_tvalid && m_axis_tready;
    assign busy     = inside_reg || valid_1_reg || valid_2_reg || m_axis_tvalid;

endmodule

`resetall
