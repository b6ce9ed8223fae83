// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"testing"

	"github.com/espalier-nic/espalier/regs"
	"pgregory.net/rapid"
)

// TestNICAgainstState drives NIC and State with the same random operations,
// descriptors and frames; every outcome and all counters must agree.
func TestNICAgainstState(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &comparison{rt: rt, host: newHost(t, Options{Slots: 6, Queues: 2, MaxFrame: 400})}
		defer func() { _ = m.host.nic.Close() }()
		m.state = NewState(Limits{Slots: 6, Queues: 2, MaxFrame: 400})
		m.openQueues()
		m.control()
		m.nonce(rt)
		m.perform(regs.SAOpAdd, 0, record(0, true))
		m.perform(regs.SAOpAdd, 1, record(0, false))
		rt.Repeat(map[string]func(*rapid.T){
			"SA operation": m.operate,
			"send":         m.send,
			"receive":      m.receive,
			"control":      func(*rapid.T) { m.control() },
			"reset":        m.reset,
			"nonce":        m.nonce,
			"":             m.counters,
		})
	})
}

type addedSA struct {
	record regs.SARecord
	handle uint32
}

type comparison struct {
	rt     *rapid.T
	host   *host
	state  *State
	tx, rx *ring
	added  []addedSA // also those that are gone
	posted int       // RX buffers outstanding on queue 0
	wire   [][]byte
}

func (m *comparison) openQueues() {
	m.tx = m.host.ring(regs.TxqOffset(1), 3, 0)
	m.rx = m.host.ring(regs.RxqOffset(0), 3, 0) // queue 1 stays off
	m.tx.batch(1, 0)
	m.rx.batch(1, 0)
	m.posted = 0
}

func (m *comparison) control() {
	ipsec := rapid.IntRange(0, 7).Draw(m.rt, "IPSEC_ENABLE") != 0
	queue := rapid.SampledFrom([]int{0, 0, 0, 1, 9}).Draw(m.rt, "RX_DEFAULT")
	m.host.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithTxEnable(true).WithRxEnable(true).WithIPsecEnable(ipsec)))
	m.host.write(regs.RxDefaultOffset, uint32(queue))
	m.state.IPsecEnable, m.state.RXDefault = ipsec, queue
}

func (m *comparison) nonce(*rapid.T) {
	for i := range m.state.Nonce {
		m.state.Nonce[i] = rapid.SampledFrom([]uint32{0, 1, 0xFEDCBA98}).Draw(m.rt, "nonce")
		m.host.write(regs.SANonceOffset(i), m.state.Nonce[i])
	}
}

func (m *comparison) reset(*rapid.T) {
	if rapid.IntRange(0, 9).Draw(m.rt, "really") != 0 {
		return
	}
	m.host.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithReset(true)))
	m.host.untilReady()
	m.state.Reset()
	m.openQueues()
	m.control()
}

// drawRecord draws from few values, so that records collide.
func (m *comparison) drawRecord() regs.SARecord {
	r := record(rapid.IntRange(0, 3).Draw(m.rt, "SA"), rapid.Bool().Draw(m.rt, "inbound"))
	r.Flags = r.Flags.WithTunnel(rapid.Bool().Draw(m.rt, "tunnel")).WithESN(rapid.Bool().Draw(m.rt, "ESN")).
		WithIPv6(rapid.IntRange(0, 9).Draw(m.rt, "IPv6") == 0).WithRxQueue(rapid.SampledFrom([]uint8{0, 0, 0, 1, 2}).Draw(m.rt, "RX_QUEUE"))
	r.ESNHi = rapid.Uint32Range(0, 2).Draw(m.rt, "ESN_HI")
	r.Dst[0] = rapid.SampledFrom([]uint32{r.Dst[0], r.Dst[0], 0}).Draw(m.rt, "DST")
	r.Src[0] = rapid.SampledFrom([]uint32{0, 0xC6336407, 1}).Draw(m.rt, "SRC")
	switch rapid.IntRange(0, 15).Draw(m.rt, "flaw") {
	case 0:
		r.SPI = 0
	case 1:
		r.Flags = r.Flags.WithKeyLen(3)
	case 2:
		r.Dst[2] = 1
	}
	return r
}

func (m *comparison) operate(*rapid.T) {
	op := regs.SAOp(rapid.SampledFrom([]int{1, 1, 1, 1, 2, 3, 4, 4, 5, 5, 0, 6}).Draw(m.rt, "operation"))
	m.perform(op, m.drawHandle(), m.drawRecord())
}

// perform does an SA operation on both.
func (m *comparison) perform(op regs.SAOp, handle uint32, r regs.SARecord) {
	result, after := m.host.operate(op, handle, r)
	want := m.state.Operate(op, regs.SAHandle(handle), r)
	if result != want.Result || after != uint32(want.Handle) {
		m.rt.Fatalf("%s of handle %#x: %s, %#x; right is %s, %#x", op, handle, result, after, want.Result, uint32(want.Handle))
	}
	for w, v := range want.Record.Words() {
		if got := m.host.read(regs.SARecordOffset + 4*uint64(w)); got != v {
			m.rt.Fatalf("%s: word %d of the window is %#x, right is %#x", op, w, got, v)
		}
	}
	if got := m.host.counters(); got != want.Counters {
		m.rt.Fatalf("%s: SA_COUNTERS %d, right is %d", op, got, want.Counters)
	}
	if (op == regs.SAOpAdd || op == regs.SAOpRestore) && result == regs.SAResultOK {
		m.added = append(m.added, addedSA{r, after})
	}
	if z := regs.Status(m.host.read(regs.StatusOffset)).Zeroised(); z != (m.state.SAs() == 0) {
		m.rt.Fatalf("ZEROISED %v with %d SAs", z, m.state.SAs())
	}
}

func (m *comparison) drawHandle() uint32 {
	if len(m.added) > 0 && rapid.IntRange(0, 4).Draw(m.rt, "known handle") != 0 {
		return rapid.SampledFrom(m.added).Draw(m.rt, "SA").handle
	}
	return rapid.Uint32Range(0, 6).Draw(m.rt, "slot") | rapid.Uint32Range(0, 2).Draw(m.rt, "generation")<<16
}

// drawLive is an SA that is present, if there is one of that direction.
func (m *comparison) drawLive(inbound bool) (sa addedSA, ok bool) {
	var live []addedSA
	for _, a := range m.added {
		if m.state.SA(a.handle) != nil && a.record.Flags.Inbound() == inbound && !a.record.Flags.IPv6() {
			live = append(live, a)
		}
	}
	if len(live) == 0 {
		return sa, false
	}
	return rapid.SampledFrom(live).Draw(m.rt, "live SA"), true
}

// drawFrame is a frame of the record's SA, not encrypted.
func (m *comparison) drawFrame(r regs.SARecord) []byte {
	if r.Dst[0] == 0 {
		r.Dst[0] = rapid.Uint32Range(0, 1).Draw(m.rt, "destination")
	}
	return framed(r, rapid.Uint32().Draw(m.rt, "sequence"), rapid.SampledFrom([]int{4, 8, 12, 60, 64, 13}).Draw(m.rt, "payload"))
}

func (m *comparison) drawPlain() []byte {
	size := rapid.IntRange(12, 410).Draw(m.rt, "size")
	return plainFrame(1, max(size, 14))[:size]
}

func (m *comparison) send(*rapid.T) {
	frame := m.drawPlain()
	d := regs.TxDescriptor{
		IPsec: rapid.Bool().Draw(m.rt, "IPSEC"), ESPOffset: uint16(rapid.SampledFrom([]int{34, 34, 33, 35, 300}).Draw(m.rt, "ESP_OFFSET")),
		Handle: m.drawHandle(),
	}
	if sa, ok := m.drawLive(false); ok && rapid.IntRange(0, 3).Draw(m.rt, "odd") != 0 {
		frame = m.drawFrame(sa.record)
		d.IPsec, d.ESPOffset, d.Handle = true, 34, sa.handle
	}
	d.Length, d.Addr, d.Report, d.ESNLSB = uint16(len(frame)), m.tx.address(m.tx.tail), true, rapid.Bool().Draw(m.rt, "ESN_LSB")
	given := frame
	if rapid.IntRange(0, 9).Draw(m.rt, "unmapped") == 0 {
		d.Addr, given = 64, nil
	} else {
		copy(m.tx.buffer(m.tx.tail), frame)
	}
	want := m.state.Send(d, given)
	want.Completion.Index = uint16(m.tx.tail)
	m.host.sent = nil
	m.tx.put(d, nil)
	m.tx.doorbell()
	c, ok := m.tx.next()
	if !ok || c != want.Completion {
		m.rt.Fatalf("completion\ngot  %+v (%v)\nwant %+v", c, ok, want.Completion)
	}
	if (want.Wire != nil) != (len(m.host.sent) == 1) || want.Wire != nil && !bytes.Equal(m.host.sent[0], want.Wire) {
		m.rt.Fatalf("wire\ngot  %x\nwant %x", m.host.sent, want.Wire)
	}
	if want.Wire != nil && len(m.wire) < 64 {
		m.wire = append(m.wire, want.Wire)
	}
}

func (m *comparison) receive(*rapid.T) {
	var frame []byte
	sa, live := m.drawLive(true)
	switch kind := rapid.IntRange(0, 9).Draw(m.rt, "kind"); {
	case live && kind < 6: // as another end that has the SA sends it
		frame = m.drawFrame(sa.record)
		peer := m.state.SA(sa.handle)
		_ = peer.SealInPlace(frame, 34, peer.ESNHi()) // some have no legal payload
	case len(m.wire) > 0 && kind < 8:
		frame = bytes.Clone(rapid.SampledFrom(m.wire).Draw(m.rt, "frame"))
	default:
		frame = m.drawPlain()
	}
	if rapid.IntRange(0, 3).Draw(m.rt, "damaged") == 0 {
		frame[rapid.IntRange(0, len(frame)-1).Draw(m.rt, "byte")] ^= byte(1 << rapid.IntRange(0, 7).Draw(m.rt, "bit"))
	}
	bad := rapid.IntRange(0, 9).Draw(m.rt, "flagged") == 0
	length := -2 // none
	if rapid.IntRange(0, 9).Draw(m.rt, "buffer") != 0 && m.posted == 0 {
		length = rapid.SampledFrom([]int{2000, 2000, 2000, 100, 0, -1}).Draw(m.rt, "length")
		d := regs.RxDescriptor{Addr: m.rx.address(m.rx.tail), Length: uint16(max(length, 500))}
		if length >= 0 {
			d.Length = uint16(length)
		} else {
			d.Addr = 64
		}
		d.Pack(m.rx.desc.Bytes[16*m.rx.tail:])
		m.rx.tail = (m.rx.tail + 1) % m.rx.size()
		m.rx.doorbell()
		m.posted = length + 10 // remembered while it lies there
	}
	if m.posted != 0 {
		length = m.posted - 10
	}
	index := m.rx.read % m.rx.size()
	clear(m.rx.buffer(index))
	want := m.state.Receive(frame, bad, func(queue int) (int, bool) { return length, queue == 0 && length != -2 })
	m.host.nic.Inject(frame, bad)
	c, ok := m.rx.next()
	if ok == want.Dropped {
		m.rt.Fatalf("delivered %v, right is %v", ok, !want.Dropped)
	}
	if !ok {
		return
	}
	m.posted = 0
	want.Completion.Index = uint16(index)
	if c != want.Completion {
		m.rt.Fatalf("completion\ngot  %+v\nwant %+v", c, want.Completion)
	}
	if got := m.rx.buffer(index); !bytes.Equal(got[:len(want.Data)], want.Data) || !bytes.Equal(got[len(want.Data):], make([]byte, len(got)-len(want.Data))) {
		m.rt.Fatalf("buffer\ngot  %x\nwant %x", got[:len(frame)], want.Data)
	}
}

func (m *comparison) counters(*rapid.T) {
	c := m.state.Counters
	for i, want := range []uint64{
		c.TXFrames, c.TXBytes, c.TXESP, c.TXErrHandle, c.TXErrDesc, c.TXErrDMA, c.RXFrames, c.RXBytes, c.RXESPOK, c.RXAuthFailed, c.RXSyntax, c.RXNoSA,
		c.RXUntouched, c.RXDropNoDesc, c.RXDropBad, c.RXErrDMA,
	} {
		if got := m.host.stat(regs.StatTxFramesLoOffset + 8*uint64(i)); got != want {
			m.rt.Fatalf("counter %d is %d, right is %d", i, got, want)
		}
	}
}
