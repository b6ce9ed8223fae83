// SPDX-License-Identifier: Apache-2.0

package regress

import "github.com/espalier-nic/espalier/driver"

// Result is what a run found. Everything but Timing is the same whenever the
// run is repeated with the same seed.
type Result struct {
	// Complete: the run reached its end. Nothing else is ever written, so a
	// file without it is not a result.
	Complete bool `json:"complete"`
	// Device is what was driven, Build the simulated design's identification.
	Device   string   `json:"device"`
	Build    string   `json:"build,omitempty"`
	Seed     uint64   `json:"seed"`
	Captures []string `json:"captures"`
	SAs      int      `json:"sas"`
	// WireSeen: the frames on the wire were seen and judged; their counts mean
	// something.
	WireSeen bool `json:"wire_seen"`
	// NotSeen names what could not be judged on this device.
	NotSeen []string `json:"not_seen,omitempty"`
	Counts
	// Cycles is the run's length in clock cycles, where there is a clock.
	Cycles     uint64     `json:"cycles,omitempty"`
	Mismatches []Mismatch `json:"mismatch_list"`
	// Sender and Receiver are the NICs' own counters at the end; in loopback the
	// one NIC's, after all was sent and after all was received.
	Sender   driver.Statistics `json:"sender"`
	Receiver driver.Statistics `json:"receiver"`
	Timing   Timing            `json:"timing"`
}

// Timing is what differs from one run to the next.
type Timing struct {
	Seconds         float64 `json:"seconds"`
	CyclesPerSecond float64 `json:"cycles_per_second,omitempty"`
}

// Write writes the result as JSON to path, whole or not at all.
func (r *Result) Write(path string) error {
	return WriteJSON(path, r)
}
