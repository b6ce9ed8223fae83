// SPDX-License-Identifier: Apache-2.0
//
// Everything around espalier_ring: a host that posts descriptors, a data path that pops and completes them, and a bus with
// latency, stalls and errors. The model knows from the contract (docs/nic-contract.md) what may and must happen, and judges
// every transfer; anything else ends the run with a sentence.
#ifndef ESPALIER_UNIT_RING_BENCH_H
#define ESPALIER_UNIT_RING_BENCH_H

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "Vdut.h"
#include "espalier_regs.h"
#include "verilated.h"

#if !defined(LANES) || !defined(NUM_QUEUES)
#error "LANES and NUM_QUEUES must be defined as in the model"
#endif

constexpr unsigned kBeatBytes = 16 * LANES;
constexpr unsigned kPrefetch = 32; // default of the module
constexpr unsigned kLine = 4;      // completions in 64 bytes

using Record = std::array<uint32_t, 4>; // descriptor or completion, word 0 first

inline uint64_t g_cycle = 0;

[[noreturn]] __attribute__((format(printf, 1, 2))) inline void fail(const char* format, ...) {
    std::va_list args;
    va_start(args, format);
    std::fprintf(stderr, "cycle %llu: ", static_cast<unsigned long long>(g_cycle));
    std::vfprintf(stderr, format, args);
    std::fprintf(stderr, "\n");
    va_end(args);
    std::exit(1);
}

// What host, data path and bus do: chances in percent, times in cycles.
struct Conditions {
    unsigned read_latency_min = 10, read_latency_max = 10;
    unsigned write_latency_min = 10, write_latency_max = 10;
    unsigned stall = 0;                  // per channel and cycle: the bus pauses
    unsigned pop = 100;                  // per cycle: the data path pops
    unsigned complete = 100;             // per cycle: it offers a completion that is due
    unsigned report = 100;               // a completion is to be written
    unsigned work_min = 3, work_max = 3; // from pop to completion
    unsigned post_max = 64;              // descriptors posted with one write of TAIL, at most
};

// One life of a queue, from ENABLE 1 to ENABLE 0. Every life has rings at addresses of its own, so that a late access of
// an earlier life is recognised.
struct Life {
    unsigned queue, number, log2, vector;
    uint64_t ring, cpl;
    bool stopped = false;   // disabled or in error: no new read
    uint64_t stopped_at = 0;
    bool lost = false;      // a completion write failed: the rest may be missing
    uint32_t posted = 0, arrived = 0, popped = 0, done = 0, stored = 0; // descriptors since the start
    // Read so far. A wide beat does not show how many of its descriptors were wanted: at least and at most so many.
    uint32_t fetched_min = 0, fetched_max = 0;
    unsigned reads = 0, writes = 0; // under way on the bus
    struct Expected {
        Record record;
        uint64_t addr, accepted;
    };
    std::deque<Expected> expected; // completions not written yet

    uint32_t size() const { return 1u << log2; }
    uint32_t mask() const { return size() - 1; }
    bool over() const { return reads == 0 && writes == 0 && popped == done && (lost || expected.empty()); }
};
using LifeRef = std::shared_ptr<Life>;

struct Queue {
    unsigned count = 0, timer = 64;
    bool error = false; // STATUS.ERROR as it must be
    uint32_t goal = 0;  // the host posts until the life has so many
    LifeRef life;       // latest
    struct Work {
        LifeRef life;
        uint32_t seq;
        uint64_t due;
    };
    std::deque<Work> work; // popped, not completed

    unsigned batch() const { return count == 0 || count > kLine ? kLine : count; }
};

class Bench {
public:
    Bench(uint64_t seed, const Conditions& conditions) : c(conditions), rng_(seed) {
        dut.clk_i = 0;
        dut.rst_i = 1;
        dut.enable_i = 1;
        dut.quiesce_i = 0;
        for (int i = 0; i < 4; i++) edge();
        dut.rst_i = 0;
    }

    Conditions c;
    std::array<Queue, NUM_QUEUES> q;
    bool auto_post = true;
    bool may_start = true;                                   // false: a new transaction is an error
    int fail_read = -1, fail_write = -1;                     // the next transaction of this queue fails
    std::array<uint64_t, 32> events{}, confirmed{}, errors{}; // per vector
    unsigned pop_period = 0; // not 0: pop from queue 0 every so many cycles, whatever Conditions::pop says

    // measurements
    uint64_t reads = 0, writes = 0, descriptors = 0, pops = 0, missed_pops = 0, accepts = 0, refusals = 0, batches = 0, written = 0;
    uint64_t last_ar = 0, last_aw = 0, last_avail = 0, last_tail = 0, last_accept = 0, last_b = 0, last_event = 0;

    VerilatedContext context;
    Vdut dut{&context};

    void ticks(unsigned n) {
        while (n-- > 0) tick();
    }

    void tick() {
        host();
        drive_bus();
        drive_data_path();
        dut.eval();
        sample_register();
        sample_read();
        sample_write();
        sample_data_path();
        sample_event();
        edge();
        after_edge();
    }

    unsigned random(unsigned n) { return static_cast<unsigned>(rng_() % n); } // 0..n-1
    unsigned random(unsigned lo, unsigned hi) { return lo + random(hi - lo + 1); }
    bool chance(unsigned percent) { return random(100) < percent; }

    // ---- host ---------------------------------------------------------------

    uint32_t read(unsigned queue, unsigned offset) {
        const Access a = access({queue << 12 | offset, false, 0, 0xF, 0});
        if (a.error) fail("read of queue %u offset 0x%x answered with an error", queue, offset);
        return a.data;
    }
    void write(unsigned queue, unsigned offset, uint32_t value, unsigned strobes = 0xF) {
        if (access({queue << 12 | offset, true, value, strobes, 0}).error)
            fail("write of queue %u offset 0x%x answered with an error", queue, offset);
    }
    bool bus_error(unsigned queue, unsigned offset, bool is_write) {
        return access({queue << 12 | offset, is_write, 0, 0xF, 0}).error;
    }
    uint32_t status(unsigned queue) { return read(queue, ESPALIER_QUEUE_STATUS_OFFSET); }

    // Writes the ring registers of a queue that is disabled; its life begins with enable.
    void configure(unsigned queue, unsigned log2, unsigned count, unsigned timer, unsigned vector) {
        auto life = std::make_shared<Life>();
        life->queue = queue;
        life->number = ++lives_;
        life->log2 = log2;
        life->vector = vector;
        // 64-byte aligned at most, so that 4 KiB boundaries lie anywhere in the ring; above 4 GiB.
        life->ring = (uint64_t{lives_} << 32) + 64 * random(64);
        life->cpl = (uint64_t{lives_} << 32) + 0x80000000u + 64 * random(64);
        q[queue].count = count;
        q[queue].timer = timer;
        next_[queue] = life;
        write(queue, ESPALIER_QUEUE_RING_LO_OFFSET, static_cast<uint32_t>(life->ring));
        write(queue, ESPALIER_QUEUE_RING_HI_OFFSET, static_cast<uint32_t>(life->ring >> 32));
        write(queue, ESPALIER_QUEUE_CPL_LO_OFFSET, static_cast<uint32_t>(life->cpl));
        write(queue, ESPALIER_QUEUE_CPL_HI_OFFSET, static_cast<uint32_t>(life->cpl >> 32));
        write(queue, ESPALIER_QUEUE_CPL_BATCH_OFFSET, timer << ESPALIER_QUEUE_CPL_BATCH_TIMER_SHIFT | count);
    }

    // Sets ENABLE of a queue that was configured.
    void enable(unsigned queue) {
        const LifeRef life = next_[queue];
        if (q[queue].life && !q[queue].life->over()) old_.push_back(q[queue].life);
        q[queue].life = life;
        q[queue].error = false;
        write(queue, ESPALIER_QUEUE_CTRL_OFFSET,
              1u << ESPALIER_QUEUE_CTRL_ENABLE_SHIFT | life->log2 << ESPALIER_QUEUE_CTRL_RING_LOG2_SHIFT |
                  life->vector << ESPALIER_QUEUE_CTRL_VECTOR_SHIFT);
    }

    // Writes ENABLE 0 and does not wait.
    void disable(unsigned queue) { write(queue, ESPALIER_QUEUE_CTRL_OFFSET, 0); }

    // Polls until ACTIVE is 0: from then on no access to the rings is legal.
    void wait_inactive(unsigned queue) {
        for (unsigned i = 0; status(queue) & ESPALIER_QUEUE_STATUS_ACTIVE_MASK; i++) {
            if (i > 100000) fail("queue %u stays active", queue);
        }
        if (q[queue].life && !q[queue].life->over()) {
            const Life& l = *q[queue].life;
            fail("queue %u is not active but has %u reads, %u writes, %u descriptors, %zu completions to come", queue, l.reads,
                 l.writes, l.popped - l.done, l.expected.size());
        }
        q[queue].life = nullptr;
    }

    // Posts n descriptors with one write of TAIL.
    void post(unsigned queue, unsigned n) {
        const Life& life = *q[queue].life;
        access({queue << 12 | ESPALIER_QUEUE_TAIL_OFFSET, true, (life.posted + n) & life.mask(), 0xF, n});
    }

    bool settled() const {
        for (const Queue& queue : q) {
            if (!queue.life || queue.life->stopped) continue;
            const Life& l = *queue.life;
            if (l.done != queue.goal || !l.over()) return false;
        }
        return true;
    }

    // Lets everything run until all goals are reached.
    void run(uint64_t limit) {
        for (const uint64_t end = g_cycle + limit; !settled(); tick()) {
            if (g_cycle < end) continue;
            for (unsigned i = 0; i < NUM_QUEUES; i++) {
                if (!q[i].life) continue;
                const Life& l = *q[i].life;
                std::fprintf(stderr, "queue %u: goal %u posted %u read %u arrived %u popped %u done %u, to write %zu\n", i,
                             q[i].goal, l.posted, l.fetched_min, l.arrived, l.popped, l.done, l.expected.size());
            }
            fail("does not end");
        }
    }

    // Each completion that the bus confirmed and each error is one event by now.
    void check_events() {
        ticks(50);
        for (unsigned v = 0; v < 32; v++) {
            if (events[v] != confirmed[v] + errors[v])
                fail("vector %u: %llu events, %llu completions and %llu errors", v, static_cast<unsigned long long>(events[v]),
                     static_cast<unsigned long long>(confirmed[v]), static_cast<unsigned long long>(errors[v]));
        }
    }

private:
    struct Access {
        unsigned addr;
        bool is_write;
        uint32_t data;
        unsigned strobes;
        unsigned posts; // descriptors that become visible with it
        bool issued = false, ended = false, error = false;
    };
    struct ReadBurst {
        LifeRef life;
        uint32_t first; // descriptor in lane 0 of the first beat, counted since the start of the life
        unsigned beats, sent;
        uint64_t due;
        bool bad;
    };
    struct Beat {
        std::array<uint32_t, 4 * LANES> data{};
        uint64_t strobes = 0;
        bool last = false;
        bool operator==(const Beat& o) const { return data == o.data && strobes == o.strobes && last == o.last; }
    };
    struct Response {
        LifeRef life;
        unsigned num;
        bool bad;
        uint64_t due;
    };

    std::mt19937_64 rng_;
    unsigned lives_ = 0;
    std::array<LifeRef, NUM_QUEUES> next_; // configured, not enabled
    std::vector<LifeRef> old_;             // disabled, and enabled again before they were over
    std::deque<Access> accesses_;
    std::deque<ReadBurst> reads_;
    std::deque<std::pair<uint64_t, unsigned>> aw_; // address, beats
    std::deque<Beat> w_;
    std::deque<Response> b_;
    bool ar_held_ = false, aw_held_ = false, w_held_ = false;
    uint64_t ar_addr_ = 0, aw_addr_ = 0;
    unsigned ar_len_ = 0, aw_len_ = 0;
    Beat w_beat_;
    int popping_ = -1;
    bool offering_ = false;
    unsigned offer_queue_ = 0;
    Record offer_{};
    uint64_t next_pop_ = 0;
    unsigned disabling_ = NUM_QUEUES; // queue whose ENABLE is written in this cycle

    void edge() {
        dut.clk_i = 1;
        dut.eval();
        dut.clk_i = 0;
        dut.eval();
        g_cycle++;
    }

    static Record descriptor(const Life& life, uint32_t seq) {
        return {seq, life.number << 8 | life.queue, ~seq, seq * 2654435761u ^ life.number};
    }

    Access access(Access a) {
        accesses_.push_back(a);
        unsigned waited = 0;
        // Accesses end in order; this one is the last.
        while (!accesses_.back().ended) {
            tick();
            if (++waited > 1000) fail("register access without an answer");
            if (accesses_.front().ended && accesses_.size() > 1) accesses_.pop_front();
        }
        const Access done = accesses_.back();
        accesses_.pop_back();
        return done;
    }

    // Posts at random times, never more than size - 1 descriptors.
    void host() {
        if (!auto_post || !accesses_.empty()) return;
        const unsigned i = random(NUM_QUEUES);
        Queue& queue = q[i];
        if (!queue.life || queue.life->stopped || queue.life->posted >= queue.goal) return;
        const Life& life = *queue.life;
        const unsigned room = life.size() - 1 - (life.posted - life.done);
        const unsigned most = std::min({room, c.post_max, queue.goal - life.posted});
        if (most == 0) return;
        const unsigned n = random(1, most);
        accesses_.push_back({i << 12 | ESPALIER_QUEUE_TAIL_OFFSET, true, (life.posted + n) & life.mask(), 0xF, n});
    }

    void drive_bus() {
        if (!accesses_.empty() && accesses_.front().ended) accesses_.pop_front();
        dut.reg_valid_i = !accesses_.empty();
        if (!accesses_.empty()) {
            const Access& a = accesses_.front();
            dut.reg_write_i = a.is_write;
            dut.reg_addr_i = static_cast<uint16_t>(a.addr);
            dut.reg_wdata_i = a.data;
            dut.reg_wstrb_i = static_cast<uint8_t>(a.strobes);
        }

        dut.m_axi_arready_i = !chance(c.stall);
        dut.m_axi_awready_i = !chance(c.stall);
        dut.m_axi_wready_i = !chance(c.stall);

        dut.m_axi_rvalid_i = !reads_.empty() && reads_.front().due <= g_cycle && !chance(c.stall);
        dut.m_axi_rlast_i = 0;
        for (unsigned i = 0; i < 4 * LANES; i++) dut.m_axi_rdata_i[i] = static_cast<uint32_t>(rng_());
        if (dut.m_axi_rvalid_i) {
            const ReadBurst& r = reads_.front();
            dut.m_axi_rlast_i = r.sent + 1 == r.beats;
            dut.m_axi_rresp_i = r.bad && dut.m_axi_rlast_i ? 2 : 0;
            for (unsigned l = 0; l < LANES; l++) {
                const uint32_t at = r.first + r.sent * LANES + l;
                if (at >= r.life->posted) continue; // not the host's yet: anything
                const Record d = descriptor(*r.life, at);
                for (unsigned i = 0; i < 4; i++) dut.m_axi_rdata_i[4 * l + i] = d[i];
            }
        }

        dut.m_axi_bvalid_i = !b_.empty() && b_.front().due <= g_cycle && !chance(c.stall);
        dut.m_axi_bresp_i = dut.m_axi_bvalid_i && b_.front().bad ? 2 : 0;
    }

    void drive_data_path() {
        dut.eval(); // what is available does not depend on what follows
        dut.pop_i = 0;
        if (pop_period != 0) {
            if (g_cycle >= next_pop_ && q[0].life && q[0].life->popped < q[0].goal) {
                if (dut.avail_o & 1) {
                    dut.pop_i = 1;
                    dut.pop_queue_i = 0;
                    next_pop_ = g_cycle + pop_period;
                } else if (q[0].life->popped > 0) {
                    missed_pops++;
                }
            }
        } else if (chance(c.pop)) {
            const unsigned from = random(NUM_QUEUES);
            for (unsigned i = 0; i < NUM_QUEUES && !dut.pop_i; i++) {
                const unsigned queue = (from + i) % NUM_QUEUES;
                if (dut.avail_o >> queue & 1) {
                    dut.pop_i = 1;
                    dut.pop_queue_i = static_cast<uint8_t>(queue);
                }
            }
        }

        if (!offering_ && chance(c.complete)) {
            const unsigned from = random(NUM_QUEUES);
            for (unsigned i = 0; i < NUM_QUEUES && !offering_; i++) {
                const unsigned queue = (from + i) % NUM_QUEUES;
                if (q[queue].work.empty() || q[queue].work.front().due > g_cycle) continue;
                const Queue::Work& w = q[queue].work.front();
                offering_ = true;
                offer_queue_ = queue;
                for (uint32_t& word : offer_) word = static_cast<uint32_t>(rng_());
                dut.cpl_queue_i = static_cast<uint8_t>(queue);
                dut.cpl_index_i = static_cast<uint16_t>(w.seq & w.life->mask());
                dut.cpl_write_i = chance(c.report);
                for (unsigned j = 0; j < 4; j++) dut.cpl_data_i[j] = offer_[j];
            }
        }
        dut.cpl_valid_i = offering_;
    }

    void stop(Life& life) {
        if (life.stopped) return;
        life.stopped = true;
        life.stopped_at = g_cycle;
    }

    // A queue goes into error state, unless it is in it, disabled right now, or already in its next life.
    void error(const LifeRef& life) {
        Queue& queue = q[life->queue];
        if (queue.life != life || queue.error || disabling_ == life->queue) return;
        queue.error = true;
        errors[life->vector]++;
        stop(*life);
    }

    void sample_register() {
        disabling_ = NUM_QUEUES;
        if (accesses_.empty()) return;
        Access& a = accesses_.front();
        if (a.issued) {
            if (!dut.reg_ready_o) fail("register access not answered in the next cycle");
            a.ended = true;
            a.data = dut.reg_rdata_o;
            a.error = dut.reg_error_o;
            return;
        }
        if (dut.reg_ready_o) fail("answer without a register access");
        a.issued = true;
        const unsigned queue = a.addr >> 12;
        if (!a.is_write || queue >= NUM_QUEUES || !q[queue].life) return;
        if (a.posts != 0 && !q[queue].life->stopped) {
            q[queue].life->posted += a.posts;
            last_tail = g_cycle;
        }
        if ((a.addr & 0xFFF) == ESPALIER_QUEUE_CTRL_OFFSET && !(a.data & ESPALIER_QUEUE_CTRL_ENABLE_MASK)) {
            stop(*q[queue].life);
            q[queue].error = false;
            disabling_ = queue;
        }
    }

    // The life whose ring of the given kind holds the address.
    LifeRef owner(uint64_t addr, bool cpl) {
        auto holds = [&](const LifeRef& l) {
            const uint64_t base = !l ? 0 : cpl ? l->cpl : l->ring;
            return l && addr >= base && addr < base + 16ull * l->size();
        };
        for (const LifeRef& l : old_)
            if (holds(l)) return l;
        for (const Queue& queue : q)
            if (holds(queue.life)) return queue.life;
        fail("access to 0x%llx, which is no ring of a queue", static_cast<unsigned long long>(addr));
    }

    void sample_read() {
        if (dut.m_axi_rvalid_i) {
            ReadBurst& r = reads_.front();
            if (dut.m_axi_rresp_i != 0) {
                if (!r.life->stopped) error(r.life);
            } else {
                r.life->arrived = std::min(r.first + (r.sent + 1) * LANES, r.life->posted);
            }
            if (++r.sent == r.beats) {
                r.life->reads--;
                reads_.pop_front();
            }
        }
        if (!dut.m_axi_arvalid_o) {
            if (ar_held_) fail("AR valid fell before ready");
            return;
        }
        const uint64_t addr = dut.m_axi_araddr_o;
        const unsigned len = dut.m_axi_arlen_o;
        if (ar_held_) {
            if (addr != ar_addr_ || len != ar_len_) fail("AR changed before ready");
        } else {
            // the burst is judged when it is first asked for
            if (!may_start) fail("read started while quiesced");
            const LifeRef life = owner(addr, false);
            Life& l = *life;
            if (life == q[l.queue].life) bury(l.queue);
            if (l.stopped && g_cycle > l.stopped_at + 1) fail("queue %u reads after it was stopped", l.queue);
            uint32_t first = l.fetched_max / LANES * LANES;
            auto place = [&](uint32_t seq) { return l.ring + 16ull * (seq & l.mask()); };
            if (addr != place(first)) first = l.fetched_min / LANES * LANES;
            if (addr != place(first))
                fail("queue %u reads 0x%llx, next descriptor is at 0x%llx", l.queue, static_cast<unsigned long long>(addr),
                     static_cast<unsigned long long>(place(first)));
            const uint32_t last = first + len * LANES, end = last + LANES; // lane 0 of the last beat; beyond it
            if (last >= l.posted) fail("queue %u reads beyond the tail", l.queue);
            if ((first & l.mask()) + end - first > l.size()) fail("queue %u reads across the ring's end", l.queue);
            if (addr / 4096 != (addr + kBeatBytes * (len + 1) - 1) / 4096) fail("read across 4 KiB");
            const uint32_t before = l.fetched_min;
            l.fetched_min = std::max(last, l.fetched_min) + 1;
            l.fetched_max = std::min(end, l.posted);
            if (l.fetched_min > l.fetched_max) fail("queue %u reads nothing new", l.queue);
            if (l.fetched_min > l.popped + kPrefetch)
                fail("queue %u reads %u..%u with %u popped, more than the cache holds", l.queue, first, end - 1, l.popped);
            if (len >= 16) fail("queue %u reads more than 16 descriptors", l.queue);
            ReadBurst r{life, first, len + 1, 0, 0, false};
            if (fail_read == static_cast<int>(l.queue)) {
                r.bad = true;
                fail_read = -1;
            }
            l.reads++;
            reads++;
            descriptors += l.fetched_min - before;
            last_ar = g_cycle;
            asked_ = r;
        }
        ar_held_ = !dut.m_axi_arready_i;
        ar_addr_ = addr;
        ar_len_ = len;
        if (!ar_held_) {
            asked_.due = g_cycle + random(c.read_latency_min, c.read_latency_max);
            reads_.push_back(asked_);
        }
    }
    ReadBurst asked_{};

    // A queue has begun its next life: the one before must be over.
    void bury(unsigned queue) {
        for (auto it = old_.begin(); it != old_.end();) {
            if ((*it)->queue != queue) {
                ++it;
                continue;
            }
            if (!(*it)->over()) fail("queue %u starts again before its work has ended", queue);
            it = old_.erase(it);
        }
    }

    void sample_write() {
        if (dut.m_axi_bvalid_i) {
            const Response r = b_.front();
            b_.pop_front();
            r.life->writes--;
            last_b = g_cycle;
            if (r.bad) {
                r.life->lost = true;
                error(r.life);
            } else {
                confirmed[r.life->vector] += r.num;
            }
        }
        if (aw_held_ && (!dut.m_axi_awvalid_o || dut.m_axi_awaddr_o != aw_addr_ || dut.m_axi_awlen_o != aw_len_))
            fail("AW changed before ready");
        if (dut.m_axi_awvalid_o) {
            if (!aw_held_) {
                if (!may_start) fail("write started while quiesced");
                writes++;
                last_aw = g_cycle;
            }
            aw_addr_ = dut.m_axi_awaddr_o;
            aw_len_ = dut.m_axi_awlen_o;
            if (dut.m_axi_awready_i) aw_.push_back({aw_addr_, aw_len_ + 1});
        }
        aw_held_ = dut.m_axi_awvalid_o && !dut.m_axi_awready_i;

        Beat beat;
        for (unsigned i = 0; i < 4 * LANES; i++) beat.data[i] = dut.m_axi_wdata_o[i];
        beat.strobes = dut.m_axi_wstrb_o;
        beat.last = dut.m_axi_wlast_o;
        if (w_held_ && (!dut.m_axi_wvalid_o || !(beat == w_beat_))) fail("W changed before ready");
        w_beat_ = beat;
        w_held_ = dut.m_axi_wvalid_o && !dut.m_axi_wready_i;
        if (dut.m_axi_wvalid_o && dut.m_axi_wready_i) w_.push_back(beat);

        while (!aw_.empty() && w_.size() >= aw_.front().second) finish_write();
    }

    // A whole burst is there: every entry must be the next expected one, at its place.
    void finish_write() {
        const auto [addr, beats] = aw_.front();
        aw_.pop_front();
        if (addr % kBeatBytes != 0) fail("write to 0x%llx is not aligned", static_cast<unsigned long long>(addr));
        LifeRef life;
        unsigned num = 0;
        uint64_t first = 0, oldest = 0;
        for (unsigned i = 0; i < beats; i++) {
            const Beat beat = w_.front();
            w_.pop_front();
            if (beat.last != (i + 1 == beats)) fail("WLAST in beat %u of %u", i, beats);
            for (unsigned l = 0; l < LANES; l++) {
                const unsigned strobes = static_cast<unsigned>(beat.strobes >> (16 * l) & 0xFFFF);
                if (strobes == 0) continue;
                if (strobes != 0xFFFF) fail("strobes 0x%04x", strobes);
                const uint64_t at = addr + i * kBeatBytes + 16 * l;
                if (!life) life = owner(at, true);
                if (life->expected.empty()) fail("queue %u writes a completion that nobody made", life->queue);
                const Life::Expected e = life->expected.front();
                life->expected.pop_front();
                if (at != e.addr)
                    fail("queue %u writes to 0x%llx, next completion goes to 0x%llx", life->queue,
                         static_cast<unsigned long long>(at), static_cast<unsigned long long>(e.addr));
                for (unsigned j = 0; j < 4; j++) {
                    if (beat.data[4 * l + j] != e.record[j])
                        fail("queue %u completion %u word %u is 0x%08x, not 0x%08x", life->queue,
                             static_cast<unsigned>((at - life->cpl) / 16), j, beat.data[4 * l + j], e.record[j]);
                }
                if (num++ == 0) {
                    first = at;
                    oldest = e.accepted;
                }
            }
        }
        if (num == 0) fail("a write without bytes");
        const Queue& queue = q[life->queue];
        const unsigned left = kLine - static_cast<unsigned>(first / 16 % kLine);
        const unsigned limit = std::min(left, queue.batch());
        // CPL_BATCH may have been written meanwhile for the queue's next life.
        if (num > (life->stopped ? kLine : limit)) fail("queue %u writes %u completions at once, at most %u may be", life->queue, num, limit);
        if (num < limit && life == queue.life && !life->stopped && g_cycle < oldest + queue.timer)
            fail("queue %u writes %u of %u completions after %llu cycles, its timer is %u", life->queue, num, limit,
                 static_cast<unsigned long long>(g_cycle - oldest), queue.timer);
        batches++;
        written += num;
        const bool bad = fail_write == static_cast<int>(life->queue);
        if (bad) fail_write = -1;
        const uint64_t earliest = b_.empty() ? 0 : b_.back().due;
        b_.push_back({life, num, bad, std::max(earliest, g_cycle + random(c.write_latency_min, c.write_latency_max))});
        life->writes++;
    }

    void sample_data_path() {
        unsigned live = 0;
        for (unsigned i = 0; i < NUM_QUEUES; i++) {
            const LifeRef& l = q[i].life;
            if (dut.avail_o >> i & 1) {
                last_avail = g_cycle;
                if (!l || l->arrived <= l->popped) fail("queue %u has a descriptor available that was not read", i);
                if (!dut.enable_i || dut.quiesce_i) fail("queue %u has a descriptor available while held", i);
                live |= 1u << i;
            }
        }
        if (live & ~static_cast<unsigned>(dut.live_o)) fail("available but not live: %x, %x", live, dut.live_o);
        popping_ = dut.pop_i ? dut.pop_queue_i : -1;

        if (offering_) {
            if (dut.cpl_ready_o) {
                Queue& queue = q[offer_queue_];
                const Queue::Work w = queue.work.front();
                queue.work.pop_front();
                Life& l = *w.life;
                l.done++;
                accepts++;
                last_accept = g_cycle;
                offering_ = false;
                if (dut.cpl_write_i && !l.lost) {
                    Record r = offer_;
                    r[0] = (r[0] & 0xFFFF) | (w.seq & l.mask()) << 16;
                    r[3] = (r[3] & 0x7FFFFFFF) | (l.stored >> l.log2 & 1 ? 0 : 0x80000000u);
                    l.expected.push_back({r, l.cpl + 16ull * (l.stored & l.mask()), g_cycle});
                    l.stored++;
                }
            } else {
                refusals++;
            }
        }
    }

    void sample_event() {
        if (!dut.event_valid_o) return;
        const unsigned v = dut.event_vector_o;
        if (dut.event_count_o < 1 || dut.event_count_o > kLine) fail("%u events at once", dut.event_count_o);
        last_event = g_cycle;
        events[v] += dut.event_count_o;
        if (events[v] > confirmed[v] + errors[v]) fail("vector %u: an event before its cause", v);
    }

    void after_edge() {
        if (popping_ >= 0) {
            Queue& queue = q[static_cast<unsigned>(popping_)];
            Life& l = *queue.life;
            const Record want = descriptor(l, l.popped);
            for (unsigned i = 0; i < 4; i++) {
                if (dut.pop_desc_o[i] != want[i])
                    fail("queue %d descriptor %u word %u is 0x%08x, not 0x%08x", popping_, l.popped, i, dut.pop_desc_o[i],
                         want[i]);
            }
            if (dut.pop_index_o != (l.popped & l.mask()))
                fail("queue %d descriptor %u has index %u", popping_, l.popped, dut.pop_index_o);
            queue.work.push_back({queue.life, l.popped, g_cycle + random(c.work_min, c.work_max)});
            l.popped++;
            pops++;
        }
    }
};

#endif
