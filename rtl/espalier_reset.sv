// SPDX-License-Identifier: Apache-2.0
//
// Start-up and CTRL.RESET. A reset first lets everything under way on the bus and toward the MAC end, then holds the data
// plane and the registers in reset while the SA slots are zeroised. The bus interface itself answers throughout.

`default_nettype none

module espalier_reset (
    input  wire  clk_i,
    input  wire  rst_i,            // hard reset

    input  wire  request_i,        // pulse: CTRL.RESET was written 1
    output wire  busy_o,           // CTRL.RESET, STATUS.RESET_BUSY
    output wire  ready_o,          // STATUS.READY

    output wire  quiesce_o,        // to the bus masters: start nothing new
    output wire  discard_o,        // to the MAC switch: what is received vanishes
    input  wire  idle_i,           // no bus transaction under way, every frame promised to the MAC sent
    output logic plane_rst_o,      // reset of the data plane and of the registers' values

    output logic zeroise_o,        // pulse
    input  wire  zeroise_busy_i    // also after rst_i
);

    // Cycles for which idle_i must hold, and for which the data plane is reset before zeroising is looked at: more than
    // the register stages between a unit's state and its neighbour's, and than a lookup of an SA takes.
    localparam logic [3:0] SETTLE = 4'd15;

    typedef enum logic [1:0] {
        RESET,   // the data plane is in reset, zeroising begins
        ZEROISE, // and has begun
        RUN,
        QUIESCE  // transactions under way end
    } state_e;

    state_e     state_q;
    logic [3:0] settle_q;

    assign busy_o    = state_q != RUN;
    assign ready_o   = state_q == RUN;
    assign quiesce_o = state_q != RUN;
    assign discard_o = state_q != RUN;

    always_ff @(posedge clk_i) begin
        if (rst_i) begin
            state_q     <= RESET;
            settle_q    <= '0;
            plane_rst_o <= 1'b1;
            zeroise_o   <= 1'b0;
        end else begin
            zeroise_o <= 1'b0;
            case (state_q)
                RESET: begin
                    settle_q <= settle_q + 4'd1;
                    if (settle_q == SETTLE) state_q <= ZEROISE;
                end
                ZEROISE:
                    if (!zeroise_busy_i) begin
                        state_q     <= RUN;
                        plane_rst_o <= 1'b0;
                    end
                RUN: begin
                    settle_q <= '0;
                    if (request_i) state_q <= QUIESCE;
                end
                default: begin
                    settle_q <= idle_i ? settle_q + 4'd1 : '0;
                    if (idle_i && settle_q == SETTLE) begin
                        state_q     <= RESET;
                        settle_q    <= '0;
                        plane_rst_o <= 1'b1;
                        zeroise_o   <= 1'b1;
                    end
                end
            endcase
        end
    end

endmodule

`default_nettype wire
