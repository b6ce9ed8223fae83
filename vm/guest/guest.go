// SPDX-License-Identifier: Apache-2.0

// Package guest is the first process of the virtual machine's guest. Main, called
// first thing in a program, makes that program able to be it: package vm puts
// the running program itself into the guest.
package guest

import (
	"os"
	"slices"

	"github.com/espalier-nic/espalier/vm/job"
)

// Main does the guest's work and never comes back, if this process is the first
// of a guest; anywhere else it does nothing.
func Main() {
	// The kernel adds those of its own parameters that it does not know.
	if os.Getpid() == 1 && slices.Contains(os.Args[1:], job.Argument) {
		run()
	}
}
