/* SPDX-License-Identifier: Apache-2.0
 *
 * Random commands from a seed, or from the bytes of a fuzzer: mostly nearly right, some
 * nonsense; between them starts of the firmware and resets. A model says what each must be answered and what the NIC
 * must hold after it. The model's table of free slots is a plain list, and it looks for
 * duplicates itself: it shares nothing with the firmware.
 */
#include <stdio.h>
#include <string.h>

#include "nic.h"
#include "test.h"

enum { MODEL_SLOTS = 64 };

static struct {
    uint32_t capacity;
    bool live[MODEL_SLOTS];
    uint32_t generation[MODEL_SLOTS];
    struct espalier_sa_record record[MODEL_SLOTS];
    uint32_t unused[MODEL_SLOTS], unused_count; /* free slots, the next one first */
} model;

static uint64_t state; /* of splitmix64 */

/* If not NULL, numbers come from these bytes and not from a seed; zeros behind their end. */
static const uint8_t *input;
static size_t input_left;

static uint32_t from_input(uint32_t bytes)
{
    uint32_t value = 0;
    for (; bytes > 0 && input_left > 0; bytes--, input_left--)
        value = value << 8 | *input++;
    return value;
}

static uint32_t next(void)
{
    if (input)
        return from_input(4);
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(z >> 32);
}

static uint32_t below(uint32_t n)
{
    /* A fuzzer finds its way sooner when a choice is a byte. */
    return (input && n <= 256 ? from_input(1) : next()) % n;
}

static bool one_in(uint32_t n)
{
    return below(n) == 0;
}

/* ---------------------------------------------------------------------------
 * The model */

static void list_unused(void)
{
    model.unused_count = 0;
    for (uint32_t i = 0; i < model.capacity; i++)
        if (!model.live[i])
            model.unused[model.unused_count++] = i;
}

static void remove_unused(uint32_t slot)
{
    uint32_t to = 0;
    for (uint32_t i = 0; i < model.unused_count; i++)
        if (model.unused[i] != slot)
            model.unused[to++] = model.unused[i];
    model.unused_count = to;
}

struct outcome {
    uint32_t status, field, handle;
    bool record;
};

static struct outcome refused(uint32_t status, uint32_t field, uint32_t handle)
{
    return (struct outcome){.status = status, .field = field, .handle = handle};
}

static uint32_t record_fault(const struct espalier_sa_record *r)
{
    if (r->spi == 0)
        return ESPALIER_MAILBOX_FIELD_SPI;
    if ((r->flags >> 4 & 3) == 3)
        return ESPALIER_MAILBOX_FIELD_KEYLEN;
    if ((r->flags >> 8 & 15) > 3)
        return ESPALIER_MAILBOX_FIELD_RX_QUEUE;
    if (r->flags & 0xFFFFF0C0u)
        return ESPALIER_MAILBOX_FIELD_FLAGS;
    if (!(r->flags & 2) && (r->dst[1] || r->dst[2] || r->dst[3]))
        return ESPALIER_MAILBOX_FIELD_DST;
    if (!(r->flags & 2) && (r->src[1] || r->src[2] || r->src[3]))
        return ESPALIER_MAILBOX_FIELD_SRC;
    return ESPALIER_MAILBOX_FIELD_NONE;
}

static bool present(const struct espalier_sa_record *r)
{
    for (uint32_t i = 0; i < model.capacity; i++)
        if (model.live[i] && (model.record[i].flags & 1) && (r->flags & 1) && model.record[i].spi == r->spi &&
            (model.record[i].flags & 2) == (r->flags & 2) && memcmp(model.record[i].dst, r->dst, sizeof r->dst) == 0)
            return true;
    return false;
}

static struct outcome model_command(const struct espalier_mailbox_command *c)
{
    uint32_t op = c->header & 0xFF, slot = c->handle & 0xFFFF, generation = c->handle >> 16;
    struct espalier_sa_record r;
    memcpy(&r, &c->spi, sizeof r);
    bool there = slot < model.capacity, names = there && model.live[slot] && model.generation[slot] == generation;
    uint32_t handle_field = ESPALIER_MAILBOX_FIELD_HANDLE, stale = ESPALIER_MAILBOX_STATUS_STALE_HANDLE;
    switch (op) {
    case 0:
        return refused(0, 0, c->handle);
    case 1:
    case 2:
        if (record_fault(&r))
            return refused(ESPALIER_MAILBOX_STATUS_BAD_RECORD, record_fault(&r), c->handle);
        if (op == 1 && model.unused_count == 0)
            return refused(ESPALIER_MAILBOX_STATUS_NO_SPACE, 0, c->handle);
        if (op == 1)
            slot = model.unused[0];
        if (op == 2 && !there)
            return refused(stale, handle_field, c->handle);
        if (op == 2 && model.live[slot])
            return refused(ESPALIER_MAILBOX_STATUS_SLOT_IN_USE, handle_field, c->handle);
        if (op == 2 && generation != model.generation[slot])
            return refused(stale, handle_field, c->handle);
        if (present(&r))
            return refused(ESPALIER_MAILBOX_STATUS_DUPLICATE, 0, c->handle);
        if (nic_lookup_full(&r))
            return refused(ESPALIER_MAILBOX_STATUS_LOOKUP_FULL, 0, c->handle);
        if (op == 1)
            model.generation[slot] = model.generation[slot] % 0xFFFF + 1;
        model.live[slot] = true;
        model.record[slot] = r;
        remove_unused(slot);
        return refused(0, 0, model.generation[slot] << 16 | slot);
    case 3:
        if (!names)
            return refused(stale, handle_field, c->handle);
        if (model.record[slot].spi != r.spi)
            return refused(ESPALIER_MAILBOX_STATUS_BAD_RECORD, ESPALIER_MAILBOX_FIELD_SPI, c->handle);
        if (!(model.record[slot].flags & 8))
            return refused(ESPALIER_MAILBOX_STATUS_NOT_ESN, 0, c->handle);
        model.record[slot].esn_hi = r.esn_hi;
        return refused(0, 0, c->handle);
    case 4:
        if (!names)
            return refused(stale, handle_field, c->handle);
        model.live[slot] = false;
        memset(&model.record[slot], 0, sizeof model.record[slot]);
        model.unused[model.unused_count++] = slot;
        return refused(0, 0, c->handle);
    case 5:
        if (!names)
            return refused(stale, handle_field, c->handle);
        return (struct outcome){.handle = c->handle, .record = true};
    case 6:
        for (uint32_t i = slot; i < model.capacity; i++)
            if (model.live[i])
                return (struct outcome){.handle = model.generation[i] << 16 | i, .record = true};
        return refused(ESPALIER_MAILBOX_STATUS_NO_MORE, 0, c->handle);
    default:
        return refused(ESPALIER_MAILBOX_STATUS_BAD_OP, 0, c->handle);
    }
}

/* --------------------------------------------------------------------------- */

static uint32_t random_handle(void)
{
    uint32_t slot = one_in(20) ? next() & 0xFFFF : below(model.capacity + 1);
    uint32_t generation = slot < model.capacity ? model.generation[slot] : 1;
    if (one_in(6))
        generation += 0xFFFF + below(3);
    if (one_in(50))
        generation = 0;
    return one_in(100) ? next() : generation << 16 | slot;
}

static struct espalier_mailbox_command random_command(void)
{
    struct espalier_mailbox_command c;
    uint32_t words[32];
    for (uint32_t i = 0; i < 32; i++)
        words[i] = next();
    memcpy(&c, words, sizeof c);
    static const uint8_t operations[] = {0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6};
    c.header = (c.header & 0xFFFFFF00u) | (one_in(200) ? next() & 0xFF : operations[below(16)]);
    c.handle = random_handle();
    if (one_in(10))
        return c;
    uint32_t slot = c.handle & 0xFFFF;
    c.spi = one_in(50) ? 0 : one_in(50) ? 0xF0F0F0F0u : 1 + below(12);
    if (slot < model.capacity && !one_in(8) && (c.header & 0xFF) == 3)
        c.spi = model.record[slot].spi;
    c.flags = below(16) | below(3) << 4 | below(4) << 8;
    if (one_in(15))
        c.flags |= 1u << below(32);
    for (uint32_t i = 0; i < 4; i++) {
        c.dst[i] = below(2);
        if (i > 0 && !(c.flags & 2)) {
            c.dst[i] = one_in(60);
            c.src[i] = one_in(60);
        }
    }
    return c;
}

/* The word of a response that an outcome asks for. */
static uint32_t wanted(const struct espalier_mailbox_command *c, const struct outcome *o, uint32_t word)
{
    const struct espalier_sa_record *r = &model.record[o->record ? o->handle & 0xFFFF : 0];
    switch (word) {
    case 0:
        return (c->header & 0xFFFF00FFu) | o->status << 8;
    case 1:
        return o->handle;
    case 2:
        return o->field;
    default:
        if (!o->record || word == 7 || word >= 24)
            return 0;
        if (word >= 16)
            return o->handle * 2654435761u + word - 16;
        return ((const uint32_t *)r)[word - 4];
    }
}

static void compare_nic(uint64_t at)
{
    for (uint32_t i = 0; i < model.capacity; i++) {
        const struct sa *sa = &nic.sa[i];
        CHECK(sa->live == model.live[i] && sa->generation == model.generation[i], "command %lu: slot %u", (unsigned long)at, i);
        CHECK(!sa->live || memcmp(&sa->record, &model.record[i], sizeof sa->record) == 0, "command %lu: record of slot %u", (unsigned long)at, i);
    }
}

/* At most so many commands, or as many as the input has. */
static void run(uint64_t commands)
{
    memset(&model, 0, sizeof model);
    model.capacity = 1 + below(MODEL_SLOTS);
    nic_power_up(model.capacity);
    nic.heap_bytes = (model.capacity + 31) / 32 * 8 + (model.capacity + 1) / 2 * 4;
    list_unused();
    nic_start();
    for (uint64_t n = 0; n < commands && failures == 0 && (!input || input_left > 0);) {
        if (one_in(2000) || (one_in(500) && n % 3 == 0)) {
            if (one_in(3)) {
                nic_reset();
                memset(model.live, 0, sizeof model.live);
                memset(model.record, 0, sizeof model.record);
            }
            nic_start();
            CHECK(nic.report == (ESPALIER_CP_STATUS_SELFTEST_PASSED_MASK | ESPALIER_CP_STATUS_READY_MASK), "report %#x\n%s", nic.report, nic.log);
            list_unused();
        }
        nic.busy_reads = one_in(4) ? below(2000) : below(3);
        /* A handful at once, in slots that are not in order. */
        uint32_t count = 1 + below(8), slot[8];
        struct espalier_mailbox_command c[8];
        for (uint32_t i = 0; i < count; i++) {
            /* Slots of a batch differ: an odd stride goes around all 32. */
            slot[i] = i == 0 ? below(MAILBOX_SLOTS) : (slot[i - 1] + 7) % MAILBOX_SLOTS;
            c[i] = random_command();
            nic_post(slot[i], &c[i]);
        }
        nic_serve();
        for (uint32_t i = 0; i < count; i++, n++) {
            struct outcome o = model_command(&c[i]);
            for (uint32_t w = 0; w < 32; w++) {
                if (w == 3)
                    continue; /* cycles */
                uint32_t got = nic.response[slot[i]][w];
                CHECK(got == wanted(&c[i], &o, w), "command %lu, op %u of handle %#x: word %u is %#x, want %#x", (unsigned long)(n),
                      c[i].header & 0xFF, c[i].handle, w, got, wanted(&c[i], &o, w));
            }
        }
        compare_nic(n);
        CHECK(nic.window.salt == 0 && nic.window.key[0] == 0 && nic.window.key[7] == 0, "a key is in the window");
        CHECK(nic.broken[0] == 0, "command %lu: the firmware breaks a rule: %s", (unsigned long)n, nic.broken);
        if (nic.logged > LOG_BYTES / 2)
            nic.logged = 0;
    }
}

void run_random(uint64_t seed, uint64_t commands)
{
    input = NULL;
    state = seed;
    run(commands);
    printf("%s seed %lu\n", failures ? "FAIL" : "ok", (unsigned long)seed);
}

void run_input(const uint8_t *data, size_t size)
{
    static const uint8_t nothing;
    input = size > 0 ? data : &nothing;
    input_left = size;
    run(UINT64_MAX);
}
