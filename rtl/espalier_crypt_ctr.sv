// SPDX-License-Identifier: Apache-2.0
//
// The CTR half of AES-GCM for shifted beats: forms the counter block of each beat, encrypts it, and hands the beat on with
// its key stream, always LATENCY cycles later. What goes with a beat waits in circular RAMs, not in shift registers of its
// full width (simulation speed, and LUT RAM instead of flip-flops).
//
// Nonce = salt || IV (RFC 4106, 4). On send the IV is the 64-bit sequence number and is written into the beat.

`default_nettype none

module espalier_crypt_ctr #(
    parameter int NUM_SA  = 1024, // SA slots
    parameter int DECRYPT = 0,    // 0: write the IV; 1: read it
    parameter int SIDEW   = 8,    // bits that travel with a beat
    parameter int DW      = 128,  // bits of a beat
    parameter int SAW     = $clog2(NUM_SA) // derived
) (
    input  wire              clk_i,
    input  wire              rst_i,

    // round-key write
    input  wire              key_we_i,
    input  wire  [3:0]       key_round_i,
    input  wire  [SAW-1:0]   key_index_i,
    input  wire  [127:0]     key_data_i,

    // beats, any cycle
    input  wire              b_valid_i,
    input  wire  [DW-1:0]    b_data_i,
    input  wire              b_crypt_i, // the beat needs its key stream
    input  wire              b_esp_i,   // the ESP header; payload beats follow it without others between
    input  wire  [SIDEW-1:0] b_side_i,
    input  wire  [SAW-1:0]   f_sa_i,
    input  wire  [1:0]       f_keylen_i,
    input  wire              f_esn_i,
    input  wire  [31:0]      f_seqhi_i,
    input  wire  [31:0]      f_salt_i,

    // the same beats; with b_crypt_i, also their key stream: E(J0) for the ESP header, then of payload block 0, 1, ...
    output wire              d_valid_o,
    output wire  [DW-1:0]    d_data_o,
    output wire  [DW-1:0]    d_stream_o,
    output wire  [SIDEW-1:0] d_side_o
);

    localparam int LATENCY = 16; // of AES, and the register of the counter block before it
    localparam int RING    = 16; // words a delay RAM holds: a RAM read takes the cycle that is missing

    // ---- the counter block

    wire [31:0]  seq_hi = espalier_pkg::swap32(f_seqhi_i & {32{f_esn_i}});
    wire [63:0]  iv_now = (DECRYPT != 0) ? b_data_i[127:64] : {b_data_i[63:32], seq_hi};
    logic [63:0] iv_q;
    logic [31:0] counter_q;
    wire [31:0]  counter = b_esp_i ? 32'd1 : counter_q;

    always_ff @(posedge clk_i) begin
        if (b_valid_i) counter_q <= counter + 32'd1;
        if (b_valid_i && b_esp_i) iv_q <= iv_now;
    end

    logic [DW-1:0] block_q;

    always_ff @(posedge clk_i) begin
        if (b_valid_i) begin
            block_q[31:0]   <= espalier_pkg::swap32(f_salt_i);
            block_q[95:32]  <= b_esp_i ? iv_now : iv_q;
            block_q[127:96] <= espalier_pkg::swap32(counter);
        end
    end

    espalier_aes_pipe #(.LANES(DW / 128), .NUM_SA(NUM_SA)) u_aes (
        .clk_i,
        .key_we_i, .key_round_i, .key_index_i, .key_data_i,
        .valid_i(b_valid_i && b_crypt_i), .sa_i(f_sa_i), .keylen_i(f_keylen_i),
        .block_i(block_q), .block_o(d_stream_o)
    );

    // ---- the wait

    logic [$clog2(RING)-1:0] slot_q;
    logic [LATENCY-1:0]      valid_q; // b_valid_i of the cycles before this one, the last in bit 0

    always_ff @(posedge clk_i) begin
        slot_q  <= rst_i ? '0 : slot_q + 1'b1;
        valid_q <= rst_i ? '0 : {valid_q[LATENCY-2:0], b_valid_i};
    end

    wire [DW-1:0] sent;

    if (DECRYPT != 0) begin : g_iv_read
        assign sent = b_data_i;
    end else begin : g_iv_written
        assign sent[63:0]   = b_data_i[63:0];
        assign sent[127:64] = b_esp_i ? iv_now : b_data_i[127:64];
    end

    // 64 bits each: what is written in most cycles is fastest to simulate in machine words
    for (genvar w = 0; w < DW/64; w++) begin : g_data
        espalier_ram_sdp #(.WIDTH(64), .DEPTH(RING)) u_data (
            .clk_i,
            .we_i(b_valid_i), .waddr_i(slot_q), .wdata_i(sent[64*w +: 64]),
            .re_i(valid_q[LATENCY-2]), .raddr_i(slot_q + 1'b1), .rdata_o(d_data_o[64*w +: 64])
        );
    end

    espalier_ram_sdp #(.WIDTH(SIDEW), .DEPTH(RING)) u_side (
        .clk_i,
        .we_i(b_valid_i), .waddr_i(slot_q), .wdata_i(b_side_i),
        .re_i(valid_q[LATENCY-2]), .raddr_i(slot_q + 1'b1), .rdata_o(d_side_o)
    );

    assign d_valid_o = valid_q[LATENCY-1];

endmodule

`default_nettype wire
