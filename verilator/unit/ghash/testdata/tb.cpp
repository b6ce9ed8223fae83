// SPDX-License-Identifier: Apache-2.0
//
// Drives espalier_ghash with one command per cycle from standard input, 24 bytes each:
//   0     0: idle; 1: write a power of H; 2: a block
//   1     power number (write) or blocks to go (block)
//   2..3  slot, little-endian
//   4     1: first block of its message
//   8..23 power or block, first byte first
// and writes each hash with its cycle: 8 bytes little-endian, 16 bytes hash. With "speed N" it runs N cycles of messages
// of ten blocks and prints cycles per second of processor time.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "Vdut.h"
#include "verilated.h"

static void tick(Vdut& dut) {
    dut.clk_i = 1;
    dut.eval();
    dut.clk_i = 0;
    dut.eval();
}

template <class Port>
static void set_block(Port& port, const uint8_t* p) {
    for (int w = 0; w < 4; w++) {
        const uint8_t* b = p + 4 * (3 - w);
        port[w] = uint32_t(b[0]) << 24 | uint32_t(b[1]) << 16 | uint32_t(b[2]) << 8 | b[3];
    }
}

static int speed(Vdut& dut, uint64_t cycles) {
    uint8_t h[16];
    for (int slot = 0; slot < 1024; slot++)
        for (int n = 0; n < 4; n++) {
            for (int i = 0; i < 16; i++) h[i] = uint8_t(slot * 5 + n * 77 + i * 29);
            dut.hpow_we_i = 1;
            dut.hpow_num_i = uint8_t(n);
            dut.hpow_index_i = uint16_t(slot);
            set_block(dut.hpow_data_i, h);
            tick(dut);
        }
    dut.hpow_we_i = 0;
    const std::clock_t start = std::clock();
    uint32_t x = 1;
    for (uint64_t c = 0; c < cycles; c++) {
        const unsigned togo = unsigned(10 - c % 10);
        dut.valid_i = 1;
        dut.first_i = togo == 10;
        dut.togo_i = uint8_t(togo > 5 ? 5 : togo);
        if (togo == 10) dut.sa_i = uint16_t((x >> 9) & 1023);
        for (int w = 0; w < 4; w++) dut.block_i[w] = x += 0x9e3779b9u;
        tick(dut);
    }
    const double s = double(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%.0f\n", double(cycles) / s);
    return 0;
}

int main(int argc, char** argv) {
    VerilatedContext context;
    Vdut dut{&context};
    dut.rst_i = 1;
    dut.eval();  // the first rising edge needs a level before it
    tick(dut);
    tick(dut);
    dut.rst_i = 0;
    if (argc == 3 && std::strcmp(argv[1], "speed") == 0) return speed(dut, std::strtoull(argv[2], nullptr, 10));

    uint8_t c[24];
    for (uint64_t cycle = 0; std::fread(c, sizeof c, 1, stdin) == 1; cycle++) {
        const uint16_t slot = uint16_t(c[2] | c[3] << 8);
        dut.hpow_we_i = c[0] == 1;
        dut.hpow_num_i = c[1];
        dut.hpow_index_i = slot;
        set_block(dut.hpow_data_i, c + 8);
        dut.valid_i = c[0] == 2;
        dut.first_i = c[4];
        dut.togo_i = c[1] & 7;
        dut.sa_i = slot;
        set_block(dut.block_i, c + 8);
        dut.eval();
        if (dut.hash_valid_o) {
            uint8_t out[24];
            std::memcpy(out, &cycle, 8);
            for (int w = 0; w < 4; w++)
                for (int b = 0; b < 4; b++) out[8 + 4 * w + b] = uint8_t(dut.hash_o[3 - w] >> (24 - 8 * b));
            std::fwrite(out, sizeof out, 1, stdout);
        }
        tick(dut);
    }
    return 0;
}
