// SPDX-License-Identifier: Apache-2.0
//
// Self-test of a crypt unit: sends the frame in its buffer through the TX or the RX unit, puts what comes back in its place
// and keeps status and length. The frame is 256 bytes at most, and its time does not matter: the buffer has words of 32
// bits, a beat is gathered and taken apart a word per cycle.

`default_nettype none

module espalier_selftest #(
    parameter int LANES  = 1,               // 128-bit lanes of the data path
    parameter int NUM_SA = 1024,            // SA slots
    parameter int DW     = 128 * LANES,     // derived
    parameter int OW     = $clog2(DW / 8),  // derived
    parameter int SAW    = $clog2(NUM_SA)   // derived
) (
    input  wire            clk_i,
    input  wire            rst_i,

    // a test; ignored while one is under way
    input  wire            start_i,
    input  wire            rx_i,     // 1: the RX unit
    input  wire  [1:0]     keylen_i,
    input  wire            esn_i,
    input  wire  [8:0]     length_i, // bytes of the frame
    input  wire  [7:0]     espoff_i, // offset of the ESP header
    input  wire  [7:0]     plen_i,   // ESP payload with its trailer
    input  wire  [SAW-1:0] sa_i,
    input  wire  [31:0]    salt_i,
    input  wire  [31:0]    seqhi_i,
    output wire            busy_o,
    output wire  [2:0]     result_o,
    output wire  [8:0]     length_o, // bytes that came back

    // the frame buffer, only while busy_o is 0; read data one cycle after the address
    input  wire  [3:0]     we_i,
    input  wire            re_i,
    input  wire  [5:0]     addr_i,
    input  wire  [31:0]    wdata_i,
    output wire  [31:0]    rdata_o,

    // the crypt units, as espalier_crypt has them
    output wire            tx_meta_valid_o,
    input  wire            tx_meta_ready_i,
    output wire            rx_meta_valid_o,
    input  wire            rx_meta_ready_i,
    output wire  [SAW-1:0] meta_sa_o,
    output wire  [1:0]     meta_keylen_o,
    output wire            meta_esn_o,
    output wire  [31:0]    meta_seqhi_o,
    output wire  [31:0]    meta_salt_o,
    output wire  [13:0]    meta_espoff_o,
    output wire  [13:0]    meta_plen_o,
    output wire            tx_s_valid_o,
    input  wire            tx_s_ready_i,
    output wire            rx_s_valid_o,
    input  wire            rx_s_ready_i,
    output wire  [DW-1:0]  s_data_o,
    output wire            s_last_o,
    output wire  [OW:0]    s_count_o,
    input  wire            tx_r_valid_i,
    input  wire  [2:0]     tx_r_status_i,
    input  wire  [13:0]    tx_r_len_i,
    input  wire            rx_r_valid_i,
    input  wire  [2:0]     rx_r_status_i,
    input  wire  [13:0]    rx_r_len_i,
    output wire            r_ready_o,
    input  wire            tx_m_valid_i,
    input  wire  [DW-1:0]  tx_m_data_i,
    input  wire            tx_m_last_i,
    input  wire            rx_m_valid_i,
    input  wire  [DW-1:0]  rx_m_data_i,
    input  wire            rx_m_last_i,
    output wire            m_ready_o
);

    localparam int BW = DW / 8;
    localparam int WORDS = DW / 32; // words of a beat
    localparam int SW = $clog2(WORDS + 1);

    typedef enum logic [2:0] {
        IDLE,
        DESCRIBE, // the frame's description is offered
        GATHER,   // the words of a beat are read
        SEND,     // the beat is offered
        RESULT,   // the result is awaited
        STORE     // the words of a beat are written
    } state_e;

    state_e         state_q;
    logic           rx_q, esn_q;
    logic [1:0]     keylen_q;
    logic [7:0]     espoff_q, plen_q;
    logic [SAW-1:0] sa_q;
    logic [31:0]    salt_q, seqhi_q;
    logic [8:0]     left_q;  // bytes not sent
    logic [5:0]     word_q;  // next word of the buffer
    logic [SW-1:0]  step_q;  // words of this beat done
    logic [DW-1:0]  beat_q;
    logic [2:0]     result_q;
    logic [8:0]     length_q;

    // What the crypt units are never given on the way from a queue or from the wire.
    wire possible = length_i != 9'd0 && length_i <= 9'd256 && espoff_i >= 8'd34 && plen_i >= 8'd4 && plen_i[1:0] == 2'd0;

    wire          describing = state_q == DESCRIBE;
    wire          sending    = state_q == SEND;
    wire          meta_ready = rx_q ? rx_meta_ready_i : tx_meta_ready_i;
    wire          s_ready    = rx_q ? rx_s_ready_i : tx_s_ready_i;
    wire          r_valid    = rx_q ? rx_r_valid_i : tx_r_valid_i;
    wire [2:0]    r_status   = rx_q ? rx_r_status_i : tx_r_status_i;
    wire [13:0]   r_len      = rx_q ? rx_r_len_i : tx_r_len_i;
    wire          m_valid    = rx_q ? rx_m_valid_i : tx_m_valid_i;
    wire [DW-1:0] m_data     = rx_q ? rx_m_data_i : tx_m_data_i;
    wire          m_last     = rx_q ? rx_m_last_i : tx_m_last_i;
    wire          storing    = state_q == STORE && m_valid;
    wire          beat_done  = step_q == SW'(WORDS - 1);

    assign busy_o          = state_q != IDLE;
    assign result_o        = result_q;
    assign length_o        = length_q;
    assign tx_meta_valid_o = describing && !rx_q;
    assign rx_meta_valid_o = describing && rx_q;
    assign meta_sa_o       = sa_q;
    assign meta_keylen_o   = keylen_q;
    assign meta_esn_o      = esn_q;
    assign meta_seqhi_o    = seqhi_q;
    assign meta_salt_o     = salt_q;
    assign meta_espoff_o   = {6'd0, espoff_q};
    assign meta_plen_o     = {6'd0, plen_q};
    assign tx_s_valid_o    = sending && !rx_q;
    assign rx_s_valid_o    = sending && rx_q;
    assign s_data_o        = beat_q;
    assign s_last_o        = left_q <= 9'(BW);
    assign s_count_o       = s_last_o ? left_q[OW:0] : (OW+1)'(BW);
    assign r_ready_o       = state_q == RESULT;
    assign m_ready_o       = storing && beat_done;

    always_ff @(posedge clk_i) begin
        case (state_q)
            IDLE: if (start_i) begin
                rx_q     <= rx_i;
                keylen_q <= keylen_i;
                esn_q    <= esn_i;
                espoff_q <= espoff_i;
                plen_q   <= plen_i;
                sa_q     <= sa_i;
                salt_q   <= salt_i;
                seqhi_q  <= seqhi_i;
                left_q   <= length_i;
                length_q <= '0;
                result_q <= espalier_pkg::CRYPT_SYNTAX;
                word_q   <= '0;
                step_q   <= '0;
                if (possible) state_q <= DESCRIBE;
            end
            DESCRIBE: if (meta_ready) state_q <= GATHER;
            GATHER: begin // a word is read in one step and arrives in the next
                if (step_q != '0) beat_q <= {rdata_o, beat_q[DW-1:32]};
                if (step_q == SW'(WORDS)) begin
                    step_q  <= '0;
                    state_q <= SEND;
                end else begin
                    step_q <= step_q + 1'b1;
                    word_q <= word_q + 6'd1;
                end
            end
            SEND: if (s_ready) begin
                left_q  <= left_q - 9'(BW);
                state_q <= s_last_o ? RESULT : GATHER;
            end
            RESULT: begin
                word_q <= '0;
                if (r_valid) begin
                    result_q <= r_status;
                    length_q <= r_status == espalier_pkg::CRYPT_ERROR ? '0 : r_len[8:0];
                    state_q  <= r_status == espalier_pkg::CRYPT_ERROR ? IDLE : STORE;
                end
            end
            default: if (m_valid) begin
                word_q <= word_q + 6'd1;
                step_q <= beat_done ? '0 : step_q + 1'b1;
                if (beat_done && m_last) state_q <= IDLE;
            end
        endcase
        if (rst_i) begin
            state_q  <= IDLE;
            rx_q     <= 1'b0;
            result_q <= '0;
            length_q <= '0;
        end
    end

    wire        gathering = state_q == GATHER;
    wire [31:0] out_word  = m_data[32*32'(step_q) +: 32];

    espalier_cp_ram #(.DEPTH(64)) u_frame (
        .clk_i   (clk_i),
        .we_i    (storing ? 4'hF : busy_o ? 4'h0 : we_i),
        .waddr_i (storing ? word_q : addr_i),
        .wdata_i (storing ? out_word : wdata_i),
        .re_i    (gathering || (re_i && !busy_o)),
        .raddr_i (gathering ? word_q : addr_i),
        .rdata_o (rdata_o)
    );

    wire unused = &{1'b0, r_len[13:9]};

endmodule

`default_nettype wire
