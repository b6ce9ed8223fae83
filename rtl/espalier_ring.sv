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
    // 1: no bus transaction is started, avail_o and live_o are 0. Ends with a reset.
    input  wire logic quiesce_i,
    // 1: no bus transaction is under way or about to be.
    output      logic idle_o,

    // Register bus, one 4 KiB page per queue: bits 15:12 are the queue. reg_valid_i may be a pulse or be held until
    // reg_ready_o; data and error are valid with reg_ready_o. It answers during reset as well, writes are ignored then.
    input  wire logic        reg_valid_i,
    input  wire logic        reg_write_i,
    input  wire logic [15:0] reg_addr_i,
    input  wire logic [31:0] reg_wdata_i,
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

endmodule

`default_nettype wire
