// SPDX-License-Identifier: Apache-2.0

#include "options.h"

#include <cstring>
#include <string>

#include "errors.h"
#include "espalier_sim.h"

namespace espalier {
namespace {

struct Key {
    const char* name;
    uint32_t Options::*member;
    uint32_t low, high;
};

constexpr uint32_t kMaxCycles = 1000000;

constexpr Key kKeys[] = {
    // A response cannot be on the bus in the cycle of its request: latency 1 at least.
    {"mem_read_latency_min", &Options::mem_read_latency_min, 1, kMaxCycles},
    {"mem_read_latency_max", &Options::mem_read_latency_max, 1, kMaxCycles},
    {"mem_write_latency_min", &Options::mem_write_latency_min, 1, kMaxCycles},
    {"mem_write_latency_max", &Options::mem_write_latency_max, 1, kMaxCycles},
    // At 100 % nothing would ever move.
    {"mem_stall_percent", &Options::mem_stall_percent, 0, 99},
    {"mem_reorder", &Options::mem_reorder, 0, 1},
    {"mac_rx_gap_min", &Options::mac_rx_gap_min, 0, kMaxCycles},
    {"mac_rx_gap_max", &Options::mac_rx_gap_max, 0, kMaxCycles},
    {"mac_rx_stall_percent", &Options::mac_rx_stall_percent, 0, 99},
    {"mac_tx_stall_percent", &Options::mac_tx_stall_percent, 0, 99},
    {"bar_latency", &Options::bar_latency, 0, kMaxCycles},
    {"bar_timeout", &Options::bar_timeout, 1, 1000000000},
};

[[noreturn]] void fail(const std::string& what) { throw CallError(ESPALIER_SIM_EINVAL, what); }

void set(Options& options, const std::string& line) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) fail(format("option line \"%s\" is not key=value", line.c_str()));
    const std::string name = line.substr(0, equals);
    const std::string text = line.substr(equals + 1);
    for (const Key& key : kKeys) {
        if (name != key.name) continue;
        if (text.empty() || text.size() > 10 || text.find_first_not_of("0123456789") != std::string::npos) {
            fail(format("option %s has value \"%s\", which is not a whole number", key.name, text.c_str()));
        }
        const unsigned long long value = std::stoull(text);
        if (value < key.low || value > key.high) {
            fail(format("option %s is %llu, allowed are %u to %u", key.name, value, key.low, key.high));
        }
        options.*key.member = static_cast<uint32_t>(value);
        return;
    }
    std::string known;
    for (const Key& key : kKeys) known += (known.empty() ? "" : ", ") + std::string(key.name);
    fail(format("unknown option \"%s\", known are %s", name.c_str(), known.c_str()));
}

void check_order(const char* name, uint32_t low, uint32_t high) {
    if (low > high) fail(format("option %s_min is %u, more than %s_max, which is %u", name, low, name, high));
}

}  // namespace

Options Options::parse(const char* text) {
    Options options;
    while (text != nullptr && *text != '\0') {
        const size_t length = std::strcspn(text, "\n");
        if (length != 0) set(options, std::string(text, length));
        text += length;
        if (*text == '\n') ++text;
    }
    check_order("mem_read_latency", options.mem_read_latency_min, options.mem_read_latency_max);
    check_order("mem_write_latency", options.mem_write_latency_min, options.mem_write_latency_max);
    check_order("mac_rx_gap", options.mac_rx_gap_min, options.mac_rx_gap_max);
    return options;
}

}  // namespace espalier
