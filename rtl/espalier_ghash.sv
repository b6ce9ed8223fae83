// SPDX-License-Identifier: Apache-2.0
//
// GHASH (SP 800-38D, 6.4) of one block per cycle, messages of any SA back to back: no drain, no slot lost between them,
// gaps allowed anywhere.
//
// The multiplier has a feedback of D cycles, so a message is split over D accumulators used in turn. A block with r blocks
// of its message to go (itself included) is multiplied by H^D while r > D and its accumulator is used again D blocks
// later; the last D blocks are multiplied by H^r and summed up: that sum is the hash, without a further product.
// A message therefore needs its length at its first block. An unfinished message leaves nothing behind.

`default_nettype none
`include "espalier_assert.svh"

module espalier_ghash #(
    parameter int NUM_SA = 1024,          // SA slots
    parameter int POWERS = 4,             // D: powers of H kept per slot; the multiplier's feedback needs exactly 4
    parameter int SAW    = $clog2(NUM_SA) // derived
) (
    input  wire            clk_i,
    input  wire            rst_i,

    // powers of H; number 0 is H itself, 255 all of them; byte 0 of a block in bits 127:120
    input  wire            hpow_we_i,
    input  wire  [7:0]     hpow_num_i,
    input  wire  [SAW-1:0] hpow_index_i,
    input  wire  [127:0]   hpow_data_i,

    // one block; byte 0 in bits 127:120
    input  wire            valid_i,
    input  wire            first_i, // first of its message
    input  wire  [2:0]     togo_i,  // blocks to go, itself included: 1..POWERS, POWERS+1 for any more
    input  wire  [SAW-1:0] sa_i,
    input  wire  [127:0]   block_i,

    // the hash, 4 cycles after its last block
    output wire            hash_valid_o,
    output wire  [127:0]   hash_o
);

    `ESPALIER_CHECK_PARAM(g_check_powers, POWERS == 4, "espalier_ghash: POWERS must be 4")

    localparam int PW = $clog2(POWERS);

    // Stage 0: the block meets its accumulator, and the power of H is addressed.
    logic [PW:0]    index_q;  // blocks of this message so far, saturating at POWERS, ...
    logic [PW-1:0]  turn_q;   // ... and modulo POWERS
    wire  [PW-1:0]  turn  = first_i ? '0 : turn_q;
    wire            reuse = !first_i && index_q[PW];
    wire            final_block = togo_i <= 3'(POWERS);
    wire  [PW-1:0]  power = final_block ? PW'(togo_i - 3'd1) : PW'(POWERS - 1);

    always_ff @(posedge clk_i) begin
        if (valid_i) begin
            turn_q <= turn + 1'b1;
            if (first_i) index_q <= (PW+1)'(1);
            else if (!index_q[PW]) index_q <= index_q + 1'b1;
        end
    end

    logic [63:0] acc_hi_q [0:POWERS-1];
    logic [63:0] acc_lo_q [0:POWERS-1];
    logic [63:0] x_hi_q, x_lo_q;

    always_ff @(posedge clk_i) begin
        if (valid_i) begin
            x_hi_q <= block_i[127:64] ^ (acc_hi_q[turn] & {64{reuse}});
            x_lo_q <= block_i[63:0]   ^ (acc_lo_q[turn] & {64{reuse}});
        end
    end

    // A RAM per power, so that all powers of a slot can be cleared in one cycle.
    wire  [127:0]  stored [0:POWERS-1];
    logic [PW-1:0] power_q;

    for (genvar i = 0; i < POWERS; i++) begin : g_power
        espalier_ram_sdp #(.WIDTH(128), .DEPTH(NUM_SA)) u_hpow (
            .clk_i,
            .we_i(hpow_we_i && (hpow_num_i == 8'(i) || hpow_num_i == 8'd255)), .waddr_i(hpow_index_i), .wdata_i(hpow_data_i),
            .re_i(valid_i && power == PW'(i)), .raddr_i(sa_i), .rdata_o(stored[i])
        );
    end

    always_ff @(posedge clk_i) if (valid_i) power_q <= power;

    wire [127:0] h = stored[power_q];

    // What a block is, with it through stages 1 to 3: {valid, first, last, final, turn}
    logic [PW+3:0] flags_1_q, flags_2_q, flags_3_q;

    always_ff @(posedge clk_i) begin
        flags_1_q <= {valid_i, first_i, togo_i == 3'd1, final_block, turn};
        flags_2_q <= flags_1_q;
        flags_3_q <= flags_2_q;
        if (rst_i) begin
            flags_1_q[PW+3] <= 1'b0;
            flags_2_q[PW+3] <= 1'b0;
            flags_3_q[PW+3] <= 1'b0;
        end
    end

    // Stages 1 and 2: the product; stage 3: its reduction meets the accumulators.
    wire [127:0] product;

    espalier_gf128_mul u_mul (.clk_i, .valid_i(flags_1_q[PW+3]), .a_i({x_hi_q, x_lo_q}), .b_i(h), .p_o(product));

    wire valid_3 = flags_3_q[PW+3];
    wire first_3 = flags_3_q[PW+2];
    wire last_3  = flags_3_q[PW+1];
    wire final_3 = flags_3_q[PW];

    logic [63:0] sum_hi_q, sum_lo_q;
    logic        done_q;

    always_ff @(posedge clk_i) begin
        if (valid_3 && !final_3) begin
            acc_hi_q[flags_3_q[PW-1:0]] <= product[127:64];
            acc_lo_q[flags_3_q[PW-1:0]] <= product[63:0];
        end
        if (valid_3 && (first_3 || final_3)) begin
            sum_hi_q <= (sum_hi_q & {64{!first_3}}) ^ (product[127:64] & {64{final_3}});
            sum_lo_q <= (sum_lo_q & {64{!first_3}}) ^ (product[63:0]   & {64{final_3}});
        end
        done_q <= valid_3 && last_3 && !rst_i;
    end

    assign hash_valid_o = done_q;
    assign hash_o       = {sum_hi_q, sum_lo_q};

    `ESPALIER_ASSERT(a_togo, clk_i, rst_i, !valid_i || togo_i != 3'd0)

endmodule

`default_nettype wire
