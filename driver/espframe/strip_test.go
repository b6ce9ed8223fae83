// SPDX-License-Identifier: Apache-2.0

package espframe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// outerFields renders the fields of an outer IP header that a Config decides.
func outerFields(ip []byte) string {
	if ip[0]>>4 == 4 {
		return fmt.Sprintf("%02x00%02x id%04x df%04x ttl%d", ip[0], ip[1], binary.BigEndian.Uint16(ip[4:]), binary.BigEndian.Uint16(ip[6:]), ip[8])
	}
	word := binary.BigEndian.Uint32(ip)
	return fmt.Sprintf("%x%02x flow%05x ttl%d", word>>28, word>>20&0xFF, word&0xFFFFF, ip[7])
}

// framedUDP frames a UDP packet and returns the framed bytes.
func framedUDP(t testing.TB, cfg Config, ipv6 bool, tos uint8) []byte {
	t.Helper()
	cfg.SPI = 0x1001
	buf := make([]byte, 512)
	info, err := mustNew(t, cfg).Frame(buf, plainFrame(t, ipv6, tos, true, []byte("payload")))
	if err != nil {
		t.Fatal(err)
	}
	return buf[:info.Length]
}

func TestStripRefusals(t *testing.T) {
	transport := framedUDP(t, Config{}, false, 0)
	tunnel := framedUDP(t, Config{Mode: Tunnel, Src: v4Src, Dst: v4Dst}, false, 0)
	end := len(tunnel) - ICVLen
	tests := []struct {
		name  string
		frame []byte
		mode  Mode
		edit  func(frame []byte) // changes the frame
		words func(*Trailer)     // changes what is reported
		room  int                // of dst; 0: enough
		kind  error
		says  string
	}{
		{name: "not ESP", frame: transport, edit: func(f []byte) { f[23] = 17 }, kind: ErrMalformed, says: "protocol is 17"},
		{name: "fragment", frame: transport, edit: func(f []byte) { f[20] |= 0x20 }, kind: ErrFragment, says: "fragment"},
		{name: "not IP", frame: transport, edit: func(f []byte) { f[12] = 9 }, kind: ErrNotIP, says: "0x0900"},
		{name: "no room for ESP", frame: transport, edit: func(f []byte) { f[17] = 20 + 32 }, kind: ErrMalformed, says: "0 encrypted bytes"},
		{name: "not a multiple of 4", frame: transport, edit: func(f []byte) { f[17]-- }, kind: ErrMalformed, says: "19 encrypted bytes"},
		{name: "shorter than an ESP header", frame: transport, edit: func(f []byte) { f[17] = 24 }, kind: ErrMalformed, says: "-28 encrypted bytes"},
		{name: "words of another packet", frame: transport, words: func(w *Trailer) { w.NextHeader = 6 }, kind: ErrTrailer, says: "reported"},
		{name: "Pad Length over packet", frame: transport, edit: func(f []byte) { f[len(f)-18] = 200 }, kind: ErrTrailer, says: "200"},
		{name: "dummy", frame: transport, edit: func(f []byte) { f[len(f)-17] = 59 }, kind: ErrDummy, says: "0x00001001"},
		{name: "no such mode", frame: transport, mode: 7, kind: ErrConfig, says: "mode 7"},
		{name: "short buffer", frame: transport, room: 48, kind: ErrShortBuffer, says: "49 bytes, the buffer 48"},
		{name: "tunnel short buffer", frame: tunnel, mode: Tunnel, room: 48, kind: ErrShortBuffer, says: "49 bytes, the buffer 48"},
		{name: "transport packet on a tunnel SA", frame: transport, mode: Tunnel, kind: ErrTrailer, says: "Next Header 17"},
		{name: "other inner version", frame: tunnel, mode: Tunnel, edit: func(f []byte) { f[end-1] = 41 }, kind: ErrTrailer, says: "other IP version"},
		{name: "inner length over payload", frame: tunnel, mode: Tunnel, edit: func(f []byte) { f[34+16+3]++ }, kind: ErrMalformed, says: "tunnelled packet: IPv4 total length is 36"},
		{name: "CE on Not-ECT", frame: tunnel, mode: Tunnel, edit: func(f []byte) { f[15] |= 3 }, kind: ErrCongestion, says: "congestion"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frame := bytes.Clone(tt.frame)
			if tt.edit != nil {
				tt.edit(frame)
			}
			words := trailerOf(frame)
			if tt.words != nil {
				tt.words(&words)
			}
			if tt.room == 0 {
				tt.room = len(frame)
			}
			_, err := Strip(make([]byte, tt.room), frame, tt.mode, words)
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q, want kind %q naming %q", err, tt.kind, tt.says)
			}
		})
	}
}

// TestECN runs RFC 6040, figure 4, through IPv4 and IPv6 inner packets.
func TestECN(t *testing.T) {
	const drop = 9
	names := []string{"Not-ECT", "ECT(1)", "ECT(0)", "CE"}
	want := [4][4]uint8{ // [inner][outer]
		ecnNot:  {ecnNot, ecnNot, ecnNot, drop},
		ecnECT1: {ecnECT1, ecnECT1, ecnECT1, ecnCE},
		ecnECT0: {ecnECT0, ecnECT1, ecnECT0, ecnCE},
		ecnCE:   {ecnCE, ecnCE, ecnCE, ecnCE},
	}
	for inner := range uint8(4) {
		for outer := range uint8(4) {
			for _, ipv6 := range []bool{false, true} {
				frame := framedUDP(t, Config{Mode: Tunnel, Src: v4Src, Dst: v4Dst}, ipv6, 0xB8|inner)
				frame[15] = frame[15]&^3 | outer // the outer checksum is the NIC's and the stack's business
				out := make([]byte, 512)
				plain, err := Strip(out, frame, Tunnel, trailerOf(frame))
				name := fmt.Sprintf("inner %s, outer %s, IPv6 %v", names[inner], names[outer], ipv6)
				if want[inner][outer] == drop {
					if !errors.Is(err, ErrCongestion) {
						t.Errorf("%s: %v", name, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if expected := plainFrame(t, ipv6, 0xB8|want[inner][outer], true, []byte("payload")); !bytes.Equal(out[:plain.Length], expected) {
					t.Errorf("%s:\n%x\nwant\n%x", name, out[:plain.Length], expected)
				}
			}
		}
	}
}

// TestTrafficFlowPadding: bytes between the tunnelled packet and the ESP
// padding (RFC 4303, section 2.7) and after the ESP packet are dropped.
func TestTrafficFlowPadding(t *testing.T) {
	plain := plainFrame(t, false, 0, true, []byte("payload"))
	longer := append(bytes.Clone(plain[14:]), bytes.Repeat([]byte{0xEE}, 21)...)
	// A framer never makes such a packet: build it as a transport packet whose
	// payload is the tunnelled packet and its padding.
	carrier := append(bytes.Clone(plain[:34]), longer...)
	carrier[23] = protocolIPv4
	setIPv4(carrier[14:34], len(carrier)-14, protocolIPv4)
	buf := make([]byte, 512)
	info, err := mustNew(t, Config{SPI: 3}).Frame(buf, carrier)
	if err != nil {
		t.Fatal(err)
	}
	framed := append(buf[:info.Length:info.Length], 1, 2, 3)
	out := make([]byte, 512)
	got, err := Strip(out, framed, Tunnel, trailerOf(buf[:info.Length]))
	if err != nil || !bytes.Equal(out[:got.Length], plain) {
		t.Errorf("%x %v, want %x", out[:got.Length], err, plain)
	}
	if !bytes.Equal(out[got.Length:], make([]byte, len(out)-got.Length)) {
		t.Error("padding was written to the plain frame's buffer")
	}
}

// FuzzStrip: no received bytes or words make Strip panic, write past its
// result, or return a packet that is not one.
func FuzzStrip(f *testing.F) {
	for _, ipv6 := range []bool{false, true} {
		for _, cfg := range []Config{{}, {Mode: Tunnel, Src: v4Src, Dst: v4Dst}, {Mode: Tunnel, Src: v6Src, Dst: v6Dst, Align: 64}} {
			frame := framedUDP(f, cfg, ipv6, 1)
			words := trailerOf(frame)
			f.Add(frame, uint8(cfg.Mode), words.NextHeader, words.PadLength)
		}
	}
	f.Add([]byte{}, uint8(0), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, frame []byte, mode, nextHeader, padLength uint8) {
		dst := make([]byte, len(frame)+8)
		plain, err := Strip(dst, frame, Mode(mode), Trailer{nextHeader, padLength})
		if err != nil {
			return
		}
		if plain.Length > len(frame) {
			t.Fatalf("%d bytes from a frame of %d", plain.Length, len(frame))
		}
		if !bytes.Equal(dst[plain.Length:], make([]byte, len(dst)-plain.Length)) {
			t.Fatal("wrote past the plain frame")
		}
		if _, err := etherPayload(dst[:plain.Length]); err != nil {
			t.Fatalf("the plain frame is none: %v", err)
		}
		if ip, err := parseIP(dst[ethernetLen:plain.Length]); err != nil || ip.length != plain.Length-ethernetLen {
			t.Fatalf("the plain packet is none: %+v %v", ip, err)
		}
	})
}

// FuzzFrame: no frame makes Frame panic, and what it accepts comes back.
func FuzzFrame(f *testing.F) {
	f.Add(plainFrame(f, false, 0, true, []byte("payload")), false)
	f.Add(plainFrame(f, true, 2, true, nil), true)
	f.Add(append(plainFrame(f, false, 1, false, nil), make([]byte, 18)...), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, frame []byte, tunnel bool) {
		cfg := Config{SPI: 1, MTU: maxIPLen, Src: v6Src, Dst: v4Dst}
		if tunnel {
			cfg.Mode, cfg.Dst = Tunnel, v6Dst
		}
		dst := make([]byte, len(frame)+256)
		info, err := mustNew(t, cfg).Frame(dst, frame)
		if err != nil {
			return
		}
		back := make([]byte, len(frame))
		plain, err := Strip(back, dst[:info.Length], cfg.Mode, trailerOf(dst[:info.Length]))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back[:plain.Length], frame[:plain.Length]) {
			t.Fatalf("came back as\n%x\nwas\n%x", back[:plain.Length], frame[:plain.Length])
		}
	})
}
