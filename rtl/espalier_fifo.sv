// SPDX-License-Identifier: Apache-2.0
//
// Synchronous first-in first-out queue with valid/ready on both sides; a word shows at the output in the cycle after it
// was written (first word falls through). For shallow queues: the read is asynchronous, so the store is LUT RAM.

`default_nettype none
`include "espalier_assert.svh"

module espalier_fifo #(
    parameter int WIDTH = 8,  // bits of a word, at least 1
    parameter int DEPTH = 16, // words, at least 2, any number
    parameter int CW = $clog2(DEPTH + 1) // derived: bits of count_o
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
    output wire  [WIDTH-1:0] m_data_o,

    // words held, 0..DEPTH
    output wire  [CW-1:0]    count_o
);

    `ESPALIER_CHECK_PARAM(g_check_depth, DEPTH >= 2, "espalier_fifo: DEPTH must be at least 2")

    localparam int AW = $clog2(DEPTH);
    localparam logic [AW-1:0] LAST = AW'(DEPTH - 1);

    logic [WIDTH-1:0] mem [0:DEPTH-1];
    logic [AW-1:0]    wr_q, rd_q;
    logic [CW-1:0]    count_q;

    wire push = s_valid_i && s_ready_o;
    wire pop  = m_valid_o && m_ready_i;

    assign s_ready_o = count_q != CW'(DEPTH);
    assign m_valid_o = count_q != '0;
    assign m_data_o  = mem[rd_q];
    assign count_o   = count_q;

    // Written in pieces of at most 64 bits, for simulation speed; see espalier_ram_sdp.
    localparam int PIECES = WIDTH / 64;
    localparam int REST   = WIDTH % 64;

    if (WIDTH <= 64) begin : g_narrow
        always_ff @(posedge clk_i) begin
            if (push) mem[wr_q] <= s_data_i;
        end
    end else if (REST != 0) begin : g_rest
        always_ff @(posedge clk_i) begin
            if (push) begin
                for (int i = 0; i < PIECES; i++) mem[wr_q][64*i +: 64] <= s_data_i[64*i +: 64];
                mem[wr_q][WIDTH-1:64*PIECES] <= s_data_i[WIDTH-1:64*PIECES];
            end
        end
    end else begin : g_whole
        always_ff @(posedge clk_i) begin
            if (push) begin
                for (int i = 0; i < PIECES; i++) mem[wr_q][64*i +: 64] <= s_data_i[64*i +: 64];
            end
        end
    end

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            wr_q    <= '0;
            rd_q    <= '0;
            count_q <= '0;
        end else begin
            if (push) wr_q <= (wr_q == LAST) ? '0 : wr_q + 1'b1;
            if (pop)  rd_q <= (rd_q == LAST) ? '0 : rd_q + 1'b1;
            if (push && !pop) count_q <= count_q + 1'b1;
            if (pop && !push) count_q <= count_q - 1'b1;
        end
    end

    // the pointers and the count say the same
    `ESPALIER_ASSERT(a_count, clk_i, rst_i, (32'(rd_q) + 32'(count_q)) % DEPTH == 32'(wr_q))

endmodule

`default_nettype wire
