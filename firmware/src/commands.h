/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands do: the life of an SA.
 */
#ifndef ESPALIER_FW_COMMANDS_H
#define ESPALIER_FW_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

/* How a command ended. */
struct answer {
    uint32_t status; /* enum espalier_mailbox_status */
    uint32_t field;  /* enum espalier_mailbox_field */
    uint32_t handle;
    bool record; /* the SA window holds an SA that was asked for */
};

/* Reads what records are checked against from the NIC. */
void commands_init(void);

/* Carries out the command in the command slot at this address, except that its secrets
 * stay there and nothing is answered. */
struct answer command_execute(uint32_t command, uint32_t opcode);

/* The SAs that live in the NIC become the firmware's; returns how many there are. */
uint32_t commands_take_over(void);

#endif
