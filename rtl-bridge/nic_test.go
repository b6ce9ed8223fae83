// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"bytes"
	"context"
	"crypto/aes"
	"slices"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// TestNICConformance runs the suite on the NIC's own RTL. The suite writes
// registers and knows no firmware, without which a NIC with a control processor
// starts no queue.
func TestNICConformance(t *testing.T) {
	lib := load(t, simbuild.Design{Name: "window", Params: []string{"CONTROL_PROCESSOR=0"}})
	for name, config := range map[string]Config{"plain": {}, "random": {Options: randomOptions(), Seed: 1}} {
		t.Run(name, func(t *testing.T) {
			pcietest.Run(t, pcietest.Harness{
				Open: func(t testing.TB) pcie.Function {
					f, err := Open(lib, config)
					ok(t, err)
					return f
				},
				Device:   pcietest.Espalier(),
				VendorID: pcie.VendorID, DeviceID: pcie.DeviceID,
			})
		})
	}
}

// TestNICBackDoor: every name of docs/rtl.md shows what an SA leaves there, and
// that it is gone when the SA is.
func TestNICBackDoor(t *testing.T) {
	ctx := context.Background()
	lib := load(t, simbuild.Design{})
	image, err := lib.Firmware()
	ok(t, err)
	f, err := Open(lib, Config{})
	ok(t, err)
	defer f.Close()
	nic, err := driver.Open(ctx, f, driver.Options{Polling: true, Firmware: image})
	ok(t, err)
	defer nic.Close()
	slots := nic.Capabilities().SACapacity

	key := []byte("0123456789abcdef0123456789ABCDEF")
	block, err := aes.NewCipher(key)
	ok(t, err)
	h := make([]byte, 16)
	block.Encrypt(h, h)
	salt := [4]byte{1, 2, 3, 4}
	for _, c := range []struct {
		inbound   bool
		direction string
	}{{false, "tx"}, {true, "rx"}} {
		handle, err := nic.AddSA(ctx, driver.SA{SPI: 0x777, Inbound: c.inbound, Key: slices.Clone(driver.Key(key)), Salt: salt})
		ok(t, err)
		slot := uint64(handle.Slot())
		for _, w := range []struct {
			name  string
			index uint64
			want  []byte
		}{
			{"_key", slot, key[:16]},
			{"_key", uint64(slots) + slot, key[16:]}, // AES-256: the second round key is the key's second half
			{"_hpow", slot, h},
			{"_salt", slot, salt[:]},
		} {
			got := make([]byte, 16)
			n, err := f.Peek(c.direction+w.name, w.index, got)
			ok(t, err)
			// Which byte a memory holds at which end is its own affair.
			reversed := slices.Clone(got[:n])
			slices.Reverse(reversed)
			if !bytes.Equal(got[:n], w.want) && !bytes.Equal(reversed, w.want) {
				t.Errorf("%s%s[%d] is %x, want %x in some order", c.direction, w.name, w.index, got[:n], w.want)
			}
		}
		last := make([]byte, 16)
		_, err = f.Peek(c.direction+"_key", 14*uint64(slots)+slot, last)
		ok(t, err)
		if bytes.Equal(last, make([]byte, 16)) {
			t.Errorf("%s: no key for the last round", c.direction)
		}
		if _, err := f.Peek(c.direction+"_key", 15*uint64(slots), last); err == nil {
			t.Errorf("%s: a key for round 15", c.direction)
		}
		ok(t, nic.DeleteSA(ctx, handle))
		for _, name := range []string{"_key", "_hpow", "_salt"} {
			got := make([]byte, 16)
			_, err := f.Peek(c.direction+name, slot, got)
			ok(t, err)
			if !bytes.Equal(got, make([]byte, 16)) {
				t.Errorf("%s%s is %x after DeleteSA", c.direction, name, got)
			}
		}
	}
}
