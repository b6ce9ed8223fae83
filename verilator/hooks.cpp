// SPDX-License-Identifier: Apache-2.0
//
// What Verilator calls for $display, $fatal, $stop, $finish, failed assertions
// and its own internal errors. The library is built with VL_USER_FATAL,
// VL_USER_STOP and VL_USER_FINISH, so none of them can end the process: they
// become a ModelError.

#include <cstdarg>
#include <cstdio>
#include <string>

#include "errors.h"
#include "verilated.h"

namespace espalier {
namespace {

// Verilator prints an assertion's message and then calls $stop without it. An
// instance is used by one thread at a time, so this thread's last message is its.
thread_local std::string partial_line;
thread_local std::string last_error_line;

void take_line(const std::string& line) {
    // "[120] %Fatal: file.sv:12: Assertion failed in TOP.x: text"
    for (const char* mark : {"%Error", "%Fatal"}) {
        const size_t at = line.find(mark);
        if (at != std::string::npos) {
            last_error_line = line.substr(at + 1);
            return;
        }
    }
    std::fprintf(stderr, "%s\n", line.c_str());
}

void take_text(const std::string& text) {
    partial_line += text;
    for (size_t end; (end = partial_line.find('\n')) != std::string::npos;) {
        const std::string line = partial_line.substr(0, end);
        partial_line.erase(0, end + 1);
        take_line(line);
    }
}

[[noreturn]] void stop(const std::string& message) {
    std::string what;
    what.swap(last_error_line);
    throw ModelError(what.empty() ? message : what);
}

std::string formatted(const char* pattern, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, pattern, again);
    va_end(again);
    if (length <= 0) return {};
    std::string text(static_cast<size_t>(length) + 1, '\0');
    std::vsnprintf(text.data(), text.size(), pattern, arguments);
    text.pop_back();
    return text;
}

std::string place(const char* filename, int line) {
    if (filename == nullptr || filename[0] == '\0') return "the design";
    return format("%s:%d", filename, line);
}

}  // namespace

std::string format(const char* pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    std::string text = formatted(pattern, arguments);
    va_end(arguments);
    return text;
}

}  // namespace espalier

int espalier_model_printf(const char* pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    const std::string text = espalier::formatted(pattern, arguments);
    va_end(arguments);
    espalier::take_text(text);
    return static_cast<int>(text.size());
}

void vl_fatal(const char* filename, int line, const char*, const char* message) {
    espalier::stop(espalier::format("%s: %s", espalier::place(filename, line).c_str(), message));
}

void vl_stop(const char* filename, int line, const char*) { espalier::stop(espalier::format("$stop in %s", espalier::place(filename, line).c_str())); }

void vl_finish(const char* filename, int line, const char*) { espalier::stop(espalier::format("$finish in %s", espalier::place(filename, line).c_str())); }
