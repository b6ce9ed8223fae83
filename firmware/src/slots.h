/* SPDX-License-Identifier: Apache-2.0
 *
 * Which SA slots are free, and in which order they are used: one that was in use comes
 * again as late as possible.
 */
#ifndef ESPALIER_FW_SLOTS_H
#define ESPALIER_FW_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#define SLOTS_NONE UINT32_MAX

/* Bytes that slots_init needs for so many slots. */
uint32_t slots_bytes(uint32_t capacity);

/* Starts with all slots free; capacity is at most 65536, memory is 4-aligned. */
void slots_init(void *memory, uint32_t capacity);

/* The slot that slots_take takes next, or SLOTS_NONE. */
uint32_t slots_peek(void);
void slots_take(void);

/* A free slot named by the host is in use from now on. */
void slots_claim(uint32_t slot);

/* A slot in use is free. */
void slots_free(uint32_t slot);

bool slots_used(uint32_t slot);

/* The lowest slot in use that is not below slot, or SLOTS_NONE. */
uint32_t slots_used_from(uint32_t slot);

#endif
