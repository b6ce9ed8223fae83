// SPDX-License-Identifier: Apache-2.0
//
// One AES round (FIPS 197, 5.1) with the RAM of its round keys. The block and its key meet in the cycle in which the
// block is here, so every block may belong to another SA.
//
// Simulation speed: the whole round stands behind one enable, so that an empty slot costs nothing; the S-box is a memory with
// initial contents (synthesis makes the same look-up tables of it as of a `case`); MixColumns works on whole 32-bit columns.

`default_nettype none

module espalier_aes_round #(
    parameter int LANES  = 1,    // blocks side by side, all of one SA
    parameter int NUM_SA = 1024, // SA slots
    parameter int ROUND  = 1,    // which round, 1..14
    parameter int DW     = 128 * LANES,      // derived
    parameter int SAW    = $clog2(NUM_SA)    // derived
) (
    input  wire            clk_i,

    // round-key write, stream order (first byte in bits 7:0)
    input  wire            key_we_i,
    input  wire  [SAW-1:0] key_index_i,
    input  wire  [127:0]   key_data_i,

    // block that is at state_i in the next cycle: if there is one, and its slot
    input  wire            next_valid_i,
    input  wire  [SAW-1:0] next_sa_i,

    // block before this round and its key length; after this round one cycle later
    input  wire            valid_i,
    input  wire  [1:0]     keylen_i,
    input  wire  [DW-1:0]  state_i,
    output wire  [DW-1:0]  state_o
);

    // What the last round of a shorter key, and the rounds after it, do: skip MixColumns, skip everything.
    wire last = (ROUND == 10 && keylen_i == espalier_pkg::KEYLEN_128) ||
                (ROUND == 12 && keylen_i == espalier_pkg::KEYLEN_192) || ROUND == 14;
    wire skip = (ROUND > 10 && keylen_i == espalier_pkg::KEYLEN_128) ||
                (ROUND > 12 && keylen_i == espalier_pkg::KEYLEN_192);

    wire [127:0] key;

    espalier_ram_sdp #(.WIDTH(128), .DEPTH(NUM_SA)) u_key (
        .clk_i,
        .we_i(key_we_i), .waddr_i(key_index_i), .wdata_i(key_data_i),
        .re_i(next_valid_i), .raddr_i(next_sa_i), .rdata_o(key)
    );

    logic [DW-1:0] state_q;
    assign state_o = state_q;

    logic [7:0] sbox [0:255];
    `include "espalier_aes_sbox.svh"

    // MixColumns of the column s0, s1, s2, s3, row 0 in bits 7:0: 2 s[r] + 3 s[r+1] + s[r+2] + s[r+3], which is
    // xtime(s[r] + s[r+1]) + s[r+1] + (s[r+2] + s[r+3]).
    function automatic logic [31:0] mix(input logic [7:0] s3, input logic [7:0] s2, input logic [7:0] s1, input logic [7:0] s0);
        logic [31:0] column, below, pair, carry;
        column = {s3, s2, s1, s0};
        below = {column[7:0], column[31:8]};
        pair  = column ^ below;
        carry = (pair >> 7) & 32'h01010101;
        mix   = ((pair & 32'h7f7f7f7f) << 1) ^ carry ^ (carry << 1) ^ (carry << 3) ^ (carry << 4)
              ^ below ^ {pair[15:0], pair[31:16]};
    endfunction

    for (genvar lane = 0; lane < LANES; lane++) begin : g_lane
        for (genvar col = 0; col < 4; col++) begin : g_column
            // ShiftRows: row r of this column comes from r columns further on.
            localparam int ROW0 = 128*lane + 32*col;
            localparam int ROW1 = 128*lane + 32*((col+1)%4) + 8;
            localparam int ROW2 = 128*lane + 32*((col+2)%4) + 16;
            localparam int ROW3 = 128*lane + 32*((col+3)%4) + 24;

            always_ff @(posedge clk_i) begin
                if (valid_i) begin
                    if (skip) begin
                        state_q[ROW0 +: 32] <= state_i[ROW0 +: 32];
                    end else if (last) begin
                        state_q[ROW0 +: 32] <= key[32*col +: 32] ^
                            {sbox[state_i[ROW3 +: 8]], sbox[state_i[ROW2 +: 8]], sbox[state_i[ROW1 +: 8]], sbox[state_i[ROW0 +: 8]]};
                    end else begin
                        state_q[ROW0 +: 32] <= key[32*col +: 32] ^ mix(
                            sbox[state_i[ROW3 +: 8]], sbox[state_i[ROW2 +: 8]], sbox[state_i[ROW1 +: 8]], sbox[state_i[ROW0 +: 8]]);
                    end
                end
            end
        end
    end

endmodule

`default_nettype wire
