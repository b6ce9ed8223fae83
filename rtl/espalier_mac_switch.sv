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

    logic mid_q;  // the MAC has begun a frame and not ended it
    logic drop_q; // the rest of that frame is thrown away

    // Once part of a frame was thrown away, all that is left of it is. Loopback is changed while reception is off, so a frame
    // of the NIC's own is never cut by it.
    wire refuse = discard_i || loopback_i;
    wire drop   = refuse || (mid_q && drop_q);
    wire beat   = s_axis_mac_tvalid_i && s_axis_mac_tready_o;

    assign s_axis_mac_tready_o = drop || rx_tready_i;

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            mid_q  <= 1'b0;
            drop_q <= 1'b0;
        end else begin
            if (beat) mid_q <= !s_axis_mac_tlast_i;
            // A stop in the middle of a frame spoils the frame even when no beat of it comes meanwhile.
            drop_q <= drop && ((mid_q && !(beat && s_axis_mac_tlast_i)) || (beat && !s_axis_mac_tlast_i));
        end
    end

    always_comb begin
        if (loopback_i) begin
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
    assign m_axis_mac_tvalid_o = tx_tvalid_i && !loopback_i;
    assign m_axis_mac_tlast_o  = tx_tlast_i;
    assign m_axis_mac_tuser_o  = 1'b0;

endmodule

`default_nettype wire
