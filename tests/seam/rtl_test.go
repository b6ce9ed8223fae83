// SPDX-License-Identifier: Apache-2.0

package seam

import (
	"bytes"
	"errors"
	"testing"

	"github.com/espalier-nic/espalier/driver/drivertest"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// rtlWire is the wire of simulated RTL.
type rtlWire struct {
	port   *rtlbridge.Port
	buffer []byte
}

func newRTLWire(p *rtlbridge.Port) *rtlWire {
	return &rtlWire{port: p, buffer: make([]byte, 16<<10)}
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

// rtlKinds are the NIC's RTL without a control processor and with one.
var rtlKinds = []struct{ name, parameter string }{
	{"window", "CONTROL_PROCESSOR=0"},
	{"mailbox", "CONTROL_PROCESSOR=1"},
}

// libraryRTL builds one of rtlKinds and returns the library's path.
func libraryRTL(t testing.TB, name string, parameters ...string) string {
	t.Helper()
	return simbuild.Library(t, simbuild.Design{Name: name, Params: parameters})
}

// loadRTL builds and loads one of rtlKinds.
func loadRTL(t testing.TB, name string, parameters ...string) *rtlbridge.Library {
	t.Helper()
	lib, err := rtlbridge.Load(libraryRTL(t, name, parameters...))
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// faultyFirmware is firmware that can be made to fail.
func faultyFirmware(t testing.TB) []byte {
	t.Helper()
	path, err := firmware.Build(firmware.WithFaults)
	if err != nil {
		t.Fatal(err)
	}
	image, err := firmware.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return image.Bytes
}

// buses are a host and a MAC that always keep up, and ones that do not.
var buses = map[string]rtlbridge.Config{
	"steady": {},
	"shaky": {Seed: 7, Options: rtlbridge.Options{
		"mem_read_latency_min": 20, "mem_read_latency_max": 200,
		"mem_write_latency_min": 5, "mem_write_latency_max": 100,
		"mem_stall_percent": 20, "mem_reorder": 1,
		"mac_rx_gap_max": 30, "mac_rx_stall_percent": 10, "mac_tx_stall_percent": 20,
	}},
}

// The NIC's RTL in this process, in lock-step. The function's suite is run on it
// in package rtlbridge.
var _ = register(implementation{
	name: "rtl",
	drivers: func(t *testing.T) map[string]drivertest.Harness {
		faulty := faultyFirmware(t)
		all := map[string]drivertest.Harness{}
		kinds, buses := rtlKinds, buses
		if testing.Short() { // with the race detector: what the others repeat tells it nothing new
			kinds, buses = kinds[:1], map[string]rtlbridge.Config{"shaky": buses["shaky"]}
		}
		for _, kind := range kinds {
			lib := loadRTL(t, kind.name, kind.parameter)
			for name, config := range buses {
				h := drivertest.Harness{Open: func(t testing.TB) drivertest.Device {
					f, err := rtlbridge.Open(lib, config)
					if err != nil {
						t.Fatal(err)
					}
					return drivertest.Device{Function: f, Wire: newRTLWire(f.Port())}
				}}
				if kind.name == "mailbox" {
					h.Firmware, h.Break = faulty, breakFirmware
				}
				all[kind.name+"/"+name] = h
			}
		}
		return all
	},
})

// faultOp is the operation of the firmware for tests that makes it fail.
const faultOp = 0xF0

// breakFirmware makes the firmware for tests fail, by a command in the last slot,
// behind the driver's back.
func breakFirmware(t testing.TB, d drivertest.Device, f drivertest.Fault) bool {
	t.Helper()
	number, ok := map[drivertest.Fault]uint32{drivertest.Trap: 0, drivertest.Hang: 1, drivertest.AnswerTwice: 4}[f]
	if !ok {
		return false
	}
	bar, err := d.Function.BAR(pcie.RegisterBAR)
	if err != nil {
		t.Fatal(err)
	}
	const slot = regs.MboxSizeSlots - 1
	for _, w := range []struct {
		offset uint64
		value  uint32
	}{
		{regs.MailboxCommandOffset + slot*regs.MboxSizeStride, uint32(regs.MboxCommandHeader(0).WithOpcode(faultOp))},
		{regs.MailboxCommandOffset + slot*regs.MboxSizeStride + 4*regs.MailboxCommandHandleWord, number},
		{regs.MboxDoorbellOffset, slot},
	} {
		if err := bar.Write32(w.offset, w.value); err != nil {
			t.Fatal(err)
		}
	}
	return true
}
