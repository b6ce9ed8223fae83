// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/hostmem"
)

// Where remote memory is in these tests; nothing of hostmem is there.
const remoteBase = 0x5000_0000

// remoteHost answers requests out of a slice at remoteBase, in an order drawn at
// random, and remembers what was asked.
type remoteHost struct {
	t      testing.TB
	sim    *Sim
	memory []byte
	rng    *rand.Rand
	asked  []Request
	// late is the most cycles that an answer takes.
	late int
}

// run lets time pass until an interrupt, answering meanwhile.
func (h *remoteHost) run() {
	h.t.Helper()
	var waiting []Request
	for range 200000 {
		events, _, err := h.sim.Advance(uint64(1+h.rng.IntN(h.late)), EventRequest|EventInterrupt)
		ok(h.t, err)
		requests, err := h.sim.MemRequests()
		ok(h.t, err)
		if (len(requests) > 0) != (events&EventRequest != 0) {
			h.t.Fatalf("%d requests, events %#x", len(requests), events)
		}
		h.asked = append(h.asked, requests...)
		waiting = append(waiting, requests...)
		if events&EventInterrupt != 0 {
			if len(waiting) != 0 {
				h.t.Fatalf("the copy ended before %d requests were answered", len(waiting))
			}
			return
		}
		if len(waiting) > 0 && h.rng.IntN(3) == 0 {
			i := h.rng.IntN(len(waiting))
			h.answer(waiting[i])
			waiting = slices.Delete(waiting, i, i+1)
		}
	}
	h.t.Fatal("the copy does not end")
}

func (h *remoteHost) answer(r Request) {
	h.t.Helper()
	at := r.IOVA - remoteBase
	if at >= uint64(len(h.memory)) || uint64(len(h.memory))-at < uint64(r.Size) {
		ok(h.t, h.sim.MemAnswer(r.ID, false, nil))
		return
	}
	here := h.memory[at : at+uint64(r.Size)]
	if r.Write {
		copy(here, r.Data)
		here = nil
	}
	ok(h.t, h.sim.MemAnswer(r.ID, true, here))
}

func newRemoteHost(t testing.TB, options Options, seed uint64) *remoteHost {
	h := &remoteHost{t: t, sim: tinySim(t, options, seed), memory: make([]byte, 32<<10), rng: rand.New(rand.NewPCG(seed, 5)), late: 30}
	for i := range h.memory {
		h.memory[i] = byte(i*7 + i/256)
	}
	ok(t, h.sim.MemRemote(true))
	return h
}

// TestRemoteCopy: what is copied through requests is what is copied in memory,
// with every option, whoever holds source and target.
func TestRemoteCopy(t *testing.T) {
	const chunks, strobe = 100, 0x0FF0
	for name, options := range map[string]Options{"plain": nil, "random": randomOptions()} {
		for _, c := range []struct {
			name         string
			source, here bool // source is here, target is here
		}{{"both remote", false, false}, {"source remote", false, true}, {"target remote", true, false}, {"none remote", true, true}} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				h := newRemoteHost(t, options, 3)
				pool := hostmem.NewPool()
				defer pool.Close()
				m := mustAlloc(t, pool, 16384)
				copy(m.Bytes, h.memory)
				mustAdd(t, h.sim, m)
				from, to, target := uint64(remoteBase), uint64(remoteBase+8192), h.memory[8192:]
				if c.source {
					from = m.IOVA
				}
				if c.here {
					to, target = m.IOVA+8192, m.Bytes[8192:]
				}
				want := bytes.Clone(target)
				for i := range 64 * chunks {
					if i%64 < 16 && strobe>>(i%16)&1 == 0 {
						continue
					}
					want[i] = h.memory[i]
				}
				mustWrite(t, h.sim, tinyStrobe, strobe, 4)
				startCopy(t, h.sim, from, to, chunks)
				h.run()
				if result := mustRead(t, h.sim, tinyResult); result != 0 {
					t.Fatalf("result %d", result)
				}
				if !bytes.Equal(target, want) {
					t.Error("memory differs from what was to be copied")
				}
				reads, writes := 0, 0
				for _, r := range h.asked {
					if r.Write {
						writes++
					} else {
						reads++
					}
				}
				wantReads, wantWrites := chunks, 2*chunks // the strobes leave two pieces
				if c.source {
					wantReads = 0
				}
				if c.here {
					wantWrites = 0
				}
				if reads != wantReads || writes != wantWrites {
					t.Errorf("%d reads and %d writes were asked for, want %d and %d", reads, writes, wantReads, wantWrites)
				}
				if faults, err := h.sim.Faults(); err != nil || len(faults) != 0 {
					t.Errorf("faults %v, %v", faults, err)
				}
			})
		}
	}
}

// TestRemoteOrder: without mem_reorder a write is not asked for before the one
// before it was answered; reads are under way together.
func TestRemoteOrder(t *testing.T) {
	h := newRemoteHost(t, nil, 1)
	startCopy(t, h.sim, remoteBase, remoteBase+8192, 8)
	next := func() []Request {
		events, _, err := h.sim.Advance(1000, EventRequest)
		ok(t, err)
		if events&EventRequest == 0 {
			return nil
		}
		_, _, err = h.sim.Advance(500, 0) // whatever else comes
		ok(t, err)
		requests, err := h.sim.MemRequests()
		ok(t, err)
		return requests
	}
	reads := next()
	if len(reads) != 4 { // as many as tiny_nic has buffers
		t.Fatalf("%d reads together: %+v", len(reads), reads)
	}
	for _, r := range slices.Backward(reads) { // the last first: AXI's order is the simulator's affair
		h.answer(r)
	}
	writes := next()
	if len(writes) != 1 || !writes[0].Write || writes[0].IOVA != remoteBase+8192 || writes[0].Size != 64 || !bytes.Equal(writes[0].Data, h.memory[:64]) {
		t.Fatalf("first write: %+v", writes)
	}
	if more := next(); more != nil {
		t.Fatalf("asked for before the first write was answered: %+v", more)
	}
	h.answer(writes[0])
	more := next()
	at := slices.IndexFunc(more, func(r Request) bool { return r.Write })
	if at < 0 || more[at].IOVA != remoteBase+8192+64 {
		t.Fatalf("after the first write: %+v", more)
	}
}

// TestRemoteRefused: a refused request is what an access to nothing is.
func TestRemoteRefused(t *testing.T) {
	h := newRemoteHost(t, nil, 1)
	end := remoteBase + uint64(len(h.memory))
	for _, c := range []struct {
		name     string
		from, to uint64
		result   uint32
		fault    pcie.Fault
	}{
		{"read", end, remoteBase, 1, pcie.Fault{IOVA: end, Size: 64}},
		{"write", remoteBase, end, 2, pcie.Fault{IOVA: end, Size: 64, Write: true}},
	} {
		startCopy(t, h.sim, c.from, c.to, 1)
		h.run()
		if result := mustRead(t, h.sim, tinyResult); result != c.result {
			t.Errorf("%s: result %d, want %d", c.name, result, c.result)
		}
		faults, err := h.sim.Faults()
		ok(t, err)
		if len(faults) == 1 && faults[0].Cycle > 0 {
			faults[0].Cycle = 0
		}
		if !slices.Equal(faults, []pcie.Fault{c.fault}) {
			t.Errorf("%s: faults %+v", c.name, faults)
		}
	}
}

// TestRemoteWithdrawn: memory withdrawn between a read's address and its data is
// asked for; memory that is added keeps what was asked.
func TestRemoteWithdrawn(t *testing.T) {
	h := newRemoteHost(t, Options{"mem_read_latency_min": 200, "mem_read_latency_max": 200}, 1)
	pool := hostmem.NewPool()
	defer pool.Close()
	m := mustAlloc(t, pool, 4096)
	ok(t, h.sim.MemAdd(remoteBase, m.Bytes, ReadAccess))
	startCopy(t, h.sim, remoteBase, remoteBase+8192, 1)
	_, _, err := h.sim.Advance(50, 0)
	ok(t, err)
	ok(t, h.sim.MemRemove(remoteBase, 4096))
	h.run()
	if !bytes.Equal(h.memory[8192:8192+64], h.memory[:64]) {
		t.Error("what was copied is not what the host has")
	}
	if len(h.asked) != 2 {
		t.Errorf("asked: %+v", h.asked)
	}
}

// TestRemoteOff: turning it off, and the reset, end what waits; later answers do
// nothing; then all is as if it had never been on.
func TestRemoteOff(t *testing.T) {
	h := newRemoteHost(t, nil, 1)
	take := func() Request {
		t.Helper()
		_, _, err := h.sim.Advance(1000, EventRequest)
		ok(t, err)
		requests, err := h.sim.MemRequests()
		ok(t, err)
		if len(requests) != 1 {
			t.Fatalf("requests %+v", requests)
		}
		return requests[0]
	}
	startCopy(t, h.sim, remoteBase, remoteBase+8192, 1)
	r := take()
	ok(t, h.sim.MemRemote(false))
	if result, _ := finishCopy(t, h.sim); result != 1 {
		t.Errorf("result %d after remote memory was turned off", result)
	}
	ok(t, h.sim.MemAnswer(r.ID, true, make([]byte, 64)))
	startCopy(t, h.sim, remoteBase, remoteBase+8192, 1)
	if result, _ := finishCopy(t, h.sim); result != 1 {
		t.Errorf("result %d with remote memory off", result)
	}
	if faults, err := h.sim.Faults(); err != nil || len(faults) != 2 {
		t.Errorf("faults %+v, %v", faults, err)
	}

	ok(t, h.sim.MemRemote(true))
	startCopy(t, h.sim, remoteBase, remoteBase+8192, 1)
	r = take()
	ok(t, h.sim.HardReset())
	ok(t, h.sim.MemAnswer(r.ID, true, make([]byte, 64)))
	if requests, err := h.sim.MemRequests(); err != nil || len(requests) != 0 {
		t.Errorf("requests after a reset: %+v, %v", requests, err)
	}
	startCopy(t, h.sim, remoteBase, remoteBase+8192, 1)
	_, _, err := h.sim.Advance(1000, EventRequest)
	ok(t, err)
	ok(t, h.sim.HardReset()) // with a request that nobody has taken
	if requests, err := h.sim.MemRequests(); err != nil || len(requests) != 0 {
		t.Errorf("requests after a reset: %+v, %v", requests, err)
	}
	startCopy(t, h.sim, remoteBase, remoteBase+8192, 4)
	h.run()
	if result := mustRead(t, h.sim, tinyResult); result != 0 {
		t.Errorf("result %d after the reset", result)
	}
}

func TestRemoteArguments(t *testing.T) {
	h := newRemoteHost(t, nil, 1)
	startCopy(t, h.sim, remoteBase, remoteBase+8192, 1)
	_, _, err := h.sim.Advance(1000, EventRequest)
	ok(t, err)
	if err := h.sim.MemAnswer(1, true, make([]byte, 64)); !errors.Is(err, ErrInvalid) {
		t.Errorf("answer to a request that nobody has taken: %v", err)
	}
	requests, err := h.sim.MemRequests()
	ok(t, err)
	id := requests[0].ID
	for name, err := range map[string]error{
		"no data":      h.sim.MemAnswer(id, true, nil),
		"too short":    h.sim.MemAnswer(id, true, make([]byte, 63)),
		"too long":     h.sim.MemAnswer(id, true, make([]byte, 65)),
		"unknown":      h.sim.MemAnswer(id+1, true, make([]byte, 64)),
		"never a name": h.sim.MemAnswer(0, false, nil),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ok(t, h.sim.MemAnswer(id, true, make([]byte, 64)))
	if err := h.sim.MemAnswer(id, true, make([]byte, 64)); !errors.Is(err, ErrInvalid) {
		t.Errorf("second answer: %v", err)
	}
}

// TestRemoteChangesNothing: where all memory is declared, the same run takes the
// same cycles with remote memory on.
func TestRemoteChangesNothing(t *testing.T) {
	run := func(remote bool) uint64 {
		pool := hostmem.NewPool()
		defer pool.Close()
		m := mustAlloc(t, pool, 16384)
		s := tinySim(t, randomOptions(), 11)
		mustAdd(t, s, m)
		if remote {
			ok(t, s.MemRemote(true))
		}
		startCopy(t, s, m.IOVA, m.IOVA+8192, 100)
		_, cycles := finishCopy(t, s)
		return cycles
	}
	if off, on := run(false), run(true); off != on {
		t.Errorf("the copy takes %d cycles, %d with remote memory on", off, on)
	}
}

// TestRemoteMissing: a library without the functions says so.
func TestRemoteMissing(t *testing.T) {
	lib, err := Load(compile(t, stub(`{"design":"x","bars":[{"index":0,"size":4096}],"vectors":1,"mac_ports":1}`)))
	ok(t, err)
	s := &Sim{lib: lib, handle: 1}
	if err := s.MemRemote(true); !errors.Is(err, ErrNotSupported) {
		t.Errorf("remote memory: %v", err)
	}
}
