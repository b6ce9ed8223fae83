/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "hw.h"

static void put(char c)
{
    hw_write(HW(ESPALIER_CP_LOG_PUT_OFFSET), (uint8_t)c);
}

void log_text(const char *text)
{
    while (*text)
        put(*text++);
}

void log_decimal(uint32_t value)
{
    /* By subtraction: the processor does not divide. */
    static const uint32_t powers[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    uint32_t begun = 0;
    for (uint32_t i = 0; i < sizeof powers / sizeof powers[0]; i++) {
        char digit = '0';
        for (; value >= powers[i]; value -= powers[i])
            digit++;
        begun |= digit != '0' || powers[i] == 1;
        if (begun)
            put(digit);
    }
}

void log_hex(uint32_t value)
{
    for (int shift = 28; shift >= 0; shift -= 4) {
        uint32_t digit = value >> shift & 15;
        put((char)(digit < 10 ? '0' + digit : 'a' + digit - 10));
    }
}
