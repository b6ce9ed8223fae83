// SPDX-License-Identifier: Apache-2.0
//
// Loading of the control processor's memory: CP_LOAD_ADDR, CP_LOAD_DATA, CP_LOAD_CRC, and whether what was loaded is an
// image. The CRC takes a word per cycle. Its state lives as long as the memory does: through a reset of the NIC.

`default_nettype none

module espalier_cp_load #(
    parameter int RAM_BYTES = 32768 // memory of the processor, bytes
) (
    input  wire         clk_i,
    input  wire         rst_i, // hard reset
    input  wire         soft_rst_i, // CTRL.RESET: only the address register

    // writes of registers; none while the processor runs
    input  wire         addr_we_i,
    input  wire  [23:0] addr_i,
    input  wire         data_we_i,
    input  wire  [31:0] data_i,

    output wire  [23:0] addr_o,     // CP_LOAD_ADDR
    output wire  [31:0] crc_o,      // CP_LOAD_CRC
    output wire         image_ok_o, // CP_STATUS.IMAGE_OK
    output wire  [21:0] words_o,    // words of the image

    // to the memory, in the cycle of data_we_i
    output wire         we_o,
    output wire  [21:0] word_o,
    output wire  [31:0] data_o
);

    localparam logic [31:0] POLYNOMIAL = 32'hEDB88320; // IEEE 802.3, reflected
    localparam logic [31:0] RESIDUE    = 32'hDEBB20E3; // of anything that ends in its CRC
    localparam int          LEAST      = 16;           // words of an image

    logic [21:0] addr_q;  // next word
    logic [21:0] words_q; // loaded in order from 0
    logic [31:0] crc_q;
    logic        sound_q; // every word since the start came in order, and none was beyond the memory

    wire in_ram = {1'b0, addr_q} < 23'(RAM_BYTES / 4);

    assign addr_o     = {addr_q, 2'b00};
    assign crc_o      = crc_q;
    assign words_o    = words_q;
    assign image_ok_o = sound_q && words_q >= 22'(LEAST) && crc_q == RESIDUE;
    assign we_o       = data_we_i && in_ram;
    assign word_o     = addr_q;
    assign data_o     = data_i;

    logic [31:0] next_crc;
    always_comb begin
        next_crc = crc_q ^ data_i;
        if (data_we_i) begin
            for (int i = 0; i < 32; i++) next_crc = {1'b0, next_crc[31:1]} ^ (next_crc[0] ? POLYNOMIAL : 32'd0);
        end
    end

    always_ff @(posedge clk_i) begin
        if (addr_we_i) begin
            addr_q <= addr_i[23:2];
            if (addr_i[23:2] == '0) begin
                words_q <= '0;
                crc_q   <= '1;
                sound_q <= 1'b1;
            end
        end
        if (data_we_i) begin
            addr_q <= addr_q + 22'd1;
            if (sound_q && in_ram && addr_q == words_q) begin
                words_q <= words_q + 22'd1;
                crc_q   <= next_crc;
            end else begin
                sound_q <= 1'b0;
            end
        end
        if (rst_i || soft_rst_i) addr_q <= '0;
        if (rst_i) begin
            words_q <= '0;
            crc_q   <= '1;
            sound_q <= 1'b0;
        end
    end

    wire unused = &{1'b0, addr_i[1:0]};

endmodule

`default_nettype wire
