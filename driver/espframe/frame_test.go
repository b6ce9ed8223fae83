// SPDX-License-Identifier: Apache-2.0

package espframe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"pgregory.net/rapid"
)

var (
	macs  = []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	v4Src = netip.MustParseAddr("192.0.2.1")
	v4Dst = netip.MustParseAddr("192.0.2.2")
	v6Src = netip.MustParseAddr("2001:db8::1")
	v6Dst = netip.MustParseAddr("2001:db8::2")
)

// plainFrame builds a UDP frame with gopacket, which shares nothing with the
// code under test.
func plainFrame(t testing.TB, ipv6 bool, tos uint8, df bool, payload []byte) []byte {
	t.Helper()
	eth := &layers.Ethernet{DstMAC: macs[:6], SrcMAC: macs[6:12], EthernetType: layers.EthernetTypeIPv4}
	udp := &layers.UDP{SrcPort: 1000, DstPort: 2000}
	var network gopacket.SerializableLayer
	if ipv6 {
		eth.EthernetType = layers.EthernetTypeIPv6
		ip := &layers.IPv6{Version: 6, TrafficClass: tos, HopLimit: 9, NextHeader: layers.IPProtocolUDP,
			FlowLabel: 0x12345, SrcIP: v6Src.AsSlice(), DstIP: v6Dst.AsSlice()}
		_ = udp.SetNetworkLayerForChecksum(ip)
		network = ip
	} else {
		ip := &layers.IPv4{Version: 4, TOS: tos, TTL: 9, Id: 77, Protocol: layers.IPProtocolUDP, SrcIP: v4Src.AsSlice(), DstIP: v4Dst.AsSlice()}
		if df {
			ip.Flags = layers.IPv4DontFragment
		}
		_ = udp.SetNetworkLayerForChecksum(ip)
		network = ip
	}
	buf := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buf, opts, eth, network, udp, gopacket.Payload(payload)); err != nil {
		t.Fatal(err)
	}
	frame := buf.Bytes() // gopacket pads short frames to 60 bytes
	if n := 14 + 20 + 8 + len(payload); !ipv6 && n < len(frame) {
		frame = frame[:n]
	} else if n += 20; ipv6 && n < len(frame) {
		frame = frame[:n]
	}
	return bytes.Clone(frame)
}

func mustNew(t testing.TB, cfg Config) *Framer {
	t.Helper()
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// trailerOf reads the ESP trailer as a NIC would report it.
func trailerOf(frame []byte) Trailer {
	end := len(frame) - ICVLen
	return Trailer{PadLength: frame[end-2], NextHeader: frame[end-1]}
}

// drawConfig draws any valid configuration.
func drawConfig(t *rapid.T) Config {
	cfg := Config{
		SPI:          rapid.Uint32Range(1, math.MaxUint32).Draw(t, "spi"),
		ESN:          rapid.Bool().Draw(t, "esn"),
		LastSequence: uint64(rapid.Uint32Range(0, math.MaxUint32-1).Draw(t, "last")),
		MTU:          maxIPLen,
		Align:        rapid.SampledFrom([]int{0, 4, 8, 16, 32, 64, 128}).Draw(t, "align"),
	}
	if cfg.ESN {
		cfg.LastSequence |= uint64(rapid.Uint32().Draw(t, "high")) << 32
	}
	if rapid.Bool().Draw(t, "tunnel") {
		cfg.Mode = Tunnel
		cfg.Src, cfg.Dst = v4Src, v4Dst
		if rapid.Bool().Draw(t, "outer6") {
			cfg.Src, cfg.Dst = v6Src, v6Dst
		}
		cfg.HopLimit = rapid.Uint8().Draw(t, "ttl")
		cfg.FixedDSCP = rapid.Bool().Draw(t, "fixed")
		cfg.DSCP = rapid.Uint8Range(0, 63).Draw(t, "dscp")
		cfg.DF = rapid.SampledFrom([]DontFragment{CopyDF, SetDF, ClearDF}).Draw(t, "df")
	}
	return cfg
}

// TestFrameThenStrip: any packet comes back byte for byte, and the framed one
// is what gopacket understands as ESP with good lengths and checksums.
func TestFrameThenStrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := drawConfig(rt)
		f := mustNew(t, cfg)
		payload := make([]byte, rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 9000)).Draw(rt, "payload"))
		for i := range payload {
			payload[i] = byte(i*7 + 3)
		}
		frame := plainFrame(t, rapid.Bool().Draw(rt, "ipv6"), rapid.Uint8().Draw(rt, "tos"), rapid.Bool().Draw(rt, "df"), payload)
		// Ethernet padding is not carried.
		padded := append(bytes.Clone(frame), make([]byte, rapid.IntRange(0, 46).Draw(rt, "padding"))...)

		buf := bytes.Repeat([]byte{0xA5}, len(frame)+200)
		info, err := f.Frame(buf, padded)
		if err != nil {
			rt.Fatal(err)
		}
		if info.Sequence != cfg.LastSequence+1 || f.LastSequence() != info.Sequence {
			rt.Fatalf("sequence number %d after %d", info.Sequence, cfg.LastSequence)
		}
		if buf[info.Length] != 0xA5 {
			rt.Fatal("wrote past the framed packet")
		}
		framed := buf[:info.Length]
		checkFramed(rt, cfg, frame, framed, info)

		back := make([]byte, len(frame))
		plain, err := Strip(back, framed, cfg.Mode, trailerOf(framed))
		if err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(back[:plain.Length], frame) {
			rt.Fatalf("came back as\n%x\nwas\n%x", back[:plain.Length], frame)
		}
		if plain.SPI != cfg.SPI || plain.Sequence != uint32(info.Sequence) {
			rt.Fatalf("SPI %#x sequence %d, want %#x %d", plain.SPI, plain.Sequence, cfg.SPI, uint32(info.Sequence))
		}
	})
}

// checkFramed judges a framed packet by gopacket's decoders and by the layout
// of RFC 4303, figure 1.
func checkFramed(t *rapid.T, cfg Config, frame, framed []byte, info Info) {
	packet := gopacket.NewPacket(framed, layers.LayerTypeEthernet, gopacket.Default)
	esp, ok := packet.Layer(layers.LayerTypeIPSecESP).(*layers.IPSecESP)
	if !ok {
		t.Fatalf("gopacket finds no ESP: %v", packet)
	}
	if esp.SPI != cfg.SPI || esp.Seq != uint32(info.Sequence) {
		t.Fatalf("gopacket reads SPI %#x sequence %d", esp.SPI, esp.Seq)
	}
	var ipLen int
	switch ip := packet.NetworkLayer().(type) {
	case *layers.IPv4:
		ipLen = int(ip.Length)
		if packet.NetworkLayer() == nil || ip.Protocol != layers.IPProtocolESP {
			t.Fatalf("IPv4 protocol %v", ip.Protocol)
		}
		if sum := onesSum(framed[14:34]); sum != 0xFFFF {
			t.Fatalf("IPv4 header sums to %#x", sum)
		}
		if cfg.Mode == Tunnel && !ip.SrcIP.Equal(cfg.Src.AsSlice()) {
			t.Fatalf("outer source %v", ip.SrcIP)
		}
	case *layers.IPv6:
		ipLen = int(ip.Length) + 40
		if ip.NextHeader != layers.IPProtocolESP {
			t.Fatalf("IPv6 next header %v", ip.NextHeader)
		}
		if cfg.Mode == Tunnel && !ip.DstIP.Equal(cfg.Dst.AsSlice()) {
			t.Fatalf("outer destination %v", ip.DstIP)
		}
	}
	if 14+ipLen != info.Length {
		t.Fatalf("IP length %d, frame of %d bytes", ipLen, info.Length)
	}
	encrypted := framed[info.ESPOffset+16 : info.Length-16]
	align := max(cfg.Align, 4)
	if len(encrypted)%align != 0 {
		t.Fatalf("%d encrypted bytes, aligned to %d", len(encrypted), align)
	}
	pad := int(encrypted[len(encrypted)-2])
	if pad >= align {
		t.Fatalf("%d bytes of padding for alignment %d", pad, align)
	}
	body := encrypted[:len(encrypted)-2-pad]
	want := frame[14:]
	if cfg.Mode == Transport {
		want = frame[info.ESPOffset:]
	}
	if !bytes.Equal(body, want) {
		t.Fatalf("payload is\n%x\nwant\n%x", body, want)
	}
	for i, b := range encrypted[len(body) : len(encrypted)-2] {
		if int(b) != i+1 {
			t.Fatalf("padding %x", encrypted[len(body):])
		}
	}
	for _, room := range [][]byte{framed[info.ESPOffset+8 : info.ESPOffset+16], framed[info.Length-16:]} {
		if !bytes.Equal(room, make([]byte, len(room))) {
			t.Fatalf("IV or ICV room is not zero: %x", room)
		}
	}
}

// onesSum is RFC 1071's sum, the slow way.
func onesSum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
		if sum > 0xFFFF {
			sum -= 0xFFFF
		}
	}
	return uint16(sum)
}

// TestOuterHeader fixes every field of both outer headers (RFC 4301, 5.1.2).
func TestOuterHeader(t *testing.T) {
	tests := []struct {
		name   string
		cfg    Config
		inner6 bool
		tos    uint8
		df     bool
		want   string // fields of the outer header as text
	}{
		{"v4 in v4, copies", Config{Src: v4Src, Dst: v4Dst}, false, 0xB9, true, "4500b9 id0000 df4000 ttl64"},
		{"v4 in v4, no DF", Config{Src: v4Src, Dst: v4Dst, LastSequence: 0x12344}, false, 0, false, "450000 id2345 df0000 ttl64"},
		{"v6 in v4 sets DF", Config{Src: v4Src, Dst: v4Dst}, true, 3, false, "450003 id0000 df4000 ttl64"},
		{"clear DF", Config{Src: v4Src, Dst: v4Dst, DF: ClearDF}, false, 0, true, "450000 id0001 df0000 ttl64"},
		{"set DF", Config{Src: v4Src, Dst: v4Dst, DF: SetDF}, false, 0, false, "450000 id0000 df4000 ttl64"},
		{"fixed DSCP keeps ECN", Config{Src: v4Src, Dst: v4Dst, FixedDSCP: true, DSCP: 46, HopLimit: 3}, false, 0x05, true, "4500b9 id0000 df4000 ttl3"},
		{"v4 in v6", Config{Src: v6Src, Dst: v6Dst}, false, 0xB9, false, "6b9 flow00000 ttl64"},
		{"v6 in v6, fixed DSCP", Config{Src: v6Src, Dst: v6Dst, FixedDSCP: true, DSCP: 1, HopLimit: 255}, true, 0xFE, false, "606 flow00000 ttl255"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.SPI, tt.cfg.Mode = 256, Tunnel
			buf := make([]byte, 512)
			if _, err := mustNew(t, tt.cfg).Frame(buf, plainFrame(t, tt.inner6, tt.tos, tt.df, []byte("x"))); err != nil {
				t.Fatal(err)
			}
			if got := outerFields(buf[14:]); got != tt.want {
				t.Errorf("outer header %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCopiesIntoFixedBufferOnly(t *testing.T) {
	frame := plainFrame(t, false, 0, true, make([]byte, 100))
	f := mustNew(t, Config{SPI: 1})
	need := 14 + f.FramedLength(len(frame)-14, 20)
	if _, err := f.Frame(make([]byte, need-1), frame); !errors.Is(err, ErrShortBuffer) {
		t.Fatalf("one byte short: %v", err)
	}
	if f.LastSequence() != 0 {
		t.Fatal("a failed call used up a sequence number")
	}
	info, err := f.Frame(make([]byte, need), frame)
	if err != nil || info.Length != need {
		t.Fatalf("exact buffer: %+v %v", info, err)
	}
}

// TestRefusals: every refusal is one sentence that names item, value and what
// is allowed, and has its kind.
func TestRefusals(t *testing.T) {
	v4 := plainFrame(t, false, 0, true, make([]byte, 64))
	v6 := plainFrame(t, true, 0, true, make([]byte, 64))
	edit := func(frame []byte, offset int, b ...byte) []byte {
		out := bytes.Clone(frame)
		copy(out[offset:], b)
		return out
	}
	withOptions := func() []byte {
		out := append(bytes.Clone(v4[:34]), 1, 1, 1, 1)
		out = append(out, v4[34:]...)
		out[14] = 0x46
		binary.BigEndian.PutUint16(out[16:], uint16(len(out)-14))
		binary.BigEndian.PutUint16(out[24:], ipv4HeaderChecksum(out[14:38]))
		return out
	}()
	tests := []struct {
		name  string
		frame []byte
		mode  Mode
		kind  error
		says  string
	}{
		{"too short", v4[:13], Transport, ErrMalformed, "13 bytes"},
		{"no packet", v4[:14], Transport, ErrMalformed, "empty"},
		{"ARP", edit(v4, 12, 8, 6), Transport, ErrNotIP, "0x0806"},
		{"VLAN", edit(v4, 12, 0x81, 0), Transport, ErrNotIP, "VLAN"},
		{"EtherType lies", edit(v4, 12, 0x86, 0xDD), Transport, ErrMalformed, "IPv6"},
		{"short IPv4", v4[:33], Transport, ErrMalformed, "19 bytes"},
		{"short IPv6", v6[:53], Tunnel, ErrMalformed, "39 bytes"},
		{"IHL 4", edit(v4, 14, 0x44), Transport, ErrMalformed, "16 bytes"},
		{"total length over frame", v4[:len(v4)-1], Transport, ErrMalformed, "92"},
		{"total length 0 (segmentation offload)", edit(v4, 16, 0, 0), Tunnel, ErrMalformed, "total length is 0"},
		{"payload length over frame", v6[:len(v6)-1], Transport, ErrMalformed, "payload length is 72"},
		{"checksum", edit(v4, 24, v4[24]^1), Transport, ErrMalformed, "checksum"},
		{"more fragments", edit(v4, 20, 0x20), Transport, ErrFragment, "fragment"},
		{"fragment offset", edit(v4, 20, 0, 1), Transport, ErrFragment, "fragment"},
		{"IPv6 fragment", edit(v6, 20, 44), Transport, ErrFragment, "fragment"},
		{"IPv4 options", withOptions, Transport, ErrOptions, "4 bytes of options"},
		{"hop-by-hop", edit(v6, 20, 0), Transport, ErrOptions, "extension header 0"},
		{"routing header", edit(v6, 20, 43), Transport, ErrOptions, "extension header 43"},
		{"no next header", edit(v6, 20, 59), Transport, ErrDummy, "protocol 59"},
		{"too long", plainFrame(t, false, 0, true, make([]byte, 1440)), Transport, ErrTooLong, "MTU is 1500"},
		{"too long for the tunnel", plainFrame(t, false, 0, true, make([]byte, 1420)), Tunnel, ErrTooLong, "1504"},
	}
	buf := make([]byte, 2048)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := mustNew(t, Config{SPI: 5, Mode: tt.mode, Src: v4Src, Dst: v4Dst})
			_, err := f.Frame(buf, tt.frame)
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q, want kind %q naming %q", err, tt.kind, tt.says)
			}
			if f.LastSequence() != 0 {
				t.Error("a refused packet used up a sequence number")
			}
		})
	}
	// What transport mode refuses for its shape a tunnel carries.
	for _, frame := range [][]byte{withOptions, edit(v4, 20, 0x20), edit(v6, 20, 44), edit(v4, 24, v4[24]^1)} {
		f := mustNew(t, Config{SPI: 5, Mode: Tunnel, Src: v6Src, Dst: v6Dst})
		info, err := f.Frame(buf, frame)
		if err != nil {
			t.Fatal(err)
		}
		back := make([]byte, 2048)
		plain, err := Strip(back, buf[:info.Length], Tunnel, trailerOf(buf[:info.Length]))
		if err != nil || !bytes.Equal(back[:plain.Length], frame) {
			t.Errorf("through the tunnel: %v", err)
		}
	}
	if _, err := mustNew(t, Config{SPI: 5}).FramePacket(buf, macs[:6], v4[14:]); !errors.Is(err, ErrMalformed) {
		t.Errorf("one MAC address: %v", err)
	}
}

func TestConfigRefusals(t *testing.T) {
	tests := []struct {
		cfg  Config
		says string
	}{
		{Config{}, "SPI is 0"},
		{Config{SPI: 1, LastSequence: 1 << 32}, "without ESN"},
		{Config{SPI: 1, MTU: 65536}, "MTU is 65536"},
		{Config{SPI: 1, MTU: -1}, "MTU is -1"},
		{Config{SPI: 1, Align: 6}, "alignment is 6"},
		{Config{SPI: 1, Align: 256}, "alignment is 256"},
		{Config{SPI: 1, Align: 2}, "alignment is 2"},
		{Config{SPI: 1, Mode: 2}, "mode 2"},
		{Config{SPI: 1, Mode: Tunnel}, "needs a source"},
		{Config{SPI: 1, Mode: Tunnel, Src: v4Src, Dst: v6Dst}, "different IP versions"},
		{Config{SPI: 1, Mode: Tunnel, Src: v4Src, Dst: v4Dst, DSCP: 64}, "DSCP is 64"},
		{Config{SPI: 1, Mode: Tunnel, Src: v4Src, Dst: v4Dst, DF: 3}, "DF choice is 3"},
	}
	for _, tt := range tests {
		if _, err := New(tt.cfg); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: error %v, want %q", tt.cfg, err, tt.says)
		}
	}
}

// TestSequenceEnds: the last number is used, none after it, also when many
// goroutines ask (RFC 4303, section 3.3.3).
func TestSequenceEnds(t *testing.T) {
	frame := plainFrame(t, false, 0, true, nil)
	for _, esn := range []bool{false, true} {
		last := uint64(math.MaxUint32)
		if esn {
			last = math.MaxUint64
		}
		f := mustNew(t, Config{SPI: 9, ESN: esn, LastSequence: last - 64})
		var mu sync.Mutex
		seen := map[uint64]bool{}
		refused := 0
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				buf := make([]byte, 256)
				for range 20 {
					info, err := f.Frame(buf, frame)
					mu.Lock()
					switch {
					case err == nil && !seen[info.Sequence]:
						seen[info.Sequence] = true
					case errors.Is(err, ErrSequenceExhausted):
						refused++
					default:
						t.Errorf("sequence %d twice, or error %v", info.Sequence, err)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(seen) != 64 || refused != 16 || !seen[last] {
			t.Errorf("ESN %v: %d numbers used, %d refused", esn, len(seen), refused)
		}
	}
	// With ESN the lower half simply goes on at zero.
	f := mustNew(t, Config{SPI: 9, ESN: true, LastSequence: math.MaxUint32})
	buf := make([]byte, 256)
	info, err := f.Frame(buf, frame)
	if err != nil || info.Sequence != 1<<32 || binary.BigEndian.Uint32(buf[info.ESPOffset+4:]) != 0 {
		t.Errorf("after 2^32-1: %+v %v", info, err)
	}
}

// TestMaxPacket: the stated longest packet fits, one byte more does not.
func TestMaxPacket(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := drawConfig(rt)
		cfg.MTU = rapid.IntRange(80, 2000).Draw(rt, "mtu")
		ipv6 := rapid.Bool().Draw(rt, "ipv6")
		own := 20
		if ipv6 {
			own = 40
		}
		f := mustNew(t, cfg)
		longest := f.MaxPacket(own)
		buf := make([]byte, 4096)
		for _, n := range []int{longest, longest + 1} {
			if n < own+8 {
				return
			}
			frame := plainFrame(t, ipv6, 0, true, make([]byte, n-own-8))
			_, err := f.Frame(buf, frame)
			if fits := n == longest; fits && err != nil || !fits && !errors.Is(err, ErrTooLong) {
				rt.Fatalf("%d of at most %d bytes: %v", n, longest, err)
			}
		}
	})
	if got := mustNew(t, Config{SPI: 1, MTU: 55}).MaxPacket(20); got != 0 {
		t.Errorf("MTU 55: %d", got)
	}
}

func TestNoAllocations(t *testing.T) {
	frame := plainFrame(t, false, 0, true, make([]byte, 1000))
	f := mustNew(t, Config{SPI: 9, Mode: Tunnel, Src: v6Src, Dst: v6Dst})
	buf, back := make([]byte, 2048), make([]byte, 2048)
	allocs := testing.AllocsPerRun(100, func() {
		info, err := f.Frame(buf, frame)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Strip(back, buf[:info.Length], Tunnel, trailerOf(buf[:info.Length])); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per packet", allocs)
	}
}

func BenchmarkFrameAndStrip(b *testing.B) {
	frame := plainFrame(b, false, 0, true, make([]byte, 1400))
	f := mustNew(b, Config{SPI: 9, ESN: true})
	buf, back := make([]byte, 2048), make([]byte, 2048)
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		info, err := f.Frame(buf, frame)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Strip(back, buf[:info.Length], Transport, trailerOf(buf[:info.Length])); err != nil {
			b.Fatal(err)
		}
	}
}
