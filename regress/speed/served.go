// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// servedClockGoal is the least that simulated RTL behind vfio-user may keep of its
// speed in this process.
const servedClockGoal = 0.8

// ServedClock is the speed of the simulated clock under traffic, in this process
// and behind a vfio-user socket of another.
type ServedClock struct {
	// InProcess and Served are cycles a second, Ratio the median of the rounds' ratios.
	InProcess float64 `json:"in_process_cycles_per_second"`
	Served    float64 `json:"served_cycles_per_second"`
	Ratio     float64 `json:"ratio"`
	Goal      float64 `json:"ratio_goal"`
	Verdict   Verdict `json:"verdict"`
	Rounds    int     `json:"rounds"`
}

// MeasureServedClock runs the same traffic on both in turns: frames of 1518 bytes
// in loopback, as many as the NIC bears. Of two that are idle in between, neither
// slows the other.
func MeasureServedClock(ctx context.Context, here, served PCIeTarget, quick bool) (_ *ServedClock, err error) {
	// Many short rounds: what else runs on the machine hits both alike.
	c := &ServedClock{Rounds: 31, Goal: servedClockGoal}
	span := 200 * time.Millisecond
	if quick {
		c.Rounds = 5
	}
	near, err := here.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s, %s: %w", here.NIC, here.Way, err)
	}
	defer func() { err = errors.Join(err, near.close()) }()
	far, err := served.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s, %s: %w", served.NIC, served.Way, err)
	}
	defer func() { err = errors.Join(err, far.close()) }()
	var nears, fars, ratios []float64
	for range c.Rounds {
		var rates [2]float64
		for i, e := range []*echo{near, far} {
			r, err := e.run(ctx, 1518, span)
			if err != nil {
				return nil, err
			}
			rates[i] = float64(r.cycles) / r.seconds
		}
		nears, fars, ratios = append(nears, rates[0]), append(fars, rates[1]), append(ratios, rates[1]/rates[0])
	}
	c.InProcess, c.Served, c.Ratio = median(nears), median(fars), median(ratios)
	c.Verdict = verdict(c.Ratio >= c.Goal)
	return c, nil
}
