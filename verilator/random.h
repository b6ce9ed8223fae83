// SPDX-License-Identifier: Apache-2.0
//
// The pseudo-random numbers behind latencies, stalls and reordering:
// xoshiro256** seeded by splitmix64. Both are small, public and the same
// on every machine, which std::uniform_int_distribution is not.
#pragma once

#include <cstdint>

namespace espalier {

class Random {
public:
    // Streams of one seed are independent, so that an option which makes one
    // model draw more numbers does not change what the others do.
    Random(uint64_t seed, uint64_t stream) {
        uint64_t x = seed + stream * 0xA0761D6478BD642Full;
        for (uint64_t& word : state_) {
            x += 0x9E3779B97F4A7C15ull;
            uint64_t z = x;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
            word = z ^ (z >> 31);
        }
    }

    uint64_t next() {
        const uint64_t result = rotate(state_[1] * 5, 7) * 9;
        const uint64_t shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = rotate(state_[3], 45);
        return result;
    }

    // A number in [0, bound), bound below 2^32. The bias is under bound / 2^32.
    uint32_t below(uint32_t bound) { return static_cast<uint32_t>(((next() >> 32) * bound) >> 32); }

    // A number in [low, high].
    uint32_t between(uint32_t low, uint32_t high) {
        return low == high ? low : low + below(high - low + 1);
    }

    // True with a chance of percent in 100; draws nothing for 0.
    bool chance(uint32_t percent) { return percent != 0 && below(100) < percent; }

private:
    static uint64_t rotate(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

    uint64_t state_[4];
};

}  // namespace espalier
