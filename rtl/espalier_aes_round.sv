// SPDX-License-Identifier: Apache-2.0
//
// One AES round (FIPS 197, 5.1) with the RAM of its round keys. The block and its key meet in the cycle in which the
// block is here, so every block may belong to another SA.
//
// Simulation speed: MixColumns works on whole 32-bit columns by masks and shifts, the S-box is a module of its own.

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

    // slot of the block that is at state_i in the next cycle
    input  wire  [SAW-1:0] next_sa_i,

    // block before this round and its key length; after this round one cycle later
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
        .re_i(1'b1), .raddr_i(next_sa_i), .rdata_o(key)
    );

    logic [DW-1:0] state_q;
    assign state_o = state_q;

    for (genvar lane = 0; lane < LANES; lane++) begin : g_lane
        for (genvar col = 0; col < 4; col++) begin : g_column
            // ShiftRows: row r of this column comes from r columns further on. SubBytes on the way.
            wire [7:0] s0, s1, s2, s3;
            espalier_aes_sbox u_s0 (.in_i(state_i[128*lane + 32*col                +: 8]), .out_o(s0));
            espalier_aes_sbox u_s1 (.in_i(state_i[128*lane + 32*((col+1)%4) + 8    +: 8]), .out_o(s1));
            espalier_aes_sbox u_s2 (.in_i(state_i[128*lane + 32*((col+2)%4) + 16   +: 8]), .out_o(s2));
            espalier_aes_sbox u_s3 (.in_i(state_i[128*lane + 32*((col+3)%4) + 24   +: 8]), .out_o(s3));

            // MixColumns: 2 s[r] + 3 s[r+1] + s[r+2] + s[r+3] = xtime(s[r] + s[r+1]) + s[r+1] + (s[r+2] + s[r+3]).
            wire [31:0] sub   = {s3, s2, s1, s0};
            wire [31:0] next  = {s0, s3, s2, s1};
            wire [31:0] pair  = sub ^ next;
            wire [31:0] carry = (pair >> 7) & 32'h01010101;
            wire [31:0] twice = ((pair & 32'h7f7f7f7f) << 1) ^ carry ^ (carry << 1) ^ (carry << 3) ^ (carry << 4);
            wire [31:0] mixed = twice ^ next ^ {pair[15:0], pair[31:16]};

            always_ff @(posedge clk_i) begin
                if (skip) state_q[128*lane + 32*col +: 32] <= state_i[128*lane + 32*col +: 32];
                else state_q[128*lane + 32*col +: 32] <= (last ? sub : mixed) ^ key[32*col +: 32];
            end
        end
    end

endmodule

`default_nettype wire
