// SPDX-License-Identifier: Apache-2.0
//
// The master in front of the NIC's AXI4-Lite slave: one 32-bit access at a
// time, as a PCIe bridge makes them from BAR accesses.
#pragma once

#include <cstdint>

#include "design.h"

namespace espalier {

class AxilMaster {
public:
    explicit AxilMaster(Design& top) : top_(top) { reset(); }

    // Forgets an access under way; for the hard reset.
    void reset();

    // Begins an access; not while busy. address is a multiple of 4.
    void read(uint32_t address);
    void write(uint32_t address, uint32_t data, uint8_t strobe);

    // An access waits for its answer. It stays so, and keeps its valid signals
    // up as AXI demands, even when the caller has given up waiting.
    bool busy() const { return state_ != State::kIdle; }

    // Of the last access.
    uint32_t data() const { return data_; }
    bool okay() const { return response_ == 0; }

    // Looks at the settled pins before a rising clock edge; changes the own
    // pins after it.
    void sample() {
        if (state_ != State::kIdle) sample_busy();
    }
    void drive() {
        if (changed_) drive_changed();
    }

private:
    enum class State { kIdle, kRead, kWrite };

    void sample_busy();
    void drive_changed();

    Design& top_;
    State state_;
    bool arvalid_, awvalid_, wvalid_, changed_;
    uint32_t address_, write_data_, data_;
    uint8_t strobe_, response_;
};

}  // namespace espalier
