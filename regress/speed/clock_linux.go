// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// stopwatch measures processor time of the thread that started it. Start and
// stop must be called by one goroutine.
type stopwatch struct{ start unix.Timespec }

// startWatch binds the goroutine to its thread until stop.
func startWatch() (stopwatch, error) {
	runtime.LockOSThread()
	var w stopwatch
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &w.start); err != nil {
		runtime.UnlockOSThread()
		return w, fmt.Errorf("processor time of this thread: %w", err)
	}
	return w, nil
}

func (w stopwatch) stop() (time.Duration, error) {
	defer runtime.UnlockOSThread()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		return 0, fmt.Errorf("processor time of this thread: %w", err)
	}
	return time.Duration(now.Nano() - w.start.Nano()), nil
}
