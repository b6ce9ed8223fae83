// SPDX-License-Identifier: Apache-2.0
//
// Given to the compiler ahead of every file (-include): what Verilator's code
// prints goes to the hooks in hooks.cpp instead of the program's standard
// output.
#pragma once

#ifdef __cplusplus
extern "C++" int espalier_model_printf(const char* pattern, ...) __attribute__((format(printf, 1, 2)));
#define VL_PRINTF espalier_model_printf
#endif
