// SPDX-License-Identifier: Apache-2.0
verilator/testdata/tiny_nic.sv
