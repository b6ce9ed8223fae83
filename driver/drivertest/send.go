// SPDX-License-Identifier: Apache-2.0

package drivertest

import (
	"bytes"
	"testing"

	"github.com/espalier-nic/espalier/driver"
)

// same compares two frames.
func same(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	t.Errorf("%s: %d bytes, want %d; first difference at byte %d\ngot  %x\nwant %x", what, len(got), len(want), at,
		got[at:min(len(got), at+32)], want[at:min(len(want), at+32)])
}

// testSendPlain: frames of all lengths and alignments leave as they are, in order.
func testSendPlain(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{TXRing: 64})
	lengths := []int{14, 15, 16, 17, 31, 32, 33, 59, 60, 61, 63, 64, 65, 127, 128, 255, 1500, 1514, b.Capabilities().MaxFrame}
	var frames [][]byte
	var packets []driver.TXPacket
	for i, n := range lengths {
		frame := make([]byte, n)
		for j := range frame {
			frame[j] = byte(i + j*3)
		}
		p := b.packet(t, nil)
		p.Offset, p.Length, p.Cookie = i, n, uint64(i)
		copy(p.Buffer.Bytes()[i:], frame)
		frames, packets = append(frames, frame), append(packets, p)
	}
	b.post(t, 0, packets...)
	for i, d := range b.done(t, 0, len(packets)) {
		if d.Status != driver.OK || d.Cookie != uint64(i) || d.Buffer != packets[i].Buffer {
			t.Errorf("descriptor %d: %+v", i, d)
		}
	}
	for i, got := range b.onWire(t, len(frames)) {
		same(t, "frame on the wire", got, frames[i])
	}
	b.silent(t)
}

// testSendESP: every kind of SA, many lengths; every bit on the wire is checked.
func testSendESP(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{TXRing: 256})
	sizes := []int{0, 1, 2, 3, 10, 14, 15, 16, 30, 100, 200, 1000}
	var want [][]byte
	var packets []driver.TXPacket
	for i, k := range kinds() {
		f := newFlow(t, k, uint32(0x1000+i))
		handle := b.addSA(t, f.out)
		for j, size := range sizes[:6+i%7] {
			framed, info := f.frame(t, plainFrame(k.ipv6, size, i+j))
			want = append(want, f.sealed(t, framed, info))
			p := b.packet(t, framed)
			p.SA, p.ESPOffset, p.Sequence, p.Cookie = handle, info.ESPOffset, info.Sequence, uint64(len(packets))
			packets = append(packets, p)
		}
	}
	// A plain frame between them: it shares the pipeline, not the key.
	packets = append(packets, b.packet(t, plainFrame(false, 64, 1)))
	want = append(want, plainFrame(false, 64, 1))
	b.post(t, 0, packets...)
	for i, d := range b.done(t, 0, len(packets)) {
		if d.Status != driver.OK || d.SA != packets[i].SA {
			t.Errorf("descriptor %d: %+v", i, d)
		}
	}
	for i, got := range b.onWire(t, len(want)) {
		same(t, "ESP on the wire", got, want[i])
	}
	b.silent(t)
}

// testSendErrors: what must not be sent is not, each with its status, and does
// not disturb what comes after it.
func testSendErrors(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	f := newFlow(t, kind{keyLen: 16}, 3)
	handle := b.addSA(t, f.out)
	inbound := b.addSA(t, f.in)
	stale := b.addSA(t, newFlow(t, kind{keyLen: 16}, 4).out)
	ok(t, b.DeleteSA(b.ctx, stale))
	never := driver.Handle(1<<16 | b.Capabilities().SACapacity - 1)
	outside := driver.Handle(1<<16 | 0xFFFF)

	framed, info := f.frame(t, plainFrame(false, 100, 1))
	base := func() driver.TXPacket {
		p := b.packet(t, framed)
		p.SA, p.ESPOffset = handle, info.ESPOffset
		return p
	}
	cases := []struct {
		name   string
		change func(*driver.TXPacket)
		status driver.Status
	}{
		{"deleted SA", func(p *driver.TXPacket) { p.SA = stale }, driver.StaleHandle},
		{"other generation", func(p *driver.TXPacket) { p.SA += 1 << 16 }, driver.StaleHandle},
		{"inbound SA", func(p *driver.TXPacket) { p.SA = inbound }, driver.StaleHandle},
		{"slot never used", func(p *driver.TXPacket) { p.SA = never }, driver.StaleHandle},
		{"slot that does not exist", func(p *driver.TXPacket) { p.SA = outside }, driver.StaleHandle},
		{"ESP offset 33", func(p *driver.TXPacket) { p.ESPOffset = 33 }, driver.BadOffset},
		{"ESP offset 0", func(p *driver.TXPacket) { p.ESPOffset = 0 }, driver.BadOffset},
		{"payload no multiple of 4", func(p *driver.TXPacket) { p.Length-- }, driver.BadLength},
		{"no payload", func(p *driver.TXPacket) { p.Length = p.ESPOffset + 32 }, driver.BadLength},
		{"no room for ESP", func(p *driver.TXPacket) { p.Length = p.ESPOffset + 4 }, driver.BadLength},
		{"13 bytes", func(p *driver.TXPacket) { p.Length, p.SA = 13, 0 }, driver.BadLength},
		{"0 bytes", func(p *driver.TXPacket) { p.Length, p.SA = 0, 0 }, driver.BadLength},
		{"longer than the longest frame", func(p *driver.TXPacket) { p.Length, p.SA = b.Capabilities().MaxFrame+1, 0 }, driver.BadLength},
	}
	var packets []driver.TXPacket
	for _, c := range cases {
		bad, good := base(), b.packet(t, plainFrame(false, 20, len(packets)))
		c.change(&bad)
		packets = append(packets, bad, good)
	}
	b.post(t, 0, packets...)
	for i, d := range b.done(t, 0, len(packets)) {
		if want := cases[i/2].status; i%2 == 0 && d.Status != want {
			t.Errorf("%s: status %v, want %v", cases[i/2].name, d.Status, want)
		} else if i%2 == 1 && d.Status != driver.OK {
			t.Errorf("after %s: status %v", cases[i/2].name, d.Status)
		}
	}
	for i, got := range b.onWire(t, len(cases)) {
		same(t, "frame after "+cases[i].name, got, plainFrame(false, 20, 2*i))
	}
	b.silent(t)

	// Fail closed: no plaintext leaves while IPsec is inactive.
	ok(t, b.SetIPsec(false))
	if s := b.send(t, 0, base()); s != driver.OffloadOff {
		t.Errorf("IPsec inactive: status %v", s)
	}
	b.silent(t)
	ok(t, b.SetIPsec(true))
	if s := b.send(t, 0, base()); s != driver.OK {
		t.Errorf("IPsec active again: status %v", s)
	}
	same(t, "ESP after all that", b.onWire(t, 1)[0], f.sealed(t, framed, info))
	s, err := b.Statistics()
	ok(t, err)
	if s.TXStaleHandle != 5 || s.TXBadDescriptor != 9 || s.TXESP != 1 || s.TXFrames != uint64(len(cases)+1) {
		t.Errorf("statistics %+v", s)
	}
}

// testSendESN: the upper half that a frame was posted with is used, also when
// UPDATE_SA comes in between.
func testSendESN(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	f := newFlow(t, kind{keyLen: 16, esn: true}, 5)
	handle := b.addSA(t, f.out)
	post := func(hi uint32) []byte {
		framed, info := f.frame(t, plainFrame(false, 40, int(hi)))
		info.Sequence = uint64(hi)<<32 | info.Sequence&0xFFFFFFFF
		p := b.packet(t, framed)
		p.SA, p.ESPOffset, p.Sequence = handle, info.ESPOffset, info.Sequence
		b.post(t, 0, p)
		return f.sealed(t, framed, info)
	}
	done := func(n int) {
		for i, d := range b.done(t, 0, n) {
			if d.Status != driver.OK {
				t.Errorf("frame %d: %v", i, d.Status)
			}
		}
	}
	want := [][]byte{post(5), post(4)}
	done(2) // 4 may not be under way when the SA goes to 6
	want = append(want, post(5), post(5))
	ok(t, b.UpdateSA(b.ctx, handle, 6)) // 5 may
	want = append(want, post(6), post(5))
	done(4)
	for i, got := range b.onWire(t, len(want)) {
		same(t, "ESN frame", got, want[i])
	}
	// Any other upper half would be completed wrongly, so the driver refuses it.
	framed, info := f.frame(t, plainFrame(false, 40, 1))
	p := b.packet(t, framed)
	p.SA, p.ESPOffset, p.Sequence = handle, info.ESPOffset, 7<<32|1
	n, err := b.tx(t, 0).Post([]driver.TXPacket{p})
	if n != 0 {
		t.Error("frame with an unknown upper half was posted")
	}
	wants(t, "unknown upper half", err, driver.ErrInvalid)
	ok(t, b.pool.Put(p.Buffer))
}
