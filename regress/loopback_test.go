// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// wrongNIC is a NIC that is wrong in one way: its BAR 0 changes what is written.
type wrongNIC struct {
	pcie.Function
	write func(offset uint64, v uint32) uint32
}

func (w *wrongNIC) BAR(n int) (pcie.BAR, error) {
	bar, err := w.Function.BAR(n)
	if err != nil || n != pcie.RegisterBAR {
		return bar, err
	}
	return &wrongBAR{bar, w.write}, nil
}

type wrongBAR struct {
	pcie.BAR
	write func(offset uint64, v uint32) uint32
}

func (b *wrongBAR) Write32(offset uint64, v uint32) error {
	return b.BAR.Write32(offset, b.write(offset, v))
}

// loopbackBed opens a Go NIC without a control processor in loopback; wrong, if
// not nil, changes what is written to its registers.
func loopbackBed(t testing.TB, wrong func(offset uint64, v uint32) uint32, opts driver.Options) *Bed {
	t.Helper()
	ctx := context.Background()
	device, err := OpenDevice(ctx, DeviceConfig{Device: "gonic:window"})
	if err != nil {
		t.Fatal(err)
	}
	if wrong != nil {
		device.Function = &wrongNIC{device.Function, wrong}
	}
	bed, err := OpenLoopback(ctx, device, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return bed
}

func TestLoopback(t *testing.T) {
	for _, c := range []struct {
		capture string
		opts    driver.Options
	}{
		{"dns.pcap", driver.Options{}},
		{"http.pcap", driver.Options{TXQueues: 1, RXQueues: 1}},
		{"iperf.pcap", driver.Options{}},
		{"ping.pcap", driver.Options{TXQueues: 2, RXQueues: 3}},
		{"ssh.pcap", driver.Options{TXRing: 8, RXRing: 8}},
		{"tls.pcap", driver.Options{}},
	} {
		t.Run(c.capture, func(t *testing.T) {
			plan := planOf(t, c.capture, 1)
			frames, last := 0, Progress{}
			bed := loopbackBed(t, nil, c.opts)
			r, err := Run(context.Background(), bed, plan, RunOptions{
				MaxMismatches: 5, StallCycles: 100_000, Progress: func(p Progress) { last = p },
				OnFrame: func(WireFrame) error { frames++; return nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range r.Mismatches {
				t.Errorf("%v", m)
			}
			n := len(plan.Packets)
			if r.Packets != n || r.OnWire != n || r.Delivered != n || r.Decrypted != r.Protected || r.Protected < n*9/10 || frames != n {
				t.Errorf("of %d packets, %d frames shown: %+v", n, frames, r.Counts)
			}
			if last.Done != n || last.Total != n {
				t.Errorf("progress ends at %d of %d", last.Done, last.Total)
			}
			if len(r.NotSeen) != 1 || !strings.Contains(r.NotSeen[0], "loopback") {
				t.Errorf("not seen: %q", r.NotSeen)
			}
			// The counters tell that both passes were made: all sent once, then again.
			if sent, received := r.Sender.TXFrames, r.Receiver.RXFrames; sent != uint64(n) || received != uint64(2*n) {
				t.Errorf("the NIC has sent %v frames in the first pass and received %v in both, of %d", sent, received, n)
			}
		})
	}
}

func TestLoopbackIsRepeatable(t *testing.T) {
	text := func() string {
		b, err := json.Marshal(mustRun(t, loopbackBed(t, nil, driver.Options{TXQueues: 2, RXQueues: 3}), planOf(t, "ssh.pcap", 3)))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if a, b := text(), text(); a != b {
		t.Errorf("two runs with one seed differ:\n%s\n%s", a, b)
	}
}

// TestLoopbackFollowsSequenceNumbersOverTheWrap: in both passes.
func TestLoopbackFollowsSequenceNumbersOverTheWrap(t *testing.T) {
	plan := planOf(t, "tls.pcap", 1)
	for i := range plan.SAs {
		if plan.SAs[i].ESN {
			plan.SAs[i].LastSequence = 0x7_ffff_fffe
		}
	}
	r := mustRun(t, loopbackBed(t, nil, driver.Options{}), plan)
	if r.Counts.Mismatches != 0 || r.Decrypted != r.Protected {
		t.Errorf("%+v\n%v", r.Counts, r.Mismatches)
	}
}

// TestLoopbackCatches: a NIC that is wrong is found out, also if it is wrong in
// the same way both ways, and the report names the stage where it first is.
func TestLoopbackCatches(t *testing.T) {
	turned := func() func(offset uint64, v uint32) bool { // true from the second pass on
		deleted := false
		return func(offset uint64, v uint32) bool {
			deleted = deleted || offset == regs.SACmdOffset && regs.SACmd(v).Op() == regs.SAOpDelete
			return deleted
		}
	}
	flip := func(at uint64) func() func(uint64, uint32) uint32 {
		return func() func(uint64, uint32) uint32 {
			return func(offset uint64, v uint32) uint32 {
				if offset == at {
					v ^= 1 << 9
				}
				return v
			}
		}
	}
	inbound := func(wrong func() func(uint64, uint32) uint32) func() func(uint64, uint32) uint32 {
		return func() func(uint64, uint32) uint32 {
			after, wrong := turned(), wrong()
			return func(offset uint64, v uint32) uint32 {
				if after(offset, v) {
					return wrong(offset, v)
				}
				return v
			}
		}
	}
	for name, c := range map[string]struct {
		wrong func() func(offset uint64, v uint32) uint32
		stage Stage
		field string
	}{
		"wrong key both ways":        {flip(regs.SAKeyOffset(0)), Wire, "ESP payload block 0"},
		"wrong salt both ways":       {flip(regs.SASaltOffset), Wire, "ESP payload block 0"},
		"wrong upper half both ways": {flip(regs.SAESNHiOffset), Wire, "ESP IV"},
		"wrong key inbound":          {inbound(flip(regs.SAKeyOffset(0))), Delivered, "ESP payload block 0"},
		"wrong SPI inbound":          {inbound(flip(regs.SASPIOffset)), Delivered, "differs"},
		"wrong queue inbound": {inbound(func() func(uint64, uint32) uint32 {
			return func(offset uint64, v uint32) uint32 {
				if offset == regs.SAFlagsOffset {
					f := regs.SAFlags(v)
					v = uint32(f.WithRxQueue(f.RxQueue() ^ 1))
				}
				return v
			}
		}), Delivered, ""},
		"last doorbell lost": {func() func(uint64, uint32) uint32 {
			return func(offset uint64, v uint32) uint32 {
				if offset >= regs.TxqOffset(0) && offset < regs.TxqOffset(regs.TxqCount) && offset%0x1000 == regs.QueueTailOffset && v > 0 {
					v-- // what was posted last waits for the next doorbell
				}
				return v
			}
		}, Wire, "missing"},
		"nothing wrong": {func() func(uint64, uint32) uint32 {
			return func(_ uint64, v uint32) uint32 { return v }
		}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := mustRun(t, loopbackBed(t, c.wrong(), driver.Options{}), planOf(t, "dns.pcap", 1))
			if c.stage == "" {
				if r.Counts.Mismatches != 0 {
					t.Errorf("a right NIC is called wrong: %v", r.Mismatches)
				}
				return
			}
			if len(r.Mismatches) == 0 {
				t.Fatalf("not caught: %+v", r.Counts)
			}
			if first := r.Mismatches[0]; first.Stage != c.stage || !strings.Contains(first.Field, c.field) {
				t.Errorf("first report is %q %s, wanted is %q %q", first.Stage, first.Field, c.stage, c.field)
			}
		})
	}
}
