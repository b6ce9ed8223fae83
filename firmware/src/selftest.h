/* SPDX-License-Identifier: Apache-2.0
 *
 * The start-up self-tests: known frames through the crypt units.
 */
#ifndef ESPALIER_FW_SELFTEST_H
#define ESPALIER_FW_SELFTEST_H

#include <stdbool.h>

/* Runs all of them and logs what came out; true if everything was right. Uses one empty
 * SA slot and leaves it as it was, generation included. There must be no SA. */
bool selftest_run(void);

#endif
