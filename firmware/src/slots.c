/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots that were never in use come first, counted up by `fresh`; then those freed, in
 * the order in which they were, from a ring. A slot that the host claimed (RESTORE_SA)
 * before the counter came to it is marked in `passed`: the counter leaves it out, for
 * ever, and it is freed into the ring as any other. So every free slot is either in the
 * ring or counted, never both, and start-up has only bitmaps to clear.
 */
#include "slots.h"

#include "hw.h"

static uint32_t *used;    /* a bit per slot */
static uint32_t *passed;  /* a bit per slot */
static uint16_t *ring;    /* slots freed */
static uint32_t capacity; /* of the ring too */
static uint32_t fresh;    /* slots from here on were never counted */
static uint32_t head;     /* where the ring's oldest entry is */
static uint32_t count;    /* entries in the ring */

static uint32_t words(uint32_t slots)
{
    return (slots + 31) / 32;
}

static bool get(const uint32_t *bits, uint32_t n)
{
    return bits[n / 32] >> (n % 32) & 1;
}

static void set(uint32_t *bits, uint32_t n)
{
    bits[n / 32] |= 1u << (n % 32);
}

uint32_t slots_bytes(uint32_t slots)
{
    return 2 * 4 * words(slots) + (2 * slots + 3) / 4 * 4;
}

void slots_init(void *memory, uint32_t slots)
{
    capacity = slots;
    used = memory;
    passed = used + words(slots);
    ring = (uint16_t *)(passed + words(slots));
    fresh = head = count = 0;
    for (uint32_t i = 0; i < words(slots); i++)
        used[i] = passed[i] = 0;
}

uint32_t slots_peek(void)
{
    while (fresh < capacity && get(passed, fresh))
        fresh += fresh % 32 == 0 && passed[fresh / 32] == UINT32_MAX ? 32 : 1;
    if (fresh < capacity)
        return fresh;
    return count ? ring[head] : SLOTS_NONE;
}

void slots_take(void)
{
    uint32_t slot = slots_peek();
    set(used, slot);
    if (slot == fresh) {
        fresh++;
    } else {
        head = head + 1 == capacity ? 0 : head + 1;
        count--;
    }
}

/* Takes a slot out of the middle of the ring; what is behind it moves up. Only a slot
 * deleted and restored without a reset between is ever looked for. */
static void unlist(uint32_t slot)
{
    uint32_t from = head, to = head;
    for (uint32_t i = 0; i < count; i++) {
        if (i % 64 == 0)
            hw_alive();
        ring[to] = ring[from];
        if (ring[from] != slot)
            to = to + 1 == capacity ? 0 : to + 1;
        from = from + 1 == capacity ? 0 : from + 1;
    }
    count--;
}

void slots_claim(uint32_t slot)
{
    if (slot < fresh || get(passed, slot))
        unlist(slot);
    else
        set(passed, slot);
    set(used, slot);
}

void slots_free(uint32_t slot)
{
    uint32_t tail = head + count;
    ring[tail < capacity ? tail : tail - capacity] = (uint16_t)slot;
    count++;
    used[slot / 32] &= ~(1u << (slot % 32));
}

bool slots_used(uint32_t slot)
{
    return get(used, slot);
}

uint32_t slots_used_from(uint32_t slot)
{
    if (slot >= capacity)
        return SLOTS_NONE;
    uint32_t bits = used[slot / 32] & UINT32_MAX << (slot % 32);
    slot -= slot % 32;
    while (bits == 0) {
        slot += 32;
        if (slot >= capacity)
            return SLOTS_NONE;
        bits = used[slot / 32];
    }
    for (; !(bits & 1); bits >>= 1)
        slot++;
    return slot;
}
