// SPDX-License-Identifier: Apache-2.0
//
// Front of espalier_crypt: shifts a frame so that its ESP header fills one beat exactly and its payload starts with the
// next, and says of every beat what it is to AES and GHASH. A frame that is passed through is not shifted.
//
// One beat per cycle, frames back to back; a frame takes one cycle more than it has beats when its shifted tail spills
// into a further beat. Where skipped bytes leave the first shifted beat empty, that beat is left out, and then the spill of
// the frame before costs nothing.

`default_nettype none
`include "espalier_assert.svh"

module espalier_crypt_align #(
    parameter int NUM_SA    = 1024, // SA slots
    parameter int USERW     = 1,    // bits of user data that travel with a frame
    parameter int MAX_FRAME = 9600, // bytes; a frame that takes more beats than this is cut and marked bad
    parameter int DW        = 128,  // bits of a beat
    parameter int BW        = DW / 8,         // derived
    parameter int OW        = $clog2(BW),     // derived
    parameter int SAW       = $clog2(NUM_SA)  // derived
) (
    input  wire             clk_i,
    input  wire             rst_i,

    // room downstream: at most one more beat is sent in the cycle in which this falls
    input  wire             room_i,

    // frame description
    input  wire             meta_valid_i,
    output wire             meta_ready_o,
    input  wire             meta_crypt_i,
    input  wire  [SAW-1:0]  meta_sa_i,
    input  wire  [1:0]      meta_keylen_i,
    input  wire             meta_esn_i,
    input  wire  [31:0]     meta_seqhi_i,
    input  wire  [31:0]     meta_salt_i,
    input  wire  [13:0]     meta_espoff_i,
    input  wire  [13:0]     meta_plen_i,
    input  wire  [OW-1:0]   meta_skip_i,
    input  wire  [USERW-1:0] meta_user_i,

    // frame
    input  wire             s_valid_i,
    output wire             s_ready_o,
    input  wire  [DW-1:0]   s_data_i,
    input  wire             s_last_i,
    input  wire  [OW:0]     s_count_i,
    input  wire             s_err_i,

    // shifted beats, no back-pressure
    output wire             b_valid_o,
    output wire  [DW-1:0]   b_data_o,
    output wire             b_first_o,
    output wire             b_last_o,
    output wire  [OW:0]     b_tail_o, // last beat: its bytes up to the frame's end
    output wire             b_err_o,  // last beat: the frame is bad
    output wire             b_esp_o,  // this is the ESP header
    output wire  [10:0]     b_togo_o, // GHASH blocks to go, this included: n+2 ESP header, .., 2 last payload, 1 ICV end; else 0

    // description of the frame the beat belongs to
    output wire             f_crypt_o,
    output wire  [SAW-1:0]  f_sa_o,
    output wire  [1:0]      f_keylen_o,
    output wire             f_esn_o,
    output wire  [31:0]     f_seqhi_o,
    output wire  [31:0]     f_salt_o,
    output wire  [13:0]     f_plen_o,
    output wire  [OW-1:0]   f_offset_o, // where in its first beat the frame starts
    output wire  [USERW-1:0] f_user_o
);

    localparam int MAX_BEATS = (MAX_FRAME + BW - 1) / BW + 1;
    localparam int BEATW     = $clog2(MAX_BEATS + 1);

    // ---- description: how far to shift, and where the ESP header will be

    wire [14:0]   esp_at  = 15'(meta_skip_i) + 15'(meta_espoff_i);      // in the frame as it comes
    wire [OW-1:0] shift   = meta_crypt_i ? OW'(-esp_at[OW-1:0]) : '0;
    wire [OW:0]   start   = (OW+1)'(meta_skip_i) + (OW+1)'(shift);      // first byte, shifted
    wire [10:0]   esp_beat = 11'((esp_at + 15'(BW - 1)) >> OW);         // ESP header, shifted
    wire [10:0]   headers = esp_beat - 11'(start[OW]);                  // beats before it
    wire [10:0]   blocks  = 11'(({1'b0, meta_plen_i} + 15'd15) >> 4) + 11'd2;

    localparam int HW = 1 + SAW + 2 + 1 + 32 + 32 + 14 + USERW + OW + (OW+1) + 11 + 11;
    wire          h_valid, h_pop;
    wire [2:0]    unused_count;
    wire          h_crypt, h_esn;
    wire [SAW-1:0] h_sa;
    wire [1:0]    h_keylen;
    wire [31:0]   h_seqhi, h_salt;
    wire [13:0]   h_plen;
    wire [USERW-1:0] h_user;
    wire [OW-1:0] h_shift;
    wire [OW:0]   h_start;
    wire [10:0]   h_headers;
    wire [10:0]   h_blocks;

    espalier_fifo #(.WIDTH(HW), .DEPTH(4)) u_meta (
        .clk_i, .rst_i,
        .s_valid_i(meta_valid_i), .s_ready_o(meta_ready_o),
        .s_data_i({meta_crypt_i, meta_sa_i, meta_keylen_i, meta_esn_i, meta_seqhi_i, meta_salt_i, meta_plen_i,
                   meta_user_i, shift, start, headers, blocks}),
        .m_valid_o(h_valid), .m_ready_i(h_pop),
        .m_data_o({h_crypt, h_sa, h_keylen, h_esn, h_seqhi, h_salt, h_plen, h_user, h_shift, h_start, h_headers, h_blocks}),
        .count_o(unused_count)
    );

    // ---- what happens in this cycle

    logic              inside_q;      // between first and last beat of the frame that comes in
    logic              starting_q;    // its first beat was left out
    logic [BEATW-1:0]  beats_q;       // beats sent of it
    logic              spill_q;       // the last bytes of a frame are in carry_q and still to be sent
    logic [OW:0]       spill_tail_q;
    logic              spill_err_q;

    wire skip_first = !inside_q && h_start[OW] && !s_last_i;
    assign s_ready_o = h_valid && room_i && (!spill_q || skip_first);

    wire take  = s_valid_i && s_ready_o;
    wire first = !inside_q || starting_q;
    wire cut   = inside_q && beats_q == BEATW'(MAX_BEATS);
    wire [OW+1:0] end_at = (OW+2)'(s_count_i) + (OW+2)'(h_shift); // of the last beat's bytes, shifted
    wire spill = s_last_i && !cut && end_at > (OW+2)'(BW);
    wire send  = (spill_q && room_i) || (take && !skip_first && (!cut || s_last_i));

    assign h_pop = take && s_last_i;

    // ---- the shift: rotate, then take the bytes that were pushed out of the beat before

    wire  [DW-1:0] turned;
    logic [DW-1:0] carry_q;

    espalier_rotate #(.BYTES(BW)) u_rotate (.data_i(s_data_i), .amount_i(h_shift), .data_o(turned));

    logic          valid_q, first_q, last_q, err_q, esp_q;
    logic [OW:0]   tail_q;
    logic [10:0]   togo_q;
    logic [DW-1:0] data_q;

    wire [DW-1:0] carried; // bytes that come from carry_q

    espalier_byte_mask #(.BYTES(BW)) u_carried (.count_i(h_shift), .mask_o(carried));

    for (genvar w = 0; w < DW/32; w++) begin : g_merge
        wire [31:0] mask = carried[32*w +: 32] | {32{spill_q}};
        always_ff @(posedge clk_i) begin
            if (take) carry_q[32*w +: 32] <= turned[32*w +: 32];
            if (send) data_q[32*w +: 32] <= (carry_q[32*w +: 32] & mask) | (turned[32*w +: 32] & ~mask);
        end
    end

    // ---- what the beat is

    logic [10:0] headers_q; // beats still to come before the ESP header
    logic [10:0] blocks_q;  // GHASH blocks still to come
    logic        header_q;  // the ESP header is still to come

    logic        f_crypt_q, f_esn_q;
    logic [SAW-1:0] f_sa_q;
    logic [1:0]  f_keylen_q;
    logic [31:0] f_seqhi_q, f_salt_q;
    logic [13:0] f_plen_q;
    logic [OW-1:0] f_offset_q;
    logic [USERW-1:0] f_user_q;

    wire send_first = send && !spill_q && first;

    always_ff @(posedge clk_i) begin
        if (take) inside_q <= !s_last_i;
        if (take && skip_first) starting_q <= 1'b1;
        else if (send) starting_q <= 1'b0;
        if (room_i && spill_q) spill_q <= 1'b0;
        if (take) begin
            spill_q      <= spill;
            spill_tail_q <= (OW+1)'(end_at - (OW+2)'(BW));
            spill_err_q  <= s_err_i;
        end
        if (take && skip_first) beats_q <= '0;
        else if (send_first) beats_q <= BEATW'(1);
        else if (send && !spill_q) beats_q <= beats_q + 1'b1;

        valid_q <= send;
        first_q <= send_first;
        last_q  <= spill_q || (s_last_i && !spill);
        err_q   <= spill_q ? spill_err_q : s_err_i || cut;
        tail_q  <= spill_q ? spill_tail_q : (OW+1)'(end_at);

        if (send_first) begin
            headers_q  <= h_headers - 11'd1;
            blocks_q   <= h_blocks & {11{h_crypt}};
            header_q   <= h_crypt;
            esp_q      <= 1'b0;
            togo_q     <= '0;
            f_crypt_q  <= h_crypt;
            f_sa_q     <= h_sa;
            f_keylen_q <= h_keylen;
            f_esn_q    <= h_esn;
            f_seqhi_q  <= h_seqhi;
            f_salt_q   <= h_salt;
            f_plen_q   <= h_plen;
            f_offset_q <= h_start[OW-1:0];
            f_user_q   <= h_user;
        end else if (send) begin
            esp_q  <= 1'b0;
            togo_q <= '0;
            if (header_q && headers_q != '0) begin
                headers_q <= headers_q - 1'b1;
            end else begin
                header_q <= 1'b0;
                esp_q    <= header_q;
                togo_q   <= blocks_q;
                if (blocks_q != '0) blocks_q <= blocks_q - 1'b1;
            end
        end
        if (rst_i) begin
            inside_q   <= 1'b0;
            starting_q <= 1'b0;
            spill_q    <= 1'b0;
            valid_q    <= 1'b0;
        end
    end

    assign b_valid_o  = valid_q;
    assign b_data_o   = data_q;
    assign b_first_o  = first_q;
    assign b_last_o   = last_q;
    assign b_tail_o   = tail_q;
    assign b_err_o    = err_q;
    assign b_esp_o    = esp_q;
    assign b_togo_o   = togo_q;
    assign f_crypt_o  = f_crypt_q;
    assign f_sa_o     = f_sa_q;
    assign f_keylen_o = f_keylen_q;
    assign f_esn_o    = f_esn_q;
    assign f_seqhi_o  = f_seqhi_q;
    assign f_salt_o   = f_salt_q;
    assign f_plen_o   = f_plen_q;
    assign f_offset_o = f_offset_q;
    assign f_user_o   = f_user_q;

    // The ESP header may not be in the first beat, and P is what RFC 4303 and 4106 allow.
    `ESPALIER_ASSERT(a_offset, clk_i, rst_i, !meta_valid_i || !meta_crypt_i || meta_espoff_i >= 14'(2 * BW + 2))
    `ESPALIER_ASSERT(a_plen, clk_i, rst_i, !meta_valid_i || !meta_crypt_i || (meta_plen_i >= 14'd4 && meta_plen_i[1:0] == 2'd0))
    `ESPALIER_ASSERT(a_count, clk_i, rst_i, !s_valid_i || !s_last_i || s_err_i ||
                     (s_count_i <= (OW+1)'(BW) && s_count_i != '0))

endmodule

`default_nettype wire
