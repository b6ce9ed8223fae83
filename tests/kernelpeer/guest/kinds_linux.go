// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
)

// kind is one kind of SA, and the addresses that go with it.
type kind struct {
	tunnel  bool
	version int // of IP, inside and outside
	bits    int // of the AES key
	esn     bool
}

// kinds are all of them: 24.
func kinds() (all []kind) {
	for _, tunnel := range []bool{false, true} {
		for _, version := range []int{4, 6} {
			for _, bits := range []int{128, 192, 256} {
				for _, esn := range []bool{false, true} {
					all = append(all, kind{tunnel, version, bits, esn})
				}
			}
		}
	}
	return all
}

// String is what --cases is matched with.
func (k kind) String() string {
	mode, esn := "transport", "no-esn"
	if k.tunnel {
		mode = "tunnel"
	}
	if k.esn {
		esn = "esn"
	}
	return fmt.Sprintf("%s/IPv%d/%d/%s", mode, k.version, k.bits, esn)
}

// The SPIs of the two SAs.
const (
	spiAtoB = 0x1001
	spiBtoA = 0x1002
)

// secret makes key and salt of an SA. They differ for each kind and direction.
func (k kind) secret(spi uint32) (key, salt []byte) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v %d", k, spi))
	more := sha256.Sum256(sum[:])
	return sum[:k.bits/8], more[:4]
}

// side is one end: the address on the wire and the one that traffic is between,
// which in transport mode is the same.
type side struct {
	wire, inner netip.Addr
}

// sides are A's and B's addresses.
func (k kind) sides() (a, b side) {
	addr := netip.MustParseAddr
	if k.version == 4 {
		a, b = side{addr("192.0.2.1"), addr("10.0.1.1")}, side{addr("192.0.2.2"), addr("10.0.2.1")}
	} else {
		a, b = side{addr("2001:db8::1"), addr("2001:db8:1::1")}, side{addr("2001:db8::2"), addr("2001:db8:2::1")}
	}
	if !k.tunnel {
		a.inner, b.inner = a.wire, b.wire
	}
	return a, b
}

// linkBits is the prefix of the network on the wire.
func (k kind) linkBits() int {
	if k.version == 4 {
		return 24
	}
	return 64
}

// configuration is a gateway's configuration file, for A or for B.
func (k kind) configuration(forB bool) string {
	a, b := k.sides()
	mode := "transport"
	if k.tunnel {
		mode = "tunnel"
	}
	sa := func(spi uint32, from, to side) string {
		key, salt := k.secret(spi)
		return fmt.Sprintf("  - {spi: %#x, mode: %s, src: %q, dst: %q, algorithm: aes-gcm-%d, key: %q, salt: %q, esn: %v}\n",
			spi, mode, from.wire, to.wire, k.bits, hex.EncodeToString(key), hex.EncodeToString(salt), k.esn)
	}
	policy := func(direction string, spi uint32, from, to side) string {
		return fmt.Sprintf("    - {direction: %s, src: %q, dst: %q, action: protect, sa: %#x}\n", direction, from.inner, to.inner, spi)
	}
	out, in := uint32(spiAtoB), uint32(spiBtoA)
	mine, theirs := a, b
	if forB {
		out, in, mine, theirs = in, out, b, a
	}
	return "sas:\n" + sa(out, mine, theirs) + sa(in, theirs, mine) +
		"gateway:\n  policies:\n" + policy("out", out, mine, theirs) + policy("in", in, theirs, mine)
}
