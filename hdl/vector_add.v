// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// c[i] = a[i] + b[i] on vectors in memory: registers as an HLS tool makes them, a 64-bit AXI4 master. Specification:
// examples/vector_add/README.md.
//
// The read channel brings two words of one vector a cycle, and each sum needs one word of both: a sum a cycle is all that it
// can feed, so the adder is one word wide, and no vector has to be aligned to a beat.
module vector_add #
(
    // Bits of an address of the registers
    parameter C_S_AXI_CONTROL_ADDR_WIDTH = 6,
    // Bits of a register; AXI4-Lite of the registers is 32 bits wide
    parameter C_S_AXI_CONTROL_DATA_WIDTH = 32,
    // Bits of an address and of a beat of memory; fixed
    parameter C_M_AXI_GMEM_ADDR_WIDTH = 64,
    parameter C_M_AXI_GMEM_DATA_WIDTH = 64,
    // Longest burst in beats: a power of two, 2 to 256
    parameter MAX_BEATS = 64
)
(
    input  wire                                     ap_clk,
    input  wire                                     ap_rst_n,

    // Registers
    input  wire [C_S_AXI_CONTROL_ADDR_WIDTH-1:0]    s_axi_control_AWADDR,
    input  wire                                     s_axi_control_AWVALID,
    output wire                                     s_axi_control_AWREADY,
    input  wire [C_S_AXI_CONTROL_DATA_WIDTH-1:0]    s_axi_control_WDATA,
    input  wire [C_S_AXI_CONTROL_DATA_WIDTH/8-1:0]  s_axi_control_WSTRB,
    input  wire                                     s_axi_control_WVALID,
    output wire                                     s_axi_control_WREADY,
    output wire [1:0]                               s_axi_control_BRESP,
    output wire                                     s_axi_control_BVALID,
    input  wire                                     s_axi_control_BREADY,
    input  wire [C_S_AXI_CONTROL_ADDR_WIDTH-1:0]    s_axi_control_ARADDR,
    input  wire                                     s_axi_control_ARVALID,
    output wire                                     s_axi_control_ARREADY,
    output wire [C_S_AXI_CONTROL_DATA_WIDTH-1:0]    s_axi_control_RDATA,
    output wire [1:0]                               s_axi_control_RRESP,
    output wire                                     s_axi_control_RVALID,
    input  wire                                     s_axi_control_RREADY,

    // Memory
    output wire [C_M_AXI_GMEM_ADDR_WIDTH-1:0]       m_axi_gmem_AWADDR,
    output wire [7:0]                               m_axi_gmem_AWLEN,
    output wire [2:0]                               m_axi_gmem_AWSIZE,
    output wire [1:0]                               m_axi_gmem_AWBURST,
    output wire [0:0]                               m_axi_gmem_AWLOCK,
    output wire [3:0]                               m_axi_gmem_AWCACHE,
    output wire [2:0]                               m_axi_gmem_AWPROT,
    output wire [3:0]                               m_axi_gmem_AWQOS,
    output wire                                     m_axi_gmem_AWVALID,
    input  wire                                     m_axi_gmem_AWREADY,
    output wire [C_M_AXI_GMEM_DATA_WIDTH-1:0]       m_axi_gmem_WDATA,
    output wire [C_M_AXI_GMEM_DATA_WIDTH/8-1:0]     m_axi_gmem_WSTRB,
    output wire                                     m_axi_gmem_WLAST,
    output wire                                     m_axi_gmem_WVALID,
    input  wire                                     m_axi_gmem_WREADY,
    input  wire [1:0]                               m_axi_gmem_BRESP,
    input  wire                                     m_axi_gmem_BVALID,
    output wire                                     m_axi_gmem_BREADY,
    output wire [C_M_AXI_GMEM_ADDR_WIDTH-1:0]       m_axi_gmem_ARADDR,
    output wire [7:0]                               m_axi_gmem_ARLEN,
    output wire [2:0]                               m_axi_gmem_ARSIZE,
    output wire [1:0]                               m_axi_gmem_ARBURST,
    output wire [0:0]                               m_axi_gmem_ARLOCK,
    output wire [3:0]                               m_axi_gmem_ARCACHE,
    output wire [2:0]                               m_axi_gmem_ARPROT,
    output wire [3:0]                               m_axi_gmem_ARQOS,
    output wire                                     m_axi_gmem_ARVALID,
    input  wire                                     m_axi_gmem_ARREADY,
    input  wire [C_M_AXI_GMEM_DATA_WIDTH-1:0]       m_axi_gmem_RDATA,
    input  wire [1:0]                               m_axi_gmem_RRESP,
    input  wire                                     m_axi_gmem_RLAST,
    input  wire                                     m_axi_gmem_RVALID,
    output wire                                     m_axi_gmem_RREADY,

    output wire                                     interrupt
);

    initial begin
        if (C_S_AXI_CONTROL_DATA_WIDTH != 32) begin
            $error("Error: C_S_AXI_CONTROL_DATA_WIDTH is %0d; it has to be 32 (instance %m)",
                C_S_AXI_CONTROL_DATA_WIDTH);
            $finish;
        end
        if (C_M_AXI_GMEM_ADDR_WIDTH != 64 || C_M_AXI_GMEM_DATA_WIDTH != 64) begin
            $error("Error: C_M_AXI_GMEM_ADDR_WIDTH and C_M_AXI_GMEM_DATA_WIDTH are %0d and %0d; 64 is all there is \
(instance %m)", C_M_AXI_GMEM_ADDR_WIDTH, C_M_AXI_GMEM_DATA_WIDTH);
            $finish;
        end
    end

    // -- control ----
    wire        ap_start, ap_idle, ap_done;
    wire [63:0] a, b, c;
    wire [31:0] n;

    vector_add_control #(
        .ADDR_WIDTH(C_S_AXI_CONTROL_ADDR_WIDTH)
    ) control (
        .clk(ap_clk),
        .rst_n(ap_rst_n),
        .s_axil_awaddr(s_axi_control_AWADDR),
        .s_axil_awvalid(s_axi_control_AWVALID),
        .s_axil_awready(s_axi_control_AWREADY),
        .s_axil_wdata(s_axi_control_WDATA),
        .s_axil_wstrb(s_axi_control_WSTRB),
        .s_axil_wvalid(s_axi_control_WVALID),
        .s_axil_wready(s_axi_control_WREADY),
        .s_axil_bresp(s_axi_control_BRESP),
        .s_axil_bvalid(s_axi_control_BVALID),
        .s_axil_bready(s_axi_control_BREADY),
        .s_axil_araddr(s_axi_control_ARADDR),
        .s_axil_arvalid(s_axi_control_ARVALID),
        .s_axil_arready(s_axi_control_ARREADY),
        .s_axil_rdata(s_axi_control_RDATA),
        .s_axil_rresp(s_axi_control_RRESP),
        .s_axil_rvalid(s_axi_control_RVALID),
        .s_axil_rready(s_axi_control_RREADY),
        .ap_start(ap_start),
        .ap_idle(ap_idle),
        .ap_done(ap_done),
        .a(a),
        .b(b),
        .c(c),
        .n(n),
        .interrupt(interrupt)
    );

    localparam [1:0]
        IDLE = 2'd0,
        RUN  = 2'd1,
        DONE = 2'd2;

    reg [1:0] state_reg;

    wire start = state_reg == IDLE && ap_start;
    wire writes;

    assign ap_idle = state_reg == IDLE && !ap_start;
    assign ap_done = state_reg == DONE;

    always @(posedge ap_clk) begin
        if (!ap_rst_n) begin
            state_reg <= IDLE;
        end else begin
            case (state_reg)
                IDLE:    if (ap_start) state_reg <= RUN;
                RUN:     if (!writes) state_reg <= DONE;
                default: state_reg <= IDLE;
            endcase
        end
    end

    // -- data ----
    wire [31:0] a_word, b_word;
    wire        valid, last, ready;

    vector_reader #(
        .MAX_BEATS(MAX_BEATS)
    ) reader (
        .clk(ap_clk),
        .rst_n(ap_rst_n),
        .start(start),
        .a_address(a[63:2]),
        .b_address(b[63:2]),
        .count(n),
        .m_axi_araddr(m_axi_gmem_ARADDR),
        .m_axi_arlen(m_axi_gmem_ARLEN),
        .m_axi_arvalid(m_axi_gmem_ARVALID),
        .m_axi_arready(m_axi_gmem_ARREADY),
        .m_axi_rdata(m_axi_gmem_RDATA),
        .m_axi_rlast(m_axi_gmem_RLAST),
        .m_axi_rvalid(m_axi_gmem_RVALID),
        .m_axi_rready(m_axi_gmem_RREADY),
        .a_word(a_word),
        .b_word(b_word),
        .valid(valid),
        .last(last),
        .ready(ready)
    );

    vector_writer #(
        .MAX_BEATS(MAX_BEATS)
    ) writer (
        .clk(ap_clk),
        .rst_n(ap_rst_n),
        .start(start),
        .address(c[63:2]),
        .count(n),
        .busy(writes),
        .word(a_word + b_word),
        .valid(valid),
        .last(last),
        .ready(ready),
        .m_axi_awaddr(m_axi_gmem_AWADDR),
        .m_axi_awlen(m_axi_gmem_AWLEN),
        .m_axi_awvalid(m_axi_gmem_AWVALID),
        .m_axi_awready(m_axi_gmem_AWREADY),
        .m_axi_wdata(m_axi_gmem_WDATA),
        .m_axi_wstrb(m_axi_gmem_WSTRB),
        .m_axi_wlast(m_axi_gmem_WLAST),
        .m_axi_wvalid(m_axi_gmem_WVALID),
        .m_axi_wready(m_axi_gmem_WREADY),
        .m_axi_bvalid(m_axi_gmem_BVALID),
        .m_axi_bready(m_axi_gmem_BREADY)
    );

    // Beats of 8 bytes, incrementing; normal memory, not cached, bufferable; data, secure, unprivileged
    assign m_axi_gmem_AWSIZE  = 3'd3;
    assign m_axi_gmem_AWBURST = 2'b01;
    assign m_axi_gmem_AWLOCK  = 1'b0;
    assign m_axi_gmem_AWCACHE = 4'b0011;
    assign m_axi_gmem_AWPROT  = 3'b000;
    assign m_axi_gmem_AWQOS   = 4'b0000;
    assign m_axi_gmem_ARSIZE  = 3'd3;
    assign m_axi_gmem_ARBURST = 2'b01;
    assign m_axi_gmem_ARLOCK  = 1'b0;
    assign m_axi_gmem_ARCACHE = 4'b0011;
    assign m_axi_gmem_ARPROT  = 3'b000;
    assign m_axi_gmem_ARQOS   = 4'b0000;

    wire unused = &{1'b0, a[1:0], b[1:0], c[1:0], m_axi_gmem_BRESP, m_axi_gmem_RRESP};

endmodule

`resetall
