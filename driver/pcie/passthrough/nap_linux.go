// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"time"

	"golang.org/x/sys/unix"
)

// nap sleeps for a few microseconds. time.Sleep waits for a millisecond at least
// when the program has nothing else to do.
func nap(d time.Duration) {
	request := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&request, nil) // a signal may end it
}
