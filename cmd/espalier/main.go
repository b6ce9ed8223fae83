// SPDX-License-Identifier: Apache-2.0

// Command espalier drives an IPsec NIC, real or simulated, and judges what it
// does to packets.
//
// Exit codes: 0 all is well; 1 the NIC did something wrong (a mismatch); 2 the
// request could not be carried out (bad input, missing device, full disk). That
// of espalier vm is the command's that it ran.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/espalier-nic/espalier/vm/guest"
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

// exitError ends a command with an exit code that is not its own and about which
// there is no more to say.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// isExit says whether err is an exitError.
func isExit(err error) bool {
	var exit exitError
	return errors.As(err, &exit)
}

func main() {
	guest.Main() // never comes back in a virtual machine's guest
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	// Nothing may end the program while a card is at work with its memory, not even
	// that whoever reads its output has gone. Writing is an error then.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	var exit exitError
	switch {
	case errors.As(err, &exit):
		os.Exit(int(exit))
	case err == nil:
		os.Exit(exitOK)
	case errors.Is(err, errMismatch):
		os.Exit(exitMismatch)
	case errors.Is(err, syscall.EPIPE): // nobody is there to be told
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "espalier: interrupted")
	default:
		fmt.Fprintf(os.Stderr, "espalier: %v\n", err)
	}
	os.Exit(exitFailure)
}
