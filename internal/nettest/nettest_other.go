// SPDX-License-Identifier: Apache-2.0

//go:build !linux

// Package nettest gives tests network namespaces of their own, on Linux.
package nettest
