// SPDX-License-Identifier: Apache-2.0
//
// Prints the variables of an FST waveform, then each change as "time handle
// value".

#include <inttypes.h>
#include <stdio.h>

#include "fstapi.h"

static void change(void *user, uint64_t time, fstHandle facidx, const unsigned char *value) {
    (void)user;
    printf("%" PRIu64 " %u %s\n", time, facidx, value);
}

int main(int argc, char **argv) {
    void *file = argc == 2 ? fstReaderOpen(argv[1]) : NULL;
    if (file == NULL) return 1;
    struct fstHier *entry;
    while ((entry = fstReaderIterateHier(file)) != NULL) {
        if (entry->htyp == FST_HT_VAR) printf("var %u %s\n", entry->u.var.handle, entry->u.var.name);
    }
    fstReaderSetFacProcessMaskAll(file);
    if (!fstReaderIterBlocks(file, change, NULL, NULL)) return 1;
    fstReaderClose(file);
    return 0;
}
