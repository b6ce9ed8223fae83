// SPDX-License-Identifier: Apache-2.0
//
// The Verilated top. Any module with the ports of rtl/espalier_nic.sv will do;
// build.sh gives it the class name Vnic. Widths that depend on parameters are
// taken from the generated class.
#pragma once

#include <cstddef>
#include <type_traits>

#include "Vnic.h"

namespace espalier {

using Design = Vnic;

// Bytes of one beat on the AXI memory port and the MAC streams.
constexpr size_t kBeatBytes = sizeof(std::remove_reference_t<decltype(Design::m_axi_wdata_o)>);
static_assert(kBeatBytes == 16 || kBeatBytes == 32 || kBeatBytes == 64, "data path of 1, 2 or 4 lanes of 128 bits");
static_assert(sizeof(std::remove_reference_t<decltype(Design::m_axis_mac_tdata_o)>) == kBeatBytes, "one width for memory and MAC");

// A strobe or keep word with all bytes of a beat set.
constexpr uint64_t kFullBeat = kBeatBytes == 64 ? ~uint64_t{0} : (uint64_t{1} << (kBeatBytes % 64)) - 1;

// Size of BAR 0 in bytes: what the 18 address bits of the register port reach.
constexpr uint64_t kBarBytes = 256 * 1024;

}  // namespace espalier
