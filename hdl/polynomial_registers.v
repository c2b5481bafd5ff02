// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// Registers of `polynomial`. Offsets, access and reset values: examples/polynomial/README.md.
module polynomial_registers #
(
    // Bits of an address
    parameter ADDR_WIDTH = 6
)
(
    input  wire                   clk,
    input  wire                   rst_n,

    input  wire [ADDR_WIDTH-1:0]  s_axil_awaddr,
    input  wire                   s_axil_awvalid,
    output wire                   s_axil_awready,
    input  wire [31:0]            s_axil_wdata,
    input  wire [3:0]             s_axil_wstrb,
    input  wire                   s_axil_wvalid,
    output wire                   s_axil_wready,
    output wire [1:0]             s_axil_bresp,
    output wire                   s_axil_bvalid,
    input  wire                   s_axil_bready,
    input  wire [ADDR_WIDTH-1:0]  s_axil_araddr,
    input  wire                   s_axil_arvalid,
    output wire                   s_axil_arready,
    output wire [31:0]            s_axil_rdata,
    output wire [1:0]             s_axil_rresp,
    output wire                   s_axil_rvalid,
    input  wire                   s_axil_rready,

    output wire                   enable,
    output wire [31:0]            a,
    output wire [31:0]            b,
    output wire [31:0]            c,
    input  wire                   busy,
    // The sink takes a word, the last one of a packet
    input  wire                   word_out,
    input  wire                   last_out,

    output wire                   interrupt
);

    localparam WORD_WIDTH = ADDR_WIDTH - 2;
    localparam [WORD_WIDTH-1:0]
        CTRL       = 0,
        STATUS     = 1,
        IRQ_ENABLE = 2,
        IRQ_STATUS = 3,
        A          = 4,
        B          = 5,
        C          = 6,
        WORDS      = 7,
        PACKETS    = 8,
        VERSION    = 9;
    localparam [31:0] VERSION_VALUE = 32'h0001_0000;

    initial begin
        if (ADDR_WIDTH < 6) begin
            $error("Error: ADDR_WIDTH is %0d; the registers need 6 bits (instance %m)", ADDR_WIDTH);
            $finish;
        end
    end

    wire                  write_enable;
    wire [WORD_WIDTH-1:0] write_word, read_word;
    wire [31:0]           write_data, write_mask;
    reg  [31:0]           read_data;
    wire                  read_enable;

    axil_slave #(
        .ADDR_WIDTH(ADDR_WIDTH)
    ) slave (
        .clk(clk),
        .rst_n(rst_n),
        .s_axil_awaddr(s_axil_awaddr),
        .s_axil_awvalid(s_axil_awvalid),
        .s_axil_awready(s_axil_awready),
        .s_axil_wdata(s_axil_wdata),
        .s_axil_wstrb(s_axil_wstrb),
        .s_axil_wvalid(s_axil_wvalid),
        .s_axil_wready(s_axil_wready),
        .s_axil_bresp(s_axil_bresp),
        .s_axil_bvalid(s_axil_bvalid),
        .s_axil_bready(s_axil_bready),
        .s_axil_araddr(s_axil_araddr),
        .s_axil_arvalid(s_axil_arvalid),
        .s_axil_arready(s_axil_arready),
        .s_axil_rdata(s_axil_rdata),
        .s_axil_rresp(s_axil_rresp),
        .s_axil_rvalid(s_axil_rvalid),
        .s_axil_rready(s_axil_rready),
        .write_enable(write_enable),
        .write_word(write_word),
        .write_data(write_data),
        .write_mask(write_mask),
        .read_enable(read_enable),
        .read_word(read_word),
        .read_data(read_data)
    );

    reg        enable_reg, irq_enable_reg, irq_status_reg;
    reg [31:0] a_reg, b_reg, c_reg, words_reg, packets_reg;

    assign enable    = enable_reg;
    assign a         = a_reg;
    assign b         = b_reg;
    assign c         = c_reg;
    assign interrupt = irq_status_reg && irq_enable_reg;

    wire [31:0] ones  = write_data & write_mask;
    wire        clear = write_enable && write_word == CTRL && ones[1];

    always @(posedge clk) begin
        if (!rst_n) begin
            enable_reg     <= 1'b0;
            irq_enable_reg <= 1'b0;
            irq_status_reg <= 1'b0;
            a_reg          <= 32'd0;
            b_reg          <= 32'd1;
            c_reg          <= 32'd0;
            words_reg      <= 32'd0;
            packets_reg    <= 32'd0;
        end else begin
            if (write_enable) begin
                case (write_word)
                    CTRL:       if (write_mask[0]) enable_reg <= write_data[0];
                    IRQ_ENABLE: if (write_mask[0]) irq_enable_reg <= write_data[0];
                    IRQ_STATUS: if (ones[0]) irq_status_reg <= 1'b0;
                    A:          a_reg <= (a_reg & ~write_mask) | ones;
                    B:          b_reg <= (b_reg & ~write_mask) | ones;
                    C:          c_reg <= (c_reg & ~write_mask) | ones;
                    default:    ;
                endcase
            end
            // A word that leaves in the very cycle of CLEAR is counted.
            if (word_out || clear) begin
                words_reg   <= (clear ? 32'd0 : words_reg) + {31'd0, word_out};
                packets_reg <= (clear ? 32'd0 : packets_reg) + {31'd0, word_out && last_out};
            end
            if (word_out && last_out) begin
                irq_status_reg <= 1'b1;
            end
        end
    end

    always @* begin
        case (read_word)
            CTRL:       read_data = {31'd0, enable_reg};
            STATUS:     read_data = {31'd0, busy};
            IRQ_ENABLE: read_data = {31'd0, irq_enable_reg};
            IRQ_STATUS: read_data = {31'd0, irq_status_reg};
            A:          read_data = a_reg;
            B:          read_data = b_reg;
            C:          read_data = c_reg;
            WORDS:      read_data = words_reg;
            PACKETS:    read_data = packets_reg;
            VERSION:    read_data = VERSION_VALUE;
            default:    read_data = 32'd0;
        endcase
    end

    wire unused = &{1'b0, read_enable};

endmodule

`resetall
