// SPDX-License-Identifier: Apache-2.0

#include "host_memory.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "errors.h"

namespace espalier {
namespace {

// A device that runs wild would fill memory with records of it; the first ones
// tell the story.
constexpr size_t kMaxFaults = 4096;

void check_arguments(uint64_t iova, uint64_t size, uint32_t flags) {
    if (size == 0) throw CallError(ESPALIER_SIM_EINVAL, format("memory range at 0x%" PRIx64 " has size 0", iova));
    if (iova + (size - 1) < iova) {
        throw CallError(ESPALIER_SIM_EINVAL, format("memory range at 0x%" PRIx64 " of %" PRIu64 " bytes goes beyond 2^64", iova, size));
    }
    if (flags == 0 || (flags & ~(ESPALIER_SIM_MEM_READ | ESPALIER_SIM_MEM_WRITE)) != 0) {
        throw CallError(ESPALIER_SIM_EINVAL, format("memory range flags %u, allowed are 1 (read), 2 (write) and 3", flags));
    }
}

// pread or pwrite of a whole piece; a file that ends early is an error.
bool transfer_file(int fd, uint64_t offset, uint8_t* data, size_t size, bool is_write) {
    while (size != 0) {
        const ssize_t done = is_write ? pwrite(fd, data, size, static_cast<off_t>(offset))
                                      : pread(fd, data, size, static_cast<off_t>(offset));
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        data += done;
        offset += static_cast<uint64_t>(done);
        size -= static_cast<size_t>(done);
    }
    return true;
}

}  // namespace

void HostMemory::insert(const Range& range) {
    const auto at = std::upper_bound(ranges_.begin(), ranges_.end(), range.iova,
                                     [](uint64_t iova, const Range& r) { return iova < r.iova; });
    if ((at != ranges_.end() && at->iova <= range.last) || (at != ranges_.begin() && std::prev(at)->last >= range.iova)) {
        throw CallError(ESPALIER_SIM_EINVAL, format("memory range 0x%" PRIx64 " to 0x%" PRIx64 " overlaps one that is there already", range.iova, range.last));
    }
    ranges_.insert(at, range);
}

void HostMemory::add(uint64_t iova, uint64_t size, void* host, uint32_t flags) {
    check_arguments(iova, size, flags);
    if (host == nullptr) throw CallError(ESPALIER_SIM_EINVAL, "memory range has a null address");
    insert({iova, iova + (size - 1), static_cast<uint8_t*>(host), -1, 0, flags});
}

void HostMemory::add_fd(uint64_t iova, uint64_t size, int fd, uint64_t file_offset, uint32_t flags) {
    check_arguments(iova, size, flags);
    if (fd < 0) throw CallError(ESPALIER_SIM_EINVAL, format("memory range has file descriptor %d", fd));
    if (file_offset > INT64_MAX || size > INT64_MAX - file_offset) {
        throw CallError(ESPALIER_SIM_EINVAL, format("memory range has file offset %" PRIu64 " and size %" PRIu64 ", beyond any file", file_offset, size));
    }
    insert({iova, iova + (size - 1), nullptr, fd, file_offset, flags});
}

void HostMemory::remove(uint64_t iova, uint64_t size) {
    const auto at = std::lower_bound(ranges_.begin(), ranges_.end(), iova, [](const Range& r, uint64_t wanted) { return r.iova < wanted; });
    if (size == 0 || at == ranges_.end() || at->iova != iova || at->last - iova != size - 1) {
        throw CallError(ESPALIER_SIM_EINVAL, format("no memory range of %" PRIu64 " bytes was added at 0x%" PRIx64, size, iova));
    }
    ranges_.erase(at);
    last_found_ = 0;
}

const HostMemory::Range* HostMemory::find(uint64_t iova) {
    if (last_found_ < ranges_.size()) {
        const Range& r = ranges_[last_found_];
        if (r.iova <= iova && iova <= r.last) return &r;
    }
    const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), iova,
                                        [](uint64_t a, const Range& r) { return a < r.iova; });
    if (after == ranges_.begin() || std::prev(after)->last < iova) return nullptr;
    last_found_ = static_cast<size_t>(std::prev(after) - ranges_.begin());
    return &ranges_[last_found_];
}

// Adjacent ranges count as one: a burst may straddle them.
bool HostMemory::covered(uint64_t iova, size_t size, uint32_t flag) {
    while (size != 0) {
        const Range* r = find(iova);
        if (r == nullptr || (r->flags & flag) == 0) return false;
        const uint64_t left = r->last - iova;  // bytes in this range after the first
        if (left >= size - 1) return true;
        size -= static_cast<size_t>(left + 1);
        iova += left + 1;
    }
    return true;
}

Response HostMemory::transfer(uint64_t iova, uint8_t* data, size_t size, bool is_write, uint64_t cycle) {
    const uint64_t start = iova;
    const size_t whole = size;
    while (size != 0) {
        const Range* r = find(iova);
        const size_t piece = static_cast<size_t>(std::min<uint64_t>(size - 1, r->last - iova)) + 1;
        const uint64_t at = iova - r->iova;
        if (r->host == nullptr) {
            if (!transfer_file(r->fd, r->file_offset + at, data, piece, is_write)) {
                return refuse(start, whole, is_write, cycle, Response::kSlaveError);
            }
        } else if (is_write) {
            std::memcpy(r->host + at, data, piece);
        } else {
            std::memcpy(data, r->host + at, piece);
        }
        iova += piece;
        data += piece;
        size -= piece;
    }
    return Response::kOkay;
}

Response HostMemory::refuse(uint64_t iova, size_t size, bool is_write, uint64_t cycle, Response response) {
    fault_event_ = true;
    if (faults_.size() < kMaxFaults) {
        faults_.push_back({iova, cycle, static_cast<uint32_t>(size), is_write ? 1u : 0u});
    }
    return response;
}

Response HostMemory::read(uint64_t iova, uint8_t* data, size_t size, uint64_t cycle) {
    if (!covered(iova, size, ESPALIER_SIM_MEM_READ)) return refuse(iova, size, false, cycle, Response::kDecodeError);
    return transfer(iova, data, size, false, cycle);
}

Response HostMemory::check_write(uint64_t iova, size_t size, uint64_t cycle) {
    if (!covered(iova, size, ESPALIER_SIM_MEM_WRITE)) return refuse(iova, size, true, cycle, Response::kDecodeError);
    return Response::kOkay;
}

Response HostMemory::write(uint64_t iova, const uint8_t* data, size_t size, uint64_t cycle) {
    return transfer(iova, const_cast<uint8_t*>(data), size, true, cycle);
}

uint32_t HostMemory::take_faults(espalier_sim_fault* out, uint32_t max) {
    const uint32_t n = static_cast<uint32_t>(std::min<size_t>(max, faults_.size()));
    std::copy_n(faults_.begin(), n, out);
    faults_.erase(faults_.begin(), faults_.begin() + n);
    return n;
}

}  // namespace espalier
