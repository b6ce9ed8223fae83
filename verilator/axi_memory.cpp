// SPDX-License-Identifier: Apache-2.0

#include "axi_memory.h"

#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstring>

#include "errors.h"

namespace espalier {
namespace {

constexpr unsigned kIncrement = 1;  // AxBURST
constexpr unsigned kBeatSize = kBeatBytes == 16 ? 4 : kBeatBytes == 32 ? 5 : 6;  // AxSIZE
constexpr uint64_t kBoundary = 4096;

uint64_t aligned(uint64_t address) { return address & ~uint64_t{kBeatBytes - 1}; }

size_t bytes(unsigned length) { return (size_t{length} + 1) * kBeatBytes; }

}  // namespace

AxiMemory::AxiMemory(Design& top, HostMemory& memory, const Options& options, uint64_t seed)
    : top_(top), memory_(memory), options_(options), random_(seed, 1), reads_(kMaxReads), writes_(kMaxWrites) {
    free_reads_.reserve(kMaxReads);
    reset();
}

void AxiMemory::reset() {
    free_reads_.clear();
    for (unsigned i = kMaxReads; i-- > 0;) free_reads_.push_back(static_cast<uint16_t>(i));
    read_queues_ = Queues{};
    write_queues_ = Queues{};
    next_address_ = next_data_ = oldest_ = 0;
    for (WriteBurst& w : writes_) w.beats = 0, w.addressed = w.filled = w.retired = false;
    arready_ = rvalid_ = rlast_ = awready_ = wready_ = bvalid_ = false;
    rid_ = rresp_ = bid_ = bresp_ = 0;
    beat_ = nullptr;
    read_beat_changed_ = false;
    ar_held_ = aw_held_ = w_held_ = false;
    wrote_ = requested_ = false;
    requests_.clear();
    taken_ = 0;
    forgotten_ = next_id_;
}

void AxiMemory::fail(const char* channel, const char* rule, const Address& a) const {
    throw ModelError(format("AXI4 %s channel: %s (address 0x%" PRIx64 ", length %u beats, size %u, burst %u, ID %u)", channel, rule,
                            a.address, a.length + 1u, a.size, a.burst, a.id));
}

void AxiMemory::check(const char* channel, const Address& a) const {
    if (a.burst != kIncrement) fail(channel, "burst type is not INCR", a);
    if (a.size != kBeatSize) fail(channel, "size is not the full width of the bus", a);
    if ((aligned(a.address) & (kBoundary - 1)) + bytes(a.length) > kBoundary) fail(channel, "burst crosses a 4 KiB boundary", a);
}

template <class Burst> void AxiMemory::append(Queues& queues, std::vector<Burst>& bursts, uint16_t index) {
    const unsigned queue = options_.mem_reorder ? bursts[index].request.id : 0;
    bursts[index].next = kNone;
    if (queues.occupied >> queue & 1) {
        bursts[queues.last[queue]].next = index;
    } else {
        queues.occupied |= 1u << queue;
        queues.first[queue] = index;
    }
    queues.last[queue] = index;
}

template <class Burst> void AxiMemory::remove_first(Queues& queues, std::vector<Burst>& bursts, unsigned queue) {
    const uint16_t next = bursts[queues.first[queue]].next;
    if (next == kNone) {
        queues.occupied &= ~(1u << queue);
    } else {
        queues.first[queue] = next;
    }
}

// Picks a queue whose first burst is due in the given cycle, -1 if there is none.
template <class Burst> int AxiMemory::choose(const Queues& queues, const std::vector<Burst>& bursts, uint64_t cycle) {
    int candidates[kIds];
    uint32_t n = 0;
    for (uint32_t left = queues.occupied; left != 0; left &= left - 1) {
        const int queue = __builtin_ctz(left);
        if (bursts[queues.first[static_cast<unsigned>(queue)]].due <= cycle) candidates[n++] = queue;
    }
    if (n == 0) return -1;
    return n == 1 ? candidates[0] : candidates[random_.below(n)];
}

void AxiMemory::sample(uint64_t cycle) {
    sample_read_address(cycle);
    if (rvalid_ || read_queues_.occupied != 0) sample_read_data(cycle);
    sample_write_address(cycle);
    sample_write_data(cycle);
    if (bvalid_ || write_queues_.occupied != 0) sample_write_response(cycle);
}

void AxiMemory::sample_read_address(uint64_t cycle) {
    if (top_.m_axi_arvalid_o || ar_held_) {
        const Address a{top_.m_axi_araddr_o, top_.m_axi_arid_o, top_.m_axi_arlen_o, top_.m_axi_arsize_o, top_.m_axi_arburst_o};
        if (ar_held_ && !top_.m_axi_arvalid_o) fail("AR", "ARVALID fell before ARREADY", ar_payload_);
        if (ar_held_ && !(a == ar_payload_)) fail("AR", "payload changed before ARREADY", ar_payload_);
        ar_held_ = !arready_;
        ar_payload_ = a;
        if (arready_) {
            check("AR", a);
            const uint16_t index = free_reads_.back();
            free_reads_.pop_back();
            ReadBurst& r = reads_[index];
            r.request = a;
            r.beat = 0;
            r.remote = false;
            r.due = cycle + random_.between(options_.mem_read_latency_min, options_.mem_read_latency_max);
            append(read_queues_, reads_, index);
            // Reads of remote memory are made at once, so that many are under way together.
            if (remote_ && !memory_.readable(a.address, bytes(a.length) - (a.address - aligned(a.address)))) ask(r, index, cycle);
        }
    }
    arready_ = !free_reads_.empty() && !random_.chance(options_.mem_stall_percent);
}

void AxiMemory::sample_read_data(uint64_t cycle) {
    if (rvalid_) {
        if (!top_.m_axi_rready_o) return;
        if (rlast_) {
            const unsigned queue = static_cast<unsigned>(read_queue_);
            free_reads_.push_back(read_queues_.first[queue]);
            remove_first(read_queues_, reads_, queue);
        }
        rvalid_ = false;
    }
    if (random_.chance(options_.mem_stall_percent)) return;
    const int queue = choose(read_queues_, reads_, cycle + 1);
    if (queue < 0) return;

    const uint16_t index = read_queues_.first[static_cast<unsigned>(queue)];
    ReadBurst& r = reads_[index];
    if (r.beat == 0) {
        const size_t skip = r.request.address - aligned(r.request.address);
        const size_t size = bytes(r.request.length);
        if (remote_ && !r.remote && !memory_.readable(r.request.address, size - skip)) {
            ask(r, index, cycle);  // withdrawn since it was accepted
            return;
        }
        if (!r.remote) r.response = memory_.read(r.request.address, r.data.data() + skip, size - skip, cycle);
        // Bytes below the start address, and all bytes of a refused read, are
        // not memory's: ones, as a PCIe host sees.
        std::memset(r.data.data(), 0xFF, r.response == Response::kOkay ? skip : size);
    }
    read_queue_ = queue;
    beat_ = r.data.data() + size_t{r.beat} * kBeatBytes;
    rlast_ = r.beat == r.request.length;
    rid_ = r.request.id;
    rresp_ = static_cast<uint8_t>(r.response);
    rvalid_ = true;
    read_beat_changed_ = true;
    ++r.beat;
}

void AxiMemory::sample_write_address(uint64_t cycle) {
    if (top_.m_axi_awvalid_o || aw_held_) {
        const Address a{top_.m_axi_awaddr_o, top_.m_axi_awid_o, top_.m_axi_awlen_o, top_.m_axi_awsize_o, top_.m_axi_awburst_o};
        if (aw_held_ && !top_.m_axi_awvalid_o) fail("AW", "AWVALID fell before AWREADY", aw_payload_);
        if (aw_held_ && !(a == aw_payload_)) fail("AW", "payload changed before AWREADY", aw_payload_);
        aw_held_ = !awready_;
        aw_payload_ = a;
        if (awready_) {
            check("AW", a);
            const uint16_t index = static_cast<uint16_t>(next_address_++ % kMaxWrites);
            WriteBurst& w = writes_[index];
            w.request = a;
            w.addressed = true;
            if (w.filled) complete(w, index, cycle);
        }
    }
    awready_ = next_address_ - oldest_ < kMaxWrites && !random_.chance(options_.mem_stall_percent);
}

void AxiMemory::sample_write_data(uint64_t cycle) {
    if (top_.m_axi_wvalid_o || w_held_) {
        const uint8_t* data = reinterpret_cast<const uint8_t*>(top_.m_axi_wdata_o.data());
        const uint64_t strobe = top_.m_axi_wstrb_o;
        const bool last = top_.m_axi_wlast_o != 0;
        if (w_held_ && (!top_.m_axi_wvalid_o || strobe != w_strobe_ || last != w_last_ || std::memcmp(data, w_payload_.data(), kBeatBytes) != 0)) {
            throw ModelError(top_.m_axi_wvalid_o ? "AXI4 W channel: payload changed before WREADY" : "AXI4 W channel: WVALID fell before WREADY");
        }
        w_held_ = !wready_;
        if (w_held_) {
            std::memcpy(w_payload_.data(), data, kBeatBytes);
            w_strobe_ = strobe;
            w_last_ = last;
        } else {
            const uint16_t index = static_cast<uint16_t>(next_data_ % kMaxWrites);
            WriteBurst& w = writes_[index];
            if (w.beats == kMaxBeats) throw ModelError("AXI4 W channel: a burst of more than 256 beats");
            std::memcpy(w.data.data() + size_t{w.beats} * kBeatBytes, data, kBeatBytes);
            w.strobes[w.beats] = strobe;
            ++w.beats;
            if (last) {
                ++next_data_;
                w.filled = true;
                if (w.addressed) complete(w, index, cycle);
            }
        }
    }
    wready_ = next_data_ - oldest_ < kMaxWrites && !random_.chance(options_.mem_stall_percent);
}

// The address and all data of a burst are here.
void AxiMemory::complete(WriteBurst& w, uint16_t index, uint64_t cycle) {
    if (w.beats != w.request.length + 1u) fail("W", format("WLAST after %u beats", w.beats).c_str(), w.request);
    const unsigned skip = static_cast<unsigned>(w.request.address - aligned(w.request.address));
    if ((w.strobes[0] & ((uint64_t{1} << skip) - 1)) != 0) fail("W", "WSTRB is set below the start address", w.request);
    w.remote = false;
    w.due = cycle + random_.between(options_.mem_write_latency_min, options_.mem_write_latency_max);
    append(write_queues_, writes_, index);
}

void AxiMemory::sample_write_response(uint64_t cycle) {
    if (bvalid_) {
        if (!top_.m_axi_bready_o) return;
        bvalid_ = false;
    }
    if (write_queues_.occupied == 0 || random_.chance(options_.mem_stall_percent)) return;
    const int queue = choose(write_queues_, writes_, cycle + 1);
    if (queue < 0) return;

    const uint16_t index = write_queues_.first[static_cast<unsigned>(queue)];
    WriteBurst& w = writes_[index];
    if (remote_ && !w.remote && !held_here(w)) {
        ask(w, index, cycle);
        return;
    }
    remove_first(write_queues_, writes_, static_cast<unsigned>(queue));
    bid_ = w.request.id;
    bresp_ = static_cast<uint8_t>(w.remote ? w.response : perform(w, cycle));
    bvalid_ = true;
    w.retired = true;
    while (oldest_ < next_address_ && writes_[oldest_ % kMaxWrites].retired) {
        WriteBurst& done = writes_[oldest_++ % kMaxWrites];
        done.beats = 0;
        done.addressed = done.filled = done.retired = false;
    }
}

// Calls act for each run of bytes whose strobes are set, until it says false.
template <class Act> void AxiMemory::for_runs(const WriteBurst& w, Act&& act) {
    Run run{0, 0};
    for (unsigned beat = 0; beat < w.beats; ++beat) {
        const uint64_t strobe = w.strobes[beat];
        const size_t at = size_t{beat} * kBeatBytes;
        if (strobe == kFullBeat) {
            if (run.size == 0) run.from = at;
            run.size += kBeatBytes;
            continue;
        }
        for (size_t byte = 0; byte < kBeatBytes; ++byte) {
            if (strobe >> byte & 1) {
                if (run.size == 0) run.from = at + byte;
                ++run.size;
            } else if (run.size != 0) {
                if (!act(run)) return;
                run.size = 0;
            }
        }
    }
    if (run.size != 0) act(run);
}

// Writes the bytes whose strobes are set. Either all of a burst may be written
// or nothing of it is.
Response AxiMemory::perform(const WriteBurst& w, uint64_t cycle) {
    const uint64_t base = aligned(w.request.address);
    Response response = Response::kOkay;
    for_runs(w, [&](const Run& run) {
        response = memory_.check_write(base + run.from, run.size, cycle);
        return response == Response::kOkay;
    });
    if (response != Response::kOkay) return response;
    for_runs(w, [&](const Run& run) {
        response = memory_.write(base + run.from, w.data.data() + run.from, run.size, cycle);
        wrote_ = true;
        return response == Response::kOkay;
    });
    return response;
}

// Says whether perform would find all memory here.
bool AxiMemory::held_here(const WriteBurst& w) {
    const uint64_t base = aligned(w.request.address);
    bool held = true;
    for_runs(w, [&](const Run& run) { return held = memory_.writable(base + run.from, run.size); });
    return held;
}

void AxiMemory::make_request(uint64_t iova, size_t size, uint16_t burst, const uint8_t* data, uint64_t cycle) {
    requests_.push_back({next_id_++, iova, cycle, static_cast<uint32_t>(size), data != nullptr, burst, data});
    requested_ = true;
}

void AxiMemory::ask(ReadBurst& r, uint16_t index, uint64_t cycle) {
    const size_t skip = r.request.address - aligned(r.request.address);
    r.remote = true;
    r.due = kWaiting;
    make_request(r.request.address, bytes(r.request.length) - skip, index, nullptr, cycle);
}

// A burst of which a part is held here is asked for as a whole: the program
// knows what it has added.
void AxiMemory::ask(WriteBurst& w, uint16_t index, uint64_t cycle) {
    const uint64_t base = aligned(w.request.address);
    w.remote = true;
    w.response = Response::kOkay;
    w.unanswered = 0;
    w.due = kWaiting;
    for_runs(w, [&](const Run& run) {
        make_request(base + run.from, run.size, index, w.data.data() + run.from, cycle);
        ++w.unanswered;
        return true;
    });
}

// Gives a request's answer to its burst.
void AxiMemory::finish(const Request& request, bool ok, const uint8_t* data, uint64_t cycle) {
    const Response response = ok ? Response::kOkay : memory_.refuse(request.iova, request.size, request.is_write, cycle, Response::kDecodeError);
    if (!request.is_write) {
        ReadBurst& r = reads_[request.burst];
        r.response = response;
        r.due = cycle;
        if (ok) std::memcpy(r.data.data() + (r.request.address - aligned(r.request.address)), data, request.size);
        return;
    }
    WriteBurst& w = writes_[request.burst];
    if (ok) wrote_ = true;
    if (!ok) w.response = response;
    if (--w.unanswered == 0) w.due = cycle;
}

void AxiMemory::set_remote(bool enable, uint64_t cycle) {
    remote_ = enable;
    if (enable) return;
    for (const Request& request : requests_) finish(request, false, nullptr, cycle);
    requests_.clear();
    taken_ = 0;
    requested_ = false;
    forgotten_ = next_id_;
}

uint32_t AxiMemory::take_requests(espalier_sim_request* out, uint32_t max) {
    uint32_t n = 0;
    for (; n < max && taken_ < requests_.size(); ++n, ++taken_) {
        const Request& r = requests_[taken_];
        out[n] = {r.id, r.iova, r.cycle, r.size, r.is_write ? 1u : 0u, r.data};
    }
    return n;
}

void AxiMemory::answer(uint64_t id, bool ok, const uint8_t* data, size_t size, uint64_t cycle) {
    if (id != 0 && id < forgotten_) return;
    const auto known = requests_.begin() + static_cast<std::ptrdiff_t>(taken_);
    const auto at = std::lower_bound(requests_.begin(), known, id, [](const Request& r, uint64_t wanted) { return r.id < wanted; });
    if (at == known || at->id != id) {
        throw CallError(ESPALIER_SIM_EINVAL, format("no request %" PRIu64 " waits for an answer", id));
    }
    const size_t wanted = ok && !at->is_write ? at->size : 0;
    if (size != wanted || (wanted != 0 && data == nullptr)) {
        throw CallError(ESPALIER_SIM_EINVAL, format("answer of %zu bytes to request %" PRIu64 ", wanted are %zu", data == nullptr ? 0 : size, id, wanted));
    }
    const Request request = *at;
    requests_.erase(at);
    --taken_;
    finish(request, ok, data, cycle);
}

void AxiMemory::drive() {
    top_.m_axi_arready_i = arready_;
    top_.m_axi_awready_i = awready_;
    top_.m_axi_wready_i = wready_;
    top_.m_axi_rvalid_i = rvalid_;
    if (read_beat_changed_) {
        std::memcpy(top_.m_axi_rdata_i.data(), beat_, kBeatBytes);
        top_.m_axi_rid_i = rid_;
        top_.m_axi_rresp_i = rresp_;
        top_.m_axi_rlast_i = rlast_;
        read_beat_changed_ = false;
    }
    top_.m_axi_bvalid_i = bvalid_;
    top_.m_axi_bid_i = bid_;
    top_.m_axi_bresp_i = bresp_;
}

}  // namespace espalier
