// SPDX-License-Identifier: Apache-2.0
// Code generated from regs/espalier.rdl by make regs. DO NOT EDIT.
//
// The registers of page 0 and of the SA window behind an AXI4-Lite slave, and a register bus for those that live
// in other units (queue pages, statistics, cycle counter).
//
// An access outside every register is answered with DECERR and changes nothing; a read of a write-only
// register is zero, a write to a read-only one is ignored. One access runs at a time; reads and writes that wait
// together take turns. Byte strobes are honoured.
//
// Ports per field, <register>_<field>: _o what software wrote, _i what software reads. A field that both write
// is loaded from _i when <register>_we_i is 1. <register>_wr_o is 1 for the one cycle in which a value just
// written is first on _o. _set_o, _clear_o and the _o of event registers (int_arm, int_set) are one-cycle
// pulses of the bits that software wrote as 1. The elements of an array are one vector, element 0 lowest.

`default_nettype none
`include "espalier_assert.svh"

module espalier_regs (
    input  wire logic clk_i,
    input  wire logic rst_i,
    // While 1, every stored field holds its reset value and no event is passed on. The bus keeps answering.
    input  wire logic soft_rst_i,

    // AXI4-Lite slave.
    input  wire logic [17:0] s_axil_awaddr_i,
    input  wire logic s_axil_awvalid_i,
    output      logic s_axil_awready_o,
    input  wire logic [31:0] s_axil_wdata_i,
    input  wire logic [3:0] s_axil_wstrb_i,
    input  wire logic s_axil_wvalid_i,
    output      logic s_axil_wready_o,
    output      logic [1:0] s_axil_bresp_o,
    output      logic s_axil_bvalid_o,
    input  wire logic s_axil_bready_i,
    input  wire logic [17:0] s_axil_araddr_i,
    input  wire logic s_axil_arvalid_i,
    output      logic s_axil_arready_o,
    output      logic [31:0] s_axil_rdata_o,
    output      logic [1:0] s_axil_rresp_o,
    output      logic s_axil_rvalid_o,
    input  wire logic s_axil_rready_i,

    // Register bus to the other units. An access is held, unchanged, until the cycle in which ready is 1; rdata and
    // error count in that cycle, wdata and wstrb in writes. The address is a byte address in BAR 0, aligned to 4. An
    // error becomes DECERR.
    output      logic ext_valid_o,
    output      logic ext_write_o,
    output      logic [17:0] ext_addr_o,
    output      logic [31:0] ext_wdata_o,
    output      logic [3:0] ext_wstrb_o,
    input  wire logic ext_ready_i,
    input  wire logic [31:0] ext_rdata_i,
    input  wire logic ext_error_i,

    // Raised by the SA engine when an operation ends: no key outlives it in the window.
    input  wire logic sa_clear_i,

    // BUILD_ID: Build identification of this RTL (parameter BUILD_ID); 0 if not stamped.
    input  wire logic [31:0] build_id_value_i,

    // CAP_SIZE: How many of each.
    input  wire logic [7:0] cap_size_num_txq_i,
    input  wire logic [7:0] cap_size_num_rxq_i,
    input  wire logic [7:0] cap_size_num_vectors_i,
    input  wire logic [3:0] cap_size_lanes_i,

    // CAP_SA: SA slots.
    input  wire logic [23:0] cap_sa_capacity_i,

    // CAP_ALG: Algorithms, as the IPsecOV2 capability masks.
    input  wire logic [8:0] cap_alg_encryption_i,
    input  wire logic [5:0] cap_alg_authentication_i,
    input  wire logic [2:0] cap_alg_icv_i,

    // CAP_FEATURE: Features, as the IPsecOV2 capability record's booleans.
    input  wire logic cap_feature_ipv4_i,
    input  wire logic cap_feature_ipv6_i,
    input  wire logic cap_feature_ipv4_options_i,
    input  wire logic cap_feature_ipv6_ext_headers_i,
    input  wire logic cap_feature_ah_i,
    input  wire logic cap_feature_esp_i,
    input  wire logic cap_feature_ah_esp_i,
    input  wire logic cap_feature_transport_i,
    input  wire logic cap_feature_tunnel_i,
    input  wire logic cap_feature_transport_tunnel_i,
    input  wire logic cap_feature_lso_i,
    input  wire logic cap_feature_esn_i,
    input  wire logic [3:0] cap_feature_udp_esp_i,
    input  wire logic [4:0] cap_feature_encapsulation_i,
    input  wire logic cap_feature_loopback_i,
    input  wire logic cap_feature_control_processor_i,

    // CAP_RING: Ring limits.
    input  wire logic [3:0] cap_ring_min_log2_i,
    input  wire logic [3:0] cap_ring_max_log2_i,
    input  wire logic [7:0] cap_ring_prefetch_i,

    // CAP_FRAME: Frame limits.
    input  wire logic [15:0] cap_frame_max_frame_i,

    // CAP_CLOCK: Clock for which the design is meant; what a cycle counts.
    input  wire logic [15:0] cap_clock_mhz_i,

    // CTRL: Global control.
    input  wire logic ctrl_reset_i,
    output      logic ctrl_reset_set_o,
    output      logic ctrl_tx_enable_o,
    output      logic ctrl_rx_enable_o,
    output      logic ctrl_ipsec_enable_o,
    output      logic ctrl_loopback_o,

    // STATUS: Global status.
    input  wire logic status_ready_i,
    input  wire logic status_reset_busy_i,
    input  wire logic status_zeroised_i,
    input  wire logic status_tx_idle_i,
    input  wire logic status_rx_idle_i,

    // RX_DEFAULT: Queue for received frames that match no SA.
    output      logic [3:0] rx_default_queue_o,

    // INT_CAUSE: Interrupt causes, one bit per vector; write 1 to clear.
    input  wire logic [31:0] int_cause_vector_i,
    output      logic [31:0] int_cause_vector_clear_o,

    // INT_MASK: Interrupt masks, one bit per vector; 1: the cause is recorded, no interrupt is sent.
    output      logic [31:0] int_mask_vector_o,

    // INT_ARM: Re-arm: a vector that has sent an interrupt sends no other until its bit is written 1 here.
    output      logic [31:0] int_arm_vector_o,

    // INT_SET: Raise vectors by hand: counts one event on each vector written 1.
    output      logic [31:0] int_set_vector_o,

    // INT_MODERATION: Moderation per vector: an armed vector fires when either limit is reached after an event.
    output      logic [255:0] int_moderation_count_o,
    output      logic [511:0] int_moderation_time_o,

    // SA_CMD: Start an operation on the window. Ignored while SA_STATUS.BUSY.
    output      logic [2:0] sa_cmd_op_o,
    output      logic sa_cmd_wr_o,

    // SA_STATUS: State of the SA window.
    input  wire logic sa_status_busy_i,
    input  wire logic [3:0] sa_status_result_i,
    input  wire logic [15:0] sa_status_cycles_i,

    // SA_HANDLE: Which SA: the host gives INDEX (and GENERATION for UPDATE and DELETE), the NIC gives GENERATION.
    output      logic [15:0] sa_handle_index_o,
    output      logic [15:0] sa_handle_generation_o,
    input  wire logic [15:0] sa_handle_generation_i,
    input  wire logic sa_handle_we_i,

    // SA_NONCE: Nonce of the key fingerprints. 0 in both words: no fingerprints are made, they read as 0. Change only while there is no SA.
    output      logic [63:0] sa_nonce_value_o,

    // SA_SPI: SPI; 0 is refused.
    output      logic [31:0] sa_spi_value_o,
    input  wire logic [31:0] sa_spi_value_i,
    input  wire logic sa_spi_we_i,

    // SA_FLAGS: What kind of SA this is.
    output      logic sa_flags_inbound_o,
    input  wire logic sa_flags_inbound_i,
    output      logic sa_flags_ipv6_o,
    input  wire logic sa_flags_ipv6_i,
    output      logic sa_flags_tunnel_o,
    input  wire logic sa_flags_tunnel_i,
    output      logic sa_flags_esn_o,
    input  wire logic sa_flags_esn_i,
    output      logic [1:0] sa_flags_keylen_o,
    input  wire logic [1:0] sa_flags_keylen_i,
    output      logic [3:0] sa_flags_rx_queue_o,
    input  wire logic [3:0] sa_flags_rx_queue_i,
    input  wire logic sa_flags_we_i,

    // SA_ESN_HI: Upper half of the 64-bit sequence number; used with ESN.
    output      logic [31:0] sa_esn_hi_value_o,
    input  wire logic [31:0] sa_esn_hi_value_i,
    input  wire logic sa_esn_hi_we_i,

    // SA_SALT: Salt of RFC 4106, first byte most significant.
    output      logic [31:0] sa_salt_value_o,

    // SA_DST: Destination address; an IPv4 address is word 0, the others 0. All zero: any destination.
    output      logic [127:0] sa_dst_value_o,
    input  wire logic [127:0] sa_dst_value_i,
    input  wire logic sa_dst_we_i,

    // SA_SRC: Source address; all zero: any source.
    output      logic [127:0] sa_src_value_o,
    input  wire logic [127:0] sa_src_value_i,
    input  wire logic sa_src_we_i,

    // SA_KEY: AES key, first byte most significant in word 0; unused words are ignored.
    output      logic [255:0] sa_key_value_o,

    // SA_COUNTERS: What READ found beside the record. Words 0, 1: frames (low, high). 2, 3: bytes of those frames, Ethernet header to last byte, no FCS. 4: inbound: frames with a wrong ICV. 5: inbound: frames with impossible lengths. 6, 7: key fingerprint, the first 8 bytes of the AES encryption under the SA's key of SA_NONCE (8 bytes) followed by 64 zero bits, first byte most significant in word 6; no GCM counter block ends in 32 zero bits. Frames and bytes count what was encrypted, or decrypted with success; they start at 0 with ADD and RESTORE.
    input  wire logic [255:0] sa_counters_value_i
);

    // Address of the access under way, in words; bits 1:0 of a byte address have no meaning here.
    logic [15:0] word;

    // Registers that live elsewhere.
    logic external;
    assign external =
        (word >= 16'h14 && word <= 16'h15) ||
        (word >= 16'h800 && word <= 16'h81F) ||
        (word >= 16'hC00 && word <= 16'hC0B) ||
        (word >= 16'hC10 && word <= 16'hC14) ||
        (word >= 16'hC20 && word <= 16'hC2C) ||
        (word >= 16'h1000 && word <= 16'h1C3F) ||
        (word[15:14] == 2'h1 && word[9:0] <= 10'h8) ||
        (word[15:14] == 2'h2 && word[9:0] <= 10'h8);

    // Element of an array that the address names, if it names one.
    logic [4:0] int_moderation_index;
    logic [0:0] sa_nonce_index;
    logic [1:0] sa_dst_index;
    logic [1:0] sa_src_index;
    logic [2:0] sa_key_index;
    logic [2:0] sa_counters_index;
    assign int_moderation_index = word[4:0];
    assign sa_nonce_index = word[0:0];
    assign sa_dst_index = word[1:0];
    assign sa_src_index = word[1:0];
    assign sa_key_index = word[2:0] - 3'd4;
    assign sa_counters_index = word[2:0];

    // -------------------------------------------------------------------------
    // Bus.

    localparam logic [1:0] RESP_OKAY = 2'b00;
    localparam logic [1:0] RESP_DECERR = 2'b11;

    // Each channel holds one transfer until its access is done.
    logic aw_full_q, w_full_q, ar_full_q;
    logic [15:0] aw_word_q, ar_word_q;
    logic [31:0] wdata_q;
    logic [3:0] wstrb_q;
    logic bvalid_q, rvalid_q;
    logic [1:0] bresp_q, rresp_q;
    logic [31:0] rdata_q;

    // The access under way. A direction may start only when its response before was taken, so a master that takes
    // no B does not stop reads, nor the other way round. Reads go first, and still a write waits for one at most:
    // after an access its direction has nothing to start in the next cycle.
    logic busy_q, busy_write_q;
    logic want_write, want_read, active, is_write, done;
    logic mapped;
    logic [31:0] rdata;
    logic [1:0] resp;
    logic write_now;
    logic [31:0] wmask;

    assign want_write = aw_full_q && w_full_q && !bvalid_q;
    assign want_read = ar_full_q && !rvalid_q;
    assign active = busy_q || want_write || want_read;
    assign is_write = busy_q ? busy_write_q : want_write && !want_read;
    assign word = is_write ? aw_word_q : ar_word_q;
    assign done = active && (!external || ext_ready_i);
    assign resp = (external ? ext_error_i : !mapped) ? RESP_DECERR : RESP_OKAY;
    assign write_now = active && is_write;
    assign wmask = {{8{wstrb_q[3]}}, {8{wstrb_q[2]}}, {8{wstrb_q[1]}}, {8{wstrb_q[0]}}};

    assign s_axil_awready_o = !aw_full_q;
    assign s_axil_wready_o = !w_full_q;
    assign s_axil_arready_o = !ar_full_q;
    assign s_axil_bvalid_o = bvalid_q;
    assign s_axil_bresp_o = bresp_q;
    assign s_axil_rvalid_o = rvalid_q;
    assign s_axil_rresp_o = rresp_q;
    assign s_axil_rdata_o = rdata_q;

    assign ext_valid_o = active && external;
    assign ext_write_o = is_write;
    assign ext_addr_o = {word, 2'b00};
    assign ext_wdata_o = wdata_q;
    assign ext_wstrb_o = wstrb_q;

    logic unused_address_bits;
    assign unused_address_bits = ^{s_axil_awaddr_i[1:0], s_axil_araddr_i[1:0]};

    always_ff @(posedge clk_i) begin
        if (s_axil_awvalid_i && !aw_full_q) begin
            aw_full_q <= 1'b1;
            aw_word_q <= s_axil_awaddr_i[17:2];
        end
        if (s_axil_wvalid_i && !w_full_q) begin
            w_full_q <= 1'b1;
            wdata_q <= s_axil_wdata_i;
            wstrb_q <= s_axil_wstrb_i;
        end
        if (s_axil_arvalid_i && !ar_full_q) begin
            ar_full_q <= 1'b1;
            ar_word_q <= s_axil_araddr_i[17:2];
        end
        if (s_axil_bready_i) bvalid_q <= 1'b0;
        if (s_axil_rready_i) rvalid_q <= 1'b0;

        busy_q <= active && !done;
        busy_write_q <= is_write;
        if (done) begin
            if (is_write) begin
                aw_full_q <= 1'b0;
                w_full_q <= 1'b0;
                bvalid_q <= 1'b1;
                bresp_q <= resp;
            end else begin
                ar_full_q <= 1'b0;
                rvalid_q <= 1'b1;
                rresp_q <= resp;
                rdata_q <= resp == RESP_DECERR ? 32'd0 : external ? ext_rdata_i : rdata;
            end
        end

        if (rst_i) begin
            aw_full_q <= 1'b0;
            w_full_q <= 1'b0;
            ar_full_q <= 1'b0;
            aw_word_q <= '0;
            ar_word_q <= '0;
            wdata_q <= 32'd0;
            wstrb_q <= 4'd0;
            bvalid_q <= 1'b0;
            bresp_q <= RESP_OKAY;
            rvalid_q <= 1'b0;
            rresp_q <= RESP_OKAY;
            rdata_q <= 32'd0;
            busy_q <= 1'b0;
            busy_write_q <= 1'b0;
        end
    end

    // -------------------------------------------------------------------------
    // Registers.

    logic ctrl_tx_enable_q;
    logic ctrl_rx_enable_q;
    logic ctrl_ipsec_enable_q;
    logic ctrl_loopback_q;
    logic [3:0] rx_default_queue_q;
    logic [31:0] scratch_value_q;
    logic [31:0] int_mask_vector_q;
    logic [255:0] int_moderation_count_q;
    logic [511:0] int_moderation_time_q;
    logic [2:0] sa_cmd_op_q;
    logic [15:0] sa_handle_index_q;
    logic [15:0] sa_handle_generation_q;
    logic [63:0] sa_nonce_value_q;
    logic [31:0] sa_spi_value_q;
    logic sa_flags_inbound_q;
    logic sa_flags_ipv6_q;
    logic sa_flags_tunnel_q;
    logic sa_flags_esn_q;
    logic [1:0] sa_flags_keylen_q;
    logic [3:0] sa_flags_rx_queue_q;
    logic [31:0] sa_esn_hi_value_q;
    logic [31:0] sa_salt_value_q;
    logic [127:0] sa_dst_value_q;
    logic [127:0] sa_src_value_q;
    logic [255:0] sa_key_value_q;
    logic ctrl_reset_event_q;
    logic [31:0] int_cause_vector_event_q;
    logic [31:0] int_arm_vector_event_q;
    logic [31:0] int_set_vector_event_q;
    logic sa_cmd_wr_q;

    assign ctrl_tx_enable_o = ctrl_tx_enable_q;
    assign ctrl_rx_enable_o = ctrl_rx_enable_q;
    assign ctrl_ipsec_enable_o = ctrl_ipsec_enable_q;
    assign ctrl_loopback_o = ctrl_loopback_q;
    assign rx_default_queue_o = rx_default_queue_q;
    assign int_mask_vector_o = int_mask_vector_q;
    assign int_moderation_count_o = int_moderation_count_q;
    assign int_moderation_time_o = int_moderation_time_q;
    assign sa_cmd_op_o = sa_cmd_op_q;
    assign sa_handle_index_o = sa_handle_index_q;
    assign sa_handle_generation_o = sa_handle_generation_q;
    assign sa_nonce_value_o = sa_nonce_value_q;
    assign sa_spi_value_o = sa_spi_value_q;
    assign sa_flags_inbound_o = sa_flags_inbound_q;
    assign sa_flags_ipv6_o = sa_flags_ipv6_q;
    assign sa_flags_tunnel_o = sa_flags_tunnel_q;
    assign sa_flags_esn_o = sa_flags_esn_q;
    assign sa_flags_keylen_o = sa_flags_keylen_q;
    assign sa_flags_rx_queue_o = sa_flags_rx_queue_q;
    assign sa_esn_hi_value_o = sa_esn_hi_value_q;
    assign sa_salt_value_o = sa_salt_value_q;
    assign sa_dst_value_o = sa_dst_value_q;
    assign sa_src_value_o = sa_src_value_q;
    assign sa_key_value_o = sa_key_value_q;
    assign ctrl_reset_set_o = ctrl_reset_event_q;
    assign int_cause_vector_clear_o = int_cause_vector_event_q;
    assign int_arm_vector_o = int_arm_vector_event_q;
    assign int_set_vector_o = int_set_vector_event_q;
    assign sa_cmd_wr_o = sa_cmd_wr_q;

    // Later statements win: what software writes, what hardware writes, clearing, reset.
    always_ff @(posedge clk_i) begin
        ctrl_reset_event_q <= 1'b0;
        int_cause_vector_event_q <= 32'h0;
        int_arm_vector_event_q <= 32'h0;
        int_set_vector_event_q <= 32'h0;
        sa_cmd_wr_q <= 1'b0;
        if (write_now) begin
            case (word)
                16'h0010: begin // CTRL
                    ctrl_reset_event_q <= wdata_q[0] & wmask[0];
                    ctrl_tx_enable_q <= (ctrl_tx_enable_q & ~wmask[1]) | (wdata_q[1] & wmask[1]);
                    ctrl_rx_enable_q <= (ctrl_rx_enable_q & ~wmask[2]) | (wdata_q[2] & wmask[2]);
                    ctrl_ipsec_enable_q <= (ctrl_ipsec_enable_q & ~wmask[3]) | (wdata_q[3] & wmask[3]);
                    ctrl_loopback_q <= (ctrl_loopback_q & ~wmask[4]) | (wdata_q[4] & wmask[4]);
                end
                16'h0012: begin // RX_DEFAULT
                    rx_default_queue_q <= (rx_default_queue_q & ~wmask[3:0]) | (wdata_q[3:0] & wmask[3:0]);
                end
                16'h0013: begin // SCRATCH
                    scratch_value_q <= (scratch_value_q & ~wmask) | (wdata_q & wmask);
                end
                16'h0020: begin // INT_CAUSE
                    int_cause_vector_event_q <= wdata_q & wmask;
                end
                16'h0021: begin // INT_MASK
                    int_mask_vector_q <= (int_mask_vector_q & ~wmask) | (wdata_q & wmask);
                end
                16'h0022: begin // INT_ARM
                    int_arm_vector_event_q <= wdata_q & wmask;
                end
                16'h0023: begin // INT_SET
                    int_set_vector_event_q <= wdata_q & wmask;
                end
                16'h0040, 16'h0041, 16'h0042, 16'h0043, 16'h0044, 16'h0045, 16'h0046, 16'h0047,
                16'h0048, 16'h0049, 16'h004A, 16'h004B, 16'h004C, 16'h004D, 16'h004E, 16'h004F,
                16'h0050, 16'h0051, 16'h0052, 16'h0053, 16'h0054, 16'h0055, 16'h0056, 16'h0057,
                16'h0058, 16'h0059, 16'h005A, 16'h005B, 16'h005C, 16'h005D, 16'h005E, 16'h005F: begin // INT_MODERATION
                    int_moderation_count_q[{int_moderation_index, 3'd0} +: 8] <=
                        (int_moderation_count_q[{int_moderation_index, 3'd0} +: 8] & ~wmask[7:0]) |
                        (wdata_q[7:0] & wmask[7:0]);
                    int_moderation_time_q[{int_moderation_index, 4'd0} +: 16] <=
                        (int_moderation_time_q[{int_moderation_index, 4'd0} +: 16] & ~wmask[31:16]) |
                        (wdata_q[31:16] & wmask[31:16]);
                end
                16'h0400: begin // SA_CMD
                    if (!sa_status_busy_i) begin
                        sa_cmd_op_q <= (sa_cmd_op_q & ~wmask[2:0]) | (wdata_q[2:0] & wmask[2:0]);
                        sa_cmd_wr_q <= |wmask[2:0];
                    end
                end
                16'h0402: begin // SA_HANDLE
                    sa_handle_index_q <= (sa_handle_index_q & ~wmask[15:0]) | (wdata_q[15:0] & wmask[15:0]);
                    sa_handle_generation_q <=
                        (sa_handle_generation_q & ~wmask[31:16]) |
                        (wdata_q[31:16] & wmask[31:16]);
                end
                16'h0404, 16'h0405: begin // SA_NONCE
                    sa_nonce_value_q[{sa_nonce_index, 5'd0} +: 32] <=
                        (sa_nonce_value_q[{sa_nonce_index, 5'd0} +: 32] & ~wmask) |
                        (wdata_q & wmask);
                end
                16'h0410: begin // SA_SPI
                    sa_spi_value_q <= (sa_spi_value_q & ~wmask) | (wdata_q & wmask);
                end
                16'h0411: begin // SA_FLAGS
                    sa_flags_inbound_q <= (sa_flags_inbound_q & ~wmask[0]) | (wdata_q[0] & wmask[0]);
                    sa_flags_ipv6_q <= (sa_flags_ipv6_q & ~wmask[1]) | (wdata_q[1] & wmask[1]);
                    sa_flags_tunnel_q <= (sa_flags_tunnel_q & ~wmask[2]) | (wdata_q[2] & wmask[2]);
                    sa_flags_esn_q <= (sa_flags_esn_q & ~wmask[3]) | (wdata_q[3] & wmask[3]);
                    sa_flags_keylen_q <= (sa_flags_keylen_q & ~wmask[5:4]) | (wdata_q[5:4] & wmask[5:4]);
                    sa_flags_rx_queue_q <=
                        (sa_flags_rx_queue_q & ~wmask[11:8]) |
                        (wdata_q[11:8] & wmask[11:8]);
                end
                16'h0412: begin // SA_ESN_HI
                    sa_esn_hi_value_q <= (sa_esn_hi_value_q & ~wmask) | (wdata_q & wmask);
                end
                16'h0413: begin // SA_SALT
                    sa_salt_value_q <= (sa_salt_value_q & ~wmask) | (wdata_q & wmask);
                end
                16'h0414, 16'h0415, 16'h0416, 16'h0417: begin // SA_DST
                    sa_dst_value_q[{sa_dst_index, 5'd0} +: 32] <=
                        (sa_dst_value_q[{sa_dst_index, 5'd0} +: 32] & ~wmask) |
                        (wdata_q & wmask);
                end
                16'h0418, 16'h0419, 16'h041A, 16'h041B: begin // SA_SRC
                    sa_src_value_q[{sa_src_index, 5'd0} +: 32] <=
                        (sa_src_value_q[{sa_src_index, 5'd0} +: 32] & ~wmask) |
                        (wdata_q & wmask);
                end
                16'h041C, 16'h041D, 16'h041E, 16'h041F, 16'h0420, 16'h0421, 16'h0422, 16'h0423: begin // SA_KEY
                    sa_key_value_q[{sa_key_index, 5'd0} +: 32] <=
                        (sa_key_value_q[{sa_key_index, 5'd0} +: 32] & ~wmask) |
                        (wdata_q & wmask);
                end
                default: ;
            endcase
        end
        if (sa_handle_we_i) begin
            sa_handle_generation_q <= sa_handle_generation_i;
        end
        if (sa_spi_we_i) begin
            sa_spi_value_q <= sa_spi_value_i;
        end
        if (sa_flags_we_i) begin
            sa_flags_inbound_q <= sa_flags_inbound_i;
            sa_flags_ipv6_q <= sa_flags_ipv6_i;
            sa_flags_tunnel_q <= sa_flags_tunnel_i;
            sa_flags_esn_q <= sa_flags_esn_i;
            sa_flags_keylen_q <= sa_flags_keylen_i;
            sa_flags_rx_queue_q <= sa_flags_rx_queue_i;
        end
        if (sa_esn_hi_we_i) begin
            sa_esn_hi_value_q <= sa_esn_hi_value_i;
        end
        if (sa_dst_we_i) begin
            sa_dst_value_q <= sa_dst_value_i;
        end
        if (sa_src_we_i) begin
            sa_src_value_q <= sa_src_value_i;
        end
        if (sa_clear_i) begin
            sa_salt_value_q <= 32'h0;
            sa_key_value_q <= 256'h0;
        end
        if (rst_i || soft_rst_i) begin
            ctrl_tx_enable_q <= 1'h0;
            ctrl_rx_enable_q <= 1'h0;
            ctrl_ipsec_enable_q <= 1'h0;
            ctrl_loopback_q <= 1'h0;
            rx_default_queue_q <= 4'h0;
            scratch_value_q <= 32'h0;
            int_mask_vector_q <= 32'hFFFFFFFF;
            int_moderation_count_q <= {32{8'h0}};
            int_moderation_time_q <= {32{16'h0}};
            sa_cmd_op_q <= 3'h0;
            sa_handle_index_q <= 16'h0;
            sa_handle_generation_q <= 16'h0;
            sa_nonce_value_q <= {2{32'h0}};
            sa_spi_value_q <= 32'h0;
            sa_flags_inbound_q <= 1'h0;
            sa_flags_ipv6_q <= 1'h0;
            sa_flags_tunnel_q <= 1'h0;
            sa_flags_esn_q <= 1'h0;
            sa_flags_keylen_q <= 2'h0;
            sa_flags_rx_queue_q <= 4'h0;
            sa_esn_hi_value_q <= 32'h0;
            sa_salt_value_q <= 32'h0;
            sa_dst_value_q <= {4{32'h0}};
            sa_src_value_q <= {4{32'h0}};
            sa_key_value_q <= {8{32'h0}};
            ctrl_reset_event_q <= 1'b0;
            int_cause_vector_event_q <= 32'h0;
            int_arm_vector_event_q <= 32'h0;
            int_set_vector_event_q <= 32'h0;
            sa_cmd_wr_q <= 1'b0;
        end
    end

    // What a read answers. Fields that software cannot read are zero.
    always_comb begin
        mapped = 1'b1;
        case (word)
            16'h0000: rdata = 32'h4C505345; // ID
            16'h0001: rdata = { // VERSION
                8'h1,
                8'h1,
                16'h0
            };
            16'h0002: rdata = build_id_value_i; // BUILD_ID
            16'h0003: rdata = { // LAYOUT
                8'h20,
                8'h10,
                8'h2,
                8'h1
            };
            16'h0004: rdata = { // CAP_SIZE
                4'h0,
                cap_size_lanes_i,
                cap_size_num_vectors_i,
                cap_size_num_rxq_i,
                cap_size_num_txq_i
            };
            16'h0005: rdata = { // CAP_SA
                8'h0,
                cap_sa_capacity_i
            };
            16'h0006: rdata = { // CAP_ALG
                5'h0,
                cap_alg_icv_i,
                2'h0,
                cap_alg_authentication_i,
                7'h0,
                cap_alg_encryption_i
            };
            16'h0007: rdata = { // CAP_FEATURE
                6'h0,
                cap_feature_control_processor_i,
                cap_feature_loopback_i,
                3'h0,
                cap_feature_encapsulation_i,
                cap_feature_udp_esp_i,
                cap_feature_esn_i,
                cap_feature_lso_i,
                cap_feature_transport_tunnel_i,
                cap_feature_tunnel_i,
                cap_feature_transport_i,
                cap_feature_ah_esp_i,
                cap_feature_esp_i,
                cap_feature_ah_i,
                cap_feature_ipv6_ext_headers_i,
                cap_feature_ipv4_options_i,
                cap_feature_ipv6_i,
                cap_feature_ipv4_i
            };
            16'h0008: rdata = { // CAP_RING
                16'h0,
                cap_ring_prefetch_i,
                cap_ring_max_log2_i,
                cap_ring_min_log2_i
            };
            16'h0009: rdata = { // CAP_FRAME
                16'h0,
                cap_frame_max_frame_i
            };
            16'h000A: rdata = { // CAP_CLOCK
                16'h0,
                cap_clock_mhz_i
            };
            16'h000B: rdata = { // LAYOUT_CP
                8'h6,
                8'h5,
                8'h4,
                8'h3
            };
            16'h0010: rdata = { // CTRL
                27'h0,
                ctrl_loopback_q,
                ctrl_ipsec_enable_q,
                ctrl_rx_enable_q,
                ctrl_tx_enable_q,
                ctrl_reset_i
            };
            16'h0011: rdata = { // STATUS
                27'h0,
                status_rx_idle_i,
                status_tx_idle_i,
                status_zeroised_i,
                status_reset_busy_i,
                status_ready_i
            };
            16'h0012: rdata = { // RX_DEFAULT
                28'h0,
                rx_default_queue_q
            };
            16'h0013: rdata = scratch_value_q; // SCRATCH
            16'h0020: rdata = int_cause_vector_i; // INT_CAUSE
            16'h0021: rdata = int_mask_vector_q; // INT_MASK
            16'h0022: rdata = 32'h0; // INT_ARM
            16'h0023: rdata = 32'h0; // INT_SET
            16'h0040, 16'h0041, 16'h0042, 16'h0043, 16'h0044, 16'h0045, 16'h0046, 16'h0047,
            16'h0048, 16'h0049, 16'h004A, 16'h004B, 16'h004C, 16'h004D, 16'h004E, 16'h004F,
            16'h0050, 16'h0051, 16'h0052, 16'h0053, 16'h0054, 16'h0055, 16'h0056, 16'h0057,
            16'h0058, 16'h0059, 16'h005A, 16'h005B, 16'h005C, 16'h005D, 16'h005E, 16'h005F: rdata = { // INT_MODERATION
                int_moderation_time_q[{int_moderation_index, 4'd0} +: 16],
                8'h0,
                int_moderation_count_q[{int_moderation_index, 3'd0} +: 8]
            };
            16'h0400: rdata = { // SA_CMD
                29'h0,
                sa_cmd_op_q
            };
            16'h0401: rdata = { // SA_STATUS
                sa_status_cycles_i,
                8'h0,
                sa_status_result_i,
                3'h0,
                sa_status_busy_i
            };
            16'h0402: rdata = { // SA_HANDLE
                sa_handle_generation_q,
                sa_handle_index_q
            };
            16'h0404, 16'h0405: rdata = sa_nonce_value_q[{sa_nonce_index, 5'd0} +: 32]; // SA_NONCE
            16'h0410: rdata = sa_spi_value_q; // SA_SPI
            16'h0411: rdata = { // SA_FLAGS
                20'h0,
                sa_flags_rx_queue_q,
                2'h0,
                sa_flags_keylen_q,
                sa_flags_esn_q,
                sa_flags_tunnel_q,
                sa_flags_ipv6_q,
                sa_flags_inbound_q
            };
            16'h0412: rdata = sa_esn_hi_value_q; // SA_ESN_HI
            16'h0413: rdata = 32'h0; // SA_SALT
            16'h0414, 16'h0415, 16'h0416, 16'h0417: rdata = sa_dst_value_q[{sa_dst_index, 5'd0} +: 32]; // SA_DST
            16'h0418, 16'h0419, 16'h041A, 16'h041B: rdata = sa_src_value_q[{sa_src_index, 5'd0} +: 32]; // SA_SRC
            16'h041C, 16'h041D, 16'h041E, 16'h041F, 16'h0420, 16'h0421, 16'h0422, 16'h0423: rdata = 32'h0; // SA_KEY
            16'h0428, 16'h0429, 16'h042A, 16'h042B, 16'h042C, 16'h042D, 16'h042E, 16'h042F: rdata = sa_counters_value_i[{sa_counters_index, 5'd0} +: 32]; // SA_COUNTERS
            default: begin
                rdata = 32'd0;
                mapped = 1'b0;
            end
        endcase
    end

    `ESPALIER_ASSERT_STABLE(b_stable, clk_i, rst_i, s_axil_bvalid_o, s_axil_bready_i, s_axil_bresp_o)
    `ESPALIER_ASSERT_STABLE(r_stable, clk_i, rst_i, s_axil_rvalid_o, s_axil_rready_i, {s_axil_rresp_o, s_axil_rdata_o})
    `ESPALIER_ASSERT_STABLE(ext_stable, clk_i, rst_i, ext_valid_o, ext_ready_i,
        {ext_write_o, ext_addr_o, ext_write_o ? {ext_wstrb_o, ext_wdata_o} : 36'd0})
    // A unit answers only what it was asked.
    `ESPALIER_ASSERT(ext_ready_asked, clk_i, rst_i, ext_valid_o || !ext_ready_i)

endmodule

`default_nettype wire
