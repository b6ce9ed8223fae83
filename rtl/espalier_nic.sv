// SPDX-License-Identifier: Apache-2.0
//
// The NIC: one Ethernet port, one AXI4-Lite slave for its registers, one AXI4
// master for host memory. docs/nic-contract.md says what it does, docs/rtl.md
// how.

`default_nettype none

module espalier_nic #(
    // 128-bit lanes of the data path. Only 1 works now.
    parameter int LANES = 1,
    // SA slots, inbound and outbound together; a power of two, at least 8.
    parameter int NUM_SA = 1024,
    // TX/RX queue pairs, 1 to 16.
    parameter int NUM_QUEUES = 4,
    // Interrupt vectors, 1 to 32.
    parameter int NUM_VECTORS = 8,
    // Longest frame in bytes, no FCS, either way; at most 16383.
    parameter int MAX_FRAME = 9600,
    // Descriptors cached per queue, a power of two, at least 8.
    parameter int PREFETCH = 32,
    // Value of the BUILD_ID register.
    parameter logic [31:0] BUILD_ID = 32'd0,

    // Derived, not to be overridden: data path width in bits and bytes.
    localparam int DW = 128 * LANES,
    localparam int BW = DW / 8
) (
    input  wire logic clk_i,
    input  wire logic rst_i,

    // Registers: AXI4-Lite slave, BAR 0.
    input  wire logic [17:0] s_axil_awaddr_i,
    input  wire logic        s_axil_awvalid_i,
    output      logic        s_axil_awready_o,
    input  wire logic [31:0] s_axil_wdata_i,
    input  wire logic [3:0]  s_axil_wstrb_i,
    input  wire logic        s_axil_wvalid_i,
    output      logic        s_axil_wready_o,
    output      logic [1:0]  s_axil_bresp_o,
    output      logic        s_axil_bvalid_o,
    input  wire logic        s_axil_bready_i,
    input  wire logic [17:0] s_axil_araddr_i,
    input  wire logic        s_axil_arvalid_i,
    output      logic        s_axil_arready_o,
    output      logic [31:0] s_axil_rdata_o,
    output      logic [1:0]  s_axil_rresp_o,
    output      logic        s_axil_rvalid_o,
    input  wire logic        s_axil_rready_i,

    // Host memory: AXI4 master. Reads: ID 0 frames, 1 TX descriptors, 2 RX
    // descriptors; all writes ID 0. INCR bursts of full-width beats (the first
    // address of a burst may be unaligned), never across 4 KiB.
    output      logic [3:0]    m_axi_awid_o,
    output      logic [63:0]   m_axi_awaddr_o,
    output      logic [7:0]    m_axi_awlen_o,
    output      logic [2:0]    m_axi_awsize_o,
    output      logic [1:0]    m_axi_awburst_o,
    output      logic          m_axi_awvalid_o,
    input  wire logic          m_axi_awready_i,
    output      logic [DW-1:0] m_axi_wdata_o,
    output      logic [BW-1:0] m_axi_wstrb_o,
    output      logic          m_axi_wlast_o,
    output      logic          m_axi_wvalid_o,
    input  wire logic          m_axi_wready_i,
    input  wire logic [3:0]    m_axi_bid_i,
    input  wire logic [1:0]    m_axi_bresp_i,
    input  wire logic          m_axi_bvalid_i,
    output      logic          m_axi_bready_o,
    output      logic [3:0]    m_axi_arid_o,
    output      logic [63:0]   m_axi_araddr_o,
    output      logic [7:0]    m_axi_arlen_o,
    output      logic [2:0]    m_axi_arsize_o,
    output      logic [1:0]    m_axi_arburst_o,
    output      logic          m_axi_arvalid_o,
    input  wire logic          m_axi_arready_i,
    input  wire logic [3:0]    m_axi_rid_i,
    input  wire logic [DW-1:0] m_axi_rdata_i,
    input  wire logic [1:0]    m_axi_rresp_i,
    input  wire logic          m_axi_rlast_i,
    input  wire logic          m_axi_rvalid_i,
    output      logic          m_axi_rready_o,

    // To the MAC: AXI4-Stream, whole frames, no FCS. tuser on the last beat
    // marks a bad frame (never set by this NIC).
    output      logic [DW-1:0] m_axis_mac_tdata_o,
    output      logic [BW-1:0] m_axis_mac_tkeep_o,
    output      logic          m_axis_mac_tvalid_o,
    input  wire logic          m_axis_mac_tready_i,
    output      logic          m_axis_mac_tlast_o,
    output      logic          m_axis_mac_tuser_o,

    // From the MAC: likewise; tuser on the last beat: the frame is bad.
    input  wire logic [DW-1:0] s_axis_mac_tdata_i,
    input  wire logic [BW-1:0] s_axis_mac_tkeep_i,
    input  wire logic          s_axis_mac_tvalid_i,
    output      logic          s_axis_mac_tready_o,
    input  wire logic          s_axis_mac_tlast_i,
    input  wire logic          s_axis_mac_tuser_i,

    // One pulse per interrupt, per vector.
    output      logic [NUM_VECTORS-1:0] irq_o
);

endmodule

`default_nettype wire
