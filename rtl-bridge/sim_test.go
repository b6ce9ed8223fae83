// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/hostmem"
)

// randomOptions turn everything on that is random.
func randomOptions() Options {
	return Options{
		"mem_read_latency_min": 5, "mem_read_latency_max": 90,
		"mem_write_latency_min": 3, "mem_write_latency_max": 50,
		"mem_stall_percent": 30, "mem_reorder": 1,
		"mac_rx_gap_min": 0, "mac_rx_gap_max": 20,
		"mac_rx_stall_percent": 20, "mac_tx_stall_percent": 25,
	}
}

func TestRegisterAccess(t *testing.T) {
	s := tinySim(t, nil, 1)
	if id := mustRead(t, s, tinyID); id != tinyIDValue {
		t.Fatalf("ID %#x", id)
	}
	mustWrite(t, s, tinyScratch, 0x11223344, 4)
	mustWrite(t, s, tinyScratch+1, 0xAA, 1)
	mustWrite(t, s, tinyScratch+2, 0xBBCC, 2)
	if v := mustRead(t, s, tinyScratch); v != 0xBBCCAA44 {
		t.Errorf("scratch %#x after narrow writes, want 0xbbccaa44", v)
	}
	for _, c := range []struct {
		offset uint64
		width  int
		want   uint64
	}{{4, 1, 0x44}, {5, 1, 0xAA}, {7, 1, 0xBB}, {6, 2, 0xBBCC}, {0, 8, 0xBBCCAA44_594E4954}} {
		if v, err := s.BARRead(0, c.offset, c.width); err != nil || v != c.want {
			t.Errorf("read of %d bytes at %#x: %#x, %v, want %#x", c.width, c.offset, v, err, c.want)
		}
	}
	if v, err := s.BARRead(0, 0x3000, 2); !errors.Is(err, ErrBus) || v != 0xFFFF {
		t.Errorf("read outside: %#x, %v, want ones and a bus error", v, err)
	}
	if err := s.BARWrite(0, 0x3000, 4, 0); !errors.Is(err, ErrBus) {
		t.Errorf("write outside: %v", err)
	}
	for _, c := range []struct {
		bar    int
		offset uint64
		width  int
	}{{1, 0, 4}, {0, 2, 4}, {0, 4, 8}, {0, 256 << 10, 4}, {0, ^uint64(3), 4}, {0, 0, 3}, {0, 0, 0}, {0, 0, 16}} {
		if _, err := s.BARRead(c.bar, c.offset, c.width); !errors.Is(err, ErrInvalid) {
			t.Errorf("BAR %d, offset %#x, width %d: %v", c.bar, c.offset, c.width, err)
		}
	}
	if fmt.Sprintf("%08x", mustRead(t, s, tinyBuildID)) != s.lib.Info().BuildID {
		t.Errorf("BUILD_ID register %#x, library says %s", mustRead(t, s, tinyBuildID), s.lib.Info().BuildID)
	}
}

func TestAccessLatency(t *testing.T) {
	cycles := func(o Options) uint64 {
		s := tinySim(t, o, 1)
		before := s.Cycle()
		mustRead(t, s, tinyID)
		return s.Cycle() - before
	}
	if short, long := cycles(Options{"bar_latency": 0}), cycles(Options{"bar_latency": 100}); long != short+100 {
		t.Errorf("read takes %d cycles, with latency 100 %d", short, long)
	}
}

// TestCopy moves memory through the AXI model in every mode and checks bytes,
// strobes and faults.
func TestCopy(t *testing.T) {
	for name, options := range map[string]Options{"plain": nil, "random": randomOptions(), "reorder": {"mem_reorder": 1, "mem_read_latency_min": 1, "mem_read_latency_max": 200}} {
		t.Run(name, func(t *testing.T) {
			pool := hostmem.NewPool()
			defer pool.Close()
			from, to := mustAlloc(t, pool, 8192), mustAlloc(t, pool, 8192)
			for i := range from.Bytes {
				from.Bytes[i], to.Bytes[i] = byte(i*7+i/256), 0xEE
			}
			s := tinySim(t, options, 7)
			mustAdd(t, s, from)
			mustAdd(t, s, to)
			mustWrite(t, s, tinyVector, 3, 4)
			mustWrite(t, s, tinyStrobe, 0x0FF0, 4)
			startCopy(t, s, from.IOVA, to.IOVA+64, 100)
			if result, _ := finishCopy(t, s); result != 0 {
				t.Fatalf("result %#x", result)
			}
			want := bytes.Repeat([]byte{0xEE}, len(to.Bytes))
			for chunk := range 100 {
				copy(want[64+64*chunk:], from.Bytes[64*chunk:64*chunk+64])
				for i := range 16 { // the first beat of each chunk has strobes
					if i < 4 || i >= 12 {
						want[64+64*chunk+i] = 0xEE
					}
				}
			}
			if !bytes.Equal(to.Bytes, want) {
				t.Error("memory differs from what was to be copied")
			}
			counts := make([]uint32, 8)
			if err := s.Interrupts(counts); err != nil || !slices.Equal(counts, []uint32{3: 1, 7: 0}) {
				t.Errorf("interrupts %v, %v", counts, err)
			}
			if faults, err := s.Faults(); err != nil || len(faults) != 0 {
				t.Errorf("faults %v, %v", faults, err)
			}
		})
	}
}

// TestReordering: reads of different IDs overtake each other and interleave with
// mem_reorder, and never without.
func TestReordering(t *testing.T) {
	for _, reorder := range []uint64{0, 1} {
		pool := hostmem.NewPool()
		m := mustAlloc(t, pool, 16384)
		s := tinySim(t, Options{"mem_reorder": reorder, "mem_read_latency_min": 1, "mem_read_latency_max": 60}, 3)
		mustAdd(t, s, m)
		startCopy(t, s, m.IOVA, m.IOVA+8192, 100)
		if result, _ := finishCopy(t, s); result != 0 {
			t.Fatalf("result %d", result)
		}
		interleaved, overtaken := mustRead(t, s, tinyInterleaved), mustRead(t, s, tinyOvertaken)
		if (interleaved > 0) != (reorder == 1) || (overtaken > 0) != (reorder == 1) {
			t.Errorf("mem_reorder %d: %d beats interleaved, %d chunks out of turn", reorder, interleaved, overtaken)
		}
		ok(t, pool.Close())
	}
}

func mustAlloc(t testing.TB, pool *hostmem.Pool, size int) *pcie.Memory {
	t.Helper()
	m, err := pool.Alloc(size)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustAdd(t testing.TB, s *Sim, m *pcie.Memory) {
	t.Helper()
	if err := s.MemAdd(m.IOVA, m.Bytes, ReadAccess|WriteAccess); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryFaults(t *testing.T) {
	pool := hostmem.NewPool()
	defer pool.Close()
	m := mustAlloc(t, pool, 4096)
	s := tinySim(t, nil, 1)
	if err := s.MemAdd(m.IOVA, m.Bytes[:1024], ReadAccess); err != nil {
		t.Fatal(err)
	}
	if err := s.MemAdd(m.IOVA+1024, m.Bytes[1024:2048], WriteAccess); err != nil {
		t.Fatal(err)
	}
	copying := func(name string, from, to uint64, result uint32, faults ...pcie.Fault) {
		t.Helper()
		startCopy(t, s, from, to, 1)
		got, _ := finishCopy(t, s)
		if got != result {
			t.Errorf("%s: result %d, want %d", name, got, result)
		}
		seen, err := s.Faults()
		if err != nil {
			t.Fatal(err)
		}
		for i := range seen {
			if seen[i].Cycle == 0 || seen[i].Cycle > s.Cycle() {
				t.Errorf("%s: fault in cycle %d", name, seen[i].Cycle)
			}
			seen[i].Cycle = 0
		}
		if !slices.Equal(seen, faults) {
			t.Errorf("%s: faults %+v, want %+v", name, seen, faults)
		}
	}
	read, write := m.IOVA, m.IOVA+1024
	copying("allowed", read, write, 0)
	copying("read of write-only memory", write, write, 1, pcie.Fault{IOVA: write, Size: 64})
	copying("write to read-only memory", read, read, 2, pcie.Fault{IOVA: read, Size: 64, Write: true})
	copying("read of nothing", 0x40, write, 1, pcie.Fault{IOVA: 0x40, Size: 64})
	copying("write to nothing", read, ^uint64(63), 2, pcie.Fault{IOVA: ^uint64(63), Size: 64, Write: true})
	copying("read past the end", read+1024-32, write, 1, pcie.Fault{IOVA: read + 1024 - 32, Size: 64})
	if err := s.MemRemove(read, 1024); err != nil {
		t.Fatal(err)
	}
	copying("read of removed memory", read, write, 1, pcie.Fault{IOVA: read, Size: 64})
	// Adjacent ranges count as one.
	if err := s.MemAdd(read, m.Bytes[:992], ReadAccess|WriteAccess); err != nil {
		t.Fatal(err)
	}
	if err := s.MemAdd(read+992, m.Bytes[992:1024], ReadAccess|WriteAccess); err != nil {
		t.Fatal(err)
	}
	for i := range m.Bytes {
		m.Bytes[i] = byte(i)
	}
	copying("across two ranges", read+960, write, 0)
	if !bytes.Equal(m.Bytes[960:1024], m.Bytes[1024:1088]) {
		t.Error("copy across two ranges has wrong bytes")
	}

	events := func() Event {
		startCopy(t, s, 0x40, write, 1)
		e, _, err := s.Advance(10000, EventFault)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}()
	if events&EventFault == 0 {
		t.Error("a fault is not an event")
	}
}

func TestMemoryArguments(t *testing.T) {
	pool := hostmem.NewPool()
	defer pool.Close()
	m := mustAlloc(t, pool, 4096)
	s := tinySim(t, nil, 1)
	mustAdd(t, s, m)
	for name, err := range map[string]error{
		"overlap":      s.MemAdd(m.IOVA+4095, m.Bytes[:1], ReadAccess),
		"same":         s.MemAdd(m.IOVA, m.Bytes, ReadAccess),
		"empty":        s.MemAdd(0, m.Bytes[:0], ReadAccess),
		"beyond 2^64":  s.MemAdd(^uint64(0), m.Bytes[:2], ReadAccess),
		"no access":    s.MemAdd(0, m.Bytes, 0),
		"other access": s.MemAdd(0, m.Bytes, 8),
		"null":         s.MemAdd(0, nil, ReadAccess),
		"bad fd":       s.MemAddFD(0, 4096, -1, 0, ReadAccess),
		"bad offset":   s.MemAddFD(0, 4096, 0, ^uint64(0), ReadAccess),
		"never added":  s.MemRemove(m.IOVA, 4095),
		"wrong start":  s.MemRemove(m.IOVA+1, 4096),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.MemAdd(^uint64(0)-4095, m.Bytes, ReadAccess); err != nil {
		t.Errorf("range that ends at 2^64: %v", err)
	}
	if err := s.MemRemove(m.IOVA, 4096); err != nil {
		t.Error(err)
	}
}

// TestFileMemory: memory behind a descriptor, and a file that becomes shorter.
func TestFileMemory(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "memory"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content := bytes.Repeat([]byte("0123456789abcdef"), 512) // 8 KiB
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	s := tinySim(t, nil, 1)
	const iova = 0x7000_0000
	if err := s.MemAddFD(iova, 4096, int(f.Fd()), 4096, ReadAccess|WriteAccess); err != nil {
		t.Fatal(err)
	}
	copy(content[4096+2048:], content[4096+16:4096+16+64])
	startCopy(t, s, iova+16, iova+2048, 1)
	if result, _ := finishCopy(t, s); result != 0 {
		t.Fatalf("result %d", result)
	}
	got, err := os.ReadFile(f.Name())
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("file differs after the copy (%v)", err)
	}
	if err := f.Truncate(4096 + 100); err != nil {
		t.Fatal(err)
	}
	startCopy(t, s, iova+64, iova, 1)
	if result, _ := finishCopy(t, s); result != 1 {
		t.Errorf("read beyond the file's end: result %d", result)
	}
	faults, err := s.Faults()
	if err != nil || len(faults) != 1 || faults[0].IOVA != iova+64 || faults[0].Write {
		t.Errorf("faults %+v, %v", faults, err)
	}
	f.Close()
	startCopy(t, s, iova, iova+64, 1)
	if result, _ := finishCopy(t, s); result != 1 {
		t.Errorf("read of a closed file: result %d", result)
	}
}

// TestMisbehaviour: whatever the design does wrong comes back as a sentence, the
// instance stays dead, and others in the process live on.
func TestMisbehaviour(t *testing.T) {
	healthy := tinySim(t, nil, 1)
	// A memory that stalls makes ARREADY 0 in some cycle; SCRATCH chooses what happens then.
	stalling := Options{"mem_stall_percent": 99}
	for _, c := range []struct {
		name    string
		value   uint64
		scratch uint64
		options Options
		prepare func(*testing.T, *Sim)
		want    []string
	}{
		{name: "fatal", value: misFatal, want: []string{": tiny_nic.sv:", "fatal on request"}},
		{name: "assertion", value: misAssert, want: []string{": tiny_nic.sv:", "assertion on request"}},
		{name: "stop", value: misStop, want: []string{"$stop in", "tiny_nic.sv:"}},
		{name: "finish", value: misFinish, want: []string{"$finish in", "tiny_nic.sv:"}},
		{name: "4 KiB", value: misAXI4K, want: []string{"AXI4 AR channel: burst crosses a 4 KiB boundary (address 0xff0, length 2 beats, size 4, burst 1, ID 15)"}},
		{name: "narrow", value: misAXINarrow, want: []string{"AXI4 AR channel: size is not the full width of the bus"}},
		{name: "withdrawn", value: misAXIWithdraw, options: stalling, want: []string{"AXI4 AR channel: ARVALID fell before ARREADY"}},
		{name: "changed", value: misAXIChange, scratch: 1, options: stalling, want: []string{"AXI4 AR channel: payload changed before ARREADY"}},
		{name: "WLAST", value: misWLast, want: []string{"AXI4 W channel: WLAST after 1 beats", "length 4 beats"}},
		{name: "gap", value: misMACGap, prepare: sendLong, want: []string{"AXI4-Stream toward the MAC: a gap within a frame"}},
		{name: "keep", value: misMACKeep, prepare: sendLong, want: []string{"AXI4-Stream toward the MAC: TKEEP is not a run of ones"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := hostmem.NewPool()
			defer pool.Close()
			m := mustAlloc(t, pool, 4096)
			s := tinySim(t, c.options, 5)
			mustAdd(t, s, m)
			mustWrite(t, s, tinyScratch, c.scratch, 4)
			if c.value == misWLast {
				startCopy(t, s, m.IOVA, m.IOVA+1024, 8)
			}
			if c.prepare != nil {
				c.prepare(t, s)
			}
			err := s.BARWrite(0, tinyMisbehave, 4, c.value)
			if err == nil {
				_, _, err = s.Advance(5000, 0)
			}
			if !errors.Is(err, ErrModel) {
				t.Fatalf("error %v", err)
			}
			for _, part := range append(c.want, fmt.Sprintf("cycle %d: ", s.Cycle())) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not contain %q", err, part)
				}
			}
			// Dead for good, but not for looking.
			if _, _, again := s.Advance(1, 0); !errors.Is(again, ErrModel) || !strings.Contains(again.Error(), "has stopped") {
				t.Errorf("advance afterwards: %v", again)
			}
			if _, err := s.BARRead(0, tinyID, 4); !errors.Is(err, ErrModel) {
				t.Errorf("read afterwards: %v", err)
			}
			if err := s.HardReset(); !errors.Is(err, ErrModel) {
				t.Errorf("reset afterwards: %v", err)
			}
			word := make([]byte, 4)
			if _, err := s.Peek("tiny_nic.bank", 0, word); err != nil {
				t.Errorf("peek afterwards: %v", err)
			}
		})
	}
	if id := mustRead(t, healthy, tinyID); id != tinyIDValue {
		t.Errorf("another instance was harmed: ID %#x", id)
	}
	mustWrite(t, healthy, tinyMisbehave, misNoAssert, 4)
	if _, _, err := healthy.Advance(10, 0); err != nil {
		t.Errorf("an assertion that holds: %v", err)
	}
}

func sendLong(t *testing.T, s *Sim) {
	t.Helper()
	for range 4 {
		if err := s.MACSend(make([]byte, 1000), false); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBARTimeout(t *testing.T) {
	s := tinySim(t, Options{"bar_timeout": 50, "bar_latency": 0}, 1)
	mustWrite(t, s, tinyMisbehave, misHang, 4)
	before := s.Cycle()
	v, err := s.BARRead(0, tinyID, 4)
	if !errors.Is(err, pcie.ErrTimeout) || v != 0xFFFFFFFF || !strings.Contains(err.Error(), "BAR 0 read at 0x0 got no answer within 50 cycles") {
		t.Errorf("read of a design that hangs: %#x, %v", v, err)
	}
	if ran := s.Cycle() - before; ran != 50 {
		t.Errorf("%d cycles until the timeout", ran)
	}
	if err := s.BARWrite(0, tinyScratch, 4, 1); !errors.Is(err, pcie.ErrTimeout) {
		t.Errorf("write behind it: %v", err)
	}
	if err := s.HardReset(); err != nil {
		t.Fatal(err)
	}
	if id := mustRead(t, s, tinyID); id != tinyIDValue {
		t.Errorf("ID %#x after the reset", id)
	}
}

func TestFrames(t *testing.T) {
	for name, options := range map[string]Options{"plain": nil, "random": randomOptions()} {
		t.Run(name, func(t *testing.T) {
			s := tinySim(t, options, 3)
			var sent [][]byte
			for _, size := range []int{1, 15, 16, 17, 60, 64, 1514, 9018} {
				frame := bytes.Repeat([]byte{byte(size)}, size)
				frame[size-1] = 0xA5
				sent = append(sent, frame)
				if err := s.MACSend(frame, size == 60); err != nil {
					t.Fatal(err)
				}
			}
			if events, _, err := s.Advance(100000, EventFrame); err != nil || events&EventFrame == 0 {
				t.Fatalf("events %v, %v", events, err)
			}
			if _, _, err := s.Advance(20000, 0); err != nil {
				t.Fatal(err)
			}
			done := make([]FrameInfo, 20)
			n, err := s.MACSent(done)
			if err != nil || n != len(sent) {
				t.Fatalf("%d frames were transferred, %v", n, err)
			}
			buffer := make([]byte, 10000)
			var last uint64
			for i, want := range sent {
				if _, err := s.MACRecv(buffer[:len(want)-1]); !errors.Is(err, ErrInvalid) {
					t.Errorf("short buffer: %v", err)
				}
				info, err := s.MACRecv(buffer)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(buffer[:info.Size], want) || info.Bad() != (len(want) == 60) {
					t.Errorf("frame %d of %d bytes came back wrong", i, len(want))
				}
				beats := uint64(len(want)+15) / 16
				if name == "plain" && info.LastCycle != info.FirstCycle+beats-1 {
					t.Errorf("frame %d of %d beats from cycle %d to %d", i, beats, info.FirstCycle, info.LastCycle)
				}
				if info.FirstCycle <= done[i].LastCycle || info.FirstCycle <= last || int(done[i].Size) != len(want) {
					t.Errorf("frame %d: in %+v, out %+v", i, done[i], info)
				}
				last = info.LastCycle
			}
			if _, err := s.MACRecv(buffer); !errors.Is(err, ErrAgain) {
				t.Errorf("no frame: %v", err)
			}
			if n := mustRead(t, s, tinyFrames); int(n) != len(sent) {
				t.Errorf("%d frames", n)
			}
		})
	}
	s := tinySim(t, nil, 1)
	for _, size := range []int{0, 65536} {
		if err := s.MACSend(make([]byte, size), false); !errors.Is(err, ErrInvalid) {
			t.Errorf("frame of %d bytes: %v", size, err)
		}
	}
}

func TestFrameGaps(t *testing.T) {
	s := tinySim(t, Options{"mac_rx_gap_min": 10, "mac_rx_gap_max": 10}, 1)
	for range 3 {
		if err := s.MACSend(make([]byte, 64), false); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Advance(100, 0); err != nil {
		t.Fatal(err)
	}
	sent := make([]FrameInfo, 3)
	if n, err := s.MACSent(sent); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	for i, f := range sent {
		if f.LastCycle-f.FirstCycle != 3 || i > 0 && f.FirstCycle-sent[i-1].LastCycle != 11 {
			t.Errorf("frame %d: %+v", i, f)
		}
	}
}

// scenario does a bit of everything and returns what could be seen.
func scenario(t testing.TB, s *Sim) string {
	t.Helper()
	pool := hostmem.NewPool()
	defer pool.Close()
	m := mustAlloc(t, pool, 8192)
	mustAdd(t, s, m)
	var log strings.Builder
	for i := range 3 {
		if err := s.MACSend(make([]byte, 100+i*400), false); err != nil {
			t.Fatal(err)
		}
		startCopy(t, s, m.IOVA, m.IOVA+4096, 20)
		result, cycles := finishCopy(t, s)
		fmt.Fprintln(&log, result, cycles, s.Cycle())
	}
	if _, _, err := s.Advance(2000, 0); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 2000)
	for range 3 {
		info, err := s.MACRecv(buffer)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&log, info)
	}
	if err := s.MemRemove(m.IOVA, uint64(len(m.Bytes))); err != nil {
		t.Fatal(err)
	}
	return log.String()
}

// TestDeterminism: the same seed gives the same cycles, another seed others, and
// instances do not influence each other, not even from several threads.
func TestDeterminism(t *testing.T) {
	lib := loadTiny(t)
	run := func(seed uint64) string {
		s, err := lib.Create(randomOptions(), seed)
		if err != nil {
			t.Error(err)
			return ""
		}
		defer s.Close()
		return scenario(t, s)
	}
	first := run(42)
	if again := run(42); again != first {
		t.Errorf("seed 42 twice:\n%s\n%s", first, again)
	}
	if other := run(43); other == first {
		t.Error("seeds 42 and 43 give the same cycles")
	}
	results := make([]string, 8)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = run(42 + uint64(i%2)) })
	}
	wg.Wait()
	for i, r := range results {
		if (r == first) != (i%2 == 0) {
			t.Errorf("instance %d of several at once differs", i)
		}
	}
}

func TestHardReset(t *testing.T) {
	s := tinySim(t, nil, 1)
	mustWrite(t, s, tinyScratch, 5, 4)
	sendLong(t, s)
	startCopy(t, s, 0x1000, 0x2000, 50)
	mustWrite(t, s, tinyInterrupt, 1, 4)
	if _, _, err := s.Advance(5, 0); err != nil {
		t.Fatal(err)
	}
	before := s.Cycle()
	if err := s.HardReset(); err != nil {
		t.Fatal(err)
	}
	if s.Cycle() <= before {
		t.Error("cycles do not go on")
	}
	counts := make([]uint32, 8)
	if err := s.Interrupts(counts); err != nil || !slices.Equal(counts, make([]uint32, 8)) {
		t.Errorf("interrupts from before the reset: %v, %v", counts, err)
	}
	if mustRead(t, s, tinyScratch) != 0 || mustRead(t, s, tinyChunks) != 0 {
		t.Error("registers survived")
	}
	if _, _, err := s.Advance(1000, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.MACRecv(make([]byte, 2000)); !errors.Is(err, ErrAgain) {
		t.Errorf("frame from before the reset: %v", err)
	}
	if result := scenario(t, s); result == "" {
		t.Error("nothing works after the reset")
	}
}

func TestPeek(t *testing.T) {
	s := tinySim(t, nil, 1)
	mustWrite(t, s, tinyBank+4*5, 0x01020304, 4)
	word := make([]byte, 8)
	n, err := s.Peek("tiny_nic.bank", 5, word)
	if err != nil || n != 4 || !bytes.Equal(word[:4], []byte{4, 3, 2, 1}) {
		t.Errorf("peek: %d bytes %v, %v", n, word, err)
	}
	for name, call := range map[string]func() (int, error){
		"index out of range": func() (int, error) { return s.Peek("tiny_nic.bank", 16, word) },
		"small buffer":       func() (int, error) { return s.Peek("tiny_nic.bank", 0, word[:3]) },
		"unknown name":       func() (int, error) { return s.Peek("nonsense", 0, word) },
		"unknown path":       func() (int, error) { return s.Peek("tiny_nic.nonsense", 0, word) },
		"unknown scope":      func() (int, error) { return s.Peek("nowhere.bank", 0, word) },
	} {
		if _, err := call(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOptions(t *testing.T) {
	lib := loadTiny(t)
	for _, c := range []struct {
		options Options
		want    string
	}{
		{Options{"mem_latency": 1}, `unknown option "mem_latency", known are mem_read_latency_min`},
		{Options{"mem_reorder": 2}, "option mem_reorder is 2, allowed are 0 to 1"},
		{Options{"mem_stall_percent": 100}, "option mem_stall_percent is 100, allowed are 0 to 99"},
		{Options{"mem_read_latency_min": 0}, "allowed are 1 to"},
		{Options{"mem_read_latency_min": 50}, "option mem_read_latency_min is 50, more than mem_read_latency_max, which is 40"},
		{Options{"bar_latency": ^uint64(0)}, `option bar_latency has value "18446744073709551615"`},
		{Options{"a\nb": 1}, `option line "a" is not key=value`},
	} {
		s, err := lib.Create(c.options, 0)
		if err == nil {
			s.Close()
			t.Errorf("%v was accepted", c.options)
		} else if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %q, want %q", c.options, err, c.want)
		}
	}
}
