// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"slices"
	"time"
)

// median returns the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// timed returns what work takes.
func timed(work func() error) (time.Duration, error) {
	watch, err := startWatch()
	if err != nil {
		return 0, err
	}
	failed := work()
	took, err := watch.stop()
	if failed != nil {
		return 0, failed
	}
	return took, err
}
