// SPDX-License-Identifier: Apache-2.0
//
// Between the NIC and its MAC: the loopback mode, and the flow of received frames around a reset. No frame is sent in part,
// and after a reset and after a change of mode reception begins with the first beat of a frame.
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

    logic loop_q;    // loopback in force: the mode changes between frames
    logic tx_open_q; // a frame of espalier_tx_egress was offered and has not ended
    logic rx_mid_q;  // the MAC has begun a frame and not ended it
    logic drop_q;    // the rest of that frame is thrown away

    // A change of mode waits for the frame being sent; the next one waits for the change.
    wire change = loopback_i != loop_q;
    wire hold   = change && !tx_open_q;
    wire tx_go  = tx_tvalid_i && !hold;

    // It does not wait for the MAC: a frame being received ends here as a bad one, and the rest of it is thrown away.
    wire cut  = change && loopback_i && rx_mid_q && !drop_q;
    wire drop = discard_i || loop_q || drop_q;

    wire rx_beat = s_axis_mac_tvalid_i && s_axis_mac_tready_o;
    wire rx_mid  = rx_beat ? !s_axis_mac_tlast_i : rx_mid_q;

    assign s_axis_mac_tready_o = drop || (rx_tready_i && !hold && !cut);
    assign tx_tready_o         = !hold && (loop_q ? rx_tready_i || discard_i : m_axis_mac_tready_i);

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            loop_q    <= 1'b0;
            tx_open_q <= 1'b0;
            rx_mid_q  <= 1'b0;
            drop_q    <= 1'b0;
        end else begin
            if (hold && !cut) loop_q <= loopback_i;
            tx_open_q <= tx_go && !(tx_tready_o && tx_tlast_i);
            rx_mid_q  <= rx_mid;
            drop_q    <= rx_mid && (drop || (cut && rx_tready_i));
        end
    end

    always_comb begin
        if (loop_q) begin
            rx_tdata_o  = tx_tdata_i;
            rx_tkeep_o  = tx_tkeep_i;
            rx_tvalid_o = tx_go && !discard_i;
            rx_tlast_o  = tx_tlast_i;
            rx_tuser_o  = 1'b0;
        end else begin
            rx_tdata_o  = s_axis_mac_tdata_i;
            rx_tkeep_o  = cut ? '1 : s_axis_mac_tkeep_i;
            rx_tvalid_o = cut || (s_axis_mac_tvalid_i && !drop && !hold);
            rx_tlast_o  = cut || s_axis_mac_tlast_i;
            rx_tuser_o  = cut || s_axis_mac_tuser_i;
        end
    end

    assign m_axis_mac_tdata_o  = tx_tdata_i;
    assign m_axis_mac_tkeep_o  = tx_tkeep_i;
    assign m_axis_mac_tvalid_o = tx_go && !loop_q;
    assign m_axis_mac_tlast_o  = tx_tlast_i;
    assign m_axis_mac_tuser_o  = 1'b0;

endmodule

`default_nettype wire
