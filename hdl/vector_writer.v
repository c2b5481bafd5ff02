// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// Writes a stream of 32-bit words to memory over a 64-bit AXI4 write channel.
//
// Two words make a beat; byte strobes keep the neighbours of a first or last half beat as they are. A burst begins when all
// its beats are in the queue, so that WVALID never pauses in it. AWVALID and WVALID rise together: neither may wait for the
// other's READY (AMBA IHI 0022, section A3.3.1). BRESP is not looked at.
module vector_writer #
(
    // Longest burst in beats: a power of two, 2 to 256
    parameter MAX_BEATS = 64,
    // Bursts without an answer, at most; 1 to 15
    parameter OUTSTANDING = 15
)
(
    input  wire         clk,
    input  wire         rst_n,

    // `start` for one cycle while not `busy`
    input  wire         start,
    input  wire [63:2]  address,
    input  wire [31:0]  count,  // words
    output wire         busy,   // until the last answer

    input  wire [31:0]  word,
    input  wire         valid,
    input  wire         last,
    output wire         ready,

    output wire [63:0]  m_axi_awaddr,
    output wire [7:0]   m_axi_awlen,
    output wire         m_axi_awvalid,
    input  wire         m_axi_awready,
    output wire [63:0]  m_axi_wdata,
    output wire [7:0]   m_axi_wstrb,
    output wire         m_axi_wlast,
    output wire         m_axi_wvalid,
    input  wire         m_axi_wready,
    input  wire         m_axi_bvalid,
    output wire         m_axi_bready
);

    localparam DEPTH = 2 * MAX_BEATS;
    localparam [3:0] MOST = OUTSTANDING;

    initial begin
        if (OUTSTANDING < 1 || OUTSTANDING > 15) begin
            $error("Error: OUTSTANDING is %0d; 1 to 15 are allowed (instance %m)", OUTSTANDING);
            $finish;
        end
    end

    // -- words to beats ----
    reg         half_reg;  // 1: the next word is the upper half of a beat
    reg         low_there_reg;
    reg  [31:0] low_reg;
    wire        queue_ready;
    wire        takes = valid && ready;
    wire        push  = takes && (half_reg || last);
    wire [63:0] beat_data = {word, half_reg ? low_reg : word};
    wire [7:0]  beat_strobes = {{4{half_reg}}, {4{!half_reg || low_there_reg}}};

    assign ready = queue_ready;

    always @(posedge clk) begin
        if (takes) begin
            low_reg <= word;
        end
        if (start) begin
            half_reg      <= address[2];
            low_there_reg <= 1'b0;
        end else if (takes) begin
            half_reg      <= !half_reg;
            low_there_reg <= !half_reg;
        end
    end

    wire queue_valid, w_taken;

    sync_fifo #(
        .WIDTH(72),
        .DEPTH(DEPTH)
    ) queue (
        .clk(clk),
        .rst_n(rst_n),
        .s_data({beat_strobes, beat_data}),
        .s_valid(push),
        .s_ready(queue_ready),
        .m_data({m_axi_wstrb, m_axi_wdata}),
        .m_valid(queue_valid),
        .m_ready(w_taken)
    );

    // -- bursts ----
    wire        burst_valid;
    wire [63:3] burst_address;
    wire [8:0]  burst_beats;
    wire [32:0] spread = {1'b0, count} + {32'd0, address[2]} + 33'd1;
    wire [31:0] start_beats = count == 32'd0 ? 32'd0 : spread[32:1];

    reg         awvalid_reg, sending_reg;
    reg  [63:3] awaddr_reg;
    reg  [7:0]  awlen_reg;
    reg  [8:0]  beats_left_reg;
    reg  [9:0]  stored_reg;  // beats in the queue that belong to no burst yet
    reg  [3:0]  outstanding_reg;

    wire [8:0]  less       = burst_beats - 9'd1;
    wire        answered   = m_axi_bvalid && m_axi_bready;
    wire        burst_over = !awvalid_reg && !sending_reg;
    wire        begins     = burst_valid && burst_over && outstanding_reg != MOST &&
        stored_reg >= {1'b0, burst_beats};
    wire [9:0]  claimed    = begins ? {1'b0, burst_beats} : 10'd0;

    axi_bursts #(
        .MAX_BEATS(MAX_BEATS)
    ) bursts (
        .clk(clk),
        .rst_n(rst_n),
        .start(start),
        .start_address(address[63:3]),
        .start_beats(start_beats),
        .valid(burst_valid),
        .ready(begins),
        .address(burst_address),
        .beats(burst_beats)
    );

    assign m_axi_awaddr  = {awaddr_reg, 3'b000};
    assign m_axi_awlen   = awlen_reg;
    assign m_axi_awvalid = awvalid_reg;
    assign m_axi_wvalid  = sending_reg && queue_valid;
    assign m_axi_wlast   = beats_left_reg == 9'd1;
    assign w_taken       = m_axi_wvalid && m_axi_wready;
    assign m_axi_bready  = outstanding_reg != 4'd0;
    assign busy          = burst_valid || !burst_over || outstanding_reg != 4'd0;

    always @(posedge clk) begin
        if (begins) begin
            awaddr_reg     <= burst_address;
            awlen_reg      <= less[7:0];
            beats_left_reg <= burst_beats;
        end else if (w_taken) begin
            beats_left_reg <= beats_left_reg - 9'd1;
        end
        if (!rst_n) begin
            awvalid_reg     <= 1'b0;
            sending_reg     <= 1'b0;
            stored_reg      <= 10'd0;
            outstanding_reg <= 4'd0;
        end else begin
            awvalid_reg     <= begins || (awvalid_reg && !m_axi_awready);
            sending_reg     <= begins || (sending_reg && !(w_taken && m_axi_wlast));
            stored_reg      <= stored_reg - claimed + {9'd0, push};
            outstanding_reg <= outstanding_reg + {3'd0, begins} - {3'd0, answered};
        end
    end

    wire unused = &{1'b0, less[8], spread[0]};

endmodule

`resetall
