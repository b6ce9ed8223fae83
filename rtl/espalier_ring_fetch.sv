// SPDX-License-Identifier: Apache-2.0
//
// Descriptor prefetch: keeps up to PREFETCH descriptors of each running queue on chip. Slot i modulo PREFETCH of a queue's
// part of the cache belongs to ring index i; it is reserved before the read is issued, so read data is always accepted.
//
// When to read: with THRESHOLD or more descriptors posted, as soon as that many slots are free, so that a busy queue is read
// in bursts; with fewer posted, at once if no read of the queue is under way, so that a single descriptor does not wait.

`default_nettype none
`include "espalier_assert.svh"

module espalier_ring_fetch #(
    parameter int LANES = 1,      // 128-bit lanes: descriptors per beat
    parameter int NUM_QUEUES = 4, // 1 to 16
    parameter int PREFETCH = 32,  // descriptors cached per queue, a power of two, 8 to 128
    localparam int DW = 128 * LANES,
    localparam int QW = (NUM_QUEUES > 1) ? $clog2(NUM_QUEUES) : 1 // bits of a queue number
) (
    input  wire logic clk_i,
    input  wire logic rst_i,

    input  wire logic enable_i,
    input  wire logic quiesce_i,
    output      logic idle_o,

    // state of the queues, see espalier_ring_regs
    input  wire logic [NUM_QUEUES-1:0]    start_i,
    input  wire logic [NUM_QUEUES-1:0]    run_i,
    input  wire logic [NUM_QUEUES*16-1:0] tail_i,
    input  wire logic [NUM_QUEUES*16-1:0] mask_i,
    output      logic [QW-1:0]            ring_queue_o,
    input  wire logic [57:0]              ring_base_i,
    output      logic [NUM_QUEUES-1:0]    busy_o, // reads of this queue are under way
    output      logic                     error_o,
    output      logic [QW-1:0]            error_queue_o,

    // descriptors out, see espalier_ring
    output      logic [NUM_QUEUES-1:0] avail_o,
    output      logic [NUM_QUEUES-1:0] live_o,
    input  wire logic                  pop_i,
    input  wire logic [3:0]            pop_queue_i,
    output      logic [127:0]          pop_desc_o,
    output      logic [15:0]           pop_index_o,

    // bus
    output      logic          m_axi_arvalid_o,
    input  wire logic          m_axi_arready_i,
    output      logic [63:0]   m_axi_araddr_o,
    output      logic [7:0]    m_axi_arlen_o,
    input  wire logic          m_axi_rvalid_i,
    input  wire logic [DW-1:0] m_axi_rdata_i,
    input  wire logic [1:0]    m_axi_rresp_i,
    input  wire logic          m_axi_rlast_i
);

    localparam int SW = $clog2(PREFETCH); // bits of a slot
    localparam int CW = SW + 1;           // bits of a number of slots
    // of the number of a 16-byte record: the part that is the same in a whole beat
    localparam logic [1:0] BEAT_MASK = (LANES == 4) ? 2'b00 : (LANES == 2) ? 2'b10 : 2'b11;
    localparam int LW = $clog2(LANES);    // bits of a lane
    localparam int THRESHOLD = (PREFETCH >= 16) ? 8 : 4;
    localparam int READS = 8;             // reads under way, all queues together
    localparam int RW = $clog2(READS + 1);

    // Per queue. Slots from the popped one on: have_q filled ones, then slots that a read will fill; rsv_q counts both.
    logic [15:0]           fetch_idx_q [0:NUM_QUEUES-1]; // next index to read
    logic [15:0]           pop_idx_q   [0:NUM_QUEUES-1]; // next index to pop
    logic [CW-1:0]         rsv_q       [0:NUM_QUEUES-1];
    logic [CW-1:0]         have_q      [0:NUM_QUEUES-1];
    logic [RW-1:0]         reads_q     [0:NUM_QUEUES-1]; // reads under way

    // ---------------------------------------------------------------------------
    // Choice of the next read, four cycles each

    localparam logic [1:0] PICK = 2'd0, MEASURE = 2'd1, SIZE = 2'd2, ISSUE = 2'd3;

    logic [1:0]            state_q;
    logic [QW-1:0]         sel_q;       // the queue looked at
    logic [15:0]           posted_q;    // descriptors posted and not read
    logic [CW-1:0]         room_q;      // free slots
    logic [4:0]            to_end_q;    // descriptors up to the ring's end, at most 16
    logic                  reading_q;   // a read of the queue is under way
    logic [63:4]           addr_q;
    logic [SW-1:0]         slot_q;      // slot of the first descriptor
    logic [4:0]            num_q;       // descriptors of the read, 1 to 16

    logic [NUM_QUEUES-1:0] work;
    logic                  pick_any;
    logic [QW-1:0]         pick;

    wire [15:0] sel_mask = mask_i[sel_q*16 +: 16];

    for (genvar g = 0; g < NUM_QUEUES; g++) begin : g_queue
        assign work[g]    = run_i[g] && fetch_idx_q[g] != tail_i[g*16 +: 16];
        assign busy_o[g]  = reads_q[g] != '0;
        assign avail_o[g] = run_i[g] && enable_i && !quiesce_i && have_q[g] != '0;
        assign live_o[g]  = run_i[g] && enable_i && !quiesce_i && pop_idx_q[g] != tail_i[g*16 +: 16];
    end

    espalier_ring_pick #(.NUM(NUM_QUEUES)) fetch_pick (
        .request_i(work),
        .last_i   (sel_q),
        .any_o    (pick_any),
        .choice_o (pick)
    );

    wire [15:0]   sel_to_end = sel_mask - fetch_idx_q[sel_q];

    // 4 KiB hold 256 descriptors.
    wire [4:0]    to_4k    = (addr_q[11:8] == 4'hF) ? 5'd16 - {1'b0, addr_q[7:4]} : 5'd16;
    wire [4:0]    posted16 = (posted_q > 16'd16) ? 5'd16 : posted_q[4:0];
    wire [4:0]    room16   = (room_q > CW'(16)) ? 5'd16 : 5'(room_q);
    wire [4:0]    limit_a  = (posted16 < room16) ? posted16 : room16;
    wire [4:0]    limit_b  = (to_end_q < to_4k) ? to_end_q : to_4k;
    wire          batch    = posted_q >= 16'(THRESHOLD);
    wire          want     = batch ? room_q >= CW'(THRESHOLD) : !reading_q && 16'(room_q) >= posted_q;

    logic             reads_ready;
    wire              issue = state_q == ISSUE && run_i[sel_q] && !quiesce_i && reads_ready
                              && (!m_axi_arvalid_o || m_axi_arready_i);

    always_ff @(posedge clk_i) begin
        case (state_q)
            PICK: begin
                if (pick_any && !quiesce_i) begin
                    sel_q   <= pick;
                    state_q <= MEASURE;
                end
            end
            MEASURE: begin
                posted_q    <= (tail_i[sel_q*16 +: 16] - fetch_idx_q[sel_q]) & sel_mask;
                room_q      <= CW'(PREFETCH) - rsv_q[sel_q];
                to_end_q    <= (sel_to_end[15:4] != '0) ? 5'd16 : {1'b0, sel_to_end[3:0]} + 5'd1;
                reading_q   <= reads_q[sel_q] != '0;
                slot_q      <= fetch_idx_q[sel_q][SW-1:0];
                addr_q      <= {ring_base_i, 2'd0} + {44'd0, fetch_idx_q[sel_q]};
                state_q     <= SIZE;
            end
            SIZE: begin
                num_q   <= (limit_a < limit_b) ? limit_a : limit_b;
                state_q <= (want && run_i[sel_q]) ? ISSUE : PICK;
            end
            default: begin
                // A queue that stops meanwhile drops the read. It cannot have started again unseen: it stays
                // stopped for the three cycles of two register writes.
                if (issue || !run_i[sel_q] || quiesce_i) state_q <= PICK;
            end
        endcase
        if (rst_i) begin
            state_q <= PICK;
            sel_q   <= '0;
        end
    end

    assign ring_queue_o = sel_q;

    // ---------------------------------------------------------------------------
    // Read address

    // Lane of the first descriptor in its beat; rings are aligned to 64 bytes.
    wire [4:0] first_lane = 5'(slot_q[2:0]) & 5'(LANES - 1);
    wire [4:0] last_lane  = first_lane + num_q - 5'd1;

    always_ff @(posedge clk_i) begin
        if (issue) begin
            m_axi_arvalid_o <= 1'b1;
            m_axi_araddr_o  <= {addr_q[63:6], addr_q[5:4] & BEAT_MASK, 4'd0};
            m_axi_arlen_o   <= {3'd0, last_lane >> LW};
        end else if (m_axi_arready_i) begin
            m_axi_arvalid_o <= 1'b0;
        end
        if (rst_i) m_axi_arvalid_o <= 1'b0;
    end

    // ---------------------------------------------------------------------------
    // Read data, in the order of the reads

    logic          read_valid;
    logic [QW-1:0] read_queue;
    logic [SW-1:0] read_slot;
    logic [4:0]    read_num;
    logic [4:0]    read_done_q;  // descriptors of this read that have come

    wire [4:0]    beat_lane  = (read_done_q == '0) ? 5'(read_slot[2:0]) & 5'(LANES - 1) : 5'd0;
    wire [4:0]    beat_left  = read_num - read_done_q;
    wire [4:0]    beat_space = 5'(LANES) - beat_lane;
    wire [4:0]    beat_num   = (beat_left < beat_space) ? beat_left : beat_space;
    wire [SW-LW-1:0] beat_word = (SW-LW)'((read_slot + SW'(read_done_q)) >> LW); // word of the cache
    wire          beat_last  = beat_left <= beat_space;
    wire          beat_fail  = m_axi_rresp_i != 2'b00;
    wire          beat_good  = m_axi_rvalid_i && !beat_fail && run_i[read_queue]; // a failed beat stops the queue

    espalier_fifo #(.WIDTH(QW + SW + 5), .DEPTH(READS)) read_fifo (
        .clk_i    (clk_i),
        .rst_i    (rst_i),
        .s_valid_i(issue),
        .s_ready_o(reads_ready),
        .s_data_i ({sel_q, slot_q, num_q}),
        .m_valid_o(read_valid),
        .m_ready_i(m_axi_rvalid_i && beat_last),
        .m_data_o ({read_queue, read_slot, read_num}),
        /* verilator lint_off PINCONNECTEMPTY */
        .count_o  ()
        /* verilator lint_on PINCONNECTEMPTY */
    );

    always_ff @(posedge clk_i) begin
        if (m_axi_rvalid_i) read_done_q <= beat_last ? 5'd0 : read_done_q + beat_num;
        if (rst_i) read_done_q <= '0;
    end

    assign error_o       = m_axi_rvalid_i && beat_fail && run_i[read_queue];
    assign error_queue_o = read_queue;
    assign idle_o        = !read_valid;

    // ---------------------------------------------------------------------------
    // Per-queue counts

    // Most cycles change nothing: one condition keeps simulators out of the loop.
    wire changes = issue || pop_i || m_axi_rvalid_i || start_i != '0 || rst_i;

    always_ff @(posedge clk_i) begin
        if (changes) for (int q = 0; q < NUM_QUEUES; q++) begin
            if (issue && sel_q == QW'(q)) fetch_idx_q[q] <= (fetch_idx_q[q] + 16'(num_q)) & mask_i[q*16 +: 16];
            if (pop_i && pop_queue_i == 4'(q)) pop_idx_q[q] <= (pop_idx_q[q] + 16'd1) & mask_i[q*16 +: 16];
            rsv_q[q]   <= rsv_q[q] + ((issue && sel_q == QW'(q)) ? CW'(num_q) : CW'(0))
                                   - CW'(pop_i && pop_queue_i == 4'(q));
            have_q[q]  <= have_q[q] + ((beat_good && read_queue == QW'(q)) ? CW'(beat_num) : CW'(0))
                                    - CW'(pop_i && pop_queue_i == 4'(q));
            reads_q[q] <= reads_q[q] + RW'(issue && sel_q == QW'(q))
                                     - RW'(m_axi_rvalid_i && beat_last && read_queue == QW'(q));
            if (start_i[q] || rst_i) begin
                fetch_idx_q[q] <= '0;
                pop_idx_q[q]   <= '0;
                rsv_q[q]       <= '0;
                have_q[q]      <= '0;
            end
            if (rst_i) reads_q[q] <= '0;
        end
    end

    // ---------------------------------------------------------------------------
    // Cache: one RAM per lane, a beat fills the same word of several

    wire [QW-1:0]  pop_queue = pop_queue_i[QW-1:0];
    wire [SW-1:0]  pop_slot  = pop_idx_q[pop_queue][SW-1:0];
    logic [DW-1:0] pop_word;

    for (genvar l = 0; l < LANES; l++) begin : g_lane
        espalier_ram_sdp #(.WIDTH(128), .DEPTH((PREFETCH / LANES) << QW)) cache (
            .clk_i  (clk_i),
            .we_i   (m_axi_rvalid_i && 5'(l) >= beat_lane && 5'(l) < beat_lane + beat_num),
            .waddr_i({read_queue, beat_word}),
            .wdata_i(m_axi_rdata_i[l*128 +: 128]),
            .re_i   (pop_i),
            .raddr_i({pop_queue, pop_slot[SW-1:LW]}),
            .rdata_o(pop_word[l*128 +: 128])
        );
    end

    if (LANES > 1) begin : g_pop_lane
        logic [LW-1:0] pop_lane_q;
        always_ff @(posedge clk_i) begin
            if (pop_i) pop_lane_q <= pop_slot[LW-1:0];
        end
        assign pop_desc_o = pop_word[pop_lane_q*128 +: 128];
    end else begin : g_pop_only
        assign pop_desc_o = pop_word[127:0];
    end

    always_ff @(posedge clk_i) begin
        if (pop_i) pop_index_o <= pop_idx_q[pop_queue];
    end

    `ESPALIER_ASSERT(a_pop, clk_i, rst_i, !pop_i || (32'(pop_queue_i) < NUM_QUEUES && have_q[pop_queue] != '0))
    `ESPALIER_ASSERT(a_asked, clk_i, rst_i, !m_axi_rvalid_i || read_valid)
    `ESPALIER_ASSERT(a_last, clk_i, rst_i, !m_axi_rvalid_i || m_axi_rlast_i == beat_last)
    `ESPALIER_ASSERT(a_room, clk_i, rst_i, !issue || rsv_q[sel_q] + CW'(num_q) <= CW'(PREFETCH))

endmodule

`default_nettype wire
