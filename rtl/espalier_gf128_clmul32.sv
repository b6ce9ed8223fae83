// SPDX-License-Identifier: Apache-2.0
//
// Carry-less product of two 32-bit words: the leaf of the GHASH multiplier. Every value fits a 64-bit machine word, which
// is what makes it fast to simulate; synthesis sees a plain AND-XOR array.

`default_nettype none

module espalier_gf128_clmul32 (
    input  wire  [31:0] a_i,
    input  wire  [31:0] b_i,
    output wire  [63:0] p_o // bit 63 is 0
);

    logic [63:0] p;
    assign p_o = p;

    always_comb begin
        p = 64'd0;
        for (int i = 0; i < 32; i++) p = p ^ ({64{b_i[i]}} & ({32'd0, a_i} << i));
    end

endmodule

`default_nettype wire
