// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package speed

import "time"

// stopwatch measures time on the wall where processor time cannot be had.
type stopwatch struct{ start time.Time }

func startWatch() (stopwatch, error) { return stopwatch{time.Now()}, nil }

func (w stopwatch) stop() (time.Duration, error) { return time.Since(w.start), nil }
