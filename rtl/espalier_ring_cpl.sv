// SPDX-License-Identifier: Apache-2.0
//
// Completions: gathers them per queue, writes them to the host in batches that stay within one 64-byte line, and reports
// each batch when the bus has confirmed it. Also knows how many popped descriptors are still being worked on.
//
// A batch is complete when it holds COUNT entries or reaches the end of its line. An incomplete one is written TIMER cycles
// after its first entry came (or the batch before it was taken, if that was later), and at once when the queue is disabled.

`default_nettype none
`include "espalier_assert.svh"

module espalier_ring_cpl #(
    parameter int LANES = 1,      // 128-bit lanes: completions per beat
    parameter int NUM_QUEUES = 4, // 1 to 16
    localparam int DW = 128 * LANES,
    localparam int BW = DW / 8,
    localparam int QW = (NUM_QUEUES > 1) ? $clog2(NUM_QUEUES) : 1 // bits of a queue number
) (
    input  wire logic clk_i,
    input  wire logic rst_i,

    input  wire logic quiesce_i,
    output      logic idle_o,

    // state of the queues, see espalier_ring_regs
    input  wire logic [NUM_QUEUES-1:0]    start_i,
    input  wire logic [NUM_QUEUES-1:0]    enable_i,
    input  wire logic [NUM_QUEUES*16-1:0] mask_i,
    input  wire logic [NUM_QUEUES*3-1:0]  batch_count_i,
    input  wire logic [NUM_QUEUES*16-1:0] batch_timer_i,
    output      logic [QW-1:0]            cpl_queue_o,
    input  wire logic [57:0]              cpl_base_i,
    output      logic [NUM_QUEUES*16-1:0] head_o,
    output      logic [NUM_QUEUES-1:0]    busy_o, // popped descriptors or unconfirmed completions exist

    // what became of the batches
    output      logic       error_o,
    output      logic [QW-1:0] error_queue_o,
    output      logic       done_o,
    output      logic [QW-1:0] done_queue_o,
    output      logic [2:0] done_count_o,

    // descriptors popped
    input  wire logic       pop_i,
    input  wire logic [3:0] pop_queue_i,

    // completions in, see espalier_ring
    input  wire logic         cpl_valid_i,
    output      logic         cpl_ready_o,
    input  wire logic [3:0]   cpl_queue_i,
    input  wire logic [15:0]  cpl_index_i,
    input  wire logic [127:0] cpl_data_i,
    input  wire logic         cpl_write_i,

    // bus
    output      logic          m_axi_awvalid_o,
    input  wire logic          m_axi_awready_i,
    output      logic [63:0]   m_axi_awaddr_o,
    output      logic [7:0]    m_axi_awlen_o,
    output      logic          m_axi_wvalid_o,
    input  wire logic          m_axi_wready_i,
    output      logic [DW-1:0] m_axi_wdata_o,
    output      logic [BW-1:0] m_axi_wstrb_o,
    output      logic          m_axi_wlast_o,
    input  wire logic          m_axi_bvalid_i,
    input  wire logic [1:0]    m_axi_bresp_i
);

    // of the number of a 16-byte record: the part that is the same in a whole beat
    localparam logic [1:0] BEAT_MASK = (LANES == 4) ? 2'b00 : (LANES == 2) ? 2'b10 : 2'b11;
    localparam int LW = (LANES > 1) ? $clog2(LANES) : 1;
    localparam int LINE = 4;          // completions in a 64-byte line, the largest batch
    localparam int SLOTS = 16;        // buffer slots per queue
    localparam int FULL = SLOTS - LINE; // a batch being read out still holds its slots
    localparam int WRITES = 16;       // batches under way, all queues together
    localparam int BEATS = 16;        // beats buffered toward the bus
    localparam int ADDRESSES = 4;     // addresses buffered toward the bus

    // Per queue.
    logic [3:0]            slot_q  [0:NUM_QUEUES-1]; // buffer slot of the next entry to come
    logic [3:0]            pend_q  [0:NUM_QUEUES-1]; // entries gathered, 0 to FULL
    logic [15:0]           wpos_q  [0:NUM_QUEUES-1]; // ring position of the next entry to come
    logic [15:0]           rpos_q  [0:NUM_QUEUES-1]; // ring position of the first entry gathered
    logic [15:0]           timer_q [0:NUM_QUEUES-1]; // cycles until an incomplete batch is written
    logic [15:0]           head_q  [0:NUM_QUEUES-1];
    logic [15:0]           out_q   [0:NUM_QUEUES-1]; // popped descriptors without a message
    logic [4:0]            under_q [0:NUM_QUEUES-1]; // batches under way
    logic [NUM_QUEUES-1:0] phase_q;                  // phase at wpos_q
    logic [NUM_QUEUES-1:0] lost_q;                   // a write failed: completions are dropped

    // ---------------------------------------------------------------------------
    // Messages in

    wire [QW-1:0] in_queue = cpl_queue_i[QW-1:0];
    wire          in_store = cpl_write_i && !lost_q[in_queue];
    wire          accept   = cpl_valid_i && cpl_ready_o;
    wire          store    = accept && in_store;

    assign cpl_ready_o = !in_store || pend_q[in_queue] != 4'(FULL);

    logic [127:0] in_record;
    always_comb begin
        in_record = cpl_data_i;
        in_record[espalier_regs_pkg::COMPLETION_INDEX_LSB +: espalier_regs_pkg::COMPLETION_INDEX_W] = cpl_index_i;
        in_record[espalier_regs_pkg::COMPLETION_PHASE_LSB] = phase_q[in_queue];
    end

    // ---------------------------------------------------------------------------
    // Choice of the next batch

    localparam logic [1:0] PICK = 2'd0, TAKE = 2'd1, READ = 2'd2;

    logic [1:0]            state_q;
    logic [QW-1:0]         sel_q;
    logic [2:0]            left_q;  // entries to read out
    logic [3:0]            rslot_q; // next slot to read out
    logic [63:4]           addr_q;
    logic [2:0]            num_q;   // entries of the batch
    logic [1:0]            lane_q;  // place of the next entry in its line

    logic [NUM_QUEUES-1:0] complete;
    logic                  pick_any;
    logic [QW-1:0]         pick;
    logic                  room;

    for (genvar g = 0; g < NUM_QUEUES; g++) begin : g_queue
        wire [2:0] count     = batch_count_i[g*3 +: 3];
        wire [2:0] count_max = (count == 3'd0 || count > 3'(LINE)) ? 3'(LINE) : count;
        wire [2:0] line_left = 3'(LINE) - {1'b0, rpos_q[g][1:0]};
        wire [2:0] limit     = (count_max < line_left) ? count_max : line_left;
        assign complete[g] = pend_q[g] != '0 && !lost_q[g]
                             && (pend_q[g] >= {1'b0, limit} || timer_q[g] == '0 || !enable_i[g]);
        assign busy_o[g]   = out_q[g] != '0 || pend_q[g] != '0 || under_q[g] != '0;
        assign head_o[g*16 +: 16] = head_q[g];
    end

    espalier_ring_pick #(.NUM(NUM_QUEUES)) batch_pick (
        .request_i(complete),
        .last_i   (sel_q),
        .any_o    (pick_any),
        .choice_o (pick)
    );

    wire [2:0]    sel_count = batch_count_i[sel_q*3 +: 3];
    wire [2:0]    sel_max   = (sel_count == 3'd0 || sel_count > 3'(LINE)) ? 3'(LINE) : sel_count;
    wire [2:0]    sel_left  = 3'(LINE) - {1'b0, rpos_q[sel_q][1:0]};
    wire [2:0]    sel_limit = (sel_max < sel_left) ? sel_max : sel_left;
    wire [2:0]    take_num  = (pend_q[sel_q] < {1'b0, sel_limit}) ? pend_q[sel_q][2:0] : sel_limit;
    wire          take      = state_q == TAKE && pend_q[sel_q] != '0 && !lost_q[sel_q];
    wire          read      = state_q == READ;
    wire          read_last = left_q == 3'd1;

    always_ff @(posedge clk_i) begin
        case (state_q)
            PICK: begin
                if (pick_any && room && !quiesce_i) begin
                    sel_q   <= pick;
                    state_q <= TAKE;
                end
            end
            TAKE: begin
                num_q   <= take_num;
                left_q  <= take_num;
                rslot_q <= slot_q[sel_q] - pend_q[sel_q];
                lane_q  <= rpos_q[sel_q][1:0];
                addr_q  <= {cpl_base_i, 2'd0} + {44'd0, rpos_q[sel_q]};
                state_q <= take ? READ : PICK;
            end
            default: begin
                left_q  <= left_q - 3'd1;
                rslot_q <= rslot_q + 4'd1;
                lane_q  <= lane_q + 2'd1;
                if (read_last) state_q <= PICK;
            end
        endcase
        if (rst_i) begin
            state_q <= PICK;
            sel_q   <= '0;
        end
    end

    assign cpl_queue_o = sel_q;

    // ---------------------------------------------------------------------------
    // Per-queue counts

    logic          b_valid;
    logic [QW-1:0] b_queue;
    logic [2:0]    b_count;
    wire           b_fail = m_axi_bresp_i != 2'b00;

    // Most cycles change nothing but timers: one condition keeps simulators out of the loop.
    wire changes = accept || take || pop_i || m_axi_bvalid_i || lost_q != '0 || start_i != '0 || rst_i;

    always_ff @(posedge clk_i) begin
        if (changes) for (int q = 0; q < NUM_QUEUES; q++) begin
            if (store && cpl_queue_i == 4'(q)) begin
                slot_q[q] <= slot_q[q] + 4'd1;
                wpos_q[q] <= (wpos_q[q] + 16'd1) & mask_i[q*16 +: 16];
                if (wpos_q[q] == mask_i[q*16 +: 16]) phase_q[q] <= !phase_q[q];
            end
            if (accept && cpl_queue_i == 4'(q)) head_q[q] <= (cpl_index_i + 16'd1) & mask_i[q*16 +: 16];
            if (take && sel_q == QW'(q)) rpos_q[q] <= (rpos_q[q] + 16'(take_num)) & mask_i[q*16 +: 16];
            pend_q[q]  <= lost_q[q] ? 4'd0
                        : pend_q[q] + 4'(store && cpl_queue_i == 4'(q))
                          - ((take && sel_q == QW'(q)) ? 4'(take_num) : 4'd0);
            out_q[q]   <= out_q[q] + 16'(pop_i && pop_queue_i == 4'(q)) - 16'(accept && cpl_queue_i == 4'(q));
            under_q[q] <= under_q[q] + 5'(take && sel_q == QW'(q)) - 5'(m_axi_bvalid_i && b_queue == QW'(q));
            if (error_o && b_queue == QW'(q)) lost_q[q] <= 1'b1;
            if (start_i[q] || rst_i) begin
                slot_q[q]  <= '0;
                wpos_q[q]  <= '0;
                rpos_q[q]  <= '0;
                head_q[q]  <= '0;
                phase_q[q] <= 1'b1;
                lost_q[q]  <= 1'b0;
            end
            if (rst_i) begin
                pend_q[q]  <= '0;
                out_q[q]   <= '0;
                under_q[q] <= '0;
            end
        end
    end

    // A timer starts with the first entry gathered, and again when a batch was taken.
    always_ff @(posedge clk_i) begin
        for (int q = 0; q < NUM_QUEUES; q++) begin
            if ((store && cpl_queue_i == 4'(q) && pend_q[q] == '0) || (take && sel_q == QW'(q)))
                timer_q[q] <= batch_timer_i[q*16 +: 16];
            else if (timer_q[q] != '0 && pend_q[q] != '0)
                timer_q[q] <= timer_q[q] - 16'd1;
            if (rst_i) timer_q[q] <= '0;
        end
    end

    // ---------------------------------------------------------------------------
    // Buffer, and entries put together to beats

    logic [127:0] entry;
    logic         entry_valid_q, entry_first_q, entry_last_q;

    espalier_ram_sdp #(.WIDTH(128), .DEPTH(SLOTS << QW)) buffer (
        .clk_i  (clk_i),
        .we_i   (store),
        .waddr_i({in_queue, slot_q[in_queue]}),
        .wdata_i(in_record),
        .re_i   (read),
        .raddr_i({sel_q, rslot_q}),
        .rdata_o(entry)
    );

    always_ff @(posedge clk_i) begin
        entry_valid_q <= read && !rst_i;
        entry_first_q <= left_q == num_q;
        entry_last_q  <= read_last;
    end

    logic          beat_push;
    logic [DW-1:0] beat_data;
    logic [BW-1:0] beat_strb;

    if (LANES > 1) begin : g_wide
        // Lanes of the beat gathered so far; the entry that ends the beat goes past them.
        logic [DW-1:0] data_q;
        logic [BW-1:0] strb_q;
        logic [LW-1:0] entry_lane_q;

        assign beat_push = entry_valid_q && (entry_last_q || entry_lane_q == LW'(LANES - 1));
        always_comb begin
            beat_data = data_q;
            beat_strb = strb_q;
            beat_data[entry_lane_q*128 +: 128] = entry;
            beat_strb[entry_lane_q*16 +: 16]   = '1;
        end
        always_ff @(posedge clk_i) begin
            entry_lane_q <= lane_q[LW-1:0];
            if (entry_valid_q) begin
                data_q <= beat_data;
                strb_q <= beat_push ? '0 : beat_strb;
            end
            if (rst_i) strb_q <= '0;
        end
    end else begin : g_narrow
        assign beat_push = entry_valid_q;
        assign beat_data = entry;
        assign beat_strb = '1;
    end

    // ---------------------------------------------------------------------------
    // Toward the bus. A batch is begun only when there is room for all of it.

    logic [$clog2(ADDRESSES+1)-1:0] aw_count;
    logic [$clog2(BEATS+1)-1:0]     w_count;
    logic                           aw_ready, w_ready, b_ready;

    // Up to one batch may be between TAKE and these FIFOs.
    assign room = aw_count < 3'(ADDRESSES - 1) && w_count <= 5'(BEATS - 2 * LINE) && b_ready;

    // Beats of the batch: from the lane of its first entry to that of its last.
    wire [2:0] aw_lane  = 3'(addr_q[5:4]) & 3'(LANES - 1);
    wire [2:0] aw_beats = (aw_lane + num_q - 3'd1) >> $clog2(LANES);

    espalier_fifo #(.WIDTH(67), .DEPTH(ADDRESSES)) aw_fifo (
        .clk_i    (clk_i),
        .rst_i    (rst_i),
        .s_valid_i(entry_valid_q && entry_first_q),
        .s_ready_o(aw_ready),
        .s_data_i ({addr_q[63:6], addr_q[5:4] & BEAT_MASK, 4'd0, aw_beats}),
        .m_valid_o(m_axi_awvalid_o),
        .m_ready_i(m_axi_awready_i),
        .m_data_o ({m_axi_awaddr_o, m_axi_awlen_o[2:0]}),
        .count_o  (aw_count)
    );
    assign m_axi_awlen_o[7:3] = '0;

    espalier_fifo #(.WIDTH(DW + BW + 1), .DEPTH(BEATS)) w_fifo (
        .clk_i    (clk_i),
        .rst_i    (rst_i),
        .s_valid_i(beat_push),
        .s_ready_o(w_ready),
        .s_data_i ({entry_last_q, beat_strb, beat_data}),
        .m_valid_o(m_axi_wvalid_o),
        .m_ready_i(m_axi_wready_i),
        .m_data_o ({m_axi_wlast_o, m_axi_wstrb_o, m_axi_wdata_o}),
        .count_o  (w_count)
    );

    espalier_fifo #(.WIDTH(QW + 3), .DEPTH(WRITES)) b_fifo (
        .clk_i    (clk_i),
        .rst_i    (rst_i),
        .s_valid_i(take),
        .s_ready_o(b_ready),
        .s_data_i ({sel_q, take_num}),
        .m_valid_o(b_valid),
        .m_ready_i(m_axi_bvalid_i),
        .m_data_o ({b_queue, b_count}),
        /* verilator lint_off PINCONNECTEMPTY */
        .count_o  ()
        /* verilator lint_on PINCONNECTEMPTY */
    );

    assign error_o       = m_axi_bvalid_i && b_fail;
    assign error_queue_o = b_queue;
    assign done_o        = m_axi_bvalid_i && !b_fail;
    assign done_queue_o  = b_queue;
    assign done_count_o  = b_count;
    assign idle_o        = !b_valid && state_q == PICK;

    `ESPALIER_ASSERT(a_popped, clk_i, rst_i, !cpl_valid_i || (32'(cpl_queue_i) < NUM_QUEUES && out_q[in_queue] != '0))
    `ESPALIER_ASSERT_STABLE(a_stable, clk_i, rst_i, cpl_valid_i, cpl_ready_o,
                            ({cpl_queue_i, cpl_index_i, cpl_data_i, cpl_write_i}))
    `ESPALIER_ASSERT(a_order, clk_i, rst_i, !accept || cpl_index_i == head_q[in_queue])
    `ESPALIER_ASSERT(a_asked, clk_i, rst_i, !m_axi_bvalid_i || b_valid)
    `ESPALIER_ASSERT(a_aw_room, clk_i, rst_i, !(entry_valid_q && entry_first_q) || aw_ready)
    `ESPALIER_ASSERT(a_w_room, clk_i, rst_i, !beat_push || w_ready)

endmodule

`default_nettype wire
