// SPDX-License-Identifier: Apache-2.0
//
// How things that go wrong travel to the C interface.
#pragma once

#include <stdexcept>
#include <string>

namespace espalier {

// The model stopped: $fatal, an assertion, a broken bus protocol, an internal
// error of Verilator. The instance is of no further use.
class ModelError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// A call failed and the instance goes on. code is an ESPALIER_SIM_E*.
class CallError : public std::runtime_error {
public:
    CallError(int error, const std::string& what) : std::runtime_error(what), code(error) {}
    const int code;
};

// printf into a string.
std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

}  // namespace espalier
