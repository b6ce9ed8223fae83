// SPDX-License-Identifier: Apache-2.0
//
// Assertion macros. They are immediate assertions sampled at the clock edge, because that is what Verilator 5.006 and
// Icarus 11 both run; Yosys sees nothing of them. Verilator checks them when it is run with --assert.
//
// A condition that is X counts as failed, so under a four-state simulator these also find missing resets.

`ifndef ESPALIER_ASSERT_SVH
`define ESPALIER_ASSERT_SVH

// Stops elaboration when a parameter has an impossible value. Place it where a generate item may stand. Icarus 11 has no
// elaboration-time $fatal, there the simulation stops at time 0.
`ifdef __ICARUS__
`define ESPALIER_CHECK_PARAM(name, condition, message) \
    if (!(condition)) begin : name \
        initial $fatal(1, message); \
    end
`else
`define ESPALIER_CHECK_PARAM(name, condition, message) \
    if (!(condition)) begin : name \
        $fatal(1, message); \
    end
`endif

`ifdef YOSYS
`define ESPALIER_ASSERT(name, clock, reset, condition)
`define ESPALIER_ASSERT_STABLE(name, clock, reset, valid, ready, payload)
`else
// condition must hold at every rising edge of clock at which reset is 0.
`define ESPALIER_ASSERT(name, clock, reset, condition) \
    always @(posedge clock) begin : name \
        if ((reset) === 1'b0) begin \
            assert (condition) else $fatal(1, "assertion failed"); \
        end \
    end

// Icarus 11 gets $bits of a concatenation wrong; there a payload is padded to a width that is enough for all.
`ifdef __ICARUS__
`define ESPALIER_PAYLOAD_W(payload) 1024
`else
`define ESPALIER_PAYLOAD_W(payload) $bits(payload)
`endif

// The valid/ready rule: once valid, a payload stays as it is and valid stays up until ready.
`define ESPALIER_ASSERT_STABLE(name, clock, reset, valid, ready, payload) \
    logic [`ESPALIER_PAYLOAD_W(payload)-1:0] name``_payload_q; \
    logic name``_held_q; \
    always @(posedge clock) begin : name \
        name``_payload_q <= payload; \
        name``_held_q <= (reset) === 1'b0 && (valid) && !(ready); \
        if ((reset) === 1'b0 && name``_held_q === 1'b1) begin \
            assert ((valid) && (payload) === name``_payload_q) else $fatal(1, "assertion failed"); \
        end \
    end
`endif

`endif
