// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// Registers of `stream_filter`. Offsets, access and reset values: examples/image_filter/README.md.
module stream_filter_registers #
(
    // Bits of an address
    parameter ADDR_WIDTH = 7
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
    output wire                   absolute,
    output wire                   bypass,
    output wire [12:0]            width,
    output wire [12:0]            height,
    output wire [3:0]             shift,
    output wire [9:0]             offset,
    output wire [143:0]           coefficients,  // K00 lowest

    input  wire                   busy,
    // For one cycle each
    input  wire                   frame_done,
    input  wire                   early_last,
    input  wire                   missing_last,

    output wire                   interrupt
);

    localparam WORD_WIDTH = ADDR_WIDTH - 2;
    localparam [WORD_WIDTH-1:0]
        CTRL       = 0,
        STATUS     = 1,
        IRQ_ENABLE = 2,
        VERSION    = 3,
        WIDTH      = 4,
        HEIGHT     = 5,
        SHIFT      = 6,
        OFFSET     = 7,
        K00        = 8,
        K22        = 16,
        FRAMES     = 17;
    localparam [31:0] VERSION_VALUE = 32'h0001_0000;

    initial begin
        if (ADDR_WIDTH < 7) begin
            $error("Error: ADDR_WIDTH is %0d; the registers need 7 bits (instance %m)", ADDR_WIDTH);
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

    reg [2:0]  ctrl_reg;    // BYPASS, ABS, ENABLE
    reg [3:1]  status_reg;  // MISSING_LAST, EARLY_LAST, DONE
    reg        irq_enable_reg;
    reg [12:0] width_reg, height_reg;
    reg [3:0]  shift_reg;
    reg [9:0]  offset_reg;
    reg [31:0] frames_reg;
    reg [15:0] coefficient_reg [0:8];

    assign {bypass, absolute, enable} = ctrl_reg;
    assign width     = width_reg;
    assign height    = height_reg;
    assign shift     = shift_reg;
    assign offset    = offset_reg;
    assign interrupt = status_reg[1] && irq_enable_reg;

    // No register that can be written has more than 16 bits.
    wire [15:0] ones = write_data[15:0] & write_mask[15:0];
    wire [15:0] kept = ~write_mask[15:0];

    genvar tap;
    generate
        for (tap = 0; tap < 9; tap = tap + 1) begin : taps
            localparam [WORD_WIDTH-1:0] WORD = K00 + tap;
            localparam [15:0] INITIAL = tap == 4 ? 16'd1 : 16'd0;

            assign coefficients[16*tap +: 16] = coefficient_reg[tap];

            always @(posedge clk) begin
                if (!rst_n) begin
                    coefficient_reg[tap] <= INITIAL;
                end else if (write_enable && write_word == WORD) begin
                    coefficient_reg[tap] <= (coefficient_reg[tap] & kept) | ones;
                end
            end
        end
    endgenerate

    wire [3:1] clear = write_enable && write_word == STATUS ? ones[3:1] : 3'b000;

    always @(posedge clk) begin
        if (!rst_n) begin
            ctrl_reg       <= 3'b000;
            status_reg     <= 3'b000;
            irq_enable_reg <= 1'b0;
            width_reg      <= 13'd640;
            height_reg     <= 13'd480;
            shift_reg      <= 4'd0;
            offset_reg     <= 10'd0;
            frames_reg     <= 32'd0;
        end else begin
            if (write_enable) begin
                case (write_word)
                    CTRL:       ctrl_reg <= (ctrl_reg & kept[2:0]) | ones[2:0];
                    IRQ_ENABLE: irq_enable_reg <= (irq_enable_reg & kept[0]) | ones[0];
                    WIDTH:      width_reg <= (width_reg & kept[12:0]) | ones[12:0];
                    HEIGHT:     height_reg <= (height_reg & kept[12:0]) | ones[12:0];
                    SHIFT:      shift_reg <= (shift_reg & kept[3:0]) | ones[3:0];
                    OFFSET:     offset_reg <= (offset_reg & kept[9:0]) | ones[9:0];
                    default:    ;
                endcase
            end
            // What comes in the cycle of a clear is kept.
            status_reg <= (status_reg & ~clear) | {missing_last, early_last, frame_done};
            frames_reg <= frames_reg + {31'd0, frame_done};
        end
    end

    wire [WORD_WIDTH-1:0] index = read_word - K00;
    wire                  is_coefficient = read_word >= K00 && read_word <= K22;

    always @* begin
        case (read_word)
            CTRL:       read_data = {29'd0, ctrl_reg};
            STATUS:     read_data = {28'd0, status_reg, busy};
            IRQ_ENABLE: read_data = {31'd0, irq_enable_reg};
            VERSION:    read_data = VERSION_VALUE;
            WIDTH:      read_data = {19'd0, width_reg};
            HEIGHT:     read_data = {19'd0, height_reg};
            SHIFT:      read_data = {28'd0, shift_reg};
            OFFSET:     read_data = {22'd0, offset_reg};
            FRAMES:     read_data = frames_reg;
            default:    read_data = is_coefficient ? {16'd0, coefficient_reg[index[3:0]]} : 32'd0;
        endcase
    end

    wire unused = &{1'b0, read_enable, index[WORD_WIDTH-1:4], write_data[31:16], write_mask[31:16]};

endmodule

`resetall
