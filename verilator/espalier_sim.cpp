// SPDX-License-Identifier: Apache-2.0
//
// The C interface: checks arguments and turns exceptions into error codes.

// The library is compiled with hidden visibility; this is what it shows.
#pragma GCC visibility push(default)
#include "espalier_sim.h"
#pragma GCC visibility pop

#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string>

#include "build_info.h"  // made by build.sh
#include "errors.h"
#include "sim.h"

using espalier::CallError;
using espalier::format;
using espalier::ModelError;

struct espalier_sim {
    std::unique_ptr<espalier::Sim> sim;
    std::string error;   // the last one
    std::string stopped;  // why the model stopped; empty while it runs
};

namespace {

// Runs body, which may be called on a stopped model too.
template <class Body> int always(espalier_sim* s, Body&& body) noexcept {
    if (s == nullptr) return ESPALIER_SIM_EINVAL;
    try {
        try {
            s->sim->enter();
            return body(*s->sim);
        } catch (const CallError& e) {
            s->error = e.what();
            return e.code;
        } catch (const std::exception& e) {
            // ModelError, but also what must not happen, such as no memory:
            // the state in which the model was left is unknown.
            s->error = format("cycle %llu: %s", static_cast<unsigned long long>(s->sim->cycle()), e.what());
            if (s->stopped.empty()) s->stopped = s->error;
            return ESPALIER_SIM_EMODEL;
        }
    } catch (...) {
        return ESPALIER_SIM_EMODEL;
    }
}

// Runs body unless the model has stopped.
template <class Body> int running(espalier_sim* s, Body&& body) noexcept {
    return always(s, [&](espalier::Sim& sim) -> int {
        if (!s->stopped.empty()) throw CallError(ESPALIER_SIM_EMODEL, "the model has stopped: " + s->stopped);
        return body(sim);
    });
}

void check_pointer(const void* pointer, const char* name) {
    if (pointer == nullptr) throw CallError(ESPALIER_SIM_EINVAL, format("%s is null", name));
}

void check_port(uint32_t port) {
    if (port != 0) throw CallError(ESPALIER_SIM_EINVAL, format("MAC port %u, this design has port 0 only", port));
}

void copy_error(char* err, size_t err_size, const char* what) {
    if (err != nullptr && err_size != 0) std::snprintf(err, err_size, "%s", what);
}

}  // namespace

extern "C" {

uint32_t espalier_sim_abi(void) { return ESPALIER_SIM_ABI; }

const char* espalier_sim_info(void) { return ESPALIER_BUILD_INFO; }

espalier_sim* espalier_sim_create(const char* options, uint64_t seed, char* err, size_t err_size) {
    try {
        auto s = std::make_unique<espalier_sim>();
        s->sim = std::make_unique<espalier::Sim>(espalier::Options::parse(options), seed);
        return s.release();
    } catch (const std::exception& e) {
        copy_error(err, err_size, e.what());
    } catch (...) {
        copy_error(err, err_size, "unknown error");
    }
    return nullptr;
}

void espalier_sim_destroy(espalier_sim* s) {
    try {
        delete s;
    } catch (...) {
        // A final block that stops the model has nobody left to tell.
    }
}

int espalier_sim_hard_reset(espalier_sim* s) {
    return running(s, [](espalier::Sim& sim) {
        sim.hard_reset();
        return ESPALIER_SIM_OK;
    });
}

const char* espalier_sim_last_error(espalier_sim* s) { return s == nullptr ? "no instance" : s->error.c_str(); }

uint64_t espalier_sim_cycle(espalier_sim* s) { return s == nullptr ? 0 : s->sim->cycle(); }

int espalier_sim_advance(espalier_sim* s, uint64_t cycles, uint32_t until, uint32_t* events, uint64_t* ran) {
    uint32_t seen = 0;
    const uint64_t before = espalier_sim_cycle(s);
    const int result = running(s, [&](espalier::Sim& sim) {
        sim.advance(cycles, until, &seen);
        return ESPALIER_SIM_OK;
    });
    if (events != nullptr) *events = seen;
    if (ran != nullptr) *ran = espalier_sim_cycle(s) - before;
    return result;
}

int espalier_sim_attention(espalier_sim* s, const uint32_t* word) {
    return running(s, [&](espalier::Sim& sim) {
        sim.attention(word);
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_bar_read(espalier_sim* s, uint32_t bar, uint64_t offset, uint32_t width, uint64_t* value) {
    return running(s, [&](espalier::Sim& sim) {
        check_pointer(value, "value");
        *value = ~uint64_t{0} >> (width >= 8 ? 0 : 64 - 8 * width);  // what a failed read gives
        *value = sim.bar_read(bar, offset, width);
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_bar_write(espalier_sim* s, uint32_t bar, uint64_t offset, uint32_t width, uint64_t value) {
    return running(s, [&](espalier::Sim& sim) {
        sim.bar_write(bar, offset, width, value);
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_mem_add(espalier_sim* s, uint64_t iova, uint64_t size, void* host, uint32_t flags) {
    return running(s, [&](espalier::Sim& sim) {
        sim.memory().add(iova, size, host, flags);
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_mem_add_fd(espalier_sim* s, uint64_t iova, uint64_t size, int fd, uint64_t file_offset, uint32_t flags) {
    return running(s, [&](espalier::Sim& sim) {
        sim.memory().add_fd(iova, size, fd, file_offset, flags);
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_mem_remove(espalier_sim* s, uint64_t iova, uint64_t size) {
    return running(s, [&](espalier::Sim& sim) {
        sim.memory().remove(iova, size);
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_mem_remote(espalier_sim* s, uint32_t enable) {
    return running(s, [&](espalier::Sim& sim) {
        sim.mem_remote(enable != 0);
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_mem_requests(espalier_sim* s, espalier_sim_request* out, uint32_t max) {
    return running(s, [&](espalier::Sim& sim) {
        check_pointer(out, "out");
        return static_cast<int>(sim.mem_requests(out, max));
    });
}

int espalier_sim_mem_answer(espalier_sim* s, uint64_t id, uint32_t ok, const uint8_t* data, size_t size) {
    return running(s, [&](espalier::Sim& sim) {
        sim.mem_answer(id, ok != 0, data, size);
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_faults(espalier_sim* s, espalier_sim_fault* out, uint32_t max) {
    return always(s, [&](espalier::Sim& sim) {
        check_pointer(out, "out");
        return static_cast<int>(sim.memory().take_faults(out, max));
    });
}

int espalier_sim_mac_send(espalier_sim* s, uint32_t port, const uint8_t* data, size_t size, uint32_t flags) {
    return running(s, [&](espalier::Sim& sim) {
        check_port(port);
        check_pointer(data, "data");
        if (size == 0 || size > espalier::kMaxMacFrame) {
            throw CallError(ESPALIER_SIM_EINVAL, format("frame of %zu bytes, allowed are 1 to %zu", size, espalier::kMaxMacFrame));
        }
        if (!sim.mac_source().send(data, size, flags)) throw CallError(ESPALIER_SIM_EAGAIN, "the queue of frames toward the NIC is full");
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_mac_recv(espalier_sim* s, uint32_t port, uint8_t* data, size_t capacity, espalier_sim_frame* frame) {
    return always(s, [&](espalier::Sim& sim) {
        check_port(port);
        check_pointer(data, "data");
        espalier::MacFrame* oldest = sim.mac_sink().oldest();
        if (oldest == nullptr) return ESPALIER_SIM_EAGAIN;  // no sentence: this is not a failure, and common
        if (oldest->info.size > capacity) {
            throw CallError(ESPALIER_SIM_EINVAL, format("frame of %u bytes, the buffer holds %zu", oldest->info.size, capacity));
        }
        std::memcpy(data, oldest->bytes.data(), oldest->info.size);
        if (frame != nullptr) *frame = oldest->info;
        sim.mac_sink().pop();
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_mac_sent(espalier_sim* s, uint32_t port, espalier_sim_frame* out, uint32_t max) {
    return always(s, [&](espalier::Sim& sim) {
        check_port(port);
        check_pointer(out, "out");
        return static_cast<int>(sim.mac_source().take_sent(out, max));
    });
}

int espalier_sim_interrupts(espalier_sim* s, uint32_t* counts, uint32_t n) {
    return always(s, [&](espalier::Sim& sim) {
        check_pointer(counts, "counts");
        sim.take_interrupts(counts, n);
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_trace(espalier_sim* s, const char* path) {
    const auto act = [&](espalier::Sim& sim) {
        sim.wave(path);
        return ESPALIER_SIM_OK;
    };
    return path == nullptr ? always(s, act) : running(s, act);
}

int espalier_sim_coverage(espalier_sim* s, const char* path) {
    return always(s, [&](espalier::Sim& sim) {
        check_pointer(path, "path");
        sim.coverage(path);
        return ESPALIER_SIM_OK;
    });
}

int espalier_sim_peek(espalier_sim* s, const char* name, uint64_t index, uint8_t* out, size_t capacity) {
    return always(s, [&](espalier::Sim& sim) {
        check_pointer(name, "name");
        check_pointer(out, "out");
        return static_cast<int>(sim.peek(name, index, out, capacity));
    });
}

int espalier_sim_record(espalier_sim* s, const char* path) {
    return always(s, [&](espalier::Sim& sim) {
        sim.record(path);
        return ESPALIER_SIM_OK;
    });
}

}  // extern "C"
