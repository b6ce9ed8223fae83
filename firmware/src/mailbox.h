/* SPDX-License-Identifier: Apache-2.0
 *
 * The mailbox: takes commands in the order in which they were posted, answers each.
 */
#ifndef ESPALIER_FW_MAILBOX_H
#define ESPALIER_FW_MAILBOX_H

#include <stdbool.h>

/* Starts with no command taken. */
void mailbox_init(void);

/* Carries out the next command, if there is one. With refuse_all the self-tests have
 * failed and every command is refused. Never waits for a command. */
void mailbox_turn(bool refuse_all);

#endif
