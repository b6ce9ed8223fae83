// SPDX-License-Identifier: Apache-2.0
//
// Product in GF(2^128) as GCM defines it (SP 800-38D, 6.3): two register stages, one product per cycle, the reduction
// combinational at the output so that the caller's accumulator is the third stage.
//
// Operands are in GCM's notation: bit 127 is the coefficient of x^0. Karatsuba twice, 128 -> 64 -> 32 bits.
//
// Simulation speed: no value is wider than 64 bits, and the products stand behind an enable.

`default_nettype none

module espalier_gf128_mul (
    input  wire          clk_i,

    input  wire          valid_i, // there are operands; else the registers keep still
    input  wire  [127:0] a_i,
    input  wire  [127:0] b_i,
    output wire  [127:0] p_o  // a * b of two cycles ago
);

    wire [31:0] a3 = a_i[127:96], a2 = a_i[95:64], a1 = a_i[63:32], a0 = a_i[31:0];
    wire [31:0] b3 = b_i[127:96], b2 = b_i[95:64], b1 = b_i[63:32], b0 = b_i[31:0];

    // Carry-less product of two words; bit 63 is 0.
    function automatic logic [63:0] clmul(input logic [31:0] a, input logic [31:0] b);
        clmul = 64'd0;
        for (int i = 0; i < 32; i++) clmul = clmul ^ ({64{b[i]}} & ({32'd0, a} << i));
    endfunction

    // The nine leaf products, by the words that are added up in their operands.
    logic [63:0] p3_q, p2_q, p32_q, p1_q, p0_q, p10_q, p31_q, p20_q, p3210_q;
    logic        valid_q;

    always_ff @(posedge clk_i) begin
        valid_q <= valid_i;
        if (valid_i) begin
            p3_q    <= clmul(a3, b3);
            p2_q    <= clmul(a2, b2);
            p32_q   <= clmul(a3 ^ a2, b3 ^ b2);
            p1_q    <= clmul(a1, b1);
            p0_q    <= clmul(a0, b0);
            p10_q   <= clmul(a1 ^ a0, b1 ^ b0);
            p31_q   <= clmul(a3 ^ a1, b3 ^ b1);
            p20_q   <= clmul(a2 ^ a0, b2 ^ b0);
            p3210_q <= clmul(a3 ^ a2 ^ a1 ^ a0, b3 ^ b2 ^ b1 ^ b0);
        end
    end

    // Three 128-bit products (of the upper halves, the lower halves, their sums), each as two 64-bit words ...
    wire [63:0] hi_mid  = p32_q ^ p3_q ^ p2_q;
    wire [63:0] lo_mid  = p10_q ^ p1_q ^ p0_q;
    wire [63:0] sum_mid = p3210_q ^ p31_q ^ p20_q;
    wire [63:0] hi_1  = p3_q  ^ (hi_mid >> 32);
    wire [63:0] hi_0  = p2_q  ^ (hi_mid << 32);
    wire [63:0] lo_1  = p1_q  ^ (lo_mid >> 32);
    wire [63:0] lo_0  = p0_q  ^ (lo_mid << 32);
    wire [63:0] sum_1 = p31_q ^ (sum_mid >> 32);
    wire [63:0] sum_0 = p20_q ^ (sum_mid << 32);

    // ... make the 255-bit product, four words.
    logic [63:0] c3_q, c2_q, c1_q, c0_q;

    always_ff @(posedge clk_i) begin
        if (valid_q) begin
            c3_q <= hi_1;
            c2_q <= hi_0 ^ sum_1 ^ hi_1 ^ lo_1;
            c1_q <= lo_1 ^ sum_0 ^ hi_0 ^ lo_0;
            c0_q <= lo_0;
        end
    end

    // Bit 254 of the product is the coefficient of x^0. One bit up, the upper half holds x^0..x^127 and the lower half
    // x^128..x^255, which x^128 = 1 + x + x^2 + x^7 folds in; what a right shift (times x) pushes out folds in again.
    wire [63:0] v3 = (c3_q << 1) | (c2_q >> 63);
    wire [63:0] v2 = (c2_q << 1) | (c1_q >> 63);
    wire [63:0] v1 = (c1_q << 1) | (c0_q >> 63);
    wire [63:0] v0 = c0_q << 1;
    wire [63:0] f1 = v1 ^ (v0 << 63) ^ (v0 << 62) ^ (v0 << 57);
    wire [63:0] r1 = v3 ^ f1 ^ (f1 >> 1) ^ (f1 >> 2) ^ (f1 >> 7);
    wire [63:0] r0 = v2 ^ v0 ^ ((v0 >> 1) | (f1 << 63)) ^ ((v0 >> 2) | (f1 << 62)) ^ ((v0 >> 7) | (f1 << 57));

    assign p_o = {r1, r0};

endmodule

`default_nettype wire
