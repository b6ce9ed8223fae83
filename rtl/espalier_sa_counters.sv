// SPDX-License-Identifier: Apache-2.0
//
// What READ delivers beside an SA's record: counters of its frames, and the fingerprint of its key.
//
// Each direction has counters of its own for all slots, so that both may count in the same cycle, and in every cycle: no
// event waits anywhere and none is lost. An SA uses those of its direction; the others of its slot stay 0. The
// controller reads and clears a slot in a cycle in which neither direction counts. There is one soon: frames that count
// have at least 3 beats, and behind a unit that held frames back no more results than a few come at once.

`default_nettype none
`include "espalier_assert.svh"

module espalier_sa_counters #(
    parameter int NUM_SA = 1024,          // slots, a power of two
    parameter int SAW    = $clog2(NUM_SA) // derived: bits of a slot number
) (
    input  wire            clk_i,
    input  wire            rst_i,
    input  wire            blind_i,       // 1: count nothing

    // events, pulses; bytes of the frame with tx_ok_i and rx_ok_i
    input  wire            tx_ok_i,
    input  wire  [SAW-1:0] tx_slot_i,
    input  wire  [13:0]    tx_bytes_i,
    input  wire            rx_ok_i,       // at most one of these three
    input  wire            rx_auth_i,
    input  wire            rx_syntax_i,
    input  wire  [SAW-1:0] rx_slot_i,
    input  wire  [13:0]    rx_bytes_i,

    // controller: read a slot, or clear it
    input  wire            ctl_valid_i,
    output wire            ctl_ready_o,
    input  wire            ctl_clear_i,
    input  wire  [SAW-1:0] ctl_slot_i,
    output wire            ctl_rsp_o,     // pulse, one cycle later
    output logic [255:0]   counters_o,    // what was read, from the cycle after ctl_rsp_o on; word 0 lowest

    // fingerprint of the key that is being installed in ctl_slot_i
    input  wire            print_we_i,
    input  wire  [63:0]    print_data_i   // first byte on top
);

    wire tx_event = tx_ok_i && !blind_i;
    wire rx_event = (rx_ok_i || rx_auth_i || rx_syntax_i) && !blind_i;

    assign ctl_ready_o = !tx_event && !rx_event;
    wire ctl_take = ctl_valid_i && ctl_ready_o;

    // Second cycle: what came in the first, per direction.
    logic           ctl_q, clear_q;
    logic           tx_q, tx_again_q, tx_ok_q;
    logic [SAW-1:0] tx_slot_q, rx_slot_q;
    logic [13:0]    tx_bytes_q, rx_bytes_q;
    logic           rx_q, rx_again_q, rx_ok_q, rx_auth_q, rx_syntax_q;

    wire            tx_go   = tx_event || ctl_take;
    wire            rx_go   = rx_event || ctl_take;
    wire [SAW-1:0]  tx_slot = ctl_take ? ctl_slot_i : tx_slot_i;
    wire [SAW-1:0]  rx_slot = ctl_take ? ctl_slot_i : rx_slot_i;

    always_ff @(posedge clk_i) begin
        ctl_q   <= ctl_take;
        clear_q <= ctl_take && ctl_clear_i;
        tx_q    <= tx_go;
        rx_q    <= rx_go;
        if (tx_go) begin
            tx_again_q <= tx_q && tx_slot == tx_slot_q;
            tx_slot_q  <= tx_slot;
            tx_ok_q    <= tx_event;
            tx_bytes_q <= tx_event ? tx_bytes_i : '0;
        end
        if (rx_go) begin
            rx_again_q  <= rx_q && rx_slot == rx_slot_q;
            rx_slot_q   <= rx_slot;
            rx_ok_q     <= rx_event && rx_ok_i;
            rx_auth_q   <= rx_event && rx_auth_i;
            rx_syntax_q <= rx_event && rx_syntax_i;
            rx_bytes_q  <= (rx_event && rx_ok_i) ? rx_bytes_i : '0;
        end
        if (rst_i) begin
            ctl_q <= 1'b0;
            tx_q  <= 1'b0;
            rx_q  <= 1'b0;
        end
    end

    wire [63:0] tx_frames, tx_bytes, rx_frames, rx_bytes;
    wire [31:0] rx_auth, rx_syntax;

    espalier_sa_tally #(.WIDTH(64), .NUM_SA(NUM_SA)) u_tx_frames (
        .clk_i, .valid_i(tx_go), .slot_i(tx_slot), .update_i(tx_q), .update_slot_i(tx_slot_q), .again_i(tx_again_q),
        .clear_i(clear_q), .add_i(14'(tx_ok_q)), .value_o(tx_frames)
    );
    espalier_sa_tally #(.WIDTH(64), .NUM_SA(NUM_SA)) u_tx_bytes (
        .clk_i, .valid_i(tx_go), .slot_i(tx_slot), .update_i(tx_q), .update_slot_i(tx_slot_q), .again_i(tx_again_q),
        .clear_i(clear_q), .add_i(tx_bytes_q), .value_o(tx_bytes)
    );
    espalier_sa_tally #(.WIDTH(64), .NUM_SA(NUM_SA)) u_rx_frames (
        .clk_i, .valid_i(rx_go), .slot_i(rx_slot), .update_i(rx_q), .update_slot_i(rx_slot_q), .again_i(rx_again_q),
        .clear_i(clear_q), .add_i(14'(rx_ok_q)), .value_o(rx_frames)
    );
    espalier_sa_tally #(.WIDTH(64), .NUM_SA(NUM_SA)) u_rx_bytes (
        .clk_i, .valid_i(rx_go), .slot_i(rx_slot), .update_i(rx_q), .update_slot_i(rx_slot_q), .again_i(rx_again_q),
        .clear_i(clear_q), .add_i(rx_bytes_q), .value_o(rx_bytes)
    );
    espalier_sa_tally #(.WIDTH(32), .NUM_SA(NUM_SA)) u_rx_auth (
        .clk_i, .valid_i(rx_go), .slot_i(rx_slot), .update_i(rx_q), .update_slot_i(rx_slot_q), .again_i(rx_again_q),
        .clear_i(clear_q), .add_i(14'(rx_auth_q)), .value_o(rx_auth)
    );
    espalier_sa_tally #(.WIDTH(32), .NUM_SA(NUM_SA)) u_rx_syntax (
        .clk_i, .valid_i(rx_go), .slot_i(rx_slot), .update_i(rx_q), .update_slot_i(rx_slot_q), .again_i(rx_again_q),
        .clear_i(clear_q), .add_i(14'(rx_syntax_q)), .value_o(rx_syntax)
    );

    // Only the controller comes to the fingerprints, one step after the other.
    wire        print_clear = ctl_take && ctl_clear_i;
    wire [63:0] print;

    espalier_ram_sdp #(.WIDTH(64), .DEPTH(NUM_SA)) u_print (
        .clk_i, .we_i(print_we_i || print_clear), .waddr_i(ctl_slot_i), .wdata_i(print_clear ? 64'd0 : print_data_i),
        .re_i(ctl_take), .raddr_i(ctl_slot_i), .rdata_o(print)
    );

    assign ctl_rsp_o = ctl_q;

    always_ff @(posedge clk_i) begin
        if (ctl_q && !clear_q) begin
            counters_o[63:0]    <= tx_frames | rx_frames;
            counters_o[127:64]  <= tx_bytes | rx_bytes;
            counters_o[159:128] <= rx_auth;
            counters_o[191:160] <= rx_syntax;
            counters_o[223:192] <= print[63:32];
            counters_o[255:224] <= print[31:0];
        end
        if (rst_i || blind_i) counters_o <= '0;
    end

    `ESPALIER_ASSERT(a_one_verdict, clk_i, rst_i, 3'(rx_ok_i) + 3'(rx_auth_i) + 3'(rx_syntax_i) <= 3'd1)
    // Counting in both sets of a slot would mix them up in counters_o.
    `ESPALIER_ASSERT(a_one_direction, clk_i, rst_i, !ctl_q || clear_q || tx_frames == 64'd0 || (rx_frames | 64'(rx_auth)) == 64'd0)

endmodule

`default_nettype wire
