// SPDX-License-Identifier: Apache-2.0
//
// The receive side after the cipher: gives each frame a buffer, has it written there, and reports it once the bus has
// confirmed every byte. A frame whose queue does not run is thrown away; one whose queue's descriptors are still being fetched
// waits, and all behind it.

`default_nettype none
`include "espalier_assert.svh"

module espalier_rx_dma #(
    parameter int LANES = 1,         // 128-bit lanes of the data path
    parameter int NUM_QUEUES = 4,    // RX queues, 1 to 16
    parameter int BURST_BYTES = 256, // longest write burst
    parameter int SAW = 16,          // bits of a slot number in a handle
    parameter int DW = 128 * LANES,  // derived: bits of a beat
    parameter int BW = DW / 8        // derived: bytes of a beat
) (
    input  wire                   clk_i,
    input  wire                   rst_i,

    input  wire                   quiesce_i,  // 1: start nothing new. Ends with a reset
    output wire                   bus_idle_o, // no write is under way
    output wire                   idle_o,     // no frame is between its result and its completion

    // results and frames of espalier_crypt
    input  wire                   r_valid_i,
    output wire                   r_ready_o,
    input  wire  [2:0]            r_status_i,
    input  wire  [13:0]           r_len_i,
    input  wire  [7:0]            r_next_header_i,
    input  wire  [7:0]            r_pad_len_i,
    input  wire  [espalier_pkg::RX_USER_W-1:0] r_user_i,
    input  wire                   m_valid_i,
    output wire                   m_ready_o,
    input  wire  [DW-1:0]         m_data_i,
    input  wire                   m_last_i,

    output logic                  sa_done_o, // one frame less uses an inbound SA
    output logic                  sa_ok_o,   // with sa_done_o: what became of it, delivered or not, ...
    output logic                  sa_auth_o,
    output logic                  sa_syntax_o,
    output logic [SAW-1:0]        sa_slot_o, // ... its SA and its length
    output logic [13:0]           sa_bytes_o,

    // RX rings
    input  wire  [NUM_QUEUES-1:0] avail_i,
    input  wire  [NUM_QUEUES-1:0] live_i,
    output wire                   pop_o,
    output wire  [3:0]            pop_queue_o,
    /* verilator lint_off UNUSEDSIGNAL */ // the end of a descriptor is reserved
    input  wire  [127:0]          pop_desc_i,
    /* verilator lint_on UNUSEDSIGNAL */
    input  wire  [15:0]           pop_index_i,
    output logic                  cpl_valid_o,
    input  wire                   cpl_ready_i,
    output logic [3:0]            cpl_queue_o,
    output logic [15:0]           cpl_index_o,
    output logic [127:0]          cpl_data_o,
    output wire                   cpl_write_o,

    // frame writes
    output wire  [63:0]           m_axi_awaddr_o,
    output wire  [7:0]            m_axi_awlen_o,
    output wire                   m_axi_awvalid_o,
    input  wire                   m_axi_awready_i,
    output wire  [DW-1:0]         m_axi_wdata_o,
    output wire  [BW-1:0]         m_axi_wstrb_o,
    output wire                   m_axi_wlast_o,
    output wire                   m_axi_wvalid_o,
    input  wire                   m_axi_wready_i,
    input  wire  [1:0]            m_axi_bresp_i,
    input  wire                   m_axi_bvalid_i,

    // events for the statistics
    output logic                  stat_esp_ok_o,
    output logic                  stat_auth_failed_o,
    output logic                  stat_syntax_o,
    output logic                  stat_no_sa_o,
    output logic                  stat_untouched_o,
    output logic                  stat_drop_no_desc_o,
    output logic                  stat_drop_bad_o,
    output logic                  stat_err_dma_o
);

    localparam int FRAMES = 64; // frames between descriptor and completion

    // What a delivered frame counts as.
    localparam logic [2:0] AS_UNTOUCHED = 3'd0;
    localparam logic [2:0] AS_NO_SA     = 3'd1;
    localparam logic [2:0] AS_OK        = 3'd2;
    localparam logic [2:0] AS_AUTH      = 3'd3;
    localparam logic [2:0] AS_SYNTAX    = 3'd4;

    // ---------------------------------------------------------------------
    // Result: dropped, or matched with a descriptor, or held until one comes.

    wire [31:0] r_handle = r_user_i[espalier_pkg::RX_USER_HANDLE_LSB+:32];
    wire [3:0]  r_queue  = r_user_i[espalier_pkg::RX_USER_QUEUE_LSB+:4];
    wire        r_tunnel = r_user_i[espalier_pkg::RX_USER_TUNNEL_LSB];
    wire [1:0]  r_class  = r_user_i[espalier_pkg::RX_USER_CLASS_LSB+:2];

    // Queues that this build lacks never run.
    wire [15:0] avail = 16'(avail_i);
    wire [15:0] live  = 16'(live_i);

    wire r_bad   = r_status_i == espalier_pkg::CRYPT_ERROR;
    wire r_sa    = r_class == espalier_pkg::RX_SA || r_class == espalier_pkg::RX_BAD_LEN;
    wire r_fits  = avail[r_queue];
    wire r_waits = !r_fits && live[r_queue];

    // The place of the frame taken is free, or will be after this cycle.
    logic t_valid_q;
    wire  t_leaves;
    assign r_ready_o = !quiesce_i && (!t_valid_q || t_leaves) && (r_bad || !r_waits);

    wire take = r_valid_i && r_ready_o;
    wire drop = take && !r_bad && !r_fits;

    assign pop_o       = take && !r_bad && r_fits;
    assign pop_queue_o = r_queue;

    logic [2:0] r_as;
    always_comb begin
        case (r_class)
            espalier_pkg::RX_UNTOUCHED: r_as = AS_UNTOUCHED;
            espalier_pkg::RX_NO_SA:     r_as = AS_NO_SA;
            espalier_pkg::RX_BAD_LEN:   r_as = AS_SYNTAX;
            default:
                case (r_status_i)
                    espalier_pkg::CRYPT_OK:   r_as = AS_OK;
                    espalier_pkg::CRYPT_AUTH: r_as = AS_AUTH;
                    default:                  r_as = AS_SYNTAX;
                endcase
        endcase
    end

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            sa_done_o           <= 1'b0;
            sa_ok_o             <= 1'b0;
            sa_auth_o           <= 1'b0;
            sa_syntax_o         <= 1'b0;
            stat_drop_bad_o     <= 1'b0;
            stat_drop_no_desc_o <= 1'b0;
        end else begin
            sa_done_o           <= take && r_sa;
            sa_ok_o             <= take && !r_bad && r_as == AS_OK;
            sa_auth_o           <= take && !r_bad && r_as == AS_AUTH;
            sa_syntax_o         <= take && !r_bad && r_as == AS_SYNTAX;
            stat_drop_bad_o     <= take && r_bad;
            stat_drop_no_desc_o <= drop;
        end
        if (take && r_sa) begin
            sa_slot_o  <= r_handle[SAW-1:0];
            sa_bytes_o <= r_len_i;
        end
    end

    // ---------------------------------------------------------------------
    // The frame taken, with its descriptor: in the cycle after the pop it comes from the ring, later from a copy.

    logic         t_fresh_q, t_drop_q, t_tunnel_q;
    logic [2:0]   t_as_q;
    logic [3:0]   t_queue_q;
    logic [13:0]  t_len_q;
    logic [31:0]  t_handle_q;
    logic [7:0]   t_next_q, t_pad_q;
    logic [79:0]  t_desc_q;
    logic [15:0]  t_index_q;

    wire [79:0] t_desc   = t_fresh_q ? pop_desc_i[79:0] : t_desc_q;
    wire [15:0] t_index  = t_fresh_q ? pop_index_i : t_index_q;
    wire [63:0] t_addr   = t_desc[espalier_regs_pkg::RX_DESCRIPTOR_ADDR_LSB+:64];
    wire [15:0] t_buffer = t_desc[espalier_regs_pkg::RX_DESCRIPTOR_LENGTH_LSB+:16];
    wire        t_short  = t_buffer < 16'(t_len_q);
    wire [13:0] t_bytes  = t_short ? t_buffer[13:0] : t_len_q;

    wire write_ready, list_ready;
    assign t_leaves = t_valid_q && write_ready && (t_drop_q || list_ready);

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            t_valid_q <= 1'b0;
            t_fresh_q <= 1'b0;
        end else begin
            t_valid_q <= (take && !r_bad) || (t_valid_q && !t_leaves);
            t_fresh_q <= pop_o;
        end
        if (take) begin
            t_drop_q   <= !r_fits;
            t_as_q     <= r_as;
            t_tunnel_q <= r_tunnel;
            t_queue_q  <= r_queue;
            t_len_q    <= r_len_i;
            t_handle_q <= r_sa ? r_handle : '0;
            t_next_q   <= r_next_header_i;
            t_pad_q    <= r_pad_len_i;
        end
        if (t_fresh_q) begin
            t_desc_q  <= pop_desc_i[79:0];
            t_index_q <= pop_index_i;
        end
    end

    wire done_valid, done_ready, done_err, write_empty;

    espalier_rx_write #(
        .DW          (DW),
        .BURST_BYTES (BURST_BYTES),
        .MAX_AHEAD   (FRAMES)
    ) u_write (
        .clk_i           (clk_i),
        .rst_i           (rst_i),
        .quiesce_i       (quiesce_i),
        .idle_o          (bus_idle_o),
        .empty_o         (write_empty),
        .job_valid_i     (t_leaves),
        .job_ready_o     (write_ready),
        .job_drop_i      (t_drop_q),
        .job_addr_i      (t_addr),
        .job_len_i       (t_bytes),
        .m_valid_i       (m_valid_i),
        .m_ready_o       (m_ready_o),
        .m_data_i        (m_data_i),
        .m_last_i        (m_last_i),
        .done_valid_o    (done_valid),
        .done_ready_i    (done_ready),
        .done_err_o      (done_err),
        .m_axi_awaddr_o  (m_axi_awaddr_o),
        .m_axi_awlen_o   (m_axi_awlen_o),
        .m_axi_awvalid_o (m_axi_awvalid_o),
        .m_axi_awready_i (m_axi_awready_i),
        .m_axi_wdata_o   (m_axi_wdata_o),
        .m_axi_wstrb_o   (m_axi_wstrb_o),
        .m_axi_wlast_o   (m_axi_wlast_o),
        .m_axi_wvalid_o  (m_axi_wvalid_o),
        .m_axi_wready_i  (m_axi_wready_i),
        .m_axi_bresp_i   (m_axi_bresp_i),
        .m_axi_bvalid_i  (m_axi_bvalid_i)
    );

    // ---------------------------------------------------------------------
    // Frames under way, and their completions.

    wire        f_valid, f_empty, f_short, f_tunnel;
    wire [2:0]  f_as;
    wire [3:0]  f_queue;
    wire [15:0] f_index;
    wire [13:0] f_len;
    wire [31:0] f_handle;
    wire [7:0]  f_next, f_pad;
    wire        f_done;

    /* verilator lint_off PINCONNECTEMPTY */
    espalier_fifo #(
        .WIDTH(1 + 1 + 1 + 3 + 4 + 16 + 14 + 32 + 8 + 8),
        .DEPTH(FRAMES)
    ) u_frames (
        .clk_i     (clk_i),
        .rst_i     (rst_i),
        .s_valid_i (t_leaves && !t_drop_q),
        .s_ready_o (list_ready),
        .s_data_i  ({t_bytes == '0, t_short, t_tunnel_q, t_as_q, t_queue_q, t_index, t_len_q, t_handle_q, t_next_q, t_pad_q}),
        .m_valid_o (f_valid),
        .m_ready_i (f_done),
        .m_data_o  ({f_empty, f_short, f_tunnel, f_as, f_queue, f_index, f_len, f_handle, f_next, f_pad}),
        .count_o   ()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    wire f_free   = (!cpl_valid_o || cpl_ready_i) && !quiesce_i;
    wire f_failed = !f_empty && done_err;

    assign f_done     = f_valid && f_free && (f_empty || done_valid);
    assign done_ready = f_valid && f_free && !f_empty;
    assign cpl_write_o = 1'b1;

    logic [15:0] crypto_status;
    always_comb begin
        case (f_as)
            AS_AUTH:   crypto_status = f_tunnel ? espalier_regs_pkg::CRYPTO_STATUS_TUNNEL_ESP_AUTH_FAILED
                                                : espalier_regs_pkg::CRYPTO_STATUS_TRANSPORT_ESP_AUTH_FAILED;
            AS_SYNTAX: crypto_status = espalier_regs_pkg::CRYPTO_STATUS_INVALID_PACKET_SYNTAX;
            default:   crypto_status = espalier_regs_pkg::CRYPTO_STATUS_SUCCESS;
        endcase
    end

    logic [127:0] record; // index and phase are filled in by the ring
    always_comb begin
        record = '0;
        record[espalier_regs_pkg::COMPLETION_LENGTH_LSB+:16] = 16'(f_len);
        record[espalier_regs_pkg::COMPLETION_HANDLE_LSB+:32] = f_handle;
        record[espalier_regs_pkg::COMPLETION_CRYPTO_DONE_LSB] = f_as == AS_OK || f_as == AS_AUTH || f_as == AS_SYNTAX;
        record[espalier_regs_pkg::COMPLETION_CRYPTO_STATUS_LSB+:16] = crypto_status;
        if (f_as == AS_OK) begin
            record[espalier_regs_pkg::COMPLETION_NEXT_HEADER_LSB+:8] = f_next;
            record[espalier_regs_pkg::COMPLETION_PAD_LENGTH_LSB+:8] = f_pad;
            record[espalier_regs_pkg::COMPLETION_HEADER_INFO_SET_LSB] = 1'b1;
        end
        record[espalier_regs_pkg::COMPLETION_STATUS_LSB+:7] = f_failed ? espalier_regs_pkg::COMPLETION_STATUS_DMA_WRITE :
                                                              f_short  ? espalier_regs_pkg::COMPLETION_STATUS_TRUNCATED :
                                                                         espalier_regs_pkg::COMPLETION_STATUS_OK;
    end

    wire f_counts = f_done && !f_failed;

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            cpl_valid_o        <= 1'b0;
            stat_esp_ok_o      <= 1'b0;
            stat_auth_failed_o <= 1'b0;
            stat_syntax_o      <= 1'b0;
            stat_no_sa_o       <= 1'b0;
            stat_untouched_o   <= 1'b0;
            stat_err_dma_o     <= 1'b0;
        end else begin
            cpl_valid_o        <= f_done || (cpl_valid_o && !cpl_ready_i);
            stat_esp_ok_o      <= f_counts && f_as == AS_OK;
            stat_auth_failed_o <= f_counts && f_as == AS_AUTH;
            stat_syntax_o      <= f_counts && f_as == AS_SYNTAX;
            stat_no_sa_o       <= f_counts && f_as == AS_NO_SA;
            stat_untouched_o   <= f_counts && f_as == AS_UNTOUCHED;
            stat_err_dma_o     <= f_done && f_failed;
        end
        if (f_done) begin
            cpl_queue_o <= f_queue;
            cpl_index_o <= f_index;
            cpl_data_o  <= record;
        end
    end

    assign idle_o = !r_valid_i && !t_valid_q && write_empty && !f_valid && !cpl_valid_o;

    `ESPALIER_ASSERT_STABLE(a_cpl, clk_i, rst_i, cpl_valid_o, cpl_ready_i, {cpl_queue_o, cpl_index_o, cpl_data_o})

endmodule

`default_nettype wire
