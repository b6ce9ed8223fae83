// SPDX-License-Identifier: Apache-2.0
//
// One way of the inbound lookup's hash tables: a key and a slot number per bucket, and the comparison. The answer comes two
// cycles after the bucket number.

`default_nettype none

module espalier_sa_way #(
    parameter int BUCKETS = 512,          // a power of two
    parameter int SAW = 10,               // bits of a slot number
    parameter int BW = $clog2(BUCKETS)    // derived: bits of a bucket number
) (
    input  wire            clk_i,

    input  wire            we_i,
    input  wire  [BW-1:0]  we_bucket_i,
    input  wire            we_used_i,     // 0: free it
    input  wire  [SAW-1:0] we_slot_i,
    input  wire            we_ipv6_i,
    input  wire  [31:0]    we_spi_i,
    input  wire  [127:0]   we_dst_i,

    input  wire            read_i,
    input  wire  [BW-1:0]  bucket_i,
    input  wire            compare_i,     // one cycle after read_i, with the key
    input  wire            ipv6_i,
    input  wire  [31:0]    spi_i,
    input  wire  [127:0]   dst_i,
    output logic           match_o,       // one cycle after compare_i, as the others
    output logic           used_o,
    output logic [SAW-1:0] slot_o
);

    wire            used, ipv6;
    wire  [SAW-1:0] slot;
    wire  [31:0]    spi;
    wire  [127:0]   dst;

    espalier_ram_sdp #(.WIDTH(1 + SAW + 1 + 32), .DEPTH(BUCKETS)) u_head (
        .clk_i, .we_i, .waddr_i(we_bucket_i), .wdata_i({we_used_i, we_slot_i, we_ipv6_i, we_spi_i}),
        .re_i(read_i), .raddr_i(bucket_i), .rdata_o({used, slot, ipv6, spi})
    );
    espalier_ram_sdp #(.WIDTH(128), .DEPTH(BUCKETS)) u_dst (
        .clk_i, .we_i, .waddr_i(we_bucket_i), .wdata_i(we_dst_i),
        .re_i(read_i), .raddr_i(bucket_i), .rdata_o(dst)
    );

    always_ff @(posedge clk_i) begin
        if (compare_i) begin
            match_o <= used && ipv6 == ipv6_i && spi == spi_i && dst == dst_i;
            used_o  <= used;
            slot_o  <= slot;
        end
    end

endmodule

`default_nettype wire
