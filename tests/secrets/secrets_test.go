// SPDX-License-Identifier: Apache-2.0

// Package secrets looks at the RTL's memories past every register: keys are where
// they belong while an SA lives, nowhere after it was deleted or the NIC was
// reset, and no register ever shows them.
package secrets

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

const (
	library = "../../build/sim/libespalier_sim.so"
	rounds  = 15
	powers  = 4 // of H, for one lane
)

func open(t *testing.T) (*rtlbridge.Function, *driver.NIC) {
	t.Helper()
	return openLibrary(t, library)
}

func openLibrary(t *testing.T, path string) (*rtlbridge.Function, *driver.NIC) {
	t.Helper()
	lib, err := rtlbridge.Load(path)
	if err != nil {
		t.Fatalf("%v; `make sim` builds it", err)
	}
	f, err := rtlbridge.Open(lib, rtlbridge.Config{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	image, err := lib.Firmware()
	if err != nil {
		t.Fatal(err)
	}
	n, err := driver.Open(context.Background(), f, driver.Options{Polling: true, Firmware: image})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, n
}

var key = []byte("0123456789abcdefFEDCBA9876543210")

func sa(inbound bool, spi uint32) driver.SA {
	return driver.SA{SPI: spi, Inbound: inbound, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"),
		Key: bytes.Clone(key), Salt: driver.Salt{0xC0, 0xFF, 0xEE, 0x11}}
}

// peek returns word index of a memory.
func peek(t *testing.T, f *rtlbridge.Function, name string, index int) []byte {
	t.Helper()
	var word [64]byte
	n, err := f.Peek(name, uint64(index), word[:])
	if err != nil {
		t.Fatalf("%s word %d: %v", name, index, err)
	}
	return word[:n]
}

// slotIsClear says whether a slot holds no secret in either direction.
func slotIsClear(t *testing.T, f *rtlbridge.Function, slots, slot int) error {
	t.Helper()
	check := func(name string, index int) error {
		if word := peek(t, f, name, index); len(bytes.Trim(word, "\x00")) > 0 {
			return fmt.Errorf("%s holds something for slot %d", name, slot)
		}
		return nil
	}
	for _, way := range []string{"tx", "rx"} {
		for round := range rounds {
			if err := check(way+"_key", round*slots+slot); err != nil {
				return err
			}
		}
		for power := range powers {
			if err := check(way+"_hpow", power*slots+slot); err != nil {
				return err
			}
		}
		if err := check(way+"_salt", slot); err != nil {
			return err
		}
	}
	return nil
}

// reversed is b in the other byte order.
func reversed(b []byte) []byte {
	r := make([]byte, len(b))
	for i := range b {
		r[len(b)-1-i] = b[i]
	}
	return r
}

func TestKeysLiveAndDieWithTheirSA(t *testing.T) {
	for _, inbound := range []bool{false, true} {
		t.Run(fmt.Sprintf("inbound %v", inbound), func(t *testing.T) {
			f, n := open(t)
			slots := n.Capabilities().SACapacity
			ctx := context.Background()
			handle, err := n.AddSA(ctx, sa(inbound, 0x100))
			if err != nil {
				t.Fatal(err)
			}
			name := "tx_key"
			if inbound {
				name = "rx_key"
			}
			// The first two round keys of AES-256 are the key itself (FIPS 197, 5.2).
			for round := range 2 {
				if got := peek(t, f, name, round*slots+handle.Slot()); !bytes.Equal(got, key[16*round:16*round+16]) {
					t.Fatalf("round key %d is %x; the test looks in the wrong place", round, got)
				}
			}
			if slotIsClear(t, f, slots, handle.Slot()) == nil {
				t.Fatal("a live slot looks clear")
			}
			if err := n.DeleteSA(ctx, handle); err != nil {
				t.Fatal(err)
			}
			if err := slotIsClear(t, f, slots, handle.Slot()); err != nil {
				t.Errorf("after DELETE: %v", err)
			}
		})
	}
}

func TestResetClearsEverySlot(t *testing.T) {
	f, n := open(t)
	slots := n.Capabilities().SACapacity
	ctx := context.Background()
	for i := range slots {
		if _, err := n.AddSA(ctx, sa(i%2 == 0, uint32(0x1000+i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Reset(ctx); err != nil {
		t.Fatal(err)
	}
	for slot := range slots {
		if err := slotIsClear(t, f, slots, slot); err != nil {
			t.Fatalf("after a reset: %v", err)
		}
	}
}

// TestNoRegisterShowsAKey reads all registers, with the mailbox's slots or the SA
// window, after an SA was added and read back.
func TestNoRegisterShowsAKey(t *testing.T) {
	t.Run("mailbox", func(t *testing.T) { noRegisterShowsAKey(t, library) })
	t.Run("window", func(t *testing.T) {
		noRegisterShowsAKey(t, simbuild.Library(t, simbuild.Design{Name: "window", Params: []string{"CONTROL_PROCESSOR=0"}}))
	})
}

func noRegisterShowsAKey(t *testing.T, library string) {
	f, n := openLibrary(t, library)
	ctx := context.Background()
	handle, err := n.AddSA(ctx, sa(true, 0x100))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.ReadSA(ctx, handle); err != nil {
		t.Fatal(err)
	}
	bar, err := f.BAR(pcie.RegisterBAR)
	if err != nil {
		t.Fatal(err)
	}
	// Salt, and each aligned word of the key, in either byte order.
	var secrets [][]byte
	for i := 0; i < len(key); i += 4 {
		secrets = append(secrets, key[i:i+4], reversed(key[i:i+4]))
	}
	secrets = append(secrets, []byte{0xC0, 0xFF, 0xEE, 0x11}, []byte{0x11, 0xEE, 0xFF, 0xC0})
	shown := false // the SA's SPI
	for offset := uint64(0); offset < regs.CpSelftestFrameOffset(0); offset += 4 {
		v, err := bar.Read32(offset)
		if err != nil {
			t.Fatal(err)
		}
		shown = shown || v == 0x100 && offset >= regs.SARecordOffset
		word := []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
		for _, secret := range secrets {
			if bytes.Equal(word, secret) {
				t.Errorf("register at %#x reads %#08x, which is key material", offset, v)
			}
		}
	}
	if !shown {
		t.Error("no register shows the SPI either; the test looks in the wrong place")
	}
}
