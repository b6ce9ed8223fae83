// SPDX-License-Identifier: Apache-2.0
//
// Which mailbox slots are whose: posted by the host, taken by the firmware in the order of the doorbells, answered, seen.
// The words of the slots are in espalier_cp.

`default_nettype none

module espalier_cp_mailbox (
    input  wire         clk_i,
    input  wire         rst_i, // everything is forgotten: reset, and start of the processor

    // each a pulse
    input  wire         post_i, // MBOX_DOORBELL
    input  wire  [4:0]  post_slot_i,
    input  wire         take_i, // CP_NEXT was read: next_* of this cycle is taken
    input  wire         answer_i, // CP_ANSWER
    input  wire  [4:0]  answer_slot_i,
    input  wire         clear_i, // MBOX_DONE
    input  wire  [31:0] clear_slots_i,

    output wire         next_valid_o,
    output wire  [4:0]  next_slot_o,
    output wire  [31:0] pending_o, // posted and not answered
    output wire  [31:0] done_o,    // answered and not cleared
    output wire         answered_o // pulse: an answer was counted
);

    logic [31:0] pending_q, done_q;
    logic [31:0] taken_q; // of those pending, the ones that the firmware has

    // A slot is in the queue once, so the queue has room for all that is posted.
    wire posts   = post_i && !pending_q[post_slot_i];
    wire takes   = take_i && next_valid_o;
    // Only what was taken can be answered.
    wire answers = answer_i && taken_q[answer_slot_i];

    /* verilator lint_off PINCONNECTEMPTY */
    espalier_fifo #(.WIDTH(5), .DEPTH(32)) u_queue (
        .clk_i, .rst_i,
        .s_valid_i(posts), .s_ready_o(), .s_data_i(post_slot_i),
        .m_valid_o(next_valid_o), .m_ready_i(takes), .m_data_o(next_slot_o),
        .count_o()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    always_ff @(posedge clk_i) begin
        if (clear_i) done_q <= done_q & ~clear_slots_i;
        if (posts) pending_q[post_slot_i] <= 1'b1;
        if (takes) taken_q[next_slot_o] <= 1'b1;
        if (answers) begin
            pending_q[answer_slot_i] <= 1'b0;
            taken_q[answer_slot_i]   <= 1'b0;
            done_q[answer_slot_i]    <= 1'b1;
        end
        if (rst_i) begin
            pending_q <= '0;
            taken_q   <= '0;
            done_q    <= '0;
        end
    end

    assign pending_o  = pending_q;
    assign done_o     = done_q;
    assign answered_o = answers;

endmodule

`default_nettype wire
