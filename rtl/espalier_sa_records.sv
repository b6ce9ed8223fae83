// SPDX-License-Identifier: Apache-2.0
//
// The SA records, in two copies: one for the outbound check, one for inbound lookups and the SA controller. Each copy holds
// the salts of its own direction only. Generations have RAMs of their own, because zeroising leaves them alone. One RAM
// per field: nothing wider than an address is ever put together or taken apart, which simulation would pay for in every cycle.

`default_nettype none

module espalier_sa_records #(
    parameter int NUM_SA = 1024,        // slots, a power of two
    parameter int SAW = $clog2(NUM_SA)  // derived: bits of a slot number
) (
    input  wire            clk_i,
    input  wire            rst_i,
    input  wire            blind_i, // 1: the outbound check misses

    // write, from the controller
    input  wire  [SAW-1:0] wr_slot_i,
    input  wire            wr_rec_we_i,  // record, salts excepted
    input  wire            wr_valid_i,   // the slot holds an SA
    input  wire            wr_inbound_i,
    input  wire            wr_ipv6_i,
    input  wire            wr_tunnel_i,
    input  wire            wr_esn_i,
    input  wire  [1:0]     wr_keylen_i,
    input  wire  [3:0]     wr_queue_i,
    input  wire  [31:0]    wr_esn_hi_i,
    input  wire  [31:0]    wr_spi_i,
    input  wire  [127:0]   wr_dst_i,
    input  wire  [127:0]   wr_src_i,
    input  wire            wr_salt_we_i, // both copies; the other direction's becomes 0
    input  wire  [31:0]    wr_salt_i,
    input  wire            wr_gen_we_i,
    input  wire  [15:0]    wr_gen_i,

    // read, one cycle after rd_re_i
    input  wire            rd_re_i,
    input  wire  [SAW-1:0] rd_slot_i,
    output wire            rd_valid_o,
    output wire            rd_inbound_o,
    output wire            rd_ipv6_o,
    output wire            rd_tunnel_o,
    output wire            rd_esn_o,
    output wire  [1:0]     rd_keylen_o,
    output wire  [3:0]     rd_queue_o,
    output wire  [31:0]    rd_esn_hi_o,
    output wire  [31:0]    rd_spi_o,
    output wire  [127:0]   rd_dst_o,
    output wire  [127:0]   rd_src_o,
    output wire  [31:0]    rd_salt_o,    // inbound SAs
    output wire  [15:0]    rd_gen_o,

    // outbound check: two cycles, one request per cycle
    input  wire            tx_req_i,
    input  wire  [31:0]    tx_handle_i,
    output logic           tx_rsp_o,
    output logic           tx_hit_o,
    output logic [1:0]     tx_keylen_o,
    output logic           tx_esn_o,
    output logic [31:0]    tx_esn_hi_o,
    output logic [31:0]    tx_salt_o
);

    // -----------------------------------------------------------------------------------------------------------------
    // Inbound copy, whole records (of outbound SAs as well, for READ and DELETE).

    espalier_ram_sdp #(.WIDTH(11), .DEPTH(NUM_SA)) u_flags_rx (
        .clk_i, .we_i(wr_rec_we_i), .waddr_i(wr_slot_i),
        .wdata_i({wr_valid_i, wr_inbound_i, wr_ipv6_i, wr_tunnel_i, wr_esn_i, wr_keylen_i, wr_queue_i}),
        .re_i(rd_re_i), .raddr_i(rd_slot_i),
        .rdata_o({rd_valid_o, rd_inbound_o, rd_ipv6_o, rd_tunnel_o, rd_esn_o, rd_keylen_o, rd_queue_o})
    );
    espalier_ram_sdp #(.WIDTH(32), .DEPTH(NUM_SA)) u_esn_hi_rx (
        .clk_i, .we_i(wr_rec_we_i), .waddr_i(wr_slot_i), .wdata_i(wr_esn_hi_i),
        .re_i(rd_re_i), .raddr_i(rd_slot_i), .rdata_o(rd_esn_hi_o)
    );
    espalier_ram_sdp #(.WIDTH(32), .DEPTH(NUM_SA)) u_spi_rx (
        .clk_i, .we_i(wr_rec_we_i), .waddr_i(wr_slot_i), .wdata_i(wr_spi_i),
        .re_i(rd_re_i), .raddr_i(rd_slot_i), .rdata_o(rd_spi_o)
    );
    espalier_ram_sdp #(.WIDTH(128), .DEPTH(NUM_SA)) u_dst_rx (
        .clk_i, .we_i(wr_rec_we_i), .waddr_i(wr_slot_i), .wdata_i(wr_dst_i),
        .re_i(rd_re_i), .raddr_i(rd_slot_i), .rdata_o(rd_dst_o)
    );
    espalier_ram_sdp #(.WIDTH(128), .DEPTH(NUM_SA)) u_src_rx (
        .clk_i, .we_i(wr_rec_we_i), .waddr_i(wr_slot_i), .wdata_i(wr_src_i),
        .re_i(rd_re_i), .raddr_i(rd_slot_i), .rdata_o(rd_src_o)
    );
    espalier_ram_sdp #(.WIDTH(32), .DEPTH(NUM_SA)) u_salt_rx (
        .clk_i, .we_i(wr_salt_we_i), .waddr_i(wr_slot_i), .wdata_i(wr_inbound_i ? wr_salt_i : 32'd0),
        .re_i(rd_re_i), .raddr_i(rd_slot_i), .rdata_o(rd_salt_o)
    );
    espalier_ram_sdp #(.WIDTH(16), .DEPTH(NUM_SA)) u_gen_rx (
        .clk_i, .we_i(wr_gen_we_i), .waddr_i(wr_slot_i), .wdata_i(wr_gen_i),
        .re_i(rd_re_i), .raddr_i(rd_slot_i), .rdata_o(rd_gen_o)
    );

    // -----------------------------------------------------------------------------------------------------------------
    // Outbound copy: what the check needs.

    localparam int TW = 1 + 2 + 1 + 32;

    wire [SAW-1:0] tx_slot = tx_handle_i[SAW-1:0];
    wire           chk_valid, chk_esn;
    wire [1:0]     chk_keylen;
    wire [31:0]    chk_esn_hi, chk_salt;
    wire [15:0]    chk_gen;

    espalier_ram_sdp #(.WIDTH(TW), .DEPTH(NUM_SA)) u_rec_tx (
        .clk_i, .we_i(wr_rec_we_i), .waddr_i(wr_slot_i),
        .wdata_i({wr_valid_i && !wr_inbound_i, wr_keylen_i, wr_esn_i, wr_esn_hi_i}),
        .re_i(tx_req_i), .raddr_i(tx_slot), .rdata_o({chk_valid, chk_keylen, chk_esn, chk_esn_hi})
    );
    espalier_ram_sdp #(.WIDTH(32), .DEPTH(NUM_SA)) u_salt_tx (
        .clk_i, .we_i(wr_salt_we_i), .waddr_i(wr_slot_i), .wdata_i(wr_inbound_i ? 32'd0 : wr_salt_i),
        .re_i(tx_req_i), .raddr_i(tx_slot), .rdata_o(chk_salt)
    );
    espalier_ram_sdp #(.WIDTH(16), .DEPTH(NUM_SA)) u_gen_tx (
        .clk_i, .we_i(wr_gen_we_i), .waddr_i(wr_slot_i), .wdata_i(wr_gen_i),
        .re_i(tx_req_i), .raddr_i(tx_slot), .rdata_o(chk_gen)
    );

    logic        chk_q;
    logic        chk_in_range_q; // the handle's slot number is one that exists
    logic [15:0] chk_gen_q;

    always_ff @(posedge clk_i) begin
        chk_q    <= tx_req_i && !rst_i;
        tx_rsp_o <= chk_q && !rst_i;
        if (tx_req_i) begin
            chk_in_range_q <= 32'(tx_handle_i[15:0]) < NUM_SA;
            chk_gen_q      <= tx_handle_i[31:16];
        end
        if (chk_q) begin
            tx_hit_o    <= chk_valid && chk_in_range_q && chk_gen == chk_gen_q && !blind_i;
            tx_keylen_o <= chk_keylen;
            tx_esn_o    <= chk_esn;
            tx_esn_hi_o <= chk_esn_hi;
            tx_salt_o   <= chk_salt;
        end
    end

endmodule

`default_nettype wire
