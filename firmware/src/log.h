/* SPDX-License-Identifier: Apache-2.0
 *
 * The log that the host reads: short ASCII lines. Never a key, a salt or anything made
 * from one.
 */
#ifndef ESPALIER_FW_LOG_H
#define ESPALIER_FW_LOG_H

#include <stdint.h>

void log_text(const char *text);
void log_decimal(uint32_t value);
void log_hex(uint32_t value); /* eight digits */

#endif
