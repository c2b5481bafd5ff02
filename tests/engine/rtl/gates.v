// SPDX-License-Identifier: BSD-3-Clause
`default_nettype none
// No clock at all.
module gates
(
    input  wire [7:0] a,
    input  wire [7:0] b,
    output wire [8:0] sum,
    output wire       more
);
    assign sum = a + b;
    assign more = a > b;
endmodule
