// SPDX-License-Identifier: Apache-2.0
//
// Interrupts: counts events per vector, moderates by count and time, keeps causes, sends pulses.
// docs/nic-contract.md ("Interrupts") says what the host sees.

`default_nettype none
`include "espalier_assert.svh"

module espalier_irq #(
    // Interrupt vectors, 1 to 32.
    parameter int NUM_VECTORS = 8
) (
    input  wire logic clk_i,
    input  wire logic rst_i,

    // Registers. cause_clear_i, arm_i and set_i are events of one cycle (bits that software wrote 1), the others levels.
    output      logic [NUM_VECTORS-1:0]    cause_o,       // INT_CAUSE
    input  wire logic [NUM_VECTORS-1:0]    cause_clear_i, // INT_CAUSE, write 1 to clear
    input  wire logic [NUM_VECTORS-1:0]    mask_i,        // INT_MASK
    input  wire logic [NUM_VECTORS-1:0]    arm_i,         // INT_ARM
    input  wire logic [NUM_VECTORS-1:0]    set_i,         // INT_SET
    input  wire logic [NUM_VECTORS*8-1:0]  mod_count_i,   // INT_MODERATION[v].COUNT in bits 8v+7:8v
    input  wire logic [NUM_VECTORS*16-1:0] mod_time_i,    // INT_MODERATION[v].TIME in bits 16v+15:16v

    // Events of the two rings, both may come in one cycle. Vectors that this build does not have are ignored.
    input  wire logic       tx_event_valid_i,
    input  wire logic [4:0] tx_event_vector_i,
    input  wire logic [2:0] tx_event_count_i,
    input  wire logic       rx_event_valid_i,
    input  wire logic [4:0] rx_event_vector_i,
    input  wire logic [2:0] rx_event_count_i,

    // Events of the control processor, one at a time; may come with the others.
    input  wire logic       cp_event_valid_i,
    input  wire logic [4:0] cp_event_vector_i,

    // One pulse per interrupt.
    output      logic [NUM_VECTORS-1:0] irq_o
);

    `ESPALIER_CHECK_PARAM(g_check_vectors, NUM_VECTORS >= 1 && NUM_VECTORS <= 32, "espalier_irq: NUM_VECTORS must be 1 to 32")

    localparam logic [7:0]  COUNT_MAX = 8'hFF;
    localparam logic [19:0] TIME_MAX  = 20'hFFFFF;

    logic [NUM_VECTORS-1:0] cause_q, armed_q;
    logic [NUM_VECTORS-1:0] unsent_q;                      // the cause was set while masked
    logic [NUM_VECTORS-1:0] irq_q;
    logic [7:0]             count_q [0:NUM_VECTORS-1];     // events since the vector fired, at most COUNT_MAX
    logic [19:0]            elapsed_q [0:NUM_VECTORS-1];   // cycles since the first of them, at most TIME_MAX
    logic [NUM_VECTORS-1:0] fire;

    assign cause_o = cause_q;
    assign irq_o   = irq_q;

    for (genvar v = 0; v < NUM_VECTORS; v++) begin : g_vector
        wire [4:0] coming = ((tx_event_valid_i && tx_event_vector_i == 5'(v)) ? {2'b0, tx_event_count_i} : 5'd0)
                          + ((rx_event_valid_i && rx_event_vector_i == 5'(v)) ? {2'b0, rx_event_count_i} : 5'd0)
                          + {4'd0, cp_event_valid_i && cp_event_vector_i == 5'(v)}
                          + {4'd0, set_i[v]};
        wire [8:0] sum = {1'b0, count_q[v]} + {4'd0, coming};

        assign fire[v] = armed_q[v] && count_q[v] != '0
                         && (count_q[v] >= mod_count_i[v*8 +: 8] || elapsed_q[v] >= {mod_time_i[v*16 +: 16], 4'd0});

        always_ff @(posedge clk_i) begin
            if (fire[v]) begin
                count_q[v]   <= {3'd0, coming};
                elapsed_q[v] <= '0;
            end else begin
                count_q[v] <= sum[8] ? COUNT_MAX : sum[7:0];
                if (count_q[v] == '0) elapsed_q[v] <= '0;
                else if (elapsed_q[v] != TIME_MAX) elapsed_q[v] <= elapsed_q[v] + 20'd1;
            end
            if (rst_i) begin
                count_q[v]   <= '0;
                elapsed_q[v] <= '0;
            end
        end
    end

    // Cleared and set at once, a cause is set: nothing is lost.
    always_ff @(posedge clk_i) begin
        cause_q  <= (cause_q & ~cause_clear_i) | fire;
        armed_q  <= (armed_q | arm_i) & ~fire;
        unsent_q <= (unsent_q & ~cause_clear_i | fire) & mask_i;
        irq_q    <= (unsent_q & ~cause_clear_i | fire) & ~mask_i;
        if (rst_i) begin
            cause_q  <= '0;
            armed_q  <= '1;
            unsent_q <= '0;
            irq_q    <= '0;
        end
    end

endmodule

`default_nettype wire
