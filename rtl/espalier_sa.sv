// SPDX-License-Identifier: Apache-2.0
//
// Everything about SAs but their keys: records, the check of handles on send, the lookup on receive, and the operations
// of the SA window, which install keys in the two crypt units and zeroise them. docs/rtl.md has the ports,
// docs/nic-contract.md the semantics.

`default_nettype none
`include "espalier_assert.svh"

module espalier_sa #(
    parameter int LANES = 1,            // 128-bit lanes of the data path; 4 powers of H per lane are made
    parameter int NUM_SA = 1024,        // slots, a power of two, 8 to 65536
    parameter int NUM_QUEUES = 4,       // RX queues that a record may name, 1 to 16
    parameter int SAW = $clog2(NUM_SA)  // derived: bits of a slot number
) (
    input  wire            clk_i,
    input  wire            rst_i,       // hard reset: forgets generations too

    // SA window
    input  wire            cmd_valid_i, // pulse; ignored while busy_o
    input  wire  [2:0]     cmd_op_i,
    input  wire  [31:0]    cmd_handle_i,
    input  wire  [31:0]    rec_spi_i,
    input  wire  [31:0]    rec_flags_i,
    input  wire  [31:0]    rec_esn_hi_i,
    input  wire  [31:0]    rec_salt_i,
    input  wire  [127:0]   rec_dst_i,
    input  wire  [127:0]   rec_src_i,
    input  wire  [255:0]   rec_key_i,   // word 0 in the top bits
    output wire            busy_o,
    output wire  [3:0]     result_o,    // espalier_sa_result of the last operation
    output wire  [15:0]    cycles_o,    // from cmd_valid_i until busy_o fell, at most 65535
    output wire            done_o,      // pulse: clear the window's key and salt
    output wire            handle_we_o, // pulse with done_o: the slot's generation
    output wire  [15:0]    handle_gen_o,
    output wire            rec_we_o,    // pulse with done_o: the record that was read
    output wire  [31:0]    rec_spi_o,
    output wire  [31:0]    rec_flags_o,
    output wire  [31:0]    rec_esn_hi_o,
    output wire  [127:0]   rec_dst_o,
    output wire  [127:0]   rec_src_o,
    output wire  [255:0]   counters_o,  // SA_COUNTERS of the last READ that ended with OK, word 0 lowest; 0 after zeroising
    input  wire  [63:0]    nonce_i,     // SA_NONCE, word 0 lowest; taken by ADD and RESTORE
    output wire  [SAW:0]   live_o,      // SA slots in use

    // zeroising of all slots
    input  wire            zeroise_i,      // pulse
    output wire            zeroise_busy_o, // also after rst_i
    output wire            zeroised_o,     // no slot holds key material

    // key stores of the crypt units; byte 0 of a block is bits 127:120. Round 15 is all rounds, number 255 all powers
    output wire            key_we_tx_o,
    output wire            key_we_rx_o,
    output wire  [3:0]     key_round_o,
    output wire  [SAW-1:0] key_index_o,
    output wire  [127:0]   key_data_o,
    output wire            hpow_we_tx_o,
    output wire            hpow_we_rx_o,
    output wire  [7:0]     hpow_num_o,     // 0 is H^1
    output wire  [SAW-1:0] hpow_index_o,
    output wire  [127:0]   hpow_data_o,

    // outbound check, answered after 2 cycles
    input  wire            tx_req_i,       // pulse
    input  wire            tx_use_i,       // with it: a hit will be followed by a tx_done_i
    input  wire  [31:0]    tx_handle_i,
    output wire            tx_rsp_o,       // pulse
    output wire            tx_hit_o,
    output wire  [1:0]     tx_keylen_o,
    output wire            tx_esn_o,
    output wire  [31:0]    tx_esn_hi_o,
    output wire  [31:0]    tx_salt_o,
    input  wire            tx_done_i,      // pulse

    // inbound lookup, answered after 7 cycles; IPv4 addresses in the top 32 bits, rest 0
    input  wire            rx_req_valid_i,
    output wire            rx_req_ready_o,
    input  wire  [31:0]    rx_spi_i,
    input  wire  [127:0]   rx_dst_i,
    input  wire  [127:0]   rx_src_i,
    input  wire            rx_ipv6_i,
    output wire            rx_rsp_o,       // pulse, in order
    output wire            rx_hit_o,
    output wire  [31:0]    rx_handle_o,
    output logic [1:0]     rx_keylen_o,
    output logic           rx_esn_o,
    output logic [31:0]    rx_esn_hi_o,
    output logic [31:0]    rx_salt_o,
    output logic           rx_tunnel_o,
    output logic [3:0]     rx_queue_o,
    input  wire            rx_done_i,      // pulse

    // frames of SAs, pulses; none later than the frame's tx_done_i or rx_done_i
    input  wire            tx_ok_i,        // encrypted
    input  wire  [SAW-1:0] tx_ok_slot_i,
    input  wire  [13:0]    tx_ok_bytes_i,
    input  wire            rx_ok_i,        // decrypted with success,
    input  wire            rx_auth_i,      // or its ICV is wrong,
    input  wire            rx_syntax_i,    // or its lengths are impossible
    input  wire  [SAW-1:0] rx_slot_i,
    input  wire  [13:0]    rx_bytes_i
);

    `ESPALIER_CHECK_PARAM(g_check_num_sa, NUM_SA >= 8 && NUM_SA <= 65536 && NUM_SA == 2**SAW,
        "espalier_sa: NUM_SA must be a power of two from 8 to 65536")
    `ESPALIER_CHECK_PARAM(g_check_queues, NUM_QUEUES >= 1 && NUM_QUEUES <= 16, "espalier_sa: NUM_QUEUES must be 1 to 16")

    localparam int POWERS = 4 * LANES;
    localparam int BW = SAW - 1; // bits of a bucket number

    // -----------------------------------------------------------------------------------------------------------------
    // Controller.

    wire           ins_load, ins_start, ins_clear, ins_done;
    wire           wipe, cnt_valid, cnt_clear, cnt_ready, cnt_rsp;
    wire           ctl_valid, ctl_ready, ctl_rsp;
    wire [7:0]     ctl_hit, ctl_free;
    wire [BW-1:0]  ctl_bucket0, ctl_bucket1;
    wire           rd_valid, rd_inbound, rd_ipv6, rd_tunnel, rd_esn;
    wire [1:0]     rd_keylen;
    wire [3:0]     rd_queue;
    wire [31:0]    rd_esn_hi, rd_spi, rd_salt;
    wire [127:0]   rd_dst, rd_src;
    wire [15:0]    rd_gen;
    wire [SAW-1:0] wr_slot;
    wire           wr_rec_we, wr_salt_we, wr_gen_we;
    wire           wr_valid, wr_inbound, wr_ipv6, wr_tunnel, wr_esn;
    wire [1:0]     wr_keylen;
    wire [3:0]     wr_queue;
    wire [31:0]    wr_esn_hi, wr_spi, wr_salt;
    wire [127:0]   wr_dst, wr_src;
    wire [15:0]    wr_gen;
    wire [7:0]     tab_we;
    wire [BW-1:0]  tab_bucket0, tab_bucket1;
    wire           mark, tx_drained, rx_drained;

    espalier_sa_ctrl #(.NUM_SA(NUM_SA), .NUM_QUEUES(NUM_QUEUES)) u_ctrl (
        .clk_i, .rst_i,
        .cmd_valid_i, .cmd_op_i, .cmd_handle_i,
        .rec_spi_i, .rec_flags_i, .rec_esn_hi_i, .rec_salt_i, .rec_dst_i, .rec_src_i,
        .busy_o, .result_o, .cycles_o, .done_o, .handle_we_o, .handle_gen_o, .rec_we_o, .rec_flags_o,
        .zeroise_i, .zeroise_busy_o, .zeroised_o, .live_o,
        .ins_load_o(ins_load), .ins_start_o(ins_start), .ins_clear_o(ins_clear), .ins_done_i(ins_done),
        .wipe_o(wipe),
        .cnt_valid_o(cnt_valid), .cnt_clear_o(cnt_clear), .cnt_ready_i(cnt_ready), .cnt_rsp_i(cnt_rsp),
        .ctl_valid_o(ctl_valid), .ctl_ready_i(ctl_ready), .ctl_rsp_i(ctl_rsp),
        .ctl_hit_i(ctl_hit), .ctl_free_i(ctl_free), .ctl_bucket0_i(ctl_bucket0), .ctl_bucket1_i(ctl_bucket1),
        .rd_valid_i(rd_valid), .rd_inbound_i(rd_inbound), .rd_ipv6_i(rd_ipv6), .rd_tunnel_i(rd_tunnel),
        .rd_esn_i(rd_esn), .rd_keylen_i(rd_keylen), .rd_queue_i(rd_queue), .rd_esn_hi_i(rd_esn_hi),
        .rd_spi_i(rd_spi), .rd_dst_i(rd_dst), .rd_src_i(rd_src), .rd_gen_i(rd_gen),
        .wr_slot_o(wr_slot), .wr_rec_we_o(wr_rec_we), .wr_salt_we_o(wr_salt_we), .wr_gen_we_o(wr_gen_we),
        .wr_valid_o(wr_valid), .wr_inbound_o(wr_inbound), .wr_ipv6_o(wr_ipv6), .wr_tunnel_o(wr_tunnel),
        .wr_esn_o(wr_esn), .wr_keylen_o(wr_keylen), .wr_queue_o(wr_queue), .wr_esn_hi_o(wr_esn_hi),
        .wr_spi_o(wr_spi), .wr_salt_o(wr_salt), .wr_dst_o(wr_dst), .wr_src_o(wr_src), .wr_gen_o(wr_gen),
        .tab_we_o(tab_we), .tab_bucket0_o(tab_bucket0), .tab_bucket1_o(tab_bucket1),
        .mark_o(mark), .drained_i(tx_drained && rx_drained)
    );

    assign rec_spi_o    = wr_spi;
    assign rec_esn_hi_o = wr_esn_hi;
    assign rec_dst_o    = wr_dst;
    assign rec_src_o    = wr_src;

    // -----------------------------------------------------------------------------------------------------------------
    // Key stores: the install engine's writes go to the SA's direction, zeroes to both.

    localparam logic [3:0] ALL_ROUNDS = 4'd15;
    localparam logic [7:0] ALL_POWERS = 8'd255;

    wire        ins_key_we, ins_hpow_we, ins_print_we;
    wire [3:0]  ins_key_round;
    wire [7:0]  ins_hpow_num;
    wire [63:0] ins_print;

    /* verilator lint_off PINCONNECTEMPTY */
    espalier_sa_install #(.POWERS(POWERS)) u_install (
        .clk_i, .rst_i,
        .load_i(ins_load), .key_i(rec_key_i), .start_i(ins_start), .keylen_i(wr_keylen), .nonce_i({nonce_i[31:0], nonce_i[63:32]}),
        .clear_i(ins_clear),
        .busy_o(), .done_o(ins_done),
        .key_we_o(ins_key_we), .key_round_o(ins_key_round), .key_data_o,
        .hpow_we_o(ins_hpow_we), .hpow_num_o(ins_hpow_num), .hpow_data_o,
        .print_we_o(ins_print_we), .print_data_o(ins_print)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    assign key_we_tx_o  = wipe || (ins_key_we  && !wr_inbound);
    assign key_we_rx_o  = wipe || (ins_key_we  && wr_inbound);
    assign hpow_we_tx_o = wipe || (ins_hpow_we && !wr_inbound);
    assign hpow_we_rx_o = wipe || (ins_hpow_we && wr_inbound);
    assign key_round_o  = wipe ? ALL_ROUNDS : ins_key_round;
    assign hpow_num_o   = wipe ? ALL_POWERS : ins_hpow_num;
    assign key_index_o  = wr_slot;
    assign hpow_index_o = wr_slot;

    `ESPALIER_ASSERT(a_wipe_zero, clk_i, rst_i, !wipe || (key_data_o == '0 && hpow_data_o == '0))

    // -----------------------------------------------------------------------------------------------------------------
    // Counters and fingerprints.

    espalier_sa_counters #(.NUM_SA(NUM_SA)) u_counters (
        .clk_i, .rst_i, .blind_i(zeroise_busy_o),
        .tx_ok_i, .tx_slot_i(tx_ok_slot_i), .tx_bytes_i(tx_ok_bytes_i),
        .rx_ok_i, .rx_auth_i, .rx_syntax_i, .rx_slot_i, .rx_bytes_i,
        .ctl_valid_i(cnt_valid), .ctl_ready_o(cnt_ready), .ctl_clear_i(cnt_clear), .ctl_slot_i(wr_slot), .ctl_rsp_o(cnt_rsp),
        .counters_o, .print_we_i(ins_print_we), .print_data_i(ins_print)
    );

    // -----------------------------------------------------------------------------------------------------------------
    // Records and lookup.

    wire           rec_re, rec_rx;
    wire [SAW-1:0] rec_slot, rx_slot;

    espalier_sa_records #(.NUM_SA(NUM_SA)) u_records (
        .clk_i, .rst_i, .blind_i(zeroise_busy_o),
        .wr_slot_i(wr_slot), .wr_rec_we_i(wr_rec_we), .wr_valid_i(wr_valid), .wr_inbound_i(wr_inbound),
        .wr_ipv6_i(wr_ipv6), .wr_tunnel_i(wr_tunnel), .wr_esn_i(wr_esn), .wr_keylen_i(wr_keylen), .wr_queue_i(wr_queue),
        .wr_esn_hi_i(wr_esn_hi), .wr_spi_i(wr_spi), .wr_dst_i(wr_dst), .wr_src_i(wr_src),
        .wr_salt_we_i(wr_salt_we), .wr_salt_i(wr_salt), .wr_gen_we_i(wr_gen_we), .wr_gen_i(wr_gen),
        .rd_re_i(rec_re), .rd_slot_i(rec_slot),
        .rd_valid_o(rd_valid), .rd_inbound_o(rd_inbound), .rd_ipv6_o(rd_ipv6), .rd_tunnel_o(rd_tunnel),
        .rd_esn_o(rd_esn), .rd_keylen_o(rd_keylen), .rd_queue_o(rd_queue), .rd_esn_hi_o(rd_esn_hi),
        .rd_spi_o(rd_spi), .rd_dst_o(rd_dst), .rd_src_o(rd_src), .rd_salt_o(rd_salt), .rd_gen_o(rd_gen),
        .tx_req_i, .tx_handle_i, .tx_rsp_o, .tx_hit_o, .tx_keylen_o, .tx_esn_o, .tx_esn_hi_o, .tx_salt_o
    );

    espalier_sa_lookup #(.NUM_SA(NUM_SA)) u_lookup (
        .clk_i, .rst_i, .blind_i(zeroise_busy_o),
        .rx_req_valid_i, .rx_req_ready_o, .rx_spi_i, .rx_dst_i, .rx_src_i, .rx_ipv6_i,
        .rx_rsp_o, .rx_hit_o, .rx_slot_o(rx_slot),
        .ctl_valid_i(ctl_valid), .ctl_ready_o(ctl_ready), .ctl_slot_i(wr_slot),
        .ctl_spi_i(wr_spi), .ctl_dst_i(wr_dst), .ctl_ipv6_i(wr_ipv6),
        .ctl_rsp_o(ctl_rsp), .ctl_hit_o(ctl_hit), .ctl_free_o(ctl_free),
        .ctl_bucket0_o(ctl_bucket0), .ctl_bucket1_o(ctl_bucket1),
        .rec_re_o(rec_re), .rec_slot_o(rec_slot), .rec_rx_o(rec_rx),
        .rec_valid_i(rd_valid && rd_inbound), .rec_src_i(rd_src),
        .tab_we_i(tab_we), .tab_bucket0_i(tab_bucket0), .tab_bucket1_i(tab_bucket1),
        .tab_used_i(wr_valid), .tab_slot_i(wr_slot), .tab_spi_i(wr_spi), .tab_dst_i(wr_dst), .tab_ipv6_i(wr_ipv6)
    );

    logic [15:0] rx_gen_q;

    always_ff @(posedge clk_i) begin
        if (rec_rx) begin
            rx_gen_q    <= rd_gen;
            rx_keylen_o <= rd_keylen;
            rx_esn_o    <= rd_esn;
            rx_esn_hi_o <= rd_esn_hi;
            rx_salt_o   <= rd_salt;
            rx_tunnel_o <= rd_tunnel;
            rx_queue_o  <= rd_queue;
        end
    end

    assign rx_handle_o = {rx_gen_q, 16'(rx_slot)};

    // -----------------------------------------------------------------------------------------------------------------
    // Frames that found an SA and may still use it.

    logic [1:0] tx_use_q; // tx_use_i, along with its request

    always_ff @(posedge clk_i) tx_use_q <= {tx_use_q[0], tx_use_i};

    espalier_sa_inflight u_inflight_tx (
        .clk_i, .rst_i, .clear_i(zeroise_busy_o), .hit_i(tx_rsp_o && tx_hit_o && tx_use_q[1]), .done_i(tx_done_i),
        .mark_i(mark), .drained_o(tx_drained)
    );
    espalier_sa_inflight u_inflight_rx (
        .clk_i, .rst_i, .clear_i(zeroise_busy_o), .hit_i(rx_rsp_o && rx_hit_o), .done_i(rx_done_i),
        .mark_i(mark), .drained_o(rx_drained)
    );

endmodule

`default_nettype wire
