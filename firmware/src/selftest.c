/* SPDX-License-Identifier: Apache-2.0
 *
 * For each key length that the NIC has: a frame through the TX unit must come back
 * encrypted as expected; one of a published test case through the RX unit must come back
 * decrypted; the same with a wrong ICV must be refused. selftest_vectors.h says where the
 * frames are from.
 */
#include "selftest.h"

#include "hw.h"
#include "log.h"
#include "selftest_vectors.h"
#include "window.h"

/* Words in front of the ESP header: as many bytes as the Ethernet and IP headers of a
 * frame at least have. */
#define FRONT 9u
#define FRAME(i) HW(ESPALIER_CP_SELFTEST_FRAME_OFFSET(i))

/* What stands in front of the ESP header; it must come back as it was. */
static uint32_t front(uint32_t i)
{
    return 0xA5F00D00u + i;
}

/* Word i of the ESP packets of a vector. */
static uint32_t plain_sent(const struct vector *v, uint32_t i)
{
    if (i < 2)
        return v->sent[i];
    return i >= 4 && i < 4 + v->words ? v->plain[i - 4] : 0; /* room for IV and ICV is empty */
}

static uint32_t sent(const struct vector *v, uint32_t i)
{
    return v->sent[i];
}

static uint32_t received(const struct vector *v, uint32_t i)
{
    return v->received[i];
}

static uint32_t plain_received(const struct vector *v, uint32_t i)
{
    return i >= 4 && i < 4 + v->words ? v->plain[i - 4] : v->received[i];
}

static uint32_t forged(const struct vector *v, uint32_t i)
{
    return i == v->words + 7 ? v->received[i] ^ 0x80000000u : v->received[i];
}

typedef uint32_t (*words_of)(const struct vector *, uint32_t);

/* Sends a frame through a unit. The result must be the expected one, and so must be the
 * frame that comes back. */
static bool run(const struct vector *v, uint32_t slot, uint32_t rx, words_of in, uint32_t result, words_of out)
{
    uint32_t words = FRONT + 4 + v->words + 4;
    hw_alive();
    for (uint32_t i = 0; i < words; i++)
        hw_write(FRAME(i), i < FRONT ? front(i) : in(v, i - FRONT));
    hw_write(HW(ESPALIER_CP_SELFTEST_SA_OFFSET), slot);
    hw_write(HW(ESPALIER_CP_SELFTEST_SALT_OFFSET), v->salt);
    hw_write(HW(ESPALIER_CP_SELFTEST_ESN_HI_OFFSET), 0);
    uint32_t start = ESPALIER_SET(0, ESPALIER_CP_SELFTEST_RX, rx);
    start = ESPALIER_SET(start, ESPALIER_CP_SELFTEST_KEYLEN, v->keylen);
    start = ESPALIER_SET(start, ESPALIER_CP_SELFTEST_LENGTH, words * 4);
    start = ESPALIER_SET(start, ESPALIER_CP_SELFTEST_ESP_OFFSET, FRONT * 4);
    start = ESPALIER_SET(start, ESPALIER_CP_SELFTEST_PAYLOAD, v->words * 4);
    hw_write(HW(ESPALIER_CP_SELFTEST_OFFSET), start);

    uint32_t status;
    while ((status = hw_read(HW(ESPALIER_CP_SELFTEST_STATUS_OFFSET))) & ESPALIER_CP_SELFTEST_STATUS_BUSY_MASK)
        hw_alive();
    bool good = ESPALIER_GET(status, ESPALIER_CP_SELFTEST_STATUS_RESULT) == result &&
                ESPALIER_GET(status, ESPALIER_CP_SELFTEST_STATUS_LENGTH) == words * 4;
    for (uint32_t i = 0; i < words; i++)
        good &= hw_read(FRAME(i)) == (i < FRONT ? front(i) : out(v, i - FRONT));
    return good;
}

/* A unit has the keys of SAs of its own direction only. */
static bool install(const struct vector *v, uint32_t handle, uint32_t inbound)
{
    uint32_t flags = ESPALIER_SET(0, ESPALIER_SA_FLAGS_KEYLEN, v->keylen);
    hw_write(WINDOW(spi), 1);
    hw_write(WINDOW(flags), ESPALIER_SET(flags, ESPALIER_SA_FLAGS_INBOUND, inbound));
    hw_write(WINDOW(esn_hi), 0);
    for (uint32_t i = 0; i < 4; i++) {
        hw_write(WINDOW(dst[i]), 0);
        hw_write(WINDOW(src[i]), 0);
    }
    for (uint32_t i = 0; i < 8; i++)
        hw_write(WINDOW(key[i]), v->key[i]);
    return window_run(ESPALIER_SA_OP_RESTORE, handle) == ESPALIER_SA_RESULT_OK;
}

static bool remove(uint32_t handle)
{
    return window_run(ESPALIER_SA_OP_DELETE, handle) == ESPALIER_SA_RESULT_OK;
}

/* Finds the generation of an empty slot, which only RESTORE tells: 0 after power-up,
 * and after a reset any. The window holds a record that could be installed. */
static bool find_handle(uint32_t slot, uint32_t *handle)
{
    const uint32_t generation = 1u << ESPALIER_SA_HANDLE_GENERATION_SHIFT;
    *handle = slot;
    do {
        hw_alive();
        uint32_t result = window_run(ESPALIER_SA_OP_RESTORE, *handle);
        if (result == ESPALIER_SA_RESULT_OK)
            return remove(*handle);
        if (result != ESPALIER_SA_RESULT_STALE_HANDLE)
            return false;
        *handle += generation;
    } while (*handle != slot);
    return false;
}

static bool report(const struct vector *v, const char *what, bool good)
{
    if (!good) {
        log_text("self-test failed: AES-");
        log_decimal(v->bits);
        log_text(what);
        log_text("\n");
    }
    return good;
}

bool selftest_run(void)
{
    /* The last slot: firmware gives it away last, so mostly it was never in use. */
    uint32_t slot = ESPALIER_GET(hw_read(HW(ESPALIER_CAP_SA_OFFSET)), ESPALIER_CAP_SA_CAPACITY) - 1;
    uint32_t encryption = ESPALIER_GET(hw_read(HW(ESPALIER_CAP_ALG_OFFSET)), ESPALIER_CAP_ALG_ENCRYPTION);
    uint32_t handle;
    hw_write(WINDOW(spi), 1);
    hw_write(WINDOW(flags), 0);
    for (uint32_t i = 0; i < 4; i++) {
        hw_write(WINDOW(dst[i]), 0);
        hw_write(WINDOW(src[i]), 0);
    }
    if (!find_handle(slot, &handle)) {
        log_text("self-test failed: slot ");
        log_decimal(slot);
        log_text(" takes no SA\n");
        return false;
    }
    bool good = true;
    for (uint32_t n = 0; n < sizeof vectors / sizeof vectors[0]; n++) {
        const struct vector *v = &vectors[n];
        if (!(encryption >> (3 + v->keylen) & 1))
            continue;
        if (!report(v, " key install", install(v, handle, 0)))
            return false;
        good &= report(v, " encrypt", run(v, slot, 0, plain_sent, ESPALIER_SELFTEST_RESULT_OK, sent));
        if (!report(v, " key removal", remove(handle)) || !report(v, " key install", install(v, handle, 1)))
            return false;
        good &= report(v, " decrypt", run(v, slot, 1, received, ESPALIER_SELFTEST_RESULT_OK, plain_received));
        good &= report(v, " wrong ICV", run(v, slot, 1, forged, ESPALIER_SELFTEST_RESULT_AUTH, forged));
        good &= report(v, " key removal", remove(handle));
    }
    if (good)
        log_text("self-tests passed\n");
    return good;
}
