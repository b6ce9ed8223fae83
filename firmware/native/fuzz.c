/* SPDX-License-Identifier: Apache-2.0
 *
 * Entry of clang's libFuzzer, in place of main.c: its bytes are choices of commands,
 * batches, starts and resets (random.c). `make soak` runs it; `native input` replays what it found.
 */
#include <stdlib.h>

#include "test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    failures = 0;
    run_input(data, size);
    if (failures)
        abort();
    return 0;
}
