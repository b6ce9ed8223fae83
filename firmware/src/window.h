/* SPDX-License-Identifier: Apache-2.0
 *
 * The SA window: one operation at a time, waited for.
 */
#ifndef ESPALIER_FW_WINDOW_H
#define ESPALIER_FW_WINDOW_H

#include "hw.h"

/* The register of a field of struct espalier_sa_record. */
#define WINDOW(field) HW(ESPALIER_SA_SPI_OFFSET + (uint32_t)offsetof(struct espalier_sa_record, field))

/* Waits until no operation runs, however long it takes (a DELETE waits for frames), and
 * returns the last one's result. */
static inline uint32_t window_wait(void)
{
    uint32_t status;
    while ((status = hw_read(HW(ESPALIER_SA_STATUS_OFFSET))) & ESPALIER_SA_STATUS_BUSY_MASK)
        hw_alive();
    return ESPALIER_GET(status, ESPALIER_SA_STATUS_RESULT);
}

/* Runs an operation (enum espalier_sa_op) on a handle and returns its result (enum
 * espalier_sa_result). The words that it uses are in the window already. */
static inline uint32_t window_run(uint32_t op, uint32_t handle)
{
    hw_write(HW(ESPALIER_SA_HANDLE_OFFSET), handle);
    hw_write(HW(ESPALIER_SA_CMD_OFFSET), op);
    return window_wait();
}

#endif
