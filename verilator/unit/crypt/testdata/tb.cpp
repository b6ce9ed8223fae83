// SPDX-License-Identifier: Apache-2.0
//
// Drives espalier_crypt with the records of standard input and writes what comes out.
//
// Arguments: seed, then the chance in percent that a cycle offers a description, offers a beat, takes a result, takes a
// beat. Records, little-endian, first byte the type:
//   0  round key: round (1), slot (2), key (16)
//   1  power of H: number (1), slot (2), power (16)
//   2  frame: crypt (1), slot (2), key length (1), esn (1), seqhi (4), salt (4), ESP offset (2), P (2), skip (1), err (1),
//      user (4), size (4), bytes as they are on the bus, skipped ones first
// Key material is written before the first frame. Output, one record per frame:
//   status (1), length (2), next header (1), pad length (1), user (4), cycles of the first beat in, last beat in, result,
//   first beat out, last beat out (8 each, 0: never), size (4), bytes
//
// The bench itself checks the handshake rules that need a clock: no beat before its result was taken, none without a frame,
// no gap inside a frame that the sink did not cause, zeros behind the last byte.
//
// With "speed N" as only arguments it repeats the frames for N cycles without any pause and prints cycles per second of processor time.
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "Vdut.h"
#include "verilated.h"

namespace {

struct Frame {
    uint8_t crypt, keylen, esn, skip, err;
    uint16_t slot, espoff, plen;
    uint32_t seqhi, salt, user, size;
    std::vector<uint8_t> bytes;  // size of them, then rubbish up to a whole beat
};

struct Output {
    uint8_t status = 0, next_header = 0, pad_len = 0;
    uint16_t length = 0;
    uint32_t user = 0;
    uint64_t first_in = 0, last_in = 0, result = 0, first_out = 0, last_out = 0;
    std::vector<uint8_t> bytes;
};

struct Write {
    uint8_t type, number;
    uint16_t slot;
    uint8_t data[16];
};

[[noreturn]] void fail(const char* format, ...) {
    va_list args;
    va_start(args, format);
    std::vfprintf(stderr, format, args);
    std::fputc('\n', stderr);
    va_end(args);
    std::exit(1);
}

class Reader {
public:
    Reader() {
        char buf[65536];
        for (size_t n; (n = std::fread(buf, 1, sizeof buf, stdin)) > 0;) data_.append(buf, n);
    }
    bool more() const { return at_ < data_.size(); }
    template <class T>
    T get() {
        T v;
        copy(&v, sizeof v);
        return v;
    }
    void copy(void* to, size_t n) {
        if (data_.size() - at_ < n) fail("input ends inside a record");
        std::memcpy(to, data_.data() + at_, n);
        at_ += n;
    }

private:
    std::string data_;
    size_t at_ = 0;
};

template <class T>
void put(T v) {
    std::fwrite(&v, sizeof v, 1, stdout);
}

template <class Port>
void set_block(Port& port, const uint8_t* p) {
    for (int w = 0; w < 4; w++) {
        const uint8_t* b = p + 4 * (3 - w);
        port[w] = uint32_t(b[0]) << 24 | uint32_t(b[1]) << 16 | uint32_t(b[2]) << 8 | b[3];
    }
}

class Bench {
public:
    Bench() {
        dut.rst_i = 1;
        dut.eval();  // the first rising edge needs a level before it
        for (int i = 0; i < 4; i++) tick();
        dut.rst_i = 0;
        // Records come key material first.
        Reader in;
        while (in.more()) {
            const uint8_t type = in.get<uint8_t>();
            if (type < 2) {
                Write w{};
                w.type = type;
                w.number = in.get<uint8_t>();
                w.slot = in.get<uint16_t>();
                in.copy(w.data, 16);
                program(w);
            } else {
                Frame f{};
                f.crypt = in.get<uint8_t>();
                f.slot = in.get<uint16_t>();
                f.keylen = in.get<uint8_t>();
                f.esn = in.get<uint8_t>();
                f.seqhi = in.get<uint32_t>();
                f.salt = in.get<uint32_t>();
                f.espoff = in.get<uint16_t>();
                f.plen = in.get<uint16_t>();
                f.skip = in.get<uint8_t>();
                f.err = in.get<uint8_t>();
                f.user = in.get<uint32_t>();
                f.size = in.get<uint32_t>();
                f.bytes.assign((f.size + 15) / 16 * 16, 0xee);
                in.copy(f.bytes.data(), f.size);
                frames.push_back(std::move(f));
            }
        }
    }

    int run(uint32_t seed, unsigned meta_percent, unsigned beat_percent, unsigned result_percent, unsigned out_percent);
    int speed(uint64_t cycles);

private:
    void tick() {
        dut.clk_i = 1;
        dut.eval();
        dut.clk_i = 0;
        dut.eval();
        cycle++;
    }

    void program(const Write& w) {
        dut.key_we_i = w.type == 0;
        dut.hpow_we_i = w.type == 1;
        dut.key_round_i = w.number;
        dut.hpow_num_i = w.number;
        dut.key_index_i = w.slot;
        dut.hpow_index_i = w.slot;
        set_block(dut.key_data_i, w.data);
        set_block(dut.hpow_data_i, w.data);
        tick();
        dut.key_we_i = 0;
        dut.hpow_we_i = 0;
    }

    void offer_meta(const Frame& f) {
        dut.meta_crypt_i = f.crypt;
        dut.meta_sa_i = f.slot;
        dut.meta_keylen_i = f.keylen;
        dut.meta_esn_i = f.esn;
        dut.meta_seqhi_i = f.seqhi;
        dut.meta_salt_i = f.salt;
        dut.meta_espoff_i = f.espoff;
        dut.meta_plen_i = f.plen;
        dut.meta_skip_i = f.skip;
        dut.meta_user_i = f.user;
    }

    void offer_beat(const Frame& f, size_t at) {
        std::memcpy(&dut.s_data_i[0], f.bytes.data() + at, 16);
        dut.s_last_i = at + 16 >= f.size;
        dut.s_count_i = uint8_t(dut.s_last_i ? f.size - at : 0);
        dut.s_err_i = dut.s_last_i && f.err;
    }

    VerilatedContext context;
    Vdut dut{&context};
    std::vector<Frame> frames;
    uint64_t cycle = 0;
};

int Bench::run(uint32_t seed, unsigned meta_percent, unsigned beat_percent, unsigned result_percent,
               unsigned out_percent) {
    std::mt19937 rng(seed);
    auto chance = [&](unsigned percent) { return percent >= 100 || rng() % 100 < percent; };
    std::vector<Output> out(frames.size());
    size_t metas = 0;            // descriptions given
    size_t sent = 0, at = 0;     // frames sent, bytes of the next one sent
    size_t results = 0;          // results taken
    size_t delivered = 0;        // frames delivered or without beats
    bool within = false;         // a frame has begun to come out
    bool sink_paused = false;    // m_ready was 0 in the cycle before
    uint64_t idle = 0;
    constexpr uint8_t kError = 4;

    while (delivered < frames.size()) {
        if (++idle > 20000) fail("nothing moves: %zu sent, %zu results, %zu delivered", sent, results, delivered);

        // What is offered stays offered.
        if (!dut.meta_valid_i && metas < frames.size() && chance(meta_percent)) {
            dut.meta_valid_i = 1;
            offer_meta(frames[metas]);
        }
        if (!dut.s_valid_i && sent < frames.size() && chance(beat_percent)) {
            dut.s_valid_i = 1;
            offer_beat(frames[sent], at);
        }
        dut.r_ready_i = chance(result_percent);
        dut.m_ready_i = chance(out_percent);
        dut.eval();

        const bool meta = dut.meta_valid_i && dut.meta_ready_o;
        const bool beat = dut.s_valid_i && dut.s_ready_o;
        if (beat) {
            Output& o = out[sent];
            if (at == 0) o.first_in = cycle;
            o.last_in = cycle;
            at += 16;
            if (dut.s_last_i) {
                sent++;
                at = 0;
            }
        }
        if (within && !dut.m_valid_o && !sink_paused) fail("cycle %llu: gap inside frame %zu", (unsigned long long)cycle, delivered);
        if (dut.m_valid_o) {
            while (delivered < results && out[delivered].status == kError) delivered++;
            if (delivered >= results) fail("cycle %llu: a beat before the result of frame %zu was taken", (unsigned long long)cycle, delivered);
        }
        if (dut.m_valid_o && dut.m_ready_i) {
            Output& o = out[delivered];
            if (!within) o.first_out = cycle;
            const unsigned count = dut.m_last_o ? dut.m_count_o : 16;
            const uint8_t* data = reinterpret_cast<const uint8_t*>(&dut.m_data_o[0]);
            if (count == 0 || count > 16) fail("frame %zu: m_count_o is %u", delivered, count);
            for (unsigned i = count; i < 16; i++)
                if (data[i]) fail("frame %zu: byte %u behind its end is %02x", delivered, i, data[i]);
            o.bytes.insert(o.bytes.end(), data, data + count);
            within = !dut.m_last_o;
            if (dut.m_last_o) {
                o.last_out = cycle;
                delivered++;
            }
            idle = 0;
        }
        sink_paused = within && !dut.m_ready_i;
        if (dut.r_valid_o && dut.r_ready_i) {
            if (results >= sent) fail("cycle %llu: a result before frame %zu was in", (unsigned long long)cycle, results);
            Output& o = out[results++];
            o.status = dut.r_status_o;
            o.length = dut.r_len_o;
            o.next_header = dut.r_next_header_o;
            o.pad_len = dut.r_pad_len_o;
            o.user = dut.r_user_o;
            o.result = cycle;
            idle = 0;
        }
        tick();
        if (meta) {
            metas++;
            dut.meta_valid_i = 0;
        }
        if (beat) dut.s_valid_i = 0;
        while (!within && delivered < results && out[delivered].status == kError) delivered++;
    }
    for (int i = 0; i < 100; i++) {
        if (dut.m_valid_o || dut.r_valid_o) fail("something comes out after the last frame");
        tick();
    }
    for (const Output& o : out) {
        put(o.status);
        put(o.length);
        put(o.next_header);
        put(o.pad_len);
        put(o.user);
        put(o.first_in);
        put(o.last_in);
        put(o.result);
        put(o.first_out);
        put(o.last_out);
        put(uint32_t(o.bytes.size()));
        std::fwrite(o.bytes.data(), 1, o.bytes.size(), stdout);
    }
    return 0;
}

int Bench::speed(uint64_t cycles) {
    size_t meta = 0, frame = 0, at = 0;
    dut.r_ready_i = 1;
    dut.m_ready_i = 1;
    dut.meta_valid_i = 1;
    dut.s_valid_i = 1;
    offer_meta(frames[0]);
    offer_beat(frames[0], 0);
    uint64_t beats = 0;
    const std::clock_t start = std::clock();
    for (uint64_t c = 0; c < cycles; c++) {
        const bool meta_taken = dut.meta_ready_o;
        const bool beat_taken = dut.s_ready_o;
        tick();
        if (meta_taken) {
            meta = meta + 1 == frames.size() ? 0 : meta + 1;
            offer_meta(frames[meta]);
        }
        if (beat_taken) {
            beats++;
            at += 16;
            if (at >= frames[frame].size) {
                at = 0;
                frame = frame + 1 == frames.size() ? 0 : frame + 1;
            }
            offer_beat(frames[frame], at);
        }
    }
    const double s = double(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%.0f %.4f\n", double(cycles) / s, double(beats) / double(cycles));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Bench bench;
    if (argc == 3 && std::strcmp(argv[1], "speed") == 0) return bench.speed(std::strtoull(argv[2], nullptr, 10));
    if (argc != 6) fail("usage: Vdut SEED META%% BEAT%% RESULT%% OUT%% | speed CYCLES");
    auto number = [&](int i) { return unsigned(std::strtoul(argv[i], nullptr, 10)); };
    return bench.run(number(1), number(2), number(3), number(4), number(5));
}
