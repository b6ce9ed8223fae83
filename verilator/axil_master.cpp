// SPDX-License-Identifier: Apache-2.0

#include "axil_master.h"

#include "errors.h"

namespace espalier {

void AxilMaster::reset() {
    state_ = State::kIdle;
    arvalid_ = awvalid_ = wvalid_ = false;
    address_ = write_data_ = data_ = 0;
    strobe_ = response_ = 0;
    changed_ = true;
}

void AxilMaster::read(uint32_t address) {
    state_ = State::kRead;
    address_ = address;
    arvalid_ = true;
    drive_changed();
}

void AxilMaster::write(uint32_t address, uint32_t data, uint8_t strobe) {
    state_ = State::kWrite;
    address_ = address;
    write_data_ = data;
    strobe_ = strobe;
    awvalid_ = wvalid_ = true;
    drive_changed();
}

void AxilMaster::sample_busy() {
    if (state_ == State::kRead) {
        if (top_.s_axil_rvalid_o) {
            if (arvalid_ && !top_.s_axil_arready_o) throw ModelError("AXI4-Lite R channel: RVALID before the address was accepted");
            data_ = top_.s_axil_rdata_o;
            response_ = top_.s_axil_rresp_o;
            state_ = State::kIdle;
            changed_ = true;
        }
        if (arvalid_ && top_.s_axil_arready_o) {
            arvalid_ = false;
            changed_ = true;
        }
        return;
    }
    if (top_.s_axil_bvalid_o) {
        if ((awvalid_ && !top_.s_axil_awready_o) || (wvalid_ && !top_.s_axil_wready_o)) {
            throw ModelError("AXI4-Lite B channel: BVALID before address and data were accepted");
        }
        response_ = top_.s_axil_bresp_o;
        state_ = State::kIdle;
        changed_ = true;
    }
    if (awvalid_ && top_.s_axil_awready_o) {
        awvalid_ = false;
        changed_ = true;
    }
    if (wvalid_ && top_.s_axil_wready_o) {
        wvalid_ = false;
        changed_ = true;
    }
}

void AxilMaster::drive_changed() {
    top_.s_axil_arvalid_i = arvalid_;
    top_.s_axil_araddr_i = address_;
    top_.s_axil_rready_i = state_ == State::kRead;
    top_.s_axil_awvalid_i = awvalid_;
    top_.s_axil_awaddr_i = address_;
    top_.s_axil_wvalid_i = wvalid_;
    top_.s_axil_wdata_i = write_data_;
    top_.s_axil_wstrb_i = strobe_;
    top_.s_axil_bready_i = state_ == State::kWrite;
    changed_ = false;
}

}  // namespace espalier
