// SPDX-License-Identifier: Apache-2.0

package sa

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

// Operations and results as in regs/espalier.rdl (espalier_sa_op,
// espalier_sa_result), written out because these tests judge the contract.
const (
	opNop, opAdd, opUpdate, opDelete, opRead, opRestore = 0, 1, 2, 3, 4, 5

	resOK, resBadOp, resBadIndex, resSlotInUse, resStale = 0, 1, 2, 3, 4
	resDuplicate, resFull, resBadRecord, resEmpty        = 5, 6, 7, 8
)

// Bits of the record's flags word.
const (
	flagInbound, flagIPv6, flagTunnel, flagESN = 1, 2, 4, 8
	keylenShift, queueShift                    = 4, 8
)

type record struct {
	spi, flags, esnHi, salt uint32
	dst, src                [16]byte
	key                     [32]byte
}

func (r record) inbound() bool  { return r.flags&flagInbound != 0 }
func (r record) ipv6() uint32   { return r.flags >> 1 & 1 }
func (r record) keylen() uint32 { return r.flags >> keylenShift & 3 }

// aesKey is the part of the key that counts.
func (r record) aesKey() []byte { return r.key[:16+8*r.keylen()] }

// script is a sequence of lines for the bench, see testdata/tb.cpp.
type script struct{ strings.Builder }

func (s *script) op(verb string, op, handle uint32, r record) {
	fmt.Fprintf(s, "%s %x %x %x %x %x %x %x %x %x\n", verb, op, handle, r.spi, r.flags, r.esnHi, r.salt, r.dst, r.src, r.key)
}

// cmd runs an operation to its end.
func (s *script) cmd(op, handle uint32, r record) { s.op("cmd", op, handle, r) }

// start begins one.
func (s *script) start(op, handle uint32, r record) { s.op("start", op, handle, r) }

func (s *script) rx(spi uint32, dst, src [16]byte, ipv6 uint32) {
	fmt.Fprintf(s, "rx %x %x %x %x\n", spi, dst, src, ipv6)
}

func (s *script) tx(handle, use uint32) { fmt.Fprintf(s, "tx %x %x\n", handle, use) }

func (s *script) say(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// Events, in the bench's notation.
type (
	cmdEvent struct {
		start, end            uint64
		result, cycles, dones uint32
		handleWE, gen         uint32
		lastWrite, firstWipe  uint64
		recWE                 uint32
		read                  record
	}
	rxEvent struct {
		asked, answered               uint64
		hit, handle, keylen, esn      uint32
		esnHi, salt, tunnel, rxQueues uint32
	}
	txEvent struct {
		asked, answered              uint64
		hit, keylen, esn, hi, salted uint32
	}
	dumpEvent    struct{ keys, powers [][16]byte }
	secretsEvent struct{ left, salts, keys, zeroised, live uint32 }
	cycleEvent   struct {
		cycle             uint64
		busy, zeroiseBusy uint32
	}
)

// log is what the bench printed, by kind and in order.
type log struct {
	cmds     []cmdEvent
	rxs      []rxEvent
	txs      []txEvent
	dumps    []dumpEvent
	secrets  []secretsEvent
	cycles   []cycleEvent
	zeroised []uint64
	drained  []uint64
	counters [][8]uint32 // SA_COUNTERS
	tallies  []uint32    // 1: all counters and the fingerprint of a slot are 0
}

// config is one build of the unit.
type config struct{ lanes, slots int }

func (c config) powers() int { return 4 * c.lanes }

var small, full, large = config{1, 16}, config{1, 1024}, config{1, 16384}

func build(t *testing.T, c config) string {
	t.Helper()
	return bench.Build(t, bench.Unit{
		Name:  "sa",
		Top:   "espalier_sa",
		Bench: "testdata/tb.cpp",
		Sources: []string{
			"rtl/espalier_regs_pkg.sv", "rtl/espalier_aes_sbox.sv", "rtl/espalier_ram_sdp.sv",
			"rtl/espalier_sa_install.sv", "rtl/espalier_sa_hash.sv", "rtl/espalier_sa_way.sv", "rtl/espalier_sa_lookup.sv",
			"rtl/espalier_sa_records.sv", "rtl/espalier_sa_inflight.sv", "rtl/espalier_sa_ctrl.sv", "rtl/espalier_sa.sv",
			"rtl/espalier_sa_cipher.sv", "rtl/espalier_sa_tally.sv", "rtl/espalier_sa_counters.sv",
		},
		Params: map[string]string{"NUM_SA": fmt.Sprint(c.slots), "LANES": fmt.Sprint(c.lanes)},
		// The bench looks into registers that must not keep secrets.
		Flags: []string{"--public-flat-rw", "-CFLAGS", fmt.Sprintf("-DPOWERS=%d", c.powers())},
	})
}

// run plays a script from power-up; the first thing it does is to wait until
// the start-up zeroisation is over.
func run(t *testing.T, c config, s *script) log {
	t.Helper()
	out := bench.Run(t, build(t, c), []byte("idle\n"+s.String()), fmt.Sprint(c.slots))
	var l log
	for _, line := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		if err := l.parse(line, c); err != nil {
			t.Fatalf("bench printed %q: %v", line, err)
		}
	}
	return l
}

func (l *log) parse(line string, c config) error {
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "":
	case "cmd":
		var e cmdEvent
		var dst, src string
		_, err := fmt.Sscanf(rest, "%d %d %x %d %d %x %x %d %d %x %x %x %x %s %s", &e.start, &e.end, &e.result, &e.cycles, &e.dones,
			&e.handleWE, &e.gen, &e.lastWrite, &e.firstWipe, &e.recWE, &e.read.spi, &e.read.flags, &e.read.esnHi, &dst, &src)
		if err != nil {
			return err
		}
		if e.read.dst, err = block(dst); err != nil {
			return err
		}
		if e.read.src, err = block(src); err != nil {
			return err
		}
		l.cmds = append(l.cmds, e)
	case "rx":
		var e rxEvent
		_, err := fmt.Sscanf(rest, "%d %d %x %x %x %x %x %x %x %x", &e.asked, &e.answered, &e.hit, &e.handle, &e.keylen,
			&e.esn, &e.esnHi, &e.salt, &e.tunnel, &e.rxQueues)
		if err != nil {
			return err
		}
		l.rxs = append(l.rxs, e)
	case "tx":
		var e txEvent
		if _, err := fmt.Sscanf(rest, "%d %d %x %x %x %x %x", &e.asked, &e.answered, &e.hit, &e.keylen, &e.esn, &e.hi, &e.salted); err != nil {
			return err
		}
		l.txs = append(l.txs, e)
	case "dump":
		var blocks [][16]byte
		for _, f := range strings.Fields(rest) {
			b, err := block(f)
			if err != nil {
				return err
			}
			blocks = append(blocks, b)
		}
		if len(blocks) != 15+c.powers() {
			return fmt.Errorf("%d blocks", len(blocks))
		}
		l.dumps = append(l.dumps, dumpEvent{blocks[:15], blocks[15:]})
	case "secrets":
		var e secretsEvent
		if _, err := fmt.Sscanf(rest, "%d %d %d %d %d", &e.left, &e.salts, &e.keys, &e.zeroised, &e.live); err != nil {
			return err
		}
		l.secrets = append(l.secrets, e)
	case "cycle":
		var e cycleEvent
		if _, err := fmt.Sscanf(rest, "%d %d %d", &e.cycle, &e.busy, &e.zeroiseBusy); err != nil {
			return err
		}
		l.cycles = append(l.cycles, e)
	case "counters":
		var e [8]uint32
		if _, err := fmt.Sscanf(rest, "%x %x %x %x %x %x %x %x", &e[0], &e[1], &e[2], &e[3], &e[4], &e[5], &e[6], &e[7]); err != nil {
			return err
		}
		l.counters = append(l.counters, e)
	case "tallies":
		var e uint32
		if _, err := fmt.Sscanf(rest, "%d", &e); err != nil {
			return err
		}
		l.tallies = append(l.tallies, e)
	case "zeroise", "drained":
		var at uint64
		if _, err := fmt.Sscanf(rest, "%d", &at); err != nil {
			return err
		}
		if kind == "zeroise" {
			l.zeroised = append(l.zeroised, at)
		} else {
			l.drained = append(l.drained, at)
		}
	default:
		return fmt.Errorf("unknown event")
	}
	return nil
}

func block(s string) (b [16]byte, err error) {
	raw, err := hex.DecodeString(s)
	if err == nil && len(raw) != len(b) {
		err = fmt.Errorf("%d bytes", len(raw))
	}
	copy(b[:], raw)
	return b, err
}

// wantKeys is what the key store of an SA must hold.
func (e dumpEvent) wantKeys(t *testing.T, what string, r record, c config) {
	t.Helper()
	want := roundKeys(r.aesKey())
	want = append(want, make([][16]byte, 15-len(want))...)
	for i := range want {
		if e.keys[i] != want[i] {
			t.Errorf("%s: round key %d is %x, want %x", what, i, e.keys[i], want[i])
		}
	}
	for i, p := range powersOf(hashKey(r.aesKey()), c.powers()) {
		if e.powers[i] != p {
			t.Errorf("%s: H^%d is %x, want %x", what, i+1, e.powers[i], p)
		}
	}
}

func (e dumpEvent) wantZero(t *testing.T, what string) {
	t.Helper()
	for i, b := range append(append([][16]byte{}, e.keys...), e.powers...) {
		if !bytes.Equal(b[:], make([]byte, 16)) {
			t.Errorf("%s: word %d of the key store is %x, want 0", what, i, b)
		}
	}
}
