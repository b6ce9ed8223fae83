/* SPDX-License-Identifier: Apache-2.0
 *
 * What the firmware meets in a native test: the registers of a NIC, with rules of its own
 * written from docs/nic-contract.md, and the host's side of the mailbox.
 */
#ifndef ESPALIER_NATIVE_NIC_H
#define ESPALIER_NATIVE_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "espalier_regs.h"

enum { SLOTS_MAX = 16384, MAILBOX_SLOTS = 32, LOG_BYTES = 1 << 16 };

struct sa {
    bool live;
    uint32_t generation;
    struct espalier_sa_record record;
};

/* Which self-test goes wrong, and how. */
enum selftest_fault {
    SELFTEST_GOOD,
    SELFTEST_ENCRYPTS_WRONG,  /* a bit of the ciphertext */
    SELFTEST_ICV_WRONG,       /* a bit of the ICV made */
    SELFTEST_DECRYPTS_WRONG,  /* a bit of the plaintext */
    SELFTEST_REFUSES_GOOD,    /* AUTH for a good ICV */
    SELFTEST_TAKES_FORGED,    /* OK for a wrong ICV */
    SELFTEST_LEAKS_FORGED,    /* AUTH, but plaintext comes back */
    SELFTEST_TOUCHES_FRONT,   /* a byte before the ESP header */
    SELFTEST_SHORT,           /* LENGTH */
    SELFTEST_KEY_REFUSED,     /* RESTORE ends with LOOKUP_FULL */
    SELFTEST_KEY_STAYS,       /* DELETE ends with STALE_HANDLE */
};

struct nic {
    /* set by a test before firmware_start */
    uint32_t capacity, queues, encryption, heap_bytes;
    uint32_t busy_reads;       /* reads of a status register that find it busy */
    uint32_t not_ready_reads;  /* reads of STATUS before READY */
    enum selftest_fault fault;
    uint32_t fault_keylen;     /* for which key length */
    uint32_t engine_result;    /* unless 0: the result of every installing operation */

    /* the NIC */
    struct sa sa[SLOTS_MAX];
    struct espalier_sa_record window;
    uint32_t handle, result, busy, counters[8];
    uint32_t operations[8];    /* how many of each began */
    uint32_t restored_front;   /* the lowest slot that a RESTORE named */
    uint32_t command[MAILBOX_SLOTS][32], response[MAILBOX_SLOTS][32];
    uint32_t queue[MAILBOX_SLOTS], queued;
    uint32_t pending, taken, done;
    uint32_t report, version, build, alive, cycles;
    uint32_t frame[64], selftest_slot, selftest_salt, selftest_status, selftest_busy, selftests;
    char log[LOG_BYTES];
    size_t logged;

    /* what the firmware must not do: the first time that it did, in words */
    char broken[200];
    uint32_t silence;          /* accesses since the last heartbeat */
};

extern struct nic nic;

/* A NIC after power-up: so many slots, 4 queues, all key lengths, memory enough. */
void nic_power_up(uint32_t capacity);

/* CTRL.RESET: SAs are gone, generations stay. */
void nic_reset(void);

/* CP_CTRL.RUN 0 to 1, up to READY: what the hardware clears, then firmware_start. */
void nic_start(void);

/* Whether the lookup table has no room for this record. */
bool nic_lookup_full(const struct espalier_sa_record *record);

/* Posts a command; 31 words after the header are the host's. Returns the slot. */
void nic_post(uint32_t slot, const struct espalier_mailbox_command *command);

/* Turns until nothing is pending. */
void nic_serve(void);

/* Posts in slot 0 and serves. */
struct espalier_mailbox_response nic_call(const struct espalier_mailbox_command *command);

#endif
