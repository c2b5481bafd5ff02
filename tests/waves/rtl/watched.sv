// Something of everything that a wave can show: an instance, an array, a struct, a wide vector, a real, a parameter.
`default_nettype none

module watched #(
    parameter integer STEP = 3
) (
    input  wire        clk,
    input  wire        resetn,
    input  wire        enable,
    input  wire [3:0]  mode,

    input  wire [31:0] s_axis_tdata,
    input  wire        s_axis_tvalid,
    output wire        s_axis_tready,
    input  wire        s_axis_tlast,

    output wire [31:0] m_axis_tdata,
    output wire        m_axis_tvalid,
    input  wire        m_axis_tready,
    output wire        m_axis_tlast,

    output wire        interrupt
);

typedef struct packed {
    logic [3:0]  state;
    logic [11:0] words;
} status_t;

status_t     status;
logic [31:0] count;
logic [99:0] wide;
logic [7:0]  memory [0:3];
real         level;

always @(posedge clk) begin
    if (!resetn) begin
        count  <= 0;
        wide   <= 1;
        status <= 0;
        level  <= 0.0;
        for (int i = 0; i < 4; i++) memory[i] <= 0;
    end else if (enable) begin
        count             <= count + STEP;
        wide              <= {wide[98:0], wide[99]};
        memory[count[1:0]] <= count[7:0];
        level             <= level + 0.25;
        status.state      <= mode;
        if (s_axis_tvalid && s_axis_tready) status.words <= status.words + 1;
    end
end

doubler double_0 (
    .clk(clk), .resetn(resetn),
    .in_data(s_axis_tdata), .in_valid(s_axis_tvalid), .in_ready(s_axis_tready), .in_last(s_axis_tlast),
    .out_data(m_axis_tdata), .out_valid(m_axis_tvalid), .out_ready(m_axis_tready), .out_last(m_axis_tlast)
);

assign interrupt = count == 30;

endmodule

module doubler (
    input  wire        clk,
    input  wire        resetn,
    input  wire [31:0] in_data,
    input  wire        in_valid,
    output wire        in_ready,
    input  wire        in_last,
    output reg  [31:0] out_data,
    output reg         out_valid,
    input  wire        out_ready,
    output reg         out_last
);

assign in_ready = !out_valid || out_ready;

always @(posedge clk)
    if (!resetn)
        out_valid <= 0;
    else if (in_ready) begin
        out_valid <= in_valid;
        out_data  <= in_data << 1;
        out_last  <= in_last;
    end

endmodule

`default_nettype wire
