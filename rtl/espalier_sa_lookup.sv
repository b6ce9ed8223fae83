// SPDX-License-Identifier: Apache-2.0
//
// Inbound SA lookup: two hash tables, each with 4 ways per bucket, and the record of the slot found.
//
// A packet is two tokens in consecutive cycles, its destination first and destination 0 second; both tables are read
// for each, the full key is compared in every way, and the record is read once for the better match. The answer
// comes 7 cycles after the request, whatever it is. The SA controller sends tokens of its own through the same
// pipeline: one that searches a key and reads the record of a slot it names. Between them they need one read port.
//
//   K key held | hash | B table address | C table words, compare | D better match, record address | E record | F answer

`default_nettype none
`include "espalier_assert.svh"

module espalier_sa_lookup #(
    parameter int NUM_SA = 1024,         // slots, a power of two, at least 8
    parameter int SAW = $clog2(NUM_SA),  // derived: bits of a slot number
    parameter int BW = SAW - 1           // derived: bits of a bucket number
) (
    input  wire            clk_i,
    input  wire            rst_i,
    input  wire            blind_i, // 1: everything misses

    // packets; IPv4 addresses are in the top 32 bits, the rest 0
    input  wire            rx_req_valid_i,
    output wire            rx_req_ready_o,
    input  wire  [31:0]    rx_spi_i,
    input  wire  [127:0]   rx_dst_i,
    input  wire  [127:0]   rx_src_i,
    input  wire            rx_ipv6_i,
    output logic           rx_rsp_o,      // pulse, in order of the requests
    output logic           rx_hit_o,
    output logic [SAW-1:0] rx_slot_o,

    // controller: search a key exactly, read the record of a slot
    input  wire            ctl_valid_i,
    output wire            ctl_ready_o,
    input  wire  [SAW-1:0] ctl_slot_i,
    input  wire  [31:0]    ctl_spi_i,
    input  wire  [127:0]   ctl_dst_i,
    input  wire            ctl_ipv6_i,
    output wire            ctl_rsp_o,     // pulse: the record is read; what follows is valid until the next request
    output logic [7:0]     ctl_hit_o,     // which way holds the key: table 0 in bits 3:0, table 1 in bits 7:4
    output logic [7:0]     ctl_free_o,    // which ways are free, likewise
    output logic [BW-1:0]  ctl_bucket0_o,
    output logic [BW-1:0]  ctl_bucket1_o,

    // read port of the records; the record is there one cycle after rec_re_o
    output wire            rec_re_o,
    output wire  [SAW-1:0] rec_slot_o,
    output wire            rec_rx_o,      // the record is there and belongs to a packet: keep it for its answer
    input  wire            rec_valid_i,   // the slot holds an inbound SA
    input  wire  [127:0]   rec_src_i,

    // table write
    input  wire  [7:0]     tab_we_i,      // per way
    input  wire  [BW-1:0]  tab_bucket0_i,
    input  wire  [BW-1:0]  tab_bucket1_i,
    input  wire            tab_used_i,    // 0: free the way
    input  wire  [SAW-1:0] tab_slot_i,
    input  wire  [31:0]    tab_spi_i,
    input  wire  [127:0]   tab_dst_i,
    input  wire            tab_ipv6_i
);

    // -----------------------------------------------------------------------------------------------------------------
    // K: the request, held for one token (controller) or two (packet).

    logic           k_valid_q, k_ctl_q, k_ipv6_q;
    logic           k_second_q; // this cycle's token is the one with destination 0
    logic [SAW-1:0] k_slot_q;
    logic [31:0]    k_spi_q;
    logic [127:0]   k_dst_q, k_src_q;

    wire k_free = !k_valid_q || k_ctl_q || k_second_q;

    assign ctl_ready_o    = k_free;
    assign rx_req_ready_o = k_free && !ctl_valid_i;

    wire take_ctl = ctl_valid_i && k_free;
    wire take_rx  = rx_req_valid_i && rx_req_ready_o;

    always_ff @(posedge clk_i) begin
        if (k_free) k_valid_q <= take_ctl || take_rx;
        k_second_q <= k_valid_q && !k_ctl_q && !k_second_q;
        if (take_ctl) begin
            k_ctl_q  <= 1'b1;
            k_slot_q <= ctl_slot_i;
            k_spi_q  <= ctl_spi_i;
            k_dst_q  <= ctl_dst_i;
            k_ipv6_q <= ctl_ipv6_i;
        end else if (take_rx) begin
            k_ctl_q  <= 1'b0;
            k_spi_q  <= rx_spi_i;
            k_dst_q  <= rx_dst_i;
            k_src_q  <= rx_src_i;
            k_ipv6_q <= rx_ipv6_i;
        end
        if (rst_i) begin
            k_valid_q  <= 1'b0;
            k_second_q <= 1'b0;
            k_ctl_q    <= 1'b0;
        end
    end

    wire [BW-1:0] b_bucket0, b_bucket1;

    espalier_sa_hash #(.HW(BW), .POLY(32'h82F63B78)) u_hash0 (
        .clk_i, .en_i(k_valid_q), .spi_i(k_spi_q), .dst_i(k_dst_q), .any_dst_i(k_second_q), .ipv6_i(k_ipv6_q), .bucket_o(b_bucket0)
    );
    espalier_sa_hash #(.HW(BW), .POLY(32'hEDB88320)) u_hash1 (
        .clk_i, .en_i(k_valid_q), .spi_i(k_spi_q), .dst_i(k_dst_q), .any_dst_i(k_second_q), .ipv6_i(k_ipv6_q), .bucket_o(b_bucket1)
    );

    // -----------------------------------------------------------------------------------------------------------------
    // B to E: the token travels along.

    logic           b_valid_q, b_ctl_q, b_second_q, b_ipv6_q;
    logic           c_valid_q, c_ctl_q, c_second_q, c_ipv6_q;
    logic           d_valid_q, d_ctl_q, d_second_q;
    logic           e_valid_q, e_ctl_q;
    logic [SAW-1:0] b_slot_q, c_slot_q, d_slot_q;
    logic [31:0]    b_spi_q, c_spi_q;
    logic [127:0]   b_dst_q, c_dst_q;
    logic [127:0]   b_src_q, c_src_q, d_src_q, e_src_q;

    always_ff @(posedge clk_i) begin
        b_valid_q <= k_valid_q;
        c_valid_q <= b_valid_q;
        d_valid_q <= c_valid_q;
        e_valid_q <= d_valid_q && (d_ctl_q || d_second_q);
        if (k_valid_q) begin
            b_ctl_q    <= k_ctl_q;
            b_second_q <= k_second_q;
            b_slot_q   <= k_slot_q;
            b_spi_q    <= k_spi_q;
            b_dst_q    <= k_second_q ? 128'd0 : k_dst_q;
            b_ipv6_q   <= k_ipv6_q;
            b_src_q    <= k_src_q;
        end
        if (b_valid_q) begin
            c_ctl_q    <= b_ctl_q;
            c_second_q <= b_second_q;
            c_slot_q   <= b_slot_q;
            c_spi_q    <= b_spi_q;
            c_dst_q    <= b_dst_q;
            c_ipv6_q   <= b_ipv6_q;
            c_src_q    <= b_src_q;
            if (b_ctl_q) begin
                ctl_bucket0_o <= b_bucket0;
                ctl_bucket1_o <= b_bucket1;
            end
        end
        if (c_valid_q) begin
            d_ctl_q    <= c_ctl_q;
            d_slot_q   <= c_slot_q;
            d_second_q <= c_second_q;
            d_src_q    <= c_src_q;
        end
        if (d_valid_q) begin
            e_ctl_q <= d_ctl_q;
            e_src_q <= d_src_q;
        end
        if (rst_i) begin
            b_valid_q <= 1'b0;
            c_valid_q <= 1'b0;
            d_valid_q <= 1'b0;
            e_valid_q <= 1'b0;
        end
    end

    // Tables: read in B, compared in C.
    wire [7:0]     d_match, d_used;
    wire [SAW-1:0] d_way_slot [0:7];

    for (genvar i = 0; i < 8; i++) begin : g_way
        espalier_sa_way #(.BUCKETS(NUM_SA / 2), .SAW(SAW)) u_way (
            .clk_i,
            .we_i(tab_we_i[i]), .we_bucket_i((i < 4) ? tab_bucket0_i : tab_bucket1_i), .we_used_i(tab_used_i),
            .we_slot_i(tab_slot_i), .we_ipv6_i(tab_ipv6_i), .we_spi_i(tab_spi_i), .we_dst_i(tab_dst_i),
            .read_i(b_valid_q), .bucket_i((i < 4) ? b_bucket0 : b_bucket1),
            .compare_i(c_valid_q), .ipv6_i(c_ipv6_q), .spi_i(c_spi_q), .dst_i(c_dst_q),
            .match_o(d_match[i]), .used_o(d_used[i]), .slot_o(d_way_slot[i])
        );
    end

    // D: a packet's second token meets the result of its first, which has moved on to first_*.
    logic           first_hit_q;
    logic [SAW-1:0] first_slot_q;
    logic           e_hit_q;
    logic [SAW-1:0] e_slot_q;

    logic [SAW-1:0] d_found;
    always_comb begin
        d_found = '0;
        for (int i = 0; i < 8; i++) d_found = d_found | (d_match[i] ? d_way_slot[i] : '0);
    end

    always_ff @(posedge clk_i) begin
        if (d_valid_q) begin
            first_hit_q  <= d_match != 8'd0;
            first_slot_q <= d_found;
            e_hit_q      <= first_hit_q || d_match != 8'd0;
            e_slot_q     <= rec_slot_o;
            if (d_ctl_q) begin
                ctl_hit_o  <= d_match;
                ctl_free_o <= ~d_used;
            end
        end
    end

    assign rec_re_o   = d_valid_q && (d_ctl_q || d_second_q);
    assign rec_slot_o = d_ctl_q ? d_slot_q : first_hit_q ? first_slot_q : d_found;
    assign rec_rx_o   = e_valid_q && !e_ctl_q;
    assign ctl_rsp_o  = e_valid_q && e_ctl_q;

    // F: the answer. The slot may have been emptied since its way was read, so the record has the last word.
    always_ff @(posedge clk_i) begin
        rx_rsp_o <= rec_rx_o && !rst_i;
        if (rec_rx_o) begin
            rx_hit_o  <= e_hit_q && rec_valid_i && !blind_i && (rec_src_i == 128'd0 || rec_src_i == e_src_q);
            rx_slot_o <= e_slot_q;
        end
    end

    `ESPALIER_ASSERT(a_one_way, clk_i, rst_i, blind_i || !d_valid_q || (d_match & (d_match - 8'd1)) == 8'd0)
    `ESPALIER_ASSERT(a_pairs, clk_i, rst_i, !(d_valid_q && !d_ctl_q && !d_second_q) || (c_valid_q && c_second_q))

endmodule

`default_nettype wire
