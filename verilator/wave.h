// SPDX-License-Identifier: Apache-2.0
//
// Waveforms and coverage, as far as the library was built with them: build.sh
// decides, Verilator's VM_TRACE_FST and VM_COVERAGE say so here.
#pragma once

#include <cstdint>
#include <memory>

#include "design.h"

#if VM_TRACE
#include "verilated_fst_c.h"
#endif

namespace espalier {

// A waveform being written.
class Wave {
public:
#if VM_TRACE
    static constexpr bool kSupported = true;
#else
    static constexpr bool kSupported = false;
#endif

    // Opens path; throws CallError where that cannot be.
    Wave(Design& top, const char* path);
    ~Wave();

    void dump(uint64_t time) {
#if VM_TRACE
        file_.dump(time);
#else
        (void)time;
#endif
    }

    void flush();

private:
#if VM_TRACE
    VerilatedFstC file_;
#endif
};

#if VM_COVERAGE
constexpr bool kCoverageSupported = true;
#else
constexpr bool kCoverageSupported = false;
#endif

// Writes the coverage of a context to path; throws CallError.
void write_coverage(VerilatedContext& context, const char* path);

}  // namespace espalier
