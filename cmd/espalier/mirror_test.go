// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

// mirrorRig is a mirror to a stream with a reader in the test's hands.
type mirrorRig struct {
	*mirror
	conn net.Conn

	mu   sync.Mutex
	held bool
	log  string
}

func newMirrorRig(t *testing.T) *mirrorRig {
	t.Helper()
	dir, err := os.MkdirTemp("", "mirror")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &mirrorRig{}
	path := filepath.Join(dir, "s")
	r.mirror, err = openMirror("stream-listen:"+path, func(line string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.log += line + "\n"
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	r.holdBy(func(on bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.held = on
	})
	if r.conn, err = net.Dial("unix", path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.conn.Close() })
	r.until(t, "the reader is there", func() bool { return r.port.Counters().Connections == 1 })
	return r
}

func (r *mirrorRig) state() (held bool, log string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held, r.log
}

func (r *mirrorRig) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// numbered is a frame that is told from others.
func numbered(i uint64) []byte {
	frame := make([]byte, 1000)
	binary.BigEndian.PutUint64(frame[100:], i)
	return frame
}

// next reads a frame.
func (r *mirrorRig) next(t *testing.T) []byte {
	t.Helper()
	var length [4]byte
	if err := r.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r.conn, length[:]); err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(r.conn, frame); err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestMirrorWaits: time stands still while the reader is behind, and nothing is lost.
func TestMirrorWaits(t *testing.T) {
	r := newMirrorRig(t)
	sent := uint64(0)
	r.until(t, "time is held", func() bool {
		for range 100 {
			r.see(numbered(sent))
			sent++
		}
		held, _ := r.state()
		return held
	})
	for i := range sent {
		if frame := r.next(t); !bytes.Equal(frame, numbered(i)) {
			t.Fatalf("frame %d is % x", i, frame[:120])
		}
	}
	r.until(t, "time goes on", func() bool { held, _ := r.state(); return !held })
	if _, log := r.state(); log != "" {
		t.Errorf("log %q", log)
	}
}

// TestMirrorGivesUp: a reader that takes nothing does not stop time for ever; what
// is lost then is said in its place.
func TestMirrorGivesUp(t *testing.T) {
	r := newMirrorRig(t)
	r.patience = 50 * time.Millisecond
	sent := uint64(0)
	// At first time may be held just until the kernel has taken some of it.
	r.until(t, "the mirror has given up", func() bool {
		held, log := r.state()
		for range 100 {
			if !held {
				r.see(numbered(sent))
				sent++
			}
		}
		return log != ""
	})
	if _, log := r.state(); !strings.Contains(log, "has taken no frame for") || !strings.Contains(log, r.port.String()) {
		t.Errorf("log %q", log)
	}
	r.until(t, "time goes on", func() bool { held, _ := r.state(); return !held })
	// More than there is room for.
	for range 2 * mirrorRoom / len(numbered(0)) {
		r.see(numbered(sent))
		sent++
	}
	next := uint64(0)
	for {
		frame := r.next(t)
		if missing, is := wireport.ParseLossNotice(frame); is {
			if next+missing != sent {
				t.Errorf("after %d frames %d are said to be missing, %d were sent", next, missing, sent)
			}
			break
		}
		if !bytes.Equal(frame, numbered(next)) {
			t.Fatalf("frame %d is % x", next, frame[:120])
		}
		next++
	}
	r.see(numbered(sent))
	if frame := r.next(t); !bytes.Equal(frame, numbered(sent)) {
		t.Errorf("the frame after that is % x", frame[:120])
	}
	if _, log := r.state(); !strings.Contains(log, "some are lost") {
		t.Errorf("log %q", log)
	}
	// Time is held again when it has to be.
	r.until(t, "time is held", func() bool {
		for range 100 {
			r.see(numbered(0))
		}
		held, _ := r.state()
		return held
	})
}

// TestMirrorOfImpossibleFrames: frames that no port carries are said to be missing.
func TestMirrorOfImpossibleFrames(t *testing.T) {
	r := newMirrorRig(t)
	r.see(numbered(1))
	r.see(make([]byte, wireport.MaxFrame+1))
	if frame := r.next(t); !bytes.Equal(frame, numbered(1)) {
		t.Errorf("frame % x", frame)
	}
	if missing, is := wireport.ParseLossNotice(r.next(t)); !is || missing != 1 {
		t.Errorf("notice of %d frames, %v", missing, is)
	}
	// What comes from there is dropped, and does not stop anything.
	for range 5000 {
		if _, err := r.conn.Write(append([]byte{0, 0, 3, 232}, numbered(0)...)); err != nil {
			t.Fatal(err)
		}
	}
	r.see(numbered(2))
	if frame := r.next(t); !bytes.Equal(frame, numbered(2)) {
		t.Errorf("frame % x", frame)
	}
}
