// SPDX-License-Identifier: Apache-2.0
//
// What the first bytes of a frame say: whether it carries an ESP packet that the NIC may work on, where, and by what its
// SA is found. docs/nic-contract.md, "Receiving", has the conditions; RFC 791, 8200 and 4303 the formats.

`default_nettype none

module espalier_rx_parse_header #(
    parameter int MAX_FRAME = 9600, // longest frame, bytes
    parameter int HEADER = 64       // bytes looked at, at least 62
) (
    input  wire                 clk_i,

    input  wire                 valid_i,
    /* verilator lint_off UNUSEDSIGNAL */ // not every header field matters
    input  wire  [8*HEADER-1:0] header_i, // byte 0 of the frame in bits 7:0; bytes beyond length_i are ignored
    /* verilator lint_on UNUSEDSIGNAL */
    input  wire  [13:0]         length_i, // bytes of the frame; any value from HEADER up stands for all of them

    // one cycle after valid_i
    output logic                esp_o,    // an ESP packet, its header complete; the rest is valid only then
    output logic                ipv6_o,
    output logic [31:0]         spi_o,
    output logic [127:0]        dst_o,    // IPv4 addresses in the top 32 bits, rest 0
    output logic [127:0]        src_o,
    output logic [13:0]         offset_o, // of the ESP header in the frame
    output logic                fits_o,   // the IP length is possible for an ESP packet with a 16-byte ICV
    output logic [13:0]         plen_o    // bytes to decrypt (P) if it is
);

    localparam int ETH      = 14;          // bytes of an Ethernet header
    localparam int V4_ESP   = ETH + 20;    // offset of an ESP header behind IPv4
    localparam int V6_ESP   = ETH + 40;    // behind IPv6
    localparam int ESP      = 8;           // bytes of an ESP header: SPI, sequence number
    localparam int AROUND_P = ESP + 8 + 16; // ESP header, IV, ICV

    localparam logic [15:0] ETHERTYPE_IPV4 = 16'h0800;
    localparam logic [15:0] ETHERTYPE_IPV6 = 16'h86dd;
    localparam logic [7:0]  PROTO_ESP = 8'd50;
    localparam logic [7:0]  V4_START = 8'h45;         // version 4, header of 5 words
    localparam logic [15:0] V4_FRAGMENT = 16'h3fff;   // More Fragments, Fragment Offset

    // Fields, first byte on the wire in the top bits.
    wire [15:0]  ethertype = {header_i[8*12 +: 8], header_i[8*13 +: 8]};
    wire [7:0]   v4_start  = header_i[8*ETH +: 8];
    wire [15:0]  v4_length = {header_i[8*(ETH+2) +: 8], header_i[8*(ETH+3) +: 8]};
    wire [15:0]  v4_frag   = {header_i[8*(ETH+6) +: 8], header_i[8*(ETH+7) +: 8]};
    wire [7:0]   v4_proto  = header_i[8*(ETH+9) +: 8];
    wire [15:0]  v6_length = {header_i[8*(ETH+4) +: 8], header_i[8*(ETH+5) +: 8]};
    wire [7:0]   v6_next   = header_i[8*(ETH+6) +: 8];

    wire v4_esp = ethertype == ETHERTYPE_IPV4 && length_i >= 14'(V4_ESP + ESP)
        && v4_start == V4_START && (v4_frag & V4_FRAGMENT) == 16'd0 && v4_proto == PROTO_ESP;
    wire v6_esp = ethertype == ETHERTYPE_IPV6 && length_i >= 14'(V6_ESP + ESP) && v6_next == PROTO_ESP;

    // Where the ESP packet ends by the IP header, counted from the IP header and from the ESP header. A packet longer
    // than any frame is found out here; one that is only longer than its own frame is found out when that ends.
    wire [16:0] ip_end  = v6_esp ? {1'b0, v6_length} + 17'd40 : {1'b0, v4_length};
    wire [5:0]  ip_head = v6_esp ? 6'd40 : 6'd20;

    wire [13:0] plen    = ip_end[13:0] - 14'(ip_head) - 14'(AROUND_P);

    always_ff @(posedge clk_i) begin
        if (valid_i) begin
            esp_o    <= v4_esp || v6_esp;
            ipv6_o   <= v6_esp;
            offset_o <= v6_esp ? 14'(V6_ESP) : 14'(V4_ESP);
            plen_o   <= plen;
            fits_o   <= plen[1:0] == 2'd0
                && ip_end >= 17'(ip_head) + 17'(AROUND_P + 4) && ip_end <= 17'(MAX_FRAME - ETH);
            for (int i = 0; i < 4; i++) begin
                spi_o[8*(3-i) +: 8]  <= v6_esp ? header_i[8*(V6_ESP+i) +: 8] : header_i[8*(V4_ESP+i) +: 8];
                src_o[8*(15-i) +: 8] <= v6_esp ? header_i[8*(ETH+8+i) +: 8]  : header_i[8*(ETH+12+i) +: 8];
                dst_o[8*(15-i) +: 8] <= v6_esp ? header_i[8*(ETH+24+i) +: 8] : header_i[8*(ETH+16+i) +: 8];
            end
            for (int i = 4; i < 16; i++) begin
                src_o[8*(15-i) +: 8] <= v6_esp ? header_i[8*(ETH+8+i) +: 8]  : 8'd0;
                dst_o[8*(15-i) +: 8] <= v6_esp ? header_i[8*(ETH+24+i) +: 8] : 8'd0;
            end
        end
    end

endmodule

`default_nettype wire
