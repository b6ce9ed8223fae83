// SPDX-License-Identifier: Apache-2.0
//
// The send path: descriptors from the ring, frames from host memory, through the cipher to the MAC.

`default_nettype none

module espalier_tx_path #(
    parameter int LANES = 1,        // 128-bit lanes of the data path
    parameter int NUM_SA = 1024,    // SA slots
    parameter int NUM_QUEUES = 4,   // queues of this direction, 1 to 16
    parameter int MAX_FRAME = 9600, // longest frame, bytes
    parameter int PREFETCH = 64,    // descriptors cached per queue
    parameter int MIN_LOG2 = 3,     // smallest and largest ring
    parameter int MAX_LOG2 = 15,
    parameter int DW = 128 * LANES,    // derived: bits of a beat
    parameter int BW = DW / 8,         // derived: bytes of a beat
    parameter int SAW = $clog2(NUM_SA) // derived: bits of an SA index
) (
    input  wire           clk_i,
    input  wire           rst_i,

    // control
    input  wire           enable_i, // CTRL.TX_ENABLE
    input  wire           ipsec_enable_i, // CTRL.IPSEC_ENABLE
    input  wire           quiesce_i, // 1: start nothing new. Ends with a reset
    output wire           settled_o, // no bus transaction under way, every frame promised to the MAC sent
    output wire           idle_o, // no frame is between its descriptor and the MAC

    // queue pages
    input  wire           reg_valid_i,
    input  wire           reg_write_i,
    input  wire  [15:0]   reg_addr_i,
    input  wire  [31:0]   reg_wdata_i,
    input  wire  [3:0]    reg_wstrb_i,
    output wire           reg_ready_o,
    output wire  [31:0]   reg_rdata_o,
    output wire           reg_error_o,

    // key store writes
    input  wire           key_we_i,
    input  wire  [3:0]    key_round_i,
    input  wire  [SAW-1:0] key_index_i,
    input  wire  [127:0]  key_data_i,
    input  wire           hpow_we_i,
    input  wire  [7:0]    hpow_num_i,
    input  wire  [SAW-1:0] hpow_index_i,
    input  wire  [127:0]  hpow_data_i,

    // outbound SA check, espalier_sa
    output wire           sa_req_o,
    output wire           sa_use_o,
    output wire  [31:0]   sa_handle_o,
    input  wire           sa_rsp_i,
    input  wire           sa_hit_i,
    input  wire  [1:0]    sa_keylen_i,
    input  wire           sa_esn_i,
    input  wire  [31:0]   sa_esn_hi_i,
    input  wire  [31:0]   sa_salt_i,
    output wire           sa_done_o,

    // frame reads
    output wire           data_arvalid_o,
    input  wire           data_arready_i,
    output wire  [63:0]   data_araddr_o,
    output wire  [7:0]    data_arlen_o,
    input  wire           data_rvalid_i,
    input  wire  [DW-1:0] data_rdata_i,
    input  wire  [1:0]    data_rresp_i,
    input  wire           data_rlast_i,

    // descriptor reads
    output wire           ring_arvalid_o,
    input  wire           ring_arready_i,
    output wire  [63:0]   ring_araddr_o,
    output wire  [7:0]    ring_arlen_o,
    input  wire           ring_rvalid_i,
    input  wire  [DW-1:0] ring_rdata_i,
    input  wire  [1:0]    ring_rresp_i,
    input  wire           ring_rlast_i,

    // completion writes
    output wire           ring_awvalid_o,
    input  wire           ring_awready_i,
    output wire  [63:0]   ring_awaddr_o,
    output wire  [7:0]    ring_awlen_o,
    output wire           ring_wvalid_o,
    input  wire           ring_wready_i,
    output wire  [DW-1:0] ring_wdata_o,
    output wire  [BW-1:0] ring_wstrb_o,
    output wire           ring_wlast_o,
    input  wire           ring_bvalid_i,
    input  wire  [1:0]    ring_bresp_i,

    // toward the MAC
    output wire  [DW-1:0] m_axis_tdata_o,
    output wire  [BW-1:0] m_axis_tkeep_o,
    output wire           m_axis_tvalid_o,
    input  wire           m_axis_tready_i,
    output wire           m_axis_tlast_o,

    // self-test, espalier_selftest: while selftest_i is 1 the crypt unit is its
    input  wire           selftest_i,
    input  wire           st_meta_valid_i,
    output wire           st_meta_ready_o,
    input  wire  [SAW-1:0] st_meta_sa_i,
    input  wire  [1:0]    st_meta_keylen_i,
    input  wire           st_meta_esn_i,
    input  wire  [31:0]   st_meta_seqhi_i,
    input  wire  [31:0]   st_meta_salt_i,
    input  wire  [13:0]   st_meta_espoff_i,
    input  wire  [13:0]   st_meta_plen_i,
    input  wire           st_s_valid_i,
    output wire           st_s_ready_o,
    input  wire  [DW-1:0] st_s_data_i,
    input  wire           st_s_last_i,
    input  wire  [$clog2(BW):0] st_s_count_i,
    output wire           st_r_valid_o,
    input  wire           st_r_ready_i,
    output wire  [2:0]    st_r_status_o,
    output wire  [13:0]   st_r_len_o,
    output wire           st_m_valid_o,
    input  wire           st_m_ready_i,
    output wire  [DW-1:0] st_m_data_o,
    output wire           st_m_last_o,

    // events for espalier_irq
    output wire           event_valid_o,
    output wire  [4:0]    event_vector_o,
    output wire  [2:0]    event_count_o,

    // events for espalier_stats
    output wire           stat_frame_o,
    output wire  [13:0]   stat_bytes_o,
    output wire           stat_esp_o,
    output wire  [SAW-1:0] stat_esp_slot_o,  // with stat_esp_o: SA and length
    output wire  [13:0]   stat_esp_bytes_o,
    output wire           stat_err_handle_o,
    output wire           stat_err_desc_o,
    output wire           stat_err_dma_o
);

    localparam int OW = $clog2(BW);

    logic bus_idle, ring_idle, tx_idle, egress_idle;
    assign settled_o = bus_idle && ring_idle && egress_idle;
    assign idle_o    = tx_idle && egress_idle;


    logic [NUM_QUEUES-1:0] txq_avail;
    logic                  txq_pop, txq_cpl_valid, txq_cpl_ready, txq_cpl_write;
    logic [3:0]            txq_pop_queue, txq_cpl_queue;
    logic [127:0]          txq_pop_desc, txq_cpl_data;
    logic [15:0]           txq_pop_index, txq_cpl_index;

    /* verilator lint_off PINCONNECTEMPTY */ // a send queue without descriptors delays nobody: live_o is for receive
    espalier_ring #(
        .LANES      (LANES),
        .NUM_QUEUES (NUM_QUEUES),
        .PREFETCH   (PREFETCH),
        .MIN_LOG2   (MIN_LOG2),
        .MAX_LOG2   (MAX_LOG2)
    ) u_ring (
        .clk_i           (clk_i),
        .rst_i           (rst_i),
        .enable_i        (enable_i),
        .quiesce_i       (quiesce_i),
        .idle_o          (ring_idle),
        .reg_valid_i     (reg_valid_i),
        .reg_write_i     (reg_write_i),
        .reg_addr_i      (reg_addr_i),
        .reg_wdata_i     (reg_wdata_i),
        .reg_wstrb_i     (reg_wstrb_i),
        .reg_ready_o     (reg_ready_o),
        .reg_rdata_o     (reg_rdata_o),
        .reg_error_o     (reg_error_o),
        .avail_o         (txq_avail),
        .live_o          (),
        .pop_i           (txq_pop),
        .pop_queue_i     (txq_pop_queue),
        .pop_desc_o      (txq_pop_desc),
        .pop_index_o     (txq_pop_index),
        .cpl_valid_i     (txq_cpl_valid),
        .cpl_ready_o     (txq_cpl_ready),
        .cpl_queue_i     (txq_cpl_queue),
        .cpl_index_i     (txq_cpl_index),
        .cpl_data_i      (txq_cpl_data),
        .cpl_write_i     (txq_cpl_write),
        .event_valid_o   (event_valid_o),
        .event_vector_o  (event_vector_o),
        .event_count_o   (event_count_o),
        .m_axi_arvalid_o (ring_arvalid_o),
        .m_axi_arready_i (ring_arready_i),
        .m_axi_araddr_o  (ring_araddr_o),
        .m_axi_arlen_o   (ring_arlen_o),
        .m_axi_rvalid_i  (ring_rvalid_i),
        .m_axi_rdata_i   (ring_rdata_i),
        .m_axi_rresp_i   (ring_rresp_i),
        .m_axi_rlast_i   (ring_rlast_i),
        .m_axi_awvalid_o (ring_awvalid_o),
        .m_axi_awready_i (ring_awready_i),
        .m_axi_awaddr_o  (ring_awaddr_o),
        .m_axi_awlen_o   (ring_awlen_o),
        .m_axi_wvalid_o  (ring_wvalid_o),
        .m_axi_wready_i  (ring_wready_i),
        .m_axi_wdata_o   (ring_wdata_o),
        .m_axi_wstrb_o   (ring_wstrb_o),
        .m_axi_wlast_o   (ring_wlast_o),
        .m_axi_bvalid_i  (ring_bvalid_i),
        .m_axi_bresp_i   (ring_bresp_i)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    logic           tm_valid, tm_ready, tm_crypt, tm_esn, ts_valid, ts_ready, ts_last, ts_err;
    logic [SAW-1:0] tm_sa;
    logic [1:0]     tm_keylen;
    logic [31:0]    tm_seqhi, tm_salt;
    logic [13:0]    tm_espoff, tm_plen;
    logic [OW-1:0]  tm_skip;
    logic [DW-1:0]  ts_data, to_data;
    logic [OW:0]    ts_count, to_count;
    logic           tr_valid, tr_ready, to_valid, to_ready, to_last, tx_sent;
    logic [2:0]     tr_status;

    espalier_tx #(
        .LANES      (LANES),
        .NUM_SA     (NUM_SA),
        .NUM_QUEUES (NUM_QUEUES),
        .MAX_FRAME  (MAX_FRAME)
    ) u_tx (
        .clk_i             (clk_i),
        .rst_i             (rst_i),
        .ipsec_enable_i    (ipsec_enable_i),
        .quiesce_i         (quiesce_i),
        .bus_idle_o        (bus_idle),
        .idle_o            (tx_idle),
        .avail_i           (txq_avail),
        .pop_o             (txq_pop),
        .pop_queue_o       (txq_pop_queue),
        .pop_desc_i        (txq_pop_desc),
        .pop_index_i       (txq_pop_index),
        .cpl_valid_o       (txq_cpl_valid),
        .cpl_ready_i       (txq_cpl_ready),
        .cpl_queue_o       (txq_cpl_queue),
        .cpl_index_o       (txq_cpl_index),
        .cpl_data_o        (txq_cpl_data),
        .cpl_write_o       (txq_cpl_write),
        .sa_req_o          (sa_req_o),
        .sa_use_o          (sa_use_o),
        .sa_handle_o       (sa_handle_o),
        .sa_rsp_i          (sa_rsp_i),
        .sa_hit_i          (sa_hit_i),
        .sa_keylen_i       (sa_keylen_i),
        .sa_esn_i          (sa_esn_i),
        .sa_esn_hi_i       (sa_esn_hi_i),
        .sa_salt_i         (sa_salt_i),
        .sa_done_o         (sa_done_o),
        .m_axi_araddr_o    (data_araddr_o),
        .m_axi_arlen_o     (data_arlen_o),
        .m_axi_arvalid_o   (data_arvalid_o),
        .m_axi_arready_i   (data_arready_i),
        .m_axi_rdata_i     (data_rdata_i),
        .m_axi_rresp_i     (data_rresp_i),
        .m_axi_rlast_i     (data_rlast_i),
        .m_axi_rvalid_i    (data_rvalid_i),
        .meta_valid_o      (tm_valid),
        .meta_ready_i      (tm_ready),
        .meta_crypt_o      (tm_crypt),
        .meta_sa_o         (tm_sa),
        .meta_keylen_o     (tm_keylen),
        .meta_esn_o        (tm_esn),
        .meta_seqhi_o      (tm_seqhi),
        .meta_salt_o       (tm_salt),
        .meta_espoff_o     (tm_espoff),
        .meta_plen_o       (tm_plen),
        .meta_skip_o       (tm_skip),
        .s_valid_o         (ts_valid),
        .s_ready_i         (ts_ready),
        .s_data_o          (ts_data),
        .s_last_o          (ts_last),
        .s_count_o         (ts_count),
        .s_err_o           (ts_err),
        .r_valid_i         (tr_valid),
        .r_ready_o         (tr_ready),
        .r_status_i        (tr_status),
        .sent_o            (tx_sent),
        .stat_esp_o        (stat_esp_o),
        .stat_esp_slot_o   (stat_esp_slot_o),
        .stat_esp_bytes_o  (stat_esp_bytes_o),
        .stat_err_handle_o (stat_err_handle_o),
        .stat_err_desc_o   (stat_err_desc_o),
        .stat_err_dma_o    (stat_err_dma_o)
    );

    // The crypt unit belongs to this path or, before there is traffic, to the self-test.
    logic meta_ready, s_ready, r_valid, m_valid;
    assign tm_ready        = meta_ready && !selftest_i;
    assign ts_ready        = s_ready && !selftest_i;
    assign tr_valid        = r_valid && !selftest_i;
    assign to_valid        = m_valid && !selftest_i;
    assign st_meta_ready_o = meta_ready && selftest_i;
    assign st_s_ready_o    = s_ready && selftest_i;
    assign st_r_valid_o    = r_valid && selftest_i;
    assign st_r_status_o   = tr_status;
    assign st_m_valid_o    = m_valid && selftest_i;
    assign st_m_data_o     = to_data;
    assign st_m_last_o     = to_last;

    /* verilator lint_off PINCONNECTEMPTY */ // on send the status says all
    espalier_crypt #(
        .LANES     (LANES),
        .NUM_SA    (NUM_SA),
        .DECRYPT   (0),
        .USERW     (1),
        .MAX_FRAME (MAX_FRAME)
    ) u_crypt (
        .clk_i           (clk_i),
        .rst_i           (rst_i),
        .key_we_i        (key_we_i),
        .key_round_i     (key_round_i),
        .key_index_i     (key_index_i),
        .key_data_i      (key_data_i),
        .hpow_we_i       (hpow_we_i),
        .hpow_num_i      (hpow_num_i),
        .hpow_index_i    (hpow_index_i),
        .hpow_data_i     (hpow_data_i),
        .meta_valid_i    (selftest_i ? st_meta_valid_i : tm_valid),
        .meta_ready_o    (meta_ready),
        .meta_crypt_i    (selftest_i || tm_crypt),
        .meta_sa_i       (selftest_i ? st_meta_sa_i : tm_sa),
        .meta_keylen_i   (selftest_i ? st_meta_keylen_i : tm_keylen),
        .meta_esn_i      (selftest_i ? st_meta_esn_i : tm_esn),
        .meta_seqhi_i    (selftest_i ? st_meta_seqhi_i : tm_seqhi),
        .meta_salt_i     (selftest_i ? st_meta_salt_i : tm_salt),
        .meta_espoff_i   (selftest_i ? st_meta_espoff_i : tm_espoff),
        .meta_plen_i     (selftest_i ? st_meta_plen_i : tm_plen),
        .meta_skip_i     (selftest_i ? '0 : tm_skip),
        .meta_user_i     (1'b0),
        .s_valid_i       (selftest_i ? st_s_valid_i : ts_valid),
        .s_ready_o       (s_ready),
        .s_data_i        (selftest_i ? st_s_data_i : ts_data),
        .s_last_i        (selftest_i ? st_s_last_i : ts_last),
        .s_count_i       (selftest_i ? st_s_count_i : ts_count),
        .s_err_i         (!selftest_i && ts_err),
        .r_valid_o       (r_valid),
        .r_ready_i       (selftest_i ? st_r_ready_i : tr_ready),
        .r_status_o      (tr_status),
        .r_len_o         (st_r_len_o),
        .r_next_header_o (),
        .r_pad_len_o     (),
        .r_user_o        (),
        .m_valid_o       (m_valid),
        .m_ready_i       (selftest_i ? st_m_ready_i : to_ready),
        .m_data_o        (to_data),
        .m_last_o        (to_last),
        .m_count_o       (to_count)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    espalier_tx_egress #(.LANES(LANES)) u_egress (
        .clk_i           (clk_i),
        .rst_i           (rst_i),
        .sent_i          (tx_sent),
        .idle_o          (egress_idle),
        .m_valid_i       (to_valid),
        .m_ready_o       (to_ready),
        .m_data_i        (to_data),
        .m_last_i        (to_last),
        .m_count_i       (to_count),
        .m_axis_tdata_o  (m_axis_tdata_o),
        .m_axis_tkeep_o  (m_axis_tkeep_o),
        .m_axis_tvalid_o (m_axis_tvalid_o),
        .m_axis_tready_i (m_axis_tready_i),
        .m_axis_tlast_o  (m_axis_tlast_o),
        .stat_frame_o    (stat_frame_o),
        .stat_bytes_o    (stat_bytes_o)
    );

endmodule

`default_nettype wire
