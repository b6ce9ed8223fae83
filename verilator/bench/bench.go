// SPDX-License-Identifier: Apache-2.0

// Package bench measures what the bus models and the bridge cost: the same
// clock cycles, with the same inputs, once through the driver and the bridge and
// once in a bare C++ loop around the same objects.
//
// Times are processor time, not elapsed time, so that other work on the machine
// disturbs them less; the fastest round counts.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// Speed is how fast some clock cycles went.
type Speed struct {
	Cycles          uint64  `json:"cycles"`
	Seconds         float64 `json:"seconds"`
	CyclesPerSecond float64 `json:"cycles_per_second"`
}

// Report compares the ways to run the same cycles.
type Report struct {
	Workload string `json:"workload"`
	// Bridge is through driver, bridge and models; Bare the design alone.
	Bridge Speed `json:"bridge"`
	Bare   Speed `json:"bare"`
	// Ratio is Bridge over Bare.
	Ratio float64 `json:"ratio"`
}

// Compare measures a workload on a library, and on the executable that
// build.sh --bare made with it, in so many rounds each.
func Compare(ctx context.Context, library, bare string, w Workload, rounds int) (Report, error) {
	if rounds < 1 {
		return Report{}, errors.New("bench: no rounds")
	}
	lib, err := rtlbridge.Load(library)
	if err != nil {
		return Report{}, err
	}
	dir, err := os.MkdirTemp("", "espalier-bench-")
	if err != nil {
		return Report{}, fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	stimuli := filepath.Join(dir, "stimuli")
	if _, err := round(ctx, lib, w, stimuli); err != nil {
		return Report{}, err
	}
	report := Report{Workload: w.Name}
	for range rounds {
		// Turn by turn, so that both meet the same weather.
		bridge, err := round(ctx, lib, w, "")
		if err != nil {
			return Report{}, err
		}
		alone, err := replay(ctx, bare, stimuli)
		if err != nil {
			return Report{}, err
		}
		if bridge.Cycles != alone.Cycles {
			return Report{}, fmt.Errorf("bench: %d cycles through the bridge, %d recorded", bridge.Cycles, alone.Cycles)
		}
		report.Bridge, report.Bare = faster(report.Bridge, bridge), faster(report.Bare, alone)
	}
	report.Ratio = report.Bridge.CyclesPerSecond / report.Bare.CyclesPerSecond
	return report, nil
}

func faster(a, b Speed) Speed {
	if a.CyclesPerSecond > b.CyclesPerSecond {
		return a
	}
	return b
}

// round runs a workload on a new NIC and measures from its start to its end.
// With a stimuli file it records the inputs instead, which takes time.
func round(ctx context.Context, lib *rtlbridge.Library, w Workload, stimuli string) (Speed, error) {
	f, err := rtlbridge.Open(lib, rtlbridge.Config{Options: w.Options, Seed: 1})
	if err != nil {
		return Speed{}, err
	}
	defer f.Close()
	if stimuli != "" {
		if err := f.Record(stimuli); err != nil {
			return Speed{}, err
		}
	}
	// What is recorded begins with a reset: a new instance then does the same.
	from, start := f.Cycle(), processorTime()
	if err := f.Reset(ctx); err != nil {
		return Speed{}, err
	}
	if err := w.run(ctx, f); err != nil {
		return Speed{}, err
	}
	took, cycles := processorTime()-start, f.Cycle()-from
	if stimuli != "" {
		if err := f.Record(""); err != nil {
			return Speed{}, err
		}
	}
	return Speed{Cycles: cycles, Seconds: took.Seconds(), CyclesPerSecond: float64(cycles) / took.Seconds()}, nil
}

// replay runs the bare executable.
func replay(ctx context.Context, bare, stimuli string) (Speed, error) {
	out, err := exec.CommandContext(ctx, bare, stimuli, strconv.Itoa(1)).Output()
	if err != nil {
		return Speed{}, fmt.Errorf("bench: %s: %w", filepath.Base(bare), err)
	}
	var s Speed
	if err := json.Unmarshal(out, &s); err != nil {
		return Speed{}, fmt.Errorf("bench: %s wrote %q: %w", filepath.Base(bare), out, err)
	}
	return s, nil
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}
