// SPDX-License-Identifier: Apache-2.0

package seam

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/drivertest"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	served "github.com/espalier-nic/espalier/rtl-bridge/vfiouser"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
)

// socketTimeout is how long a server may take on a busy machine.
const socketTimeout = time.Minute

// socketPath is one that is short enough for a socket.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "seam")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "nic.sock")
}

// serve presents a device on a socket of this process's until the test ends or
// stop is called.
func serve(t testing.TB, device server.Device) (socket string, stop func()) {
	t.Helper()
	socket = socketPath(t)
	s, err := server.Listen(socket, device, server.Options{ResetOnDisconnect: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return socket, stop
}

// connect opens the function behind a socket.
func connect(t testing.TB, socket string) pcie.Function {
	t.Helper()
	f, err := vfiouser.Open(socket, vfiouser.Options{Timeout: socketTimeout, ConnectTimeout: socketTimeout})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// stoppable is a function with the way to stop its server.
type stoppable struct {
	pcie.Function
	stop func()
}

// unplug kills the server.
func unplug(_ testing.TB, fn pcie.Function) { fn.(stoppable).stop() }

// serveGoNIC opens the function of a Go NIC that is served in this process.
func serveGoNIC(t testing.TB, p nic.Presence) (stoppable, *served.GoNIC) {
	t.Helper()
	g, err := served.NewGoNIC(nic.Options{ControlProcessor: p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	socket, stop := serve(t, g)
	return stoppable{connect(t, socket), stop}, g
}

// serveRTL does the same with simulated RTL.
func serveRTL(t testing.TB, lib *rtlbridge.Library, config rtlbridge.Config) (stoppable, *served.RTL) {
	t.Helper()
	r, err := served.NewRTL(lib, served.RTLConfig{Options: config.Options, Seed: config.Seed, Log: func(line string) {
		if !strings.HasPrefix(line, "DMA refused") { // the suites look at those
			t.Error(line)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	runner, err := rtlbridge.Start(r.Device())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		runner.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	socket, stop := serve(t, r)
	return stoppable{connect(t, socket), stop}, r
}

// smallTable is a parameter for RTL with room for few SAs. An access to RTL behind
// a socket takes as long as hundreds of clock cycles to simulate, and some of the
// driver's tests fill the table several times.
const smallTable = "NUM_SA=256"

// goNICs remembers which NIC is behind a wire, for its faults.
type goNICs struct{ sync.Map }

// The NIC in Go behind a vfio-user socket of this process's.
var _ = register(implementation{
	name: "vfio-user-gonic",
	functions: func(*testing.T) map[string]pcietest.Harness {
		all := map[string]pcietest.Harness{}
		for name, p := range presences {
			all[name] = harness(func(t testing.TB) pcie.Function { f, _ := serveGoNIC(t, p); return f }, unplug)
		}
		return all
	},
	drivers: func(*testing.T) map[string]drivertest.Harness {
		all := map[string]drivertest.Harness{}
		for name, p := range presences {
			var behind goNICs
			all[name] = drivertest.Harness{
				Open: func(t testing.TB) drivertest.Device {
					f, g := serveGoNIC(t, p)
					d := drivertest.Device{Function: f, Wire: newGoWire(g.NIC())}
					behind.Store(d.Wire, g.NIC())
					return d
				},
				Break: func(t testing.TB, d drivertest.Device, f drivertest.Fault) bool {
					n, _ := behind.Load(d.Wire)
					return breakGoNIC(t, n.(*nic.NIC), f)
				},
			}
		}
		return all
	},
})

// The NIC's RTL behind a vfio-user socket of this process's, its clock running by
// itself.
var _ = register(implementation{
	name: "vfio-user-rtl",
	functions: func(t *testing.T) map[string]pcietest.Harness {
		lib := loadRTL(t, rtlKinds[0].name, rtlKinds[0].parameter) // the suite knows no firmware
		return map[string]pcietest.Harness{"window": harness(func(t testing.TB) pcie.Function {
			f, _ := serveRTL(t, lib, buses["steady"])
			return f
		}, unplug)}
	},
	drivers: func(t *testing.T) map[string]drivertest.Harness {
		faulty := faultyFirmware(t)
		all := map[string]drivertest.Harness{}
		kinds := rtlKinds
		if testing.Short() {
			kinds = kinds[:1]
		}
		for _, kind := range kinds {
			lib := loadRTL(t, kind.name+"-small", kind.parameter, smallTable)
			h := drivertest.Harness{Open: func(t testing.TB) drivertest.Device {
				f, r := serveRTL(t, lib, buses["steady"])
				return drivertest.Device{Function: f, Wire: newRTLWire(r.Device().Port())}
			}}
			if kind.name == "mailbox" {
				h.Firmware, h.Break = faulty, breakFirmware
			}
			all[kind.name] = h
		}
		return all
	},
})

func init() {
	namers = append(namers, func(_ testing.TB, name string) *implementation {
		if !strings.HasPrefix(name, vfiouser.Prefix) {
			return nil
		}
		return &implementation{name: name, functions: func(*testing.T) map[string]pcietest.Harness {
			return map[string]pcietest.Harness{"card": harness(func(t testing.TB) pcie.Function { return connect(t, name) }, nil)}
		}}
	})
}
