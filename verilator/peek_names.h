// SPDX-License-Identifier: Apache-2.0
//
// Where the back door finds the names of docs/rtl.md in the design's hierarchy.
// A hierarchical path with dots is accepted as a name too.
#pragma once

namespace espalier {

struct PeekName {
    const char* name;
    const char* path;  // below the top; %u where the bank's number goes
    unsigned banks;    // memories of equal size that make up the name
};

constexpr PeekName kPeekNames[] = {
    {"sa_salt", "espalier_nic.u_sa.u_salt.mem", 1},
};

}  // namespace espalier
