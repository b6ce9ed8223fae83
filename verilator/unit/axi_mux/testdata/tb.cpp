// SPDX-License-Identifier: Apache-2.0
//
// Bench of espalier_axi_mux: three read and three write clients with random bursts on one side, a bus on the other that
// answers the IDs in any order, interleaves their read data beat by beat, and takes write addresses and write data
// independently. Every beat and every response must reach its client in the order of its requests.
// Arguments: "random" SEED, or "fill" FIRST SECOND: bursts of FIRST and SECOND beats alternate, always ready; prints the
// cycles from the first to the last write beat and the number of beats.
#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>

#include "Vdut.h"
#include "verilated.h"

namespace {

constexpr unsigned kClients = 3;
constexpr unsigned kMaxReads = 64, kMaxWrites = 32; // defaults of the module

uint64_t g_cycle = 0;

[[noreturn]] __attribute__((format(printf, 1, 2))) void fail(const char* format, ...) {
    std::va_list args;
    va_start(args, format);
    std::fprintf(stderr, "cycle %llu: ", static_cast<unsigned long long>(g_cycle));
    std::vfprintf(stderr, format, args);
    std::fprintf(stderr, "\n");
    va_end(args);
    std::exit(1);
}

struct Burst {
    uint64_t addr;
    unsigned beats;
};

// The ports of a client, as references into the model.
struct ReadPorts {
    CData &arvalid, &arready;
    QData& araddr;
    CData &arlen, &rvalid;
    VlWide<4>& rdata;
    CData &rresp, &rlast;
};
struct WritePorts {
    CData &awvalid, &awready;
    QData& awaddr;
    CData &awlen, &wvalid, &wready;
    VlWide<4>& wdata;
    SData& wstrb;
    CData &wlast, &bvalid, &bresp;
};

// Contents of a beat, from its address and place.
uint32_t content(uint64_t addr, unsigned beat, unsigned word) {
    return static_cast<uint32_t>((addr + 16 * beat + 4 * word) * 2654435761u);
}
unsigned response(uint64_t addr) { return addr >> 4 & 15 ? 0 : 2; } // one burst in 16 fails

struct Reader {
    ReadPorts p;
    std::deque<Burst> asked; // taken by the multiplexer, oldest first
    unsigned beat = 0;       // next beat of the oldest
    Burst next{};
    uint64_t done = 0;
    bool ar_taken = false; // in this cycle
};
struct Writer {
    WritePorts p;
    std::deque<Burst> to_send;  // data not sent, oldest first; may run ahead of the address
    std::deque<Burst> to_ask;   // address not taken
    std::deque<Burst> unanswered;
    unsigned beat = 0;
    uint64_t done = 0;
    bool aw_taken = false, w_taken = false; // in this cycle
};

class Bench {
public:
    explicit Bench(uint64_t seed) : rng_(seed) {
        dut_.rst_i = 1;
        for (int i = 0; i < 4; i++) edge();
        dut_.rst_i = 0;
    }

    void random_traffic() {
        const unsigned choices[] = {0, 10, 50, 90};
        stall_ = choices[rng_() % 4];
        for (unsigned phase = 0; phase < 8; phase++) {
            for (unsigned& percent : busy_) percent = choices[rng_() % 4];
            for (unsigned i = 0; i < 1000; i++) tick();
        }
        for (unsigned& percent : busy_) percent = 0;
        drain();
        for (unsigned i = 0; i < kClients; i++) {
            std::printf("reads_%u %llu\nwrites_%u %llu\n", i, static_cast<unsigned long long>(readers_[i].done), i,
                        static_cast<unsigned long long>(writers_[i].done));
        }
    }

    // Frame data bursts of one length, completion bursts of another, both always there.
    void fill(unsigned first, unsigned second) {
        for (unsigned i = 0; i < 200; i++) {
            queue_write(0, first);
            queue_write(1, second);
        }
        while (!writers_[0].to_ask.empty() && !writers_[1].to_ask.empty()) {
            tick();
            const size_t left[] = {writers_[0].to_ask.size(), writers_[1].to_ask.size()};
            if (left[0] > left[1] + 1 || left[1] > left[0] + 1) fail("%zu and %zu bursts left: no turns", left[0], left[1]);
        }
        drain();
        std::printf("cycles %llu\nbeats %llu\n", static_cast<unsigned long long>(last_w_ - first_w_ + 1),
                    static_cast<unsigned long long>(w_beats_));
    }

private:
    VerilatedContext context_;
    Vdut dut_{&context_};
    std::mt19937_64 rng_;
    unsigned stall_ = 0;
    std::array<unsigned, 2 * kClients> busy_{}; // chance of a new burst per cycle, readers then writers
    std::array<Reader, kClients> readers_{{
        {{dut_.tx_data_arvalid_i, dut_.tx_data_arready_o, dut_.tx_data_araddr_i, dut_.tx_data_arlen_i, dut_.tx_data_rvalid_o,
          dut_.tx_data_rdata_o, dut_.tx_data_rresp_o, dut_.tx_data_rlast_o}},
        {{dut_.tx_ring_arvalid_i, dut_.tx_ring_arready_o, dut_.tx_ring_araddr_i, dut_.tx_ring_arlen_i, dut_.tx_ring_rvalid_o,
          dut_.tx_ring_rdata_o, dut_.tx_ring_rresp_o, dut_.tx_ring_rlast_o}},
        {{dut_.rx_ring_arvalid_i, dut_.rx_ring_arready_o, dut_.rx_ring_araddr_i, dut_.rx_ring_arlen_i, dut_.rx_ring_rvalid_o,
          dut_.rx_ring_rdata_o, dut_.rx_ring_rresp_o, dut_.rx_ring_rlast_o}},
    }};
    std::array<Writer, kClients> writers_{{
        {{dut_.rx_data_awvalid_i, dut_.rx_data_awready_o, dut_.rx_data_awaddr_i, dut_.rx_data_awlen_i, dut_.rx_data_wvalid_i,
          dut_.rx_data_wready_o, dut_.rx_data_wdata_i, dut_.rx_data_wstrb_i, dut_.rx_data_wlast_i, dut_.rx_data_bvalid_o,
          dut_.rx_data_bresp_o}},
        {{dut_.tx_ring_awvalid_i, dut_.tx_ring_awready_o, dut_.tx_ring_awaddr_i, dut_.tx_ring_awlen_i, dut_.tx_ring_wvalid_i,
          dut_.tx_ring_wready_o, dut_.tx_ring_wdata_i, dut_.tx_ring_wstrb_i, dut_.tx_ring_wlast_i, dut_.tx_ring_bvalid_o,
          dut_.tx_ring_bresp_o}},
        {{dut_.rx_ring_awvalid_i, dut_.rx_ring_awready_o, dut_.rx_ring_awaddr_i, dut_.rx_ring_awlen_i, dut_.rx_ring_wvalid_i,
          dut_.rx_ring_wready_o, dut_.rx_ring_wdata_i, dut_.rx_ring_wstrb_i, dut_.rx_ring_wlast_i, dut_.rx_ring_bvalid_o,
          dut_.rx_ring_bresp_o}},
    }};
    // bus
    std::array<std::deque<Burst>, kClients> read_bursts_; // per ID
    std::array<unsigned, kClients> read_beat_{};
    std::deque<Burst> aw_;
    unsigned w_beat_ = 0;                                 // beats of the oldest burst that have come
    std::deque<std::pair<uint64_t, bool>> w_ahead_;       // data beats without an address: first word and last
    std::deque<Burst> responses_;
    unsigned reads_under_way_ = 0, writes_under_way_ = 0;
    uint64_t last_w_ = 0, first_w_ = 0, w_beats_ = 0, serial_ = 0;
    bool ar_held_ = false, aw_held_ = false, w_held_ = false;
    std::array<uint64_t, 3> ar_{}, aw_payload_{}, w_payload_{};

    bool chance(unsigned percent) { return rng_() % 100 < percent; }

    void edge() {
        dut_.clk_i = 1;
        dut_.eval();
        dut_.clk_i = 0;
        dut_.eval();
        g_cycle++;
    }

    // A burst with an address of its own that does not cross 4 KiB.
    Burst burst(unsigned client, unsigned beats) {
        const uint64_t page = uint64_t{client} << 60 | ++serial_ << 12;
        return {page + 16 * (rng_() % (256 - beats + 1)), beats};
    }
    void queue_write(unsigned client, unsigned beats) {
        const Burst b = burst(client, beats);
        writers_[client].to_ask.push_back(b);
        writers_[client].to_send.push_back(b);
    }

    void drain() {
        uint64_t waited = 0;
        auto busy = [&] {
            for (const Reader& r : readers_)
                if (r.p.arvalid || !r.asked.empty()) return true;
            for (const Writer& w : writers_)
                if (!w.to_ask.empty() || !w.to_send.empty() || !w.unanswered.empty()) return true;
            return false;
        };
        while (busy()) {
            tick();
            if (++waited > 200000) fail("does not end");
        }
        tick();
        dut_.eval();
        if (!dut_.idle_o) fail("not idle after everything was answered");
    }

    void tick() {
        drive_clients();
        drive_bus();
        dut_.eval();
        if (!dut_.m_axi_rready_o || !dut_.m_axi_bready_o) fail("R or B not ready");
        if (dut_.idle_o != (reads_under_way_ == 0 && writes_under_way_ == 0)) fail("idle is %d", dut_.idle_o);
        sample_reads();
        sample_writes();
        edge();
        // Inputs change only after the edge.
        for (Reader& r : readers_) {
            if (r.ar_taken) r.p.arvalid = 0;
            r.ar_taken = false;
        }
        for (Writer& w : writers_) {
            if (w.aw_taken) w.p.awvalid = 0;
            if (w.w_taken) w.p.wvalid = 0;
            w.aw_taken = w.w_taken = false;
        }
    }

    void drive_clients() {
        for (unsigned i = 0; i < kClients; i++) {
            Reader& r = readers_[i];
            if (!r.p.arvalid && chance(busy_[i])) {
                r.next = burst(i, 1 + rng_() % 16);
                r.p.arvalid = 1;
                r.p.araddr = r.next.addr;
                r.p.arlen = static_cast<CData>(r.next.beats - 1);
            }
            Writer& w = writers_[i];
            if (w.to_ask.size() < 4 && chance(busy_[kClients + i])) queue_write(i, 1 + rng_() % 16);
            if (!w.p.awvalid && !w.to_ask.empty() && (stall_ == 0 || chance(80))) {
                w.p.awvalid = 1;
                w.p.awaddr = w.to_ask.front().addr;
                w.p.awlen = static_cast<CData>(w.to_ask.front().beats - 1);
            }
            if (!w.p.wvalid && !w.to_send.empty() && (stall_ == 0 || chance(80))) {
                const Burst& b = w.to_send.front();
                w.p.wvalid = 1;
                for (unsigned k = 0; k < 4; k++) w.p.wdata[k] = content(b.addr, w.beat, k);
                w.p.wstrb = static_cast<SData>(content(b.addr, w.beat, 5));
                w.p.wlast = w.beat + 1 == b.beats;
            }
        }
    }

    void drive_bus() {
        dut_.m_axi_arready_i = !chance(stall_);
        dut_.m_axi_awready_i = !chance(stall_);
        dut_.m_axi_wready_i = !chance(stall_);
        dut_.m_axi_rvalid_i = 0;
        const unsigned from = rng_() % kClients;
        for (unsigned i = 0; i < kClients && !dut_.m_axi_rvalid_i && !chance(stall_); i++) {
            const unsigned id = (from + i) % kClients;
            if (read_bursts_[id].empty()) continue;
            const Burst& b = read_bursts_[id].front();
            dut_.m_axi_rvalid_i = 1;
            dut_.m_axi_rid_i = static_cast<CData>(id);
            for (unsigned k = 0; k < 4; k++) dut_.m_axi_rdata_i[k] = content(b.addr, read_beat_[id], k);
            dut_.m_axi_rresp_i = static_cast<CData>(response(b.addr));
            dut_.m_axi_rlast_i = read_beat_[id] + 1 == b.beats;
        }
        dut_.m_axi_bvalid_i = !responses_.empty() && !chance(stall_);
        dut_.m_axi_bid_i = 0;
        dut_.m_axi_bresp_i = dut_.m_axi_bvalid_i ? static_cast<CData>(response(responses_.front().addr)) : 0;
    }

    void held(const char* what, bool& was, std::array<uint64_t, 3>& payload, bool valid, bool ready,
              const std::array<uint64_t, 3>& now) {
        if (was && (!valid || payload != now)) fail("%s changed before ready", what);
        was = valid && !ready;
        payload = now;
    }

    void sample_reads() {
        held("AR", ar_held_, ar_, dut_.m_axi_arvalid_o, dut_.m_axi_arready_i,
             {dut_.m_axi_araddr_o, dut_.m_axi_arlen_o, dut_.m_axi_arid_o});
        for (unsigned i = 0; i < kClients; i++) {
            Reader& r = readers_[i];
            const bool mine = dut_.m_axi_rvalid_i && dut_.m_axi_rid_i == i;
            if (static_cast<bool>(r.p.rvalid) != mine) fail("read data for client %u went astray", i);
            if (mine) {
                const Burst& b = r.asked.front();
                for (unsigned k = 0; k < 4; k++)
                    if (r.p.rdata[k] != content(b.addr, r.beat, k)) fail("client %u got wrong data", i);
                if (r.p.rresp != response(b.addr)) fail("client %u got a wrong response", i);
                if (r.p.rlast != (r.beat + 1 == b.beats)) fail("client %u got a wrong last", i);
                if (++r.beat == b.beats) {
                    r.beat = 0;
                    r.asked.pop_front();
                    r.done++;
                }
                if (++read_beat_[i] == read_bursts_[i].front().beats) {
                    read_beat_[i] = 0;
                    read_bursts_[i].pop_front();
                    reads_under_way_--;
                }
            }
        }
        // A request that the bus takes is one that its client has made, in order.
        if (dut_.m_axi_arvalid_o && dut_.m_axi_arready_i) {
            const unsigned id = dut_.m_axi_arid_o;
            if (id >= kClients || dut_.m_axi_araddr_o >> 60 != id) fail("read of client %u has ID %u",
                                                                       static_cast<unsigned>(dut_.m_axi_araddr_o >> 60), id);
            if (dut_.m_axi_arsize_o != 4 || dut_.m_axi_arburst_o != 1) fail("ARSIZE or ARBURST");
            const size_t place = read_bursts_[id].size();
            if (place >= readers_[id].asked.size()) fail("a read nobody asked for");
            const Burst& b = readers_[id].asked[place];
            if (b.addr != dut_.m_axi_araddr_o || b.beats != dut_.m_axi_arlen_o + 1u) fail("a read changed on its way");
            read_bursts_[id].push_back(b);
        }
        unsigned taken = 0;
        for (unsigned i = 0; i < kClients; i++) {
            Reader& r = readers_[i];
            if (!r.p.arvalid || !r.p.arready) continue;
            taken++;
            r.asked.push_back(r.next);
            r.ar_taken = true;
            if (++reads_under_way_ > kMaxReads) fail("%u reads under way", reads_under_way_);
        }
        if (taken > 1) fail("two reads taken at once");
    }

    void sample_writes() {
        held("AW", aw_held_, aw_payload_, dut_.m_axi_awvalid_o, dut_.m_axi_awready_i,
             {dut_.m_axi_awaddr_o, dut_.m_axi_awlen_o, dut_.m_axi_awid_o});
        held("W", w_held_, w_payload_, dut_.m_axi_wvalid_o, dut_.m_axi_wready_i,
             {dut_.m_axi_wdata_o[0] | uint64_t{dut_.m_axi_wdata_o[1]} << 32,
              dut_.m_axi_wdata_o[2] | uint64_t{dut_.m_axi_wdata_o[3]} << 32, dut_.m_axi_wstrb_o | uint64_t{dut_.m_axi_wlast_o} << 16});
        unsigned answered = 0;
        for (unsigned i = 0; i < kClients; i++) {
            Writer& w = writers_[i];
            if (w.p.bvalid) {
                answered++;
                if (!dut_.m_axi_bvalid_i || w.unanswered.empty() || w.unanswered.front().addr != responses_.front().addr)
                    fail("a response for client %u went astray", i);
                if (w.p.bresp != response(w.unanswered.front().addr)) fail("client %u got a wrong response", i);
                w.unanswered.pop_front();
                w.done++;
            }
        }
        if (answered != dut_.m_axi_bvalid_i) fail("%u clients answered", answered);
        if (answered != 0) {
            responses_.pop_front();
            writes_under_way_--;
        }

        if (dut_.m_axi_awvalid_o && dut_.m_axi_awready_i) {
            if (dut_.m_axi_awid_o != 0 || dut_.m_axi_awsize_o != 4 || dut_.m_axi_awburst_o != 1) fail("AWID, AWSIZE or AWBURST");
            aw_.push_back({dut_.m_axi_awaddr_o, dut_.m_axi_awlen_o + 1u});
        }
        if (dut_.m_axi_wvalid_o && dut_.m_axi_wready_i) {
            w_ahead_.push_back({dut_.m_axi_wdata_o[0] | uint64_t{dut_.m_axi_wstrb_o} << 32, dut_.m_axi_wlast_o});
            if (w_beats_++ == 0) first_w_ = g_cycle;
            last_w_ = g_cycle;
        }
        // Data belongs to the addresses in their order, whichever came first.
        while (!aw_.empty() && !w_ahead_.empty()) {
            const Burst& b = aw_.front();
            const auto [word, last] = w_ahead_.front();
            w_ahead_.pop_front();
            if (static_cast<uint32_t>(word) != content(b.addr, w_beat_, 0) ||
                word >> 32 != (content(b.addr, w_beat_, 5) & 0xFFFF))
                fail("write data of another burst");
            if (last != (w_beat_ + 1 == b.beats)) fail("WLAST in beat %u of %u", w_beat_, b.beats);
            if (++w_beat_ < b.beats) continue;
            w_beat_ = 0;
            responses_.push_back(b);
            aw_.pop_front();
        }

        for (unsigned i = 0; i < kClients; i++) {
            Writer& w = writers_[i];
            if (w.p.awvalid && w.p.awready) {
                w.unanswered.push_back(w.to_ask.front());
                w.to_ask.pop_front();
                w.aw_taken = true;
                if (++writes_under_way_ > kMaxWrites) fail("%u writes under way", writes_under_way_);
            }
            if (w.p.wvalid && w.p.wready) {
                if (w.p.wlast) {
                    w.to_send.pop_front();
                    w.beat = 0;
                } else {
                    w.beat++;
                }
                w.w_taken = true;
            }
        }
    }
};

} // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::strcmp(argv[1], "random") == 0) {
        Bench(std::strtoull(argv[2], nullptr, 10)).random_traffic();
    } else if (argc == 4 && std::strcmp(argv[1], "fill") == 0) {
        Bench(1).fill(static_cast<unsigned>(std::atoi(argv[2])), static_cast<unsigned>(std::atoi(argv[3])));
    } else {
        return 2;
    }
    return 0;
}
