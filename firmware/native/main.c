/* SPDX-License-Identifier: Apache-2.0
 *
 * Native tests of the firmware: its own code against simulated registers.
 *
 *   native test [NAME]            table tests: a line "ok NAME" or "FAIL NAME" for each
 *   native random SEED COMMANDS   random commands against a model
 *   native input FILE ...         the same with a fuzzer's inputs: a line "ok FILE" or "FAIL FILE" for each
 *
 * The result is 1 if anything failed. firmware/native_test.go builds and runs it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static void input_file(const char *name)
{
    static uint8_t data[1 << 16];
    failures = 0;
    FILE *f = fopen(name, "rb");
    CHECK(f != NULL, "%s cannot be read", name);
    if (f) {
        run_input(data, fread(data, 1, sizeof data, f));
        fclose(f);
    }
    printf("%s %s\n", failures ? "FAIL" : "ok", name);
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "test") == 0) {
        run_tests(argc > 2 ? argv[2] : NULL);
    } else if (argc == 4 && strcmp(argv[1], "random") == 0) {
        run_random(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    } else if (argc >= 3 && strcmp(argv[1], "input") == 0) {
        for (int i = 2; i < argc; i++)
            input_file(argv[i]);
    } else {
        fprintf(stderr, "usage: native test [NAME] | native random SEED COMMANDS | native input FILE ...\n");
        return 2;
    }
    return check_failed ? 1 : 0;
}
