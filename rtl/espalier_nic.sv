// SPDX-License-Identifier: Apache-2.0
//
// The NIC: one Ethernet port, one AXI4-Lite slave for its registers, one AXI4
// master for host memory. docs/nic-contract.md says what it does, docs/rtl.md
// how.

`default_nettype none
`include "espalier_assert.svh"

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
    parameter int PREFETCH = 64,
    // Value of the BUILD_ID register.
    parameter logic [31:0] BUILD_ID = 32'd0,
    // 1: a control processor manages the SAs, through the mailbox. 0: the host does, through the SA window.
    parameter int CONTROL_PROCESSOR = 1,
    // With it: its memory in bytes, a multiple of 4 from 1024 to 2^24.
    parameter int CP_RAM_BYTES = 32768,
    // With it: cycles without a heartbeat after which it counts as hung, at least 1024.
    parameter int CP_WATCHDOG = 131072,

    // Derived, not to be overridden: data path width in bits and bytes.
    localparam int DW = 128 * LANES,
    localparam int BW = DW / 8
) (
    input  wire clk_i,
    input  wire rst_i,

    // Registers: AXI4-Lite slave, BAR 0.
    input  wire [17:0] s_axil_awaddr_i,
    input  wire        s_axil_awvalid_i,
    output logic        s_axil_awready_o,
    input  wire [31:0] s_axil_wdata_i,
    input  wire [3:0]  s_axil_wstrb_i,
    input  wire        s_axil_wvalid_i,
    output logic        s_axil_wready_o,
    output logic [1:0]  s_axil_bresp_o,
    output logic        s_axil_bvalid_o,
    input  wire        s_axil_bready_i,
    input  wire [17:0] s_axil_araddr_i,
    input  wire        s_axil_arvalid_i,
    output logic        s_axil_arready_o,
    output logic [31:0] s_axil_rdata_o,
    output logic [1:0]  s_axil_rresp_o,
    output logic        s_axil_rvalid_o,
    input  wire        s_axil_rready_i,

    // Host memory: AXI4 master. Reads: ID 0 frames, 1 TX descriptors, 2 RX
    // descriptors; all writes ID 0. INCR bursts of full-width beats (the first
    // address of a burst may be unaligned), never across 4 KiB.
    output logic [3:0]    m_axi_awid_o,
    output logic [63:0]   m_axi_awaddr_o,
    output logic [7:0]    m_axi_awlen_o,
    output logic [2:0]    m_axi_awsize_o,
    output logic [1:0]    m_axi_awburst_o,
    output logic          m_axi_awvalid_o,
    input  wire          m_axi_awready_i,
    output logic [DW-1:0] m_axi_wdata_o,
    output logic [BW-1:0] m_axi_wstrb_o,
    output logic          m_axi_wlast_o,
    output logic          m_axi_wvalid_o,
    input  wire          m_axi_wready_i,
    input  wire [3:0]    m_axi_bid_i,
    input  wire [1:0]    m_axi_bresp_i,
    input  wire          m_axi_bvalid_i,
    output logic          m_axi_bready_o,
    output logic [3:0]    m_axi_arid_o,
    output logic [63:0]   m_axi_araddr_o,
    output logic [7:0]    m_axi_arlen_o,
    output logic [2:0]    m_axi_arsize_o,
    output logic [1:0]    m_axi_arburst_o,
    output logic          m_axi_arvalid_o,
    input  wire          m_axi_arready_i,
    input  wire [3:0]    m_axi_rid_i,
    input  wire [DW-1:0] m_axi_rdata_i,
    input  wire [1:0]    m_axi_rresp_i,
    input  wire          m_axi_rlast_i,
    input  wire          m_axi_rvalid_i,
    output logic          m_axi_rready_o,

    // To the MAC: AXI4-Stream, whole frames, no FCS. tuser on the last beat
    // marks a bad frame (never set by this NIC).
    output logic [DW-1:0] m_axis_mac_tdata_o,
    output logic [BW-1:0] m_axis_mac_tkeep_o,
    output logic          m_axis_mac_tvalid_o,
    input  wire          m_axis_mac_tready_i,
    output logic          m_axis_mac_tlast_o,
    output logic          m_axis_mac_tuser_o,

    // From the MAC: likewise; tuser on the last beat: the frame is bad.
    input  wire [DW-1:0] s_axis_mac_tdata_i,
    input  wire [BW-1:0] s_axis_mac_tkeep_i,
    input  wire          s_axis_mac_tvalid_i,
    output logic          s_axis_mac_tready_o,
    input  wire          s_axis_mac_tlast_i,
    input  wire          s_axis_mac_tuser_i,

    // One pulse per interrupt, per vector.
    output logic [NUM_VECTORS-1:0] irq_o
);


    `ESPALIER_CHECK_PARAM(g_check_lanes, LANES == 1, "espalier_nic: only LANES = 1 works")
    `ESPALIER_CHECK_PARAM(g_check_num_sa, NUM_SA >= 8 && NUM_SA <= 65536 && (NUM_SA & (NUM_SA - 1)) == 0,
                          "espalier_nic: NUM_SA must be a power of two from 8 to 65536")
    `ESPALIER_CHECK_PARAM(g_check_queues, NUM_QUEUES >= 1 && NUM_QUEUES <= 16, "espalier_nic: NUM_QUEUES must be 1 to 16")
    `ESPALIER_CHECK_PARAM(g_check_vectors, NUM_VECTORS >= 1 && NUM_VECTORS <= 32,
                          "espalier_nic: NUM_VECTORS must be 1 to 32")
    `ESPALIER_CHECK_PARAM(g_check_cp, CONTROL_PROCESSOR == 0 || CONTROL_PROCESSOR == 1,
                          "espalier_nic: CONTROL_PROCESSOR must be 0 or 1")

    localparam int SAW = $clog2(NUM_SA);
    localparam int OW  = $clog2(BW);
    localparam int MIN_LOG2 = 3;  // ring sizes that a queue takes
    localparam int MAX_LOG2 = 15;
    localparam int MHZ = 250;     // the clock that the pipelines are cut for

    // ---------------------------------------------------------------------
    // Start-up and reset.

    logic busy_reset, ready, quiesce, discard, plane_rst;
    logic reset_request, zeroise, zeroise_busy, zeroised;
    logic tx_settled, tx_idle, rx_settled, rx_idle, mux_idle;

    espalier_reset u_reset (
        .clk_i          (clk_i),
        .rst_i          (rst_i),
        .request_i      (reset_request),
        .busy_o         (busy_reset),
        .ready_o        (ready),
        .quiesce_o      (quiesce),
        .discard_o      (discard),
        .idle_i         (tx_settled && rx_settled && mux_idle),
        .plane_rst_o    (plane_rst),
        .zeroise_o      (zeroise),
        .zeroise_busy_i (zeroise_busy)
    );

    // ---------------------------------------------------------------------
    // Registers.

    logic         ctrl_tx_enable, ctrl_rx_enable, ctrl_ipsec_enable, ctrl_loopback;
    logic [3:0]   rx_default;
    logic         ext_valid, ext_write, ext_ready, ext_error;
    logic [17:0]  ext_addr;
    logic [31:0]  ext_wdata, ext_rdata;
    logic [3:0]   ext_wstrb;
    logic [2:0]   sa_op;
    logic         sa_start, sa_busy, sa_done;
    logic [3:0]   sa_result;
    logic [15:0]  sa_cycles;
    logic [15:0]  sa_index, sa_generation, sa_new_generation;
    logic         sa_handle_we, sa_read_we;
    logic [31:0]  sa_spi, sa_flags, sa_esn_hi, sa_salt, sa_read_spi, sa_read_flags, sa_read_esn_hi;
    logic [127:0] sa_dst, sa_src, sa_read_dst, sa_read_src;
    logic [255:0] sa_key;
    // The window's arrays have word 0 lowest; as a number, word 0 is the most significant.
    logic [127:0] win_dst, win_src;
    logic [255:0] win_key;
    logic [63:0]  sa_nonce;
    logic [255:0] sa_counters;
    logic [SAW:0] sa_live;

    logic [NUM_VECTORS-1:0] int_cause;
    /* verilator lint_off UNUSEDSIGNAL */ // registers of vectors that this build does not have
    logic [31:0]  int_clear, int_mask, int_arm, int_set;
    logic [255:0] int_count;
    logic [511:0] int_time;
    /* verilator lint_on UNUSEDSIGNAL */

    for (genvar w = 0; w < 4; w++) begin : g_address_words
        assign sa_dst[32*(3-w)+:32] = win_dst[32*w+:32];
        assign sa_src[32*(3-w)+:32] = win_src[32*w+:32];
    end
    for (genvar w = 0; w < 8; w++) begin : g_key_words
        assign sa_key[32*(7-w)+:32] = win_key[32*w+:32];
    end

    logic       flag_inbound, flag_ipv6, flag_tunnel, flag_esn;
    logic [1:0] flag_keylen;
    logic [3:0] flag_queue;
    assign sa_flags = 32'(flag_inbound) << espalier_regs_pkg::SA_FLAGS_INBOUND_LSB
                    | 32'(flag_ipv6)    << espalier_regs_pkg::SA_FLAGS_IPV6_LSB
                    | 32'(flag_tunnel)  << espalier_regs_pkg::SA_FLAGS_TUNNEL_LSB
                    | 32'(flag_esn)     << espalier_regs_pkg::SA_FLAGS_ESN_LSB
                    | 32'(flag_keylen)  << espalier_regs_pkg::SA_FLAGS_KEYLEN_LSB
                    | 32'(flag_queue)   << espalier_regs_pkg::SA_FLAGS_RX_QUEUE_LSB;

    // AXI4-Lite as espalier_regs sees it: the host's, or what espalier_cp_bus makes of the host's and the processor's.
    logic [17:0] axil_awaddr, axil_araddr;
    logic        axil_awvalid, axil_awready, axil_wvalid, axil_wready, axil_bvalid, axil_bready;
    logic        axil_arvalid, axil_arready, axil_rvalid, axil_rready;
    logic [31:0] axil_wdata;
    logic [3:0]  axil_wstrb;

    espalier_regs u_regs (
        .clk_i            (clk_i),
        .rst_i            (rst_i),
        .soft_rst_i       (plane_rst),
        .s_axil_awaddr_i  (axil_awaddr),
        .s_axil_awvalid_i (axil_awvalid),
        .s_axil_awready_o (axil_awready),
        .s_axil_wdata_i   (axil_wdata),
        .s_axil_wstrb_i   (axil_wstrb),
        .s_axil_wvalid_i  (axil_wvalid),
        .s_axil_wready_o  (axil_wready),
        .s_axil_bresp_o   (s_axil_bresp_o),
        .s_axil_bvalid_o  (axil_bvalid),
        .s_axil_bready_i  (axil_bready),
        .s_axil_araddr_i  (axil_araddr),
        .s_axil_arvalid_i (axil_arvalid),
        .s_axil_arready_o (axil_arready),
        .s_axil_rdata_o   (s_axil_rdata_o),
        .s_axil_rresp_o   (s_axil_rresp_o),
        .s_axil_rvalid_o  (axil_rvalid),
        .s_axil_rready_i  (axil_rready),
        .ext_valid_o (ext_valid),
        .ext_write_o (ext_write),
        .ext_addr_o  (ext_addr),
        .ext_wdata_o (ext_wdata),
        .ext_wstrb_o (ext_wstrb),
        .ext_ready_i (ext_ready),
        .ext_rdata_i (ext_rdata),
        .ext_error_i (ext_error),
        .sa_clear_i  (sa_done),

        .build_id_value_i               (BUILD_ID),
        .cap_size_num_txq_i             (8'(NUM_QUEUES)),
        .cap_size_num_rxq_i             (8'(NUM_QUEUES)),
        .cap_size_num_vectors_i         (8'(NUM_VECTORS)),
        .cap_size_lanes_i               (4'(LANES)),
        .cap_sa_capacity_i              (24'(NUM_SA)),
        .cap_alg_encryption_i           (9'h038), // AES-GCM with keys of 128, 192 and 256 bits
        .cap_alg_authentication_i       (6'h00),
        .cap_alg_icv_i                  (3'b001), // 16 bytes
        .cap_feature_ipv4_i             (1'b1),
        .cap_feature_ipv6_i             (1'b1),
        .cap_feature_ipv4_options_i     (1'b0),
        .cap_feature_ipv6_ext_headers_i (1'b0),
        .cap_feature_ah_i               (1'b0),
        .cap_feature_esp_i              (1'b1),
        .cap_feature_ah_esp_i           (1'b0),
        .cap_feature_transport_i        (1'b1),
        .cap_feature_tunnel_i           (1'b1),
        .cap_feature_transport_tunnel_i (1'b0),
        .cap_feature_lso_i              (1'b0),
        .cap_feature_esn_i              (1'b1),
        .cap_feature_udp_esp_i          (4'h0),
        .cap_feature_encapsulation_i    (5'h02), // Ethernet
        .cap_feature_loopback_i         (1'b1),
        .cap_feature_control_processor_i (CONTROL_PROCESSOR != 0),
        .cap_ring_min_log2_i            (4'(MIN_LOG2)),
        .cap_ring_max_log2_i            (4'(MAX_LOG2)),
        .cap_ring_prefetch_i            (8'(PREFETCH)),
        .cap_frame_max_frame_i          (16'(MAX_FRAME)),
        .cap_clock_mhz_i                (16'(MHZ)),

        .ctrl_reset_i             (busy_reset),
        .ctrl_reset_set_o         (reset_request),
        .ctrl_tx_enable_o         (ctrl_tx_enable),
        .ctrl_rx_enable_o         (ctrl_rx_enable),
        .ctrl_ipsec_enable_o      (ctrl_ipsec_enable),
        .ctrl_loopback_o          (ctrl_loopback),
        .status_ready_i           (ready),
        .status_reset_busy_i      (busy_reset),
        .status_zeroised_i        (zeroised),
        .status_tx_idle_i         (tx_idle),
        .status_rx_idle_i         (rx_idle),
        .rx_default_queue_o       (rx_default),
        .int_cause_vector_i       (32'(int_cause)),
        .int_cause_vector_clear_o (int_clear),
        .int_mask_vector_o        (int_mask),
        .int_arm_vector_o         (int_arm),
        .int_set_vector_o         (int_set),
        .int_moderation_count_o   (int_count),
        .int_moderation_time_o    (int_time),

        .sa_cmd_op_o            (sa_op),
        .sa_cmd_wr_o            (sa_start),
        .sa_status_busy_i       (sa_busy),
        .sa_status_result_i     (sa_result),
        .sa_status_cycles_i     (sa_cycles),
        .sa_handle_index_o      (sa_index),
        .sa_handle_generation_o (sa_generation),
        .sa_handle_generation_i (sa_new_generation),
        .sa_handle_we_i         (sa_handle_we),
        .sa_spi_value_o         (sa_spi),
        .sa_spi_value_i         (sa_read_spi),
        .sa_spi_we_i            (sa_read_we),
        .sa_flags_inbound_o     (flag_inbound),
        .sa_flags_inbound_i     (sa_read_flags[espalier_regs_pkg::SA_FLAGS_INBOUND_LSB]),
        .sa_flags_ipv6_o        (flag_ipv6),
        .sa_flags_ipv6_i        (sa_read_flags[espalier_regs_pkg::SA_FLAGS_IPV6_LSB]),
        .sa_flags_tunnel_o      (flag_tunnel),
        .sa_flags_tunnel_i      (sa_read_flags[espalier_regs_pkg::SA_FLAGS_TUNNEL_LSB]),
        .sa_flags_esn_o         (flag_esn),
        .sa_flags_esn_i         (sa_read_flags[espalier_regs_pkg::SA_FLAGS_ESN_LSB]),
        .sa_flags_keylen_o      (flag_keylen),
        .sa_flags_keylen_i      (sa_read_flags[espalier_regs_pkg::SA_FLAGS_KEYLEN_LSB+:2]),
        .sa_flags_rx_queue_o    (flag_queue),
        .sa_flags_rx_queue_i    (sa_read_flags[espalier_regs_pkg::SA_FLAGS_RX_QUEUE_LSB+:4]),
        .sa_flags_we_i          (sa_read_we),
        .sa_esn_hi_value_o      (sa_esn_hi),
        .sa_esn_hi_value_i      (sa_read_esn_hi),
        .sa_esn_hi_we_i         (sa_read_we),
        .sa_salt_value_o        (sa_salt),
        .sa_dst_value_o         (win_dst),
        .sa_dst_value_i         ({sa_read_dst[31:0], sa_read_dst[63:32], sa_read_dst[95:64], sa_read_dst[127:96]}),
        .sa_dst_we_i            (sa_read_we),
        .sa_src_value_o         (win_src),
        .sa_src_value_i         ({sa_read_src[31:0], sa_read_src[63:32], sa_read_src[95:64], sa_read_src[127:96]}),
        .sa_src_we_i            (sa_read_we),
        .sa_key_value_o         (win_key),
        .sa_nonce_value_o       (sa_nonce),
        .sa_counters_value_i    (sa_counters)
    );

    // Registers of other units: the queue pages by address bits 17:16, those of the control processor, the rest in
    // espalier_stats.
    logic        txq_ready, txq_error, rxq_ready, rxq_error, stats_ready, stats_error, cp_ready, cp_error;
    logic [31:0] txq_rdata, rxq_rdata, stats_rdata, cp_rdata;
    wire         at_txq = ext_addr[17:16] == 2'd1;
    wire         at_rxq = ext_addr[17:16] == 2'd2;
    wire         at_cp  = ext_addr[17:16] == 2'd0 && ext_addr[15:12] >= 4'd3;

    assign ext_ready = at_txq ? txq_ready : at_rxq ? rxq_ready : at_cp ? cp_ready : stats_ready;
    assign ext_rdata = at_txq ? txq_rdata : at_rxq ? rxq_rdata : at_cp ? cp_rdata : stats_rdata;
    assign ext_error = at_txq ? txq_error : at_rxq ? rxq_error : at_cp ? cp_error : stats_error;

    // Until the self-tests have passed no queue is enabled.
    logic        traffic;
    wire         at_queue_ctrl = ext_addr[11:0] == espalier_regs_pkg::QUEUE_CTRL_ADDR;
    wire  [31:0] queue_wdata   = ext_wdata & ~(32'(at_queue_ctrl && !traffic) << espalier_regs_pkg::QUEUE_CTRL_ENABLE_LSB);

    // ---------------------------------------------------------------------
    // SAs.

    logic           key_we_tx, key_we_rx, hpow_we_tx, hpow_we_rx;
    logic [3:0]     key_round;
    logic [7:0]     hpow_num;
    logic [SAW-1:0] key_index, hpow_index;
    logic [127:0]   key_data, hpow_data;

    logic           txsa_req, txsa_use, txsa_rsp, txsa_hit, txsa_esn, txsa_done;
    logic [31:0]    txsa_handle, txsa_esn_hi, txsa_salt;
    logic [1:0]     txsa_keylen;
    logic [SAW-1:0] txsa_ok_slot;
    logic [13:0]    txsa_ok_bytes;

    logic           rxsa_valid, rxsa_ready, rxsa_ipv6, rxsa_rsp, rxsa_hit, rxsa_esn, rxsa_tunnel, rxsa_done;
    logic [31:0]    rxsa_spi, rxsa_handle, rxsa_esn_hi, rxsa_salt;
    logic [127:0]   rxsa_dst, rxsa_src;
    logic [1:0]     rxsa_keylen;
    logic [3:0]     rxsa_queue;
    logic           rxsa_ok, rxsa_auth, rxsa_syntax;
    logic [SAW-1:0] rxsa_slot;
    logic [13:0]    rxsa_bytes;

    logic           ev_tx_esp;

    espalier_sa #(
        .LANES      (LANES),
        .NUM_SA     (NUM_SA),
        .NUM_QUEUES (NUM_QUEUES)
    ) u_sa (
        .clk_i          (clk_i),
        .rst_i          (rst_i),
        .cmd_valid_i    (sa_start),
        .cmd_op_i       (sa_op),
        .cmd_handle_i   ({sa_generation, sa_index}),
        .rec_spi_i      (sa_spi),
        .rec_flags_i    (sa_flags),
        .rec_esn_hi_i   (sa_esn_hi),
        .rec_salt_i     (sa_salt),
        .rec_dst_i      (sa_dst),
        .rec_src_i      (sa_src),
        .rec_key_i      (sa_key),
        .busy_o         (sa_busy),
        .result_o       (sa_result),
        .cycles_o       (sa_cycles),
        .done_o         (sa_done),
        .handle_we_o    (sa_handle_we),
        .handle_gen_o   (sa_new_generation),
        .rec_we_o       (sa_read_we),
        .rec_spi_o      (sa_read_spi),
        .rec_flags_o    (sa_read_flags),
        .rec_esn_hi_o   (sa_read_esn_hi),
        .rec_dst_o      (sa_read_dst),
        .rec_src_o      (sa_read_src),
        .counters_o     (sa_counters),
        .nonce_i        (sa_nonce),
        .live_o         (sa_live),
        .zeroise_i      (zeroise),
        .zeroise_busy_o (zeroise_busy),
        .zeroised_o     (zeroised),
        .key_we_tx_o    (key_we_tx),
        .key_we_rx_o    (key_we_rx),
        .key_round_o    (key_round),
        .key_index_o    (key_index),
        .key_data_o     (key_data),
        .hpow_we_tx_o   (hpow_we_tx),
        .hpow_we_rx_o   (hpow_we_rx),
        .hpow_num_o     (hpow_num),
        .hpow_index_o   (hpow_index),
        .hpow_data_o    (hpow_data),
        .tx_req_i       (txsa_req),
        .tx_use_i       (txsa_use),
        .tx_handle_i    (txsa_handle),
        .tx_rsp_o       (txsa_rsp),
        .tx_hit_o       (txsa_hit),
        .tx_keylen_o    (txsa_keylen),
        .tx_esn_o       (txsa_esn),
        .tx_esn_hi_o    (txsa_esn_hi),
        .tx_salt_o      (txsa_salt),
        .tx_done_i      (txsa_done),
        .rx_req_valid_i (rxsa_valid),
        .rx_req_ready_o (rxsa_ready),
        .rx_spi_i       (rxsa_spi),
        .rx_dst_i       (rxsa_dst),
        .rx_src_i       (rxsa_src),
        .rx_ipv6_i      (rxsa_ipv6),
        .rx_rsp_o       (rxsa_rsp),
        .rx_hit_o       (rxsa_hit),
        .rx_handle_o    (rxsa_handle),
        .rx_keylen_o    (rxsa_keylen),
        .rx_esn_o       (rxsa_esn),
        .rx_esn_hi_o    (rxsa_esn_hi),
        .rx_salt_o      (rxsa_salt),
        .rx_tunnel_o    (rxsa_tunnel),
        .rx_queue_o     (rxsa_queue),
        .rx_done_i      (rxsa_done),
        .tx_ok_i        (ev_tx_esp),
        .tx_ok_slot_i   (txsa_ok_slot),
        .tx_ok_bytes_i  (txsa_ok_bytes),
        .rx_ok_i        (rxsa_ok),
        .rx_auth_i      (rxsa_auth),
        .rx_syntax_i    (rxsa_syntax),
        .rx_slot_i      (rxsa_slot),
        .rx_bytes_i     (rxsa_bytes)
    );

    // ---------------------------------------------------------------------
    // Control processor.

    logic           cp_event, cp_reading;
    logic [4:0]     cp_event_vector;

    // Self-tests: the crypt units' inputs while there is no traffic, and their outputs. The two units share what may be
    // shared.
    logic           st_tx_meta_valid, st_tx_meta_ready, st_rx_meta_valid, st_rx_meta_ready, st_meta_esn;
    logic [SAW-1:0] st_meta_sa;
    logic [1:0]     st_meta_keylen;
    logic [31:0]    st_meta_seqhi, st_meta_salt;
    logic [13:0]    st_meta_espoff, st_meta_plen;
    logic           st_tx_s_valid, st_tx_s_ready, st_rx_s_valid, st_rx_s_ready, st_s_last;
    logic [DW-1:0]  st_s_data, st_tx_m_data, st_rx_m_data;
    logic [OW:0]    st_s_count;
    logic           st_tx_r_valid, st_rx_r_valid, st_r_ready, st_tx_m_valid, st_tx_m_last, st_rx_m_valid, st_rx_m_last;
    logic           st_m_ready;
    logic [2:0]     st_tx_r_status, st_rx_r_status;
    logic [13:0]    st_tx_r_len, st_rx_r_len;

    if (CONTROL_PROCESSOR != 0) begin : g_cp
        logic        bus_valid, bus_write, bus_ready, bus_error, bus_idle;
        logic [17:0] bus_addr;
        logic [31:0] bus_wdata;
        logic [3:0]  bus_wstrb;

        espalier_cp_bus u_bus (
            .clk_i            (clk_i),
            .rst_i            (rst_i),
            .s_axil_awaddr_i, .s_axil_awvalid_i, .s_axil_awready_o, .s_axil_wdata_i, .s_axil_wstrb_i, .s_axil_wvalid_i,
            .s_axil_wready_o, .s_axil_bvalid_o, .s_axil_bready_i, .s_axil_araddr_i, .s_axil_arvalid_i, .s_axil_arready_o,
            .s_axil_rvalid_o, .s_axil_rready_i,
            .valid_i          (bus_valid),
            .write_i          (bus_write),
            .addr_i           (bus_addr),
            .wdata_i          (bus_wdata),
            .wstrb_i          (bus_wstrb),
            .ready_o          (bus_ready),
            .error_o          (bus_error),
            .idle_o           (bus_idle),
            .reading_o        (cp_reading),
            .m_axil_awaddr_o  (axil_awaddr),
            .m_axil_awvalid_o (axil_awvalid),
            .m_axil_awready_i (axil_awready),
            .m_axil_wdata_o   (axil_wdata),
            .m_axil_wstrb_o   (axil_wstrb),
            .m_axil_wvalid_o  (axil_wvalid),
            .m_axil_wready_i  (axil_wready),
            .m_axil_bresp_i   (s_axil_bresp_o),
            .m_axil_bvalid_i  (axil_bvalid),
            .m_axil_bready_o  (axil_bready),
            .m_axil_araddr_o  (axil_araddr),
            .m_axil_arvalid_o (axil_arvalid),
            .m_axil_arready_i (axil_arready),
            .m_axil_rresp_i   (s_axil_rresp_o),
            .m_axil_rvalid_i  (axil_rvalid),
            .m_axil_rready_o  (axil_rready)
        );

        espalier_cp #(
            .RAM_BYTES (CP_RAM_BYTES),
            .WATCHDOG  (CP_WATCHDOG),
            .NUM_SA    (NUM_SA),
            .LANES     (LANES)
        ) u_cp (
            .clk_i              (clk_i),
            .rst_i              (rst_i),
            .soft_rst_i         (plane_rst),
            .host_valid_i       (ext_valid && at_cp),
            .host_write_i       (ext_write),
            .host_addr_i        (ext_addr),
            .host_wdata_i       (ext_wdata),
            .host_wstrb_i       (ext_wstrb),
            .host_ready_o       (cp_ready),
            .host_rdata_o       (cp_rdata),
            .host_error_o       (cp_error),
            .bus_valid_o        (bus_valid),
            .bus_write_o        (bus_write),
            .bus_addr_o         (bus_addr),
            .bus_wdata_o        (bus_wdata),
            .bus_wstrb_o        (bus_wstrb),
            .bus_ready_i        (bus_ready),
            .bus_rdata_i        (s_axil_rdata_o),
            .bus_error_i        (bus_error),
            .bus_idle_i         (bus_idle),
            .sa_live_i          (32'(sa_live)),
            .traffic_o          (traffic),
            .event_valid_o      (cp_event),
            .event_vector_o     (cp_event_vector),
            .st_tx_meta_valid_o (st_tx_meta_valid),
            .st_tx_meta_ready_i (st_tx_meta_ready),
            .st_rx_meta_valid_o (st_rx_meta_valid),
            .st_rx_meta_ready_i (st_rx_meta_ready),
            .st_meta_sa_o       (st_meta_sa),
            .st_meta_keylen_o   (st_meta_keylen),
            .st_meta_esn_o      (st_meta_esn),
            .st_meta_seqhi_o    (st_meta_seqhi),
            .st_meta_salt_o     (st_meta_salt),
            .st_meta_espoff_o   (st_meta_espoff),
            .st_meta_plen_o     (st_meta_plen),
            .st_tx_s_valid_o    (st_tx_s_valid),
            .st_tx_s_ready_i    (st_tx_s_ready),
            .st_rx_s_valid_o    (st_rx_s_valid),
            .st_rx_s_ready_i    (st_rx_s_ready),
            .st_s_data_o        (st_s_data),
            .st_s_last_o        (st_s_last),
            .st_s_count_o       (st_s_count),
            .st_tx_r_valid_i    (st_tx_r_valid),
            .st_tx_r_status_i   (st_tx_r_status),
            .st_tx_r_len_i      (st_tx_r_len),
            .st_rx_r_valid_i    (st_rx_r_valid),
            .st_rx_r_status_i   (st_rx_r_status),
            .st_rx_r_len_i      (st_rx_r_len),
            .st_r_ready_o       (st_r_ready),
            .st_tx_m_valid_i    (st_tx_m_valid),
            .st_tx_m_data_i     (st_tx_m_data),
            .st_tx_m_last_i     (st_tx_m_last),
            .st_rx_m_valid_i    (st_rx_m_valid),
            .st_rx_m_data_i     (st_rx_m_data),
            .st_rx_m_last_i     (st_rx_m_last),
            .st_m_ready_o       (st_m_ready)
        );
    end else begin : g_no_cp
        assign axil_awaddr      = s_axil_awaddr_i;
        assign axil_awvalid     = s_axil_awvalid_i;
        assign s_axil_awready_o = axil_awready;
        assign axil_wdata       = s_axil_wdata_i;
        assign axil_wstrb       = s_axil_wstrb_i;
        assign axil_wvalid      = s_axil_wvalid_i;
        assign s_axil_wready_o  = axil_wready;
        assign s_axil_bvalid_o  = axil_bvalid;
        assign axil_bready      = s_axil_bready_i;
        assign axil_araddr      = s_axil_araddr_i;
        assign axil_arvalid     = s_axil_arvalid_i;
        assign s_axil_arready_o = axil_arready;
        assign s_axil_rvalid_o  = axil_rvalid;
        assign axil_rready      = s_axil_rready_i;

        assign cp_ready        = ext_valid;
        assign cp_rdata        = '0;
        assign cp_error        = 1'b1;
        assign cp_reading      = 1'b0;
        assign cp_event        = 1'b0;
        assign cp_event_vector = '0;
        assign traffic         = 1'b1;

        assign st_tx_meta_valid = 1'b0;
        assign st_rx_meta_valid = 1'b0;
        assign st_meta_sa       = '0;
        assign st_meta_keylen   = '0;
        assign st_meta_esn      = 1'b0;
        assign st_meta_seqhi    = '0;
        assign st_meta_salt     = '0;
        assign st_meta_espoff   = '0;
        assign st_meta_plen     = '0;
        assign st_tx_s_valid    = 1'b0;
        assign st_rx_s_valid    = 1'b0;
        assign st_s_data        = '0;
        assign st_s_last        = 1'b0;
        assign st_s_count       = '0;
        assign st_r_ready       = 1'b0;
        assign st_m_ready       = 1'b0;
        wire unused = &{1'b0, st_tx_meta_ready, st_rx_meta_ready, st_tx_s_ready, st_rx_s_ready, st_tx_r_valid, st_tx_r_status,
                        st_tx_r_len, st_rx_r_valid, st_rx_r_status, st_rx_r_len, st_tx_m_valid, st_tx_m_data, st_tx_m_last,
                        st_rx_m_valid, st_rx_m_data, st_rx_m_last, sa_live};
    end

    // ---------------------------------------------------------------------
    // Bus clients.

    logic          txd_arvalid, txd_arready, txd_rvalid, txd_rlast;
    logic [63:0]   txd_araddr;
    logic [7:0]    txd_arlen;
    logic [DW-1:0] txd_rdata;
    logic [1:0]    txd_rresp;

    logic          rxd_awvalid, rxd_awready, rxd_wvalid, rxd_wready, rxd_wlast, rxd_bvalid;
    logic [63:0]   rxd_awaddr;
    logic [7:0]    rxd_awlen;
    logic [DW-1:0] rxd_wdata;
    logic [BW-1:0] rxd_wstrb;
    logic [1:0]    rxd_bresp;

    logic          txq_arvalid, txq_arready, txq_rvalid, txq_rlast, txq_awvalid, txq_awready, txq_wvalid, txq_wready;
    logic          txq_wlast, txq_bvalid;
    logic [63:0]   txq_araddr, txq_awaddr;
    logic [7:0]    txq_arlen, txq_awlen;
    logic [DW-1:0] txq_rdata_bus, txq_wdata;
    logic [BW-1:0] txq_wstrb;
    logic [1:0]    txq_rresp, txq_bresp;

    logic          rxq_arvalid, rxq_arready, rxq_rvalid, rxq_rlast, rxq_awvalid, rxq_awready, rxq_wvalid, rxq_wready;
    logic          rxq_wlast, rxq_bvalid;
    logic [63:0]   rxq_araddr, rxq_awaddr;
    logic [7:0]    rxq_arlen, rxq_awlen;
    logic [DW-1:0] rxq_rdata_bus, rxq_wdata;
    logic [BW-1:0] rxq_wstrb;
    logic [1:0]    rxq_rresp, rxq_bresp;

    espalier_axi_mux #(
        .LANES      (LANES),
        .MAX_WRITES (64) // two directions of small frames at a write latency of 200 cycles
    ) u_axi_mux (
        .clk_i             (clk_i),
        .rst_i             (plane_rst),
        .idle_o            (mux_idle),
        .tx_data_arvalid_i (txd_arvalid),
        .tx_data_arready_o (txd_arready),
        .tx_data_araddr_i  (txd_araddr),
        .tx_data_arlen_i   (txd_arlen),
        .tx_data_rvalid_o  (txd_rvalid),
        .tx_data_rdata_o   (txd_rdata),
        .tx_data_rresp_o   (txd_rresp),
        .tx_data_rlast_o   (txd_rlast),
        .tx_ring_arvalid_i (txq_arvalid),
        .tx_ring_arready_o (txq_arready),
        .tx_ring_araddr_i  (txq_araddr),
        .tx_ring_arlen_i   (txq_arlen),
        .tx_ring_rvalid_o  (txq_rvalid),
        .tx_ring_rdata_o   (txq_rdata_bus),
        .tx_ring_rresp_o   (txq_rresp),
        .tx_ring_rlast_o   (txq_rlast),
        .rx_ring_arvalid_i (rxq_arvalid),
        .rx_ring_arready_o (rxq_arready),
        .rx_ring_araddr_i  (rxq_araddr),
        .rx_ring_arlen_i   (rxq_arlen),
        .rx_ring_rvalid_o  (rxq_rvalid),
        .rx_ring_rdata_o   (rxq_rdata_bus),
        .rx_ring_rresp_o   (rxq_rresp),
        .rx_ring_rlast_o   (rxq_rlast),
        .rx_data_awvalid_i (rxd_awvalid),
        .rx_data_awready_o (rxd_awready),
        .rx_data_awaddr_i  (rxd_awaddr),
        .rx_data_awlen_i   (rxd_awlen),
        .rx_data_wvalid_i  (rxd_wvalid),
        .rx_data_wready_o  (rxd_wready),
        .rx_data_wdata_i   (rxd_wdata),
        .rx_data_wstrb_i   (rxd_wstrb),
        .rx_data_wlast_i   (rxd_wlast),
        .rx_data_bvalid_o  (rxd_bvalid),
        .rx_data_bresp_o   (rxd_bresp),
        .tx_ring_awvalid_i (txq_awvalid),
        .tx_ring_awready_o (txq_awready),
        .tx_ring_awaddr_i  (txq_awaddr),
        .tx_ring_awlen_i   (txq_awlen),
        .tx_ring_wvalid_i  (txq_wvalid),
        .tx_ring_wready_o  (txq_wready),
        .tx_ring_wdata_i   (txq_wdata),
        .tx_ring_wstrb_i   (txq_wstrb),
        .tx_ring_wlast_i   (txq_wlast),
        .tx_ring_bvalid_o  (txq_bvalid),
        .tx_ring_bresp_o   (txq_bresp),
        .rx_ring_awvalid_i (rxq_awvalid),
        .rx_ring_awready_o (rxq_awready),
        .rx_ring_awaddr_i  (rxq_awaddr),
        .rx_ring_awlen_i   (rxq_awlen),
        .rx_ring_wvalid_i  (rxq_wvalid),
        .rx_ring_wready_o  (rxq_wready),
        .rx_ring_wdata_i   (rxq_wdata),
        .rx_ring_wstrb_i   (rxq_wstrb),
        .rx_ring_wlast_i   (rxq_wlast),
        .rx_ring_bvalid_o  (rxq_bvalid),
        .rx_ring_bresp_o   (rxq_bresp),
        .m_axi_arvalid_o, .m_axi_arready_i, .m_axi_arid_o, .m_axi_araddr_o, .m_axi_arlen_o, .m_axi_arsize_o, .m_axi_arburst_o,
        .m_axi_rvalid_i, .m_axi_rready_o, .m_axi_rid_i, .m_axi_rdata_i, .m_axi_rresp_i, .m_axi_rlast_i,
        .m_axi_awvalid_o, .m_axi_awready_i, .m_axi_awid_o, .m_axi_awaddr_o, .m_axi_awlen_o, .m_axi_awsize_o, .m_axi_awburst_o,
        .m_axi_wvalid_o, .m_axi_wready_i, .m_axi_wdata_o, .m_axi_wstrb_o, .m_axi_wlast_o,
        .m_axi_bvalid_i, .m_axi_bready_o, .m_axi_bid_i, .m_axi_bresp_i
    );

    // ---------------------------------------------------------------------
    // The two paths, and what joins them to the MAC.

    logic          eg_tvalid, eg_tready, eg_tlast, in_tvalid, in_tready, in_tlast, in_tuser;
    logic [DW-1:0] eg_tdata, in_tdata;
    logic [BW-1:0] eg_tkeep, in_tkeep;

    logic          tx_event, rx_event;
    logic [4:0]    tx_event_vector, rx_event_vector;
    logic [2:0]    tx_event_count, rx_event_count;
    logic          ev_tx_frame, ev_tx_err_handle, ev_tx_err_desc, ev_tx_err_dma;
    logic          ev_rx_frame, ev_rx_esp_ok, ev_rx_auth_failed, ev_rx_syntax, ev_rx_no_sa, ev_rx_untouched;
    logic          ev_rx_drop_no_desc, ev_rx_drop_bad, ev_rx_err_dma;
    logic [13:0]   ev_tx_bytes, ev_rx_bytes;

    espalier_tx_path #(
        .LANES      (LANES),
        .NUM_SA     (NUM_SA),
        .NUM_QUEUES (NUM_QUEUES),
        .MAX_FRAME  (MAX_FRAME),
        .PREFETCH   (PREFETCH),
        .MIN_LOG2   (MIN_LOG2),
        .MAX_LOG2   (MAX_LOG2)
    ) u_tx (
        .clk_i             (clk_i),
        .rst_i             (plane_rst),
        .enable_i          (ctrl_tx_enable),
        .ipsec_enable_i    (ctrl_ipsec_enable),
        .quiesce_i         (quiesce),
        .settled_o         (tx_settled),
        .idle_o            (tx_idle),
        .reg_valid_i       (ext_valid && at_txq),
        .reg_write_i       (ext_write),
        .reg_addr_i        (ext_addr[15:0]),
        .reg_wdata_i       (queue_wdata),
        .reg_wstrb_i       (ext_wstrb),
        .reg_ready_o       (txq_ready),
        .reg_rdata_o       (txq_rdata),
        .reg_error_o       (txq_error),
        .key_we_i          (key_we_tx),
        .key_round_i       (key_round),
        .key_index_i       (key_index),
        .key_data_i        (key_data),
        .hpow_we_i         (hpow_we_tx),
        .hpow_num_i        (hpow_num),
        .hpow_index_i      (hpow_index),
        .hpow_data_i       (hpow_data),
        .sa_req_o          (txsa_req),
        .sa_use_o          (txsa_use),
        .sa_handle_o       (txsa_handle),
        .sa_rsp_i          (txsa_rsp),
        .sa_hit_i          (txsa_hit),
        .sa_keylen_i       (txsa_keylen),
        .sa_esn_i          (txsa_esn),
        .sa_esn_hi_i       (txsa_esn_hi),
        .sa_salt_i         (txsa_salt),
        .sa_done_o         (txsa_done),
        .data_arvalid_o    (txd_arvalid),
        .data_arready_i    (txd_arready),
        .data_araddr_o     (txd_araddr),
        .data_arlen_o      (txd_arlen),
        .data_rvalid_i     (txd_rvalid),
        .data_rdata_i      (txd_rdata),
        .data_rresp_i      (txd_rresp),
        .data_rlast_i      (txd_rlast),
        .ring_arvalid_o    (txq_arvalid),
        .ring_arready_i    (txq_arready),
        .ring_araddr_o     (txq_araddr),
        .ring_arlen_o      (txq_arlen),
        .ring_rvalid_i     (txq_rvalid),
        .ring_rdata_i      (txq_rdata_bus),
        .ring_rresp_i      (txq_rresp),
        .ring_rlast_i      (txq_rlast),
        .ring_awvalid_o    (txq_awvalid),
        .ring_awready_i    (txq_awready),
        .ring_awaddr_o     (txq_awaddr),
        .ring_awlen_o      (txq_awlen),
        .ring_wvalid_o     (txq_wvalid),
        .ring_wready_i     (txq_wready),
        .ring_wdata_o      (txq_wdata),
        .ring_wstrb_o      (txq_wstrb),
        .ring_wlast_o      (txq_wlast),
        .ring_bvalid_i     (txq_bvalid),
        .ring_bresp_i      (txq_bresp),
        .m_axis_tdata_o    (eg_tdata),
        .m_axis_tkeep_o    (eg_tkeep),
        .m_axis_tvalid_o   (eg_tvalid),
        .m_axis_tready_i   (eg_tready),
        .m_axis_tlast_o    (eg_tlast),
        .selftest_i         (!traffic),
        .st_meta_valid_i    (st_tx_meta_valid),
        .st_meta_ready_o    (st_tx_meta_ready),
        .st_meta_sa_i       (st_meta_sa),
        .st_meta_keylen_i   (st_meta_keylen),
        .st_meta_esn_i      (st_meta_esn),
        .st_meta_seqhi_i    (st_meta_seqhi),
        .st_meta_salt_i     (st_meta_salt),
        .st_meta_espoff_i   (st_meta_espoff),
        .st_meta_plen_i     (st_meta_plen),
        .st_s_valid_i       (st_tx_s_valid),
        .st_s_ready_o       (st_tx_s_ready),
        .st_s_data_i        (st_s_data),
        .st_s_last_i        (st_s_last),
        .st_s_count_i       (st_s_count),
        .st_r_valid_o       (st_tx_r_valid),
        .st_r_ready_i       (st_r_ready),
        .st_r_status_o      (st_tx_r_status),
        .st_r_len_o         (st_tx_r_len),
        .st_m_valid_o       (st_tx_m_valid),
        .st_m_ready_i       (st_m_ready),
        .st_m_data_o        (st_tx_m_data),
        .st_m_last_o        (st_tx_m_last),
        .event_valid_o     (tx_event),
        .event_vector_o    (tx_event_vector),
        .event_count_o     (tx_event_count),
        .stat_frame_o      (ev_tx_frame),
        .stat_bytes_o      (ev_tx_bytes),
        .stat_esp_o        (ev_tx_esp),
        .stat_esp_slot_o   (txsa_ok_slot),
        .stat_esp_bytes_o  (txsa_ok_bytes),
        .stat_err_handle_o (ev_tx_err_handle),
        .stat_err_desc_o   (ev_tx_err_desc),
        .stat_err_dma_o    (ev_tx_err_dma)
    );

    espalier_rx_path #(
        .LANES      (LANES),
        .NUM_SA     (NUM_SA),
        .NUM_QUEUES (NUM_QUEUES),
        .MAX_FRAME  (MAX_FRAME),
        .PREFETCH   (PREFETCH),
        .MIN_LOG2   (MIN_LOG2),
        .MAX_LOG2   (MAX_LOG2)
    ) u_rx (
        .clk_i               (clk_i),
        .rst_i               (plane_rst),
        .enable_i            (ctrl_rx_enable && traffic),
        .ipsec_enable_i      (ctrl_ipsec_enable),
        .rx_default_i        (rx_default),
        .quiesce_i           (quiesce),
        .settled_o           (rx_settled),
        .idle_o              (rx_idle),
        .reg_valid_i         (ext_valid && at_rxq),
        .reg_write_i         (ext_write),
        .reg_addr_i          (ext_addr[15:0]),
        .reg_wdata_i         (queue_wdata),
        .reg_wstrb_i         (ext_wstrb),
        .reg_ready_o         (rxq_ready),
        .reg_rdata_o         (rxq_rdata),
        .reg_error_o         (rxq_error),
        .key_we_i            (key_we_rx),
        .key_round_i         (key_round),
        .key_index_i         (key_index),
        .key_data_i          (key_data),
        .hpow_we_i           (hpow_we_rx),
        .hpow_num_i          (hpow_num),
        .hpow_index_i        (hpow_index),
        .hpow_data_i         (hpow_data),
        .sa_req_valid_o      (rxsa_valid),
        .sa_req_ready_i      (rxsa_ready),
        .sa_spi_o            (rxsa_spi),
        .sa_dst_o            (rxsa_dst),
        .sa_src_o            (rxsa_src),
        .sa_ipv6_o           (rxsa_ipv6),
        .sa_rsp_i            (rxsa_rsp),
        .sa_hit_i            (rxsa_hit),
        .sa_handle_i         (rxsa_handle),
        .sa_keylen_i         (rxsa_keylen),
        .sa_esn_i            (rxsa_esn),
        .sa_esn_hi_i         (rxsa_esn_hi),
        .sa_salt_i           (rxsa_salt),
        .sa_tunnel_i         (rxsa_tunnel),
        .sa_queue_i          (rxsa_queue),
        .sa_done_o           (rxsa_done),
        .sa_ok_o             (rxsa_ok),
        .sa_auth_o           (rxsa_auth),
        .sa_syntax_o         (rxsa_syntax),
        .sa_slot_o           (rxsa_slot),
        .sa_bytes_o          (rxsa_bytes),
        .data_awvalid_o      (rxd_awvalid),
        .data_awready_i      (rxd_awready),
        .data_awaddr_o       (rxd_awaddr),
        .data_awlen_o        (rxd_awlen),
        .data_wvalid_o       (rxd_wvalid),
        .data_wready_i       (rxd_wready),
        .data_wdata_o        (rxd_wdata),
        .data_wstrb_o        (rxd_wstrb),
        .data_wlast_o        (rxd_wlast),
        .data_bvalid_i       (rxd_bvalid),
        .data_bresp_i        (rxd_bresp),
        .ring_arvalid_o      (rxq_arvalid),
        .ring_arready_i      (rxq_arready),
        .ring_araddr_o       (rxq_araddr),
        .ring_arlen_o        (rxq_arlen),
        .ring_rvalid_i       (rxq_rvalid),
        .ring_rdata_i        (rxq_rdata_bus),
        .ring_rresp_i        (rxq_rresp),
        .ring_rlast_i        (rxq_rlast),
        .ring_awvalid_o      (rxq_awvalid),
        .ring_awready_i      (rxq_awready),
        .ring_awaddr_o       (rxq_awaddr),
        .ring_awlen_o        (rxq_awlen),
        .ring_wvalid_o       (rxq_wvalid),
        .ring_wready_i       (rxq_wready),
        .ring_wdata_o        (rxq_wdata),
        .ring_wstrb_o        (rxq_wstrb),
        .ring_wlast_o        (rxq_wlast),
        .ring_bvalid_i       (rxq_bvalid),
        .ring_bresp_i        (rxq_bresp),
        .s_axis_tdata_i      (in_tdata),
        .s_axis_tkeep_i      (in_tkeep),
        .s_axis_tvalid_i     (in_tvalid),
        .s_axis_tready_o     (in_tready),
        .s_axis_tlast_i      (in_tlast),
        .s_axis_tuser_i      (in_tuser),
        .selftest_i           (!traffic),
        .st_meta_valid_i      (st_rx_meta_valid),
        .st_meta_ready_o      (st_rx_meta_ready),
        .st_meta_sa_i         (st_meta_sa),
        .st_meta_keylen_i     (st_meta_keylen),
        .st_meta_esn_i        (st_meta_esn),
        .st_meta_seqhi_i      (st_meta_seqhi),
        .st_meta_salt_i       (st_meta_salt),
        .st_meta_espoff_i     (st_meta_espoff),
        .st_meta_plen_i       (st_meta_plen),
        .st_s_valid_i         (st_rx_s_valid),
        .st_s_ready_o         (st_rx_s_ready),
        .st_s_data_i          (st_s_data),
        .st_s_last_i          (st_s_last),
        .st_s_count_i         (st_s_count),
        .st_r_valid_o         (st_rx_r_valid),
        .st_r_ready_i         (st_r_ready),
        .st_r_status_o        (st_rx_r_status),
        .st_r_len_o           (st_rx_r_len),
        .st_m_valid_o         (st_rx_m_valid),
        .st_m_ready_i         (st_m_ready),
        .st_m_data_o          (st_rx_m_data),
        .st_m_last_o          (st_rx_m_last),
        .event_valid_o       (rx_event),
        .event_vector_o      (rx_event_vector),
        .event_count_o       (rx_event_count),
        .stat_frame_o        (ev_rx_frame),
        .stat_bytes_o        (ev_rx_bytes),
        .stat_esp_ok_o       (ev_rx_esp_ok),
        .stat_auth_failed_o  (ev_rx_auth_failed),
        .stat_syntax_o       (ev_rx_syntax),
        .stat_no_sa_o        (ev_rx_no_sa),
        .stat_untouched_o    (ev_rx_untouched),
        .stat_drop_no_desc_o (ev_rx_drop_no_desc),
        .stat_drop_bad_o     (ev_rx_drop_bad),
        .stat_err_dma_o      (ev_rx_err_dma)
    );

    espalier_mac_switch #(.LANES(LANES)) u_mac_switch (
        .clk_i       (clk_i),
        .rst_i       (rst_i),
        .loopback_i  (ctrl_loopback),
        .discard_i   (discard),
        .tx_tdata_i  (eg_tdata),
        .tx_tkeep_i  (eg_tkeep),
        .tx_tvalid_i (eg_tvalid),
        .tx_tready_o (eg_tready),
        .tx_tlast_i  (eg_tlast),
        .rx_tdata_o  (in_tdata),
        .rx_tkeep_o  (in_tkeep),
        .rx_tvalid_o (in_tvalid),
        .rx_tready_i (in_tready),
        .rx_tlast_o  (in_tlast),
        .rx_tuser_o  (in_tuser),
        .m_axis_mac_tdata_o, .m_axis_mac_tkeep_o, .m_axis_mac_tvalid_o, .m_axis_mac_tready_i, .m_axis_mac_tlast_o,
        .m_axis_mac_tuser_o, .s_axis_mac_tdata_i, .s_axis_mac_tkeep_i, .s_axis_mac_tvalid_i, .s_axis_mac_tready_o,
        .s_axis_mac_tlast_i, .s_axis_mac_tuser_i
    );

    // ---------------------------------------------------------------------
    // Interrupts and statistics.

    espalier_irq #(.NUM_VECTORS(NUM_VECTORS)) u_irq (
        .clk_i             (clk_i),
        .rst_i             (plane_rst),
        .cause_o           (int_cause),
        .cause_clear_i     (int_clear[NUM_VECTORS-1:0]),
        .mask_i            (int_mask[NUM_VECTORS-1:0]),
        .arm_i             (int_arm[NUM_VECTORS-1:0]),
        .set_i             (int_set[NUM_VECTORS-1:0]),
        .mod_count_i       (int_count[NUM_VECTORS*8-1:0]),
        .mod_time_i        (int_time[NUM_VECTORS*16-1:0]),
        .tx_event_valid_i  (tx_event),
        .tx_event_vector_i (tx_event_vector),
        .tx_event_count_i  (tx_event_count),
        .rx_event_valid_i  (rx_event),
        .rx_event_vector_i (rx_event_vector),
        .rx_event_count_i  (rx_event_count),
        .cp_event_valid_i  (cp_event),
        .cp_event_vector_i (cp_event_vector),
        .irq_o             (irq_o)
    );

    espalier_stats u_stats (
        .clk_i             (clk_i),
        .rst_i             (rst_i),
        .clear_i           (plane_rst),
        .reg_valid_i       (ext_valid && !at_txq && !at_rxq && !at_cp),
        .reg_peek_i        (cp_reading),
        .reg_write_i       (ext_write),
        .reg_addr_i        (ext_addr),
        .reg_ready_o       (stats_ready),
        .reg_rdata_o       (stats_rdata),
        .reg_error_o       (stats_error),
        .tx_frame_i        (ev_tx_frame),
        .tx_bytes_i        (ev_tx_bytes),
        .tx_esp_i          (ev_tx_esp),
        .tx_err_handle_i   (ev_tx_err_handle),
        .tx_err_desc_i     (ev_tx_err_desc),
        .tx_err_dma_i      (ev_tx_err_dma),
        .rx_frame_i        (ev_rx_frame),
        .rx_bytes_i        (ev_rx_bytes),
        .rx_esp_ok_i       (ev_rx_esp_ok),
        .rx_auth_failed_i  (ev_rx_auth_failed),
        .rx_syntax_i       (ev_rx_syntax),
        .rx_no_sa_i        (ev_rx_no_sa),
        .rx_untouched_i    (ev_rx_untouched),
        .rx_drop_no_desc_i (ev_rx_drop_no_desc),
        .rx_drop_bad_i     (ev_rx_drop_bad),
        .rx_err_dma_i      (ev_rx_err_dma)
    );

endmodule

`default_nettype wire
