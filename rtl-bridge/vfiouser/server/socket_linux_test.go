// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// socketPath returns a path short enough for a socket.
func socketPath(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "vfu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return filepath.Join(folder, "nic.sock")
}

// serve runs a server on a socket.
func serve(t testing.TB, path string, device Device, options Options) (s *Server, stop func()) {
	t.Helper()
	s, err := Listen(path, device, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(deadline):
			t.Error("the server does not end")
		}
	}
	t.Cleanup(stop)
	return s, stop
}

func dial(t testing.TB, path string) rawClient {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return rawClient{t, c}
}

func TestSocketFile(t *testing.T) {
	path := socketPath(t)
	old := unix.Umask(0)
	_, stop := serve(t, path, newCard(t), Options{})
	unix.Umask(old)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
	dial(t, path).negotiate()
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// TestSocketInTheWay is about what is at the path already.
func TestSocketInTheWay(t *testing.T) {
	t.Run("a socket left behind", func(t *testing.T) {
		path := socketPath(t)
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		var said sentences
		serve(t, path, newCard(t), Options{Log: said.log})
		dial(t, path).negotiate()
		if said.has(path, "replaced") != 1 || len(said.all()) != 1 {
			t.Errorf("said %q", said.all())
		}
	})
	t.Run("another server", func(t *testing.T) {
		path := socketPath(t)
		serve(t, path, newCard(t), Options{})
		_, err := Listen(path, newCard(t), Options{})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "another server") {
			t.Errorf("error is %v", err)
		}
		dial(t, path).negotiate() // the first still serves
	})
	t.Run("a file", func(t *testing.T) {
		path := socketPath(t)
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Listen(path, newCard(t), Options{})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "not a socket") {
			t.Errorf("error is %v", err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
			t.Errorf("the file is %q now, %v", b, err)
		}
	})
	t.Run("no folder", func(t *testing.T) {
		_, err := Listen(socketPath(t)+"/x", newCard(t), Options{})
		if err == nil || !strings.Contains(err.Error(), "listen on ") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("a long path", func(t *testing.T) {
		_, err := Listen("/tmp/"+strings.Repeat("x", 103), newCard(t), Options{})
		if err == nil || !strings.Contains(err.Error(), "108 characters") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("replaced meanwhile", func(t *testing.T) {
		path := socketPath(t)
		_, stop := serve(t, path, newCard(t), Options{})
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		_, stop2 := serve(t, path, newCard(t), Options{})
		stop() // must leave the other's socket alone
		dial(t, path).negotiate()
		stop2()
	})
}

// TestManyServersAtOnce starts servers on the same stale socket: one wins.
func TestManyServersAtOnce(t *testing.T) {
	path := socketPath(t)
	card := newCard(t)
	for range 50 {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		const n = 8
		servers := make(chan *Server, n)
		start := make(chan struct{})
		for range n {
			go func() {
				<-start
				s, _ := Listen(path, card, Options{})
				servers <- s
			}()
		}
		close(start)
		var won []*Server
		for range n {
			if s := <-servers; s != nil {
				won = append(won, s)
			}
		}
		for _, s := range won {
			s.Close()
		}
		if len(won) != 1 {
			t.Fatalf("%d servers listen on one socket", len(won))
		}
	}
}

// TestClientsInTurn has a second client wait for the first, and the device's memory
// stay as it was, or be reset, in between.
func TestClientsInTurn(t *testing.T) {
	for _, reset := range []bool{false, true} {
		path := socketPath(t)
		c := newCard(t)
		var said sentences
		s, stop := serve(t, path, c, Options{Log: said.log, ResetOnDisconnect: reset})
		first := dial(t, path)
		first.negotiate()
		first.must(protocol.CommandRegionWrite, regionWrite(0, 0, 42))

		second := dial(t, path)
		v := protocol.Version{Capabilities: protocol.DefaultCapabilities()}
		second.write(message(1, protocol.CommandVersion, 0, v.Append(nil)))
		for said.has("another client") == 0 { // it says so after a moment
			time.Sleep(time.Millisecond)
		}
		first.must(protocol.CommandRegionRead, regionRead(0, 0, 1)) // still there
		first.Close()
		if _, err := second.answer(1, protocol.CommandVersion); err != nil {
			t.Fatal(err)
		}
		if b := second.must(protocol.CommandRegionRead, regionRead(0, 0, 1)); b[protocol.RegionAccessSize] != 42 {
			t.Errorf("the register is %x", b)
		}
		third := dial(t, path)
		stop()
		if _, _, err := third.read(); err == nil {
			t.Error("a client that waited got an answer from a server that has ended")
		}
		want := []string{"connect", "write 0 0x0 2a", "read 0 0x0 +1", "disconnect", "connect", "read 0 0x0 +1", "disconnect"}
		if reset {
			want = []string{"connect", "write 0 0x0 2a", "read 0 0x0 +1", "disconnect", "reset", "connect", "read 0 0x0 +1", "disconnect", "reset"}
		}
		if got := strings.Join(c.told(), ", "); got != strings.Join(want, ", ") {
			t.Errorf("the device was told %s", got)
		}
		if s.Stats().Clients != 2 {
			t.Errorf("%d clients are counted", s.Stats().Clients)
		}
	}
}

// TestSilentClient sends away a client that says nothing.
func TestSilentClient(t *testing.T) {
	path := socketPath(t)
	var said sentences
	serve(t, path, newCard(t), Options{Log: said.log, NegotiationTimeout: 10 * time.Millisecond})
	if _, _, err := dial(t, path).read(); err == nil {
		t.Error("an answer to nothing")
	}
	dial(t, path).negotiate()
	if said.has(path, "within 10ms") != 1 {
		t.Errorf("said %q", said.all())
	}
}

// TestServeTwice is about servers without a socket or a device that nobody can use.
func TestNoServer(t *testing.T) {
	s, err := New(newCard(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(context.Background()); err == nil {
		t.Error("serves without a socket")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(d *Description){
		"regions":  func(d *Description) { d.Regions = make([]Region, 101) },
		"indices":  func(d *Description) { d.IRQs = make([]IRQ, 51) },
		"vectors":  func(d *Description) { d.IRQs = []IRQ{{Count: 2049}} },
		"no file":  func(d *Description) { d.Regions = []Region{{Size: 0x1000, Areas: []Area{{0, 0x1000}}}} },
		"area":     func(d *Description) { d.Regions[1].Areas = []Area{{0x3000, 0x2000}} },
		"alignent": func(d *Description) { d.Regions[1].Areas = []Area{{0x800, 0x1000}} },
		"empty":    func(d *Description) { d.Regions[1].Areas = []Area{{0x1000, 0}} },
		"offset":   func(d *Description) { d.Regions[1].FileOffset = 1 },
	} {
		c := newCard(t)
		change(&c.description)
		if _, err := New(c, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
