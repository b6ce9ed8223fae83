// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/offload"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// The two hosts: local is the NIC under test's, remote the peer's.
var (
	local4, remote4 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	local6, remote6 = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
)

// SPIs of the SA pair P0.
const (
	spiOut = 0x1001
	spiIn  = 0x2001
)

const (
	ethernetLen  = 14
	protocolTCP  = 6
	protocolUDP  = 17
	protocolAH   = 51
	etherTypeAt  = 12
	etherTypeIP4 = 0x0800
	etherTypeIP6 = 0x86DD
)

// flow is one direction of traffic under one SA, as both ends know it.
type flow struct {
	spi               uint32
	inbound           bool // at the NIC under test
	tunnel, ipv6, esn bool
	hi                uint32
	key               []byte
	salt              [4]byte
	src, dst          netip.Addr
}

// newFlow makes a flow between the two hosts with keys of its own.
func newFlow(spi uint32, inbound, ipv6 bool, keyLen int) flow {
	f := flow{spi: spi, inbound: inbound, ipv6: ipv6, key: make([]byte, keyLen), src: local4, dst: remote4}
	if ipv6 {
		f.src, f.dst = local6, remote6
	}
	if inbound {
		f.src, f.dst = f.dst, f.src
	}
	for i := range f.key {
		f.key[i] = byte(spi*131 + uint32(i)*29 + uint32(keyLen))
	}
	binary.BigEndian.PutUint32(f.salt[:], spi*0x9E3779B9)
	return f
}

// sa is what the NIC under test is told.
func (f *flow) sa() driver.SA {
	return driver.SA{
		SPI: f.spi, Inbound: f.inbound, Tunnel: f.tunnel, IPv6: f.ipv6, Src: f.src, Dst: f.dst,
		ESN: f.esn, SequenceHi: f.hi, Key: append(driver.Key(nil), f.key...), Salt: f.salt,
	}
}

// peer is the golden model's SA of the flow.
func (f *flow) peer() (*esp.SA, error) {
	p := esp.Params{SPI: f.spi, Src: f.src, Dst: f.dst, Inbound: true, Tunnel: f.tunnel, ESN: f.esn, Salt: f.salt, Key: f.key}
	if f.esn {
		p.ESNHi = f.hi
	}
	return esp.NewSA(p)
}

// family is the IP version for messages.
func family(ipv6 bool) string {
	if ipv6 {
		return "IPv6"
	}
	return "IPv4"
}

// plain is an Ethernet frame with a TCP segment of size bytes between the flow's
// addresses; its contents depend on seed.
func (f *flow) plain(size int, seed uint32) []byte {
	return segment(f.src, f.dst, size, seed)
}

// header is an Ethernet and an IP header for length bytes of a protocol.
func header(src, dst netip.Addr, protocol byte, length int) []byte {
	frame := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	if dst.Is6() {
		frame = append(frame, 0x86, 0xDD, 0x60, 0, 0, 0, byte(length>>8), byte(length), protocol, 64)
		return append(append(frame, src.AsSlice()...), dst.AsSlice()...)
	}
	total := 20 + length
	frame = append(frame, 8, 0, 0x45, 0, byte(total>>8), byte(total), 0, 1, 0x40, 0, 64, protocol, 0, 0)
	frame = append(append(frame, src.AsSlice()...), dst.AsSlice()...)
	fixChecksum(frame)
	return frame
}

// fixChecksum computes the checksum of a frame's IPv4 header anew.
func fixChecksum(frame []byte) {
	ip := frame[ethernetLen:]
	ip = ip[:4*int(ip[0]&0xF)]
	ip[10], ip[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < len(ip); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xFFFF + sum>>16
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum))
}

// segment is an Ethernet frame with a TCP segment.
func segment(src, dst netip.Addr, size int, seed uint32) []byte {
	frame := header(src, dst, protocolTCP, 20+size)
	tcp := []byte{0x9C, 0x40, 0x01, 0xBB, 0, 0, 0, 0, 0, 0, 0, 1, 0x50, 0x10, 0x20, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(tcp[4:], seed)
	frame = append(frame, tcp...)
	for i := range size {
		frame = append(frame, byte(seed*31+uint32(i)*7+uint32(i)>>8))
	}
	return frame
}

// traffic is a flow in use: the handle that the NIC gave, the peer, and the
// sequence number used last.
type traffic struct {
	flow
	handle driver.Handle
	// offload is the adapter's handle, if there is one.
	offload offload.OffloadHandle
	peer    *esp.SA
	last    uint64
}

// begin makes a flow known to the peer; handle is the NIC's.
func (f flow) begin(handle driver.Handle) (*traffic, error) {
	peer, err := f.peer()
	if err != nil {
		return nil, err
	}
	t := &traffic{flow: f, handle: handle, peer: peer}
	if f.esn {
		t.last = uint64(f.hi) << 32
	}
	return t, nil
}

// framed is a plain frame as the host hands it to the NIC: framed as ESP, with
// room for IV and ICV.
func (t *traffic) framed(plain []byte) (outgoing, error) {
	t.last++
	return t.framedAs(plain, t.last)
}

// framedAs is framed with the sequence number given.
func (t *traffic) framedAs(plain []byte, sequence uint64) (outgoing, error) {
	frame, at, err := t.peer.Frame(nil, plain, esp.FrameOptions{Sequence: sequence})
	return outgoing{frame: frame, sa: t.handle, offload: t.offload, espOffset: at, sequence: sequence}, err
}

// sealed is a plain frame as the peer puts it on the wire.
func (t *traffic) sealed(plain []byte) ([]byte, error) {
	t.last++
	return t.sealedAs(plain, t.last)
}

// sealedAs is sealed with the sequence number given.
func (t *traffic) sealedAs(plain []byte, sequence uint64) ([]byte, error) {
	peer := t.peer
	if t.esn {
		peer = peer.WithESNHi(uint32(sequence >> 32))
	}
	return peer.Encapsulate(nil, plain, esp.FrameOptions{Sequence: sequence})
}

// accept checks, as the peer, a frame that the NIC made of out: nothing but IV,
// payload and ICV has changed, it is authentic, and it is the plain frame.
func (t *traffic) accept(wire []byte, out outgoing, plain []byte) error {
	if len(wire) != len(out.frame) {
		return fmt.Errorf("the frame on the wire has %d bytes, the host handed over %d", len(wire), len(out.frame))
	}
	kept := out.espOffset + esp.HeaderLen
	if i := firstDifference(wire[:kept], out.frame[:kept]); i < kept {
		return fmt.Errorf("the NIC has changed byte %d, which the host wrote", i)
	}
	peer := t.peer
	if t.esn {
		peer = peer.WithESNHi(uint32(out.sequence >> 32))
	}
	got, _, err := esp.Decapsulate(nil, wire, func(*esp.Selector) *esp.SA { return peer })
	if err != nil {
		return fmt.Errorf("the peer cannot read what left the NIC: %w", err)
	}
	if i := firstDifference(got, plain); i < max(len(got), len(plain)) {
		return fmt.Errorf("the peer reads another packet than the host sent: byte %d of %d differs", i, len(plain))
	}
	return nil
}

// start adds the flow's SA to the NIC.
func (h *host) start(ctx context.Context, f flow) (*traffic, error) {
	handle, err := h.AddSA(ctx, f.sa())
	if err != nil {
		return nil, err
	}
	return f.begin(handle)
}
