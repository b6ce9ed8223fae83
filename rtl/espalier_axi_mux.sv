// SPDX-License-Identifier: Apache-2.0
//
// Joins the NIC's bus clients into one AXI4 master. Reads carry the client's ID (0 TX frames, 1 TX descriptors,
// 2 RX descriptors) and their data finds its way back by it, interleaved as the bus likes. All writes have ID 0, so their
// responses come in the order of issue.
//
// Read data and write responses have no ready: a client reserves room before it asks, so the master takes both at all times
// and no client can block another.

`default_nettype none
`include "espalier_assert.svh"

module espalier_axi_mux #(
    // 128-bit lanes of the data path.
    parameter int LANES = 1,
    // Write bursts under way at once, all clients together, at least 2.
    parameter int MAX_WRITES = 32,
    // Read bursts under way at once, all clients together, at least 1.
    parameter int MAX_READS = 64,

    // Derived, not to be overridden: data path width in bits and bytes.
    localparam int DW = 128 * LANES,
    localparam int BW = DW / 8
) (
    input  wire logic clk_i,
    input  wire logic rst_i,

    // 1: no transaction is under way on any channel.
    output      logic idle_o,

    // Read client, ID 0: TX frames.
    input  wire logic          tx_data_arvalid_i,
    output      logic          tx_data_arready_o,
    input  wire logic [63:0]   tx_data_araddr_i,
    input  wire logic [7:0]    tx_data_arlen_i,
    output      logic          tx_data_rvalid_o,
    output      logic [DW-1:0] tx_data_rdata_o,
    output      logic [1:0]    tx_data_rresp_o,
    output      logic          tx_data_rlast_o,

    // Read client, ID 1: TX descriptors.
    input  wire logic          tx_ring_arvalid_i,
    output      logic          tx_ring_arready_o,
    input  wire logic [63:0]   tx_ring_araddr_i,
    input  wire logic [7:0]    tx_ring_arlen_i,
    output      logic          tx_ring_rvalid_o,
    output      logic [DW-1:0] tx_ring_rdata_o,
    output      logic [1:0]    tx_ring_rresp_o,
    output      logic          tx_ring_rlast_o,

    // Read client, ID 2: RX descriptors.
    input  wire logic          rx_ring_arvalid_i,
    output      logic          rx_ring_arready_o,
    input  wire logic [63:0]   rx_ring_araddr_i,
    input  wire logic [7:0]    rx_ring_arlen_i,
    output      logic          rx_ring_rvalid_o,
    output      logic [DW-1:0] rx_ring_rdata_o,
    output      logic [1:0]    rx_ring_rresp_o,
    output      logic          rx_ring_rlast_o,

    // Write client: RX frames.
    input  wire logic          rx_data_awvalid_i,
    output      logic          rx_data_awready_o,
    input  wire logic [63:0]   rx_data_awaddr_i,
    input  wire logic [7:0]    rx_data_awlen_i,
    input  wire logic          rx_data_wvalid_i,
    output      logic          rx_data_wready_o,
    input  wire logic [DW-1:0] rx_data_wdata_i,
    input  wire logic [BW-1:0] rx_data_wstrb_i,
    input  wire logic          rx_data_wlast_i,
    output      logic          rx_data_bvalid_o,
    output      logic [1:0]    rx_data_bresp_o,

    // Write client: TX completions.
    input  wire logic          tx_ring_awvalid_i,
    output      logic          tx_ring_awready_o,
    input  wire logic [63:0]   tx_ring_awaddr_i,
    input  wire logic [7:0]    tx_ring_awlen_i,
    input  wire logic          tx_ring_wvalid_i,
    output      logic          tx_ring_wready_o,
    input  wire logic [DW-1:0] tx_ring_wdata_i,
    input  wire logic [BW-1:0] tx_ring_wstrb_i,
    input  wire logic          tx_ring_wlast_i,
    output      logic          tx_ring_bvalid_o,
    output      logic [1:0]    tx_ring_bresp_o,

    // Write client: RX completions.
    input  wire logic          rx_ring_awvalid_i,
    output      logic          rx_ring_awready_o,
    input  wire logic [63:0]   rx_ring_awaddr_i,
    input  wire logic [7:0]    rx_ring_awlen_i,
    input  wire logic          rx_ring_wvalid_i,
    output      logic          rx_ring_wready_o,
    input  wire logic [DW-1:0] rx_ring_wdata_i,
    input  wire logic [BW-1:0] rx_ring_wstrb_i,
    input  wire logic          rx_ring_wlast_i,
    output      logic          rx_ring_bvalid_o,
    output      logic [1:0]    rx_ring_bresp_o,

    // The AXI4 master.
    output      logic          m_axi_arvalid_o,
    input  wire logic          m_axi_arready_i,
    output      logic [3:0]    m_axi_arid_o,
    output      logic [63:0]   m_axi_araddr_o,
    output      logic [7:0]    m_axi_arlen_o,
    output      logic [2:0]    m_axi_arsize_o,
    output      logic [1:0]    m_axi_arburst_o,
    input  wire logic          m_axi_rvalid_i,
    output      logic          m_axi_rready_o,
    input  wire logic [3:0]    m_axi_rid_i,
    input  wire logic [DW-1:0] m_axi_rdata_i,
    input  wire logic [1:0]    m_axi_rresp_i,
    input  wire logic          m_axi_rlast_i,
    output      logic          m_axi_awvalid_o,
    input  wire logic          m_axi_awready_i,
    output      logic [3:0]    m_axi_awid_o,
    output      logic [63:0]   m_axi_awaddr_o,
    output      logic [7:0]    m_axi_awlen_o,
    output      logic [2:0]    m_axi_awsize_o,
    output      logic [1:0]    m_axi_awburst_o,
    output      logic          m_axi_wvalid_o,
    input  wire logic          m_axi_wready_i,
    output      logic [DW-1:0] m_axi_wdata_o,
    output      logic [BW-1:0] m_axi_wstrb_o,
    output      logic          m_axi_wlast_o,
    input  wire logic          m_axi_bvalid_i,
    output      logic          m_axi_bready_o,
    input  wire logic [3:0]    m_axi_bid_i,
    input  wire logic [1:0]    m_axi_bresp_i
);

endmodule

`default_nettype wire
