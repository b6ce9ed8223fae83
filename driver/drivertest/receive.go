// SPDX-License-Identifier: Apache-2.0

package drivertest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/regs"
)

// expect checks a frame that was decrypted with success.
func expect(t testing.TB, got received, f *flow, handle driver.Handle, want []byte) {
	t.Helper()
	same(t, f.String(), got.frame, want)
	padLen, nextHeader := trailer(want)
	words := driver.IPsecWords{CryptoDone: true, HeaderInfoSet: true, PadLength: padLen, NextHeader: nextHeader}
	if got.Status != driver.OK || got.SA != handle || got.IPsec != words {
		t.Errorf("%v: status %v, SA %v, words %+v; want OK, %v, %+v", f.kind, got.Status, got.SA, got.IPsec, handle, words)
	}
	if got.IPsec.Slot1() != 2 || got.IPsec.Slot12() != 1<<16|uint32(padLen)<<8|uint32(nextHeader) {
		t.Errorf("%v: IPsecOV2 words %#x, %#x", f.kind, got.IPsec.Slot1(), got.IPsec.Slot12())
	}
}

// untouched checks a frame that was handed up as it came.
func untouched(t testing.TB, what string, got received, handle driver.Handle, words driver.IPsecWords, want []byte) {
	t.Helper()
	same(t, what, got.frame, want)
	if got.Status != driver.OK || got.SA != handle || got.IPsec != words {
		t.Errorf("%s: status %v, SA %v, words %+v; want OK, %v, %+v", what, got.Status, got.SA, got.IPsec, handle, words)
	}
}

// testReceivePlain: frames of all lengths arrive in the default queue as they
// were, in order, one per buffer.
func testReceivePlain(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{DefaultRXQueue: 1})
	lengths := []int{14, 15, 16, 17, 59, 60, 64, 127, 128, 129, 1514, b.Capabilities().MaxFrame}
	b.fill(t, 1, len(lengths))
	var frames [][]byte
	for i, n := range lengths {
		frame := make([]byte, n)
		for j := range frame {
			frame[j] = byte(i*5 + j)
		}
		frame[12], frame[13] = 8, 6 // ARP
		frames = append(frames, frame)
	}
	b.inject(t, frames...)
	for i, got := range b.receive(t, 1, len(frames)) {
		untouched(t, fmt.Sprintf("frame of %d bytes", lengths[i]), got, 0, driver.IPsecWords{}, frames[i])
	}
}

// testReceiveESP: every kind of SA, to the queue that the SA names.
func testReceiveESP(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	type sent struct {
		flow   *flow
		handle driver.Handle
		want   []byte
	}
	byQueue := make([][]sent, b.RXQueues())
	for q := range byQueue {
		b.fill(t, q, 60)
	}
	for i, k := range kinds() {
		f := newFlow(t, k, uint32(0x2000+i))
		f.in.RXQueue = i % b.RXQueues()
		handle := b.addSA(t, f.in)
		for j, size := range []int{0, 2, 13, 64, 500} {
			onWire, handedUp := f.wire(t, size, i+j)
			if j == 1 { // Ethernet padding after the packet stays
				onWire, handedUp = append(onWire, 1, 2, 3), append(handedUp, 1, 2, 3)
			}
			b.inject(t, onWire)
			byQueue[f.in.RXQueue] = append(byQueue[f.in.RXQueue], sent{f, handle, handedUp})
		}
	}
	for q, list := range byQueue {
		for i, got := range b.receive(t, q, len(list)) {
			want := list[i].want
			if i%5 == 1 {
				same(t, "padding", got.frame[len(got.frame)-3:], []byte{1, 2, 3})
				got.frame, want = got.frame[:len(got.frame)-3], want[:len(want)-3]
			}
			expect(t, got, list[i].flow, list[i].handle, want)
		}
	}
}

// testReceiveUntouched: failures of every class hand up the frame as on the
// wire, with the IPsecOV2 words that say why (docs/nic-contract.md, Receiving).
func testReceiveUntouched(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	transport, tunnel := newFlow(t, kind{keyLen: 16}, 0x31), newFlow(t, kind{keyLen: 24, tunnel: true, ipv6: true}, 0x32)
	esn := newFlow(t, kind{keyLen: 32, esn: true}, 0x33)
	handles := map[*flow]driver.Handle{transport: b.addSA(t, transport.in), tunnel: b.addSA(t, tunnel.in), esn: b.addSA(t, esn.in)}
	failed := func(s regs.CryptoStatus) driver.IPsecWords {
		return driver.IPsecWords{CryptoDone: true, CryptoStatus: s}
	}
	const badTransport, badTunnel, badSyntax = regs.CryptoStatusTransportESPAuthFailed, regs.CryptoStatusTunnelESPAuthFailed, regs.CryptoStatusInvalidPacketSyntax
	fixIPv4 := func(frame []byte, length int) { binary.BigEndian.PutUint16(frame[16:], uint16(length)) }
	cases := []struct {
		name   string
		flow   *flow
		change func(frame []byte)
		match  bool // an SA is found
		words  driver.IPsecWords
	}{
		{"sequence number", transport, func(f []byte) { f[34+7] ^= 1 }, true, failed(badTransport)},
		{"IV", transport, func(f []byte) { f[34+8] ^= 0x80 }, true, failed(badTransport)},
		{"first payload byte", transport, func(f []byte) { f[34+16] ^= 4 }, true, failed(badTransport)},
		{"last payload byte", transport, func(f []byte) { f[len(f)-17] ^= 1 }, true, failed(badTransport)},
		{"first ICV byte", transport, func(f []byte) { f[len(f)-16] ^= 1 }, true, failed(badTransport)},
		{"last ICV byte", transport, func(f []byte) { f[len(f)-1] ^= 0x40 }, true, failed(badTransport)},
		{"tunnel ICV", tunnel, func(f []byte) { f[len(f)-3] ^= 1 }, true, failed(badTunnel)},
		{"IP length odd", transport, func(f []byte) { fixIPv4(f, len(f)-14-1) }, true, failed(badSyntax)},
		{"IP length without payload", transport, func(f []byte) { fixIPv4(f, 20+32) }, true, failed(badSyntax)},
		{"IP length over frame", transport, func(f []byte) { fixIPv4(f, len(f)-14+4) }, true, failed(badSyntax)},
		{"SPI", transport, func(f []byte) { f[34] ^= 1 }, false, driver.IPsecWords{}},
		{"destination", transport, func(f []byte) { f[33] ^= 1 }, false, driver.IPsecWords{}},
		{"source", transport, func(f []byte) { f[29] ^= 1 }, false, driver.IPsecWords{}},
		{"IPv6 destination", tunnel, func(f []byte) { f[38] ^= 1 }, false, driver.IPsecWords{}},
		{"protocol", transport, func(f []byte) { f[23] = 51 }, false, driver.IPsecWords{}},
		{"EtherType", transport, func(f []byte) { f[12] = 9 }, false, driver.IPsecWords{}},
		{"IP version", transport, func(f []byte) { f[14] = 0x55 }, false, driver.IPsecWords{}},
		{"IP options", transport, func(f []byte) { f[14] = 0x46 }, false, driver.IPsecWords{}},
		{"more fragments", transport, func(f []byte) { f[20] |= 0x20 }, false, driver.IPsecWords{}},
		{"fragment offset", transport, func(f []byte) { f[21] = 1 }, false, driver.IPsecWords{}},
	}
	b.fill(t, 0, len(cases)+10)
	for i, c := range cases {
		frame, _ := c.flow.wire(t, 77, i)
		c.change(frame)
		handle := driver.Handle(0)
		if c.match {
			handle = handles[c.flow]
		}
		b.inject(t, frame)
		untouched(t, c.name, b.receive(t, 0, 1)[0], handle, c.words, frame)
	}

	// Pad Length over the payload, under a good ICV.
	framed, info := transport.frame(t, plainFrame(false, 30, 1))
	framed[len(framed)-18] = 200
	onWire := transport.sealed(t, framed, info)
	b.inject(t, onWire)
	untouched(t, "Pad Length", b.receive(t, 0, 1)[0], handles[transport], failed(badSyntax), onWire)

	// ESN: another upper half fails, UPDATE_SA makes it good.
	framed, info = esn.frame(t, plainFrame(false, 30, 2))
	info.Sequence += 1 << 32
	onWire = esn.sealed(t, framed, info)
	b.inject(t, onWire)
	untouched(t, "ESN upper half", b.receive(t, 0, 1)[0], handles[esn], failed(badTransport), onWire)
	ok(t, b.UpdateSA(b.ctx, handles[esn], 6))
	b.inject(t, onWire)
	got := b.receive(t, 0, 1)[0]
	if got.IPsec.CryptoStatus != regs.CryptoStatusSuccess || !got.IPsec.HeaderInfoSet {
		t.Errorf("after UPDATE_SA: %+v", got.IPsec)
	}

	// IPsec inactive: good ESP stays as it is.
	good, handedUp := transport.wire(t, 60, 3)
	ok(t, b.SetIPsec(false))
	b.inject(t, good)
	untouched(t, "IPsec inactive", b.receive(t, 0, 1)[0], 0, driver.IPsecWords{}, good)
	ok(t, b.SetIPsec(true))
	b.inject(t, good)
	expect(t, b.receive(t, 0, 1)[0], transport, handles[transport], handedUp)

	// A deleted SA is not found any more.
	ok(t, b.DeleteSA(b.ctx, handles[transport]))
	b.inject(t, good)
	untouched(t, "deleted SA", b.receive(t, 0, 1)[0], 0, driver.IPsecWords{}, good)
}

// testReceiveTruncated: a frame longer than its buffer fills it and nothing else.
func testReceiveTruncated(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	memory, err := b.fn.AllocDMA(4096)
	ok(t, err)
	guard := bytes.Repeat([]byte{0xEE}, 4096)
	copy(memory.Bytes, guard)
	buffers := []*driver.Buffer{
		driver.NewBuffer(memory.Bytes[64:164], memory.IOVA+64),
		driver.NewBuffer(memory.Bytes[301:401], memory.IOVA+301),
		driver.NewBuffer(memory.Bytes[512:612], memory.IOVA+512),
	}
	n, err := b.rx(t, 0).Post(buffers)
	if n != 3 || err != nil {
		t.Fatal(n, err)
	}
	f := newFlow(t, kind{keyLen: 16}, 3)
	handle := b.addSA(t, f.in)
	onWire, handedUp := f.wire(t, 300, 1)
	plain := plainFrame(false, 200, 9)
	exact := plainFrame(false, 100-34, 8)
	b.inject(t, plain, onWire, exact)
	packets := make([]driver.RXPacket, 3)
	for got := 0; got < 3; {
		ok(t, b.rx(t, 0).Wait(b.ctx))
		n, err := b.rx(t, 0).Poll(packets[got:])
		ok(t, err)
		got += n
	}
	for i, want := range []struct {
		status driver.Status
		length int
		bytes  []byte
		sa     driver.Handle
	}{
		{driver.Truncated, len(plain), plain[:100], 0},
		{driver.Truncated, len(onWire), handedUp[:100], handle},
		{driver.OK, 100, exact, 0},
	} {
		p := packets[i]
		if p.Status != want.status || p.Length != want.length || p.SA != want.sa {
			t.Errorf("frame %d: %v, %d bytes, SA %v", i, p.Status, p.Length, p.SA)
		}
		same(t, "buffer", p.Frame(), want.bytes)
		copy(p.Buffer.Bytes(), guard)
	}
	same(t, "memory around the buffers", memory.Bytes, guard)
	ok(t, b.rx(t, 0).Stop(b.ctx))
	ok(t, b.fn.FreeDMA(memory))
}

// testReceiveDropped: what has no buffer, or is bad, is dropped and counted, and
// the next good frame arrives.
func testReceiveDropped(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	f := newFlow(t, kind{keyLen: 16}, 3)
	f.in.RXQueue = 1
	handle := b.addSA(t, f.in)
	onWire, handedUp := f.wire(t, 50, 1)
	b.inject(t, onWire, plainFrame(false, 50, 1)) // queues without buffers
	b.settle(t)
	b.fill(t, 0, 2)
	b.fill(t, 1, 1)
	b.inject(t, make([]byte, b.Capabilities().MaxFrame+1))
	bad := uint64(1)
	if h.PlainWire {
		leaveOut(t, "a frame with an error in it, a frame of 13 bytes")
	} else {
		ok(t, b.wire.Send(plainFrame(false, 60, 2), true))
		b.inject(t, make([]byte, 13))
		bad += 2
	}
	good := plainFrame(true, 70, 3)
	b.inject(t, good, onWire)
	untouched(t, "good frame", b.receive(t, 0, 1)[0], 0, driver.IPsecWords{}, good)
	expect(t, b.receive(t, 1, 1)[0], f, handle, handedUp)
	s, err := b.Statistics()
	ok(t, err)
	if s.RXDropNoBuffer != 2 || s.RXDropBad != bad {
		t.Errorf("statistics %+v", s)
	}
	if n := b.rx(t, 0).Outstanding(); n != 1 {
		t.Errorf("%d buffers are left in queue 0, want 1", n)
	}
}
