// SPDX-License-Identifier: Apache-2.0
//
// Rotates a beat upwards by whole bytes: output byte (i + amount) mod BYTES is input byte i. Combinational.
//
// First by whole words, then by the bytes left over, so that no value in it is wider than 64 bits (simulation speed).

`default_nettype none

module espalier_rotate #(
    parameter int BYTES = 16,            // a power of two, at least 8
    parameter int AW    = $clog2(BYTES)  // derived
) (
    input  wire  [8*BYTES-1:0] data_i,
    input  wire  [AW-1:0]      amount_i,
    output wire  [8*BYTES-1:0] data_o
);

    localparam int WORDS = BYTES / 4;
    localparam int STEPS = AW - 2; // word rotations by 1, 2, 4, ... words

    for (genvar s = 0; s <= STEPS; s++) begin : g_step
        wire [31:0] word [0:WORDS-1];
        for (genvar w = 0; w < WORDS; w++) begin : g_word
            if (s == 0) begin : g_in
                assign word[w] = data_i[32*w +: 32];
            end else begin : g_turn
                assign word[w] = amount_i[s+1] ? g_step[s-1].word[(w + WORDS - 2**(s-1)) % WORDS]
                                               : g_step[s-1].word[w];
            end
        end
    end

    for (genvar w = 0; w < WORDS; w++) begin : g_out
        wire [63:0] pair  = {g_step[STEPS].word[w], g_step[STEPS].word[(w + WORDS - 1) % WORDS]};
        wire [31:0] shown = 32'(pair >> (6'd32 - {1'b0, amount_i[1:0], 3'b000}));
        assign data_o[32*w +: 32] = shown;
    end

endmodule

`default_nettype wire
