// SPDX-License-Identifier: Apache-2.0
//
// Whole-frame output buffer of espalier_crypt. Beats go in as they come out of the pipeline and are taken back when their frame
// turns out bad; a frame is read when its result was taken, in whichever of its two forms, with the ICV put in on
// send, and shifted back so that its byte 0 is byte 0 of a beat.
//
// Reading is one beat per cycle. Frames follow each other without a gap, except that a frame whose shifted form has a beat
// more than its delivered form costs that one cycle.

`default_nettype none
`include "espalier_assert.svh"

module espalier_crypt_store #(
    parameter int DECRYPT = 0,    // 1: both forms are kept; 0: only the encrypted one
    parameter int BEATS   = 2048, // beats held, a power of two
    parameter int DW      = 128,  // bits of a beat
    parameter int BW      = DW / 8,        // derived
    parameter int OW      = $clog2(BW),    // derived
    parameter int AW      = $clog2(BEATS)  // derived
) (
    input  wire             clk_i,
    input  wire             rst_i,

    // beats in; whoever sends them keeps within the space that free_o reports
    input  wire             w_valid_i,
    input  wire             w_last_i,
    input  wire             w_bad_i,      // with w_last_i: take the frame back
    input  wire  [DW-1:0]   w_before_i,
    input  wire  [DW-1:0]   w_after_i,
    input  wire             w_icv_head_i,
    input  wire             w_icv_end_i,

    // beats that became free in this cycle
    output wire             freed_one_o,  // one was read
    output wire             freed_bad_o,  // those of a bad frame, ...
    output wire  [AW:0]     freed_count_o, // ... so many

    // frames to read, in the order in which they came in
    input  wire             q_valid_i,
    output wire             q_ready_o,
    input  wire             q_ok_i,
    input  wire  [13:0]     q_len_i,
    input  wire  [10:0]     q_beats_i,
    input  wire  [OW-1:0]   q_offset_i,
    input  wire  [1:0]      q_tail_i,
    input  wire  [127:0]    q_icv_i,

    // frame out
    output wire             m_valid_o,
    input  wire             m_ready_i,
    output wire  [DW-1:0]   m_data_o,
    output wire             m_last_o,
    output wire  [OW:0]     m_count_o
);

    // ---- write side

    logic [AW-1:0] start_q; // first beat of the frame that is coming in
    logic [AW-1:0] wr_q;
    wire  [AW-1:0] wr_next = wr_q + 1'b1;

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            start_q <= '0;
            wr_q    <= '0;
        end else if (w_valid_i) begin
            wr_q <= (w_last_i && w_bad_i) ? start_q : wr_next;
            if (w_last_i && !w_bad_i) start_q <= wr_next;
        end
    end

    assign freed_bad_o   = w_valid_i && w_last_i && w_bad_i;
    assign freed_count_o = {1'b0, wr_next - start_q};

    // ---- read side, step 0: address. A step moves when the one after it does.

    logic [AW-1:0] rd_q;
    logic [10:0]   done_q; // beats of the frame addressed so far
    wire           take_1;
    wire           issue   = q_valid_i && take_1;
    wire           is_last = done_q + 11'd1 == q_beats_i;

    assign q_ready_o   = issue && is_last;
    assign freed_one_o = issue;

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            rd_q   <= '0;
            done_q <= '0;
        end else if (issue) begin
            rd_q   <= rd_q + 1'b1;
            done_q <= is_last ? '0 : done_q + 11'd1;
        end
    end

    // ---- step 1: the stored beat, and what its frame is

    wire [DW-1:0] after, stored;

    // 64 bits each: what is written in most cycles is fastest to simulate in machine words
    for (genvar w = 0; w < DW/64; w++) begin : g_after
        espalier_ram_sdp #(.WIDTH(64), .DEPTH(BEATS)) u_after (
            .clk_i, .we_i(w_valid_i), .waddr_i(wr_q), .wdata_i(w_after_i[64*w +: 64]),
            .re_i(issue), .raddr_i(rd_q), .rdata_o(after[64*w +: 64])
        );
    end

    logic          valid_1_q, first_1_q, last_1_q;
    logic [OW-1:0] offset_1_q;
    logic [OW-1:0] len_1_q;   // modulo BW: bytes in the frame's last beat, 0 for all
    logic          spill_1_q; // the frame's last delivered beat comes from its last stored beat alone

    // delivered beats = stored beats, though shifted back: the last stored beat then gives two halves
    wire [14:0] room = {q_beats_i, {OW{1'b0}}} - 15'(q_offset_i) - 15'(q_len_i); // unused bytes behind the frame
    wire        spill = q_offset_i != '0 && 15'(q_offset_i) + room < 15'(BW);

    always_ff @(posedge clk_i) begin
        if (take_1) valid_1_q <= issue;
        if (issue) begin
            first_1_q  <= done_q == '0;
            last_1_q   <= is_last;
            offset_1_q <= q_offset_i;
            len_1_q    <= q_len_i[OW-1:0];
            spill_1_q  <= spill;
        end
        if (rst_i) valid_1_q <= 1'b0;
    end

    if (DECRYPT != 0) begin : g_two_forms
        wire [DW-1:0] came;
        logic         ok_1_q;
        for (genvar w = 0; w < DW/64; w++) begin : g_before
            espalier_ram_sdp #(.WIDTH(64), .DEPTH(BEATS)) u_before (
                .clk_i, .we_i(w_valid_i), .waddr_i(wr_q), .wdata_i(w_before_i[64*w +: 64]),
                .re_i(issue), .raddr_i(rd_q), .rdata_o(came[64*w +: 64])
            );
        end
        always_ff @(posedge clk_i) if (issue) ok_1_q <= q_ok_i;
        assign stored = ok_1_q ? after : came;
        wire unused = &{1'b0, w_icv_head_i, w_icv_end_i, q_tail_i, q_icv_i};
    end else begin : g_icv
        // Word w of a beat in which the ICV starts (or ends) is ICV word w - tail, modulo 4; in the first of the two beats
        // those from tail up, in the second those below.
        wire          head, tail_end; // the ICV starts, ends in this beat
        logic         icv_wanted_q;
        logic [1:0]   tail_q;
        logic [127:0] icv_q;
        espalier_ram_sdp #(.WIDTH(2), .DEPTH(BEATS)) u_icv_at (
            .clk_i, .we_i(w_valid_i), .waddr_i(wr_q), .wdata_i({w_icv_head_i, w_icv_end_i}),
            .re_i(issue), .raddr_i(rd_q), .rdata_o({head, tail_end})
        );
        always_ff @(posedge clk_i) begin
            if (issue && done_q == '0) begin
                icv_wanted_q  <= q_ok_i;
                tail_q <= q_tail_i;
                icv_q  <= q_icv_i;
            end
        end
        wire [3:0] below = ~(4'b1111 << tail_q);
        wire [3:0] put   = ({4{head}} & ~below) | ({4{tail_end}} & (below | {4{tail_q == 2'd0}}));
        for (genvar w = 0; w < 4; w++) begin : g_word
            wire [1:0]  at = 2'(w) - tail_q;
            wire [31:0] icv_word = at == 2'd0 ? icv_q[31:0] : at == 2'd1 ? icv_q[63:32] :
                                   at == 2'd2 ? icv_q[95:64] : icv_q[127:96];
            assign stored[32*w +: 32] = (icv_wanted_q && put[w]) ? icv_word : after[32*w +: 32];
        end
        wire unused = &{1'b0, w_before_i};
    end

    // ---- step 2: shifted back

    wire  [DW-1:0] turned;
    logic [DW-1:0] carry_q;
    logic          spill_q; // the frame's last bytes are in carry_q alone
    logic [OW-1:0] spill_len_q;
    logic          m_valid_q, m_last_q;
    logic [DW-1:0] m_data_q;
    logic [OW-1:0] m_len_q; // bytes in the last beat, 0 for all

    espalier_rotate #(.BYTES(BW)) u_rotate (
        .data_i(stored), .amount_i(OW'(-offset_1_q)), .data_o(turned)
    );

    wire move  = !m_valid_q || m_ready_i;
    wire gives = !first_1_q || offset_1_q == '0; // the beat in step 1 completes a beat to deliver
    wire take  = move && valid_1_q && !(spill_q && gives);

    assign take_1 = !valid_1_q || take;

    wire            out_last = spill_q || (last_1_q && !spill_1_q);
    wire [OW-1:0]   out_len  = spill_q ? spill_len_q : len_1_q;
    wire            trim     = out_last && out_len != '0;
    wire [OW-1:0]   split    = OW'(-offset_1_q); // bytes below this come from the beat before; 0: all from the one in step 1
    wire [DW-1:0]   earlier, shown;

    espalier_byte_mask #(.BYTES(BW)) u_earlier (.count_i(split), .mask_o(earlier));
    espalier_byte_mask #(.BYTES(BW)) u_shown (.count_i(out_len), .mask_o(shown));

    for (genvar w = 0; w < DW/32; w++) begin : g_merge
        wire [31:0] from_carry = earlier[32*w +: 32] | {32{spill_q}};
        wire [31:0] keep       = shown[32*w +: 32] | {32{!trim}};
        always_ff @(posedge clk_i) begin
            if (take) carry_q[32*w +: 32] <= turned[32*w +: 32];
            if (move) begin
                m_data_q[32*w +: 32] <= keep & ((carry_q[32*w +: 32] & from_carry) | (turned[32*w +: 32] & ~from_carry));
            end
        end
    end

    always_ff @(posedge clk_i) begin
        if (move) begin
            m_valid_q <= spill_q || (valid_1_q && gives);
            m_last_q  <= out_last;
            m_len_q   <= out_len;
            spill_q   <= take && last_1_q && spill_1_q;
        end
        if (take) spill_len_q <= len_1_q;
        if (rst_i) begin
            m_valid_q <= 1'b0;
            spill_q   <= 1'b0;
        end
    end

    assign m_valid_o = m_valid_q;
    assign m_data_o  = m_data_q;
    assign m_last_o  = m_last_q;
    assign m_count_o = (m_last_q && m_len_q != '0) ? {1'b0, m_len_q} : (OW+1)'(BW);

    `ESPALIER_ASSERT_STABLE(a_out_stable, clk_i, rst_i, m_valid_o, m_ready_i, {m_data_o, m_last_o, m_count_o})

endmodule

`default_nettype wire
