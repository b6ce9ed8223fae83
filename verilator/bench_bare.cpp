// SPDX-License-Identifier: Apache-2.0
//
// How fast the design is with nothing around it: applies recorded inputs clock
// by clock in the plainest loop there is. Prints one JSON object.
//
//   bench_bare STIMULI [ROUNDS]
//
// Each round starts with a new instance. Times are processor time, and the
// fastest round counts: anything else that the machine does can only make a
// round slower.

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "design.h"
#include "errors.h"
#include "stimuli.h"

namespace {

using espalier::Design;

double processor_time() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Outcome {
    double seconds;
    uint64_t mac_beats;  // transferred to the MAC: shows that the design did the same as when it was recorded
};

Outcome run(const std::vector<char>& stimuli) {
    VerilatedContext context;
    Verilated::threadContextp(&context);
    const auto top = std::make_unique<Design>(&context, "TOP");
    uint64_t beats = 0;
    const double start = processor_time();
    for (const char* at = stimuli.data(); at != stimuli.data() + stimuli.size();) {
        espalier::for_inputs(*top, [&](auto& pin) {
            std::memcpy(static_cast<void*>(&pin), at, sizeof(pin));
            at += sizeof(pin);
        });
        top->clk_i = 0;
        top->eval();
        beats += top->m_axis_mac_tvalid_o & top->m_axis_mac_tready_i & !top->rst_i;
        top->clk_i = 1;
        top->eval();
    }
    const double took = processor_time() - start;
    top->final();
    return {took, beats};
}

int bench(int argc, char** argv) {
    if (argc < 2 || argc > 3) throw std::runtime_error("usage: bench_bare STIMULI [ROUNDS]");
    std::ifstream file(argv[1], std::ios::binary);
    if (!file) throw std::runtime_error(std::string(argv[1]) + " cannot be read");
    const std::vector<char> stimuli{std::istreambuf_iterator<char>(file), {}};
    size_t size;
    {
        VerilatedContext context;
        Design top(&context, "TOP");
        size = espalier::stimuli_size(top);
    }
    if (stimuli.empty() || stimuli.size() % size != 0) {
        throw std::runtime_error(espalier::format("%s has %zu bytes, not a multiple of %zu", argv[1], stimuli.size(), size));
    }
    const int rounds = argc == 3 ? std::atoi(argv[2]) : 3;
    Outcome best{std::numeric_limits<double>::infinity(), 0};
    for (int i = 0; i < rounds; ++i) {
        const Outcome outcome = run(stimuli);
        if (outcome.seconds < best.seconds) best = outcome;
    }
    const size_t cycles = stimuli.size() / size;
    std::printf("{\"cycles\":%zu,\"seconds\":%.6f,\"cycles_per_second\":%.0f,\"mac_beats\":%llu}\n", cycles, best.seconds,
                static_cast<double>(cycles) / best.seconds, static_cast<unsigned long long>(best.mac_beats));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return bench(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "bench_bare: %s\n", e.what());
        return 1;
    }
}
