// SPDX-License-Identifier: Apache-2.0
//
// Round-robin choice: the first requester after the one chosen last, wrapping round.

`default_nettype none

module espalier_ring_pick #(
    // Requesters, 1 to 16.
    parameter int NUM = 4,
    localparam int W = (NUM > 1) ? $clog2(NUM) : 1
) (
    input  wire logic [NUM-1:0] request_i,
    input  wire logic [W-1:0]   last_i,   // chosen last
    output      logic           any_o,    // somebody requests
    output      logic [W-1:0]   choice_o  // who is next; valid with any_o
);

    assign any_o = request_i != '0;

    always_comb begin
        choice_o = '0;
        for (int i = NUM - 1; i >= 0; i--) begin
            if (request_i[i]) choice_o = W'(i);
        end
        for (int i = NUM - 1; i >= 0; i--) begin
            if (request_i[i] && W'(i) > last_i) choice_o = W'(i);
        end
    end

endmodule

`default_nettype wire
