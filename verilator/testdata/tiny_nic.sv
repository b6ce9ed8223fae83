// SPDX-License-Identifier: Apache-2.0
//
// The smallest thing with the edge of a NIC: what a design must offer to be
// loaded, and a test bed for the bus models. It has registers, copies memory,
// sends frames back, raises interrupts, and misbehaves on request.
//
//   0x00  ID          reads "TINY"
//   0x04  SCRATCH     byte strobes honoured
//   0x08  MISBEHAVE   see the MB_ constants
//   0x0C  INTERRUPT   pulses the vectors written 1
//   0x10  SRC_LO  0x14 SRC_HI  0x18 DST_LO  0x1C DST_HI
//   0x20  CHUNKS      64-byte chunks to copy; writing starts, reading gives those left
//   0x24  STROBE      byte strobes of each chunk's first beat, all ones after reset
//   0x28  RESULT      bit 0: a read failed, bit 1: a write failed; cleared by CHUNKS
//   0x2C  FRAMES      frames sent back
//   0x30  VECTOR      interrupt vector raised when a copy is done
//   0x34  BUILD_ID
//   0x38  INTERLEAVED read beats that came inside another chunk's burst
//   0x3C  OVERTAKEN   chunks whose read ended out of turn
//   0x40+ BANK        16 words of memory
// Anything else answers with a bus error.

`default_nettype none

module tiny_nic #(
    parameter int LANES = 1,
    parameter int NUM_VECTORS = 8,
    parameter logic [31:0] BUILD_ID = 32'd0,
    localparam int DW = 128 * LANES,
    localparam int BW = DW / 8
) (
    input  wire logic clk_i,
    input  wire logic rst_i,

    input  wire logic [17:0] s_axil_awaddr_i,
    input  wire logic        s_axil_awvalid_i,
    output      logic        s_axil_awready_o,
    input  wire logic [31:0] s_axil_wdata_i,
    input  wire logic [3:0]  s_axil_wstrb_i,
    input  wire logic        s_axil_wvalid_i,
    output      logic        s_axil_wready_o,
    output      logic [1:0]  s_axil_bresp_o,
    output      logic        s_axil_bvalid_o,
    input  wire logic        s_axil_bready_i,
    input  wire logic [17:0] s_axil_araddr_i,
    input  wire logic        s_axil_arvalid_i,
    output      logic        s_axil_arready_o,
    output      logic [31:0] s_axil_rdata_o,
    output      logic [1:0]  s_axil_rresp_o,
    output      logic        s_axil_rvalid_o,
    input  wire logic        s_axil_rready_i,

    output      logic [3:0]    m_axi_awid_o,
    output      logic [63:0]   m_axi_awaddr_o,
    output      logic [7:0]    m_axi_awlen_o,
    output      logic [2:0]    m_axi_awsize_o,
    output      logic [1:0]    m_axi_awburst_o,
    output      logic          m_axi_awvalid_o,
    input  wire logic          m_axi_awready_i,
    output      logic [DW-1:0] m_axi_wdata_o,
    output      logic [BW-1:0] m_axi_wstrb_o,
    output      logic          m_axi_wlast_o,
    output      logic          m_axi_wvalid_o,
    input  wire logic          m_axi_wready_i,
    input  wire logic [3:0]    m_axi_bid_i,
    input  wire logic [1:0]    m_axi_bresp_i,
    input  wire logic          m_axi_bvalid_i,
    output      logic          m_axi_bready_o,
    output      logic [3:0]    m_axi_arid_o,
    output      logic [63:0]   m_axi_araddr_o,
    output      logic [7:0]    m_axi_arlen_o,
    output      logic [2:0]    m_axi_arsize_o,
    output      logic [1:0]    m_axi_arburst_o,
    output      logic          m_axi_arvalid_o,
    input  wire logic          m_axi_arready_i,
    input  wire logic [3:0]    m_axi_rid_i,
    input  wire logic [DW-1:0] m_axi_rdata_i,
    input  wire logic [1:0]    m_axi_rresp_i,
    input  wire logic          m_axi_rlast_i,
    input  wire logic          m_axi_rvalid_i,
    output      logic          m_axi_rready_o,

    output      logic [DW-1:0] m_axis_mac_tdata_o,
    output      logic [BW-1:0] m_axis_mac_tkeep_o,
    output      logic          m_axis_mac_tvalid_o,
    input  wire logic          m_axis_mac_tready_i,
    output      logic          m_axis_mac_tlast_o,
    output      logic          m_axis_mac_tuser_o,

    input  wire logic [DW-1:0] s_axis_mac_tdata_i,
    input  wire logic [BW-1:0] s_axis_mac_tkeep_i,
    input  wire logic          s_axis_mac_tvalid_i,
    output      logic          s_axis_mac_tready_o,
    input  wire logic          s_axis_mac_tlast_i,
    input  wire logic          s_axis_mac_tuser_i,

    output      logic [NUM_VECTORS-1:0] irq_o
);

    localparam logic [31:0] ID = 32'h594E4954; // "TINY"

    // Values of MISBEHAVE.
    localparam logic [7:0] MB_FATAL       = 8'd1;  // $fatal
    localparam logic [7:0] MB_ASSERT      = 8'd2;  // an assertion fails
    localparam logic [7:0] MB_STOP        = 8'd3;  // $stop
    localparam logic [7:0] MB_FINISH      = 8'd4;  // $finish
    localparam logic [7:0] MB_HANG        = 8'd5;  // register reads are not answered any more
    localparam logic [7:0] MB_AXI_4K      = 8'd6;  // a read burst across 4 KiB
    localparam logic [7:0] MB_AXI_WITHDRAW = 8'd7; // ARVALID falls at once
    localparam logic [7:0] MB_AXI_CHANGE  = 8'd8;  // the read address changes while it waits
    localparam logic [7:0] MB_AXI_NARROW  = 8'd9;  // a read burst of narrow beats
    localparam logic [7:0] MB_WLAST       = 8'd10; // a write burst ends early
    localparam logic [7:0] MB_MAC_GAP     = 8'd11; // a frame with a gap
    localparam logic [7:0] MB_MAC_KEEP    = 8'd12; // a frame with a hole in TKEEP
    localparam logic [7:0] MB_NO_ASSERT   = 8'd13; // the condition of MB_ASSERT holds: nothing
    localparam logic [7:0] MB_DISPLAY     = 8'd14; // prints a line

    localparam int BEATS = 64 / BW; // beats of a chunk
    localparam int CW = BEATS == 1 ? 1 : $clog2(BEATS);
    localparam logic [CW-1:0] LAST = CW'(BEATS - 1);

    wire unused = &{s_axil_awaddr_i[1:0], s_axil_araddr_i[1:0], m_axi_bid_i[3:2]};

    // Registers ---------------------------------------------------------------
    logic [31:0] scratch_q;
    logic [7:0]  misbehave_q;
    logic [63:0] src_q, dst_q;
    logic [31:0] left_q;
    logic [BW-1:0] strobe_q;
    logic [1:0]  result_q;
    logic [31:0] frames_q;
    logic [4:0]  vector_q;
    logic [31:0] bank [0:15] /* verilator public_flat_rd */;
    logic        hang_q;
    logic [NUM_VECTORS-1:0] irq_q;
    logic        start_q;

    wire write = s_axil_awvalid_i && s_axil_wvalid_i && !s_axil_bvalid_o;
    assign s_axil_awready_o = write;
    assign s_axil_wready_o = write;
    wire [15:0] waddr = s_axil_awaddr_i[17:2];
    wire [31:0] wmask = {{8{s_axil_wstrb_i[3]}}, {8{s_axil_wstrb_i[2]}}, {8{s_axil_wstrb_i[1]}}, {8{s_axil_wstrb_i[0]}}};

    logic copy_done, read_failed, write_failed;

    always_ff @(posedge clk_i) begin
        irq_q <= '0;
        start_q <= 1'b0;
        misbehave_q <= 8'd0;
        if (s_axil_bready_i) s_axil_bvalid_o <= 1'b0;
        if (write) begin
            s_axil_bvalid_o <= 1'b1;
            s_axil_bresp_o <= 2'b00;
            casez (waddr)
                16'h01: scratch_q <= (scratch_q & ~wmask) | (s_axil_wdata_i & wmask);
                16'h02: begin
                    misbehave_q <= s_axil_wdata_i[7:0];
                    if (s_axil_wdata_i[7:0] == MB_HANG) hang_q <= 1'b1;
                end
                16'h03: irq_q <= s_axil_wdata_i[NUM_VECTORS-1:0];
                16'h04: src_q[31:0] <= s_axil_wdata_i;
                16'h05: src_q[63:32] <= s_axil_wdata_i;
                16'h06: dst_q[31:0] <= s_axil_wdata_i;
                16'h07: dst_q[63:32] <= s_axil_wdata_i;
                16'h08: begin
                    left_q <= s_axil_wdata_i;
                    start_q <= 1'b1;
                    result_q <= 2'd0;
                end
                16'h09: strobe_q <= {{BW-16{1'b1}}, s_axil_wdata_i[15:0]};
                16'h0C: vector_q <= s_axil_wdata_i[4:0];
                16'b0000_0000_0001_????: bank[waddr[3:0]] <= s_axil_wdata_i;
                default: s_axil_bresp_o <= 2'b11;
            endcase
        end
        if (copy_done) begin
            left_q <= 32'd0;
            irq_q <= NUM_VECTORS'(1) << vector_q;
        end
        if (read_failed) result_q[0] <= 1'b1;
        if (write_failed) result_q[1] <= 1'b1;
        if (rst_i) begin
            s_axil_bvalid_o <= 1'b0;
            scratch_q <= 32'd0;
            hang_q <= 1'b0;
            left_q <= 32'd0;
            result_q <= 2'd0;
            strobe_q <= '1;
            vector_q <= 5'd0;
            irq_q <= '0;
            start_q <= 1'b0;
        end
    end

    assign irq_o = irq_q;

    assign s_axil_arready_o = s_axil_arvalid_i && !s_axil_rvalid_o && !hang_q;
    wire [15:0] raddr = s_axil_araddr_i[17:2];

    always_ff @(posedge clk_i) begin
        if (s_axil_rready_i) s_axil_rvalid_o <= 1'b0;
        if (s_axil_arready_o) begin
            s_axil_rvalid_o <= 1'b1;
            s_axil_rresp_o <= 2'b00;
            s_axil_rdata_o <= 32'd0;
            casez (raddr)
                16'h00: s_axil_rdata_o <= ID;
                16'h01: s_axil_rdata_o <= scratch_q;
                16'h04: s_axil_rdata_o <= src_q[31:0];
                16'h05: s_axil_rdata_o <= src_q[63:32];
                16'h06: s_axil_rdata_o <= dst_q[31:0];
                16'h07: s_axil_rdata_o <= dst_q[63:32];
                16'h08: s_axil_rdata_o <= left_q;
                16'h0A: s_axil_rdata_o <= {30'd0, result_q};
                16'h0B: s_axil_rdata_o <= frames_q;
                16'h0D: s_axil_rdata_o <= BUILD_ID;
                16'h0E: s_axil_rdata_o <= interleaved_q;
                16'h0F: s_axil_rdata_o <= overtaken_q;
                16'b0000_0000_0001_????: s_axil_rdata_o <= bank[raddr[3:0]];
                default: s_axil_rresp_o <= 2'b11;
            endcase
        end
        if (rst_i) s_axil_rvalid_o <= 1'b0;
    end

    // Misbehaviour ------------------------------------------------------------
    always @(posedge clk_i) begin
        if (!rst_i) begin
            if (misbehave_q == MB_FATAL) $fatal(1, "fatal on request");
            if (misbehave_q == MB_STOP) $stop;
            if (misbehave_q == MB_FINISH) $finish;
            if (misbehave_q == MB_DISPLAY) $display("hello from the design");
            assert (misbehave_q != MB_ASSERT || misbehave_q == MB_NO_ASSERT) else $error("assertion on request");
        end
    end

    // Copying: four chunks at a time, each with its own ID, so that reads may come back in any order, interleaved ----
    logic [3:0]   read_out_q;   // chunk buffer waits for data
    logic [3:0]   full_q;       // chunk buffer holds data that is not written yet
    logic [3:0]   write_out_q;  // write response awaited
    logic [3:0]   failed_q;     // its read failed
    logic [DW-1:0] buffer [0:4*BEATS-1];
    logic [CW-1:0] fill_q [0:3];
    logic [31:0]  to_read_q, to_finish_q, read_chunk_q, write_chunk_q;
    logic [CW-1:0] beat_q;
    logic         running_q, aw_done_q, w_done_q;
    logic         bad_ar_q;
    logic [31:0]  interleaved_q, overtaken_q;
    logic         inside_q;    // a burst has begun and not ended
    logic [1:0]   inside_id_q; // the last beat's ID
    logic [1:0]   oldest_id_q; // ID of the chunk to end next if none overtakes another

    wire [1:0] read_id = read_chunk_q[1:0];
    wire [1:0] write_id = write_chunk_q[1:0];
    wire can_read = running_q && to_read_q != 0 && !read_out_q[read_id] && !full_q[read_id] && !write_out_q[read_id];

    wire misbehave_ar = misbehave_q == MB_AXI_4K || misbehave_q == MB_AXI_WITHDRAW || misbehave_q == MB_AXI_CHANGE || misbehave_q == MB_AXI_NARROW;

    assign m_axi_rready_o = 1'b1;
    assign m_axi_bready_o = 1'b1;

    wire r_take = m_axi_rvalid_i;
    wire [1:0] r_id = m_axi_rid_i[1:0];
    wire b_take = m_axi_bvalid_i;
    wire [1:0] b_id = m_axi_bid_i[1:0];

    // A chunk whose read failed is not written.
    wire skip_write = running_q && full_q[write_id] && failed_q[write_id];
    wire can_write = running_q && full_q[write_id] && !failed_q[write_id];
    wire aw_take = m_axi_awvalid_o && m_axi_awready_i;
    wire w_take = m_axi_wvalid_o && m_axi_wready_i;
    wire w_end = w_take && m_axi_wlast_o;
    wire write_sent = (aw_done_q || aw_take) && (w_done_q || w_end);

    assign m_axi_awid_o = {2'b00, write_id};
    assign m_axi_awaddr_o = dst_q + {26'd0, write_chunk_q, 6'd0};
    assign m_axi_awlen_o = 8'(BEATS - 1);
    assign m_axi_awsize_o = 3'($clog2(BW));
    assign m_axi_awburst_o = 2'b01;
    assign m_axi_awvalid_o = can_write && !aw_done_q;
    assign m_axi_wdata_o = buffer[{write_id, beat_q}];
    assign m_axi_wstrb_o = beat_q == 0 ? strobe_q : '1;
    assign m_axi_wlast_o = beat_q == LAST || bad_wlast_q;
    assign m_axi_wvalid_o = can_write && !w_done_q;

    logic bad_wlast_q;
    assign copy_done = running_q && to_finish_q == 0;

    logic ar_valid_q;
    assign m_axi_arvalid_o = ar_valid_q;

    always_ff @(posedge clk_i) begin
        read_failed <= 1'b0;
        write_failed <= 1'b0;
        if (start_q) begin
            running_q <= 1'b1;
            to_read_q <= left_q;
            to_finish_q <= left_q;
            read_chunk_q <= 32'd0;
            write_chunk_q <= 32'd0;
            oldest_id_q <= 2'd0;
        end
        if (copy_done) running_q <= 1'b0;

        // Read addresses.
        if (m_axi_arready_i) ar_valid_q <= 1'b0;
        if ((!ar_valid_q || m_axi_arready_i) && can_read) begin
            ar_valid_q <= 1'b1;
            m_axi_arid_o <= {2'b00, read_id};
            m_axi_araddr_o <= src_q + {26'd0, read_chunk_q, 6'd0};
            m_axi_arlen_o <= 8'(BEATS - 1);
            m_axi_arsize_o <= 3'($clog2(BW));
            m_axi_arburst_o <= 2'b01;
            read_out_q[read_id] <= 1'b1;
            read_chunk_q <= read_chunk_q + 1;
            to_read_q <= to_read_q - 1;
        end
        if (misbehave_ar) begin
            ar_valid_q <= 1'b1;
            bad_ar_q <= 1'b1;
            m_axi_arid_o <= 4'd15;
            m_axi_araddr_o <= 64'h1000 - 64'(BW);
            m_axi_arlen_o <= misbehave_q == MB_AXI_4K ? 8'd1 : 8'd0;
            m_axi_arsize_o <= misbehave_q == MB_AXI_NARROW ? 3'd2 : 3'($clog2(BW));
            m_axi_arburst_o <= 2'b01;
        end
        if (bad_ar_q) begin
            // The memory's ready is 0 in this cycle where the test asked for it by stalling.
            bad_ar_q <= 1'b0;
            if (m_axi_arid_o == 4'd15 && !m_axi_arready_i) begin
                ar_valid_q <= scratch_q[0];
                m_axi_araddr_o <= m_axi_araddr_o ^ 64'h40;
            end
        end

        // Read data.
        if (r_take && m_axi_rid_i[3:2] == 2'b00) begin
            buffer[{r_id, fill_q[r_id]}] <= m_axi_rdata_i;
            fill_q[r_id] <= fill_q[r_id] == LAST ? '0 : fill_q[r_id] + 1'b1;
            if (fill_q[r_id] == 0) failed_q[r_id] <= m_axi_rresp_i != 2'b00;
            if (m_axi_rresp_i != 2'b00) read_failed <= 1'b1;
            assert (m_axi_rlast_i == (fill_q[r_id] == LAST)) else $error("RLAST is wrong");
            assert (read_out_q[r_id]) else $error("read data that was not asked for");
            inside_q <= !m_axi_rlast_i;
            inside_id_q <= r_id;
            if (inside_q && r_id != inside_id_q) interleaved_q <= interleaved_q + 1;
            if (m_axi_rlast_i) begin
                // In order, chunks end as 0, 1, 2, 3, 0 ...
                if (r_id != oldest_id_q) overtaken_q <= overtaken_q + 1;
                oldest_id_q <= oldest_id_q + 1'b1;
                read_out_q[r_id] <= 1'b0;
                full_q[r_id] <= 1'b1;
            end
        end

        // Writes, chunk by chunk.
        if (misbehave_q == MB_WLAST) bad_wlast_q <= 1'b1;
        if (aw_take) aw_done_q <= 1'b1;
        if (w_take) beat_q <= w_end ? '0 : beat_q + 1'b1;
        if (w_end) w_done_q <= 1'b1;
        if (write_sent || skip_write) begin
            aw_done_q <= 1'b0;
            w_done_q <= 1'b0;
            full_q[write_id] <= 1'b0;
            write_out_q[write_id] <= !skip_write;
            write_chunk_q <= write_chunk_q + 1;
        end
        if (b_take) begin
            assert (write_out_q[b_id]) else $error("write response that was not asked for");
            write_out_q[b_id] <= 1'b0;
            if (m_axi_bresp_i != 2'b00) write_failed <= 1'b1;
        end
        if (!start_q && (b_take || skip_write)) to_finish_q <= to_finish_q - 32'(b_take) - 32'(skip_write);

        if (rst_i) begin
            running_q <= 1'b0;
            ar_valid_q <= 1'b0;
            bad_ar_q <= 1'b0;
            bad_wlast_q <= 1'b0;
            inside_q <= 1'b0;
            oldest_id_q <= 2'd0;
            interleaved_q <= 32'd0;
            overtaken_q <= 32'd0;
            read_out_q <= 4'd0;
            full_q <= 4'd0;
            write_out_q <= 4'd0;
            aw_done_q <= 1'b0;
            w_done_q <= 1'b0;
            beat_q <= '0;
            to_read_q <= 32'd0;
            to_finish_q <= 32'd0;
            for (int i = 0; i < 4; i++) fill_q[i] <= '0;
        end
    end

    // Frames come back whole: toward the MAC there may be no gap ---------------------------------------------------
    localparam int DEPTH = 4096;
    localparam int PW = $clog2(DEPTH);
    logic [DW+BW+1:0] store [0:DEPTH-1];
    logic [PW:0] put_q, get_q, whole_q;
    logic [1:0] gap_q;
    logic bad_keep_q;
    wire [DW+BW+1:0] head = store[get_q[PW-1:0]];

    assign s_axis_mac_tready_o = put_q - get_q != (PW+1)'(DEPTH);
    assign m_axis_mac_tvalid_o = whole_q != 0 && gap_q != 2'd1;
    assign m_axis_mac_tdata_o = head[DW-1:0];
    assign m_axis_mac_tkeep_o = bad_keep_q ? BW'(5) : head[DW+BW-1:DW];
    assign m_axis_mac_tlast_o = head[DW+BW];
    assign m_axis_mac_tuser_o = head[DW+BW+1];
    wire put = s_axis_mac_tvalid_i && s_axis_mac_tready_o;
    wire get = m_axis_mac_tvalid_o && m_axis_mac_tready_i;

    always_ff @(posedge clk_i) begin
        if (put) begin
            store[put_q[PW-1:0]] <= {s_axis_mac_tuser_i, s_axis_mac_tlast_i, s_axis_mac_tkeep_i, s_axis_mac_tdata_i};
            put_q <= put_q + 1'b1;
        end
        if (get) get_q <= get_q + 1'b1;
        whole_q <= whole_q + (PW+1)'(put && s_axis_mac_tlast_i) - (PW+1)'(get && m_axis_mac_tlast_o);
        if (get && m_axis_mac_tlast_o) frames_q <= frames_q + 1;
        if (misbehave_q == MB_MAC_GAP) gap_q <= 2'd2;
        if (misbehave_q == MB_MAC_KEEP) bad_keep_q <= 1'b1;
        if (gap_q != 0 && get && !m_axis_mac_tlast_o) gap_q <= gap_q - 1'b1;
        if (rst_i) begin
            put_q <= '0;
            get_q <= '0;
            whole_q <= '0;
            gap_q <= 2'd0;
            bad_keep_q <= 1'b0;
            frames_q <= 32'd0;
        end
    end

endmodule

`default_nettype wire
