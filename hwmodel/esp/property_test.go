// SPDX-License-Identifier: Apache-2.0

package esp

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// drawSA is any inbound SA with specified ends.
func drawSA(t *rapid.T) *SA {
	p := Params{
		SPI:     rapid.Uint32Min(1).Draw(t, "SPI"),
		Inbound: true,
		Tunnel:  rapid.Bool().Draw(t, "tunnel"),
		ESN:     rapid.Bool().Draw(t, "ESN"),
		Key:     rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")[:rapid.SampledFrom([]int{16, 24, 32}).Draw(t, "key length")],
		Salt:    [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "salt")),
		Dst:     netip.MustParseAddr("192.0.2.1"), Src: netip.MustParseAddr("198.51.100.7"),
	}
	if rapid.Bool().Draw(t, "IPv6") {
		p.Dst, p.Src = netip.MustParseAddr("2001:db8::6"), netip.MustParseAddr("2001:db8::5")
	}
	if p.ESN {
		p.ESNHi = rapid.Uint32().Draw(t, "upper half")
	}
	sa, err := NewSA(p)
	if err != nil {
		t.Fatal(err)
	}
	return sa
}

// TestRoundTrip: what is encapsulated is delivered by Open decrypted in place
// and by Decapsulate as it was, for any SA, length and padding.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sa := drawSA(t)
		innerIPv6 := sa.dst.Is6()
		if sa.tunnel {
			innerIPv6 = rapid.Bool().Draw(t, "inner IPv6")
		}
		n := rapid.OneOf(rapid.IntRange(0, 80), rapid.IntRange(0, 9000)).Draw(t, "bytes")
		inner := innerFrame(innerIPv6, n)
		o := FrameOptions{
			Sequence: uint64(sa.esnHi)<<32 | uint64(rapid.Uint32().Draw(t, "sequence")),
			ExtraPad: 4 * rapid.IntRange(0, 63).Draw(t, "extra padding"),
			TTL:      rapid.Byte().Draw(t, "TTL"),
			ID:       rapid.Uint16().Draw(t, "ID"),
		}
		plain, offset, err := sa.Frame(nil, inner, o)
		if err != nil {
			t.Fatal(err)
		}
		wire, err := sa.Encapsulate(nil, inner, o)
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := PayloadLength(len(wire), offset); !ok || len(plain) != len(wire) {
			t.Fatalf("illegal payload of %d bytes", p)
		}
		padded := append(bytes.Clone(wire), make([]byte, rapid.IntRange(0, 46).Draw(t, "Ethernet padding"))...)
		out, v := Open(nil, padded, exactLookup(sa))
		if v.Class != Decrypted {
			t.Fatalf("verdict %s", v.Class)
		}
		// Decrypted in place: as framed, but with the IV and the ICV of the wire.
		copy(plain[offset+HeaderLen:][:IVLen], wire[offset+HeaderLen:])
		copy(plain[len(plain)-ICVLen:], wire[len(wire)-ICVLen:])
		if !bytes.Equal(out[:len(wire)], plain) || !bytes.Equal(out[len(wire):], padded[len(wire):]) {
			t.Fatal("delivered frame differs from the framed one")
		}
		back, _, err := Decapsulate(nil, padded, exactLookup(sa))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back, inner) {
			t.Fatalf("got  %x\nwant %x", back, inner)
		}
	})
}

// TestForgery: any change of an authenticated byte is noticed and delivers the
// frame untouched.
func TestForgery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sa := drawSA(t)
		wire, err := sa.Encapsulate(nil, innerFrame(sa.dst.Is6(), rapid.IntRange(0, 2000).Draw(t, "bytes")), FrameOptions{Sequence: uint64(sa.esnHi) << 32})
		if err != nil {
			t.Fatal(err)
		}
		offset := ethernetHeaderLen + outerHeaderLen(sa.dst.Is6())
		at := rapid.IntRange(offset, len(wire)-1).Draw(t, "byte")
		wire[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "change"))
		out, v := Open(nil, wire, func(*Selector) *SA { return sa })
		if v.Class != AuthFailed || !bytes.Equal(out, wire) {
			t.Fatalf("byte %d: %s", at, v.Class)
		}
	})
}

// TestFrameRefusals covers what cannot be framed or stripped.
func TestFrameRefusals(t *testing.T) {
	edit := func(f []byte, at int, v ...byte) []byte { copy(f[at:], v); return f }
	for _, c := range []struct {
		name  string
		sa    *SA
		frame []byte
		o     FrameOptions
	}{
		{"empty", testSA(t, false, false, false), nil, FrameOptions{}},
		{"ARP", testSA(t, false, false, false), edit(innerFrame(false, 8), 12, 8, 6), FrameOptions{}},
		{"IPv4 header cut", testSA(t, false, false, false), innerFrame(false, 8)[:33], FrameOptions{}},
		{"IPv4 header length 4", testSA(t, false, false, false), edit(innerFrame(false, 8), 14, 0x44), FrameOptions{}},
		{"IPv4 total length too long", testSA(t, false, false, false), innerFrame(false, 8)[:40], FrameOptions{}},
		{"IPv4 fragment", testSA(t, false, false, false), edit(innerFrame(false, 8), 20, 0x20), FrameOptions{}},
		{"IPv6 fragment", testSA(t, true, false, false), edit(innerFrame(true, 8), 20, 44), FrameOptions{}},
		{"IPv6 extension cut", testSA(t, true, false, false), edit(innerFrame(true, 7), 20, 0), FrameOptions{}},
		{"IPv6 extension too long", testSA(t, true, false, false), edit(edit(innerFrame(true, 8), 20, 43), 55, 9), FrameOptions{}},
		{"IPv6 version 7", testSA(t, true, false, false), edit(innerFrame(true, 8), 14, 0x70), FrameOptions{}},
		{"other version", testSA(t, true, false, false), innerFrame(false, 8), FrameOptions{}},
		{"padding of 2", testSA(t, false, false, false), innerFrame(false, 8), FrameOptions{ExtraPad: 2}},
		{"padding of 256", testSA(t, false, false, false), innerFrame(false, 8), FrameOptions{ExtraPad: 256}},
		{"too long", testSA(t, false, false, false), innerFrame(false, 65500), FrameOptions{}},
		{"tunnel too long", testSA(t, true, true, false), innerFrame(true, 65490), FrameOptions{}},
		{"tunnel without ends", newSA(t, Params{SPI: 1, Tunnel: true, Key: testKey}), innerFrame(false, 8), FrameOptions{}},
	} {
		prefix := []byte("prefix")
		if out, err := c.sa.Encapsulate(prefix, c.frame, c.o); err == nil || !bytes.Equal(out, prefix) {
			t.Errorf("%s: %v, %d bytes", c.name, err, len(out))
		}
	}
	seal := func(sa *SA, trailer ...byte) []byte {
		frame := ipv4Frame(make([]byte, Overhead+8))
		edit(frame, 34, 1, 2, 3, 4)
		edit(frame, 34+16+8-len(trailer), trailer...)
		if err := sa.SealInPlace(frame, 34, 0); err != nil {
			t.Fatal(err)
		}
		return frame
	}
	transport, tunnel := testSA(t, false, false, false), testSA(t, false, true, false)
	if _, _, err := Decapsulate(nil, seal(transport, 0, 59), exactLookup(transport)); !errors.Is(err, ErrDummy) {
		t.Errorf("dummy packet: %v", err)
	}
	if _, _, err := Decapsulate(nil, seal(transport, 1, 3, 2, 6), exactLookup(transport)); err == nil {
		t.Error("wrong padding is accepted")
	}
	if _, _, err := Decapsulate(nil, seal(tunnel, 0, 6), exactLookup(tunnel)); err == nil {
		t.Error("a tunnel that carries TCP is accepted")
	}
	if _, _, err := Decapsulate(nil, seal(tunnel, 0, 4), func(*Selector) *SA { return nil }); err == nil {
		t.Error("a frame without SA is decapsulated")
	}
}

// TestTransportBehindExtensionHeaders: hop-by-hop and routing headers stay in
// front of ESP and come back unchanged.
func TestTransportBehindExtensionHeaders(t *testing.T) {
	sa := testSA(t, true, false, false)
	frame := innerFrame(true, 64)
	frame[20] = 0                            // hop-by-hop
	copy(frame[54:], []byte{43, 0, 1, 4})    // then routing, 8 bytes
	copy(frame[62:], []byte{17, 1, 0, 0, 0}) // then UDP, 16 bytes
	out, offset, err := sa.Frame(nil, frame, FrameOptions{Sequence: 1})
	if err != nil {
		t.Fatal(err)
	}
	if offset != 14+40+8+16 || out[20] != 0 || out[54] != 43 || out[62] != ProtocolESP {
		t.Errorf("ESP header at %d, next headers %d %d %d", offset, out[20], out[54], out[62])
	}
	if got := out[len(out)-ICVLen-1]; got != 17 {
		t.Errorf("trailer names protocol %d", got)
	}
}

// TestOuterHeader pins a tunnel's outer header byte by byte: DSCP and ECN from
// the inner header, DF too, TTL and identification as asked.
func TestOuterHeader(t *testing.T) {
	for _, c := range []struct {
		outer6, inner6 bool
		o              FrameOptions
		want           []byte
	}{
		{false, false, FrameOptions{ID: 0x1234}, []byte{8, 0, 0x45, 0xB9, 0, 0x58, 0x12, 0x34, 0x40, 0, 64, 50, 0x3B, 0x4B, 198, 51, 100, 7, 192, 0, 2, 1}},
		{false, true, FrameOptions{TTL: 1}, []byte{8, 0, 0x45, 0xB9, 0, 0x6C, 0, 0, 0, 0, 1, 50, 0xCC, 0x6B, 198, 51, 100, 7, 192, 0, 2, 1}},
		{true, false, FrameOptions{TTL: 255}, []byte{0x86, 0xDD, 0x6B, 0x90, 0, 0, 0, 0x44, 50, 255}},
		{true, true, FrameOptions{}, []byte{0x86, 0xDD, 0x6B, 0x90, 0, 0, 0, 0x58, 50, 64}},
	} {
		inner := innerFrame(c.inner6, 12)
		if c.inner6 {
			inner[14], inner[15] = 0x6B, 0x9F // traffic class B9, flow label not copied
		} else {
			inner[15] = 0xB9
		}
		out, err := testSA(t, c.outer6, true, false).Encapsulate(nil, inner, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if got := out[12:][:len(c.want)]; !bytes.Equal(got, c.want) {
			t.Errorf("outer v6 %v, inner v6 %v:\n%x, right is\n%x", c.outer6, c.inner6, got, c.want)
		}
	}
}
