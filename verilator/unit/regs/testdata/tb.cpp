// SPDX-License-Identifier: Apache-2.0
//
// An AXI4-Lite master, a unit on the register bus and access to every port of espalier_regs, driven by a script on
// standard input and reported on standard output. regs_test.go writes the scripts and judges the reports.
//
// Arguments: seed, longest latency of the register bus in cycles.
//
// Script, one command per line, numbers in hexadecimal without prefix:
//   w ADDR DATA STRB AW W B   a write; cycles of delay before AW, before W and before B is taken
//   r ADDR AR R               a read; delays before AR and before R is taken
//   wait                      until all accesses so far are answered
//   set PORT VALUE            an input of the unit, from now on
//   tick N                    N cycles pass
//   show                      reports every output
//
// Report, cycles in decimal:
//   B FIRST DONE RESP         a write: cycle in which AW and W were both taken, cycle of B
//   R FIRST DONE RESP DATA    a read
//   X w|r ADDR DATA STRB      an access on the register bus was answered
//   E CYCLE PORT VALUE        an event output was not 0 in this cycle
//   S                         a show; what follows is its outputs:
//   O PORT VALUE              an output
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <sstream>
#include <string>

#include "Vdut.h"
#include "verilated.h"

namespace {

std::string hex(uint64_t value) {
    char text[20];
    std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(value));
    return text;
}

template <size_t N>
std::string hex(const VlWide<N>& value) {
    std::string text;
    for (size_t i = N; i-- > 0;) {
        char word[9];
        std::snprintf(word, sizeof word, "%08x", value[i]);
        text += word;
    }
    return text;
}

template <typename T>
void assign(T& port, const std::string& value) {
    port = static_cast<T>(std::stoull(value, nullptr, 16));
}

template <size_t N>
void assign(VlWide<N>& port, const std::string& value) {
    const std::string digits = std::string(8 * N - value.size(), '0') + value;
    for (size_t i = 0; i < N; i++) {
        port[N - 1 - i] = static_cast<uint32_t>(std::stoul(digits.substr(8 * i, 8), nullptr, 16));
    }
}

struct Write {
    uint32_t addr, data, strb;
    unsigned aw_delay, w_delay, b_delay;
};

struct Read {
    uint32_t addr;
    unsigned ar_delay, r_delay;
};

class Bench {
  public:
    Bench(uint32_t seed, unsigned latency) : dut_{&context_}, rng_(seed), latency_(latency) {
        name_ports();
        dut_.rst_i = 1;
        for (int i = 0; i < 3; i++) clock();
        dut_.rst_i = 0;
        dut_.eval();
    }

    int run() {
        std::string line;
        while (std::getline(std::cin, line)) {
            std::istringstream words(line);
            std::string command;
            words >> std::hex >> command;
            if (command == "w") {
                Write w{};
                words >> w.addr >> w.data >> w.strb >> w.aw_delay >> w.w_delay >> w.b_delay;
                aw_.push_back(w);
                w_.push_back(w);
                b_.push_back(w);
            } else if (command == "r") {
                Read r{};
                words >> r.addr >> r.ar_delay >> r.r_delay;
                ar_.push_back(r);
                r_.push_back(r);
            } else if (command == "wait") {
                if (!settle()) return 1;
            } else if (command == "set") {
                std::string port, value;
                words >> port >> value;
                if (inputs_.count(port) == 0) return complain("no input " + port);
                inputs_[port](value);
                dut_.eval();
            } else if (command == "tick") {
                unsigned n = 0;
                words >> n;
                while (n-- > 0) cycle();
            } else if (command == "show") {
                std::cout << "S\n";
                for (const auto& [port, value] : outputs_) std::cout << "O " << port << ' ' << value() << '\n';
                for (const auto& [port, value] : events_) std::cout << "O " << port << ' ' << value() << '\n';
            } else {
                return complain("what is: " + line);
            }
            if (!words) return complain("too short: " + line);
        }
        return settle() ? 0 : 1;
    }

  private:
    void name_ports() {
#define INPUT(port) inputs_[#port] = [this](const std::string& v) { assign(dut_.port, v); }
#define OUTPUT(port) outputs_[#port] = [this] { return hex(dut_.port); }
// Outputs that are not 0 for one cycle only.
#define EVENT(port) events_[#port] = [this] { return hex(dut_.port); }
#include "ports.h"
    }

    static int complain(const std::string& text) {
        std::cerr << text << '\n';
        return 1;
    }

    // Runs until all accesses are answered.
    bool settle() {
        for (unsigned n = 0; !b_.empty() || !r_.empty(); n++) {
            if (n > 1000000) {
                std::cerr << "an access is not answered\n";
                return false;
            }
            cycle();
        }
        return true;
    }

    void clock() {
        dut_.clk_i = 1;
        dut_.eval();
        dut_.clk_i = 0;
        dut_.eval();
        now_++;
    }

    void cycle() {
        drive_master();
        dut_.eval();
        drive_unit();
        dut_.eval();
        report_events();

        if (dut_.s_axil_awvalid_i && dut_.s_axil_awready_o) {
            aw_.pop_front();
            aw_taken_.push_back(now_);
        }
        if (dut_.s_axil_wvalid_i && dut_.s_axil_wready_o) {
            w_.pop_front();
            w_taken_.push_back(now_);
        }
        if (dut_.s_axil_arvalid_i && dut_.s_axil_arready_o) {
            ar_.pop_front();
            ar_taken_.push_back(now_);
        }
        const bool aw_free = !dut_.s_axil_awvalid_i || dut_.s_axil_awready_o;
        const bool w_free = !dut_.s_axil_wvalid_i || dut_.s_axil_wready_o;
        const bool ar_free = !dut_.s_axil_arvalid_i || dut_.s_axil_arready_o;
        if (dut_.s_axil_bvalid_o && dut_.s_axil_bready_i) {
            std::cout << "B " << std::max(aw_taken_.front(), w_taken_.front()) << ' ' << now_ << ' '
                      << hex(dut_.s_axil_bresp_o) << '\n';
            b_.pop_front();
            aw_taken_.pop_front();
            w_taken_.pop_front();
        }
        if (dut_.s_axil_rvalid_o && dut_.s_axil_rready_i) {
            std::cout << "R " << ar_taken_.front() << ' ' << now_ << ' ' << hex(dut_.s_axil_rresp_o) << ' '
                      << hex(dut_.s_axil_rdata_o) << '\n';
            r_.pop_front();
            ar_taken_.pop_front();
        }
        if (dut_.ext_valid_o && dut_.ext_ready_i) {
            std::cout << "X " << (dut_.ext_write_o ? 'w' : 'r') << ' ' << hex(dut_.ext_addr_o) << ' '
                      << hex(dut_.ext_write_o ? dut_.ext_wdata_o : dut_.ext_rdata_i) << ' ' << hex(dut_.ext_wstrb_o) << '\n';
            ext_left_ = -1;
        }
        clock();
        if (aw_free) dut_.s_axil_awvalid_i = 0;
        if (w_free) dut_.s_axil_wvalid_i = 0;
        if (ar_free) dut_.s_axil_arvalid_i = 0;
    }

    // The five channels run on their own. A response is taken once it was valid for its delay.
    void drive_master() {
        if (!dut_.s_axil_awvalid_i && !aw_.empty() && aw_.front().aw_delay-- == 0) {
            dut_.s_axil_awvalid_i = 1;
            dut_.s_axil_awaddr_i = aw_.front().addr;
        }
        if (!dut_.s_axil_wvalid_i && !w_.empty() && w_.front().w_delay-- == 0) {
            dut_.s_axil_wvalid_i = 1;
            dut_.s_axil_wdata_i = w_.front().data;
            dut_.s_axil_wstrb_i = static_cast<uint8_t>(w_.front().strb);
        }
        if (!dut_.s_axil_arvalid_i && !ar_.empty() && ar_.front().ar_delay-- == 0) {
            dut_.s_axil_arvalid_i = 1;
            dut_.s_axil_araddr_i = ar_.front().addr;
        }
        dut_.s_axil_bready_i = 0;
        if (dut_.s_axil_bvalid_o) {
            if (aw_taken_.empty() || w_taken_.empty()) std::cout << "a response without a write\n";
            else dut_.s_axil_bready_i = b_.front().b_delay-- == 0;
        }
        dut_.s_axil_rready_i = 0;
        if (dut_.s_axil_rvalid_o) {
            if (ar_taken_.empty()) std::cout << "a response without a read\n";
            else dut_.s_axil_rready_i = r_.front().r_delay-- == 0;
        }
    }

    // The unit on the register bus: a memory of words; an access to page 0x1F is an error.
    void drive_unit() {
        dut_.ext_ready_i = 0;
        dut_.ext_error_i = 0;
        dut_.ext_rdata_i = rng_();
        if (!dut_.ext_valid_o) return;
        if (ext_left_ < 0) ext_left_ = static_cast<int>(rng_() % (latency_ + 1));
        if (ext_left_-- > 0) return;
        dut_.ext_ready_i = 1;
        dut_.ext_error_i = dut_.ext_addr_o >> 12 == 0x1f;
        uint32_t& word = memory_[dut_.ext_addr_o];
        if (!dut_.ext_write_o) {
            dut_.ext_rdata_i = word;
            return;
        }
        for (int i = 0; i < 4; i++) {
            const uint32_t mask = 0xffu << (8 * i);
            if (dut_.ext_wstrb_o >> i & 1) word = (word & ~mask) | (dut_.ext_wdata_o & mask);
        }
    }

    void report_events() {
        for (const auto& [port, value] : events_) {
            const std::string text = value();
            if (text != "0") std::cout << "E " << now_ << ' ' << port << ' ' << text << '\n';
        }
    }

    VerilatedContext context_;
    Vdut dut_;
    std::mt19937 rng_;
    unsigned latency_;
    uint64_t now_ = 0;
    std::map<std::string, std::function<void(const std::string&)>> inputs_;
    std::map<std::string, std::function<std::string()>> outputs_, events_;
    std::map<uint32_t, uint32_t> memory_;
    int ext_left_ = -1;

    // Transfers still to come on each channel, and the cycles of those taken but not answered.
    std::deque<Write> aw_, w_, b_;
    std::deque<Read> ar_, r_;
    std::deque<uint64_t> aw_taken_, w_taken_, ar_taken_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    return Bench(static_cast<uint32_t>(std::stoul(argv[1])), static_cast<unsigned>(std::stoul(argv[2]))).run();
}
