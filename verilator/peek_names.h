// SPDX-License-Identifier: Apache-2.0
//
// Where the back door finds the names of docs/rtl.md in the design's hierarchy.
// A hierarchical path with dots is accepted as a name too.
#pragma once

namespace espalier {

// A name is one memory, or several of equal size whose words follow each other.
struct PeekName {
    const char* name;
    const char* first;  // path of the first memory
    const char* next;   // of the others, with %u where their number goes
    unsigned memories;
};

constexpr PeekName kPeekNames[] = {
    {"tx_key", "espalier_nic.u_tx.u_crypt.u_ctr.u_aes.u_key0.mem", "espalier_nic.u_tx.u_crypt.u_ctr.u_aes.g_round[%u].u_round.u_key.mem", 15},
    {"rx_key", "espalier_nic.u_rx.u_crypt.u_ctr.u_aes.u_key0.mem", "espalier_nic.u_rx.u_crypt.u_ctr.u_aes.g_round[%u].u_round.u_key.mem", 15},
    {"tx_hpow", "espalier_nic.u_tx.u_crypt.u_seal.u_ghash.g_power[0].u_hpow.mem", "espalier_nic.u_tx.u_crypt.u_seal.u_ghash.g_power[%u].u_hpow.mem", 4},
    {"rx_hpow", "espalier_nic.u_rx.u_crypt.u_seal.u_ghash.g_power[0].u_hpow.mem", "espalier_nic.u_rx.u_crypt.u_seal.u_ghash.g_power[%u].u_hpow.mem", 4},
    {"tx_salt", "espalier_nic.u_sa.u_records.u_salt_tx.mem", nullptr, 1},
    {"rx_salt", "espalier_nic.u_sa.u_records.u_salt_rx.mem", nullptr, 1},
    {"cp_ram", "espalier_nic.g_cp.u_cp.u_core.u_ram.mem", nullptr, 1},
};

}  // namespace espalier
