// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
)

// Plan is what a run does: which packets, under which SAs.
type Plan struct {
	Packets []Packet
	SAs     []SA
	// Choice[i] is the index in SAs for packet i, or noSA.
	Choice []int
}

// noSA marks packets that travel in the clear.
const noSA = -1

// Smallest and largest frame in bytes that may be planned without knowing the
// NIC: an Ethernet header, and the room that ESP may add to a packet.
const minFrame = 14

// NewPlan spreads the packets over the SAs: each IP packet goes round-robin
// over those that can carry it. maxFrame is the longest frame the NIC takes;
// a packet that cannot fit is an error that names it.
func NewPlan(packets []Packet, sas []SA, maxFrame int, rng *rand.Rand) (*Plan, error) {
	plan := &Plan{Packets: packets, SAs: sas, Choice: make([]int, len(packets))}
	turn := map[[2]netip.Addr]int{}
	candidates := map[[2]netip.Addr][]int{}
	for i, packet := range packets {
		if len(packet.Frame) < minFrame || len(packet.Frame) > maxFrame {
			return nil, fmt.Errorf("%s has %d bytes; the NIC takes frames of %d to %d bytes (`espalier caps`)", packet.Name(), len(packet.Frame), minFrame, maxFrame)
		}
		plan.Choice[i] = noSA
		src, dst, ok := ipAddresses(packet.Frame)
		if !ok {
			continue
		}
		pair := [2]netip.Addr{src, dst}
		list, known := candidates[pair]
		if !known {
			for j, sa := range sas {
				if sa.carries(src, dst) {
					list = append(list, j)
				}
			}
			// Each pair of addresses in an order of its own, so that
			// neighbouring packets change SA in ever new ways.
			rng.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
			candidates[pair] = list
		}
		if len(list) > 0 {
			plan.Choice[i] = list[turn[pair]%len(list)]
			turn[pair]++
		}
	}
	return plan, nil
}

// addressPairs lists the (source, destination) pairs of the IP packets in
// order of first appearance.
func addressPairs(packets []Packet) [][2]netip.Addr {
	var pairs [][2]netip.Addr
	seen := map[[2]netip.Addr]bool{}
	for _, p := range packets {
		src, dst, ok := ipAddresses(p.Frame)
		if pair := [2]netip.Addr{src, dst}; ok && !seen[pair] {
			seen[pair] = true
			pairs = append(pairs, pair)
		}
	}
	return pairs
}

// ipAddresses returns the addresses of an IPv4 or IPv6 packet directly behind
// an Ethernet header.
func ipAddresses(frame []byte) (src, dst netip.Addr, ok bool) {
	if len(frame) < minFrame {
		return
	}
	ip := frame[minFrame:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case 0x0800:
		if len(ip) >= 20 {
			return netip.AddrFrom4([4]byte(ip[12:])), netip.AddrFrom4([4]byte(ip[16:])), true
		}
	case 0x86dd:
		if len(ip) >= 40 {
			return netip.AddrFrom16([16]byte(ip[8:])), netip.AddrFrom16([16]byte(ip[24:])), true
		}
	}
	return
}
