// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// Reads two vectors of 32-bit words over one 64-bit AXI4 read channel, and gives them as two streams of words.
//
// Bursts of both vectors take turns. One is asked for only when the vector's queue has room for all of it, so RREADY never
// waits for the sink, several bursts are under way at once, and neither vector can block the other. There are no IDs: the
// answers come in the order of the addresses. RRESP is not looked at.
module vector_reader #
(
    // Longest burst in beats: a power of two, 2 to 256
    parameter MAX_BEATS = 64,
    // Bursts of the longest kind that a queue holds: a power of two, 2 or more
    parameter BURSTS = 4
)
(
    input  wire         clk,
    input  wire         rst_n,

    // `start` for one cycle while nothing is left of the run before
    input  wire         start,
    input  wire [63:2]  a_address,
    input  wire [63:2]  b_address,
    input  wire [31:0]  count,  // words of each

    output wire [63:0]  m_axi_araddr,
    output wire [7:0]   m_axi_arlen,
    output wire         m_axi_arvalid,
    input  wire         m_axi_arready,
    input  wire [63:0]  m_axi_rdata,
    input  wire         m_axi_rlast,
    input  wire         m_axi_rvalid,
    output wire         m_axi_rready,

    // A word of each vector
    output wire [31:0]  a_word,
    output wire [31:0]  b_word,
    output wire         valid,
    output wire         last,
    input  wire         ready
);

    localparam DEPTH = MAX_BEATS * BURSTS;
    localparam [15:0] EMPTY = DEPTH;

    initial begin
        if (BURSTS < 2 || BURSTS > 64) begin
            $error("Error: BURSTS is %0d; 2 to 64 are allowed (instance %m)", BURSTS);
            $finish;
        end
    end

    reg         arvalid_reg;
    reg  [63:3] araddr_reg;
    reg  [7:0]  arlen_reg;
    reg         turn_reg;  // 1: b first, where both may ask
    reg  [31:0] left_reg;
    wire        takes = valid && ready;

    // What there is once for each vector; 0 is a, 1 is b.
    wire [1:0]  burst_valid, may_ask, beat_valid, pop;
    wire        asks_a, asks_b;
    wire [63:3] burst_address [0:1];
    wire [8:0]  burst_beats [0:1];
    wire [31:0] word [0:1];

    // Which vector the next answer belongs to
    wire        order_ready, order, order_valid;
    wire        beat = m_axi_rvalid && m_axi_rready;

    genvar one;
    generate
        for (one = 0; one < 2; one = one + 1) begin : vectors
            wire [63:2] from = one == 0 ? a_address : b_address;
            wire [32:0] spread = {1'b0, count} + {32'd0, from[2]} + 33'd1;
            wire [31:0] start_beats = count == 32'd0 ? 32'd0 : spread[32:1];
            wire [63:0] data;
            wire        queue_ready;
            reg         half_reg;  // 1: the next word is the upper half of a beat
            reg  [15:0] room_reg;  // beats of the queue that are neither in it nor asked for
            wire        asks = one == 0 ? asks_a : asks_b;
            wire [15:0] taken = asks ? {7'd0, burst_beats[one]} : 16'd0;

            axi_bursts #(
                .MAX_BEATS(MAX_BEATS)
            ) bursts (
                .clk(clk),
                .rst_n(rst_n),
                .start(start),
                .start_address(from[63:3]),
                .start_beats(start_beats),
                .valid(burst_valid[one]),
                .ready(asks),
                .address(burst_address[one]),
                .beats(burst_beats[one])
            );

            sync_fifo #(
                .WIDTH(64),
                .DEPTH(DEPTH)
            ) queue (
                .clk(clk),
                .rst_n(rst_n),
                .s_data(m_axi_rdata),
                .s_valid(beat && order == one),
                .s_ready(queue_ready),
                .m_data(data),
                .m_valid(beat_valid[one]),
                .m_ready(pop[one])
            );

            assign may_ask[one] = burst_valid[one] && order_ready && room_reg >= {7'd0, burst_beats[one]};
            assign word[one] = half_reg ? data[63:32] : data[31:0];
            assign pop[one]  = takes && (half_reg || last);

            always @(posedge clk) begin
                if (!rst_n) begin
                    half_reg <= 1'b0;
                    room_reg <= EMPTY;
                end else begin
                    if (start) begin
                        half_reg <= from[2];
                    end else if (takes) begin
                        half_reg <= !half_reg;
                    end
                    room_reg <= room_reg - taken + {15'd0, pop[one]};
                end
            end

            wire unused = &{1'b0, queue_ready, spread[0]};
        end
    endgenerate

    // -- addresses: by turns, while the register is free ----
    wire free = !arvalid_reg || m_axi_arready;

    assign asks_a = free && may_ask[0] && !(turn_reg && may_ask[1]);
    assign asks_b = free && may_ask[1] && !asks_a;
    assign m_axi_araddr  = {araddr_reg, 3'b000};
    assign m_axi_arlen   = arlen_reg;
    assign m_axi_arvalid = arvalid_reg;

    wire [8:0] beats = asks_b ? burst_beats[1] : burst_beats[0];
    wire [8:0] less  = beats - 9'd1;

    always @(posedge clk) begin
        if (free) begin
            araddr_reg <= asks_b ? burst_address[1] : burst_address[0];
            arlen_reg  <= less[7:0];
        end
        if (!rst_n) begin
            arvalid_reg <= 1'b0;
            turn_reg    <= 1'b0;
        end else begin
            if (free) arvalid_reg <= asks_a || asks_b;
            if (asks_a || asks_b) turn_reg    <= asks_a;
        end
    end

    sync_fifo #(
        .WIDTH(1),
        .DEPTH(16)
    ) order_queue (
        .clk(clk),
        .rst_n(rst_n),
        .s_data(asks_b),
        .s_valid(asks_a || asks_b),
        .s_ready(order_ready),
        .m_data(order),
        .m_valid(order_valid),
        .m_ready(beat && m_axi_rlast)
    );

    assign m_axi_rready = order_valid;

    // -- words ----
    assign a_word = word[0];
    assign b_word = word[1];
    assign valid  = &beat_valid;
    assign last   = left_reg == 32'd1;

    always @(posedge clk) begin
        if (start) begin
            left_reg <= count;
        end else if (takes) begin
            left_reg <= left_reg - 32'd1;
        end
    end

    wire unused = &{1'b0, less[8]};

endmodule

`resetall
