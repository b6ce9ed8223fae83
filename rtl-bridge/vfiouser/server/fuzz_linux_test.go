// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// FuzzSession feeds a server arbitrary bytes as a client's, with some descriptors on
// the first. It must not crash or hang, everything that was mapped must be unmapped,
// and it must serve the next client.
func FuzzSession(f *testing.F) {
	files, err := filepath.Glob("testdata/peers/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal("no conversations in testdata/peers: ", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		// All that the client says in a conversation.
		var stream []byte
		p := &play{}
		for _, line := range playLines(string(text)) {
			if line[0] == '>' {
				b, _ := p.bytes(file, line[1:])
				stream = append(stream, b...)
			}
		}
		f.Add(stream, byte(len(stream)))
	}
	f.Fuzz(func(t *testing.T, stream []byte, fds byte) {
		c := newCard(t)
		mapped := make(map[uint64]Mapping)
		c.quiet = true
		c.onMap = func(m Mapping) error {
			mapped[m.IOVA] = m
			if m.File != nil {
				_ = c.client().TryWriteDMA(context.Background(), m.IOVA, make([]byte, min(m.Size, 64)))
			}
			return nil
		}
		c.onUnmap = func(m Mapping) error {
			if mapped[m.IOVA] != m {
				t.Errorf("unmap %+v, which was not mapped", m)
			}
			delete(mapped, m.IOVA)
			return nil
		}
		bound := make(map[[2]int]bool)
		c.onVector = func(index, vector int, on, masked bool) {
			bound[[2]int{index, vector}] = on
			_ = c.client().Trigger(index, vector)
		}
		s, client, stop := serveOn(t, c, Options{})
		// Whatever the server says is taken in, so that it is not held up.
		heard := make(chan struct{})
		go func() {
			defer close(heard)
			_, _ = io.Copy(io.Discard, client)
		}()
		version := protocol.Version{Capabilities: protocol.DefaultCapabilities()}
		version.Capabilities.WriteMultiple = true
		if fds&0x80 == 0 { // half of the streams begin behind the negotiation
			_, _ = client.Write(message(0, protocol.CommandVersion, 0, version.Append(nil)))
		}
		shared := make([]int, fds%20)
		for i := range shared {
			shared[i] = int(c.description.Regions[1].File.Fd())
		}
		if len(stream) > 0 {
			var control []byte
			if len(shared) > 0 {
				control = unix.UnixRights(shared...)
			}
			_, _, err := client.WriteMsgUnix(stream[:1], control, nil)
			if err == nil {
				_, err = client.Write(stream[1:])
			}
			if err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
				t.Error(err)
			}
		}
		_ = client.CloseWrite()
		select {
		case <-heard: // the server has carried out everything and hung up
		case <-time.After(deadline):
			stacks := make([]byte, 1<<20)
			t.Fatalf("the server hangs\n%s", stacks[:runtime.Stack(stacks, true)])
		}
		stop()
		if len(mapped) > 0 {
			t.Errorf("mapped at the end: %v", mapped)
		}
		for v, on := range bound {
			if on {
				t.Errorf("vector %v is bound at the end", v)
			}
		}
		next, stopNext := connectTo(t, s)
		next.negotiate()
		stopNext()
	})
}
