// SPDX-License-Identifier: Apache-2.0
//
// The input pins of each clock, written to a file by one run and applied again
// by bench_bare.cpp, which clocks the same design with nothing around it:
// what the models and the bridge cost is the difference.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "design.h"

namespace espalier {

// Calls f for each input but the clock, in the order of the file.
template <class F> void for_inputs(Design& top, F&& f) {
    f(top.rst_i);
    f(top.s_axil_awaddr_i);
    f(top.s_axil_awvalid_i);
    f(top.s_axil_wdata_i);
    f(top.s_axil_wstrb_i);
    f(top.s_axil_wvalid_i);
    f(top.s_axil_bready_i);
    f(top.s_axil_araddr_i);
    f(top.s_axil_arvalid_i);
    f(top.s_axil_rready_i);
    f(top.m_axi_awready_i);
    f(top.m_axi_wready_i);
    f(top.m_axi_bid_i);
    f(top.m_axi_bresp_i);
    f(top.m_axi_bvalid_i);
    f(top.m_axi_arready_i);
    f(top.m_axi_rid_i);
    f(top.m_axi_rdata_i);
    f(top.m_axi_rresp_i);
    f(top.m_axi_rlast_i);
    f(top.m_axi_rvalid_i);
    f(top.m_axis_mac_tready_i);
    f(top.s_axis_mac_tdata_i);
    f(top.s_axis_mac_tkeep_i);
    f(top.s_axis_mac_tvalid_i);
    f(top.s_axis_mac_tlast_i);
    f(top.s_axis_mac_tuser_i);
}

// Bytes of one clock in the file.
inline size_t stimuli_size(Design& top) {
    size_t size = 0;
    for_inputs(top, [&](const auto& pin) { size += sizeof(pin); });
    return size;
}

// The file being written.
class StimuliRecorder {
public:
    // Throws CallError where path cannot be written.
    StimuliRecorder(Design& top, const char* path);
    ~StimuliRecorder();

    // Writes the pins as they are.
    void take(Design& top) {
        uint8_t* at = clock_.data();
        for_inputs(top, [&](const auto& pin) {
            std::memcpy(at, &pin, sizeof(pin));
            at += sizeof(pin);
        });
        if (std::fwrite(clock_.data(), clock_.size(), 1, file_) != 1) failed_ = true;
    }

    // Ends the file. Throws CallError where it is not whole.
    void close();

private:
    const std::string path_;
    std::FILE* file_;
    std::vector<uint8_t> clock_;
    bool failed_ = false;
};

}  // namespace espalier
