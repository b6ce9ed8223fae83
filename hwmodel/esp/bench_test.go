// SPDX-License-Identifier: Apache-2.0

package esp

import (
	"fmt"
	"testing"
)

// benchSizes are payload lengths P in bytes.
var benchSizes = []int{64, 128, 256, 512, 1024, 1516, 9016}

// benchFrame is a sealed IPv4 frame with p payload bytes, and its SA.
func benchFrame(b testing.TB, p int, esn bool) (*SA, []byte) {
	sa := newSA(b, Params{SPI: 0x1000, Inbound: true, ESN: esn, Key: make([]byte, 16)})
	packet := make([]byte, Overhead+p)
	packet[2], packet[7] = 0x10, 1
	frame := ipv4Frame(packet)
	frame[MinOffset+HeaderLen+IVLen+p-1] = 17
	if err := sa.SealInPlace(frame, MinOffset, 0); err != nil {
		b.Fatal(err)
	}
	return sa, frame
}

// BenchmarkSeal compares SealInPlace with the bare AEAD on the same payloads.
// The ratio of their bytes/s is to be at least 0.8.
func BenchmarkSeal(b *testing.B) {
	for _, p := range benchSizes {
		sa, frame := benchFrame(b, p, false)
		b.Run(fmt.Sprintf("aead/%d", p), func(b *testing.B) {
			nonce, aad := make([]byte, 12), make([]byte, 8)
			payload := frame[MinOffset+HeaderLen+IVLen:][:p]
			b.SetBytes(int64(p))
			b.ReportAllocs()
			for b.Loop() {
				sa.aead.Seal(payload[:0], nonce, payload, aad)
			}
		})
		b.Run(fmt.Sprintf("esp/%d", p), func(b *testing.B) {
			b.SetBytes(int64(p))
			b.ReportAllocs()
			for b.Loop() {
				if err := sa.SealInPlace(frame, MinOffset, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen compares Open with the bare AEAD on the same payloads.
func BenchmarkOpen(b *testing.B) {
	for _, p := range benchSizes {
		sa, frame := benchFrame(b, p, false)
		dst := make([]byte, 0, len(frame))
		b.Run(fmt.Sprintf("aead/%d", p), func(b *testing.B) {
			nonce := make([]byte, 12)
			copy(nonce[SaltLen:], frame[MinOffset+HeaderLen:])
			b.SetBytes(int64(p))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sa.aead.Open(dst, nonce, frame[MinOffset+HeaderLen+IVLen:], frame[MinOffset:MinOffset+HeaderLen]); err != nil {
					b.Fatal(err)
				}
			}
		})
		lookup := func(*Selector) *SA { return sa }
		b.Run(fmt.Sprintf("esp/%d", p), func(b *testing.B) {
			b.SetBytes(int64(p))
			b.ReportAllocs()
			for b.Loop() {
				if _, v := Open(dst, frame, lookup); v.Class != Decrypted {
					b.Fatal(v.Class)
				}
			}
		})
	}
}

// TestNoAllocations holds the hot path to none per packet.
func TestNoAllocations(t *testing.T) {
	for _, esn := range []bool{false, true} {
		sa, frame := benchFrame(t, 1024, esn)
		dst := make([]byte, 0, len(frame))
		lookup := func(*Selector) *SA { return sa }
		if n := testing.AllocsPerRun(1000, func() { Open(dst, frame, lookup) }); n != 0 {
			t.Errorf("Open allocates %v times (ESN %v)", n, esn)
		}
		if n := testing.AllocsPerRun(1000, func() { sa.SealInPlace(frame, MinOffset, 0) }); n != 0 {
			t.Errorf("SealInPlace allocates %v times (ESN %v)", n, esn)
		}
	}
}
