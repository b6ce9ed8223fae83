/* SPDX-License-Identifier: Apache-2.0
 *
 * What regs/c/espalier_regs.h asks of assert.h, for a compiler without a C library.
 */
#ifndef ESPALIER_FW_ASSERT_H
#define ESPALIER_FW_ASSERT_H

#define static_assert _Static_assert

#endif
