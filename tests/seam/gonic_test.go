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

// presences are the two kinds of NIC, by who manages the SAs.
var presences = map[string]nic.Presence{"window": nic.Absent, "mailbox": nic.Present}

func TestFunctionGoNIC(t *testing.T) {
	for name, p := range presences {
		t.Run(name, func(t *testing.T) {
			pcietest.Run(t, pcietest.Harness{
				Open: func(t testing.TB) pcie.Function {
					n, err := nic.New(nic.Options{ControlProcessor: p})
					if err != nil {
						t.Fatal(err)
					}
					return n
				},
				Device:   pcietest.Espalier(),
				VendorID: pcie.VendorID,
				DeviceID: pcie.DeviceID,
				Unplug:   func(_ testing.TB, fn pcie.Function) { fn.(*nic.NIC).Unplug() },
			})
		})
	}
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

// TestDriverGoNIC runs the driver's suite on a NIC with a control processor and
// on one whose SA window is the host's.
func TestDriverGoNIC(t *testing.T) {
	for name, p := range presences {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, drivertest.Harness{
				Open: func(t testing.TB) drivertest.Device {
					n, err := nic.New(nic.Options{ControlProcessor: p})
					if err != nil {
						t.Fatal(err)
					}
					return drivertest.Device{Function: n, Wire: newGoWire(n)}
				},
				Break: breakGoNIC,
			})
		})
	}
}

// breakGoNIC injects a fault into the control processor.
func breakGoNIC(t testing.TB, d drivertest.Device, f drivertest.Fault) bool {
	t.Helper()
	fault := map[drivertest.Fault]nic.ProcessorFault{
		drivertest.Trap: nic.FaultTrap, drivertest.Hang: nic.FaultHang, drivertest.AnswerTwice: nic.FaultAnswerTwice,
		drivertest.AnswerNever: nic.FaultAnswerNever, drivertest.AnswerTag: nic.FaultAnswerTag, drivertest.SelfTestFail: nic.FaultSelfTest,
	}[f]
	if err := d.Function.(*nic.NIC).InjectFault(fault); err != nil {
		t.Fatal(err)
	}
	return true
}
