// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	"github.com/espalier-nic/espalier/internal/nearest"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// DeviceConfig says what to drive.
type DeviceConfig struct {
	// Device is "sim", "sim:LIBRARY" or "gonic"; "gonic:mailbox" has a control
	// processor, "gonic:window" none.
	Device string
	// Library is the simulator for "sim"; "" for the one that make built.
	Library string
	// Options go to the simulator: KEY=VALUE as verilator/espalier_sim.h lists them.
	Options map[string]string
	// Seed of everything random in the simulator.
	Seed uint64
	// Wave is a file for waveforms, "" for none.
	Wave string
	// Firmware is the image for the control processor; "" for the one beside the
	// simulator library or where make puts it, if there is one. The Go NIC has
	// its own unless one is named.
	Firmware string
}

// Kinds of device.
const (
	deviceSim   = "sim"
	deviceGoNIC = "gonic"
)

// simulatorName is the file that verilator/build.sh makes, in simulatorFolder
// below the repository's root, the one with waveforms a folder deeper.
const (
	simulatorName   = "libespalier_sim.so"
	simulatorFolder = "build/sim"
	traceFolder     = "trace"
)

// Device is one function that is open.
type Device struct {
	Function pcie.Function
	// Name is what to call it, Build the simulated design's identification.
	Name, Build string
	// Options are what the driver needs to know beside the user's wishes.
	Options driver.Options
}

// Close closes the function.
func (d *Device) Close() error { return d.Function.Close() }

// goNICs are the kinds of Go NIC by what follows the colon.
var goNICs = map[string]nic.Presence{"": nic.Preset, "mailbox": nic.Present, "window": nic.Absent}

// kind splits Device into its kind and what follows the colon.
func (c DeviceConfig) kind() (kind, rest string, err error) {
	kind, rest, _ = strings.Cut(c.Device, ":")
	known := []string{deviceSim, deviceGoNIC}
	if !slices.Contains(known, kind) {
		return "", "", fmt.Errorf("device is %q, nearest is %q; allowed are sim, sim:LIBRARY.so, gonic, gonic:mailbox and gonic:window", c.Device, nearest.Name(kind, known))
	}
	if _, ok := goNICs[rest]; kind == deviceGoNIC && !ok {
		return "", "", fmt.Errorf("device is %q; allowed are gonic, gonic:mailbox (with a control processor) and gonic:window (without)", c.Device)
	}
	if kind == deviceGoNIC && c.Wave != "" {
		return "", "", fmt.Errorf("waveforms of %s are asked for, which has none; --device sim has", c.Device)
	}
	return kind, rest, nil
}

// library loads the simulator library.
func (c DeviceConfig) library(rest string) (*rtlbridge.Library, error) {
	path := c.Library
	if rest != "" {
		path = rest
	}
	if path == "" {
		var err error
		if path, err = c.findLibrary(); err != nil {
			return nil, err
		}
	}
	lib, err := rtlbridge.Load(path)
	if err != nil {
		return nil, err
	}
	if c.Wave != "" && !lib.Info().Trace {
		return nil, fmt.Errorf("waveforms are asked for, and %s was built without them; `make sim-trace` builds one that has them", path)
	}
	return lib, nil
}

// findLibrary looks beside the program, where the repository's build puts it
// seen from there, and from the current folder.
func (c DeviceConfig) findLibrary() (string, error) {
	folder := simulatorFolder
	if c.Wave != "" {
		folder = filepath.Join(folder, traceFolder)
	}
	candidates := []string{filepath.Join(folder, simulatorName)}
	if program, err := os.Executable(); err == nil {
		beside := filepath.Dir(program)
		candidates = append([]string{filepath.Join(beside, simulatorName), filepath.Join(beside, "..", folder, simulatorName)}, candidates...)
	}
	for _, path := range candidates {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	target := "make sim"
	if c.Wave != "" {
		target = "make sim-trace"
	}
	return "", fmt.Errorf("no simulator library %s beside the program or in %s; `%s` builds it, --sim-library names another, --device gonic needs none", simulatorName, folder, target)
}

// driverOptions adds to opts the firmware, and a nonce of fingerprints that is
// the same for the same seed. lib is nil for the Go NIC.
func (c DeviceConfig) driverOptions(opts driver.Options, lib *rtlbridge.Library) (_ driver.Options, err error) {
	binary.BigEndian.PutUint64(opts.Nonce[:], rand.NewPCG(c.Seed, 1).Uint64()|1)
	switch {
	case c.Firmware != "":
		image, err := firmware.Load(c.Firmware)
		if err != nil {
			return opts, err
		}
		opts.Firmware = image.Bytes
	case lib != nil:
		opts.Firmware, err = lib.Firmware()
	}
	return opts, err
}

// options turns the simulator's options into numbers.
func (c DeviceConfig) options() (rtlbridge.Options, error) {
	options := rtlbridge.Options{}
	for key, text := range c.Options {
		value, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			return nil, fmt.Errorf("simulator option %s is %q; allowed is a number from 0", key, text)
		}
		options[key] = value
	}
	return options, nil
}

// openSim opens one simulated NIC. number tells instances of one run apart.
func (c DeviceConfig) openSim(lib *rtlbridge.Library, number uint64) (*rtlbridge.Function, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	return rtlbridge.Open(lib, rtlbridge.Config{Options: options, Seed: c.Seed + number})
}

// OpenDevice opens one device.
func OpenDevice(_ context.Context, c DeviceConfig) (*Device, error) {
	kind, rest, err := c.kind()
	if err != nil {
		return nil, err
	}
	if kind == deviceGoNIC {
		opts, err := c.driverOptions(driver.Options{}, nil)
		if err != nil {
			return nil, err
		}
		fn, err := nic.New(nic.Options{ControlProcessor: goNICs[rest]})
		if err != nil {
			return nil, err
		}
		return &Device{Function: fn, Name: deviceGoNIC, Options: opts}, nil
	}
	lib, err := c.library(rest)
	if err != nil {
		return nil, err
	}
	opts, err := c.driverOptions(driver.Options{}, lib)
	if err != nil {
		return nil, err
	}
	fn, err := c.openSim(lib, 0)
	if err != nil {
		return nil, err
	}
	return &Device{Function: fn, Name: fn.Info().Location, Build: lib.Info().BuildID, Options: opts}, nil
}

// OpenBed opens two devices joined by a wire and the driver on each.
func OpenBed(ctx context.Context, c DeviceConfig, opts driver.Options) (*Bed, error) {
	kind, rest, err := c.kind()
	if err != nil {
		return nil, err
	}
	if kind == deviceGoNIC {
		if opts, err = c.driverOptions(opts, nil); err != nil {
			return nil, err
		}
		return openGoBed(ctx, goNICs[rest], opts)
	}
	lib, err := c.library(rest)
	if err != nil {
		return nil, err
	}
	if opts, err = c.driverOptions(opts, lib); err != nil {
		return nil, err
	}
	return c.openSimBed(ctx, lib, opts)
}

// cleanup collects what Close must undo, last first.
type cleanup []func() error

func (c cleanup) run() error {
	var errs []error
	for _, f := range slices.Backward(c) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// openDrivers opens the driver on both functions and adds to undo.
func (b *Bed) openDrivers(ctx context.Context, sender, receiver pcie.Function, opts driver.Options, undo *cleanup) (err error) {
	opts.Polling = true // a run polls everything; interrupts would only cost accesses
	if b.Sender, err = driver.Open(ctx, sender, opts); err != nil {
		return err
	}
	*undo = append(*undo, b.Sender.Close)
	if b.Receiver, err = driver.Open(ctx, receiver, opts); err != nil {
		return err
	}
	*undo = append(*undo, b.Receiver.Close)
	return nil
}

// frameQueue keeps frames seen on a wire until they are asked for.
type frameQueue struct {
	mu     sync.Mutex
	frames []WireFrame
}

func (q *frameQueue) put(f WireFrame) {
	f.Frame = bytes.Clone(f.Frame)
	q.mu.Lock()
	q.frames = append(q.frames, f)
	q.mu.Unlock()
}

func (q *frameQueue) take(yield func(WireFrame)) error {
	q.mu.Lock()
	frames := q.frames
	q.frames = nil
	q.mu.Unlock()
	for _, f := range frames {
		yield(f)
	}
	return nil
}

// openGoBed joins two Go NICs.
func openGoBed(ctx context.Context, processor nic.Presence, opts driver.Options) (_ *Bed, err error) {
	var undo cleanup
	defer func() {
		if err != nil {
			err = errors.Join(err, undo.run())
		}
	}()
	nics := [2]*nic.NIC{}
	for i := range nics {
		if nics[i], err = nic.New(nic.Options{Location: fmt.Sprintf("%s %d", deviceGoNIC, i), ControlProcessor: processor}); err != nil {
			return nil, err
		}
		undo = append(undo, nics[i].Close)
	}
	queue := &frameQueue{}
	nics[0].Connect(func(frame []byte) {
		queue.put(WireFrame{Frame: frame})
		nics[1].Inject(frame, false)
	})
	bed := &Bed{Device: deviceGoNIC, TakeFrames: queue.take}
	if err := bed.openDrivers(ctx, nics[0], nics[1], opts, &undo); err != nil {
		return nil, err
	}
	bed.Relax = func(ctx context.Context, cycles uint64) error {
		return errors.Join(nics[0].Relax(ctx, cycles), nics[1].Relax(ctx, cycles))
	}
	bed.Close = sync.OnceValue(undo.run)
	return bed, nil
}

// openSimBed joins two simulated NICs that share one time.
func (c DeviceConfig) openSimBed(ctx context.Context, lib *rtlbridge.Library, opts driver.Options) (_ *Bed, err error) {
	var undo cleanup
	defer func() {
		if err != nil {
			err = errors.Join(err, undo.run())
		}
	}()
	functions := [2]*rtlbridge.Function{}
	for i := range functions {
		if functions[i], err = c.openSim(lib, uint64(i)); err != nil {
			return nil, err
		}
		undo = append(undo, functions[i].Close)
	}
	if _, err := rtlbridge.NewCluster(functions[:]...); err != nil {
		return nil, err
	}
	if c.Wave != "" {
		if err := functions[0].Trace(c.Wave); err != nil {
			return nil, err
		}
	}
	sender := functions[0].Port()
	if err := sender.Connect(functions[1].Port()); err != nil {
		return nil, err
	}
	queue := &frameQueue{}
	remove := sender.Tap(func(f *rtlbridge.WireFrame) {
		if f.FromNIC {
			queue.put(WireFrame{Frame: f.Data, First: f.FirstCycle, Last: f.LastCycle})
		}
	})
	undo = append(undo, func() error { remove(); return nil })
	bed := &Bed{Clocked: true, Device: functions[0].Info().Location, Build: lib.Info().BuildID, TakeFrames: queue.take, Relax: functions[0].Relax}
	if err := bed.openDrivers(ctx, functions[0], functions[1], opts, &undo); err != nil {
		return nil, err
	}
	bed.Close = sync.OnceValue(undo.run)
	return bed, nil
}
