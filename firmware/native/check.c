/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

unsigned failures;
bool check_failed;

void check(bool good, const char *file, int line, const char *condition, const char *format, ...)
{
    if (good)
        return;
    check_failed = true;
    if (failures++ >= 10)
        return;
    const char *base = strrchr(file, '/');
    printf("  %s:%d: %s: ", base ? base + 1 : file, line, condition);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}
