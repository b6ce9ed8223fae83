/* SPDX-License-Identifier: Apache-2.0
 *
 * Native tests of the firmware: its own code against simulated registers.
 *
 *   native test [NAME]            table tests: a line "ok NAME" or "FAIL NAME" for each
 *   native random SEED COMMANDS   random commands against a model
 *
 * The result is 1 if anything failed. firmware/native_test.go builds and runs it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

unsigned failures;
static bool any;

void check(bool good, const char *file, int line, const char *condition, const char *format, ...)
{
    if (good)
        return;
    any = true;
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

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "test") == 0) {
        run_tests(argc > 2 ? argv[2] : NULL);
    } else if (argc == 4 && strcmp(argv[1], "random") == 0) {
        run_random(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    } else {
        fprintf(stderr, "usage: native test [NAME] | native random SEED COMMANDS\n");
        return 2;
    }
    return any ? 1 : 0;
}
