// SPDX-License-Identifier: Apache-2.0
//
// The control processor as its registers show it (pages 3 to 7 of regs/espalier.rdl; docs/nic-contract.md, "The control
// processor"): loading and running, faults and the watchdog, mailbox, log, self-tests.
//
// The host comes through espalier_regs, the processor directly; one access is taken per cycle and answered in the next.
// The host goes first: it cannot come in two cycles that follow each other. What belongs to no page here the processor
// reaches through espalier_cp_bus.

`default_nettype none
`include "espalier_assert.svh"

module espalier_cp #(
    parameter int RAM_BYTES = 32768,  // memory of the processor, bytes
    parameter int WATCHDOG  = 131072, // cycles without a heartbeat that are a fault
    parameter int NUM_SA    = 1024,   // SA slots
    parameter int LANES     = 1,      // 128-bit lanes of the data path
    parameter int DW        = 128 * LANES,    // derived
    parameter int OW        = $clog2(DW / 8), // derived
    parameter int SAW       = $clog2(NUM_SA)  // derived
) (
    input  wire         clk_i,
    input  wire         rst_i,      // hard reset
    input  wire         soft_rst_i, // CTRL.RESET: everything but the memory and whether it holds an image

    // the host's accesses to pages 3 to 7; held until ready
    input  wire         host_valid_i,
    input  wire         host_write_i,
    input  wire  [17:0] host_addr_i,
    input  wire  [31:0] host_wdata_i,
    input  wire  [3:0]  host_wstrb_i,
    output wire         host_ready_o,
    output wire  [31:0] host_rdata_o,
    output wire         host_error_o,

    // the processor's accesses to all other registers, espalier_cp_bus
    output wire         bus_valid_o,
    output wire         bus_write_o,
    output wire  [17:0] bus_addr_o,
    output wire  [31:0] bus_wdata_o,
    output wire  [3:0]  bus_wstrb_o,
    input  wire         bus_ready_i,
    input  wire  [31:0] bus_rdata_i,
    input  wire         bus_error_i,
    input  wire         bus_idle_i,

    input  wire  [31:0] sa_live_i,      // SA slots in use
    output wire         traffic_o,      // the self-tests have passed: queues may be enabled, frames are accepted

    // an event on a vector, espalier_irq
    output logic        event_valid_o,
    output logic [4:0]  event_vector_o,

    // self-test: the crypt units' inputs and outputs, theirs while traffic_o is 0
    output wire           st_tx_meta_valid_o,
    input  wire           st_tx_meta_ready_i,
    output wire           st_rx_meta_valid_o,
    input  wire           st_rx_meta_ready_i,
    output wire [SAW-1:0] st_meta_sa_o,
    output wire [1:0]     st_meta_keylen_o,
    output wire           st_meta_esn_o,
    output wire [31:0]    st_meta_seqhi_o,
    output wire [31:0]    st_meta_salt_o,
    output wire [13:0]    st_meta_espoff_o,
    output wire [13:0]    st_meta_plen_o,
    output wire           st_tx_s_valid_o,
    input  wire           st_tx_s_ready_i,
    output wire           st_rx_s_valid_o,
    input  wire           st_rx_s_ready_i,
    output wire [DW-1:0]  st_s_data_o,
    output wire           st_s_last_o,
    output wire [OW:0]    st_s_count_o,
    input  wire           st_tx_r_valid_i,
    input  wire [2:0]     st_tx_r_status_i,
    input  wire [13:0]    st_tx_r_len_i,
    input  wire           st_rx_r_valid_i,
    input  wire [2:0]     st_rx_r_status_i,
    input  wire [13:0]    st_rx_r_len_i,
    output wire           st_r_ready_o,
    input  wire           st_tx_m_valid_i,
    input  wire [DW-1:0]  st_tx_m_data_i,
    input  wire           st_tx_m_last_i,
    input  wire           st_rx_m_valid_i,
    input  wire [DW-1:0]  st_rx_m_data_i,
    input  wire           st_rx_m_last_i,
    output wire           st_m_ready_o
);

    `ESPALIER_CHECK_PARAM(g_check_watchdog, WATCHDOG >= 1024, "espalier_cp: WATCHDOG must be at least 1024")

    localparam logic [3:0] PAGE_CP       = espalier_regs_pkg::LAYOUT_CP_CP_PAGE[3:0];
    localparam logic [3:0] PAGE_COMMAND  = espalier_regs_pkg::LAYOUT_CP_COMMAND_PAGE[3:0];
    localparam logic [3:0] PAGE_RESPONSE = espalier_regs_pkg::LAYOUT_CP_RESPONSE_PAGE[3:0];
    localparam logic [3:0] PAGE_LOG      = espalier_regs_pkg::LAYOUT_CP_LOG_PAGE[3:0];
    localparam logic [3:0] PAGE_SELFTEST = espalier_regs_pkg::CP_SELFTEST_FRAME_ADDR[15:12];
    localparam int         SLOTS_AW      = 10; // words of a page
    localparam int         FRAME_AW      = 6;  // words of the self-test frame

    wire reset = rst_i || soft_rst_i;

    // ---------------------------------------------------------------------------
    // The processor. It leaves its reset when the slots are cleared and when what an earlier run asked for has ended.

    logic        run_q;      // CP_CTRL.RUN
    logic        released_q; // it is out of reset
    logic        scrub_q;    // slots are being cleared
    wire  [3:0]  fault;
    wire  [31:0] pc, last_pc;
    wire         core_valid, core_write, core_ready, core_error;
    wire  [17:0] core_addr;
    wire  [31:0] core_wdata, core_rdata;
    wire  [3:0]  core_wstrb;
    wire         load_we;
    wire  [21:0] load_word, program_words;
    wire  [31:0] load_data;

    espalier_cp_core #(.RAM_BYTES(RAM_BYTES)) u_core (
        .clk_i       (clk_i),
        .rst_i       (!released_q),
        .clear_i     (reset),
        .load_we_i   (load_we),
        .load_word_i (load_word),
        .load_data_i (load_data),
        .program_i   (program_words),
        .reg_valid_o (core_valid),
        .reg_write_o (core_write),
        .reg_addr_o  (core_addr),
        .reg_wdata_o (core_wdata),
        .reg_wstrb_o (core_wstrb),
        .reg_ready_i (core_ready),
        .reg_rdata_i (core_rdata),
        .reg_error_i (core_error),
        .fault_o     (fault),
        .pc_o        (pc),
        .last_pc_o   (last_pc)
    );

    // ---------------------------------------------------------------------------
    // One access at a time

    wire        here = core_addr[17:16] == 2'd0 && core_addr[15:12] >= PAGE_CP && core_addr[15:12] <= PAGE_SELFTEST;
    logic       host_answer_q, core_answer_q;
    wire        selftest_busy;

    // Slots that are being cleared, and a frame that is under way, are waited for.
    wire host_waits = scrub_q && (host_addr_i[15:12] == PAGE_COMMAND || host_addr_i[15:12] == PAGE_RESPONSE);
    wire core_waits = selftest_busy && core_addr[15:12] == PAGE_SELFTEST;
    wire host_takes = host_valid_i && !host_answer_q && !host_waits;
    wire core_takes = core_valid && here && !core_answer_q && !core_waits && !host_takes;

    wire        access  = host_takes || core_takes;
    wire        write   = host_takes ? host_write_i : core_write;
    wire [3:0]  page    = host_takes ? host_addr_i[15:12] : core_addr[15:12];
    wire [11:0] offset  = host_takes ? host_addr_i[11:0] : core_addr[11:0];
    wire [31:0] in_data = host_takes ? host_wdata_i : core_wdata;
    wire [3:0]  strobes = host_takes ? host_wstrb_i : core_wstrb;
    wire [31:0] wmask   = {{8{strobes[3]}}, {8{strobes[2]}}, {8{strobes[1]}}, {8{strobes[0]}}};
    wire [31:0] wdata   = in_data & wmask;

    // In a reset writes change nothing.
    wire writes  = access && write && !reset;
    wire cp_page = page == PAGE_CP;

    assign bus_valid_o = core_valid && !here;
    assign bus_write_o = core_write;
    assign bus_addr_o  = core_addr;
    assign bus_wdata_o = core_wdata;
    assign bus_wstrb_o = core_wstrb;

    wire        error;
    wire [31:0] rdata;
    assign host_ready_o = host_answer_q;
    assign host_rdata_o = rdata;
    assign host_error_o = error;
    assign core_ready   = core_answer_q || bus_ready_i;
    assign core_rdata   = here ? rdata : bus_rdata_i;
    assign core_error   = here ? error : bus_error_i;

    // ---------------------------------------------------------------------------
    // What is written

    wire at_ctrl      = writes && cp_page && offset == espalier_regs_pkg::CP_CTRL_ADDR[11:0];
    wire at_load_addr = writes && cp_page && offset == espalier_regs_pkg::CP_LOAD_ADDR_ADDR[11:0];
    wire at_load_data = writes && cp_page && offset == espalier_regs_pkg::CP_LOAD_DATA_ADDR[11:0];
    wire at_doorbell  = writes && cp_page && offset == espalier_regs_pkg::MBOX_DOORBELL_ADDR[11:0];
    wire at_done      = writes && cp_page && offset == espalier_regs_pkg::MBOX_DONE_ADDR[11:0];
    wire at_mbox_ctrl = writes && cp_page && offset == espalier_regs_pkg::MBOX_CTRL_ADDR[11:0];

    wire firmware     = writes && cp_page && !host_takes;
    wire at_answer    = firmware && offset == espalier_regs_pkg::CP_ANSWER_ADDR[11:0];
    wire at_alive     = firmware && offset == espalier_regs_pkg::CP_ALIVE_ADDR[11:0];
    wire at_report    = firmware && offset == espalier_regs_pkg::CP_REPORT_ADDR[11:0];
    wire at_version   = firmware && offset == espalier_regs_pkg::CP_SET_VERSION_ADDR[11:0];
    wire at_build     = firmware && offset == espalier_regs_pkg::CP_SET_BUILD_ADDR[11:0];
    wire at_log_put   = firmware && offset == espalier_regs_pkg::CP_LOG_PUT_ADDR[11:0] && strobes[0];
    wire at_selftest  = firmware && offset == espalier_regs_pkg::CP_SELFTEST_ADDR[11:0];
    wire at_st_sa     = firmware && offset == espalier_regs_pkg::CP_SELFTEST_SA_ADDR[11:0];
    wire at_st_salt   = firmware && offset == espalier_regs_pkg::CP_SELFTEST_SALT_ADDR[11:0];
    wire at_st_esn_hi = firmware && offset == espalier_regs_pkg::CP_SELFTEST_ESN_HI_ADDR[11:0];
    wire takes_next   = core_takes && !write && cp_page && offset == espalier_regs_pkg::CP_NEXT_ADDR[11:0] && !reset;

    // ---------------------------------------------------------------------------
    // Loading

    wire [23:0] load_addr;
    wire [31:0] load_crc;
    wire        image_ok;

    espalier_cp_load #(.RAM_BYTES(RAM_BYTES)) u_load (
        .clk_i      (clk_i),
        .rst_i      (rst_i),
        .soft_rst_i (soft_rst_i),
        .addr_we_i  (at_load_addr && !run_q),
        .addr_i     ((load_addr & ~wmask[23:0]) | wdata[23:0]),
        .data_we_i  (at_load_data && !run_q),
        .data_i     (wdata),
        .addr_o     (load_addr),
        .crc_o      (load_crc),
        .image_ok_o (image_ok),
        .words_o    (program_words),
        .we_o       (load_we),
        .word_o     (load_word),
        .data_o     (load_data)
    );

    // ---------------------------------------------------------------------------
    // Run, faults, what the firmware reports

    logic [3:0]  fault_q;
    logic [31:0] heartbeat_q, watchdog_q, version_q, build_q, log_head_q;
    logic        ready_q, passed_q, failed_q;
    logic        fault_event_q;
    logic [4:0]  vector_q;
    logic        answered_q; // an answer was counted in the last cycle

    localparam int RUN = espalier_regs_pkg::CP_CTRL_RUN_LSB;
    wire start = at_ctrl && wmask[RUN] && wdata[RUN] && image_ok && !run_q;
    wire stop  = at_ctrl && wmask[RUN] && !wdata[RUN] && run_q;
    wire hung  = released_q && watchdog_q == 32'd0;
    wire fails = run_q && !stop && (hung || fault != espalier_regs_pkg::CP_FAULT_NONE);

    always_ff @(posedge clk_i) begin
        fault_event_q <= (fault_event_q && answered_q) || fails;
        if (released_q) watchdog_q <= watchdog_q - 32'd1;
        if (run_q && !scrub_q && bus_idle_i) released_q <= 1'b1;
        if (at_alive) begin
            heartbeat_q <= heartbeat_q + 32'd1;
            watchdog_q  <= 32'(WATCHDOG - 1);
        end
        if (at_report && strobes[0]) begin
            ready_q  <= wdata[espalier_regs_pkg::CP_REPORT_READY_LSB];
            passed_q <= passed_q || wdata[espalier_regs_pkg::CP_REPORT_SELFTEST_PASSED_LSB];
            failed_q <= wdata[espalier_regs_pkg::CP_REPORT_SELFTEST_FAILED_LSB];
        end
        if (at_version) version_q  <= (version_q & ~wmask) | wdata;
        if (at_build)   build_q    <= (build_q & ~wmask) | wdata;
        if (at_log_put) log_head_q <= log_head_q + 32'd1;
        if (at_mbox_ctrl && strobes[0])
            vector_q <= wdata[espalier_regs_pkg::MBOX_CTRL_VECTOR_LSB +: espalier_regs_pkg::MBOX_CTRL_VECTOR_W];
        if (start) begin
            run_q       <= 1'b1;
            fault_q     <= espalier_regs_pkg::CP_FAULT_NONE;
            heartbeat_q <= '0;
            watchdog_q  <= 32'(WATCHDOG - 1);
            version_q   <= '0;
            build_q     <= '0;
            ready_q     <= 1'b0;
            failed_q    <= 1'b0;
            log_head_q  <= '0;
        end
        if (stop || fails) begin
            run_q      <= 1'b0;
            released_q <= 1'b0;
            ready_q    <= 1'b0;
        end
        if (fails) fault_q <= fault != espalier_regs_pkg::CP_FAULT_NONE ? fault : espalier_regs_pkg::CP_FAULT_WATCHDOG;
        if (reset) begin
            run_q         <= 1'b0;
            released_q    <= 1'b0;
            fault_q       <= espalier_regs_pkg::CP_FAULT_NONE;
            fault_event_q <= 1'b0;
            heartbeat_q   <= '0;
            watchdog_q    <= '0;
            version_q     <= '0;
            build_q       <= '0;
            log_head_q    <= '0;
            ready_q       <= 1'b0;
            passed_q      <= 1'b0;
            failed_q      <= 1'b0;
            vector_q      <= '0;
        end
    end

    // A self-test that was begun has the crypt units until it ends.
    assign traffic_o = passed_q && !selftest_busy;

    // ---------------------------------------------------------------------------
    // Mailbox

    wire        next_valid, answered;
    wire [4:0]  next_slot;
    wire [31:0] pending, done;

    espalier_cp_mailbox u_mailbox (
        .clk_i         (clk_i),
        .rst_i         (reset || start),
        .post_i        (at_doorbell && strobes[0]),
        .post_slot_i   (wdata[4:0]),
        .take_i        (takes_next),
        .answer_i      (at_answer && strobes[0]),
        .answer_slot_i (wdata[4:0]),
        .clear_i       (at_done),
        .clear_slots_i (wdata),
        .next_valid_o  (next_valid),
        .next_slot_o   (next_slot),
        .pending_o     (pending),
        .done_o        (done),
        .answered_o    (answered)
    );

    // A fault that comes with an answer has its event in the cycle after.
    assign event_valid_o  = answered_q || fault_event_q;
    assign event_vector_o = vector_q;

    always_ff @(posedge clk_i) answered_q <= answered && !reset;

    // Slots are cleared a word per cycle: both pages at a start and in a reset, so that nothing of an earlier life is read;
    // the commands also when the processor stops, for the keys in them.
    logic                scrub_all_q, soft_rst_q;
    logic [SLOTS_AW-1:0] scrub_word_q;

    always_ff @(posedge clk_i) begin
        soft_rst_q <= soft_rst_i;
        if (scrub_q) begin
            scrub_word_q <= scrub_word_q + 1'b1;
            if (scrub_word_q == '1) scrub_q <= 1'b0;
        end
        if (start || stop || fails || (soft_rst_i && !soft_rst_q) || rst_i) begin
            scrub_q      <= 1'b1;
            scrub_word_q <= '0;
            scrub_all_q  <= start || reset || (scrub_q && scrub_all_q);
        end
        if (rst_i) soft_rst_q <= 1'b1;
    end

    wire         scrub_responses = scrub_q && scrub_all_q;
    wire  [3:0]  command_we      = writes && page == PAGE_COMMAND ? strobes : 4'h0;
    wire  [3:0]  response_we     = writes && page == PAGE_RESPONSE && !host_takes ? strobes : 4'h0;
    wire  [31:0] command_rdata, response_rdata, log_rdata, frame_rdata;

    espalier_cp_ram #(.DEPTH(2 ** SLOTS_AW)) u_commands (
        .clk_i   (clk_i),
        .we_i    (scrub_q ? 4'hF : command_we),
        .waddr_i (scrub_q ? scrub_word_q : offset[11:2]),
        .wdata_i (scrub_q ? 32'd0 : wdata),
        .re_i    (core_takes && page == PAGE_COMMAND),
        .raddr_i (offset[11:2]),
        .rdata_o (command_rdata)
    );

    espalier_cp_ram #(.DEPTH(2 ** SLOTS_AW)) u_responses (
        .clk_i   (clk_i),
        .we_i    (scrub_responses ? 4'hF : response_we),
        .waddr_i (scrub_responses ? scrub_word_q : offset[11:2]),
        .wdata_i (scrub_responses ? 32'd0 : wdata),
        .re_i    (access && page == PAGE_RESPONSE),
        .raddr_i (offset[11:2]),
        .rdata_o (response_rdata)
    );

    // ---------------------------------------------------------------------------
    // Log: what was not written since the start reads as 0.

    logic [3:0]  log_written_q; // bytes of the word being read
    wire         log_full  = log_head_q[31:12] != '0;
    wire  [12:0] log_first = {1'b0, offset[11:2], 2'b00};
    wire  [12:0] log_end   = {1'b0, log_head_q[11:0]};

    espalier_cp_ram #(.DEPTH(2 ** SLOTS_AW)) u_log (
        .clk_i   (clk_i),
        .we_i    (at_log_put ? 4'h1 << log_head_q[1:0] : 4'h0),
        .waddr_i (log_head_q[11:2]),
        .wdata_i ({4{wdata[7:0]}}),
        .re_i    (access && page == PAGE_LOG),
        .raddr_i (offset[11:2]),
        .rdata_o (log_rdata)
    );

    // ---------------------------------------------------------------------------
    // Self-test

    logic [15:0] st_sa_q;
    logic [31:0] st_salt_q, st_esn_hi_q;
    wire  [2:0]  selftest_result;
    wire  [8:0]  selftest_length;

    always_ff @(posedge clk_i) begin
        if (at_st_sa)     st_sa_q     <= (st_sa_q & ~wmask[15:0]) | wdata[15:0];
        if (at_st_salt)   st_salt_q   <= (st_salt_q & ~wmask) | wdata;
        if (at_st_esn_hi) st_esn_hi_q <= (st_esn_hi_q & ~wmask) | wdata;
        if (reset) begin
            st_sa_q     <= '0;
            st_salt_q   <= '0;
            st_esn_hi_q <= '0;
        end
    end

    espalier_selftest #(.LANES(LANES), .NUM_SA(NUM_SA)) u_selftest (
        .clk_i       (clk_i),
        .rst_i       (reset),
        .start_i     (at_selftest && !passed_q),
        .rx_i        (wdata[espalier_regs_pkg::CP_SELFTEST_RX_LSB]),
        .keylen_i    (wdata[espalier_regs_pkg::CP_SELFTEST_KEYLEN_LSB +: espalier_regs_pkg::CP_SELFTEST_KEYLEN_W]),
        .esn_i       (wdata[espalier_regs_pkg::CP_SELFTEST_ESN_LSB]),
        .length_i    (wdata[espalier_regs_pkg::CP_SELFTEST_LENGTH_LSB +: espalier_regs_pkg::CP_SELFTEST_LENGTH_W]),
        .espoff_i    (wdata[espalier_regs_pkg::CP_SELFTEST_ESP_OFFSET_LSB +: espalier_regs_pkg::CP_SELFTEST_ESP_OFFSET_W]),
        .plen_i      (wdata[espalier_regs_pkg::CP_SELFTEST_PAYLOAD_LSB +: espalier_regs_pkg::CP_SELFTEST_PAYLOAD_W]),
        .sa_i        (st_sa_q[SAW-1:0]),
        .salt_i      (st_salt_q),
        .seqhi_i     (st_esn_hi_q),
        .busy_o      (selftest_busy),
        .result_o    (selftest_result),
        .length_o    (selftest_length),
        .we_i        (writes && page == PAGE_SELFTEST && !host_takes ? strobes : 4'h0),
        .re_i        (core_takes && page == PAGE_SELFTEST),
        .addr_i      (offset[FRAME_AW+1:2]),
        .wdata_i     (wdata),
        .rdata_o     (frame_rdata),
        .tx_meta_valid_o (st_tx_meta_valid_o),
        .tx_meta_ready_i (st_tx_meta_ready_i),
        .rx_meta_valid_o (st_rx_meta_valid_o),
        .rx_meta_ready_i (st_rx_meta_ready_i),
        .meta_sa_o       (st_meta_sa_o),
        .meta_keylen_o   (st_meta_keylen_o),
        .meta_esn_o      (st_meta_esn_o),
        .meta_seqhi_o    (st_meta_seqhi_o),
        .meta_salt_o     (st_meta_salt_o),
        .meta_espoff_o   (st_meta_espoff_o),
        .meta_plen_o     (st_meta_plen_o),
        .tx_s_valid_o    (st_tx_s_valid_o),
        .tx_s_ready_i    (st_tx_s_ready_i),
        .rx_s_valid_o    (st_rx_s_valid_o),
        .rx_s_ready_i    (st_rx_s_ready_i),
        .s_data_o        (st_s_data_o),
        .s_last_o        (st_s_last_o),
        .s_count_o       (st_s_count_o),
        .tx_r_valid_i    (st_tx_r_valid_i),
        .tx_r_status_i   (st_tx_r_status_i),
        .tx_r_len_i      (st_tx_r_len_i),
        .rx_r_valid_i    (st_rx_r_valid_i),
        .rx_r_status_i   (st_rx_r_status_i),
        .rx_r_len_i      (st_rx_r_len_i),
        .r_ready_o       (st_r_ready_o),
        .tx_m_valid_i    (st_tx_m_valid_i),
        .tx_m_data_i     (st_tx_m_data_i),
        .tx_m_last_i     (st_tx_m_last_i),
        .rx_m_valid_i    (st_rx_m_valid_i),
        .rx_m_data_i     (st_rx_m_data_i),
        .rx_m_last_i     (st_rx_m_last_i),
        .m_ready_o       (st_m_ready_o)
    );

    if (SAW < 16) begin : g_unused
        wire unused_sa = &{1'b0, st_sa_q[15:SAW]};
    end

    // ---------------------------------------------------------------------------
    // What is read

    wire [31:0] run_bits      = 32'(run_q) << RUN;
    wire [31:0] report_bits   = 32'(ready_q)  << espalier_regs_pkg::CP_STATUS_READY_LSB
                              | 32'(passed_q) << espalier_regs_pkg::CP_STATUS_SELFTEST_PASSED_LSB
                              | 32'(failed_q) << espalier_regs_pkg::CP_STATUS_SELFTEST_FAILED_LSB;
    wire [31:0] status_bits   = 32'(run_q)    << espalier_regs_pkg::CP_STATUS_RUNNING_LSB
                              | 32'(image_ok) << espalier_regs_pkg::CP_STATUS_IMAGE_OK_LSB
                              | 32'(fault_q)  << espalier_regs_pkg::CP_STATUS_FAULT_LSB | report_bits;
    wire [31:0] next_bits     = !next_valid ? 32'd0 : 32'(next_slot) << espalier_regs_pkg::CP_NEXT_SLOT_LSB
                                                    | 32'd1 << espalier_regs_pkg::CP_NEXT_VALID_LSB;
    wire [31:0] mbox_size     = 32'(espalier_regs_pkg::MBOX_SIZE_SLOTS)  << espalier_regs_pkg::MBOX_SIZE_SLOTS_LSB
                              | 32'(espalier_regs_pkg::MBOX_SIZE_STRIDE) << espalier_regs_pkg::MBOX_SIZE_STRIDE_LSB;
    wire [31:0] selftest_bits = 32'(selftest_busy)   << espalier_regs_pkg::CP_SELFTEST_STATUS_BUSY_LSB
                              | 32'(selftest_result) << espalier_regs_pkg::CP_SELFTEST_STATUS_RESULT_LSB
                              | 32'(selftest_length) << espalier_regs_pkg::CP_SELFTEST_STATUS_LENGTH_LSB;

    logic        known;    // there is such a register, for who asks
    logic [31:0] value;    // of page 3
    logic [31:0] value_q;
    logic [3:0]  page_q;
    logic        error_q, blank_q;

    always_comb begin
        known = 1'b1;
        value = 32'd0;
        if (access && cp_page) case (offset)
            espalier_regs_pkg::CP_CTRL_ADDR[11:0]:       value = run_bits;
            espalier_regs_pkg::CP_STATUS_ADDR[11:0]:     value = status_bits;
            espalier_regs_pkg::CP_HEARTBEAT_ADDR[11:0]:  value = heartbeat_q;
            espalier_regs_pkg::CP_FW_VERSION_ADDR[11:0]: value = version_q;
            espalier_regs_pkg::CP_FW_BUILD_ADDR[11:0]:   value = build_q;
            espalier_regs_pkg::CP_LOAD_ADDR_ADDR[11:0]:  value = {8'd0, load_addr};
            espalier_regs_pkg::CP_LOAD_DATA_ADDR[11:0]:  value = 32'd0;
            espalier_regs_pkg::CP_LOAD_CRC_ADDR[11:0]:   value = load_crc;
            espalier_regs_pkg::CP_RAM_ADDR[11:0]:        value = 32'(RAM_BYTES);
            espalier_regs_pkg::CP_WATCHDOG_ADDR[11:0]:   value = 32'(WATCHDOG);
            espalier_regs_pkg::CP_PC_ADDR[11:0]:         value = fault_q == espalier_regs_pkg::CP_FAULT_NONE ? pc : last_pc;
            espalier_regs_pkg::CP_LOG_HEAD_ADDR[11:0]:   value = log_head_q;
            espalier_regs_pkg::MBOX_DOORBELL_ADDR[11:0]: value = 32'd0;
            espalier_regs_pkg::MBOX_PENDING_ADDR[11:0]:  value = pending;
            espalier_regs_pkg::MBOX_DONE_ADDR[11:0]:     value = done;
            espalier_regs_pkg::MBOX_CTRL_ADDR[11:0]:     value = 32'(vector_q) << espalier_regs_pkg::MBOX_CTRL_VECTOR_LSB;
            espalier_regs_pkg::MBOX_SIZE_ADDR[11:0]:     value = mbox_size;
            default: begin
                known = !host_takes;
                case (offset)
                    espalier_regs_pkg::CP_NEXT_ADDR[11:0]:            value = next_bits;
                    espalier_regs_pkg::CP_ALIVE_ADDR[11:0]:           value = heartbeat_q;
                    espalier_regs_pkg::CP_REPORT_ADDR[11:0]:          value = report_bits;
                    espalier_regs_pkg::CP_SA_LIVE_ADDR[11:0]:         value = sa_live_i;
                    espalier_regs_pkg::CP_SELFTEST_STATUS_ADDR[11:0]: value = selftest_bits;
                    espalier_regs_pkg::CP_ANSWER_ADDR[11:0], espalier_regs_pkg::CP_SET_VERSION_ADDR[11:0],
                    espalier_regs_pkg::CP_SET_BUILD_ADDR[11:0], espalier_regs_pkg::CP_LOG_PUT_ADDR[11:0],
                    espalier_regs_pkg::CP_SELFTEST_ADDR[11:0], espalier_regs_pkg::CP_SELFTEST_SA_ADDR[11:0],
                    espalier_regs_pkg::CP_SELFTEST_SALT_ADDR[11:0], espalier_regs_pkg::CP_SELFTEST_ESN_HI_ADDR[11:0]: ;
                    default: known = 1'b0;
                endcase
            end
        endcase
        if (access && page == PAGE_SELFTEST) known = !host_takes && offset[11:FRAME_AW+2] == '0;
    end

    always_ff @(posedge clk_i) begin
        host_answer_q <= host_takes && !rst_i;
        core_answer_q <= core_takes && released_q && !reset;
        if (access) begin
            error_q <= !known;
            value_q <= value;
            page_q  <= page;
            // The host cannot read commands; what is written reads as nothing.
            blank_q <= write || (host_takes && page == PAGE_COMMAND);
            for (int i = 0; i < 4; i++) log_written_q[i] <= log_full || log_first + 13'(i) < log_end;
        end
    end

    wire [31:0] log_mask = {{8{log_written_q[3]}}, {8{log_written_q[2]}}, {8{log_written_q[1]}}, {8{log_written_q[0]}}};

    assign error = error_q;
    assign rdata = (error_q || blank_q)     ? 32'd0
                 : page_q == PAGE_COMMAND  ? command_rdata
                 : page_q == PAGE_RESPONSE ? response_rdata
                 : page_q == PAGE_LOG      ? log_rdata & log_mask
                 : page_q == PAGE_SELFTEST ? frame_rdata
                 :                           value_q;

    wire unused = &{1'b0, host_addr_i[17:16]};

    // The firmware answers slots that it took; a processor in reset asks for nothing.
    `ESPALIER_ASSERT(a_reset_quiet, clk_i, rst_i, released_q || !core_valid)
    `ESPALIER_ASSERT(a_released, clk_i, rst_i, run_q || !released_q)

endmodule

`default_nettype wire
