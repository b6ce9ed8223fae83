// SPDX-License-Identifier: Apache-2.0

// Package rxparse tests espalier_rx_parse against a classifier written from
// docs/nic-contract.md.
package rxparse

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

// config is one build of the unit.
type config struct{ lanes, maxFrame int }

var normal = config{1, 9600}

func (c config) beat() int { return 16 * c.lanes }

func (c config) beats(n int) int { return (n + c.beat() - 1) / c.beat() }

func build(t testing.TB, c config) string {
	t.Helper()
	return bench.Build(t, bench.Unit{
		Name:    "rx_parse",
		Top:     "espalier_rx_parse",
		Bench:   "testdata/tb.cpp",
		Sources: []string{"rtl/espalier_pkg.sv", "rtl/espalier_fifo.sv", "rtl/espalier_rx_parse_header.sv", "rtl/espalier_rx_parse.sv"},
		Params:  map[string]string{"LANES": fmt.Sprint(c.lanes), "MAX_FRAME": fmt.Sprint(c.maxFrame)},
		Flags:   []string{"-CFLAGS", fmt.Sprintf("-DLANES=%d", c.lanes)},
	})
}

// pace is how the bench drives the unit's edges.
type pace struct {
	seed          int
	in, out, meta int // percent of cycles with beat, ready, ready
	lookups       string
}

func (p pace) args() []string {
	return []string{fmt.Sprint(p.seed), fmt.Sprint(p.in), fmt.Sprint(p.out), fmt.Sprint(p.meta), p.lookups}
}

func (p pace) String() string { return strings.Join(p.args(), " ") }

var fullSpeed = pace{1, 100, 100, 100, "steady"}

// input is one frame and the settings under which it arrives.
type input struct {
	data    []byte
	flagged bool
	enable  bool // RX_ENABLE when it begins
	ipsec   bool
	queue   int // RX_DEFAULT
}

// scenario writes the bench's script and keeps what is to be expected.
type scenario struct {
	text   strings.Builder
	inputs []input
	now    input // settings in force
}

func newScenario() *scenario {
	return &scenario{now: input{enable: true, ipsec: true}}
}

func (s *scenario) set(enable, ipsec bool, queue int) {
	flag := map[bool]int{true: 1}
	if enable != s.now.enable {
		fmt.Fprintf(&s.text, "enable %d\n", flag[enable])
	}
	if ipsec != s.now.ipsec {
		fmt.Fprintf(&s.text, "ipsec %d\n", flag[ipsec])
	}
	if queue != s.now.queue {
		fmt.Fprintf(&s.text, "default %d\n", queue)
	}
	s.now.enable, s.now.ipsec, s.now.queue = enable, ipsec, queue
}

func (s *scenario) frame(data []byte, flagged bool) {
	in := s.now
	in.data, in.flagged = data, flagged
	s.inputs = append(s.inputs, in)
	bad := 0
	if flagged {
		bad = 1
	}
	fmt.Fprintf(&s.text, "frame %d %x\n", bad, data)
}

// frameWithChange is a frame in whose middle RX_ENABLE changes.
func (s *scenario) frameWithChange(data []byte, beat int, enable bool) {
	flag := map[bool]int{true: 1}
	fmt.Fprintf(&s.text, "change %d %d\n", beat, flag[enable])
	s.frame(data, false)
	s.now.enable = enable
}

// output is what the bench printed.
type output struct {
	reqs   []lookup
	metas  []meta
	frames []outFrame
	stats  []int
	ins    [][2]uint64
}

type meta struct {
	crypt, sa, keylen, esn, seqHi, salt, espOff, plen, skip uint32
	user                                                    uint64
}

type outFrame struct {
	bad         bool
	first, last uint64
	data        []byte
}

func run(t *testing.T, c config, p pace, s *scenario) output {
	t.Helper()
	var o output
	raw := bench.Run(t, build(t, c), []byte(s.text.String()), p.args()...)
	for _, line := range strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") {
		if err := o.parse(line); err != nil {
			t.Fatalf("bench printed %q: %v", line, err)
		}
	}
	return o
}

func (o *output) parse(line string) error {
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "req":
		var l lookup
		var dst, src string
		var ipv6 int
		if _, err := fmt.Sscanf(rest, "%x %s %s %d", &l.spi, &dst, &src, &ipv6); err != nil {
			return err
		}
		l.ipv6 = ipv6 != 0
		for text, to := range map[*string]*[16]byte{&dst: &l.dst, &src: &l.src} {
			b, err := hex.DecodeString(*text)
			if err != nil {
				return err
			}
			copy(to[:], b)
		}
		o.reqs = append(o.reqs, l)
	case "meta":
		var m meta
		if _, err := fmt.Sscanf(rest, "%d %d %d %d %d %d %d %d %d %d", &m.crypt, &m.sa, &m.keylen, &m.esn, &m.seqHi, &m.salt,
			&m.espOff, &m.plen, &m.skip, &m.user); err != nil {
			return err
		}
		o.metas = append(o.metas, m)
	case "frame":
		var f outFrame
		var bad int
		var text string
		if _, err := fmt.Sscanf(rest, "%d %d %d %s", &bad, &f.first, &f.last, &text); err != nil {
			return err
		}
		f.bad = bad != 0
		b, err := hex.DecodeString(strings.TrimPrefix(text, "-"))
		if err != nil {
			return err
		}
		f.data = b
		o.frames = append(o.frames, f)
	case "stat":
		var n int
		if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
			return err
		}
		o.stats = append(o.stats, n)
	case "in":
		var span [2]uint64
		if _, err := fmt.Sscanf(rest, "%d %d", &span[0], &span[1]); err != nil {
			return err
		}
		o.ins = append(o.ins, span)
	default:
		return fmt.Errorf("unknown event")
	}
	return nil
}

// judge compares everything that came out with what the contract says.
func judge(t *testing.T, c config, p pace, s *scenario) output {
	t.Helper()
	o := run(t, c, p, s)
	var reqs, outs, stats int
	for i, in := range s.inputs {
		if !in.enable {
			continue
		}
		where := fmt.Sprintf("%v: frame %d (%d bytes, %x...)", p, i, len(in.data), in.data[:min(len(in.data), 64)])
		v := classify(in.data, in.flagged, c.maxFrame)

		if stats >= len(o.stats) || outs >= len(o.frames) || outs >= len(o.metas) {
			t.Fatalf("%s: nothing came out", where)
		}
		if got, want := o.stats[stats], min(len(in.data), 16383); got != want {
			t.Fatalf("%s: counted with %d bytes", where, got)
		}
		stats++

		got, m := o.frames[outs], o.metas[outs]
		outs++
		if got.bad != v.bad {
			t.Fatalf("%s: marked bad %v, want %v", where, got.bad, v.bad)
		}
		want := in.data
		if len(in.data) > c.maxFrame {
			if c.beats(len(got.data)) > c.beats(c.maxFrame) {
				t.Fatalf("%s: %d bytes left, MAX_FRAME is %d", where, len(got.data), c.maxFrame)
			}
			want = want[:min(len(got.data), len(want))]
		}
		if !bytes.Equal(got.data, want) {
			t.Fatalf("%s: came out as %x", where, got.data)
		}

		// A frame that turns out bad may have been looked up by then; whatever
		// the description says about it does not matter.
		esp := v.esp && in.ipsec
		kind, answer := untouched, meta{}
		if esp {
			if reqs >= len(o.reqs) || o.reqs[reqs] != v.key {
				t.Fatalf("%s: lookup %+v, want %+v", where, o.reqs[min(reqs, len(o.reqs)-1)], v.key)
			}
			reqs++
			spi := v.key.spi
			switch {
			case spi&1 == 0:
				kind = noSA
			case v.possible:
				kind = withSA
			default:
				kind = badLength
			}
			if kind == withSA || kind == badLength {
				answer = meta{sa: spi * 0x9E3779B1 & 1023, keylen: (spi >> 1) % 3, esn: spi >> 3 & 1, seqHi: ^spi, salt: spi ^ 0x55555555}
				answer.user = uint64(spi*0x9E3779B1) | uint64(spi>>5&15)<<32 | uint64(spi>>4&1)<<36
			}
		}
		if kind == untouched || kind == noSA {
			answer.user = uint64(in.queue) << 32
		}
		answer.user |= uint64(kind) << 37
		if kind == withSA {
			answer.crypt, answer.espOff, answer.plen = 1, uint32(v.offset), uint32(v.p)
		} else {
			m.espOff, m.plen = 0, 0
		}
		if m != answer {
			t.Fatalf("%s: description %+v, want %+v", where, m, answer)
		}
	}
	if len(o.reqs) != reqs || len(o.frames) != outs || len(o.metas) != outs || len(o.stats) != stats {
		t.Errorf("%v: %d lookups, %d frames, %d descriptions, %d counted; want %d, %d, %d, %d", p,
			len(o.reqs), len(o.frames), len(o.metas), len(o.stats), reqs, outs, outs, stats)
	}
	return o
}

// espFrame is a well-formed ESP frame with P bytes between IV and ICV, and pad
// bytes behind the IP packet.
func espFrame(rng *rand.Rand, ipv6 bool, p, pad int) []byte {
	header := 20
	if ipv6 {
		header = 40
	}
	f := make([]byte, 14+header+32+p+pad)
	rng.Read(f)
	ip := f[14:]
	if ipv6 {
		binary.BigEndian.PutUint16(f[12:], 0x86DD)
		ip[0] = 0x60 | ip[0]&15
		binary.BigEndian.PutUint16(ip[4:], uint16(32+p))
		ip[6] = 50
	} else {
		binary.BigEndian.PutUint16(f[12:], 0x0800)
		ip[0] = 0x45
		binary.BigEndian.PutUint16(ip[2:], uint16(20+32+p))
		ip[6], ip[7] = ip[6]&0xC0, 0
		ip[9] = 50
	}
	return f
}
