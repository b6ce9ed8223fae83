// SPDX-License-Identifier: Apache-2.0
//
// From the cipher to the MAC: one register stage of AXI4-Stream. Every frame whose result was taken is sent, also while a
// reset waits; idle_o says when all of them are out.

`default_nettype none
`include "espalier_assert.svh"

module espalier_tx_egress #(
    parameter int LANES = 1,        // 128-bit lanes of the data path
    parameter int DW = 128 * LANES, // derived: bits of a beat
    parameter int BW = DW / 8,      // derived: bytes of a beat
    parameter int OW = $clog2(BW)   // derived: bits of a byte's number in a beat
) (
    input  wire           clk_i,
    input  wire           rst_i,

    input  wire           sent_i, // espalier_tx took the result of a frame that comes out
    output wire           idle_o, // no such frame is left

    // frames of espalier_crypt
    input  wire           m_valid_i,
    output wire           m_ready_o,
    input  wire  [DW-1:0] m_data_i,
    input  wire           m_last_i,
    input  wire  [OW:0]   m_count_i,

    // toward the MAC
    output logic [DW-1:0] m_axis_tdata_o,
    output logic [BW-1:0] m_axis_tkeep_o,
    output logic          m_axis_tvalid_o,
    input  wire           m_axis_tready_i,
    output logic          m_axis_tlast_o,

    // events for the statistics
    output logic          stat_frame_o,
    output logic [13:0]   stat_bytes_o // with stat_frame_o
);

    localparam int PENDING_W = 8; // the cipher holds far fewer frames than 255

    logic [PENDING_W-1:0] pending_q; // frames to come or under way
    logic [13:0]          bytes_q;   // bytes of this frame that went to the MAC
    logic [OW:0]          count_q;   // bytes of the beat at the output

    wire take = m_valid_i && m_ready_o;
    wire sent = m_axis_tvalid_o && m_axis_tready_i;
    wire done = sent && m_axis_tlast_o;

    assign m_ready_o = !m_axis_tvalid_o || m_axis_tready_i;
    assign idle_o    = pending_q == '0;

    wire [OW:0]   count = m_last_i ? m_count_i : (OW + 1)'(BW);
    wire [BW-1:0] keep  = ~({BW{1'b1}} << count);

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            m_axis_tvalid_o <= 1'b0;
            m_axis_tdata_o  <= '0;
            m_axis_tkeep_o  <= '0;
            m_axis_tlast_o  <= 1'b0;
            count_q         <= '0;
        end else begin
            m_axis_tvalid_o <= m_valid_i || !m_ready_o;
            if (take) begin
                m_axis_tdata_o <= m_data_i;
                m_axis_tkeep_o <= keep;
                m_axis_tlast_o <= m_last_i;
                count_q        <= count;
            end
        end
    end

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            pending_q    <= '0;
            bytes_q      <= '0;
            stat_frame_o <= 1'b0;
            stat_bytes_o <= '0;
        end else begin
            pending_q    <= pending_q + PENDING_W'(sent_i) - PENDING_W'(done);
            stat_frame_o <= done;
            if (sent) bytes_q <= m_axis_tlast_o ? '0 : bytes_q + 14'(count_q);
            if (done) stat_bytes_o <= bytes_q + 14'(count_q);
        end
    end

    logic midframe_q; // a frame has begun and not ended
    always_ff @(posedge clk_i) begin
        if (rst_i)     midframe_q <= 1'b0;
        else if (sent) midframe_q <= !m_axis_tlast_o;
    end

    `ESPALIER_ASSERT(a_no_gap, clk_i, rst_i, !midframe_q || m_axis_tvalid_o)
    `ESPALIER_ASSERT(a_pending, clk_i, rst_i, !done || pending_q != '0)
    `ESPALIER_ASSERT_STABLE(a_axis, clk_i, rst_i, m_axis_tvalid_o, m_axis_tready_i,
                            {m_axis_tdata_o, m_axis_tkeep_o, m_axis_tlast_o})

endmodule

`default_nettype wire
