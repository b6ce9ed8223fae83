// SPDX-License-Identifier: Apache-2.0
//
// AES encryption of one block, a column per cycle, with the words of the key schedule as they are made (FIPS 197, 5.1).
// Word i of the schedule is what column i needs next, so the block is encrypted when the schedule ends.

`default_nettype none

module espalier_sa_cipher (
    input  wire          clk_i,
    input  wire          clear_i,       // forget everything
    input  wire          load_i,        // take block_i
    input  wire  [127:0] block_i,       // first byte in bits 127:120

    input  wire          step_i,        // word_i is here: column column_i of the round
    input  wire  [31:0]  word_i,
    input  wire  [1:0]   column_i,
    input  wire          first_round_i, // round 0, the key's first words, ...
    input  wire          last_round_i,  // ... and the last round, which has no MixColumns
    output wire  [127:0] block_o        // with column 3: the block after this round
);

    logic [127:0] block_q;    // after the previous round; turns so that the column at work is on top
    logic [95:0]  new_cols_q; // columns 0..2 of this round, newest in the low bits

    // SubBytes and ShiftRows: row r comes from column + r.
    wire [31:0] shifted = {block_q[127:120], block_q[87:80], block_q[47:40], block_q[7:0]};
    wire [31:0] subbed;

    for (genvar i = 0; i < 4; i++) begin : g_sbox
        espalier_aes_sbox u_sbox (.in_i(shifted[8*i +: 8]), .out_o(subbed[8*i +: 8]));
    end

    // MixColumns: 2a + 3b + c + d is 2(a+b) + b + c + d, on the four rows at once.
    wire [31:0] rot8   = {subbed[23:0], subbed[31:24]};
    wire [31:0] rot16  = {subbed[15:0], subbed[31:16]};
    wire [31:0] rot24  = {subbed[7:0], subbed[31:8]};
    wire [31:0] pair   = subbed ^ rot8;
    wire [31:0] high   = (pair >> 7) & 32'h01010101;
    wire [31:0] double = ((pair & 32'h7f7f7f7f) << 1) ^ (high << 4) ^ (high << 3) ^ (high << 1) ^ high;
    wire [31:0] mixed  = double ^ rot8 ^ rot16 ^ rot24;

    wire [31:0] new_col = word_i ^ (first_round_i ? block_q[127:96] : last_round_i ? subbed : mixed);

    assign block_o = {new_cols_q, new_col};

    always_ff @(posedge clk_i) begin
        if (load_i) block_q <= block_i;
        if (step_i) begin
            new_cols_q <= {new_cols_q[63:0], new_col};
            block_q    <= (column_i == 2'd3) ? block_o : {block_q[95:0], block_q[127:96]};
        end
        if (clear_i) begin
            block_q    <= '0;
            new_cols_q <= '0;
        end
    end

endmodule

`default_nettype wire
