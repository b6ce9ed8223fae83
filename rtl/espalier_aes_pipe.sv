// SPDX-License-Identifier: Apache-2.0
//
// AES encryption, unrolled: LANES blocks per cycle, each cycle of any SA and key length, result exactly 15 cycles later.
// There is no stall; who puts a block in knows when it comes out. Rounds without a block keep still.
//
// Each round has its own RAM of round keys, read one cycle ahead with the SA index that travels with the block.
// Keys cannot be read back through any port.

`default_nettype none

module espalier_aes_pipe #(
    parameter int LANES  = 1,    // blocks per cycle
    parameter int NUM_SA = 1024, // SA slots
    parameter int DW     = 128 * LANES,   // derived
    parameter int SAW    = $clog2(NUM_SA) // derived
) (
    input  wire            clk_i,

    // round-key write; first key byte in bits 127:120
    input  wire            key_we_i,
    input  wire  [3:0]     key_round_i, // 0..14; 15: all of them
    input  wire  [SAW-1:0] key_index_i,
    input  wire  [127:0]   key_data_i,

    // that there are blocks, their SA and key length, one cycle before the blocks themselves
    input  wire            valid_i,
    input  wire  [SAW-1:0] sa_i,
    input  wire  [1:0]     keylen_i,

    // blocks in stream order (first byte in bits 7:0), and encrypted 15 cycles later
    input  wire  [DW-1:0]  block_i,
    output wire  [DW-1:0]  block_o
);

    localparam int ROUNDS = 14;

    logic           key_we_q;
    logic [3:0]     key_round_q;
    logic [SAW-1:0] key_index_q;
    logic [127:0]   key_data_q;

    always_ff @(posedge clk_i) begin
        key_we_q <= key_we_i;
        if (key_we_i) begin
            key_round_q <= key_round_i;
            key_index_q <= key_index_i;
            key_data_q  <= espalier_pkg::swap128(key_data_i);
        end
    end

    wire key_all = key_round_q == 4'd15;

    // valid_q[i], sa_q[i], keylen_q[i] belong to the block that has passed i additions of a round key.
    logic [ROUNDS:0] valid_q;
    logic [SAW-1:0]  sa_q     [0:ROUNDS-1];
    logic [1:0]      keylen_q [0:ROUNDS];

    always_ff @(posedge clk_i) begin
        valid_q     <= {valid_q[ROUNDS-1:0], valid_i};
        sa_q[0]     <= sa_i;
        keylen_q[0] <= keylen_i;
        for (int i = 1; i < ROUNDS; i++) sa_q[i] <= sa_q[i-1];
        for (int i = 1; i <= ROUNDS; i++) keylen_q[i] <= keylen_q[i-1];
    end

    wire [127:0] key0;

    espalier_ram_sdp #(.WIDTH(128), .DEPTH(NUM_SA)) u_key0 (
        .clk_i,
        .we_i(key_we_q && (key_all || key_round_q == 4'd0)), .waddr_i(key_index_q), .wdata_i(key_data_q),
        .re_i(valid_i), .raddr_i(sa_i), .rdata_o(key0)
    );

    logic [DW-1:0] whitened_q;

    for (genvar lane = 0; lane < LANES; lane++) begin : g_lane
        always_ff @(posedge clk_i) if (valid_q[0]) whitened_q[128*lane +: 128] <= block_i[128*lane +: 128] ^ key0;
    end

    for (genvar i = 1; i <= ROUNDS; i++) begin : g_round
        wire [DW-1:0] state_in;
        wire [DW-1:0] state_out;

        if (i == 1) begin : g_first
            assign state_in = whitened_q;
        end else begin : g_next
            assign state_in = g_round[i-1].state_out;
        end

        espalier_aes_round #(.LANES(LANES), .NUM_SA(NUM_SA), .ROUND(i)) u_round (
            .clk_i,
            .key_we_i(key_we_q && (key_all || key_round_q == 4'(i))), .key_index_i(key_index_q), .key_data_i(key_data_q),
            .next_valid_i(valid_q[i-1]), .next_sa_i(sa_q[i-1]),
            .valid_i(valid_q[i]), .keylen_i(keylen_q[i]), .state_i(state_in), .state_o(state_out)
        );
    end

    assign block_o = g_round[ROUNDS].state_out;

endmodule

`default_nettype wire
