// SPDX-License-Identifier: Apache-2.0
//
// Bench of espalier_ring. Arguments: scenario, seed. Scenarios judge themselves (exit status 1 and a sentence); those that
// measure print "name value" lines.
#include <cstring>

#include "bench.h"

namespace {

void print(const char* name, uint64_t value) { std::printf("%s %llu\n", name, static_cast<unsigned long long>(value)); }

void expect(const char* what, uint64_t got, uint64_t want) {
    if (got != want)
        fail("%s is 0x%llx, not 0x%llx", what, static_cast<unsigned long long>(got), static_cast<unsigned long long>(want));
}

unsigned error_code(Bench& b, unsigned queue) {
    const uint32_t s = b.status(queue);
    const uint32_t code = (s & ESPALIER_QUEUE_STATUS_ERROR_CODE_MASK) >> ESPALIER_QUEUE_STATUS_ERROR_CODE_SHIFT;
    if (!(s & ESPALIER_QUEUE_STATUS_ERROR_MASK) != (code == 0)) fail("ERROR and ERROR_CODE disagree: 0x%x", s);
    return code;
}

Conditions random_conditions(std::mt19937_64& rng) {
    auto pick = [&](std::initializer_list<unsigned> of) { return of.begin()[rng() % of.size()]; };
    Conditions c;
    c.read_latency_min = pick({1, 5, 40});
    c.read_latency_max = c.read_latency_min + pick({0, 20, 200});
    c.write_latency_min = pick({1, 5, 40});
    c.write_latency_max = c.write_latency_min + pick({0, 20, 200});
    c.stall = pick({0, 10, 50, 80});
    c.pop = pick({5, 50, 100});
    c.complete = pick({10, 50, 100});
    c.report = pick({0, 20, 100, 100});
    c.work_min = pick({1, 3, 30});
    c.work_max = c.work_min + pick({0, 10, 100});
    c.post_max = pick({1, 3, 16, 4096});
    return c;
}

void random_configure(Bench& b, unsigned queue) {
    const unsigned log2 = b.chance(50) ? b.random(3, 5) : b.random(3, 12);
    const unsigned timers[] = {0, 1, 7, 64, 500};
    b.configure(queue, log2, b.random(8), timers[b.random(5)], b.random(32));
}

// All queues at once, rings of 8 to 4096 entries, many laps, everything random. No queue is disturbed.
void traffic(uint64_t seed) {
    std::mt19937_64 rng(seed);
    Bench b(seed, random_conditions(rng));
    for (unsigned i = 0; i < NUM_QUEUES; i++) {
        random_configure(b, i);
        b.q[i].goal = 1000 / NUM_QUEUES + b.random(3) * 10 * (8u << b.random(3));
        b.enable(i);
    }
    b.run(3000000);
    b.check_events();
    for (unsigned i = 0; i < NUM_QUEUES; i++) {
        expect("HEAD", b.read(i, ESPALIER_QUEUE_HEAD_OFFSET), b.q[i].goal & b.q[i].life->mask());
        expect("TAIL", b.read(i, ESPALIER_QUEUE_TAIL_OFFSET), b.q[i].goal & b.q[i].life->mask());
        expect("STATUS", b.status(i), ESPALIER_QUEUE_STATUS_ACTIVE_MASK);
        if (b.dut.live_o >> i & 1) fail("queue %u is live with nothing posted", i);
        b.disable(i);
        b.wait_inactive(i);
    }
    print("cycles", g_cycle);
    print("descriptors", b.descriptors);
}

// Queues are disabled, enabled again (with and without waiting) and hit by bus errors while all run.
void lives(uint64_t seed) {
    std::mt19937_64 rng(seed);
    Bench b(seed, random_conditions(rng));
    for (unsigned i = 0; i < NUM_QUEUES; i++) {
        random_configure(b, i);
        b.q[i].goal = 1u << 30;
        b.enable(i);
    }
    unsigned errors = 0, hasty = 0;
    for (unsigned round = 0; round < 60; round++) {
        b.ticks(b.random(400));
        const unsigned queue = b.random(NUM_QUEUES);
        const unsigned what = b.random(4);
        if (what == 0) b.fail_read = static_cast<int>(queue);
        if (what == 1) b.fail_write = static_cast<int>(queue);
        if (what < 2) {
            b.ticks(b.random(600));
            b.fail_read = b.fail_write = -1;
            b.ticks(700); // longest latency and a few stalls
        }
        const bool error = b.q[queue].error;
        errors += error;
        if (error != (error_code(b, queue) != 0) && error == b.q[queue].error) fail("queue %u: error flag is %d", queue, !error);
        b.disable(queue);
        expect("error after ENABLE 0", b.q[queue].error, 0);
        if (b.chance(50)) {
            b.wait_inactive(queue);
        } else {
            hasty++;
        }
        random_configure(b, queue);
        if (b.chance(30)) b.ticks(b.random(50));
        b.enable(queue);
        if (b.chance(20)) b.post(queue, 1);
    }
    for (unsigned i = 0; i < NUM_QUEUES; i++) b.disable(i);
    for (unsigned i = 0; i < NUM_QUEUES; i++) b.wait_inactive(i);
    b.check_events();
    print("errors", errors);
    print("hasty", hasty);
}

// Each error by itself: code, event, what still happens, and recovery.
void errors(uint64_t seed) {
    Conditions c;
    c.pop = 30;
    c.read_latency_min = c.read_latency_max = 20;
    Bench b(seed, c);
    const unsigned n = NUM_QUEUES - 1; // the queue under test; queue 0 must not notice when they differ
    auto start = [&](unsigned queue, unsigned vector) {
        b.configure(queue, 4, 0, 10, vector);
        b.enable(queue);
    };
    auto recover = [&] {
        b.disable(n);
        expect("error code after ENABLE 0", error_code(b, n), ESPALIER_QUEUE_ERROR_NONE);
        b.wait_inactive(n);
    };
    if (n != 0) {
        start(0, 0);
        b.q[0].goal = 1u << 30;
    }

    for (unsigned lap = 0; lap < 20; lap++) {
        start(n, 5);
        b.q[n].goal = 10 + b.random(100);
        b.ticks(b.random(200));
        b.fail_read = static_cast<int>(n);
        for (unsigned i = 0; !b.q[n].error && i < 3000; i++) {
            b.q[n].goal = b.q[n].life->posted + 20;
            b.tick();
        }
        b.ticks(200);
        expect("error code", error_code(b, n), ESPALIER_QUEUE_ERROR_DESC_READ);
        if (b.dut.live_o >> n & 1) fail("queue in error is live");
        if (!b.q[n].life->over()) fail("work begun before the error was not finished");
        expect("ACTIVE", b.status(n) & ESPALIER_QUEUE_STATUS_ACTIVE_MASK, ESPALIER_QUEUE_STATUS_ACTIVE_MASK);
        recover();
    }

    for (unsigned lap = 0; lap < 20; lap++) {
        start(n, 6);
        b.q[n].goal = 1u << 30;
        b.ticks(b.random(300));
        b.fail_write = static_cast<int>(n);
        for (unsigned i = 0; !b.q[n].error && i < 3000; i++) b.tick();
        b.ticks(200);
        expect("error code", error_code(b, n), ESPALIER_QUEUE_ERROR_CPL_WRITE);
        if (b.q[n].life->popped != b.q[n].life->done) fail("work begun before the error was not finished");
        recover();
    }

    start(n, 7);
    b.q[n].goal = 5;
    b.ticks(200);
    b.errors[7]++; // the host's own doing: the model does not see it
    b.auto_post = false;
    b.write(n, ESPALIER_QUEUE_TAIL_OFFSET, 16);
    b.ticks(3);
    expect("error code", error_code(b, n), ESPALIER_QUEUE_ERROR_BAD_TAIL);
    expect("TAIL", b.read(n, ESPALIER_QUEUE_TAIL_OFFSET), 5);
    b.write(n, ESPALIER_QUEUE_TAIL_OFFSET, 0xFFFF); // a second error is no event
    recover();
    start(n, 7);
    b.post(n, 15); // the largest value
    expect("error code", error_code(b, n), ESPALIER_QUEUE_ERROR_NONE);
    b.disable(n);
    b.wait_inactive(n);

    // Bad configurations; 2^15 is the largest ring, so there is no RING_LOG2 above it.
    struct { uint32_t log2, ring, cpl; } bad[] = {{2, 0, 0}, {0, 0, 0}, {4, 32, 0}, {4, 1, 0}, {4, 0, 32}, {4, 0, 16}};
    for (const auto& config : bad) {
        b.write(n, ESPALIER_QUEUE_RING_LO_OFFSET, 0x1000 + config.ring);
        b.write(n, ESPALIER_QUEUE_CPL_LO_OFFSET, 0x2000 + config.cpl);
        b.errors[9]++;
        b.write(n, ESPALIER_QUEUE_CTRL_OFFSET, 1 | config.log2 << 4 | 9 << 8);
        expect("error code", error_code(b, n), ESPALIER_QUEUE_ERROR_BAD_CONFIG);
        b.ticks(20);
        b.write(n, ESPALIER_QUEUE_CTRL_OFFSET, 0);
        expect("STATUS", b.status(n), 0);
    }
    for (unsigned log2 : {3u, 15u}) {
        b.configure(n, log2, 0, 10, 9);
        b.enable(n);
        expect("error code", error_code(b, n), ESPALIER_QUEUE_ERROR_NONE);
        b.disable(n);
        b.wait_inactive(n);
    }
    b.auto_post = true;
    if (n != 0) {
        expect("queue 0's STATUS", b.status(0), ESPALIER_QUEUE_STATUS_ACTIVE_MASK);
        b.disable(0);
        b.wait_inactive(0);
    }
    b.check_events();
}

// What the registers hold, and when they may be written.
void registers(uint64_t seed) {
    Bench b(seed, Conditions{});
    b.auto_post = false;
    for (unsigned i = 0; i < NUM_QUEUES; i++) {
        const struct { unsigned offset; uint32_t reset, writable; } all[] = {
            {ESPALIER_QUEUE_RING_LO_OFFSET, 0, 0xFFFFFFFF},
            {ESPALIER_QUEUE_RING_HI_OFFSET, 0, 0xFFFFFFFF},
            {ESPALIER_QUEUE_CPL_LO_OFFSET, 0, 0xFFFFFFFF},
            {ESPALIER_QUEUE_CPL_HI_OFFSET, 0, 0xFFFFFFFF},
            {ESPALIER_QUEUE_CTRL_OFFSET, 0, 0x1FF0},
            {ESPALIER_QUEUE_STATUS_OFFSET, 0, 0},
            {ESPALIER_QUEUE_HEAD_OFFSET, 0, 0},
            {ESPALIER_QUEUE_TAIL_OFFSET, 0, 0},
            {ESPALIER_QUEUE_CPL_BATCH_OFFSET, 64u << 16, 0xFFFF0007},
        };
        for (const auto& r : all) expect("reset value", b.read(i, r.offset), r.reset);
        for (const auto& r : all) {
            uint32_t value = r.reset;
            for (unsigned k = 0; k < 20; k++) {
                uint32_t data = static_cast<uint32_t>(b.random(1u << 31)) << 1 | b.random(2);
                if (r.offset == ESPALIER_QUEUE_CTRL_OFFSET) data &= ~1u; // stays disabled
                const unsigned strobes = b.random(16);
                uint32_t mask = 0;
                for (unsigned s = 0; s < 4; s++)
                    if (strobes >> s & 1) mask |= 0xFFu << 8 * s;
                mask &= r.writable;
                value = (value & ~mask) | (data & mask);
                b.write(i, r.offset, data, strobes);
                expect("value", b.read(i, r.offset), value);
            }
        }
        // every other offset, aligned or not
        for (unsigned offset = 0; offset < 0x1000; offset++) {
            const bool known = offset <= ESPALIER_QUEUE_CPL_BATCH_OFFSET && offset % 4 == 0;
            if (!known && b.bus_error(i, offset, offset & 1) != true) fail("offset 0x%x is not an error", offset);
            if (known && b.bus_error(i, offset, false)) fail("offset 0x%x is an error", offset);
        }
    }
    for (unsigned i = NUM_QUEUES; i < 16; i++) {
        if (!b.bus_error(i, 0, false) || !b.bus_error(i, 0, true)) fail("page %u is not an error", i);
    }
    // While enabled only ENABLE, TAIL and CPL_BATCH can be written.
    b.write(0, ESPALIER_QUEUE_CTRL_OFFSET, 0);
    b.configure(0, 4, 2, 100, 3);
    b.enable(0);
    const uint32_t ctrl = 1 | 4 << 4 | 3 << 8;
    const uint64_t ring = b.q[0].life->ring, cpl = b.q[0].life->cpl;
    for (unsigned offset : {ESPALIER_QUEUE_RING_LO_OFFSET, ESPALIER_QUEUE_RING_HI_OFFSET, ESPALIER_QUEUE_CPL_LO_OFFSET,
                            ESPALIER_QUEUE_CPL_HI_OFFSET})
        b.write(0, offset, 0xDEADBEC0);
    b.write(0, ESPALIER_QUEUE_CTRL_OFFSET, 1 | 9 << 4 | 8 << 8);
    expect("CTRL", b.read(0, ESPALIER_QUEUE_CTRL_OFFSET), ctrl);
    expect("RING", b.read(0, ESPALIER_QUEUE_RING_LO_OFFSET) | uint64_t{b.read(0, ESPALIER_QUEUE_RING_HI_OFFSET)} << 32, ring);
    expect("CPL", b.read(0, ESPALIER_QUEUE_CPL_LO_OFFSET) | uint64_t{b.read(0, ESPALIER_QUEUE_CPL_HI_OFFSET)} << 32, cpl);
    b.post(0, 7);
    expect("TAIL", b.read(0, ESPALIER_QUEUE_TAIL_OFFSET), 7);
    b.write(0, ESPALIER_QUEUE_CPL_BATCH_OFFSET, 5u << 16 | 1);
    expect("CPL_BATCH", b.read(0, ESPALIER_QUEUE_CPL_BATCH_OFFSET), 5u << 16 | 1);
    b.q[0].count = 1;
    b.q[0].timer = 5;
    b.ticks(300);
    b.write(0, ESPALIER_QUEUE_CTRL_OFFSET, 2 << 8); // vector 2: not taken over by the write that disables
    b.wait_inactive(0);
    expect("CTRL", b.read(0, ESPALIER_QUEUE_CTRL_OFFSET), 4 << 4 | 3 << 8);
    expect("HEAD", b.read(0, ESPALIER_QUEUE_HEAD_OFFSET), 7);
    b.configure(0, 4, 1, 5, 3);
    b.enable(0);
    expect("TAIL after ENABLE", b.read(0, ESPALIER_QUEUE_TAIL_OFFSET), 0);
    expect("HEAD after ENABLE", b.read(0, ESPALIER_QUEUE_HEAD_OFFSET), 0);
    b.check_events();
}

// enable_i holds back descriptors, quiesce_i every new transaction.
void quiesce(uint64_t seed) {
    std::mt19937_64 rng(seed);
    Conditions c = random_conditions(rng);
    c.report = 100;
    Bench b(seed, c);
    for (unsigned i = 0; i < NUM_QUEUES; i++) {
        random_configure(b, i);
        b.q[i].goal = 1u << 30;
        b.enable(i);
    }
    b.ticks(b.random(2000));
    b.dut.enable_i = 0;
    const uint64_t before = b.pops;
    b.ticks(100);
    expect("pops while enable_i is 0", b.pops, before);
    b.dut.enable_i = 1;
    b.ticks(b.random(2000));
    b.dut.quiesce_i = 1;
    b.tick(); // a read decided in the cycle before may still show, and a batch already chosen
    const uint64_t reads = b.reads, writes = b.writes;
    uint64_t waited = 0;
    while (!b.dut.idle_o) {
        b.tick();
        if (++waited > 20000) fail("does not become idle");
    }
    expect("reads after quiescing", b.reads, reads);
    if (b.writes > writes + 5) fail("%u writes started after quiescing", static_cast<unsigned>(b.writes - writes));
    b.may_start = false;
    for (unsigned i = 0; i < NUM_QUEUES; i++) {
        if (b.q[i].life->reads != 0 || b.q[i].life->writes != 0) fail("idle, but queue %u has transactions under way", i);
    }
    for (unsigned i = 0; i < 300; i++) {
        b.tick();
        if (!b.dut.idle_o) fail("idle fell");
        if (b.dut.avail_o != 0 || b.dut.live_o != 0) fail("descriptors offered while quiesced");
    }
}

// Descriptors of one queue at a fixed pace. Prints how often one was missing.
void pace(uint64_t seed, unsigned latency, unsigned period) {
    Conditions c;
    c.read_latency_min = c.read_latency_max = latency;
    Bench b(seed, c);
    b.configure(0, 12, 0, 64, 0);
    b.enable(0);
    b.q[0].goal = 4000;
    b.auto_post = false;
    b.post(0, 4000);
    b.pop_period = period;
    b.run(200000);
    print("missed", b.missed_pops);
    print("cycles", g_cycle);
    print("reads", b.reads);
    print("descriptors", b.descriptors);
}

// Completions of one queue as fast as they are taken.
void completions(uint64_t seed, unsigned count) {
    Conditions c;
    c.work_min = c.work_max = 1;
    Bench b(seed, c);
    b.configure(0, 12, count, 1000, 0);
    b.enable(0);
    b.q[0].goal = 4000;
    b.auto_post = false;
    b.post(0, 4000);
    const uint64_t from = g_cycle;
    b.run(200000);
    print("cycles", g_cycle - from);
    print("batches", b.batches);
    print("refusals", b.refusals);
}

// Times of single steps with an idle bus, in cycles.
void latency(uint64_t seed) {
    Conditions c;
    c.read_latency_min = c.read_latency_max = 10;
    c.write_latency_min = c.write_latency_max = 10;
    Bench b(seed, c);
    b.auto_post = false;
    for (unsigned timer : {0u, 1u, 64u, 1000u}) {
        b.configure(0, 4, 4, timer, 0);
        b.enable(0);
        b.ticks(10);
        b.q[0].goal = 1;
        b.post(0, 1);
        b.run(5000);
        b.ticks(5);
        std::printf("timer_%u %llu\n", timer, static_cast<unsigned long long>(b.last_aw - b.last_accept));
        b.q[0].goal = 2;
        const uint64_t accepts = b.accepts;
        b.post(0, 1);
        while (b.accepts == accepts) b.tick();
        b.run(5000);
        b.ticks(5);
        if (timer == 64) {
            print("tail_to_read", b.last_ar - b.last_tail);
            print("read_to_available", b.last_avail - b.last_ar);
            print("response_to_event", b.last_event - b.last_b);
        }
        b.disable(0);
        b.wait_inactive(0);
    }
    // A full batch does not wait.
    b.configure(0, 4, 4, 60000, 0);
    b.enable(0);
    b.q[0].goal = 4;
    b.post(0, 4);
    b.run(1000);
    print("full", b.last_aw - b.last_accept);
    // Neither does a partial one when the queue is disabled.
    b.q[0].goal = 6;
    b.post(0, 2);
    b.ticks(100);
    b.disable(0);
    const uint64_t disabled = g_cycle;
    b.wait_inactive(0);
    print("flush", b.last_aw - disabled);
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const char* scenario = argv[1];
    const uint64_t seed = std::strtoull(argv[2], nullptr, 10);
    auto number = [&](int i) { return argc > i ? static_cast<unsigned>(std::atoi(argv[i])) : 0u; };
    auto is = [&](const char* name) { return std::strcmp(scenario, name) == 0; };
    if (is("traffic")) traffic(seed);
    else if (is("lives")) lives(seed);
    else if (is("errors")) errors(seed);
    else if (is("registers")) registers(seed);
    else if (is("quiesce")) quiesce(seed);
    else if (is("pace")) pace(seed, number(3), number(4));
    else if (is("completions")) completions(seed, number(3));
    else if (is("latency")) latency(seed);
    else return 2;
    return 0;
}
