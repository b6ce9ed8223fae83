// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"encoding/binary"
	"net/netip"

	"github.com/espalier-nic/espalier/hwmodel/esp"
	"github.com/espalier-nic/espalier/regs"
)

// acceptable says whether a NIC with that many queues takes the record, else
// ADD ends with BAD_RECORD.
func acceptable(r *regs.SARecord, queues int) bool {
	if r.SPI == 0 || r.Flags.KeyLen() > regs.KeyLenAES256 || int(r.Flags.RxQueue()) >= queues {
		return false
	}
	if r.Flags.IPv6() {
		return true
	}
	return [3]uint32(r.Dst[1:]) == [3]uint32{} && [3]uint32(r.Src[1:]) == [3]uint32{}
}

// address returns the bytes of an address in a record, as esp.Selector has them.
func address(words [4]uint32) (a [16]byte) {
	for i, w := range words {
		binary.BigEndian.PutUint32(a[4*i:], w)
	}
	return a
}

// keyOf returns what the record's SA is found by.
func keyOf(r *regs.SARecord) saKey {
	return saKey{r.SPI, r.Flags.IPv6(), address(r.Dst)}
}

// params translates an acceptable record.
func params(r *regs.SARecord) esp.Params {
	p := esp.Params{
		SPI: r.SPI, Inbound: r.Flags.Inbound(), Tunnel: r.Flags.Tunnel(), ESN: r.Flags.ESN(),
		Dst: netipAddr(r.Flags.IPv6(), r.Dst), Src: netipAddr(r.Flags.IPv6(), r.Src),
	}
	if p.ESN {
		p.ESNHi = r.ESNHi
	}
	binary.BigEndian.PutUint32(p.Salt[:], r.Salt)
	key := make([]byte, 32)
	for i, w := range r.Key {
		binary.BigEndian.PutUint32(key[4*i:], w)
	}
	p.Key = key[:16+8*int(r.Flags.KeyLen())]
	return p
}

func netipAddr(ipv6 bool, words [4]uint32) netip.Addr {
	a := address(words)
	if !ipv6 {
		return netip.AddrFrom4([4]byte(a[:4]))
	}
	return netip.AddrFrom16(a)
}
