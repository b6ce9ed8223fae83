// SPDX-License-Identifier: Apache-2.0
//
// Drives espalier_aes_pipe with one command per cycle from standard input, 40 bytes each:
//   0      1: write a round key, with what follows: round (1), slot (2, little-endian), key (16, at 16..31)
//   4      1: present a block: key length code (5), slot (6..7), block (16..31)
// and writes block_o (16 bytes, stream order) of every cycle to standard output. With the argument "speed N" it instead
// runs N cycles with a changing block and slot each, and prints cycles per second of processor time.
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

static void set_key(Vdut& dut, const uint8_t* key) {
    for (int w = 0; w < 4; w++) {
        const uint8_t* b = key + 4 * (3 - w);
        dut.key_data_i[w] = uint32_t(b[0]) << 24 | uint32_t(b[1]) << 16 | uint32_t(b[2]) << 8 | b[3];
    }
}

static int speed(Vdut& dut, uint64_t cycles) {
    uint8_t key[16];
    for (int slot = 0; slot < 1024; slot++)
        for (int round = 0; round < 15; round++) {
            for (int i = 0; i < 16; i++) key[i] = uint8_t(slot * 7 + round * 31 + i * 13);
            dut.key_we_i = 1;
            dut.key_round_i = uint8_t(round);
            dut.key_index_i = uint16_t(slot);
            set_key(dut, key);
            tick(dut);
        }
    dut.key_we_i = 0;
    dut.keylen_i = 2;
    dut.valid_i = 1;
    const std::clock_t start = std::clock();
    uint32_t x = 1;
    for (uint64_t c = 0; c < cycles; c++) {
        dut.sa_i = uint16_t((x >> 9) & 1023);
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
    dut.eval();  // the first rising edge needs a level before it
    if (argc == 3 && std::strcmp(argv[1], "speed") == 0) return speed(dut, std::strtoull(argv[2], nullptr, 10));

    uint8_t c[40];
    uint8_t pending[16] = {};  // the SA goes in one cycle before its block
    while (std::fread(c, sizeof c, 1, stdin) == 1) {
        dut.key_we_i = c[0];
        dut.key_round_i = c[1];
        dut.key_index_i = uint16_t(c[2] | c[3] << 8);
        set_key(dut, c + 16);
        dut.valid_i = c[4];
        dut.keylen_i = c[5];
        dut.sa_i = uint16_t(c[6] | c[7] << 8);
        std::memcpy(&dut.block_i[0], pending, 16);
        std::memcpy(pending, c + 16, 16);
        std::fwrite(&dut.block_o[0], 16, 1, stdout);
        tick(dut);
    }
    return 0;
}
