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

    // One pulse per interrupt.
    output      logic [NUM_VECTORS-1:0] irq_o
);

endmodule

`default_nettype wire
