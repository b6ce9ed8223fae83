/* SPDX-License-Identifier: Apache-2.0
 *
 * Table tests. Numbers are the contract's (docs/nic-contract.md), not the firmware's.
 */
#include <stdio.h>
#include <string.h>

#include "nic.h"
#include "test.h"

typedef struct espalier_mailbox_command command;
typedef struct espalier_mailbox_response response;

enum {
    PASSED = ESPALIER_CP_STATUS_SELFTEST_PASSED_MASK,
    FAILED = ESPALIER_CP_STATUS_SELFTEST_FAILED_MASK,
    READY = ESPALIER_CP_STATUS_READY_MASK,
};

enum { INBOUND = 1, IPV6 = 2, TUNNEL = 4, ESN = 8 };

static uint32_t flags(uint32_t kind, uint32_t keylen, uint32_t queue)
{
    return kind | keylen << 4 | queue << 8;
}

/* A command whose unused words are not zero, and with secrets whatever its operation. */
static command make(uint32_t opcode, uint32_t handle)
{
    command c;
    memset(&c, 0x5A, sizeof c);
    c.header = opcode | 0xBEEF0000u;
    c.handle = handle;
    return c;
}

static command add(uint32_t spi, uint32_t f)
{
    command c = make(ESPALIER_MAILBOX_OP_ADD_SA, 0x77777777u);
    c.spi = spi;
    c.flags = f;
    c.esn_hi = 7;
    for (uint32_t i = 0; i < 4; i++) {
        c.dst[i] = i == 0 || f & IPV6 ? 0xD0D0D000u + i : 0;
        c.src[i] = i == 0 || f & IPV6 ? 0x50505000u + i : 0;
    }
    for (uint32_t i = 0; i < 8; i++)
        c.key[i] = 0xC0FFEE00u + i;
    c.salt = 0x5A175A17u;
    return c;
}

static uint32_t status(response r)
{
    return r.header >> 8 & 0xFF;
}

static void start(uint32_t capacity)
{
    nic_power_up(capacity);
    nic_start();
    CHECK((nic.report & (PASSED | FAILED | READY)) == (PASSED | READY), "report %#x, log:\n%s", nic.report, nic.log);
}

/* An SA that is there; returns its handle. */
static uint32_t added(uint32_t spi, uint32_t f)
{
    command c = add(spi, f);
    response r = nic_call(&c);
    CHECK(status(r) == ESPALIER_MAILBOX_STATUS_OK, "ADD_SA of SPI %#x: status %u", spi, status(r));
    return r.handle;
}

static uint32_t deleted(uint32_t handle)
{
    command c = make(ESPALIER_MAILBOX_OP_DELETE_SA, handle);
    return status(nic_call(&c));
}

/* Expects a refusal (or OK), with everything else in the response as it must be and, for
 * a refusal, the NIC unchanged. */
#define EXPECT(c, want_status, want_field) expect(c, want_status, want_field, __LINE__)

static void expect(command c, uint32_t want_status, uint32_t want_field, int line)
{
    static struct sa before[SLOTS_MAX];
    memcpy(before, nic.sa, sizeof before);
    response r = nic_call(&c);
    CHECK(status(r) == want_status, "line %d: status %u, want %u", line, status(r), want_status);
    CHECK((r.header & 0xFF) == (c.header & 0xFF) && r.header >> 16 == c.header >> 16, "line %d: header %#x of %#x", line, r.header, c.header);
    CHECK(r.detail == want_field, "line %d: field %#x, want %#x", line, r.detail, want_field);
    CHECK(r.cycles > 0 && r.cycles < 1000000, "line %d: %u cycles", line, r.cycles);
    if (want_status == ESPALIER_MAILBOX_STATUS_OK)
        return;
    CHECK(r.handle == c.handle, "line %d: handle %#x", line, r.handle);
    CHECK(memcmp(before, nic.sa, sizeof before) == 0, "line %d: refused, but the NIC is not as before", line);
    uint32_t words[24] = {0};
    CHECK(memcmp(&r.spi, words, sizeof words) == 0, "line %d: refused with a record", line);
}

/* --------------------------------------------------------------------------- */

static void test_start(void)
{
    nic_power_up(64);
    nic.not_ready_reads = 5000;
    nic.busy_reads = 5000; /* whatever takes long, the heartbeat goes on */
    nic_start();
    CHECK(nic.version == 0x01020003 && nic.build == 0xDECADE01, "version %#x build %#x", nic.version, nic.build);
    CHECK(nic.report == (PASSED | READY), "report %#x", nic.report);
    CHECK(strcmp(nic.log, "espalier firmware 1.2.3 build decade01\nself-tests passed\nready\n") == 0, "log:\n%s", nic.log);
    CHECK(nic.selftests == 9, "%u self-tests", nic.selftests);
    for (uint32_t i = 0; i < 64; i++)
        CHECK(!nic.sa[i].live && nic.sa[i].generation == 0, "slot %u: live %d generation %u", i, nic.sa[i].live, nic.sa[i].generation);
    uint32_t alive = nic.alive;
    nic.busy_reads = 0;
    for (int i = 0; i < 10; i++) {
        command c = make(ESPALIER_MAILBOX_OP_NOP, 0);
        nic_call(&c);
    }
    CHECK(nic.alive >= alive + 10, "%u heartbeats in 10 turns", nic.alive - alive);
}

/* What a reset leaves: generations, which the self-tests must find and keep. */
static void test_selftest_generations(void)
{
    for (uint32_t g = 1; g <= 0xFFFF; g = g == 1 ? 300 : g == 300 ? 0xFFFF : 0x10000) {
        nic_power_up(8);
        for (uint32_t i = 0; i < 8; i++)
            nic.sa[i].generation = g;
        nic_start();
        CHECK(nic.report == (PASSED | READY), "generation %u: report %#x\n%s", g, nic.report, nic.log);
        for (uint32_t i = 0; i < 8; i++)
            CHECK(!nic.sa[i].live && nic.sa[i].generation == g, "slot %u: generation %u after %u", i, nic.sa[i].generation, g);
    }
}

static void test_selftest_failures(void)
{
    static const struct {
        enum selftest_fault fault;
        const char *what;
    } cases[] = {
        {SELFTEST_ENCRYPTS_WRONG, "encrypt"}, {SELFTEST_ICV_WRONG, "encrypt"},     {SELFTEST_DECRYPTS_WRONG, "decrypt"},
        {SELFTEST_REFUSES_GOOD, "decrypt"},   {SELFTEST_TAKES_FORGED, "wrong ICV"}, {SELFTEST_LEAKS_FORGED, "wrong ICV"},
        {SELFTEST_TOUCHES_FRONT, "encrypt"},  {SELFTEST_SHORT, "encrypt"},          {SELFTEST_KEY_REFUSED, "key install"},
        {SELFTEST_KEY_STAYS, "key removal"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint32_t keylen = 0; keylen < 3; keylen++) {
            char line[80];
            snprintf(line, sizeof line, "self-test failed: AES-%u %s\n", 128 + 64 * keylen, cases[i].what);
            nic_power_up(16);
            nic.fault = cases[i].fault;
            nic.fault_keylen = keylen;
            nic_start();
            CHECK(nic.report == (FAILED | READY), "fault %d: report %#x", cases[i].fault, nic.report);
            CHECK(strstr(nic.log, line) && !strstr(nic.log, "self-tests passed"), "no %s in\n%s", line, nic.log);
            for (uint32_t op = 0; op <= 7; op++)
                EXPECT(make(op, 5), ESPALIER_MAILBOX_STATUS_SELFTEST_FAILED, 0);
            EXPECT(add(0, 0xFFFFFFFF), ESPALIER_MAILBOX_STATUS_SELFTEST_FAILED, 0);
        }
    }
    /* A key length that the NIC does not have is neither tested nor allowed. */
    nic_power_up(16);
    nic.encryption = 0x28;
    nic.fault = SELFTEST_ENCRYPTS_WRONG;
    nic.fault_keylen = 1;
    nic_start();
    CHECK(nic.report == (PASSED | READY) && nic.selftests == 6, "without AES-192: report %#x, %u tests", nic.report, nic.selftests);
    EXPECT(add(1, flags(0, 1, 0)), ESPALIER_MAILBOX_STATUS_BAD_RECORD, ESPALIER_MAILBOX_FIELD_KEYLEN);
    EXPECT(add(1, flags(0, 2, 0)), ESPALIER_MAILBOX_STATUS_OK, 0);
}

static void test_memory(void)
{
    static const struct {
        uint32_t slots, bytes;
    } cases[] = {{1024, 2304}, {1000, 2256}, {16384, 36864}, {4, 16}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nic_power_up(cases[i].slots);
        nic.heap_bytes = cases[i].bytes;
        nic_start();
        CHECK(nic.report == (PASSED | READY), "%u slots in %u bytes: report %#x", cases[i].slots, cases[i].bytes, nic.report);

        nic_power_up(cases[i].slots);
        nic.heap_bytes = cases[i].bytes - 4;
        nic_start();
        char line[100];
        snprintf(line, sizeof line, "%u SA slots need %u bytes beside the program, the processor has %u\n", cases[i].slots,
                 cases[i].bytes, cases[i].bytes - 4);
        CHECK(nic.report == (FAILED | READY) && strstr(nic.log, line), "%u slots: report %#x, log\n%s", cases[i].slots, nic.report, nic.log);
        EXPECT(add(1, 0), ESPALIER_MAILBOX_STATUS_SELFTEST_FAILED, 0);
    }
}

static void test_unknown_operations(void)
{
    start(16);
    for (uint32_t op = 7; op < 256; op++)
        EXPECT(make(op, 1), ESPALIER_MAILBOX_STATUS_BAD_OP, 0);
    EXPECT(make(ESPALIER_MAILBOX_OP_NOP, 0x12345678), ESPALIER_MAILBOX_STATUS_OK, 0);
    CHECK(nic.response[0][1] == 0x12345678, "handle %#x", nic.response[0][1]);
}

static void test_add_and_read(void)
{
    start(16);
    nic.busy_reads = 3;
    for (uint32_t f = 0; f < 16; f++) {
        for (uint32_t keylen = 0; keylen < 3; keylen++) {
            command c = add(0x1000 + f, flags(f, keylen, f & 3));
            uint32_t handle = added(c.spi, c.flags);
            CHECK(handle >> 16 != 0 && (handle & 0xFFFF) < 16, "handle %#x", handle);
            const struct sa *sa = &nic.sa[handle & 0xFFFF];
            CHECK(sa->live && sa->generation == handle >> 16, "slot %#x is not the SA's", handle);
            CHECK(memcmp(&sa->record, &c.spi, sizeof sa->record) == 0, "the engine got another record for flags %#x", c.flags);

            command read = make(ESPALIER_MAILBOX_OP_READ_SA, handle);
            response r = nic_call(&read);
            CHECK(status(r) == 0 && r.handle == handle && r.spi == c.spi && r.flags == c.flags && r.esn_hi == 7 && r.reserved == 0,
                  "read back: status %u handle %#x", status(r), r.handle);
            CHECK(memcmp(r.dst, c.dst, sizeof r.dst) == 0 && memcmp(r.src, c.src, sizeof r.src) == 0, "addresses of %#x", handle);
            for (uint32_t i = 0; i < 8; i++)
                CHECK(r.counters[i] == handle * 2654435761u + i && r.unused[i] == 0, "counter %u", i);
            CHECK(deleted(handle) == 0 && !sa->live, "delete of %#x", handle);
            /* The slot's next response has nothing of the record. */
            command nop = make(ESPALIER_MAILBOX_OP_NOP, 0);
            r = nic_call(&nop);
            uint32_t zero[28] = {0};
            CHECK(memcmp(&r.spi, zero, 24 * 4) == 0, "record left behind");
        }
    }
}

static void test_bad_records(void)
{
    start(16);
    uint32_t handle = added(1, 0);
    deleted(handle);
    for (int restore = 0; restore < 2; restore++) {
        uint32_t bad = ESPALIER_MAILBOX_STATUS_BAD_RECORD;
        command c = add(0, 0xFFFFFFFFu); /* all fields bad; then one after the other good */
        c.header = restore ? 0x00010002 : 0x00010001;
        c.handle = restore ? 0xFFFFFFFFu : 0;
        for (uint32_t i = 0; i < 4; i++)
            c.dst[i] = c.src[i] = 1;
        EXPECT(c, bad, ESPALIER_MAILBOX_FIELD_SPI);
        c.spi = 9;
        EXPECT(c, bad, ESPALIER_MAILBOX_FIELD_KEYLEN);
        c.flags = ~(1u << 4) & ~(uint32_t)IPV6; /* AES-256 */
        EXPECT(c, bad, ESPALIER_MAILBOX_FIELD_RX_QUEUE);
        for (uint32_t queue = 4; queue < 16; queue++) {
            c.flags = flags(0, 2, queue) | 0x40;
            EXPECT(c, bad, ESPALIER_MAILBOX_FIELD_RX_QUEUE);
        }
        for (uint32_t bit = 6; bit < 32; bit++) {
            c.flags = flags(0, 2, 3) | 1u << bit;
            if (bit < 8 || bit > 11)
                EXPECT(c, bad, ESPALIER_MAILBOX_FIELD_FLAGS);
        }
        c.flags = flags(0, 2, 3);
        for (uint32_t i = 1; i < 4; i++) {
            memset(c.dst, 0, sizeof c.dst);
            c.dst[i] = 0x80000000u >> i;
            EXPECT(c, bad, ESPALIER_MAILBOX_FIELD_DST);
        }
        memset(c.dst, 0, sizeof c.dst);
        for (uint32_t i = 1; i < 4; i++) {
            memset(c.src, 0, sizeof c.src);
            c.src[i] = 1;
            EXPECT(c, bad, ESPALIER_MAILBOX_FIELD_SRC);
        }
        c.src[3] = 0;
        if (restore) /* then the handle */
            EXPECT(c, ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE);
        else
            EXPECT(c, ESPALIER_MAILBOX_STATUS_OK, 0);
        c.flags |= IPV6;
        c.dst[3] = c.src[3] = 1;
        c.handle = handle;
        EXPECT(c, ESPALIER_MAILBOX_STATUS_OK, 0);
    }
    CHECK(nic.operations[ESPALIER_SA_OP_ADD] == 3, "%u ADDs reached the engine", nic.operations[ESPALIER_SA_OP_ADD]);
}

static void test_duplicates_and_lookup(void)
{
    start(4);
    uint32_t h = added(7, INBOUND);
    EXPECT(add(7, INBOUND | TUNNEL), ESPALIER_MAILBOX_STATUS_DUPLICATE, 0);
    EXPECT(add(0xF0F0F0F0u, INBOUND), ESPALIER_MAILBOX_STATUS_LOOKUP_FULL, 0);
    EXPECT(add(7, INBOUND | IPV6), ESPALIER_MAILBOX_STATUS_OK, 0);
    EXPECT(add(7, 0), ESPALIER_MAILBOX_STATUS_OK, 0);
    EXPECT(add(7, 0), ESPALIER_MAILBOX_STATUS_OK, 0);
    /* Full: said before a duplicate is looked for. */
    EXPECT(add(7, INBOUND), ESPALIER_MAILBOX_STATUS_NO_SPACE, 0);
    EXPECT(add(0, INBOUND), ESPALIER_MAILBOX_STATUS_BAD_RECORD, ESPALIER_MAILBOX_FIELD_SPI);
    CHECK(deleted(h) == 0, "delete");
    /* A refused ADD takes no slot. */
    EXPECT(add(7, INBOUND | IPV6), ESPALIER_MAILBOX_STATUS_DUPLICATE, 0);
    CHECK((added(7, INBOUND) & 0xFFFF) == (h & 0xFFFF), "the slot was lost");
}

static void test_engine_refuses(void)
{
    start(4);
    static const uint32_t results[] = {ESPALIER_SA_RESULT_BAD_OP,      ESPALIER_SA_RESULT_BAD_INDEX, ESPALIER_SA_RESULT_SLOT_IN_USE,
                                       ESPALIER_SA_RESULT_BAD_RECORD, ESPALIER_SA_RESULT_EMPTY_SLOT};
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        nic.engine_result = results[i];
        EXPECT(add(7, INBOUND), ESPALIER_MAILBOX_STATUS_HARDWARE, 0);
    }
    nic.engine_result = 0;
    CHECK(added(7, INBOUND) == 0x10000, "the first slot was lost");
}

static void test_update(void)
{
    start(8);
    uint32_t esn = added(5, ESN | INBOUND), plain = added(6, 0), gone = added(8, ESN);
    deleted(gone);
    command c = make(ESPALIER_MAILBOX_OP_UPDATE_SA, esn);
    c.spi = 5;
    c.esn_hi = 0xCAFE0001u;
    EXPECT(c, ESPALIER_MAILBOX_STATUS_OK, 0);
    const struct espalier_sa_record *record = &nic.sa[esn & 0xFFFF].record;
    CHECK(record->esn_hi == 0xCAFE0001u && record->spi == 5, "ESN_HI %#x", record->esn_hi);
    CHECK(nic.response[0][1] == esn, "handle %#x", nic.response[0][1]);
    c.spi = 6;
    EXPECT(c, ESPALIER_MAILBOX_STATUS_BAD_RECORD, ESPALIER_MAILBOX_FIELD_SPI);
    c.handle = plain;
    EXPECT(c, ESPALIER_MAILBOX_STATUS_NOT_ESN, 0);
    c.spi = 5; /* SPI before ESN */
    EXPECT(c, ESPALIER_MAILBOX_STATUS_BAD_RECORD, ESPALIER_MAILBOX_FIELD_SPI);
    uint32_t stale[] = {0, gone, gone + 0x10000, esn + 0x10000, esn & 0xFFFF, 0x1FFFF, 0x10008, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++) {
        c.handle = stale[i];
        EXPECT(c, ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE);
    }
}

static void test_delete_and_read_stale(void)
{
    start(8);
    uint32_t h = added(5, ESN | INBOUND), gone = added(8, ESN);
    CHECK(deleted(gone) == 0, "delete");
    uint32_t stale[] = {0, gone, gone + 0x10000, h + 0x10000, h & 0xFFFF, 0x1FFFF, 0x10008, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++) {
        EXPECT(make(ESPALIER_MAILBOX_OP_DELETE_SA, stale[i]), ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE);
        EXPECT(make(ESPALIER_MAILBOX_OP_READ_SA, stale[i]), ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE);
    }
    CHECK(nic.sa[h & 0xFFFF].live, "the other SA is gone");
    nic.busy_reads = 100000; /* a DELETE that waits for frames */
    CHECK(deleted(h) == 0 && !nic.sa[h & 0xFFFF].live, "long delete");
}

/* Slots never in use first; then the one freed longest ago. */
static void test_allocation_order(void)
{
    enum { N = 5 };
    start(N);
    uint32_t h[N];
    for (uint32_t i = 0; i < N; i++) {
        h[i] = added(100 + i, INBOUND);
        CHECK(h[i] == (0x10000 | i), "SA %u: handle %#x", i, h[i]);
    }
    EXPECT(add(1, 0), ESPALIER_MAILBOX_STATUS_NO_SPACE, 0);
    deleted(h[3]);
    deleted(h[0]);
    deleted(h[4]);
    CHECK((added(1, 0) & 0xFFFF) == 3 && (added(1, 0) & 0xFFFF) == 0, "not the slot freed first");
    deleted(h[1]);
    CHECK((added(1, 0) & 0xFFFF) == 4 && added(1, 0) == 0x20001, "not the slot freed first");
    EXPECT(add(1, 0), ESPALIER_MAILBOX_STATUS_NO_SPACE, 0);
    /* Around and around. */
    start(N);
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t handle = added(1, 0);
        CHECK((handle & 0xFFFF) == i % N && handle >> 16 == i / N + 1, "turn %u: handle %#x", i, handle);
        deleted(handle);
    }
}

static void test_restore(void)
{
    start(8);
    uint32_t h[6];
    for (uint32_t i = 0; i < 6; i++)
        h[i] = added(100 + i, INBOUND);
    nic_reset();
    nic_start();
    CHECK(nic.report == (PASSED | READY), "report %#x", nic.report);

    command c = add(103, INBOUND | ESN);
    c.header = ESPALIER_MAILBOX_OP_RESTORE_SA | 0x00770000;
    c.handle = h[3] + 0x10000;
    EXPECT(c, ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE);
    c.handle = 0x10008; /* no such slot */
    EXPECT(c, ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE);
    c.handle = 0x10007; /* never used: generation 0 */
    EXPECT(c, ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE);
    c.handle = h[3];
    EXPECT(c, ESPALIER_MAILBOX_STATUS_OK, 0);
    CHECK(nic.response[0][1] == h[3] && nic.sa[3].live && nic.sa[3].generation == h[3] >> 16, "not under its handle");
    CHECK(memcmp(&nic.sa[3].record, &c.spi, sizeof nic.sa[3].record) == 0, "another record");
    EXPECT(c, ESPALIER_MAILBOX_STATUS_SLOT_IN_USE, ESPALIER_MAILBOX_FIELD_HANDLE);
    c.handle = h[3] & 0xFFFF; /* in use goes before the generation */
    EXPECT(c, ESPALIER_MAILBOX_STATUS_SLOT_IN_USE, ESPALIER_MAILBOX_FIELD_HANDLE);
    c.handle = h[1];
    EXPECT(c, ESPALIER_MAILBOX_STATUS_DUPLICATE, 0);
    c.handle = h[1] + 0x10000; /* the handle goes before the duplicate */
    EXPECT(c, ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE);
    c.handle = h[1];
    c.spi = 0xF0F0F0F0u;
    EXPECT(c, ESPALIER_MAILBOX_STATUS_LOOKUP_FULL, 0);
    c.spi = 101;
    EXPECT(c, ESPALIER_MAILBOX_STATUS_OK, 0);

    /* ADD leaves out what was restored; a slot restored and freed comes after all others. */
    CHECK(deleted(h[1]) == 0, "delete");
    static const uint32_t order[] = {0, 2, 4, 5, 6, 7, 1};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        uint32_t handle = added(500, 0);
        CHECK((handle & 0xFFFF) == order[i], "slot %u instead of %u", handle & 0xFFFF, order[i]);
        h[i < 6 ? i : 5] = handle;
    }
    EXPECT(add(1, 0), ESPALIER_MAILBOX_STATUS_NO_SPACE, 0);

    /* Deleted and restored without a reset: out of the middle of the free slots. */
    CHECK(deleted(h[0]) == 0 && deleted(h[2]) == 0 && deleted(h[3]) == 0, "delete"); /* slots 0, 4, 5 */
    c = add(42, 0);
    c.header = ESPALIER_MAILBOX_OP_RESTORE_SA;
    c.handle = h[2];
    EXPECT(c, ESPALIER_MAILBOX_STATUS_OK, 0);
    CHECK((added(1, 0) & 0xFFFF) == 0 && (added(1, 0) & 0xFFFF) == 5, "order after RESTORE_SA");
    EXPECT(add(1, 0), ESPALIER_MAILBOX_STATUS_NO_SPACE, 0);
    CHECK(deleted(h[2]) == 0 && (added(1, 0) & 0xFFFF) == 4, "slot 4 was lost");
}

static void test_next(void)
{
    start(100);
    for (uint32_t i = 0; i < 100; i++)
        added(100 + i, 0);
    for (uint32_t i = 0; i < 100; i++)
        if (i != 3 && i != 31 && i != 32 && i != 70)
            CHECK(deleted(0x10000 | i) == 0, "delete");
    static const uint32_t slots[][2] = {{0, 3}, {3, 3}, {4, 31}, {31, 31}, {32, 32}, {33, 70}, {70, 70}};
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        command c = make(ESPALIER_MAILBOX_OP_NEXT_SA, slots[i][0] | (i % 2 ? 0xABCD0000u : 0));
        response r = nic_call(&c);
        CHECK(status(r) == 0 && r.handle == (0x10000 | slots[i][1]) && r.spi == 100 + slots[i][1], "from %u: status %u handle %#x", slots[i][0],
              status(r), r.handle);
    }
    for (uint32_t i = 71; i < 0x10000; i = i < 128 ? i + 1 : i * 2)
        EXPECT(make(ESPALIER_MAILBOX_OP_NEXT_SA, i), ESPALIER_MAILBOX_STATUS_NO_MORE, 0);
}

static void test_take_over(void)
{
    start(64);
    uint32_t h[64];
    for (uint32_t i = 0; i < 40; i++)
        h[i] = added(100 + i, i % 2 ? INBOUND : 0);
    for (uint32_t i = 0; i < 40; i += 3)
        deleted(h[i]);
    static struct sa before[SLOTS_MAX];
    memcpy(before, nic.sa, sizeof before);
    nic.busy = 50; /* the operation that the last firmware began ends by itself */
    uint32_t tests = nic.selftests;
    nic_start();
    CHECK(memcmp(before, nic.sa, sizeof before) == 0, "taking over changed SAs");
    CHECK(nic.selftests == tests && nic.report == (PASSED | READY), "%u self-tests, report %#x", nic.selftests - tests, nic.report);
    CHECK(strstr(nic.log, "self-tests passed before\ntook over 26 SAs\nready\n"), "log:\n%s", nic.log);
    for (uint32_t i = 0; i < 40; i++)
        EXPECT(make(ESPALIER_MAILBOX_OP_READ_SA, h[i]), i % 3 ? 0 : ESPALIER_MAILBOX_STATUS_STALE_HANDLE, i % 3 ? 0 : ESPALIER_MAILBOX_FIELD_HANDLE);
    uint32_t room = 64 - 26;
    for (uint32_t i = 0; i < room; i++)
        added(1000 + i, 0);
    EXPECT(add(1, 0), ESPALIER_MAILBOX_STATUS_NO_SPACE, 0);
    for (uint32_t i = 0; i < 40; i++)
        CHECK(i % 3 == 0 || deleted(h[i]) == 0, "delete of %#x", h[i]);
    start(64); /* a whole word of the tables, and the slot behind it */
    for (uint32_t i = 0; i < 32; i++)
        added(100 + i, 0);
    nic_start();
    CHECK(added(1, 0) == 0x10020, "not the first free slot");
    start(4); /* no SA lives: nothing to take */
    nic_start();
    CHECK(!strstr(nic.log, "took over"), "log:\n%s", nic.log);
}

/* 32 commands at once, answered in the order of the doorbells, each in its slot. */
static void test_pipeline(void)
{
    start(64);
    for (uint32_t n = 0; n < MAILBOX_SLOTS; n++) {
        uint32_t slot = (n * 11 + 5) % MAILBOX_SLOTS;
        command c = add(1000 + n, 0);
        c.header = ESPALIER_MAILBOX_OP_ADD_SA | n << 16;
        nic_post(slot, &c);
    }
    nic_serve();
    CHECK(nic.done == UINT32_MAX, "done %#x", nic.done);
    for (uint32_t n = 0; n < MAILBOX_SLOTS; n++) {
        const uint32_t *r = nic.response[(n * 11 + 5) % MAILBOX_SLOTS];
        CHECK(r[0] == (ESPALIER_MAILBOX_OP_ADD_SA | n << 16) && r[1] == (0x10000 | n), "command %u: header %#x handle %#x", n, r[0], r[1]);
    }
}

/* Refusals are logged, and nothing that a host gave is. */
static void test_log(void)
{
    start(16);
    nic.logged = 0;
    memset(nic.log, 0, sizeof nic.log);
    EXPECT(make(200, 1), ESPALIER_MAILBOX_STATUS_BAD_OP, 0);
    EXPECT(add(0, 0), ESPALIER_MAILBOX_STATUS_BAD_RECORD, ESPALIER_MAILBOX_FIELD_SPI);
    EXPECT(make(ESPALIER_MAILBOX_OP_NEXT_SA, 0), ESPALIER_MAILBOX_STATUS_NO_MORE, 0);
    EXPECT(add(1, 0), 0, 0);
    CHECK(strcmp(nic.log, "refused op 200: status 1 field 0\nrefused op 1: status 2 field 1\n") == 0, "log:\n%s", nic.log);
}

/* 16,384 slots in the memory that they are said to need. */
static void test_large(void)
{
    nic_power_up(16384);
    nic.heap_bytes = 36864;
    nic_start();
    for (uint32_t i = 0; i < 16384; i++)
        CHECK(added(1 + i, 0) == (0x10000 | i), "SA %u", i);
    EXPECT(add(1, 0), ESPALIER_MAILBOX_STATUS_NO_SPACE, 0);
    nic_start();
    CHECK(strstr(nic.log, "took over 16384 SAs\n"), "log:\n%s", nic.log);
    EXPECT(add(1, 0), ESPALIER_MAILBOX_STATUS_NO_SPACE, 0);
    for (uint32_t i = 0; i < 16384; i += 5)
        CHECK(deleted(0x10000 | i) == 0, "delete of %u", i);
    for (uint32_t i = 0; i < 16384; i += 5)
        CHECK(added(1 + i, 0) == (0x20000 | i), "SA %u again", i);
    /* All freed, the last one restored: the longest way through the ring. */
    for (uint32_t i = 0; i < 16384; i++)
        CHECK(deleted(nic.sa[i].generation << 16 | i) == 0, "delete of %u", i);
    command c = add(42, 0);
    c.header = ESPALIER_MAILBOX_OP_RESTORE_SA;
    c.handle = 16383 | nic.sa[16383].generation << 16;
    uint32_t alive = nic.alive;
    EXPECT(c, ESPALIER_MAILBOX_STATUS_OK, 0);
    CHECK(nic.alive - alive > 16384 / 100, "%u heartbeats in a long search", nic.alive - alive);
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"start", test_start},
    {"selftest-generations", test_selftest_generations},
    {"selftest-failures", test_selftest_failures},
    {"memory", test_memory},
    {"unknown-operations", test_unknown_operations},
    {"add-and-read", test_add_and_read},
    {"bad-records", test_bad_records},
    {"duplicates-and-lookup", test_duplicates_and_lookup},
    {"engine-refuses", test_engine_refuses},
    {"update", test_update},
    {"delete-and-read-stale", test_delete_and_read_stale},
    {"allocation-order", test_allocation_order},
    {"restore", test_restore},
    {"next", test_next},
    {"take-over", test_take_over},
    {"pipeline", test_pipeline},
    {"log", test_log},
    {"large", test_large},
};

void run_tests(const char *name)
{
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        if (name && strcmp(name, tests[i].name) != 0)
            continue;
        failures = 0;
        tests[i].run();
        CHECK(nic.broken[0] == 0, "the firmware breaks a rule: %s", nic.broken);
        printf("%s %s\n", failures ? "FAIL" : "ok", tests[i].name);
    }
}
