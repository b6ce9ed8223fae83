// SPDX-License-Identifier: Apache-2.0
//
// The host memory that the device may reach, and what became of accesses that
// it may not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "espalier_sim.h"

namespace espalier {

// AXI's response codes.
enum class Response : uint8_t { kOkay = 0, kExclusiveOkay = 1, kSlaveError = 2, kDecodeError = 3 };

class HostMemory {
public:
    // Declare and withdraw ranges; throw CallError.
    void add(uint64_t iova, uint64_t size, void* host, uint32_t flags);
    void add_fd(uint64_t iova, uint64_t size, int fd, uint64_t file_offset, uint32_t flags);
    void remove(uint64_t iova, uint64_t size);

    // Says whether all bytes may be read (written) here; records nothing.
    bool readable(uint64_t iova, size_t size) { return covered(iova, size, ESPALIER_SIM_MEM_READ); }
    bool writable(uint64_t iova, size_t size) { return covered(iova, size, ESPALIER_SIM_MEM_WRITE); }

    // Records a fault and returns the response given for it.
    Response refuse(uint64_t iova, size_t size, bool is_write, uint64_t cycle, Response response);

    // Copies memory to data. Where any byte is not readable nothing is copied,
    // a fault is recorded and the response says decode error (not declared) or
    // slave error (the file failed).
    Response read(uint64_t iova, uint8_t* data, size_t size, uint64_t cycle);

    // Says whether all bytes may be written; records a fault if not.
    Response check_write(uint64_t iova, size_t size, uint64_t cycle);

    // Copies data to memory that check_write has allowed. A file can still fail.
    Response write(uint64_t iova, const uint8_t* data, size_t size, uint64_t cycle);

    // Takes up to max faults, oldest first.
    uint32_t take_faults(espalier_sim_fault* out, uint32_t max);

    // Says whether a fault was recorded since the last call.
    bool take_fault_event() {
        const bool happened = fault_event_;
        fault_event_ = false;
        return happened;
    }

private:
    struct Range {
        uint64_t iova;
        uint64_t last;  // address of the last byte, so that a range may end at 2^64
        uint8_t* host;  // null: fd
        int fd;
        uint64_t file_offset;
        uint32_t flags;
    };

    void insert(const Range& range);
    const Range* find(uint64_t iova);
    bool covered(uint64_t iova, size_t size, uint32_t flag);
    Response transfer(uint64_t iova, uint8_t* data, size_t size, bool is_write, uint64_t cycle);

    std::vector<Range> ranges_;  // ascending, disjoint
    size_t last_found_ = 0;      // most accesses are to the range of the one before
    std::vector<espalier_sim_fault> faults_;
    bool fault_event_ = false;
};

}  // namespace espalier
