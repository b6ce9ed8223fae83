// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
	driver "github.com/espalier-nic/espalier/driver/pcie/vfiouser"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// TestSuite runs the suite of pcie.Function through this program's own client: on
// simulated RTL and on the Go NIC, with memory shared by descriptor and not. The
// Go NIC does its DMA inside the accesses that cause it, so only shared memory will
// do for it, and what it is refused is told to the server's user only.
func TestSuite(t *testing.T) {
	lib, err := rtlbridge.Load(simbuild.Library(t, simbuild.Design{Name: "window", Params: []string{"CONTROL_PROCESSOR=0"}}))
	ok(t, err)
	rtl := func(t testing.TB) server.Device {
		r, err := NewRTL(lib, RTLConfig{Seed: 1})
		ok(t, err)
		runner, err := rtlbridge.Start(r.Device())
		ok(t, err)
		t.Cleanup(func() {
			runner.Close()
			ok(t, r.Close())
		})
		return r
	}
	goNIC := func(t testing.TB) server.Device {
		g, err := NewGoNIC(nic.Options{ControlProcessor: nic.Absent}, nil)
		ok(t, err)
		t.Cleanup(func() { ok(t, g.Close()) })
		return g
	}
	for _, c := range []struct {
		name    string
		open    func(testing.TB) server.Device
		message bool
		// noFaults: the client is not asked for memory that is not mapped, and so
		// does not know.
		noFaults bool
	}{{"RTL, descriptors", rtl, false, false}, {"RTL, messages", rtl, true, false}, {"Go NIC, descriptors", goNIC, false, true}} {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			unplug := map[pcie.Function]func(){}
			pcietest.Run(t, pcietest.Harness{
				Open: func(t testing.TB) pcie.Function {
					socket := filepath.Join(t.TempDir(), "s")
					srv, err := server.Listen(socket, c.open(t), server.Options{ResetOnDisconnect: true})
					ok(t, err)
					ctx, cancel := context.WithCancel(context.Background())
					served := make(chan error, 1)
					go func() { served <- srv.Serve(ctx) }()
					t.Cleanup(func() {
						cancel()
						ok(t, <-served)
					})
					fn, err := driver.Open(socket, driver.Options{MessageDMA: c.message})
					ok(t, err)
					mu.Lock()
					defer mu.Unlock()
					unplug[fn] = cancel
					return fn
				},
				Device:   pcietest.Espalier(),
				VendorID: pcie.VendorID, DeviceID: pcie.DeviceID,
				NoFaults: c.noFaults,
				Unplug: func(_ testing.TB, fn pcie.Function) {
					mu.Lock()
					defer mu.Unlock()
					unplug[fn]()
				},
			})
		})
	}
}
