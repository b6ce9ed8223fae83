// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// Conditions and goals of the simulator.
const (
	simQueues    = 4
	simRateGoal  = 500_000 // cycles/s of one NIC with one lane
	simRatioGoal = 0.9     // of the bare loop's speed
)

// SimulatorSpeed is how fast the simulated NIC runs with traffic both ways: what
// it sends comes back to it over the wire, back to back.
type SimulatorSpeed struct {
	// Rate is cycles per second through driver and bridge, Bare those of a
	// loop in C++ that clocks the same design with the same inputs, recorded,
	// and nothing else. Medians of alternating rounds.
	Rate float64 `json:"cycles_per_second"`
	Bare float64 `json:"bare_cycles_per_second"`
	// Ratio is the median of the rounds' ratios.
	Ratio float64 `json:"ratio"`
	// Cycles of one round, Packets sent and received in it, Rounds.
	Cycles  uint64 `json:"cycles"`
	Packets int    `json:"packets"`
	Rounds  int    `json:"rounds"`

	RateGoal     float64 `json:"rate_goal"`
	RateVerdict  Verdict `json:"rate_verdict"`
	RatioGoal    float64 `json:"ratio_goal"`
	RatioVerdict Verdict `json:"ratio_verdict"`
}

// MeasureSimulator runs the same traffic through the bridge and, from a
// recording, through the program bare.
func MeasureSimulator(ctx context.Context, sim Target, bare string, quick bool) (_ *SimulatorSpeed, err error) {
	if sim.Library == nil || bare == "" {
		return nil, errors.New("a simulator library and the bare bench are needed")
	}
	s := &SimulatorSpeed{Rounds: 7, Packets: 12_000, RateGoal: simRateGoal, RatioGoal: simRatioGoal}
	if quick {
		s.Rounds, s.Packets = 3, 3000
	}
	folder, err := os.MkdirTemp("", "espalier-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	stimuli := filepath.Join(folder, "stimuli")
	recorded, err := s.bridged(ctx, sim, stimuli)
	if err != nil {
		return nil, err
	}
	s.Cycles = recorded.cycles
	var rates, bares, ratios []float64
	for range s.Rounds {
		bridged, err := s.bridged(ctx, sim, "")
		if err != nil {
			return nil, err
		}
		alone, err := runBare(ctx, bare, stimuli)
		if err != nil {
			return nil, err
		}
		for what, o := range map[string]outcome{"a repetition": bridged, "the bare loop": alone} {
			if o.cycles != recorded.cycles || o.beats != recorded.beats {
				return nil, fmt.Errorf("the recorded run took %d cycles and sent %d beats, %s %d and %d: not the same design or not the same inputs",
					recorded.cycles, recorded.beats, what, o.cycles, o.beats)
			}
		}
		rates, bares = append(rates, bridged.rate()), append(bares, alone.rate())
		ratios = append(ratios, bridged.rate()/alone.rate())
	}
	s.Rate, s.Bare, s.Ratio = median(rates), median(bares), median(ratios)
	s.RateVerdict, s.RatioVerdict = verdict(s.Rate >= s.RateGoal), verdict(s.Ratio >= s.RatioGoal)
	return s, nil
}

// outcome is one run of the design.
type outcome struct {
	cycles  uint64
	beats   uint64 // given to the MAC
	seconds float64
}

// rate is cycles per second.
func (o outcome) rate() float64 { return float64(o.cycles) / o.seconds }

// runBare runs one round of the bare bench.
func runBare(ctx context.Context, bare, stimuli string) (outcome, error) {
	out, err := exec.CommandContext(ctx, bare, stimuli, "1").Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		return outcome{}, fmt.Errorf("bare bench %s: %w", bare, err)
	}
	var result struct {
		Cycles  uint64  `json:"cycles"`
		Beats   uint64  `json:"mac_beats"`
		Seconds float64 `json:"seconds"`
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return outcome{}, fmt.Errorf("bare bench %s: its result %q is not JSON: %w", bare, out, err)
	}
	if result.Seconds <= 0 {
		return outcome{}, fmt.Errorf("bare bench %s: it took %v seconds", bare, result.Seconds)
	}
	return outcome{result.Cycles, result.Beats, result.Seconds}, nil
}

// bridged runs the traffic once on a new NIC: reset, SAs, s.Packets frames of
// IMIX out and back in. With record it writes the NIC's inputs there.
func (s *SimulatorSpeed) bridged(ctx context.Context, sim Target, record string) (o outcome, err error) {
	fn, err := sim.open(nearMemory, 0)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, fn.Close()) }()
	if err := fn.Port().Loopback(true); err != nil {
		return o, err
	}
	if record != "" {
		if err := fn.Record(record); err != nil {
			return o, err
		}
	}
	start := fn.Cycle()
	took, err := timed(func() (err error) {
		o.beats, err = loopTraffic(ctx, fn, sim.Firmware, s.Packets)
		return err
	})
	o.cycles, o.seconds = fn.Cycle()-start, took.Seconds()
	if record != "" && err == nil {
		err = fn.Record("")
	}
	return o, err
}

// loopTraffic resets a NIC whose wire is looped back, and sends and receives
// IMIX on all queues. It returns the beats that went over the wire.
func loopTraffic(ctx context.Context, fn *rtlbridge.Function, firmware []byte, packets int) (beats uint64, err error) {
	// The recording begins before the reset, so the bare loop begins with it.
	if err := fn.Reset(ctx); err != nil {
		return 0, err
	}
	s := newStation(fn, firmware)
	if err := s.init(ctx, fn, stationConfig{queues: simQueues}); err != nil {
		return 0, err
	}
	for i := range simQueues {
		a, err := newAssociation(s.rng, i, false, 16, i)
		if err != nil {
			return 0, err
		}
		if err := s.add(ctx, a); err != nil {
			return 0, err
		}
		twin := *a
		twin.spec.Inbound = true
		if err := s.add(ctx, &twin); err != nil {
			return 0, err
		}
	}
	mixes := Mixes()
	imix := mixes[len(mixes)-1]
	// Each packet takes one of the SAs at random, and with it a queue: twice the
	// mean is enough for any of them.
	if err := s.postReceive(fn, 2*packets/simQueues); err != nil {
		return 0, err
	}
	frames, _, err := s.prepareSend(fn, imix, packets)
	if err != nil {
		return 0, err
	}
	if err := s.send(frames); err != nil {
		return 0, err
	}
	if _, err := s.finish(ctx, packets, packets); err != nil {
		return 0, err
	}
	counted, err := s.nic.Statistics()
	if err != nil {
		return 0, err
	}
	if counted.RXESPOK != uint64(packets) {
		return 0, fmt.Errorf("%d of %d frames came back decrypted", counted.RXESPOK, packets)
	}
	for _, list := range frames {
		for _, p := range list {
			beats += uint64((p.Length + beatBytes - 1) / beatBytes)
		}
	}
	return beats, nil // closing the function is enough; the driver's reset would be idle time
}
