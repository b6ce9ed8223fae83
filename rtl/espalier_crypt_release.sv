// SPDX-License-Identifier: Apache-2.0
//
// Joins the record of each frame with its ICV result to the status that the unit reports, and once the result was taken
// orders the frame's beats from the store. The ICV is judged as a whole, in one step, whatever is wrong with it.

`default_nettype none
`include "espalier_assert.svh"

module espalier_crypt_release #(
    parameter int DECRYPT = 0, // which direction
    parameter int USERW   = 1, // bits of user data
    parameter int FRAMES  = 128 // records held
) (
    input  wire             clk_i,
    input  wire             rst_i,

    // records; the sender sees to it that there is room
    input  wire             rec_valid_i,
    input  wire             rec_bad_i,
    input  wire             rec_crypt_i,
    input  wire             rec_hashed_i,
    input  wire             rec_syntax_i,
    input  wire             rec_pad_bad_i,
    input  wire  [7:0]      rec_pad_len_i,
    input  wire  [7:0]      rec_next_header_i,
    input  wire  [13:0]     rec_len_i,
    input  wire  [10:0]     rec_beats_i,
    input  wire  [3:0]      rec_offset_i,
    input  wire  [1:0]      rec_tail_i,
    input  wire  [USERW-1:0] rec_user_i,

    // ICV results, one per record with `hashed`
    input  wire             icv_valid_i,
    input  wire  [127:0]    icv_i,
    input  wire             icv_good_i,

    // result
    output wire             r_valid_o,
    input  wire             r_ready_i,
    output wire  [2:0]      r_status_o,
    output wire  [13:0]     r_len_o,
    output wire  [7:0]      r_next_header_o,
    output wire  [7:0]      r_pad_len_o,
    output wire  [USERW-1:0] r_user_o,

    // order to read a frame from the store
    output wire             q_valid_o,
    input  wire             q_ready_i,
    output wire             q_ok_o,     // what was encrypted or decrypted; else as it came
    output wire  [13:0]     q_len_o,
    output wire  [10:0]     q_beats_o,
    output wire  [3:0]      q_offset_o,
    output wire  [1:0]      q_tail_o,
    output wire  [127:0]    q_icv_o     // send: the ICV to put in
);

    localparam int RW = 5 + 8 + 8 + 14 + 11 + 4 + 2 + USERW;
    localparam int IW = (DECRYPT != 0) ? 1 : 128;
    localparam int QW = 1 + 14 + 11 + 4 + 2 + ((DECRYPT != 0) ? 0 : 128);

    localparam int CW = $clog2(FRAMES + 1);

    wire          rec_ready, icv_ready;
    wire [CW-1:0] unused_records, unused_icvs;
    wire [2:0]    unused_orders;

    wire        h_valid, h_bad, h_crypt, h_hashed, h_syntax, h_pad_bad, h_pop;
    wire [10:0] h_beats;
    wire [3:0]  h_offset;
    wire [1:0]  h_tail;

    espalier_fifo #(.WIDTH(RW), .DEPTH(FRAMES)) u_records (
        .clk_i, .rst_i,
        .s_valid_i(rec_valid_i), .s_ready_o(rec_ready),
        .s_data_i({rec_bad_i, rec_crypt_i, rec_hashed_i, rec_syntax_i, rec_pad_bad_i, rec_pad_len_i, rec_next_header_i,
                   rec_len_i, rec_beats_i, rec_offset_i, rec_tail_i, rec_user_i}),
        .m_valid_o(h_valid), .m_ready_i(h_pop),
        .m_data_o({h_bad, h_crypt, h_hashed, h_syntax, h_pad_bad, r_pad_len_o, r_next_header_o,
                   r_len_o, h_beats, h_offset, h_tail, r_user_o}),
        .count_o(unused_records)
    );

    wire          i_valid;
    wire [IW-1:0] i_in, i_data;

    espalier_fifo #(.WIDTH(IW), .DEPTH(FRAMES)) u_icvs (
        .clk_i, .rst_i,
        .s_valid_i(icv_valid_i), .s_ready_o(icv_ready), .s_data_i(i_in),
        .m_valid_o(i_valid), .m_ready_i(h_pop && h_hashed), .m_data_o(i_data),
        .count_o(unused_icvs)
    );

    wire          good;
    wire          q_ready;
    wire          ok = h_crypt && r_status_o == espalier_pkg::CRYPT_OK;
    wire [QW-1:0] q_in, q_data;

    if (DECRYPT != 0) begin : g_open
        assign i_in    = icv_good_i;
        assign good    = i_data;
        assign q_in    = {ok, r_len_o, h_beats, h_offset, h_tail};
        assign {q_ok_o, q_len_o, q_beats_o, q_offset_o, q_tail_o} = q_data;
        assign q_icv_o = '0;
        wire unused = &{1'b0, icv_i};
    end else begin : g_seal
        assign i_in    = icv_i;
        assign good    = 1'b1;
        assign q_in    = {ok, r_len_o, h_beats, h_offset, h_tail, i_data};
        assign {q_ok_o, q_len_o, q_beats_o, q_offset_o, q_tail_o, q_icv_o} = q_data;
        wire unused = &{1'b0, icv_good_i, h_pad_bad};
    end

    assign r_valid_o  = h_valid && (!h_hashed || i_valid) && q_ready;
    assign r_status_o = h_bad    ? espalier_pkg::CRYPT_ERROR  :
                        !h_crypt ? espalier_pkg::CRYPT_PASS   :
                        h_syntax ? espalier_pkg::CRYPT_SYNTAX :
                        !good    ? espalier_pkg::CRYPT_AUTH   :
                        (DECRYPT != 0 && h_pad_bad) ? espalier_pkg::CRYPT_SYNTAX : espalier_pkg::CRYPT_OK;
    assign h_pop      = r_valid_o && r_ready_i;

    espalier_fifo #(.WIDTH(QW), .DEPTH(4)) u_orders (
        .clk_i, .rst_i,
        .s_valid_i(h_pop && !h_bad), .s_ready_o(q_ready), .s_data_i(q_in),
        .m_valid_o(q_valid_o), .m_ready_i(q_ready_i), .m_data_o(q_data),
        .count_o(unused_orders)
    );

    `ESPALIER_ASSERT(a_record_room, clk_i, rst_i, !rec_valid_i || rec_ready)
    `ESPALIER_ASSERT(a_icv_room, clk_i, rst_i, !icv_valid_i || icv_ready)

endmodule

`default_nettype wire
