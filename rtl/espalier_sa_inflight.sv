// SPDX-License-Identifier: Apache-2.0
//
// Frames of one direction that found an SA and may still use it. They finish in the order in which they were counted, so
// "the frames so far" is a number: mark_i takes it, drained_o says that as many have finished since.

`default_nettype none
`include "espalier_assert.svh"

module espalier_sa_inflight (
    input  wire clk_i,
    input  wire rst_i,
    input  wire clear_i,   // forget all frames
    input  wire hit_i,     // pulse: one more
    input  wire done_i,    // pulse: the oldest has finished
    input  wire mark_i,    // pulse: wait for those counted so far, a hit in this cycle included
    output wire drained_o  // valid from the cycle after mark_i
);

    logic [15:0] count_q; // under way
    logic [15:0] wait_q;  // of these, how many were there at the last mark

    wire [15:0] count = count_q + 16'(hit_i) - 16'(done_i);

    assign drained_o = wait_q == 16'd0;

    always_ff @(posedge clk_i) begin
        if (rst_i || clear_i) begin
            count_q <= '0;
            wait_q  <= '0;
        end else begin
            count_q <= count;
            if (mark_i) wait_q <= count;
            else if (done_i && !drained_o) wait_q <= wait_q - 16'd1;
        end
    end

    `ESPALIER_ASSERT(a_done, clk_i, rst_i, clear_i || !(done_i && count_q == 16'd0))
    `ESPALIER_ASSERT(a_room, clk_i, rst_i, !(hit_i && count_q == 16'hffff))

endmodule

`default_nettype wire
