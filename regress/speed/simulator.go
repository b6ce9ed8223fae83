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
	"time"

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
func MeasureSimulator(ctx context.Context, lib *rtlbridge.Library, bare string, quick bool) (_ *SimulatorSpeed, err error) {
	if lib == nil || bare == "" {
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
	if s.Cycles, _, err = s.bridged(ctx, lib, stimuli); err != nil {
		return nil, err
	}
	var rates, bares, ratios []float64
	for range s.Rounds {
		cycles, took, err := s.bridged(ctx, lib, "")
		if err != nil {
			return nil, err
		}
		if cycles != s.Cycles {
			return nil, fmt.Errorf("the same traffic took %d and %d cycles", s.Cycles, cycles)
		}
		bareCycles, bareTook, err := runBare(ctx, bare, stimuli)
		if err != nil {
			return nil, err
		}
		if bareCycles != s.Cycles {
			return nil, fmt.Errorf("%s ran %d cycles, the recording has %d", bare, bareCycles, s.Cycles)
		}
		rate, bareRate := float64(cycles)/took.Seconds(), float64(bareCycles)/bareTook
		rates, bares, ratios = append(rates, rate), append(bares, bareRate), append(ratios, rate/bareRate)
	}
	s.Rate, s.Bare, s.Ratio = median(rates), median(bares), median(ratios)
	s.RateVerdict, s.RatioVerdict = verdict(s.Rate >= s.RateGoal), verdict(s.Ratio >= s.RatioGoal)
	return s, nil
}

// runBare runs one round of the bare bench.
func runBare(ctx context.Context, bare, stimuli string) (cycles uint64, seconds float64, err error) {
	out, err := exec.CommandContext(ctx, bare, stimuli, "1").Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		return 0, 0, fmt.Errorf("bare bench %s: %w", bare, err)
	}
	var result struct {
		Cycles  uint64  `json:"cycles"`
		Seconds float64 `json:"seconds"`
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return 0, 0, fmt.Errorf("bare bench %s: its result %q is not JSON: %w", bare, out, err)
	}
	if result.Seconds <= 0 {
		return 0, 0, fmt.Errorf("bare bench %s: it took %v seconds", bare, result.Seconds)
	}
	return result.Cycles, result.Seconds, nil
}

// bridged runs the traffic once on a new NIC: reset, SAs, s.Packets frames of
// IMIX out and back in. It returns the cycles from reset to end and what they
// took. With record it writes the NIC's inputs there.
func (s *SimulatorSpeed) bridged(ctx context.Context, lib *rtlbridge.Library, record string) (cycles uint64, took time.Duration, err error) {
	fn, err := rtlbridge.Open(lib, rtlbridge.Config{Options: busOptions(nearMemory), Seed: simSeed})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, fn.Close()) }()
	if err := fn.Port().Loopback(true); err != nil {
		return 0, 0, err
	}
	if record != "" {
		if err := fn.Record(record); err != nil {
			return 0, 0, err
		}
	}
	start := fn.Cycle()
	took, err = timed(func() error { return loopTraffic(ctx, fn, s.Packets) })
	cycles = fn.Cycle() - start
	if record != "" && err == nil {
		err = fn.Record("")
	}
	return cycles, took, err
}

// loopTraffic resets a NIC whose wire is looped back, and sends and receives
// IMIX on all queues.
func loopTraffic(ctx context.Context, fn *rtlbridge.Function, packets int) error {
	// The recording begins before the reset, so the bare loop begins with it.
	if err := fn.Reset(ctx); err != nil {
		return err
	}
	s := newStation(fn)
	if err := s.init(ctx, fn, stationConfig{queues: simQueues}); err != nil {
		return err
	}
	for i := range simQueues {
		a, err := newAssociation(s.rng, i, false, 16, i)
		if err != nil {
			return err
		}
		if err := s.add(ctx, a); err != nil {
			return err
		}
		twin := *a
		twin.spec.Inbound = true
		if err := s.add(ctx, &twin); err != nil {
			return err
		}
	}
	mixes := Mixes()
	imix := mixes[len(mixes)-1]
	if err := s.postReceive(fn, packets); err != nil {
		return err
	}
	frames, _, err := s.prepareSend(fn, imix, packets)
	if err != nil {
		return err
	}
	if err := s.send(frames); err != nil {
		return err
	}
	if _, err := s.finish(ctx, packets, packets); err != nil {
		return err
	}
	counted, err := s.nic.Statistics()
	if err != nil {
		return err
	}
	if counted.RXESPOK != uint64(packets) {
		return fmt.Errorf("%d of %d frames came back decrypted", counted.RXESPOK, packets)
	}
	return nil // closing the function is enough; the driver's reset would be idle time
}
