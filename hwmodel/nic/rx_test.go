// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"testing"

	"github.com/espalier-nic/espalier/regs"
)

// sealedFrame is a good ESP frame for a record.
func sealedFrame(t testing.TB, r regs.SARecord, sequence uint32, p int) []byte {
	f := framed(r, sequence, p)
	if err := golden(t, r).SealInPlace(f, 34, r.ESNHi); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestReceive delivers each kind of frame and checks buffer, completion, queue
// and counter.
func TestReceive(t *testing.T) {
	h := newHost(t, Options{MaxFrame: 1600})
	h.enable()
	h.write(regs.RxDefaultOffset, 2)
	sa, tunnel, wild := record(1, true), record(2, true), record(3, true)
	sa.Flags = sa.Flags.WithRxQueue(1)
	tunnel.Flags = tunnel.Flags.WithTunnel(true).WithESN(true)
	tunnel.ESNHi = 9
	wild.Flags = wild.Flags.WithRxQueue(3)
	wild.Dst, wild.Src = [4]uint32{}, [4]uint32{0xC6336407}
	saHandle, tunnelHandle, wildHandle := h.add(10, sa), h.add(11, tunnel), h.add(12, wild)
	rings := make([]*ring, 4)
	for q := range rings {
		rings[q] = h.ring(regs.RxqOffset(q), 6, 0)
		rings[q].batch(1, 0)
		rings[q].post(60, 1700)
	}
	wildDst := wild
	wildDst.Dst[0] = 0x0A000001
	good := sealedFrame(t, sa, 1, 40)
	flip := func(f []byte, at int) []byte { f = bytes.Clone(f); f[at] ^= 1; return f }
	plain := func(r regs.SARecord, sealed []byte, sequence uint32, p int) []byte {
		f := framed(r, sequence, p)
		copy(f[42:50], sealed[42:50])
		copy(f[50+p:], sealed[50+p:])
		return f
	}
	tunnelFrame, wildFrame := sealedFrame(t, tunnel, 5, 8), sealedFrame(t, wildDst, 6, 12)
	success := regs.Completion{CryptoDone: true, NextHeader: 17, HeaderInfoSet: true}
	with := func(c regs.Completion, handle uint32) regs.Completion { c.Handle = handle; return c }
	for _, c := range []struct {
		name  string
		frame []byte
		queue int
		want  []byte
		c     regs.Completion
	}{
		{"not IP", plainFrame(1, 60), 2, nil, regs.Completion{}},
		{"14 bytes", plainFrame(1, 14), 2, nil, regs.Completion{}},
		{"longest", plainFrame(1, 1600), 2, nil, regs.Completion{}},
		{"ESP", good, 1, plain(sa, good, 1, 40), with(success, saHandle)},
		{"ESP, tunnel, ESN", tunnelFrame, 0, plain(tunnel, tunnelFrame, 5, 8), with(success, tunnelHandle)},
		{"any destination", wildFrame, 3, plain(wildDst, wildFrame, 6, 12), with(success, wildHandle)},
		{"any destination, other source", flip(wildFrame, 29), 2, nil, regs.Completion{}},
		{"no SA", flip(good, 34), 2, nil, regs.Completion{}},
		{"bad ICV", flip(good, 60), 1, nil, regs.Completion{CryptoDone: true, CryptoStatus: regs.CryptoStatusTransportESPAuthFailed, Handle: saHandle}},
		{"bad ICV, tunnel", flip(tunnelFrame, 60), 0, nil, regs.Completion{CryptoDone: true, CryptoStatus: regs.CryptoStatusTunnelESPAuthFailed, Handle: tunnelHandle}},
		{"cut", good[:len(good)-1], 1, nil, regs.Completion{CryptoDone: true, CryptoStatus: regs.CryptoStatusInvalidPacketSyntax, Handle: saHandle}},
	} {
		before := bytes.Clone(c.frame)
		r := rings[c.queue]
		index := r.read % r.size()
		h.nic.Inject(c.frame, false)
		if !bytes.Equal(c.frame, before) {
			t.Errorf("%s: the frame on the wire changed", c.name)
		}
		if c.want == nil {
			c.want = before
		}
		c.c.Length, c.c.Index = uint16(len(before)), uint16(index)
		got, ok := r.next()
		if !ok || got != c.c {
			t.Errorf("%s: completion\ngot  %+v (%v)\nwant %+v", c.name, got, ok, c.c)
		}
		if b := r.buffer(index)[:len(before)+1]; !bytes.Equal(b[:len(before)], c.want) || b[len(before)] != 0 {
			t.Errorf("%s: buffer\n%x, right is\n%x", c.name, b, c.want)
		}
		for _, r := range rings {
			r.expect()
		}
	}
	// Offload off: all untouched, on the default queue.
	h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithRxEnable(true)))
	h.nic.Inject(good, false)
	c, ok := rings[2].next()
	if !ok || c.Handle != 0 || c.CryptoDone || !bytes.Equal(rings[2].buffer(int(c.Index))[:len(good)], good) {
		t.Errorf("with IPSEC_ENABLE 0: %+v (%v)", c, ok)
	}
	// Dropped by the MAC's flag or length; and swallowed.
	h.nic.Inject(good, true)
	h.nic.Inject(good[:13], false)
	h.nic.Inject(plainFrame(1, 1601), false)
	h.write(regs.CtrlOffset, 0)
	h.nic.Inject(good, false)
	for _, r := range rings {
		r.expect()
	}
	for _, c := range []struct {
		name   string
		offset uint64
		want   uint64
	}{
		{"RX_FRAMES", regs.StatRxFramesLoOffset, 15}, {"RX_ESP_OK", regs.StatRxESPOKLoOffset, 3}, {"RX_AUTH_FAILED", regs.StatRxAuthFailedLoOffset, 2},
		{"RX_SYNTAX", regs.StatRxSyntaxLoOffset, 1}, {"RX_NO_SA", regs.StatRxNoSALoOffset, 2}, {"RX_UNTOUCHED", regs.StatRxUntouchedLoOffset, 4},
		{"RX_DROP_BAD", regs.StatRxDropBadLoOffset, 3}, {"RX_DROP_NO_DESC", regs.StatRxDropNoDescLoOffset, 0},
	} {
		if got := h.stat(c.offset); got != c.want {
			t.Errorf("%s is %d, right is %d", c.name, got, c.want)
		}
	}
}

// TestReceiveBuffers covers short buffers, no memory, no descriptor, no queue.
func TestReceiveBuffers(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	sa := record(1, true)
	handle := h.add(0, sa)
	r := h.ring(regs.RxqOffset(0), 4, 0)
	r.batch(1, 0)
	frame := sealedFrame(t, sa, 1, 40)

	h.nic.Inject(frame, false) // nothing posted
	r.expect()
	r.post(1, 60)
	h.nic.Inject(frame, false)
	ok := regs.Completion{Length: uint16(len(frame)), Handle: handle, CryptoDone: true, NextHeader: 17, HeaderInfoSet: true}
	truncated := ok
	truncated.Status = regs.CompletionStatusTruncated
	r.expect(truncated)
	if b := r.buffer(0); !bytes.Equal(b[50:60], framed(sa, 1, 40)[50:60]) || b[60] != 0 {
		t.Errorf("truncated buffer is %x", b[:64])
	}
	r.post(1, 0)
	h.nic.Inject(frame, false)
	truncated.Index = 1
	r.expect(truncated)
	r.post(1, len(frame))
	h.nic.Inject(frame, false)
	ok.Index = 2
	r.expect(ok)
	h.nic.Inject(frame, false) // used up
	r.expect()
	regs.RxDescriptor{Addr: 0x5000, Length: 2048}.Pack(r.desc.Bytes[16*r.tail:])
	r.tail++
	r.doorbell()
	h.nic.Inject(frame, false)
	lost := ok
	lost.Index, lost.Status = 3, regs.CompletionStatusDMAWrite
	r.expect(lost)
	if s := r.status(); !s.Active() || s.Error() {
		t.Errorf("a bad buffer stopped the queue: %#x", uint32(s))
	}
	h.write(regs.RxDefaultOffset, 1) // not enabled
	h.nic.Inject(plainFrame(1, 60), false)
	h.write(regs.RxDefaultOffset, 15) // not there
	h.nic.Inject(plainFrame(1, 60), false)
	for _, c := range []struct {
		name   string
		offset uint64
		want   uint64
	}{
		{"RX_FRAMES", regs.StatRxFramesLoOffset, 8}, {"RX_ESP_OK", regs.StatRxESPOKLoOffset, 3}, {"RX_DROP_NO_DESC", regs.StatRxDropNoDescLoOffset, 4},
		{"RX_ERR_DMA", regs.StatRxErrDMALoOffset, 1}, {"RX_UNTOUCHED", regs.StatRxUntouchedLoOffset, 0},
	} {
		if got := h.stat(c.offset); got != c.want {
			t.Errorf("%s is %d, right is %d", c.name, got, c.want)
		}
	}
	faults, _ := h.nic.Faults()
	if len(faults) != 1 || faults[0].IOVA != 0x5000 || faults[0].Size != len(frame) || !faults[0].Write {
		t.Errorf("faults %+v", faults)
	}
}

// TestReceiveWraps fills and empties a ring of 8 for many laps.
func TestReceiveWraps(t *testing.T) {
	h := newHost(t, Options{})
	h.enable()
	r := h.ring(regs.RxqOffset(0), 3, 0)
	r.batch(0, 10)
	number := 0
	for range 11 {
		r.post(7, bufferSize)
		for i := range 9 { // two too many
			h.nic.Inject(plainFrame(number+i, 60+i), false)
		}
		h.relax(20)
		for i := range 7 {
			c, ok := r.next()
			if want := (regs.Completion{Length: uint16(60 + i), Index: uint16(number % 8)}); !ok || c != want {
				t.Fatalf("got %+v (%v), want %+v", c, ok, want)
			}
			if !bytes.Equal(r.buffer(number % 8)[:60+i], plainFrame(number, 60+i)) {
				t.Fatalf("frame %d differs", number)
			}
			number++
		}
		r.expect()
	}
	if got := h.stat(regs.StatRxDropNoDescLoOffset); got != 22 {
		t.Errorf("%d drops", got)
	}
}

// TestLoopback: frames sent come back, the wire is silent both ways.
func TestLoopback(t *testing.T) {
	h := newHost(t, Options{})
	h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithLoopback(true)))
	h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithLoopback(true).WithTxEnable(true).WithRxEnable(true).WithIPsecEnable(true)))
	out, in := record(1, false), record(1, true)
	outHandle, inHandle := h.add(0, out), h.add(1, in)
	tx, rx := h.ring(regs.TxqOffset(0), 3, 0), h.ring(regs.RxqOffset(0), 3, 0)
	rx.batch(1, 0)
	rx.post(7, bufferSize)
	frame := framed(out, 3, 100)
	tx.put(regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: outHandle}, frame)
	tx.doorbell()
	rx.expect(regs.Completion{Length: uint16(len(frame)), Handle: inHandle, CryptoDone: true, NextHeader: 17, HeaderInfoSet: true})
	if got := rx.buffer(0)[50:150]; !bytes.Equal(got, frame[50:150]) {
		t.Errorf("came back as %x", got)
	}
	h.nic.Inject(plainFrame(1, 60), false)
	rx.expect()
	if len(h.sent) != 0 {
		t.Errorf("%d frames left", len(h.sent))
	}
	if tx, rx := h.stat(regs.StatTxESPLoOffset), h.stat(regs.StatRxESPOKLoOffset); tx != 1 || rx != 1 {
		t.Errorf("%d sent, %d received", tx, rx)
	}
}

// TestCryptoOff: everything as ever, but the payload stays as it is.
func TestCryptoOff(t *testing.T) {
	a, b := newHost(t, Options{CryptoOff: true}), newHost(t, Options{CryptoOff: true})
	CrossConnect(a.nic, b.nic)
	a.enable()
	b.enable()
	handle, inHandle := a.add(0, record(1, false)), b.add(0, record(1, true))
	tx, rx := a.ring(regs.TxqOffset(0), 3, 0), b.ring(regs.RxqOffset(0), 3, 0)
	rx.batch(1, 0)
	rx.post(2, bufferSize)
	frame := framed(record(1, false), 3, 100)
	tx.put(regs.TxDescriptor{IPsec: true, ESPOffset: 34, Handle: handle}, frame)
	tx.doorbell()
	rx.expect(regs.Completion{Length: uint16(len(frame)), Handle: inHandle, CryptoDone: true, NextHeader: 17, HeaderInfoSet: true})
	if !bytes.Equal(rx.buffer(0)[:len(frame)], frame) {
		t.Error("the frame changed")
	}
}
