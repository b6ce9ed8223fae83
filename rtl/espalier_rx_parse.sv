// SPDX-License-Identifier: Apache-2.0
//
// First unit on the way of a received frame: takes it from the MAC, finds the ESP packet in it and that packet's SA,
// and hands frame and description to espalier_crypt.
//
// A frame's beats wait in a queue while its headers are looked at and its SA is looked up; many frames may be at that
// stage at once, so nothing is lost between frames. Nothing here stalls but the two ends: the MAC is told to wait
// when a queue is nearly full, and stages in between always move.

`default_nettype none
`include "espalier_assert.svh"

module espalier_rx_parse #(
    parameter int LANES = 1,            // 128-bit lanes of the data path
    parameter int NUM_SA = 1024,        // SA slots, a power of two
    parameter int MAX_FRAME = 9600,     // longest frame in bytes, 64 to 16383
    parameter int DW = 128 * LANES,     // derived: bits of a beat
    parameter int BW = DW / 8,          // derived: bytes of a beat
    parameter int SAW = $clog2(NUM_SA)  // derived: bits of a slot number
) (
    input  wire            clk_i,
    input  wire            rst_i,          // held for 16 cycles at least, so that lookups under way have ended

    input  wire            rx_enable_i,    // 0: whole frames vanish; looked at when a frame begins
    input  wire            ipsec_enable_i, // 0: no ESP packet is found
    input  wire  [3:0]     rx_default_i,   // queue of frames without SA
    output wire            idle_o,         // no frame is here, nor the beginning of one

    // from the MAC: whole frames without FCS, all beats but the last full; tuser on the last: bad frame
    input  wire            s_axis_tvalid_i,
    output logic           s_axis_tready_o,
    input  wire  [DW-1:0]  s_axis_tdata_i,
    input  wire  [BW-1:0]  s_axis_tkeep_i,
    input  wire            s_axis_tlast_i,
    input  wire            s_axis_tuser_i,

    // lookup, espalier_sa
    output wire            sa_req_valid_o,
    input  wire            sa_req_ready_i,
    output wire  [31:0]    sa_spi_o,
    output wire  [127:0]   sa_dst_o,
    output wire  [127:0]   sa_src_o,
    output wire            sa_ipv6_o,
    input  wire            sa_rsp_i,       // pulse, in order
    input  wire            sa_hit_i,
    input  wire  [31:0]    sa_handle_i,
    input  wire  [1:0]     sa_keylen_i,
    input  wire            sa_esn_i,
    input  wire  [31:0]    sa_esn_hi_i,
    input  wire  [31:0]    sa_salt_i,
    input  wire            sa_tunnel_i,
    input  wire  [3:0]     sa_queue_i,

    // frame description, espalier_crypt
    output logic           meta_valid_o,
    input  wire            meta_ready_i,
    output logic           meta_crypt_o,
    output logic [SAW-1:0] meta_sa_o,
    output logic [1:0]     meta_keylen_o,
    output logic           meta_esn_o,
    output logic [31:0]    meta_seqhi_o,
    output logic [31:0]    meta_salt_o,
    output logic [13:0]    meta_espoff_o,
    output logic [13:0]    meta_plen_o,
    output wire  [$clog2(BW)-1:0] meta_skip_o,
    output logic [espalier_pkg::RX_USER_W-1:0] meta_user_o,

    // frame, espalier_crypt; never offered before its description
    output wire            m_valid_o,
    input  wire            m_ready_i,
    output wire  [DW-1:0]  m_data_o,
    output wire            m_last_o,
    output wire  [$clog2(BW):0] m_count_o, // on the last beat: its bytes
    output wire            m_err_o,        // on the last beat: the frame is bad

    // statistics: a frame was accepted
    output logic           rx_frame_o,     // pulse
    output logic [13:0]    rx_bytes_o      // its bytes, at most 16383
);

    `ESPALIER_CHECK_PARAM(g_check_max_frame, MAX_FRAME >= 64 && MAX_FRAME <= 16383,
        "espalier_rx_parse: MAX_FRAME must be 64 to 16383")

    localparam int CW = $clog2(BW) + 1;             // bits of a number of bytes in a beat
    localparam int HEADER_BEATS = (62 + BW - 1) / BW; // 62 bytes: Ethernet, IPv6, ESP header
    localparam int HEADER = HEADER_BEATS * BW;
    localparam int MIN_FRAME = 14;                  // an Ethernet header
    localparam int BEATS = 32;                      // beats that wait: those of about 17 cycles, and room for pauses
    localparam int FRAMES = 16;                     // frames that wait for their description
    localparam int LOOKUPS = 8;                     // lookups that wait for their turn
    localparam int MARGIN = 5;                      // beats on their way to the slowest of these counts, a new one included

    // -----------------------------------------------------------------------------------------------------------------
    // In: a register for the beat, with its bytes counted.

    logic           in_valid_q, in_last_q, in_user_q;
    logic [DW-1:0]  in_data_q;
    logic [CW-1:0]  in_count_q;

    wire in_beat = s_axis_tvalid_i && s_axis_tready_o;

    function automatic logic [CW-1:0] count_ones(input logic [BW-1:0] keep);
        count_ones = '0;
        for (int i = 0; i < BW; i++) count_ones = count_ones + CW'(keep[i]);
    endfunction

    always_ff @(posedge clk_i) begin
        in_valid_q <= in_beat && !rst_i;
        if (in_beat) begin
            in_data_q  <= s_axis_tdata_i;
            in_last_q  <= s_axis_tlast_i;
            in_user_q  <= s_axis_tuser_i;
            if (s_axis_tlast_i) in_count_q <= count_ones(s_axis_tkeep_i);
            else                in_count_q <= CW'(BW);
        end
    end

    // -----------------------------------------------------------------------------------------------------------------
    // Length: a frame that cannot end within MAX_FRAME any more ends here, marked bad, and its rest vanishes.

    logic        inside_q;  // between a frame's first beat and its last
    logic        refused_q; // the frame began while RX_ENABLE was 0
    logic        cut_q;     // the frame has ended early
    logic [13:0] length_q;  // bytes before this beat, at most 16383

    wire         refused = inside_q ? refused_q : !rx_enable_i;
    wire         cut     = inside_q && cut_q;
    wire [13:0]  so_far  = inside_q ? length_q : 14'd0;
    wire [14:0]  sum     = {1'b0, so_far} + 15'(in_count_q);
    wire [13:0]  length  = sum[14] ? 14'h3fff : sum[13:0];
    wire         over    = in_last_q ? sum > 15'(MAX_FRAME) : sum >= 15'(MAX_FRAME);
    wire         w_valid = in_valid_q && !refused && !cut;
    wire         w_last  = in_last_q || over;
    wire         w_err   = over || in_user_q || length < 14'(MIN_FRAME);

    always_ff @(posedge clk_i) begin
        rx_frame_o <= in_valid_q && in_last_q && !refused && !rst_i;
        if (in_valid_q) begin
            inside_q   <= !in_last_q;
            refused_q  <= refused;
            cut_q      <= cut || over;
            length_q   <= length;
            rx_bytes_o <= length;
        end
        if (rst_i) inside_q <= 1'b0;
    end

    // -----------------------------------------------------------------------------------------------------------------
    // The frame waits.

    localparam int FCW = $clog2(BEATS + 1);

    wire           f_valid;
    wire [FCW-1:0] f_held;
    wire           granted; // the description of the frame at the head has been offered

    /* verilator lint_off PINCONNECTEMPTY */ // tready leaves room for every beat
    espalier_fifo #(.WIDTH(1 + 1 + CW + DW), .DEPTH(BEATS)) u_frames (
        .clk_i, .rst_i,
        .s_valid_i(w_valid), .s_ready_o(), .s_data_i({w_last, w_err, in_count_q, in_data_q}),
        .m_valid_o(f_valid), .m_ready_i(m_ready_i && granted), .m_data_o({m_last_o, m_err_o, m_count_o, m_data_o}),
        .count_o(f_held)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    assign m_valid_o = f_valid && granted;

    // -----------------------------------------------------------------------------------------------------------------
    // Headers: collected, looked at when complete or when the frame ends, and put in line.

    localparam int HIW = $clog2(HEADER_BEATS + 1);

    logic [8*HEADER-1:0] header_q;
    logic [HIW-1:0]      header_beat_q; // this beat's place among the header's, HEADER_BEATS when behind them
    logic                header_done_q;   // header_q is what there is of the header
    logic [13:0]         header_length_q;
    logic                h_done_q;        // and the h_* signals say what it means

    wire header_takes = w_valid && header_beat_q != HIW'(HEADER_BEATS);
    wire header_full  = header_beat_q == HIW'(HEADER_BEATS - 1);

    always_ff @(posedge clk_i) begin
        header_done_q <= header_takes && (header_full || w_last) && !rst_i;
        h_done_q      <= header_done_q && !rst_i;
        if (header_takes) begin
            for (int i = 0; i < HEADER_BEATS; i++) begin
                if (header_beat_q == HIW'(i)) header_q[DW*i +: DW] <= in_data_q;
            end
            header_length_q <= length;
        end
        if (w_valid) header_beat_q <= w_last ? '0 : header_takes ? header_beat_q + 1'b1 : header_beat_q;
        if (rst_i) header_beat_q <= '0;
    end

    wire         h_esp_packet, h_ipv6, h_fits;
    wire [31:0]  h_spi;
    wire [127:0] h_dst, h_src;
    wire [13:0]  h_offset, h_plen;

    espalier_rx_parse_header #(.MAX_FRAME(MAX_FRAME), .HEADER(HEADER)) u_header (
        .clk_i, .valid_i(header_done_q), .header_i(header_q), .length_i(header_length_q),
        .esp_o(h_esp_packet), .ipv6_o(h_ipv6), .spi_o(h_spi), .dst_o(h_dst), .src_o(h_src),
        .offset_o(h_offset), .fits_o(h_fits), .plen_o(h_plen)
    );

    wire h_esp = h_esp_packet && ipsec_enable_i;

    localparam int LCW = $clog2(LOOKUPS + 1);
    wire [LCW-1:0] q_held;

    /* verilator lint_off PINCONNECTEMPTY */
    espalier_fifo #(.WIDTH(1 + 32 + 128 + 128), .DEPTH(LOOKUPS)) u_lookups (
        .clk_i, .rst_i,
        .s_valid_i(h_done_q && h_esp), .s_ready_o(), .s_data_i({h_ipv6, h_spi, h_dst, h_src}),
        .m_valid_o(sa_req_valid_o), .m_ready_i(sa_req_ready_i), .m_data_o({sa_ipv6_o, sa_spi_o, sa_dst_o, sa_src_o}),
        .count_o(q_held)
    );

    localparam int PCW = $clog2(FRAMES + 1);
    wire           p_valid, p_esp, p_fits, p_take;
    wire [13:0]    p_offset, p_plen;
    wire [PCW-1:0] p_held;

    espalier_fifo #(.WIDTH(1 + 1 + 14 + 14), .DEPTH(FRAMES)) u_pending (
        .clk_i, .rst_i,
        .s_valid_i(h_done_q), .s_ready_o(), .s_data_i({h_esp, h_fits, h_offset, h_plen}),
        .m_valid_o(p_valid), .m_ready_i(p_take), .m_data_o({p_esp, p_fits, p_offset, p_plen}),
        .count_o(p_held)
    );

    // Answers: as many as there are frames in u_pending at most.
    wire        a_valid, a_hit, a_esn, a_tunnel;
    wire [31:0] a_handle, a_esn_hi, a_salt;
    wire [1:0]  a_keylen;
    wire [3:0]  a_queue;

    espalier_fifo #(.WIDTH(1 + 2 + 1 + 1 + 4 + 32 + 32 + 32), .DEPTH(FRAMES)) u_answers (
        .clk_i, .rst_i,
        .s_valid_i(sa_rsp_i), .s_ready_o(),
        .s_data_i({sa_hit_i, sa_keylen_i, sa_esn_i, sa_tunnel_i, sa_queue_i, sa_handle_i, sa_esn_hi_i, sa_salt_i}),
        .m_valid_o(a_valid), .m_ready_i(p_take && p_esp),
        .m_data_o({a_hit, a_keylen, a_esn, a_tunnel, a_queue, a_handle, a_esn_hi, a_salt}),
        .count_o()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    // -----------------------------------------------------------------------------------------------------------------
    // Out: the description.

    assign p_take      = p_valid && (!p_esp || a_valid) && (!meta_valid_o || meta_ready_i);
    assign meta_skip_o = '0;

    wire       sa_found = p_esp && a_hit;
    wire [1:0] rx_class = !p_esp ? espalier_pkg::RX_UNTOUCHED : !a_hit ? espalier_pkg::RX_NO_SA
                        : p_fits ? espalier_pkg::RX_SA : espalier_pkg::RX_BAD_LEN;

    always_ff @(posedge clk_i) begin
        if (p_take) begin
            meta_valid_o  <= 1'b1;
            meta_crypt_o  <= sa_found && p_fits;
            meta_sa_o     <= sa_found ? a_handle[SAW-1:0] : '0;
            meta_keylen_o <= sa_found ? a_keylen : '0;
            meta_esn_o    <= sa_found && a_esn;
            meta_seqhi_o  <= sa_found ? a_esn_hi : '0;
            meta_salt_o   <= sa_found ? a_salt : '0;
            meta_espoff_o <= p_offset;
            meta_plen_o   <= p_plen;
            meta_user_o   <= {rx_class, sa_found && a_tunnel, sa_found ? a_queue : rx_default_i, sa_found ? a_handle : 32'd0};
        end else if (meta_ready_i) begin
            meta_valid_o <= 1'b0;
        end
        if (rst_i) meta_valid_o <= 1'b0;
    end

    // Frames whose description has been offered and whose last beat is still here. The description register and the
    // crypt unit's own queue bound it, and the frames that fit into u_frames.
    localparam int GW = $clog2(BEATS + 1) + 1;
    logic [GW-1:0] granted_q;
    wire           leaves = m_valid_o && m_ready_i && m_last_o;

    assign granted = granted_q != '0;

    always_ff @(posedge clk_i) begin
        if (rst_i) granted_q <= '0;
        else       granted_q <= granted_q + GW'(p_take) - GW'(leaves);
    end

    // -----------------------------------------------------------------------------------------------------------------
    // Room for the beats that may still be on their way in, each of which may end a header or a frame.

    always_ff @(posedge clk_i) begin
        s_axis_tready_o <= !rst_i && f_held <= FCW'(BEATS - MARGIN) && p_held <= PCW'(FRAMES - MARGIN)
            && q_held <= LCW'(LOOKUPS - MARGIN);
    end

    assign idle_o = !in_valid_q && !inside_q && f_held == '0 && !header_done_q && !h_done_q && p_held == '0 && !meta_valid_o;

    `ESPALIER_ASSERT(a_frames_room, clk_i, rst_i, !w_valid || f_held != FCW'(BEATS))
    `ESPALIER_ASSERT(a_pending_room, clk_i, rst_i, !h_done_q || p_held != PCW'(FRAMES))
    `ESPALIER_ASSERT(a_lookups_room, clk_i, rst_i, !(h_done_q && h_esp) || q_held != LCW'(LOOKUPS))
    `ESPALIER_ASSERT(a_answer_due, clk_i, rst_i, !sa_rsp_i || p_valid)
    `ESPALIER_ASSERT(a_granted, clk_i, rst_i, granted_q <= GW'(BEATS))
    `ESPALIER_ASSERT_STABLE(a_meta_stable, clk_i, rst_i, meta_valid_o, meta_ready_i, {meta_user_o, meta_plen_o, meta_salt_o})

endmodule

`default_nettype wire
