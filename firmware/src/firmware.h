/* SPDX-License-Identifier: Apache-2.0
 *
 * The firmware of the control processor: start it once, then turn for ever.
 */
#ifndef ESPALIER_FW_FIRMWARE_H
#define ESPALIER_FW_FIRMWARE_H

void firmware_start(void);
void firmware_turn(void);

#endif
