// SPDX-License-Identifier: Apache-2.0
//
// Simple dual-port RAM: one write port, one read port, read data one cycle after the address. A read of the address that
// is written in the same cycle gives the old word. Maps to block RAM; contents are not reset.
//
// A word is written in pieces of at most 64 bits: a wider delayed assignment costs a simulator a temporary that it clears in
// every cycle, written or not.

`default_nettype none

module espalier_ram_sdp #(
    parameter int WIDTH = 32,  // bits of a word
    parameter int DEPTH = 512, // words, at least 2
    parameter int AW = $clog2(DEPTH) // derived: bits of an address
) (
    input  wire              clk_i,

    input  wire              we_i,
    input  wire  [AW-1:0]    waddr_i,
    input  wire  [WIDTH-1:0] wdata_i,

    input  wire              re_i,    // 0 keeps rdata_o
    input  wire  [AW-1:0]    raddr_i,
    output wire  [WIDTH-1:0] rdata_o
);

    logic [WIDTH-1:0] mem [0:DEPTH-1] /* verilator public_flat_rd */;
    logic [WIDTH-1:0] rdata_q;

    assign rdata_o = rdata_q;

    localparam int PIECES = WIDTH / 64;
    localparam int REST   = WIDTH % 64;

    if (WIDTH <= 64) begin : g_narrow
        always_ff @(posedge clk_i) begin
            if (we_i) mem[waddr_i] <= wdata_i;
        end
    end else if (REST != 0) begin : g_rest
        always_ff @(posedge clk_i) begin
            if (we_i) begin
                for (int i = 0; i < PIECES; i++) mem[waddr_i][64*i +: 64] <= wdata_i[64*i +: 64];
                mem[waddr_i][WIDTH-1:64*PIECES] <= wdata_i[WIDTH-1:64*PIECES];
            end
        end
    end else begin : g_whole
        always_ff @(posedge clk_i) begin
            if (we_i) begin
                for (int i = 0; i < PIECES; i++) mem[waddr_i][64*i +: 64] <= wdata_i[64*i +: 64];
            end
        end
    end

    always_ff @(posedge clk_i) begin
        if (re_i) rdata_q <= mem[raddr_i];
    end

endmodule

`default_nettype wire
