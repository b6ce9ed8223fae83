/* SPDX-License-Identifier: Apache-2.0
 *
 * Refusals come in the order of docs/nic-contract.md. What the SA engine itself refuses
 * in the right order is left to it.
 */
#include "commands.h"

#include "slots.h"
#include "window.h"

/* The register of a field of the command. */
#define COMMAND(field) (command + (uint32_t)offsetof(struct espalier_mailbox_command, field))

static uint32_t rx_queues;       /* queues that an SA may name */
static uint32_t encryption;      /* CAP_ALG.ENCRYPTION: a bit per key length, from bit 3 on */
static uint32_t capacity;        /* SA slots */

void commands_init(void)
{
    rx_queues = ESPALIER_GET(hw_read(HW(ESPALIER_CAP_SIZE_OFFSET)), ESPALIER_CAP_SIZE_NUM_RXQ);
    encryption = ESPALIER_GET(hw_read(HW(ESPALIER_CAP_ALG_OFFSET)), ESPALIER_CAP_ALG_ENCRYPTION);
    capacity = ESPALIER_GET(hw_read(HW(ESPALIER_CAP_SA_OFFSET)), ESPALIER_CAP_SA_CAPACITY);
}

static struct answer refuse(uint32_t status, uint32_t field, uint32_t handle)
{
    return (struct answer){.status = status, .field = field, .handle = handle};
}

static struct answer done(uint32_t handle)
{
    return (struct answer){.handle = handle};
}

static struct answer done_with_record(uint32_t handle)
{
    return (struct answer){.handle = handle, .record = true};
}

static uint32_t slot_of(uint32_t handle)
{
    return ESPALIER_GET(handle, ESPALIER_SA_HANDLE_INDEX);
}

/* Copies one word of the record from the command into the window. */
#define COPY(field) hw_write(WINDOW(field), hw_read(COMMAND(field)))

/* Checks the record of a command and copies all but its secrets into the window. Returns
 * the field at fault, or NONE. */
static uint32_t check_record(uint32_t command)
{
    const uint32_t known = ESPALIER_SA_FLAGS_INBOUND_MASK | ESPALIER_SA_FLAGS_IPV6_MASK | ESPALIER_SA_FLAGS_TUNNEL_MASK |
                           ESPALIER_SA_FLAGS_ESN_MASK | ESPALIER_SA_FLAGS_KEYLEN_MASK | ESPALIER_SA_FLAGS_RX_QUEUE_MASK;
    uint32_t spi = hw_read(COMMAND(spi));
    if (spi == 0)
        return ESPALIER_MAILBOX_FIELD_SPI;
    hw_write(WINDOW(spi), spi);

    uint32_t flags = hw_read(COMMAND(flags));
    if (!(encryption >> (3 + ESPALIER_GET(flags, ESPALIER_SA_FLAGS_KEYLEN)) & 1))
        return ESPALIER_MAILBOX_FIELD_KEYLEN;
    if (ESPALIER_GET(flags, ESPALIER_SA_FLAGS_RX_QUEUE) >= rx_queues)
        return ESPALIER_MAILBOX_FIELD_RX_QUEUE;
    if (flags & ~known)
        return ESPALIER_MAILBOX_FIELD_FLAGS;
    hw_write(WINDOW(flags), flags);
    COPY(esn_hi);

    COPY(dst[0]);
    uint32_t d1 = hw_read(COMMAND(dst[1])), d2 = hw_read(COMMAND(dst[2])), d3 = hw_read(COMMAND(dst[3]));
    hw_write(WINDOW(dst[1]), d1);
    hw_write(WINDOW(dst[2]), d2);
    hw_write(WINDOW(dst[3]), d3);
    bool ipv4 = !(flags & ESPALIER_SA_FLAGS_IPV6_MASK);
    if (ipv4 && (d1 | d2 | d3) != 0)
        return ESPALIER_MAILBOX_FIELD_DST;

    COPY(src[0]);
    uint32_t s1 = hw_read(COMMAND(src[1])), s2 = hw_read(COMMAND(src[2])), s3 = hw_read(COMMAND(src[3]));
    hw_write(WINDOW(src[1]), s1);
    hw_write(WINDOW(src[2]), s2);
    hw_write(WINDOW(src[3]), s3);
    if (ipv4 && (s1 | s2 | s3) != 0)
        return ESPALIER_MAILBOX_FIELD_SRC;
    return ESPALIER_MAILBOX_FIELD_NONE;
}

/* Word by word through a register: no copy of a key is ever in memory. The engine clears
 * these words of the window when its operation ends. */
static void copy_secrets(uint32_t command)
{
    COPY(salt);
    COPY(key[0]);
    COPY(key[1]);
    COPY(key[2]);
    COPY(key[3]);
    COPY(key[4]);
    COPY(key[5]);
    COPY(key[6]);
    COPY(key[7]);
}

/* What an installing operation of the SA engine ended with, as the mailbox says it. */
static struct answer install_answer(uint32_t result, uint32_t handle)
{
    switch (result) {
    case ESPALIER_SA_RESULT_OK:
        return done(handle);
    case ESPALIER_SA_RESULT_STALE_HANDLE:
        return refuse(ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE, handle);
    case ESPALIER_SA_RESULT_DUPLICATE:
        return refuse(ESPALIER_MAILBOX_STATUS_DUPLICATE, ESPALIER_MAILBOX_FIELD_NONE, handle);
    case ESPALIER_SA_RESULT_LOOKUP_FULL:
        return refuse(ESPALIER_MAILBOX_STATUS_LOOKUP_FULL, ESPALIER_MAILBOX_FIELD_NONE, handle);
    default:
        return refuse(ESPALIER_MAILBOX_STATUS_HARDWARE, ESPALIER_MAILBOX_FIELD_NONE, handle);
    }
}

static struct answer add(uint32_t command, uint32_t handle)
{
    uint32_t field = check_record(command);
    if (field != ESPALIER_MAILBOX_FIELD_NONE)
        return refuse(ESPALIER_MAILBOX_STATUS_BAD_RECORD, field, handle);
    uint32_t slot = slots_peek();
    if (slot == SLOTS_NONE)
        return refuse(ESPALIER_MAILBOX_STATUS_NO_SPACE, ESPALIER_MAILBOX_FIELD_NONE, handle);
    copy_secrets(command);
    uint32_t result = window_run(ESPALIER_SA_OP_ADD, slot);
    if (result != ESPALIER_SA_RESULT_OK)
        return install_answer(result, handle);
    slots_take();
    return done(hw_read(HW(ESPALIER_SA_HANDLE_OFFSET)));
}

static struct answer restore(uint32_t command, uint32_t handle)
{
    uint32_t field = check_record(command);
    if (field != ESPALIER_MAILBOX_FIELD_NONE)
        return refuse(ESPALIER_MAILBOX_STATUS_BAD_RECORD, field, handle);
    uint32_t slot = slot_of(handle);
    if (slot >= capacity)
        return refuse(ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE, handle);
    if (slots_used(slot))
        return refuse(ESPALIER_MAILBOX_STATUS_SLOT_IN_USE, ESPALIER_MAILBOX_FIELD_HANDLE, handle);
    copy_secrets(command);
    uint32_t result = window_run(ESPALIER_SA_OP_RESTORE, handle);
    if (result == ESPALIER_SA_RESULT_OK)
        slots_claim(slot);
    return install_answer(result, handle);
}

/* Reads the SA of a handle into the window; false if the handle names none. */
static bool read_sa(uint32_t handle)
{
    return window_run(ESPALIER_SA_OP_READ, handle) == ESPALIER_SA_RESULT_OK && hw_read(HW(ESPALIER_SA_HANDLE_OFFSET)) == handle;
}

static struct answer update(uint32_t command, uint32_t handle)
{
    if (!read_sa(handle))
        return refuse(ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE, handle);
    if (hw_read(WINDOW(spi)) != hw_read(COMMAND(spi)))
        return refuse(ESPALIER_MAILBOX_STATUS_BAD_RECORD, ESPALIER_MAILBOX_FIELD_SPI, handle);
    if (!(hw_read(WINDOW(flags)) & ESPALIER_SA_FLAGS_ESN_MASK))
        return refuse(ESPALIER_MAILBOX_STATUS_NOT_ESN, ESPALIER_MAILBOX_FIELD_NONE, handle);
    COPY(esn_hi);
    if (window_run(ESPALIER_SA_OP_UPDATE, handle) != ESPALIER_SA_RESULT_OK)
        return refuse(ESPALIER_MAILBOX_STATUS_HARDWARE, ESPALIER_MAILBOX_FIELD_NONE, handle);
    return done(handle);
}

static struct answer delete(uint32_t handle)
{
    switch (window_run(ESPALIER_SA_OP_DELETE, handle)) {
    case ESPALIER_SA_RESULT_OK:
        slots_free(slot_of(handle));
        return done(handle);
    case ESPALIER_SA_RESULT_BAD_INDEX:
    case ESPALIER_SA_RESULT_STALE_HANDLE:
        return refuse(ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE, handle);
    default:
        return refuse(ESPALIER_MAILBOX_STATUS_HARDWARE, ESPALIER_MAILBOX_FIELD_NONE, handle);
    }
}

static struct answer next(uint32_t handle)
{
    uint32_t slot = slots_used_from(slot_of(handle));
    if (slot == SLOTS_NONE)
        return refuse(ESPALIER_MAILBOX_STATUS_NO_MORE, ESPALIER_MAILBOX_FIELD_NONE, handle);
    if (window_run(ESPALIER_SA_OP_READ, slot) != ESPALIER_SA_RESULT_OK)
        return refuse(ESPALIER_MAILBOX_STATUS_HARDWARE, ESPALIER_MAILBOX_FIELD_NONE, handle);
    return done_with_record(hw_read(HW(ESPALIER_SA_HANDLE_OFFSET)));
}

struct answer command_execute(uint32_t command, uint32_t opcode)
{
    uint32_t handle = hw_read(COMMAND(handle));
    switch (opcode) {
    case ESPALIER_MAILBOX_OP_NOP:
        return done(handle);
    case ESPALIER_MAILBOX_OP_ADD_SA:
        return add(command, handle);
    case ESPALIER_MAILBOX_OP_RESTORE_SA:
        return restore(command, handle);
    case ESPALIER_MAILBOX_OP_UPDATE_SA:
        return update(command, handle);
    case ESPALIER_MAILBOX_OP_DELETE_SA:
        return delete(handle);
    case ESPALIER_MAILBOX_OP_READ_SA:
        if (!read_sa(handle))
            return refuse(ESPALIER_MAILBOX_STATUS_STALE_HANDLE, ESPALIER_MAILBOX_FIELD_HANDLE, handle);
        return done_with_record(handle);
    case ESPALIER_MAILBOX_OP_NEXT_SA:
        return next(handle);
    default:
        return refuse(ESPALIER_MAILBOX_STATUS_BAD_OP, ESPALIER_MAILBOX_FIELD_NONE, handle);
    }
}

uint32_t commands_take_over(void)
{
    uint32_t live = hw_read(HW(ESPALIER_CP_SA_LIVE_OFFSET)), found = 0;
    for (uint32_t slot = 0; slot < capacity && found < live; slot++) {
        hw_alive();
        if (window_run(ESPALIER_SA_OP_READ, slot) == ESPALIER_SA_RESULT_OK) {
            slots_claim(slot);
            found++;
        }
    }
    return found;
}
