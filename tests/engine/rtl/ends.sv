// SPDX-License-Identifier: BSD-3-Clause
`default_nettype none
// Ends or speaks when `what` says so.
module ends
(
    input  wire        clk,
    input  wire [3:0]  what,
    output reg  [31:0] cycles = 0
);
    initial $display("born");
    final $display("buried");
    always @(posedge clk) begin
        cycles <= cycles + 1;
        case (what)
            4'd1: $finish;
            4'd2: $stop;
            4'd3: $fatal(1, "it went wrong: %0d", 7);
            4'd4: assert (1'b0) else $error("never true");
            4'd5: $display("hello %0d", cycles);
            default: ;
        endcase
    end
endmodule
