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

    `ESPALIER_CHECK_PARAM(g_check_writes, MAX_WRITES >= 2, "espalier_axi_mux: MAX_WRITES must be at least 2")
    `ESPALIER_CHECK_PARAM(g_check_reads, MAX_READS >= 1, "espalier_axi_mux: MAX_READS must be at least 1")

    localparam int         RCW   = $clog2(MAX_READS + 1);
    localparam logic [2:0] SIZE  = 3'($clog2(BW));
    localparam logic [1:0] INCR  = 2'b01;
    // Client numbers: for reads also the ID.
    localparam logic [1:0] DATA = 2'd0, TX_RING = 2'd1, RX_RING = 2'd2;

    // ---------------------------------------------------------------------------
    // Read address: one client a cycle, in turn.

    wire  [2:0]     ar_request = {rx_ring_arvalid_i, tx_ring_arvalid_i, tx_data_arvalid_i};
    logic           ar_any;
    logic [1:0]     ar_pick, ar_last_q;
    logic [RCW-1:0] reads_q;

    espalier_ring_pick #(.NUM(3)) ar_picker (
        .request_i(ar_request),
        .last_i   (ar_last_q),
        .any_o    (ar_any),
        .choice_o (ar_pick)
    );

    wire ar_free = (!m_axi_arvalid_o || m_axi_arready_i) && reads_q != RCW'(MAX_READS);
    wire ar_take = ar_free && ar_any;
    wire r_last  = m_axi_rvalid_i && m_axi_rlast_i;

    assign tx_data_arready_o = ar_take && ar_pick == DATA;
    assign tx_ring_arready_o = ar_take && ar_pick == TX_RING;
    assign rx_ring_arready_o = ar_take && ar_pick == RX_RING;
    assign m_axi_arsize_o    = SIZE;
    assign m_axi_arburst_o   = INCR;

    always_ff @(posedge clk_i) begin
        if (ar_take) begin
            m_axi_arvalid_o <= 1'b1;
            m_axi_arid_o    <= {2'd0, ar_pick};
            m_axi_araddr_o  <= (ar_pick == DATA) ? tx_data_araddr_i : (ar_pick == TX_RING) ? tx_ring_araddr_i : rx_ring_araddr_i;
            m_axi_arlen_o   <= (ar_pick == DATA) ? tx_data_arlen_i : (ar_pick == TX_RING) ? tx_ring_arlen_i : rx_ring_arlen_i;
            ar_last_q       <= ar_pick;
        end else if (m_axi_arready_i) begin
            m_axi_arvalid_o <= 1'b0;
        end
        reads_q <= reads_q + RCW'(ar_take) - RCW'(r_last);
        if (rst_i) begin
            m_axi_arvalid_o <= 1'b0;
            m_axi_arid_o    <= '0;
            m_axi_araddr_o  <= '0;
            m_axi_arlen_o   <= '0;
            ar_last_q       <= RX_RING;
            reads_q         <= '0;
        end
    end

    // ---------------------------------------------------------------------------
    // Read data: by ID.

    assign m_axi_rready_o   = 1'b1;
    assign tx_data_rvalid_o = m_axi_rvalid_i && m_axi_rid_i == {2'd0, DATA};
    assign tx_ring_rvalid_o = m_axi_rvalid_i && m_axi_rid_i == {2'd0, TX_RING};
    assign rx_ring_rvalid_o = m_axi_rvalid_i && m_axi_rid_i == {2'd0, RX_RING};
    assign tx_data_rdata_o  = m_axi_rdata_i;
    assign tx_data_rresp_o  = m_axi_rresp_i;
    assign tx_data_rlast_o  = m_axi_rlast_i;
    assign tx_ring_rdata_o  = m_axi_rdata_i;
    assign tx_ring_rresp_o  = m_axi_rresp_i;
    assign tx_ring_rlast_o  = m_axi_rlast_i;
    assign rx_ring_rdata_o  = m_axi_rdata_i;
    assign rx_ring_rresp_o  = m_axi_rresp_i;
    assign rx_ring_rlast_o  = m_axi_rlast_i;

    // ---------------------------------------------------------------------------
    // Write address: one client a cycle, in turn. The order in which they were taken decides whose data and whose response
    // comes when.

    wire  [2:0] aw_request = {rx_ring_awvalid_i, tx_ring_awvalid_i, rx_data_awvalid_i};
    logic       aw_any, order_ready, w_known, b_known;
    logic [1:0] aw_pick, aw_last_q, w_client, b_client;

    espalier_ring_pick #(.NUM(3)) aw_picker (
        .request_i(aw_request),
        .last_i   (aw_last_q),
        .any_o    (aw_any),
        .choice_o (aw_pick)
    );

    wire aw_take = aw_any && order_ready && (!m_axi_awvalid_o || m_axi_awready_i);

    assign rx_data_awready_o = aw_take && aw_pick == DATA;
    assign tx_ring_awready_o = aw_take && aw_pick == TX_RING;
    assign rx_ring_awready_o = aw_take && aw_pick == RX_RING;
    assign m_axi_awid_o      = 4'd0;
    assign m_axi_awsize_o    = SIZE;
    assign m_axi_awburst_o   = INCR;

    always_ff @(posedge clk_i) begin
        if (aw_take) begin
            m_axi_awvalid_o <= 1'b1;
            m_axi_awaddr_o  <= (aw_pick == DATA) ? rx_data_awaddr_i : (aw_pick == TX_RING) ? tx_ring_awaddr_i : rx_ring_awaddr_i;
            m_axi_awlen_o   <= (aw_pick == DATA) ? rx_data_awlen_i : (aw_pick == TX_RING) ? tx_ring_awlen_i : rx_ring_awlen_i;
            aw_last_q       <= aw_pick;
        end else if (m_axi_awready_i) begin
            m_axi_awvalid_o <= 1'b0;
        end
        if (rst_i) begin
            m_axi_awvalid_o <= 1'b0;
            m_axi_awaddr_o  <= '0;
            m_axi_awlen_o   <= '0;
            aw_last_q       <= RX_RING;
        end
    end

    // ---------------------------------------------------------------------------
    // Write data: the next burst follows without a gap. It may overtake its own address, as AXI allows.

    wire          w_free  = !m_axi_wvalid_o || m_axi_wready_i;
    wire          w_valid = w_known && ((w_client == DATA)    ? rx_data_wvalid_i
                                      : (w_client == TX_RING) ? tx_ring_wvalid_i : rx_ring_wvalid_i);
    wire          w_last  = (w_client == DATA) ? rx_data_wlast_i : (w_client == TX_RING) ? tx_ring_wlast_i : rx_ring_wlast_i;
    wire          w_take  = w_valid && w_free;

    assign rx_data_wready_o = w_known && w_free && w_client == DATA;
    assign tx_ring_wready_o = w_known && w_free && w_client == TX_RING;
    assign rx_ring_wready_o = w_known && w_free && w_client == RX_RING;

    always_ff @(posedge clk_i) begin
        if (w_take) begin
            m_axi_wvalid_o <= 1'b1;
            m_axi_wdata_o  <= (w_client == DATA) ? rx_data_wdata_i : (w_client == TX_RING) ? tx_ring_wdata_i : rx_ring_wdata_i;
            m_axi_wstrb_o  <= (w_client == DATA) ? rx_data_wstrb_i : (w_client == TX_RING) ? tx_ring_wstrb_i : rx_ring_wstrb_i;
            m_axi_wlast_o  <= w_last;
        end else if (m_axi_wready_i) begin
            m_axi_wvalid_o <= 1'b0;
        end
        if (rst_i) begin
            m_axi_wvalid_o <= 1'b0;
            m_axi_wdata_o  <= '0;
            m_axi_wstrb_o  <= '0;
            m_axi_wlast_o  <= 1'b0;
        end
    end

    logic w_order_ready, b_order_ready;
    assign order_ready = w_order_ready && b_order_ready;

    espalier_fifo #(.WIDTH(2), .DEPTH(MAX_WRITES)) w_order (
        .clk_i    (clk_i),
        .rst_i    (rst_i),
        .s_valid_i(aw_take),
        .s_ready_o(w_order_ready),
        .s_data_i (aw_pick),
        .m_valid_o(w_known),
        .m_ready_i(w_take && w_last),
        .m_data_o (w_client),
        /* verilator lint_off PINCONNECTEMPTY */
        .count_o  ()
        /* verilator lint_on PINCONNECTEMPTY */
    );

    // ---------------------------------------------------------------------------
    // Write responses: in the order of the addresses.

    espalier_fifo #(.WIDTH(2), .DEPTH(MAX_WRITES)) b_order (
        .clk_i    (clk_i),
        .rst_i    (rst_i),
        .s_valid_i(aw_take),
        .s_ready_o(b_order_ready),
        .s_data_i (aw_pick),
        .m_valid_o(b_known),
        .m_ready_i(m_axi_bvalid_i),
        .m_data_o (b_client),
        /* verilator lint_off PINCONNECTEMPTY */
        .count_o  ()
        /* verilator lint_on PINCONNECTEMPTY */
    );

    assign m_axi_bready_o   = 1'b1;
    assign rx_data_bvalid_o = m_axi_bvalid_i && b_client == DATA;
    assign tx_ring_bvalid_o = m_axi_bvalid_i && b_client == TX_RING;
    assign rx_ring_bvalid_o = m_axi_bvalid_i && b_client == RX_RING;
    assign rx_data_bresp_o  = m_axi_bresp_i;
    assign tx_ring_bresp_o  = m_axi_bresp_i;
    assign rx_ring_bresp_o  = m_axi_bresp_i;

    assign idle_o = reads_q == '0 && !b_known;

    // What clients must keep to.
    `ESPALIER_ASSERT_STABLE(a_tx_data_ar, clk_i, rst_i, tx_data_arvalid_i, tx_data_arready_o,
                            ({tx_data_araddr_i, tx_data_arlen_i}))
    `ESPALIER_ASSERT_STABLE(a_rx_data_aw, clk_i, rst_i, rx_data_awvalid_i, rx_data_awready_o,
                            ({rx_data_awaddr_i, rx_data_awlen_i}))
    `ESPALIER_ASSERT_STABLE(a_rx_data_w, clk_i, rst_i, rx_data_wvalid_i, rx_data_wready_o,
                            ({rx_data_wdata_i, rx_data_wstrb_i, rx_data_wlast_i}))
    // No burst crosses 4 KiB; the beats of an unaligned one count from the aligned address.
    `ESPALIER_ASSERT(a_ar_4k, clk_i, rst_i, !m_axi_arvalid_o
        || (32'(m_axi_araddr_o[11:0]) / BW + 32'(m_axi_arlen_o)) < 4096 / BW)
    `ESPALIER_ASSERT(a_aw_4k, clk_i, rst_i, !m_axi_awvalid_o
        || (32'(m_axi_awaddr_o[11:0]) / BW + 32'(m_axi_awlen_o)) < 4096 / BW)
    // What the bus must keep to.
    `ESPALIER_ASSERT(a_rid, clk_i, rst_i, !m_axi_rvalid_i || (m_axi_rid_i <= {2'd0, RX_RING} && reads_q != '0))
    `ESPALIER_ASSERT(a_bid, clk_i, rst_i, !m_axi_bvalid_i || (m_axi_bid_i == 4'd0 && b_known))

endmodule

`default_nettype wire
