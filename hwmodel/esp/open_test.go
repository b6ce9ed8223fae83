// SPDX-License-Identifier: Apache-2.0

package esp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

var (
	testKey  = []byte("0123456789abcdef0123456789abcdef")
	testSalt = [4]byte{0xCA, 0xFE, 0xBA, 0xBE}
)

// innerFrame is a plain Ethernet frame with n bytes of UDP-like content.
func innerFrame(ipv6 bool, n int) []byte {
	frame := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	if ipv6 {
		frame = append(frame, 0x86, 0xDD, 0x60, 0, 0, 0, byte(n>>8), byte(n), 17, 64)
		src, dst := netip.MustParseAddr("2001:db8::5").As16(), netip.MustParseAddr("2001:db8::6").As16()
		frame = append(append(frame, src[:]...), dst[:]...)
	} else {
		frame = append(frame, 8, 0, 0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 17, 0, 0, 198, 51, 100, 7, 192, 0, 2, 1)
		setIPLength(frame[14:], false, 20+n)
	}
	for i := range n {
		frame = append(frame, byte(i*7))
	}
	if n >= 8 { // a UDP header that a dissector takes
		copy(frame[len(frame)-n+4:], []byte{byte(n >> 8), byte(n), 0, 0})
	}
	return frame
}

// testSA is an SA for innerFrame's addresses, or a tunnel around them.
func testSA(t testing.TB, ipv6, tunnel, esn bool) *SA {
	p := Params{SPI: 0x01020304, Inbound: true, Tunnel: tunnel, ESN: esn, Salt: testSalt, Key: testKey}
	p.Dst, p.Src = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.7")
	if ipv6 {
		p.Dst, p.Src = netip.MustParseAddr("2001:db8::6"), netip.MustParseAddr("2001:db8::5")
	}
	if esn {
		p.ESNHi = 0x11223344
	}
	return newSA(t, p)
}

func seq(sa *SA, lo uint32) uint64 { return uint64(sa.esnHi)<<32 | uint64(lo) }

// TestOpenTable walks the rows of the contract's table "Receiving" that a frame
// alone decides.
func TestOpenTable(t *testing.T) {
	type change func(f []byte) []byte
	set := func(at int, v ...byte) change {
		return func(f []byte) []byte { copy(f[at:], v); return f }
	}
	cut := func(n int) change { return func(f []byte) []byte { return f[:n] } }
	length4 := func(f []byte, n int) []byte { setIPLength(f[14:], false, n); return f }
	cases := []struct {
		name         string
		ipv6, tunnel bool
		change       change
		class        Class
		status       CryptoStatus
		word1        uint32
	}{
		{"good", false, false, nil, Decrypted, Success, 0x2},
		{"good v6", true, false, nil, Decrypted, Success, 0x2},
		{"good tunnel", false, true, nil, Decrypted, Success, 0x2},
		{"Ethernet padding after the IP packet", false, false, func(f []byte) []byte { return append(f, 1, 2, 3, 4, 5) }, Decrypted, Success, 0x2},
		{"IPv4 checksum wrong", false, false, set(24, 0xFF, 0xFF), Decrypted, Success, 0x2},
		{"don't fragment", false, false, set(20, 0x40), Decrypted, Success, 0x2},
		{"IPv6 version nibble is not looked at", true, false, set(14, 0x50), Decrypted, Success, 0x2},

		{"empty", false, false, cut(0), Untouched, 0, 0},
		{"no EtherType", false, false, cut(13), Untouched, 0, 0},
		{"ARP", false, false, set(12, 8, 6), Untouched, 0, 0},
		{"VLAN tag", false, false, set(12, 0x81, 0), Untouched, 0, 0},
		{"IPv4 options", false, false, set(14, 0x46), Untouched, 0, 0},
		{"IPv4 version 5", false, false, set(14, 0x55), Untouched, 0, 0},
		{"first fragment", false, false, set(20, 0x20, 0), Untouched, 0, 0},
		{"last fragment", false, false, set(20, 0x00, 1), Untouched, 0, 0},
		{"high fragment offset", false, false, set(20, 0x10, 0), Untouched, 0, 0},
		{"UDP", false, false, set(23, 17), Untouched, 0, 0},
		{"UDP over v6", true, false, set(20, 17), Untouched, 0, 0},
		{"v6 hop-by-hop", true, false, set(20, 0), Untouched, 0, 0},
		{"ends in the ESP header", false, false, cut(41), Untouched, 0, 0},
		{"ends in the ESP header v6", true, false, cut(61), Untouched, 0, 0},

		{"unknown SPI", false, false, set(34, 9), NoSA, 0, 0},
		{"other destination", false, false, set(30, 10), NoSA, 0, 0},
		{"other destination v6", true, false, set(38, 0xFD), NoSA, 0, 0},

		{"ESP header only", false, false, cut(42), BadSyntax, InvalidPacketSyntax, 0x00060002},
		{"ESP header only v6", true, false, cut(62), BadSyntax, InvalidPacketSyntax, 0x00060002},
		{"longer than the frame", false, false, func(f []byte) []byte { return f[:len(f)-1] }, BadSyntax, InvalidPacketSyntax, 0x00060002},
		{"IP length below its header", false, false, func(f []byte) []byte { return length4(f, 19) }, BadSyntax, InvalidPacketSyntax, 0x00060002},
		{"IP length 0", false, false, func(f []byte) []byte { return length4(f, 0) }, BadSyntax, InvalidPacketSyntax, 0x00060002},
		{"P = 0", false, false, func(f []byte) []byte { return length4(f, 20+32) }, BadSyntax, InvalidPacketSyntax, 0x00060002},
		{"P = 5", false, false, func(f []byte) []byte { return length4(f, 20+37) }, BadSyntax, InvalidPacketSyntax, 0x00060002},
		{"P = 0 v6", true, false, set(18, 0, 32), BadSyntax, InvalidPacketSyntax, 0x00060002},
		{"shorter but legal", false, false, func(f []byte) []byte { return length4(f, 20+36) }, AuthFailed, TransportESPAuthFailed, 0x00030002},
		{"ICV wrong, transport", false, false, func(f []byte) []byte { f[len(f)-1]++; return f }, AuthFailed, TransportESPAuthFailed, 0x00030002},
		{"ICV wrong, tunnel", false, true, func(f []byte) []byte { f[len(f)-1]++; return f }, AuthFailed, TunnelESPAuthFailed, 0x00050002},
		{"ICV wrong, tunnel v6", true, true, func(f []byte) []byte { f[len(f)-16]++; return f }, AuthFailed, TunnelESPAuthFailed, 0x00050002},
	}
	for _, c := range cases {
		for _, esn := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/esn=%v", c.name, esn), func(t *testing.T) {
				sa := testSA(t, c.ipv6, c.tunnel, esn)
				frame, err := sa.Encapsulate(nil, innerFrame(c.ipv6, 100), FrameOptions{Sequence: seq(sa, 7)})
				if err != nil {
					t.Fatal(err)
				}
				if c.change != nil {
					frame = c.change(frame)
				}
				before := bytes.Clone(frame)
				prefix := []byte("prefix")
				out, v := Open(bytes.Clone(prefix), frame, exactLookup(sa))
				if !bytes.Equal(frame, before) {
					t.Error("the received frame was changed")
				}
				if !bytes.HasPrefix(out, prefix) || len(out) != len(prefix)+len(frame) {
					t.Fatalf("%d bytes delivered for %d", len(out)-len(prefix), len(frame))
				}
				if v.Class != c.class || v.Status != c.status || v.Word1() != c.word1 {
					t.Errorf("%s %s %#08x, right is %s %s %#08x", v.Class, v.Status, v.Word1(), c.class, c.status, c.word1)
				}
				if got := v.CryptoDone(); got != (v.Word1() != 0) || (v.SA != nil) != got {
					t.Errorf("CryptoDone %v, SA %v, word %#x", got, v.SA, v.Word1())
				}
				if c.class != Decrypted {
					if !bytes.Equal(out[len(prefix):], before) || v.Word12() != 0 {
						t.Errorf("touched, word 12 %#x", v.Word12())
					}
				} else if v.Word12()>>16 != 1 || v.NextHeader == 0 {
					t.Errorf("word 12 is %#x", v.Word12())
				}
			})
		}
	}
}

// exactLookup finds sa by all that a selector has.
func exactLookup(sa *SA) Lookup {
	return func(s *Selector) *SA {
		dst, src := netip.AddrFrom16(s.Dst), netip.AddrFrom16(s.Src)
		if !s.IPv6 {
			dst, src = netip.AddrFrom4([4]byte(s.Dst[:4])), netip.AddrFrom4([4]byte(s.Src[:4]))
		}
		if s.SPI != sa.spi || dst != sa.dst || src != sa.src {
			return nil
		}
		return sa
	}
}

// TestPadLengthTooLong covers the trailer check: authentic, but impossible.
func TestPadLengthTooLong(t *testing.T) {
	for _, c := range []struct {
		p, pad int
		class  Class
	}{{4, 2, Decrypted}, {4, 3, BadSyntax}, {8, 6, Decrypted}, {8, 7, BadSyntax}, {256, 254, Decrypted}, {256, 255, BadSyntax}, {260, 255, Decrypted}} {
		sa := testSA(t, false, false, false)
		frame := ipv4Frame(make([]byte, Overhead+c.p))
		binary.BigEndian.PutUint32(frame[34:], sa.spi)
		frame[34+16+c.p-2], frame[34+16+c.p-1] = byte(c.pad), 6
		if err := sa.SealInPlace(frame, 34, 0); err != nil {
			t.Fatal(err)
		}
		out, v := Open(nil, frame, exactLookup(sa))
		if v.Class != c.class {
			t.Errorf("P %d, Pad Length %d: %s, right is %s", c.p, c.pad, v.Class, c.class)
		}
		if c.class == BadSyntax && (!bytes.Equal(out, frame) || v.Status != InvalidPacketSyntax) {
			t.Errorf("P %d, Pad Length %d: touched or status %s", c.p, c.pad, v.Status)
		}
	}
}

// TestEveryBitFlip flips each bit of ESP header, IV, ciphertext and ICV: what is
// authenticated fails, and no plaintext leaves.
func TestEveryBitFlip(t *testing.T) {
	for _, esn := range []bool{false, true} {
		sa := testSA(t, false, false, esn)
		frame, err := sa.Encapsulate(nil, innerFrame(false, 41), FrameOptions{Sequence: seq(sa, 99)})
		if err != nil {
			t.Fatal(err)
		}
		flips := 0
		any := func(*Selector) *SA { return sa }
		for bit := MinOffset * 8; bit < len(frame)*8; bit++ {
			frame[bit/8] ^= 1 << (bit % 8)
			out, v := Open(nil, frame, any)
			if v.Class != AuthFailed || !bytes.Equal(out, frame) {
				t.Fatalf("bit %d of byte %d: %s", bit%8, bit/8, v.Class)
			}
			frame[bit/8] ^= 1 << (bit % 8)
			flips++
		}
		if _, v := Open(nil, frame, any); v.Class != Decrypted || flips != 8*(len(frame)-MinOffset) {
			t.Fatalf("unchanged frame: %s after %d flips", v.Class, flips)
		}
		if esn {
			for bit := range 32 {
				other := sa.WithESNHi(sa.esnHi ^ 1<<bit)
				if _, v := Open(nil, frame, func(*Selector) *SA { return other }); v.Class != AuthFailed {
					t.Errorf("bit %d of the upper half: %s", bit, v.Class)
				}
			}
		}
	}
}

// TestSealInPlace checks what is written where, and what is refused.
func TestSealInPlace(t *testing.T) {
	for _, esn := range []bool{false, true} {
		sa := testSA(t, false, false, esn)
		frame, offset, err := sa.Frame(nil, innerFrame(false, 10), FrameOptions{Sequence: 0xAABBCCDD})
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(frame)
		if err := sa.SealInPlace(frame, offset, 0x01020304); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(frame[:offset+HeaderLen], before[:offset+HeaderLen]) {
			t.Error("bytes in front of the IV changed")
		}
		iv := []byte{0, 0, 0, 0, 0xAA, 0xBB, 0xCC, 0xDD}
		if esn {
			copy(iv, []byte{1, 2, 3, 4})
		}
		if got := frame[offset+HeaderLen:][:IVLen]; !bytes.Equal(got, iv) {
			t.Errorf("IV %x, right is %x", got, iv)
		}
	}
	sa := testSA(t, false, false, false)
	for _, c := range []struct {
		length, offset int
		want           string
	}{
		{100, 33, "offset 33"}, {100, -1, "offset -1"}, {66, 34, "payload of 0"}, {69, 34, "payload of 3"},
		{71, 34, "payload of 5"}, {20, 34, "payload of -46"}, {100, 2000, "payload of"},
	} {
		frame := make([]byte, c.length)
		if err := sa.SealInPlace(frame, c.offset, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("length %d, offset %d: %v", c.length, c.offset, err)
		}
		if !bytes.Equal(frame, make([]byte, c.length)) {
			t.Errorf("length %d, offset %d: a refused frame was changed", c.length, c.offset)
		}
	}
}

// TestNewSA checks what is refused, and that nothing printed has key material.
func TestNewSA(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	good := Params{SPI: 256, Dst: v4, Key: testKey[:16], Salt: testSalt}
	for _, c := range []struct {
		change func(*Params)
		want   string
	}{
		{func(p *Params) { p.Key = testKey[:15] }, "15 bytes"},
		{func(p *Params) { p.Key = testKey[:20] }, "20 bytes"},
		{func(p *Params) { p.Key = nil }, "0 bytes"},
		{func(p *Params) { p.SPI = 0 }, "SPI is 0"},
		{func(p *Params) { p.Dst = netip.Addr{} }, "destination is missing"},
		{func(p *Params) { p.Dst = netip.MustParseAddr("::ffff:192.0.2.1") }, "IPv4-mapped"},
		{func(p *Params) { p.Dst = netip.MustParseAddr("fe80::1%eth0") }, "zone"},
		{func(p *Params) { p.Src = v6 }, "differ in IP version"},
		{func(p *Params) { p.ESNHi = 1 }, "without ESN"},
	} {
		p := good
		c.change(&p)
		if _, err := NewSA(p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		} else if strings.Contains(err.Error(), "0123") {
			t.Errorf("%v shows the key", err)
		}
	}
	for _, n := range []int{16, 24, 32} {
		p := good
		p.Key = testKey[:n]
		sa := newSA(t, p)
		if sa.KeyBits() != 8*n || !sa.Src().IsUnspecified() || sa.SPI() != 256 || sa.Dst() != v4 || sa.Inbound() || sa.Tunnel() || sa.ESN() || sa.ESNHi() != 0 {
			t.Errorf("SA is not what was asked for: %v", sa)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			for _, text := range []string{fmt.Sprintf(verb, sa), fmt.Sprintf(verb, p), fmt.Sprintf(verb, *sa)} {
				if strings.Contains(text, "0123") || strings.Contains(text, "30313233") || strings.Contains(text, "48, 49") || strings.Contains(text, "48 49") ||
					strings.Contains(text, "202 254") || strings.Contains(strings.ToLower(text), "cafe") || strings.Contains(text, "0xca, 0xfe") {
					t.Errorf("%s shows key material: %s", verb, text)
				}
			}
		}
	}
}
