// SPDX-License-Identifier: Apache-2.0
//
// AES-GCM for ESP (RFC 4106) on whole Ethernet frames, one direction per instance: a beat per cycle, each frame of any SA
// and key length, no cycle lost between frames or on a change of key.
//
//   align -> ctr (counter blocks, AES, key store) -> seal (XOR, GHASH, ICV) -> store (whole frames) -> out
//                                                       \-> release (results) --/
//
// Between align and store nothing stalls. Beats are let in only while the store is sure to have room for them.
// Keys, powers of H and salts can be written, never read; writing zeros erases them.

`default_nettype none
`include "espalier_assert.svh"

module espalier_crypt #(
    parameter int LANES        = 1,     // 128-bit lanes of the stream; 1
    parameter int NUM_SA       = 1024,  // SA slots, a power of two
    parameter int DECRYPT      = 0,     // 0: send (encrypt, write IV and ICV); 1: receive (check the ICV, decrypt)
    parameter int USERW        = 1,     // bits of user data that travel with a frame
    parameter int BUFFER_BYTES = 32768, // output buffer, a power of two, room for a frame of MAX_FRAME and the pipeline
    parameter int MAX_FRAME    = 9600,  // longest frame, bytes; a longer one ends as CRYPT_ERROR
    parameter int DW           = 128 * LANES,    // derived
    parameter int OW           = $clog2(DW / 8), // derived
    parameter int SAW          = $clog2(NUM_SA)  // derived
) (
    input  wire              clk_i,
    input  wire              rst_i,

    // key store: round keys, and powers of H (number 0 is H itself); byte 0 in bits 127:120
    input  wire              key_we_i,
    input  wire  [3:0]       key_round_i,
    input  wire  [SAW-1:0]   key_index_i,
    input  wire  [127:0]     key_data_i,
    input  wire              hpow_we_i,
    input  wire  [7:0]       hpow_num_i,
    input  wire  [SAW-1:0]   hpow_index_i,
    input  wire  [127:0]     hpow_data_i,

    // frame description, one per frame. With meta_crypt_i: ESP offset at least 34, P at least 4 and a multiple of 4
    input  wire              meta_valid_i,
    output wire              meta_ready_o,
    input  wire              meta_crypt_i,
    input  wire  [SAW-1:0]   meta_sa_i,
    input  wire  [1:0]       meta_keylen_i,
    input  wire              meta_esn_i,
    input  wire  [31:0]      meta_seqhi_i,
    input  wire  [31:0]      meta_salt_i,   // first byte most significant
    input  wire  [13:0]      meta_espoff_i, // ESP header, bytes from the frame's first
    input  wire  [13:0]      meta_plen_i,   // P
    input  wire  [OW-1:0]    meta_skip_i,   // bytes to discard at the front of the first beat
    input  wire  [USERW-1:0] meta_user_i,

    // frame in
    input  wire              s_valid_i,
    output wire              s_ready_o,
    input  wire  [DW-1:0]    s_data_i,
    input  wire              s_last_i,
    input  wire  [OW:0]      s_count_i, // last beat: its bytes in use, skipped ones included
    input  wire              s_err_i,   // last beat: the frame is bad

    // result, one per frame; its beats follow once it was taken
    output wire              r_valid_o,
    input  wire              r_ready_i,
    output wire  [2:0]       r_status_o,
    output wire  [13:0]      r_len_o,
    output wire  [7:0]       r_next_header_o,
    output wire  [7:0]       r_pad_len_o,
    output wire  [USERW-1:0] r_user_o,

    // frame out; bytes past the end are 0
    output wire              m_valid_o,
    input  wire              m_ready_i,
    output wire  [DW-1:0]    m_data_o,
    output wire              m_last_o,
    output wire  [OW:0]      m_count_o
);

    localparam int BEATS  = BUFFER_BYTES / (DW / 8);
    localparam int AW     = $clog2(BEATS);
    localparam int FRAMES = BEATS / 16; // frames inside at once; smaller ones than 16 beats do not fill the buffer
    localparam int FW     = $clog2(FRAMES + 1);

    `ESPALIER_CHECK_PARAM(g_check_lanes, LANES == 1, "espalier_crypt: LANES must be 1")
    `ESPALIER_CHECK_PARAM(g_check_sa, NUM_SA >= 2 && 2 ** SAW == NUM_SA, "espalier_crypt: NUM_SA must be a power of two")
    `ESPALIER_CHECK_PARAM(g_check_power, 2 ** AW == BEATS, "espalier_crypt: BUFFER_BYTES must be a power of two")
    `ESPALIER_CHECK_PARAM(g_check_room, BUFFER_BYTES >= MAX_FRAME + 512 && BUFFER_BYTES >= 4096,
                          "espalier_crypt: BUFFER_BYTES must exceed MAX_FRAME by 512 and be at least 4096")

    // ---- align

    logic            room_q;
    wire             b_valid, b_first, b_last, b_err, b_esp;
    wire [DW-1:0]    b_data;
    wire [OW:0]      b_tail;
    wire [10:0]      b_togo;
    wire             f_crypt, f_esn;
    wire [SAW-1:0]   f_sa;
    wire [1:0]       f_keylen;
    wire [31:0]      f_seqhi, f_salt;
    wire [13:0]      f_plen;
    wire [OW-1:0]    f_offset;
    wire [USERW-1:0] f_user;

    espalier_crypt_align #(.NUM_SA(NUM_SA), .USERW(USERW), .MAX_FRAME(MAX_FRAME), .DW(DW)) u_align (
        .clk_i, .rst_i, .room_i(room_q),
        .meta_valid_i, .meta_ready_o, .meta_crypt_i, .meta_sa_i, .meta_keylen_i, .meta_esn_i, .meta_seqhi_i, .meta_salt_i,
        .meta_espoff_i, .meta_plen_i, .meta_skip_i, .meta_user_i,
        .s_valid_i, .s_ready_o, .s_data_i, .s_last_i, .s_count_i, .s_err_i,
        .b_valid_o(b_valid), .b_data_o(b_data), .b_first_o(b_first), .b_last_o(b_last), .b_tail_o(b_tail),
        .b_err_o(b_err), .b_esp_o(b_esp), .b_togo_o(b_togo),
        .f_crypt_o(f_crypt), .f_sa_o(f_sa), .f_keylen_o(f_keylen), .f_esn_o(f_esn), .f_seqhi_o(f_seqhi),
        .f_salt_o(f_salt), .f_plen_o(f_plen), .f_offset_o(f_offset), .f_user_o(f_user)
    );

    // ---- ctr

    localparam int SIDEW = 1 + (OW + 1) + 1 + 1 + 3;
    wire [2:0]       b_togo_near = (b_togo > 11'd5) ? 3'd5 : b_togo[2:0];
    wire             d_valid, d_last, d_err, d_esp;
    wire [DW-1:0]    d_data, d_stream;
    wire [OW:0]      d_tail;
    wire [2:0]       d_togo;

    espalier_crypt_ctr #(.NUM_SA(NUM_SA), .DECRYPT(DECRYPT), .SIDEW(SIDEW), .DW(DW)) u_ctr (
        .clk_i, .rst_i,
        .key_we_i, .key_round_i, .key_index_i, .key_data_i,
        .b_valid_i(b_valid), .b_data_i(b_data), .b_crypt_i(b_togo > 11'd1), .b_esp_i(b_esp),
        .b_side_i({b_last, b_tail, b_err, b_esp, b_togo_near}),
        .f_sa_i(f_sa), .f_keylen_i(f_keylen), .f_esn_i(f_esn), .f_seqhi_i(f_seqhi), .f_salt_i(f_salt),
        .d_valid_o(d_valid), .d_data_o(d_data), .d_stream_o(d_stream),
        .d_side_o({d_last, d_tail, d_err, d_esp, d_togo})
    );

    // what of the frame is needed behind ctr; a frame is at least one beat, and less than 32 beats are on the way
    localparam int DESCW = 1 + SAW + 1 + 32 + 14 + OW + USERW;
    wire             frames_ready, frames_valid;
    wire [5:0]       unused_count;
    wire             g_crypt, g_esn;
    wire [SAW-1:0]   g_sa;
    wire [31:0]      g_seqhi;
    wire [13:0]      g_plen;
    wire [OW-1:0]    g_offset;
    wire [USERW-1:0] g_user;

    espalier_fifo #(.WIDTH(DESCW), .DEPTH(32)) u_frames (
        .clk_i, .rst_i,
        .s_valid_i(b_valid && b_first), .s_ready_o(frames_ready),
        .s_data_i({f_crypt, f_sa, f_esn, f_seqhi, f_plen, f_offset, f_user}),
        .m_valid_o(frames_valid), .m_ready_i(d_valid && d_last),
        .m_data_o({g_crypt, g_sa, g_esn, g_seqhi, g_plen, g_offset, g_user}),
        .count_o(unused_count)
    );

    `ESPALIER_ASSERT(a_frames_in, clk_i, rst_i, !(b_valid && b_first) || frames_ready)
    `ESPALIER_ASSERT(a_frames_out, clk_i, rst_i, !d_valid || frames_valid)

    // ---- seal

    wire [DW-1:0]    w_before, w_after;
    wire             w_icv_head, w_icv_end;
    wire             rec_valid, rec_bad, rec_crypt, rec_hashed, rec_syntax, rec_pad_bad;
    wire [7:0]       rec_pad_len, rec_next_header;
    wire [13:0]      rec_len;
    wire [10:0]      rec_beats;
    wire [OW-1:0]    rec_offset;
    wire [1:0]       rec_tail;
    wire [USERW-1:0] rec_user;
    wire             icv_valid, icv_good;
    wire [127:0]     icv;

    espalier_crypt_seal #(.NUM_SA(NUM_SA), .DECRYPT(DECRYPT), .USERW(USERW)) u_seal (
        .clk_i, .rst_i,
        .hpow_we_i, .hpow_num_i, .hpow_index_i, .hpow_data_i,
        .d_valid_i(d_valid), .d_data_i(d_data), .d_stream_i(d_stream), .d_last_i(d_last), .d_tail_i(d_tail),
        .d_err_i(d_err), .d_esp_i(d_esp), .d_togo_i(d_togo),
        .f_crypt_i(g_crypt), .f_sa_i(g_sa), .f_esn_i(g_esn), .f_seqhi_i(g_seqhi), .f_plen_i(g_plen),
        .f_offset_i(g_offset), .f_user_i(g_user),
        .w_before_o(w_before), .w_after_o(w_after), .w_icv_head_o(w_icv_head), .w_icv_end_o(w_icv_end),
        .rec_valid_o(rec_valid), .rec_bad_o(rec_bad), .rec_crypt_o(rec_crypt), .rec_hashed_o(rec_hashed),
        .rec_syntax_o(rec_syntax), .rec_pad_bad_o(rec_pad_bad), .rec_pad_len_o(rec_pad_len),
        .rec_next_header_o(rec_next_header), .rec_len_o(rec_len), .rec_beats_o(rec_beats),
        .rec_offset_o(rec_offset), .rec_tail_o(rec_tail), .rec_user_o(rec_user),
        .icv_valid_o(icv_valid), .icv_o(icv), .icv_good_o(icv_good)
    );

    // ---- release and store

    wire             q_valid, q_ready, q_ok;
    wire [13:0]      q_len;
    wire [10:0]      q_beats;
    wire [OW-1:0]    q_offset;
    wire [1:0]       q_tail;
    wire [127:0]     q_icv;

    espalier_crypt_release #(.DECRYPT(DECRYPT), .USERW(USERW), .FRAMES(FRAMES)) u_release (
        .clk_i, .rst_i,
        .rec_valid_i(rec_valid), .rec_bad_i(rec_bad), .rec_crypt_i(rec_crypt), .rec_hashed_i(rec_hashed),
        .rec_syntax_i(rec_syntax), .rec_pad_bad_i(rec_pad_bad), .rec_pad_len_i(rec_pad_len),
        .rec_next_header_i(rec_next_header), .rec_len_i(rec_len), .rec_beats_i(rec_beats),
        .rec_offset_i(rec_offset), .rec_tail_i(rec_tail), .rec_user_i(rec_user),
        .icv_valid_i(icv_valid), .icv_i(icv), .icv_good_i(icv_good),
        .r_valid_o, .r_ready_i, .r_status_o, .r_len_o, .r_next_header_o, .r_pad_len_o, .r_user_o,
        .q_valid_o(q_valid), .q_ready_i(q_ready), .q_ok_o(q_ok), .q_len_o(q_len), .q_beats_o(q_beats),
        .q_offset_o(q_offset), .q_tail_o(q_tail), .q_icv_o(q_icv)
    );

    wire          freed_one, freed_bad;
    wire [AW:0]   freed_count;

    espalier_crypt_store #(.DECRYPT(DECRYPT), .BEATS(BEATS), .DW(DW)) u_store (
        .clk_i, .rst_i,
        .w_valid_i(d_valid), .w_last_i(d_last), .w_bad_i(rec_bad), .w_before_i(w_before), .w_after_i(w_after),
        .w_icv_head_i(w_icv_head), .w_icv_end_i(w_icv_end),
        .freed_one_o(freed_one), .freed_bad_o(freed_bad), .freed_count_o(freed_count),
        .q_valid_i(q_valid), .q_ready_o(q_ready), .q_ok_i(q_ok), .q_len_i(q_len), .q_beats_i(q_beats),
        .q_offset_i(q_offset), .q_tail_i(q_tail), .q_icv_i(q_icv),
        .m_valid_o, .m_ready_i, .m_data_o, .m_last_o, .m_count_o
    );

    // ---- room: beats and frames that are let in are counted from align on. room_q is three cycles behind align's sends.

    logic [AW:0]   used_q;
    logic [FW-1:0] frames_q;

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            used_q   <= '0;
            frames_q <= '0;
            room_q   <= 1'b0;
        end else begin
            used_q   <= used_q + (AW+1)'(b_valid) - (AW+1)'(freed_one) - (freed_bad ? freed_count : '0);
            frames_q <= frames_q + FW'(b_valid && b_first) - FW'(r_valid_o && r_ready_i);
            room_q   <= used_q < (AW+1)'(BEATS - 8) && frames_q < FW'(FRAMES - 8);
        end
    end

    `ESPALIER_ASSERT(a_used, clk_i, rst_i, used_q <= (AW+1)'(BEATS))
    `ESPALIER_ASSERT_STABLE(a_result_stable, clk_i, rst_i, r_valid_o, r_ready_i,
                            {r_status_o, r_len_o, r_next_header_o, r_pad_len_o, r_user_o})

endmodule

`default_nettype wire
