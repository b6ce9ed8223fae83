// SPDX-License-Identifier: Apache-2.0

#include "stimuli.h"

#include <cerrno>

#include "errors.h"
#include "espalier_sim.h"

namespace espalier {

StimuliRecorder::StimuliRecorder(Design& top, const char* path) : path_(path), file_(std::fopen(path, "wb")), clock_(stimuli_size(top)) {
    if (file_ == nullptr) throw CallError(ESPALIER_SIM_EIO, format("%s cannot be written: %s", path, std::strerror(errno)));
}

StimuliRecorder::~StimuliRecorder() {
    if (file_ != nullptr) std::fclose(file_);
}

void StimuliRecorder::close() {
    const bool closed = std::fclose(file_) == 0;
    file_ = nullptr;
    if (failed_ || !closed) throw CallError(ESPALIER_SIM_EIO, format("%s could not be written whole", path_.c_str()));
}

}  // namespace espalier
