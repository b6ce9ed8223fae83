// SPDX-License-Identifier: Apache-2.0
//
// Reads frames from host memory, in order, many reads ahead. A read is issued only when the store has room for all its
// beats, so read data is never held back, and the bus stays busy while the next frames are being looked up.

`default_nettype none
`include "espalier_assert.svh"

module espalier_tx_fetch #(
    parameter int DW = 128,          // bits of a beat
    parameter int BURST_BYTES = 512, // longest read burst; a power of two, at most 4096 and at most 256 beats
    parameter int FIFO_BEATS = 320,  // beats that may be under way or waiting; covers a latency of the bus of 250 cycles
                                     // without making descriptor reads queue behind more than that
    parameter int MAX_AHEAD = 64,    // frames that may be under way
    parameter int BW = DW / 8,           // derived: bytes of a beat
    parameter int OW = $clog2(BW)        // derived: bits of a byte's number in a beat
) (
    input  wire           clk_i,
    input  wire           rst_i,
    input  wire           quiesce_i, // start no further read
    output wire           idle_o,    // no read is under way

    // frames to read
    input  wire           job_valid_i,
    output wire           job_ready_o,
    input  wire  [63:0]   job_addr_i,
    input  wire  [13:0]   job_len_i, // bytes, at least 1

    // AXI4 read channels; one ID, so data comes in order. Read data is always taken: its room was claimed when the read
    // was issued.
    output logic [63:0]   m_axi_araddr_o,
    output logic [7:0]    m_axi_arlen_o,
    output logic          m_axi_arvalid_o,
    input  wire           m_axi_arready_i,
    input  wire  [DW-1:0] m_axi_rdata_i,
    input  wire  [1:0]    m_axi_rresp_i,
    input  wire           m_axi_rlast_i,
    input  wire           m_axi_rvalid_i,

    // the frames' beats
    output wire           m_valid_o,
    input  wire           m_ready_i,
    output wire  [DW-1:0] m_data_o,
    output wire           m_last_o,
    output wire  [OW:0]   m_count_o, // on the last beat: bytes in use, counted from the beat's byte 0
    output wire           m_err_o    // on the last beat: a read of this frame failed
);

    localparam int BEATS = BURST_BYTES / BW; // beats of a whole burst
    localparam int GW = $clog2(BEATS);       // bits of a beat's number in its burst-aligned block
    localparam int NW = 15 - OW;             // bits of a number of beats in a frame (at most 16383 + BW - 1 bytes)
    localparam int CW = $clog2(FIFO_BEATS + 1);

    `ESPALIER_CHECK_PARAM(g_check_burst, BURST_BYTES <= 4096 && BEATS <= 256 && BEATS >= 2,
                          "espalier_tx_fetch: BURST_BYTES must be at most 4096 and 2 to 256 beats")
    `ESPALIER_CHECK_PARAM(g_check_fifo, FIFO_BEATS >= 2 * BEATS,
                          "espalier_tx_fetch: FIFO_BEATS must hold two bursts")

    // ---------------------------------------------------------------------
    // Bursts. Each ends at a multiple of BURST_BYTES or with its frame, so only a frame's first can be unaligned.

    logic          active_q;
    logic [63:0]   addr_q;
    logic [NW-1:0] left_q; // beats of the frame still to be asked for
    logic [CW-1:0] room_q; // beats of the store that no read has a claim on
    logic [CW-1:0] due_q;  // beats asked for that have not come

    wire [NW-1:0] in_block = NW'(BEATS) - NW'(addr_q[OW+:GW]);
    wire [NW-1:0] beats    = (left_q < in_block) ? left_q : in_block;
    wire          issue    = active_q && !quiesce_i && (!m_axi_arvalid_o || m_axi_arready_i) && room_q >= CW'(beats);
    wire          finish   = issue && left_q == beats;

    // The frame's shape: bytes from the start of its first beat to its end.
    wire [14:0]   span      = 15'(job_len_i) + 15'(job_addr_i[OW-1:0]);
    wire [NW-1:0] job_beats = NW'((span + 15'(BW - 1)) >> OW);
    wire [OW-1:0] job_tail  = span[OW-1:0]; // bytes of the last beat, 0: all

    wire shape_ready;
    assign job_ready_o = (!active_q || finish) && shape_ready;
    wire job = job_valid_i && job_ready_o;

    wire pop = m_valid_o && m_ready_i;

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            active_q        <= 1'b0;
            addr_q          <= '0;
            left_q          <= '0;
            room_q          <= CW'(FIFO_BEATS);
            due_q           <= '0;
            m_axi_arvalid_o <= 1'b0;
            m_axi_araddr_o  <= '0;
            m_axi_arlen_o   <= '0;
        end else begin
            if (job) begin
                active_q <= 1'b1;
                addr_q   <= job_addr_i;
                left_q   <= job_beats;
            end else if (issue) begin
                active_q <= !finish;
                addr_q   <= {addr_q[63:OW] + (64 - OW)'(beats), OW'(0)};
                left_q   <= left_q - beats;
            end
            if (issue) begin
                m_axi_arvalid_o <= 1'b1;
                m_axi_araddr_o  <= addr_q;
                m_axi_arlen_o   <= 8'(beats - 1'b1);
            end else if (m_axi_arready_i) begin
                m_axi_arvalid_o <= 1'b0;
            end
            room_q <= room_q - (issue ? CW'(beats) : '0) + CW'(pop);
            due_q  <= due_q + (issue ? CW'(beats) : '0) - CW'(m_axi_rvalid_i);
        end
    end

    assign idle_o = due_q == '0;

    // ---------------------------------------------------------------------
    // Data. The shapes of the frames under way tell where each ends.

    wire           shape_valid;
    wire [NW-1:0]  shape_beats;
    wire [OW-1:0]  shape_tail;
    logic [NW-1:0] beat_q; // number of the beat within its frame
    logic          err_q;  // an earlier beat of this frame failed

    wire last = beat_q + 1'b1 == shape_beats;
    wire err  = err_q || m_axi_rresp_i != 2'b00;

    /* verilator lint_off PINCONNECTEMPTY */
    espalier_fifo #(
        .WIDTH(NW + OW),
        .DEPTH(MAX_AHEAD)
    ) u_shapes (
        .clk_i     (clk_i),
        .rst_i     (rst_i),
        .s_valid_i (job),
        .s_ready_o (shape_ready),
        .s_data_i  ({job_tail, job_beats}),
        .m_valid_o (shape_valid),
        .m_ready_i (m_axi_rvalid_i && last),
        .m_data_o  ({shape_tail, shape_beats}),
        .count_o   ()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            beat_q <= '0;
            err_q  <= 1'b0;
        end else if (m_axi_rvalid_i) begin
            beat_q <= last ? '0 : beat_q + 1'b1;
            err_q  <= err && !last;
        end
    end

    wire [OW-1:0] tail;
    wire          store_ready;
    assign m_count_o = (tail == '0) ? (OW + 1)'(BW) : {1'b0, tail};

    espalier_fifo_ram #(
        .WIDTH(DW + OW + 2),
        .DEPTH(2 ** $clog2(FIFO_BEATS))
    ) u_store (
        .clk_i     (clk_i),
        .rst_i     (rst_i),
        .s_valid_i (m_axi_rvalid_i),
        .s_ready_o (store_ready),
        .s_data_i  ({err, last, shape_tail, m_axi_rdata_i}),
        .m_valid_o (m_valid_o),
        .m_ready_i (m_ready_i),
        .m_data_o  ({m_err_o, m_last_o, tail, m_data_o})
    );

    `ESPALIER_ASSERT(a_room, clk_i, rst_i, !m_axi_rvalid_i || store_ready)
    `ESPALIER_ASSERT(a_expected, clk_i, rst_i, !m_axi_rvalid_i || (due_q != '0 && shape_valid))
    // A frame ends where a burst ends.
    `ESPALIER_ASSERT(a_rlast, clk_i, rst_i, !m_axi_rvalid_i || !last || m_axi_rlast_i)
    `ESPALIER_ASSERT(a_page, clk_i, rst_i,
                     !m_axi_arvalid_o || 32'(m_axi_araddr_o[11:OW]) + 32'(m_axi_arlen_o) < 4096 / BW)
    `ESPALIER_ASSERT_STABLE(a_ar, clk_i, rst_i, m_axi_arvalid_o, m_axi_arready_i, {m_axi_araddr_o, m_axi_arlen_o})

endmodule

`default_nettype wire
