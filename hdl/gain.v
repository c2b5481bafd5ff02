// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// y = GAIN * x on a stream of 32-bit words, modulo 2^32. Specification: examples/partial/README.md.
//
// A word a cycle passes; the product is registered, so TREADY of one side depends on nothing of the other but whether that
// register is free.
module gain
(
    input  wire         aclk,
    input  wire         aresetn,

    // Registers
    input  wire [5:0]   s_axi_awaddr,
    input  wire         s_axi_awvalid,
    output wire         s_axi_awready,
    input  wire [31:0]  s_axi_wdata,
    input  wire [3:0]   s_axi_wstrb,
    input  wire         s_axi_wvalid,
    output wire         s_axi_wready,
    output wire [1:0]   s_axi_bresp,
    output wire         s_axi_bvalid,
    input  wire         s_axi_bready,
    input  wire [5:0]   s_axi_araddr,
    input  wire         s_axi_arvalid,
    output wire         s_axi_arready,
    output wire [31:0]  s_axi_rdata,
    output wire [1:0]   s_axi_rresp,
    output wire         s_axi_rvalid,
    input  wire         s_axi_rready,

    // Words in
    input  wire [31:0]  s_axis_tdata,
    input  wire [3:0]   s_axis_tkeep,
    input  wire         s_axis_tlast,
    input  wire         s_axis_tvalid,
    output wire         s_axis_tready,

    // Words out
    output wire [31:0]  m_axis_tdata,
    output wire [3:0]   m_axis_tkeep,
    output wire         m_axis_tlast,
    output wire         m_axis_tvalid,
    input  wire         m_axis_tready,

    // A packet has left: level, until its bit is cleared
    output wire         interrupt
);

    localparam [3:0] GAIN = 4'd0, WORDS = 4'd1, IRQ_ENABLE = 4'd2, IRQ_STATUS = 4'd3;

    wire        write_enable, read_enable;
    wire [3:0]  write_word, read_word;
    wire [31:0] write_data, write_mask;
    reg  [31:0] read_data;

    reg [31:0] gain_reg, words_reg;
    reg        irq_enable_reg, irq_status_reg;

    axil_slave #(
        .ADDR_WIDTH(6)
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
        .write_enable(write_enable),
        .write_word(write_word),
        .write_data(write_data),
        .write_mask(write_mask),
        .read_enable(read_enable),
        .read_word(read_word),
        .read_data(read_data)
    );

    always @* begin
        case (read_word)
            GAIN:       read_data = gain_reg;
            WORDS:      read_data = words_reg;
            IRQ_ENABLE: read_data = {31'd0, irq_enable_reg};
            IRQ_STATUS: read_data = {31'd0, irq_status_reg};
            default:    read_data = 32'd0;
        endcase
    end

    // The stream: one register
    reg [31:0] product_reg;
    reg [3:0]  keep_reg;
    reg        last_reg, valid_reg;

    assign s_axis_tready = !valid_reg || m_axis_tready;
    assign m_axis_tdata  = product_reg;
    assign m_axis_tkeep  = keep_reg;
    assign m_axis_tlast  = last_reg;
    assign m_axis_tvalid = valid_reg;
    assign interrupt     = irq_status_reg && irq_enable_reg;

    wire word_out = valid_reg && m_axis_tready;
    wire clear    = write_enable && write_word == IRQ_STATUS && write_data[0] && write_mask[0];

    always @(posedge aclk) begin
        if (s_axis_tready) begin
            product_reg <= s_axis_tdata * gain_reg;
            keep_reg    <= s_axis_tkeep;
            last_reg    <= s_axis_tlast;
        end
        if (!aresetn) begin
            gain_reg       <= 32'd1;
            words_reg      <= 32'd0;
            irq_enable_reg <= 1'b0;
            irq_status_reg <= 1'b0;
            valid_reg      <= 1'b0;
        end else begin
            if (s_axis_tready) begin
                valid_reg <= s_axis_tvalid;
            end
            if (word_out) begin
                words_reg <= words_reg + 32'd1;
            end
            if (write_enable && write_word == GAIN) begin
                gain_reg <= (gain_reg & ~write_mask) | (write_data & write_mask);
            end
            if (write_enable && write_word == IRQ_ENABLE && write_mask[0]) begin
                irq_enable_reg <= write_data[0];
            end
            irq_status_reg <= (irq_status_reg && !clear) || (word_out && last_reg);
        end
    end

    wire unused = &{1'b0, read_enable};

endmodule

`resetall
