// SPDX-License-Identifier: Apache-2.0

#include "mac_stream.h"

#include <algorithm>
#include <cstring>

#include "errors.h"

namespace espalier {
namespace {

constexpr size_t kMaxQueued = 65536;  // frames, either way
constexpr size_t kMaxStock = 256;

size_t beats(size_t size) { return (size + kBeatBytes - 1) / kBeatBytes; }

}  // namespace

MacFrame& FrameQueue::push() {
    frames_.emplace_back();
    MacFrame& frame = frames_.back();
    frame.info = {};
    if (!stock_.empty()) {
        frame.bytes = std::move(stock_.back());
        stock_.pop_back();
        frame.bytes.clear();
    }
    return frame;
}

void FrameQueue::pop() {
    if (stock_.size() < kMaxStock) stock_.push_back(std::move(frames_.front().bytes));
    frames_.pop_front();
}

void FrameQueue::clear() {
    while (!empty()) pop();
}

MacSource::MacSource(Design& top, const Options& options, uint64_t seed) : top_(top), options_(options), random_(seed, 2) { reset(); }

void MacSource::reset() {
    waiting_.clear();
    sent_.clear();
    beat_ = 0;
    gap_ = 0;
    gap_drawn_ = valid_ = false;
    changed_ = true;
}

bool MacSource::send(const uint8_t* data, size_t size, uint32_t flags) {
    if (waiting_.size() >= kMaxQueued) return false;
    MacFrame& frame = waiting_.push();
    frame.info.size = static_cast<uint32_t>(size);
    frame.info.flags = flags;
    frame.bytes.resize(beats(size) * kBeatBytes);  // zeroes the rest of the last beat
    std::memcpy(frame.bytes.data(), data, size);
    return true;
}

uint32_t MacSource::take_sent(espalier_sim_frame* out, uint32_t max) {
    const uint32_t n = static_cast<uint32_t>(std::min<size_t>(max, sent_.size()));
    std::copy_n(sent_.begin(), n, out);
    sent_.erase(sent_.begin(), sent_.begin() + n);
    return n;
}

void MacSource::sample_active(uint64_t cycle) {
    if (valid_) {
        if (!top_.s_axis_mac_tready_o) return;
        changed_ = true;
        MacFrame& frame = waiting_.front();
        if (beat_ == 0) frame.info.first_cycle = cycle;
        ++beat_;
        valid_ = false;
        if (beat_ == beats(frame.info.size)) {
            frame.info.last_cycle = cycle;
            if (sent_.size() == kMaxQueued) sent_.pop_front();
            sent_.push_back(frame.info);
            waiting_.pop();
            beat_ = 0;
            gap_drawn_ = false;
            if (waiting_.empty()) return;
        }
    }
    if (beat_ == 0 && !gap_drawn_) {
        gap_ = random_.between(options_.mac_rx_gap_min, options_.mac_rx_gap_max);
        gap_drawn_ = true;
    }
    if (gap_ != 0) {
        --gap_;
    } else if (!random_.chance(options_.mac_rx_stall_percent)) {
        valid_ = true;
        changed_ = true;
    }
}

void MacSource::drive_changed() {
    changed_ = false;
    top_.s_axis_mac_tvalid_i = valid_;
    if (!valid_) return;
    const MacFrame& frame = waiting_.front();
    std::memcpy(top_.s_axis_mac_tdata_i.data(), frame.bytes.data() + beat_ * kBeatBytes, kBeatBytes);
    const bool last = beat_ + 1 == beats(frame.info.size);
    const size_t rest = frame.info.size % kBeatBytes;
    const uint64_t keep = last && rest != 0 ? (uint64_t{1} << rest) - 1 : kFullBeat;
    top_.s_axis_mac_tkeep_i = static_cast<std::remove_reference_t<decltype(top_.s_axis_mac_tkeep_i)>>(keep);
    top_.s_axis_mac_tlast_i = last;
    top_.s_axis_mac_tuser_i = last && (frame.info.flags & 1) != 0;
}

MacSink::MacSink(Design& top, const Options& options, uint64_t seed) : top_(top), options_(options), random_(seed, 3) { reset(); }

void MacSink::reset() {
    frames_.clear();
    current_ = nullptr;
    whole_ = 0;
    ready_ = held_ = event_ = false;
}

void MacSink::fail(const char* rule) const { throw ModelError(format("AXI4-Stream toward the MAC: %s", rule)); }

void MacSink::sample(uint64_t cycle) {
    if (top_.m_axis_mac_tvalid_o) {
        const uint8_t* data = reinterpret_cast<const uint8_t*>(top_.m_axis_mac_tdata_o.data());
        if (held_ && (std::memcmp(held_data_, data, kBeatBytes) != 0 || held_keep_ != top_.m_axis_mac_tkeep_o ||
                      held_last_ != top_.m_axis_mac_tlast_o || held_user_ != top_.m_axis_mac_tuser_o)) {
            fail("payload changed before TREADY");
        }
        held_ = !ready_;
        if (ready_) {
            take_beat(cycle);
        } else {
            std::memcpy(held_data_, data, kBeatBytes);
            held_keep_ = top_.m_axis_mac_tkeep_o;
            held_last_ = top_.m_axis_mac_tlast_o;
            held_user_ = top_.m_axis_mac_tuser_o;
        }
    } else if (held_) {
        fail("TVALID fell before TREADY");
    } else if (current_ != nullptr) {
        fail("a gap within a frame, where a MAC would run empty");
    }
    ready_ = whole_ < kMaxQueued && !random_.chance(options_.mac_tx_stall_percent);
}

void MacSink::take_beat(uint64_t cycle) {
    if (current_ == nullptr) {
        current_ = &frames_.push();
        current_->info.first_cycle = cycle;
    }
    const uint64_t keep = top_.m_axis_mac_tkeep_o;
    const bool last = top_.m_axis_mac_tlast_o != 0;
    if (keep == 0 || (keep & (keep + 1)) != 0) fail("TKEEP is not a run of ones from byte 0");
    if (!last && keep != kFullBeat) fail("TKEEP is not full before the last beat");
    if (current_->info.size + kBeatBytes > 2 * kMaxMacFrame) fail("a frame without end");
    const uint8_t* data = reinterpret_cast<const uint8_t*>(top_.m_axis_mac_tdata_o.data());
    current_->bytes.insert(current_->bytes.end(), data, data + kBeatBytes);
    current_->info.size += static_cast<uint32_t>(__builtin_popcountll(keep));
    if (!last) return;
    current_->info.last_cycle = cycle;
    current_->info.flags = top_.m_axis_mac_tuser_o ? 1 : 0;
    current_ = nullptr;
    ++whole_;
    event_ = true;
}

}  // namespace espalier
