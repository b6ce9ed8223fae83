// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// revived collects what a reset left in the queues and starts them.
func (b *bench) revived(t testing.TB) {
	t.Helper()
	if err := b.driver.StartQueues(b.ctx); err != nil {
		t.Fatal(err)
	}
}

// TestReset is LIFE-1, LIFE-2 and LIFE-3: all SAs work under their handles, ESN
// halves as updated, deleted ones stay away.
func TestReset(t *testing.T) {
	for _, c := range []struct {
		name       string
		reset      func(b *bench) (ResetReport, error)
		addressing bool
	}{
		{"reset", func(b *bench) (ResetReport, error) { return b.Reset(b.ctx) }, false},
		{"addressing reset", func(b *bench) (ResetReport, error) { return b.AddressingReset(b.ctx) }, true},
		{"standby", func(b *bench) (ResetReport, error) {
			if err := b.Standby(b.ctx); err != nil {
				return ResetReport{}, err
			}
			if n := len(b.driver.ListSAs()); n != 0 {
				return ResetReport{}, fmt.Errorf("%d SAs are in a NIC in standby", n)
			}
			if _, err := b.Reset(b.ctx); StatusOf(err) != StatusNotAccepted {
				return ResetReport{}, fmt.Errorf("reset in standby: %w", err)
			}
			return b.Resume(b.ctx)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBenchOn(t, Options{}, nic.Options{Slots: benchSlots, ControlProcessor: nic.Present})
			b.activate(t)
			out, in := b.add(t, esn(gcm(1, 0), 4)), b.add(t, esn(gcm(1, FlagInbound), 4))
			six := b.add(t, gcm(2, FlagInbound|FlagIPv6|FlagTunnel))
			gone := b.add(t, gcm(3, 0))
			if err := b.DeleteSA(b.ctx, gone); err != nil {
				t.Fatal(err)
			}
			for _, h := range []OffloadHandle{out, in} {
				if err := b.UpdateSA(b.ctx, UpdateSA{h, OperationESP, 1, 5}); err != nil {
					t.Fatal(err)
				}
			}
			for round := range 3 {
				report, err := c.reset(b)
				if err != nil || report.Restored != 3 || len(report.Differences) != 0 || report.AddressingReset != c.addressing {
					t.Fatalf("report %+v, error %v", report, err)
				}
				b.revived(t)
				if c.addressing {
					if b.Active() {
						t.Error("active without the encapsulation")
					}
					if got := b.exchange(t, 0, plain("x")); got.w1 != 0 {
						t.Errorf("word %#x", got.w1)
					}
					b.activate(t)
				}
				if got := b.exchange(t, out, framed(t, 1, 5<<32|uint64(round+1), true, "x")); got.w1 != 2 {
					t.Errorf("round %d: word %#x, want 2", round, got.w1)
				}
			}
			refusedAs(t, b.DeleteSA(b.ctx, gone), StatusInvalidParameter, "OffloadHandle")
			if err := b.DeleteSA(b.ctx, out, in, six); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestResetAborts: requests under way end before the reset completes, with
// REQUEST_ABORTED or as they would have; later ones are not accepted until it has.
func TestResetAborts(t *testing.T) {
	b := newBench(t, Options{})
	b.activate(t)
	slow := &slowDevice{device: b.device(), entered: make(chan struct{}, 8), release: make(chan struct{})}
	b.nic = slow
	h := b.add(t, gcm(1, FlagInbound))
	slow.hold.Store(true)
	result := make(chan error, 1)
	go func() { result <- b.DeleteSA(b.ctx, h) }()
	<-slow.entered
	done := make(chan error, 1)
	go func() { _, err := b.Reset(b.ctx); done <- err }()
	for b.gate.now() != resetting {
		time.Sleep(time.Millisecond)
	}
	refusedAs(t, b.AddSA(b.ctx, gcm(2, 0)), StatusNotAccepted, "adapter")
	refusedAs(t, b.DeleteSA(b.ctx, h), StatusNotAccepted, "adapter")
	refusedAs(t, b.SetParameters(b.ctx, Parameters{}), StatusNotAccepted, "adapter")
	_, err := b.PrepareSend(&Send{})
	refusedAs(t, err, StatusNotAccepted, "adapter")
	select {
	case err := <-done:
		t.Fatalf("the reset ended before the request: %v", err)
	default:
	}
	close(slow.release) // the device sees that its context has ended
	if err := <-result; StatusOf(err) != StatusRequestAborted {
		t.Errorf("aborted request: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	b.revived(t)
	if n := len(b.driver.ListSAs()); n != 0 {
		t.Errorf("an SA whose deletion was aborted is back: %d SAs", n)
	}
}

// TestResetDiffers: a NIC that brings back something else is found out, the
// adapter stays shut, and another reset brings it back.
func TestResetDiffers(t *testing.T) {
	b := newBench(t, Options{})
	b.add(t, gcm(1, FlagInbound))
	b.add(t, gcm(2, 0))
	for _, c := range []struct {
		field string
		spoil func(*driver.SAState)
	}{
		{"SPI", func(s *driver.SAState) { s.SA.SPI++ }},
		{"Dst", func(s *driver.SAState) { s.SA.Dst = s.SA.Src }},
		{"SequenceHi", func(s *driver.SAState) { s.SA.SequenceHi++ }},
		{"Tunnel", func(s *driver.SAState) { s.SA.Tunnel = true }},
		{"key fingerprint", func(s *driver.SAState) { s.Fingerprint[7] ^= 1 }},
		{"SA", func(s *driver.SAState) { s.Handle++ }},
	} {
		real := b.device()
		b.nic = &crookedDevice{real, c.spoil}
		report, err := b.Reset(b.ctx)
		if StatusOf(err) != StatusFailure || len(report.Differences) == 0 || !strings.Contains(fmt.Sprint(report.Differences), c.field) {
			t.Errorf("%s: report %+v, error %v", c.field, report, err)
		}
		refusedAs(t, b.AddSA(b.ctx, gcm(9, 0)), StatusNotAccepted, "adapter")
		b.nic = real
		if _, err := b.Reset(b.ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPause is LIFE-4.
func TestPause(t *testing.T) {
	b := newBench(t, Options{})
	b.activate(t)
	out, _ := b.pair(t, 1)
	if err := b.Pause(); err != nil {
		t.Fatal(err)
	}
	s := b.sendOf(t, out, framed(t, 1, 1, false, "x"))
	_, err := b.PrepareSend(s)
	refusedAs(t, err, StatusPaused, "adapter")
	b.add(t, gcm(2, 0)) // requests are served
	if err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	p, err := b.PrepareSend(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.pass(t, p); len(got) != 1 || got[0].w1 != 2 {
		t.Errorf("after restart: %+v", got)
	}
}

// TestHalt is LIFE-5: keys are cleared in the table and the NIC is closed.
func TestHalt(t *testing.T) {
	b := newBench(t, Options{})
	b.add(t, gcm(1, 0))
	deleted := b.add(t, gcm(2, 0))
	var keys []driver.Key
	for _, e := range b.table.all() {
		keys = append(keys, e.sa.Key)
	}
	if err := b.DeleteSA(b.ctx, deleted); err != nil {
		t.Fatal(err)
	}
	if err := b.Halt(b.ctx); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if string(k) != string(make([]byte, 16)) {
			t.Error("a key is left in memory")
		}
	}
	if len(b.ListSAs()) != 0 {
		t.Error("SAs are left")
	}
	refusedAs(t, b.AddSA(b.ctx, gcm(3, 0)), StatusNotAccepted, "adapter")
	if _, err := b.Reset(b.ctx); StatusOf(err) != StatusNotAccepted {
		t.Errorf("reset after halt: %v", err)
	}
	if err := b.driver.SetIPsec(true); err == nil {
		t.Error("the NIC is not closed")
	}
	if err := b.Halt(b.ctx); err != nil {
		t.Errorf("second halt: %v", err)
	}
}

// modelSA is what a sequential model says of one SA.
type modelSA struct {
	spi  uint32
	high uint32
	esn  bool
}

// TestLinearised is ADD-13: 64 goroutines of random requests, each answer as a
// sequential model says, and in the end exactly the model's SAs. Each goroutine
// owns its SPIs, so that its own order is the order of its SAs; capacity, which
// all share, is checked by counting.
func TestLinearised(t *testing.T) {
	for name, processor := range presences {
		t.Run(name, func(t *testing.T) { testLinearised(t, processor) })
	}
}

func testLinearised(t *testing.T, processor nic.Presence) {
	const workers, rounds, slots = 64, 200, 192
	b := newBenchOn(t, Options{}, nic.Options{Slots: slots, ControlProcessor: processor})
	b.activate(t)
	models := make([]map[OffloadHandle]modelSA, workers)
	var full int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range workers {
		models[w] = make(map[OffloadHandle]modelSA)
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(w)))
			model := models[w]
			var stale []OffloadHandle
			pick := func() OffloadHandle {
				n := r.IntN(len(model))
				for h := range model {
					if n == 0 {
						return h
					}
					n--
				}
				return 0
			}
			for i := range rounds {
				switch {
				case len(model) == 0 || r.IntN(3) == 0 && len(model) < 5:
					e := gcm(uint32(w+1)<<16|uint32(i+1), SAFlags(r.IntN(2))*FlagInbound)
					if r.IntN(2) == 0 {
						esn(e, r.Uint32N(5))
					}
					switch err := b.AddSA(b.ctx, e); {
					case err == nil:
						model[e.OffloadHandle] = modelSA{e.SecAssoc[0].SPI, e.SecAssoc[0].SequenceNumberHighOrder, e.SecAssoc[0].Flags != 0}
					case StatusOf(err) != StatusResources:
						t.Errorf("add: %v", err)
					default:
						mu.Lock()
						full++
						mu.Unlock()
					}
				case r.IntN(2) == 0:
					h := pick()
					m := model[h]
					high := r.Uint32N(100)
					err := b.UpdateSA(b.ctx, UpdateSA{h, OperationESP, m.spi, high})
					if (err == nil) != m.esn || err != nil && StatusOf(err) != StatusInvalidParameter {
						t.Errorf("update of %+v: %v", m, err)
					}
					if err == nil {
						m.high = high
						model[h] = m
					}
				case len(stale) > 0 && r.IntN(3) == 0:
					if err := b.DeleteSA(b.ctx, stale[r.IntN(len(stale))]); StatusOf(err) != StatusInvalidParameter {
						t.Errorf("delete of a stale handle: %v", err)
					}
				default:
					h := pick()
					if err := b.DeleteSA(b.ctx, h); err != nil {
						t.Errorf("delete: %v", err)
					}
					delete(model, h)
					stale = append(stale, h)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	want := make(map[OffloadHandle]modelSA)
	for _, m := range models {
		for h, sa := range m {
			want[h] = sa
		}
		total += len(m)
	}
	if len(want) != total || len(b.ListSAs()) != total {
		t.Fatalf("%d SAs with %d handles, %d in the table", total, len(want), len(b.ListSAs()))
	}
	seen := 0
	for s, err := range b.driver.SAStates(b.ctx) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		m, ok := want[b.handle(s.Handle)]
		if !ok || m.spi != s.SA.SPI || m.high != s.SA.SequenceHi || m.esn != s.SA.ESN {
			t.Errorf("the NIC has %v as %v, the model %+v", s.Handle, s.SA, m)
		}
	}
	if seen != total {
		t.Errorf("the NIC has %d SAs, the model %d", seen, total)
	}
	if differences, err := b.Compare(b.ctx); err != nil || len(differences) != 0 {
		t.Errorf("differences %v, error %v", differences, err)
	}
	t.Logf("%d SAs in the end, %d times full", total, full)
}

// TestResetUnderRequests: resets between requests of many goroutines lose no SA
// and bring none back.
func TestResetUnderRequests(t *testing.T) {
	for name, processor := range presences {
		t.Run(name, func(t *testing.T) { testResetUnderRequests(t, processor) })
	}
}

func testResetUnderRequests(t *testing.T, processor nic.Presence) {
	b := newBenchOn(t, Options{}, nic.Options{Slots: 64, ControlProcessor: processor})
	b.activate(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				e := esn(gcm(uint32(w+1)<<16|uint32(i&0xFFFF+1), FlagInbound), 1)
				if err := b.AddSA(b.ctx, e); err != nil {
					if s := StatusOf(err); s != StatusNotAccepted && s != StatusRequestAborted {
						t.Errorf("add: %v", err)
					}
					time.Sleep(50 * time.Microsecond)
					continue
				}
				high := uint32(i)
				for {
					err := b.UpdateSA(b.ctx, UpdateSA{e.OffloadHandle, OperationESP, e.SecAssoc[0].SPI, high})
					if err == nil {
						break
					}
					if s := StatusOf(err); s != StatusNotAccepted && s != StatusRequestAborted {
						t.Errorf("update: %v", err)
						return
					}
					time.Sleep(50 * time.Microsecond)
				}
				for {
					err := b.DeleteSA(b.ctx, e.OffloadHandle)
					if s := StatusOf(err); s == StatusNotAccepted {
						time.Sleep(50 * time.Microsecond)
						continue
					} else if s != StatusSuccess && s != StatusRequestAborted {
						t.Errorf("delete: %v", err)
					}
					break
				}
			}
		})
	}
	for range 100 {
		if report, err := b.Reset(b.ctx); err != nil {
			t.Fatalf("report %+v, error %v", report, err)
		}
		b.revived(t)
		time.Sleep(200 * time.Microsecond)
	}
	close(stop)
	wg.Wait()
	if n := len(b.ListSAs()); n != 0 {
		t.Errorf("%d SAs are left", n)
	}
	if differences, err := b.Compare(b.ctx); err != nil || len(differences) != 0 && len(b.table.orphans) == 0 {
		t.Errorf("differences %v, error %v", differences, err)
	}
}
