// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"fmt"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
)

// RTLConfig says how to open an RTL.
type RTLConfig struct {
	// Options are the simulator's; nil for its defaults.
	Options rtlbridge.Options
	// Seed decides all that is random in the bus models.
	Seed uint64
	// Log gets a line about what a person should know; nil: nothing is said. It
	// may be called from several goroutines at once.
	Log func(line string)
}

// RTL is a simulated NIC as a server.Device. Its clock runs once a
// rtlbridge.Runner has its Device.
//
// Memory that the client shares is reached by the simulator itself. The rest, and
// addresses that are not mapped, it asks the client for, while its clock goes on:
// a design that waits for such memory waits for a long time, and no command of the
// client waits with it.
type RTL struct {
	card
	device *rtlbridge.Device

	maps sync.Mutex
	// direct are the mappings that the simulator reaches, by IOVA.
	direct map[uint64]bool
}

var _ server.Device = (*RTL)(nil)

// NewRTL opens a NIC of a loaded library.
func NewRTL(lib *rtlbridge.Library, config RTLConfig) (*RTL, error) {
	r := &RTL{direct: make(map[uint64]bool)}
	r.log = logTo(config.Log)
	var err error
	r.device, err = rtlbridge.OpenDevice(lib, rtlbridge.DeviceConfig{
		Options: config.Options, Seed: config.Seed,
		Deliver: r.deliver,
		Fault:   func(f pcie.Fault) { r.refused(f, nil) },
		Log:     r.log,
	})
	if err != nil {
		return nil, err
	}
	r.init(r.device)
	return r, nil
}

// Device returns the simulated NIC, for its Runner and its wire.
func (r *RTL) Device() *rtlbridge.Device { return r.device }

// Close ends the NIC, when nothing serves it or clocks it any more.
func (r *RTL) Close() error { return r.device.Close() }

// Connect implements server.Device.
func (r *RTL) Connect(h *server.Host) error { return r.connectHost(h) }

func (r *RTL) connectHost(h host) error {
	now := r.connect(h)
	err := r.device.SetRemote(func(q rtlbridge.Request) {
		// As many as the design may have outstanding; AXI bounds that.
		go r.serve(now, q)
	})
	if err != nil {
		// A library without remote memory: what is not shared is a fault.
		r.log("memory that a client does not share by descriptor cannot be reached: %v", err)
	}
	return nil
}

// Reset implements server.Device.
func (r *RTL) Reset() error {
	r.device.Reset()
	r.afterReset()
	return nil
}

// Disconnect implements server.Device.
func (r *RTL) Disconnect() {
	r.disconnect()
	if err := r.device.SetRemote(nil); err != nil {
		r.log("after the client has gone: %v", err)
	}
}

// serve answers an access to memory that the simulator does not reach. The
// design's interrupts come after the answers to writes before them: it waits for
// these itself.
func (r *RTL) serve(now *client, q rtlbridge.Request) {
	var err error
	data := q.Data
	if q.Write {
		err = now.host.WriteDMA(now.ctx, q.IOVA, data)
		data = nil
	} else {
		data = make([]byte, q.Size)
		err = now.host.ReadDMA(now.ctx, q.IOVA, data)
	}
	if err := r.device.Answer(q.ID, err == nil, data); err != nil && r.device.Err() == nil && now.ctx.Err() == nil {
		r.log("%v", err)
	}
}

// Map implements server.Device.
func (r *RTL) Map(m server.Mapping) error {
	if m.File == nil || refusesWrites(m.File) {
		return nil // by request
	}
	var access rtlbridge.Access
	if m.Readable {
		access |= rtlbridge.ReadAccess
	}
	if m.Writable {
		access |= rtlbridge.WriteAccess
	}
	if access == 0 {
		return nil
	}
	if err := r.device.MapHostFD(m.IOVA, m.Size, int(m.File.Fd()), uint64(m.Offset), access); err != nil {
		return fmt.Errorf("map %d bytes at IOVA %#x: %w", m.Size, m.IOVA, err)
	}
	r.maps.Lock()
	defer r.maps.Unlock()
	r.direct[m.IOVA] = true
	return nil
}

// Unmap implements server.Device. The simulator stands still while a range is
// withdrawn; so nothing is under way afterwards.
func (r *RTL) Unmap(m server.Mapping) error {
	r.maps.Lock()
	direct := r.direct[m.IOVA]
	delete(r.direct, m.IOVA)
	r.maps.Unlock()
	if !direct {
		return nil
	}
	if err := r.device.UnmapHost(m.IOVA, m.Size); err != nil {
		return fmt.Errorf("unmap %d bytes at IOVA %#x: %w", m.Size, m.IOVA, err)
	}
	return nil
}
