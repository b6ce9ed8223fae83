/* SPDX-License-Identifier: Apache-2.0
 *
 * Failures on request, in images for tests only (ESPALIER_FW_FAULTS): mailbox operation
 * 0xF0 with the failure's number in HANDLE.
 */
#ifndef ESPALIER_FW_FAULTS_H
#define ESPALIER_FW_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "hw.h"

#ifdef ESPALIER_FW_FAULTS

static inline bool fault_wanted(uint32_t opcode)
{
    return opcode == 0xF0;
}

/* Fails. Returns true if the command is to be answered as any other (BAD_OP). */
static inline bool fault_inject(uint32_t number, uint32_t slot)
{
    switch (number) {
    case 0: /* illegal instruction */
        __asm__ volatile(".word 0");
        return true;
    case 1: /* endless loop without a heartbeat */
        for (;;)
            __asm__ volatile("");
    case 2: /* a store to the program: the word of the magic number */
        __asm__ volatile("sw zero, 4(zero)" ::: "memory");
        return true;
    case 3: /* a load from where nothing is */
        (void)*(volatile uint32_t *)(uintptr_t)0x20000000;
        return true;
    case 4: /* answers twice: once here, with whatever the response slot holds */
        hw_write(HW(ESPALIER_CP_ANSWER_OFFSET), slot);
        return true;
    case 5: /* never answers */
        return false;
    default:
        return true;
    }
}

#else

static inline bool fault_wanted(uint32_t opcode)
{
    (void)opcode;
    return false;
}

static inline bool fault_inject(uint32_t number, uint32_t slot)
{
    (void)number;
    (void)slot;
    return true;
}

#endif

#endif
