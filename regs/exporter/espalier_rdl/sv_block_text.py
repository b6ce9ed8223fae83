# SPDX-License-Identifier: Apache-2.0
"""The parts of the register block that do not depend on the register source."""

HEAD = """
// The registers of page 0 and of the SA window behind an AXI4-Lite slave, and a register bus for those that live
// in other units (queue pages, statistics, cycle counter).
//
// An access outside every register is answered with DECERR and changes nothing; a read of a write-only
// register is zero, a write to a read-only one is ignored. One access runs at a time; reads and writes that wait
// together take turns. Byte strobes are honoured.
//
// Ports per field, <register>_<field>: _o what software wrote, _i what software reads. A field that both write
// is loaded from _i when <register>_we_i is 1. <register>_wr_o is 1 for the one cycle in which a value just
// written is first on _o. _set_o, _clear_o and the _o of event registers (int_arm, int_set) are one-cycle
// pulses of the bits that software wrote as 1. The elements of an array are one vector, element 0 lowest.
"""

AXIL_PORTS = """
    input  wire logic clk_i,
    input  wire logic rst_i,
    // While 1, every stored field holds its reset value and no event is passed on. The bus keeps answering.
    input  wire logic soft_rst_i,

    // AXI4-Lite slave.
    input  wire logic [@MSB@:0] s_axil_awaddr_i,
    input  wire logic s_axil_awvalid_i,
    output      logic s_axil_awready_o,
    input  wire logic [31:0] s_axil_wdata_i,
    input  wire logic [3:0] s_axil_wstrb_i,
    input  wire logic s_axil_wvalid_i,
    output      logic s_axil_wready_o,
    output      logic [1:0] s_axil_bresp_o,
    output      logic s_axil_bvalid_o,
    input  wire logic s_axil_bready_i,
    input  wire logic [@MSB@:0] s_axil_araddr_i,
    input  wire logic s_axil_arvalid_i,
    output      logic s_axil_arready_o,
    output      logic [31:0] s_axil_rdata_o,
    output      logic [1:0] s_axil_rresp_o,
    output      logic s_axil_rvalid_o,
    input  wire logic s_axil_rready_i,

    // Register bus to the other units. An access is held, unchanged, until the cycle in which ready is 1; rdata and
    // error count in that cycle, wdata and wstrb in writes. The address is a byte address in BAR 0, aligned to 4. An
    // error becomes DECERR.
    output      logic ext_valid_o,
    output      logic ext_write_o,
    output      logic [@MSB@:0] ext_addr_o,
    output      logic [31:0] ext_wdata_o,
    output      logic [3:0] ext_wstrb_o,
    input  wire logic ext_ready_i,
    input  wire logic [31:0] ext_rdata_i,
    input  wire logic ext_error_i,
"""

ACCESS = """
    // -------------------------------------------------------------------------
    // Bus.

    localparam logic [1:0] RESP_OKAY = 2'b00;
    localparam logic [1:0] RESP_DECERR = 2'b11;

    // Each channel holds one transfer until its access is done.
    logic aw_full_q, w_full_q, ar_full_q;
    logic [@WORD_MSB@:0] aw_word_q, ar_word_q;
    logic [31:0] wdata_q;
    logic [3:0] wstrb_q;
    logic bvalid_q, rvalid_q;
    logic [1:0] bresp_q, rresp_q;
    logic [31:0] rdata_q;

    // The access under way. A direction may start only when its response before was taken, so a master that takes
    // no B does not stop reads, nor the other way round. Reads go first, and still a write waits for one at most:
    // after an access its direction has nothing to start in the next cycle.
    logic busy_q, busy_write_q;
    logic want_write, want_read, active, is_write, done;
    logic mapped;
    logic [31:0] rdata;
    logic [1:0] resp;
    logic write_now;
    logic [31:0] wmask;

    assign want_write = aw_full_q && w_full_q && !bvalid_q;
    assign want_read = ar_full_q && !rvalid_q;
    assign active = busy_q || want_write || want_read;
    assign is_write = busy_q ? busy_write_q : want_write && !want_read;
    assign word = is_write ? aw_word_q : ar_word_q;
    assign done = active && (!external || ext_ready_i);
    assign resp = (external ? ext_error_i : !mapped) ? RESP_DECERR : RESP_OKAY;
    assign write_now = active && is_write;
    assign wmask = {{8{wstrb_q[3]}}, {8{wstrb_q[2]}}, {8{wstrb_q[1]}}, {8{wstrb_q[0]}}};

    assign s_axil_awready_o = !aw_full_q;
    assign s_axil_wready_o = !w_full_q;
    assign s_axil_arready_o = !ar_full_q;
    assign s_axil_bvalid_o = bvalid_q;
    assign s_axil_bresp_o = bresp_q;
    assign s_axil_rvalid_o = rvalid_q;
    assign s_axil_rresp_o = rresp_q;
    assign s_axil_rdata_o = rdata_q;

    assign ext_valid_o = active && external;
    assign ext_write_o = is_write;
    assign ext_addr_o = {word, 2'b00};
    assign ext_wdata_o = wdata_q;
    assign ext_wstrb_o = wstrb_q;

    logic unused_address_bits;
    assign unused_address_bits = ^{s_axil_awaddr_i[1:0], s_axil_araddr_i[1:0]};

    always_ff @(posedge clk_i) begin
        if (s_axil_awvalid_i && !aw_full_q) begin
            aw_full_q <= 1'b1;
            aw_word_q <= s_axil_awaddr_i[@MSB@:2];
        end
        if (s_axil_wvalid_i && !w_full_q) begin
            w_full_q <= 1'b1;
            wdata_q <= s_axil_wdata_i;
            wstrb_q <= s_axil_wstrb_i;
        end
        if (s_axil_arvalid_i && !ar_full_q) begin
            ar_full_q <= 1'b1;
            ar_word_q <= s_axil_araddr_i[@MSB@:2];
        end
        if (s_axil_bready_i) bvalid_q <= 1'b0;
        if (s_axil_rready_i) rvalid_q <= 1'b0;

        busy_q <= active && !done;
        busy_write_q <= is_write;
        if (done) begin
            if (is_write) begin
                aw_full_q <= 1'b0;
                w_full_q <= 1'b0;
                bvalid_q <= 1'b1;
                bresp_q <= resp;
            end else begin
                ar_full_q <= 1'b0;
                rvalid_q <= 1'b1;
                rresp_q <= resp;
                rdata_q <= resp == RESP_DECERR ? 32'd0 : external ? ext_rdata_i : rdata;
            end
        end

        if (rst_i) begin
            aw_full_q <= 1'b0;
            w_full_q <= 1'b0;
            ar_full_q <= 1'b0;
            aw_word_q <= '0;
            ar_word_q <= '0;
            wdata_q <= 32'd0;
            wstrb_q <= 4'd0;
            bvalid_q <= 1'b0;
            bresp_q <= RESP_OKAY;
            rvalid_q <= 1'b0;
            rresp_q <= RESP_OKAY;
            rdata_q <= 32'd0;
            busy_q <= 1'b0;
            busy_write_q <= 1'b0;
        end
    end
"""

ASSERTIONS = """
    `ESPALIER_ASSERT_STABLE(b_stable, clk_i, rst_i, s_axil_bvalid_o, s_axil_bready_i, s_axil_bresp_o)
    `ESPALIER_ASSERT_STABLE(r_stable, clk_i, rst_i, s_axil_rvalid_o, s_axil_rready_i, {s_axil_rresp_o, s_axil_rdata_o})
    `ESPALIER_ASSERT_STABLE(ext_stable, clk_i, rst_i, ext_valid_o, ext_ready_i,
        {ext_write_o, ext_addr_o, ext_write_o ? {ext_wstrb_o, ext_wdata_o} : 36'd0})
    // A unit answers only what it was asked.
    `ESPALIER_ASSERT(ext_ready_asked, clk_i, rst_i, ext_valid_o || !ext_ready_i)
"""
