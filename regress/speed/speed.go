// SPDX-License-Identifier: Apache-2.0

// Package speed measures the NIC and what surrounds it: clock cycles per packet
// against what the design allows at best, latency, SA installation, and, in
// seconds, the simulator, the golden model and the driver.
//
// Cycle figures are exact: the same RTL gives the same figures on any machine.
// Figures in seconds are medians of alternating rounds in one process, in
// processor time of the thread that does the work, which is time on the wall
// where nothing else runs.
package speed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/espalier-nic/espalier/internal/nearest"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// Section is one group of measurements.
type Section string

// The sections, in the order in which they are measured.
const (
	RTL          Section = "rtl"     // cycles per packet and latency
	SA           Section = "sa"      // SA installation through the window
	ControlPlane Section = "control" // SA operations through the mailbox
	Simulator    Section = "sim"     // cycles per second
	Golden       Section = "golden"  // bytes per second
	Driver       Section = "driver"  // ns and allocations per packet
	PCIe         Section = "pcie"    // ways to a NIC: accesses, packets, DMA
)

// Sections are all sections, in order.
func Sections() []Section { return []Section{RTL, SA, ControlPlane, Simulator, Golden, Driver, PCIe} }

// ParseSections returns the sections with these names, all for none.
func ParseSections(names []string) ([]Section, error) {
	all := Sections()
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, s := range all {
		known = append(known, string(s))
	}
	var chosen []Section
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("section of the benchmark is %q, nearest is %q; allowed are %s", name, nearest.Name(name, known), strings.Join(known, ", "))
		}
		chosen = append(chosen, Section(name))
	}
	return chosen, nil
}

// Target is the simulated NIC to measure.
type Target struct {
	Library *rtlbridge.Library
	// Firmware is the image for a NIC with a control processor.
	Firmware []byte
}

// NewTarget is a simulator with the firmware that lies where make puts it.
func NewTarget(lib *rtlbridge.Library) (Target, error) {
	image, err := lib.Firmware()
	return Target{Library: lib, Firmware: image}, err
}

var errNoLibrary = errors.New("a simulator library is needed")

// open opens one simulated NIC whose host memory takes latency cycles.
func (t Target) open(latency, quantum uint64) (*rtlbridge.Function, error) {
	if t.Library == nil {
		return nil, errNoLibrary
	}
	return rtlbridge.Open(t.Library, rtlbridge.Config{Options: busOptions(latency), Seed: simSeed, Quantum: quantum})
}

// Options say what to measure and how thoroughly.
type Options struct {
	Sections []Section
	// Quick measures fewer packets and rounds: cycle figures keep their meaning
	// and lose a little of their precision.
	Quick bool
	// Target is needed for RTL, ControlPlane and Simulator.
	Target Target
	// Window is the same NIC without a control processor; needed for SA.
	Window Target
	// Bare is the program that clocks the same simulator without the bridge
	// (verilator/build.sh --bare); needed for Simulator.
	Bare string
	// PCIe is what the section of this name measures.
	PCIe PCIeOptions
	// Progress is called with what is measured next.
	Progress func(what string)
}

// Report is what was measured. Sections that were not asked for are empty.
type Report struct {
	// Complete: every section that was asked for is there.
	Complete bool `json:"complete"`
	// Build is the simulated design's identification, Tool its simulator.
	Build    string          `json:"build,omitempty"`
	Tool     string          `json:"simulator_version,omitempty"`
	Quick    bool            `json:"quick"`
	Rates    []Rate          `json:"cycles_per_packet,omitempty"`
	Latency  []Latency       `json:"latency,omitempty"`
	Installs []Install       `json:"sa_install,omitempty"`
	Window   []Control       `json:"sa_operations_window,omitempty"`
	Control  []Control       `json:"sa_operations,omitempty"`
	Beside   []Beside        `json:"traffic_beside_sa_operations,omitempty"`
	Sim      *SimulatorSpeed `json:"simulator,omitempty"`
	Golden   []GoldenSpeed   `json:"golden_model,omitempty"`
	Driver   []DriverSpeed   `json:"driver,omitempty"`
	PCIe     *PCIeSpeed      `json:"pcie,omitempty"`
}

// Verdict says whether a figure meets its goal.
type Verdict string

// The verdicts.
const (
	Met    Verdict = "met"
	Missed Verdict = "MISSED"
)

func verdict(met bool) Verdict {
	if met {
		return Met
	}
	return Missed
}

// Missed counts the figures that miss their goal.
func (r *Report) Missed() int {
	n := 0
	count := func(v Verdict) {
		if v == Missed {
			n++
		}
	}
	for _, x := range r.Rates {
		count(x.Verdict)
		count(x.SteadyVerdict)
	}
	for _, x := range r.Installs {
		count(x.Verdict)
	}
	for _, x := range r.Control {
		count(x.Verdict)
	}
	for _, x := range r.Beside {
		count(x.Verdict)
	}
	if r.Sim != nil {
		count(r.Sim.RateVerdict)
		count(r.Sim.RatioVerdict)
	}
	for _, x := range r.Golden {
		count(x.Verdict)
	}
	for _, x := range r.Driver {
		count(x.Verdict)
	}
	if r.PCIe != nil {
		for _, v := range r.PCIe.verdicts() {
			count(v)
		}
	}
	return n
}

// Run measures what opts ask for.
func Run(ctx context.Context, opts Options) (_ *Report, err error) {
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	r := &Report{Quick: opts.Quick}
	if lib := opts.Target.Library; lib != nil {
		r.Build, r.Tool = lib.Info().BuildID, lib.Info().Simulator
	}
	for _, section := range Sections() {
		if !slices.Contains(opts.Sections, section) {
			continue
		}
		switch section {
		case RTL:
			if r.Rates, err = MeasureRates(ctx, opts.Target, AllRates(opts.Quick), opts.Progress); err == nil {
				opts.Progress("latency")
				r.Latency, err = MeasureLatency(ctx, opts.Target)
			}
		case SA:
			opts.Progress("SA installation")
			if r.Installs, err = MeasureInstalls(ctx, opts.Window); err == nil {
				r.Window, err = MeasureControl(ctx, opts.Window, opts.Quick)
			}
		case ControlPlane:
			opts.Progress("SA operations")
			if r.Control, err = MeasureControl(ctx, opts.Target, opts.Quick); err == nil {
				opts.Progress("traffic beside SA operations")
				r.Beside, err = MeasureBeside(ctx, opts.Target, opts.Quick)
			}
		case Simulator:
			opts.Progress("simulator")
			r.Sim, err = MeasureSimulator(ctx, opts.Target, opts.Bare, opts.Quick)
		case Golden:
			opts.Progress("golden model")
			r.Golden, err = MeasureGolden(ctx, opts.Quick)
		case Driver:
			opts.Progress("driver")
			r.Driver, err = MeasureDriver(ctx, opts.Quick)
		case PCIe:
			r.PCIe, err = MeasurePCIe(ctx, opts.PCIe, opts.Quick, opts.Progress)
		}
		if err != nil {
			return nil, fmt.Errorf("measuring %s: %w", section, err)
		}
	}
	r.Complete = true
	return r, nil
}
