// SPDX-License-Identifier: Apache-2.0
//
// The 64-bit statistics counters and the cycle counter, with their registers. Reading a LO half latches the HI half that
// the next read of HI returns; every counter has its own latch, so reads of several counters may be mixed.

`default_nettype none

module espalier_stats (
    input  wire logic clk_i,
    // Hard reset: clears everything.
    input  wire logic rst_i,
    // 1: statistics are held at zero (CTRL.RESET); the cycle counter goes on.
    input  wire logic clear_i,

    // Register bus: offsets in BAR 0 of the statistics page and of CYCLES_LO/HI. reg_valid_i may be a pulse or be held
    // until reg_ready_o; data and error are valid with reg_ready_o. Writes change nothing and are no error.
    input  wire logic        reg_valid_i,
    input  wire logic        reg_write_i,
    input  wire logic [17:0] reg_addr_i,
    output      logic        reg_ready_o,
    output      logic [31:0] reg_rdata_o,
    output      logic        reg_error_o,

    // Events, each one cycle long: the counters are named after them.
    input  wire logic        tx_frame_i,      // a frame's last beat went to the MAC
    input  wire logic [13:0] tx_bytes_i,      // its bytes, with tx_frame_i
    input  wire logic        tx_esp_i,
    input  wire logic        tx_err_handle_i,
    input  wire logic        tx_err_desc_i,
    input  wire logic        tx_err_dma_i,
    input  wire logic        rx_frame_i,      // a frame was accepted from the wire
    input  wire logic [13:0] rx_bytes_i,      // its bytes, with rx_frame_i
    input  wire logic        rx_esp_ok_i,
    input  wire logic        rx_auth_failed_i,
    input  wire logic        rx_syntax_i,
    input  wire logic        rx_no_sa_i,
    input  wire logic        rx_untouched_i,
    input  wire logic        rx_drop_no_desc_i,
    input  wire logic        rx_drop_bad_i,
    input  wire logic        rx_err_dma_i
);

endmodule

`default_nettype wire
