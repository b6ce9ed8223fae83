// SPDX-License-Identifier: Apache-2.0
//
// The descriptor rings of one direction: register pages of the queues, prefetch of descriptors, batched completions.
// One instance serves the TX queues, another the RX queues. docs/nic-contract.md ("Queues") says what the host sees.

`default_nettype none
`include "espalier_assert.svh"

module espalier_ring #(
    // 128-bit lanes of the data path: 1, 2 or 4.
    parameter int LANES = 1,
    // Queues, 1 to 16.
    parameter int NUM_QUEUES = 4,
    // Descriptors cached per queue, a power of two, 8 to 128.
    parameter int PREFETCH = 32,
    // Smallest and largest RING_LOG2 that a queue may be enabled with, 3 to 15.
    parameter int MIN_LOG2 = 3,
    parameter int MAX_LOG2 = 15,

    // Derived, not to be overridden: data path width in bits and bytes.
    localparam int DW = 128 * LANES,
    localparam int BW = DW / 8
) (
    input  wire logic clk_i,
    input  wire logic rst_i,

    // 0: avail_o and live_o are 0; descriptors are fetched all the same.
    input  wire logic enable_i,
    // 1: no bus transaction is started but those already chosen, avail_o and live_o are 0. Ends with a reset.
    input  wire logic quiesce_i,
    // 1: no bus transaction is under way or about to be.
    output      logic idle_o,

    // Register bus, one 4 KiB page per queue: bits 15:12 are the queue. reg_valid_i may be a pulse or be held until
    // reg_ready_o; data and error are valid with reg_ready_o. It answers during reset as well, writes are ignored then.
    input  wire logic        reg_valid_i,
    input  wire logic        reg_write_i,
    input  wire logic [15:0] reg_addr_i,
    input  wire logic [31:0] reg_wdata_i,
    input  wire logic [3:0]  reg_wstrb_i, // bytes of a write that count
    output      logic        reg_ready_o,
    output      logic [31:0] reg_rdata_o,
    output      logic        reg_error_o,

    // Descriptors. avail_o: one may be popped in this very cycle. live_o: the queue runs and the host has posted
    // descriptors that were not popped yet, so one is available or will be. pop_i is legal only in a cycle in which
    // avail_o[pop_queue_i] is 1, once per cycle; the descriptor is valid in the next cycle only.
    output      logic [NUM_QUEUES-1:0] avail_o,
    output      logic [NUM_QUEUES-1:0] live_o,
    input  wire logic                  pop_i,
    input  wire logic [3:0]            pop_queue_i,
    output      logic [127:0]          pop_desc_o,
    output      logic [15:0]           pop_index_o,

    // Completions: one message per popped descriptor, per queue in the order of popping. Index and phase of the record
    // are filled in here. cpl_write_i 0: nothing is written, the descriptor only counts as done.
    input  wire logic         cpl_valid_i,
    output      logic         cpl_ready_o,
    input  wire logic [3:0]   cpl_queue_i,
    input  wire logic [15:0]  cpl_index_i,
    input  wire logic [127:0] cpl_data_i,
    input  wire logic         cpl_write_i,

    // Events for interrupt moderation: event_count_o (1 to 4) events on a vector. One per completion that the bus has
    // confirmed, one per queue error.
    output      logic       event_valid_o,
    output      logic [4:0] event_vector_o,
    output      logic [2:0] event_count_o,

    // Reads, toward a client port of espalier_axi_mux: INCR bursts of whole beats, never across 4 KiB. Read data is
    // always accepted, room for it is reserved before the request.
    output      logic          m_axi_arvalid_o,
    input  wire logic          m_axi_arready_i,
    output      logic [63:0]   m_axi_araddr_o,
    output      logic [7:0]    m_axi_arlen_o,
    input  wire logic          m_axi_rvalid_i,
    input  wire logic [DW-1:0] m_axi_rdata_i,
    input  wire logic [1:0]    m_axi_rresp_i,
    input  wire logic          m_axi_rlast_i,

    // Writes, likewise. Responses are always accepted.
    output      logic          m_axi_awvalid_o,
    input  wire logic          m_axi_awready_i,
    output      logic [63:0]   m_axi_awaddr_o,
    output      logic [7:0]    m_axi_awlen_o,
    output      logic          m_axi_wvalid_o,
    input  wire logic          m_axi_wready_i,
    output      logic [DW-1:0] m_axi_wdata_o,
    output      logic [BW-1:0] m_axi_wstrb_o,
    output      logic          m_axi_wlast_o,
    input  wire logic          m_axi_bvalid_i,
    input  wire logic [1:0]    m_axi_bresp_i
);

    `ESPALIER_CHECK_PARAM(g_check_lanes, LANES == 1 || LANES == 2 || LANES == 4, "espalier_ring: LANES must be 1, 2 or 4")
    `ESPALIER_CHECK_PARAM(g_check_queues, NUM_QUEUES >= 1 && NUM_QUEUES <= 16, "espalier_ring: NUM_QUEUES must be 1 to 16")
    `ESPALIER_CHECK_PARAM(g_check_prefetch, PREFETCH >= 8 && PREFETCH <= 128 && (PREFETCH & (PREFETCH - 1)) == 0,
                          "espalier_ring: PREFETCH must be a power of two, 8 to 128")
    `ESPALIER_CHECK_PARAM(g_check_log2, MIN_LOG2 >= 3 && MIN_LOG2 <= MAX_LOG2 && MAX_LOG2 <= 15,
                          "espalier_ring: MIN_LOG2 and MAX_LOG2 must be 3 to 15")

    localparam int QW = (NUM_QUEUES > 1) ? $clog2(NUM_QUEUES) : 1; // bits of a queue number

    logic [NUM_QUEUES-1:0]    start, run, enable, fetch_busy, cpl_busy;
    logic [NUM_QUEUES*16-1:0] tail, mask, batch_timer, head;
    logic [NUM_QUEUES*3-1:0]  batch_count;
    logic [QW-1:0]            ring_queue, cpl_queue;
    logic [57:0]              ring_base, cpl_base;
    logic                     fetch_error, cpl_error, cpl_done, fetch_idle, cpl_idle;
    logic [QW-1:0]            fetch_error_queue, cpl_error_queue, cpl_done_queue;
    logic [2:0]               cpl_done_count;

    assign idle_o = fetch_idle && cpl_idle;

    espalier_ring_regs #(
        .NUM_QUEUES(NUM_QUEUES),
        .MIN_LOG2  (MIN_LOG2),
        .MAX_LOG2  (MAX_LOG2)
    ) regs (
        .clk_i              (clk_i),
        .rst_i              (rst_i),
        .reg_valid_i        (reg_valid_i),
        .reg_write_i        (reg_write_i),
        .reg_addr_i         (reg_addr_i),
        .reg_wdata_i        (reg_wdata_i),
        .reg_wstrb_i        (reg_wstrb_i),
        .reg_ready_o        (reg_ready_o),
        .reg_rdata_o        (reg_rdata_o),
        .reg_error_o        (reg_error_o),
        .start_o            (start),
        .run_o              (run),
        .enable_o           (enable),
        .tail_o             (tail),
        .mask_o             (mask),
        .batch_count_o      (batch_count),
        .batch_timer_o      (batch_timer),
        .head_i             (head),
        .busy_i             (fetch_busy | cpl_busy),
        .ring_queue_i       (ring_queue),
        .ring_base_o        (ring_base),
        .cpl_queue_i        (cpl_queue),
        .cpl_base_o         (cpl_base),
        .fetch_error_i      (fetch_error),
        .fetch_error_queue_i(fetch_error_queue),
        .cpl_error_i        (cpl_error),
        .cpl_error_queue_i  (cpl_error_queue),
        .cpl_done_i         (cpl_done),
        .cpl_done_queue_i   (cpl_done_queue),
        .cpl_done_count_i   (cpl_done_count),
        .event_valid_o      (event_valid_o),
        .event_vector_o     (event_vector_o),
        .event_count_o      (event_count_o)
    );

    espalier_ring_fetch #(
        .LANES     (LANES),
        .NUM_QUEUES(NUM_QUEUES),
        .PREFETCH  (PREFETCH)
    ) fetch (
        .clk_i          (clk_i),
        .rst_i          (rst_i),
        .enable_i       (enable_i),
        .quiesce_i      (quiesce_i),
        .idle_o         (fetch_idle),
        .start_i        (start),
        .run_i          (run),
        .tail_i         (tail),
        .mask_i         (mask),
        .ring_queue_o   (ring_queue),
        .ring_base_i    (ring_base),
        .busy_o         (fetch_busy),
        .error_o        (fetch_error),
        .error_queue_o  (fetch_error_queue),
        .avail_o        (avail_o),
        .live_o         (live_o),
        .pop_i          (pop_i),
        .pop_queue_i    (pop_queue_i),
        .pop_desc_o     (pop_desc_o),
        .pop_index_o    (pop_index_o),
        .m_axi_arvalid_o(m_axi_arvalid_o),
        .m_axi_arready_i(m_axi_arready_i),
        .m_axi_araddr_o (m_axi_araddr_o),
        .m_axi_arlen_o  (m_axi_arlen_o),
        .m_axi_rvalid_i (m_axi_rvalid_i),
        .m_axi_rdata_i  (m_axi_rdata_i),
        .m_axi_rresp_i  (m_axi_rresp_i),
        .m_axi_rlast_i  (m_axi_rlast_i)
    );

    espalier_ring_cpl #(
        .LANES     (LANES),
        .NUM_QUEUES(NUM_QUEUES)
    ) cpl (
        .clk_i          (clk_i),
        .rst_i          (rst_i),
        .quiesce_i      (quiesce_i),
        .idle_o         (cpl_idle),
        .start_i        (start),
        .enable_i       (enable),
        .mask_i         (mask),
        .batch_count_i  (batch_count),
        .batch_timer_i  (batch_timer),
        .cpl_queue_o    (cpl_queue),
        .cpl_base_i     (cpl_base),
        .head_o         (head),
        .busy_o         (cpl_busy),
        .error_o        (cpl_error),
        .error_queue_o  (cpl_error_queue),
        .done_o         (cpl_done),
        .done_queue_o   (cpl_done_queue),
        .done_count_o   (cpl_done_count),
        .pop_i          (pop_i),
        .pop_queue_i    (pop_queue_i),
        .cpl_valid_i    (cpl_valid_i),
        .cpl_ready_o    (cpl_ready_o),
        .cpl_queue_i    (cpl_queue_i),
        .cpl_index_i    (cpl_index_i),
        .cpl_data_i     (cpl_data_i),
        .cpl_write_i    (cpl_write_i),
        .m_axi_awvalid_o(m_axi_awvalid_o),
        .m_axi_awready_i(m_axi_awready_i),
        .m_axi_awaddr_o (m_axi_awaddr_o),
        .m_axi_awlen_o  (m_axi_awlen_o),
        .m_axi_wvalid_o (m_axi_wvalid_o),
        .m_axi_wready_i (m_axi_wready_i),
        .m_axi_wdata_o  (m_axi_wdata_o),
        .m_axi_wstrb_o  (m_axi_wstrb_o),
        .m_axi_wlast_o  (m_axi_wlast_o),
        .m_axi_bvalid_i (m_axi_bvalid_i),
        .m_axi_bresp_i  (m_axi_bresp_i)
    );

endmodule

`default_nettype wire
