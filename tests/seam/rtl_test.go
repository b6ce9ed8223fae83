// SPDX-License-Identifier: Apache-2.0

package seam

import (
	"bytes"
	"errors"
	"testing"

	"github.com/espalier-nic/espalier/driver/drivertest"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// rtlWire is the wire of simulated RTL.
type rtlWire struct {
	port   *rtlbridge.Port
	buffer []byte
}

func (w *rtlWire) Send(frame []byte, bad bool) error { return w.port.Send(frame, bad) }

func (w *rtlWire) Receive() ([]byte, error) {
	info, err := w.port.Recv(w.buffer)
	if errors.Is(err, rtlbridge.ErrAgain) {
		return nil, nil
	}
	if err == nil && info.Bad() {
		err = errors.New("the NIC has marked a frame as bad")
	}
	return bytes.Clone(w.buffer[:info.Size]), err
}

// TestDriverRTL runs the driver's suite on the NIC's RTL, with a host and a MAC
// that always keep up, and with ones that do not.
func TestDriverRTL(t *testing.T) {
	lib, err := rtlbridge.Load(simbuild.Library(t, simbuild.Design{}))
	if err != nil {
		t.Fatal(err)
	}
	for name, config := range map[string]rtlbridge.Config{
		"steady": {},
		"shaky": {Seed: 7, Options: rtlbridge.Options{
			"mem_read_latency_min": 20, "mem_read_latency_max": 200,
			"mem_write_latency_min": 5, "mem_write_latency_max": 100,
			"mem_stall_percent": 20, "mem_reorder": 1,
			"mac_rx_gap_max": 30, "mac_rx_stall_percent": 10, "mac_tx_stall_percent": 20,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, drivertest.Harness{Open: func(t testing.TB) drivertest.Device {
				f, err := rtlbridge.Open(lib, config)
				if err != nil {
					t.Fatal(err)
				}
				return drivertest.Device{Function: f, Wire: &rtlWire{port: f.Port(), buffer: make([]byte, 16<<10)}}
			}})
		})
	}
}
