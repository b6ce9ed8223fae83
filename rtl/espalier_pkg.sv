// SPDX-License-Identifier: Apache-2.0
//
// Encodings that pass between units. What the host sees is in the generated espalier_regs_pkg.

`default_nettype none

// No single unit uses all of them.
/* verilator lint_off UNUSEDPARAM */
package espalier_pkg;

    // What espalier_crypt made of a frame (r_status_o).
    localparam logic [2:0] CRYPT_PASS   = 3'd0; // passed through as asked
    localparam logic [2:0] CRYPT_OK     = 3'd1; // encrypted, or decrypted with a good ICV
    localparam logic [2:0] CRYPT_AUTH   = 3'd2; // wrong ICV
    localparam logic [2:0] CRYPT_SYNTAX = 3'd3; // ends before its ICV, or an impossible Pad Length
    localparam logic [2:0] CRYPT_ERROR  = 3'd4; // came with s_err_i: there is no frame

    // What espalier_rx_parse found in a frame.
    localparam logic [1:0] RX_UNTOUCHED = 2'd0; // not an ESP packet that IPsec processing applies to
    localparam logic [1:0] RX_NO_SA     = 2'd1; // ESP, no inbound SA matches
    localparam logic [1:0] RX_SA        = 2'd2; // ESP, an SA matches
    localparam logic [1:0] RX_BAD_LEN   = 2'd3; // an SA matches, the IP length is impossible; passed through

    // What travels with a received frame through espalier_crypt: {class, tunnel, queue, handle}.
    localparam int RX_USER_HANDLE_LSB = 0;
    localparam int RX_USER_QUEUE_LSB  = 32;
    localparam int RX_USER_TUNNEL_LSB = 36;
    localparam int RX_USER_CLASS_LSB  = 37;
    localparam int RX_USER_W          = 39;

    // Key length of an SA (meta_keylen_i, SA records).
    localparam logic [1:0] KEYLEN_128 = 2'd0;
    localparam logic [1:0] KEYLEN_192 = 2'd1;
    localparam logic [1:0] KEYLEN_256 = 2'd2;

    // Byte reversal: from a stream's order (first byte in bits 7:0) to the standards' (first byte on top), and back.
    function automatic logic [31:0] swap32(input logic [31:0] x);
        swap32 = {x[7:0], x[15:8], x[23:16], x[31:24]};
    endfunction

    function automatic logic [63:0] swap64(input logic [63:0] x);
        swap64 = {swap32(x[31:0]), swap32(x[63:32])};
    endfunction

    function automatic logic [127:0] swap128(input logic [127:0] x);
        swap128 = {swap32(x[31:0]), swap32(x[63:32]), swap32(x[95:64]), swap32(x[127:96])};
    endfunction

endpackage
/* verilator lint_on UNUSEDPARAM */

`default_nettype wire
