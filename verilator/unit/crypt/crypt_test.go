// SPDX-License-Identifier: Apache-2.0

// Package crypt tests espalier_crypt against crypto/cipher's GCM, used as
// RFC 4106 says.
package crypt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/rand"
	"strconv"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
	"github.com/espalier-nic/espalier/verilator/unit/gcmref"
)

const (
	numSA     = 64
	powers    = 4 // of H, per slot
	beatBytes = 16
	icvSize   = 16
	espHeader = 16 // SPI, sequence number, IV
)

// Values of r_status_o.
const (
	statusPass = iota
	statusOK
	statusAuth
	statusSyntax
	statusError
)

var statusNames = []string{"pass", "ok", "auth", "syntax", "error"}

// The unit's files, packages first.
var sources = []string{
	"rtl/espalier_pkg.sv", "rtl/espalier_fifo.sv", "rtl/espalier_ram_sdp.sv", "rtl/espalier_rotate.sv",
	"rtl/espalier_byte_mask.sv", "rtl/espalier_aes_round.sv", "rtl/espalier_aes_pipe.sv",
	"rtl/espalier_gf128_mul.sv", "rtl/espalier_ghash.sv",
	"rtl/espalier_crypt_align.sv", "rtl/espalier_crypt_ctr.sv", "rtl/espalier_crypt_seal.sv",
	"rtl/espalier_crypt_release.sv", "rtl/espalier_crypt_store.sv", "rtl/espalier_crypt.sv",
}

func build(t testing.TB, decrypt bool, fast bool) string {
	t.Helper()
	u := bench.Unit{
		Name: "crypt", Top: "espalier_crypt", Bench: "testdata/tb.cpp", Sources: sources, Fast: fast,
		Params: map[string]string{"NUM_SA": strconv.Itoa(numSA), "USERW": "32", "DECRYPT": "0"},
	}
	if decrypt {
		u.Params["DECRYPT"] = "1"
	}
	return bench.Build(t, u)
}

// An sa is one slot of the key store.
type sa struct {
	key  []byte
	salt uint32
	aead cipher.AEAD
}

func newSA(rng *rand.Rand, keyLen int) sa {
	s := sa{key: make([]byte, keyLen), salt: rng.Uint32()}
	rng.Read(s.key)
	block, err := aes.NewCipher(s.key)
	if err != nil {
		panic(err)
	}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
	return s
}

// A frame is what goes in, and what must come out.
type frame struct {
	crypt  bool
	slot   int
	esn    bool
	seqhi  uint32
	espoff int
	plen   int
	skip   int
	err    bool
	data   []byte // as on the bus, without the skipped bytes

	status     int
	out        []byte
	nextHeader byte
	padLen     byte
}

// A traffic collects frames for one run of the bench.
type traffic struct {
	rng    *rand.Rand
	sas    []sa
	frames []frame
	erased bool // zeros are written over all keys before the first frame
}

func newTraffic(seed int64) *traffic {
	tr := &traffic{rng: rand.New(rand.NewSource(seed))}
	for i := range numSA {
		tr.sas = append(tr.sas, newSA(tr.rng, 16+8*(i%3)))
	}
	return tr
}

// A shape is what decides how a packet lies in the beats.
type shape struct {
	espoff, plen, skip int
	rest               int // bytes after the ICV
}

// esp makes a random ESP packet of a random SA; decrypt says which way it goes.
// The frame expects success.
func (tr *traffic) esp(decrypt bool, sh shape) frame {
	return tr.espOf(decrypt, sh, tr.rng.Intn(numSA))
}

func (tr *traffic) espOf(decrypt bool, sh shape, slot int) frame {
	return tr.build(decrypt, sh, slot, byte(tr.rng.Intn(min(256, sh.plen-1))))
}

func (tr *traffic) espPadded(decrypt bool, sh shape, padLen byte) frame {
	return tr.build(decrypt, sh, tr.rng.Intn(numSA), padLen)
}

func (tr *traffic) build(decrypt bool, sh shape, slot int, padLen byte) frame {
	f := frame{
		crypt: true, slot: slot, esn: tr.rng.Intn(2) == 1, seqhi: tr.rng.Uint32(),
		espoff: sh.espoff, plen: sh.plen, skip: sh.skip, status: statusOK,
		padLen:     padLen,
		nextHeader: byte(tr.rng.Intn(256)),
	}
	f.data = make([]byte, sh.espoff+espHeader+sh.plen+icvSize+sh.rest)
	tr.rng.Read(f.data)
	payload := f.data[f.espoff+espHeader:][:f.plen]
	payload[f.plen-2], payload[f.plen-1] = f.padLen, f.nextHeader

	f.out = bytes.Clone(f.data)
	if decrypt {
		// The sender may choose any IV. What is delivered keeps IV and ICV.
		plain := bytes.Clone(payload)
		tr.seal(&f, f.data)
		f.out = bytes.Clone(f.data)
		copy(f.out[f.espoff+espHeader:], plain)
	} else {
		var upper uint32
		if f.esn {
			upper = f.seqhi
		}
		header := f.out[f.espoff:]
		binary.BigEndian.PutUint32(header[8:], upper)
		copy(header[12:16], header[4:8])
		tr.seal(&f, f.out)
	}
	return f
}

// seal encrypts the ESP packet of f in place and writes its ICV (RFC 4106).
func (tr *traffic) seal(f *frame, data []byte) {
	esp := data[f.espoff:]
	aad := bytes.Clone(esp[:4])
	if f.esn {
		aad = binary.BigEndian.AppendUint32(aad, f.seqhi)
	}
	aad = append(aad, esp[4:8]...)
	nonce := append(binary.BigEndian.AppendUint32(nil, tr.sas[f.slot].salt), esp[8:16]...)
	tr.sas[f.slot].aead.Seal(esp[espHeader:espHeader], nonce, esp[espHeader:espHeader+f.plen], aad)
}

// plain makes a frame that is to be passed through.
func (tr *traffic) plain(size, skip int) frame {
	f := frame{skip: skip, data: make([]byte, size), status: statusPass}
	tr.rng.Read(f.data)
	f.out = f.data
	return f
}

// shapeOf draws a shape. Most packets are short: that is where frames overlap.
func (tr *traffic) shapeOf(decrypt bool) shape {
	sh := shape{espoff: 34 + tr.rng.Intn(87), plen: 4 * (1 + tr.rng.Intn(40))}
	if tr.rng.Intn(20) == 0 {
		sh.plen = 4 * (1 + tr.rng.Intn(2250))
	}
	if decrypt {
		if tr.rng.Intn(3) == 0 {
			sh.rest = tr.rng.Intn(40)
		}
	} else {
		sh.skip = tr.rng.Intn(beatBytes)
	}
	return sh
}

func (tr *traffic) add(f ...frame) { tr.frames = append(tr.frames, f...) }

// Chances in percent that a cycle offers or takes something; see testdata/tb.cpp.
type pace struct{ meta, beat, result, out int }

var fullSpeed = pace{100, 100, 100, 100}

var paces = []pace{fullSpeed, {30, 100, 100, 100}, {100, 60, 100, 100}, {100, 100, 20, 100}, {100, 100, 100, 30}, {50, 70, 60, 70}}

// A result is what the bench reports of a frame; cycles are 0 where the event
// did not happen.
type result struct {
	status             int
	length             int
	nextHeader, padLen byte
	user               uint32
	firstIn, lastIn    uint64
	taken              uint64
	firstOut, lastOut  uint64
	out                []byte
}

func (tr *traffic) input() []byte {
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
				panic(err)
			}
		}
	}
	for slot, s := range tr.sas {
		for round, k := range gcmref.RoundKeys(s.key) {
			put(byte(0), byte(round), uint16(slot), k)
		}
		for n, h := range gcmref.HashKeyPowers(s.key, powers) {
			put(byte(1), byte(n), uint16(slot), h)
		}
		if tr.erased {
			for round := range 15 {
				put(byte(0), byte(round), uint16(slot), gcmref.Block{})
			}
			for n := range powers {
				put(byte(1), byte(n), uint16(slot), gcmref.Block{})
			}
		}
	}
	for i, f := range tr.frames {
		put(byte(2), f.crypt, uint16(f.slot), byte(len(tr.sas[f.slot].key)/8-2), f.esn, f.seqhi, tr.sas[f.slot].salt,
			uint16(f.espoff), uint16(f.plen), byte(f.skip), f.err, uint32(i), uint32(f.skip+len(f.data)))
		b.Write(bytes.Repeat([]byte{0xdd}, f.skip))
		b.Write(f.data)
	}
	return b.Bytes()
}

// run passes the frames through the RTL and checks every result and byte.
func (tr *traffic) run(t *testing.T, exe string, seed int, p pace) []result {
	t.Helper()
	results := tr.results(t, exe, seed, p)
	for i, f := range tr.frames {
		if err := f.judge(results[i], uint32(i)); err != nil {
			t.Fatalf("frame %d of %d (seed %d, %+v; slot %d, key %d, esn %v, ESP at %d, P %d, skip %d, size %d): %v",
				i, len(tr.frames), seed, p, f.slot, len(tr.sas[f.slot].key), f.esn, f.espoff, f.plen, f.skip, len(f.data), err)
		}
	}
	return results
}

// results passes the frames through the RTL and checks nothing but the
// handshakes.
func (tr *traffic) results(t *testing.T, exe string, seed int, p pace) []result {
	t.Helper()
	raw := bytes.NewReader(bench.Run(t, exe, tr.input(), fmt.Sprint(seed),
		fmt.Sprint(p.meta), fmt.Sprint(p.beat), fmt.Sprint(p.result), fmt.Sprint(p.out)))
	results := make([]result, len(tr.frames))
	for i := range tr.frames {
		var h struct {
			Status     uint8
			Length     uint16
			NextHeader uint8
			PadLen     uint8
			User       uint32
			Cycles     [5]uint64
			Size       uint32
		}
		if err := binary.Read(raw, binary.LittleEndian, &h); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		r := result{int(h.Status), int(h.Length), h.NextHeader, h.PadLen, h.User,
			h.Cycles[0], h.Cycles[1], h.Cycles[2], h.Cycles[3], h.Cycles[4], make([]byte, h.Size)}
		if _, err := raw.Read(r.out); err != nil && h.Size > 0 {
			t.Fatalf("frame %d: %v", i, err)
		}
		results[i] = r
	}
	return results
}

func (f *frame) judge(r result, user uint32) error {
	if r.status != f.status {
		return fmt.Errorf("status %s, want %s", statusNames[r.status], statusNames[f.status])
	}
	if r.user != user {
		return fmt.Errorf("user data %d, want %d", r.user, user)
	}
	if f.status == statusError {
		if len(r.out) != 0 {
			return fmt.Errorf("a bad frame came out with %d bytes", len(r.out))
		}
		return nil
	}
	if r.length != len(f.out) {
		return fmt.Errorf("r_len %d, want %d", r.length, len(f.out))
	}
	if f.status == statusOK && (r.nextHeader != f.nextHeader || r.padLen != f.padLen) {
		return fmt.Errorf("next header %d, pad length %d, want %d, %d", r.nextHeader, r.padLen, f.nextHeader, f.padLen)
	}
	if !bytes.Equal(r.out, f.out) {
		at := 0
		for at < min(len(r.out), len(f.out)) && r.out[at] == f.out[at] {
			at++
		}
		return fmt.Errorf("%d bytes, want %d; first difference at %d:\n got % x\nwant % x", len(r.out), len(f.out), at,
			r.out[at:min(at+32, len(r.out))], f.out[at:min(at+32, len(f.out))])
	}
	return nil
}

func directions(t *testing.T, test func(t *testing.T, decrypt bool, exe string)) {
	for _, decrypt := range []bool{false, true} {
		name := "send"
		if decrypt {
			name = "receive"
		}
		t.Run(name, func(t *testing.T) { test(t, decrypt, build(t, decrypt, false)) })
	}
}

// One packet alone, in the middle of silence.
func TestSinglePacket(t *testing.T) {
	directions(t, func(t *testing.T, decrypt bool, exe string) {
		tr := newTraffic(1)
		tr.add(tr.esp(decrypt, shape{espoff: 34, plen: 48}))
		tr.run(t, exe, 1, fullSpeed)
	})
}

// Random packets of every kind, mixed with frames that are passed through or
// bad, at several paces.
func TestRandomTraffic(t *testing.T) {
	directions(t, func(t *testing.T, decrypt bool, exe string) {
		for i, p := range paces {
			tr := newTraffic(int64(100 + i))
			for range 400 {
				switch tr.rng.Intn(8) {
				case 0:
					tr.add(tr.plain(14+tr.rng.Intn(200), tr.rng.Intn(beatBytes)))
				case 1:
					f := tr.esp(decrypt, tr.shapeOf(decrypt))
					f.data = f.data[:1+tr.rng.Intn(len(f.data))]
					f.err, f.status = true, statusError
					tr.add(f)
				default:
					tr.add(tr.esp(decrypt, tr.shapeOf(decrypt)))
				}
			}
			tr.run(t, exe, i+1, p)
		}
	})
}
