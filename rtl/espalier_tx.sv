// SPDX-License-Identifier: Apache-2.0
//
// The send side up to the cipher: takes descriptors round-robin from the queues, checks them, has the frames read, describes
// them to espalier_crypt, and reports what became of each descriptor, in order.
//
// A descriptor passes through four places: pop, check (where the SA is looked up, several at once), the fetch, and the list
// of frames under way, from which the completions are made. A descriptor that fails its checks travels in that list as well,
// so that the completions of a queue keep their order.

`default_nettype none
`include "espalier_assert.svh"

module espalier_tx #(
    parameter int LANES = 1,         // 128-bit lanes of the data path
    parameter int NUM_SA = 1024,     // SA slots
    parameter int NUM_QUEUES = 4,    // TX queues, 1 to 16
    parameter int MAX_FRAME = 9600,  // longest frame, bytes; at most 16383
    parameter int BURST_BYTES = 512, // longest read burst
    parameter int FIFO_BEATS = 320,  // read data under way or waiting, beats
    parameter int DW = 128 * LANES,     // derived: bits of a beat
    parameter int BW = DW / 8,          // derived: bytes of a beat
    parameter int OW = $clog2(BW),      // derived: bits of a byte's number in a beat
    parameter int SAW = $clog2(NUM_SA)  // derived: bits of an SA index
) (
    input  wire                   clk_i,
    input  wire                   rst_i,

    input  wire                   ipsec_enable_i, // CTRL.IPSEC_ENABLE
    input  wire                   quiesce_i,      // 1: start nothing new. Ends with a reset
    output wire                   bus_idle_o,     // no read is under way
    output wire                   idle_o,         // no frame is between its descriptor and its result

    // TX rings
    input  wire  [NUM_QUEUES-1:0] avail_i,
    output wire                   pop_o,
    output wire  [3:0]            pop_queue_o,
    input  wire  [127:0]          pop_desc_i,
    input  wire  [15:0]           pop_index_i,
    output logic                  cpl_valid_o,
    input  wire                   cpl_ready_i,
    output logic [3:0]            cpl_queue_o,
    output logic [15:0]           cpl_index_o,
    output logic [127:0]          cpl_data_o,
    output logic                  cpl_write_o,

    // outbound SAs
    output wire                   sa_req_o,
    output wire                   sa_use_o, // with sa_req_o: a hit will be followed by sa_done_o
    output wire  [31:0]           sa_handle_o,
    input  wire                   sa_rsp_i,
    input  wire                   sa_hit_i,
    input  wire  [1:0]            sa_keylen_i,
    input  wire                   sa_esn_i,
    input  wire  [31:0]           sa_esn_hi_i,
    input  wire  [31:0]           sa_salt_i,
    output logic                  sa_done_o,

    // frame reads
    output wire  [63:0]           m_axi_araddr_o,
    output wire  [7:0]            m_axi_arlen_o,
    output wire                   m_axi_arvalid_o,
    input  wire                   m_axi_arready_i,
    input  wire  [DW-1:0]         m_axi_rdata_i,
    input  wire  [1:0]            m_axi_rresp_i,
    input  wire                   m_axi_rlast_i,
    input  wire                   m_axi_rvalid_i,

    // to espalier_crypt: descriptions, frames
    output wire                   meta_valid_o,
    input  wire                   meta_ready_i,
    output wire                   meta_crypt_o,
    output wire  [SAW-1:0]        meta_sa_o,
    output wire  [1:0]            meta_keylen_o,
    output wire                   meta_esn_o,
    output wire  [31:0]           meta_seqhi_o,
    output wire  [31:0]           meta_salt_o,
    output wire  [13:0]           meta_espoff_o,
    output wire  [13:0]           meta_plen_o,
    output wire  [OW-1:0]         meta_skip_o,
    output wire                   s_valid_o,
    input  wire                   s_ready_i,
    output wire  [DW-1:0]         s_data_o,
    output wire                   s_last_o,
    output wire  [OW:0]           s_count_o,
    output wire                   s_err_o,

    // from espalier_crypt: results; to espalier_tx_egress: one pulse per frame that will come out
    input  wire                   r_valid_i,
    output wire                   r_ready_o,
    input  wire  [2:0]            r_status_i,
    output wire                   sent_o,

    // events for the statistics
    output logic                  stat_esp_o,
    output logic [SAW-1:0]        stat_esp_slot_o,  // with stat_esp_o: SA, ...
    output logic [13:0]           stat_esp_bytes_o, // ... length of the frame
    output logic                  stat_err_handle_o,
    output logic                  stat_err_desc_o,
    output logic                  stat_err_dma_o
);

    localparam int CHECKS = 8;   // descriptors between pop and verdict
    localparam int FRAMES = 128; // descriptors between verdict and completion
    localparam int METAS = 64;   // frames between verdict and cipher
    // ESP header, IV and ICV: what LENGTH holds after ESP_OFFSET besides the payload.
    localparam int ESP_ROOM = 32;
    localparam int MIN_PAYLOAD = 4;
    localparam int MIN_FRAME = 14;
    localparam int MIN_OFFSET = 34; // Ethernet and IPv4 headers

    // Short names of the outcomes.
    localparam logic [6:0] ST_OK = espalier_regs_pkg::COMPLETION_STATUS_OK;
    localparam logic [6:0] ST_STALE_HANDLE = espalier_regs_pkg::COMPLETION_STATUS_STALE_HANDLE;
    localparam logic [6:0] ST_BAD_LENGTH = espalier_regs_pkg::COMPLETION_STATUS_BAD_LENGTH;
    localparam logic [6:0] ST_BAD_OFFSET = espalier_regs_pkg::COMPLETION_STATUS_BAD_OFFSET;
    localparam logic [6:0] ST_DMA_READ = espalier_regs_pkg::COMPLETION_STATUS_DMA_READ;
    localparam logic [6:0] ST_OFFLOAD_OFF = espalier_regs_pkg::COMPLETION_STATUS_OFFLOAD_OFF;

    `ESPALIER_CHECK_PARAM(g_check_frame, MAX_FRAME >= 64 && MAX_FRAME <= 16383,
                          "espalier_tx: MAX_FRAME must be 64 to 16383")

    // ---------------------------------------------------------------------
    // Pop: the next queue with work after the one served last.

    logic [3:0]            turn_q;   // queue served last
    logic [3:0]            checks_q; // descriptors between pop and verdict
    logic                  popped_q; // pop_desc_i is valid
    logic [3:0]            popped_queue_q;
    wire                   judged;   // a descriptor gets its verdict in this cycle

    logic [NUM_QUEUES-1:0] later; // queues after the one served last
    always_comb begin
        for (int q = 0; q < NUM_QUEUES; q++) later[q] = 4'(q) > turn_q;
    end
    wire [NUM_QUEUES-1:0] avail_later = avail_i & later;
    wire [NUM_QUEUES-1:0] choice = (avail_later != '0) ? avail_later : avail_i;

    logic [3:0] chosen; // lowest bit of choice
    always_comb begin
        chosen = '0;
        for (int q = NUM_QUEUES - 1; q >= 0; q--) if (choice[q]) chosen = 4'(q);
    end

    assign pop_o       = avail_i != '0 && checks_q != 4'(CHECKS) && !quiesce_i;
    assign pop_queue_o = chosen;

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            turn_q         <= '0;
            checks_q       <= '0;
            popped_q       <= 1'b0;
            popped_queue_q <= '0;
        end else begin
            if (pop_o) turn_q <= chosen;
            checks_q       <= checks_q + 4'(pop_o) - 4'(judged);
            popped_q       <= pop_o;
            popped_queue_q <= chosen;
        end
    end

    // ---------------------------------------------------------------------
    // First checks, those that need no SA, in the cycle in which the descriptor comes out of the ring's cache.

    wire [63:0] d_addr   = pop_desc_i[espalier_regs_pkg::TX_DESCRIPTOR_ADDR_LSB+:64];
    wire [15:0] d_length = pop_desc_i[espalier_regs_pkg::TX_DESCRIPTOR_LENGTH_LSB+:16];
    wire [10:0] d_offset = pop_desc_i[espalier_regs_pkg::TX_DESCRIPTOR_ESP_OFFSET_LSB+:11];
    wire        d_ipsec  = pop_desc_i[espalier_regs_pkg::TX_DESCRIPTOR_IPSEC_LSB];
    wire        d_report = pop_desc_i[espalier_regs_pkg::TX_DESCRIPTOR_REPORT_LSB];
    wire        d_esnlsb = pop_desc_i[espalier_regs_pkg::TX_DESCRIPTOR_ESN_LSB_LSB];
    wire [31:0] d_handle = pop_desc_i[espalier_regs_pkg::TX_DESCRIPTOR_HANDLE_LSB+:32];

    // What the descriptor says, registered.
    logic        c_valid_q;
    logic [3:0]  c_queue_q;
    logic [15:0] c_index_q;
    logic [63:0] c_addr_q;
    logic [15:0] c_length_q;
    logic [10:0] c_offset_q;
    logic        c_ipsec_q, c_report_q, c_esnlsb_q;
    logic [31:0] c_handle_q;

    always_ff @(posedge clk_i) begin
        if (rst_i) c_valid_q <= 1'b0;
        else       c_valid_q <= popped_q;
        c_queue_q  <= popped_queue_q;
        c_index_q  <= pop_index_i;
        c_addr_q   <= d_addr;
        c_length_q <= d_length;
        c_offset_q <= d_offset;
        c_ipsec_q  <= d_ipsec;
        c_report_q <= d_report;
        c_esnlsb_q <= d_esnlsb;
        c_handle_q <= d_handle;
    end

    wire        c_len_ok = c_length_q >= 16'(MIN_FRAME) && c_length_q <= 16'(MAX_FRAME);
    wire        c_off    = c_ipsec_q && !ipsec_enable_i;
    wire        c_lookup = c_valid_q && c_len_ok && c_ipsec_q && ipsec_enable_i;
    wire        c_off_ok = c_offset_q >= 11'(MIN_OFFSET);
    // P; meaningful when c_fits.
    wire [13:0] c_plen   = c_length_q[13:0] - 14'(c_offset_q) - 14'(ESP_ROOM);
    wire        c_fits   = c_length_q >= 16'(c_offset_q) + 16'(ESP_ROOM + MIN_PAYLOAD) && c_plen[1:0] == 2'd0;

    // The first thing that is wrong, the SA left aside; errors after the SA check come second.
    wire [6:0] c_early = !c_len_ok ? ST_BAD_LENGTH :
                         c_off     ? ST_OFFLOAD_OFF : ST_OK;
    wire [6:0] c_late  = !c_ipsec_q ? ST_OK :
                         !c_off_ok  ? ST_BAD_OFFSET :
                         !c_fits    ? ST_BAD_LENGTH : ST_OK;

    assign sa_req_o    = c_lookup;
    assign sa_use_o    = c_late == ST_OK;
    assign sa_handle_o = c_handle_q;

    // ---------------------------------------------------------------------
    // Waiting for the SA. Both queues hold all CHECKS descriptors, so neither can be full.

    localparam int CHECK_W = 1 + 7 + 7 + 4 + 16 + 64 + 16 + 11 + 1 + 1 + 1 + 32 + 14;

    wire        k_valid, k_lookup, k_ipsec, k_report, k_esnlsb;
    wire [6:0]  k_early, k_late;
    wire [3:0]  k_queue;
    wire [15:0] k_index, k_length;
    wire [63:0] k_addr;
    wire [10:0] k_offset;
    wire [31:0] k_handle;
    wire [13:0] k_plen;
    wire        check_ready, answer_ready;

    /* verilator lint_off PINCONNECTEMPTY */
    espalier_fifo #(
        .WIDTH(CHECK_W),
        .DEPTH(CHECKS)
    ) u_checks (
        .clk_i     (clk_i),
        .rst_i     (rst_i),
        .s_valid_i (c_valid_q),
        .s_ready_o (check_ready),
        .s_data_i  ({c_lookup, c_early, c_late, c_queue_q, c_index_q, c_addr_q, c_length_q, c_offset_q, c_ipsec_q,
                     c_report_q, c_esnlsb_q, c_handle_q, c_plen}),
        .m_valid_o (k_valid),
        .m_ready_i (judged),
        .m_data_o  ({k_lookup, k_early, k_late, k_queue, k_index, k_addr, k_length, k_offset, k_ipsec,
                     k_report, k_esnlsb, k_handle, k_plen}),
        .count_o   ()
    );

    wire        a_valid, a_hit, a_esn;
    wire [1:0]  a_keylen;
    wire [31:0] a_esn_hi, a_salt;

    espalier_fifo #(
        .WIDTH(1 + 2 + 1 + 32 + 32),
        .DEPTH(CHECKS)
    ) u_answers (
        .clk_i     (clk_i),
        .rst_i     (rst_i),
        .s_valid_i (sa_rsp_i),
        .s_ready_o (answer_ready),
        .s_data_i  ({sa_hit_i, sa_keylen_i, sa_esn_i, sa_esn_hi_i, sa_salt_i}),
        .m_valid_o (a_valid),
        .m_ready_i (judged && k_lookup),
        .m_data_o  ({a_hit, a_keylen, a_esn, a_esn_hi, a_salt}),
        .count_o   ()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    `ESPALIER_ASSERT(a_check_room, clk_i, rst_i, !c_valid_q || check_ready)
    `ESPALIER_ASSERT(a_answer_room, clk_i, rst_i, !sa_rsp_i || answer_ready)

    // ---------------------------------------------------------------------
    // Verdict: the frame joins the list of those under way and, if it may be sent, the fetch and the cipher's queue.

    wire       fetch_ready, list_ready, meta_ready;
    wire [6:0] k_status = (k_early != ST_OK) ? k_early :
                          (k_lookup && !a_hit)              ? ST_STALE_HANDLE : k_late;
    wire       k_good   = k_status == ST_OK;

    wire       k_room   = list_ready && (!k_good || (fetch_ready && meta_ready));

    assign judged = k_valid && (!k_lookup || a_valid) && k_room && !quiesce_i;

    wire launch = judged && k_good;

    // ESN: the descriptor tells on which side of an UPDATE of the upper half it belongs.
    wire [31:0] k_seqhi = !a_esn ? 32'd0 : (a_esn_hi[0] == k_esnlsb) ? a_esn_hi : a_esn_hi - 32'd1;

    /* verilator lint_off PINCONNECTEMPTY */
    espalier_fifo #(
        .WIDTH(1 + SAW + 2 + 1 + 32 + 32 + 14 + 14 + OW),
        .DEPTH(METAS)
    ) u_metas (
        .clk_i     (clk_i),
        .rst_i     (rst_i),
        .s_valid_i (launch),
        .s_ready_o (meta_ready),
        .s_data_i  ({k_ipsec, k_handle[SAW-1:0], a_keylen, a_esn, k_seqhi, a_salt, 14'(k_offset), k_plen, k_addr[OW-1:0]}),
        .m_valid_o (meta_valid_o),
        .m_ready_i (meta_ready_i),
        .m_data_o  ({meta_crypt_o, meta_sa_o, meta_keylen_o, meta_esn_o, meta_seqhi_o, meta_salt_o, meta_espoff_o,
                     meta_plen_o, meta_skip_o}),
        .count_o   ()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    espalier_tx_fetch #(
        .DW          (DW),
        .BURST_BYTES (BURST_BYTES),
        .FIFO_BEATS  (FIFO_BEATS),
        .MAX_AHEAD   (METAS)
    ) u_fetch (
        .clk_i           (clk_i),
        .rst_i           (rst_i),
        .quiesce_i       (quiesce_i),
        .idle_o          (bus_idle_o),
        .job_valid_i     (launch),
        .job_ready_o     (fetch_ready),
        .job_addr_i      (k_addr),
        .job_len_i       (k_length[13:0]),
        .m_axi_araddr_o  (m_axi_araddr_o),
        .m_axi_arlen_o   (m_axi_arlen_o),
        .m_axi_arvalid_o (m_axi_arvalid_o),
        .m_axi_arready_i (m_axi_arready_i),
        .m_axi_rdata_i   (m_axi_rdata_i),
        .m_axi_rresp_i   (m_axi_rresp_i),
        .m_axi_rlast_i   (m_axi_rlast_i),
        .m_axi_rvalid_i  (m_axi_rvalid_i),
        .m_valid_o       (s_valid_o),
        .m_ready_i       (s_ready_i),
        .m_data_o        (s_data_o),
        .m_last_o        (s_last_o),
        .m_count_o       (s_count_o),
        .m_err_o         (s_err_o)
    );

    // ---------------------------------------------------------------------
    // Frames under way, and their completions.

    wire        f_valid, f_ipsec, f_report;
    wire [6:0]  f_status;
    wire [3:0]  f_queue;
    wire [15:0] f_index, f_length;
    wire [31:0] f_handle;
    wire        f_done; // the head of the list gets its completion

    /* verilator lint_off PINCONNECTEMPTY */
    espalier_fifo #(
        .WIDTH(7 + 1 + 1 + 4 + 16 + 16 + 32),
        .DEPTH(FRAMES)
    ) u_frames (
        .clk_i     (clk_i),
        .rst_i     (rst_i),
        .s_valid_i (judged),
        .s_ready_o (list_ready),
        .s_data_i  ({k_status, k_ipsec, k_report, k_queue, k_index, k_length, k_handle}),
        .m_valid_o (f_valid),
        .m_ready_i (f_done),
        .m_data_o  ({f_status, f_ipsec, f_report, f_queue, f_index, f_length, f_handle}),
        .count_o   ()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    wire       f_good   = f_status == ST_OK; // the frame was launched: its result comes
    wire       f_failed = r_status_i == espalier_pkg::CRYPT_ERROR;
    wire [6:0] f_final  = !f_good ? f_status : f_failed ? ST_DMA_READ : ST_OK;
    wire       f_free   = (!cpl_valid_o || cpl_ready_i) && !quiesce_i;

    assign f_done    = f_valid && f_free && (!f_good || r_valid_i);
    assign r_ready_o = f_valid && f_free && f_good;
    assign sent_o    = r_valid_i && r_ready_o && !f_failed;

    logic [127:0] record; // index and phase are filled in by the ring
    always_comb begin
        record = '0;
        record[espalier_regs_pkg::COMPLETION_LENGTH_LSB+:16] = f_length;
        record[espalier_regs_pkg::COMPLETION_HANDLE_LSB+:32] = f_ipsec ? f_handle : '0;
        record[espalier_regs_pkg::COMPLETION_STATUS_LSB+:7]  = f_final;
    end

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            cpl_valid_o       <= 1'b0;
            sa_done_o         <= 1'b0;
            stat_esp_o        <= 1'b0;
            stat_err_handle_o <= 1'b0;
            stat_err_desc_o   <= 1'b0;
            stat_err_dma_o    <= 1'b0;
        end else begin
            cpl_valid_o       <= f_done || (cpl_valid_o && !cpl_ready_i);
            sa_done_o         <= f_done && f_good && f_ipsec;
            stat_esp_o        <= sent_o && f_ipsec;
            stat_err_handle_o <= f_done && f_final == ST_STALE_HANDLE;
            stat_err_desc_o   <= f_done && (f_final == ST_BAD_LENGTH ||
                                            f_final == ST_BAD_OFFSET ||
                                            f_final == ST_OFFLOAD_OFF);
            stat_err_dma_o    <= f_done && f_final == ST_DMA_READ;
        end
        if (f_done) begin
            stat_esp_slot_o  <= f_handle[SAW-1:0];
            stat_esp_bytes_o <= f_length[13:0];
            cpl_queue_o <= f_queue;
            cpl_index_o <= f_index;
            cpl_data_o  <= record;
            cpl_write_o <= f_report || f_final != ST_OK;
        end
    end

    assign idle_o = checks_q == '0 && !f_valid && !cpl_valid_o;

    `ESPALIER_ASSERT(a_status, clk_i, rst_i,
                     !(r_valid_i && r_ready_o) || f_failed ||
                     r_status_i == (f_ipsec ? espalier_pkg::CRYPT_OK : espalier_pkg::CRYPT_PASS))
    `ESPALIER_ASSERT_STABLE(a_cpl, clk_i, rst_i, cpl_valid_o, cpl_ready_i,
                            {cpl_queue_o, cpl_index_o, cpl_data_o, cpl_write_o})

endmodule

`default_nettype wire
