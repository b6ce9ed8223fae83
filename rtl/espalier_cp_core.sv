// SPDX-License-Identifier: Apache-2.0
//
// The control processor: PicoRV32 (RV32I), its memory at address 0, a way to the NIC's registers at 0x4000_0000, and what
// tells that it went wrong.
//
// The memory is addressed by the processor's look-ahead outputs and so answers in the cycle in which it is asked. What lies
// nowhere reads as an illegal instruction when it is fetched: PicoRV32 also fetches the instruction behind the one that it
// executes, and only one that is executed is a fault.

`default_nettype none
`include "espalier_assert.svh"

module espalier_cp_core #(
    parameter int RAM_BYTES = 32768 // memory, bytes, a multiple of 4 from 1024 to 2^24
) (
    input  wire         clk_i,
    input  wire         rst_i, // the processor's reset
    input  wire         clear_i, // forget pc_o and last_pc_o

    // loading, only while rst_i is 1
    input  wire         load_we_i,
    input  wire  [21:0] load_word_i, // address in words, below RAM_BYTES / 4
    input  wire  [31:0] load_data_i,
    input  wire  [21:0] program_i,   // words from address 0 that the processor may not write

    // registers of the NIC; a request is held until ready or until rst_i is 1
    output wire         reg_valid_o,
    output wire         reg_write_o,
    output wire  [17:0] reg_addr_o,
    output wire  [31:0] reg_wdata_o,
    output wire  [3:0]  reg_wstrb_o,
    input  wire         reg_ready_i,
    input  wire  [31:0] reg_rdata_i,
    input  wire         reg_error_i,

    output wire  [3:0]  fault_o,     // espalier_cp_fault: why it cannot go on; stays until rst_i
    output wire  [31:0] pc_o,        // address of the last instruction fetched
    output wire  [31:0] last_pc_o    // and of the one before: with a fault, the one that is executed
);

    `ESPALIER_CHECK_PARAM(g_check_ram, RAM_BYTES >= 1024 && RAM_BYTES <= 16777216 && RAM_BYTES % 4 == 0,
                          "espalier_cp_core: RAM_BYTES must be a multiple of 4 from 1024 to 16777216")

    localparam int WORDS = RAM_BYTES / 4;
    localparam int AW    = $clog2(WORDS);
    localparam logic [13:0] REGISTERS = 14'h1000; // bits 31:18 of 0x4000_0000

    wire        trap, mem_valid, mem_instr, la_read;
    wire [31:0] mem_addr, mem_wdata;
    wire [3:0]  mem_wstrb;
    /* verilator lint_off UNUSEDSIGNAL */ // a word's address, and only what the memory has of it
    wire [31:0] la_addr;
    /* verilator lint_on UNUSEDSIGNAL */
    wire [31:0] ram_rdata;

    // ---------------------------------------------------------------------------
    // Where an access goes

    wire in_ram    = mem_addr[31:2] < 30'(WORDS);
    wire in_regs   = mem_addr[31:18] == REGISTERS && !mem_instr;
    wire writes    = mem_wstrb != 4'd0;
    wire forbidden = in_ram && writes && mem_addr[31:2] < 30'(program_i);
    wire ram_hit   = mem_valid && in_ram && !forbidden;
    wire no_insn   = mem_valid && mem_instr && !in_ram;
    wire answered  = reg_valid_o && reg_ready_i;
    wire nothing   = mem_valid && (forbidden || (!in_ram && !in_regs && !mem_instr));

    wire        mem_ready = ram_hit || no_insn || (answered && !reg_error_i);
    wire [31:0] mem_rdata = in_ram ? ram_rdata : mem_instr ? 32'd0 : reg_rdata_i;

    assign reg_valid_o = mem_valid && in_regs && !rst_i;
    assign reg_write_o = writes;
    assign reg_addr_o  = {mem_addr[17:2], 2'b00};
    assign reg_wdata_o = mem_wdata;
    assign reg_wstrb_o = mem_wstrb;

    // ---------------------------------------------------------------------------
    // What is executed. When the processor stops it has fetched one instruction more.

    logic [31:0] pc_q, last_pc_q;

    always_ff @(posedge clk_i) begin
        if (mem_valid && mem_instr && mem_ready) begin
            pc_q      <= mem_addr;
            last_pc_q <= pc_q;
        end
        if (clear_i) begin
            pc_q      <= '0;
            last_pc_q <= '0;
        end
    end

    assign pc_o      = pc_q;
    assign last_pc_o = last_pc_q;

    wire lost      = last_pc_q[31:2] >= 30'(WORDS); // it executes what lies nowhere
    wire bus_fault = nothing || (answered && reg_error_i);
    assign fault_o = rst_i       ? espalier_regs_pkg::CP_FAULT_NONE
                   : trap        ? (lost ? espalier_regs_pkg::CP_FAULT_BUS : espalier_regs_pkg::CP_FAULT_TRAP)
                   : bus_fault   ? espalier_regs_pkg::CP_FAULT_BUS
                   :               espalier_regs_pkg::CP_FAULT_NONE;

    // ---------------------------------------------------------------------------

    espalier_cp_ram #(.DEPTH(WORDS)) u_ram (
        .clk_i   (clk_i),
        .we_i    (load_we_i ? 4'hF : ram_hit && !rst_i ? mem_wstrb : 4'h0),
        .waddr_i (load_we_i ? load_word_i[AW-1:0] : mem_addr[AW+1:2]),
        .wdata_i (load_we_i ? load_data_i : mem_wdata),
        .re_i    (la_read),
        .raddr_i (la_addr[AW+1:2]),
        .rdata_o (ram_rdata)
    );

    if (AW < 22) begin : g_unused
        wire unused_load = &{1'b0, load_word_i[21:AW]};
    end

    /* verilator lint_off PINCONNECTEMPTY */ // look-ahead of writes, co-processor, interrupts, trace: not used
    picorv32 #(
        .ENABLE_COUNTERS      (0),
        .ENABLE_COUNTERS64    (0),
        .ENABLE_REGS_DUALPORT (1),
        .BARREL_SHIFTER       (1),
        .COMPRESSED_ISA       (0),
        .CATCH_MISALIGN       (1),
        .CATCH_ILLINSN        (1),
        .ENABLE_MUL           (0),
        .ENABLE_DIV           (0),
        .ENABLE_IRQ           (0),
        .PROGADDR_RESET       (32'd0),
        .STACKADDR            (RAM_BYTES)
    ) u_picorv32 (
        .clk          (clk_i),
        .resetn       (!rst_i),
        .trap         (trap),
        .mem_valid    (mem_valid),
        .mem_instr    (mem_instr),
        .mem_ready    (mem_ready),
        .mem_addr     (mem_addr),
        .mem_wdata    (mem_wdata),
        .mem_wstrb    (mem_wstrb),
        .mem_rdata    (mem_rdata),
        .mem_la_read  (la_read),
        .mem_la_write (),
        .mem_la_addr  (la_addr),
        .mem_la_wdata (),
        .mem_la_wstrb (),
        .pcpi_valid   (),
        .pcpi_insn    (),
        .pcpi_rs1     (),
        .pcpi_rs2     (),
        .pcpi_wr      (1'b0),
        .pcpi_rd      (32'd0),
        .pcpi_wait    (1'b0),
        .pcpi_ready   (1'b0),
        .irq          (32'd0),
        .eoi          (),
        .trace_valid  (),
        .trace_data   ()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    `ESPALIER_ASSERT(a_load, clk_i, clear_i, !load_we_i || rst_i)

endmodule

`default_nettype wire
