// SPDX-License-Identifier: Apache-2.0
//
// The back door for tests: memories by the stable names of docs/rtl.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "verilated.h"

namespace espalier {

// Reads word index of the memory called name, least significant byte first,
// and returns its size in bytes. Throws CallError.
size_t peek(const VerilatedContext& context, const char* name, uint64_t index, uint8_t* out, size_t capacity);

}  // namespace espalier
