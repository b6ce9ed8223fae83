// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// Lengths in bytes around an inner packet in an IPv4 tunnel.
const (
	ethernetAndFCS = 14 + 4
	espOffset      = 14 + 20 // Ethernet and outer IPv4 header
	beatBytes      = 16      // of the bus, one lane
	blockBytes     = 16      // of AES
)

// frameSize is one packet, by the length of its inner Ethernet frame with FCS.
type frameSize int

// inner is the inner IP packet's length.
func (s frameSize) inner() int { return int(s) - ethernetAndFCS }

// payload is P: inner packet, padding to 4 bytes, Pad Length, Next Header.
func (s frameSize) payload() int {
	return (s.inner() + esp.TrailerLen + esp.PayloadUnit - 1) / esp.PayloadUnit * esp.PayloadUnit
}

// length is the ESP frame's, without FCS.
func (s frameSize) length() int { return espOffset + esp.Overhead + s.payload() }

// floor is floorOf its frame.
func (s frameSize) floor() int { return floorOf(s.length()) }

// floorOf is the fewest clock cycles that an ESP frame of this length can take,
// with one lane and back to back: its beats and one of a descriptor or
// completion on the bus to the host, or the blocks that GHASH takes in (AAD,
// payload, lengths).
func floorOf(length int) int {
	beats := (length + beatBytes - 1) / beatBytes
	blocks := (length - espOffset - esp.Overhead + blockBytes - 1) / blockBytes
	return max(beats+1, blocks+2)
}

// Mix is a kind of traffic: packets of these sizes over and over.
type Mix struct {
	// Name is the inner frame's size in bytes or "IMIX".
	Name  string
	sizes []frameSize
	// Goal is the greatest ratio of cycles per packet to the floor.
	Goal float64
	// Own: the goal is this project's own guess between those that were set.
	Own bool
}

// Mixes are the kinds of traffic that are measured. IMIX is 7:4:1 of 64, 594 and
// 1518 bytes, spread evenly.
func Mixes() []Mix {
	one := func(size frameSize, goal float64, own bool) Mix {
		return Mix{Name: fmt.Sprint(int(size)), sizes: []frameSize{size}, Goal: goal, Own: own}
	}
	return []Mix{
		one(64, 1.25, false), one(128, 1.17, true), one(256, 1.10, false), one(512, 1.06, true),
		one(1024, 1.03, false), one(1518, 1.03, false), one(9018, 1.03, false),
		{Name: "IMIX", sizes: []frameSize{64, 594, 64, 594, 64, 1518, 64, 594, 64, 594, 64, 64}, Goal: 1.08, Own: true},
	}
}

// meanFloor is the floor of the mix in cycles per packet.
func (m Mix) meanFloor() float64 {
	sum := 0
	for _, s := range m.sizes {
		sum += s.floor()
	}
	return float64(sum) / float64(len(m.sizes))
}

// longest is the longest frame of the mix.
func (m Mix) longest() int {
	n := 0
	for _, s := range m.sizes {
		n = max(n, s.length())
	}
	return n
}

// association is an SA as host, NIC and golden model know it.
type association struct {
	spec     driver.SA
	model    *esp.SA
	handle   driver.Handle
	sequence uint32
}

// newAssociation makes up an IPv4 tunnel SA; number makes it unique.
func newAssociation(rng *rand.Rand, number int, inbound bool, keyBytes, rxQueue int) (*association, error) {
	key := make([]byte, keyBytes)
	for i := range key {
		key[i] = byte(rng.Uint32())
	}
	address := func() netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())})
	}
	a := &association{spec: driver.SA{
		SPI: 0x1000 + uint32(number), Inbound: inbound, Tunnel: true, Src: address(), Dst: address(), Key: key, RXQueue: rxQueue,
	}}
	binary.BigEndian.PutUint32(a.spec.Salt[:], rng.Uint32())
	var err error
	// The model opens what the NIC seals, so to the model all are inbound.
	a.model, err = esp.NewSA(esp.Params{
		SPI: a.spec.SPI, Src: a.spec.Src, Dst: a.spec.Dst, Inbound: true, Tunnel: true, Salt: [esp.SaltLen]byte(a.spec.Salt), Key: key,
	})
	return a, err
}

// write writes the next frame of the SA into dst as the host gives it to the
// NIC, and returns its length. dst holds whatever the payload is to be.
func (a *association) write(dst []byte, size frameSize) int {
	n := size.length()
	f := dst[:n]
	copy(f, []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45, 0})
	binary.BigEndian.PutUint16(f[16:], uint16(n-14))
	clear(f[18:26])
	f[22], f[23] = 64, esp.ProtocolESP
	src, dest := a.spec.Src.As4(), a.spec.Dst.As4()
	copy(f[26:], src[:])
	copy(f[30:], dest[:])
	a.sequence++
	binary.BigEndian.PutUint32(f[espOffset:], a.spec.SPI)
	binary.BigEndian.PutUint32(f[espOffset+4:], a.sequence)
	end := n - esp.ICVLen
	pad := size.payload() - size.inner() - esp.TrailerLen
	for i := range pad {
		f[end-esp.TrailerLen-pad+i] = byte(i + 1)
	}
	f[end-2], f[end-1] = byte(pad), esp.ProtocolIPv4
	return n
}
