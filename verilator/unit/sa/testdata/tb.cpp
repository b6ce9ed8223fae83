// SPDX-License-Identifier: Apache-2.0
//
// Bench of espalier_sa. Runs a script of text lines and prints a line per event, each stamped with its clock cycle; numbers
// are hexadecimal, cycles decimal.
//
//   cmd|start OP HANDLE SPI FLAGS ESN_HI SALT DST SRC KEY   run an operation; start does not wait for its end
//   rx SPI DST SRC IPV6     look up (waits for ready, not for the answer)
//   tx HANDLE USE           check a handle
//   txdone, rxdone          one pulse and 4 cycles: the oldest frame that hit is done
//   drain                   as many pulses as there are frames; prints the cycle of the last
//   gen SLOT VALUE          back door: set a slot's generation
//   wait N                  N cycles (decimal)
//   idle                    until the operation has ended and every answer has come
//   zeroise, reset
//   dump DIR SLOT           the key store: DIR 0 tx, 1 rx
//   cycle                   the clock, busy_o and zeroise_busy_o
//   secrets                 registers that must not hold any; salts and key stores of all slots; prints live_o as well
//   nonce HIGH LOW          the nonce of fingerprints, words 0 and 1
//   count TX RX             events of one cycle, and no wait: TX is 0 or "ok SLOT BYTES", RX 0 or "ok|auth|syntax SLOT BYTES"
//   counters                counters_o, word 0 first
//   tallies SLOT            what the RAMs hold for a slot: 1 if it is all 0
//   preset DIR SLOT VALUE   back door: set the counters of a slot in one direction; the narrow ones take the low half
//
// The key stores are modelled here and begin full of ones.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "Vdut.h"
#include "Vdut___024root.h"
#include "verilated.h"

namespace {

constexpr int kRounds = 15;
constexpr int kPowers = 16;

struct Block {
    uint32_t w[4] = {~0u, ~0u, ~0u, ~0u};  // w[3] is the first on the wire
    bool zero() const { return (w[0] | w[1] | w[2] | w[3]) == 0; }
    void print() const { std::printf(" %08x%08x%08x%08x", w[3], w[2], w[1], w[0]); }
};

// Hexadecimal digits into a wide port, most significant first.
template <class Wide> void set_wide(Wide& port, int words, const std::string& hex) {
    std::string s = std::string(static_cast<size_t>(words) * 8 - hex.size(), '0') + hex;
    for (int i = 0; i < words; i++) port[i] = static_cast<uint32_t>(std::stoul(s.substr(s.size() - 8 - 8 * i, 8), nullptr, 16));
}

template <class Wide> bool any(const Wide& v, int words) {
    for (int i = 0; i < words; i++)
        if (v[i]) return true;
    return false;
}

template <class Wide> void print_wide(const Wide& port) {
    std::printf(" %08x%08x%08x%08x", port[3], port[2], port[1], port[0]);
}

struct Bench {
    VerilatedContext context;
    Vdut dut{&context};
    const uint32_t slots;
    uint64_t cycle = 0;
    std::vector<Block> key[2], hpow[2];  // [direction][slot * kRounds + round]
    uint64_t last_done = 0;
    uint64_t started = 0, last_write = 0, first_wipe = 0;
    bool running = false;
    bool done = false, handle_we = false, rec_we = false;
    uint32_t done_pulses = 0, gen = 0;
    uint32_t rec_spi = 0, rec_flags = 0, rec_esn_hi = 0;
    Block rec_dst, rec_src;
    unsigned rx_open = 0, tx_open = 0;      // answers so far
    unsigned rx_frames = 0, tx_frames = 0;  // hits that are not done
    std::vector<bool> tx_used;
    std::vector<uint64_t> rx_asked, tx_asked;

    explicit Bench(uint32_t n) : slots(n) {
        for (int d = 0; d < 2; d++) {
            key[d].resize(static_cast<size_t>(n) * kRounds);
            hpow[d].resize(static_cast<size_t>(n) * kPowers);
        }
        dut.rst_i = 1;
        for (int i = 0; i < 3; i++) tick();
        dut.rst_i = 0;
    }

    // A number of all ones writes all blocks of the slot: those from 0 to count - 1.
    void store(bool we, std::vector<Block>& mem, uint32_t slot, int per_slot, int count, int number, bool all, const VlWide<4>& data) {
        if (!we) return;
        Block b;
        for (int i = 0; i < 4; i++) b.w[i] = data[i];
        for (int n = all ? 0 : number; n <= (all ? count - 1 : number); n++) mem.at(slot * size_t(per_slot) + n) = b;
        if (b.zero()) {
            if (!first_wipe) first_wipe = cycle;
        } else {
            last_write = cycle;
        }
    }

    void tick() {
        dut.eval();
        if (dut.hpow_num_o >= POWERS && dut.hpow_num_o != 255 && (dut.hpow_we_tx_o || dut.hpow_we_rx_o))
            throw std::string("number of a power out of range");
        const bool keys = dut.key_round_o == 15, powers = dut.hpow_num_o == 255;
        store(dut.key_we_tx_o, key[0], dut.key_index_o, kRounds, kRounds, dut.key_round_o, keys, dut.key_data_o);
        store(dut.key_we_rx_o, key[1], dut.key_index_o, kRounds, kRounds, dut.key_round_o, keys, dut.key_data_o);
        store(dut.hpow_we_tx_o, hpow[0], dut.hpow_index_o, kPowers, POWERS, dut.hpow_num_o, powers, dut.hpow_data_o);
        store(dut.hpow_we_rx_o, hpow[1], dut.hpow_index_o, kPowers, POWERS, dut.hpow_num_o, powers, dut.hpow_data_o);
        if (dut.done_o) {
            done_pulses++;
            handle_we = dut.handle_we_o;
            rec_we = dut.rec_we_o;
            gen = dut.handle_gen_o;
            rec_spi = dut.rec_spi_o;
            rec_flags = dut.rec_flags_o;
            rec_esn_hi = dut.rec_esn_hi_o;
            for (int i = 0; i < 4; i++) rec_dst.w[i] = dut.rec_dst_o[i], rec_src.w[i] = dut.rec_src_o[i];
        } else if (dut.handle_we_o || dut.rec_we_o) {
            throw std::string("handle_we_o or rec_we_o without done_o");
        }
        const bool asked_rx = dut.rx_req_valid_i && dut.rx_req_ready_o;
        const bool asked_tx = dut.tx_req_i;
        dut.clk_i = 1;
        dut.eval();
        dut.clk_i = 0;
        dut.eval();
        cycle++;
        dut.cmd_valid_i = dut.zeroise_i = dut.tx_req_i = dut.tx_done_i = dut.rx_done_i = 0;
        dut.tx_ok_i = dut.rx_ok_i = dut.rx_auth_i = dut.rx_syntax_i = 0;
        if (asked_rx) dut.rx_req_valid_i = 0, rx_asked.push_back(cycle - 1);
        if (asked_tx) tx_asked.push_back(cycle - 1), tx_used.push_back(dut.tx_use_i);
        if (dut.rst_i) return;
        if (dut.rx_rsp_o) {
            std::printf("rx %llu %llu %x %x %x %x %x %x %x %x\n", ull(rx_asked.at(rx_open)), ull(cycle), dut.rx_hit_o, dut.rx_handle_o,
                        dut.rx_keylen_o, dut.rx_esn_o, dut.rx_esn_hi_o, dut.rx_salt_o, dut.rx_tunnel_o, dut.rx_queue_o);
            rx_open++;
            rx_frames += dut.rx_hit_o;
        }
        if (dut.tx_rsp_o) {
            std::printf("tx %llu %llu %x %x %x %x %x\n", ull(tx_asked.at(tx_open)), ull(cycle), dut.tx_hit_o, dut.tx_keylen_o,
                        dut.tx_esn_o, dut.tx_esn_hi_o, dut.tx_salt_o);
            tx_frames += dut.tx_hit_o && tx_used.at(tx_open);
            tx_open++;
        }
        if (running && !dut.busy_o) {
            running = false;
            std::printf("cmd %llu %llu %x %u %u %x %x %llu %llu %x %x %x %x", ull(started), ull(cycle), dut.result_o, dut.cycles_o,
                        done_pulses, handle_we, gen, ull(last_write), ull(first_wipe), rec_we, rec_spi, rec_flags, rec_esn_hi);
            rec_dst.print();
            rec_src.print();
            std::printf("\n");
        }
    }

    template <class Port> void finish(Port& port, unsigned& frames) {
        if (frames == 0) throw std::string("done without a frame");
        frames--;
        port = 1;
        last_done = cycle;
        for (int i = 0; i < 5; i++) tick();  // apart, so that one too few shows
    }

    static unsigned long long ull(uint64_t v) { return v; }

    void until_idle() {
        for (uint64_t limit = cycle + 200000; dut.busy_o || rx_open != rx_asked.size() || tx_open != tx_asked.size();) {
            if (cycle > limit) throw std::string("does not become idle");
            tick();
        }
        tick();  // a frame is done in a later cycle than it hits
    }

    // Registers through which secrets pass, and what a zeroised NIC holds.
    void secrets() {
        const auto* r = dut.rootp;
        bool left = any(r->espalier_sa__DOT__u_install__DOT__window_q, 8) || any(r->espalier_sa__DOT__u_install__DOT__u_cipher_h__DOT__block_q, 4);
        left |= any(r->espalier_sa__DOT__u_install__DOT__u_cipher_h__DOT__new_cols_q, 3) ||
                any(r->espalier_sa__DOT__u_install__DOT__u_cipher_print__DOT__block_q, 4) ||
                any(r->espalier_sa__DOT__u_install__DOT__u_cipher_print__DOT__new_cols_q, 3) || any(r->espalier_sa__DOT__u_install__DOT__round_key_q, 3) ||
                any(r->espalier_sa__DOT__u_install__DOT__h_q, 4) || any(r->espalier_sa__DOT__u_install__DOT__power_q, 4) ||
                any(r->espalier_sa__DOT__u_install__DOT__z_q, 4) || any(dut.key_data_o, 4) || any(dut.hpow_data_o, 4) ||
                r->espalier_sa__DOT__wr_salt != 0;
        unsigned salts = 0, keys = 0;
        for (uint32_t s = 0; s < slots; s++) {
            salts += r->espalier_sa__DOT__u_records__DOT__u_salt_tx__DOT__mem[s] != 0;
            salts += r->espalier_sa__DOT__u_records__DOT__u_salt_rx__DOT__mem[s] != 0;
            for (int d = 0; d < 2; d++) {
                bool held = false;
                for (int i = 0; i < kRounds; i++) held |= !key[d][s * size_t{kRounds} + i].zero();
                for (int i = 0; i < POWERS; i++) held |= !hpow[d][s * size_t{kPowers} + i].zero();
                keys += held;
            }
        }
        std::printf("secrets %d %u %u %d %u\n", left, salts, keys, dut.zeroised_o, dut.live_o);
    }

    void dump(int d, uint32_t slot) {
        std::printf("dump");
        for (int i = 0; i < kRounds; i++) key[d].at(slot * size_t{kRounds} + i).print();
        for (int i = 0; i < POWERS; i++) hpow[d].at(slot * size_t{kPowers} + i).print();
        std::printf("\n");
    }

    void run(std::istream& in) {
        in >> std::hex;
        for (std::string verb; in >> verb;) {
            if (verb == "cmd" || verb == "start") {
                uint32_t op;
                std::string dst, src, k;
                in >> op >> dut.cmd_handle_i >> dut.rec_spi_i >> dut.rec_flags_i >> dut.rec_esn_hi_i >> dut.rec_salt_i >> dst >> src >> k;
                dut.cmd_op_i = op & 7;
                set_wide(dut.rec_dst_i, 4, dst);
                set_wide(dut.rec_src_i, 4, src);
                set_wide(dut.rec_key_i, 8, k);
                dut.cmd_valid_i = 1;
                started = cycle;
                last_write = first_wipe = 0;
                done_pulses = 0;
                tick();
                running = true;
                // The window may change as soon as the operation runs.
                dut.rec_spi_i = dut.rec_flags_i = dut.rec_esn_hi_i = dut.rec_salt_i = 0xdeadbeef;
                for (int i = 0; i < 4; i++) dut.rec_dst_i[i] = dut.rec_src_i[i] = 0xdeadbeef;
                for (int i = 0; i < 8; i++) dut.rec_key_i[i] = 0xdeadbeef;
                dut.cmd_handle_i = 0xdeadbeef;
                if (verb == "cmd")
                    for (uint64_t limit = cycle + 200000; running;) {
                        if (cycle > limit) throw std::string("operation does not end");
                        tick();
                    }
            } else if (verb == "rx") {
                uint32_t ipv6;
                std::string dst, src;
                in >> dut.rx_spi_i >> dst >> src >> ipv6;
                set_wide(dut.rx_dst_i, 4, dst);
                set_wide(dut.rx_src_i, 4, src);
                dut.rx_ipv6_i = ipv6 & 1;
                dut.rx_req_valid_i = 1;
                for (uint64_t limit = cycle + 1000; dut.rx_req_valid_i;) {
                    if (cycle > limit) throw std::string("lookup not accepted");
                    tick();
                }
            } else if (verb == "tx") {
                uint32_t use;
                in >> dut.tx_handle_i >> use;
                dut.tx_use_i = use & 1;
                dut.tx_req_i = 1;
                tick();
                dut.tx_use_i = 0;
            } else if (verb == "txdone") {
                finish(dut.tx_done_i, tx_frames);
            } else if (verb == "rxdone") {
                finish(dut.rx_done_i, rx_frames);
            } else if (verb == "drain") {
                while (tx_frames) finish(dut.tx_done_i, tx_frames);
                while (rx_frames) finish(dut.rx_done_i, rx_frames);
                std::printf("drained %llu\n", ull(last_done));
            } else if (verb == "gen") {
                uint32_t slot, value;
                in >> slot >> value;
                dut.rootp->espalier_sa__DOT__u_records__DOT__u_gen_rx__DOT__mem[slot] = static_cast<SData>(value);
                dut.rootp->espalier_sa__DOT__u_records__DOT__u_gen_tx__DOT__mem[slot] = static_cast<SData>(value);
            } else if (verb == "wait") {
                unsigned n;
                in >> std::dec >> n >> std::hex;
                while (n--) tick();
            } else if (verb == "idle") {
                until_idle();
            } else if (verb == "zeroise") {
                std::printf("zeroise %llu\n", ull(cycle));
                running = false;
                dut.zeroise_i = 1;
                tick();
                rx_frames = tx_frames = 0;
            } else if (verb == "reset") {
                dut.rst_i = 1;
                running = false;
                tick();
                dut.rst_i = 0;
                tick();
                rx_frames = tx_frames = 0;
            } else if (verb == "dump") {
                uint32_t d, slot;
                in >> d >> slot;
                dump(static_cast<int>(d), slot);
            } else if (verb == "secrets") {
                secrets();
            } else if (verb == "nonce") {
                uint64_t high, low;
                in >> high >> low;
                dut.nonce_i = low << 32 | high;
            } else if (verb == "count") {
                uint32_t slot, bytes;
                std::string what;
                if (in >> what; what != "0") {
                    in >> slot >> bytes;
                    dut.tx_ok_i = 1;
                    dut.tx_ok_slot_i = slot;
                    dut.tx_ok_bytes_i = bytes;
                }
                if (in >> what; what != "0") {
                    in >> slot >> bytes;
                    dut.rx_ok_i = what == "ok";
                    dut.rx_auth_i = what == "auth";
                    dut.rx_syntax_i = what == "syntax";
                    dut.rx_slot_i = slot;
                    dut.rx_bytes_i = bytes;
                }
                tick();
            } else if (verb == "counters") {
                std::printf("counters");
                for (int i = 0; i < 8; i++) std::printf(" %x", dut.counters_o[i]);
                std::printf("\n");
            } else if (verb == "preset") {
                uint32_t dir, slot;
                uint64_t value;
                in >> dir >> slot >> value;
                auto* r = dut.rootp;
                if (dir == 0) {
                    r->espalier_sa__DOT__u_counters__DOT__u_tx_frames__DOT__u_ram__DOT__mem[slot] = value;
                    r->espalier_sa__DOT__u_counters__DOT__u_tx_bytes__DOT__u_ram__DOT__mem[slot] = value;
                } else {
                    r->espalier_sa__DOT__u_counters__DOT__u_rx_frames__DOT__u_ram__DOT__mem[slot] = value;
                    r->espalier_sa__DOT__u_counters__DOT__u_rx_bytes__DOT__u_ram__DOT__mem[slot] = value;
                    r->espalier_sa__DOT__u_counters__DOT__u_rx_auth__DOT__u_ram__DOT__mem[slot] = static_cast<uint32_t>(value);
                    r->espalier_sa__DOT__u_counters__DOT__u_rx_syntax__DOT__u_ram__DOT__mem[slot] = static_cast<uint32_t>(value);
                }
            } else if (verb == "tallies") {
                uint32_t slot;
                in >> slot;
                const auto* r = dut.rootp;
                std::printf("tallies %d\n", !(r->espalier_sa__DOT__u_counters__DOT__u_tx_frames__DOT__u_ram__DOT__mem[slot] |
                                              r->espalier_sa__DOT__u_counters__DOT__u_tx_bytes__DOT__u_ram__DOT__mem[slot] |
                                              r->espalier_sa__DOT__u_counters__DOT__u_rx_frames__DOT__u_ram__DOT__mem[slot] |
                                              r->espalier_sa__DOT__u_counters__DOT__u_rx_bytes__DOT__u_ram__DOT__mem[slot] |
                                              r->espalier_sa__DOT__u_counters__DOT__u_rx_auth__DOT__u_ram__DOT__mem[slot] |
                                              r->espalier_sa__DOT__u_counters__DOT__u_rx_syntax__DOT__u_ram__DOT__mem[slot] |
                                              r->espalier_sa__DOT__u_counters__DOT__u_print__DOT__mem[slot]));
            } else if (verb == "cycle") {
                std::printf("cycle %llu %d %d\n", ull(cycle), dut.busy_o, dut.zeroise_busy_o);
            } else {
                throw "unknown line " + verb;
            }
        }
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    std::ios::sync_with_stdio(false);
    Bench b(static_cast<uint32_t>(std::atoi(argv[1])));
    try {
        b.run(std::cin);
    } catch (const std::string& why) {
        std::fflush(stdout);
        std::fprintf(stderr, "cycle %llu: %s\n", Bench::ull(b.cycle), why.c_str());
        return 1;
    } catch (const std::exception& e) {
        std::fflush(stdout);
        std::fprintf(stderr, "cycle %llu: %s\n", Bench::ull(b.cycle), e.what());
        return 1;
    }
    return 0;
}
