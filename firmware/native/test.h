/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of a native test. A check that fails is printed with its place; the test goes on.
 */
#ifndef ESPALIER_NATIVE_TEST_H
#define ESPALIER_NATIVE_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Failed checks of the test that runs. */
extern unsigned failures;

/* Any check has failed since the program began. */
extern bool check_failed;

#define CHECK(condition, ...) check(condition, __FILE__, __LINE__, #condition, __VA_ARGS__)

__attribute__((format(printf, 5, 6))) void check(bool good, const char *file, int line, const char *condition, const char *format, ...);

/* tests.c: all tests of that name, or all; prints a line for each. */
void run_tests(const char *name);

/* random.c: commands from a seed, each answer and the NIC compared with a model. */
void run_random(uint64_t seed, uint64_t commands);

/* random.c: the same with the bytes of a fuzzer instead of a seed. */
void run_input(const uint8_t *data, size_t size);

#endif
