// SPDX-License-Identifier: Apache-2.0
//
// Plays a script on espalier_irq, one line of standard input per event, and prints what it does. NUM_VECTORS is 8, or
// another number given by -D. Input lines, all numbers decimal, in order of cycle:
//   CYCLE mask BITS | arm BITS | clear BITS | set BITS | tx VECTOR COUNT | rx VECTOR COUNT | mod VECTOR COUNT TIME | end
// Output lines: "CYCLE irq BITS" and "CYCLE cause BITS" whenever pulses come or INT_CAUSE changes. A cycle's inputs are seen
// by the clock edge that ends it, its outputs are those before that edge.
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "Vdut.h"
#include "verilated.h"

#ifndef NUM_VECTORS
#define NUM_VECTORS 8
#endif

namespace {

// Puts bits lo+width-1:lo of a port of any width.
template <typename Port>
void put(Port& port, unsigned lo, unsigned width, uint32_t value) {
    if constexpr (sizeof(Port) <= 8) {
        const Port mask = static_cast<Port>(((uint64_t{1} << width) - 1) << lo);
        port = static_cast<Port>((port & static_cast<Port>(~mask)) | (static_cast<Port>(uint64_t{value} << lo) & mask));
    } else {
        const unsigned shift = lo % 32;
        const uint32_t mask = ((1u << width) - 1) << shift;
        port[lo / 32] = (port[lo / 32] & ~mask) | (value << shift & mask);
    }
}

} // namespace

int main() {
    VerilatedContext context;
    Vdut dut{&context};
    auto edge = [&] {
        dut.clk_i = 1;
        dut.eval();
        dut.clk_i = 0;
        dut.eval();
    };
    dut.mask_i = static_cast<decltype(+dut.mask_i)>((uint64_t{1} << NUM_VECTORS) - 1);
    dut.rst_i = 1;
    for (int i = 0; i < 3; i++) edge();
    dut.rst_i = 0;

    unsigned long long cycle = 0, at;
    uint32_t cause = 0;
    auto step = [&] {
        dut.eval();
        if (dut.irq_o != 0) std::printf("%llu irq %u\n", cycle, static_cast<unsigned>(dut.irq_o));
        if (dut.cause_o != cause) {
            cause = dut.cause_o;
            std::printf("%llu cause %u\n", cycle, cause);
        }
        edge();
        cycle++;
        dut.arm_i = dut.cause_clear_i = dut.set_i = 0;
        dut.tx_event_valid_i = dut.rx_event_valid_i = dut.cp_event_valid_i = 0;
    };
    char what[16];
    unsigned a, b, c;
    while (std::scanf("%llu %15s", &at, what) == 2) {
        while (cycle < at) step();
        auto is = [&](const char* name) { return std::strcmp(what, name) == 0; };
        if (is("end")) return 0;
        if (is("mod")) {
            if (std::scanf("%u %u %u", &a, &b, &c) != 3) return 2;
            put(dut.mod_count_i, 8 * a, 8, b);
            put(dut.mod_time_i, 16 * a, 16, c);
        } else if (is("tx") || is("rx")) {
            if (std::scanf("%u %u", &a, &b) != 2) return 2;
            if (is("tx")) {
                dut.tx_event_valid_i = 1;
                dut.tx_event_vector_i = static_cast<CData>(a);
                dut.tx_event_count_i = static_cast<CData>(b);
            } else {
                dut.rx_event_valid_i = 1;
                dut.rx_event_vector_i = static_cast<CData>(a);
                dut.rx_event_count_i = static_cast<CData>(b);
            }
        } else {
            if (std::scanf("%u", &a) != 1) return 2;
            if (is("cp")) {
                dut.cp_event_valid_i = 1;
                dut.cp_event_vector_i = static_cast<CData>(a);
            } else if (is("mask")) put(dut.mask_i, 0, NUM_VECTORS, a);
            else if (is("arm")) put(dut.arm_i, 0, NUM_VECTORS, a);
            else if (is("clear")) put(dut.cause_clear_i, 0, NUM_VECTORS, a);
            else if (is("set")) put(dut.set_i, 0, NUM_VECTORS, a);
            else return 2;
        }
    }
    return 2; // no "end"
}
