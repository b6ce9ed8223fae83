// SPDX-License-Identifier: Apache-2.0
//
// Bucket number of an SA's key (SPI, destination, IP version) in one hash table: the low bits of a reflected CRC-32 with
// initial value 0 and no final inversion, over SPI, destination and one byte that is 1 for IPv6.
//
// A CRC is linear, so each bit of the bucket number is the parity of a fixed half or so of the key's bits: three levels
// of six-input tables. Two polynomials make two tables whose collisions have nothing to do with one another.

`default_nettype none

module espalier_sa_hash #(
    parameter int          HW = 9,            // bits of a bucket number, 1 to 32
    parameter logic [31:0] POLY = 32'hEDB88320 // reflected polynomial
) (
    input  wire           clk_i,
    input  wire           en_i,
    input  wire  [31:0]   spi_i,
    input  wire  [127:0]  dst_i,
    input  wire           any_dst_i, // take 0 instead of dst_i
    input  wire           ipv6_i,
    output logic [HW-1:0] bucket_o   // one cycle after en_i
);

    localparam int KW = 168;     // bits hashed: SPI, destination, 7 times 0, ipv6_i
    localparam int SPI_LSB = 136;
    localparam int DST_LSB = 8;

    // For bucket bit b, which key bits count: MASKS[b*KW +: KW]. The CRC takes the bytes from the top of the key down,
    // each from its lowest bit up; a bit fed with n bits after it contributes step^(n+1)(1).
    function automatic logic [HW*KW-1:0] make_masks(input logic [31:0] poly);
        logic [31:0] column;
        column = 32'd1;
        make_masks = '0;
        for (int n = 0; n < KW; n++) begin
            column = (column >> 1) ^ (column[0] ? poly : 32'd0);
            for (int b = 0; b < HW; b++) make_masks[b*KW + (n/8)*8 + 7 - n%8] = column[b];
        end
    endfunction

    localparam logic [HW*KW-1:0] MASKS = make_masks(POLY);

    always_ff @(posedge clk_i) begin
        if (en_i) begin
            for (int b = 0; b < HW; b++) begin
                bucket_o[b] <= ^(spi_i & MASKS[b*KW + SPI_LSB +: 32]) ^ (ipv6_i & MASKS[b*KW])
                    ^ (!any_dst_i & ^(dst_i & MASKS[b*KW + DST_LSB +: 128]));
            end
        end
    end

endmodule

`default_nettype wire
