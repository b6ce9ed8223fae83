// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"context"
	"fmt"
	"strconv"

	"github.com/espalier-nic/espalier/driver"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// simOptions turns the simulator's options into numbers.
func (c DeviceConfig) simOptions() (rtlbridge.Options, error) {
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
func (c DeviceConfig) openSim(lib *rtlbridge.Library, number uint64) (*rtlbridge.Function, *Device, error) {
	opts, err := c.driverOptions(lib.Firmware)
	if err != nil {
		return nil, nil, err
	}
	options, err := c.simOptions()
	if err != nil {
		return nil, nil, err
	}
	fn, err := rtlbridge.Open(lib, rtlbridge.Config{Options: options, Seed: c.Seed + number})
	if err != nil {
		return nil, nil, err
	}
	return fn, &Device{Function: fn, Name: fn.Info().Location, Build: lib.Info().BuildID, Clocked: true, Options: opts}, nil
}

// openSimBed joins two simulated NICs that share one time.
func (c DeviceConfig) openSimBed(ctx context.Context, lib *rtlbridge.Library, opts driver.Options) (_ *Bed, err error) {
	var undo cleanup
	defer undo.onError(&err)
	functions, devices := [2]*rtlbridge.Function{}, [2]*Device{}
	for i := range functions {
		if functions[i], devices[i], err = c.openSim(lib, uint64(i)); err != nil {
			return nil, err
		}
		undo.add(functions[i].Close)
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
	undo.add(func() error { remove(); return nil })
	bed := &Bed{Clocked: true, Device: devices[0].Name, Build: devices[0].Build, TakeFrames: queue.take, Relax: functions[0].Relax}
	if err := bed.openDrivers(ctx, devices[0], devices[1], opts, &undo); err != nil {
		return nil, err
	}
	bed.closeWith(undo)
	return bed, nil
}

// openSimLoopback puts one simulated NIC in loopback.
func (c DeviceConfig) openSimLoopback(ctx context.Context, lib *rtlbridge.Library, opts driver.Options) (*Bed, error) {
	fn, device, err := c.openSim(lib, 0)
	if err != nil {
		return nil, err
	}
	if c.Wave != "" {
		if err := fn.Trace(c.Wave); err != nil {
			_ = fn.Close()
			return nil, err
		}
	}
	return OpenLoopback(ctx, device, opts)
}
