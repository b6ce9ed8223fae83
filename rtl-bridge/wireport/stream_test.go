// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// testFrame is a frame whose bytes tell it from others.
func testFrame(size int, tag byte) []byte {
	frame := make([]byte, size)
	for i := range frame {
		frame[i] = byte(i)*3 + tag
	}
	return frame
}

// collect receives exactly count frames or fails.
func collect(t testing.TB, p Port, count int) [][]byte {
	t.Helper()
	var got [][]byte
	frames, sizes := make([][]byte, 8), make([]int, 8)
	for i := range frames {
		frames[i] = make([]byte, MaxFrame)
	}
	done := make(chan error, 1)
	go func() {
		for len(got) < count {
			n, err := p.Receive(frames[:min(len(frames), count-len(got))], sizes)
			if err != nil {
				done <- err
				return
			}
			for i := range n {
				got = append(got, bytes.Clone(frames[i][:sizes[i]]))
			}
		}
		done <- nil
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("receive frame %d of %d: %v", len(got), count, err)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: waited in vain for %d frames", p, count)
	}
	return got
}

// eventually waits until condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func openPort(t testing.TB, spec string) Port {
	t.Helper()
	p, err := Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// shortFolder is a folder whose name leaves room for a socket's.
func shortFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// golden are two frames as QEMU 11.1 writes them to a -netdev stream socket:
// each behind its length, most significant byte first.
const golden = "0000000e" + "525400123456020000000001" + "88b5" +
	"00000010" + "ffffffffffff525400123456" + "0806" + "0001"

// TestGolden: the bytes on the socket are those of QEMU's protocol, in both directions.
func TestGolden(t *testing.T) {
	want, err := hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	frames := [][]byte{want[4:18], want[22:38]}
	path := filepath.Join(shortFolder(t), "s")
	p := openPort(t, "stream-listen:"+path)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	eventually(t, "the peer is there", func() bool { return p.Counters().Connections == 1 })
	for _, f := range frames {
		if err := p.Send(f); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("on the socket %x, %v, want %x", got, err, want)
	}
	// Back, a byte at a time.
	for i := range want {
		if _, err := conn.Write(want[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range collect(t, p, 2) {
		if !bytes.Equal(f, frames[i]) {
			t.Errorf("frame %d is %x, want %x", i, f, frames[i])
		}
	}
	eventually(t, "all is counted", func() bool {
		return p.Counters() == Counters{Sent: 2, SentBytes: 30, Received: 2, ReceivedBytes: 30, Connections: 1}
	})
}

// TestStream: both ends are ours; frames of all lengths pass unchanged and in order.
func TestStream(t *testing.T) {
	for _, address := range []string{"unix", "tcp"} {
		t.Run(address, func(t *testing.T) {
			where := filepath.Join(shortFolder(t), "s")
			if address == "tcp" {
				where = "tcp:127.0.0.1:0"
			}
			a := openPort(t, "stream-listen:"+where)
			_, where, _ = strings.Cut(a.String(), ":")
			b := openPort(t, "stream:"+where)
			eventually(t, "both are connected", func() bool {
				return a.Counters().Connections == 1 && b.Counters().Connections == 1
			})
			sizes := []int{14, 15, 60, 1514, 9014, MaxFrame}
			for _, pair := range [][2]Port{{a, b}, {b, a}} {
				for i, size := range sizes {
					if err := pair[0].Send(testFrame(size, byte(i))); err != nil {
						t.Fatal(err)
					}
				}
				for i, frame := range collect(t, pair[1], len(sizes)) {
					if !bytes.Equal(frame, testFrame(sizes[i], byte(i))) {
						t.Errorf("frame %d of %d bytes differs", i, sizes[i])
					}
				}
			}
		})
	}
}

// TestReconnect: a port finds its peer again, whoever of the two was away, and
// counts what was lost meanwhile.
func TestReconnect(t *testing.T) {
	path := filepath.Join(shortFolder(t), "s")
	b := openPort(t, "stream:"+path) // nobody is there yet
	if err := b.Send(testFrame(64, 0)); err != nil {
		t.Fatal(err)
	}
	if c := b.Counters(); c.SendDropped != 1 || c.Connections != 0 {
		t.Fatalf("with nobody there: %+v", c)
	}
	for round := range 3 {
		a, err := Open("stream-listen:" + path)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the peer has come back", func() bool {
			return a.Counters().Connections == 1 && b.Counters().Connections == uint64(round+1)
		})
		if err := b.Send(testFrame(100+round, 7)); err != nil {
			t.Fatal(err)
		}
		if got := collect(t, a, 1)[0]; !bytes.Equal(got, testFrame(100+round, 7)) {
			t.Fatalf("round %d: another frame arrived", round)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("the socket is left behind: %v", err)
		}
	}
	// The listening side has one peer after another.
	a := openPort(t, "stream-listen:"+path)
	for round := range 3 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			b.Close() // it was there first; ours was waiting
		}
		frame := testFrame(70, byte(round))
		if _, err := conn.Write(append([]byte{0, 0, 0, 70}, frame...)); err != nil {
			t.Fatal(err)
		}
		if got := collect(t, a, 1)[0]; !bytes.Equal(got, frame) {
			t.Fatalf("peer %d: another frame arrived", round)
		}
		conn.Close()
	}
}

// TestStreamMisuse: frames that no wire carries are skipped and counted; a
// length that cannot be ends the connection, not the port.
func TestStreamMisuse(t *testing.T) {
	path := filepath.Join(shortFolder(t), "s")
	p := openPort(t, "stream-listen:"+path)
	good := append([]byte{0, 0, 0, 20}, testFrame(20, 1)...)
	var bytesIn []byte
	bytesIn = append(bytesIn, 0, 0, 0, 0)                               // no frame at all
	bytesIn = append(bytesIn, 0, 0, 0, 13)                              // too short
	bytesIn = append(bytesIn, make([]byte, 13)...)                      //
	bytesIn = append(bytesIn, 0, 0, 0x40, 0)                            // 16384: too long
	bytesIn = append(bytesIn, make([]byte, 16384)...)                   //
	bytesIn = append(bytesIn, 0, 1, 0x10, 0)                            // 69632: as long as QEMU's buffer
	bytesIn = append(bytesIn, make([]byte, maxStreamLength)...)         //
	bytesIn = append(append(bytesIn, good...), 0, 1, 0x10, 1, 'j', 'u') // longer: another protocol
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(bytesIn); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, p, 1)[0]; !bytes.Equal(got, good[4:]) {
		t.Fatalf("received %x", got)
	}
	if c := p.Counters(); c.ReceiveDropped != 4 {
		t.Errorf("counters %+v, want 4 frames dropped", c)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after an impossible length: %v, want the connection closed", err)
	}
	conn, err = net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(good); err != nil {
		t.Fatal(err)
	}
	collect(t, p, 1)
}

// TestStreamFull: a peer that does not read costs frames, not time or memory.
func TestStreamFull(t *testing.T) {
	path := filepath.Join(shortFolder(t), "s")
	p := openPort(t, "stream-listen:"+path)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	eventually(t, "the peer is there", func() bool { return p.Counters().Connections == 1 })
	frame := testFrame(1514, 0)
	sent := 0
	for ; p.Counters().SendDropped < 100; sent++ {
		if err := p.Send(frame); err != nil {
			t.Fatal(err)
		}
	}
	if sent > 10000 {
		t.Errorf("%d frames until the first hundred were dropped", sent)
	}
	// Those that were taken arrive whole.
	got := 0
	d := newDecoder(conn)
	for want := sent - 100; got < want; got++ {
		f, err := d.next()
		if err != nil || !bytes.Equal(f, frame) {
			t.Fatalf("frame %d of %d: %d bytes, %v", got, want, len(f), err)
		}
	}
}

func TestSendRefuses(t *testing.T) {
	a, b := Pipe("test")
	for _, size := range []int{0, 13, MaxFrame + 1} {
		if err := a.Send(make([]byte, size)); !errors.Is(err, ErrFrame) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	a.Close()
	if err := b.Send(make([]byte, 14)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("send after close: %v", err)
	}
	if _, err := b.Receive(make([][]byte, 1), make([]int, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("receive after close: %v", err)
	}
}

// TestClose: Close ends a Receive under way, on every kind that needs no rights.
func TestClose(t *testing.T) {
	folder := shortFolder(t)
	pipe, _ := Pipe("test")
	for _, p := range []Port{pipe, openPort(t, "stream:"+folder+"/none"), openPort(t, "stream-listen:"+folder+"/s")} {
		done := make(chan error)
		go func() {
			_, err := p.Receive([][]byte{make([]byte, 100)}, make([]int, 1))
			done <- err
		}()
		for range 2 {
			if err := p.Close(); err != nil {
				t.Errorf("%s: close: %v", p, err)
			}
		}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: receive: %v", p, err)
		}
		if err := p.Send(make([]byte, 60)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: send: %v", p, err)
		}
	}
}

// TestRefusals: one sentence that names item, value and what is allowed.
func TestRefusals(t *testing.T) {
	folder := shortFolder(t)
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	used := openPort(t, "stream-listen:"+filepath.Join(folder, "used"))
	if info, err := os.Stat(filepath.Join(folder, "used")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the socket: %v, %v", info.Mode(), err)
	}
	tests := []struct{ spec, says string }{
		{"", "allowed are tap:NAME"},
		{"tun:x", `"tun:x", nearest is "tap"`},
		{"tap", "nothing follows"},
		{"tap:", "nothing follows"},
		{"stream:tcp:192.0.2.1:80", "loopback"},
		{"stream:tcp:localhost", "loopback"},
		{"stream:" + strings.Repeat("x", 108), "108 bytes"},
		{"stream-listen:" + file, "no socket"},
		{used.String(), "another program listens there"},
		{"stream-listen:" + folder + "/none/s", "no such file"},
	}
	for _, tt := range tests {
		p, err := Open(tt.spec)
		if err == nil {
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v, want one that says %q", tt.spec, err, tt.says)
		}
	}
	// The socket of a program that has died is no obstacle.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(folder, "stale"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	openPort(t, "stream-listen:"+filepath.Join(folder, "stale"))
}

// TestPump: frames go to the NIC until the port is closed; an error of the NIC ends it.
func TestPump(t *testing.T) {
	a, b := Pipe("test")
	got := make(chan []byte, 10)
	done := make(chan error)
	go func() {
		tries := 0
		done <- Pump(b, func(frame []byte) error {
			if tries++; tries%3 != 0 {
				return fmt.Errorf("full: %w", ErrBusy) // and is offered again
			}
			got <- bytes.Clone(frame)
			return nil
		})
	}()
	for i := range 5 {
		if err := a.Send(testFrame(60+i, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		if f := <-got; !bytes.Equal(f, testFrame(60+i, 1)) {
			t.Errorf("frame %d differs", i)
		}
	}
	a.Close()
	if err := <-done; err != nil {
		t.Errorf("closed: %v", err)
	}
	a, b = Pipe("test")
	broken := fmt.Errorf("broken")
	if err := a.Send(testFrame(60, 1)); err != nil {
		t.Fatal(err)
	}
	if err := Pump(b, func([]byte) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("the NIC's error: %v", err)
	}
}

func TestNoAllocations(t *testing.T) {
	a, b := Pipe("test")
	frame := testFrame(1000, 1)
	frames, sizes := [][]byte{make([]byte, 2000)}, make([]int, 1)
	allocs := testing.AllocsPerRun(1000, func() {
		if err := a.Send(frame); err != nil {
			t.Fatal(err)
		}
		if n, err := b.Receive(frames, sizes); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per frame", allocs)
	}
}

// FuzzDecoder: whatever comes, the decoder gives the same frames however the
// bytes are cut, none of an impossible length, and never more than came.
func FuzzDecoder(f *testing.F) {
	decode := func(r io.Reader) (frames []string, lost uint64, err error) {
		d := newDecoder(r)
		for {
			frame, err := d.next()
			if err != nil {
				return frames, d.lost, err
			}
			frames = append(frames, string(frame))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		frames, lost, err := decode(bytes.NewReader(data))
		total := 0
		for _, frame := range frames {
			if len(frame) < MinFrame || len(frame) > MaxFrame {
				t.Fatalf("frame of %d bytes", len(frame))
			}
			total += lengthSize + len(frame)
		}
		if total+int(lost)*lengthSize > len(data) {
			t.Fatalf("%d bytes of frames out of %d", total, len(data))
		}
		again, lostAgain, errAgain := decode(iotest.OneByteReader(bytes.NewReader(data)))
		if fmt.Sprint(again) != fmt.Sprint(frames) || lost != lostAgain || errors.Is(err, errNotStream) != errors.Is(errAgain, errNotStream) {
			t.Fatalf("a byte at a time: %d frames, %d lost, %v; at once: %d, %d, %v", len(again), lostAgain, errAgain, len(frames), lost, err)
		}
	})
}

// TestPeerLeaves: what was under way when the peer left is counted as lost.
func TestPeerLeaves(t *testing.T) {
	path := filepath.Join(shortFolder(t), "s")
	p := openPort(t, "stream-listen:"+path)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	eventually(t, "the peer is there", func() bool { return p.Counters().Connections == 1 })
	sends := uint64(0)
	for ; p.Counters().SendDropped == 0; sends++ {
		if err := p.Send(testFrame(1514, 0)); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
	eventually(t, "every frame is counted", func() bool {
		c := p.Counters()
		return c.Sent+c.SendDropped == sends
	})
}
