// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// Registers of `vector_add`, with the control protocol `ap_ctrl_hs` and the interrupt registers that HLS tools make.
// Offsets and access: examples/vector_add/README.md.
module vector_add_control #
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

    // The kernel: takes its arguments in a cycle with `ap_start` in which it is idle
    output wire                   ap_start,
    input  wire                   ap_idle,
    input  wire                   ap_done,  // for one cycle; the next run may start then
    output wire [63:0]            a,
    output wire [63:0]            b,
    output wire [63:0]            c,
    output wire [31:0]            n,

    output wire                   interrupt
);

    localparam WORD_WIDTH = ADDR_WIDTH - 2;
    localparam [WORD_WIDTH-1:0]
        CTRL   = 0,
        GIER   = 1,
        IP_IER = 2,
        IP_ISR = 3,
        A_1    = 4,
        A_2    = 5,
        B_1    = 7,
        B_2    = 8,
        C_1    = 10,
        C_2    = 11,
        N      = 13;

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

    reg        start_reg, done_reg, ready_reg, auto_restart_reg;
    reg        gier_reg;
    reg [1:0]  ier_reg, isr_reg;
    reg [63:0] a_reg, b_reg, c_reg;
    reg [31:0] n_reg;

    assign ap_start  = start_reg;
    assign a         = a_reg;
    assign b         = b_reg;
    assign c         = c_reg;
    assign n         = n_reg;
    assign interrupt = gier_reg && |(ier_reg & isr_reg);

    wire [31:0] ones = write_data & write_mask;
    wire [31:0] kept = ~write_mask;
    wire        read_ctrl = read_enable && read_word == CTRL;
    wire [1:0]  toggle = write_enable && write_word == IP_ISR ? ones[1:0] : 2'b00;

    always @(posedge clk) begin
        if (!rst_n) begin
            start_reg        <= 1'b0;
            done_reg         <= 1'b0;
            ready_reg        <= 1'b0;
            auto_restart_reg <= 1'b0;
            gier_reg         <= 1'b0;
            ier_reg          <= 2'b00;
            isr_reg          <= 2'b00;
            a_reg            <= 64'd0;
            b_reg            <= 64'd0;
            c_reg            <= 64'd0;
            n_reg            <= 32'd0;
        end else begin
            // The end of a run comes before a read or a write of the same cycle.
            start_reg <= start_reg && !(ap_done && !auto_restart_reg);
            done_reg  <= ap_done || (done_reg && !read_ctrl);
            ready_reg <= ap_done || (ready_reg && !read_ctrl);
            isr_reg   <= (isr_reg ^ toggle) | (ap_done ? ier_reg : 2'b00);
            if (write_enable) begin
                case (write_word)
                    CTRL: begin
                        if (ones[0]) start_reg <= 1'b1;
                        if (write_mask[7]) auto_restart_reg <= write_data[7];
                    end
                    GIER:    if (write_mask[0]) gier_reg <= write_data[0];
                    IP_IER:  ier_reg <= (ier_reg & kept[1:0]) | ones[1:0];
                    A_1:     a_reg[31:0]  <= (a_reg[31:0] & kept) | ones;
                    A_2:     a_reg[63:32] <= (a_reg[63:32] & kept) | ones;
                    B_1:     b_reg[31:0]  <= (b_reg[31:0] & kept) | ones;
                    B_2:     b_reg[63:32] <= (b_reg[63:32] & kept) | ones;
                    C_1:     c_reg[31:0]  <= (c_reg[31:0] & kept) | ones;
                    C_2:     c_reg[63:32] <= (c_reg[63:32] & kept) | ones;
                    N:       n_reg <= (n_reg & kept) | ones;
                    default: ;
                endcase
            end
        end
    end

    // The arguments can only be written.
    always @* begin
        case (read_word)
            CTRL:    read_data = {24'd0, auto_restart_reg, 3'd0, ready_reg, ap_idle, done_reg, start_reg};
            GIER:    read_data = {31'd0, gier_reg};
            IP_IER:  read_data = {30'd0, ier_reg};
            IP_ISR:  read_data = {30'd0, isr_reg};
            default: read_data = 32'd0;
        endcase
    end

endmodule

`resetall
