// SPDX-License-Identifier: Apache-2.0
//
// Feeds the words of standard input (one byte each) through the FIFO under random handshakes, and writes what comes out.
// Arguments: seed, percent of cycles with input valid, percent of cycles with output ready.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "Vdut.h"
#include "verilated.h"

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    std::mt19937 rng(static_cast<uint32_t>(std::atoi(argv[1])));
    const unsigned valid_percent = static_cast<unsigned>(std::atoi(argv[2]));
    const unsigned ready_percent = static_cast<unsigned>(std::atoi(argv[3]));
    std::vector<uint8_t> in, out;
    for (int c; (c = std::getchar()) != EOF;) in.push_back(static_cast<uint8_t>(c));

    VerilatedContext context;
    Vdut dut{&context};
    dut.rst_i = 1;
    auto tick = [&] {
        dut.clk_i = 1;
        dut.eval();
        dut.clk_i = 0;
        dut.eval();
    };
    for (int i = 0; i < 3; i++) tick();
    dut.rst_i = 0;

    size_t sent = 0;
    uint64_t cycle = 0;
    while (out.size() < in.size()) {
        if (++cycle > 1000 + in.size() * 200) {
            std::fprintf(stderr, "stuck after %zu of %zu words\n", out.size(), in.size());
            return 1;
        }
        // A word offered stays offered until it is taken.
        dut.s_valid_i = sent < in.size() && (dut.s_valid_i || rng() % 100 < valid_percent);
        dut.s_data_i = sent < in.size() ? in[sent] : 0;
        dut.m_ready_i = rng() % 100 < ready_percent;
        dut.eval();
        if (dut.count_o != sent - out.size()) {
            std::fprintf(stderr, "count_o is %u with %zu words inside\n", dut.count_o, sent - out.size());
            return 1;
        }
        const bool push = dut.s_valid_i && dut.s_ready_o;
        const bool pop = dut.m_valid_o && dut.m_ready_i;
        if (pop) out.push_back(dut.m_data_o);
        tick();
        if (push) {
            sent++;
            dut.s_valid_i = 0;
        }
    }
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fprintf(stderr, "%llu cycles\n", static_cast<unsigned long long>(cycle));
    return 0;
}
