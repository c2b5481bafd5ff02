// Counts to 20, and then ends the simulation as an assertion would.
`default_nettype none

module fails (
    input  wire       clk,
    output reg  [7:0] count
);

initial count = 0;

always @(posedge clk) begin
    count <= count + 1;
    if (count == 20) $fatal(1, "twenty");
end

endmodule

`default_nettype wire
