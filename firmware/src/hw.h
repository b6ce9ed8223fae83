/* SPDX-License-Identifier: Apache-2.0
 *
 * The NIC as its control processor sees it. Addresses are those of the processor:
 * HW(ESPALIER_X_OFFSET) is register X. All accesses are 32 bits wide.
 *
 * With FW_NATIVE the same names are functions of a simulated register file
 * (native/nic.c), and the firmware is an ordinary program of the host.
 */
#ifndef ESPALIER_FW_HW_H
#define ESPALIER_FW_HW_H

#include <stddef.h>
#include <stdint.h>

#include "espalier_regs.h"

#define HW_BASE 0x40000000u
#define HW(offset) (HW_BASE + (offset))

#ifdef FW_NATIVE

uint32_t hw_read(uint32_t address);
void hw_write(uint32_t address, uint32_t value);
/* The memory behind the program's variables, 4-aligned, and how many bytes it has. */
void *hw_heap(uint32_t *bytes);

#else

static inline uint32_t hw_read(uint32_t address)
{
    return *(volatile uint32_t *)(uintptr_t)address;
}

static inline void hw_write(uint32_t address, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)address = value;
}

static inline void *hw_heap(uint32_t *bytes)
{
    extern uint32_t fw_heap[];
    uint32_t begin = (uint32_t)(uintptr_t)fw_heap, end = hw_read(HW(ESPALIER_CP_RAM_OFFSET));
    *bytes = end > begin ? end - begin : 0;
    return fw_heap;
}

#endif

/* An address that the compiler keeps in a register as it is, so that what lies behind it
 * is reached by an offset in the instruction instead of by another addition. */
static inline uint32_t hw_base(uint32_t address)
{
    __asm__("" : "+r"(address));
    return address;
}

/* Clock cycles, modulo 2^32. */
static inline uint32_t hw_cycles(void)
{
    return hw_read(HW(ESPALIER_CYCLES_LO_OFFSET));
}

/* Tells the watchdog that the firmware lives. Everything that waits calls it. */
static inline void hw_alive(void)
{
    hw_write(HW(ESPALIER_CP_ALIVE_OFFSET), 0);
}

#endif
