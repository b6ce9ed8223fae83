// SPDX-License-Identifier: Apache-2.0

#include "sim.h"

#include <algorithm>
#include <cinttypes>

#include "errors.h"
#include "espalier_sim.h"
#include "peek.h"

namespace espalier {
namespace {

constexpr unsigned kResetCycles = 16;

// Half a clock in units of the design's time precision, 1 ns: 250 MHz.
constexpr uint64_t kHalfClock = 2;

std::unique_ptr<Design> make_design(VerilatedContext& context) {
    Verilated::threadContextp(&context);
    return std::make_unique<Design>(&context, "TOP");
}

void check_access(uint32_t bar, uint64_t offset, uint32_t width) {
    if (bar != 0) throw CallError(ESPALIER_SIM_EINVAL, format("BAR %u, this design has BAR 0 only", bar));
    if (width != 1 && width != 2 && width != 4 && width != 8) {
        throw CallError(ESPALIER_SIM_EINVAL, format("BAR access of %u bytes, allowed are 1, 2, 4 and 8", width));
    }
    if (offset % width != 0 || offset > kBarBytes - width) {
        throw CallError(ESPALIER_SIM_EINVAL,
                        format("BAR offset 0x%" PRIx64 " with width %u is not aligned or outside 0x%" PRIx64 " bytes", offset, width, kBarBytes));
    }
}

}  // namespace

Sim::Sim(const Options& options, uint64_t seed)
    : top_(make_design(context_)),
      options_(options),
      axi_memory_(*top_, memory_, options, seed),
      axil_master_(*top_),
      mac_source_(*top_, options, seed),
      mac_sink_(*top_, options, seed) {
    context_.randSeed(static_cast<int>(Random(seed, 0).below(0x7FFFFFFF)) + 1);
    context_.traceEverOn(Wave::kSupported);
    hard_reset();
}

Sim::~Sim() {
    enter();
    wave_.reset();
    top_->final();
}

void Sim::enter() { Verilated::threadContextp(&context_); }

// Lets inputs settle while the clock is low.
inline void Sim::clock_low() {
    top_->clk_i = 0;
    top_->eval();
    if (__builtin_expect(observed_, 0)) {
        if (wave_) wave_->dump(context_.time());
        if (recorder_) recorder_->take(*top_);
    }
    context_.timeInc(kHalfClock);
}

inline void Sim::clock_high() {
    top_->clk_i = 1;
    top_->eval();
    if (__builtin_expect(wave_ != nullptr, 0)) wave_->dump(context_.time());
    context_.timeInc(kHalfClock);
    ++cycle_;
}

void Sim::hard_reset() {
    axi_memory_.reset();
    axil_master_.reset();
    mac_source_.reset();
    mac_sink_.reset();
    interrupts_.fill(0);
    axi_memory_.drive();
    axil_master_.drive();
    mac_source_.drive();
    mac_sink_.drive();
    // The models' pins stay as they are: the NIC's outputs mean nothing yet.
    top_->rst_i = 1;
    for (unsigned i = 0; i < kResetCycles; ++i) {
        clock_low();
        clock_high();
    }
    top_->rst_i = 0;
}

// One clock. Inputs settle while the clock is low, the models look at what will
// be transferred, the clock rises, the models change their pins.
inline uint32_t Sim::step() {
    Design& top = *top_;
    clock_low();
    axi_memory_.sample(cycle_);
    axil_master_.sample();
    mac_source_.sample(cycle_);
    mac_sink_.sample(cycle_);
    uint32_t events = 0;
    if (axi_memory_.take_write_event()) events |= ESPALIER_SIM_UNTIL_WRITE;
    if (axi_memory_.take_request_event()) events |= ESPALIER_SIM_UNTIL_REQUEST;
    if (memory_.take_fault_event()) events |= ESPALIER_SIM_UNTIL_FAULT;
    if (mac_sink_.take_event()) events |= ESPALIER_SIM_UNTIL_FRAME;
    if (top.irq_o != 0) {
        count_interrupts(top.irq_o);
        events |= ESPALIER_SIM_UNTIL_INTERRUPT;
    }

    clock_high();
    axi_memory_.drive();
    axil_master_.drive();
    mac_source_.drive();
    mac_sink_.drive();
    return events;
}

void Sim::count_interrupts(uint32_t pulses) {
    for (; pulses != 0; pulses &= pulses - 1) ++interrupts_[static_cast<unsigned>(__builtin_ctz(pulses))];
}

uint64_t Sim::advance(uint64_t cycles, uint32_t until, uint32_t* events) {
    uint32_t seen = 0;
    uint64_t ran = 0;
    while (ran < cycles) {
        seen |= step();
        ++ran;
        if ((seen & until) != 0) break;
        if (__builtin_expect(__atomic_load_n(attention_, __ATOMIC_RELAXED), 0) != 0) break;
    }
    *events = seen;
    return ran;
}

// Runs the clock until the access under way is answered.
void Sim::finish_access(const char* what, uint64_t offset) {
    for (uint32_t waited = 0; axil_master_.busy(); ++waited) {
        if (waited == options_.bar_timeout) {
            throw CallError(ESPALIER_SIM_ETIMEOUT, format("BAR 0 %s at 0x%" PRIx64 " got no answer within %u cycles", what, offset, options_.bar_timeout));
        }
        step();
    }
}

uint32_t Sim::read_word(uint32_t address) {
    finish_access("access before the read", address);  // one that timed out
    for (uint32_t i = 0; i < options_.bar_latency; ++i) step();
    axil_master_.read(address);
    finish_access("read", address);
    if (!axil_master_.okay()) throw CallError(ESPALIER_SIM_EBUS, format("BAR 0 read at 0x%x was answered with a bus error", address));
    return axil_master_.data();
}

void Sim::write_word(uint32_t address, uint32_t data, uint8_t strobe) {
    finish_access("access before the write", address);
    for (uint32_t i = 0; i < options_.bar_latency; ++i) step();
    axil_master_.write(address, data, strobe);
    finish_access("write", address);
    if (!axil_master_.okay()) throw CallError(ESPALIER_SIM_EBUS, format("BAR 0 write at 0x%x was answered with a bus error", address));
}

uint64_t Sim::bar_read(uint32_t bar, uint64_t offset, uint32_t width) {
    check_access(bar, offset, width);
    const uint32_t address = static_cast<uint32_t>(offset) & ~3u;
    const uint64_t low = read_word(address);
    if (width == 8) return low | static_cast<uint64_t>(read_word(address + 4)) << 32;
    const uint64_t mask = (uint64_t{1} << (8 * width)) - 1;
    return low >> (8 * (offset & 3)) & mask;
}

void Sim::bar_write(uint32_t bar, uint64_t offset, uint32_t width, uint64_t value) {
    check_access(bar, offset, width);
    const uint32_t address = static_cast<uint32_t>(offset) & ~3u;
    if (width == 8) {
        write_word(address, static_cast<uint32_t>(value), 0xF);
        write_word(address + 4, static_cast<uint32_t>(value >> 32), 0xF);
        return;
    }
    const unsigned lane = static_cast<unsigned>(offset & 3);
    const uint32_t mask = width == 4 ? ~0u : (1u << (8 * width)) - 1;
    write_word(address, (static_cast<uint32_t>(value) & mask) << (8 * lane), static_cast<uint8_t>(((1u << width) - 1) << lane));
}

void Sim::take_interrupts(uint32_t* counts, uint32_t n) {
    for (uint32_t v = 0; v < std::min(n, kMaxVectors); ++v) {
        counts[v] += interrupts_[v];
        interrupts_[v] = 0;
    }
}

void Sim::wave(const char* path) {
    wave_.reset();
    observed_ = recorder_ != nullptr;
    if (path != nullptr) wave_ = std::make_unique<Wave>(*top_, path);
    observed_ = wave_ != nullptr || recorder_ != nullptr;
}

void Sim::record(const char* path) {
    const std::unique_ptr<StimuliRecorder> ended = std::move(recorder_);
    observed_ = wave_ != nullptr;
    if (ended) ended->close();
    if (path != nullptr) recorder_ = std::make_unique<StimuliRecorder>(*top_, path);
    observed_ = wave_ != nullptr || recorder_ != nullptr;
}

void Sim::coverage(const char* path) { write_coverage(context_, path); }

size_t Sim::peek(const char* name, uint64_t index, uint8_t* out, size_t capacity) { return espalier::peek(context_, name, index, out, capacity); }

}  // namespace espalier
