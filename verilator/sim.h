// SPDX-License-Identifier: Apache-2.0
//
// One simulated NIC: the Verilated design, the models on its buses, its clock.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "axi_memory.h"
#include "axil_master.h"
#include "design.h"
#include "host_memory.h"
#include "mac_stream.h"
#include "options.h"
#include "stimuli.h"
#include "wave.h"

namespace espalier {

// Methods throw ModelError when the model stops and CallError when a call is
// refused. After a ModelError only wave and peek may be used.
class Sim {
public:
    Sim(const Options& options, uint64_t seed);
    ~Sim();

    void hard_reset();
    uint64_t cycle() const { return cycle_; }

    // Runs up to cycles clocks until one of the events; returns the clocks run.
    uint64_t advance(uint64_t cycles, uint32_t until, uint32_t* events);
    // Advance stops while *word, which other threads change, is not 0; null: never.
    void attention(const uint32_t* word) { attention_ = word != nullptr ? word : &kNobody; }

    uint64_t bar_read(uint32_t bar, uint64_t offset, uint32_t width);
    void bar_write(uint32_t bar, uint64_t offset, uint32_t width, uint64_t value);

    HostMemory& memory() { return memory_; }
    // Remote memory: see espalier_sim.h.
    void mem_remote(bool enable) { axi_memory_.set_remote(enable, cycle_); }
    uint32_t mem_requests(espalier_sim_request* out, uint32_t max) { return axi_memory_.take_requests(out, max); }
    void mem_answer(uint64_t id, bool ok, const uint8_t* data, size_t size) { axi_memory_.answer(id, ok, data, size, cycle_); }

    MacSource& mac_source() { return mac_source_; }
    MacSink& mac_sink() { return mac_sink_; }

    // Adds the pulses of vectors 0 to n-1 since the last call to counts.
    void take_interrupts(uint32_t* counts, uint32_t n);

    void wave(const char* path);
    void record(const char* path);
    void coverage(const char* path);
    size_t peek(const char* name, uint64_t index, uint8_t* out, size_t capacity);

    // Makes this the instance whose Verilog time and scopes the calling thread
    // sees.
    void enter();

private:
    static constexpr unsigned kMaxVectors = 32;
    static constexpr uint32_t kNobody = 0;

    void clock_low();
    void clock_high();
    uint32_t step();
    void count_interrupts(uint32_t pulses);
    uint32_t read_word(uint32_t address);
    void write_word(uint32_t address, uint32_t data, uint8_t strobe);
    void finish_access(const char* what, uint64_t offset);

    VerilatedContext context_;
    std::unique_ptr<Design> top_;
    const Options options_;
    HostMemory memory_;
    AxiMemory axi_memory_;
    AxilMaster axil_master_;
    MacSource mac_source_;
    MacSink mac_sink_;
    std::unique_ptr<Wave> wave_;
    std::unique_ptr<StimuliRecorder> recorder_;
    bool observed_ = false;  // by wave_ or recorder_
    uint64_t cycle_ = 0;
    const uint32_t* attention_ = &kNobody;
    std::array<uint32_t, kMaxVectors> interrupts_{};
};

}  // namespace espalier
