// SPDX-License-Identifier: Apache-2.0
//
// The neighbours of espalier_rx_dma: cipher, rings, host memory. Reads a scenario from standard input, one item a line, and
// writes the completions and all memory that was written. The judging is the Go test's.
//
//   set NAME VALUE                          latency, stall (percent), seed, quiesce_at
//   frame STATUS CLASS TUNNEL QUEUE HANDLE NEXT_HEADER PAD_LENGTH HEX
//   desc QUEUE ADDR LENGTH AT               a buffer; its descriptor is in the cache from cycle AT on
//   fault ADDRESS                           writes to this beat fail
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "Vdut.h"
#include "verilated.h"

namespace {

constexpr unsigned kQueues = 4;
constexpr unsigned kBeat = 16;

struct Frame { unsigned status, cls, tunnel, queue; uint32_t handle; unsigned next, pad; std::vector<uint8_t> data; };
struct Desc { uint64_t addr; unsigned length; uint64_t at; uint16_t index; };
struct Burst { uint64_t addr; unsigned beats; };
struct Response { unsigned resp; uint64_t due; std::vector<uint64_t> beats; };

[[noreturn]] void fail(const char* what, uint64_t cycle) {
    std::fprintf(stderr, "cycle %llu: %s\n", static_cast<unsigned long long>(cycle), what);
    std::exit(1);
}

}  // namespace

int main() {
    std::map<std::string, uint64_t> set{{"latency", 20}, {"stall", 0}, {"seed", 1}, {"quiesce_at", 0}};
    std::deque<Frame> frames;
    std::deque<Desc> rings[kQueues];
    std::map<std::pair<unsigned, unsigned>, Desc> popped;
    std::set<uint64_t> faults;
    uint16_t next_index[kQueues] = {};
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream in(line);
        std::string what;
        in >> what;
        if (what == "set") {
            std::string name;
            in >> name >> set.at(name);
        } else if (what == "fault") {
            uint64_t a;
            in >> a;
            faults.insert(a / kBeat);
        } else if (what == "frame") {
            Frame f;
            std::string hex;
            in >> f.status >> f.cls >> f.tunnel >> f.queue >> f.handle >> f.next >> f.pad >> hex;
            for (size_t i = 0; i + 1 < hex.size(); i += 2) f.data.push_back(static_cast<uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
            frames.push_back(f);
        } else if (what == "desc") {
            unsigned q;
            Desc d;
            in >> q >> d.addr >> d.length >> d.at;
            d.index = next_index[q]++;
            rings[q].push_back(d);
        }
        if (!in) {
            std::fprintf(stderr, "bad line: %s\n", line.c_str());
            return 2;
        }
    }

    std::mt19937 rng(static_cast<uint32_t>(set["seed"]));
    const unsigned stall = static_cast<unsigned>(set["stall"]);
    auto go = [&] { return rng() % 100 >= stall; };

    VerilatedContext context;
    Vdut dut{&context};
    auto tick = [&] {
        dut.clk_i = 1;
        dut.eval();
        dut.clk_i = 0;
        dut.eval();
    };
    dut.rst_i = 1;
    for (int i = 0; i < 4; i++) tick();
    dut.rst_i = 0;

    std::deque<Burst> bursts;       // addresses taken, data not complete
    std::deque<Response> responses;
    std::vector<uint64_t> burst_beats;
    unsigned burst_resp = 0, burst_at = 0;
    std::set<uint64_t> confirmed;   // beats
    std::map<uint64_t, uint8_t> memory;
    std::deque<Frame> coming;       // results taken
    size_t at = 0;                  // byte of coming.front()
    bool desc_valid = false;
    Desc desc{};
    uint64_t cycle = 0, quiet_since = 0, first_beat = 0, last_beat = 0, beats = 0, dones = 0, addresses = 0, open = 0;
    uint64_t stats[8] = {};

    for (; cycle < 400000; cycle++) {
        const bool quiesced = set["quiesce_at"] != 0 && cycle >= set["quiesce_at"];
        dut.quiesce_i = quiesced;
        dut.avail_i = dut.live_i = 0;
        for (unsigned q = 0; q < kQueues; q++) {
            if (rings[q].empty()) continue;
            dut.live_i |= 1u << q;
            if (rings[q].front().at <= cycle) dut.avail_i |= 1u << q;
        }
        for (int i = 0; i < 4; i++) dut.pop_desc_i[i] = rng();
        dut.pop_index_i = static_cast<uint16_t>(rng());
        if (desc_valid) {
            dut.pop_desc_i[0] = static_cast<uint32_t>(desc.addr);
            dut.pop_desc_i[1] = static_cast<uint32_t>(desc.addr >> 32);
            dut.pop_desc_i[2] = (rng() & 0xffff0000u) | desc.length;
            dut.pop_index_i = desc.index;
        }
        dut.r_valid_i = !frames.empty();
        if (dut.r_valid_i) {
            const Frame& f = frames.front();
            dut.r_status_i = f.status;
            dut.r_len_i = static_cast<uint16_t>(f.data.size());
            dut.r_next_header_i = f.next;
            dut.r_pad_len_i = f.pad;
            dut.r_user_i = static_cast<uint64_t>(f.cls) << 37 | static_cast<uint64_t>(f.tunnel) << 36 |
                           static_cast<uint64_t>(f.queue) << 32 | f.handle;
        }
        dut.m_valid_i = !coming.empty();
        for (int i = 0; i < 4; i++) dut.m_data_i[i] = rng();
        if (dut.m_valid_i) {
            const auto& d = coming.front().data;
            uint8_t beat[kBeat];
            for (unsigned i = 0; i < kBeat; i++) beat[i] = at + i < d.size() ? d[at + i] : static_cast<uint8_t>(rng());
            for (unsigned w = 0; w < 4; w++)
                dut.m_data_i[w] = beat[4 * w] | beat[4 * w + 1] << 8 | beat[4 * w + 2] << 16 | static_cast<uint32_t>(beat[4 * w + 3]) << 24;
            dut.m_last_i = at + kBeat >= d.size();
        }
        dut.cpl_ready_i = go();
        dut.m_axi_awready_i = go();
        dut.m_axi_wready_i = !bursts.empty() && go();  // like a bus that takes data after its address
        dut.m_axi_bvalid_i = !responses.empty() && responses.front().due <= cycle && go();
        if (dut.m_axi_bvalid_i) {
            dut.m_axi_bresp_i = responses.front().resp;
            for (uint64_t b : responses.front().beats) confirmed.insert(b);
            responses.pop_front();
            open--;
        }
        dut.eval();

        const bool pop = dut.pop_o;
        if (pop) {
            const unsigned q = dut.pop_queue_o;
            if (q >= kQueues || !(dut.avail_i >> q & 1)) fail("pop of a queue without a descriptor", cycle);
            desc = rings[q].front();
            rings[q].pop_front();
            popped[{q, desc.index}] = desc;
        }
        desc_valid = pop;
        if (dut.r_valid_i && dut.r_ready_o) {
            if (quiesced) fail("a result was taken while stopping", cycle);
            if (frames.front().status != 4) coming.push_back(frames.front());
            frames.pop_front();
            // Beats of a frame become valid after the cycle in which its result was taken.
        }
        if (dut.m_valid_i && dut.m_ready_o) {
            at += kBeat;
            if (dut.m_last_i) {
                coming.pop_front();
                at = 0;
            }
        }
        if (dut.m_axi_wvalid_o && dut.m_axi_wready_i) {
            if (beats++ == 0) first_beat = cycle;
            last_beat = cycle;
            const Burst& b = bursts.front();
            const uint64_t base = (b.addr / kBeat + burst_at) * kBeat;
            for (unsigned i = 0; i < kBeat; i++) {
                if (!(dut.m_axi_wstrb_o >> i & 1)) continue;
                if (base + i < b.addr) fail("strobe below the burst's address", cycle);
                if (memory.count(base + i)) fail("byte written twice", cycle);
                memory[base + i] = static_cast<uint8_t>(dut.m_axi_wdata_o[i / 4] >> (8 * (i % 4)));
            }
            burst_beats.push_back(base / kBeat);
            if (faults.count(base / kBeat)) burst_resp = 2;
            const bool last = ++burst_at == b.beats;
            if (last != (dut.m_axi_wlast_o != 0)) fail("wlast does not match the burst's length", cycle);
            if (last) {
                responses.push_back({burst_resp, cycle + set["latency"], burst_beats});
                burst_beats.clear();
                burst_resp = burst_at = 0;
                bursts.pop_front();
            }
        }
        if (dut.m_axi_awvalid_o && dut.m_axi_awready_i) {
            const unsigned n = dut.m_axi_awlen_o + 1u;
            const uint64_t base = dut.m_axi_awaddr_o / kBeat * kBeat;
            if (base / 4096 != (base + n * kBeat - 1) / 4096) fail("burst crosses 4 KiB", cycle);
            if (n > 16) fail("burst too long", cycle);
            bursts.push_back({dut.m_axi_awaddr_o, n});
            addresses++;
            open++;
        }
        if (dut.cpl_valid_o && dut.cpl_ready_i) {
            const auto it = popped.find({dut.cpl_queue_o, dut.cpl_index_o});
            if (it == popped.end()) fail("completion of a descriptor that was not popped", cycle);
            const Desc& d = it->second;
            const unsigned length = dut.cpl_data_o[0] & 0xffff;
            const unsigned n = length < d.length ? length : d.length;
            for (uint64_t b = d.addr / kBeat; n != 0 && b <= (d.addr + n - 1) / kBeat; b++)
                if (!confirmed.count(b)) fail("completion before the bus confirmed the frame", cycle);
            if (!dut.cpl_write_o) fail("RX completion that is not written", cycle);
            std::printf("cpl %u %u %08x%08x%08x%08x\n", dut.cpl_queue_o, dut.cpl_index_o, dut.cpl_data_o[3],
                        dut.cpl_data_o[2], dut.cpl_data_o[1], dut.cpl_data_o[0]);
            popped.erase(it);
        }
        if (dut.bus_idle_o && (open != 0 || dut.m_axi_awvalid_o || dut.m_axi_wvalid_o)) fail("bus_idle_o with a write under way", cycle);
        dones += dut.sa_done_o;
        stats[0] += dut.stat_esp_ok_o;
        stats[1] += dut.stat_auth_failed_o;
        stats[2] += dut.stat_syntax_o;
        stats[3] += dut.stat_no_sa_o;
        stats[4] += dut.stat_untouched_o;
        stats[5] += dut.stat_drop_no_desc_o;
        stats[6] += dut.stat_drop_bad_o;
        stats[7] += dut.stat_err_dma_o;
        const bool quiet = (frames.empty() && dut.idle_o && dut.bus_idle_o) || (quiesced && dut.bus_idle_o);
        if (!quiet) quiet_since = cycle;
        tick();
        if (cycle > quiet_since + 300) break;
    }
    if (set["quiesce_at"] == 0 && (!frames.empty() || !popped.empty() || !coming.empty())) fail("frames without an end", cycle);
    for (auto it = memory.begin(); it != memory.end();) {
        std::printf("mem %llu ", static_cast<unsigned long long>(it->first));
        uint64_t a = it->first;
        for (; it != memory.end() && it->first == a; ++it, ++a) std::printf("%02x", it->second);
        std::printf("\n");
    }
    const char* names[8] = {"esp_ok", "auth_failed", "syntax", "no_sa", "untouched", "drop_no_desc", "drop_bad", "err_dma"};
    std::printf("end dones %llu beats %llu span %llu", static_cast<unsigned long long>(dones), static_cast<unsigned long long>(beats),
                static_cast<unsigned long long>(last_beat - first_beat + 1));
    for (int i = 0; i < 8; i++) std::printf(" %s %llu", names[i], static_cast<unsigned long long>(stats[i]));
    std::printf("\n");
    return 0;
}
