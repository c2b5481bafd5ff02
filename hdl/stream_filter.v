// SPDX-License-Identifier: BSD-3-Clause
`resetall
`timescale 1ns / 1ps
`default_nettype none

// A 3 by 3 convolution over a stream of RGBA pixels. Specification: examples/image_filter/README.md.
//
// A frame is a row of steps for each of its rows and one more: the window lags by a row and a pixel. Steps of the frame's
// own rows take a pixel each, those after it none. All of the path from the first step to the last pixel stands still
// together where the sink does (`go`); the skid buffer at its end keeps TREADY of the sink apart from TREADY of the source.
// The next frame begins when the last pixel was taken, so that the settings of a frame hold on the whole path.
module stream_filter #
(
    // Longest row, in pixels; 1 to 8191
    parameter C_MAX_WIDTH = 4096,
    // Bits of an address of the registers
    parameter C_S_AXI_ADDR_WIDTH = 7,
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

    // Pixels in
    input  wire [31:0]                      s_axis_tdata,
    input  wire [3:0]                       s_axis_tkeep,
    input  wire                             s_axis_tlast,
    input  wire                             s_axis_tvalid,
    output wire                             s_axis_tready,

    // Pixels out
    output wire [31:0]                      m_axis_tdata,
    output wire [3:0]                       m_axis_tkeep,
    output wire                             m_axis_tlast,
    output wire                             m_axis_tvalid,
    input  wire                             m_axis_tready,

    // A frame is finished: level, until its bit is cleared
    output wire                             interrupt
);

    // Bits of a column's number
    localparam COLUMN_WIDTH = C_MAX_WIDTH > 1 ? $clog2(C_MAX_WIDTH) : 1;
    // Cycles of filter_channel
    localparam CHANNEL_CYCLES = 5;

    initial begin
        if (C_S_AXI_DATA_WIDTH != 32) begin
            $error("Error: C_S_AXI_DATA_WIDTH is %0d; it has to be 32 (instance %m)", C_S_AXI_DATA_WIDTH);
            $finish;
        end
        if (C_MAX_WIDTH < 1 || C_MAX_WIDTH > 8191) begin
            $error("Error: C_MAX_WIDTH is %0d; WIDTH has 13 bits, so 1 to 8191 (instance %m)", C_MAX_WIDTH);
            $finish;
        end
    end

    // -- settings: as written, and as of the frame's first pixel ----
    wire         enable, absolute, bypass;
    wire [12:0]  width, height;
    wire [3:0]   shift;
    wire [9:0]   offset;
    wire [143:0] coefficients;
    wire         busy, frame_done, early_last, missing_last;

    reg          absolute_reg, bypass_reg;
    reg  [12:0]  width_reg, height_reg;
    reg  [3:0]   shift_reg;
    reg  [9:0]   offset_reg;
    reg  [143:0] coefficients_reg;

    stream_filter_registers #(
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
        .absolute(absolute),
        .bypass(bypass),
        .width(width),
        .height(height),
        .shift(shift),
        .offset(offset),
        .coefficients(coefficients),
        .busy(busy),
        .frame_done(frame_done),
        .early_last(early_last),
        .missing_last(missing_last),
        .interrupt(interrupt)
    );

    // -- steps ----
    localparam [2:0]
        REST  = 3'd0,  // no frame
        PIXEL = 3'd1,  // steps with a pixel
        BELOW = 3'd2,  // the row of steps below the frame
        TAIL  = 3'd3,  // the very last step
        DRAIN = 3'd4;  // until the last pixel was taken

    reg  [2:0]  state_reg;
    reg         running_reg;
    reg  [12:0] row_reg, column_reg;

    wire        go;  // the path moves
    wire        accept = s_axis_tvalid && s_axis_tready;
    wire        first  = accept && state_reg == REST;
    wire [12:0] row    = state_reg == REST ? 13'd0 : row_reg;
    wire [12:0] column = state_reg == REST ? 13'd0 : column_reg;
    wire        last_column = column == (state_reg == REST ? width : width_reg) - 13'd1;
    wire        last_row    = row == (state_reg == REST ? height : height_reg) - 13'd1;
    wire        last_pixel  = last_row && last_column;
    wire        step        = accept || (go && state_reg == BELOW);

    assign s_axis_tready = go && running_reg && (state_reg == PIXEL || (state_reg == REST && enable));
    assign busy          = state_reg != REST;
    assign early_last    = accept && s_axis_tlast && !last_pixel;
    assign missing_last  = accept && !s_axis_tlast && last_pixel;

    always @(posedge aclk) begin
        if (first) begin
            absolute_reg     <= absolute;
            bypass_reg       <= bypass;
            width_reg        <= width;
            height_reg       <= height;
            shift_reg        <= shift;
            offset_reg       <= offset;
            coefficients_reg <= coefficients;
        end
        if (step) begin
            column_reg <= last_column ? 13'd0 : column + 13'd1;
            row_reg    <= last_column ? row + 13'd1 : row;
        end
        if (!aresetn) begin
            state_reg   <= REST;
            running_reg <= 1'b0;
        end else begin
            running_reg <= 1'b1;  // TREADY stays low during a reset
            case (state_reg)
                REST, PIXEL: if (accept) state_reg <= last_pixel ? BELOW : PIXEL;
                BELOW:       if (go && last_column) state_reg <= TAIL;
                TAIL:        if (go) state_reg <= DRAIN;
                default:     if (frame_done) state_reg <= REST;
            endcase
        end
    end

`ifndef SYNTHESIS
    wire [12:0] last_number = width - 13'd1;

    always @(posedge aclk) begin
        if (first && aresetn && ({19'd0, last_number} >= C_MAX_WIDTH || height == 13'd0)) begin
            $error("WIDTH is %0d and HEIGHT %0d; 1 to %0d and 1 to 8191 are allowed (instance %m)",
                width, height, C_MAX_WIDTH);
        end
    end
`endif

    // -- windows, and three colours in parallel ----
    wire         window_valid, window_last;
    wire [215:0] window;
    wire [31:0]  centre;

    filter_window #(
        .MAX_WIDTH(C_MAX_WIDTH),
        .COLUMN_WIDTH(COLUMN_WIDTH)
    ) windows (
        .clk(aclk),
        .rst_n(aresetn),
        .enable(go),
        .step(step),
        .pixel(s_axis_tdata),
        .column(column[COLUMN_WIDTH-1:0]),
        .first_column(column == 13'd0),
        .last_column(last_column),
        .first_row(row == 13'd0),
        .second_row(row == 13'd1),
        .below(state_reg == BELOW),
        .tail(state_reg == TAIL),
        .window_valid(window_valid),
        .window_last(window_last),
        .window(window),
        .centre(centre)
    );

    wire [23:0] colours;

    genvar colour, tap;
    generate
        for (colour = 0; colour < 3; colour = colour + 1) begin : channels
            wire [71:0] pixels;

            for (tap = 0; tap < 9; tap = tap + 1) begin : taps
                assign pixels[8*tap +: 8] = window[24*tap + 8*colour +: 8];
            end

            filter_channel channel (
                .clk(aclk),
                .enable(go),
                .pixels(pixels),
                .coefficients(coefficients_reg),
                .absolute(absolute_reg),
                .shift(shift_reg),
                .offset(offset_reg),
                .result(colours[8*colour +: 8])
            );
        end
    endgenerate

    // What goes beside the colours: the pixel itself, and whether there is one.
    reg  [CHANNEL_CYCLES-1:0] valid_reg, last_reg;
    reg  [31:0]               centre_reg [0:CHANNEL_CYCLES-1];
    wire [31:0]               original = centre_reg[CHANNEL_CYCLES-1];
    integer                   stage;

    always @(posedge aclk) begin
        if (go) begin
            centre_reg[0] <= centre;
            for (stage = 1; stage < CHANNEL_CYCLES; stage = stage + 1) begin
                centre_reg[stage] <= centre_reg[stage-1];
            end
            last_reg <= {last_reg[CHANNEL_CYCLES-2:0], window_last};
        end
        if (!aresetn) begin
            valid_reg <= {CHANNEL_CYCLES{1'b0}};
        end else if (go) begin
            valid_reg <= {valid_reg[CHANNEL_CYCLES-2:0], window_valid};
        end
    end

    // -- out ----
    wire skid_ready;
    wire out_valid = valid_reg[CHANNEL_CYCLES-1];

    assign go         = skid_ready || !out_valid;
    assign frame_done = m_axis_tvalid && m_axis_tready && m_axis_tlast;

    axis_skid #(
        .WIDTH(33)
    ) skid (
        .clk(aclk),
        .rst_n(aresetn),
        .s_data({last_reg[CHANNEL_CYCLES-1], original[31:24], bypass_reg ? original[23:0] : colours}),
        .s_valid(out_valid),
        .s_ready(skid_ready),
        .m_data({m_axis_tlast, m_axis_tdata}),
        .m_valid(m_axis_tvalid),
        .m_ready(m_axis_tready)
    );

    assign m_axis_tkeep = 4'b1111;

    wire unused = &{1'b0, s_axis_tkeep};

endmodule

`resetall
