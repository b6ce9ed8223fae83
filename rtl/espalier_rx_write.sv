// SPDX-License-Identifier: Apache-2.0
//
// Writes frames to host memory at any byte address. Addresses run ahead of data, and the data of one frame follows that of
// the frame before it without a pause; a buffer aligned to a beat costs no extra beat.

`default_nettype none
`include "espalier_assert.svh"

module espalier_rx_write #(
    parameter int DW = 128,          // bits of a beat
    parameter int BURST_BYTES = 256, // longest write burst; a power of two, at most 4096 and at most 256 beats
    parameter int MAX_AHEAD = 64,    // frames accepted whose writes are not confirmed
    parameter int BW = DW / 8,       // derived: bytes of a beat
    parameter int OW = $clog2(BW)    // derived: bits of a byte's number in a beat
) (
    input  wire           clk_i,
    input  wire           rst_i,
    input  wire           quiesce_i, // start no further burst
    output wire           idle_o,    // no burst is under way
    output wire           empty_o,   // no frame's data is awaited

    // what to do with the next frame
    input  wire           job_valid_i,
    output wire           job_ready_o,
    input  wire           job_drop_i, // take the frame and write nothing
    input  wire  [63:0]   job_addr_i,
    input  wire  [13:0]   job_len_i,  // bytes to write, 0 too; the rest of the frame is thrown away

    // the frames, at least as long as their jobs say
    input  wire           m_valid_i,
    output wire           m_ready_o,
    input  wire  [DW-1:0] m_data_i,
    input  wire           m_last_i,

    // one report per frame that wrote anything, in order, at most MAX_AHEAD waiting
    output wire           done_valid_o,
    input  wire           done_ready_i,
    output wire           done_err_o, // a write failed

    // AXI4 write channels; one ID, so responses come in order. They are always taken.
    output logic [63:0]   m_axi_awaddr_o,
    output logic [7:0]    m_axi_awlen_o,
    output logic          m_axi_awvalid_o,
    input  wire           m_axi_awready_i,
    output logic [DW-1:0] m_axi_wdata_o,
    output logic [BW-1:0] m_axi_wstrb_o,
    output logic          m_axi_wlast_o,
    output logic          m_axi_wvalid_o,
    input  wire           m_axi_wready_i,
    input  wire  [1:0]    m_axi_bresp_i,
    input  wire           m_axi_bvalid_i
);

    localparam int JOBS = 4;                  // frames whose data has not gone out
    localparam int BEATS = BURST_BYTES / BW;  // beats of a whole burst
    localparam int GW = $clog2(BEATS);        // bits of a beat's number in its burst-aligned block
    localparam int NW = 15 - OW;              // bits of a number of beats in a frame
    localparam int PW = 12;                   // bits of a number of bursts under way

    `ESPALIER_CHECK_PARAM(g_check_burst, BURST_BYTES <= 4096 && BEATS <= 256 && BEATS >= 2,
                          "espalier_rx_write: BURST_BYTES must be at most 4096 and 2 to 256 beats")

    // ---------------------------------------------------------------------
    // The shape of a frame in memory, worked out once.

    wire [OW-1:0] job_off   = job_addr_i[OW-1:0];
    wire [14:0]   job_span  = 15'(job_len_i) + 15'(job_off); // bytes from the first beat's start to the end
    wire [NW-1:0] job_beats = NW'((job_span + 15'(BW - 1)) >> OW);
    wire [NW-1:0] job_last  = NW'(job_addr_i[OW+:GW]) + job_beats - 1'b1; // last beat, counted from its block's first
    wire          job_none  = job_drop_i || job_len_i == '0;
    wire          job_done  = job_valid_i && job_ready_o;

    wire addr_ready, data_ready, burst_ready;
    assign job_ready_o = addr_ready && data_ready && burst_ready;

    // ---------------------------------------------------------------------
    // Addresses. Each burst ends at a multiple of BURST_BYTES or with its frame.

    wire          a_valid;
    wire [63:0]   a_addr;
    wire [NW-1:0] a_beats;
    logic         a_next_q;           // the head has begun: the next burst starts at a_addr_q
    logic [63:0]  a_addr_q;
    logic [NW-1:0] a_left_q;

    wire [63:0]   b_addr   = a_next_q ? a_addr_q : a_addr;
    wire [NW-1:0] b_left   = a_next_q ? a_left_q : a_beats;
    wire [NW-1:0] in_block = NW'(BEATS) - NW'(b_addr[OW+:GW]);
    wire          b_final  = b_left <= in_block;
    wire [NW-1:0] b_beats  = b_final ? b_left : in_block;
    wire          issue    = a_valid && !quiesce_i && (!m_axi_awvalid_o || m_axi_awready_i);

    /* verilator lint_off PINCONNECTEMPTY */
    espalier_fifo #(
        .WIDTH(64 + NW),
        .DEPTH(JOBS)
    ) u_addrs (
        .clk_i     (clk_i),
        .rst_i     (rst_i),
        .s_valid_i (job_done && !job_none),
        .s_ready_o (addr_ready),
        .s_data_i  ({job_addr_i, job_beats}),
        .m_valid_o (a_valid),
        .m_ready_i (issue && b_final),
        .m_data_o  ({a_addr, a_beats}),
        .count_o   ()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            a_next_q        <= 1'b0;
            a_addr_q        <= '0;
            a_left_q        <= '0;
            m_axi_awvalid_o <= 1'b0;
            m_axi_awaddr_o  <= '0;
            m_axi_awlen_o   <= '0;
        end else begin
            if (issue) begin
                a_next_q <= !b_final;
                a_addr_q <= {b_addr[63:OW] + (64 - OW)'(b_beats), OW'(0)};
                a_left_q <= b_left - b_beats;
                m_axi_awvalid_o <= 1'b1;
                m_axi_awaddr_o  <= b_addr;
                m_axi_awlen_o   <= 8'(b_beats - 1'b1);
            end else if (m_axi_awready_i) begin
                m_axi_awvalid_o <= 1'b0;
            end
        end
    end

    // ---------------------------------------------------------------------
    // Data: each output beat joins the end of one input beat to the start of the next.

    wire           d_valid;
    wire [OW-1:0]  d_off, d_tail; // first byte of the first beat; bytes of the last beat, 0: all
    wire [NW-1:0]  d_beats;       // beats to write, 0 for a frame thrown away
    wire [GW-1:0]  d_first;       // number of the first beat in its block
    logic [NW-1:0] beat_q;        // number of the beat to write
    logic          flush_q;       // the frame is in, its last bytes are still here
    logic [DW-1:0] carry_q;       // the input beat before
    logic [PW-1:0] started_q;     // bursts whose address is out and whose data has not begun
    logic          inburst_q;     // a burst's data has begun and not ended

    wire done; // this cycle ends the frame at the head
    /* verilator lint_off PINCONNECTEMPTY */
    espalier_fifo #(
        .WIDTH(OW + OW + NW + GW),
        .DEPTH(JOBS)
    ) u_datas (
        .clk_i     (clk_i),
        .rst_i     (rst_i),
        .s_valid_i (job_done),
        .s_ready_o (data_ready),
        .s_data_i  ({job_off, job_span[OW-1:0], job_none ? '0 : job_beats, job_addr_i[OW+:GW]}),
        .m_valid_o (d_valid),
        .m_ready_i (done),
        .m_data_o  ({d_off, d_tail, d_beats, d_first}),
        .count_o   ()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    wire write    = d_valid && beat_q != d_beats;                    // the next beat is written
    wire last     = beat_q + 1'b1 == d_beats;                        // and it is the frame's last
    wire boundary = last || (GW'(beat_q) + d_first == GW'(BEATS - 1)); // and the burst's
    wire allowed  = inburst_q || started_q != '0;
    wire free     = !m_axi_wvalid_o || m_axi_wready_i;
    wire step     = d_valid && (m_valid_i || flush_q) && (!write || (allowed && free));
    wire out      = step && write;
    // After the frame's last input beat: bytes are left that fit in no beat yet.
    wire leftover = m_last_i && write && !last;

    assign m_ready_o = step && !flush_q;
    assign done      = step && (flush_q || (m_last_i && !leftover));

    // Bytes that the shift moves in from the beat before and up from this one. Aligned buffers skip the shifter.
    wire [OW+2:0] up   = {d_off, 3'd0};
    wire [OW+3:0] down = (OW + 4)'(DW) - (OW + 4)'(up);
    logic [DW-1:0] joined;
    always_comb begin
        if (d_off == '0) joined = m_data_i;
        else             joined = (flush_q ? '0 : m_data_i << up) | (carry_q >> down);
    end

    wire [BW-1:0] strb_first = (beat_q == '0) ? {BW{1'b1}} << d_off : {BW{1'b1}};
    wire [BW-1:0] strb_last  = (last && d_tail != '0) ? ~({BW{1'b1}} << d_tail) : {BW{1'b1}};

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            beat_q         <= '0;
            flush_q        <= 1'b0;
            inburst_q      <= 1'b0;
            started_q      <= '0;
            m_axi_wvalid_o <= 1'b0;
            m_axi_wdata_o  <= '0;
            m_axi_wstrb_o  <= '0;
            m_axi_wlast_o  <= 1'b0;
        end else begin
            if (step) begin
                beat_q  <= done ? '0 : beat_q + NW'(write);
                flush_q <= leftover && !flush_q;
            end
            if (out) begin
                inburst_q     <= !boundary;
                m_axi_wdata_o <= joined;
                m_axi_wstrb_o <= strb_first & strb_last;
                m_axi_wlast_o <= boundary;
            end
            m_axi_wvalid_o <= out || (m_axi_wvalid_o && !m_axi_wready_i);
            started_q      <= started_q + PW'(issue) - PW'(out && !inburst_q);
        end
        if (step) carry_q <= m_data_i;
    end

    // ---------------------------------------------------------------------
    // Responses: counted per frame.

    wire          c_valid;
    wire [NW-1:0] c_bursts; // bursts of the frame, less one
    logic [NW-1:0] responses_q;
    logic         err_q;
    logic [PW-1:0] open_q;  // bursts without a response
    wire          c_last = responses_q == c_bursts;
    wire          c_err  = err_q || m_axi_bresp_i != 2'b00;
    wire          report = m_axi_bvalid_i && c_last;
    wire          report_ready;

    /* verilator lint_off PINCONNECTEMPTY */
    espalier_fifo #(
        .WIDTH(NW),
        .DEPTH(MAX_AHEAD)
    ) u_bursts (
        .clk_i     (clk_i),
        .rst_i     (rst_i),
        .s_valid_i (job_done && !job_none),
        .s_ready_o (burst_ready),
        .s_data_i  (job_last >> GW),
        .m_valid_o (c_valid),
        .m_ready_i (report),
        .m_data_o  (c_bursts),
        .count_o   ()
    );

    espalier_fifo #(
        .WIDTH(1),
        .DEPTH(MAX_AHEAD)
    ) u_reports (
        .clk_i     (clk_i),
        .rst_i     (rst_i),
        .s_valid_i (report),
        .s_ready_o (report_ready),
        .s_data_i  (c_err),
        .m_valid_o (done_valid_o),
        .m_ready_i (done_ready_i),
        .m_data_o  (done_err_o),
        .count_o   ()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            responses_q <= '0;
            err_q       <= 1'b0;
            open_q      <= '0;
        end else begin
            if (m_axi_bvalid_i) begin
                responses_q <= c_last ? '0 : responses_q + 1'b1;
                err_q       <= c_err && !c_last;
            end
            open_q <= open_q + PW'(issue) - PW'(m_axi_bvalid_i);
        end
    end

    assign idle_o  = open_q == '0;
    assign empty_o = !d_valid;

    `ESPALIER_ASSERT(a_response, clk_i, rst_i, !m_axi_bvalid_i || (c_valid && open_q != '0))
    `ESPALIER_ASSERT(a_report, clk_i, rst_i, !report || report_ready)
    `ESPALIER_ASSERT(a_page, clk_i, rst_i,
                     !m_axi_awvalid_o || 32'(m_axi_awaddr_o[11:OW]) + 32'(m_axi_awlen_o) < 4096 / BW)
    `ESPALIER_ASSERT_STABLE(a_aw, clk_i, rst_i, m_axi_awvalid_o, m_axi_awready_i, {m_axi_awaddr_o, m_axi_awlen_o})
    `ESPALIER_ASSERT_STABLE(a_w, clk_i, rst_i, m_axi_wvalid_o, m_axi_wready_i,
                            {m_axi_wdata_o, m_axi_wstrb_o, m_axi_wlast_o})

endmodule

`default_nettype wire
