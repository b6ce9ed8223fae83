// SPDX-License-Identifier: Apache-2.0

package drivertest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
)

var (
	v4A = netip.MustParseAddr("192.0.2.1")
	v4B = netip.MustParseAddr("192.0.2.2")
	v6A = netip.MustParseAddr("2001:db8::1")
	v6B = netip.MustParseAddr("2001:db8::2")
)

// plainFrame is an Ethernet frame with IP and size bytes of payload of protocol
// 253 (RFC 3692 experiments), all of them depending on seed.
func plainFrame(ipv6 bool, size, seed int) []byte {
	frame := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	if ipv6 {
		frame = append(frame, 0x86, 0xDD, 0x60, 0, 0, 0, byte(size>>8), byte(size), 253, 64)
		frame = append(append(frame, v6A.AsSlice()...), v6B.AsSlice()...)
	} else {
		total := 20 + size
		frame = append(frame, 8, 0, 0x45, 0, byte(total>>8), byte(total), 0, byte(seed), 0x40, 0, 64, 253, 0, 0)
		frame = append(append(frame, v4A.AsSlice()...), v4B.AsSlice()...)
		var sum uint32
		for i := 14; i < 34; i += 2 {
			sum += uint32(binary.BigEndian.Uint16(frame[i:]))
		}
		sum = sum&0xFFFF + sum>>16
		binary.BigEndian.PutUint16(frame[24:], ^uint16(sum&0xFFFF+sum>>16))
	}
	for i := range size {
		frame = append(frame, byte(seed*31+i*7+i>>8))
	}
	return frame
}

// kind is one kind of SA.
type kind struct {
	keyLen            int
	tunnel, ipv6, esn bool
}

// String names the kind.
func (k kind) String() string {
	s := fmt.Sprintf("AES-%d", k.keyLen*8)
	for _, w := range []struct {
		yes  bool
		word string
	}{{k.ipv6, " IPv6"}, {k.tunnel, " tunnel"}, {k.esn, " ESN"}} {
		if w.yes {
			s += w.word
		}
	}
	return s
}

// kinds are all kinds of SA.
func kinds() []kind {
	var all []kind
	for _, keyLen := range []int{16, 24, 32} {
		for bits := range 8 {
			all = append(all, kind{keyLen, bits&1 != 0, bits&2 != 0, bits&4 != 0})
		}
	}
	return all
}

// flow is one direction of traffic under one SA: what the sender's and the
// receiver's NIC are told, and the framer.
type flow struct {
	kind
	out, in driver.SA
	framer  *espframe.Framer
}

// newFlow makes a flow with keys of its own. spi tells flows apart.
func newFlow(t testing.TB, k kind, spi uint32) *flow {
	t.Helper()
	sa := driver.SA{SPI: spi, Tunnel: k.tunnel, IPv6: k.ipv6, ESN: k.esn, Src: v4A, Dst: v4B, Key: make(driver.Key, k.keyLen)}
	if k.ipv6 {
		sa.Src, sa.Dst = v6A, v6B
	}
	for i := range sa.Key {
		sa.Key[i] = byte(int(spi)*17 + i*29 + k.keyLen)
	}
	binary.BigEndian.PutUint32(sa.Salt[:], spi*0x9E3779B9)
	cfg := espframe.Config{SPI: spi, ESN: k.esn, MTU: 9000, Src: sa.Src, Dst: sa.Dst}
	if k.esn {
		sa.SequenceHi = 5
		cfg.LastSequence = 5<<32 | 1000
	}
	if k.tunnel {
		cfg.Mode = espframe.Tunnel
	}
	framer, err := espframe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	in := sa
	in.Inbound = true
	return &flow{kind: k, out: sa, in: in, framer: framer}
}

// frame frames a plain frame and returns it with where ESP begins and its
// sequence number.
func (f *flow) frame(t testing.TB, plain []byte) ([]byte, espframe.Info) {
	t.Helper()
	framed := make([]byte, len(plain)+128)
	info, err := f.framer.Frame(framed, plain)
	if err != nil {
		t.Fatal(err)
	}
	return framed[:info.Length], info
}

// sealed is what the framed packet must become on the wire (RFC 4106, sections
// 3 to 5).
func (f *flow) sealed(t testing.TB, framed []byte, info espframe.Info) []byte {
	t.Helper()
	block, err := aes.NewCipher(f.out.Key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.Clone(framed)
	esp := out[info.ESPOffset:]
	aad := bytes.Clone(esp[:4])
	if f.esn {
		aad = binary.BigEndian.AppendUint32(aad, uint32(info.Sequence>>32))
	}
	aad = append(aad, esp[4:8]...)
	binary.BigEndian.PutUint64(esp[8:], info.Sequence)
	nonce := append(bytes.Clone(f.out.Salt[:]), esp[8:16]...)
	gcm.Seal(esp[:16], nonce, esp[16:len(esp)-16], aad)
	return out
}

// wire is a plain frame of size bytes of payload as it goes over the wire under
// the flow's SA, and as the receiving NIC must hand it up.
func (f *flow) wire(t testing.TB, size, seed int) (onWire, handedUp []byte) {
	t.Helper()
	framed, info := f.frame(t, plainFrame(f.ipv6, size, seed))
	onWire = f.sealed(t, framed, info)
	handedUp = framed
	copy(handedUp[info.ESPOffset+8:], onWire[info.ESPOffset+8:info.ESPOffset+16]) // the IV stays
	copy(handedUp[len(handedUp)-16:], onWire[len(onWire)-16:])                    // and the ICV
	return onWire, handedUp
}

// trailer returns Pad Length and Next Header of a decrypted frame.
func trailer(frame []byte) (padLen, nextHeader uint8) {
	return frame[len(frame)-18], frame[len(frame)-17]
}
