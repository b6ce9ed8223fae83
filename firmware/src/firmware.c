/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware.h"

#include <stdbool.h>

#include "commands.h"
#include "hw.h"
#include "log.h"
#include "mailbox.h"
#include "selftest.h"
#include "slots.h"
#include "window.h"

static bool failed; /* a start-up test */

static void log_version(void)
{
    log_text("espalier firmware ");
    log_decimal(FW_VERSION >> ESPALIER_CP_FW_VERSION_MAJOR_SHIFT);
    log_text(".");
    log_decimal(ESPALIER_GET(FW_VERSION, ESPALIER_CP_FW_VERSION_MINOR));
    log_text(".");
    log_decimal(ESPALIER_GET(FW_VERSION, ESPALIER_CP_FW_VERSION_PATCH));
    log_text(" build ");
    log_hex(FW_BUILD);
    log_text("\n");
}

/* The tables of SA slots must fit behind the program. */
static bool start_slots(void)
{
    uint32_t slots = ESPALIER_GET(hw_read(HW(ESPALIER_CAP_SA_OFFSET)), ESPALIER_CAP_SA_CAPACITY);
    uint32_t bytes;
    void *memory = hw_heap(&bytes);
    if (slots > ESPALIER_SA_HANDLE_INDEX_MASK + 1 || slots_bytes(slots) > bytes) {
        log_decimal(slots);
        log_text(" SA slots need ");
        log_decimal(slots_bytes(slots));
        log_text(" bytes beside the program, the processor has ");
        log_decimal(bytes);
        log_text("\n");
        return false;
    }
    slots_init(memory, slots);
    return true;
}

void firmware_start(void)
{
    hw_alive();
    hw_write(HW(ESPALIER_CP_SET_VERSION_OFFSET), FW_VERSION);
    hw_write(HW(ESPALIER_CP_SET_BUILD_OFFSET), FW_BUILD);
    log_version();

    mailbox_init();
    commands_init();
    /* A firmware before this one may have left an operation under way, and after power-up
     * the NIC clears its slots first. */
    while (!(hw_read(HW(ESPALIER_STATUS_OFFSET)) & ESPALIER_STATUS_READY_MASK))
        hw_alive();
    window_wait();

    uint32_t report = 0;
    failed = !start_slots();
    if (!failed) {
        if (hw_read(HW(ESPALIER_CP_STATUS_OFFSET)) & ESPALIER_CP_STATUS_SELFTEST_PASSED_MASK)
            log_text("self-tests passed before\n");
        else
            failed = !selftest_run();
    }
    report |= failed ? ESPALIER_CP_REPORT_SELFTEST_FAILED_MASK : ESPALIER_CP_REPORT_SELFTEST_PASSED_MASK;
    hw_write(HW(ESPALIER_CP_REPORT_OFFSET), report);

    if (!failed) {
        uint32_t taken = commands_take_over();
        if (taken) {
            log_text("took over ");
            log_decimal(taken);
            log_text(" SAs\n");
        }
    }
    /* Ready even if a test failed: commands are answered with that. */
    log_text("ready\n");
    report |= ESPALIER_CP_REPORT_READY_MASK;
    hw_write(HW(ESPALIER_CP_REPORT_OFFSET), report);
}

void firmware_turn(void)
{
    hw_alive();
    mailbox_turn(failed);
}
