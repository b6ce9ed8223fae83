// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package guest

// run has nothing to do: a guest is a Linux guest.
func run() {}
