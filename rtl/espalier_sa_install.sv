// SPDX-License-Identifier: Apache-2.0
//
// Install engine of an SA: from its AES key to all that the data path needs, the round keys (FIPS 197, 5.2), H = E(K, 0)
// and the powers of H (NIST SP 800-38D), and the key's fingerprint.
//
// One key-schedule word is made per cycle, for any key length, and two ciphers keep step: one encrypts the zero block, the
// other the nonce of the fingerprints. That takes 4 S-boxes for the schedule and 4 for each cipher; H and fingerprint are
// ready with the last round key. Powers follow, each from its predecessor by a multiplication of 8 bits a cycle.
//
// Nothing of the key stays here: every register that held a part of it is zero when busy_o falls.

`default_nettype none
`include "espalier_assert.svh"

module espalier_sa_install #(
    parameter int POWERS = 4 // powers of H to make: LANES times the GHASH accumulators, 1 to 128
) (
    input  wire          clk_i,
    input  wire          rst_i,

    input  wire          load_i,   // take key_i; only while not busy
    input  wire  [255:0] key_i,    // first byte of the key in the top bits, unused low bits ignored
    input  wire          start_i,  // begin with the key loaded before; only while not busy
    input  wire  [1:0]   keylen_i, // AES128, AES192 or AES256, stable from start_i until done_o
    input  wire  [63:0]  nonce_i,  // with start_i, first byte in the top bits; 0: the fingerprint is 0
    input  wire          clear_i,  // forget everything, also in the middle of a run
    output wire          busy_o,
    output wire          done_o,   // pulse, with the last write

    // to the key and H-power stores; data are 0 while nothing is written
    output logic         key_we_o,
    output logic [3:0]   key_round_o,
    output logic [127:0] key_data_o,
    output logic         hpow_we_o,
    output logic [7:0]   hpow_num_o, // 0 is H^1
    output logic [127:0] hpow_data_o,

    // the first 8 bytes of the encryption of nonce_i and 64 zero bits, first byte on top; 0 while nothing is written
    output logic         print_we_o,
    output logic [63:0]  print_data_o
);

    `ESPALIER_CHECK_PARAM(g_check_powers, POWERS >= 1 && POWERS <= 128, "espalier_sa_install: POWERS must be 1 to 128")

    typedef enum logic [1:0] {IDLE, EXPAND, POWER, FINISH} state_e;
    state_e state_q;

    assign busy_o = state_q != IDLE;
    assign done_o = state_q == FINISH;

    // -----------------------------------------------------------------------------------------------------------------
    // Key schedule. The window holds the last Nk words, the oldest in the top bits; word i follows from the oldest and
    // the newest. During the first Nk words it only turns once around.

    logic [255:0] window_q;
    logic [5:0]   word_q;  // i
    logic [2:0]   phase_q; // i mod Nk
    logic         given_q; // i < Nk: a word of the key itself
    logic [7:0]   rcon_q;

    wire        aes128    = keylen_i == espalier_regs_pkg::KEYLEN_AES128;
    wire        aes192    = keylen_i == espalier_regs_pkg::KEYLEN_AES192;
    wire [2:0]  nk_last   = aes128 ? 3'd3 : aes192 ? 3'd5 : 3'd7;     // Nk - 1
    wire [5:0]  word_last = aes128 ? 6'd43 : aes192 ? 6'd51 : 6'd59;  // 4 * (rounds + 1) - 1
    wire [31:0] newest    = aes128 ? window_q[159:128] : aes192 ? window_q[95:64] : window_q[31:0];

    wire        turn      = phase_q == 3'd0;
    wire [31:0] sub_in    = turn ? {newest[23:0], newest[31:24]} : newest;
    wire [31:0] sub_out;
    wire [31:0] sub_value = turn ? {sub_out[31:24] ^ rcon_q, sub_out[23:0]}
                                 : (!aes128 && !aes192 && phase_q == 3'd4) ? sub_out : newest;
    wire [31:0] word      = given_q ? window_q[255:224] : window_q[255:224] ^ sub_value;
    wire        last_word = word_q == word_last;

    // -----------------------------------------------------------------------------------------------------------------
    // The two ciphers.

    logic [95:0]  round_key_q; // words 0..2 of this round key, newest in the low bits

    wire [1:0]   column      = word_q[1:0];
    wire         first_round = word_q[5:2] == 4'd0;
    wire         last_round  = word_q[5:2] == word_last[5:2];
    wire         begins      = state_q == IDLE && start_i;
    wire         forget      = rst_i || clear_i || state_q == FINISH;
    wire [127:0] h_block, print_block;

    for (genvar i = 0; i < 4; i++) begin : g_sbox
        espalier_aes_sbox u_schedule (.in_i(sub_in[8*i +: 8]), .out_o(sub_out[8*i +: 8]));
    end

    espalier_sa_cipher u_cipher_h (
        .clk_i, .clear_i(forget), .load_i(begins), .block_i(128'd0),
        .step_i(state_q == EXPAND), .word_i(word), .column_i(column), .first_round_i(first_round), .last_round_i(last_round),
        .block_o(h_block)
    );
    espalier_sa_cipher u_cipher_print (
        .clk_i, .clear_i(forget), .load_i(begins), .block_i({nonce_i, 64'd0}),
        .step_i(state_q == EXPAND), .word_i(word), .column_i(column), .first_round_i(first_round), .last_round_i(last_round),
        .block_o(print_block)
    );

    logic print_q; // there is a nonce

    /* verilator lint_off UNUSEDSIGNAL */ // a fingerprint is half a block
    wire [63:0] print_rest = print_block[63:0];
    /* verilator lint_on UNUSEDSIGNAL */

    // -----------------------------------------------------------------------------------------------------------------
    // Powers of H. Bit 127 of a block is the coefficient of x^0. Horner's rule over bytes of the multiplier, the one of
    // the highest degree first: z = z * x^8 + byte * H.

    logic [127:0] h_q;     // H
    logic [127:0] power_q; // the power to be multiplied by H, bytes used so far shifted out
    logic [127:0] z_q;
    logic [3:0]   digit_q;
    logic [7:0]   num_q;   // which power z_q will be

    function automatic logic [127:0] mul_add(input logic [127:0] z, input logic [7:0] digit, input logic [127:0] h);
        logic [135:0] sum;
        logic [7:0]   over; // coefficients of x^135 (bit 0) to x^128
        sum = {8'd0, z};
        for (int j = 0; j < 8; j++) begin
            if (digit[7-j]) sum = sum ^ ({h, 8'd0} >> j);
        end
        over = sum[7:0];
        // x^128 = 1 + x + x^2 + x^7
        mul_add = sum[135:8]
            ^ ({120'd0, over} << 120) ^ ({120'd0, over} << 119) ^ ({120'd0, over} << 118) ^ ({120'd0, over} << 113);
    endfunction

    localparam logic [7:0] LAST_POWER = 8'(POWERS - 1);

    // -----------------------------------------------------------------------------------------------------------------

    always_ff @(posedge clk_i) begin
        key_we_o     <= 1'b0;
        key_data_o   <= '0;
        hpow_we_o    <= 1'b0;
        hpow_data_o  <= '0;
        print_we_o   <= 1'b0;
        print_data_o <= '0;

        case (state_q)
            IDLE: begin
                if (load_i) window_q <= key_i;
                if (start_i) begin
                    state_q <= EXPAND;
                    word_q  <= '0;
                    phase_q <= '0;
                    given_q <= 1'b1;
                    rcon_q  <= 8'h01;
                    print_q <= nonce_i != 64'd0;
                end
            end

            EXPAND: begin
                if (aes128)      window_q <= {window_q[223:128], word, 128'd0};
                else if (aes192) window_q <= {window_q[223:64], word, 64'd0};
                else             window_q <= {window_q[223:0], word};
                word_q  <= word_q + 1'b1;
                phase_q <= phase_q + 1'b1;
                if (phase_q == nk_last) begin
                    phase_q <= '0;
                    given_q <= 1'b0;
                end
                if (turn && !given_q) rcon_q <= {rcon_q[6:0], 1'b0} ^ (rcon_q[7] ? 8'h1b : 8'h00);

                round_key_q <= {round_key_q[63:0], word};
                if (column == 2'd3) begin
                    key_we_o    <= 1'b1;
                    key_round_o <= word_q[5:2];
                    key_data_o  <= {round_key_q, word};
                end
                if (last_word) begin
                    state_q      <= (LAST_POWER == 8'd0) ? FINISH : POWER;
                    hpow_we_o    <= 1'b1;
                    hpow_num_o   <= '0;
                    hpow_data_o  <= h_block;
                    h_q          <= h_block;
                    power_q      <= h_block;
                    z_q          <= '0;
                    digit_q      <= '0;
                    num_q        <= 8'd1;
                    print_we_o   <= 1'b1;
                    print_data_o <= print_q ? print_block[127:64] : 64'd0;
                end
            end

            POWER: begin
                z_q     <= mul_add(z_q, power_q[7:0], h_q);
                power_q <= power_q >> 8;
                digit_q <= digit_q + 1'b1;
                if (digit_q == 4'd15) begin
                    hpow_we_o   <= 1'b1;
                    hpow_num_o  <= num_q;
                    hpow_data_o <= mul_add(z_q, power_q[7:0], h_q);
                    power_q     <= mul_add(z_q, power_q[7:0], h_q);
                    z_q         <= '0;
                    num_q       <= num_q + 1'b1;
                    if (num_q == LAST_POWER) state_q <= FINISH;
                end
            end

            default: state_q <= IDLE;
        endcase

        if (forget) begin
            state_q      <= IDLE;
            key_we_o     <= 1'b0;
            key_round_o  <= '0;
            key_data_o   <= '0;
            hpow_we_o    <= 1'b0;
            hpow_num_o   <= '0;
            hpow_data_o  <= '0;
            print_we_o   <= 1'b0;
            print_data_o <= '0;
            print_q      <= 1'b0;
            word_q       <= '0;
            phase_q      <= '0;
            given_q      <= 1'b0;
            rcon_q       <= '0;
            round_key_q  <= '0;
            h_q          <= '0;
            power_q      <= '0;
            z_q          <= '0;
            digit_q      <= '0;
            num_q        <= '0;
            window_q     <= '0;
        end
    end

    `ESPALIER_ASSERT(a_start_idle, clk_i, rst_i, !((start_i || load_i) && busy_o))

endmodule

`default_nettype wire
