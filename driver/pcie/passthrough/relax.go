// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"runtime"
	"sync/atomic"
	"time"
)

// idle is how long a program has been polling for nothing. One that finds work
// now and then must not sleep; one that does not should leave the processor to
// others, who may well be the device (vfio-user).
type idle struct {
	turns atomic.Uint32 // Relax calls in a row
	last  atomic.Int64  // end of the last one, nanoseconds since start
}

const (
	// busyGap is a time between two Relax calls that says that the program
	// did something else meanwhile.
	busyGap = 5 * time.Microsecond
	// patientTurns is how many calls only yield.
	patientTurns = 200
	// shortNap and longNap are the first and the longest sleep.
	shortNap = 2 * time.Microsecond
	longNap  = 50 * time.Microsecond
	// nappable is a limit in cycles under which no sleep makes sense: a few
	// hundred nanoseconds at the 250 MHz the design aims at.
	nappable = 100
)

var start = time.Now()

// relax yields; the longer it has been called for nothing, the longer.
func (i *idle) relax(max uint64) {
	turns := i.turns.Add(1)
	if time.Since(start)-time.Duration(i.last.Load()) > busyGap {
		turns = 0
		i.turns.Store(0)
	}
	if turns < patientTurns || max > 0 && max < nappable {
		runtime.Gosched()
	} else {
		nap(min(longNap, shortNap*time.Duration(1+(turns-patientTurns)/16)))
	}
	i.last.Store(int64(time.Since(start)))
}
