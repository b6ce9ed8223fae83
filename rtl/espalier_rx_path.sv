// SPDX-License-Identifier: Apache-2.0
//
// The receive path: frames from the MAC, their SA, through the cipher to host memory and the ring.

`default_nettype none

module espalier_rx_path #(
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
    input  wire           enable_i, // CTRL.RX_ENABLE
    input  wire           ipsec_enable_i, // CTRL.IPSEC_ENABLE
    input  wire  [3:0]    rx_default_i, // RX_DEFAULT.QUEUE
    input  wire           quiesce_i, // 1: start nothing new. Ends with a reset
    output wire           settled_o, // no bus transaction is under way
    output wire           idle_o, // no frame is between the wire and its completion

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

    // inbound lookup, espalier_sa
    output wire           sa_req_valid_o,
    input  wire           sa_req_ready_i,
    output wire  [31:0]   sa_spi_o,
    output wire  [127:0]  sa_dst_o,
    output wire  [127:0]  sa_src_o,
    output wire           sa_ipv6_o,
    input  wire           sa_rsp_i,
    input  wire           sa_hit_i,
    input  wire  [31:0]   sa_handle_i,
    input  wire  [1:0]    sa_keylen_i,
    input  wire           sa_esn_i,
    input  wire  [31:0]   sa_esn_hi_i,
    input  wire  [31:0]   sa_salt_i,
    input  wire           sa_tunnel_i,
    input  wire  [3:0]    sa_queue_i,
    output wire           sa_done_o,
    output wire           sa_ok_o, // with sa_done_o: what became of the frame, its SA and its length
    output wire           sa_auth_o,
    output wire           sa_syntax_o,
    output wire  [SAW-1:0] sa_slot_o,
    output wire  [13:0]   sa_bytes_o,

    // frame writes
    output wire           data_awvalid_o,
    input  wire           data_awready_i,
    output wire  [63:0]   data_awaddr_o,
    output wire  [7:0]    data_awlen_o,
    output wire           data_wvalid_o,
    input  wire           data_wready_i,
    output wire  [DW-1:0] data_wdata_o,
    output wire  [BW-1:0] data_wstrb_o,
    output wire           data_wlast_o,
    input  wire           data_bvalid_i,
    input  wire  [1:0]    data_bresp_i,

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

    // from the MAC
    input  wire  [DW-1:0] s_axis_tdata_i,
    input  wire  [BW-1:0] s_axis_tkeep_i,
    input  wire           s_axis_tvalid_i,
    output wire           s_axis_tready_o,
    input  wire           s_axis_tlast_i,
    input  wire           s_axis_tuser_i,

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
    output wire           stat_esp_ok_o,
    output wire           stat_auth_failed_o,
    output wire           stat_syntax_o,
    output wire           stat_no_sa_o,
    output wire           stat_untouched_o,
    output wire           stat_drop_no_desc_o,
    output wire           stat_drop_bad_o,
    output wire           stat_err_dma_o
);

    localparam int OW = $clog2(BW);
    localparam int USERW = espalier_pkg::RX_USER_W;

    logic bus_idle, ring_idle, parse_idle, crypt_idle, dma_idle;
    assign settled_o = bus_idle && ring_idle;
    assign idle_o    = parse_idle && crypt_idle && dma_idle;


    logic             rm_valid, rm_ready, rm_crypt, rm_esn, rs_valid, rs_ready, rs_last, rs_err;
    logic [SAW-1:0]   rm_sa;
    logic [1:0]       rm_keylen;
    logic [31:0]      rm_seqhi, rm_salt;
    logic [13:0]      rm_espoff, rm_plen;
    logic [OW-1:0]    rm_skip;
    logic [USERW-1:0] rm_user, rr_user;
    logic [DW-1:0]    rs_data, ro_data;
    logic [OW:0]      rs_count;
    logic             rr_valid, rr_ready, ro_valid, ro_ready, ro_last;
    logic [2:0]       rr_status;
    logic [13:0]      rr_len;
    logic [7:0]       rr_next_header, rr_pad_len;

    espalier_rx_parse #(
        .LANES     (LANES),
        .NUM_SA    (NUM_SA),
        .MAX_FRAME (MAX_FRAME)
    ) u_parse (
        .clk_i           (clk_i),
        .rst_i           (rst_i),
        .rx_enable_i     (enable_i),
        .ipsec_enable_i  (ipsec_enable_i),
        .rx_default_i    (rx_default_i),
        .idle_o          (parse_idle),
        .s_axis_tvalid_i (s_axis_tvalid_i),
        .s_axis_tready_o (s_axis_tready_o),
        .s_axis_tdata_i  (s_axis_tdata_i),
        .s_axis_tkeep_i  (s_axis_tkeep_i),
        .s_axis_tlast_i  (s_axis_tlast_i),
        .s_axis_tuser_i  (s_axis_tuser_i),
        .sa_req_valid_o  (sa_req_valid_o),
        .sa_req_ready_i  (sa_req_ready_i),
        .sa_spi_o        (sa_spi_o),
        .sa_dst_o        (sa_dst_o),
        .sa_src_o        (sa_src_o),
        .sa_ipv6_o       (sa_ipv6_o),
        .sa_rsp_i        (sa_rsp_i),
        .sa_hit_i        (sa_hit_i),
        .sa_handle_i     (sa_handle_i),
        .sa_keylen_i     (sa_keylen_i),
        .sa_esn_i        (sa_esn_i),
        .sa_esn_hi_i     (sa_esn_hi_i),
        .sa_salt_i       (sa_salt_i),
        .sa_tunnel_i     (sa_tunnel_i),
        .sa_queue_i      (sa_queue_i),
        .meta_valid_o    (rm_valid),
        .meta_ready_i    (rm_ready),
        .meta_crypt_o    (rm_crypt),
        .meta_sa_o       (rm_sa),
        .meta_keylen_o   (rm_keylen),
        .meta_esn_o      (rm_esn),
        .meta_seqhi_o    (rm_seqhi),
        .meta_salt_o     (rm_salt),
        .meta_espoff_o   (rm_espoff),
        .meta_plen_o     (rm_plen),
        .meta_skip_o     (rm_skip),
        .meta_user_o     (rm_user),
        .m_valid_o       (rs_valid),
        .m_ready_i       (rs_ready),
        .m_data_o        (rs_data),
        .m_last_o        (rs_last),
        .m_count_o       (rs_count),
        .m_err_o         (rs_err),
        .rx_frame_o      (stat_frame_o),
        .rx_bytes_o      (stat_bytes_o)
    );

    // The crypt unit belongs to this path or, before there is traffic, to the self-test.
    logic meta_ready, s_ready, r_valid, m_valid;
    assign rm_ready        = meta_ready && !selftest_i;
    assign rs_ready        = s_ready && !selftest_i;
    assign rr_valid        = r_valid && !selftest_i;
    assign ro_valid        = m_valid && !selftest_i;
    assign st_meta_ready_o = meta_ready && selftest_i;
    assign st_s_ready_o    = s_ready && selftest_i;
    assign st_r_valid_o    = r_valid && selftest_i;
    assign st_r_status_o   = rr_status;
    assign st_r_len_o      = rr_len;
    assign st_m_valid_o    = m_valid && selftest_i;
    assign st_m_data_o     = ro_data;
    assign st_m_last_o     = ro_last;

    /* verilator lint_off PINCONNECTEMPTY */ // the result has the length
    espalier_crypt #(
        .LANES     (LANES),
        .NUM_SA    (NUM_SA),
        .DECRYPT   (1),
        .USERW     (USERW),
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
        .meta_valid_i    (selftest_i ? st_meta_valid_i : rm_valid),
        .meta_ready_o    (meta_ready),
        .meta_crypt_i    (selftest_i || rm_crypt),
        .meta_sa_i       (selftest_i ? st_meta_sa_i : rm_sa),
        .meta_keylen_i   (selftest_i ? st_meta_keylen_i : rm_keylen),
        .meta_esn_i      (selftest_i ? st_meta_esn_i : rm_esn),
        .meta_seqhi_i    (selftest_i ? st_meta_seqhi_i : rm_seqhi),
        .meta_salt_i     (selftest_i ? st_meta_salt_i : rm_salt),
        .meta_espoff_i   (selftest_i ? st_meta_espoff_i : rm_espoff),
        .meta_plen_i     (selftest_i ? st_meta_plen_i : rm_plen),
        .meta_skip_i     (selftest_i ? '0 : rm_skip),
        .meta_user_i     (rm_user),
        .s_valid_i       (selftest_i ? st_s_valid_i : rs_valid),
        .s_ready_o       (s_ready),
        .s_data_i        (selftest_i ? st_s_data_i : rs_data),
        .s_last_i        (selftest_i ? st_s_last_i : rs_last),
        .s_count_i       (selftest_i ? st_s_count_i : rs_count),
        .s_err_i         (!selftest_i && rs_err),
        .r_valid_o       (r_valid),
        .r_ready_i       (selftest_i ? st_r_ready_i : rr_ready),
        .r_status_o      (rr_status),
        .r_len_o         (rr_len),
        .r_next_header_o (rr_next_header),
        .r_pad_len_o     (rr_pad_len),
        .r_user_o        (rr_user),
        .m_valid_o       (m_valid),
        .m_ready_i       (selftest_i ? st_m_ready_i : ro_ready),
        .m_data_o        (ro_data),
        .m_last_o        (ro_last),
        .m_count_o       ()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    // Frames in the receive cipher: described to it, result not taken.
    logic [7:0] crypting_q;
    assign crypt_idle = crypting_q == '0;
    always_ff @(posedge clk_i) begin
        if (rst_i) crypting_q <= '0;
        else           crypting_q <= crypting_q + 8'(rm_valid && rm_ready) - 8'(rr_valid && rr_ready);
    end

    logic [NUM_QUEUES-1:0] rxq_avail, rxq_live;
    logic                  rxq_pop, rxq_cpl_valid, rxq_cpl_ready, rxq_cpl_write;
    logic [3:0]            rxq_pop_queue, rxq_cpl_queue;
    logic [127:0]          rxq_pop_desc, rxq_cpl_data;
    logic [15:0]           rxq_pop_index, rxq_cpl_index;

    espalier_rx_dma #(
        .LANES      (LANES),
        .NUM_QUEUES (NUM_QUEUES),
        .SAW        (SAW)
    ) u_dma (
        .clk_i               (clk_i),
        .rst_i               (rst_i),
        .quiesce_i           (quiesce_i),
        .bus_idle_o          (bus_idle),
        .idle_o              (dma_idle),
        .r_valid_i           (rr_valid),
        .r_ready_o           (rr_ready),
        .r_status_i          (rr_status),
        .r_len_i             (rr_len),
        .r_next_header_i     (rr_next_header),
        .r_pad_len_i         (rr_pad_len),
        .r_user_i            (rr_user),
        .m_valid_i           (ro_valid),
        .m_ready_o           (ro_ready),
        .m_data_i            (ro_data),
        .m_last_i            (ro_last),
        .sa_done_o           (sa_done_o),
        .sa_ok_o             (sa_ok_o),
        .sa_auth_o           (sa_auth_o),
        .sa_syntax_o         (sa_syntax_o),
        .sa_slot_o           (sa_slot_o),
        .sa_bytes_o          (sa_bytes_o),
        .avail_i             (rxq_avail),
        .live_i              (rxq_live),
        .pop_o               (rxq_pop),
        .pop_queue_o         (rxq_pop_queue),
        .pop_desc_i          (rxq_pop_desc),
        .pop_index_i         (rxq_pop_index),
        .cpl_valid_o         (rxq_cpl_valid),
        .cpl_ready_i         (rxq_cpl_ready),
        .cpl_queue_o         (rxq_cpl_queue),
        .cpl_index_o         (rxq_cpl_index),
        .cpl_data_o          (rxq_cpl_data),
        .cpl_write_o         (rxq_cpl_write),
        .m_axi_awaddr_o      (data_awaddr_o),
        .m_axi_awlen_o       (data_awlen_o),
        .m_axi_awvalid_o     (data_awvalid_o),
        .m_axi_awready_i     (data_awready_i),
        .m_axi_wdata_o       (data_wdata_o),
        .m_axi_wstrb_o       (data_wstrb_o),
        .m_axi_wlast_o       (data_wlast_o),
        .m_axi_wvalid_o      (data_wvalid_o),
        .m_axi_wready_i      (data_wready_i),
        .m_axi_bresp_i       (data_bresp_i),
        .m_axi_bvalid_i      (data_bvalid_i),
        .stat_esp_ok_o       (stat_esp_ok_o),
        .stat_auth_failed_o  (stat_auth_failed_o),
        .stat_syntax_o       (stat_syntax_o),
        .stat_no_sa_o        (stat_no_sa_o),
        .stat_untouched_o    (stat_untouched_o),
        .stat_drop_no_desc_o (stat_drop_no_desc_o),
        .stat_drop_bad_o     (stat_drop_bad_o),
        .stat_err_dma_o      (stat_err_dma_o)
    );

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
        .avail_o         (rxq_avail),
        .live_o          (rxq_live),
        .pop_i           (rxq_pop),
        .pop_queue_i     (rxq_pop_queue),
        .pop_desc_o      (rxq_pop_desc),
        .pop_index_o     (rxq_pop_index),
        .cpl_valid_i     (rxq_cpl_valid),
        .cpl_ready_o     (rxq_cpl_ready),
        .cpl_queue_i     (rxq_cpl_queue),
        .cpl_index_i     (rxq_cpl_index),
        .cpl_data_i      (rxq_cpl_data),
        .cpl_write_i     (rxq_cpl_write),
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

endmodule

`default_nettype wire
