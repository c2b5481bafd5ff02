// SPDX-License-Identifier: BSD-3-Clause
`default_nettype none
// Two clocks: `fast` counts edges while `go`, `slow` takes over what it sees. A toggle that never rests while `spin`.
module clocks
(
    input  wire        fast,
    input  wire        slow,
    input  wire        go,
    input  wire        spin,
    output reg  [15:0] fast_count = 0,
    output reg  [15:0] slow_count = 0,
    output reg  [15:0] seen = 0,
    output reg         half = 0
);
    reg toggle = 0;
    always @(posedge fast) begin
        if (go) fast_count <= fast_count + 1;
        if (spin) toggle <= !toggle;
    end
    always @(negedge fast) if (go) half <= !half;
    always @(posedge slow) begin
        seen <= fast_count;
        if (go) slow_count <= slow_count + 1;
    end
endmodule
