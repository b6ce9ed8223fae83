// SPDX-License-Identifier: Apache-2.0

package crypt

import (
	"bytes"
	"testing"
)

// Every alignment there is: ESP offset and skip modulo 16, P modulo 16, with
// payloads of less than, exactly and more than a block, back to back.
func TestEveryAlignment(t *testing.T) {
	directions(t, func(t *testing.T, decrypt bool, exe string) {
		tr := newTraffic(2)
		for offset := range beatBytes {
			for skip := range beatBytes {
				for tail := range 4 {
					sh := shape{espoff: 34 + offset + beatBytes*tr.rng.Intn(5), plen: 4 + 4*tail + beatBytes*tr.rng.Intn(6), skip: skip}
					if decrypt {
						sh.rest = tr.rng.Intn(2) * tr.rng.Intn(40)
					}
					tr.add(tr.esp(decrypt, sh))
				}
			}
		}
		for _, p := range []pace{fullSpeed, paces[5]} {
			tr.run(t, exe, 3, p)
		}
	})
}

// The longest frames, and every payload length up to where blocks no longer
// decide.
func TestEveryLength(t *testing.T) {
	directions(t, func(t *testing.T, decrypt bool, exe string) {
		tr := newTraffic(4)
		for plen := 4; plen <= 600; plen += 4 {
			tr.add(tr.esp(decrypt, shape{espoff: 34 + 4*tr.rng.Intn(20), plen: plen}))
		}
		for _, plen := range []int{1504, 4096, 8192, 9000, 9000} {
			tr.add(tr.esp(decrypt, shape{espoff: 34, plen: plen}))
		}
		tr.run(t, exe, 5, fullSpeed)
	})
}

// A frame that is wrong is delivered as it came, with the right status, and the
// frames around it are not disturbed.
func TestRejected(t *testing.T) {
	exe := build(t, true, false)
	tr := newTraffic(6)
	reject := func(status int, f frame) {
		f.status, f.out = status, f.data
		tr.add(f, tr.esp(true, shape{espoff: 34, plen: 4 + 4*tr.rng.Intn(12)}))
	}
	anyPlen := func() int { return 4 + 4*tr.rng.Intn(20) }

	for at := range icvSize {
		for bit := range 8 {
			f := tr.esp(true, shape{espoff: 34 + tr.rng.Intn(16), plen: anyPlen()})
			f.data[f.espoff+espHeader+f.plen+at] ^= 1 << bit
			reject(statusAuth, f)
		}
	}
	for range 100 { // any other authenticated byte
		f := tr.esp(true, shape{espoff: 34, plen: anyPlen()})
		f.data[f.espoff+tr.rng.Intn(espHeader+f.plen)] ^= 1 << tr.rng.Intn(8)
		reject(statusAuth, f)
	}
	for range 20 { // what is not in the packet
		f := tr.esp(true, shape{espoff: 34, plen: anyPlen()})
		switch tr.rng.Intn(3) {
		case 0:
			f.esn = !f.esn
		case 1:
			f.esn, f.seqhi = true, f.seqhi+1
		default:
			f.slot = (f.slot + 1) % numSA
		}
		reject(statusAuth, f)
	}
	for plen := 4; plen <= 260; plen += 4 { // Pad Length + 2 > P, by one and by most
		for _, pad := range []int{plen - 1, 255} {
			if pad > 255 || pad+2 <= plen {
				continue
			}
			f := tr.espPadded(true, shape{espoff: 34, plen: plen}, byte(pad))
			reject(statusSyntax, f)
		}
	}
	for range 300 { // cut anywhere before its ICV ends
		f := tr.esp(true, shape{espoff: 34 + tr.rng.Intn(16), plen: anyPlen()})
		end := f.espoff + espHeader + f.plen + icvSize
		f.data = f.data[:1+tr.rng.Intn(end-1)]
		reject(statusSyntax, f)
	}
	for cut := 1; cut <= 40; cut++ {
		f := tr.esp(true, shape{espoff: 34, plen: anyPlen()})
		f.data = f.data[:f.espoff+espHeader+f.plen+icvSize-cut]
		reject(statusSyntax, f)
	}
	for _, p := range paces {
		tr.run(t, exe, 7, p)
	}
}

// The largest Pad Length that fits is accepted.
func TestLargestPadding(t *testing.T) {
	exe := build(t, true, false)
	tr := newTraffic(8)
	for plen := 4; plen <= 300; plen += 4 {
		tr.add(tr.espPadded(true, shape{espoff: 34, plen: plen}, byte(min(255, plen-2))))
	}
	tr.run(t, exe, 9, fullSpeed)
}

// On send a frame without room for its ICV must not leave.
func TestCutWhileSending(t *testing.T) {
	exe := build(t, false, false)
	tr := newTraffic(10)
	for range 300 {
		f := tr.esp(false, shape{espoff: 34 + tr.rng.Intn(16), plen: 4 + 4*tr.rng.Intn(20), skip: tr.rng.Intn(beatBytes)})
		f.data = f.data[:1+tr.rng.Intn(len(f.data)-1)]
		f.status = statusError
		tr.add(f, tr.esp(false, shape{espoff: 34, plen: 48}))
	}
	tr.run(t, exe, 11, fullSpeed)
}

// A frame far beyond MAX_FRAME, even beyond the buffer, ends as an error and
// blocks nothing, whether it was to be encrypted or not.
func TestOversize(t *testing.T) {
	directions(t, func(t *testing.T, decrypt bool, exe string) {
		tr := newTraffic(12)
		for _, size := range []int{9700, 33000, 70000} {
			for _, crypt := range []bool{false, true} {
				tr.add(tr.esp(decrypt, shape{espoff: 34, plen: 48}), tr.esp(decrypt, shape{espoff: 34, plen: 9000}))
				f := tr.plain(size, 0)
				f.crypt, f.espoff, f.plen = crypt, 34, 9000
				f.status = statusError
				tr.add(f, tr.plain(60, 0))
			}
		}
		for _, p := range []pace{fullSpeed, paces[4]} {
			tr.run(t, exe, 13, p)
		}
	})
}

// Frames that are bad at every length, alone and between good ones, leave no
// trace in the buffer.
func TestBadFrames(t *testing.T) {
	directions(t, func(t *testing.T, decrypt bool, exe string) {
		tr := newTraffic(14)
		for size := 1; size < 200; size++ {
			f := tr.esp(decrypt, shape{espoff: 34, plen: 160, skip: tr.rng.Intn(beatBytes)})
			f.data = f.data[:size]
			f.err, f.status = true, statusError
			tr.add(f)
			if size%3 == 0 {
				tr.add(tr.esp(decrypt, tr.shapeOf(decrypt)))
			}
			g := tr.plain(size, tr.rng.Intn(beatBytes))
			g.err, g.status = true, statusError
			tr.add(g)
		}
		tr.add(tr.esp(decrypt, shape{espoff: 34, plen: 48}))
		for _, p := range []pace{fullSpeed, paces[5]} {
			tr.run(t, exe, 15, p)
		}
	})
}

// Frames that are passed through keep every byte at every length and
// alignment; the shortest is one byte.
func TestPassThrough(t *testing.T) {
	directions(t, func(t *testing.T, decrypt bool, exe string) {
		tr := newTraffic(16)
		for size := 1; size <= 80; size++ {
			for skip := range beatBytes {
				tr.add(tr.plain(size, skip))
			}
		}
		for _, p := range []pace{fullSpeed, paces[5]} {
			tr.run(t, exe, 17, p)
		}
	})
}

// A sink that stops for long fills the buffer and loses nothing.
func TestFullBuffer(t *testing.T) {
	directions(t, func(t *testing.T, decrypt bool, exe string) {
		tr := newTraffic(18)
		for range 30 {
			tr.add(tr.esp(decrypt, shape{espoff: 34, plen: 4 * (1 + tr.rng.Intn(2250))}))
		}
		for range 600 {
			tr.add(tr.esp(decrypt, shape{espoff: 34, plen: 4}))
		}
		for _, p := range []pace{{100, 100, 100, 3}, {100, 100, 2, 100}} {
			tr.run(t, exe, 19, p)
		}
	})
}

// After zeros were written over a slot's round keys and powers of H, nothing
// depends on the key it had.
func TestErasedKey(t *testing.T) {
	exe := build(t, false, false)
	var outs [][]byte
	for seed := range int64(2) {
		tr := newTraffic(20 + seed)
		tr.erased = true
		f := frame{crypt: true, slot: 5, espoff: 34, plen: 48, data: bytes.Repeat([]byte{0x42}, 114), status: statusOK}
		tr.sas[5].salt = 7
		tr.add(f)
		outs = append(outs, tr.results(t, exe, 1, fullSpeed)[0].out)
	}
	if !bytes.Equal(outs[0], outs[1]) {
		t.Errorf("the erased keys of two runs still differ in effect:\n%x\n%x", outs[0], outs[1])
	}
}
