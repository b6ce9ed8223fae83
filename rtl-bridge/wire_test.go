// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// frame is an Ethernet frame of a size that carries a number.
func frame(size int, number byte) []byte {
	f := bytes.Repeat([]byte{number}, size)
	copy(f, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xB5})
	return f
}

func TestPortSendRecv(t *testing.T) {
	f := openTiny(t, Config{})
	p := f.Port()
	buffer := make([]byte, 2000)
	if _, err := p.Recv(buffer); !errors.Is(err, ErrAgain) {
		t.Errorf("no frame: %v", err)
	}
	for _, tapped := range []bool{false, true} {
		var seen []string
		remove := func() {}
		if tapped {
			remove = p.Tap(func(w *WireFrame) {
				seen = append(seen, fmt.Sprint(w.FromNIC, w.Bad, len(w.Data), w.Data[20], w.LastCycle >= w.FirstCycle))
			})
		}
		ok(t, p.Send(frame(100, 1), false))
		ok(t, p.Send(frame(60, 2), true))
		ok(t, f.Run(200))
		if _, err := p.Recv(buffer[:99]); !errors.Is(err, ErrInvalid) {
			t.Errorf("short buffer: %v", err)
		}
		for i, want := range [][]byte{frame(100, 1), frame(60, 2)} {
			info, err := p.Recv(buffer)
			ok(t, err)
			if !bytes.Equal(buffer[:info.Size], want) || info.Bad() != (i == 1) {
				t.Errorf("tapped %v: frame %d is wrong", tapped, i)
			}
		}
		if _, err := p.Recv(buffer); !errors.Is(err, ErrAgain) {
			t.Errorf("no frame left: %v", err)
		}
		remove()
		ok(t, p.Send(frame(70, 3), false))
		ok(t, f.Run(200))
		if _, err := p.Recv(buffer); err != nil {
			t.Errorf("after the tap: %v", err)
		}
		want := "[false false 100 1 true false true 60 2 true true false 100 1 true true true 60 2 true]"
		if tapped && fmt.Sprint(seen) != want {
			t.Errorf("tap saw %v", seen)
		}
	}
	sent := make([]FrameInfo, 10)
	if n, err := p.Sent(sent); n != 6 || err != nil {
		t.Errorf("%d frames transferred, %v", n, err)
	}
}

// TestLoopback: tiny_nic sends back what it gets, so a frame goes round.
func TestLoopback(t *testing.T) {
	f := openTiny(t, Config{})
	rounds := 0
	f.Port().Tap(func(w *WireFrame) {
		if w.FromNIC {
			rounds++
		}
	})
	ok(t, f.Port().Loopback(true))
	ok(t, f.Port().Send(frame(64, 1), false))
	ok(t, f.Run(1000))
	if rounds < 5 {
		t.Errorf("%d rounds in 1000 cycles", rounds)
	}
	ok(t, f.Port().Loopback(false))
	ok(t, f.Run(200))
	before := rounds
	ok(t, f.Run(1000))
	if rounds != before {
		t.Error("the frame goes on after the loopback's end")
	}
	if _, err := f.Port().Recv(make([]byte, 100)); err != nil {
		t.Errorf("the frame is gone: %v", err)
	}
}

// pair returns two connected NICs.
func pair(t testing.TB, a, b Config) (*Function, *Function) {
	t.Helper()
	f, g := openTiny(t, a), openTiny(t, b)
	_, err := NewCluster(f, g)
	ok(t, err)
	ok(t, f.Port().Connect(g.Port()))
	return f, g
}

// exchange lets frames bounce between two NICs with accesses in between, and
// returns all that was seen.
func exchange(t testing.TB, seed uint64) string {
	t.Helper()
	f, g := pair(t, Config{Options: randomOptions(), Seed: seed}, Config{Options: randomOptions(), Seed: seed + 1000})
	var log strings.Builder
	for name, port := range map[string]*Port{"f": f.Port(), "g": g.Port()} {
		port.Tap(func(w *WireFrame) {
			if w.FromNIC {
				fmt.Fprintln(&log, name, w.FirstCycle, w.LastCycle, len(w.Data), w.Data[20])
			}
		})
	}
	for i := range 10 {
		ok(t, f.Port().Send(frame(60+100*i, byte(i)), false))
		if i%3 == 0 {
			if _, err := bar0(t, g).Read32(tinyFrames); err != nil {
				t.Fatal(err)
			}
		}
		ok(t, f.Relax(context.Background(), 100))
		ok(t, g.Run(37))
		if f.Cycle() != g.Cycle() {
			t.Fatalf("cycles %d and %d", f.Cycle(), g.Cycle())
		}
	}
	ok(t, g.Run(2000))
	fmt.Fprintln(&log, f.Cycle())
	return log.String()
}

func TestClusterDeterminism(t *testing.T) {
	first := exchange(t, 5)
	if !strings.Contains(first, "g ") || strings.Count(first, "\n") < 40 {
		t.Fatalf("little traffic:\n%s", first)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if again := exchange(t, 5); again != first {
		t.Error("the same seed gives another result on one processor")
	}
	if other := exchange(t, 6); other == first {
		t.Error("another seed gives the same result")
	}
}

func TestClusterTime(t *testing.T) {
	f, g := openTiny(t, Config{}), openTiny(t, Config{Quantum: 8})
	ok(t, g.Run(1000))
	_, err := NewCluster(f, g)
	ok(t, err)
	same := func(after string) {
		t.Helper()
		if f.Cycle() != g.Cycle() {
			t.Errorf("after %s: cycles %d and %d", after, f.Cycle(), g.Cycle())
		}
	}
	same("joining")
	ok(t, bar0(t, f).Write32(tinyScratch, 1))
	same("a write")
	if _, err := bar0(t, g).Read64(tinyID); err != nil {
		t.Fatal(err)
	}
	same("a read")
	ok(t, f.Relax(context.Background(), 1000))
	same("relaxing")
	ok(t, g.Reset(context.Background()))
	same("a reset")
	if _, err := NewCluster(f, openTiny(t, Config{})); err == nil {
		t.Error("a NIC in two clusters")
	}
	ok(t, g.Close())
	ok(t, f.Run(100))
	if v, err := bar0(t, f).Read32(tinyScratch); v != 1 || err != nil {
		t.Errorf("after the other's end: %d, %v", v, err)
	}
}

func TestClusterArguments(t *testing.T) {
	f, g := openTiny(t, Config{}), openTiny(t, Config{})
	if _, err := NewCluster(f); err == nil {
		t.Error("a cluster of one")
	}
	if _, err := NewCluster(f, f); err == nil {
		t.Error("a cluster of twice the same")
	}
	if err := f.Port().Connect(g.Port()); err == nil {
		t.Error("connected without a cluster")
	}
	if err := f.Port().Connect(f.Port()); err == nil {
		t.Error("connected to itself")
	}
	_, err := NewCluster(f, g)
	ok(t, err)
	ok(t, f.Port().Connect(g.Port()))
	if err := g.Port().Connect(f.Port()); err == nil {
		t.Error("connected twice")
	}
	if err := f.Port().Loopback(true); err == nil {
		t.Error("connected and looped back")
	}
	f.Port().Disconnect()
	ok(t, f.Port().Loopback(true))
	closed := openTiny(t, Config{})
	ok(t, closed.Close())
	if _, err := NewCluster(closed, openTiny(t, Config{})); !errors.Is(err, pcie.ErrClosed) {
		t.Errorf("a closed member: %v", err)
	}
}

// TestClusterModelStops: one member's end is everybody's error, with its reason.
func TestClusterModelStops(t *testing.T) {
	f, g := pair(t, Config{}, Config{})
	err := bar0(t, g).Write32(tinyMisbehave, misFatal)
	if err == nil {
		err = f.Run(100)
	}
	if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), "fatal on request") {
		t.Errorf("error %v", err)
	}
}

// TestMedium: frames can be changed, marked and lost between two NICs.
func TestMedium(t *testing.T) {
	f, g := pair(t, Config{}, Config{})
	f.Port().SetMedium(func(w *WireFrame) bool {
		switch w.Data[20] {
		case 1:
			return false
		case 2:
			w.Data[21] ^= 0x80
		case 3:
			w.Bad = true
		}
		return true
	})
	var got []string
	g.Port().Tap(func(w *WireFrame) {
		if !w.FromNIC {
			got = append(got, fmt.Sprint(w.Data[20], w.Data[21], w.Bad))
		}
	})
	for n := range byte(4) {
		ok(t, f.Port().Send(frame(64, n), false)) // tiny_nic sends it on
	}
	ok(t, f.Run(150))
	got = got[:min(len(got), 3)] // the frames go on between the two
	if want := "[0 0 false 2 130 false 3 3 true]"; fmt.Sprint(got) != want {
		t.Errorf("arrived: %v, want %v", got, want)
	}
}

func TestRecorderAndReplay(t *testing.T) {
	record := func(w *bytes.Buffer) {
		f, g := openTiny(t, Config{Seed: 4, Options: randomOptions()}), openTiny(t, Config{})
		_, err := NewCluster(f, g)
		ok(t, err)
		r, err := NewRecorder(w, 250)
		ok(t, err)
		ok(t, r.Add(f.Port(), "f"))
		ok(t, r.Add(g.Port(), "g"))
		ok(t, r.AddReceived(g.Port(), "g received"))
		for i := range byte(5) {
			ok(t, f.Port().Send(frame(60+int(i), i), false))
		}
		ok(t, g.Port().Send(frame(1514, 9), false))
		ok(t, f.Run(3000))
		ok(t, r.Close())
	}
	var first, again bytes.Buffer
	record(&first)
	record(&again)
	if !bytes.Equal(first.Bytes(), again.Bytes()) {
		t.Error("the same run gives another file")
	}
	reader, err := pcapgo.NewNgReader(bytes.NewReader(first.Bytes()), pcapgo.DefaultNgReaderOptions)
	ok(t, err)
	var seen []string
	last := make(map[int]int64)
	for {
		data, info, err := reader.ReadPacketData()
		if err != nil {
			break
		}
		name, err := reader.Interface(info.InterfaceIndex)
		ok(t, err)
		if name.LinkType != layers.LinkTypeEthernet || !bytes.Equal(data, frame(len(data), data[20])) {
			t.Errorf("frame %v is wrong", info)
		}
		at := info.Timestamp.UnixNano()
		if at <= last[info.InterfaceIndex] || at > 3100*4 || at%4 != 0 {
			t.Errorf("time %d ns", at)
		}
		last[info.InterfaceIndex] = at
		seen = append(seen, fmt.Sprintf("%s:%d", name.Name, data[20]))
	}
	if want := "g received:9"; seen[0] != want || len(seen) != 7 || !strings.Contains(strings.Join(seen, " "), "f:0") {
		t.Errorf("frames %v", seen)
	}

	path := filepath.Join(t.TempDir(), "wire.pcapng")
	ok(t, os.WriteFile(path, first.Bytes(), 0o644))
	out, err := exec.Command("tshark", "-r", path, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.len").Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	if n := strings.Count(string(out), "f\t6"); n != 5 {
		t.Errorf("tshark sees %d frames of f:\n%s", n, out)
	}

	f := openTiny(t, Config{})
	if n, err := Replay(bytes.NewReader(first.Bytes()), f.Port()); n != 7 || err != nil {
		t.Errorf("replayed %d, %v", n, err)
	}
	ok(t, f.Run(2000))
	if n, err := bar0(t, f).Read32(tinyFrames); n != 7 || err != nil {
		t.Errorf("NIC saw %d frames, %v", n, err)
	}
	if _, err := Replay(strings.NewReader("no capture at all"), f.Port()); err == nil || !strings.Contains(err.Error(), "not a pcapng file") {
		t.Errorf("replay of text: %v", err)
	}
	for cut := 1; cut < first.Len(); cut += 37 {
		// Where a block ends, the file is a shorter one.
		n, err := Replay(bytes.NewReader(first.Bytes()[:first.Len()-cut]), f.Port())
		if err == nil && n == 7 || err != nil && n != 0 {
			t.Fatalf("replay of a file cut short by %d bytes: %d frames, %v", cut, n, err)
		}
	}
	if _, err := Replay(bytes.NewReader(first.Bytes()[:first.Len()-10]), f.Port()); err == nil || !strings.Contains(err.Error(), "ends inside a block") {
		t.Errorf("replay of a file cut short: %v", err)
	}
}

// full is a disk with no room.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

func TestRecorderReportsFullDisk(t *testing.T) {
	f := openTiny(t, Config{})
	r, err := NewRecorder(&full{left: 50000}, 250)
	ok(t, err)
	ok(t, r.Add(f.Port(), "f"))
	for range 200 {
		ok(t, f.Port().Send(frame(1500, 1), false))
	}
	ok(t, f.Run(40000))
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("close: %v", err)
	}
	// So little that only Close writes it.
	r, err = NewRecorder(&full{}, 250)
	ok(t, err)
	ok(t, r.Add(f.Port(), "f"))
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("close of a small file: %v", err)
	}
	if _, err := NewRecorder(nil, 0); err == nil {
		t.Error("a clock of 0 MHz")
	}
}
