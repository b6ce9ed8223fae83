// SPDX-License-Identifier: Apache-2.0
//
// Plays a script on espalier_stats. Input lines: "step N EVENTS TX_BYTES RX_BYTES" is N cycles in which the events of
// that bit mask happen, bit 0 the first of the module's event ports; "run N" is N cycles without events; "clear" one with
// clear_i; "read ADDRESS" and "write ADDRESS VALUE" are register accesses. Prints for each access "VALUE" or "error", and
// for a read of CYCLES_LO the cycle count at its access after it.
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "Vdut.h"
#include "verilated.h"

int main() {
    VerilatedContext context;
    Vdut dut{&context};
    uint64_t cycle = 0; // edges since the end of the hard reset
    auto edge = [&] {
        dut.clk_i = 1;
        dut.eval();
        dut.clk_i = 0;
        dut.eval();
        cycle++;
    };
    dut.rst_i = 1;
    for (int i = 0; i < 3; i++) edge();
    dut.rst_i = 0;
    cycle = 0;

    auto events = [&](unsigned mask, unsigned tx_bytes, unsigned rx_bytes) {
        dut.tx_frame_i = mask & 1;
        dut.tx_bytes_i = static_cast<SData>(tx_bytes);
        dut.tx_esp_i = mask >> 1 & 1;
        dut.tx_err_handle_i = mask >> 2 & 1;
        dut.tx_err_desc_i = mask >> 3 & 1;
        dut.tx_err_dma_i = mask >> 4 & 1;
        dut.rx_frame_i = mask >> 5 & 1;
        dut.rx_bytes_i = static_cast<SData>(rx_bytes);
        dut.rx_esp_ok_i = mask >> 6 & 1;
        dut.rx_auth_failed_i = mask >> 7 & 1;
        dut.rx_syntax_i = mask >> 8 & 1;
        dut.rx_no_sa_i = mask >> 9 & 1;
        dut.rx_untouched_i = mask >> 10 & 1;
        dut.rx_drop_no_desc_i = mask >> 11 & 1;
        dut.rx_drop_bad_i = mask >> 12 & 1;
        dut.rx_err_dma_i = mask >> 13 & 1;
    };
    // The request is held until it is answered, in the next cycle.
    auto access = [&](unsigned address, bool write, bool peek = false) {
        const uint64_t at = cycle;
        dut.reg_valid_i = 1;
        dut.reg_write_i = write;
        dut.reg_addr_i = address;
        dut.reg_peek_i = peek;
        edge();
        if (!dut.reg_ready_o) {
            std::printf("no answer\n");
        } else if (dut.reg_error_o) {
            std::printf("error\n");
        } else if (write) {
            std::printf("0\n");
        } else {
            std::printf("%u\n", dut.reg_rdata_o);
        }
        edge();
        dut.reg_valid_i = 0;
        if (dut.reg_ready_o) std::printf("answered twice\n");
        if (!write && address == 0x50) std::printf("%llu\n", static_cast<unsigned long long>(at));
    };

    char what[16];
    unsigned n, a, b, c;
    while (std::scanf("%15s", what) == 1) {
        auto is = [&](const char* name) { return std::strcmp(what, name) == 0; };
        if (is("step")) {
            if (std::scanf("%u %u %u %u", &n, &a, &b, &c) != 4) return 2;
            events(a, b, c);
            while (n-- > 0) edge();
            events(0, 0, 0);
        } else if (is("run")) {
            if (std::scanf("%u", &a) != 1) return 2;
            while (a-- > 0) edge();
        } else if (is("clear")) {
            dut.clear_i = 1;
            edge();
            dut.clear_i = 0;
        } else if (is("read")) {
            if (std::scanf("%u", &a) != 1) return 2;
            access(a, false);
        } else if (is("peek")) { // a read that latches nothing
            if (std::scanf("%u", &a) != 1) return 2;
            access(a, false, true);
        } else if (is("write")) {
            if (std::scanf("%u %u", &a, &b) != 2) return 2;
            access(a, true);
        } else {
            return 2;
        }
    }
    return 0;
}
