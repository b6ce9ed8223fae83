// SPDX-License-Identifier: Apache-2.0
//
// The MAC at the NIC's two AXI4-Stream ports: a source of frames toward the NIC
// and a sink for frames from it.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "design.h"
#include "espalier_sim.h"
#include "options.h"
#include "random.h"

namespace espalier {

// A frame and its description. Buffers are kept for reuse.
struct MacFrame {
    espalier_sim_frame info;
    std::vector<uint8_t> bytes;  // whole beats
};

// Frames in order, with a stock of used buffers so that steady traffic
// allocates nothing.
class FrameQueue {
public:
    bool empty() const { return frames_.empty(); }
    size_t size() const { return frames_.size(); }
    MacFrame& front() { return frames_.front(); }

    // A frame with empty bytes at the end of the queue.
    MacFrame& push();
    void pop();
    void clear();

private:
    std::deque<MacFrame> frames_;
    std::vector<std::vector<uint8_t>> stock_;
};

// Longest frame that send takes, far above what a NIC accepts, so that frames
// that are too long can be tested.
constexpr size_t kMaxMacFrame = 65535;

class MacSource {
public:
    MacSource(Design& top, const Options& options, uint64_t seed);

    void reset();

    // Queues a frame; false if there is no room.
    bool send(const uint8_t* data, size_t size, uint32_t flags);

    // Takes up to max descriptions of frames that were transferred. Of frames
    // that nobody asks about the last 65536 are remembered.
    uint32_t take_sent(espalier_sim_frame* out, uint32_t max);

    void sample(uint64_t cycle) {
        if (valid_ || !waiting_.empty()) sample_active(cycle);
    }
    void drive() {
        if (changed_) drive_changed();
    }

private:
    void sample_active(uint64_t cycle);
    void drive_changed();

    Design& top_;
    const Options options_;
    Random random_;
    FrameQueue waiting_;  // the first may be under way
    std::deque<espalier_sim_frame> sent_;
    size_t beat_;   // of the first frame: the one on the pins or to be put there
    uint32_t gap_;  // idle cycles still to come
    bool gap_drawn_, valid_, changed_;
};

class MacSink {
public:
    MacSink(Design& top, const Options& options, uint64_t seed);

    void reset();

    // The oldest whole frame, null if there is none; pop drops it.
    MacFrame* oldest() { return whole_ == 0 ? nullptr : &frames_.front(); }
    void pop() {
        frames_.pop();
        --whole_;
    }

    // Says whether a whole frame came since the last call.
    bool take_event() {
        const bool happened = event_;
        event_ = false;
        return happened;
    }

    void sample(uint64_t cycle);
    void drive() { top_.m_axis_mac_tready_i = ready_; }

private:
    void take_beat(uint64_t cycle);
    [[noreturn]] void fail(const char* rule) const;

    Design& top_;
    const Options options_;
    Random random_;
    FrameQueue frames_;  // the last may be incomplete
    MacFrame* current_;  // the incomplete one
    size_t whole_;
    bool ready_, held_, event_;
    uint8_t held_data_[kBeatBytes];
    uint64_t held_keep_;
    bool held_last_, held_user_;
};

}  // namespace espalier
