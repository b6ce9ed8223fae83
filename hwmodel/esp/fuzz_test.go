// SPDX-License-Identifier: Apache-2.0

package esp

import (
	"bytes"
	"testing"
)

// seeds are frames of every kind that Open tells apart; more are in
// testdata/fuzz.
func seeds(f *testing.F) {
	for _, ipv6 := range []bool{false, true} {
		for _, tunnel := range []bool{false, true} {
			sa := testSA(f, ipv6, tunnel, false)
			frame, err := sa.Encapsulate(nil, innerFrame(ipv6, 20), FrameOptions{Sequence: 1})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(frame)
			f.Add(frame[:len(frame)-1])
			f.Add(innerFrame(ipv6, 3))
		}
	}
	f.Add([]byte{})
}

// FuzzOpen holds Open to its promises for any bytes.
func FuzzOpen(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := bytes.Clone(frame)
		sa := testSA(t, false, false, false)
		out, v := Open(nil, frame, func(s *Selector) *SA {
			if s.SPI&1 != 0 {
				return nil
			}
			return sa
		})
		if !bytes.Equal(frame, before) {
			t.Error("the received frame was changed")
		}
		if len(out) != len(frame) {
			t.Errorf("%d bytes delivered for %d", len(out), len(frame))
		}
		if v.Class != Decrypted && !bytes.Equal(out, frame) {
			t.Errorf("%s, but touched", v.Class)
		}
		if v.Word1()&0xFFF8 != 0 || v.Word1()>>16 > 7 {
			t.Errorf("word 1 is %#x", v.Word1())
		}
		if v.Class == Decrypted {
			Strip(nil, out, v) //nolint:staticcheck // must not panic; padding may be wrong
		}
	})
}

// FuzzFrame checks that whatever the framer accepts makes the whole journey.
func FuzzFrame(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		for _, ipv6 := range []bool{false, true} {
			sa := testSA(t, ipv6, true, true)
			wire, err := sa.Encapsulate(nil, frame, FrameOptions{Sequence: seq(sa, 5)})
			if err != nil {
				continue
			}
			back, _, err := Decapsulate(nil, wire, exactLookup(sa))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(frame, back) { // Ethernet padding is not carried
				t.Errorf("got %x for %x", back, frame)
			}
		}
	})
}
