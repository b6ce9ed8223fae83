// SPDX-License-Identifier: Apache-2.0

// Command espalier drives an IPsec NIC, real or simulated, and judges what it
// does to packets.
//
// Exit codes: 0 all is well; 1 the NIC did something wrong (a mismatch); 2 the
// request could not be carried out (bad input, missing device, full disk).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitOK       = 0
	exitMismatch = 1
	exitFailure  = 2
)

// errMismatch ends a command whose run found the NIC in the wrong; what was
// wrong has been printed by then.
var errMismatch = errors.New("the NIC disagrees with the golden model")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	switch {
	case err == nil:
		os.Exit(exitOK)
	case errors.Is(err, errMismatch):
		os.Exit(exitMismatch)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "espalier: interrupted")
	default:
		fmt.Fprintf(os.Stderr, "espalier: %v\n", err)
	}
	os.Exit(exitFailure)
}
