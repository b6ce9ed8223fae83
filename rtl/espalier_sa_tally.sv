// SPDX-License-Identifier: Apache-2.0
//
// One counter per SA slot, in a RAM: an update per cycle, of any slot. The word is read in the first cycle and written in the
// second; an update right behind one of the same slot takes its result, which the RAM does not have yet.

`default_nettype none

module espalier_sa_tally #(
    parameter int WIDTH  = 64,            // bits of a counter, which wraps around
    parameter int NUM_SA = 1024,          // slots
    parameter int SAW    = $clog2(NUM_SA) // derived: bits of a slot number
) (
    input  wire              clk_i,

    // first cycle
    input  wire              valid_i,
    input  wire  [SAW-1:0]   slot_i,

    // second cycle of the same update
    input  wire              update_i,
    input  wire  [SAW-1:0]   update_slot_i,
    input  wire              again_i,  // the update of the cycle before had this slot
    input  wire              clear_i,  // set to 0
    input  wire  [13:0]      add_i,
    output wire  [WIDTH-1:0] value_o   // with add_i
);

    wire  [WIDTH-1:0] stored;
    logic [WIDTH-1:0] last_q;

    assign value_o = (again_i ? last_q : stored) + WIDTH'(add_i);

    wire [WIDTH-1:0] value = clear_i ? '0 : value_o;

    espalier_ram_sdp #(.WIDTH(WIDTH), .DEPTH(NUM_SA)) u_ram (
        .clk_i, .we_i(update_i), .waddr_i(update_slot_i), .wdata_i(value),
        .re_i(valid_i), .raddr_i(slot_i), .rdata_o(stored)
    );

    always_ff @(posedge clk_i) if (update_i) last_q <= value;

endmodule

`default_nettype wire
