// SPDX-License-Identifier: Apache-2.0
//
// Two masters in front of espalier_regs: the host's AXI4-Lite, which passes through in the same cycle, and the control
// processor's accesses to what is not in espalier_cp. The processor starts only while the host has nothing open in that
// direction; of two that wait, the host goes first and then the other.
//
// The SA window is the processor's: the host's accesses to page 1, SA_NONCE excepted, go to the page's last word instead,
// where no register is, and so end as a bus error and change nothing.

`default_nettype none

module espalier_cp_bus (
    input  wire         clk_i,
    input  wire         rst_i,

    // the host
    input  wire  [17:0] s_axil_awaddr_i,
    input  wire         s_axil_awvalid_i,
    output wire         s_axil_awready_o,
    input  wire  [31:0] s_axil_wdata_i,
    input  wire  [3:0]  s_axil_wstrb_i,
    input  wire         s_axil_wvalid_i,
    output wire         s_axil_wready_o,
    output wire         s_axil_bvalid_o,
    input  wire         s_axil_bready_i,
    input  wire  [17:0] s_axil_araddr_i,
    input  wire         s_axil_arvalid_i,
    output wire         s_axil_arready_o,
    output wire         s_axil_rvalid_o,
    input  wire         s_axil_rready_i,

    // the processor; a request is held until ready_o, or given up: then it ends by itself and idle_o says when
    input  wire         valid_i,
    input  wire         write_i,
    input  wire  [17:0] addr_i,
    input  wire  [31:0] wdata_i,
    input  wire  [3:0]  wstrb_i,
    output wire         ready_o,
    output wire         error_o, // with ready_o; read data is the register block's
    output wire         idle_o,
    output wire         reading_o, // a read that espalier_regs does now is the processor's

    // espalier_regs; response codes and read data go to both masters
    output wire  [17:0] m_axil_awaddr_o,
    output wire         m_axil_awvalid_o,
    input  wire         m_axil_awready_i,
    output wire  [31:0] m_axil_wdata_o,
    output wire  [3:0]  m_axil_wstrb_o,
    output wire         m_axil_wvalid_o,
    input  wire         m_axil_wready_i,
    input  wire  [1:0]  m_axil_bresp_i,
    input  wire         m_axil_bvalid_i,
    output wire         m_axil_bready_o,
    output wire  [17:0] m_axil_araddr_o,
    output wire         m_axil_arvalid_o,
    input  wire         m_axil_arready_i,
    input  wire  [1:0]  m_axil_rresp_i,
    input  wire         m_axil_rvalid_i,
    output wire         m_axil_rready_o
);

    localparam logic [5:0]  WINDOW_PAGE = espalier_regs_pkg::SA_CMD_ADDR[17:12];
    localparam logic [17:0] NOWHERE     = {WINDOW_PAGE, 12'hFFC};
    localparam logic [14:0] NONCE       = espalier_regs_pkg::SA_NONCE_ADDR[17:3]; // two words

    wire [17:0] host_awaddr = s_axil_awaddr_i[17:12] == WINDOW_PAGE && s_axil_awaddr_i[17:3] != NONCE ? NOWHERE : s_axil_awaddr_i;
    wire [17:0] host_araddr = s_axil_araddr_i[17:12] == WINDOW_PAGE && s_axil_araddr_i[17:3] != NONCE ? NOWHERE : s_axil_araddr_i;

    // The processor's access under way in espalier_regs.
    logic read_q, write_q;
    // The host's: transfers taken whose response was not.
    logic [1:0] ar_open_q, aw_open_q, w_open_q;
    // The host went while the processor waited: it lets the processor go before it begins another access.
    logic yield_read_q, yield_write_q;

    wire wants_read  = valid_i && !write_i && !read_q && !write_q;
    wire wants_write = valid_i && write_i && !read_q && !write_q;

    // Reads.
    wire core_read = wants_read && ar_open_q == 2'd0 && (yield_read_q || !s_axil_arvalid_i);
    wire host_ar   = !read_q && !(wants_read && yield_read_q);

    assign m_axil_araddr_o  = core_read ? addr_i : host_araddr;
    assign m_axil_arvalid_o = core_read || (s_axil_arvalid_i && host_ar);
    assign s_axil_arready_o = m_axil_arready_i && host_ar;
    assign s_axil_rvalid_o  = m_axil_rvalid_i && !read_q;
    assign m_axil_rready_o  = read_q || s_axil_rready_i;

    // Writes. An address whose word came already, or the other way round, belongs to an access that has begun.
    wire core_write = wants_write && aw_open_q == 2'd0 && w_open_q == 2'd0
                      && (yield_write_q || (!s_axil_awvalid_i && !s_axil_wvalid_i));
    wire host_begin = !write_q && !(wants_write && yield_write_q);
    wire host_aw    = host_begin || aw_open_q < w_open_q;
    wire host_w     = host_begin || w_open_q < aw_open_q;

    assign m_axil_awaddr_o  = core_write ? addr_i : host_awaddr;
    assign m_axil_awvalid_o = core_write || (s_axil_awvalid_i && host_aw);
    assign s_axil_awready_o = m_axil_awready_i && host_aw;
    assign m_axil_wdata_o   = core_write ? wdata_i : s_axil_wdata_i;
    assign m_axil_wstrb_o   = core_write ? wstrb_i : s_axil_wstrb_i;
    assign m_axil_wvalid_o  = core_write || (s_axil_wvalid_i && host_w);
    assign s_axil_wready_o  = m_axil_wready_i && host_w;
    assign s_axil_bvalid_o  = m_axil_bvalid_i && !write_q;
    assign m_axil_bready_o  = write_q || s_axil_bready_i;

    assign ready_o   = (read_q && m_axil_rvalid_i) || (write_q && m_axil_bvalid_i);
    assign error_o   = read_q ? m_axil_rresp_i != 2'd0 : m_axil_bresp_i != 2'd0;
    assign idle_o    = !read_q && !write_q;
    assign reading_o = read_q;

    wire ar_taken = s_axil_arvalid_i && s_axil_arready_o;
    wire aw_taken = s_axil_awvalid_i && s_axil_awready_o;
    wire w_taken  = s_axil_wvalid_i && s_axil_wready_o;
    wire r_taken  = s_axil_rvalid_o && s_axil_rready_i;
    wire b_taken  = s_axil_bvalid_o && s_axil_bready_i;

    always_ff @(posedge clk_i) begin
        if (core_read) read_q <= 1'b1;
        else if (m_axil_rvalid_i) read_q <= 1'b0;
        if (core_write) write_q <= 1'b1;
        else if (m_axil_bvalid_i) write_q <= 1'b0;

        yield_read_q  <= wants_read && !core_read && (yield_read_q || ar_taken);
        yield_write_q <= wants_write && !core_write && (yield_write_q || aw_taken);

        ar_open_q <= ar_open_q + {1'b0, ar_taken} - {1'b0, r_taken};
        aw_open_q <= aw_open_q + {1'b0, aw_taken} - {1'b0, b_taken};
        w_open_q  <= w_open_q + {1'b0, w_taken} - {1'b0, b_taken};

        if (rst_i) begin
            read_q        <= 1'b0;
            write_q       <= 1'b0;
            yield_read_q  <= 1'b0;
            yield_write_q <= 1'b0;
            ar_open_q     <= '0;
            aw_open_q     <= '0;
            w_open_q      <= '0;
        end
    end

endmodule

`default_nettype wire
