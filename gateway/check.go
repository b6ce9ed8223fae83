// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"crypto/cipher"
	"fmt"
	"net/netip"
	"sync"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// maxMismatches is how many mismatches are kept as text.
const maxMismatches = 10

// goldenSA is an SA of the golden model.
type goldenSA struct {
	sa   *esp.SA
	aead cipher.AEAD // to get from what the NIC decrypted back to what was on the wire
	salt driver.Salt
}

func newGoldenSA(sa SA) (*goldenSA, error) {
	golden, err := esp.NewSA(esp.Params{
		SPI: sa.SPI, Src: sa.Src, Dst: sa.Dst, Inbound: sa.Inbound, Tunnel: sa.Tunnel,
		ESN: sa.ESN, ESNHi: uint32(sa.LastSequence >> 32), Salt: sa.Salt, Key: sa.Key,
	})
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(sa.Key)
	return &goldenSA{sa: golden, aead: aead, salt: sa.Salt}, err
}

// checker compares what the NIC does with the golden model.
type checker struct {
	mu       sync.Mutex
	next     uint64        // cookie of the next frame to be sent
	expected []expectation // not seen on the wire yet, in order
	skipped  map[uint64]expectation
	sent     uint64 // frames compared
	received uint64
	count    uint64 // mismatches
	texts    []string
}

// expectation is a frame that must appear on the wire.
type expectation struct {
	cookie   uint64
	frame    []byte
	name     string
	reported bool // the NIC says that it has been sent
}

// mismatch counts one. c.mu is held.
func (c *checker) mismatch(format string, args ...any) {
	c.count++
	if len(c.texts) < maxMismatches {
		c.texts = append(c.texts, fmt.Sprintf(format, args...))
	}
}

// expect notes what the wire must show of packets about to be posted, and
// numbers them.
func (s *sender) expect(packets []driver.TXPacket) {
	c := s.checker
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range packets {
		p := &packets[i]
		c.next++
		p.Cookie = c.next
		if !s.config.WireShown {
			continue
		}
		e := expectation{cookie: p.Cookie, frame: bytes.Clone(p.Buffer.Bytes()[p.Offset : p.Offset+p.Length]), name: "plain frame"}
		if a := s.byHandle(p.SA); a != nil {
			e.name = fmt.Sprintf("%s packet %d", a, p.Sequence)
			if err := a.golden.sa.SealInPlace(e.frame, p.ESPOffset, uint32(p.Sequence>>32)); err != nil {
				c.mismatch("%s: the golden model refuses it: %v", e.name, err)
			}
		}
		c.expected = append(c.expected, e)
	}
}

func (g *Gateway) byHandle(h driver.Handle) *association {
	for _, a := range g.sas {
		if h != 0 && a.handle == h {
			return a
		}
	}
	return nil
}

// reported notes what the NIC says has become of a frame.
func (c *checker) reported(cookie uint64, status driver.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.skipped[cookie]; ok {
		delete(c.skipped, cookie)
		if status == driver.OK {
			c.mismatch("%s: the NIC says that it was sent, and it never was on the wire", e.name)
		}
		return
	}
	for i := range c.expected {
		if c.expected[i].cookie != cookie {
			continue
		}
		if status == driver.OK {
			c.expected[i].reported = true
		} else {
			c.expected = append(c.expected[:i], c.expected[i+1:]...)
		}
		return
	}
}

// ObserveWire compares a frame that the NIC has sent with the golden model. All
// frames must be shown, in order; it may be called from any goroutine.
func (g *Gateway) ObserveWire(frame []byte) {
	c := g.checker
	if c == nil || !g.config.WireShown {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	for i := range c.expected {
		if !bytes.Equal(c.expected[i].frame, frame) {
			continue
		}
		for _, e := range c.expected[:i] {
			if e.reported {
				c.mismatch("%s: the NIC says that it was sent, and it never was on the wire", e.name)
				continue
			}
			if c.skipped == nil {
				c.skipped = map[uint64]expectation{}
			}
			c.skipped[e.cookie] = e
		}
		c.expected = append(c.expected[:0], c.expected[i+1:]...)
		return
	}
	if len(c.expected) == 0 {
		c.mismatch("frame of %d bytes on the wire that nobody sent", len(frame))
		return
	}
	e := c.expected[0]
	c.expected = append(c.expected[:0], c.expected[1:]...)
	at := 0
	for at < min(len(frame), len(e.frame)) && frame[at] == e.frame[at] {
		at++
	}
	c.mismatch("%s: on the wire %d bytes, the golden model has %d; the first that differs is byte %d", e.name, len(frame), len(e.frame), at)
}

// lookup finds an inbound SA of the golden model. high replaces the upper half of
// a's sequence numbers.
func (g *Gateway) lookup(a *association, high uint32) esp.Lookup {
	return func(s *esp.Selector) *esp.SA {
		src, dst := netip.AddrFrom16(s.Src), netip.AddrFrom16(s.Dst)
		if !s.IPv6 {
			src, dst = netip.AddrFrom4([4]byte(s.Src[:4])), netip.AddrFrom4([4]byte(s.Dst[:4]))
		}
		for _, one := range g.sas {
			if c := one.config; !c.Inbound || c.SPI != s.SPI || c.Dst != dst || c.Src != src {
				continue
			}
			if one == a && a.config.ESN {
				return one.golden.sa.WithESNHi(high)
			}
			return one.golden.sa
		}
		return nil
	}
}

// checkNoSA: where the NIC found nothing to do, the golden model finds the same.
func (r *receiver) checkNoSA(frame []byte) {
	v, _ := esp.Inspect(frame, r.lookup(nil, 0))
	c := r.checker
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received++
	if v.Class != esp.Untouched && v.Class != esp.NoSA {
		c.mismatch("received frame of %d bytes: the NIC found no SA, the golden model finds %v", len(frame), v.SA)
	}
}

// checkReceived compares verdict and frame with the golden model's.
func (r *receiver) checkReceived(a *association, p *driver.RXPacket, frame []byte) {
	wire := frame
	if p.IPsec.HeaderInfoSet {
		r.copied = append(r.copied[:0], frame...)
		wire = r.copied
		a.golden.encrypt(wire)
	}
	got, v := esp.Open(nil, wire, r.lookup(a, a.highInNIC))
	same := func() bool {
		return v.SA != nil && v.Word1() == p.IPsec.Slot1() && v.Word12() == p.IPsec.Slot12() && bytes.Equal(got, frame)
	}
	ok := same()
	if !ok && a.config.ESN && r.seen <= a.oldUntil {
		got, v = esp.Open(nil, wire, r.lookup(a, a.highInNIC-1))
		ok = same()
	}
	c := r.checker
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received++
	if !ok {
		c.mismatch("%s: received frame of %d bytes: the NIC's result words are %#x and %#x, the golden model's %#x and %#x (%v); same bytes: %v",
			a, len(frame), p.IPsec.Slot1(), p.IPsec.Slot12(), v.Word1(), v.Word12(), v.Class, bytes.Equal(got, frame))
	}
}

// encrypt makes a decrypted frame's payload again what it was on the wire; the
// ICV is there still. If the NIC decrypted wrongly, the golden model will find
// that payload and ICV do not belong together.
func (s *goldenSA) encrypt(frame []byte) {
	packet, ok := espPacket(frame)
	if !ok || len(packet) < espHeaderLen+ivLen+icvLen {
		return
	}
	nonce := append(append([]byte(nil), s.salt[:]...), packet[espHeaderLen:espHeaderLen+ivLen]...)
	payload := packet[espHeaderLen+ivLen : len(packet)-icvLen]
	copy(payload, s.aead.Seal(nil, nonce, payload, nil))
}
