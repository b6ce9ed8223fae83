// SPDX-License-Identifier: Apache-2.0
//
// Between the NIC and its MAC: the loopback mode, and the flow of received frames around a reset. No frame is ever cut: after
// a reset, and after a change of mode, reception begins with the first beat of a frame.
//
// Its state tells whether the MAC is in the middle of a frame, so it is reset with the MAC and not by CTRL.RESET.

`default_nettype none

module espalier_mac_switch #(
    parameter int LANES = 1,        // 128-bit lanes of the data path
    parameter int DW = 128 * LANES, // derived: bits of a beat
    parameter int BW = DW / 8       // derived: bytes of a beat
) (
    input  wire           clk_i,
    input  wire           rst_i, // hard reset

    input  wire           loopback_i, // CTRL.LOOPBACK
    input  wire           discard_i,  // 1: the receive side is stopping or in reset; frames toward it vanish

    // from espalier_tx_egress
    input  wire  [DW-1:0] tx_tdata_i,
    input  wire  [BW-1:0] tx_tkeep_i,
    input  wire           tx_tvalid_i,
    output logic          tx_tready_o,
    input  wire           tx_tlast_i,

    // to espalier_rx_parse
    output logic [DW-1:0] rx_tdata_o,
    output logic [BW-1:0] rx_tkeep_o,
    output logic          rx_tvalid_o,
    input  wire           rx_tready_i,
    output logic          rx_tlast_o,
    output logic          rx_tuser_o,

    // the MAC's two streams
    output logic [DW-1:0] m_axis_mac_tdata_o,
    output logic [BW-1:0] m_axis_mac_tkeep_o,
    output logic          m_axis_mac_tvalid_o,
    input  wire           m_axis_mac_tready_i,
    output logic          m_axis_mac_tlast_o,
    output logic          m_axis_mac_tuser_o,
    input  wire  [DW-1:0] s_axis_mac_tdata_i,
    input  wire  [BW-1:0] s_axis_mac_tkeep_i,
    input  wire           s_axis_mac_tvalid_i,
    output logic          s_axis_mac_tready_o,
    input  wire           s_axis_mac_tlast_i,
    input  wire           s_axis_mac_tuser_i
);

    logic loop_q;   // loopback in force: the mode changes between frames only
    logic tx_mid_q; // a frame of espalier_tx_egress has begun and not ended
    logic rx_mid_q; // the same for the MAC
    logic drop_q;   // the rest of the MAC's frame is thrown away

    wire tx_beat = tx_tvalid_i && tx_tready_o;
    wire rx_beat = s_axis_mac_tvalid_i && s_axis_mac_tready_o;
    wire tx_mid  = tx_beat ? !tx_tlast_i : tx_mid_q;
    wire rx_mid  = rx_beat ? !s_axis_mac_tlast_i : rx_mid_q;

    // Once part of a frame was thrown away, all that is left of it is, also when no beat of it came meanwhile.
    wire drop = discard_i || loop_q || drop_q;

    // No frame toward either side has begun or is on offer, so the mode may change.
    wire between = !tx_mid && (!tx_tvalid_i || tx_beat) && (!rx_mid || drop);

    assign s_axis_mac_tready_o = drop || rx_tready_i;

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            loop_q   <= 1'b0;
            tx_mid_q <= 1'b0;
            rx_mid_q <= 1'b0;
            drop_q   <= 1'b0;
        end else begin
            if (between) loop_q <= loopback_i;
            tx_mid_q <= tx_mid;
            rx_mid_q <= rx_mid;
            drop_q   <= drop && rx_mid;
        end
    end

    always_comb begin
        if (loop_q) begin
            rx_tdata_o  = tx_tdata_i;
            rx_tkeep_o  = tx_tkeep_i;
            rx_tvalid_o = tx_tvalid_i && !discard_i;
            rx_tlast_o  = tx_tlast_i;
            rx_tuser_o  = 1'b0;
            tx_tready_o = rx_tready_i || discard_i;
        end else begin
            rx_tdata_o  = s_axis_mac_tdata_i;
            rx_tkeep_o  = s_axis_mac_tkeep_i;
            rx_tvalid_o = s_axis_mac_tvalid_i && !drop;
            rx_tlast_o  = s_axis_mac_tlast_i;
            rx_tuser_o  = s_axis_mac_tuser_i;
            tx_tready_o = m_axis_mac_tready_i;
        end
    end

    assign m_axis_mac_tdata_o  = tx_tdata_i;
    assign m_axis_mac_tkeep_o  = tx_tkeep_i;
    assign m_axis_mac_tvalid_o = tx_tvalid_i && !loop_q;
    assign m_axis_mac_tlast_o  = tx_tlast_i;
    assign m_axis_mac_tuser_o  = 1'b0;

endmodule

`default_nettype wire
