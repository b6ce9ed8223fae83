// SPDX-License-Identifier: Apache-2.0
//
// Register pages and life cycle of the queues of one direction. A queue runs from its start, which waits until all work of
// its previous life has ended, to the first of: ENABLE written 0, an error. What completions of a previous life still need
// (address, size, vector) is kept apart from the registers, so that the host may rewrite those at once.

`default_nettype none
`include "espalier_assert.svh"

module espalier_ring_regs #(
    parameter int NUM_QUEUES = 4, // 1 to 16
    parameter int MIN_LOG2 = 3,   // smallest RING_LOG2
    parameter int MAX_LOG2 = 15,  // largest RING_LOG2
    localparam int QW = (NUM_QUEUES > 1) ? $clog2(NUM_QUEUES) : 1 // derived: bits of a queue number
) (
    input  wire logic clk_i,
    input  wire logic rst_i,

    // register bus
    input  wire logic        reg_valid_i,
    input  wire logic        reg_write_i,
    input  wire logic [15:0] reg_addr_i,
    input  wire logic [31:0] reg_wdata_i,
    input  wire logic [3:0]  reg_wstrb_i,
    output      logic        reg_ready_o,
    output      logic [31:0] reg_rdata_o,
    output      logic        reg_error_o,

    // state of the queues
    output      logic [NUM_QUEUES-1:0]    start_o,  // pulse before run_o rises: begin at index 0
    output      logic [NUM_QUEUES-1:0]    run_o,    // fetching and popping allowed
    output      logic [NUM_QUEUES-1:0]    enable_o, // ENABLE
    output      logic [NUM_QUEUES*16-1:0] tail_o,   // TAIL
    output      logic [NUM_QUEUES*16-1:0] mask_o,   // ring size - 1, as of the last start
    output      logic [NUM_QUEUES*3-1:0]  batch_count_o, // CPL_BATCH.COUNT
    output      logic [NUM_QUEUES*16-1:0] batch_timer_o, // CPL_BATCH.TIMER
    input  wire logic [NUM_QUEUES*16-1:0] head_i,   // HEAD
    input  wire logic [NUM_QUEUES-1:0]    busy_i,   // work of this queue is under way

    // descriptor ring address of one running queue, bits 63:6
    input  wire logic [QW-1:0] ring_queue_i,
    output      logic [57:0] ring_base_o,
    // completion ring address of one queue as of its last start, bits 63:6
    input  wire logic [QW-1:0] cpl_queue_i,
    output      logic [57:0] cpl_base_o,

    // what the engines report
    input  wire logic       fetch_error_i,
    input  wire logic [QW-1:0] fetch_error_queue_i,
    input  wire logic       cpl_error_i,
    input  wire logic [QW-1:0] cpl_error_queue_i,
    input  wire logic       cpl_done_i,
    input  wire logic [QW-1:0] cpl_done_queue_i,
    input  wire logic [2:0] cpl_done_count_i,

    // events
    output      logic       event_valid_o,
    output      logic [4:0] event_vector_o,
    output      logic [2:0] event_count_o
);

    // Reset value of CPL_BATCH.TIMER (regs/espalier.rdl); all others are 0.
    localparam logic [15:0] TIMER_RESET = 16'd64;

    // Registers of the page.
    logic [NUM_QUEUES-1:0]  enable_q;
    logic [NUM_QUEUES-1:0]  error_q;
    logic [3:0]             error_code_q [0:NUM_QUEUES-1];
    logic [3:0]             log2_q       [0:NUM_QUEUES-1];
    logic [4:0]             vector_q     [0:NUM_QUEUES-1];
    logic [63:0]            ring_q       [0:NUM_QUEUES-1];
    logic [63:0]            cpl_q        [0:NUM_QUEUES-1];
    logic [15:0]            tail_q       [0:NUM_QUEUES-1];
    logic [2:0]             count_q      [0:NUM_QUEUES-1];
    logic [15:0]            timer_q      [0:NUM_QUEUES-1];

    // Copies taken at the start.
    logic [NUM_QUEUES-1:0]  run_q;
    logic [15:0]            mask_q       [0:NUM_QUEUES-1];
    logic [57:0]            cpl_base_q   [0:NUM_QUEUES-1];
    logic [4:0]             run_vector_q [0:NUM_QUEUES-1];

    // Queue errors whose event was not sent yet.
    logic [NUM_QUEUES-1:0]  notify_q;

    // ---------------------------------------------------------------------------
    // Register bus: answered in the cycle after the access. Not reset, so that an access that a reset meets is answered.

    wire             access  = reg_valid_i && !reg_ready_o;
    wire [3:0]       page    = reg_addr_i[15:12];
    wire [QW-1:0]    queue   = page[QW-1:0];
    wire [11:0]      offset  = reg_addr_i[11:0];
    wire             page_ok = {28'd0, page} < NUM_QUEUES;

    logic        known;
    logic [31:0] rdata;

    always_comb begin
        known = page_ok;
        rdata = '0;
        if (access) case (offset)
            espalier_regs_pkg::QUEUE_CTRL_ADDR: begin
                rdata[espalier_regs_pkg::QUEUE_CTRL_ENABLE_LSB]                             = enable_q[queue];
                rdata[espalier_regs_pkg::QUEUE_CTRL_RING_LOG2_LSB +: espalier_regs_pkg::QUEUE_CTRL_RING_LOG2_W] = log2_q[queue];
                rdata[espalier_regs_pkg::QUEUE_CTRL_VECTOR_LSB +: espalier_regs_pkg::QUEUE_CTRL_VECTOR_W]       = vector_q[queue];
            end
            espalier_regs_pkg::QUEUE_STATUS_ADDR: begin
                rdata[espalier_regs_pkg::QUEUE_STATUS_ACTIVE_LSB] = enable_q[queue] || busy_i[queue];
                rdata[espalier_regs_pkg::QUEUE_STATUS_ERROR_LSB]  = error_q[queue];
                rdata[espalier_regs_pkg::QUEUE_STATUS_ERROR_CODE_LSB +: espalier_regs_pkg::QUEUE_STATUS_ERROR_CODE_W]
                    = error_code_q[queue];
            end
            espalier_regs_pkg::QUEUE_RING_LO_ADDR: rdata = ring_q[queue][31:0];
            espalier_regs_pkg::QUEUE_RING_HI_ADDR: rdata = ring_q[queue][63:32];
            espalier_regs_pkg::QUEUE_CPL_LO_ADDR:  rdata = cpl_q[queue][31:0];
            espalier_regs_pkg::QUEUE_CPL_HI_ADDR:  rdata = cpl_q[queue][63:32];
            espalier_regs_pkg::QUEUE_TAIL_ADDR:    rdata[15:0] = tail_q[queue];
            espalier_regs_pkg::QUEUE_HEAD_ADDR:    rdata[15:0] = head_i[queue*16 +: 16];
            espalier_regs_pkg::QUEUE_CPL_BATCH_ADDR: begin
                rdata[espalier_regs_pkg::QUEUE_CPL_BATCH_COUNT_LSB +: espalier_regs_pkg::QUEUE_CPL_BATCH_COUNT_W]
                    = count_q[queue];
                rdata[espalier_regs_pkg::QUEUE_CPL_BATCH_TIMER_LSB +: espalier_regs_pkg::QUEUE_CPL_BATCH_TIMER_W]
                    = timer_q[queue];
            end
            default: known = 1'b0;
        endcase
    end

    always_ff @(posedge clk_i) begin
        reg_ready_o <= access;
        reg_rdata_o <= known && !reg_write_i ? rdata : '0;
        reg_error_o <= !known;
    end

    // ---------------------------------------------------------------------------
    // Writes and the life cycle

    wire        write      = access && reg_write_i && page_ok;
    wire [31:0] wmask      = {{8{reg_wstrb_i[3]}}, {8{reg_wstrb_i[2]}}, {8{reg_wstrb_i[1]}}, {8{reg_wstrb_i[0]}}};
    wire [31:0] wdata      = (rdata & ~wmask) | (reg_wdata_i & wmask); // bytes not written keep their value
    wire        enable_bit = wdata[espalier_regs_pkg::QUEUE_CTRL_ENABLE_LSB];
    wire [3:0]  new_log2   = wdata[espalier_regs_pkg::QUEUE_CTRL_RING_LOG2_LSB +: espalier_regs_pkg::QUEUE_CTRL_RING_LOG2_W];
    /* verilator lint_off CMPCONST */ // 15 is the largest value of the field anyway
    wire        config_ok  = {28'd0, new_log2} >= MIN_LOG2 && {28'd0, new_log2} <= MAX_LOG2
                             && ring_q[queue][5:0] == 6'd0 && cpl_q[queue][5:0] == 6'd0;
    /* verilator lint_on CMPCONST */
    wire [15:0] new_tail   = wdata[15:0];
    wire        tail_ok    = (new_tail >> log2_q[queue]) == 16'd0;

    // Each queue by itself: what is written, what goes wrong.
    logic [NUM_QUEUES-1:0] hit, enabling, disabling, bad_config, bad_tail, bad_fetch, bad_cpl, fails;
    always_comb begin
        for (int q = 0; q < NUM_QUEUES; q++) start_o[q] = enable_q[q] && !run_q[q] && !error_q[q] && !busy_i[q];
    end

    // In most cycles there is none of it: one condition keeps simulators out of the loops.
    wire concerned = write || fetch_error_i || cpl_error_i;
    wire changes   = concerned || start_o != '0 || rst_i;

    always_comb begin
        hit        = '0;
        enabling   = '0;
        disabling  = '0;
        bad_config = '0;
        bad_tail   = '0;
        bad_fetch  = '0;
        bad_cpl    = '0;
        fails      = '0;
        if (concerned) for (int q = 0; q < NUM_QUEUES; q++) begin
            hit[q]        = write && page == 4'(q);
            enabling[q]   = hit[q] && offset == espalier_regs_pkg::QUEUE_CTRL_ADDR && enable_bit && !enable_q[q];
            disabling[q]  = hit[q] && offset == espalier_regs_pkg::QUEUE_CTRL_ADDR && !enable_bit;
            bad_config[q] = enabling[q] && !config_ok;
            bad_tail[q]   = hit[q] && offset == espalier_regs_pkg::QUEUE_TAIL_ADDR && enable_q[q] && !tail_ok;
            bad_fetch[q]  = run_q[q] && fetch_error_i && fetch_error_queue_i == QW'(q);
            // A queue that waits for its start is not concerned by what its previous life did.
            bad_cpl[q]    = (run_q[q] || !enable_q[q]) && cpl_error_i && cpl_error_queue_i == QW'(q);
            fails[q]      = bad_config[q] || (!error_q[q] && !enabling[q] && !disabling[q]
                                              && (bad_tail[q] || bad_fetch[q] || bad_cpl[q]));
        end
    end

    always_ff @(posedge clk_i) begin
        if (changes) for (int q = 0; q < NUM_QUEUES; q++) begin
            if (start_o[q]) begin
                run_q[q]        <= 1'b1;
                mask_q[q]       <= ~(16'hFFFF << log2_q[q]);
                cpl_base_q[q]   <= cpl_q[q][63:6];
                run_vector_q[q] <= vector_q[q];
            end
            if (hit[q]) begin
                case (offset)
                    espalier_regs_pkg::QUEUE_CTRL_ADDR: begin
                        enable_q[q] <= enable_bit;
                        if (!enable_q[q]) begin
                            log2_q[q]   <= new_log2;
                            vector_q[q] <=
                                wdata[espalier_regs_pkg::QUEUE_CTRL_VECTOR_LSB +: espalier_regs_pkg::QUEUE_CTRL_VECTOR_W];
                        end
                    end
                    espalier_regs_pkg::QUEUE_RING_LO_ADDR: if (!enable_q[q]) ring_q[q][31:0]  <= wdata;
                    espalier_regs_pkg::QUEUE_RING_HI_ADDR: if (!enable_q[q]) ring_q[q][63:32] <= wdata;
                    espalier_regs_pkg::QUEUE_CPL_LO_ADDR:  if (!enable_q[q]) cpl_q[q][31:0]   <= wdata;
                    espalier_regs_pkg::QUEUE_CPL_HI_ADDR:  if (!enable_q[q]) cpl_q[q][63:32]  <= wdata;
                    espalier_regs_pkg::QUEUE_TAIL_ADDR:    if (enable_q[q] && tail_ok) tail_q[q] <= new_tail;
                    espalier_regs_pkg::QUEUE_CPL_BATCH_ADDR: begin
                        count_q[q] <=
                            wdata[espalier_regs_pkg::QUEUE_CPL_BATCH_COUNT_LSB +: espalier_regs_pkg::QUEUE_CPL_BATCH_COUNT_W];
                        timer_q[q] <=
                            wdata[espalier_regs_pkg::QUEUE_CPL_BATCH_TIMER_LSB +: espalier_regs_pkg::QUEUE_CPL_BATCH_TIMER_W];
                    end
                    default: ;
                endcase
            end
            if (enabling[q] || disabling[q]) begin
                run_q[q]        <= 1'b0;
                error_q[q]      <= 1'b0;
                error_code_q[q] <= espalier_regs_pkg::QUEUE_ERROR_NONE;
            end
            if (enabling[q]) tail_q[q] <= '0;
            if (fails[q]) begin
                run_q[q]        <= 1'b0;
                error_q[q]      <= 1'b1;
                error_code_q[q] <= bad_config[q] ? espalier_regs_pkg::QUEUE_ERROR_BAD_CONFIG
                                 : bad_tail[q]   ? espalier_regs_pkg::QUEUE_ERROR_BAD_TAIL
                                 : bad_fetch[q]  ? espalier_regs_pkg::QUEUE_ERROR_DESC_READ
                                 :                 espalier_regs_pkg::QUEUE_ERROR_CPL_WRITE;
            end
            if (rst_i) begin
                enable_q[q]     <= 1'b0;
                run_q[q]        <= 1'b0;
                error_q[q]      <= 1'b0;
                error_code_q[q] <= espalier_regs_pkg::QUEUE_ERROR_NONE;
                log2_q[q]       <= '0;
                vector_q[q]     <= '0;
                ring_q[q]       <= '0;
                cpl_q[q]        <= '0;
                tail_q[q]       <= '0;
                count_q[q]      <= '0;
                timer_q[q]      <= TIMER_RESET;
                mask_q[q]       <= '0;
                cpl_base_q[q]   <= '0;
                run_vector_q[q] <= '0;
            end
        end
    end

    assign run_o       = run_q;
    assign enable_o    = enable_q;
    assign ring_base_o = ring_q[ring_queue_i][63:6];
    assign cpl_base_o  = cpl_base_q[cpl_queue_i];

    for (genvar g = 0; g < NUM_QUEUES; g++) begin : g_flat
        assign tail_o[g*16 +: 16]        = tail_q[g];
        assign mask_o[g*16 +: 16]        = mask_q[g];
        assign batch_count_o[g*3 +: 3]   = count_q[g];
        assign batch_timer_o[g*16 +: 16] = timer_q[g];
    end

    // ---------------------------------------------------------------------------
    // Events: completions at once, errors in the gaps between them.

    logic          notify_any;
    logic [QW-1:0] notify_queue;

    espalier_ring_pick #(.NUM(NUM_QUEUES)) notify_pick (
        .request_i(notify_q),
        .last_i   ({QW{1'b1}}),
        .any_o    (notify_any),
        .choice_o (notify_queue)
    );

    wire notify_send = notify_any && !cpl_done_i;

    always_ff @(posedge clk_i) begin
        for (int q = 0; q < NUM_QUEUES; q++) begin
            if (rst_i) notify_q[q] <= 1'b0;
            else if (fails[q]) notify_q[q] <= 1'b1;
            else if (notify_send && notify_queue == QW'(q)) notify_q[q] <= 1'b0;
        end
        event_valid_o  <= !rst_i && (cpl_done_i || notify_any);
        event_vector_o <= cpl_done_i ? run_vector_q[cpl_done_queue_i] : vector_q[notify_queue];
        event_count_o  <= cpl_done_i ? cpl_done_count_i : 3'd1;
    end

    // a queue runs only while it is enabled and has no error
    `ESPALIER_ASSERT(a_run, clk_i, rst_i, (run_q & (~enable_q | error_q)) == '0)

endmodule

`default_nettype wire
