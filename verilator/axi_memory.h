// SPDX-License-Identifier: Apache-2.0
//
// The slave behind the NIC's AXI4 master: host memory as a PCIe bridge shows it.
// Responses come after a drawn latency, pauses are drawn per beat, and with
// mem_reorder bursts of different IDs overtake each other and their read beats
// interleave, as AXI4 allows. What the NIC may not do (AXI4's rules and
// docs/rtl.md: full-width INCR bursts within 4 KiB) stops the model with a
// sentence that names the channel.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "design.h"
#include "espalier_sim.h"
#include "host_memory.h"
#include "options.h"
#include "random.h"

namespace espalier {

class AxiMemory {
public:
    AxiMemory(Design& top, HostMemory& memory, const Options& options, uint64_t seed);

    // Forgets bursts under way; for the hard reset.
    void reset();

    // Looks at the settled pins before a rising clock edge. Throws ModelError.
    void sample(uint64_t cycle);

    // Changes the model's own pins after that edge.
    void drive();

    // Remote memory: what HostMemory does not hold becomes a request for the
    // program around the simulator, and its burst waits for the answer.
    // Throws CallError.
    void set_remote(bool enable, uint64_t cycle);
    uint32_t take_requests(espalier_sim_request* out, uint32_t max);
    void answer(uint64_t id, bool ok, const uint8_t* data, size_t size, uint64_t cycle);

    // Says whether a request was made since the last call.
    bool take_request_event() {
        const bool happened = requested_;
        requested_ = false;
        return happened;
    }

    // Says whether a write was performed since the last call.
    bool take_write_event() {
        const bool happened = wrote_;
        wrote_ = false;
        return happened;
    }

private:
    static constexpr unsigned kIds = 16;
    static constexpr unsigned kMaxBeats = 256;
    static constexpr unsigned kMaxReads = 64;   // bursts accepted and not answered
    static constexpr unsigned kMaxWrites = 32;  // likewise
    static constexpr uint16_t kNone = 0xFFFF;
    static constexpr uint64_t kWaiting = ~uint64_t{0};  // a burst's due that no cycle reaches

    struct Address {
        uint64_t address;
        uint8_t id, length, size, burst;
        bool operator==(const Address& o) const {
            return address == o.address && id == o.id && length == o.length && size == o.size && burst == o.burst;
        }
    };

    struct ReadBurst {
        Address request;
        uint64_t due;  // first cycle in which a beat may be on the bus
        uint16_t beat;
        uint16_t next;
        bool remote;  // a request was made of it; due is kWaiting until its answer
        Response response;
        std::array<uint8_t, 4096> data;
    };

    struct WriteBurst {
        Address request;
        uint64_t due;  // cycle in which the response may be on the bus
        uint16_t beats;
        uint16_t next;
        bool addressed, filled, retired;
        uint32_t unanswered;  // requests made of it and not answered
        bool remote;          // any was made
        Response response;    // of a remote one
        std::array<uint64_t, kMaxBeats> strobes;
        std::array<uint8_t, kMaxBeats * kBeatBytes> data;
    };

    // A request that was not answered. Its data is part of the burst's.
    struct Request {
        uint64_t id, iova, cycle;
        uint32_t size;
        bool is_write;
        uint16_t burst;
        const uint8_t* data;  // null for a read
    };

    // A piece of a write burst whose strobes are set: offset in its data, and size.
    struct Run {
        size_t from, size;
    };

    // Bursts waiting for their response, in order: one queue for each ID where
    // IDs may overtake each other, else one for all.
    struct Queues {
        uint32_t occupied = 0;
        std::array<uint16_t, kIds> first, last;
    };

    void check(const char* channel, const Address& a) const;
    void sample_read_address(uint64_t cycle);
    void sample_read_data(uint64_t cycle);
    void sample_write_address(uint64_t cycle);
    void sample_write_data(uint64_t cycle);
    void sample_write_response(uint64_t cycle);
    void complete(WriteBurst& w, uint16_t index, uint64_t cycle);
    template <class Act> static void for_runs(const WriteBurst& w, Act&& act);
    bool held_here(const WriteBurst& w);
    void ask(ReadBurst& r, uint16_t index, uint64_t cycle);
    void ask(WriteBurst& w, uint16_t index, uint64_t cycle);
    void make_request(uint64_t iova, size_t size, uint16_t burst, const uint8_t* data, uint64_t cycle);
    void finish(const Request& request, bool ok, const uint8_t* data, uint64_t cycle);
    Response perform(const WriteBurst& w, uint64_t cycle);

    template <class Burst> void append(Queues& queues, std::vector<Burst>& bursts, uint16_t index);
    template <class Burst> void remove_first(Queues& queues, std::vector<Burst>& bursts, unsigned queue);
    template <class Burst> int choose(const Queues& queues, const std::vector<Burst>& bursts, uint64_t cycle);

    [[noreturn]] void fail(const char* channel, const char* rule, const Address& a) const;

    Design& top_;
    HostMemory& memory_;
    const Options options_;
    Random random_;

    std::vector<ReadBurst> reads_;
    std::vector<uint16_t> free_reads_;
    Queues read_queues_;
    int read_queue_ = 0;           // queue whose beat is on the bus
    const uint8_t* beat_ = nullptr;  // that beat

    std::vector<WriteBurst> writes_;  // a ring: numbers below are taken modulo its size
    uint64_t next_address_ = 0, next_data_ = 0, oldest_ = 0;
    Queues write_queues_;

    bool remote_ = false, requested_ = false;
    std::deque<Request> requests_;  // ascending id
    size_t taken_ = 0;              // of them, those that the program knows
    uint64_t next_id_ = 1;
    uint64_t forgotten_ = 1;  // requests below were dropped, or given their error, unasked

    // What drive puts on the pins.
    bool arready_, rvalid_, rlast_, awready_, wready_, bvalid_;
    uint8_t rid_, rresp_, bid_, bresp_;
    bool read_beat_changed_;

    // Payloads that were valid and not taken, which must stay as they are.
    bool ar_held_, aw_held_, w_held_;
    Address ar_payload_, aw_payload_;
    std::array<uint8_t, kBeatBytes> w_payload_;
    uint64_t w_strobe_;
    bool w_last_;

    bool wrote_;
};

}  // namespace espalier
