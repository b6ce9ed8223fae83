// SPDX-License-Identifier: Apache-2.0

package rxparse

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"testing"
)

// paces are the ways in which the random tests press on the unit's edges.
var paces = []pace{
	fullSpeed,
	{2, 100, 100, 100, "random"},
	{3, 50, 100, 100, "steady"},
	{4, 100, 50, 100, "steady"},
	{5, 100, 100, 10, "random"},
	{6, 30, 80, 80, "random"},
	{7, 100, 10, 50, "random"},
}

// TestConditions is one frame per condition of the contract's table, and its
// neighbours on the good side.
func TestConditions(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	s := newScenario()
	add := func(ipv6 bool, p, pad int, change func([]byte) []byte) {
		for _, spi := range []uint32{1, 2} { // with SA and without
			f := espFrame(rng, ipv6, p, pad)
			offset := 34
			if ipv6 {
				offset = 54
			}
			binary.BigEndian.PutUint32(f[offset:], spi|rng.Uint32()<<2)
			if change != nil {
				f = change(f)
			}
			s.frame(f, false)
		}
	}
	set := func(at int, v byte) func([]byte) []byte {
		return func(f []byte) []byte { f[at] = v; return f }
	}
	set16 := func(at int, v int) func([]byte) []byte {
		return func(f []byte) []byte { binary.BigEndian.PutUint16(f[at:], uint16(v)); return f }
	}
	for _, ipv6 := range []bool{false, true} {
		for _, p := range []int{4, 8, 12, 16, 20, 1480, 9000} {
			add(ipv6, p, 0, nil)
			add(ipv6, p, 7, nil)
		}
		for _, et := range []int{0x0800, 0x86DD, 0x0801, 0x8100, 0x0806, 0x0008, 0xDD86, 0} {
			add(ipv6, 64, 0, set16(12, et))
		}
		for cut := 1; cut <= 80; cut++ { // every length from nothing to a whole small frame
			add(ipv6, 16, 0, func(f []byte) []byte { return f[:min(cut, len(f))] })
		}
	}
	for _, b := range []byte{0x40, 0x44, 0x46, 0x4f, 0x55, 0x65, 0x05, 0x54} {
		add(false, 64, 0, set(14, b))
	}
	for _, flags := range []int{0x4000, 0x8000, 0x2000, 0x6000, 0x0001, 0x1000, 0x1FFF, 0x4001, 0xC000} {
		add(false, 64, 0, set16(20, flags))
	}
	for _, proto := range []byte{0, 4, 6, 17, 49, 51, 178} {
		add(false, 64, 0, set(23, proto))
		add(true, 64, 0, set(20, proto))
	}
	add(true, 64, 0, set(14, 0x45)) // the contract does not look at the version of IPv6
	for length := 0; length <= 120; length++ {
		add(false, 48, 0, set16(16, length))
		add(true, 48, 0, set16(18, length))
	}
	// The longest IP packet that a frame can hold, and longer ones; the length's
	// upper bits must not get lost.
	for _, length := range []int{9582, 9583, 9584, 9585, 9586, 9587, 9588, 9590, 16384 + 84, 32768 + 84, 49152 + 84, 65532, 65535} {
		add(false, 48, 0, set16(16, length))
		add(true, 48, 0, set16(18, length))
		add(true, 48, 0, set16(18, length-40))
	}
	for _, p := range paces {
		judge(t, normal, p, s)
	}
}

// randomFrame is any of the kinds of frames that occur, and often enough one
// that is broken somewhere in its headers.
func randomFrame(rng *rand.Rand, longest int) []byte {
	p := 4 * (1 + rng.Intn(20))
	if rng.Intn(20) == 0 {
		p = 4 * (1 + rng.Intn((longest-100)/4))
	}
	f := espFrame(rng, rng.Intn(2) == 1, p, max(0, rng.Intn(40)-20))
	switch rng.Intn(8) {
	case 0: // cut anywhere
		f = f[:1+rng.Intn(len(f))]
	case 1: // cut in the headers
		f = f[:1+rng.Intn(min(80, len(f)))]
	case 2, 3: // some bits of the first bytes flipped
		for n := 1 + rng.Intn(3); n > 0; n-- {
			f[rng.Intn(min(62, len(f)))] ^= 1 << rng.Intn(8)
		}
	case 4: // a header byte replaced by an interesting value
		interesting := []byte{0, 1, 50, 51, 0x45, 0x60, 0x20, 0x3f, 0x08, 0x86, 0xDD, 0xff}
		f[12+rng.Intn(min(12, len(f)-12))] = interesting[rng.Intn(len(interesting))]
	case 5: // noise
		rng.Read(f[:rng.Intn(len(f)+1)])
	}
	return f
}

// TestRandomFrames mixes all kinds under changing settings and paces.
func TestRandomFrames(t *testing.T) {
	for _, c := range []config{normal, {1, 200}, {2, 9600}, {4, 1518}} {
		t.Run(fmt.Sprintf("%d lanes, MAX_FRAME %d", c.lanes, c.maxFrame), func(t *testing.T) {
			for i, p := range paces {
				rng := rand.New(rand.NewSource(int64(100 + i)))
				s := newScenario()
				for n := 0; n < 600; n++ {
					f := randomFrame(rng, c.maxFrame)
					switch rng.Intn(40) {
					case 0: // around MAX_FRAME
						f = append(f, make([]byte, max(0, c.maxFrame-20+rng.Intn(40)-len(f)))...)
					case 1:
						s.set(rng.Intn(4) > 0, rng.Intn(4) > 0, rng.Intn(16))
					case 2:
						if beats := c.beats(len(f)); beats > 1 {
							s.frameWithChange(f, 1+rng.Intn(beats-1), rng.Intn(2) == 1)
							continue
						}
					}
					s.frame(f, rng.Intn(15) == 0)
				}
				s.set(true, true, 0)
				for n := 0; n < 50; n++ {
					s.frame(randomFrame(rng, c.maxFrame), false)
				}
				judge(t, c, p, s)
			}
		})
	}
}

// TestMaxFrame goes through the lengths around MAX_FRAME and far beyond.
func TestMaxFrame(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	s := newScenario()
	for _, n := range []int{9568, 9583, 9584, 9585, 9598, 9599, 9600, 9601, 9615, 9616, 9617, 9632, 12000, 16383, 16384, 16385, 20000, 40000} {
		f := espFrame(rng, n%2 == 0, 9400, n)[:n]
		s.frame(f, false)
		s.frame(espFrame(rng, n%2 == 0, 64, 0), false)
	}
	s.frame(make([]byte, 9600), true)
	s.frame(make([]byte, 9601), true)
	s.frame(make([]byte, 60), false)
	for _, p := range paces {
		judge(t, normal, p, s)
	}
}

// TestRate demands that the unit never makes the MAC wait when nothing behind
// it does, for the shortest frames that matter and with the lookup's own rate.
func TestRate(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for _, kind := range []struct {
		name  string
		frame func(n int) []byte
	}{
		{"ESP, 114 bytes", func(int) []byte { return espFrame(rng, false, 48, 0) }},
		{"ESP, 70 bytes", func(int) []byte { return espFrame(rng, false, 4, 0) }},
		{"ESP header only, 62 bytes", func(int) []byte { return espFrame(rng, true, 64, 0)[:62] }},
		{"ESP header only, 42 bytes", func(int) []byte { return espFrame(rng, false, 64, 0)[:42] }},
		{"60 bytes", func(int) []byte { f := make([]byte, 60); rng.Read(f); f[12] = 0x08; f[13] = 0x06; return f }},
		{"14 bytes", func(int) []byte { return make([]byte, 14) }},
		{"mixed sizes", func(n int) []byte { return espFrame(rng, n%2 == 0, 4+4*(n%100), 0) }},
		{"1518 bytes", func(int) []byte { return espFrame(rng, false, 1452, 0) }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			s := newScenario()
			beats := 0
			for n := 0; n < 500; n++ {
				f := kind.frame(n)
				beats += normal.beats(len(f))
				s.frame(f, false)
			}
			o := judge(t, normal, fullSpeed, s)
			took := o.ins[len(o.ins)-1][1] - o.ins[0][0] + 1
			if took != uint64(beats) {
				t.Errorf("%d beats took %d cycles to enter", beats, took)
			}
			took = o.frames[len(o.frames)-1].last - o.frames[0].first + 1
			if took != uint64(beats) {
				t.Errorf("%d beats took %d cycles to leave", beats, took)
			}
			t.Logf("first beat in to first beat out: %d cycles", o.frames[0].first-o.ins[0][0])
		})
	}
}
