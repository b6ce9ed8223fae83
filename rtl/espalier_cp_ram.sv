// SPDX-License-Identifier: Apache-2.0
//
// Memory of 32-bit words whose bytes are written one by one: one write port, one read port, read data one cycle after the
// address. A read of the word that is written in the same cycle gives the old one. Contents are not reset.

`default_nettype none

module espalier_cp_ram #(
    parameter int DEPTH = 1024,      // words, at least 2
    parameter int AW = $clog2(DEPTH) // derived: bits of a word's address
) (
    input  wire           clk_i,

    input  wire  [3:0]    we_i,    // a bit per byte
    input  wire  [AW-1:0] waddr_i,
    input  wire  [31:0]   wdata_i,

    input  wire           re_i,    // 0 keeps rdata_o
    input  wire  [AW-1:0] raddr_i,
    output wire  [31:0]   rdata_o
);

    logic [31:0] mem [0:DEPTH-1] /* verilator public_flat_rd */;
    logic [31:0] rdata_q;

    assign rdata_o = rdata_q;

    always_ff @(posedge clk_i) begin
        if (we_i != 4'd0) begin
            if (we_i[0]) mem[waddr_i][7:0]   <= wdata_i[7:0];
            if (we_i[1]) mem[waddr_i][15:8]  <= wdata_i[15:8];
            if (we_i[2]) mem[waddr_i][23:16] <= wdata_i[23:16];
            if (we_i[3]) mem[waddr_i][31:24] <= wdata_i[31:24];
        end
    end

    always_ff @(posedge clk_i) begin
        if (re_i) rdata_q <= mem[raddr_i];
    end

endmodule

`default_nettype wire
