// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
	"github.com/espalier-nic/espalier/driver/pcie/hostmem"
)

// patienceOfTests bounds what must happen on a clock that runs by itself.
const patienceOfTests = 20 * time.Second

// running is a Device under test with what it has told its host.
type running struct {
	*Device
	t        testing.TB
	messages chan endpoint.Message
	faults   chan pcie.Fault

	mu  sync.Mutex
	log []string
}

// openRunning opens tiny_nic, enabled, with its vectors unmasked. Its clock
// stands still until start.
func openRunning(t testing.TB, options Options) *running {
	t.Helper()
	return openRunningOf(t, loadTiny(t), options)
}

// openRunningOf is openRunning with a library of tiny_nic.
func openRunningOf(t testing.TB, lib *Library, options Options) *running {
	t.Helper()
	r := &running{t: t, messages: make(chan endpoint.Message, 1000), faults: make(chan pcie.Fault, 1000)}
	d, err := OpenDevice(lib, DeviceConfig{
		Options: options, Seed: 1,
		Deliver: func(m endpoint.Message) { r.messages <- m },
		Fault:   func(f pcie.Fault) { r.faults <- f },
		Log: func(format string, args ...any) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.log = append(r.log, fmt.Sprintf(format, args...))
		},
	})
	ok(t, err)
	r.Device = d
	t.Cleanup(func() { ok(t, d.Close()) })
	ok(t, d.ConfigWrite(pcie.ConfigCommand, 2, pcie.CommandMemory|pcie.CommandBusMaster))
	ok(t, d.Endpoint().SetVectors(8))
	return r
}

// start lets the clocks of devices run until the test ends.
func start(t testing.TB, all ...*running) *Runner {
	t.Helper()
	devices := make([]*Device, len(all))
	for i, r := range all {
		devices[i] = r.Device
	}
	runner, err := Start(devices...)
	ok(t, err)
	t.Cleanup(runner.Close)
	return runner
}

func (r *running) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.log, "\n")
}

func (r *running) read(offset uint64) uint32 {
	r.t.Helper()
	b, err := r.BAR(0)
	ok(r.t, err)
	v, err := b.Read32(offset)
	ok(r.t, err)
	return v
}

func (r *running) write(offset uint64, value uint64) {
	r.t.Helper()
	b, err := r.BAR(0)
	ok(r.t, err)
	ok(r.t, b.Write64(offset, value))
}

// copy has tiny_nic copy chunks, waits for the interrupt and returns RESULT.
func (r *running) copy(from, to uint64, chunks uint32) uint32 {
	r.t.Helper()
	b, err := r.BAR(0)
	ok(r.t, err)
	r.write(tinySource, from)
	r.write(tinyTarget, to)
	ok(r.t, b.Write32(tinyChunks, chunks))
	r.message()
	return r.read(tinyResult)
}

func (r *running) message() endpoint.Message {
	r.t.Helper()
	select {
	case m := <-r.messages:
		return m
	case <-time.After(patienceOfTests):
		r.t.Fatal("no interrupt comes")
		panic("not reached")
	}
}

// TestDeviceRuns: time passes by itself, memory is reached by address and by
// descriptor while bus mastering is on, refused accesses are told.
func TestDeviceRuns(t *testing.T) {
	pool := hostmem.NewPool()
	defer pool.Close()
	m := mustAlloc(t, pool, 8192)
	for i := range m.Bytes {
		m.Bytes[i] = byte(i * 3)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "memory"))
	ok(t, err)
	defer file.Close()
	ok(t, file.Truncate(8192))

	r := openRunning(t, nil)
	const at = 0x9000_0000
	ok(t, r.MapHostFD(at, 4096, int(file.Fd()), 4096, ReadAccess|WriteAccess))
	ok(t, r.ConfigWrite(pcie.ConfigCommand, 2, pcie.CommandMemory)) // mapped before, and after
	ok(t, r.MapHost(m.IOVA, m.Bytes, ReadAccess|WriteAccess))
	start(t, r)

	refused := func(what string, from, to uint64, result uint32, fault pcie.Fault) {
		t.Helper()
		if got := r.copy(from, to, 1); got != result {
			t.Errorf("%s: result %d, want %d", what, got, result)
		}
		select {
		case f := <-r.faults:
			f.Cycle = 0
			if f != fault {
				t.Errorf("%s: fault %+v, want %+v", what, f, fault)
			}
		default:
			t.Errorf("%s: no fault is told", what)
		}
	}
	// Without bus mastering messages stay too; so RESULT is looked at.
	r.write(tinySource, m.IOVA)
	r.write(tinyTarget, at)
	b, err := r.BAR(0)
	ok(t, err)
	ok(t, b.Write32(tinyChunks, 1))
	for r.read(tinyChunks) != 0 {
	}
	if result := r.read(tinyResult); result != 1 {
		t.Errorf("result %d without bus mastering", result)
	}
	<-r.faults
	ok(t, r.ConfigWrite(pcie.ConfigCommand, 2, pcie.CommandMemory|pcie.CommandBusMaster))
	r.message() // that was pending

	if result := r.copy(m.IOVA, at, 64); result != 0 {
		t.Fatalf("result %d", result)
	}
	got := make([]byte, 4096)
	_, err = file.ReadAt(got, 4096)
	ok(t, err)
	if !bytes.Equal(got, m.Bytes[:4096]) {
		t.Error("the file differs from what was copied")
	}
	ok(t, file.Truncate(4096+64))
	refused("beyond the file's end", at+64, m.IOVA, 1, pcie.Fault{IOVA: at + 64, Size: 64})
	ok(t, r.UnmapHost(at, 4096))
	refused("unmapped", m.IOVA, at, 2, pcie.Fault{IOVA: at, Size: 64, Write: true})

	if err := r.UnmapHost(at, 4096); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("unmapped twice: %v", err)
	}
	if err := r.MapHost(m.IOVA, m.Bytes, ReadAccess); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("mapped twice: %v", err)
	}
	if err := r.MapHost(m.IOVA+4096, m.Bytes[:64], ReadAccess); !errors.Is(err, ErrInvalid) {
		t.Errorf("mapped over another: %v", err)
	}
	if err := r.MapHost(at, nil, ReadAccess); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("empty memory: %v", err)
	}
}

// TestDeviceRemote: memory that is not mapped is asked for while somebody serves
// it and bus mastering is on; turning it off leaves nothing waiting.
func TestDeviceRemote(t *testing.T) {
	r := openRunning(t, randomOptions())
	memory := make([]byte, 16384)
	for i := range memory[:8192] {
		memory[i] = byte(i * 5)
	}
	requests := make(chan Request, 1000)
	ok(t, r.SetRemote(func(q Request) { requests <- q }))
	go func() {
		for q := range requests {
			here := memory[q.IOVA-remoteBase:][:q.Size]
			if q.Write {
				copy(here, q.Data)
				here = nil
			}
			if err := r.Answer(q.ID, true, here); err != nil {
				t.Error(err)
			}
		}
	}()
	defer close(requests)
	start(t, r)
	if result := r.copy(remoteBase, remoteBase+8192, 128); result != 0 {
		t.Fatalf("result %d", result)
	}
	if !bytes.Equal(memory[:8192], memory[8192:]) {
		t.Error("memory differs from what was to be copied")
	}

	// Nobody answers; then nobody will.
	asked := make(chan Request, 1000)
	ok(t, r.SetRemote(func(q Request) { asked <- q }))
	r.write(tinySource, remoteBase)
	r.write(tinyTarget, remoteBase+8192)
	b, err := r.BAR(0)
	ok(t, err)
	ok(t, b.Write32(tinyChunks, 2))
	q := <-asked
	ok(t, r.SetRemote(nil))
	r.message()
	if result := r.read(tinyResult); result != 1 {
		t.Errorf("result %d after nobody serves any more", result)
	}
	ok(t, r.Answer(q.ID, true, make([]byte, q.Size)))

	ok(t, r.SetRemote(func(q Request) { asked <- q }))
	for len(asked) > 0 {
		<-asked
	}
	ok(t, b.Write32(tinyChunks, 1))
	<-asked
	r.Reset()
	if got := r.read(tinyChunks); got != ^uint32(0) {
		t.Errorf("a register reads %#x after a reset", got)
	}
	ok(t, r.ConfigWrite(pcie.ConfigCommand, 2, pcie.CommandMemory|pcie.CommandBusMaster))
	if got := r.read(tinyChunks); got != 0 {
		t.Errorf("a copy goes on after a reset: %d", got)
	}
}

// TestDeviceStops: a design that has stopped is a card that was pulled out.
func TestDeviceStops(t *testing.T) {
	a, b := openRunning(t, nil), openRunning(t, nil)
	start(t, a, b)
	bar, err := a.BAR(0)
	ok(t, err)
	ok(t, bar.Write32(tinyMisbehave, misFatal))
	for _, r := range []*running{a, b} { // they have one time
		select {
		case <-r.Failed():
		case <-time.After(patienceOfTests):
			t.Fatal("the device has not failed")
		}
		if err := r.Err(); !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), "fatal on request") {
			t.Errorf("error %v", err)
		}
		if !strings.Contains(r.logged(), "fatal on request") {
			t.Errorf("log %q", r.logged())
		}
		if v := r.read(tinyID); v != ^uint32(0) {
			t.Errorf("a register reads %#x", v)
		}
		if v, err := r.ConfigRead(pcie.ConfigVendorID, 2); err != nil || v != 0xFFFF {
			t.Errorf("vendor ID %#x, %v", v, err)
		}
		r.write(tinySource, 1)
		ok(t, r.ConfigWrite(pcie.ConfigCommand, 2, 0))
		r.Reset()
		table, err := r.BAR(endpoint.MSIXBAR)
		ok(t, err)
		if v, err := table.Read32(0); err != nil || v != ^uint32(0) {
			t.Errorf("MSI-X table reads %#x, %v", v, err)
		}
	}
}

// TestDeviceAccessWithoutAnswer: such an access ends, as on a bus, with ones and
// a line in the log.
func TestDeviceAccessWithoutAnswer(t *testing.T) {
	r := openRunning(t, Options{"bar_timeout": 200})
	start(t, r)
	bar, err := r.BAR(0)
	ok(t, err)
	ok(t, bar.Write32(tinyMisbehave, misHang))
	if v, err := bar.Read16(tinyScratch); err != nil || v != 0xFFFF {
		t.Errorf("register reads %#x, %v", v, err)
	}
	if log := r.logged(); !strings.Contains(log, "BAR 0") || !strings.Contains(log, "200 cycles") {
		t.Errorf("log %q", log)
	}
	if r.Err() != nil {
		t.Errorf("failed: %v", r.Err())
	}
	if v, err := bar.Read32(0x3000); err != nil || v != ^uint32(0) {
		t.Errorf("an address without a register reads %#x, %v", v, err)
	}
}

// TestRunnerRests: a NIC with nothing to do does not keep a processor busy, and is
// there at once when it is spoken to.
func TestRunnerRests(t *testing.T) {
	r := openRunning(t, nil)
	runner := start(t, r)
	deadline := time.Now().Add(3 * patienceOfTests)
	for !runner.pausing.Load() {
		if time.Now().After(deadline) {
			t.Fatal("the runner does not come to rest")
		}
		time.Sleep(time.Millisecond)
	}
	if ran := runner.Cycles(); ran < patience {
		t.Fatalf("it rests after %d cycles", ran)
	}
	time.Sleep(3 * longPause) // pauses are long by now
	before := runner.Cycles()
	time.Sleep(3 * longPause)
	if ran := runner.Cycles() - before; ran > 10*burst {
		t.Errorf("%d cycles in %v while it rests", ran, 3*longPause)
	}
	for range 5 {
		if !runner.pausing.Load() {
			time.Sleep(longPause / 10)
			continue
		}
		before := time.Now()
		r.read(tinyID)
		if took := time.Since(before); took > longPause/2 {
			t.Errorf("an access takes %v", took)
		}
	}
	r.read(tinyID)
	before = runner.Cycles()
	time.Sleep(20 * time.Millisecond)
	if runner.Cycles()-before < 2*burst {
		t.Errorf("%d cycles in 20 ms after an access", runner.Cycles()-before)
	}
}

// TestRunnerWire: devices of one Runner can be joined; a frame goes to and fro
// by itself, and is seen by whoever asks when the wire is cut.
func TestRunnerWire(t *testing.T) {
	a, b := openRunning(t, nil), openRunning(t, nil)
	ok(t, func() error { start(t, a, b); return a.Port().Connect(b.Port()) }())
	frame := bytes.Repeat([]byte{0xA5}, 100)
	ok(t, a.Port().Send(frame, false))
	deadline := time.Now().Add(patienceOfTests)
	for a.read(tinyFrames) < 3 || b.read(tinyFrames) < 3 {
		if time.Now().After(deadline) {
			t.Fatal("the frame does not go on")
		}
	}
	if a.Cycle() < 100 {
		t.Error("no time passes")
	}
	seen := make(chan []byte, 1)
	ok(t, b.Port().SetOutput(func(f *WireFrame) {
		select {
		case seen <- bytes.Clone(f.Data):
		default:
		}
	}))
	if len(seen) != 0 {
		t.Error("output of a port that is connected")
	}
	b.Port().Disconnect()
	ok(t, b.Port().Send(frame, false))
	select {
	case got := <-seen:
		if !bytes.Equal(got, frame) {
			t.Errorf("frame % x", got)
		}
	case <-time.After(patienceOfTests):
		t.Fatal("no frame comes out")
	}
	ok(t, b.Port().SetOutput(nil))
}

// TestRunnerHold: a held clock stands still but for accesses, which are answered,
// and goes on afterwards, also when it was held by a tap; Close ends it.
func TestRunnerHold(t *testing.T) {
	r := openRunning(t, nil)
	runner := start(t, r)
	cycles := func() uint64 { // once the step under way has ended
		r.Cycle()
		return runner.Cycles()
	}
	for lap := range 20 {
		if lap%2 == 0 {
			runner.Hold(true)
		} else {
			remove := r.Port().Tap(func(*WireFrame) { runner.Hold(true) })
			ok(t, r.Port().Send(make([]byte, 60), false))
			remove()
		}
		before, own := cycles(), r.Cycle()
		for range 20 {
			if r.read(tinyID) != tinyIDValue {
				t.Fatal("an access is not answered")
			}
		}
		if after := cycles(); after != before {
			t.Errorf("%d cycles while the clock is held", after-before)
		}
		if r.Cycle() == own {
			t.Error("accesses take no time")
		}
		runner.Hold(false)
		for deadline := time.Now().Add(patienceOfTests); cycles() == before; {
			if time.Now().After(deadline) {
				t.Fatal("the clock does not go on")
			}
		}
	}
	runner.Hold(true)
}

func TestRunnerArguments(t *testing.T) {
	a := openRunning(t, nil)
	start(t, a)
	for name, devices := range map[string][]*Device{"none": nil, "taken": {a.Device}, "twice": func() []*Device { b := openRunning(t, nil); return []*Device{b.Device, b.Device} }()} {
		if _, err := Start(devices...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// inattentive returns tiny_nic without espalier_sim_attention.
func inattentive(t testing.TB) *Library {
	lib := *loadTiny(t)
	lib.attention = 0
	return &lib
}

// TestRunnerPriority: many accesses at once, memory mapped and unmapped meanwhile;
// the race detector judges, and that all of it ends.
func TestRunnerPriority(t *testing.T) {
	t.Run("attention", func(t *testing.T) { testPriority(t, loadTiny(t)) })
	t.Run("steps", func(t *testing.T) { testPriority(t, inattentive(t)) })
}

func testPriority(t *testing.T, lib *Library) {
	r := openRunningOf(t, lib, nil)
	start(t, r)
	pool := hostmem.NewPool()
	defer pool.Close()
	m := mustAlloc(t, pool, 4096)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			bar, err := r.BAR(0)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 200 {
				at := uint64(tinyBank + 4*n)
				if err := bar.Write32(at, uint32(i)); err != nil {
					t.Error(err)
				}
				if v, err := bar.Read32(at); err != nil || v != uint32(i) {
					t.Errorf("word %d is %d, want %d (%v)", n, v, i, err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 100 {
			if err := errors.Join(r.MapHost(m.IOVA, m.Bytes, ReadAccess), r.UnmapHost(m.IOVA, 4096)); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}

// watched is a word that simulators look at.
var watched atomic.Int32

// TestAttention: an advance stops for who waits, from its first clock on or later, and
// for nobody after the word was taken away.
func TestAttention(t *testing.T) {
	s := tinySim(t, nil, 1)
	advance := func(cycles uint64) uint64 {
		t.Helper()
		_, ran, err := s.Advance(cycles, 0)
		ok(t, err)
		return ran
	}
	if !s.attention(&watched) {
		t.Fatal("the library has no espalier_sim_attention")
	}
	defer watched.Store(0)
	if ran := advance(1000); ran != 1000 {
		t.Errorf("%d cycles ran while nobody waited, want 1000", ran)
	}
	watched.Store(1)
	if ran := advance(1000); ran != 1 {
		t.Errorf("%d cycles ran while somebody waited, want 1", ran)
	}
	watched.Store(0)
	var soon sync.WaitGroup
	soon.Go(func() {
		time.Sleep(10 * time.Millisecond)
		watched.Store(1)
	})
	const long = 1 << 26
	if ran := advance(long); ran < 2 || ran == long {
		t.Errorf("%d of %d cycles ran until somebody waited", ran, long)
	}
	soon.Wait()
	s.attention(nil)
	if ran := advance(1000); ran != 1000 {
		t.Errorf("%d cycles ran after the word was taken away, want 1000", ran)
	}
	s.lib = inattentive(t)
	if s.attention(&watched) {
		t.Error("a library without espalier_sim_attention has it")
	}
}

// BenchmarkDeviceAccess is a register read while the clock runs.
func BenchmarkDeviceAccess(b *testing.B) {
	r := openRunning(b, nil)
	start(b, r)
	bar, err := r.BAR(0)
	ok(b, err)
	for b.Loop() {
		if v, err := bar.Read32(tinyID); err != nil || v != tinyIDValue {
			b.Fatal(v, err)
		}
	}
}
