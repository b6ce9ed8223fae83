// SPDX-License-Identifier: Apache-2.0
//
// Synchronous first-in first-out queue with valid/ready on both sides, for deep queues: the store is block RAM. A word
// shows at the output two cycles after it was written; one word may enter and one leave in every cycle.

`default_nettype none
`include "espalier_assert.svh"

module espalier_fifo_ram #(
    parameter int WIDTH = 8,  // bits of a word, at least 1
    parameter int DEPTH = 512 // words of RAM, a power of two, at least 4; the output register holds one more
) (
    input  wire              clk_i,
    input  wire              rst_i,

    // in
    input  wire              s_valid_i,
    output wire              s_ready_o,
    input  wire  [WIDTH-1:0] s_data_i,

    // out
    output wire              m_valid_o,
    input  wire              m_ready_i,
    output wire  [WIDTH-1:0] m_data_o
);

    `ESPALIER_CHECK_PARAM(g_check_depth, DEPTH >= 4 && (DEPTH & (DEPTH - 1)) == 0,
                          "espalier_fifo_ram: DEPTH must be a power of two and at least 4")

    localparam int AW = $clog2(DEPTH);

    // One bit more than an address: equal pointers mean empty, pointers DEPTH apart mean full.
    logic [AW:0] wr_q, rd_q;
    logic        out_valid_q;

    wire [AW:0] held = wr_q - rd_q;
    wire        push = s_valid_i && s_ready_o;
    wire        read = held != '0 && (!out_valid_q || m_ready_i);

    assign s_ready_o = held != (AW + 1)'(DEPTH);
    assign m_valid_o = out_valid_q;

    espalier_ram_sdp #(
        .WIDTH(WIDTH),
        .DEPTH(DEPTH)
    ) u_store (
        .clk_i   (clk_i),
        .we_i    (push),
        .waddr_i (wr_q[AW-1:0]),
        .wdata_i (s_data_i),
        .re_i    (read),
        .raddr_i (rd_q[AW-1:0]),
        .rdata_o (m_data_o)
    );

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            wr_q        <= '0;
            rd_q        <= '0;
            out_valid_q <= 1'b0;
        end else begin
            if (push) wr_q <= wr_q + 1'b1;
            if (read) rd_q <= rd_q + 1'b1;
            out_valid_q <= read || (out_valid_q && !m_ready_i);
        end
    end

    `ESPALIER_ASSERT(a_bound, clk_i, rst_i, held <= (AW + 1)'(DEPTH))

endmodule

`default_nettype wire
