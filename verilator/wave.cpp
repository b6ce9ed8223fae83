// SPDX-License-Identifier: Apache-2.0

#include "wave.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "errors.h"
#include "espalier_sim.h"

#if VM_COVERAGE
#include "verilated_cov.h"
#endif

namespace espalier {
namespace {

#if VM_TRACE || VM_COVERAGE
// Verilator's writers do not say why they cannot open a file.
void check_writable(const char* path) {
    std::FILE* file = std::fopen(path, "wb");
    if (file == nullptr) throw CallError(ESPALIER_SIM_EIO, format("%s cannot be written: %s", path, std::strerror(errno)));
    std::fclose(file);
}
#endif

#if VM_TRACE
bool ends_with(const std::string& s, const std::string& end) { return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0; }
#endif

}  // namespace

#if VM_TRACE

Wave::Wave(Design& top, const char* path) {
    if (!ends_with(path, ".fst")) throw CallError(ESPALIER_SIM_ENOTSUP, format("waveform %s: this library writes .fst files", path));
    check_writable(path);
    top.trace(&file_, 99);
    file_.open(path);
}

Wave::~Wave() { file_.close(); }

void Wave::flush() { file_.flush(); }

#else

Wave::Wave(Design&, const char*) {
    throw CallError(ESPALIER_SIM_ENOTSUP, "this library was built without waveforms; build.sh --trace builds one with them");
}

Wave::~Wave() = default;

void Wave::flush() {}

#endif

#if VM_COVERAGE

void write_coverage(VerilatedContext& context, const char* path) {
    check_writable(path);
    context.coveragep()->write(path);
}

#else

void write_coverage(VerilatedContext&, const char*) {
    throw CallError(ESPALIER_SIM_ENOTSUP, "this library was built without coverage; build.sh --coverage builds one with it");
}

#endif

}  // namespace espalier
