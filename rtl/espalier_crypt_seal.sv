// SPDX-License-Identifier: Apache-2.0
//
// Where beats meet their key stream: encrypts or decrypts the payload, feeds GHASH, forms or checks the ICV, and closes
// each frame with a record of what it was.
//
// P is a multiple of 4 (RFC 4303 alignment), so payload and ICV begin and end on 32-bit words: `tail` below is the number of
// payload words in the last payload beat (0: all four), and the ICV fills the words from there on, into the next beat.

`default_nettype none

module espalier_crypt_seal #(
    parameter int NUM_SA  = 1024, // SA slots
    parameter int DECRYPT = 0,    // 0: encrypt and form the ICV; 1: decrypt and check it
    parameter int USERW   = 1,    // bits of user data
    parameter int POWERS  = 4,    // powers of H per slot
    parameter int SAW     = $clog2(NUM_SA) // derived
) (
    input  wire             clk_i,
    input  wire             rst_i,

    // powers of H
    input  wire             hpow_we_i,
    input  wire  [7:0]      hpow_num_i,
    input  wire  [SAW-1:0]  hpow_index_i,
    input  wire  [127:0]    hpow_data_i,

    // a beat, its key stream, and its place in the frame
    input  wire             d_valid_i,
    input  wire  [127:0]    d_data_i,
    input  wire  [127:0]    d_stream_i,
    input  wire             d_last_i,
    input  wire  [4:0]      d_tail_i, // last beat: bytes up to the frame's end
    input  wire             d_err_i,  // last beat: the frame is bad
    input  wire             d_esp_i,
    input  wire  [2:0]      d_togo_i, // GHASH blocks to go, 5 for more; 1 is the beat in which the ICV ends

    // the frame it belongs to
    input  wire             f_crypt_i,
    input  wire  [SAW-1:0]  f_sa_i,
    input  wire             f_esn_i,
    input  wire  [31:0]     f_seqhi_i,
    input  wire  [13:0]     f_plen_i,
    input  wire  [3:0]      f_offset_i,
    input  wire  [USERW-1:0] f_user_i,

    // to the store, same cycle: the beat as it came and as it is after encryption or decryption
    output wire  [127:0]    w_before_o,
    output wire  [127:0]    w_after_o,
    output wire             w_icv_head_o, // the ICV starts in this beat, behind the payload
    output wire             w_icv_end_o,  // the ICV ends in this beat

    // record of the frame, with its last beat
    output wire             rec_valid_o,
    output wire             rec_bad_o,     // nothing of it may leave
    output wire             rec_crypt_o,
    output wire             rec_hashed_o,  // an ICV result for it comes or came
    output wire             rec_syntax_o,  // ends before its ICV
    output wire             rec_pad_bad_o, // Pad Length + 2 > P
    output wire  [7:0]      rec_pad_len_o,
    output wire  [7:0]      rec_next_header_o,
    output wire  [13:0]     rec_len_o,     // bytes
    output wire  [10:0]     rec_beats_o,
    output wire  [3:0]      rec_offset_o,
    output wire  [1:0]      rec_tail_o,
    output wire  [USERW-1:0] rec_user_o,

    // ICV result of a frame, in order
    output wire             icv_valid_o,
    output wire  [127:0]    icv_o,      // send: the ICV, byte 0 in bits 7:0
    output wire             icv_good_o  // receive: it was right
);

    wire [1:0] tail    = f_plen_i[3:2];
    wire payload       = d_togo_i >= 3'd2 && !d_esp_i;
    wire payload_last  = d_togo_i == 3'd2;
    wire icv_end       = d_togo_i == 3'd1;

    // ---- CTR, and the block for GHASH

    wire [31:0]  plain_word [0:3];
    wire [31:0]  aad_1 = f_esn_i ? espalier_pkg::swap32(f_seqhi_i) : d_data_i[63:32];
    wire [31:0]  aad_2 = d_data_i[63:32] & {32{f_esn_i}};
    wire [127:0] aad = {32'd0, aad_2, aad_1, d_data_i[31:0]}; // RFC 4106, 5
    wire [127:0] lengths = {espalier_pkg::swap32({15'd0, f_plen_i, 3'd0}), 32'd0, // in bits
                            espalier_pkg::swap32(f_esn_i ? 32'd96 : 32'd64), 32'd0};
    wire [127:0] ghash_block;

    // words of this beat that are payload: all, those below tail, or none
    wire [3:0] in_payload = !payload ? 4'b0000 : (!payload_last || tail == 2'd0) ? 4'b1111 : ~(4'b1111 << tail);

    for (genvar w = 0; w < 4; w++) begin : g_word
        wire [31:0] mask = {32{in_payload[w]}};
        wire [31:0] data = d_data_i[32*w +: 32];
        wire [31:0] done = data ^ (d_stream_i[32*w +: 32] & mask);
        wire [31:0] text = ((DECRYPT != 0) ? data : done) & mask;
        wire [31:0] hashed = d_esp_i ? aad[32*w +: 32] : icv_end ? lengths[32*w +: 32] : text;
        assign w_before_o[32*w +: 32] = data;
        assign w_after_o[32*w +: 32]  = done;
        assign plain_word[w] = (DECRYPT != 0) ? done : data;
        assign ghash_block[96 - 32*w +: 32] = espalier_pkg::swap32(hashed);
    end

    assign w_icv_head_o = payload_last && tail != 2'd0;
    assign w_icv_end_o  = icv_end;

    wire         hash_valid;
    wire [127:0] hash;

    espalier_ghash #(.NUM_SA(NUM_SA), .POWERS(POWERS)) u_ghash (
        .clk_i, .rst_i,
        .hpow_we_i, .hpow_num_i, .hpow_index_i, .hpow_data_i,
        .valid_i(d_valid_i && d_togo_i != 3'd0), .first_i(d_esp_i), .togo_i(d_togo_i), .sa_i(f_sa_i), .block_i(ghash_block),
        .hash_valid_o(hash_valid), .hash_o(hash)
    );

    // ---- the ICV: hash + E(J0). On receive the ICV in the frame is added too, and the sum must be zero. The hash comes 4
    // cycles after the frame's length block, and the next frame's length block is further away than that: one register.

    logic [31:0] stream0_q [0:3]; // E(J0)
    logic [31:0] head_q    [0:3]; // the beat in which the ICV began
    logic [31:0] addend_q  [0:3];

    for (genvar w = 0; w < 4; w++) begin : g_icv
        // Word w of the ICV is word w + tail of the pair (last payload beat, beat after it).
        wire [1:0]  at     = 2'(w) + tail;
        wire        in_end = tail == 2'd0 || at < tail;
        wire [31:0] end_word = at == 2'd0 ? d_data_i[31:0] : at == 2'd1 ? d_data_i[63:32] :
                               at == 2'd2 ? d_data_i[95:64] : d_data_i[127:96];
        wire [31:0] icv_word = in_end ? end_word : head_q[at];

        always_ff @(posedge clk_i) begin
            if (d_valid_i && d_esp_i) stream0_q[w] <= d_stream_i[32*w +: 32];
            if (d_valid_i && payload_last) head_q[w] <= d_data_i[32*w +: 32];
            if (d_valid_i && icv_end) addend_q[w] <= (DECRYPT != 0) ? stream0_q[w] ^ icv_word : stream0_q[w];
        end
        assign icv_o[32*w +: 32] = espalier_pkg::swap32(hash[96 - 32*w +: 32]) ^ addend_q[w];
    end

    assign icv_valid_o = hash_valid;
    assign icv_good_o  = icv_o == 128'd0;

    // ---- the trailer (RFC 4303, 2): Pad Length and Next Header end the payload

    wire [1:0]  trailer_at = tail - 2'd1; // the last payload word
    wire [31:0] trailer    = plain_word[trailer_at];
    wire        unused     = &{1'b0, trailer[15:0]};
    logic [7:0] pad_len_q, next_header_q;

    always_ff @(posedge clk_i) begin
        if (d_valid_i && payload_last) begin
            pad_len_q     <= trailer[23:16];
            next_header_q <= trailer[31:24];
        end
    end

    // ---- the record

    logic [10:0] beats_q;  // stored of this frame so far
    logic        hashed_q; // its length block has been
    wire         hashed = hashed_q || icv_end;
    wire [4:0]   icv_ends_at = tail == 2'd0 ? 5'd16 : {1'b0, tail, 2'b00};
    wire         cut_short = f_crypt_i && (!hashed || (icv_end && d_tail_i < icv_ends_at));

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            beats_q  <= '0;
            hashed_q <= 1'b0;
        end else if (d_valid_i) begin
            beats_q  <= d_last_i ? '0 : beats_q + 1'b1;
            hashed_q <= !d_last_i && hashed;
        end
    end

    assign rec_valid_o       = d_valid_i && d_last_i;
    assign rec_bad_o         = d_err_i || (DECRYPT == 0 && cut_short);
    assign rec_crypt_o       = f_crypt_i;
    assign rec_hashed_o      = hashed;
    assign rec_syntax_o      = cut_short;
    assign rec_pad_bad_o     = {6'd0, pad_len_q} + 14'd2 > f_plen_i;
    assign rec_pad_len_o     = pad_len_q;
    assign rec_next_header_o = next_header_q;
    assign rec_len_o         = 14'({beats_q, 4'd0} + 15'(d_tail_i) - 15'(f_offset_i));
    assign rec_beats_o       = beats_q + 1'b1;
    assign rec_offset_o      = f_offset_i;
    assign rec_tail_o        = tail;
    assign rec_user_o        = f_user_i;

endmodule

`default_nettype wire
