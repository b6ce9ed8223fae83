// SPDX-License-Identifier: Apache-2.0
//
// Bit mask of a beat's bytes below a given number. Made word by word, for simulation speed.

`default_nettype none

module espalier_byte_mask #(
    parameter int BYTES = 16,           // a power of two, at least 8
    parameter int OW    = $clog2(BYTES) // derived
) (
    input  wire  [OW-1:0]      count_i,
    output wire  [8*BYTES-1:0] mask_o   // ones in bytes 0 to count_i - 1
);

    localparam int WORDS = BYTES / 4;

    wire [WORDS-1:0] whole = ~({WORDS{1'b1}} << count_i[OW-1:2]);               // words all of whose bytes are
    wire [WORDS:0]   split = {1'b0, ~whole} ^ {~whole, 1'b0};                   // bit w: word w is the next one
    wire [31:0]      part  = ~(32'hffffffff << {count_i[1:0], 3'b000});         // what is in that

    for (genvar w = 0; w < WORDS; w++) begin : g_word
        assign mask_o[32*w +: 32] = {32{whole[w]}} | (part & {32{split[w]}});
    end

    wire unused = split[WORDS];

endmodule

`default_nettype wire
