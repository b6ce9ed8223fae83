// SPDX-License-Identifier: Apache-2.0

package seam

import (
	"bytes"
	"sync"
	"testing"

	"github.com/espalier-nic/espalier/driver/drivertest"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// The NIC in Go, in this process.
var _ = register(implementation{
	name: "gonic",
	functions: func(*testing.T) map[string]pcietest.Harness {
		all := map[string]pcietest.Harness{}
		for name, p := range presences {
			all[name] = harness(func(t testing.TB) pcie.Function { return newGoNIC(t, p) },
				func(_ testing.TB, fn pcie.Function) { fn.(*nic.NIC).Unplug() })
		}
		return all
	},
	drivers: func(*testing.T) map[string]drivertest.Harness {
		all := map[string]drivertest.Harness{}
		for name, p := range presences {
			all[name] = drivertest.Harness{
				Open: func(t testing.TB) drivertest.Device {
					n := newGoNIC(t, p)
					return drivertest.Device{Function: n, Wire: newGoWire(n)}
				},
				Break: func(t testing.TB, d drivertest.Device, f drivertest.Fault) bool {
					return breakGoNIC(t, d.Function.(*nic.NIC), f)
				},
			}
		}
		return all
	},
})

func newGoNIC(t testing.TB, p nic.Presence) *nic.NIC {
	t.Helper()
	n, err := nic.New(nic.Options{ControlProcessor: p})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// goWire is the wire of a Go NIC: what it sends is kept until taken.
type goWire struct {
	nic *nic.NIC

	mu   sync.Mutex
	sent [][]byte
}

func newGoWire(n *nic.NIC) *goWire {
	w := &goWire{nic: n}
	n.Connect(func(frame []byte) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sent = append(w.sent, bytes.Clone(frame))
	})
	return w
}

func (w *goWire) Send(frame []byte, bad bool) error {
	w.nic.Inject(frame, bad)
	return nil
}

func (w *goWire) Receive() ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sent) == 0 {
		return nil, nil
	}
	frame := w.sent[0]
	w.sent = w.sent[1:]
	return frame, nil
}

// breakGoNIC injects a fault into the control processor.
func breakGoNIC(t testing.TB, n *nic.NIC, f drivertest.Fault) bool {
	t.Helper()
	fault := map[drivertest.Fault]nic.ProcessorFault{
		drivertest.Trap: nic.FaultTrap, drivertest.Hang: nic.FaultHang, drivertest.AnswerTwice: nic.FaultAnswerTwice,
		drivertest.AnswerNever: nic.FaultAnswerNever, drivertest.AnswerTag: nic.FaultAnswerTag, drivertest.SelfTestFail: nic.FaultSelfTest,
	}[f]
	if err := n.InjectFault(fault); err != nil {
		t.Fatal(err)
	}
	return true
}
