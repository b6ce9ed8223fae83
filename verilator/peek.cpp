// SPDX-License-Identifier: Apache-2.0

#include "peek.h"

#include <cinttypes>
#include <cstring>
#include <string>

#include "errors.h"
#include "espalier_sim.h"
#include "peek_names.h"
#include "verilated_sym_props.h"

namespace espalier {
namespace {

[[noreturn]] void fail(const std::string& what) { throw CallError(ESPALIER_SIM_EINVAL, what); }

// A variable or memory that the RTL declares public (verilator public_flat_rd).
const VerilatedVar& find(const VerilatedContext& context, const std::string& path) {
    const size_t dot = path.rfind('.');
    const std::string scope = "TOP." + path.substr(0, dot);
    const VerilatedScope* found = context.scopeFind(scope.c_str());
    const VerilatedVar* var = found == nullptr ? nullptr : found->varFind(path.c_str() + dot + 1);
    if (var == nullptr || var->udims() > 1) fail(format("peek: the design has no public memory or register %s", path.c_str()));
    return *var;
}

size_t read(const VerilatedVar& var, const char* name, uint64_t index, uint8_t* out, size_t capacity) {
    const uint64_t words = var.udims() == 0 ? 1 : static_cast<uint64_t>(var.elements(1));
    if (index >= words) fail(format("peek: index %" PRIu64 " of %s, which has %" PRIu64 " words", index, name, words));
    const size_t size = (static_cast<size_t>(var.elements(0)) + 7) / 8;
    if (size > capacity) fail(format("peek: %s has words of %zu bytes, the buffer holds %zu", name, size, capacity));
    const void* data = var.datap();
    if (var.udims() == 1) data = var.datapAdjustIndex(var.datap(), 1, static_cast<int>(index) + var.low(1));
    std::memcpy(out, data, size);  // least significant byte first, as on every host that this runs on
    return size;
}

}  // namespace

size_t peek(const VerilatedContext& context, const char* name, uint64_t index, uint8_t* out, size_t capacity) {
    for (const PeekName& known : kPeekNames) {
        if (std::strcmp(known.name, name) != 0) continue;
        const VerilatedVar& first = find(context, known.first);
        if (known.memories == 1) return read(first, name, index, out, capacity);
        const uint64_t words = static_cast<uint64_t>(first.elements(1));
        if (index / words >= known.memories) {
            fail(format("peek: index %" PRIu64 " of %s, which has %" PRIu64 " words", index, name, words * known.memories));
        }
        const unsigned memory = static_cast<unsigned>(index / words);
        return read(memory == 0 ? first : find(context, format(known.next, memory)), name, index % words, out, capacity);
    }
    if (std::strchr(name, '.') == nullptr) fail(format("peek: unknown name \"%s\"", name));
    return read(find(context, name), name, index, out, capacity);
}

}  // namespace espalier
