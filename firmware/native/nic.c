/* SPDX-License-Identifier: Apache-2.0 */
#include "nic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware.h"
#include "hw.h"
#include "selftest_vectors.h"

struct nic nic;

/* Register accesses that a watchdog would see without a heartbeat between. */
enum { SILENCE_MAX = 600 };

static void broken(const char *format, ...)
{
    if (nic.broken[0])
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(nic.broken, sizeof nic.broken, format, args);
    va_end(args);
}

void nic_power_up(uint32_t capacity)
{
    memset(&nic, 0, sizeof nic);
    nic.capacity = capacity;
    nic.queues = 4;
    nic.encryption = 0x38;
    nic.heap_bytes = 64 << 10;
    nic.restored_front = UINT32_MAX;
}

void nic_reset(void)
{
    for (uint32_t i = 0; i < nic.capacity; i++)
        nic.sa[i] = (struct sa){.generation = nic.sa[i].generation};
    nic.report = 0;
}

void nic_start(void)
{
    nic.queued = nic.pending = nic.taken = nic.done = 0;
    nic.logged = 0;
    memset(nic.log, 0, sizeof nic.log);
    nic.report &= ESPALIER_CP_REPORT_SELFTEST_PASSED_MASK;
    nic.silence = 0;
    firmware_start();
}

/* ---------------------------------------------------------------------------
 * SA engine */

bool nic_lookup_full(const struct espalier_sa_record *record)
{
    return record->flags & ESPALIER_SA_FLAGS_INBOUND_MASK && record->spi == 0xF0F0F0F0u;
}

static bool duplicate(const struct espalier_sa_record *r)
{
    const uint32_t key = ESPALIER_SA_FLAGS_INBOUND_MASK | ESPALIER_SA_FLAGS_IPV6_MASK;
    if (!(r->flags & ESPALIER_SA_FLAGS_INBOUND_MASK))
        return false;
    for (uint32_t i = 0; i < nic.capacity; i++) {
        const struct espalier_sa_record *o = &nic.sa[i].record;
        if (nic.sa[i].live && o->spi == r->spi && (o->flags & key) == (r->flags & key) &&
            memcmp(o->dst, r->dst, sizeof r->dst) == 0)
            return true;
    }
    return false;
}

static bool bad_record(const struct espalier_sa_record *r)
{
    bool ipv4 = !(r->flags & ESPALIER_SA_FLAGS_IPV6_MASK);
    return r->spi == 0 || ESPALIER_GET(r->flags, ESPALIER_SA_FLAGS_KEYLEN) == 3 ||
           ESPALIER_GET(r->flags, ESPALIER_SA_FLAGS_RX_QUEUE) >= nic.queues ||
           (ipv4 && (r->dst[1] | r->dst[2] | r->dst[3] | r->src[1] | r->src[2] | r->src[3]));
}

static uint32_t install(struct sa *sa, bool restore)
{
    if (bad_record(&nic.window))
        return ESPALIER_SA_RESULT_BAD_RECORD;
    if (sa->live)
        return ESPALIER_SA_RESULT_SLOT_IN_USE;
    if (restore && sa->generation != nic.handle >> 16)
        return ESPALIER_SA_RESULT_STALE_HANDLE;
    if (duplicate(&nic.window))
        return ESPALIER_SA_RESULT_DUPLICATE;
    if (nic_lookup_full(&nic.window))
        return ESPALIER_SA_RESULT_LOOKUP_FULL;
    if (nic.engine_result)
        return nic.engine_result;
    if (!restore)
        sa->generation = sa->generation == 0xFFFF ? 1 : sa->generation + 1;
    sa->live = true;
    sa->record = nic.window;
    /* What has no meaning is not kept. */
    sa->record.flags &= 0xF3F;
    if (!restore)
        nic.handle = sa->generation << 16 | (nic.handle & 0xFFFF);
    return ESPALIER_SA_RESULT_OK;
}

static bool faulty(enum selftest_fault fault, uint32_t keylen)
{
    return nic.fault == fault && nic.fault_keylen == keylen;
}

static uint32_t operate(uint32_t op)
{
    if (op > ESPALIER_SA_OP_RESTORE)
        return ESPALIER_SA_RESULT_BAD_OP;
    if (op == ESPALIER_SA_OP_NOP)
        return ESPALIER_SA_RESULT_OK;
    if ((nic.handle & 0xFFFF) >= nic.capacity)
        return ESPALIER_SA_RESULT_BAD_INDEX;
    struct sa *sa = &nic.sa[nic.handle & 0xFFFF];
    bool names = sa->live && sa->generation == nic.handle >> 16;
    switch (op) {
    case ESPALIER_SA_OP_READ:
        if (!sa->live)
            return ESPALIER_SA_RESULT_EMPTY_SLOT;
        nic.window = sa->record;
        nic.handle = sa->generation << 16 | (nic.handle & 0xFFFF);
        for (uint32_t i = 0; i < 8; i++)
            nic.counters[i] = nic.handle * 2654435761u + i;
        return ESPALIER_SA_RESULT_OK;
    case ESPALIER_SA_OP_UPDATE:
        if (!names)
            return ESPALIER_SA_RESULT_STALE_HANDLE;
        sa->record.esn_hi = nic.window.esn_hi;
        return ESPALIER_SA_RESULT_OK;
    case ESPALIER_SA_OP_DELETE:
        if (!names || (nic.selftests && faulty(SELFTEST_KEY_STAYS, ESPALIER_GET(sa->record.flags, ESPALIER_SA_FLAGS_KEYLEN))))
            return ESPALIER_SA_RESULT_STALE_HANDLE;
        *sa = (struct sa){.generation = sa->generation};
        return ESPALIER_SA_RESULT_OK;
    case ESPALIER_SA_OP_RESTORE:
        if (faulty(SELFTEST_KEY_REFUSED, ESPALIER_GET(nic.window.flags, ESPALIER_SA_FLAGS_KEYLEN)) && nic.window.key[0] != 0)
            return ESPALIER_SA_RESULT_LOOKUP_FULL;
        if ((nic.handle & 0xFFFF) < nic.restored_front)
            nic.restored_front = nic.handle & 0xFFFF;
        return install(sa, true);
    default:
        return install(sa, false);
    }
}

static void window_write(uint32_t offset, uint32_t value)
{
    if (nic.busy) {
        broken("write of %#x while an SA operation runs", offset);
        return;
    }
    if (offset == ESPALIER_SA_CMD_OFFSET) {
        nic.operations[value & 7]++;
        nic.result = operate(value & 7);
        nic.window.salt = 0;
        memset(nic.window.key, 0, sizeof nic.window.key);
        nic.busy = nic.busy_reads;
    } else if (offset == ESPALIER_SA_HANDLE_OFFSET) {
        nic.handle = value;
    } else if (offset >= ESPALIER_SA_SPI_OFFSET && offset < ESPALIER_SA_SPI_OFFSET + sizeof nic.window) {
        uint32_t word = (offset - ESPALIER_SA_SPI_OFFSET) / 4;
        ((uint32_t *)&nic.window)[word] = value;
    } else {
        broken("write of %#x", offset);
    }
}

static uint32_t window_read(uint32_t offset)
{
    if (offset == ESPALIER_SA_STATUS_OFFSET) {
        if (nic.busy) {
            nic.busy--;
            return ESPALIER_SA_STATUS_BUSY_MASK;
        }
        return nic.result << ESPALIER_SA_STATUS_RESULT_SHIFT;
    }
    if (nic.busy)
        broken("read of %#x while an SA operation runs", offset);
    if (offset == ESPALIER_SA_HANDLE_OFFSET)
        return nic.handle;
    if (offset >= ESPALIER_SA_COUNTERS_OFFSET(0) && offset < ESPALIER_SA_COUNTERS_OFFSET(8))
        return nic.counters[(offset - ESPALIER_SA_COUNTERS_OFFSET(0)) / 4];
    if (offset >= ESPALIER_SA_SPI_OFFSET && offset < ESPALIER_SA_KEY_OFFSET(0) && offset != ESPALIER_SA_SALT_OFFSET)
        return ((uint32_t *)&nic.window)[(offset - ESPALIER_SA_SPI_OFFSET) / 4];
    broken("read of %#x", offset);
    return 0;
}

/* ---------------------------------------------------------------------------
 * Self-tests: a crypt unit that knows the frames of the vectors and no others. Whether
 * those are right, TestVectors and the RTL tell. */

static void selftest(uint32_t start)
{
    uint32_t at = ESPALIER_GET(start, ESPALIER_CP_SELFTEST_ESP_OFFSET), length = ESPALIER_GET(start, ESPALIER_CP_SELFTEST_LENGTH);
    uint32_t payload = ESPALIER_GET(start, ESPALIER_CP_SELFTEST_PAYLOAD), keylen = ESPALIER_GET(start, ESPALIER_CP_SELFTEST_KEYLEN);
    bool rx = start & ESPALIER_CP_SELFTEST_RX_MASK;
    nic.selftests++;
    if (nic.selftest_busy)
        broken("self-test started while one runs");
    if (at % 4 || at < 34 || length > sizeof nic.frame || at + payload + 32 != length || payload == 0) {
        broken("self-test with lengths %u, %u, %u", at, payload, length);
        return;
    }
    const struct sa *sa = nic.selftest_slot < nic.capacity ? &nic.sa[nic.selftest_slot] : NULL;
    const struct vector *v = NULL;
    for (size_t i = 0; sa && i < sizeof vectors / sizeof vectors[0]; i++) {
        if (sa->live && (sa->record.flags & ESPALIER_SA_FLAGS_INBOUND_MASK) == rx && vectors[i].keylen == keylen && ESPALIER_GET(sa->record.flags, ESPALIER_SA_FLAGS_KEYLEN) == keylen &&
            memcmp(sa->record.key, vectors[i].key, vectors[i].bits / 8) == 0 && vectors[i].salt == nic.selftest_salt &&
            vectors[i].words * 4 == payload)
            v = &vectors[i];
    }
    uint32_t *esp = nic.frame + at / 4, *text = esp + 4, *icv = text + payload / 4;
    uint32_t result = rx ? ESPALIER_SELFTEST_RESULT_AUTH : ESPALIER_SELFTEST_RESULT_SYNTAX;
    if (v && !rx) {
        uint32_t empty[4] = {0};
        if (memcmp(esp, v->sent, 8) == 0 && memcmp(esp + 2, empty, 8) == 0 && memcmp(text, v->plain, payload) == 0 &&
            memcmp(icv, empty, 16) == 0) {
            memcpy(esp, v->sent, payload + 32);
            result = ESPALIER_SELFTEST_RESULT_OK;
            esp[4] ^= faulty(SELFTEST_ENCRYPTS_WRONG, keylen);
            icv[3] ^= (uint32_t)faulty(SELFTEST_ICV_WRONG, keylen) << 31;
        }
    }
    if (v && rx) {
        bool forged = memcmp(icv, v->received + 4 + payload / 4, 16) != 0;
        if (memcmp(esp, v->received, payload + 16) == 0) {
            if (!forged || faulty(SELFTEST_TAKES_FORGED, keylen))
                result = ESPALIER_SELFTEST_RESULT_OK;
            if (result == ESPALIER_SELFTEST_RESULT_OK || faulty(SELFTEST_LEAKS_FORGED, keylen))
                memcpy(text, v->plain, payload);
            if (faulty(SELFTEST_DECRYPTS_WRONG, keylen))
                text[payload / 4 - 1] ^= 0x80000000u;
            if (faulty(SELFTEST_REFUSES_GOOD, keylen))
                result = ESPALIER_SELFTEST_RESULT_AUTH;
        }
    }
    if (faulty(SELFTEST_TOUCHES_FRONT, keylen))
        nic.frame[at / 4 - 1] ^= 1;
    if (faulty(SELFTEST_SHORT, keylen))
        length--;
    nic.selftest_status = result << ESPALIER_CP_SELFTEST_STATUS_RESULT_SHIFT | length << ESPALIER_CP_SELFTEST_STATUS_LENGTH_SHIFT;
    nic.selftest_busy = nic.busy_reads;
}

/* ---------------------------------------------------------------------------
 * Mailbox */

static void answer(uint32_t slot)
{
    if (slot >= MAILBOX_SLOTS || !(nic.taken & 1u << slot)) {
        broken("slot %u answered, but not taken", slot);
        return;
    }
    const struct espalier_mailbox_command *c = (const struct espalier_mailbox_command *)nic.command[slot];
    uint32_t left = c->salt;
    for (uint32_t i = 0; i < 8; i++)
        left |= c->key[i];
    if (left)
        broken("slot %u answered with secrets in its command", slot);
    nic.taken &= ~(1u << slot);
    nic.pending &= ~(1u << slot);
    nic.done |= 1u << slot;
}

static uint32_t take(void)
{
    if (nic.queued == 0)
        return 0;
    uint32_t slot = nic.queue[0];
    memmove(nic.queue, nic.queue + 1, --nic.queued * sizeof nic.queue[0]);
    nic.taken |= 1u << slot;
    return slot | ESPALIER_CP_NEXT_VALID_MASK;
}

/* The word of a mailbox page, for a slot that the firmware has taken. */
static uint32_t *word(uint32_t pages[MAILBOX_SLOTS][32], uint32_t at, uint32_t offset)
{
    uint32_t slot = at / 128;
    if (!(nic.taken & 1u << slot))
        broken("access of %#x, in a slot not taken", offset);
    return &pages[slot][at % 128 / 4];
}

void nic_post(uint32_t slot, const struct espalier_mailbox_command *command)
{
    memcpy(nic.command[slot], command, sizeof *command);
    nic.pending |= 1u << slot;
    nic.done &= ~(1u << slot);
    nic.queue[nic.queued++] = slot;
}

void nic_serve(void)
{
    for (uint32_t turns = 0; nic.pending && turns < 100; turns++)
        firmware_turn();
    if (nic.pending)
        broken("slots %#x are not answered", nic.pending);
}

struct espalier_mailbox_response nic_call(const struct espalier_mailbox_command *command)
{
    struct espalier_mailbox_response response;
    nic_post(0, command);
    nic_serve();
    memcpy(&response, nic.response[0], sizeof response);
    return response;
}

/* ---------------------------------------------------------------------------
 * The processor's accesses */

static uint32_t offset_of(uint32_t address)
{
    uint32_t offset = address - HW_BASE;
    if (offset >= ESPALIER_BAR_SIZE || offset % 4)
        broken("access of address %#x", address);
    nic.cycles += 7;
    if (++nic.silence > SILENCE_MAX)
        broken("%d accesses without a heartbeat", SILENCE_MAX);
    return offset;
}

uint32_t hw_read(uint32_t address)
{
    uint32_t offset = offset_of(address);
    if (offset >= 0x1000 && offset < 0x2000)
        return window_read(offset);
    if (offset >= ESPALIER_MBOX_COMMAND_HEADER_OFFSET && offset < ESPALIER_MBOX_RESPONSE_HEADER_OFFSET)
        return *word(nic.command, offset - ESPALIER_MBOX_COMMAND_HEADER_OFFSET, offset);
    if (offset >= ESPALIER_CP_SELFTEST_FRAME_OFFSET(0) && offset < ESPALIER_CP_SELFTEST_FRAME_OFFSET(64))
        return nic.frame[(offset - ESPALIER_CP_SELFTEST_FRAME_OFFSET(0)) / 4];
    switch (offset) {
    case ESPALIER_CAP_SIZE_OFFSET:
        return nic.queues << ESPALIER_CAP_SIZE_NUM_RXQ_SHIFT;
    case ESPALIER_CAP_SA_OFFSET:
        return nic.capacity;
    case ESPALIER_CAP_ALG_OFFSET:
        return nic.encryption;
    case ESPALIER_STATUS_OFFSET:
        if (nic.not_ready_reads) {
            nic.not_ready_reads--;
            return 0;
        }
        return ESPALIER_STATUS_READY_MASK;
    case ESPALIER_CYCLES_LO_OFFSET:
        return nic.cycles;
    case ESPALIER_CP_STATUS_OFFSET:
        return nic.report & ESPALIER_CP_STATUS_SELFTEST_PASSED_MASK;
    case ESPALIER_CP_NEXT_OFFSET:
        return take();
    case ESPALIER_CP_SA_LIVE_OFFSET: {
        uint32_t live = 0;
        for (uint32_t i = 0; i < nic.capacity; i++)
            live += nic.sa[i].live;
        return live;
    }
    case ESPALIER_CP_SELFTEST_STATUS_OFFSET:
        if (nic.selftest_busy) {
            nic.selftest_busy--;
            return ESPALIER_CP_SELFTEST_STATUS_BUSY_MASK;
        }
        return nic.selftest_status;
    default:
        broken("read of %#x", offset);
        return 0;
    }
}

void hw_write(uint32_t address, uint32_t value)
{
    uint32_t offset = offset_of(address);
    if (offset >= 0x1000 && offset < 0x2000) {
        window_write(offset, value);
        return;
    }
    if (offset >= ESPALIER_MBOX_COMMAND_HEADER_OFFSET && offset < ESPALIER_MBOX_RESPONSE_HEADER_OFFSET) {
        *word(nic.command, offset - ESPALIER_MBOX_COMMAND_HEADER_OFFSET, offset) = value;
        return;
    }
    if (offset >= ESPALIER_MBOX_RESPONSE_HEADER_OFFSET && offset < ESPALIER_CP_LOG_OFFSET(0)) {
        *word(nic.response, offset - ESPALIER_MBOX_RESPONSE_HEADER_OFFSET, offset) = value;
        return;
    }
    if (offset >= ESPALIER_CP_SELFTEST_FRAME_OFFSET(0) && offset < ESPALIER_CP_SELFTEST_FRAME_OFFSET(64)) {
        nic.frame[(offset - ESPALIER_CP_SELFTEST_FRAME_OFFSET(0)) / 4] = value;
        return;
    }
    switch (offset) {
    case ESPALIER_CP_ALIVE_OFFSET:
        nic.alive++;
        nic.silence = 0;
        break;
    case ESPALIER_CP_REPORT_OFFSET:
        nic.report |= value;
        break;
    case ESPALIER_CP_SET_VERSION_OFFSET:
        nic.version = value;
        break;
    case ESPALIER_CP_SET_BUILD_OFFSET:
        nic.build = value;
        break;
    case ESPALIER_CP_LOG_PUT_OFFSET:
        if (value != '\n' && (value < ' ' || value > '~'))
            broken("byte %#x in the log", value);
        if (nic.logged < LOG_BYTES - 1)
            nic.log[nic.logged++] = (char)value;
        break;
    case ESPALIER_CP_ANSWER_OFFSET:
        answer(value);
        break;
    case ESPALIER_CP_SELFTEST_OFFSET:
        selftest(value);
        break;
    case ESPALIER_CP_SELFTEST_SA_OFFSET:
        nic.selftest_slot = value;
        break;
    case ESPALIER_CP_SELFTEST_SALT_OFFSET:
        nic.selftest_salt = value;
        break;
    case ESPALIER_CP_SELFTEST_ESN_HI_OFFSET:
        break;
    default:
        broken("write of %#x", offset);
    }
}

void *hw_heap(uint32_t *bytes)
{
    /* Of exactly this size, so that the sanitizer sees what is outside. */
    static void *heap;
    free(heap);
    heap = malloc(nic.heap_bytes ? nic.heap_bytes : 1);
    if (!heap)
        abort();
    memset(heap, 0xA5, nic.heap_bytes);
    *bytes = nic.heap_bytes;
    return heap;
}
