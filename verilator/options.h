// SPDX-License-Identifier: Apache-2.0
//
// The options of espalier_sim_create.
#pragma once

#include <cstdint>

namespace espalier {

// Counts are clock cycles, percentages 0 to 100. espalier_sim.h describes each.
struct Options {
    uint32_t mem_read_latency_min = 40;
    uint32_t mem_read_latency_max = 40;
    uint32_t mem_write_latency_min = 20;
    uint32_t mem_write_latency_max = 20;
    uint32_t mem_stall_percent = 0;
    uint32_t mem_reorder = 0;
    uint32_t mac_rx_gap_min = 0;
    uint32_t mac_rx_gap_max = 0;
    uint32_t mac_rx_stall_percent = 0;
    uint32_t mac_tx_stall_percent = 0;
    uint32_t bar_latency = 4;
    uint32_t bar_timeout = 100000;

    // Reads key=value lines; text may be null. Throws CallError with a sentence
    // that names the key.
    static Options parse(const char* text);
};

}  // namespace espalier
