/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware.h"

int main(void)
{
    firmware_start();
    for (;;)
        firmware_turn();
}
