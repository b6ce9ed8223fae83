// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/espalier-nic/espalier/driver"
)

// goBed opens two Go NICs.
func goBed(t testing.TB, opts driver.Options) *Bed {
	t.Helper()
	bed, err := OpenBed(context.Background(), DeviceConfig{Device: "gonic"}, opts)
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

// planOf plans a capture of the repository over SAs of every kind.
func planOf(t testing.TB, capture string, seed uint64) *Plan {
	t.Helper()
	packets, err := LoadCapture(filepath.Join(captureFolder, capture))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	variety, err := ParseVariety("mixed", "mixed", "mixed", 128)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(packets, MakeSAs(packets, variety, rng), 9600, rng)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func mustRun(t testing.TB, bed *Bed, plan *Plan) *Result {
	t.Helper()
	result, err := Run(context.Background(), bed, plan, RunOptions{MaxMismatches: 5, StallCycles: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestRunOnGoNICs(t *testing.T) {
	for _, capture := range []string{"dns.pcap", "http.pcap", "iperf.pcap", "ping.pcap", "ssh.pcap", "tls.pcap"} {
		t.Run(capture, func(t *testing.T) {
			plan := planOf(t, capture, 1)
			r := mustRun(t, goBed(t, driver.Options{}), plan)
			for _, m := range r.Mismatches {
				t.Errorf("%v", m)
			}
			n := len(plan.Packets)
			if r.Packets != n || r.OnWire != n || r.Delivered != n || r.Decrypted != r.Protected {
				t.Errorf("of %d packets: %+v", n, r.Counts)
			}
			if r.Protected < n*9/10 {
				t.Errorf("only %d of %d packets were sent as ESP", r.Protected, n)
			}
		})
	}
}

func TestRunIsRepeatable(t *testing.T) {
	text := func() string {
		r := mustRun(t, goBed(t, driver.Options{TXQueues: 2, RXQueues: 3}), planOf(t, "ssh.pcap", 3))
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if a, b := text(), text(); a != b {
		t.Errorf("two runs with one seed differ:\n%s\n%s", a, b)
	}
}

// TestRunCatches damages frames on their way and checks that each kind of
// damage is reported at the stage where it first exists.
func TestRunCatches(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(frame []byte) []byte
		stage  Stage
	}{
		"a flipped bit":  {func(f []byte) []byte { f[len(f)-20] ^= 4; return f }, Wire},
		"a wrong length": {func(f []byte) []byte { return f[:len(f)-1] }, Wire},
		"a lost frame":   {func([]byte) []byte { return nil }, Wire},
	} {
		t.Run(name, func(t *testing.T) {
			bed := goBed(t, driver.Options{})
			honest, seen := bed.TakeFrames, 0
			bed.TakeFrames = func(yield func(WireFrame)) error {
				return honest(func(f WireFrame) {
					seen++
					if seen == 40 {
						if f.Frame = c.damage(f.Frame); f.Frame == nil {
							return
						}
					}
					yield(f)
				})
			}
			r := mustRun(t, bed, planOf(t, "dns.pcap", 1))
			if len(r.Mismatches) == 0 || r.Mismatches[0].Stage != c.stage {
				t.Errorf("reported: %v", r.Mismatches)
			}
		})
	}
}

func TestRunCatchesAFrameThatNobodySent(t *testing.T) {
	bed := goBed(t, driver.Options{})
	honest, seen := bed.TakeFrames, 0
	bed.TakeFrames = func(yield func(WireFrame)) error {
		return honest(func(f WireFrame) {
			yield(f)
			if seen++; seen == 129 { // the last of the capture
				yield(f)
			}
		})
	}
	r := mustRun(t, bed, planOf(t, "dns.pcap", 1))
	if r.Counts.Mismatches == 0 {
		t.Errorf("not reported; %d frames seen", seen)
	}
}

func TestRunStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	bed := goBed(t, driver.Options{})
	plan := planOf(t, "http.pcap", 1)
	_, err := Run(ctx, bed, plan, RunOptions{StallCycles: 1000, Progress: func(p Progress) {
		if p.Delivered > 50 {
			cancel()
		}
	}})
	if err == nil || ctx.Err() == nil {
		t.Errorf("run ended with %v", err)
	}
}

func TestRunFollowsSequenceNumbersOverTheWrap(t *testing.T) {
	plan := planOf(t, "tls.pcap", 1)
	for i := range plan.SAs {
		if plan.SAs[i].ESN {
			plan.SAs[i].LastSequence = 0x7_ffff_fffe
		}
	}
	r := mustRun(t, goBed(t, driver.Options{}), plan)
	if r.Counts.Mismatches != 0 || r.Decrypted != r.Protected {
		t.Errorf("%+v\n%v", r.Counts, fmt.Sprint(r.Mismatches))
	}
}
