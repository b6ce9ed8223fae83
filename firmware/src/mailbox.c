/* SPDX-License-Identifier: Apache-2.0 */
#include "mailbox.h"

#include "commands.h"
#include "faults.h"
#include "hw.h"
#include "log.h"
#include "window.h"

#define COMMAND(field) (command + (uint32_t)offsetof(struct espalier_mailbox_command, field))
#define RESPONSE(field) (response + (uint32_t)offsetof(struct espalier_mailbox_response, field))
#define COUNTERS(i) HW(ESPALIER_SA_COUNTERS_OFFSET(i))

/* Response slots whose record is not zero; all of them may hold one from before a start. */
static uint32_t records;

void mailbox_init(void)
{
    records = UINT32_MAX;
}

static void clear_secrets(uint32_t command)
{
    hw_write(COMMAND(salt), 0);
    hw_write(COMMAND(key[0]), 0);
    hw_write(COMMAND(key[1]), 0);
    hw_write(COMMAND(key[2]), 0);
    hw_write(COMMAND(key[3]), 0);
    hw_write(COMMAND(key[4]), 0);
    hw_write(COMMAND(key[5]), 0);
    hw_write(COMMAND(key[6]), 0);
    hw_write(COMMAND(key[7]), 0);
}

#define COPY(field) hw_write(RESPONSE(field), hw_read(WINDOW(field)))

/* From the SA window; the words between stay zero. */
static void copy_record(uint32_t response)
{
    COPY(spi);
    COPY(flags);
    COPY(esn_hi);
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) {
        COPY(dst[i]);
        COPY(src[i]);
    }
#pragma GCC unroll 8
    for (uint32_t i = 0; i < ESPALIER_SA_COUNTERS_COUNT; i++)
        hw_write(RESPONSE(counters[i]), hw_read(COUNTERS(i)));
}

static void clear_record(uint32_t response)
{
    const uint32_t words = (sizeof(struct espalier_mailbox_response) - offsetof(struct espalier_mailbox_response, spi)) / 4;
#pragma GCC unroll 32
    for (uint32_t i = 0; i < words; i++)
        hw_write(RESPONSE(spi) + 4 * i, 0);
}

static void log_refusal(uint32_t opcode, const struct answer *a)
{
    log_text("refused op ");
    log_decimal(opcode);
    log_text(": status ");
    log_decimal(a->status);
    log_text(" field ");
    log_decimal(a->field);
    log_text("\n");
}

void mailbox_turn(bool refuse_all)
{
    uint32_t next = hw_read(HW(ESPALIER_CP_NEXT_OFFSET));
    if (!(next & ESPALIER_CP_NEXT_VALID_MASK))
        return;
    uint32_t begin = hw_cycles();
    uint32_t slot = ESPALIER_GET(next, ESPALIER_CP_NEXT_SLOT);
    uint32_t place = slot * ESPALIER_MBOX_SIZE_STRIDE_VALUE;
    uint32_t command = hw_base(HW(ESPALIER_MBOX_COMMAND_HEADER_OFFSET) + place);
    uint32_t response = hw_base(HW(ESPALIER_MBOX_RESPONSE_HEADER_OFFSET) + place);

    uint32_t header = hw_read(COMMAND(header));
    uint32_t opcode = ESPALIER_GET(header, ESPALIER_MBOX_COMMAND_HEADER_OPCODE);
    uint32_t tag = ESPALIER_GET(header, ESPALIER_MBOX_COMMAND_HEADER_TAG);

    struct answer a;
    if (refuse_all) {
        a = (struct answer){.status = ESPALIER_MAILBOX_STATUS_SELFTEST_FAILED, .handle = hw_read(COMMAND(handle))};
    } else {
        if (fault_wanted(opcode) && !fault_inject(hw_read(COMMAND(handle)), slot))
            return;
        a = command_execute(command, opcode);
    }
    clear_secrets(command);

    if (records & 1u << slot)
        clear_record(response);
    records &= ~(1u << slot);
    if (a.record) {
        copy_record(response);
        records |= 1u << slot;
    }
    uint32_t word = ESPALIER_SET(0, ESPALIER_MBOX_RESPONSE_HEADER_OPCODE, opcode);
    word = ESPALIER_SET(word, ESPALIER_MBOX_RESPONSE_HEADER_STATUS, a.status);
    word = ESPALIER_SET(word, ESPALIER_MBOX_RESPONSE_HEADER_TAG, tag);
    hw_write(RESPONSE(header), word);
    hw_write(RESPONSE(handle), a.handle);
    hw_write(RESPONSE(detail), ESPALIER_SET(0, ESPALIER_MBOX_RESPONSE_DETAIL_FIELD_AT_FAULT, a.field));
    hw_write(RESPONSE(cycles), hw_cycles() - begin);
    hw_write(HW(ESPALIER_CP_ANSWER_OFFSET), slot);

    /* After the answer: the host does not wait for it. NO_MORE ends every list. */
    if (a.status != ESPALIER_MAILBOX_STATUS_OK && a.status != ESPALIER_MAILBOX_STATUS_NO_MORE)
        log_refusal(opcode, &a);
}
