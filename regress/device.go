// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/firmware"
)

// DeviceConfig says what to drive.
type DeviceConfig struct {
	// Device is "sim", "sim:LIBRARY" or "gonic" ("gonic:mailbox" has a control
	// processor, "gonic:window" none), "vfio-user:SOCKET", the address of a card
	// for VFIO ("0000:03:00.0", "03:00.0" or "vfio:0000:03:00.0"), or
	// "sysfs:0000:03:00.0" for a card without VFIO. OpenBed takes two of the
	// last three kinds as well, with a comma between: sender and receiver.
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
	// IDs are the vendor and device IDs that a card may have; none: Espalier's.
	IDs []discover.ID
	// WireTap is where OpenBed sees the frames between two cards: an interface
	// of this machine on a mirror port, or what wireport.Open takes. "": nowhere.
	WireTap string
	// Loopback makes OpenBed use one NIC in loopback also where two in this
	// process could be had. One card alone always is.
	Loopback bool
	// Warn is called with a sentence about what the kind of device gives up.
	Warn func(string)
}

// Device is one function that is open.
type Device struct {
	Function pcie.Function
	// Name is what to call it, Build the simulated design's identification.
	Name, Build string
	// Clocked: it implements pcie.Clocked, and its cycles mean something.
	Clocked bool
	// Options are what the driver needs to know beside the user's wishes.
	Options driver.Options
}

// Close closes the function.
func (d *Device) Close() error { return d.Function.Close() }

// options completes the user's wishes with what the device needs.
func (d *Device) options(opts driver.Options) driver.Options {
	opts.Nonce, opts.Firmware = d.Options.Nonce, d.Options.Firmware
	if opts.Timeout == 0 {
		opts.Timeout = d.Options.Timeout
	}
	return opts
}

// farTimeout is driver.Options.Timeout for NICs in another process or machine:
// what is behind the card may be simulated RTL, thousands of times slower than
// hardware.
const farTimeout = 2 * time.Minute

// driverOptions returns what a driver needs to know of a device: the firmware,
// which find finds unless one is named, and a nonce of fingerprints that is the
// same for the same seed.
func (c DeviceConfig) driverOptions(find func() ([]byte, error)) (opts driver.Options, err error) {
	binary.BigEndian.PutUint64(opts.Nonce[:], rand.NewPCG(c.Seed, 1).Uint64()|1)
	switch {
	case c.Firmware != "":
		image, err := firmware.Load(c.Firmware)
		if err != nil {
			return opts, err
		}
		opts.Firmware = image.Bytes
	case find != nil:
		opts.Firmware, err = find()
	}
	return opts, err
}

// OpenDevice opens one device.
func OpenDevice(ctx context.Context, c DeviceConfig) (*Device, error) {
	t, err := c.target()
	if err != nil {
		return nil, err
	}
	switch t.kind {
	case kindGoNIC:
		_, device, err := c.openGoNIC(t, 0)
		return device, err
	case kindSim:
		lib, err := c.library(t.rest)
		if err != nil {
			return nil, err
		}
		_, device, err := c.openSim(lib, 0)
		return device, err
	}
	return c.openCard(ctx, t)
}
