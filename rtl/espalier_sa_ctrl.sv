// SPDX-License-Identifier: Apache-2.0
//
// The SA controller: runs the operations of the SA window (espalier_sa_op) one at a time and zeroises. It alone writes the
// records and the lookup tables, so what it has read stays true until it writes.
//
// ADD and RESTORE make keys first and the record, with its way in the tables, last. DELETE takes the record and the way away
// first, waits until no frame uses the SA, and clears its keys and counters last. Zeroising, after rst_i and at zeroise_i,
// clears all slots, one per cycle; only rst_i clears generations as well.

`default_nettype none
`include "espalier_assert.svh"

module espalier_sa_ctrl #(
    parameter int NUM_SA = 1024,        // slots, a power of two
    parameter int NUM_QUEUES = 4,       // RX queues that a record may name, 1 to 16
    parameter int SAW = $clog2(NUM_SA), // derived: bits of a slot number
    parameter int BW = SAW - 1          // derived: bits of a bucket number
) (
    input  wire            clk_i,
    input  wire            rst_i,

    // window
    input  wire            cmd_valid_i,
    input  wire  [2:0]     cmd_op_i,
    input  wire  [31:0]    cmd_handle_i,
    input  wire  [31:0]    rec_spi_i,
    input  wire  [31:0]    rec_flags_i,
    input  wire  [31:0]    rec_esn_hi_i,
    input  wire  [31:0]    rec_salt_i,
    input  wire  [127:0]   rec_dst_i,
    input  wire  [127:0]   rec_src_i,
    output wire            busy_o,
    output logic [3:0]     result_o,
    output logic [15:0]    cycles_o,
    output wire            done_o,       // pulse, before busy_o falls
    output logic           handle_we_o,
    output logic [15:0]    handle_gen_o,
    output logic           rec_we_o,
    output logic [31:0]    rec_flags_o, // the other fields of READ are the wr_* outputs

    // zeroising
    input  wire            zeroise_i,
    output wire            zeroise_busy_o,
    output wire            zeroised_o,
    output wire  [SAW:0]   live_o,       // slots with keys

    // install engine; it takes the key itself at ins_load_o
    output wire            ins_load_o,
    output logic           ins_start_o,
    output wire            ins_clear_o,
    input  wire            ins_done_i,

    // clear all keys and powers of wr_slot_o, in both directions
    output wire            wipe_o,

    // counters and fingerprint of wr_slot_o: read or clear them
    output wire            cnt_valid_o,
    output wire            cnt_clear_o,
    input  wire            cnt_ready_i,
    input  wire            cnt_rsp_i,

    // lookup pipeline: the slot wr_slot_o, and the key of the wr_* outputs
    output wire            ctl_valid_o,
    input  wire            ctl_ready_i,
    input  wire            ctl_rsp_i,
    input  wire  [7:0]     ctl_hit_i,
    input  wire  [7:0]     ctl_free_i,
    input  wire  [BW-1:0]  ctl_bucket0_i,
    input  wire  [BW-1:0]  ctl_bucket1_i,

    // the record that was read, with ctl_rsp_i
    input  wire            rd_valid_i,
    input  wire            rd_inbound_i,
    input  wire            rd_ipv6_i,
    input  wire            rd_tunnel_i,
    input  wire            rd_esn_i,
    input  wire  [1:0]     rd_keylen_i,
    input  wire  [3:0]     rd_queue_i,
    input  wire  [31:0]    rd_esn_hi_i,
    input  wire  [31:0]    rd_spi_i,
    input  wire  [127:0]   rd_dst_i,
    input  wire  [127:0]   rd_src_i,
    input  wire  [15:0]    rd_gen_i,

    // writes to records and tables
    output logic [SAW-1:0] wr_slot_o,
    output wire            wr_rec_we_o,
    output wire            wr_salt_we_o,
    output wire            wr_gen_we_o,
    output logic           wr_valid_o,    // also: the table way becomes used
    output wire            wr_inbound_o,
    output wire            wr_ipv6_o,
    output wire            wr_tunnel_o,
    output wire            wr_esn_o,
    output wire  [1:0]     wr_keylen_o,
    output wire  [3:0]     wr_queue_o,
    output logic [31:0]    wr_esn_hi_o,
    output logic [31:0]    wr_spi_o,
    output logic [31:0]    wr_salt_o,
    output logic [127:0]   wr_dst_o,
    output logic [127:0]   wr_src_o,
    output wire  [15:0]    wr_gen_o,
    output wire  [7:0]     tab_we_o,
    output wire  [BW-1:0]  tab_bucket0_o,
    output wire  [BW-1:0]  tab_bucket1_o,

    // frames in the pipelines
    output wire            mark_o,
    input  wire            drained_i      // no frame marked is left, either direction
);

    // After a record has gone, cycles until no check or lookup that saw it can still hit; more than either takes.
    localparam int SETTLE = 12;

    typedef enum logic [3:0] {
        SWEEP,   // zeroise all slots
        IDLE,
        CHECK,   // what can be said without reading the slot
        FETCH,   // read the slot and search the key
        FETCHED,
        DECIDE,
        COUNT,   // READ: the counters
        COUNTED,
        EXPAND,  // ADD and RESTORE: install engine at work
        PUBLISH, // ADD, RESTORE and UPDATE: write the record
        FIND,    // DELETE: search the way of the record that was read
        FOUND,
        HIDE,    // DELETE: take record and way away
        DRAIN,
        WIPE,
        FINISH
    } state_e;
    state_e state_q;

    logic [2:0]     op_q;
    logic [31:0]    handle_q;
    logic           hard_q;        // this sweep clears generations too
    logic [3:0]     step_q;        // cycles while settling
    logic [SAW:0]   live_q;        // slots with keys
    logic [15:0]    gen_q;         // generation of the slot
    logic           slot_valid_q;  // the slot holds an SA
    logic [7:0]     way_q;         // the way to write, one bit
    logic           inbound_q, ipv6_q, tunnel_q, esn_q;
    logic [1:0]     keylen_q;
    logic [3:0]     queue_q;

    assign busy_o         = state_q != IDLE;
    assign done_o         = state_q == FINISH || zeroise_i;
    assign zeroise_busy_o = state_q == SWEEP;
    assign zeroised_o     = live_q == '0 && !zeroise_busy_o;
    assign live_o         = live_q;

    wire start = state_q == IDLE && cmd_valid_i && !zeroise_i;

    assign ins_load_o  = start;
    assign ins_clear_o = zeroise_i || state_q == FINISH;

    // -----------------------------------------------------------------------------------------------------------------
    // Judgement.

    wire       bad_op    = op_q > espalier_regs_pkg::SA_OP_RESTORE;
    wire       bad_index = 32'(handle_q[15:0]) >= NUM_SA;
    wire       stale     = !slot_valid_q || handle_q[31:16] != gen_q;
    wire       bad_addr  = !ipv6_q && (wr_dst_o[95:0] != 96'd0 || wr_src_o[95:0] != 96'd0);
    wire       bad_rec   = wr_spi_o == 32'd0 || keylen_q > espalier_regs_pkg::KEYLEN_AES256 || 32'(queue_q) >= NUM_QUEUES || bad_addr;

    // The way for a new SA: the first free one of the emptier bucket, table 0 if equal.
    wire [3:0] free0      = ctl_free_i[3:0];
    wire [3:0] free1      = ctl_free_i[7:4];
    wire [2:0] num_free0  = 3'(free0[0]) + 3'(free0[1]) + 3'(free0[2]) + 3'(free0[3]);
    wire [2:0] num_free1  = 3'(free1[0]) + 3'(free1[1]) + 3'(free1[2]) + 3'(free1[3]);
    wire [3:0] first0     = free0 & (~free0 + 4'd1);
    wire [3:0] first1     = free1 & (~free1 + 4'd1);
    wire [7:0] way_choice = (num_free0 >= num_free1) ? {4'd0, first0} : {first1, 4'd0};

    wire [15:0] next_gen  = (gen_q == 16'hffff) ? 16'd1 : gen_q + 16'd1;

    // -----------------------------------------------------------------------------------------------------------------
    // Writes.

    wire sweep   = state_q == SWEEP;
    wire publish = state_q == PUBLISH;
    wire hide    = state_q == HIDE;
    wire add     = op_q == espalier_regs_pkg::SA_OP_ADD;
    wire install = add || op_q == espalier_regs_pkg::SA_OP_RESTORE;

    assign wr_rec_we_o   = sweep || publish || hide;
    assign wr_salt_we_o  = sweep || (publish && install) || hide;
    assign wr_gen_we_o   = (sweep && hard_q) || (publish && add);
    assign wr_gen_o      = sweep ? 16'd0 : next_gen;
    assign wr_inbound_o  = inbound_q;
    assign wr_ipv6_o     = ipv6_q;
    assign wr_tunnel_o   = tunnel_q;
    assign wr_esn_o      = esn_q;
    assign wr_keylen_o   = keylen_q;
    assign wr_queue_o    = queue_q;

    assign tab_we_o      = sweep ? 8'hff : ((publish && install) || hide) ? way_q : 8'h00;
    assign tab_bucket0_o = sweep ? wr_slot_o[BW-1:0] : ctl_bucket0_i;
    assign tab_bucket1_o = sweep ? wr_slot_o[BW-1:0] : ctl_bucket1_i;

    assign wipe_o        = sweep || state_q == WIPE;
    assign cnt_valid_o   = wipe_o || state_q == COUNT;
    assign cnt_clear_o   = wipe_o;

    assign ctl_valid_o   = state_q == FETCH || state_q == FIND;
    assign mark_o        = state_q == DRAIN && step_q == 4'(SETTLE);

    always_comb begin
        rec_flags_o = '0;
        rec_flags_o[espalier_regs_pkg::SA_FLAGS_INBOUND_LSB]                         = inbound_q;
        rec_flags_o[espalier_regs_pkg::SA_FLAGS_IPV6_LSB]                            = ipv6_q;
        rec_flags_o[espalier_regs_pkg::SA_FLAGS_TUNNEL_LSB]                          = tunnel_q;
        rec_flags_o[espalier_regs_pkg::SA_FLAGS_ESN_LSB]                             = esn_q;
        rec_flags_o[espalier_regs_pkg::SA_FLAGS_KEYLEN_LSB +: espalier_regs_pkg::SA_FLAGS_KEYLEN_W]     = keylen_q;
        rec_flags_o[espalier_regs_pkg::SA_FLAGS_RX_QUEUE_LSB +: espalier_regs_pkg::SA_FLAGS_RX_QUEUE_W] = queue_q;
    end

    // -----------------------------------------------------------------------------------------------------------------

    always_ff @(posedge clk_i) begin
        handle_we_o <= 1'b0;
        rec_we_o    <= 1'b0;
        ins_start_o <= 1'b0;
        if (busy_o && !zeroise_busy_o && cycles_o != 16'hffff) cycles_o <= cycles_o + 16'd1;

        case (state_q)
            SWEEP: begin
                wr_slot_o <= wr_slot_o + 1'b1;
                if (wr_slot_o == SAW'(NUM_SA - 1)) begin
                    state_q <= IDLE;
                    hard_q  <= 1'b0;
                end
            end

            IDLE: if (start) begin
                state_q     <= CHECK;
                op_q        <= cmd_op_i;
                handle_q    <= cmd_handle_i;
                cycles_o    <= 16'd1;
                result_o    <= espalier_regs_pkg::SA_RESULT_OK;
                wr_slot_o   <= cmd_handle_i[SAW-1:0];
                wr_valid_o  <= 1'b1;
                inbound_q   <= rec_flags_i[espalier_regs_pkg::SA_FLAGS_INBOUND_LSB];
                ipv6_q      <= rec_flags_i[espalier_regs_pkg::SA_FLAGS_IPV6_LSB];
                tunnel_q    <= rec_flags_i[espalier_regs_pkg::SA_FLAGS_TUNNEL_LSB];
                esn_q       <= rec_flags_i[espalier_regs_pkg::SA_FLAGS_ESN_LSB];
                keylen_q    <= rec_flags_i[espalier_regs_pkg::SA_FLAGS_KEYLEN_LSB +: espalier_regs_pkg::SA_FLAGS_KEYLEN_W];
                queue_q     <= rec_flags_i[espalier_regs_pkg::SA_FLAGS_RX_QUEUE_LSB +: espalier_regs_pkg::SA_FLAGS_RX_QUEUE_W];
                wr_esn_hi_o <= rec_esn_hi_i;
                wr_spi_o    <= rec_spi_i;
                wr_salt_o   <= rec_salt_i;
                wr_dst_o    <= rec_dst_i;
                wr_src_o    <= rec_src_i;
            end

            CHECK: begin
                state_q <= FETCH;
                if (bad_op) begin
                    result_o <= espalier_regs_pkg::SA_RESULT_BAD_OP;
                    state_q  <= FINISH;
                end else if (op_q == espalier_regs_pkg::SA_OP_NOP) begin
                    state_q  <= FINISH;
                end else if (bad_index) begin
                    result_o <= espalier_regs_pkg::SA_RESULT_BAD_INDEX;
                    state_q  <= FINISH;
                end else if (install && bad_rec) begin
                    result_o <= espalier_regs_pkg::SA_RESULT_BAD_RECORD;
                    state_q  <= FINISH;
                end
            end

            FETCH: if (ctl_ready_i) state_q <= FETCHED;

            FETCHED: if (ctl_rsp_i) begin
                state_q      <= DECIDE;
                slot_valid_q <= rd_valid_i;
                gen_q        <= rd_gen_i;
                if (!install) begin
                    inbound_q <= rd_inbound_i;
                    ipv6_q    <= rd_ipv6_i;
                    tunnel_q  <= rd_tunnel_i;
                    esn_q     <= rd_esn_i;
                    keylen_q  <= rd_keylen_i;
                    queue_q   <= rd_queue_i;
                    wr_spi_o  <= rd_spi_i;
                    wr_dst_o  <= rd_dst_i;
                    wr_src_o  <= rd_src_i;
                    if (op_q == espalier_regs_pkg::SA_OP_READ) wr_esn_hi_o <= rd_esn_hi_i;
                end
            end

            DECIDE: case (op_q)
                espalier_regs_pkg::SA_OP_ADD, espalier_regs_pkg::SA_OP_RESTORE: begin
                    way_q <= inbound_q ? way_choice : 8'd0;
                    if (slot_valid_q) begin
                        result_o <= espalier_regs_pkg::SA_RESULT_SLOT_IN_USE;
                        state_q  <= FINISH;
                    end else if (!add && handle_q[31:16] != gen_q) begin
                        result_o <= espalier_regs_pkg::SA_RESULT_STALE_HANDLE;
                        state_q  <= FINISH;
                    end else if (inbound_q && ctl_hit_i != 8'd0) begin
                        result_o <= espalier_regs_pkg::SA_RESULT_DUPLICATE;
                        state_q  <= FINISH;
                    end else if (inbound_q && ctl_free_i == 8'd0) begin
                        result_o <= espalier_regs_pkg::SA_RESULT_LOOKUP_FULL;
                        state_q  <= FINISH;
                    end else begin
                        ins_start_o <= 1'b1;
                        live_q      <= live_q + 1'b1;
                        state_q     <= EXPAND;
                    end
                end

                espalier_regs_pkg::SA_OP_READ: begin
                    state_q <= COUNT;
                    if (!slot_valid_q) begin
                        result_o <= espalier_regs_pkg::SA_RESULT_EMPTY_SLOT;
                        state_q  <= FINISH;
                    end
                end

                default: begin // UPDATE, DELETE
                    state_q <= (op_q == espalier_regs_pkg::SA_OP_DELETE) ? FIND : PUBLISH;
                    if (stale) begin
                        result_o <= espalier_regs_pkg::SA_RESULT_STALE_HANDLE;
                        state_q  <= FINISH;
                    end
                end
            endcase

            COUNT: if (cnt_ready_i) state_q <= COUNTED;

            COUNTED: if (cnt_rsp_i) begin
                rec_we_o     <= 1'b1;
                handle_we_o  <= 1'b1;
                handle_gen_o <= gen_q;
                state_q      <= FINISH;
            end

            EXPAND: if (ins_done_i) state_q <= PUBLISH;

            PUBLISH: begin
                handle_we_o  <= add;
                handle_gen_o <= next_gen;
                state_q      <= FINISH;
            end

            FIND: if (ctl_ready_i) state_q <= FOUND;

            FOUND: if (ctl_rsp_i) begin
                way_q       <= inbound_q ? ctl_hit_i : 8'd0;
                wr_valid_o  <= 1'b0;
                inbound_q   <= 1'b0;
                ipv6_q      <= 1'b0;
                tunnel_q    <= 1'b0;
                esn_q       <= 1'b0;
                keylen_q    <= '0;
                queue_q     <= '0;
                wr_esn_hi_o <= '0;
                wr_spi_o    <= '0;
                wr_salt_o   <= '0;
                wr_dst_o    <= '0;
                wr_src_o    <= '0;
                state_q     <= HIDE;
            end

            HIDE: begin
                step_q  <= '0;
                state_q <= DRAIN;
            end

            DRAIN: begin
                if (step_q <= 4'(SETTLE)) step_q <= step_q + 4'd1;
                else if (drained_i) state_q <= WIPE;
            end

            WIPE: if (cnt_ready_i) begin
                live_q  <= live_q - 1'b1;
                state_q <= FINISH;
            end

            default: begin // FINISH
                wr_salt_o <= '0;
                state_q   <= IDLE;
            end
        endcase

        if (rst_i || zeroise_i) begin
            state_q     <= SWEEP;
            handle_we_o <= 1'b0;
            rec_we_o    <= 1'b0;
            ins_start_o <= 1'b0;
            hard_q      <= rst_i || (hard_q && state_q == SWEEP);
            result_o    <= espalier_regs_pkg::SA_RESULT_OK;
            cycles_o    <= '0;
            live_q      <= '0;
            wr_slot_o   <= '0;
            wr_valid_o  <= 1'b0;
            inbound_q   <= 1'b0;
            ipv6_q      <= 1'b0;
            tunnel_q    <= 1'b0;
            esn_q       <= 1'b0;
            keylen_q    <= '0;
            queue_q     <= '0;
            wr_esn_hi_o <= '0;
            wr_spi_o    <= '0;
            wr_salt_o   <= '0;
            wr_dst_o    <= '0;
            wr_src_o    <= '0;
        end
    end

    `ESPALIER_ASSERT(a_sweep_clears, clk_i, rst_i, !sweep || cnt_ready_i)
    `ESPALIER_ASSERT(a_delete_finds, clk_i, rst_i, state_q != HIDE || zeroise_i || (way_q & (way_q - 8'd1)) == 8'd0)

endmodule

`default_nettype wire
