// SPDX-License-Identifier: Apache-2.0
//
// The neighbours of espalier_tx: rings, SA check, host memory, cipher. Reads a scenario from standard input, one item a
// line, and writes one line for everything that the unit gives its neighbours. The judging is the Go test's.
//
//   set NAME VALUE                                  latency, stall (percent), seed, ipsec, result_delay, quiesce_at
//   sa HANDLE KEYLEN ESN ESN_HI SALT                an outbound SA
//   fault ADDRESS                                   reads of this beat fail
//   desc QUEUE ADDR LENGTH OFFSET IPSEC REPORT ESN_LSB HANDLE
//
// A byte of memory is a function of its address, known to the test.
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

uint8_t memory(uint64_t a) { return static_cast<uint8_t>(a * 167 + (a >> 8) * 29 + (a >> 16) * 3); }

struct Sa { unsigned keylen, esn; uint32_t esn_hi, salt; };
struct Desc { uint64_t addr; uint32_t length, offset, ipsec, report, esn_lsb, handle; uint16_t index; };
struct Burst { uint64_t addr; unsigned beats, at; uint64_t due; };
struct Meta { bool crypt; };
struct Result { unsigned status; uint64_t due; };
struct Answer { bool hit; Sa sa; uint64_t due; };

[[noreturn]] void fail(const char* what, uint64_t cycle) {
    std::fprintf(stderr, "cycle %llu: %s\n", static_cast<unsigned long long>(cycle), what);
    std::exit(1);
}

}  // namespace

int main() {
    std::map<std::string, uint64_t> set{{"latency", 40}, {"stall", 0}, {"seed", 1}, {"ipsec", 1}, {"result_delay", 20},
                                        {"quiesce_at", 0}};
    std::map<uint32_t, Sa> sas;
    std::set<uint64_t> faults;
    std::deque<Desc> rings[kQueues];
    uint16_t next_index[kQueues] = {};
    size_t waiting = 0;  // descriptors without a completion message
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream in(line);
        std::string what;
        in >> what;
        if (what == "set") {
            std::string name;
            in >> name >> set.at(name);
        } else if (what == "sa") {
            uint32_t handle;
            Sa s;
            in >> handle >> s.keylen >> s.esn >> s.esn_hi >> s.salt;
            sas[handle] = s;
        } else if (what == "fault") {
            uint64_t a;
            in >> a;
            faults.insert(a / kBeat);
        } else if (what == "desc") {
            unsigned q;
            Desc d;
            in >> q >> d.addr >> d.length >> d.offset >> d.ipsec >> d.report >> d.esn_lsb >> d.handle;
            d.index = next_index[q]++;
            rings[q].push_back(d);
            waiting++;
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
    dut.ipsec_enable_i = set["ipsec"] != 0;

    std::deque<Burst> bursts;
    std::deque<Meta> metas;
    std::deque<Result> results;
    std::deque<Answer> answers;
    std::vector<uint8_t> frame;
    bool frame_begun = false;
    unsigned skip = 0;
    bool desc_valid = false;
    Desc desc{};
    uint64_t cycle = 0, first_beat = 0, last_beat = 0, beats = 0, uses = 0, dones = 0, idle_since = 0;
    uint64_t stats[4] = {};
    std::deque<unsigned> skips;

    for (; cycle < 400000; cycle++) {
        const bool quiesced = set["quiesce_at"] != 0 && cycle >= set["quiesce_at"];
        dut.quiesce_i = quiesced;
        // Inputs of this cycle.
        dut.avail_i = 0;
        for (unsigned q = 0; q < kQueues; q++) if (!rings[q].empty()) dut.avail_i |= 1u << q;
        if (desc_valid) {
            dut.pop_desc_i[0] = static_cast<uint32_t>(desc.addr);
            dut.pop_desc_i[1] = static_cast<uint32_t>(desc.addr >> 32);
            dut.pop_desc_i[2] = desc.length | desc.offset << 16 | desc.ipsec << 27 | desc.report << 28 | desc.esn_lsb << 29;
            dut.pop_desc_i[3] = desc.handle;
            dut.pop_index_i = desc.index;
        } else {  // outside its cycle a descriptor is not to be trusted
            for (int i = 0; i < 4; i++) dut.pop_desc_i[i] = rng();
            dut.pop_index_i = static_cast<uint16_t>(rng());
        }
        dut.sa_rsp_i = !answers.empty() && answers.front().due == cycle;
        if (dut.sa_rsp_i) {
            dut.sa_hit_i = answers.front().hit;
            dut.sa_keylen_i = answers.front().sa.keylen;
            dut.sa_esn_i = answers.front().sa.esn;
            dut.sa_esn_hi_i = answers.front().sa.esn_hi;
            dut.sa_salt_i = answers.front().sa.salt;
            answers.pop_front();
        }
        dut.cpl_ready_i = go();
        dut.meta_ready_i = go();
        dut.s_ready_i = !metas.empty() && go();
        dut.m_axi_arready_i = go();
        dut.m_axi_rvalid_i = 0;
        if (!bursts.empty() && bursts.front().due <= cycle && go()) {
            const Burst& b = bursts.front();
            const uint64_t base = (b.addr / kBeat + b.at) * kBeat;
            dut.m_axi_rvalid_i = 1;
            dut.m_axi_rlast_i = b.at + 1 == b.beats;
            dut.m_axi_rresp_i = faults.count(base / kBeat) ? 2 : 0;
            for (unsigned w = 0; w < 4; w++) {
                uint32_t v = 0;
                for (unsigned i = 0; i < 4; i++) v |= static_cast<uint32_t>(memory(base + 4 * w + i)) << (8 * i);
                dut.m_axi_rdata_i[w] = v;
            }
        }
        dut.r_valid_i = !results.empty() && results.front().due <= cycle;
        if (dut.r_valid_i) dut.r_status_i = results.front().status;
        dut.eval();

        // What happens at its end.
        const bool popped = dut.pop_o;
        if (popped) {
            if (dut.pop_queue_o >= kQueues || rings[dut.pop_queue_o].empty()) fail("pop of an empty queue", cycle);
            if (quiesced) fail("pop while stopping", cycle);
            desc = rings[dut.pop_queue_o].front();
            rings[dut.pop_queue_o].pop_front();
            std::printf("pop %u\n", dut.pop_queue_o);
        }
        desc_valid = popped;
        if (dut.sa_req_o) {
            auto it = sas.find(dut.sa_handle_o);
            answers.push_back({it != sas.end(), it != sas.end() ? it->second : Sa{3, 1, 0xdeadbeef, 0xdeadbeef}, cycle + 2});
            if (it != sas.end() && dut.sa_use_o) uses++;
        }
        if (dut.m_axi_arvalid_o && dut.m_axi_arready_i) {
            const unsigned n = dut.m_axi_arlen_o + 1u;
            if (dut.m_axi_araddr_o / 4096 != (dut.m_axi_araddr_o / kBeat * kBeat + n * kBeat - 1) / 4096) fail("burst crosses 4 KiB", cycle);
            if (n > 32) fail("burst too long", cycle);
            bursts.push_back({dut.m_axi_araddr_o, n, 0, cycle + set["latency"]});
        }
        if (dut.m_axi_rvalid_i) {
            if (beats++ == 0) first_beat = cycle;
            last_beat = cycle;
            if (++bursts.front().at == bursts.front().beats) bursts.pop_front();
        }
        if (dut.meta_valid_o && dut.meta_ready_i) {
            metas.push_back({dut.meta_crypt_o != 0});
            skips.push_back(dut.meta_skip_o);
            if (dut.meta_crypt_o) {
                std::printf("meta 1 %u %u %u %u %u %u %u\n", dut.meta_sa_o, dut.meta_keylen_o, dut.meta_esn_o,
                            dut.meta_seqhi_o, dut.meta_salt_o, dut.meta_espoff_o, dut.meta_plen_o);
            } else {
                std::printf("meta 0\n");
            }
        }
        if (dut.s_valid_o && dut.s_ready_i) {
            if (!frame_begun) {
                frame_begun = true;
                frame.clear();
                skip = skips.front();
                skips.pop_front();
            }
            const unsigned end = dut.s_last_o ? dut.s_count_o : kBeat;
            if (end == 0 || end > kBeat) fail("s_count out of range", cycle);
            for (unsigned i = skip; i < end; i++) frame.push_back(static_cast<uint8_t>(dut.s_data_o[i / 4] >> (8 * (i % 4))));
            skip = 0;
            if (dut.s_last_o) {
                std::printf("frame %u ", dut.s_err_o);
                for (uint8_t b : frame) std::printf("%02x", b);
                std::printf("\n");
                results.push_back({dut.s_err_o ? 4u : metas.front().crypt ? 1u : 0u, cycle + set["result_delay"]});
                metas.pop_front();
                frame_begun = false;
            }
        }
        if (dut.r_valid_i && dut.r_ready_o) {
            if (dut.sent_o != (results.front().status != 4)) fail("sent_o does not follow the status", cycle);
            results.pop_front();
        } else if (dut.sent_o) {
            fail("sent_o without a result", cycle);
        }
        if (dut.cpl_valid_o && dut.cpl_ready_i) {
            std::printf("cpl %u %u %08x%08x%08x%08x %u\n", dut.cpl_queue_o, dut.cpl_index_o, dut.cpl_data_o[3],
                        dut.cpl_data_o[2], dut.cpl_data_o[1], dut.cpl_data_o[0], dut.cpl_write_o);
            waiting--;
        }
        dones += dut.sa_done_o;
        stats[0] += dut.stat_esp_o;
        stats[1] += dut.stat_err_handle_o;
        stats[2] += dut.stat_err_desc_o;
        stats[3] += dut.stat_err_dma_o;
        const bool quiet = waiting == 0 || (quiesced && dut.bus_idle_o && bursts.empty());
        if (dut.bus_idle_o && (!bursts.empty() || dut.m_axi_arvalid_o)) fail("bus_idle_o with a read under way", cycle);
        if (!quiet) idle_since = cycle;
        tick();
        if (cycle > idle_since + 300) break;
    }
    if (waiting != 0 && set["quiesce_at"] == 0) fail("descriptors without a completion", cycle);
    if (waiting == 0 && (!dut.idle_o || !dut.bus_idle_o)) fail("not idle at the end", cycle);
    std::printf("end uses %llu dones %llu esp %llu err_handle %llu err_desc %llu err_dma %llu beats %llu span %llu\n",
                static_cast<unsigned long long>(uses), static_cast<unsigned long long>(dones),
                static_cast<unsigned long long>(stats[0]), static_cast<unsigned long long>(stats[1]),
                static_cast<unsigned long long>(stats[2]), static_cast<unsigned long long>(stats[3]),
                static_cast<unsigned long long>(beats), static_cast<unsigned long long>(last_beat - first_beat + 1));
    return 0;
}
