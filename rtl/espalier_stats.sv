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
    input  wire logic        reg_peek_i, // 1: a read of LO latches nothing: HI is for another reader
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

    // Counters, 8 bytes of register space each.
    localparam logic [17:0] BASE = espalier_regs_pkg::STAT_TX_FRAMES_LO_ADDR;
    localparam int NUM = 16;
    localparam int AW  = $clog2(NUM);

    // ---------------------------------------------------------------------------
    // Counters

    logic [63:0] count_q [0:NUM-1];
    logic [63:0] cycles_q;

    // A counter takes the event of the register that stands at its place.
    for (genvar i = 0; i < NUM; i++) begin : g_counter
        localparam logic [17:0] ADDR = BASE + 18'(8 * i);
        wire tx_bytes = ADDR == espalier_regs_pkg::STAT_TX_BYTES_LO_ADDR && tx_frame_i;
        wire rx_bytes = ADDR == espalier_regs_pkg::STAT_RX_BYTES_LO_ADDR && rx_frame_i;
        wire one = (ADDR == espalier_regs_pkg::STAT_TX_FRAMES_LO_ADDR       && tx_frame_i)
                || (ADDR == espalier_regs_pkg::STAT_TX_ESP_LO_ADDR          && tx_esp_i)
                || (ADDR == espalier_regs_pkg::STAT_TX_ERR_HANDLE_LO_ADDR   && tx_err_handle_i)
                || (ADDR == espalier_regs_pkg::STAT_TX_ERR_DESC_LO_ADDR     && tx_err_desc_i)
                || (ADDR == espalier_regs_pkg::STAT_TX_ERR_DMA_LO_ADDR      && tx_err_dma_i)
                || (ADDR == espalier_regs_pkg::STAT_RX_FRAMES_LO_ADDR       && rx_frame_i)
                || (ADDR == espalier_regs_pkg::STAT_RX_ESP_OK_LO_ADDR       && rx_esp_ok_i)
                || (ADDR == espalier_regs_pkg::STAT_RX_AUTH_FAILED_LO_ADDR  && rx_auth_failed_i)
                || (ADDR == espalier_regs_pkg::STAT_RX_SYNTAX_LO_ADDR       && rx_syntax_i)
                || (ADDR == espalier_regs_pkg::STAT_RX_NO_SA_LO_ADDR        && rx_no_sa_i)
                || (ADDR == espalier_regs_pkg::STAT_RX_UNTOUCHED_LO_ADDR    && rx_untouched_i)
                || (ADDR == espalier_regs_pkg::STAT_RX_DROP_NO_DESC_LO_ADDR && rx_drop_no_desc_i)
                || (ADDR == espalier_regs_pkg::STAT_RX_DROP_BAD_LO_ADDR     && rx_drop_bad_i)
                || (ADDR == espalier_regs_pkg::STAT_RX_ERR_DMA_LO_ADDR      && rx_err_dma_i);

        always_ff @(posedge clk_i) begin
            if (rst_i || clear_i) count_q[i] <= '0;
            else if (tx_bytes)    count_q[i] <= count_q[i] + {50'd0, tx_bytes_i};
            else if (rx_bytes)    count_q[i] <= count_q[i] + {50'd0, rx_bytes_i};
            else if (one)         count_q[i] <= count_q[i] + 64'd1;
        end
    end

    always_ff @(posedge clk_i) begin
        cycles_q <= rst_i ? '0 : cycles_q + 64'd1;
    end

    // ---------------------------------------------------------------------------
    // Registers: answered in the cycle after the access

    logic [31:0] high_q [0:NUM-1]; // HI as of the last read of LO
    logic [31:0] cycles_high_q;

    wire          access    = reg_valid_i && !reg_ready_o;
    wire [17:0]   from_base = reg_addr_i - BASE;
    wire          is_stat   = reg_addr_i >= BASE && from_base < 18'(NUM * 8) && reg_addr_i[1:0] == 2'd0;
    wire [AW-1:0] index     = from_base[AW+2:3];
    wire          is_high   = from_base[2];
    wire          is_cycles_lo = reg_addr_i == espalier_regs_pkg::CYCLES_LO_ADDR;
    wire          is_cycles_hi = reg_addr_i == espalier_regs_pkg::CYCLES_HI_ADDR;

    always_ff @(posedge clk_i) begin
        reg_ready_o <= access && !rst_i;
        reg_error_o <= !is_stat && !is_cycles_lo && !is_cycles_hi;
        if (is_cycles_lo)      reg_rdata_o <= cycles_q[31:0];
        else if (is_cycles_hi) reg_rdata_o <= cycles_high_q;
        else if (!is_stat)     reg_rdata_o <= '0;
        else if (is_high)      reg_rdata_o <= high_q[index];
        else                   reg_rdata_o <= count_q[index][31:0];
    end

    always_ff @(posedge clk_i) begin
        if (access && !reg_write_i && !reg_peek_i && is_cycles_lo) cycles_high_q <= cycles_q[63:32];
        if (rst_i) cycles_high_q <= '0;
        for (int i = 0; i < NUM; i++) begin
            if (rst_i || clear_i) high_q[i] <= '0;
            else if (access && !reg_write_i && !reg_peek_i && is_stat && !is_high && index == AW'(i)) high_q[i] <= count_q[i][63:32];
        end
    end

endmodule

`default_nettype wire
