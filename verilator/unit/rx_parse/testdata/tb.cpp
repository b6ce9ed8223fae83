// SPDX-License-Identifier: Apache-2.0
//
// Bench of espalier_rx_parse. Plays a script of text lines and prints what the unit does; bytes are hexadecimal, other
// numbers decimal.
//
//   frame BAD HEX         a frame from the MAC, BAD its tuser
//   change BEAT ENABLE    in the next frame, set rx_enable_i once so many of its beats were taken
//   enable N, ipsec N, default N   set an input when all is quiet
//
// Arguments: seed, percent of cycles with a beat from the MAC, percent with the frame output ready, percent with the
// description output ready, and how lookups are answered: "steady" (one in two cycles, after 7) or "random".
// A lookup of SPI s hits if s is odd; all else in its answer is made of s, see answer().
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "Vdut.h"
#include "verilated.h"

namespace {

constexpr size_t kBeat = 16 * LANES;  // bytes
constexpr size_t kWords = 4 * LANES;  // 32-bit words of a beat

using ull = unsigned long long;

std::string hex(const std::vector<uint8_t>& bytes) {
    std::string s;
    for (uint8_t b : bytes) {
        s += "0123456789abcdef"[b >> 4];
        s += "0123456789abcdef"[b & 15];
    }
    return s;
}

struct Bench {
    VerilatedContext context;
    Vdut dut{&context};
    std::mt19937_64 rng;
    unsigned in_percent, out_percent, meta_percent;
    bool steady;
    uint64_t cycle = 0;

    struct Answer {
        uint32_t spi;
        uint64_t due;
    };
    std::deque<Answer> answers;
    uint64_t next_take = 0;

    std::vector<uint8_t> out;  // of the frame that is leaving
    uint64_t out_first = 0;
    bool out_inside = false;
    uint64_t offered = 0, begun = 0;  // descriptions and frames
    bool meta_held = false, beat_held = false;
    WData held_beat[kWords];
    uint64_t in_first = 0, in_last = 0;

    bool chance(unsigned percent) { return rng() % 100 < percent; }

    explicit Bench(uint64_t seed) : rng(seed) {}

    void reset() {
        dut.rst_i = 1;
        for (int i = 0; i < 20; i++) clock();
        dut.rst_i = 0;
        dut.rx_enable_i = dut.ipsec_enable_i = 1;
        clock();
    }

    void clock() {
        dut.clk_i = 1;
        dut.eval();
        dut.clk_i = 0;
        dut.eval();
        cycle++;
    }

    // One cycle with the MAC's side as set by the caller; says whether a beat was taken.
    bool tick() {
        dut.sa_req_ready_i = steady ? cycle >= next_take : chance(50);
        dut.m_ready_i = chance(out_percent);
        dut.meta_ready_i = chance(meta_percent);
        dut.sa_rsp_i = !answers.empty() && cycle >= answers.front().due;
        if (dut.sa_rsp_i) {
            answer(answers.front().spi);
            answers.pop_front();
        }
        dut.eval();
        const bool taken = dut.s_axis_tvalid_i && dut.s_axis_tready_o;
        lookups();
        description();
        frame();
        if (dut.rx_frame_o) std::printf("stat %u\n", dut.rx_bytes_o);
        clock();
        return taken;
    }

    void answer(uint32_t spi) {
        dut.sa_hit_i = spi & 1;
        dut.sa_handle_i = spi * 0x9E3779B1u;
        dut.sa_keylen_i = (spi >> 1) % 3;
        dut.sa_esn_i = spi >> 3 & 1;
        dut.sa_esn_hi_i = ~spi;
        dut.sa_salt_i = spi ^ 0x55555555u;
        dut.sa_tunnel_i = spi >> 4 & 1;
        dut.sa_queue_i = spi >> 5 & 15;
    }

    void lookups() {
        if (!dut.sa_req_valid_o || !dut.sa_req_ready_i) return;
        std::printf("req %x %08x%08x%08x%08x %08x%08x%08x%08x %d\n", dut.sa_spi_o, dut.sa_dst_o[3], dut.sa_dst_o[2], dut.sa_dst_o[1],
                    dut.sa_dst_o[0], dut.sa_src_o[3], dut.sa_src_o[2], dut.sa_src_o[1], dut.sa_src_o[0], dut.sa_ipv6_o);
        const uint64_t earliest = answers.empty() ? 0 : answers.back().due + 1;
        answers.push_back({dut.sa_spi_o, std::max(earliest, cycle + (steady ? 7 : 1 + rng() % 20))});
        next_take = cycle + 2;
    }

    void description() {
        if (meta_held && !dut.meta_valid_o) throw std::string("description withdrawn");
        if (dut.meta_valid_o && !meta_held) offered++;
        meta_held = dut.meta_valid_o && !dut.meta_ready_i;
        if (!dut.meta_valid_o || !dut.meta_ready_i) return;
        std::printf("meta %u %u %u %u %u %u %u %u %u %llu\n", dut.meta_crypt_o, dut.meta_sa_o, dut.meta_keylen_o, dut.meta_esn_o,
                    dut.meta_seqhi_o, dut.meta_salt_o, dut.meta_espoff_o, dut.meta_plen_o, dut.meta_skip_o, ull(dut.meta_user_o));
    }

    void frame() {
        if (beat_held) {
            if (!dut.m_valid_o) throw std::string("beat withdrawn");
            for (size_t i = 0; i < kWords; i++)
                if (held_beat[i] != dut.m_data_o[i]) throw std::string("beat changed while it waited");
        }
        if (dut.m_valid_o && !out_inside) {
            out_inside = true;
            out_first = cycle;
            if (++begun > offered) throw std::string("frame offered before its description");
        }
        beat_held = dut.m_valid_o && !dut.m_ready_i;
        for (size_t i = 0; i < kWords; i++) held_beat[i] = dut.m_data_o[i];
        if (!dut.m_valid_o || !dut.m_ready_i) return;
        const size_t n = dut.m_last_o ? dut.m_count_o : kBeat;
        if (n > kBeat) throw std::string("m_count_o too large");
        for (size_t i = 0; i < n; i++) out.push_back(static_cast<uint8_t>(dut.m_data_o[i / 4] >> (8 * (i % 4))));
        if (!dut.m_last_o) return;
        std::printf("frame %u %llu %llu %s\n", dut.m_err_o, ull(out_first), ull(cycle), out.empty() ? "-" : hex(out).c_str());
        out.clear();
        out_inside = false;
    }

    void send(bool bad, const std::vector<uint8_t>& bytes, int change_at, bool change_to) {
        int beat = 0;
        for (size_t at = 0; at < bytes.size(); at += kBeat, beat++) {
            while (!chance(in_percent)) tick();
            const size_t n = std::min(kBeat, bytes.size() - at);
            for (size_t i = 0; i < kWords; i++) dut.s_axis_tdata_i[i] = static_cast<uint32_t>(rng());
            for (size_t i = 0; i < n; i++) {
                uint32_t& w = dut.s_axis_tdata_i[i / 4];
                w = (w & ~(0xffu << (8 * (i % 4)))) | static_cast<uint32_t>(bytes[at + i]) << (8 * (i % 4));
            }
            dut.s_axis_tkeep_i = n == 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
            dut.s_axis_tlast_i = at + n == bytes.size();
            dut.s_axis_tuser_i = dut.s_axis_tlast_i ? bad : rng() & 1;
            dut.s_axis_tvalid_i = 1;
            for (uint64_t limit = cycle + 100000; !tick();)
                if (cycle > limit) throw std::string("the unit takes no beat any more");
            dut.s_axis_tvalid_i = 0;
            if (at == 0) in_first = cycle - 1;
            if (beat + 1 == change_at) {
                tick();
                dut.rx_enable_i = change_to;
            }
        }
        in_last = cycle - 1;
        std::printf("in %llu %llu\n", ull(in_first), ull(in_last));
    }

    void quiet() {
        for (uint64_t limit = cycle + 100000; !dut.idle_o || dut.m_valid_o || !answers.empty(); tick())
            if (cycle > limit) throw std::string("does not become idle");
        for (int i = 0; i < 3; i++) tick();
        if (!dut.idle_o) throw std::string("idle_o is not steady");
    }

    void run(std::istream& in) {
        int change_at = -1;
        bool change_to = false;
        for (std::string verb; in >> verb;) {
            if (verb == "frame") {
                bool bad;
                std::string digits;
                in >> bad >> digits;
                std::vector<uint8_t> bytes;
                for (size_t i = 0; i + 1 < digits.size(); i += 2) bytes.push_back(static_cast<uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
                send(bad, bytes, change_at, change_to);
                change_at = -1;
            } else if (verb == "change") {
                in >> change_at >> change_to;
            } else {
                int value;
                in >> value;
                quiet();
                if (verb == "enable") dut.rx_enable_i = value & 1;
                else if (verb == "ipsec") dut.ipsec_enable_i = value & 1;
                else if (verb == "default") dut.rx_default_i = value & 15;
                else throw "unknown line " + verb;
            }
        }
        quiet();
        if (offered != begun) throw std::string("descriptions without frames");
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    std::ios::sync_with_stdio(false);
    Bench b(static_cast<uint64_t>(std::atoll(argv[1])));
    b.in_percent = static_cast<unsigned>(std::atoi(argv[2]));
    b.out_percent = static_cast<unsigned>(std::atoi(argv[3]));
    b.meta_percent = static_cast<unsigned>(std::atoi(argv[4]));
    b.steady = std::string(argv[5]) == "steady";
    b.reset();
    try {
        b.run(std::cin);
    } catch (const std::string& why) {
        std::fflush(stdout);
        std::fprintf(stderr, "cycle %llu: %s\n", ull(b.cycle), why.c_str());
        return 1;
    }
    return 0;
}
